"""The shelves of one open vault: months that are checked when opened, and one writer at a time.

Reading a month: (1) the head, checked against this home's witness, (2) the month's manifest, which
must be the one the head names, (3) every row of the month against the manifest: missing, extra,
old, swapped, altered are refused by name, (4) a record is opened only under its own row id,
revision, kind and month.

Writing: (1) the head's row is locked, (2) the head is read again, (3) rows, manifests, journal and
outbox are written, (4) the head is replaced by compare-and-set on `seq`, (5) after the commit the
witness moves and other workers see the new `seq`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from federation.sealing.entropy import token
from federation.wire.jobs import Job, JobClass, Outbox
from schemas.ids import Did, Digest, Iri, digest
from schemas.making import unchecked
from schemas.records import Compartment, Kind
from vault.blobs import BlobStore
from vault.crypto.envelope import open_record, row_digest, seal_record
from vault.crypto.errors import SealBrokenError
from vault.crypto.head import (
    DrainMark,
    Head,
    HeadWitness,
    ManifestRow,
    MonthManifest,
)
from vault.crypto.index_key import IndexKey
from vault.crypto.journal_entry import JournalTip
from vault.crypto.keyring import Keyring
from vault.crypto.month_key import MonthKey
from vault.crypto.secret import RootKey
from vault.errors import VaultLockedError, VaultUnknownError
from vault.journal import append
from vault.key_store import KeyStore
from vault.months import MonthName
from vault.store import Month, Reader, SealedRow, Store, Transactor
from vault.stored import plain_of

__all__ = ["PAGES", "Draft", "Found", "Library", "Shelf", "changing_ring", "page_name"]

_KEPT_PAYLOADS: Final = 20_000
"""Opened payloads kept in memory: about 40 MB of a large vault; the head's move drops none, because
a payload is kept under its row digest."""

_KEPT_VALUES: Final = 10_000
"""Read values kept in memory, a few kB each: five years of trips and what they rest on."""

_row: Final = unchecked(SealedRow)

_FEW: Final = 4
"""Manifests that are looked for one by one."""

T = TypeVar("T")

Found = tuple[Compartment, MonthName, ManifestRow]
"""Where a record is, and what the manifest says of it."""

Line = tuple[datetime, bytes, ManifestRow]
"""A row in a list: start, row id, what the manifest says."""

_Epochs = tuple[tuple[int, Keyring], ...]

_Opened = tuple[Digest, bytes, object]
"""A row by its digest: its payload, and what that reads as; None: not read yet."""

_NO_START: Final = datetime.min.replace(tzinfo=UTC)


class Library:
    """What one process knows of one open vault's rows. Safe to share between threads."""

    def __init__(
        self,
        vault_id: str,
        keyring: Keyring,
        root: RootKey,
        *,
        store: Store,
        outbox: Outbox,
        blobs: BlobStore,
        key_store: KeyStore,
        clock: Callable[[], datetime],
        keeps: int | None = None,
    ) -> None:
        """`keeps`: how many opened payloads, and as many read values, stay in memory at most."""
        self.vault_id, self.keyring, self.root = vault_id, keyring, root
        self._most_payloads = _KEPT_PAYLOADS if keeps is None else keeps
        self._most_values = _KEPT_VALUES if keeps is None else keeps
        self._earlier: list[Keyring] = []
        self.store, self.outbox, self.blobs = store, outbox, blobs
        self.key_store, self.clock = key_store, clock
        self._writer = threading.RLock()
        self._guard = threading.RLock()
        self._head: tuple[int, Digest, Head] | None = None
        self._manifests: dict[tuple[Compartment, MonthName], tuple[Digest, MonthManifest]] = {}
        self._checked: dict[tuple[Compartment, MonthName], Digest] = {}
        self._payloads: OrderedDict[Digest, bytes] = OrderedDict()
        self._values: OrderedDict[Digest, object] = OrderedDict()
        self._tags: dict[tuple[Compartment, bytes], MonthName] = {}
        self._tags_of: dict[tuple[Compartment, MonthName], tuple[_Epochs, tuple[bytes, ...]]] = {}
        self._named: dict[Compartment, tuple[tuple[int, ...], _Epochs]] = {}
        self._indexes: dict[Compartment, tuple[_Epochs, tuple[IndexKey, ...]]] = {}
        self._filed: dict[
            Compartment, tuple[dict[MonthName, MonthManifest], dict[bytes, MonthName]]
        ] = {}
        self._ordered: dict[
            tuple[Compartment, MonthName, str], tuple[MonthManifest, list[Line]]
        ] = {}

    # --- names --------------------------------------------------------------------------------

    def row_id(self, compartment: Compartment, iri: Iri) -> bytes:
        """The row that holds a record from now on: 16 blind bytes, so that rows tell the server
        nothing. While a rotation runs, an older row may have another name: `row_ids`."""
        return self.keyring.index_key(compartment).tag("record", iri)

    def row_ids(self, compartment: Compartment, iri: Iri) -> tuple[bytes, ...]:
        """Every name the row of a record may have, the present one first: one, and one more for
        each earlier epoch that still waits to be rewritten (`vault/rotation.py`)."""
        return self.names("record", compartment, iri)

    def names(self, field: str, compartment: Compartment, value: str) -> tuple[bytes, ...]:
        """Blind names of anything under a compartment's index key; as `row_ids`."""
        epochs = self._epochs(compartment)
        kept = self._indexes.get(compartment)
        if kept is None or kept[0] is not epochs:
            found = tuple(ring.index_key(compartment, epoch=epoch) for epoch, ring in epochs)
            kept = self._indexes[compartment] = (epochs, found)
        return tuple([key.tag(field, value) for key in kept[1]])

    def tag(self, compartment: Compartment, month: MonthName) -> bytes:
        """The month's name in the store from now on."""
        return self.tags(compartment, month)[0]

    def tags(self, compartment: Compartment, month: MonthName) -> tuple[bytes, ...]:
        """Every name a month may have, the present one first; as `row_ids`."""
        epochs = self._epochs(compartment)
        kept = self._tags_of.get((compartment, month))
        if kept is None or kept[0] is not epochs:
            found = self.names("month", compartment, month)
            kept = self._tags_of[(compartment, month)] = (epochs, found)
            for tag in found:
                self._tags[(compartment, tag)] = month
        return kept[1]

    def month_key(self, compartment: Compartment, month: MonthName, epoch: int) -> MonthKey:
        """The key that opens what was written in this epoch. Raises as `Keyring.month_key`."""
        for known, ring in self._epochs(compartment):
            if known == epoch:
                return ring.month_key(compartment, month, epoch=epoch)
        return self.keyring.month_key(compartment, month, epoch=epoch)

    def _epochs(self, compartment: Compartment) -> _Epochs:
        """Every epoch that may still name or open a row, the active one first, and the ring that
        has its keys. An epoch that another worker closed meanwhile stays readable here until lock:
        a snapshot taken before may still hold its rows."""
        ring, living = self.keyring, self.keyring.epochs(compartment)
        kept = self._named.get(compartment)
        if kept is None or kept[0] is not living:
            found = dict.fromkeys(living, ring)
            for earlier in reversed(self._earlier):
                for epoch in earlier.epochs(compartment):
                    if epoch < living[-1]:  # a higher one was never committed
                        found.setdefault(epoch, earlier)
            pairs = tuple(sorted(found.items(), key=lambda pair: -pair[0]))
            kept = self._named[compartment] = (living, pairs)
        return kept[1]

    # --- transactions -------------------------------------------------------------------------

    def require_open(self) -> None:
        if self.keyring.is_locked:
            raise VaultLockedError

    @contextmanager
    def reading(self) -> Iterator["Shelf"]:
        """One snapshot. Raises HeadError by name, VaultUnknownError after a shred."""
        self.require_open()
        remembered = self._remembered()
        with self.store.read() as reader:
            yield Shelf(self, reader, self._read_head(reader, remembered))

    @contextmanager
    def first(self, check: "Callable[[Draft], None]") -> Iterator[None]:
        """Run `check` inside the next write transaction of this thread, before anything else: a
        condition that holds there still holds at its commit. What it raises ends the write."""
        token = _FIRST.set((self, check))
        try:
            yield
        finally:
            _FIRST.reset(token)

    @contextmanager
    def writing(self) -> Iterator["Draft"]:
        """One write transaction; commits with a new head, unless the draft stayed empty.

        Raises:
            DatabaseBusyError, HeadMovedError: nothing was written; read again and retry.
        """
        self.require_open()
        # Locks in one order, as readers take them: a connection, then the guard. A writer that
        # waited for a connection with the guard in hand would wait for readers that wait for it.
        with self._writer:
            remembered = self._remembered()
            try:
                with self.store.transact() as tx:
                    tx.lock_head(self.vault_id)
                    with self._guard:
                        self.require_open()
                        draft = Draft(self, tx, self._read_head(tx, remembered))
                        first = _FIRST.get()
                        if first is not None and first[0] is self:
                            _FIRST.set(None)
                            first[1](draft)
                        yield draft
                        sealed = draft.finish()
            except BaseException:
                # The next look opens the head anew, and the ring if this draft had changed it.
                self._head = None
                raise
            if sealed is not None:
                witness = Head.witness(sealed)
                self.key_store.remember(self.vault_id, seq=witness.seq, head=witness.digest)
            for action in draft.after_commit:
                action()

    def _remembered(self) -> HeadWitness | None:
        """What this home's witness says. Asked *before* a snapshot is taken: a head that another
        worker commits meanwhile is then never mistaken for one that was taken back."""
        found = self.key_store.witness(self.vault_id)
        return None if found is None else HeadWitness(found[0], Digest(found[1]))

    def _read_head(self, reader: Reader, remembered: HeadWitness | None) -> Head:
        row = reader.head(self.vault_id)
        if row is None:
            raise VaultUnknownError
        if remembered is not None:  # also when the head is the one kept: it may be older by now
            Head.require_not_older(row.sealed, remembered)
        seen = digest(row.sealed)
        with self._guard:
            if self._head is not None and self._head[:2] == (row.seq, seen):
                return self._head[2]
            head = Head.open(row.sealed, key=self.keyring.head_key(), vault=self.vault_id)
            if head.keyring_generation != self.keyring.generation:
                self._reload(reader)
            self._head = (row.seq, seen, head)
            for place, named in list(self._checked.items()):
                if head.manifests.get(place) != named:
                    del self._checked[place]
            return head

    def _reload(self, reader: Reader) -> None:
        """Another worker changed the ring (a holder key, a new epoch), or a change of ours was
        rolled back. Threads may still hold the earlier ring: it is zeroed at lock."""
        sealed = reader.keyring(self.vault_id)
        if sealed is None:
            raise VaultUnknownError
        try:
            fresh = Keyring.open(sealed, root=self.root, vault=self.vault_id)
        except SealBrokenError:
            # The root was renewed: a session that goes on has the new one in its row.
            self.close()
            raise VaultLockedError from None
        self._earlier.append(self.keyring)
        self.keyring = fresh

    # --- months -------------------------------------------------------------------------------

    def manifest(
        self, reader: Reader, head: Head, compartment: Compartment, month: MonthName
    ) -> MonthManifest:
        """Step 2: the month's manifest, as the head names it."""
        kept = self._kept_manifest(head, compartment, month)
        if kept is not None:
            return kept
        sealed = None
        for tag in self.tags(compartment, month):
            row = reader.month(self.vault_id, compartment.value, tag)
            if row is not None:
                sealed = row.sealed
                break
        return self._open_manifest(head, compartment, month, sealed)

    def manifests(
        self, reader: Reader, head: Head, compartment: Compartment, months: Sequence[MonthName]
    ) -> list[MonthManifest]:
        """Several, those that are not at hand in one look at the store."""
        cold = [m for m in months if self._kept_manifest(head, compartment, m) is None]
        if len(cold) < _FEW:
            return [self.manifest(reader, head, compartment, m) for m in months]
        sealed = reader.months_of(self.vault_id, compartment.value)
        out = []
        for month in months:
            found = self._kept_manifest(head, compartment, month)
            if found is None:
                there = (sealed.get(tag) for tag in self.tags(compartment, month))
                first = next((one for one in there if one is not None), None)
                found = self._open_manifest(head, compartment, month, first)
            out.append(found)
        return out

    def _kept_manifest(
        self, head: Head, compartment: Compartment, month: MonthName
    ) -> MonthManifest | None:
        place = (compartment, month)
        with self._guard:
            kept = self._manifests.get(place)
        return kept[1] if kept is not None and kept[0] == head.manifests.get(place) else None

    def _open_manifest(
        self, head: Head, compartment: Compartment, month: MonthName, sealed: bytes | None
    ) -> MonthManifest:
        head.check_manifest(compartment, month, sealed)
        if sealed is None:
            return MonthManifest(compartment, month)
        key = self.month_key(compartment, month, int.from_bytes(sealed[4:8], "big"))
        found = MonthManifest.open(sealed, key)
        with self._guard:  # checked: the head's digest is the manifest's
            self._manifests[(compartment, month)] = (head.manifests[(compartment, month)], found)
        return found

    def checked(
        self, reader: Reader, head: Head, compartment: Compartment, month: MonthName
    ) -> MonthManifest:
        """Steps 2 and 3: the manifest, after every row of the month was checked against it."""
        return self.checked_rows(reader, head, compartment, month)[0]

    def checked_rows(
        self, reader: Reader, head: Head, compartment: Compartment, month: MonthName
    ) -> tuple[MonthManifest, list[SealedRow] | None]:
        """As `checked`, with the rows where they were read to be checked; None: they were before,
        and one that is read now is checked again."""
        manifest = self.manifest(reader, head, compartment, month)
        place = (compartment, month)
        named = head.manifests.get(place)
        if named is not None and self._checked.get(place) == named:
            return manifest, None
        rows = self.rows(reader, compartment, month)
        manifest.check([(row.row_id, row.sealed) for row in rows])
        if named is not None:
            self._checked[place] = named
        return manifest, rows

    def rows(self, reader: Reader, compartment: Compartment, month: MonthName) -> list[SealedRow]:
        """Every row of a month, whichever of its names they carry."""
        return [
            row
            for tag in self.tags(compartment, month)
            for row in reader.rows(self.vault_id, compartment.value, tag)
        ]

    def open_row(
        self, compartment: Compartment, month: MonthName, listed: ManifestRow, sealed: bytes
    ) -> bytes:
        """Step 4: the payload of one row, whose digest the manifest names."""
        return self.open_rows(compartment, month, [(listed, sealed)])[0]

    def open_rows(
        self,
        compartment: Compartment,
        month: MonthName,
        rows: Sequence[tuple[ManifestRow, bytes]],
    ) -> list[bytes]:
        """As `open_row`, of several rows of one month, which were checked."""
        keys: dict[bytes, MonthKey] = {}
        out, fresh = list[bytes](), list[_Opened]()
        for listed, sealed in rows:
            payload = self.kept(listed.digest)
            if payload is None:
                epoch = sealed[4:8]
                key = keys.get(epoch)
                if key is None:
                    number = int.from_bytes(epoch, "big")
                    key = keys[epoch] = self.month_key(compartment, month, number)
                payload = open_record(
                    sealed,
                    vault=self.vault_id,
                    record_id=listed.record_id,
                    revision=listed.revision,
                    kind=listed.kind,
                    month_key=key,
                ).payload
                fresh.append((listed.digest, payload, None))
            out.append(payload)
        self._keep(fresh)
        return out

    def _keep(self, opened: "Sequence[_Opened]") -> None:
        with self._guard:
            self._payloads.update((name, payload) for name, payload, _ in opened)
            self._values.update((name, value) for name, _, value in opened if value is not None)
            while len(self._values) > self._most_values:
                self._values.popitem(last=False)
            while len(self._payloads) > self._most_payloads:
                self._payloads.popitem(last=False)

    def kept(self, name: Digest) -> bytes | None:
        with self._guard:
            found = self._payloads.get(name)
            if found is not None:
                self._payloads.move_to_end(name)
            return found

    def kept_value(self, name: Digest) -> object:
        """What `value` has of this row already; None when nothing."""
        with self._guard:
            return self._values.get(name)

    def value(self, name: Digest, payload: bytes, read: Callable[[bytes], T]) -> T:
        """What a payload reads as, kept under its row digest: a frozen value may be shared."""
        with self._guard:
            kept = self._values.get(name)
        if kept is None:
            kept = read(payload)
            with self._guard:
                self._values[name] = kept
                while len(self._values) > self._most_values:
                    self._values.popitem(last=False)
        return cast(T, kept)

    def month_of_tag(self, head: Head, compartment: Compartment, tag: bytes) -> MonthName | None:
        if (compartment, tag) not in self._tags:
            for place in head.manifests:
                if place[0] is compartment:
                    self.tag(*place)
        return self._tags.get((compartment, tag))

    def close(self) -> None:
        """Zero every key and forget everything opened."""
        with self._guard:
            self.keyring.lock()
            for keyring in self._earlier:
                keyring.lock()
            self._earlier.clear()
            self._head = None
            self._manifests.clear()
            self._checked.clear()
            self._payloads.clear()
            self._values.clear()
            self._tags.clear()
            self._tags_of.clear()
            self._named.clear()
            self._indexes.clear()
            self._ordered.clear()
            self._filed.clear()


