"""Giving traces away: trips with what points at a person cut off, blurred or left out.

What is done, in this order, to every trip:

1. Points inside a hidden circle around a « domicile » or « travail » are left out wherever they
   stand in the track; the circle is not centred on the place (below).
2. With `every_end`, the beginning and the end of every other trip are cut the same way. A vault
   that knows no place of its owner's always does this.
3. The start is told to the hour, the day or the week; points keep seconds since the first one
   kept, so that speeds survive and clocks do not.
4. Purpose, labels of places, evidence, sources and the names of the vault's records are left out.
   Traces are numbered in an order that is not that of time.

A circle centred on a home gives it away once a few trips end on its rim. So each centre is moved by
up to half the radius, by a keyed hash of the place and the radius: the same at each gift (another
draw each time would average out), and only `RADII` are offered (each radius is one draw more).
What stays told: where somebody travels outside the circles. The page says so; this is no anonymity.
"""

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from math import cos, hypot, pi, radians, sin, sqrt
from typing import Any, Final, NamedTuple

from schemas.records import NamedPlace, PlaceRole, Trip, zone

RADII: Final = (200, 300, 500, 1000)
"""Metres a person may choose from."""
SHORTEST_M: Final = 300
"""A rest shorter than this says little of a road and much of a door: left out."""
CELL: Final = 3
"""Decimals of a degree (some 110 m) within which two ends of trips are one place."""
_METRES: Final = 111_195.0

Point = tuple[datetime, float, float]


class Coarseness(StrEnum):
    """How exactly the start of a trace is told."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class Licence(StrEnum):
    """Under what terms a trace is given; values are SPDX identifiers."""

    ODBL = "ODbL-1.0"
    ETALAB = "etalab-2.0"
    CC_BY = "CC-BY-4.0"
    CC0 = "CC0-1.0"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person chose."""

    since: date
    until: date
    radius: int = 300
    times: Coarseness = Coarseness.DAY
    licence: Licence = Licence.ODBL
    pseudonym: str = ""
    every_end: bool = True

    def __post_init__(self) -> None:
        if self.radius not in RADII:
            raise ValueError("not a radius that is offered")


class Circle(NamedTuple):
    """Where nothing is told."""

    lat: float
    lon: float
    radius: float

    def holds(self, lat: float, lon: float) -> bool:
        """Whether a point lies in it."""
        east = (lon - self.lon) * cos(radians(self.lat))
        return hypot(lat - self.lat, east) * _METRES <= self.radius


@dataclass(frozen=True, slots=True)
class Trace:
    """What is told of one trip."""

    started: str
    mode: str
    pieces: tuple[tuple[tuple[int, float, float], ...], ...]
    """(seconds since the first point kept, latitude, longitude)."""
    distance: int


@dataclass(frozen=True, slots=True)
class Donation:
    """A gift, before it is given."""

    terms: Terms
    traces: tuple[Trace, ...]
    trips: int
    without_track: int
    too_short: int
    """Trips of which nothing worth telling was left."""
    points: int
    hidden: int
    """Points left out around places and ends."""

    def geojson(self) -> bytes:
        """The file: RFC 7946, one feature a trace, the same bytes for the same gift."""
        document = {
            "type": "FeatureCollection",
            "licence": self.terms.licence.value,
            "contributor": self.terms.pseudonym,
            "timePrecision": self.terms.times.value,
            "hiddenRadius": self.terms.radius,
            "features": [
                {
                    "type": "Feature",
                    "id": number,
                    "properties": {
                        "started": trace.started,
                        "mode": trace.mode,
                        "distance": trace.distance,
                        "seconds": [[p[0] for p in piece] for piece in trace.pieces],
                    },
                    "geometry": {
                        "type": "MultiLineString",
                        "coordinates": [[[p[2], p[1]] for p in piece] for piece in trace.pieces],
                    },
                }
                for number, trace in enumerate(self.traces, 1)
            ],
        }
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text.encode()

    def receipt(self, *, at: datetime) -> dict[str, Any]:
        """What was given, under which terms, by which name, with the file's digest."""
        terms = self.terms
        return {
            "type": "TraceGift",
            "givenAt": at.isoformat(timespec="seconds"),
            "contributor": terms.pseudonym,
            "licence": terms.licence.value,
            "period": {"since": terms.since.isoformat(), "until": terms.until.isoformat()},
            "hiddenRadius": terms.radius,
            "everyEnd": terms.every_end,
            "timePrecision": terms.times.value,
            "traces": len(self.traces),
            "points": self.points,
            "sha256": hashlib.sha256(self.geojson()).hexdigest(),
        }


