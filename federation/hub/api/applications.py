"""An application for the holder key that presented: state, withdrawal, appeal."""

from typing import Any

from fastapi import APIRouter

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import AppealBody, HolderBody, view_to_json
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1/applications", tags=["applications"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {401: PROBLEM, 404: PROBLEM, 422: PROBLEM}


@router.post("/{application}/status", openapi_extra=act(Action.READ_OWN), responses=_PROBLEMS)
def status(application: str, body: HolderBody, hub: HubDep) -> dict[str, Any]:
    """State, reasons, checks, explanation, award."""
    return view_to_json(hub.applications.application(application, proof_jwt=body.proof_jwt))


@router.post(
    "/{application}/withdrawal",
    openapi_extra=act(Action.WITHDRAW),
    responses={**_PROBLEMS, 409: PROBLEM},
)
def withdraw(application: str, body: HolderBody, hub: HubDep) -> dict[str, Any]:
    """Withdraw before a decision."""
    return view_to_json(hub.applications.withdraw(application, proof_jwt=body.proof_jwt))


@router.post("/{application}/appeal", openapi_extra=act(Action.APPEAL), responses=_PROBLEMS)
def appeal(application: str, body: AppealBody, hub: HubDep) -> dict[str, Any]:
    """Contest a refusal."""
    return view_to_json(
        hub.applications.appeal(application, proof_jwt=body.proof_jwt, reason=body.reason)
    )
