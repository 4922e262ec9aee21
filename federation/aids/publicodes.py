"""A native interpreter of the documented subset of Publicodes (see README.md of this package).

`Engine(rules)` compiles once and is immutable: threads share it. `evaluate` gives one of three
states (a value, not applicable, undefined), exactly the missing answers, and a trace that reads as
sentences. Unknown keys and mechanisms are refused at import with their place; every evaluation is
bounded in steps and depth.

Semantics (three states, lazy operators, order of chained mechanisms, replacement order, nullable
parents) follow publicodes 1.10.3, © Publicodes contributors, MIT licence; the code is our own.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from federation.aids.dates import DURATION_UNITS, elapsed, read_day
from federation.aids.errors import RuleBudgetError, RuleEvaluationError, RuleImportError
from federation.aids.expression import Binary, Literal, Name, Syntax, parse_expression
from federation.aids.rule_units import (
    NO_UNIT,
    PERCENT,
    Unit,
    convert,
    divide,
    is_convertible,
    multiply,
)
from federation.aids.rule_units import simplify as simplify_unit

__all__ = [
    "MECHANISMS",
    "UNDEFINED",
    "Engine",
    "Evaluation",
    "RuleInfo",
    "Session",
    "Step",
    "Undefined",
]

MAX_RULES: Final = 5_000
MAX_NODES: Final = 250_000
"""Nodes of one model; the national bike model (447 rules) has about 12 000."""
MAX_DEPTH: Final = 24
"""Nesting of mechanisms inside one rule; the bike model needs 9."""
MAX_ITEMS: Final = 500
"""Items of one list or table."""
MAX_STEPS: Final = 100_000
"""Node evaluations of one question; all aids of the bike model together take about 30 000."""
MAX_RULE_DEPTH: Final = 40
"""Rules calling rules during one evaluation; the bike model needs 14."""

MECHANISMS: Final = (
    "valeur",
    "variations",
    "si",
    "alors",
    "sinon",
    "toutes ces conditions",
    "une de ces conditions",
    "applicable si",
    "non applicable si",
    "est non applicable",
    "remplace",
    "par défaut",
    "plafond",
    "plancher",
    "abattement",
    "arrondi",
    "unité",
    "somme",
    "produit",
    "une possibilité",
    "barème",
    "grille",
    "le maximum de",
    "le minimum de",
    "durée",
)
_METADATA: Final = frozenset(
    (
        "titre",
        "titre en",
        "description",
        "question",
        "question en",
        "note",
        "lien",
        "références",
        "type",
        "dernière mise à jour",
        "date de fin",
        "expérimental",
    )
)
# Outermost first: what stands higher is applied last.
_CHAINED: Final = (
    "applicable si",
    "non applicable si",
    "arrondi",
    "unité",
    "plancher",
    "plafond",
    "par défaut",
    "abattement",
)
_PLAIN: Final = (
    "valeur",
    "variations",
    "toutes ces conditions",
    "une de ces conditions",
    "est non applicable",
    "somme",
    "produit",
    "barème",
    "grille",
    "le maximum de",
    "le minimum de",
    "durée",
)
_TYPES: Final = {
    "nombre": "number",
    "entier": "number",
    "texte": "string",
    "string": "string",
    "date": "date",
    "booléen": "boolean",
    "boolean": "boolean",
}


class Undefined(Enum):
    """The third state: neither a value nor « non applicable »."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED

Value = bool | float | str | None | Undefined
"""None is « non applicable »."""
Missing = dict[str, int]


@dataclass(slots=True)
class Result:
    """Value of one node, its unit, and the questions it still depends on with their weight.

    Nobody changes one; it is not `frozen` because a frozen one takes three times as long to make.
    """

    value: Value
    unit: Unit | None = None
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the trace. `kind`: condition, exception, parent, branch, cap, floor, amount."""

    kind: str
    rule: str
    passed: bool | None
    words: Mapping[str, str]
    subject: str = ""
    """Name of the rule that was compared or read."""
    operator: str = ""
    have: Value = None
    have_unit: Unit | None = None
    need: Value = None
    need_unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the engine found.

    `value` None means not applicable, `UNDEFINED` that answers are missing. `missing` is ordered,
    most useful question first.
    """

    value: Value
    unit: Unit | None
    missing: Mapping[str, int]
    trace: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a form needs to ask for a rule's value."""

    name: str
    title: str
    title_en: str
    question: str
    question_en: str
    kind: str
    choices: tuple[str, ...]
    unit: str
    metadata: Mapping[str, Any]


# Only what a published model says is remembered: an answer may be an income.
_of_a_model = lru_cache(maxsize=8_192)(parse_expression)


def _merge(left: Mapping[str, int], right: Mapping[str, int]) -> Mapping[str, int]:
    if not left:
        return right
    if not right:
        return left
    merged = dict(left)
    for name, weight in right.items():
        merged[name] = merged.get(name, 0) + weight
    return merged


def _bonus(missing: Mapping[str, int]) -> Mapping[str, int]:
    return {name: weight + 1 for name, weight in missing.items()} if missing else missing


def _off(value: Value) -> bool:
    return value is None or value is False


