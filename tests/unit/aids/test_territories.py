"""Places by code: what holds them, the special cases, and a second country behind the same port."""

from typing import Any

import pytest

from federation.aids.model import Aid, aid_from_json, aid_to_json
from federation.aids.national import mobility_allowance
from federation.aids.territories import (
    COUNTRIES,
    EVERYWHERE,
    by_code,
    gazetteer,
    search,
    territory_name,
)
from schemas.ids import Did


def an_aid(**changes: Any) -> Aid:
    document = aid_to_json(mobility_allowance(Did("did:web:hub:agglo"), "Agglo"))
    return aid_from_json({**document, **changes})


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_place_is_found_by_its_code_its_name_and_its_postcodes(country: str) -> None:
    places = gazetteer(country)
    every = places.communes()
    assert len({c.code for c in every}) == len(every)
    for commune in every[:: max(1, len(every) // 60)]:
        assert places.by_code(commune.code) == by_code(commune.code) == commune
        assert places.name("commune", commune.code) == commune.name
        if len(search(commune.name)) < 40:
            assert commune in places.search(commune.name)
        for postcode in commune.postcodes:
            assert commune in places.search(postcode)
        for level, code in commune.codes:
            assert territory_name(level, code), (level, code)
    assert places.by_code("no such code") is None
    assert places.search("x") == []


def test_a_postcode_of_several_communes_lets_the_person_choose() -> None:
    assert len(search("11170")) > 5


@pytest.mark.parametrize(
    ("code", "also"),
    [
        ("67482", ("departement", "6AE")),  # Strasbourg: Alsace
        ("68224", ("departement", "6AE")),  # Mulhouse
        ("69123", ("departement", "69M")),  # Lyon: the Métropole has a departement's powers
        ("69264", ("departement", "69D")),  # Villefranche-sur-Saône: the departement that is left
        ("2A004", ("departement", "20R")),
        ("75056", ("departement", "75C")),
        ("93066", ("epci", "200057867")),  # Saint-Denis: Plaine Commune, in the Grand Paris
        ("97209", ("region", "02")),
        ("98818", ("departement", "988")),
    ],
)
def test_a_special_authority_holds_its_communes(code: str, also: tuple[str, str]) -> None:
    commune = by_code(code)
    assert commune is not None
    assert also in commune.codes
    assert EVERYWHERE in commune.codes


@pytest.mark.parametrize(
    ("part", "whole"), [("75111", "75056"), ("69383", "69123"), ("13203", "13055")]
)
def test_an_arrondissement_is_its_commune(part: str, whole: str) -> None:
    found = by_code(part)
    assert found is not None
    assert found.code == whole
    assert territory_name("commune", part) == found.name


def test_an_arrondissement_is_found_by_its_name() -> None:
    assert [c.code for c in search("Marseille 3e Arrondissement")] == ["13055"]


def test_a_departement_is_not_the_region_of_its_number() -> None:
    paris, bordeaux = by_code("75056"), by_code("33063")
    assert paris is not None
    assert bordeaux is not None
    region = an_aid(territories=[{"kind": "region", "code": "75"}])
    assert region.covers(bordeaux.codes)
    assert not region.covers(paris.codes)


def test_an_aid_covers_each_of_its_territories_and_without_any_the_country() -> None:
    carcassonne, montreal = by_code("11069"), by_code("CA-QC:66023")
    assert carcassonne is not None
    assert montreal is not None
    two = an_aid(
        territories=[{"kind": "region", "code": "24"}, {"kind": "commune", "code": "11069"}]
    )
    assert two.covers(carcassonne.codes)
    assert an_aid(territories=[]).covers(carcassonne.codes)
    assert not an_aid(territories=[]).covers(montreal.codes), "an aid of France is not Québec's"
    assert an_aid(territories=[{"kind": "region", "code": "CA-QC:QC"}]).covers(montreal.codes)


def test_a_place_of_quebec_is_found_by_the_start_of_its_postcode() -> None:
    quebec = gazetteer("CA-QC")
    assert [c.name for c in quebec.search("h2x 1y4")] == ["Montréal"]
    assert not quebec.communes()[0].codes & {EVERYWHERE}
