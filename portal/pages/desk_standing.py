"""Whether what the desk signed still holds: suspend, reinstate, revoke, with the reason."""

from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.hub.errors import DecisionRefusedError
from federation.hub.members import Member
from federation.hub.model import StatusAct
from federation.hub.standing import MAX_REASON, Signed, SignedKind, Stands
from portal.context import HubPages
from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.views import iri, short
from portal.web import Page

router = APIRouter(include_in_schema=False, prefix="/guichet")

STANDS: Final = {
    Stands.VALID: (N_("valable"), "ok"),
    Stands.SUSPENDED: (N_("suspendu"), "warn"),
    Stands.REVOKED: (N_("révoqué"), "bad"),
}
ACTS: Final = {
    StatusAct.SUSPEND: N_("Suspendre : il ne vaut plus rien tant qu'il n'est pas rétabli"),
    StatusAct.REINSTATE: N_("Rétablir : il vaut de nouveau"),
    StatusAct.REVOKE: N_("Révoquer : il ne vaudra plus jamais rien"),
}
DONE: Final = {
    StatusAct.SUSPEND: N_("Suspendu"),
    StatusAct.REINSTATE: N_("Rétabli"),
    StatusAct.REVOKE: N_("Révoqué"),
}


def _page(
    page: Page, who: Member, signed: Signed, here: str, errors: Errors, *, reason: str = ""
) -> HTMLResponse:
    t = page.t
    is_affiliation = signed.kind is SignedKind.AFFILIATION
    label, kind = STANDS[signed.stands]
    return page.show(
        "desk_standing.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        errors=errors,
        title=t("Attestation d'affiliation, matricule {number}", number=signed.about)
        if is_affiliation
        else t("Aide accordée, demande {id}", id=short(signed.about)[:8]),
        up=("/guichet/agents", t("Agents"))
        if is_affiliation
        else (
            f"/guichet/demandes/{short(signed.about)}",
            t("Demande {id}", id=short(signed.about)[:8]),
        ),
        here=here,
        state=t(label),
        kind=kind,
        acts=[(act.value, t(ACTS[act])) for act in signed.acts],
        reason=reason,
        history=[
            {"title": t(DONE[c.act]), "when": t.moment(c.at), "actor": c.actor, "reason": c.reason}
            for c in signed.history
        ],
    )


def _change(
    page: Page, context: HubPages, who: Member, signed: Signed, here: str, *, act: str, reason: str
) -> Response:
    t, errors = page.t, Errors()
    if act not in {choice.value for choice in signed.acts}:
        errors["acte"] = t("Choisissez ce que vous faites.")
    if not reason.strip():
        errors["motif"] = t("Écrivez le motif : il reste avec le changement.")
    if errors:
        return _page(page, who, signed, here, errors, reason=reason)
    try:
        context.hub.standing.change(who, signed, StatusAct(act), reason)
    except DecisionRefusedError as error:
        text = t("Cela a changé entre-temps : voici où on en est.")
        if error.where == "reason":
            text = t("Le motif est trop long : {n} signes au plus.", n=MAX_REASON)
        return page.go(here, notice=text, kind="warn")
    up = "/guichet/agents" if signed.kind is SignedKind.AFFILIATION and act == "revoke" else here
    return page.go(up, notice=t("C'est fait. Les vérifications le voient en quelques minutes."))


@router.get("/agents/{uuid_text}/validite")
def of_employee(
    page: PageDep, context: ContextDep, who: OfficerDep, uuid_text: str
) -> HTMLResponse:
    """The affiliation of one line of the staff list."""
    signed = context.hub.standing.of_employee(who, uuid_text)
    return _page(page, who, signed, f"/guichet/agents/{uuid_text}/validite", Errors())


@router.post("/agents/{uuid_text}/validite")
def change_of_employee(
    *,
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    uuid_text: str,
    acte: Annotated[str, Form(max_length=20)] = "",
    motif: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Suspend, reinstate or revoke it."""
    signed = context.hub.standing.of_employee(who, uuid_text)
    here = f"/guichet/agents/{uuid_text}/validite"
    return _change(page, context, who, signed, here, act=acte, reason=motif)


@router.get("/demandes/{uuid_text}/validite")
def of_application(
    page: PageDep, context: ContextDep, who: OfficerDep, uuid_text: str
) -> HTMLResponse:
    """The award of one application."""
    signed = context.hub.standing.of_application(who, iri(uuid_text))
    return _page(page, who, signed, f"/guichet/demandes/{uuid_text}/validite", Errors())


@router.post("/demandes/{uuid_text}/validite")
def change_of_application(
    *,
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    uuid_text: str,
    acte: Annotated[str, Form(max_length=20)] = "",
    motif: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Suspend, reinstate or revoke it."""
    signed = context.hub.standing.of_application(who, iri(uuid_text))
    here = f"/guichet/demandes/{uuid_text}/validite"
    return _change(page, context, who, signed, here, act=acte, reason=motif)


__all__ = ["router"]
