"""Aids, search, feed and files, the signed catalogue, the trust snapshot, asking for a request."""

# ruff: noqa: PLR0917 - a route's parameters are its query's fields

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse

from federation.aids.errors import UnknownAidError
from federation.aids.linked import CONTEXT, aid_node, aid_schema, aid_shapes
from federation.aids.model import aid_to_json
from federation.aids.search import Hit
from federation.aids.search import Query as Asked
from federation.aids.territories import by_code
from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import RequestBody, pointer_to_json
from federation.hub.errors import EntryRefusedError
from federation.hub.open_data import etag_of, knows
from federation.hub.territory import linked_territory
from federation.wire.paging import clamp
from federation.wire.problems import PROBLEM
from schemas.contracts import contract
from schemas.ids import Iri
from schemas.members import instant_text

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["catalogue"])

NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: PROBLEM}
LASTING: Final = {"Cache-Control": "public, max-age=86400"}
SHORT: Final = {"Cache-Control": "public, max-age=300"}
ANYWHERE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Open data is read by pages of others too; no cookie plays a part in it."""


WORD: Final = Query(max_length=100)
CODE: Final = Query(max_length=40)


@router.get("/aids", openapi_extra=act(Action.READ_PUBLIC), responses={400: PROBLEM, 422: PROBLEM})
def aids(
    hub: HubDep,
    q: Annotated[str, WORD] = "",
    commune: Annotated[str, CODE] = "",
    territory: Annotated[str | None, Query(max_length=16)] = None,
    theme: Annotated[str, CODE] = "",
    mode: Annotated[str, CODE] = "",
    funder: Annotated[str, Query(max_length=255)] = "",
    level: Annotated[str, CODE] = "",
    profile: Annotated[str, CODE] = "",
    check: Annotated[str, CODE] = "",
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """Open aids that answer, in order; `why` of each tells what it owes its place to.

    `q`: French words, without accents if you like. `commune`: INSEE code; the nearest territory
    first. `territory`: a code of any level, and what is valid everywhere.
    """
    here = by_code(commune) if commune else None
    if commune and here is None:
        raise EntryRefusedError("not a commune's code", where="commune")
    asked = Asked(
        words=q,
        commune=here,
        territory=territory or "",
        theme=theme,
        mode=mode,
        funder=funder,
        level=level,
        profile=profile,
        check=check,
    )
    version, day = hub.open_data.key()
    text = "\0".join((q, commune, territory or "", theme, mode, funder, level, profile, check))
    name = f"aids:{version}:{day}:{hashlib.sha256(text.encode()).hexdigest()}"
    start = int(hub.cursors.read(cursor, of=name)) if cursor else 0
    size = clamp(limit)
    etag = hashlib.sha256(f"{name}:{start}:{size}".encode()).hexdigest()[:32]
    if knows(if_none_match, etag):
        return _unchanged(etag)
    following = start + size
    found = hub.open_data.finder().find(asked, start=start, stop=following)
    return _answer(
        {
            "items": [_found(hit) for hit in found.hits],
            "total": found.total,
            "partial": found.is_partial,
            "facets": found.facets,
            "order": ORDER,
            "cursor": hub.cursors.sign(following, of=name) if following < found.total else None,
        },
        etag,
    )


ORDER: Final = (
    "words (weight of the best field × rarity, summed)",
    "nearest territory, when a commune is given",
    "asked for here before elsewhere",
    "newest verification",
    "slug",
)


def _found(hit: Hit) -> dict[str, Any]:
    aid = hit.aid
    return {
        "id": aid.id,
        "slug": aid.slug,
        "version": aid.version,
        "titles": dict(aid.titles),
        "summaries": dict(aid.summaries),
        "funder": aid.funder,
        "funderName": aid.funder_name,
        "funderLevel": aid.funder_level.value,
        "territories": [{"kind": t.kind.value, "code": t.code} for t in aid.territories],
        "themes": list(aid.themes),
        "checkMode": aid.check_mode.value,
        "link": aid.link,
        "endsOn": aid.ends_on.isoformat() if aid.ends_on else None,
        "source": aid.source,
        "lastVerified": aid.last_verified.isoformat() if aid.last_verified else None,
        "why": {"score": round(hit.score, 3), "fields": list(hit.fields), "near": hit.near},
    }


def _unchanged(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": f'"{etag}"', **SHORT, **ANYWHERE})


def _answer(document: Any, etag: str, media_type: str = "application/json") -> Response:
    return JSONResponse(
        document, media_type=media_type, headers={"ETag": f'"{etag}"', **SHORT, **ANYWHERE}
    )


@router.get(
    "/territories/{level}/{code}", openapi_extra=act(Action.READ_PUBLIC), responses=NOT_FOUND
)
def territory(
    level: Annotated[str, Path(max_length=16)],
    code: Annotated[str, Path(max_length=24)],
    hub: HubDep,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """A commune, EPCI, departement or region as its page tells it, as JSON-LD: aids in force with
    the most each gives, and the smaller territories that have aids of their own."""
    document = linked_territory(hub, level, code)
    etag = etag_of(document)
    if knows(if_none_match, etag):
        return _unchanged(etag)
    return _answer(document, etag, "application/ld+json")


@router.get("/aids/changes", openapi_extra=act(Action.READ_PUBLIC), responses={400: PROBLEM})
def changes(
    hub: HubDep,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """What came, changed and went since a cursor, each aid once, in its newest state.

    Without a cursor, from the beginning. Keep the cursor of the last answer: the same call brings
    the news of next week. `deleted` is a tombstone: the aid is no longer in force.
    """
    after = int(hub.cursors.read(cursor, of="aids:changes")) if cursor else 0
    size = clamp(limit)
    found, last = hub.publishing.changed(after=after, limit=size)
    etag = hashlib.sha256(f"changes:{after}:{size}:{last}:{hub.clock().date()}".encode())
    if knows(if_none_match, etag.hexdigest()[:32]):
        return _unchanged(etag.hexdigest()[:32])
    return _answer(
        {
            "items": [
                {
                    "number": revision.number,
                    "id": revision.aid.id,
                    "slug": revision.aid.slug,
                    "version": revision.aid.version,
                    "at": instant_text(revision.at),
                    "deleted": not is_open,
                    **({"aid": aid_to_json(revision.aid)} if is_open else {}),
                }
                for revision, is_open in found
            ],
            "cursor": hub.cursors.sign(last, of="aids:changes"),
            "more": hub.publishing.newest() > last,
        },
        etag.hexdigest()[:32],
    )


@router.get("/open-data", openapi_extra=act(Action.READ_PUBLIC))
def open_data(
    hub: HubDep, if_none_match: Annotated[str | None, Header(max_length=128)] = None
) -> Response:
    """The data catalogue for harvesters: DCAT-AP 3 in JSON-LD."""
    document = hub.open_data.catalogue()
    etag = etag_of(document)
    if knows(if_none_match, etag):
        return _unchanged(etag)
    return _answer(document, etag, "application/ld+json")


@router.get("/open-data/services", openapi_extra=act(Action.READ_PUBLIC))
def services(
    hub: HubDep,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """Aids in force as CPSV-AP public services, then tombstones; pages with Hydra's links."""
    document = hub.open_data.services(page)
    etag = etag_of(document)
    if knows(if_none_match, etag):
        return _unchanged(etag)
    return _answer(document, etag, "application/ld+json")


