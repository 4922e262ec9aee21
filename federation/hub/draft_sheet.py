"""A draft as it is typed: cells of text, kept whatever is in them, and read into a form.

```
cells ──settle──► cells (rows without words dropped, questions named, brackets as choices)
cells ──read_sheet──► AidForm, or the faults with their places
AidForm ──sheet_of──► cells
```
Nothing typed is ever refused but by its size, so nothing is lost when somebody leaves the page.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Cell

from federation.aids.editor.aid_form import AidForm
from federation.aids.editor.rule_form import (
    Atom,
    Conditions,
    Fault,
    Gift,
    GiftKind,
    Line,
    Question,
    QuestionKind,
    RuleForm,
    is_variable,
)
from federation.aids.model import Example, FunderLevel, Territory
from federation.aids.territories import gazetteer
from schemas.units import Cents

__all__ = [
    "PRESETS",
    "AtomCells",
    "DraftSheet",
    "ExampleCells",
    "LineCells",
    "QuestionCells",
    "Reading",
    "read_sheet",
    "settle",
    "sheet_of",
]

_Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
BRACKETS: Final = "brackets"
"""Kind of a question whose choices are made of limits: an income leaves as its bracket."""


class _Cells(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuestionCells(_Cells):
    """One question."""

    variable: _Word = ""
    title: _Word = ""
    title_en: _Word = ""
    question: _Text = ""
    question_en: _Text = ""
    kind: _Word = "number"
    unit: _Word = ""
    choices: _Text = ""
    """One a line; for brackets, the limits."""


class AtomCells(_Cells):
    """One comparison; « or » joins it to the one above."""

    joint: _Word = "and"
    question: _Word = ""
    operator: _Word = ">="
    value: _Word = ""


class LineCells(_Cells):
    """One amount and its conditions."""

    when: Annotated[tuple[AtomCells, ...], Cell(max_length=40)] = ()
    kind: _Word = "fixed"
    amount: _Word = ""
    percent: _Word = ""
    question: _Word = ""
    cap: _Word = ""
    table: _Text = ""
    """« limit : amount » a line, « au-delà : amount » the last."""


class ExampleCells(_Cells):
    """One case and what it has to give."""

    label: _Word = ""
    answers: Annotated[Mapping[str, _Word], Cell(max_length=40)] = {}
    expected: _Word = ""
    """Euros; « non »: nothing is due."""


class DraftSheet(_Cells):
    """Everything typed of one aid."""

    title: _Word = ""
    title_en: _Word = ""
    summary: _Text = ""
    summary_en: _Text = ""
    territories: _Text = ""
    themes: Annotated[tuple[_Word, ...], Cell(max_length=20)] = ()
    questions: Annotated[tuple[QuestionCells, ...], Cell(max_length=30)] = ()
    conditions: Annotated[tuple[AtomCells, ...], Cell(max_length=60)] = ()
    lines: Annotated[tuple[LineCells, ...], Cell(max_length=30)] = ()
    bonuses: Annotated[tuple[LineCells, ...], Cell(max_length=12)] = ()
    share_percent: _Word = ""
    share_question: _Word = ""
    ceiling: _Word = ""
    floor: _Word = ""
    rounded: bool = False
    examples: Annotated[tuple[ExampleCells, ...], Cell(max_length=30)] = ()
    documents: _Text = ""
    statement: _Text = ""
    unique: _Word = ""
    journey: _Word = ""
    decision_days: _Word = "60"
    ends_on: _Word = ""
    budget: _Word = ""
    cool_down: _Word = ""
    no_prior: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sheet says: the form when every cell was read, and the cells that were not."""

    form: AidForm | None
    faults: tuple[Fault, ...]


def _preset(
    variable: str, title: str, question: str, kind: str, *, en: tuple[str, str],
    unit: str = "", choices: str = "",
) -> QuestionCells:  # fmt: skip
    return QuestionCells(
        variable=variable, title=title, title_en=en[0], question=question, question_en=en[1],
        kind=kind, unit=unit, choices=choices,
    )  # fmt: skip


