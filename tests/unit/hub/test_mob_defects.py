"""Defects of the predecessor (moB) that this hub must not have; each name carries its number.

B-01, B-02 and B-05 stand in `test_access.py` beside the matrix, the register of B-16 in
`test_decision_log.py`.
"""

import csv
import dataclasses
import io
import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.sandbox.timestamping import TimestampAuthority
from federation.aids.model import CheckMode
from federation.decision_log import Evidence
from federation.errors import HubRefusedError
from federation.hub.access import MATRIX, Action, Caller
from federation.hub.app import create_hub_app
from federation.hub.csv_files import PAYROLL_HEADS
from federation.hub.errors import (
    ApplicationUnknownError,
    DocumentRefusedError,
    InvitationRefusedError,
)
from federation.hub.evidence import TIMESTAMP
from federation.hub.holder_proof import sign_status_proof
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.hub.model import QueueFilter
from federation.ports import DocumentEnvelope
from federation.proofs.jcs import canonical_json
from federation.sealing import BoxPublicKey, FunderKey, SealSuite, seal_document
from federation.wire.jobs import JobState
from schemas.ids import Did, Iri, mint_iri
from schemas.records import ApplicationState
from tests.hub_world import PERIOD, Citizen, World, build_world, send
from vault.crypto.box_key import BoxPrivateKey

PASSWORD = "un mot de passe long"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


def officer(world: World, login: str = "o@agglo.example") -> Member:
    return world.context.members.add(
        login,
        PASSWORD,
        name="Dominique Sabatier",
        roles=frozenset((Caller.OFFICER, Caller.SUPERVISOR)),
        funder="agglo",
    )


def test_b03_a_second_award_for_the_same_person_and_period_is_refused(world: World) -> None:
    """There, exclusivity was `return true`."""
    citizen, hub = world.citizen(), LocalHub(world.context)
    citizen.apply(hub)
    with pytest.raises(HubRefusedError) as refused:
        citizen.apply(hub)
    assert refused.value.hub_code == "already-awarded"


def test_b04_every_route_names_its_right_and_none_is_named_by_its_function(world: World) -> None:
    """There, a guard listed method names that no longer existed, and let everything pass."""
    app = create_hub_app(world.context)
    operations = [
        operation for path in app.openapi()["paths"].values() for operation in path.values()
    ]
    assert len(operations) > 25
    assert all(Action(operation["x-action"]) in MATRIX for operation in operations)


def test_b06_a_link_made_for_one_person_lets_nobody_else_in_nor_twice_nor_late(
    world: World,
) -> None:
    """There, one valid token of a colleague affiliated any pending account, for ever."""
    enrolment, boss = world.context.enrolment, officer(world)
    roles = frozenset((Caller.OFFICER,))
    link = enrolment.invite_colleague(boss, roles=roles)
    first = enrolment.join(link, person="Sacha Petit", login="sacha@agglo.example").member
    world.context.members.set_password(first, PASSWORD)
    with pytest.raises(InvitationRefusedError):
        enrolment.join(link, person="Une Autre", login="autre@agglo.example")
    late = enrolment.invite_colleague(boss, roles=roles)
    world.clock.advance(days=7)
    with pytest.raises(InvitationRefusedError):
        enrolment.join(late, person="Une Autre", login="autre@agglo.example")
    assert {m.login for m in enrolment.team(boss)} == {"o@agglo.example", "sacha@agglo.example"}


