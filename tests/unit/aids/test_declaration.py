"""What is declared on one's honour: exactly what was asked, in the rule's kinds, and no more."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from federation.aids.catalogue import RuleModel, check_examples
from federation.aids.declaration import (
    MEMBER,
    Declaration,
    declaration_of,
    questions_of,
    read_declared,
    say_declared,
)
from federation.aids.errors import DeclarationRefusedError, RuleImportError
from federation.aids.model import Aid, FactBinding, aid_from_json, aid_to_json
from federation.aids.publicodes import Engine
from federation.hub.aid_templates import AidTemplate, Choices, build_aid
from federation.hub.model import Funder
from schemas.ids import Did

AT = date(2026, 11, 22)
LOW, HIGH = "15 400 € par part ou moins", "plus de 15 400 € par part"
PRICE, NUMBER, BRACKET = "vélo . prix payé", "vélo . numéro", "foyer . tranche de revenu"
GIVEN = {PRICE: "1 800,00", NUMBER: "BC1234", BRACKET: LOW}
TOWN = Funder("ville", Did("did:web:hub:financeurs:ville"), "Ville", "", "commune", "Vélo", "")


@pytest.fixture(scope="module")
def made() -> tuple[Aid, Engine]:
    figures = Choices(
        share=30, ceiling=200_00, modest_ceiling=400_00, modest_income=15_400_00, automatic=True
    )
    found = build_aid(AidTemplate.PURCHASE, figures, funder=TOWN, slug="achat", version="1", at=AT)
    (model,) = found.models.items()
    return found.aid, RuleModel.compile(model[0], *model[1]).engine


def asked(aid: Aid) -> Declaration:
    found = declaration_of(aid)
    assert found is not None
    return found


def test_the_recipe_computes_its_examples_and_leaves_every_decision_to_a_person(
    made: tuple[Aid, Engine],
) -> None:
    aid, engine = made
    check_examples(aid, engine, AT)
    assert aid.check_mode.value == "manual"
    assert aid.extra["documents"] == ["Facture acquittée", "Justificatif de domicile", "RIB"]
    assert declaration_of(aid_from_json(aid_to_json(aid))) == asked(aid)
    assert [q.variable for q in questions_of(asked(aid), engine)] == [PRICE, NUMBER, BRACKET]


def test_answers_become_values_and_words_and_an_income_is_only_its_bracket(
    made: tuple[Aid, Engine],
) -> None:
    aid, engine = made
    values = read_declared(asked(aid), engine, GIVEN)
    assert values == {PRICE: 1800, NUMBER: "BC1234", BRACKET: LOW}
    rows = {title["fr"]: said["fr"] for title, said in say_declared(engine, values)}
    assert rows["Revenu fiscal de référence par part"] == LOW
    assert rows["Numéro d'identification du vélo"] == "BC1234"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({PRICE: ""}, PRICE),
        ({PRICE: "beaucoup"}, PRICE),
        ({BRACKET: "12 000 €"}, BRACKET),
        ({NUMBER: ""}, NUMBER),
        ({NUMBER: "x" * 81}, NUMBER),
        ({NUMBER: None}, NUMBER),
        ({"revenu": "12000"}, "revenu"),
    ],
)
def test_what_is_missing_no_answer_or_not_asked_is_refused(
    made: tuple[Aid, Engine], change: dict[str, Any], where: str
) -> None:
    aid, engine = made
    given = {name: text for name, text in {**GIVEN, **change}.items() if text is not None}
    with pytest.raises(DeclarationRefusedError) as refused:
        read_declared(asked(aid), engine, given)
    assert refused.value.where == where


@pytest.mark.parametrize(
    "member",
    [
        {"variables": [], "statement": {"fr": "Je déclare."}},
        {"variables": [PRICE], "statement": {}},
        {"variables": ["vélo . couleur"], "statement": {"fr": "Je déclare."}},
        {"variables": ["plafond de l'aide"], "statement": {"fr": "Je déclare."}},
        {"variables": [PRICE], "statement": {"fr": "Je déclare."}, "unique": NUMBER},
        {"variables": [PRICE] * 13, "statement": {"fr": "Je déclare."}},
    ],
)
def test_a_declaration_that_cannot_be_answered_is_not_published(
    made: tuple[Aid, Engine], member: dict[str, Any]
) -> None:
    aid, engine = made
    with pytest.raises(RuleImportError, match="declaration"):
        check_examples(replace(aid, extra={**aid.extra, MEMBER: member}), engine, AT)


def test_what_is_declared_is_not_proven_as_well(made: tuple[Aid, Engine]) -> None:
    aid, engine = made
    bound = FactBinding(PRICE, "InvoiceCredential.total-price")
    with pytest.raises(RuleImportError, match="not proven as well"):
        check_examples(replace(aid, bindings=(bound,)), engine, AT)
