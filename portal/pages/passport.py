"""« Passeport »: a service sends somebody here; they read who asks for what, and agree or not. And
« Services reliés »: what was agreed to, and its end.

The request rests sealed in a cookie of the browser that brought it. With a closed vault the page
says who asks and leads to opening it; nothing is read before.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from portal.context import HomeContext
from portal.glossary import CODES
from portal.i18n import N_, Translator
from portal.pages.aids import kept_rows
from portal.pages.checks import text_of
from portal.pages.deps import (
    VAULT_COOKIE,
    CheckedDep,
    ContextDep,
    PageDep,
    VaultDep,
    open_vault,
)
from portal.pages.passport_words import part_words, scope_words
from portal.views import short
from portal.web import Page
from schemas.ids import Did
from vault.api.deps import BodyDep
from vault.errors import ActRefusedError, SessionEndedError, UnlockAgainError, VaultLockedError
from vault.open_vault import OpenVault
from vault.passport.agreeing import KEPT, Prepared, agree, prepare, refuse
from vault.passport.asked import ASKED_TERM, Asked
from vault.passport.connections import Connection, connections, end
from vault.passport.errors import (
    ConnectionUnknownError,
    PassportRequestError,
    ServiceNotAccreditedError,
    ServiceUnknownError,
)
from vault.passport.logout import forget_access, read_logout
from vault.passport.profiles import profile_of_scope
from vault.passport.provider import AUTHORIZE, LEAVE
from vault.passport.scopes import OFFLINE, OPENID
from vault.sharing import STAYS

router = APIRouter(include_in_schema=False)

ASKED: Final = f"{AUTHORIZE}/demande"
CONNECTED: Final = "/partages/services"
COOKIE: Final = "__Host-passeport"
"""What a service asks of this browser, sealed; ends with `ASKED_TERM`."""
REASONS: Final = {
    "invalid_client": N_("Ce service n'est pas inscrit chez l'hébergeur de votre coffre, ou ne l'est plus."),
    "asked-unknown": N_("Aucun service n'attend de réponse dans ce navigateur. Recommencez depuis le site du service."),
    "asked-expired": N_("La demande de ce service a expiré. Recommencez depuis son site."),
    "answered-before": N_("Vous avez déjà répondu à cette demande."),
    "service-unknown": N_("Ce service n'est pas inscrit chez l'hébergeur de votre coffre, ou ne l'est plus."),
    "service-not-accredited": N_("Ce service n'est plus au registre de confiance : votre coffre ne lui répond pas."),
    "term-refused": N_("Choisissez une des durées proposées."),
    "claims-too-large": N_("Ce service en demande trop à la fois."),
}  # fmt: skip
TERMS: Final = {
    KEPT[0]: N_("30 jours"),
    KEPT[1]: N_("3 mois"),
    KEPT[2]: N_("un an"),
}


Long = Annotated[str, Form(max_length=4_000)]


@router.get(AUTHORIZE)
def asked_by_link(request: Request, page: PageDep, context: ContextDep) -> Response:
    """A service sends the browser here (OpenID Connect Core §3.1.2)."""
    return _take(page, context, request.query_params.multi_items())


@router.post(AUTHORIZE)
def asked_by_form(page: PageDep, context: ContextDep, body: BodyDep) -> Response:
    """The same by a form: a provider takes both. Nothing happens before the page that follows."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=60)
    except ValueError:
        return _stopped(page, "invalid_request")
    return _take(page, context, pairs)


