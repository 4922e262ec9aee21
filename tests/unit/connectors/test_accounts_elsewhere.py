"""An account elsewhere, read with the citizen's agreement: another home over HTTP, and the plain
OpenID provider of the sandbox."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI

from connectors.elsewhere.client import ClientIdentity, RegistrationRefusedError
from connectors.elsewhere.linking import ELSEWHERE, AccountsElsewhere, NothingOfferedError
from connectors.elsewhere.registered import read_registered
from connectors.elsewhere.relying_party import ProviderRefusedError
from connectors.elsewhere.topics import Topic
from connectors.errors import SourceRefusedError
from connectors.http import source_client
from connectors.identity.login import LoginExpiredError, LoginForeignError, LoginRefusedError
from connectors.sandbox.api.agency import PATH, create_agency_router
from connectors.store import ConnectorStore
from federation.keys import P256Key
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from federation.wire import problems
from schemas.ids import Did, mint_iri
from schemas.records import Attribute, Degree, Kind, Subscription
from tests.conformance.test_hub import Serving
from tests.unit.vault.builders import HOME_DID, START, Citizen
from tests.unit.vault.passport_login import IDENTITY, MONTH, give_identity
from vault.app import STATUS, create_home_api
from vault.home import Home
from vault.passport.agreeing import agree, prepare
from vault.passport.connections import connections, end
from vault.passport.keeping import keep, take_out, vouches, weigh
from vault.passport.received import OtherAccount, Reading, read_account
from vault.settings import HomeSettings

BACK = "https://mon-coffre.example/sources/comptes/retour"
BROWSER = "un navigateur"
HUB = Did("did:web:hub.example")
KEEP = [Topic.IDENTITY, Topic.TRAVELLERS]


class RealClock:
    """Now, and what a test adds: both sides read it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def opened(folder: Path, did: str, clock: RealClock) -> Home:
    return Home.open(
        HomeSettings(
            folder=folder,
            did=did,
            cheapest_kdf_for_tests=True,
            allow_loopback=True,
            tends_open_vaults=False,
        ),
        clock=clock,
    )


@dataclass
class World:
    """A home that reads, with its citizen; and where the other side is."""

    clock: RealClock
    home: Home
    citizen: Citizen
    links: AccountsElsewhere
    url: str
    other: Home | None = None
    them: Citizen | None = None

    @property
    def vault_id(self) -> str:
        return self.citizen.vault.vault_id

    def leave(self, topics: list[Topic] | None = None, *, keep: bool = True) -> str:
        found = self.links.begin(
            self.vault_id, self.url, browser=BROWSER, topics=topics or list(Topic), keep=keep
        )
        return found.url

    def agree(self, url: str, *, keep: bool = True) -> dict[str, str]:
        """The same person, in their other vault."""
        assert self.other is not None
        assert self.them is not None
        passport = self.other.passport
        asked = passport.read_request(parse_qsl(urlsplit(url).query))
        names = [n for n in asked.scopes if keep or n != "offline_access"]
        back = agree(
            passport,
            self.them.vault,
            asked,
            names=names,
            shown=prepare(passport, self.them.vault, asked).digest(),
            keep_for=MONTH if keep else None,
            opened_at=self.clock(),
        )
        return dict(parse_qsl(urlsplit(back).query))

    def connect(self, topics: list[Topic] | None = None, *, keep: bool = True) -> str:
        back = self.agree(self.leave(topics, keep=keep), keep=keep)
        return self.links.finish(self.vault_id, back, browser=BROWSER)

    def read(self, account_id: str) -> tuple[OtherAccount, Reading]:
        said = self.links.read(self.vault_id, account_id)
        trusted = said.claims.is_signed and vouches(self.home, said.issuer, at=self.clock())
        account = OtherAccount(account_id, said.issuer, said.subject, trusted)
        return account, read_account(said.claims.values, account, at=self.clock())

    def attributes(self) -> dict[str, Attribute]:
        return {a.name: a for a in self.citizen.vault.attributes()}


def made(folder: Path, clock: RealClock, url: str, agreed: tuple[str, str] | None = None) -> World:
    home = opened(folder / "mine", HOME_DID, clock)
    store = ConnectorStore.open(f"sqlite:///{folder}/connectors.db", seal=home.seal)
    identity = ClientIdentity(
        "http://localhost:8400/sources/comptes/retour",
        home.key_store.secret("mobility-account"),
        home.signer(),
        {} if agreed is None else {url: agreed},
    )
    links = AccountsElsewhere(
        store,
        lambda: home.tokens,
        clock=clock,
        http=lambda: source_client(allow_loopback=True, timeout_s=10),
        identity=lambda: identity,
    )
    return World(clock, home, Citizen(home), links, url)


