"""Cryptosuite `ecdsa-rdfc-2019` with P-256: ECDSA (RFC 6979) over SHA-256 of canonical N-Quads.
What holders sign with."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from federation.keys import P256
from federation.proofs.rdfc import canonical_configuration, canonical_foreign, canonical_strict
from federation.proofs.suite import Cryptosuite, register

__all__ = ["ECDSA_RDFC_2019"]

ECDSA_RDFC_2019: Final = register(
    Cryptosuite(
        name="ecdsa-rdfc-2019",
        algorithm=P256,
        canonicalize=canonical_strict,
        canonicalize_foreign=canonical_foreign,
        digest=lambda data: sha256(data).digest(),
        specification="https://www.w3.org/TR/vc-di-ecdsa/#ecdsa-rdfc-2019",
        configuration=canonical_configuration,
    )
)
