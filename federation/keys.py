"""Signing keys of the federation: Ed25519, P-256 and P-384, and their public form (multikey).

A private key never leaves this module except as a `bytearray` that its owner zeroes. Everything
else speaks to a `Signer`, so a key may as well live in a hardware module.
Source: Controlled Identifiers 1.0 §2.2.2 (Multikey), multicodec table (`ed25519-pub` 0xed,
`p256-pub` 0x1200, `p384-pub` 0x1201), RFC 8032, FIPS 186-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from federation.multibase import (
    EncodingError,
    b64url,
    b64url_decode,
    base58_decode,
    base58_encode,
)
from schemas.errors import InvalidInput, MobilityError, Refused
from schemas.ids import Did

__all__ = [
    "ED25519",
    "P256",
    "P384",
    "Ed25519Key",
    "MultikeyError",
    "P256Key",
    "P384Key",
    "PublicKey",
    "SignatureMismatchError",
    "Signer",
    "decode_multikey",
    "did_key",
    "key_of_did_key",
    "key_of_jwk",
    "verification_method_of",
]

ED25519: Final = "Ed25519"
P256: Final = "P-256"
P384: Final = "P-384"

_PREFIX: Final = {ED25519: b"\xed\x01", P256: b"\x80\x24", P384: b"\x81\x24"}
_LENGTH: Final = {ED25519: 32, P256: 33, P384: 49}
_SIGNATURE_LENGTH: Final = {ED25519: 64, P256: 64, P384: 96}
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER: Final = int(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
    "581A0DB248B0A77AECEC196ACCC52973",
    16,
)
_CURVES: Final[dict[str, tuple[ec.EllipticCurve, ec.ECDSA, ec.ECDSA, int]]] = {
    curve: (
        kind,
        ec.ECDSA(hash_of()),
        ec.ECDSA(hash_of(), deterministic_signing=True),
        order,
    )
    for curve, kind, hash_of, order in (
        (P256, ec.SECP256R1(), hashes.SHA256, _P256_ORDER),
        (P384, ec.SECP384R1(), hashes.SHA384, _P384_ORDER),
    )
}
"""Curve, its algorithm for verifying and for signing with the hash used here, group order."""


class MultikeyError(MobilityError, InvalidInput):
    """The text is not a public key we know how to use."""

    code = "multikey-invalid"


class SignatureMismatchError(MobilityError, Refused):
    """The signature was not made by this key over these bytes."""

    code = "signature-mismatch"


class Signer(Protocol):
    """Something that signs: a key in memory, or one behind a key service."""

    @property
    def algorithm(self) -> str:
        """`Ed25519`, `P-256` or `P-384`."""

    @property
    def verification_method(self) -> str:
        """DID URL that names the public key in proofs and in the trust registry."""

    def public_multikey(self) -> str:
        """Public key as `z…` multikey."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes over `data`: Ed25519 (RFC 8032), or `r ‖ s` of ECDSA with SHA-256 (RFC 6979
        deterministic); 96 bytes with SHA-384 for P-384."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, ready to verify."""

    algorithm: str
    raw: bytes
    """Ed25519: 32 bytes; P-256: 33 bytes, compressed point."""
    _key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    @classmethod
    def from_raw(cls, algorithm: str, raw: bytes) -> Self:
        """Build from raw bytes.

        Raises:
            MultikeyError: unknown algorithm, wrong length, or not a point of the curve.
        """
        if len(raw) != _LENGTH.get(algorithm):
            raise MultikeyError(f"not the raw bytes of a public key of {algorithm}")
        key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
        try:
            if algorithm == ED25519:
                key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
            else:
                key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[algorithm][0], raw)
        except ValueError:
            raise MultikeyError("not a point of the curve") from None
        return cls(algorithm, raw, key)

    def multikey(self) -> str:
        """`z` + base58 of `multicodec`."""
        return "z" + base58_encode(self.multicodec())

    def multicodec(self) -> bytes:
        """Multicodec prefix and raw bytes."""
        return _PREFIX[self.algorithm] + self.raw

    def verify(self, data: bytes, signature: bytes) -> None:
        """Check a signature of 64 bytes (96 for P-384; `r ‖ s` for the curves of NIST).

        Raises:
            SignatureMismatchError: wrong length, out of range, or not by this key.
        """
        if len(signature) != _SIGNATURE_LENGTH[self.algorithm]:
            raise SignatureMismatchError("signature has the wrong length")
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, data)
            else:
                _, algorithm, _, order = _CURVES[self.algorithm]
                half = len(signature) // 2
                r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
                if not (0 < r < order and 0 < s < order):
                    raise SignatureMismatchError("signature is out of range")
                self._key.verify(encode_dss_signature(r, s), data, algorithm)
        except InvalidSignature:
            raise SignatureMismatchError("signature does not match") from None

    def jwk(self) -> dict[str, str]:
        """JSON Web Key members (public), RFC 7517 / RFC 8037."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return {"kty": "OKP", "crv": "Ed25519", "x": b64url(self.raw)}
        numbers = self._key.public_numbers()
        size = _LENGTH[self.algorithm] - 1
        return {
            "kty": "EC",
            "crv": self.algorithm,
            "x": b64url(numbers.x.to_bytes(size)),
            "y": b64url(numbers.y.to_bytes(size)),
        }


@lru_cache(maxsize=4096)
def decode_multikey(text: str) -> PublicKey:
    """Public key of a multikey text (`z6Mk…` Ed25519, `zDn…` P-256, `z82…` P-384); decoded keys
    are kept.

    Raises:
        MultikeyError: not base58 multibase, unknown key type, wrong length, or not on the curve.
    """
    if not text.startswith("z"):
        raise MultikeyError("multikey must be base58 multibase (z…)")
    try:
        data = base58_decode(text[1:])
    except EncodingError:
        raise MultikeyError("multikey must be base58 multibase (z…)") from None
    for algorithm, prefix in _PREFIX.items():
        if data.startswith(prefix):
            return PublicKey.from_raw(algorithm, data[len(prefix) :])
    raise MultikeyError("unknown key type")


def key_of_jwk(jwk: object) -> PublicKey:
    """Public key of a JSON Web Key (RFC 7517): `OKP`/`Ed25519`, `EC`/`P-256` or `EC`/`P-384`;
    decoded keys are kept. A private member (`d`) is refused: somebody published a secret.

    Raises:
        MultikeyError: not such a key, not on the curve, or a member is not canonical base64url.
    """
    if not isinstance(jwk, Mapping) or "d" in jwk:
        raise MultikeyError("not a public JWK")
    members = tuple(jwk.get(name, "") for name in ("kty", "crv", "x", "y"))
    if not all(isinstance(value, str) for value in members):
        raise MultikeyError("not a public JWK")
    return _decode_jwk(*members)


@lru_cache(maxsize=4096)
def _decode_jwk(kty: str, crv: str, x: str, y: str) -> PublicKey:
    try:
        first, second = b64url_decode(x), b64url_decode(y)
    except EncodingError:
        raise MultikeyError("a JWK member is not base64url") from None
    if (kty, crv) == ("OKP", "Ed25519") and not second:
        return PublicKey.from_raw(ED25519, first)
    if kty == "EC" and crv in _CURVES and len(first) == len(second) == _LENGTH[crv] - 1:
        public = PublicKey.from_raw(crv, bytes([2 + (second[-1] & 1)]) + first)
        if public.jwk()["y"] != y:
            raise MultikeyError("not a point of the curve")
        return public
    raise MultikeyError("unknown kind of JWK")


def did_key(public: PublicKey | str) -> Did:
    """`did:key` of a public key or of its multikey text."""
    return Did(f"did:key:{public if isinstance(public, str) else public.multikey()}")


def verification_method_of(did: str) -> str:
    """The one verification method of a `did:key`: `did:key:z…#z…`."""
    return f"{did}#{did.removeprefix('did:key:')}"


def key_of_did_key(did_or_method: str) -> PublicKey:
    """Public key of a `did:key` or of its verification method.

    Raises:
        MultikeyError: not a `did:key`, or the fragment names another key.
    """
    did, mark, fragment = did_or_method.partition("#")
    if not did.startswith("did:key:"):
        raise MultikeyError("not a did:key")
    multikey = did.removeprefix("did:key:")
    if mark and fragment != multikey:
        raise MultikeyError("the fragment names another key")
    return decode_multikey(multikey)


class _KeySigner:
    """Signer over a private key in memory."""

    __slots__ = ("_key", "_method")

    def __init__(self, key: Ed25519Key | P256Key | P384Key, verification_method: str) -> None:
        self._key = key
        self._method = verification_method

    @property
    def algorithm(self) -> str:
        return self._key.public.algorithm

    @property
    def verification_method(self) -> str:
        return self._method

    def public_multikey(self) -> str:
        return self._key.public.multikey()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"Signer({self._method!r}, key=***)"


class Ed25519Key:
    """An Ed25519 private key (RFC 8032)."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ed25519.Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey.from_raw(ED25519, private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """A new random key."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes | bytearray) -> Self:
        """Key of a 32-byte seed.

        Raises:
            MultikeyError: not 32 bytes.
        """
        if len(seed) != 32:
            raise MultikeyError("an Ed25519 seed has 32 bytes")
        return cls(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(seed)))

    def sign(self, data: bytes) -> bytes:
        """64-byte signature."""
        return self._private.sign(data)

    def signer(self, verification_method: str | None = None) -> Signer:
        """Signer under this verification method; by default the key's own `did:key`."""
        return _KeySigner(self, verification_method or verification_method_of(did_key(self.public)))

    def private_bytes(self) -> bytearray:
        """The 32-byte seed; the caller zeroes it."""
        return bytearray(self._private.private_bytes_raw())

    def __repr__(self) -> str:
        return f"Ed25519Key({self.public.multikey()!r}, private=***)"


