"""A credential inside a QR code: read by any phone, checked with no network.

`MV1:` ‖ base45(zlib(JSON)), the alphabet that a QR code packs tightest (RFC 9285, as the European
health certificates did). What comes out is the signed document itself, byte for byte as it was
written: its signature is checked as that of any file.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from federation.credentials.model import MAX_PRESENTATION
from federation.credentials.shape import ShapeError

__all__ = ["MAX_CODE", "PREFIX", "read_code", "write_code"]

PREFIX: Final = "MV1:"
MAX_CODE: Final = 4_296
"""Characters of the alphabet in the largest code (version 40, level L; ISO/IEC 18004, table 7)."""
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}


def write_code(document: Mapping[str, Any]) -> str:
    """The text of a code that holds `document`.

    Raises:
        ShapeError: `too-large`: more than one code holds.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    code = PREFIX + _encode(zlib.compress(text.encode(), 9))
    if len(code) > MAX_CODE:
        raise ShapeError("too-large", "", "more than one code holds")
    return code


def read_code(text: str) -> bytes:
    """The document in a code's text, as bytes.

    Raises:
        ShapeError: `json-refused`: not such a code; `too-large`.
    """
    given = text.strip()
    if len(given) > MAX_CODE:
        raise ShapeError("too-large", "", "more than one code holds")
    if not given.startswith(PREFIX):
        raise ShapeError("json-refused", "", "not a code of ours")
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(_decode(given[len(PREFIX) :]), MAX_PRESENTATION + 1)
    except (ValueError, zlib.error) as error:
        raise ShapeError("json-refused", "", "the code is damaged") from error
    if len(found) > MAX_PRESENTATION:
        raise ShapeError("too-large", "", "the document is too large")
    if not inflater.eof or inflater.unused_data:
        raise ShapeError("json-refused", "", "the code is damaged")
    return found


def _encode(data: bytes) -> str:
    """RFC 9285: two bytes are three characters, a last single one two; least digit first."""
    out = []
    for at in range(0, len(data), 2):
        chunk = data[at : at + 2]
        value = int.from_bytes(chunk)
        for _ in range(len(chunk) + 1):
            value, digit = divmod(value, 45)
            out.append(_ALPHABET[digit])
    return "".join(out)


def _decode(text: str) -> bytes:
    out = bytearray()
    for at in range(0, len(text), 3):
        chunk = text[at : at + 3]
        if len(chunk) == 1 or any(character not in _VALUES for character in chunk):
            raise ValueError("not base45")
        value = sum(_VALUES[character] * 45**place for place, character in enumerate(chunk))
        size = len(chunk) - 1
        if value >= 256**size:
            raise ValueError("not base45")
        out += value.to_bytes(size)
    return bytes(out)
