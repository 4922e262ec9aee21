"""Every connector against its simulator, over real HTTP: `connectors/conformance.py`."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import uvicorn

from connectors import conformance
from connectors.base import Connector
from connectors.contract import oauth as contract
from connectors.contract.client import AccountClient
from connectors.contract.connector import AccountConnector
from connectors.cozy import oauth
from connectors.cozy.client import CozyClient
from connectors.cozy.connector import CozyConnector
from connectors.emission.client import Dialect, EmissionClient
from connectors.emission.connector import EmissionConnector
from connectors.http import HttpTransport, source_client
from connectors.sandbox.api.personal_cloud import PATH as CLOUD
from connectors.sandbox.app import create_sandbox_app
from connectors.sandbox.misbehaviour import Manners, Misbehaviour
from connectors.sandbox.mobility_account import PATH as ACCOUNT
from connectors.sandbox.parties import SandboxSettings
from federation.wire.http import BoundedClient

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PATHS = {Dialect.UPSTREAM_2026: "/traces", Dialect.TRACEMOB_2021: "/traces-2021"}


@dataclass
class EmissionBench:
    """e-mission in one dialect, and the sandbox that plays its server."""

    base: str
    token: str
    manners: Manners
    client: BoundedClient
    dialect: Dialect

    def connector(self) -> Connector:
        transport = HttpTransport(self.client, self.base + PATHS[self.dialect])
        client = EmissionClient(transport, token=self.token)
        return EmissionConnector(client, account="a", clock=lambda: NOW)

    def misbehave(self, what: str, times: int = 1) -> None:
        self.manners.ask(Misbehaviour(what), times)

    def behave(self) -> None:
        self.manners.behave()

    def settle(self, connector: Connector) -> None:
        assert connector.check().dialect == self.dialect


@dataclass
class CozyBench:
    """A Cozy, and the sandbox that plays it."""

    transport: HttpTransport
    token: str
    manners: Manners

    def connector(self) -> Connector:
        client = CozyClient(self.transport, oauth.Credentials.parse(self.token))
        return CozyConnector(client, account="a", clock=lambda: NOW, page=15)

    def misbehave(self, what: str, times: int = 1) -> None:
        # A token out of date is renewed: what ends the run is a renewal that is refused too.
        self.manners.ask(Misbehaviour(what), times + (what == "expired-token"))

    def behave(self) -> None:
        self.manners.behave()

    def settle(self, connector: Connector) -> None:
        connector.check()


@dataclass
class AccountBench:
    """An operator of the mobility account, and the sandbox that plays it."""

    transport: HttpTransport
    credentials: contract.Credentials
    manners: Manners

    @property
    def token(self) -> str:
        return self.credentials.refresh_token

    last: AccountClient | None = None

    def connector(self) -> Connector:
        # As the home does: the refresh token that the last run was given is kept for the next.
        if self.last is not None:
            self.credentials = self.last.credentials
        address = self.transport.base_url
        self.last = AccountClient(self.transport, self.credentials, address=address)
        return AccountConnector(self.last, account="a", clock=lambda: NOW, page=3)

    def misbehave(self, what: str, times: int = 1) -> None:
        # A token out of date is renewed: what ends the run is a renewal that is refused too.
        self.manners.ask(Misbehaviour(what), times + (what == "expired-token"))

    def behave(self) -> None:
        self.manners.behave()

    def settle(self, connector: Connector) -> None:
        connector.check()


def agreed(transport: HttpTransport, client: BoundedClient, base: str) -> contract.Credentials:
    """The way through the operator's page, as the person's browser goes it."""
    back, scope = "http://localhost:1/retour", " ".join(contract.RESOURCES)
    described = contract.describe(transport, base)
    made = contract.register(
        transport, described, address=base, redirect_uri=back, client_uri="http://localhost:1"
    )
    url = contract.authorize_url(
        base, described, made, redirect_uri=back, state="s", scope=scope, verifier="v" * 43
    )
    page = client.get(url, accept=("text/html",)).body.decode()
    code = re.findall(r"code=([\w-]+)", page)[0]
    return contract.exchange(
        transport,
        described,
        made,
        code=code,
        verifier="v" * 43,
        redirect_uri=back,
        scope=scope,
    )


def accepted(transport: HttpTransport, client: BoundedClient, base: str) -> oauth.Credentials:
    """The way through the page that asks, as the person's browser goes it."""
    back = "http://localhost:1/retour"
    made = oauth.register(transport, redirect_uri=back, client_uri="http://localhost:1")
    url = oauth.authorize_url(
        base, made, redirect_uri=back, state="s", scope=oauth.READ, verifier="v" * 43
    )
    page = client.get(url, accept=("text/html",)).body.decode()
    code = re.findall(r"code=([\w-]+)", page)[0]
    return oauth.exchange(transport, made, code=code, verifier="v" * 43, scope=oauth.READ)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Manners]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("sandbox")
    # Enough for several pages, not more: each law reads all of it many times.
    settings = SandboxSettings(
        base_url=f"http://localhost:{port}", state=folder / "sandbox.json", since=date(2026, 10, 10)
    )
    app = create_sandbox_app(settings, clock=lambda: NOW)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.02)
    yield settings.base_url, app.state.parties.trace_token, app.state.manners
    server.should_exit = True
    server.force_exit = True
    thread.join(10)


@pytest.fixture(params=[*(dialect.value for dialect in Dialect), "cozy", "operator-account"])
def bench(
    request: pytest.FixtureRequest, sandbox: tuple[str, str, Manners]
) -> Iterator[conformance.Bench]:
    base, token, manners = sandbox
    # Short and small, so that slow and endless answers are seen at once.
    with source_client(allow_loopback=True, timeout_s=2.0) as client:
        if request.param == "cozy":
            manners.behave()
            transport = HttpTransport(client, f"{base}/{CLOUD}")
            credentials = accepted(transport, client, f"{base}/{CLOUD}")
            yield CozyBench(transport, credentials.to_json(), manners)
        elif request.param == "operator-account":
            manners.behave()
            transport = HttpTransport(client, f"{base}/{ACCOUNT}")
            yield AccountBench(transport, agreed(transport, client, f"{base}/{ACCOUNT}"), manners)
        else:
            yield EmissionBench(base, token, manners, client, Dialect(request.param))


@pytest.mark.parametrize("case", conformance.CASES)
@pytest.mark.timeout(120)
def test_a_connector_conforms(case: str, bench: conformance.Bench) -> None:
    conformance.run(case, bench)
