"""Proof sets and chains: several proofs on one document, each alone or over those it names.

In a set the proofs are independent. In a chain a proof names others by `previousProof` and signs
the document together with them, so they cannot be taken away.
Source: VC Data Integrity 1.0 §4.3 (add), §4.5 (verify proof sets and chains).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from federation.keys import PublicKey, Signer
from federation.proofs.data_integrity import Proof, make_proof, read_one, verify_one
from federation.proofs.errors import ProofInvalidError, ProofRequestError
from federation.proofs.suite import Canonicalizer

__all__ = ["append_proof", "verify_proofs"]

MAX_PROOFS: Final = 16
"""Each costs a transformation and a signature."""


def append_proof(
    document: Mapping[str, Any],
    signer: Signer,
    *,
    cryptosuite: str,
    purpose: str,
    created: datetime,
    proof_id: str | None = None,
    previous: Sequence[str] = (),
    challenge: str | None = None,
    domain: str | None = None,
    expires: datetime | None = None,
    foreign: bool = False,
    canonicalize: Canonicalizer | None = None,
) -> dict[str, Any]:
    """A copy of `document` with one more proof. `previous`: ids of proofs already there that this
    one signs over; none makes it a member of a set.

    Raises:
        ProofRequestError: an id that is not there, is taken, or too many proofs; else as
        `add_proof`.
    """
    proofs = _proofs(document, ProofRequestError)
    by_id = _by_id(proofs, ProofRequestError)
    if len(proofs) >= MAX_PROOFS:
        raise ProofRequestError("too many proofs")
    if proof_id is not None and proof_id in by_id:
        raise ProofRequestError("a proof of this id is there already")
    if any(name not in by_id for name in previous):
        raise ProofRequestError("a previous proof is not there")
    proof = make_proof(
        document,
        signer,
        cryptosuite=cryptosuite,
        purpose=purpose,
        created=created,
        challenge=challenge,
        domain=domain,
        proof_id=proof_id,
        expires=expires,
        foreign=foreign,
        canonicalize=canonicalize,
        previous=[by_id[name] for name in previous],
    )
    return {**document, "proof": [*proofs, proof]}


def verify_proofs(
    document: Mapping[str, Any],
    key_of: Callable[[Proof], PublicKey],
    *,
    canonicalize: Canonicalizer | None = None,
    foreign: bool = True,
    former: bool = False,
) -> tuple[Proof, ...]:
    """Check every proof of a document; gives them in order. `former` takes proof types of before
    Data Integrity (`Ed25519Signature2020`): for conformance, never for the product.

    Steps: (1) one to sixteen proofs, each id once; (2) each `previousProof` names proofs that are
    there; (3) each proof, over the document with the proofs it names, by the key `key_of` finds for
    it. All must hold: a proof nobody can check is not passed over. Left to the caller: whether the
    proofs that are there are the ones it wants, whose the keys are, dates and purposes.

    Raises:
        ProofInvalidError: any step (`previous-proof` for the second). Whatever `key_of` raises.
    """
    proofs = _proofs(document, ProofInvalidError)  # (1)
    if not 0 < len(proofs) <= MAX_PROOFS:
        raise ProofInvalidError("1 to 16 proofs expected")
    by_id = _by_id(proofs, ProofInvalidError)
    checked = []
    for value in proofs:
        proof = read_one(value, document, former=former)
        previous = [_named(name, by_id) for name in _names(value.get("previousProof", []))]  # (2)
        verify_one(  # (3)
            proof,
            document,
            key=key_of(proof),
            canonicalize=canonicalize,
            foreign=foreign,
            previous=previous,
        )
        checked.append(proof)
    return tuple(checked)


def _proofs(
    document: Mapping[str, Any], error: type[ProofInvalidError] | type[ProofRequestError]
) -> list[Mapping[str, Any]]:
    value = document.get("proof", [])
    proofs = [value] if isinstance(value, Mapping) else value
    if not isinstance(proofs, list) or not all(isinstance(proof, Mapping) for proof in proofs):
        raise error("a list of proofs expected")
    return proofs


def _by_id(
    proofs: Sequence[Mapping[str, Any]], error: type[ProofInvalidError] | type[ProofRequestError]
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for proof in proofs:
        if "id" not in proof:
            continue
        if not isinstance(proof["id"], str) or proof["id"] in found:
            raise error("proofs have ids of their own")
        found[proof["id"]] = proof
    return found


def _names(value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ProofInvalidError("previousProof names proofs", reason_code="previous-proof")
    if len(set(names)) != len(names):
        raise ProofInvalidError("previousProof names one twice", reason_code="previous-proof")
    return names


def _named(name: str, by_id: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    found = by_id.get(name)
    if found is None:
        raise ProofInvalidError("a previous proof is not there", reason_code="previous-proof")
    return found
