"""Slices that are read while the one before them is written."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from federation.wire.errors import DatabaseBusyError
from schemas.records import Kind
from tests.unit.vault.builders import Citizen, raw, trip
from vault import arrivals, drain
from vault.errors import VaultLockedError
from vault.home import Home


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SLICE_RECORDS", 2)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each slice that was read: whether a thread of its own did it."""
    found: list[bool] = []
    read, here = arrivals._read, threading.get_ident()

    def watched(*given: Any) -> list[arrivals.Prepared]:
        found.append(threading.get_ident() != here)
        return read(*given)

    monkeypatch.setattr(arrivals, "_read", watched)
    return found


def _before_writing(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Run `act` with the number of each write, just before it."""
    write, count = drain._write, iter(range(100))

    def written(vault: Any, prepared: Sequence[arrivals.Prepared], *more: Any) -> Any:
        act(next(count))
        return write(vault, prepared, *more)

    monkeypatch.setattr(drain, "_write", written)


def _count(citizen: Citizen) -> int:
    return len(citizen.vault.all(Kind.TRIP))


@pytest.mark.usefixtures("small_slices")
def test_deposits_cut_by_slices_are_taken_once_and_all_their_faults_are_told(
    home: Home, citizen: Citizen, readers: list[bool]
) -> None:
    depositor = citizen.depositor()
    first = depositor.leave_raw([raw(trip(0)), b"null", raw(trip(1)), b"[]", raw(trip(2))])
    depositor.leave(*(trip(number) for number in range(3, 6)))
    report = citizen.vault.drain(None)
    assert (report.deposits, report.trips_new, report.quarantined) == (2, 6, 2)
    assert (report.waiting, _count(citizen)) == (0, 6)
    told = home.drop_box(citizen.vault_id).receipt(first.digest)
    assert told is not None
    assert [index for index, _, _ in told.faults] == [1, 3]
    assert readers[0] is False
    assert sum(readers) >= 3, "the others were read while one was written"
    assert home.fsck(citizen.vault_id, citizen.vault).clean


@pytest.mark.usefixtures("small_slices", "readers")
def test_what_was_read_ahead_is_thrown_away_when_another_worker_was_faster(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor = citizen.depositor()
    for number in range(3):
        depositor.leave(trip(2 * number), trip(2 * number + 1))
    others = []

    def other_worker(number: int) -> None:
        if number == 1:
            monkeypatch.undo()
            monkeypatch.setattr(arrivals, "SLICE_RECORDS", 2)
            others.append(citizen.vault.drain(2))

    _before_writing(monkeypatch, other_worker)
    report = citizen.vault.drain(None)
    assert (others[0].trips_new, report.trips_new) == (2, 4)
    assert (report.waiting, _count(citizen)) == (0, 6)


@pytest.mark.usefixtures("small_slices")
def test_a_slice_that_could_not_be_written_leaves_what_follows_it_waiting(
    citizen: Citizen, readers: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor = citizen.depositor()
    for number in range(4):
        depositor.leave(trip(number))

    def fails(number: int) -> None:
        if number == 0:
            raise DatabaseBusyError(waited_s=1)

    _before_writing(monkeypatch, fails)
    with pytest.raises(DatabaseBusyError):
        citizen.vault.drain(None)
    assert not [t for t in threading.enumerate() if t.name.startswith("arrivals")]
    assert citizen.vault.waiting().deposits == 4
    assert citizen.vault.drain(None).trips_new == 4
    assert readers[0] is False


@pytest.mark.usefixtures("small_slices")
def test_locking_between_two_slices_ends_the_drain_and_quarantines_nothing(
    home: Home, citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor = citizen.depositor()
    for number in range(4):
        depositor.leave(trip(number))

    def lock(number: int) -> None:
        if number == 1:
            citizen.vault.lock()

    _before_writing(monkeypatch, lock)
    with pytest.raises(VaultLockedError):
        citizen.vault.drain(None)
    assert not [t for t in threading.enumerate() if t.name.startswith("arrivals")]
    with home.store.read() as reader:
        assert [d.state for d in reader.deposits(citizen.vault_id)] == ["taken"] * 2 + [
            "waiting"
        ] * 2
        assert reader.quarantine(citizen.vault_id) == []


def test_a_drain_of_one_slice_needs_no_thread(citizen: Citizen, readers: list[bool]) -> None:
    citizen.depositor().leave(trip(0), trip(1))
    assert citizen.vault.drain(2).trips_new == 2
    assert readers == [False]
