"""What a source's table says a trip emitted: kept as its word, in whole units."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base import Rejected
from connectors.errors import MappingError
from connectors.mapping import MappedFile, MappingFile, propose
from schemas.observations import TripObservation

AT = datetime(2026, 11, 22, tzinfo=UTC)
TABLE = """Date de départ;Durée (min);Distance (km);Mode;CO2 (g);NOx (mg);PM10 (mg)
10/11/2026 08:10;20;5,95;car;652,4;1 840,5;0,021
11/11/2026 08:10;20;5,95;bicycle;0;0;0
12/11/2026 08:10;20;5,95;car;-3;1;1
13/11/2026 08:10;20;5,95;car;;beaucoup;1
14/11/2026 08:10;20;5,95;car;;;
"""


def read(mapping: MappingFile) -> tuple[list[TripObservation], list[Rejected]]:
    pages = list(MappedFile(mapping).read(io.BytesIO(TABLE.encode()), account="a", at=AT))
    trips = [o for p in pages for o in p.records if isinstance(o, TripObservation)]
    return trips, [r for p in pages for r in p.rejected]


def test_the_assistant_finds_the_columns_and_their_units() -> None:
    found = propose(TABLE.encode())
    assert found.mapping is not None
    fields = found.mapping.fields
    units = {name: fields[name].unit for name in ("co2", "nox", "pm")}
    assert units == {"co2": "g", "nox": "mg", "pm": "mg"}
    assert MappingFile.parse(found.mapping.to_json()) == found.mapping
    trips, rejected = read(found.mapping)
    assert [t.extra for t in trips] == [
        {"emissions": {"co2Mg": 652_400, "noxUg": 1_840_500, "pmUg": 21}},
        {"emissions": {"co2Mg": 0, "noxUg": 0, "pmUg": 0}},
        {},
    ]
    assert [(r.where, r.code) for r in rejected] == [
        ("/4/co2", "emission-implausible"),
        ("/5/nox", "not-a-number"),
    ]


@pytest.mark.parametrize(
    ("name", "unit"), [("co2", "km"), ("nox", "min"), ("distance", "g"), ("duration", "kg")]
)
def test_a_mass_has_the_unit_of_a_mass(name: str, unit: str) -> None:
    document: dict[str, Any] = propose(TABLE.encode()).draft  # type: ignore[assignment]  # a dict
    fields = {**document["fields"], name: {"from": ["Distance (km)"], "unit": unit}}
    with pytest.raises(MappingError):
        MappingFile.parse({**document, "fields": fields})
