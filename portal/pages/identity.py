"""« Mon identité certifiée »: to the home's OpenID provider and back.

A link, not a form: a form's `form-action` would have to name the provider. Coming back counts only
in the browser, and for the vault, that left; `connectors.service` keeps what must match.
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse

from connectors.errors import ConnectorError
from portal.context import HomeContext
from portal.glossary import IDENTITY_LEVELS, REJECTED
from portal.i18n import Translator
from portal.pages.deps import VAULT_COOKIE, ContextDep, PageDep, VaultDep
from portal.pages.draining import drain_all
from portal.settings import Node
from portal.web import Page
from schemas.records import Attribute, Degree
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

BACK = "/identite/retour"
SHOWN_ON = "/coffre/documents"


@router.get("/identite/connexion")
def begin(page: PageDep, context: ContextDep, vault: VaultDep) -> RedirectResponse:
    """Send this browser to the provider. Only from a page of ours: nobody else begins a login."""
    site = page.request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        return _refused(page, "login-foreign")
    try:
        url = context.connectors.begin_identity(
            vault.vault_id,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=context.settings.url(Node.HOME) + BACK,
        )
    except ConnectorError as error:
        return _refused(page, error.code)
    return page.go(url)


@router.get(BACK)
def finish(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
    iss: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """The browser is back: verify, leave the attributes in the drop-box, drain, say it."""
    t = page.t
    given = {"state": state, "code": code, "iss": iss, "error": error}
    query = {name: value for name, value in given.items() if value}
    try:
        context.connectors.finish_identity(
            vault.vault_id,
            query,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=context.settings.url(Node.HOME) + BACK,
        )
    except ConnectorError as failure:
        return _refused(page, failure.code)
    drain_all(vault)
    shown = identity_card(t, context, vault)
    if shown is None or not shown["level"]:
        return _refused(page, "userinfo-invalid")
    text = t("Votre identité est arrivée, relayée (niveau {level}).", level=shown["level"])
    return page.go(SHOWN_ON, notice=text)


def identity_card(t: Translator, context: HomeContext, vault: OpenVault) -> dict[str, Any] | None:
    """What the card shows; None when this home has no provider."""
    provider = context.connectors.identity
    if provider is None:
        return None
    known = relayed(vault)
    names = [str(known[n].value) for n in ("given_name", "family_name") if n in known]
    newest = max(known.values(), key=lambda a: a.certified_at, default=None)
    return {
        "provider": provider.name,
        "name": " ".join(names),
        "level": level_word(t, newest.level) if newest is not None else "",
        "at": t.moment(newest.certified_at) if newest is not None else "",
    }


def relayed(vault: OpenVault) -> dict[str, Attribute]:
    """Identity attributes that a login brought, by their name without `identity.`."""
    return {
        a.name.removeprefix("identity."): a
        for a in vault.attributes()
        if a.name.startswith("identity.") and a.degree is Degree.RELAYED
    }


def level_word(t: Translator, level: str | None) -> str:
    """The public word of an eIDAS level; one without a word is shown as it is."""
    return t(IDENTITY_LEVELS[level]) if level in IDENTITY_LEVELS else level or ""


def _refused(page: Page, code: str) -> RedirectResponse:
    t = page.t
    why = t(REJECTED[code]) if code in REJECTED else code
    text = t("Votre identité n'est pas arrivée : {why}", why=why)
    return page.go(SHOWN_ON, notice=text, kind="bad")


__all__ = ["identity_card", "level_word", "relayed", "router"]
