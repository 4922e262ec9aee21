"""The citizen's own records over HTTP: pages, one record, conditional writes, four formats."""

import json
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, mint_iri, parse_iri
from schemas.jsonld import CONTEXT_IRI, from_jsonld, parse_json, to_jsonld
from schemas.records import Kind, Record, Trip, kind_of
from vault import editing
from vault.api.deps import MAX_BODY, BodyDep, VaultDep, WriterDep
from vault.api.negotiation import ConditionDep, KeyDep, choose, etag, is_unchanged
from vault.errors import MediaTypeRefusedError, RecordInvalidError, RequestRefusedError
from vault.formats import (
    Format,
    csv_of,
    feature_of,
    geojson_of,
    jsonld_of,
    offered,
    read_turtle,
    turtle_of,
)
from vault.model import Deleted

router = APIRouter(prefix="/v1", responses={401: PROBLEM}, tags=["records"])

_MERGE_PATCH: Final = "application/merge-patch+json"
_WRITE: Final[dict[int | str, dict[str, Any]]] = {
    400: PROBLEM,
    403: PROBLEM,
    412: PROBLEM,
    413: PROBLEM,
    415: PROBLEM,
    422: PROBLEM,
    428: PROBLEM,
    503: PROBLEM,
}
_READ: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            form.value: {"schema": {"type": "object" if "json" in form.value else "string"}}
            for form in Format
        }
    },
    400: PROBLEM,
    406: PROBLEM,
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/ld+json": {"schema": {"type": "object"}},
            "application/json": {"schema": {"type": "object"}},
            "text/turtle": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/records", responses=_READ, response_class=Response)
def records(  # noqa: PLR0917  # FastAPI's arguments
    request: Request,
    vault: VaultDep,
    kind: Kind,
    month: Annotated[str | None, Query(pattern=r"^(\d{4}-\d{2}|undated)$")] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    count: bool = False,
) -> Response:
    """One page of a kind, newest first; `Link: rel="next"` leads on. `count` adds the total."""
    form = choose(request, offered(kind))
    page = vault.records(kind, month=month, cursor=cursor, limit=limit, counted=count)
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    if page.cursor is not None:
        following = request.url.include_query_params(cursor=page.cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if form in {Format.JSON_LD, Format.JSON}:
        body = {
            "@context": [CONTEXT_IRI],
            **({"total": page.total} if count else {}),
            "next": page.cursor,
            "records": [to_jsonld(record) for record in page.records],
        }
        return _answer(json.dumps(body, ensure_ascii=False).encode(), form, headers)
    return _answer(_several(kind, page.records, form), form, headers)


def _several(kind: Kind, found: tuple[Record, ...] | list[Trip], form: Format) -> bytes:
    match form:
        case Format.TURTLE:
            return turtle_of(found)
        case Format.GEOJSON:
            return geojson_of(found)
        case Format.CSV:
            return csv_of(kind, found)
        case _:
            return json.dumps(jsonld_of(found), ensure_ascii=False).encode()


@router.post(
    "/records",
    status_code=201,
    responses={**_WRITE, 201: {"description": "Created"}},
    response_class=Response,
    openapi_extra=_BODY,
)
def create(request: Request, vault: WriterDep, key: KeyDep, body: BodyDep) -> Response:
    """Keep a new record, once for one `Idempotency-Key`. Without an `id` it gets one here."""
    record = _read(request, body, None)
    made, is_new = editing.create(vault, record, key=key, request=body)
    return _written(editing.held(vault, made), 201 if is_new else 200)


@router.get("/records/{iri:path}", responses={**_READ, 404: PROBLEM}, response_class=Response)
def record(request: Request, vault: VaultDep, iri: str) -> Response:
    """One record. Its ETag names this state in this representation."""
    found = editing.held(vault, _iri(iri))
    kind = kind_of(found.record)
    form = choose(request, offered(kind))
    tag = etag(found.tag, form)
    headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "private, no-cache"}
    if is_unchanged(request, tag):
        return Response(None, 304, headers=headers)
    match form:
        case Format.TURTLE:
            body = turtle_of([found.record])
        case Format.CSV:
            body = csv_of(kind, [found.record])
        case Format.GEOJSON:
            drawn = isinstance(found.record, Trip) and found.record.track is not None
            track = vault.track(found.record.id) if drawn else ()
            body = json.dumps(feature_of(found.record, track), ensure_ascii=False).encode()
        case _:
            body = json.dumps(to_jsonld(found.record), ensure_ascii=False).encode()
    return _answer(body, form, headers)


