"""CoachCO2's CSV export: one row a section, gathered into trips.

Source: cozy/coachCO2 `src/lib/exportTripsToCSV.js`. Dates are JavaScript's `Date.toString()`,
coordinates run `lon,lat,lon,lat`, zero is written as a blank, quotes inside values are not escaped,
rows come in the order of ids.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import BinaryIO, Final

from connectors.base import UNNAMED, Page, Rejected, identified
from connectors.emission.modes import label_mode
from connectors.errors import HostileInputError
from connectors.files.streaming import lines
from connectors.files.tracks import number
from connectors.parsing import UnusableError, coordinates, interval, metres, plausible, speed, text
from connectors.points import pages, zone_of
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TripObservation
from schemas.records import Place
from schemas.tracks import PackedTrack
from schemas.units import Metres

SOURCE: Final = "cozy"
MAX_ROWS: Final = 500_000
MAX_SECTIONS: Final = 50
MAX_CELL: Final = 8_000_000
_MONTHS: Final = {
    name: number_
    for number_, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DATE: Final = re.compile(
    r"^\w{3} (\w{3}) (\d{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT([+-])(\d{2})(\d{2})"
)
_MODES: Final[Mapping[str, Mode]] = {
    "BICYCLING": Mode.BICYCLE,
    "BICYCLING_ELECTRIC": Mode.EBIKE,
    "SCOOTER_ELECTRIC": Mode.ESCOOTER,
    "WALKING": Mode.WALK,
    "ON_FOOT": Mode.WALK,
    "RUNNING": Mode.WALK,
    "CAR": Mode.CAR,
    "CAR_ELECTRIC": Mode.CAR,
    "CARPOOL": Mode.CARPOOL,
    "CARPOOL_ELECTRIC": Mode.CARPOOL,
    "TAXI": Mode.TAXI,
    "BUS": Mode.BUS,
    "BUS_ELECTRIC": Mode.BUS,
    "BUS_COACH": Mode.BUS,
    "TRAMWAY": Mode.TRAM,
    "SUBWAY": Mode.METRO,
    "TRAIN": Mode.TRAIN,
    "MOPED": Mode.MOPED,
    "MOTORCYCLE_INF_250": Mode.MOTORCYCLE,
    "MOTORCYCLE_SUP_250": Mode.MOTORCYCLE,
    "AIR_OR_HSR": Mode.AIR_OR_HSR,
    "PLANE": Mode.PLANE,
    "BOAT": Mode.FERRY,
}
Row = Mapping[str, str]


class CoachCo2Csv:
    """CoachCO2's export as a spreadsheet."""

    name = "coachco2-csv"
    title = "CoachCO2 : export CSV"
    source = SOURCE

    def sniff(self, head: bytes) -> bool:
        """Its column names."""
        return b"Trip_Id" in head[:2048] and b"Section_Coordinates" in head[:2048]

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """One trip for each `Trip_Id`."""
        groups: dict[str, list[tuple[int, Row]]] = {}
        rejected: list[Rejected] = []
        header: list[str] | None = None
        for index, line in enumerate(lines(stream, limit=MAX_CELL)):
            if index > MAX_ROWS:
                raise HostileInputError(f"over {MAX_ROWS} rows")
            cells = _cells(line)
            if header is None:
                header = cells
                if "Trip_Id" not in header:
                    raise HostileInputError("no Trip_Id column")
                continue
            if not any(cells):
                continue
            if len(cells) != len(header):
                rejected.append(Rejected(where=f"/{index}", code="truncated"))
                continue
            row = dict(zip(header, cells, strict=True))
            groups.setdefault(row["Trip_Id"], []).append((index, row))
        trips = []
        for rows in groups.values():
            try:
                trips.append(_trip(rows, account=account, at=at))
            except UnusableError as error:
                rejected.append(error.rejected())
        yield from pages(trips, rejected[:1_000])


def _cells(line: str) -> list[str]:
    """The cells of a line; where quotes inside values break CSV, the commas between quotes."""
    old = csv.field_size_limit(MAX_CELL)
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return line.strip('"').split('","')
    finally:
        csv.field_size_limit(old)


