"""Cryptosuites: what one is made of, and the registry of those we speak.

A suite is a file of declarations; the work common to all is in `data_integrity.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from federation.proofs.errors import UnknownCryptosuiteError

__all__ = ["Canonicalizer", "Cryptosuite", "cryptosuite", "cryptosuites", "register"]

Canonicalizer = Callable[[Mapping[str, Any]], bytes]
"""Document (or proof configuration) → the bytes its hash is taken over."""


@dataclass(frozen=True, slots=True)
class Cryptosuite:
    """One Data Integrity cryptosuite."""

    name: str
    """Value of `cryptosuite` in a proof."""
    algorithm: str
    """The only key algorithm it accepts (`federation.keys`): the proof has no say in it."""
    canonicalize: Canonicalizer
    """Transformation of §3.2.3; the strict one, for pinned contexts."""
    canonicalize_foreign: Canonicalizer
    """The same transformation for documents with other contexts than ours; slower, bounded."""
    digest: Callable[[bytes], bytes]
    """Hash of §3.2.4, applied to proof configuration and to document."""
    specification: str
    """Where it is written."""
    configuration: Callable[[Mapping[str, Any], object], bytes] | None = None
    """`canonicalize` of a proof configuration under the document's contexts, where a template makes
    it faster."""


_REGISTRY: dict[str, Cryptosuite] = {}


def register(suite: Cryptosuite) -> Cryptosuite:
    """Add a suite; called once by each suite's file."""
    if suite.name in _REGISTRY:
        raise ValueError(f"cryptosuite {suite.name} is registered twice")
    _REGISTRY[suite.name] = suite
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


def cryptosuites() -> tuple[str, ...]:
    """Names of the registered suites, sorted."""
    return tuple(sorted(_REGISTRY))
