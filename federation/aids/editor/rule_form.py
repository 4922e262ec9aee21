"""What a funder can say of a rule without writing it: questions, conditions, lines of amounts.

```
questions   what the person is asked
conditions  every group holds; in a group one is enough
lines       the first whose conditions hold gives the base amount
bonuses     each that holds is added to it
bounds      a share of a price at most, a ceiling, a floor, whole euros
```
"""

import itertools
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from schemas.units import Cents

__all__ = [
    "BASE",
    "BONUS",
    "GIFT_UNITS",
    "LIMITS",
    "OPERATORS",
    "UNITS",
    "Atom",
    "Conditions",
    "Fault",
    "Gift",
    "GiftKind",
    "Group",
    "Line",
    "Question",
    "QuestionKind",
    "RuleForm",
    "faults_of",
    "is_variable",
]

UNITS: Final = ("", "€", "km", "jour", "mois", "an", "personne", "kg", "%")
"""What a number may count; without unit, a bare number."""
GIFT_UNITS: Final = frozenset(("", "km", "jour", "mois", "an", "personne", "kg"))
"""What may be paid by the piece."""
BASE: Final = "montant de base"
"""Name of the rule of the lines."""
BONUS: Final = "supplément"
"""Beginning of the names of the rules of the bonuses."""


class QuestionKind(StrEnum):
    """What an answer is."""

    NUMBER = "number"
    YES_NO = "boolean"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Question:
    """One thing the person is asked."""

    variable: str
    """Dotted name in the rule; two rules that ask the same thing bear the same."""
    title: str
    question: str
    kind: QuestionKind
    title_en: str = ""
    question_en: str = ""
    unit: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison of an answer: with a number, with yes or no, with one of its choices."""

    variable: str
    operator: str
    value: Decimal | bool | str


Group = tuple[Atom, ...]
"""One is enough."""
Conditions = tuple[Group, ...]
"""Every one holds."""

OPERATORS: Final = {
    QuestionKind.NUMBER: (">=", "<=", ">", "<", "="),
    QuestionKind.YES_NO: ("=",),
    QuestionKind.CHOICE: ("=", "!="),
    QuestionKind.TEXT: (),
}


class GiftKind(StrEnum):
    """How an amount is found."""

    FIXED = "fixed"
    SHARE = "share"
    """Percent of a price."""
    PER_UNIT = "per-unit"
    """So much a day, a kilometre, a person."""
    TABLE = "table"
    """The line of a table that a number falls into."""


@dataclass(frozen=True, slots=True)
class Gift:
    """One amount. Which members count depends on the kind; the others keep their defaults."""

    kind: GiftKind
    amount: Cents | None = None
    percent: Decimal | None = None
    variable: str = ""
    cap: Cents | None = None
    rows: tuple[tuple[Decimal | None, Cents], ...] = ()
    """(up to and including, amount), growing; the last has no limit."""


@dataclass(frozen=True, slots=True)
class Line:
    """An amount and when it is due; without condition, always."""

    when: Conditions
    gift: Gift


@dataclass(frozen=True, slots=True)
class RuleForm:
    """A whole rule."""

    rule: str
    """Name of the rule whose value is the amount."""
    title: str
    title_en: str
    questions: tuple[Question, ...]
    conditions: Conditions
    lines: tuple[Line, ...]
    bonuses: tuple[Line, ...] = ()
    share_ceiling: tuple[Decimal, str] | None = None
    """At most that percent of that price."""
    ceiling: Cents | None = None
    floor: Cents | None = None
    """When something is due, that much at least."""
    rounded: bool = False
    """To whole euros."""

    def question(self, variable: str) -> Question | None:
        """The question of a variable."""
        return next((q for q in self.questions if q.variable == variable), None)


LIMITS: Final = {
    "questions": 12,
    "groups": 12,
    "atoms": 10,
    "lines": 20,
    "bonuses": 6,
    "rows": 20,
    "choices": 20,
}
MOST_CENTS: Final = 100_000_000
_WORDS: Final = 200
_SEGMENT: Final = r"[a-zà-öø-ÿœ][a-zà-öø-ÿœ0-9'\-]*(?: [a-zà-öø-ÿœ0-9'\-]+)*"
_VARIABLE: Final = re.compile(rf"{_SEGMENT}(?: \. {_SEGMENT}){{0,4}}", re.IGNORECASE)
_RESERVED: Final = frozenset(("oui", "non"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is missing or does not hold together; `where` is a path into the form
    (`questions.2`, `lines.0.when.1`), `code` what is wrong, `what` the word at fault."""

    where: str
    code: str
    what: str = ""


