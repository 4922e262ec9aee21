"""Totals by month and mode, with factors beside."""

from dataclasses import replace

from schemas import co2
from schemas.modes import Mode
from schemas.units import Metres
from tests.property.observations_story import leg, mint, observed, received
from vault.reconcile import reconcile
from vault.statistics import totals

ROUND = observed(
    "a",
    0,
    40,
    mode=None,
    distance=None,
    legs=(leg(0, 10, Mode.BICYCLE, 3000), leg(10, 40, Mode.TRAIN, 30_000)),
)
OTHER = observed("b", 60 * 24 * 30, 60 * 24 * 30 + 20, mode=Mode.CAR, distance=10_000)
FERRY = observed("c", 200, 230, mode=Mode.FERRY, distance=5000)
TRIPS = reconcile([received(ROUND), received(OTHER), received(FERRY)], mint=mint).trips


def test_by_mode_counts_legs() -> None:
    rows = {row.key: row for row in totals(TRIPS, "mode")}
    assert list(rows) == ["bicycle", "train", "car", "ferry"]
    assert (rows["train"].distance, rows["train"].duration) == (30_000, 1800)
    assert rows["train"].emission == 687  # 30 km at 0.0229 kg
    assert rows["train"].factors == (15,)
    assert rows["car"].emission == rows["car"].counterfactual == 1106
    assert rows["bicycle"].avoided == 332
    assert (rows["ferry"].emission, rows["ferry"].without_factor) == (0, 5000)
    assert rows["ferry"].counterfactual == 0
    assert {row.factor_version for row in rows.values()} == {co2.version()}


def test_by_month_is_by_local_month_and_adds_up() -> None:
    rows = totals(TRIPS, "month")
    assert [(row.key, row.trips, row.distance) for row in rows] == [
        ("2026-03", 2, 38_000),
        ("2026-04", 1, 10_000),
    ]
    (total,) = totals(TRIPS, "total")
    assert total.distance == sum(row.distance for row in rows) == 48_000
    assert total.emission == sum(row.emission for row in rows)


def test_a_trip_of_the_first_night_of_a_month_belongs_to_it() -> None:
    late = observed("n", -10_020 + 480, -10_000 + 480)  # 2026-03-04 00:00 in Paris
    (trip,) = reconcile([received(late)], mint=mint).trips
    assert totals([trip], "day")[0].key == trip.local_date.isoformat()


def test_a_trip_without_legs_counts_as_one() -> None:
    bare = replace(TRIPS[0], legs=(), distance=Metres(100), mode=Mode.WALK)
    (row,) = totals([bare], "mode")
    assert (row.key, row.legs, row.distance) == ("walk", 1, 100)


def test_nothing_gives_no_row() -> None:
    assert totals([]) == ()
