"""What a verification says: a list of checks, and the two ways it can fail to say yes.

*No* (`VerificationError`: the evidence is bad) is not *cannot tell yet* (`UnverifiableError`: ask
again later).

    MobilityError
    ├── VerificationError (Refused)        the evidence is bad; carries its checks
    └── UnverifiableError (Retriable)      something needed for the answer is out of reach
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.errors import MobilityError, Refused, Retriable

__all__ = [
    "Check",
    "Outcome",
    "UnverifiableError",
    "VerificationError",
    "failed_codes",
    "outcome_of",
]


class Outcome(StrEnum):
    """Result of one check, and of a whole verification."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    CANNOT_TELL = "cannot-tell"


class Check(NamedTuple):
    """One line of a verification, for a person and for a machine.

    `code` is stable: for a failed check it says what is wrong (`status-revoked`), for a passed one
    what was checked (`status`). `federation.credentials.words` has a French and an English sentence
    for every code.
    """

    step: int
    """1 shape, 2 time, 3 proof, 4 issuer, 5 status, 6 holder bindings, 7 challenge and audience, 8
    policy."""
    code: str
    outcome: Outcome
    detail: str = ""
    """English, for logs and developers; never personal data."""
    params: Mapping[str, Any] = MappingProxyType({})
    """Fills the sentence: credential type, issuer DID, dates."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as stored with an application and shown by the verify page."""
        return {
            "step": self.step,
            "code": self.code,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Check:
        """Inverse of `to_json`."""
        return cls(
            step=int(value["step"]),
            code=str(value["code"]),
            outcome=Outcome(value["outcome"]),
            detail=str(value.get("detail", "")),
            params=MappingProxyType(dict(value.get("params", {}))),
        )


def failed_codes(checks: Iterable[Check]) -> tuple[str, ...]:
    """Codes of the failed checks, in order, each once."""
    return tuple(dict.fromkeys(c.code for c in checks if c.outcome is Outcome.FAIL))


def outcome_of(checks: Iterable[Check]) -> Outcome:
    """`fail` if one failed, else `cannot-tell` if one could not be made, else `pass`."""
    found = Outcome.PASS
    for check in checks:
        if check.outcome is Outcome.FAIL:
            return Outcome.FAIL
        if check.outcome is Outcome.CANNOT_TELL:
            found = Outcome.CANNOT_TELL
    return found


class VerificationError(MobilityError, Refused):
    """The evidence is bad. `checks` says what was checked and what failed."""

    code = "verification-failed"

    def __init__(self, checks: Iterable[Check]) -> None:
        self.checks = tuple(checks)
        super().__init__("verification failed: " + ", ".join(self.failed))

    @property
    def failed(self) -> tuple[str, ...]:
        """Codes of the failed checks, in order."""
        return failed_codes(self.checks)


class UnverifiableError(MobilityError, Retriable):
    """The answer is not known yet, for instance a status list is out of reach. Never a refusal: try
    again."""

    code = "unverifiable"

    def __init__(self, checks: Iterable[Check], *, retry_after_s: int | None = 60) -> None:
        self.checks = tuple(checks)
        self.retry_after_s = retry_after_s
        codes = [c.code for c in self.checks if c.outcome is Outcome.CANNOT_TELL]
        super().__init__("cannot tell yet: " + ", ".join(codes))
