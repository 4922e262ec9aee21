"""Connectors: a long history read and segmented, its memory, a pull into a drained vault, and how
right the segmentation is."""

import io
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.emission.client import Dialect
from connectors.files.google import GoogleTimeline
from connectors.sandbox.story import Story
from tests.bench.conftest import Bench, median_s
from tests.unit.connectors.diaries import leave_one_day_out
from tests.unit.connectors.test_in_a_vault import Place, Server

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore::UserWarning")]

POINTS = 250_000
AT = datetime(2026, 11, 22, tzinfo=UTC)


def history(points: int = POINTS) -> bytes:
    """`Records.json` of a phone: rides of half an hour at 5 m/s, an hour of rest, a point in 20 s
    on the move and one in two minutes at rest."""
    rows, t, lat, north = [], 1_700_000_000.0, 48.85, 1
    while len(rows) < points:
        for _ in range(90):
            t, lat = t + 20, lat + north * 100 / 111_195
            rows.append((t, lat))
        for _ in range(30):
            t += 120
            rows.append((t, lat))
        north = -north
    body = ",".join(
        f'{{"latitudeE7":{round(y * 1e7)},"longitudeE7":23500000,"accuracy":12,'
        f'"timestamp":"{datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}"}}'
        for s, y in rows[:points]
    )
    return f'{{"locations":[{body}]}}'.encode()


def trips_of(data: bytes) -> int:
    pages = GoogleTimeline().read(io.BytesIO(data), account="a", at=AT)
    return sum(len(page.records) for page in pages)


def test_a_long_history_is_parsed_and_segmented(bench: Bench) -> None:
    data = history()
    assert trips_of(data) > POINTS // 130
    took = median_s(lambda: trips_of(data), n=3)
    parsed = median_s(lambda: json.loads(data), n=3)
    bench.put("connectors.import_points_per_s", POINTS / took, "points/s", n=3)
    bench.put("connectors.import / json.loads", took, "s", reference=parsed, n=3)


def test_a_long_history_needs_little_memory(bench: Bench, tmp_path: Path) -> None:
    """The peak of a process of its own, its interpreter and libraries included (`VmHWM`:
    `ru_maxrss` begins at the parent's)."""
    file = tmp_path / "Records.json"
    file.write_bytes(history())
    script = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from connectors.files.google import GoogleTimeline\n"
        "stream = open(sys.argv[1], 'rb')\n"
        "at = datetime(2026, 11, 22, tzinfo=UTC)\n"
        "print(sum(len(p.records) for p in GoogleTimeline().read(stream, account='a', at=at)))\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, check=True, timeout=120
    )
    trips, peak = map(int, answer.stdout.split())
    assert trips > POINTS // 130
    bench.put("connectors.import_peak_mb", peak * 1024 / 1e6, "MB", reference=300)


def moved(entry: dict[str, Any], number: int) -> dict[str, Any]:
    """A trip as another one: hours later, under another id."""
    text = json.dumps(entry)
    again: dict[str, Any] = json.loads(text)
    shift = 6 * 3600.0 * number

    def shifted(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: f"{number:024x}" if k == "$oid" else later(k, v) for k, v in value.items()}
        return [shifted(v) for v in value] if isinstance(value, list) else value

    def later(name: str, value: Any) -> Any:
        timed = name in {"start_ts", "end_ts", "write_ts", "ts", "enter_ts", "exit_ts"}
        return value - shift if timed and isinstance(value, int | float) else shifted(value)

    moved_entry: dict[str, Any] = shifted(again)
    return moved_entry


def test_a_thousand_trips_are_pulled_into_a_drained_vault(bench: Bench, tmp_path: Path) -> None:
    server = Server(Dialect.UPSTREAM_2026)
    trips = [e for e in Story().entries() if e["metadata"]["key"] == "analysis/composite_trip"]
    server.entries = sorted(
        (moved(trips[0], number) for number in range(1, 1_001)),
        key=lambda e: e["metadata"]["write_ts"],
    )
    place = Place(tmp_path, server)
    try:
        place.service.add_tracemob(place.vault_id, "https://traces.test", "jeton")
        [account] = place.service.accounts(place.vault_id)
        began = time.perf_counter()
        report = place.service.pull(place.vault_id, account.id)
        place.drain()
        took = time.perf_counter() - began
        assert report.records == 1_000, report
        assert len(place.trips()) == 1_000
    finally:
        place.close()
    bench.put("connectors.pull_1000_trips_s", took, "s", reference=5)


@pytest.mark.shared_data
def test_segmentation_against_real_diaries(bench: Bench) -> None:
    score, _ = leave_one_day_out()
    bench.put("connectors.segmentation_f1", score, "F1", reference=0.80)
    assert score >= 0.80