PRESETS: Final[Mapping[str, QuestionCells]] = {
    "age": _preset(
        "demandeur . âge", "Âge", "Quel est votre âge ?", "number",
        en=("Age", "How old are you?"), unit="an",
    ),
    "statut": _preset(
        "demandeur . statut", "Votre situation", "Quelle est votre situation ?", "choice",
        en=("Your situation", "What is your situation?"),
        choices="étudiant\napprenti\ndemandeur d'emploi\nsalarié\nretraité\nreconversion\nautre",
    ),
    "handicap": _preset(
        "demandeur . en situation de handicap", "Être en situation de handicap",
        "Êtes-vous en situation de handicap ?", "boolean",
        en=("Having a disability", "Do you have a disability?"),
    ),
    "revenu": _preset(
        "foyer . tranche de revenu", "Revenu fiscal de référence par part",
        "Dans quelle tranche est votre revenu fiscal de référence par part ?", BRACKETS,
        en=("Reference income per part", "In which bracket is your reference income per part?"),
        unit="€ par part", choices="7 100\n15 400",
    ),
    "personnes": _preset(
        "foyer . personnes", "Personnes du foyer",
        "Combien de personnes composent votre foyer ?", "number",
        en=("People in the household", "How many people live in your household?"), unit="personne",
    ),
    "velo": _preset(
        "vélo . type", "Type de vélo", "Quel type de vélo avez-vous acheté ?", "choice",
        en=("Type of bicycle", "Which type of bicycle did you buy?"),
        choices="mécanique simple\nélectrique\ncargo\ncargo électrique\npliant\n"
        "pliant électrique\nmotorisation\nadapté",
    ),
    "etat": _preset(
        "vélo . état", "Neuf ou d'occasion", "Le vélo est-il neuf ou d'occasion ?", "choice",
        en=("New or second-hand", "Is the bicycle new or second-hand?"), choices="neuf\noccasion",
    ),
    "prix": _preset(
        "vélo . prix payé", "Prix payé",
        "Combien avez-vous payé, toutes taxes comprises ?", "number",
        en=("Price paid", "How much did you pay, all taxes included?"), unit="€",
    ),
    "numero": _preset(
        "vélo . numéro", "Numéro d'identification du vélo",
        "Quel est le numéro d'identification du vélo, gravé sur le cadre ?", "text",
        en=("Identification number of the bicycle",
            "What is the identification number engraved on the frame?"),
    ),
}  # fmt: skip
"""Questions other aids ask too: the same name, so that nobody is asked twice."""


# --- settling ------------------------------------------------------------------------------------


def settle(sheet: DraftSheet) -> DraftSheet:
    """`sheet` without its empty rows, each question under a name of its own that stays."""
    questions: list[QuestionCells] = []
    for cells in sheet.questions:
        if not cells.title and not cells.question:
            continue
        taken = {q.variable for q in questions}
        made = cells.model_copy(update={"variable": _name(cells, taken)})
        if made.kind == BRACKETS:
            choices = _bracket_choices(made.choices, made.unit)
            if choices:
                made = made.model_copy(
                    update={"kind": "choice", "unit": "", "choices": "\n".join(choices)}
                )
        questions.append(made)
    return sheet.model_copy(
        update={
            "questions": tuple(questions),
            "conditions": _settled(sheet.conditions),
            "lines": _settled_lines(sheet.lines),
            "bonuses": _settled_lines(sheet.bonuses),
            "examples": tuple(
                e for e in sheet.examples if e.label or e.expected or any(e.answers.values())
            ),
        }
    )


def _settled(atoms: Iterable[AtomCells]) -> tuple[AtomCells, ...]:
    return tuple(atom for atom in atoms if atom.question or atom.value)


def _settled_lines(lines: Iterable[LineCells]) -> tuple[LineCells, ...]:
    return tuple(
        line.model_copy(update={"when": _settled(line.when)})
        for line in lines
        if line.amount or line.percent or line.table or _settled(line.when)
    )


def _name(cells: QuestionCells, taken: set[str]) -> str:
    """The variable a question has, or one made of its title."""
    if is_variable(cells.variable) and cells.variable not in taken:
        return cells.variable
    text = unicodedata.normalize("NFC", cells.title or cells.question).lower()
    words = re.sub(r"[^a-zà-öø-ÿœ0-9]+", " ", text).split()[:8]
    while words and not words[0][0].isalpha():
        words.pop(0)
    start = f"réponse . {' '.join(words) or 'question'}"
    names = (start if n == 1 else f"{start} {n}" for n in range(1, 1_000))
    return next(name for name in names if name not in taken)


