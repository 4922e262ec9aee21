"""One suite for every implementation of the `Hub` port: in process, and over real HTTP."""

import base64
import copy
import dataclasses
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from federation.aids.catalogue import open_catalogue
from federation.aids.model import IdentityLevel
from federation.aids.national import FMD_FAMILY
from federation.aids.reserved import circles_in
from federation.client import HttpHub
from federation.credentials import Nullifier, StatusEntry, present
from federation.credentials import types as bodies
from federation.credentials.held import Held, keep_sd_jwt, read_held
from federation.credentials.sd_jwt_vc import issue_sd_jwt_vc
from federation.decision_log import Evidence as DecisionEvidence
from federation.decision_log import verify_evidence
from federation.errors import HubRefusedError, HubUnreachableError
from federation.hub.app import create_hub_app
from federation.hub.asking import query_of
from federation.hub.holder_proof import sign_status_proof, sign_watch_proof
from federation.hub.local import LocalHub
from federation.hub.model import Hold
from federation.hub.no_prior_aid import MOST_A_PERSON
from federation.hub.worker import start_thread
from federation.keys import P256Key, PublicKey, decode_multikey
from federation.openid4vp import (
    CredentialSetQuery,
    PresentationRequest,
    RequestRefusedError,
    build_response,
    client_id_of,
    verify_request,
)
from federation.ports import DocumentEnvelope, Hub, WitnessView
from federation.proofs.sd_jwt import present_sd_jwt
from federation.trust import PinnedKey, Role, TrustEntry
from federation.wire.http import AddressPolicy, BoundedClient
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri, mint_iri
from tests.hub_world import PERIOD, Citizen, World, announce_delivery, build_world, send
from vault.prior_aid import ask_ledger


class Serving:
    """A uvicorn server on one loopback port of this process, in a thread: the hub's name, and so
    what it published, is the same in every test.
    """

    port = 0

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", Serving.port))
        Serving.port = self.socket.getsockname()[1]
        self.url = f"http://localhost:{self.socket.getsockname()[1]}"
        self.server: uvicorn.Server | None = None
        self.thread: threading.Thread | None = None

    def serve(self, app: Any) -> None:
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True
        )
        self.thread.start()
        until = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        if self.server is not None and self.thread is not None:
            self.server.should_exit = True
            self.thread.join(timeout=10)
        self.socket.close()


@pytest.fixture(params=["local", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Hub]]:
    if request.param == "local":
        world = build_world(tmp_path)
        yield world, LocalHub(world.context)
        world.context.close()
        return
    serving = Serving()
    world = build_world(tmp_path, public_url=serving.url)
    serving.serve(create_hub_app(world.context))
    with BoundedClient(allow=AddressPolicy.WITH_LOOPBACK, max_bytes=4_000_000) as client:
        yield world, HttpHub(serving.url, client)
    serving.stop()
    world.context.close()


def proof(world: World, citizen: Citizen, application: Iri) -> str:
    return sign_status_proof(
        application,
        holder=citizen.key.signer(),
        audience=world.context.settings.did,
        at=world.clock(),
    )


def refused(act: Any) -> HubRefusedError:
    with pytest.raises(HubRefusedError) as caught:
        act()
    return caught.value


def test_services_are_listed_as_their_members_signed_them(place: tuple[World, Hub]) -> None:
    world, hub = place
    assert hub.services() == ()
    announced = announce_delivery(world)
    assert hub.services() == (announced,)


def test_the_catalogue_is_signed_cached_and_complete(place: tuple[World, Hub]) -> None:
    world, hub = place
    signed = hub.catalogue()
    assert signed is not None
    snapshot = world.context.registry.current()

    def key_of(method: str) -> PublicKey:
        return snapshot.key(method, world.clock())

    catalogue = open_catalogue(signed.content, key_of)
    assert catalogue.aid(world.aid).funder_name == "Agglomération de l'Aude"
    assert Counter(aid.rule.model for aid in catalogue.aids) == {
        "aides-velo": 339,  # of the bicycle model's 341
        "national": 10,  # eight schemes, and the two aids of this public employer
    }
    assert hub.catalogue(if_version=signed.version) is None
    sealed = hub.reserved()
    assert sealed is not None
    assert circles_in(sealed.content) == {}, "nothing is reserved"
    assert hub.reserved(if_version=sealed.version) is None