@dataclass(slots=True)
class _Environment:
    """One evaluation: the situation, the cache, and what has been spent."""

    situation: Mapping[str, Result]
    cache: dict[int, Result] = field(default_factory=dict)
    lenient: bool = False
    steps: int = 0
    rules: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    def evaluate(self, node: "_Node") -> Result:
        """The node's result, computed once. A reference is its rule, and is never kept itself."""
        kind = node.__class__
        if kind is _Const:
            return node.result  # type: ignore[attr-defined, no-any-return]
        if kind is _Ref:
            node = node.rule  # type: ignore[attr-defined]  # linked at import
        key = id(node)
        found = self.cache.get(key)
        if found is not None:
            return found
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise RuleBudgetError(self.where, f"more than {MAX_STEPS} steps")
        result = self.cache[key] = node.compute(self)
        return result

    def known(self, node: "_Node") -> Result | None:
        """What was found for a node; None when this evaluation did not need it."""
        if isinstance(node, _Const):
            return node.result
        return self.cache.get(id(node.rule if isinstance(node, _Ref) else node))

    def begin(self) -> None:
        """A new question: its own steps, and no rule half way (an error may have left some)."""
        self.steps = 0
        if self.rules:
            self.rules.clear()
        if self.parents:
            self.parents.clear()

    def spend(self) -> None:
        """Count one step.

        Raises:
            RuleBudgetError: more than `MAX_STEPS`.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise RuleBudgetError(self.where, f"more than {MAX_STEPS} steps")

    def mismatch(self, error: ValueError) -> None:
        """Units that measure different things: an error, or upstream's bare numbers."""
        if not self.lenient:
            raise RuleEvaluationError(self.where, str(error)) from error

    @property
    def where(self) -> str:
        return self.rules[-1] if self.rules else "?"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Inferred type: may it be « non applicable », and what it holds."""

    nullable: bool | None = None
    type: str | None = None


class _Node:
    """A compiled node. Identity is the cache key."""

    __slots__ = ()

    def compute(self, env: _Environment) -> Result:
        """Evaluate against `env`."""
        raise NotImplementedError

    def infer(self, of: Callable[["_Node"], _Kind]) -> _Kind:
        """Static type."""
        raise NotImplementedError

    @property
    def static_unit(self) -> Unit | None:
        """Unit written on the node itself."""
        return None


class _Const(_Node):
    __slots__ = ("result", "type")

    def __init__(self, value: Value, unit: Unit | None = None) -> None:
        self.result = Result(value, unit)
        self.type = (
            "boolean"
            if isinstance(value, bool)
            else "number"
            if isinstance(value, float)
            else "string"
            if isinstance(value, str)
            else None
        )

    def compute(self, env: _Environment) -> Result:  # noqa: ARG002 - a constant needs nothing
        return self.result

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:  # noqa: ARG002 - same
        return _Kind(self.result.value is None, self.type)

    @property
    def static_unit(self) -> Unit | None:
        return self.result.unit


_TRUE: Final = Result(True)
_FALSE: Final = Result(False)
"""Answers of a comparison that depends on no question."""
_YES: Final = _Const(True)
_NO: Final = _Const(False)
_NOT_APPLICABLE: Final = _Const(None)
_NOTHING: Final = _Const(UNDEFINED)


class _Ref(_Node):
    __slots__ = ("context", "name", "rule")

    def __init__(self, name: str, context: str) -> None:
        self.name = name
        self.context = context
        self.rule: _Rule | None = None

    def compute(self, env: _Environment) -> Result:
        assert self.rule is not None  # noqa: S101 - linked at import
        return env.evaluate(self.rule)

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        return of(self.rule) if self.rule is not None else _Kind()


def _number(env: _Environment, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleEvaluationError(env.where, "a number is expected")
    return float(value)


_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_NULL_STOPS_LEFT: Final = frozenset(("<", ">", "<=", ">=", "/", "*", "-"))
_NULL_STOPS_RIGHT: Final = frozenset(("<", ">", "<=", ">=", "/", "*"))


class _Op(_Node):
    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: _Node, right: _Node) -> None:
        self.operator = operator
        self.left = left
        self.right = right

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        left, right = of(self.left), of(self.right)
        nullable: bool | None = False
        if self.operator in _NULL_STOPS_RIGHT:
            nullable = left.nullable or right.nullable
        elif self.operator == "-":
            nullable = left.nullable
        compares = self.operator in _COMPARE or self.operator in ("=", "!=")
        return _Kind(nullable, "boolean" if compares else "number")

    def compute(self, env: _Environment) -> Result:
        operator = self.operator
        left = env.evaluate(self.left)
        if operator == "=" and left.value.__class__ is str:
            # nine comparisons in ten of a real model: a text, which has no unit
            right = env.evaluate(self.right)
            same = right.value.__class__ is str and left.value == right.value
            if not left.missing and not right.missing and right.value is not UNDEFINED:
                return _TRUE if same else _FALSE
            missing = _merge(left.missing, right.missing)
            if right.value is UNDEFINED:
                return Result(UNDEFINED, None, missing)
            return Result(same, None, missing)
        if (left.value is None and operator in _NULL_STOPS_LEFT) or (
            _is_zero(left.value) and operator in ("*", "/")
        ):
            return Result(left.value, None, left.missing)
        right = env.evaluate(self.right)
        if operator == "/" and _is_zero(right.value):
            raise RuleEvaluationError(env.where, "division by zero")
        if (right.value is None and operator in _NULL_STOPS_RIGHT) or (
            operator == "*" and _is_zero(right.value)
        ):
            return Result(right.value, None, right.missing)
        missing = _merge(left.missing, right.missing)
        a, b = left.value, right.value
        unit_a, unit_b = left.unit, right.unit
        undefined = a is UNDEFINED or b is UNDEFINED
        by_percent = operator in "+-" and unit_b == PERCENT and unit_a != PERCENT
        if not undefined and operator not in ("*", "/") and not by_percent:
            try:
                if unit_a is not None:
                    if isinstance(b, float):
                        b = convert(b, unit_b, unit_a)
                elif unit_b is not None and isinstance(a, float):
                    a = convert(a, None, unit_b)
            except ValueError as error:
                env.mismatch(error)
        if operator in ("=", "!="):
            if undefined:
                return Result(UNDEFINED, None, missing)
            same = _same(False if a is None else a, False if b is None else b)
            return Result(same if operator == "=" else not same, None, missing)
        if operator in _COMPARE:
            if undefined:
                return Result(UNDEFINED, None, missing)
            if (day := read_day(a)) is not None and (other := read_day(b)) is not None:
                a, b = float(day.toordinal()), float(other.toordinal())
            return Result(_COMPARE[operator](_number(env, a), _number(env, b)), None, missing)
        return self._arithmetic(env, Result(a, unit_a), Result(b, unit_b), missing, by_percent)

    def _arithmetic(
        self,
        env: _Environment,
        left: Result,
        right: Result,
        missing: Mapping[str, int],
        by_percent: bool,
    ) -> Result:
        a, b, unit_a, unit_b = left.value, right.value, left.unit, right.unit
        undefined = a is UNDEFINED or b is UNDEFINED
        operator = self.operator
        if operator in ("*", "/"):
            unit = (multiply if operator == "*" else divide)(unit_a, unit_b)
            value: Value = UNDEFINED
            if not undefined:
                x, y = _number(env, a), _number(env, b)
                value = x * y if operator == "*" else x / y
            if operator == "*" and unit is not None and "%" in unit.numerators:
                value = value / 100 if isinstance(value, float) else value
                unit = multiply(unit, Unit((), ("%",)))
            return Result(value, unit, missing)
        # A sum takes what does not apply as nothing.
        x = 0.0 if a is None or a is UNDEFINED else _number(env, a)
        y = 0.0 if b is None or b is UNDEFINED else _number(env, b)
        if by_percent:
            unit = multiply(multiply(unit_a, unit_b), Unit((), ("%",)))
            if undefined:
                return Result(UNDEFINED, unit, missing)
            return Result(x * (1 + (y / 100) * (-1 if operator == "-" else 1)), unit, missing)
        unit = unit_a or unit_b
        if undefined:
            return Result(UNDEFINED, unit, missing)
        return Result(x + y if operator == "+" else x - y, unit, missing)


def _is_zero(value: Value) -> bool:
    return isinstance(value, float) and value == 0


def _same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b


class _All(_Node):
    """« toutes ces conditions »: false wins, and only the item that decided stays to be asked."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[_Node]) -> None:
        self.items = tuple(items)

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        for item in self.items:
            of(item)
        return _Kind(False, "boolean")

    def compute(self, env: _Environment) -> Result:
        value: Value = True
        missing: Mapping[str, int] = {}
        for item in self.items:
            found = env.evaluate(item)
            if found.value is None or found.value is False:
                return Result(False, None, found.missing) if found.missing else _FALSE
            if found.missing:
                missing = _merge(missing, found.missing)
            if value is not UNDEFINED:
                value = found.value
        return Result(value, None, missing)


