"""Slots wrap the root key: one per way in, all equal, each under the vault's pepper.

Losing every slot loses the data. A stolen database without the pepper (kept in the home's key
store) gives nothing to guess against.
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.layout import Reader, head, lp

from .errors import SealBrokenError, SlotParametersError, WrongSecretError
from .kdf import (
    INTERACTIVE,
    LANES,
    SALT_SIZE,
    Argon2Profile,
    check_costs,
    passphrase_bytes,
    stretch,
)
from .recovery import RecoveryCode
from .secret import KEY_SIZE, RootKey, Secret, derive, zero

_LABEL: Final = b"mobility-vault/slot/1\x00"
_COMMITMENT: Final = 32
_MAX_PARAMETERS: Final = 4096


class SlotKind(IntEnum):
    """The way in, as a number that is stored."""

    PASSPHRASE = 1
    """Argon2id of what the person types."""
    RECOVERY = 2
    """256 random bits, shown once."""
    PASSKEY_PRF = 3
    """32 bytes of the WebAuthn PRF extension; parameters hold relying party, credential id and PRF
    input.
    """
    SHARES = 4
    """256 bits put together from k of n shares; parameters hold k, n and the set's identifier."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What anybody can read of a slot."""

    kind: SlotKind
    slot_id: bytes
    profile: Argon2Profile | None
    """Argon2id costs; none where the secret has 256 bits already."""
    salt: bytes
    parameters: bytes
    header: bytes
    commitment: bytes
    nonce: bytes
    wrapped: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a slot.

        Raises:
            LayoutError: not this layout, or a kind of the future.
            SlotParametersError: costs outside our bounds.
        """
        reader = Reader(data, "slot")
        reader.head(b"S")
        number = reader.uint(1)
        if number not in SlotKind.__members__.values():
            raise reader.fail(f"kind {number} is not known")
        slot_id, algorithm = reader.take(16), reader.uint(1)
        memory, iterations, lanes = reader.uint(4), reader.uint(4), reader.uint(1)
        salt, parameters = reader.take(SALT_SIZE), reader.lp()
        header = data[: reader.tell()]
        match algorithm:
            case 0 if not memory and not iterations and not lanes:
                profile = None
            case 1:
                check_costs(memory, iterations, lanes)
                profile = Argon2Profile("stored", memory, iterations)
            case _:
                raise SlotParametersError("the derivation of this slot is not known")
        commitment, nonce = reader.take(_COMMITMENT), reader.take(12)
        wrapped = reader.take(KEY_SIZE + 16)
        reader.end()
        return cls(
            SlotKind(number), slot_id, profile, salt, parameters, header, commitment, nonce, wrapped
        )

    def is_weaker_than(self, profile: Argon2Profile) -> bool:
        """Whether to seal it again at the next unlock, with today's costs."""
        return self.profile is not None and (
            self.profile.memory_kib < profile.memory_kib
            or self.profile.iterations < profile.iterations
        )


def _wrapping_key(
    secret: bytearray,
    slot_header: bytes,
    *,
    profile: Argon2Profile | None,
    salt: bytes,
    pepper: bytes | bytearray,
    vault: str,
) -> bytearray:
    """64 bytes: AES key, then commitment."""
    strong = stretch(secret, salt=salt, profile=profile) if profile else bytearray(secret)
    out = derive(
        strong,
        salt=bytes(pepper),
        info=_LABEL + lp(vault) + slot_header,
        size=KEY_SIZE + _COMMITMENT,
    )
    zero(strong)
    return out


