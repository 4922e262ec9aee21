"""W3C vectors of the Data Integrity cryptosuites taken apart: every alteration refused by its name.

That they verify, and what is on the way, is `tests/vectors/test_every_file.py`.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from federation.keys import P256Key, key_of_did_key
from federation.multibase import base58_decode, base58_encode
from federation.proofs import ProofInvalidError, verify_proof
from federation.proofs.jcs import canonical_json
from federation.proofs.rdfc import canonical_strict
from federation.verification import failed_codes
from schemas.rdf import canonize, to_quads_slow

Canonicalize = Callable[[Mapping[str, Any]], bytes]
ED, EC = "vc-di-eddsa", "vc-di-ecdsa"
VECTORS = {
    "eddsa": f"{ED}/eddsa-rdfc-2022",
    "eddsa-jcs": f"{ED}/eddsa-jcs-2022",
    "eddsa-employ": f"{ED}/eddsa-rdfc-2022/employ",
}
for curve in ("256", "384"):
    VECTORS[f"ecdsa-{curve}"] = f"{EC}/ecdsa-rdfc-2019-p{curve}"
    VECTORS[f"ecdsa-{curve}-employ"] = f"{EC}/ecdsa-rdfc-2019-p{curve}/employ"
    VECTORS[f"ecdsa-jcs-{curve}"] = f"{EC}/ecdsa-jcs-2019-p{curve}"
RDFC = [name for name in VECTORS if "jcs" not in name]
JCS = [name for name in VECTORS if "jcs" in name]


def by_processor(document: Mapping[str, Any]) -> bytes:
    """The full processor, in this process."""
    return to_quads_slow(document).encode()


def signed(shared: Path, name: str) -> dict[str, Any]:
    (path,) = (shared / "vectors" / VECTORS[name]).glob("signed*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def reader(name: str) -> Canonicalize:
    """The suite's transformation."""
    return by_processor if name in RDFC else canonical_json


@pytest.mark.parametrize("name", JCS)
def test_contexts_of_a_jcs_document_may_only_grow(shared: Path, name: str) -> None:
    document = signed(shared, name)
    key = key_of_did_key(document["proof"]["verificationMethod"])
    more = {**document, "@context": [*document["@context"], "https://more.example/"]}
    for foreign in (False, True):
        verify_proof(more, key=key, foreign=foreign)
    fewer = {**document, "@context": document["@context"][:1]}
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(fewer, key=key)
    assert failed_codes(caught.value.checks) == ("context-changed",)


@pytest.mark.parametrize("name", ["eddsa-employ", "ecdsa-256-employ", "ecdsa-384-employ"])
def test_the_compiled_walk_gives_the_published_canonical_form(shared: Path, name: str) -> None:
    document = signed(shared, name)
    key = key_of_did_key(document["proof"]["verificationMethod"])
    text = canonical_strict({k: v for k, v in document.items() if k != "proof"}).decode()
    if key.algorithm == "P-384":
        text = canonize(text, algorithm="sha384")
    (path,) = (shared / "vectors" / VECTORS[name]).glob("canonDoc*.txt")
    assert text == path.read_text(encoding="utf-8")


ALTERATIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "changed-value": (lambda d: d.update(name="Another name"), "proof-invalid"),
    "changed-date": (lambda d: d["proof"].update(created="2023-02-24T23:36:39Z"), "proof-invalid"),
    "changed-purpose": (
        lambda d: d["proof"].update(proofPurpose="authentication"),
        "proof-invalid",
    ),
    "added-challenge": (lambda d: d["proof"].update(challenge="x"), "proof-invalid"),
    "extra-member": (lambda d: d["proof"].update(foo="x"), "extra-member"),
    "unknown-suite": (lambda d: d["proof"].update(cryptosuite="none"), "cryptosuite-unknown"),
    "no-signature": (lambda d: d["proof"].pop("proofValue"), "proof-invalid"),
    "no-proof": (lambda d: d.pop("proof"), "proof-invalid"),
    "proof-set": (lambda d: d.update(proof=[d["proof"], d["proof"]]), "proof-invalid"),
    "own-context": (lambda d: d["proof"].update({"@context": ["urn:x"]}), "context-changed"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
@pytest.mark.parametrize("name", VECTORS)
def test_an_altered_document_is_refused(shared: Path, name: str, alteration: str) -> None:
    document = signed(shared, name)
    key = key_of_did_key(document["proof"]["verificationMethod"])
    alter, code = ALTERATIONS[alteration]
    alter(document)
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=key, canonicalize=reader(name))
    assert failed_codes(caught.value.checks) == (code,)


@pytest.mark.parametrize("name", VECTORS)
def test_any_flipped_bit_of_the_signature_is_refused(shared: Path, name: str) -> None:
    document = signed(shared, name)
    key = key_of_did_key(document["proof"]["verificationMethod"])
    hashed: dict[int, bytes] = {}
    cached = partial(_memo, hashed, reader(name))
    good = base58_decode(document["proof"]["proofValue"][1:])
    for bit in range(0, len(good) * 8, 7):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << (bit % 8)
        document["proof"]["proofValue"] = "z" + base58_encode(bytes(flipped))
        with pytest.raises(ProofInvalidError):
            verify_proof(document, key=key, canonicalize=cached)


def _memo(kept: dict[int, bytes], canonicalize: Canonicalize, document: Mapping[str, Any]) -> bytes:
    return kept.setdefault("issuer" in document, canonicalize(document))


def test_a_suite_does_not_take_the_other_suites_key(shared: Path) -> None:
    document = signed(shared, "eddsa")
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=P256Key.generate().public, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == ("algorithm-mismatch",)
    document["proof"]["cryptosuite"] = "ecdsa-rdfc-2019"
    key = key_of_did_key(document["proof"]["verificationMethod"])
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=key, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == ("algorithm-mismatch",)
