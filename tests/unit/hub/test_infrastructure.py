"""Files of the national schemas, counted per commune: exactly, within bounds, nothing guessed."""

import io
import json
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from federation.aids import infrastructure
from federation.aids.errors import InfrastructureFileError
from federation.aids.infrastructure import CommuneCount, Counts, InfrastructureKind, count_file
from federation.aids.territory import place_of
from federation.hub.app import create_hub_app
from tests.hub_world import World, build_world

CARPOOL, CHARGING = InfrastructureKind.CARPOOL_PLACE, InfrastructureKind.CHARGING_POINT
PARKING, LANE = InfrastructureKind.BIKE_PARKING, InfrastructureKind.CYCLE_LANE
PLACES = """id_lieu,id_local,nom_lieu,ad_lieu,com_lieu,insee,type,date_maj,ouvert,source,Xlong,Ylat,nbre_pl,nbre_pmr,duree,horaires,proprio,lumiere,comm
31555-C-001,,"Gare, côté est",,Toulouse,31555,Parking,2026-01-01,true,231300021,1.45,43.6,40,2,,,,true,
31555-C-002,,Rocade,,Toulouse,31555,Aire de covoiturage,2026-01-01,true,231300021,1.44,43.6,,,,,,,
31555-C-002,,Rocade dite deux fois,,Toulouse,31555,Aire de covoiturage,2026-01-01,true,231300021,1.44,43.6,99,,,,,,
31555-C-003,,Fermée,,Toulouse,31555,Parking,2026-01-01,false,231300021,1.44,43.6,10,,,,,,
11069-C-001,,Centre,,Carcassonne,11069,Parking,2026-01-01,true,231100021,2.35,43.2,999999,,,,,,
99999-C-001,,Ailleurs,,Nulle part,99999,Parking,2026-01-01,true,1,0,0,5,,,,,,
"""  # noqa: E501 - a line of the schema's file stands whole


