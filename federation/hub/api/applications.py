"""An application for the holder key that presented: state, withdrawal, appeal."""

from typing import Any

from fastapi import APIRouter, Response

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import (
    AnswerBody,
    AppealBody,
    AttachBody,
    AuditBody,
    DeclarationBody,
    HolderBody,
    WatchBody,
    view_to_json,
)
from federation.hub.errors import DocumentRefusedError
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1/applications", tags=["applications"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {401: PROBLEM, 404: PROBLEM, 422: PROBLEM}


@router.post("/{application}/status", openapi_extra=act(Action.READ_OWN), responses=_PROBLEMS)
def status(application: str, body: HolderBody, hub: HubDep) -> dict[str, Any]:
    """State, reasons, checks, explanation, award."""
    return view_to_json(hub.applications.application(application, proof_jwt=body.proof_jwt))


@router.post("/{application}/steps", openapi_extra=act(Action.READ_OWN), responses=_PROBLEMS)
def steps(application: str, body: WatchBody, hub: HubDep) -> dict[str, int]:
    """How many steps there are: that there is news, not which."""
    return {"steps": hub.applications.steps(application, watch_jwt=body.watch_jwt)}


@router.post("/{application}/evidence", openapi_extra=act(Action.READ_OWN), responses=_PROBLEMS)
def evidence(application: str, body: HolderBody, hub: HubDep) -> Response:
    """What shows the decision to a third party (ZIP)."""
    found = hub.applications.evidence(application, proof_jwt=body.proof_jwt)
    return Response(found, media_type="application/zip")


@router.post(
    "/{application}/withdrawal",
    openapi_extra=act(Action.WITHDRAW),
    responses={**_PROBLEMS, 409: PROBLEM},
)
def withdraw(application: str, body: HolderBody, hub: HubDep) -> dict[str, Any]:
    """Withdraw before a decision."""
    return view_to_json(hub.applications.withdraw(application, proof_jwt=body.proof_jwt))


@router.post(
    "/{application}/sendings-ended", openapi_extra=act(Action.WITHDRAW), responses=_PROBLEMS
)
def end_sendings(application: str, body: HolderBody, hub: HubDep) -> dict[str, Any]:
    """Tell the funder that the standing consent behind an application was withdrawn."""
    return view_to_json(hub.applications.end_sendings(application, proof_jwt=body.proof_jwt))


@router.post("/{application}/answer", openapi_extra=act(Action.ANSWER), responses=_PROBLEMS)
def answer(application: str, body: AnswerBody, hub: HubDep) -> dict[str, Any]:
    """Answer a request for information in words."""
    return view_to_json(
        hub.applications.answer(application, proof_jwt=body.proof_jwt, text=body.text)
    )


@router.post("/{application}/documents", openapi_extra=act(Action.ATTACH), responses=_PROBLEMS)
def attach(application: str, body: AttachBody, hub: HubDep) -> dict[str, Any]:
    """Join a document that only the funder's key opens."""
    try:
        document = body.document.envelope()
    except ValueError as error:
        raise DocumentRefusedError("malformed") from error
    return view_to_json(
        hub.applications.attach(application, proof_jwt=body.proof_jwt, document=document)
    )


@router.post(
    "/{application}/declaration",
    openapi_extra=act(Action.ANSWER),
    responses={**_PROBLEMS, 409: PROBLEM},
)
def declare(application: str, body: DeclarationBody, hub: HubDep) -> dict[str, Any]:
    """Answers on one's honour, which the rule computes a proposal from."""
    return view_to_json(
        hub.applications.declare(application, proof_jwt=body.proof_jwt, answers=body.answers)
    )


@router.post("/{application}/appeal", openapi_extra=act(Action.APPEAL), responses=_PROBLEMS)
def appeal(application: str, body: AppealBody, hub: HubDep) -> dict[str, Any]:
    """Contest a refusal."""
    return view_to_json(
        hub.applications.appeal(application, proof_jwt=body.proof_jwt, reason=body.reason)
    )


@router.post(
    "/{application}/audit",
    openapi_extra=act(Action.ANSWER),
    responses={**_PROBLEMS, 409: PROBLEM},
)
def audit(application: str, body: AuditBody, hub: HubDep) -> dict[str, Any]:
    """Answer, or decline, the funder's check by sample."""
    return view_to_json(
        hub.applications.answer_audit(application, proof_jwt=body.proof_jwt, answer=body.answer)
    )
