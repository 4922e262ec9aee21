"""The ways to open a vault, each tried against the slots of its kind.

A way owns its secret and wipes it when the attempt is over, right or wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vault.crypto.errors import WrongSecretError
from vault.crypto.kdf import Argon2Profile
from vault.crypto.recovery import RecoveryCode
from vault.crypto.secret import RootKey, Secret, zero
from vault.crypto.shares import combine, open_shares_slot
from vault.crypto.slot_parameters import SharesParameters
from vault.crypto.slots import Slot as SlotHeader
from vault.crypto.slots import (
    SlotKind,
    open_passphrase_slot,
    open_recovery_slot,
    open_slot,
    seal_passphrase_slot,
    seal_slot,
)
from vault.store import Slot

__all__ = [
    "PasskeyProof",
    "PasskeyWay",
    "PassphraseWay",
    "RecoveryWay",
    "SharesWay",
    "Way",
    "open_any",
]


class Way(Protocol):
    """One secret and the kind of slot it opens."""

    kind: SlotKind

    def fits(self, slot: Slot) -> bool:
        """Whether to try this slot at all."""
        ...

    def open(self, sealed: bytes, *, pepper: bytes, vault: str) -> RootKey:
        """The root key. Raises WrongSecretError."""
        ...

    def seal(
        self,
        root: RootKey,
        earlier: bytes,
        *,
        pepper: bytes,
        vault: str,
        profile: Argon2Profile,
        ring_key: Secret,
    ) -> bytes:
        """The slot `earlier` again, which this secret opened: same number and parameters."""
        ...

    def wipe(self) -> None:
        """Forget the secret."""
        ...


@dataclass(frozen=True, slots=True)
class PasskeyProof:
    """A passkey whose answer was verified, and what its PRF gave; `PasskeyService` makes it."""

    vault_id: str
    slot_id: str
    secret: Secret = field(repr=False)
    """32 bytes of the PRF extension; whoever uses the proof wipes it."""


class PassphraseWay:
    """What a person types."""

    kind = SlotKind.PASSPHRASE

    def __init__(self, passphrase: str | bytearray) -> None:
        # A `str` (a form's field) cannot be zeroed; our copy can.
        self.secret = (
            bytearray(passphrase.encode("utf-8", "surrogatepass"))
            if isinstance(passphrase, str)
            else bytearray(passphrase)
        )

    def fits(self, slot: Slot) -> bool:
        return slot.kind == "passphrase"

    def open(self, sealed: bytes, *, pepper: bytes, vault: str) -> RootKey:
        return open_passphrase_slot(sealed, self.secret, pepper=pepper, vault=vault)

    def seal(
        self,
        root: RootKey,
        earlier: bytes,
        *,
        pepper: bytes,
        vault: str,
        profile: Argon2Profile,
        ring_key: Secret,
    ) -> bytes:
        return seal_passphrase_slot(
            root,
            self.secret,
            pepper=pepper,
            vault=vault,
            profile=profile,
            ring_key=ring_key,
            slot_id=SlotHeader.parse(earlier).slot_id,
        )

    def wipe(self) -> None:
        zero(self.secret)


class RecoveryWay:
    """The recovery code."""

    kind = SlotKind.RECOVERY

    def __init__(self, typed: str | bytearray) -> None:
        """Raises RecoveryCodeError: mistyped; no slot is tried."""
        self._code = RecoveryCode.parse(typed)

    def fits(self, slot: Slot) -> bool:
        return slot.kind == "recovery"

    def open(self, sealed: bytes, *, pepper: bytes, vault: str) -> RootKey:
        return open_recovery_slot(sealed, self._code, pepper=pepper, vault=vault)

    def seal(
        self,
        root: RootKey,
        earlier: bytes,
        *,
        pepper: bytes,
        vault: str,
        profile: Argon2Profile,  # noqa: ARG002  # of passphrases
        ring_key: Secret,
    ) -> bytes:
        return _seal_again(
            root, earlier, self._code.view, pepper=pepper, vault=vault, ring_key=ring_key
        )

    def wipe(self) -> None:
        self._code.wipe()


class SharesWay:
    """k of n recovery shares."""

    kind = SlotKind.SHARES

    def __init__(self, lines: Sequence[str]) -> None:
        """Raises RecoverySharesError: mistyped, mixed or too few; no slot is tried."""
        self._identifier, self._secret = combine(lines)

    def fits(self, slot: Slot) -> bool:
        if slot.kind != "shares":
            return False
        found = SharesParameters.decode(SlotHeader.parse(slot.sealed).parameters)
        return found.identifier == self._identifier

    def open(self, sealed: bytes, *, pepper: bytes, vault: str) -> RootKey:
        return open_shares_slot(sealed, self._secret, pepper=pepper, vault=vault)

    def seal(
        self,
        root: RootKey,
        earlier: bytes,
        *,
        pepper: bytes,
        vault: str,
        profile: Argon2Profile,  # noqa: ARG002  # of passphrases
        ring_key: Secret,
    ) -> bytes:
        return _seal_again(
            root, earlier, self._secret.view, pepper=pepper, vault=vault, ring_key=ring_key
        )

    def wipe(self) -> None:
        self._secret.wipe()


class PasskeyWay:
    """A passkey's PRF output."""

    kind = SlotKind.PASSKEY_PRF

    def __init__(self, proof: PasskeyProof) -> None:
        self._proof = proof

    def fits(self, slot: Slot) -> bool:
        return slot.kind == "passkey_prf" and slot.slot_id == self._proof.slot_id

    def open(self, sealed: bytes, *, pepper: bytes, vault: str) -> RootKey:
        return open_slot(sealed, secret=self._proof.secret.view, pepper=pepper, vault=vault)

    def seal(
        self,
        root: RootKey,
        earlier: bytes,
        *,
        pepper: bytes,
        vault: str,
        profile: Argon2Profile,  # noqa: ARG002  # of passphrases
        ring_key: Secret,
    ) -> bytes:
        return _seal_again(
            root, earlier, self._proof.secret.view, pepper=pepper, vault=vault, ring_key=ring_key
        )

    def wipe(self) -> None:
        self._proof.secret.wipe()


def _seal_again(
    root: RootKey,
    earlier: bytes,
    secret: bytearray,
    *,
    pepper: bytes,
    vault: str,
    ring_key: Secret,
) -> bytes:
    slot = SlotHeader.parse(earlier)
    return seal_slot(
        root,
        kind=slot.kind,
        secret=secret,
        pepper=pepper,
        vault=vault,
        parameters=slot.parameters,
        ring_key=ring_key,
        slot_id=slot.slot_id,
    )


def open_any(
    way: Way, slots: Sequence[Slot], *, pepper: bytes, vault: str
) -> tuple[RootKey, Slot] | None:
    """The root key and the slot that gave it; None when no slot of this kind opens."""
    for slot in slots:
        if not way.fits(slot):
            continue
        try:
            return way.open(slot.sealed, pepper=pepper, vault=vault), slot
        except WrongSecretError:
            continue
    return None
