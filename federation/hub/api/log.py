"""The register of decisions, for anybody: signed heads, timestamps, proofs by leaf hash."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.evidence import MAX_LEAVES
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1/log", tags=["log"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {404: PROBLEM, 422: PROBLEM}
_MAX_SIZE = 2**53

Size = Annotated[int, Query(ge=0, le=_MAX_SIZE)]
SizePath = Annotated[int, Path(ge=1, le=_MAX_SIZE)]


def _text(note: bytes, seconds: int) -> Response:
    return Response(
        note,
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": f"public, max-age={seconds}"},
    )


@router.get("/checkpoint", openapi_extra=act(Action.READ_PUBLIC), responses={404: PROBLEM})
def newest(hub: HubDep) -> Response:
    """The newest head, a signed note (C2SP tlog-checkpoint)."""
    return _text(hub.log.checkpoint(), 10)


@router.get("/checkpoint/{size}", openapi_extra=act(Action.READ_PUBLIC), responses=_PROBLEMS)
def head(size: SizePath, hub: HubDep) -> Response:
    """The head of a size."""
    return _text(hub.log.checkpoint(size), 86_400)


@router.get(
    "/checkpoint/{size}/timestamp",
    openapi_extra=act(Action.READ_PUBLIC),
    responses={**_PROBLEMS, 503: PROBLEM},
)
def timestamp(size: SizePath, hub: HubDep) -> Response:
    """The authority's answer over that head (RFC 3161)."""
    return Response(hub.log.timestamp(size), media_type="application/timestamp-reply")


@router.get("/inclusion", openapi_extra=act(Action.READ_PUBLIC), responses=_PROBLEMS)
def inclusion(
    hub: HubDep, leaf: Annotated[str, Query(pattern="^[0-9a-f]{64}$")], size: Size
) -> dict[str, Any]:
    """Where a leaf stands in the tree of `size`, and its path (RFC 9162 §2.1.3)."""
    position, path = hub.log.inclusion(bytes.fromhex(leaf), size)
    return {"position": position, "size": size, "path": [node.hex() for node in path]}


@router.get("/consistency", openapi_extra=act(Action.READ_PUBLIC), responses=_PROBLEMS)
def consistency(hub: HubDep, first: Size, second: Size) -> dict[str, Any]:
    """What shows that one tree is the beginning of the other (RFC 9162 §2.1.4)."""
    path = hub.log.consistency(first, second)
    return {"first": first, "second": second, "path": [node.hex() for node in path]}


@router.get("/leaves", openapi_extra=act(Action.READ_PUBLIC), responses={422: PROBLEM})
def leaves(
    hub: HubDep, start: Size = 0, limit: Annotated[int, Query(ge=1, le=MAX_LEAVES)] = MAX_LEAVES
) -> dict[str, Any]:
    """Leaf hashes in order: enough to compute every head again, and nothing about anyone."""
    found = hub.log.leaves(start, limit)
    return {"start": start, "leaves": [leaf.hex() for leaf in found]}