def is_variable(name: str) -> bool:
    """True for a name the rule language reads as one name."""
    return len(name) <= 120 and bool(_VARIABLE.fullmatch(name)) and name not in _RESERVED


def faults_of(form: RuleForm) -> tuple[Fault, ...]:
    """Everything that keeps a form from being compiled; none: it compiles."""
    found: list[Fault] = []
    if not 3 <= len(form.title) <= _WORDS:
        found.append(Fault("title", "title"))
    if not is_variable(form.rule):
        found.append(Fault("rule", "name", form.rule))
    found += _questions(form)
    if len(form.conditions) > LIMITS["groups"]:
        found.append(Fault("conditions", "too-many"))
    found += _conditions(form, form.conditions, "conditions")
    if not form.lines:
        found.append(Fault("lines", "no-amount"))
    for name, lines in (("lines", form.lines), ("bonuses", form.bonuses)):
        if len(lines) > LIMITS[name]:
            found.append(Fault(name, "too-many"))
        for number, line in enumerate(lines):
            where = f"{name}.{number}"
            found += _conditions(form, line.when, where)
            found += _gift(form, line.gift, where)
            if name == "lines" and not line.when and number != len(lines) - 1:
                found.append(Fault(where, "never-reached"))
    found += _bounds(form)
    return tuple(found)


def _questions(form: RuleForm) -> list[Fault]:
    found: list[Fault] = []
    names = [q.variable for q in form.questions]
    taken = {form.rule, BASE, *(f"{BONUS} {n + 1}" for n in range(LIMITS["bonuses"]))}
    if len(names) > LIMITS["questions"]:
        found.append(Fault("questions", "too-many"))
    for number, asked in enumerate(form.questions):
        where = f"questions.{number}"
        parents = {n for n in names if asked.variable.startswith(f"{n} . ")}
        if not is_variable(asked.variable) or asked.variable in taken:
            found.append(Fault(where, "name", asked.variable))
        elif names.count(asked.variable) > 1:
            found.append(Fault(where, "twice", asked.title))
        elif parents or asked.variable.startswith(f"{form.rule} . "):
            # a yes/no parent switches its children off: nothing the form means to say
            found.append(Fault(where, "name", asked.variable))
        if not 2 <= len(asked.title) <= _WORDS or not 2 <= len(asked.question) <= 2 * _WORDS:
            found.append(Fault(where, "words", asked.title))
        if asked.unit not in UNITS or (asked.unit and asked.kind is not QuestionKind.NUMBER):
            found.append(Fault(where, "unit", asked.unit))
        is_choice = asked.kind is QuestionKind.CHOICE
        if is_choice and not _are_choices(asked.choices):
            found.append(Fault(where, "choices", asked.title))
        if not is_choice and asked.choices:
            found.append(Fault(where, "choices", asked.title))
    return found


def _are_choices(choices: tuple[str, ...]) -> bool:
    return (
        2 <= len(choices) <= LIMITS["choices"]
        and len(set(choices)) == len(choices)
        and all(
            1 <= len(c) <= 80 and c == " ".join(c.split()) and '"' not in c and c.isprintable()
            and not c.startswith("'") and not c.endswith("'")
            for c in choices
        )
    )  # fmt: skip


def _conditions(form: RuleForm, conditions: Conditions, where: str) -> list[Fault]:
    found: list[Fault] = []
    for group in conditions:
        if not group or len(group) > LIMITS["atoms"]:
            found.append(Fault(where, "too-many"))
        for atom in group:
            asked = form.question(atom.variable)
            if asked is None:
                found.append(Fault(where, "unknown-question", atom.variable))
                continue
            if atom.operator not in OPERATORS[asked.kind]:
                found.append(Fault(where, "operator", asked.title))
            elif not _fits(asked, atom.value):
                found.append(Fault(where, "value", asked.title))
    return found


