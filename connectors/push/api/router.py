"""Routes of push: parse, one service call, shape the answer."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Body, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from connectors.errors import (
    HostileInputError,
    IdempotencyError,
    InvoiceSumError,
    PairingError,
    PushBusyError,
    PushInvalidError,
    PushScopeError,
    PushTokenError,
    ReceiptUnknownError,
)
from connectors.push.form import JSON, JSON_LD, MAX_BODY
from connectors.push.service import PushService
from federation.wire.errors import BodyTooLargeError
from federation.wire.problems import PROBLEM, StatusTable, problem_response
from schemas.errors import MobilityError


class UnsupportedMediaError(HostileInputError):
    """A body of another media type than JSON or JSON-LD."""

    code = "media-type"

    def __init__(self) -> None:
        super().__init__(f"send {JSON} or {JSON_LD}")


STATUS: Final[StatusTable] = {
    UnsupportedMediaError: 415,
    PushTokenError: 401,
    PushScopeError: 403,
    PairingError: 403,
    ReceiptUnknownError: 404,
    IdempotencyError: 409,
    PushInvalidError: 422,
    InvoiceSumError: 422,
    HostileInputError: 400,
    PushBusyError: 429,
}


class ProblemRoute(APIRoute):
    """Answers this package's errors as problems, whatever application mounts the router."""

    table: ClassVar[StatusTable] = STATUS

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except MobilityError as error:
                table = self.table
                if isinstance(error, PushBusyError) and error.full:
                    table = {**table, PushBusyError: 503}
                answer = problem_response(error, table)
                if isinstance(error, PushTokenError):
                    answer.headers["WWW-Authenticate"] = "Bearer"
                return answer

        return answered


class PairingRequest(BaseModel):
    """An app hands in the code a person gave it."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(min_length=8, max_length=12)
    app: str = Field(default="app", min_length=1, max_length=80)


class PairingAnswer(BaseModel):
    """The app's token. It can only add, and only these kinds."""

    token: str
    token_id: str
    source: str
    kinds: tuple[str, ...]
    push: str


class PushAnswer(BaseModel):
    """Taken and sealed. Ask `status` for what the vault made of it."""

    receipt: str
    records: int
    status: str


class RefusalAnswer(BaseModel):
    pointer: str
    code: str


class MetadataAnswer(BaseModel):
    """As moB answered; `subscriptionURL` is where the citizen sees what was left."""

    metadataId: str  # noqa: N815  # moB's name
    subscriptionURL: str  # noqa: N815  # moB's name


class StatusAnswer(BaseModel):
    """Form and dates only."""

    receipt: str
    state: str
    records: int
    received_at: str
    rejected: tuple[RefusalAnswer, ...]


async def bounded_body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it passes the limit, whatever its headers say."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(limit=limit)
        parts.append(part)
    return b"".join(parts)


def _bearer(authorization: str | None) -> str:
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise PushTokenError
    return secret.strip()


def create_push_router(service: PushService) -> APIRouter:
    """`POST /v1/push`, `GET /v1/push/{receipt}`, `POST /v1/subscriptions/metadata`,
    `POST /v1/pairings`."""
    router = APIRouter(route_class=ProblemRoute, tags=["push"])
    refusals: dict[int | str, dict[str, Any]] = dict.fromkeys(
        (400, 401, 403, 409, 413, 415, 422, 429, 503), PROBLEM
    )

    @router.post("/v1/push", status_code=202, responses=refusals)
    async def push(
        request: Request,
        response: Response,
        authorization: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
        content_type: Annotated[str, Header()] = JSON,
    ) -> PushAnswer:
        """Leave 1 to 500 trips: plain JSON, or JSON-LD with our context."""
        secret = _bearer(authorization)
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in {JSON, JSON_LD}:
            raise UnsupportedMediaError
        body = await bounded_body(request, MAX_BODY)
        taken = await run_in_threadpool(service.push, secret, body, media_type, key=idempotency_key)
        where = f"/v1/push/{taken.receipt}"
        response.headers["Location"] = where
        return PushAnswer(receipt=taken.receipt, records=taken.records, status=where)

    @router.get("/v1/push/{receipt}", responses={401: PROBLEM, 404: PROBLEM})
    def status(receipt: str, authorization: Annotated[str | None, Header()] = None) -> StatusAnswer:
        """What became of a batch: waiting, taken, or rejected and why."""
        found = service.outcome(_bearer(authorization), receipt)
        return StatusAnswer(
            receipt=receipt,
            state=found.state,
            records=found.records,
            received_at=found.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            rejected=tuple(
                RefusalAnswer(pointer=refusal.pointer, code=refusal.code)
                for refusal in found.refusals
            ),
        )

    @router.post("/v1/subscriptions/metadata", responses=refusals)
    async def metadata(
        request: Request,
        response: Response,
        authorization: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
    ) -> MetadataAnswer:
        """Leave invoices as a MaaS left them at moB: same path, same body, same answer."""
        secret = _bearer(authorization)
        body = await bounded_body(request, MAX_BODY)
        made = await run_in_threadpool(service.push_metadata, secret, body, key=idempotency_key)
        response.headers["Cache-Control"] = "no-store"
        return MetadataAnswer(
            metadataId=made.receipt, subscriptionURL=f"{service.address}/coffre/documents"
        )

    @router.post("/v1/pairings", status_code=201, responses={403: PROBLEM, 429: PROBLEM})
    def pair(
        request: Request, given: Annotated[PairingRequest, Body()], response: Response
    ) -> PairingAnswer:
        """Exchange a pairing code for a token."""
        client = request.client.host if request.client else "unknown"
        made = service.pair(given.code, app=given.app, client=client)
        response.headers["Cache-Control"] = "no-store"
        return PairingAnswer(
            token=made.token,
            token_id=made.token_id,
            source=made.source,
            kinds=made.kinds,
            push="/v1/push",
        )

    return router


__all__ = ["STATUS", "ProblemRoute", "bounded_body", "create_push_router"]
