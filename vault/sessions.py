"""Sessions that every worker agrees on: a row in the session store, a cookie in the browser, and
the session key in the home's key store. Two of the three open nothing.

The session key is the vault's own: HMAC-SHA-256 of the vault's pepper under the key store's
`session` secret. So a shred, which destroys the pepper first, ends every session for good, also
those in a stolen copy of the session store.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from federation.multibase import EncodingError, b64url, b64url_decode
from vault.crypto.errors import SealBrokenError
from vault.crypto.secret import RootKey
from vault.crypto.session import (
    CookieSecret,
    new_cookie_secret,
    open_session,
    seal_session,
    session_id,
)
from vault.errors import SessionEndedError
from vault.store import Session, SessionStore

__all__ = ["OpenedSession", "Sessions"]

_TOUCH_EVERY = timedelta(seconds=60)
"""The idle expiry moves at most once a minute: reading a page should not cost a write."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that holds; `sealed_root` is opened only when no worker cache has the vault."""

    id_hash: bytes
    vault_id: str
    cookie: CookieSecret
    sealed_root: bytes
    until: datetime

    def __repr__(self) -> str:
        return "OpenedSession(***)"


class Sessions:
    """Begin, check, end."""

    def __init__(
        self,
        store: SessionStore,
        *,
        session_key: Callable[[str], bytes],
        idle: timedelta,
        absolute: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._key, self._clock = store, session_key, clock
        self._idle, self._absolute = idle, absolute

    def begin(
        self, vault_id: str, root: RootKey, *, idle: timedelta | None = None
    ) -> tuple[str, datetime]:
        """A new session: (cookie value, absolute expiry). `root` stays the caller's to wipe.

        `idle` is the citizen's own idle time; it shortens the home's and never lengthens it.
        """
        at = self._clock()
        own = None if idle is None or idle >= self._idle else idle
        seconds = None if own is None else int(own.total_seconds())
        until = at + self._absolute
        self._store.drop_expired(at=at)
        with new_cookie_secret() as cookie:
            sealed = seal_session(
                root,
                cookie=cookie,
                session_key=self._key(vault_id),
                vault=vault_id,
                expires_at=until,
            )
            self._store.put(
                session_id(cookie),
                Session(vault_id, sealed, at + (own or self._idle), until, seconds),
            )
            return b64url(bytes(cookie.view)), until

    def check(self, cookie_value: str) -> OpenedSession:
        """The session behind a cookie. Reads the row each time: a lock elsewhere counts at once.

        Raises:
            SessionEndedError: unknown, locked, idle too long, or past its absolute expiry.
        """
        cookie = _secret(cookie_value)
        id_hash, at = session_id(cookie), self._clock()
        row = self._store.get(id_hash)
        if row is None:
            raise SessionEndedError
        if at >= row.until or at >= row.idle_until:
            self._store.drop(id_hash)
            raise SessionEndedError
        idle = self._idle if row.idle_s is None else timedelta(seconds=row.idle_s)
        idle_until = min(at + idle, row.until)
        if idle_until - row.idle_until >= min(_TOUCH_EVERY, idle / 4):
            self._store.touch(id_hash, idle_until=idle_until)
        return OpenedSession(id_hash, row.vault_id, cookie, row.sealed_root, row.until)

    def root(self, session: OpenedSession) -> RootKey:
        """The vault's root key, for the caller to wipe.

        Raises:
            SessionEndedError: the session was sealed for another home or pepper.
            VaultUnknownError: the vault was shredded.
        """
        try:
            return open_session(
                session.sealed_root,
                cookie=session.cookie,
                session_key=self._key(session.vault_id),
                vault=session.vault_id,
                expires_at=session.until,
            )
        except SealBrokenError:
            raise SessionEndedError from None

    def renew(self, cookie_value: str, root: RootKey) -> None:
        """Put another root in a session's row. Raises as `check`."""
        session = self.check(cookie_value)
        row = self._store.get(session.id_hash)
        if row is None:
            raise SessionEndedError
        sealed = seal_session(
            root,
            cookie=session.cookie,
            session_key=self._key(session.vault_id),
            vault=session.vault_id,
            expires_at=session.until,
        )
        self._store.put(session.id_hash, replace(row, sealed_root=sealed))

    def end(self, cookie_value: str) -> str | None:
        """End one session; returns its vault, None if it had ended already."""
        try:
            id_hash = session_id(_secret(cookie_value))
        except SessionEndedError:
            return None
        row = self._store.get(id_hash)
        self._store.drop(id_hash)
        return None if row is None else row.vault_id

    def end_all(self, vault_id: str, *, keep: str | None = None) -> None:
        """End every session of a vault, but the one of the cookie `keep`."""
        kept = None if keep is None else session_id(_secret(keep))
        self._store.drop_sessions(vault_id, keep=kept)

    def age(self, cookie_value: str) -> timedelta:
        """How long ago this session began. Raises as `check`."""
        return self._clock() - (self.check(cookie_value).until - self._absolute)


def _secret(cookie_value: str) -> CookieSecret:
    try:
        secret = bytearray(b64url_decode(cookie_value))
    except EncodingError:
        raise SessionEndedError from None
    if len(secret) != 32:
        raise SessionEndedError
    return CookieSecret(secret)
