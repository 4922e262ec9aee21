"""Text forms of bytes: base58btc and base64url, strict both ways, and the multibase letters `z` and
`u`.

Source: Controlled Identifiers 1.0 §2.4 (Multibase), RFC 4648 §5.
"""

from __future__ import annotations

import binascii
from typing import Final

from schemas.errors import InvalidInput, MobilityError

__all__ = ["EncodingError", "b64url", "b64url_decode", "base58_decode", "base58_encode"]

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MAX_BASE58: Final = 256
"""Longest text decoded: the conversion is quadratic; a P-384 signature (96 bytes) takes 132
characters."""
_FOREIGN: Final = 255
_DIGITS: Final = bytes(
    _ALPHABET.index(chr(code)) if chr(code) in _ALPHABET else _FOREIGN for code in range(256)
)
"""Byte of a character → its digit."""
_LEVELS: Final = tuple(
    (width, 58 ** (width // 8), (2 ** (8 * _MAX_BASE58) - 1) // (2**width + 1))
    for width in (8, 16, 32, 64, 128, 256, 512, 1024)
)
"""Bits of a lane, weight of its neighbour, mask of every second lane."""
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
"""base64url → base64; what is foreign to base64url becomes foreign to base64."""
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


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
    digits = text.encode("utf-8", "replace").translate(_DIGITS)
    if _FOREIGN in digits:
        raise EncodingError("not base58")
    # Digits stand in lanes of one byte; at each level neighbours become one of twice the width.
    number = int.from_bytes(digits)
    for width, weight, mask in _LEVELS:
        if width >= 8 * len(digits):
            break
        number = (number & mask) + (number >> width & mask) * weight
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


def b64url(data: bytes) -> str:
    """base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Bytes of base64url without padding; other alphabets, padding and non-zero trailing bits are
    refused.

    Raises:
        EncodingError: not canonical base64url.
    """
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD) + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(standard)
    except (binascii.Error, UnicodeEncodeError):
        raise EncodingError("not base64url") from None
    if binascii.b2a_base64(data, newline=False) != standard:
        raise EncodingError("not canonical base64url")
    return data
