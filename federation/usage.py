"""Proof templates: what a funder or a service wants proven of somebody's trips, as data.

A template names a metric, a filter, a threshold or brackets, the weakest evidence it takes and the
weakest assurance. The vault evaluates it, says what is missing, and turns it into the least
disclosure: « at least 20 », never 27, when 20 is what was asked. The hub reads the same template to
judge what arrives, by either road:

- one `UsageProof` (`source-aggregate`, `vault-attested`, `self-declared`), or
- trips that their source signed one by one (`source-trips`): coarse claims, counted here.

Pure; nothing here verifies a signature.

    MobilityError
    └── TemplateError (InvalidInput)     `template-invalid`: no template, or it contradicts itself
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final

from federation.credentials.policy import STEP, Evidenced, Stated
from federation.verification import Check, Outcome
from schemas.errors import InvalidInput, MobilityError
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Iri
from schemas.modes import MODES, Mode

__all__ = [
    "TRIP",
    "USAGE",
    "Breakdown",
    "Metric",
    "ProofTemplate",
    "Standing",
    "TemplateError",
    "TripTally",
    "UsagePolicy",
    "choose_trips",
    "disclosed",
    "standing",
    "tally",
    "template_from_json",
    "template_to_json",
    "trip_claims",
    "value_of",
    "whole_months",
]

USAGE: Final = "UsageProof"
TRIP: Final = "TripCredential"
MAX_BRACKETS: Final = 32
MAX_TRIPS: Final = 366
"""Signed trips in one answer: one a day for a year."""
_FAMILY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class TemplateError(MobilityError, InvalidInput):
    """Not a proof template, or one that contradicts itself."""

    code: ClassVar[str] = "template-invalid"

    def __init__(self, detail: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where or 'proof'}: {detail}")


class Metric(StrEnum):
    """What is counted."""

    ELIGIBLE_DAYS = "eligible-days"
    """Civil days with a trip between home and work: only an open vault knows the places."""
    TRIPS = "trips"
    DISTANCE = "distance"
    """Metres; of signed trips the sum of the lower bounds of their bands."""
    EMISSION = "co2e"
    """Grams of CO2 equivalent that the trips emitted, by `schemas.co2`; the proof names the version
    of the factors. Less is better, so who shows trips could leave some out:
    only a total says it."""

    @property
    def member(self) -> str:
        """Member of a `UsageProof` that holds the exact figure."""
        return "days" if self is Metric.ELIGIBLE_DAYS else self.value


class Breakdown(StrEnum):
    """Figures a template may ask for beside the total."""

    MODE = "mode"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class ProofTemplate:
    """The usage proof an aid or a service asks for: what the vault computes and the hub checks."""

    metric: str
    """One of `Metric`."""
    rule: Iri
    """IRI of the counting rule, as it stands in `UsageProof.credentialSubject.rule`."""
    rule_version: str
    modes: frozenset[Mode]
    minimum_evidence: Evidence
    minimum_assurance: AssuranceMethod
    cap_per_day: int = 1
    """Of `eligible-days`: how many trips of a day count."""
    minimum_distance: int = 0
    """Metres; shorter trips do not count. Not of `eligible-days`."""
    register_classes: frozenset[str] = frozenset()
    """Classes of the register that count; empty: any, and trips no register knows."""
    at_least: int | None = None
    """Threshold: the proof says that it is reached, and no figure."""
    brackets: tuple[int, ...] = ()
    """Lower bounds, rising: the proof names the bracket, and no figure."""
    breakdown: frozenset[Breakdown] = frozenset(Breakdown)
    """Given only with an exact figure."""
    trip_family: str = ""
    """Exclusivity family of single trips (`tripNullifiers.F`): asked of signed trips, so that no
    trip is funded twice. Empty: `source-trips` is not possible."""
    trip_family_version: int = 1

    def __post_init__(self) -> None:
        if self.metric not in frozenset(m.value for m in Metric):
            raise TemplateError("not something we count", where="metric")
        if not self.modes:
            raise TemplateError("at least one mode", where="modes")
        if self.at_least is not None and self.brackets:
            raise TemplateError("a threshold or brackets, not both", where="atLeast")
        if self.at_least is not None and not 0 < self.at_least < 2**40:
            raise TemplateError("a threshold above zero", where="atLeast")
        rising = list(self.brackets) == sorted(set(self.brackets))
        if len(self.brackets) > MAX_BRACKETS or not rising or any(b < 0 for b in self.brackets):
            raise TemplateError("at most 32 rising bounds", where="brackets")
        if not 0 <= self.minimum_distance < 2**31 or not 0 < self.cap_per_day <= 24:
            raise TemplateError("out of bounds", where="minimumDistance")
        if self.metric == Metric.ELIGIBLE_DAYS and (self.minimum_distance or self.register_classes):
            raise TemplateError("this filter is not one of days", where="metric")
        if self.metric == Metric.EMISSION:
            if self.at_least is not None:
                raise TemplateError("of emissions, name brackets", where="atLeast")
            if any(MODES[mode].ademe is None for mode in self.modes):
                raise TemplateError("a mode without emission factor", where="modes")
        if self.trip_family and _FAMILY.fullmatch(self.trip_family) is None:
            raise TemplateError("a family of letters, digits and -", where="tripFamily")

    @property
    def is_exact(self) -> bool:
        """Whether the figure itself is asked for."""
        return self.at_least is None and not self.brackets

    @property
    def takes_signed_trips(self) -> bool:
        """Whether trips signed by their source can answer it: they say no place, so they can say
        no eligible day; one left out makes emissions look smaller; and they need a family to be
        told apart by."""
        return self.metric in (Metric.TRIPS, Metric.DISTANCE) and bool(self.trip_family)


def template_to_json(template: ProofTemplate) -> dict[str, Any]:
    """Plain JSON, as published (exact inverse of `template_from_json`)."""
    return {
        "metric": template.metric,
        "rule": template.rule,
        "ruleVersion": template.rule_version,
        "modes": sorted(mode.value for mode in template.modes),
        "minimumEvidence": template.minimum_evidence.value,
        "minimumAssurance": template.minimum_assurance.value,
        "capPerDay": template.cap_per_day,
        **({"minimumDistance": template.minimum_distance} if template.minimum_distance else {}),
        **(
            {"registerClasses": sorted(template.register_classes)}
            if template.register_classes
            else {}
        ),
        **({"atLeast": template.at_least} if template.at_least is not None else {}),
        **({"brackets": list(template.brackets)} if template.brackets else {}),
        **(
            {"breakdown": sorted(b.value for b in template.breakdown)}
            if template.breakdown != frozenset(Breakdown)
            else {}
        ),
        **(
            {"tripFamily": template.trip_family, "tripFamilyVersion": template.trip_family_version}
            if template.trip_family
            else {}
        ),
    }


def template_from_json(value: object) -> ProofTemplate:
    """Read a template.

    Raises:
        TemplateError: what it is not, with its member.
    """
    if not isinstance(value, Mapping):
        raise TemplateError("an object expected")
    unknown = set(value) - _MEMBERS
    if unknown:
        raise TemplateError("a member no template has", where=min(map(str, unknown)))
    try:
        return ProofTemplate(
            metric=_text(value, "metric"),
            rule=Iri(_text(value, "rule")),
            rule_version=_text(value, "ruleVersion"),
            modes=frozenset(Mode(mode) for mode in _list(value, "modes")),
            minimum_evidence=Evidence(_text(value, "minimumEvidence")),
            minimum_assurance=AssuranceMethod(_text(value, "minimumAssurance")),
            cap_per_day=_number(value, "capPerDay", 1),
            minimum_distance=_number(value, "minimumDistance", 0),
            register_classes=frozenset(str(c) for c in _list(value, "registerClasses")),
            at_least=_number(value, "atLeast", 0) if "atLeast" in value else None,
            brackets=tuple(_bounds(value)),
            breakdown=frozenset(Breakdown(b) for b in _list(value, "breakdown"))
            if "breakdown" in value
            else frozenset(Breakdown),
            trip_family=str(value.get("tripFamily", "")),
            trip_family_version=_number(value, "tripFamilyVersion", 1),
        )
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, TemplateError):
            raise
        raise TemplateError(f"unreadable: {error}") from None


_MEMBERS: Final = frozenset(
    {
        "metric",
        "rule",
        "ruleVersion",
        "modes",
        "minimumEvidence",
        "minimumAssurance",
        "capPerDay",
        "minimumDistance",
        "registerClasses",
        "atLeast",
        "brackets",
        "breakdown",
        "tripFamily",
        "tripFamilyVersion",
    }
)


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= 500:
        raise TemplateError("a text expected", where=name)
    return found


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list) or len(found) > 64:
        raise TemplateError("a list expected", where=name)
    return found


def _number(value: Mapping[str, Any], name: str, default: int) -> int:
    found = value.get(name, default)
    if type(found) is not int:
        raise TemplateError("a whole number expected", where=name)
    return found


def _bounds(value: Mapping[str, Any]) -> list[int]:
    found = _list(value, "brackets")
    if any(type(bound) is not int for bound in found):
        raise TemplateError("whole numbers expected", where="brackets")
    return found


# --- where one stands, and what is said of it ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure beside what is asked: « 18 sur 20, il en manque 2 »."""

    metric: Metric
    value: int
    wanted: int | None
    """The threshold, or the next bracket's lower bound; None: nothing more to reach."""

    @property
    def missing(self) -> int:
        """What is missing to reach it; 0 when it is reached."""
        return 0 if self.wanted is None else max(0, self.wanted - self.value)


