"""A consistent copy of a home while it serves, and putting one back.

Backup: (1) the database, copied by SQLite's own online backup, which is one moment of it, (2) the
sealed files that this copy names, from the folder or bucket they are in; one that was destroyed
meanwhile means that the copy is older than a deletion, and it is begun again; one that is gone or
cut although the home still names it was lost on the disk: everything else is copied, and the copy
says which are lost, (3) the key folder, beside and not inside: keep the two apart, (4) `BACKUP`,
which names the digests of the databases and what is lost. Sessions are not copied.

What else lies in the folder goes along (`Beside`): the connectors' database *before* the home's, so
that no cursor is past what the home holds, and a source is at worst asked twice; a hub's *after*
it, so that what the home believes delivered is there, and what it sends again is known.

Putting back: into an empty folder, after the digests were compared; sealed files into the folder,
or into the bucket that the home is to use from now on, wherever they were before. Every vault that
was written to after the copy says `vault-rolled-back` at its next unlock, because the key folder
(or the browser, or the hub) remembers more; whoever opens it says that a backup was restored, and
the journal keeps that. PostgreSQL has its own tools for (1); the README says in which order.
"""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from schemas.ids import Digest
from vault.blobs import BlobFolder, BlobStore, SealedBlob
from vault.errors import BackupInvalidError, BlobMissingError, KeyStoreError
from vault.key_store import sync_folder
from vault.store.rows import Blob

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["Beside", "Lost", "backup_home", "keys_of", "lost_in", "put_back"]

_log = structlog.get_logger(__name__)

FORMAT: Final = "mobility-home-backup/2"
FORMAT_1: Final = "mobility-home-backup/1"
"""Before 2026-11-22: the home's database alone, its digest under `database`."""
_MARK: Final = "BACKUP"
_ATTEMPTS: Final = 5
_PART: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Beside:
    """What else of the node lies in the home's folder, by the name it has there."""

    before: Mapping[str, Path] = field(default_factory=dict)
    """SQLite databases copied before the home's."""
    after: Mapping[str, Path] = field(default_factory=dict)
    """SQLite databases copied after the home's."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Files that hold no secret."""
    keys: Mapping[str, Path] = field(default_factory=dict)
    """Key folders, each copied to `<copy>-<name>`."""


@dataclass(frozen=True, slots=True, order=True)
class Lost:
    """A sealed file that the home names and has no more, or not whole."""

    vault_id: str
    blob_id: str


def keys_of(backup: Path, name: str = "keys") -> Path:
    """Where the copy of a key folder is put: beside, to be carried elsewhere."""
    return backup.with_name(f"{backup.name}-{name}")


def backup_home(home: "Home", to: Path, *, beside: Beside | None = None) -> tuple[Lost, ...]:
    """Steps 1 to 4. Returns the sealed files that are lost, in this home and in the copy: `fsck`
    names the vaults they are missing in, an older backup may still have them.

    Raises:
        KeyStoreError: the home's store is PostgreSQL: use its own tools.
        FileExistsError: `to`, or the folder of keys beside it, is there already.
        BackupInvalidError: files were destroyed faster than they could be copied; again later.
    """
    if home.store.engine.dialect.name != "sqlite":
        raise KeyStoreError("back up PostgreSQL with its own tools, and the key folder apart")
    beside = beside or Beside()
    key_copies = [keys_of(to), *(keys_of(to, name) for name in beside.keys)]
    for copy in key_copies:
        if copy.exists():
            raise FileExistsError(copy)
    to.mkdir(mode=0o700, parents=True)
    try:
        for name, path in beside.before.items():
            _copy_database(str(path), to / name)
        for _ in range(_ATTEMPTS):
            _copy_database(str(home.store.engine.url.database), to / "home.db")  # 1
            lost = _copy_files(home, to)  # 2
            if lost is not None:
                break
        else:
            raise BackupInvalidError("files are destroyed faster than they can be copied")
        for name, path in beside.after.items():
            _copy_database(str(path), to / name)
        for name, path in beside.files.items():
            shutil.copyfile(path, to / name)
        home.key_store.backup(keys_of(to))  # 3
        for name, path in beside.keys.items():
            shutil.copytree(path, keys_of(to, name))
            keys_of(to, name).chmod(0o700)
        named = ["home.db", *beside.before, *beside.after, *beside.files]
        mark = {
            "format": FORMAT,
            "home": home.did,
            "at": home.clock().isoformat(),
            "files": {name: _digest(to / name) for name in named},
            "keys": ["keys", *beside.keys],
            "lost": [[one.vault_id, one.blob_id] for one in lost],
        }
        (to / _MARK).write_text(json.dumps(mark, indent=1) + "\n")  # 4
        sync_folder(to)
    except BaseException:
        for made in (to, *key_copies):
            shutil.rmtree(made, ignore_errors=True)
        raise
    if lost:
        _log.error("backup.files_lost", files=len(lost), vaults=len({o.vault_id for o in lost}))
    return lost


def lost_in(backup: Path) -> tuple[Lost, ...]:
    """What was lost already when this copy was made. Raises BackupInvalidError: no backup."""
    return tuple(sorted(_marked(backup).lost))


