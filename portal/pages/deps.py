"""What a page function may ask for in its signature. Nothing asked: the page is public, visibly."""

from typing import Annotated

from fastapi import Depends, Form, Request

from portal.context import HomeContext
from portal.web import Page
from portal.witness import STATE as OPEN_VAULT
from vault.open_vault import OpenVault

VAULT_COOKIE = "__Host-coffre"
KNOWN_COOKIE = "__Host-numero"
"""The vault's number, so that unlocking asks only the passphrase; not a secret."""


def home_context(request: Request) -> HomeContext:
    """The home's context, put there by `create_home_app`."""
    context: HomeContext = request.app.state.pages
    return context


ContextDep = Annotated[HomeContext, Depends(home_context)]


def home_page(request: Request, context: ContextDep) -> Page:
    """The way to answer this request."""
    return Page(request, context.site, now=context.clock())


PageDep = Annotated[Page, Depends(home_page)]


def checked_page(page: PageDep, jeton: Annotated[str, Form()] = "") -> Page:
    """The page, after its form's token was checked.

    Raises:
        FormExpiredError: show the form again.
    """
    page.check_form(jeton)
    return page


CheckedDep = Annotated[Page, Depends(checked_page)]


def open_vault(request: Request, context: ContextDep) -> OpenVault:
    """The open vault of this browser.

    Raises:
        SessionEndedError: no session, expired or locked elsewhere; the handler sends to unlock.
    """
    vault = context.home.session(request.cookies.get(VAULT_COOKIE, ""))
    setattr(request.state, OPEN_VAULT, vault.vault_id)  # the browser remembers its head
    return vault


VaultDep = Annotated[OpenVault, Depends(open_vault)]
