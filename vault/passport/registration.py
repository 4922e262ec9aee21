"""A member of the trust registry registers itself as a service (RFC 7591).

Steps: (1) the request is signed (RFC 9421) by a key that the registry pins now; (2) its member is
active; (3) every address lies on the member's own host or below it: nobody registers for somebody
else; (4) the description. Its id is its DID, so doing it again replaces the description: new keys,
another address. Anybody else is registered by the operator of the home.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from federation.did import DidMalformedError
from federation.did.web import url_of
from federation.keys import PublicKey
from federation.trust import TrustError
from federation.wire.errors import SignatureRefusedError
from federation.wire.signatures import verify
from schemas.errors import JsonRefusedError
from schemas.ids import Did
from schemas.jsonld import parse_json
from vault.passport.errors import ServiceInvalidError
from vault.passport.services import Service

if TYPE_CHECKING:
    from vault.passport.provider import Passport

__all__ = ["MAX_DESCRIPTION", "register_member"]

MAX_DESCRIPTION: Final = 100_000


def register_member(
    passport: "Passport", *, url: str, headers: Mapping[str, str], body: bytes
) -> Service:
    """Steps 1 to 4; header names in lower case.

    Raises:
        SignatureRefusedError: not signed by an active member.
        ServiceInvalidError: the description.
    """
    home = passport.home
    at, trust = home.clock(), home.trust

    def key_of(keyid: str) -> PublicKey | None:
        if trust is None:
            return None
        try:
            return trust.key(keyid, at)
        except TrustError:
            return None

    signature = verify(  # 1
        headers,
        method="POST",
        url=url,
        body=body,
        key_of=key_of,
        is_fresh=home.is_fresh,
        at=at,
    )
    member = Did(signature.keyid.partition("#")[0])
    entry = None if trust is None else trust.entry(member)
    if entry is None or not entry.is_active(at):  # 2
        raise SignatureRefusedError("unknown-key")
    try:
        metadata = parse_json(body, max_bytes=MAX_DESCRIPTION)
    except JsonRefusedError:
        raise ServiceInvalidError("client_metadata", "not JSON") from None
    _check_host(passport, member, metadata)  # 3
    return passport.services.register(metadata, id_=member, member=member)  # 4


def _check_host(passport: "Passport", member: Did, metadata: object) -> None:
    try:
        own = urlsplit(url_of(member, loopback_http=passport.home.settings.allow_loopback)).hostname
    except DidMalformedError:
        raise ServiceInvalidError("redirect_uris", "the member has no address") from None
    redirects = metadata.get("redirect_uris") if isinstance(metadata, Mapping) else None
    for address in redirects if isinstance(redirects, list) else ():
        try:
            host = urlsplit(address).hostname if isinstance(address, str) else None
        except ValueError:
            host = None
        if host is None or (host != own and not host.endswith(f".{own}")):
            raise ServiceInvalidError("redirect_uris", "an address of another host")
