"""The hub's pages: public aids and members, the funder's desk."""

# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.access import access_of
from federation.aids.imports import Finding
from federation.aids.model import Aid
from federation.aids.territories import territory_name
from federation.hub.access import Action, is_allowed
from federation.hub.errors import ApplicationUnknownError, AuditRefusedError, DecisionRefusedError
from federation.hub.members import Member
from federation.hub.model import DECIDABLE, HOLDER, Application, QueueFilter
from federation.hub.register import REGISTER
from federation.multibase import b64url
from federation.ports import ApplicationView
from federation.sealing import BoxPublicKey
from portal.context import HubPages
from portal.decision_letter import Letter, render_letter
from portal.glossary import CLAIMS, STATES
from portal.i18n import N_, Translator
from portal.pages.access import SCRIPT_POLICY, Errors, later
from portal.pages.aids import aid_facts, aid_title, claim_value, register_words, zip_answer
from portal.pages.checks import check_rows, declared_rows, explanation_rows, text_of
from portal.pages.vault import actor_name
from portal.proofs import AUDIT_REFUSED, audit_card
from portal.settings import Node
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.errors import MobilityError, Retriable
from schemas.records import ApplicationState

public = APIRouter(include_in_schema=False)
desk = APIRouter(include_in_schema=False, prefix="/guichet")

DESK_COOKIE: Final = "__Host-guichet"
PAGE_SIZE: Final = 30
ROLES: Final = {
    "home": N_("hébergeur de coffres"),
    "hub": N_("hub"),
    "funder": N_("financeur"),
    "operator": N_("opérateur"),
    "employer": N_("employeur"),
    "identity": N_("fournisseur d'identité"),
    "trace-app": N_("application de suivi"),
}
HIDDEN_CLAIMS: Final = frozenset(
    {"id", "issuer", "metric", "rule", "evidenceRoot", "treeSize", "attesterSoftware", "nullifiers"}
)
CHIPS: Final = (
    ("", N_("Toutes")),
    ("to-review", N_("À examiner")),
    ("mine", N_("Les miennes")),
    ("unassigned", N_("À prendre")),
    ("late", N_("En retard")),
    ("needs-information", N_("Information demandée")),
    ("appealed", N_("Recours")),
    ("accepted", N_("Acceptées")),
    ("refused", N_("Refusées")),
    ("withdrawn", N_("Retirées")),
)


def hub_context(request: Request) -> HubPages:
    """The hub pages' context, put there by `create_hub_app`."""
    context: HubPages = request.app.state.pages
    return context


ContextDep = Annotated[HubPages, Depends(hub_context)]


def hub_page(request: Request, context: ContextDep) -> Page:
    """The way to answer this request."""
    return Page(request, context.site, now=context.clock())


PageDep = Annotated[Page, Depends(hub_page)]


def checked_page(page: PageDep, jeton: Annotated[str, Form()] = "") -> Page:
    """The page, after its form's token was checked."""
    page.check_form(jeton)
    return page


CheckedDep = Annotated[Page, Depends(checked_page)]


def officer(request: Request, context: ContextDep) -> Member:
    """The officer of this session.

    Raises:
        NotSignedInError: none; the handler shows the login.
    """
    member: Member = context.hub.members.session(request.cookies.get(DESK_COOKIE, "")).member
    return member


OfficerDep = Annotated[Member, Depends(officer)]


def desk_nav(page: Page, who: Member) -> list[dict[str, Any]]:
    """The desk's own menu: what this member's roles open."""
    t, path = page.t, page.request.url.path
    entries = (
        ("/guichet", t("Demandes"), Action.READ_QUEUE, ("/guichet/demandes/",)),
        ("/guichet/avis", _notices(page, who), Action.READ_QUEUE, ("/guichet/avis/",)),
        ("/guichet/versements", t("Versements"), Action.PAY, ("/guichet/versements/",)),
        ("/guichet/agents", t("Agents"), Action.MANAGE_STAFF, ("/guichet/agents/",)),
        ("/guichet/aides", t("Nos aides"), Action.READ_SETTINGS, ("/guichet/aides/",)),
        ("/guichet/signalements", t("Signalements"), Action.MODERATE, ("/guichet/signalements/",)),
        ("/guichet/offres", t("Offres"), Action.MODERATE_OFFER, ("/guichet/offres/",)),
        ("/guichet/reglages", t("Réglages"), Action.READ_SETTINGS,
         ("/guichet/acces", "/guichet/convention", "/guichet/cle", "/guichet/equipe")),
    )  # fmt: skip
    return [
        {"href": href, "text": text, "current": path == href or path.startswith(also)}
        for href, text, action, also in entries
        if is_allowed(action, who.roles)
    ]


