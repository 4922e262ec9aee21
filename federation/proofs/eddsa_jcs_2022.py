"""Cryptosuite `eddsa-jcs-2022`: Ed25519 over SHA-256 of the JSON itself, canonical by RFC 8785. For
documents that are not read as linked data: contexts are copied into the proof, not processed."""

from __future__ import annotations

from typing import Final

from federation.keys import ED25519
from federation.proofs.jcs import canonical_json
from federation.proofs.suite import Cryptosuite, register

__all__ = ["EDDSA_JCS_2022"]

EDDSA_JCS_2022: Final = register(
    Cryptosuite(
        name="eddsa-jcs-2022",
        digests={ED25519: "sha256"},
        canonicalize=canonical_json,
        canonicalize_foreign=canonical_json,
        specification="https://www.w3.org/TR/vc-di-eddsa/#eddsa-jcs-2022",
        keeps_contexts=True,
    )
)
