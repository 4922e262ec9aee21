"""What a slot says in clear beside its wrapped key: whose passkey, which set of shares."""

from dataclasses import dataclass
from typing import Self

from federation.sealing.layout import Reader, lp

from .errors import SlotParametersError
from .secret import KEY_SIZE


@dataclass(frozen=True, slots=True)
class PasskeyParameters:
    """Layout: `lp(relying party id) ‖ lp(credential id) ‖ lp(PRF input)`; the input has 32 bytes.

    Source: WebAuthn Level 3 §10.1.4, pseudo-random function extension.
    """

    relying_party: str
    credential_id: bytes
    prf_input: bytes

    def encode(self) -> bytes:
        """The bytes for `seal_slot`."""
        return lp(self.relying_party) + lp(self.credential_id) + lp(self.prf_input)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of `encode`.

        Raises:
            LayoutError: not this layout.
            SlotParametersError: an input of another length.
        """
        reader = Reader(data, "passkey-parameters")
        found = cls(reader.text(), reader.lp(), reader.lp())
        reader.end()
        if len(found.prf_input) != KEY_SIZE:
            raise SlotParametersError("a PRF input has 32 bytes")
        return found


@dataclass(frozen=True, slots=True)
class SharesParameters:
    """Layout: `k(1) ‖ n(1) ‖ lp(set identifier)`; the identifier is SLIP-39's, 15 bits in 2 bytes.

    Source: SLIP-0039.
    """

    threshold: int
    count: int
    identifier: int

    def encode(self) -> bytes:
        """The bytes for `seal_slot`."""
        return bytes((self.threshold, self.count)) + lp(self.identifier.to_bytes(2, "big"))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of `encode`.

        Raises:
            LayoutError: not this layout.
            SlotParametersError: not 2 ≤ k ≤ n ≤ 16.
        """
        reader = Reader(data, "shares-parameters")
        threshold, count, identifier = reader.uint(1), reader.uint(1), reader.lp()
        reader.end()
        if not 2 <= threshold <= count <= 16 or len(identifier) != 2:
            raise SlotParametersError("shares are 2 to 16, and at least 2 open")
        return cls(threshold, count, int.from_bytes(identifier, "big"))


__all__ = ["PasskeyParameters", "SharesParameters"]
