"""Standing consents: sent while the vault is locked, with the grant's keys and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from federation.aids.national import FMD_FAMILY
from federation.aids.prior_aid import with_no_prior_aid
from federation.errors import HubAnswerError, HubUnreachableError
from federation.hub.local import LocalHub
from federation.hub.model import SENDINGS_ENDED, Hold
from federation.hub.service import ApplicationService
from federation.wire import problems
from federation.wire.jobs import JobState
from schemas.ids import Iri, mint_iri
from schemas.records import Application, Compartment, Consent, Frequency, Kind, PlaceRole
from tests.integration.vault.test_sharing import PERIOD, Story, story
from tests.unit.vault.builders import PASSPHRASE, Depositor, trip
from vault import standing_run
from vault.app import STATUS, create_home_api
from vault.crypto.envelope import RecordHeader, open_record
from vault.crypto.errors import CryptoError, OutsideGrantError
from vault.crypto.grant import open_grant
from vault.crypto.head import MonthManifest
from vault.delivery import withdrawal_of
from vault.errors import ActRefusedError
from vault.grants import sealed_grant
from vault.model import ClaimShown
from vault.sharing import holder_proof, resend_withdrawals
from vault.standing import give_standing, offer, pause, resume, standing, tend
from vault.standing_terms import Outcome, months_of, period_of

__all__ = ["story"]  # a fixture of the story of sharing

DECEMBER = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, 11, tzinfo=UTC)


@pytest.fixture
def depositor(story: Story) -> Depositor:
    return story.depositor


def share(story: Story) -> Consent:
    """A share that was sent, to be repeated."""
    story.affiliate()
    vault = story.citizen.vault
    disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
    consent = vault.share(disclosure, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    return consent


def agree(story: Story, *, last: date = date(2027, 6, 30)) -> Consent:
    source = share(story)
    return give_standing(
        story.citizen.vault,
        source.id,
        story.aid,
        frequency=Frequency.MONTH,
        last=last,
        confirmed_at=story.home.clock(),
    )


def ride(story: Story, depositor: Depositor, first: datetime, days: int) -> None:
    depositor.leave(*(trip(start=first + timedelta(days=n)) for n in range(days)))
    reopen(story).drain(None)


def unreadable(*_: object, **__: object) -> None:
    raise HubAnswerError("/")


def lock(story: Story) -> None:
    story.home.lock_all(story.citizen.vault_id)


def reopen(story: Story) -> Any:
    story.citizen.cookie = story.citizen.unlock()
    return story.citizen.vault


def jump(story: Story, to: datetime) -> None:
    """Time passes; the catalogue's, the registry's and the status lists' clocks with it."""
    story.world.clock.at = to


def only(story: Story) -> Any:
    (found,) = standing(story.citizen.vault)
    return found


def test_a_month_that_ended_is_proved_while_the_vault_is_locked(
    story: Story, depositor: Depositor
) -> None:
    consent = agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 12)
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 2  # the run, then its delivery
    vault = reopen(story)
    found = only(story)
    assert found.consent == consent
    (shown,) = found.runs
    assert shown.run.outcome == Outcome.SENT
    assert shown.run.period == (date(2026, 12, 1), date(2026, 12, 31))
    assert shown.delivery is not None
    application = vault.refresh_application(shown.run.application)
    assert isinstance(application, Application)
    assert (application.period_from, application.period_until) == shown.run.period
    children = [c for c in vault.all(Kind.CONSENT) if c.standing == consent.id]
    assert len(children) == 1
    assert children[0].receipt["dct:isPartOf"] == {"id": consent.id}
    assert children[0].application == application.id
    assert vault.setting(f"evidence/{children[0].presentation.hex()}")
    events = [e.event for e in vault.journal().events]
    assert "standing-sent" in events
    assert "standing-given" in events
    assert story.home.fsck(vault.vault_id, vault).clean
    assert _days(story, vault, application.id) == 12


