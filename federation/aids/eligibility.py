"""Who may get what, and why: one pure function, run in the vault (estimate) and at the hub.

```
evaluate(aid, facts, engine) → Outcome(amount | not eligible | missing) + sentences + explanation
```
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from federation.aids.access import access_of
from federation.aids.errors import RuleEvaluationError
from federation.aids.model import Aid, CheckMode, Text
from federation.aids.publicodes import UNDEFINED, Engine, Evaluation
from federation.aids.rule_units import to_cents
from federation.aids.territories import TerritoryCodes
from federation.aids.trace import say_value
from federation.aids.wording import PLACES, tell
from schemas.evidence import AssuranceMethod, Evidence
from schemas.units import Cents

__all__ = [
    "Fact",
    "FactSource",
    "Facts",
    "NextStep",
    "Outcome",
    "Question",
    "Reason",
    "Verdict",
    "best_question",
    "evaluate",
    "question_of",
    "read_answer",
]

Scalar = bool | int | float | str


class FactSource(StrEnum):
    """Where a value of the rule comes from."""

    PROOF = "proof"
    CREDENTIAL = "credential"
    RECORD = "record"
    ANSWER = "answer"


class Verdict(StrEnum):
    """Three states; `missing` is not a refusal."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not-eligible"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Fact:
    """One value given to a rule. `unit` as in the rule language (`€`, `€/mois`, `jour`)."""

    value: Scalar
    source: FactSource
    unit: str = ""
    label: str = ""
    """Who says so, in words for the explanation (an issuer's name)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one person for one aid, on one day."""

    at: date
    values: Mapping[str, Fact] = field(default_factory=dict)
    """Dotted rule name → fact."""
    period: tuple[date, date] | None = None
    weakest_evidence: Evidence | None = None
    assurance: AssuranceMethod | None = None
    territories: TerritoryCodes | None = None
    """(level, code) of the person's commune, EPCI, departement, region; None when not asked."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, with the line of the rule it rests on."""

    code: str
    words: Text
    rule: str
    """Dotted name of the rule that decided."""
    legal: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A value the rule still needs."""

    variable: str
    words: Text
    kind: str
    """`boolean`, `number`, `choice` or `text`."""
    choices: tuple[str, ...] = ()
    choices_en: tuple[str, ...] = ()
    unit: str = ""
    optional: bool = False
    """True when the rule has a default and already gave an amount with it."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """How far the next, higher amount is."""

    variable: str
    missing: int
    amount: Cents
    words: Text


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to « puis-je l'obtenir ? ». `amount` is set when eligible."""

    verdict: Verdict
    amount: Cents | None
    reasons: tuple[Reason, ...]
    missing: tuple[Question, ...]
    trace: tuple[Text, ...]
    next_step: NextStep | None
    explanation: Mapping[str, Any]
    """The four headings of CRPA R. 311-3-1-2: `contribution`, `data`, `parameters`, `operations`.
    Each a list of `{fr, en, …}`."""
    plain: tuple[Text, ...] = ()
    """The reasons in a person's words (`federation.aids.wording`)."""
    per: str = ""
    """`an` or `mois` when the amount is due each year or month; empty when it is due once."""

    @property
    def is_eligible(self) -> bool:
        """True when an amount is due, zero excluded."""
        return self.verdict is Verdict.ELIGIBLE


_SOURCES: Mapping[FactSource, Text] = {
    FactSource.PROOF: {"fr": "preuve d'usage vérifiée", "en": "verified usage proof"},
    FactSource.CREDENTIAL: {"fr": "attestation signée vérifiée", "en": "verified credential"},
    FactSource.RECORD: {"fr": "données de votre coffre", "en": "data of your vault"},
    FactSource.ANSWER: {"fr": "votre réponse", "en": "your answer"},
}


