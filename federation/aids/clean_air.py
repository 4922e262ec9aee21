"""The class of a vehicle's air quality certificate (Crit'Air), by the dated rules of its decree.

`rules/crit_air.json` holds what annex I of the decree of 21 June 2016 says: energy first (electric
and hydrogen, then gas and plug-in hybrids), else the Euro standard, else the day of first
registration. Pure: facts in, a class or what is missing out.
"""

import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

from federation.aids.errors import VehicleRefusedError

__all__ = [
    "AirClass",
    "Classed",
    "Power",
    "VehicleCategory",
    "class_of",
    "decree",
]

OLDEST: Final = date(1890, 1, 1)
"""No vehicle was registered before (ordonnance of 14 August 1893)."""
EURO: Final = range(8)


class VehicleCategory(StrEnum):
    """What the decree tells apart (categories of article R. 311-1 of the highway code)."""

    CAR = "car"
    VAN = "van"
    HEAVY = "heavy"
    """Lorries, buses and coaches."""
    MOTORCYCLE = "motorcycle"
    """With tricycles and quadricycles."""
    MOPED = "moped"


class Power(StrEnum):
    """What moves a vehicle, as its registration certificate says (P.3). A hybrid that does not
    plug in counts as its fuel."""

    ELECTRIC = "electric"
    HYDROGEN = "hydrogen"
    PLUG_IN_HYBRID = "plug-in-hybrid"
    GAS = "gas"
    PETROL = "petrol"
    DIESEL = "diesel"


class AirClass(StrEnum):
    """The classes, cleanest first."""

    ZERO = "0"
    """Class « E »: green certificate."""
    ONE = "1"
    TWO = "2"
    THREE = "3"
    FOUR = "4"
    FIVE = "5"
    UNCLASSED = "none"
    """Too old for a certificate."""

    @property
    def rank(self) -> int:
        """0 for the cleanest, 6 for an unclassed vehicle."""
        return list(AirClass).index(self)

    @property
    def answer(self) -> str:
        """As a rule names it: « classe 3 », « classe E », « non classé »."""
        if self is AirClass.UNCLASSED:
            return "non classé"
        return f"classe {'E' if self is AirClass.ZERO else self.value}"


@dataclass(frozen=True, slots=True)
class Classed:
    """A class and what it was read from."""

    value: AirClass
    by: str
    """`energy`, `euro` or `date`."""
    in_force_from: date
    """Of the edition of the table that was read."""


@dataclass(frozen=True, slots=True)
class _Edition:
    in_force_from: date
    ageless: dict[str, str]
    tables: dict[str, dict[str, list[list[Any]]]]


@cache
def _read() -> tuple[dict[str, str], tuple[_Edition, ...]]:
    text = resources.files("federation.aids").joinpath("rules/crit_air.json").read_text("utf-8")
    body = json.loads(text)
    found = tuple(
        _Edition(
            date.fromisoformat(entry["in_force_from"]),
            entry["whatever_the_age"],
            entry["tables"],
        )
        for entry in body["editions"]
    )
    return body["_meta"], tuple(sorted(found, key=lambda e: e.in_force_from))


def decree() -> dict[str, str]:
    """Source, link and date of the table, to be shown beside a class."""
    return dict(_read()[0])


def class_of(
    category: VehicleCategory,
    power: Power,
    *,
    at: date,
    euro: int | None = None,
    first_registered: date | None = None,
) -> Classed | None:
    """The class on the day `at`; None while neither the standard nor the day is known and the
    class depends on it.

    Raises:
        VehicleRefusedError: `.where` is `euro`, `first_registered` (before the first vehicles, or
        after `at`) or `at` (before the decree).
    """
    if euro is not None and euro not in EURO:
        raise VehicleRefusedError("euro", "a Euro standard is 0 to 7")
    if first_registered is not None and not OLDEST <= first_registered <= at:
        raise VehicleRefusedError("first_registered", "not a day of first registration")
    editions = [e for e in _read()[1] if e.in_force_from <= at]
    if not editions:
        raise VehicleRefusedError("at", "before the decree")
    edition = editions[-1]
    ageless = edition.ageless.get(power.value)
    if ageless is not None:
        return Classed(AirClass(ageless), "energy", edition.in_force_from)
    table = edition.tables[category.value]
    rows = table["any"] if "any" in table else table[power.value]
    if euro is not None:
        best = max(number for row in rows for number in row[1])
        for name, standards, _, _ in rows:
            if euro in standards or (euro > best and best in standards):
                return Classed(AirClass(name), "euro", edition.in_force_from)
        if euro or not any(not row[1] for row in rows):
            return Classed(AirClass.UNCLASSED, "euro", edition.in_force_from)
        # No standard at all is a row of its own for two wheels: the day tells.
    if first_registered is None:
        return None
    for name, _, since, until in rows:
        if date.fromisoformat(since) <= first_registered and (
            until is None or first_registered <= date.fromisoformat(until)
        ):
            return Classed(AirClass(name), "date", edition.in_force_from)
    return Classed(AirClass.UNCLASSED, "date", edition.in_force_from)
