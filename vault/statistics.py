"""Totals for people: kilometres, minutes and emissions, by day, month, mode, purpose, source….

Counted by leg, so a journey by bicycle and train adds to both. Each row says which factors of which
version it was computed with; nothing is stored, so a new table changes every figure at once and
overwrites none. `Statistics` remembers answers of the open vault under the digests of the months
they rest on; `totals` computes over any trips.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal

from schemas import co2
from schemas.ids import Iri
from schemas.modes import Mode
from schemas.records import Compartment, Leg, Trip
from schemas.units import GramsCO2e, Lang, Metres, Seconds
from vault.almanac import LegFact
from vault.errors import RecordInvalidError
from vault.months import UNDATED

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

By = Literal["total", "year", "month", "day", "weekday", "mode", "evidence", "purpose", "source"]
COUNTERFACTUAL: Final = "car-alone"
COUNTERFACTUAL_FACTOR: Final = 4
_METHOD: Final[Mapping[Lang, str]] = {
    "fr": "la même distance, seul·e dans une voiture thermique (facteur ADEME n° 4) ; une"
    " comparaison, pas une mesure. Les distances sans facteur ne comptent d'aucun côté.",
    "en": "the same distance, alone in a thermal car (ADEME factor 4); a comparison, not a"
    " measurement. Distances without a factor count on neither side.",
}
_REMEMBERED: Final = 64


def method_text(lang: Lang = "fr") -> str:
    """How the counterfactual is made, in words."""
    return _METHOD[lang]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of totals."""

    key: str
    """`2026-03`, `bicycle`, `sensed`…; empty for what has none."""
    trips: int
    """Trips with at least one leg in this row; rows by mode may count one trip twice."""
    legs: int
    distance: Metres
    duration: Seconds
    emission: GramsCO2e
    counterfactual: GramsCO2e
    """The same rides alone in a thermal car, only those whose emission is known."""
    without_factor: Metres
    """Distance for which no factor fits: in neither emission nor counterfactual."""
    factors: tuple[int, ...]
    """ADEME ids used, in order."""
    factor_version: str
    boundary: str

    @property
    def avoided(self) -> GramsCO2e:
        """Counterfactual less emission; negative where the ride emitted more than a car."""
        return GramsCO2e(self.counterfactual - self.emission)


@dataclass(frozen=True, slots=True)
class Filter:
    """Legs that count. Every part narrows; an empty one does not."""

    modes: frozenset[Mode] = frozenset()
    purposes: frozenset[str] = frozenset()
    """`""` means no purpose."""
    sources: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Sum:
    trips: set[Iri] = field(default_factory=set)
    legs: int = 0
    distance: int = 0
    duration: int = 0
    emission: int = 0
    counterfactual: int = 0
    without_factor: int = 0
    factors: set[int] = field(default_factory=set)

    def add(self, leg: LegFact) -> None:
        self.trips.add(leg.trip)
        self.legs += 1
        self.distance += leg.distance
        self.duration += leg.duration
        if leg.emission is None or leg.factor is None:
            self.without_factor += leg.distance
            return
        self.emission += leg.emission
        self.counterfactual += leg.alone
        self.factors.add(leg.factor)


_KEYS: Final[dict[str, Callable[[LegFact], str]]] = {
    "total": lambda _leg: "",
    "year": lambda leg: leg.day[:4],
    "month": lambda leg: leg.day[:7],
    "day": lambda leg: leg.day,
    "weekday": lambda leg: str(date.fromisoformat(leg.day).isoweekday()),
    "mode": lambda leg: leg.mode.value,
    "evidence": lambda leg: leg.evidence,
    "purpose": lambda leg: leg.purpose,
    "source": lambda leg: leg.source,
}
_ORDER: Final = {mode.value: index for index, mode in enumerate(Mode)}


