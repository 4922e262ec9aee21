"""Totals of an open vault: filtered, remembered by month, never left behind by a deletion."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas import co2
from schemas.ids import Did
from schemas.modes import Mode
from schemas.records import Kind
from tests.unit.vault.builders import START, Citizen, Clock, make_home, trip
from vault import almanac
from vault.errors import RecordInvalidError
from vault.statistics import Filter, Row, method_text, totals

ALL = {"since": date(2026, 1, 1), "until": date(2026, 12, 31)}


@pytest.fixture
def story(citizen: Citizen) -> Citizen:
    depositor = citizen.depositor()
    depositor.leave(
        trip(0),
        trip(1, mode=Mode.TRAIN),
        trip(2),
        trip(start=datetime(2026, 8, 31, 22, 30, tzinfo=UTC), mode=Mode.CAR),  # 1 September there
    )
    other = citizen.depositor(did=Did("did:web:app.example"), account="b9")
    other.leave(trip(5, source="push:app", account="b9"))
    citizen.vault.drain(None)
    return citizen


def keys(rows: tuple[Row, ...]) -> list[tuple[str, int]]:
    return [(row.key, row.trips) for row in rows]


def test_the_open_vault_says_what_its_trips_say(story: Citizen) -> None:
    trips = story.vault.trips(ALL["since"], ALL["until"])
    for by in ("total", "year", "month", "day", "weekday", "mode", "evidence", "purpose"):
        assert story.vault.statistics(by=by, **ALL) == totals(trips, by)  # type: ignore[arg-type]


def test_a_day_is_counted_where_it_was_lived(story: Citizen) -> None:
    found = story.vault.statistics(by="day", since=date(2026, 9, 1), until=date(2026, 9, 1))
    assert keys(found) == [("2026-09-01", 1)]
    assert story.vault.statistics(by="day", since=date(2026, 8, 1), until=date(2026, 8, 31)) == ()


def test_by_source_and_through_filters(story: Citizen) -> None:
    vault = story.vault
    assert keys(vault.statistics(by="source", **ALL)) == [("push:app", 1), ("tracemob", 4)]
    only = Filter(modes=frozenset({Mode.BICYCLE}), sources=frozenset({"tracemob"}))
    assert keys(vault.statistics(by="month", **ALL, only=only)) == [("2026-11", 2)]
    assert vault.statistics(**ALL, only=Filter(purposes=frozenset({"travail"}))) == ()
    assert sum(r.trips for r in vault.statistics(**ALL, only=Filter(purposes=frozenset({""})))) == 5
    with pytest.raises(RecordInvalidError):
        vault.statistics(by="mood", **ALL)  # type: ignore[arg-type]


def test_every_figure_says_its_factors_their_version_and_the_method(story: Citizen) -> None:
    (row,) = story.vault.statistics(by="total", **ALL)
    assert row.factor_version == co2.version()
    assert row.boundary
    assert row.factors
    assert row.avoided == row.counterfactual - row.emission
    assert "ADEME" in method_text("fr")
    assert "ADEME" in method_text("en")


def test_a_deletion_is_in_no_total_and_in_no_kept_page(story: Citizen) -> None:
    vault = story.vault
    assert sum(r.trips for r in vault.statistics(**ALL)) == 5
    with vault.library.reading() as shelf:
        before = [n for n in shelf.reader.settings(vault.vault_id) if n.startswith("almanac/")]
    assert len(before) == 2
    vault.delete(vault.trips(**ALL)[-1].id)
    with vault.library.reading() as shelf:
        after = [n for n in shelf.reader.settings(vault.vault_id) if n.startswith("almanac/")]
    assert len(after) == 1
    assert sum(r.trips for r in vault.statistics(**ALL)) == 4


def test_totals_are_the_same_after_locking_and_read_no_trip_again(
    story: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = story.vault.statistics(by="day", **ALL)
    story.home.lock(story.cookie)
    story.cookie = story.unlock()

    def never(*_: object) -> None:
        raise AssertionError("a trip was read again")

    monkeypatch.setattr(almanac, "_trip", never)
    assert story.vault.statistics(by="day", **ALL) == before


def test_another_factor_table_computes_every_figure_again(
    story: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = story.vault.statistics(by="total", **ALL)
    document, factors = co2._table()
    doubled = {
        n: {**f, "kg_per_km": float(f["kg_per_km"]) * 2} if "kg_per_km" in f else f
        for n, f in factors.items()
    }
    monkeypatch.setattr(co2, "_table", lambda: ({**document, "version": "next"}, doubled))
    (after,) = story.vault.statistics(by="total", **ALL)
    assert after.factor_version == "next"
    assert after.emission == pytest.approx(2 * before.emission, abs=5)
    assert [t.revision for t in story.vault.trips(**ALL)] == [1] * 5


def test_an_answer_stands_until_its_own_months_change(story: Citizen) -> None:
    vault = story.vault
    september = {"since": date(2026, 9, 1), "until": date(2026, 9, 30)}
    before = vault.statistics(by="mode", **september)
    story.depositor(did=Did("did:web:third.example"), account="c").leave(
        trip(start=START + timedelta(days=9, hours=4), account="c", source="third")
    )
    vault.drain(None)
    assert vault.statistics(by="mode", **september) is before
    assert sum(r.trips for r in vault.statistics(**ALL)) == 6


def test_totals_of_nothing_are_nothing(citizen: Citizen) -> None:
    assert citizen.vault.statistics(**ALL) == ()
    assert citizen.vault.months(Kind.TRIP) == []


def test_an_open_vault_makes_its_pages_while_nobody_asks(tmp_path: Path, clock: Clock) -> None:
    with make_home(tmp_path / "tended", clock, tends_open_vaults=True) as home:
        citizen = Citizen(home)
        citizen.with_trips(4)
        thread = citizen.vault._tender._thread
        assert thread is not None, "a drain leaves pages to make"
        thread.join(30)
        assert not thread.is_alive()
        with citizen.vault.library.reading() as shelf:
            assert citizen.vault.almanac.missing(shelf) == []
            assert shelf.reader.setting_names(citizen.vault_id, "almanac/")
