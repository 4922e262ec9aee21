"""What a funder writes of an aid: its rule, its texts, how one applies, and examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from federation.aids.cool_down import MAX_COOL_DOWN
from federation.aids.editor.rule_form import Fault, QuestionKind, RuleForm, faults_of
from federation.aids.model import Example, Territory

__all__ = ["AidForm", "answers_schema", "faults_of_aid"]

MOST_EXAMPLES: Final = 20
MOST_DOCUMENTS: Final = 8
MOST_TERRITORIES: Final = 100
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class AidForm:
    """A whole aid, as its funder states it."""

    rule: RuleForm
    summary: str
    summary_en: str
    territories: tuple[Territory, ...]
    """None: the whole country."""
    themes: tuple[str, ...]
    documents: tuple[str, ...]
    statement: str
    """What the person signs on their honour; empty where everything is proven."""
    unique: str
    """Variable of the answer that names one thing, or empty."""
    journey: str
    """Variable of the answer that names a carpool journey as its operator does, or empty."""
    decision_days: int
    ends_on: date | None
    budget: int | None
    """Cents; None: no limit."""
    cool_down: int
    """Months after the period in which nobody has an aid of the family again; 0: none."""
    no_prior: bool
    """Each application brings the hub's signed word that nobody holds the person's nullifier."""
    examples: tuple[Example, ...]


def faults_of_aid(form: AidForm, *, at: date, declared: bool) -> tuple[Fault, ...]:
    """Everything that keeps an aid from being published, its examples' outcome left out.

    `declared`: the answers are given on one's honour, so there is a statement.
    """
    found = list(faults_of(form.rule))
    if not 10 <= len(form.summary) <= 600:
        found.append(Fault("summary", "summary"))
    if len(form.territories) > MOST_TERRITORIES:
        found.append(Fault("territories", "too-many"))
    if not form.themes:
        found.append(Fault("themes", "themes"))
    if not 1 <= form.decision_days <= 366:
        found.append(Fault("decision_days", "days"))
    if form.ends_on is not None and form.ends_on < at:
        found.append(Fault("ends_on", "past"))
    if form.budget is not None and not 1_00 <= form.budget <= 1_000_000_000_00:
        found.append(Fault("budget", "amount"))
    if not 0 <= form.cool_down <= MAX_COOL_DOWN:
        found.append(Fault("cool_down", "months"))
    if len(form.documents) > MOST_DOCUMENTS or any(
        not 1 <= len(name) <= 80 for name in form.documents
    ):
        found.append(Fault("documents", "documents"))
    if declared and not form.rule.questions:
        found.append(Fault("questions", "no-question"))
    if declared and not 20 <= len(form.statement) <= 1_000:
        found.append(Fault("statement", "statement"))
    if form.unique:
        asked = form.rule.question(form.unique)
        if asked is None or asked.kind is not QuestionKind.TEXT:
            found.append(Fault("unique", "unique"))
    if form.journey:
        asked = form.rule.question(form.journey)
        if asked is None or asked.kind is not QuestionKind.TEXT:
            found.append(Fault("journey", "unique"))
    if not form.examples:
        found.append(Fault("examples", "no-example"))
    elif all(example.expected_cents is None for example in form.examples):
        found.append(Fault("examples", "no-due-example"))
    if len(form.examples) > MOST_EXAMPLES:
        found.append(Fault("examples", "too-many"))
    return tuple(found)


def answers_schema(form: RuleForm, *, address: str) -> Mapping[str, Any]:
    """JSON Schema (2020-12) of the answers a person gives; `address` is its `$id`.

    A number is in the unit its property names; what is not asked is refused.
    """
    properties: dict[str, Any] = {}
    for asked in form.questions:
        said: dict[str, Any] = {"title": asked.title, "description": asked.question}
        match asked.kind:
            case QuestionKind.NUMBER:
                said |= {"type": "number", "minimum": 0, "exclusiveMaximum": 1_000_000_000}
                if asked.unit:
                    said["x-unit"] = asked.unit
            case QuestionKind.YES_NO:
                said["type"] = "boolean"
            case QuestionKind.CHOICE:
                said["enum"] = list(asked.choices)
            case QuestionKind.TEXT:
                said |= {"type": "string", "minLength": 1, "maxLength": 80}
        properties[asked.variable] = said
    return {
        "$schema": _DIALECT,
        "$id": address,
        "title": form.title,
        "type": "object",
        "properties": properties,
        "required": [asked.variable for asked in form.questions],
        "additionalProperties": False,
    }
