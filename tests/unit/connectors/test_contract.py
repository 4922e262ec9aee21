"""The mobility account: the published contract, the operator of the sandbox, and what a vault makes
of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors.accounts import Health
from connectors.contract import oauth
from connectors.contract.client import AccountClient
from connectors.contract.documents import read_item
from connectors.contract.linking import Asked
from connectors.contract.news import HookGoneError
from connectors.contract.oauth import Credentials, address_of
from connectors.errors import (
    AddressError,
    HostileInputError,
    LinkRefusedError,
    PushBusyError,
    PushInvalidError,
    SourceAnswerError,
    SourceRefusedError,
    UnknownAccountError,
)
from connectors.http import Fetched, HttpTransport
from connectors.identity.login import LOGIN_TERM, LoginExpiredError, LoginForeignError
from connectors.parsing import UnusableError
from connectors.sandbox.mobility_account import PATH
from connectors.sandbox.parties import SandboxSettings
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.keys import Ed25519Key, P256Key, Signer
from federation.wire.errors import SignatureRefusedError
from federation.wire.http import BoundedClient
from federation.wire.signatures import new_nonce, sign
from schemas.contracts import contract
from schemas.observations import DocumentObservation, TripObservation
from schemas.records import Invoice, Subscription
from tests.unit.connectors.conftest import Clock, MemoryHome, asked

VAULT = "v1"
BROWSER = "a-browser-session"
BACK = "http://localhost:8400/sources/compte-operateur/retour"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BASE = "https://operateur.example/compte"
DOCUMENT = json.loads(contract("mobility-account"))
ALL = frozenset(oauth.RESOURCES)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def example(resource: str) -> dict[str, Any]:
    answer = DOCUMENT["paths"][f"/me/{resource}"]["get"]["responses"]["200"]
    [item] = json.loads(json.dumps(answer["content"]["application/json"]["example"]["items"]))
    return dict(item)


def read(resource: str, item: Any) -> tuple[Any, ...]:
    return read_item(resource, item, "/items/0", address=BASE, account="a", at=NOW)


KINDS = {"trips": "Trip", "passes": "Pass", "receipts": "Receipt"}


@pytest.mark.parametrize("resource", KINDS)
def test_the_published_examples_are_valid_and_read(resource: str) -> None:
    validator(KINDS[resource]).validate(example(resource))
    assert read(resource, example(resource))


def test_a_trip_says_what_the_operator_says() -> None:
    [trip] = read("trips", example("trips"))
    assert isinstance(trip, TripObservation)
    assert (trip.distance, trip.mode_claims[0].mode.value, trip.mode_claims[0].by.value) == (
        6200,
        "bus",
        "operator",
    )
    assert trip.extra == {"priceCents": 100, "currency": "EUR"}
    assert not trip.cancelled
    [gone] = read("trips", {**example("trips"), "state": "cancelled"})
    assert gone.cancelled
    assert gone.upstream_ids == trip.upstream_ids


def test_a_receipt_and_its_pass_know_each_other_and_other_ways_in() -> None:
    [receipt] = read("receipts", example("receipts"))
    [subscription] = read("passes", example("passes"))
    assert isinstance(receipt, DocumentObservation)
    assert isinstance(receipt.record, Invoice)
    assert isinstance(subscription.record, Subscription)
    assert (receipt.record.total, receipt.record.lines[0].quantity) == (2450, 1)
    assert subscription.record.invoice == receipt.record.id
    assert receipt.record.holder is None, "a payer is no holder"
    credit = {**example("receipts"), "total": -500, "lines": []}
    assert read("receipts", credit)[0].record.total == -500


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("trips", {"distance": 6.2e9}, "distance-implausible"),
    ("trips", {"distance": "6200"}, "not-a-number"),
    ("trips", {"mode": "teleport"}, "mode-unknown"),
    ("trips", {"state": "dreamt"}, "state-unknown"),
    ("trips", {"startedAt": "2026-11-18T18:42:00"}, "time-without-offset"),
    ("trips", {"endedAt": "2026-11-18T17:00:00Z"}, "ends-before-start"),
    ("trips", {"timeZone": "../../etc/passwd"}, "zone-unknown"),
    ("trips", {"origin": {"lat": 2.3536, "lon": 43.2128}}, "coordinates-swapped"),
    ("trips", {"id": "x" * 200}, "id-too-long"),
    ("trips", {"id": ""}, "not-a-text"),
    ("trips", {"price": {"amount": 1.0}}, "not-cents"),
    ("trips", {"legs": [{}] * 51}, "not-a-list"),
    ("trips", {"updatedAt": None}, "not-a-time"),
    ("passes", {"validUntil": "2026-10-01"}, "ends-before-start"),
    ("passes", {"validFrom": "01/11/2026"}, "not-a-day"),
    ("passes", {"network": {"name": "X", "siret": "12345678901234"}}, "siret-invalid"),
    ("receipts", {"total": 2400}, "receipt-sums"),
    ("receipts", {"total": 24.5}, "not-cents"),
    ("receipts", {"currency": "€"}, "currency-unknown"),
    ("receipts", {"issuer": "RATP"}, "not-an-object"),
    ("receipts", {"number": " "}, "not-a-text"),
]


@pytest.mark.parametrize(("resource", "change", "code"), BROKEN)
def test_what_is_wrong_is_named_by_place_and_rule(
    resource: str, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(UnusableError) as told:
        read(resource, {**example(resource), **change})
    assert told.value.code == code
    assert told.value.where.startswith("/items/0/")


@pytest.mark.parametrize(
    "typed",
    ["", "ftp://x", "https://a:b@x", "https://x/?q=1", "https://x/../y", "https://x#a", "http://["],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(AddressError):
        address_of(typed)


def test_the_address_may_be_typed_in_any_way_people_have_it() -> None:
    assert address_of(" operateur.example/compte/ ") == BASE
    assert address_of(f"{BASE}/.well-known/mobility-account") == BASE


class Told:
    """A transport that gives one description."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def fetch(self, path: str, **_: Any) -> Fetched:
        return Fetched(200, self.found, None)

    def call(self, *_: Any, **__: Any) -> tuple[int, Any]:
        raise AssertionError("nothing is sent to an operator that is not understood")


