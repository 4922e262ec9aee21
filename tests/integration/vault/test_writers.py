"""Many writers on one vault lose nothing: the head is swapped by compare-and-set."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import MobilityError
from schemas.records import Attribute, Compartment, Kind
from tests.integration.vault.processes import Process
from tests.integration.vault.worker import COUNTER, add_one, counter
from tests.integration.vault.world import PASSPHRASE, Source, iri, registry, settings, trip
from vault.crypto.errors import KeyringLockedError
from vault.errors import RecordConflictError, SessionEndedError, VaultLockedError
from vault.home import Home
from vault.open_vault import OpenVault

WRITERS, TIMES = 8, 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def served(folder: Path, home_url: str | None) -> Iterator[tuple[Home, str, str]]:
    with Home.open(settings(folder, home_url)) as home:
        home.use_trust(registry())
        vault_id = home.create_vault(PASSPHRASE).vault_id
        cookie = home.unlock(vault_id, passphrase=PASSPHRASE, client="a").cookie_value
        yield home, vault_id, cookie


def total(vault: OpenVault) -> tuple[object, int]:
    found = vault.get(COUNTER)
    assert isinstance(found, Attribute)
    return found.value, found.revision


def test_eight_threads_that_read_modify_and_write_lose_nothing(
    served: tuple[Home, str, str],
) -> None:
    home, vault_id, cookie = served
    vault = home.session(cookie)
    vault.put(counter())
    seq = vault.head().seq
    start = threading.Barrier(WRITERS)

    def write(_: int) -> None:
        start.wait()
        for _ in range(TIMES):
            add_one(vault)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    assert total(vault) == (WRITERS * TIMES, WRITERS * TIMES + 1)
    assert vault.head().seq == seq + WRITERS * TIMES
    assert home.fsck(vault_id, vault).clean


def test_writers_in_several_processes_lose_nothing(
    served: tuple[Home, str, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id, cookie = served
    vault = home.session(cookie)
    vault.put(counter())
    with (
        Process(folder, home_url) as one,
        Process(folder, home_url) as two,
        Process(folder, home_url) as three,
    ):
        others = (one, two, three)
        for process in others:
            process.tell("add", cookie=cookie, times=TIMES)
        with ThreadPoolExecutor(WRITERS - len(others)) as pool:
            for written in [pool.submit(add_one, vault) for _ in range(TIMES * 5)]:
                written.result()
        answers = [process.hear() for process in others]
        assert [answer["said"] for answer in answers] == ["done"] * 3, answers
    assert total(vault) == (TIMES * WRITERS, TIMES * WRITERS + 1)
    assert home.fsck(vault_id, vault).clean


def test_two_drains_at_once_take_nothing_twice(
    served: tuple[Home, str, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id, cookie = served
    source = Source(home, vault_id)
    for number in range(12):
        source.deposit(trip(f"d{number}", number * 600, track=number % 3 == 0))
    vault = home.session(cookie)
    with Home.open(settings(folder, home_url)) as second:
        other = second.session(cookie)
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(lambda v: v.drain(None), (vault, other, vault)))
    assert sum(report.records for report in done) == 12
    assert sum(report.deposits for report in done) == 12
    assert sum(report.trips_new for report in done) == 12
    assert sum(report.duplicates for report in done) == 0
    assert len(vault.all(Kind.TRIP)) == 12
    report = home.fsck(vault_id, vault)
    assert report.clean
    assert report.checked["files"] == 4
    assert report.checked["orphans"] == 0


def test_eight_depositors_at_once_get_their_places_in_the_chain(
    served: tuple[Home, str, str],
) -> None:
    home, vault_id, _ = served
    sources = [Source(home, vault_id, account=f"compte-{n}") for n in range(WRITERS)]

    def send(source: Source) -> None:
        for number in range(4):
            source.deposit(trip(f"{source.account} {number}", number * 600))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(send, sources))
    assert home.drop_box(vault_id).waiting().deposits == WRITERS * 4
    assert home.fsck(vault_id).clean


def test_forty_readers_and_writers_of_one_vault_do_not_wait_for_each_other_for_ever(
    served: tuple[Home, str, str],
) -> None:
    """A server has forty threads and sixteen connections: a writer that waits for a connection
    must not keep the readers that hold them from finishing."""
    home, _, cookie = served
    vault = home.session(cookie)
    vault.put(counter())
    start = threading.Barrier(40)

    def act(number: int) -> None:
        start.wait()
        for _ in range(3):
            if number % 4 == 0:
                vault.put(
                    Attribute(
                        id=iri(f"forty {number}"),
                        name="n",
                        value=number,
                        source="test",
                        certified_at=datetime(2026, 1, 1, tzinfo=UTC),
                    )
                )
            else:
                home.session(cookie).get(COUNTER)

    began = datetime.now(UTC)
    with ThreadPoolExecutor(40) as pool:
        for done in [pool.submit(act, n) for n in range(40)]:
            done.result()
    # The pool's own patience is 30 s: a deadlock would show as that, or as an error.
    assert (datetime.now(UTC) - began).total_seconds() < 15


def test_a_record_that_somebody_changed_is_not_written_over(
    served: tuple[Home, str, str], folder: Path, home_url: str | None
) -> None:
    home, _, cookie = served
    vault = home.session(cookie)
    vault.put(counter())
    with Home.open(settings(folder, home_url)) as second:
        read = vault.get(COUNTER)
        add_one(second.session(cookie))
        with pytest.raises(RecordConflictError) as refused:
            from dataclasses import replace

            vault.put(replace(read, value=99))  # type: ignore[arg-type,call-arg]
        assert (refused.value.expected, refused.value.found) == (1, 2)
        assert total(vault) == (1, 2)


def test_a_lock_amid_writes_loses_no_acknowledged_write_and_leaves_none_unreadable(
    served: tuple[Home, str, str],
) -> None:
    home, vault_id, cookie = served
    acknowledged: list[str] = []
    errors: list[MobilityError] = []

    def write(number: int) -> None:
        try:
            for step in range(200):
                name = f"amid {number} {len(acknowledged)} {step} {cookie}"
                home.session(cookie).put(
                    Attribute(
                        id=iri(name),
                        name=name,
                        value=1,
                        source="test",
                        certified_at=datetime(2026, 1, 1, tzinfo=UTC),
                    )
                )
                acknowledged.append(name)
        except MobilityError as error:
            errors.append(error)

    for pause in (0.02, 0.05, 0.09, 0.13):
        writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
        for writer in writers:
            writer.start()
        threading.Event().wait(pause)
        home.lock_all(vault_id)
        for writer in writers:
            writer.join()
        cookie = home.unlock(vault_id, passphrase=PASSPHRASE, client="a").cookie_value
    found = {a.name for a in home.session(cookie).attributes()}
    assert set(acknowledged) <= found
    assert {type(e) for e in errors} <= {SessionEndedError, VaultLockedError, KeyringLockedError}
    assert home.fsck(vault_id, home.session(cookie)).clean


def test_a_rotation_that_was_rolled_back_leaves_no_key_that_nobody_keeps(
    served: tuple[Home, str, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id, cookie = served
    vault = home.session(cookie)
    with pytest.raises(ZeroDivisionError), vault.library.writing() as draft:
        vault.library.keyring.rotate(Compartment.ATTRIBUTES, at=home.clock())
        draft.put_keyring(vault.root)
        raise ZeroDivisionError
    vault.put(counter())
    with Home.open(settings(folder, home_url)) as second:
        assert total(second.session(cookie)) == (0, 1)
        assert second.fsck(vault_id, second.session(cookie)).clean
