"""From verified credentials to the facts of a rule, and what the desk may read of them."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from federation.aids.eligibility import Fact, Facts, FactSource, Reason
from federation.aids.model import Aid, FunderLevel
from federation.credentials import VerifiedCredential, VerifiedPresentation
from federation.hub.model import Funder
from schemas.evidence import AssuranceMethod, Evidence

__all__ = ["claims_of", "facts_of", "nullifier_of", "objections"]


def _months(subject: Mapping[str, Any]) -> int:
    """Civil months touched by the credential's period."""
    since = date.fromisoformat(str(subject["periodFrom"]))
    until = date.fromisoformat(str(subject["periodUntil"]))
    return (until.year - since.year) * 12 + until.month - since.month + 1


def _claim(credential: VerifiedCredential, name: str) -> Any:
    """A member of the subject, or one of two derived figures of a pass."""
    subject = credential.subject
    if name == "months":
        return _months(subject)
    if name == "monthly-price":
        amount = subject.get("amount")
        return None if amount is None else amount / 100 / _months(subject)
    return subject.get(name)


def facts_of(aid: Aid, verified: VerifiedPresentation, *, at: date) -> Facts:
    """The facts an aid's bindings name, each with who vouches for it."""
    values: dict[str, Fact] = {}
    for binding in aid.bindings:
        credential_type, _, name = binding.claim.partition(".")
        for credential in verified.credentials:
            if credential.type != credential_type:
                continue
            claim = _claim(credential, name)
            if claim is None:
                continue
            source = FactSource.PROOF if credential_type == "UsageProof" else FactSource.CREDENTIAL
            value = str(claim) in binding.equals if binding.equals else claim
            values[binding.variable] = Fact(
                value, source, binding.unit, credential.issuer_name or credential.issuer
            )
    usage = next((c.subject for c in verified.credentials if c.type == "UsageProof"), None)
    return Facts(
        at=at,
        values=values,
        weakest_evidence=None if usage is None else Evidence(str(usage["weakestEvidence"])),
        assurance=None if usage is None else AssuranceMethod(str(usage["assuranceMethod"])),
    )


def nullifier_of(aid: Aid, verified: VerifiedPresentation) -> str:
    """Value of the nullifier of the aid's family; the policy made sure that it is there."""
    for credential in verified.credentials:
        for node in credential.subject.get("nullifiers", ()):
            if (node["family"], node["version"]) == (aid.family, str(aid.family_version)):
                return str(node["value"])
    return ""


def objections(aid: Aid, funder: Funder, verified: VerifiedPresentation) -> Iterator[Reason]:
    """What a person has to look at although the evidence is good."""
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
    "IdentityCredential": ("familyName", "givenName", "identityLevel", "source", "certifiedAt"),
}


def claims_of(verified: VerifiedPresentation) -> dict[str, Any]:
    """What the desk shows of each credential: predicates and names, never the nullifiers."""
    shown: dict[str, Any] = {}
    for credential in verified.credentials:
        wanted = _SHOWN.get(credential.type, ())
        shown[credential.type] = {
            "issuer": credential.issuer,
            "issuerName": credential.issuer_name,
            **{name: credential.subject[name] for name in wanted if name in credential.subject},
        }
    return shown