def test_b09_nobody_joins_anothers_document_to_an_application(world: World) -> None:
    """There, only the aid was compared: the metadata of another person could be attached."""
    context, who = world.context, officer(world)
    private = BoxPrivateKey.generate(SealSuite.P256)
    made = context.document_keys.publish(who, private.public.raw)
    key = FunderKey(
        Did(context.settings.funder_did("agglo")),
        made.version,
        BoxPublicKey.decode(made.public),
        made.not_after,
    )
    mine, other = world.citizen(), world.citizen()
    hub = LocalHub(context)
    application, _ = mine.apply(hub, mine.usage(days=12), mine.affiliation())
    theirs, _ = other.apply(hub, other.usage(days=12), other.affiliation())
    sealed = seal_document(
        b"%PDF-1.7",
        name="rib.pdf",
        media_type="application/pdf",
        application=theirs,
        to=key,
        at=world.clock(),
    )
    envelope = DocumentEnvelope("RIB", "application/octet-stream", "k", sealed)

    def proof(citizen: Citizen) -> str:
        return sign_status_proof(
            application,
            holder=citizen.key.signer(),
            audience=context.settings.did,
            at=world.clock(),
        )

    with pytest.raises(DocumentRefusedError):
        context.applications.attach(application, proof_jwt=proof(mine), document=envelope)
    with pytest.raises(ApplicationUnknownError):
        context.applications.attach(application, proof_jwt=proof(other), document=envelope)
    assert context.desk.open(who, application).documents == ()


@pytest.mark.parametrize("text", ["(a+)+$", ".*", "^M", "[", "%", "_", "\\", "M.1"])
def test_b12_what_an_officer_types_is_text_and_never_a_pattern(world: World, text: str) -> None:
    """There, a regular expression was built from the user's text."""
    citizen = world.citizen()
    citizen.number = "M-1"
    citizen.apply(LocalHub(world.context))
    assert world.context.desk.queue(officer(world), QueueFilter(search=text)).items == ()


