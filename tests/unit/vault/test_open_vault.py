"""What a citizen does with their records."""

import io
import os
from dataclasses import replace
from datetime import date, timedelta

import pytest

from schemas.evidence import Evidence
from schemas.ids import Did, mint_iri
from schemas.modes import Mode
from schemas.records import Kind, PlaceRole, Trip
from tests.unit.vault.builders import (
    CARCASSONNE,
    PASSPHRASE,
    START,
    TREBES,
    Citizen,
    place,
    trip,
    trust,
)
from vault.errors import (
    ActRefusedError,
    ArchiveInvalidError,
    QueryRefusedError,
    QueryStoppedError,
    RecordConflictError,
    RecordUnknownError,
)
from vault.home import Home

WEEK = (date(2026, 11, 1), date(2026, 11, 30))


def test_what_is_put_is_got_and_listed(citizen: Citizen) -> None:
    home_place = citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    assert citizen.vault.get(home_place.id) == home_place
    assert citizen.vault.places() == [home_place]
    with pytest.raises(RecordUnknownError):
        citizen.vault.get(mint_iri())


def test_of_two_edits_of_one_revision_one_wins_and_the_other_is_told(citizen: Citizen) -> None:
    read = citizen.vault.set_place(place(PlaceRole.WORK, TREBES))
    citizen.vault.put(replace(read, label="Atelier"))
    with pytest.raises(RecordConflictError):
        citizen.vault.put(replace(read, label="Bureau"))
    assert [p.label for p in citizen.vault.places()] == ["Atelier"]


