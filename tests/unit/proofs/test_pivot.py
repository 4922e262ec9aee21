"""The canonical pivot: our vectors, and what is no pivot's field."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation.pivot import Pivot, PivotError, canonical_pivot, pivot_nullifier

FOUND = json.loads((Path(__file__).parents[2] / "vectors" / "pivot.json").read_text("utf-8"))
KEY = bytes.fromhex(FOUND["key"])
ONE = Pivot(**FOUND["vectors"][0]["pivot"])


@pytest.mark.parametrize("vector", FOUND["vectors"], ids=lambda v: v["name"])
def test_a_vector_has_its_canonical_form_and_its_nullifier(vector: dict[str, Any]) -> None:
    pivot = Pivot(**vector["pivot"])
    assert canonical_pivot(pivot).decode() == vector["canonical"]
    made = pivot_nullifier(KEY, FOUND["family"], FOUND["version"], pivot)
    assert made.value == vector["nullifier"]


def test_spelling_does_not_make_another_person() -> None:
    first, second = FOUND["vectors"][:2]
    assert first["pivot"] != second["pivot"]
    assert first["nullifier"] == second["nullifier"]


def test_families_and_versions_do_not_link() -> None:
    names = {
        pivot_nullifier(KEY, family, version, ONE).value
        for family in ("a", "b")
        for version in (1, 2)
    }
    assert len(names) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"family_name": ""},
        {"family_name": "\u202ex1"},
        {"family_name": "A" * 201},
        {"given_names": "42"},
        {"birth_date": "1990-13-01"},
        {"birth_date": "28/02/1990"},
        {"birth_date": "199O-02-28"},
        {"gender": "robot"},
        {"birth_place": "Trèbes"},
        {"birth_place": ""},
        {"birth_country": "FR"},
    ],
)
def test_what_is_no_pivots_field_is_refused_and_never_repeated(changes: dict[str, str]) -> None:
    with pytest.raises(PivotError) as caught:
        canonical_pivot(replace(ONE, **changes))
    (name, value), *_ = changes.items()
    assert caught.value.where == name
    assert not value or value not in str(caught.value)
    assert "Œuvré" not in repr(ONE)
