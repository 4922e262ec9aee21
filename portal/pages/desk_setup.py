"""A funder's own pages: opening a desk, coming in, the agreement, the document key, aids, people."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from federation.aids.model import Aid, AidStatus, CheckMode, FunderLevel
from federation.hub.access import Action, Caller, is_allowed
from federation.hub.agreement import current_agreement
from federation.hub.aid_templates import (
    BOUNDS,
    BY_A_PERSON,
    FIELDS,
    MAY_HAVE,
    AidTemplate,
    Choices,
)
from federation.hub.enrolment import Enrolment
from federation.hub.errors import EntryRefusedError, InvitationRefusedError, PasskeyRefusedError
from federation.hub.members import Member, MemberSession
from federation.hub.reserved import CIRCLES
from federation.multibase import b64url
from federation.sealing import BoxPublicKey
from portal.context import HubPages
from portal.i18n import N_, Translator
from portal.pages.access import SCRIPT_POLICY, Errors
from portal.pages.aids import LEVELS, non_cumul
from portal.pages.checks import text_of
from portal.pages.desk_drafts import draft_rows
from portal.pages.desk_reserved import WHO
from portal.pages.hub import DESK_COOKIE, CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.pages.hub import euros_to_cents as to_cents
from portal.pages.legal import render
from portal.settings import Node
from portal.views import local_today
from portal.web import Page

router = APIRouter(include_in_schema=False, prefix="/guichet")

ROLE_NAMES: Final = {
    Caller.OFFICER: (N_("gestionnaire"), N_("Instruit les demandes et ouvre les documents.")),
    Caller.SUPERVISOR: (
        N_("superviseur"),
        N_("Voit les chiffres, tient l'équipe et la convention."),
    ),
    Caller.EDITOR: (N_("éditeur"), N_("Écrit et publie les aides.")),
}
TEMPLATES: Final = {
    AidTemplate.FMD_PUBLIC: (
        N_("Forfait mobilités durables, employeur public"),
        N_(
            "100, 200 ou 300 € par an selon le nombre de jours : les montants de l'arrêté du 9 mai 2020."
        ),
    ),
    AidTemplate.FMD_PRIVATE: (
        N_("Forfait mobilités durables, employeur privé"),
        N_("Un montant par jour éligible, avec votre plafond annuel."),
    ),
    AidTemplate.PASS_PUBLIC: (
        N_("Abonnement de transport, employeur public"),
        N_("75 % de l'abonnement, dans la limite du plafond mensuel."),
    ),
    AidTemplate.PASS_PRIVATE: (
        N_("Abonnement de transport, employeur privé"),
        N_(
            "La part que vous prenez en charge : au moins 50 % (code du travail, article R. 3261-1)."
        ),
    ),
    AidTemplate.PURCHASE: (
        N_("Achat d'un vélo électrique, sur pièces"),
        N_(
            "Une part du prix, avec un plafond selon le revenu : facture, justificatif de domicile, RIB et déclaration sur l'honneur."
        ),
    ),
    AidTemplate.EBIKE: (
        N_("Achat d'un vélo électrique"),
        N_("Une part du prix payé, avec un plafond, sur facture."),
    ),
    AidTemplate.CONVERSION: (
        N_("Remplacer un vieux véhicule, sur pièces"),
        N_(
            "Une part du prix d'un véhicule propre quand un véhicule Crit'Air 3 ou plus ancien est détruit."
        ),
    ),
    AidTemplate.DEROGATION: (
        N_("Dérogation dans une zone à faibles émissions"),
        N_(
            "Le droit de circuler pendant quelques mois, vérifiable sans réseau par un code QR. Aucun montant."
        ),
    ),
}
FAULTS: Final = {
    "organisation": N_("Indiquez le nom de votre organisme."),
    "siret": N_("Ce numéro SIRET n'est pas valable : 14 chiffres, le dernier est une clé."),
    "service": N_("Indiquez le service chargé des demandes."),
    "contact": N_("Indiquez une adresse e-mail valable."),
    "person": N_("Indiquez votre nom."),
    "login": N_("Indiquez une adresse e-mail valable, qui n'a pas encore de compte ici."),
    "agreement": N_("Lisez la convention et cochez la case."),
    "level": N_("Choisissez ce que vous êtes."),
    "roles": N_("Choisissez au moins un rôle."),
}
AID_FAULTS: Final = {
    "per_day": N_("Un montant par jour, de 0,01 à 100 €."),
    "minimum_days": N_("Un nombre de jours, de 1 à 366."),
    "ceiling": N_("Un plafond en euros, de 1 à 100 000."),
    "share": N_("Un pourcentage, de 1 à 100."),
    "modest_ceiling": N_("Un plafond en euros, de 1 à 100 000."),
    "modest_income": N_("Un revenu par part en euros, de 1 000 à 1 000 000."),
    "decision_days": N_("Un nombre de jours, de 1 à 366."),
    "budget": N_("Un montant en euros, ou rien."),
    "cool_down": N_("Un nombre de mois, de 1 à 240, ou rien."),
    "no_prior": N_(
        "Cette aide ne reconnaît pas une personne qui revient : personne ne pourrait apporter cette attestation."
    ),
    "ends_on": N_("Une date à venir, ou rien."),
    "title": N_("120 caractères au plus."),
    "documents": N_("Cinq documents au plus, un par ligne, 80 caractères chacun."),
    "template": N_("Ce modèle est réservé aux employeurs."),
    "months": N_("Un nombre de mois, de 1 à 36 (CGCT, article R. 2213-1-0-1)."),
    "zone": N_("Le SIREN du groupement, le code INSEE de la commune, ou « any »."),
    "zone_name": N_("Le nom de la zone, 80 caractères au plus."),
}
AID_STATES: Final = {
    AidStatus.PUBLISHED: (N_("publiée"), "ok"),
    AidStatus.SUSPENDED: (N_("suspendue"), "warn"),
    AidStatus.DRAFT: (N_("brouillon"), ""),
    AidStatus.REVIEW: (N_("à relire"), "info"),
    AidStatus.EXPIRED: (N_("terminée"), ""),
}


def token_of(request: Request, context: HubPages) -> str:
    """The CSRF token of this session, for the page's script."""
    csrf: str = context.hub.members.session(request.cookies.get(DESK_COOKIE, "")).csrf
    return csrf


