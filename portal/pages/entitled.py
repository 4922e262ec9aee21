"""« Ce que je peux obtenir »: with the vault's facts, or without an account and nothing stored."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.eligibility import (
    Fact,
    FactSource,
    Outcome,
    Question,
    best_question,
    question_of,
    read_answer,
)
from federation.aids.model import Aid
from federation.aids.territories import Commune, by_code, search
from federation.aids.territory import evaluate_there
from federation.aids.wording import say_answer
from portal.errors import AnswerRefusedError
from portal.i18n import N_, Translator
from portal.pages.aids import (
    aid_for_me,
    by_promise,
    commune_of,
    current_catalogue,
    estimates,
    is_prose,
    open_applications,
    question_form,
)
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.views import local_today
from portal.web import Page
from vault.answers import SKIPPED, forget_answer, keep_answer, kept_answers
from vault.circles import keys_of
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

GROUPS: Final = (
    ("sure", N_("Vous pouvez obtenir")),
    ("asked", N_("Demandé ou obtenu")),
    ("maybe", N_("Possible, selon vos réponses")),
    ("ask", N_("Une réponse manque")),
    ("info", N_("À lire chez le financeur")),
    ("no", N_("Pas pour vous aujourd'hui")),
)
MAX_ANSWERS: Final = 40
"""Answers one simulation carries; the models have 45 questions between them."""


def next_question(found: list[tuple[Aid, Outcome]], passed: Collection[str]) -> Question | None:
    """The one question to ask; what is only read at the funder's is never one."""
    prose = {q.variable for _, outcome in found for q in outcome.missing if is_prose(q)}
    return best_question((outcome for _, outcome in found), passed={*passed, *prose})


def _groups(
    t: Translator,
    found: list[tuple[Aid, Outcome]],
    live: Mapping[str, Any],
    at: date,
    passed: Collection[str],
) -> list[dict[str, Any]]:
    cards = [aid_for_me(t, aid, outcome, live, at, passed=passed) for aid, outcome in found]
    return [
        {"name": name, "title": t(title), "aids": kept}
        for name, title in GROUPS
        if (kept := [card for card in cards if card["group"] == name])
    ]


