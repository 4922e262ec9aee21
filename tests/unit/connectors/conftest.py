"""A home in memory with real sealing: what was deposited is opened with the vault's own keys."""

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn

from connectors.http import HttpTransport, source_client
from connectors.sandbox.app import create_sandbox_app
from connectors.sandbox.parties import SandboxSettings
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.keys import Ed25519Key, Signer
from federation.sealing import BoxPublicKey, DepositReceipt, SealedDeposit
from federation.wire.http import BoundedClient
from schemas.errors import MobilityError, Refused, Retriable
from schemas.ids import Did, Digest
from schemas.jsonld import parse_json, parse_observation
from schemas.observations import Observation
from schemas.records import Compartment
from tests.unit.connectors.issuer_world import Operator, made_operator
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.opening import open_deposit

HOME = Did("did:web:home.test")


class OutOfSequenceError(MobilityError, Refused):
    code = "deposit-out-of-sequence"


class FullError(MobilityError, Retriable):
    code = "drop-box-full"
    retry_after_s = 120


class UnlinkedError(MobilityError, Refused):
    code = "depositor-unknown"


class AwayError(MobilityError, Retriable):
    code = "unreachable"
    retry_after_s = 5


@dataclass
class ReceiptView:
    state: str
    faults: tuple[tuple[int, str, str | None], ...] = ()


class MemoryDropBox:
    """One vault's drop-box: chain, links and receipts as a home keeps them."""

    def __init__(self, home: "MemoryHome", vault_id: str) -> None:
        self.home, self.vault_id = home, vault_id
        self.keys = {c: BoxPrivateKey.generate() for c in Compartment}
        self.taken: list[SealedDeposit] = []
        self.receipts: dict[bytes, DepositReceipt] = {}
        self.views: dict[bytes, ReceiptView] = {}
        self.links: set[tuple[str, str]] = set()
        self.full = False
        self.lose_next_answer = False
        self.away = False

    def deposit(self, sealed: bytes) -> DepositReceipt:
        if self.away:
            raise AwayError
        parsed = SealedDeposit.parse(sealed)
        assert parsed.vault == self.vault_id
        if (parsed.depositor, parsed.account) not in self.links:
            raise UnlinkedError
        if parsed.digest in self.receipts:
            return self.receipts[parsed.digest]
        if self.full:
            raise FullError
        if (parsed.seq - 1, parsed.previous) != self.last(parsed.depositor, parsed.account):
            raise OutOfSequenceError
        receipt = DepositReceipt.issue(
            parsed, home=HOME, received_at=self.home.clock(), signer=self.home.key
        )
        self.taken.append(parsed)
        self.receipts[parsed.digest] = receipt
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise AwayError
        return receipt

    def last(self, depositor: Did, account: str) -> tuple[int, Digest | None]:
        if (depositor, account) not in self.links:
            raise UnlinkedError
        chain = [d for d in self.taken if (d.depositor, d.account) == (depositor, account)]
        return (chain[-1].seq, chain[-1].manifest_digest) if chain else (0, None)

    def public_keys(self) -> dict[Compartment, BoxPublicKey]:
        return {name: key.public for name, key in self.keys.items()}

    def receipt(self, deposit: Digest) -> ReceiptView | None:
        if deposit not in self.receipts:
            return None
        return self.views.get(deposit, ReceiptView("waiting"))

    def opened(self) -> list[Observation]:
        """Every observation deposited, opened and parsed as a vault does."""
        by_id = {key.key_id: key for key in self.keys.values()}
        found: list[Observation] = []
        for deposit in self.taken:
            opened = open_deposit(deposit.data, box_for=by_id.get, vault=self.vault_id)
            found.extend(
                parse_observation(parse_json(record, max_bytes=1 << 20))
                for record in opened.records
            )
        return found


@dataclass
class Token:
    token: bytes


class MemoryTokens:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], bytes] = {}

    def put(
        self, vault_id: str, connector: str, account: str, token: bytes, *, scope: str = ""
    ) -> None:
        self.kept[vault_id, connector, account] = token

    def get(self, vault_id: str, connector: str, account: str) -> Token | None:
        found = self.kept.get((vault_id, connector, account))
        return None if found is None else Token(found)

    def remove(self, vault_id: str, connector: str, account: str) -> None:
        self.kept.pop((vault_id, connector, account), None)


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    ticks: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **more: float) -> None:
        self.now += timedelta(**more)


class MemoryHome:
    """A home of one process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key: Signer = Ed25519Key.generate().signer(f"{HOME}#1")
        self.boxes: dict[str, MemoryDropBox] = {}
        self.signers: dict[str, tuple[Did, Signer]] = {}
        self.tokens = MemoryTokens()
        self.feeds: list[object] = []
        self.nonces: set[tuple[str, str]] = set()

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        known = (keyid, nonce) in self.nonces
        self.nonces.add((keyid, nonce))
        return not known

    def drop_box(self, vault_id: str) -> MemoryDropBox:
        return self.boxes.setdefault(vault_id, MemoryDropBox(self, vault_id))

    def connector_signer(self, name: str) -> tuple[Did, Signer]:
        did = Did(f"{HOME}:connecteurs:{name}")
        made = (did, Ed25519Key.generate().signer(f"{did}#key-1"))
        return self.signers.setdefault(name, made)

    def link_depositor(
        self, vault_id: str, did: Did, account: str, *, name: str, scope: tuple[str, ...]
    ) -> None:
        self.drop_box(vault_id).links.add((did, account))

    def revoke_link(self, vault_id: str, did: Did, account: str) -> None:
        self.drop_box(vault_id).links.discard((did, account))

    def register_feed(self, feed: object) -> None:
        self.feeds.append(feed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(clock: Clock) -> MemoryHome:
    return MemoryHome(clock)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ConnectorStore]:
    made = ConnectorStore.open(f"sqlite:///{tmp_path}/connectors.db", seal=None)
    yield made
    made.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxSettings]:
    """The sandbox as a server of its own on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("sandbox")
    settings = SandboxSettings(base_url=f"http://localhost:{port}", state=folder / "sandbox.json")
    app = create_sandbox_app(settings, clock=lambda: Clock().now)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.02)
    yield settings
    server.should_exit = True
    thread.join(10)
    app.state.store.close()


@pytest.fixture
def outbound() -> Iterator[BoundedClient]:
    with source_client(allow_loopback=True, timeout_s=5) as client:
        yield client


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """An issuer at work, and the home of one of its customers."""
    yield from made_operator(tmp_path, monkeypatch)


@pytest.fixture
def service(
    home: MemoryHome, store: ConnectorStore, clock: Clock, outbound: BoundedClient
) -> ConnectorService:
    @contextmanager
    def transport(address: str) -> Iterator[HttpTransport]:
        yield HttpTransport(outbound, address)

    return ConnectorService(
        home, store, clock=clock, transport=transport, address="http://localhost:8400"
    )


def asked(outbound: BoundedClient, url: str, answer: str = "Accepter") -> dict[str, str]:
    """What the page that asks sends back to, by the link the person takes."""
    page = outbound.get(url, accept=("text/html",)).body.decode()
    found = re.search(rf'href="([^"]+)">{answer}', page)
    assert found is not None
    return dict(parse_qsl(urlsplit(found[1].replace("&amp;", "&")).query))
