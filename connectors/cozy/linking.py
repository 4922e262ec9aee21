"""From a person's word to a connected Cozy and back: leave for it, come back, copy trips there,
disconnect.

What must come back is kept as a login's is: sealed, ten minutes, for this vault and this browser.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from connectors.cozy.client import CozyClient
from connectors.cozy.documents import OURS, Points, document_id, to_document
from connectors.cozy.oauth import (
    READ,
    READ_AND_WRITE,
    CozyTransport,
    Credentials,
    Registration,
    address_of,
    authorize_url,
    exchange,
    register,
    unregister,
)
from connectors.errors import ConnectorError, LinkRefusedError, SourceRefusedError
from connectors.identity.login import LOGIN_TERM, LoginExpiredError, LoginForeignError
from connectors.store.store import ConnectorStore, LoginUnderWay
from schemas.records import Trip

_log = structlog.get_logger(__name__)

COZY: Final = "cozy"
BUDGET_S: Final = 20.0
"""Seconds that one request of a page may spend copying; the rest is copied by the next one."""
AT_ONCE: Final = 500
"""Copies asked for in one list when they are taken back."""


class Tokens(Protocol):
    """The home's sealed store of source tokens, as far as this needs it."""

    def get(self, vault_id: str, connector: str, account: str) -> Any:
        """An object with `token: bytes`, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Linked:
    """A Cozy that let the vault in."""

    address: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Copied:
    """What one round of copying did."""

    written: int
    known: int
    """There already, from an earlier copy."""
    left: int
    """Not reached in this round: ask again."""


class CozyLinks:
    """The Cozys of one home's vaults."""

    def __init__(
        self,
        store: ConnectorStore,
        tokens: Callable[[], Tokens],
        *,
        clock: Callable[[], datetime],
        transport: Callable[[str], AbstractContextManager[CozyTransport]],
        address: str,
    ) -> None:
        self._store, self._tokens, self._clock = store, tokens, clock
        self._transport, self._home = transport, address

    def begin(
        self, vault_id: str, typed: str, *, browser: str, redirect_uri: str, may_write: bool
    ) -> str:
        """Register at the Cozy; the address of its page that asks the person.

        Raises:
            AddressError; the `Source…Error`s: nothing is kept.
        """
        address = address_of(typed)
        with self._transport(address) as transport:
            made = register(transport, redirect_uri=redirect_uri, client_uri=self._home)
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        scope = READ_AND_WRITE if may_write else READ
        now = self._clock()
        self._store.add_login(
            LoginUnderWay(
                state_hash=_hash(state),
                vault_id=vault_id,
                browser_hash=_hash(browser),
                begun={
                    "cozy": address,
                    "client_id": made.client_id,
                    "client_secret": made.client_secret,
                    "registration_token": made.registration_token,
                    "verifier": verifier,
                    "scope": scope,
                },
                expires_at=now + LOGIN_TERM,
            ),
            at=now,
        )
        return authorize_url(
            address, made, redirect_uri=redirect_uri, state=state, scope=scope, verifier=verifier
        )

    def finish(self, vault_id: str, query: Mapping[str, str], *, browser: str) -> Linked:
        """What lets the vault in, from the query of the address that came back.

        Raises:
            LoginForeignError: not this vault's, not this browser's, or used; LoginExpiredError.
            LinkRefusedError: the person said no. The `Source…Error`s.
        """
        kept = self._store.take_login(
            _hash(query.get("state", "")), vault_id=vault_id, browser_hash=_hash(browser)
        )
        if kept is None or "cozy" not in kept.begun:
            raise LoginForeignError("no such link under way")
        begun = kept.begun
        made = Registration(begun["client_id"], begun["client_secret"], begun["registration_token"])
        with self._transport(begun["cozy"]) as transport:
            if kept.expires_at < self._clock():
                _forget(transport, made)
                raise LoginExpiredError("the link took too long")
            if not query.get("code"):
                _forget(transport, made)
                raise LinkRefusedError
            credentials = exchange(
                transport,
                made,
                code=query["code"],
                verifier=begun["verifier"],
                scope=begun["scope"],
            )
        return Linked(begun["cozy"], credentials)

    def credentials(self, vault_id: str, account_id: str) -> Credentials:
        """What is kept of an account. Raises SourceRefusedError: nothing."""
        kept = self._tokens().get(vault_id, COZY, account_id)
        if kept is None:
            raise SourceRefusedError(where="token", status=401)
        return Credentials.parse(bytes(kept.token).decode())

    def disconnect(self, vault_id: str, account_id: str, address: str) -> bool:
        """Delete the vault's client at the Cozy; whether it is gone. One that does not answer keeps
        a client without a token: ours is forgotten in any case."""
        try:
            credentials = self.credentials(vault_id, account_id)
            with self._transport(address) as transport:
                unregister(transport, credentials)
        except ConnectorError as error:
            _log.info("cozy.still_registered", code=error.code)
            return False
        return True

    # the other direction

    def copy(
        self,
        vault_id: str,
        account_id: str,
        address: str,
        trips: Iterable[tuple[Trip, Callable[[], Points]]],
        *,
        budget_s: float = BUDGET_S,
    ) -> Copied:
        """Write a copy of each trip there, each once, within `budget_s`.

        Raises:
            LinkRefusedError: the person let the vault read only; the `Source…Error`s: what was
                written stays, and is known at the next copy.
        """
        credentials = self.credentials(vault_id, account_id)
        if not credentials.may_write:
            raise LinkRefusedError
        at, until = self._clock(), time.monotonic() + budget_s
        written = known = left = 0
        with self._transport(address) as transport:
            client = CozyClient(transport, credentials)
            have = {name for name, _ in client.named(OURS, limit=1_000)}
            for trip, points in trips:
                name = document_id(trip.id)
                if name in have:
                    known += 1
                elif time.monotonic() > until:
                    left += 1
                elif client.put(name, to_document(trip, points(), at=at)):
                    written += 1
                else:
                    known += 1
        return Copied(written, known, left)

    def take_back(
        self, vault_id: str, account_id: str, address: str, *, budget_s: float = BUDGET_S
    ) -> tuple[int, bool]:
        """Delete the copies there, within `budget_s`: how many, and whether any is left.

        Raises:
            LinkRefusedError; the `Source…Error`s.
        """
        credentials = self.credentials(vault_id, account_id)
        if not credentials.may_write:
            raise LinkRefusedError
        until, removed = time.monotonic() + budget_s, 0
        with self._transport(address) as transport:
            client = CozyClient(transport, credentials)
            while found := client.named(OURS, limit=AT_ONCE):
                before = removed
                for name, revision in found:
                    if time.monotonic() > until:
                        return removed, True
                    client.delete(name, revision)
                    removed += 1
                if removed == before or len(found) < AT_ONCE:
                    break
        return removed, False


def _forget(transport: CozyTransport, made: Registration) -> None:
    """Leave no client behind; a Cozy that does not answer keeps one that serves nobody."""
    try:
        unregister(transport, made)
    except ConnectorError as error:
        _log.info("cozy.still_registered", code=error.code)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


__all__ = ["COZY", "Copied", "CozyLinks", "Linked"]
