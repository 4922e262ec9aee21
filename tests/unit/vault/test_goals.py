"""Goals: counted over whole periods, from trips, in the unit of their metric."""

from datetime import date

import pytest

from schemas.ids import mint_iri
from schemas.modes import Mode
from schemas.records import Direction, Goal, GoalMetric, GoalPeriod
from tests.unit.vault.builders import Citizen, trip
from vault.goals import goals, period_of, progress

NOW = date(2026, 11, 5)


def goal(metric: GoalMetric = GoalMetric.DISTANCE, **parts: object) -> Goal:
    values: dict[str, object] = {
        "modes": (Mode.BICYCLE,),
        "target": 20_000,
        "period": GoalPeriod.WEEK,
        "starts_on": date(2026, 1, 1),
    }
    return Goal(id=mint_iri(), metric=metric, **(values | parts))  # type: ignore[arg-type]  # a test's


@pytest.mark.parametrize(
    ("period", "day", "expected"),
    [
        (GoalPeriod.WEEK, date(2026, 11, 8), (date(2026, 11, 2), date(2026, 11, 8))),
        (GoalPeriod.WEEK, date(2027, 1, 1), (date(2026, 12, 28), date(2027, 1, 3))),
        (GoalPeriod.MONTH, date(2028, 2, 10), (date(2028, 2, 1), date(2028, 2, 29))),
        (GoalPeriod.MONTH, date(2026, 12, 31), (date(2026, 12, 1), date(2026, 12, 31))),
        (GoalPeriod.YEAR, date(2026, 6, 1), (date(2026, 1, 1), date(2026, 12, 31))),
    ],
)
def test_periods_are_whole(period: GoalPeriod, day: date, expected: tuple[date, date]) -> None:
    assert period_of(period, day) == expected


@pytest.fixture
def week(citizen: Citizen) -> Citizen:
    citizen.depositor().leave(trip(0), trip(1), trip(2, mode=Mode.CAR))  # 2, 3, 4 November
    citizen.vault.drain(None)
    return citizen


@pytest.mark.parametrize(
    ("metric", "reached"),
    [(GoalMetric.DISTANCE, 15_800), (GoalMetric.DAYS, 2), (GoalMetric.TRIPS, 2)],
)
def test_only_its_modes_count(week: Citizen, metric: GoalMetric, reached: int) -> None:
    found = progress(week.vault, goal(metric), on=NOW)
    assert found is not None
    assert (found.reached, found.is_met) == (reached, None)


def test_at_most_is_missed_at_once_and_met_only_at_the_end(week: Citizen) -> None:
    every = goal(GoalMetric.TRIPS, modes=(), direction=Direction.AT_MOST, target=2)
    found = progress(week.vault, every, on=NOW)
    assert found is not None
    assert found.is_met is False
    wider = goal(GoalMetric.TRIPS, modes=(), direction=Direction.AT_MOST, target=3)
    open_, over = (progress(week.vault, wider, on=on) for on in (NOW, date(2026, 11, 8)))
    assert open_ is not None
    assert over is not None
    assert (open_.is_met, over.is_met) == (None, True)


def test_a_goal_is_silent_before_its_first_day_and_after_its_last(week: Citizen) -> None:
    kept = goal(starts_on=date(2026, 11, 3), ends_on=date(2026, 11, 3))
    assert progress(week.vault, kept, on=date(2026, 11, 2)) is None
    assert progress(week.vault, kept, on=date(2026, 11, 4)) is None
    found = progress(week.vault, kept, on=date(2026, 11, 3))
    assert found is not None
    assert (found.since, found.until, found.reached) == (kept.starts_on, kept.ends_on, 7_900)
    assert found.is_met is False


def test_goals_are_kept_and_progress_is_not(week: Citizen) -> None:
    kept = goal()
    week.vault.put(kept)
    before = week.vault.head().seq
    progress(week.vault, goals(week.vault)[0], on=NOW)
    assert goals(week.vault) == [kept]
    assert week.vault.head().seq == before
