"""OpenID4VP: request objects by reference, `direct_post`."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from pydantic import TypeAdapter, ValidationError

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import DocumentBody, receipt_to_json
from federation.openid4vp import ResponseMalformedError
from federation.wire.problems import PROBLEM
from schemas.errors import JsonRefusedError
from schemas.jsonld import parse_json

__all__ = ["router"]

router = APIRouter(prefix="/openid4vp", tags=["openid4vp"])
_DOCUMENTS = TypeAdapter(list[DocumentBody])


@router.get(
    "/requests/{request_id}",
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM},
)
def request_object(request_id: str, hub: HubDep) -> Response:
    """The signed request object."""
    return Response(
        hub.applications.request_object(request_id),
        media_type="application/oauth-authz-req+jwt",
        headers={"Cache-Control": "no-store"},
    )


@router.post(
    "/responses/{request_id}",
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM, 409: PROBLEM, 422: PROBLEM},
)
def respond(
    *,
    request_id: str,
    hub: HubDep,
    vp_token: Annotated[str, Form(max_length=1_500_000)],
    state: Annotated[str, Form(max_length=512)],
    consent_receipt: Annotated[str, Form(max_length=200_000)] = "{}",
    documents: Annotated[str, Form(max_length=40_000_000)] = "[]",
) -> dict[str, Any]:
    """Take in a proof package. The same bytes again get the same answer.

    `documents` is a JSON list of `{name, media_type, key_id, sealed}`, `sealed` in base64.
    """
    try:
        envelopes = tuple(item.envelope() for item in _DOCUMENTS.validate_json(documents))
    except (ValidationError, ValueError) as error:
        raise ResponseMalformedError("documents are not what they should be") from error
    receipt = hub.applications.respond(
        request_id,
        vp_token=_object(vp_token, hub.settings.package_bytes),
        state=state,
        consent_receipt=_object(consent_receipt, 200_000),
        documents=envelopes,
    )
    return receipt_to_json(receipt)


def _object(text: str, limit: int) -> dict[str, Any]:
    try:
        value = parse_json(text.encode("utf-8"), max_bytes=limit)
    except (JsonRefusedError, UnicodeEncodeError, json.JSONDecodeError) as error:
        raise ResponseMalformedError("not acceptable JSON") from error
    if not isinstance(value, dict):
        raise ResponseMalformedError("not a JSON object")
    return value
