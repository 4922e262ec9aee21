"""From a person's word to an account read, and back: leave for the service, come back, read, give
the access back.

What must come back is kept as a login's is: sealed, ten minutes, for this vault and this browser.
Tokens lie in the home's sealed store; what an account says is handed to the open vault and kept
nowhere on the way.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from connectors.accounts import Health, SourceAccount
from connectors.cozy.oauth import address_of
from connectors.elsewhere.client import AccountClient, ClientIdentity, Credentials
from connectors.elsewhere.relying_party import Begun, Claims
from connectors.elsewhere.topics import OFFLINE, OPENID, Topic, offered
from connectors.errors import ConnectorError, SourceRefusedError, UnknownAccountError
from connectors.identity.login import LOGIN_TERM, LoginExpiredError, LoginForeignError
from connectors.store.store import ConnectorStore, LoginUnderWay
from federation.wire.http import BoundedClient
from schemas.errors import InvalidInput

__all__ = [
    "ELSEWHERE",
    "AccountsElsewhere",
    "Leaving",
    "LinkedAccount",
    "NothingOfferedError",
    "Said",
]

_log = structlog.get_logger(__name__)

ELSEWHERE: Final = "compte"
"""Name of the connector: its accounts are read on a page, never pulled by themselves."""


class NothingOfferedError(ConnectorError, InvalidInput):
    """The service offers nothing of what was asked for."""

    code = "nothing-offered"

    def __init__(self) -> None:
        super().__init__("none of the scopes asked for is offered")


class Tokens(Protocol):
    """The home's sealed store of source tokens."""

    def put(
        self, vault_id: str, connector: str, account: str, token: bytes, *, scope: str = ""
    ) -> None: ...

    def get(self, vault_id: str, connector: str, account: str) -> Any:
        """An object with `token: bytes`, or None."""
        ...

    def remove(self, vault_id: str, connector: str, account: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Leaving:
    """The way to a service, and what it will be asked."""

    url: str
    host: str
    topics: tuple[Topic, ...]
    keeps: bool
    """It lets the home read again later."""


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    """One account elsewhere."""

    id: str
    issuer: str
    topics: tuple[Topic, ...]
    keeps: bool
    read_at: datetime | None
    needs_login: bool
    """The access was taken back there, or is over."""

    @property
    def host(self) -> str:
        """As a person reads it."""
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, slots=True)
class Said:
    """What an account said just now."""

    issuer: str
    subject: str
    claims: Claims = field(repr=False)


