"""The head and the month manifests: what stops omission and going back.

A manifest lists the rows of one compartment and month; the head lists the manifests. The head is
rewritten in every write transaction by compare-and-set on `seq`; what somebody outside remembers of
it (`HeadWitness`) stops a whole vault from going back.
"""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field, replace
from datetime import datetime
from struct import Struct
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from cryptography.exceptions import InvalidTag

from federation.sealing import entropy
from federation.sealing.layout import Reader, from_ms, head, lp, to_ms
from schemas.ids import Did, Digest, digest
from schemas.records import Compartment

from .envelope import RecordHeader, row_digest
from .errors import (
    ManifestExtraError,
    ManifestMissingError,
    ManifestReplacedError,
    MonthError,
    RecordEpochError,
    RowAlteredError,
    RowExtraError,
    RowMissingError,
    RowOldError,
    RowRevivedError,
    RowShreddedError,
    RowSwappedError,
    SealBrokenError,
    VaultForkedError,
    VaultRolledBackError,
)
from .keyring import COMPARTMENT_NUMBER, COMPARTMENT_OF_NUMBER
from .month_key import MonthKey, check_month
from .secret import AeadKey

_HEAD_LABEL: Final = b"mobility-vault/head/1\x00"
_MANIFEST_LABEL: Final = b"mobility-vault/month-manifest/1\x00"
_WITNESS_LABEL: Final = b"mobility-vault/head-witness/1\x00"
SCHEMA_VERSION: Final = 1
_ROW: Final = Struct(">16sBBIQ32s")
_KIND_AT: Final = 16
_FLAGS_AT: Final = 17
_NO_START: Final = (1 << 64) - 1
_DESTROYED: Final = 1
ZERO_DIGEST: Final = Digest(bytes(32))
"""The journal's last link before its first entry."""


class ManifestRow(NamedTuple):
    """What a manifest says of one row."""

    record_id: bytes
    """16 bytes."""
    kind: str
    revision: int
    start: datetime | None
    """By which a page is ordered; none for records without one."""
    digest: Digest
    """`row_digest` of the envelope."""
    is_destroyed: bool = False
    """Shredded on purpose: the row stays and its data key is gone."""


class _PackedRows(Mapping[bytes, ManifestRow]):
    """Rows as a manifest packs them, taken apart when one is asked for: ten years of manifests are
    counted without."""

    __slots__ = ("_kinds", "_packed", "_rows")

    def __init__(self, packed: bytes, kinds: tuple[str, ...]) -> None:
        self._packed, self._kinds = packed, kinds
        self._rows: dict[bytes, ManifestRow] | None = None

    def _all(self) -> dict[bytes, ManifestRow]:
        if self._rows is None:
            kinds = self._kinds
            self._rows = {
                record_id: ManifestRow(
                    record_id,
                    kinds[kind],
                    revision,
                    None if start == _NO_START else from_ms(start),
                    Digest(row),
                    flags == _DESTROYED,
                )
                for record_id, kind, flags, revision, start, row in _ROW.iter_unpack(self._packed)
            }
        return self._rows

    def count(self, kind: str) -> int:
        if kind not in self._kinds:
            return 0
        return self._packed[_KIND_AT :: _ROW.size].count(self._kinds.index(kind))

    def __getitem__(self, record_id: bytes) -> ManifestRow:
        return self._all()[record_id]

    def get(self, record_id: bytes, default: Any = None) -> Any:
        return self._all().get(record_id, default)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._all()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._packed) // _ROW.size

    def items(self) -> ItemsView[bytes, ManifestRow]:
        return self._all().items()

    def values(self) -> ValuesView[ManifestRow]:
        return self._all().values()


