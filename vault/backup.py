"""A consistent copy of a home while it serves, and putting one back.

Backup: (1) the database, copied by SQLite's own online backup, which is one moment of it, (2) the
sealed files that this copy names; one that was destroyed meanwhile means that the copy is older
than a deletion, and it is begun again, (3) the key folder, beside and not inside: keep the two
apart, (4) `BACKUP`, which names the digest of the database. Sessions are not copied.

Putting back: into an empty folder, after the digest was compared. Every vault that was written to
after the copy says `vault-rolled-back` at its next unlock, because the key folder (or the browser,
or the hub) remembers more; whoever opens it says that a backup was restored, and the journal keeps
that. PostgreSQL has its own tools for (1); the README says in which order.
"""

import contextlib
import json
import os
import shutil
import sqlite3
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vault.errors import BackupInvalidError, KeyStoreError
from vault.key_store import sync_folder

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["backup_home", "keys_of", "put_back"]

FORMAT: Final = "mobility-home-backup/1"
_MARK: Final = "BACKUP"
_ATTEMPTS: Final = 5


def keys_of(backup: Path) -> Path:
    """Where the copy of the keys is put: beside, to be carried elsewhere."""
    return backup.with_name(backup.name + "-keys")


def backup_home(home: "Home", to: Path) -> None:
    """Steps 1 to 4.

    Raises:
        KeyStoreError: the home's store is PostgreSQL: use its own tools for the database.
        FileExistsError: `to`, or the folder of keys beside it, is there already.
        BackupInvalidError: files were destroyed faster than they could be copied; again later.
    """
    if home.store.engine.dialect.name != "sqlite":
        raise KeyStoreError("back up PostgreSQL with its own tools, and the key folder apart")
    if keys_of(to).exists():
        raise FileExistsError(keys_of(to))
    to.mkdir(mode=0o700, parents=True)
    try:
        for _ in range(_ATTEMPTS):
            _copy_database(str(home.store.engine.url.database), to / "home.db")  # 1
            if _copy_files(home, to):  # 2
                break
        else:
            raise BackupInvalidError("files are destroyed faster than they can be copied")
        home.key_store.backup(keys_of(to))  # 3
        mark = {
            "format": FORMAT,
            "home": home.did,
            "at": home.clock().isoformat(),
            "database": _digest(to / "home.db"),
        }
        (to / _MARK).write_text(json.dumps(mark, indent=1) + "\n")  # 4
        sync_folder(to)
    except BaseException:
        shutil.rmtree(to, ignore_errors=True)
        shutil.rmtree(keys_of(to), ignore_errors=True)
        raise


def put_back(backup: Path, *, keys: Path, folder: Path) -> None:
    """Make a home's folder from a backup and a key folder (of the same day, or a newer one).

    Raises:
        BackupInvalidError: no backup of ours, changed, of another home, or `folder` holds a home.
    """
    try:
        mark = json.loads((backup / _MARK).read_text())
        expected = mark["database"] if mark["format"] == FORMAT else ""
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupInvalidError("not a backup of a home") from None
    if not (backup / "home.db").is_file() or _digest(backup / "home.db") != expected:
        raise BackupInvalidError("the database is not the one that was copied")
    if not (keys / "home").is_file() or not (keys / "peppers").is_dir():
        raise BackupInvalidError("not a key folder")
    for name in ("home.db", "keys", "sessions.db"):
        if (folder / name).exists():
            raise BackupInvalidError("there is a home in this folder already")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(keys, folder / "keys")
    (folder / "keys").chmod(0o700)
    if (backup / "blobs").exists():
        shutil.copytree(backup / "blobs", folder / "blobs", dirs_exist_ok=True)
    # The database last: a folder without it is no home yet, and this can be begun again.
    part = folder / ".home.db.part"
    shutil.copyfile(backup / "home.db", part)
    part.chmod(0o600)
    with part.open("rb") as copied:
        os.fsync(copied.fileno())
    part.replace(folder / "home.db")
    sync_folder(folder)


def _copy_database(source: str, to: Path) -> None:
    to.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source)) as live,
        contextlib.closing(sqlite3.connect(to)) as copy,
    ):
        live.backup(copy)
    to.chmod(0o600)


def _copy_files(home: "Home", to: Path) -> bool:
    """Whether every file that the copied database names is beside it now."""
    with contextlib.closing(sqlite3.connect(to / "home.db")) as copy:
        named = copy.execute("SELECT vault_id, blob_id, size FROM blob WHERE sealed IS NULL")
        for vault_id, blob_id, size in named:
            path = Path(vault_id) / blob_id[:2] / blob_id
            target = to / "blobs" / path
            if target.exists() and target.stat().st_size == size:
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                shutil.copyfile(home.settings.blobs / path, target)
            except FileNotFoundError:
                return False
            target.chmod(0o600)
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as found:
        return "sha256:" + file_digest(found, "sha256").hexdigest()
