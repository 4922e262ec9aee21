"""A Cozy connected, read, written and let go, over HTTP against the sandbox's cloud."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.accounts import Health, MemoryState
from connectors.conformance import Collected
from connectors.cozy.client import CozyClient
from connectors.cozy.connector import CozyConnector
from connectors.cozy.documents import document_id, read_document, to_document
from connectors.cozy.oauth import Credentials, address_of
from connectors.emission.entries import Reading
from connectors.errors import (
    AddressError,
    LinkRefusedError,
    SourceRefusedError,
    SourceUnreachableError,
    UnknownAccountError,
)
from connectors.http import HttpTransport
from connectors.identity.login import LOGIN_TERM, LoginExpiredError, LoginForeignError
from connectors.runner import sync
from connectors.sandbox.api.personal_cloud import PATH
from connectors.sandbox.parties import SandboxSettings
from connectors.service import ConnectorService
from federation.wire.http import BoundedClient
from schemas.evidence import Evidence
from schemas.ids import Iri
from schemas.modes import Mode
from schemas.observations import TripObservation
from schemas.records import Leg, Place, Trip
from schemas.units import Metres
from tests.unit.connectors.conftest import Clock, MemoryHome, asked

VAULT, BROWSER = "ef" * 16, "the secret of a session"
BACK = "http://localhost:8400/sources/cozy/retour"
START = datetime(2026, 10, 5, 6, 0, tzinfo=UTC)


@pytest.fixture
def cloud(sandbox: SandboxSettings) -> str:
    return f"{sandbox.base_url}/{PATH}"


def left(service: ConnectorService, cloud: str, *, may_write: bool = False) -> str:
    return service.cozy.begin(VAULT, cloud, browser=BROWSER, redirect_uri=BACK, may_write=may_write)


@pytest.fixture
def connect(service: ConnectorService, outbound: BoundedClient, cloud: str) -> Callable[..., str]:
    def connected(*, may_write: bool = False) -> str:
        query = asked(outbound, left(service, cloud, may_write=may_write))
        service.finish_cozy(VAULT, query, browser=BROWSER)
        [account] = service.accounts(VAULT)
        return account.id

    return connected


def kept(home: MemoryHome, account: str) -> Credentials:
    return Credentials.parse(home.tokens.kept[VAULT, "cozy", account].decode())


def trip(number: int = 0, **changes: Any) -> Trip:
    begin = START + timedelta(days=number)
    origin, end = Place(lat=43.2109, lon=2.4420, label="Trèbes"), Place(lat=43.2128, lon=2.3536)
    leg = Leg(
        id=Iri(f"urn:uuid:00000000-0000-4000-8000-0000000001{number:02d}"),
        mode=changes.get("mode", Mode.EBIKE),
        mode_evidence=Evidence.SENSED,
        distance=Metres(8_350),
        started_at=begin,
        ended_at=begin + timedelta(minutes=30),
        origin=origin,
        destination=end,
    )
    values: dict[str, Any] = {
        "id": Iri(f"urn:uuid:00000000-0000-4000-8000-0000000000{number:02d}"),
        "started_at": leg.started_at,
        "ended_at": leg.ended_at,
        "start_zone": "Europe/Paris",
        "end_zone": "Europe/Paris",
        "origin": origin,
        "destination": end,
        "legs": (leg,),
        "distance": leg.distance,
        "mode": Mode.EBIKE,
        "evidence": Evidence.SENSED,
        "mode_evidence": Evidence.SENSED,
        "purpose": "work",
    }
    return Trip(**{**values, **changes})


def points(of: Trip) -> list[tuple[datetime, float, float]]:
    return [
        (of.started_at + timedelta(minutes=n), 43.2109 + n * 1e-4, 2.4420 - n * 2e-3)
        for n in range(31)
    ]


def test_a_cozy_is_connected_read_once_and_let_go(
    service: ConnectorService, home: MemoryHome, connect: Callable[..., str], outbound: Any
) -> None:
    account = connect()
    report = service.pull(VAULT, account)
    assert (report.health, report.error, report.rejected_count) == (Health.OK, None, 0)
    assert report.records > 100
    assert service.pull(VAULT, account).records == 0
    seen = home.drop_box(VAULT).opened()
    assert {o.source for o in seen if isinstance(o, TripObservation)} == {"cozy"}
    credentials = kept(home, account)
    address = service.account(VAULT, account).address
    service.revoke(VAULT, account)
    with pytest.raises(UnknownAccountError):
        service.account(VAULT, account)
    client = CozyClient(HttpTransport(outbound, address), credentials)
    with pytest.raises(SourceRefusedError):  # the client is gone where it was made
        client.connect()


def test_only_what_was_accepted_is_granted(
    service: ConnectorService, home: MemoryHome, connect: Callable[..., str], cloud: str
) -> None:
    account = connect()
    assert kept(home, account).may_write is False
    with pytest.raises(LinkRefusedError):
        service.cozy.copy(VAULT, account, cloud, [])
    again = connect(may_write=True)
    assert again == account, "connected again, it is the same account"
    assert kept(home, account).may_write is True


def test_a_refusal_brings_nothing_and_leaves_no_client(
    service: ConnectorService, outbound: BoundedClient, cloud: str
) -> None:
    url = left(service, cloud)
    with pytest.raises(LinkRefusedError):
        service.finish_cozy(VAULT, asked(outbound, url, "Refuser"), browser=BROWSER)
    assert service.accounts(VAULT) == ()
    assert outbound.get(url, accept=("*/*",), statuses=(400,)).status == 400


def test_a_return_counts_once_in_its_browser_for_its_vault_and_in_time(
    service: ConnectorService, outbound: BoundedClient, cloud: str, clock: Clock
) -> None:
    query = asked(outbound, left(service, cloud))
    for vault, browser in ((VAULT, "other"), ("aa" * 16, BROWSER)):
        with pytest.raises(LoginForeignError):
            service.finish_cozy(vault, query, browser=browser)
    service.finish_cozy(VAULT, query, browser=BROWSER)
    with pytest.raises(LoginForeignError):
        service.finish_cozy(VAULT, query, browser=BROWSER)
    query = asked(outbound, left(service, cloud))
    clock.pass_(seconds=LOGIN_TERM.total_seconds() + 1)
    with pytest.raises(LoginExpiredError):
        service.finish_cozy(VAULT, query, browser=BROWSER)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("alice.mycozy.cloud", "https://alice.mycozy.cloud"),
        ("https://alice-drive.mycozy.cloud/#/folder/1", "https://alice.mycozy.cloud"),
        (" https://Cozy.Example.org/ ", "https://cozy.example.org"),
        ("https://cozy.example.org:8443", "https://cozy.example.org:8443"),
    ],
)
def test_an_address_is_read_as_people_copy_it(typed: str, address: str) -> None:
    assert address_of(typed) == address


@pytest.mark.parametrize(
    "typed", ["", "ftp://x.test", "https://a:b@x.test", "https://x.test:y", "https://"]
)
def test_what_is_no_address_is_said(typed: str) -> None:
    with pytest.raises(AddressError):
        address_of(typed)


def connector(
    outbound: BoundedClient, cloud: str, home: MemoryHome, account: str, clock: Clock
) -> tuple[CozyClient, CozyConnector]:
    client = CozyClient(HttpTransport(outbound, cloud), kept(home, account))
    return client, CozyConnector(client, account="a", clock=clock, page=50)


def test_what_changes_comes_and_what_is_deleted_there_stays_here(
    home: MemoryHome,
    connect: Callable[..., str],
    outbound: BoundedClient,
    cloud: str,
    clock: Clock,
) -> None:
    client, reader = connector(outbound, cloud, home, connect(may_write=True), clock)
    state, found = MemoryState(), Collected()
    sync(reader, state, found)
    before = len(found.observations)
    document = to_document(trip(1), points(trip(1)), at=clock())
    assert client.put("written-by-another-app", document)
    report = sync(reader, state, found)
    assert (report.records, len(found.observations)) == (1, before + 1)
    [(name, revision)] = client.named("written-by-another-app", limit=10)
    client.delete(name, revision)
    report = sync(reader, state, found)
    assert (report.records, dict(report.skipped)) == (0, {"deleted-upstream": 1})


def test_a_sequence_the_cozy_does_not_know_begins_again_and_doubles_nothing(
    home: MemoryHome,
    connect: Callable[..., str],
    outbound: BoundedClient,
    cloud: str,
    clock: Clock,
) -> None:
    _, reader = connector(outbound, cloud, home, connect(), clock)
    state, found = MemoryState(), Collected()
    sync(reader, state, found)
    before = len(found.observations)
    known = state.load("trips")
    state.save("trips", type(known)(cursor={"seq": "99999999-moved"}, seen=known.seen))
    report = sync(reader, state, found)
    assert (report.health, report.records, len(found.observations)) == (Health.OK, 0, before)
    assert report.known == before


def test_a_stale_token_is_renewed_without_a_word(
    home: MemoryHome,
    connect: Callable[..., str],
    outbound: BoundedClient,
    cloud: str,
    clock: Clock,
) -> None:
    client, reader = connector(outbound, cloud, home, connect(), clock)
    client._token = "stale"  # what a restart of the stack leaves
    assert sync(reader, MemoryState(), Collected()).health is Health.OK
    assert client._token != "stale"


def test_copies_go_there_once_do_not_come_back_and_are_taken_back(
    service: ConnectorService, connect: Callable[..., str], cloud: str
) -> None:
    account = connect(may_write=True)
    first = service.pull(VAULT, account).records
    mine = [(trip(n), lambda n=n: points(trip(n))) for n in range(3)]
    done = service.cozy.copy(VAULT, account, cloud, mine)
    assert (done.written, done.known, done.left) == (3, 0, 0)
    again = service.cozy.copy(VAULT, account, cloud, mine)
    assert (again.written, again.known, again.left) == (0, 3, 0)
    late = service.cozy.copy(VAULT, account, cloud, [(trip(7), list)], budget_s=-1)
    assert (late.written, late.left) == (0, 1)
    report = service.pull(VAULT, account)
    assert (first > 0, report.records) == (True, 0)
    assert dict(report.skipped) == {"written-by-a-vault": 3}
    assert service.cozy.take_back(VAULT, account, cloud, budget_s=-1) == (0, True)
    assert service.cozy.take_back(VAULT, account, cloud) == (3, False)
    assert service.cozy.take_back(VAULT, account, cloud) == (0, False)


@pytest.mark.parametrize("mode", [Mode.EBIKE, Mode.TRAIN, Mode.CARPOOL, Mode.ESCOOTER])
def test_a_copy_reads_as_the_trip_it_is_and_says_no_more(mode: Mode) -> None:
    told = trip(mode=mode)
    document = to_document(told, points(told), at=START + timedelta(days=1))
    assert told.id not in str(document)
    assert "evidence" not in str(document)
    records: list[Any] = []
    rejected: list[Any] = []
    at = START + timedelta(days=2)
    read_document("/0", document, Reading(account="a", at=at), records, rejected)
    assert rejected == []
    [read] = records
    assert (read.started_at, read.ended_at) == (told.started_at, told.ended_at)
    assert (read.distance, read.purpose, len(read.track)) == (8_350, "work", 31)
    assert read.origin == told.origin
    assert [c.mode for c in read.legs[0].mode_claims][-1] is mode
    assert document_id(told.id) == document_id(trip().id) != document_id(trip(1).id)


def test_a_cozy_that_does_not_answer_is_disconnected_all_the_same(
    service: ConnectorService,
    home: MemoryHome,
    connect: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = connect()

    def away(*_: Any, **__: Any) -> Any:
        raise SourceUnreachableError(where="/auth/register", reason="away")

    monkeypatch.setattr("connectors.http.HttpTransport.call", away)
    service.revoke(VAULT, account)
    assert service.accounts(VAULT) == ()
    assert home.tokens.kept == {}
