"""Rules that forget: whole months, in slices, never what a live proof rests on."""

import io
import json
import os
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from federation.wire.jobs import JobClass
from schemas.ids import Did, Digest, Iri, mint_iri
from schemas.observations import DocumentObservation
from schemas.records import Compartment, Consent, Invoice, Kind
from tests.unit.vault.builders import PASSPHRASE, START, Citizen, invoice, trip
from vault import retention
from vault.errors import ActRefusedError
from vault.home import Home
from vault.retention import cutoff, preview, rules, set_rule, step

ALL = (date(2026, 1, 1), date(2027, 12, 31))


def later(citizen: Citizen, days: int) -> None:
    citizen.home.clock.forward(days=days)  # type: ignore[attr-defined]  # the test's clock
    citizen.cookie = citizen.unlock()


@pytest.mark.parametrize(
    ("today", "months", "first_kept"),
    [
        (date(2026, 11, 21), 18, date(2025, 5, 1)),
        (date(2026, 11, 1), 11, date(2025, 12, 1)),
        (date(2026, 1, 31), 1, date(2025, 12, 1)),
        (date(2026, 12, 31), 12, date(2025, 12, 1)),
    ],
)
def test_a_rule_works_on_whole_months(today: date, months: int, first_kept: date) -> None:
    assert cutoff(today, months) == first_kept


def test_preview_says_how_many_tracks_would_go_and_nothing_goes(citizen: Citizen) -> None:
    citizen.with_trips(4, points=30)
    later(citizen, 120)
    found = preview(citizen.vault, "tracks", 3)
    assert (found.count, found.pinned, found.oldest) == (4, 0, date(2026, 11, 2))
    assert found.before == date(2026, 12, 1)
    citizen.vault.drain(None)
    assert len(citizen.home.blobs.names(citizen.vault_id)) == 4


def test_forgotten_tracks_leave_the_trip_its_distance_and_its_evidence(citizen: Citizen) -> None:
    citizen.with_trips(4, points=30)
    before = citizen.vault.trips(*ALL)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    citizen.vault.drain(None)
    assert citizen.home.blobs.names(citizen.vault_id) == set()
    after = citizen.vault.trips(*ALL)
    assert [replace(t, track=None, revision=1) for t in before] == [
        replace(t, revision=1) for t in after
    ]
    assert all(t.track is None for t in after)
    assert citizen.vault.track(after[0].id) == []
    forgotten = [e for e in citizen.vault.journal().events if e.event == "forgotten"]
    assert [(e.actor, e.detail["count"], e.detail["what"]) for e in forgotten] == [
        ("retention", 4, "tracks")
    ]
    assert citizen.home.fsck(citizen.vault_id, citizen.vault).clean


