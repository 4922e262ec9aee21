"""The hub's pages: public aids and members, the funder's desk."""

# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import re
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.model import Aid, CheckMode
from federation.hub.members import Member
from federation.hub.model import DECIDABLE, Application, QueueFilter
from portal.context import HubPages
from portal.glossary import CLAIMS, STATES
from portal.i18n import N_, Translator
from portal.pages.access import Errors, later
from portal.pages.aids import aid_facts, claim_value
from portal.pages.checks import check_rows, explanation_rows, text_of
from portal.pages.vault import actor_name
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
    ("needs-information", N_("Information demandée")),
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


def _matches(t: Translator, aid: Aid, query: str) -> bool:
    text = f"{text_of(t, aid.titles)} {text_of(t, aid.summaries)} {aid.funder_name}".casefold()
    return all(word in text for word in query.casefold().split())


@public.get("/")
def aids(
    page: PageDep, context: ContextDep, q: Annotated[str, Query(max_length=100)] = "", de: int = 0
) -> HTMLResponse:
    """The public catalogue."""
    t, at = page.t, local_today(page.now)
    every = [aid for aid in context.hub.publishing.catalogue().aids if aid.is_open(at)]
    every.sort(key=lambda aid: (aid.check_mode is CheckMode.LINK_OUT, aid.slug))
    found = [aid for aid in every if _matches(t, aid, q)]
    start = max(0, min(de, len(found)))
    shown = []
    for aid in found[start : start + PAGE_SIZE]:
        link_out = aid.check_mode is CheckMode.LINK_OUT
        shown.append(
            {
                **aid_facts(t, aid, at),
                "mode": t("Demande chez le financeur")
                if link_out
                else t("Demande depuis votre coffre"),
                "mode_kind": "" if link_out else "brand",
            }
        )
    following = start + PAGE_SIZE
    return page.show(
        "hub_aids.html",
        query=q,
        aids=shown,
        summary=t.n("{n} aide", "{n} aides", len(found)),
        more=f"/?q={q}&de={following}" if following < len(found) else "",
    )


@public.get("/aides/{slug}")
def one_aid(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """One aid, for anyone."""
    t, at = page.t, local_today(page.now)
    aid = context.hub.publishing.catalogue().aid(slug)
    return page.show(
        "hub_aid.html",
        aid=aid_facts(t, aid, at),
        vault_link=f"{context.settings.url(Node.HOME)}/aides/{slug}",
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
            entry.accredited_by or "–",
            t.day(entry.since.date(), "long"),
        ]
        for entry in snapshot.entries
    ]
    version = t("Version {n}, du {moment}", n=snapshot.version, moment=t.moment(snapshot.issued_at))
    return page.show("members.html", rows=rows, version=version)


@desk.get("/entrer")
def login_form(page: PageDep) -> HTMLResponse:
    """The desk's login."""
    return page.show("desk_login.html", tabs=False, errors=Errors(), login="")


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
        return page.show(
            "desk_login.html",
            tabs=False,
            status=status,
            headers=headers,
            login=identifiant,
            errors=Errors(mot_de_passe=text),
        )
    answer = page.go("/guichet")
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
    page: PageDep, context: ContextDep, who: OfficerDep, etat: str = "", suite: str = ""
) -> HTMLResponse:
    """Applications of the officer's funder, the latest first."""
    t = page.t
    wanted = QueueFilter()
    if etat == "to-review":
        wanted = QueueFilter(to_review=True)
    elif etat in set(ApplicationState):
        wanted = QueueFilter(states=frozenset((ApplicationState(etat),)))
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
                "when": t.moment(item.submitted_at),
                "amount": t.amount(item.amount) if item.amount else "–",
                "state": t(label),
                "kind": kind,
            }
        )
    return page.show(
        "desk_queue.html",
        who=f"{who.name} · {_funder_name(context, who)}",
        rows=rows,
        chips=[
            {
                "href": f"/guichet?etat={code}" if code else "/guichet",
                "text": t(text),
                "current": etat == code,
            }
            for code, text in CHIPS
        ],
        more=f"/guichet?etat={etat}&suite={found.cursor}" if found.cursor else "",
    )


def application_page(
    page: Page, context: HubPages, who: Member, uuid_text: str, errors: Errors
) -> HTMLResponse:
    """One application with each verification step in words."""
    t = page.t
    found = context.hub.desk.open(who, iri(uuid_text))
    application, view = found.application, found.view
    label, kind = STATES[_shown_state(application)]
    claims: list[tuple[str, str]] = []
    for group, members_ in found.claims.items():
        for name, value in (
            members_.items() if isinstance(members_, Mapping) else ((group, members_),)
        ):
            if name in HIDDEN_CLAIMS:
                continue
            shown = t(CLAIMS[name]) if name in CLAIMS else str(name)
            claims.append((shown, claim_value(t, name, value)))
    can_decide = application.state in DECIDABLE
    amount = application.amount if application.amount is not None else found.suggested_cents
    return page.show(
        "desk_application.html",
        status=422 if errors else 200,
        id=short(application.id),
        short=short(application.id)[:8],
        title=text_of(t, found.aid.titles),
        when=t.moment(application.submitted_at),
        state=t(label),
        kind=kind,
        claims=claims,
        check_items=check_rows(t, view.checks),
        explanation=explanation_rows(t, view.explanation),
        headline=t("À décider") if can_decide else t(label),
        amount=t.amount(amount) if amount else "",
        amount_value=f"{amount / 100:.2f}".replace(".", ",") if amount else "",
        reasons=[text_of(t, reason) for reason in view.reasons],
        can_decide=can_decide,
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
    """One application."""
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
) -> Response:
    """Accept, refuse or ask, with the reason the person will read."""
    t, errors = page.t, Errors()
    reason = motif.strip()
    cents = euros_to_cents(montant)
    if decision not in ("accept", "refuse", "information"):
        errors["decision"] = t("Choisissez une décision.")
    if not reason:
        errors["motif"] = t("Écrivez le motif : la personne y a droit.")
    if decision == "accept" and (cents is None or cents <= 0):
        errors["montant"] = t("Indiquez un montant en euros, par exemple 200 ou 187,50.")
    if errors:
        return application_page(page, context, who, demande, errors)
    if decision == "information":
        context.hub.desk.request_information(who, iri(demande), message=reason)
        return page.go(f"/guichet/demandes/{demande}", notice=t("Demande d'information envoyée."))
    context.hub.desk.decide(
        who,
        iri(demande),
        accept=decision == "accept",
        reason=reason,
        amount_cents=cents if decision == "accept" else None,
    )
    return page.go(
        f"/guichet/demandes/{demande}", notice=t("Décision enregistrée. La personne est prévenue.")
    )


def euros_to_cents(text: str) -> int | None:
    """« 187,50 » → 18750; None when it is not an amount with at most two decimals."""
    cleaned = text.replace("€", "").replace("\u202f", "").replace("\u00a0", "").replace(" ", "")
    whole, _, rest = cleaned.replace(",", ".").partition(".")
    if not re.fullmatch(r"[0-9]{1,7}", whole) or not re.fullmatch(r"[0-9]{0,2}", rest):
        return None
    return int(whole) * 100 + int(rest.ljust(2, "0") or 0)


__all__ = ["DESK_COOKIE", "desk", "euros_to_cents", "public"]
