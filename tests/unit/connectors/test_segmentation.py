"""Points into stops, trips and legs: laws, hostile tracks, and real days against their diaries."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.points import Collector, trips_of
from connectors.segmentation import DEFAULT, Hint, Points, segment
from schemas.modes import Mode
from tests.unit.connectors.diaries import DAYS, day, leave_one_day_out

T0 = 1_760_000_000.0
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LAT, LON = 48.85, 2.35
DEGREE = 111_195.0


class Walk:
    """A track being written: stay, move, sleep."""

    def __init__(self) -> None:
        self.t, self.x, self.rows = T0, 0.0, list[tuple[float, float, float, float]]()

    def _row(self, accuracy: float = 10.0) -> None:
        self.rows.append((self.t, LAT + self.x / DEGREE, LON, accuracy))

    def stay(self, seconds: int, every: int = 30) -> "Walk":
        for _ in range(0, seconds, every):
            self.t += every
            self._row()
        return self

    def move(self, metres: float, speed: float, every: int = 10) -> "Walk":
        for _ in range(round(metres / speed / every)):
            self.t += every
            self.x += speed * every
            self._row()
        return self

    def sleep(self, seconds: int, metres: float = 0.0) -> "Walk":
        self.t += seconds
        self.x += metres
        self._row()
        return self

    def points(self) -> Points:
        return Points.of(*zip(*self.rows, strict=True))


def commute() -> Walk:
    return Walk().stay(900).move(800, 1.4).move(6_000, 12.0).move(500, 1.4).stay(3600)


def test_a_trip_lies_between_two_stops_and_its_legs_follow_the_pace() -> None:
    [trip] = segment(commute().points()).trips
    assert [leg.mode for leg in trip.legs] == [Mode.WALK, Mode.UNKNOWN, Mode.WALK]
    assert trip.distance == pytest.approx(7_300, rel=0.03)
    assert abs(trip.started - (T0 + 900)) < 300


def test_a_phone_that_slept_at_work_left_two_trips() -> None:
    walk = Walk().move(5_000, 5.0).sleep(8 * 3600, 40.0).move(5_000, 5.0)
    first, second = segment(walk.points()).trips
    assert first.ended < second.started
    assert {leg.mode for leg in (*first.legs, *second.legs)} == {Mode.BICYCLE}


def test_a_tunnel_does_not_cut_a_trip() -> None:
    walk = Walk().stay(600).move(4_000, 20.0).sleep(400, 9_000.0).move(4_000, 20.0).stay(600)
    [trip] = segment(walk.points()).trips
    assert trip.distance == pytest.approx(17_000, rel=0.05)


def test_a_jump_and_back_is_no_trip() -> None:
    walk = Walk().stay(1800)
    rows = walk.rows
    t, lat, lon, accuracy = rows[20]
    rows[20] = (t, lat + 3.0, lon, accuracy)
    assert segment(walk.points()).trips == ()


def test_vague_points_are_left_out() -> None:
    walk = Walk().stay(1800)
    walk.rows[10:20] = [(t, lat + 0.02, lon, 800.0) for t, lat, lon, _ in walk.rows[10:20]]
    assert segment(walk.points()).trips == ()


def test_a_train_and_a_flight_are_not_a_bicycle() -> None:
    train = Walk().stay(600).move(60_000, 50.0).stay(600)
    assert segment(train.points()).trips[0].legs[0].mode == Mode.TRAIN
    flight = Walk().stay(600).sleep(3 * 3600, 2_000_000.0).stay(900)
    assert segment(flight.points()).trips[0].legs[0].mode == Mode.AIR_OR_HSR


def test_what_the_phone_says_of_its_motion_comes_before_speeds() -> None:
    walk = Walk().move(3_000, 4.0)
    plain = walk.points()
    said = Points.of(plain.t, plain.lat, plain.lon, plain.accuracy, [Hint.VEHICLE] * len(plain))
    assert segment(plain).trips[0].legs[0].mode == Mode.BICYCLE
    assert segment(said).trips[0].legs[0].mode == Mode.UNKNOWN


def test_what_no_stop_closed_is_still_open() -> None:
    walk = Walk().stay(900).move(3_000, 4.0)
    assert segment(walk.points()).open_since == pytest.approx(T0 + 900, abs=60)
    assert segment(walk.stay(3600).points()).open_since is None


def test_order_and_doubles_change_nothing() -> None:
    points = commute().points()
    index = np.random.default_rng(3).permutation(np.repeat(np.arange(len(points)), 3))
    mixed = Points.of(points.t[index], points.lat[index], points.lon[index], points.accuracy[index])
    assert segment(mixed).trips == segment(points).trips


def test_a_trip_knows_the_zone_of_each_end() -> None:
    rows = [(T0 + 60 * i, 51.5 - 2.7 * i / 60, -0.12 + 2.5 * i / 60, 10.0) for i in range(61)]
    [trip], _ = trips_of(Points.of(*zip(*rows, strict=True)), source="s", account="a")
    assert (trip.start_zone, trip.end_zone) == ("Europe/London", "Europe/Paris")
    assert trip.track is not None and len(trip.track) == 61


def test_equal_points_give_equal_observations() -> None:
    points = commute().points()
    first, _ = trips_of(points, source="s", account="a")
    again, _ = trips_of(points, source="s", account="a")
    assert first == again and first


@pytest.mark.parametrize(
    ("t", "lat", "lon", "rule"),
    [
        (math.nan, 1.0, 1.0, "not-a-number"),
        (T0, math.inf, 1.0, "not-a-number"),
        (0.0, 1.0, 1.0, "time-implausible"),
        (T0 * 1000, 1.0, 1.0, "time-in-milliseconds"),
        (NOW.timestamp() + 200_000, 1.0, 1.0, "time-in-future"),
        (T0, 95.0, 1.0, "coordinates-out-of-range"),
        (T0, 0.0, 0.0, "coordinates-null-island"),
    ],
)
def test_a_point_that_cannot_be_is_named_by_its_rule(
    t: float, lat: float, lon: float, rule: str
) -> None:
    kept = Collector(at=NOW)
    assert kept.add(t, lat, lon) == rule
    assert len(kept) == 0


def test_no_file_holds_more_points_than_memory_does() -> None:
    kept = Collector(at=NOW, limit=2)
    assert [kept.add(T0 + i, LAT, LON) for i in range(3)] == [None, None, "too-many-points"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(T0, T0 + 90_000),
            st.floats(-90, 90),
            st.floats(-180, 180),
            st.one_of(st.just(math.nan), st.floats(0, 1e6)),
        ),
        max_size=60,
    )
)
def test_any_points_give_ordered_trips_apart_from_each_other(
    rows: list[tuple[float, float, float, float]],
) -> None:
    points = Points.of(*zip(*rows, strict=True)) if rows else Points.of([], [], [])
    found = segment(points, DEFAULT)
    ends = [edge for trip in found.trips for edge in (trip.started, trip.ended)]
    assert ends == sorted(ends)
    for trip in found.trips:
        assert trip.legs[0].first == trip.first
        assert trip.legs[-1].last == trip.last
        assert all(a.last == b.first for a, b in zip(trip.legs, trip.legs[1:], strict=False))


@pytest.mark.shared_data
def test_real_days_leave_one_day_out() -> None:
    score, chosen = leave_one_day_out()
    assert score >= 0.80
    assert set(chosen.values()) == {DEFAULT}, "the other days choose what is documented"


@pytest.mark.shared_data
@pytest.mark.parametrize("name", DAYS)
def test_a_real_day_gives_trips(name: str) -> None:
    points, _ = day(name)
    trips, _ = trips_of(points, source="s", account="a")
    assert trips
    assert all(t.start_zone == "America/Los_Angeles" for t in trips)