def _take(page: Page, context: HomeContext, pairs: list[tuple[str, str]]) -> Response:
    home = context.home
    try:
        asked = home.passport.read_request(pairs)
        sealed = asked.seal(home.seal)
    except PassportRequestError as error:
        if error.redirect is not None:
            return RedirectResponse(error.redirect, status_code=303)
        return _stopped(page, error.error)
    answer = page.go(ASKED)
    answer.set_cookie(
        COOKIE,
        sealed,
        max_age=int(ASKED_TERM.total_seconds()),
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return answer


def _stopped(page: Page, code: str) -> HTMLResponse:
    """A request that gets no answer, and no way back: nobody knows whose address it names."""
    text = REASONS.get(code) or CODES.get(code)
    return page.show(
        "error.html",
        status=422,
        title=page.t("Cette demande ne peut pas recevoir de réponse"),
        text=page.t(text)
        if text
        else page.t("La demande du service est mal faite. Rien n'a été lu dans votre coffre."),
        code=code,
        check_items=[],
        action=page.t("Retour à l'accueil"),
        href="/",
    )


def _asked(request: Request, context: HomeContext) -> Asked:
    return Asked.open(request.cookies.get(COOKIE, ""), context.home.seal, at=context.home.clock())


@router.get(ASKED)
def show(request: Request, page: PageDep, context: ContextDep) -> Response:
    """Who asks, and with the open vault for what; nothing has left."""
    try:
        asked = _asked(request, context)
        vault = _open(request, context)
        if vault is None:
            return _closed(page, context, asked)
        return _consent(request, page, context, vault, asked)
    except PassportRequestError as error:
        return _stopped(page, error.error)
    except (ServiceUnknownError, ServiceNotAccreditedError) as error:
        return _stopped(page, error.code)


@router.post(ASKED)
def answer(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    quoi: Annotated[tuple[str, ...], Form(max_length=50)] = (),
    reponse: Annotated[str, Form(max_length=10)] = "",
    vu: Annotated[str, Form(max_length=64)] = "",
    duree: Annotated[int, Form(ge=0, le=400)] = 0,
) -> Response:
    """The citizen's answer; the browser then goes back to the service."""
    try:
        asked = _asked(request, context)
        if reponse != "oui":
            return _leave(page, refuse(context.home.passport, asked), agreed=False)
        opened_at = context.home.opened_at(request.cookies.get(VAULT_COOKIE, ""))
        if asked.needs_login(opened_at, at=context.home.clock()):
            return page.go(ASKED)
        there = agree(
            context.home.passport,
            vault,
            asked,
            names=quoi,
            shown=vu,
            keep_for=timedelta(days=duree) if duree else None,
            opened_at=opened_at,
        )
    except PassportRequestError as error:
        return _stopped(page, error.error)
    except (ServiceUnknownError, ServiceNotAccreditedError) as error:
        return _stopped(page, error.code)
    except ActRefusedError as error:
        if error.reason == "claims-changed":
            text = page.t("Votre coffre a changé entre-temps : relisez avant d'accepter.")
            return page.go(ASKED, notice=text, kind="warn")
        return _stopped(page, error.reason)
    return _leave(page, there, agreed=True)


def _leave(page: Page, there: str, *, agreed: bool) -> HTMLResponse:
    """Back to the service, with the answer."""
    t = page.t
    shown = _go_on(page, there, t("Accord donné") if agreed else t("Rien n'a été donné"))
    shown.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return shown


def _go_on(page: Page, there: str, title: str, *, tabs: bool = True) -> HTMLResponse:
    """A page that leads on, not a redirect: a form may not lead to another site."""
    return page.show(
        "passport_left.html",
        headers={"refresh": f"0; url={there}"},
        tabs=tabs,
        title=title,
        there=there,
        host=urlsplit(there).netloc,
    )


def _closed(page: Page, context: HomeContext, asked: Asked) -> HTMLResponse:
    """Who asks, while the vault is closed: nothing of it was read."""
    service = context.home.passport.services.get(asked.service, at=context.home.clock())
    name, accredited_by = context.home.passport.accredited_by(service)
    t = page.t
    return page.show(
        "passport_again.html",
        tabs=False,
        title=t("{name} demande votre passeport", name=name),
        lead=t("Rien n'a encore été lu. Ouvrez votre coffre pour voir ce qui est demandé."),
        facts=[
            (t("Son adresse"), service.sector),
            (t("Accrédité par"), _vouched(t, service.member, accredited_by, context)),
            (t("Pourquoi"), service.purpose),
        ],
        unlock=f"/ouvrir?retour={ASKED}",
    )


def _consent(
    request: Request, page: Page, context: HomeContext, vault: OpenVault, asked: Asked
) -> HTMLResponse:
    t, home = page.t, context.home
    opened_at = home.opened_at(request.cookies.get(VAULT_COOKIE, ""))
    prepared = prepare(home.passport, vault, asked)
    if asked.needs_login(opened_at, at=home.clock()):
        return page.show(
            "passport_again.html",
            title=t("Ouvrez à nouveau votre coffre"),
            lead=t(
                "{name} demande que vous veniez d'ouvrir votre coffre. Rien n'est encore parti.",
                name=prepared.name,
            ),
            facts=[],
            unlock=f"/ouvrir?retour={ASKED}",
        )
    return page.show(
        "passport.html",
        recipient=prepared.name,
        facts=_facts(t, prepared, context),
        parts=[part_words(t, part) for part in prepared.parts if part.scope.name != OFFLINE],
        keeps=_keeps(t, prepared),
        terms=[(term.days, t(word)) for term, word in TERMS.items()],
        stays=[*_profile_stays(t, prepared), *kept_rows(t, STAYS)],
        shown=prepared.digest(),
        policy=prepared.service.policy_uri or "",
        host=urlsplit(asked.redirect_uri).netloc,
    )


def _profile_stays(t: Translator, prepared: Prepared) -> list[dict[str, str]]:
    """What the service profiles asked for rest on and do not carry."""
    found = (profile_of_scope(part.scope.name) for part in prepared.parts)
    return [
        {"title": text_of(t, words), "text": ""}
        for profile in found
        if profile is not None
        for words in profile.stays
    ]


def _facts(t: Translator, prepared: Prepared, context: HomeContext) -> list[tuple[str, str]]:
    own = prepared.service.name
    return [
        (t("Qui demande"), prepared.name),
        *([(t("Se présente comme"), own)] if own != prepared.name else []),
        (t("Son adresse"), prepared.service.sector),
        (t("Accrédité par"), _vouched(t, prepared.service.member, prepared.accredited_by, context)),
        (t("Pourquoi"), prepared.service.purpose),
        (t("Base légale"), t("votre consentement")),
    ]


def _vouched(
    t: Translator, member: Did | None, accredited_by: Did | None, context: HomeContext
) -> str:
    if member is None:
        return t("l'hébergeur de votre coffre, qui l'a inscrit")
    trust = context.home.trust
    entry = None if trust is None or accredited_by is None else trust.entry(accredited_by)
    return entry.name if entry is not None else str(accredited_by or member)


def _keeps(t: Translator, prepared: Prepared) -> dict[str, str] | None:
    for part in prepared.parts:
        if part.scope.name == OFFLINE:
            return {
                "title": scope_words(part.scope, "title", t.language),
                "text": scope_words(part.scope, "consent", t.language),
            }
    return None


# --- signing out there ---------------------------------------------------------------------------


@router.get(LEAVE)
def left_by_link(request: Request, page: PageDep, context: ContextDep) -> Response:
    """Somebody signed out at a service (RP-Initiated Logout 1.0)."""
    return _left(request, page, context, request.query_params.multi_items())


@router.post(LEAVE)
def left_by_form(request: Request, page: PageDep, context: ContextDep, body: BodyDep) -> Response:
    """The same by a form."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), max_num_fields=20)
    except ValueError:
        return _stopped(page, "invalid_request")
    return _left(request, page, context, pairs)


def _left(
    request: Request, page: Page, context: HomeContext, pairs: list[tuple[str, str]]
) -> Response:
    try:
        asked = read_logout(context.home.passport, pairs)
    except PassportRequestError as error:
        return _stopped(page, error.error)
    is_open = _open(request, context) is not None
    return page.show(
        "passport_logout.html",
        tabs=is_open,
        name=asked.service.name if asked.service is not None else "",
        is_open=is_open,
        pairs=asked.pairs,
        goes_back=asked.back_to is not None,
    )


def _open(request: Request, context: HomeContext) -> OpenVault | None:
    try:
        return open_vault(request, context)
    except (SessionEndedError, UnlockAgainError, VaultLockedError):
        return None


@router.post(f"{LEAVE}/reponse")
def left(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    id_token_hint: Long = "",
    client_id: Long = "",
    post_logout_redirect_uri: Long = "",
    state: Long = "",
    reponse: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Close the vault too, or not; then back to the service, if it named a way."""
    t, home = page.t, context.home
    pairs = (
        ("id_token_hint", id_token_hint),
        ("client_id", client_id),
        ("post_logout_redirect_uri", post_logout_redirect_uri),
        ("state", state),
    )
    try:
        asked = read_logout(home.passport, pairs)
    except PassportRequestError:
        return _stopped(page, "invalid_request")
    vault = _open(request, context)
    if vault is not None and asked.service is not None:
        forget_access(home.passport, vault, asked.service)
    shuts = reponse == "fermer" and vault is not None
    if shuts:
        home.lock(request.cookies.get(VAULT_COOKIE, ""))
    said = t("Votre coffre est fermé.") if shuts else t("Vous êtes déconnecté·e de ce service.")
    there: Response = (
        _go_on(page, asked.back_to, said, tabs=False)
        if asked.back_to is not None
        else page.go("/", notice=said)
    )
    if shuts:
        there.delete_cookie(VAULT_COOKIE, secure=True, httponly=True, samesite="lax")
    return there


# --- connected services --------------------------------------------------------------------------


@router.get(CONNECTED)
def connected(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """The services this vault is connected to."""
    return page.show(
        "passport_services.html",
        open_at=_others(context, {one.service_id for one in connections(vault)}),
        services=[_connected(page.t, context, one) for one in connections(vault)],
    )


def _others(context: HomeContext, known: set[str]) -> list[dict[str, str]]:
    """Services where an account can be opened from here (OpenID Connect Core §4)."""
    home = context.home
    found = [
        one for one in home.passport.services.all() if one.initiate_uri and one.id not in known
    ]
    return [
        {
            "name": home.passport.accredited_by(one)[0],
            "purpose": one.purpose,
            "host": one.sector,
            "href": f"{one.initiate_uri}?{urlencode({'iss': home.passport.issuer})}",
        }
        for one in found[:50]
    ]


def _connected(t: Translator, context: HomeContext, one: Connection) -> dict[str, Any]:
    book = context.home.passport.scopes
    named = [book.get(name) for name in one.scopes if name not in (OPENID, OFFLINE)]
    titles = [scope_words(scope, "title", t.language) for scope in named if scope is not None]
    reads = one.keep_until is not None and one.has_access
    return {
        "id": one.id,
        "name": one.name,
        "titles": ", ".join(titles) or t("un identifiant propre à ce service, rien d'autre"),
        "since": t.day(one.since.date(), "long"),
        "reads": reads,
        "until": t.day(one.keep_until.date(), "long") if one.keep_until is not None else "",
        "read_on": t.day(datetime.fromisoformat(one.read_on).date(), "long") if one.read_on else "",
        "gone": one.service is None,
        "receipt": f"/partages/{short(one.consent)}",
    }


@router.post(f"{CONNECTED}/retirer")
def disconnect(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    service: Annotated[str, Form(max_length=64)],
) -> RedirectResponse:
    """End one connection."""
    try:
        name = end(context.home.passport, vault, service)
    except ConnectionUnknownError:
        return page.go(CONNECTED)
    text = page.t(
        "{name} ne lit plus rien dans votre coffre. Ce qu'il a déjà lu reste chez lui.", name=name
    )
    return page.go(CONNECTED, notice=text)


__all__ = ["router"]
