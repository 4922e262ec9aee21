"""What is built, counted per commune from files in the national schemas that an operator loads.

- `bike-parking`, stationnement cyclable (GeoJSON): places to park, and the bicycles they take
  (`capacite`);
- `cycle-lane`, aménagements cyclables (GeoJSON): sides that are laid out (`ame_d`, `ame_g`), and
  their metres;
- `carpool-place`, lieux de covoiturage (CSV): places that are open (`ouvert`), and their spaces
  (`nbre_pl`);
- `charging-point`, IRVE statique (CSV): points (`id_pdc_itinerance`), each once.

Files are read as streams, within bounds; each line or feature names its commune by INSEE code, and
one whose commune is unknown is counted apart, never guessed from its coordinates. Nothing is kept
of a file but sums.

Sources: schema.data.gouv.fr, etalab/schema-stationnement-cyclable,
etalab/schema-amenagements-cyclables 0.3, etalab/schema-lieux-covoiturage 0.2,
etalab/schema-irve-statique 2.3.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import IO, Any, Final

import ijson

from federation.aids.errors import InfrastructureFileError
from federation.aids.territories import by_code

__all__ = [
    "MAX_BYTES",
    "MAX_ITEMS",
    "CommuneCount",
    "Counts",
    "InfrastructureKind",
    "count_file",
]

MAX_BYTES: Final = 4_000_000_000
"""The national base of cycle lanes is about one gigabyte."""
MAX_ITEMS: Final = 10_000_000
MAX_LINE: Final = 1_000_000
_MAX_CAPACITY: Final = 10_000
"""Bicycles or cars at one place: above, a slip of the keyboard, and only the place counts."""
_MAX_POINTS: Final = 100_000
_MAX_DEPTH: Final = 24
_EARTH_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""


class InfrastructureKind(StrEnum):
    """What is counted."""

    BIKE_PARKING = "bike-parking"
    CYCLE_LANE = "cycle-lane"
    CARPOOL_PLACE = "carpool-place"
    CHARGING_POINT = "charging-point"


@dataclass(frozen=True, slots=True)
class CommuneCount:
    """One commune: how many, and their sum in the kind's own unit (0 when it has none)."""

    commune: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a file holds."""

    kind: InfrastructureKind
    communes: tuple[CommuneCount, ...]
    items: int
    """Lines or features read."""
    elsewhere: int
    """Of these, without a commune that is known."""
    left_out: int
    """Of these, closed, said twice or without what is counted."""


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `MAX_BYTES`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._read = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        self._read += len(data)
        if self._read > MAX_BYTES:
            raise InfrastructureFileError("file", f"larger than {MAX_BYTES} bytes")
        buffer[: len(data)] = data
        return len(data)


class _Tally:
    """Sums per commune while a file is read."""

    def __init__(self) -> None:
        self.counts: dict[str, list[float]] = {}
        self.items = self.elsewhere = self.left_out = 0
        self.seen: set[str] = set()

    def add(self, code: str, amount: float) -> None:
        here = by_code(code) if code else None
        if here is None:
            self.elsewhere += 1
            return
        sums = self.counts.setdefault(here.code, [0, 0.0])
        sums[0] += 1
        sums[1] += amount

    def is_new(self, identifier: str) -> bool:
        """False, and counted as left out, when this identifier was read before; without one, each
        line is its own."""
        if identifier and identifier in self.seen:
            self.left_out += 1
            return False
        self.seen.add(identifier)
        return True


def count_file(kind: InfrastructureKind, file: IO[bytes]) -> Counts:
    """Read one file of `kind`.

    Raises:
        InfrastructureFileError: not a file of that schema, or beyond the bounds; `where` is the
            line or feature. Nothing of it counts.
    """
    read, tally = _READERS[kind], _Tally()
    for item in _LINES[kind](file):
        tally.items += 1
        if tally.items > MAX_ITEMS:
            raise InfrastructureFileError(f"{tally.items}", f"more than {MAX_ITEMS} items")
        read(item, tally)
    return Counts(
        kind,
        tuple(
            CommuneCount(code, int(count), round(amount))
            for code, (count, amount) in sorted(tally.counts.items())
        ),
        tally.items,
        tally.elsewhere,
        tally.left_out,
    )


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _capacity(value: object) -> int:
    text = _text(value)
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        return 0
    number = int(text)
    return number if number <= _MAX_CAPACITY else 0


# --- tables ---------------------------------------------------------------------------------------


def _table(*columns: str) -> Callable[[IO[bytes]], Iterator[Mapping[str, Any]]]:
    def lines(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
        text = io.TextIOWrapper(io.BufferedReader(_Bounded(file)), "utf-8-sig", newline="")
        try:
            head = text.readline(MAX_LINE)
        except UnicodeDecodeError as error:
            raise InfrastructureFileError("1", "not UTF-8") from error
        names = next(csv.reader([head], delimiter=_delimiter(head)), [])
        missing = [name for name in columns if name not in names]
        if missing:
            raise InfrastructureFileError("1", f"no column {', '.join(missing)}")
        places = [names.index(name) for name in columns]
        number = 1
        try:
            for row in csv.reader(_lines(text), delimiter=_delimiter(head)):
                number += 1
                if not any(row):
                    continue
                yield {
                    name: row[place] if place < len(row) else ""
                    for name, place in zip(columns, places, strict=True)
                }
        except (csv.Error, UnicodeDecodeError) as error:
            raise InfrastructureFileError(str(number + 1), "not a readable line") from error

    return lines


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) >= MAX_LINE:
            raise InfrastructureFileError("line", f"longer than {MAX_LINE} characters")
        yield line


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _carpool(row: Mapping[str, Any], tally: _Tally) -> None:
    if _text(row["ouvert"]).casefold() not in ("true", "vrai", "oui", "1"):
        tally.left_out += 1
    elif tally.is_new(_text(row["id_lieu"])):
        tally.add(_text(row["insee"]), _capacity(row["nbre_pl"]))


def _charging(row: Mapping[str, Any], tally: _Tally) -> None:
    if tally.is_new(_text(row["id_pdc_itinerance"])):
        tally.add(_text(row["code_insee_commune"]), 0)


# --- GeoJSON --------------------------------------------------------------------------------------


def _features(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    number = 0
    source = io.BufferedReader(_Bounded(file), 1 << 16)
    try:
        events = _shallow(ijson.basic_parse(source, use_float=True))
        for feature in ijson.items(ijson.parse(events), "features.item"):
            number += 1
            if not isinstance(feature, Mapping) or not isinstance(
                feature.get("properties"), Mapping
            ):
                raise InfrastructureFileError(str(number), "not a feature with properties")
            yield feature
    except (ijson.JSONError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise InfrastructureFileError(str(number + 1), "not readable JSON") from error
    if not number:
        raise InfrastructureFileError("0", "no feature: not a GeoJSON collection")


def _shallow(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The same events, refused beyond `_MAX_DEPTH`: the reader keeps the path to each, so that a
    deep document would cost the square of its depth."""
    depth = 0
    for event, value in events:
        if event in ("start_map", "start_array"):
            depth += 1
            if depth > _MAX_DEPTH:
                raise InfrastructureFileError("depth", f"nested deeper than {_MAX_DEPTH}")
        elif event in ("end_map", "end_array"):
            depth -= 1
        yield event, value


