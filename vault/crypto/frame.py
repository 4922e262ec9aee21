"""The frame inside every sealed payload: schema version, codec, length, padding.

`schema_version u16 ‖ codec(1) ‖ length u32 ‖ packed ‖ zero padding to a bucket`. Codec 0: plain.
Codec 1: DEFLATE. Codec 2 and up: DEFLATE with the preset dictionary of that number
(`dictionaries`). The codec is inside the seal, so it tells nobody the kind.
"""

from typing import Final, NamedTuple

from federation.sealing.compression import compress, decompress
from federation.sealing.layout import Reader
from federation.sealing.padding import bucket

from .dictionaries import BY_KIND, DICTIONARIES
from .errors import PayloadTooLargeError

MAX_PAYLOAD: Final = 1 << 20
"""Before compression, and the bound of decompression."""
_PLAIN: Final = 0
_DEFLATE: Final = 1


class Opened(NamedTuple):
    """A payload and the version of the schema it was written in: older ones go through
    `upgrade_n`.
    """

    payload: bytes
    schema_version: int


def frame(payload: bytes, *, schema_version: int, kind: str | None = None) -> bytes:
    """Pack, frame and pad. Not compressed where that would not help.

    Raises:
        PayloadTooLargeError: over 1 MiB.
    """
    if len(payload) > MAX_PAYLOAD:
        raise PayloadTooLargeError(size=len(payload), limit=MAX_PAYLOAD)
    codec = BY_KIND.get(kind, _DEFLATE) if kind else _DEFLATE
    packed = compress(payload, dictionary=DICTIONARIES.get(codec, b""))
    if len(packed) >= len(payload):
        codec, packed = _PLAIN, payload
    size = 7 + len(packed)
    return b"".join(
        (
            schema_version.to_bytes(2, "big"),
            bytes((codec,)),
            len(packed).to_bytes(4, "big"),
            packed,
            bytes(bucket(size) - size),
        )
    )


def unframe(data: bytes | bytearray, *, layout: str) -> Opened:
    """Inverse of `frame`.

    Raises:
        LayoutError: not this layout, an unknown codec, schema version 0.
        DecompressionRefusedError: over 1 MiB.
    """
    reader = Reader(data, layout)
    schema_version, codec = reader.uint(2), reader.uint(1)
    packed = reader.take(reader.uint(4))
    if schema_version == 0:
        raise reader.fail("schema version 0")
    if codec == _PLAIN:
        return Opened(packed, schema_version)
    if codec != _DEFLATE and codec not in DICTIONARIES:
        raise reader.fail(f"codec {codec} is not known")
    return Opened(
        decompress(packed, limit=MAX_PAYLOAD, dictionary=DICTIONARIES.get(codec, b"")),
        schema_version,
    )


__all__ = ["MAX_PAYLOAD", "Opened"]
