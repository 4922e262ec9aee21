"""« Donner une trace »: the preview says what the file holds, and the receipt stays."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

from tests.e2e.network import Network
from tests.e2e.test_commands import mobility

PERIOD = {"depuis": "2026-10-01", "jusque": "2026-11-19"}
HOME = (43.2109, 2.4420)


def test_a_trace_is_previewed_given_and_its_receipt_kept(federation: Network) -> None:
    citizen = federation.citizen()
    values = {**PERIOD, "rayon": "500", "heures": "week", "licence": "etalab-2.0", "bouts": "1"}
    preview = citizen.submit("/coffre/donner", "/coffre/donner/apercu", values)
    assert "Rien n'est encore donné" in preview.text.replace("&#39;", "'")
    assert "<svg" in preview.text
    answer = citizen.submit(preview, "/coffre/donner")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        traces, receipt = packed.read("traces.geojson"), json.loads(packed.read("recu.json"))
    assert receipt["sha256"] == hashlib.sha256(traces).hexdigest()
    document = json.loads(traces)
    assert len(document["features"]) == receipt["traces"] > 10
    assert document["licence"] == "etalab-2.0"
    near = [
        (lon, lat)
        for feature in document["features"]
        for line in feature["geometry"]["coordinates"]
        for lon, lat in line
        if abs(lat - HOME[0]) < 0.001 and abs(lon - HOME[1]) < 0.001
    ]
    assert near == []
    again = citizen.get("/coffre/donner")
    assert receipt["sha256"] in again.text
    assert "Traces données" in citizen.get("/coffre/journal").text


def test_wrong_choices_are_said_at_their_field(federation: Network) -> None:
    citizen = federation.citizen()
    values = {"depuis": "2026-11-19", "jusque": "2026-10-01", "rayon": "17"}
    page = citizen.submit("/coffre/donner", "/coffre/donner/apercu", values, expect=422)
    assert "La fin précède le début" in page.text
    assert "Choisissez un rayon" in page.text
    empty = federation.new_citizen()
    nothing = empty.submit("/coffre/donner", "/coffre/donner/apercu", PERIOD)
    assert "Rien à donner" in nothing.text
    assert "ne sont pas indiqués" in empty.get("/coffre/donner").text


def test_the_command_line_counts_then_writes(federation: Network, tmp_path: Path) -> None:
    out = tmp_path / "traces.geojson"
    asked = ["vault", "give", out, "--from", "2026-10-01", "--until", "2026-11-19", "--json"]
    counted = mobility(federation, *asked, "--preview")
    assert counted.returncode == 0, counted.stderr
    assert not out.exists()
    done = mobility(federation, *asked, "--as", "bacodi-07")
    receipt = json.loads(done.stdout)["receipt"]
    assert receipt["contributor"] == "bacodi-07"
    assert receipt["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert receipt["traces"] == json.loads(counted.stdout)["traces"] > 10
    assert mobility(federation, *asked, "--radius", "17").returncode == 2
