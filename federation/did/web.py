"""`did:web`: an institution's DID document at an https address of its own.

Read when a member is accredited and when it rotates a key, never while verifying (keys are pinned
in the trust registry).
Source: did:web Method Specification (W3C CCG), §2.1, §3.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from federation.did.document import DidDocument, DidMalformedError
from federation.keys import Signer

__all__ = ["DidWebResolver", "did_document", "url_of"]

_HOST: Final = re.compile(
    r"(?=.{1,253}(?::|$))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
    r"(?::[1-9][0-9]{0,4})?"
)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LOOPBACK: Final = frozenset({"localhost"})


def url_of(did: str, *, loopback_http: bool = False) -> str:
    """Address of the DID document: `did:web:host%3Aport:path` → `https://host:port/path/did.json`.

    `loopback_http` reads `localhost` (and only it) over http: demo and tests.

    Raises:
        DidMalformedError: not a `did:web`, or a host or path outside the plain alphabet.
    """
    method, _, identifier = did.partition("did:web:")
    if method or not identifier or len(did) > 512:
        raise DidMalformedError("not a did:web")
    first, *path = identifier.split(":")
    host = unquote(first)
    if _HOST.fullmatch(host) is None:
        raise DidMalformedError("not a host name")
    for segment in path:
        if _SEGMENT.fullmatch(segment) is None or segment in (".", ".."):
            raise DidMalformedError("not a path segment")
    scheme = "http" if loopback_http and host.partition(":")[0] in _LOOPBACK else "https"
    place = "/".join(path) if path else ".well-known"
    return f"{scheme}://{host}/{place}/did.json"


class DidWebResolver:
    """Reads `did:web` documents through `fetch` (bounded, guarded: `federation.wire.http`)."""

    def __init__(
        self, fetch: Callable[[str], Mapping[str, Any]], *, loopback_http: bool = False
    ) -> None:
        """`fetch`: address → parsed JSON; raises its own errors (unreachable, too large, refused
        address)."""
        self._fetch, self._loopback_http = fetch, loopback_http

    def resolve(self, did: str) -> DidDocument:
        """The document, read now.

        Raises:
            DidMalformedError: the DID, or a document that is not its own. Whatever `fetch` raises.
        """
        address = url_of(did, loopback_http=self._loopback_http)
        return DidDocument.from_json(self._fetch(address), expected=did)


def did_document(did: str, signers: list[Signer]) -> dict[str, Any]:
    """The document a member publishes: its keys as Multikey, for assertions and authentication."""
    methods = [
        {
            "id": signer.verification_method,
            "type": "Multikey",
            "controller": did,
            "publicKeyMultibase": signer.public_multikey(),
        }
        for signer in signers
    ]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
        "authentication": [method["id"] for method in methods],
    }
