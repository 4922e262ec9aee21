"""The laws of the rule language, and what it refuses."""

from typing import Any

import pytest

from federation.aids.errors import RuleBudgetError, RuleEvaluationError, RuleImportError
from federation.aids.publicodes import UNDEFINED, Engine


def value(rules: dict[str, Any], name: str = "a", **situation: Any) -> Any:
    return Engine(rules).evaluate(name, situation).value


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("1 + 20 %", 1.2),
        ("50 % * 300 €", 150.0),
        ("2 * 3 + 4", 10.0),
        ("2 + 3 * 4", 14.0),
        ("(2 + 3) * 4", 20.0),
        ("10 - 2 - 3", 5.0),
        ("12 €/an < 2 €/mois", True),
        ("'l'eau'", "l'eau"),
        ("oui = non", False),
        ("- 3", -3.0),
        ({"somme": ["1 €", "2 €"]}, 3.0),
        ({"produit": ["50 %", "10 €"]}, 5.0),
        ({"valeur": "20 €", "abattement": "30 €"}, 0.0),
        ({"valeur": "20 €", "plafond": "10 €", "plancher": "15 €"}, 15.0),
        ({"valeur": "10.5", "arrondi": "oui"}, 11.0),
        ({"valeur": "12 €/an", "unité": "€/mois"}, 1.0),
        ({"toutes ces conditions": ["oui", "non"]}, False),
        ({"une de ces conditions": ["non", "oui"]}, True),
        ({"applicable si": "non", "valeur": 3}, None),
        ({"non applicable si": "oui", "valeur": 3}, None),
        ({"variations": [{"si": "non", "alors": 1}, {"sinon": 2}]}, 2.0),
        ({"variations": [{"si": "non", "alors": 1}]}, None),
        ({"question": "Combien ?"}, UNDEFINED),
    ],
)
def test_a_rule_has_the_value_of_the_reference_engine(rule: Any, expected: Any) -> None:
    found = value({"a": rule if isinstance(rule, dict) else {"valeur": rule}})
    assert found is expected or found == expected


def test_what_does_not_apply_counts_as_nothing_in_a_sum_and_stops_a_product() -> None:
    rules = {"off": {"applicable si": "non", "valeur": 5}, "a": "off + 3", "b": "off * 3"}
    engine = Engine(rules)
    assert engine.evaluate("a").value == 3
    assert engine.evaluate("b").value is None


def test_a_rule_is_off_when_its_boolean_parent_is_false() -> None:
    rules = {"p": {"par défaut": "non"}, "p . a": 3}
    assert Engine(rules).evaluate("p . a").value is None
    assert Engine(rules).evaluate("p . a", {"p": True}).value == 3


def test_a_replacement_takes_the_place_only_where_it_applies() -> None:
    rules: dict[str, Any] = {
        "base": 1,
        "r": {"remplace": "base", "applicable si": "actif", "valeur": 10},
        "actif": {"question": "?", "type": "booléen", "par défaut": "non"},
        "total": {"somme": ["base"]},
    }
    engine = Engine(rules)
    assert engine.evaluate("total").value == 1
    assert engine.evaluate("total", {"actif": True}).value == 10


