"""How far the citizen is with a goal: computed from trips, never stored, compared with nobody."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, cast

from schemas.records import Direction, Goal, GoalMetric, GoalPeriod, Kind
from vault.statistics import By, Filter

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Progress", "goals", "period_of", "progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One period of a goal."""

    goal: Goal
    since: date
    until: date
    """Last day of the period, included; the goal's own last day if that comes first."""
    reached: int
    """In the unit of the goal's metric."""
    is_over: bool

    @property
    def is_met(self) -> bool | None:
        """None while an `at-most` goal can still be missed, or an `at-least` one still reached."""
        if self.goal.direction is Direction.AT_LEAST:
            return True if self.reached >= self.goal.target else (False if self.is_over else None)
        return False if self.reached > self.goal.target else (True if self.is_over else None)


def goals(vault: "OpenVault") -> list[Goal]:
    """Every goal, the earliest first."""
    found = [cast(Goal, record) for record in vault.all(Kind.GOAL)]
    return sorted(found, key=lambda goal: (goal.starts_on, goal.id))


def period_of(period: GoalPeriod, day: date) -> tuple[date, date]:
    """First and last day of the week (ISO 8601, from Monday), month or year that holds `day`."""
    match period:
        case GoalPeriod.WEEK:
            first = day - timedelta(days=day.weekday())
            return first, first + timedelta(days=6)
        case GoalPeriod.MONTH:
            following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
            return day.replace(day=1), following - timedelta(days=1)
        case GoalPeriod.YEAR:
            return date(day.year, 1, 1), date(day.year, 12, 31)


def progress(vault: "OpenVault", goal: Goal, *, on: date) -> Progress | None:
    """The period of `goal` that holds `on`; None before its first day and after its last."""
    if on < goal.starts_on or (goal.ends_on is not None and on > goal.ends_on):
        return None
    since, until = period_of(goal.period, on)
    since = max(since, goal.starts_on)
    until = until if goal.ends_on is None else min(until, goal.ends_on)
    only = Filter(modes=frozenset(goal.modes))
    by: By = "day" if goal.metric is GoalMetric.DAYS else "total"
    rows = vault.statistics(by=by, since=since, until=until, only=only)
    reached: int
    match goal.metric:
        case GoalMetric.DISTANCE:
            reached = sum(row.distance for row in rows)
        case GoalMetric.TRIPS:
            reached = sum(row.trips for row in rows)
        case GoalMetric.EMISSION:
            reached = sum(row.emission for row in rows)
        case GoalMetric.DAYS:
            reached = len(rows)
    return Progress(goal, since, until, reached, is_over=on >= until)
