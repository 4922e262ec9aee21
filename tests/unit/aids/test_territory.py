"""A territory: what covers it, what is inside, its aids by what people do, and what adds up."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.linked import Linked, nquads
from federation.aids.model import Aid, AidStatus, FunderLevel, Territory
from federation.aids.national import NATIONAL_MODEL, mobility_allowance, national_rules
from federation.aids.schemes import national_schemes
from federation.aids.stacking import combine, exclusions, profiles, said
from federation.aids.territories import by_code, gazetteer
from federation.aids.territory import DEEDS, evaluate_there, place_of, places_of, portrait
from federation.aids.territory_linked import territory_document
from federation.aids.velo import VELO_MODEL, import_velo, read_velo_asset
from schemas.ids import Did, Iri

AT = date(2026, 11, 22)
HUB = Did("did:web:hub.example")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    velo = import_velo(read_velo_asset(), publisher=HUB, at=AT)
    version, rules = national_rules()
    own = mobility_allowance(Did("did:web:agglo.example"), "Agglo fictive", slug="fmd-fictif")
    second = replace(own, id=Iri("urn:uuid:5f0c4b53-3f5b-4a57-8d51-1f0b9a6f1d11"), slug="fmd-bis")
    return Catalogue.build(
        [*velo.aids, *national_schemes(HUB, at=AT), own, second],
        [
            RuleModel.compile(VELO_MODEL, velo.version, velo.rules),
            RuleModel.compile(NATIONAL_MODEL, version, rules),
        ],
        issuer=HUB,
        version=1,
        at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def slugs(catalogue: Catalogue, level: str, code: str) -> dict[str, list[str]]:
    place = place_of(level, code)
    assert place is not None
    found = portrait(catalogue, place, AT)
    return {deed: [seen.aid.slug for seen in group] for deed, group in found.groups.items()}


def test_a_place_knows_what_all_of_it_lies_in_and_what_lies_in_it() -> None:
    toulouse, aude = place_of("commune", "31555"), place_of("departement", "11")
    assert toulouse is not None
    assert aude is not None
    assert toulouse.inside == frozenset()
    assert ("epci", "243100518") in toulouse.around
    assert {("departement", "11"), ("region", "76")} <= aude.around
    assert not any(level in ("commune", "epci") for level, _ in aude.around)
    assert ("commune", "11069") in aude.inside
    assert aude.population > aude.capital.population > 0


@pytest.mark.parametrize(
    ("level", "code", "name"),
    [
        ("commune", "75101", "Paris"),
        ("departement", "69M", "Métropole de Lyon"),
        ("departement", "2A", "Corse-du-Sud"),
        ("region", "75", "Nouvelle-Aquitaine"),
        ("departement", "75", "Paris"),
    ],
)
def test_a_number_that_two_levels_bear_is_read_with_its_level(
    level: str, code: str, name: str
) -> None:
    place = place_of(level, code)
    assert place is not None
    assert place.name == name


@pytest.mark.parametrize(
    ("level", "code"),
    [("commune", "99999"), ("state", "FR"), ("epci", "x"), ("", ""), ("region", "'; --"),
     ("commune", "CA-QC:0"), ("commune", "a" * 5_000)],
)  # fmt: skip
def test_what_is_no_territory_is_none(level: str, code: str) -> None:
    assert place_of(level, code) is None


def test_a_commune_leads_to_every_territory_around_it() -> None:
    here = by_code("67482")
    assert here is not None
    assert next((p.level, p.name) for p in places_of(here)) == ("commune", "Strasbourg")
    assert ("departement", "6AE") in {(p.level, p.code) for p in places_of(here)}
    assert {p.level for p in places_of(here)} == {"commune", "epci", "departement", "region"}


def test_territories_are_found_by_the_beginning_of_their_words() -> None:
    found = gazetteer().wider("métropole toul")
    assert ("epci", "243100518") in found
    assert gazetteer().wider("x") == []
    assert gazetteer().wider("'; drop table") == []


def test_aids_stand_under_what_people_do_the_nearest_first(catalogue: Catalogue) -> None:
    groups = slugs(catalogue, "commune", "31555")
    assert list(groups) == [deed for deed in DEEDS if deed in groups]
    assert groups["cycle"][0] == "velo-toulouse"
    assert "permis-apprenti" in groups["licence"]
    assert "abonnement-salaries-prives" in groups["transit"]


def test_an_aid_of_a_smaller_place_is_counted_there_and_not_promised_to_all(
    catalogue: Catalogue,
) -> None:
    place = place_of("region", "76")
    assert place is not None
    found = portrait(catalogue, place, AT)
    assert "velo-toulouse" not in {seen.aid.slug for seen in found.aids}
    inside = {(one.level, one.code): one.aids for one in found.inside}
    assert inside["epci", "243100518"] >= 1
    assert ("epci", "243300316") not in inside  # Bordeaux is elsewhere


def test_what_ended_is_in_no_portrait(catalogue: Catalogue) -> None:
    place = place_of("commune", "31555")
    assert place is not None
    ended = catalogue.aid("velo-toulouse")
    without = replace(
        catalogue, aids=tuple(replace(a, status=AidStatus.EXPIRED) if a is ended else a
                              for a in catalogue.aids)
    )  # fmt: skip
    assert "velo-toulouse" not in {s.aid.slug for s in portrait(without, place, AT).aids}


def test_an_aid_of_several_territories_is_in_each(catalogue: Catalogue) -> None:
    both = replace(
        catalogue.aid("velo-toulouse"),
        territories=(Territory(FunderLevel.COMMUNE, "31555"), Territory(FunderLevel.REGION, "53")),
    )
    changed = replace(
        catalogue, aids=tuple(both if a.slug == both.slug else a for a in catalogue.aids)
    )
    for level, code in (("commune", "31555"), ("region", "53"), ("commune", "35238")):
        assert "velo-toulouse" in slugs(changed, level, code)["cycle"], (level, code)


def test_aids_of_one_family_exclude_each_other_and_words_are_said_once(
    catalogue: Catalogue,
) -> None:
    place = place_of("commune", "31555")
    assert place is not None
    seen = [one.aid for one in portrait(catalogue, place, AT).aids]
    families = {
        one.key: {a.slug for a in one.aids} for one in exclusions(seen) if one.why == "family"
    }
    assert {"fmd-fictif", "fmd-bis"} in families.values()
    lines = [line.words["fr"] for line in said(seen)]
    assert len(lines) == len(set(lines))


def test_of_aids_that_exclude_each_other_the_largest_counts(catalogue: Catalogue) -> None:
    here = by_code("31555")
    assert here is not None
    for person in profiles():
        outcomes = [
            (aid, outcome)
            for aid, outcome in evaluate_there(catalogue, here, person.values, AT)
            if person.wants(aid)
        ]
        found = combine(outcomes)
        assert found.counted, person.id
        for out in found.left_out:
            assert out.instead is not None
            kept = next(one for one in found.counted if one.aid is out.instead)
            assert kept.amount >= out.amount
        for per, total in found.totals.items():
            assert total == sum(one.amount for one in found.counted if one.per == per)


def test_the_made_up_employee_says_the_share_of_the_pass_that_the_pass_rule_gives(
    catalogue: Catalogue,
) -> None:
    """The joint ceiling is computed from that share: it may not be a figure of its own."""
    person = next(p for p in profiles() if p.id == "abonnement-et-velo")
    outcomes: Mapping[str, Any] = {
        aid.slug: outcome for aid, outcome in evaluate_there(catalogue, None, person.values, AT)
    }
    share = person.values["forfait privé . part de l'employeur sur l'abonnement"].value
    assert outcomes["abonnement-salaries-prives"].amount == int(float(share) * 100)
    both = outcomes["fmd-salaries-prives"].amount + outcomes["abonnement-salaries-prives"].amount
    assert both == 90_000


def test_every_answer_of_a_made_up_person_is_a_question_of_a_model(catalogue: Catalogue) -> None:
    for person in profiles():
        assert {"fr", "en"} <= set(person.titles)
        for name in person.values:
            assert any(name in m.engine for m in catalogue.models.values()), name


def test_the_linked_data_says_what_the_portrait_says(catalogue: Catalogue) -> None:
    place = place_of("region", "76")
    assert place is not None
    found = portrait(catalogue, place, AT)
    document = territory_document(found, Linked("https://hub.example"))
    amounts = {
        one["slug"]: one["incentiveAmount"]["maxValue"]
        for one in document["aid"]
        if "incentiveAmount" in one
    }
    assert amounts["permis-apprenti"] == "500.00"
    assert len(document["aid"]) == len(found.aids)
    node = {name: value for name, value in document.items() if name != "@context"}
    lines = "".join(nquads(node))
    assert "<https://schema.org/containsPlace>" in lines
    assert '"500.00"^^<http://www.w3.org/2001/XMLSchema#decimal>' in lines


def test_no_aid_of_the_catalogue_lacks_a_deed(catalogue: Catalogue) -> None:
    aids: tuple[Aid, ...] = catalogue.aids
    place = place_of("commune", "31555")
    assert place is not None
    open_here = [a for a in aids if a.is_open(AT) and a.covers(place.around)]
    assert len(portrait(catalogue, place, AT).aids) == len(open_here)
