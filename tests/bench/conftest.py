"""Timings as ratios: each test measures ours and a reference in the same run.

`make bench` writes `bench.json`, a list of {name, value, unit, reference, ratio, n}: `value` is
ours, `reference` what it is compared with, `ratio` = value / reference; null where there is no
sensible reference. Values are medians of `n` repetitions.
"""

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def median_s(act: Callable[[], object], *, n: int, inner: int = 1) -> float:
    """Median seconds of one `act` over `n` rounds of `inner` calls, after one warm-up."""
    act()
    rounds = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(n):
            began = time.perf_counter()
            for _ in range(inner):
                act()
            rounds.append((time.perf_counter() - began) / inner)
    finally:
        gc.enable()
    return statistics.median(rounds)


class Bench:
    """Collects what the tests measure."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def put(
        self, name: str, value: float, unit: str, *, reference: float | None = None, n: int = 1
    ) -> float | None:
        """Record one measurement; returns the ratio."""
        ratio = None if not reference else value / reference
        self.rows.append(
            {
                "name": name,
                "value": round(value, 9),
                "unit": unit,
                "reference": None if reference is None else round(reference, 9),
                "ratio": None if ratio is None else round(ratio, 4),
                "n": n,
            }
        )
        return ratio

    def compare(
        self,
        name: str,
        ours: Callable[[], object],
        reference: Callable[[], object],
        *,
        n: int = 15,
        inner: int = 1,
        reference_inner: int | None = None,
    ) -> float:
        """Measure both, turn about, and record; returns ours / reference."""
        value = median_s(ours, n=n, inner=inner)
        against = median_s(reference, n=n, inner=reference_inner or inner)
        ratio = self.put(name, value, "s", reference=against, n=n * inner)
        assert ratio is not None
        return ratio


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    path = Path(os.environ.get("MOBILITY_BENCH", ROOT / "bench.json"))
    path.write_text(json.dumps(made.rows, indent=1, ensure_ascii=False) + "\n")
