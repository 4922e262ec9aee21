"""Calls to other servers, bounded on every side.

1. The URL is https (http only to loopback, where the policy allows loopback), without user info.
2. The name is resolved once; every address it gives must be allowed, or the call is refused.
3. The connection goes to an address that was checked, so a second answer of the name server
   cannot send it elsewhere; TLS still checks the certificate against the name.
4. No redirect is followed, no proxy or credential is read from the environment.
5. Time is bounded for each step and for the whole; bytes are bounded as received and again as
   decompressed (gzip only); the media type must be one that was asked for.

Errors name the origin and a reason, never a path, a query or a body.
"""

import email.utils
import ipaddress
import json as jsonlib
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import httpcore
import httpx

from federation.wire.errors import (
    AddressRefusedError,
    ContentTypeRefusedError,
    OutboundError,
    RedirectRefusedError,
    ResponseTooLargeError,
    ResponseUnreadableError,
    UnreachableError,
    UpstreamBusyError,
    UpstreamStatusError,
)

__all__ = ["AddressPolicy", "Answer", "BoundedClient", "is_allowed", "strict_json", "tls_context"]

USER_AGENT: Final = "mobility-vault/0.1"
_BUSY: Final = frozenset({429, 502, 503, 504})
_MAX_URL: Final = 4096

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of this process's clients, with the system's roots read once: reading them
    takes 40 ms, as long as a whole page.
    """
    return ssl.create_default_context()


# IANA special-purpose address registries (RFC 6890 and updates), read 2026-11. Python's own
# `is_global` changed between patch releases of 3.11, so the list is ours.
_REFUSED_V4: Final = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class AddressPolicy(Enum):
    """Where a client may connect to."""

    PUBLIC = "public"
    """Globally reachable unicast addresses, over https."""
    WITH_LOOPBACK = "with-loopback"
    """Also this machine, over http or https: the demonstration and the tests."""


Resolver = Callable[[str, int], Sequence[str]]


def is_allowed(address: str, policy: AddressPolicy) -> bool:
    """Whether the policy lets a client connect to this address."""
    found = _parse(address)
    if found is None:
        return False
    if found.is_loopback:
        return policy is AddressPolicy.WITH_LOOPBACK
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in block for block in _REFUSED_V4)
    return found in _GLOBAL_V6 and not any(found in block for block in _REFUSED_V6)


def _parse(address: str) -> _Address | None:
    if "%" in address:  # scoped, so link-local
        return None
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _resolve(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class _RefusedByPolicy(Exception):
    """An address is outside the policy; carried through the pool to the client."""


# When the call that this thread is making has to be over. A peer that sends one byte now and then
# passes every single read; the streams below look here before each.
_call = threading.local()


def _remaining(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    left = float(getattr(_call, "deadline", float("inf"))) - time.monotonic()
    if left <= 0:
        raise late("the call took too long")
    return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    """A connection that stops at the deadline of the call that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _remaining(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.NetworkBackend):
    """Resolves, checks every address, and connects to a checked one."""

    def __init__(self, allowed: Callable[[str], bool], resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise _RefusedByPolicy
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses[:4]:
            try:
                left = _remaining(timeout, httpcore.ConnectTimeout)
                return _TimedStream(
                    self._plain.connect_tcp(address, port, left, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        self._plain.sleep(seconds)


class _Stream(httpx.SyncByteStream):
    def __init__(self, parts: Iterable[bytes], close: Callable[[], None]) -> None:
        self._parts = parts
        self._close = close

    def __iter__(self) -> Any:
        yield from self._parts

    def close(self) -> None:
        self._close()


class _GuardedTransport(httpx.BaseTransport):
    """An httpx transport over a pool whose every connection goes through the guard."""

    def __init__(self, allowed: Callable[[str], bool], resolve: Resolver) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(),
            max_connections=20,
            max_keepalive_connections=10,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(allowed, resolve),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        stream = answer.stream
        if not isinstance(stream, Iterable):
            raise TypeError("a synchronous pool gives a synchronous stream")
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Stream(stream, answer.close),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other server said, within the limits."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    media_type: str
    """In lower case, without parameters; empty when there is no body."""
    origin: str

    def json(self) -> Any:
        """The body as JSON: duplicate names, NaN and depths over 64 are refused.

        Raises:
            ResponseUnreadableError: it is not JSON.
        """
        return strict_json(self.body, origin=self.origin)


def strict_json(body: bytes, *, origin: str) -> Any:
    """Parse JSON that another server sent; refuses what two readers could read differently."""
    try:
        value = jsonlib.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError):
        raise ResponseUnreadableError("the answer is not JSON", origin=origin) from None
    if _depth(value) > 64:
        raise ResponseUnreadableError("the answer nests too deep", origin=origin)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _not_a_number(_text: str) -> Any:
    raise ValueError("not a JSON number")


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo:
        item, depth = todo.pop()
        deepest = max(deepest, depth)
        if depth > 64:
            break
        if isinstance(item, dict):
            todo += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            todo += [(child, depth + 1) for child in item]
    return deepest


class BoundedClient:
    """A client for servers we do not trust. Safe to share between threads; close it at the end.

    `timeout_s` bounds connecting and each read, and (times three) the whole call; `max_bytes` the
    answer.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 10.0,
        max_bytes: int = 1_000_000,
        allow: AddressPolicy = AddressPolicy.PUBLIC,
        resolve: Resolver = _resolve,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._allow = allow
        loopback_only = AddressPolicy.WITH_LOOPBACK

        def anywhere_allowed(address: str) -> bool:
            return is_allowed(address, allow)

        def this_machine(address: str) -> bool:
            found = _parse(address)
            return found is not None and found.is_loopback and allow is loopback_only

        self._client = httpx.Client(
            transport=_GuardedTransport(anywhere_allowed, resolve),
            mounts={"http://": _GuardedTransport(this_machine, resolve)},
            timeout=httpx.Timeout(timeout_s),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[str] = ("application/json",),
        statuses: Collection[int] = (200,),
        max_bytes: int | None = None,
    ) -> Answer:
        """GET; see `request`."""
        return self.request(
            "GET", url, headers=headers, accept=accept, statuses=statuses, max_bytes=max_bytes
        )

    def get_json(
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None
    ) -> Any:
        """GET a JSON document (`application/json` or any `+json`), parsed."""
        return self.get(url, headers=headers, max_bytes=max_bytes).json()

    def post(
        self,
        url: str,
        *,
        body: bytes | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[str] = ("application/json",),
        statuses: Collection[int] = (200, 201, 202, 204),
        max_bytes: int | None = None,
    ) -> Answer:
        """POST one of `body`, `json` or `form`; see `request`."""
        if sum(value is not None for value in (body, json, form)) > 1:
            raise ValueError("give one of body, json and form")
        content, kind = body or b"", content_type or "application/octet-stream"
        if json is not None:
            content = jsonlib.dumps(json, separators=(",", ":"), allow_nan=False).encode()
            kind = content_type or "application/json"
        elif form is not None:
            content = urlencode(form).encode()
            kind = content_type or "application/x-www-form-urlencoded"
        return self.request(
            "POST",
            url,
            body=content,
            headers={**(headers or {}), "Content-Type": kind},
            accept=accept,
            statuses=statuses,
            max_bytes=max_bytes,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[str] = ("application/json",),
        statuses: Collection[int] = (200,),
        max_bytes: int | None = None,
    ) -> Answer:
        """One call. `accept` are media types (`application/json` also takes any `+json`).

        Raises:
            AddressRefusedError: the URL or an address is outside the policy.
            UnreachableError: no connection, or not in time; try later.
            UpstreamBusyError: 429, 502, 503 or 504, with its Retry-After; try later.
            RedirectRefusedError, UpstreamStatusError: a status that is not in `statuses`.
            ContentTypeRefusedError, ResponseTooLargeError, ResponseUnreadableError: the answer.
        """
        target, origin = self._target(url)
        limit = self._max_bytes if max_bytes is None else max_bytes
        _call.deadline = time.monotonic() + 3 * self._timeout_s
        sent = {"Accept": ", ".join(accept) or "*/*", **(headers or {})}
        try:
            with self._client.stream(method, target, content=body, headers=sent) as response:
                return self._read(
                    response,
                    origin,
                    accept=accept,
                    statuses=statuses,
                    limit=limit,
                )
        except _RefusedByPolicy:
            raise AddressRefusedError("address not allowed here", origin=origin) from None
        except (httpcore.TimeoutException, httpx.TimeoutException):
            raise UnreachableError("no answer in time", origin=origin) from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpx.TransportError,
            httpx.StreamError,
            ssl.SSLError,
        ):
            raise UnreachableError("the connection failed", origin=origin) from None

    def _target(self, url: str) -> tuple[httpx.URL, str]:
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise AddressRefusedError("not a URL", origin="(unreadable)") from None
        host = parsed.host
        origin = f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}"[:200]
        if parsed.userinfo:
            raise AddressRefusedError("credentials in a URL", origin=f"{parsed.scheme}://{host}")
        if not host or len(url) > _MAX_URL:
            raise AddressRefusedError("no host, or too long", origin=origin)
        if parsed.scheme != "https" and not (
            parsed.scheme == "http" and self._allow is AddressPolicy.WITH_LOOPBACK
        ):
            raise AddressRefusedError("https only", origin=origin)
        return parsed.copy_with(fragment=None), origin

    def _read(
        self,
        response: httpx.Response,
        origin: str,
        *,
        accept: Sequence[str],
        statuses: Collection[int],
        limit: int,
    ) -> Answer:
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        media_type = headers.get("content-type", "").split(";")[0].strip().lower()
        if status not in statuses:
            if 300 <= status < 400:
                raise RedirectRefusedError(origin=origin, status=status)
            if status in _BUSY:
                raise UpstreamBusyError(
                    origin=origin, status=status, retry_after_s=_retry_after(headers)
                )
            code = None
            if media_type == "application/problem+json":
                code = _problem_code(self._body(response, origin, 16_384), origin)
            raise UpstreamStatusError(origin=origin, status=status, problem_code=code)
        body = self._body(response, origin, limit)
        if body and not _is_acceptable(media_type, accept):
            raise ContentTypeRefusedError(origin=origin, found=media_type)
        return Answer(status, headers, body, media_type if body else "", origin)

    def _body(self, response: httpx.Response, origin: str, limit: int) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise ResponseUnreadableError("compressed in an unasked way", origin=origin)
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise ResponseTooLargeError(origin=origin, limit=limit)
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
        taken = 0
        body = bytearray()
        for chunk in response.iter_raw():
            taken += len(chunk)
            if inflate is None:
                body += chunk
            else:
                try:
                    body += inflate.decompress(chunk, limit + 1 - len(body))
                except zlib.error:
                    raise ResponseUnreadableError("broken compression", origin=origin) from None
            if taken > limit or len(body) > limit:
                raise ResponseTooLargeError(origin=origin, limit=limit)
        if inflate is not None and taken and not inflate.eof:
            raise ResponseUnreadableError("compression ends early", origin=origin)
        return bytes(body)


def _is_acceptable(media_type: str, accept: Sequence[str]) -> bool:
    for wanted in accept:
        if wanted in (media_type, "*/*"):
            return True
        if wanted == "application/json" and media_type.endswith("+json"):
            return True
    return False


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds to wait (RFC 9110 §10.2.3); a date is read against the answer's own Date."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(int(value), 86_400)
    try:
        until = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    try:
        return max(0, min(int((until - now).total_seconds()), 86_400))
    except TypeError:  # one has a zone, the other has none
        return None


def _problem_code(body: bytes, origin: str) -> str | None:
    try:
        found = strict_json(body, origin=origin)
    except OutboundError:
        return None
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) and len(code) <= 64 else None
