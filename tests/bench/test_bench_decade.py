"""A ten-year vault on both databases: 15 000 trips with tracks, 40 000 legs, 1 500 invoices.

Each database is measured in a process of its own (`decade_run.py`). `MOBILITY_BENCH_TRIPS` makes
the decade shorter while working.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.bench.conftest import ROOT, Bench
from tests.bench.decade import INVOICES, LEGS, TRIPS, invoices, trips

pytestmark = pytest.mark.bench

AIMS: Final = {
    "vault.unlock_first_page_ms": 150,
    "vault.drain_records_per_s": 3000,
    "vault.statistics_cold_s": 1.5,
    "vault.statistics_warm_ms": 50,
    "vault.bytes_per_trip": 2000,
    "vault.peak_memory_mb": 400,
}
"""The reference beside each figure. Which are reached: `vault/README.md`, "Where the time goes"."""
WORST_BYTES: Final = {"sqlite": 2150, "postgresql": 2400}
"""Short of the aim; a change that needs more than this is a mistake."""
UNITS: Final = {"_ms": "ms", "_s": "s", "_per_s": "1/s", "_mb": "MB", "_per_trip": "bytes"}
COUNT: Final = int(os.environ.get("MOBILITY_BENCH_TRIPS", "1000"))
"""Trips of the decade that are measured; all of them: `MOBILITY_BENCH_TRIPS=15000`."""


@pytest.fixture(scope="module")
def decade(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Made once, for both databases: files of observations, one a line."""
    folder = tmp_path_factory.mktemp("decade")
    made, bills = folder / "trips", folder / "invoices"
    with made.open("wb") as out:
        out.writelines(raw + b"\n" for raw in trips(COUNT))
    with bills.open("wb") as out:
        out.writelines(raw + b"\n" for raw in invoices(INVOICES * COUNT // TRIPS))
    return made, bills


def test_the_decade_is_what_it_says(decade: tuple[Path, Path]) -> None:
    lines = decade[0].read_bytes().splitlines()
    assert len(lines) == COUNT
    legs = sum(line.count(b'"upstreamId"') for line in lines)
    assert legs == pytest.approx(LEGS * COUNT / TRIPS, abs=2)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_ten_years(
    bench: Bench,
    decade: tuple[Path, Path],
    database: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    url = "-" if database == "sqlite" else str(request.getfixturevalue("empty_postgresql_url"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.decade_run", *map(str, decade), str(tmp_path), url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=max(900, COUNT // 5),
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    for name, value in found.items():
        if name.startswith("vault."):
            plain = name.removesuffix(".cpu")
            unit = next(u for end, u in sorted(UNITS.items(), key=lambda i: -len(i[0]))
                        if plain.endswith(end))  # fmt: skip
            bench.put(f"{name}.{database}", value, unit, reference=AIMS.get(plain), n=COUNT)
    assert found["trips"] == COUNT
    assert found["invoices"] == INVOICES * COUNT // TRIPS
    assert found["vault.bytes_per_trip"] <= WORST_BYTES[database]
    assert found["vault.peak_memory_mb"] <= AIMS["vault.peak_memory_mb"]