def _notices(page: Page, who: Member) -> str:
    """The menu's word for notices, with how many are unread."""
    count = hub_context(page.request).hub.notices.unread(who)
    return page.t("Avis ({n})", n=page.t.number(count)) if count else page.t("Avis")


FINDINGS: Final = {
    "never-verified": N_("jamais vérifiée depuis l'import"),
    "stale": N_("vérifiée il y a plus d'un an"),
    "expired": N_("terminée"),
    "review-due": N_("relecture prévue, pas encore faite"),
    "hidden-date": N_("date de fin écrite dans le texte"),
    "no-link": N_("sans lien"),
    "misspelt-key": N_("mot mal écrit dans la règle"),
}
SHOWN_FINDINGS: Final = 60


@public.get("/qualite")
def quality(page: PageDep, context: ContextDep) -> HTMLResponse:
    """Where the aids come from, and what is to be checked again; for anyone."""
    t = page.t
    catalogue = context.hub.publishing.public()
    findings = context.hub.publishing.quality()
    source_of = {aid.slug: aid.source for aid in catalogue.aids}
    counts = Counter((source_of[found.slug], found.code) for found in findings)
    sources = Counter(aid.source for aid in catalogue.aids)
    licences = {aid.source: aid.source_licence for aid in catalogue.aids}
    codes = ("never-verified", "stale", "expired")
    titles = {aid.slug: aid_title(t, aid) for aid in catalogue.aids}
    return page.show(
        "quality.html",
        summary=t.n("{n} aide", "{n} aides", len(catalogue.aids)),
        heads=[t("Source"), t("Licence"), t("Aides"), *(t(FINDINGS[code]) for code in codes)],
        rows=[
            [
                source,
                licences[source],
                t.number(n),
                *(t.number(counts[source, code]) for code in codes),
            ]
            for source, n in sources.most_common()
        ],
        findings=[
            {
                "slug": found.slug,
                "title": titles[found.slug],
                "text": t(FINDINGS[found.code]),
                "detail": _detail(t, found),
            }
            for found in findings
            if found.code != "never-verified"
        ][:SHOWN_FINDINGS],
    )


def _detail(t: Translator, found: Finding) -> str:
    """A day in words; anything else as it is."""
    if not found.detail or found.code == "misspelt-key":
        return found.detail
    return t.day(found.detail, "long")


