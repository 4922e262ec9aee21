"""An archive that is made in the background and then waits to be downloaded.

Making is an *open* job: `begin` keeps the archive's header (its file key, wrapped for the
passphrase; the passphrase itself is kept nowhere) sealed in the outbox, and a thread of a process
that holds the session writes the file (`step`, called by `vault/tending.py`). It says how far it
is once a second, stops when the vault locks and is begun again at the next unlock, for one archive
is one snapshot. `call_off` ends it wherever it runs. What fails for good stays as a dead job until
the citizen begins another or calls it off.

What waits is a file that is sealed already, so that a download that broke goes on where it was
(HTTP ranges), without being made again. One a vault, for `KEPT`; a new one takes the place of the
one before. It lies beside the blobs, in `exports/<vault>/`, is in no backup, and goes with a shred.
"""

import contextlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from federation.multibase import b64url, b64url_decode
from federation.sealing.age import AgeHeader
from federation.wire.errors import DatabaseBusyError, JobNotClaimedError
from federation.wire.jobs import Job, JobClass, JobState
from schemas.errors import MobilityError, Retriable
from vault.archive.export import export_file, header_for
from vault.crypto.errors import KeyringLockedError
from vault.errors import ExportRunningError, VaultLockedError
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = [
    "KEPT",
    "NOT_WRITTEN",
    "Making",
    "Prepared",
    "begin",
    "call_off",
    "is_due",
    "making",
    "prepared",
    "remove_prepared",
    "step",
]

_log = structlog.get_logger(__name__)

JOB: Final = "export"
KEPT: Final = timedelta(days=1)
ATTEMPTS: Final = 4
"""Of a process that died, or deletions that overtook it; then somebody is told."""
SAY_EVERY_S: Final = 1.0
NOT_WRITTEN: Final = "export-not-written"
_UNFINISHED: Final = (JobState.WAITING, JobState.RUNNING)
_NAME: Final = re.compile(r"[0-9a-f]{32}\.age")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An archive ready to be downloaded."""

    path: Path
    size: int
    made_at: datetime

    @property
    def until(self) -> datetime:
        return self.made_at + KEPT

    @property
    def tag(self) -> str:
        """A strong ETag: the file never changes under its name."""
        return f'"{self.path.stem}"'


def _folder(home: "Home", vault_id: str) -> Path:
    return home.settings.folder / "exports" / vault_id


@dataclass(frozen=True, slots=True)
class Making:
    """An archive that is being made, or could not be."""

    done: int
    total: int
    """Pieces, about; (0, 1) before the first."""
    began_at: datetime
    failed: str | None
    """Code of what ended it for good: nothing goes on by itself."""


def begin(vault: "OpenVault", *, passphrase: str | bytearray) -> None:
    """Have the archive made. The one that waits stays until the new one is ready.

    Raises:
        ExportRunningError: one is being made. BusyError: too many derivations wait.
    """
    found = making(vault)
    if found is not None and found.failed is None:
        raise ExportRunningError
    header = header_for(vault, passphrase)
    try:
        key, at = secrets.token_hex(16), vault.home.clock()
        body = json.dumps(
            {
                "fileKey": b64url(bytes(header.file_key)),
                "stanzas": b64url(header.stanzas),
                "began": at.isoformat(),
            }
        )
    finally:
        header.wipe()
    with vault.library.store.transact() as tx:
        tx.lock_head(vault.vault_id)
        jobs = vault.library.outbox.of_owner(vault.vault_id, kind=JOB)
        if any(job.state in _UNFINISHED for job in jobs):
            raise ExportRunningError
        vault.library.outbox.forget(tx.session, owner=vault.vault_id, kind=JOB)
        vault.library.outbox.enqueue(
            tx.session,
            JOB,
            at=at,
            key=key,
            owner=vault.vault_id,
            payload=_seal(vault, body, f"payload/{key}"),
            job_class=JobClass.OPEN,
            max_attempts=ATTEMPTS,
        )
    vault.tend()


def call_off(vault: "OpenVault") -> None:
    """Make it no longer, or forget that it failed. Whoever is at it stops within a second or so,
    and leaves nothing."""
    with vault.library.store.transact() as tx:
        tx.lock_head(vault.vault_id)
        vault.library.outbox.forget(tx.session, owner=vault.vault_id, kind=JOB)


def making(vault: "OpenVault") -> Making | None:
    """How far the archive is; None when none is being made."""
    for job in reversed(vault.library.outbox.of_owner(vault.vault_id, kind=JOB)):
        if job.state is JobState.DONE:
            continue
        began = datetime.fromisoformat(
            json.loads(_open(vault, job.payload, f"payload/{job.key}"))["began"]
        )
        done, total = 0, 1
        if job.progress:
            done, total = json.loads(_open(vault, job.progress, f"progress/{job.key}"))
        failed = (job.error_code or "internal-error") if job.state is JobState.DEAD else None
        return Making(done, total, began, failed)
    return None


def is_due(vault: "OpenVault") -> bool:
    """Whether an archive is being made, here or in another process, or waits to be."""
    jobs = vault.library.outbox.of_owner(vault.vault_id, kind=JOB)
    return any(job.state in _UNFINISHED for job in jobs)


def step(vault: "OpenVault", *, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Make the archive that is due, whole; False when none is, or another process is at it.

    `stopped` is asked often; when it says yes the job is given back for the next unlock.
    """
    outbox, clock = vault.library.outbox, vault.home.clock
    job = outbox.claim(at=clock(), classes={JobClass.OPEN}, kinds={JOB}, owner=vault.vault_id)
    if job is None:
        return False
    try:
        _make(vault, job, stopped)
    except JobNotClaimedError:
        pass  # called off, or another process has it: nothing of ours is left
    except (_StoppedError, VaultLockedError, KeyringLockedError):
        outbox.release(job, at=clock())
    except MobilityError as error:
        with contextlib.suppress(JobNotClaimedError):
            if isinstance(error, Retriable):
                outbox.retry(job, at=clock(), error_code=error.code)
            else:
                outbox.bury(job, at=clock(), error_code=error.code)
    except OSError as error:  # no room, mostly
        _log.error("export.not_written", error_type=type(error).__qualname__, errno=error.errno)
        with contextlib.suppress(JobNotClaimedError):
            outbox.bury(job, at=clock(), error_code=NOT_WRITTEN)
    return True


