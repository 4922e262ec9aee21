"""Compact JWE for one recipient: ECDH-ES on P-256 with A128GCM or A256GCM.

No key wrapping, no compression, no other curve: what OpenID4VP asks of encrypted answers and
nothing that two readers could understand differently. Each message has an ephemeral key of its own.
Source: RFC 7516 §5 (compact), RFC 7518 §4.6 (ECDH-ES, Concat KDF of NIST SP 800-56A) and §5.3
(AES-GCM).

    MobilityError
    ├── JweMalformedError (InvalidInput)   `jwe-malformed`: not a JWE of this kind
    └── JweError (Refused)                 `jwe-invalid`: well formed, not for this key or changed
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federation.keys import P256, MultikeyError, PublicKey, key_of_jwk
from federation.multibase import EncodingError, b64url, b64url_decode
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError, Refused
from schemas.jsonld import parse_json

__all__ = ["ENCRYPTIONS", "DecryptionKey", "JweError", "JweMalformedError", "encrypt_jwe"]

ALGORITHM: Final = "ECDH-ES"
ENCRYPTIONS: Final[Mapping[str, int]] = {"A256GCM": 32, "A128GCM": 16}
"""Content encryptions, strongest first → key size in bytes."""
_IV: Final = 12
_TAG: Final = 16
_MAX_HEADER: Final = 4_000
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class JweMalformedError(MobilityError, InvalidInput):
    """The text is not a compact JWE of the one kind read here."""

    code: ClassVar[str] = "jwe-malformed"


class JweError(MobilityError, Refused):
    """The message was not made for this key, or was changed."""

    code: ClassVar[str] = "jwe-invalid"


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A private key that answers are encrypted to; it signs nothing."""

    _key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return "DecryptionKey(***)"

    @classmethod
    def derive(cls, secret: bytes, context: bytes) -> Self:
        """The key of one `context` (say, of one request) under a 32-byte `secret`: nothing to
        store, and one key tells nothing of another.

        HKDF-SHA256 to 48 bytes, reduced into [1, n-1] (FIPS 186-5 §A.2.1: the excess of 128 bits
        leaves no bias).
        """
        wide = HKDF(SHA256(), 48, salt=None, info=b"mobility-vault/jwe-key/1\x00" + context).derive(
            secret
        )
        return cls(ec.derive_private_key(int.from_bytes(wide) % (_ORDER - 1) + 1, ec.SECP256R1()))

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def jwk(self, *, kid: str) -> dict[str, str]:
        """The public half, as a verifier publishes it: `use`, `alg` and `kid` with it."""
        return {**_public_jwk(self._key), "use": "enc", "alg": ALGORITHM, "kid": kid}

    def decrypt(self, token: str, *, max_chars: int) -> bytes:
        """The plaintext of a compact JWE.

        Steps: (1) size and shape; (2) header: ECDH-ES, a known content encryption, no compression,
        no critical extension; (3) an ephemeral key on the curve, key agreement, Concat KDF; (4)
        AES-GCM over ciphertext and header.

        Raises:
            JweMalformedError: steps 1 to 3.
            JweError: step 4.
        """
        if len(token) > max_chars or not token.isascii() or token.count(".") != 4:  # 1
            raise JweMalformedError("not a compact JWE")
        head, wrapped, iv_text, text, tag_text = token.split(".")
        if wrapped or len(head) > _MAX_HEADER:
            raise JweMalformedError("direct key agreement has no encrypted key")
        try:
            header = parse_json(b64url_decode(head), max_bytes=_MAX_HEADER)
            iv, ciphertext, tag = map(b64url_decode, (iv_text, text, tag_text))
            apu, apv = (b64url_decode(_text(header, name)) for name in ("apu", "apv"))
        except (EncodingError, JsonRefusedError, UnicodeDecodeError):
            raise JweMalformedError("a part is not what it should be") from None
        encryption = _text(header, "enc")  # 2
        if header.get("alg") != ALGORITHM or encryption not in ENCRYPTIONS:
            raise JweMalformedError("only ECDH-ES with A128GCM or A256GCM")
        if "zip" in header or "crit" in header:
            raise JweMalformedError("compression and critical extensions are not supported")
        if len(iv) != _IV or len(tag) != _TAG:
            raise JweMalformedError("a part has the wrong length")
        key = _agree(self._key, _recipient(header.get("epk")), encryption, apu, apv)  # 3
        try:  # 4
            return AESGCM(key).decrypt(iv, ciphertext + tag, head.encode())
        except InvalidTag:
            raise JweError("not for this key, or changed") from None


def encrypt_jwe(
    plaintext: bytes,
    *,
    to: Mapping[str, Any],
    encryption: str = "A256GCM",
    apu: bytes = b"",
    apv: bytes = b"",
    content_type: str | None = None,
) -> str:
    """A compact JWE for the public key `to` (a JWK on P-256); its `kid` goes along. `apu`, `apv`:
    what both sides know of producer and recipient (RFC 7518 §4.6.1.2), bound into the key.
    `content_type`: `JWT` where the plaintext is a signed token (RFC 7519 §5.2).

    Raises:
        JweMalformedError: not a P-256 key, or an unknown content encryption.
    """
    if encryption not in ENCRYPTIONS:
        raise JweMalformedError("only A128GCM and A256GCM")
    recipient = _recipient(to)
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    header: dict[str, Any] = {
        "alg": ALGORITHM,
        "enc": encryption,
        **({"cty": content_type} if content_type is not None else {}),
        **({"kid": to["kid"]} if isinstance(to.get("kid"), str) else {}),
        "epk": _public_jwk(ephemeral),
        **({"apu": b64url(apu)} if apu else {}),
        **({"apv": b64url(apv)} if apv else {}),
    }
    head = b64url(json.dumps(header, separators=(",", ":")).encode())
    iv = os.urandom(_IV)
    sealed = AESGCM(_agree(ephemeral, recipient, encryption, apu, apv)).encrypt(
        iv, plaintext, head.encode()
    )
    return f"{head}..{b64url(iv)}.{b64url(sealed[:-_TAG])}.{b64url(sealed[-_TAG:])}"


def _agree(
    own: ec.EllipticCurvePrivateKey,
    other: ec.EllipticCurvePublicKey,
    encryption: str,
    apu: bytes,
    apv: bytes,
) -> bytes:
    """RFC 7518 §4.6.2: Concat KDF over (algorithm, apu, apv, bits of the key), each with its
    length before it."""
    size = ENCRYPTIONS[encryption]
    told = b"".join(len(part).to_bytes(4) + part for part in (encryption.encode(), apu, apv))
    shared = own.exchange(ec.ECDH(), other)
    return ConcatKDFHash(SHA256(), size, told + (size * 8).to_bytes(4)).derive(shared)


def _recipient(jwk: object) -> ec.EllipticCurvePublicKey:
    try:
        public: PublicKey = key_of_jwk(jwk)
    except MultikeyError:
        raise JweMalformedError("not a public key") from None
    if public.algorithm != P256:
        raise JweMalformedError("a key on P-256 expected")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public.raw)


def _public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": P256,
        "x": b64url(numbers.x.to_bytes(32)),
        "y": b64url(numbers.y.to_bytes(32)),
    }


def _text(header: Any, name: str) -> str:
    value = header.get(name, "") if isinstance(header, dict) else None
    if not isinstance(value, str):
        raise JweMalformedError("not a JWE header")
    return value
