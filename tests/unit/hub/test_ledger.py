"""Exclusivity: of any number of claims on one nullifier exactly one wins, on both databases."""

import dataclasses
import multiprocessing
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from federation.errors import HubRefusedError
from federation.hub.local import LocalHub
from federation.hub.model import Hold, LedgerState
from federation.hub.store import HubStore
from schemas.ids import mint_iri
from tests.hub_world import Citizen, World, build_world, send

AT = datetime(2026, 11, 21, tzinfo=UTC)
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def claim(store: HubStore, application: str, period: tuple[date, date] = YEAR) -> bool:
    with store.transact() as tx:
        holds = (Hold("f", 1, "n", period),)
        return tx.reserve_all(holds, application=application, at=AT) is None


def test_a_period_is_held_by_one_application_and_free_again_once_released(
    database_url: str,
) -> None:
    store = HubStore(database_url)
    assert claim(store, "a")
    assert claim(store, "a"), "the same application may try again"
    assert not claim(store, "b")
    assert not claim(store, "b", (date(2026, 12, 31), date(2027, 1, 1))), "one day is an overlap"
    assert claim(store, "c", (date(2027, 1, 1), date(2027, 12, 31)))
    with store.transact() as tx:
        assert tx.settle("a", LedgerState.CONSUMED, at=AT) == 1
    assert not claim(store, "b")
    with store.transact() as tx:
        tx.settle("a", LedgerState.RELEASED, at=AT)
    assert claim(store, "b")
    store.close()


def test_other_families_versions_and_nullifiers_do_not_meet(database_url: str) -> None:
    store = HubStore(database_url)
    for family, version, nullifier in (("f", 1, "n"), ("g", 1, "n"), ("f", 2, "n"), ("f", 1, "m")):
        with store.transact() as tx:
            hold = Hold(family, version, nullifier, YEAR)
            name = f"{family}{version}{nullifier}"
            assert tx.reserve_all((hold,), application=name, at=AT) is None
    store.close()


def test_several_nullifiers_are_held_together_or_not_at_all(database_url: str) -> None:
    store = HubStore(database_url)
    october = (date(2026, 10, 1), date(2026, 10, 31))

    def trips(*names: str) -> tuple[Hold, ...]:
        return tuple(Hold("trips", 1, name, october) for name in names)

    with store.transact() as tx:
        assert tx.reserve_all(trips("a", "b"), application="one", at=AT) is None
    with store.transact() as tx:
        lost = tx.reserve_all(trips("c", "b"), application="two", at=AT)
    assert lost is not None and lost.nullifier == "b"
    with store.transact() as tx:
        assert tx.reserve_all(trips("c"), application="three", at=AT) is None, "c was not kept"
    with store.transact() as tx:
        assert tx.reserve_all(trips("a"), application="one", at=AT) is None
        assert tx.reserve_all(trips("b"), application="two", at=AT) is None, "replaced, so free"
    store.close()


def test_exactly_one_of_many_threads_wins(database_url: str) -> None:
    store = HubStore(database_url)
    won: list[str] = []
    start = threading.Barrier(8)

    def race(number: int) -> None:
        start.wait()
        for turn in range(3):
            name = f"{number}-{turn}"
            if claim(store, name):
                won.append(name)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    store.close()


RACER = """
import sys
from datetime import UTC, date, datetime
from federation.hub.model import Hold
from federation.hub.store import HubStore
store = HubStore(sys.argv[1])
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for turn in range(20):
    with store.transact() as tx:
        hold = Hold("f", 1, "n", (date(2026, 1, 1), date(2026, 12, 31)))
        if tx.reserve_all((hold,), application=f"{sys.argv[2]}-{turn}",
                          at=datetime(2026, 11, 21, tzinfo=UTC)) is None:
            sys.stdout.write("won\\n")
sys.stdout.write("end\\n")
"""


