"""Cryptosuites: what one is made of, and the registry of those we speak.

A suite is a file of declarations; the work common to all is in `data_integrity.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from federation.keys import PublicKey
from federation.multibase import EncodingError, base58_decode
from federation.proofs.errors import UnknownCryptosuiteError
from schemas.compiled import BUDGET
from schemas.rdf import canonize

if TYPE_CHECKING:
    from federation.proofs.data_integrity import Proof

__all__ = [
    "PROOF_TYPE",
    "Canonicalizer",
    "Cryptosuite",
    "cryptosuite",
    "cryptosuites",
    "former_suite",
    "register",
]

PROOF_TYPE: Final = "DataIntegrityProof"

Canonicalizer = Callable[[Mapping[str, Any]], bytes]
"""Document (or proof configuration) → the bytes its hash is taken over."""


def _read_base58(text: str) -> bytes:
    if text[:1] != "z":
        raise EncodingError("not base58 multibase")
    return base58_decode(text[1:])


@dataclass(frozen=True, slots=True)
class Cryptosuite:
    """One Data Integrity cryptosuite."""

    name: str
    """Value of `cryptosuite` in a proof."""
    digests: Mapping[str, str]
    """Key algorithm (`federation.keys`) → hash of §3.2.4 (name in `hashlib`), applied to proof
    configuration and to document. The only keys it accepts: the proof has no say in it."""
    canonicalize: Canonicalizer
    """Transformation of §3.2.3; the strict one, for pinned contexts. Of `canonical_for` the one
    with SHA-256."""
    canonicalize_foreign: Canonicalizer
    """The same transformation for documents with other contexts than ours; slower, bounded."""
    specification: str
    """Where it is written."""
    configuration: Callable[[Mapping[str, Any], object], bytes] | None = None
    """`canonicalize` of a proof configuration under the document's contexts, where a template makes
    it faster."""
    keeps_contexts: bool = False
    """Whether the proof carries the document's `@context` and is hashed with it (`-jcs-` suites
    §3.3.1: contexts are not processed, so they are copied)."""
    read_value: Callable[[str], bytes] = _read_base58
    """Bytes of a `proofValue`; raises EncodingError."""
    verify: Callable[[Proof, Mapping[str, Any], PublicKey, Canonicalizer], None] | None = None
    """How a suite verifies whose proof value is more than one signature over two hashes; it also
    signs in its own way."""
    proof_type: str = PROOF_TYPE
    """Value of `type` in a proof. Another than Data Integrity's names a suite of before it, whose
    proofs have no `cryptosuite`; those are read where the caller asks for it (`former`)."""

    def hash(self, algorithm: str, canonical: bytes) -> bytes:
        """The suite's hash for this kind of key. With another hash than SHA-256, RDFC-1.0 labels
        blank nodes by that hash too.

        Raises:
            PoisonGraphError: labelling anew costs too much.
        """
        name = self.digests[algorithm]
        if name != "sha256" and not self.keeps_contexts and b"_:" in canonical:
            canonical = canonize(canonical.decode(), algorithm=name, budget=BUDGET).encode()
        return _HASHES[name](canonical).digest()


_HASHES: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384}
_REGISTRY: dict[str, Cryptosuite] = {}
_FORMER: dict[str, Cryptosuite] = {}


def register(suite: Cryptosuite) -> Cryptosuite:
    """Add a suite; called once by each suite's file."""
    registry = _REGISTRY if suite.proof_type == PROOF_TYPE else _FORMER
    if suite.name in registry:
        raise ValueError(f"cryptosuite {suite.name} is registered twice")
    registry[suite.name] = suite
    return suite


def cryptosuite(name: object) -> Cryptosuite:
    """The suite of this name.

    Raises:
        UnknownCryptosuiteError: not registered.
    """
    suite = _REGISTRY.get(name) if isinstance(name, str) else None
    if suite is None:
        raise UnknownCryptosuiteError("this cryptosuite is not supported")
    return suite


def former_suite(proof_type: object) -> Cryptosuite | None:
    """The suite of a proof type from before Data Integrity, if we read it."""
    return _FORMER.get(proof_type) if isinstance(proof_type, str) else None


def cryptosuites() -> tuple[str, ...]:
    """Names of the registered suites, sorted."""
    return tuple(sorted(_REGISTRY))
