"""A territory as somebody who lives or works there sees it: its aids, by what people do.

```
place_of("epci", "200043776") → Place          a commune, EPCI, departement or region, by code
portrait(catalogue, place, day) → Portrait     aids in force there, the most each gives, the rest
```
An aid is *whole* there when it is valid in every commune of the territory; those of smaller places
inside are counted place by place, and each has its own portrait.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from federation.aids.catalogue import Catalogue
from federation.aids.ceiling import Ceiling, ceiling_of
from federation.aids.eligibility import Fact, Facts, FactSource, Outcome
from federation.aids.model import Aid, CheckMode
from federation.aids.publicodes import Engine
from federation.aids.territories import (
    EVERYWHERE,
    Commune,
    TerritoryCodes,
    by_code,
    communes,
    territory_name,
)

__all__ = [
    "DEEDS",
    "LEVELS",
    "Inside",
    "Place",
    "Portrait",
    "Seen",
    "deeds_of",
    "evaluate_there",
    "place_facts",
    "place_of",
    "places_of",
    "portrait",
]

LEVELS: Final = ("commune", "epci", "departement", "region")

DEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cycle": ("velo", "achat-velo", "entretien"),
    "transit": ("transport-en-commun", "transport-a-la-demande"),
    "carpool": ("covoiturage",),
    "share": ("autopartage", "libre-service", "trottinette"),
    "walk": ("marche",),
    "car": ("voiture", "conversion", "acces-zone"),
    "licence": ("permis",),
    "work": ("emploi", "trajet-domicile-travail", "deplacement", "accompagnement"),
    "other": (),
}
"""What people do → themes of aids. An aid stands under the first; the others are named with it."""

_NEAREST: Final = ("commune", "epci", "departement", "region", "state")


@dataclass(frozen=True, slots=True)
class Place:
    """A territory and the communes in it."""

    level: str
    code: str
    name: str
    communes: tuple[Commune, ...]
    """By code; a commune holds itself."""
    around: TerritoryCodes
    """Every territory that all of it lies in, itself included."""
    inside: TerritoryCodes
    """Every other territory that a commune of it lies in."""

    @property
    def population(self) -> int:
        """Legal population of its communes."""
        return sum(commune.population for commune in self.communes)

    @property
    def capital(self) -> Commune:
        """The commune most people live in: where an example is told."""
        return max(self.communes, key=lambda c: (c.population, c.code))


@dataclass(frozen=True, slots=True)
class Seen:
    """One aid as it is told there."""

    aid: Aid
    near: str
    """Level of its nearest territory; `state` without one."""
    ceiling: Ceiling | None
    deeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inside:
    """A smaller territory with aids of its own."""

    level: str
    code: str
    name: str
    aids: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is in force in a place on a day."""

    place: Place
    groups: Mapping[str, tuple[Seen, ...]]
    """Deed → aids valid in all of it, the nearest first."""
    inside: tuple[Inside, ...]

    @property
    def aids(self) -> tuple[Seen, ...]:
        """Every aid valid in all of it."""
        return tuple(seen for group in self.groups.values() for seen in group)


def place_of(level: str, code: str) -> Place | None:
    """The territory of a level and code; None when there is none, or none has a commune."""
    if level not in LEVELS:
        return None
    if level == "commune":
        here = by_code(code)
        if here is None:
            return None
        return Place(level, here.code, here.name, (here,), here.codes, frozenset())
    return _wide(level, code)


@lru_cache(maxsize=256)
def _wide(level: str, code: str) -> Place | None:
    name = territory_name(level, code)
    here = tuple(c for c in communes() if (level, code) in c.codes) if name else ()
    if not here or name is None:
        return None
    codes = [c.codes for c in here]
    around = frozenset.intersection(*codes)
    return Place(level, code, name, here, around, frozenset.union(*codes) - around)


def places_of(here: Commune) -> tuple[Place, ...]:
    """A commune and the territories it lies in, the nearest first."""
    found = [
        place_of(level, code)
        for level, code in sorted(here.codes, key=lambda pair: (_rank(pair[0]), pair[1]))
        if level in LEVELS
    ]
    return tuple(place for place in found if place is not None)


