"""Cursors of lists: opaque, signed, and good only for the list that gave them.

A cursor is `base64url(JSON position) . base64url(HMAC-SHA-256, first 16 bytes)`. The MAC covers
the list's name, so that a cursor of one list (or one vault) is refused by another.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from federation.wire.errors import CursorRefusedError

__all__ = ["MAX_LIMIT", "CursorSigner", "Page", "clamp"]

MAX_LIMIT: Final = 200
_MAC_BYTES: Final = 16
_MAX_CURSOR: Final = 1024

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list and the cursor of the next one (None: this was the last)."""

    items: tuple[Item, ...]
    cursor: str | None


class CursorSigner:
    """Makes and reads cursors under a key of the server (any bytes of 16 or more)."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a cursor key has at least 16 bytes")
        self._key = hashlib.sha256(b"mobility-vault cursor\0" + key).digest()

    def __repr__(self) -> str:
        return "CursorSigner(***)"

    def sign(self, position: Any, *, of: str) -> str:
        """The cursor of a JSON `position` in the list named `of`."""
        body = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return f"{_encode(body)}.{_encode(self._mac(body, of))}"

    def read(self, cursor: str, *, of: str) -> Any:
        """The position in `cursor`. Raises CursorRefusedError when we did not give it for `of`."""
        if len(cursor) > _MAX_CURSOR:
            raise CursorRefusedError
        try:
            body_text, mac_text = cursor.split(".")
            body, mac = _decode(body_text), _decode(mac_text)
        except (ValueError, binascii.Error):
            raise CursorRefusedError from None
        if not hmac.compare_digest(mac, self._mac(body, of)):
            raise CursorRefusedError
        return json.loads(body)

    def _mac(self, body: bytes, of: str) -> bytes:
        name = of.encode()
        framed = len(name).to_bytes(4, "big") + name + body
        return hmac.new(self._key, framed, hashlib.sha256).digest()[:_MAC_BYTES]


def clamp(limit: int | None, *, default: int = 50) -> int:
    """A page size between 1 and `MAX_LIMIT`."""
    return max(1, min(limit if limit is not None else default, MAX_LIMIT))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not base64url")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
