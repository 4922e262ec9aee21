"""The keyring: independent random keys, sealed as one under the root key.

Each compartment has a record key, an index key and a drop-box pair; apart from them stand the
journal pair, the blob key, the head key and one holder key per verifier. Nothing is derived from
the root, so rotating it re-wraps one thing.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Final, Self, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.box import DEFAULT_SUITE, BoxPublicKey, SealSuite, suite_of
from federation.sealing.layout import Reader, head, lp, to_ms
from federation.sealing.padding import bucket
from schemas.records import Compartment

from .box_key import BoxPrivateKey, p256_scalar
from .errors import KeyDestroyedError, KeyringLockedError, KeyUnknownError, SealBrokenError
from .index_key import IndexKey
from .month_key import MonthKey, derive_month_key
from .secret import KEY_SIZE, AeadKey, RootKey, Secret, zero

_S = TypeVar("_S", bound=Secret)
_LABEL: Final = b"mobility-vault/keyring/1\x00"
SCHEMA_VERSION: Final = 1
COMPARTMENT_NUMBER: Final[Mapping[Compartment, int]] = {
    Compartment.TRIPS: 1,
    Compartment.INVOICES: 2,
    Compartment.ATTRIBUTES: 3,
    Compartment.DOCUMENTS: 4,
    Compartment.EXTENSIONS: 5,
    Compartment.AIDS: 6,
}
"""Stored numbers; 0 stands for a key that belongs to no compartment."""
COMPARTMENT_OF_NUMBER: Final = {number: name for name, number in COMPARTMENT_NUMBER.items()}


class Purpose(IntEnum):
    """What a key is for, as a number that is stored."""

    RECORD = 1
    INDEX = 2
    BOX = 3
    JOURNAL = 4
    BLOB = 5
    HOLDER = 6
    HEAD = 7
    SLOT = 8


class KeyState(IntEnum):
    """Whether a key may still be used."""

    ACTIVE = 1
    """Seals and opens."""
    RETIRED = 2
    """Opens only."""
    DESTROYED = 3
    """Zeroed; its line stays, so that a later reader knows why."""


_PER_COMPARTMENT: Final = (Purpose.RECORD, Purpose.INDEX, Purpose.BOX)
_APART: Final = (Purpose.JOURNAL, Purpose.BLOB, Purpose.HEAD)


@dataclass(frozen=True, slots=True)
class RingKey:
    """One line of the keyring."""

    key_id: bytes
    purpose: Purpose
    compartment: Compartment | None
    epoch: int
    state: KeyState
    suite: SealSuite | None
    """Of box and journal pairs."""
    created_at: datetime
    label: str
    """Of holder keys: the verifier's DID."""
    secret: Secret
    """32 bytes; empty once destroyed."""


