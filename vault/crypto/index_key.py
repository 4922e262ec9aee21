"""Blind index tags: the server can look up by month or kind without learning which."""

import hmac
from typing import Final

from federation.sealing.layout import lp

from .secret import Secret

_LABEL: Final = b"mobility-vault/tag/1\x00"
TAG_SIZE: Final = 16


class IndexKey(Secret):
    """The index key of one compartment and epoch."""

    __slots__ = ("_fields", "epoch")

    def __init__(self, buffer: bytearray, *, epoch: int) -> None:
        super().__init__(buffer)
        self.epoch = epoch
        self._fields: dict[str, bytes] = {}

    def tag(self, field: str, value: str) -> bytes:
        """First 16 bytes of HMAC-SHA256(key, label ‖ lp(field) ‖ lp(value)).

        Equal values give equal tags: use it for coarse, low-risk fields (month, kind), never for a
        place.
        """
        start = self._fields.get(field)
        if start is None:
            start = self._fields[field] = _LABEL + lp(field)
        return hmac.digest(self.view, start + lp(value), "sha256")[:TAG_SIZE]


__all__ = ["IndexKey"]
