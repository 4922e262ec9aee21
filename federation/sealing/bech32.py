"""Bech32 (BIP 173), without its limit of 90 characters, as age uses it for keys."""

from typing import Final

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                check ^= generator
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _regroup(data: bytes | list[int], source: int, target: int, *, pad: bool) -> list[int]:
    out, buffer, bits = list[int](), 0, 0
    for value in data:
        buffer, bits = buffer << source | value, bits + source
        while bits >= target:
            bits -= target
            out.append(buffer >> bits & ((1 << target) - 1))
        buffer &= (1 << bits) - 1
    if pad and bits:
        out.append(buffer << (target - bits) & ((1 << target) - 1))
    elif not pad and (bits >= source or buffer):
        raise ValueError("bech32 padding")
    return out


def bech32_encode(prefix: str, data: bytes | bytearray) -> str:
    """`prefix1data…checksum`, lower case."""
    words = _regroup(bytes(data), 8, 5, pad=True)
    check = _polymod(_expand(prefix) + words + [0] * _CHECKSUM) ^ 1
    words += [check >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_ALPHABET[w] for w in words)}"


def bech32_decode(text: str) -> tuple[str, bytearray]:
    """Prefix (lower case) and data.

    Raises:
        ValueError: mixed case, unknown characters, wrong checksum or padding.
    """
    if text not in (text.lower(), text.upper()):
        raise ValueError("bech32 in mixed case")
    prefix, mark, rest = text.lower().rpartition("1")
    if not mark or not prefix or len(rest) < _CHECKSUM or any(c not in _ALPHABET for c in rest):
        raise ValueError("not bech32")
    if any(not "!" <= c <= "~" for c in prefix):
        raise ValueError("not bech32")
    words = [_ALPHABET.index(c) for c in rest]
    if _polymod(_expand(prefix) + words) != 1:
        raise ValueError("bech32 checksum")
    return prefix, bytearray(_regroup(words[:-_CHECKSUM], 5, 8, pad=False))


__all__ = ["bech32_decode", "bech32_encode"]