class _StoppedError(Exception):
    """The vault locked, or nobody has a session any more."""


def _make(vault: "OpenVault", job: Job, stopped: Callable[[], bool]) -> None:
    home, outbox = vault.home, vault.library.outbox
    body = json.loads(_open(vault, job.payload, f"payload/{job.key}"))
    header = AgeHeader(bytearray(b64url_decode(body["fileKey"])), b64url_decode(body["stanzas"]))
    said = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal said
        if stopped():
            raise _StoppedError
        if time.monotonic() - said < SAY_EVERY_S:
            return
        if not home.sessions_store.of_vault(vault.vault_id):
            raise _StoppedError
        sealed = _seal(vault, json.dumps([done, total]), f"progress/{job.key}")
        with contextlib.suppress(DatabaseBusyError):  # another writer is at work: next second
            outbox.renew(job, at=home.clock(), progress=sealed)
        said = time.monotonic()

    folder = _folder(home, vault.vault_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(16)}.age"
    try:
        export_file(vault, path, to=header, step=say)
        with home.store.transact() as tx:
            outbox.complete(tx.session, job, at=home.clock())
            outbox.forget(tx.session, owner=vault.vault_id, kind=JOB)  # its file key goes too
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        header.wipe()
    for other in folder.iterdir():  # also what a killed process left half
        if other != path:
            other.unlink(missing_ok=True)


def _seal(vault: "OpenVault", text: str, name: str) -> bytes:
    return seal_value(vault.library.keyring, text.encode(), place="job", name=name)


def _open(vault: "OpenVault", sealed: bytes, name: str) -> bytes:
    return open_value(vault.library.keyring, sealed, place="job", name=name)


def prepared(home: "Home", vault_id: str) -> Prepared | None:
    """The archive that waits, if there is one; those of any vault that are over are removed."""
    limit = home.clock() - KEPT
    for path in (home.settings.folder / "exports").glob("*/*"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < limit:
            path.unlink(missing_ok=True)
    folder = _folder(home, vault_id)
    names = [p for p in folder.glob("*.age") if _NAME.fullmatch(p.name) and p.stat().st_size]
    newest = max(names, key=lambda p: p.stat().st_mtime_ns, default=None)
    return None if newest is None else _of(newest)


def remove_prepared(home: "Home", vault_id: str) -> None:
    """For a shred, or when the citizen wants it gone."""
    shutil.rmtree(_folder(home, vault_id), ignore_errors=True)


def _of(path: Path) -> Prepared:
    found = path.stat()
    return Prepared(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
