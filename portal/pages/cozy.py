"""A person's own Cozy: connect it, have its trips brought, copy trips there, take the copies back.

Leaving is a link, not a form's redirect: a form's `form-action` would have to name every Cozy.
Coming back counts only in the browser, and for the vault, that left (`connectors.cozy.linking`).
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.accounts import SourceAccount
from connectors.cozy.documents import SOURCE, Points
from connectors.cozy.linking import COZY
from connectors.cozy.oauth import Credentials
from connectors.errors import ConnectorError, UnknownAccountError
from connectors.sandbox.api.personal_cloud import PATH as SANDBOX_CLOUD
from portal.context import HomeContext
from portal.glossary import REJECTED
from portal.pages.access import Errors
from portal.pages.deps import VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.draining import drain_all, drain_words
from portal.pages.period import asked_period
from portal.settings import Node
from portal.web import Page
from schemas.records import Trip
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

BACK: Final = "/sources/cozy/retour"


@router.get("/sources/cozy")
def cozy(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """What it is for, the Cozys connected, and the form that connects one."""
    return _form(page, context, vault, Errors())


def _form(
    page: Page, context: HomeContext, vault: OpenVault, errors: Errors, typed: str = ""
) -> HTMLResponse:
    settings = context.settings
    example = f"{settings.url(Node.SANDBOX)}/{SANDBOX_CLOUD}" if settings.sandbox else ""
    return page.show(
        "cozy.html",
        status=422 if errors else 200,
        errors=errors,
        typed=typed or example,
        accounts=[
            {"id": account.id, "address": account.name, "may_write": credentials.may_write}
            for account in context.connectors.accounts(vault.vault_id)
            if account.source == COZY
            and (credentials := _credentials(context, vault, account.id)) is not None
        ],
    )


def _credentials(context: HomeContext, vault: OpenVault, account: str) -> Credentials | None:
    try:
        found: Credentials = context.connectors.cozy.credentials(vault.vault_id, account)
    except ConnectorError:
        return None
    return found


@router.post("/sources/cozy")
def begin(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    adresse: Annotated[str, Form(max_length=300)],
    copier: Annotated[str, Form(max_length=1)] = "",
) -> HTMLResponse:
    """Register at the Cozy, and show the way to its page that asks."""
    t = page.t
    try:
        url = context.connectors.cozy.begin(
            vault.vault_id,
            adresse,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=context.settings.url(Node.HOME) + BACK,
            may_write=bool(copier),
        )
    except ConnectorError as error:
        why = t(REJECTED[error.code]) if error.code in REJECTED else error.code
        return _form(page, context, vault, Errors(adresse=why.capitalize()), adresse)
    answer = page.show("cozy_leave.html", url=url, address=adresse.strip(), writes=bool(copier))
    answer.headers["cache-control"] = "no-store"
    return answer


@router.get(BACK)
def finish(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
) -> RedirectResponse:
    """The browser is back: keep the access sealed, bring the trips, drain them."""
    connectors = context.connectors
    try:
        connectors.finish_cozy(
            vault.vault_id,
            {"state": state, "code": code},
            browser=page.request.cookies[VAULT_COOKIE],
        )
    except ConnectorError as error:
        return _failed(page, error, "/sources/cozy")
    for account in connectors.accounts(vault.vault_id):
        if account.source == COZY:
            connectors.pull(vault.vault_id, account.id)
    return page.go("/sources", notice=drain_words(page.t, drain_all(vault)))


def _failed(page: Page, error: ConnectorError, to: str) -> RedirectResponse:
    t = page.t
    why = t(REJECTED[error.code]) if error.code in REJECTED else error.code
    return page.go(to, notice=t("Votre Cozy : {why}", why=why), kind="bad")


# copies there


@router.get("/sources/cozy/copier")
def copying(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Query(max_length=200)] = "",
    depuis: Annotated[str, Query(max_length=10)] = "",
    jusque: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Which trips would go, and what leaves with them. Without an account: the list of them."""
    if not source:
        return cozy(page, context, vault)
    account = _account(context, vault, source)
    credentials = _credentials(context, vault, source)
    if credentials is None or not credentials.may_write:
        return page.go(
            "/sources/cozy",
            notice=page.t("Ce Cozy vous laisse seulement lire. Reconnectez-le pour copier."),
            kind="warn",
        )
    errors = Errors()
    since, until = asked_period(page, depuis, jusque, errors, needed=False)
    mine = [] if errors else _own(vault, since, until)
    return page.show(
        "cozy_copy.html",
        status=422 if errors else 200,
        errors=errors,
        source=source,
        address=account,
        since=since.isoformat(),
        until=until.isoformat(),
        count=len(mine),
        trips=page.t.n("{n} trajet", "{n} trajets", len(mine)),
    )


@router.post("/sources/cozy/copier")
def copy(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Form(max_length=200)],
    depuis: Annotated[str, Form(max_length=10)],
    jusque: Annotated[str, Form(max_length=10)],
    traces: Annotated[str, Form(max_length=1)] = "",
) -> RedirectResponse:
    """Copy them, as far as one request goes, and note it in the journal."""
    t = page.t
    address = _account(context, vault, source)
    here = f"/sources/cozy/copier?source={source}&depuis={depuis}&jusque={jusque}"
    errors = Errors()
    since, until = asked_period(page, depuis, jusque, errors, needed=False)
    if errors:
        return page.go(here)

    def points_of(trip: Trip) -> Callable[[], Points]:
        return (lambda: vault.track(trip.id)) if traces else list

    try:
        done = context.connectors.cozy.copy(
            vault.vault_id,
            source,
            address,
            [(trip, points_of(trip)) for trip in _own(vault, since, until)],
        )
    except ConnectorError as error:
        return _failed(page, error, here)
    if done.written:
        vault.note("source-copied", recipient=address, count=done.written)
    text = t.n("{n} trajet copié.", "{n} trajets copiés.", done.written)
    if done.known:
        text += " " + t.n("{n} y était déjà.", "{n} y étaient déjà.", done.known)
    if not done.left:
        return page.go("/sources/cozy", notice=text)
    more = t.n("{n} reste : continuez.", "{n} restent : continuez.", done.left)
    return page.go(here, notice=f"{text} {more}", kind="warn")


@router.post("/sources/cozy/retirer")
def take_back(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Form(max_length=200)],
) -> RedirectResponse:
    """Delete what the vault copied there."""
    t = page.t
    address = _account(context, vault, source)
    try:
        removed, more = context.connectors.cozy.take_back(vault.vault_id, source, address)
    except ConnectorError as error:
        return _failed(page, error, "/sources/cozy")
    if removed:
        vault.note("source-copies-removed", recipient=address, count=removed)
    text = t.n("{n} copie retirée.", "{n} copies retirées.", removed)
    if more:
        text += " " + t("Il en reste : retirez encore.")
    return page.go("/sources/cozy", notice=text, kind="warn" if more else "ok")


def _account(context: HomeContext, vault: OpenVault, source: str) -> str:
    """The address of a Cozy of this vault. Raises UnknownAccountError."""
    account: SourceAccount = context.connectors.account(vault.vault_id, source)
    if account.connector != COZY:
        raise UnknownAccountError("not a Cozy")
    return account.address


def _own(vault: OpenVault, since: date, until: date) -> list[Trip]:
    """Trips of the period that no Cozy brought."""

    def sources(trip: Trip) -> set[Any]:
        received = vault.observations_of(trip.id)
        return {getattr(item.observation, "source", None) for item in received}

    return [trip for trip in vault.trips(since, until) if SOURCE not in sources(trip)]


__all__ = ["router"]