def prepare(
    trips: Iterable[Trip],
    track_of: Callable[[Trip], Sequence[Point]],
    places: Iterable[NamedPlace],
    terms: Terms,
    *,
    secret: bytes,
) -> Donation:
    """The gift of `trips` under `terms`. `secret` is the vault's own, the same at each gift."""
    own = [place for place in places if place.role in {PlaceRole.HOME, PlaceRole.WORK}]
    circles = [_moved(p.lat, p.lon, f"place {p.id}", terms.radius, secret) for p in own]
    every_end = terms.every_end or not own
    traces: list[Trace] = []
    count = without = short = hidden = 0
    for trip in trips:
        count += 1
        track = track_of(trip)
        if len(track) < 2:
            without += 1
            continue
        kept = [not any(c.holds(lat, lon) for c in circles) for _, lat, lon in track]
        if every_end:
            _cut_ends(track, kept, terms.radius, secret)
        hidden += len(kept) - sum(kept)
        pieces = _pieces(track, kept)
        distance = round(sum(_length(piece) for piece in pieces))
        if distance < SHORTEST_M:
            short += 1
            continue
        first = pieces[0][0][0]
        traces.append(
            Trace(
                started=_coarse(first.astimezone(zone(trip.start_zone)), terms.times),
                mode=trip.mode.value,
                pieces=tuple(
                    tuple(
                        (round((at - first).total_seconds()), round(lat, 5), round(lon, 5))
                        for at, lat, lon in piece
                    )
                    for piece in pieces
                ),
                distance=distance,
            )
        )
    # Not the order of time: the digest of what is told, keyed, gives one that says nothing.
    traces.sort(key=lambda trace: hmac.digest(secret, repr(trace).encode(), "sha256"))
    return Donation(
        terms=terms,
        traces=tuple(traces),
        trips=count,
        without_track=without,
        too_short=short,
        points=sum(len(piece) for trace in traces for piece in trace.pieces),
        hidden=hidden,
    )


def _moved(lat: float, lon: float, name: str, radius: int, secret: bytes) -> Circle:
    """A circle that holds the place and is not centred on it: moved by up to half its radius."""
    drawn = hmac.digest(secret, f"{name} {radius}".encode(), "sha256")
    angle = 2 * pi * int.from_bytes(drawn[:8]) / 2**64
    far = radius / 2 * sqrt(int.from_bytes(drawn[8:16]) / 2**64)
    north, east = far * sin(angle) / _METRES, far * cos(angle) / _METRES
    return Circle(lat + north, lon + east / max(cos(radians(lat)), 0.01), radius)


def _cut_ends(track: Sequence[Point], kept: list[bool], radius: int, secret: bytes) -> None:
    """Leave out each end up to where the track leaves the circle of that end for the first time."""
    for indexes in (range(len(track)), range(len(track) - 1, -1, -1)):
        _, lat, lon = track[indexes[0]]
        cell = f"end {round(lat, CELL)} {round(lon, CELL)}"
        circle = _moved(lat, lon, cell, radius, secret)
        for index in indexes:
            if not circle.holds(track[index][1], track[index][2]):
                break
            kept[index] = False


def _pieces(track: Sequence[Point], kept: Sequence[bool]) -> list[list[Point]]:
    """Runs of points that are kept, of two at least."""
    pieces: list[list[Point]] = [[]]
    for point, keep in zip(track, kept, strict=True):
        if keep:
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]


def _length(piece: Sequence[Point]) -> float:
    total = 0.0
    for (_, lat_a, lon_a), (_, lat_b, lon_b) in pairwise(piece):
        total += hypot(lat_b - lat_a, (lon_b - lon_a) * cos(radians(lat_a))) * _METRES
    return total


def _coarse(at: datetime, times: Coarseness) -> str:
    match times:
        case Coarseness.HOUR:
            return at.strftime("%Y-%m-%dT%H")
        case Coarseness.DAY:
            return at.date().isoformat()
        case Coarseness.WEEK:
            year, week, _ = at.isocalendar()
            return f"{year}-W{week:02d}"


SYLLABLES: Final = ("ba", "co", "di", "fu", "ga", "lo", "mi", "na", "pe", "ro", "su", "ti", "va")


def new_pseudonym(dice: random.Random) -> str:
    """A name that says nothing, another one at each gift, so that gifts do not join."""
    return "".join(dice.choice(SYLLABLES) for _ in range(4)) + f"-{dice.randrange(100):02d}"


__all__ = [
    "RADII",
    "Coarseness",
    "Donation",
    "Licence",
    "Terms",
    "Trace",
    "new_pseudonym",
    "prepare",
]
