"""The desk over HTTP: sign-in, queue, one application, decisions. Pages are the portal's."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from federation.hub.access import Action
from federation.hub.api.access import COOKIE, HubDep, act, signed_in
from federation.hub.api.shapes import (
    AssignBody,
    DecisionBody,
    InformationBody,
    SignInBody,
    application_row,
    member_to_json,
    view_to_json,
)
from federation.hub.members import Member
from federation.hub.model import QueueFilter
from federation.trust import format_instant
from federation.wire.problems import PROBLEM
from schemas.records import ApplicationState

__all__ = ["router"]

router = APIRouter(prefix="/v1/desk", tags=["desk"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {401: PROBLEM, 403: PROBLEM, 404: PROBLEM}


@router.post("/session", openapi_extra=act(Action.SIGN_IN), responses={401: PROBLEM, 503: PROBLEM})
def sign_in(body: SignInBody, request: Request, response: Response, hub: HubDep) -> dict[str, Any]:
    """Open a session; the cookie is `__Host-guichet`, the CSRF token goes into a header."""
    address = request.client.host if request.client else ""
    session = hub.members.sign_in(body.login, body.password, address=address)
    response.set_cookie(
        COOKIE, session.cookie, httponly=True, secure=True, samesite="lax", path="/"
    )
    return {"member": member_to_json(session.member), "csrf": session.csrf}


@router.delete("/session", status_code=204, openapi_extra=act(Action.SIGN_IN))
def sign_out(request: Request, hub: HubDep) -> Response:
    """Close the session."""
    cookie = request.cookies.get(COOKIE)
    if cookie:
        hub.members.sign_out(cookie)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, secure=True, samesite="lax", path="/")
    return answer


@router.get("/applications", openapi_extra=act(Action.READ_QUEUE), responses=_PROBLEMS)
def queue(
    *,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_QUEUE))],
    state: Annotated[list[ApplicationState] | None, Query()] = None,
    aid: Annotated[str, Query(max_length=255)] = "",
    to_review: Annotated[bool | None, Query()] = None,
    search: Annotated[str, Query(max_length=64)] = "",
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
) -> dict[str, Any]:
    """The queue of the member's funder, oldest first."""
    page = hub.desk.queue(
        member,
        QueueFilter(frozenset(state or ()), aid, to_review, search=search),
        cursor=cursor,
        limit=limit,
    )
    return {"items": [application_row(item) for item in page.items], "cursor": page.cursor}


@router.get("/counts", openapi_extra=act(Action.READ_COUNTS), responses=_PROBLEMS)
def counts(
    hub: HubDep, member: Annotated[Member, Depends(signed_in(Action.READ_COUNTS))]
) -> dict[str, int]:
    """Applications by state."""
    return hub.desk.counts(member)


@router.get("/refusals", openapi_extra=act(Action.READ_COUNTS), responses=_PROBLEMS)
def refusals(
    hub: HubDep, member: Annotated[Member, Depends(signed_in(Action.READ_COUNTS))]
) -> dict[str, Any]:
    """Packages refused at intake, newest first."""
    return {
        "items": [
            {"aid": aid, "codes": codes, "at": format_instant(at)}
            for aid, codes, at in hub.desk.refusals(member)
        ]
    }


@router.get(
    "/applications/{application}",
    openapi_extra=act(Action.READ_APPLICATION),
    responses=_PROBLEMS,
)
def read(
    application: str,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_APPLICATION))],
) -> dict[str, Any]:
    """One application: each verification step in words, claims, reasons, history."""
    found = hub.desk.open(member, application)
    return {
        **view_to_json(found.view),
        "row": application_row(found.application),
        "suggested_cents": found.suggested_cents,
        "claims": dict(found.claims),
        "consent_receipt": dict(found.consent_receipt),
        "documents": [
            {"position": position, "name": name, "media_type": media_type, "bytes": size}
            for position, (name, media_type, size) in enumerate(found.documents)
        ],
    }


@router.get(
    "/applications/{application}/documents/{position}",
    openapi_extra=act(Action.READ_DOCUMENT),
    responses=_PROBLEMS,
)
def document(
    application: str,
    position: int,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_DOCUMENT))],
) -> Response:
    """A sealed document, to be opened with the funder's own key."""
    found = hub.desk.document(member, application, position)
    return Response(
        found.sealed,
        media_type="application/octet-stream",
        headers={"Content-Disposition": "attachment", "X-Key-Id": found.key_id},
    )


@router.get(
    "/applications/{application}/evidence",
    openapi_extra=act(Action.READ_APPLICATION),
    responses=_PROBLEMS,
)
def evidence(
    application: str,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_APPLICATION))],
) -> Response:
    """What shows the decision to a third party (ZIP)."""
    return Response(hub.desk.evidence(member, application), media_type="application/zip")


@router.post(
    "/applications/{application}/decision",
    openapi_extra=act(Action.DECIDE),
    responses={**_PROBLEMS, 422: PROBLEM},
)
def decide(
    application: str,
    body: DecisionBody,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.DECIDE, changes=True))],
) -> dict[str, Any]:
    """Accept or refuse, with a reason."""
    return application_row(
        hub.desk.decide(
            member,
            application,
            accept=body.accept,
            reason=body.reason,
            amount_cents=body.amount_cents,
        )
    )


@router.post(
    "/applications/{application}/information",
    openapi_extra=act(Action.REQUEST_INFORMATION),
    responses={**_PROBLEMS, 422: PROBLEM},
)
def ask(
    application: str,
    body: InformationBody,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.REQUEST_INFORMATION, changes=True))],
) -> dict[str, Any]:
    """Ask the holder for something."""
    return application_row(hub.desk.request_information(member, application, message=body.message))


@router.post(
    "/applications/{application}/assignment",
    openapi_extra=act(Action.ASSIGN),
    responses={**_PROBLEMS, 422: PROBLEM},
)
def assign(
    application: str,
    body: AssignBody,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.ASSIGN, changes=True))],
) -> dict[str, Any]:
    """Take an application, or give it back."""
    return application_row(hub.desk.assign(member, application, to_self=body.to_self))


@router.get("/members", openapi_extra=act(Action.READ_MEMBERS), responses=_PROBLEMS)
def members(
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_MEMBERS))],  # noqa: ARG001 - the right
) -> dict[str, Any]:
    """Everybody who works at this hub's desks."""
    return {"items": [member_to_json(found) for found in hub.members.members()]}