def _with_script() -> dict[str, str]:
    return {"content-security-policy": SCRIPT_POLICY}


def _enter(page: Page, session: MemberSession, to: str) -> Response:
    answer = page.go(to)
    answer.set_cookie(DESK_COOKIE, session.cookie, secure=True, httponly=True, samesite="strict")
    return answer


# --- opening a desk ----------------------------------------------------------------------------


def _enrol_page(
    page: Page,
    context: HubPages,
    *,
    secret: str,
    errors: Errors,
    values: Mapping[str, str],
) -> HTMLResponse:
    t = page.t
    invitation, resumable, refused = None, False, False
    if secret:
        try:
            invitation = context.hub.enrolment.invitation(secret)
            resumable = invitation.member is not None
        except InvitationRefusedError:
            refused = True
    agreement = current_agreement()
    return page.show(
        "desk_enrol.html",
        status=422 if errors else 200,
        errors=errors,
        values=Errors(values),
        secret=secret,
        allowed=invitation is not None or (not secret and context.hub.enrolment.is_open),
        refused=refused,
        resumable=resumable,
        is_colleague=invitation is not None and invitation.is_colleague,
        organisation=_organisation(context, invitation.funder)
        if invitation and invitation.funder
        else "",
        known_siret=invitation.siret if invitation else "",
        levels=[(level, t(name)) for level, name in LEVELS.items()],
        agreement=_agreement_body(t, heading="###"),
        digest=agreement.digest,
        version=agreement.version,
        operator=context.settings.operator_name,
        operator_contact=context.settings.operator_contact,
    )


def _organisation(context: HubPages, slug: str) -> str:
    found = context.hub.publishing.funder(slug)
    return found.name if found is not None else ""


def _agreement_body(t: Translator, *, heading: str = "##") -> Markup:
    """The text without its title: the page has one. `heading` is the level below the page's."""
    text = current_agreement().texts[t.language]
    body = text.split("\n", 1)[1].strip()
    return render(body.replace("\n## ", f"\n{heading} "))


