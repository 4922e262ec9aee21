"""« Jusqu'à … »: the most an aid can give, said without knowing the person.

Two steps, neither of which guesses. (1) An upper bound: the rule is read with every answer unknown,
each node giving the interval its value lies in (abstract interpretation; P. Cousot and
R. Cousot, POPL 1977). (2) A made-up person for whom the engine gives that very amount, found by
changing one answer at a time. Without (1) nothing is said; with (1) alone the amount is a bound
(« au plus »); with both it is reached (« jusqu'à »).

What is known of the place is taken as known: a rule may give more in one commune than in another.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.aids.errors import AidError
from federation.aids.publicodes import UNDEFINED, Engine, Value
from federation.aids.publicodes.amounts import Duration, InUnit, Rounded, Simplified, Table
from federation.aids.publicodes.conditions import (
    AllOf,
    AnyOf,
    If,
    IsNotApplicable,
    Op,
    Variations,
)
from federation.aids.publicodes.nodes import Const, Defaulted, Node, Ref, Rule, Situated
from federation.aids.rule_units import (
    PERCENT,
    Unit,
    convert,
    divide,
    multiply,
    simplify,
    to_cents,
)
from schemas.units import Cents

__all__ = ["MAX_TRIES", "Ceiling", "ceiling_of"]

MAX_TRIES: Final = 400
"""Evaluations spent on one aid looking for a person who reaches the bound."""
_MAX_VALUES: Final = 24
_MAX_DEPTH: Final = 60
_ROUNDS: Final = 3
_MAX_AMOUNT: Final = 1_000_000.0
"""Euros: above, a bound says nothing to anybody."""
_LARGE: Final = 1_000_000.0
_PERIODS: Final = ("an", "mois")
_NUMBER: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most a rule gives. `per`: `an`, `mois`, or empty when it is due once."""

    amount: Cents
    per: str
    is_reached: bool
    """The engine gives it to a made-up person; else it is only never exceeded."""
    example: Mapping[str, bool | float | str]
    """That person's answers; empty when none was found."""


@dataclass(frozen=True, slots=True)
class _May:
    """Every value a node may have: an interval, and what is no number."""

    low: float = math.nan
    high: float = math.nan
    unit: Unit | None = None
    others: frozenset[bool | str | None] = frozenset()
    any_text: bool = False

    @property
    def has_number(self) -> bool:
        return not math.isnan(self.high)

    @property
    def may_be_true(self) -> bool:
        return True in self.others

    @property
    def may_be_off(self) -> bool:
        return False in self.others or None in self.others

    @property
    def may_be_absent(self) -> bool:
        return None in self.others

    def number(self, low: float, high: float, unit: Unit | None) -> "_May":
        return _May(low, high, unit, self.others, self.any_text)


_BOTH: Final = _May(others=frozenset((True, False)))
_TRUE: Final = _May(others=frozenset((True,)))
_FALSE: Final = _May(others=frozenset((False,)))
_ABSENT: Final = _May(others=frozenset((None,)))
_ANYTHING: Final = _May(-math.inf, math.inf, None, frozenset((True, False, None)), True)
_NOTHING: Final = _May()


def _join(left: _May, right: _May) -> _May:
    others, text = left.others | right.others, left.any_text or right.any_text
    if not right.has_number:
        return _May(left.low, left.high, left.unit, others, text)
    if not left.has_number:
        return _May(right.low, right.high, right.unit, others, text)
    low, high = _in(right, left.unit)
    unit = left.unit or right.unit
    return _May(min(left.low, low), max(left.high, high), unit, others, text)


def _in(value: _May, unit: Unit | None) -> tuple[float, float]:
    """The interval in that unit; as it stands where the two measure different things (the imported
    bicycle model compares the bare numbers, and so does the engine there)."""
    if unit is None or value.unit is None:
        return value.low, value.high
    try:
        return _converted(value.low, value.unit, unit), _converted(value.high, value.unit, unit)
    except ValueError:
        return value.low, value.high


def _converted(number: float, source: Unit, target: Unit) -> float:
    return number if math.isinf(number) else convert(number, source, target)


