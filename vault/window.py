"""Reconciling only what was touched.

`settle` re-runs reconciliation over the days around what changed and says what to write. The rule:
trips that start within one day of a touched interval are rewritten from every observation within
two days of it; all others stay as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from schemas.ids import Iri
from schemas.observations import LabelObservation, Received, TripObservation
from schemas.records import Trip
from vault.reconcile import reconcile

__all__ = ["Change", "Interval", "merged", "settle"]

Interval = tuple[datetime, datetime]

CORE: Final = timedelta(days=1)
MARGIN: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Change:
    """What to write so that the trips follow from the observations again."""

    new: tuple[Trip, ...]
    changed: tuple[Trip, ...]
    gone: tuple[Trip, ...]
    ambiguous: tuple[tuple[Iri, Iri], ...]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals joined where their margins meet, in order."""
    out: list[Interval] = []
    for start, end in sorted(intervals):
        if out and start - 2 * MARGIN <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def within(received: Received, interval: Interval) -> bool:
    """Whether an observation matters for an interval: what the citizen decided always does."""
    observation = received.observation
    if isinstance(observation, TripObservation | LabelObservation):
        start, end = interval
        return observation.started_at <= end + MARGIN and observation.ended_at >= start - MARGIN
    return True


def settle(
    interval: Interval,
    received: Sequence[Received],
    trips: Sequence[Trip],
    *,
    mint: Callable[[Iri], Iri],
    track_of: Callable[[Iri], bytes | None],
) -> Change:
    """Compare what reconciliation says for one interval with the trips that are kept.

    `received` and `trips` cover at least the interval and its margin. `track_of` gives the digest
    of the bytes whose track an observation left, if it left one.
    """
    start, end = interval
    low, high = start - CORE, end + CORE
    near = [item for item in received if within(item, interval)]
    known: dict[Iri, Iri] = {o: trip.id for trip in trips for o in trip.observations}
    found = reconcile(near, known=known, mint=mint)
    kept: Mapping[Iri, Trip] = {trip.id: trip for trip in trips}
    named = {alias: trip for trip in trips for alias in (trip.id, *trip.aliases)}
    new: list[Trip] = []
    changed: list[Trip] = []
    said = {trip.id for trip in found.trips}
    for trip in found.trips:
        if not low <= trip.started_at <= high:
            continue
        tracked = _with_track(trip, track_of)
        old = kept.get(trip.id) or named.get(trip.id)
        if old is None:
            new.append(replace(tracked, revision=1))
        elif replace(tracked, revision=old.revision) != old:
            changed.append(replace(tracked, revision=old.revision + 1))
    gone = [t for t in trips if low <= t.started_at <= high and t.id not in said]
    return Change(tuple(new), tuple(changed), tuple(gone), tuple(found.ambiguous))


def _with_track(trip: Trip, track_of: Callable[[Iri], bytes | None]) -> Trip:
    for iri in trip.observations:
        found = track_of(iri)
        if found is not None:
            from schemas.ids import Digest

            return replace(trip, track=Digest(found))
    return trip
