"""`did:jwk`: the identifier is a JSON Web Key, in base64url (did:jwk method specification)."""

from __future__ import annotations

from typing import Final

from federation.did.document import DidDocument, DidMalformedError, VerificationMethod
from federation.keys import MultikeyError, PublicKey, key_of_jwk
from federation.multibase import EncodingError, b64url, b64url_decode
from schemas.errors import JsonRefusedError
from schemas.ids import Did
from schemas.jsonld import parse_json

__all__ = ["did_jwk", "resolve_jwk"]

_MAX: Final = 2_000
"""Longest identifier read, in characters: a key of P-384 takes some 250."""


def resolve_jwk(did: str) -> DidDocument:
    """Document of a `did:jwk`; its one verification method is `#0`. A key for encryption alone
    (`use`: `enc`) verifies nothing.

    Raises:
        DidMalformedError: not a `did:jwk`, or not a public key we know.
    """
    method, mark, identifier = did.partition("did:jwk:")
    if method or not mark or len(did) > _MAX:
        raise DidMalformedError("not a did:jwk")
    try:
        jwk = parse_json(b64url_decode(identifier), max_bytes=_MAX, max_depth=4)
        public = key_of_jwk(jwk)
    except (EncodingError, JsonRefusedError, MultikeyError) as error:
        raise DidMalformedError(str(error)) from None
    purposes = {"assertionMethod", "authentication"} if jwk.get("use", "sig") == "sig" else set()
    return DidDocument(
        Did(did),
        (VerificationMethod(f"{did}#0", Did(did), public.multikey(), frozenset(purposes)),),
    )


def did_jwk(public: PublicKey) -> Did:
    """A `did:jwk` of a public key; others may write the same key otherwise."""
    members = ",".join(f'"{name}":"{value}"' for name, value in sorted(public.jwk().items()))
    return Did(f"did:jwk:{b64url(f'{{{members}}}'.encode())}")
