"""Every vector through every entry point of its layout; an unknown header fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import MobilityError
from tests.vectors.crypto.layouts import LAYOUTS, fixed_entropy

FOLDER = Path(__file__).parents[2] / "vectors" / "crypto"
HEADER = {"layout", "version", "licence", "specification", "vectors"}
MEMBERS = {"name", "expect", "inputs", "sealed", "entropy", "output"}


def _vectors() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        found += [
            pytest.param(path.stem, vector, id=f"{path.stem}: {vector['name']}")
            for vector in json.loads(path.read_text())["vectors"]
        ]
    return found


def test_every_layout_has_vectors_with_known_headers() -> None:
    files = {path.stem for path in FOLDER.glob("*.json")}
    assert files == set(LAYOUTS)
    for path in FOLDER.glob("*.json"):
        document = json.loads(path.read_text())
        assert set(document) == HEADER
        assert document["layout"] == path.stem
        assert document["version"] == 1
        names = [vector["name"] for vector in document["vectors"]]
        assert len(names) == len(set(names))
        for vector in document["vectors"]:
            assert set(vector) <= MEMBERS
            assert (vector["expect"] == "success") == ("output" in vector)


@pytest.mark.parametrize(("layout", "vector"), _vectors())
def test_opening_has_the_outcome_the_vector_names(layout: str, vector: dict[str, Any]) -> None:
    opener, _ = LAYOUTS[layout]
    sealed = bytes.fromhex(vector["sealed"])
    if vector["expect"] == "success":
        assert opener(vector["inputs"], sealed) == vector["output"]
        return
    with pytest.raises(MobilityError) as caught:
        opener(vector["inputs"], sealed)
    assert caught.value.code == vector["expect"]


@pytest.mark.parametrize(("layout", "vector"), [v for v in _vectors() if "entropy" in v.values[1]])
def test_sealing_with_the_same_random_bytes_gives_the_vector(
    layout: str, vector: dict[str, Any]
) -> None:
    _, sealer = LAYOUTS[layout]
    assert sealer is not None
    with fixed_entropy(vector["entropy"]):
        assert sealer(vector["inputs"]).hex() == vector["sealed"]
