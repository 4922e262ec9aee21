"""Slots wrap the root key: one per way in, all equal, each under the vault's pepper.

Losing every slot loses the data. A stolen database without the pepper (kept in the home's key
store) gives nothing to guess against.

Version 2 lets the root be renewed without anybody's secret: the secret opens a key pair of the
slot, and the root is sealed to that pair's public half. Whoever has the open vault's ring can seal
a new root to it (`rewrap_slot`), and whoever kept an old ring cannot open what is sealed later. An
*anchor*, a key per slot that follows from the ring's slot key, is in the slot too, under its
secret: nobody without the ring makes a slot that a right secret would believe.
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.box import DEFAULT_SUITE, BoxPublicKey, seal
from federation.sealing.layout import Reader, head, lp

from .box_key import BoxPrivateKey
from .errors import (
    KeyUnknownError,
    SealBrokenError,
    SlotBoundError,
    SlotParametersError,
    WrongSecretError,
)
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
from .secret import KEY_SIZE, RootKey, Secret, derive, expand, zero

_LABEL: Final = {1: b"mobility-vault/slot/1\x00", 2: b"mobility-vault/slot/2\x00"}
_ANCHOR_LABEL: Final = b"mobility-vault/slot-anchor/1\x00"
_MARK_LABEL: Final = b"mobility-vault/slot-mark/1\x00"
_ROOT_LABEL: Final = b"mobility-vault/slot-root/1\x00"
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
    """Version 1: the root; 2: seed of the slot's pair and anchor."""
    version: int = 1
    public_key: bytes = b""
    """Version 2: what the root is sealed to, as `BoxPublicKey.encode`."""
    mark: bytes = b""
    """Version 2: HMAC of the header under the anchor."""
    root: bytes = b""
    """Version 2: `lp(box) ‖ nonce(12) ‖ root(32) ‖ tag`."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a slot.

        Raises:
            LayoutError: not this layout, or a kind of the future.
            SlotParametersError: costs outside our bounds.
        """
        reader = Reader(data, "slot")
        version = 2 if data[:4] == b"MVS\x02" else 1
        if version == 2:
            reader.take(4)
        else:
            reader.head(b"S")
        number = reader.uint(1)
        if number not in SlotKind.__members__.values():
            raise reader.fail(f"kind {number} is not known")
        slot_id, algorithm = reader.take(16), reader.uint(1)
        memory, iterations, lanes = reader.uint(4), reader.uint(4), reader.uint(1)
        salt, parameters = reader.take(SALT_SIZE), reader.lp()
        public_key = reader.lp() if version == 2 else b""
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
        wrapped = reader.take((KEY_SIZE if version == 1 else 2 * KEY_SIZE) + 16)
        mark = root = b""
        if version == 2:
            BoxPublicKey.decode(public_key)
            mark, root = reader.take(32), reader.rest()
            tail = Reader(root, "slot")
            tail.lp()
            tail.take(12 + KEY_SIZE + 16)
            tail.end()
        else:
            reader.end()
        return cls(
            SlotKind(number),
            slot_id,
            profile,
            salt,
            parameters,
            header,
            commitment,
            nonce,
            wrapped,
            version,
            public_key,
            mark,
            root,
        )

    def is_weaker_than(self, profile: Argon2Profile) -> bool:
        """Whether to seal it again at the next unlock, with today's costs."""
        return self.profile is not None and (
            self.profile.memory_kib < profile.memory_kib
            or self.profile.iterations < profile.iterations
        )


def _info(slot_header: bytes, vault: str) -> bytes:
    return _LABEL[slot_header[3]] + lp(vault) + slot_header


def _anchor(ring_key: Secret, slot_id: bytes, vault: str) -> bytearray:
    """The slot's own key under the ring's slot key; the caller zeroes it."""
    return expand(ring_key.view, _ANCHOR_LABEL + lp(vault) + slot_id)