@router.put(
    "/records/{iri:path}",
    responses={**_WRITE, 201: {"description": "Created"}},
    response_class=Response,
    openapi_extra=_BODY,
)
def put(
    request: Request, vault: WriterDep, iri: str, condition: ConditionDep, body: BodyDep
) -> Response:
    """Write a record whole: `If-Match` with the ETag that was read, or `If-None-Match: *`."""
    name = _iri(iri)
    given = _read(request, body, name)
    if given.id != name:
        raise RecordInvalidError("not the id of this address", where="/id")
    written, is_new = editing.put(vault, given, condition)
    return _written(written, 201 if is_new else 200)


@router.patch(
    "/records/{iri:path}",
    responses={**_WRITE, 404: PROBLEM},
    response_class=Response,
    openapi_extra={
        "requestBody": {"content": {_MERGE_PATCH: {"schema": {"type": "object"}}}, "required": True}
    },
)
def patch(
    request: Request, vault: WriterDep, iri: str, condition: ConditionDep, body: BodyDep
) -> Response:
    """Change members (RFC 7396). With `If-Match: *` concurrent patches all take effect."""
    name = _iri(iri)
    if _media_type(request) != _MERGE_PATCH:
        raise MediaTypeRefusedError((_MERGE_PATCH,))
    changes = parse_json(body, max_bytes=MAX_BODY)
    if not isinstance(changes, dict):
        raise RequestRefusedError("a merge patch is an object", where="body")
    return _written(editing.patch(vault, name, changes, condition)[0], 200)


@router.delete("/records/{iri:path}", responses={**_WRITE, 404: PROBLEM})
def remove(vault: WriterDep, iri: str, condition: ConditionDep) -> dict[str, Any]:
    """Delete a record, and what a trip rests on. Its keys go at once; older backups keep theirs
    until `backupsUntil`. `DELETE /v1/decisions/{suppression}` lets a later import bring it back."""
    return deleted(editing.remove(vault, _iri(iri), condition))


def deleted(done: Deleted) -> dict[str, Any]:
    """What a deletion did, for its citizen."""
    return {
        "trips": done.trips,
        "observations": done.observations,
        "suppression": done.suppression,
        "backupsUntil": done.backups_until.isoformat(),
    }


@router.get("/trips", responses=_READ, response_class=Response)
def trips(request: Request, vault: VaultDep, since: date, until: date) -> Response:
    """Trips of whole local days, both ends included, at most 366 days."""
    form = choose(request, offered(Kind.TRIP))
    if not 0 <= (until - since).days <= 366:
        raise RequestRefusedError("from one to 366 days", where="until")
    found = vault.trips(since, until)
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    return _answer(_several(Kind.TRIP, found, form), form, headers)


def _iri(text: str) -> Iri:
    return Iri(parse_iri(text, where="/iri"))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _read(request: Request, body: bytes, iri: Iri | None) -> Record:
    """A record from a body: parsed and checked before any transaction is open."""
    match _media_type(request):
        case Format.JSON_LD | Format.JSON:
            document = parse_json(body, max_bytes=MAX_BODY)
            if isinstance(document, dict):
                document.setdefault("@context", [CONTEXT_IRI])
                document.setdefault("id", iri or mint_iri())
            return from_jsonld(document)
        case Format.TURTLE:
            return read_turtle(body, iri)
    raise MediaTypeRefusedError((Format.JSON_LD, Format.JSON, Format.TURTLE))


def _written(found: editing.Held, status: int) -> Response:
    return _answer(
        json.dumps(to_jsonld(found.record), ensure_ascii=False).encode(),
        Format.JSON_LD,
        {
            "ETag": etag(found.tag, Format.JSON_LD),
            "Location": f"/v1/records/{quote(found.record.id, safe=':/')}",
            "Cache-Control": "no-store",
        },
        status,
    )


def _answer(body: bytes, form: Format, headers: dict[str, str], status: int = 200) -> Response:
    charset = "; charset=utf-8" if form is Format.TURTLE else ""
    extra = "; charset=utf-8; header=present" if form is Format.CSV else charset
    return Response(body, status, {**headers, "Content-Type": form.value + extra})


__all__ = ["deleted", "router"]
