"""Real e-mission exports, read whole, cut short, spoiled."""

import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.accounts import MemoryState
from connectors.base import Page
from connectors.emission.files import EmissionEntries
from connectors.errors import HostileInputError
from connectors.registry import importers
from connectors.runner import choose, import_file
from schemas.modes import Mode
from schemas.observations import ClaimBy, LabelObservation, Observation, TripObservation

AT = datetime(2026, 11, 20, tzinfo=UTC)


def read(data: bytes) -> Page:
    pages = list(EmissionEntries().read(io.BytesIO(data), account="a", at=AT))
    return Page(
        records=tuple(r for p in pages for r in p.records),
        rejected=tuple(r for p in pages for r in p.rejected),
        skipped=sum((Counter(p.skipped) for p in pages), Counter()),
    )


def entries(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_bytes())
    return found


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "trips", "labels", "skipped"),
    [
        ("shankari_2016-06-20.expected_confirmed_trips", 6, 0, {}),
        ("shankari_2016-06-20.expected_confirmed_trips.manual_trip_user_input", 6, 0, {}),
        ("shankari_2023-04-13.before-user-inputs.expected_composite_trips", 5, 0, {}),
        ("jack_untracked_time_2023-03-12.expected_composite_trips", 3, 0, {"untracked": 1}),
        ("shankari_2016-06-20.user_inputs", 0, 17, {}),
        ("shankari_2016-06-20.user_inputs.manual_trip_user_input", 0, 18, {}),
        ("shankari_2016-08-05.user_inputs", 0, 0, {"manual/place_addition_input": 5}),
        ("shankari_2016-06-20.ground_truth", 6, 0, {}),
    ],
)
def test_every_trip_of_a_real_export_once(
    shared: Path, name: str, trips: int, labels: int, skipped: dict[str, int]
) -> None:
    path = shared / "data" / "emission" / name
    data = path.read_bytes()
    page = read(data)
    kinds = Counter(type(record) for record in page.records)
    assert (kinds[TripObservation], kinds[LabelObservation]) == (trips, labels)
    assert page.rejected == ()
    assert dict(page.skipped) == skipped
    assert len({record.id for record in page.records}) == trips + labels
    assert choose(io.BytesIO(data), importers()).name == "emission-entries"


class Kept:
    def __init__(self) -> None:
        self.observations: list[Observation] = []

    def deposit(self, observations: Any) -> int:
        self.observations += observations
        return 1


@pytest.mark.shared_data
def test_a_second_import_adds_nothing(shared: Path) -> None:
    folder = shared / "data" / "emission"
    state, kept = MemoryState(), Kept()
    counts = []
    for _ in range(2):
        for path in sorted(folder.glob("*.expected_c*")):
            with path.open("rb") as stream:
                report = import_file(stream, importers(), kept, account="a", at=AT, state=state)
            counts.append(report.records)
    assert counts == [3, 6, 6, 5, 0, 0, 0, 0]


@pytest.mark.shared_data
def test_raw_phone_entries_give_no_trip_and_say_so(shared: Path) -> None:
    page = read((shared / "data/emission/shankari_2015-08-23").read_bytes())
    assert page.records == ()
    assert page.skipped["background/location"] == 163


@pytest.mark.shared_data
def test_times_zones_and_labels_are_those_of_the_file(shared: Path) -> None:
    path = shared / "data/emission/shankari_2016-06-20.expected_confirmed_trips"
    first = read(path.read_bytes()).records[0]
    assert isinstance(first, TripObservation)
    assert first.started_at == datetime(2016, 6, 20, 15, 28, 3, 395000, tzinfo=UTC)
    assert first.start_zone == "America/Los_Angeles"
    assert first.distance == 1047
    assert first.purpose == "library"
    said = [(claim.mode, claim.by) for claim in first.mode_claims]
    assert said == [(Mode.WALK, ClaimBy.SENSOR), (Mode.WALK, ClaimBy.PERSON)]


@pytest.mark.shared_data
def test_start_and_end_zone_come_from_local_times_never_from_metadata(shared: Path) -> None:
    path = shared / "data/emission/jack_untracked_time_2023-03-12.expected_composite_trips"
    assert entries(path)[0]["metadata"]["time_zone"] == "America/Los_Angeles"
    for record in read(path.read_bytes()).records:
        assert isinstance(record, TripObservation)
        assert (record.start_zone, record.end_zone) == ("America/New_York", "America/New_York")


