"""The reliability probe against a running home, with one and with two worker processes.

Each test is a line of the probe that a Solid server of reference and its fastest peer were put to;
the outcome asserted is our bar: an interrupted write keeps the old bytes, of several writers one
wins and the others are told, nothing acknowledged is lost, nonsense is refused by its own status.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.ids import mint_iri
from schemas.jsonld import to_jsonld
from schemas.records import NamedPlace, PlaceRole
from tests.e2e.home_server import FOLDER, URL, settings
from vault.home import Home

PASSPHRASE = "correct cheval batterie agrafe"
ROOT = Path(__file__).resolve().parents[2]
LD = {"Content-Type": "application/ld+json"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Server:
    """A home's server process and its workers."""

    folder: Path
    workers: int
    url: str | None
    vault_id: str
    token: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start and wait for the first answer; returns how long that took, in seconds."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "tests.e2e.home_server:create_app",
                "--factory",
                "--host=127.0.0.1",
                f"--port={self.port}",
                f"--workers={self.workers}",
                "--log-level=warning",
            ],
            cwd=ROOT,
            env={**os.environ, FOLDER: str(self.folder), URL: self.url or ""},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                if httpx.get(f"{self.origin}/.well-known/did.json", timeout=5).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.02)
            assert time.monotonic() - began < 60, "the server does not answer"

    def kill(self) -> None:
        """SIGKILL to every process of it, as a power cut."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def unlock(self) -> None:
        asked = {"vault": self.vault_id, "passphrase": PASSPHRASE, "bearer": True}
        self.token = httpx.post(f"{self.origin}/v1/session", json=asked, timeout=30).json()["token"]

    def client(self) -> httpx.Client:
        """A client with the session. No keep-alive, so that every worker gets its share."""
        return httpx.Client(
            base_url=self.origin,
            timeout=60,
            headers={"Authorization": f"Bearer {self.token}"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )


@pytest.fixture(scope="module", params=[1, 2], ids=["one-worker", "two-workers"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One home for all lines: each writes records of its own."""
    folder = tmp_path_factory.mktemp("home") / "home"
    with Home.open(settings(folder)) as home:
        vault_id = home.create_vault(PASSPHRASE, label="").vault_id
    found = Server(folder, request.param, None, vault_id)
    found.start()
    found.unlock()
    yield found
    found.kill()


def body(label: str = "Maison", **extra: Any) -> dict[str, Any]:
    place = NamedPlace(
        id=mint_iri(), role=PlaceRole.HOME, lat=43.213, lon=2.3491, label=label, extra=extra
    )
    return to_jsonld(place)


def path_of(document: dict[str, Any]) -> str:
    return f"/v1/records/{document['id']}"


def put(client: httpx.Client, document: dict[str, Any], **headers: str) -> httpx.Response:
    return client.put(path_of(document), content=json.dumps(document), headers={**LD, **headers})


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """`work(n)` in `count` threads that begin at once."""
    gate = threading.Barrier(count)

    def run(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_an_interrupted_put_keeps_the_old_bytes(server: Server) -> None:
    with server.client() as client:
        document = body()
        assert put(client, document, **{"If-None-Match": "*"}).status_code == 201
        before = client.get(path_of(document))
        whole = json.dumps({**document, "label": "x" * 50_000}).encode()
        for part in (0, 1, 25_000, len(whole) - 1):
            head = (
                f"PUT {path_of(document)} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {server.token}\r\nIf-Match: *\r\n"
                f"Content-Type: application/ld+json\r\nContent-Length: {len(whole)}\r\n\r\n"
            )
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
                wire.sendall(head.encode() + whole[:part])
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(4_096):  # until the server has let go of it
                    pass
        after = client.get(path_of(document))
        assert after.content == before.content
        assert after.headers["etag"] == before.headers["etag"]


def test_of_eight_writers_of_one_state_one_wins_and_seven_are_told(server: Server) -> None:
    document = body(count=0)
    clients = [server.client() for _ in range(8)]
    assert put(clients[0], document, **{"If-None-Match": "*"}).status_code == 201
    for turn in range(10):
        read = clients[0].get(path_of(document))
        tag, said = read.headers["etag"], read.json()
        answers = together(
            8,
            lambda n, said=said, tag=tag: put(  # type: ignore[misc]  # bound at once
                clients[n],
                {**said, "count": said["count"] + 1, "writer": n},
                **{"If-Match": tag},
            ),
        )
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [200] + [412] * 7, (turn, codes)
        kept = clients[0].get(path_of(document)).json()
        winner = next(n for n, a in enumerate(answers) if a.status_code == 200)
        assert (kept["count"], kept["writer"]) == (turn + 1, winner)
    for client in clients:
        client.close()


def test_of_eight_who_create_one_name_one_does(server: Server) -> None:
    clients = [server.client() for _ in range(8)]
    for _ in range(5):
        document = body()
        answers = together(
            8,
            lambda n, document=document: put(  # type: ignore[misc]  # bound at once
                clients[n], {**document, "label": f"par {n}"}, **{"If-None-Match": "*"}
            ),
        )
        assert sorted(a.status_code for a in answers) == [201] + [412] * 7
    for client in clients:
        client.close()


def test_one_idempotency_key_makes_one_record(server: Server) -> None:
    clients = [server.client() for _ in range(6)]
    document = body()
    del document["id"]
    once = {**LD, "Idempotency-Key": "only-once-please"}
    answers = together(
        6,
        lambda n: clients[n].post("/v1/records", content=json.dumps(document), headers=once),
    )
    assert sorted(a.status_code for a in answers) == [200] * 5 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    server.kill()
    server.start()
    again = clients[0].post("/v1/records", content=json.dumps(document), headers=once)
    assert (again.status_code, again.json()["id"]) == (200, answers[0].json()["id"])
    for client in clients:
        client.close()


def test_sixty_patches_at_once_are_all_kept(server: Server) -> None:
    document = body()
    with server.client() as client:
        put(client, document, **{"If-None-Match": "*"})
    headers = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}

    def patch(number: int) -> int:
        with server.client() as own:
            content = json.dumps({f"note{number}": number})
            return own.patch(path_of(document), content=content, headers=headers).status_code

    assert together(60, patch) == [200] * 60
    with server.client() as client:
        found = client.get(path_of(document)).json()
    assert {n for n in range(60) if found.get(f"note{n}") == n} == set(range(60))


