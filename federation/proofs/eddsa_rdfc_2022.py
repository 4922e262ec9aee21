"""Cryptosuite `eddsa-rdfc-2022`: Ed25519 over SHA-256 of RDFC-1.0 canonical N-Quads. What
institutions sign with."""

from __future__ import annotations

from typing import Final

from federation.keys import ED25519
from federation.proofs.rdfc import canonical_configuration, canonical_foreign, canonical_strict
from federation.proofs.suite import Cryptosuite, register

__all__ = ["EDDSA_RDFC_2022"]

EDDSA_RDFC_2022: Final = register(
    Cryptosuite(
        name="eddsa-rdfc-2022",
        digests={ED25519: "sha256"},
        canonicalize=canonical_strict,
        canonicalize_foreign=canonical_foreign,
        specification="https://www.w3.org/TR/vc-di-eddsa/#eddsa-rdfc-2022",
        configuration=canonical_configuration,
    )
)
