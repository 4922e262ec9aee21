"""Routes of the apps on phones: each answers in the words its app waits for.

The token comes as Bearer (Overland, GPSLogger), as the password of Basic (OwnTracks), or where the
protocol has no other place in the payload (Traccar). Nothing of a request is logged.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from connectors.errors import HostileInputError, PairingError
from connectors.phones.form import MAX_BODY, App
from connectors.phones.service import PhoneService
from connectors.push.api.router import ProblemRoute, bounded_body
from federation.wire.problems import PROBLEM

ANSWERS: Final = {
    App.OWNTRACKS: (b"[]", "application/json"),
    App.OVERLAND: (b'{"result":"ok"}', "application/json"),
    App.TRACCAR: (b"", "text/plain"),
    App.GPSLOGGER: (b"", "text/plain"),
}
"""What makes each app let go of what it sent."""


def create_points_router(
    service: PhoneService, *, profile: Callable[[str, str], str] | None = None
) -> APIRouter:
    """`POST /v1/points/{app}` for each app, and GPSLogger's one-time profile."""
    router = APIRouter(route_class=ProblemRoute, tags=["points"])
    refusals: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 413, 429, 503), PROBLEM)

    def add(app: App, methods: list[str]) -> None:
        async def take(
            request: Request, authorization: Annotated[str | None, Header()] = None
        ) -> Response:
            body = await bounded_body(request, MAX_BODY)
            query = request.url.query if app == App.TRACCAR else ""
            if len(query) > 4_096:
                raise HostileInputError("query over 4096 characters")
            await run_in_threadpool(
                service.take, app, body, query=query, secret=_secret(authorization)
            )
            content, media_type = ANSWERS[app]
            return Response(content, media_type=media_type)

        take.__name__ = f"take_{app.value}"
        router.add_api_route(
            f"/v1/points/{app.value}",
            take,
            methods=methods,
            responses=refusals,
            summary=f"Points of {app.value}, sealed before the answer.",
        )

    for app in App:
        add(app, ["GET", "POST"] if app == App.TRACCAR else ["POST"])

    if profile is not None:

        @router.get("/v1/points/gpslogger/{code}", responses={403: PROBLEM, 429: PROBLEM})
        def gpslogger(code: str, request: Request) -> PlainTextResponse:
            """GPSLogger's profile with a fresh token, for a code that serves once."""
            if len(code) > 40:
                raise PairingError
            client = request.client.host if request.client else "unknown"
            return PlainTextResponse(profile(code, client), headers={"cache-control": "no-store"})

    return router


def _secret(authorization: str | None) -> str | None:
    scheme, _, value = (authorization or "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic" and value:
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return None


__all__ = ["create_points_router"]
