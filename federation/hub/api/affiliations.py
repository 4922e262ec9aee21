"""A hosted employer as credential issuer (OpenID4VCI 1.0, pre-authorised code): affiliations."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Form, Header
from fastapi.responses import JSONResponse, Response

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.openid4vci import (
    IssuanceError,
    TokenRequest,
    credential_response,
    nonce_response,
    token_response,
)
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(tags=["affiliations"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {404: PROBLEM}
_NO_STORE: Final = {"Cache-Control": "no-store"}


def _refused(error: IssuanceError) -> JSONResponse:
    """The protocol's own error body (RFC 6749 §5.2, OpenID4VCI §8.3.1)."""
    status = 401 if error.error == "invalid_token" else 400
    return JSONResponse(error.to_json(), status_code=status, headers=_NO_STORE)


@router.get(
    "/.well-known/openid-credential-issuer/financeurs/{slug}",
    openapi_extra=act(Action.READ_PUBLIC),
    responses=_PROBLEMS,
)
def issuer_metadata(slug: str, hub: HubDep) -> dict[str, Any]:
    """What this employer signs."""
    return hub.affiliations.metadata(slug)


@router.get(
    "/.well-known/oauth-authorization-server/financeurs/{slug}",
    openapi_extra=act(Action.READ_PUBLIC),
    responses=_PROBLEMS,
)
def server_metadata(slug: str, hub: HubDep) -> dict[str, Any]:
    """Where codes are exchanged."""
    return hub.affiliations.server_metadata(slug)


@router.post("/financeurs/{slug}/token", openapi_extra=act(Action.AFFILIATE), responses=_PROBLEMS)
def token(
    *,
    slug: str,
    hub: HubDep,
    grant_type: Annotated[str, Form(max_length=100)] = "",
    code: Annotated[str, Form(alias="pre-authorized_code", max_length=512)] = "",
    tx_code: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Exchange code and employee number for an access token."""
    fields = {"grant_type": grant_type, "pre-authorized_code": code, "tx_code": tx_code}
    try:
        made, lifetime = hub.affiliations.token(slug, TokenRequest.from_form(fields))
    except IssuanceError as error:
        return _refused(error)
    return JSONResponse(token_response(made, lifetime=lifetime), headers=_NO_STORE)


@router.post("/financeurs/{slug}/nonce", openapi_extra=act(Action.AFFILIATE), responses=_PROBLEMS)
def nonce(slug: str, hub: HubDep) -> Response:
    """A nonce for one proof."""
    return JSONResponse(nonce_response(hub.affiliations.nonce(slug)), headers=_NO_STORE)


@router.post(
    "/financeurs/{slug}/credential", openapi_extra=act(Action.AFFILIATE), responses=_PROBLEMS
)
def credential(
    slug: str,
    hub: HubDep,
    body: Annotated[dict[str, Any], Body()],
    authorization: Annotated[str, Header(max_length=600)] = "",
) -> Response:
    """The affiliation, bound to the key that the proof shows."""
    scheme, _, access = authorization.partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise IssuanceError("invalid_token")
        document = hub.affiliations.credential(slug, access, json.dumps(body).encode())
    except IssuanceError as error:
        return _refused(error)
    return JSONResponse(credential_response(document), headers=_NO_STORE)