def _bracket_choices(limits: str, unit: str) -> tuple[str, ...]:
    """« 7 100 € par part ou moins », « plus de 7 100 à 15 400 € par part », « plus de … »."""
    found = [_decimal(line) for line in limits.splitlines() if line.strip()]
    values = [value for value in found if value is not None]
    if not values or len(values) != len(found) or values != sorted(set(values)):
        return ()
    said = [f"{value:,f}".replace(",", " ").replace(".", ",") for value in values]
    tail = f" {unit}" if unit else ""
    between = [f"plus de {a} à {b}{tail}" for a, b in itertools.pairwise(said)]
    return (f"{said[0]}{tail} ou moins", *between, f"plus de {said[-1]}{tail}")


# --- reading -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reader:
    faults: list[Fault] = field(default_factory=list)

    def cents(self, where: str, text: str) -> Cents | None:
        if not text:
            return None
        value = _decimal(text)
        if value is None:
            self.faults.append(Fault(where, "figure", text))
            return None
        return Cents(int(value * 100))

    def figure(self, where: str, text: str) -> Decimal | None:
        if not text:
            return None
        value = _decimal(text)
        if value is None:
            self.faults.append(Fault(where, "figure", text))
        return value

    def question(self, number: int, cells: QuestionCells) -> Question:
        where = f"questions.{number}"
        kind = QuestionKind.NUMBER
        if cells.kind == BRACKETS:
            self.faults.append(Fault(where, "brackets", cells.title))
            kind = QuestionKind.CHOICE
        elif cells.kind in set(QuestionKind):
            kind = QuestionKind(cells.kind)
        else:
            self.faults.append(Fault(where, "kind", cells.kind))
        is_choice = kind is QuestionKind.CHOICE
        return Question(
            variable=cells.variable,
            title=cells.title,
            question=cells.question,
            kind=kind,
            title_en=cells.title_en,
            question_en=cells.question_en,
            unit=cells.unit if kind is QuestionKind.NUMBER else "",
            choices=tuple(_lines_of(cells.choices)) if is_choice else (),
        )

    def conditions(
        self, where: str, rows: Iterable[AtomCells], asked: Mapping[str, Question]
    ) -> Conditions:
        groups: list[tuple[Atom, ...]] = []
        for number, row in enumerate(rows):
            at = f"{where}.{number}"
            question = asked.get(row.question)
            if question is None:
                self.faults.append(Fault(at, "unknown-question", row.question))
                continue
            value: Decimal | bool | str
            operator = row.operator
            match question.kind:
                case QuestionKind.NUMBER:
                    found = _decimal(row.value)
                    if found is None:
                        self.faults.append(Fault(at, "figure", row.value))
                        continue
                    value = found
                case QuestionKind.YES_NO:
                    if row.value.casefold() not in ("oui", "non") or operator not in ("=", "!="):
                        self.faults.append(Fault(at, "yes-no", question.title))
                        continue
                    value = (row.value.casefold() == "oui") is (operator == "=")
                    operator = "="
                case _:
                    value = row.value
            atom = Atom(row.question, operator, value)
            if row.joint == "or" and groups:
                groups[-1] = (*groups[-1], atom)
            else:
                groups.append((atom,))
        return tuple(groups)

    def line(self, where: str, cells: LineCells, asked: Mapping[str, Question]) -> Line:
        when = self.conditions(f"{where}.when", cells.when, asked)
        if cells.kind not in set(GiftKind):
            self.faults.append(Fault(where, "kind", cells.kind))
            return Line(when, Gift(GiftKind.FIXED))
        kind = GiftKind(cells.kind)
        amount = self.cents(where, cells.amount)
        percent = self.figure(where, cells.percent.removesuffix("%").strip())
        cap = self.cents(where, cells.cap)
        capped = kind in (GiftKind.SHARE, GiftKind.PER_UNIT)
        return Line(
            when,
            Gift(
                kind,
                amount=amount if kind in (GiftKind.FIXED, GiftKind.PER_UNIT) else None,
                percent=percent if kind is GiftKind.SHARE else None,
                variable="" if kind is GiftKind.FIXED else cells.question,
                cap=cap if capped else None,
                rows=self.rows(where, cells.table) if kind is GiftKind.TABLE else (),
            ),
        )

    def rows(self, where: str, text: str) -> tuple[tuple[Decimal | None, Cents], ...]:
        found: list[tuple[Decimal | None, Cents]] = []
        for line in _lines_of(text):
            limit, _, due = line.partition(":")
            amount = _decimal(due)
            is_last = limit.strip().casefold() in ("au-delà", "au-dela", "above", "")
            upto = None if is_last else _decimal(limit)
            if amount is None or (upto is None and not is_last):
                self.faults.append(Fault(where, "table-line", line))
                continue
            found.append((upto, Cents(int(amount * 100))))
        return tuple(found)

    def territories(self, text: str) -> tuple[Territory, ...]:
        found: list[Territory] = []
        for line in _lines_of(text):
            level, _, code = line.partition(" ")
            places = gazetteer("FR")
            if level in set(FunderLevel) and places.name(level, code.strip()):
                found.append(Territory(FunderLevel(level), code.strip()))
                continue
            named = places.named(line)
            if len(named) == 1:
                found.append(Territory(FunderLevel(named[0][0]), named[0][1]))
            elif named:
                several = ", ".join(f"{kind} {number}" for kind, number in named[:6])
                self.faults.append(Fault("territories", "several", f"{line} : {several}"))
            else:
                self.faults.append(Fault("territories", "territory", line))
        return tuple(dict.fromkeys(found))

    def example(self, number: int, cells: ExampleCells, asked: Mapping[str, Question]) -> Example:
        where = f"examples.{number}"
        situation: dict[str, bool | int | float | str] = {}
        for name, question in asked.items():
            text = cells.answers.get(name, "")
            if not text and question.kind is QuestionKind.TEXT:
                continue
            value = _answer(question, text)
            if value is None:
                self.faults.append(Fault(where, "answer", question.title))
            else:
                situation[name] = value
        expected: Cents | None = None
        if cells.expected.casefold() not in ("non", "no"):
            expected = self.cents(where, cells.expected)
            if expected is None:
                self.faults.append(Fault(where, "expected", cells.expected))
            elif expected == 0:
                expected = None
        if not cells.label:
            self.faults.append(Fault(where, "label"))
        return Example(cells.label, situation, expected)