class _Reader:
    """One rule of one engine read with some answers known and all others unknown."""

    def __init__(
        self, engine: Engine, known: Mapping[str, Value], units: Mapping[str, Unit | None]
    ):
        self._engine = engine
        self._known = known
        self._units = units
        self._found: dict[int, _May] = {}
        self._open: set[int] = set()

    def read(self, node: Node) -> _May:
        key = id(node)
        found = self._found.get(key)
        if found is not None:
            return found
        if key in self._open or len(self._open) > _MAX_DEPTH * 20:
            return _ANYTHING
        self._open.add(key)
        result = self._read(node)
        self._open.discard(key)
        self._found[key] = result
        return result

    def _read(self, node: Node) -> _May:
        match node:
            case Const():
                return _constant(node.result.value, node.result.unit)
            case Ref():
                return _ANYTHING if node.rule is None else self.read(node.rule)
            case Rule():
                return self._rule(node)
            case Situated():
                return self._situated(node)
            case Defaulted():
                return self.read(node.inner)
            case If():
                return self._if(node)
            case Variations():
                return self._variations(node)
            case AllOf():
                found = [self.read(item) for item in node.items]
                return _logic(found, decides_when_off=True)
            case AnyOf():
                found = [self.read(item) for item in node.items]
                return _logic(found, decides_when_off=False)
            case IsNotApplicable():
                inner = self.read(node.inner)
                if not inner.may_be_absent:
                    return _FALSE
                return _TRUE if inner == _ABSENT else _BOTH
            case Op():
                return self._operation(node)
            case InUnit():
                inner = self.read(node.inner)
                low, high = _in(inner, node.unit)
                return inner.number(low, high, node.unit)
            case Simplified():
                return _simplified(self.read(node.inner))
            case Rounded():
                inner = _simplified(self.read(node.inner))
                if self.read(node.digits) == _FALSE:
                    return inner
                return inner.number(_rounded(inner.low), _rounded(inner.high), inner.unit)
            case Table():
                return self._table(node)
            case Duration():
                return _May(0.0, math.inf, node.unit, frozenset((None,)))
            case _:
                return _BOTH

    def _rule(self, rule: Rule) -> _May:
        found = self.read(rule.body)
        for test in rule.tests:
            off = self.read(test)
            if off == _TRUE:
                return _ABSENT
            if off.may_be_true:
                found = _join(found, _ABSENT)
        return found

    def _situated(self, node: Situated) -> _May:
        if node.name in self._known:
            return _constant(self._known[node.name], self._units.get(node.name))
        inner = self.read(node.inner)
        info = self._engine.info(node.name)
        if "question" not in info.metadata and not info.choices and inner != _NOTHING:
            return inner
        if info.choices:
            return _join(inner, _May(others=frozenset(info.choices)))
        if info.kind == "boolean":
            return _join(inner, _BOTH)
        if info.kind == "number":
            unit = Unit.parse(info.unit) if info.unit else None
            return _join(_May(0.0, math.inf, unit), inner)
        return _May(inner.low, inner.high, inner.unit, inner.others, any_text=True)

    def _if(self, node: If) -> _May:
        if node.mechanism in ("plafond", "plancher"):
            return self._bounded(node)
        test, found = self.read(node.test), _NOTHING
        if test.may_be_true or test == _NOTHING:
            found = _join(found, self.read(node.yes))
        if False in test.others or test == _NOTHING:
            found = _join(found, self.read(node.no))
        return _join(found, _ABSENT) if test.may_be_absent else found

    def _bounded(self, node: If) -> _May:
        value, bound = self.read(node.no), self.read(node.yes)
        if not value.has_number or not bound.has_number:
            return _join(value, bound) if bound.has_number else value
        low, high = _in(bound, value.unit)
        unit = value.unit or bound.unit
        if node.mechanism == "plafond":
            kept = value.number(min(value.low, low), min(value.high, high), unit)
        else:
            kept = value.number(max(value.low, low), max(value.high, high), unit)
        return _join(kept, value) if bound.may_be_off else kept

    def _variations(self, node: Variations) -> _May:
        found = _NOTHING
        for test, gives in node.branches:
            condition = self.read(test)
            is_off = condition.others and not condition.may_be_true
            if is_off and not condition.any_text and not condition.has_number:
                continue
            found = _join(found, self.read(gives))
            if condition == _TRUE:
                return found
        return _join(found, _ABSENT)

    def _table(self, node: Table) -> _May:
        base = self.read(node.base)
        gives = [self.read(line.gives) for line in node.tranches]
        if not node.marginal:
            found = _NOTHING
            for amount in gives:
                found = _join(found, amount)
            return found
        rate = max((_in(g, Unit(()))[1] for g in gives if g.has_number), default=0.0)
        return base.number(0.0, _times(max(base.high, 0.0), max(rate, 0.0)), base.unit)

    def _operation(self, node: Op) -> _May:
        left, right, operator = self.read(node.left), self.read(node.right), node.operator
        if operator in ("=", "!="):
            return _equality(left, right, negated=operator == "!=")
        absent = frozenset((None,)) if left.may_be_absent or right.may_be_absent else frozenset()
        if operator in ("<", "<=", ">", ">="):
            return _May(others=_compared(operator, left, right) | absent)
        if not left.has_number and operator != "+":
            return _May(others=absent) if absent else _ANYTHING
        if operator in ("*", "/"):
            return _scaled(operator, left, right, absent)
        by_percent = right.unit == PERCENT and left.unit != PERCENT
        if by_percent:
            sign = -1 if operator == "-" else 1
            ends = [
                _times(a, 1 + sign * b / 100)
                for a in (left.low, left.high)
                for b in (right.low, right.high)
            ]
            return _May(min(ends), max(ends), left.unit, absent if operator == "-" else frozenset())
        unit = left.unit or right.unit
        low, high = _in(right, unit)
        a, b = _with_nothing(left.low, left.high, left), _with_nothing(low, high, right)
        if operator == "-":
            b = (-b[1], -b[0])
        none = absent if operator == "-" and left.may_be_absent else frozenset()
        return _May(a[0] + b[0], a[1] + b[1], unit, none)


