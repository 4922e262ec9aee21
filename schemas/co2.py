"""Emissions of a ride: ADEME factors, with id, version and boundary beside each figure.

Computed, never stored as a fact of the trip: when the table changes, so does the answer, and the
version says which table it came from. Source and choices: `data/co2_factors.json`, `_meta`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from .making import unchecked
from .modes import MODES, Mode
from .units import GramsCO2e, Lang, Metres

_FILE: Final = Path(__file__).parent / "data" / "co2_factors.json"
_URBAN_BUS_M: Final = 15_000
_REGIONAL_TRAIN_M: Final = 150_000
_COACH, _INTERCITES, _CAR = 6, 3, 4
DEFAULT_OCCUPANTS: Final = 2
"""Of a carpool whose size is unknown: the fewest it can be."""


@dataclass(frozen=True, slots=True)
class Emission:
    """What a ride emitted, and how that was computed."""

    grams: GramsCO2e
    factor_id: int
    """ADEME / Impact CO2 id."""
    factor_label: Mapping[Lang, str]
    kg_per_km: Decimal
    """Per person: a shared car is already divided by its occupants."""
    version: str
    boundary: str


_emission: Final = unchecked(Emission)
_ONE: Final = Decimal(1)


@cache
def _table() -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    return document["_meta"], {factor["id"]: factor for factor in document["factors"]}


def version() -> str:
    """Version of the factor table."""
    found: str = _table()[0]["version"]
    return found


def boundary_text(lang: Lang = "fr") -> str:
    """What the factors include, in words."""
    found: str = _table()[0]["boundary_text"][lang]
    return found


def factor_id(mode: Mode, distance: Metres) -> int | None:
    """The ADEME factor of a ride; None where no emission is claimed."""
    if mode is Mode.BUS and distance > _URBAN_BUS_M:
        return _COACH
    if mode is Mode.TRAIN and distance > _REGIONAL_TRAIN_M:
        return _INTERCITES
    if mode is Mode.CARPOOL:
        return _CAR
    return MODES[mode].ademe


def of_factor(factor: int, distance: Metres, *, occupants: int = 1) -> Emission:
    """The emission of `distance` by the ADEME factor `factor`, per person.

    Raises:
        KeyError: no such factor in the table.
    """
    meta, factors = _table()
    label, rates = factors[factor]["label"], _rates(meta["version"], factor, occupants)
    kg_per_km = next(rate for most, rate in rates if most is None or distance <= most)
    # kilograms per kilometre times metres are grams
    grams = (kg_per_km * distance).quantize(_ONE, ROUND_HALF_EVEN)
    return _emission(
        GramsCO2e(int(grams)), factor, label, kg_per_km, meta["version"], meta["boundary"]
    )


@lru_cache(maxsize=256)
def _rates(version: str, factor: int, occupants: int) -> tuple[tuple[int | None, Decimal], ...]:
    """Kilograms a kilometre and person, each up to how many metres (None: any), in the table of
    this version."""
    meta, factors = _table()
    assert meta["version"] == version  # noqa: S101  # the caller read it there
    entry = factors[factor]
    share = occupants if entry["unit"] == "vehicle.km" else 1
    return tuple(
        (band["max_km"] * 1000 if "max_km" in band else None, Decimal(band["kg_per_km"]) / share)
        for band in entry.get("bands", (entry,))
    )


def emission(mode: Mode, distance: Metres, *, occupants: int | None = None) -> Emission | None:
    """What one person emitted on a ride, or None when no factor fits (unknown mode, ferry).

    `occupants` of a carpool, the driver included; `DEFAULT_OCCUPANTS` when unknown. Ignored for
    every other mode: a car is one person's unless it is a carpool.
    """
    factor = factor_id(mode, distance)
    if factor is None:
        return None
    people = (occupants or DEFAULT_OCCUPANTS) if mode is Mode.CARPOOL else 1
    return of_factor(factor, distance, occupants=max(1, people))


def counterfactual(distance: Metres) -> Emission:
    """The same distance alone in a thermal car (ADEME 4); shown beside, never subtracted."""
    return of_factor(_CAR, distance)


__all__ = [
    "DEFAULT_OCCUPANTS",
    "Emission",
    "boundary_text",
    "counterfactual",
    "emission",
    "factor_id",
    "of_factor",
    "version",
]