class AccountsElsewhere:
    """The accounts elsewhere of one home's vaults."""

    def __init__(
        self,
        store: ConnectorStore,
        tokens: Callable[[], Tokens],
        *,
        clock: Callable[[], datetime],
        http: Callable[[], AbstractContextManager[BoundedClient]],
        identity: Callable[[], ClientIdentity],
    ) -> None:
        self._store, self._tokens, self._clock = store, tokens, clock
        self._http, self._identity = http, identity
        self._refreshing = threading.Lock()

    def _client(self, http: BoundedClient, issuer: str) -> AccountClient:
        return AccountClient(http, issuer=issuer, identity=self._identity(), clock=self._clock)

    # --- connecting -----------------------------------------------------------------------------

    def begin(
        self, vault_id: str, typed: str, *, browser: str, topics: Sequence[Topic], keep: bool
    ) -> Leaving:
        """Register at the service; where to go, and what of `topics` it offers.

        Raises:
            AddressError, NothingOfferedError, RegistrationRefusedError, LoginRefusedError; the
            `Source…Error`s: nothing is kept.
        """
        issuer = issuer_of(typed)
        with self._http() as http:
            client = self._client(http, issuer)
            metadata = client.metadata()
            asked = offered(metadata, topics)
            if not asked:
                raise NothingOfferedError
            party, uri, token = client.register(metadata)
        keeps = keep and OFFLINE in metadata.get("scopes_supported", ())
        scope = " ".join([OPENID, *asked, *([OFFLINE] if keeps else [])])
        url, begun = party.begin(scope)
        now = self._clock()
        self._store.add_login(
            LoginUnderWay(
                state_hash=_hash(begun.state),
                vault_id=vault_id,
                browser_hash=_hash(browser),
                begun={
                    "account": issuer,
                    "client_id": party.client_id,
                    "client_secret": party.secret,
                    "registration_uri": uri,
                    "registration_token": token,
                    "begun": asdict(begun),
                },
                expires_at=now + LOGIN_TERM,
            ),
            at=now,
        )
        return Leaving(url, urlsplit(issuer).netloc, asked, keeps)

    def finish(self, vault_id: str, query: Mapping[str, str], *, browser: str) -> str:
        """Keep the access that came back; the account's id. One connected before keeps its id, and
        its earlier access is given back.

        Raises:
            LoginForeignError: not this vault's, not this browser's, or used; LoginExpiredError.
            ProviderRefusedError: the person or the service said no. The `Source…Error`s.
        """
        kept = self._store.take_login(
            _hash(query.get("state", "")), vault_id=vault_id, browser_hash=_hash(browser)
        )
        if kept is None or "account" not in kept.begun:
            raise LoginForeignError("no such link under way")
        said, issuer = kept.begun, str(kept.begun["account"])
        uri, token = said["registration_uri"], said["registration_token"]
        with self._http() as http:
            client = self._client(http, issuer)
            try:
                if kept.expires_at < self._clock():
                    raise LoginExpiredError("the link took too long")
                metadata = client.metadata()
                party = client.party(
                    metadata, client_id=said["client_id"], secret=said["client_secret"]
                )
                credentials = client.exchange(metadata, party, Begun(**said["begun"]), query)
            except ConnectorError:
                _quietly(lambda: client.unregister(uri, token))
                raise
        credentials = replace(credentials, registration_uri=uri, registration_token=token)
        whose = _hash(f"{issuer}\n{credentials.subject}").hex()[:12]
        account_id = f"{ELSEWHERE}:{whose}"
        if any(a.id == account_id for a in self.accounts(vault_id)):
            self.give_back(vault_id, account_id)
        self._keep(vault_id, account_id, credentials)
        self._store.put_account(
            SourceAccount(
                vault_id,
                account_id,
                ELSEWHERE,
                issuer,
                health=Health.OK,
                last_report={"scope": credentials.scope, "keeps": bool(credentials.refresh_token)},
            )
        )
        return account_id

    # --- reading --------------------------------------------------------------------------------

    def accounts(self, vault_id: str) -> list[LinkedAccount]:
        """Those of a vault."""
        return [
            _linked(account)
            for account in self._store.accounts(vault_id)
            if account.connector == ELSEWHERE
        ]

    def account(self, vault_id: str, account_id: str) -> LinkedAccount:
        """Raises UnknownAccountError."""
        return _linked(self._account(vault_id, account_id))

    def _account(self, vault_id: str, account_id: str) -> SourceAccount:
        found = self._store.account(vault_id, account_id)
        if found.connector != ELSEWHERE:
            raise UnknownAccountError("not an account elsewhere")
        return found

    def read(self, vault_id: str, account_id: str) -> Said:
        """What the account says now; nothing of it is kept here.

        Raises:
            UnknownAccountError. SourceRefusedError: connect again. ProviderRefusedError: what came
            back does not verify. The `Source…Error`s.
        """
        account = self._account(vault_id, account_id)
        try:
            with self._http() as http:
                client = self._client(http, account.address)
                metadata = client.metadata()
                kept = self._fresh(client, metadata, vault_id, account_id)
                claims = client.read(metadata, kept)
        except SourceRefusedError:
            self._store.put_account(replace(account, health=Health.RECONNECT))
            raise
        self._store.put_account(replace(account, health=Health.OK, last_run_at=self._clock()))
        return Said(account.address, kept.subject, claims)

    def _fresh(
        self, client: AccountClient, metadata: Mapping[str, Any], vault_id: str, account_id: str
    ) -> Credentials:
        """Credentials whose access token is good; a new refresh token is kept before it serves."""
        with self._refreshing:  # a refresh token serves once: two at a time would end the access
            kept = self._credentials(vault_id, account_id)
            if not client.is_stale(kept):
                return kept
            kept = client.refresh(metadata, kept)
            self._keep(vault_id, account_id, kept)
            return kept

    # --- the end --------------------------------------------------------------------------------

    def disconnect(self, vault_id: str, account_id: str) -> None:
        """Give the access back there, and forget it here. A service that does not answer keeps a
        token that ends by itself: ours is forgotten in any case.

        Raises:
            UnknownAccountError.
        """
        self._account(vault_id, account_id)
        self.give_back(vault_id, account_id)
        self._tokens().remove(vault_id, ELSEWHERE, account_id)
        self._store.forget_account(vault_id, account_id)

    def give_back(self, vault_id: str, account_id: str) -> bool:
        """Revoke the tokens and delete the client there; whether nothing is left."""

        def leave() -> None:
            kept = self._credentials(vault_id, account_id)
            with self._http() as http:
                client = self._client(http, kept.issuer)
                client.revoke(client.metadata(), kept)
                client.unregister(kept.registration_uri, kept.registration_token)

        return _quietly(leave)

    # --- inside ---------------------------------------------------------------------------------

    def _credentials(self, vault_id: str, account_id: str) -> Credentials:
        kept = self._tokens().get(vault_id, ELSEWHERE, account_id)
        if kept is None:
            raise SourceRefusedError(where="token", status=401)
        return Credentials.parse(bytes(kept.token).decode())

    def _keep(self, vault_id: str, account_id: str, credentials: Credentials) -> None:
        self._tokens().put(
            vault_id, ELSEWHERE, account_id, credentials.to_json().encode(), scope=credentials.scope
        )


def issuer_of(typed: str) -> str:
    """The issuer that a person types: an address, with its path, without what browsers add.

    Raises:
        AddressError.
    """
    origin = address_of(typed)
    text = typed.strip()
    path = urlsplit(text if "://" in text else f"https://{text}").path.rstrip("/")
    path = path.removesuffix("/.well-known/openid-configuration")
    return "/".join(origin.split("/", 3)[:3]) + path


def _linked(account: SourceAccount) -> LinkedAccount:
    scopes = set(str(account.last_report.get("scope", "")).split())
    return LinkedAccount(
        id=account.account_id,
        issuer=account.address,
        topics=tuple(topic for topic in Topic if topic.value in scopes),
        keeps=bool(account.last_report.get("keeps")),
        read_at=account.last_run_at,
        needs_login=account.health is Health.RECONNECT,
    )


def _quietly(act: Callable[[], None]) -> bool:
    """Whether it was done; what cannot be undone there is said in the log, by its code alone."""
    try:
        act()
    except ConnectorError as error:
        _log.info("elsewhere.not_given_back", code=error.code)
        return False
    return True


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
