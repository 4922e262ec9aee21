"""Places: a commune and every territory that holds it, by code, found by name or postcode.

One port, `Gazetteer`, one implementation a country. France: official geographic code (COG) bundled
by the build. Québec: municipality, administrative region, province.

A code is never alone: a departement and a region may bear the same number (75 is Paris and
Nouvelle-Aquitaine), so what covers a place is a set of (level, code). Codes of another country than
France bear its name first (`CA-QC:66023`).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from federation.aids.shipped import shipped

__all__ = [
    "COUNTRIES",
    "EVERYWHERE",
    "MAX_FOUND",
    "Commune",
    "Gazetteer",
    "TerritoryCodes",
    "by_code",
    "communes",
    "gazetteer",
    "plain",
    "search",
    "territory_name",
]

TerritoryCodes = frozenset[tuple[str, str]]
"""(level, code) pairs; levels are those of `FunderLevel`."""

MAX_FOUND: Final = 40
EVERYWHERE: Final = ("state", "FR")
"""What every place of France bears: an aid without territory is one of the whole country."""

METROPOLE_DE_LYON: Final = "200046977"
_ALSO: Final[Mapping[str, str]] = {"67": "6AE", "68": "6AE", "2A": "20R", "2B": "20R", "75": "75C"}
"""Departement → the authority that has its powers (COG, collectivités territoriales ayant les
compétences départementales): Alsace, Corse, Paris. The Rhône is cut in two below."""


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune with the territories that hold it (INSEE and SIREN codes, never names)."""

    code: str
    name: str
    postcodes: tuple[str, ...]
    departement: str
    region: str
    epci: str | None
    epci_name: str | None = None
    """The bicycle model knows groups of communes by name."""
    population: int = 0
    more: tuple[tuple[str, str], ...] = ()
    """Other territories, by level: « territoire » of the Grand Paris, Alsace, Métropole de Lyon."""
    country: str = "FR"
    """Code of the country among states."""

    @property
    def codes(self) -> TerritoryCodes:
        """(level, code) of every territory: a departement and a region may bear the same number."""
        found = {
            ("commune", self.code),
            ("departement", self.departement),
            ("region", self.region),
            ("state", self.country),
            *self.more,
        }
        return frozenset(found | ({("epci", self.epci)} if self.epci else set()))


class Gazetteer(Protocol):
    """The places of one country."""

    country: str

    def communes(self) -> tuple[Commune, ...]:
        """Every commune, by code."""

    def by_code(self, code: str) -> Commune | None:
        """The commune of a code; of a part of one (« arrondissement »), the commune."""

    def search(self, text: str) -> list[Commune]:
        """Communes by postcode, by exact name, then by beginning of name; at most `MAX_FOUND`.

        A postcode often covers several communes: the person chooses.
        """

    def name(self, level: str, code: str) -> str | None:
        """The name of a territory, for a page; None when there is none by that code."""

    def named(self, name: str) -> list[tuple[str, str]]:
        """(level, code) of every territory of that name, for a table that gives names only."""

    def wider(self, text: str) -> list[tuple[str, str]]:
        """(level, code) of the territories of several communes whose name has every word of `text`,
        or begins so; the shortest name first, at most `MAX_FOUND`."""


class _Places:
    """What every country does the same way."""

    def __init__(
        self,
        country: str,
        found: Iterable[Commune],
        *,
        parts: Mapping[str, str],
        part_names: Mapping[str, str],
        names: Mapping[tuple[str, str], str],
    ) -> None:
        self.country = country
        self._all = tuple(found)
        self._by_code = {c.code: c for c in self._all}
        self._parts = parts
        self._part_names = part_names
        self._plain = tuple((plain(c.name), c) for c in self._all)
        self._names = {**names, **{("commune", c.code): c.name for c in self._all}}
        self._by_name: dict[str, list[tuple[str, str]]] = {}
        for key, text in self._names.items():
            self._by_name.setdefault(plain(text), []).append(key)
        self._by_postcode: dict[str, list[Commune]] = {}
        for commune in self._all:
            for postcode in commune.postcodes:
                self._by_postcode.setdefault(postcode, []).append(commune)

    def communes(self) -> tuple[Commune, ...]:
        return self._all

    def by_code(self, code: str) -> Commune | None:
        return self._by_code.get(self._parts.get(code, code))

    def search(self, text: str) -> list[Commune]:
        wanted = plain(text)
        if len(wanted) < 2:
            return []
        postcode = self._postcode(wanted)
        if postcode is not None:
            return self._by_postcode.get(postcode, [])[:MAX_FOUND]
        if wanted in self._part_names:
            return [self._by_code[self._part_names[wanted]]]
        exact = [c for name, c in self._plain if name == wanted]
        starts = [c for name, c in self._plain if name != wanted and name.startswith(wanted)]
        return [*exact, *sorted(starts, key=lambda c: (len(c.name), c.code))][:MAX_FOUND]

    def name(self, level: str, code: str) -> str | None:
        if level == "commune":
            code = self._parts.get(code, code)
        return self._names.get((level, code))

    def named(self, name: str) -> list[tuple[str, str]]:
        return self._by_name.get(plain(name), [])

    def wider(self, text: str) -> list[tuple[str, str]]:
        wanted = plain(text).split()
        if not wanted or len("".join(wanted)) < 2:
            return []
        found = [
            (len(name), key)
            for name, keys in self._by_name.items()
            for key in keys
            if key[0] in ("epci", "departement", "region")
            and all(any(word.startswith(one) for word in name.split()) for one in wanted)
        ]
        return [key for _, key in sorted(found)][:MAX_FOUND]

    def _postcode(self, wanted: str) -> str | None:
        return wanted if wanted.isdigit() else None


