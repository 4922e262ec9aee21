"""What a browser remembers of a vault's head, so that an older copy of the store shows.

The value is `<vault id>.<base64url of the 44 bytes of MVW>` in the cookie `__Host-temoin`: kept by
the browser, outside the home's store, its backups and its replicas. It is no secret and opens
nothing. The home writes it with every answer given over an open vault and compares at unlock.
"""

from typing import Final

from federation.multibase import EncodingError, b64url, b64url_decode
from federation.sealing.errors import LayoutError
from schemas.ids import Digest
from vault.crypto.head import HeadWitness

__all__ = ["WITNESS_AGE_S", "WITNESS_COOKIE", "remembered", "to_cookie"]

WITNESS_COOKIE: Final = "__Host-temoin"
WITNESS_AGE_S: Final = 400 * 24 * 3600
"""The longest that browsers keep a cookie (RFC 6265bis)."""


def to_cookie(vault_id: str, *, seq: int, head: bytes) -> str:
    """The value to keep."""
    return f"{vault_id}.{b64url(HeadWitness(seq, Digest(head)).encode())}"


def remembered(cookie: str | None, vault_id: str) -> HeadWitness | None:
    """What this browser saw of this vault; None when it never opened it, or the value is none of
    ours (a browser can always forget: the witness hub and the home's own note remain)."""
    name, _, value = (cookie or "").partition(".")
    if name != vault_id or len(value) > 100:
        return None
    try:
        return HeadWitness.decode(b64url_decode(value))
    except (EncodingError, LayoutError):
        return None
