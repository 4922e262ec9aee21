"""Trips that their source signed: the vault shows the fewest, the hub counts them, no trip pays
twice; and what the vault falls back to says why."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.aids.covoiturage import (
    CARPOOL_FAMILY,
    CARPOOL_PROOF,
    CARPOOL_TRIPS,
    carpool_incentive,
)
from federation.aids.model import Aid
from federation.credentials import Nullifier, issue, issue_sd_jwt_vc
from federation.credentials.types import credential_body, identity, invoice, usage_proof
from federation.errors import HubRefusedError
from federation.hub.local import LocalHub
from federation.keys import P256Key, key_of_did_key
from federation.ports import ResponseReceipt
from federation.proofs.sd_jwt import SdJwt
from federation.trust import PinnedKey, Role, TrustEntry
from federation.usage import TRIP, USAGE, Metric
from schemas import co2
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri, mint_iri
from schemas.modes import Mode
from schemas.observations import ClaimBy
from schemas.records import Application
from schemas.units import Metres
from tests.hub_world import HOME, World, build_world
from tests.hub_world import send as send_package
from tests.unit.vault.builders import Citizen, Depositor, make_home, trip
from vault.delivery import delivery_of
from vault.errors import ShareRefusedError
from vault.home import Home

OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
FIRST = datetime(2026, 10, 1, 6, 30, tzinfo=UTC)
OPERATOR = Did("did:web:localhost%3A8402:operateur")
OTHER = "another-family"
PIVOT = Did("did:web:localhost%3A8402:identite")
PAPERS = "factures-velo"


@dataclass
class Story:
    world: World
    home: Home
    citizen: Citizen
    catalogue: Catalogue
    aid: Aid
    operator: P256Key
    issuer: P256Key
    depositor: Depositor

    def hold(self, text: str) -> None:
        self.citizen.vault.accept_credential(text)

    def sign(self, body: dict[str, Any], key: P256Key, did: Did, holder: Did) -> str:
        return issue_sd_jwt_vc(
            body,
            signer=key.signer(f"{did}#cle-1"),
            holder=key_of_did_key(holder),
            at=self.world.clock(),
            valid_until=self.world.clock() + timedelta(days=90),
        )

    def identify(self, pseudonym: str = "p" * 64) -> None:
        holder = self.citizen.vault.holder_did(self.aid.funder)
        body = identity(
            holder=holder,
            given_name="Nour",
            family_name="Sabatier",
            identity_level="eidas2",
            source="identite",
            certified_at=self.world.clock(),
            degree="signed",
            birth_date=date(1990, 2, 28),
            nullifiers=[
                Nullifier(CARPOOL_FAMILY, "1", pseudonym),
                Nullifier(OTHER, "1", "q" * 64),
            ],
        )
        self.hold(self.sign(body, self.issuer, PIVOT, holder))

    def signed_trips(self, count: int, *, start: int = 0, holder: Did | None = None) -> None:
        holder = holder or self.citizen.vault.holder_did(self.aid.funder)
        for number in range(start, start + count):
            body = credential_body(
                "TripCredential",
                holder=holder,
                members={
                    "month": "2026-10",
                    "mode": "carpool",
                    "distanceAtLeast": 10_000,
                    "evidence": "operator",
                    "registerClass": "C",
                    "co2e": 900,
                    "nullifiers": [Nullifier(CARPOOL_TRIPS, "1", f"{number:064x}")],
                },
            )
            self.hold(self.sign(body, self.operator, OPERATOR, holder))

    def publish(self, slug: str, **changes: Any) -> None:
        """Another aid of the same funder, which the story then applies for."""
        assurance = changes.pop("assurance", AssuranceMethod.VAULT_ATTESTED)
        made = carpool_incentive(
            self.aid.funder, self.aid.funder_name, slug=slug, minimum_assurance=assurance
        )
        self.aid = replace(made, **changes)
        self.world.context.publishing.add_aids(self.aid)

    def ride(self, count: int) -> None:
        """Carpool trips that an operator deposited."""
        self.depositor.leave(
            *(
                trip(start=FIRST + timedelta(days=n), mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
                for n in range(count)
            )
        )
        self.citizen.vault.drain(None)

    def claims(self, record: Application) -> dict[str, Any]:
        """What the desk reads of the usage proof."""
        with self.world.context.store.read() as reader:
            found = reader.application(record.id)
        assert found is not None
        return dict(found.claims[USAGE])

    def apply(self, application: Iri | None = None) -> Any:
        return self.citizen.vault.prepare_application(
            self.aid, application or mint_iri(), period=OCTOBER
        )

    def send(self, disclosure: Any) -> Application:
        vault = self.citizen.vault
        vault.share(disclosure.id, confirmed_at=self.home.clock())
        self.home.runner().run_due()
        record = vault.refresh_application(disclosure.application)
        assert isinstance(record, Application)
        return record


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    world = build_world(tmp_path / "hub")
    aid = world.context.publishing.add_carpool_incentive("agglo")
    operator, issuer = P256Key.generate(), P256Key.generate()
    with make_home(tmp_path / "home", world.clock) as home:  # type: ignore[arg-type]  # a clock
        citizen = Citizen(home)
        depositor = Depositor(home, citizen.vault_id)
        since = world.clock() - timedelta(days=1)

        def entry(
            did: Did, key: P256Key, role: Role, types: set[str], *families: str
        ) -> TrustEntry:
            method = f"{did}#cle-1"
            return TrustEntry(
                did=did,
                name=did.rpartition(":")[2],
                roles=frozenset((role,)),
                keys=(PinnedKey(key.signer(method).public_multikey(), method, since),),
                credential_types=frozenset(types),
                nullifier_families=frozenset(families),
                since=since,
            )

        mine = home.signer()
        accredited = world.context.registry.current().entry(HOME)
        assert accredited is not None
        world.context.registry.accredit(
            entry(OPERATOR, operator, Role.OPERATOR, {TRIP, USAGE, "InvoiceCredential"},
                CARPOOL_TRIPS, PAPERS),
            entry(PIVOT, issuer, Role.IDENTITY, {"IdentityCredential"}, CARPOOL_FAMILY, OTHER),
            replace(
                accredited,
                keys=(
                    *accredited.keys,
                    PinnedKey(mine.public_multikey(), mine.verification_method, since),
                ),
            ),
            depositor.entry(Evidence.OPERATOR, at=since),
        )  # fmt: skip
        snapshot = world.context.registry.current()
        home.use_trust(snapshot)
        home.use_hub(LocalHub(world.context))
        signed = LocalHub(world.context).catalogue()
        assert signed is not None
        catalogue = open_catalogue(
            signed.content, lambda method: snapshot.key(method, world.clock())
        )
        yield Story(
            world, home, citizen, catalogue, catalogue.aid(aid.id), operator, issuer, depositor
        )


def test_the_fewest_signed_trips_answer_and_show_only_coarse_claims(story: Story) -> None:
    story.identify()
    story.signed_trips(14)
    disclosure = story.apply()
    assert disclosure.assurance == "source-trips"
    assert disclosure.presentation == {}
    assert len(disclosure.tokens["trips"]) == 10
    shown = {d.name for text in disclosure.tokens["trips"] for d in SdJwt.parse(text).disclosures}
    assert shown == {"month", "mode", "evidence", "distanceAtLeast", CARPOOL_TRIPS}
    of_the_person = {d.name for d in SdJwt.parse(disclosure.tokens["identity"][0]).disclosures}
    assert of_the_person == {"identityLevel", CARPOOL_FAMILY}, "no name, no other family"
    leaves = {claim.path: claim.value for claim in disclosure.leaves}
    assert leaves["TripCredential.trips"] == 10
    assert "IdentityCredential.familyName" not in leaves


def test_signed_trips_are_paid_and_each_of_them_once(story: Story) -> None:
    story.identify()
    story.signed_trips(10)
    record = story.send(story.apply())
    assert (record.state.value, record.amount) == ("accepted", 2_500)
    with story.world.context.store.read() as reader:
        found = reader.application(record.id)
    assert found is not None
    assert found.claims["UsageProof"]["assuranceMethod"] == "source-trips"
    assert "nullifiers" not in repr(found.claims)

    # The same trips under another person's identity: an operator that signs a trip twice.
    story.identify("r" * 64)
    again = story.apply()
    consent = story.citizen.vault.share(again.id, confirmed_at=story.home.clock())
    assert consent.application == again.application
    story.home.runner().run_due()
    delivery = delivery_of(story.home, story.citizen.vault_id, again.application)
    assert delivery is not None and delivery.error_code == "already-awarded"


def test_trips_signed_for_another_verifier_are_not_used_and_the_page_can_say_why(
    story: Story,
) -> None:
    story.identify()
    elsewhere = story.citizen.vault.holder_did(Did("did:web:another.example"))
    story.signed_trips(12, holder=elsewhere)
    operator_trips = [
        trip(start=FIRST + timedelta(days=n), mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
        for n in range(11)
    ]
    story.depositor.leave(*operator_trips)
    story.citizen.vault.drain(None)
    disclosure = story.apply()
    assert disclosure.assurance == "vault-attested"
    assert disclosure.methods[0] == ("source-trips", "no-signed-trips", 0)
    assert disclosure.methods[1] == ("source-aggregate", "no-signed-total", 0)
    proof = next(c for c in disclosure.presentation["verifiableCredential"])
    subject = proof["credentialSubject"]
    assert (subject["atLeast"], subject["below"]) == (10, 20)
    assert "trips" not in subject and "days" not in subject


def test_too_few_trips_say_how_many_are_missing_and_nothing_is_asked_of_the_hub_twice(
    story: Story,
) -> None:
    story.identify()
    story.signed_trips(8)
    with pytest.raises(ShareRefusedError) as caught:
        story.apply()
    assert caught.value.reason == "threshold-not-reached:10"


def test_an_aid_that_wants_signed_trips_says_why_the_vault_cannot(story: Story) -> None:
    strict = carpool_incentive(
        story.aid.funder,
        story.aid.funder_name,
        slug="prime-stricte",
        minimum_assurance=AssuranceMethod.SOURCE_TRIPS,
    )
    story.world.context.publishing.add_aids(strict)
    story.identify()
    story.depositor.leave(
        *(
            trip(start=FIRST + timedelta(days=n), mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
            for n in range(12)
        )
    )
    story.citizen.vault.drain(None)
    with pytest.raises(ShareRefusedError) as caught:
        story.citizen.vault.prepare_application(strict, mint_iri(), period=OCTOBER)
    assert str(caught.value.reason).startswith("assurance-too-weak:source-trips=no-signed-trips")


def test_a_trip_whose_claims_were_hidden_or_changed_is_refused_with_its_check(
    story: Story,
) -> None:
    story.identify()
    story.signed_trips(10)
    disclosure = story.apply()
    hub = LocalHub(story.world.context)
    tokens = {name: list(found) for name, found in disclosure.tokens.items()}

    def post(vp_token: dict[str, list[str]]) -> ResponseReceipt:
        return send_package(
            hub,
            {
                "response_uri": disclosure.request["response_uri"],
                "vp_token": vp_token,
                "state": disclosure.request["state"],
                "jwk": disclosure.request["encryption"]["key"],
                "consent_receipt": {"type": "ConsentRecord", "id": mint_iri()},
            },
        )

    def send(vp_token: dict[str, list[str]]) -> HubRefusedError:
        with pytest.raises(HubRefusedError) as caught:
            post(vp_token)
        return caught.value

    parsed = SdJwt.parse(tokens["trips"][0])
    kept = [d.text for d in parsed.disclosures if d.name != "mode"]
    hidden = "~".join([parsed.jwt, *kept, parsed.key_binding or ""])
    assert (
        send({**tokens, "trips": [hidden, *tokens["trips"][1:]]}).hub_code == "foreign-disclosure"
    )
    assert send({**tokens, "trips": tokens["trips"][:9]}).hub_code == "threshold-unmet"
    twice = [tokens["trips"][0], *tokens["trips"][:9]]
    assert send({**tokens, "trips": twice}).hub_code == "trips-unmet"
    accepted = post(tokens)
    assert accepted.state == "accepted"


def test_a_total_that_the_source_signed_is_paid_without_any_trust_in_the_vault(
    story: Story,
) -> None:
    story.identify()
    holder = story.citizen.vault.holder_did(story.aid.funder)
    body = usage_proof(
        holder=holder,
        period=OCTOBER,
        rule=CARPOOL_PROOF.rule,
        rule_version=CARPOOL_PROOF.rule_version,
        metric=CARPOOL_PROOF.metric,
        figures={"atLeast": 20},
        weakest_evidence=Evidence.OPERATOR,
        assurance=AssuranceMethod.SOURCE_AGGREGATE,
        valid_until=story.world.clock() + timedelta(days=90),
    )
    signed = issue(body, signer=story.operator.signer(f"{OPERATOR}#cle-1"), at=story.world.clock())
    story.citizen.vault.accept_credential(signed)
    disclosure = story.apply()
    assert disclosure.assurance == "source-aggregate"
    assert disclosure.evidence == b"", "nothing of the vault is behind it, so no audit either"
    record = story.send(disclosure)
    assert (record.state.value, record.amount) == ("accepted", 5_000)
    said = story.claims(record)
    assert (said["assuranceMethod"], said["issuer"]) == ("source-aggregate", OPERATOR)


def test_what_the_holder_alone_signs_is_taken_only_where_the_aid_says_so(story: Story) -> None:
    known = story.world.context.registry.current()
    accredited = known.entry(HOME)
    assert accredited is not None
    story.world.context.registry.accredit(replace(accredited, credential_types=frozenset()))
    story.home.use_trust(story.world.context.registry.current())
    story.identify()
    story.ride(11)
    with pytest.raises(ShareRefusedError) as caught:
        story.apply()
    assert "vault-attested=home-not-accredited,self-declared=too-weak" in caught.value.reason

    story.publish("prime-sur-l-honneur", assurance=AssuranceMethod.SELF_DECLARED)
    disclosure = story.apply()
    assert disclosure.assurance == "self-declared"
    (proof,) = disclosure.presentation["verifiableCredential"]
    assert proof["issuer"] == story.citizen.vault.holder_did(story.aid.funder)
    assert not {"evidenceRoot", "treeSize", "attesterSoftware"} & set(proof["credentialSubject"])
    record = story.send(disclosure)
    assert (record.state.value, record.amount) == ("accepted", 2_500)
    assert story.claims(record)["assuranceMethod"] == "self-declared"


def test_emissions_are_proven_as_a_bracket_or_a_figure_with_its_factors(story: Story) -> None:
    emitted = co2.emission(Mode.CARPOOL, Metres(7_900))
    assert emitted is not None
    story.identify()
    story.ride(11)
    counted = replace(
        CARPOOL_PROOF, metric=Metric.EMISSION.value, trip_family="", brackets=(0, 10_000)
    )
    story.publish("prime-sobriete", proof=counted)
    disclosure = story.apply()
    assert disclosure.methods[0] == ("source-trips", "needs-all-trips", 0)
    said = story.claims(story.send(disclosure))
    assert (said["atLeast"], said["below"]) == (0, 10_000)
    assert said["co2Factor"] == co2.version()
    assert "co2e" not in said and "trips" not in said

    story.publish("bilan", proof=replace(counted, brackets=()))
    said = {claim.path.partition(".")[2]: claim.value for claim in story.apply().leaves}
    assert said["co2e"] == 11 * emitted.grams
    assert said["co2eAlone"] == 11 * co2.counterfactual(Metres(7_900)).grams


def test_a_paper_of_a_family_is_funded_once_and_one_without_its_name_is_refused(
    story: Story,
) -> None:
    story.publish(
        "prime-velo",
        proof=None,
        credentials_required=("IdentityCredential", "InvoiceCredential"),
        paper_families=(("InvoiceCredential", PAPERS),),
    )

    def bill(*nullifiers: Nullifier) -> None:
        body = invoice(
            holder=story.citizen.vault.holder_did(story.aid.funder),
            issuer_name="Cycles du Fresquel",
            number="C-2026-118",
            issued_on=date(2026, 10, 9),
            total=89_900,
            nullifiers=nullifiers,
        )
        signer = story.operator.signer(f"{OPERATOR}#cle-1")
        story.citizen.vault.accept_credential(issue(body, signer=signer, at=story.world.clock()))

    def refused(application: Iri) -> str | None:
        story.home.runner().run_due()
        delivery = delivery_of(story.home, story.citizen.vault_id, application)
        assert delivery is not None
        return delivery.error_code

    story.identify()
    bill()
    unnamed = story.apply()
    story.citizen.vault.share(unnamed.id, confirmed_at=story.home.clock())
    assert refused(unnamed.application) == "policy-unmet"
    story.world.clock.advance(minutes=1)
    bill(Nullifier(PAPERS, "1", "c" * 64))
    first = story.send(story.apply())
    assert first.state.value == "submitted"

    # The same invoice, brought by somebody else.
    story.identify("s" * 64)
    second = story.apply()
    story.citizen.vault.share(second.id, confirmed_at=story.home.clock())
    assert refused(second.application) == "already-awarded"
