"""What makes an amount: tables, durations, units, rounding."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from federation.aids.dates import elapsed, read_day
from federation.aids.errors import RuleEvaluationError
from federation.aids.publicodes.nodes import Environment, Kind, Node, is_zero, number_of
from federation.aids.publicodes.values import UNDEFINED, Result, Undefined, Value, merge
from federation.aids.rule_units import NO_UNIT, Unit, convert, multiply
from federation.aids.rule_units import simplify as simplify_unit


@dataclass(frozen=True, slots=True)
class Tranche:
    """One line of a table: up to `ceiling` (None: without end), a rate or an amount."""

    ceiling: Node | None
    gives: Node


@dataclass(slots=True)
class _Band:
    """A line of a table once its bounds are known. `active` None: cannot be said yet."""

    gives: Node
    floor: float | Undefined = 0.0
    ceiling: float | Undefined = UNDEFINED
    active: bool | None = None
    after: bool | None = None
    missing: Mapping[str, int] = field(default_factory=dict)


class Table(Node):
    """« barème » (each part of the base at its rate) and « grille » (the amount of one line)."""

    __slots__ = ("base", "factor", "marginal", "tranches")

    def __init__(
        self, base: Node, factor: Node, tranches: Sequence[Tranche], *, marginal: bool
    ) -> None:
        self.base = base
        self.factor = factor
        self.tranches = tuple(tranches)
        self.marginal = marginal

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        of(self.base), of(self.factor)
        for tranche in self.tranches:
            if tranche.ceiling is not None:
                of(tranche.ceiling)
            of(tranche.gives)
        return Kind(False, "number")

    def compute(self, env: Environment) -> Result:
        base, factor = env.evaluate(self.base), env.evaluate(self.factor)
        if is_zero(factor.value):
            raise RuleEvaluationError(env.where, "the multiplier of a table is zero")
        missing = merge(base.missing, factor.missing)
        if not self.marginal:
            return self._one_line(env, base, factor, missing)
        if base.value is UNDEFINED or base.value is None or is_zero(base.value):
            return Result(base.value, base.unit, missing)
        whole = number_of(env, base.value)
        total: float | Undefined = 0.0
        for band in self._bands(env, base, factor):
            if band.after:
                continue
            rate = env.evaluate(band.gives)
            missing = merge(missing, merge(rate.missing, band.missing))
            if rate.value is UNDEFINED or band.floor is UNDEFINED or band.ceiling is UNDEFINED:
                total = UNDEFINED
            elif total is not UNDEFINED:
                share = convert(number_of(env, rate.value), rate.unit, NO_UNIT)
                total += (min(whole, band.ceiling) - band.floor) * share
        return Result(total, base.unit, missing)

    def _one_line(
        self, env: Environment, base: Result, factor: Result, missing: Mapping[str, int]
    ) -> Result:
        bands = self._bands(env, base, factor)
        active = next((band for band in bands if band.active), None)
        if active is not None:
            amount = env.evaluate(active.gives)
            return Result(amount.value, amount.unit, merge(missing, amount.missing))
        if bands[-1].after is False:  # above the last line: the table does not say
            return Result(UNDEFINED, None, missing)
        open_bands = [band for band in bands if band.active is None]
        if not open_bands:
            return Result(False, None, missing)
        amounts = [env.evaluate(band.gives) for band in open_bands]
        for band, amount in zip(open_bands, amounts, strict=True):
            missing = merge(missing, merge(amount.missing, band.missing))
        return Result(UNDEFINED, amounts[0].unit, missing)

    def _bands(self, env: Environment, base: Result, factor: Result) -> list[_Band]:
        """Bounds of each line, until the one the base falls into."""
        bands: list[_Band] = []
        whole = base.value if base.value is UNDEFINED else number_of(env, base.value or 0.0)
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
                    band.missing = merge(band.missing, part.missing)
            elif whole is not UNDEFINED and floor is not UNDEFINED:
                assert band.ceiling is not UNDEFINED  # noqa: S101 - its parts are all known
                if floor and band.ceiling <= floor:
                    raise RuleEvaluationError(env.where, "a line of a table ends before it begins")
                band.active = floor <= whole < band.ceiling
            bands.append(band)
            before = ceiling
        return bands

    @staticmethod
    def _ceiling(env: Environment, ceiling: Result, factor: Result, unit: Unit | None) -> float:
        value = number_of(env, ceiling.value) * number_of(env, factor.value)
        if value in (0, math.inf):
            return value
        try:
            return convert(value, multiply(ceiling.unit, factor.unit), unit)
        except ValueError as error:
            env.mismatch(error)
            return value


class Duration(Node):
    """« durée » between two dates, both written: a rule has no clock."""

    __slots__ = ("since", "unit", "until")

    def __init__(self, since: Node, until: Node, unit: Unit) -> None:
        self.since = since
        self.until = until
        self.unit = unit

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        of(self.since), of(self.until)
        return Kind(False, "number")

    def compute(self, env: Environment) -> Result:
        since, until = env.evaluate(self.since), env.evaluate(self.until)
        missing = merge(since.missing, until.missing)
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


class InUnit(Node):
    __slots__ = ("inner", "unit")

    def __init__(self, inner: Node, unit: Unit) -> None:
        self.inner = inner
        self.unit = unit

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        return Kind(of(self.inner).nullable, "number")

    def compute(self, env: Environment) -> Result:
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


class Simplified(Node):
    __slots__ = ("inner",)

    def __init__(self, inner: Node) -> None:
        self.inner = inner

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        return Kind(of(self.inner).nullable, "number")

    def compute(self, env: Environment) -> Result:
        return _simplify(env.evaluate(self.inner))


def _simplify(found: Result) -> Result:
    if found.unit is None or not isinstance(found.value, float):
        return found
    unit = simplify_unit(found.unit)
    return Result(convert(found.value, found.unit, unit), unit, found.missing)


class Rounded(Node):
    """« arrondi: oui »: to the unit, halves up, as the reference engine does."""

    __slots__ = ("digits", "inner")

    def __init__(self, inner: Node, digits: Node) -> None:
        self.inner = inner
        self.digits = digits

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        of(self.digits)
        return Kind(of(self.inner).nullable, "number")

    def compute(self, env: Environment) -> Result:
        found = _simplify(env.evaluate(self.inner))
        missing = found.missing
        digits: Value = UNDEFINED
        if found.value is not False:
            wanted = env.evaluate(self.digits)
            digits = wanted.value
            missing = merge(missing, wanted.missing)
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
