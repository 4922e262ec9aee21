"""Operators, conditions and branches: three states, lazy from left to right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from federation.aids.dates import read_day
from federation.aids.errors import RuleEvaluationError
from federation.aids.publicodes.nodes import (
    FALSE,
    NO,
    TRUE,
    Environment,
    Kind,
    Node,
    Ref,
    Rule,
    Situated,
    is_zero,
    number_of,
)
from federation.aids.publicodes.values import UNDEFINED, Result, Value, bonus, is_off, merge
from federation.aids.rule_units import PERCENT, Unit, convert, divide, multiply

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


_NULL_STOPS_LEFT: Final = frozenset(("<", ">", "<=", ">=", "/", "*", "-"))
_NULL_STOPS_RIGHT: Final = frozenset(("<", ">", "<=", ">=", "/", "*"))


class Op(Node):
    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Node, right: Node) -> None:
        self.operator = operator
        self.left = left
        self.right = right

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        left, right = of(self.left), of(self.right)
        nullable: bool | None = False
        if self.operator in _NULL_STOPS_RIGHT:
            nullable = left.nullable or right.nullable
        elif self.operator == "-":
            nullable = left.nullable
        compares = self.operator in _COMPARE or self.operator in ("=", "!=")
        return Kind(nullable, "boolean" if compares else "number")

    def compute(self, env: Environment) -> Result:
        operator = self.operator
        left = env.evaluate(self.left)
        if operator == "=" and left.value.__class__ is str:
            # nine comparisons in ten of a real model: a text, which has no unit
            right = env.evaluate(self.right)
            same = right.value.__class__ is str and left.value == right.value
            if not left.missing and not right.missing and right.value is not UNDEFINED:
                return TRUE if same else FALSE
            missing = merge(left.missing, right.missing)
            if right.value is UNDEFINED:
                return Result(UNDEFINED, None, missing)
            return Result(same, None, missing)
        if (left.value is None and operator in _NULL_STOPS_LEFT) or (
            is_zero(left.value) and operator in ("*", "/")
        ):
            return Result(left.value, None, left.missing)
        right = env.evaluate(self.right)
        if operator == "/" and is_zero(right.value):
            raise RuleEvaluationError(env.where, "division by zero")
        if (right.value is None and operator in _NULL_STOPS_RIGHT) or (
            operator == "*" and is_zero(right.value)
        ):
            return Result(right.value, None, right.missing)
        missing = merge(left.missing, right.missing)
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
            return Result(_COMPARE[operator](number_of(env, a), number_of(env, b)), None, missing)
        return self._arithmetic(env, Result(a, unit_a), Result(b, unit_b), missing, by_percent)

    def _arithmetic(
        self,
        env: Environment,
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
                x, y = number_of(env, a), number_of(env, b)
                value = x * y if operator == "*" else x / y
            if operator == "*" and unit is not None and "%" in unit.numerators:
                value = value / 100 if isinstance(value, float) else value
                unit = multiply(unit, Unit((), ("%",)))
            return Result(value, unit, missing)
        # A sum takes what does not apply as nothing.
        x = 0.0 if a is None or a is UNDEFINED else number_of(env, a)
        y = 0.0 if b is None or b is UNDEFINED else number_of(env, b)
        if by_percent:
            unit = multiply(multiply(unit_a, unit_b), Unit((), ("%",)))
            if undefined:
                return Result(UNDEFINED, unit, missing)
            return Result(x * (1 + (y / 100) * (-1 if operator == "-" else 1)), unit, missing)
        unit = unit_a or unit_b
        if undefined:
            return Result(UNDEFINED, unit, missing)
        return Result(x + y if operator == "+" else x - y, unit, missing)


def _same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b


class AllOf(Node):
    """« toutes ces conditions »: false wins, and only the item that decided stays to be asked."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Node]) -> None:
        self.items = tuple(items)

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        for item in self.items:
            of(item)
        return Kind(False, "boolean")

    def compute(self, env: Environment) -> Result:
        value: Value = True
        missing: Mapping[str, int] = {}
        for item in self.items:
            found = env.evaluate(item)
            if found.value is None or found.value is False:
                return Result(False, None, found.missing) if found.missing else FALSE
            if found.missing:
                missing = merge(missing, found.missing)
            if value is not UNDEFINED:
                value = found.value
        return Result(value, None, missing)