def test_pages_come_newest_first_and_meet_at_their_cursors(citizen: Citizen) -> None:
    citizen.with_trips(7)
    seen: list[str] = []
    cursor = None
    while True:
        page = citizen.vault.records(Kind.TRIP, cursor=cursor, limit=3)
        assert page.total == 7
        seen += [record.id for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    in_order = [t.id for t in reversed(citizen.vault.trips(*WEEK))]
    assert seen == in_order
    assert citizen.vault.months(Kind.TRIP) == ["2026-11"]


def test_a_correction_is_an_observation_and_undo_takes_it_back(
    home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    home.use_trust(trust(depositor.entry(Evidence.SENSED, at=home.clock()), at=home.clock()))
    depositor.leave(trip(0, mode=Mode.CAR))
    citizen.vault.drain(None)
    (found,) = citizen.vault.trips(*WEEK)
    corrected = citizen.vault.correct(found.id, mode=Mode.CARPOOL)
    assert (corrected.mode, corrected.mode_evidence) == (Mode.CARPOOL, Evidence.CORRECTED)
    assert corrected.evidence is Evidence.CONFIRMED  # that it took place, the person agrees
    (act,) = citizen.vault.decisions()
    citizen.vault.undo(act.id)
    (back,) = citizen.vault.trips(*WEEK)
    assert (back.id, back.mode, back.mode_evidence) == (found.id, Mode.CAR, Evidence.SENSED)


def test_a_deleted_trip_does_not_come_back_with_the_next_import(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    observations = [trip(n, points=20) for n in range(3)]
    depositor.leave(*observations)
    citizen.vault.drain(None)
    victim = citizen.vault.trips(*WEEK)[1]
    blobs = citizen.home.blobs.names(citizen.vault_id)
    deleted = citizen.vault.delete(victim.id)
    assert (deleted.trips, deleted.observations) == (1, 1)
    assert deleted.backups_until == citizen.home.clock() + timedelta(days=30)
    assert len(citizen.home.blobs.names(citizen.vault_id)) == len(blobs) - 1
    with pytest.raises(RecordUnknownError):
        citizen.vault.get(victim.id)
    depositor.leave(*observations)
    report = citizen.vault.drain(None)
    assert (report.trips_new, report.suppressed) == (0, 1)
    assert len(citizen.vault.trips(*WEEK)) == 2
    citizen.vault.undo(deleted.suppression)
    assert len(citizen.vault.trips(*WEEK)) == 3


def test_deleting_an_account_leaves_the_others(citizen: Citizen) -> None:
    citizen.with_trips(3)
    other = citizen.depositor(did=Did("did:web:app.example"), account="b9")
    other.leave(trip(10, source="push:app", account="b9"))
    citizen.vault.drain(None)
    deleted = citizen.vault.delete(account=("tracemob", "a1"))
    assert deleted.trips == 3
    assert len(citizen.vault.trips(*WEEK)) == 1


def test_undo_after_its_term_is_refused(citizen: Citizen) -> None:
    citizen.with_trips(1)
    deleted = citizen.vault.delete(interval=(START, START + timedelta(days=1)))
    citizen.home.clock.forward(days=31)  # type: ignore[attr-defined]  # the test's clock
    citizen.cookie = citizen.unlock()
    with pytest.raises(ActRefusedError, match="too-late"):
        citizen.vault.undo(deleted.suppression)


def test_merge_split_and_keep_apart_are_decisions(citizen: Citizen) -> None:
    depositor = citizen.depositor()
    depositor.leave(
        trip(start=START, minutes=20), trip(start=START + timedelta(minutes=25), minutes=20)
    )
    citizen.vault.drain(None)
    first, second = citizen.vault.trips(*WEEK)
    merged = citizen.vault.merge(first.id, second.id)
    assert len(citizen.vault.trips(*WEEK)) == 1
    assert set(merged.observations) >= {*first.observations, *second.observations}
    (act,) = citizen.vault.decisions()
    citizen.vault.undo(act.id)
    assert len(citizen.vault.trips(*WEEK)) == 2
    citizen.vault.split(citizen.vault.trips(*WEEK)[0].id, START + timedelta(minutes=10))
    assert len(citizen.vault.trips(*WEEK)) == 3


def test_the_journal_tells_every_act_and_no_value(citizen: Citizen) -> None:
    citizen.with_trips(2)
    citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    citizen.vault.correct(citizen.vault.trips(*WEEK)[0].id, purpose="courses")
    events = citizen.vault.journal().events
    assert [e.event for e in events] == [
        "corrected",
        "record-put",
        "drained",
        "source-linked",
        "vault-created",
    ]
    assert "43.2" not in repr(events)
    assert "courses" not in repr(events)


def test_sparql_answers_over_the_vault_and_refuses_to_leave_it(citizen: Citizen) -> None:
    citizen.with_trips(3)
    question = """PREFIX s: <https://schema.org/>
        SELECT (COUNT(?t) AS ?n) WHERE { ?t a s:Trip }"""
    assert citizen.vault.query(question).rows == (("3",),)
    for refused in (
        "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * FROM <urn:x> { ?s ?p ?o }",
        "DELETE WHERE { ?s ?p ?o }",
    ):
        with pytest.raises(QueryRefusedError):
            citizen.vault.query(refused)
    victim = citizen.vault.trips(*WEEK)[0]
    citizen.vault.delete(victim.id)
    assert citizen.vault.query(question).rows == (("2",),)


def test_a_runaway_query_ends_and_the_next_one_is_answered(citizen: Citizen) -> None:
    citizen.with_trips(40)
    citizen.vault._sparql._limit_s = 1.0
    runaway = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    with pytest.raises(QueryStoppedError):
        citizen.vault.query(runaway)
    citizen.vault._sparql._limit_s = 60.0  # the process begins anew: a busy machine takes its time
    assert citizen.vault.query("ASK { ?s ?p ?o }").truth is True


def test_the_query_process_dies_with_the_session(citizen: Citizen) -> None:
    citizen.with_trips(1)
    vault = citizen.vault
    vault.query("ASK { ?s ?p ?o }")
    pid = vault._sparql.pid
    assert pid is not None
    citizen.home.lock(citizen.cookie)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_export_and_restore_reproduce_records_evidence_and_consents(
    home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    home.use_trust(trust(depositor.entry(Evidence.SENSED, at=home.clock()), at=home.clock()))
    citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    depositor.leave(*(trip(n, points=30) for n in range(4)))
    citizen.vault.drain(None)
    citizen.vault.correct(citizen.vault.trips(*WEEK)[2].id, mode=Mode.WALK)
    citizen.vault.delete(citizen.vault.trips(*WEEK)[3].id)
    before = {kind: citizen.vault.all(kind) for kind in Kind if kind is not Kind.OBSERVATION}
    digests = {o.iri: o.digest for o in citizen.vault.all_observed()}
    out = io.BytesIO()
    citizen.vault.export(out, passphrase="une autre phrase")
    out.seek(0)
    report = home.restore(out, "une autre phrase", PASSPHRASE)
    assert report.lowered == 0
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    restored = home.session(cookie)
    after = {kind: restored.all(kind) for kind in before}
    assert after == before
    assert {o.iri: o.digest for o in restored.all_observed()} == digests
    assert home.fsck(report.vault_id, restored).clean
    assert restored.label() == "Coffre de Camille"


@pytest.mark.parametrize(
    ("old", "new"),
    [("7900", "79000"), ("bicycle", "carpool"), ("sensor", "operator")],
)
def test_an_archive_whose_class_distance_or_mode_was_edited_imports_as_declared(
    home: Home, citizen: Citizen, old: str, new: str
) -> None:
    from federation.sealing.age import ScryptRecipient
    from vault.crypto.age import ScryptIdentity
    from vault.crypto.archive import ArchiveWriter, read_archive

    depositor = citizen.depositor()
    home.use_trust(trust(depositor.entry(Evidence.SENSED, at=home.clock()), at=home.clock()))
    depositor.leave(trip(0), trip(1))
    citizen.vault.drain(None)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase="phrase")
    out.seek(0)
    edited = io.BytesIO()
    with ArchiveWriter(edited, [ScryptRecipient(b"phrase", log_n=10)]) as archive:
        for name, content in read_archive(out, [ScryptIdentity(b"phrase")]):
            data = content.read()
            if name == "observations/observations.jsonl":
                first, _, rest = data.partition(b"\n")
                data = first.replace(old.encode(), new.encode()) + b"\n" + rest
            if name == "records/trips.jsonl":
                data = data.replace(b'"sensed"', b'"registry"')
            archive.add(name, data)
    edited.seek(0)
    report = home.restore(edited, "phrase", PASSPHRASE)
    assert report.lowered == 1
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    found = sorted(home.session(cookie).trips(*WEEK), key=lambda t: t.evidence.rank)
    assert [t.evidence for t in found] == [Evidence.DECLARED, Evidence.SENSED]


def test_an_archive_opens_with_its_passphrase_only(home: Home, citizen: Citizen) -> None:
    out = io.BytesIO()
    citizen.vault.export(out, passphrase="phrase")
    with pytest.raises(ArchiveInvalidError):
        home.restore(io.BytesIO(out.getvalue()), "autre", PASSPHRASE)
    cut = io.BytesIO(out.getvalue()[:-200])
    with pytest.raises(ArchiveInvalidError):
        home.restore(cut, "phrase", PASSPHRASE)


def test_trips_are_not_put_by_hand(citizen: Citizen) -> None:
    citizen.with_trips(1)
    (found,) = citizen.vault.trips(*WEEK)
    assert isinstance(found, Trip)
    from vault.errors import RecordInvalidError

    with pytest.raises(RecordInvalidError):
        citizen.vault.put(replace(found, mode=Mode.CARPOOL))


def test_every_kind_of_record_has_its_place_in_the_archive() -> None:
    from vault.archive.export import FOLDERS

    assert set(FOLDERS) == set(Kind) - {Kind.OBSERVATION}
    assert len(set(FOLDERS.values())) == len(FOLDERS)
