"""Witnessed heads: read with the identifier, append with its secret."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import WitnessBody, witness_to_json
from federation.hub.errors import WitnessSecretError
from federation.hub.witness import identifier_of
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1/witness", tags=["witness"])
Identifier = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.get(
    "/{identifier}", openapi_extra=act(Action.READ_PUBLIC), responses={404: PROBLEM, 422: PROBLEM}
)
def witnessed(identifier: Identifier, hub: HubDep) -> dict[str, Any]:
    """The last number and salted hash of a line."""
    return witness_to_json(hub.witness.read(identifier))


@router.post(
    "/{identifier}",
    openapi_extra=act(Action.WITNESS),
    responses={403: PROBLEM, 409: PROBLEM, 422: PROBLEM, 429: PROBLEM},
)
def bear_witness(
    request: Request, identifier: Identifier, body: WitnessBody, hub: HubDep
) -> dict[str, Any]:
    """Append to a line. Sending the same again changes nothing."""
    hub.witness.admit(request.client.host if request.client else "")
    secret = bytes.fromhex(body.secret.get_secret_value())
    if not hmac.compare_digest(identifier_of(secret), identifier):
        raise WitnessSecretError
    return witness_to_json(
        hub.witness.append(
            secret,
            seq=body.seq,
            commitment=bytes.fromhex(body.commitment),
            restored=body.restored,
        )
    )