class _Any(_Node):
    """« une de ces conditions »: true wins, and only the item that decided stays to be asked."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[_Node]) -> None:
        self.items = tuple(items)

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        for item in self.items:
            of(item)
        return _Kind(False, "boolean")

    def compute(self, env: _Environment) -> Result:
        value: Value = False
        missing: Mapping[str, int] = {}
        for item in self.items:
            found = env.evaluate(item)
            if found.value is True:
                return Result(True, None, found.missing)
            missing = _merge(missing, found.missing)
            if found.value is UNDEFINED or value is UNDEFINED:
                value = UNDEFINED
            else:
                value = value or (False if found.value is None else found.value)
        return Result(value, None, missing)


class _If(_Node):
    """A condition with its two ways. `mechanism` names what it was written as, for the trace."""

    __slots__ = ("mechanism", "no", "parameter", "test", "yes")

    def __init__(
        self,
        test: _Node,
        yes: _Node,
        no: _Node,
        *,
        mechanism: str = "",
        parameter: _Node | None = None,
    ) -> None:
        self.test = test
        self.yes = yes
        self.no = no
        self.mechanism = mechanism
        self.parameter = parameter

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        test, yes, no = of(self.test), of(self.yes), of(self.no)
        return _Kind(test.nullable or yes.nullable or no.nullable, yes.type or no.type)

    def compute(self, env: _Environment) -> Result:
        test = env.evaluate(self.test)
        if test.value is True:
            chosen = env.evaluate(self.yes)
            unit = chosen.unit
        elif test.value is False:
            chosen = env.evaluate(self.no)
            unit = chosen.unit or self.yes.static_unit
        elif test.value is None:
            chosen = test
            unit = None
        elif test.value is UNDEFINED:
            no, yes = env.evaluate(self.no), env.evaluate(self.yes)
            chosen = Result(UNDEFINED, None, _merge(no.missing, yes.missing))
            unit = yes.unit
        else:
            raise RuleEvaluationError(env.where, "a condition must be oui or non")
        if not test.missing and unit is chosen.unit:
            return chosen
        return Result(chosen.value, unit, _merge(_bonus(test.missing), chosen.missing))


class _Variations(_Node):
    """First branch whose condition holds. Also how a replaced reference is read."""

    __slots__ = ("branches", "replacement")

    def __init__(
        self, branches: Sequence[tuple[_Node, _Node]], *, replacement: bool = False
    ) -> None:
        self.branches = tuple(branches)
        self.replacement = replacement

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        kinds = [of(consequence) for _, consequence in self.branches]
        nullable = any(kind.nullable for kind in kinds)
        return _Kind(nullable, next((kind.type for kind in kinds if kind.type), None))

    def compute(self, env: _Environment) -> Result:
        value: Value = None
        unit: Unit | None = None
        missing: Mapping[str, int] = {}
        uncertain = False
        for test, consequence in self.branches:
            condition = env.evaluate(test)
            missing = _merge(missing, _bonus(condition.missing))
            if condition.value is UNDEFINED:
                uncertain = True
            elif not uncertain and _off(condition.value):
                continue
            if not _off(condition.value):
                found = env.evaluate(consequence)
                missing = _merge(missing, found.missing)
                result = found.value
                if unit is not None and isinstance(result, float):
                    try:
                        result = convert(result, found.unit, unit)
                    except ValueError as error:
                        env.mismatch(error)
                unit = unit or found.unit
                value = result
            if uncertain:
                value = UNDEFINED
            else:
                break
        return Result(value, unit, missing)


class _IsUndefined(_Node):
    __slots__ = ("inner",)

    def __init__(self, inner: _Node) -> None:
        self.inner = inner

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        of(self.inner)
        return _Kind(False, "boolean")

    def compute(self, env: _Environment) -> Result:
        found = env.evaluate(self.inner)
        return Result(found.value is UNDEFINED, None, found.missing)


class _IsNotApplicable(_Node):
    """Is the inner node « non applicable »? Avoids computing amounts where it can."""

    __slots__ = ("inner", "kinds")

    def __init__(self, inner: _Node, kinds: Mapping[int, _Kind]) -> None:
        self.inner = inner
        self.kinds = kinds

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        of(self.inner)
        return _Kind(False, "boolean")

    def compute(self, env: _Environment) -> Result:
        return _absence(env, self.inner, self.kinds)


def _absence(env: _Environment, inner: _Node, kinds: Mapping[int, _Kind]) -> Result:
    """Is `inner` « non applicable »? Every step is spent; nothing but `inner`'s own parts is
    cached, since the cache is keyed by identity and must only hold nodes of the model."""
    env.spend()
    kind = kinds.get(id(inner))
    if kind is not None and kind.nullable is False and not isinstance(inner, _Ref | _Rule):
        return Result(False)
    known = env.cache.get(id(inner))
    if known is not None:
        return Result(known.value is None, None, known.missing)
    if isinstance(inner, _Rule):
        disabled, missing = inner.disabled(env)
        if disabled:
            return Result(True, None, missing)
        found = _absence(env, inner.body, kinds)
        return Result(found.value, None, _merge(missing, found.missing))
    if isinstance(inner, _Ref):
        assert inner.rule is not None  # noqa: S101 - linked at import
        return _absence(env, inner.rule, kinds)
    if isinstance(inner, _Situated):
        given = env.situation.get(inner.name)
        return _absence(env, inner.inner, kinds) if given is None else Result(given.value is None)
    if isinstance(inner, _If):
        test = env.evaluate(inner.test)
        if test.value is True:
            found = _absence(env, inner.yes, kinds)
        elif test.value is False:
            found = _absence(env, inner.no, kinds)
        elif test.value is None:
            found = test
        elif test.value is UNDEFINED:
            no, yes = _absence(env, inner.no, kinds), _absence(env, inner.yes, kinds)
            found = Result(UNDEFINED, None, _merge(no.missing, yes.missing))
        else:
            raise RuleEvaluationError(env.where, "a condition must be oui or non")
        return Result(found.value, None, _merge(_bonus(test.missing), found.missing))
    found = env.evaluate(inner)
    value: Value = UNDEFINED if found.value is UNDEFINED else found.value is None
    return Result(value, None, found.missing)


@dataclass(frozen=True, slots=True)
class _Tranche:
    """One line of a table: up to `ceiling` (None: without end), a rate or an amount."""

    ceiling: _Node | None
    gives: _Node


@dataclass(slots=True)
class _Band:
    """A line of a table once its bounds are known. `active` None: cannot be said yet."""

    gives: _Node
    floor: float | Undefined = 0.0
    ceiling: float | Undefined = UNDEFINED
    active: bool | None = None
    after: bool | None = None
    missing: Mapping[str, int] = field(default_factory=dict)


class _Table(_Node):
    """« barème » (each part of the base at its rate) and « grille » (the amount of one line)."""

    __slots__ = ("base", "factor", "marginal", "tranches")

    def __init__(
        self, base: _Node, factor: _Node, tranches: Sequence[_Tranche], *, marginal: bool
    ) -> None:
        self.base = base
        self.factor = factor
        self.tranches = tuple(tranches)
        self.marginal = marginal

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        for node in _children(self):
            of(node)
        return _Kind(False, "number")

    def compute(self, env: _Environment) -> Result:
        base, factor = env.evaluate(self.base), env.evaluate(self.factor)
        if _is_zero(factor.value):
            raise RuleEvaluationError(env.where, "the multiplier of a table is zero")
        missing = _merge(base.missing, factor.missing)
        if not self.marginal:
            return self._one_line(env, base, factor, missing)
        if base.value is UNDEFINED or base.value is None or _is_zero(base.value):
            return Result(base.value, base.unit, missing)
        whole = _number(env, base.value)
        total: float | Undefined = 0.0
        for band in self._bands(env, base, factor):
            if band.after:
                continue
            rate = env.evaluate(band.gives)
            missing = _merge(missing, _merge(rate.missing, band.missing))
            if rate.value is UNDEFINED or band.floor is UNDEFINED or band.ceiling is UNDEFINED:
                total = UNDEFINED
            elif total is not UNDEFINED:
                share = convert(_number(env, rate.value), rate.unit, NO_UNIT)
                total += (min(whole, band.ceiling) - band.floor) * share
        return Result(total, base.unit, missing)

    def _one_line(
        self, env: _Environment, base: Result, factor: Result, missing: Mapping[str, int]
    ) -> Result:
        bands = self._bands(env, base, factor)
        active = next((band for band in bands if band.active), None)
        if active is not None:
            amount = env.evaluate(active.gives)
            return Result(amount.value, amount.unit, _merge(missing, amount.missing))
        if bands[-1].after is False:  # above the last line: the table does not say
            return Result(UNDEFINED, None, missing)
        open_bands = [band for band in bands if band.active is None]
        if not open_bands:
            return Result(False, None, missing)
        amounts = [env.evaluate(band.gives) for band in open_bands]
        for band, amount in zip(open_bands, amounts, strict=True):
            missing = _merge(missing, _merge(amount.missing, band.missing))
        return Result(UNDEFINED, amounts[0].unit, missing)

    def _bands(self, env: _Environment, base: Result, factor: Result) -> list[_Band]:
        """Bounds of each line, until the one the base falls into."""
        bands: list[_Band] = []
        whole = base.value if base.value is UNDEFINED else _number(env, base.value or 0.0)
        before: Result = Result(0.0)
        for tranche in self.tranches:
            if bands and bands[-1].active:
                bands += [_Band(t.gives, after=True) for t in self.tranches[len(bands) :]]
                break
            ceiling = Result(math.inf) if tranche.ceiling is None else env.evaluate(tranche.ceiling)
            floor = bands[-1].ceiling if bands else 0.0
            band = _Band(tranche.gives, floor)
            if floor is not UNDEFINED and whole is not UNDEFINED:
                band.after = floor > whole
            parts = (ceiling, base, factor, before)
            if ceiling.value is not UNDEFINED and factor.value is not UNDEFINED:
                band.ceiling = self._ceiling(env, ceiling, factor, base.unit)
            if any(part.value is UNDEFINED for part in parts):
                for part in parts:
                    band.missing = _merge(band.missing, part.missing)
            elif whole is not UNDEFINED and floor is not UNDEFINED:
                assert band.ceiling is not UNDEFINED  # noqa: S101 - its parts are all known
                if floor and band.ceiling <= floor:
                    raise RuleEvaluationError(env.where, "a line of a table ends before it begins")
                band.active = floor <= whole < band.ceiling
            bands.append(band)
            before = ceiling
        return bands

    @staticmethod
    def _ceiling(env: _Environment, ceiling: Result, factor: Result, unit: Unit | None) -> float:
        value = _number(env, ceiling.value) * _number(env, factor.value)
        if value in (0, math.inf):
            return value
        try:
            return convert(value, multiply(ceiling.unit, factor.unit), unit)
        except ValueError as error:
            env.mismatch(error)
            return value


class _Duration(_Node):
    """« durée » between two dates, both written: a rule has no clock."""

    __slots__ = ("since", "unit", "until")

    def __init__(self, since: _Node, until: _Node, unit: Unit) -> None:
        self.since = since
        self.until = until
        self.unit = unit

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        of(self.since), of(self.until)
        return _Kind(False, "number")

    def compute(self, env: _Environment) -> Result:
        since, until = env.evaluate(self.since), env.evaluate(self.until)
        missing = _merge(since.missing, until.missing)
        if since.value is None or until.value is None:
            return Result(None, self.unit, missing)
        if since.value is UNDEFINED or until.value is UNDEFINED:
            return Result(UNDEFINED, self.unit, missing)
        first, last = read_day(since.value), read_day(until.value)
        if first is None or last is None:
            raise RuleEvaluationError(env.where, "a date is expected, as 31/12/2026")
        return Result(max(0.0, elapsed(first, last, self.unit.numerators[0])), self.unit, missing)

    @property
    def static_unit(self) -> Unit | None:
        return self.unit


class _InUnit(_Node):
    __slots__ = ("inner", "unit")

    def __init__(self, inner: _Node, unit: Unit) -> None:
        self.inner = inner
        self.unit = unit

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        return _Kind(of(self.inner).nullable, "number")

    def compute(self, env: _Environment) -> Result:
        found = env.evaluate(self.inner)
        value = found.value
        if isinstance(value, float):
            try:
                value = convert(value, found.unit, self.unit)
            except ValueError as error:
                env.mismatch(error)
        return Result(value, self.unit, found.missing)

    @property
    def static_unit(self) -> Unit | None:
        return self.unit


class _Simplified(_Node):
    __slots__ = ("inner",)

    def __init__(self, inner: _Node) -> None:
        self.inner = inner

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        return _Kind(of(self.inner).nullable, "number")

    def compute(self, env: _Environment) -> Result:
        return _simplify(env.evaluate(self.inner))


def _simplify(found: Result) -> Result:
    if found.unit is None or not isinstance(found.value, float):
        return found
    unit = simplify_unit(found.unit)
    return Result(convert(found.value, found.unit, unit), unit, found.missing)


class _Rounded(_Node):
    """« arrondi: oui »: to the unit, halves up, as the reference engine does."""

    __slots__ = ("digits", "inner")

    def __init__(self, inner: _Node, digits: _Node) -> None:
        self.inner = inner
        self.digits = digits

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        of(self.digits)
        return _Kind(of(self.inner).nullable, "number")

    def compute(self, env: _Environment) -> Result:
        found = _simplify(env.evaluate(self.inner))
        missing = found.missing
        digits: Value = UNDEFINED
        if found.value is not False:
            wanted = env.evaluate(self.digits)
            digits = wanted.value
            missing = _merge(missing, wanted.missing)
        if not isinstance(found.value, float):
            return Result(found.value, found.unit, missing)
        if digits is True:
            digits = 0.0
        if digits is UNDEFINED:
            return Result(UNDEFINED, found.unit, missing)
        if not isinstance(digits, float):
            return Result(found.value, found.unit, missing)
        scale = 10 ** int(digits)
        epsilon = 2.220446049250313e-16
        scaled = (found.value + epsilon) * scale
        # ECMAScript Math.round: floor(x + 0.5)
        return Result(float(math.floor(scaled + 0.5)) / scale, found.unit, missing)


class _Defaulted(_Node):
    """A default value: used, and the rule is listed as a question."""

    __slots__ = ("inner", "name")

    def __init__(self, inner: _Node, name: str) -> None:
        self.inner = inner
        self.name = name

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        return of(self.inner)

    def compute(self, env: _Environment) -> Result:
        found = env.evaluate(self.inner)
        weight = max(found.missing.values(), default=0) + 1
        return Result(found.value, found.unit, _merge(found.missing, {self.name: weight}))

    @property
    def static_unit(self) -> Unit | None:
        return None


class _Situated(_Node):
    """The answer given for a rule, or else what the rule computes."""

    __slots__ = ("inner", "name")

    def __init__(self, inner: _Node, name: str) -> None:
        self.inner = inner
        self.name = name

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        return of(self.inner)

    def compute(self, env: _Environment) -> Result:
        given = env.situation.get(self.name)
        return env.evaluate(self.inner) if given is None else given


class _Rule(_Node):
    """A rule: off when its nearest nullable or boolean parent is off, else its body."""

    __slots__ = (
        "body",
        "boolean_parent",
        "choices",
        "name",
        "nullable_parent",
        "parent",
        "parents",
        "raw",
        "tests",
    )

    def __init__(self, name: str, raw: Mapping[str, Any]) -> None:
        self.name = name
        self.raw = raw
        self.body: _Node = _NOTHING
        self.parents: tuple[_Node, ...] = ()
        self.parent: _Node | None = None
        self.nullable_parent = False
        self.boolean_parent = False
        self.tests: tuple[_Node, ...] = ()
        self.choices: tuple[str, ...] = ()

    def infer(self, of: Callable[[_Node], _Kind]) -> _Kind:
        kind = of(self.body)
        if self.choices:
            return _Kind(kind.nullable, "string")
        if kind.type is not None:
            return kind
        declared = _TYPES.get(str(self.raw.get("type", "")))
        if declared is None and self.raw.get("question"):
            declared = "boolean"
        return _Kind(kind.nullable, declared)

    def disabled(self, env: _Environment) -> tuple[bool, Mapping[str, int]]:
        """Is the rule off because of its parent, and what that still depends on."""
        parent = self.parent
        if parent is None:
            return False, {}
        if self.name not in env.parents:
            env.parents.append(self.name)
            off = Result(False)
            if self.nullable_parent:
                off = env.evaluate(self.tests[0])
            if off.value is not True and self.boolean_parent:
                off = env.evaluate(self.tests[1])
            env.parents.pop()
            if off.value is True:
                return True, off.missing
        if self.boolean_parent:
            found = env.evaluate(parent)
            return found.value is False, found.missing
        return False, {}

    def compute(self, env: _Environment) -> Result:
        missing: Mapping[str, int] = {}
        if self.parent is not None:
            disabled, missing = self.disabled(env)
            if disabled:
                return Result(None, None, missing)
        rules = env.rules
        if rules.count(self.name) > 1:
            return Result(UNDEFINED, None, missing)
        if len(rules) >= MAX_RULE_DEPTH:
            raise RuleBudgetError(self.name, f"more than {MAX_RULE_DEPTH} rules deep")
        rules.append(self.name)
        found = env.evaluate(self.body)
        rules.pop()
        own = found.missing
        if found.value is UNDEFINED and not own:
            own = {self.name: 1}
        elif not missing:
            return found
        return Result(found.value, found.unit, _merge(own, missing))


def _parents(name: str) -> list[str]:
    """Dotted parents, nearest first."""
    parts = name.split(" . ")
    return [" . ".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]


_PUNCTUATION: Final = " _-,;:!?.'’\"()[]{}@*/\\&#%`^+<=>|~$"
"""Order of the Unicode root collation: spaces, then punctuation, then digits, then letters."""


def _collation(name: str) -> tuple[list[tuple[int, int, str]], str, str]:
    """Order of rule names, as the reference engine's `localeCompare` gives it: letters without
    accents first, then accents, then case (small before capital)."""
    decomposed = unicodedata.normalize("NFD", name)
    plain = [c for c in decomposed.lower() if not unicodedata.combining(c)]
    primary = [
        (0, _PUNCTUATION.index(c), "")
        if c in _PUNCTUATION
        else (1, int(c), "")
        if c.isdecimal()
        else (2, 0, c)
        for c in plain
    ]
    return primary, decomposed.lower(), name.swapcase()


class Engine:
    """A compiled rule model. Immutable after construction; safe to share between threads.

    `ignored` lists keys, by rule, that upstream misspelt and that its own engine ignores in
    silence; anything else unknown is refused. They are kept in `defects` for the quality report.
    `lenient_units` compares bare numbers where units do not fit, as upstream does: for an imported
    model whose published amounts rest on it, never for rules of our own.
    `words` gives titles and questions by rule (`titre`, `titre en`, `question`, `question en`)
    over the model's own: what is said to people, never what is computed.

    Raises:
        RuleImportError: the place (`rule · key · …`) and what is wrong with it.
    """

    def __init__(
        self,
        rules: Mapping[str, Any],
        *,
        ignored: Mapping[str, frozenset[str]] | None = None,
        lenient_units: bool = False,
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        if len(rules) > MAX_RULES:
            raise RuleImportError("model", f"more than {MAX_RULES} rules")
        self._ignored = dict(ignored or {})
        self._lenient = lenient_units
        self._words = dict(words or {})
        self.defects: tuple[tuple[str, str], ...] = ()
        self._count = 0
        self._rules: dict[str, _Rule] = {}
        self._refs: list[_Ref] = []
        self._entries: dict[str, _Node] = {}
        self._tests: list[_IsNotApplicable] = []
        self._kinds: dict[int, _Kind] = {}
        for name, raw in rules.items():
            self._rules[name] = _Rule(name, self._checked(name, raw))
        defects: list[tuple[str, str]] = []
        for rule in self._rules.values():
            defects += [(rule.name, k) for k in rule.raw if k in self._ignored.get(rule.name, ())]
            self._compile(rule)
        self.defects = tuple(defects)
        for ref in self._refs:
            ref.rule = self._rules[ref.name]
        self._refuse_cycles()
        self._replace()
        self._infer()
        if not lenient_units:
            self._check_units()

    # -- import -----------------------------------------------------------------------------

    def _checked(self, name: object, raw: object) -> Mapping[str, Any]:
        if not isinstance(name, str) or not name.strip() or len(name) > 300:
            raise RuleImportError(str(name)[:80], "not a rule name")
        if raw is None:
            return {}
        if isinstance(raw, str | int | float) and not isinstance(raw, bool):
            return {"valeur": raw}
        if not isinstance(raw, Mapping):
            raise RuleImportError(name, "a rule is a mapping")
        ignored = self._ignored.get(name, frozenset())
        for key in raw:
            if key in _METADATA or key in ignored:
                continue
            if (
                key not in _CHAINED
                and key not in _PLAIN
                and key
                not in (
                    "remplace",
                    "une possibilité",
                )
            ):
                raise RuleImportError(f"{name} · {key}", "unknown key or mechanism")
        return raw

    def _compile(self, rule: _Rule) -> None:
        name, raw = rule.name, rule.raw
        if "type" in raw and raw["type"] not in _TYPES:
            raise RuleImportError(f"{name} · type", f"unknown type « {raw['type']} »")
        rule.choices = self._choices(name, raw)
        body = {k: v for k, v in raw.items() if k in _CHAINED or k in _PLAIN}
        rule.body = self._chained(name, name, body, rule=rule, depth=0)
        rule.parents = tuple(
            self._reference(name, parent) for parent in _parents(name) if parent in self._rules
        )

    def _choices(self, name: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
        if "une possibilité" not in raw:
            return ()
        place = f"{name} · une possibilité"
        items = raw["une possibilité"]
        if not isinstance(items, list) or len(items) < 2 or len(items) > MAX_ITEMS:
            raise RuleImportError(place, "a list of two values or more")
        choices = tuple(
            item.strip("'") if isinstance(item, str) else f"\0{item!r}" for item in items
        )
        if len(set(choices)) != len(choices) or any(c.startswith("\0") for c in choices):
            raise RuleImportError(place, "values must be distinct texts")
        return choices

    def _spend(self, place: str, depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise RuleImportError(place, f"more than {MAX_NODES} nodes in the model")
        if depth > MAX_DEPTH:
            raise RuleImportError(place, f"nested deeper than {MAX_DEPTH}")

    def _parse(self, context: str, place: str, raw: object, depth: int) -> _Node:
        self._spend(place, depth)
        if isinstance(raw, bool):
            raise RuleImportError(place, "write oui or non, not true or false")
        if isinstance(raw, int | float):
            value = float(raw)
            if not math.isfinite(value):
                raise RuleImportError(place, "not a finite number")
            return _Const(value)
        if isinstance(raw, str):
            try:
                return self._expression(context, place, _of_a_model(raw))
            except ValueError as error:
                raise RuleImportError(place, str(error)) from error
        if isinstance(raw, Mapping):
            return self._chained(context, place, raw, rule=None, depth=depth + 1)
        raise RuleImportError(place, "a value, an expression or a mechanism is expected")

    def _expression(self, context: str, place: str, syntax: Syntax) -> _Node:
        self._spend(place, 0)
        if isinstance(syntax, Literal):
            return _Const(syntax.value, syntax.unit)
        if isinstance(syntax, Name):
            return self._reference(context, self._resolve(context, place, syntax.text))
        assert isinstance(syntax, Binary)  # noqa: S101 - the three forms of Syntax
        left = self._expression(context, place, syntax.left)
        right = self._expression(context, place, syntax.right)
        if syntax.operator == "/" and isinstance(right, _Const) and _is_zero(right.result.value):
            raise RuleImportError(place, "division by zero")
        return _Op(syntax.operator, left, right)

    def _reference(self, context: str, name: str) -> _Ref:
        ref = _Ref(name, context)
        self._refs.append(ref)
        return ref

    def _resolve(self, context: str, place: str, text: str) -> str:
        contexts = [context, *_parents(context), ""]
        partial = text
        while partial.startswith("^ . "):
            partial = partial.removeprefix("^ . ")
            contexts = contexts[1:]
        for start in contexts:
            name = f"{start} . {partial}" if start else partial
            if name in self._rules and name != context:
                return name
        if context.endswith(partial):
            return context
        raise RuleImportError(place, f"unknown reference « {text} »")

    def _chained(
        self,
        context: str,
        place: str,
        raw: Mapping[str, Any],
        *,
        rule: _Rule | None,
        depth: int,
    ) -> _Node:
        """Compile a mapping: chained mechanisms from the outside in, then the plain one."""
        self._spend(place, depth)
        for key in raw:
            if key not in _CHAINED and key not in _PLAIN:
                raise RuleImportError(f"{place} · {key}", "unknown mechanism")
        plain = [key for key in raw if key in _PLAIN]
        if len(plain) > 1:
            raise RuleImportError(place, f"several mechanisms side by side: {', '.join(plain)}")
        if not plain and rule is None:
            raise RuleImportError(place, "no value to apply this to")
        node = (
            self._plain(context, f"{place} · {plain[0]}", plain[0], raw[plain[0]], depth)
            if plain
            else _NOTHING
        )

        def part(key: str) -> _Node:
            return self._parse(context, f"{place} · {key}", raw[key], depth)

        if "abattement" in raw:
            minus = _Op("-", node, part("abattement"))
            node = _bounded("plancher", minus, _Const(0.0))
        if rule is not None:
            node = _Situated(node, rule.name)
        if "par défaut" in raw:
            default = part("par défaut")
            if rule is not None:
                default = _Defaulted(default, rule.name)
            node = _If(_IsUndefined(node), default, node, mechanism="par défaut")
        if "plafond" in raw:
            node = _bounded("plafond", node, part("plafond"))
        if "plancher" in raw:
            node = _bounded("plancher", node, part("plancher"))
        if "unité" in raw:
            try:
                node = _InUnit(node, Unit.parse(str(raw["unité"])))
            except ValueError as error:
                raise RuleImportError(f"{place} · unité", str(error)) from error
        if "arrondi" in raw:
            node = _Rounded(node, part("arrondi"))
        if "non applicable si" in raw:
            exception = part("non applicable si")
            node = _If(
                _Op("=", exception, _NO),
                node,
                _NOT_APPLICABLE,
                mechanism="non applicable si",
                parameter=exception,
            )
        if "applicable si" in raw:
            condition = part("applicable si")
            node = _If(
                _Op("!=", condition, _NO),
                node,
                _NOT_APPLICABLE,
                mechanism="applicable si",
                parameter=condition,
            )
        return node

    def _items(self, place: str, raw: object) -> list[Any]:
        if not isinstance(raw, list) or not raw:
            raise RuleImportError(place, "a list is expected")
        if len(raw) > MAX_ITEMS:
            raise RuleImportError(place, f"more than {MAX_ITEMS} items")
        return raw

    def _plain(self, context: str, place: str, key: str, raw: object, depth: int) -> _Node:
        if key == "valeur":
            return self._parse(context, place, raw, depth + 1)
        if key == "est non applicable":
            test = _IsNotApplicable(self._parse(context, place, raw, depth + 1), self._kinds)
            self._tests.append(test)
            return test
        if key in ("barème", "grille"):
            return self._table(context, place, key, raw, depth)
        if key == "durée":
            return self._duration(context, place, raw, depth)
        items = self._items(place, raw)
        if key == "variations":
            branches: list[tuple[_Node, _Node]] = []
            for index, item in enumerate(items):
                where = f"{place}[{index}]"
                if not isinstance(item, Mapping) or set(item) not in (
                    {"si", "alors"},
                    {"sinon"},
                ):
                    raise RuleImportError(where, "« si » with « alors », or « sinon »")
                if "sinon" in item:
                    if index != len(items) - 1:
                        raise RuleImportError(where, "« sinon » comes last")
                    branches.append(
                        (_YES, self._parse(context, f"{where} · sinon", item["sinon"], depth + 1))
                    )
                else:
                    branches.append(
                        (
                            self._parse(context, f"{where} · si", item["si"], depth + 1),
                            self._parse(context, f"{where} · alors", item["alors"], depth + 1),
                        )
                    )
            return _Variations(branches)
        nodes = [
            self._parse(context, f"{place}[{index}]", item, depth + 1)
            for index, item in enumerate(items)
        ]
        if key == "toutes ces conditions":
            return _All(nodes)
        if key == "une de ces conditions":
            return _Any(nodes)
        if len(nodes) > 50:
            raise RuleImportError(place, "more than 50 terms")
        if key in ("le maximum de", "le minimum de"):
            best: _Node = _NOT_APPLICABLE
            for node in nodes:
                better = _Any(
                    (
                        _IsNotApplicable(best, self._kinds),
                        _Op(">" if key == "le maximum de" else "<", node, best),
                    )
                )
                best = _If(_IsNotApplicable(node, self._kinds), best, _If(better, node, best))
            return best
        if key == "somme":
            total: _Node = _NOT_APPLICABLE
            for node in reversed(nodes):
                total = _Op("+", node, total)
            return total
        product: _Node = _Const(1.0)
        for node in nodes:
            product = _Op("*", node, product)
        return _Simplified(product)

    def _table(self, context: str, place: str, key: str, raw: object, depth: int) -> _Node:
        gives = "taux" if key == "barème" else "montant"
        if not isinstance(raw, Mapping) or not {"assiette", "tranches"} <= set(raw):
            raise RuleImportError(place, "« assiette » and « tranches » are expected")
        for name in raw:
            if name not in ("assiette", "multiplicateur", "tranches"):
                raise RuleImportError(f"{place} · {name}", "unknown key of a table")
        tranches: list[_Tranche] = []
        lines = self._items(f"{place} · tranches", raw["tranches"])
        for index, line in enumerate(lines):
            where = f"{place} · tranches[{index}]"
            if not isinstance(line, Mapping) or set(line) - {"plafond"} != {gives}:
                raise RuleImportError(where, f"« {gives} » and « plafond » are expected")
            if "plafond" not in line and index != len(lines) - 1:
                raise RuleImportError(where, "only the last line may have no « plafond »")
            tranches.append(
                _Tranche(
                    self._parse(context, f"{where} · plafond", line["plafond"], depth + 1)
                    if "plafond" in line
                    else None,
                    self._parse(context, f"{where} · {gives}", line[gives], depth + 1),
                )
            )
        factor: _Node = _Const(1.0)
        if "multiplicateur" in raw:
            factor = self._parse(
                context, f"{place} · multiplicateur", raw["multiplicateur"], depth + 1
            )
        base = self._parse(context, f"{place} · assiette", raw["assiette"], depth + 1)
        return _Table(base, factor, tranches, marginal=key == "barème")

    def _duration(self, context: str, place: str, raw: object, depth: int) -> _Node:
        if not isinstance(raw, Mapping) or not {"depuis", "jusqu'à"} <= set(raw):
            raise RuleImportError(place, "« depuis » and « jusqu'à » are expected, both")
        for name in raw:
            if name not in ("depuis", "jusqu'à", "unité"):
                raise RuleImportError(f"{place} · {name}", "unknown key of a duration")
        unit = str(raw.get("unité", "jour"))
        if unit not in DURATION_UNITS:
            raise RuleImportError(f"{place} · unité", f"one of {', '.join(DURATION_UNITS)}")
        return _Duration(
            self._parse(context, f"{place} · depuis", raw["depuis"], depth + 1),
            self._parse(context, f"{place} · jusqu'à", raw["jusqu'à"], depth + 1),
            Unit((unit,)),
        )

    def reading(self, name: str) -> Mapping[str, Any]:
        """The rule with every rule it rests on, as written, their words left out.

        Two models that agree on it compute the same of the same answers.
        """
        found: dict[str, Any] = {}
        todo = [name]
        while todo:
            rule = self._rules[todo.pop()]
            if rule.name in found:
                continue
            found[rule.name] = {k: v for k, v in rule.raw.items() if k not in _METADATA}
            for root in (rule.body, *rule.parents):
                todo += [node.name for node in _walk(root) if isinstance(node, _Ref)]
        return found

    def _refuse_cycles(self) -> None:
        """A rule that reads itself, directly or through others, is refused at import."""
        calls: dict[str, list[str]] = {}
        for rule in self._rules.values():
            calls[rule.name] = [n.name for n in _walk(rule.body) if isinstance(n, _Ref)]
        state: dict[str, int] = {}
        for start in calls:
            stack: list[tuple[str, int]] = [(start, 0)]
            while stack:
                name, index = stack.pop()
                if index == 0:
                    if state.get(name) == 2:
                        continue
                    state[name] = 1
                if index < len(calls[name]):
                    stack.append((name, index + 1))
                    following = calls[name][index]
                    if state.get(following) == 1 and any(n == following for n, _ in stack):
                        raise RuleImportError(name, f"reads itself through « {following} »")
                    if following not in state:
                        stack.append((following, 0))
                else:
                    state[name] = 2

    def _replace(self) -> None:
        """Turn references to replaced rules into « first applicable replacement, else itself »."""
        replacing: dict[str, list[str]] = {}
        for rule in self._rules.values():
            raw = rule.raw.get("remplace")
            if raw is None:
                continue
            entries = raw if isinstance(raw, list) else [raw]
            for entry in entries:
                place = f"{rule.name} · remplace"
                target = entry if isinstance(entry, str) else None
                if isinstance(entry, Mapping):
                    unknown = set(entry) - {"références à"}
                    if unknown or "références à" not in entry:
                        raise RuleImportError(place, "only « références à » is supported")
                    target = str(entry["références à"])
                if target is None:
                    raise RuleImportError(place, "the name of a rule is expected")
                replacing.setdefault(self._resolve(rule.name, place, target), []).append(rule.name)
        ordered = {
            target: sorted(names, key=_collation, reverse=True)
            for target, names in replacing.items()
        }
        shared: dict[tuple[str, ...], _Node] = {}

        def substitute(node: _Node) -> _Node:
            if not isinstance(node, _Ref) or node.name not in ordered:
                return node
            names = tuple(n for n in ordered[node.name] if n != node.context)
            if not names:
                return node
            if names not in shared:
                branches: list[tuple[_Node, _Node]] = []
                for name in names:
                    definition = _Ref(name, name)
                    definition.rule = self._rules[name]
                    test = _IsNotApplicable(definition, self._kinds)
                    branches.append((_If(test, _NO, _YES), definition))
                branches.append((_YES, node))
                shared[names] = _Variations(branches, replacement=True)
            return shared[names]

        for rule in self._rules.values():
            rule.body = _transform(rule.body, substitute)
            rule.parents = tuple(substitute(parent) for parent in rule.parents)
        for name in ordered:  # whoever asks for a replaced rule reads what replaces it
            entry = _Ref(name, "")
            entry.rule = self._rules[name]
            self._entries[name] = substitute(entry)

    def _infer(self) -> None:
        kinds = self._kinds

        def of(node: _Node) -> _Kind:
            found = kinds.get(id(node))
            if found is None:
                kinds[id(node)] = _Kind()
                found = kinds[id(node)] = node.infer(of)
            return found

        try:
            for rule in self._rules.values():
                of(rule)
                for parent in rule.parents:
                    of(parent)
            for entry in self._entries.values():
                of(entry)
        except RecursionError as error:
            raise RuleImportError("model", "rules call each other too deep") from error
        for rule in self._rules.values():
            for parent in rule.parents:
                kind = kinds[id(parent)]
                if kind.nullable or kind.type == "boolean":
                    rule.parent = parent
                    rule.nullable_parent = bool(kind.nullable)
                    rule.boolean_parent = kind.type == "boolean"
                    rule.tests = (_IsNotApplicable(parent, kinds), _Op("=", parent, _NO))
                    break

    def _check_units(self) -> None:
        """Refuse sums and comparisons of constants that measure different things."""
        for rule in self._rules.values():
            for node in _walk(rule.body):
                if not isinstance(node, _Op) or node.operator in ("*", "/"):
                    continue
                left, right = self._unit_of(node.left), self._unit_of(node.right)
                percent = right == PERCENT and node.operator in "+-"
                if not percent and not is_convertible(left, right):
                    raise RuleImportError(rule.name, f"« {left} » {node.operator} « {right} »")

    def _unit_of(self, node: _Node, depth: int = 0) -> Unit | None:
        if isinstance(node, _Const | _InUnit):
            return node.static_unit
        if isinstance(node, _Ref) and node.rule is not None and depth < 8:
            return self._unit_of(node.rule.body, depth + 1)
        if isinstance(node, _Situated) and depth < 8:
            return self._unit_of(node.inner, depth + 1)
        return None

    # -- questions and answers ----------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted names of all rules, in the model's order."""
        return tuple(self._rules)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def info(self, name: str) -> RuleInfo:
        """Title, question and type of a rule.

        Raises:
            RuleEvaluationError: no such rule.
        """
        rule = self._rules.get(name)
        if rule is None:
            raise RuleEvaluationError(name, "no such rule")
        raw = {**rule.raw, **self._words.get(name, {})}
        leaf = name.rsplit(" . ", 1)[-1]
        title = str(raw.get("titre", leaf))
        question = raw.get("question", "")
        if not isinstance(question, str):
            # the wording depends on other answers: take its last form
            question = str(question["variations"][-1]["sinon"]).strip("'")
        kind = self._kinds.get(id(rule), _Kind()).type or "number"
        return RuleInfo(
            name=name,
            title=title,
            title_en=str(raw.get("titre en", title)),
            question=question or title,
            question_en=str(raw.get("question en", question or raw.get("titre en", title))),
            kind="choice" if rule.choices else {"string": "text"}.get(kind, kind),
            choices=rule.choices,
            unit=str(raw.get("unité", "")),
            metadata={k: v for k, v in raw.items() if k in _METADATA},
        )

    def choice_en(self, name: str, value: str) -> str:
        """One of a rule's possible answers in English, where a translation is known."""
        return self._words.get(name, {}).get(f"en {value}", value)

    def has_default(self, name: str) -> bool:
        """Does the rule answer for itself when nobody does?"""
        rule = self._rules.get(name)
        return rule is not None and "par défaut" in rule.raw

    def _given(self, situation: Mapping[str, Any]) -> dict[str, Result]:
        given: dict[str, Result] = {}
        for name, raw in situation.items():
            rule = self._rules.get(name)
            if rule is None:
                raise RuleEvaluationError(name, "no such rule")
            if isinstance(raw, bool):
                result = Result(raw)
            elif isinstance(raw, int | float):
                value = float(raw)
                if not math.isfinite(value):
                    raise RuleEvaluationError(name, "not a finite number")
                result = Result(value)
            elif isinstance(raw, str):
                try:
                    syntax = parse_expression(raw)
                except ValueError as error:
                    raise RuleEvaluationError(name, str(error)) from error
                if not isinstance(syntax, Literal):
                    raise RuleEvaluationError(name, "an answer is a constant")
                result = Result(syntax.value, syntax.unit)
            else:
                raise RuleEvaluationError(name, "an answer is oui, non, a number or a text")
            if rule.choices and result.value not in rule.choices:
                raise RuleEvaluationError(name, "not one of the possible answers")
            given[name] = result
        return given

    def evaluate(
        self, name: str, situation: Mapping[str, Any] | None = None, *, trace: bool = False
    ) -> Evaluation:
        """Value of a rule in a situation.

        `situation` maps dotted names to bool, number, or the language's own constants
        (`"1000 €"`, `"'électrique'"`, `"oui"`). A bare number takes the rule's unit.

        Raises:
            RuleEvaluationError: an unknown rule, an answer of the wrong type, a division by zero.
            RuleBudgetError: more steps than `MAX_STEPS`.
        """
        return self.session(situation or {}).evaluate(name, trace=trace)

    def session(self, situation: Mapping[str, Any]) -> "Session":
        """One situation for many questions: what two of them read is computed once.

        Raises:
            RuleEvaluationError: an unknown rule or an answer of the wrong type.
        """
        return Session(self, self._given(situation))


