"""Resolving a DID: the port, and one resolver for every method we read."""

from __future__ import annotations

from typing import Protocol

from federation.did.document import DidDocument, DidError
from federation.did.jwk import resolve_jwk
from federation.did.key import resolve_key

__all__ = ["DidResolver", "Resolver"]


class Resolver(Protocol):
    """DID → document."""

    def resolve(self, did: str) -> DidDocument:
        """The document.

        Raises:
            DidError: a method not read here, or a bad document.
        """


class DidResolver:
    """`did:key` and `did:jwk` by computation, `did:web` through `web` if given."""

    def __init__(self, *, web: Resolver | None = None) -> None:
        self._web = web

    def resolve(self, did: str) -> DidDocument:
        """See `Resolver`."""
        if did.startswith("did:key:"):
            return resolve_key(did)
        if did.startswith("did:jwk:"):
            return resolve_jwk(did)
        if did.startswith("did:web:") and self._web is not None:
            return self._web.resolve(did)
        raise DidError("this DID method is not read here")
