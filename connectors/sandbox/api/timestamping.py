"""The timestamp authority's routes."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from connectors.sandbox.timestamping import TimestampAuthority
from federation.timestamps import QUERY_TYPE, REPLY_TYPE

__all__ = ["create_timestamp_router"]


def create_timestamp_router(authority: TimestampAuthority) -> APIRouter:
    """Routes below `/horodatage`."""
    router = APIRouter(prefix="/horodatage", tags=["timestamps"])

    @router.post("", response_class=Response)
    def stamp(query: Annotated[bytes, Body(media_type=QUERY_TYPE)]) -> Response:
        """Answer one query (RFC 3161 §3.4)."""
        return Response(authority.answer(query), media_type=REPLY_TYPE)

    @router.get("/racine.pem")
    def root() -> Response:
        """The root certificate: without legal value."""
        return Response(authority.root_pem, media_type="application/x-pem-file")

    return router