def read_sheet(sheet: DraftSheet, *, rule: str) -> Reading:
    """The form a settled sheet says. `rule` names the rule of the amount."""
    reader = _Reader()
    questions = tuple(reader.question(n, cells) for n, cells in enumerate(sheet.questions))
    asked = {question.variable: question for question in questions}
    share = reader.figure("share_ceiling", sheet.share_percent.removesuffix("%").strip())
    days = _decimal(sheet.decision_days)
    if days is None or days != int(days):
        reader.faults.append(Fault("decision_days", "days", sheet.decision_days))
        days = Decimal(0)
    months = _decimal(sheet.cool_down or "0")
    if months is None or months != int(months):
        reader.faults.append(Fault("cool_down", "months", sheet.cool_down))
        months = Decimal(0)
    ends_on = None
    if sheet.ends_on:
        try:
            ends_on = date.fromisoformat(sheet.ends_on)
        except ValueError:
            reader.faults.append(Fault("ends_on", "date", sheet.ends_on))
    form = AidForm(
        rule=RuleForm(
            rule=rule,
            title=sheet.title,
            title_en=sheet.title_en,
            questions=questions,
            conditions=reader.conditions("conditions", sheet.conditions, asked),
            lines=tuple(
                reader.line(f"lines.{n}", cells, asked) for n, cells in enumerate(sheet.lines)
            ),
            bonuses=tuple(
                reader.line(f"bonuses.{n}", cells, asked) for n, cells in enumerate(sheet.bonuses)
            ),
            share_ceiling=None if share is None else (share, sheet.share_question),
            ceiling=reader.cents("ceiling", sheet.ceiling),
            floor=reader.cents("floor", sheet.floor),
            rounded=sheet.rounded,
        ),
        summary=" ".join(sheet.summary.split()),
        summary_en=" ".join(sheet.summary_en.split()),
        territories=reader.territories(sheet.territories),
        themes=tuple(dict.fromkeys(sheet.themes)),
        documents=tuple(_lines_of(sheet.documents)),
        statement=" ".join(sheet.statement.split()),
        unique=sheet.unique,
        journey=sheet.journey,
        decision_days=int(days),
        ends_on=ends_on,
        budget=reader.cents("budget", sheet.budget),
        cool_down=int(months),
        no_prior=sheet.no_prior,
        examples=tuple(reader.example(n, cells, asked) for n, cells in enumerate(sheet.examples)),
    )
    return Reading(None if reader.faults else form, tuple(reader.faults))


