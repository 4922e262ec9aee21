"""Our interpreter against the real engine: the same amounts, the same questions, no difference."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from federation.aids.errors import RuleEvaluationError
from federation.aids.publicodes import UNDEFINED, Engine
from federation.aids.velo import KNOWN_DEFECTS, read_velo_asset
from tests.interop.publicodes_oracle import Publicodes, random_answers, random_model, situations

DOCUMENT = read_velo_asset()
RULES: Mapping[str, Any] = DOCUMENT["rules"]
AIDS = [name for name in RULES if name.startswith("aides")]
TOTALS = ["aides . montant", "aides . commune", "aides . intercommunalité", "aides . région"]


@pytest.fixture(scope="module")
def theirs() -> Iterator[Publicodes]:
    with Publicodes(RULES) as engine:
        yield engine


@pytest.fixture(scope="module")
def ours() -> Engine:
    return Engine(RULES, ignored=KNOWN_DEFECTS, lenient_units=True)


def same(mine: Any, value: Any) -> bool:
    """The same state, and a number equal to the cent's millionth."""
    if mine is UNDEFINED:
        return bool(value == "undefined")
    if isinstance(mine, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return abs(mine - value) < 1e-8
    return type(mine) is type(value) and bool(mine == value)


def differences(
    ours: Engine, theirs: Publicodes, situation: Mapping[str, Any], names: list[str]
) -> list[tuple[str, Any, Any]]:
    """What the two engines do not say alike: (rule, ours, theirs)."""
    found: list[tuple[str, Any, Any]] = []
    session = ours.session(situation)
    for name, (value, missing) in zip(names, theirs.evaluate(situation, names), strict=True):
        try:
            mine = session.evaluate(name)
        except RuleEvaluationError as error:
            if value != "error":
                found.append((name, str(error), value))
            continue
        if not same(mine.value, value):
            found.append((name, mine.value, value))
        elif set(mine.missing) != set(missing):
            found.append((name, sorted(mine.missing), sorted(missing)))
    return found


def compare(ours: Engine, theirs: Publicodes, *, count: int, seed: int, sample: int) -> int:
    """Compare `count` situations on `sample` rules each and every total; how many paid."""
    draw, paid = random.Random(seed), 0
    for situation in situations(RULES, DOCUMENT["localisations"], count=count, seed=seed):
        names = AIDS if sample >= len(AIDS) else draw.sample(AIDS, sample) + TOTALS
        assert differences(ours, theirs, situation, names) == [], situation
        total = ours.evaluate("aides . montant", situation).value
        paid += isinstance(total, float) and total > 0
    return paid


def test_two_hundred_seeded_situations_have_no_difference(ours: Engine, theirs: Publicodes) -> None:
    paid = compare(ours, theirs, count=200, seed=20261122, sample=25)
    assert paid > 50, "a comparison of refusals alone would prove little"


def test_random_models_over_every_mechanism_have_no_difference() -> None:
    draw = random.Random(20261122)
    states = set()
    for _ in range(25):
        rules = random_model(draw)
        engine = Engine(rules)
        with Publicodes(rules) as theirs:
            for _ in range(4):
                answers = random_answers(draw)
                for name in rules:
                    assert differences(engine, theirs, answers, [name]) == [], (answers, rules)
                    states.add(type(engine.evaluate(name, answers).value))
    assert len(states) >= 4, "numbers, yes/no, not applicable and undefined all occur"


@pytest.mark.soak
def test_five_thousand_situations_have_no_difference_on_any_rule(
    ours: Engine, theirs: Publicodes
) -> None:
    assert compare(ours, theirs, count=5_000, seed=7, sample=len(AIDS)) > 1_000


def test_a_question_asked_alone_has_the_answer_it_has_among_others(ours: Engine) -> None:
    """The cache of one evaluation may not leak into another question's answer."""
    for situation in situations(RULES, DOCUMENT["localisations"], count=15, seed=3):
        session = ours.session(situation)
        for name in ["aides . montant", *AIDS[::9]]:
            assert session.evaluate(name).value == ours.evaluate(name, situation).value, name