def entry_of(home: Home) -> TrustEntry:
    signer = home.signer()
    return TrustEntry(
        did=Did(home.did),
        name="Un hébergeur",
        roles=frozenset({Role.HOME}),
        keys=(PinnedKey(signer.public_multikey(), signer.verification_method, START),),
        accredited_by=HUB,
    )


def snapshot(*homes: Home, version: int = 1) -> TrustSnapshot:
    entries = tuple(entry_of(home) for home in homes)
    return TrustSnapshot(version, HUB, START, START + timedelta(days=9_999), entries)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two homes that are members of one registry; the other one over HTTP."""
    serving, clock = Serving(), RealClock()
    did = "did:web:" + serving.url.removeprefix("http://").replace(":", "%3A")
    with opened(tmp_path / "other", did, clock) as other:
        app = FastAPI()
        problems.install(app, STATUS)
        app.include_router(create_home_api(other))
        serving.serve(app)
        found = made(tmp_path, clock, serving.url)
        found.other, found.them = other, Citizen(other)
        give_identity(found.them)
        found.them.vault.put(
            Subscription(
                id=mint_iri(),
                network="Réseau de Trèbes",
                product="Abonnement scolaire",
                holder="Lou Fabre",
                payer="Camille Fabre",
                valid_from=START.date(),
                valid_until=(START + timedelta(days=400)).date(),
            )
        )
        both = snapshot(found.home, other)
        other.use_trust(both)
        found.home.use_trust(both)
        yield found
        found.home.close()
        serving.stop()


# --- another home ---------------------------------------------------------------------------------


def test_what_another_vault_says_is_shown_then_kept_with_its_grounds(world: World) -> None:
    account_id = world.connect()
    assert world.attributes() == {}  # connecting keeps nothing
    account, reading = world.read(account_id)
    assert account.vouches
    assert world.attributes() == {}  # nor does reading
    assert reading.left_out == ()
    assert keep(world.citizen.vault, account, reading.received) == len(reading.received)
    name = world.attributes()["identity.family_name"]
    assert (name.value, name.source, name.degree, name.level) == (
        IDENTITY["family_name"],
        "identite.exemple.fr",
        Degree.RELAYED,
        "eidas2",
    )
    assert name.certified_at == START
    [taken] = world.citizen.vault.all(Kind.SUBSCRIPTION)
    assert isinstance(taken, Subscription)
    assert (taken.holder, taken.payer) == ("Lou Fabre", "Camille Fabre")
    events = [event.event for event in world.citizen.vault.journal().events]
    assert "account-read" in events
    assert "source-token-used" in events


def test_it_is_read_again_while_the_other_vault_is_closed(world: World) -> None:
    account_id = world.connect(KEEP)
    account, reading = world.read(account_id)
    keep(world.citizen.vault, account, reading.received)
    assert world.them is not None
    world.them.vault.lock()
    world.clock.ahead = timedelta(minutes=20)  # the first access token is over
    account, again = world.read(account_id)
    assert {item.standing.value for item in weigh(world.citizen.vault, again.received)} == {"same"}
    assert keep(world.citizen.vault, account, again.received) == 0
    world.clock.ahead = timedelta(minutes=40)  # and the rotated token serves too
    assert world.read(account_id)[1].received


def test_without_leave_to_read_again_it_is_read_once(world: World) -> None:
    account_id = world.connect(KEEP, keep=False)
    assert world.read(account_id)[1].received
    world.clock.ahead = timedelta(minutes=20)
    with pytest.raises(SourceRefusedError):
        world.read(account_id)
    assert world.links.account(world.vault_id, account_id).needs_login


def test_giving_the_access_back_ends_it_there_and_here(world: World) -> None:
    account_id = world.connect(KEEP)
    account, reading = world.read(account_id)
    keep(world.citizen.vault, account, reading.received)
    kept = world.home.tokens.get(world.vault_id, ELSEWHERE, account_id)
    assert kept is not None
    world.links.disconnect(world.vault_id, account_id)
    assert world.links.accounts(world.vault_id) == []
    assert world.home.tokens.accounts(world.vault_id, ELSEWHERE) == []
    assert world.them is not None
    assert [found.has_access for found in connections(world.them.vault)] == [False]
    assert world.attributes()  # what was kept stays
    assert take_out(world.citizen.vault, account_id) == len(reading.received)
    assert world.attributes() == {}


def test_what_was_ended_over_there_asks_to_be_connected_again(world: World) -> None:
    account_id = world.connect(KEEP)
    assert world.other is not None
    assert world.them is not None
    [found] = connections(world.them.vault)
    end(world.other.passport, world.them.vault, found.id)
    with pytest.raises(SourceRefusedError):
        world.read(account_id)
    assert world.links.account(world.vault_id, account_id).needs_login


def test_connecting_twice_is_one_account(world: World) -> None:
    assert world.connect(KEEP) == world.connect(KEEP)
    assert len(world.links.accounts(world.vault_id)) == 1


def test_a_home_out_of_the_registry_says_nothing_certified(world: World) -> None:
    account_id = world.connect(KEEP)
    world.home.use_trust(snapshot(world.home, version=2))
    account, reading = world.read(account_id)
    assert not account.vouches
    assert {item.degree for item in reading.received} == {Degree.CLAIMED}
    assert {item.source for item in reading.received} == {urlsplit(world.url).netloc}
    keep(world.citizen.vault, account, reading.received)
    name = world.attributes()["identity.family_name"]
    assert name.extra["readFrom"]["source"] == "identite.exemple.fr"  # said, and counts for nothing


def test_a_home_that_is_no_member_cannot_register_itself(world: World) -> None:
    assert world.other is not None
    world.other.use_trust(snapshot(world.other, version=2))
    with pytest.raises(RegistrationRefusedError):
        world.leave()


def test_an_answer_counts_once_for_its_vault_in_its_browser(world: World) -> None:
    back = world.agree(world.leave(KEEP))
    with pytest.raises(LoginForeignError):
        world.links.finish(world.vault_id, back, browser="un autre")
    other = world.agree(world.leave(KEEP))
    with pytest.raises(LoginForeignError):
        world.links.finish("un autre coffre", other, browser=BROWSER)


def test_an_answer_of_another_issuer_is_refused(world: World) -> None:
    back = world.agree(world.leave(KEEP))
    with pytest.raises(ProviderRefusedError):
        world.links.finish(
            world.vault_id, {**back, "iss": "https://autre.example"}, browser=BROWSER
        )


def test_a_code_of_another_login_is_refused(world: World) -> None:
    stolen = world.agree(world.leave(KEEP))["code"]
    back = world.agree(world.leave(KEEP))
    with pytest.raises(ProviderRefusedError):
        world.links.finish(world.vault_id, {**back, "code": stolen}, browser=BROWSER)


def test_ten_minutes_later_it_begins_again(world: World) -> None:
    back = world.agree(world.leave(KEEP))
    world.clock.ahead = timedelta(minutes=11)
    with pytest.raises(LoginExpiredError):
        world.links.finish(world.vault_id, back, browser=BROWSER)


def test_no_token_and_no_claim_lies_in_clear(world: World, tmp_path: Path) -> None:
    account_id = world.connect(KEEP)
    kept = world.home.tokens.get(world.vault_id, ELSEWHERE, account_id)
    assert kept is not None
    raw = b"".join(p.read_bytes() for p in tmp_path.rglob("*.db*"))
    secret = re.search(rb'"refresh_token":"([^"]+)"', bytes(kept.token))
    assert secret is not None
    assert secret[1] not in raw
    account, reading = world.read(account_id)
    keep(world.citizen.vault, account, reading.received)
    raw = b"".join(p.read_bytes() for p in (tmp_path / "mine").rglob("*.db*"))
    assert IDENTITY["family_name"].encode() not in raw


# --- a plain provider -----------------------------------------------------------------------------


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[World]:
    """The sandbox's agency over HTTP: secrets, bearer tokens, claims in clear."""
    serving, clock = Serving(), RealClock()
    issuer = f"{serving.url}/{PATH}"
    app = FastAPI()
    app.include_router(create_agency_router(issuer=issuer, secret=bytes(32), clock=clock))
    serving.serve(app)
    found = made(tmp_path, clock, issuer)
    yield found
    found.home.close()
    serving.stop()


