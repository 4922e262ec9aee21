"""What a verifier wants of verified evidence, as small objects: one condition each, combined by
`AllOf` and `AnyOf`.

A policy sees credentials whose shape, dates, proof, issuer, status and bindings were already
judged; it returns checks of step 8.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from federation.trust import Role, TrustSnapshot
from federation.verification import Check, Outcome
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did

__all__ = [
    "AllOf",
    "AnyOf",
    "AwardedBefore",
    "Evidenced",
    "HasCredential",
    "HasNullifier",
    "HasPeriod",
    "IssuedByRole",
    "MinimumAssurance",
    "MinimumEvidence",
    "Policy",
    "SubjectEquals",
    "UnsafeNoOpPolicy",
]

_log = logging.getLogger(__name__)
STEP: Final = 8


class Stated(Protocol):
    """What policies may ask of a verified credential, whatever its format."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def issuer(self) -> Did:
        """Who signed it."""

    @property
    def subject(self) -> Mapping[str, Any]:
        """Its members; of an SD-JWT only those disclosed."""


@dataclass(frozen=True, slots=True)
class Evidenced:
    """What a policy looks at."""

    credentials: tuple[Stated, ...]
    trust: TrustSnapshot
    at: datetime

    def of_type(self, credential_type: str) -> tuple[Stated, ...]:
        """The credentials of this type."""
        return tuple(c for c in self.credentials if c.type == credential_type)


class Policy(Protocol):
    """A condition on verified evidence."""

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """At least one check of step 8; failed ones say `policy-unmet` or a code of their own."""


def _passed(policy: str, **params: Any) -> list[Check]:
    return [
        Check(STEP, "policy", Outcome.PASS, policy, MappingProxyType({"policy": policy, **params}))
    ]


def _failed(policy: str, detail: str, code: str = "policy-unmet", **params: Any) -> list[Check]:
    return [Check(STEP, code, Outcome.FAIL, detail, MappingProxyType({"policy": policy, **params}))]


class AllOf:
    """Every one of several policies."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """An empty list is refused: it would be met by anything.

        Raises:
            ValueError: no policy.
        """
        if not policies:
            raise ValueError(
                "AllOf([]) would accept everything; say UnsafeNoOpPolicy if you mean it"
            )
        self._policies = tuple(policies)

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """Checks of all, in order."""
        return [check for policy in self._policies for check in policy.check(evidence)]


class AnyOf:
    """At least one of several policies."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Raises:
        ValueError: no policy.
        """
        if not policies:
            raise ValueError("AnyOf([]) would refuse everything")
        self._policies = tuple(policies)

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """Checks of the first policy that is met; those of all when none is."""
        tried: list[Check] = []
        for policy in self._policies:
            checks = policy.check(evidence)
            if all(check.outcome is Outcome.PASS for check in checks):
                return checks
            tried.extend(checks)
        return tried


@dataclass(frozen=True, slots=True)
class HasCredential:
    """At least one credential of a type."""

    type: str

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        if evidence.of_type(self.type):
            return _passed("has-credential", type=self.type)
        return _failed("has-credential", "a credential is missing", type=self.type)


@dataclass(frozen=True, slots=True)
class IssuedByRole:
    """Every credential of a type comes from a member with a role; a role held when it was issued is
    enough."""

    type: str
    role: Role

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        for credential in evidence.of_type(self.type):
            entry = evidence.trust.entry(credential.issuer)
            if entry is None or self.role not in entry.roles:
                return _failed(
                    "issued-by-role",
                    "issuer without this role",
                    type=self.type,
                    role=self.role.value,
                )
        return _passed("issued-by-role", type=self.type, role=self.role.value)


@dataclass(frozen=True, slots=True)
class MinimumAssurance:
    """Usage proofs are at least this strong."""

    method: AssuranceMethod

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        for proof in evidence.of_type("UsageProof"):
            if "assuranceMethod" not in proof.subject:
                return _failed("minimum-assurance", "the assurance is not disclosed")
            found = AssuranceMethod(proof.subject["assuranceMethod"])
            if found.strength < self.method.strength:
                return _failed(
                    "minimum-assurance",
                    "assurance too weak",
                    "assurance-too-weak",
                    found=found.value,
                    wanted=self.method.value,
                )
        return _passed("minimum-assurance", wanted=self.method.value)


@dataclass(frozen=True, slots=True)
class MinimumEvidence:
    """The weakest evidence counted in usage proofs is at least this class."""

    evidence: Evidence

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        for proof in evidence.of_type("UsageProof"):
            if "weakestEvidence" not in proof.subject:
                return _failed("minimum-evidence", "the evidence is not disclosed")
            found = Evidence(proof.subject["weakestEvidence"])
            if found < self.evidence:
                return _failed(
                    "minimum-evidence",
                    "evidence too weak",
                    "evidence-too-weak",
                    found=found.value,
                    wanted=self.evidence.value,
                )
        return _passed("minimum-evidence", wanted=self.evidence.value)


@dataclass(frozen=True, slots=True)
class HasPeriod:
    """Every credential of a type covers exactly this period, both days included."""

    type: str
    since: date
    until: date

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        wanted = (self.since.isoformat(), self.until.isoformat())
        for credential in evidence.of_type(self.type):
            found = (credential.subject.get("periodFrom"), credential.subject.get("periodUntil"))
            if found != wanted:
                return _failed("period", "another period", "period-mismatch", type=self.type)
        return _passed("period", type=self.type)


@dataclass(frozen=True, slots=True)
class SubjectEquals:
    """A member of every credential of a type has this value (the rule and its version, for
    instance)."""

    type: str
    member: str
    value: str | int

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        for credential in evidence.of_type(self.type):
            found = credential.subject.get(self.member)
            if type(found) is not type(self.value) or found != self.value:
                return _failed(
                    "subject-equals", "another value", type=self.type, member=self.member
                )
        return _passed("subject-equals", type=self.type, member=self.member)


@dataclass(frozen=True, slots=True)
class HasNullifier:
    """A credential of a type carries the nullifier of one family and version, from the family's
    only issuer."""

    type: str
    family: str
    version: str
    issuer: str | None = None

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        for credential in evidence.of_type(self.type):
            if self.issuer is not None and credential.issuer != self.issuer:
                continue
            for node in credential.subject.get("nullifiers", ()):
                if (node["family"], node["version"]) == (self.family, self.version):
                    return _passed("has-nullifier", type=self.type, family=self.family)
        return _failed("has-nullifier", "no nullifier", type=self.type, family=self.family)


@dataclass(frozen=True, slots=True)
class AwardedBefore:
    """An award credential of an aid is there (for aids that ask for an earlier one)."""

    aid: str

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        if any(c.subject.get("aid") == self.aid for c in evidence.of_type("AwardCredential")):
            return _passed("awarded-before", aid=self.aid)
        return _failed("awarded-before", "no award of this aid", aid=self.aid)


class UnsafeNoOpPolicy:
    """**Accepts any verified evidence, whatever it says.** For tests, and for pages that only show
    what a document is."""

    def check(self, evidence: Evidenced) -> Sequence[Check]:  # noqa: ARG002 - it looks at nothing
        """One passed check, and a warning in the log."""
        _log.warning(
            "unsafe no-op policy used: evidence was verified but nothing was required of it"
        )
        return _passed("none")
