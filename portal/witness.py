"""The browser's memory of the vault's head: a cookie renewed with each page of an open vault.

Never lowered here: a store put back to an older copy meets the number this browser saw. Only an
unlock that says "restored from a backup" writes a lower one (`vault/browser_witness.py`).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from vault.browser_witness import WITNESS_AGE_S, WITNESS_COOKIE, remembered, to_cookie
from vault.home import Home

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STATE = "open_vault"
"""Name in the request's state under which `open_vault` leaves the vault's number."""


class BrowserWitness:
    """ASGI: adds `__Host-temoin` to answers given over an open vault, when it went up."""

    def __init__(self, app: App, *, home: Home) -> None:
        self._app, self._home = app, home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; look at the answer's start."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                line = self._line(scope, message)
                if line is not None:
                    message["headers"] = [*message.get("headers", ()), (b"set-cookie", line)]
            await send(message)

        await self._app(scope, receive, watched)

    def _line(self, scope: Scope, message: Message) -> bytes | None:
        vault_id = scope.get("state", {}).get(STATE)
        if vault_id is None:
            return None
        mark = WITNESS_COOKIE.encode() + b"="
        if any(k == b"set-cookie" and v.startswith(mark) for k, v in message.get("headers", ())):
            return None  # an unlock wrote it already
        head = self._home.key_store.witness(vault_id)
        if head is None:
            return None
        seen = remembered(_cookie(scope), vault_id)
        if seen is not None and seen.seq >= head[0]:
            return None
        value = to_cookie(vault_id, seq=head[0], head=head[1])
        return (
            f"{WITNESS_COOKIE}={value}; Max-Age={WITNESS_AGE_S}; Path=/; Secure; HttpOnly; "
            "SameSite=lax"
        ).encode()


def _cookie(scope: Scope) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(WITNESS_COOKIE)
            except CookieError:
                return None
            return None if found is None else found.value
    return None
