"""Text forms of bytes: base58btc and base64url, strict both ways, and the multibase letters `z` and
`u`.

Source: Controlled Identifiers 1.0 §2.4 (Multibase), RFC 4648 §5.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from schemas.errors import InvalidInput, MobilityError

__all__ = ["EncodingError", "b64url", "b64url_decode", "base58_decode", "base58_encode"]

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {character: value for value, character in enumerate(_ALPHABET)}
_MAX_BASE58: Final = 256
"""Longest text decoded: the conversion is quadratic; a P-384 signature (96 bytes) takes 132
characters."""


class EncodingError(MobilityError, InvalidInput):
    """The text is not what its encoding allows."""

    code = "encoding-invalid"


def base58_encode(data: bytes) -> str:
    """Base58 (Bitcoin alphabet) of `data`, without multibase letter."""
    number = int.from_bytes(data)
    out = []
    while number:
        number, digit = divmod(number, 58)
        out.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(out))


def base58_decode(text: str) -> bytes:
    """Bytes of a base58 text.

    Raises:
        EncodingError: foreign character, or more than 256 characters.
    """
    if len(text) > _MAX_BASE58:
        raise EncodingError("base58 text is too long")
    number = 0
    try:
        for start in range(0, len(text), 10):  # ten digits fit a machine word
            part, chunk = 0, text[start : start + 10]
            for character in chunk:
                part = part * 58 + _DIGITS[character]
            number = number * 58 ** len(chunk) + part
    except KeyError:
        raise EncodingError("not base58") from None
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


def b64url(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Bytes of base64url without padding; other alphabets, padding and non-zero trailing bits are
    refused.

    Raises:
        EncodingError: not canonical base64url.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise EncodingError("not base64url") from None
    if b64url(data) != text:
        raise EncodingError("not canonical base64url")
    return data
