"""« Jusqu'à … »: a bound that no situation exceeds, and a made-up person who reaches it."""

import random
from datetime import date
from typing import Any

import pytest

from federation.aids.ceiling import Ceiling, ceiling_of
from federation.aids.errors import AidError
from federation.aids.model import Aid, AidStatus
from federation.aids.publicodes import Engine
from federation.aids.rule_units import to_cents
from federation.aids.territories import communes
from federation.aids.territory import place_facts
from federation.aids.velo import ImportReport, import_velo, read_velo_asset
from schemas.ids import Did

AT = date(2026, 11, 22)


def most(rules: dict[str, Any], rule: str = "aide", **known: Any) -> Ceiling | None:
    return ceiling_of(Engine(rules), rule, known)


PRICE = {"question": "Prix ?", "unité": "€"}


def test_a_share_of_a_price_under_a_ceiling_gives_the_ceiling() -> None:
    found = most({"aide": {"valeur": "50 % * prix", "plafond": "400 €"}, "prix": PRICE})
    assert found is not None
    assert (found.amount, found.per, found.is_reached) == (40_000, "", True)
    assert "prix" in found.example


def test_a_share_without_a_ceiling_is_bounded_by_nothing_and_nothing_is_said() -> None:
    assert most({"aide": "50 % * prix", "prix": PRICE}) is None


def test_the_best_branch_counts_and_what_can_never_hold_does_not() -> None:
    kind = {"question": "Type ?", "une possibilité": ["'a'", "'b'"]}
    rules = {
        "aide": {
            "variations": [
                {"si": "type = 'a'", "alors": "100 €"},
                {"si": "ville = 'ici'", "alors": "900 €"},
                {"sinon": "200 €"},
            ]
        },
        "type": kind,
        "ville": {"question": "Ville ?", "type": "texte"},
    }
    here, there = most(rules, ville="'ici'"), most(rules, ville="'ailleurs'")
    assert here is not None
    assert there is not None
    assert (here.amount, there.amount) == (90_000, 20_000)
    assert here.is_reached
    assert there.is_reached


def test_branches_that_exclude_each_other_are_a_bound_that_nobody_reaches() -> None:
    """The interval sums both; no person has both: « au plus », never « jusqu'à »."""
    rules = {
        "aide": {"somme": ["jeune", "aîné"]},
        "jeune": {"applicable si": "âge < 26 an", "valeur": "100 €"},
        "aîné": {"applicable si": "âge >= 65 an", "valeur": "150 €"},
        "âge": {"question": "Âge ?", "unité": "an"},
    }
    found = most(rules)
    assert found is not None
    assert found.amount == 25_000
    assert not found.is_reached
    assert not found.example


def test_an_amount_each_year_says_so() -> None:
    found = most({"aide": {"valeur": "montant", "plafond": "600 €/an"},
                  "montant": {"question": "Combien ?", "unité": "€/an"}})  # fmt: skip
    assert found is not None
    assert (found.amount, found.per) == (60_000, "an")


@pytest.mark.parametrize(
    "rules",
    [
        {"aide": {"applicable si": "prêt", "valeur": "oui"}, "prêt": {"question": "Un prêt ?"}},
        {"aide": "non"},
        {"aide": "0 €"},
        {"aide": "100 € / n", "n": {"question": "Combien ?", "type": "nombre"}},
        {"aide": "a * b", "a": PRICE, "b": {"question": "Fois ?", "type": "nombre"}},
    ],
)
def test_where_no_amount_is_bounded_nothing_is_said(rules: dict[str, Any]) -> None:
    assert most(rules) is None


@pytest.fixture(scope="module")
def velo() -> ImportReport:
    return import_velo(read_velo_asset(), publisher=Did("did:web:hub.example"), at=AT)


def located(engine: Engine, aid: Aid) -> dict[str, str]:
    here = next(c for c in communes() if aid.covers(c.codes))
    return {name: f"'{fact.value}'" for name, fact in place_facts(here, engine)[0].items()}


def answer(rng: random.Random, engine: Engine, name: str) -> bool | str | None:
    info = engine.info(name)
    if info.choices:
        return f"'{rng.choice(info.choices)}'"
    if info.kind == "boolean":
        return rng.random() < 0.5
    if info.kind == "number":
        value = rng.choice([0, 1, 5, 18, 26, 100, 500, 1_500, 4_000, 12_000, 40_000, 10**6])
        return f"{value} {info.unit}".strip()
    return None


def test_no_situation_of_a_real_aid_exceeds_what_is_said(velo: ImportReport) -> None:
    """Every published bicycle aid, 15 random people each: the law that « jusqu'à » rests on."""
    rng = random.Random(20261122)
    engine = velo.engine
    reached = known = 0
    for aid in velo.aids[::3]:
        if aid.status is not AidStatus.PUBLISHED or not any(
            aid.covers(c.codes) for c in communes()
        ):
            continue
        place = located(engine, aid)
        found = ceiling_of(engine, aid.rule.rule, place)
        bound = found.amount if found is not None else None
        known += 1
        reached += found is not None and found.is_reached
        asked = [
            name
            for name in engine.reading(aid.rule.rule)
            if "question" in engine.info(name).metadata and name not in place
        ]
        for _ in range(15):
            given = {name: answer(rng, engine, name) for name in asked}
            situation = {name: value for name, value in given.items() if value is not None}
            try:
                result = engine.evaluate(aid.rule.rule, {**place, **situation})
            except AidError:
                continue
            if bound is not None and isinstance(result.value, float):
                assert to_cents(result.value, result.unit) <= bound, (aid.slug, situation)
        if found is not None and found.is_reached:
            again = engine.evaluate(aid.rule.rule, {**place, **found.example})
            assert isinstance(again.value, float)
            assert to_cents(again.value, again.unit) == found.amount
    assert known >= 60
    assert reached >= known * 0.9