class Session:
    """One situation in one engine. Belongs to one thread; the engine behind it is shared."""

    def __init__(self, engine: Engine, given: Mapping[str, Result]) -> None:
        self._engine = engine
        self._env = _Environment(given, lenient=engine._lenient)

    def evaluate(self, name: str, *, trace: bool = False) -> Evaluation:
        """As `Engine.evaluate`; each question has its own budget of steps.

        Raises:
            RuleEvaluationError: an unknown rule, an answer of the wrong type, a division by zero.
            RuleBudgetError: more steps than `MAX_STEPS`.
        """
        engine, env = self._engine, self._env
        rule = engine._rules.get(name)
        if rule is None:
            raise RuleEvaluationError(name, "no such rule")
        env.begin()
        try:
            found = env.evaluate(engine._entries.get(name, rule))
        except RecursionError as error:
            raise RuleBudgetError(name, "rules call each other too deep") from error
        missing: Mapping[str, int] = {}
        if found.missing:
            missing = dict(sorted(found.missing.items(), key=lambda item: (-item[1], item[0])))
        steps: tuple[Step, ...] = ()
        if trace and id(rule) in env.cache:
            from federation.aids.trace import explain

            steps = tuple(explain(engine, rule, env))
        return Evaluation(found.value, found.unit, missing, steps)


