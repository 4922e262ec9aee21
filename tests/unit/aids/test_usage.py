"""Proof templates: where one stands, the least that is said, and signed trips counted once."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.aids.covoiturage import CARPOOL_PROOF, CARPOOL_TRIPS
from federation.usage import (
    Metric,
    TemplateError,
    choose_trips,
    disclosed,
    standing,
    tally,
    template_from_json,
    template_to_json,
    trip_claims,
    whole_months,
)

OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
PUBLISHED = template_to_json(CARPOOL_PROOF)


def template(**changes: Any) -> Any:
    kept = {k: v for k, v in PUBLISHED.items() if changes.get(k, v) is not None}
    return template_from_json({**kept, **{k: v for k, v in changes.items() if v is not None}})


def signed(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "month": "2026-10",
        "mode": "carpool",
        "evidence": "operator",
        "distanceAtLeast": 10_000,
        "nullifiers": [{"family": CARPOOL_TRIPS, "version": "1", "value": name}],
        **changes,
    }


def test_a_template_is_read_as_it_was_published() -> None:
    assert template_from_json(PUBLISHED) == CARPOOL_PROOF


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "steps"},
        {"modes": []},
        {"modes": ["broomstick"]},
        {"atLeast": 0, "brackets": None},
        {"atLeast": 5},
        {"brackets": [20, 10]},
        {"brackets": list(range(40))},
        {"brackets": ["10"]},
        {"minimumDistance": -1},
        {"metric": "eligible-days"},
        {"metric": "co2e", "brackets": None, "atLeast": 5},
        {"metric": "co2e", "modes": ["ferry"]},
        {"tripFamily": "../x"},
        {"capPerDay": 0},
        {"surprise": 1},
        {"rule": 7},
    ],
)
def test_a_template_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TemplateError):
        template(**changes)


@pytest.mark.parametrize("value", [None, [], "trips", 3])
def test_what_is_no_object_is_no_template(value: object) -> None:
    with pytest.raises(TemplateError):
        template_from_json(value)


def test_eighteen_of_twenty_says_that_two_are_missing() -> None:
    found = standing(template(atLeast=20, brackets=None), 18)
    assert (found.metric, found.value, found.wanted, found.missing) == (Metric.TRIPS, 18, 20, 2)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9, None),
        (10, {"atLeast": 10, "below": 20}),
        (19, {"atLeast": 10, "below": 20}),
        (400, {"atLeast": 20}),
    ],
)
def test_brackets_say_the_bracket_and_not_the_figure(
    value: int, said: dict[str, int] | None
) -> None:
    assert disclosed(CARPOOL_PROOF, value) == said


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_threshold_is_all_that_a_threshold_tells(value: int, wanted: int) -> None:
    said = disclosed(template(atLeast=wanted, brackets=None), value)
    assert said == ({"atLeast": wanted} if value >= wanted else None)


def test_a_signed_trip_counts_once_however_often_it_is_shown() -> None:
    trips = [signed("a"), signed("b"), signed("a")]
    found = tally(CARPOOL_PROOF, trips, period=OCTOBER)
    assert (found.value, dict(found.left_out)) == (2, {"twice": 1})
    assert [name for name, *_ in found.nullifiers] == ["a", "b"]


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("month", {"month": "2026-09"}),
        ("month", {"month": "octobre"}),
        ("mode", {"mode": "car"}),
        ("evidence", {"evidence": "sensed"}),
        ("distance", {"distanceAtLeast": 1_000}),
        ("family", {"nullifiers": []}),
        ("family", {"nullifiers": [{"family": "other", "version": "1", "value": "a"}]}),
        ("family", {"nullifiers": [{"family": CARPOOL_TRIPS, "version": "2", "value": "a"}]}),
    ],
)
def test_a_trip_that_does_not_count_says_why(why: str, changes: dict[str, Any]) -> None:
    found = tally(CARPOOL_PROOF, [signed("a", **changes)], period=OCTOBER)
    assert (found.value, dict(found.left_out)) == (0, {why: 1})


def test_a_trip_hidden_in_a_part_of_a_month_does_not_count() -> None:
    assert whole_months((date(2026, 9, 2), date(2026, 11, 29))) == {"2026-10"}
    assert whole_months((date(2026, 12, 1), date(2027, 1, 31))) == {"2026-12", "2027-01"}


def test_no_more_trips_are_shown_than_the_threshold_asks() -> None:
    trips = [signed(f"t{n}") for n in range(17)]
    assert len(choose_trips(CARPOOL_PROOF, trips, period=OCTOBER)) == 10
    assert choose_trips(CARPOOL_PROOF, trips[:9], period=OCTOBER) == ()


def test_a_distance_is_met_by_the_fewest_trips() -> None:
    far = template(metric="distance", atLeast=30_000, brackets=None)
    trips = [signed(f"t{n}", distanceAtLeast=d) for n, d in enumerate((5_000, 20_000, 15_000))]
    assert choose_trips(far, trips, period=OCTOBER) == (1, 2)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["2026-09", "2026-10"])), max_size=40)
)
def test_what_the_holder_chooses_is_what_the_verifier_counts(
    found: list[tuple[int, str]],
) -> None:
    trips = [signed(f"t{name}", month=month) for name, month in found]
    chosen = [trips[place] for place in choose_trips(CARPOOL_PROOF, trips, period=OCTOBER)]
    counted = tally(CARPOOL_PROOF, chosen, period=OCTOBER)
    assert not counted.left_out
    all_of_them = tally(CARPOOL_PROOF, trips, period=OCTOBER).value
    assert (disclosed(CARPOOL_PROOF, counted.value) is None) == (not chosen)
    assert bool(chosen) == (all_of_them >= 10)


def test_only_the_claims_that_count_are_asked_for() -> None:
    assert ("distanceAtLeast",) not in trip_claims(template(minimumDistance=None))
    assert set(trip_claims(CARPOOL_PROOF)) == {
        ("month",), ("mode",), ("evidence",), ("distanceAtLeast",), ("nullifiers", CARPOOL_TRIPS),
    }  # fmt: skip