def _mark(anchor: bytearray, slot_header: bytes, vault: str) -> bytes:
    return hmac.digest(anchor, _MARK_LABEL + lp(vault) + slot_header, "sha256")


def _root_key(shared: bytes | bytearray, anchor: bytearray, info: bytes) -> bytearray:
    """The key of the root: what the box holds, and the anchor, so that neither alone opens or
    makes one."""
    both = bytearray(shared) + anchor
    try:
        return derive(both, salt=None, info=_ROOT_LABEL + info, size=KEY_SIZE)
    finally:
        zero(both)


def _seal_root(
    root: RootKey, slot_header: bytes, vault: str, anchor: bytearray, to: bytes
) -> bytes:
    info = _info(slot_header, vault)
    shared = entropy.secret(KEY_SIZE)
    box = lp(seal(shared, to=BoxPublicKey.decode(to), info=_ROOT_LABEL + info))
    key = _root_key(shared, anchor, info + box)
    nonce = entropy.token(12)
    wrapped = AESGCM(key).encrypt(nonce, root.view, _ROOT_LABEL + info + box)
    zero(key, shared)
    return box + nonce + wrapped


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
        info=_info(slot_header, vault),
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
    ring_key: Secret | None = None,
    slot_id: bytes | None = None,
) -> bytes:
    """Wrap `root` under `secret`, so that the root can be renewed without it: `ring_key` is
    `Keyring.slot_key`. Without one, version 1, as before 2026-11-22. `slot_id`: of the slot this
    one takes the place of.

    Layout of version 2: as version 1 with `lp(public key)` at the end of the header, `"MVS" ‖ 2`
    and label 2; then `commitment(32) ‖ nonce(12) ‖ seed(32) ‖ anchor(32) ‖ tag(16) ‖ mark(32) ‖
    lp(box) ‖ nonce(12) ‖ root(32) ‖ tag(16)`. The pair is hybrid. `anchor` = HKDF-Expand(ring's
    slot key, anchor label ‖ lp(vault) ‖ slot id); `mark` = HMAC(anchor, mark label ‖ lp(vault) ‖
    header); the box holds 32 random bytes, info = root label ‖ `info`; the root's key =
    HKDF(ikm = those ‖ anchor, info = root label ‖ `info` ‖ lp(box)), AAD the same info, where
    `info` = label 2 ‖ lp(vault) ‖ header.

    Layout of version 1: `"MVS" ‖ 1 ‖ kind(1) ‖ slot id(16) ‖ derivation(1) ‖ memory KiB u32 ‖
    passes u32 ‖ lanes(1) ‖ salt(16) ‖ lp(parameters)` = header, then `commitment(32) ‖ nonce(12) ‖
    wrapped root(32) ‖ tag(16)`: 141 bytes and the parameters. Derivation 0: the secret has 256
    bits; 1: Argon2id. `key(32) ‖ commitment(32)` = HKDF-SHA256(salt = pepper, ikm = stretched
    secret, info = label ‖ lp(vault) ‖ header); AES-256-GCM, AAD = label ‖ lp(vault) ‖ header. The
    commitment makes AES-GCM committing here: no slot opens under two passphrases.

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
    pair = None if ring_key is None else BoxPrivateKey.generate()
    salt = entropy.token(SALT_SIZE)
    costs = (1, profile.memory_kib, profile.iterations, LANES) if profile else (0, 0, 0, 0)
    header = b"".join(
        (
            head(b"S") if pair is None else b"MVS\x02",
            bytes([kind]),
            slot_id or entropy.token(16),
            bytes([costs[0]]),
            costs[1].to_bytes(4, "big"),
            costs[2].to_bytes(4, "big"),
            bytes([costs[3]]),
            salt,
            lp(parameters),
            b"" if pair is None else lp(pair.public.encode()),
        )
    )
    keys = _wrapping_key(secret, header, profile=profile, salt=salt, pepper=pepper, vault=vault)
    nonce = entropy.token(12)
    key = keys[:KEY_SIZE]
    commitment = bytes(keys[KEY_SIZE:])
    try:
        if pair is None or ring_key is None:
            wrapped = AESGCM(key).encrypt(nonce, root.view, _info(header, vault))
            return header + commitment + nonce + wrapped
        anchor = _anchor(ring_key, header[5:21], vault)
        both = pair.copy() + anchor
        wrapped = AESGCM(key).encrypt(nonce, both, _info(header, vault))
        mark = _mark(anchor, header, vault)
        tail = _seal_root(root, header, vault, anchor, pair.public.encode())
        zero(both, anchor)
        pair.wipe()
        return header + commitment + nonce + wrapped + mark + tail
    finally:
        zero(keys, key)


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
    inner = bytearray(len(slot.wrapped) - 16)
    try:
        AESGCM(key).decrypt_into(slot.nonce, slot.wrapped, _info(slot.header, vault), inner)
    except InvalidTag:
        raise SealBrokenError("slot") from None
    finally:
        zero(key)
    if slot.version == 1:
        return RootKey(inner)
    with BoxPrivateKey(inner[:KEY_SIZE], suite=DEFAULT_SUITE) as pair:
        anchor = inner[KEY_SIZE:]
        zero(inner)
        try:
            return _open_root(slot, vault, pair, anchor)
        finally:
            zero(anchor)


def _open_root(slot: Slot, vault: str, pair: BoxPrivateKey, anchor: bytearray) -> RootKey:
    info = _info(slot.header, vault)
    reader = Reader(slot.root, "slot")
    box = reader.lp()
    nonce = reader.take(12)
    try:
        shared = pair.open(box, info=_ROOT_LABEL + info)
    except KeyUnknownError:
        raise SealBrokenError("slot") from None
    key = _root_key(shared, anchor, info + lp(box))
    root = bytearray(KEY_SIZE)
    try:
        AESGCM(key).decrypt_into(nonce, reader.rest(), _ROOT_LABEL + info + lp(box), root)
    except InvalidTag:
        raise SealBrokenError("slot") from None
    finally:
        zero(key)
    return RootKey(root)


def rewrap_slot(data: bytes, root: RootKey, *, ring_key: Secret, vault: str) -> bytes:
    """The same slot around another root: its secret goes on opening it, and is not needed.

    Raises:
        SlotBoundError: a slot of version 1: only its secret can put another root in.
        SealBrokenError: not a slot that this ring made, or its header was changed.
        LayoutError, SlotParametersError: as `Slot.parse`.
    """
    slot = Slot.parse(data)
    if slot.version == 1:
        raise SlotBoundError
    anchor = _anchor(ring_key, slot.slot_id, vault)
    try:
        if not hmac.compare_digest(_mark(anchor, slot.header, vault), slot.mark):
            raise SealBrokenError("slot")
        tail = _seal_root(root, slot.header, vault, anchor, slot.public_key)
    finally:
        zero(anchor)
    return data[: len(data) - len(slot.root)] + tail


def seal_passphrase_slot(
    root: RootKey,
    passphrase: str | bytes | bytearray,
    *,
    pepper: bytes | bytearray,
    vault: str,
    profile: Argon2Profile = INTERACTIVE,
    ring_key: Secret | None = None,
    slot_id: bytes | None = None,
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
            ring_key=ring_key,
            slot_id=slot_id,
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
    root: RootKey, *, pepper: bytes | bytearray, vault: str, ring_key: Secret | None = None
) -> tuple[bytes, RecoveryCode]:
    """A slot for a new recovery code, and the code: show `reveal()` once, then `wipe()` it."""
    code = RecoveryCode.random()
    sealed = seal_slot(
        root,
        kind=SlotKind.RECOVERY,
        secret=code.view,
        pepper=pepper,
        vault=vault,
        ring_key=ring_key,
    )
    return sealed, code


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
    "rewrap_slot",
    "seal_passphrase_slot",
    "seal_recovery_slot",
    "seal_slot",
]
