"""Sources over HTTP, within bounds: one adapter from `BoundedClient` to the errors of
connectors."""

import base64
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from connectors.depositing import SEAL_AGAIN, ChainMovedError
from connectors.errors import (
    AnswerTooLargeError,
    ConnectorError,
    HostileInputError,
    SourceAnswerError,
    SourceBusyError,
    SourceRedirectError,
    SourceRefusedError,
    SourceUnreachableError,
    WrongContentTypeError,
)
from connectors.parsing import load_json
from federation.keys import Signer
from federation.sealing import BoxPublicKey, DepositReceipt
from federation.wire.errors import (
    AddressRefusedError,
    ContentTypeRefusedError,
    OutboundError,
    RedirectRefusedError,
    ResponseTooLargeError,
    UnreachableError,
    UpstreamBusyError,
    UpstreamStatusError,
)
from federation.wire.http import AddressPolicy, Answer, BoundedClient
from federation.wire.signatures import new_nonce, sign
from schemas.errors import Refused
from schemas.ids import Did, Digest
from schemas.records import Compartment

MAX_ANSWER: Final = 32_000_000
"""A window of 1 000 composite trips with 100 points each is about 30 MB; larger ones are halved."""
TIMEOUT_S: Final = 60.0
"""e-mission servers answer a month of trips in a few seconds, a first import in tens."""
DEFAULT_RETRY_S: Final = 60
MAX_RETRY_S: Final = 86_400
"""A source may not silence itself for longer than a day with one header."""
MAX_ETAG: Final = 200
"""Characters of an entity tag that is kept; a longer one is not sent back."""
_REFUSED: Final = frozenset({401, 403})


def source_client(*, allow_loopback: bool = False, timeout_s: float = TIMEOUT_S) -> BoundedClient:
    """A bounded client for sources: no redirect, address checked, time and bytes limited."""
    policy = AddressPolicy.WITH_LOOPBACK if allow_loopback else AddressPolicy.PUBLIC
    return BoundedClient(timeout_s=timeout_s, max_bytes=MAX_ANSWER, allow=policy)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and the tag by which it is known when it has not changed."""

    status: int
    value: Any
    """None where the answer has no body."""
    etag: str | None


class HttpTransport:
    """JSON at one base address. Errors name the route, never the body or the header (they hold the
    token)."""

    def __init__(self, client: BoundedClient, base_url: str) -> None:
        self._client, self._base = client, base_url.rstrip("/")

    @property
    def base_url(self) -> str:
        """The address that every path is below."""
        return self._base

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer. NaN is let through: the field that has one is refused, not the
        answer."""
        try:
            answer = self._client.post(
                self._base + path,
                body=json.dumps(body, separators=(",", ":")).encode(),
                content_type="application/json",
                statuses=(200,),
            )
        except OutboundError as error:
            raise as_source_error(error, path) from error
        return _loaded(answer, path)

    def call(  # one request: what it says, and who says it
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        bearer: str | None = None,
        statuses: Collection[int] = (200,),
    ) -> tuple[int, Any]:
        """Status and JSON answer (None when empty) of one request, with a bearer token. A status
        outside `statuses` is an error."""
        where = path.partition("?")[0]
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        content: bytes | None = None
        if form is not None:
            content = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        try:
            answer = self._client.request(
                method, self._base + path, body=content, headers=headers, statuses=statuses
            )
        except OutboundError as error:
            raise as_source_error(error, where) from error
        return answer.status, _loaded(answer, where) if answer.body else None

    def fetch(
        self,
        path: str,
        *,
        bearer: str | None = None,
        etag: str | None = None,
        statuses: Collection[int] = (200,),
    ) -> Fetched:
        """GET a JSON document; with the `etag` of an earlier answer, 304 when it is still that."""
        where = path.partition("?")[0]
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        allowed = set(statuses)
        if etag is not None:
            headers["If-None-Match"] = etag
            allowed.add(304)
        try:
            answer = self._client.get(self._base + path, headers=headers, statuses=allowed)
        except OutboundError as error:
            raise as_source_error(error, where) from error
        tag = answer.headers.get("etag")
        return Fetched(
            answer.status,
            _loaded(answer, where) if answer.body else None,
            tag if tag is not None and len(tag) <= MAX_ETAG and tag.isprintable() else None,
        )


