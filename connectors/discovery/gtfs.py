"""A GTFS file that an operator mounts: who runs what, until when, which lines stop near a place.

Reads `agency`, `feed_info`, `routes`, `stops`, `calendar`, `calendar_dates`; for a place also
`trips` and `stop_times`. Everything streams: what is kept in memory is routes, agencies, the stops
near the place, and one number a trip. GTFS says no commune: what is near is near a point, and a
radius. Source: google/transit (Apache-2.0), `gtfs/spec/en/reference.md`.

Limits: 2 GB packed, 60 members, 8 GB and 200 times packed for each member, 1 MB a line, rows as in
`MAX_ROWS`. What is over is refused, never cut in silence; a bad row is left out and counted.
"""

import csv
import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, BinaryIO, Final

from connectors.discovery.card import words
from connectors.errors import HostileInputError
from schemas.modes import Mode

__all__ = ["Around", "Line", "Network", "Timetable", "read_gtfs"]

MAX_MEMBERS: Final = 60
MAX_UNPACKED: Final = 8_000_000_000
MAX_RATIO: Final = 200
MAX_LINE: Final = 1_000_000
MAX_ROWS: Final[Mapping[str, int]] = {
    "agency.txt": 10_000,
    "feed_info.txt": 100,
    "routes.txt": 200_000,
    "stops.txt": 2_000_000,
    "calendar.txt": 2_000_000,
    "calendar_dates.txt": 20_000_000,
    "trips.txt": 3_000_000,
    "stop_times.txt": 300_000_000,
}
_ALTERED: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member; NotImplementedError, a packing nobody has here
    ValueError,  # an offset before the beginning
)
"""What the standard library raises for a ZIP that was cut, altered or made to harm."""
_BASIC: Final[Mapping[int, Mode]] = {
    0: Mode.TRAM,
    1: Mode.METRO,
    2: Mode.TRAIN,
    3: Mode.BUS,
    4: Mode.FERRY,
    5: Mode.TRAM,
    11: Mode.BUS,
    12: Mode.TRAIN,
}
_EXTENDED: Final[Mapping[int, Mode]] = {
    1: Mode.TRAIN,
    2: Mode.BUS,
    4: Mode.METRO,
    7: Mode.BUS,
    8: Mode.BUS,
    9: Mode.TRAM,
    10: Mode.FERRY,
    11: Mode.PLANE,
    12: Mode.FERRY,
    15: Mode.TAXI,
}
"""Extended route types by their hundreds."""


@dataclass(frozen=True, slots=True)
class Around:
    """A place, WGS 84, and how far from it a stop is near."""

    lat: float
    lon: float
    radius_m: int = 1_000

    def is_near(self, lat: float, lon: float) -> bool:
        """Equirectangular: exact to 0.1 % at these distances."""
        east = (lon - self.lon) * math.cos(math.radians((lat + self.lat) / 2))
        return math.hypot(lat - self.lat, east) * 111_195 <= self.radius_m


@dataclass(frozen=True, slots=True)
class Network:
    """An agency of the file."""

    id: str
    name: str
    link: str


