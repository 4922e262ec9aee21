"""A file, or the files inside a ZIP, each as a stream; a bomb is stopped while it unfolds."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Member:
    """A table in a file: the file itself (no name), or one member of a ZIP."""

    number: int
    name: str
    """As the archive says, its last part, without what cannot be printed."""
    size: int
    """Bytes, unpacked, as the archive says."""


TABLES: Final = (".csv", ".json", ".tsv", ".txt", ".ndjson")


def tables(data: bytes) -> list[Member]:
    """What in a file may be a table: the file itself, or the tables of a ZIP, in its order.

    Raises:
        HostileInputError: as `opened`.
    """
    if not data.startswith(b"PK\x03\x04"):
        is_text = b"\x00" not in data[:4_096] or data[:2] in {b"\xff\xfe", b"\xfe\xff"}
        return [Member(0, "", len(data))] if is_text and not data.startswith(b"%PDF") else []
    return [
        Member(number, _shown(info.filename), info.file_size)
        for number, info in enumerate(_members(data))
        if not info.is_dir()
        and info.filename.casefold().endswith(TABLES)
        and not info.filename.startswith("__MACOSX/")
    ]


def member_bytes(data: bytes, number: int, *, limit: int) -> tuple[str, bytes]:
    """(name, bytes) of one member of `tables`, at most `limit`.

    Raises:
        HostileInputError: no such member, over the limit, a bomb, or as `opened`.
    """
    infos = _members(data)
    if not 0 <= number < len(infos):
        raise HostileInputError("no such member")
    info = infos[number]
    if info.flag_bits & 1:
        raise HostileInputError("an archive with a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(info) as inner:
            found = io.BufferedReader(_Bounded(inner, info.compress_size)).read(limit + 1)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError):
        raise HostileInputError("a broken archive") from None
    if len(found) > limit:
        raise HostileInputError(f"over {limit} bytes")
    return _shown(info.filename), found


def _members(data: bytes) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError):
        raise HostileInputError("a broken archive") from None
    if len(infos) > MAX_MEMBERS:
        raise HostileInputError(f"over {MAX_MEMBERS} members")
    return infos


def _shown(name: str) -> str:
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:100] or "?"


__all__ = ["Member", "member_bytes", "opened", "tables"]
