"""`did:web`: an institution's DID document at an https address of its own.

Read when a member is accredited and when it rotates a key, never while verifying (keys are pinned
in the trust registry).
Source: did:web Method Specification (W3C CCG), §2.1, §3.2.
"""

from __future__ import annotations

import re
import time
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
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that resolvers read as an IPv4 address (WHATWG URL, « ends in a number »)."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LOOPBACK: Final = frozenset({"localhost"})
_MAX_KEPT: Final = 256
"""Documents kept: at most 64 methods each."""


def url_of(did: str, *, loopback_http: bool = False) -> str:
    """Address of the DID document: `did:web:host%3Aport:path` → `https://host:port/path/did.json`.

    `loopback_http` reads `localhost` (and only it) over http: demo and tests.

    Raises:
        DidMalformedError: not a `did:web`, or a host or path outside the plain alphabet (of the
        percent signs only the port's).
    """
    method, _, identifier = did.partition("did:web:")
    if method or not identifier or len(did) > 512:
        raise DidMalformedError("not a did:web")
    first, *path = identifier.split(":")
    host = unquote(first)
    if _HOST.fullmatch(host) is None or host.replace(":", "%3A") != first.replace("%3a", "%3A"):
        raise DidMalformedError("not a host name")
    name, _, port = host.partition(":")
    if port and int(port) > 65_535:
        raise DidMalformedError("not a port")
    for segment in path:
        if _SEGMENT.fullmatch(segment) is None or segment in (".", ".."):
            raise DidMalformedError("not a path segment")
    scheme = "http" if loopback_http and name in _LOOPBACK else "https"
    place = "/".join(path) if path else ".well-known"
    return f"{scheme}://{host}/{place}/did.json"


class DidWebResolver:
    """Reads `did:web` documents through `fetch` (bounded, guarded: `federation.wire.http`), and
    keeps them for a short while."""

    def __init__(
        self,
        fetch: Callable[[str], object],
        *,
        loopback_http: bool = False,
        keep_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch`: address → parsed JSON; raises its own errors (unreachable, too large, refused
        address), which are not kept. `keep_s`: how long a document may be old, in seconds by
        `clock`."""
        self._fetch, self._loopback_http = fetch, loopback_http
        self._keep_s, self._clock = keep_s, clock
        self._kept: dict[str, tuple[float, DidDocument]] = {}

    def resolve(self, did: str) -> DidDocument:
        """The document, read now or not long ago.

        Raises:
            DidMalformedError: the DID, one whose host is an IP address (§3.1: a domain name), or a
            document that is not its own. Whatever `fetch` raises.
        """
        now = self._clock()
        kept = self._kept.get(did)
        if kept is not None and now - kept[0] < self._keep_s:
            return kept[1]
        address = url_of(did, loopback_http=self._loopback_http)
        host = address.split("/")[2].partition(":")[0]
        if _NUMBER.fullmatch(host.rpartition(".")[2]) is not None:
            raise DidMalformedError("an address, where a domain name belongs")
        found = DidDocument.from_json(self._fetch(address), expected=did)
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[did] = (now, found)
        return found


def did_document(
    did: str, signers: list[Signer], services: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The document a member publishes: its keys as Multikey, for assertions and authentication,
    and the addresses of its `services`, by type."""
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
        **(
            {
                "service": [
                    {"id": f"{did}#{kind}", "type": kind, "serviceEndpoint": address}
                    for kind, address in services.items()
                ]
            }
            if services
            else {}
        ),
    }
