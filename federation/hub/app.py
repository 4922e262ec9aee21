"""The hub's HTTP application."""

from typing import Final

from fastapi import FastAPI

from federation.aids.errors import RuleEvaluationError, UnknownAidError
from federation.hub.api import applications, catalogue, desk, openid4vp, verify, wellknown, witness
from federation.hub.context import HubContext
from federation.hub.errors import (
    AlreadyAwardedError,
    ApplicationClosedError,
    ApplicationMismatchError,
    ChallengeExpiredError,
    ChallengeMismatchError,
    ChallengeUsedError,
    HolderProofError,
    LoginBusyError,
    NotAllowedError,
    NotSignedInError,
    PackageRefusedError,
    TooManyAttemptsError,
    WitnessNotNewerError,
    WitnessSecretError,
    WrongPasswordError,
)
from federation.openid4vp import ResponseMalformedError
from federation.verification import UnverifiableError
from federation.wire import limits, problems

__all__ = ["STATUS", "create_hub_app"]

STATUS: Final[problems.StatusTable] = {
    AlreadyAwardedError: 409,
    ApplicationClosedError: 409,
    ApplicationMismatchError: 409,
    ChallengeExpiredError: 403,
    ChallengeMismatchError: 403,
    ChallengeUsedError: 409,
    HolderProofError: 401,
    LoginBusyError: 503,
    NotAllowedError: 403,
    NotSignedInError: 401,
    PackageRefusedError: 403,
    ResponseMalformedError: 422,
    RuleEvaluationError: 422,
    TooManyAttemptsError: 429,
    UnknownAidError: 404,
    UnverifiableError: 503,
    WitnessNotNewerError: 409,
    WitnessSecretError: 403,
    WrongPasswordError: 401,
}
"""Where each error of the hub ends; families decide for the others."""


def create_hub_app(context: HubContext) -> FastAPI:
    """Build the application on a context. Who composes adds pages and closes the context."""
    app = FastAPI(
        title="Mobility hub",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.hub = context
    problems.install(app, STATUS)
    settings = context.settings
    sealed = settings.documents * settings.document_bytes * 3 // 2
    app.add_middleware(
        limits.BodyLimit,
        limit=300_000,
        paths={
            "/openid4vp/responses/": 2 * settings.package_bytes + sealed,
            "/v1/verify": settings.package_bytes,
        },
    )
    app.add_middleware(limits.SecurityHeaders, hsts=settings.public_url.startswith("https://"))
    for module in (wellknown, catalogue, openid4vp, applications, verify, witness, desk):
        app.include_router(module.router)
    return app
