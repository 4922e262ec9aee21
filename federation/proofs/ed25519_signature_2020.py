"""Proof type `Ed25519Signature2020`: what `eddsa-rdfc-2022` was before it had that name. Read for
the conformance suites of other implementations, never written and never taken by the product."""

from __future__ import annotations

from typing import Final

from federation.keys import ED25519
from federation.proofs.rdfc import canonical_configuration, canonical_foreign, canonical_strict
from federation.proofs.suite import Cryptosuite, register

__all__ = ["ED25519_SIGNATURE_2020"]

ED25519_SIGNATURE_2020: Final = register(
    Cryptosuite(
        name="Ed25519Signature2020",
        digests={ED25519: "sha256"},
        canonicalize=canonical_strict,
        canonicalize_foreign=canonical_foreign,
        specification="https://www.w3.org/TR/vc-di-eddsa/#ed25519signature2020",
        configuration=canonical_configuration,
        proof_type="Ed25519Signature2020",
    )
)
