"""Payments: the file for payroll, the liquidation statement, budgets, the archive of decisions."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from federation.hub.csv_files import days_of
from federation.hub.errors import NothingToPayError
from portal.decision_letter import Statement, StatementLine, render_statement
from portal.pages.checks import text_of
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav, pdf_answer
from portal.views import local_today
from schemas.records import ApplicationState

router = APIRouter(include_in_schema=False, prefix="/guichet/versements")

LOW = 10
"""Percent of an envelope left under which the page warns."""


@router.get("")
def payments(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """What waits for payroll, the files that were made, what is left of each envelope."""
    t, hub = page.t, context.hub
    pending = hub.payments.pending(who)
    today = local_today(page.now)
    rows = []
    for payment in hub.payments.payments(who):
        _, held = hub.payments.lines(who, payment.number)
        paid = all(a.state is not ApplicationState.AWARDED for a in held)
        rows.append(
            {
                "number": payment.number,
                "title": t("Fichier n° {n}", n=payment.number),
                "text": t(
                    "{count} bénéficiaires, {amount}, fait le {day} par {name}",
                    count=t.number(payment.count),
                    amount=t.amount(payment.total),
                    day=t.day(payment.made_at.date(), "long"),
                    name=payment.member,
                ),
                "state": t("payé") if paid else t("transmis à la paie"),
                "kind": "ok" if paid else "info",
                "paid": paid,
            }
        )
    budgets = [
        {
            "title": text_of(t, aid.titles),
            "text": t(
                "{left} restants sur {limit} : {committed} accordés, {paid} payés",
                left=t.amount(max(0, found.left)),
                limit=t.amount(found.limit),
                committed=t.amount(found.committed),
                paid=t.amount(found.paid),
            ),
            "low": found.left * 100 < found.limit * LOW,
        }
        for aid, found in hub.payments.budgets(who)
    ]
    return page.show(
        "desk_payments.html",
        nav=desk_nav(page, who),
        count=len(pending),
        waiting=t("Aucune aide n'attend la paie.")
        if not pending
        else t.n(
            "{n} aide accordée attend la paie",
            "{n} aides accordées attendent la paie",
            len(pending),
        ),
        total=t.amount(sum(a.amount or 0 for a in pending)),
        without=sum(not a.employee for a in pending),
        rows=rows,
        budgets=budgets,
        since=date(today.year, 1, 1).isoformat(),
        until=today.isoformat(),
    )


@router.post("")
def make(page: CheckedDep, context: ContextDep, who: OfficerDep) -> Response:
    """Make the next payment file."""
    try:
        made = context.hub.payments.make(who)
    except NothingToPayError:
        return page.go(
            "/guichet/versements", notice=page.t("Aucune aide n'attend la paie."), kind="warn"
        )
    text = page.t(
        "Le fichier n° {n} est prêt. Chaque bénéficiaire voit que son aide est transmise.",
        n=made.number,
    )
    return page.go("/guichet/versements", notice=text)


@router.post("/payes")
def confirm(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    fichier: Annotated[str, Form(max_length=9)] = "",
) -> Response:
    """Payroll has paid."""
    count = context.hub.payments.confirm(who, int(fichier) if fichier.isdigit() else 0)
    text = page.t.n("{n} aide est marquée payée.", "{n} aides sont marquées payées.", count)
    return page.go("/guichet/versements", notice=text)


def _csv(data: bytes, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/archive")
def archive(
    page: PageDep,
    context: ContextDep,
    who: OfficerDep,
    du: Annotated[str, Query(max_length=10)] = "",
    au: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Every decision of a period as a ZIP."""
    today = local_today(page.now)
    try:
        since = date.fromisoformat(du) if du else date(today.year, 1, 1)
        until = date.fromisoformat(au) if au else today
    except ValueError:
        return page.go(
            "/guichet/versements", notice=page.t("Ces dates ne sont pas des dates."), kind="warn"
        )
    data = context.hub.payments.archive(
        who,
        since=datetime.combine(since, time(), UTC),
        until=datetime.combine(until, time(), UTC) + timedelta(days=1),
    )
    headers = {
        "content-disposition": f'attachment; filename="decisions-{since}-{until}.zip"',
        "cache-control": "no-store",
    }
    return Response(data, media_type="application/zip", headers=headers)


@router.get("/{number}/paie.csv")
def payroll(context: ContextDep, who: OfficerDep, number: int) -> Response:
    """The file for payroll."""
    return _csv(context.hub.payments.payroll(who, number), f"paie-{number}.csv")


@router.get("/{number}/etat.csv")
def statement_csv(context: ContextDep, who: OfficerDep, number: int) -> Response:
    """The liquidation statement as CSV."""
    return _csv(context.hub.payments.liquidation_csv(who, number), f"etat-liquidatif-{number}.csv")


@router.get("/{number}/etat.pdf")
def statement_pdf(page: PageDep, context: ContextDep, who: OfficerDep, number: int) -> Response:
    """The liquidation statement as PDF."""
    t = page.t
    payment, lines = context.hub.payments.liquidation(who, number)
    funder = context.hub.publishing.funder(who.funder or "")
    legal = dict.fromkeys(
        f"{x.title} : {x.reference}" for line in lines for x in line.aid.legal_basis
    )
    pdf = render_statement(
        Statement(
            funder=funder.name,
            siret=funder.siret,
            number=payment.number,
            made_at=payment.made_at,
            made_by=payment.member,
            lines=[
                StatementLine(
                    number=line.number,
                    employee=line.application.employee,
                    aid=text_of(t, line.aid.titles),
                    rule=f"{line.aid.rule.rule} ({line.application.aid_version})",
                    period=line.application.period,
                    days=days_of(line.application),
                    amount=line.application.amount or 0,
                    decided=f"{t.moment(line.application.decided_at)}, {t('la règle de calcul') if line.decided_by == 'rule' else line.decided_by}"
                    if line.application.decided_at
                    else "",
                )
                for line in lines
            ],
            legal=list(legal),
            sandbox=context.settings.sandbox,
        ),
        t,
    )
    return pdf_answer(pdf, f"etat-liquidatif-{number}.pdf")


__all__ = ["router"]
