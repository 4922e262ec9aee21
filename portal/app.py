"""Composition: the servers of a home, a hub and the sandbox, each one FastAPI application.

`create_app(node, settings)` is all a process needs. The home speaks to its hub over HTTP; a hub never imports a vault
(this module puts the pages of both together, in separate processes).
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.formparsers import MultiPartParser
from starlette.types import Scope

from connectors.carpool.api import create_carpool_router
from connectors.contract.api import create_news_router
from connectors.phones.api import create_points_router
from connectors.push.api import STATUS as PUSH_STATUS
from connectors.push.api import create_push_router
from federation.hub.app import ROUTERS as HUB_API
from federation.hub.app import STATUS as HUB_STATUS
from federation.hub.errors import NotSignedInError
from federation.wire.limits import BodyLimit, SecurityHeaders
from portal.clock import utcnow
from portal.context import HomeContext, HubPages
from portal.extension_pages import extension_pages
from portal.i18n import N_, Translator
from portal.pages import (
    access,
    accounts_elsewhere,
    aids,
    arriving,
    audits,
    catalogue,
    choices,
    circles,
    cozy,
    data_requests,
    desk_cost,
    desk_drafts,
    desk_notices,
    desk_offers,
    desk_payments,
    desk_reserved,
    desk_setup,
    desk_staff,
    desk_standing,
    disputes,
    dossier,
    driving_right,
    entitled,
    extension_list,
    file_import,
    for_me,
    giving,
    hub_requests,
    identity,
    invoices,
    journal,
    keys,
    logins,
    mandates,
    mob,
    notices,
    one_form,
    operator_account,
    papers,
    passport,
    presenter,
    receiving,
    records,
    services,
    shares,
    sources,
    territory,
    today,
    trips,
    twoddoc,
    vehicle,
    verify,
)
from portal.pages import (
    hub as hub_pages,
)
from portal.pages import (
    vault as vault_pages,
)
from portal.pages.decision_evidence import decision_view
from portal.pages.errors import install
from portal.pages.legal import guide, legal_text
from portal.reality import rows
from portal.settings import Node, Settings
from portal.web import FOOTER, Page, Site, Tab, load_form_key
from portal.witness import BrowserWitness
from portal.zones import zones_of
from vault.app import STATUS as HOME_STATUS
from vault.app import create_home_api
from vault.errors import SessionEndedError, UnlockAgainError, VaultLockedError

_log = structlog.get_logger(__name__)

HOME_TABS: Final = (
    Tab("/", N_("Aujourd'hui"), "today"),
    Tab("/trajets", N_("Trajets"), "trips", ("/trajets/", "/bilan")),
    Tab("/aides", N_("Mes aides"), "aids", ("/aides/", "/attestation")),
    Tab(
        "/partages",
        N_("Partages"),
        "shares",
        ("/partages/", "/demandes/", "/presenter", "/passeport", "/services"),
    ),
    Tab("/coffre", N_("Mon coffre"), "vault", ("/coffre/", "/sources", "/identite/")),
)
HUB_TABS: Final = (
    Tab("/", N_("Aides"), "aids", ("/aides/",)),
    Tab("/verifier", N_("Vérifier"), "check"),
    Tab("/membres", N_("Membres"), "people"),
    Tab("/guichet", N_("Guichet"), "file", ("/guichet/",)),
)
UPLOADS: Final = {
    "/sources/importer": 15_000_000,
    "/sources/modele": 15_000_000,
    "/sources/demandes/reponse": 15_000_000,
    "/sources/demandes/table": 15_000_000,
    "/sources/mob": 3_000_000,
    "/verifier": 6_000_000,
    "/v1/verify": 1_500_000,
    # One sealed document in base64 (federation.hub.settings).
    "/v1/applications/": 7_500_000,
    "/v1/push": 5_000_000,
    "/v1/points/": 1_000_000,
    "/v1/documents": 20_001_000,
    "/coffre/documents": 20_100_000,
    "/coffre/factures": 15_000_000,
    "/v1/subscriptions/metadata": 5_000_000,
    # Ten documents of 10 MB, sealed and in base64 (federation.hub.settings).
    "/openid4vp/responses/": 153_000_000,
}
"""Larger bodies than a form or a deposit, by path."""


TOO_LARGE: Final = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>C'est trop gros</title><link rel="stylesheet" href="/static/coffre.css"></head>
<body><main><h1>C'est trop gros</h1>
<p class="lead">Le fichier ou le texte envoyé dépasse la limite. Rien n'a été modifié.</p>
<p lang="en">What was sent is over the limit. Nothing was changed.</p>
<p class="acts"><a href="/">Retour à l'accueil</a></p></main></body></html>
"""
"""Sent before anything is parsed, so without the person's language: French, then English."""


