"""Three real trips of CoachCO2."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Page
from connectors.cozy.files import CozyTimeseries
from connectors.registry import importers
from connectors.runner import choose
from schemas.modes import Mode
from schemas.observations import TripObservation

AT = datetime(2026, 11, 20, tzinfo=UTC)


def read(data: bytes) -> Page:
    [page] = list(CozyTimeseries().read(io.BytesIO(data), account="c", at=AT))
    return page


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "modes", "points", "distance"),
    [
        ("ach_01.json", [Mode.WALK], 220, 4725),
        ("ach_02.json", [Mode.TRAIN, Mode.BUS, Mode.WALK], 86, 10574),
        (
            "ach_03.json",
            [Mode.WALK, Mode.BUS, Mode.BICYCLE, Mode.TRAIN, Mode.WALK],
            None,
            15018,
        ),
    ],
)
def test_each_real_document_is_one_trip_with_its_legs(
    shared: Path, name: str, modes: list[Mode], points: int | None, distance: int
) -> None:
    data = (shared / "data" / "cozy" / name).read_bytes()
    assert choose(io.BytesIO(data), importers()).name == "cozy-timeseries"
    page = read(data)
    assert page.rejected == ()
    [trip] = page.records
    assert isinstance(trip, TripObservation)
    assert trip.distance == distance
    assert trip.start_zone == "Europe/Paris"
    got = [leg.mode_claims[0].mode for leg in trip.legs]
    assert got[: len(modes)] == modes
    features = json.loads(data)["series"][0]["features"]
    assert len(got) == sum(feature["type"] == "FeatureCollection" for feature in features)
    assert trip.track is not None
    assert points is None or len(trip.track) == points
    assert trip.origin is not None
    assert trip.origin.label


@pytest.mark.shared_data
def test_the_same_document_again_is_the_same_observation(shared: Path) -> None:
    data = (shared / "data/cozy/ach_02.json").read_bytes()
    assert read(data).records == read(data).records


@pytest.mark.shared_data
def test_ids_are_e_missions_own_so_that_both_ways_in_meet(shared: Path) -> None:
    [trip] = read((shared / "data/cozy/ach_01.json").read_bytes()).records
    assert isinstance(trip, TripObservation)
    assert trip.upstream_ids == ("60dcf8f7e448f61ed9837c42",)


@pytest.mark.shared_data
def test_a_bad_document_among_good_ones_is_named(shared: Path) -> None:
    good = json.loads((shared / "data/cozy/ach_01.json").read_bytes())
    swapped = json.loads(json.dumps(good))
    trip: dict[str, Any] = swapped["series"][0]["properties"]
    trip["start_loc"]["coordinates"].reverse()
    page = read(json.dumps([{"no": "series"}, swapped, good]).encode())
    assert [(r.where, r.code) for r in page.rejected] == [
        ("/0", "no-series"),
        ("/1/series/0/properties/start_loc/coordinates", "coordinates-swapped"),
    ]
    assert len(page.records) == 1