_FIRST: Final[ContextVar[tuple[Library, Callable[["Draft"], None]] | None]] = ContextVar(
    "first", default=None
)
"""What the next write of this thread checks before anything else."""


class Shelf:
    """One snapshot of the vault, opened month by month."""

    def __init__(self, library: Library, reader: Reader, head: Head) -> None:
        self.library, self.reader, self.head = library, reader, head
        self.vault_id = library.vault_id
        self._months_of: dict[Compartment, dict[bytes, MonthName]] = {}

    def months(self, compartment: Compartment) -> list[MonthName]:
        """Months that hold something, oldest first; the undated one last."""
        return sorted(month for c, month in self.head.manifests if c is compartment)

    def listed(self, compartment: Compartment, month: MonthName) -> MonthManifest:
        """The manifest alone: for counts and pages."""
        return self.library.manifest(self.reader, self.head, compartment, month)

    def count(self, compartment: Compartment, months: Sequence[MonthName], kind: Kind) -> int:
        """How many records of a kind these months hold, from manifests alone."""
        found = self.library.manifests(self.reader, self.head, compartment, months)
        return sum(manifest.count(kind) for manifest in found)

    def checked(self, compartment: Compartment, month: MonthName) -> MonthManifest:
        """The manifest, after the month's rows were checked."""
        return self.library.checked(self.reader, self.head, compartment, month)

    def ordered(self, compartment: Compartment, month: MonthName, kind: Kind) -> list[Line]:
        """Rows of one kind, oldest first, from the manifest alone; kept while it stands."""
        manifest = self.listed(compartment, month)
        kept = self.library._ordered.get((compartment, month, kind))
        if kept is not None and kept[0] is manifest:
            return kept[1]
        lines = sorted(
            (
                (row.start or _NO_START, row.record_id, row)
                for row in manifest.rows.values()
                if row.kind == kind
            ),
            key=lambda line: line[:2],
        )
        self.library._ordered[(compartment, month, kind)] = (manifest, lines)
        return lines

    def payloads(
        self, compartment: Compartment, month: MonthName, *, kind: Kind | None = None
    ) -> list[tuple[ManifestRow, bytes]]:
        """Every payload of a month (of one kind), the month checked first."""
        manifest, rows = self.library.checked_rows(self.reader, self.head, compartment, month)
        wanted = [row for row in manifest.rows.values() if kind is None or row.kind == kind]
        if rows is None:
            return self.opened(compartment, month, wanted)
        sealed = {row.row_id: row.sealed for row in rows}
        found = [(row, sealed[row.record_id]) for row in wanted]
        opened = self.library.open_rows(compartment, month, found)
        return list(zip(wanted, opened, strict=True))

    def opened(
        self, compartment: Compartment, month: MonthName, wanted: Sequence[ManifestRow]
    ) -> list[tuple[ManifestRow, bytes]]:
        """Payloads of these rows of one month, in their order."""
        library = self.library
        # Taken once: a long list may push its own first rows out of what is kept.
        warm = {row.digest: library.kept(row.digest) for row in wanted}
        cold = [row.record_id for row in wanted if warm[row.digest] is None]
        sealed: Mapping[bytes, bytes] = {}
        if cold:
            sealed = {
                row.row_id: row.sealed
                for row in self.reader.rows_named(self.vault_id, compartment.value, cold)
            }
        out: list[tuple[ManifestRow, bytes]] = []
        for row in wanted:
            kept = warm[row.digest]
            if kept is None:
                found = sealed.get(row.record_id)
                MonthManifest(compartment, month, {row.record_id: row}).check(
                    [] if found is None else [(row.record_id, found)]
                )
                assert found is not None  # noqa: S101  # check raised otherwise
                kept = library.open_row(compartment, month, row, found)
            out.append((row, kept))
        return out

    def find(self, iri: Iri, compartments: Iterable[Compartment] = Compartment) -> Found | None:
        """Where a record is, by its IRI.

        Raises:
            MonthError, HeadError: a manifest lists it and its row was removed or moved.
        """
        for compartment in compartments:
            for row_id in self._row_ids(compartment, iri):
                month = self._month_of(compartment, row_id)
                if month is None:
                    continue
                listed = self.checked(compartment, month).rows.get(row_id)
                if listed is not None:
                    return compartment, month, listed
        return None

    def _row_ids(self, compartment: Compartment, iri: Iri) -> tuple[bytes, ...]:
        return self.library.row_ids(compartment, iri)

    def _month_of(self, compartment: Compartment, row_id: bytes) -> MonthName | None:
        """The month of a row: one look-up by its tag, and the manifests where that says nothing."""
        tag = self.reader.tag_of(self.vault_id, compartment.value, row_id)
        month = None
        if tag is not None:
            month = self.library.month_of_tag(self.head, compartment, tag)
        if month is None or row_id not in self.listed(compartment, month).rows:
            month = self._filed(compartment).get(row_id)
        return month

    def _filed(self, compartment: Compartment) -> dict[bytes, MonthName]:
        """Month of each row that a manifest lists: what the rows themselves cannot hide."""
        if compartment not in self._months_of:
            self._months_of[compartment] = {
                row_id: month
                for month in self.months(compartment)
                for row_id in self.listed(compartment, month).rows
            }
        return self._months_of[compartment]

    def values(
        self,
        compartment: Compartment,
        month: MonthName,
        read: Callable[[bytes], T],
        *,
        kind: Kind,
    ) -> list[T]:
        """As `payloads`, read and kept."""
        return [
            self.library.value(row.digest, payload, read)
            for row, payload in self.payloads(compartment, month, kind=kind)
        ]

    def value(self, found: Found, read: Callable[[bytes], T]) -> T:
        return self.library.value(found[2].digest, self.payload(found), read)

    def payload(self, found: Found) -> bytes:
        compartment, month, listed = found
        return self.opened(compartment, month, [listed])[0][1]


