"""Documents over HTTP: bytes in, bytes out, destroyed with their keys."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, parse_iri
from schemas.jsonld import to_jsonld
from vault import editing
from vault.api.deps import VaultDep, WriterDep, read_whole
from vault.api.negotiation import KeyDep, etag, is_unchanged
from vault.documents import EXTENSIONS, MAX_DOCUMENT, add_document, document, read_document
from vault.formats import Format

__all__ = ["MAX_DOCUMENT", "router"]

router = APIRouter(prefix="/v1/documents", responses={401: PROBLEM}, tags=["documents"])


async def read_file(request: Request) -> bytes:
    """The body, at most `MAX_DOCUMENT` bytes."""
    return await read_whole(request, limit=MAX_DOCUMENT)


@router.post(
    "",
    status_code=201,
    responses={400: PROBLEM, 403: PROBLEM, 404: PROBLEM, 413: PROBLEM, 415: PROBLEM},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
def keep(  # noqa: PLR0917  # FastAPI's arguments
    vault: WriterDep,
    key: KeyDep,
    data: Annotated[bytes, Depends(read_file)],
    response: Response,
    title: Annotated[str, Query(min_length=1, max_length=200)],
    about: Annotated[str | None, Query(max_length=2_048)] = None,
) -> dict[str, Any]:
    """Keep a file. Its media type is what its bytes say; `about` names the record it proves."""
    proves = None if about is None else Iri(parse_iri(about, where="/about"))
    kept = add_document(vault, data, title=title, about=proves, key=key)
    found = editing.held(vault, kept.id)
    response.headers["ETag"] = etag(found.tag, Format.JSON_LD)
    response.headers["Location"] = f"/v1/records/{quote(kept.id, safe=':/')}"
    return to_jsonld(found.record)


@router.get(
    "/{iri:path}/content",
    responses={404: PROBLEM, 200: {"content": {"application/octet-stream": {}}}},
    response_class=StreamingResponse,
)
def content(request: Request, vault: VaultDep, iri: str) -> Response:
    """The bytes, always as a download: no file of a citizen is shown as a page of this site."""
    found = document(vault, Iri(parse_iri(iri, where="/iri")))
    tag = f'"{found.content.hex()}"'
    ending = EXTENSIONS.get(found.media_type, "bin")
    name = found.title if found.title.endswith(f".{ending}") else f"{found.title}.{ending}"
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": "attachment; filename*=UTF-8''" + quote(name, safe=""),
        "X-Content-Type-Options": "nosniff",
    }
    if is_unchanged(request, tag):
        return Response(None, 304, headers=headers)
    headers["Content-Length"] = str(found.size)
    return StreamingResponse(
        read_document(vault, found.id), media_type=found.media_type, headers=headers
    )
