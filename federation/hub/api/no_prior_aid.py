"""That nobody holds a nullifier: a nonce, then the presentation, then the signed credential."""

from typing import Any

from fastapi import APIRouter, Request

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import NoPriorAidBody
from federation.hub.no_prior_aid import Asked
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1/no-prior-aid", tags=["no-prior-aid"])


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.post("/nonce", openapi_extra=act(Action.ASK_LEDGER), responses={429: PROBLEM})
def nonce(request: Request, hub: HubDep) -> dict[str, str]:
    """A nonce for one presentation to this hub, good for five minutes."""
    hub.no_prior_aid.admit(_address(request))
    return {"nonce": hub.no_prior_aid.nonce()}


@router.post(
    "",
    openapi_extra=act(Action.ASK_LEDGER),
    responses={403: PROBLEM, 404: PROBLEM, 409: PROBLEM, 422: PROBLEM, 429: PROBLEM, 503: PROBLEM},
)
def no_prior_aid(request: Request, body: NoPriorAidBody, hub: HubDep) -> dict[str, Any]:
    """The credential, bound to the key that presented. 409 `already-awarded`: the nullifier is
    held for a day of the period; by whom is not said."""
    hub.no_prior_aid.admit(_address(request))
    return {
        "credential": hub.no_prior_aid.issue(
            Asked(
                family=body.family,
                version=body.version,
                period=(body.period_from, body.period_until),
                nonce=body.nonce,
                presentation=body.presentation,
                token=body.token,
                application=body.application,
            )
        )
    }
