"""Nodes that a test may kill, start twice or starve, and people who use them over HTTP.

`network.py` keeps one federation with its story for reading; here `Nodes` and kills nodes as a machine would; `Citizen` is a person with a browser; `mobility` runs the command
line as a process of its own. Nothing here reaches into a server: HTTP, files of the state folder, exit codes.
"""

# ruff: noqa: E501 - the reason stands whole on one line

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import httpx

from federation.wire.http import tls_context
from portal.browser import Browser
from portal.compose import desk_password_file
from portal.pages.deps import VAULT_COOKIE
from portal.serve import ORDER, Server, free_port
from portal.settings import Node, Settings

ROOT: Final = Path(__file__).resolve().parents[2]
PASSPHRASE: Final = "six mots pour un coffre de bac"
ANSWER_S: Final = 60.0


@dataclass
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @cached_property
    def json(self) -> Any:
        """Its standard output as one JSON value; fails the test when there is something else."""
        return json.loads(self.out)


def mobility(
    *arguments: str | Path, env: Mapping[str, str] | None = None, timeout_s: float = 120.0
) -> Ran:
    """Run the command line in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_")}
    clean |= {"LANG": "fr_FR.UTF-8", "PYTHONPATH": str(ROOT), **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "portal.cli", *map(str, arguments)],
        env=clean, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass
class Citizen:
    """A person with a browser and a vault."""

    network: "Nodes"
    browser: Browser
    vault_id: str = ""
    recovery_code: str = ""

    @property
    def cookie(self) -> str:
        """The browser's half of the session."""
        return self.browser.cookies[VAULT_COOKIE]

    @property
    def headers(self) -> dict[str, str]:
        """What a script with this person's session sends: a cookie writes only with its token."""
        return session_headers(self.browser)

    def create(self) -> Self:
        """Make a vault and enter."""
        values = {"phrase": PASSPHRASE, "encore": PASSPHRASE, "nom": "Essai", "compris": "1"}
        page = self.browser.submit("/creer", "/creer", values)
        self.recovery_code = page.find(r'<p class="code">(.*?)</p>')
        self.vault_id = page.find(r'<p class="code">.*?<p class="code">(.*?)</p>')
        return self

    def unlock(self) -> Self:
        """Open the vault again."""
        values = {"coffre": self.vault_id, "phrase": PASSPHRASE, "retour": "/"}
        self.browser.submit("/ouvrir", "/ouvrir", values)
        return self

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One call with the session's cookie."""
        more.setdefault("timeout", ANSWER_S)
        cookie = {"cookie": f"{VAULT_COOKIE}={self.cookie}"}
        headers = {**(cookie if method == "GET" else self.headers), **more.pop("headers", {})}
        return httpx.request(
            method, self.browser.base + path, headers=headers, verify=tls_context(), **more
        )

    def pair(self, app: str = "une-app") -> str:
        """Pair an app; its token."""
        page = self.browser.submit("/sources", "/sources/appairer", {"nom": app})
        code = page.find(r'<p class="code">(.*?)</p>')
        asked = {"code": code, "app": app}
        answer = httpx.post(f"{self.browser.base}/v1/pairings", json=asked, timeout=ANSWER_S)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def drain(self) -> dict[str, int]:
        """Take in all that waits; the sums of every call."""
        sums: dict[str, int] = {}
        for _ in range(100):
            answer = self.api("POST", "/v1/drain")
            assert answer.status_code == 200, answer.text
            report = answer.json()
            for name, value in report.items():
                sums[name] = sums.get(name, 0) + int(value)
            if not report["waiting"]:
                return sums | {"waiting": 0}
        raise AssertionError("the drop-box never empties")

    def trips(self) -> list[dict[str, Any]]:
        """Every trip, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {"kind": "Trip", "limit": "500"} | ({"cursor": cursor} if cursor else {})
            answer = self.api("GET", "/v1/records", params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found.extend(page["records"])
            cursor = page["next"]
            if cursor is None:
                return found


@dataclass
class Nodes:
    """Nodes of one state folder."""

    folder: Path
    nodes: Sequence[Node] = ORDER
    extra: Mapping[str, Any] = field(default_factory=dict)
    servers: dict[Node, Server] = field(init=False)
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        ports = {f"{node.value}_port": free_port() for node in ORDER}
        while len(set(ports.values())) < len(ports):
            ports = {name: free_port() for name in ports}
        self.settings = Settings(state=self.folder, sandbox=True, **{**ports, **self.extra})
        self.servers = {node: Server(node, self.settings) for node in ORDER if node in self.nodes}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            for server in self.servers.values():
                server.start()
            for server in self.servers.values():
                server.wait()
            if Node.HUB in self.servers and Node.SANDBOX in self.servers:
                wait_until(self.is_ready, "every member accredited", timeout_s=30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self.servers.values()):
            server.stop()

    def is_ready(self) -> bool:
        """Whether the home knows every member."""
        return httpx.get(f"{self.url(Node.HOME)}/readyz", timeout=5).status_code == 200

    def url(self, node: Node = Node.HOME) -> str:
        """Where a node answers."""
        return self.settings.url(node)

    def browser(self, node: Node = Node.HOME) -> Browser:
        """A fresh browser."""
        return Browser(self.url(node))

    def citizen(self) -> Citizen:
        """A person with a new vault, open."""
        return Citizen(self, self.browser()).create()

    def officer(self, login: str = "guichet", password: str | None = None) -> Browser:
        """A browser signed in at the desk; the sandbox's officer when nothing is said."""
        browser = self.browser(Node.HUB)
        secret = password or desk_password_file(self.settings).read_text("utf-8").strip()
        browser.submit(
            "/guichet/entrer", "/guichet/entrer", {"identifiant": login, "mot_de_passe": secret}
        )
        return browser

    def cli(self, *arguments: str | Path, **env: str) -> Ran:
        """The command line on this state folder."""
        known = {f"MOBILITY_{n.value.upper()}_PORT": str(self.settings.port(n)) for n in ORDER}
        known |= {"MOBILITY_SANDBOX": "1", "MOBILITY_PASSPHRASE": PASSPHRASE, **env}
        return mobility(*arguments, "--state", self.folder, env=known)

    def logs(self) -> str:
        """What every node wrote."""
        return "\n".join(p.read_text("utf-8") for p in sorted((self.folder / "logs").glob("*")))


