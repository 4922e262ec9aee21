"""The frame inside every sealed payload: schema version, codec, length, padding.

`schema_version u16 ‖ codec(1) ‖ length u32 ‖ packed ‖ zero padding to a bucket`. Codec 0: plain.
Codec 1: DEFLATE. Codec 2 and up: DEFLATE with the preset dictionary of that number
(`dictionaries`). Codec 5: `plain u16 ‖ that many bytes as they are ‖ DEFLATE of the rest, with the
dictionary of that number; nothing, where there is no rest`, padded to finer buckets: for payloads
that begin with what is random or packed already. The codec is inside the seal, so it tells nobody
the kind.
"""

from struct import Struct
from struct import error as _StructError  # noqa: N812  # the module's own name
from typing import Final, NamedTuple

from federation.sealing.compression import compress, decompress
from federation.sealing.errors import LayoutError
from federation.sealing.padding import bucket, fine_bucket

from .dictionaries import BY_KIND, DICTIONARIES
from .errors import PayloadTooLargeError

MAX_PAYLOAD: Final = 1 << 20
"""Before compression, and the bound of decompression."""
_PLAIN: Final = 0
_DEFLATE: Final = 1
_PARTED: Final = 5
_HEAD: Final = Struct(">HBI")


class Opened(NamedTuple):
    """A payload and the version of the schema it was written in: older ones go through
    `upgrade_n`.
    """

    payload: bytes
    schema_version: int


def frame(payload: bytes, *, schema_version: int, kind: str | None = None, plain: int = 0) -> bytes:
    """Pack, frame and pad. Not compressed where that would not help. `plain`: how many first bytes
    cannot be compressed, up to 65 535; then it is codec 5.

    Raises:
        PayloadTooLargeError: over 1 MiB.
    """
    if len(payload) > MAX_PAYLOAD:
        raise PayloadTooLargeError(size=len(payload), limit=MAX_PAYLOAD)
    if plain:
        rest = payload[plain:]
        packed = plain.to_bytes(2, "big") + payload[:plain]
        if rest:
            packed += compress(rest, dictionary=DICTIONARIES[_PARTED])
        size = 7 + len(packed)
        return b"".join(
            (
                schema_version.to_bytes(2, "big"),
                b"\x05",
                len(packed).to_bytes(4, "big"),
                packed,
                bytes(fine_bucket(size) - size),
            )
        )
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
    try:
        schema_version, codec, size = _HEAD.unpack_from(data)
    except _StructError:
        raise LayoutError(layout, "truncated") from None
    packed = bytes(data[_HEAD.size : _HEAD.size + size])
    if len(packed) != size:
        raise LayoutError(layout, "truncated")
    if schema_version == 0:
        raise LayoutError(layout, "schema version 0")
    if codec == _PARTED:
        return Opened(_join(packed, layout), schema_version)
    if codec == _PLAIN:
        return Opened(packed, schema_version)
    if codec != _DEFLATE and codec not in DICTIONARIES:
        raise LayoutError(layout, f"codec {codec} is not known")
    return Opened(
        decompress(packed, limit=MAX_PAYLOAD, dictionary=DICTIONARIES.get(codec, b"")),
        schema_version,
    )


def _join(packed: bytes, layout: str) -> bytes:
    end = 2 + int.from_bytes(packed[:2], "big")
    first, rest = packed[2:end], packed[end:]
    if len(packed) < end:
        raise LayoutError(layout, "truncated")
    if not rest:
        return first
    limit = MAX_PAYLOAD - len(first)
    return first + decompress(rest, limit=limit, dictionary=DICTIONARIES[_PARTED])


__all__ = ["MAX_PAYLOAD", "Opened"]
