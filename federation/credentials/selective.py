"""Selective disclosure of W3C credentials (`ecdsa-sd-2023`): the issuer signs every statement, the
holder shows those a verifier asks for.

Always shown: issuer, dates, status, the key it is bound to, and per type what the rest would
mislead without. A holder never passes its base proof on: it holds everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from federation.credentials.shape import Shape, ShapeError
from federation.keys import PublicKey
from federation.proofs import derive_proof, is_base_proof, verify_base_proof, verify_proof

__all__ = ["ALWAYS_SHOWN", "derived_shape", "disclose", "mandatory_pointers", "verify_received"]

ALWAYS_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "UsageProof": (
        "metric",
        "periodFrom",
        "periodUntil",
        "rule",
        "ruleVersion",
        "assuranceMethod",
        "weakestEvidence",
    ),
    "CarpoolJourney": ("journey",),
    "RentalCredential": ("rental",),
    "PassCredential": ("network", "periodFrom", "periodUntil"),
    "AwardCredential": ("aid", "application"),
    "ZoneAccessCredential": ("zone", "lastDay", "degree", "assuranceMethod"),
    "IdentityCredential": ("identityLevel", "degree", "certifiedAt"),
    "AgeCredential": ("degree", "certifiedAt", "assuranceMethod"),
    "TariffCredential": ("tariff", "tariffVersion", "periodUntil", "degree", "assuranceMethod"),
}
"""Members of the subject that every derived credential of a type shows."""


def mandatory_pointers(document: Mapping[str, Any]) -> list[str]:
    """JSON pointers to what a holder cannot keep back."""
    subject = document["credentialSubject"]
    kind = next((name for name in document["type"] if name != "VerifiableCredential"), "")
    return [
        *(
            f"/{name}"
            for name in ("issuer", "validFrom", "validUntil", "credentialStatus")
            if name in document
        ),
        "/credentialSubject/id",
        *(f"/credentialSubject/{name}" for name in ALWAYS_SHOWN.get(kind, ()) if name in subject),
    ]


def derived_shape(credential_type: str, shape: Shape) -> Shape:
    """The shape of a subject of which its holder chose what to show: members that are not always
    shown may be missing; nested nodes are whole or not there."""
    always = ALWAYS_SHOWN.get(credential_type, ())
    return Shape(
        {
            name: member if name in always else replace(member, required=False)
            for name, member in shape.members.items()
        }
    )


def disclose(document: Mapping[str, Any], paths: Iterable[Sequence[str | int]]) -> dict[str, Any]:
    """What to present of a credential one holds: with a base proof, a derived credential with what
    is always shown and the claims at `paths` (names and list indexes from the root, as
    `federation.openid4vp.claims_asked` gives them); any other credential as it is.

    Raises:
        ShapeError: `missing-member`: a path that leads nowhere. ProofInvalidError: a base proof
        that is not this document's.
    """
    proof = document.get("proof")
    if not isinstance(proof, Mapping) or not is_base_proof(proof):
        return dict(document)
    pointers = dict.fromkeys(_pointer(document, path) for path in paths)
    return derive_proof(document, selective=list(pointers))


def _pointer(document: Mapping[str, Any], path: Sequence[str | int]) -> str:
    value: Any = document
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            where = f"/{'/'.join(map(str, path))}"
            raise ShapeError("missing-member", where, "missing") from None
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def verify_received(document: Mapping[str, Any], *, key: PublicKey) -> None:
    """Check the proof of a credential as its holder does on receiving it, base proofs too.

    Raises:
        ProofInvalidError: it does not hold.
    """
    proof = document.get("proof")
    if isinstance(proof, Mapping) and is_base_proof(proof):
        verify_base_proof(document, key=key)
    else:
        verify_proof(document, key=key)
