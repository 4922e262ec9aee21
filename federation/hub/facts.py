"""From verified credentials to the facts of a rule, and what the desk may read of them."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from federation.aids.cool_down import cool_down_of
from federation.aids.eligibility import Fact, Facts, FactSource, Reason
from federation.aids.model import Aid, FunderLevel
from federation.credentials import VerifiedCredential, VerifiedPresentation
from federation.hub.declared import is_stale
from federation.hub.model import Funder, Hold
from federation.usage import TRIP, USAGE, disclosed, tally, value_of
from schemas.evidence import AssuranceMethod, Evidence

__all__ = [
    "Usage",
    "claims_of",
    "facts_of",
    "held_period",
    "holds_of",
    "nullifier_of",
    "objections",
    "usage_of",
]


def _months(subject: Mapping[str, Any]) -> int:
    """Civil months touched by the credential's period."""
    since = date.fromisoformat(str(subject["periodFrom"]))
    until = date.fromisoformat(str(subject["periodUntil"]))
    return (until.year - since.year) * 12 + until.month - since.month + 1


def _claim(credential: VerifiedCredential, name: str) -> Any:
    """A member of the subject, or a derived figure: of a pass, or a total in euros."""
    subject = credential.subject
    if name == "months":
        return _months(subject)
    if name == "monthly-price":
        amount = subject.get("amount")
        return None if amount is None else amount / 100 / _months(subject)
    if name == "total-price":
        total = subject.get("total")
        return None if total is None else total / 100
    return subject.get(name)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was proven of somebody's trips, by whichever road."""

    members: Mapping[str, Any]
    """As the subject of a usage proof has them."""
    issuer: str
    """Who vouches, by name."""
    trips: tuple[tuple[str, date, date], ...] = ()
    """Trip nullifiers, each with the first and last day of its month."""


def usage_of(aid: Aid, verified: VerifiedPresentation, period: tuple[date, date]) -> Usage | None:
    """The usage proof of a verified answer; of signed trips what they come to."""
    if aid.proof is None:
        return None
    for credential in verified.of_type(USAGE):
        return Usage(credential.subject, credential.issuer_name or credential.issuer)
    trips = verified.of_type(TRIP)
    if not trips:
        return None
    template = aid.proof
    found = tally(template, [trip.subject for trip in trips], period=period)
    names = sorted({trip.issuer_name or trip.issuer for trip in trips})
    members = {
        "metric": template.metric,
        "periodFrom": period[0].isoformat(),
        "periodUntil": period[1].isoformat(),
        "rule": template.rule,
        "ruleVersion": template.rule_version,
        **(disclosed(template, found.value) or {}),
        "weakestEvidence": found.weakest.value,
        "assuranceMethod": AssuranceMethod.SOURCE_TRIPS.value,
    }
    return Usage(members, ", ".join(names), found.nullifiers)


def facts_of(
    aid: Aid, verified: VerifiedPresentation, *, at: date, period: tuple[date, date]
) -> Facts:
    """The facts an aid's bindings name, each with who vouches for it."""
    values: dict[str, Fact] = {}
    usage = usage_of(aid, verified, period)
    for binding in aid.bindings:
        credential_type, _, name = binding.claim.partition(".")
        if credential_type == USAGE and usage is not None:
            members = usage.members
            claim = value_of(members) if name == "value" else members.get(name)
            if claim is not None:
                said = str(claim) in binding.equals if binding.equals else claim
                values[binding.variable] = Fact(said, FactSource.PROOF, binding.unit, usage.issuer)
            continue
        for credential in verified.credentials:
            if credential.type != credential_type:
                continue
            claim = _claim(credential, name)
            if claim is None:
                continue
            value = str(claim) in binding.equals if binding.equals else claim
            values[binding.variable] = Fact(
                value,
                FactSource.CREDENTIAL,
                binding.unit,
                credential.issuer_name or credential.issuer,
            )
    proven = None if usage is None else usage.members
    return Facts(
        at=at,
        values=values,
        weakest_evidence=None if proven is None else Evidence(str(proven["weakestEvidence"])),
        assurance=None if proven is None else AssuranceMethod(str(proven["assuranceMethod"])),
    )


def _months_after(day: date, months: int) -> date:
    """The same day of a later month, or its last one."""
    if not months:
        return day
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def held_period(aid: Aid, period: tuple[date, date]) -> tuple[date, date]:
    """For how long an application keeps its person: the period and the aid's cool-down after it."""
    return (period[0], _months_after(period[1], cool_down_of(aid)))