class Keyring:
    """All keys of one open vault. Safe to share between threads; `lock` zeroes every key.

    `generation` counts the changes: it is in clear beside the sealed ring and pinned in the head,
    so that an older ring is seen.
    """

    def __init__(self, vault: str, keys: list[RingKey], *, generation: int) -> None:
        self.vault, self.generation = vault, generation
        self._keys = keys
        self._months: dict[tuple[Compartment, str, int], MonthKey] = {}
        self._ready: dict[bytes, Secret] = {}
        self._living: dict[tuple[Compartment, Purpose], tuple[int, ...]] = {}
        self._guard = threading.RLock()
        self._is_locked = False

    # --- making, sealing, opening ---------------------------------------------------------------

    @classmethod
    def create(cls, vault: str, *, at: datetime, suite: SealSuite = DEFAULT_SUITE) -> Self:
        """A new ring: three keys for each compartment, journal pair, blob key, head key, all of
        epoch 1.
        """
        ring = cls(vault, [], generation=0)
        for compartment in Compartment:
            for purpose in _PER_COMPARTMENT:
                ring._add(purpose, compartment, 1, at, suite)
        for purpose in _APART:
            ring._add(purpose, None, 1, at, suite)
        return ring

    def seal(self, root: RootKey) -> bytes:
        """The ring under `root`. Each seal counts `generation` up.

        Layout: `"MVK" ‖ 1 ‖ generation u32 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-256-GCM under
        the root key, AAD = label ‖ first 8 bytes ‖ lp(vault). Body: `schema_version u16 ‖ count u16
        ‖ count × key ‖ zero padding`, key = `key id(8) ‖ purpose(1) ‖ compartment(1) ‖ epoch u32 ‖
        state(1) ‖ suite(1) ‖ created u64 ‖ lp(label) ‖ lp(secret)`; the secret has 32 bytes, or
        none when destroyed.
        """
        with self._guard:
            self._require_open()
            generation = self.generation + 1
            header = head(b"K") + generation.to_bytes(4, "big")
            opening = SCHEMA_VERSION.to_bytes(2, "big") + len(self._keys).to_bytes(2, "big")
            lines = [(_line(key), key.secret) for key in self._keys]
            size = len(opening) + sum(len(line) + len(secret) for line, secret in lines)
            padded = bytearray(bucket(size))  # once: growing would leave copies of keys behind
            padded[: len(opening)] = opening
            position = len(opening)
            for line, secret in lines:
                padded[position : position + len(line)] = line
                position += len(line)
                if len(secret):
                    padded[position : position + len(secret)] = secret.view
                    position += len(secret)
            nonce = entropy.token(12)
            sealed = AESGCM(root.view).encrypt(nonce, padded, _LABEL + header + lp(self.vault))
            zero(padded)
            self.generation = generation
            return header + nonce + sealed

    @classmethod
    def open(cls, sealed: bytes, *, root: RootKey, vault: str) -> Self:
        """The ring behind `sealed`.

        Raises:
            SealBrokenError: changed, another root or another vault.
            LayoutError, SuiteUnknownError: not a ring we know.
        """
        outer = Reader(sealed, "keyring")
        outer.head(b"K")
        generation, nonce = outer.uint(4), outer.take(12)
        packed = outer.rest()
        if len(packed) < 16 + 4:
            raise outer.fail("truncated")
        body = bytearray(len(packed) - 16)
        try:
            AESGCM(root.view).decrypt_into(nonce, packed, _LABEL + sealed[:8] + lp(vault), body)
        except InvalidTag:
            raise SealBrokenError("keyring") from None
        try:
            reader = Reader(body, "keyring")
            if reader.uint(2) != SCHEMA_VERSION:
                raise reader.fail("schema version is not known")
            keys = [_read_line(reader) for _ in range(reader.uint(2))]
        finally:
            zero(body)
        return cls(vault, keys, generation=generation)

    def lock(self) -> None:
        """Zero every key and everything made from them. The ring cannot be used again."""
        with self._guard:
            for month in self._months.values():
                month.wipe()
            for ready in self._ready.values():
                ready.wipe()
            for key in self._keys:
                key.secret.wipe()
            self._months.clear()
            self._ready.clear()
            self._is_locked = True

    @property
    def is_locked(self) -> bool:
        """Whether the keys are gone."""
        return self._is_locked

    # --- using ----------------------------------------------------------------------------------

    def month_key(
        self, compartment: Compartment, month: str, *, epoch: int | None = None
    ) -> MonthKey:
        """The key of one compartment and month (`YYYY-MM` or `undated`); of the active epoch unless
        one is named. Kept ready.

        Raises:
            KeyUnknownError, KeyDestroyedError, KeyringLockedError: no such key any more.
            LayoutError: not a month.
        """
        found = self._find(Purpose.RECORD, compartment, epoch)
        place = (compartment, month, found.epoch)
        key = self._months.get(place)
        if key is None:
            with self._guard:
                self._require_open()
                key = self._months.get(place)
                if key is None:
                    key = self._months[place] = derive_month_key(
                        found.secret.view,
                        vault=self.vault,
                        compartment=compartment,
                        month=month,
                        epoch=found.epoch,
                    )
        return key

    def epoch(self, compartment: Compartment) -> int:
        """The epoch that writes in this compartment now."""
        return self._find(Purpose.RECORD, compartment, None).epoch

    def epochs(
        self, compartment: Compartment, purpose: Purpose = Purpose.RECORD
    ) -> tuple[int, ...]:
        """Every epoch that still opens records there (or that has another key), oldest first."""
        place = (compartment, purpose)
        found = self._living.get(place)
        if found is None:
            found = self._living[place] = tuple(
                sorted(
                    key.epoch
                    for key in self._keys
                    if key.purpose is purpose
                    and key.compartment is compartment
                    and key.state is not KeyState.DESTROYED
                )
            )
        return found

    def index_key(self, compartment: Compartment, *, epoch: int | None = None) -> IndexKey:
        """The index key of a compartment; raises as `month_key`."""
        found = self._find(Purpose.INDEX, compartment, epoch)
        return self._prepared(
            found, IndexKey, lambda: IndexKey(found.secret.copy(), epoch=found.epoch)
        )

    def box(self, compartment: Compartment, *, epoch: int | None = None) -> BoxPrivateKey:
        """The drop-box pair of a compartment; raises as `month_key`."""
        return self._pair(self._find(Purpose.BOX, compartment, epoch))

    def boxes(self, compartment: Compartment | None = None) -> tuple[BoxPrivateKey, ...]:
        """Every drop-box pair that still opens: active and retired, of one compartment or of
        all.
        """
        return tuple(
            self._pair(key)
            for key in self._keys
            if key.purpose is Purpose.BOX
            and key.state is not KeyState.DESTROYED
            and compartment in (None, key.compartment)
        )

    def box_for(self, key_id: bytes) -> BoxPrivateKey:
        """The drop-box pair that this `key_id` of a sealed box names.

        Raises:
            KeyUnknownError: none of ours, or destroyed.
        """
        for box in self.boxes():
            if box.key_id == key_id:
                return box
        raise KeyUnknownError("no drop-box pair of this vault")

    def public_boxes(self) -> Mapping[Compartment, BoxPublicKey]:
        """What the vault publishes: where to seal for each compartment."""
        return {compartment: self.box(compartment).public for compartment in Compartment}

    def journal(self, *, epoch: int | None = None) -> BoxPrivateKey:
        """The journal pair. Its public half is kept beside the vault, so that the home appends
        while locked.
        """
        return self._pair(self._find(Purpose.JOURNAL, None, epoch))

    def blob_key(self, *, epoch: int | None = None) -> AeadKey:
        """The key that wraps the data keys of tracks and documents."""
        found = self._find(Purpose.BLOB, None, epoch)
        return self._prepared(
            found, AeadKey, lambda: AeadKey(found.secret.copy(), epoch=found.epoch)
        )

    def head_key(self, *, epoch: int | None = None) -> AeadKey:
        """The key that seals the head."""
        found = self._find(Purpose.HEAD, None, epoch)
        return self._prepared(
            found, AeadKey, lambda: AeadKey(found.secret.copy(), epoch=found.epoch)
        )

    def slot_key(self) -> Secret:
        """What ties slots to this ring (`slots.rewrap_slot`). The ring's: not to be wiped.

        Raises:
            KeyUnknownError: a ring from before slots could be re-wrapped; see `add_slot_key`.
        """
        return self._find(Purpose.SLOT, None, None).secret

    def holder_secret(self, verifier: str) -> bytearray | None:
        """The P-256 private key (32 bytes) shown to this verifier, as a copy that the caller
        zeroes; none before the first time.
        """
        with self._guard:
            self._require_open()
            for key in self._keys:
                if (
                    key.purpose is Purpose.HOLDER
                    and key.label == verifier
                    and key.state is KeyState.ACTIVE
                ):
                    return key.secret.copy()
        return None

    def holders(self) -> tuple[str, ...]:
        """Every verifier that has a holder key."""
        return tuple(
            key.label
            for key in self._keys
            if key.purpose is Purpose.HOLDER and key.state is KeyState.ACTIVE
        )

    def lines(self) -> Iterator[RingKey]:
        """Every line, for `fsck` and export. The secrets stay the ring's."""
        return iter(tuple(self._keys))

    # --- changing: seal and store the ring afterwards -------------------------------------------

    def add_holder(self, verifier: str, *, at: datetime) -> bytearray:
        """A new P-256 holder key for `verifier` (the one there is, if any), as a copy that the
        caller zeroes.
        """
        with self._guard:
            found = self.holder_secret(verifier)
            if found is None:
                self._add(Purpose.HOLDER, None, 1, at, None, label=verifier)
                found = self.holder_secret(verifier)
            assert found is not None  # noqa: S101  # added above
            return found

    def add_slot_key(self, *, at: datetime) -> None:
        """Make the slot key, if there is none."""
        with self._guard:
            self._require_open()
            if not any(key.purpose is Purpose.SLOT for key in self._keys):
                self._add(Purpose.SLOT, None, 1, at, None)

    def rotate(self, compartment: Compartment, *, at: datetime) -> int:
        """Open an epoch: new record key, index key and drop-box pair; the old ones only open.
        Returns the new epoch.

        Then re-wrap (`rewrap_record`), rewrite tags, drain the old drop-box, and `destroy` the old
        epoch.
        """
        with self._guard:
            self._require_open()
            new = max(k.epoch for k in self._keys if k.compartment is compartment) + 1
            suite = self.box(compartment).suite
            for purpose in _PER_COMPARTMENT:
                self._retire(purpose, compartment)
                self._add(purpose, compartment, new, at, suite)
            return new

    def rotate_apart(self, purpose: Purpose, *, at: datetime) -> int:
        """A new journal pair, blob key or head key; the old one only opens. Returns the new
        epoch.
        """
        if purpose not in _APART:
            raise KeyUnknownError("this purpose rotates with its compartment")
        with self._guard:
            self._require_open()
            new = max(k.epoch for k in self._keys if k.purpose is purpose) + 1
            suite = self.journal().suite
            self._retire(purpose, None)
            self._add(purpose, None, new, at, suite)
            return new

    def destroy(
        self,
        compartment: Compartment,
        epoch: int,
        *,
        purposes: Collection[Purpose] = _PER_COMPARTMENT,
    ) -> None:
        """Zero the keys of a retired epoch for good: what is still wrapped in it, and in backups,
        stays shut. `purposes`: the drop-box pair may outlive the rest, until it is drained.

        Raises:
            KeyUnknownError: no such epoch, or the active one.
        """
        with self._guard:
            self._require_open()
            lines = [
                (i, key)
                for i, key in enumerate(self._keys)
                if key.compartment is compartment and key.epoch == epoch and key.purpose in purposes
            ]
            if not lines or any(key.state is KeyState.ACTIVE for _, key in lines):
                raise KeyUnknownError("only a retired epoch is destroyed")
            self._living.clear()
            for i, key in lines:
                key.secret.wipe()
                if (ready := self._ready.pop(key.key_id, None)) is not None:
                    ready.wipe()
                self._keys[i] = replace(key, state=KeyState.DESTROYED)
            if Purpose.RECORD in purposes:
                for place in [p for p in self._months if p[0] is compartment and p[2] == epoch]:
                    self._months.pop(place).wipe()

    # --- inside ---------------------------------------------------------------------------------

    def _add(
        self,
        purpose: Purpose,
        compartment: Compartment | None,
        epoch: int,
        at: datetime,
        suite: SealSuite | None,
        *,
        label: str = "",
    ) -> None:
        self._living.clear()
        is_pair = purpose in (Purpose.BOX, Purpose.JOURNAL)
        is_p256 = purpose is Purpose.HOLDER or (is_pair and suite is SealSuite.P256)
        secret = p256_scalar() if is_p256 else entropy.secret(KEY_SIZE)
        self._keys.append(
            RingKey(
                entropy.token(8),
                purpose,
                compartment,
                epoch,
                KeyState.ACTIVE,
                suite if is_pair else None,
                at,
                label,
                Secret(secret),
            )
        )

    def _retire(self, purpose: Purpose, compartment: Compartment | None) -> None:
        for i, key in enumerate(self._keys):
            if (
                key.purpose is purpose
                and key.compartment is compartment
                and key.state is KeyState.ACTIVE
            ):
                self._keys[i] = replace(key, state=KeyState.RETIRED)

    def _require_open(self) -> None:
        if self._is_locked:
            raise KeyringLockedError

    def _find(
        self, purpose: Purpose, compartment: Compartment | None, epoch: int | None
    ) -> RingKey:
        self._require_open()
        for key in self._keys:
            if (
                key.purpose is purpose
                and key.compartment is compartment
                and (key.state is KeyState.ACTIVE if epoch is None else key.epoch == epoch)
            ):
                if key.state is KeyState.DESTROYED:
                    raise KeyDestroyedError(f"{purpose.name} key of epoch {key.epoch}")
                return key
        raise KeyUnknownError(f"no {purpose.name} key of epoch {epoch}")

    def _pair(self, found: RingKey) -> BoxPrivateKey:
        suite = found.suite or DEFAULT_SUITE
        return self._prepared(
            found,
            BoxPrivateKey,
            lambda: BoxPrivateKey(found.secret.copy(), suite=suite, epoch=found.epoch),
        )

    def _prepared(self, found: RingKey, kind: type[_S], make: Callable[[], _S]) -> _S:
        """The ready-made form of a key, built once."""
        with self._guard:
            self._require_open()
            ready = self._ready.get(found.key_id)
            if ready is None:
                ready = self._ready[found.key_id] = make()
            assert isinstance(ready, kind)  # noqa: S101  # one purpose, one form
            return ready

    def __repr__(self) -> str:
        return f"Keyring({self.vault!r}, generation={self.generation}, keys={len(self._keys)}, ***)"