@dataclass(frozen=True, slots=True)
class MonthManifest:
    """The rows of one compartment and month, each with its current revision."""

    compartment: Compartment
    month: str
    rows: Mapping[bytes, ManifestRow] = field(default_factory=dict)
    """By record id."""

    def with_changes(
        self, *, put: Iterable[ManifestRow] = (), remove: Iterable[bytes] = ()
    ) -> "MonthManifest":
        """A manifest with rows put (new or replaced) and removed."""
        rows = dict(self.rows)
        for record_id in remove:
            rows.pop(record_id, None)
        for row in put:
            rows[row.record_id] = row
        return replace(self, rows=rows)

    def seal(self, key: MonthKey) -> bytes:
        """The manifest under its month key.

        Layout: `"MVM" ‖ 1 ‖ epoch u32 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`; AES-256-GCM under the
        month key's manifest key, AAD = label ‖ first 8 bytes ‖ lp(vault) ‖ lp(compartment) ‖
        lp(month). Body: `schema_version u16 ‖ kinds(1) ‖ kinds × lp(kind) ‖ count u32 ‖ count ×
        row(62)`, row = `record id(16) ‖ kind number(1) ‖ flags(1) ‖ revision u32 ‖ start u64 ‖ row
        digest(32)`; flag 1: destroyed; start 2^64 - 1: none. Rows are in order of record id, so
        equal manifests have equal bodies.
        """
        kinds = sorted({row.kind for row in self.rows.values()})
        number = {kind: i for i, kind in enumerate(kinds)}
        pack = _ROW.pack
        parts = [SCHEMA_VERSION.to_bytes(2, "big"), bytes([len(kinds)]), *map(lp, kinds)]
        parts.append(len(self.rows).to_bytes(4, "big"))
        parts += [
            pack(
                row.record_id,
                number[row.kind],
                _DESTROYED if row.is_destroyed else 0,
                row.revision,
                _NO_START if row.start is None else to_ms(row.start),
                row.digest,
            )
            for _, row in sorted(self.rows.items())
        ]
        header = head(b"M") + key.epoch.to_bytes(4, "big")
        nonce = entropy.token(12)
        return header + nonce + key.manifest.encrypt(nonce, b"".join(parts), _aad(header, key))

    @classmethod
    def open(cls, sealed: bytes, key: MonthKey) -> Self:
        """The manifest behind `sealed`. Compare `digest(sealed)` with the head first:
        `Head.check_manifest`.

        Raises:
            RecordEpochError: sealed in another epoch than `key`.
            SealBrokenError: changed, or another vault, compartment or month.
            LayoutError: not a manifest.
        """
        outer = Reader(sealed, "month-manifest")
        outer.head(b"M")
        epoch, nonce = outer.uint(4), outer.take(12)
        if epoch != key.epoch:
            raise RecordEpochError(found=epoch, given=key.epoch)
        try:
            body = key.manifest.decrypt(nonce, outer.rest(), _aad(sealed[:8], key))
        except InvalidTag:
            raise SealBrokenError("month-manifest") from None
        reader = Reader(body, "month-manifest")
        if reader.uint(2) != SCHEMA_VERSION:
            raise reader.fail("schema version is not known")
        kinds = [reader.text() for _ in range(reader.uint(1))]
        count = reader.uint(4)
        packed = reader.take(count * _ROW.size)
        reader.end()
        if (
            max(packed[_KIND_AT :: _ROW.size], default=-1) >= len(kinds)
            or max(packed[_FLAGS_AT :: _ROW.size], default=0) > _DESTROYED
        ):
            raise reader.fail("a row of an unknown kind or flag")
        return cls(key.compartment, key.month, _PackedRows(packed, tuple(kinds)))

    def count(self, kind: str) -> int:
        """How many rows of a kind."""
        if isinstance(self.rows, _PackedRows):
            return self.rows.count(kind)
        return sum(row.kind == kind for row in self.rows.values())

    def compare(self, rows: Iterable[tuple[bytes, bytes]]) -> tuple[MonthError, ...]:
        """Every way in which `rows`, (record id, envelope) as the store holds them, are not what
        the manifest lists.

        Raises:
            LayoutError, SuiteUnknownError: a row that is no envelope at all.
        """
        faults: list[MonthError] = []
        seen: set[bytes] = set()
        for record_id, envelope in rows:
            listed = self.rows.get(record_id)
            if listed is None or record_id in seen:
                faults.append(RowExtraError(record_id))
                continue
            seen.add(record_id)
            header = RecordHeader.of(envelope)
            if header.record_id != record_id:
                faults.append(RowSwappedError(record_id))
            elif header.revision < listed.revision:
                faults.append(RowOldError(record_id))
            elif header.revision != listed.revision or row_digest(envelope) != listed.digest:
                faults.append(RowAlteredError(record_id))
            elif header.is_destroyed and not listed.is_destroyed:
                faults.append(RowShreddedError(record_id))
            elif listed.is_destroyed and not header.is_destroyed:
                faults.append(RowRevivedError(record_id))
        faults += [RowMissingError(record_id) for record_id in self.rows if record_id not in seen]
        return tuple(faults)

    def check(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """As `compare`, refusing.

        Raises:
            MonthError: by name, the first fault; `.faults` has them all.
        """
        if faults := self.compare(rows):
            faults[0].faults = faults
            raise faults[0]


def _aad(header: bytes, key: MonthKey) -> bytes:
    return b"".join(
        (_MANIFEST_LABEL, header, lp(key.vault), lp(key.compartment.value), lp(key.month))
    )


class DrainMark(NamedTuple):
    """The last deposit of one depositor and account that was drained."""

    seq: int
    manifest: Digest


class HeadWitness(NamedTuple):
    """What is remembered of a head outside the store: in the browser, in an export, at a hub."""

    seq: int
    digest: Digest

    def encode(self) -> bytes:
        """`"MVW" ‖ 1 ‖ seq u64 ‖ H(head)(32)`: 44 bytes."""
        return head(b"W") + self.seq.to_bytes(8, "big") + self.digest

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of `encode`.

        Raises:
            LayoutError: not this layout.
        """
        reader = Reader(data, "head-witness")
        reader.head(b"W")
        witness = cls(reader.uint(8), Digest(reader.take(32)))
        reader.end()
        return witness

    def commitment(self, *, vault: str, salt: bytes) -> Digest:
        """What a hub keeps: SHA-256(label ‖ salt(32) ‖ lp(vault) ‖ seq u64 ‖ H(head)). It tells the
        hub nothing.
        """
        return digest(_WITNESS_LABEL + salt + lp(vault) + self.seq.to_bytes(8, "big") + self.digest)


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a vault, in one sealed row."""

    vault: str
    seq: int
    keyring_generation: int
    manifests: Mapping[tuple[Compartment, str], Digest] = field(default_factory=dict)
    """SHA-256 of each sealed month manifest."""
    drained: Mapping[tuple[Did, str], DrainMark] = field(default_factory=dict)
    """By (depositor, account)."""
    journal_count: int = 0
    journal_last: Digest = ZERO_DIGEST

    def next(
        self,
        *,
        manifests: Mapping[tuple[Compartment, str], Digest | None] = MappingProxyType({}),
        drained: Mapping[tuple[Did, str], DrainMark] = MappingProxyType({}),
        keyring_generation: int | None = None,
        journal: tuple[int, Digest] | None = None,
    ) -> "Head":
        """The head after one write: `seq` one higher. A manifest digest of None takes the month
        out.
        """
        merged = dict(self.manifests)
        for place, found in manifests.items():
            if found is None:
                merged.pop(place, None)
            else:
                merged[place] = found
        count, last = journal or (self.journal_count, self.journal_last)
        return Head(
            self.vault,
            self.seq + 1,
            self.keyring_generation if keyring_generation is None else keyring_generation,
            merged,
            {**self.drained, **drained},
            count,
            last,
        )

    def seal(self, key: AeadKey) -> bytes:
        """The head under the head key.

        Layout: `"MVH" ‖ 1 ‖ epoch u32 ‖ seq u64 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`; AES-256-GCM,
        AAD = label ‖ first 16 bytes ‖ lp(vault). Body: `schema_version u16 ‖ keyring generation u32
        ‖ journal count u64 ‖ journal last(32) ‖ count u32 ‖ count × (compartment(1) ‖ month(7) ‖
        manifest digest(32)) ‖ count u32 ‖ count × (lp(depositor) ‖ lp(account) ‖ seq u64 ‖ manifest
        digest(32))`, both lists in order of their bytes. `seq` is in clear, for compare-and-set.
        """
        parts = [
            SCHEMA_VERSION.to_bytes(2, "big"),
            self.keyring_generation.to_bytes(4, "big"),
            self.journal_count.to_bytes(8, "big"),
            self.journal_last,
            len(self.manifests).to_bytes(4, "big"),
            *sorted(
                bytes((COMPARTMENT_NUMBER[compartment],)) + month.encode() + found
                for (compartment, month), found in self.manifests.items()
            ),
            len(self.drained).to_bytes(4, "big"),
            *sorted(
                lp(depositor) + lp(account) + mark.seq.to_bytes(8, "big") + mark.manifest
                for (depositor, account), mark in self.drained.items()
            ),
        ]
        header = head(b"H") + key.epoch.to_bytes(4, "big") + self.seq.to_bytes(8, "big")
        nonce = entropy.token(12)
        aad = _HEAD_LABEL + header + lp(self.vault)
        return header + nonce + key.aead.encrypt(nonce, b"".join(parts), aad)

    @classmethod
    def open(cls, sealed: bytes, *, key: AeadKey, vault: str) -> Self:
        """The head behind `sealed`.

        Raises:
            RecordEpochError: sealed in another epoch than `key`.
            SealBrokenError: changed, or another vault's.
            LayoutError: not a head.
        """
        outer = Reader(sealed, "head")
        outer.head(b"H")
        epoch, seq, nonce = outer.uint(4), outer.uint(8), outer.take(12)
        if epoch != key.epoch:
            raise RecordEpochError(found=epoch, given=key.epoch)
        try:
            body = key.aead.decrypt(nonce, outer.rest(), _HEAD_LABEL + sealed[:16] + lp(vault))
        except InvalidTag:
            raise SealBrokenError("head") from None
        reader = Reader(body, "head")
        if reader.uint(2) != SCHEMA_VERSION:
            raise reader.fail("schema version is not known")
        generation, count = reader.uint(4), reader.uint(8)
        last = Digest(reader.take(32))
        manifests = {}
        for _ in range(reader.uint(4)):
            number, month = reader.uint(1), reader.take(7).decode("ascii", "replace")
            if number not in COMPARTMENT_OF_NUMBER:
                raise reader.fail("a compartment that is not known")
            place = (COMPARTMENT_OF_NUMBER[number], check_month(month))
            manifests[place] = Digest(reader.take(32))
        drained = {}
        for _ in range(reader.uint(4)):
            who = (Did(reader.text()), reader.text())
            drained[who] = DrainMark(reader.uint(8), Digest(reader.take(32)))
        reader.end()
        return cls(vault, seq, generation, manifests, drained, count, last)

    def check_manifest(self, compartment: Compartment, month: str, sealed: bytes | None) -> None:
        """Whether the store's manifest of this month is the one the head lists.

        Raises:
            ManifestMissingError, ManifestExtraError, ManifestReplacedError: by name.
        """
        listed = self.manifests.get((compartment, month))
        place = f"{compartment} {month}"
        if listed is None:
            if sealed is not None:
                raise ManifestExtraError(place)
        elif sealed is None:
            raise ManifestMissingError(place)
        elif digest(sealed) != listed:
            raise ManifestReplacedError(place)

    @staticmethod
    def witness(sealed: bytes) -> HeadWitness:
        """What to remember of a sealed head.

        Raises:
            LayoutError: not a head.
        """
        reader = Reader(sealed, "head")
        reader.head(b"H")
        reader.take(4)
        return HeadWitness(reader.uint(8), digest(sealed))

    @staticmethod
    def require_not_older(sealed: bytes, remembered: HeadWitness) -> None:
        """Compare a stored head with what a witness remembers.

        Raises:
            VaultRolledBackError: older: stop, or restore on purpose and journal it.
            VaultForkedError: as old, and different.
        """
        found = Head.witness(sealed)
        if found.seq < remembered.seq:
            raise VaultRolledBackError(seq=found.seq, remembered=remembered.seq)
        if found.seq == remembered.seq and found.digest != remembered.digest:
            raise VaultForkedError(seq=found.seq)


def head_seq(sealed: bytes) -> int:
    """The clear `seq` of a sealed head: the cache key of every worker.

    Raises:
        LayoutError: not a head.
    """
    reader = Reader(sealed, "head")
    reader.head(b"H")
    reader.take(4)
    return reader.uint(8)


__all__ = [
    "DrainMark",
    "Head",
    "HeadWitness",
    "ManifestRow",
    "MonthManifest",
    "head_seq",
]
