"""The whole federation on loopback: hub, home and sandbox as real processes, one story played.

`portal.demo` tells the story; this keeps the servers up around it for tests. Ports are free ones,
state is a folder that the caller owns.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from federation.hub.siret import is_siret
from portal.browser import Browser
from portal.compose import SANDBOX_OFFICER, desk_password_file
from portal.demo import Story, Told, demo_settings
from portal.i18n import translator
from portal.pages.deps import VAULT_COOKIE
from portal.serve import Supervisor
from portal.settings import Node, Settings


def siret_of(name: str) -> str:
    """A well-formed SIRET for an organisation of the tests: the same for the same name, another for
    another, so that tests which share a hub never take each other's."""
    base = str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 10**12).zfill(12)
    return next(full for key in range(100) if is_siret(full := f"9{base[:11]}{key:02}"))


@dataclass
class Network:
    """Three servers that answer, and what the story left."""

    settings: Settings
    tree: Supervisor
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> str:
        """Address of the home."""
        return self.settings.url(Node.HOME)

    @property
    def hub(self) -> str:
        """Address of the hub."""
        return self.settings.url(Node.HUB)

    @property
    def sandbox(self) -> str:
        """Address of the sandbox."""
        return self.settings.url(Node.SANDBOX)

    @property
    def memory(self) -> dict[str, Any]:
        """`demo.json`: the fictitious citizen's vault and passphrase."""
        kept: dict[str, Any] = json.loads((self.settings.state / "demo.json").read_text("utf-8"))
        return kept

    def citizen(self) -> Browser:
        """A browser with the citizen's vault open."""
        browser = Browser(self.home)
        values = {
            "coffre": self.memory["vault"],
            "phrase": self.memory["passphrase"],
            "retour": "/",
        }
        browser.submit("/ouvrir", "/ouvrir", values)
        assert VAULT_COOKIE in browser.cookies
        return browser

    def officer(self) -> Browser:
        """A browser with the officer signed in."""
        browser = Browser(self.hub)
        password = desk_password_file(self.settings).read_text("utf-8").strip()
        values = {"identifiant": SANDBOX_OFFICER, "mot_de_passe": password}
        browser.submit("/guichet/entrer", "/guichet/entrer", values)
        return browser

    def new_citizen(self) -> Browser:
        """A browser with a new, empty vault."""
        browser = Browser(self.home)
        phrase = "une phrase secrète de test"
        values = {"phrase": phrase, "encore": phrase, "nom": "", "compris": "1"}
        browser.submit("/creer", "/creer", values)
        return browser


@contextmanager
def network(state: Path, *, story: bool = True, files: Sequence[Path] = ()) -> Iterator[Network]:
    """Start the servers, play the story, keep them up for the caller."""
    settings = demo_settings(state, headless=True, home_port=None)
    with Supervisor(settings) as tree:
        made = Network(settings, tree)
        told = Story(settings, Told(translator("fr"), quiet=True), files)
        try:
            if story:
                made.report = told.play()
            else:
                told.wait_ready()
        finally:
            told.close()
        yield made


def is_up(address: str) -> bool:
    """Whether a server answers its health page."""
    try:
        return httpx.get(f"{address}/healthz", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
