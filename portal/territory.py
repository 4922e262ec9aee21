"""Finding a commune by name or postcode, from the official geographic code bundled with the aids."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

MAX_FOUND: Final = 40


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

    @property
    def codes(self) -> frozenset[tuple[str, str]]:
        """(level, code) of every territory: a departement and a region may bear the same number."""
        found = {("commune", self.code), ("departement", self.departement), ("region", self.region)}
        return frozenset(found | ({("epci", self.epci)} if self.epci else set()))


@cache
def _communes() -> tuple[tuple[str, Commune], ...]:
    raw = resources.files("federation.aids").joinpath("data/territoires.json").read_text("utf-8")
    table: Mapping[str, Any] = json.loads(raw)
    epcis = {row[0]: row[1] for row in table["epci"]}
    found = []
    for code, name, departement, region, epci, postcodes, *_ in table["communes"]:
        commune = Commune(
            code, name, tuple(postcodes), departement, region, epci or None, epcis.get(epci)
        )
        found.append((_plain(name), commune))
    return tuple(found)


def search(text: str) -> list[Commune]:
    """Communes by postcode, by exact name, then by beginning of name; at most `MAX_FOUND`."""
    wanted = _plain(text)
    if len(wanted) < 2:
        return []
    if wanted.isdigit():
        return [c for _, c in _communes() if wanted in c.postcodes][:MAX_FOUND]
    exact = [c for name, c in _communes() if name == wanted]
    starts = [c for name, c in _communes() if name != wanted and name.startswith(wanted)]
    return [*exact, *sorted(starts, key=lambda c: (len(c.name), c.code))][:MAX_FOUND]


def by_code(code: str) -> Commune | None:
    """The commune of an INSEE code."""
    return next((c for _, c in _communes() if c.code == code), None)


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    return " ".join(bare.replace("-", " ").replace("'", " ").replace("’", " ").split())
