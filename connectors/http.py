"""Sources over HTTP, within bounds: one adapter from `BoundedClient` to the errors of connectors."""

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import (
    AnswerTooLargeError,
    HostileInputError,
    SourceAnswerError,
    SourceBusyError,
    SourceRedirectError,
    SourceRefusedError,
    SourceUnreachableError,
    WrongContentTypeError,
)
from connectors.parsing import load_json
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
from federation.wire.http import AddressPolicy, BoundedClient

MAX_ANSWER: Final = 32_000_000
"""A window of 1 000 composite trips with 100 points each is about 30 MB; larger ones are halved."""
TIMEOUT_S: Final = 60.0
"""e-mission servers answer a month of trips in a few seconds, a first import in tens."""
DEFAULT_RETRY_S: Final = 60
MAX_RETRY_S: Final = 86_400
"""A source may not silence itself for longer than a day with one header."""
_REFUSED: Final = frozenset({401, 403})


def source_client(*, allow_loopback: bool = False, timeout_s: float = TIMEOUT_S) -> BoundedClient:
    """A bounded client for sources: no redirect, address checked, time and bytes limited."""
    policy = AddressPolicy.WITH_LOOPBACK if allow_loopback else AddressPolicy.PUBLIC
    return BoundedClient(timeout_s=timeout_s, max_bytes=MAX_ANSWER, allow=policy)


class HttpTransport:
    """JSON over POST at one base address. Errors name the route, never the body (it holds the token)."""

    def __init__(self, client: BoundedClient, base_url: str) -> None:
        self._client, self._base = client, base_url.rstrip("/")

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer. NaN is let through: the field that has one is refused, not the answer."""
        try:
            answer = self._client.post(
                self._base + path,
                body=json.dumps(body, separators=(",", ":")).encode(),
                content_type="application/json",
                statuses=(200,),
            )
        except OutboundError as error:
            raise as_source_error(error, path) from error
        try:
            return load_json(answer.body, max_bytes=MAX_ANSWER)
        except HostileInputError as error:
            raise SourceAnswerError(where=path, reason=error.reason) from error


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


__all__ = ["HttpTransport", "as_source_error", "source_client"]
