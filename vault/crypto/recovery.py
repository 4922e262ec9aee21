"""The recovery code: 256 bits that a person can write down and type again.

Text: Crockford's Base32 of `secret(32) ‖ checksum(3)`, 56 characters in 14 groups of 4, checksum =
first 3 bytes of SHA-256 over label and secret. Case, spaces, dashes do not matter; O reads as 0, I
and L as 1.
"""

from hashlib import sha256
from typing import Final, Self

from .errors import RecoveryCodeError
from .secret import KEY_SIZE, Secret, zero

_LABEL: Final = b"mobility-vault/recovery-code/1\x00"
_ALPHABET: Final = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {c: i for i, c in enumerate(_ALPHABET)} | {
    ord("O"): 0,
    ord("I"): 1,
    ord("L"): 1,
}
_IGNORED: Final = frozenset(b" -\t\r\n")
_CHECKSUM: Final = 3
_LENGTH: Final = (KEY_SIZE + _CHECKSUM) * 8 // 5
_GROUP: Final = 4


def _checksum(secret: bytes | bytearray) -> bytes:
    hasher = sha256(_LABEL)
    hasher.update(secret)
    return hasher.digest()[:_CHECKSUM]


class RecoveryCode(Secret):
    """The secret behind a recovery code."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str | bytes | bytearray) -> Self:
        """Read what a person typed.

        Raises:
            RecoveryCodeError: wrong length, an unknown character, or a checksum that does not
                match.
        """
        typed = bytearray(text.encode()) if isinstance(text, str) else bytearray(text)
        digits = bytearray()
        for char in typed.upper():
            if char in _IGNORED:
                continue
            if char not in _VALUE:
                raise RecoveryCodeError("a character that no code has")
            digits.append(_VALUE[char])
        if len(digits) != _LENGTH:
            raise RecoveryCodeError(f"{len(digits)} characters, a code has {_LENGTH}")
        raw = bytearray()
        for start in range(0, _LENGTH, 8):  # 8 characters are 5 bytes
            group = 0
            for digit in digits[start : start + 8]:
                group = group << 5 | digit
            raw += group.to_bytes(5, "big")
        secret, check = raw[:KEY_SIZE], bytes(raw[KEY_SIZE:])
        is_right = _checksum(secret) == check
        zero(raw, digits, typed)
        if not is_right:
            zero(secret)
            raise RecoveryCodeError("the checksum does not match: a character is wrong")
        return cls(secret)

    def reveal(self) -> bytearray:
        """The code as ASCII, `XXXX-XXXX-…`, for the one page that shows it. The caller zeroes
        it.
        """
        raw = self.view + _checksum(self.view)
        text = bytearray()
        for start in range(0, len(raw), 5):
            group = int.from_bytes(raw[start : start + 5], "big")
            text += bytes(_ALPHABET[group >> shift & 31] for shift in range(35, -1, -5))
        zero(raw)
        return bytearray(b"-").join(text[i : i + _GROUP] for i in range(0, len(text), _GROUP))


__all__ = ["RecoveryCode"]