@public.get("/aides/{slug}")
def one_aid(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """One aid, for anyone."""
    t, at = page.t, local_today(page.now)
    aid = context.hub.publishing.public().aid(slug)
    return page.show(
        "hub_aid.html",
        aid=aid_facts(t, aid, at),
        since=t.day(context.hub.publishing.revisions(slug)[-1].at.date(), "long"),
        vault_link=f"{context.settings.url(Node.HOME)}/aides/{slug}",
        places=[
            {"href": f"/territoires/{one.kind.value}/{one.code}", "name": name}
            for one in aid.territories
            if (name := territory_name(one.kind.value, one.code)) is not None
        ],
        examples=[
            [e.label, t.amount(e.expected_cents) if e.expected_cents else t("pas d'aide")]
            for e in aid.examples
        ],
    )


@public.get("/membres")
def members(page: PageDep, context: ContextDep) -> HTMLResponse:
    """The trust registry, for anyone."""
    t = page.t
    from portal.glossary import EVIDENCE
    from portal.pages.vault import CREDENTIAL_TITLES

    snapshot = context.hub.registry.current()
    names = {entry.did: entry.name for entry in snapshot.entries}
    rows = [
        [
            entry.name,
            ", ".join(
                t(ROLES[r.value]) if r.value in ROLES else r.value for r in sorted(entry.roles)
            ),
            ", ".join(
                t(CREDENTIAL_TITLES[c]) if c in CREDENTIAL_TITLES else c
                for c in sorted(entry.credential_types)
            )
            or "–",
            t(EVIDENCE[entry.evidence.value]) if entry.evidence else "–",
            names.get(entry.accredited_by or "", entry.accredited_by) or "–",
            t.day(entry.since.date(), "long"),
        ]
        for entry in snapshot.entries
    ]
    version = t("Version {n}, du {moment}", n=snapshot.version, moment=t.moment(snapshot.issued_at))
    return page.show("members.html", rows=rows, version=version)


def _login_page(
    page: Page,
    context: HubPages,
    *,
    errors: Errors,
    login: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    passkeys = context.hub.passkeys.is_available
    return page.show(
        "desk_login.html",
        tabs=False,
        status=status,
        headers={
            **(headers or {}),
            **({"content-security-policy": SCRIPT_POLICY} if passkeys else {}),
        },
        login=login,
        errors=errors,
        passkeys=passkeys,
    )


@desk.get("/entrer")
def login_form(page: PageDep, context: ContextDep) -> HTMLResponse:
    """The desk's login."""
    return _login_page(page, context, errors=Errors(), login="")


@desk.post("/entrer")
def login(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    identifiant: Annotated[str, Form(max_length=120)] = "",
    mot_de_passe: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Open a desk session."""
    client = request.client.host if request.client else "unknown"
    try:
        session = context.hub.members.sign_in(identifiant.strip(), mot_de_passe, address=client)
    except MobilityError as error:
        text, status, headers = page.t("Identifiant ou mot de passe inexact."), 422, None
        if isinstance(error, Retriable):
            status, headers = later(error)
            wait = headers["retry-after"]
            text = page.t("Trop d'essais à la fois. Réessayez dans {n} secondes.", n=wait)
        return _login_page(
            page,
            context,
            status=status,
            headers=headers,
            login=identifiant,
            errors=Errors(mot_de_passe=text),
        )
    reads = is_allowed(Action.READ_QUEUE, session.member.roles)
    at_funder = session.member.funder is not None
    other = "/guichet/reglages" if at_funder else "/guichet/signalements"
    answer = page.go("/guichet" if reads else other)
    answer.set_cookie(DESK_COOKIE, session.cookie, secure=True, httponly=True, samesite="strict")
    return answer


@desk.post("/quitter")
def logout(request: Request, page: CheckedDep, context: ContextDep) -> RedirectResponse:
    """Close the desk session."""
    context.hub.members.sign_out(request.cookies.get(DESK_COOKIE, ""))
    answer = page.go("/guichet/entrer", notice=page.t("Vous êtes déconnecté·e."))
    answer.delete_cookie(DESK_COOKIE, secure=True, httponly=True, samesite="strict")
    return answer


@desk.get("")
def queue(
    page: PageDep,
    context: ContextDep,
    who: OfficerDep,
    etat: Annotated[str, Query(max_length=30)] = "",
    suite: Annotated[str, Query(max_length=1024)] = "",
    q: Annotated[str, Query(max_length=64)] = "",
    aide: Annotated[str, Query(max_length=160)] = "",
) -> HTMLResponse:
    """Applications of the officer's funder, the oldest first."""
    t = page.t
    aids_ = [aid for aid in context.hub.publishing.catalogue().aids if aid.funder == who.funder_did]
    chosen = next((aid for aid in aids_ if aid.slug == aide), None)
    wanted = QueueFilter(search=q.strip(), aid=chosen.id if chosen is not None else "")
    match etat:
        case "to-review":
            wanted = replace(wanted, to_review=True)
        case "mine":
            wanted = replace(wanted, assignee=who.id, states=DECIDABLE)
        case "unassigned":
            wanted = replace(wanted, assignee="", states=DECIDABLE)
        case "late":
            wanted = replace(wanted, late_at=page.now)
        case _ if etat in set(ApplicationState):
            wanted = replace(wanted, states=frozenset((ApplicationState(etat),)))
    found = context.hub.desk.queue(who, wanted, cursor=suite or None, limit=PAGE_SIZE)
    catalogue = context.hub.publishing.catalogue()
    rows = []
    for item in found.items:
        label, kind = STATES[_shown_state(item)]
        rows.append(
            {
                "href": f"/guichet/demandes/{short(item.id)}",
                "short": short(item.id)[:8],
                "aid": text_of(t, catalogue.aid(item.aid).titles),
                "employee": item.employee or "–",
                "when": t.moment(item.submitted_at),
                "due": _due(t, item, page.now),
                "amount": t.amount(item.amount) if item.amount else "–",
                "state": t(label),
                "kind": kind,
            }
        )
    return page.show(
        "desk_queue.html",
        nav=desk_nav(page, who),
        who=f"{who.name} · {_funder_name(context, who)}",
        rows=rows,
        chips=[
            {
                "href": "/guichet?"
                + urlencode({k: v for k, v in (("etat", code), ("q", q), ("aide", aide)) if v}),
                "text": t(text),
                "current": etat == code,
            }
            for code, text in CHIPS
        ],
        query=q,
        state=etat,
        aids=[("", t("Toutes les aides")), *((aid.slug, text_of(t, aid.titles)) for aid in aids_)],
        aid=aide,
        more="/guichet?" + urlencode({"etat": etat, "q": q, "aide": aide, "suite": found.cursor})
        if found.cursor
        else "",
    )


def _due(t: Translator, item: Application, now: datetime) -> str:
    """When an answer is due, in a few words; nothing for what is decided."""
    if item.state not in DECIDABLE:
        return "–"
    if item.state is ApplicationState.NEEDS_INFORMATION:
        return t("délai suspendu")
    days = (item.due_at - now).days
    if item.due_at < now:
        return t("dépassé")
    return t.n("{n} jour", "{n} jours", days)


def application_page(
    page: Page,
    context: HubPages,
    who: Member,
    uuid_text: str,
    errors: Errors,
) -> HTMLResponse:
    """One application with each verification step in words."""
    t = page.t
    found = context.hub.desk.open(who, iri(uuid_text))
    application, view = found.application, found.view
    label, kind = STATES[_shown_state(application)]
    claims: list[tuple[str, str]] = []
    for group, members_ in found.claims.items():
        if group == REGISTER:  # said by its check
            continue
        for name, value in (
            members_.items() if isinstance(members_, Mapping) else ((group, members_),)
        ):
            if name in HIDDEN_CLAIMS:
                continue
            shown = t(CLAIMS[name]) if name in CLAIMS else str(name)
            claims.append((shown, claim_value(t, name, value)))
    can_decide = application.state in DECIDABLE
    amount = application.amount if application.amount is not None else found.suggested_cents
    access = access_of(found.aid)
    return page.show(
        "desk_application.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        headers={"content-security-policy": SCRIPT_POLICY} if found.documents else None,
        application_id=application.id,
        documents=[
            {
                "position": position,
                "name": name,
                "size": t("{n} ko", n=t.number(max(1, size // 1000))),
            }
            for position, (name, _type, size) in enumerate(found.documents)
        ],
        points=[
            b64url(BoxPublicKey.decode(k.public).raw) for k in context.hub.document_keys.of(who)
        ],
        id=short(application.id),
        short=short(application.id)[:8],
        title=text_of(t, found.aid.titles),
        when=t.moment(application.submitted_at),
        state=t(label),
        kind=kind,
        claims=claims,
        check_items=check_rows(t, view.checks),
        declared=declared_rows(t, view.declared),
        explanation=explanation_rows(t, view.explanation),
        headline=t("À décider") if can_decide else t(label),
        amount=t.amount(amount) if amount else "",
        amount_value=f"{amount / 100:.2f}".replace(".", ",") if amount else "",
        reasons=[text_of(t, reason) for reason in view.reasons],
        audit=None
        if view.audit is None
        else audit_card(
            t,
            view.audit.state,
            view.audit.asked_at,
            len(view.audit.positions),
            view.audit.checks,
        ),
        can_audit=view.audit is None and context.hub.applications.can_audit(application),
        can_decide=can_decide,
        is_access=access is not None,
        access_zone=access.zone_name if access is not None else "",
        access_months=t("{n} mois", n=access.months) if access is not None else "",
        can_ask=can_decide and application.state is not ApplicationState.NEEDS_INFORMATION,
        mine=application.assignee == who.id,
        assignee=found.assignee,
        due=t.day(application.due_at.date(), "long"),
        due_words=_due(t, application, page.now),
        period=t(
            "du {since} au {until}",
            since=t.day(application.period[0], "long"),
            until=t.day(application.period[1], "long"),
        ),
        templates=[(x.id, text_of(t, x.words)) for x in found.templates],
        letter=f"/guichet/demandes/{short(application.id)}/lettre"
        if application.decided_at is not None and application.state is not ApplicationState.APPEALED
        else "",
        validity=f"/guichet/demandes/{short(application.id)}/validite"
        if application.award is not None and is_allowed(Action.DECIDE, who.roles)
        else "",
        evidence=f"/guichet/demandes/{short(application.id)}/preuve"
        if application.decided_at is not None and view.register != "none"
        else "",
        register=register_words(t, view.register),
        errors=errors,
        history=[
            {
                "state": t(STATES[h.state][0]) if h.state in STATES else h.state,
                "when": t.moment(h.at),
                "actor": actor_name(t, h.actor),
                "reason": h.reason,
            }
            for h in view.history
        ],
    )


def _shown_state(application: Application) -> str:
    """« À examiner » is a submitted application that the rule did not accept."""
    if application.to_review and application.state is ApplicationState.SUBMITTED:
        return "to-review"
    state: str = application.state.value
    return state


def _funder_name(context: HubPages, who: Member) -> str:
    funder = context.hub.publishing.funder(who.funder) if who.funder else None
    return funder.name if funder is not None else ""


@desk.get("/demandes/{uuid_text}")
def one_application(
    page: PageDep, context: ContextDep, who: OfficerDep, uuid_text: str
) -> HTMLResponse:
    """One application; what it had to tell this member is read."""
    context.hub.notices.read(who, application=iri(uuid_text))
    return application_page(page, context, who, uuid_text, Errors())


@desk.post("/decider")
def decide(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    demande: Annotated[str, Form()],
    decision: Annotated[str, Form()] = "",
    montant: Annotated[str, Form(max_length=20)] = "",
    motif: Annotated[str, Form(max_length=4000)] = "",
    modele: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Accept, refuse or ask, with the reason the person will read."""
    t, errors = page.t, Errors()
    reason = motif.strip()
    if modele:
        # The line of the rule first, then what the officer adds in their own words.
        found = {x.id: x for x in context.hub.desk.open(who, iri(demande)).templates}.get(modele)
        if found is not None:
            reason = f"{found.words['fr']} {reason}".strip()
    cents = euros_to_cents(montant)
    opens = access_of(context.hub.desk.open(who, iri(demande)).aid) is not None
    if decision not in ("accept", "refuse", "information"):
        errors["decision"] = t("Choisissez une décision.")
    if not reason:
        errors["motif"] = t("Écrivez le motif ou choisissez-en un : la personne y a droit.")
    if decision == "accept" and not opens and (cents is None or cents <= 0):
        errors["montant"] = t("Indiquez un montant en euros, par exemple 200 ou 187,50.")
    if errors:
        return application_page(page, context, who, demande, errors)
    if decision == "information":
        context.hub.desk.request_information(who, iri(demande), message=reason)
        return page.go(f"/guichet/demandes/{demande}", notice=t("Demande d'information envoyée."))
    try:
        context.hub.desk.decide(
            who,
            iri(demande),
            accept=decision == "accept",
            reason=reason,
            amount_cents=cents if decision == "accept" and not opens else None,
        )
    except DecisionRefusedError as error:
        faults = {
            "budget": ("montant", t("L'enveloppe de cette aide ne suffit plus pour ce montant.")),
            "amount": ("montant", t("Indiquez un montant en euros, par exemple 200 ou 187,50.")),
            "checks": ("decision", t("Le dossier n'est pas encore vérifié : réessayez plus tard.")),
        }
        if error.where not in faults:
            raise
        name, text = faults[error.where]
        return application_page(page, context, who, demande, Errors({name: text}))
    return page.go(
        f"/guichet/demandes/{demande}",
        notice=t("Décision enregistrée. La personne la verra en ouvrant sa demande."),
    )


@desk.post("/controler")
def audit(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    demande: Annotated[str, Form(max_length=60)],
    preuves: Annotated[int, Form()] = 3,
) -> RedirectResponse:
    """Ask for a check by sample."""
    t = page.t
    try:
        context.hub.desk.audit(who, iri(demande), leaves=preuves)
    except AuditRefusedError as error:
        text = t(AUDIT_REFUSED.get(error.reason, error.reason))
        return page.go(f"/guichet/demandes/{demande}", notice=text, kind="warn")
    return page.go(
        f"/guichet/demandes/{demande}",
        notice=t("Contrôle demandé : la personne le verra dans son coffre et répondra."),
    )


@desk.post("/prendre")
def assign(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    demande: Annotated[str, Form(max_length=60)] = "",
    rendre: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Take an application, or give it back."""
    context.hub.desk.assign(who, iri(demande), to_self=not rendre)
    text = page.t("La demande est rendue.") if rendre else page.t("La demande est à vous.")
    return page.go(f"/guichet/demandes/{demande}", notice=text)


@desk.get("/demandes/{uuid_text}/preuve")
def evidence(context: ContextDep, who: OfficerDep, uuid_text: str) -> Response:
    """What shows the decision to a third party."""
    return zip_answer(context.hub.desk.evidence(who, iri(uuid_text)), uuid_text)


@desk.get("/demandes/{uuid_text}/lettre")
def letter(page: PageDep, context: ContextDep, who: OfficerDep, uuid_text: str) -> Response:
    """The decision letter as PDF."""
    found = context.hub.desk.open(who, iri(uuid_text))
    funder = context.hub.publishing.funder(who.funder or "")
    pdf = render_letter(
        letter_of(
            page.t,
            found.application,
            found.view,
            found.aid,
            service=funder.service,
            contact=funder.contact,
            sandbox=context.settings.sandbox,
        ),
        page.t,
    )
    return pdf_answer(pdf, f"decision-{uuid_text[:8]}.pdf")


def pdf_answer(pdf: bytes, name: str) -> Response:
    """A PDF to keep."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


def letter_of(
    t: Translator,
    application: Application,
    view: ApplicationView,
    aid: Aid,
    *,
    service: str,
    contact: str,
    sandbox: bool,
) -> Letter:
    """The letter of a decided application.

    Raises:
        ApplicationUnknownError: nothing is decided.
    """
    step = next(
        (
            h
            for h in reversed(view.history)
            if h.state in (ApplicationState.ACCEPTED, ApplicationState.REFUSED)
            and h.actor != HOLDER
        ),
        None,
    )
    if step is None:
        raise ApplicationUnknownError
    accepted = step.state == ApplicationState.ACCEPTED
    by_rule = step.actor in ("rule", "hub")
    reasons = [step.reason] if step.reason and not by_rule else []
    reasons += [text for r in view.reasons if (text := text_of(t, r)) and text not in reasons]
    return Letter(
        funder=view.funder_name,
        service=service,
        contact=contact,
        aid=text_of(t, aid.titles),
        reference=short(application.id)[:8],
        employee=application.employee,
        accepted=accepted,
        amount=application.amount,
        period=application.period,
        decided_at=step.at,
        decided_by="" if by_rule else step.actor,
        reasons=reasons,
        legal=[f"{x.title} : {x.reference}" for x in aid.legal_basis],
        calculation=[
            line for part in explanation_rows(t, view.explanation) for line in part["lines"]
        ][:40],
        remedies=text_of(t, aid.remedies),
        mention=text_of(t, view.mention),
        sandbox=sandbox,
    )


def euros_to_cents(text: str) -> int | None:
    """« 187,50 » → 18750; None when it is not an amount with at most two decimals."""
    cleaned = text.replace("€", "").replace("\u202f", "").replace("\u00a0", "").replace(" ", "")
    whole, _, rest = cleaned.replace(",", ".").partition(".")
    if not re.fullmatch(r"[0-9]{1,7}", whole) or not re.fullmatch(r"[0-9]{0,2}", rest):
        return None
    return int(whole) * 100 + int(rest.ljust(2, "0") or 0)


__all__ = ["DESK_COOKIE", "desk", "desk_nav", "euros_to_cents", "letter_of", "pdf_answer", "public"]