class CachedStatic(StaticFiles):
    """Static files, cached a day; the style sheet's address changes with its contents."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        """As Starlette, with a lifetime."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "public, max-age=86400"
        return answer

    async def get_response(self, path: str, scope: Scope) -> Any:
        """Only assets: no Python file of the package is served."""
        if path.endswith((".py", ".pyc")):
            return HTMLResponse("", status_code=404)
        return await super().get_response(path, scope)


def create_app(node: Node, settings: Settings) -> FastAPI:
    """The application of one node."""
    match node:
        case Node.HOME:
            return create_home_app(settings)
        case Node.HUB:
            return create_hub_app(settings)
        case Node.SANDBOX:
            return create_sandbox_app(settings)


def _frame(
    app: FastAPI, site: Site, settings: Settings, page_of: Callable[[Request], Page]
) -> None:
    """What every server with pages has: assets, health, language, legal pages, limits, headers."""
    static = Path(str(resources.files("portal"))) / "static"
    app.mount("/static", CachedStatic(directory=static), name="static")

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> RedirectResponse:
        return RedirectResponse("/static/icone.svg", status_code=308)

    def legal(name: str) -> Callable[[Request], HTMLResponse]:
        def show(request: Request) -> HTMLResponse:
            page = page_of(request)
            title, body = legal_text(name, page.t, settings)
            return page.show("legal.html", tabs=False, title=title, body=body)

        return show

    for name in ("confidentialite", "accessibilite"):
        app.add_api_route(f"/{name}", legal(name), include_in_schema=False)

    @app.get("/etat", include_in_schema=False)
    def reality(request: Request) -> HTMLResponse:
        page = page_of(request)
        return page.show("reality.html", tabs=False, rows=rows(page.t))

    app.state.site = site


def _limits(app: FastAPI, settings: Settings, more: Mapping[str, int] | None = None) -> None:
    """Last, so that an unexpected error's answer carries the headers too. `more`: bodies that are
    sealed already and go to a file, by path."""
    # An upload is a citizen's plaintext: it never rolls over into a temporary file. The body limits
    # above bound what memory holds.
    MultiPartParser.spool_max_size = max(UPLOADS.values())
    app.add_middleware(
        BodyLimit, limit=400_000, paths={**UPLOADS, **(more or {})}, page=TOO_LARGE.encode()
    )
    app.add_middleware(SecurityHeaders, hsts=settings.is_secure)


