"""Reconciling only what was touched: what to write so that the trips follow from the observations
again. Which part of time that is, `vault/reconcile.py` says (`touched_windows`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from schemas.ids import Digest, Iri
from schemas.observations import (
    LabelObservation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import Trip
from vault.reconcile import Reconciliation, Windows, known_from, reconcile

__all__ = ["Change", "Interval", "settle", "span_of", "span_of_windows"]

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Change:
    """Trips to write and to remove."""

    new: tuple[Trip, ...]
    changed: tuple[Trip, ...]
    gone: tuple[Trip, ...]
    kept: tuple[Trip, ...]
    found: Reconciliation


def span_of(items: Sequence[Received]) -> Interval | None:
    """From the first start to the last end of what is dated."""
    spans: list[Interval] = []
    for item in items:
        observation = item.observation
        if isinstance(observation, TripObservation | LabelObservation):
            spans.append((observation.started_at, observation.ended_at))
        elif isinstance(observation, Suppression) and observation.started_at is not None:
            spans.append((observation.started_at, observation.ended_at or observation.started_at))
    if not spans:
        return None
    return min(start for start, _ in spans), max(end for _, end in spans)


def span_of_windows(windows: Windows) -> Interval | None:
    if not windows.spans:
        return None
    return (
        datetime.fromtimestamp(windows.spans[0][0], UTC),
        datetime.fromtimestamp(windows.spans[-1][1], UTC),
    )


def settle(
    windows: Windows,
    received: Sequence[Received],
    trips: Sequence[Trip],
    *,
    mint: Callable[[Iri], Iri],
    tracks: Callable[[Iri], Digest | None],
) -> Change:
    """Compare what reconciliation says for `windows` with the trips that are kept.

    `received` and `trips` cover at least the windows. `tracks` gives the digest of the bytes whose
    track an observation left.
    """
    known = known_from(trips)
    found = reconcile(
        [item for item in received if windows.holds(item)],
        known=known.iris,
        aliases=known.aliases,
        mint=mint,
        tracks=tracks,
    )
    old = {trip.id: trip for trip in trips if windows.holds_trip(trip)}
    new: list[Trip] = []
    changed: list[Trip] = []
    kept = [trip for trip in trips if trip.id not in old]
    for trip in found.trips:
        before = old.pop(trip.id, None)
        if before is None:
            new.append(trip)
        elif replace(trip, revision=before.revision) != before:
            changed.append(replace(trip, revision=before.revision + 1))
        else:
            kept.append(before)
    return Change(tuple(new), tuple(changed), tuple(old.values()), tuple(kept), found)
