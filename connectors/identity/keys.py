"""Keys of an OpenID provider: ES256 and RS256, by `kid`.

A key verifies with the one algorithm of its kind: what a token's header names is compared, never
followed. Source: RFC 7517 §4, RFC 7518 §3.3 and §6.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from federation.jose import RSA, VerificationKey
from federation.keys import P256, MultikeyError, SignatureMismatchError, key_of_jwk
from federation.multibase import EncodingError, b64url_decode

__all__ = ["RsaKey", "keys_of"]

MIN_BITS: Final = 2048
MAX_BITS: Final = 8192
_EXPONENT: Final = 65_537
MAX_KEYS: Final = 50


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA public key that verifies RS256 (RSASSA-PKCS1-v1_5 with SHA-256)."""

    _key: rsa.RSAPublicKey = field(repr=False)
    algorithm: str = RSA

    @classmethod
    def of(cls, jwk: Mapping[str, Any]) -> "RsaKey":
        """Raises MultikeyError: no modulus of 2048 to 8192 bits with the exponent 65537."""
        try:
            n, e = (int.from_bytes(b64url_decode(str(jwk[name]))) for name in ("n", "e"))
        except (KeyError, EncodingError):
            raise MultikeyError("not an RSA key") from None
        if e != _EXPONENT or not MIN_BITS <= n.bit_length() <= MAX_BITS or n % 2 == 0:
            raise MultikeyError("an RSA key of 2048 to 8192 bits expected")
        return cls(rsa.RSAPublicNumbers(e, n).public_key())

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raises SignatureMismatchError."""
        try:
            self._key.verify(signature, data, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            raise SignatureMismatchError("signature does not match") from None


def keys_of(jwks: Any) -> dict[str, VerificationKey]:
    """The signing keys of a JWK set, by `kid`. Keys of other kinds or uses are left out."""
    found: dict[str, VerificationKey] = {}
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    for entry in entries[:MAX_KEYS] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key: VerificationKey
            if entry.get("kty") == "RSA":
                key = RsaKey.of(entry)
            else:
                key = key_of_jwk(entry)
                if key.algorithm != P256:
                    continue
        except MultikeyError:
            continue
        found[str(entry.get("kid", ""))] = key
    return found
