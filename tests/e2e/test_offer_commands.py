"""`mobility offers …`, as an operator or a funder runs it."""

import json
from pathlib import Path

from tests.e2e.network import Network
from tests.e2e.test_commands import mobility
from tests.unit.connectors.test_discovery import packed


def test_an_offer_is_read_from_gbfs_and_from_tomp(federation: Network) -> None:
    for address in ("velos/2.3/gbfs.json", "velos/3.0/gbfs.json", "tomp"):
        ran = mobility(federation, "offers", "read", f"{federation.sandbox}/{address}", "--json")
        assert ran.returncode == 0, ran.stderr
        card = json.loads(ran.stdout)
        assert (card["stations"], card["modes"]) == (3, ["bikeshare", "escooter"])
    shown = mobility(federation, "offers", "read", f"{federation.sandbox}/velos/3.0/gbfs.json")
    assert "Trajet simple : 1 €, 0,05 € par 1 min" in shown.stdout.replace("\u00a0", " ")
    assert "Stations : 3 ; véhicules : 5 ; disponibles : 12" in shown.stdout


def test_what_is_no_offer_ends_with_a_reason(federation: Network) -> None:
    ran = mobility(federation, "offers", "read", f"{federation.sandbox}/nothing/gbfs.json")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert mobility(federation, "offers", "read", "ftp://x/gbfs.json").returncode == 1
    away = mobility(federation, "offers", "read", "http://localhost:9/gbfs.json")
    assert away.returncode == 3


def test_a_timetable_is_read_whole_and_around_a_place(federation: Network, tmp_path: Path) -> None:
    file = tmp_path / "gtfs.zip"
    file.write_bytes(packed().getvalue())
    ran = mobility(federation, "offers", "timetable", file)
    assert ran.returncode == 0, ran.stderr
    assert "Valable du 2026-09-01 au 2027-01-01" in ran.stdout
    near = mobility(federation, "offers", "timetable", file, "--around", "43.2183,2.3517", "--json")
    assert [line["id"] for line in json.loads(near.stdout)["lines"]] == ["r1"]
    assert mobility(federation, "offers", "timetable", file, "--around", "là").returncode == 2
    file.write_bytes(b"PK\x03\x04")
    refused = mobility(federation, "offers", "timetable", file)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