def _parking(feature: Mapping[str, Any], tally: _Tally) -> None:
    said = feature["properties"]
    if "code_com" not in said:
        raise InfrastructureFileError(str(tally.items), "no code_com: another schema")
    if tally.is_new(_text(said.get("id_local"))):
        tally.add(_text(said["code_com"]), _capacity(said.get("capacite")))


def _lane(feature: Mapping[str, Any], tally: _Tally) -> None:
    said = feature["properties"]
    if "ame_d" not in said and "ame_g" not in said:
        raise InfrastructureFileError(str(tally.items), "neither ame_d nor ame_g: another schema")
    if not tally.is_new(_text(said.get("id_local"))):
        return
    sides = [side for side in "dg" if _text(said.get(f"ame_{side}")).upper() not in ("", "AUCUN")]
    if not sides:
        tally.left_out += 1
        return
    metres = _length(feature.get("geometry"), tally.items)
    for side in sides:
        tally.add(_text(said.get(f"code_com_{side}")), metres)


def _length(geometry: object, item: int) -> float:
    """Metres along a line, on the sphere (haversine)."""
    where = str(item)
    if not isinstance(geometry, Mapping):
        raise InfrastructureFileError(where, "no geometry")
    lines = geometry.get("coordinates")
    if geometry.get("type") == "LineString":
        lines = [lines]
    elif geometry.get("type") != "MultiLineString":
        raise InfrastructureFileError(where, "not a line")
    try:
        paths = [[(float(p[0]), float(p[1])) for p in line] for line in lines or ()]
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise InfrastructureFileError(where, "not coordinates") from error
    if sum(map(len, paths)) > _MAX_POINTS:
        raise InfrastructureFileError(where, f"more than {_MAX_POINTS} points")
    for x, y in (point for path in paths for point in path):
        if not (-180 <= x <= 180 and -90 <= y <= 90):
            raise InfrastructureFileError(where, "not longitude and latitude")
    return sum(_haversine(a, b) for path in paths for a, b in pairwise(path))


def _haversine(a: tuple[float, float], b: tuple[float, float]) -> float:
    x1, y1, x2, y2 = map(math.radians, (*a, *b))
    half = math.sin((y2 - y1) / 2) ** 2
    half += math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(half)))


_LINES: Final = {
    InfrastructureKind.BIKE_PARKING: _features,
    InfrastructureKind.CYCLE_LANE: _features,
    InfrastructureKind.CARPOOL_PLACE: _table("id_lieu", "insee", "ouvert", "nbre_pl"),
    InfrastructureKind.CHARGING_POINT: _table("id_pdc_itinerance", "code_insee_commune"),
}
_READERS: Final = {
    InfrastructureKind.BIKE_PARKING: _parking,
    InfrastructureKind.CYCLE_LANE: _lane,
    InfrastructureKind.CARPOOL_PLACE: _carpool,
    InfrastructureKind.CHARGING_POINT: _charging,
}
