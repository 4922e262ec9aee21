"""Several worker processes on one home, on both databases; a process killed at any moment."""

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.ids import mint_iri
from schemas.records import Attribute, Degree
from tests.unit.vault.builders import START, Citizen, Clock, make_home, trip
from vault.errors import HeadMovedError, RecordConflictError, SessionEndedError

SPAWN = multiprocessing.get_context("spawn")
WEEK = (date(2026, 11, 1), date(2027, 12, 31))


@pytest.fixture
def two_stores(tmp_path: Path, database_url: str) -> Iterator[tuple[Path, str | None]]:
    """A home's folder, and its database: its own SQLite files, then PostgreSQL."""
    yield tmp_path / "home", None if database_url.startswith("sqlite") else database_url


def read_label(folder: Path, url: str | None, cookie: str, answers: Any) -> None:
    """A second worker: reads with the cookie, waits, reads again."""
    with make_home(folder, Clock(), url=url) as home:
        answers.put(home.session(cookie).label())
        for _ in range(200):
            try:
                home.session(cookie)
            except SessionEndedError:
                answers.put("ended")
                return
            time.sleep(0.05)
        answers.put("still open")


def test_unlock_in_one_read_in_the_other_lock_in_one_both_locked(
    two_stores: tuple[Path, str | None],
) -> None:
    folder, url = two_stores
    with make_home(folder, Clock(), url=url) as home:
        citizen = Citizen(home)
        answers = SPAWN.Queue()
        worker = SPAWN.Process(target=read_label, args=(folder, url, citizen.cookie, answers))
        worker.start()
        try:
            assert answers.get(timeout=60) == "Coffre de Camille"
            home.lock(citizen.cookie)
            assert answers.get(timeout=60) == "ended"
            with pytest.raises(SessionEndedError):
                home.session(citizen.cookie)
        finally:
            worker.join(20)


def count_up(folder: Path, url: str | None, cookie: str, name: str, times: int) -> None:
    """Read, add one, write; again when somebody else was first."""
    with make_home(folder, Clock(), url=url) as home:
        vault = home.session(cookie)
        for _ in range(times):
            while True:
                (found,) = vault.attributes(name)
                try:
                    vault.put(replace(found, value=int(found.value) + 1))
                    break
                except (RecordConflictError, HeadMovedError):
                    continue


def test_eight_read_modify_write_writers_lose_nothing(
    two_stores: tuple[Path, str | None],
) -> None:
    folder, url = two_stores
    with make_home(folder, Clock(), url=url) as home:
        citizen = Citizen(home)
        citizen.vault.put(
            Attribute(
                id=mint_iri(),
                name="count",
                value=0,
                source="test",
                certified_at=START,
                degree=Degree.CLAIMED,
            )
        )
        writers = [
            SPAWN.Process(target=count_up, args=(folder, url, citizen.cookie, "count", 5))
            for _ in range(8)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(120)
        assert [w.exitcode for w in writers] == [0] * 8
        (found,) = citizen.vault.attributes("count")
        assert found.value == 40
        assert found.revision == 41
        assert home.fsck(citizen.vault_id, citizen.vault).clean


def drain_forever(folder: Path, url: str | None, cookie: str) -> None:
    with make_home(folder, Clock(), url=url) as home:
        vault = home.session(cookie)
        while True:
            vault.drain()


def test_two_drains_at_once_take_everything_once(two_stores: tuple[Path, str | None]) -> None:
    folder, url = two_stores
    with make_home(folder, Clock(), url=url) as home:
        citizen = Citizen(home)
        depositor = citizen.depositor()
        for page in range(6):
            depositor.leave(*(trip(page * 5 + n, points=5) for n in range(5)))
        other = SPAWN.Process(target=drain_forever, args=(folder, url, citizen.cookie))
        other.start()
        try:
            for _ in range(600):
                citizen.vault.drain()
                if not citizen.vault.waiting().deposits:
                    break
                time.sleep(0.01)
        finally:
            other.kill()
            other.join(10)
        assert len(citizen.vault.trips(*WEEK)) == 30
        report = home.fsck(citizen.vault_id, citizen.vault)
        assert report.clean, report.findings


def deposit_and_drain(folder: Path, cookie: str, vault_id: str, acknowledged: Any) -> None:
    """Leaves deposits, says which were acknowledged, drains between: until it is killed."""
    with make_home(folder, Clock()) as home:
        from federation.keys import Ed25519Key
        from tests.unit.vault.builders import Depositor

        depositor = Depositor(home, vault_id, key=Ed25519Key.from_seed(bytes(32)))
        seq, previous = home.drop_box(vault_id).last(depositor.did, "a1")
        depositor.seq, depositor.previous = seq, previous
        vault = home.session(cookie)
        number = seq * 3
        while True:
            depositor.leave(*(trip(number + n, points=10) for n in range(3)))
            acknowledged.send(depositor.seq)
            number += 3
            vault.drain(3)


@pytest.mark.slow
def test_killed_at_random_moments_no_acknowledged_deposit_is_lost_and_none_taken_twice(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "home"
    rng = random.Random(20261121)
    with make_home(folder, Clock()) as home:
        citizen = Citizen(home)
    last = 0
    for _ in range(6):
        ours, theirs = SPAWN.Pipe(duplex=False)
        worker = SPAWN.Process(
            target=deposit_and_drain, args=(folder, citizen.cookie, citizen.vault_id, theirs)
        )
        worker.start()
        assert ours.poll(60)
        last = ours.recv()
        time.sleep(rng.random() * 0.5)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(20)
        theirs.close()
        while True:
            try:
                if not ours.poll(0):
                    break
                last = ours.recv()
            except EOFError:
                break
    with make_home(folder, Clock()) as home:
        citizen.home = home
        vault = home.session(citizen.cookie)
        vault.drain(None)
        accepted = home.links(citizen.vault_id)[0].last_seq
        assert accepted >= last
        starts = [t.started_at for t in vault.trips(*WEEK)]
        assert len(starts) == len(set(starts)) == accepted * 3
        report = home.fsck(citizen.vault_id, vault)
        assert report.clean, report.findings


def test_migrating_twice_at_once_is_done_once(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=open_and_close, args=(tmp_path / "home",)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0] * 4


def open_and_close(folder: Path) -> None:
    with make_home(folder, Clock()) as home:
        home.signer()
    sys.exit(0)
