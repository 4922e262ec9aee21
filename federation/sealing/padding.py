"""Padding to buckets, so that a size says little: four sizes per doubling, from 256 bytes."""

_SMALLEST = 256


def bucket(size: int) -> int:
    """The padded size for `size` bytes: 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280 … (at
    most a quarter more).
    """
    if size <= _SMALLEST:
        return _SMALLEST
    step = 1 << ((size - 1).bit_length() - 3)
    return -(-size // step) * step


__all__ = ["bucket"]
