"""Logins under way: what is kept from leaving for the provider to coming back.

A login serves once, well or badly, in the browser that left, for the owner that began it, on the
address it was begun for: a login begun to link an account brings no identity, and the other way
round.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.errors import ConnectorError
from connectors.identity.client import IdentityClient
from connectors.identity.entitlements import Entitlement
from connectors.identity.login import (
    LOGIN_TERM,
    Begun,
    Identity,
    LoginExpiredError,
    LoginForeignError,
    LoginRefusedError,
)
from connectors.store.store import ConnectorStore, LoginUnderWay
from schemas.errors import Retriable

__all__ = ["PER_MINUTE", "IdentityProvider", "LoginBusyError", "Logins"]

PER_MINUTE: Final = 10
"""Logins an address may begin without an open vault: a household behind one address, no flood."""


class LoginBusyError(ConnectorError, Retriable):
    """Too many logins begun from this address; in a minute."""

    code = "login-busy"
    retry_after_s = 60


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """The OpenID provider of this home, and the way to talk to it."""

    issuer: str
    name: str
    client: Callable[[], AbstractContextManager[IdentityClient]]
    reads_rights: bool = False


class Logins:
    """Logins at one home's provider."""

    def __init__(
        self,
        store: ConnectorStore,
        provider: IdentityProvider | None,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._found, self._clock = store, provider, clock

    @property
    def provider(self) -> IdentityProvider:
        """Raises LoginRefusedError: this home has none."""
        if self._found is None:
            raise LoginRefusedError("this home has no identity provider")
        return self._found

    @property
    def reads_rights(self) -> bool:
        """Whether this home may read rights beside the identity."""
        return self._found is not None and self._found.reads_rights

    def begin(
        self,
        owner: str,
        *,
        browser: str,
        redirect_uri: str,
        also: tuple[Entitlement, ...] = (),
    ) -> str:
        """The provider's address to send this browser to. What must come back is kept here, for
        ten minutes, for this owner (a vault) and this browser (`browser`: a secret of it).

        Raises:
            LoginRefusedError: this home has no provider, or not a valid one; `Source…Error`s.
        """
        with self.provider.client() as client:
            url, begun = client.begin(redirect_uri=redirect_uri, also=also)
        self._store.add_login(
            LoginUnderWay(
                state_hash=_hash(begun.state),
                vault_id=owner,
                browser_hash=_hash(browser),
                begun={
                    "nonce": begun.nonce,
                    "verifier": begun.verifier,
                    "redirect_uri": begun.redirect_uri,
                    "level": begun.level,
                    "also": list(begun.also),
                },
                expires_at=begun.at + LOGIN_TERM,
            ),
            at=self._clock(),
        )
        return url

    def finish(
        self, owner: str, query: Mapping[str, str], *, browser: str, redirect_uri: str | None = None
    ) -> Identity:
        """Who came back, verified. `query` is the query of the address that came back, and
        `redirect_uri` that address: None takes any that was begun.

        Raises:
            LoginForeignError: not this owner's, not this browser's, begun for another purpose, or
                used; LoginExpiredError.
            LoginRefusedError, UserinfoInvalidError, `Source…Error`s: nothing is kept.
        """
        provider, state = self.provider, query.get("state", "")
        kept = self._store.take_login(_hash(state), vault_id=owner, browser_hash=_hash(browser))
        if kept is None or "nonce" not in kept.begun:
            raise LoginForeignError("no such login under way")
        if kept.expires_at < self._clock():
            raise LoginExpiredError("the login took too long")
        also = tuple(Entitlement(name) for name in kept.begun.get("also", ()))
        left = {**kept.begun, "also": also}
        begun = Begun(state=state, at=kept.expires_at - LOGIN_TERM, **left)
        if redirect_uri is not None and begun.redirect_uri != redirect_uri:
            raise LoginForeignError("begun for another purpose")
        with provider.client() as client:
            return client.finish(begun, query)

    # --- without an open vault ----------------------------------------------------------------

    def begin_unknown(self, *, browser: str, redirect_uri: str, client: str) -> str:
        """As `begin`, for somebody who looks for their vault; `client` is the address that asks.

        Raises:
            LoginBusyError: too many from this address.
        """
        second = int(self._clock().timestamp())
        who = hashlib.sha256(b"login\x00" + client.encode()).digest()
        if self._store.count(who, second // 60) > PER_MINUTE:
            raise LoginBusyError("too many logins begun from this address")
        return self.begin(_owner(browser), browser=browser, redirect_uri=redirect_uri)

    def finish_unknown(
        self, query: Mapping[str, str], *, browser: str, redirect_uri: str
    ) -> Identity:
        """As `finish`, for who began with `begin_unknown` in this browser."""
        return self.finish(_owner(browser), query, browser=browser, redirect_uri=redirect_uri)


def _owner(browser: str) -> str:
    """Stands for the vault that is not known yet: one login under way a browser."""
    return "?" + _hash(browser).hex()[:31]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
