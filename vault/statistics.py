"""Totals for people: kilometres, minutes and emissions, by month, mode, evidence or purpose.

Counted by leg, so a journey by bicycle and train adds to both. Each row says which factor table it
was computed with; nothing is stored.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from schemas import co2
from schemas.modes import Mode
from schemas.records import Leg, Trip, zone
from schemas.units import GramsCO2e, Metres, Seconds

By = Literal["total", "year", "month", "day", "mode", "evidence", "purpose"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of totals."""

    key: str
    """`2026-03`, `bicycle`, `sensed`…; empty for what has none."""
    trips: int
    """Trips with at least one leg in this row; rows by mode may count one trip twice."""
    legs: int
    distance: Metres
    duration: Seconds
    emission: GramsCO2e
    counterfactual: GramsCO2e
    """The same rides alone in a thermal car, only those whose emission is known."""
    without_factor: Metres
    """Distance for which no factor fits: in neither emission nor counterfactual."""
    factors: tuple[int, ...]
    """ADEME ids used, in order."""
    factor_version: str
    boundary: str

    @property
    def avoided(self) -> GramsCO2e:
        """Counterfactual less emission; negative where the ride emitted more than a car."""
        return GramsCO2e(self.counterfactual - self.emission)


@dataclass(slots=True)
class _Sum:
    trips: set[str] = field(default_factory=set)
    legs: int = 0
    distance: int = 0
    duration: int = 0
    emission: int = 0
    counterfactual: int = 0
    without_factor: int = 0
    factors: set[int] = field(default_factory=set)


def _local(moment: datetime, trip: Trip, pattern: str) -> str:
    return moment.astimezone(zone(trip.start_zone)).strftime(pattern)


_KEYS: Final[dict[By, Callable[[Trip, Leg], str]]] = {
    "total": lambda _trip, _leg: "",
    "year": lambda trip, _leg: _local(trip.started_at, trip, "%Y"),
    "month": lambda trip, _leg: _local(trip.started_at, trip, "%Y-%m"),
    "day": lambda trip, _leg: _local(trip.started_at, trip, "%Y-%m-%d"),
    "mode": lambda _trip, leg: leg.mode.value,
    "evidence": lambda _trip, leg: leg.mode_evidence.value,
    "purpose": lambda trip, _leg: trip.purpose or "",
}


def totals(trips: Iterable[Trip], by: By = "month") -> tuple[Row, ...]:
    """Rows sorted by key; by mode, in the order of `Mode`."""
    key_of = _KEYS[by]
    sums: dict[str, _Sum] = {}
    for trip in trips:
        for leg in trip.legs or (_whole(trip),):
            _add(sums.setdefault(key_of(trip, leg), _Sum()), trip, leg)
    order = list(sums)
    if by == "mode":
        order.sort(key=lambda key: list(Mode).index(Mode(key)))
    else:
        order.sort()
    return tuple(_row(key, sums[key]) for key in order)


def _whole(trip: Trip) -> Leg:
    return Leg(
        id=trip.id,
        mode=trip.mode,
        mode_evidence=trip.mode_evidence,
        distance=trip.distance,
        started_at=trip.started_at,
        ended_at=trip.ended_at,
    )


def _add(total: _Sum, trip: Trip, leg: Leg) -> None:
    total.trips.add(trip.id)
    total.legs += 1
    total.distance += leg.distance
    total.duration += leg.duration
    emitted = co2.emission(leg.mode, leg.distance)
    if emitted is None:
        total.without_factor += leg.distance
        return
    total.emission += emitted.grams
    total.counterfactual += co2.counterfactual(leg.distance).grams
    total.factors.add(emitted.factor_id)


def _row(key: str, total: _Sum) -> Row:
    return Row(
        key=key,
        trips=len(total.trips),
        legs=total.legs,
        distance=Metres(total.distance),
        duration=Seconds(total.duration),
        emission=GramsCO2e(total.emission),
        counterfactual=GramsCO2e(total.counterfactual),
        without_factor=Metres(total.without_factor),
        factors=tuple(sorted(total.factors)),
        factor_version=co2.version(),
        boundary=co2.of_factor(30, Metres(0)).boundary,
    )


__all__ = ["By", "Row", "totals"]
