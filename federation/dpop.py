"""Proof of possession of a key at the time of a request: DPoP (RFC 9449).

A proof is a JWS with its own public key in the header, over method, address, a moment and a number
used once; with an access token also over that token. Whoever copied a token without the key shows
nothing. Verifying is numbered as RFC 9449 §4.3.

    MobilityError
    └── DpopError (Refused)   `dpop-invalid`: not a proof for this request
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import MultikeyError, PublicKey, Signer, decode_multikey, key_of_jwk
from federation.multibase import b64url
from schemas.errors import MobilityError, Refused

__all__ = ["DPOP", "DpopError", "DpopProof", "prove", "thumbprint", "verify_dpop"]

DPOP: Final = "dpop+jwt"
LIFE: Final = timedelta(seconds=120)
"""How old a proof may be: a slow phone on a slow network."""
SKEW: Final = timedelta(seconds=30)
_MAX: Final = 4_000
_MAX_JTI: Final = 200

IsFresh = Callable[[str, str, datetime], bool]
"""(key, number, until): whether a number of this key is new; asking uses it up."""


class DpopError(MobilityError, Refused):
    """The proof does not hold, or is for another request."""

    code: ClassVar[str] = "dpop-invalid"


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof that holds."""

    thumbprint: str
    """Of its key (RFC 7638, SHA-256): what a token is bound to."""


def thumbprint(key: PublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in order, without spaces, base64url."""
    jwk = key.jwk()
    names = ("crv", "kty", "x", "y") if jwk["kty"] == "EC" else ("crv", "kty", "x")
    text = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return b64url(sha256(text.encode()).digest())


def verify_dpop(
    proof: str,
    *,
    method: str,
    url: str,
    at: datetime,
    is_fresh: IsFresh,
    access_token: str | None = None,
) -> DpopProof:
    """Verify one proof.

    Steps: (1) one compact JWS of type `dpop+jwt`, signed by the public key in its own header, with
    that key's one algorithm (RFC 9449 §4.3, 2 to 6); (2) this method and this address, without
    query and fragment; (3) made now; (4) with a token: `ath` is its hash; (5) its number was not
    used. Left to the caller: that the token is bound to this key.

    Raises:
        DpopError.
    """
    try:  # 1
        signed = verify_jws(proof, _key, typ=DPOP, max_chars=_MAX)
    except (JwsError, JwsMalformedError, MultikeyError) as error:
        raise DpopError("not a signed proof") from error
    claims = signed.claims
    if claims.get("htm") != method or _bare(claims.get("htu")) != _bare(url):  # 2
        raise DpopError("a proof for another request")
    made = claims.get("iat")  # 3
    if not isinstance(made, int) or isinstance(made, bool) or not 0 <= made < 1 << 40:
        raise DpopError("no moment")
    made_at = datetime.fromtimestamp(made, UTC)
    if not at - LIFE <= made_at <= at + SKEW:
        raise DpopError("too old, or from the future")
    if access_token is not None and claims.get("ath") != _hash(access_token):  # 4
        raise DpopError("a proof for another token")
    number = claims.get("jti")  # 5
    if not isinstance(number, str) or not 0 < len(number) <= _MAX_JTI:
        raise DpopError("no number")
    found = thumbprint(signed.key)
    if not is_fresh(f"dpop:{found}", number, made_at + LIFE + SKEW):
        raise DpopError("used before")
    return DpopProof(found)


def prove(
    signer: Signer,
    *,
    method: str,
    url: str,
    at: datetime,
    number: str,
    access_token: str | None = None,
) -> str:
    """A proof by `signer` for one request; `number` is random and used once."""
    claims: dict[str, Any] = {
        "htm": method,
        "htu": _bare(url),
        "iat": int(at.timestamp()),
        "jti": number,
        **({"ath": _hash(access_token)} if access_token is not None else {}),
    }
    jwk = decode_multikey(signer.public_multikey()).jwk()
    return sign_jws(claims, signer, typ=DPOP, kid="", header={"jwk": jwk})


def _key(header: Mapping[str, Any]) -> PublicKey:
    return key_of_jwk(header.get("jwk"))


def _hash(token: str) -> str:
    return b64url(sha256(token.encode()).digest())


def _bare(url: object) -> str:
    """An address without query and fragment, scheme and host in lower case, no default port."""
    if not isinstance(url, str) or len(url) > 2_000:
        raise DpopError("no address")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise DpopError("no address") from None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    shown = f":{port}" if port is not None and port != default else ""
    return f"{parts.scheme}://{host}{shown}{parts.path or '/'}"
