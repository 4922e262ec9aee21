"""Compact tracks: columns of differences, then DEFLATE. A 300-point track takes about 620 bytes.

An observation may carry its track as a list of `[milliseconds, latitude, longitude]`, or as one
string: `u` and, in base64url without padding, `version(1) = 1 ‖ packed`. `packed` is raw DEFLATE of
`points u32 ‖ seconds ‖ latitudes ‖ longitudes`; times are whole seconds since 1970, places units of
10⁻⁵ degree (1.1 m), finer than any phone knows where it is. A column is `width(1) ‖ first i64 ‖
base i64 ‖ width planes of points - 1 bytes`, most significant plane first: the differences less
`base`, unsigned, `width` 1, 2 or 4 bytes each. Planes keep the bytes that say nothing together.
Whole columns at once: three times faster to read than a number at a time, and as small.
"""

import binascii
import sys
import zlib
from array import array
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import sub
from struct import Struct
from struct import error as _StructError  # noqa: N812  # the module's own name
from typing import TYPE_CHECKING, Final, overload
from zlib import adler32

from .errors import RecordError

if TYPE_CHECKING:
    from .observations import TrackPoint

UNITS_PER_DEGREE: Final = 100_000
MAX_POINTS: Final = 200_000
_POLE: Final = 90 * UNITS_PER_DEGREE
_PREFIX: Final = "u"
_VERSION: Final = 1
_COUNT: Final = Struct(">I")
_COLUMN: Final = Struct(">Bqq")
_TYPES: Final = {1: "B", 2: "H", 4: "I"}
_MAX_PACKED: Final = _COUNT.size + 3 * (_COLUMN.size + 4 * MAX_POINTS)
_MIDDLE: Final = {2: -(1 << 15) - 128, 4: -(1 << 31) - 128}
"""Base of wide columns: small differences share their upper bytes."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SECONDS: Final = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds())

_BOUNDS: Final = ((0, _MAX_SECONDS), (-_POLE, _POLE), (-2 * _POLE, 2 * _POLE))

_Scanned = tuple[int, tuple[tuple[int, int], ...]]
"""How many points, and the first and last value of each column."""

Columns = tuple[list[int], list[int], list[int]]
"""Seconds since 1970, latitudes, longitudes in units of 10⁻⁵ degree."""


class PackedTrack(Sequence["TrackPoint"]):
    """A track as it came, checked whole; points are made when they are asked for."""

    __slots__ = ("_scanned", "_text", "data")

    data: bytes
    """What the string says."""

    def __init__(self, text: str) -> None:
        """Raises RecordError: not a track in this layout."""
        self._text: str | None = text
        self.data = packed_bytes(text)
        self._scanned: _Scanned | None = _scan(self.data)

    @classmethod
    def kept(cls, data: bytes) -> "PackedTrack":
        """A track that was checked before it was kept; looked into when it is asked."""
        made = cls.__new__(cls)
        made._text, made.data, made._scanned = None, data, None
        return made

    @property
    def text(self) -> str:
        """The string of the observation: writing it again gives the same bytes."""
        return text_of(self.data) if self._text is None else self._text

    def _scan(self) -> "_Scanned":
        if self._scanned is None:
            self._scanned = _scan(self.data)
        return self._scanned

    @classmethod
    def of(cls, points: Iterable[tuple[datetime, float, float]]) -> "PackedTrack | None":
        """(instant, latitude, longitude)…, rounded to the second and to 10⁻⁵ degree; None for
        what the layout does not hold (no point, over 200 000, gaps over 68 years)."""
        seconds, latitudes, longitudes = list[int](), list[int](), list[int]()
        for at, lat, lon in points:
            seconds.append(round(at.timestamp()))
            latitudes.append(round(lat * UNITS_PER_DEGREE))
            longitudes.append(round(lon * UNITS_PER_DEGREE))
        return cls.of_columns(seconds, latitudes, longitudes)

    @classmethod
    def of_columns(
        cls, seconds: list[int], latitudes: list[int], longitudes: list[int]
    ) -> "PackedTrack | None":
        """As `of`, from whole seconds and units of 10⁻⁵ degree."""
        if not 0 < len(seconds) <= MAX_POINTS or min(seconds) < 0:
            return None
        parts = [_COUNT.pack(len(seconds))]
        for column in (seconds, latitudes, longitudes):
            packed = _pack_column(column)
            if packed is None:
                return None
            parts.append(packed)
        body = b"".join(parts)
        packer = zlib.compressobj(6, zlib.DEFLATED, -13 if len(body) <= 8192 else -15, 6)
        data = bytes((_VERSION,)) + packer.compress(body) + packer.flush()
        return cls(text_of(data))

    def __len__(self) -> int:
        return self._scan()[0]

    def __bool__(self) -> bool:
        return True  # there is no packed track without points

    @overload
    def __getitem__(self, index: int) -> "TrackPoint": ...
    @overload
    def __getitem__(self, index: slice) -> "tuple[TrackPoint, ...]": ...
    def __getitem__(self, index: int | slice) -> "TrackPoint | tuple[TrackPoint, ...]":
        if not isinstance(index, slice) and index in {0, -1}:
            return _point(*(column[index] for column in self._scan()[1]))
        return tuple(self)[index]

    def __iter__(self) -> "Iterator[TrackPoint]":
        return (_point(*found) for found in zip(*self.columns(), strict=True))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedTrack):
            return self.data == other.data or self.columns() == other.columns()
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"PackedTrack({len(self)} points)"

    def points(self) -> list[tuple[datetime, float, float]]:
        """(instant, latitude, longitude)…, without an object for each."""
        return [
            (_EPOCH + timedelta(seconds=second), lat / UNITS_PER_DEGREE, lon / UNITS_PER_DEGREE)
            for second, lat, lon in zip(*self.columns(), strict=True)
        ]

    def columns(self) -> Columns:
        """All points, as numbers."""
        return _unpack(self.data)


def packed_bytes(text: str) -> bytes:
    """The bytes behind an observation's string.

    Raises:
        RecordError: not the one spelling these bytes have.
    """
    try:
        body = text[1:].encode("ascii").translate(_TO_STANDARD)
        data = binascii.a2b_base64(body + b"=" * (-len(body) % 4), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise RecordError("not a packed track") from None
    if not data or data[0] != _VERSION or text[0] != _PREFIX or not _ends_clean(body):
        raise RecordError("not a packed track")
    return data


def _ends_clean(body: bytes) -> bool:
    """Whether the bits that the last character has beyond the last byte are zeros: else several
    spellings would say the same bytes."""
    beyond = len(body) % 4
    if beyond < 2:
        return beyond == 0
    return not _ALPHABET.index(body[-1]) & (15 if beyond == 2 else 3)


_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/  ")


def text_of(data: bytes) -> str:
    """The string of packed bytes."""
    return _PREFIX + urlsafe_b64encode(data).rstrip(b"=").decode()


def _point(second: int, lat: int, lon: int) -> "TrackPoint":
    from .observations import TrackPoint

    at = _EPOCH + timedelta(seconds=second)
    return TrackPoint(at, lat / UNITS_PER_DEGREE, lon / UNITS_PER_DEGREE)


def _pack_column(values: list[int]) -> bytes | None:
    steps = list(map(sub, values[1:], values))
    low, high = min(steps, default=0), max(steps, default=0)
    for width, typecode in _TYPES.items():
        base = low if high - low < 1 << 8 * width and width == 1 else _MIDDLE.get(width)
        if base is None or low < base or high - base >= 1 << 8 * width:
            continue
        column = array(typecode, [step - base for step in steps])
        if sys.byteorder == "little":
            column.byteswap()
        flat = column.tobytes()
        planes = b"".join(flat[plane::width] for plane in range(width))
        return _COLUMN.pack(width, values[0], base) + planes
    return None


def _scan(data: bytes) -> _Scanned:
    """Points, and first and last value of each column, everything checked: sums of planes tell the
    last value, and how far steps of these widths can lead tells that all lie on the globe; only
    where they might lead further is every value looked at."""
    count, parts = _parts(data)
    ends, certain = [], True
    for (low, high), (width, first, base, planes) in zip(_BOUNDS, parts, strict=True):
        total = 0
        for plane in planes:
            total = (total << 8) + _sum(plane)
        steps = count - 1
        ends.append((first, first + total + base * steps))
        down, up = min(base, 0) * steps, max(base + (1 << 8 * width) - 1, 0) * steps
        certain = certain and low <= first + down and first + up <= high
    if not certain:
        _unpack(data)
    return count, tuple(ends)


def _sum(plane: bytes) -> int:
    """Sum of all bytes: the lower half of an Adler-32 is one more than that, modulo 65 521, which
    256 bytes do not reach; thirty times as fast as counting in Python."""
    return sum(
        (adler32(plane[start : start + 256]) & 0xFFFF) - 1 for start in range(0, len(plane), 256)
    )


def _parts(data: bytes) -> tuple[int, list[tuple[int, int, int, list[bytes]]]]:
    unpacker = zlib.decompressobj(-15)
    try:
        body = unpacker.decompress(memoryview(data)[1:], _MAX_PACKED + 1)
        count = _COUNT.unpack_from(body)[0]
        if not unpacker.eof or unpacker.unused_data or not 0 < count <= MAX_POINTS:
            raise RecordError("not a packed track")
        position, parts, size = _COUNT.size, [], count - 1
        for _ in range(3):
            width, first, base = _COLUMN.unpack_from(body, position)
            position += _COLUMN.size
            if width not in _TYPES:
                raise RecordError("not a packed track")
            planes = [body[position + n * size :][:size] for n in range(width)]
            position += size * width
            parts.append((width, first, base, planes))
    except (zlib.error, _StructError):
        raise RecordError("not a packed track") from None
    if position != len(body):
        raise RecordError("not a packed track")
    return count, parts


def _unpack(data: bytes) -> Columns:
    count, parts = _parts(data)
    columns = []
    for (low, high), (width, first, base, planes) in zip(_BOUNDS, parts, strict=True):
        flat = bytearray((count - 1) * width)
        for number, plane in enumerate(planes):
            flat[number::width] = plane
        column = array(_TYPES[width])
        column.frombytes(flat)
        if sys.byteorder == "little":
            column.byteswap()
        values = list(accumulate([step + base for step in column], initial=first))
        if min(values) < low or max(values) > high:
            raise RecordError("not a packed track, or off the globe")
        columns.append(values)
    return columns[0], columns[1], columns[2]


__all__ = ["MAX_POINTS", "PackedTrack", "packed_bytes", "text_of"]