def test_puts_deletes_and_lists_at_once_never_fail_the_server(server: Server) -> None:
    documents = [body(f"lieu {n}") for n in range(6)]

    def work(number: int) -> list[int]:
        codes, mine = [], documents[number % 6]
        with server.client() as client:
            for turn in range(8):
                match (number + turn) % 4:
                    case 0 | 1:
                        put_if = "If-None-Match" if turn % 2 else "If-Match"
                        codes.append(put(client, mine, **{put_if: "*"}).status_code)
                    case 2:
                        gone = client.delete(path_of(mine), headers={"If-Match": "*"})
                        codes.append(gone.status_code)
                    case _:
                        listed = client.get("/v1/records?kind=NamedPlace&count=true")
                        codes.append(listed.status_code)
        return codes

    seen = {code for codes in together(12, work) for code in codes}
    assert seen <= {200, 201, 404, 412}, seen
    assert {200, 201, 412} <= seen


def test_malformed_bodies_are_400_and_nothing_is_kept(server: Server) -> None:
    document = body()
    with server.client() as client:
        for content, media_type in (
            (b"<a> <b", "text/turtle"),
            (b'{"@context": [', "application/ld+json"),
            (b'{"a": 1, "a": 2}', "application/ld+json"),
            (b'{"a": NaN}', "application/ld+json"),
            (b"\xff\xfe", "application/ld+json"),
        ):
            headers = {"Content-Type": media_type, "If-None-Match": "*"}
            answer = client.put(path_of(document), content=content, headers=headers)
            assert answer.status_code == 400, (content[:20], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        remote = {**document, "@context": ["https://example.org/context.jsonld"]}
        assert put(client, remote, **{"If-None-Match": "*"}).status_code == 422
        assert client.get(path_of(document)).status_code == 404


def test_json_twenty_thousand_levels_deep_is_400(server: Server) -> None:
    document = body()
    deep = json.dumps(document)[:-1].encode() + b', "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    with server.client() as client:
        answer = client.put(path_of(document), content=deep, headers={"If-None-Match": "*", **LD})
        assert answer.status_code == 400, answer.text
        assert client.get(path_of(document)).status_code == 404


def test_addresses_that_are_none_have_their_own_status(server: Server) -> None:
    with server.client() as client:
        assert client.get("/v1/records/a%00b").status_code == 400
        assert client.get("/v1/records/" + "x" * 5_000).status_code == 414
        assert client.get("/v1/records/..%2f..%2fetc%2fpasswd").status_code == 422
        put_if = {"If-None-Match": "*", **LD}
        named = client.put("/v1/records/urn:x:%00", content=b"{}", headers=put_if)
        assert named.status_code == 400


@pytest.mark.slow
def test_killed_in_a_storm_of_writes_nothing_acknowledged_is_lost(server: Server) -> None:
    acknowledged: dict[str, str] = {}
    hung: list[str] = []
    stop, lock = threading.Event(), threading.Lock()

    def storm(number: int) -> None:
        with server.client() as client:
            turn = 0
            while not stop.is_set():
                document, turn = body(f"{number}-{turn}"), turn + 1
                try:
                    answer = put(client, document, **{"If-None-Match": "*"})
                except httpx.TimeoutException:
                    hung.append(document["id"])
                    return
                except httpx.TransportError:
                    return  # killed: not acknowledged
                if answer.status_code == 201:
                    with lock:
                        acknowledged[document["id"]] = document["label"]

    for _ in range(2):
        stop.clear()
        writers = [threading.Thread(target=storm, args=(n,)) for n in range(8)]
        for writer in writers:
            writer.start()
        wanted = len(acknowledged) + 15
        while len(acknowledged) < wanted and any(w.is_alive() for w in writers):
            time.sleep(0.01)
        server.kill()
        stop.set()
        for writer in writers:
            writer.join(70)
        server.start()
    assert len(acknowledged) >= 30
    assert hung == []
    with server.client() as client:
        for iri, label in acknowledged.items():
            answer = client.get(f"/v1/records/{iri}")
            assert (answer.status_code, answer.json()["label"]) == (200, label)
    server.kill()
    with Home.open(settings(server.folder)) as home:
        home.unlock(server.vault_id, passphrase=PASSPHRASE, client="test")
        cookie = home.unlock(server.vault_id, passphrase=PASSPHRASE, client="test").cookie_value
        vault = home.session(cookie)
        places = {p.id: p.label for p in vault.places()}
        assert acknowledged.items() <= places.items()
        assert home.fsck(server.vault_id, vault).clean
    server.start()
