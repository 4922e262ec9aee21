"""The zones that a home answers from: an operator's files, or what ships; never nothing."""

import json
import os
from datetime import date
from pathlib import Path

import pytest

from federation.aids.zones import shipped_zones
from portal.errors import SettingsContradictionError
from portal.zones import zones_of

AREA = {"properties": {"id": "200067213-ZFE-001", "date_debut": "2026-01-01", "vp_critair": "V3"}}


def written(file: Path, *features: object, day: str = "2026-11-02") -> Path:
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    at = int(date.fromisoformat(day).strftime("%s")) + 43_200
    os.utime(file, (at, at))
    return file


def test_mounted_files_take_the_place_of_what_ships_and_date_the_answer(tmp_path: Path) -> None:
    assert zones_of(None) is shipped_zones()
    written(tmp_path / "a.geojson", AREA, day="2026-10-01")
    written(tmp_path / "b.geojson", {"properties": {**AREA["properties"], "id": "67482-ZFE-1"}})
    (tmp_path / "lisez-moi.txt").write_text("rien", "utf-8")
    book = zones_of(tmp_path)
    assert {zone.territory for zone in book.zones} == {("epci", "200067213"), ("commune", "67482")}
    assert (book.as_of, book.source) == (date(2026, 11, 2), "a.geojson, b.geojson")
    assert len(zones_of(tmp_path / "a.geojson").zones) == 1


def test_a_home_that_would_answer_from_nothing_does_not_start(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(SettingsContradictionError):
            zones_of(path)
    (tmp_path / "c.geojson").write_text("{}", "utf-8")
    with pytest.raises(SettingsContradictionError, match=r"c\.geojson"):
        zones_of(tmp_path)
