"""Issuing: a body of our types becomes a signed credential.

Source: VC Data Model 2.0 §4; Data Integrity 1.0 §4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from federation.credentials.model import StatusEntry, parse_credential, status_member
from federation.credentials.selective import mandatory_pointers
from federation.credentials.shape import ShapeError, refuse_huge
from federation.keys import ED25519, Signer
from federation.proofs import add_base_proof, add_proof
from federation.trust import format_instant
from schemas.ids import mint_iri

__all__ = ["issue", "suite_for"]

_SUITE: Final = {ED25519: "eddsa-rdfc-2022"}


def suite_for(signer: Signer) -> str:
    """Cryptosuite of a signer's key: `eddsa-rdfc-2022` or `ecdsa-rdfc-2019`."""
    return _SUITE.get(signer.algorithm, "ecdsa-rdfc-2019")


def issue(
    body: Mapping[str, Any],
    *,
    signer: Signer,
    at: datetime,
    status: StatusEntry | Sequence[StatusEntry] | None = None,
    valid_from: datetime | None = None,
    selective: bool = False,
) -> dict[str, Any]:
    """Sign `body` (see `types.py`): adds `issuer` (the signer's DID), `validFrom` (`at` unless
    told), `credentialStatus` (one entry, or one for each purpose) and the proof. `selective`: a
    base proof (`ecdsa-sd-2023`, a P-256 signer), of which the holder shows what it chooses
    (`selective.py`).

    The result is parsed as a verifier would before it is returned, so what no verifier of ours
    would read is never issued.

    Raises:
        ShapeError: not a body of the federation's types; a blank node, an unknown or dropped
        member.
        ProofRequestError: the body already has a proof.
    """
    refuse_huge(body)
    document = {
        "issuer": signer.verification_method.partition("#")[0],
        "validFrom": format_instant(valid_from or at),
        **body,
        **status_member((status,) if isinstance(status, StatusEntry) else status or ()),
    }
    if selective:
        signed = add_base_proof(
            document,
            signer,
            mandatory=mandatory_pointers(document),
            purpose="assertionMethod",
            created=at,
            proof_id=mint_iri(),
        )
    else:
        signed = add_proof(
            document,
            signer,
            cryptosuite=suite_for(signer),
            purpose="assertionMethod",
            created=at,
            proof_id=mint_iri(),
        )
    if parse_credential(signed).issuer != signer.verification_method.partition("#")[0]:
        raise ShapeError("issuer-key-mismatch", "/issuer", "the signer is not this issuer")
    return signed