def _rank(level: str) -> int:
    return _NEAREST.index(level) if level in _NEAREST else len(_NEAREST)


def deeds_of(aid: Aid) -> tuple[str, ...]:
    """What an aid is for, in the order of `DEEDS`; `other` when no theme says."""
    found = tuple(deed for deed, themes in DEEDS.items() if set(themes) & set(aid.themes))
    return found or ("other",)


def portrait(catalogue: Catalogue, place: Place, at: date) -> Portrait:
    """What is in force in `place` on that civil day."""
    groups: dict[str, list[Seen]] = {deed: [] for deed in DEEDS}
    inside: dict[tuple[str, str], int] = {}
    for aid in catalogue.aids:
        if not aid.is_open(at):
            continue
        if aid.covers(place.around):
            near = _near(aid, place.around)
            deeds = deeds_of(aid)
            most = most_of(catalogue, aid, place.capital, at)
            groups[deeds[0]].append(Seen(aid, near, most, deeds))
            continue
        for territory in aid.territories:
            key = (territory.kind.value, territory.code)
            if key in place.inside:
                inside[key] = inside.get(key, 0) + 1
    smaller = [
        Inside(level, code, territory_name(level, code) or code, count)
        for (level, code), count in inside.items()
    ]
    return Portrait(
        place,
        {
            deed: tuple(sorted(found, key=_order))
            for deed, found in groups.items()
            if found
        },
        tuple(sorted(smaller, key=lambda one: (-_rank(one.level), one.name, one.code))),
    )  # fmt: skip


def _near(aid: Aid, around: TerritoryCodes) -> str:
    levels = [t.kind.value for t in aid.territories if (t.kind.value, t.code) in around]
    return min(levels, key=_rank, default="state")


def _order(seen: Seen) -> tuple[int, bool, str]:
    aid = seen.aid
    return _rank(seen.near), aid.check_mode is CheckMode.LINK_OUT, aid.slug


def most_of(catalogue: Catalogue, aid: Aid, here: Commune, at: date) -> Ceiling | None:
    """The most an aid gives to somebody of a commune, with the figures in force that day."""
    engine = catalogue.engine(aid)
    read = _variables(engine, aid.rule.rule)
    known: dict[str, str] = {
        p.name: p.value
        for p in aid.parameters
        if p.name in read and p.valid_from <= at and (p.valid_until is None or at <= p.valid_until)
    }
    located, _ = place_facts(here, engine)
    known |= {name: f"'{fact.value}'" for name, fact in located.items() if name in read}
    return _most(engine, aid.rule.rule, tuple(sorted(known.items())))


@lru_cache(maxsize=4_096)
def _variables(engine: Engine, rule: str) -> frozenset[str]:
    return frozenset(engine.reading(rule))


@lru_cache(maxsize=4_096)
def _most(engine: Engine, rule: str, known: tuple[tuple[str, str], ...]) -> Ceiling | None:
    # Only what a published model and a place say is remembered: nobody's answer is in `known`.
    return ceiling_of(engine, rule, dict(known))


def place_facts(here: Commune, engine: Engine) -> tuple[dict[str, Fact], TerritoryCodes]:
    """What a commune says of itself to a model, and the codes of its territories."""
    places = {
        "localisation . code insee": here.code,
        "localisation . epci": here.epci_name or "",
        "localisation . département": here.departement,
        "localisation . région": here.region,
    }
    located = {
        name: Fact(value, FactSource.RECORD)
        for name, value in places.items()
        if value and name in engine
    }
    return located, here.codes


def evaluate_there(
    catalogue: Catalogue, here: Commune | None, values: Mapping[str, Fact], at: date
) -> list[tuple[Aid, Outcome]]:
    """What each aid of a commune (of the whole country without one) gives for these answers."""
    codes = here.codes if here is not None else frozenset((EVERYWHERE,))
    found = []
    for aid in catalogue.aids:
        if not aid.is_open(at) or not aid.covers(codes):
            continue
        engine = catalogue.engine(aid)
        located, places = place_facts(here, engine) if here is not None else ({}, codes)
        known = {name: fact for name, fact in values.items() if name in engine}
        facts = Facts(at=at, values={**known, **located}, territories=places)
        found.append((aid, catalogue.evaluate(aid, facts)))
    return found