GOOD = {
    "contract": "mobility-account/1",
    "name": "Réseau",
    "authorization_endpoint": f"{BASE}/oauth/authorize",
    "token_endpoint": f"{BASE}/oauth/token",
    "registration_endpoint": f"{BASE}/oauth/clients",
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["trips", "horoscope"],
    "api": f"{BASE}/v1",
    "keys": [],
}


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "mobility-account/2"},
        {"token_endpoint": "https://ailleurs.example/token"},
        {"token_endpoint": "https://operateur.example/compte-de-quelqu-un/token"},
        {"api": f"{BASE}/../autre"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"code_challenge_methods_supported": ["plain"]},
        {"scopes_supported": ["horoscope"]},
        {"keys": [{"id": "k", "publicKeyMultibase": "z6MkNotAKey"}]},
        {"keys": [{}] * 11},
        {"name": "\u202e\n"},
    ],
)
def test_an_operator_whose_tokens_would_leave_its_address_is_refused(
    change: dict[str, Any],
) -> None:
    assert oauth.describe(Told(GOOD), BASE).resources == ("trips",)
    with pytest.raises(SourceAnswerError):
        oauth.describe(Told({**GOOD, **change}), BASE)


# --- against the sandbox's operator -------------------------------------------------------------


@pytest.fixture
def operator_url(sandbox: SandboxSettings) -> str:
    return f"{sandbox.base_url}/{PATH}"


def begin(service: ConnectorService, url: str, resources: frozenset[str] = ALL) -> Asked:
    return service.operators.begin(
        VAULT, url, browser=BROWSER, redirect_uri=BACK, resources=resources
    )


@pytest.fixture
def connect(
    service: ConnectorService, outbound: BoundedClient, operator_url: str
) -> Callable[..., str]:
    def connected(resources: frozenset[str] = ALL) -> str:
        query = asked(outbound, begin(service, operator_url, resources).url)
        return service.finish_operator(VAULT, query, browser=BROWSER).account_id

    return connected


def kept(home: MemoryHome, account: str) -> Credentials:
    return Credentials.parse(home.tokens.kept[VAULT, "operator-account", account].decode())


def test_what_the_sandbox_serves_is_the_published_contract(
    connect: Callable[..., str],
    outbound: BoundedClient,
    operator_url: str,
    home: MemoryHome,
) -> None:
    validator("Description").validate(
        outbound.get_json(f"{operator_url}/.well-known/mobility-account")
    )
    transport = HttpTransport(outbound, operator_url)
    described = oauth.describe(transport, operator_url)
    token = oauth.renew(transport, described, kept(home, connect())).access_token
    for resource, name in KINDS.items():
        found = transport.fetch(f"/v1/me/{resource}?limit=500", bearer=token)
        assert found.value["items"]
        for item in found.value["items"]:
            validator(name).validate(item)
        again = transport.fetch(f"/v1/me/{resource}?limit=500", bearer=token, etag=found.etag)
        assert again.status == 304


