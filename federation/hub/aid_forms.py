"""An aid made of a funder's form, the form of a published aid, and its examples tried.

What the form does not say (proof, credentials, exclusivity, legal texts) comes from the aid as it
is published; a new aid is asked for with answers on one's honour and documents, and a person
decides. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from federation.aids.cool_down import COOL_DOWN, cool_down_of
from federation.aids.declaration import MEMBER, Declaration, declaration_of
from federation.aids.editor import compile_rule, read_rule
from federation.aids.editor.aid_form import AidForm
from federation.aids.editor.reading import Inexpressible, NotExpressibleError
from federation.aids.editor.rule_form import Fault
from federation.aids.eligibility import Fact, Facts, FactSource, Verdict, evaluate
from federation.aids.errors import RuleEvaluationError, RuleImportError
from federation.aids.model import Aid, AidStatus, CheckMode, IdentityLevel, PaymentMode, Text
from federation.aids.prior_aid import (
    asks_no_prior_aid,
    can_ask_no_prior_aid,
    with_no_prior_aid,
)
from federation.aids.publicodes import Engine
from federation.aids.words import shared_words
from federation.hub.aid_templates import TemplatedAid, model_name, new_aid
from federation.hub.declared import documents_wanted
from federation.hub.model import Funder
from schemas.units import Cents

__all__ = [
    "RULE",
    "STATEMENT",
    "Tried",
    "engine_of",
    "form_of",
    "frame_faults",
    "make_aid",
    "tried",
]

RULE: Final = "aide"
"""Name of the amount in a rule that the form writes anew."""
STATEMENT: Final = (
    "Je déclare sur l'honneur que ces réponses sont exactes et que je n'ai pas déjà reçu cette "
    "aide. Une fausse déclaration m'expose à rembourser l'aide et à des poursuites (code pénal, "
    "article 441-7)."
)
"""What a new aid proposes to be signed."""
_STATEMENT_EN: Final = (
    "I declare on my honour that these answers are true and that I have not had this aid before. "
    "A false statement may make me pay the aid back and be prosecuted (French penal code, article "
    "441-7)."
)
_TO_READ: Final[Text] = {
    "fr": "Que les réponses sont exactes : à lire sur les pièces.",
    "en": "That the answers are true: to be read on the documents.",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rule gives for one example."""

    label: str
    expected: int | None
    """Cents; None: nothing is due."""
    got: int | None
    as_expected: bool
    reasons: tuple[Text, ...]
    """Why, in a person's words."""
    missing: tuple[str, ...] = ()
    """Variables that were not answered."""
    error: str = ""
    """The rule could not be computed."""


def make_aid(
    form: AidForm, *, base: Aid | None, funder: Funder, slug: str, version: str, at: date
) -> TemplatedAid:
    """The aid that `form` says, on the frame of `base`, with its rule model.

    Raises:
        RuleImportError: the form has a fault.
    """
    rules = compile_rule(form.rule)
    name = model_name(slug)
    texts: dict[str, Any] = {
        "titles": _texts(form.rule.title, form.rule.title_en),
        "summaries": _texts(form.summary, form.summary_en),
        "themes": form.themes,
        "territories": form.territories,
        "examples": form.examples,
        "decision_time_days": form.decision_days,
        "ends_on": form.ends_on,
        "last_verified": at,
        "version": version,
    }
    if base is None:
        aid = new_aid(
            funder,
            slug,
            version,
            at,
            titles=texts["titles"],
            summaries=texts["summaries"],
            rule=form.rule.rule,
            themes=form.themes,
            proof=None,
            credentials=("IdentityCredential",),
            bindings=(),
            family="",
            legal=(),
            examples=form.examples,
            not_proven=(_TO_READ,),
        )
        aid = replace(
            aid,
            identity_level=IdentityLevel.DOCUMENT,
            payment=PaymentMode.TRANSFER,
            check_mode=CheckMode.MANUAL,
        )
    else:
        aid = replace(base, status=AidStatus.PUBLISHED)
    before = documents_wanted(aid)
    pieces = tuple(piece for piece in aid.pieces if piece.get("fr") not in before)
    extra = {
        k: v
        for k, v in aid.extra.items()
        if k not in (MEMBER, "documents", "budgetCents", COOL_DOWN)
    }
    if form.statement:
        extra[MEMBER] = _declaration(form, aid).to_json()
    aid = replace(
        with_no_prior_aid(aid, form.no_prior),
        **texts,
        rule=replace(aid.rule, model=name, rule=form.rule.rule, version=version),
        pieces=(*pieces, *({"fr": name, "en": name} for name in form.documents)),
        extra={
            **extra,
            "documents": list(form.documents),
            **({} if form.budget is None else {"budgetCents": form.budget}),
            **({COOL_DOWN: form.cool_down} if form.cool_down else {}),
        },
    )
    return TemplatedAid(aid, {name: (version, rules)})


