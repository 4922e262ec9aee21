"""The eligible day, unit of the *forfait mobilités durables*.

A civil day, in the local zone, with at least one trip whose ends lie in the citizen's own
« domicile » and « travail » places, either direction, whose main mode by distance is in the rule's
list (design of the vault §5). One function; `tests/unit/schemas/test_eligible_day.py` is the one
table of odd cases. Read literally:

- the day is the civil day of the trip's *start*, where it started; a trip across midnight counts
  for the day it started, and a night shift makes two days (out on one, back on the next);
- each end must lie in a place: home → crèche and crèche → work are two trips and neither counts,
  unless the citizen merges them in the vault into the one journey they were;
- a public holiday is a day like another: the rule asks for a trip, not for a working day;
- a place counts on the days it is valid, both ends included, judged by the day of the trip;
- evidence is the weaker of "it took place" and "its mode".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from .evidence import Evidence
from .geo import metres_between
from .ids import Iri
from .modes import Mode
from .records import NamedPlace, Place, PlaceRole, Trip


@dataclass(frozen=True, slots=True)
class DayRule:
    """What a rule asks of a day."""

    iri: Iri
    modes: frozenset[Mode]
    minimum_evidence: Evidence = Evidence.DECLARED
    cap_per_day: int = 1
    """How many trips of one day count; the *forfait mobilités durables* counts days: 1."""


@dataclass(frozen=True, slots=True)
class EligibleDay:
    """A day that counts, and why."""

    date: date
    mode: Mode
    """Main mode of the trip that counts first."""
    evidence: Evidence
    """The weakest among the trips that count."""
    trips: tuple[Iri, ...]
    """The trips that count, best evidenced first, at most `cap_per_day`."""


def eligible_days(
    trips: Iterable[Trip],
    places: Iterable[NamedPlace],
    rule: DayRule,
    *,
    since: date,
    until: date,
) -> tuple[EligibleDay, ...]:
    """The eligible days from `since` to `until`, both included, in order.

    When several trips of a day count, the best evidenced comes first, then the longer, then the
    earlier, then by IRI: the answer does not depend on the order of `trips`.
    """
    known = [place for place in places if place.role is not PlaceRole.OTHER]
    by_day: dict[date, dict[Iri, Trip]] = {}
    for trip in trips:
        if trip.mode not in rule.modes or trip_evidence(trip) < rule.minimum_evidence:
            continue
        day = trip.local_date
        if since <= day <= until and is_commute(trip, known):
            by_day.setdefault(day, {})[trip.id] = trip
    days = []
    for day in sorted(by_day):
        best = sorted(by_day[day].values(), key=_rank)[: max(0, rule.cap_per_day)]
        if best:
            weakest = min((trip_evidence(trip) for trip in best), key=lambda e: e.rank)
            ids = tuple(trip.id for trip in best)
            days.append(EligibleDay(day, best[0].mode, weakest, ids))
    return tuple(days)


def trip_evidence(trip: Trip) -> Evidence:
    """The weaker of the trip's two classes."""
    return min(trip.evidence, trip.mode_evidence, key=lambda e: e.rank)


def is_commute(trip: Trip, places: Iterable[NamedPlace]) -> bool:
    """Whether one end lies in a home and the other in a work place, valid on the trip's day."""
    if trip.origin is None or trip.destination is None:
        return False
    day = trip.local_date
    homes_from = homes_to = works_from = works_to = False
    for place in places:
        if not _is_valid(place, day):
            continue
        starts, ends = _holds(place, trip.origin), _holds(place, trip.destination)
        if place.role is PlaceRole.HOME:
            homes_from, homes_to = homes_from or starts, homes_to or ends
        elif place.role is PlaceRole.WORK:
            works_from, works_to = works_from or starts, works_to or ends
    if homes_from and homes_to and works_from and works_to:
        return False  # home and work cannot be told apart here: a walk round the block
    return (homes_from and works_to) or (works_from and homes_to)


def _is_valid(place: NamedPlace, day: date) -> bool:
    return (place.valid_from is None or place.valid_from <= day) and (
        place.valid_until is None or day <= place.valid_until
    )


def _holds(place: NamedPlace, end: Place) -> bool:
    return metres_between(place, end) <= place.radius


def _rank(trip: Trip) -> tuple[int, int, float, str]:
    return (
        -trip_evidence(trip).rank,
        -trip.distance,
        trip.started_at.timestamp(),
        trip.id,
    )


__all__ = ["DayRule", "EligibleDay", "eligible_days", "is_commute", "trip_evidence"]
