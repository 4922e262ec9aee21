"""Two home processes on one state, and eight logins at once: sessions agree, memory is bounded, nobody waits for ever."""

# ruff: noqa: E501 - the reason stands whole on one line

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from portal.browser import Browser
from portal.pages.deps import VAULT_COOKIE
from portal.serve import Server, free_port
from portal.settings import Node
from tests.e2e.servers import PASSPHRASE, Citizen, Nodes, plain_trip

pytestmark = pytest.mark.slow

DERIVATION_KB: Final = 64 * 1024
"""Argon2id, INTERACTIVE (house.md); at most two run at once."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nodes, Nodes]]:
    """Two workers of one home, started at the same moment on an empty folder."""
    folder = tmp_path_factory.mktemp("workers") / "state"
    folder.mkdir(mode=0o700)
    first = Nodes(folder, nodes=(Node.HOME,))
    address = first.settings.url(Node.HOME)
    extra = {"home_url": address, "hub_port": first.settings.hub_port}
    second = Nodes(folder, nodes=(Node.HOME,), extra={**extra, "home_port": free_port()})
    servers = [network.servers[Node.HOME] for network in (first, second)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        yield first, second
    finally:
        for server in servers:
            server.stop()


def port_of(network: Nodes) -> str:
    """Where a worker itself answers."""
    return f"http://127.0.0.1:{network.settings.home_port}"


def seen(base: str, cookie: str, path: str = "/v1/session") -> httpx.Response:
    """One call with a session's cookie at one worker."""
    return httpx.get(base + path, headers={"cookie": f"{VAULT_COOKIE}={cookie}"}, timeout=30)


def test_two_workers_started_at_once_on_an_empty_folder_share_its_keys(
    pair: tuple[Nodes, Nodes],
) -> None:
    documents = [httpx.get(f"{port_of(n)}/.well-known/did.json").json() for n in pair]
    assert documents[0] == documents[1]