def test_a_proven_application_is_accepted_with_reasons_and_an_award(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    application, receipt = citizen.apply(hub)
    assert receipt.state == "accepted"
    assert receipt.application == application
    assert {check.outcome for check in receipt.checks} == {"pass"}
    assert all(check.words["fr"] and check.words["en"] for check in receipt.checks)
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert (view.state, view.amount_cents) == ("accepted", 10_000)
    assert "41 jours" in " ".join(reason["fr"] for reason in view.reasons)
    assert "L. 311-3-1" in view.mention["fr"]
    assert "deux mois" in view.remedies["fr"]
    assert {"contribution", "data", "parameters", "operations"} <= set(view.explanation)
    assert [step.state for step in view.history] == ["submitted", "accepted"]
    assert view.award is not None
    assert view.award["credentialSubject"]["id"] == citizen.did
    assert view.award["credentialSubject"]["amount"] == 10_000
    assert {check.outcome for check in hub.verify_public(view.award)} == {"pass"}


def test_the_same_bytes_again_get_the_stored_answer_even_late(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    pointer = hub.request(world.aid, mint_iri(), period=PERIOD)
    package = citizen.answer(pointer, hub=hub)
    first = send(hub, package)
    world.clock.advance(hours=2)
    assert send(hub, package) == first


def test_other_bytes_under_a_used_nonce_are_refused_as_challenge_used(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    pointer = hub.request(world.aid, mint_iri(), period=PERIOD)
    package = citizen.answer(pointer, hub=hub)
    send(hub, package)
    again = {**package, "consent_receipt": {"type": "ConsentRecord", "id": "other"}}
    assert refused(lambda: send(hub, again)).hub_code == "challenge-used"


def test_a_package_replayed_under_another_request_is_refused(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    package = citizen.answer(hub.request(world.aid, mint_iri(), period=PERIOD), hub=hub)
    send(hub, package)
    other = world.claims(hub.request(world.aid, mint_iri(), period=PERIOD), hub)
    other_key = other["client_metadata"]["jwks"]["keys"][0]
    replayed = {
        **package,
        "response_uri": other["response_uri"],
        "state": other["state"],
        "jwk": other_key,
    }
    error = refused(lambda: send(hub, replayed))
    assert error.hub_code == "challenge-mismatch"
    assert [c["step"] for c in error.extensions["checks"] if c["outcome"] == "fail"] == [7]
    with_own_state = {**replayed, "state": package["state"]}
    assert refused(lambda: send(hub, with_own_state)).hub_code == "challenge-mismatch"


def test_an_answer_in_clear_or_encrypted_for_another_request_is_not_read(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    package = citizen.answer(hub.request(world.aid, mint_iri(), period=PERIOD), hub=hub)
    clear = build_response(package["vp_token"], state=package["state"])
    error = refused(lambda: hub.respond(package["response_uri"], clear))
    assert error.hub_code == "response-malformed"
    other = world.claims(hub.request(world.aid, mint_iri(), period=PERIOD), hub)
    foreign = {**package, "jwk": other["client_metadata"]["jwks"]["keys"][0]}
    assert refused(lambda: send(hub, foreign)).hub_code == "response-malformed"
    assert send(hub, package).state == "accepted"


def test_a_request_says_back_the_nonce_that_a_wallet_sent(place: tuple[World, Hub]) -> None:
    world, hub = place
    pointer = hub.request(world.aid, mint_iri(), period=PERIOD)
    snapshot = world.context.registry.current()

    def read(sent: str | None, expected: str | None) -> PresentationRequest:
        return verify_request(
            hub.request_object(pointer.request_uri, wallet_nonce=sent),
            lambda method: snapshot.key(method, world.clock()),
            at=world.clock(),
            request_uri=pointer.request_uri,
            client_id=pointer.client_id,
            wallet_nonce=expected,
            allow_loopback_http=True,
        )

    request = read("n-0123456789", "n-0123456789")
    assert request.encryption is not None
    assert request.encryption.method == "A256GCM"
    for sent in ("another", None):
        with pytest.raises(RequestRefusedError) as caught:
            read(sent, "n-0123456789")
        assert caught.value.reason == "wallet-nonce"
    assert refused(lambda: read("é" * 8, None)).hub_code == "response-malformed"


def test_a_tampered_package_is_refused_with_its_failed_check_and_the_true_one_still_enters(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    package = citizen.answer(hub.request(world.aid, mint_iri(), period=PERIOD), hub=hub)
    tampered = copy.deepcopy(package)
    for presentations in tampered["vp_token"].values():
        for credential in presentations[0]["verifiableCredential"]:
            if "UsageProof" in credential["type"]:
                credential["credentialSubject"]["days"] = 120
    error = refused(lambda: send(hub, tampered))
    assert error.hub_code == "proof-invalid"
    assert any(c["outcome"] == "fail" and c["step"] == 3 for c in error.extensions["checks"])
    assert send(hub, package).state == "accepted"


def test_an_answer_after_the_time_is_challenge_expired_and_a_new_nonce_keeps_the_application(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    application = mint_iri()
    package = citizen.answer(hub.request(world.aid, application, period=PERIOD), hub=hub)
    world.clock.advance(minutes=11)
    assert refused(lambda: send(hub, package)).hub_code == "challenge-expired"
    again, receipt = citizen.apply(hub, application=application)
    assert again == application
    assert receipt.state == "accepted"


def test_a_presentation_for_another_verifier_is_wrong_audience(place: tuple[World, Hub]) -> None:
    from federation.credentials import present

    world, hub = place
    citizen = world.citizen()
    pointer = hub.request(world.aid, mint_iri(), period=PERIOD)
    package = citizen.answer(pointer, hub=hub)
    claims = world.claims(pointer, hub)
    elsewhere = present(
        (citizen.usage(), citizen.affiliation()),
        holder=citizen.key.signer(),
        challenge=claims["nonce"],
        domain="decentralized_identifier:did:web:evil.example",
        at=world.clock(),
    )
    package["vp_token"] = {name: [elsewhere] for name in package["vp_token"]}
    assert refused(lambda: send(hub, package)).hub_code == "wrong-audience"


def test_a_second_application_of_the_family_for_an_overlapping_period_loses(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    citizen.apply(hub)
    error = refused(lambda: citizen.apply(hub))
    assert error.hub_code == "already-awarded"
    assert error.extensions["family"] == "fmd-agents-publics"
    other_vault = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
    assert refused(lambda: other_vault.apply(hub)).hub_code == "already-awarded"


def test_a_package_without_what_was_asked_is_refused(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    error = refused(lambda: citizen.apply(hub, citizen.usage()))
    assert error.hub_code == "policy-unmet"
    error = refused(lambda: citizen.apply(hub, citizen.usage(), citizen.affiliation(nullifiers=())))
    assert error.hub_code == "policy-unmet"
    short = (PERIOD[0], PERIOD[1] - timedelta(days=30))
    error = refused(lambda: citizen.apply(hub, citizen.usage(period=short), citizen.affiliation()))
    assert error.hub_code == "period-mismatch"


def test_somebody_elses_credential_is_holder_mismatch(place: tuple[World, Hub]) -> None:
    from federation.credentials import ShapeError

    world, hub = place
    citizen, other = world.citizen(), world.citizen()
    with pytest.raises(ShapeError):  # an honest wallet does not even make it
        citizen.apply(hub, citizen.usage(), other.affiliation())
    package = citizen.answer(hub.request(world.aid, mint_iri(), period=PERIOD), hub=hub)
    for presentations in package["vp_token"].values():
        held = presentations[0]["verifiableCredential"]
        held[1] = other.affiliation()
    assert refused(lambda: send(hub, package)).hub_code in ("proof-invalid", "holder-mismatch")


@pytest.mark.parametrize(
    ("usage", "affiliation", "code"),
    [
        ({"days": 12}, {}, "rule-condition"),
        ({"weakest_evidence": Evidence.DECLARED}, {}, "evidence"),
        ({}, {"status": "salarie-prive"}, "rule-condition"),
        ({}, {"employer_id": "73282932000074"}, "other-employer"),
    ],
)
def test_what_the_rule_would_refuse_goes_to_a_person_and_is_not_refused(
    place: tuple[World, Hub], usage: dict[str, Any], affiliation: dict[str, Any], code: str
) -> None:
    world, hub = place
    citizen = world.citizen()
    application, receipt = citizen.apply(
        hub, citizen.usage(**usage), citizen.affiliation(**affiliation)
    )
    assert receipt.state == "submitted"
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert (view.state, view.amount_cents, view.award) == ("submitted", None, None)
    assert code in {reason["code"] for reason in view.reasons}
    assert view.mention == {}


def test_a_self_declared_proof_is_read_and_left_to_a_person(place: tuple[World, Hub]) -> None:
    from federation.credentials import issue
    from federation.credentials import types as bodies

    world, hub = place
    citizen = world.citizen()
    body = citizen.usage()["credentialSubject"]
    declared = issue(
        bodies.usage_proof(
            holder=citizen.did,
            period=PERIOD,
            rule=body["rule"],
            rule_version=body["ruleVersion"],
            days=41,
            weakest_evidence=Evidence.SENSED,
            assurance=AssuranceMethod.SELF_DECLARED,
        ),
        signer=citizen.key.signer(),
        at=world.clock(),
    )
    application, receipt = citizen.apply(hub, declared, citizen.affiliation())
    assert receipt.state == "submitted"
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert "assurance" in {reason["code"] for reason in view.reasons}


def test_a_status_list_out_of_reach_delays_and_refuses_nobody(place: tuple[World, Hub]) -> None:
    from federation.credentials import StatusList, issue_status_list

    world, hub = place
    citizen = world.citizen()
    url = "https://employeur.example/status/1"
    affiliation = citizen.affiliation(status_entry=StatusEntry(url, 7))
    application, receipt = citizen.apply(hub, citizen.usage(), affiliation)
    assert receipt.state == "submitted"
    assert "cannot-tell" in {check.outcome for check in receipt.checks}
    runner, jobs = world.context.runner(), world.context.store.outbox
    (held,) = jobs.of_owner("", kind="hub.verify")
    assert runner.run(held.id).value == "retry"
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert view.state == "submitted"
    world.clock.advance(hours=1)
    world.lists.lists[url] = issue_status_list(
        StatusList.empty(),
        url=url,
        signer=world.employer.signer("did:web:localhost%3A8402:employeur#cle-1"),
        at=world.clock(),
        valid_until=world.clock() + timedelta(days=1),
    )
    assert runner.run(held.id).value == "done"
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert (view.state, view.amount_cents) == ("accepted", 10_000)


def test_answers_are_declared_only_where_they_are_asked(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    error = refused(
        lambda: hub.declare(
            application, proof_jwt=proof(world, citizen, application), answers={"x": "1"}
        )
    )
    assert error.hub_code == "declaration-refused"
    stranger = world.citizen()
    error = refused(
        lambda: hub.declare(
            application, proof_jwt=proof(world, stranger, application), answers={"x": "1"}
        )
    )
    assert error.hub_code == "application-unknown"


def test_a_decision_is_given_out_with_its_evidence(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    application, _ = citizen.apply(hub)
    before = hub.application(application, proof_jwt=proof(world, citizen, application))
    found = DecisionEvidence.from_zip(
        hub.evidence(application, proof_jwt=proof(world, citizen, application))
    )
    checks = verify_evidence(found, trust=world.context.registry.current(), at=world.clock())
    outcomes = {check.code: check.outcome for check in checks}
    assert outcomes.pop("timestamp-pending") == "cannot-tell"  # no authority here
    assert set(outcomes.values()) == {"pass"}
    assert found.award == before.award
    after = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert (before.register, after.register) == ("waiting", "complete")
    stranger = world.citizen()
    error = refused(
        lambda: hub.evidence(application, proof_jwt=proof(world, stranger, application))
    )
    assert error.hub_code == "application-unknown"


def test_an_application_is_shown_to_its_holder_only(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen, other = world.citizen(), world.citizen()
    application, _ = citizen.apply(hub)
    error = refused(
        lambda: hub.application(application, proof_jwt=proof(world, other, application))
    )
    assert error.hub_code == "application-unknown"
    unknown = mint_iri()
    error = refused(lambda: hub.application(unknown, proof_jwt=proof(world, other, unknown)))
    assert error.hub_code == "application-unknown"
    token = proof(world, citizen, application)
    assert hub.application(application, proof_jwt=token).state == "accepted"
    assert refused(lambda: hub.application(application, proof_jwt=token)).hub_code == (
        "holder-proof-invalid"
    )
    stale = proof(world, citizen, application)
    world.clock.advance(minutes=6)
    assert refused(lambda: hub.application(application, proof_jwt=stale)).hub_code == (
        "holder-proof-invalid"
    )
    assert refused(lambda: hub.application(application, proof_jwt="x.y.z")).hub_code == (
        "holder-proof-invalid"
    )


def test_a_watch_proof_tells_its_holder_how_many_steps_there_are(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen, other = world.citizen(), world.citizen()
    application, _ = citizen.apply(hub)

    def watch(who: Citizen) -> str:
        audience, at = world.context.settings.did, world.clock()
        return sign_watch_proof(application, holder=who.key.signer(), audience=audience, at=at)

    token = watch(citizen)
    assert [hub.steps(application, watch_jwt=token) for _ in range(2)] == [2, 2]
    error = refused(lambda: hub.steps(application, watch_jwt=watch(other)))
    assert error.hub_code == "application-unknown"
    for bad in (proof(world, citizen, application), "x.y.z"):
        error = refused(lambda bad=bad: hub.steps(application, watch_jwt=bad))  # type: ignore[misc]
        assert error.hub_code == "holder-proof-invalid"


def test_withdrawing_releases_the_period_and_a_decision_ends_withdrawal(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    assert refused(lambda: citizen.apply(hub)).hub_code == "already-awarded"
    assert (
        hub.withdraw(application, proof_jwt=proof(world, citizen, application)).state == "withdrawn"
    )
    accepted, receipt = citizen.apply(hub)
    assert receipt.state == "accepted"
    error = refused(lambda: hub.withdraw(accepted, proof_jwt=proof(world, citizen, accepted)))
    assert error.hub_code == "application-closed"
    error = refused(lambda: hub.request(world.aid, accepted, period=PERIOD))
    assert error.hub_code == "application-closed"


def test_documents_are_kept_sealed_and_change_the_package(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    application = mint_iri()
    package = citizen.answer(
        hub.request(world.aid, application, period=PERIOD),
        citizen.usage(days=12),
        citizen.affiliation(),
        hub=hub,
    )
    sealed = bytes(range(256)) * 4
    envelope = DocumentEnvelope("declaration.pdf", "application/pdf", "k1", sealed)
    joined = {
        "name": envelope.name,
        "media_type": envelope.media_type,
        "key_id": envelope.key_id,
        "sealed": base64.b64encode(sealed).decode(),
    }
    send(hub, {**package, "documents": [joined]})
    assert refused(lambda: send(hub, package)).hub_code == "challenge-used"
    with world.context.store.read() as reader:
        found = reader.application(application)
        assert found is not None and found.package is not None
        kept = reader.package(found.package)
    assert kept is not None and kept.documents[0].sealed == sealed


@pytest.mark.parametrize(
    "period",
    [
        (date(2026, 11, 20), date(2026, 1, 1)),
        (date(2026, 12, 1), date(2026, 12, 31)),
        (date(2024, 1, 1), date(2026, 1, 1)),
        (date(2019, 1, 1), date(2019, 12, 31)),
    ],
)
def test_a_period_that_does_not_fit_is_refused(
    place: tuple[World, Hub], period: tuple[date, date]
) -> None:
    world, hub = place
    assert refused(lambda: hub.request(world.aid, mint_iri(), period=period)).hub_code == (
        "period-refused"
    )


def test_an_aid_that_is_unknown_or_asked_for_elsewhere_gives_no_request(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    did = world.context.settings.did
    unknown = Iri(f"{did}#aide-nothing")
    assert refused(lambda: hub.request(unknown, mint_iri(), period=PERIOD)).hub_code == (
        "unknown-aid"
    )
    elsewhere = Iri(f"{did}#aide-velo-occitanie")
    assert refused(lambda: hub.request(elsewhere, mint_iri(), period=PERIOD)).hub_code == (
        "aid-not-open"
    )


def test_public_verification_tells_a_changed_award_from_a_true_one(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    application, _ = citizen.apply(hub)
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert view.award is not None
    changed = copy.deepcopy(dict(view.award))
    changed["credentialSubject"]["amount"] = 30_000
    assert "fail" in {check.outcome for check in hub.verify_public(changed)}
    assert "fail" in {check.outcome for check in hub.verify_public({"any": "thing"})}
    with world.context.store.transact() as tx:
        assert tx.revoke_credential(application, at=world.clock())
    codes = {c.code for c in hub.verify_public(view.award) if c.outcome == "fail"}
    assert codes == {"status-revoked"}


def test_a_job_held_for_later_runs_by_itself_on_the_thread(place: tuple[World, Hub]) -> None:
    world, hub = place
    dispatcher = start_thread(world.context)
    citizen = world.citizen()
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    assert dispatcher.idle(10)
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert "Accusé de réception" in view.history[-1].reason


def test_a_witness_remembers_the_last_head_and_takes_no_older_one(
    place: tuple[World, Hub],
) -> None:
    hub = place[1]
    assert isinstance(hub, LocalHub | HttpHub)
    secret = bytes(range(32))
    name = hashlib.sha256(secret).hexdigest()
    assert hub.witnessed(name) is None
    first = hub.bear_witness(secret, seq=7, commitment=b"a" * 32)
    assert hub.witnessed(name) == first == WitnessView(7, b"a" * 32)
    assert hub.bear_witness(secret, seq=7, commitment=b"a" * 32) == first
    error = refused(lambda: hub.bear_witness(secret, seq=6, commitment=b"b" * 32))
    assert error.hub_code == "witness-not-newer"
    hub.bear_witness(secret, seq=6, commitment=b"b" * 32, restored=True)
    assert hub.witnessed(name) == WitnessView(6, b"b" * 32)


def nothing_held(
    world: World, hub: Hub, citizen: Citizen, *, application: Iri | None = None
) -> dict[str, Any]:
    """What the hub signs of a citizen's nullifier, shown by the affiliation."""
    nonce = hub.no_prior_aid_nonce()
    presentation = present(
        [citizen.affiliation()],
        holder=citizen.key.signer(),
        challenge=nonce,
        domain=client_id_of(world.context.settings.did),
        at=world.clock(),
    )
    return dict(
        hub.no_prior_aid(
            FMD_FAMILY,
            1,
            period=PERIOD,
            nonce=nonce,
            presentation=presentation,
            application=application,
        )
    )


def wanting_no_prior_aid(world: World) -> None:
    aid = world.context.publishing.aid(world.aid)
    if "NoPriorAidCredential" not in aid.credentials_required:
        wanted = (*aid.credentials_required, "NoPriorAidCredential")
        world.context.publishing.add_aids(dataclasses.replace(aid, credentials_required=wanted))


def test_that_nobody_holds_a_nullifier_is_taken_by_another_hub_while_it_is_fresh(
    place: tuple[World, Hub], tmp_path: Path
) -> None:
    world, hub = place
    other = build_world(tmp_path / "other", public_url="http://localhost:8499")
    authority = world.context.registry.entry(world.context.settings.did)
    assert authority is not None
    other.context.registry.accredit(authority)
    wanting_no_prior_aid(other)
    elsewhere, here = LocalHub(other.context), world.citizen()
    there = Citizen(other, here.number, key=here.key, pseudonym=here.pseudonym)

    said = nothing_held(world, hub, here)
    assert said["credentialSubject"]["id"] == here.did
    assert "credentialStatus" not in said
    own = (there.usage(), there.affiliation())
    error = refused(lambda: there.apply(elsewhere, *own))
    assert error.hub_code == "policy-unmet", "it was asked for"
    world.clock.advance(hours=2)
    other.clock.advance(hours=2)
    again = (there.usage(), there.affiliation())
    error = refused(lambda: there.apply(elsewhere, *again, said))
    assert error.hub_code == "expired"
    fresh = nothing_held(world, hub, here)
    assert there.apply(elsewhere, *again, fresh)[1].state == "accepted"
    other.context.close()


def test_a_held_nullifier_is_refused_by_name_and_the_winner_is_not_named(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    said = nothing_held(world, hub, citizen)
    application, receipt = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    assert receipt.state == "submitted", "reserved, not consumed yet"
    moved = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
    for asks in (citizen, moved):
        error = refused(lambda asks=asks: nothing_held(world, hub, asks))  # type: ignore[misc]  # a lambda's default
        assert error.hub_code == "already-awarded"
        assert application not in json.dumps([str(error), dict(error.extensions)])
    own = nothing_held(world, hub, citizen, application=application)
    assert own["validUntil"] > said["validFrom"], "its own reservation does not count"
    error = refused(lambda: nothing_held(world, hub, moved, application=application))
    assert error.hub_code == "already-awarded", "to another key the application is not its own"
    hub.withdraw(application, proof_jwt=proof(world, citizen, application))
    assert nothing_held(world, hub, moved)["credentialSubject"]["family"] == FMD_FAMILY


def test_a_claim_made_after_the_ledger_was_asked_wins_all_the_same(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    said = nothing_held(world, hub, citizen)
    moved = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
    assert moved.apply(hub)[1].state == "accepted"
    wanting_no_prior_aid(world)
    own = (citizen.usage(), citizen.affiliation())
    assert refused(lambda: citizen.apply(hub, *own, said)).hub_code == "already-awarded"


def test_the_ledger_is_asked_only_with_a_fresh_nonce_the_whole_answer_and_a_known_family(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()

    def ask(nonce: str, family: str = FMD_FAMILY, *shown: Any, at: Any = None, **other: Any) -> Any:
        presentation = present(
            shown or [citizen.affiliation()],
            holder=citizen.key.signer(),
            challenge=nonce,
            domain=other.pop("audience", client_id_of(world.context.settings.did)),
            at=world.clock(),
        )
        given = {"period": PERIOD, "nonce": nonce, "presentation": presentation, **other}
        return hub.no_prior_aid(family, 1, **given)

    nonce = hub.no_prior_aid_nonce()
    assert ask(nonce)
    assert refused(lambda: ask(nonce)).hub_code == "challenge-used"
    assert refused(lambda: ask("x" * 60)).hub_code == "challenge-expired"
    late = hub.no_prior_aid_nonce()
    world.clock.advance(minutes=5)
    assert refused(lambda: ask(late)).hub_code == "challenge-expired"
    nonce = hub.no_prior_aid_nonce()
    assert refused(lambda: ask(nonce, "autre")).hub_code == "family-unknown"
    assert refused(lambda: ask(nonce, audience="elsewhere")).hub_code == "wrong-audience"
    assert refused(lambda: ask(nonce, FMD_FAMILY, citizen.usage())).hub_code == "policy-unmet"
    both = (citizen.affiliation(), citizen.usage())
    assert refused(lambda: ask(nonce, FMD_FAMILY, *both)).hub_code == "policy-unmet"
    forged = copy.deepcopy(citizen.affiliation())
    forged["credentialSubject"]["nullifiers"][0]["value"] = "f" * 33
    assert refused(lambda: ask(nonce, FMD_FAMILY, forged)).hub_code == "proof-invalid"
    for period in ((PERIOD[1], PERIOD[0]), (date(1990, 1, 1), PERIOD[1])):
        error = refused(lambda period=period: ask(nonce, period=period))  # type: ignore[misc]  # a lambda's default
        assert error.hub_code == "period-refused"
    assert ask(nonce), "what was refused did not use it up"


def test_the_ledger_is_asked_by_the_identity_of_which_one_family_is_shown(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    issuer = Did("did:web:localhost%3A8402:identite")
    key = P256Key.generate().signer(f"{issuer}#1")
    since = world.clock() - timedelta(days=1)
    world.context.registry.accredit(
        TrustEntry(
            did=issuer,
            name="Identité",
            roles=frozenset((Role.IDENTITY,)),
            keys=(PinnedKey(key.public_multikey(), key.verification_method, since),),
            credential_types=frozenset(("IdentityCredential",)),
            nullifier_families=frozenset((FMD_FAMILY, "velo")),
            since=since,
        )
    )
    aid = world.context.publishing.aid(world.aid)
    pivot = dataclasses.replace(
        aid,
        identity_level=IdentityLevel.PIVOT,
        credentials_required=("IdentityCredential",),
        family_issuer=issuer,
    )
    world.context.publishing.add_aids(pivot)
    citizen = world.citizen()
    body = bodies.credential_body(
        "IdentityCredential",
        holder=citizen.did,
        members={
            "familyName": "Durand",
            "givenName": "Camille",
            "birthDate": date(1990, 5, 4),
            "identityLevel": "eidas2",
            "source": "https://example.fr/identite",
            "certifiedAt": world.clock(),
            "degree": "signed",
            "nullifiers": [Nullifier(FMD_FAMILY, "1", "a" * 64), Nullifier("velo", "1", "b" * 64)],
        },
    )
    text = issue_sd_jwt_vc(
        body,
        signer=key,
        holder=decode_multikey(citizen.key.signer().public_multikey()),
        at=world.clock(),
        valid_until=world.clock() + timedelta(days=30),
    )

    def ask(*, family: str = FMD_FAMILY, nonce: str = "", **said: str) -> Any:
        nonce = nonce or hub.no_prior_aid_nonce()
        token = present_sd_jwt(
            text,
            disclose=lambda path, _: path == ("nullifiers", family),
            holder=citizen.key.signer(),
            nonce=said.get("nonce_said", nonce),
            audience=said.get("audience", client_id_of(world.context.settings.did)),
            at=world.clock(),
        )
        return hub.no_prior_aid(FMD_FAMILY, 1, period=PERIOD, nonce=nonce, token=token)

    assert ask()["credentialSubject"]["id"] == citizen.did
    (said,) = asked_by_a_wallet(world, hub, citizen, read_held(keep_sd_jwt(text)))
    assert said.holder == citizen.did
    assert refused(lambda: ask(family="velo")).hub_code == "policy-unmet"
    used = hub.no_prior_aid_nonce()
    assert refused(lambda: ask(audience="https://other.example")).hub_code == "wrong-audience"
    assert refused(lambda: ask(nonce=used, nonce_said="n-of-another")).hub_code == (
        "challenge-mismatch"
    )
    assert ask(nonce=used), "what was refused did not use it up"
    assert refused(lambda: ask(nonce=used)).hub_code == "challenge-used"
    hold = Hold(FMD_FAMILY, 1, "a" * 64, PERIOD)
    with world.context.store.transact() as tx:
        assert tx.reserve_all((hold,), application="urn:uuid:x", at=world.clock()) is None
    assert refused(ask).hub_code == "already-awarded"


def asked_by_a_wallet(
    world: World, hub: Hub, citizen: Citizen, *held: Held, optional: bool = False
) -> list[Held]:
    """What the wallet adds to its credentials for an aid that wants to know."""
    wanting_no_prior_aid(world)
    aid = world.context.publishing.aid(world.aid)
    query = query_of(aid)
    if optional:
        sets = tuple(
            CredentialSetQuery(((item.id,),), required=item.type != "NoPriorAidCredential")
            for item in query.credentials
        )
        query = dataclasses.replace(query, credential_sets=sets)
    return ask_ledger(
        hub,
        world.context.settings.did,
        query,
        held,
        aid=aid,
        period=PERIOD,
        application=None,
        holder=citizen.key.signer(),
        at=world.clock(),
    )


def test_a_wallet_asks_for_the_period_and_the_cool_down_and_only_with_what_it_holds(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    citizen = world.citizen()
    aid = world.context.publishing.aid(world.aid)
    extra = {**aid.extra, "coolDownMonths": 24}
    world.context.publishing.add_aids(dataclasses.replace(aid, extra=extra))
    assert asked_by_a_wallet(world, hub, citizen) == []
    affiliation = read_held(citizen.affiliation())
    (said,) = asked_by_a_wallet(world, hub, citizen, affiliation)
    found = (said.subject["periodFrom"], said.subject["periodUntil"])
    assert found == (PERIOD[0].isoformat(), "2028-11-20")
    own = (citizen.usage(), citizen.affiliation())
    less = nothing_held(world, hub, citizen)
    assert refused(lambda: citizen.apply(hub, *own, less)).hub_code == "policy-unmet"
    assert isinstance(said.wire, Mapping)
    assert citizen.apply(hub, *own, said.wire)[1].state == "accepted"
    moved = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
    other = read_held(moved.affiliation())
    error = refused(lambda: asked_by_a_wallet(world, hub, moved, other))
    assert error.hub_code == "already-awarded"
    assert asked_by_a_wallet(world, hub, moved, other, optional=True) == []


def test_who_asks_the_ledger_too_often_waits(place: tuple[World, Hub]) -> None:
    world, hub = place
    citizen = world.citizen()
    for _ in range(MOST_A_PERSON):
        nothing_held(world, hub, citizen)
    with pytest.raises(HubUnreachableError):  # later, not no
        nothing_held(world, hub, citizen)
    assert nothing_held(world, hub, world.citizen()), "nobody else waits"


def test_a_line_is_not_written_without_its_secret(place: tuple[World, Hub]) -> None:
    world, hub = place
    if not isinstance(hub, HttpHub):
        return  # the secret is the argument there: the name follows from it
    with BoundedClient(allow=AddressPolicy.WITH_LOOPBACK) as client:
        answer = client.post(
            f"{world.context.settings.origin}/v1/witness/{'0' * 64}",
            json={"secret": "11" * 32, "seq": 1, "commitment": "22" * 32},
            accept=("application/json", "application/problem+json"),
            statuses=(403,),
        )
    assert answer.json()["code"] == "witness-secret"


def test_a_wallet_that_sends_nothing_ends_the_request_and_nothing_else(
    place: tuple[World, Hub],
) -> None:
    world, hub = place
    application = mint_iri()
    pointer = hub.request(world.aid, application, period=PERIOD)
    snapshot = world.context.registry.current()
    request = verify_request(
        hub.request_object(pointer.request_uri),
        lambda method: snapshot.key(method, world.clock()),
        at=world.clock(),
        request_uri=pointer.request_uri,
        client_id=pointer.client_id,
        allow_loopback_http=True,
    )
    form = {"error": "access_denied", "state": request.state}
    wrong = {"error": "access_denied", "state": "another"}
    assert (
        refused(lambda: hub.respond(request.response_uri, wrong)).hub_code == "challenge-mismatch"
    )
    receipt = hub.respond(request.response_uri, form)
    assert receipt.state == "declined"
    assert hub.respond(request.response_uri, form) == receipt
    identifier = pointer.request_uri.rpartition("/")[2]
    assert world.context.applications.is_declined(identifier)
    unknown = {"error": "because", "state": request.state}
    assert refused(lambda: hub.respond(request.response_uri, unknown))
    again = hub.request(world.aid, application, period=PERIOD)
    assert again.request_uri != pointer.request_uri
