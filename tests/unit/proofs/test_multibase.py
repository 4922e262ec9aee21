"""Text forms of bytes: strict both ways, whatever the text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.multibase import (
    EncodingError,
    b64url,
    b64url_decode,
    base58_decode,
    base58_encode,
)

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def by_hand(text: str) -> bytes:
    """Base58 digit by digit."""
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


@given(st.text(ALPHABET, max_size=256))
def test_base58_is_what_digit_by_digit_gives(text: str) -> None:
    assert base58_decode(text) == by_hand(text)


@given(st.binary(max_size=180))
def test_bytes_come_back_from_both_forms(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data
    assert b64url_decode(b64url(data)) == data
    assert b64url(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "é", "a\ud800", " a", "a\n", "1" * 257])
def test_what_is_not_base58_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        base58_decode(text)


@pytest.mark.parametrize(
    "text",
    ["a", "AB", "ab=", "ab==", "a b", "abc+", "abc/", "abc\n", "ab!c", "!!!!", "é", "\ud800"],
)
def test_what_is_not_canonical_base64url_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        b64url_decode(text)


@given(st.text(max_size=12))
def test_only_one_text_stands_for_given_bytes(text: str) -> None:
    for decode, encode in ((base58_decode, base58_encode), (b64url_decode, b64url)):
        try:
            data = decode(text)
        except EncodingError:
            continue
        assert encode(data) == text