@router.get("/ouvrir")
def enrol_form(
    page: PageDep, context: ContextDep, invitation: Annotated[str, Query(max_length=100)] = ""
) -> HTMLResponse:
    """Open a desk, or join one, with a link."""
    return _enrol_page(page, context, secret=invitation, errors=Errors(), values={})


@router.post("/ouvrir")
def enrol(
    page: CheckedDep,
    context: ContextDep,
    invitation: Annotated[str, Form(max_length=100)] = "",
    organisme: Annotated[str, Form(max_length=300)] = "",
    siret: Annotated[str, Form(max_length=40)] = "",
    niveau: Annotated[str, Form(max_length=20)] = "employer",
    service: Annotated[str, Form(max_length=300)] = "",
    contact: Annotated[str, Form(max_length=300)] = "",
    nom: Annotated[str, Form(max_length=300)] = "",
    courriel: Annotated[str, Form(max_length=300)] = "",
    convention: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """The organisation and its first person; then their way in."""
    values = {
        "organisme": organisme, "siret": siret, "niveau": niveau, "service": service,
        "contact": contact, "nom": nom, "courriel": courriel,
    }  # fmt: skip
    names = {
        "organisation": "organisme", "person": "nom", "login": "courriel",
        "agreement": "convention", "level": "niveau",
    }  # fmt: skip
    try:
        if niveau not in set(FunderLevel):
            raise EntryRefusedError("not a level", where="level")
        session = context.hub.enrolment.enrol(
            Enrolment(
                organisation=organisme,
                siret=siret,
                level=FunderLevel(niveau),
                service=service,
                contact=contact,
                person=nom,
                login=courriel,
                agreement=convention,
            ),
            secret=invitation,
        )
    except EntryRefusedError as error:
        where = error.where or ""
        text = page.t(FAULTS.get(where, FAULTS["organisation"]))
        if "has a desk already" in error.reason:
            text = page.t("Cet établissement a déjà un guichet : demandez à y être invité·e.")
        elif "another establishment" in error.reason:
            text = page.t("Ce lien a été fait pour un autre établissement.")
        errors = Errors({names.get(where, where): text})
        return _enrol_page(page, context, secret=invitation, errors=errors, values=values)
    return _enter(page, session, "/guichet/acces?bienvenue=1")


@router.post("/reprendre")
def resume(
    page: CheckedDep, context: ContextDep, invitation: Annotated[str, Form(max_length=100)] = ""
) -> Response:
    """Come back to a desk that was begun with this link."""
    session = context.hub.enrolment.resume(invitation)
    if session is None:
        return page.go(f"/guichet/ouvrir?invitation={invitation}")
    return _enter(page, session, "/guichet/acces?bienvenue=1")


@router.post("/rejoindre")
def join(
    page: CheckedDep,
    context: ContextDep,
    invitation: Annotated[str, Form(max_length=100)] = "",
    nom: Annotated[str, Form(max_length=300)] = "",
    courriel: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """A colleague comes in."""
    try:
        session = context.hub.enrolment.join(invitation, person=nom, login=courriel)
    except EntryRefusedError as error:
        where = error.where or ""
        name = {"person": "nom", "login": "courriel"}[where]
        return _enrol_page(
            page,
            context,
            secret=invitation,
            errors=Errors({name: page.t(FAULTS[where])}),
            values={"nom": nom, "courriel": courriel},
        )
    return _enter(page, session, "/guichet/acces?bienvenue=1")


# --- coming in ---------------------------------------------------------------------------------


def _access_page(
    request: Request, page: Page, context: HubPages, who: Member, errors: Errors
) -> HTMLResponse:
    t, hub = page.t, context.hub
    passkeys = hub.passkeys.of(who)
    return page.show(
        "desk_access.html",
        status=422 if errors else 200,
        headers=_with_script(),
        nav=desk_nav(page, who),
        api_token=token_of(request, context),
        errors=errors,
        welcome="bienvenue" in request.query_params,
        added="ajout" in request.query_params,
        available=hub.passkeys.is_available,
        has_password=hub.members.has_password(who),
        has_way_in=hub.enrolment.has_way_in(who),
        login=who.login,
        rows=[
            {
                "id": passkey.id,
                "name": passkey.name or t("Clé d'accès"),
                "text": t("depuis le {day}", day=t.day(passkey.created_at.date(), "long")),
            }
            for passkey in passkeys
        ],
    )


@router.get("/acces")
def access(request: Request, page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """One's own ways in: passkeys, a password."""
    who.require(Action.READ_SETTINGS)
    return _access_page(request, page, context, who, Errors())


@router.post("/acces/mot-de-passe")
def set_password(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    mot_de_passe: Annotated[str, Form(max_length=1100)] = "",
    encore: Annotated[str, Form(max_length=1100)] = "",
) -> Response:
    """Choose a password."""
    who.require(Action.READ_SETTINGS)
    t, errors = page.t, Errors()
    if not 12 <= len(mot_de_passe) <= 1024:
        errors["mot_de_passe"] = t("Le mot de passe doit compter au moins {n} caractères.", n=12)
    elif mot_de_passe != encore:
        errors["encore"] = t("Les deux mots de passe ne sont pas identiques.")
    if errors:
        return _access_page(request, page, context, who, errors)
    context.hub.members.set_password(who, mot_de_passe)
    return page.go("/guichet/reglages", notice=t("Mot de passe enregistré."))


@router.post("/acces/retirer")
def remove_passkey(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    cle: Annotated[str, Form(max_length=1400)] = "",
) -> Response:
    """Remove a passkey."""
    who.require(Action.READ_SETTINGS)
    try:
        context.hub.passkeys.remove(who, cle)
    except PasskeyRefusedError:  # gone already, or never this person's
        return page.go("/guichet/acces")
    return page.go("/guichet/acces", notice=page.t("Clé d'accès retirée."))


# --- the funder --------------------------------------------------------------------------------


@router.get("/reglages")
def settings(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """Where this desk stands, and what is left to do before the first application."""
    who.require(Action.READ_SETTINGS)
    t, hub = page.t, context.hub
    funder = hub.publishing.funder(who.funder or "")
    key = hub.document_keys.current(funder.slug)
    aids = hub.aids.of(who)
    way_in = hub.enrolment.has_way_in(who)
    accepted = hub.enrolment.has_accepted(funder)
    steps = [
        {
            "href": "/guichet/acces",
            "title": t("Votre accès"),
            "text": t("Une clé d'accès ou un mot de passe, pour revenir demain."),
            "done": way_in,
        },
        {
            "href": "/guichet/convention",
            "title": t("La convention"),
            "text": t("Qui fait quoi des données, et ce que chacun promet."),
            "done": accepted,
        },
        {
            "href": "/guichet/cle",
            "title": t("La clé des documents"),
            "text": t("Elle se fait dans votre navigateur : vous seul·e ouvrez les pièces reçues.")
            if key is None or not hub.document_keys.ends_soon(key)
            else t("La clé expire bientôt : faites-en une nouvelle."),
            "done": key is not None and not hub.document_keys.ends_soon(key),
        },
        {
            "href": "/guichet/aides",
            "title": t("Une aide publiée"),
            "text": t("À partir d'un modèle : vos montants, votre délai."),
            "done": any(aid.status is AidStatus.PUBLISHED for aid in aids),
        },
    ]
    return page.show(
        "desk_settings.html",
        nav=desk_nav(page, who),
        who=f"{who.name} · {funder.name}",
        steps=steps,
        left=sum(not step["done"] for step in steps),
        team=is_allowed(Action.MANAGE_TEAM, who.roles),
        facts=[
            (t("Organisme"), funder.name),
            (t("SIRET"), funder.siret or "–"),
            (t("Service chargé des demandes"), funder.service),
            (t("Contact"), funder.contact or "–"),
            (t("Identifiant public"), funder.did),
        ],
    )


@router.get("/convention")
def agreement(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """The agreement, and who accepted it."""
    t = page.t
    accepted = context.hub.enrolment.accepted(who)
    current = current_agreement()
    return page.show(
        "desk_agreement.html",
        nav=desk_nav(page, who),
        body=_agreement_body(t),
        digest=current.digest,
        version=current.version,
        needs_acceptance=all(a.digest != current.digest for a in accepted),
        may_accept=is_allowed(Action.MANAGE_TEAM, who.roles),
        accepted=[
            t(
                "Version {version}, acceptée par {name} le {moment}",
                version=a.version,
                name=a.member_name,
                moment=t.moment(a.accepted_at),
            )
            for a in accepted
        ],
    )


@router.post("/convention")
def accept(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    empreinte: Annotated[str, Form(max_length=80)] = "",
    convention: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Accept the present version."""
    who.require(Action.MANAGE_TEAM)
    if not convention:
        return page.go("/guichet/convention", notice=page.t(FAULTS["agreement"]), kind="warn")
    context.hub.enrolment.accept(who, empreinte)
    return page.go("/guichet/reglages", notice=page.t("Convention acceptée."))


@router.get("/cle")
def document_key(
    request: Request, page: PageDep, context: ContextDep, who: OfficerDep
) -> HTMLResponse:
    """The document key: made in this browser, published as its public half."""
    t = page.t
    keys = context.hub.document_keys.of(who)
    at = page.now
    notice = None
    if "remise" in request.query_params:
        notice = {
            "kind": "ok",
            "text": t("Ce navigateur ouvre à nouveau vos documents."),
            "undo": "",
        }
    return page.show(
        "desk_key.html",
        headers=_with_script(),
        nav=desk_nav(page, who),
        notice=notice,
        api_token=token_of(request, context),
        may_make=is_allowed(Action.MANAGE_KEYS, who.roles),
        made="faite" in request.query_params,
        following="/guichet/reglages" if context.hub.aids.of(who) else "/guichet/aides",
        address=f"{context.settings.url(Node.HUB)}/guichet/cle",
        printed=t(
            "{name}, {day}",
            name=_organisation(context, who.funder or ""),
            day=t.day(local_today(at), "long"),
        ),
        rows=[
            {
                "title": t("Version {n}", n=key.version),
                "text": t(
                    "faite le {made}, valable jusqu'au {end}",
                    made=t.day(key.created_at.date(), "long"),
                    end=t.day(key.not_after.date(), "long"),
                ),
                "tag": t("en cours")
                if key is keys[0] and at < key.not_after
                else t("n'ouvre plus que l'ancien"),
                "kind": "ok" if key is keys[0] and at < key.not_after else "",
                "point": b64url(BoxPublicKey.decode(key.public).raw),
            }
            for key in keys
        ],
    )


# --- aids --------------------------------------------------------------------------------------


@router.get("/aides")
def aids(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """The funder's aids."""
    t = page.t
    rows = []
    for aid in context.hub.aids.of(who):
        label, kind = AID_STATES[aid.status]
        rows.append(
            {
                "slug": aid.slug,
                "title": text_of(t, aid.titles),
                "text": text_of(t, aid.summaries),
                "state": t(label),
                "kind": kind,
                "suspended": aid.status is AidStatus.SUSPENDED,
                "mode": _mode(t, aid),
                "terms": [*non_cumul(t, aid)],
                "reserved": t(WHO[aid.visibility]) if aid.visibility in CIRCLES else "",
            }
        )
    return page.show(
        "desk_aids.html",
        nav=desk_nav(page, who),
        rows=rows,
        drafts=draft_rows(page, context, who),
        may_write=is_allowed(Action.PUBLISH_AID, who.roles),
        templates=[
            {
                "href": f"/guichet/aides/nouvelle?modele={item.value}",
                "title": t(TEMPLATES[item][0]),
                "text": t(TEMPLATES[item][1]),
            }
            for item in context.hub.aids.templates(who)
        ],
    )


def _mode(t: Translator, aid: Aid) -> str:
    if aid.check_mode is CheckMode.AUTOMATIC:
        return t("Acceptée par la règle quand tout est prouvé ; sinon une personne décide.")
    return t("Une personne décide de chaque demande.")


def _aid_form(
    page: Page,
    context: HubPages,
    who: Member,
    template: AidTemplate,
    *,
    errors: Errors,
    values: Mapping[str, str],
) -> HTMLResponse:
    t = page.t
    title, text = TEMPLATES[template]
    needed = FIELDS[template]
    more = MAY_HAVE.get(template, frozenset())
    return page.show(
        "desk_aid_new.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        model=template.value,
        title=t(title),
        text=t(text),
        needed=needed | more,
        optional=more,
        is_access=template is AidTemplate.DEROGATION,
        by_person=template in BY_A_PERSON,
        default_documents=", ".join(BY_A_PERSON.get(template, ())),
        may_accept=context.hub.aids.may_accept(who, template),
        errors=errors,
        values=Errors(values),
        ceiling_label={
            AidTemplate.FMD_PRIVATE: t("Plafond par an, en euros"),
            AidTemplate.PASS_PRIVATE: t("Plafond par mois, en euros"),
        }.get(template, t("Plafond de l'aide, en euros")),
        ceiling_hint=t(
            "Au-delà de 600 € par an et par personne (plafond de 2025, à vérifier), la somme n'est plus exonérée."
        )
        if template is AidTemplate.FMD_PRIVATE
        else "",
    )


@router.get("/aides/nouvelle")
def new_aid(
    page: PageDep,
    context: ContextDep,
    who: OfficerDep,
    modele: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """A new aid from a template."""
    who.require(Action.PUBLISH_AID)
    if modele not in {item.value for item in context.hub.aids.templates(who)}:
        return page.go("/guichet/aides")
    defaults = {"delai": "60", "jours": "1", "part": "50", "automatique": "1"}
    return _aid_form(page, context, who, AidTemplate(modele), errors=Errors(), values=defaults)


@router.post("/aides/nouvelle")
def publish_aid(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    modele: Annotated[str, Form(max_length=40)] = "",
    titre: Annotated[str, Form(max_length=300)] = "",
    par_jour: Annotated[str, Form(max_length=20)] = "",
    jours: Annotated[str, Form(max_length=10)] = "",
    plafond: Annotated[str, Form(max_length=20)] = "",
    part: Annotated[str, Form(max_length=10)] = "",
    plafond_modeste: Annotated[str, Form(max_length=20)] = "",
    revenu: Annotated[str, Form(max_length=20)] = "",
    zone: Annotated[str, Form(max_length=20)] = "",
    zone_nom: Annotated[str, Form(max_length=120)] = "",
    mois: Annotated[str, Form(max_length=10)] = "",
    delai: Annotated[str, Form(max_length=10)] = "",
    fin: Annotated[str, Form(max_length=10)] = "",
    budget: Annotated[str, Form(max_length=20)] = "",
    carence: Annotated[str, Form(max_length=10)] = "",
    sans_aide: Annotated[str, Form(max_length=1)] = "",
    documents: Annotated[str, Form(max_length=1000)] = "",
    automatique: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Check the figures, compute the examples, publish."""
    who.require(Action.PUBLISH_AID)
    t = page.t
    if modele not in {item.value for item in context.hub.aids.templates(who)}:
        return page.go("/guichet/aides")
    template = AidTemplate(modele)
    values = {
        "titre": titre, "par_jour": par_jour, "jours": jours, "plafond": plafond, "part": part,
        "plafond_modeste": plafond_modeste, "revenu": revenu,
        "zone": zone, "zone_nom": zone_nom, "mois": mois,
        "delai": delai, "fin": fin, "budget": budget, "carence": carence, "documents": documents,
        "automatique": automatique, "sans_aide": sans_aide,
    }  # fmt: skip
    fields = {
        "per_day": ("par_jour", to_cents(par_jour)),
        "minimum_days": ("jours", _number(jours)),
        "ceiling": ("plafond", to_cents(plafond)),
        "share": ("part", _number(part)),
        "modest_ceiling": ("plafond_modeste", to_cents(plafond_modeste)),
        "modest_income": ("revenu", to_cents(revenu)),
        "months": ("mois", _number(mois)),
        "decision_days": ("delai", _number(delai)),
        "budget": ("budget", to_cents(budget) if budget.strip() else None),
        "cool_down": ("carence", _number(carence)),
    }
    errors = Errors()
    needed = FIELDS[template] | {"decision_days"} | ({"budget"} if budget.strip() else set())
    needed |= {"cool_down"} if carence.strip() else set()
    if plafond_modeste.strip() or revenu.strip():
        needed |= MAY_HAVE.get(template, frozenset())
    for field, (name, value) in fields.items():
        low, high = BOUNDS[field]
        if field in needed and (value is None or not low <= value <= high):
            errors[name] = t(AID_FAULTS[field])
    ends_on = None
    if fin:
        try:
            ends_on = date.fromisoformat(fin)
        except ValueError:
            errors["fin"] = t(AID_FAULTS["ends_on"])
    if errors:
        return _aid_form(page, context, who, template, errors=errors, values=values)
    given: dict[str, Any] = {
        field: value for field, (_, value) in fields.items() if field in needed
    }
    try:
        context.hub.aids.publish(
            who,
            template,
            Choices(
                title=titre.strip(),
                ends_on=ends_on,
                zone=zone.strip(),
                zone_name=zone_nom.strip(),
                automatic=bool(automatique),
                no_prior=bool(sans_aide),
                documents=tuple(line.strip() for line in documents.splitlines() if line.strip()),
                **given,
            ),
        )
    except EntryRefusedError as error:
        names = {
            "title": "titre", "ends_on": "fin", "documents": "documents", "zone": "zone",
            "zone_name": "zone_nom", "cool_down": "carence", "no_prior": "sans_aide",
        }  # fmt: skip
        where = error.where or ""
        text = t(AID_FAULTS.get(where, AID_FAULTS["title"]))
        faults = Errors({names.get(where, "titre"): text})
        return _aid_form(page, context, who, template, errors=faults, values=values)
    return page.go(
        "/guichet/aides",
        notice=t("L'aide est publiée : les coffres la voient dans quelques minutes."),
    )


def _number(text: str) -> int | None:
    return int(text) if text.strip().isascii() and text.strip().isdigit() else None


@router.post("/aides/suspendre")
def suspend_aid(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    aide: Annotated[str, Form(max_length=160)] = "",
    reprendre: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Take no new application, or take them again."""
    context.hub.aids.suspend(who, aide, suspended=not reprendre)
    text = (
        page.t("L'aide reprend.")
        if reprendre
        else page.t("L'aide est suspendue : les demandes déjà reçues continuent.")
    )
    return page.go("/guichet/aides", notice=text)


# --- people ------------------------------------------------------------------------------------


def _team_page(
    page: Page, context: HubPages, who: Member, *, link: str = "", errors: Errors | None = None
) -> HTMLResponse:
    t, hub = page.t, context.hub
    return page.show(
        "desk_team.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        errors=errors or Errors(),
        link=link,
        roles=[(role.value, t(name), t(text)) for role, (name, text) in ROLE_NAMES.items()],
        people=[
            {
                "id": member.id,
                "name": member.name,
                "login": member.login,
                "roles": ", ".join(
                    t(ROLE_NAMES[role][0]) for role in ROLE_NAMES if role in member.roles
                ),
                "me": member.id == who.id,
            }
            for member in hub.enrolment.team(who)
        ],
        invited=[
            {
                "id": item.id,
                "text": ", ".join(t(ROLE_NAMES[Caller(role)][0]) for role in item.roles),
                "note": item.note,
                "until": t("jusqu'au {day}", day=t.day(item.expires_at.date(), "long")),
            }
            for item in hub.enrolment.waiting(who)
        ],
    )


@router.get("/equipe")
def team(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """Who works at this desk."""
    return _team_page(page, context, who)


@router.post("/equipe")
def invite(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    role: Annotated[list[str] | None, Form()] = None,
    note: Annotated[str, Form(max_length=200)] = "",
) -> HTMLResponse:
    """A link for a colleague, shown once."""
    roles = frozenset(Caller(name) for name in role or () if name in {r.value for r in ROLE_NAMES})
    try:
        secret = context.hub.enrolment.invite_colleague(who, roles=roles, note=note)
    except EntryRefusedError:
        return _team_page(page, context, who, errors=Errors({"role": page.t(FAULTS["roles"])}))
    link = f"{context.hub.settings.origin}/guichet/ouvrir?invitation={secret}"
    return _team_page(page, context, who, link=link)


@router.post("/equipe/annuler")
def take_back(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    invitation: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Cancel an invitation."""
    context.hub.enrolment.take_back(who, invitation)
    return page.go("/guichet/equipe", notice=page.t("Invitation annulée."))


@router.post("/equipe/retirer")
def send_away(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    membre: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """A colleague leaves."""
    context.hub.enrolment.send_away(who, membre)
    return page.go("/guichet/equipe", notice=page.t("Cette personne n'a plus accès au guichet."))


__all__ = ["router", "token_of"]
