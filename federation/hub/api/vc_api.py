"""VC-API for conformance suites: proofs alone, under its own prefix, only where a setting asks.

Its keys are its own `did:key`s, which no registry lists; product policy is elsewhere
(`federation.credentials.verify`).
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from federation.credentials import conformance
from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.api.shapes import (
    VcDeriveBody,
    VcIssueBody,
    VcPresentationBody,
    VcVerifyBody,
)
from federation.hub.context import HubContext
from federation.keys import ED25519, Ed25519Key, P256Key, Signer
from federation.wire.problems import PROBLEM
from schemas.errors import InvalidInput, MobilityError, Refused, Retriable

__all__ = ["router"]

router = APIRouter(prefix="/vc-api", tags=["conformance"])


def _signer(hub: HubContext, cryptosuite: str) -> Signer:
    if conformance.key_kind(cryptosuite) == ED25519:
        return Ed25519Key.from_seed(hub.keys.secret("vc-api-ed25519")).signer()
    return P256Key.from_private_bytes(hub.keys.secret("vc-api-p256")).signer()


def _refused(error: MobilityError) -> JSONResponse:
    """A refusal of the document, as the suites read it; what may pass later is no refusal."""
    if isinstance(error, Retriable) or not isinstance(error, Refused | InvalidInput):
        raise error
    return JSONResponse({"verified": False, "errors": conformance.refusals(error)}, status_code=400)


@router.post(
    "/credentials/issue",
    status_code=201,
    openapi_extra=act(Action.CONFORMANCE),
    responses={400: {}, 503: PROBLEM},
    response_model=None,
)
def issue(body: VcIssueBody, hub: HubDep) -> dict[str, Any] | JSONResponse:
    """Sign a credential of any type with a key that means nothing; answers it bare."""
    suite = body.options.cryptosuite
    try:
        return conformance.issue_document(
            body.credential,
            _signer(hub, suite),
            at=hub.clock(),
            cryptosuite=suite,
            mandatory=body.options.mandatory_pointers,
        )
    except MobilityError as error:
        return _refused(error)


@router.post(
    "/credentials/derive",
    status_code=201,
    openapi_extra=act(Action.CONFORMANCE),
    responses={400: {}, 503: PROBLEM},
    response_model=None,
)
def derive(body: VcDeriveBody) -> dict[str, Any] | JSONResponse:
    """Derive from a credential with a base proof what pointers select."""
    try:
        return conformance.derive_document(
            body.verifiable_credential, body.options.selective_pointers
        )
    except MobilityError as error:
        return _refused(error)


@router.post(
    "/credentials/verify",
    openapi_extra=act(Action.CONFORMANCE),
    responses={400: {}, 503: PROBLEM},
    response_model=None,
)
def verify_credential(body: VcVerifyBody, hub: HubDep) -> dict[str, Any] | JSONResponse:
    """The proofs of a credential."""
    try:
        found = conformance.verify_credential(
            body.verifiable_credential, resolver=hub.conformance_resolver, at=hub.clock()
        )
    except MobilityError as error:
        return _refused(error)
    return {"verified": True, "errors": [], "credential": found}


@router.post(
    "/presentations/verify",
    openapi_extra=act(Action.CONFORMANCE),
    responses={400: {}, 503: PROBLEM},
    response_model=None,
)
def verify_presentation(body: VcPresentationBody, hub: HubDep) -> dict[str, Any] | JSONResponse:
    """The proofs of a presentation and of what it holds."""
    try:
        found = conformance.verify_presentation(
            body.verifiable_presentation,
            resolver=hub.conformance_resolver,
            at=hub.clock(),
            challenge=body.options.challenge,
            domain=body.options.domain,
        )
    except MobilityError as error:
        return _refused(error)
    return {"verified": True, "errors": [], "presentation": found}
