"""Finding aids: French words, a place, a mode, a theme, a funder, a profile; and why in that order.

```
Finder(catalogue, day)              one index per catalogue version and day
  .find(Query("vae pliable", commune=by_code("31555"))) → Found(hits, facets)
```
Words are compared without accents, capitals and plural; `rules/synonyms.json` makes one concept of
what people and funders write differently (« VAE », « vélo à assistance électrique ») and says which
concept is part of which. Every word asked for must be found; when no aid has them all, those that
lack one are given, and the answer says so.

The order is the sum over the words of (weight of the best field × how rare the word is), then the
nearest territory, then aids asked for here, then the newest verification, then the name: each hit
says which of these it owes its place to.
"""

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import chain
from typing import Any, Final

from federation.aids.catalogue import Catalogue
from federation.aids.model import Aid, CheckMode
from federation.aids.shipped import shipped
from federation.aids.territories import EVERYWHERE, Commune, plain, territory_name

__all__ = [
    "FIELDS",
    "MODES",
    "PROFILES",
    "Finder",
    "Found",
    "Hit",
    "Query",
    "profiles_of",
    "synonyms",
]

FIELDS: Final[Mapping[str, float]] = {
    "title": 6.0,
    "theme": 5.0,
    "funder": 4.0,
    "territory": 4.0,
    "summary": 2.0,
    "conditions": 1.0,
    "rule": 1.0,
}
"""Weight of a word by where it stands: chosen so that a title outweighs any text below it."""
_EXACT: Final = 1.25
"""The very word asked for, and not only one of the same concept, weighs a quarter more."""

MODES: Final = (
    "velo",
    "covoiturage",
    "transport-en-commun",
    "transport-a-la-demande",
    "voiture",
    "autopartage",
    "libre-service",
    "trottinette",
    "marche",
)
"""Themes that are a way of travelling."""

PROFILES: Final[Mapping[str, str]] = {
    "etudiant": r"étudiant",
    "apprenti": r"apprenti",
    "demandeur-emploi": r"demandeur d'emploi|chômeu",
    "salarie": r"salarié",
    "agent-public": r"agent public",
    "retraite": r"retraité",
    "jeune": r"âge <|de 1[58] à 25 ans|mineur|jeune",
    "handicap": r"handicap|AAH|invalidité",
    "revenus-modestes": r"revenu fiscal|minima sociaux|RSA|quotient familial|modeste|ISR \.",
}
"""Who an aid's rule makes a difference for: code → what the rule's own text names."""

