"""Public verification and status lists. No account."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import VerifyBody, checks_to_json
from federation.hub.status_lists import suspensions_of
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["verify"])


@router.post("/verify", openapi_extra=act(Action.VERIFY), responses={422: PROBLEM})
def verify(body: VerifyBody, hub: HubDep) -> dict[str, Any]:
    """Signature, issuer and status of a credential or presentation. Nothing is kept."""
    checks = hub.verifying.public(body.document)
    outcomes = {check.outcome for check in checks}
    verdict = "fail" if "fail" in outcomes else "pass"
    if verdict == "pass" and "cannot-tell" in outcomes:
        verdict = "cannot-tell"
    return {"outcome": verdict, "checks": checks_to_json(checks)}


@router.get("/status-lists/{slug}", openapi_extra=act(Action.READ_PUBLIC), responses={404: PROBLEM})
def status_list(slug: str, hub: HubDep) -> JSONResponse:
    """A hosted funder's revocation list, as a signed credential."""
    return _list(hub, slug)


@router.get(
    "/status-lists/{slug}/suspension",
    openapi_extra=act(Action.READ_PUBLIC),
    responses={404: PROBLEM},
)
def suspension_list(slug: str, hub: HubDep) -> JSONResponse:
    """A hosted funder's list of suspensions, as a signed credential."""
    return _list(hub, suspensions_of(slug))


def _list(hub: HubDep, list_id: str) -> JSONResponse:
    return JSONResponse(
        hub.status_lists.signed(list_id),
        media_type="application/vc",
        headers={"Cache-Control": "public, max-age=300"},
    )
