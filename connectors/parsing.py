"""Reading what others wrote: JSON within limits, and fields that are what they say or name their
place.

A bad object is rejected with its JSON pointer and a rule; the good ones beside it are kept. A file
cut short gives what came before the cut.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.base import Rejected, to_ms
from connectors.errors import HostileInputError
from connectors.zones import is_swapped, is_zone

MAX_DEPTH: Final = 48
"""An e-mission composite trip with an embedded survey is 12 deep; nothing honest comes near 48."""
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Ten years of one account's confirmed and composite trips are about 150 MB."""
MAX_TEXT: Final = 200
"""Characters kept of a free label."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it a trip recorded by a device is a clock that was never set (1970, 1980, 1989)."""
SKEW: Final = timedelta(hours=24)
"""How far ahead of us a source's clock may be before its instants are refused."""
LONGEST: Final = timedelta(days=7)
MAX_DISTANCE_M: Final = 45_000_000
"""A little more than once around the Earth."""
MAX_SPEED_M_S: Final = 420.0
"""Mean speed over a whole trip; an airliner with a strong tail wind is near 340."""


class UnusableError(Exception):
    """Internal to readers: one field makes its object unusable. Becomes a `Rejected`."""

    def __init__(self, code: str, where: str) -> None:
        self.code, self.where = code, where
        super().__init__(f"{where}: {code}")

    def rejected(self) -> Rejected:
        return Rejected(where=self.where, code=self.code)


