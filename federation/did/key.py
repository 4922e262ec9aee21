"""`did:key`: the identifier is the key (W3C CCG did:key method, Ed25519 and P-256)."""

from __future__ import annotations

from federation.did.document import DidDocument, DidMalformedError, VerificationMethod
from federation.keys import MultikeyError, key_of_did_key, verification_method_of
from schemas.ids import Did

__all__ = ["resolve_key"]


def resolve_key(did: str) -> DidDocument:
    """Document of a `did:key`.

    Raises:
        DidMalformedError: not a `did:key`, or not a key we know.
    """
    try:
        key_of_did_key(did)
    except MultikeyError as error:
        raise DidMalformedError(str(error)) from None
    if "#" in did:
        raise DidMalformedError("a DID has no fragment")
    return DidDocument(
        Did(did),
        (
            VerificationMethod(
                verification_method_of(did),
                Did(did),
                did.removeprefix("did:key:"),
                frozenset({"assertionMethod", "authentication"}),
            ),
        ),
    )
