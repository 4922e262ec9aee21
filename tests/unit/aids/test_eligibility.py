"""The amounts of the national rules, and what a person is told."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from federation.aids.catalogue import Catalogue, RuleModel, check_examples, open_catalogue
from federation.aids.eligibility import Fact, Facts, FactSource, Outcome, Verdict, evaluate
from federation.aids.errors import CatalogueRefusedError, RuleImportError, UnknownAidError
from federation.aids.model import aid_from_json, aid_to_json
from federation.aids.national import mobility_allowance, national_rules, pass_refund
from federation.aids.rule_units import Unit, to_cents
from federation.aids.velo import import_velo, read_velo_asset
from federation.keys import Ed25519Key, PublicKey
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did

FUNDER = Did("did:web:localhost%3A8401:financeurs:agglo")
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = AT.date()
VERSION, RULES = national_rules()
MODEL = RuleModel.compile("national", VERSION, RULES)
ALLOWANCE = mobility_allowance(FUNDER, "Agglo")


def fmd(days: int, *, public: bool = True, at: date = DAY, **more: Any) -> Outcome:
    values = {
        "trajets . jours éligibles": Fact(days, FactSource.PROOF, "jour"),
        "emploi . agent public": Fact(public, FactSource.CREDENTIAL),
    }
    return evaluate(ALLOWANCE, Facts(at=at, values=values, **more), MODEL.engine)


@pytest.mark.parametrize(
    ("days", "cents"),
    [(0, None), (29, None), (30, 10000), (59, 10000), (60, 20000), (99, 20000), (100, 30000)],
)
def test_the_allowance_follows_the_arrete(days: int, cents: int | None) -> None:
    assert fmd(days).amount == cents


def test_a_refusal_names_the_threshold_and_the_days_missing() -> None:
    outcome = fmd(12)
    assert outcome.verdict is Verdict.NOT_ELIGIBLE
    assert "12 jours" in outcome.reasons[0].words["fr"]
    assert "au moins 30 jours" in outcome.reasons[0].words["fr"]
    assert "12 days" in outcome.reasons[0].words["en"]
    assert outcome.next_step is not None
    assert (outcome.next_step.missing, outcome.next_step.amount) == (18, 10000)


def test_the_next_step_disappears_at_the_top() -> None:
    step = fmd(41).next_step
    assert step is not None
    assert (step.missing, step.amount) == (19, 20000)
    assert fmd(100).next_step is None


def test_a_private_employee_is_told_which_condition_failed() -> None:
    outcome = fmd(120, public=False)
    assert outcome.amount is None
    assert outcome.reasons[0].rule == "emploi . agent public"


def test_nothing_known_is_missing_and_not_a_refusal() -> None:
    outcome = evaluate(ALLOWANCE, Facts(at=AT.date()), MODEL.engine)
    assert outcome.verdict is Verdict.MISSING
    asked = {q.variable: q.optional for q in outcome.missing}
    assert asked["trajets . jours éligibles"] is False
    assert asked["emploi . quotité de temps de travail"] is True


def test_weak_evidence_and_weak_assurance_are_each_a_reason() -> None:
    outcome = fmd(120, weakest_evidence=Evidence.DECLARED, assurance=AssuranceMethod.SELF_DECLARED)
    assert [r.code for r in outcome.reasons] == ["evidence", "assurance"]
    assert outcome.amount is None


def test_the_explanation_has_the_four_headings_of_the_code() -> None:
    explanation = fmd(41).explanation
    assert {"contribution", "data", "parameters", "operations"} <= set(explanation)
    assert all({"fr", "en"} <= set(line) for line in explanation["data"])


def test_the_ceiling_of_the_pass_is_the_one_of_the_day() -> None:
    aid = pass_refund(FUNDER, "Agglo")
    values = {
        "emploi . agent public": Fact(True, FactSource.CREDENTIAL),
        "abonnement . prix mensuel": Fact(200, FactSource.CREDENTIAL, "€/mois"),
        "abonnement . mois": Fact(1, FactSource.CREDENTIAL, "mois"),
    }
    engine = MODEL.engine
    for day, cents in ((date(2023, 10, 1), 9636), (date(2026, 2, 1), 10404)):
        assert evaluate(aid, Facts(at=day, values=values), engine).amount == cents
    outcome = evaluate(aid, Facts(at=date(2026, 2, 1), values=values), engine)
    assert any("à vérifier" in line["fr"] for line in outcome.explanation["parameters"])


@pytest.mark.parametrize(
    ("euros", "cents"), [(0.1 + 0.2, 30), (1.005, 101), (2.675, 268), (0.005, 1), (104.04, 10404)]
)
def test_cents_are_rounded_once_half_up(euros: float, cents: int) -> None:
    assert to_cents(euros, Unit.parse("€")) == cents


def test_an_aid_survives_its_json_with_members_we_do_not_know() -> None:
    document = aid_to_json(ALLOWANCE)
    document["futureMember"] = {"x": 1}
    again = aid_from_json(document)
    assert aid_to_json(again) == document
    with pytest.raises(RuleImportError):
        aid_from_json({**document, "status": "perhaps"})


def test_an_aid_whose_example_fails_is_not_published() -> None:
    document = aid_to_json(ALLOWANCE)
    document["examples"][2]["expectedCents"] = 12345
    with pytest.raises(RuleImportError):
        check_examples(aid_from_json(document), MODEL.engine, AT.date())


def _signed() -> tuple[bytes, PublicKey]:
    key = Ed25519Key.generate()
    signer = key.signer("did:web:hub#cle-1")
    catalogue = Catalogue.build(
        [ALLOWANCE, pass_refund(FUNDER, "Agglo")],
        [MODEL],
        issuer=Did("did:web:hub"),
        version=3,
        at=AT,
    )
    return catalogue.sign(signer), key.public


def test_a_signed_catalogue_opens_to_the_same_aids() -> None:
    content, public = _signed()
    opened = open_catalogue(content, lambda _method: public)
    assert opened.version == 3
    assert opened.aid("fmd-agents-publics") == ALLOWANCE
    with pytest.raises(UnknownAidError):
        opened.aid("nobody")


def test_a_changed_or_foreign_catalogue_is_refused() -> None:
    content, public = _signed()
    head, body, signature = content.split(b".")
    with pytest.raises(CatalogueRefusedError):
        open_catalogue(head + b"." + body[:-2] + b"AA." + signature, lambda _method: public)
    with pytest.raises(CatalogueRefusedError):
        open_catalogue(content, lambda _method: Ed25519Key.generate().public)
    with pytest.raises(CatalogueRefusedError):
        open_catalogue(b"<html>", lambda _method: public)


def test_every_aid_of_the_bicycle_model_is_imported_or_reported() -> None:
    document = read_velo_asset()
    report = import_velo(document, publisher=Did("did:web:hub"), at=AT.date())
    assert len(report.aids) + len(report.skipped) == len(document["localisations"]) == 341
    assert {rule for rule, _ in report.skipped} == {"aides . monaco", "aides . luxembourg"}
    sarlat = next(aid for aid in report.aids if aid.slug == "velo-sarlat")
    assert sarlat.status.value == "review"
    assert all(aid.source and aid.source_licence == "Apache-2.0" for aid in report.aids)


def test_the_aid_of_occitanie_says_which_income_was_too_high() -> None:
    report = import_velo(read_velo_asset(), publisher=Did("did:web:hub"), at=AT.date())
    aid = next(a for a in report.aids if a.slug == "velo-occitanie")
    values = {"localisation . région": Fact("76", FactSource.ANSWER)}
    assert evaluate(aid, Facts(at=AT.date(), values=values), report.engine).amount == 20000
    values["revenu fiscal de référence par part"] = Fact(21000, FactSource.ANSWER, "€/an")
    outcome = evaluate(aid, Facts(at=AT.date(), values=values), report.engine)
    assert outcome.amount is None
    assert "21\u202f000 € par an" in outcome.reasons[0].words["fr"]
    assert "14\u202f089 € par an" in outcome.reasons[0].words["fr"]
