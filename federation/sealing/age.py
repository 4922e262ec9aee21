"""Writer of the age v1 file format: any `age` opens what this writes.

Source: age-encryption.org/v1. ChaCha20-Poly1305 in chunks of 64 KiB (STREAM), recipients X25519 and
scrypt. The reader, which holds private keys, is `vault.crypto.age`.
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final, Protocol, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from . import entropy
from .bech32 import bech32_decode, bech32_encode
from .errors import AgeRecipientError

VERSION_LINE: Final = b"age-encryption.org/v1"
CHUNK: Final = 64 * 1024
FILE_KEY_SIZE: Final = 16
X25519_LABEL: Final = b"age-encryption.org/v1/X25519"
SCRYPT_LABEL: Final = b"age-encryption.org/v1/scrypt"
PUBLIC_PREFIX: Final = "age"
DEFAULT_LOG_N: Final = 17
"""scrypt work factor of what we write: 128 MiB. Half of age's own default, because a home does this
for several people at once.
"""
_COLUMNS: Final = 64


def hkdf(key: bytes | bytearray, *, salt: bytes, info: bytes) -> bytearray:
    """HKDF-SHA256 to 32 bytes, in a buffer that its caller zeroes."""
    out = bytearray(32)
    HKDF(hashes.SHA256(), 32, salt, info).derive_into(key, out)
    return out


def b64(data: bytes) -> bytes:
    """Base64 without padding, as age's header wants it."""
    return b64encode(data).rstrip(b"=")


def stanza(arguments: Sequence[bytes], body: bytes) -> bytes:
    """`-> arguments` and the body in lines of 64, the last one shorter (empty if need be)."""
    text = b64(body)
    lines = [text[i : i + _COLUMNS] for i in range(0, len(text), _COLUMNS)]
    if not lines or len(lines[-1]) == _COLUMNS:
        lines.append(b"")
    return b"-> " + b" ".join(arguments) + b"\n" + b"\n".join(lines) + b"\n"


class Recipient(Protocol):
    """Wraps a file key."""

    @property
    def is_alone(self) -> bool:
        """Whether it must be the only recipient of a file."""

    def wrap(self, file_key: bytearray) -> bytes:
        """The recipient's stanza."""


