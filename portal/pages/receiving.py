"""Receiving what issuers sign (OpenID4VCI): a link or a code, a login at the issuer, what comes
later."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from federation.aids.model import CheckMode
from federation.did import DidMalformedError
from federation.did.web import url_of
from federation.errors import HubUnreachableError
from federation.openid4vci import CredentialOffer
from portal.context import HomeContext
from portal.i18n import Translator
from portal.pages.access import Errors
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.simulated import PARTIES, sandbox_offer
from portal.pages.vault import AFFILIATION, CREDENTIAL_TITLES
from portal.settings import Node
from portal.web import Page
from schemas.errors import MobilityError, Retriable
from schemas.ids import Did
from schemas.records import Application, Credential, Kind
from vault.circles import keys_of
from vault.errors import ShareRefusedError
from vault.issuance import begin_login, collect, finish_login
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)


@router.get("/documents/recevoir")
def offer_form(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    aide: str = "",
    credential_offer_uri: str = "",
    credential_offer: str = "",
    code: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """Receive a document that an issuer signs for one funder (OpenID4VCI)."""
    offer = credential_offer_uri or credential_offer
    return offer_page(page, context, vault, Errors(), aide, offer, code=code)


def offer_page(
    page: Page,
    context: HomeContext,
    vault: OpenVault,
    errors: Errors,
    chosen: str,
    offer: str,
    *,
    number: str = "",
    code: str = "",
) -> HTMLResponse:
    """The form: which offer, for which aid."""
    catalogue, _ = context.catalogue.get(naming=chosen, keys=keys_of(vault))
    t = page.t
    return page.show(
        "offer.html",
        status=422 if errors else 200,
        errors=errors,
        chosen=chosen,
        offer=offer,
        number=number,
        code=code,
        aids=[
            (aid.slug, f"{text_of(t, aid.titles)} · {aid.funder_name}")
            for aid in (catalogue.aids if catalogue is not None else ())
            if aid.check_mode is not CheckMode.LINK_OUT
        ],
        simulated=context.settings.sandbox,
    )


@router.post("/documents/recevoir")
def receive(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    aide: Annotated[str, Form(max_length=200)],
    offre: Annotated[str, Form(max_length=4000)] = "",
    simulee: Annotated[str, Form()] = "",
    matricule: Annotated[str, Form(max_length=64)] = "",
    code: Annotated[str, Form(max_length=64)] = "",
    tous: Annotated[str, Form()] = "",
) -> Response:
    """Redeem the offer to the holder key of the aid's funder (and, with `tous`, of every funder
    applied to) and keep the document; an issuer that asks for a login is gone to first."""
    t = page.t
    catalogue, _ = context.catalogue.get(naming=aide, keys=keys_of(vault))
    if catalogue is None:
        raise HubUnreachableError("no catalogue was ever received")
    aid = catalogue.aid(aide)
    if simulee in PARTIES and context.settings.sandbox:
        offre = sandbox_offer(context.settings, simulee)
    given: str | CredentialOffer = offre.strip()
    if code.strip() and not simulee:
        try:
            given = _handed_over(context, aid.funder, code)
        except DidMalformedError:
            text = t("Ce financeur ne remet pas de codes ici.")
            return offer_page(page, context, vault, Errors(code=text), aide, "")
    if not given:
        return offer_page(
            page, context, vault, Errors(offre=t("Collez le lien reçu de l'émetteur.")), aide, ""
        )
    try:
        trust = context.home.trust
        if trust is None or not trust.may_issue(aid.funder, AFFILIATION, page.now):
            context.refresh_trust()  # a funder of this morning signs already
        others = funders_of(vault) if tous else ()
        try:
            kept = vault.accept_offer(
                given, verifier=aid.funder, tx_code=matricule.strip() or None, others=others
            )
        except ShareRefusedError as refused:
            if refused.reason != "login-needed":
                raise
            home = context.settings.url(Node.HOME)
            return page.show(
                "offer_login.html",
                address=begin_login(
                    vault, given, verifier=aid.funder, client_id=home,
                    redirect_uri=f"{home}/documents/retour", others=others,
                ),
            )  # fmt: skip
    except MobilityError as error:
        if code.strip() and not simulee:
            text = (
                t("L'émetteur ne répond pas. Rien n'est perdu : réessayez plus tard.")
                if isinstance(error, Retriable)
                else t(
                    "Ce matricule et ce code ne vont pas ensemble, ou le code a servi ou expiré. Demandez-en un autre à votre employeur."
                )
            )
            return offer_page(
                page, context, vault, Errors(code=text), aide, "", number=matricule, code=code
            )
        text = t("Cette offre n'a pas pu être acceptée ({code}).", code=error.code)
        return offer_page(page, context, vault, Errors(offre=text), aide, offre)
    return page.go(f"/aides/{aide}" if kept else "/coffre/documents", notice=received_text(t, kept))


def received_text(t: Translator, kept: Sequence[Credential]) -> str:
    """What came, in words."""
    if not kept:
        return t("Demandé : l'émetteur préparera ce document, votre coffre le redemandera.")
    titles = Counter(CREDENTIAL_TITLES.get(one.type, one.type) for one in kept)
    title = ", ".join(t(name) if n == 1 else f"{t(name)} × {n}" for name, n in titles.items())
    return t("Reçu et gardé dans votre coffre : {title}.", title=title)


def funders_of(vault: OpenVault) -> tuple[Did, ...]:
    """Every funder the citizen applied to: each gets a copy bound to its own key."""
    found = [a for a in vault.all(Kind.APPLICATION) if isinstance(a, Application)]
    return tuple(dict.fromkeys(Did(application.funder) for application in found))


@router.get("/documents/retour")
def login_back(
    page: PageDep,
    vault: VaultDep,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=2_000)] = "",
    iss: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:
    """The browser comes back from the issuer's page (OpenID4VCI, authorisation code)."""
    t = page.t
    try:
        kept = finish_login(vault, state=state, code=code or None, iss=iss or None)
    except MobilityError as error:
        why = error.reason if isinstance(error, ShareRefusedError) else error.code
        text = (
            t("L'émetteur n'a rien remis. Vous pouvez recommencer.")
            if why in ("login-refused", "login-unknown")
            else t("Cette offre n'a pas pu être acceptée ({code}).", code=why)
        )
        return page.go("/coffre/documents", notice=text, kind="warn")
    return page.go("/coffre/documents", notice=received_text(t, kept))


@router.post("/documents/redemander")
def ask_again(page: CheckedDep, vault: VaultDep) -> Response:
    """Ask issuers for what they promised."""
    kept = collect(vault, now=True)
    text = received_text(page.t, kept) if kept else page.t("Pas encore prêt chez l'émetteur.")
    return page.go("/coffre/documents", notice=text)


def _handed_over(context: HomeContext, funder: Did, code: str) -> CredentialOffer:
    """The offer of a code on paper: its issuer is the funder itself, at its DID's own address.

    Raises:
        DidMalformedError: not a `did:web`.
    """
    loopback = context.settings.url(Node.HUB).startswith("http://")
    issuer = url_of(funder, loopback_http=loopback).removesuffix("/did.json")
    return CredentialOffer(issuer, (AFFILIATION,), code.strip(), needs_tx_code=True)