def _loaded(answer: Answer, where: str) -> Any:
    try:
        return load_json(answer.body, max_bytes=MAX_ANSWER)
    except HostileInputError as error:
        raise SourceAnswerError(where=where, reason=error.reason) from error


def as_source_error(
    error: OutboundError, where: str
) -> SourceAnswerError | SourceBusyError | SourceRefusedError | SourceUnreachableError:
    """What an outbound failure means for a source account."""
    match error:
        case UpstreamBusyError():
            asked = error.retry_after_s
            wait = DEFAULT_RETRY_S if asked is None else min(max(asked, 1), MAX_RETRY_S)
            return SourceBusyError(where=where, status=error.status, retry_after_s=wait)
        case UpstreamStatusError() if error.status in _REFUSED:
            return SourceRefusedError(where=where, status=error.status)
        case UpstreamStatusError() if 300 <= error.status < 400:
            return SourceRedirectError(where=where, reason=f"answered {error.status}")
        case UpstreamStatusError():
            return SourceAnswerError(where=where, reason=f"answered {error.status}")
        case RedirectRefusedError():
            return SourceRedirectError(where=where, reason=f"redirect {error.status}")
        case ContentTypeRefusedError():
            return WrongContentTypeError(where=where, reason="not JSON")
        case ResponseTooLargeError():
            return AnswerTooLargeError(where=where, reason=f"over {error.limit} bytes")
        case UnreachableError():
            return SourceUnreachableError(where=where, reason="no whole answer in time")
        case AddressRefusedError():
            return SourceAnswerError(where=where, reason="address refused")
        case _:
            return SourceAnswerError(where=where, reason="unreadable answer")


class DropBoxRefusedError(ConnectorError, Refused):
    """The home does not take this deposit; `problem` is its code."""

    code = "drop-box-refused"

    def __init__(self, *, status: int, problem: str | None) -> None:
        self.status, self.problem = status, problem
        super().__init__(f"the home answered {status} {problem or ''}".strip())


class HttpDropBox:
    """A vault's drop-box at another node, by its address. Every call is signed by the depositor
    (RFC 9421)."""

    def __init__(
        self,
        client: BoundedClient,
        *,
        home_url: str,
        vault_id: str,
        signer: Signer,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._signer, self._clock = client, signer, clock
        self._base = f"{home_url.rstrip('/')}/v1/drop-box/{quote(vault_id, safe='')}"

    def _call(self, method: str, url: str, body: bytes, accept: Sequence[str]) -> Answer:
        headers = sign(
            method=method,
            url=url,
            body=body,
            signer=self._signer,
            created=self._clock(),
            nonce=new_nonce(),
        )
        try:
            if method == "GET":
                return self._client.get(url, headers=headers, accept=accept)
            return self._client.post(
                url,
                body=body,
                content_type="application/octet-stream",
                headers=headers,
                accept=accept,
                statuses=(200, 201, 202),
            )
        except UpstreamStatusError as error:
            if error.problem_code in SEAL_AGAIN:
                raise ChainMovedError from error
            raise DropBoxRefusedError(status=error.status, problem=error.problem_code) from error
        except UpstreamBusyError as error:
            raise SourceBusyError(
                where="drop-box", status=error.status, retry_after_s=error.retry_after_s or 60
            ) from error

    def deposit(self, sealed: bytes) -> DepositReceipt:
        """Send one sealed deposit; the home's receipt."""
        answer = self._call("POST", self._base, sealed, ("application/octet-stream",))
        return DepositReceipt.parse(answer.body)

    def last(self, depositor: Did, account: str) -> tuple[int, Digest | None]:
        """Where the chain stands."""
        query = urlencode({"account": account, "depositor": depositor})
        found = self._call("GET", f"{self._base}/last?{query}", b"", ("application/json",)).json()
        previous = found.get("previous")
        return int(found["seq"]), Digest(bytes.fromhex(previous)) if previous else None

    def public_keys(self) -> Mapping[Compartment, BoxPublicKey]:
        """The vault's drop-box keys."""
        found = self._call("GET", f"{self._base}/keys", b"", ("application/json",)).json()
        return {
            Compartment(name): BoxPublicKey.decode(base64.b64decode(encoded))
            for name, encoded in found["keys"].items()
        }


__all__ = ["Fetched", "HttpDropBox", "HttpTransport", "as_source_error", "source_client"]
