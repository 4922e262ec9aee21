"""A new operator's CSV or JSON as a file, not code: which column is what, in which unit and zone.

A mapping is a JSON document (`connectors/README.md`, « A mapping »): what a row is (`csv` or
`json`), what it gives (`trips` or `points`), and for each field where it is read, with its unit,
date format or table of values. `propose` guesses one from the first rows of an unknown file; a
person corrects it on a page, keeps it, gives it to others. What a mapping reads is declared
evidence, like any file.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.metadata import entry_points
from typing import Any, BinaryIO, Final, Self
from zoneinfo import ZoneInfo

import structlog

from connectors.base import UNNAMED, FileImporter, Page, Rejected, identified
from connectors.emission.modes import label_mode
from connectors.errors import HostileInputError, MappingError
from connectors.files.streaming import decoded, json_items
from connectors.files.tracks import number
from connectors.parsing import (
    UnusableError,
    coordinates,
    interval,
    load_json,
    metres,
    plausible,
    pointer,
    speed,
    text,
)
from connectors.points import Collector, pages, trips_of, zone_of
from connectors.zones import is_zone
from schemas.modes import Mode
from schemas.observations import ClaimBy, ModeClaim, TripObservation
from schemas.records import Place
from schemas.units import Metres

_log = structlog.get_logger(__name__)

VERSION: Final = 1
MAX_MAPPING: Final = 100_000
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 200_000
MAX_REJECTED: Final = 1_000
MAX_ROWS: Final = 1_000_000
GROUP: Final = "mobility_vault.mappings"
"""Entry points of packages that bring mappings: a function that gives mapping documents."""

TRIP_FIELDS: Final = (
    "startedAt",
    "endedAt",
    "duration",
    "distance",
    "mode",
    "originLat",
    "originLon",
    "originLabel",
    "destinationLat",
    "destinationLon",
    "destinationLabel",
    "purpose",
    "id",
    "co2",
    "nox",
    "pm",
)
MASSES: Final = {"co2": "co2Mg", "nox": "noxUg", "pm": "pmUg"}
"""What a source says a trip emitted, and the member of the observation it is kept in: whole
milligrams of CO2, micrograms of NOx and of particles (a ride may emit less than a milligram)."""
_PER_GRAM: Final = {"co2": 1_000, "nox": 1_000_000, "pm": 1_000_000}
MAX_GRAMS: Final = 20_000_000.0
"""A long-haul flight is some tonnes of CO2."""
POINT_FIELDS: Final = ("time", "lat", "lon", "accuracy")
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "trips": ("startedAt", "distance"),
    "points": POINT_FIELDS[:3],
}
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {"trips": TRIP_FIELDS, "points": POINT_FIELDS}
UNITS: Final[Mapping[str, float]] = {
    "m": 1.0,
    "km": 1_000.0,
    "mi": 1_609.344,
    "s": 1.0,
    "min": 60.0,
    "h": 3_600.0,
    "mg": 0.001,
    "g": 1.0,
    "kg": 1_000.0,
}
MASS_UNITS: Final = ("mg", "g", "kg")
FORMATS: Final = (
    "iso",
    "epoch",
    "epoch-ms",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y",
)
"""Tried in this order when guessing."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where one value is read and what it means."""

    source: tuple[str, ...] = ()
    """Columns, or JSON pointers in an item; several are joined by a space (a date and an hour)."""
    unit: str | None = None
    format: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A mapping, read and checked."""

    name: str
    title: str
    kind: str
    rows: str
    """`csv` or `json`."""
    zone: str
    fields: Mapping[str, Field]
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    items: str = ""
    """JSON pointer of the array in the document."""
    detect: tuple[str, ...] = ()
    """Columns (or members) all of which a file of this kind has."""

    @classmethod
    def parse(cls, document: Any) -> Self:
        """A mapping from its JSON. Raises MappingError with the place that is wrong."""
        given = _object(document, "")
        if given.get("mapping") != VERSION:
            raise MappingError("/mapping", f"{VERSION}")
        kind = _choice(given.get("kind"), tuple(FIELDS), "/kind")
        rows = _object(given.get("rows"), "/rows")
        form = _choice(rows.get("type"), ("csv", "json"), "/rows/type")
        zone = _text(given.get("timeZone", "Europe/Paris"), "/timeZone")
        if not is_zone(zone):
            raise MappingError("/timeZone", "an IANA time zone such as Europe/Paris")
        fields = {
            name: _field(name, value, kind)
            for name, value in _object(given.get("fields"), "/fields").items()
        }
        for name in NEEDED[kind]:
            if name not in fields:
                raise MappingError(f"/fields/{name}", "is needed")
        if kind == "trips" and not {"endedAt", "duration"} & set(fields):
            raise MappingError("/fields/endedAt", "endedAt or duration is needed")
        detect = given.get("detect", [])
        if not isinstance(detect, list) or len(detect) > MAX_COLUMNS:
            raise MappingError("/detect", "a list of columns")
        return cls(
            name=_name(given.get("name")),
            title=_text(given.get("title", given.get("name")), "/title"),
            kind=kind,
            rows=form,
            zone=zone,
            fields=fields,
            delimiter=_choice(rows.get("delimiter", ","), (",", ";", "\t", "|"), "/rows/delimiter"),
            encoding=_choice(rows.get("encoding", "utf-8-sig"), ENCODINGS, "/rows/encoding"),
            items=_text(rows.get("items", ""), "/rows/items"),
            detect=tuple(_text(column, "/detect") for column in detect),
        )

    @classmethod
    def read(cls, data: bytes) -> Self:
        """A mapping file. Raises MappingError, HostileInputError."""
        return cls.parse(load_json(data, max_bytes=MAX_MAPPING, max_depth=8))

    def to_json(self) -> dict[str, Any]:
        """The document: reading it again gives an equal mapping."""
        rows: dict[str, Any] = {"type": self.rows}
        if self.rows == "csv":
            rows |= {"delimiter": self.delimiter, "encoding": self.encoding}
        elif self.items:
            rows["items"] = self.items
        return {
            "mapping": VERSION,
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "rows": rows,
            "timeZone": self.zone,
            "detect": list(self.detect),
            "fields": {
                name: {
                    key: value
                    for key, value in (
                        ("from", list(found.source)),
                        ("unit", found.unit),
                        ("format", found.format),
                        ("values", dict(found.values)),
                        ("default", found.default),
                    )
                    if value
                }
                for name, found in self.fields.items()
            },
        }


ENCODINGS: Final = ("utf-8-sig", "cp1252", "utf-16")


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MappingError(where, "an object")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise MappingError(where, "a text of at most 200 characters")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", value):
        raise MappingError("/name", "lower case letters, digits and hyphens, at most 40")
    return value


def _choice(value: Any, known: Sequence[str], where: str) -> str:
    if value not in known or not isinstance(value, str):
        raise MappingError(where, "one of " + ", ".join(map(repr, known)))
    return value


def _field(name: str, value: Any, kind: str) -> Field:
    where = "/fields" + pointer(name)
    if name not in FIELDS[kind]:
        raise MappingError(where, "one of " + ", ".join(FIELDS[kind]))
    given = _object(value, where)
    sources = given.get("from", [])
    sources = [sources] if isinstance(sources, str) else sources
    if not isinstance(sources, list) or len(sources) > 3:
        raise MappingError(where + "/from", "one to three columns")
    values = given.get("values", {})
    if not isinstance(values, dict) or len(values) > 500:
        raise MappingError(where + "/values", "a table of at most 500")
    unit, form = given.get("unit"), given.get("format")
    if unit is not None and unit not in UNITS:
        raise MappingError(where + "/unit", "one of " + ", ".join(UNITS))
    if unit is not None and (unit in MASS_UNITS) is not (name in MASSES):
        raise MappingError(where + "/unit", "a mass for co2, nox and pm, and for nothing else")
    is_strptime = isinstance(form, str) and len(form) <= 40 and "%" in form
    if form is not None and form not in FORMATS and not is_strptime:
        raise MappingError(where + "/format", "iso, epoch, epoch-ms or a strptime format")
    if name == "mode":
        for mode in values.values():
            if mode not in set(Mode):
                raise MappingError(where + "/values", "modes: " + ", ".join(Mode))
    default = given.get("default")
    if not sources and default is None:
        raise MappingError(where, "from or default")
    return Field(
        source=tuple(_text(source, where + "/from") for source in sources),
        unit=unit,
        format=form,
        values={fold(str(key)): _text(item, where + "/values") for key, item in values.items()},
        default=None if default is None else _text(default, where + "/default"),
    )


def fold(word: str) -> str:
    """A word without case, accents and doubled blanks, for comparing."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.sub(r"[_\-./()]+", " ", letters).split())


