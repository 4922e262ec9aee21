"""Limits every server sets on what comes in and what a browser may do with what goes out.

Both are plain ASGI: they see a body chunk by chunk, before anything parses or stores it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from federation.wire.errors import BodyTooLargeError

__all__ = ["CONTENT_SECURITY_POLICY", "BodyLimit", "SecurityHeaders"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_JSON: Final = b"application/problem+json"
DEFAULT_LIMIT: Final = 300_000
"""A sealed deposit is at most 256 kB of records plus its envelope (design §4)."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
"""No script at all: the pages work without one."""


class BodyLimit:
    """Refuse a request body over its limit: by Content-Length at once, else while it streams.

    `paths` gives other limits to some path prefixes (the longest prefix wins), for uploads.
    `page` is the HTML for browsers (`Accept: text/html`); everyone else gets a problem document.
    """

    def __init__(
        self,
        app: App,
        *,
        limit: int = DEFAULT_LIMIT,
        paths: Mapping[str, int] | None = None,
        page: bytes | None = None,
    ) -> None:
        self._app = app
        self._limit = limit
        self._page = page
        self._paths = sorted((paths or {}).items(), key=lambda item: -len(item[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(str(scope["path"]))
        declared = _content_length(scope)
        if declared is not None and (declared < 0 or declared > limit):
            await _refuse(send, limit, self._page if _wants_page(scope) else None)
            return
        taken = 0
        started = False
        over = False

        async def counted() -> Message:
            nonlocal taken, over
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    over = True
                    # The application never sees the byte over the limit, nor an end of body
                    # that could pass for a complete one.
                    raise BodyTooLargeError(limit=limit)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if over and not started:
                return  # whatever the application makes of the interruption, 413 goes out
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except BodyTooLargeError:
            if started:
                raise
        except Exception:
            # Frameworks wrap what their body reader raises.
            if started or not over:
                raise
        if over and not started:
            await _refuse(send, limit, self._page if _wants_page(scope) else None)

    def _limit_of(self, path: str) -> int:
        for prefix, limit in self._paths:
            if path.startswith(prefix):
                return limit
        return self._limit


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            try:
                return int(value)
            except ValueError:
                return -1
    return None


def _wants_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


async def _refuse(send: Send, limit: int, page: bytes | None) -> None:
    error = BodyTooLargeError(limit=limit)
    body = (
        page
        or json.dumps(
            {
                "type": f"https://w3id.org/mobility-vault/problems#{error.code}",
                "title": "A request body is over its limit",
                "status": 413,
                "code": error.code,
                "detail": str(error),
            }
        ).encode()
    )
    await send(
        {
            "type": "http.response.start",
            "status": 413,
            "headers": [
                (b"content-type", b"text/html; charset=utf-8" if page else PROBLEM_JSON),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                # What is left of the body is not read: the connection cannot be used again.
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


class SecurityHeaders:
    """Strict headers on every answer; a route that set one itself keeps its own.

    `hsts` only where TLS ends at us or in front of us: on loopback a browser would remember it.
    `form_action` adds origins a form may be sent to (the wallet's way back to a verifier).
    """

    def __init__(self, app: App, *, hsts: bool = False, form_action: tuple[str, ...] = ()) -> None:
        self._app = app
        policy = CONTENT_SECURITY_POLICY
        if form_action:
            policy = policy.replace(
                "form-action 'self'", f"form-action 'self' {' '.join(form_action)}"
            )
        self._headers: dict[bytes, bytes] = {
            b"content-security-policy": policy.encode(),
            b"x-content-type-options": b"nosniff",
            b"x-frame-options": b"DENY",
            b"referrer-policy": b"no-referrer",
            b"cross-origin-opener-policy": b"same-origin",
            b"cross-origin-resource-policy": b"same-origin",
            b"permissions-policy": b"geolocation=(), camera=(), microphone=(), payment=(), usb=()",
            b"cache-control": b"no-store",
        }
        if hsts:
            self._headers[b"strict-transport-security"] = b"max-age=63072000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [tuple(pair) for pair in message.get("headers", [])]
                present = {name.lower() for name, _ in given}
                given += [pair for pair in self._headers.items() if pair[0] not in present]
                message = {**message, "headers": given}
            await send(message)

        await self._app(scope, receive, with_headers)
