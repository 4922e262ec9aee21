"""The published tests of the bicycle model, against our interpreter."""

import json
from pathlib import Path
from typing import Any

import pytest

from federation.aids.publicodes import UNDEFINED, Engine
from federation.aids.velo import KNOWN_DEFECTS

pytestmark = pytest.mark.shared_data


def _load(shared: Path) -> tuple[Engine, list[dict[str, Any]]]:
    folder = shared / "data" / "aids"
    model = json.loads((folder / "velo_aides_publicodes_model_v4.json").read_text())["model"]
    vectors = json.loads((folder / "velo_golden_published_tests.json").read_text())["vectors"]
    return Engine(model, ignored=KNOWN_DEFECTS), vectors


def test_every_published_vector_gives_its_amount(shared: Path) -> None:
    engine, vectors = _load(shared)
    assert len(vectors) == 155
    for vector in vectors:
        found = engine.evaluate(vector["rule"], vector["situation"]).value
        assert found is not UNDEFINED, vector["test"]
        if vector["value"] is None or isinstance(vector["value"], bool | str):
            assert found == vector["value"], vector["test"]
        else:
            assert found == pytest.approx(vector["value"], abs=1e-9), vector["test"]


def test_every_published_vector_asks_exactly_the_same_questions(shared: Path) -> None:
    engine, vectors = _load(shared)
    for vector in vectors:
        missing = engine.evaluate(vector["rule"], vector["situation"]).missing
        assert set(missing) == set(vector["missing"]), vector["test"]


def test_the_misspelt_keys_of_the_newer_model_are_reported_by_name(shared: Path) -> None:
    engine, _ = _load(shared)
    assert ("aides . sarlat", "plaond") in engine.defects
    assert ("aides . caen", "dernière mise jour") in engine.defects
