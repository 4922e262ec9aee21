"""Cryptosuite `ecdsa-jcs-2019`: ECDSA (RFC 6979) over hashes of the JSON itself, canonical by RFC
8785: SHA-256 with P-256, SHA-384 with P-384. For
documents that are not read as linked data: contexts are copied into the proof, not processed."""

from __future__ import annotations

from typing import Final

from federation.keys import P256, P384
from federation.proofs.jcs import canonical_json
from federation.proofs.suite import Cryptosuite, register

__all__ = ["ECDSA_JCS_2019"]

ECDSA_JCS_2019: Final = register(
    Cryptosuite(
        name="ecdsa-jcs-2019",
        digests={P256: "sha256", P384: "sha384"},
        canonicalize=canonical_json,
        canonicalize_foreign=canonical_json,
        specification="https://www.w3.org/TR/vc-di-ecdsa/#ecdsa-jcs-2019",
        keeps_contexts=True,
    )
)