def standing(template: ProofTemplate, value: int) -> Standing:
    """Where `value` stands towards the template's threshold or next bracket; nobody has to reach
    a bracket of emissions."""
    wanted = template.at_least
    if template.brackets and template.metric != Metric.EMISSION:
        wanted = next((bound for bound in template.brackets if bound > value), None)
    return Standing(Metric(template.metric), value, wanted)


def disclosed(template: ProofTemplate, value: int) -> dict[str, int] | None:
    """The members of a `UsageProof` that answer the template with the least: a threshold reached,
    a bracket, or the figure. None when the threshold (or the lowest bracket) is not reached: there
    is nothing to prove."""
    if template.at_least is not None:
        return {"atLeast": template.at_least} if value >= template.at_least else None
    if template.brackets:
        below = [bound for bound in template.brackets if bound <= value]
        above = [bound for bound in template.brackets if bound > value]
        if not below:
            return None
        return {"atLeast": below[-1], **({"below": above[0]} if above else {})}
    return {Metric(template.metric).member: value}


def value_of(subject: Mapping[str, Any]) -> int | None:
    """The figure a usage proof vouches for: exact, or the lower bound it says is reached."""
    for name in ("days", "trips", "distance", "co2e", "atLeast"):
        found = subject.get(name)
        if type(found) is int:
            return found
    return None


