"""Cryptosuite `ecdsa-rdfc-2019`: ECDSA (RFC 6979) over hashes of RDFC-1.0 canonical N-Quads.

SHA-256 with P-256 (what holders sign with); SHA-384 with P-384, then for blank nodes too (§3.2.3).
"""

from __future__ import annotations

from typing import Final

from federation.keys import P256, P384
from federation.proofs.rdfc import canonical_configuration, canonical_foreign, canonical_strict
from federation.proofs.suite import Cryptosuite, register

__all__ = ["ECDSA_RDFC_2019"]

ECDSA_RDFC_2019: Final = register(
    Cryptosuite(
        name="ecdsa-rdfc-2019",
        digests={P256: "sha256", P384: "sha384"},
        canonicalize=canonical_strict,
        canonicalize_foreign=canonical_foreign,
        specification="https://www.w3.org/TR/vc-di-ecdsa/#ecdsa-rdfc-2019",
        configuration=canonical_configuration,
    )
)