@router.get("/aides")
def aids(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Amounts, why, one question at a time; computed here."""
    t, at = page.t, local_today(page.now)
    catalogue, is_fresh = context.catalogue.get(keys=keys_of(vault))
    found = estimates(vault, catalogue, page.now) if catalogue is not None else []
    kept = kept_answers(vault)
    passed = [name for name, answer in kept.items() if answer.is_skipped]
    question = next_question(found, passed)
    here = commune_of(vault)
    return page.show(
        "aids.html",
        groups=_groups(t, found, open_applications(vault), at, passed),
        question=question_form(t, question) if question is not None else None,
        answered=len(kept),
        here=here.name if here is not None else "",
        stale=""
        if is_fresh or catalogue is None
        else t("Le hub ne répond pas. Catalogue du {day}.", day=t.moment(catalogue.issued_at)),
    )


@router.post("/aides/repondre")
def answer(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    question: Annotated[str, Form(max_length=300)],
    reponse: Annotated[str, Form(max_length=100)] = "",
    acte: Annotated[str, Form(max_length=20)] = "",
    retour: Annotated[str, Form(max_length=120)] = "",
) -> RedirectResponse:
    """Keep one answer in the vault, or that the citizen passed, or take it back."""
    t = page.t
    catalogue = current_catalogue(context.catalogue, of=vault)
    asked = _question(catalogue, question)
    where = "/aides"
    if retour == "reponses":
        where = "/aides/reponses"
    elif retour and any(retour == aid.slug for aid in catalogue.aids):
        where = f"/aides/{retour}"
    if asked is None:
        return page.go(where, notice=t("Cette question n'est plus posée."), kind="warn")
    if acte == "oublier":
        forget_answer(vault, asked.variable, at=page.now)
        return page.go(where, notice=t("Réponse oubliée."))
    if acte == "passer":
        keep_answer(vault, asked.variable, SKIPPED, at=page.now)
        return page.go(where)
    try:
        value = read_answer(asked, reponse)
    except ValueError:
        return page.go(where, notice=_wrong(t, asked), kind="warn")
    keep_answer(vault, asked.variable, value, at=page.now)
    return page.go(where, notice=t("Réponse gardée dans votre coffre."))


def _wrong(t: Translator, asked: Question) -> str:
    if asked.kind == "number":
        return t("Écrivez un nombre, par exemple 1250 ou 12,50.")
    return t("Choisissez une des réponses.")


def _question(catalogue: Catalogue, variable: str) -> Question | None:
    """The question of that name in one of the models."""
    for model in catalogue.models.values():
        if variable not in model.engine:
            continue
        info = model.engine.info(variable)
        if "question" in info.metadata or info.choices:
            return question_of(model.engine, variable)
    return None


def _said(t: Translator, catalogue: Catalogue, question: Question, value: object) -> str:
    if value == SKIPPED:
        return t("Passée")
    if isinstance(value, bool):
        return t("Oui") if value else t("Non")
    engine = next(m.engine for m in catalogue.models.values() if question.variable in m.engine)
    given = float(value) if isinstance(value, int | float) else str(value)
    return say_answer(engine, question.variable, given)[t.language == "en"]


@router.get("/aides/reponses")
def answers(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """What the citizen answered: change it, forget it."""
    t = page.t
    catalogue = current_catalogue(context.catalogue, of=vault)
    rows = []
    for name, kept in sorted(kept_answers(vault).items()):
        question = _question(catalogue, name)
        if question is None:
            continue
        rows.append(
            {
                **question_form(t, question),
                "said": _said(t, catalogue, question, kept.value),
                "when": t.day(kept.at.date(), "long"),
            }
        )
    here = commune_of(vault)
    return page.show("answers.html", rows=rows, here=here.name if here is not None else "")


def listed(
    vault: OpenVault,
    catalogue: Catalogue,
    t: Translator,
    *,
    now: datetime,
    answers: Mapping[str, str],
    forget: Sequence[str],
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The page's sister on the command line: rows, and the next question.

    Raises:
        AnswerRefusedError: no such question, or not an answer to it; nothing was kept.
    """
    kept = []
    for variable, text in answers.items():
        asked = _question(catalogue, variable)
        if asked is None:
            raise AnswerRefusedError(variable, "no such question")
        try:
            kept.append((variable, SKIPPED if text == SKIPPED else read_answer(asked, text)))
        except ValueError as error:
            raise AnswerRefusedError(variable, str(error)) from error
    for variable, value in kept:
        keep_answer(vault, variable, value, at=now)
    for variable in forget:
        forget_answer(vault, variable, at=now)
    found = estimates(vault, catalogue, now)
    passed = [name for name, said in kept_answers(vault).items() if said.is_skipped]
    rows = [
        {
            "group": group["name"],
            "slug": card["slug"],
            "title": card["title"],
            "funder": card["funder"],
            "amount": card["amount"],
            "why": " ".join(card["why"]),
            "verified": card["verified"],
        }
        for group in _groups(t, found, {}, local_today(now), passed)
        for card in group["aids"]
    ]
    following = next_question(found, passed)
    return rows, None if following is None else question_form(t, following)


# --- without an account ------------------------------------------------------------------------


@public.get("/simuler")
def simulator(page: PageDep) -> HTMLResponse:
    """The way in: choose a commune."""
    return _simulator(page)


def _simulator(page: Page, query: str = "", *, unknown: bool = False) -> HTMLResponse:
    found = search(query) if query else []
    return page.show(
        "simulate.html",
        tabs=False,
        query=query,
        unknown=unknown,
        found=[
            {
                "code": c.code,
                "name": c.name,
                "text": f"{', '.join(c.postcodes[:3])} · {c.departement}",
            }
            for c in found
        ],
    )


@public.post("/simuler")
def simulate(
    page: CheckedDep,
    context: ContextDep,
    q: Annotated[str, Form(max_length=80)] = "",
    code: Annotated[str, Form(max_length=5)] = "",
    reponses: Annotated[str, Form(max_length=8_000)] = "",
    question: Annotated[str, Form(max_length=300)] = "",
    reponse: Annotated[str, Form(max_length=100)] = "",
    acte: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Commune, answers so far and the one just given: all in the form, nothing kept."""
    here = by_code(code)
    if here is None:
        return _simulator(page, q, unknown=bool(code))
    t, at = page.t, local_today(page.now)
    catalogue = current_catalogue(context.catalogue)
    answers = dict(parse_qsl(reponses, max_num_fields=MAX_ANSWERS)) if reponses else {}
    wrong = ""
    asked = _question(catalogue, question)
    if asked is not None:
        if acte == "passer":
            answers[asked.variable] = SKIPPED
        elif acte == "oublier":
            answers.pop(asked.variable, None)
        else:
            try:
                read_answer(asked, reponse)
                answers[asked.variable] = reponse
            except ValueError:
                wrong = _wrong(t, asked)
    values: dict[str, Fact] = {}
    said = []
    for name, text in list(answers.items()):
        known = _question(catalogue, name)
        try:
            if known is None:
                raise ValueError("no such question")
            value = SKIPPED if text == SKIPPED else read_answer(known, text)
        except ValueError:
            del answers[name]
            continue
        if value != SKIPPED:
            values[name] = Fact(value, FactSource.ANSWER)
        said.append(
            {
                "variable": name,
                "label": text_of(t, known.words),
                "said": _said(t, catalogue, known, value),
            }
        )
    found = simulated(catalogue, here, values, at)
    passed = [name for name, text in answers.items() if text == SKIPPED]
    following = next_question(found, passed)
    answer = page.show(
        "simulated.html",
        tabs=False,
        status=422 if wrong else 200,
        here=here.name,
        code=here.code,
        groups=_groups(t, found, {}, at, passed),
        question=question_form(t, following) if following is not None else None,
        answers=urlencode(answers),
        said=said,
        wrong=wrong,
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def simulated(
    catalogue: Catalogue, here: Commune, values: Mapping[str, Fact], at: date
) -> list[tuple[Aid, Outcome]]:
    """What the aids of a commune would give somebody who answered this."""
    return sorted(evaluate_there(catalogue, here, values, at), key=by_promise)
