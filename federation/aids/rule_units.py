"""Units of the rule language: parse, print, convert, and combine.

A unit is two sorted-by-appearance tuples of base units. Conversion factors and their use follow
publicodes 1.10.3 (MIT), so that amounts stay equal to the reference engine to the last bit.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from schemas.units import Cents

__all__ = ["NO_UNIT", "PERCENT", "Unit", "convert", "divide", "is_convertible", "multiply"]


@dataclass(frozen=True, slots=True)
class Unit:
    """`€/an` is `Unit(("€",), ("an",))`."""

    numerators: tuple[str, ...]
    denominators: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """Read `€/an.personne`.

        Raises:
            ValueError: a space after a slash, or nothing to read.
        """
        if "/ " in text:
            raise ValueError("no space after « / » in a unit")
        head, *rest = text.split("/")
        unit = cls(_split(head), tuple(name for part in rest for name in _split(part)))
        if not unit.numerators and not unit.denominators:
            raise ValueError("empty unit")
        return unit

    def __str__(self) -> str:
        unit = _cancel(self, same_class=False)
        head = ".".join(_powers(unit.numerators))
        tail = ".".join(_powers(unit.denominators))
        return f"{head}/{tail}" if tail else head


NO_UNIT: Final = Unit(())
PERCENT: Final = Unit(("%",))

_FACTORS: Final[dict[tuple[str, str], float]] = {
    ("mois", "an"): 12,
    ("jour", "an"): 365,
    ("jour", "mois"): 365 / 12,
    ("trimestre", "an"): 4,
    ("mois", "trimestre"): 3,
    ("jour", "trimestre"): (365 / 12) * 3,
    ("€", "k€"): 1000,
    ("g", "kg"): 1000,
    ("mg", "g"): 1000,
    ("mg", "kg"): 1_000_000,
    ("m", "km"): 1000,
    ("cm", "m"): 100,
    ("mm", "cm"): 10,
    ("mm", "m"): 1000,
    ("cm", "km"): 100_000,
    ("mm", "km"): 1_000_000,
}
_CLASSES: Final[dict[str, str]] = {
    name: kind
    for kind, names in {
        "time": ("mois", "an", "jour", "trimestre"),
        "money": ("€", "k€"),
        "mass": ("g", "kg", "mg"),
        "length": ("m", "km", "cm", "mm"),
    }.items()
    for name in names
}


def _split(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for part in text.strip().split("."):
        if not part.strip():
            continue
        name = part.strip()
        power = 1
        if len(name) > 1 and name[-1].isdigit() and not name[-2].isdigit():
            name, power = name[:-1], int(name[-1])
        names.extend([name] * max(power, 1))
    return tuple(names)


def _powers(names: tuple[str, ...]) -> list[str]:
    return [f"{name}{count}" if count > 1 else name for name, count in Counter(names).items()]


def _class(name: str) -> str:
    return _CLASSES.get(name, name)


def _cancel(unit: Unit, *, same_class: bool) -> Unit:
    """Take away what stands above and below (`€/€` is nothing)."""
    above, below = list(unit.numerators), list(unit.denominators)
    for name in (*unit.numerators, *unit.denominators):
        key = _class(name) if same_class else name
        up = next((n for n in above if (_class(n) if same_class else n) == key), None)
        down = next((n for n in below if (_class(n) if same_class else n) == key), None)
        if up is not None and down is not None:
            above.remove(up)
            below.remove(down)
    return Unit(tuple(above), tuple(below))


@lru_cache(maxsize=1_024)
def multiply(left: Unit | None, right: Unit | None) -> Unit | None:
    """Unit of a product."""
    if left is None or right is None:
        return left or right
    return _cancel(
        Unit(left.numerators + right.numerators, left.denominators + right.denominators),
        same_class=False,
    )


@lru_cache(maxsize=1_024)
def divide(left: Unit | None, right: Unit | None) -> Unit | None:
    """Unit of a quotient; None when it has none."""
    if left is None and right is None:
        return None
    bottom = right or NO_UNIT
    return multiply(left or NO_UNIT, Unit(bottom.denominators, bottom.numerators))


def _single(source: str, target: str) -> float | None:
    factor = _FACTORS.get((target, source))
    if factor is not None:
        return factor
    inverse = _FACTORS.get((source, target))
    return None if inverse is None else 1 / inverse


def _factor(sources: tuple[str, ...], targets: tuple[str, ...]) -> float:
    value = float(100 ** (targets.count("%") - sources.count("%")))
    for source in sources:
        for target in targets:
            factor = _single(source, target)
            if factor:
                value *= factor
                break
    return value


def _without_percent(unit: Unit) -> Unit:
    return Unit(
        tuple(n for n in unit.numerators if n != "%"),
        tuple(n for n in unit.denominators if n != "%"),
    )


@lru_cache(maxsize=1_024)
def _simplified(unit: Unit) -> tuple[Unit, float]:
    factor = round(_factor(unit.numerators, unit.denominators), 16)
    return _cancel(_without_percent(unit), same_class=True), factor


@lru_cache(maxsize=1_024)
def simplify(unit: Unit) -> Unit:
    """`€.mois/an` becomes `€`; several `%` become one."""
    small = _cancel(unit, same_class=True)
    if small.numerators and all(name == "%" for name in small.numerators):
        return Unit(("%",), small.denominators)
    return _without_percent(small)


@lru_cache(maxsize=1_024)
def is_convertible(left: Unit | None, right: Unit | None) -> bool:
    """True when both measure the same thing. A value without unit agrees with any."""
    if left is None or right is None:
        return True

    def balance(unit: Unit) -> Counter[str]:
        count: Counter[str] = Counter()
        for name in unit.numerators:
            count[_class(name)] += 1
        for name in unit.denominators:
            count[_class(name)] -= 1
        count.pop("%", None)
        return Counter({name: n for name, n in count.items() if n})

    return dict(balance(left)) == dict(balance(right))


def convert(value: float, source: Unit | None, target: Unit | None) -> float:
    """`value` in `target`.

    Raises:
        ValueError: the units measure different things.
    """
    if not is_convertible(source, target):
        raise ValueError(f"« {source} » is not « {target} »")
    if not value or source is None or source == target:
        return value
    small_source, factor_source = _simplified(source)
    small_target, factor_target = _simplified(target or NO_UNIT)
    return float(
        f"{(value * factor_source) / factor_target * _factor(small_source.numerators, small_target.numerators) * _factor(small_target.denominators, small_source.denominators):.16f}"  # noqa: E501 - one product, in the reference engine's order
    )


def to_cents(value: float, unit: Unit | None) -> Cents:
    """Euros leaving the engine: cents, rounded once, half up, in Decimal.

    `0.1 + 0.2` style noise is cut at 9 decimals first (the shortest repr of a double has 17
    significant digits; amounts of aids stay under 10 million euros).
    """
    if unit is not None and "€" in unit.numerators and unit.denominators == ():
        value = convert(value, unit, Unit(("€",)))
    exact = Decimal(repr(float(value))).quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)
    return Cents(int((exact * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)))