def _rounded(number: float) -> float:
    """To the unit, or what no rounding to more digits exceeds."""
    return math.ceil(number) if math.isfinite(number) else number


def _with_nothing(low: float, high: float, value: _May) -> tuple[float, float]:
    """In a sum, what does not apply counts as nothing."""
    if math.isnan(high):
        return 0.0, 0.0
    return (min(low, 0.0), max(high, 0.0)) if value.may_be_absent else (low, high)


def _times(a: float, b: float) -> float:
    return 0.0 if 0 in (a, b) else a * b


def _scaled(operator: str, left: _May, right: _May, absent: frozenset[Any]) -> _May:
    unit = (multiply if operator == "*" else divide)(left.unit, right.unit)
    if not right.has_number:
        return _May(others=absent) if absent else _ANYTHING
    if operator == "/":
        if right.low <= 0 <= right.high:
            return _May(-math.inf, math.inf, unit, absent)
        right = right.number(1 / right.high, 1 / right.low, right.unit)
    ends = [_times(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = min(ends), max(ends)
    if operator == "*" and unit is not None and "%" in unit.numerators:
        low, high, unit = low / 100, high / 100, multiply(unit, Unit((), ("%",)))
    return _May(low, high, unit, absent)


def _constant(value: Value, unit: Unit | None) -> _May:
    if value is UNDEFINED:
        return _NOTHING
    if isinstance(value, float):
        return _May(value, value, unit)
    return _May(others=frozenset((value,)))


def _simplified(value: _May) -> _May:
    if value.unit is None or not value.has_number:
        return value
    unit = simplify(value.unit)
    return value.number(*_in(value, unit), unit)


def _logic(found: Iterable[_May], *, decides_when_off: bool) -> _May:
    """« toutes » (one that is off decides) and « une de » (one that is true does)."""
    could = False
    for item in found:
        unknown = item == _NOTHING or item.any_text
        deciding = item.may_be_off if decides_when_off else item.may_be_true
        other = item.may_be_true if decides_when_off else item.may_be_off
        if deciding and not other and not unknown and not item.has_number:
            return _FALSE if decides_when_off else _TRUE
        could = could or deciding or unknown
    if could:
        return _BOTH
    return _TRUE if decides_when_off else _FALSE


def _equality(left: _May, right: _May, *, negated: bool) -> _May:
    a = frozenset(False if o is None else o for o in left.others)
    b = frozenset(False if o is None else o for o in right.others)
    unknown = _NOTHING in (left, right)
    texts = (left.any_text and (right.any_text or any(isinstance(o, str) for o in b))) or (
        right.any_text and any(isinstance(o, str) for o in a)
    )
    numbers = False
    if left.has_number and right.has_number:
        low, high = _in(right, left.unit)
        numbers = low <= left.high and left.low <= high
    may_equal = unknown or texts or numbers or bool(a & b)
    single = not unknown and not left.any_text and not right.any_text
    single = single and len(a) == len(b) == 1 and not left.has_number and not right.has_number
    fixed = left.has_number and right.has_number and not a and not b
    fixed = fixed and left.low == left.high == right.low == right.high and left.unit == right.unit
    must_equal = (single and a == b) or (fixed and not left.any_text and not right.any_text)
    if must_equal:
        return _FALSE if negated else _TRUE
    if not may_equal:
        return _TRUE if negated else _FALSE
    return _BOTH


def _compared(operator: str, left: _May, right: _May) -> frozenset[bool | str | None]:
    both: frozenset[bool | str | None] = frozenset((True, False))
    if not left.has_number or not right.has_number or left.any_text or right.any_text:
        return both
    low, high = _in(right, left.unit)
    always = {
        "<": left.high < low, "<=": left.high <= low, ">": left.low > high, ">=": left.low >= high,
    }  # fmt: skip
    never = {
        "<": left.low >= high, "<=": left.low > high, ">": left.high <= low, ">=": left.high < low,
    }  # fmt: skip
    if always[operator]:
        return frozenset((True,))
    return frozenset((False,)) if never[operator] else both


def ceiling_of(
    engine: Engine, rule: str, known: Mapping[str, bool | float | str]
) -> Ceiling | None:
    """The most `rule` gives when `known` holds (what is known of a place, dated figures).

    None: it gives no amount (a loan, a service, prose), or nothing bounds it.
    """
    given = engine._given({name: value for name, value in known.items() if name in engine})
    reader = _Reader(
        engine,
        {name: result.value for name, result in given.items()},
        {name: result.unit for name, result in given.items()},
    )
    found = reader.read(engine._entries.get(rule, engine._rules[rule]))
    if not found.has_number or not 0 < found.high <= _MAX_AMOUNT:
        return None
    bound = to_cents(found.high, found.unit)
    per = "".join(found.unit.denominators) if found.unit else ""
    best, example = _search(engine, rule, dict(known), int(bound))
    per = per if per in _PERIODS else ""
    return Ceiling(bound, per, best == bound, example if best == bound else {})


def _search(
    engine: Engine, rule: str, known: dict[str, bool | float | str], bound: int
) -> tuple[int, dict[str, bool | float | str]]:
    """(the largest amount found, the answers that give it): one answer is changed at a time, the
    best kept, until the bound is reached or the tries are spent."""
    figures = _figures(engine, rule)
    tries = 0
    answers: dict[str, bool | float | str] = {}

    def value(trial: Mapping[str, bool | float | str]) -> tuple[int, list[str]]:
        nonlocal tries
        tries += 1
        try:
            found = engine.evaluate(rule, {**known, **trial})
        except AidError:
            return 0, []
        amount = 0
        if isinstance(found.value, float):
            amount = int(to_cents(found.value, found.unit))
        return amount, [name for name in found.missing if name not in known]

    best, asked = value(answers)
    asked = list(dict.fromkeys(asked))
    for _ in range(_ROUNDS):
        position = 0
        before = best
        while position < len(asked):
            name, position = asked[position], position + 1
            kept = answers.get(name)
            chosen: tuple[int, int] | None = None
            for candidate in _candidates(engine, name, figures):
                if tries >= MAX_TRIES:
                    return best, answers
                amount, missing = value({**answers, name: candidate})
                # an answer that asks for more gets further than one that stops everything
                score = (amount, len(missing))
                if chosen is None or score > chosen:
                    chosen, kept = score, candidate
                if amount >= bound:
                    return amount, {**answers, name: candidate}
                asked += [one for one in missing if one not in asked]
            if chosen is not None and chosen[0] >= best and kept is not None:
                answers[name] = kept
                best = max(best, chosen[0])
        if best == before and best:
            break
    return best, answers


def _figures(engine: Engine, rule: str) -> tuple[float, ...]:
    """Figures written in the rule and what it rests on: where an amount may change."""
    found: dict[float, None] = {}
    for text in _texts(engine.reading(rule)):
        for number in _NUMBER.findall(text):
            found[float(number)] = None
    return tuple(sorted(found))[:_MAX_VALUES]


def _texts(part: Any) -> Iterable[str]:
    if isinstance(part, bool):
        return
    if isinstance(part, str | int | float):
        yield str(part)
    elif isinstance(part, Mapping):
        for inner in part.values():
            yield from _texts(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _texts(inner)


def _candidates(
    engine: Engine, name: str, figures: tuple[float, ...]
) -> Iterable[bool | float | str]:
    info = engine.info(name)
    if info.choices:
        return [f"'{choice}'" for choice in info.choices]
    if info.kind == "boolean":
        return [True, False]
    if info.kind == "number":
        unit = f" {info.unit}" if info.unit else ""
        return [f"{number:.15g}{unit}" for number in (_LARGE, 0.0, 1.0, *figures)]
    return []