def _declaration(form: AidForm, aid: Aid) -> Declaration:
    before = declaration_of(aid)
    english = _STATEMENT_EN if form.statement == STATEMENT else form.statement
    if before is not None and before.statement.get("fr") == form.statement:
        english = before.statement.get("en", form.statement)
    return Declaration(
        tuple(asked.variable for asked in form.rule.questions),
        {"fr": form.statement, "en": english},
        form.unique,
        form.journey,
    )


def _texts(fr: str, en: str) -> Text:
    return {"fr": fr, "en": en or fr}


def form_of(aid: Aid, rules: Mapping[str, Any]) -> AidForm:
    """The form that says `aid` and its rule model.

    Raises:
        NotExpressibleError: the rule is shared by several aids, or the form cannot say it.
    """
    if aid.rule.model != model_name(aid.slug):
        raise NotExpressibleError(aid.rule.rule, Inexpressible.SHARED, aid.rule.model)
    rule = read_rule(rules, aid.rule.rule)
    asked = declaration_of(aid)
    known = {question.variable for question in rule.questions}
    for example in aid.examples:
        if not set(example.situation) <= known:
            raise NotExpressibleError(aid.rule.rule, Inexpressible.EXPRESSION, example.label)
    budget = aid.extra.get("budgetCents")
    english = aid.titles.get("en", "")
    return AidForm(
        rule=replace(
            rule,
            title=aid.titles["fr"],
            title_en="" if english == aid.titles["fr"] else english,
        ),
        summary=aid.summaries["fr"],
        summary_en=""
        if aid.summaries.get("en") == aid.summaries["fr"]
        else aid.summaries.get("en", ""),
        territories=aid.territories,
        themes=aid.themes,
        documents=documents_wanted(aid),
        statement="" if asked is None else asked.statement.get("fr", ""),
        unique="" if asked is None else asked.unique,
        journey="" if asked is None else asked.journey,
        decision_days=aid.decision_time_days,
        ends_on=aid.ends_on,
        budget=budget if type(budget) is int else None,
        cool_down=cool_down_of(aid),
        no_prior=asks_no_prior_aid(aid),
        examples=tuple(
            replace(e, expected_cents=None if e.expected_cents is None else Cents(e.expected_cents))
            for e in aid.examples
        ),
    )


def frame_faults(form: AidForm, base: Aid | None) -> tuple[Fault, ...]:
    """What the form would break in the aid it changes: a proven figure that nothing asks for, a
    statement where everything is proven, a cool-down or a word of no prior aid where nobody is
    known again."""
    unheld = bool(form.cool_down) and (base is None or not base.family)
    found = [Fault("cool_down", "unheld")] * unheld
    unknown = form.no_prior and (base is None or not can_ask_no_prior_aid(base))
    found += [Fault("no_prior", "unknown-person")] * unknown
    if base is None:
        return tuple(found)
    known = {asked.variable for asked in form.rule.questions}
    proven = form.statement and declaration_of(base) is None
    found += [Fault("statement", "proven")] * bool(proven)
    found += [
        Fault("questions", "bound", binding.variable)
        for binding in base.bindings
        if binding.variable not in known
    ]
    return tuple(found)


def engine_of(made: TemplatedAid) -> Engine:
    """The compiled rule of an aid that is being written.

    Raises:
        RuleImportError: the rule cannot be compiled.
    """
    ((_, rules),) = made.models.values()
    return Engine(rules, words=shared_words())


def tried(made: TemplatedAid, engine: Engine, at: date) -> tuple[Tried, ...]:
    """Every example, computed as vaults and the desk will."""
    found = []
    aid = replace(made.aid, status=AidStatus.PUBLISHED)
    for example in aid.examples:
        facts = Facts(
            at=at,
            values={n: Fact(v, FactSource.ANSWER) for n, v in example.situation.items()},
        )
        try:
            outcome = evaluate(aid, facts, engine)
        except (RuleEvaluationError, RuleImportError) as error:
            found.append(
                Tried(example.label, example.expected_cents, None, False, (), error=str(error))
            )
            continue
        got = outcome.amount if outcome.is_eligible else None
        missing = (
            tuple(q.variable for q in outcome.missing) if outcome.verdict is Verdict.MISSING else ()
        )
        found.append(
            Tried(
                example.label,
                example.expected_cents,
                got,
                got == example.expected_cents and not missing,
                outcome.plain,
                missing,
            )
        )
    return tuple(found)
