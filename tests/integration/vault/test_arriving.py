"""Archives that people bring: one at a time, followed by one browser, and gone on with."""

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from tests.integration.vault.world import Clock, Source, registry, settings, trip
from vault.archive.arriving import INTERRUPTED, KEPT, Arriving
from vault.errors import ArrivalBusyError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault

SECRET = "mot de passe de l'archive"
MOVED = "phrase du nouvel hébergeur"
LONG_S = 120.0


@pytest.fixture
def archive(home: Home, new: NewVault, vault: OpenVault) -> bytes:
    Source(home, new.vault_id).deposit(*(trip(f"x{n}", n * 1440 * 9) for n in range(5)))
    vault.drain(None)
    out = io.BytesIO()
    vault.export(out, passphrase=SECRET)
    return out.getvalue()


@pytest.fixture
def other(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with Home.open(settings(tmp_path / "other"), clock=clock) as home:
        home.use_trust(registry())
        yield home


def written(said: bytes) -> bytes:
    """An archive of another writer, whose first member says this of its format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("FORMAT")
        member.size = len(said)
        tar.addfile(member, io.BytesIO(said))
    return pyrage.passphrase.encrypt(out.getvalue(), SECRET)


class Gated(io.BytesIO):
    """An archive whose bytes come once somebody lets them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.gate = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.gate.wait(LONG_S)
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self.gate.wait(LONG_S)
        return super().readline(size)


def test_one_at_a_time_and_only_who_brought_it_sees_it(other: Home, archive: bytes) -> None:
    first, second = Gated(archive), io.BytesIO(archive)
    follows = other.arriving.begin(first, SECRET, MOVED)
    elsewhere = Arriving(other)  # as another process of this home sees it
    with pytest.raises(ArrivalBusyError):
        elsewhere.begin(second, SECRET, MOVED)
    assert second.closed
    running = elsewhere.look(follows)
    assert running is not None
    assert not running.failed and not running.vault_id
    first.gate.set()
    assert other.arriving._thread is not None
    other.arriving._thread.join(LONG_S)
    there = elsewhere.look(follows)
    assert there is not None
    assert (there.done["trips"], there.done["observations"]) == (5, 5)
    assert other.vaults() == [there.vault_id]
    other.unlock(there.vault_id, recovery_code=there.recovery_code, client="192.0.2.1")
    kept = b"".join(p.read_bytes() for p in (other.settings.folder / "arriving").iterdir())
    assert there.vault_id.encode() not in kept
    assert there.recovery_code.encode() not in kept
    for wrong in ("", "A" * 43, follows[:-1], "é"):
        assert elsewhere.look(wrong) is None
    elsewhere.forget(follows)
    assert elsewhere.look(follows) is None


def test_what_stopped_goes_on_with_the_same_archive(other: Home, archive: bytes) -> None:
    other.arriving.stop()  # the home closes: the next slice is the last
    follows = other.arriving.begin(io.BytesIO(archive), SECRET, MOVED, wait_s=LONG_S)
    left = other.arriving.look(follows)
    assert left is not None
    assert left.failed == INTERRUPTED
    (half,) = other.vaults()
    again = Arriving(other)
    there = again.look(again.begin(io.BytesIO(archive), SECRET, MOVED, wait_s=LONG_S))
    assert there is not None
    assert (there.vault_id, other.vaults()) == (half, [half])
    assert there.done["trips"] == 5


def test_a_process_that_died_is_told_from_one_at_work(other: Home, archive: bytes) -> None:
    held = Gated(archive)
    follows = other.arriving.begin(held, SECRET, MOVED)
    state = next(p for p in (other.settings.folder / "arriving").iterdir() if p.name != "lock")
    begun = state.read_bytes()
    held.gate.set()
    assert other.arriving._thread is not None
    other.arriving._thread.join(LONG_S)
    state.write_bytes(begun)  # what a killed process leaves: begun, and nobody holds the lock
    found = other.arriving.look(follows)
    assert found is not None
    assert found.failed == INTERRUPTED


def test_a_refused_archive_leaves_no_vault_and_says_why(other: Home, archive: bytes) -> None:
    for given, phrase, fault in (
        (archive, "une autre phrase", "age-no-match"),
        (archive[:-200], SECRET, "age-payload"),
        (b"PK" + archive, SECRET, "age-header"),
        (written(b"mobility-vault-archive/2\n"), SECRET, "archive-newer"),
        (written(b"mobility-vault-archive/x\n"), SECRET, "archive-refused"),
    ):
        follows = other.arriving.begin(io.BytesIO(given), phrase, MOVED, wait_s=LONG_S)
        found = other.arriving.look(follows)
        assert found is not None
        assert found.failed == fault
        assert other.vaults() == []


def test_what_was_left_unread_is_removed_after_a_day(
    other: Home, archive: bytes, clock: Clock
) -> None:
    follows = other.arriving.begin(io.BytesIO(b"x"), SECRET, MOVED, wait_s=LONG_S)
    clock.forward(KEPT * 4000)  # the clock of the tests stands in the past of the file system's
    other.arriving.begin(io.BytesIO(b"y"), SECRET, MOVED, wait_s=LONG_S)
    assert other.arriving.look(follows) is None