def put_back(
    backup: Path,
    *,
    keys: Path,
    folder: Path,
    more_keys: Mapping[str, Path] | None = None,
    bucket: BlobStore | None = None,
) -> tuple[str, ...]:
    """Make a home's folder from a backup and a key folder (of the same day, or a newer one), with
    `more_keys` by name for what lay beside it. Returns the names of what was put there.

    `bucket`: where the sealed files go if not into the folder. What it holds under the same names
    is replaced: never the bucket of a home that goes on elsewhere.

    Raises:
        BackupInvalidError: no backup of ours, changed, of another home, a key folder or a sealed
            file is missing, or `folder` holds a home.
        BlobStoreUnreachableError: the bucket does not answer; begin again later.
    """
    mark = _marked(backup)
    expected, wanted = mark.files, mark.keys
    for name, digest in expected.items():
        if not (backup / name).is_file() or _digest(backup / name) != digest:
            raise BackupInvalidError(f"{name} is not what was copied")
    if not (keys / "home").is_file() or not (keys / "peppers").is_dir():
        raise BackupInvalidError("not a key folder")
    folders = {"keys": keys, **(more_keys or {})}
    for name in wanted:
        if name not in folders or not folders[name].is_dir():
            raise BackupInvalidError(f"the key folder {name} is missing")
    for name in ("sessions.db", *expected, *wanted):
        if (folder / name).exists():
            raise BackupInvalidError("there is a home in this folder already")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in wanted:
        shutil.copytree(folders[name], folder / name)
        (folder / name).chmod(0o700)
    _put_files(backup, BlobFolder(folder / "blobs") if bucket is None else bucket, mark.lost)
    # The home's database last: a folder without it is no home yet, and this can be begun again.
    for name in sorted(expected, key=lambda name: name == "home.db"):
        _put(backup / name, folder / name)
    sync_folder(folder)
    return tuple(expected)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What `BACKUP` says."""

    files: dict[str, str]
    """Digests of what was copied."""
    keys: list[str]
    """The key folders that belong to it."""
    lost: frozenset[Lost] = frozenset()


def _marked(backup: Path) -> _Mark:
    try:
        mark = json.loads((backup / _MARK).read_text())
        if mark["format"] == FORMAT_1:
            return _Mark({"home.db": str(mark["database"])}, ["keys"])
        if mark["format"] != FORMAT:
            raise BackupInvalidError("written by a newer version")
        files, keys = dict(mark["files"]), list(mark["keys"])
        # Not said before files could be lost: then none was.
        lost = frozenset(Lost(str(vault), str(blob)) for vault, blob in mark.get("lost", []))
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupInvalidError("not a backup of a home") from None
    if "home.db" not in files or any(Path(name).name != name for name in (*files, *keys)):
        raise BackupInvalidError("not a backup of a home")
    return _Mark(files, keys, lost)


def _put(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.chmod(0o600)
    with part.open("rb") as copied:
        os.fsync(copied.fileno())
    part.replace(target)


def _copy_database(source: str, to: Path) -> None:
    to.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source)) as live,
        contextlib.closing(sqlite3.connect(to)) as copy,
    ):
        live.backup(copy)
    to.chmod(0o600)


def _named(database: Path) -> Iterator[tuple[str, Blob]]:
    """Vault and file of each row that has one."""
    with contextlib.closing(sqlite3.connect(database)) as copy:
        columns = {column[1] for column in copy.execute("PRAGMA table_info(blob)")}
        # Before migration 0004 each had one.
        which = "WHERE sealed IS NULL" if "sealed" in columns else ""
        rows = copy.execute(f"SELECT vault_id, blob_id, size, digest FROM blob {which}")  # noqa: S608
        for vault_id, blob_id, size, digest in rows:
            yield vault_id, Blob(blob_id, size, Digest(digest))


def _copy_files(home: "Home", to: Path) -> tuple[Lost, ...] | None:
    """Step 2: what is lost; None when a file was destroyed since the database was copied."""
    lost: list[Lost] = []
    for vault_id, blob in _named(to / "home.db"):
        target = to / "blobs" / vault_id / blob.blob_id[:2] / blob.blob_id
        if target.exists() and target.stat().st_size == blob.size:
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with home.blobs.open(vault_id, blob) as found, target.open("wb") as copied:
                shutil.copyfileobj(found, copied, _PART)
        except BlobMissingError:
            # A deletion takes the row first, then the file: a row that still stands lost its own.
            with home.store.read() as reader:
                if reader.blob(vault_id, blob.blob_id) != blob:
                    return None
            lost.append(Lost(vault_id, blob.blob_id))
            continue
        target.chmod(0o600)
    return tuple(sorted(lost))


def _put_files(backup: Path, store: BlobStore, lost: frozenset[Lost]) -> None:
    """Every file that the copied database names, compared with what its row says of it."""
    copied = BlobFolder(backup / "blobs")
    for vault_id, blob in _named(backup / "home.db"):
        if Lost(vault_id, blob.blob_id) in lost:
            continue
        try:
            sealed = copied.read(vault_id, blob)
        except BlobMissingError:
            raise BackupInvalidError("a sealed file is not what was copied") from None
        store.write_all(vault_id, [SealedBlob(blob.blob_id, sealed)])


def _digest(path: Path) -> str:
    with path.open("rb") as found:
        return "sha256:" + file_digest(found, "sha256").hexdigest()
