"""An open vault: what a citizen does with their own records.

Made by `Home.session`; safe to share between threads. Records come out typed, opened from rows that
were checked against their month's manifest. Every write is one transaction with a new head.
"""

import contextlib
import heapq
import io
import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, cast

import structlog

from federation.keys import P256Key, did_key
from federation.sealing.entropy import token
from federation.wire.errors import DatabaseBusyError
from schemas import extensions
from schemas.ids import Did, Digest, Iri, mint_iri
from schemas.jsonld import encode, parse_observation
from schemas.modes import Mode
from schemas.observations import (
    CitizenObservation,
    LabelObservation,
    Observation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.quads import quads
from schemas.records import (
    COMPARTMENT_OF,
    Attribute,
    Compartment,
    Consent,
    Credential,
    ExtensionRecord,
    Kind,
    NamedPlace,
    Record,
    Trip,
    kind_of,
)
from schemas.tracks import PackedTrack
from vault.almanac import Almanac
from vault.blobs import SealedBlob
from vault.crypto.blob import BlobHeader, open_blob, seal_blob
from vault.crypto.head import Head, HeadWitness, ManifestRow
from vault.crypto.secret import RootKey, zero
from vault.deletion import decided_about
from vault.errors import (
    ActRefusedError,
    BlobMissingError,
    BlobStoreUnreachableError,
    HeadMovedError,
    RecordConflictError,
    RecordInvalidError,
    RecordUnknownError,
    VaultLockedError,
)
from vault.journal import read_entry
from vault.library import Draft, Library, Line, Shelf
from vault.model import (
    ClaimShown,
    Deleted,
    Disclosure,
    DrainReport,
    GrantInfo,
    JournalPage,
    Page,
    QuarantineEntry,
    SparqlResult,
    WaitingView,
)
from vault.months import UNDATED, MonthName, file_of, file_of_observation, month_of
from vault.observed import Observed
from vault.reconcile import known_from, reconcile, touched_windows
from vault.sparql import SparqlProcess
from vault.statistics import By, Filter, Row, Statistics
from vault.stored import read_record, read_trip, write_record
from vault.tending import Tender
from vault.values import open_value, seal_value
from vault.window import Interval, settle, span_of, span_of_windows

if TYPE_CHECKING:
    from federation.aids.model import Aid, ProofTemplate
    from federation.keys import Signer
    from federation.openid4vci import CredentialOffer
    from federation.openid4vp import PresentationRequest
    from federation.ports import ApplicationView
    from federation.sealing.box import BoxPublicKey
    from vault.audit import AuditRequest
    from vault.crypto.opening import OpenedSegment
    from vault.home import Home
    from vault.usage_proof import UsageProof

__all__ = ["OpenVault"]

R = TypeVar("R", bound=Record)

UNDO_TERM: Final = timedelta(days=30)
"""How long a deletion can be taken back, so that the next import brings the trips again."""
CITIZEN: Final = "citizen"
BLOB_KIND: Final = "deposited"
"""Blobs hold the bytes of one record as deposited, or of a document."""
_DAY: Final = timedelta(days=1)
COLLECT_EVERY: Final = timedelta(days=1)
"""How often an open vault looks for sealed files that no row names."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a re-run of reconciliation wrote."""

    new: frozenset[Iri]
    changed: int
    placed: Mapping[Iri, Trip]
    """The trip of each observation there."""


class OpenVault:
    """One vault, opened by its citizen."""

    def __init__(self, home: "Home", library: Library, root: RootKey) -> None:
        self.home, self.library, self.root = home, library, root
        self.vault_id = library.vault_id
        self._sparql = SparqlProcess()
        self.almanac = Almanac()
        self._statistics = Statistics()
        self._tender = Tender(self)
        self._collected: datetime | None = None
        self.news_asked_at: datetime | None = None
        """When this process last asked the hub (`vault/news.py`)."""

    def __repr__(self) -> str:
        return "OpenVault(***)"

    # --- the vault itself ---------------------------------------------------------------------

    @property
    def is_locked(self) -> bool:
        return self.library.keyring.is_locked

    def lock(self) -> None:
        """End every session of this vault, in every process, and zero its keys here."""
        self.home.lock_all(self.vault_id)
        self.forget()

    def forget(self) -> None:
        """Zero the keys of this process; sessions stay and open it again when asked."""
        self._tender.stop()
        self._sparql.close()
        self.almanac.clear()
        self._statistics.clear()
        self.library.close()
        self.root.wipe()

    def head(self) -> Head:
        """The head, checked against the home's witness.

        Raises:
            VaultRolledBackError, VaultForkedError: the store is an older or another copy.
        """
        with self.library.reading() as shelf:
            return shelf.head

    def witness(self) -> HeadWitness:
        """(seq, H(head)) for somebody else to remember."""
        with self.library.reading() as shelf:
            row = shelf.reader.head(self.vault_id)
            if row is None:
                raise VaultLockedError
            return Head.witness(row.sealed)

    def require_witness(self, remembered: HeadWitness) -> None:
        """Compare with what the browser remembers. Raises as `head`."""
        with self.library.reading() as shelf:
            row = shelf.reader.head(self.vault_id)
            if row is not None:
                Head.require_not_older(row.sealed, remembered)

    def label(self) -> str:
        return (self.setting("label") or b"").decode()

    def setting(self, name: str) -> bytes | None:
        """A small sealed value of the vault; None when there is none."""
        with self.library.reading() as shelf:
            sealed = shelf.reader.setting(self.vault_id, name)
        if sealed is None:
            return None
        return open_value(self.library.keyring, sealed, place="setting", name=name)

    def put_setting(self, name: str, value: bytes) -> None:
        """Keep a small value, sealed. It is no record: no month lists it, no export carries it."""
        with self.library.store.transact() as tx:
            tx.lock_head(self.vault_id)
            tx.put_setting(
                self.vault_id,
                name,
                seal_value(self.library.keyring, value, place="setting", name=name),
            )

    def keep(self, draft: Draft, name: str, value: bytes) -> None:
        """As `put_setting`, in a commit that does more."""
        draft.tx.put_setting(
            self.vault_id,
            name,
            seal_value(self.library.keyring, value, place="setting", name=name),
        )

    def _now(self) -> datetime:
        return self.home.clock()

    # --- records ------------------------------------------------------------------------------

    def put(self, *records: Record) -> tuple[Record, ...]:
        """Write records; returns them as stored.

        A new record is stored as given. A record the vault has must carry the revision that was
        read, and is stored as the next one; equal contents change nothing.

        Raises:
            RecordConflictError: somebody changed it meanwhile: read again.
            RecordInvalidError: a trip: trips follow from observations (`correct`, `delete`).
            ExtensionUnknownError, RecordError: as `schemas.extensions.check`.
        """
        for record in records:
            if isinstance(record, Trip):
                raise RecordInvalidError(
                    "trips follow from observations; correct or delete them", where="/type"
                )
            if isinstance(record, ExtensionRecord):
                extensions.check(record)
        with self.library.writing() as draft:
            stored = tuple(self.store_record(draft, record) for record in records)
            if any(new is not old for new, old in zip(stored, records, strict=True)) or any(
                draft.find(record.id, [COMPARTMENT_OF[kind_of(record)]]) is None
                for record in records
            ):
                kinds = sorted({kind_of(record).value for record in records})
                draft.journal("record-put", kinds=kinds, count=len(records))
        return stored

    def revise(self, iri: Iri, change: Callable[[R], R], *, kind: Kind) -> R:
        """Change a record as it stands at the moment of writing, for what was learned elsewhere (a
        hub's answer) while somebody else may have written it too. `change` is given the record of
        now, and may return it as it is: nothing is written then.

        Raises:
            RecordUnknownError: it was deleted meanwhile.
        """
        with self.library.writing() as draft:
            found = draft.find(iri, [COMPARTMENT_OF[kind]])
            if found is None:
                raise RecordUnknownError(iri)
            old = cast(R, read_record(draft.payload(found)))
            new = change(old)
            if new == old:
                return old
            stored = cast(R, self.store_record(draft, new))
            draft.journal("record-put", kinds=[kind.value], count=1)
        return stored

    def store_record(self, draft: Draft, record: Record) -> Record:
        """As `put`, in a commit that does more."""
        kind, compartment, month, start = file_of(record)
        found = draft.find(record.id, [compartment])
        if found is not None:
            old = read_record(draft.payload(found))
            # Also when the contents are equal: two who each added one have not added one together.
            if old.revision != record.revision:
                raise RecordConflictError(expected=record.revision, found=old.revision)
            if old == record:
                return record
            record = replace(record, revision=record.revision + 1)
        draft.put(
            kind,
            compartment,
            month,
            record.id,
            write_record(record),
            revision=record.revision,
            start=start,
        )
        return record

    def get(self, iri: Iri) -> Record:
        """One record, by its IRI or, for trips, by one it was known by.

        Raises:
            RecordUnknownError: none. MonthError: its month is not what was written.
        """
        with self.library.reading() as shelf:
            record = self._find(shelf, iri)
        if record is None:
            raise RecordUnknownError(iri)
        return record

    def _find(self, shelf: Shelf, iri: Iri) -> Record | None:
        found = shelf.find(iri)
        if found is not None:
            return None if found[2].kind == Kind.OBSERVATION else read_record(shelf.payload(found))
        for trip in self.trips_in(shelf, shelf.months(Compartment.TRIPS)):
            if iri in trip.aliases:
                return trip
        return None

    def months(self, kind: Kind) -> list[MonthName]:
        """Months that hold records of a kind, newest first, from manifests alone."""
        compartment = COMPARTMENT_OF[kind]
        with self.library.reading() as shelf:
            return [
                month
                for month in reversed(shelf.months(compartment))
                if shelf.listed(compartment, month).count(kind)
            ]

    def records(
        self,
        kind: Kind,
        *,
        month: MonthName | None = None,
        cursor: str | None = None,
        limit: int = 50,
        counted: bool = True,
    ) -> Page:
        """One page of a kind, newest first. Order and count come from manifests; only the months
        a page touches are opened and checked. Counting reads every manifest at the first call;
        without it (`counted=False`, `total` is 0) a page costs the months it touches.

        Raises:
            CursorRefusedError: not a cursor of this list.
        """
        compartment, limit = COMPARTMENT_OF[kind], max(1, min(limit, 500))
        after = self._read_cursor(cursor, kind)
        with self.library.reading() as shelf:
            names = [m for m in shelf.months(compartment) if month in (None, m)]

            def newest_first(months: Iterable[MonthName]) -> Iterator[tuple[Line, MonthName]]:
                for name in months:
                    lines = shelf.ordered(compartment, name, kind)
                    end = len(lines) if after is None else bisect_left(lines, after)
                    for line in reversed(lines[:end]):
                        yield line, name

            dated = [m for m in reversed(names) if m != UNDATED]
            if after is not None:
                dated = [m for m in dated if m <= month_of(after[0])]
            # Each dated month lies wholly before the next; undated rows go where their start says.
            merged = heapq.merge(
                newest_first(dated),
                newest_first(m for m in names if m == UNDATED),
                key=lambda line: line[0][:2],
                reverse=True,
            )
            found = list(islice(merged, limit + 1))
            page, more = found[:limit], len(found) > limit
            out: dict[bytes, Record] = {}
            for name in dict.fromkeys(name for _, name in page):
                shelf.checked(compartment, name)
                rows = [line[2] for line, where in page if where == name]
                for row, payload in shelf.opened(compartment, name, rows):
                    out[row.record_id] = self.library.value(row.digest, payload, read_record)
            total = shelf.count(compartment, names, kind) if counted else None
        following = self._cursor(page[-1][0][0], page[-1][0][1], kind) if more else None
        return Page(tuple(out[line[1]] for line, _ in page), following, total or 0)

    def _cursor(self, start: datetime, row_id: bytes, kind: Kind) -> str:
        body = f"{start.isoformat()} {row_id.hex()}".encode()
        aad = f"{self.vault_id} {kind}".encode()
        from federation.multibase import b64url

        return b64url(self.home.seal.seal(body, purpose="cursor", aad=aad))

    def _read_cursor(self, cursor: str | None, kind: Kind) -> tuple[datetime, bytes] | None:
        if cursor is None:
            return None
        from federation.multibase import EncodingError, b64url_decode
        from federation.wire.errors import CursorRefusedError
        from vault.errors import KeyStoreError

        try:
            body = self.home.seal.open(
                b64url_decode(cursor), purpose="cursor", aad=f"{self.vault_id} {kind}".encode()
            )
        except (EncodingError, KeyStoreError):
            raise CursorRefusedError from None
        start, _, row_id = body.decode().partition(" ")
        return datetime.fromisoformat(start), bytes.fromhex(row_id)

    def all(self, kind: Kind) -> list[Record]:
        """Every record of a kind, oldest first."""
        compartment = COMPARTMENT_OF[kind]
        with self.library.reading() as shelf:
            found = [
                (row, payload)
                for month in shelf.months(compartment)
                for row, payload in shelf.payloads(compartment, month, kind=kind)
            ]
        return [read_record(payload) for _, payload in sorted(found, key=lambda f: _order(f[0]))]

    def trips(self, since: date, until: date) -> list[Trip]:
        """Trips whose local day is within `since` to `until`, both included, oldest first."""
        months = _months_between(_day_before(since), _day_after(until))
        with self.library.reading() as shelf:
            present = [m for m in shelf.months(Compartment.TRIPS) if m in months]
            found = self.trips_in(shelf, present)
        return sorted(
            (trip for trip in found if since <= trip.local_date <= until),
            key=lambda trip: (trip.started_at, trip.id),
        )

    def trips_in(self, shelf: Shelf, months: Iterable[MonthName]) -> list[Trip]:
        return [
            trip
            for month in months
            for trip in shelf.values(Compartment.TRIPS, month, read_trip, kind=Kind.TRIP)
        ]

    def places(self) -> list[NamedPlace]:
        """The citizen's own places."""
        return [cast(NamedPlace, record) for record in self.all(Kind.PLACE)]

    def set_place(self, place: NamedPlace) -> NamedPlace:
        """Keep a place, new or changed, as confirmed now if no date is given."""
        if place.confirmed_at is None:
            place = replace(place, confirmed_at=self._now())
        return cast(NamedPlace, self.put(place)[0])

    def attributes(self, name: str | None = None) -> list[Attribute]:
        found = [cast(Attribute, record) for record in self.all(Kind.ATTRIBUTE)]
        return [a for a in found if name is None or a.name == name]

    # --- drain --------------------------------------------------------------------------------

    def drain(self, limit: int | None = 500) -> DrainReport:
        """Take in waiting deposits, oldest first, until at least `limit` records (None: all).

        Each slice is its own transaction with its progress; killing the process at any moment loses
        nothing and takes nothing twice. See `vault/drain.py`. When nothing waits, retention rules
        take their slice (`vault/retention.py`).
        """
        from vault.amending import sweep
        from vault.delivery import send_again
        from vault.disputes import tell_again
        from vault.drain import drain
        from vault.issuance import collect
        from vault.sharing import resend_withdrawals
        from vault.standing import tend

        self.home.feed(self)
        report = drain(self, limit)
        if not report.waiting:
            send_again(self.home, self.vault_id)
            tell_again(self.home, self.vault_id)
            collect(self)
            resend_withdrawals(self)
            tend(self)
            sweep(self)
            self.upkeep()
        return report

    def open_points(self, header: bytes, frames: bytes) -> "OpenedSegment":
        """The frames of a phone's point segment. Raises DepositRefusedError, WrongVaultError."""
        from vault.crypto.opening import open_segment

        return open_segment(
            header, frames, box_for=self.library.keyring.box_for, vault=self.vault_id
        )

    def upkeep(self, *, budget_s: float = 0.2) -> None:
        """A slice of what only an open vault can do and nobody waits for: retention rules, then
        the pages statistics read (a thread's work where the home has one for its open vaults).
        Costs nothing when nothing is due."""
        from vault.retention import step

        until = time.monotonic() + budget_s
        # Another writer at work is no fault: the next slice is as good.
        with contextlib.suppress(DatabaseBusyError, HeadMovedError):
            step(self, budget_s=budget_s)
            if not self.home.settings.tends_open_vaults:
                self.almanac.prepare(self.library, until=until)
        self._collect()
        self.tend()

    def _collect(self) -> None:
        """Once a day: sealed files that no row names go. A crash left them, or a bucket that did
        not answer when they were to be destroyed."""
        at = self.home.clock()
        if self._collected is not None and at - self._collected < COLLECT_EVERY:
            return
        try:
            gone = self.home.collect_orphans(self.vault_id)
        except BlobStoreUnreachableError as error:
            _log.warning("vault.orphans_stay", reason=error.reason)
            return
        self._collected = at
        if gone:
            _log.info("vault.orphans_collected", files=gone)

    def tend(self) -> None:
        """Let a thread of this process go on with what has slices left, a renewal of keys
        (`vault/rotation.py`) and the pages statistics read: until it is done, the vault locks or
        the session ends."""
        self._tender.start()

    def waiting(self) -> WaitingView:
        """What the drop-box holds."""
        return self.home.drop_box(self.vault_id).waiting()

    def quarantine(self) -> list[QuarantineEntry]:
        """What could not be taken in, and why."""
        from vault.drain import read_quarantine

        return read_quarantine(self)

    # --- observations -------------------------------------------------------------------------

    def observed(self, iri: Iri) -> Observed:
        """One observation as kept. Raises RecordUnknownError."""
        with self.library.reading() as shelf:
            found = shelf.find(iri)
            if found is None or found[2].kind != Kind.OBSERVATION:
                raise RecordUnknownError(iri)
            return Observed.read(shelf.payload(found))

    def observed_of(self, trip: Iri) -> list[Observed]:
        """The observations behind a trip."""
        record = self.get(trip)
        if not isinstance(record, Trip):
            raise ActRefusedError("not-a-trip")
        return [self.observed(iri) for iri in record.observations]

    def observations_of(self, trip: Iri) -> list[Received]:
        """The observations behind a trip, with who left them, when, and what they may attest."""
        return [found.received for found in self.observed_of(trip)]

    def all_observed(self, compartments: Iterable[Compartment] = Compartment) -> list[Observed]:
        """Every observation, documents and the citizen's own acts included, beside trips and
        beside the documents they left: of some compartments, or of all."""
        with self.library.reading() as shelf:
            return [
                Observed.read(payload)
                for compartment in compartments
                for month in shelf.months(compartment)
                for _, payload in shelf.payloads(compartment, month, kind=Kind.OBSERVATION)
            ]

    def read_blob(self, blob_id: str, shelf: Shelf | None = None) -> bytes:
        """A sealed file, opened, in the caller's snapshot if there is one. Raises BlobMissingError,
        BlobError."""
        if shelf is None:
            with self.library.reading() as fresh:
                return self.read_blob(blob_id, fresh)
        blob = shelf.reader.blob(self.vault_id, blob_id)
        if blob is None:
            raise BlobMissingError("no such sealed file")
        sealed = self.home.blobs.read(self.vault_id, blob)
        keyring = self.library.keyring
        return b"".join(
            open_blob(
                io.BytesIO(sealed),
                vault=self.vault_id,
                blob_id=bytes.fromhex(blob_id),
                kind=BLOB_KIND,
                key=keyring.blob_key(epoch=BlobHeader.of(sealed).epoch),
            )
        )

    def seal_blob(self, content: bytes) -> SealedBlob:
        """Seal a track or document; `BlobFolder.write_all` makes it durable."""
        blob_id, out = token(16), io.BytesIO()
        seal_blob(
            io.BytesIO(content),
            out,
            vault=self.vault_id,
            blob_id=blob_id,
            kind=BLOB_KIND,
            key=self.library.keyring.blob_key(),
        )
        return SealedBlob(blob_id.hex(), out.getvalue())

    def deposited(self, observed: Observed, shelf: Shelf | None = None) -> bytes:
        """The bytes as the depositor left them."""
        return observed.bytes_as_deposited(lambda blob_id: self.read_blob(blob_id, shelf))

    def track(self, trip: Iri) -> list[tuple[datetime, float, float]]:
        """Points of a trip: (time, latitude, longitude); empty when no source left any."""
        record = self.get(trip)
        if not isinstance(record, Trip):
            raise ActRefusedError("not-a-trip")
        with self.library.reading() as shelf:
            return self.track_in(shelf, record)

    def track_in(self, shelf: Shelf, trip: Trip) -> list[tuple[datetime, float, float]]:
        """As `track`, in a snapshot the caller holds."""
        for iri in trip.observations:
            place = shelf.find(iri, [Compartment.TRIPS])
            if place is None or place[2].kind != Kind.OBSERVATION:
                raise RecordUnknownError(iri)
            found = shelf.value(place, Observed.read)
            if found.is_forgotten:
                continue
            if found.blob is not None:  # the points lie apart
                raw = self.deposited(found, shelf)
                observation = parse_observation(json.loads(raw))
            else:
                observation = found.received.observation
            track = getattr(observation, "track", None)
            if isinstance(track, PackedTrack):
                return track.points()
            if track:
                return [(point.at, point.lat, point.lon) for point in track]
        return []

    def ambiguous(self) -> list[tuple[Trip, Trip]]:
        """Pairs of trips that may be one; the citizen says (`merge`, `keep_apart`)."""
        with self.library.reading() as shelf:
            months = shelf.months(Compartment.TRIPS)
            trips = self.trips_in(shelf, months)
            received = [o.received for o in self._observed_in(shelf, months)]
        known = known_from(trips)
        by_id = {trip.id: trip for trip in trips}
        found = reconcile(
            received, known=known.iris, aliases=known.aliases, mint=lambda _: mint_iri()
        )
        return [(by_id[a], by_id[b]) for a, b in found.ambiguous if a in by_id and b in by_id]

    def _observed_in(self, shelf: Shelf, months: Iterable[MonthName]) -> list[Observed]:
        return [
            item
            for month in months
            for item in shelf.values(Compartment.TRIPS, month, Observed.read, kind=Kind.OBSERVATION)
        ]

    # --- what the citizen decides ---------------------------------------------------------------

    def correct(self, trip: Iri, *, mode: Mode | None = None, purpose: str | None = None) -> Trip:
        """Say what the trip was. Kept as an observation: evidence says who said what, and `undo`
        takes it back."""
        if (mode is None) == (purpose is None):
            raise ActRefusedError("one-of-mode-and-purpose")
        target = self._trip(trip)
        act = CitizenObservation(
            id=mint_iri(),
            at=self._now(),
            act="mode" if mode is not None else "purpose",
            targets=target.observations,
            mode=mode,
            purpose=purpose,
        )
        self._decide(act, event="corrected")
        return self._trip(trip)

    def merge(self, one: Iri, other: Iri) -> Trip:
        """Say that two trips are one journey."""
        first, second = self._trip(one), self._trip(other)
        self._pair(first, second, "merge")
        try:
            return self._trip(one)
        except RecordUnknownError:
            return self._trip(other)

    def keep_apart(self, one: Iri, other: Iri) -> None:
        """Say that two trips are two."""
        self._pair(self._trip(one), self._trip(other), "keep-apart")

    def _pair(self, first: Trip, second: Trip, act: str) -> None:
        observation = CitizenObservation(
            id=mint_iri(),
            at=self._now(),
            act="merge" if act == "merge" else "keep-apart",
            targets=(*first.observations, *second.observations),
        )
        self._decide(observation, event="corrected")

    def split(self, trip: Iri, at: datetime) -> list[Trip]:
        """Say that a trip was two, parted at `at`."""
        target = self._trip(trip)
        if not target.started_at < at < target.ended_at:
            raise ActRefusedError("outside-the-trip")
        act = CitizenObservation(
            id=mint_iri(),
            at=self._now(),
            act="split",
            targets=target.observations,
            split_at=at,
        )
        self._decide(act, event="corrected")
        day = timedelta(days=1)
        return [
            t
            for t in self.trips((target.started_at - day).date(), (target.ended_at + day).date())
            if set(t.observations) & set(target.observations)
        ]

    def _trip(self, iri: Iri) -> Trip:
        record = self.get(iri)
        if not isinstance(record, Trip):
            raise ActRefusedError("not-a-trip")
        return record

    def _decide(self, observation: Observation, *, event: str) -> None:
        with self.library.writing() as draft:
            item = self.own(observation)
            self.store_observed(draft, item)
            self.resettle(draft, added=[item])
            act = getattr(observation, "act", getattr(observation, "scope", ""))
            draft.journal(event, act=act)

    def own(self, observation: Observation) -> Observed:
        """What the citizen says, as an observation of their own."""
        from schemas.jsonld import observation_to_json

        at = self._now()
        raw = encode(observation_to_json(observation))
        return Observed.of(
            Received(
                observation=observation,
                depositor=self.home.did,
                account=CITIZEN,
                received_at=at,
            ),
            raw,
        )

    def store_observed(self, draft: Draft, item: Observed) -> None:
        compartment, month, start = file_of_observation(
            item.received.observation, item.received.received_at
        )
        draft.put(
            Kind.OBSERVATION,
            compartment,
            month,
            item.iri,
            item.payload(),
            revision=1,
            start=start,
            value=item,
        )

    def store_trip(self, draft: Draft, trip: Trip) -> None:
        """Write a trip as reconciliation says it."""
        draft.put(
            Kind.TRIP,
            Compartment.TRIPS,
            month_of(trip.started_at),
            trip.id,
            write_record(trip),
            revision=trip.revision,
            start=trip.started_at,
            value=trip,
        )

    def resettle(
        self,
        draft: Draft,
        *,
        added: Sequence[Observed] = (),
        removed: Sequence[Observed] = (),
    ) -> Settled:
        """Re-run reconciliation around what was added and removed, and write what changed."""
        touched = [o.received for o in (*added, *removed) if _is_about_trips(o)]
        if not touched:
            return Settled(frozenset(), 0, {})
        without = {o.iri for o in removed}
        present = draft.months(Compartment.TRIPS)
        span = self._span_with_targets(draft, touched)
        while True:
            months = present if span is None else [m for m in present if m in around(span)]
            observed = {o.iri: o for o in self._observed_in(draft, months)}
            observed |= {o.iri: o for o in added if _is_about_trips(o)}
            windows = touched_windows(touched, [o.received for o in observed.values()])
            wider = None if windows.whole else _joined(span, span_of_windows(windows))
            if months == present or (span is not None and wider == span):
                break
            span = wider
        trips = self.trips_in(draft, months)
        kept = [o for o in observed.values() if o.iri not in without]
        tracks = {o.iri: o for o in kept if o.has_track}

        def track_of(iri: Iri) -> Digest | None:
            found = tracks.get(iri)
            return None if found is None else found.digest

        change = settle(
            windows,
            [o.received for o in kept],
            trips,
            mint=lambda _: mint_iri(),
            tracks=track_of,
        )
        for trip in change.gone:
            draft.discard(Compartment.TRIPS, month_of(trip.started_at), trip.id)
        for trip in (*change.new, *change.changed):
            self.store_trip(draft, trip)
        placed = {
            iri: trip
            for trip in (*change.kept, *change.new, *change.changed)
            for iri in trip.observations
        }
        return Settled(frozenset(t.id for t in change.new), len(change.changed), placed)

    def _span_with_targets(self, draft: Draft, touched: Sequence[Received]) -> Interval | None:
        """The dated part of what was touched, with what its acts name; None: everything."""
        found = list(touched)
        for item in touched:
            act = item.observation
            if isinstance(act, Suppression) and act.started_at is None:
                return None
            for iri in getattr(act, "targets", ()):
                place = draft.find(iri, [Compartment.TRIPS])
                if place is not None and place[2].kind == Kind.OBSERVATION:
                    found.append(Observed.read(draft.payload(place)).received)
        return span_of(found)

    def delete(
        self,
        trip: Iri | None = None,
        *,
        interval: Interval | None = None,
        account: tuple[str, str] | None = None,
    ) -> Deleted:
        """Erase a trip, every trip that starts in an interval, or everything of one account
        (source, account). What later imports bring of it is met by a sealed suppression; `undo` of
        that takes it back for 30 days, at the next import.

        The data keys of what is erased are destroyed at once; backups keep theirs until the date in
        the answer.
        """
        at = self._now()
        if trip is not None:
            target = self._trip(trip)
            suppression = Suppression(
                id=mint_iri(),
                at=at,
                scope="trip",
                started_at=target.started_at,
                ended_at=target.ended_at,
                until=at + UNDO_TERM,
            )
            doomed = self._doomed_by_trip(target)
        elif interval is not None:
            suppression = Suppression(
                id=mint_iri(),
                at=at,
                scope="interval",
                started_at=interval[0],
                ended_at=interval[1],
                until=at + UNDO_TERM,
            )
            doomed = self.doomed(interval=interval)
        elif account is not None:
            suppression = Suppression(
                id=mint_iri(),
                at=at,
                scope="account",
                source=account[0],
                account=account[1],
                until=at + UNDO_TERM,
            )
            doomed = self.doomed(account=account)
        else:
            raise ActRefusedError("nothing-named")
        before = self._count_trips()
        with self.library.writing() as draft:
            for item in doomed:
                self.erase(draft, item)
            own = self.own(suppression)
            self.store_observed(draft, own)
            self.resettle(draft, added=[own], removed=doomed)
            draft.journal("deleted", scope=suppression.scope, observations=len(doomed))
        return Deleted(
            before - self._count_trips(),
            len(doomed),
            suppression.id,
            at + self.home.settings.backups_kept,
        )

    def _doomed_by_trip(self, target: Trip) -> list[Observed]:
        named = set(target.observations)
        out = []
        for item in self._about_trips():
            observation = item.received.observation
            if item.iri in named:
                out.append(item)
            elif isinstance(observation, LabelObservation):
                if (
                    observation.started_at < target.ended_at
                    and observation.ended_at > target.started_at
                ):
                    out.append(item)
            elif isinstance(observation, CitizenObservation) and set(
                observation.targets
            ) <= named | {target.id}:
                out.append(item)
        return out

    def doomed(
        self, *, interval: Interval | None = None, account: tuple[str, str] | None = None
    ) -> list[Observed]:
        """Observations that deleting an interval or an account would erase, the citizen's own
        words about nothing else among them."""
        if interval is not None:
            every = self._about_trips(around(interval))
            found = [
                o
                for o in every
                if not _is_decision(o) and interval[0] <= _span(o)[0] <= interval[1]
            ]
        elif account is not None:
            every = self.all_observed()
            found = [
                o
                for o in every
                if not _is_decision(o)
                and o.received.account == account[1]
                and getattr(o.received.observation, "source", None) == account[0]
            ]
        else:
            raise ActRefusedError("nothing-named")
        names = {o.iri for o in found}
        with self.library.reading() as shelf:
            trips = self.trips_in(shelf, shelf.months(Compartment.TRIPS)) if names else []
        going = [trip.id for trip in trips if set(trip.observations) <= names]
        return [*found, *decided_about(every, names, going)]

    def _about_trips(self, months: set[MonthName] | None = None) -> list[Observed]:
        with self.library.reading() as shelf:
            present = shelf.months(Compartment.TRIPS)
            found = self._observed_in(shelf, [m for m in present if months is None or m in months])
        return [o for o in found if _is_about_trips(o)]

    def erase(self, draft: Draft, item: Observed) -> None:
        """Remove an observation with this commit: contents, sealed file, deposited record."""
        compartment, month, _ = file_of_observation(
            item.received.observation, item.received.received_at
        )
        draft.discard(compartment, month, item.iri)
        observation = item.received.observation
        record = getattr(observation, "record", None)
        if record is not None:
            found = draft.find(record.id, [compartment])
            if found is not None:
                draft.remove(found[0], found[1], found[2].record_id)
        if item.blob is not None:
            self.drop_blob(draft, item.blob)

    def drop_blob(self, draft: Draft, blob_id: str) -> None:
        """Remove a sealed file with this commit: its data key goes with it. Where a bucket does
        not answer it is collected later."""

        def remove() -> None:
            try:
                self.home.blobs.remove(self.vault_id, blob_id)
            except BlobStoreUnreachableError as error:
                _log.warning("vault.orphans_stay", reason=error.reason)

        draft.tx.delete_blob(self.vault_id, blob_id)
        draft.after_commit.append(remove)

    def _count_trips(self) -> int:
        with self.library.reading() as shelf:
            return shelf.count(Compartment.TRIPS, shelf.months(Compartment.TRIPS), Kind.TRIP)

    def undo(self, observation: Iri) -> None:
        """Take back a correction, a merge, a split, a dispute or a deletion.

        Raises:
            ActRefusedError: not the citizen's own act (`not-undoable`), or too late (`too-late`).
        """
        item = self.observed(observation)
        act, at = item.received.observation, self._now()
        if isinstance(act, Suppression):
            if act.until is not None and at > act.until:
                raise ActRefusedError("too-late")
            undo = Suppression(
                id=mint_iri(),
                at=at,
                scope=act.scope,
                source=act.source,
                account=act.account,
                started_at=act.started_at,
                ended_at=act.ended_at,
                undoes=act.id,
                about=act.about,
            )
            self._decide(undo, event="undone")
            return
        if not isinstance(act, CitizenObservation):
            raise ActRefusedError("not-undoable")
        if act.act == "dispute":
            from vault import disputes

            disputes.undo(self, item)
            return
        with self.library.writing() as draft:
            self.erase(draft, item)
            self.resettle(draft, removed=[item])
            draft.journal("undone", act=act.act)

    def decisions(self) -> list[Observation]:
        """What the citizen decided, newest first: corrections, merges, deletions."""
        with self.library.reading() as shelf:
            found = self._observed_in(
                shelf, [UNDATED] if UNDATED in shelf.months(Compartment.TRIPS) else []
            )
        return [
            o.received.observation
            for o in sorted(found, key=lambda o: o.received.received_at, reverse=True)
        ]

    # --- journal, query, statistics -------------------------------------------------------------

    def journal(self, cursor: str | None = None, *, limit: int = 50) -> JournalPage:
        """Who did what, newest first."""
        before = None if cursor is None else _number(cursor)
        with self.library.reading() as shelf:
            entries = shelf.reader.journal(self.vault_id, before=before, limit=limit + 1)
        events = tuple(
            read_entry(entry, vault_id=self.vault_id, keyring=self.library.keyring)
            for entry in entries[:limit]
        )
        following = str(events[-1].number) if len(entries) > limit else None
        return JournalPage(events, following)

    def note(self, event: str, *, actor: str = CITIZEN, **detail: Any) -> None:
        """Write a journal entry for an act that changed no record (an import, an attestation)."""
        with self.library.writing() as draft:
            draft.journal(event, actor=actor, **detail)

    def query(self, sparql: str) -> SparqlResult:
        """Ask the vault in SPARQL, in a process that cannot reach out.

        Raises:
            QueryRefusedError, QueryStoppedError, QueryFailedError.
        """
        return self._sparql.query(sparql, seq=self.head().seq, quads=self._quads)

    def _quads(self) -> Iterator[str]:
        for kind in Kind:
            if kind is not Kind.OBSERVATION:
                for record in self.all(kind):
                    yield from quads(record)

    def statistics(
        self, *, by: By = "month", since: date, until: date, only: Filter | None = None
    ) -> tuple[Row, ...]:
        """Kilometres, minutes and gCO2e of local days `since` to `until`, both included, divided
        by `month`, `mode`, `source`…, of the legs `only` lets through.

        Raises:
            RecordInvalidError: no such division.
        """
        return self._statistics.rows(self, by, since=since, until=until, only=only or Filter())

    # --- wallet -------------------------------------------------------------------------------

    def holder_key(self, verifier: Did) -> "Signer":
        """The key shown to this verifier and to no other: P-256, made at the first use."""
        self.head()  # takes in a ring that another worker changed
        secret = self.library.keyring.holder_secret(verifier)
        if secret is None:
            with self.library.writing() as draft:
                secret = self.library.keyring.holder_secret(verifier)
                if secret is None:  # nor did another worker make it meanwhile
                    secret = self.library.keyring.add_holder(verifier, at=self._now())
                    draft.put_keyring(self.root)
        return _signer(secret)

    def holder_did(self, verifier: Did) -> Did:
        return did_key(self.holder_key(verifier).public_multikey())

    def known_holder(self, verifier: Did) -> Did | None:
        """The holder key this verifier knows; None when nothing was ever shown to it."""
        self.head()
        secret = self.library.keyring.holder_secret(verifier)
        if secret is None:
            return None
        return did_key(_signer(secret).public_multikey())

    def credentials(self, type: str | None = None) -> list[Credential]:
        """Credentials the vault holds, oldest first."""
        found = [cast(Credential, record) for record in self.all(Kind.CREDENTIAL)]
        return [c for c in found if type is None or c.type == type]

    def accept_credential(self, document: Mapping[str, Any] | str) -> Credential:
        """Keep a credential: a W3C document, or the text of an SD-JWT VC. Its signature is checked
        by whoever relies on it; here its shape.

        Raises:
            ShapeError: not a credential of the federation's types.
        """
        from federation.credentials.held import keep_sd_jwt, read_held

        kept = keep_sd_jwt(document) if isinstance(document, str) else dict(document)
        parsed = read_held(kept)
        record = Credential(
            id=parsed.id,
            type=parsed.type,
            issuer=parsed.issuer,
            document=kept,
            received_at=self._now(),
        )
        known = [c for c in self.credentials(parsed.type) if c.id == record.id]
        if known:
            if dict(known[0].document) == kept:
                return known[0]
            record = replace(record, revision=known[0].revision)
        return cast(Credential, self.put(record)[0])

    def audit_request(self, application: Iri) -> "AuditRequest | None":
        """The funder's check by sample that waits for an answer. See `vault/audit.py`."""
        from vault.audit import audit_request

        return audit_request(self, application)

    def answer_audit(
        self, application: Iri, *, accepted: bool, confirmed_at: datetime
    ) -> "ApplicationView":
        """Open the leaves that were asked for, or decline."""
        from vault.audit import answer_audit

        return answer_audit(self, application, accepted=accepted, confirmed_at=confirmed_at)

    def accept_offer(
        self,
        offer: "str | CredentialOffer",
        *,
        verifier: Did,
        tx_code: str | None = None,
        others: Sequence[Did] = (),
    ) -> tuple[Credential, ...]:
        """Redeem a credential offer (OpenID4VCI, pre-authorised), bound to the holder key of
        `verifier`, and of each of `others`. See `vault/issuance.py`, also for offers that need a
        login and for what comes later."""
        from vault.issuance import accept_offer

        return accept_offer(self, offer, verifier=verifier, tx_code=tx_code, others=others)

    def usage_proof(
        self,
        template: "ProofTemplate",
        *,
        period: tuple[date, date],
        holder: Did,
        attester: "Signer | None" = None,
        at: datetime | None = None,
    ) -> "UsageProof":
        """A usage proof for this holder, attested by the home unless told otherwise."""
        from vault.usage_proof import usage_proof

        return usage_proof(
            self,
            template,
            period=period,
            holder=holder,
            attester=attester or self.home.signer(),
            at=at or self._now(),
        )

    def attest_usage(
        self, aid: "Aid", *, period: tuple[date, date], at: datetime
    ) -> Mapping[str, Any]:
        """A signed usage proof for a paper attestation, on a holder key of its own."""
        from vault.sharing import attest_usage

        return attest_usage(self, aid, period=period, at=at)

    # --- sharing ------------------------------------------------------------------------------

    def prepare_share(
        self,
        request: "PresentationRequest",
        *,
        aid: "Aid | None" = None,
        period: tuple[date, date] | None = None,
        at: datetime | None = None,
    ) -> Disclosure:
        """What would leave for this request, beside what stays. See `vault/sharing.py`."""
        from vault.sharing import prepare_share

        return prepare_share(self, request, aid=aid, period=period, at=at or self._now())

    def prepare_application(
        self,
        aid: "Aid",
        application: Iri,
        *,
        period: tuple[date, date],
        also: tuple[ClaimShown, ...] = (),
    ) -> Disclosure:
        """Ask the hub for the request of this aid, and prepare the answer. `also`: what goes with
        it once it has arrived (`vault/dossier.py`)."""
        from vault.sharing import prepare_application

        return prepare_application(self, aid, application, period=period, also=also)

    def disclosure(self, disclosure_id: str) -> Disclosure:
        """A disclosure prepared in an earlier request, here or in another worker.

        Raises:
            ShareRefusedError: unknown, used, or past its expiry.
        """
        from vault.sharing import read_disclosure

        return read_disclosure(self, disclosure_id)

    def share(self, disclosure: Disclosure | str, *, confirmed_at: datetime) -> Consent:
        """Send what the citizen confirmed: one commit writes presentation digest, consent and the
        outbox row; the blind job `deliver` sends it."""
        from vault.sharing import share

        return share(self, disclosure, confirmed_at=confirmed_at)

    def withdraw_consent(self, consent: Iri, *, at: datetime | None = None) -> Consent:
        """Stop the next share and tell the recipient, again at later openings until it answered;
        what was sent stays named."""
        from vault.sharing import withdraw_consent

        return withdraw_consent(self, consent, at=at or self._now())

    def refresh_application(self, application: Iri) -> Record:
        """Ask the hub where an application stands; takes in a decision and its award."""
        from vault.sharing import refresh_application

        return refresh_application(self, application)

    # --- grants -------------------------------------------------------------------------------

    def grant(
        self,
        months: Mapping[Compartment, Sequence[MonthName]],
        *,
        delegate: "BoxPublicKey",
        name: str,
        purpose: str,
        expires_at: datetime,
        holder: Did | None = None,
        boxes: frozenset[Compartment] = frozenset(),
    ) -> GrantInfo:
        """Give a delegate the keys of chosen months until a date. Outside them it opens nothing."""
        from vault.grants import grant

        return grant(
            self,
            months,
            delegate=delegate,
            name=name,
            purpose=purpose,
            expires_at=expires_at,
            holder=holder,
            boxes=boxes,
        )

    def grants(self) -> list[GrantInfo]:
        from vault.grants import grants

        return grants(self)

    def revoke(self, grant_id: str) -> None:
        """Delete a grant and open a new epoch in its compartments: what is written later is closed
        to it. What was read cannot be unread."""
        from vault.grants import revoke

        revoke(self, grant_id)

    def revoke_mandate(self, grant_id: str) -> None:
        """As `revoke`; the mandate that names the grant says so, in the same commit. Raises
        ActRefusedError: no such mandate."""
        from vault.grants import revoke_mandate

        revoke_mandate(self, grant_id)

    # --- leaving ------------------------------------------------------------------------------

    def export(
        self,
        out: IO[bytes],
        *,
        passphrase: str | bytearray,
        progress: Callable[[str], None] | None = None,
    ) -> Mapping[str, int]:
        """Write everything as a documented archive (tar in the age v1 format), in bounded memory.
        `progress` hears each member's name once it is written. Returns counts."""
        from vault.archive.export import export, header_for

        header = header_for(self, passphrase)
        try:
            return export(self, out, to=header, progress=progress)
        finally:
            header.wipe()

    def export_file(
        self,
        to: Path,
        *,
        passphrase: str | bytearray,
        progress: Callable[[str], None] | None = None,
    ) -> Mapping[str, int]:
        """As `export`, into a file that appears whole and durable, or not at all."""
        from vault.archive.export import export_file, header_for

        header = header_for(self, passphrase)
        try:
            return export_file(self, to, to=header, progress=progress)
        finally:
            header.wipe()


def _order(row: ManifestRow) -> tuple[datetime, bytes]:
    return row.start or datetime.min.replace(tzinfo=UTC), row.record_id


def _is_decision(item: Observed) -> bool:
    return isinstance(item.received.observation, CitizenObservation | Suppression)


def _is_about_trips(item: Observed) -> bool:
    observation = item.received.observation
    if isinstance(observation, Suppression) and observation.scope == "record":
        return False
    return isinstance(
        item.received.observation,
        TripObservation | LabelObservation | CitizenObservation | Suppression,
    )


def _span(item: Observed) -> Interval:
    observation = item.received.observation
    if isinstance(observation, TripObservation | LabelObservation):
        return observation.started_at, observation.ended_at
    return item.received.received_at, item.received.received_at


def _day_before(day: date) -> date:
    """The day before; the first day of the calendar stays."""
    return day if day == date.min else day - _DAY


def _day_after(day: date) -> date:
    """The day after; the last day of the calendar stays."""
    return day if day == date.max else day + _DAY


def _months_between(since: date, until: date) -> set[MonthName]:
    out, year, month = set(), since.year, since.month
    while (year, month) <= (until.year, until.month):
        out.add(f"{year:04d}-{month:02d}")
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return out


def around(span: Interval) -> set[MonthName]:
    return _months_between((span[0] - 4 * _DAY).date(), (span[1] + 4 * _DAY).date()) | {UNDATED}


def _joined(one: Interval | None, other: Interval | None) -> Interval | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _number(cursor: str) -> int:
    from federation.wire.errors import CursorRefusedError

    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 12:
        raise CursorRefusedError
    return int(cursor)


def _signer(secret: bytearray) -> "Signer":
    """A holder key; `secret` is zeroed."""
    try:
        return P256Key.from_private_bytes(bytes(secret)).signer()
    finally:
        zero(secret)
