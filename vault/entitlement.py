"""Whether a home may apply for an aid in the citizen's place: what was agreed, against what is now.

In this order: (1) the aid is published and open, (2) what the period gives a right to, from the
figures of the grant's months and the signed documents of the terms, and nothing else, (3) what
makes the home stop at « ready to send », though the citizen said it may send: the rule changed, an
earlier package was refused, an answer is missing, the ceiling would be passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from federation.aids.eligibility import Fact, Facts, FactSource, Verdict
from federation.credentials.held import Held
from federation.usage import USAGE, disclosed, value_of
from schemas.records import Extent
from schemas.units import Cents
from vault.delivery import delivery_of
from vault.eligibility import claim_of
from vault.standing_terms import Limits, Outcome, Period, State, Terms

if TYPE_CHECKING:
    from federation.aids.catalogue import Catalogue
    from federation.aids.model import Aid
    from vault.home import Home
    from vault.usage_proof import UsageCount

__all__ = ["Past", "Stop", "Verdicts", "entitled", "past_of"]


class Stop:
    """Why a home leaves the sending to the citizen; None: they asked for it."""

    RULE_CHANGED: Final = "rule-changed"
    REFUSED_BEFORE: Final = "refused-before"
    AMOUNT_UNKNOWN: Final = "amount-unknown"
    CEILING: Final = "ceiling-reached"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a period comes to."""

    outcome: str
    """`Outcome.SENT` (send it), `READY`, `NOT_ENTITLED`, `ASKED` or `CLOSED`."""
    amount: Cents | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What became of earlier runs."""

    asked: int = 0
    """Cents asked for by the home alone; what a recipient did not take in does not count."""
    refused: bool = False
    """Whether the recipient did not take in a package of this consent."""


def past_of(home: "Home", vault_id: str, state: State) -> Past:
    """What became of the runs of a standing consent."""
    asked, refused = 0, False
    for run in state.runs:
        if run.outcome != Outcome.SENT or run.application is None:
            continue
        told = delivery_of(home, vault_id, run.application)
        if told is not None and told.state == "refused":
            refused = True
        else:
            asked += run.amount or 0
    return Past(asked, refused)


def entitled(
    terms: Terms,
    limits: Limits,
    past: Past,
    *,
    catalogue: "Catalogue",
    count: "UsageCount",
    held: Sequence[Held],
    period: Period,
    at: date,
) -> Verdicts:
    """What the home does about one period. Pure.

    Raises:
        UnknownAidError: the catalogue does not have the aid.
        RuleEvaluationError: the rule cannot be computed.
    """
    aid = catalogue.aid(terms.aid)
    if not aid.is_open(at):  # 1
        return Verdicts(Outcome.CLOSED)
    if any(since <= period[1] and until >= period[0] for since, until in terms.covered):
        return Verdicts(Outcome.ASKED)
    changed = Stop.RULE_CHANGED if catalogue.rule_digest(aid) != limits.rule else None
    facts = _facts(aid, count, held, period=period, at=at)
    found = catalogue.evaluate(aid, facts)  # 2
    if found.verdict is Verdict.NOT_ELIGIBLE:
        return Verdicts(Outcome.NOT_ENTITLED, code=changed)
    amount = found.amount
    if changed is not None:  # 3
        return Verdicts(Outcome.READY, amount, changed)
    if past.refused:
        return Verdicts(Outcome.READY, amount, Stop.REFUSED_BEFORE)
    if amount is None:
        return Verdicts(Outcome.READY, None, Stop.AMOUNT_UNKNOWN)
    if past.asked + amount > limits.ceiling:
        return Verdicts(Outcome.READY, amount, Stop.CEILING)
    if limits.extent is Extent.PREPARE:
        return Verdicts(Outcome.READY, amount)
    return Verdicts(Outcome.SENT, amount)


def _facts(
    aid: "Aid", count: "UsageCount", held: Sequence[Held], *, period: Period, at: date
) -> Facts:
    """What the hub will read of the package: figures as disclosed, claims of the documents."""
    template = aid.proof
    members = {} if template is None else dict(disclosed(template, count.value) or {})
    values: dict[str, Fact] = {}
    for binding in aid.bindings:
        kind, _, name = binding.claim.partition(".")
        if kind == USAGE:
            claim = value_of(members) if name == "value" else members.get(name)
            if claim is not None:
                values[binding.variable] = Fact(claim, FactSource.PROOF, binding.unit)
            continue
        for document in held:
            if document.type != kind:
                continue
            told = claim_of(document.subject, name)
            if told is None:
                continue
            among = binding.excludes or binding.equals
            if binding.excludes:
                if str(told) in among:
                    values[binding.variable] = Fact(False, FactSource.CREDENTIAL)
                continue
            value = str(told) in among if among else told
            values[binding.variable] = Fact(value, FactSource.CREDENTIAL, binding.unit)
    return Facts(at=at, values=values, period=period)
