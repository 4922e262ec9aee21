"""From a person's word to a connected account at an operator, and back.

1. `begin`: the operator is described, the vault registers there, the person leaves for its page.
2. `finish`: back in the same browser, the code becomes a refresh token, kept sealed. Nothing is
   brought yet.
3. `preview`: the first page of each resource, read and shown, never kept.
4. `keep`: the person agrees; news are asked for. Pulling is the caller's, as for any source.
5. `disconnect`: what the vault has at the operator is deleted there, then here.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from connectors.base import Rejected
from connectors.contract.client import AccountClient
from connectors.contract.connector import AccountConnector
from connectors.contract.documents import SOURCE
from connectors.contract.news import News
from connectors.contract.oauth import (
    AccountTransport,
    Credentials,
    Registration,
    address_of,
    authorize_url,
    describe,
    exchange,
    leave,
    register,
    unregister,
)
from connectors.errors import ConnectorError, LinkRefusedError, SourceRefusedError
from connectors.identity.login import LOGIN_TERM, LoginExpiredError, LoginForeignError
from connectors.store.store import ConnectorStore, LoginUnderWay
from schemas.observations import DocumentObservation, TripObservation
from schemas.records import Invoice, Subscription

__all__ = ["AccountLinks", "AccountPreview", "Asked", "Linked", "Tokens"]

_log = structlog.get_logger(__name__)

MAX_SHOWN: Final = 5


class Tokens(Protocol):
    """The home's sealed store of source tokens, as far as this needs it."""

    def put(
        self, vault_id: str, connector: str, account: str, token: bytes, *, scope: str = ""
    ) -> None: ...

    def get(self, vault_id: str, connector: str, account: str) -> Any:
        """An object with `token: bytes`, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the person goes, and who asks there."""

    url: str
    name: str
    address: str
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """An operator that let the vault in."""

    address: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class AccountPreview:
    """What an account holds, before anything of it is kept: its first pages."""

    name: str
    trips: tuple[TripObservation, ...]
    passes: tuple[Subscription, ...]
    receipts: tuple[Invoice, ...]
    counts: Mapping[str, int]
    """Items of the first page, by resource granted."""
    more: frozenset[str]
    """Resources that have further pages."""
    rejected: tuple[Rejected, ...]
    tells_news: bool
    """Whether the operator says that it signs news."""