def answered(url: str, answer: str = "Accepter") -> dict[str, str]:
    """What the page sends back, by the link the person takes."""
    with source_client(allow_loopback=True) as http:
        page = http.get(url, accept=("text/html",)).body.decode()
        link = re.search(rf'href="([^"]+)">{answer}', page)
        assert link is not None
        there = url.partition("?")[0] + link[1].replace("&amp;", "&")
        left = http.request("GET", there, accept=(), statuses=(303,))
    return dict(parse_qsl(urlsplit(left.headers["location"]).query))


def state(world: World) -> dict[str, int]:
    with source_client(allow_loopback=True) as http:
        found: dict[str, int] = http.get_json(f"{world.url}/_etat")
    return found


def test_an_ordinary_service_is_read_as_statements(agency: World) -> None:
    back = answered(agency.leave())
    account_id = agency.links.finish(agency.vault_id, back, browser=BROWSER)
    account, reading = agency.read(account_id)
    assert reading.left_out == ("primaryPhoneNumber",)
    keep(agency.citizen.vault, account, reading.received)
    known = agency.attributes()
    assert known["residence.postcode"].value == "11800"
    assert known["student.enrolled"].value is False
    assert {a.degree for a in known.values()} == {Degree.CLAIMED}
    assert {type(r).__name__ for r in (i.record for i in reading.received)} == {
        "Attribute",
        "Preference",
        "Subscription",
    }
    agency.clock.ahead = timedelta(minutes=20)
    assert agency.read(account_id)[1].received
    agency.links.disconnect(agency.vault_id, account_id)
    assert state(agency) == {"clients": 0, "access": 0, "refresh": 0, "revoked": 1}


