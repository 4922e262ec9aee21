"""Low-emission zones: which vehicles a territory keeps out, from when to when, and what is known of
the law.

The national base (schema `etalab/schema-zfe`, GeoJSON « aires ») says, for each kind of vehicle,
from which class on it may not drive: `V4` keeps out classes 4, 5 and the unclassed. An operator
mounts newer files of that schema, with outlines; what ships here are its facts of December 2023, by
code of the authority. With an outline and a point the answer is exact; else a zone may be smaller
than the territory of its authority, and the answer says so. Pure.
"""

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

from federation.aids.clean_air import AirClass, VehicleCategory
from federation.aids.errors import ZoneFileError
from federation.aids.model import Text
from federation.aids.territories import TerritoryCodes

__all__ = [
    "LegalState",
    "Point",
    "Step",
    "Verdict",
    "Zone",
    "ZoneBook",
    "ZoneStanding",
    "mounted_zones",
    "read_areas",
    "shipped_zones",
]

MAX_FILE: Final = 60_000_000
"""Bytes: the national base with its outlines has about 20 MB."""
MAX_AREAS: Final = 5_000
MAX_POINTS: Final = 3_000_000
"""Points of all outlines of a file: 48 MB."""
STALE_DAYS: Final = 366
_COLUMNS: Final[Mapping[VehicleCategory, tuple[str, ...]]] = {
    VehicleCategory.CAR: ("vp",),
    VehicleCategory.VAN: ("vul",),
    VehicleCategory.HEAVY: ("pl", "autobus_autocars"),
    VehicleCategory.MOTORCYCLE: ("deux_rm",),
    VehicleCategory.MOPED: ("deux_rm",),
}
"""Prefix of the columns of the schema, by category; the strictest of several counts."""
_LEVELS: Final = {f"V{n}": AirClass(str(n)) for n in range(1, 6)} | {"NC": AirClass.UNCLASSED}
_COMMUNES: Final = {"217500016": "75056"}
"""A commune that publishes under its SIREN → its INSEE code."""
_IDENTIFIER: Final = re.compile(r"(?P<siren>[0-9]{9})[0-9]?-|(?P<commune>[0-9][0-9AB][0-9]{3})-")
_LINK: Final = re.compile(r"https?://[^\s<>\"']{1,400}")


