"""W3C vectors of proof sets and chains, refused when taken apart."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation.keys import key_of_did_key
from federation.proofs import (
    Proof,
    ProofInvalidError,
    ProofRequestError,
    append_proof,
    verify_proof,
    verify_proofs,
)
from federation.verification import failed_codes
from tests.unit.proofs.world import NOW, World
from tests.vectors.vc_di.test_vectors import by_processor

Json = dict[str, Any]


def key_of(proof: Proof) -> Any:
    return key_of_did_key(proof.verification_method)


def read(shared: Path, name: str) -> Json:
    path = shared / "vectors/vc-di-eddsa/proof-set-chain" / f"{name}.json"
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def drop_first(document: Json) -> object:
    return document["proof"].pop(0)


def swap_ids(document: Json) -> None:
    first, second = document["proof"][:2]
    first["id"], second["id"] = second["id"], first["id"]


ALTERATIONS: dict[str, tuple[Callable[[Json], object], str]] = {
    "a-link-is-gone": (drop_first, "previous-proof"),
    "a-link-names-nothing": (
        lambda d: d["proof"][3].update(previousProof="urn:x:1"),
        "previous-proof",
    ),
    "a-link-names-twice": (
        lambda d: d["proof"][2].update(previousProof=[d["proof"][0]["id"]] * 2),
        "previous-proof",
    ),
    "a-link-is-no-name": (lambda d: d["proof"][3].update(previousProof=7), "previous-proof"),
    "a-link-is-dropped": (lambda d: d["proof"][3].pop("previousProof"), "proof-invalid"),
    "a-link-is-swapped": (
        lambda d: d["proof"][3].update(previousProof=d["proof"][0]["id"]),
        "proof-invalid",
    ),
    "ids-are-swapped": (swap_ids, "proof-invalid"),
    "one-id-twice": (lambda d: d["proof"][1].update(id=d["proof"][0]["id"]), "proof-invalid"),
    "no-proof": (lambda d: d.update(proof=[]), "proof-invalid"),
    "not-proofs": (lambda d: d.update(proof=["x"]), "proof-invalid"),
    "too-many": (lambda d: d.update(proof=d["proof"][3:] * 20), "proof-invalid"),
    "other-content": (lambda d: d.update(name="Another"), "proof-invalid"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_chain_taken_apart_is_refused(shared: Path, name: str) -> None:
    document = read(shared, "signedProofChain2")
    alter, code = ALTERATIONS[name]
    alter(document)
    with pytest.raises(ProofInvalidError) as caught:
        verify_proofs(document, key_of, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == (code,)


def test_a_proof_of_a_chain_does_not_pass_for_a_proof_alone(shared: Path) -> None:
    document = read(shared, "signedProofChain2")
    document["proof"] = document["proof"][3]
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=key_of_did_key(document["proof"]["verificationMethod"]))
    assert failed_codes(caught.value.checks) == ("previous-proof",)


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_ours_countersigned_by_the_funder(suite: str) -> None:
    """A chain over one of our own credentials, by the compiled contexts alone."""
    world = World()
    first = world.usage()
    options: Json = {"cryptosuite": suite, "purpose": "assertionMethod", "created": NOW}
    signed = append_proof(
        first,
        world.registry,
        proof_id="urn:x:counter",
        previous=[first["proof"]["id"]],
        **options,
    )
    keys = {
        signer.verification_method: signer.public_multikey()
        for signer in (world.home, world.registry)
    }

    def pinned(proof: Proof) -> Any:
        return key_of_did_key(f"did:key:{keys[proof.verification_method]}")

    assert len(verify_proofs(signed, pinned, foreign=False)) == 2
    alone = copy.deepcopy(signed)
    del alone["proof"][0]
    with pytest.raises(ProofInvalidError):
        verify_proofs(alone, pinned, foreign=False)
    for wrong in ({"previous": ["urn:x:none"]}, {"proof_id": "urn:x:counter"}):
        with pytest.raises(ProofRequestError):
            append_proof(signed, world.registry, **{**options, **wrong})
