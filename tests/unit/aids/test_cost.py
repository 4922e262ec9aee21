"""What a rule would cost: the same people each time, spread as the hypotheses say."""

from dataclasses import replace
from decimal import Decimal

import pytest

from federation.aids.editor import RuleForm, compile_rule
from federation.aids.editor.cost import Cost, Hypothesis, cost_of, hypotheses_of, people
from federation.aids.editor.rule_form import Atom, Gift, GiftKind, Line, Question, QuestionKind
from federation.aids.publicodes import Engine
from schemas.units import Cents

FORM = RuleForm(
    rule="aide",
    title="Aide au vélo",
    title_en="",
    questions=(
        Question("prix", "Prix", "Combien ?", QuestionKind.NUMBER, unit="€"),
        Question("âge", "Âge", "Quel âge ?", QuestionKind.NUMBER, unit="an"),
        Question("habite", "Habite ici", "Habitez-vous ici ?", QuestionKind.YES_NO),
        Question("type", "Type", "Quel vélo ?", QuestionKind.CHOICE, choices=("pliant", "cargo")),
        Question("numéro", "Numéro", "Lequel ?", QuestionKind.TEXT),
    ),
    conditions=((Atom("habite", "=", True),), (Atom("âge", ">=", Decimal(18)),)),
    lines=(
        Line(((Atom("type", "=", "cargo"),),), Gift(GiftKind.FIXED, amount=Cents(400_00))),
        Line((), Gift(GiftKind.FIXED, amount=Cents(100_00))),
    ),
)
ADULTS = Hypothesis("âge", Decimal(18), Decimal(70))


def spread(*, here: int = 50, cargo: int = 50, age: Hypothesis = ADULTS) -> tuple[Hypothesis, ...]:
    return (
        Hypothesis("prix", Decimal(100), Decimal("100.50")),
        age,
        Hypothesis("habite", shares=(Decimal(here), Decimal(100 - here))),
        Hypothesis("type", shares=(Decimal(100 - cargo), Decimal(cargo))),
    )


def cost(hypotheses: tuple[Hypothesis, ...], form: RuleForm = FORM, count: int = 400) -> Cost:
    return cost_of(form, Engine(compile_rule(form)), people(form, hypotheses, count))


@pytest.mark.parametrize(
    ("here", "cargo", "paid", "total"),
    [(100, 100, 400, 160_000_00), (100, 0, 400, 40_000_00), (0, 50, 0, 0)],
)
def test_shares_of_all_or_none_give_exactly_what_the_lines_say(
    here: int, cargo: int, paid: int, total: int
) -> None:
    found = cost(spread(here=here, cargo=cargo))
    assert (found.people, found.paid, found.total) == (400, paid, total)
    assert found.expected(100) == total / 4


def test_the_same_hypotheses_give_the_same_people_and_another_question_changes_nobody() -> None:
    drawn = people(FORM, spread(), 50)
    assert drawn == people(FORM, spread(), 50)
    more = replace(
        FORM, questions=(Question("x", "X", "X ?", QuestionKind.YES_NO), *FORM.questions)
    )
    other = people(more, (*spread(), Hypothesis("x", shares=(Decimal(1), Decimal(1)))), 50)
    assert [{k: v for k, v in p.items() if k != "x"} for p in other] == list(drawn)


def test_the_shares_of_the_people_are_near_the_hypotheses() -> None:
    found = cost(spread(here=30, cargo=20), count=2_000)
    share = {(g.variable, g.answer): g.count / found.people for g in found.groups}
    assert share["habite", True] == pytest.approx(0.30, abs=0.05)
    assert share["type", "cargo"] == pytest.approx(0.20, abs=0.05)
    assert sum(g.total for g in found.groups if g.variable == "type") == found.total
    assert sum(g.count for g in found.groups if g.variable == "habite") == 2_000
    assert (found.middle, found.largest) == (100_00, 400_00)


def test_numbers_stay_within_their_bounds_and_a_condition_on_them_counts() -> None:
    drawn = people(FORM, spread(), 300)
    assert all(Decimal(100) <= p["prix"] <= Decimal("100.5") for p in drawn)  # type: ignore[operator]
    assert {p["âge"] for p in drawn} <= {Decimal(n) for n in range(18, 71)}
    children = Hypothesis("âge", Decimal(3), Decimal(17))
    assert cost(spread(here=100, age=children)).paid == 0


def test_where_to_start_comes_from_the_figures_of_the_rule_and_its_examples() -> None:
    found = {h.variable: h for h in hypotheses_of(FORM, [{"prix": 800, "âge": 40, "habite": True}])}
    assert (found["âge"].low, found["âge"].high) == (9, 60)
    assert (found["prix"].low, found["prix"].high) == (400, 1_200)
    assert found["type"].shares == (Decimal(50), Decimal(50))
    assert "numéro" not in found
    assert all(h.is_sound for h in found.values())


@pytest.mark.parametrize(
    "wrong",
    [
        Hypothesis("x", Decimal(5), Decimal(4)),
        Hypothesis("x", shares=(Decimal(0), Decimal(0))),
        Hypothesis("x", shares=(Decimal(-1), Decimal(2))),
    ],
)
def test_a_hypothesis_that_nothing_can_be_drawn_from_is_told(wrong: Hypothesis) -> None:
    assert not wrong.is_sound
