"""Month keys: what opens the records of one compartment and one month, and nothing else. The unit
of a grant.
"""

import re
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing.errors import LayoutError
from federation.sealing.layout import lp
from schemas.records import Compartment

from .errors import KeyringLockedError
from .secret import Secret, expand, zero

_MONTH_LABEL: Final = b"mobility-vault/month-key/1\x00"
_WRAP_LABEL: Final = b"mobility-vault/month-key/wrap/1"
_MANIFEST_LABEL: Final = b"mobility-vault/month-key/manifest/1"
UNDATED: Final = "undated"
"""The month of records that have none."""
_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


def check_month(month: str) -> str:
    """`YYYY-MM` or `undated`: seven ASCII characters either way.

    Raises:
        LayoutError: anything else.
    """
    if month != UNDATED and not _MONTH.fullmatch(month):
        raise LayoutError("month", "neither YYYY-MM nor undated")
    return month


class MonthKey(Secret):
    """HKDF-Expand(record key of the epoch, label ‖ lp(vault) ‖ lp(compartment) ‖ epoch u32 ‖
    lp(month)), 32 bytes.

    From it two AES-256-GCM keys by HKDF-Expand: `…/wrap/1` wraps data keys, `…/manifest/1` seals
    the month manifest. Both ciphers are kept ready and may be shared between threads.
    """

    __slots__ = ("_manifest", "_wrap", "compartment", "epoch", "month", "place", "vault")

    def __init__(
        self, buffer: bytearray, *, vault: str, compartment: Compartment, month: str, epoch: int
    ) -> None:
        super().__init__(buffer)
        self.vault, self.compartment = vault, compartment
        self.month, self.epoch = check_month(month), epoch
        self.place = lp(compartment.value) + lp(month)
        """As wraps name it."""
        self._wrap: AESGCM | None = None
        self._manifest: AESGCM | None = None

    @property
    def wrap(self) -> AESGCM:
        """Cipher that wraps data keys.

        Raises:
            KeyringLockedError: zeroed.
        """
        if self._wrap is None:
            self._wrap = self._cipher(_WRAP_LABEL)
        return self._wrap

    @property
    def manifest(self) -> AESGCM:
        """Cipher that seals the month manifest.

        Raises:
            KeyringLockedError: zeroed.
        """
        if self._manifest is None:
            self._manifest = self._cipher(_MANIFEST_LABEL)
        return self._manifest

    def wipe(self) -> None:
        """Zero the key and drop both ciphers."""
        self._wrap = self._manifest = None
        super().wipe()

    def _cipher(self, label: bytes) -> AESGCM:
        if self.is_wiped:
            raise KeyringLockedError
        key = expand(self.view, label)
        cipher = AESGCM(key)
        zero(key)
        return cipher

    def __repr__(self) -> str:
        return f"MonthKey({self.compartment}, {self.month}, epoch={self.epoch}, ***)"


def derive_month_key(
    record_key: bytearray, *, vault: str, compartment: Compartment, month: str, epoch: int
) -> MonthKey:
    """The month key of one epoch's record key."""
    check_month(month)
    info = b"".join(
        (_MONTH_LABEL, lp(vault), lp(compartment.value), epoch.to_bytes(4, "big"), lp(month))
    )
    return MonthKey(
        expand(record_key, info), vault=vault, compartment=compartment, month=month, epoch=epoch
    )


__all__ = ["UNDATED", "MonthKey"]