_WORD: Final = re.compile(r"[a-z0-9]+")
_NOT_RULE: Final = frozenset(
    ("titre", "titre en", "question", "question en", "description", "note", "lien", "références")
)
_NEAR: Final = ("commune", "epci", "departement", "region", "state")
MAX_WORDS: Final = 12
MAX_PREFIX: Final = 64
"""Words that one unfinished word may stand for."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Forms as tuples of words → concept; concept → wider ones."""

    forms: Mapping[tuple[str, ...], str]
    broader: Mapping[str, tuple[str, ...]]
    longest: int

    def concepts(self, words: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(concept or word, the words it was read from), the longest form first, left to right."""
        at = 0
        while at < len(words):
            for size in range(min(self.longest, len(words) - at), 0, -1):
                piece = tuple(words[at : at + size])
                concept = self.forms.get(piece)
                if concept is not None:
                    yield f"={concept}", piece
                    at += size
                    break
            else:
                yield words[at], (words[at],)
                at += 1

    def widened(self, concept: str) -> tuple[str, ...]:
        """A concept and every wider one."""
        found = [concept]
        for name in found:
            found += [w for w in self.broader.get(name, ()) if w not in found]
        return tuple(found)


@cache
def _table() -> dict[str, Any]:
    return shipped("rules/synonyms.json")


@cache
def _empty_words() -> frozenset[str]:
    return frozenset(_table()["stop"])


@cache
def synonyms() -> Synonyms:
    """The bundled table, as it is searched."""
    table = _table()
    forms = {tuple(_words(form)): concept for form, concept in table["forms"].items()}
    forms.pop((), None)
    return Synonyms(
        forms,
        {f"={name}": tuple(f"={w}" for w in wider) for name, wider in table["broader"].items()},
        max(map(len, forms)),
    )


def _words(text: str) -> list[str]:
    """Words of a text as they are compared: plain, without plural, without the empty ones."""
    empty = _empty_words()
    return [_singular(w) for w in _WORD.findall(plain(text)) if w not in empty]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for; what is empty does not matter."""

    words: str = ""
    commune: Commune | None = None
    territory: str = ""
    """A code of any level: aids of exactly that territory, and those of the whole country."""
    theme: str = ""
    mode: str = ""
    funder: str = ""
    """A DID, or a name compared as words are."""
    level: str = ""
    profile: str = ""
    check: str = ""
    """A `CheckMode`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One aid found, and what it owes its place to."""

    aid: Aid
    score: float
    fields: tuple[str, ...]
    """Where the words stand, the weightiest first."""
    near: str
    """Level of its territory nearest to the commune asked for; empty without one."""


@dataclass(frozen=True, slots=True)
class Found:
    """What answers a query, in order, and how all of it divides."""

    hits: tuple[Hit, ...]
    """Those of the slice that was asked for."""
    total: int
    is_partial: bool
    """No aid has every word: these have all but one."""
    facets: Mapping[str, Mapping[str, int]]
    """Name (`theme`, `mode`, `level`, `profile`, `check`, `funder`) → value → aids."""


@dataclass(frozen=True, slots=True)
class _Card:
    aid: Aid
    profiles: tuple[str, ...]
    rank: tuple[bool, int, str]
    """After words and place: asked for here, newest verification, name."""
    facets: tuple[tuple[str, str], ...]


def profiles_of(rule_text: str) -> tuple[str, ...]:
    """Profiles that a rule names."""
    return tuple(code for code, pattern in PROFILES.items() if re.search(pattern, rule_text))


def _texts(rule: Any) -> Iterator[str]:
    """What a rule says in words: its values and expressions, the questions and notes left out."""
    if isinstance(rule, str):
        yield rule
    elif isinstance(rule, list):
        for part in rule:
            yield from _texts(part)
    elif isinstance(rule, Mapping):
        for name, part in rule.items():
            if name not in _NOT_RULE:
                yield from _texts(part)


class Finder:
    """An index over the open aids of one catalogue on one day. Immutable once built."""

    def __init__(self, catalogue: Catalogue, day: date) -> None:
        table = synonyms()
        self._cards: list[_Card] = []
        self._posts: dict[str, dict[int, float]] = {}
        self._fields: dict[str, dict[int, tuple[str, ...]]] = {}
        self._places: dict[tuple[str, str], set[int]] = {}
        self._everywhere: set[int] = set()
        self._below: dict[str, dict[str, list[Any]]] = {}
        for aid in catalogue.aids:
            if aid.is_open(day):
                self._add(aid, catalogue, table)
        self._vocabulary = sorted(word for word in self._posts if not word.startswith("="))
        self._by_facet: dict[tuple[str, str], set[int]] = {}
        for number, card in enumerate(self._cards):
            for facet in card.facets:
                self._by_facet.setdefault(facet, set()).add(number)
        self._order = {
            number: place
            for place, number in enumerate(
                sorted(range(len(self._cards)), key=lambda n: self._cards[n].rank)
            )
        }

    @property
    def aids(self) -> tuple[Aid, ...]:
        """The open aids, in the catalogue's order."""
        return tuple(card.aid for card in self._cards)

    def _rule_text(self, aid: Aid, rules: Mapping[str, Any]) -> str:
        """The aid's rule and the rules right below it."""
        below = self._below.get(aid.rule.model)
        if below is None:
            below = self._below[aid.rule.model] = {}
            for name, rule in rules.items():
                below.setdefault(name.rpartition(" . ")[0], []).append(rule)
        own = [rules.get(aid.rule.rule), *below.get(aid.rule.rule, ())]
        return " ".join(_texts(own))

    def _add(self, aid: Aid, catalogue: Catalogue, table: Synonyms) -> None:
        number = len(self._cards)
        rule_text = self._rule_text(aid, catalogue.models[aid.rule.model].rules)
        texts = {
            "title": " ".join(aid.titles.values()),
            "theme": " ".join(theme.replace("-", " ") for theme in aid.themes),
            "funder": aid.funder_name,
            "territory": " ".join(
                territory_name(t.kind.value, t.code) or "" for t in aid.territories
            ),
            "summary": " ".join(aid.summaries.values()),
            "conditions": " ".join(
                chain.from_iterable(t.values() for t in (*aid.pieces, *aid.not_proven))
            ),
            "rule": rule_text,
        }
        for field, text in texts.items():
            weight = FIELDS[field]
            words = _words(text)
            keys = set(words)
            for concept, _ in table.concepts(words):
                if concept.startswith("="):
                    keys.update(table.widened(concept))
            for key in keys:
                posts = self._posts.setdefault(key, {})
                posts[number] = max(posts.get(number, 0.0), weight)
                fields = self._fields.setdefault(key, {})
                fields[number] = (*fields.get(number, ()), field)
        profiles = profiles_of(rule_text)
        checked = aid.last_verified.toordinal() if aid.last_verified else 0
        self._cards.append(
            _Card(
                aid,
                profiles,
                (aid.check_mode is CheckMode.LINK_OUT, -checked, aid.slug),
                (
                    *(("theme", theme) for theme in aid.themes),
                    *(("mode", theme) for theme in aid.themes if theme in MODES),
                    ("level", aid.funder_level.value),
                    *(("profile", name) for name in profiles),
                    ("check", aid.check_mode.value),
                    ("funder", aid.funder_name),
                ),
            )
        )
        for place in aid.territories:
            self._places.setdefault((place.kind.value, place.code), set()).add(number)
        if not aid.territories:
            self._everywhere.add(number)

    def find(self, query: Query, *, start: int = 0, stop: int | None = None) -> Found:
        """What answers, in order: hits from `start` to `stop`, the count and facets of all."""
        scores, keys, is_partial = self._scores(query.words)
        kept = set(range(len(self._cards))) if scores is None else set(scores)
        near: dict[int, str] = {}
        if query.commune is not None:
            near = self._near(query.commune)
            kept &= near.keys()
        if query.territory:
            here: set[int] = set()
            for (_, code), numbers in self._places.items():
                if code == query.territory:
                    here |= numbers
            kept &= here | self._everywhere
        for name in ("theme", "mode", "level", "profile", "check"):
            value = getattr(query, name)
            if value:
                kept &= self._by_facet.get((name, value), set())
        if query.funder:
            wanted = _words(query.funder)
            kept = {n for n in kept if self._is_funder(self._cards[n].aid, query.funder, wanted)}
        ordered = self._in_order(kept, scores, near)
        facets: dict[str, dict[str, int]] = {}
        for (name, value), numbers in self._by_facet.items():
            if count := len(kept & numbers):
                facets.setdefault(name, {})[value] = count
        return Found(
            tuple(
                Hit(
                    self._cards[n].aid,
                    scores[n] if scores is not None else 0.0,
                    tuple(dict.fromkeys(f for key in keys for f in self._fields[key].get(n, ()))),
                    near.get(n, ""),
                )
                for n in ordered[start:stop]
            ),
            len(ordered),
            is_partial,
            {
                name: dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
                for name, counts in facets.items()
            },
        )

    def _in_order(
        self, kept: set[int], scores: Mapping[int, float] | None, near: Mapping[int, str]
    ) -> list[int]:
        place = self._order
        if scores is None and not near:
            return sorted(kept, key=place.__getitem__)
        rank = {level: n for n, level in enumerate(_NEAR)}
        found = [
            (
                -round(scores[n], 6) if scores is not None else 0.0,
                rank[near[n]] if near else 0,
                place[n],
                n,
            )
            for n in kept
        ]
        found.sort()
        return [key[3] for key in found]

    @staticmethod
    def _is_funder(aid: Aid, funder: str, wanted: list[str]) -> bool:
        if aid.funder == funder:
            return True
        return bool(wanted) and set(wanted) <= set(_words(aid.funder_name))

    def _near(self, commune: Commune) -> dict[int, str]:
        found = dict.fromkeys(self._everywhere, "state") if EVERYWHERE in commune.codes else {}
        for level, code in sorted(
            commune.codes, key=lambda pair: -_NEAR.index(pair[0]) if pair[0] in _NEAR else -9
        ):
            found |= dict.fromkeys(self._places.get((level, code), ()), level)
        return found

    def _scores(self, text: str) -> tuple[dict[int, float] | None, list[str], bool]:
        """(aid → score, the index's words that were looked up, whether one is lacking); no scores
        when nothing was asked."""
        asked = list(synonyms().concepts(_words(text)))[:MAX_WORDS]
        if not asked:
            return None, [], False
        keys: list[str] = []
        found: list[dict[int, float]] = []
        for position, (key, words) in enumerate(asked):
            names = [key]
            if key not in self._posts and position == len(asked) - 1 and len(key) >= 3:
                names = self._beginning(key)  # still being typed
            keys += [name for name in names if name in self._posts]
            found.append(self._word(names, words))
        if len(found) == 1:
            return found[0], keys, False
        common = set(found[0]).intersection(*found[1:])
        if common:
            return {n: sum(posts[n] for posts in found) for n in common}, keys, False
        counts = Counter(chain.from_iterable(found))
        some = [n for n, count in counts.items() if count == len(found) - 1]
        return {n: sum(p[n] for p in found if n in p) for n in some}, keys, bool(some)

    def _word(self, names: list[str], words: tuple[str, ...]) -> dict[int, float]:
        posts: dict[int, float] = self._posts.get(names[0], {}) if names else {}
        if len(names) > 1:
            posts = dict(posts)
            for name in names[1:]:
                for number, weight in self._posts[name].items():
                    posts[number] = max(weight, posts.get(number, 0.0))
        rare = math.log(1 + len(self._cards) / (1 + len(posts)))
        exact: set[int] = set()
        if names and names[0].startswith("="):
            exact = set(posts).intersection(*(self._posts.get(word, {}) for word in words))
        very = rare * _EXACT
        return {n: weight * (very if n in exact else rare) for n, weight in posts.items()}

    def _beginning(self, start: str) -> list[str]:
        at = bisect_left(self._vocabulary, start)
        found = []
        for word in self._vocabulary[at : at + MAX_PREFIX]:
            if not word.startswith(start):
                break
            found.append(word)
        return found
