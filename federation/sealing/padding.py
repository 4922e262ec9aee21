"""Padding to buckets, so that a size says little."""

_SMALLEST = 256


def bucket(size: int) -> int:
    """The padded size for `size` bytes: 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280 … (at
    most a quarter more).
    """
    if size <= _SMALLEST:
        return _SMALLEST
    step = 1 << ((size - 1).bit_length() - 3)
    return -(-size // step) * step


def fine_bucket(size: int) -> int:
    """The padded size of what a vault holds tens of thousands of: sixteen sizes per doubling, from
    64 bytes: 64, 68 … 124, 128, 136 … 1024, 1088 … (at most a sixteenth more). Two bits more than
    `bucket` tells: of a trip with its track, how long it took to within a sixteenth.
    """
    if size <= 64:
        return 64
    step = 1 << ((size - 1).bit_length() - 5)
    return -(-size // step) * step


__all__ = ["bucket", "fine_bucket"]