def test_only_the_condition_that_decided_stays_to_be_asked() -> None:
    rules: dict[str, Any] = {
        "x": {"question": "x ?", "type": "booléen"},
        "y": {"question": "y ?", "type": "booléen"},
        "a": {"toutes ces conditions": ["x", "y"]},
    }
    engine = Engine(rules)
    assert set(engine.evaluate("a").missing) == {"x", "y"}
    assert engine.evaluate("a", {"x": False}).missing == {}
    assert engine.evaluate("a", {"x": False}).value is False


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ({"a": {"plaond": 3, "valeur": 4}}, "a · plaond"),
        ({"a": {"barème": [], "assiette": 1}}, "a · barème"),
        ({"a": {"valeur": {"le maximum de": [1, 2]}}}, "a · valeur · le maximum de"),
        ({"a": "b"}, "a · valeur"),
        ({"a": "b", "b": "a"}, "b"),
        ({"a": "1 / 0"}, "a · valeur"),
        ({"a": "3 € + 2 km"}, "a"),
        ({"a": "3 € < 2 an"}, "a"),
        ({"a": {"valeur": 1, "somme": [1]}}, "a"),
        ({"a": {"variations": [{"sinon": 1}, {"si": "oui", "alors": 2}]}}, "a · variations[0]"),
        ({"a": {"variations": [{"si": "oui"}]}}, "a · variations[0]"),
        ({"a": True}, "a"),
        ({"a": {"valeur": True}}, "a · valeur"),
        ({"a": float("nan")}, "a · valeur"),
        ({"a": "2+2"}, "a · valeur"),
        ({"a": "(" * 300 + "1" + ")" * 300}, "a · valeur"),
        ({"a": "1" + " + 1" * 1000}, "a · valeur"),
        ({"a": {"somme": [1] * 1000}}, "a · somme"),
        ({"a": {"remplace": {"références à": "b", "dans": "c"}, "valeur": 1}, "b": 1}, "a"),
        ({"a": {"une possibilité": ["x"]}}, "a · une possibilité"),
        ({"a": {"type": "durée", "valeur": 1}}, "a · type"),
        ({"a": {"valeur": 3, "unité": "€/ an"}}, "a · unité"),
        ({"a": [1]}, "a"),
        ({"": 1}, ""),
    ],
)
def test_a_rule_outside_the_subset_is_refused_with_its_place(
    rules: dict[str, Any], place: str
) -> None:
    with pytest.raises(RuleImportError) as refused:
        Engine(rules)
    assert refused.value.where.startswith(place)


def test_mechanisms_nested_without_end_are_refused() -> None:
    rule: Any = 1
    for _ in range(60):
        rule = {"valeur": rule, "plafond": 2}
    with pytest.raises(RuleImportError):
        Engine({"a": rule})


def test_a_chain_of_rules_too_long_ends_in_a_typed_error() -> None:
    rules: dict[str, Any] = {f"r{n}": f"r{n + 1} + 1" for n in range(300)}
    rules["r300"] = 1
    with pytest.raises((RuleBudgetError, RuleImportError)):
        Engine(rules).evaluate("r0")


def test_a_chain_that_doubles_at_each_rule_stays_cheap() -> None:
    rules: dict[str, Any] = {f"r{n}": f"r{n + 1} + r{n + 1}" for n in range(35)}
    rules["r35"] = 1
    assert Engine(rules).evaluate("r0").value == 2.0**35


@pytest.mark.parametrize(
    ("name", "answer"),
    [("q", "b"), ("q", None), ("q", [1]), ("q", float("inf")), ("c", "'z'"), ("nobody", 1)],
)
def test_an_answer_of_the_wrong_kind_is_refused(name: str, answer: Any) -> None:
    engine = Engine(
        {
            "q": {"question": "?", "type": "nombre", "unité": "€"},
            "c": {"question": "?", "une possibilité": ["x", "y"], "par défaut": "'x'"},
            "a": "q",
        }
    )
    with pytest.raises(RuleEvaluationError):
        engine.evaluate("a", {name: answer})


def test_division_by_an_answer_of_zero_is_a_typed_error() -> None:
    with pytest.raises(RuleEvaluationError):
        value({"q": {"question": "?", "type": "nombre"}, "a": "3 / q"}, q=0)


def test_a_unit_that_does_not_fit_is_a_typed_error_not_a_wrong_amount() -> None:
    engine = Engine({"q": {"question": "?", "type": "nombre", "unité": "€"}, "a": "q < 5 €"})
    with pytest.raises(RuleEvaluationError):
        engine.evaluate("a", {"q": "3 km"})