class AccountLinks:
    """Accounts at operators of one home's vaults."""

    def __init__(
        self,
        store: ConnectorStore,
        tokens: Callable[[], Tokens],
        news: News,
        *,
        clock: Callable[[], datetime],
        transport: Callable[[str], AbstractContextManager[AccountTransport]],
        address: str,
    ) -> None:
        self._store, self._tokens, self.news, self._clock = store, tokens, news, clock
        self._transport, self._home = transport, address

    def begin(
        self,
        vault_id: str,
        typed: str,
        *,
        browser: str,
        redirect_uri: str,
        resources: frozenset[str],
    ) -> Asked:
        """Register at the operator; the address of its page that asks the person for `resources`,
        as far as it has them.

        Raises:
            AddressError; LinkRefusedError: it has none of them; the `Source…Error`s: nothing is
                kept.
        """
        address = address_of(typed)
        with self._transport(address) as transport:
            described = describe(transport, address)
            wanted = tuple(name for name in described.resources if name in resources)
            if not wanted:
                raise LinkRefusedError
            made = register(
                transport,
                described,
                address=address,
                redirect_uri=redirect_uri,
                client_uri=self._home,
            )
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        now, scope = self._clock(), " ".join(wanted)
        self._store.add_login(
            LoginUnderWay(
                state_hash=_hash(state),
                vault_id=vault_id,
                browser_hash=_hash(browser),
                begun={
                    "operator": address,
                    "client_id": made.client_id,
                    "client_secret": made.client_secret,
                    "registration_path": made.registration_path,
                    "registration_token": made.registration_token,
                    "verifier": verifier,
                    "redirect_uri": redirect_uri,
                    "scope": scope,
                },
                expires_at=now + LOGIN_TERM,
            ),
            at=now,
        )
        url = authorize_url(
            address,
            described,
            made,
            redirect_uri=redirect_uri,
            state=state,
            scope=scope,
            verifier=verifier,
        )
        return Asked(url, described.name, address, wanted)

    def finish(self, vault_id: str, query: Mapping[str, str], *, browser: str) -> Linked:
        """What lets the vault in, from the query of the address that came back.

        Raises:
            LoginForeignError: not this vault's, not this browser's, or used; LoginExpiredError.
            LinkRefusedError: the person said no, or granted nothing. The `Source…Error`s.
        """
        kept = self._store.take_login(
            _hash(query.get("state", "")), vault_id=vault_id, browser_hash=_hash(browser)
        )
        if kept is None or "operator" not in kept.begun:
            raise LoginForeignError("no such link under way")
        begun = kept.begun
        address = begun["operator"]
        made = Registration(
            begun["client_id"],
            begun["client_secret"],
            begun["registration_path"],
            begun["registration_token"],
        )
        with self._transport(address) as transport:
            if kept.expires_at < self._clock():
                _forget(transport, made)
                raise LoginExpiredError("the link took too long")
            if not query.get("code"):
                _forget(transport, made)
                raise LinkRefusedError
            credentials = exchange(
                transport,
                describe(transport, address),
                made,
                code=query["code"],
                verifier=begun["verifier"],
                redirect_uri=begun["redirect_uri"],
                scope=begun["scope"],
            )
            if not credentials.resources:
                _forget(transport, made)
                raise LinkRefusedError
        return Linked(address, credentials)

    def preview(self, vault_id: str, account_id: str, address: str) -> AccountPreview:
        """The first page of each resource, read and not kept.

        Raises:
            SourceRefusedError: the access was taken back; the other `Source…Error`s.
        """
        trips: list[TripObservation] = []
        passes: list[Subscription] = []
        receipts: list[Invoice] = []
        rejected: list[Rejected] = []
        counts: dict[str, int] = {}
        more: set[str] = set()
        with self._transport(address) as transport:
            client = self._client(transport, vault_id, account_id, address)
            connector = AccountConnector(client, account="apercu", clock=self._clock)
            try:
                for stream in connector.discover():
                    page = next(connector.pull(stream, None))
                    counts[stream.name] = len(page.records)
                    if "cursor" in page.cursor:
                        more.add(stream.name)
                    rejected += page.rejected
                    for found in page.records:
                        if isinstance(found, TripObservation):
                            trips.append(found)
                        elif isinstance(found, DocumentObservation):
                            if isinstance(found.record, Invoice):
                                receipts.append(found.record)
                            elif isinstance(found.record, Subscription):
                                passes.append(found.record)
            finally:
                self.remember(vault_id, account_id, client)
            described = client.described
        return AccountPreview(
            name=described.name,
            trips=tuple(sorted(trips, key=lambda t: t.started_at, reverse=True)[:MAX_SHOWN]),
            passes=tuple(passes[:MAX_SHOWN]),
            receipts=tuple(receipts[:MAX_SHOWN]),
            counts=counts,
            more=frozenset(more),
            rejected=tuple(rejected[:MAX_SHOWN]),
            tells_news=bool(described.keys),
        )

    def keep(self, vault_id: str, account_id: str, address: str) -> bool:
        """Ask the operator to tell of news. False: it tells none, or cannot keep the address now;
        then it is only asked, every six hours."""
        told = False
        try:
            with self._transport(address) as transport:
                client = self._client(transport, vault_id, account_id, address)
                try:
                    if client.described.keys:
                        url = self.news.open(vault_id, account_id, client.described.keys)
                        told = client.subscribe(url, client.credentials.resources)
                finally:
                    self.remember(vault_id, account_id, client)
        except ConnectorError as error:
            _log.info("operator_account.no_news", code=error.code)
        if not told:
            self.news.close(vault_id, account_id)
        return told

    def remember(self, vault_id: str, account_id: str, client: AccountClient) -> None:
        """What a run changed: a refresh token the operator gave anew, and the keys of its news."""
        held = self._tokens().get(vault_id, SOURCE, account_id)
        token = client.credentials.to_json().encode()
        if held is not None and bytes(held.token) != token:
            scope = " ".join(client.credentials.resources)
            self._tokens().put(vault_id, SOURCE, account_id, token, scope=scope)
        if client.is_described:
            self.news.rekey(vault_id, account_id, client.described.keys)

    def disconnect(self, vault_id: str, account_id: str, address: str) -> bool:
        """Delete what the vault has at the operator; whether all of it is gone. One that does not
        answer keeps a client without a token: ours is forgotten in any case."""
        self.news.close(vault_id, account_id)
        try:
            with self._transport(address) as transport:
                credentials = self._credentials(vault_id, account_id)
                failed = leave(transport, describe(transport, address), credentials)
        except ConnectorError as error:
            failed = [error]
        for left in failed:
            _log.info("operator_account.still_there", code=left.code)
        return not failed

    def _credentials(self, vault_id: str, account_id: str) -> Credentials:
        kept = self._tokens().get(vault_id, SOURCE, account_id)
        if kept is None:
            raise SourceRefusedError(where="token", status=401)
        return Credentials.parse(bytes(kept.token).decode())

    def _client(
        self, transport: AccountTransport, vault_id: str, account_id: str, address: str
    ) -> AccountClient:
        return AccountClient(transport, self._credentials(vault_id, account_id), address=address)


def _forget(transport: AccountTransport, made: Registration) -> None:
    """Leave no client behind; an operator that does not answer keeps one that serves nobody."""
    try:
        unregister(transport, made)
    except ConnectorError as error:
        _log.info("operator_account.still_there", code=error.code)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
