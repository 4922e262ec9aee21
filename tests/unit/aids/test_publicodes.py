"""The laws of the rule language, and what it refuses."""

from typing import Any

import pytest

from federation.aids.errors import RuleBudgetError, RuleEvaluationError, RuleImportError
from federation.aids.publicodes import UNDEFINED, Engine


def value(rules: dict[str, Any], name: str = "a", **situation: Any) -> Any:
    return Engine(rules).evaluate(name, situation).value


TABLE = [{"montant": 1, "plafond": 10}, {"montant": 2, "plafond": 50}, {"montant": 3}]
RATES = [
    {"taux": "10 %", "plafond": "10 €"},
    {"taux": "20 %", "plafond": "50 €"},
    {"taux": "50 %"},
]


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
        ({"le maximum de": ["1 €", "3 €", "2 €"]}, 3.0),
        ({"le minimum de": [3, 2]}, 2.0),
        ({"grille": {"assiette": 30, "tranches": TABLE}}, 2.0),
        ({"grille": {"assiette": 10, "tranches": TABLE}}, 2.0),
        ({"grille": {"assiette": 99, "tranches": TABLE}}, 3.0),
        ({"grille": {"assiette": 30, "multiplicateur": 4, "tranches": TABLE}}, 1.0),
        ({"barème": {"assiette": "100 €", "tranches": RATES}}, 10 * 0.1 + 40 * 0.2 + 50 * 0.5),
        ({"barème": {"assiette": "0 €", "tranches": RATES}}, 0.0),
        ({"durée": {"depuis": "01/01/2026", "jusqu'à": "31/12/2026"}}, 364.0),
        ({"durée": {"depuis": "15/06/2008", "jusqu'à": "15/06/2026", "unité": "an"}}, 18.0),
        ({"durée": {"depuis": "15/06/2026", "jusqu'à": "15/06/2008", "unité": "an"}}, 0.0),
        ({"durée": {"depuis": "01/2026", "jusqu'à": "31/03/2026", "unité": "mois"}}, 3.0),
        ("01/02/2026 < 15/01/2027", True),
        ("31/12/2026 = 31/12/2026", True),
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
        ({"a": {"barème": []}}, "a · barème"),
        ({"a": {"barème": [], "assiette": 1}}, "a · assiette"),
        ({"a": {"barème": {"assiette": 1, "tranches": TABLE}}}, "a · barème · tranches[0]"),
        ({"a": {"grille": {"assiette": 1, "tranches": []}}}, "a · grille · tranches"),
        (
            {"a": {"grille": {"assiette": 1, "tranches": [{"montant": 1}, {"montant": 2}]}}},
            "a · grille · tranches[0]",
        ),
        (
            {"a": {"grille": {"assiette": 1, "tranches": [{"montant": 1, "plafon": 2}]}}},
            "a · grille · tranches[0]",
        ),
        (
            {"a": {"grille": {"assiette": 1, "tranches": [{"montant": 1, "plafond": 2}] * 501}}},
            "a · grille · tranches",
        ),
        ({"a": {"durée": {"depuis": "01/01/2020"}}}, "a · durée"),
        (
            {"a": {"durée": {"depuis": "01/2020", "jusqu'à": "02/2020", "unité": "siècle"}}},
            "a · durée · unité",
        ),
        ({"a": "31/02/2026 < 01/01/2027"}, "a · valeur"),
        ({"a": {"valeur": {"taux progressif": [1, 2]}}}, "a · valeur · taux progressif"),
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


def test_asking_whether_a_rule_applies_spends_its_steps() -> None:
    """Each rule asks twice whether the next applies: 2³⁰ steps, were they not counted."""
    rules: dict[str, Any] = {"q": {"question": "?", "type": "booléen"}, "r30": 1}
    for n in range(30):
        branch = {"applicable si": "q", "valeur": f"r{n + 1}"}
        rules[f"r{n}"] = {"variations": [{"si": "q", "alors": branch}, {"sinon": branch}]}
    rules["a"] = {"est non applicable": "r0"}
    try:
        found = Engine(rules).evaluate("a").value
    except RuleBudgetError:
        return
    assert found in (True, False, UNDEFINED)


def test_a_table_whose_lines_go_down_is_a_typed_error() -> None:
    lines = [{"taux": "1 %", "plafond": 50}, {"taux": "2 %", "plafond": 10}, {"taux": "3 %"}]
    with pytest.raises(RuleEvaluationError):
        value({"a": {"barème": {"assiette": 60, "tranches": lines}}})


def test_a_table_says_which_answer_it_waits_for() -> None:
    rules: dict[str, Any] = {
        "q": {"question": "?", "type": "nombre", "unité": "€"},
        "a": {"grille": {"assiette": "q", "tranches": [{"montant": 5, "plafond": "10 €"}]}},
    }
    found = Engine(rules).evaluate("a")
    assert found.value is UNDEFINED
    assert set(found.missing) == {"q"}
    with pytest.raises(RuleEvaluationError):
        Engine(rules).evaluate("a", {"q": "3 km"})


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