def _fits(asked: Question, value: Decimal | bool | str) -> bool:
    match asked.kind:
        case QuestionKind.NUMBER:
            return isinstance(value, Decimal) and _is_plain(value)
        case QuestionKind.YES_NO:
            return isinstance(value, bool)
        case QuestionKind.CHOICE:
            return isinstance(value, str) and value in asked.choices
        case QuestionKind.TEXT:
            return False


def _is_plain(value: Decimal) -> bool:
    """Nine digits and two decimals at most, not negative."""
    if not value.is_finite() or not 0 <= value < 1_000_000_000:
        return False
    return value == value.quantize(Decimal("0.01"))


def _is_money(value: int | None, least: int = 1) -> bool:
    return type(value) is int and least <= value <= MOST_CENTS


def _is_percent(value: Decimal | None) -> bool:
    return value is not None and _is_plain(value) and 0 < value <= 100


def _of(form: RuleForm, variable: str, units: frozenset[str] | None) -> bool:
    asked = form.question(variable)
    return (
        asked is not None
        and asked.kind is QuestionKind.NUMBER
        and (units is None or asked.unit in units)
    )


def _gift(form: RuleForm, gift: Gift, where: str) -> list[Fault]:
    """What is missing of one amount; a figure another kind would use counts as a fault too."""
    used: dict[GiftKind, frozenset[str]] = {
        GiftKind.FIXED: frozenset(("amount",)),
        GiftKind.SHARE: frozenset(("percent", "variable", "cap")),
        GiftKind.PER_UNIT: frozenset(("amount", "variable", "cap")),
        GiftKind.TABLE: frozenset(("variable", "rows")),
    }
    found = [
        Fault(where, "surplus", name)
        for name in ("amount", "percent", "variable", "cap", "rows")
        if name not in used[gift.kind] and getattr(gift, name) not in (None, "", ())
    ]
    if "cap" in used[gift.kind] and gift.cap is not None and not _is_money(gift.cap):
        found.append(Fault(where, "cap"))
    match gift.kind:
        case GiftKind.FIXED:
            if not _is_money(gift.amount, 0):
                found.append(Fault(where, "amount"))
        case GiftKind.SHARE:
            if not _is_percent(gift.percent):
                found.append(Fault(where, "percent"))
            if not _of(form, gift.variable, frozenset(("€",))):
                found.append(Fault(where, "price"))
        case GiftKind.PER_UNIT:
            if not _is_money(gift.amount):
                found.append(Fault(where, "amount"))
            if not _of(form, gift.variable, GIFT_UNITS):
                found.append(Fault(where, "piece"))
        case GiftKind.TABLE:
            if not _of(form, gift.variable, None):
                found.append(Fault(where, "piece"))
            if not _are_rows(gift.rows):
                found.append(Fault(where, "rows"))
    return found


def _are_rows(rows: tuple[tuple[Decimal | None, Cents], ...]) -> bool:
    if not 2 <= len(rows) <= LIMITS["rows"] or rows[-1][0] is not None:
        return False
    limits = [limit for limit, _ in rows[:-1]]
    return (
        all(limit is not None and _is_plain(limit) for limit in limits)
        and all(a < b for a, b in itertools.pairwise(limits) if a is not None and b)
        and all(_is_money(amount, 0) for _, amount in rows)
        and any(amount for _, amount in rows)
    )


def _bounds(form: RuleForm) -> list[Fault]:
    found: list[Fault] = []
    for name in ("ceiling", "floor"):
        value = getattr(form, name)
        if value is not None and not _is_money(value):
            found.append(Fault(name, "amount"))
    if form.ceiling is not None and form.floor is not None and form.floor > form.ceiling:
        found.append(Fault("floor", "above-ceiling"))
    if form.share_ceiling is not None:
        percent, variable = form.share_ceiling
        if not _is_percent(percent) or not _of(form, variable, frozenset(("€",))):
            found.append(Fault("share_ceiling", "price"))
    return found