def test_nothing_is_brought_before_the_person_has_seen_it(
    service: ConnectorService, connect: Callable[..., str], home: MemoryHome
) -> None:
    account = connect()
    preview = service.preview_operator(VAULT, account)
    assert preview.counts["trips"] > 5
    assert len(preview.trips) == 5
    assert preview.trips == tuple(
        sorted(preview.trips, key=lambda trip: trip.started_at, reverse=True)
    )
    assert preview.passes
    assert preview.receipts
    assert preview.tells_news
    assert service.pull_all(VAULT) == {}
    assert home.drop_box(VAULT).taken == []
    report = service.keep_operator(VAULT, account)
    assert report.health is Health.OK
    assert report.records == sum(preview.counts.values())
    [told] = service.accounts(VAULT)
    assert told.scope == ("Trip", "Subscription", "Invoice")


def test_an_operator_that_cannot_keep_the_address_of_news_is_asked_all_the_same(
    service: ConnectorService, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect()

    def refused(*_: Any, **__: Any) -> bool:
        raise SourceAnswerError(where="/me/webhook", reason="answered 500")

    monkeypatch.setattr(AccountClient, "subscribe", refused)
    report = service.keep_operator(VAULT, account)
    assert (report.health, report.records > 0) == (Health.OK, True)
    assert service.operators.news.last(VAULT, account) == (False, None)
    [told] = service.accounts(VAULT)
    assert told.next_run_at is not None


def test_a_second_run_changes_nothing_and_the_third_is_known_by_its_tag(
    service: ConnectorService, connect: Callable[..., str]
) -> None:
    account = connect()
    service.keep_operator(VAULT, account)
    second = service.pull(VAULT, account)
    assert (second.records, second.health) == (0, Health.OK)
    third = service.pull(VAULT, account)
    assert (third.records, third.known, third.skipped["unchanged"]) == (0, 0, 3)


def test_only_what_was_granted_is_read(
    service: ConnectorService, connect: Callable[..., str]
) -> None:
    account = connect(frozenset({"receipts"}))
    preview = service.preview_operator(VAULT, account)
    assert set(preview.counts) == {"receipts"}


def test_a_refresh_token_given_anew_is_kept_and_the_old_one_ends(
    service: ConnectorService,
    connect: Callable[..., str],
    home: MemoryHome,
    outbound: BoundedClient,
    operator_url: str,
) -> None:
    account = connect()
    first = kept(home, account)
    service.keep_operator(VAULT, account)
    service.pull(VAULT, account)
    assert kept(home, account).refresh_token != first.refresh_token
    transport = HttpTransport(outbound, operator_url)
    with pytest.raises(SourceRefusedError):
        oauth.renew(transport, oauth.describe(transport, operator_url), first)


def test_disconnecting_leaves_nothing_at_the_operator(
    service: ConnectorService,
    connect: Callable[..., str],
    home: MemoryHome,
    outbound: BoundedClient,
    operator_url: str,
) -> None:
    account = connect()
    service.keep_operator(VAULT, account)
    last = kept(home, account)
    assert service.operators.news.last(VAULT, account)[0]
    service.revoke(VAULT, account)
    assert service.accounts(VAULT) == ()
    assert home.tokens.kept == {}
    assert not service.operators.news.last(VAULT, account)[0]
    transport = HttpTransport(outbound, operator_url)
    with pytest.raises(SourceRefusedError):
        oauth.renew(transport, oauth.describe(transport, operator_url), last)
    with pytest.raises(UnknownAccountError):
        service.pull(VAULT, account)


def test_a_refusal_a_late_return_and_another_browser_bring_nothing(
    service: ConnectorService, outbound: BoundedClient, operator_url: str, clock: Clock
) -> None:
    no = asked(outbound, begin(service, operator_url).url, "Refuser")
    with pytest.raises(LinkRefusedError):
        service.finish_operator(VAULT, no, browser=BROWSER)
    yes = asked(outbound, begin(service, operator_url).url)
    with pytest.raises(LoginForeignError):
        service.finish_operator(VAULT, yes, browser="another")
    with pytest.raises(LoginForeignError):
        service.finish_operator("v2", yes, browser=BROWSER)
    clock.now += LOGIN_TERM + timedelta(seconds=1)
    with pytest.raises(LoginExpiredError):
        service.finish_operator(VAULT, yes, browser=BROWSER)
    assert service.accounts(VAULT) == ()


def test_what_is_asked_of_an_operator_without_it_is_refused(
    service: ConnectorService, operator_url: str
) -> None:
    with pytest.raises(LinkRefusedError):
        begin(service, operator_url, frozenset())


def test_connecting_again_keeps_the_account_and_what_it_knows(
    service: ConnectorService, connect: Callable[..., str]
) -> None:
    account = connect()
    service.keep_operator(VAULT, account)
    again = connect()
    assert again == account
    assert service.keep_operator(VAULT, again).records == 0


# --- news ---------------------------------------------------------------------------------------


class Teller:
    """An operator that tells of news, with its keys."""

    def __init__(self, service: ConnectorService, clock: Clock, signer: Signer) -> None:
        self.service, self.clock, self.signer = service, clock, signer
        self.url = service.operators.news.open(
            VAULT, "operator-account:x", {signer.verification_method: signer.public_multikey()}
        )

    def tell(
        self, body: bytes = b'{"id": "n1", "resources": ["trips"]}', **changes: Any
    ) -> tuple[str, ...]:
        headers = sign(
            method="POST",
            url=changes.get("url", self.url),
            body=changes.get("signed", body),
            signer=changes.get("signer", self.signer),
            created=changes.get("created", self.clock()),
            nonce=changes.get("nonce", new_nonce()),
        )
        lower = {name.lower(): value for name, value in headers.items()}
        secret = self.url.rpartition("/")[2]
        return self.service.operators.news.take(secret, body, lower).resources


@pytest.fixture(params=["Ed25519", "P-256"])
def teller(request: pytest.FixtureRequest, service: ConnectorService, clock: Clock) -> Teller:
    key = Ed25519Key.generate() if request.param == "Ed25519" else P256Key.generate()
    return Teller(service, clock, key.signer("https://operateur.example#2026"))


def test_a_word_is_taken_once_and_only_if_every_part_was_signed(
    teller: Teller, clock: Clock
) -> None:
    assert teller.tell() == ("trips",)
    nonce = new_nonce()
    teller.tell(nonce=nonce)
    for wrong, step in (
        ({"nonce": nonce}, "replayed"),
        ({"signed": b"{}"}, "digest-mismatch"),
        ({"url": "http://localhost:8400/v1/news/autre-adresse"}, "false"),
        ({"created": clock() - timedelta(minutes=10)}, "expired"),
        ({"created": clock() + timedelta(minutes=10)}, "future"),
        ({"signer": Ed25519Key.generate().signer("https://operateur.example#2026")}, None),
        ({"signer": Ed25519Key.generate().signer("https://ailleurs.example#1")}, "unknown-key"),
    ):
        with pytest.raises(SignatureRefusedError) as told:
            teller.tell(**wrong)
        assert step is None or step in str(told.value), wrong


def test_a_key_that_the_operator_withdrew_signs_nothing_more(
    teller: Teller, service: ConnectorService
) -> None:
    service.operators.news.rekey(VAULT, "operator-account:x", {})
    with pytest.raises(SignatureRefusedError):
        teller.tell()


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"id": "", "resources": ["trips"]}', b'{"id":"a","resources":["x"]}']
)
def test_a_body_that_is_no_news_is_named(teller: Teller, body: bytes) -> None:
    with pytest.raises(PushInvalidError):
        teller.tell(body)


