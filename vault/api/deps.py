"""Who is calling: the session behind cookie or bearer, the depositor behind a signature."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import ClientDisconnect

from federation.keys import MultikeyError, PublicKey, decode_multikey, key_of_did_key
from federation.trust import TrustError
from federation.wire.errors import BodyTooLargeError
from federation.wire.signatures import verify
from schemas.errors import Refused
from schemas.ids import Did, Iri, parse_iri
from schemas.records import Consent
from vault.errors import (
    AddressTooLongError,
    RecordUnknownError,
    RequestRefusedError,
    SessionEndedError,
    VaultError,
)
from vault.home import Home
from vault.open_vault import OpenVault

__all__ = [
    "COOKIE",
    "CSRF_HEADER",
    "BodyDep",
    "CrossSiteError",
    "HomeDep",
    "SenderDep",
    "VaultDep",
    "WriterDep",
    "consent_of",
    "csrf_of",
    "home_of",
    "secret_of",
]

COOKIE = "__Host-coffre"
CSRF_HEADER = "X-CSRF-Token"
MAX_BODY = 300_000
MAX_PATH = 3_000
"""Characters of an address: an IRI has at most 2 048, some of them escaped once decoded."""

_cookie_scheme = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session")
_bearer_scheme = HTTPBearer(auto_error=False, scheme_name="bearer")


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


def check_address(request: Request) -> None:
    """Refuse an address that is no address, before anything looks at it.

    Raises:
        AddressTooLongError, RequestRefusedError.
    """
    path: str = request.scope["path"]
    if len(path) > MAX_PATH:
        raise AddressTooLongError
    if any(c < " " or c == "\x7f" for c in path):
        raise RequestRefusedError("a control character in the address", where="path")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a request shows of its session."""

    value: str
    by_cookie: bool

    def __repr__(self) -> str:
        return "Secret(***)"


def secret_of(
    request: Request,
    _cookie: Annotated[str | None, Depends(_cookie_scheme)] = None,
    _bearer: Annotated[object, Depends(_bearer_scheme)] = None,
) -> Secret:
    """The session's secret: `Authorization: Bearer` for programs, the cookie for a browser.

    Raises:
        SessionEndedError: neither.
        CrossSiteError: a cookie that another site made the browser send.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return Secret(token.strip(), by_cookie=False)
    require_same_site(request)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise SessionEndedError
    return Secret(cookie, by_cookie=True)


SecretDep = Annotated[Secret, Depends(secret_of)]


def csrf_of(home: Home, cookie: str) -> str:
    """The token that a page of this home shows with a write: bound to the session, no secret of
    it."""
    return home.seal.tag(cookie, purpose="csrf").hex()


def vault_of(secret: SecretDep, home: HomeDep) -> OpenVault:
    """The open vault of the session. Raises SessionEndedError."""
    return home.session(secret.value)


def writer_of(request: Request, secret: SecretDep, home: HomeDep) -> OpenVault:
    """The open vault of a session that may write: a cookie writes only with its CSRF token.

    Raises:
        SessionEndedError, CrossSiteError.
    """
    vault = home.session(secret.value)
    if secret.by_cookie:
        shown = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(shown.encode(), csrf_of(home, secret.value).encode()):
            raise CrossSiteError(f"a cookie writes with {CSRF_HEADER} only")
    return vault


VaultDep = Annotated[OpenVault, Depends(vault_of)]
WriterDep = Annotated[OpenVault, Depends(writer_of)]


def consent_of(vault: OpenVault, iri: str) -> Consent:
    """The consent a path names. Raises RecordUnknownError: none of this vault's."""
    found = vault.get(Iri(parse_iri(iri, where="/iri")))
    if not isinstance(found, Consent):
        raise RecordUnknownError(iri)
    return found


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


@dataclass(frozen=True, slots=True)
class Sender:
    """A depositor that signed its request (RFC 9421)."""

    did: Did
    body: bytes


async def read_body(request: Request) -> bytes:
    """The whole body, at most `MAX_BODY` bytes: `BodyLimit` counts, this is the second look.

    Raises:
        RequestRefusedError: the client went away, or sent less than it announced: nothing is
            written of a request that did not arrive whole.
    """
    return await read_whole(request, limit=MAX_BODY)


async def read_whole(request: Request, *, limit: int) -> bytes:
    """A body of at most `limit` bytes, complete. Raises as `read_body`."""
    out = bytearray()
    try:
        async for part in request.stream():
            out += part
            if len(out) > limit:
                raise BodyTooLargeError(limit=limit)
    except ClientDisconnect:
        raise RequestRefusedError("the body did not arrive whole", where="body") from None
    announced = request.headers.get("content-length")
    if announced is not None and announced != str(len(out)):
        raise RequestRefusedError("the body did not arrive whole", where="body")
    return bytes(out)


BodyDep = Annotated[bytes, Depends(read_body)]


def sender_of(
    request: Request,
    vault_id: str,
    home: HomeDep,
    body: BodyDep,
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
        url=f"{home.origin}{request.url.path}{query}",
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
