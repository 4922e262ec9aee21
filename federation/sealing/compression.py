"""Compression before sealing, and bounded decompression after opening. Raw DEFLATE (RFC 1951).

A small window for small inputs: setting up 32 KiB costs fifteen times more than compressing a
kilobyte. Any inflater reads both.
"""

import zlib

from .errors import DecompressionRefusedError

_SMALL = 4096


def compress(data: bytes, *, dictionary: bytes = b"") -> bytes:
    """Raw DEFLATE of `data`, with a preset dictionary of at most 8 KiB."""
    small = len(data) <= _SMALL
    bits, memory = (-13, 5) if small else (-15, 8)
    if dictionary:
        packer = zlib.compressobj(
            6, zlib.DEFLATED, bits, memory, zlib.Z_DEFAULT_STRATEGY, dictionary
        )
    else:
        packer = zlib.compressobj(6, zlib.DEFLATED, bits, memory)
    return packer.compress(data) + packer.flush()


def decompress(
    data: bytes | bytearray | memoryview, *, limit: int, dictionary: bytes = b""
) -> bytes:
    """Inverse of `compress`; never makes more than `limit` bytes.

    Raises:
        DecompressionRefusedError: broken, unfinished, followed by other bytes, or longer than
            `limit`.
    """
    unpacker = zlib.decompressobj(-15, dictionary) if dictionary else zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise DecompressionRefusedError(limit=limit) from None
    if len(out) > limit or not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise DecompressionRefusedError(limit=limit)
    return out


__all__ = ["compress", "decompress"]
