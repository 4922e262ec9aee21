"""What adds up and what excludes what, and an example of it computed for a made-up person.

Two things say that two aids exclude each other: a family (the hub's ledger holds to it), and the
bicycle model (« une seule aide par collectivité », as upstream counts them). All else stands in
words of the funder (`Aid.stacking`), and where no word says anything, nothing is claimed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from federation.aids.eligibility import Fact, FactSource, Outcome
from federation.aids.model import Aid, Text
from federation.aids.shipped import shipped
from federation.aids.velo import VELO_MODEL
from schemas.units import Cents

__all__ = [
    "Combination",
    "Counted",
    "Exclusion",
    "Profile",
    "Said",
    "combine",
    "exclusions",
    "profiles",
    "said",
]

FAMILY: Final = "family"
COLLECTIVITY: Final = "collectivity"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Aids of which a person has one at a time. `why`: `family` or `collectivity`."""

    why: str
    key: str
    """The family, or the level of the collectivity."""
    aids: tuple[Aid, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of funders about adding up, and whose aids say it."""

    words: Text
    aids: tuple[Aid, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """One aid of an example. `instead` is the aid counted in its place; None when it counts."""

    aid: Aid
    amount: Cents
    per: str
    instead: Aid | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Combination:
    """What a made-up person would get, and how it adds up."""

    counted: tuple[Counted, ...]
    left_out: tuple[Counted, ...]
    totals: Mapping[str, Cents]
    """Period (`an`, `mois`, empty for once) → sum of what counts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A made-up person, by their answers. No figure of a real one is in it."""

    id: str
    titles: Text
    texts: Text
    themes: frozenset[str]
    """What they want to do: aids for anything else are not counted."""
    values: Mapping[str, Fact]

    def wants(self, aid: Aid) -> bool:
        """True when the aid is for something they want to do."""
        return bool(self.themes & set(aid.themes))


@cache
def profiles() -> tuple[Profile, ...]:
    """The made-up people of `rules/profiles.json`, in its order."""
    table = shipped("rules/profiles.json")
    return tuple(
        Profile(
            str(row["id"]),
            dict(row["titles"]),
            dict(row["texts"]),
            frozenset(row["themes"]),
            {name: _fact(answer) for name, answer in row["answers"].items()},
        )
        for row in table["profiles"]
    )


def _fact(answer: Any) -> Fact:
    if isinstance(answer, Mapping):
        return Fact(answer["value"], FactSource.ANSWER, unit=str(answer["unit"]))
    return Fact(answer, FactSource.ANSWER)


def _key(aid: Aid) -> tuple[str, str] | None:
    if aid.family:
        return FAMILY, aid.family
    if aid.rule.model == VELO_MODEL:
        return COLLECTIVITY, aid.funder_level.value
    return None


def exclusions(aids: Iterable[Aid]) -> tuple[Exclusion, ...]:
    """The sets of two or more of these aids that exclude each other."""
    found: dict[tuple[str, str], list[Aid]] = {}
    for aid in aids:
        key = _key(aid)
        if key is not None:
            found.setdefault(key, []).append(aid)
    return tuple(
        Exclusion(why, key, tuple(kept)) for (why, key), kept in found.items() if len(kept) > 1
    )


def said(aids: Iterable[Aid]) -> tuple[Said, ...]:
    """What funders say of adding up, each sentence once, what most aids say last."""
    found: dict[str, tuple[Text, list[Aid]]] = {}
    for aid in aids:
        for text in aid.stacking:
            found.setdefault(text.get("fr", ""), (text, []))[1].append(aid)
    rows = [Said(text, tuple(kept)) for words, (text, kept) in found.items() if words]
    return tuple(sorted(rows, key=lambda row: len(row.aids)))


def combine(outcomes: Sequence[tuple[Aid, Outcome]]) -> Combination:
    """Of the amounts that are due, those that count together: of aids that exclude each other, the
    largest. An amount that rests on the rule's own defaults counts, since a made-up person has
    nothing to correct."""
    due = [
        Counted(aid, outcome.amount, outcome.per)
        for aid, outcome in outcomes
        if outcome.is_eligible and outcome.amount
    ]
    due.sort(key=lambda one: (-one.amount, one.aid.slug))
    best: dict[tuple[str, str], Aid] = {}
    counted: list[Counted] = []
    left_out: list[Counted] = []
    totals: dict[str, int] = {}
    for one in due:
        key = _key(one.aid)
        if key is not None and key in best:
            left_out.append(Counted(one.aid, one.amount, one.per, best[key], key[0]))
            continue
        if key is not None:
            best[key] = one.aid
        counted.append(one)
        totals[one.per] = totals.get(one.per, 0) + one.amount
    return Combination(
        tuple(counted),
        tuple(left_out),
        {per: Cents(totals[per]) for per in ("", "an", "mois") if per in totals},
    )