def test_unlocked_in_one_is_read_in_the_other_and_locked_in_one_is_locked_in_both(
    pair: tuple[Nodes, Nodes],
) -> None:
    one, two = (port_of(network) for network in pair)
    citizen = Citizen(pair[0], Browser(one)).create()
    token = citizen.pair()
    batch = [plain_trip(hour) for hour in range(6)]
    pushed = httpx.post(
        f"{two}/v1/push",
        json={"trips": batch},
        headers={"authorization": f"Bearer {token}", "idempotency-key": "a"},
        timeout=30,
    )
    assert pushed.status_code == 202, pushed.text
    assert citizen.drain()["tripsNew"] == len(batch)
    elsewhere = seen(two, citizen.cookie, "/v1/records?kind=Trip").json()
    assert len(elsewhere["records"]) == len(batch)
    # A write in one is seen in the other at once, both ways.
    more = [plain_trip(hour, day=2) for hour in range(3)]
    again = httpx.post(
        f"{one}/v1/push",
        json={"trips": more},
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert again.status_code == 202
    other = Citizen(pair[1], Browser(two), vault_id=citizen.vault_id)
    other.browser.cookies = dict(citizen.browser.cookies)
    assert other.drain()["tripsNew"] == len(more)
    assert len(citizen.trips()) == len(batch) + len(more)

    cookie = citizen.cookie
    assert seen(two, cookie).status_code == 200
    citizen.browser.submit("/", "/verrouiller")
    assert VAULT_COOKIE not in citizen.browser.cookies, "the browser forgets its half"
    for base in (one, two):
        answer = seen(base, cookie)
        assert (answer.status_code, answer.json()["code"]) == (401, "session-ended")
        assert answer.headers["content-type"] == "application/problem+json"
        page = httpx.get(base + "/trajets", headers={"cookie": f"{VAULT_COOKIE}={cookie}"})
        assert page.status_code == 303
        assert page.headers["location"].startswith("/ouvrir")


def test_locking_everywhere_ends_every_browser(pair: tuple[Nodes, Nodes]) -> None:
    one, two = (port_of(network) for network in pair)
    citizen = Citizen(pair[0], Browser(one)).create()
    other = Citizen(pair[1], Browser(two), vault_id=citizen.vault_id).unlock()
    assert other.cookie != citizen.cookie
    third = Citizen(pair[1], Browser(two), vault_id=citizen.vault_id).unlock()
    third.browser.submit("/coffre", "/verrouiller")
    assert seen(one, citizen.cookie).status_code == 200, "one browser closed, the others stay"
    cookies = (citizen.cookie, other.cookie)
    citizen.browser.submit("/coffre", "/verrouiller?partout=1")
    for base in (one, two):
        assert [seen(base, cookie).status_code for cookie in cookies] == [401, 401]


def test_the_session_cookie_is_host_bound_httponly_secure_and_lax(
    pair: tuple[Nodes, Nodes],
) -> None:
    one = port_of(pair[0])
    citizen = Citizen(pair[0], Browser(one)).create()
    asked = {"vault": citizen.vault_id, "passphrase": PASSPHRASE}
    answer = httpx.post(f"{one}/v1/session", json=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    (line,) = [
        value
        for value in answer.headers.get_list("set-cookie")
        if value.startswith(f"{VAULT_COOKIE}=")
    ]
    words = {word.strip().lower() for word in line.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= words
    assert not any(word.startswith("domain") for word in words)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.cookies[VAULT_COOKIE] != citizen.cookie, "rotated at unlock"


# --- eight at once -----------------------------------------------------------------------------


def memory_kb(server: Server) -> int:
    """The most memory a process ever held (VmHWM)."""
    status = Path(f"/proc/{server.pid}/status").read_text("utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def at_once(count: int, call: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """`count` calls started together; fails when one does not come back."""
    found: list[httpx.Response] = []
    barrier = threading.Barrier(count)

    def go(number: int) -> None:
        barrier.wait()
        found.append(call(number))

    threads = [threading.Thread(target=go, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert len(found) == count, "a login hangs"
    return found


def test_eight_logins_at_once_are_all_answered_within_bounded_memory(
    pair: tuple[Nodes, Nodes],
) -> None:
    network = pair[0]
    one = port_of(network)
    citizen = Citizen(network, Browser(one)).create()
    server = network.servers[Node.HOME]
    before = memory_kb(server)
    health: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            begun = time.monotonic()
            assert httpx.get(f"{one}/healthz", timeout=30).status_code == 200
            health.append(time.monotonic() - begun)
            time.sleep(0.05)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    asked = {"vault": citizen.vault_id, "passphrase": PASSPHRASE}
    with httpx.Client(timeout=80) as client:
        answers = at_once(8, lambda _n: client.post(f"{one}/v1/session", json=asked))
        crowd = at_once(24, lambda _n: client.post(f"{one}/v1/session", json=asked))
    stop.set()
    watcher.join(30)
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) <= {200, 503}, counts
    assert counts[200] >= 1
    for answer in (*answers, *crowd):
        assert answer.status_code in {200, 429, 503}, answer.text
        if answer.status_code != 200:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
    assert memory_kb(server) - before < 2 * DERIVATION_KB + 64 * 1024
    assert health, "the home answers meanwhile"
    assert max(health) < 10


def test_a_page_says_try_again_when_too_many_unlock_at_once(pair: tuple[Nodes, Nodes]) -> None:
    network = pair[1]
    citizen = Citizen(network, Browser(port_of(network))).create()
    browsers = [Browser(port_of(network)) for _ in range(16)]
    forms: list[tuple[Browser, dict[str, str]]] = []
    for browser in browsers:
        page = browser.get("/ouvrir")
        forms.append((browser, page.form("/ouvrir")))

    def unlock(number: int) -> httpx.Response:
        browser, hidden = forms[number]
        cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        values: dict[str, Any] = {**hidden, "coffre": citizen.vault_id, "phrase": PASSPHRASE}
        return httpx.post(
            f"{browser.base}/ouvrir", data=values, headers={"cookie": cookies}, timeout=80
        )

    answers = at_once(len(browsers), unlock)
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) <= {303, 429, 503}, counts
    assert counts[303] >= 1
    for answer in answers:
        if answer.status_code != 303:
            assert int(answer.headers["retry-after"]) >= 1
            assert "Réessayez" in answer.text


def test_eight_officers_at_once_are_all_answered(tmp_path: Path) -> None:
    from portal.compose import desk_password_file

    with Nodes(tmp_path / "state", nodes=(Node.HUB,)) as network:
        password = desk_password_file(network.settings).read_text("utf-8").strip()
        asked = {"login": "guichet", "password": password}
        url = f"{network.url(Node.HUB)}/v1/desk/session"
        answers = at_once(8, lambda _n: httpx.post(url, json=asked, timeout=80))
        counts = Counter(answer.status_code for answer in answers)
        assert set(counts) <= {200, 503}, counts
        assert counts[200] >= 1
        for answer in answers:
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
