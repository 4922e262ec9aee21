"""The home is killed (SIGKILL) at seeded moments of push, pull and drain; its clients try again.

Laws: what was acknowledged is in the vault, once; the session outlives the crash; the vault is clean. Few rounds here;
`make soak` runs the same with MOBILITY_SOAK_ROUNDS (200), and goes on after the rounds listed in
MOBILITY_SOAK_STATE when it was stopped.
"""

# ruff: noqa: E501 - the reason stands whole on one line

import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from connectors.sandbox.story import Story
from portal.browser import PageError
from portal.compose import opened_vault
from portal.settings import Node
from tests.e2e.servers import PASSPHRASE, Citizen, Nodes, plain_trip

pytestmark = pytest.mark.slow

ROUNDS: Final = 2
SOAK_ROUNDS: Final = int(os.environ.get("MOBILITY_SOAK_ROUNDS", "200"))
BATCHES: Final = 4
BATCH: Final = 6
GIVE_UP_S: Final = 90.0


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A home and its sources; the hub is not needed to receive."""
    folder = tmp_path_factory.mktemp("killed") / "state"
    with Nodes(folder, nodes=(Node.HOME, Node.SANDBOX)) as made:
        yield made


@dataclass
class App:
    """A phone that keeps a batch until the home acknowledged it."""

    base: str
    token: str
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    retries: int = 0

    def push(self, batch: list[dict[str, Any]]) -> None:
        """Send until it is acknowledged, always under the same key."""
        key = str(uuid.uuid4())
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": key}
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            try:
                answer = httpx.post(
                    f"{self.base}/v1/push", json={"trips": batch}, headers=headers, timeout=30
                )
            except httpx.HTTPError:
                self.retries += 1
                time.sleep(0.2)
                continue
            if answer.status_code == 202:
                self.receipts.append(answer.json()["receipt"])
                self.sent.update({trip["startedAt"]: trip for trip in batch})
                return
            assert answer.status_code in (429, 503), answer.text
            time.sleep(min(int(answer.headers["retry-after"]), 5))
        raise AssertionError("the home never acknowledged")

    def states(self) -> Counter[str]:
        """What became of every receipt."""
        headers = {"authorization": f"Bearer {self.token}"}
        return Counter(
            httpx.get(f"{self.base}/v1/push/{r}", headers=headers, timeout=30).json()["state"]
            for r in self.receipts
        )


def one_round(network: Nodes, seed: int) -> None:
    """One person, one phone, one trace server, one kill."""
    dice = random.Random(seed)
    citizen = network.citizen()
    story = httpx.get(f"{network.url(Node.SANDBOX)}/_story", timeout=30).json()
    app = App(network.url(), citizen.pair())
    batches = [
        [plain_trip(hour, day=day) for hour in range(BATCH)] for day in range(1, BATCHES + 1)
    ]
    faults: list[BaseException] = []
    done = threading.Event()

    def phone() -> None:
        try:
            for batch in batches:
                app.push(batch)
                time.sleep(dice.random() * 0.05)
        except BaseException as error:
            faults.append(error)

    def person() -> None:
        while not done.is_set():
            try:
                ask(citizen, story)
                citizen.api("POST", "/v1/drain", timeout=30)
                time.sleep(0.3)  # two cores for everybody
            except (httpx.HTTPError, PageError):
                time.sleep(0.1)
            except BaseException as error:
                faults.append(error)
                return

    threads = [threading.Thread(target=phone), threading.Thread(target=person)]
    for thread in threads:
        thread.start()
    time.sleep(dice.uniform(0.02, 1.6))
    network.servers[Node.HOME].kill()
    network.servers[Node.HOME].start()
    network.servers[Node.HOME].wait()
    threads[0].join(GIVE_UP_S)
    done.set()
    threads[1].join(GIVE_UP_S)
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
    assert faults == []

    asked = time.monotonic()
    while not ask(citizen, story):
        assert time.monotonic() - asked < GIVE_UP_S
    citizen.drain()
    trips = citizen.trips()
    found = Counter(trip["startedAt"] for trip in trips)
    pushed = {utc(start) for start in app.sent}
    assert len(pushed) == BATCHES * BATCH
    assert pushed <= set(found), f"seed {seed}: an acknowledged deposit is lost"
    assert max(found.values()) == 1, f"seed {seed}: a trip is there twice"
    traced = [start for start in found if start not in pushed]
    assert len(traced) == Story().expected.traced, f"seed {seed}: the pull lost or doubled"
    assert app.states() == {"taken": BATCHES}, f"seed {seed}"
    assert citizen.drain()["tripsNew"] == 0


def utc(start: str) -> str:
    """As records write it: milliseconds."""
    return start if "." in start else start.replace("Z", ".000Z")


def ask(citizen: Citizen, story: dict[str, Any]) -> bool:
    """Add the trace server, or ask it again when the page lists it; whether it answered."""
    page = citizen.browser.get("/sources")
    if 'action="/sources/interroger"' in page.text:
        source = page.find(r'name="source" value="(tracemob:[^"]+)"')
        answer = citizen.browser.submit(page, "/sources/interroger", {"source": source})
    else:
        values = {"adresse": story["traces"]["url"], "jeton_source": story["traces"]["token"]}
        answer = citizen.browser.submit(page, "/sources/tracemob", values)
    return answer.status == 200


def check(network: Nodes, *vault_ids: str) -> None:
    """What `mobility vault fsck` does, for several vaults in one process."""
    for vault_id in vault_ids:
        with opened_vault(network.settings, vault_id, lambda: PASSPHRASE) as (parts, opened):
            report = parts.home.fsck(vault_id, opened)
        assert report.clean, [(f.code, f.subject) for f in report.findings]
        assert report.opened


def test_a_home_killed_at_random_moments_loses_nothing_and_doubles_nothing(homes: Nodes) -> None:
    for seed in range(ROUNDS):
        one_round(homes, seed)
    check(homes, *vaults(homes)[:-1])
    assert homes.cli("vault", "fsck", "--json").code == 1, "several vaults: one has to be named"
    ran = homes.cli("vault", "fsck", "--json", "--vault", vaults(homes)[-1])
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["clean"] is True
    assert ran.json["findings"] == []


def vaults(network: Nodes) -> list[str]:
    """The vaults of a home, from its key store."""
    return sorted(path.name for path in (network.folder / "keys" / "peppers").iterdir())


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_home_killed_hundreds_of_times_loses_nothing_and_doubles_nothing(homes: Nodes) -> None:
    state = Path(os.environ.get("MOBILITY_SOAK_STATE", homes.folder.parent / "rounds.txt"))
    finished = {int(line) for line in state.read_text().split()} if state.exists() else set()
    for seed in range(1_000, 1_000 + SOAK_ROUNDS):
        if seed in finished:
            continue
        one_round(homes, seed)
        with state.open("a") as kept:
            kept.write(f"{seed}\n")
        if seed % 10 == 9:
            check(homes, vaults(homes)[-1])
    check(homes, *vaults(homes))
