"""Identifiers: IRIs, DIDs, digests."""

import os
import re
import uuid
from hashlib import sha1, sha256
from typing import NewType

from .errors import RecordError

Iri = NewType("Iri", str)
"""An absolute IRI without characters that N-Quads would have to escape."""
Did = NewType("Did", str)
Digest = NewType("Digest", bytes)
"""SHA-256, 32 raw bytes."""

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|^`\\\x7f-\x9f\ud800-\udfff]+")
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%\-]+")
_NODE_SPACE = uuid.UUID("5f0c2a5e-8d0f-5d59-9a52-6a3f35c5d9f1")
_NODE_SPACE_BYTES = _NODE_SPACE.bytes
_VARIANT = {digit: f"{int(digit, 16) & 3 | 8:x}" for digit in "0123456789abcdef"}
"""The digit that holds the variant bits, `10` first (RFC 9562 §4.1)."""


def mint_iri() -> Iri:
    """A random `urn:uuid:` (version 4), never derived from time or place."""
    text = os.urandom(16).hex()  # uuid.uuid4, without its object
    rest = f"{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"
    return Iri(f"urn:uuid:{text[:8]}-{text[8:12]}-4{text[13:16]}-{rest}")


def parse_iri(text: object, *, where: str = "") -> Iri:
    """`text` as an absolute IRI.

    Raises:
        RecordError: not a string, no scheme, or characters RFC 3987 forbids.
    """
    if isinstance(text, str) and len(text) <= 2048 and _IRI.fullmatch(text):
        return Iri(text)
    raise RecordError("not an absolute IRI", where=where)


def parse_did(text: object, *, where: str = "") -> Did:
    """`text` as a DID without fragment, path or query (DID Core §3.1)."""
    if isinstance(text, str) and len(text) <= 2048 and _DID.fullmatch(text):
        return Did(text)
    raise RecordError("not a DID", where=where)


def node_iri(parent: str, path: str) -> Iri:
    """The id of a node nested in `parent` at `path`, e.g. `legs/0/origin`.

    Deterministic (UUID version 5 over our own namespace), so writing a record twice gives the same
    bytes and no record ever needs a blank node.
    """
    # uuid.uuid5, without its objects: a trip has ten nested nodes.
    name = sha1(_NODE_SPACE_BYTES + f"{parent} {path}".encode(), usedforsecurity=False)
    text = name.hexdigest()
    rest = f"{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
    return Iri(f"urn:uuid:{text[:8]}-{text[8:12]}-5{text[13:16]}-{rest}")


def digest(data: bytes) -> Digest:
    """SHA-256 of `data`."""
    return Digest(sha256(data).digest())


def digest_text(value: Digest) -> str:
    """`sha256:` and 64 lower-case hexadecimal digits."""
    return f"sha256:{value.hex()}"


def parse_digest(text: object, *, where: str = "") -> Digest:
    """Inverse of `digest_text`.

    Raises:
        RecordError: anything else, upper case included: one digest has one spelling.
    """
    if isinstance(text, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        return Digest(bytes.fromhex(text[7:]))
    raise RecordError("not a sha256 digest", where=where)


__all__ = [
    "Did",
    "Digest",
    "Iri",
    "digest",
    "digest_text",
    "mint_iri",
    "node_iri",
    "parse_did",
    "parse_digest",
    "parse_iri",
]