# --- trips signed by their source --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TripTally:
    """What some signed trips come to under a template."""

    value: int
    weakest: Evidence
    nullifiers: tuple[tuple[str, date, date], ...]
    """(nullifier, first and last day of its month) of each trip that counts."""
    left_out: Mapping[str, int]
    """Why others do not count: `mode`, `evidence`, `distance`, `register`, `month`, `family`,
    `twice`."""


def trip_claims(template: ProofTemplate) -> tuple[tuple[str, ...], ...]:
    """Paths of the claims a signed trip must show to be counted, and no more."""
    names: list[tuple[str, ...]] = [("month",), ("mode",), ("evidence",)]
    if template.metric == Metric.DISTANCE or template.minimum_distance:
        names.append(("distanceAtLeast",))
    if template.register_classes:
        names.append(("registerClass",))
    names.append(("nullifiers", template.trip_family))
    return tuple(names)


def whole_months(period: tuple[date, date]) -> frozenset[str]:
    """The months (`2026-10`) that lie in `period` from their first day to their last: a signed trip
    says no more than its month."""
    since, until = period
    found = set()
    year, month = since.year, since.month
    while (year, month) <= (until.year, until.month):
        first, last = _month_days(year, month)
        if since <= first and last <= until:
            found.add(f"{year}-{month:02d}")
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return frozenset(found)


