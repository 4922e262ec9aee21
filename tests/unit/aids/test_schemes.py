"""National schemes: what they give, on which day, and what they say of themselves."""

from datetime import date
from typing import Any

import pytest

from federation.aids.catalogue import RuleModel, check_examples
from federation.aids.eligibility import Fact, Facts, FactSource, Outcome, Verdict, evaluate
from federation.aids.model import Aid, AidStatus
from federation.aids.national import national_rules
from federation.aids.schemes import national_schemes
from schemas.ids import Did

AT = date(2026, 11, 22)
VERSION, RULES = national_rules()
MODEL = RuleModel.compile("national", VERSION, RULES)
SCHEMES = {aid.slug: aid for aid in national_schemes(Did("did:web:hub"), at=AT)}
EMPLOYER = {
    "emploi . salarié du privé": True,
    "emploi . employeur participe au forfait": True,
    "trajets . jours éligibles": 40,
}
AMOUNT = "forfait privé . montant prévu par l'employeur"
PASS = "forfait privé . part de l'employeur sur l'abonnement"


def outcome(slug: str, at: date = AT, **answers: Any) -> Outcome:
    values = {name: Fact(value, FactSource.ANSWER) for name, value in answers.items()}
    return evaluate(SCHEMES[slug], Facts(at=at, values=values), MODEL.engine)


@pytest.mark.parametrize("slug", sorted(SCHEMES))
def test_a_scheme_names_its_text_its_source_and_that_nobody_verified_it(slug: str) -> None:
    aid = SCHEMES[slug]
    assert aid.legal_basis
    assert aid.source
    assert aid.source_licence
    assert aid.last_verified is None
    assert all(parameter.verified_on is None for parameter in aid.parameters)
    assert all(set(text) == {"fr", "en"} for text in (aid.titles, aid.summaries, *aid.stacking))
    assert aid.rule.rule in MODEL.engine
    if aid.status is AidStatus.PUBLISHED:
        assert aid.examples
        check_examples(aid, MODEL.engine, AT)


@pytest.mark.parametrize(
    ("day", "planned", "on_the_pass", "cents"),
    [
        (date(2020, 6, 1), 800, 0, 40_000),
        (date(2021, 6, 1), 800, 0, 50_000),
        (date(2021, 9, 1), 800, 200, 40_000),
        (date(2023, 6, 1), 800, 0, 70_000),
        (date(2023, 6, 1), 800, 200, 60_000),
        (date(2025, 6, 1), 800, 0, 60_000),
        (date(2025, 6, 1), 800, 200, 60_000),
        (date(2025, 6, 1), 800, 500, 40_000),
        (date(2025, 6, 1), 250, 500, 25_000),
    ],
)
def test_the_private_allowance_has_the_ceilings_of_its_day(
    day: date, planned: int, on_the_pass: int, cents: int
) -> None:
    answers = {**EMPLOYER, AMOUNT: planned, PASS: on_the_pass}
    assert outcome("fmd-salaries-prives", day, **answers).amount == cents


def test_below_half_time_the_pass_is_refunded_in_proportion() -> None:
    base = {
        "emploi . salarié du privé": True,
        "abonnement . prix mensuel": 80,
        "abonnement . mois": 1,
    }
    name = "emploi . quotité de temps de travail"
    for share, cents in ((100, 4000), (50, 4000), (40, 3200), (10, 800)):
        assert outcome("abonnement-salaries-prives", **base, **{name: share}).amount == cents


def test_a_loan_is_due_or_not_and_never_an_amount() -> None:
    young = {"demandeur . âge": 20, "permis . prépare le permis B": True}
    found = outcome("permis-un-euro", **young)
    assert (found.verdict, found.amount) == (Verdict.ELIGIBLE, None)
    old = outcome("permis-un-euro", **{**young, "demandeur . âge": 26})
    assert old.verdict is Verdict.NOT_ELIGIBLE
    assert "26 ans" in old.reasons[0].words["fr"]


@pytest.mark.parametrize(
    ("slug", "last"),
    [
        ("prime-covoiturage-cee", date(2024, 12, 31)),
        ("coup-de-pouce-voiture-electrique-2025", date(2025, 12, 31)),
    ],
)
def test_a_closed_scheme_keeps_its_dates_and_gives_nothing(slug: str, last: date) -> None:
    aid: Aid = SCHEMES[slug]
    assert (aid.status, aid.ends_on) == (AidStatus.EXPIRED, last)
    assert not aid.is_open(last), "an expired aid is not asked for"
    assert outcome(slug).reasons[0].code == "aid-closed"


def test_an_answer_of_the_bicycle_model_serves_the_national_one() -> None:
    """One question, one name: nobody is asked twice."""
    from federation.aids.velo import read_velo_asset

    velo = read_velo_asset()["rules"]
    for name in ("demandeur . âge", "demandeur . statut"):
        assert name in velo
        assert name in RULES
    assert (
        velo["demandeur . statut"]["une possibilité"]
        == (RULES["demandeur . statut"]["une possibilité"])
    )