@dataclass(frozen=True, slots=True)
class Line:
    """A route."""

    id: str
    network: str
    """Id of its agency; empty where there is one only and it has none."""
    name: str
    long_name: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Timetable:
    """What the file says of itself."""

    publisher: str
    version: str
    since: date | None
    """First and last day of its services; None: it names none."""
    until: date | None
    networks: tuple[Network, ...]
    lines: tuple[Line, ...]
    """All of them; with a place, those that stop near it."""
    stops: int
    """Stops (not stations, entrances or nodes); with a place, those near it."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that could not be read, by file and rule."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        found = asdict(self)
        for name in ("since", "until"):
            found[name] = None if found[name] is None else found[name].isoformat()
        return found


def read_gtfs(stream: BinaryIO, *, around: Around | None = None) -> Timetable:
    """Read the file at `stream` (seekable).

    Raises:
        HostileInputError: no ZIP, made to harm, over a limit, or without its agencies, routes or
            stops.
    """
    try:
        with zipfile.ZipFile(stream) as packed:
            return _Reader(packed).read(around)
    except _ALTERED as error:
        raise HostileInputError("not a readable ZIP") from error


class _Reader:
    def __init__(self, packed: zipfile.ZipFile) -> None:
        members = packed.infolist()
        if len(members) > MAX_MEMBERS:
            raise HostileInputError(f"over {MAX_MEMBERS} members")
        for member in members:
            if member.file_size > MAX_UNPACKED:
                raise HostileInputError("unpacks beyond its limit", where=member.filename[:60])
            if member.file_size > 1_000_000 and member.file_size > MAX_RATIO * max(
                member.compress_size, 1
            ):
                raise HostileInputError("packed beyond reason", where=member.filename[:60])
        # Some producers put everything in one folder.
        self._packed = packed
        self._members = {m.filename.rpartition("/")[2]: m for m in members if not m.is_dir()}
        self._left: dict[str, int] = {}

    def read(self, around: Around | None) -> Timetable:
        for needed in ("agency.txt", "routes.txt", "stops.txt"):
            if needed not in self._members:
                raise HostileInputError("missing", where=needed)
        networks = tuple(
            Network(
                row.get("agency_id", "")[:100],
                words(row.get("agency_name")),
                link if (link := row.get("agency_url", "")).startswith("https://") else "",
            )
            for row in self._rows("agency.txt")
        )
        lines = {line.id: line for row in self._rows("routes.txt") if (line := self._line(row))}
        stops, near = self._stops(around)
        kept = lines if around is None else self._near(lines, near)
        publisher = version = ""
        spoken: tuple[date | None, date | None] = (None, None)
        for row in self._rows("feed_info.txt"):
            publisher = words(row.get("feed_publisher_name"))
            version = words(row.get("feed_version"))
            spoken = (_day(row.get("feed_start_date", "")), _day(row.get("feed_end_date", "")))
        first, last = self._service()
        used = {line.network for line in kept.values()}
        return Timetable(
            publisher=publisher,
            version=version,
            since=first or spoken[0],
            until=last or spoken[1],
            networks=tuple(
                n for n in networks if around is None or n.id in used or len(networks) == 1
            ),
            lines=tuple(sorted(kept.values(), key=lambda x: (x.network, x.name, x.id))),
            stops=stops,
            left_out=dict(sorted(self._left.items())),
        )

    def _line(self, row: Mapping[str, str]) -> Line | None:
        try:
            number = int(row.get("route_type", ""))
        except ValueError:
            number = -1
        mode = _BASIC.get(number) if number < 100 else _EXTENDED.get(number // 100)
        identity = row.get("route_id", "")
        if not identity or len(identity) > 200:
            self._leave("routes.txt", "id")
            return None
        if mode is None:
            self._leave("routes.txt", "mode-unknown")
        return Line(
            identity,
            row.get("agency_id", "")[:100],
            words(row.get("route_short_name")),
            words(row.get("route_long_name")),
            mode or Mode.UNKNOWN,
        )

    def _stops(self, around: Around | None) -> tuple[int, frozenset[str]]:
        count, near = 0, set()
        for row in self._rows("stops.txt"):
            if row.get("location_type", "") not in {"", "0"}:
                continue
            if around is None:
                count += 1
                continue
            try:
                lat, lon = float(row.get("stop_lat", "")), float(row.get("stop_lon", ""))
            except ValueError:
                self._leave("stops.txt", "not-a-point")
                continue
            if not (-90 <= lat <= 90 and -180 <= lon <= 180):
                self._leave("stops.txt", "not-a-point")
                continue
            if around.is_near(lat, lon):
                count += 1
                near.add(row.get("stop_id", ""))
        return count, frozenset(near)

    def _near(self, lines: Mapping[str, Line], near: frozenset[str]) -> dict[str, Line]:
        """Lines of which a trip stops at one of `near`."""
        if not near:
            return {}
        for needed in ("trips.txt", "stop_times.txt"):
            if needed not in self._members:
                raise HostileInputError("missing", where=needed)
        numbers = {name: number for number, name in enumerate(lines)}
        route_of: dict[str, int] = {}
        for row in self._rows("trips.txt"):
            number = numbers.get(row.get("route_id", ""))
            if number is None:
                self._leave("trips.txt", "route-unknown")
            else:
                route_of[row.get("trip_id", "")] = number
        names, served = list(lines), set()
        for trip, stop in self._pairs("stop_times.txt", "trip_id", "stop_id"):
            if stop in near and trip in route_of:
                served.add(route_of[trip])
        return {names[number]: lines[names[number]] for number in served}

    def _service(self) -> tuple[date | None, date | None]:
        first: date | None = None
        last: date | None = None
        for name, columns in (
            ("calendar.txt", ("start_date", "end_date")),
            ("calendar_dates.txt", ("date", "date")),
        ):
            for row in self._rows(name):
                if row.get("exception_type", "1") == "2":
                    continue
                days = [_day(row.get(column, "")) for column in columns]
                if None in days:
                    self._leave(name, "not-a-day")
                    continue
                first = min(d for d in (first, days[0]) if d is not None)
                last = max(d for d in (last, days[1]) if d is not None)
        return first, last

    def _leave(self, file: str, rule: str) -> None:
        name = f"{file}: {rule}"
        self._left[name] = self._left.get(name, 0) + 1

    def _rows(self, name: str) -> Iterator[dict[str, str]]:
        """Rows by column; none where the file is missing."""
        if name not in self._members:
            return
        for header, row in self._table(name):
            yield dict(zip(header, row, strict=False))

    def _pairs(self, name: str, one: str, other: str) -> Iterator[tuple[str, str]]:
        """Two columns, without making a table of every row."""
        places: tuple[int, int] | None = None
        for header, row in self._table(name):
            if places is None:
                if one not in header or other not in header:
                    raise HostileInputError("lacks a column", where=name)
                places = header.index(one), header.index(other)
            if len(row) > max(places):
                yield row[places[0]], row[places[1]]

    def _table(self, name: str) -> Iterator[tuple[list[str], list[str]]]:
        header: list[str] | None = None
        try:
            with self._packed.open(self._members[name]) as member:
                for number, row in enumerate(csv.reader(_bounded(member, name))):
                    if number > MAX_ROWS[name]:
                        raise HostileInputError(f"over {MAX_ROWS[name]} rows", where=name)
                    if header is None:
                        header = [cell.strip().removeprefix("\ufeff") for cell in row]
                    elif row:
                        yield header, row
        except csv.Error:
            raise HostileInputError("no table", where=name) from None
        except UnicodeDecodeError:
            raise HostileInputError("not UTF-8", where=name) from None
        except _ALTERED as error:
            raise HostileInputError("cut short or altered", where=name) from error


def _bounded(member: Any, name: str) -> Iterator[str]:
    """Lines, none longer than `MAX_LINE`, all within what may be unpacked whatever the directory of
    the ZIP said."""
    read = 0
    with io.BufferedReader(member, 1 << 16) as buffered:
        while line := buffered.readline(MAX_LINE + 1):
            read += len(line)
            if len(line) > MAX_LINE or read > MAX_UNPACKED:
                raise HostileInputError("over its limit", where=name)
            yield line.decode("utf-8")


def _day(text: str) -> date | None:
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
