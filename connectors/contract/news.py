"""News of an operator: a signed word that something changed, never what.

The word brings the account's next run forward; what changed is then asked for as always. So a word
that is lost, doubled or late loses nothing, and one that was forged could only have us ask.

Taking one is numbered: (1) the address is one we gave and still keep; (2) within the rate; (3) the
signature holds (RFC 9421: method, address, digest of the body, time, nonce, a key that the operator
published), once; (4) the body reads; (5) the run is planned for now.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from connectors.contract.oauth import RESOURCES, public_key
from connectors.errors import (
    ConnectorError,
    Fault,
    PushBusyError,
    PushInvalidError,
)
from connectors.parsing import load_json
from connectors.store.hooks import Hook, Hooks
from connectors.store.store import ConnectorStore
from federation.keys import PublicKey
from federation.wire.signatures import verify
from schemas.errors import NotFound

__all__ = ["MAX_NEWS", "PATH", "HookGoneError", "News", "Taken"]

PATH: Final = "/v1/news"
MAX_NEWS: Final = 8_000
PER_MINUTE: Final = 60
MAX_EVENT: Final = 128


class HookGoneError(ConnectorError, NotFound):
    """No account is told of news at this address any more: tell no more."""

    code = "news-gone"

    def __init__(self) -> None:
        super().__init__("no account is told of news here")


class NewsHome(Protocol):
    """The home, as far as this needs it."""

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        """Whether a signed request's nonce is new; it is used up by asking."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A word that was taken."""

    vault_id: str
    account_id: str
    resources: tuple[str, ...]


class News:
    """Where operators tell one home of news."""

    def __init__(
        self,
        home: NewsHome,
        store: ConnectorStore,
        *,
        clock: Callable[[], datetime],
        address: str,
        bring_forward: Callable[[str, str], None],
    ) -> None:
        self._home, self._store, self._clock = home, store, clock
        self._hooks = Hooks(store)
        self._address, self._bring_forward = address.rstrip("/"), bring_forward

    def open(self, vault_id: str, account_id: str, keys: Mapping[str, str]) -> str:
        """A new address for this account's news; an earlier one of it holds no more."""
        secret = secrets.token_urlsafe(24)
        self._hooks.put(Hook(_hash(secret), vault_id, account_id, dict(keys), self._clock(), None))
        return self._url(secret)

    def close(self, vault_id: str, account_id: str) -> None:
        """Take no more news of this account."""
        self._hooks.forget(vault_id, account_id)

    def rekey(self, vault_id: str, account_id: str, keys: Mapping[str, str]) -> None:
        """The keys the operator publishes now; one it withdrew signs nothing more."""
        self._hooks.rekey(vault_id, account_id, dict(keys))

    def last(self, vault_id: str, account_id: str) -> tuple[bool, datetime | None]:
        """Whether this account has an address for news, and when a word last came."""
        found = self._hooks.of(vault_id, account_id)
        return found is not None, None if found is None else found.last_news_at

    def take(self, secret: str, body: bytes, headers: Mapping[str, str]) -> Taken:
        """Take one word; header names in lower case.

        Raises:
            HookGoneError. PushBusyError. SignatureRefusedError: with the step that failed.
            HostileInputError, PushInvalidError.
        """
        now = self._clock()
        hook = self._hooks.get(_hash(secret))  # 1
        if hook is None:
            raise HookGoneError
        second = int(now.timestamp())
        if self._store.count(hook.hook_hash, second // 60) > PER_MINUTE:  # 2
            raise PushBusyError(retry_after_s=60 - second % 60, full=False)

        def key_of(name: str) -> PublicKey | None:
            multikey = hook.keys.get(name)
            return None if multikey is None else public_key(multikey)

        verify(  # 3
            headers,
            method="POST",
            url=self._url(secret),
            body=body,
            key_of=key_of,
            is_fresh=self._home.is_fresh,
            at=now,
        )
        resources = _read(load_json(body, max_bytes=MAX_NEWS, max_depth=4))  # 4
        self._hooks.told(hook.hook_hash, at=now)
        self._bring_forward(hook.vault_id, hook.account_id)  # 5
        return Taken(hook.vault_id, hook.account_id, resources)

    def _url(self, secret: str) -> str:
        return f"{self._address}{PATH}/{secret}"


def _read(document: Any) -> tuple[str, ...]:
    event: Mapping[str, Any] = document if isinstance(document, dict) else {}
    faults = []
    name, told = event.get("id"), event.get("resources")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_EVENT:
        faults.append(Fault("/id", "type", f"a text of 1 to {MAX_EVENT} characters"))
    if not isinstance(told, list) or not told or not set(map(str, told)) <= set(RESOURCES):
        faults.append(Fault("/resources", "value", f"some of {', '.join(RESOURCES)}"))
    if faults:
        raise PushInvalidError(faults)
    return tuple(item for item in RESOURCES if item in (told or ()))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(f"mobility-vault/news/1\x00{secret}".encode()).digest()
