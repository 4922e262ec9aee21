"""W3C vectors of `ecdsa-sd-2023` taken apart; every published value is compared in
`tests/vectors/test_every_file.py`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from federation.keys import PublicKey, key_of_did_key
from federation.multibase import b64url, b64url_decode
from federation.proofs import ProofInvalidError, verify_proof
from federation.verification import failed_codes
from tests.vectors.vc_di.test_vectors import by_processor


class Vector(NamedTuple):
    base: dict[str, Any]
    derived: dict[str, Any]
    key: PublicKey


@pytest.fixture(params=["prc", "employ"])
def vector(shared: Path, request: pytest.FixtureRequest) -> Vector:
    folder = shared / "vectors/vc-di-ecdsa/ecdsa-sd-2023" / request.param
    base, derived = (
        json.loads((folder / name).read_text())
        for name in ("addSignedSDBase.json", "derivedRevealDocument.json")
    )
    return Vector(base, derived, key_of_did_key(base["proof"]["verificationMethod"]))


def test_a_base_proof_convinces_no_verifier(vector: Vector) -> None:
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(vector.base, key=vector.key, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == ("base-proof",)


def test_any_flipped_bit_of_the_proof_value_is_refused(vector: Vector) -> None:
    document = vector.derived
    kept: dict[bool, bytes] = {}

    def cached(found: Mapping[str, Any]) -> bytes:
        return kept.setdefault("issuer" in found, by_processor(found))

    good = b64url_decode(document["proof"]["proofValue"][1:])
    verify_proof(document, key=vector.key, canonicalize=cached)
    for bit in range(0, len(good) * 8, 23):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << (bit % 8)
        document["proof"]["proofValue"] = "u" + b64url(bytes(flipped))
        with pytest.raises(ProofInvalidError):
            verify_proof(document, key=vector.key, canonicalize=cached)
