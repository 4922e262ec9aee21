"""Logins at once: bounded in number and memory, refused in time, never hanging."""

import resource
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.crypto.errors import BusyError, PassphraseError, SlotParametersError, WrongSecretError
from vault.crypto.kdf import INTERACTIVE, Argon2Profile, KdfPool, passphrase_bytes, stretch
from vault.crypto.secret import RootKey
from vault.crypto.slots import open_passphrase_slot, seal_passphrase_slot


@pytest.mark.timeout(60)
def test_eight_logins_at_once_neither_hang_nor_exhaust_memory() -> None:
    root, pepper = RootKey.random(), bytearray(32)
    slot = seal_passphrase_slot(root, "une phrase de passe", pepper=pepper, vault="v")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pool = KdfPool()

    def login(n: int) -> str:
        typed = "une phrase de passe" if n % 2 else "une autre"
        try:
            found = pool.run(
                lambda: open_passphrase_slot(slot, typed, pepper=pepper, vault="v"), timeout_s=50
            )
        except WrongSecretError:
            return "wrong"
        return "open" if found.is_same(root) else "bad"

    with ThreadPoolExecutor(8) as people:
        outcomes = list(people.map(login, range(8)))
    pool.close()
    assert outcomes == ["wrong", "open"] * 4
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 2 * INTERACTIVE.memory_kib + 32 * 1024


@pytest.mark.timeout(30)
def test_two_run_eight_wait_the_eleventh_is_told_when_to_come_back() -> None:
    pool, gate, running, most = KdfPool(), threading.Event(), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(20)
        with lock:
            running[0] -= 1

    accepted = [pool.submit(work) for _ in range(10)]
    with pytest.raises(BusyError) as caught:
        pool.submit(work)
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 1
    gate.set()
    for future in accepted:
        future.result(20)
    assert most[0] == 2
    pool.run(work, timeout_s=5)
    pool.close()


@pytest.mark.timeout(30)
def test_a_failing_derivation_gives_its_place_back() -> None:
    pool = KdfPool(running=1, waiting=0)

    def fail() -> None:
        raise WrongSecretError

    for _ in range(5):
        with pytest.raises(WrongSecretError):
            pool.run(fail, timeout_s=5)
    pool.close()


@pytest.mark.parametrize(
    "profile",
    [Argon2Profile("x", 1 << 21, 1), Argon2Profile("x", 7, 1), Argon2Profile("x", 64, 0)],
)
def test_costs_outside_the_bounds_are_refused_before_they_are_spent(profile: Argon2Profile) -> None:
    with pytest.raises(SlotParametersError):
        stretch(bytearray(b"x"), salt=bytes(16), profile=profile)


@pytest.mark.parametrize("text", ["", b"", b"\xff\xfe", "\ud800", "x" * 1025])
def test_what_is_no_passphrase_is_refused(text: str | bytes) -> None:
    with pytest.raises(PassphraseError):
        passphrase_bytes(text)