def seal_slot(
    root: RootKey,
    *,
    kind: SlotKind,
    secret: bytearray,
    pepper: bytes | bytearray,
    vault: str,
    profile: Argon2Profile | None = None,
    parameters: bytes = b"",
) -> bytes:
    """Wrap `root` under `secret`.

    Layout: `"MVS" ‖ 1 ‖ kind(1) ‖ slot id(16) ‖ derivation(1) ‖ memory KiB u32 ‖ passes u32 ‖
    lanes(1) ‖ salt(16) ‖ lp(parameters)` = header, then `commitment(32) ‖ nonce(12) ‖ wrapped
    root(32) ‖ tag(16)`: 141 bytes and the parameters. Derivation 0: the secret has 256 bits; 1:
    Argon2id. `key(32) ‖ commitment(32)` = HKDF-SHA256(salt = pepper, ikm = stretched secret, info =
    label ‖ lp(vault) ‖ header); AES-256-GCM, AAD = label ‖ lp(vault) ‖ header. The commitment makes
    AES-GCM committing here: no slot opens under two passphrases.

    Raises:
        SlotParametersError: a passphrase without Argon2id, a weak secret without it, costs outside
            our bounds.
    """
    if (kind is SlotKind.PASSPHRASE) != (profile is not None):
        raise SlotParametersError("Argon2id is for passphrases, and passphrases need it")
    if profile is None and len(secret) != KEY_SIZE:
        raise SlotParametersError("a secret without Argon2id has 256 bits")
    if len(parameters) > _MAX_PARAMETERS:
        raise SlotParametersError("parameters over 4096 bytes")
    salt = entropy.token(SALT_SIZE)
    costs = (1, profile.memory_kib, profile.iterations, LANES) if profile else (0, 0, 0, 0)
    header = b"".join(
        (
            head(b"S"),
            bytes([kind]),
            entropy.token(16),
            bytes([costs[0]]),
            costs[1].to_bytes(4, "big"),
            costs[2].to_bytes(4, "big"),
            bytes([costs[3]]),
            salt,
            lp(parameters),
        )
    )
    keys = _wrapping_key(secret, header, profile=profile, salt=salt, pepper=pepper, vault=vault)
    nonce = entropy.token(12)
    key = keys[:KEY_SIZE]
    wrapped = AESGCM(key).encrypt(nonce, root.view, _LABEL + lp(vault) + header)
    commitment = bytes(keys[KEY_SIZE:])
    zero(keys, key)
    return header + commitment + nonce + wrapped


def open_slot(data: bytes, *, secret: bytearray, pepper: bytes | bytearray, vault: str) -> RootKey:
    """The root key behind a slot. Costs a derivation where the slot has one: run it through
    `KdfPool`.

    Raises:
        WrongSecretError: another passphrase, code, pepper or vault, or a changed header.
        SealBrokenError: the right secret, and the wrapped key was changed.
        LayoutError, SlotParametersError: as `Slot.parse`.
    """
    slot = Slot.parse(data)
    keys = _wrapping_key(
        secret, slot.header, profile=slot.profile, salt=slot.salt, pepper=pepper, vault=vault
    )
    key, is_right = keys[:KEY_SIZE], hmac.compare_digest(keys[KEY_SIZE:], slot.commitment)
    zero(keys)
    if not is_right:
        zero(key)
        raise WrongSecretError
    root = bytearray(KEY_SIZE)
    try:
        AESGCM(key).decrypt_into(slot.nonce, slot.wrapped, _LABEL + lp(vault) + slot.header, root)
    except InvalidTag:
        raise SealBrokenError("slot") from None
    finally:
        zero(key)
    return RootKey(root)


def seal_passphrase_slot(
    root: RootKey,
    passphrase: str | bytes | bytearray,
    *,
    pepper: bytes | bytearray,
    vault: str,
    profile: Argon2Profile = INTERACTIVE,
) -> bytes:
    """A slot for a passphrase (Unicode NFKC).

    Raises:
        PassphraseError: empty, not text, too long.
    """
    secret = passphrase_bytes(passphrase)
    try:
        return seal_slot(
            root,
            kind=SlotKind.PASSPHRASE,
            secret=secret,
            pepper=pepper,
            vault=vault,
            profile=profile,
        )
    finally:
        zero(secret)


def open_passphrase_slot(
    data: bytes,
    passphrase: str | bytes | bytearray,
    *,
    pepper: bytes | bytearray,
    vault: str,
) -> RootKey:
    """As `open_slot`, for what a person typed.

    Raises:
        PassphraseError: empty, not text, too long.
        WrongSecretError, SealBrokenError, LayoutError, SlotParametersError: as `open_slot`.
    """
    secret = passphrase_bytes(passphrase)
    try:
        return open_slot(data, secret=secret, pepper=pepper, vault=vault)
    finally:
        zero(secret)


def seal_recovery_slot(
    root: RootKey, *, pepper: bytes | bytearray, vault: str
) -> tuple[bytes, RecoveryCode]:
    """A slot for a new recovery code, and the code: show `reveal()` once, then `wipe()` it."""
    code = RecoveryCode.random()
    return (
        seal_slot(root, kind=SlotKind.RECOVERY, secret=code.view, pepper=pepper, vault=vault),
        code,
    )


def open_recovery_slot(
    data: bytes, code: RecoveryCode | Secret, *, pepper: bytes | bytearray, vault: str
) -> RootKey:
    """As `open_slot`, for a parsed recovery code."""
    return open_slot(data, secret=code.view, pepper=pepper, vault=vault)


__all__ = [
    "Slot",
    "SlotKind",
    "open_passphrase_slot",
    "open_recovery_slot",
    "open_slot",
    "seal_passphrase_slot",
    "seal_recovery_slot",
    "seal_slot",
]
