"""« Compte chez un opérateur »: connect one that serves the mobility account, see what it has, keep
it or go.

Leaving is a link, not a form's redirect: a form's `form-action` would have to name every operator.
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

from typing import Annotated, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.accounts import Health, SourceAccount
from connectors.contract.documents import SOURCE
from connectors.contract.oauth import RESOURCES
from connectors.errors import ConnectorError, UnknownAccountError
from connectors.sandbox.mobility_account import PATH as SANDBOX_ACCOUNT
from portal.context import HomeContext
from portal.glossary import REJECTED, mode_word
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.deps import VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.draining import drain_all, drain_words
from portal.settings import Node
from portal.web import Page
from schemas.observations import TripObservation
from vault.open_vault import OpenVault

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

HERE: Final = "/sources/compte-operateur"
BACK: Final = f"{HERE}/retour"
SEEN: Final = f"{HERE}/apercu"
NAMES: Final = {
    "trips": N_("Trajets"),
    "passes": N_("Abonnements"),
    "receipts": N_("Factures"),
}


@router.get(HERE)
def accounts(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """What it is for, the accounts connected, and the form that connects one."""
    return _form(page, context, vault, Errors())


def _form(
    page: Page, context: HomeContext, vault: OpenVault, errors: Errors, typed: str = ""
) -> HTMLResponse:
    t, settings = page.t, context.settings
    example = f"{settings.url(Node.SANDBOX)}/{SANDBOX_ACCOUNT}" if settings.sandbox else ""
    rows = []
    for account in context.connectors.accounts(vault.vault_id):
        if account.source != SOURCE:
            continue
        has_news, told_at = context.connectors.operators.news.last(vault.vault_id, account.id)
        rows.append(
            {
                "id": account.id,
                "address": account.name,
                "waits": account.last_run_at is None,
                "news": t("il prévient votre coffre : dernière nouvelle le {moment}",
                          moment=t.moment(told_at))
                if told_at is not None
                else t("il prévient votre coffre quand il y a du nouveau")
                if has_news
                else t("interrogé toutes les six heures"),
            }
        )  # fmt: skip
    return page.show(
        "operator_account.html",
        status=422 if errors else 200,
        errors=errors,
        typed=typed or example,
        accounts=rows,
        resources=[(name, t(NAMES[name])) for name in RESOURCES],
    )


@router.post(HERE)
def begin(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    adresse: Annotated[str, Form(max_length=300)],
    trips: Annotated[str, Form(max_length=1)] = "",
    passes: Annotated[str, Form(max_length=1)] = "",
    receipts: Annotated[str, Form(max_length=1)] = "",
) -> HTMLResponse:
    """Register at the operator, and show the way to its page that asks."""
    t = page.t
    chosen = {"trips": trips, "passes": passes, "receipts": receipts}
    wanted = frozenset(name for name, ticked in chosen.items() if ticked)
    if not wanted:
        why = t("Choisissez au moins une chose à lire.")
        return _form(page, context, vault, Errors(trips=why), adresse)
    try:
        asked = context.connectors.operators.begin(
            vault.vault_id,
            adresse,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=context.settings.url(Node.HOME) + BACK,
            resources=wanted,
        )
    except ConnectorError as error:
        return _form(page, context, vault, Errors(adresse=_why(t, error).capitalize()), adresse)
    answer = page.show(
        "operator_account_leave.html",
        url=asked.url,
        name=asked.name,
        address=asked.address,
        reads=[t(NAMES[name]) for name in asked.resources],
        lacks=[t(NAMES[name]) for name in RESOURCES if name in wanted - set(asked.resources)],
    )
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
    """The browser is back: keep the access sealed, and show what there is."""
    try:
        account = context.connectors.finish_operator(
            vault.vault_id,
            {"state": state, "code": code},
            browser=page.request.cookies[VAULT_COOKIE],
        )
    except ConnectorError as error:
        return _failed(page, error)
    return page.go(f"{SEEN}?source={account.account_id}")


@router.get(SEEN)
def preview(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What the account holds, before anything of it is kept. Without an account: the list."""
    if not source:
        return accounts(page, context, vault)
    t = page.t
    account = _account(context, vault, source)
    try:
        found = context.connectors.preview_operator(vault.vault_id, source)
    except ConnectorError as error:
        return _failed(page, error)
    return page.show(
        "operator_account_preview.html",
        source=source,
        name=found.name,
        address=account.address,
        waits=account.health is Health.NEVER_RUN,
        counts=[
            (
                t(NAMES[name]),
                t("{n} et plus", n=t.number(count)) if name in found.more else t.number(count),
            )
            for name, count in found.counts.items()
        ],
        trips=[_trip(t, trip) for trip in found.trips],
        passes=[
            [p.network, p.product, f"{t.day(p.valid_from)} – {t.day(p.valid_until)}"]
            for p in found.passes
        ],
        receipts=[[t.day(r.issued_at.date()), r.issuer_name, t.amount(r.total)]
                  for r in found.receipts],
        rejected=[(r.where, t(REJECTED[r.code]) if r.code in REJECTED else r.code)
                  for r in found.rejected],
        tells_news=found.tells_news,
    )  # fmt: skip


def _trip(t: Translator, trip: TripObservation) -> list[str]:
    mode = trip.mode_claims[0].mode.value if trip.mode_claims else "unknown"
    return [
        t.moment(trip.started_at, trip.start_zone),
        t(mode_word(mode).label) + (f" ({t('annulé')})" if trip.cancelled else ""),
        t.distance(trip.distance or 0),
    ]


@router.post(f"{HERE}/garder")
def keep(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Form(max_length=200)],
) -> RedirectResponse:
    """Bring what there is, ask to be told of news, and drain."""
    t = page.t
    _account(context, vault, source)
    try:
        report = context.connectors.keep_operator(vault.vault_id, source)
    except ConnectorError as error:
        return _failed(page, error)
    if report.error:
        code = str(report.error)
        text = t(REJECTED[code]) if code in REJECTED else code
        return page.go(
            "/sources",
            notice=t("La source n'a pas pu être interrogée : {why}", why=text),
            kind="warn",
        )
    return page.go("/sources", notice=drain_words(t, drain_all(vault)))


def _account(context: HomeContext, vault: OpenVault, source: str) -> SourceAccount:
    """An operator's account of this vault. Raises UnknownAccountError."""
    account: SourceAccount = context.connectors.account(vault.vault_id, source)
    if account.connector != SOURCE:
        raise UnknownAccountError("no account at an operator")
    return account


def _why(t: Translator, error: ConnectorError) -> str:
    return t(REJECTED[error.code]) if error.code in REJECTED else error.code


def _failed(page: Page, error: ConnectorError) -> RedirectResponse:
    t = page.t
    return page.go(HERE, notice=t("Votre opérateur : {why}", why=_why(t, error)), kind="bad")
