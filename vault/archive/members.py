"""What an archive holds, read once from its stream: small members as bytes, those that grow with
the life in them set aside sealed. Members that restoring does not read are known by name alone."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Self, TypeVar, cast

from federation.sealing.errors import SealingError
from schemas.errors import MobilityError
from schemas.ids import Digest, digest
from schemas.jsonld import from_jsonld
from schemas.records import Record
from vault.archive.spool import Spool, Spools
from vault.crypto.age import ScryptIdentity
from vault.crypto.archive import read_archive
from vault.crypto.errors import AgeError, ArchiveRefusedError
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.secret import zero
from vault.errors import ArchiveInvalidError

__all__ = ["MAX_LINE", "Members", "Said"]

MANIFEST: Final = "manifest.json"
_FORMAT: Final = "mobility-vault-archive/1"
_LARGE: Final = frozenset({"records", "observations", "documents"})
_SMALL: Final[Mapping[str, int]] = {"manifests": 1 << 20, "receipts": 1 << 16, "evidence": 8 << 20}
"""Most bytes of one member of these folders."""
_MAX_MANIFEST: Final = 256 << 20
"""A million members with names of 150 bytes."""
_MAX_SMALL: Final = 512 << 20
"""Of all small members together."""
MAX_LINE: Final = 16 << 20
"""One record or observation as a line. A deposited record has at most 1 MiB, of which an escape may
make six."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """An archive in three words."""

    digest: Digest
    """Names the archive: of its manifest's bytes."""
    home: str
    label: str


class Members:
    """The members of one archive. Close it: what was set aside opens no more."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._small: dict[str, dict[str, bytes]] = {folder: {} for folder in _SMALL}
        self._large: dict[str, Spool] = {}
        self._spools = Spools()
        self._manifest = b""
        self._held = 0

    @classmethod
    def read(cls, source: IO[bytes], passphrase: str | bytearray) -> Self:
        """Every member, to the stream's authenticated end.

        Raises:
            ArchiveInvalidError: another passphrase, altered, cut, too large, or none of ours.
        """
        secret = passphrase_bytes(passphrase)
        members = cls()
        try:
            for name, content in read_archive(cast(Any, source), [ScryptIdentity(secret)]):
                members._take(name, content)
        except (AgeError, ArchiveRefusedError, SealingError) as error:
            members.close()
            raise ArchiveInvalidError(str(error), where=error.code) from error
        except BaseException:
            members.close()
            raise
        finally:
            zero(secret)
        return members

    def _take(self, name: str, content: IO[bytes]) -> None:
        self._names.add(name)
        folder = name.partition("/")[0]
        if name == MANIFEST:
            self._manifest = self._bounded(name, content, _MAX_MANIFEST)
        elif folder in _LARGE:
            self._large[name] = self._spools.take(iter(lambda: content.read(1 << 16), b""))
        elif folder in _SMALL:
            self._small[folder][name] = self._bounded(name, content, _SMALL[folder])

    def _bounded(self, name: str, content: IO[bytes], most: int) -> bytes:
        parts, size = list[bytes](), 0
        while part := content.read(1 << 16):  # a larger one takes its room before it is filled
            parts.append(part)
            size += len(part)
            if size > most or self._held + size > _MAX_SMALL:
                raise ArchiveInvalidError("a member is too large", where=name)
        self._held += size
        return b"".join(parts)

    def close(self) -> None:
        self._spools.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what is there ------------------------------------------------------------------------

    def said(self) -> "Said":
        """What the archive's manifest says of it, after every member it lists was found there.
        That members are as it says is not asked: an edited one imports, and what it claims is
        computed anew.

        Raises:
            ArchiveInvalidError: none, of another version, or a member is missing.
        """
        try:
            manifest: Mapping[str, Any] = json.loads(self._manifest)
            listed, version = manifest["members"], manifest["format"]
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ArchiveInvalidError("no manifest", where=MANIFEST) from error
        if not isinstance(listed, dict):
            raise ArchiveInvalidError("no list of members", where=MANIFEST)
        if version != _FORMAT:
            raise ArchiveInvalidError("an archive of another version", where=MANIFEST)
        for name in listed:
            if name not in self._names:
                raise ArchiveInvalidError("a member is missing", where=name)
        return Said(
            digest(self._manifest), str(manifest.get("home")), str(manifest.get("label") or "")
        )

    def small(self, folder: str) -> Mapping[str, bytes]:
        """`manifests`, `receipts` or `evidence`, by member name."""
        return self._small[folder]

    def large(self, name: str) -> Spool | None:
        return self._large.get(name)

    def records(self, folder: str, *, past: int = 0) -> Iterator[Record]:
        """The records of one kind, one in memory, without the first `past`.

        Raises:
            ArchiveInvalidError: a line is none; `where` names it.
        """
        return self.lines(f"records/{folder}.jsonl", from_jsonld, past=past)

    def lines(
        self, name: str, read: Callable[[dict[str, Any]], T], *, past: int = 0
    ) -> Iterator[T]:
        """What each line of a member reads as. Raises as `records`."""
        spool = self._large.get(name)
        for number, line in enumerate(() if spool is None else spool.lines(MAX_LINE), start=1):
            if number <= past:
                continue
            where = f"{name}:{number}"
            if line is None:
                raise ArchiveInvalidError("a line is too long", where=where)
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ArchiveInvalidError("not JSON", where=where) from error
            if not isinstance(found, dict):
                raise ArchiveInvalidError("not an object", where=where)
            try:
                made = read(found)
            except MobilityError as error:
                place = getattr(error, "where", None) or ""
                raise ArchiveInvalidError("cannot be read", where=f"{where} {place}") from error
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise ArchiveInvalidError("cannot be read", where=where) from error
            yield made
