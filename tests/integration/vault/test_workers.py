"""Worker processes that drain at once, are killed, migrate at once (writers: `test_writers.py`)."""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.unit.vault.builders import Citizen, Clock, make_home, trip

SPAWN = multiprocessing.get_context("spawn")
WEEK = (date(2026, 11, 1), date(2027, 12, 31))


@pytest.fixture
def two_stores(tmp_path: Path, database_url: str) -> Iterator[tuple[Path, str | None]]:
    """A home's folder, and its database: its own SQLite files, then PostgreSQL."""
    yield tmp_path / "home", None if database_url.startswith("sqlite") else database_url


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
