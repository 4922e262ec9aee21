"""Errors as pages for people and as problem documents for machines, decided by path."""

from collections.abc import Callable
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from federation.wire.problems import (
    StatusTable,
    http_response,
    problem_response,
    status_of,
    validation_response,
)
from portal.errors import FormExpiredError
from portal.glossary import CODES
from portal.i18n import N_
from portal.pages.checks import check_rows
from portal.web import Page
from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable

_log = structlog.get_logger(__name__)

API_PREFIXES: Final = (
    "/v1/",
    "/.well-known/",
    "/openid4vp/",
    "/openid4vci/",
    "/healthz",
    "/connecteurs/",
)

TITLES: Final = {
    404: N_("Cette page n'existe pas"),
    403: N_("C'est refusé"),
    409: N_("Cela a changé entre-temps"),
    413: N_("C'est trop gros"),
    422: N_("Quelque chose ne va pas dans ce qui a été envoyé"),
    429: N_("Trop de demandes à la fois"),
    502: N_("Un autre service a mal répondu"),
    503: N_("Momentanément indisponible"),
    500: N_("Une erreur s'est produite"),
}
TEXTS: Final = {
    404: N_("L'adresse est peut-être ancienne, ou ce que vous cherchez a été supprimé."),
    403: N_("Cette action n'est pas permise ici. Rien n'a été modifié."),
    409: N_("Rechargez la page : une autre fenêtre ou un autre appareil a modifié la même chose."),
    413: N_("Le fichier ou le texte envoyé dépasse la limite."),
    422: N_(
        "Revenez en arrière, vérifiez ce que vous avez saisi et recommencez. Rien n'a été modifié."
    ),
    429: N_("Attendez un peu, puis réessayez. Rien n'est perdu."),
    502: N_("Vos données sont intactes. Réessayez dans quelques minutes."),
    503: N_("Vos données sont intactes. Réessayez dans quelques minutes."),
    500: N_("Vos données sont intactes. L'incident est consigné sans vos données."),
}
FORM_EXPIRED: Final = N_(
    "Cette page était restée ouverte trop longtemps. Rechargez-la et recommencez."
)


def install(
    app: FastAPI,
    *,
    page_of: Callable[[Request], Page],
    table: StatusTable,
    locked: type[Exception] | tuple[type[Exception], ...],
    unlock_path: str,
) -> None:
    """Handlers of every error of ours. `locked` errors send a person to `unlock_path`."""

    def is_api(request: Request) -> bool:
        return request.url.path.startswith(API_PREFIXES)

    def show(request: Request, status: int, code: str, *, checks: Any = ()) -> Response:
        page = page_of(request)
        t = page.t
        family = status if status in TITLES else 500 if status >= 500 else 422
        text = TEXTS[family]
        if code == FormExpiredError.code:
            text = FORM_EXPIRED
        elif code in CODES:
            text = CODES[code]
        headers = {"retry-after": "30"} if status in (429, 503) else None
        return page.show(
            "error.html",
            status=status,
            headers=headers,
            title=t(TITLES[family]),
            text=t(text),
            code=code,
            check_items=check_rows(t, checks),
            action=t("Retour à l'accueil"),
            href=page.site.home_url,
        )

    async def ours(request: Request, error: Exception) -> Response:
        if is_api(request):
            return problem_response(error, table)
        if isinstance(error, locked):
            back = request.url.path if request.method == "GET" else "/"
            return RedirectResponse(f"{unlock_path}?retour={back}", status_code=303)
        status = status_of(error, table) if isinstance(error, MobilityError) else 500
        if status >= 500 and not isinstance(error, Retriable | NotFound | Refused | InvalidInput):
            _log.error("portal.page_failed", code=getattr(error, "code", type(error).__name__))
        checks = getattr(error, "checks", None) or getattr(error, "extensions", {}).get(
            "checks", ()
        )
        code = getattr(error, "hub_code", None) or getattr(error, "code", "internal-error")
        return show(request, status, str(code), checks=checks)

    async def invalid(request: Request, error: Exception) -> Response:
        if is_api(request):
            return validation_response(error)
        return show(request, 422, "invalid-request")

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if is_api(request):
            return http_response(error)
        return show(request, status, f"http-{status}")

    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error(
            "portal.unexpected", kind=type(error).__name__, path=request.url.path, exc_info=True
        )
        if is_api(request):
            return problem_response(error, table)
        return show(request, 500, "internal-error")

    app.add_exception_handler(MobilityError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)
