"""« Mon identité certifiée »: to the home's OpenID provider and back.

A link, not a form: a form's `form-action` would have to name the provider. Coming back counts only
in the browser, and for the vault, that left; `connectors.service` keeps what must match.
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse

from connectors.errors import ConnectorError
from connectors.identity.entitlements import Entitlement
from connectors.identity.home_key import JWKS_PATH, published
from connectors.identity.login import Identity
from portal.context import HomeContext
from portal.glossary import IDENTITY_LEVELS, REJECTED
from portal.i18n import N_, Translator
from portal.pages.deps import VAULT_COOKIE, ContextDep, PageDep, VaultDep
from portal.pages.draining import drain_all
from portal.settings import Node
from portal.web import Page
from schemas.records import Attribute, Degree
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

BACK = "/identite/retour"
SHOWN_ON = "/coffre/documents"
NEXT_COOKIE = "__Host-suite"
_TEN_MINUTES_S = 600
RIGHTS: Final = {
    Entitlement.STUDENT: N_("Statut étudiant"),
    Entitlement.QUOTIENT: N_("Tranche de quotient familial"),
}


@router.get("/identite/connexion")
def begin(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    avec: Annotated[list[Entitlement] | None, Query(max_length=len(Entitlement))] = None,
) -> RedirectResponse:
    """Send this browser to the provider; `avec` names rights to be read beside the identity. Only
    from a page of ours: nobody else begins a login."""
    site = page.request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        return _refused(page, "login-foreign")
    try:
        url = context.connectors.begin_identity(
            vault.vault_id,
            browser=page.request.cookies[VAULT_COOKIE],
            redirect_uri=context.settings.url(Node.HOME) + BACK,
            also=tuple(dict.fromkeys(avec or ())),
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
        identity = context.connectors.finish_identity(
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
    for right, reason in identity.untold:
        why = t(REJECTED[reason]) if reason in REJECTED else reason
        said = t("{right} : pas reçu ({why})", right=t(RIGHTS[right]), why=why.rstrip("."))
        text = f"{text} {said}."
    kind = "warn" if identity.untold else "ok"
    return past_logout(page.go(SHOWN_ON, notice=text, kind=kind), identity)


def past_logout(answer: RedirectResponse, identity: Identity) -> RedirectResponse:
    """`answer`, by way of the provider's logout where it has one: on a shared computer its login
    would let the next person in. The way on stays in this browser, not in the provider's address.
    """
    if identity.logout:
        to = answer.headers["location"]
        answer.set_cookie(
            NEXT_COOKIE, to, max_age=_TEN_MINUTES_S, secure=True, httponly=True, samesite="lax"
        )
        answer.headers["location"] = identity.logout
    return answer


@public.get("/identite/deconnecte")
def logged_out(page: PageDep) -> RedirectResponse:
    """Back from the provider's logout: on to where the login was for."""
    to = page.request.cookies.get(NEXT_COOKIE, "/")
    answer = page.go(to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/")
    answer.delete_cookie(NEXT_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


@public.get(JWKS_PATH)
def keys(context: ContextDep) -> dict[str, Any]:
    """The key that a provider encrypts tokens to, as a JWK set."""
    return published(context.home.key_store)


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
        "rights": [(right.value, t(words)) for right, words in RIGHTS.items()]
        if context.connectors.logins.reads_rights
        else [],
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


__all__ = ["identity_card", "level_word", "past_logout", "public", "relayed", "router"]
