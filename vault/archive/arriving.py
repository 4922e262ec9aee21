"""Arriving at this home with an archive: a restore that runs in the background and that one browser
follows.

One at a time on a machine: a lock of `arriving/lock`, which holds the name of who has it and falls
with the process. Who follows has a secret of 32 bytes; under two keys of it the file
`arriving/<name>` is found and sealed, so that every process of this home can say how far it is and
nobody else can read the recovery code at its end. Layout: `nonce(12) ‖ ciphertext ‖ tag(16)`,
AES-256-GCM, AAD = label ‖ name. Kept for `KEPT`, then removed.

The archive is the caller's open file, sealed by its own passphrase; it is closed here. What
`vault/archive/restore.py` refuses leaves no vault; what stopped goes on when the same archive and
passphrases are given again.
"""

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.multibase import EncodingError, b64url, b64url_decode
from federation.sealing.entropy import token
from schemas.errors import MobilityError, Retriable
from vault.crypto.secret import KEY_SIZE, expand, zero
from vault.errors import ArchiveInvalidError, ArrivalBusyError, ArrivalStoppedError

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["INTERRUPTED", "KEPT", "Arrival", "Arriving"]

_log = structlog.get_logger(__name__)

KEPT: Final = timedelta(days=1)
SAY_EVERY_S: Final = 1.0
STOPS_WITHIN_S: Final = 10.0
"""How long a home that closes waits for the slice at work; the process that dies after it loses
that slice alone."""
INTERRUPTED: Final = ArrivalStoppedError.code
_LABEL: Final = b"mobility-vault/arrival/1\x00"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far one archive is."""

    done: Mapping[str, int] = field(default_factory=dict)
    """Observations, trips, records and documents that are there."""
    failed: str | None = None
    """Code of what ended it: of the archive's own fault (`age-no-match`, `age-payload`, …), of
    another error, or `INTERRUPTED`."""
    vault_id: str = ""
    """Empty until it is whole."""
    recovery_code: str = field(default="", repr=False)
    consents: int = 0
    lowered: int = 0


class Arriving:
    """The archives that people bring to one home."""

    def __init__(self, home: "Home") -> None:
        self._home = home
        self._folder = home.settings.folder / "arriving"
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an archive is being restored on this machine."""
        return self._holder() is not None

    def begin(
        self,
        archive: IO[bytes],
        passphrase: str,
        new_passphrase: str,
        *,
        label: str = "",
        wait_s: float = 0.0,
    ) -> str:
        """Restore `archive` in the background, and close it; returns what follows it. What is done
        within `wait_s` is there when this returns.

        Raises:
            ArrivalBusyError: another one is being restored; `archive` is closed.
        """
        secret = token(KEY_SIZE)
        try:
            lock = self._lock(_name(secret))
        except BaseException:
            archive.close()
            raise
        try:
            self._tidy()
            self._write(secret, Arrival())
            thread = threading.Thread(
                target=self._run,
                args=(lock, secret, archive, passphrase, new_passphrase, label),
                name="arrival",
                daemon=True,
            )
            self._thread = thread
            thread.start()
        except BaseException:
            os.close(lock)
            archive.close()
            raise
        thread.join(wait_s)
        return b64url(secret)

    def look(self, follows: str) -> Arrival | None:
        """How far the archive is that `follows` began; None when nothing is known of it."""
        secret = _secret(follows)
        found = None if secret is None else self._read(secret)
        if secret is None or found is None or found.failed or found.vault_id:
            return found
        if self._holder() == _name(secret):
            return found
        # Nobody is at it: it ended a moment ago, or its process died.
        found = self._read(secret) or found
        return found if found.failed or found.vault_id else replace(found, failed=INTERRUPTED)

    def forget(self, follows: str) -> None:
        """What was shown once is kept no longer."""
        secret = _secret(follows)
        if secret is not None:
            (self._folder / _name(secret)).unlink(missing_ok=True)

    def stop(self) -> None:
        """Give up between two slices; the same archive goes on there."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOPS_WITHIN_S)

    # --- the thread -----------------------------------------------------------------------------

    def _run(  # noqa: PLR0917  # a thread's arguments
        self,
        lock: int,
        secret: bytes,
        archive: IO[bytes],
        passphrase: str,
        new_passphrase: str,
        label: str,
    ) -> None:
        said, last = time.monotonic(), Arrival()

        def step(done: Mapping[str, int]) -> None:
            nonlocal said, last
            last = Arrival(dict(done))
            if self._stopping.is_set():
                raise ArrivalStoppedError
            if time.monotonic() - said >= SAY_EVERY_S:
                self._write(secret, last)
                said = time.monotonic()

        try:
            with archive:
                made = self._home.restore(
                    archive, passphrase, new_passphrase, label=label, step=step
                )
            done = {**last.done, "trips": made.trips, "documents": made.documents}
            last = Arrival(
                done, None, made.vault_id, made.recovery_code, made.consents, made.lowered
            )
        except MobilityError as error:
            last = replace(last, failed=_fault(error))
        except Exception as error:
            _log.error("arrival.failed", error_type=type(error).__qualname__)
            last = replace(last, failed="internal-error")
        finally:
            try:
                self._write(secret, last)
            except OSError as error:  # no room: the vault is there, its passphrase opens it
                _log.error("arrival.not_said", errno=error.errno)
            finally:
                os.close(lock)

    # --- files ----------------------------------------------------------------------------------

    def _lock(self, name: str) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, name.encode(), 0)
        except BlockingIOError:
            os.close(lock)
            raise ArrivalBusyError from None
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _holder(self) -> str | None:
        """Name of the arrival that runs; None when none does."""
        try:
            lock = os.open(self._folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(lock, 64, 0).decode()
        finally:
            os.close(lock)
        return None

    def _tidy(self) -> None:
        limit = self._home.clock() - KEPT
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name != "lock" and (
                    datetime.fromtimestamp(path.stat().st_mtime, UTC) < limit
                ):
                    path.unlink()

    def _write(self, secret: bytes, arrival: Arrival) -> None:
        name, nonce = _name(secret), token(12)
        sealed = _cipher(secret).encrypt(
            nonce, json.dumps(asdict(arrival)).encode(), _LABEL + name.encode()
        )
        path = self._folder / name
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(nonce + sealed)
        fresh.replace(path)

    def _read(self, secret: bytes) -> Arrival | None:
        name = _name(secret)
        try:
            data = (self._folder / name).read_bytes()
            plain = _cipher(secret).decrypt(data[:12], data[12:], _LABEL + name.encode())
        except (FileNotFoundError, InvalidTag, ValueError):
            return None
        return Arrival(**json.loads(plain))


def _fault(error: MobilityError) -> str:
    """The archive's own fault where the archive is at fault: what did not open."""
    if isinstance(error, ArchiveInvalidError) and error.where in _FAULTS:
        return error.where
    return INTERRUPTED if isinstance(error, Retriable) else error.code


_FAULTS: Final = frozenset(
    {"age-no-match", "age-header", "age-mac", "age-payload", "archive-refused", "archive-newer"}
)


def _secret(follows: str) -> bytes | None:
    try:
        secret = b64url_decode(follows)
    except EncodingError:
        return None
    return secret if len(secret) == KEY_SIZE else None


def _name(secret: bytes) -> str:
    return bytes(expand(secret, _LABEL + b"name", 16)).hex()


def _cipher(secret: bytes) -> AESGCM:
    key = expand(secret, _LABEL + b"key")
    try:
        return AESGCM(key)
    finally:
        zero(key)
