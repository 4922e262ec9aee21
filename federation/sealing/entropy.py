"""Where random bytes come from: the operating system, always.

One door, so that the vectors' generator can put fixed bytes behind it (tests only; product code has
no way to ask for that).
"""

import os
from pathlib import Path


def token(size: int) -> bytes:
    """`size` random bytes for what need not be zeroed: nonces, salts, identifiers, single-use data
    keys.
    """
    return os.urandom(size)


def secret(size: int) -> bytearray:
    """`size` random bytes that never existed as `bytes`: long-lived key material, zeroed by its
    owner.
    """
    buffer = bytearray(size)
    with Path("/dev/urandom").open("rb", buffering=0) as source:
        view = memoryview(buffer)
        while view:
            view = view[source.readinto(view) or 0 :]
    return buffer
