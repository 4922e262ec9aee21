"""CO2: the published answers come out of the table."""

import json
from pathlib import Path

import pytest

from schemas import co2
from schemas.modes import MODES, Mode
from schemas.units import Metres

# Answers of Impact CO2 for 100 km (testa/transport.test.ts of the source named in _meta), in grams.
PUBLISHED = {3: 580, 4: 11_056, 5: 1209, 6: 3314, 13: 14_000, 14: 660, 15: 2290}
CARPOOL = {2: 5528, 3: 3685, 4: 2764, 5: 2211}


@pytest.mark.parametrize("factor", PUBLISHED)
def test_factors_give_the_published_answers(factor: int) -> None:
    assert co2.of_factor(factor, Metres(100_000)).grams == PUBLISHED[factor]


@pytest.mark.parametrize("people", CARPOOL)
def test_a_carpool_is_shared_by_its_occupants(people: int) -> None:
    found = co2.emission(Mode.CARPOOL, Metres(100_000), occupants=people)
    assert found is not None
    assert (found.grams, found.factor_id) == (CARPOOL[people], 4)


@pytest.mark.shared_data
def test_the_table_is_ademes(shared: Path) -> None:
    source = json.loads((shared / "data" / "ademe_modes.json").read_text(), parse_float=str)
    published = {entry["id"]: entry["kgCO2e_per_km"] for entry in source["modes"]}
    ours = json.loads((Path(co2.__file__).parent / "data" / "co2_factors.json").read_text())
    assert ours["_meta"]["licence"]
    for factor in ours["factors"]:
        values = published[factor["id"]]
        if "bands" in factor:
            assert [b["kg_per_km"] for b in factor["bands"]] == [
                str(b["total_no_construction"]) for b in values
            ]
        else:
            assert factor["kg_per_km"] == str(values["api_default_total"])
    expected = source["_conformance_vectors"]["km=100"]
    for factor in PUBLISHED:
        assert (
            abs(co2.of_factor(factor, Metres(100_000)).grams - float(expected[str(factor)]) * 1000)
            <= 0.5
        )


def test_a_car_is_never_divided_and_size_unknown_means_two() -> None:
    alone = co2.emission(Mode.CAR, Metres(1000), occupants=4)
    shared_ride = co2.emission(Mode.CARPOOL, Metres(1000))
    assert alone is not None
    assert shared_ride is not None
    assert (alone.grams, shared_ride.grams) == (111, 55)


@pytest.mark.parametrize(
    ("mode", "distance", "factor"),
    [
        (Mode.BUS, 15_000, 9),
        (Mode.BUS, 15_001, 6),
        (Mode.TRAIN, 150_000, 15),
        (Mode.TRAIN, 150_001, 3),
        (Mode.PLANE, 800_000, 1),
        (Mode.UNKNOWN, 1000, None),
        (Mode.AIR_OR_HSR, 800_000, None),
    ],
)
def test_which_factor(mode: Mode, distance: int, factor: int | None) -> None:
    found = co2.emission(mode, Metres(distance))
    assert (found.factor_id if found else None) == factor


def test_planes_have_bands() -> None:
    rates = [
        str(co2.of_factor(1, Metres(km * 1000)).kg_per_km) for km in (100, 1000, 1001, 3000, 9000)
    ]
    assert rates == ["0.2242", "0.2242", "0.1843", "0.1665", "0.1776"]


def test_every_mode_has_words_and_a_factor_or_none() -> None:
    assert set(MODES) == set(Mode)
    for mode in Mode:
        assert mode.label("fr")
        assert mode.label("en")
        found = co2.emission(mode, Metres(1000))
        assert (found is None) == (MODES[mode].ademe is None)
        if found:
            assert found.version == co2.version()
            assert found.boundary == "usage"
            assert set(found.factor_label) == {"fr", "en"}


def test_the_counterfactual_is_a_car_alone() -> None:
    assert co2.counterfactual(Metres(100_000)).grams == 11_056
    assert "usage" in co2.boundary_text()
