"""Decentralised identifiers: `did:key` for holders, `did:web` for institutions."""

from federation.did.document import DidDocument, DidError, DidMalformedError, VerificationMethod
from federation.did.key import resolve_key
from federation.did.resolver import DidResolver, Resolver
from federation.did.web import DidWebResolver, did_document, url_of

__all__ = [
    "DidDocument",
    "DidError",
    "DidMalformedError",
    "DidResolver",
    "DidWebResolver",
    "Resolver",
    "VerificationMethod",
    "did_document",
    "resolve_key",
    "url_of",
]
