"""Key material: one buffer, one owner, zeroed when done, never shown."""

import hmac
from typing import NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from federation.sealing import entropy

from .errors import KeyringLockedError

KEY_SIZE = 32


class Secret:
    """Owns a `bytearray` of key material. `wipe` zeroes it; after that every use is refused by
    name.
    """

    __slots__ = ("__weakref__", "_buffer")

    def __init__(self, buffer: bytearray) -> None:
        self._buffer = buffer

    @classmethod
    def random(cls, size: int = KEY_SIZE) -> Self:
        """A new random key."""
        return cls(entropy.secret(size))

    @property
    def view(self) -> bytearray:
        """The buffer itself, not a copy. Do not keep it.

        Raises:
            KeyringLockedError: zeroed.
        """
        if not self._buffer:
            raise KeyringLockedError
        return self._buffer

    @property
    def is_wiped(self) -> bool:
        """Whether the key is gone."""
        return not self._buffer

    def copy(self) -> bytearray:
        """A second buffer, which the caller zeroes."""
        return bytearray(self.view)

    def wipe(self) -> None:
        """Zero the buffer in place, then let it go. Doing it twice is fine."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer = bytearray()

    def is_same(self, other: "Secret") -> bool:
        """Comparison in constant time."""
        return hmac.compare_digest(self.view, other.view)

    def __len__(self) -> int:
        return len(self._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("key material is not pickled")


class RootKey(Secret):
    """The 256-bit root of one vault: wraps the keyring, and nothing is derived from it."""

    __slots__ = ()


class AeadKey(Secret):
    """A 256-bit AES-GCM key with its cipher kept ready, and the epoch it belongs to."""

    __slots__ = ("_aead", "epoch")

    def __init__(self, buffer: bytearray, *, epoch: int = 1) -> None:
        super().__init__(buffer)
        self._aead: AESGCM | None = None
        self.epoch = epoch

    @property
    def aead(self) -> AESGCM:
        """The cipher. Safe to share between threads.

        Raises:
            KeyringLockedError: zeroed.
        """
        if self._aead is None:
            self._aead = AESGCM(self.view)
        return self._aead

    def wipe(self) -> None:
        """Zero the key and drop the cipher (OpenSSL cleanses its copy when it goes)."""
        self._aead = None
        super().wipe()


def derive(key: bytes | bytearray, *, info: bytes, salt: bytes | None, size: int) -> bytearray:
    """HKDF-SHA256 (RFC 5869), extract and expand; the caller zeroes the result."""
    out = bytearray(size)
    HKDF(hashes.SHA256(), size, salt, info).derive_into(key, out)
    return out


def expand(key: bytes | bytearray, info: bytes, size: int = KEY_SIZE) -> bytearray:
    """HKDF-Expand (RFC 5869 §2.3) of a key that is uniform already; the caller zeroes the
    result.
    """
    out = bytearray(size)
    HKDFExpand(hashes.SHA256(), size, info).derive_into(key, out)
    return out


def zero(*buffers: bytearray) -> None:
    """Overwrite with zeros."""
    for buffer in buffers:
        buffer[:] = bytes(len(buffer))


__all__ = ["AeadKey", "RootKey", "Secret", "derive", "expand", "zero"]
