"""Raw points into stops, trips and legs: numpy only, deterministic, no network, no map.

1. Points come in order, one a second at most; vague ones (over 100 m) and zigzags are left out.
2. A point is *still* when every point of the five minutes before it lies within 100 m of it: the
   criterion e-mission documents for phones. Runs of still points are stops. A gap of three minutes
   or more in which less than 0.6 m/s was travelled is a stop too (the phone slept); a faster one is
   a tunnel or a flight and belongs to its trip.
3. Between two stops lies a trip, when it leads 100 m away and lasts a minute. After a gap its start
   is put back by the distance at the pace that follows.
4. A trip is cut into legs where walking pace changes to another one for more than a minute. The
   mode of a leg is a guess with a confidence: from what the phone said of its motion when it did,
   else from speeds. A motor vehicle on a road is no mode of ours (bus or car?), so none is guessed.

The numbers are the documented criterion, not a fit: on real days leave-one-day-out chooses the same
(`tests/bench/test_bench_connectors.py`, `tests/unit/connectors/test_segmentation.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from schemas.modes import Mode

Floats = NDArray[np.float64]

EARTH_M: Final = 6_371_008.8
_NEVER: Final = float("inf")


class Hint(IntEnum):
    """What the phone itself said of its motion at a point."""

    NONE = 0
    STILL = 1
    WALK = 2
    BICYCLE = 3
    VEHICLE = 4


@dataclass(frozen=True, slots=True)
class Criteria:
    """What makes a stop and a trip."""

    radius_m: float = 100.0
    dwell_s: float = 300.0
    gap_s: float = 180.0
    slow_m_s: float = 0.6
    accuracy_m: float = 100.0
    extent_m: float = 100.0
    shortest_s: float = 60.0


DEFAULT: Final = Criteria()
WALKING_M_S: Final = 2.3
"""Faster than this over a minute is no walk (8.3 km/h)."""
CYCLING_M_S: Final = 8.5
"""A tenth of a cyclist's points are rarely above 30 km/h."""
RAIL_M_S: Final = 42.0
"""151 km/h held for a tenth of the time: no road, so a train."""
AIR_M_S: Final = 55.0
"""198 km/h: plane or high-speed train, which points cannot tell apart."""
SHORTEST_LEG_S: Final = 60.0
_NEAREST_S: Final = 1.0
"""One point a second, so that speeds mean something."""
_LOOK_S: Final = 5.0
"""Stops are looked for at this grain: a logger's point a second says no more about a dwell."""