Ring: TypeAlias = "array[float]"
"""Longitude, latitude, longitude, …: a closed line, WGS 84 degrees."""
Point = tuple[float, float]
"""(latitude, longitude)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """From which class on a kind of vehicle is kept out, and when."""

    from_class: AirClass
    """This class and every worse one may not drive."""
    hours: str
    """OpenStreetMap opening hours; empty: not said."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an order says from one day to another, both included."""

    since: date
    until: date | None
    kept: Mapping[VehicleCategory, Kept]
    people: bool = True
    """False: for vehicles of companies only."""
    outline: tuple[Ring, ...] = ()
    """Outer lines and holes alike; empty: not known."""

    def is_on(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.since <= day and (self.until is None or day <= self.until)

    def holds(self, point: Point | None) -> bool:
        """Whether a point lies inside; without a point or an outline, everything does."""
        if point is None or not self.outline:
            return True
        crossed = sum(_crossings(ring, point) for ring in self.outline)
        return crossed % 2 == 1


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone of one authority."""

    territory: tuple[str, str]
    """(level, code): the commune or the group of communes that made the order."""
    name: str
    steps: tuple[Step, ...]
    link: str = ""


@dataclass(frozen=True, slots=True)
class LegalState:
    """What was known of the law, and on which day."""

    as_of: date
    words: Text
    source: str


class Verdict(StrEnum):
    """What a place and a day mean for a vehicle."""

    NO_ZONE = "no-zone"
    FREE = "free"
    """There is a zone; this vehicle may drive in it."""
    KEPT_OUT = "kept-out"


@dataclass(frozen=True, slots=True)
class ZoneStanding:
    """The answer for one vehicle, place and day."""

    verdict: Verdict
    zone: Zone | None = None
    hours: str = ""
    next_day: date | None = None
    """The first later day on which the answer changes."""
    next_verdict: Verdict | None = None
    is_exact: bool = False
    """The outline was looked at, for this very point."""


@dataclass(frozen=True, slots=True)
class ZoneBook:
    """Every zone that is known here, and of which day that knowledge is."""

    zones: tuple[Zone, ...]
    source: str
    as_of: date
    states: tuple[LegalState, ...]

    def is_stale(self, at: date) -> bool:
        """Whether a year has passed since what is known: orders change about once a year."""
        return (at - self.as_of).days > STALE_DAYS

    def state(self, at: date) -> LegalState:
        """The newest state of the law that was known on that day; before the first, the first."""
        known = [state for state in self.states if state.as_of <= at]
        return known[-1] if known else self.states[0]

    def of(self, codes: TerritoryCodes) -> tuple[Zone, ...]:
        """The zones of a commune's territories, the nearest authority first."""
        found = [zone for zone in self.zones if zone.territory in codes]
        return tuple(sorted(found, key=lambda zone: zone.territory[0] != "commune"))

    def standing(
        self,
        codes: TerritoryCodes,
        category: VehicleCategory,
        air: AirClass,
        *,
        at: date,
        point: Point | None = None,
    ) -> ZoneStanding:
        """Whether this vehicle is kept out there on that day, at that very point when one is given
        and the outline is known. The strictest zone counts."""
        zones = self.of(codes)
        if not zones:
            return ZoneStanding(Verdict.NO_ZONE)
        exact = point is not None and all(step.outline for z in zones for step in z.steps)
        point = point if exact else None
        verdict, zone, hours = _on(zones, category, air, at, point)
        edges = (day for z in zones for step in z.steps for day in _edges(step))
        for day in sorted({day for day in edges if day is not None and day > at}):
            later = _on(zones, category, air, day, point)[0]
            if later is not verdict:
                return ZoneStanding(verdict, zone, hours, day, later, exact)
        return ZoneStanding(verdict, zone, hours, is_exact=exact)


def _edges(step: Step) -> tuple[date | None, date | None]:
    after = None if step.until is None else date.fromordinal(step.until.toordinal() + 1)
    return step.since, after


def _crossings(ring: Ring, point: Point) -> int:
    """How often a ray to the east of `point` meets the line: odd inside (even-odd rule)."""
    y, x = point
    found = 0
    last = len(ring) - 2
    x1, y1 = ring[last], ring[last + 1]
    for at in range(0, len(ring), 2):
        x2, y2 = ring[at], ring[at + 1]
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            found += 1
        x1, y1 = x2, y2
    return found


def _on(
    zones: Iterable[Zone],
    category: VehicleCategory,
    air: AirClass,
    day: date,
    point: Point | None,
) -> tuple[Verdict, Zone | None, str]:
    first: Zone | None = None
    for zone in zones:
        first = first or zone
        for step in zone.steps:
            kept = step.kept.get(category)
            if kept is None or not step.people or not step.is_on(day) or kept.hours == "off":
                continue
            if air.rank >= kept.from_class.rank and step.holds(point):
                return Verdict.KEPT_OUT, zone, kept.hours
    return Verdict.FREE, first, ""


def read_areas(data: bytes, *, name: str) -> tuple[Zone, ...]:
    """The zones of a GeoJSON file of the schema, with their outlines where it has them.

    Raises:
        ZoneFileError: not such a file, or too large; `.where` names the feature.
    """
    if len(data) > MAX_FILE:
        raise ZoneFileError(name, f"over {MAX_FILE} bytes")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ZoneFileError(name, "not JSON") from error
    features = body.get("features") if isinstance(body, dict) else None
    if not isinstance(features, list) or len(features) > MAX_AREAS:
        raise ZoneFileError(name, f"a collection of at most {MAX_AREAS} features is expected")
    steps: dict[tuple[str, str], list[Step]] = {}
    names: dict[tuple[str, str], str] = {}
    links: dict[tuple[str, str], str] = {}
    room = MAX_POINTS
    for number, feature in enumerate(features):
        where = f"{name} · features[{number}]"
        found = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(found, dict):
            raise ZoneFileError(where, "no properties")
        territory = _territory(found, where)
        publisher = found.get("publisher")
        called = publisher.get("nom") if isinstance(publisher, dict) else None
        names.setdefault(territory, str(called or territory[1])[:120])
        for member in ("url_arrete", "url_site_information"):
            link = found.get(member)
            if isinstance(link, str) and _LINK.fullmatch(link):
                links.setdefault(territory, link)
                break
        outline = tuple(_rings(feature.get("geometry"), where))
        room -= sum(len(ring) // 2 for ring in outline)
        if room < 0:
            raise ZoneFileError(where, f"over {MAX_POINTS} points")
        steps.setdefault(territory, []).append(_step(found, outline, where))
    return tuple(
        Zone(
            territory,
            names[territory],
            tuple(sorted(found, key=lambda step: (step.since, step.until or date.max))),
            links.get(territory, ""),
        )
        for territory, found in steps.items()
    )


def _territory(found: Mapping[str, Any], where: str) -> tuple[str, str]:
    identifier = str(found.get("id") or "")
    match = _IDENTIFIER.match(identifier)
    if match is None:
        raise ZoneFileError(where, "the id does not begin with a SIREN or an INSEE code")
    siren = match["siren"]
    if siren is None:
        return "commune", str(match["commune"])
    return ("commune", _COMMUNES[siren]) if siren in _COMMUNES else ("epci", siren)


def _rings(geometry: Any, where: str) -> Iterator[Ring]:
    """Every line of a Polygon or MultiPolygon (RFC 7946); nothing when there is none."""
    if geometry is None:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise ZoneFileError(where, "not a polygon")
    given = geometry.get("coordinates")
    polygons = [given] if kind == "Polygon" else given
    try:
        for polygon in polygons:
            for line in polygon:
                ring = array("d")
                for position in line:
                    ring.extend((float(position[0]), float(position[1])))
                if not all(-180 <= degree <= 180 for degree in ring):
                    raise ZoneFileError(where, "not degrees")
                if len(ring) >= 8:  # what a simplification flattened holds nothing
                    yield ring
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ZoneFileError(where, "not the coordinates of a polygon") from error


def _step(found: Mapping[str, Any], outline: tuple[Ring, ...], where: str) -> Step:
    since = _day(found.get("date_debut"), where)
    if since is None:
        raise ZoneFileError(where, "date_debut is missing")
    owner = str(found.get("proprietaire_vehicule") or "")
    return Step(
        since=since,
        until=_day(found.get("date_fin"), where),
        kept={
            category: kept
            for category, columns in _COLUMNS.items()
            if (kept := _kept(found, columns, where)) is not None
        },
        people=owner.strip().upper() != "PERSONNE MORALE",
        outline=outline,
    )


def _kept(found: Mapping[str, Any], columns: tuple[str, ...], where: str) -> Kept | None:
    best: Kept | None = None
    for column in columns:
        text = str(found.get(f"{column}_critair") or "").strip().upper()
        if not text:
            continue
        level = _LEVELS.get(text) or _LEVELS.get(f"V{text}")
        if level is None:
            raise ZoneFileError(where, f"{column}_critair is not V1 to V5 or NC")
        hours = str(found.get(f"{column}_horaires") or "")[:120]
        if best is None or level.rank < best.from_class.rank:
            best = Kept(level, hours)
    return best


def _day(value: Any, where: str) -> date | None:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise ZoneFileError(where, "not a day") from error


@cache
def _shipped() -> Mapping[str, Any]:
    text = resources.files("federation.aids").joinpath("rules/zones.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _states() -> tuple[LegalState, ...]:
    found = [
        LegalState(
            date.fromisoformat(state["as_of"]),
            {"fr": state["fr"], "en": state["en"]},
            state["source"],
        )
        for state in _shipped()["law"]
    ]
    return tuple(sorted(found, key=lambda state: state.as_of))


@cache
def shipped_zones() -> ZoneBook:
    """What ships with the program: `rules/zones.json`."""
    body = _shipped()
    features = [
        {"properties": {**step, "id": f"{zone['id']}-", "publisher": {"nom": zone["name"]},
                        "url_site_information": zone.get("link")}}
        for zone in body["zones"]
        for step in zone["steps"]
    ]  # fmt: skip
    meta = body["_meta"]
    return ZoneBook(
        read_areas(json.dumps({"features": features}).encode(), name="rules/zones.json"),
        meta["source"],
        date.fromisoformat(meta["as_of"]),
        _states(),
    )


def mounted_zones(files: Mapping[str, bytes], *, as_of: date) -> ZoneBook:
    """The zones of an operator's files, in place of those that ship; the law as it ships.

    Raises:
        ZoneFileError: as `read_areas`.
    """
    zones = [zone for name, data in sorted(files.items()) for zone in read_areas(data, name=name)]
    return ZoneBook(tuple(zones), ", ".join(sorted(files)), as_of, _states())
