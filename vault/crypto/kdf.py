"""From a passphrase to a key: Argon2id in named, sourced profiles, and a pool that keeps logins
from eating the machine.

One lane, always: with several, two derivations at once can hang in the library we use (seen in
cryptography 50.0).
"""

import math
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

import structlog
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from .errors import BusyError, PassphraseError, SlotParametersError

_log = structlog.get_logger(__name__)
T = TypeVar("T")

LANES: Final = 1
SALT_SIZE: Final = 16
MAX_MEMORY_KIB: Final = 1 << 20
MAX_ITERATIONS: Final = 16
MIN_MEMORY_KIB: Final = 8
MAX_PASSPHRASE: Final = 1024


@dataclass(frozen=True, slots=True)
class Argon2Profile:
    """Costs of one derivation. Lanes are always 1."""

    name: str
    memory_kib: int
    iterations: int


INTERACTIVE: Final = Argon2Profile("interactive", 64 * 1024, 3)
"""64 MiB, 3 passes: the memory and passes of RFC 9106 §4's second choice; about 0.14 s on one core
of 2026.
"""
SENSITIVE: Final = Argon2Profile("sensitive", 256 * 1024, 4)
"""256 MiB, 4 passes: for a home that serves its owner only."""
CHEAPEST_FOR_TESTS: Final = Argon2Profile("cheapest-for-tests", MIN_MEMORY_KIB, 1)
"""No protection at all. Logs a warning each time."""

PROFILES: Final = MappingProxyType({p.name: p for p in (INTERACTIVE, SENSITIVE)})
"""Profiles a home may choose by name, weakest first."""


def passphrase_bytes(text: str | bytes | bytearray) -> bytearray:
    """UTF-8 of a passphrase in Unicode form NFKC, so that every keyboard gives the same bytes. The
    caller zeroes it.

    Raises:
        PassphraseError: empty, not UTF-8, or over 1 024 bytes.
    """
    if not isinstance(text, str):
        if text.isascii():
            plain = bytearray(text)
            return _bounded(plain)
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise PassphraseError("a passphrase is text") from None
    try:
        return _bounded(bytearray(unicodedata.normalize("NFKC", text).encode()))
    except UnicodeEncodeError:
        raise PassphraseError("a passphrase is text") from None


def _bounded(passphrase: bytearray) -> bytearray:
    if not 0 < len(passphrase) <= MAX_PASSPHRASE:
        raise PassphraseError(f"a passphrase has 1 to {MAX_PASSPHRASE} bytes")
    return passphrase


def stretch(passphrase: bytearray, *, salt: bytes, profile: Argon2Profile) -> bytearray:
    """Argon2id (RFC 9106) to 32 bytes, which the caller zeroes. Run it through `KdfPool`.

    Raises:
        SlotParametersError: costs outside our bounds.
    """
    check_costs(profile.memory_kib, profile.iterations, LANES)
    if profile.memory_kib <= CHEAPEST_FOR_TESTS.memory_kib:
        _log.warning("crypto.cheapest_kdf_for_tests", memory_kib=profile.memory_kib)
    out = bytearray(32)
    Argon2id(
        salt=salt,
        length=32,
        iterations=profile.iterations,
        lanes=LANES,
        memory_cost=profile.memory_kib,
    ).derive_into(passphrase, out)  # type: ignore[arg-type]  # stub says bytes, takes any buffer
    return out


def check_costs(memory_kib: int, iterations: int, lanes: int) -> None:
    """Refuse costs that no slot of ours has, before spending them.

    Raises:
        SlotParametersError: outside 8 KiB to 1 GiB, 1 to 16 passes, or not one lane.
    """
    if (
        lanes != LANES
        or not MIN_MEMORY_KIB <= memory_kib <= MAX_MEMORY_KIB
        or not 1 <= iterations <= MAX_ITERATIONS
    ):
        raise SlotParametersError("derivation costs outside 8 KiB–1 GiB, 1–16 passes, 1 lane")


class KdfPool:
    """Runs derivations on threads of its own: at most `running` at once, `waiting` in line, the
    rest refused.

    A request never waits inside a worker thread of the server: `submit` answers at once with a
    future (which an async endpoint awaits) or refuses at once. Memory is bounded by `running` × the
    profile's.
    """

    def __init__(self, *, running: int = 2, waiting: int = 8) -> None:
        self.running, self.waiting = running, waiting
        self._executor = ThreadPoolExecutor(running, thread_name_prefix="kdf")
        self._lock = threading.Lock()
        self._held = 0
        self._seconds = 0.2

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Queue `work`.

        Raises:
            BusyError: the line is full; `retry_after_s` is an estimate from the last runs.
        """
        with self._lock:
            if self._held >= self.running + self.waiting:
                seconds = max(1, math.ceil(self._seconds * self._held / self.running))
                raise BusyError(running=self.running, waiting=self.waiting, retry_after_s=seconds)
            self._held += 1
        try:
            return self._executor.submit(self._measured, work)
        except RuntimeError:
            self._release()
            raise

    def run(self, work: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """`submit` and wait: for the command line and for jobs.

        Raises:
            BusyError: the line is full.
            TimeoutError: no answer in `timeout_s`.
        """
        return self.submit(work).result(timeout_s)

    def close(self) -> None:
        """Let what runs finish, refuse the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _measured(self, work: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return work()
        finally:
            self._release()
            self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - started)

    def _release(self) -> None:
        with self._lock:
            self._held -= 1


__all__ = [
    "CHEAPEST_FOR_TESTS",
    "INTERACTIVE",
    "PROFILES",
    "SENSITIVE",
    "Argon2Profile",
    "KdfPool",
    "passphrase_bytes",
    "stretch",
]