class Draft(Shelf):
    """What one write transaction changes. Reads see the state before the draft."""

    def __init__(self, library: Library, tx: Transactor, head: Head) -> None:
        super().__init__(library, tx, head)
        self.tx = tx
        self.after_commit: list[Callable[[], None]] = []
        self._rows: dict[tuple[Compartment, bytes], SealedRow] = {}
        self._placed: dict[tuple[Compartment, bytes], MonthName] = {}
        self._files: dict[tuple[Compartment, MonthName], tuple[MonthKey, bytes]] = {}
        self._opened: list[_Opened] = []
        self._names: dict[tuple[Compartment, Iri], tuple[bytes, ...]] = {}
        self._gone: dict[tuple[Compartment, bytes], None] = {}
        self._put: dict[tuple[Compartment, MonthName], dict[bytes, ManifestRow]] = {}
        self._removed: dict[tuple[Compartment, MonthName], set[bytes]] = {}
        self._drained: dict[tuple[Did, str], DrainMark] = {}
        self._generation: int | None = None
        self._journal: list[tuple[str, str, Mapping[str, Any]]] = []

    def _month_of(self, compartment: Compartment, row_id: bytes) -> MonthName | None:
        """From the manifests alone: a draft looks up many rows, and manifests are at hand."""
        return self._filed(compartment).get(row_id)

    def _row_ids(self, compartment: Compartment, iri: Iri) -> tuple[bytes, ...]:
        """Looked for, then written: named once."""
        found = self._names.get((compartment, iri))
        if found is None:
            found = self._names[(compartment, iri)] = self.library.row_ids(compartment, iri)
        return found

    def _filed(self, compartment: Compartment) -> dict[bytes, MonthName]:
        """As of any shelf, from what the last draft knew: one draft at a time, and most months are
        as they were."""
        filed = self._months_of.get(compartment)
        if filed is None:
            known, filed = self.library._filed.setdefault(compartment, ({}, {}))
            present = dict.fromkeys(self.months(compartment))
            for month in [*(known.keys() - present.keys()), *present]:
                before = known.get(month)
                after = self.listed(compartment, month) if month in present else None
                if before is after:
                    continue
                for row_id in before.rows if before is not None else ():
                    if filed.get(row_id) == month:
                        del filed[row_id]
                known.pop(month, None)
                if after is not None:
                    known[month] = after
                    filed.update(dict.fromkeys(after.rows, month))
            self._months_of[compartment] = filed
        return filed

    def put(
        self,
        kind: Kind,
        compartment: Compartment,
        month: MonthName,
        iri: Iri,
        payload: bytes,
        *,
        revision: int,
        start: datetime | None,
        schema_version: int = 1,
        value: object = None,
    ) -> None:
        """Write one revision, in place of an earlier one wherever that is filed. `value` is what
        the payload reads as, when the caller has it."""
        library = self.library
        row_id, *earlier = self._row_ids(compartment, iri)
        for name in earlier:
            filed = self._month_of(compartment, name)
            if filed is not None:
                self.remove(compartment, filed, name)
        place, into = (compartment, row_id), (compartment, month)
        file = self._files.get(into)
        if file is None:
            key, tag = library.keyring.month_key(compartment, month), library.tag(*into)
            file = self._files[into] = (key, tag)
        for old in (self._placed.get(place), self._month_of(compartment, row_id)):
            if old is not None and old != month:
                self._removed.setdefault((compartment, old), set()).add(row_id)
                self._put.get((compartment, old), {}).pop(row_id, None)
        self._placed[place] = month
        sealed = seal_record(
            payload,
            vault=self.vault_id,
            record_id=row_id,
            revision=revision,
            kind=kind.value,
            month_key=file[0],
            schema_version=schema_version,
            plain=plain_of(kind, payload),
        )
        self._rows[place] = _row(compartment.value, row_id, file[1], sealed)
        self._gone.pop(place, None)
        listed = ManifestRow(row_id, kind.value, revision, start, row_digest(sealed))
        self._put.setdefault(into, {})[row_id] = listed
        removed = self._removed.get(into)
        if removed is not None:
            removed.discard(row_id)
        self._opened.append((listed.digest, payload, value))

    def remove(self, compartment: Compartment, month: MonthName, row_id: bytes) -> None:
        """Delete a record: its data key goes with the row, at once."""
        self._removed.setdefault((compartment, month), set()).add(row_id)
        self._put.get((compartment, month), {}).pop(row_id, None)
        self._rows.pop((compartment, row_id), None)
        self._gone[(compartment, row_id)] = None

    def touch(self, compartment: Compartment, month: MonthName) -> None:
        """Write the month's manifest again, under its present name and key."""
        self._removed.setdefault((compartment, month), set())

    def discard(self, compartment: Compartment, month: MonthName, iri: Iri) -> None:
        """As `remove`, by the record's IRI, whichever name its row has."""
        for row_id in self.library.row_ids(compartment, iri):
            self.remove(compartment, month, row_id)

    def tag_of_put(self, iri: Iri) -> Digest | None:
        """Digest of the row this draft writes for a record; None when it writes none."""
        for (compartment, _), rows in self._put.items():
            found = rows.get(self.library.row_id(compartment, iri))
            if found is not None:
                return found.digest
        return None

    def mark_drained(self, depositor: Did, account: str, seq: int, manifest: Digest) -> None:
        self._drained[(depositor, account)] = DrainMark(seq, manifest)

    def put_keyring(self, root: RootKey, ring: Keyring | None = None) -> None:
        """Store the ring after a change of its keys; `ring`: another than the library's, which
        takes it in when it next looks."""
        ring = ring or self.library.keyring
        self.tx.put_keyring(self.vault_id, ring.seal(root))
        self._generation = ring.generation

    def journal(self, event: str, *, actor: str = "citizen", **detail: Any) -> None:
        """One entry of the journal for this act: ids, purposes, parties and counts, no values."""
        self._journal.append((event, actor, detail))

    def enqueue(
        self,
        kind: str,
        *,
        key: str,
        payload: bytes,
        job_class: JobClass = JobClass.BLIND,
        due_at: datetime | None = None,
    ) -> Job:
        """An outbox row in this commit."""
        return self.library.outbox.enqueue(
            self.tx.session,
            kind,
            at=self.library.clock(),
            key=key,
            owner=self.vault_id,
            payload=payload,
            job_class=job_class,
            due_at=due_at,
        )

    def finish(self) -> bytes | None:
        """Write everything and swap the head; None when there was nothing to write."""
        touched = {**self._put, **self._removed}.keys()
        if not (touched or self._drained or self._journal) and self._generation is None:
            return None
        library, tx = self.library, self.tx
        for compartment in {c for c, _ in self._gone}:
            tx.delete_rows(
                self.vault_id,
                compartment.value,
                [row_id for c, row_id in self._gone if c is compartment],
            )
        tx.put_rows(self.vault_id, list(self._rows.values()))
        digests: dict[tuple[Compartment, str], Digest | None] = {}
        written, pages = list[Month](), list[str]()
        for compartment, month in touched:
            tag, *earlier = library.tags(compartment, month)
            pages += (page_name(name) for name in (tag, *earlier))
            for name in earlier:  # the manifest moves to the month's present name
                tx.delete_month(self.vault_id, compartment.value, name)
            manifest = self.listed(compartment, month).with_changes(
                put=self._put.get((compartment, month), {}).values(),
                remove=self._removed.get((compartment, month), ()),
            )
            if manifest.rows:
                sealed = manifest.seal(library.keyring.month_key(compartment, month))
                written.append(Month(compartment.value, tag, sealed))
                digests[(compartment, month)] = digest(sealed)
            else:
                tx.delete_month(self.vault_id, compartment.value, tag)
                digests[(compartment, month)] = None
        tx.delete_setting(self.vault_id, *pages)
        tx.put_months(self.vault_id, written)
        public, tip = library.keyring.journal().public, None
        for event, actor, detail in self._journal:
            tip = append(
                tx,
                self.vault_id,
                to=public,
                event=event,
                actor=actor,
                detail=detail,
                at=library.clock(),
            )
        if tip is None:
            last = tx.journal_last(self.vault_id)
            tip = None if last is None else JournalTip(last.number, Digest(last.chain))
        head = self.head.next(
            manifests=digests,
            drained=self._drained,
            keyring_generation=self._generation,
            journal=None if tip is None else (tip.count, tip.last),
        )
        sealed_head = head.seal(library.keyring.head_key())
        tx.swap_head(self.vault_id, expected=self.head.seq, seq=head.seq, sealed=sealed_head)
        checked = {
            place: found
            for place, found in digests.items()
            if found is not None and library._checked.get(place) == self.head.manifests.get(place)
        }
        self.after_commit += (
            lambda: library._checked.update(checked),
            lambda: library._keep(self._opened),
        )
        return sealed_head


@contextmanager
def changing_ring(library: Library, draft: Draft) -> Iterator[Keyring]:
    """The stored ring, to change and store (`Draft.put_keyring`) in this commit; zeroed at the
    end. A copy: were the commit to fail, nothing may be sealed under a key that is stored nowhere.
    The library takes in what was stored when it next looks at the head."""
    sealed = draft.reader.keyring(library.vault_id)
    if sealed is None:
        raise VaultUnknownError
    ring = Keyring.open(sealed, root=library.root, vault=library.vault_id)
    try:
        yield ring
    finally:
        ring.lock()


PAGES: Final = "almanac/"


def page_name(tag: bytes) -> str:
    """The setting that holds what statistics read of a month (`vault/almanac.py`). Any commit that
    touches the month removes it: what was deleted is in no summary either."""
    return f"{PAGES}{tag.hex()}"


def random_id() -> str:
    """A random name for rows that have no IRI."""
    return token(16).hex()
