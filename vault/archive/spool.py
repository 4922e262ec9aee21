"""Bytes set aside on disk while an archive is written or read: sealed under a key that only this
process holds, in constant memory.

A tar member needs its size before its contents, and a restored record may come before what it rests
on; neither is a reason to hold ten years in memory, or to leave them in clear in a temporary file.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, BinaryIO, Final, Self, cast

from federation.sealing import entropy
from schemas.ids import Digest
from vault.crypto.blob import open_blob, seal_blob
from vault.crypto.secret import KEY_SIZE, AeadKey

__all__ = ["Parts", "Spool"]

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


class Spool:
    """One member's bytes. `size` and `digest` are of the plaintext."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.size = 0
        hasher = sha256()

        def counted() -> Iterator[bytes]:
            for part in parts:
                self.size += len(part)
                hasher.update(part)
                yield part

        self._key = AeadKey(bytearray(entropy.token(KEY_SIZE)))
        self._blob_id = entropy.token(16)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
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
        self.digest = Digest(hasher.digest())

    def parts(self) -> Iterator[bytes]:
        """The bytes again, from their start."""
        self._file.seek(0)
        return open_blob(
            cast(BinaryIO, self._file),
            vault=_NAME,
            blob_id=self._blob_id,
            kind=_NAME,
            key=self._key,
        )

    def stream(self) -> BinaryIO:
        """As `parts`, to read from."""
        return cast(BinaryIO, io.BufferedReader(Parts(self.parts()), 1 << 16))

    def lines(self) -> Iterator[bytes]:
        """As `parts`, line by line, without their ends."""
        for line in self.stream():
            yield line.rstrip(b"\n")

    def close(self) -> None:
        """Zero the key: what is left on disk opens no more."""
        self._key.wipe()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