def _line(key: RingKey) -> bytes:
    """A line without its secret's bytes."""
    return b"".join(
        (
            key.key_id,
            bytes(
                (
                    key.purpose,
                    COMPARTMENT_NUMBER[key.compartment] if key.compartment else 0,
                )
            ),
            key.epoch.to_bytes(4, "big"),
            bytes((key.state, key.suite or 0)),
            to_ms(key.created_at).to_bytes(8, "big"),
            lp(key.label),
            len(key.secret).to_bytes(2, "big"),
        )
    )


def _read_line(reader: Reader) -> RingKey:
    key_id, purpose, compartment = reader.take(8), reader.uint(1), reader.uint(1)
    epoch, state, suite = reader.uint(4), reader.uint(1), reader.uint(1)
    created_at, label = reader.instant(), reader.text()
    size = reader.uint(2)
    if (
        purpose not in Purpose.__members__.values()
        or state not in KeyState.__members__.values()
        or (compartment and compartment not in COMPARTMENT_OF_NUMBER)
        or size != (0 if state == KeyState.DESTROYED else KEY_SIZE)
    ):
        raise reader.fail("a key of an unknown kind")
    return RingKey(
        key_id,
        Purpose(purpose),
        COMPARTMENT_OF_NUMBER[compartment] if compartment else None,
        epoch,
        KeyState(state),
        suite_of(suite) if suite else None,
        created_at,
        label,
        Secret(reader.secret(size)),
    )


__all__ = ["KeyState", "Keyring", "Purpose", "RingKey"]
