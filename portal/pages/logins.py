"""A login at the identity provider that leads to a vault and never opens it: linked and unlinked
on « Mes clés », used on « Ouvrir mon coffre ».

Links, not forms, lead away: a form's `form-action` would have to name the provider. Only a page of
ours begins one.
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

import secrets
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from connectors.errors import ConnectorError
from portal.context import HomeContext
from portal.glossary import REJECTED
from portal.pages.access import unlock_page
from portal.pages.deps import VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.identity import past_logout
from portal.pages.keys import RecentDep
from portal.settings import Node
from portal.web import Page

__all__ = ["public", "router"]

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

LINKED: Final = "/coffre/cles/compte/retour"
FOUND: Final = "/ouvrir/compte/retour"
KEYS: Final = "/coffre/cles"
SEEKING_COOKIE: Final = "__Host-recherche"
"""Ties the login of somebody who looks for their vault to this browser, for ten minutes."""
_TEN_MINUTES_S: Final = 600

Code = Annotated[str, Query(max_length=2000)]
Short = Annotated[str, Query(max_length=500)]


@router.get("/coffre/cles/compte")
def link(page: PageDep, context: ContextDep, vault: VaultDep, keep: RecentDep) -> RedirectResponse:
    """To the provider, to link the login that comes back."""
    if not _is_ours(page):
        return _refused(page, "login-foreign", KEYS)
    try:
        url = context.connectors.logins.begin(
            vault.vault_id, browser=keep, redirect_uri=_address(context, LINKED)
        )
    except ConnectorError as error:
        return _refused(page, error.code, KEYS)
    return page.go(url)


@router.get(LINKED)
def linked(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    state: Short = "",
    code: Code = "",
    iss: Short = "",
    error: Short = "",
) -> RedirectResponse:
    """Back from the provider: the login leads here from now on."""
    query = _query(state=state, code=code, iss=iss, error=error)
    try:
        who = context.connectors.logins.finish(
            vault.vault_id,
            query,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=_address(context, LINKED),
        )
    except ConnectorError as failure:
        return _refused(page, failure.code, KEYS)
    context.home.accounts.link(vault, issuer=who.issuer, subject=who.subject)
    text = page.t("Compte relié : il retrouvera votre coffre, il ne l'ouvrira jamais.")
    return past_logout(page.go(f"{KEYS}#comptes", notice=text), who)


@router.post("/coffre/cles/compte/delier")
def unlink(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    _keep: RecentDep,
    lien: Annotated[str, Form(max_length=64)] = "",
) -> RedirectResponse:
    """Let it lead here no more."""
    context.home.accounts.unlink(vault, lien)
    return page.go(f"{KEYS}#comptes", notice=page.t("Compte délié : il ne mène plus ici."))


# --- on « Ouvrir mon coffre » --------------------------------------------------------------------


@public.get("/ouvrir/compte")
def seek(request: Request, page: PageDep, context: ContextDep) -> RedirectResponse:
    """To the provider, to be told which vault is meant."""
    if not _is_ours(page):
        return _refused(page, "login-foreign", "/ouvrir")
    secret = secrets.token_urlsafe(32)
    try:
        url = context.connectors.logins.begin_unknown(
            browser=secret,
            redirect_uri=_address(context, FOUND),
            client=request.client.host if request.client else "unknown",
        )
    except ConnectorError as error:
        return _refused(page, error.code, "/ouvrir")
    answer = page.go(url)
    answer.set_cookie(
        SEEKING_COOKIE, secret, max_age=_TEN_MINUTES_S, secure=True, httponly=True, samesite="lax"
    )
    return answer


@public.get(FOUND)
def found(
    page: PageDep,
    context: ContextDep,
    state: Short = "",
    code: Code = "",
    iss: Short = "",
    error: Short = "",
) -> Response:
    """Back from the provider: the vault's number is filled in, its secret is asked for."""
    t, query = page.t, _query(state=state, code=code, iss=iss, error=error)
    try:
        who = context.connectors.logins.finish_unknown(
            query,
            browser=page.request.cookies.get(SEEKING_COOKIE, ""),
            redirect_uri=_address(context, FOUND),
        )
    except ConnectorError as failure:
        return _refused(page, failure.code, "/ouvrir")
    vaults = context.home.accounts.find(issuer=who.issuer, subject=who.subject)
    answer: Response
    if not vaults:
        text = t(
            "Ce compte ne mène à aucun coffre d'ici. Un compte se relie dans « Mes clés », coffre "
            "ouvert."
        )
        answer = past_logout(page.go("/ouvrir", notice=text, kind="warn"), who)
    elif len(vaults) == 1:
        to = "/ouvrir?" + urlencode({"reconnu": vaults[0], "par": "compte"})
        answer = past_logout(page.go(to), who)
    else:
        answer = unlock_page(
            page, known=None, errors={}, choices=vaults, passkeys=context.home.passkeys.is_available
        )
    answer.delete_cookie(SEEKING_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def _is_ours(page: Page) -> bool:
    site = page.request.headers.get("sec-fetch-site", "same-origin")
    return site in {"same-origin", "none"}


def _address(context: HomeContext, path: str) -> str:
    return context.settings.url(Node.HOME) + path


def _query(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _refused(page: Page, code: str, to: str) -> RedirectResponse:
    t = page.t
    why = t(REJECTED[code]) if code in REJECTED else code
    return page.go(to, notice=t("Rien n'a changé : {why}", why=why), kind="bad")