def test_a_rule_that_finished_does_nothing_until_its_months_move(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    depositor.leave(*(trip(n, points=10) for n in range(3)))
    citizen.vault.drain(None)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    assert step(citizen.vault, budget_s=None) == 3
    seq = citizen.vault.head().seq
    assert retention.due(citizen.vault) == []
    assert step(citizen.vault, budget_s=None) == 0
    assert citizen.vault.head().seq == seq
    depositor.leave(trip(5, points=10))  # an old trip that arrives late is forgotten too
    citizen.vault.drain(None)
    step(citizen.vault, budget_s=None)
    assert citizen.home.blobs.names(citizen.vault_id) == set()


def test_the_same_track_again_from_the_source_is_not_kept_again(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    left = [trip(n, points=10) for n in range(2)]
    depositor.leave(*left)
    citizen.vault.drain(None)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    step(citizen.vault, budget_s=None)
    depositor.leave(*left)
    assert citizen.vault.drain(None).trips_new == 0
    assert citizen.home.blobs.names(citizen.vault_id) == set()


def test_a_rule_goes_in_slices_and_goes_on_where_it_stopped(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE_RECORDS", 2)
    citizen.with_trips(5, points=10)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    left = []
    for _ in range(3):
        step(citizen.vault, budget_s=None, slices=1)
        left.append(len(citizen.home.blobs.names(citizen.vault_id)))
        citizen.home.lock(citizen.cookie)
        citizen.cookie = citizen.unlock()
    assert left == [3, 1, 0]
    (event,) = [e for e in citizen.vault.journal().events if e.event == "forgotten"]
    assert event.detail["count"] == 5


def test_a_rule_is_an_open_job_that_no_blind_worker_takes(citizen: Citizen) -> None:
    citizen.with_trips(1, points=10)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    (job,) = retention.due(citizen.vault)
    assert job.job_class is JobClass.OPEN
    assert b"tracks" not in job.payload
    assert citizen.home.outbox.claim(at=citizen.home.clock(), classes={JobClass.BLIND}) is None


def test_evidence_behind_a_live_proof_is_never_forgotten(citizen: Citizen) -> None:
    citizen.with_trips(3, points=10)
    proven = citizen.vault.trips(*ALL)[1].observations
    _prove(citizen, *proven, until=citizen.home.clock() + timedelta(days=200))
    later(citizen, 120)
    assert preview(citizen.vault, "tracks", 3).pinned == 1
    set_rule(citizen.vault, "tracks", 3)
    set_rule(citizen.vault, "trips", 3)
    step(citizen.vault, budget_s=None)
    (kept,) = citizen.vault.trips(*ALL)
    assert kept.observations == proven
    assert len(citizen.vault.track(kept.id)) == 10
    later(citizen, 120)  # the proof's term is over
    step(citizen.vault, budget_s=None)
    assert citizen.vault.trips(*ALL) == []
    assert citizen.home.blobs.names(citizen.vault_id) == set()


def test_forgotten_trips_do_not_come_back_and_newer_ones_stay(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    old = [trip(n) for n in range(3)]
    depositor.leave(*old, trip(start=START + timedelta(days=60)))
    citizen.vault.drain(None)
    later(citizen, 90)
    set_rule(citizen.vault, "trips", 2)
    citizen.vault.drain(None)
    assert [t.local_date for t in citizen.vault.trips(*ALL)] == [date(2027, 1, 1)]
    depositor.leave(*old)
    assert citizen.vault.drain(None).trips_new == 0
    assert len(citizen.vault.trips(*ALL)) == 1


def test_a_rule_taken_back_in_time_forgets_nothing_more(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE_RECORDS", 1)
    citizen.with_trips(3, points=10)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    step(citizen.vault, budget_s=None, slices=1)
    set_rule(citizen.vault, "tracks", None)
    assert rules(citizen.vault) == []
    step(citizen.vault, budget_s=None)
    assert len(citizen.home.blobs.names(citizen.vault_id)) == 2
    set_rule(citizen.vault, "tracks", 3)
    step(citizen.vault, budget_s=None)
    assert citizen.home.blobs.names(citizen.vault_id) == set()


@pytest.mark.parametrize(("what", "months"), [("hopes", 3), ("tracks", 0), ("trips", 601)])
def test_a_rule_that_makes_no_sense_is_refused(citizen: Citizen, what: str, months: int) -> None:
    with pytest.raises(ActRefusedError):
        set_rule(citizen.vault, what, months)
    with pytest.raises(ActRefusedError):
        preview(citizen.vault, what, months)


def test_a_vault_with_forgotten_tracks_is_exported_and_restored(
    home: Home, citizen: Citizen
) -> None:
    citizen.with_trips(2, points=10)
    later(citizen, 120)
    set_rule(citizen.vault, "tracks", 3)
    step(citizen.vault, budget_s=None)
    before = citizen.vault.trips(*ALL)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase="phrase")
    out.seek(0)
    report = home.restore(out, "phrase", PASSPHRASE)
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    restored = home.session(cookie)
    assert restored.trips(*ALL) == before
    assert {o.digest for o in restored.all_observed()} == {
        o.digest for o in citizen.vault.all_observed()
    }
    assert [(r.what, r.months) for r in rules(restored)] == [("tracks", 3)]


def _prove(citizen: Citizen, *proven: Iri, until: datetime) -> None:
    """A share whose evidence rests on these observations, until a day."""
    presentation = Digest(os.urandom(32))
    consent = Consent(
        id=mint_iri(),
        recipient=Did("did:web:financeur.example"),
        recipient_name="Agglo",
        purpose="FMD",
        given_at=citizen.home.clock(),
        expires_at=until,
        presentation=presentation,
        receipt={},
    )
    citizen.vault.put(consent)
    tree = json.dumps([{"iri": iri} for iri in proven]).encode()
    citizen.vault.put_setting(f"evidence/{presentation.hex()}", tree)


# --- invoices ------------------------------------------------------------------------------------


def bill(number: str, issued: datetime) -> DocumentObservation:
    made = invoice(number)
    assert isinstance(made.record, Invoice)
    return replace(made, record=replace(made.record, issued_at=issued))


def bills(citizen: Citizen) -> set[str | None]:
    found = citizen.vault.all(Kind.INVOICE)
    return {record.number for record in found if isinstance(record, Invoice)}


def test_invoices_are_forgotten_by_the_day_they_were_issued_and_do_not_come_back(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE_RECORDS", 2)
    depositor = citizen.depositor()
    left = [bill(f"F-{n}", START - timedelta(days=400 + n)) for n in range(5)]
    left.append(bill("F-new", START))
    depositor.leave(*left, trip(0))
    citizen.vault.drain(None)
    own = replace(invoice("F-own").record, issued_at=START - timedelta(days=500))
    citizen.vault.put(own)
    found = preview(citizen.vault, "invoices", 12)
    assert (found.count, found.pinned, found.oldest) == (6, 0, own.issued_at.date())
    assert len(bills(citizen)) == 7
    set_rule(citizen.vault, "invoices", 12)
    assert step(citizen.vault, budget_s=None) == 6
    assert bills(citizen) == {"F-new"}
    assert len(citizen.vault.trips(*ALL)) == 1
    kept = [o.received.observation for o in citizen.vault.all_observed([Compartment.INVOICES])]
    assert [o.record.number for o in kept] == ["F-new"]  # type: ignore[union-attr]
    (event,) = [e for e in citizen.vault.journal().events if e.event == "forgotten"]
    assert (event.detail["what"], event.detail["count"]) == ("invoices", 6)
    depositor.leave(*left)
    citizen.vault.drain(None)
    assert step(citizen.vault, budget_s=None) == 0
    assert bills(citizen) == {"F-new"}
    assert citizen.home.fsck(citizen.vault_id, citizen.vault).clean


def test_an_invoice_behind_a_live_proof_stays_until_the_proof_is_over(citizen: Citizen) -> None:
    old = bill("F-1", START - timedelta(days=400))
    citizen.depositor().leave(old, bill("F-2", START - timedelta(days=401)))
    citizen.vault.drain(None)
    (leaf,) = [
        o.iri
        for o in citizen.vault.all_observed([Compartment.INVOICES])
        if o.received.observation == old
    ]
    until = citizen.home.clock() + timedelta(days=30)
    _prove(citizen, leaf, until=until)
    found = preview(citizen.vault, "invoices", 12)
    assert (found.count, found.pinned) == (1, 1)
    set_rule(citizen.vault, "invoices", 12)
    step(citizen.vault, budget_s=None)
    assert bills(citizen) == {"F-1"}


def test_what_a_source_left_of_an_invoice_whose_date_was_corrected_goes_with_it(
    citizen: Citizen,
) -> None:
    said = bill("F-1", START - timedelta(days=500))
    citizen.depositor().leave(said)
    citizen.vault.drain(None)
    (record,) = citizen.vault.all(Kind.INVOICE)
    assert isinstance(record, Invoice)
    citizen.vault.put(replace(record, issued_at=START - timedelta(days=420)))
    set_rule(citizen.vault, "invoices", 12)
    step(citizen.vault, budget_s=None)
    assert bills(citizen) == set()
    assert citizen.vault.all_observed([Compartment.INVOICES]) == []
    assert citizen.home.fsck(citizen.vault_id, citizen.vault).clean
