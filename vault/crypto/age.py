"""Reader of the age v1 file format: opens what any `age` wrote, and what `federation.sealing.age`
writes.

Steps of `decrypt`: 1 header, strictly · 2 try each identity on each stanza · 3 check the header's
MAC with the file key · 4 give out chunks that are authentic, and an end that is marked as the end.
Source: age-encryption.org/v1.
"""

import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from federation.sealing import entropy
from federation.sealing.age import (
    CHUNK,
    FILE_KEY_SIZE,
    VERSION_LINE,
    X25519_LABEL,
    X25519Recipient,
    b64,
    chunk_nonce,
    header_mac,
    hkdf,
    scrypt_key,
)
from federation.sealing.bech32 import bech32_decode, bech32_encode

from .errors import AgeHeaderError, AgeMacError, AgeNoMatchError, AgePayloadError
from .secret import Secret, zero

_MAX_LINE: Final = 1 << 12
_MAX_STANZAS: Final = 64
_MAX_BODY_LINES: Final = 256
_COLUMNS: Final = 64
_WRAPPED: Final = FILE_KEY_SIZE + 16
_SECRET_PREFIX: Final = "age-secret-key-"  # noqa: S105  # the public prefix of the spelling
DEFAULT_MAX_LOG_N: Final = 20
"""Highest scrypt work factor we spend: 1 GiB. age itself stops at 22."""


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient's lines of the header."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


class Identity(Protocol):
    """Opens stanzas."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytearray | None:
        """The file key; none where no stanza is ours: try the next identity."""


class X25519Identity(Secret):
    """A private key, written `AGE-SECRET-KEY-1…`."""

    __slots__ = ()

    @classmethod
    def generate(cls) -> "X25519Identity":
        """A new random key."""
        return cls(entropy.secret(32))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `AGE-SECRET-KEY-1…`.

        Raises:
            AgeHeaderError: not a secret key of age.
        """
        try:
            prefix, raw = bech32_decode(text)
        except ValueError:
            raise AgeHeaderError("not an age secret key") from None
        if prefix != _SECRET_PREFIX or len(raw) != 32 or text != text.upper():
            raise AgeHeaderError("not an age secret key")
        return cls(raw)

    def reveal(self) -> str:
        """`AGE-SECRET-KEY-1…`, for the one place that shows it."""
        return bech32_encode(_SECRET_PREFIX, self.view).upper()

    @property
    def recipient(self) -> X25519Recipient:
        """The public half."""
        return X25519Recipient(self._key().public_key().public_bytes_raw())

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytearray | None:
        """As `Identity`.

        Raises:
            AgeHeaderError: an X25519 stanza that is malformed.
        """
        key, public = self._key(), self.recipient.public
        for stanza in stanzas:
            if stanza.kind != "X25519":
                continue
            if len(stanza.arguments) != 1 or len(stanza.body) != _WRAPPED:
                raise AgeHeaderError("malformed X25519 stanza")
            share = _unb64(stanza.arguments[0])
            if len(share) != 32:
                raise AgeHeaderError("malformed X25519 stanza")
            try:
                shared = key.exchange(X25519PublicKey.from_public_bytes(share))
            except ValueError:
                raise AgeHeaderError("X25519 share of low order") from None
            wrap = hkdf(shared, salt=share + public, info=X25519_LABEL)
            found = _open_file_key(wrap, stanza.body)
            if found is not None:
                return found
        return None

    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.view)


class ScryptIdentity:
    """A passphrase."""

    __slots__ = ("_max_log_n", "_passphrase")

    def __init__(
        self, passphrase: bytes | bytearray, *, max_log_n: int = DEFAULT_MAX_LOG_N
    ) -> None:
        self._passphrase, self._max_log_n = passphrase, max_log_n

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytearray | None:
        """As `Identity`. Takes 128 × 8 × 2^log_n bytes: run it through `KdfPool`.

        Raises:
            AgeHeaderError: a malformed stanza, one beside others, or a work factor over our bound.
        """
        for stanza in stanzas:
            if stanza.kind != "scrypt":
                continue
            if len(stanzas) != 1:
                raise AgeHeaderError("a scrypt stanza stands alone")
            if len(stanza.arguments) != 2 or len(stanza.body) != _WRAPPED:
                raise AgeHeaderError("malformed scrypt stanza")
            salt, factor = _unb64(stanza.arguments[0]), stanza.arguments[1]
            if len(salt) != 16 or not re.fullmatch(r"[1-9][0-9]?", factor):
                raise AgeHeaderError("malformed scrypt stanza")
            if int(factor) > self._max_log_n:
                raise AgeHeaderError("scrypt work factor over our bound")
            wrap = scrypt_key(self._passphrase, salt=salt, log_n=int(factor))
            return _open_file_key(wrap, stanza.body)
        return None

    def __repr__(self) -> str:
        return "ScryptIdentity(***)"


def _open_file_key(wrap: bytearray, body: bytes) -> bytearray | None:
    try:
        return bytearray(ChaCha20Poly1305(wrap).decrypt(bytes(12), body, None))
    except InvalidTag:
        return None
    finally:
        zero(wrap)


