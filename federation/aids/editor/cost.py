"""What a rule would cost: computed on made-up people, drawn the same way every time.

The people are drawn from hypotheses that stand on the page: each answer by itself, numbers evenly
between two bounds, choices by their shares. They are nobody, and not the population of a territory:
answers that go together in life (age and income) are drawn apart. Two rules are compared on the
same people. Pure.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final

from federation.aids.editor.rule_form import Question, QuestionKind, RuleForm
from federation.aids.errors import RuleEvaluationError
from federation.aids.publicodes import Engine
from federation.aids.rule_units import to_cents
from schemas.units import Cents

__all__ = ["PEOPLE", "Cost", "Group", "Hypothesis", "cost_of", "hypotheses_of", "people"]

PEOPLE: Final = 1_000
"""Drawn; a share is then known to about three points, 95 times in 100."""
SEED: Final = 20_261_122
MOST: Final = Decimal(1_000_000_000)

Answer = bool | Decimal | str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """How the answers to one question are spread."""

    variable: str
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    """Bounds of a number, both included; a unit that is not euros gives whole numbers."""
    shares: tuple[Decimal, ...] = ()
    """Of each choice, or of « oui » then « non »; their sum need not be 100."""

    @property
    def is_sound(self) -> bool:
        """True when something can be drawn from it."""
        if self.shares:
            return all(0 <= share < MOST for share in self.shares) and sum(self.shares) > 0
        return 0 <= self.low <= self.high < MOST


@dataclass(frozen=True, slots=True)
class Group:
    """The people who gave one answer."""

    variable: str
    answer: Answer
    count: int
    paid: int
    total: Cents


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rule gives to the people drawn."""

    people: int
    paid: int
    """To whom something is due."""
    total: Cents
    middle: Cents
    """Half of those who are paid get less."""
    largest: Cents
    groups: tuple[Group, ...]
    """By answer, for yes or no and for choices."""

    def expected(self, applicants: int) -> Cents:
        """The sum for that many who ask, if they are like the people drawn."""
        return Cents(round(self.total * applicants / self.people))


def hypotheses_of(
    form: RuleForm, examples: Sequence[Mapping[str, object]]
) -> tuple[Hypothesis, ...]:
    """Where to start: even shares; numbers from half the smallest figure that the rule or an
    example names to one and a half times the largest."""
    found = []
    for asked in form.questions:
        match asked.kind:
            case QuestionKind.NUMBER:
                named = _named(form, asked, examples)
                half = Decimal("0.5")
                low, high = (min(named) * half, max(named) * 3 * half) if named else (0, 100)
                found.append(Hypothesis(asked.variable, Decimal(round(low)), Decimal(round(high))))
            case QuestionKind.YES_NO:
                found.append(Hypothesis(asked.variable, shares=(Decimal(50), Decimal(50))))
            case QuestionKind.CHOICE:
                each = (Decimal(100) / len(asked.choices)).quantize(Decimal("0.1"))
                found.append(Hypothesis(asked.variable, shares=(each,) * len(asked.choices)))
            case QuestionKind.TEXT:
                continue
    return tuple(found)


def _named(
    form: RuleForm, asked: Question, examples: Sequence[Mapping[str, object]]
) -> list[Decimal]:
    conditions = [form.conditions, *(x.when for x in (*form.lines, *form.bonuses))]
    found = [
        atom.value
        for each in conditions
        for group in each
        for atom in group
        if atom.variable == asked.variable and isinstance(atom.value, Decimal)
    ]
    for situation in examples:
        value = situation.get(asked.variable)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(Decimal(repr(value)))
    return found


def people(
    form: RuleForm, hypotheses: Sequence[Hypothesis], count: int = PEOPLE
) -> tuple[Mapping[str, Answer], ...]:
    """The people drawn: the same for the same questions and hypotheses."""
    spread = {h.variable: h for h in hypotheses}
    drawn: dict[str, list[Answer]] = {}
    for asked in form.questions:
        hypothesis = spread.get(asked.variable)
        if hypothesis is None:
            continue
        # by question: adding one does not change the answers to the others
        draw = random.Random(f"{SEED} {asked.variable}")  # noqa: S311 - no secret is made of it
        match asked.kind:
            case QuestionKind.NUMBER:
                step = 100 if asked.unit == "€" else 1
                low, high = int(hypothesis.low * step), int(hypothesis.high * step)
                drawn[asked.variable] = [
                    Decimal(draw.randint(low, high)) / step for _ in range(count)
                ]
            case QuestionKind.YES_NO:
                weights = [float(share) for share in hypothesis.shares]
                drawn[asked.variable] = list(draw.choices((True, False), weights, k=count))
            case QuestionKind.CHOICE:
                weights = [float(share) for share in hypothesis.shares]
                drawn[asked.variable] = list(draw.choices(asked.choices, weights, k=count))
            case QuestionKind.TEXT:
                continue
    return tuple({name: values[n] for name, values in drawn.items()} for n in range(count))


def cost_of(form: RuleForm, engine: Engine, drawn: Sequence[Mapping[str, Answer]]) -> Cost:
    """What the rule gives to the people drawn.

    Raises:
        RuleEvaluationError: the rule cannot be computed for one of them.
    """
    amounts = [_amount(form, engine, person) for person in drawn]
    paid = sorted(amount for amount in amounts if amount)
    groups = []
    for asked in form.questions:
        answers: tuple[Answer, ...] = asked.choices
        if asked.kind is QuestionKind.YES_NO:
            answers = (True, False)
        for answer in answers:
            mine = [
                amount
                for amount, person in zip(amounts, drawn, strict=True)
                if person.get(asked.variable) == answer
            ]
            groups.append(
                Group(
                    asked.variable, answer, len(mine), sum(bool(a) for a in mine), Cents(sum(mine))
                )
            )
    return Cost(
        people=len(drawn),
        paid=len(paid),
        total=Cents(sum(paid)),
        middle=Cents(round(median(paid))) if paid else Cents(0),
        largest=Cents(paid[-1]) if paid else Cents(0),
        groups=tuple(groups),
    )


def _amount(form: RuleForm, engine: Engine, person: Mapping[str, Answer]) -> int:
    situation: dict[str, bool | float | str] = {}
    for asked in form.questions:
        answer = person.get(asked.variable)
        if isinstance(answer, bool):
            situation[asked.variable] = answer
        elif isinstance(answer, Decimal):
            situation[asked.variable] = f"{answer:f} {asked.unit}" if asked.unit else float(answer)
        elif answer is not None:
            situation[asked.variable] = f"'{answer}'"
    found = engine.evaluate(form.rule, situation)
    if found.value is None or found.value is False:
        return 0
    if not isinstance(found.value, int | float):
        raise RuleEvaluationError(form.rule, "the rule gives no amount")
    return int(to_cents(float(found.value), found.unit))