def test_b16_a_persons_decision_is_committed_to_and_its_timestamp_is_owed_until_it_is_good(
    tmp_path: Path,
) -> None:
    """There, a failure was swallowed, the hash was over any JSON, and a person's decision had no
    timestamp at all."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(TimestampAuthority(b"r" * 32, lambda: datetime.now(UTC)).root_pem)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    made = build_world(tmp_path, settings={"timestamp_url": url, "timestamp_roots": roots})
    context, citizen = made.context, made.citizen()
    application, _ = citizen.apply(LocalHub(context), citizen.usage(days=12), citizen.affiliation())
    member = officer(made)
    context.desk.decide(member, application, accept=False, reason="Trop peu de jours.")
    found = Evidence.from_zip(context.desk.evidence(member, application))
    record = found.steps[-1].entry.record
    assert json.loads(record)["reason"] == "Trop peu de jours."
    assert canonical_json(json.loads(record)) == record
    context.runner().run_due()
    assert context.desk.open(member, application).view.register == "timestamp-pending"
    (job,) = context.store.outbox.of_owner("", kind=TIMESTAMP)
    assert (job.state, job.error_code) == (JobState.WAITING, "authority-unreachable")
    context.close()


def test_b17_a_service_out_of_reach_refuses_nobody(world: World) -> None:
    """There, a network error became a definitive refusal."""
    from federation.credentials import StatusEntry

    citizen = world.citizen()
    entry = StatusEntry("https://absent.example/status/1", 7)
    application, receipt = citizen.apply(
        LocalHub(world.context), citizen.usage(), citizen.affiliation(status_entry=entry)
    )
    assert receipt.state == "submitted"
    found = world.context.desk.open(officer(world), application).application
    assert found.state is ApplicationState.SUBMITTED
    assert found.decided_at is None


def test_b05_what_was_decided_is_reopened_by_nothing_the_citizen_sends(world: World) -> None:
    """There, « verify » sent a decided application of a manual aid back to the queue, its documents
    erased already."""
    context, who = world.context, officer(world)
    citizen, hub = world.citizen(), LocalHub(context)
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    pointer = hub.request(world.aid, application, period=PERIOD)
    package = citizen.answer(pointer, citizen.usage(days=41), citizen.affiliation(), hub=hub)
    context.desk.decide(who, application, accept=False, reason="Trop peu de jours.")
    before = context.desk.open(who, application).application

    def proof() -> str:
        return sign_status_proof(
            application,
            holder=citizen.key.signer(),
            audience=context.settings.did,
            at=world.clock(),
        )

    acts: dict[str, Callable[[], object]] = {
        "application-closed": lambda: send(hub, package),
        "decision-refused": lambda: hub.answer(application, proof_jwt=proof(), text="Voici."),
        "document-refused": lambda: hub.attach(
            application,
            proof_jwt=proof(),
            document=DocumentEnvelope("RIB", "application/pdf", "k", b"x"),
        ),
    }
    for code, act in acts.items():
        with pytest.raises(HubRefusedError) as refused:
            act()
        assert refused.value.hub_code == code
    with pytest.raises(HubRefusedError):
        hub.request(world.aid, application, period=PERIOD)
    assert context.desk.open(who, application).application == before


def test_b35_every_cell_of_every_file_stands_under_its_heading(world: World) -> None:
    """There, two columns were swapped, lines with other fields than the first were misaligned, and
    the employee number was missing. No two cells of a line are alike here, and no two lines."""
    hub, who, local = world.context, officer(world), LocalHub(world.context)
    whole = hub.publishing.aid(world.aid)
    other = dataclasses.replace(
        whole,
        id=Iri(f"{whole.id}-bis"),
        slug=f"{whole.slug}-bis",
        titles={"fr": "Prime ; « bis »", "en": "Bonus"},
        proof=None,
        bindings=(),
        check_mode=CheckMode.MANUAL,
        credentials_required=("AffiliationCredential",),
    )
    hub.publishing.add_aids(other)
    cases = (  # number, days, what is due, first and last day
        ("M;1", 41, 100_00, date(2026, 1, 1), date(2026, 11, 20)),
        ('M"2', 75, 200_00, date(2026, 1, 2), date(2026, 10, 31)),
        ("M\n3", None, 37_05, date(2026, 2, 3), date(2026, 9, 30)),  # nothing counted
        ("=M4", 150, 300_00, date(2026, 1, 5), date(2026, 8, 31)),
        ("M-5", 12, 250_01, date(2026, 1, 7), date(2026, 7, 31)),  # decided by a person
    )
    wanted: dict[str, tuple[str, ...]] = {}
    for number, days, due, first, last in cases:
        citizen, application, period = world.citizen(), mint_iri(), (first, last)
        citizen.number = number
        aid = whole if days is not None else other
        held = [citizen.affiliation()]
        if days is not None:
            held.append(citizen.usage(days=days, period=period))
        pointer = local.request(aid.id, application, period=period)
        send(local, citizen.answer(pointer, *held, hub=local))
        found = hub.desk.open(who, application).application
        if found.state is ApplicationState.SUBMITTED:
            hub.desk.decide(who, application, accept=True, reason="Vu.", amount_cents=due)
        cell = {"M\n3": "M 3", "=M4": "'=M4"}.get(number, number)
        wanted[application] = (
            cell,
            "" if days is None else str(days),
            f"{due // 100},{due % 100:02}",
            first.isoformat(),
            last.isoformat(),
            aid.titles["fr"],
        )
    hub.payments.make(who)
    text = hub.payments.payroll(who, 1).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", strict=True))
    assert list(rows[0]) == list(PAYROLL_HEADS)
    heads = ("matricule", "jours", "montant", "debut", "fin", "aide")
    assert {row["demande"]: tuple(row[h] for h in heads) for row in rows} == wanted
    assert all(None not in row and None not in row.values() for row in rows), "no line is longer"
    text = hub.payments.liquidation_csv(who, 1).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", strict=True))
    told = {
        line["demande"]: tuple(line[h] for h in ("matricule", "jours", "montant", "aide"))
        for line in lines
    }
    assert told == {a: (w[0], w[1], w[2], w[5]) for a, w in wanted.items()}