def test_bodies_made_to_harm_are_refused(teller: Teller) -> None:
    for body in (b"{" * 5_000, b"\xff", b'{"id":' + b"[" * 100):
        with pytest.raises(HostileInputError):
            teller.tell(body)


def test_a_flood_is_put_off_and_a_closed_address_says_so(
    teller: Teller, service: ConnectorService
) -> None:
    with pytest.raises(PushBusyError) as told:
        for _ in range(61):
            teller.tell()
    assert told.value.retry_after_s
    service.operators.news.close(VAULT, "operator-account:x")
    with pytest.raises(HookGoneError):
        teller.tell()


def test_a_word_brings_the_next_run_forward(
    service: ConnectorService,
    connect: Callable[..., str],
    store: ConnectorStore,
    clock: Clock,
    outbound: BoundedClient,
) -> None:
    planned: list[tuple[str, str]] = []
    service.planner = lambda vault, account: planned.append((vault, account))
    account = connect()
    service.keep_operator(VAULT, account)
    assert planned == [(VAULT, account)]
    before = store.account(VAULT, account).retry_at
    assert before is not None
    assert before > clock()
    key = Ed25519Key.generate().signer("https://operateur.example#1")
    news = service.operators.news
    url = news.open(VAULT, account, {key.verification_method: key.public_multikey()})
    body = b'{"id": "n", "resources": ["receipts"]}'
    signed = sign(method="POST", url=url, body=body, signer=key, created=clock(), nonce=new_nonce())
    news.take(url.rpartition("/")[2], body, {k.lower(): v for k, v in signed.items()})
    assert store.account(VAULT, account).retry_at == clock()
    assert planned == [(VAULT, account)] * 2
    # An account that waits for its person is not asked because somebody says so.
    store.put_account(replace(store.account(VAULT, account), health=Health.RECONNECT))
    signed = sign(method="POST", url=url, body=body, signer=key, created=clock(), nonce=new_nonce())
    news.take(url.rpartition("/")[2], body, {k.lower(): v for k, v in signed.items()})
    assert planned == [(VAULT, account)] * 2


def test_no_representation_holds_a_secret(connect: Callable[..., str], home: MemoryHome) -> None:
    credentials = kept(home, connect())
    assert credentials.refresh_token not in repr(credentials)
    assert credentials.client_secret not in repr(credentials)