# reading


Row = Mapping[str, Any]


def rows(mapping: MappingFile, stream: BinaryIO) -> Iterator[tuple[str, Row] | Rejected]:
    """(place, row) of a file."""
    if mapping.rows == "json":
        for item in json_items(stream):
            if isinstance(item, Rejected) or (
                item[0].rpartition("/")[0] == mapping.items and isinstance(item[1], dict)
            ):
                yield item
        return
    yield from csv_rows(stream, delimiter=mapping.delimiter, encoding=mapping.encoding)


def csv_rows(
    stream: BinaryIO, *, delimiter: str, encoding: str
) -> Iterator[tuple[str, Row] | Rejected]:
    """Rows of a CSV by its header; places count lines from 1, the header's."""
    old = csv.field_size_limit(MAX_CELL)
    try:
        reader = csv.reader(_decoded(stream, encoding), delimiter=delimiter)
        header: list[str] = []
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Rejected(where=f"/{reader.line_num}", code="truncated")
                return
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                if len(header) > MAX_COLUMNS:
                    raise HostileInputError(f"over {MAX_COLUMNS} columns")
                continue
            if reader.line_num > MAX_ROWS:
                raise HostileInputError(f"over {MAX_ROWS} rows")
            yield f"/{reader.line_num}", dict(zip(header, cells, strict=False))
    finally:
        csv.field_size_limit(old)


