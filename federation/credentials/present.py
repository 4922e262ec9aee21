"""Presenting: credentials bound to one key, signed by that key for one verifier and one question.

Source: VC Data Model 2.0 §4.13; OpenID4VP 1.0 Appendix B.1.3.2.5 (`ldp_vc`: `challenge` is the
nonce, `domain` the client id).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from federation.credentials.issue import suite_for
from federation.credentials.model import parse_presentation
from federation.credentials.shape import CONTEXTS, ShapeError
from federation.keys import Signer, verification_method_of
from federation.proofs import add_proof, is_base_proof
from schemas.ids import mint_iri

__all__ = ["present"]


def present(
    credentials: Sequence[Mapping[str, Any]],
    *,
    holder: Signer,
    challenge: str,
    domain: str,
    at: datetime,
) -> dict[str, Any]:
    """A presentation signed with the holder key of this verifier (a `did:key`).

    Raises:
        ShapeError: `holder-mismatch` when a credential is bound to another key, or the holder is
        not a `did:key`; `base-proof` when a credential is whole and should be derived first
        (`disclose`); whatever a verifier would refuse in the shape of a credential.
    """
    for index, given in enumerate(credentials):
        if is_base_proof(given.get("proof") or {}):
            where = f"/verifiableCredential/{index}/proof"
            raise ShapeError("base-proof", where, "a base proof is for its holder only")
    did = holder.verification_method.partition("#")[0]
    if holder.verification_method != verification_method_of(did):
        raise ShapeError("holder-mismatch", "/holder", "holders present with their did:key")
    document = {
        "@context": list(CONTEXTS),
        "id": mint_iri(),
        "type": ["VerifiablePresentation"],
        "holder": did,
        "verifiableCredential": [dict(credential) for credential in credentials],
    }
    signed = add_proof(
        document,
        holder,
        cryptosuite=suite_for(holder),
        purpose="authentication",
        created=at,
        challenge=challenge,
        domain=domain,
        proof_id=mint_iri(),
    )
    for index, credential in enumerate(parse_presentation(signed).credentials):
        if credential.holder != did:
            raise ShapeError(
                "holder-mismatch",
                f"/verifiableCredential/{index}/credentialSubject/id",
                "a credential is bound to another key",
            )
    return signed