def sheet_of(form: AidForm) -> DraftSheet:
    """The cells that say `form`."""
    rule = form.rule
    return DraftSheet(
        title=rule.title,
        title_en=rule.title_en,
        summary=form.summary,
        summary_en=form.summary_en,
        territories="\n".join(f"{t.kind.value} {t.code}" for t in form.territories),
        themes=form.themes,
        questions=tuple(
            QuestionCells(
                variable=q.variable,
                title=q.title,
                title_en=q.title_en,
                question=q.question,
                question_en=q.question_en,
                kind=q.kind.value,
                unit=q.unit,
                choices="\n".join(q.choices),
            )
            for q in rule.questions
        ),
        conditions=_atoms(rule.conditions),
        lines=tuple(_line_cells(line) for line in rule.lines),
        bonuses=tuple(_line_cells(line) for line in rule.bonuses),
        share_percent="" if rule.share_ceiling is None else _said(rule.share_ceiling[0]),
        share_question="" if rule.share_ceiling is None else rule.share_ceiling[1],
        ceiling=_euros(rule.ceiling),
        floor=_euros(rule.floor),
        rounded=rule.rounded,
        examples=tuple(
            ExampleCells(
                label=e.label,
                answers={name: _answer_text(value) for name, value in e.situation.items()},
                expected="non" if e.expected_cents is None else _euros(e.expected_cents),
            )
            for e in form.examples
        ),
        documents="\n".join(form.documents),
        statement=form.statement,
        unique=form.unique,
        journey=form.journey,
        decision_days=str(form.decision_days),
        ends_on="" if form.ends_on is None else form.ends_on.isoformat(),
        budget=_euros(form.budget),
        cool_down=str(form.cool_down or ""),
        no_prior=form.no_prior,
    )


def _atoms(conditions: Conditions) -> tuple[AtomCells, ...]:
    return tuple(
        AtomCells(
            joint="or" if number else "and",
            question=atom.variable,
            operator=atom.operator,
            value=_answer_text(atom.value),
        )
        for group in conditions
        for number, atom in enumerate(group)
    )


def _line_cells(line: Line) -> LineCells:
    gift = line.gift
    rows = [
        f"{'au-delà' if limit is None else _said(limit)} : {_euros(due)}"
        for limit, due in gift.rows
    ]
    return LineCells(
        when=_atoms(line.when),
        kind=gift.kind.value,
        amount=_euros(gift.amount),
        percent="" if gift.percent is None else _said(gift.percent),
        question=gift.variable,
        cap=_euros(gift.cap),
        table="\n".join(rows),
    )


def _lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _decimal(text: str) -> Decimal | None:
    """« 1 250,50 € » → 1250.50; None when it is no plain figure of two decimals at most."""
    digits = re.sub(r"[\s\u00a0\u202f€]", "", text).replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", digits):
        return None
    return Decimal(digits).normalize() + 0


def _answer(question: Question, text: str) -> bool | int | float | str | None:
    match question.kind:
        case QuestionKind.NUMBER:
            found = _decimal(text)
            if found is None:
                return None
            return int(found) if found == int(found) else float(found)
        case QuestionKind.YES_NO:
            return {"oui": True, "non": False}.get(text.casefold())
        case QuestionKind.CHOICE:
            return text if text in question.choices else None
        case QuestionKind.TEXT:
            return text if text and "'" not in text and '"' not in text else None


def _answer_text(value: object) -> str:
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, Decimal | int | float):
        return _said(Decimal(repr(value) if isinstance(value, float) else value))
    return str(value)


def _said(value: Decimal) -> str:
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(".", ",")


def _euros(cents: int | None) -> str:
    return "" if cents is None else _said(Decimal(cents) / 100)