def test_a_no_over_there_leaves_no_client_behind(agency: World) -> None:
    back = answered(agency.leave(), "Refuser")
    with pytest.raises(ProviderRefusedError, match="access_denied"):
        agency.links.finish(agency.vault_id, back, browser=BROWSER)
    assert state(agency)["clients"] == 0
    assert agency.links.accounts(agency.vault_id) == []


def test_what_it_does_not_offer_is_not_asked(agency: World) -> None:
    leaving = agency.links.begin(
        agency.vault_id, agency.url, browser=BROWSER, topics=[Topic.TAX, Topic.IDENTITY], keep=False
    )
    assert leaving.topics == (Topic.IDENTITY,)
    with pytest.raises(NothingOfferedError):
        agency.links.begin(
            agency.vault_id, agency.url, browser=BROWSER, topics=[Topic.TAX], keep=False
        )
    assert state(agency)["clients"] == 1


def test_another_issuer_in_the_metadata_is_refused(agency: World) -> None:
    wrong = replace(agency, url=agency.url.replace("localhost", "127.0.0.1"))
    with pytest.raises(LoginRefusedError):
        wrong.leave()


def test_an_agreed_registration_is_used_and_none_is_made(agency: World, tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    file.write_text(f'{{"{agency.url}/": {{"client_id": "c-1", "client_secret": "s"}}}}')
    assert read_registered(file) == {agency.url: ("c-1", "s")}
    folder = tmp_path / "agreed"
    folder.mkdir()
    found = made(folder, agency.clock, agency.url, agreed=("c-1", "s"))
    url = found.leave()
    found.home.close()
    assert dict(parse_qsl(urlsplit(url).query))["client_id"] == "c-1"
    assert state(agency)["clients"] == 0


def test_a_key_of_somebody_else_signs_nothing_we_read(world: World) -> None:
    """The ID token is verified against the keys of the service that was asked."""
    from connectors.elsewhere.relying_party import RelyingParty
    from federation.jose import sign_jws

    assert world.other is not None
    party = RelyingParty.suited(
        BACK, world.other.passport.metadata(), secret=bytes(32), client_id="c"
    )
    at = datetime.now(UTC)
    claims = {
        "iss": world.url,
        "aud": "c",
        "sub": "x",
        "nonce": "n",
        "exp": int(at.timestamp()) + 60,
    }
    kid = world.other.passport.jwks()["keys"][0]["kid"]
    forged = sign_jws(claims, P256Key.generate().signer("x#1"), typ="JWT", kid=kid)
    with pytest.raises(ProviderRefusedError, match="not signed"):
        party.read_id_token(forged, world.other.passport.jwks(), nonce="n", at=at)
