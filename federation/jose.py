"""Compact JWS signed by a `Signer` port: one algorithm a key, never the token's choice.

`none` and algorithm confusion cannot happen here: the allowed algorithm comes from the key, the
`typ` from the caller.
Source: RFC 7515, RFC 8725 (JWT best practice), RFC 8037 (EdDSA), RFC 9864.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from federation.keys import ED25519, P256, P384, SignatureMismatchError, Signer
from federation.multibase import EncodingError, b64url, b64url_decode
from schemas.errors import InvalidInput, MobilityError, Refused

__all__ = [
    "RSA",
    "JwsError",
    "JwsMalformedError",
    "SignedJson",
    "VerificationKey",
    "sign_jws",
    "verify_jws",
]

RSA: Final = "RSA"
"""Algorithm of a key that only foreign identity providers have: RS256, verified and never made."""

_ALG: Final = {ED25519: "EdDSA", P256: "ES256", P384: "ES384"}
_ACCEPTED: Final = {
    ED25519: ("EdDSA", "Ed25519"),
    P256: ("ES256",),
    P384: ("ES384",),
    RSA: ("RS256",),
}
"""Names of the key's own algorithm: RFC 9864 renames EdDSA with Ed25519 to `Ed25519`."""
MAX_JWS: Final = 4_000_000
"""Longest token read, in characters: a trust snapshot of ten thousand entries fits."""


class JwsMalformedError(MobilityError, InvalidInput):
    """The text is not a compact JWS with JSON inside."""

    code: ClassVar[str] = "jws-malformed"


class JwsError(MobilityError, Refused):
    """The token is well formed and not acceptable: type, algorithm, key or signature."""

    code: ClassVar[str] = "jws-invalid"


class VerificationKey(Protocol):
    """A public key that knows its one algorithm."""

    @property
    def algorithm(self) -> str:
        """A name of `_ACCEPTED`."""

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raises SignatureMismatchError."""


K = TypeVar("K", bound=VerificationKey)


@dataclass(frozen=True, slots=True)
class SignedJson(Generic[K]):
    """A verified token: its header and its claims."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    key: K


def sign_jws(
    claims: Mapping[str, Any],
    signer: Signer,
    *,
    typ: str,
    kid: str | None = None,
    header: Mapping[str, Any] | None = None,
) -> str:
    """Compact JWS of `claims`; `alg` follows the key, `kid` is the verification method unless told
    (`""`: none)."""
    protected: dict[str, Any] = {"alg": _ALG[signer.algorithm], "typ": typ, **(header or {})}
    if kid != "":
        protected["kid"] = kid or signer.verification_method
    head = b64url(json.dumps(protected, separators=(",", ":"), ensure_ascii=False).encode())
    body = b64url(json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode())
    signing_input = f"{head}.{body}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode('ascii')))}"


def verify_jws(
    token: str,
    key_of: Callable[[Mapping[str, Any]], K],
    *,
    typ: str | None,
    typ_required: bool = True,
    max_chars: int = MAX_JWS,
) -> SignedJson[K]:
    """Verify a compact JWS.

    Steps: (1) size and shape; (2) header: JSON object, the expected `typ` (None: the header has
    none; it may be missing where not `typ_required`: OpenID Connect asks none of an ID token), no
    `crit`; (3)
    `key_of(header)` names the key, by `kid` or `jwk`, and raises if it does not trust it; (4) the
    algorithm is the key's own; (5) signature; (6) claims are a JSON object without duplicate
    members. Left to the caller: every claim.

    Raises:
        JwsMalformedError: step 1, 2 or 6 (shape).
        JwsError: type, critical extension, algorithm or signature.
    """
    # (1)
    if len(token) > max_chars or not token.isascii() or token.count(".") != 2:
        raise JwsMalformedError("not a compact JWS")
    head, body, signature = token.split(".")
    # (2)
    header = _header(head) if len(head) <= _MAX_KEPT_HEADER else _object(head)
    if header.get("typ", None if typ_required else typ) != typ:
        raise JwsError(f"token type is not {typ}")
    if "crit" in header or "b64" in header:
        raise JwsError("critical extensions are not supported")
    # (3)
    key = key_of(header)
    # (4)
    if header.get("alg") not in _ACCEPTED[key.algorithm]:
        raise JwsError("algorithm is not the key's")
    # (5)
    try:
        key.verify(f"{head}.{body}".encode("ascii"), b64url_decode(signature))
    except EncodingError:
        raise JwsMalformedError("not base64url") from None
    except SignatureMismatchError:
        raise JwsError("signature does not match") from None
    # (6)
    return SignedJson(header, _object(body), key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate member")
    return value


_JSON: Final = json.JSONDecoder(object_pairs_hook=_once)
_MAX_KEPT_HEADER: Final = 1_000
"""Longest header kept, in characters: an issuer's tokens share theirs."""


@lru_cache(maxsize=256)
def _header(part: str) -> Mapping[str, Any]:
    return MappingProxyType(_object(part))


def _object(part: str) -> dict[str, Any]:
    try:
        value = _JSON.decode(b64url_decode(part).decode("utf-8"))
    except EncodingError:
        raise JwsMalformedError("not base64url") from None
    except (ValueError, RecursionError):
        raise JwsMalformedError("not JSON, or a member is there twice") from None
    if not isinstance(value, dict):
        raise JwsMalformedError("not a JSON object")
    return value
