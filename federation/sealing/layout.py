"""Reading and writing the byte layouts: big-endian, length-prefixed, nothing optional, nothing left
over.

Every stored or sent layout opens with four bytes: `"MV" ‖ type(1) ‖ version(1)`. `lp(x)` in the
specifications is `u16 length ‖ bytes`. Instants are unsigned 64-bit milliseconds since
1970-01-01T00:00:00Z.
"""

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

from .errors import LayoutError

_U16: Final = Struct(">H").pack
MAGIC: Final = b"MV"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MAX_MS: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MILLISECOND


def head(kind: bytes, version: int = 1) -> bytes:
    """The four opening bytes of a layout."""
    return MAGIC + kind + version.to_bytes(1, "big")


def lp(value: str | bytes) -> bytes:
    """`u16 length ‖ bytes`; text as UTF-8.

    Raises:
        LayoutError: longer than 65 535 bytes.
    """
    data = value.encode() if isinstance(value, str) else value
    if len(data) > 0xFFFF:
        raise LayoutError("lp", "longer than 65535 bytes")
    return _U16(len(data)) + data


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, rounded down.

    Raises:
        LayoutError: a naive instant, or before 1970.
    """
    if at.tzinfo is None or at < _EPOCH:
        raise LayoutError("instant", "not an aware instant since 1970")
    return (at - _EPOCH) // _MILLISECOND


def from_ms(value: int) -> datetime:
    """Inverse of `to_ms`.

    Raises:
        LayoutError: after the year 9999.
    """
    if not 0 <= value <= _MAX_MS:
        raise LayoutError("instant", "outside 1970 to 9999")
    return _EPOCH + value * _MILLISECOND


class Reader:
    """Walks over one layout; every step is bounded by what is left."""

    __slots__ = ("_data", "_layout", "_pos")

    def __init__(self, data: bytes | bytearray | memoryview, layout: str) -> None:
        self._data, self._layout, self._pos = memoryview(data), layout, 0

    def head(self, kind: bytes, version: int = 1) -> None:
        """Consume the four opening bytes.

        Raises:
            LayoutError: another type, or a version this build does not know.
        """
        found = self.take(4)
        if found[:3] != MAGIC + kind:
            raise LayoutError(self._layout, "not this layout")
        if found[3] != version:
            raise LayoutError(self._layout, f"version {found[3]} is not known")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        return bytes(self._slice(size))

    def secret(self, size: int) -> bytearray:
        """The next `size` bytes as key material, which the caller zeroes."""
        return bytearray(self._slice(size))

    def uint(self, size: int) -> int:
        """The next `size` bytes as an unsigned number."""
        return int.from_bytes(self._slice(size), "big")

    def lp(self) -> bytes:
        """The next length-prefixed bytes."""
        return self.take(self.uint(2))

    def text(self) -> str:
        """The next length-prefixed text.

        Raises:
            LayoutError: not UTF-8.
        """
        try:
            return self.lp().decode()
        except UnicodeDecodeError:
            raise LayoutError(self._layout, "text is not UTF-8") from None

    def instant(self) -> datetime:
        """The next eight bytes as an instant."""
        return from_ms(self.uint(8))

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data) - self._pos)

    def tell(self) -> int:
        """Bytes read so far."""
        return self._pos

    def end(self) -> None:
        """Nothing may be left.

        Raises:
            LayoutError: bytes follow.
        """
        if self._pos != len(self._data):
            raise LayoutError(self._layout, f"{len(self._data) - self._pos} bytes too many")

    def fail(self, reason: str) -> LayoutError:
        """An error that names this layout."""
        return LayoutError(self._layout, reason)

    def _slice(self, size: int) -> memoryview:
        end = self._pos + size
        if end > len(self._data):
            raise LayoutError(self._layout, "truncated")
        part = self._data[self._pos : end]
        self._pos = end
        return part