def totals(trips: Iterable[Trip], by: By = "month") -> tuple[Row, ...]:
    """Rows sorted by key; by mode, in the order of `Mode`. By source all are one: a
    trip's observations know it (`OpenVault.statistics` asks them)."""
    return _rows(
        (_fact(trip, leg) for trip in trips for leg in trip.legs or (_whole(trip),)),
        by,
        _KEYS[by],
    )


def _rows(legs: Iterable[LegFact], by: By, key_of: Callable[[LegFact], str]) -> tuple[Row, ...]:
    sums: dict[str, _Sum] = {}
    for leg in legs:
        key = key_of(leg)
        found = sums.get(key)
        if found is None:
            found = sums[key] = _Sum()
        found.add(leg)
    order = sorted(sums, key=_ORDER.__getitem__) if by == "mode" else sorted(sums)
    return tuple(_row(key, sums[key]) for key in order)


def _whole(trip: Trip) -> Leg:
    return Leg(
        id=trip.id,
        mode=trip.mode,
        mode_evidence=trip.mode_evidence,
        distance=trip.distance,
        started_at=trip.started_at,
        ended_at=trip.ended_at,
    )


def _fact(trip: Trip, leg: Leg) -> LegFact:
    emitted = co2.emission(leg.mode, leg.distance)
    return LegFact(
        trip.id,
        trip.local_date.isoformat(),
        leg.mode,
        leg.mode_evidence.value,
        trip.purpose or "",
        leg.distance,
        leg.duration,
        None if emitted is None else emitted.grams,
        0 if emitted is None else co2.counterfactual(leg.distance).grams,
        None if emitted is None else emitted.factor_id,
        "",
    )


def _row(key: str, total: _Sum) -> Row:
    return Row(
        key=key,
        trips=len(total.trips),
        legs=total.legs,
        distance=Metres(total.distance),
        duration=Seconds(total.duration),
        emission=GramsCO2e(total.emission),
        counterfactual=GramsCO2e(total.counterfactual),
        without_factor=Metres(total.without_factor),
        factors=tuple(sorted(total.factors)),
        factor_version=co2.version(),
        boundary=co2.of_factor(30, Metres(0)).boundary,
    )


class Statistics:
    """Answers about one open vault, remembered until one of their months changes."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._answers: OrderedDict[object, tuple[Row, ...]] = OrderedDict()

    def clear(self) -> None:
        with self._guard:
            self._answers.clear()

    def rows(
        self, vault: "OpenVault", by: By, *, since: date, until: date, only: Filter
    ) -> tuple[Row, ...]:
        """As `OpenVault.statistics`."""
        if by not in _KEYS:
            raise RecordInvalidError("no such division of totals", where="/by")
        with vault.library.reading() as shelf:
            # A local day may be filed under the UTC month before or after its own.
            first = (since - timedelta(days=1)).isoformat()[:7]
            last = (until + timedelta(days=1)).isoformat()[:7]
            months = [
                m for m in shelf.months(Compartment.TRIPS) if m != UNDATED and first <= m <= last
            ]
            named = vault.almanac.named(shelf, months)
            asked = (by, since, until, only, co2.version(), tuple(months), named)
            with self._guard:
                kept = self._answers.get(asked)
                if kept is not None:
                    self._answers.move_to_end(asked)
                    return kept
            legs = vault.almanac.legs(shelf, months)
        vault.almanac.keep(vault.library)
        low, high = since.isoformat(), until.isoformat()

        counted = (
            leg
            for leg in legs
            if low <= leg.day <= high
            and (not only.modes or leg.mode in only.modes)
            and (not only.purposes or leg.purpose in only.purposes)
            and (not only.evidence or leg.evidence in only.evidence)
            and (not only.sources or leg.source in only.sources)
        )
        found = _rows(counted, by, _KEYS[by])
        with self._guard:
            self._answers[asked] = found
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return found


__all__ = [
    "COUNTERFACTUAL",
    "COUNTERFACTUAL_FACTOR",
    "By",
    "Filter",
    "Row",
    "Statistics",
    "method_text",
    "totals",
]
