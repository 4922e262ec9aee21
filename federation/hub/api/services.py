"""Service profiles, and the services that announce themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.profiles.service import MAX_SERVICE
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["services"])


@router.get("/profiles", openapi_extra=act(Action.READ_PUBLIC))
def profiles(hub: HubDep) -> Response:
    """Every service profile of this version, signed by the hub (`service-profiles+jwt`)."""
    return Response(hub.services.profiles(), media_type="application/jwt")


@router.get("/services", openapi_extra=act(Action.READ_PUBLIC))
def services(hub: HubDep) -> dict[str, Any]:
    """The announcements in force, each signed by its own member (`mobility-service+jwt`)."""
    return {"services": list(hub.services.announcements())}


@router.post(
    "/services",
    status_code=201,
    openapi_extra=act(Action.ANNOUNCE),
    responses={403: PROBLEM, 422: PROBLEM},
)
def announce(
    token: Annotated[str, Body(media_type="application/jwt", max_length=MAX_SERVICE)], hub: HubDep
) -> dict[str, Any]:
    """Announce a service: what is taken is what an accredited member signed. The same again
    changes nothing."""
    return hub.services.announce(token.strip()).to_claims()
