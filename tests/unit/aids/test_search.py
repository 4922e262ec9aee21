"""Searching aids: French as people write it, places, facets, and an order that is explained."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources

import pytest

from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.model import Aid, AidStatus
from federation.aids.national import NATIONAL_MODEL, mobility_allowance, national_rules
from federation.aids.schemes import national_schemes
from federation.aids.search import FIELDS, Finder, Query, synonyms
from federation.aids.territories import by_code
from federation.aids.velo import VELO_MODEL, import_velo, read_velo_asset
from schemas.ids import Did

HUB = Did("did:web:hub")
AT = date(2026, 11, 22)
TOULOUSE = "31555"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    velo = import_velo(read_velo_asset(), publisher=HUB, at=AT)
    aids = [*velo.aids, *national_schemes(HUB, at=AT), mobility_allowance(HUB, "Mairie de Trèbes")]
    models = [
        RuleModel.compile(VELO_MODEL, velo.version, velo.rules),
        RuleModel.compile(NATIONAL_MODEL, *national_rules()),
    ]
    return Catalogue.build(
        aids, models, issuer=HUB, version=1, at=datetime(2026, 11, 22, tzinfo=UTC)
    )


@pytest.fixture(scope="module")
def finder(catalogue: Catalogue) -> Finder:
    return Finder(catalogue, AT)


def slugs(finder: Finder, words: str = "", **more: object) -> list[str]:
    return [hit.aid.slug for hit in finder.find(Query(words, **more)).hits]  # type: ignore[arg-type]


def test_the_synonyms_are_many_sourced_and_lead_to_concepts() -> None:
    text = resources.files("federation.aids").joinpath("rules/synonyms.json").read_text("utf-8")
    table = json.loads(text)
    assert table["_meta"]["source"]
    assert table["_meta"]["licence"]
    assert len(table["forms"]) >= 150
    concepts = set(table["forms"].values())
    assert all(table["forms"][concept] == concept for concept in concepts)
    for name, wider in table["broader"].items():
        assert {name, *wider} <= concepts
    table_of = synonyms()
    assert all(table_of.widened(f"={name}")[1:] for name in table["broader"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vélo électrique", "VAE"),
        ("velo electrique", "vélos à assistance électriques"),
        ("ebike", "bicyclette électrique"),
        ("permis de conduire", "auto-école"),
        ("forfait mobilités durables", "FMD"),
        ("chômeur", "demandeuse d'emploi"),
    ],
)
def test_what_means_the_same_finds_the_same(finder: Finder, one: str, other: str) -> None:
    found = set(slugs(finder, one))
    assert found
    assert found == set(slugs(finder, other))


def test_a_wide_word_finds_the_narrow_one_and_not_the_reverse(finder: Finder) -> None:
    wide, narrow = set(slugs(finder, "vélo")), set(slugs(finder, "vélo pliant"))
    assert narrow < wide


def test_accents_capitals_plural_and_an_unfinished_word_do_not_matter(finder: Finder) -> None:
    assert slugs(finder, "TOULOUSE vélos") == slugs(finder, "vélo toulouse")
    assert "velo-toulouse" in slugs(finder, "toul")


def test_every_word_must_be_found_or_the_answer_says_so(finder: Finder) -> None:
    whole = finder.find(Query("permis apprenti"))
    assert [hit.aid.slug for hit in whole.hits][:1] == ["permis-apprenti"]
    assert not whole.is_partial
    some = finder.find(Query("permis apprenti zanzibar"))
    assert some.is_partial
    assert "permis-apprenti" in [hit.aid.slug for hit in some.hits]
    assert finder.find(Query("zanzibar")).hits == ()


def test_a_title_outweighs_a_summary_and_each_hit_says_where(finder: Finder) -> None:
    found = finder.find(Query("apprenti")).hits
    first = found[0]
    assert first.aid.slug == "permis-apprenti"
    assert first.fields[0] == "title"
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert {field for hit in found for field in hit.fields} <= set(FIELDS)


def test_the_nearest_territory_comes_first(finder: Finder) -> None:
    found = finder.find(Query(commune=by_code(TOULOUSE))).hits
    order = ["commune", "epci", "departement", "region", "state"]
    ranks = [order.index(hit.near) for hit in found]
    assert ranks == sorted(ranks)
    assert found[0].aid.slug == "velo-toulouse"
    codes = by_code(TOULOUSE)
    assert codes is not None
    assert all(hit.aid.covers(codes.codes) for hit in found)


def test_an_aid_asked_for_here_stands_before_the_same_elsewhere(finder: Finder) -> None:
    national = [hit.aid for hit in finder.find(Query(level="employer")).hits]
    assert national[0].slug == "fmd-agents-publics"


def test_filters_narrow_and_facets_count_what_is_left(finder: Finder) -> None:
    every = finder.find(Query())
    assert every.facets["mode"]["velo"] > 200
    for name, value in (("mode", "velo"), ("level", "region"), ("profile", "apprenti"),
                        ("theme", "permis"), ("check", "automatic")):  # fmt: skip
        found = finder.find(Query(**{name: value}))
        assert 0 < len(found.hits) < len(every.hits)
        assert found.facets[name][value] == len(found.hits) == every.facets[name][value]
    by_name = slugs(finder, funder="trebes mairie")
    assert by_name == slugs(finder, funder="Mairie de Trèbes") == ["fmd-agents-publics"]


def test_a_territory_code_gives_its_own_aids_and_those_of_everywhere(finder: Finder) -> None:
    found = finder.find(Query(territory="243100518")).hits
    assert any(
        ("epci", "243100518") in {(t.kind.value, t.code) for t in h.aid.territories} for h in found
    )
    assert all(
        not h.aid.territories or any(t.code == "243100518" for t in h.aid.territories)
        for h in found
    )


def test_what_is_not_in_force_is_not_found(catalogue: Catalogue) -> None:
    aid = catalogue.aid("fmd-agents-publics")

    def found(changed: Aid) -> bool:
        one = Catalogue(HUB, 2, catalogue.issued_at, (changed,), catalogue.models)
        return bool(Finder(one, AT).find(Query("forfait")).hits)

    assert found(aid)
    assert not found(replace(aid, status=AidStatus.SUSPENDED))
    assert not found(replace(aid, ends_on=date(2026, 11, 21)))


def test_words_of_the_rule_are_found_too(finder: Finder) -> None:
    assert "velo-toulouse" in slugs(finder, "vélo électrique toulouse")


@pytest.mark.parametrize("words", ["", "aide", "!!! ???", "l'", "d' du de la"])
def test_what_says_nothing_asks_for_everything(finder: Finder, words: str) -> None:
    assert len(slugs(finder, words)) == len(finder.aids)


@pytest.mark.parametrize(
    "words", ["x" * 5_000, "vélo " * 2_000, "'; DROP TABLE aids; --", "\x00\ud7ff"]
)
def test_odd_words_only_find_little(finder: Finder, words: str) -> None:
    assert len(slugs(finder, words)) <= len(finder.aids)