def _decoded(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Lines with their ends, as `csv` wants them."""
    rest = ""
    for piece in decoded(stream, encoding):
        found = (rest + piece).splitlines(keepends=True)
        rest = found.pop() if found else ""
        yield from found
        if len(rest) > 4 * MAX_CELL:
            raise HostileInputError("a line too long")
    if rest:
        yield rest


class MappedFile:
    """A `FileImporter` made of a mapping."""

    def __init__(self, mapping: MappingFile) -> None:
        self.mapping = mapping
        self.name = f"modele-{mapping.name}"
        self.title = mapping.title
        self.source = self.name

    def sniff(self, head: bytes) -> bool:
        """Whether all the columns (or members) to detect are there."""
        wanted = self.mapping.detect
        if not wanted:
            return False
        try:
            shown = head.decode(self.mapping.encoding, errors="ignore")
        except LookupError:
            return False
        if self.mapping.rows == "csv":
            first = csv.reader([shown.split("\n", 1)[0]], delimiter=self.mapping.delimiter)
            try:
                header = next(first, [])
            except csv.Error:  # a carriage return inside the line: no file of this kind
                return False
            return set(wanted) <= {cell.strip().strip("\r") for cell in header}
        return all(f'"{name}"' in shown for name in wanted)

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips of the rows, or of the points in them."""
        rejected: list[Rejected] = []
        skipped: Counter[str] = Counter()
        points = Collector(at=at) if self.mapping.kind == "points" else None
        trips: list[TripObservation] = []
        for item in rows(self.mapping, stream):
            if isinstance(item, Rejected):
                rejected.append(item)
                continue
            where, row = item
            try:
                if points is not None:
                    rule = self._point(row, where, points)
                    if rule is not None:
                        skipped[f"point: {rule}"] += 1
                else:
                    trips.append(self._trip(row, where, account=account, at=at))
            except UnusableError as error:
                if len(rejected) < MAX_REJECTED:
                    rejected.append(error.rejected())
                else:
                    skipped["more-rejected"] += 1
        if points is not None:
            trips = list(trips_of(points.points(), source=self.source, account=account)[0])
        yield from pages(trips, rejected, skipped)

    def _point(self, row: Row, where: str, points: Collector) -> str | None:
        when = self._instant("time", row, where)
        lat, lon = self._number("lat", row, where), self._number("lon", row, where)
        accuracy = self._number("accuracy", row, where)
        if when is None or lat is None or lon is None:
            return "not-a-point"
        return points.add(when.timestamp(), lat, lon, accuracy=accuracy)

    def _trip(self, row: Row, where: str, *, account: str, at: datetime) -> TripObservation:
        started = self._instant("startedAt", row, where)
        if started is None:
            raise UnusableError("not-a-time", where + "/startedAt")
        ended = self._instant("endedAt", row, where)
        if ended is None:
            duration = self._number("duration", row, where)
            if duration is None or not 0 <= duration <= 7 * 86_400:
                raise UnusableError("not-a-time", where + "/endedAt")
            ended = started + timedelta(seconds=duration)
        started, ended = (
            plausible(started, where + "/startedAt", at=at),
            plausible(ended, where + "/endedAt", at=at),
        )
        interval(started, ended, where)
        length = self._number("distance", row, where)
        if length is None:
            raise UnusableError("not-a-number", where + "/distance")
        distance = metres(length, where + "/distance")
        speed(distance, started, ended, where + "/distance")
        origin = self._place("origin", row, where)
        destination = self._place("destination", row, where)
        mode = self._mode(row, where)
        label = self._raw("id", row)
        return identified(
            TripObservation(
                id=UNNAMED,
                source=self.source,
                account=account,
                upstream_ids=(text(label, where, limit=64),) if label else (),
                started_at=started,
                ended_at=ended,
                start_zone=zone_of(origin.lat, origin.lon) if origin else self.mapping.zone,
                end_zone=zone_of(destination.lat, destination.lon)
                if destination
                else self.mapping.zone,
                origin=origin,
                destination=destination,
                distance=Metres(distance),
                mode_claims=()
                if mode == Mode.UNKNOWN
                else (ModeClaim(mode=mode, by=ClaimBy.INFERENCE),),
                purpose=text(self._raw("purpose", row) or "", where) or None,
                extra=self._emissions(row, where),
            )
        )

    def _emissions(self, row: Row, where: str) -> dict[str, Any]:
        """What the source says the trip emitted: its word, beside what the vault computes."""
        found: dict[str, int] = {}
        for name, member in MASSES.items():
            grams = self._number(name, row, where)
            if grams is None:
                continue
            if not 0 <= grams <= MAX_GRAMS:
                raise UnusableError("emission-implausible", f"{where}/{name}")
            found[member] = round(grams * _PER_GRAM[name])
        return {"emissions": found} if found else {}

    def _mode(self, row: Row, where: str) -> Mode:
        raw = self._raw("mode", row)
        if not raw:
            return Mode.UNKNOWN
        given = self.mapping.fields["mode"].values.get(fold(raw))
        if given is not None:
            return Mode(given)
        if raw in set(Mode):
            return Mode(raw)
        known = label_mode(raw)
        if known is None:
            raise UnusableError("mode-unknown", where + "/mode")
        return known

    def _place(self, side: str, row: Row, where: str) -> Place | None:
        lat = self._number(f"{side}Lat", row, where)
        lon = self._number(f"{side}Lon", row, where)
        if lat is None or lon is None:
            return None
        lat, lon = coordinates(lat, lon, f"{where}/{side}Lat", zone=self.mapping.zone)
        label = text(self._raw(f"{side}Label", row) or "", where)
        return Place(lat=lat, lon=lon, label=label or None)

    def _raw(self, name: str, row: Row) -> str:
        """The text of a field; empty when there is none."""
        found = self.mapping.fields.get(name)
        if found is None:
            return ""
        parts = [str(value) for source in found.source if (value := _at(row, source)) is not None]
        return " ".join(part.strip() for part in parts if part.strip()) or (found.default or "")

    def _number(self, name: str, row: Row, where: str) -> float | None:
        raw = self._raw(name, row)
        if not raw:
            return None
        value = french_number(raw)
        if value is None:
            if name == "duration" and (clock := _clock(raw)) is not None:
                return clock
            raise UnusableError("not-a-number", f"{where}/{name}")
        return value * UNITS[self.mapping.fields[name].unit or "m"]

    def _instant(self, name: str, row: Row, where: str) -> datetime | None:
        raw = self._raw(name, row)
        if not raw:
            return None
        moment = instant_of(raw, self.mapping.fields[name].format or "iso", self.mapping.zone)
        if moment is None:
            raise UnusableError("not-a-time", f"{where}/{name}")
        return moment


def _at(row: Row, source: str) -> Any:
    """A column, or what a JSON pointer finds in an item."""
    if source in row:
        return row[source]
    found: Any = row
    if not source.startswith("/"):
        return None
    for part in source[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def french_number(raw: str) -> float | None:
    """A number, with a decimal comma, thin spaces or a unit behind it (`12,5 km`)."""
    cleaned = re.sub(r"[\s\u00a0\u202f]", "", raw)
    match = re.fullmatch(r"([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)[a-zA-Z°€]*", cleaned)
    return number(match[1].replace(",", ".")) if match is not None else None


def _clock(raw: str) -> float | None:
    """Seconds of `h:mm` or `h:mm:ss`."""
    match = re.fullmatch(r"(\d{1,3}):(\d{2})(?::(\d{2}))?", raw.strip())
    return None if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)


def instant_of(raw: str, form: str, zone: str) -> datetime | None:
    """The instant `raw` names; a time without offset is of `zone` (the first of an hour that comes
    twice)."""
    try:
        if form in {"epoch", "epoch-ms"}:
            value = number(raw)
            if value is None or abs(value) > 1e14:
                return None
            return datetime.fromtimestamp(value / (1000 if form == "epoch-ms" else 1), UTC)
        moment = (
            datetime.fromisoformat(raw.strip())
            if form == "iso"
            else datetime.strptime(raw.strip(), form)  # noqa: DTZ007  # the zone follows below
        )
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


# guessing


SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "startedAt": (
        "start", "started at", "start time", "start date", "depart", "date depart",
        "heure depart", "debut", "date debut", "date de debut", "date de depart", "begin", "date",
        "departure", "departure time", "starttime", "startdate", "startedat",
    ),
    "endedAt": (
        "end", "ended at", "end time", "end date", "arrivee", "date arrivee", "heure arrivee",
        "fin", "date fin", "date de fin", "date d arrivee", "arrival", "arrival time", "endtime",
        "enddate", "endedat",
    ),
    "duration": ("duration", "duree", "temps", "duree min", "duration s", "temps de trajet"),
    "distance": ("distance", "distance km", "distance m", "km", "kilometres", "longueur", "metres"),
    "mode": ("mode", "mode de transport", "transport", "moyen de transport", "vehicule", "type"),
    "originLat": ("origin lat", "start lat", "lat depart", "latitude depart", "from lat"),
    "originLon": ("origin lon", "start lon", "lon depart", "longitude depart", "from lon"),
    "originLabel": ("origine", "origin", "adresse depart", "lieu de depart", "from"),
    "destinationLat": ("destination lat", "end lat", "lat arrivee", "latitude arrivee", "to lat"),
    "destinationLon": ("destination lon", "end lon", "lon arrivee", "longitude arrivee", "to lon"),
    "destinationLabel": ("destination", "adresse arrivee", "lieu d arrivee", "to"),
    "purpose": ("purpose", "motif"),
    "co2": ("co2", "co2 g", "co2 kg", "co2 mg", "emissions co2", "emission co2", "co2e"),
    "nox": ("nox", "nox g", "nox mg", "emissions nox", "oxydes d azote"),
    "pm": ("pm", "pm g", "pm mg", "pm10", "pm10 mg", "pm2 5", "particules", "emissions pm"),
    "id": ("id", "identifiant", "reference", "trip id", "numero"),
    "time": ("time", "timestamp", "date", "datetime", "heure", "horodatage", "date heure"),
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "long", "longitude", "x"),
    "accuracy": ("accuracy", "precision", "horizontal accuracy", "acc"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposal:
    """A guess at an unknown file, for a person to correct."""

    mapping: MappingFile | None
    """None when too little was recognised: the person fills it in."""
    draft: Mapping[str, Any]
    """The mapping's document as far as it goes."""
    columns: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    modes: tuple[str, ...]
    """Words of the mode column that have to be given a mode."""


def propose(data: bytes, *, draft: Mapping[str, Any] | None = None) -> Proposal:
    """Look at the first rows of `data` (a beginning is enough) and guess a mapping.

    With `draft`, what a person chose stands, and the rest of the proposal follows from it.

    Raises:
        UnknownFormatError is the caller's: HostileInputError when these are no rows at all.
    """
    import io

    shape, found = _shape(data)
    if draft is not None and isinstance(draft.get("rows"), dict):
        shape = {**shape, **{k: v for k, v in draft["rows"].items() if isinstance(v, str)}}
    samples: list[Row] = []
    stream = io.BytesIO(data)
    if shape["type"] == "csv":
        for item in csv_rows(stream, delimiter=shape["delimiter"], encoding=shape["encoding"]):
            if not isinstance(item, Rejected):
                samples.append(item[1])
            if len(samples) >= 200:
                break
    else:
        for entry in json_items(stream):
            if (
                not isinstance(entry, Rejected)
                and isinstance(entry[1], dict)
                and entry[0].rpartition("/")[0] == shape["items"]
            ):
                samples.append(_flat(entry[1]))
            if len(samples) >= 200:
                break
    if not samples:
        raise HostileInputError("no rows with a header")
    del found
    columns = tuple(dict.fromkeys(name for row in samples for name in row if name))[:MAX_COLUMNS]
    fields = _guessed(columns, samples) if draft is None else dict(draft.get("fields", {}))
    kind = "points" if {"lat", "lon"} <= set(fields) and "distance" not in fields else "trips"
    if draft is not None and draft.get("kind") in FIELDS:
        kind = str(draft["kind"])
    document = {
        "mapping": VERSION,
        "name": "mon-modele",
        "title": "Mon modèle",
        "timeZone": "Europe/Paris",
        **(draft or {}),
        "kind": kind,
        "rows": {key: value for key, value in shape.items() if value or key == "type"},
        "detect": list(columns[:8]),
        "fields": {name: value for name, value in fields.items() if name in FIELDS[kind] and value},
    }
    words: tuple[str, ...] = ()
    mode = document["fields"].get("mode")
    if isinstance(mode, dict) and mode.get("from"):
        source = mode["from"][0] if isinstance(mode["from"], list) else mode["from"]
        seen = Counter(str(row.get(source, "")).strip() for row in samples)
        words = tuple(word for word, _ in seen.most_common(40) if word)
    try:
        mapping = MappingFile.parse(document)
    except MappingError:
        mapping = None
    shown = tuple(tuple(str(row.get(c, ""))[:60] for c in columns) for row in samples[:3])
    return Proposal(mapping, document, columns, shown, words)


def _shape(data: bytes) -> tuple[dict[str, str], bool]:
    head = data[:65_536]
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in {b"{", b"["}:
        return {"type": "json", "items": _array_of(data)}, True
    if b"\x00" in head[:4] and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise HostileInputError("no text")
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if encoding == "utf-8-sig":
        try:
            head[: -4 if len(head) == 65_536 else None].decode("utf-8-sig")
        except UnicodeDecodeError:
            encoding = "cp1252"
    line = head.decode(encoding, errors="replace").split("\n", 1)[0]
    delimiter = max((";", "\t", ",", "|"), key=line.count)
    if line.count(delimiter) < 2:
        raise HostileInputError("no table: fewer than three columns")
    return {"type": "csv", "delimiter": delimiter, "encoding": encoding}, True


def _array_of(data: bytes) -> str:
    """The pointer of the array with the most objects."""
    import io

    seen: Counter[str] = Counter()
    for count, item in enumerate(json_items(io.BytesIO(data))):
        if not isinstance(item, Rejected) and isinstance(item[1], dict):
            above, _, last = item[0].rpartition("/")
            seen[above] += last.isdigit()
        if count > 500:
            break
    return seen.most_common(1)[0][0] if seen else ""


def _flat(item: Mapping[str, Any], at: str = "", depth: int = 0) -> dict[str, Any]:
    """Members of an item, nested ones by their pointer."""
    found: dict[str, Any] = {}
    for name, value in list(item.items())[:MAX_COLUMNS]:
        where = at + pointer(name)
        if isinstance(value, dict) and depth < 3:
            found |= _flat(value, where, depth + 1)
        elif isinstance(value, str | int | float):
            found[where if at else name] = value
    return found


def _guessed(columns: Sequence[str], samples: Sequence[Row]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    taken: set[str] = set()
    for name, words in SYNONYMS.items():
        if name in {"time"} and "startedAt" in fields and "endedAt" in fields:
            continue
        best = next(
            (
                column
                for word in words
                for column in columns
                if column not in taken and fold(column.rpartition("/")[2]) == word
            ),
            None,
        )
        if best is None and name in {"startedAt", "endedAt", "duration", "distance", "mode"}:
            best = next(
                (
                    column
                    for word in words
                    if len(word) > 3
                    for column in columns
                    if column not in taken and fold(column).startswith(word)
                ),
                None,
            )
        if best is None:
            continue
        values = [str(row.get(best, "")).strip() for row in samples[:50]]
        values = [value for value in values if value]
        found: dict[str, Any] = {"from": [best]}
        if name in {"startedAt", "endedAt", "time"}:
            form = guess_format(values)
            if form is None:
                continue
            found["format"] = form
        if name == "distance":
            found["unit"] = "m" if re.search(r"\bm(etres)?\b", fold(best)) else _unit(values)
        if name == "duration":
            found["unit"] = "s" if re.search(r"\bs(ec\w*)?\b", fold(best)) else "min"
        if name in MASSES:
            unit = re.search(r"\b(mg|kg|g)\b", fold(best))
            found["unit"] = unit[1] if unit is not None else "g"
        if name not in {"time", "lat", "lon", "accuracy"}:
            taken.add(best)
        fields[name] = found
    return fields


def _unit(values: Sequence[str]) -> str:
    """Kilometres, unless the numbers are those of metres."""
    numbers = sorted(n for v in values if (n := french_number(v)) is not None)
    return "m" if numbers and numbers[len(numbers) // 2] > 300 else "km"


def guess_format(values: Sequence[str]) -> str | None:
    """The first format that reads more than half of the values as dates of this century."""
    low, high = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    for form in FORMATS:
        read = [instant_of(value, form, "Europe/Paris") for value in values]
        if 2 * sum(moment is not None and low < moment < high for moment in read) > len(values):
            return form
    return None


def mappings() -> tuple[FileImporter, ...]:
    """The mappings this home knows: those of the package, then those of installed packages."""
    found: list[FileImporter] = []
    folder = resources.files("connectors.mappings")
    files = sorted(folder.iterdir(), key=lambda entry: entry.name)
    found += [
        MappedFile(MappingFile.read(file.read_bytes()))
        for file in files
        if file.name.endswith(".json")
    ]
    for entry in entry_points(group=GROUP):
        try:
            found += [MappedFile(MappingFile.parse(document)) for document in entry.load()()]
        except Exception:  # a third party's package may not stop this home
            _log.warning("connectors.mapping_refused", name=entry.name)
    return tuple(found)


__all__ = [
    "FIELDS",
    "FORMATS",
    "MASSES",
    "UNITS",
    "MappedFile",
    "MappingFile",
    "Proposal",
    "mappings",
    "propose",
]