def test_exactly_one_of_several_processes_wins(database_url: str) -> None:
    HubStore(database_url).close()
    root = Path(__file__).resolve().parents[3]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, database_url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for number in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.communicate(timeout=60)[0] for racer in racers]
    assert all(racer.returncode == 0 for racer in racers)
    assert sum(text.count("won") for text in told) == 1


def test_of_concurrent_applications_of_one_person_one_is_accepted(
    database_url: str, tmp_path: Path
) -> None:
    world: World = build_world(tmp_path, database_url=database_url)
    hub = LocalHub(world.context)
    citizen = world.citizen()
    packages = []
    for _ in range(6):
        vault = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
        pointer = hub.request(world.aid, mint_iri(), period=_period())
        packages.append(vault.answer(pointer, hub=hub))
    states: list[str] = []
    start = threading.Barrier(len(packages))

    def race(package: dict[str, object]) -> None:
        start.wait()
        try:
            states.append(send(hub, package).state)
        except HubRefusedError as error:
            states.append(error.hub_code)

    threads = [threading.Thread(target=race, args=(p,)) for p in packages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["accepted"] + ["already-awarded"] * 5
    world.context.close()


def cooling(world: World, months: object) -> None:
    found = world.context.publishing.aid(world.aid)
    extra = {**found.extra, "coolDownMonths": months}
    world.context.publishing.add_aids(dataclasses.replace(found, extra=extra))


@pytest.mark.parametrize(
    ("months", "second"),
    [
        (None, "accepted"),
        (0, "accepted"),
        ("12", "accepted"),  # not a number of months: no cool-down, as before
        (12, "already-awarded"),
        (10**9, "already-awarded"),
    ],
)
def test_an_aid_with_a_cool_down_keeps_the_person_after_its_period(
    tmp_path: Path, months: object, second: str
) -> None:
    world = build_world(tmp_path)
    cooling(world, months)
    hub, citizen = LocalHub(world.context), world.citizen()
    year = (date(2025, 1, 1), date(2025, 12, 31))
    usage = citizen.usage(period=year)
    pointer = hub.request(world.aid, mint_iri(), period=year)
    assert send(hub, citizen.answer(pointer, usage, citizen.affiliation(), hub=hub)).state == (
        "accepted"
    )
    again = Citizen(world, citizen.number, pseudonym=citizen.pseudonym)
    try:
        told = again.apply(hub)[1].state
    except HubRefusedError as error:
        told = error.hub_code
    assert told == second
    other = world.citizen()
    assert other.apply(hub)[1].state == "accepted", "nobody else is kept"
    world.context.close()


def test_a_cool_down_ends_on_the_same_day_or_the_months_last() -> None:
    from federation.hub.facts import _months_after

    assert _months_after(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert _months_after(date(2025, 10, 31), 4) == date(2026, 2, 28)
    assert _months_after(date(2025, 12, 31), 12) == date(2026, 12, 31)
    assert _months_after(date(2025, 12, 31), 0) == date(2025, 12, 31)


def test_the_same_package_sent_by_many_at_once_is_taken_once(
    database_url: str, tmp_path: Path
) -> None:
    world = build_world(tmp_path, database_url=database_url)
    hub = LocalHub(world.context)
    package = world.citizen().answer(hub.request(world.aid, mint_iri(), period=_period()), hub=hub)
    receipts = []
    start = threading.Barrier(6)

    def race() -> None:
        start.wait()
        receipts.append(send(hub, package))

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 6
    assert len({r.response_code for r in receipts}) == 1
    world.context.close()


def _period() -> tuple[date, date]:
    from tests.hub_world import PERIOD

    return PERIOD


@pytest.mark.soak
def test_two_thousand_claims_one_winner(database_url: str) -> None:
    HubStore(database_url).close()
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        won = pool.starmap(_claims, [(database_url, n, 500) for n in range(4)])
    assert sum(won) == 1


def _claims(url: str, number: int, count: int) -> int:
    store = HubStore(url)
    return sum(claim(store, f"{number}-{turn}") for turn in range(count))
