"""The staff list of an employer: who may be given an affiliation, codes to hand over, who left."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from federation.hub.access import Action
from federation.hub.errors import ColleagueUnknownError, EntryRefusedError, FileRefusedError
from federation.hub.members import Member
from federation.hub.model import Employee, EmployeeState
from portal.context import HubPages
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.views import local_today
from portal.web import Page

router = APIRouter(include_in_schema=False, prefix="/guichet/agents")

STATES: Final = {
    EmployeeState.LISTED: (N_("sans code"), ""),
    EmployeeState.INVITED: (N_("code remis"), "info"),
    EmployeeState.AFFILIATED: (N_("affilié·e"), "ok"),
    EmployeeState.LEFT: (N_("parti·e"), "warn"),
}
STATUS_NAMES: Final = {
    "agent-titulaire-public": N_("agent public titulaire"),
    "agent-contractuel-public": N_("agent public contractuel"),
    "salarie": N_("salarié·e de droit privé"),
}
MAX_TEXT: Final = 250_000
"""Characters of a pasted list: some ten thousand lines."""


def _row(t: Translator, employee: Employee, page: Page) -> dict[str, str]:
    state = employee.state(page.now)
    label, kind = STATES[state]
    when = {
        EmployeeState.LISTED: employee.added_at,
        EmployeeState.INVITED: employee.code_until,
        EmployeeState.AFFILIATED: employee.affiliated_at,
        EmployeeState.LEFT: employee.left_at,
    }[state]
    words = {
        EmployeeState.LISTED: t("inscrit·e le {day}"),
        EmployeeState.INVITED: t("code valable jusqu'au {day}"),
        EmployeeState.AFFILIATED: t("depuis le {day}"),
        EmployeeState.LEFT: t("le {day}"),
    }[state]
    day = "" if when is None else t.day(local_today(when), "short")
    return {
        "id": employee.id,
        "number": employee.number,
        "status": t(STATUS_NAMES[employee.status]),
        "state": t(label),
        "kind": kind,
        "when": words.format(day=day),
        "affiliated": "1" if employee.credential is not None else "",
        "left": "1" if state is EmployeeState.LEFT else "",
    }


def _list_page(
    page: Page,
    context: HubPages,
    who: Member,
    *,
    search: str = "",
    after: str = "",
    errors: Errors | None = None,
    text: str = "",
    status: str = "",
) -> HTMLResponse:
    t, affiliations = page.t, context.hub.affiliations
    possible = affiliations.is_possible(who)
    shown = affiliations.staff(who, search=search, after=after)
    total = sum(shown.counts.values())
    query = {"q": search, "apres": shown.next}
    return page.show(
        "desk_staff.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        errors=errors or Errors(),
        possible=possible,
        total=total,
        facts=[(t(label), t.number(shown.counts[state])) for state, (label, _) in STATES.items()],
        to_mail=context.hub.links.waiting(who) if context.hub.links.is_possible else 0,
        to_invite=shown.counts[EmployeeState.LISTED],
        rows=[_row(t, employee, page) for employee in shown.employees],
        query=search,
        more=f"/guichet/agents?{urlencode(query)}" if shown.next else None,
        text=text,
        status_chosen=status or "agent-titulaire-public",
        statuses=[(value, t(name)) for value, name in STATUS_NAMES.items()],
    )


@router.get("")
def staff(
    page: PageDep,
    context: ContextDep,
    who: OfficerDep,
    q: Annotated[str, Query(max_length=64)] = "",
    apres: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """The list, page by page."""
    who.require(Action.MANAGE_STAFF)
    return _list_page(page, context, who, search=q, after=apres)


@router.post("")
def paste(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    liste: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    statut: Annotated[str, Form(max_length=40)] = "",
    remplacer: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Add or change the pasted lines."""
    who.require(Action.MANAGE_STAFF)
    t = page.t
    try:
        done = context.hub.affiliations.import_list(
            who, liste, status=statut, replace=bool(remplacer)
        )
    except FileRefusedError as error:
        word, _, number = error.reason.partition(" ")
        fault = (
            t(
                "La ligne {n} n'est pas lisible : un matricule, puis s'il y a lieu un statut et une adresse.",
                n=number,
            )
            if word == "line"
            else t(
                "Cette liste n'est pas lisible : un matricule par ligne, ou un tableau avec ses titres."
            )
        )
        errors = Errors({"liste": fault})
        return _list_page(page, context, who, errors=errors, text=liste, status=statut)
    except EntryRefusedError as error:
        fault = (
            t("Choisissez un statut de la liste.")
            if error.where == "status"
            else t("Vos aides reposent déjà sur les attestations d'un autre émetteur.")
        )
        return _list_page(page, context, who, errors=Errors({"liste": fault}), text=liste)
    notice = t(
        "Liste enregistrée : {added} ajoutés, {changed} modifiés, {left} partis.",
        added=t.number(done.added),
        changed=t.number(done.changed),
        left=t.number(done.left),
    )
    return page.go("/guichet/agents", notice=notice)


@router.post("/codes")
def codes(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    agent: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Fresh codes to hand over, as a file shown this once."""
    who.require(Action.MANAGE_STAFF)
    try:
        data = context.hub.affiliations.codes(who, (agent,) if agent else ())
    except ColleagueUnknownError:
        return page.go("/guichet/agents", notice=page.t("Cette personne n'est plus dans la liste."))
    headers = {
        "content-disposition": f'attachment; filename="codes-{local_today(page.now)}.csv"',
        "cache-control": "no-store",
    }
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/depart")
def leave(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    agent: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Somebody left."""
    who.require(Action.MANAGE_STAFF)
    try:
        gone = context.hub.affiliations.leave(who, agent)
    except ColleagueUnknownError:
        return page.go("/guichet/agents", notice=page.t("Cette personne n'est plus dans la liste."))
    text = page.t("Matricule {number} : l'affiliation a pris fin.", number=gone.number)
    return page.go("/guichet/agents", notice=text)


__all__ = ["router"]
