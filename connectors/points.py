"""From points to trips: what phones and files of raw positions leave becomes observations.

Points are kept as columns of numbers while they are read (28 bytes each: a year of a phone is
8 MB), checked like any other input, segmented, and written as one observation a trip with its
packed track.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import numpy as np
from tzfpy import get_tz

from connectors.base import UNNAMED, Page, Rejected, identified
from connectors.parsing import EARLIEST, SKEW
from connectors.segmentation import DEFAULT, Criteria, Hint, Points, Segmented, Span, segment
from connectors.zones import is_zone
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TripObservation
from schemas.records import Place
from schemas.tracks import MAX_POINTS, UNITS_PER_DEGREE, PackedTrack
from schemas.units import Metres

MAX_HELD: Final = 4_000_000
"""Points of one file: more than ten years of the busiest phone, 120 MB of columns."""
_GROW: Final = 65_536


class Collector:
    """Points as they are read, checked, in columns."""

    def __init__(self, *, at: datetime, limit: int = MAX_HELD) -> None:
        self._earliest, self._latest = EARLIEST.timestamp(), (at + SKEW).timestamp()
        self._limit = limit
        self._t, self._lat, self._lon = array("d"), array("d"), array("d")
        self._accuracy, self._hint = array("f"), array("b")

    def __len__(self) -> int:
        return len(self._t)

    def add(
        self,
        t: float,
        lat: float,
        lon: float,
        *,
        accuracy: float | None = None,
        hint: Hint = Hint.NONE,
    ) -> str | None:
        """Take one point; the rule it breaks when it is not taken."""
        # One comparison chain for the good ones (NaN fails it), the rule only for the others.
        if not (
            self._earliest <= t <= self._latest
            and -90 <= lat <= 90
            and -180 <= lon <= 180
            and (lat or lon)
            and len(self._t) < self._limit
        ):
            return self._rule(t, lat, lon)
        self._t.append(t)
        self._lat.append(lat)
        self._lon.append(lon)
        known = accuracy is not None and 0 <= accuracy < 1e7
        self._accuracy.append(accuracy if known and accuracy is not None else math.nan)
        self._hint.append(hint)
        return None

    def _rule(self, t: float, lat: float, lon: float) -> str:
        if not (math.isfinite(t) and math.isfinite(lat) and math.isfinite(lon)):
            return "not-a-number"
        if t < self._earliest:
            return "time-implausible"
        if t > self._latest:
            return "time-in-milliseconds" if 1e11 <= t < 1e14 else "time-in-future"
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            return "coordinates-out-of-range"
        if lat == 0 and lon == 0:
            return "coordinates-null-island"
        return "too-many-points"

    def points(self) -> Points:
        """All of them, in order of time."""
        return Points.of(
            np.frombuffer(self._t, np.float64),
            np.frombuffer(self._lat, np.float64),
            np.frombuffer(self._lon, np.float64),
            np.frombuffer(self._accuracy, np.float32),
            np.frombuffer(self._hint, np.int8),
        )


def trips_of(
    points: Points,
    *,
    source: str,
    account: str,
    criteria: Criteria = DEFAULT,
    upstream: str | None = None,
) -> tuple[tuple[TripObservation, ...], float | None]:
    """Trips of the points, oldest first, and since when the points may still go on."""
    found = segment(points, criteria)
    trips = tuple(
        observation(found, span, source=source, account=account, upstream=upstream)
        for span in found.trips
    )
    return trips, found.open_since


def observation(
    found: Segmented, span: Span, *, source: str, account: str, upstream: str | None = None
) -> TripObservation:
    """One trip: ends, legs with their guesses, track."""
    points = found.points
    start, end = _place(points, span.first), _place(points, span.last)
    legs = tuple(
        LegObservation(
            mode_claims=_claims(leg.mode, leg.confidence),
            distance=Metres(round(leg.distance)),
            started_at=_instant(
                span.started if leg.first == span.first else float(points.t[leg.first])
            ),
            ended_at=_instant(float(points.t[leg.last])),
            origin=_place(points, leg.first),
            destination=_place(points, leg.last),
        )
        for leg in span.legs
    )
    main = max(span.legs, key=lambda leg: (leg.distance, -leg.first))
    return identified(
        TripObservation(
            id=UNNAMED,
            source=source,
            account=account,
            upstream_ids=(upstream,) if upstream else (),
            started_at=_instant(span.started),
            ended_at=_instant(span.ended),
            start_zone=zone_of(start.lat, start.lon),
            end_zone=zone_of(end.lat, end.lon),
            origin=start,
            destination=end,
            legs=legs if len(legs) > 1 else (),
            distance=Metres(round(span.distance)),
            mode_claims=_claims(main.mode, main.confidence) if len(legs) <= 1 else (),
            track=track_of(points, span.first, span.last),
        )
    )


def track_of(points: Points, first: int, last: int) -> PackedTrack | None:
    """Points `first` to `last` as a packed track, thinned evenly when too many."""
    here = np.arange(first, last + 1)
    if len(here) > MAX_POINTS:
        here = np.unique(np.linspace(first, last, MAX_POINTS).round().astype(np.int64))
    return PackedTrack.of_columns(
        np.round(points.t[here]).astype(np.int64).tolist(),
        np.round(points.lat[here] * UNITS_PER_DEGREE).astype(np.int64).tolist(),
        np.round(points.lon[here] * UNITS_PER_DEGREE).astype(np.int64).tolist(),
    )


def with_mode(trip: TripObservation, mode: Mode, by: ClaimBy) -> TripObservation:
    """`trip` with what its source says its mode was, before our guesses."""
    return identified(replace(trip, mode_claims=(ModeClaim(mode=mode, by=by), *trip.mode_claims)))


def zone_of(lat: float, lon: float) -> str:
    """The IANA zone of a place; `Etc/UTC` where the map has none that this machine knows."""
    return _zone(round(lat, 3), round(lon, 3))


@lru_cache(maxsize=4096)
def _zone(lat: float, lon: float) -> str:
    """By hundred metres: most trips begin where another ended."""
    name = get_tz(lon, lat)
    return name if is_zone(name) else "Etc/UTC"


def _claims(mode: Mode, confidence: float) -> tuple[ModeClaim, ...]:
    if mode == Mode.UNKNOWN:
        return ()
    return (ModeClaim(mode=mode, by=ClaimBy.INFERENCE, confidence=confidence),)


def _place(points: Points, index: int) -> Place:
    return Place(lat=round(float(points.lat[index]), 6), lon=round(float(points.lon[index]), 6))


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds), UTC)


def pages(
    trips: Sequence[TripObservation],
    rejected: Sequence[Rejected] = (),
    skipped: Mapping[str, int] | None = None,
    *,
    size: int = 200,
) -> Iterator[Page]:
    """Trips a page at a time; what was left out is told with the first, which always comes."""
    yield Page(
        records=tuple(trips[:size]),
        rejected=tuple(rejected),
        skipped=dict(sorted((skipped or {}).items())),
    )
    for start in range(size, len(trips), size):
        yield Page(records=tuple(trips[start : start + size]))


__all__ = [
    "MAX_HELD",
    "Collector",
    "observation",
    "pages",
    "track_of",
    "trips_of",
    "with_mode",
    "zone_of",
]
