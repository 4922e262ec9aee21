"""Bytes set aside on disk while an archive is written or read: sealed under a key that only this
process holds, in constant memory.

A tar member needs its size before its contents, and a restored record may come before what it rests
on; neither is a reason to hold ten years in memory, or to leave them in clear in a temporary file.
"""

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import IO, Any, BinaryIO, Final, Self, cast

from federation.sealing import entropy
from schemas.ids import Digest
from vault.crypto.blob import open_blob, seal_blob
from vault.crypto.secret import KEY_SIZE, AeadKey

__all__ = ["Parts", "Spool", "Spools"]

_NAME: Final = "archive-spool"


class Parts(io.RawIOBase):
    """A readable stream over parts of bytes, as they come."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts: Iterator[bytes] = iter(parts)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            following = next(self._parts, None)
            if following is None:
                return 0
            self._rest = following
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


class _Stretch(io.RawIOBase):
    """Part of a file that others read and write too: its place is its own."""

    def __init__(self, file: IO[bytes], start: int, end: int) -> None:
        self._file, self._at, self._end = file, start, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._at)
        part = self._file.read(min(len(buffer), self._end - self._at))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


class Spool:
    """One member's bytes. `size` and `digest` are of the plaintext."""

    def __init__(self, parts: Iterable[bytes], *, beside: IO[bytes] | None = None) -> None:
        """`beside`: a file that holds others too, which its owner closes."""
        self.size = 0
        hasher = sha256()

        def counted() -> Iterator[bytes]:
            for part in parts:
                self.size += len(part)
                hasher.update(part)
                yield part

        self._key = AeadKey(bytearray(entropy.token(KEY_SIZE)))
        self._blob_id = entropy.token(16)
        self._owns = beside is None
        self._file = beside or tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
        self._start = self._file.seek(0, os.SEEK_END)
        try:
            seal_blob(
                cast(BinaryIO, io.BufferedReader(Parts(counted()), 1 << 16)),
                cast(BinaryIO, self._file),
                vault=_NAME,
                blob_id=self._blob_id,
                kind=_NAME,
                key=self._key,
            )
        except BaseException:
            self.close()
            raise
        self._end = self._file.tell()
        self.digest = Digest(hasher.digest())

    def parts(self) -> Iterator[bytes]:
        """The bytes again, from their start."""
        stretch = io.BufferedReader(_Stretch(self._file, self._start, self._end), 1 << 17)
        return open_blob(
            cast(BinaryIO, stretch),
            vault=_NAME,
            blob_id=self._blob_id,
            kind=_NAME,
            key=self._key,
        )

    def stream(self) -> BinaryIO:
        """As `parts`, to read from."""
        return cast(BinaryIO, io.BufferedReader(Parts(self.parts()), 1 << 16))

    def lines(self, most: int) -> Iterator[bytes | None]:
        """As `parts`, line by line, without their ends; None, and no more, for one of over `most`
        bytes."""
        stream = self.stream()
        while line := stream.readline(most + 1):
            if len(line) > most:
                yield None
                return
            yield line.rstrip(b"\n")

    def close(self) -> None:
        """Zero the key: what is left on disk opens no more."""
        self._key.wipe()
        if self._owns:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Spools:
    """Many members in one file: there may be more documents than a process may open files."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
        self._all: list[Spool] = []

    def take(self, parts: Iterable[bytes]) -> Spool:
        """Set one more aside; those before stay readable."""
        spool = Spool(parts, beside=self._file)
        self._all.append(spool)
        return spool

    def close(self) -> None:
        """As `Spool.close`, of all."""
        for spool in self._all:
            spool.close()
        self._file.close()