def _trip(rows: Sequence[tuple[int, Row]], *, account: str, at: datetime) -> TripObservation:
    where = f"/{rows[0][0]}"
    if len(rows) > MAX_SECTIONS:
        raise UnusableError("too-long", where)
    first = rows[0][1]
    sections = sorted(
        (_section(row, f"/{index}", at=at) for index, row in rows),
        key=lambda leg: leg.started_at,
    )
    started = _instant(first.get("Trip_Start_Date"), where + "/Trip_Start_Date", at=at)
    ended = _instant(first.get("Trip_End_Date"), where + "/Trip_End_Date", at=at)
    interval(started, ended, where)
    points = sorted(p for index, row in rows for p in _track(row, f"/{index}"))
    if not points:
        raise UnusableError("not-a-point", where + "/Section_Coordinates")
    origin, destination = points[0], points[-1]
    coordinates(origin[1], origin[2], where, zone=None)
    coordinates(destination[1], destination[2], where, zone=None)
    distance = sum(leg.distance or 0 for leg in sections)
    speed(distance, started, ended, where)
    purpose = text(first.get("Trip_Purpose", ""), where)
    return identified(
        TripObservation(
            id=UNNAMED,
            source=SOURCE,
            account=account,
            upstream_ids=(text(first["Trip_Id"], where, limit=64),) if first["Trip_Id"] else (),
            started_at=started,
            ended_at=ended,
            start_zone=zone_of(origin[1], origin[2]),
            end_zone=zone_of(destination[1], destination[2]),
            origin=_place(origin, first.get("Trip_Start_Display_Name")),
            destination=_place(destination, first.get("Trip_Arrival_Display_Name")),
            legs=tuple(sections),
            distance=Metres(distance),
            purpose=purpose or None,
            track=PackedTrack.of(
                (datetime.fromtimestamp(t, UTC), lat, lon) for t, lat, lon in points
            ),
        )
    )


def _section(row: Row, where: str, *, at: datetime) -> LegObservation:
    started = _instant(row.get("Section_Start_Date"), where + "/Section_Start_Date", at=at)
    ended = _instant(row.get("Section_End_Date"), where + "/Section_End_Date", at=at)
    interval(started, ended, where)
    name = (row.get("Section_Mode") or "").strip()
    mode = _MODES.get(name.upper()) or label_mode(name) or Mode.UNKNOWN
    claims = () if mode == Mode.UNKNOWN else (ModeClaim(mode=mode, by=ClaimBy.INFERENCE),)
    distance = number(row.get("Section_Distance") or "0")  # a blank is a zero here
    if distance is None:
        raise UnusableError("not-a-number", where + "/Section_Distance")
    return LegObservation(
        mode_claims=claims,
        distance=Metres(metres(distance, where + "/Section_Distance")),
        started_at=started,
        ended_at=ended,
    )


def _track(row: Row, where: str) -> list[tuple[float, float, float]]:
    """(seconds, latitude, longitude) of a section. A zero was written as a blank."""
    flat = [number(part or "0") for part in (row.get("Section_Coordinates") or "").split(",")]
    times = [number(part) for part in (row.get("Section_Timestamps") or "").split(",")]
    if len(flat) != 2 * len(times):
        raise UnusableError("not-a-point", where + "/Section_Coordinates")
    found = []
    for index, when in enumerate(times):
        lon, lat = flat[2 * index], flat[2 * index + 1]
        if when is None or lat is None or lon is None or not 0 < when < 1e14:
            raise UnusableError("not-a-point", where + "/Section_Coordinates")
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise UnusableError("coordinates-out-of-range", where + "/Section_Coordinates")
        found.append((when / 1000, lat, lon))
    return found


def _instant(value: str | None, where: str, *, at: datetime) -> datetime:
    """JavaScript's `Date.toString()`, whatever the browser's language put behind the offset."""
    match = _DATE.match(value or "")
    if match is None or match[1] not in _MONTHS:
        raise UnusableError("not-a-time", where)
    month, day, year, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(
            int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=zone
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnusableError("not-a-time", where) from None
    return plausible(moment, where, at=at)


def _place(point: tuple[float, float, float], label: str | None) -> Place:
    shown = text(label or "", "")
    return Place(lat=point[1], lon=point[2], label=shown or None)


__all__ = ["CoachCo2Csv"]
