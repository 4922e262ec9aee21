"""A file, or the files inside a ZIP, each as a stream; a bomb is stopped while it unfolds."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from connectors.errors import HostileInputError
from connectors.files.streaming import MAX_BYTES

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAX_MEMBERS: Final = 2_000
MAX_RATIO: Final = 200
"""JSON of positions packs 10 to 30 times."""
READ: Final = (".json", ".gpx", ".tcx", ".kml", ".fit", ".csv", ".rec", ".geojson", ".txt")


class _Bounded(io.RawIOBase):
    """A member's bytes, counted."""

    def __init__(self, inner: IO[bytes], packed: int) -> None:
        self._inner, self._left = inner, min(MAX_BYTES, max(packed, 4096) * MAX_RATIO)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            found = self._inner.read(len(view))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
            raise HostileInputError("a broken archive") from None
        self._left -= len(found)
        if self._left < 0:
            raise HostileInputError("an archive with an impossible ratio")
        view[: len(found)] = found
        return len(found)


def opened(stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """(name, stream) of what there is to read; the stream itself when it is no ZIP.

    Raises:
        HostileInputError: a broken archive, one with a password, too many members, or a bomb.
    """
    head = stream.read(4)
    stream.seek(0)
    if head != b"PK\x03\x04":
        yield "", stream
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise HostileInputError(f"over {MAX_MEMBERS} members")
            for member in members:
                if member.is_dir() or not member.filename.casefold().endswith(READ):
                    continue
                if member.flag_bits & 1:
                    raise HostileInputError("an archive with a password")
                with archive.open(member) as inner:
                    bounded = _Bounded(inner, member.compress_size)
                    yield member.filename, io.BufferedReader(bounded, 1 << 16)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError):
        raise HostileInputError("a broken archive") from None


__all__ = ["opened"]
