"""`POST /v1/carpool/booking_events`: an operator's webhook, as the carpool standard has it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from connectors.carpool.bookings import MAX_EVENT, CarpoolBookings
from connectors.push.api.router import ProblemRoute, bounded_body
from federation.wire.problems import PROBLEM


def create_carpool_router(bookings: CarpoolBookings) -> APIRouter:
    """The one route of the standard that a citizen's side has: it offers no rides."""
    router = APIRouter(route_class=ProblemRoute, tags=["carpool"])
    refusals: dict[int | str, dict[str, Any]] = dict.fromkeys(
        (400, 401, 409, 422, 429, 503), PROBLEM
    )

    @router.post("/v1/carpool/booking_events", responses=refusals)
    async def booking_events(request: Request) -> JSONResponse:
        """A booking was made or changed; sealed before the answer."""
        body = await bounded_body(request, MAX_EVENT)
        await run_in_threadpool(bookings.take, body)
        return JSONResponse({})

    return router


__all__ = ["create_carpool_router"]