def _bounded(kind: str, value: _Node, bound: _Node) -> _Node:
    """« plafond » or « plancher »."""
    operator = ">" if kind == "plafond" else "<"
    test = _Both(_Op("!=", bound, _NO), _Op(operator, value, bound))
    return _If(test, bound, value, mechanism=kind, parameter=bound)


class _Both(_All):
    """`et` of two operands, as the bounds use it: the same laws as « toutes ces conditions »."""

    __slots__ = ()

    def __init__(self, left: _Node, right: _Node) -> None:
        super().__init__((left, right))


def _children(node: _Node) -> Iterable[_Node]:
    if isinstance(node, _Op):
        return (node.left, node.right)
    if isinstance(node, _All | _Any):
        return node.items
    if isinstance(node, _If):
        extra = () if node.parameter is None else (node.parameter,)
        return (node.test, node.yes, node.no, *extra)
    if isinstance(node, _Variations):
        return tuple(n for branch in node.branches for n in branch)
    if isinstance(
        node, _IsUndefined | _IsNotApplicable | _InUnit | _Simplified | _Defaulted | _Situated
    ):
        return (node.inner,)
    if isinstance(node, _Rounded):
        return (node.inner, node.digits)
    if isinstance(node, _Table):
        ends = [t.ceiling for t in node.tranches if t.ceiling is not None]
        return (node.base, node.factor, *ends, *(t.gives for t in node.tranches))
    if isinstance(node, _Duration):
        return (node.since, node.until)
    return ()


