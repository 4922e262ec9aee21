"""Operators' offers: the contract, publishing one card, and every card in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Response
from fastapi.responses import JSONResponse

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.offers import MAX_CARD, offer_schema
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["offers"])


@router.get("/offers", openapi_extra=act(Action.READ_PUBLIC))
def offers(
    hub: HubDep, if_none_match: Annotated[str | None, Header(max_length=128)] = None
) -> Response:
    """Every card in force, each as its operator signed it (`mobility-offer+jwt`), with its ETag;
    the same file for everybody."""
    known = if_none_match.strip('"') if if_none_match else None
    file = hub.offers.file(if_version=known)
    if file is None:
        return Response(status_code=304, headers={"ETag": f'"{known}"'})
    return Response(
        file.content,
        media_type="application/json",
        headers={"ETag": f'"{file.version}"', "Cache-Control": "public, max-age=300"},
    )


@router.post(
    "/offers",
    status_code=201,
    openapi_extra=act(Action.ANNOUNCE),
    responses={403: PROBLEM, 422: PROBLEM},
)
def publish(
    token: Annotated[str, Body(media_type="application/jwt", max_length=MAX_CARD)], hub: HubDep
) -> dict[str, Any]:
    """Publish one card: what is taken is what an accredited operator signed; somebody here reads it
    before it is listed. The same again tells where it stands, and why."""
    taken = hub.offers.publish(token.strip())
    return {
        "id": taken.card.id,
        "version": taken.card.version,
        "state": taken.found.state.value,
        "note": taken.found.note,
    }


@router.get("/schemas/offer.json", openapi_extra=act(Action.READ_PUBLIC))
def schema() -> JSONResponse:
    """JSON Schema (2020-12) of the claims of a card."""
    return JSONResponse(
        offer_schema(),
        media_type="application/schema+json",
        headers={"Cache-Control": "public, max-age=86400"},
    )
