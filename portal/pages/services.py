"""« Services »: who asks for what by which profile, what your vault has of it, and how to show it."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from federation.profiles import PROFILES, Profile, Service
from portal.context import HomeContext
from portal.extension_pages import words_of
from portal.glossary import LACKING
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.receiving import received_text
from portal.pages.simulated import sandbox_offer
from portal.pages.vault import CREDENTIAL_TITLES
from portal.settings import Node
from portal.web import Page
from schemas.errors import MobilityError
from schemas.extensions import installed
from schemas.ids import Did
from vault.computed import lacking
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.held import held_by
from vault.issuance import begin_login
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

WHERE: Final = {
    "age-unknown": ("/coffre/documents", N_("Faire certifier mon identité")),
    "zone-unknown": ("/coffre/vehicules", N_("Ajouter un véhicule")),
    "preferences-empty": ("/coffre/preferences", N_("Choisir mes préférences")),
}  # fmt: skip
SIMULATED: Final = {
    "IdentityCredential": ("identite/vc", N_("Bac à sable : identité fictive")),
    "DrivingLicenceCredential": ("registres", N_("Bac à sable : permis, adresse et véhicule fictifs")),
    "AddressCredential": ("registres", N_("Bac à sable : permis, adresse et véhicule fictifs")),
    "PassCredential": ("reseau", N_("Bac à sable : abonnement fictif")),
}  # fmt: skip
"""Which fictitious issuer signs what."""


@router.get("/services")
def services(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:  # noqa: ARG001 - the vault must be open
    """Every profile: what it asks, what stays, who asks so."""
    announced, is_fresh = context.home.services.current()
    return page.show(
        "services.html",
        profiles=[
            _profile(page.t, profile, [s for s in announced if s.profile.id == profile.id])
            for profile in PROFILES.values()
        ],
        is_fresh=is_fresh,
    )


def _profile(t: Translator, profile: Profile, announced: list[Service]) -> dict[str, Any]:
    return {
        "id": profile.id,
        "title": text_of(t, profile.title),
        "purpose": text_of(t, profile.purpose),
        "asks": [text_of(t, words) for words in profile.why.values()],
        "stays": [text_of(t, words) for words in profile.stays],
        "services": [{"name": s.name, "href": _address(s)} for s in announced],
    }


def _address(service: Service) -> str:
    return f"/services/{service.profile.id}?" + urlencode({"de": service.did})


@router.get("/services/{name}")
def one(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    name: str,
    de: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """One service: what it asks, what the vault has of it, what is missing and where to get it."""
    service = context.home.services.of(Did(de), name)
    if service is None:
        raise RecordUnknownError("of a service")
    return _one(page, context, vault, service, Errors())


def _one(
    page: Page, context: HomeContext, vault: OpenVault, service: Service, errors: Errors
) -> HTMLResponse:
    t, profile = page.t, service.profile
    holder, at = vault.known_holder(service.did), context.clock()
    held = [h for h in held_by(vault) if holder is not None and h.is_usable(holder=holder, at=at)]
    with suppress(MobilityError):  # an issuer of this morning
        context.refresh_trust()
    open_ = lacking(vault, service.query, held, at=at)
    types = {query.id: query.type for query in service.query.credentials}
    rows = [_row(t, profile, query, types[query], reason) for query, reason in open_.items()]
    to_receive = [types[query] for query, reason in open_.items() if reason == "missing"]
    trust = context.home.trust
    entry = None if trust is None else trust.entry(service.did)
    home = context.settings.url(Node.HOME)
    joint = "&" if urlsplit(service.start).query else "?"
    parameters = [
        (text_of(t, p.title), str(service.parameters[p.name])) for p in profile.parameters
    ]
    return page.show(
        "service.html",
        status=422 if errors else 200,
        errors=errors,
        title=text_of(t, profile.title),
        name=service.name,
        purpose=text_of(t, profile.purpose),
        rows=rows,
        stays=[text_of(t, words) for words in profile.stays],
        facts=[
            (t("Qui demande"), service.name),
            (t("Accrédité par"), (entry and entry.accredited_by) or t("personne : méfiance")),
            (t("Conservation"), text_of(t, profile.retention)),
            *parameters,
        ],
        is_ready=all(reason in (None, "at-request") for reason in open_.values()),
        start=f"{service.start}{joint}{urlencode({'coffre': home})}",
        host=urlsplit(service.start).netloc,
        to_receive=bool(to_receive),
        simulated=_simulated(t, context, to_receive),
        service={"profil": profile.id, "de": service.did},
        edit=_own_pages(t, profile),
    )


def _own_pages(t: Translator, profile: Profile) -> list[tuple[str, str]]:
    if profile.id == "itineraire":
        return [("/coffre/preferences", t("Choisir mes préférences"))]
    return [
        (extension.home, words_of(t, extension.title))
        for extension in installed().values()
        if any(profile.id == own["id"] for own in extension.profiles)
    ]


def _row(
    t: Translator, profile: Profile, query: str, kind: str, reason: str | None
) -> dict[str, Any]:
    code = (reason or "").partition(":")[0]
    where = WHERE.get(code)
    said = t(LACKING[code]) if code in LACKING else code
    href, action = (where[0], t(where[1])) if where else ("", "")
    extension = installed().get((reason or "").partition(":")[2])
    if code == "extension-lacks" and extension is not None:
        said, href = words_of(t, extension.lacking), extension.home
        action = words_of(t, extension.lacking_action)
    title = t(CREDENTIAL_TITLES[kind]) if kind in CREDENTIAL_TITLES else kind
    return {
        "title": title,
        "why": text_of(t, profile.why[query]),
        "state": t("prêt") if reason is None else said,
        "kind": "ok" if reason is None else "info" if code == "at-request" else "warn",
        "href": href,
        "action": action,
    }


def _simulated(t: Translator, context: HomeContext, kinds: list[str]) -> list[tuple[str, str]]:
    if not context.settings.sandbox:
        return []
    found = dict.fromkeys(SIMULATED[kind] for kind in kinds if kind in SIMULATED)
    return [(party, t(words)) for party, words in found]


@router.post("/services/recevoir")
def receive(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    profil: Annotated[str, Form(max_length=40)],
    de: Annotated[str, Form(max_length=300)],
    offre: Annotated[str, Form(max_length=4000)] = "",
    simulee: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Redeem an issuer's offer to the key that this service knows, and no other."""
    t = page.t
    service = context.home.services.of(Did(de), profil)
    if service is None:
        return page.go("/services", notice=t("Ce service n'est plus annoncé."), kind="warn")
    if context.settings.sandbox and simulee in {party for party, _ in SIMULATED.values()}:
        offre = sandbox_offer(context.settings, simulee)
    given = offre.strip()
    if not given:
        text = t("Collez le lien reçu de l'émetteur.")
        return _one(page, context, vault, service, Errors(offre=text))
    home = context.settings.url(Node.HOME)
    try:
        with suppress(MobilityError):
            context.refresh_trust()
        try:
            kept = vault.accept_offer(given, verifier=service.did)
        except ShareRefusedError as refused:
            if refused.reason != "login-needed":
                raise
            address = begin_login(
                vault, given, verifier=service.did, client_id=home,
                redirect_uri=f"{home}/documents/retour",
            )  # fmt: skip
            return page.show("offer_login.html", address=address)
    except MobilityError as error:
        text = t("Cette offre n'a pas pu être acceptée ({code}).", code=error.code)
        return _one(page, context, vault, service, Errors(offre=text))
    return page.go(_address(service), notice=received_text(t, kept))


__all__ = ["router"]
