"""Sealed files: tracks and documents, one folder per vault. Small ones live in their rows.

A file is written under a temporary name, synced, renamed, its folder synced; only then comes its
row. So a row always has its file, and a file without a row is an orphan that is collected once it
is old enough that no transaction can still be about to name it.
"""

import contextlib
import io
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from schemas.ids import digest
from vault.crypto.blob import HEADER_SIZE, destroy_blob_key
from vault.errors import BlobMissingError
from vault.key_store import sync_folder
from vault.store.rows import Blob

__all__ = ["BlobFolder", "BlobStore", "SealedBlob"]

ORPHAN_AGE = timedelta(hours=1)
"""A transaction lives seconds; an hour leaves room for a stopped machine."""


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """A sealed file, not yet written."""

    blob_id: str
    """32 hexadecimal digits, bound into the seal."""
    sealed: bytes


class BlobStore(Protocol):
    """Where sealed files are: a folder, or a bucket (`vault/buckets.py`)."""

    def write_all(self, vault_id: str, many: Sequence[SealedBlob]) -> list[Blob]:
        """Store sealed files; durable when this returns. Small ones come back to be written with
        their rows."""
        ...

    def read(self, vault_id: str, blob: Blob) -> bytes:
        """Raises BlobMissingError: gone, cut short or altered."""
        ...

    def open(self, vault_id: str, blob: Blob) -> io.BufferedReader:
        """A sealed file to read from its start. Raises BlobMissingError: gone, of another size."""
        ...

    def remove(self, vault_id: str, blob_id: str) -> None:
        """Destroy a sealed file: the wrap of its data key first. Twice is once."""
        ...

    def names(self, vault_id: str) -> set[str]:
        """Every blob that is there."""
        ...

    def collect(self, vault_id: str, *, kept: set[str], at: datetime) -> int:
        """Remove what no row names and is older than `ORPHAN_AGE`; returns how many."""
        ...

    def remove_vault(self, vault_id: str) -> None:
        """Everything of a vault."""
        ...


class BlobFolder:
    """Sealed blobs on a file system. Knows no keys."""

    def __init__(self, folder: Path, *, in_rows: int = 0) -> None:
        """`in_rows`: up to how many sealed bytes a blob stays in its row."""
        self._folder, self._in_rows = folder, in_rows
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, vault_id: str, blob_id: str) -> Path:
        return self._folder / vault_id / blob_id[:2] / blob_id

    def write_all(self, vault_id: str, many: Sequence[SealedBlob]) -> list[Blob]:
        """Store sealed files; durable when this returns (each file synced, each folder once).
        Small ones come back to be written with their rows."""
        blobs, folders = [], set()
        for blob in many:
            blob_id, sealed = blob.blob_id, blob.sealed
            if len(sealed) <= self._in_rows:
                blobs.append(Blob(blob_id, len(sealed), digest(sealed), sealed))
                continue
            path = self._path(vault_id, blob_id)
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                folders |= {path.parent.parent, self._folder}
            # A name of its own: a document's blob has the same name again after a crash.
            temporary = path.with_name(f".{blob_id}.{secrets.token_hex(4)}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                view = memoryview(sealed)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(path)
            folders.add(path.parent)
            blobs.append(Blob(blob_id, len(sealed), digest(sealed)))
        for folder in folders:
            sync_folder(folder)
        return blobs

    def read(self, vault_id: str, blob: Blob) -> bytes:
        """Raises BlobMissingError: gone, cut short or altered."""
        sealed = blob.sealed
        if sealed is None:
            try:
                sealed = self._path(vault_id, blob.blob_id).read_bytes()
            except FileNotFoundError:
                raise BlobMissingError("a sealed file is gone") from None
        if len(sealed) != blob.size or digest(sealed) != blob.digest:
            raise BlobMissingError("a sealed file is not what was written")
        return sealed

    def open(self, vault_id: str, blob: Blob) -> io.BufferedReader:
        """A sealed file to read from its start: what is read of it is authentic or refused, chunk
        by chunk. Raises BlobMissingError: gone, or of another size."""
        if blob.sealed is not None:
            return io.BufferedReader(io.BytesIO(self.read(vault_id, blob)))
        try:
            found = self._path(vault_id, blob.blob_id).open("rb")
        except FileNotFoundError:
            raise BlobMissingError("a sealed file is gone") from None
        if os.fstat(found.fileno()).st_size != blob.size:
            found.close()
            raise BlobMissingError("a sealed file is not what was written")
        return found

    def remove(self, vault_id: str, blob_id: str) -> None:
        """Destroy a sealed file: zeros over the wrap of its data key, synced, then unlinked."""
        path = self._path(vault_id, blob_id)
        with contextlib.suppress(FileNotFoundError):
            with path.open("r+b") as found:
                header = found.read(HEADER_SIZE)
                if len(header) == HEADER_SIZE:
                    found.seek(0)
                    found.write(destroy_blob_key(header))
                    found.flush()
                    os.fsync(found.fileno())
            path.unlink()

    def names(self, vault_id: str) -> set[str]:
        folder = self._folder / vault_id
        if not folder.exists():
            return set()
        return {p.name for p in folder.glob("*/*") if not p.name.startswith(".")}

    def collect(self, vault_id: str, *, kept: set[str], at: datetime) -> int:
        """Remove files that no row names and that are older than `ORPHAN_AGE`; returns how many."""
        limit = (at - ORPHAN_AGE).timestamp()
        folder, removed = self._folder / vault_id, 0
        for path in folder.glob("*/*") if folder.exists() else ():
            if path.name not in kept and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def remove_vault(self, vault_id: str) -> None:
        shutil.rmtree(self._folder / vault_id, ignore_errors=True)
        sync_folder(self._folder)
