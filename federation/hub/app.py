"""The hub's HTTP application."""

from typing import Final

from fastapi import FastAPI

from federation.aids.errors import RuleEvaluationError, UnknownAidError
from federation.hub.api import (
    affiliations,
    applications,
    catalogue,
    desk,
    enrolment,
    log,
    no_prior_aid,
    offers,
    openid4vp,
    services,
    vc_api,
    verify,
    wellknown,
    witness,
)
from federation.hub.context import HubContext
from federation.hub.errors import (
    AgreementMissingError,
    AlreadyAwardedError,
    ApplicationClosedError,
    ApplicationMismatchError,
    ChallengeExpiredError,
    ChallengeMismatchError,
    ChallengeUsedError,
    DraftChangedError,
    HolderProofError,
    InvitationRefusedError,
    LastWayInError,
    LoginBusyError,
    NotAllowedError,
    NothingToPayError,
    NotSignedInError,
    PackageRefusedError,
    PasskeyRefusedError,
    PriorAidBusyError,
    PublicNoticeError,
    ReportsBusyError,
    SecondPersonError,
    TooManyAttemptsError,
    WitnessBusyError,
    WitnessNotNewerError,
    WitnessSecretError,
    WrongPasswordError,
)
from federation.offers import OfferRefusedError
from federation.openid4vp import ResponseMalformedError
from federation.profiles import ServiceRefusedError
from federation.verification import UnverifiableError
from federation.wire import limits, problems

__all__ = ["ROUTERS", "STATUS", "create_hub_app"]

STATUS: Final[problems.StatusTable] = {
    AgreementMissingError: 409,
    AlreadyAwardedError: 409,
    ApplicationClosedError: 409,
    ApplicationMismatchError: 409,
    ChallengeExpiredError: 403,
    ChallengeMismatchError: 403,
    ChallengeUsedError: 409,
    DraftChangedError: 412,
    HolderProofError: 401,
    InvitationRefusedError: 403,
    LastWayInError: 409,
    LoginBusyError: 503,
    NotAllowedError: 403,
    NothingToPayError: 409,
    NotSignedInError: 401,
    PackageRefusedError: 403,
    PasskeyRefusedError: 401,
    ResponseMalformedError: 422,
    OfferRefusedError: 403,
    ServiceRefusedError: 403,
    PriorAidBusyError: 429,
    ReportsBusyError: 429,
    PublicNoticeError: 503,
    RuleEvaluationError: 422,
    SecondPersonError: 409,
    TooManyAttemptsError: 429,
    WitnessBusyError: 429,
    UnknownAidError: 404,
    UnverifiableError: 503,
    WitnessNotNewerError: 409,
    WitnessSecretError: 403,
    WrongPasswordError: 401,
}
"""Where each error of the hub ends; families decide for the others."""

ROUTERS: Final = tuple(
    module.router
    for module in (
        wellknown,
        catalogue,
        openid4vp,
        no_prior_aid,
        applications,
        verify,
        services,
        offers,
        witness,
        log,
        desk,
        enrolment,
        affiliations,
    )
)
"""The hub's API, for whoever composes it with pages."""


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
            "/v1/applications/": 3 * settings.document_bytes // 2,
        },
    )
    app.add_middleware(limits.SecurityHeaders, hsts=settings.public_url.startswith("https://"))
    for router in ROUTERS:
        app.include_router(router)
    if settings.vc_api:
        app.include_router(vc_api.router)
    return app