def _month_days(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _nullifier(template: ProofTemplate, subject: Mapping[str, Any]) -> str | None:
    for node in subject.get("nullifiers", ()):
        if (node["family"], node["version"]) == (
            template.trip_family,
            str(template.trip_family_version),
        ):
            return str(node["value"])
    return None


def _why_not(
    template: ProofTemplate, subject: Mapping[str, Any], months: frozenset[str]
) -> str | None:
    """Why a trip does not count; None: it does."""
    month = str(subject.get("month", ""))
    if _MONTH.fullmatch(month) is None or month not in months:
        return "month"
    if subject.get("mode") not in {mode.value for mode in template.modes}:
        return "mode"
    evidence = subject.get("evidence")
    if evidence is None or Evidence(evidence) < template.minimum_evidence:
        return "evidence"
    classes = template.register_classes
    if classes and subject.get("registerClass") not in classes:
        return "register"
    wants_distance = template.metric == Metric.DISTANCE or template.minimum_distance > 0
    if wants_distance and int(subject.get("distanceAtLeast", -1)) < template.minimum_distance:
        return "distance"
    return None if _nullifier(template, subject) else "family"


def tally(
    template: ProofTemplate, subjects: Iterable[Mapping[str, Any]], *, period: tuple[date, date]
) -> TripTally:
    """Count signed trips by their coarse claims; one nullifier counts once."""
    months, left_out = whole_months(period), dict[str, int]()
    seen: dict[str, tuple[str, date, date]] = {}
    classes: list[Evidence] = []
    value = 0
    for subject in subjects:
        why = _why_not(template, subject, months)
        name = _nullifier(template, subject) or ""
        if why is None and name in seen:
            why = "twice"
        if why is not None:
            left_out[why] = left_out.get(why, 0) + 1
            continue
        year, month = map(int, str(subject["month"]).split("-"))
        seen[name] = (name, *_month_days(year, month))
        classes.append(Evidence(subject["evidence"]))
        value += int(subject["distanceAtLeast"]) if template.metric == Metric.DISTANCE else 1
    return TripTally(
        value=value,
        weakest=min(classes, key=lambda c: c.rank) if classes else Evidence.DECLARED,
        nullifiers=tuple(seen[name] for name in sorted(seen)),
        left_out=MappingProxyType(left_out),
    )


def choose_trips(
    template: ProofTemplate,
    subjects: Sequence[Mapping[str, Any]],
    *,
    period: tuple[date, date],
) -> tuple[int, ...]:
    """Places of the fewest signed trips that answer the template: those the holder shows.

    The threshold (or the highest bracket within reach) is met with the longest bands first; an
    exact figure needs every trip that counts. Empty when the threshold is not reached.
    """
    months = whole_months(period)
    usable: dict[str, int] = {}
    for place, subject in enumerate(subjects):
        name = _nullifier(template, subject)
        if name is not None and _why_not(template, subject, months) is None:
            usable.setdefault(name, place)
    places = sorted(
        usable.values(),
        key=lambda p: (
            -int(subjects[p].get("distanceAtLeast", 0))
            if template.metric == Metric.DISTANCE
            else p,
            p,
        ),
    )[:MAX_TRIPS]

    def worth(place: int) -> int:
        if template.metric == Metric.DISTANCE:
            return int(subjects[place]["distanceAtLeast"])
        return 1

    total = sum(map(worth, places))
    least = disclosed(template, total)
    if least is None:
        return ()
    if template.is_exact:
        return tuple(sorted(places))
    chosen, reached = [], 0
    for place in places:
        if reached >= least["atLeast"]:
            break
        chosen.append(place)
        reached += worth(place)
    return tuple(sorted(chosen))


# --- the verifier's side -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UsagePolicy:
    """Step 8 for a template: a usage proof under its rule for the period, or signed trips that come
    to what it asks. What is weaker than asked in evidence or assurance is not refused here: the
    rule says so in words."""

    template: ProofTemplate
    period: tuple[date, date]

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        proofs, trips = evidence.of_type(USAGE), evidence.of_type(TRIP)
        if proofs and not trips:
            return [check for proof in proofs for check in self._proof(proof)]
        if trips and not proofs and self.template.takes_signed_trips:
            return self._trips(trips)
        return [_check(Outcome.FAIL, "has-credential", "a usage proof is missing", type=USAGE)]

    def _proof(self, proof: Stated) -> list[Check]:
        subject, template = proof.subject, self.template
        since, until = (day.isoformat() for day in self.period)
        if (subject.get("periodFrom"), subject.get("periodUntil")) != (since, until):
            return [_check(Outcome.FAIL, "period", "another period", "period-mismatch", type=USAGE)]
        for name, wanted in (
            ("metric", template.metric),
            ("rule", template.rule),
            ("ruleVersion", template.rule_version),
        ):
            if subject.get(name) != wanted:
                return [
                    _check(Outcome.FAIL, "subject-equals", "another value", type=USAGE, member=name)
                ]
        if not self._answers(subject):
            return [
                _check(
                    Outcome.FAIL, "threshold", "the figure asked for is not given",
                    "threshold-unmet", type=USAGE,
                )
            ]  # fmt: skip
        return [_check(Outcome.PASS, "usage", "", type=USAGE)]

    def _answers(self, subject: Mapping[str, Any]) -> bool:
        template = self.template
        value = value_of(subject)
        if value is None or (template.metric == Metric.EMISSION and "co2Factor" not in subject):
            return False
        if template.at_least is not None:
            return value >= template.at_least
        if template.brackets:
            return value >= template.brackets[0]
        return type(subject.get(Metric(template.metric).member)) is int

    def _trips(self, trips: Sequence[Stated]) -> list[Check]:
        found = tally(self.template, [trip.subject for trip in trips], period=self.period)
        if len(trips) > MAX_TRIPS or found.left_out:
            return [
                _check(
                    Outcome.FAIL, "trips", "a trip that does not count was shown",
                    "trips-unmet", type=TRIP, why=", ".join(sorted(found.left_out)),
                )
            ]  # fmt: skip
        if disclosed(self.template, found.value) is None:
            return [
                _check(
                    Outcome.FAIL, "threshold", "too few signed trips", "threshold-unmet", type=TRIP
                )
            ]
        return [_check(Outcome.PASS, "trips", "", type=TRIP, trips=len(trips))]


def _check(outcome: Outcome, policy: str, detail: str, code: str = "", **params: Any) -> Check:
    named = code or ("policy" if outcome is Outcome.PASS else "policy-unmet")
    return Check(STEP, named, outcome, detail, MappingProxyType({"policy": policy, **params}))
