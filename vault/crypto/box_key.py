"""Private halves of drop-box, journal and delegation keys."""

from hashlib import shake_256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federation.sealing import entropy
from federation.sealing.box import (
    DEFAULT_SUITE,
    HPKE_LABEL,
    BoxHeader,
    BoxPublicKey,
    SealSuite,
    hpke,
)

from .errors import KeyUnknownError, SealBrokenError
from .secret import KEY_SIZE, Secret, zero

_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PrivateHandle = x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey | MLKEM768X25519PrivateKey


def p256_scalar() -> bytearray:
    """32 random bytes that are a P-256 private key (FIPS 186-5 A.2.2, by rejection)."""
    while True:
        scalar = entropy.secret(KEY_SIZE)
        if 0 < int.from_bytes(scalar, "big") < _P256_ORDER:
            return scalar


class BoxPrivateKey(Secret):
    """32 bytes that open what was sealed to their public half.

    X25519: the scalar (RFC 7748). Hybrid: the X-Wing seed, SHAKE-256 to 96 bytes = ML-KEM-768 seed
    `d ‖ z` (64) ‖ X25519 scalar (32). P-256: the scalar, big-endian. The library's key objects live
    as long as this one; they are dropped when it is wiped.
    """

    __slots__ = ("_handle", "_public", "epoch", "suite")

    def __init__(self, buffer: bytearray, *, suite: SealSuite, epoch: int = 1) -> None:
        super().__init__(buffer)
        self.suite, self.epoch = suite, epoch
        self._handle: _PrivateHandle | None = None
        self._public: BoxPublicKey | None = None

    @classmethod
    def generate(cls, suite: SealSuite = DEFAULT_SUITE, *, epoch: int = 1) -> "BoxPrivateKey":
        """A new random key pair."""
        buffer = p256_scalar() if suite is SealSuite.P256 else entropy.secret(KEY_SIZE)
        return cls(buffer, suite=suite, epoch=epoch)

    @property
    def public(self) -> BoxPublicKey:
        """The public half.

        Raises:
            KeyringLockedError: zeroed.
        """
        if self._public is None:
            self._public = BoxPublicKey(self.suite, self._public_raw())
        return self._public

    @property
    def key_id(self) -> bytes:
        """Eight bytes that name the pair."""
        return self.public.key_id

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Inverse of `federation.sealing.seal`.

        Raises:
            KeyUnknownError: sealed to another key.
            SealBrokenError: changed, or sealed for another purpose.
            LayoutError, SuiteUnknownError: not a box we know.
        """
        header = BoxHeader.of(sealed)
        if header.suite is not self.suite or header.key_id != self.key_id:
            raise KeyUnknownError("the box is sealed to another key")
        try:
            return hpke(self.suite).decrypt(
                memoryview(sealed)[10:], self._key(), HPKE_LABEL + sealed[:10] + info
            )
        except (InvalidTag, ValueError):
            raise SealBrokenError("box") from None

    def wipe(self) -> None:
        """Zero the key and drop the library's objects."""
        self._handle = None
        super().wipe()

    def _key(self) -> _PrivateHandle:
        view = self.view
        if self._handle is None:
            match self.suite:
                case SealSuite.X25519:
                    self._handle = x25519.X25519PrivateKey.from_private_bytes(view)
                case SealSuite.P256:
                    self._handle = ec.derive_private_key(
                        int.from_bytes(view, "big"), ec.SECP256R1()
                    )
                case SealSuite.MLKEM768_X25519:
                    self._handle = MLKEM768X25519PrivateKey(*_xwing(view))
        return self._handle

    def _public_raw(self) -> bytes:
        if self.suite is SealSuite.MLKEM768_X25519:
            lattice, curve = _xwing(self.view)
            return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        handle = self._key()
        if isinstance(handle, x25519.X25519PrivateKey):
            return handle.public_key().public_bytes_raw()
        assert isinstance(handle, ec.EllipticCurvePrivateKey)  # noqa: S101  # the last of three
        return handle.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _xwing(seed: bytearray) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    expanded = bytearray(shake_256(seed).digest(96))
    lattice, curve = expanded[:64], expanded[64:]
    try:
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(lattice),
            x25519.X25519PrivateKey.from_private_bytes(curve),
        )
    finally:
        zero(expanded, lattice, curve)


__all__ = ["BoxPrivateKey", "p256_scalar"]
