"""Sealing to a public key: HPKE base mode (RFC 9180), classic or hybrid with ML-KEM-768.

The hybrid suite is the default for vaults: location history stays sensitive for decades, so what is
recorded today must not open to a quantum computer tomorrow. KEM, KDF and AEAD are one suite number;
nothing is negotiated.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PublicKey,
    Suite,
)

from .errors import BoxKeyError, LayoutError, SuiteUnknownError
from .layout import Reader, head

HPKE_LABEL: Final = b"mobility-vault/box/1\x00"
_KEY_LABEL: Final = b"mobility-vault/box-key/1\x00"
_MLKEM_PUBLIC: Final = 1184  # FIPS 203, ML-KEM-768 encapsulation key
KEY_ID_SIZE: Final = 8

_PublicHandle = x25519.X25519PublicKey | ec.EllipticCurvePublicKey | MLKEM768X25519PublicKey


class SealSuite(IntEnum):
    """KEM, KDF and AEAD of a sealed box, as one number that is stored."""

    X25519 = 1
    """DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    MLKEM768_X25519 = 2
    """X-Wing (ML-KEM-768 and X25519), HKDF-SHA256, AES-256-GCM."""
    P256 = 3
    """DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM: for keys that live in a browser."""


DEFAULT_SUITE: Final = SealSuite.MLKEM768_X25519
PUBLIC_SIZE: Final = {SealSuite.X25519: 32, SealSuite.MLKEM768_X25519: 1216, SealSuite.P256: 65}
ENC_SIZE: Final = {SealSuite.X25519: 32, SealSuite.MLKEM768_X25519: 1120, SealSuite.P256: 65}
_KEM: Final = {
    SealSuite.X25519: KEM.X25519,
    SealSuite.MLKEM768_X25519: KEM.MLKEM768_X25519,
    SealSuite.P256: KEM.P256,
}


def hpke(suite: SealSuite) -> Suite:
    """The HPKE suite behind a number."""
    return Suite(_KEM[suite], KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def suite_of(number: int) -> SealSuite:
    """The suite of a stored number.

    Raises:
        SuiteUnknownError: not one of ours.
    """
    try:
        return SealSuite(number)
    except ValueError:
        raise SuiteUnknownError(number) from None


def overhead(suite: SealSuite) -> int:
    """Bytes that `seal` adds: 10 of header, the encapsulated key, 16 of tag."""
    return 2 + KEY_ID_SIZE + ENC_SIZE[suite] + 16


@dataclass(frozen=True, slots=True)
class BoxPublicKey:
    """A public key that deposits, documents or journal entries are sealed to."""

    suite: SealSuite
    raw: bytes
    """X25519: 32 bytes. Hybrid: ML-KEM-768 (1184) ‖ X25519 (32). P-256: 65, uncompressed point."""

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_SIZE[self.suite]:
            raise BoxKeyError(
                f"a key of suite {self.suite.name} has {PUBLIC_SIZE[self.suite]} bytes"
            )

    @property
    def key_id(self) -> bytes:
        """Eight bytes that name the key: the start of a SHA-256 over suite and key, so it cannot be
        chosen freely.
        """
        return sha256(_KEY_LABEL + bytes([self.suite]) + self.raw).digest()[:KEY_ID_SIZE]

    def encode(self) -> bytes:
        """`"MVP" ‖ 1 ‖ suite(1) ‖ raw`: 37, 1221 or 70 bytes."""
        return head(b"P") + bytes([self.suite]) + self.raw

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of `encode`.

        Raises:
            LayoutError: other layout or wrong length.
            SuiteUnknownError: a suite of the future.
            BoxKeyError: not a key of its suite.
        """
        reader = Reader(data, "box-public-key")
        reader.head(b"P")
        suite = suite_of(reader.uint(1))
        key = cls(suite, reader.rest())
        _handle(suite, key.raw)
        return key


@lru_cache(maxsize=256)
def _handle(suite: SealSuite, raw: bytes) -> _PublicHandle:
    try:
        match suite:
            case SealSuite.X25519:
                return x25519.X25519PublicKey.from_public_bytes(raw)
            case SealSuite.P256:
                return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
            case SealSuite.MLKEM768_X25519:
                return MLKEM768X25519PublicKey(
                    mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC]),
                    x25519.X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC:]),
                )
    except ValueError:
        raise BoxKeyError("not a public key of its suite") from None


def seal(plaintext: bytes | bytearray, *, to: BoxPublicKey, info: bytes) -> bytes:
    """Seal `plaintext` so that only the holder of the private key of `to` can open it, for the
    purpose `info` names.

    Layout: `version(1) = 1 ‖ suite(1) ‖ key_id(8) ‖ enc ‖ ciphertext ‖ tag(16)`; `enc` has 32
    (X25519), 1120 (hybrid) or 65 (P-256) bytes. HPKE `info` = label ‖ the first 10 bytes ‖ `info`,
    so header and context are authenticated. Source: HPKE base mode, RFC 9180 §5; X-Wing,
    draft-connolly-cfrg-xwing-kem. Adds `overhead(suite)` bytes, always. Says nothing about who
    sealed: depositors sign a manifest inside.

    Raises:
        BoxKeyError: `to` is not a key of its suite.
    """
    opening = bytes([1, to.suite]) + to.key_id
    handle = _handle(to.suite, to.raw)
    try:
        sealed = hpke(to.suite).encrypt(plaintext, handle, HPKE_LABEL + opening + info)
    except ValueError:  # X25519 point of low order (RFC 9180 §7.1.4)
        raise BoxKeyError("not a usable public key of its suite") from None
    return opening + sealed


@dataclass(frozen=True, slots=True)
class BoxHeader:
    """What anybody can read of a sealed box."""

    suite: SealSuite
    key_id: bytes

    @classmethod
    def of(cls, sealed: bytes) -> Self:
        """Header of a sealed box.

        Raises:
            LayoutError: not a sealed box, or shorter than an empty one.
            SuiteUnknownError: a suite of the future.
        """
        reader = Reader(sealed, "box")
        if reader.uint(1) != 1:
            raise LayoutError("box", "version is not known")
        suite = suite_of(reader.uint(1))
        if len(sealed) < overhead(suite):
            raise LayoutError("box", "truncated")
        return cls(suite, reader.take(KEY_ID_SIZE))


__all__ = ["DEFAULT_SUITE", "BoxHeader", "BoxPublicKey", "SealSuite", "overhead", "seal"]
