"""Who is calling: the session behind the cookie, the depositor behind a signature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from federation.did.web import url_of
from federation.keys import MultikeyError, PublicKey, decode_multikey, key_of_did_key
from federation.trust import TrustError
from federation.wire.signatures import verify
from schemas.errors import Refused
from schemas.ids import Did
from vault.errors import SessionEndedError, VaultError
from vault.home import Home
from vault.open_vault import OpenVault

__all__ = ["COOKIE", "CrossSiteError", "HomeDep", "SenderDep", "VaultDep", "home_of", "origin_of"]

COOKIE = "__Host-coffre"
MAX_BODY = 300_000


class CrossSiteError(VaultError, Refused):
    """Another site made the browser send this request."""

    code = "cross-site"


def home_of(request: Request) -> Home:
    """The home of this application; set by `create_home_api`."""
    found = request.scope["home"]
    assert isinstance(found, Home)  # noqa: S101  # set by the router's own dependency
    return found


HomeDep = Annotated[Home, Depends(home_of)]


def require_same_site(request: Request) -> None:
    """A cookie speaks only for requests of this site's own pages, or of no page at all."""
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise CrossSiteError("the request comes from another site")


def vault_of(request: Request, home: HomeDep) -> OpenVault:
    """The open vault of the session. Raises SessionEndedError."""
    require_same_site(request)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise SessionEndedError
    return home.session(cookie)


VaultDep = Annotated[OpenVault, Depends(vault_of)]


def require_recent(request: Request, home: HomeDep) -> None:
    """For what changes the ways to open: the session began a short time ago.

    Raises:
        UnlockAgainError: unlock again first. SessionEndedError: there is none.
    """
    require_same_site(request)
    home.require_recent(request.cookies.get(COOKIE, ""))


def client_of(request: Request) -> str:
    """The address that asks: slow-down is by address and vault."""
    return request.client.host if request.client else "unknown"


def origin_of(home: Home) -> str:
    """The home's own origin, from its DID: never from a header that the caller sends."""
    parts = urlsplit(url_of(home.did, loopback_http=home.settings.allow_loopback))
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Sender:
    """A depositor that signed its request (RFC 9421)."""

    did: Did
    body: bytes


async def read_body(request: Request) -> bytes:
    """The whole body, at most `MAX_BODY` bytes: `BodyLimit` counts, this is the second look."""
    body = await request.body()
    return body[: MAX_BODY + 1]


def sender_of(
    request: Request,
    vault_id: str,
    home: HomeDep,
    body: Annotated[bytes, Depends(read_body)],
) -> Sender:
    """Who signed. The key comes from the trust registry, else from the link's pinned key.

    Raises:
        SignatureRefusedError: unsigned, unknown key, altered, too old, or used before.
    """
    at = home.clock()
    query = f"?{request.url.query}" if request.url.query else ""
    signature = verify(
        {name.lower(): value for name, value in request.headers.items()},
        method=request.method,
        url=f"{origin_of(home)}{request.url.path}{query}",
        body=body,
        key_of=_key_of(home, vault_id),
        is_fresh=home.is_fresh,
        at=at,
    )
    return Sender(Did(signature.keyid.partition("#")[0]), body)


SenderDep = Annotated[Sender, Depends(sender_of)]


def _key_of(home: Home, vault_id: str) -> Callable[[str], PublicKey | None]:
    def key_of(keyid: str) -> PublicKey | None:
        did, trust = keyid.partition("#")[0], home.trust
        if trust is not None and trust.entry(did) is not None:
            try:
                return trust.key(keyid, home.clock())
            except TrustError:
                return None
        try:
            if did.startswith("did:key:"):
                return key_of_did_key(keyid)
            for link in home.links(vault_id):
                if link.depositor == did and link.key is not None and not link.revoked:
                    return decode_multikey(link.key)
        except MultikeyError:
            return None
        return None

    return key_of