class AnyOf(Node):
    """« une de ces conditions »: true wins, and only the item that decided stays to be asked."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Node]) -> None:
        self.items = tuple(items)

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        for item in self.items:
            of(item)
        return Kind(False, "boolean")

    def compute(self, env: Environment) -> Result:
        value: Value = False
        missing: Mapping[str, int] = {}
        for item in self.items:
            found = env.evaluate(item)
            if found.value is True:
                return Result(True, None, found.missing)
            missing = merge(missing, found.missing)
            if found.value is UNDEFINED or value is UNDEFINED:
                value = UNDEFINED
            else:
                value = value or (False if found.value is None else found.value)
        return Result(value, None, missing)


class Both(AllOf):
    """`et` of two operands, as the bounds use it: the same laws as « toutes ces conditions »."""

    __slots__ = ()

    def __init__(self, left: Node, right: Node) -> None:
        super().__init__((left, right))


class If(Node):
    """A condition with its two ways. `mechanism` names what it was written as, for the trace."""

    __slots__ = ("mechanism", "no", "parameter", "test", "yes")

    def __init__(
        self,
        test: Node,
        yes: Node,
        no: Node,
        *,
        mechanism: str = "",
        parameter: Node | None = None,
    ) -> None:
        self.test = test
        self.yes = yes
        self.no = no
        self.mechanism = mechanism
        self.parameter = parameter

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        test, yes, no = of(self.test), of(self.yes), of(self.no)
        return Kind(test.nullable or yes.nullable or no.nullable, yes.type or no.type)

    def compute(self, env: Environment) -> Result:
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
            chosen = Result(UNDEFINED, None, merge(no.missing, yes.missing))
            unit = yes.unit
        else:
            raise RuleEvaluationError(env.where, "a condition must be oui or non")
        if not test.missing and unit is chosen.unit:
            return chosen
        return Result(chosen.value, unit, merge(bonus(test.missing), chosen.missing))


class Variations(Node):
    """First branch whose condition holds. Also how a replaced reference is read."""

    __slots__ = ("branches", "replacement")

    def __init__(self, branches: Sequence[tuple[Node, Node]], *, replacement: bool = False) -> None:
        self.branches = tuple(branches)
        self.replacement = replacement

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        kinds = [of(consequence) for _, consequence in self.branches]
        nullable = any(kind.nullable for kind in kinds)
        return Kind(nullable, next((kind.type for kind in kinds if kind.type), None))

    def compute(self, env: Environment) -> Result:
        value: Value = None
        unit: Unit | None = None
        missing: Mapping[str, int] = {}
        uncertain = False
        for test, consequence in self.branches:
            condition = env.evaluate(test)
            missing = merge(missing, bonus(condition.missing))
            if condition.value is UNDEFINED:
                uncertain = True
            elif not uncertain and is_off(condition.value):
                continue
            if not is_off(condition.value):
                found = env.evaluate(consequence)
                missing = merge(missing, found.missing)
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


class IsUndefined(Node):
    __slots__ = ("inner",)

    def __init__(self, inner: Node) -> None:
        self.inner = inner

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        of(self.inner)
        return Kind(False, "boolean")

    def compute(self, env: Environment) -> Result:
        found = env.evaluate(self.inner)
        return Result(found.value is UNDEFINED, None, found.missing)


class IsNotApplicable(Node):
    """Is the inner node « non applicable »? Avoids computing amounts where it can."""

    __slots__ = ("inner", "kinds")

    def __init__(self, inner: Node, kinds: Mapping[int, Kind]) -> None:
        self.inner = inner
        self.kinds = kinds

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        of(self.inner)
        return Kind(False, "boolean")

    def compute(self, env: Environment) -> Result:
        return _absence(env, self.inner, self.kinds)


def _absence(env: Environment, inner: Node, kinds: Mapping[int, Kind]) -> Result:
    """Is `inner` « non applicable »? Every step is spent; nothing but `inner`'s own parts is
    cached, since the cache is keyed by identity and must only hold nodes of the model."""
    env.spend()
    kind = kinds.get(id(inner))
    if kind is not None and kind.nullable is False and not isinstance(inner, Ref | Rule):
        return Result(False)
    known = env.cache.get(id(inner))
    if known is not None:
        return Result(known.value is None, None, known.missing)
    if isinstance(inner, Rule):
        disabled, missing = inner.disabled(env)
        if disabled:
            return Result(True, None, missing)
        found = _absence(env, inner.body, kinds)
        return Result(found.value, None, merge(missing, found.missing))
    if isinstance(inner, Ref):
        assert inner.rule is not None  # noqa: S101 - linked at import
        return _absence(env, inner.rule, kinds)
    if isinstance(inner, Situated):
        given = env.situation.get(inner.name)
        return _absence(env, inner.inner, kinds) if given is None else Result(given.value is None)
    if isinstance(inner, If):
        test = env.evaluate(inner.test)
        if test.value is True:
            found = _absence(env, inner.yes, kinds)
        elif test.value is False:
            found = _absence(env, inner.no, kinds)
        elif test.value is None:
            found = test
        elif test.value is UNDEFINED:
            no, yes = _absence(env, inner.no, kinds), _absence(env, inner.yes, kinds)
            found = Result(UNDEFINED, None, merge(no.missing, yes.missing))
        else:
            raise RuleEvaluationError(env.where, "a condition must be oui or non")
        return Result(found.value, None, merge(bonus(test.missing), found.missing))
    found = env.evaluate(inner)
    value: Value = UNDEFINED if found.value is UNDEFINED else found.value is None
    return Result(value, None, found.missing)


def bounded(kind: str, value: Node, bound: Node) -> Node:
    """« plafond » or « plancher »."""
    operator = ">" if kind == "plafond" else "<"
    test = Both(Op("!=", bound, NO), Op(operator, value, bound))
    return If(test, bound, value, mechanism=kind, parameter=bound)
