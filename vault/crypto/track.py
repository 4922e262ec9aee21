"""Compact tracks: columns of deltas, then DEFLATE. A 300-point track takes about a kilobyte.

Layout: `version(1) = 1 ‖ packed`, packed = raw DEFLATE of `points ‖ seconds ‖ latitudes ‖
longitudes`. `points` is a varint. Each column is zigzag varints (LEB128): seconds since 1970 as
first value, first difference, then second differences (a steady clock becomes zeros); latitude and
longitude in units of 10⁻⁵ degree, first value, then differences. Times are rounded to the second
and places to 10⁻⁵ degree (1.1 m), finer than any phone knows where it is.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from federation.sealing.compression import compress, decompress
from federation.sealing.errors import DecompressionRefusedError

from .errors import TrackRefusedError

Point = tuple[datetime, float, float]
"""Instant, latitude, longitude (WGS 84)."""
UNITS_PER_DEGREE: Final = 100_000
MAX_POINTS: Final = 200_000
_VERSION: Final = 1
_MAX_PACKED: Final = MAX_POINTS * 15 + 16
_MAX_VARINT: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_MAX_SECONDS: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _SECOND


def _write(out: bytearray, values: Iterable[int]) -> None:
    for value in values:
        left = value << 1 if value >= 0 else ~(value << 1)
        while left > 0x7F:
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)


def _differences(values: Sequence[int]) -> list[int]:
    return [values[0]] + [b - a for a, b in pairwise(values)]


def _sums(values: Sequence[int]) -> list[int]:
    out, total = list[int](), 0
    for value in values:
        total += value
        out.append(total)
    return out


def encode_track(points: Sequence[Point]) -> bytes:
    """Pack a track. Order and repetition of points are kept.

    Raises:
        TrackRefusedError: over 200 000 points, a naive instant, or a place off the globe.
    """
    if len(points) > MAX_POINTS:
        raise TrackRefusedError(f"more than {MAX_POINTS} points")
    seconds, latitudes, longitudes = list[int](), list[int](), list[int]()
    for at, lat, lon in points:
        if at.tzinfo is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise TrackRefusedError("a naive instant or a place off the globe")
        second = round((at - _EPOCH) / _SECOND)
        if not 0 <= second <= _MAX_SECONDS:
            raise TrackRefusedError("an instant outside 1970 to 9999")
        seconds.append(second)
        latitudes.append(round(lat * UNITS_PER_DEGREE))
        longitudes.append(round(lon * UNITS_PER_DEGREE))
    out = bytearray()
    _write(out, [len(points)])
    if points:
        first = _differences(seconds)
        _write(out, first[:1] + (_differences(first[1:]) if len(first) > 1 else []))
        _write(out, _differences(latitudes))
        _write(out, _differences(longitudes))
    return bytes((_VERSION,)) + compress(bytes(out))


def decode_track(data: bytes) -> list[Point]:
    """The points of a packed track.

    Raises:
        TrackRefusedError: another version, cut, too long, or values off the globe.
    """
    if not data or data[0] != _VERSION:
        raise TrackRefusedError("version is not known")
    try:
        packed = decompress(memoryview(data)[1:], limit=_MAX_PACKED)
    except DecompressionRefusedError as error:
        raise TrackRefusedError("broken or too long") from error
    values = _read_all(packed)
    count = values[0] if values else -1
    if not 0 <= count <= MAX_POINTS or len(values) != 1 + 3 * count:
        raise TrackRefusedError("cut, or with something behind it")
    if not count:
        return []
    seconds = _sums([values[1], *_sums(values[2 : 1 + count])])
    latitudes = _sums(values[1 + count : 1 + 2 * count])
    longitudes = _sums(values[1 + 2 * count :])
    if (
        not 0 <= min(seconds) <= max(seconds) <= _MAX_SECONDS
        or max(map(abs, latitudes)) > 90 * UNITS_PER_DEGREE
        or max(map(abs, longitudes)) > 180 * UNITS_PER_DEGREE
    ):
        raise TrackRefusedError("values off the globe or the calendar")
    return [
        (_EPOCH + timedelta(seconds=s), lat / UNITS_PER_DEGREE, lon / UNITS_PER_DEGREE)
        for s, lat, lon in zip(seconds, latitudes, longitudes, strict=True)
    ]


def _read_all(packed: bytes) -> list[int]:
    values, value, shift = list[int](), 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift >= 7 * _MAX_VARINT:
                raise TrackRefusedError("a number that is too long")
        else:
            values.append(value >> 1 if not value & 1 else ~(value >> 1))
            value, shift = 0, 0
    if shift:
        raise TrackRefusedError("cut")
    return values


__all__ = ["Point", "decode_track", "encode_track"]