def evaluate(aid: Aid, facts: Facts, engine: Engine) -> Outcome:
    """Decide what `aid` gives for `facts`. Never raises for « not eligible ».

    `engine` holds the model named by `aid.rule.model`. Amounts are rounded once, half up, when
    they leave the rule.

    Raises:
        RuleEvaluationError: a fact of the wrong type, or a rule that cannot be computed.
    """
    refusals = tuple(_before_the_rule(aid, facts))
    situation = _situation(aid, facts, engine)
    evaluation = engine.evaluate(aid.rule.rule, situation, trace=True)
    trace = tuple(dict(step.words) for step in evaluation.trace)
    explanation = _explanation(aid, facts, evaluation, engine)

    def outcome(
        verdict: Verdict,
        amount: Cents | None = None,
        *,
        reasons: tuple[Reason, ...] = (),
        missing: tuple[Question, ...] = (),
        step: NextStep | None = None,
    ) -> Outcome:
        plain: tuple[Text, ...] = tuple(reason.words for reason in refusals)
        if not refusals and verdict is not Verdict.MISSING:
            refused = verdict is Verdict.NOT_ELIGIBLE
            plain = tell(engine, evaluation.trace, refused=refused)
        per = "".join(evaluation.unit.denominators) if evaluation.unit else ""
        return Outcome(
            verdict,
            amount,
            reasons,
            missing,
            trace,
            step,
            explanation,
            plain,
            per if per in ("an", "mois") else "",
        )

    if refusals:
        return outcome(Verdict.NOT_ELIGIBLE, reasons=refusals)
    questions = tuple(_questions(engine, evaluation, facts))
    optional = tuple(q for q in questions if q.optional)
    needed = tuple(q for q in questions if not q.optional)
    value = evaluation.value
    if value is UNDEFINED:
        return outcome(Verdict.MISSING, missing=questions)
    reasons = tuple(_reasons(aid, evaluation))
    amount: Cents | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        amount = to_cents(float(value), evaluation.unit)
    elif value is True and access_of(aid) is not None:
        return outcome(Verdict.ELIGIBLE, Cents(0), reasons=reasons, missing=optional)
    elif value is True and aid.check_mode is CheckMode.LINK_OUT:
        # A loan or a service: due or not, without an amount of ours.
        return outcome(Verdict.ELIGIBLE, reasons=reasons, missing=optional)
    elif value is not None and value is not False:
        raise RuleEvaluationError(aid.rule.rule, "the rule gives no amount")
    step = _next_step(aid, facts, engine, amount or Cents(0))
    if not amount and needed and not _decided_without(aid, engine, situation, needed):
        return outcome(Verdict.MISSING, missing=questions, step=step)
    verdict = Verdict.ELIGIBLE if amount else Verdict.NOT_ELIGIBLE
    return outcome(verdict, amount or None, reasons=reasons, missing=optional, step=step)


def best_question(outcomes: Iterable[Outcome], *, passed: Collection[str] = ()) -> Question | None:
    """The one question to ask next: what most aids wait for, then what would refine most amounts.

    `passed` are variables the person would rather not answer. Places are never asked here: a
    commune is chosen once and gives them all.
    """
    weights: dict[str, tuple[int, Question]] = {}
    for outcome in outcomes:
        for rank, question in enumerate(outcome.missing):
            if question.variable in PLACES or question.variable in passed:
                continue
            # What is needed before what only refines; the first question of an aid decides most;
            # a choice closes or opens an aid, a figure only sets its amount.
            weight = (1 if question.optional else 100) * (3 if rank == 0 else 1)
            weight *= 1 if question.kind == "number" else 4
            known = weights.get(question.variable)
            weights[question.variable] = ((known[0] if known else 0) + weight, question)
    best = sorted(weights.values(), key=lambda pair: (-pair[0], pair[1].variable))
    return best[0][1] if best else None


def question_of(engine: Engine, name: str) -> Question:
    """A variable of a model as the question that asks for it."""
    info = engine.info(name)
    return Question(
        variable=name,
        words={"fr": info.question, "en": info.question_en},
        kind=info.kind,
        choices=info.choices,
        choices_en=tuple(engine.choice_en(name, choice) for choice in info.choices),
        unit=info.unit,
        optional=engine.has_default(name),
    )