@router.get("/open-data/{name}", openapi_extra=act(Action.READ_PUBLIC), responses=NOT_FOUND)
def dump(
    name: str,
    hub: HubDep,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """Every aid in force in one file: `aides.jsonld`, `aides.nq`, `aides.csv`."""
    file = hub.open_data.file(name)
    if file is None:
        raise UnknownAidError(name)
    if knows(if_none_match, file.etag):
        return _unchanged(file.etag)
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            "ETag": f'"{file.etag}"',
            "Content-Disposition": f'attachment; filename="{name}"',
            **SHORT,
            **ANYWHERE,
        },
    )


@router.get("/aids/{slug}", openapi_extra=act(Action.READ_PUBLIC), responses={404: PROBLEM})
def aid(slug: str, hub: HubDep) -> dict[str, Any]:
    """One aid, complete (`/v1/schemas/aid.json` is its JSON Schema)."""
    return aid_to_json(hub.publishing.public().aid(slug))


@router.get("/aids/{slug}/linked", openapi_extra=act(Action.READ_PUBLIC), responses=NOT_FOUND)
def linked(slug: str, hub: HubDep) -> Response:
    """One aid as JSON-LD: `schema:FinancialIncentive` and `cpsv:PublicService`."""
    aid = hub.publishing.public().aid(slug)
    document = {"@context": dict(CONTEXT), **aid_node(aid, hub.open_data.linked)}
    return _answer(document, etag_of(document), "application/ld+json")


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


@router.get("/schemas/mobility-account.json", openapi_extra=act(Action.READ_PUBLIC))
def mobility_account() -> Response:
    """OpenAPI of what an operator serves so that vaults read from it: `mobility-account/1`."""
    return Response(contract("mobility-account"), media_type="application/json", headers=LASTING)


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


@router.get("/reserved", openapi_extra=act(Action.READ_PUBLIC))
def reserved(
    hub: HubDep, if_none_match: Annotated[str | None, Header(max_length=128)] = None
) -> Response:
    """Aids reserved to some, sealed circle by circle under keys that were handed to their people;
    the same file for everybody, with its ETag."""
    known = if_none_match.strip('"') if if_none_match else None
    file = hub.reserved.file(if_version=known)
    if file is None:
        return Response(status_code=304, headers={"ETag": f'"{known}"'})
    return Response(
        file.content,
        media_type="application/json",
        headers={"ETag": f'"{file.version}"', "Cache-Control": "public, max-age=300"},
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
