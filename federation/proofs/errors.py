"""Errors of the proof layer.

MobilityError
├── VerificationError (Refused)
│   └── ProofInvalidError      the proof does not hold over this document
├── ProofRequestError          the document cannot be signed like this (InvalidInput)
└── UnknownCryptosuiteError    no such cryptosuite here (Refused)
"""

from __future__ import annotations

from federation.verification import Check, Outcome, VerificationError
from schemas.errors import InvalidInput, MobilityError, Refused

__all__ = ["ProofInvalidError", "ProofRequestError", "UnknownCryptosuiteError"]


class ProofInvalidError(VerificationError):
    """The proof does not hold: malformed, another key or algorithm, or other content than was
    signed.

    `reason_code` names the cause where it is more precise than `proof-invalid` (`dropped-term`,
    `relative-iri`, `algorithm-mismatch`, `context-unknown`, `poison-graph`…).
    """

    code = "proof-invalid"

    def __init__(self, detail: str, *, reason_code: str = "proof-invalid") -> None:
        self.reason_code = reason_code
        super().__init__([Check(3, reason_code, Outcome.FAIL, detail)])


class ProofRequestError(MobilityError, InvalidInput):
    """The document or the options cannot be signed like this."""

    code = "proof-request-invalid"


class UnknownCryptosuiteError(MobilityError, Refused):
    """No cryptosuite of this name is registered."""

    code = "cryptosuite-unknown"