def holds_of(
    aid: Aid, verified: VerifiedPresentation, period: tuple[date, date]
) -> tuple[Hold, ...]:
    """Everything an application reserves: the person for the period and the cool-down, each signed
    trip for its month, each paper (pass, invoice, bicycle) whose family the aid names, for good."""
    holds: list[Hold] = []
    if aid.family:
        found = nullifier_of(verified, aid.family, aid.family_version)
        if found is not None:
            held = held_period(aid, period)
            holds.append(Hold(aid.family, aid.family_version, found, held))
    usage = usage_of(aid, verified, period)
    if usage is not None and aid.proof is not None:
        template = aid.proof
        holds += [
            Hold(template.trip_family, template.trip_family_version, name, (first, last))
            for name, first, last in usage.trips
        ]
    for credential_type, family in aid.paper_families:
        found = nullifier_of(verified, family, 1, credential_type)
        if found is not None:
            holds.append(Hold(family, 1, found, (date.min, date.max)))
    return tuple(holds)


def nullifier_of(
    verified: VerifiedPresentation, family: str, version: int, credential_type: str | None = None
) -> str | None:
    """The nullifier of a family that was presented, in a credential of this type or of any."""
    for credential in verified.credentials:
        if credential.type == TRIP or credential_type not in (None, credential.type):
            continue
        for node in credential.subject.get("nullifiers", ()):
            if (node["family"], node["version"]) == (family, str(version)):
                return str(node["value"])
    return None


def employee_of(verified: VerifiedPresentation) -> str:
    """Employee number of the proven affiliation; empty without one."""
    for credential in verified.credentials:
        if credential.type == "AffiliationCredential":
            return str(credential.subject.get("employeeNumber", ""))[:64]
    return ""


def objections(aid: Aid, funder: Funder, verified: VerifiedPresentation) -> Iterator[Reason]:
    """What a person has to look at although the evidence is good."""
    for credential in verified.credentials:
        certified = str(credential.subject.get("certifiedAt", ""))[:10]
        day = date.fromisoformat(certified) if certified else credential.valid_from.date()
        if is_stale(aid, day, verified.verified_at.date()):
            yield Reason(
                "stale-document",
                {
                    "fr": f"Un document signé le {day.isoformat()} est trop ancien pour l'aide.",
                    "en": f"A document signed on {day.isoformat()} is too old for this aid.",
                },
                aid.rule.rule,
            )
    if aid.funder_level is not FunderLevel.EMPLOYER:
        return
    for credential in verified.credentials:
        if credential.type != "AffiliationCredential":
            continue
        employer = str(credential.subject.get("employerId", ""))
        if funder.siret and employer != funder.siret:
            yield Reason(
                "other-employer",
                {
                    "fr": "L'affiliation est attestée pour un autre employeur que ce financeur.",
                    "en": "The affiliation is with another employer than this funder.",
                },
                aid.rule.rule,
            )


_SHOWN = {
    "UsageProof": (
        "metric",
        "periodFrom",
        "periodUntil",
        "days",
        "trips",
        "distance",
        "co2e",
        "co2eAlone",
        "co2Factor",
        "atLeast",
        "below",
        "daysByMode",
        "daysByEvidence",
        "weakestEvidence",
        "assuranceMethod",
        "ruleVersion",
    ),
    "AffiliationCredential": ("employerName", "employerId", "employeeNumber", "status"),
    "PassCredential": (
        "network",
        "product",
        "holderName",
        "payer",
        "number",
        "periodFrom",
        "periodUntil",
        "amount",
    ),
    "InvoiceCredential": (
        "invoiceIssuer",
        "number",
        "issuedOn",
        "total",
        "holderName",
        "payer",
    ),
    "CarpoolJourney": ("distance", "role", "registerClass", "registerStatus"),
    "IdentityCredential": ("familyName", "givenName", "identityLevel", "source", "certifiedAt"),
    "NoPriorAidCredential": ("family", "periodFrom", "periodUntil", "checkedAt"),
}


def claims_of(
    aid: Aid, verified: VerifiedPresentation, period: tuple[date, date]
) -> dict[str, Any]:
    """What the desk shows of each credential: predicates and names, never the nullifiers."""
    shown: dict[str, Any] = {}
    for credential in verified.credentials:
        if credential.type == TRIP:
            continue
        wanted = _SHOWN.get(credential.type, ())
        shown[credential.type] = {
            "issuer": credential.issuer,
            "issuerName": credential.issuer_name,
            **{name: credential.subject[name] for name in wanted if name in credential.subject},
        }
    usage = usage_of(aid, verified, period)
    if usage is not None and USAGE not in shown:
        shown[USAGE] = {
            "issuerName": usage.issuer,
            "trips": len(usage.trips),
            **{name: usage.members[name] for name in _SHOWN[USAGE] if name in usage.members},
        }
    return shown
