"""Errors as RFC 9457 problem documents.

Domain errors know no HTTP. Each server has one table from error class to status and calls
`install` once; the most precise class of an error's ancestry found in the table decides. A problem
holds the stable `code`, a title, and where to look: never a value that came in.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federation.wire.errors import (
    BodyTooLargeError,
    CursorRefusedError,
    DatabaseBusyError,
    OutboundError,
    SignatureRefusedError,
    UnreachableError,
)
from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable

__all__ = [
    "PROBLEM",
    "STATUS",
    "StatusTable",
    "http_response",
    "install",
    "problem_response",
    "validation_response",
]

_log = structlog.get_logger(__name__)

StatusTable = Mapping[type[Any], int]

PROBLEM_TYPE: Final = "https://w3id.org/mobility-vault/problems#"
MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[StatusTable] = {
    BodyTooLargeError: 413,
    CursorRefusedError: 400,
    SignatureRefusedError: 401,
    DatabaseBusyError: 503,
    UnreachableError: 503,
    OutboundError: 502,
    # The families, for every error that no table names.
    NotFound: 404,
    Retriable: 503,
    Refused: 403,
    InvalidInput: 422,
}
"""Where every server starts; a server's own table comes before it."""

PROBLEM: Final[dict[str, Any]] = {
    "description": "Problem (RFC 9457)",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code"],
                "properties": {
                    "type": {"type": "string", "format": "uri"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "where": {"type": "string"},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}
"""For `responses={503: PROBLEM}` in a route."""


def status_of(error: BaseException, table: StatusTable) -> int:
    """HTTP status of an error: its own class first, then its ancestors, then the families."""
    merged = {**STATUS, **table}
    for ancestor in type(error).__mro__:
        if ancestor in table:
            return table[ancestor]
        if ancestor in merged:
            return merged[ancestor]
    return 500


def problem_response(error: BaseException, table: StatusTable) -> JSONResponse:
    """The answer to a request that ended in `error`.

    The message of an error of ours is part of the answer (house rule: no message holds a key, a
    token or a citizen's data); any other exception answers 500 without a word of it.
    """
    status = status_of(error, table) if isinstance(error, MobilityError) else 500
    headers: dict[str, str] = {}
    code = getattr(error, "code", "internal-error")
    body: dict[str, Any] = {
        "type": f"{PROBLEM_TYPE}{code}",
        "title": _title(error),
        "status": status,
        "code": code,
    }
    if isinstance(error, MobilityError) and str(error):
        body["detail"] = str(error)
    where = getattr(error, "where", None)
    if isinstance(error, InvalidInput) and where:
        body["where"] = where
    retry_after_s = getattr(error, "retry_after_s", None)
    if isinstance(error, Retriable):
        headers["Retry-After"] = str(max(1, round(retry_after_s or 5)))
    extra = getattr(error, "problem_extensions", None)
    if callable(extra):
        body |= {key: value for key, value in extra().items() if key not in body}
    return _answer(body, status, headers)


def validation_response(error: Exception) -> JSONResponse:
    """A request of the wrong form: which places break which rule, never what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError | ValidationError) else []
    errors = [
        {"where": _pointer(item.get("loc", ())), "rule": str(item.get("type", "invalid"))}
        for item in found[:20]
    ]
    return _answer(
        {
            "type": f"{PROBLEM_TYPE}invalid-request",
            "title": "The request does not have the expected form",
            "status": 422,
            "code": "invalid-request",
            "errors": errors,
        },
        422,
        {},
    )


def http_response(error: Exception) -> JSONResponse:
    """What the framework refused itself: no such route, a wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    code = {401: "not-authenticated", 403: "refused", 404: "not-found", 405: "wrong-method"}
    name = code.get(status, f"http-{status}")
    return _answer(
        {
            "type": f"{PROBLEM_TYPE}{name}",
            "title": name.replace("-", " ").capitalize(),
            "status": status,
            "code": name,
        },
        status,
        headers,
    )


def install(app: FastAPI, table: StatusTable) -> None:
    """Answer every error of `app` as a problem, validation errors without their input values.

    Call it before adding middleware: what is added later lies around it, so that an unexpected
    error's answer carries the security headers too.
    """

    def of_ours(_request: Request, error: Exception) -> JSONResponse:
        answer = problem_response(error, table)
        level = _log.error if answer.status_code >= 500 else _log.info
        level("http.problem", code=getattr(error, "code", None), status=answer.status_code)
        return answer

    def of_validation(_request: Request, error: Exception) -> JSONResponse:
        return validation_response(error)

    def of_http(_request: Request, error: Exception) -> JSONResponse:
        return http_response(error)

    app.add_exception_handler(MobilityError, of_ours)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    app.add_middleware(_Unexpected, table=table)


class _Unexpected:
    """Answers what no handler took: 500, without a word of the exception."""

    def __init__(self, app: ASGIApp, *, table: StatusTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except BodyTooLargeError:
            raise  # `BodyLimit`, around us, answers
        except Exception as error:
            _log.error("http.unexpected", error_type=type(error).__qualname__, exc_info=True)
            if started or scope["type"] != "http":
                raise
            await problem_response(error, self._table)(scope, receive, send)


def _title(error: BaseException) -> str:
    if not isinstance(error, MobilityError):
        return "The server failed"
    line = (type(error).__doc__ or type(error).__name__).strip().splitlines()[0]
    return line.rstrip(".")


def _pointer(location: tuple[Any, ...]) -> str:
    escaped = (str(part).replace("~", "~0").replace("/", "~1")[:60] for part in location)
    return "/" + "/".join(escaped)


def _answer(body: dict[str, Any], status: int, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(
        body,
        status_code=status,
        headers={"Cache-Control": "no-store", **headers},
        media_type=MEDIA_TYPE,
    )
