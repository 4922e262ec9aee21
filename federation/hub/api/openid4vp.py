"""OpenID4VP: request objects by reference, answers by `direct_post.jwt`."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import receipt_to_json
from federation.openid4vp import REQUEST_TYPE
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/openid4vp", tags=["openid4vp"])


def _signed(token: str) -> Response:
    return Response(token, media_type=REQUEST_TYPE, headers={"Cache-Control": "no-store"})


@router.get(
    "/requests/{request_id}",
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM},
)
def request_object(request_id: str, hub: HubDep) -> Response:
    """The signed request object."""
    return _signed(hub.applications.request_object(request_id))


@router.post(
    "/requests/{request_id}",
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM, 422: PROBLEM},
)
def request_object_for(
    request_id: str,
    hub: HubDep,
    wallet_nonce: Annotated[str | None, Form(max_length=512)] = None,
) -> Response:
    """The request object signed for one wallet: it says back the nonce the wallet posted
    (OpenID4VP 1.0 §5.10). `wallet_metadata` is not needed: every wallet is asked the same."""
    return _signed(hub.applications.request_object(request_id, wallet_nonce=wallet_nonce))


@router.post(
    "/responses/{request_id}",
    openapi_extra=act(Action.APPLY),
    responses={403: PROBLEM, 404: PROBLEM, 409: PROBLEM, 422: PROBLEM},
)
def respond(
    *,
    request_id: str,
    hub: HubDep,
    response: Annotated[str | None, Form(max_length=140_000_000)] = None,
    vp_token: Annotated[str | None, Form(max_length=1_500_000)] = None,
    state: Annotated[str | None, Form(max_length=512)] = None,
    consent_receipt: Annotated[str | None, Form(max_length=200_000)] = None,
    documents: Annotated[str | None, Form(max_length=40_000_000)] = None,
    error: Annotated[str | None, Form(max_length=100)] = None,
    error_description: Annotated[str | None, Form(max_length=1_000)] = None,
) -> dict[str, Any]:
    """Take in a proof package. `response` is all of it, encrypted to the key in the request
    (`direct_post.jwt`, which is what this hub asks for); the other fields are for a request whose
    answer was asked in clear. The same package again gets the same answer. Beside `vp_token` and
    `state`: `consent_receipt`, and `documents`, a list of `{name, media_type, key_id, sealed}`,
    `sealed` in base64. A wallet that sends nothing says so by `error` (§8.5), inside `response` or
    in clear: the request is then over, and its page says it.
    """
    given = {
        "response": response,
        "vp_token": vp_token,
        "state": state,
        "consent_receipt": consent_receipt,
        "documents": documents,
        "error": error,
        "error_description": error_description,
    }
    form = {name: value for name, value in given.items() if value is not None}
    return receipt_to_json(hub.applications.respond(request_id, form))