class _EllipticKey:
    """A private key on a curve of NIST; signs deterministically (RFC 6979)."""

    __slots__ = ("_private", "public")
    _algorithm: ClassVar[str]

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        point = private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        self.public = PublicKey.from_raw(self._algorithm, point)

    @classmethod
    def generate(cls) -> Self:
        """A new random key."""
        return cls(ec.generate_private_key(_CURVES[cls._algorithm][0]))

    @classmethod
    def from_private_bytes(cls, data: bytes | bytearray) -> Self:
        """Key of its big-endian scalar, 32 bytes (48 for P-384).

        Raises:
            MultikeyError: another length, zero, or not below the group order.
        """
        scalar = int.from_bytes(data)
        curve, _, _, order = _CURVES[cls._algorithm]
        if len(data) != _LENGTH[cls._algorithm] - 1 or not 0 < scalar < order:
            raise MultikeyError(f"not a scalar below the group order of {cls._algorithm}")
        return cls(ec.derive_private_key(scalar, curve))

    def sign(self, data: bytes) -> bytes:
        """`r ‖ s` of ECDSA with the curve's hash: 64 bytes, 96 for P-384."""
        der = self._private.sign(data, _CURVES[self._algorithm][2])
        size = _LENGTH[self._algorithm] - 1
        return b"".join(part.to_bytes(size) for part in decode_dss_signature(der))

    def private_bytes(self) -> bytearray:
        """The big-endian scalar; the caller zeroes it."""
        size = _LENGTH[self._algorithm] - 1
        return bytearray(self._private.private_numbers().private_value.to_bytes(size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public.multikey()!r}, private=***)"


class P256Key(_EllipticKey):
    """A P-256 private key; ECDSA with SHA-256."""

    __slots__ = ()
    _algorithm = P256

    def signer(self, verification_method: str | None = None) -> Signer:
        """Signer under this verification method; by default the key's own `did:key`."""
        return _KeySigner(self, verification_method or verification_method_of(did_key(self.public)))


class P384Key(_EllipticKey):
    """A P-384 private key; ECDSA with SHA-384."""

    __slots__ = ()
    _algorithm = P384

    def signer(self, verification_method: str | None = None) -> Signer:
        """Signer under this verification method; by default the key's own `did:key`."""
        return _KeySigner(self, verification_method or verification_method_of(did_key(self.public)))