def wait_until(holds: Callable[[], bool], what: str, *, timeout_s: float = 20.0) -> None:
    """Ask again and again; fail with `what` when it never holds."""
    import time

    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s:.0f} s: {what}")


def plain_trip(number: int, *, day: int = 1, **changes: Any) -> dict[str, Any]:
    """A trip as a phone pushes it: the `number`-th hour after midnight of 1 March 2026 plus `day`."""
    from datetime import UTC, datetime, timedelta

    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day, hours=number)
    end = start + timedelta(minutes=20)
    return {
        "id": f"t-{day}-{number}-{secrets.token_hex(4)}",
        "startedAt": start.isoformat().replace("+00:00", "Z"),
        "endedAt": end.isoformat().replace("+00:00", "Z"),
        "timeZone": "Europe/Paris",
        "mode": "bicycle",
        "distance": 4_000 + number,
        "origin": {"lat": 43.2109 + number / 10_000, "lon": 2.4420},
        "destination": {"lat": 43.2128, "lon": 2.3536},
        **changes,
    }


def session_headers(browser: Browser) -> dict[str, str]:
    """Cookie and CSRF token of a browser's session."""
    cookie = {"cookie": f"{VAULT_COOKIE}={browser.cookies[VAULT_COOKIE]}"}
    answer = httpx.get(f"{browser.base}/v1/session", headers=cookie, timeout=ANSWER_S)
    assert answer.status_code == 200, answer.text
    return {**cookie, "x-csrf-token": str(answer.json()["csrf"])}


def contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Every file below `paths`, whole."""
    return {
        file: file.read_bytes()
        for path in paths
        for file in ([path] if path.is_file() else sorted(path.rglob("*")))
        if file.is_file()
    }
