"""Aids, the signed catalogue, the signed trust snapshot, and asking for a request."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from federation.aids.errors import UnknownAidError
from federation.aids.linked import aid_schema, aid_shapes
from federation.aids.model import aid_to_json
from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import RequestBody, pointer_to_json
from federation.wire.paging import clamp
from federation.wire.problems import PROBLEM
from schemas.ids import Iri
from schemas.members import instant_text

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["catalogue"])

NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: PROBLEM}
LASTING: Final = {"Cache-Control": "public, max-age=86400"}


@router.get("/aids", openapi_extra=act(Action.READ_PUBLIC), responses={400: PROBLEM})
def aids(
    hub: HubDep,
    territory: Annotated[str | None, Query(max_length=16)] = None,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
) -> dict[str, Any]:
    """Open aids, those of hosted funders first; `territory` is a code (commune, EPCI…)."""
    catalogue = hub.publishing.public()
    day = hub.clock().date()
    kept = [
        aid
        for aid in catalogue.aids
        if aid.is_open(day)
        and (
            territory is None
            or not aid.territories
            or any(t.code == territory for t in aid.territories)
        )
    ]
    name = f"aids:{catalogue.version}:{territory or ''}"
    start = int(hub.cursors.read(cursor, of=name)) if cursor else 0
    size = clamp(limit)
    page = kept[start : start + size]
    following = start + size
    return {
        "items": [
            {
                "id": aid.id,
                "slug": aid.slug,
                "version": aid.version,
                "titles": dict(aid.titles),
                "summaries": dict(aid.summaries),
                "funder": aid.funder,
                "funderName": aid.funder_name,
                "funderLevel": aid.funder_level.value,
                "checkMode": aid.check_mode.value,
                "link": aid.link,
                "source": aid.source,
                "lastVerified": aid.last_verified.isoformat() if aid.last_verified else None,
            }
            for aid in page
        ],
        "total": len(kept),
        "cursor": hub.cursors.sign(following, of=name) if following < len(kept) else None,
    }


@router.get("/aids/{slug}", openapi_extra=act(Action.READ_PUBLIC), responses={404: PROBLEM})
def aid(slug: str, hub: HubDep) -> dict[str, Any]:
    """One aid, complete (`/v1/schemas/aid.json` is its JSON Schema)."""
    return aid_to_json(hub.publishing.public().aid(slug))


@router.get("/aids/{slug}/revisions", openapi_extra=act(Action.READ_PUBLIC), responses=NOT_FOUND)
def revisions(slug: str, hub: HubDep) -> dict[str, Any]:
    """Every state of an aid anybody could read, the newest first; who works where is not told."""
    return {
        "items": [
            {
                "number": found.number,
                "version": found.aid.version,
                "status": found.aid.status.value,
                "at": instant_text(found.at),
                "by": found.actor if found.actor in ("hub", "import", "calendar") else "funder",
                "note": found.note,
                "changed": list(found.changed),
            }
            for found in reversed(hub.publishing.revisions(slug))
        ]
    }


@router.get(
    "/aids/{slug}/revisions/{number}", openapi_extra=act(Action.READ_PUBLIC), responses=NOT_FOUND
)
def revision(slug: str, number: int, hub: HubDep) -> dict[str, Any]:
    """One aid as it was from that revision on."""
    found = next((r for r in hub.publishing.revisions(slug) if r.number == number), None)
    if found is None:
        raise UnknownAidError(slug)
    return aid_to_json(found.aid)


@router.get("/schemas/aid.json", openapi_extra=act(Action.READ_PUBLIC))
def schema() -> JSONResponse:
    """JSON Schema (2020-12) of one aid."""
    return JSONResponse(aid_schema(), media_type="application/schema+json", headers=LASTING)


@router.get("/schemas/aid.ttl", openapi_extra=act(Action.READ_PUBLIC))
def shapes() -> Response:
    """SHACL shapes of an aid as linked data."""
    return Response(aid_shapes(), media_type="text/turtle; charset=utf-8", headers=LASTING)


@router.get("/catalogue", openapi_extra=act(Action.READ_PUBLIC))
def catalogue(
    hub: HubDep, if_none_match: Annotated[str | None, Header(max_length=128)] = None
) -> Response:
    """The signed catalogue (`mobility-catalogue+jwt`), with its ETag."""
    known = if_none_match.strip('"') if if_none_match else None
    signed = hub.publishing.signed(if_version=known)
    if signed is None:
        return Response(status_code=304, headers={"ETag": f'"{known}"'})
    return Response(
        signed.content,
        media_type="application/jwt",
        headers={"ETag": f'"{signed.version}"', "Cache-Control": "public, max-age=300"},
    )


@router.get("/trust", openapi_extra=act(Action.READ_PUBLIC))
def trust(hub: HubDep) -> Response:
    """The signed snapshot of the trust registry."""
    return Response(
        hub.registry.signed(),
        media_type="application/jwt",
        headers={"Cache-Control": "public, max-age=60"},
    )


@router.post(
    "/aids/{slug}/requests",
    status_code=201,
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM, 422: PROBLEM},
)
def ask(slug: str, body: RequestBody, hub: HubDep) -> dict[str, Any]:
    """A new signed presentation request for one application."""
    return pointer_to_json(
        hub.applications.request(
            hub.publishing.aid(slug).id,
            Iri(body.application),
            period=(body.period_from, body.period_until),
        )
    )