@dataclass(frozen=True, slots=True)
class X25519Recipient:
    """A public key, written `age1…`."""

    public: bytes

    @property
    def is_alone(self) -> bool:
        return False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `age1…`.

        Raises:
            AgeRecipientError: not Bech32, another prefix, or not 32 bytes.
        """
        try:
            prefix, raw = bech32_decode(text)
        except ValueError:
            raise AgeRecipientError("not an age recipient") from None
        if prefix != PUBLIC_PREFIX or len(raw) != 32 or text != text.lower():
            raise AgeRecipientError("not an age X25519 recipient")
        return cls(bytes(raw))

    def text(self) -> str:
        """`age1…`, 62 characters."""
        return bech32_encode(PUBLIC_PREFIX, self.public)

    def wrap(self, file_key: bytearray) -> bytes:
        """`-> X25519 <ephemeral>` and the wrapped key (age-encryption.org/v1, "The X25519 recipient
        type").
        """
        ephemeral = X25519PrivateKey.from_private_bytes(entropy.token(32))
        share = ephemeral.public_key().public_bytes_raw()
        try:
            shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.public))
        except ValueError:
            raise AgeRecipientError("the recipient is a point of low order") from None
        key = hkdf(shared, salt=share + self.public, info=X25519_LABEL)
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        key[:] = bytes(32)
        return stanza((b"X25519", b64(share)), body)


class ScryptRecipient:
    """A passphrase. age allows no other recipient beside it."""

    __slots__ = ("_passphrase", "log_n")

    def __init__(self, passphrase: bytes | bytearray, *, log_n: int = DEFAULT_LOG_N) -> None:
        if not 1 <= log_n <= 22:
            raise AgeRecipientError("scrypt work factor outside 1 to 22")
        self._passphrase, self.log_n = passphrase, log_n

    @property
    def is_alone(self) -> bool:
        return True

    def wrap(self, file_key: bytearray) -> bytes:
        """`-> scrypt <salt> <log2 N>` and the wrapped key. Takes 128 × 8 × 2^log_n bytes: run it in
        the `KdfPool`.
        """
        salt = entropy.token(16)
        key = scrypt_key(self._passphrase, salt=salt, log_n=self.log_n)
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        key[:] = bytes(32)
        return stanza((b"scrypt", b64(salt), str(self.log_n).encode()), body)

    def __repr__(self) -> str:
        return f"ScryptRecipient(***, log_n={self.log_n})"


def scrypt_key(passphrase: bytes | bytearray, *, salt: bytes, log_n: int) -> bytearray:
    """The wrapping key of a passphrase; zeroed by its caller."""
    out = bytearray(32)
    Scrypt(salt=SCRYPT_LABEL + salt, length=32, n=1 << log_n, r=8, p=1).derive_into(passphrase, out)
    return out


def header_mac(file_key: bytearray, header: bytes) -> bytes:
    """HMAC-SHA256 over the header up to and including `---`."""
    key = hkdf(file_key, salt=b"", info=b"header")
    mac = hmac.digest(key, header, sha256)
    key[:] = bytes(32)
    return mac


def chunk_nonce(counter: int, *, is_last: bool) -> bytes:
    """`counter(11) ‖ last(1)`."""
    return counter.to_bytes(11, "big") + bytes([is_last])


class AgeHeader:
    """A file key with its stanzas, made before the file is: a passphrase is needed once, and the
    file may be written later, or again. Each writing takes its payload key from a salt of its own.
    """

    __slots__ = ("file_key", "stanzas")

    def __init__(self, file_key: bytearray, stanzas: bytes) -> None:
        """`file_key`, 16 bytes, is this header's: `wipe` zeroes it."""
        self.file_key, self.stanzas = file_key, stanzas

    @classmethod
    def of(cls, recipients: Sequence[Recipient]) -> Self:
        """A fresh file key, wrapped for each recipient.

        Raises:
            AgeRecipientError: no recipient, or a passphrase beside other recipients.
        """
        if not recipients or (len(recipients) > 1 and any(r.is_alone for r in recipients)):
            raise AgeRecipientError("a file needs recipients; a passphrase stands alone")
        file_key = entropy.secret(FILE_KEY_SIZE)
        return cls(file_key, b"".join(r.wrap(file_key) for r in recipients))

    def wipe(self) -> None:
        """Zero the file key."""
        self.file_key[:] = bytes(FILE_KEY_SIZE)

    def __repr__(self) -> str:
        return "AgeHeader(***)"


class AgeWriter:
    """A binary stream that encrypts what is written; `close` (or leaving the `with` block without
    an error) ends the file.

    Without `close` the file has no last chunk and every reader refuses it as cut.

    Raises:
        AgeRecipientError: no recipient, or a passphrase beside other recipients.
    """

    def __init__(self, out: BinaryIO, recipients: Sequence[Recipient] | AgeHeader) -> None:
        made = isinstance(recipients, AgeHeader)
        top = recipients if isinstance(recipients, AgeHeader) else AgeHeader.of(recipients)
        header = VERSION_LINE + b"\n" + top.stanzas + b"---"
        out.write(header + b" " + b64(header_mac(top.file_key, header)) + b"\n")
        salt = entropy.token(16)
        out.write(salt)
        key = hkdf(top.file_key, salt=salt, info=b"payload")
        self._out, self._aead = out, ChaCha20Poly1305(key)
        key[:] = bytes(32)
        if not made:
            top.wipe()
        self._buffer, self._counter, self.closed = bytearray(), 0, False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Encrypt `data`; full chunks go out at once."""
        if self.closed:
            raise ValueError("write to a closed age stream")
        self._buffer += data
        while len(self._buffer) > CHUNK:  # the last chunk is only known at the end
            self._flush(bytes(self._buffer[:CHUNK]), is_last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Write the last chunk. The underlying stream stays open."""
        if not self.closed:
            self._flush(bytes(self._buffer), is_last=True)
            self._buffer.clear()
            self.closed = True

    def _flush(self, data: bytes, *, is_last: bool) -> None:
        self._out.write(self._aead.encrypt(chunk_nonce(self._counter, is_last=is_last), data, None))
        self._counter += 1

    def flush(self) -> None:
        """Nothing to do: a chunk goes out when it is full."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()


def encrypt(out: BinaryIO, recipients: Sequence[Recipient]) -> AgeWriter:
    """A stream that encrypts into `out` for `recipients`; use it in a `with` block."""
    return AgeWriter(out, recipients)


__all__ = ["AgeHeader", "AgeWriter", "Recipient", "ScryptRecipient", "X25519Recipient", "encrypt"]
