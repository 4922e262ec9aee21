"""Deleting a day, a range, a source, one record; what later imports meet; what is kept."""

import json
from datetime import date, datetime, timedelta

import pytest

from schemas.ids import Did, Digest, Iri, mint_iri
from schemas.modes import Mode
from schemas.records import Consent, Energy, Kind, Vehicle, VehicleType
from tests.unit.vault.builders import START, Citizen, Clock, invoice, trip
from vault import deletion
from vault.deletion import days, live_proofs, pinned, preview, remove
from vault.errors import ActRefusedError, RecordUnknownError

MONTH = (date(2026, 11, 1), date(2026, 11, 30))


def test_a_day_is_the_civil_day_where_its_trips_started(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    late = datetime.fromisoformat("2026-11-02T22:30:00+00:00")  # 23:30 in Paris, still the 2nd
    depositor.leave(trip(start=late), trip(start=late + timedelta(hours=1)), trip(start=START))
    citizen.vault.drain(None)
    interval = days(citizen.vault, date(2026, 11, 2), date(2026, 11, 2))
    counted = preview(citizen.vault, interval=interval)
    assert (counted.trips, counted.observations) == (2, 2)
    deleted = citizen.vault.delete(interval=interval)
    assert deleted.trips == 2
    assert [t.local_date for t in citizen.vault.trips(*MONTH)] == [date(2026, 11, 3)]


def test_preview_counts_what_delete_destroys(citizen: Citizen) -> None:
    citizen.with_trips(5, points=20)
    interval = days(citizen.vault, date(2026, 11, 3), date(2026, 11, 5))
    counted = preview(citizen.vault, interval=interval)
    assert (counted.trips, counted.tracks, counted.pinned) == (3, 3, 0)
    assert len(citizen.vault.trips(*MONTH)) == 5
    assert citizen.vault.delete(interval=interval).trips == counted.trips


def test_a_deletion_names_the_live_proofs_that_rest_on_what_goes(
    citizen: Citizen, clock: Clock
) -> None:
    citizen.with_trips(4)
    vault, at = citizen.vault, citizen.home.clock()
    first, second, third, _ = sorted(vault.trips(*MONTH), key=lambda t: t.started_at)

    def share(number: int, observations: tuple[Iri, ...], expires: datetime | None) -> Consent:
        presentation = Digest(bytes([number]) * 32)
        consent = Consent(
            id=mint_iri(),
            recipient=Did("did:web:financeur.example"),
            recipient_name=f"Financeur {number}",
            purpose="FMD",
            given_at=at + timedelta(minutes=number),
            expires_at=expires,
            presentation=presentation,
            receipt={},
        )
        vault.put(consent)
        tree = json.dumps([{"iri": iri} for iri in observations]).encode()
        vault.put_setting(f"evidence/{presentation.hex()}", tree)
        return consent

    both = share(1, first.observations + second.observations, None)
    one = share(2, second.observations, at + timedelta(days=30))
    share(3, third.observations, at)  # over already
    paper = json.dumps([{"iri": iri} for iri in third.observations]).encode()
    vault.put_setting(f"evidence/{'ab' * 32}", paper)
    found = preview(vault, interval=days(vault, second.local_date, third.local_date))
    named = [proof.consent.recipient_name if proof.consent else "" for proof in found.proofs]
    assert sorted(named) == ["", "Financeur 1", "Financeur 2"]
    assert found.pinned == 2
    assert [p.consent for p in live_proofs(vault, first.observations)] == [both]
    assert [p.consent for p in live_proofs(vault, second.observations)] == [one, both]
    assert pinned(vault) == {*first.observations, *second.observations, *third.observations}
    vault.delete(second.id)
    assert [p.consent for p in live_proofs(vault, second.observations)] == [one, both]
    clock.forward(days=31)
    assert [p.consent for p in live_proofs(vault, second.observations)] == [both]


def test_what_the_citizen_wrote_about_deleted_trips_goes_with_them(citizen: Citizen) -> None:
    citizen.with_trips(2)
    first, second = citizen.vault.trips(*MONTH)
    citizen.vault.correct(first.id, purpose="rendez-vous médical")
    citizen.vault.correct(second.id, purpose="courses")
    citizen.vault.delete(interval=days(citizen.vault, first.local_date, first.local_date))
    left = [getattr(o, "purpose", None) for o in citizen.vault.decisions()]
    assert "rendez-vous médical" not in left
    assert "courses" in left


def test_a_deleted_source_does_not_come_back_and_neither_do_its_invoices(
    citizen: Citizen,
) -> None:
    depositor = citizen.depositor()
    left = [trip(0), trip(1), invoice()]
    depositor.leave(*left)
    citizen.vault.drain(None)
    assert preview(citizen.vault, account=("tracemob", "a1")).documents == 1
    deleted = citizen.vault.delete(account=("tracemob", "a1"))
    assert (deleted.trips, deleted.observations) == (2, 3)
    depositor.leave(*left)
    report = citizen.vault.drain(None)
    assert (report.trips_new, report.suppressed) == (0, 3)
    assert citizen.vault.all(Kind.INVOICE) == []
    citizen.vault.undo(deleted.suppression)
    depositor.leave(*left)
    citizen.vault.drain(None)
    assert len(citizen.vault.all(Kind.INVOICE)) == 1
    assert len(citizen.vault.trips(*MONTH)) == 2


def test_a_deleted_invoice_does_not_come_back_until_it_is_undone(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    bill, other = invoice("F-1"), invoice("F-2")
    depositor.leave(bill, other)
    citizen.vault.drain(None)
    deleted = remove(citizen.vault, bill.record.id)
    depositor.leave(bill, other)
    assert citizen.vault.drain(None).suppressed == 1
    assert [r.id for r in citizen.vault.all(Kind.INVOICE)] == [other.record.id]
    citizen.vault.undo(deleted.suppression)
    depositor.leave(bill)
    citizen.vault.drain(None)
    assert len(citizen.vault.all(Kind.INVOICE)) == 2


def test_what_only_the_citizen_wrote_is_simply_removed(citizen: Citizen) -> None:
    bike = Vehicle(id=mint_iri(), vehicle_type=VehicleType.EBIKE, energy=Energy.ASSISTED)
    citizen.vault.put(bike)
    assert citizen.vault.all(Kind.VEHICLE) == [bike]
    remove(citizen.vault, bike.id)
    assert citizen.vault.all(Kind.VEHICLE) == []
    assert citizen.vault.decisions() == []
    with pytest.raises(RecordUnknownError):
        remove(citizen.vault, bike.id)


def test_trips_and_consents_are_not_removed_that_way(citizen: Citizen) -> None:
    citizen.with_trips(1)
    (found,) = citizen.vault.trips(*MONTH)
    with pytest.raises(ActRefusedError, match="a-trip"):
        remove(citizen.vault, found.id)
    consent = _consent(citizen)
    citizen.vault.put(consent)
    with pytest.raises(ActRefusedError, match="kept-for-the-record"):
        remove(citizen.vault, consent.id)


def test_merge_split_and_correction_survive_the_next_import(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    left = [
        trip(start=START, minutes=20),
        trip(start=START + timedelta(minutes=25), minutes=20),
        trip(2),
    ]
    depositor.leave(*left)
    citizen.vault.drain(None)
    first, second, third = citizen.vault.trips(*MONTH)
    merged = citizen.vault.merge(first.id, second.id)
    citizen.vault.correct(third.id, mode=Mode.CARPOOL)
    citizen.vault.split(third.id, third.started_at + timedelta(minutes=10))
    before = citizen.vault.trips(*MONTH)
    other = citizen.depositor(did="did:web:copie.example", account="b2")
    other.leave(*(trip(start=t.started_at, account="b2", source="copie") for t in left))
    depositor.leave(*left)
    citizen.vault.drain(None)
    after = citizen.vault.trips(*MONTH)
    assert [t.id for t in after] == [t.id for t in before]
    assert merged.id in {t.id for t in after}
    assert {t.mode for t in after} == {t.mode for t in before}
    events = [e.detail.get("act") for e in citizen.vault.journal().events]
    assert {"merge", "mode", "split"} <= set(events)


def test_trips_kept_apart_stay_two_when_another_source_arrives(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    depositor.leave(trip(start=START))
    other = citizen.depositor(did="did:web:copie.example", account="b2")
    citizen.vault.drain(None)
    other.leave(trip(start=START + timedelta(minutes=1), account="b2", source="copie"))
    citizen.vault.drain(None)
    (both,) = citizen.vault.trips(*MONTH)
    assert len(both.observations) == 2
    citizen.vault.split(both.id, START + timedelta(minutes=11))
    assert len(citizen.vault.trips(*MONTH)) == 2
    (act,) = citizen.vault.decisions()
    citizen.vault.undo(act.id)
    (again,) = citizen.vault.trips(*MONTH)
    assert again.id == both.id


def test_accounts_are_listed_with_what_they_left(citizen: Citizen) -> None:
    citizen.with_trips(3)
    assert deletion.accounts(citizen.vault) == [("tracemob", "a1", 3)]


def _consent(citizen: Citizen) -> Consent:
    return Consent(
        id=mint_iri(),
        recipient="did:web:financeur.example",
        recipient_name="Agglo",
        purpose="FMD",
        given_at=citizen.home.clock(),
        presentation=b"\x01" * 32,
        receipt={},
    )
