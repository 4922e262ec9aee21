"""Real phone days with the diaries the reference pipeline made of them, and how trips compare."""

import json
import os
from itertools import product
from pathlib import Path

import pytest

from connectors.segmentation import DEFAULT, Criteria, Points, segment

DAYS = (
    "iphone_2016-02-22",
    "shankari_2015-08-23",
    "shankari_2016-06-20",
    "shankari_2016-07-25",
    "shankari_2016-08-05",
)
TOLERANCE_S = 300.0
Counts = tuple[int, int, int]
"""Right, wrong, missed."""
GRID = tuple(
    Criteria(radius_m=radius, dwell_s=dwell, gap_s=gap, slow_m_s=slow, extent_m=extent)
    for radius, dwell, gap, slow, extent in product(
        (80.0, 100.0, 150.0),
        (180.0, 240.0, 300.0, 420.0),
        (180.0, 300.0),
        (0.4, 0.6),
        (100.0, 200.0),
    )
)


def shared(name: str) -> Path:
    """A folder of real data; skipped where there is none, but required in CI."""
    found = Path(os.environ.get("MOBILITY_SHARED") or "/nowhere") / "data" / name
    if not found.exists():
        if os.environ.get("CI") == "true":
            raise AssertionError("real data is required in CI")
        pytest.skip("real data (MOBILITY_SHARED) is absent")
    return found


def folder() -> Path:
    return shared("emission")


def day(name: str) -> tuple[Points, list[tuple[float, float]]]:
    """Raw locations of a day, and (start, end) of its trips."""
    raw = json.loads((folder() / name).read_text())
    truth = json.loads((folder() / f"{name}.ground_truth").read_text())
    data = [e["data"] for e in raw if e["metadata"]["key"] == "background/location"]
    points = Points.of(
        [p["ts"] for p in data],
        [p["latitude"] for p in data],
        [p["longitude"] for p in data],
        [p.get("accuracy", float("nan")) for p in data],
    )
    return points, [(t["properties"]["start_ts"], t["properties"]["end_ts"]) for t in truth["data"]]


def counts(points: Points, truth: list[tuple[float, float]], criteria: Criteria) -> Counts:
    """Trips with both ends within five minutes of a diary's trip, each used once."""
    found = [(t.started, t.ended) for t in segment(points, criteria).trips]
    left, right = list(truth), 0
    for start, end in found:
        near = [
            (abs(start - s) + abs(end - e), (s, e))
            for s, e in left
            if abs(start - s) <= TOLERANCE_S and abs(end - e) <= TOLERANCE_S
        ]
        if near:
            left.remove(min(near)[1])
            right += 1
    return right, len(found) - right, len(left)


def total(parts: list[Counts]) -> Counts:
    return tuple(map(sum, zip(*parts, strict=True)))  # type: ignore[return-value]


def f1(found: Counts) -> float:
    right, wrong, missed = found
    return 2 * right / max(2 * right + wrong + missed, 1)


def leave_one_day_out() -> tuple[float, dict[str, Criteria]]:
    """F1 over all days, each segmented with the criteria that the other days alone choose.

    Nineteen trips choose coarsely: where criteria tie on the other days, the documented one stands.
    """
    days = {name: day(name) for name in DAYS}
    scores = {criteria: {name: counts(*days[name], criteria) for name in DAYS} for criteria in GRID}

    def elsewhere(criteria: Criteria, left_out: str) -> tuple[float, bool]:
        others = [scores[criteria][name] for name in DAYS if name != left_out]
        return f1(total(others)), criteria == DEFAULT

    chosen = {name: max(GRID, key=lambda c: elsewhere(c, name)) for name in DAYS}
    return f1(total([scores[chosen[name]][name] for name in DAYS])), chosen