@dataclass(frozen=True, slots=True)
class Points:
    """Columns of points in order of time: UNIX seconds, degrees, metres (NaN: unknown), hints."""

    t: Floats
    lat: Floats
    lon: Floats
    accuracy: Floats
    hint: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        t: Sequence[float] | Floats,
        lat: Sequence[float] | Floats,
        lon: Sequence[float] | Floats,
        accuracy: Sequence[float] | Floats | None = None,
        hint: Sequence[int] | NDArray[np.int8] | None = None,
    ) -> Self:
        """Columns in any order; equal instants keep the most accurate, then the first by place."""
        times = np.asarray(t, np.float64)
        lats, lons = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
        radius = (
            np.full(len(times), np.nan) if accuracy is None else np.asarray(accuracy, np.float64)
        )
        said = np.zeros(len(times), np.int8) if hint is None else np.asarray(hint, np.int8)
        order = np.lexsort((lons, lats, np.nan_to_num(radius, nan=50.0), times))
        return cls(times[order], lats[order], lons[order], radius[order], said[order])

    def __len__(self) -> int:
        return len(self.t)

    def take(self, index: Any) -> Self:
        """Some of the points."""
        return type(self)(
            self.t[index], self.lat[index], self.lon[index], self.accuracy[index], self.hint[index]
        )


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a trip in one way of moving: points `first` to `last` of the cleaned points."""

    first: int
    last: int
    distance: float
    mode: Mode
    confidence: float


@dataclass(frozen=True, slots=True)
class Span:
    """One trip: points `first` to `last` of the cleaned points; it began at `started`."""

    first: int
    last: int
    started: float
    ended: float
    distance: float
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Segmented:
    """What the points say."""

    points: Points
    """The cleaned points that indexes count in."""
    trips: tuple[Span, ...]
    open_since: float | None
    """From here on the points may go on (no stop closed them yet); None: all is settled."""


def steps(lat: Floats, lon: Floats) -> Floats:
    """Metres from each point to the next, on a sphere."""
    return distances(lat[:-1], lon[:-1], lat[1:], lon[1:])


def distances(lat_a: Any, lon_a: Any, lat_b: Any, lon_b: Any) -> Floats:
    """Great-circle metres (haversine), element by element."""
    a, b = np.radians(lat_a), np.radians(lat_b)
    half_lat, half_lon = (b - a) / 2, np.radians(np.asarray(lon_b) - np.asarray(lon_a)) / 2
    h = np.sin(half_lat) ** 2 + np.cos(a) * np.cos(b) * np.sin(half_lon) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(1.0, h))), np.float64)


def clean(points: Points, criteria: Criteria = DEFAULT) -> Points:
    """Without vague points, doubles and zigzags (a jump away and straight back)."""
    kept = points.take(~(points.accuracy > criteria.accuracy_m))
    if len(kept) > 1:
        kept = kept.take(_apart(kept.t, _NEAREST_S))
    for _ in range(3):  # two bad points in a row need a second look
        if len(kept) < 3:
            return kept
        step = steps(kept.lat, kept.lon)
        across = distances(kept.lat[:-2], kept.lon[:-2], kept.lat[2:], kept.lon[2:])
        there, back = step[:-1], step[1:]
        bad = (np.minimum(there, back) > 200) & (across < 0.5 * np.minimum(there, back))
        # Of two neighbours that each look like a spike, the first one goes.
        bad[1:] &= ~bad[:-1]
        if not bad.any():
            return kept
        kept = kept.take(np.concatenate(([True], ~bad, [True])))
    return kept


def _apart(t: Floats, seconds: float) -> NDArray[np.bool_]:
    """At most one point in so many seconds, the first of each."""
    keep = np.empty(len(t), np.bool_)
    keep[0] = True
    keep[1:] = np.floor(t[1:] / seconds) > np.floor(t[:-1] / seconds)
    return keep


def _stops(points: Points, criteria: Criteria) -> list[tuple[int, int]]:
    """(first, last) indexes of each stop, in order, apart from each other."""
    grain = _apart(points.t, _LOOK_S)
    grain[-1] = True
    sparse = np.flatnonzero(grain)
    t, lat, lon = points.t[sparse], points.lat[sparse], points.lon[sparse]
    n = len(t)
    still = np.ones(n, np.bool_)
    reach = np.arange(n)
    ongoing = np.ones(n, np.bool_)
    # One pass a lag, over all points at once: a window of five minutes has some tens of points.
    for lag in range(1, n):
        ongoing[:lag] = False
        here = np.flatnonzero(ongoing)
        if not len(here):
            break
        there = here - lag
        far = distances(lat[here], lon[here], lat[there], lon[there]) > criteria.radius_m
        beyond = t[here] - t[there] > criteria.dwell_s
        still[here[far & ~beyond]] = False
        reach[here[~far]] = there[~far]
        ongoing[here[far | beyond]] = False
    still &= t - t[reach] >= criteria.dwell_s
    found: list[tuple[int, int]] = []
    for last in np.flatnonzero(still).tolist():
        first = int(reach[last])
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    found = [(int(sparse[first]), int(sparse[last])) for first, last in found]
    gaps = np.diff(points.t)
    slow = (gaps >= criteria.gap_s) & (steps(points.lat, points.lon) < criteria.slow_m_s * gaps)
    found += [(index, index + 1) for index in np.flatnonzero(slow).tolist()]
    merged: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def segment(points: Points, criteria: Criteria = DEFAULT) -> Segmented:
    """Trips between stops. `open_since` tells what may still go on after the last point."""
    kept = clean(points, criteria)
    n = len(kept)
    if n < 2:
        return Segmented(kept, (), float(kept.t[0]) if n else None)
    found = _stops(kept, criteria)
    runs: list[tuple[int, int]] = []
    previous = 0
    for first, last in found:
        if first > previous:
            runs.append((previous, first))
        previous = last
    if previous < n - 1:
        runs.append((previous, n - 1))
    step = steps(kept.lat, kept.lon)
    trips = tuple(
        span
        for first, last in runs
        if (span := _span(kept, step, first, last, criteria)) is not None
    )
    closed = bool(found) and found[-1][1] == n - 1
    return Segmented(kept, trips, None if closed else float(kept.t[previous]))


def _span(points: Points, step: Floats, first: int, last: int, criteria: Criteria) -> Span | None:
    t, lat, lon = points.t, points.lat, points.lon
    here = slice(first, last + 1)
    away = distances(lat[first], lon[first], lat[here], lon[here])
    started, ended = float(t[first]), float(t[last])
    took = np.maximum(np.diff(t[here]), 1.0)
    pace = step[first:last] / took
    following = pace[1:6]
    speed = max(float(np.median(following)) if len(following) else 1.2, 0.8)
    started = max(started, float(t[first + 1]) - float(step[first]) / speed)
    if float(away.max()) < criteria.extent_m or ended - started < criteria.shortest_s:
        return None
    return Span(
        first=first,
        last=last,
        started=started,
        ended=ended,
        distance=float(step[first:last].sum()),
        legs=_legs(points, step, first, last),
    )


def _legs(points: Points, step: Floats, first: int, last: int) -> tuple[Leg, ...]:
    """Cut where walking pace begins or ends for longer than `SHORTEST_LEG_S`."""
    t = points.t
    took = np.maximum(np.diff(t[first : last + 1]), 1.0)
    pace = _smooth(step[first:last] / took)
    hints = points.hint[first + 1 : last + 1]
    walking = np.where(
        hints == Hint.NONE, pace < WALKING_M_S, (hints == Hint.WALK) | (hints == Hint.STILL)
    )
    bounds = [0, *(np.flatnonzero(np.diff(walking.astype(np.int8))) + 1).tolist(), last - first]
    parts = [[low, high, bool(walking[low])] for low, high in pairwise(bounds)]
    # The shortest part that is too short to be a leg joins its neighbours, again and again.
    while len(parts) > 1:
        lengths = [float(took[low:high].sum()) for low, high, _ in parts]
        shortest = min(range(len(parts)), key=lambda index: (lengths[index], index))
        if lengths[shortest] >= SHORTEST_LEG_S:
            break
        low, high = max(shortest - 1, 0), min(shortest + 1, len(parts) - 1)
        heavier = max(
            (index for index in range(low, high + 1) if index != shortest),
            key=lambda index: (lengths[index], -index),
        )
        kind = parts[heavier][2]
        joined = [index for index in (low, shortest, high) if parts[index][2] == kind]
        low, high = min([*joined, shortest]), max([*joined, shortest])
        parts[low : high + 1] = [[parts[low][0], parts[high][1], kind]]
    legs = []
    for low, high, _ in parts:
        mode, confidence = guess(step[first + low : first + high], took[low:high], hints[low:high])
        distance = float(step[first + low : first + high].sum())
        legs.append(Leg(first + low, first + high, distance, mode, confidence))
    return _settled(legs)


def _settled(legs: list[Leg]) -> tuple[Leg, ...]:
    """Slow stretches of a motor trip are no bicycle; neighbours of one mode are one leg."""
    motor = max((leg.distance for leg in legs if leg.mode == Mode.UNKNOWN), default=0.0)
    out: list[Leg] = []
    for leg in legs:
        mode, confidence = leg.mode, leg.confidence
        if mode == Mode.BICYCLE and confidence <= 0.5 and motor > leg.distance:
            mode, confidence = Mode.UNKNOWN, 0.0
        if out and out[-1].mode == mode:
            before = out.pop()
            confidence = min(before.confidence, confidence)
            joined = replace(before, last=leg.last, distance=before.distance + leg.distance)
            out.append(replace(joined, confidence=confidence))
        else:
            out.append(replace(leg, mode=mode, confidence=confidence))
    return tuple(out)


def _smooth(pace: Floats) -> Floats:
    """Median of five, so that one bad fix starts no leg."""
    if len(pace) < 5:
        return pace
    padded = np.concatenate((pace[:2][::-1], pace, pace[-2:][::-1]))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    return np.asarray(np.median(windows, axis=1), np.float64)


def guess(step: Floats, took: Floats, hints: NDArray[np.int8]) -> tuple[Mode, float]:
    """A mode and how sure it is (0 to 1); `Mode.UNKNOWN` for a motor vehicle on a road."""
    total = float(took.sum())
    weighed = {hint: float(took[hints == hint].sum()) / total for hint in Hint if total > 0}
    moving = 1.0 - weighed.get(Hint.NONE, 1.0) - weighed.get(Hint.STILL, 0.0)
    pace = step / took
    mean = float(step.sum()) / max(total, 1.0)
    fast = _held(pace, took)
    if fast >= AIR_M_S:
        return Mode.AIR_OR_HSR, 0.8
    if moving > 0.5:
        said = max((Hint.WALK, Hint.BICYCLE, Hint.VEHICLE), key=lambda hint: weighed[hint])
        sure = round(min(0.95, weighed[said] / moving), 2)
        if said == Hint.WALK and mean < WALKING_M_S * 1.5:
            return Mode.WALK, sure
        if said == Hint.BICYCLE and mean < CYCLING_M_S:
            return Mode.BICYCLE, sure
    if fast >= RAIL_M_S:
        return Mode.TRAIN, 0.7
    if moving > 0.5 and weighed[Hint.VEHICLE] / moving > 0.5:
        return Mode.UNKNOWN, 0.0
    if mean < WALKING_M_S and fast < WALKING_M_S * 1.5:
        return Mode.WALK, 0.8
    if mean < CYCLING_M_S * 0.75 and fast < CYCLING_M_S:
        return Mode.BICYCLE, 0.5
    return Mode.UNKNOWN, 0.0


def _held(pace: Floats, took: Floats) -> float:
    """The pace kept up or passed for a tenth of the time."""
    if not len(pace):
        return 0.0
    order = np.argsort(pace, kind="stable")
    passed = np.cumsum(took[order])
    return float(pace[order][np.searchsorted(passed, 0.9 * passed[-1])])


__all__ = [
    "DEFAULT",
    "Criteria",
    "Hint",
    "Leg",
    "Points",
    "Segmented",
    "Span",
    "clean",
    "distances",
    "guess",
    "segment",
    "steps",
]