def read_answer(question: Question, text: str) -> Scalar:
    """An answer as typed (« 1 250,50 », « oui », one of the choices) as a value.

    Raises:
        ValueError: not an answer to this question.
    """
    cleaned = text.strip()
    if question.kind == "boolean":
        if cleaned in ("oui", "non"):
            return cleaned == "oui"
        raise ValueError("oui or non")
    if question.choices:
        if cleaned in question.choices:
            return cleaned
        raise ValueError("not one of the choices")
    if question.kind == "number":
        digits = re.sub(r"[\s\u00a0\u202f€%]", "", cleaned).replace(",", ".")
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", digits):
            raise ValueError("a number of at most nine digits")
        number = float(digits)
        return int(number) if number.is_integer() else number
    if not cleaned or len(cleaned) > 80 or "'" in cleaned or '"' in cleaned:
        raise ValueError("a short text")
    return cleaned


def _situation(aid: Aid, facts: Facts, engine: Engine) -> dict[str, bool | float | str]:
    """Dated parameters in force on the day, then what is known about the person."""
    situation: dict[str, bool | float | str] = {
        p.name: p.value
        for p in aid.parameters
        if p.name in engine
        and p.valid_from <= facts.at
        and (p.valid_until is None or facts.at <= p.valid_until)
    }
    situation |= {name: _answer(fact) for name, fact in facts.values.items() if name in engine}
    return situation


def _answer(fact: Fact) -> bool | float | str:
    value = fact.value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return f"{value!r} {fact.unit}" if fact.unit and value >= 0 else float(value)
    return f"'{value}'"


def _before_the_rule(aid: Aid, facts: Facts) -> Iterator[Reason]:
    """What refuses before any amount: end of the aid, territory, weak evidence or assurance."""
    if not aid.is_open(facts.at):
        yield Reason(
            "aid-closed",
            {
                "fr": "Cette aide n'est pas ouverte à cette date.",
                "en": "This aid is not open on that date.",
            },
            aid.rule.rule,
        )
    if facts.territories is not None and not aid.covers(facts.territories):
        yield Reason(
            "territory",
            {
                "fr": "Cette aide ne couvre pas votre commune.",
                "en": "This aid does not cover your commune.",
            },
            aid.rule.rule,
        )
    proof = aid.proof
    if proof is None:
        return
    if facts.weakest_evidence is not None and facts.weakest_evidence < proof.minimum_evidence:
        have, need = facts.weakest_evidence, proof.minimum_evidence
        yield Reason(
            "evidence",
            {
                "fr": f"Preuve la plus faible : {have.label('fr')} ; "
                f"l'aide demande au moins : {need.label('fr')}.",
                "en": f"Weakest evidence: {have.label('en')}; "
                f"the aid asks for at least: {need.label('en')}.",
            },
            aid.rule.rule,
        )
    if facts.assurance is not None and facts.assurance.strength < proof.minimum_assurance.strength:
        got, wanted = facts.assurance, proof.minimum_assurance
        yield Reason(
            "assurance",
            {
                "fr": f"Preuve reçue : {got.label('fr')} ; "
                f"l'aide demande au moins : {wanted.label('fr')}.",
                "en": f"Proof received: {got.label('en')}; "
                f"the aid asks for at least: {wanted.label('en')}.",
            },
            aid.rule.rule,
        )


def _questions(engine: Engine, evaluation: Evaluation, facts: Facts) -> Iterator[Question]:
    for name in evaluation.missing:
        if name in facts.values:
            continue
        info = engine.info(name)
        if "question" not in info.metadata and engine.has_default(name):
            continue  # a switch of the model's own, not for people
        yield question_of(engine, name)


def _decided_without(
    aid: Aid, engine: Engine, situation: Mapping[str, Any], needed: tuple[Question, ...]
) -> bool:
    """Is the refusal independent of the required questions still open?"""
    found = engine.evaluate(aid.rule.rule, situation)
    return not any(question.variable in found.missing for question in needed)


