"""A login through the service: what arrives, and every return that must bring nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.errors import ConnectorError
from connectors.identity.client import IdentityClient, Registration
from connectors.identity.login import (
    LOGIN_TERM,
    LoginExpiredError,
    LoginForeignError,
    LoginRefusedError,
)
from connectors.identity.logins import IdentityProvider
from connectors.sandbox.parties import SandboxSettings
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.wire.http import BoundedClient
from schemas.errors import Retriable
from schemas.observations import DocumentObservation
from schemas.records import Attribute, Degree

CLIENT = "http://localhost:8400"
BACK = CLIENT + "/identite/retour"
VAULT, BROWSER = "vault", "the secret of a session"


@contextmanager
def no_transport(_address: str) -> Iterator[Any]:
    raise AssertionError
    yield


@pytest.fixture
def service(
    home: Any, store: ConnectorStore, clock: Any, sandbox: SandboxSettings, outbound: BoundedClient
) -> ConnectorService:
    issuer = sandbox.base_url + "/identite"

    @contextmanager
    def client() -> Iterator[IdentityClient]:
        yield IdentityClient(
            outbound, issuer=issuer, registration=Registration(CLIENT), clock=clock
        )

    provider = IdentityProvider(issuer, "Identité de démonstration", client)
    return ConnectorService(
        home, store, clock=clock, transport=no_transport, address=CLIENT, identity=provider
    )


def leave(service: ConnectorService) -> str:
    return service.begin_identity(VAULT, browser=BROWSER, redirect_uri=BACK)


def come_back(outbound: BoundedClient, url: str) -> dict[str, str]:
    answer = outbound.get(url + "&prompt=none", accept=("*/*",), statuses=(302,))
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def deposited(home: Any) -> list[Attribute]:
    found = []
    for observation in home.drop_box(VAULT).opened():
        assert isinstance(observation, DocumentObservation)
        assert isinstance(observation.record, Attribute)
        found.append(observation.record)
    return found


def test_the_attributes_are_left_sealed_by_the_homes_identity_connector(
    service: ConnectorService, home: Any, outbound: BoundedClient, clock: Any
) -> None:
    query = come_back(outbound, leave(service))
    who = service.finish_identity(VAULT, query, browser=BROWSER)
    found = {a.name: a for a in deposited(home)}
    assert len(who.claims) == len(found) > 3
    assert found["identity.family_name"].value == "FABRE"
    assert {a.degree for a in found.values()} == {Degree.RELAYED}
    assert {a.level for a in found.values()} == {"eidas1"}
    assert {a.certified_at for a in found.values()} == {clock.now}
    [depositor] = {d.depositor for d in home.drop_box(VAULT).taken}
    assert depositor.endswith(":connecteurs:identite")


def test_a_second_login_goes_on_in_the_same_chain(
    service: ConnectorService, home: Any, outbound: BoundedClient
) -> None:
    for _ in range(2):
        service.finish_identity(VAULT, come_back(outbound, leave(service)), browser=BROWSER)
    assert [d.seq for d in home.drop_box(VAULT).taken] == [1, 2]
    ids = [a.id for a in deposited(home)]
    assert len(ids) == 2 * len(set(ids))


def test_a_replayed_return_is_refused(
    service: ConnectorService, home: Any, outbound: BoundedClient
) -> None:
    query = come_back(outbound, leave(service))
    service.finish_identity(VAULT, query, browser=BROWSER)
    before = len(deposited(home))
    with pytest.raises(LoginForeignError):
        service.finish_identity(VAULT, query, browser=BROWSER)
    assert len(deposited(home)) == before


@pytest.mark.parametrize(
    ("vault", "browser", "state"),
    [(VAULT, BROWSER, "x"), (VAULT, BROWSER, ""), (VAULT, "other", None), ("other", BROWSER, None)],
    ids=["state", "no-state", "browser", "vault"],
)
def test_a_return_elsewhere_brings_nothing_and_ends_nothing(
    service: ConnectorService,
    home: Any,
    outbound: BoundedClient,
    vault: str,
    browser: str,
    state: str | None,
) -> None:
    query = come_back(outbound, leave(service))
    wrong = query if state is None else {**query, "state": state}
    with pytest.raises(LoginForeignError):
        service.finish_identity(vault, wrong, browser=browser)
    assert home.drop_box(vault).taken == []
    assert service.finish_identity(VAULT, query, browser=BROWSER).claims


def test_an_expired_return_is_refused_and_forgotten(
    service: ConnectorService, home: Any, outbound: BoundedClient, clock: Any
) -> None:
    query = come_back(outbound, leave(service))
    clock.now += LOGIN_TERM + timedelta(seconds=1)
    with pytest.raises(LoginExpiredError):
        service.finish_identity(VAULT, query, browser=BROWSER)
    with pytest.raises(LoginForeignError):
        service.finish_identity(VAULT, query, browser=BROWSER)
    assert home.drop_box(VAULT).taken == []


def test_a_refusal_at_the_provider_brings_nothing(
    service: ConnectorService, home: Any, outbound: BoundedClient
) -> None:
    query = come_back(outbound, leave(service))
    refused = {"state": query["state"], "iss": query["iss"], "error": "access_denied"}
    with pytest.raises(LoginRefusedError) as caught:
        service.finish_identity(VAULT, refused, browser=BROWSER)
    assert caught.value.code == "login-refused"
    assert home.drop_box(VAULT).taken == []


def test_beginning_again_ends_the_login_before_and_a_shredded_vault_keeps_none(
    service: ConnectorService, outbound: BoundedClient
) -> None:
    first, second = leave(service), leave(service)
    with pytest.raises(LoginForeignError):
        service.finish_identity(VAULT, come_back(outbound, first), browser=BROWSER)
    service.forget_vault(VAULT)
    with pytest.raises(LoginForeignError):
        service.finish_identity(VAULT, come_back(outbound, second), browser=BROWSER)


def test_an_outage_of_the_provider_refuses_nobody_and_what_was_brought_stays(
    service: ConnectorService, home: Any, store: ConnectorStore, clock: Any, outbound: BoundedClient
) -> None:
    url = leave(service)
    service.finish_identity(VAULT, come_back(outbound, url), browser=BROWSER, redirect_uri=BACK)
    brought = deposited(home)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        absent = f"http://127.0.0.1:{closed.getsockname()[1]}"

    @contextmanager
    def nobody() -> Iterator[IdentityClient]:
        yield IdentityClient(
            outbound, issuer=absent, registration=Registration(CLIENT), clock=clock
        )

    provider = IdentityProvider(absent, "Identité de démonstration", nobody)
    away = ConnectorService(
        home, store, clock=clock, transport=no_transport, address=CLIENT, identity=provider
    )
    for _ in range(4):
        with pytest.raises(ConnectorError) as later:
            leave(away)
        assert isinstance(later.value, Retriable), "later, not no"
    assert deposited(home) == brought
    url = leave(service)
    service.finish_identity(VAULT, come_back(outbound, url), browser=BROWSER, redirect_uri=BACK)
    assert len(deposited(home)) == 2 * len(brought)


def test_a_home_without_a_provider_says_so(home: Any, store: ConnectorStore, clock: Any) -> None:
    service = ConnectorService(home, store, clock=clock, transport=no_transport, address=CLIENT)
    with pytest.raises(LoginRefusedError):
        leave(service)