class _Quebec(_Places):
    def _postcode(self, wanted: str) -> str | None:
        """The first three characters decide: « H2X 1Y4 »."""
        found = re.match(r"([a-z]\d[a-z])( ?\d[a-z]\d)?$", wanted)
        return found[1].upper() if found else None


def _france() -> Gazetteer:
    table = shipped("data/territoires.json")
    names: dict[tuple[str, str], str] = {
        EVERYWHERE: "France",
        ("departement", "6AE"): "Collectivité européenne d'Alsace",
        ("departement", "69M"): "Métropole de Lyon",
        ("departement", "69D"): "Département du Rhône",
        ("departement", "20R"): "Collectivité de Corse",
        ("departement", "75C"): "Ville de Paris",
    }
    names |= {("epci", code): str(row[0]) for code, row in table["epci"].items()}
    names |= {("departement", code): str(row[0]) for code, row in table["departements"].items()}
    names |= {("region", code): str(name) for code, name in table["regions"].items()}
    ept_of: dict[str, str] = {}
    for code, (name, members) in table["ept"].items():
        names["epci", code] = str(name)
        ept_of |= dict.fromkeys(members, code)
    found = []
    for code, name, departement, region, epci, postcodes, population in table["communes"]:
        more = []
        if code in ept_of:
            more.append(("epci", ept_of[code]))
        if departement == "69":
            more.append(("departement", "69M" if epci == METROPOLE_DE_LYON else "69D"))
        elif departement in _ALSO:
            more.append(("departement", _ALSO[departement]))
        found.append(
            Commune(
                code,
                name,
                tuple(postcodes),
                departement,
                region,
                epci or None,
                names.get(("epci", epci)),
                population or 0,
                tuple(more),
            )
        )
    rows = table["arrondissements_municipaux"]
    return _Places(
        "FR",
        found,
        parts={code: commune for code, _, commune, _ in rows},
        part_names={plain(name): commune for _, name, commune, _ in rows},
        names=names,
    )


def _quebec() -> Gazetteer:
    table = shipped("rules/quebec.json")

    def own(code: str) -> str:
        return f"CA-QC:{code}"

    names = {("region", own("QC")): "Québec", ("state", own("CA")): "Canada"}
    names |= {("departement", own(code)): name for code, name in table["regions"].items()}
    found = [
        Commune(
            own(code),
            name,
            tuple(postcodes),
            own(region),
            own("QC"),
            None,
            country=own("CA"),
        )
        for code, name, region, postcodes in table["municipalities"]
    ]
    return _Quebec("CA-QC", found, parts={}, part_names={}, names=names)


_MAKERS: Final = {"FR": _france, "CA-QC": _quebec}
COUNTRIES: Final = tuple(_MAKERS)


@cache
def gazetteer(country: str = "FR") -> Gazetteer:
    """The places of a country, read once.

    Raises:
        KeyError: not one of `COUNTRIES`.
    """
    return _MAKERS[country]()


def communes() -> tuple[Commune, ...]:
    """Every commune of France, by code."""
    return gazetteer().communes()


def search(text: str) -> list[Commune]:
    """`Gazetteer.search` in France."""
    return gazetteer().search(text)


def by_code(code: str) -> Commune | None:
    """`Gazetteer.by_code`, of whichever country the code names."""
    country, colon, _ = code.partition(":")
    if not colon:
        return gazetteer().by_code(code)
    return gazetteer(country).by_code(code) if country in _MAKERS else None


def territory_name(level: str, code: str) -> str | None:
    """`Gazetteer.name`, of whichever country the code names."""
    country, colon, _ = code.partition(":")
    if not colon:
        return gazetteer().name(level, code)
    return gazetteer(country).name(level, code) if country in _MAKERS else None


def plain(text: str) -> str:
    """Lower case, without accents, hyphens, apostrophes: « Saint-Étienne » → « saint etienne »."""
    bare = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    return " ".join(bare.replace("-", " ").replace("'", " ").replace("’", " ").split())