def _walk(node: _Node) -> Iterable[_Node]:
    """All nodes of one rule's body, references included but not followed."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        stack.extend(_children(current))


def _transform(node: _Node, change: Callable[[_Node], _Node]) -> _Node:
    """Rewrite references in place, once each."""
    done: dict[int, _Node] = {}

    def visit(current: _Node) -> _Node:
        if isinstance(current, _Ref):
            return change(current)
        if id(current) in done:
            return done[id(current)]
        done[id(current)] = current
        if isinstance(current, _Op):
            current.left, current.right = visit(current.left), visit(current.right)
        elif isinstance(current, _All | _Any):
            current.items = tuple(visit(item) for item in current.items)
        elif isinstance(current, _If):
            current.test = visit(current.test)
            current.yes, current.no = visit(current.yes), visit(current.no)
            if current.parameter is not None:
                current.parameter = visit(current.parameter)
        elif isinstance(current, _Variations):
            current.branches = tuple((visit(a), visit(b)) for a, b in current.branches)
        elif isinstance(
            current,
            _IsUndefined | _IsNotApplicable | _InUnit | _Simplified | _Defaulted | _Situated,
        ):
            current.inner = visit(current.inner)
        elif isinstance(current, _Rounded):
            current.inner, current.digits = visit(current.inner), visit(current.digits)
        elif isinstance(current, _Table):
            current.base, current.factor = visit(current.base), visit(current.factor)
            current.tranches = tuple(
                _Tranche(None if t.ceiling is None else visit(t.ceiling), visit(t.gives))
                for t in current.tranches
            )
        elif isinstance(current, _Duration):
            current.since, current.until = visit(current.since), visit(current.until)
        return current

    return visit(node)
