"""What an aid would cost before it is published: hypotheses, made-up people, a table."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from federation.aids.editor import RuleForm
from federation.aids.editor.cost import PEOPLE, Cost, Hypothesis, cost_of, hypotheses_of, people
from federation.aids.editor.rule_form import QuestionKind
from federation.aids.errors import RuleEvaluationError
from portal.i18n import Translator
from portal.pages.draft_cells import UNIT_NAMES
from portal.pages.hub import ContextDep, OfficerDep, PageDep, desk_nav

router = APIRouter(include_in_schema=False, prefix="/guichet/aides")

APPLICANTS: Final = 100
MOST_APPLICANTS: Final = 10_000_000


def _figure(text: str) -> Decimal | None:
    try:
        value = Decimal(
            text.replace(",", ".").replace("%", "").replace("\u202f", "").replace(" ", "")
        )
    except InvalidOperation:
        return None
    return value if value.is_finite() and 0 <= value < 1_000_000_000 else None


def _read(
    given: Mapping[str, str], start: tuple[Hypothesis, ...], form: RuleForm
) -> tuple[tuple[Hypothesis, ...], list[str]]:
    """The hypotheses of the address, and the titles of those that cannot be read."""
    found, wrong = [], []
    for number, default in enumerate(start):
        asked = form.question(default.variable)
        low, high = given.get(f"bas-{number}"), given.get(f"haut-{number}")
        shares = [given.get(f"part-{number}-{n}") for n in range(len(default.shares))]
        made: Hypothesis | None = default
        if low is not None and high is not None and not default.shares:
            least, most = _figure(low), _figure(high)
            made = None if least is None or most is None else replace(default, low=least, high=most)
        elif shares and all(share is not None for share in shares):
            read = [_figure(share or "0") for share in shares]
            made = (
                None
                if None in read
                else replace(default, shares=tuple(r for r in read if r is not None))
            )
        if made is None or not made.is_sound:
            wrong.append(asked.title if asked is not None else default.variable)
            made = default
        found.append(made)
    return tuple(found), wrong  # fmt: skip


def _rows(t: Translator, now: Cost, then: Cost | None, applicants: int) -> list[list[str]]:
    def line(title: str, said: list[str]) -> list[str]:
        return [title, *said]

    costs = [cost for cost in (now, then) if cost is not None]
    return [
        line(t("Personnes à qui quelque chose est dû"), [t("{share} %", share=t.number(100 * c.paid / c.people)) for c in costs]),
        line(t("Montant au milieu : la moitié reçoit moins"), [t.amount(round(c.middle, -2)) for c in costs]),
        line(t("Montant le plus haut"), [t.amount(c.largest) for c in costs]),
        line(t("Total pour {n} demandes", n=t.number(applicants)), [t.amount(round(c.expected(applicants), -2)) for c in costs]),
    ]  # fmt: skip


def _answer(t: Translator, answer: object) -> str:
    if isinstance(answer, bool):
        return t("oui") if answer else t("non")
    return str(answer)


@router.get("/brouillons/{draft_id}/cout")
def cost(
    request: Request, page: PageDep, context: ContextDep, who: OfficerDep, draft_id: str
) -> HTMLResponse:
    """What a draft would cost on made-up people, beside the version it changes."""
    t, drafts = page.t, context.hub.drafts
    draft = drafts.find(who, draft_id)
    look = drafts.look(draft)
    common: dict[str, Any] = {
        "nav": desk_nav(page, who),
        "title": str(draft.sheet.get("title") or "") or t("Aide sans nom"),
        "address": f"/guichet/aides/brouillons/{draft.id}",
        "people": t.number(PEOPLE),
    }
    if look.form is None or look.engine is None:
        return page.show("desk_draft_cost.html", ready=False, **common)
    form, engine = look.form.rule, look.engine
    given = dict(request.query_params)
    asked = _figure(given.get("demandes", str(APPLICANTS)))
    applicants = int(asked) if asked is not None and 1 <= asked <= MOST_APPLICANTS else APPLICANTS
    start = hypotheses_of(form, [example.situation for example in look.form.examples])
    hypotheses, wrong = _read(given, start, form)
    alerts = [
        t("« {title} » : hypothèse illisible, remplacée par celle de départ.", title=title)
        for title in wrong
    ]
    before = drafts.before(draft)
    now = then = None
    try:
        now = cost_of(form, engine, people(form, hypotheses))
        if before is not None:
            then = cost_of(
                before[0],
                before[1],
                people(before[0], _both(hypotheses, before[0], look.form.examples)),
            )
    except RuleEvaluationError as error:
        alerts.append(t("La règle ne se calcule pas : {what}.", what=error.reason))
    budget = look.form.budget
    enough = ""
    if now is not None and budget is not None and now.total:
        held = budget * now.people // now.total
        enough = t(
            "L'enveloppe de {budget} couvre environ {n} demandes.",
            budget=t.amount(budget),
            n=t.number(held),
        )
    return page.show(
        "desk_draft_cost.html",
        ready=True,
        **common,
        alerts=alerts,
        applicants=applicants,
        hypotheses=[_shown(t, form, number, h) for number, h in enumerate(hypotheses)],
        heads=[t("Mesure"), t("Cette version"), *([t("Version publiée")] if then else [])],
        rows=_rows(t, now, then, applicants) if now is not None else [],
        enough=enough,
        group_heads=[t("Réponse"), t("Part des personnes"), t("À qui quelque chose est dû"), t("Part du total")],
        groups=[] if now is None else [
            [
                f"{question.title} : {_answer(t, group.answer)}",
                t("{share} %", share=t.number(100 * group.count / now.people)),
                t("{share} %", share=t.number(100 * group.paid / group.count if group.count else 0)),
                t("{share} %", share=t.number(100 * group.total / now.total if now.total else 0)),
            ]
            for group in now.groups
            if (question := form.question(group.variable)) is not None
        ],
    )  # fmt: skip


def _both(
    hypotheses: tuple[Hypothesis, ...], before: RuleForm, examples: Any
) -> tuple[Hypothesis, ...]:
    """The hypotheses of the new version, and where to start for a question it dropped or changed."""
    known = {h.variable: h for h in hypotheses}
    found = []
    for start in hypotheses_of(before, [example.situation for example in examples]):
        same = known.get(start.variable)
        fits = same is not None and len(same.shares) == len(start.shares)
        found.append(same if same is not None and fits else start)
    return tuple(found)


def _shown(t: Translator, form: RuleForm, number: int, h: Hypothesis) -> dict[str, Any]:
    asked = form.question(h.variable)
    assert asked is not None  # noqa: S101 - made of the form's questions
    unit = f" ({t(UNIT_NAMES[asked.unit])})" if asked.unit else ""
    names = [t("oui"), t("non")] if asked.kind is QuestionKind.YES_NO else list(asked.choices)
    return {
        "title": f"{asked.title}{unit}",
        "low": {"name": f"bas-{number}", "value": _said(h.low)},
        "high": {"name": f"haut-{number}", "value": _said(h.high)},
        "shares": [
            {"name": f"part-{number}-{n}", "label": names[n], "value": _said(share)}
            for n, share in enumerate(h.shares)
        ],
    }


def _said(value: Decimal) -> str:
    return f"{value.normalize() + 0:f}".replace(".", ",")


__all__ = ["router"]