def load_json(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """`data` as JSON. NaN and infinities come through as floats: the field that has one is
    refused, not the file.

    Raises:
        HostileInputError: too large, not UTF-8 JSON, or nested deeper than `max_depth`.
    """
    if len(data) > max_bytes:
        raise HostileInputError(f"over {max_bytes} bytes")
    try:
        value = json.loads(_text(data))
    except RecursionError:
        raise HostileInputError("nested too deep") from None
    except ValueError as error:
        raise HostileInputError("not JSON", where=f"byte {getattr(error, 'pos', 0)}") from None
    if not is_within_depth(value, max_depth):
        raise HostileInputError("nested too deep")
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HostileInputError("not UTF-8", where=f"byte {error.start}") from None


def is_within_depth(value: Any, limit: int) -> bool:
    """Whether no container of `value` lies deeper than `limit`, without recursion."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        below: list[Any] = []
        for item in level:
            inside = item.values() if type(item) is dict else item
            below += [one for one in inside if type(one) is dict or type(one) is list]
        if not below:
            return True
        level = below
    return not level


def read_objects(
    data: bytes, *, max_bytes: int = MAX_FILE_BYTES
) -> Iterator[tuple[str, Any] | Rejected]:
    """The objects of a file with their pointers: a JSON array, one object, or one object a line.

    A file cut in the middle gives every whole object before the cut, then a
    `Rejected("truncated")`.

    Raises:
        HostileInputError: too large, not UTF-8, or not one object could be read.
    """
    if len(data) > max_bytes:
        raise HostileInputError(f"over {max_bytes} bytes")
    text = _text(data).strip()
    if not text:
        raise HostileInputError("empty")
    if text[0] == "[":
        yield from _array(text)
        return
    if text[0] != "{":
        raise HostileInputError("not JSON", where="byte 0")
    yield from _lines(text)


def _array(text: str) -> Iterator[tuple[str, Any] | Rejected]:
    decoder = json.JSONDecoder()
    at, index = _blank(text, 1), 0
    if text[at : at + 1] == "]":
        return
    while True:
        where = f"/{index}"
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            yield Rejected(where=where, code="too-deep")
            return
        except ValueError:
            if index == 0:
                raise HostileInputError("not JSON", where=where) from None
            yield Rejected(where=where, code="truncated")
            return
        if is_within_depth(value, MAX_DEPTH):
            yield where, value
        else:
            yield Rejected(where=where, code="too-deep")
        index += 1
        at = _blank(text, at)
        sign = text[at : at + 1]
        if sign == "]":
            return
        if sign != ",":
            yield Rejected(where=f"/{index}", code="truncated")
            return
        at = _blank(text, at + 1)


def _lines(text: str) -> Iterator[tuple[str, Any] | Rejected]:
    decoder = json.JSONDecoder()
    at, index = 0, 0
    while at < len(text):
        where = f"/{index}" if index else ""
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            raise HostileInputError("nested too deep", where=where) from None
        except ValueError:
            if index == 0:
                raise HostileInputError("not JSON", where="byte 0") from None
            yield Rejected(where=where, code="truncated")
            return
        if is_within_depth(value, MAX_DEPTH):
            yield where, value
        else:
            yield Rejected(where=where, code="too-deep")
        index += 1
        at = _blank(text, at)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def as_object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnusableError("not-an-object", where)
    return value


def number(value: Any, where: str) -> float:
    """A finite number; booleans and numeric strings are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableError("not-a-number", where)
    try:
        finite = float(value)
    except OverflowError:
        raise UnusableError("not-a-number", where) from None
    if not math.isfinite(finite):
        raise UnusableError("not-a-number", where)
    return finite


def instant(value: Any, where: str, *, at: datetime) -> datetime:
    """UNIX seconds as an instant between `EARLIEST` and a day after `at`."""
    seconds = number(value, where)
    if not -1e11 < seconds < 1e11:
        # Milliseconds where seconds were due: say so, 13 digits are unmistakable.
        raise UnusableError(
            "time-in-milliseconds" if 1e11 <= seconds < 1e14 else "time-implausible", where
        )
    return plausible(datetime.fromtimestamp(seconds, UTC), where, at=at)


def iso_instant(value: Any, where: str, *, at: datetime) -> datetime:
    """An RFC 3339 date-time with its offset, as an instant."""
    if not isinstance(value, str) or len(value) > 64:
        raise UnusableError("not-a-time", where)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise UnusableError("not-a-time", where) from None
    if parsed.tzinfo is None:
        raise UnusableError("time-without-offset", where)
    try:
        parsed = parsed.astimezone(UTC)
    except (OverflowError, ValueError):
        raise UnusableError("time-implausible", where) from None
    return plausible(parsed, where, at=at)


def plausible(moment: datetime, where: str, *, at: datetime) -> datetime:
    if moment < EARLIEST:
        raise UnusableError("time-implausible", where)
    if moment > at + SKEW:
        raise UnusableError("time-in-future", where)
    return to_ms(moment)


def interval(started: datetime, ended: datetime, where: str) -> None:
    """Refuse an interval that ends before it starts or lasts beyond `LONGEST`."""
    if ended < started:
        raise UnusableError("ends-before-start", where)
    if ended - started > LONGEST:
        raise UnusableError("too-long", where)


def metres(value: Any, where: str) -> int:
    """A distance, rounded to the metre."""
    distance = number(value, where)
    if not 0 <= distance <= MAX_DISTANCE_M:
        raise UnusableError("distance-implausible", where)
    return round(distance)


def speed(distance: int, started: datetime, ended: datetime, where: str) -> None:
    """Refuse a mean speed nothing on Earth has (a GPS jump, a distance in another unit)."""
    seconds = max((ended - started).total_seconds(), 1.0)
    if distance / seconds > MAX_SPEED_M_S and distance > 1_000:
        raise UnusableError("speed-implausible", where)


def coordinates(lat: Any, lon: Any, where: str, *, zone: str | None) -> tuple[float, float]:
    """WGS 84 degrees, refused when out of range or when `zone` shows that they were swapped."""
    latitude, longitude = number(lat, where), number(lon, where)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        swapped = -90 <= longitude <= 90 and -180 <= latitude <= 180
        raise UnusableError("coordinates-swapped" if swapped else "coordinates-out-of-range", where)
    if latitude == 0 and longitude == 0:
        raise UnusableError("coordinates-null-island", where)
    if zone is not None and is_swapped(latitude, longitude, zone):
        raise UnusableError("coordinates-swapped", where)
    return latitude, longitude


def geojson_point(value: Any, where: str, *, zone: str | None) -> tuple[float, float]:
    """A GeoJSON Point (longitude first, RFC 7946 §3.1.1) as (lat, lon)."""
    value = as_object(value, where)
    pair = value.get("coordinates")
    if value.get("type") != "Point" or not isinstance(pair, list) or not 2 <= len(pair) <= 4:
        raise UnusableError("not-a-point", where)
    return coordinates(pair[1], pair[0], where + "/coordinates", zone=zone)


def zone_name(value: Any, where: str) -> str:
    """An IANA time zone that this machine knows."""
    if not isinstance(value, str) or not is_zone(value):
        raise UnusableError("zone-unknown", where)
    return value


def text(value: Any, where: str, *, limit: int = MAX_TEXT) -> str:
    """A short text without control characters; longer is cut, other types are refused."""
    if not isinstance(value, str):
        raise UnusableError("not-a-text", where)
    cleaned = "".join(c for c in value if c.isprintable()).strip()
    return cleaned[:limit]


__all__ = [
    "MAX_FILE_BYTES",
    "UnusableError",
    "as_object",
    "coordinates",
    "geojson_point",
    "instant",
    "interval",
    "is_within_depth",
    "iso_instant",
    "load_json",
    "metres",
    "number",
    "plausible",
    "pointer",
    "read_objects",
    "speed",
    "text",
    "zone_name",
]