def create_home_app(settings: Settings) -> FastAPI:
    """The home: its API and the citizen's pages."""
    from portal.compose import HomeParts, open_home, ready

    parts: HomeParts = open_home(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        parts.start()
        try:
            yield
        finally:
            parts.stop()

    app = FastAPI(
        title="Coffre de mobilité : hébergeur", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    site = Site(
        name=N_("Coffre de mobilité"),
        sandbox=settings.sandbox,
        form_key=load_form_key(settings.state / "keys"),
        tabs=HOME_TABS,
        footer=(
            (f"{settings.url(Node.HUB)}/verifier", FOOTER[0][1]),
            (settings.url(Node.HUB), N_("Les aides à la mobilité")),
            *FOOTER[1:],
        ),
        lock=("/verrouiller", N_("Fermer")),
    )
    context = HomeContext(
        settings=settings,
        home=parts.home,
        hub=parts.hub,
        site=site,
        clock=utcnow,
        catalogue=parts.home.catalogue,
        connectors=parts.connectors,
        zones=zones_of(settings.zones),
        refresh_trust=parts.trust.refresh,
    )
    app.state.pages = context

    def page_of(request: Request) -> Page:
        return Page(request, site, now=utcnow())

    _frame(app, site, settings, page_of)

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> JSONResponse:
        state = ready(settings, parts.home, at=utcnow())
        return JSONResponse(state, status_code=200 if state["ready"] else 503)

    app.include_router(entitled.public)
    app.include_router(vehicle.public)
    app.include_router(entitled.router)  # before the aids: « réponses » is no aid
    for router in (create_home_api(parts.home), create_push_router(parts.connectors.push),
                   create_points_router(parts.connectors.phones,
                                        profile=parts.connectors.phone_profile),
                   create_carpool_router(parts.connectors.carpool),
                   create_news_router(parts.connectors.operators.news),
                   today.router, territory.router, access.router, arriving.router, sources.router, cozy.router, operator_account.router, giving.router, file_import.router, invoices.router, twoddoc.router,
                   data_requests.router, disputes.router, receiving.router, trips.router, dossier.router, for_me.router,
                   circles.router, extension_list.router,
                   vehicle.router, one_form.router, driving_right.router,
                   aids.router, audits.router, passport.router, accounts_elsewhere.router, shares.router, identity.public,
                   identity.router, keys.router, logins.public, logins.router, papers.router, presenter.router, services.router,
                   records.router, journal.router, mob.router, mandates.router, choices.router, notices.router,
                   vault_pages.router):  # fmt: skip
        app.include_router(router)
    for pages in extension_pages():
        app.include_router(pages.router)
    install(
        app,
        page_of=page_of,
        table={**HOME_STATUS, **PUSH_STATUS},
        locked=(SessionEndedError, UnlockAgainError, VaultLockedError),
        unlock_path="/ouvrir",
    )
    app.add_middleware(BrowserWitness, home=parts.home)
    archive = settings.archive_mb * 1_000_000
    _limits(app, settings, {"/arriver": archive + 10_000, "/arriver/": 400_000})
    return app


def create_hub_app(settings: Settings) -> FastAPI:
    """The hub: its API, the public pages and the desk."""
    from portal.compose import HubParts, open_hub

    parts: HubParts = open_hub(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        parts.start()
        try:
            yield
        finally:
            parts.stop()

    app = FastAPI(
        title="Coffre de mobilité : hub", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    site = Site(
        name=N_("Guichet des aides à la mobilité"),
        sandbox=settings.sandbox,
        form_key=load_form_key(settings.state / "hub-keys"),
        tabs=HUB_TABS,
        tabs_class="desk",
        footer=(("/developpeurs", N_("Développeurs")), *FOOTER),
        lock=None,
    )
    app.state.hub = parts.hub
    app.state.pages = HubPages(settings=settings, hub=parts.hub, site=site, clock=utcnow)

    def page_of(request: Request) -> Page:
        return Page(request, site, now=utcnow())

    _frame(app, site, settings, page_of)

    def name_of(did: str) -> str:
        entry = parts.hub.registry.entry(did)
        return entry.name if entry is not None else did

    def check(document: Mapping[str, Any]) -> Any:
        return parts.hub.verifying.public(document)

    @app.get("/langue/{code}", include_in_schema=False)
    def language(code: str, retour: str = "/") -> RedirectResponse:
        return access.language(code, retour)

    @app.get("/developpeurs", include_in_schema=False)
    def developers(request: Request) -> HTMLResponse:
        page = page_of(request)
        addresses = {"HUB": settings.url(Node.HUB), "HOME": settings.url(Node.HOME)}
        title, body = guide("developpeurs", page.t, addresses)
        return page.show("legal.html", tabs=False, title=title, body=body)

    for router in (*HUB_API, catalogue.public, territory.public, catalogue.desk, desk_offers.router, hub_pages.public, hub_requests.router,
                   hub_pages.desk, desk_setup.router, desk_drafts.public, desk_cost.router, desk_drafts.router, desk_payments.router, desk_staff.router, desk_standing.router,
                   desk_reserved.router, desk_reserved.public,
                   desk_notices.router, desk_notices.public):  # fmt: skip
        app.include_router(router)

    def decision(t: Translator, data: bytes) -> dict[str, Any]:
        return decision_view(t, parts.hub, data)

    app.include_router(verify.create_router(page_of, check, name_of, decision))
    install(
        app,
        page_of=page_of,
        table=HUB_STATUS,
        locked=(NotSignedInError,),
        unlock_path="/guichet/entrer",
    )
    _limits(app, settings)
    return app


def create_sandbox_app(settings: Settings) -> FastAPI:
    """The fictitious sources and issuers. Refuses to start outside the sandbox."""
    from portal.compose import open_sandbox

    app = open_sandbox(settings)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return app


__all__ = ["create_app", "create_home_app", "create_hub_app", "create_sandbox_app"]
