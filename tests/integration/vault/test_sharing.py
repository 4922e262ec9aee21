"""From trips in the vault to a decision at a hub: consent, one commit, delivery, award."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.aids.model import Aid
from federation.aids.national import FMD_FAMILY, PASS_FAMILY
from federation.credentials import Nullifier, issue
from federation.credentials import types as bodies
from federation.errors import HubAnswerError
from federation.hub.local import LocalHub
from federation.trust import PinnedKey, Role, TrustEntry
from schemas.evidence import Evidence
from schemas.ids import Did, mint_iri
from schemas.records import Application, ApplicationState, Award, Consent, Kind, PlaceRole
from tests.hub_world import EMPLOYER, HOME, SIRET, World, build_world
from tests.unit.vault.builders import (
    CARCASSONNE,
    TREBES,
    Citizen,
    Depositor,
    make_home,
    place,
    trip,
)
from vault.delivery import delivery_of, send_again, withdrawal_of
from vault.eligibility import estimate
from vault.errors import ShareRefusedError
from vault.home import Home
from vault.sharing import resend_withdrawals

PERIOD = (date(2026, 1, 1), date(2026, 11, 20))
FIRST = datetime(2026, 9, 1, 6, 30, tzinfo=UTC)


@dataclass
class Story:
    world: World
    home: Home
    citizen: Citizen
    catalogue: Catalogue
    aid: Aid
    depositor: Depositor

    def affiliate(
        self, *, funder: Did | None = None, status: str = "agent-contractuel-public"
    ) -> None:
        body = bodies.affiliation(
            holder=self.citizen.vault.holder_did(funder or self.aid.funder),
            employer_name="Agglomération de l'Aude",
            employer_id=SIRET,
            employee_number="A-7",
            status=status,
            nullifiers=(
                Nullifier(FMD_FAMILY, "1", "f" * 20),
                Nullifier(PASS_FAMILY, "1", "p" * 20),
            ),
        )
        signer = self.world.employer.signer(f"{EMPLOYER}#cle-1")
        self.citizen.vault.accept_credential(issue(body, signer=signer, at=self.home.clock()))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with told(build_world(tmp_path / "hub"), tmp_path / "home") as found:
        yield found


@contextmanager
def told(world: World, folder: Path, **settings: object) -> Iterator[Story]:
    """The story in this world, with the home in this folder."""
    with make_home(folder, world.clock, **settings) as home:  # type: ignore[arg-type]  # a clock
        citizen = Citizen(home)
        depositor = Depositor(home, citizen.vault_id)
        since = world.clock() - timedelta(days=1)
        signer = home.signer()
        mine = PinnedKey(signer.public_multikey(), signer.verification_method, since)
        accredited = world.context.registry.current().entry(HOME)
        assert accredited is not None
        world.context.registry.accredit(
            TrustEntry(
                did=HOME,
                name="Coffres de l'Aude",
                roles=frozenset((Role.HOME,)),
                keys=(*accredited.keys, mine),
                credential_types=frozenset(("UsageProof",)),
                since=since,
            ),
            depositor.entry(Evidence.SENSED, at=since),
        )
        snapshot = world.context.registry.current()
        home.use_trust(snapshot)
        home.use_hub(LocalHub(world.context))
        citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
        citizen.vault.set_place(place(PlaceRole.WORK, TREBES))
        depositor.leave(*(trip(start=FIRST + timedelta(days=n)) for n in range(41)))
        citizen.vault.drain(None)
        signed = LocalHub(world.context).catalogue()
        assert signed is not None
        catalogue = open_catalogue(
            signed.content, lambda method: snapshot.key(method, world.clock())
        )
        yield Story(world, home, citizen, catalogue, catalogue.aid(world.aid), depositor)


def test_the_estimate_in_the_vault_is_what_the_rule_gives(story: Story) -> None:
    vault = story.citizen.vault
    before = estimate(vault, story.catalogue, story.aid, at=date(2026, 11, 21), period=PERIOD)
    assert not before.is_eligible
    story.affiliate()
    outcome = estimate(vault, story.catalogue, story.aid, at=date(2026, 11, 21), period=PERIOD)
    assert outcome.amount == 10_000


def test_a_second_employer_changes_nothing_for_the_aid_of_the_first(story: Story) -> None:
    vault = story.citizen.vault
    story.affiliate()
    story.affiliate(funder=Did("did:web:localhost%3A8401:financeurs:atelier"), status="salarie")
    outcome = estimate(vault, story.catalogue, story.aid, at=date(2026, 11, 21), period=PERIOD)
    assert outcome.amount == 10_000, "what would be shown to this funder counts"


def test_trips_become_money_and_nothing_but_counts_leaves(story: Story) -> None:
    story.affiliate()
    vault, application = story.citizen.vault, mint_iri()
    disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
    left = {claim.path: claim.value for claim in disclosure.leaves}
    assert left["UsageProof.days"] == 41
    assert disclosure.assurance == "vault-attested"
    assert "43.2" not in repr(disclosure.presentation)
    assert "2026-09-01T" not in repr(disclosure.presentation)
    consent = vault.share(disclosure.id, confirmed_at=story.home.clock())
    assert delivery_of(story.home, story.citizen.vault_id, application) is None
    story.citizen.home.lock_all(story.citizen.vault_id)
    assert story.home.runner().run_due() == 1  # while the vault is locked
    delivery = delivery_of(story.home, story.citizen.vault_id, application)
    assert delivery is not None
    assert delivery.state == "delivered"
    story.citizen.cookie = story.citizen.unlock()
    vault = story.citizen.vault
    found = vault.refresh_application(application)
    assert isinstance(found, Application)
    assert found.state in {ApplicationState.ACCEPTED, ApplicationState.AWARDED}
    assert found.amount == 10_000
    (award,) = vault.all(Kind.AWARD)
    assert isinstance(award, Award)
    assert award.amount == 10_000
    assert vault.refresh_application(application) == found
    (kept,) = vault.all(Kind.CONSENT)
    assert kept == consent
    assert kept.receipt["dpv:hasConsentStatus"] == {"id": "dpv:ConsentGiven"}
    assert story.home.fsck(vault.vault_id, vault).clean


def test_a_disclosure_is_shared_once_and_only_when_confirmed_now(story: Story) -> None:
    story.affiliate()
    vault = story.citizen.vault
    disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
    with pytest.raises(ShareRefusedError, match="not-confirmed"):
        vault.share(disclosure, confirmed_at=story.home.clock() - timedelta(minutes=10))
    vault.share(disclosure, confirmed_at=story.home.clock())
    with pytest.raises(ShareRefusedError, match="disclosure-unknown"):
        vault.share(disclosure, confirmed_at=story.home.clock())
    assert len(vault.all(Kind.CONSENT)) == 1


def test_a_late_confirmation_is_refused(story: Story) -> None:
    story.affiliate()
    vault = story.citizen.vault
    disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
    story.world.clock.advance(minutes=15)
    with pytest.raises(ShareRefusedError, match="request-expired"):
        vault.share(disclosure, confirmed_at=story.home.clock())


def test_a_missing_credential_is_named(story: Story) -> None:
    with pytest.raises(ShareRefusedError, match="missing:AffiliationCredential"):
        story.citizen.vault.prepare_application(story.aid, mint_iri(), period=PERIOD)


def test_a_second_application_of_the_family_is_refused_by_name(story: Story) -> None:
    story.affiliate()
    vault = story.citizen.vault
    for _ in range(2):
        application = mint_iri()
        disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
        vault.share(disclosure, confirmed_at=story.home.clock())
        story.home.runner().run_due()
    delivery = delivery_of(story.home, story.citizen.vault_id, application)
    assert delivery is not None
    assert (delivery.state, delivery.error_code) == ("refused", "already-awarded")


def test_a_withdrawn_consent_is_told_and_stays_named(story: Story) -> None:
    story.affiliate()
    vault = story.citizen.vault
    disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
    consent = vault.share(disclosure, confirmed_at=story.home.clock())
    withdrawn = vault.withdraw_consent(consent.id)
    assert isinstance(withdrawn, Consent)
    assert withdrawn.withdrawn_at is not None
    assert withdrawn.receipt["dpv:hasConsentStatus"] == {"id": "dpv:ConsentWithdrawn"}
    assert vault.withdraw_consent(consent.id) == withdrawn


def test_a_withdrawal_is_sent_again_at_later_openings_until_it_is_heard(story: Story) -> None:
    story.affiliate()
    vault, home = story.citizen.vault, story.home
    disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
    consent = vault.share(disclosure, confirmed_at=home.clock())
    home.runner().run_due()
    vault.withdraw_consent(consent.id)
    story.world.clock.advance(minutes=6)  # nobody ran the job in the life of its proof
    home.runner().run_due()
    told = withdrawal_of(home, vault.vault_id, consent.id)
    assert told is not None
    assert told["state"] == "sent"
    vault.drain()
    home.runner().run_due()
    told = withdrawal_of(home, vault.vault_id, consent.id)
    assert told is not None
    assert told["state"] == "heard"
    assert resend_withdrawals(vault) == 0
    events = [e.event for e in vault.journal().events]
    assert events[:3] == ["withdrawal-heard", "withdrawal-sent-again", "consent-withdrawn"]


def test_an_unreadable_answer_delays_a_package_and_refuses_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.affiliate()
    vault, home, application = story.citizen.vault, story.home, mint_iri()
    disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
    vault.share(disclosure.id, confirmed_at=home.clock())

    def odd(*_: object, **__: object) -> None:
        raise HubAnswerError("/checks")

    with monkeypatch.context() as patch:
        patch.setattr(LocalHub, "respond", odd)
        assert home.runner().run_due() == 1
        delivery = delivery_of(home, vault.vault_id, application)
        assert delivery is not None
        assert (delivery.state, delivery.error_code) == ("delayed", "hub-answer")
        before = vault.refresh_application(application)
        assert isinstance(before, Application)
        assert before.state is ApplicationState.SUBMITTED
    story.world.clock.advance(minutes=1)
    assert home.runner().run_due() == 1
    delivery = delivery_of(home, vault.vault_id, application)
    assert delivery is not None
    assert delivery.state == "delivered"
    after = vault.refresh_application(application)
    assert isinstance(after, Application)
    assert after.amount == 10_000


def test_a_package_kept_back_for_hours_starts_again_at_the_next_opening(story: Story) -> None:
    story.affiliate()
    vault, home, application = story.citizen.vault, story.home, mint_iri()
    disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
    vault.share(disclosure.id, confirmed_at=home.clock())
    job = home.outbox.claim(at=home.clock())
    assert job is not None
    home.outbox.bury(job, at=home.clock(), error_code="hub-unreachable")
    assert home.runner().run_due() == 0
    vault.drain()
    assert home.runner().run_due() == 1
    delivery = delivery_of(home, vault.vault_id, application)
    assert delivery is not None
    assert delivery.state == "delivered"
    assert send_again(home, vault.vault_id) == 0


def test_an_attestation_is_on_a_key_of_its_own(story: Story) -> None:
    vault = story.citizen.vault
    document = vault.attest_usage(story.aid, period=PERIOD, at=story.home.clock())
    assert document["issuer"] == HOME
    assert document["credentialSubject"]["days"] == 41
    assert document["credentialSubject"]["id"] != vault.holder_did(story.aid.funder)
