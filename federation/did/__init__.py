"""Decentralised identifiers: `did:key` for holders, `did:web` for institutions, `did:jwk` read."""

from federation.did.document import DidDocument, DidError, DidMalformedError, VerificationMethod
from federation.did.jwk import did_jwk, resolve_jwk
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
    "did_jwk",
    "resolve_jwk",
    "resolve_key",
    "url_of",
]