def test_only_counts_leave_in_a_run(story: Story, depositor: Depositor, monkeypatch: Any) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 12)
    lock(story)
    sent: list[str] = []
    take_in = ApplicationService._take_in

    def listen(self: ApplicationService, request: Any, **said: Any) -> Any:
        """What the hub reads, once decrypted."""
        sent.append(json.dumps(said, default=str))
        return take_in(self, request, **said)

    monkeypatch.setattr(ApplicationService, "_take_in", listen)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    (text,) = sent
    assert '"days": 12' in text
    for hidden in ("43.2", "2.35", "2026-12-01T", "2026-12-05", "urn:uuid:trip"):
        assert hidden not in text


def test_the_grant_opens_the_agreed_months_of_trips_and_nothing_else(
    story: Story, depositor: Depositor
) -> None:
    """Tried on every row, manifest, value, blob and head that the store holds."""
    consent = agree(story, last=date(2027, 1, 31))
    jump(story, NEW_YEAR + timedelta(days=20))
    ride(story, depositor, DECEMBER, 3)
    ride(story, depositor, datetime(2027, 1, 4, 6, 30, tzinfo=UTC), 3)
    vault, home = story.citizen.vault, story.home
    assert consent.grant is not None
    key = home.delegation_key()
    with open_grant(sealed_grant(vault, consent.grant), key=key, at=home.clock()) as grant:
        with vault.library.reading() as shelf:
            place_of = {
                row: where for where in shelf.head.manifests for row in shelf.listed(*where).rows
            }
        scope = {(Compartment.TRIPS, "2026-12"), (Compartment.TRIPS, "2027-01")}
        assert {(c, m) for c, m, _ in grant.months()} == scope
        inside = {row for row, where in place_of.items() if where in scope}
        outside = set(place_of) - inside
        assert len(inside) == 12
        assert {where for row, where in place_of.items() if row in outside} >= {
            (Compartment.TRIPS, "2026-09"),
            (Compartment.TRIPS, "2026-10"),
            (Compartment.ATTRIBUTES, "undated"),
            (Compartment.AIDS, "undated"),
        }
        with home.store.read() as reader:
            rows = [
                row
                for compartment in Compartment
                for row in reader.rows_named(
                    vault.vault_id,
                    compartment.value,
                    [r for c, _, r in reader.row_tags(vault.vault_id) if c == compartment.value],
                )
            ]
            months = reader.months(vault.vault_id)
        keys = [grant.month_key(c, m, epoch=e) for c, m, e in grant.months()]
        opened = set()
        for row, month_key, kind in product(rows, keys, Kind):
            header = RecordHeader.of(row.sealed)
            try:
                open_record(
                    row.sealed,
                    vault=vault.vault_id,
                    record_id=header.record_id,
                    revision=header.revision,
                    kind=kind.value,
                    month_key=month_key,
                )
            except CryptoError:
                continue
            opened.add(row.row_id)
        assert opened == inside
        assert len(rows) == len(place_of)
        lists = 0
        for month, month_key in product(months, keys):
            try:
                lists += bool(MonthManifest.open(month.sealed, month_key).rows)
            except CryptoError:
                continue
        assert lists == len(scope)
        for pair in (*vault.library.keyring.boxes(), vault.library.keyring.journal()):
            with pytest.raises(OutsideGrantError):
                grant.box_for(pair.key_id)
        for verifier in ("did:web:autre.example", str(home.did)):
            with pytest.raises(OutsideGrantError):
                grant.holder_secret(verifier)
        for compartment in set(Compartment) - {Compartment.TRIPS}:
            assert grant.index_keys(compartment) == ()
        with pytest.raises(OutsideGrantError):
            grant.month_key(Compartment.TRIPS, "undated", epoch=1)
    key.wipe()


