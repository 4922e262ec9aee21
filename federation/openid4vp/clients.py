"""Client identifiers: who asks, and what proves it.

`decentralized_identifier:did:web:…` is proven by a key that the trust registry pins,
`x509_san_dns:host` and `x509_hash:digest` by a certificate up to an anchor. `redirect_uri:address`
is proven by nothing: such a request is not signed, only the address of the answer is certain.
Everything else (pre-registered, `openid_federation`, `verifier_attestation`, `origin`) is not
spoken here.
Source: OpenID4VP 1.0 §5.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from federation.did.document import DidMalformedError
from federation.did.web import url_of
from federation.keys import PublicKey
from federation.openid4vp.certificates import Anchors
from federation.openid4vp.errors import RequestRefusedError
from schemas.ids import Did

__all__ = ["ClientKind", "Identified", "client_id_of", "did_of_client", "identify", "origin_of"]


class ClientKind(StrEnum):
    """Client identifier prefixes that are read."""

    DID = "decentralized_identifier"
    SAN_DNS = "x509_san_dns"
    HASH = "x509_hash"
    REDIRECT_URI = "redirect_uri"


_DID_WEB: Final = f"{ClientKind.DID}:did:web:"
Origin = tuple[str, str, int]
"""(scheme, host, port)."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A client identifier and the key that must have signed its request."""

    verifier: Did
    """Its DID; a `did:x509` where a certificate proves it."""
    key: PublicKey
    hosts: tuple[str, ...]
    """Hosts its addresses may lie on."""
    vouched_by: str | None = None
    """The certificate authority that vouches for it; None where the trust registry does."""
    origin: Origin | None = None
    """The one origin of its addresses, where the identifier says it."""


def client_id_of(did: str) -> str:
    """`decentralized_identifier:` client id of a verifier."""
    return f"{ClientKind.DID}:{did}"


def did_of_client(client_id: object) -> Did:
    """DID of a `decentralized_identifier:` client id.

    Raises:
        RequestRefusedError: `client-id-prefix`: another kind of client id.
    """
    if not isinstance(client_id, str) or not client_id.startswith(_DID_WEB):
        raise RequestRefusedError("client-id-prefix", "only decentralized_identifier:did:web:…")
    return Did(client_id.removeprefix(f"{ClientKind.DID}:"))


def kind_of(client_id: str) -> tuple[ClientKind, str]:
    """Prefix and value of a client id.

    Raises:
        RequestRefusedError: `client-id-prefix`: one that is not spoken here.
    """
    prefix, mark, value = client_id.partition(":")
    if mark and value and prefix in {kind.value for kind in ClientKind}:
        return ClientKind(prefix), value
    raise RequestRefusedError("client-id-prefix", "not a kind of client id spoken here")


def identify(
    client_id: str,
    header: Mapping[str, Any],
    resolve_key: Callable[[str], PublicKey],
    *,
    anchors: Anchors,
    at: datetime,
    allow_loopback_http: bool,
) -> Identified:
    """Who signed a request object with this `header`.

    Raises:
        RequestRefusedError: `client-id-prefix`, `client-key` (the header names another party's
            key), `client-certificate`, `request-signature` (`redirect_uri` clients do not sign).
        Whatever `resolve_key` raises.
    """
    kind, value = kind_of(client_id)
    match kind:
        case ClientKind.DID:
            did = did_of_client(client_id)
            method = header.get("kid")
            if not isinstance(method, str) or method.partition("#")[0] != did or "#" not in method:
                raise RequestRefusedError("client-key", "the key is not the client's")
            try:
                origin = origin_of(url_of(did, loopback_http=allow_loopback_http))
            except DidMalformedError:
                raise RequestRefusedError("client-id-prefix", "not a did:web") from None
            return Identified(did, resolve_key(method), (origin[1],), origin=origin)
        case ClientKind.SAN_DNS:
            found = anchors.verify(header.get("x5c"), at=at)
            if value.lower() not in found.names:
                raise RequestRefusedError("client-certificate", "it names another host")
            return Identified(found.did(value.lower()), found.key, (value.lower(),), found.anchor)
        case ClientKind.HASH:
            found = anchors.verify(header.get("x5c"), at=at)
            if found.digest != value:
                raise RequestRefusedError("client-certificate", "another certificate")
            return Identified(found.did(found.names[0]), found.key, found.names, found.anchor)
        case ClientKind.REDIRECT_URI:
            raise RequestRefusedError("request-signature", "such a client does not sign")


def origin_of(address: str, reason: str = "response-uri") -> Origin:
    """Origin of an address that may be called.

    Raises:
        RequestRefusedError: `reason`: not http(s), or with user name or fragment.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise RequestRefusedError(reason, "not an address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise RequestRefusedError(reason, "not an address")
    if "@" in parts.netloc or "\\" in address or parts.fragment:
        raise RequestRefusedError(reason, "an address with user name or fragment")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