def read(kind: InfrastructureKind, content: str | bytes) -> Counts:
    data = content.encode() if isinstance(content, str) else content
    return count_file(kind, io.BytesIO(data))


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def parking(**said: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": None, "properties": {"code_com": "31555", **said}}


def lane(points: list[list[float]], **said: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": points},
        "properties": said,
    }


def test_open_carpool_places_are_counted_once_with_their_spaces() -> None:
    found = read(CARPOOL, PLACES)
    assert found.communes == (CommuneCount("11069", 1, 0), CommuneCount("31555", 2, 40))
    assert (found.items, found.elsewhere, found.left_out) == (6, 1, 2)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_its_own_delimiter_and_a_byte_order_mark(delimiter: str) -> None:
    rows = [
        ["nom", "id_pdc_itinerance", "code_insee_commune"],
        ["a", "FR1", "75101"],
        ["b", "FR2", "75056"],
        ["c", "FR2", "75056"],
    ]
    text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    found = read(CHARGING, text)
    assert found.communes == (CommuneCount("75056", 2, 0),), "an arrondissement is its commune"
    assert found.left_out == 1


def test_bicycles_that_can_be_parked_are_summed() -> None:
    found = read(
        PARKING,
        collection(
            parking(id_local="a", capacite=12),
            parking(id_local="b", capacite="8"),
            parking(id_local="b", capacite=50),
            parking(id_local="c", capacite=-4),
            parking(id_local="d", capacite=10**9),
            parking(id_local="e", capacite=True),
            parking(capacite=None),
            parking(capacite=1, code_com=None),
        ),
    )
    assert found.communes == (CommuneCount("31555", 6, 20),)
    assert (found.elsewhere, found.left_out) == (1, 1)


def test_each_side_of_a_lane_counts_in_its_own_commune() -> None:
    degree = 2 * math.pi * 6_371_008.8 / 360
    found = read(
        LANE,
        collection(
            lane([[1.0, 0.0], [1.0, 1.0]], ame_d="PISTE CYCLABLE", code_com_d="31555",
                 ame_g="AUCUN", code_com_g="31555"),
            lane([[1.0, 0.0], [1.0, 0.5]], ame_d="BANDE CYCLABLE", code_com_d="31555",
                 ame_g="BANDE CYCLABLE", code_com_g="11069"),
            lane([[1.0, 0.0], [1.0, 1.0]], ame_d="AUCUN", ame_g=None),
        ),
    )  # fmt: skip
    assert found.communes == (
        CommuneCount("11069", 1, round(degree / 2)),
        CommuneCount("31555", 2, round(degree * 1.5)),
    )
    assert found.left_out == 1


HOSTILE: tuple[tuple[InfrastructureKind, str | bytes], ...] = (
    (CARPOOL, ""),
    (CARPOOL, "a,b,c\n1,2,3\n"),
    (CARPOOL, b"\xff\xfe\x00"),
    (CARPOOL, PLACES.encode() + b"\xff\xff,1\n"),
    (CARPOOL, "id_lieu,insee,ouvert,nbre_pl\n" + '"' + "x" * 1_200_000),
    (CHARGING, PLACES),
    (PARKING, ""),
    (PARKING, "[]"),
    (PARKING, "{}"),
    (PARKING, '{"features": 3}'),
    (PARKING, '{"features": [3]}'),
    (PARKING, '{"features": [{"properties": []}]}'),
    (PARKING, '{"features": [{"properties": {"nom": "autre schéma"}}]}'),
    (PARKING, collection(parking()) [:-9]),
    (PARKING, '{"features": [' + "[" * 100_000),
    (PARKING, b'{"features": [{"properties": {"code_com": "\xff"}}]}'),
    (LANE, collection(parking())),
    (LANE, collection(lane([], ame_d="PISTE", code_com_d="31555") | {"geometry": None})),
    (LANE, collection(lane([["a", "b"]], ame_d="PISTE"))),  # type: ignore[list-item]
    (LANE, collection(lane([[1.0]], ame_d="PISTE"))),
    (LANE, collection(lane([[651_000.0, 6_862_000.0]], ame_d="PISTE"))),
    (LANE, collection(lane([[0.0, 0.0]] * 100_001, ame_d="PISTE"))),
    (LANE, collection(lane([], ame_d="PISTE") | {"geometry": {"type": "Point"}})),
    (PARKING, '{"features": [' + "[" * 100_000 + "]" * 100_000 + "]}"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "content"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_file_of_the_schema_is_refused_with_its_place(
    kind: InfrastructureKind, content: str | bytes
) -> None:
    with pytest.raises(InfrastructureFileError) as refused:
        read(kind, content)
    assert refused.value.where


def test_a_file_beyond_the_bounds_is_refused_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(infrastructure, "MAX_BYTES", 20_000)
    with pytest.raises(InfrastructureFileError):
        read(CHARGING, "id_pdc_itinerance,code_insee_commune\n" + "a,31555\n" * 20_000)
    monkeypatch.setattr(infrastructure, "MAX_ITEMS", 10)
    with pytest.raises(InfrastructureFileError):
        read(CHARGING, "id_pdc_itinerance,code_insee_commune\n" + ",31555\n" * 11)


@given(st.binary(max_size=400))
def test_any_bytes_are_counted_or_refused_and_nothing_else(data: bytes) -> None:
    for kind in InfrastructureKind:
        try:
            found = read(kind, data)
        except InfrastructureFileError:
            continue
        assert found.items >= sum(one.count for one in found.communes)


# --- at the hub -----------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


def load(world: World, content: str = PLACES, **changed: Any) -> None:
    said: dict[str, Any] = {
        "source": "Base fictive", "licence": "Licence Ouverte 2.0",
        "day": world.clock().date() - timedelta(days=3), **changed,
    }  # fmt: skip
    world.context.infrastructure.load(CARPOOL, io.BytesIO(content.encode()), **said)


def sums(world: World, level: str, code: str) -> list[tuple[str, int, int]]:
    place = place_of(level, code)
    assert place is not None
    found = world.context.infrastructure.of(place)
    return [(one.source.kind.value, one.count, one.amount) for one in found]


def test_a_territory_sums_its_communes_and_what_was_not_loaded_has_no_figure(world: World) -> None:
    assert sums(world, "region", "76") == []
    load(world)
    assert sums(world, "commune", "31555") == [("carpool-place", 2, 40)]
    assert sums(world, "region", "76") == [("carpool-place", 3, 40)]
    assert sums(world, "departement", "33") == [("carpool-place", 0, 0)]
    world.context.infrastructure.remove(CARPOOL)
    assert sums(world, "region", "76") == []


def test_a_new_file_takes_the_place_of_the_old_and_a_bad_one_changes_nothing(world: World) -> None:
    load(world)
    for wrong in (
        {"content": "x"}, {"source": ""}, {"licence": "a\nb"}, {"source": "x" * 201},
        {"day": date(2999, 1, 1)},
        {"content": "id_lieu,insee,ouvert,nbre_pl\nx,99999,true,4\n"},
    ):  # fmt: skip
        with pytest.raises(InfrastructureFileError):
            load(world, **wrong)  # type: ignore[arg-type]
        assert sums(world, "commune", "31555") == [("carpool-place", 2, 40)]
    load(world, "id_lieu,insee,ouvert,nbre_pl\nx,11069,true,4\n", source="Autre base")
    assert sums(world, "commune", "31555") == [("carpool-place", 0, 0)]
    assert [one.source for one in world.context.infrastructure.sets()] == ["Autre base"]


def test_the_linked_data_of_a_territory_names_count_source_and_day(world: World) -> None:
    client = TestClient(create_hub_app(world.context))
    address = "/v1/territories/commune/31555"
    assert "infrastructure" not in client.get(address).json()
    load(world)
    node = client.get(address).json()["infrastructure"][0]
    assert (node["infrastructureKind"], node["count"], node["amount"]) == ("carpool-place", 2, 40)
    assert node["source"] == "Base fictive"
    assert node["dataDate"] == (world.clock().date() - timedelta(days=3)).isoformat()