def test_deposits_that_only_an_opening_takes_in_put_a_run_off_for_a_week(
    story: Story, depositor: Depositor
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    depositor.leave(trip(start=DECEMBER + timedelta(days=19)))
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    with story.home.store.read() as reader:
        assert reader.waiting(story.citizen.vault_id).deposits == 1
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.WAITING
    story.citizen.vault.drain(None)
    jump(story, NEW_YEAR + timedelta(days=1))
    lock(story)
    assert story.home.runner().run_due() == 2
    vault = reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.left_out) == (Outcome.SENT, 0)
    assert _days(story, vault, shown.run.application) == 6


def _days(story: Story, vault: Any, application: Iri) -> int:
    vault.refresh_application(application)
    with story.world.context.store.read() as reader:
        found = reader.application(application)
    assert found is not None
    return int(next(v for k, v in _flat(found.claims) if k.endswith("days")))


def _flat(claims: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(claims, dict):
        for name, value in claims.items():
            yield from _flat(value, f"{path}.{name}" if path else name)
    else:
        yield path, claims


def test_a_vault_that_never_opens_sends_what_it_has_after_the_week_and_says_so(
    story: Story, depositor: Depositor
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    depositor.leave(trip(start=DECEMBER + timedelta(days=19)))
    lock(story)
    for day in range(9):
        jump(story, NEW_YEAR + timedelta(days=day))
        story.home.runner().run_due()
    reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.left_out) == (Outcome.SENT, 1)


def test_a_hub_out_of_reach_delays_and_loses_nothing(
    story: Story, depositor: Depositor, monkeypatch: Any
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)

    def away(*_: object, **__: object) -> None:
        raise HubUnreachableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(LocalHub, "request", away)
        for hour in range(30):
            jump(story, NEW_YEAR + timedelta(hours=hour))
            story.home.runner().run_due()
    reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.code) == (Outcome.LATER, HubUnreachableError.code)
    lock(story)
    jump(story, NEW_YEAR + timedelta(days=3))
    story.home.runner().run_due()
    reopen(story)
    (shown,) = only(story).runs
    assert shown.run.outcome == Outcome.SENT
    puts_off = [
        e for e in story.citizen.vault.journal(limit=200).events if e.event == "standing-put-off"
    ]
    assert len(puts_off) == 1  # one entry, however often it was tried


def test_a_month_without_eligible_days_sends_nothing(story: Story) -> None:
    agree(story)
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 1
    reopen(story)
    found = only(story)
    assert found.runs[0].run.outcome == Outcome.NO_DAYS
    assert found.state.next_period == (date(2027, 1, 1), date(2027, 1, 31))


def wants_no_prior_aid(story: Story) -> None:
    """The aid asks for the hub's word on its ledger."""
    story.aid = with_no_prior_aid(story.aid, True)
    story.world.context.publishing.add_aids(story.aid)


def test_a_run_brings_a_fresh_word_of_no_prior_aid_as_an_application_by_hand_does(
    story: Story, depositor: Depositor, monkeypatch: Any
) -> None:
    wants_no_prior_aid(story)
    consent = agree(story)
    assert "NoPriorAidCredential.family" in consent.claims, "it is agreed to with the rest"
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 12)
    lock(story)
    jump(story, NEW_YEAR)

    def away(*_: object, **__: object) -> None:
        raise HubUnreachableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(LocalHub, "no_prior_aid_nonce", away)
        story.home.runner().run_due()
        reopen(story)
        assert only(story).runs[0].run.outcome == Outcome.LATER, "an outage refuses nobody"
        lock(story)
    jump(story, NEW_YEAR + timedelta(hours=1))
    story.home.runner().run_due()
    vault = reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.code) == (Outcome.SENT, None)
    vault.refresh_application(shown.run.application)
    with story.world.context.store.read() as reader:
        found = reader.application(shown.run.application)
    assert found is not None
    said = found.claims["NoPriorAidCredential"]
    assert (said["periodFrom"], said["periodUntil"]) == ("2026-12-01", "2026-12-31")
    assert said["checkedAt"][:10] == "2027-01-01", "asked at the run, not at the agreement"
    assert vault.credentials("NoPriorAidCredential") == [], "it is not kept"


