"""Aids reserved to some, as anybody may carry them and only those who were told can read them.

A *circle* is the staff of a funder, or whoever it gave its link to. Each has a random key. The hub
publishes one file for everybody: the aids of each circle, as a signed catalogue of their own,
sealed under its key. Every home fetches the whole file, whoever its citizens are, so nobody learns
who looks; an open vault that was handed a key reads what is its own, and evaluates it as any other.

Layout of a sealed circle: `circle id(16) ‖ nonce(12) ‖ AES-256-GCM(length(4) ‖ catalogue ‖ zeros)`,
the clear text padded to a multiple of 16 KiB, AAD `mobility-reserved/1␀ ‖ circle id`; the circle id
is SHA-256(`mobility-reserved-circle/1␀` ‖ key), its first 16 bytes. The file is JSON:
`{"circles": [base64url, …]}`, in the order of the ids. The signature is inside the seal: outside,
even the number of a funder's aids is hidden.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.aids.catalogue import MAX_CATALOGUE, Catalogue, open_catalogue
from federation.aids.errors import CatalogueRefusedError
from federation.keys import PublicKey
from federation.multibase import EncodingError, b64url, b64url_decode

__all__ = [
    "MAX_RESERVED",
    "circle_id",
    "circles_in",
    "key_in",
    "open_circle",
    "reserved_file",
    "seal_circle",
]

MAX_RESERVED: Final = 6_000_000
"""Bytes of the file read at most."""
_MAX_CIRCLES: Final = 2_000
_PAD: Final = 16_384
_AAD: Final = b"mobility-reserved/1\x00"
_ID: Final = b"mobility-reserved-circle/1\x00"


def circle_id(key: bytes) -> bytes:
    """What a circle is called in the file: 16 bytes that say nothing of whose it is."""
    return hashlib.sha256(_ID + key).digest()[:16]


def seal_circle(catalogue: bytes, *, key: bytes) -> bytes:
    """A signed catalogue, for whoever holds `key` (32 bytes)."""
    circle, nonce = circle_id(key), secrets.token_bytes(12)
    clear = len(catalogue).to_bytes(4, "big") + catalogue
    clear += bytes(-len(clear) % _PAD)
    return circle + nonce + AESGCM(key).encrypt(nonce, clear, _AAD + circle)


def open_circle(sealed: bytes, *, key: bytes, key_of: Callable[[str], PublicKey]) -> Catalogue:
    """The aids of a circle; `key_of` as in `open_catalogue`.

    Raises:
        CatalogueRefusedError: of another circle, changed, or not signed by whom we trust.
        RuleImportError: a rule outside the subset.
    """
    circle = circle_id(key)
    if sealed[:16] != circle or len(sealed) > MAX_CATALOGUE:
        raise CatalogueRefusedError("not of this circle")
    try:
        clear = AESGCM(key).decrypt(sealed[16:28], sealed[28:], _AAD + circle)
    except (InvalidTag, ValueError) as error:
        raise CatalogueRefusedError("seal") from error
    return open_catalogue(clear[4 : 4 + int.from_bytes(clear[:4], "big")], key_of)


def reserved_file(sealed: Iterable[bytes]) -> bytes:
    """The one file of all circles."""
    body = {"circles": [b64url(one) for one in sorted(sealed)]}
    return json.dumps(body, separators=(",", ":")).encode()


def circles_in(file: bytes) -> Mapping[bytes, bytes]:
    """Circle id → what is sealed.

    Raises:
        CatalogueRefusedError: not such a file.
    """
    if len(file) > MAX_RESERVED:
        raise CatalogueRefusedError("too large")
    try:
        body = json.loads(file)
        sealed = [b64url_decode(text) for text in body["circles"]]
    except (
        EncodingError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CatalogueRefusedError(f"shape: {type(error).__name__}") from error
    if len(sealed) > _MAX_CIRCLES:
        raise CatalogueRefusedError("too many circles")
    return {one[:16]: one for one in sealed}


def key_in(text: str) -> bytes | None:
    """The key in a link that was handed over (after « # »), or on its own; None: there is none."""
    found = text.strip().rpartition("#")[2]
    try:
        key = b64url_decode(found)
    except EncodingError:
        return None
    return key if len(key) == 32 else None
