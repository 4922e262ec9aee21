"""Draining: evidence from the way in, duplicates, quarantine, and nothing read from payloads."""

import gc
from dataclasses import replace
from datetime import timedelta

import pytest

from federation.keys import Ed25519Key
from federation.wire.errors import DatabaseBusyError
from schemas.evidence import Evidence
from schemas.ids import Did, mint_iri
from schemas.modes import Mode
from schemas.observations import LabelObservation, Suppression
from schemas.records import Attribute, Degree, Invoice, Kind, Trip
from tests.unit.vault.builders import START, Citizen, invoice, raw, trip, trust
from vault.collecting import put_off
from vault.home import Home
from vault.store import Waiting


def trips(citizen: Citizen) -> list[Trip]:
    return [t for t in citizen.vault.all(Kind.TRIP) if isinstance(t, Trip)]


def test_every_trip_once_and_a_second_time_adds_nothing(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    observations = [trip(n) for n in range(5)]
    depositor.leave(*observations)
    first = citizen.vault.drain(None)
    assert (first.records, first.trips_new, first.duplicates) == (5, 5, 0)
    depositor.leave(*observations)
    again = citizen.vault.drain(None)
    assert (again.trips_new, again.trips_changed, again.duplicates) == (0, 0, 5)
    assert len(trips(citizen)) == 5


def test_evidence_is_what_the_registry_let_the_depositor_attest_when_received(
    home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    depositor.leave(trip(0))
    citizen.vault.drain(None)
    home.use_trust(
        trust(
            depositor.entry(Evidence.SENSED, at=home.clock() + timedelta(minutes=1)),
            at=home.clock(),
        )
    )
    depositor.leave(trip(1))  # received before the accreditation begins
    home.clock.forward(minutes=2)  # type: ignore[attr-defined]  # the test's clock
    depositor.leave(trip(2))
    citizen.vault.drain(None)
    classes = [(t.evidence, t.mode_evidence) for t in trips(citizen)]
    assert classes[0] == (Evidence.DECLARED, Evidence.DECLARED)
    assert classes[1] == (Evidence.DECLARED, Evidence.DECLARED)
    assert classes[2] == (Evidence.SENSED, Evidence.SENSED)


def test_a_manifest_signed_by_another_key_goes_to_quarantine(home: Home, citizen: Citizen) -> None:
    honest = citizen.depositor()
    home.use_trust(trust(honest.entry(Evidence.OPERATOR, at=home.clock()), at=home.clock()))
    thief = citizen.depositor(key=Ed25519Key.generate())
    sealed = thief.leave(trip(0))
    report = citizen.vault.drain(None)
    assert (report.trips_new, report.quarantined) == (0, 1)
    assert [entry.reason for entry in citizen.vault.quarantine()] == ["manifest-signature"]
    found = home.drop_box(citizen.vault_id).receipt(sealed.digest)
    assert found is not None
    assert found.state == "rejected"


def test_an_invoice_does_not_bring_its_own_class(citizen: Citizen) -> None:
    citizen.depositor().leave(invoice())
    citizen.vault.drain(None)
    (found,) = citizen.vault.all(Kind.INVOICE)
    assert isinstance(found, Invoice)
    assert found.evidence is Evidence.DECLARED


def test_a_certified_attribute_from_a_stranger_is_only_claimed(citizen: Citizen) -> None:
    document = replace(
        invoice(),
        record=Attribute(
            id=mint_iri(),
            name="identity.family_name",
            value="Vidal",
            source="FranceConnect",
            certified_at=START,
            degree=Degree.SIGNED,
        ),
    )
    citizen.depositor().leave(document)
    citizen.vault.drain(None)
    (found,) = citizen.vault.attributes("identity.family_name")
    assert found.degree is Degree.CLAIMED


def test_nobody_deposits_a_decision_of_the_citizen(citizen: Citizen) -> None:
    citizen.with_trips(2)
    everything = Suppression(id=mint_iri(), at=START + timedelta(days=90), scope="all")
    other = citizen.depositor(did=Did("did:web:evil.example"), account="x")
    other.leave(everything)
    report = citizen.vault.drain(None)
    assert report.quarantined == 1
    assert len(trips(citizen)) == 2
    assert [e.reason for e in citizen.vault.quarantine()] == ["not-depositable"]


def test_an_id_used_for_other_contents_is_put_aside(citizen: Citizen) -> None:
    first = trip(0)
    citizen.depositor().leave(first)
    citizen.vault.drain(None)
    other = citizen.depositor(did=Did("did:web:evil.example"), account="a1")
    other.leave(trip(5, iri=first.id, mode=Mode.CAR))
    report = citizen.vault.drain(None)
    assert report.quarantined == 1
    assert [t.mode for t in trips(citizen)] == [Mode.BICYCLE]


def test_a_late_label_reaches_its_trip(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    depositor.leave(trip(0))
    citizen.vault.drain(None)
    label = LabelObservation(
        id=mint_iri(),
        source="tracemob",
        account="a1",
        written_at=START + timedelta(days=3),
        started_at=START + timedelta(minutes=1),
        ended_at=START + timedelta(minutes=20),
        property="purpose",
        value="travail",
    )
    depositor.leave(label)
    report = citizen.vault.drain(None)
    assert (report.trips_new, report.trips_changed) == (0, 1)
    (found,) = trips(citizen)
    assert found.purpose == "travail"
    assert found.revision == 2


@pytest.mark.parametrize(
    "bad",
    [b"", b"null", b"[]", b"{", b"<html></html>", b'{"a":NaN}', b'{"type":"Trip","type":"Trip"}'],
)
def test_bad_records_are_put_aside_and_good_ones_kept(citizen: Citizen, bad: bytes) -> None:
    citizen.depositor().leave_raw([raw(trip(0)), bad, raw(trip(1))])
    report = citizen.vault.drain(None)
    assert (report.trips_new, report.quarantined) == (2, 1)
    (entry,) = citizen.vault.quarantine()
    assert (entry.index, entry.seq) == (1, 1)


def test_a_track_is_a_sealed_file_and_comes_back_point_by_point(
    home: Home, citizen: Citizen
) -> None:
    citizen.with_trips(1, points=120)
    (found,) = trips(citizen)
    assert found.track is not None
    points = citizen.vault.track(found.id)
    assert len(points) == 120
    assert len(home.blobs.names(citizen.vault_id)) == 1
    (observed,) = citizen.vault.observed_of(found.id)
    assert observed.digest == found.track


def test_a_duplicate_leaves_no_file_behind(home: Home, citizen: Citizen) -> None:
    depositor = citizen.depositor()
    observation = trip(0, points=50)
    depositor.leave(observation)
    citizen.vault.drain(None)
    depositor.leave(observation)
    citizen.vault.drain(None)
    assert len(home.blobs.names(citizen.vault_id)) == 1


def test_a_hundred_small_deposits_are_one_commit(home: Home, citizen: Citizen) -> None:
    depositor = citizen.depositor()
    for number in range(100):
        depositor.leave(trip(number))
    before = citizen.vault.witness().seq
    assert citizen.vault.drain(None).trips_new == 100
    assert citizen.vault.witness().seq - before <= 3, "one slice each 200 ms"
    assert citizen.vault.waiting().deposits == 0
    assert home.fsck(citizen.vault_id, citizen.vault).clean


def test_deposits_of_two_sources_in_turn_give_their_room_back(home: Home, citizen: Citizen) -> None:
    sources = [citizen.depositor(), citizen.depositor(account="a2")]
    for number in range(6):
        sources[number % 2].leave(trip(number))
    with home.store.read() as reader:
        assert all(link.held_bytes for link in reader.links(citizen.vault_id))
        (first,) = reader.next_deposits(citizen.vault_id, limit=500, most_bytes=1)
        assert first.arrival == 1
    report = citizen.vault.drain(None)
    assert (report.deposits, report.trips_new, report.waiting) == (6, 6, 0)
    with home.store.read() as reader:
        assert [link.held_bytes for link in reader.links(citizen.vault_id)] == [0, 0]
        assert reader.waiting(citizen.vault_id) == Waiting(0, 0)
        found = reader.deposits(citizen.vault_id)
        assert [(d.state, d.taken, d.sealed) for d in found] == [("taken", 1, None)] * 6


def test_garbage_is_looked_for_again_however_a_slice_ended(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fails(*_: object, **__: object) -> None:
        asked.append(gc.isenabled())
        raise DatabaseBusyError(waited_s=1)

    monkeypatch.setattr("vault.arrivals.open_deposit", fails)
    citizen.depositor().leave(trip(0))
    with pytest.raises(DatabaseBusyError):
        citizen.vault.drain(None)
    assert asked == [False]
    assert gc.isenabled()
    with put_off(), put_off():
        pass
    assert gc.isenabled()
    gc.disable()
    try:
        with put_off():
            pass
        assert not gc.isenabled(), "whoever switched it off switches it on"
    finally:
        gc.enable()