@pytest.mark.shared_data
def test_composite_trips_bring_legs_and_track(shared: Path) -> None:
    path = shared / "data/emission/shankari_2023-04-13.before-user-inputs.expected_composite_trips"
    first = read(path.read_bytes()).records[0]
    assert isinstance(first, TripObservation)
    # MotionTypes in a cleaned section: 0 is a vehicle of any kind, 2 is on foot.
    assert [leg.mode_claims[0].mode for leg in first.legs] == [Mode.UNKNOWN, Mode.WALK]
    assert first.track is not None
    assert len(first.track) == 26


@pytest.mark.shared_data
def test_a_nested_survey_answers_mode_and_purpose(shared: Path) -> None:
    name = "shankari_2016-06-20.expected_confirmed_trips.manual_trip_user_input"
    first = read((shared / "data/emission" / name).read_bytes()).records[0]
    assert isinstance(first, TripObservation)
    assert first.purpose == "Trip_not_valid"
    assert first.mode_claims[-1].mode is Mode.CAR
    assert first.mode_claims[-1].by is ClaimBy.PERSON


@pytest.mark.shared_data
def test_a_file_cut_in_the_middle_gives_what_came_before(shared: Path) -> None:
    data = (shared / "data/emission/shankari_2016-06-20.user_inputs").read_bytes()
    page = read(data[: len(data) // 2])
    assert len(page.records) == 8
    assert [(r.where, r.code) for r in page.rejected] == [("/8", "truncated")]


# Made entries from here on: no shared data needed.


def made(**changes: Any) -> dict[str, Any]:
    local = {"year": 2026, "month": 9, "day": 1, "timezone": "Europe/Paris"}
    data: dict[str, Any] = {
        "start_ts": 1_788_242_400.0,
        "end_ts": 1_788_244_200.0,
        "start_local_dt": local,
        "end_local_dt": local,
        "start_loc": {"type": "Point", "coordinates": [2.442, 43.2109]},
        "end_loc": {"type": "Point", "coordinates": [2.3536, 43.2128]},
        "distance": 7_900.0,
        "user_input": {},
    }
    data.update(changes)
    return {
        "_id": {"$oid": "64928869" + "0" * 16},
        "user_id": {"$uuid": "0" * 32},
        "metadata": {
            "key": "analysis/confirmed_trip",
            "write_ts": 1_788_300_000.0,
            "time_zone": "America/Los_Angeles",
        },
        "data": data,
    }


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


@pytest.mark.parametrize(
    ("changes", "where", "code"),
    [
        ({"distance": float("nan")}, "/0/data/distance", "not-a-number"),
        ({"distance": float("inf")}, "/0/data/distance", "not-a-number"),
        ({"distance": -1}, "/0/data/distance", "distance-implausible"),
        ({"distance": True}, "/0/data/distance", "not-a-number"),
        ({"distance": "8"}, "/0/data/distance", "not-a-number"),
        ({"distance": 4_025_654.0}, "/0/data/distance", "speed-implausible"),
        ({"start_ts": 0.0, "end_ts": 600.0}, "/0/data/start_ts", "time-implausible"),
        ({"start_ts": 2e9, "end_ts": 2e9 + 60}, "/0/data/start_ts", "time-in-future"),
        ({"start_ts": 1_788_242_400_000}, "/0/data/start_ts", "time-in-milliseconds"),
        ({"start_ts": 1e308}, "/0/data/start_ts", "time-implausible"),
        ({"start_ts": None}, "/0/data/start_ts", "not-a-number"),
        ({"end_ts": 1_788_242_000.0}, "/0/data/end_ts", "ends-before-start"),
        ({"end_ts": 1_788_242_400.0 + 8 * 86_400}, "/0/data/end_ts", "too-long"),
        ({"start_local_dt": {}}, "/0/data/start_local_dt/timezone", "zone-unknown"),
        ({"start_local_dt": None}, "/0/data/start_local_dt", "not-an-object"),
        (
            {"end_local_dt": {"timezone": "../../etc/passwd"}},
            "/0/data/end_local_dt/timezone",
            "zone-unknown",
        ),
        (
            {"start_loc": point(43.2109, 2.442)},
            "/0/data/start_loc/coordinates",
            "coordinates-swapped",
        ),
        (
            {"start_loc": point(200.0, 43.0)},
            "/0/data/start_loc/coordinates",
            "coordinates-out-of-range",
        ),
        ({"start_loc": point(0, 0)}, "/0/data/start_loc/coordinates", "coordinates-null-island"),
        ({"end_loc": {"type": "Polygon"}}, "/0/data/end_loc", "not-a-point"),
        ({"end_loc": point(float("nan"), 1)}, "/0/data/end_loc/coordinates", "not-a-number"),
    ],
)
def test_a_bad_field_is_named_and_the_other_trips_are_kept(
    changes: dict[str, Any], where: str, code: str
) -> None:
    page = read(json.dumps([made(**changes), made()]).encode())
    assert [(r.where, r.code) for r in page.rejected] == [(where, code)]
    assert len(page.records) == 1


def test_objects_that_are_no_entries_are_named() -> None:
    wrong: list[Any] = [None, 3, [], {"metadata": 1}, {"metadata": {"key": "x"}, "data": []}]
    page = read(json.dumps([*wrong, made()]).encode())
    assert [(r.where, r.code) for r in page.rejected] == [
        (f"/{n}", "not-an-entry") for n in range(5)
    ]
    assert len(page.records) == 1


def test_entries_of_another_person_are_not_taken() -> None:
    other = made(distance=9.0)
    other["user_id"] = {"$uuid": "1" * 32}
    page = read(json.dumps([made(), other]).encode())
    assert [(r.where, r.code) for r in page.rejected] == [("/1/user_id", "other-person")]


@pytest.mark.parametrize(
    "data",
    [b"", b"   ", b"hello", b"\xff\xfe\x00", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"null"],
)
def test_what_cannot_be_read_at_all_is_one_typed_error(data: bytes) -> None:
    try:
        page = read(data)
    except HostileInputError:
        return
    assert page.records == ()
    assert page.rejected


def test_sections_that_came_apart_join_their_trip_once() -> None:
    trip = made(cleaned_trip={"$oid": "c1"})
    span = {key: trip["data"][key] for key in ("start_ts", "end_ts")}
    section = {
        "_id": {"$oid": "s1"},
        "user_id": trip["user_id"],
        "metadata": {"key": "analysis/inferred_section", "write_ts": 1_788_300_000.0},
        "data": {"trip_id": {"$oid": "c1"}, "distance": 7_900.0, "sensed_mode": 1, **span},
    }
    cleaned = {**section, "_id": {"$oid": "s2"}, "metadata": {"key": "analysis/cleaned_section"}}
    # Three identical inferred sections happen in production; and 1 means walking there, bicycle
    # in a cleaned section.
    page = read(json.dumps([trip, section, section, section, cleaned]).encode())
    [record] = page.records
    assert isinstance(record, TripObservation)
    assert [claim.mode for leg in record.legs for claim in leg.mode_claims] == [Mode.WALK]
    alone = read(json.dumps([trip, cleaned]).encode()).records[0]
    assert isinstance(alone, TripObservation)
    assert [claim.mode for leg in alone.legs for claim in leg.mode_claims] == [Mode.BICYCLE]


def test_a_confirmed_trip_inside_a_composite_one_counts_once() -> None:
    confirmed = made()
    composite = made(confirmed_trip=confirmed["_id"], sections=[], locations=[])
    composite["_id"] = {"$oid": "f" * 24}
    composite["metadata"] = {**composite["metadata"], "key": "analysis/composite_trip"}
    page = read(json.dumps([confirmed, composite]).encode())
    assert len(page.records) == 1
    assert page.skipped["inside-composite"] == 1


def test_not_a_trip_said_by_the_person_cancels_it() -> None:
    page = read(json.dumps([made(user_input={"mode_confirm": "Not a trip"})]).encode())
    [record] = page.records
    assert isinstance(record, TripObservation)
    assert record.cancelled
