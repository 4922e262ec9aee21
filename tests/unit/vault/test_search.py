"""Search: folded words, narrowed, paged, and nowhere but in the open vault."""

from datetime import date

import pytest

from federation.wire.errors import CursorRefusedError
from schemas.ids import mint_iri
from schemas.modes import Mode
from schemas.records import Energy, Kind, PlaceRole, Vehicle, VehicleType
from tests.unit.vault.builders import CARCASSONNE, Citizen, invoice, place, trip
from vault.errors import RecordInvalidError
from vault.search import Query, search


@pytest.fixture
def story(citizen: Citizen) -> Citizen:
    citizen.depositor().leave(trip(0), trip(1, mode=Mode.TRAIN), trip(2), invoice("F-2026-7"))
    citizen.vault.drain(None)
    first = citizen.vault.trips(date(2026, 11, 1), date(2026, 11, 30))[0]
    citizen.vault.correct(first.id, purpose="Déjeuner à Trèbes")
    citizen.vault.put(
        Vehicle(
            id=mint_iri(),
            label="Vélo cargo",
            vehicle_type=VehicleType.CARGO_BIKE,
            energy=Energy.ASSISTED,
        )
    )
    return citizen


def kinds(citizen: Citizen, text: str = "", **parts: object) -> list[str]:
    found = search(citizen.vault, Query(text=text, **parts))  # type: ignore[arg-type]  # a test's
    assert found.total == len(found.records)
    return sorted(type(record).__name__ for record in found.records)


@pytest.mark.parametrize("text", ["déjeuner", "DEJEUNER", "trebes dejeuner", "déj"])
def test_accents_case_and_order_do_not_count(story: Citizen, text: str) -> None:
    assert kinds(story, text) == ["Trip"]


def test_every_word_must_be_found(story: Citizen) -> None:
    assert kinds(story, "déjeuner carcassonne") == []


def test_issuers_networks_and_numbers_are_found(story: Citizen) -> None:
    assert kinds(story, "régie audois") == ["Invoice"]
    assert kinds(story, "f-2026") == ["Invoice"]


def test_a_mode_is_a_word_in_both_languages_and_a_filter(story: Citizen) -> None:
    assert kinds(story, "vélo") == ["Trip", "Trip", "Vehicle"]
    assert kinds(story, "bicycle") == ["Trip", "Trip"]
    assert kinds(story, modes=frozenset({Mode.TRAIN})) == ["Trip"]


def test_the_citizens_own_places_name_their_trips(story: Citizen) -> None:
    assert kinds(story, "domicile") == []
    story.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    assert kinds(story, "domicile", kinds=frozenset({Kind.TRIP})) == ["Trip"] * 3


def test_dates_are_days_and_both_ends_count(story: Citizen) -> None:
    day = date(2026, 11, 3)
    assert kinds(story, since=day, until=day) == ["Trip"]


def test_pages_meet_at_their_cursors_and_a_cursor_serves_its_own_query(story: Citizen) -> None:
    query, seen, cursor = Query(kinds=frozenset({Kind.TRIP})), [], None
    while True:
        page = search(story.vault, query, cursor=cursor, limit=2)
        assert page.total == 3
        seen += [record.id for record in page.records]
        if page.cursor is None:
            break
        cursor = page.cursor
    assert len(set(seen)) == len(seen) == 3
    with pytest.raises(CursorRefusedError):
        search(story.vault, Query(text="vélo"), cursor=cursor)


def test_what_was_deleted_is_not_found(story: Citizen) -> None:
    (found,) = search(story.vault, Query(text="déjeuner")).records
    story.vault.delete(found.id)
    assert kinds(story, "déjeuner") == []


def test_a_query_leaves_no_word_in_logs_or_rows(
    story: Citizen, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    found = search(story.vault, Query(text="déjeuner"), limit=1)
    assert found.total == 1
    said = "".join(capfd.readouterr()).casefold()
    assert "jeuner" not in said
    for file in story.home.settings.folder.rglob("*"):
        if file.is_file():
            assert b"jeuner" not in file.read_bytes()


def test_a_text_without_end_and_a_kind_that_is_not_searched_are_refused(story: Citizen) -> None:
    with pytest.raises(RecordInvalidError):
        search(story.vault, Query(text="a" * 201))
    with pytest.raises(RecordInvalidError):
        search(story.vault, Query(kinds=frozenset({Kind.OBSERVATION})))