def _unb64(text: str) -> bytes:
    """Base64 without padding, in its only spelling."""
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Base64Error, ValueError):
        raise AgeHeaderError("malformed base64") from None
    if b64(raw).decode() != text:
        raise AgeHeaderError("base64 that is not canonical")
    return raw


def _line(source: BinaryIO) -> str:
    """One line of the header, without its end."""
    line = source.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise AgeHeaderError("a header line that is cut or too long")
    try:
        text = line[:-1].decode("ascii")
    except UnicodeDecodeError:
        raise AgeHeaderError("a header line that is not ASCII") from None
    if any(not " " <= c <= "~" for c in text):
        raise AgeHeaderError("a control character in the header")
    return text


def _read_header(source: BinaryIO) -> tuple[list[Stanza], bytes, bytes]:
    """Stanzas, the bytes under the MAC, the MAC."""
    if _line(source) != VERSION_LINE.decode():
        raise AgeHeaderError("not an age v1 file")
    signed, stanzas = bytearray(VERSION_LINE + b"\n"), list[Stanza]()
    while True:
        line = _line(source)
        if line.startswith("---"):
            if not stanzas or not line.startswith("--- "):
                raise AgeHeaderError("malformed end of header")
            mac = _unb64(line[4:])
            if len(mac) != 32:
                raise AgeHeaderError("malformed MAC")
            return stanzas, bytes(signed + b"---"), mac
        signed += line.encode() + b"\n"
        words = line.split(" ")
        if len(words) < 2 or words[0] != "->" or not all(words) or len(stanzas) == _MAX_STANZAS:
            raise AgeHeaderError("malformed stanza")
        body = ""
        for _ in range(_MAX_BODY_LINES):
            part = _line(source)
            signed += part.encode() + b"\n"
            if len(part) > _COLUMNS:
                raise AgeHeaderError("a stanza line that is too long")
            body += part
            if len(part) < _COLUMNS:
                break
        else:
            raise AgeHeaderError("a stanza that is too long")
        stanzas.append(Stanza(words[1], tuple(words[2:]), _unb64(body)))


class AgeReader:
    """A binary stream of the plaintext. Bytes come out only once their chunk is authentic.

    `read` raises `AgePayloadError` at the first chunk that is changed, moved or cut; what came
    before it is genuine.
    """

    def __init__(self, source: BinaryIO, file_key: bytearray) -> None:
        salt = source.read(16)
        if len(salt) != 16:
            raise AgePayloadError("the payload is cut")
        key = hkdf(file_key, salt=salt, info=b"payload")
        self._aead = ChaCha20Poly1305(key)
        zero(key)
        self._source, self._counter = source, 0
        self._next = self._fetch()
        self._buffer, self._position, self._ended = b"", 0, False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that is left when negative; empty at the end.

        Raises:
            AgePayloadError: a chunk was changed, moved or cut.
        """
        parts, left = list[bytes](), size
        while left and (self._position < len(self._buffer) or self._advance()):
            end = len(self._buffer) if left < 0 else self._position + left
            part = self._buffer[self._position : end]
            self._position += len(part)
            parts.append(part)
            left = left - len(part) if left > 0 else left
        return b"".join(parts)

    def _fetch(self) -> bytes:
        parts, left = list[bytes](), CHUNK + 16
        while left and (part := self._source.read(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _advance(self) -> bool:
        if self._ended:
            return False
        sealed = self._next
        self._next = self._fetch() if len(sealed) == CHUNK + 16 else b""
        self._ended = not self._next
        try:
            self._buffer = self._aead.decrypt(
                chunk_nonce(self._counter, is_last=self._ended), sealed, None
            )
        except InvalidTag:
            self._ended, self._buffer, self._position = True, b"", 0
            raise AgePayloadError("a chunk was changed, moved or cut") from None
        if self._ended and not self._buffer and self._counter:
            raise AgePayloadError("an empty last chunk behind others")
        self._counter += 1
        self._position = 0
        return bool(self._buffer)


def decrypt(source: BinaryIO, identities: Sequence[Identity]) -> AgeReader:
    """A stream of the plaintext of an age file.

    Raises:
        AgeHeaderError: not an age v1 file, malformed, or a work factor over our bound.
        AgeNoMatchError: no identity opens it: another passphrase or key.
        AgeMacError: the header was changed.
        AgePayloadError: cut right behind the header; later faults come from `read`.
    """
    stanzas, signed, mac = _read_header(source)
    if any(s.kind == "scrypt" for s in stanzas) and len(stanzas) != 1:
        raise AgeHeaderError("a scrypt stanza stands alone")
    for identity in identities:
        file_key = identity.unwrap(stanzas)
        if file_key is None:
            continue
        try:
            if len(file_key) != FILE_KEY_SIZE:
                raise AgeHeaderError("a file key of the wrong size")
            if not hmac.compare_digest(header_mac(file_key, signed), mac):
                raise AgeMacError("the header was changed")
            return AgeReader(source, file_key)
        finally:
            zero(file_key)
    raise AgeNoMatchError("no identity given opens this file")


__all__ = ["AgeReader", "Identity", "ScryptIdentity", "X25519Identity", "decrypt"]