def test_a_run_for_days_that_the_ledger_holds_sends_nothing_and_says_so(
    story: Story, depositor: Depositor
) -> None:
    wants_no_prior_aid(story)
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 12)
    december = (date(2026, 12, 1), date(2026, 12, 31))
    with story.world.context.store.transact() as tx:
        hold = Hold(FMD_FAMILY, 1, "f" * 20, december)
        assert tx.reserve_all((hold,), application=mint_iri(), at=story.home.clock()) is None
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 1, "the run, and no delivery"
    reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.application) == (Outcome.HELD, None)
    assert only(story).state.next_period == (date(2027, 1, 1), date(2027, 1, 31))


def test_a_paused_consent_sends_nothing_and_goes_on_when_resumed(
    story: Story, depositor: Depositor
) -> None:
    consent = agree(story)
    pause(story.citizen.vault, consent.id)
    assert only(story).is_paused
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 1
    reopen(story)
    resume(story.citizen.vault, consent.id)
    ride(story, depositor, datetime(2027, 1, 2, 6, 30, tzinfo=UTC), 4)
    lock(story)
    jump(story, datetime(2027, 2, 1, 11, tzinfo=UTC))
    assert story.home.runner().run_due() == 2
    reopen(story)
    assert [shown.run.outcome for shown in only(story).runs] == [Outcome.SENT, Outcome.PAUSED]


def test_after_withdrawal_no_run_sends_and_the_keys_are_gone(
    story: Story, depositor: Depositor
) -> None:
    consent = agree(story)
    vault, home = story.citizen.vault, story.home
    assert consent.grant is not None
    stolen = sealed_grant(vault, consent.grant)
    withdrawn = vault.withdraw_consent(consent.id)
    assert withdrawn.receipt["dpv:hasConsentStatus"] == {"id": "dpv:ConsentWithdrawn"}
    assert vault.withdraw_consent(consent.id) == withdrawn
    assert home.runner().run_due() == 1  # the recipient is told
    with home.store.read() as reader:
        assert reader.grants(vault.vault_id) == []
        assert reader.settings(vault.vault_id, prefix="standing-terms/") == {}
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    with open_grant(stolen, key=home.delegation_key(), at=home.clock()) as grant:
        keys = [grant.month_key(c, m, epoch=e) for c, m, e in grant.months()]
        with home.store.read() as reader:
            months = reader.months(vault.vault_id)
        for month, key in product(months, keys):
            with pytest.raises(CryptoError):
                MonthManifest.open(month.sealed, key)
    lock(story)
    jump(story, NEW_YEAR)
    assert home.runner().run_due() == 1  # the run that was planned finds nothing
    reopen(story)
    found = only(story)
    assert not found.is_live
    assert found.runs == ()
    assert home.fsck(story.citizen.vault_id, story.citizen.vault).clean