def _reasons(aid: Aid, evaluation: Evaluation) -> Iterator[Reason]:
    legal = aid.legal_basis[0].reference if aid.legal_basis else ""
    refused = evaluation.value is None or evaluation.value is False or evaluation.value == 0
    steps = [step for step in evaluation.trace if step.kind != "amount"]
    if refused:
        decisive = [
            step
            for step in steps
            if (step.kind in ("condition", "parent") and step.passed is False)
            or (step.kind == "exception" and step.passed is True)
        ]
        for step in decisive or steps:
            yield Reason(f"rule-{step.kind}", step.words, step.rule, legal)
        return
    for step in steps:
        yield Reason(f"rule-{step.kind}", step.words, step.rule, legal)


def _next_step(aid: Aid, facts: Facts, engine: Engine, amount: Cents) -> NextStep | None:
    """How many more days until the amount goes up (a whole-day search, bounded by one year)."""
    if aid.proof is None:
        return None
    variable = next((b.variable for b in aid.bindings if b.claim == "UsageProof.days"), None)
    if variable is None or variable not in facts.values:
        return None
    fact = facts.values[variable]
    if isinstance(fact.value, bool | str):
        return None
    base = _situation(aid, facts, engine)

    def amount_at(days: int) -> int:
        answer = f"{days} {fact.unit}" if fact.unit else float(days)
        found = engine.evaluate(aid.rule.rule, {**base, variable: answer})
        if isinstance(found.value, bool) or not isinstance(found.value, int | float):
            return 0
        return int(to_cents(float(found.value), found.unit))

    have = int(fact.value)
    for days in range(have + 1, 367):
        higher = amount_at(days)
        if higher > amount:
            missing = days - have
            euros = say_value(higher / 100, None)
            plural_fr, plural_en = ("s", "s") if missing > 1 else ("", "")
            return NextStep(
                variable,
                missing,
                Cents(higher),
                {
                    "fr": f"Encore {missing} jour{plural_fr} pour atteindre {euros[0]} €.",
                    "en": f"{missing} more day{plural_en} to reach €{euros[1]}.",
                },
            )
    return None


def _explanation(aid: Aid, facts: Facts, evaluation: Evaluation, engine: Engine) -> dict[str, Any]:
    """The four headings of CRPA R. 311-3-1-2, ready to be read by the person concerned."""
    data = []
    for name, fact in sorted(facts.values.items()):
        if name not in engine:
            continue
        info = engine.info(name)
        from federation.aids.rule_units import Unit

        value = float(fact.value) if type(fact.value) in (int, float) else fact.value
        shown = say_value(value, Unit.parse(fact.unit) if fact.unit else None)
        source = _SOURCES[fact.source]
        by = f" ({fact.label})" if fact.label else ""
        data.append(
            {
                "variable": name,
                "fr": f"{info.title} : {shown[0]}. Source : {source['fr']}{by}",
                "en": f"{info.title_en}: {shown[1]}. Source: {source['en']}{by}",
            }
        )
    parameters = [
        {
            "name": p.name,
            "value": p.value,
            "source": p.source,
            "fr": f"{p.name} : {p.value}, depuis le {p.valid_from.isoformat()}. "
            f"Source : {p.source}" + ("" if p.verified_on else " (à vérifier)"),
            "en": f"{p.name}: {p.value}, since {p.valid_from.isoformat()}. Source: {p.source}"
            + ("" if p.verified_on else " (to be verified)"),
        }
        for p in aid.parameters
        if p.valid_from <= facts.at and (p.valid_until is None or facts.at <= p.valid_until)
    ]
    return {
        "contribution": [
            {
                "fr": "Le montant est calculé entièrement par la règle publiée ; "
                "le calcul peut accepter la demande, jamais la refuser seul.",
                "en": "The amount is computed entirely by the published rule; "
                "the computation may accept the application, never refuse it alone.",
            }
        ],
        "data": data,
        "parameters": parameters,
        "operations": [
            {"rule": step.rule, "kind": step.kind, **step.words} for step in evaluation.trace
        ],
        "rule": {
            "model": aid.rule.model,
            "rule": aid.rule.rule,
            "version": aid.rule.version,
            "source": aid.source,
        },
    }
