"""« Répondre à une demande »: a verifier asks by a link or a QR code (OpenID4VP).

Before the vault is open the page says who asks, and fetches nothing for a stranger. With the open
vault the citizen has the request read, and the consent page in two columns follows.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from contextlib import suppress
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.errors import UnknownAidError
from federation.aids.model import Aid
from federation.errors import HubClientError
from federation.openid4vp import (
    DcqlError,
    Invitation,
    RequestRefusedError,
    invitation_link,
    read_invitation,
    read_open_request,
)
from federation.profiles import ProfileError, ProfileRefusedError
from federation.usage import Metric
from federation.wire.errors import OutboundError
from portal.context import HomeContext
from portal.extension_pages import words_of
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.aids import consent_page, current_catalogue, open_applications
from portal.pages.deps import (
    VAULT_COOKIE,
    CheckedDep,
    ContextDep,
    PageDep,
    VaultDep,
)
from portal.pages.vault import CREDENTIAL_TITLES
from portal.proofs import refusal
from portal.views import iri, short
from portal.web import Page
from schemas.errors import MobilityError, Retriable
from schemas.extensions import installed
from schemas.ids import Iri
from vault.declining import decline
from vault.delivery import delivery_of
from vault.errors import SessionEndedError, ShareRefusedError, UnlockAgainError, VaultLockedError
from vault.presenting import PRESENTER, Asker, prepare_presentation, who_asks

router = APIRouter(include_in_schema=False)

LINKS: Final = {
    "link-malformed": N_("Ce lien n'est pas une demande. Recopiez-le en entier, ou rescannez le code."),
    "request-by-value": N_("Cette demande n'est pas signée : personne ne garantit qui la fait. Elle ne peut pas recevoir de réponse."),
    "client-id-prefix": N_("Ce demandeur se présente d'une façon que votre coffre ne sait pas vérifier."),
    "request-uri": N_("L'adresse de cette demande n'est pas acceptable."),
}  # fmt: skip
REFUSED: Final = {
    "request-expired": N_("Cette demande a expiré. Demandez-en une nouvelle : elles ne vivent que quelques minutes."),
    "challenge-expired": N_("Cette demande a expiré. Demandez-en une nouvelle : elles ne vivent que quelques minutes."),
    "request-unknown": N_("Cette demande n'existe pas ou plus."),
    "verifier-not-accredited": N_("Personne ne se porte garant de ce demandeur : votre coffre ne lui répond pas."),
    "client-certificate": N_("Le certificat de ce demandeur ne mène à aucune autorité reconnue ici."),
    "request-signature": N_("La signature de cette demande est fausse : elle ne vient pas de qui elle le dit."),
    "no-usage-proof": N_("Cette demande veut un calcul que votre coffre ne sait pas faire."),
    "age-unknown": N_("Votre coffre ne connaît pas votre date de naissance."),
    "age-not-reached": N_("Vous n'avez pas l'âge demandé : votre coffre n'en dit rien."),
    "tariff-invalid": N_("La règle de ce tarif n'est pas publiée comme il faut : votre coffre ne la calcule pas."),
    "tariff-missing": N_("Il manque à votre coffre de quoi calculer ce tarif : {more}."),
    "zone-unknown": N_("Votre coffre n'a ni dérogation pour cette zone ni classe de véhicule."),
    "preferences-empty": N_("Vos préférences de trajet sont vides : choisissez-les d'abord."),
    "extension-unknown": N_("Cette demande concerne une extension qui n'est pas installée ici."),
    "status-unreachable": N_("Un émetteur ne répond pas : réessayez dans quelques minutes."),
    "profile-invalid": N_("Cette demande cite un profil de service que votre coffre ne connaît pas."),
    "profile-mismatch": N_("Cette demande veut autre chose que le profil qu'elle cite."),
    "unknown-aid": N_("Cette aide n'est pas au catalogue."),
}  # fmt: skip
ASKER_LINK_LIMIT: Final = 4_000


@router.get(PRESENTER)
def asked(
    request: Request,
    page: PageDep,
    context: ContextDep,
    lien: Annotated[str, Query(max_length=ASKER_LINK_LIMIT)] = "",
    client_id: Annotated[str, Query(max_length=1000)] = "",
) -> HTMLResponse:
    """Who asks, before anything is read; without a link, where to paste one."""
    link = lien or (str(request.url) if client_id else "")
    if not link:
        return _form(page, "", Errors())
    try:
        invitation = read_invitation(link)
    except RequestRefusedError as error:
        if error.reason == "request-by-value" and client_id:
            return _nobody(page, dict(request.query_params))
        return _form(page, lien, Errors(lien=page.t(LINKS[error.reason])))
    return _asker_page(request, page, context, invitation, Errors())


def _form(page: Page, link: str, errors: Errors) -> HTMLResponse:
    return page.show(
        "presenter.html", status=422 if errors else 200, errors=errors, link=link, asker=None
    )


def _nobody(page: Page, parameters: dict[str, str]) -> HTMLResponse:
    """An unsigned request: where its answer would go, and that it gets none."""
    try:
        found = read_open_request(parameters, at=page.now, allow_loopback_http=True)
        name = urlsplit(found.response_uri).netloc
    except (RequestRefusedError, DcqlError):
        name = ""
    text = page.t(LINKS["request-by-value"])
    if name:
        text = f"{name} : {text}"
    return _form(page, "", Errors(lien=text))


def _is_open(request: Request, context: HomeContext) -> bool:
    try:
        context.home.session(request.cookies.get(VAULT_COOKIE, ""))
    except (SessionEndedError, UnlockAgainError, VaultLockedError):
        return False
    return True


def _asker_page(
    request: Request, page: Page, context: HomeContext, invitation: Invitation, errors: Errors
) -> HTMLResponse:
    asker, is_open = who_asks(context.home, invitation), _is_open(request, context)
    if is_open and not asker.is_known:
        with suppress(MobilityError):  # a member of this morning
            context.refresh_trust()
        asker = who_asks(context.home, invitation)
    here = invitation_link(PRESENTER, invitation)
    return page.show(
        "presenter.html",
        status=422 if errors else 200,
        tabs=is_open,
        errors=errors,
        link=here,
        asker={"name": asker.name, "known": asker.is_known},
        facts=_facts(page.t, asker, invitation),
        unlock="" if is_open else f"/ouvrir?retour={quote(here, safe='')}",
    )


def _facts(t: Translator, asker: Asker, invitation: Invitation) -> list[tuple[str, str]]:
    return [
        (t("Se présente comme"), invitation.client_id.partition(":")[2][:200]),
        (t("Inscrit au registre de confiance"), t("oui") if asker.is_known else t("non")),
        (t("Adresse de la demande"), urlsplit(invitation.request_uri).netloc),
    ]


@router.post(PRESENTER)
def read(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    lien: Annotated[str, Form(max_length=ASKER_LINK_LIMIT)],
) -> Response:
    """Read the request and show what would leave. Nothing leaves."""
    t, slug = page.t, [""]
    metrics: list[Metric | None] = [None]

    def aid_of(aid_id: Iri) -> Aid:
        slug[0] = aid_id.rpartition("#aide-")[2]
        found = current_catalogue(context.catalogue, slug[0], of=vault).aid(aid_id)
        metrics[0] = None if found.proof is None else Metric(found.proof.metric)
        return found

    try:
        invitation = read_invitation(lien)
    except RequestRefusedError as error:
        return _form(page, lien, Errors(lien=t(LINKS[error.reason])))
    try:
        disclosure = prepare_presentation(vault, invitation, aid_of=aid_of)
    except ShareRefusedError as error:
        reason = str(error.reason)
        if reason.startswith("missing:") and slug[0]:
            return page.go(
                f"/documents/recevoir?aide={slug[0]}",
                notice=t(
                    "Il manque un document signé pour cette aide : demandez-le à son émetteur."
                ),
                kind="warn",
            )
        said = refusal(t, reason, metrics[0]) or _said(t, reason)
    except (
        RequestRefusedError, DcqlError, UnknownAidError, ProfileError, ProfileRefusedError,
    ) as error:  # fmt: skip
        said = _said(t, getattr(error, "reason", error.code))
    except (HubClientError, OutboundError) as error:
        said = _unreachable(t, error)
    else:
        live = open_applications(vault).get(str(disclosure.aid)) if disclosure.aid else None
        if live is not None and live.submitted_at is not None and live.id != disclosure.application:
            return page.go(
                f"/demandes/{short(live.id)}",
                notice=t(
                    "Vous avez déjà une demande en cours pour cette aide : rien n'a été envoyé."
                ),
                kind="warn",
            )
        return consent_page(page, disclosure, tells=True)
    return _asker_page(request, page, context, invitation, Errors({"": said}))


def _said(t: Translator, reason: str) -> str:
    """Why there is no answer, in words."""
    if reason.startswith("missing:"):
        types = reason.removeprefix("missing:").split(",")
        titles = (t(CREDENTIAL_TITLES[c]) if c in CREDENTIAL_TITLES else c for c in types)
        return t(
            "Il manque dans votre coffre, signé pour ce destinataire : {titles}.",
            titles=", ".join(titles),
        )
    code, _, more = reason.partition(":")
    extension = installed().get(more)
    if code == "extension-lacks" and extension is not None:
        return t("Pour répondre, {what}.", what=words_of(t, extension.lacking))
    if code in REFUSED:
        return t(REFUSED[code], more=more.replace(",", ", ")) if more else t(REFUSED[code])
    return t(
        "Cette demande ne peut pas recevoir de réponse ({code}). Rien n'a été envoyé.", code=reason
    )


def _unreachable(t: Translator, error: MobilityError) -> str:
    code = getattr(error, "hub_code", None) or error.code
    if isinstance(error, Retriable):
        return t(
            "Le demandeur ne répond pas. Rien n'a été envoyé : réessayez dans quelques minutes."
        )
    return _said(t, str(code))


@router.post(f"{PRESENTER}/refuser")
def refuse(
    page: CheckedDep, vault: VaultDep, partage: Annotated[str, Form(max_length=64)] = ""
) -> RedirectResponse:
    """Nothing goes; a verifier that waits is told so."""
    told = decline(vault, partage)
    text = (
        page.t("Rien n'a été envoyé. Le demandeur sait que vous avez refusé.")
        if told
        else page.t("Cette demande est close.")
    )
    return page.go("/partages", notice=text)


@router.get("/partages/{uuid_text}/retour")
def go_back(page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str) -> Response:
    """After an answer was handed over: back to the verifier's own page, where it named one."""
    consent = vault.get(iri(uuid_text))
    delivery = delivery_of(context.home, vault.vault_id, consent.id)
    there = None if delivery is None else delivery.redirect_uri
    if there is None:
        return RedirectResponse(f"/partages/{short(consent.id)}", status_code=303)
    return page.show(
        "presented.html",
        headers={"refresh": f"0; url={there}"},
        there=there,
        host=urlsplit(there).netloc,
        receipt=f"/partages/{short(consent.id)}",
    )


__all__ = ["router"]