def test_the_recipient_of_a_withdrawn_standing_consent_is_told_until_it_has_heard(
    story: Story, depositor: Depositor, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = agree(story)
    vault, home = story.citizen.vault, story.home
    (application,) = vault.all(Kind.APPLICATION)
    before = vault.refresh_application(application.id)
    vault.withdraw_consent(consent.id)
    with monkeypatch.context() as patch:
        patch.setattr(LocalHub, "end_sendings", unreadable)
        assert home.runner().run_due() == 1
    story.world.clock.advance(minutes=6)  # longer than the proof lives
    home.runner().run_due()
    told = withdrawal_of(home, vault.vault_id, consent.id)
    assert told is not None
    assert told["state"] == "sent"
    vault.drain()
    home.runner().run_due()
    told = withdrawal_of(home, vault.vault_id, consent.id)
    assert told == {"state": "heard", "answer": "withdrawn"}
    assert resend_withdrawals(vault) == 0
    after = vault.refresh_application(application.id)
    assert isinstance(before, Application)
    assert isinstance(after, Application)
    assert after.state == before.state  # what was sent is decided as it was
    assert after.amount == before.amount
    assert [step.reason for step in after.history][-1] == SENDINGS_ENDED
    LocalHub(story.world.context).end_sendings(application.id, proof_jwt=holder_proof(vault, after))
    assert vault.refresh_application(application.id) == after  # twice is once


def test_a_run_that_meets_an_unreadable_answer_is_put_off_and_not_missed(
    story: Story, depositor: Depositor, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    with monkeypatch.context() as patch:
        patch.setattr(LocalHub, "request", unreadable)
        story.home.runner().run_due()
    reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.code) == (Outcome.LATER, "hub-answer")
    lock(story)
    jump(story, NEW_YEAR + timedelta(hours=1))
    story.home.runner().run_due()
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.SENT


@pytest.fixture
def client(story: Story) -> Iterator[TestClient]:
    """The home over HTTP, with a session of the citizen's."""
    app = FastAPI()
    problems.install(app, STATUS)
    app.include_router(create_home_api(story.home))
    with TestClient(app, base_url="http://localhost:8400") as found:
        asked = {"vault": story.citizen.vault_id, "passphrase": PASSPHRASE, "bearer": True}
        token = found.post("/v1/session", json=asked).json()["token"]
        found.headers["Authorization"] = f"Bearer {token}"
        yield found


def test_standing_consents_over_http_are_read_paused_resumed_and_stopped(
    story: Story, client: TestClient
) -> None:
    consent = agree(story)
    (listed,) = client.get("/v1/standing").json()["standing"]
    where = f"/v1/standing/{consent.id}"
    assert client.get(where).json() == listed
    assert (listed["live"], listed["paused"], listed["runs"]) == (True, False, [])
    assert listed["nextAt"].startswith("2027-01-01") or listed["nextAt"] > "2026-12"
    assert client.post(f"{where}/pause").status_code == 200
    paused = client.get(where).json()
    assert (paused["paused"], paused["nextAt"]) == (True, None)
    assert client.post(f"{where}/resumption").status_code == 200
    assert client.get(where).json()["nextAt"] == listed["nextAt"]
    assert client.post(f"/v1/consents/{consent.id}/withdrawal").status_code == 200
    stopped = client.get(where).json()
    assert (stopped["live"], stopped["recipientTold"]) == (False, False)
    story.home.runner().run_due()
    assert client.get(where).json()["recipientTold"] is True
    journal = client.get("/v1/journal").json()["events"]
    assert {"standing-withdrawn", "withdrawal-heard"} <= {event["event"] for event in journal}
    ended = client.post(f"{where}/pause")
    assert (ended.status_code, ended.json()["code"]) == (403, "act-refused")
    (source,) = [c for c in story.citizen.vault.all(Kind.CONSENT) if c.id != consent.id]
    other = client.get(f"/v1/standing/{source.id}")
    assert (other.status_code, other.json()["code"]) == (403, "act-refused")


def test_a_share_is_made_standing_over_http_once_for_one_key(
    story: Story, client: TestClient, depositor: Depositor
) -> None:
    source = share(story)
    offered = client.get(f"/v1/consents/{source.id}/repetition").json()
    assert offered["claims"] == list(source.claims)
    first, last = offered["periods"][0], offered["periods"][1]
    assert offered["documents"]
    quarters = client.get(f"/v1/consents/{source.id}/repetition?frequency=quarter").json()
    assert quarters["periods"][0]["until"] >= first["until"]
    body = {"consent": source.id, "frequency": "month", "until": last["until"]}
    keyless = client.post("/v1/standing", json=body)
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency-key-missing")
    once = {"Idempotency-Key": "until-january"}
    for wrong, reason in (
        ({"until": first["from"][:4] + "-01-01"}, "period-refused"),
        ({"consent": source.id, "frequency": "week"}, None),
        ({"consent": mint_iri()}, None),
    ):
        refused = client.post("/v1/standing", json={**body, **wrong}, headers=once)
        assert refused.status_code in {403, 404, 422}, refused.text
        if reason is not None:
            assert refused.json()["detail"] == reason
    made = client.post("/v1/standing", json=body, headers=once)
    assert made.status_code == 201, made.text
    assert made.json()["live"] is True
    assert made.headers["Location"] == f"/v1/standing/{made.json()['consent']['id']}"
    again = client.post("/v1/standing", json=body, headers=once)
    assert (again.status_code, again.json()) == (200, made.json())
    twice = client.post("/v1/standing", json=body, headers={"Idempotency-Key": "a-second-one"})
    assert (twice.status_code, twice.json()["detail"]) == (403, "standing-exists")
    other = client.post("/v1/standing", json={**body, "until": first["until"]}, headers=once)
    assert other.json()["code"] == "idempotency-key-reused"
    assert len(client.get("/v1/standing").json()["standing"]) == 1
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.SENT


def test_it_stops_at_its_date_and_its_keys_go(story: Story, depositor: Depositor) -> None:
    agree(story, last=date(2026, 12, 31))
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    with story.home.store.read() as reader:
        assert reader.grants(story.citizen.vault_id) == []
    jump(story, NEW_YEAR + timedelta(days=60))
    assert story.home.runner().run_due() == 0
    vault = reopen(story)
    found = only(story)
    assert found.state.ended
    assert not found.is_live
    assert len(found.runs) == 1
    assert "standing-ended" in [e.event for e in vault.journal().events]


def test_another_grants_revocation_does_not_close_it(story: Story, depositor: Depositor) -> None:
    """Revoking opens an epoch; the grants that stay are sealed again for it."""
    agree(story)
    vault = story.citizen.vault
    info = vault.grant(
        {Compartment.TRIPS: ["2026-11"]},
        delegate=story.home.delegation_key().public,
        name="Maison de la mobilité",
        purpose="accompagnement",
        expires_at=story.home.clock() + timedelta(days=30),
    )
    assert [g.id for g in vault.grants()] == [info.id]  # mandates, not standing consents
    vault.revoke(info.id)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.SENT


def test_a_place_that_moved_is_the_one_that_counts(story: Story, depositor: Depositor) -> None:
    agree(story)
    vault = story.citizen.vault
    (work,) = [p for p in vault.places() if p.role is PlaceRole.WORK]
    vault.put(replace(work, lat=44.9, lon=4.9))
    tend(vault)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.NO_DAYS


def test_a_request_that_asks_for_more_than_was_agreed_is_not_answered(
    story: Story, depositor: Depositor, monkeypatch: Any
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)

    def greedy(*args: Any, **kwargs: Any) -> Any:
        answer = _answer(*args, **kwargs)
        return replace(answer, leaves=(*answer.leaves, ClaimShown("UsageProof.hour", 8, False)))

    _answer = standing_run.answer_request
    monkeypatch.setattr(standing_run, "answer_request", greedy)
    assert story.home.runner().run_due() == 1
    reopen(story)
    run = only(story).runs[0].run
    assert (run.outcome, run.code) == (Outcome.MISSED, "asks-more")


def test_a_recipient_that_lost_its_accreditation_gets_nothing(
    story: Story, depositor: Depositor
) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    registry = story.home.trust
    assert registry is not None
    without = tuple(e for e in registry.entries if e.did != story.aid.funder)
    story.home.use_trust(replace(registry, version=registry.version + 1, entries=without))
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 1
    reopen(story)
    run = only(story).runs[0].run
    assert (run.outcome, run.code) == (Outcome.MISSED, "verifier-not-accredited")


def test_two_workers_that_run_the_same_period_send_once(story: Story, depositor: Depositor) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    home = story.home
    job = home.outbox.claim(at=home.clock())
    assert job is not None
    handler = home._handlers["standing"]
    handler(job)
    handler(job)  # a lease that ran out: the same job again, at the same time
    assert home.runner().run_due() == 1
    vault = reopen(story)
    tend(vault)
    assert sum(c.standing is not None for c in vault.all(Kind.CONSENT)) == 1


def test_a_dead_run_starts_again_at_the_next_opening(story: Story, depositor: Depositor) -> None:
    agree(story)
    jump(story, DECEMBER + timedelta(days=20))
    ride(story, depositor, DECEMBER, 5)
    lock(story)
    jump(story, NEW_YEAR)
    home = story.home
    job = home.outbox.claim(at=home.clock())
    assert job is not None
    home.outbox.bury(job, at=home.clock(), error_code="internal-error")
    assert home.outbox.get(job.id).state is JobState.DEAD
    reopen(story)
    only(story)
    lock(story)
    assert home.runner().run_due() == 2
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.SENT


def test_what_may_be_agreed_is_bounded(story: Story) -> None:
    source = share(story)
    vault, now = story.citizen.vault, story.home.clock()

    def give(**changes: Any) -> Consent:
        given = {"frequency": Frequency.MONTH, "last": date(2027, 6, 1), "confirmed_at": now}
        return give_standing(vault, source.id, story.aid, **{**given, **changes})

    offered = offer(vault, source.id, frequency=Frequency.MONTH)
    assert offered.periods[0][0] == date(2026, 12, 1)  # after what was shared already
    assert len(offered.periods) == 24
    assert [name for name, _ in offered.documents] == ["AffiliationCredential"]
    for changes, reason in (
        ({"last": date(2026, 11, 1)}, "period-refused"),
        ({"last": date(2029, 1, 1)}, "period-refused"),
        ({"confirmed_at": now - timedelta(minutes=6)}, "not-confirmed"),
    ):
        with pytest.raises(ActRefusedError, match=reason):
            give(**changes)
    consent = give()
    with pytest.raises(ActRefusedError, match="standing-exists"):
        give()
    assert consent.receipt["dpv:hasFrequency"]["dct:extent"]["@value"] == "P1M"
    assert consent.receipt["dct:temporal"]["dcat:endDate"]["@value"] == "2027-06-30"
    with pytest.raises(ActRefusedError, match="not-a-share"):
        offer(vault, consent.id, frequency=Frequency.MONTH)


def test_a_withdrawn_share_is_not_repeated(story: Story) -> None:
    source = share(story)
    story.citizen.vault.withdraw_consent(source.id)
    with pytest.raises(ActRefusedError, match="consent-withdrawn"):
        offer(story.citizen.vault, source.id, frequency=Frequency.QUARTER)


@pytest.mark.parametrize(
    ("day", "frequency", "expected"),
    [
        (date(2026, 12, 31), Frequency.MONTH, (date(2026, 12, 1), date(2026, 12, 31))),
        (date(2028, 2, 29), Frequency.MONTH, (date(2028, 2, 1), date(2028, 2, 29))),
        (date(2026, 11, 22), Frequency.QUARTER, (date(2026, 10, 1), date(2026, 12, 31))),
        (date(2027, 1, 1), Frequency.QUARTER, (date(2027, 1, 1), date(2027, 3, 31))),
    ],
)
def test_periods_are_civil(day: date, frequency: Frequency, expected: tuple[date, date]) -> None:
    assert period_of(day, frequency) == expected


def test_months_of_a_period_are_those_of_its_days() -> None:
    assert months_of(date(2026, 12, 1), date(2027, 2, 28)) == ["2026-12", "2027-01", "2027-02"]
