"""Making a vault from an archive. Nothing in it is believed that a signature does not carry.

Steps: (1) every member is read to the archive's authenticated end, and what its manifest lists is
there, (2) a new vault, its own keys, (3) each observation is stored with the class computed *now*:
its bytes must be those that a depositor's manifest names at that index, the manifest signed by a
key the registry pinned when a home received it (its signed receipt says when), else it is
`declared`, (4) trips are reconciled from the observations, part by part, keeping their IRIs,
(5) records that are no trips keep their contents, their class computed like 3, (6) consents,
applications, awards and credentials as they were, (7) the report says how many observations were
lowered.

In memory are a slice, the small members (signed manifests, receipts, evidence trees) and an outline
of what the observations tie together (`vault/outline.py`); the rest lies sealed on disk.

Steps 3 to 6 are slices of 500, each one transaction that also says how far it came, sealed in the
new vault under the archive's digest. When the process is killed, the same archive and passphrases
again find the vault that was begun and go on there. One that nobody went on with for a week is
destroyed by the next restore of its home.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from schemas.errors import Retriable
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, mint_iri, parse_digest
from schemas.jsonld import encode, to_jsonld
from schemas.observations import DocumentObservation, Received, TripObservation
from schemas.records import (
    Attribute,
    Compartment,
    Degree,
    Document,
    Invoice,
    Kind,
    Record,
    Subscription,
    Trip,
)
from vault.archive.export import FOLDERS, file_of_document
from vault.archive.members import Members
from vault.archive.provenance import Provenance
from vault.blobs import SealedBlob
from vault.collecting import put_off
from vault.crypto.keyring import Keyring
from vault.crypto.secret import RootKey
from vault.documents import MAX_DOCUMENT, seal_document
from vault.errors import ArchiveInvalidError
from vault.library import Draft
from vault.model import RestoreReport
from vault.months import MonthName, file_of
from vault.observed import Observed, blob_content, cut_track, parse_raw
from vault.outline import Named, Outline, Part
from vault.reconcile import known_from, reconcile
from vault.stored import read_trip, write_record
from vault.unlocking import PassphraseWay, open_any
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["restore"]

SLICE: Final = 500
OBSERVATIONS: Final = "observations/observations.jsonl"

T = TypeVar("T")


def restore(
    home: "Home",
    source: IO[bytes],
    passphrase: str | bytearray,
    new_passphrase: str | bytearray,
    *,
    label: str,
    step: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> RestoreReport:
    """Steps 1 to 7. `step` is told after each slice how much of each part is there; what it raises
    ends the restore, which goes on another time when that is `Retriable`.

    Raises:
        ArchiveInvalidError: another passphrase, altered, or not an archive of ours.
    """
    with Members.read(source, passphrase) as members:  # 1
        return _made(home, members, new_passphrase, label=label, step=step)


def _made(
    home: "Home",
    members: Members,
    new_passphrase: str | bytearray,
    *,
    label: str,
    step: Callable[[Mapping[str, int]], None],
) -> RestoreReport:
    said = members.said()
    mark = said.digest.hex()
    begun = _begun(home, mark, new_passphrase)
    root = RootKey.random() if begun is None else begun[1]
    try:  # 2
        if begun is None:
            vault_id, code = home.create_from_archive(
                root,
                new_passphrase,
                label=label or said.label,
                settings={RESTORING: _Progress(mark).encode()},
            )
        else:
            vault_id, code = begun[0], ""
        vault = home.apart(vault_id, root)
    finally:
        root.wipe()
    try:
        if begun is not None:  # the code of the first attempt was shown to nobody
            code = home.slots.new_recovery_code(vault, others_end=False)
        work = _Work(vault, members, _Progress.read(vault, step))
        work.observations()  # 3
        work.manifests()
        work.trips()  # 4
        work.records()  # 5, 6
        work.documents()
        work.evidence()
        progress = work.progress
        records = progress.done["trips"] + progress.done["records"]
        consents = sum(1 for _ in members.records(FOLDERS[Kind.CONSENT]))
        with vault.library.writing() as draft:
            draft.tx.delete_setting(vault_id, RESTORING)
            draft.journal("restored", from_home=said.home, records=records)
    except BaseException as error:
        if not isinstance(error, Retriable):
            home.shred(vault_id)  # half a vault is none: the archive can be restored again
        raise
    finally:
        vault.forget()
    return RestoreReport(  # 7
        vault_id,
        code,
        records,
        progress.done["observations"],
        progress.lowered,
        trips=progress.done["trips"],
        documents=progress.done["documents"],
        consents=consents,
    )


RESTORING: Final = "restoring"
"""The setting of a vault that is being made from an archive: how far it came."""
ABANDONED: Final = timedelta(days=7)
_TRIED: Final = 4
"""Vaults begun and not finished that the passphrase is tried on, newest first: each costs a
derivation."""


_PARTS: Final = ("observations", "manifests", "trips", "records", "documents")


@dataclass
class _Progress:
    """How much of each part was written, and of which archive."""

    mark: str
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_PARTS, 0))
    lowered: int = 0
    step: Callable[[Mapping[str, int]], None] = lambda _: None

    def encode(self) -> bytes:
        return json.dumps([self.mark, self.done, self.lowered]).encode()

    @classmethod
    def read(cls, vault: "OpenVault", step: Callable[[Mapping[str, int]], None]) -> "_Progress":
        kept = vault.setting(RESTORING)
        if kept is None:
            raise ArchiveInvalidError("restored already", where="manifest.json")
        mark, done, lowered = json.loads(kept)
        return cls(mark, dict.fromkeys(_PARTS, 0) | done, lowered, step)

    def save(self, vault: "OpenVault", draft: Draft, part: str, count: int) -> None:
        """In the commit of the slice: `count` of `part` are there now."""
        self.done[part] = count
        vault.keep(draft, RESTORING, self.encode())
        self.step(self.done)


def _begun(home: "Home", mark: str, passphrase: str | bytearray) -> tuple[str, RootKey] | None:
    """The vault that an earlier attempt with this archive and passphrase began, and its root."""
    with home.store.read() as reader:
        half = list(reader.vaults_with_setting(RESTORING))
    limit = home.clock() - ABANDONED
    for vault_id, made_at in half:
        if made_at < limit:
            home.shred(vault_id)
    for vault_id, _ in [pair for pair in half if pair[1] >= limit][:_TRIED]:
        root = _opens(home, vault_id, passphrase)
        if root is None:
            continue
        with home.store.read() as reader:
            ring, kept = reader.keyring(vault_id), reader.setting(vault_id, RESTORING)
        if ring is None or kept is None:
            root.wipe()
            continue
        keyring = Keyring.open(ring, root=root, vault=vault_id)
        try:
            found = json.loads(open_value(keyring, kept, place="setting", name=RESTORING))
        finally:
            keyring.lock()
        if found[0] == mark:
            return vault_id, root
        root.wipe()
    return None


def _opens(home: "Home", vault_id: str, passphrase: str | bytearray) -> RootKey | None:
    pepper = home.key_store.pepper(vault_id)
    with home.store.read() as reader:
        slots = reader.slots(vault_id)
    way = PassphraseWay(passphrase)
    try:
        found = home.pool.run(lambda: open_any(way, slots, pepper=pepper, vault=vault_id))
    finally:
        way.wipe()
    return None if found is None else found[0]


def _slices(items: Iterable[T]) -> Iterator[list[T]]:
    """At most `SLICE` of them at a time."""
    found = iter(items)
    while part := list(islice(found, SLICE)):
        yield part


class _Work:
    """One restore at work: steps 3 to 6."""

    def __init__(self, vault: "OpenVault", members: Members, progress: _Progress) -> None:
        self.vault, self.members, self.progress = vault, members, progress
        self.outline = Outline()
        self._behind: dict[Iri, dict[Iri, None]] = {}
        """The observations that left each record that is no trip."""

    # --- observations ---------------------------------------------------------------------------

    def observations(self) -> None:
        """Step 3; every observation is noted in the outline, those of an earlier attempt too."""
        provenance = Provenance(
            self.vault.home, self.members.small("manifests"), self.members.small("receipts")
        )
        before, count = self.progress.done["observations"], 0
        lines = self.members.lines(OBSERVATIONS, lambda line: _Line.of(line, provenance))
        for part in _slices(lines):
            with put_off():
                for line in part:
                    self._note(line.received)
                count += len(part)
                if count > before:
                    self._take(part[max(0, before - (count - len(part))) :], count)

    def _note(self, received: Received) -> None:
        self.outline.add(received)
        observation = received.observation
        if isinstance(observation, DocumentObservation):
            self._behind.setdefault(observation.record.id, {})[observation.id] = None

    def _take(self, part: "Sequence[_Line]", count: int) -> None:
        vault = self.vault
        blobs: list[SealedBlob] = []
        kept = [line.kept(vault, blobs) for line in part]
        written = vault.home.blobs.write_all(vault.vault_id, blobs)
        self.progress.lowered += sum(line.lowered for line in part)
        with vault.library.writing() as draft:
            draft.tx.put_blob(vault.vault_id, *written)
            for item in kept:
                vault.store_observed(draft, item)
            self.progress.save(vault, draft, "observations", count)

    def manifests(self) -> None:
        """Depositors' manifests, and what says when a home received them: the next move needs both
        again."""
        vault, progress = self.vault, self.progress
        members = [
            *self.members.small("manifests").items(),
            *self.members.small("receipts").items(),
        ]
        done = progress.done["manifests"]
        for part in _slices(islice(members, done, None)):
            done += len(part)
            with vault.library.writing() as draft:
                sealed: dict[bytes, bytes] = {}
                for name, data in part:
                    key = digest(data)
                    if name.startswith("manifests/"):
                        sealed[key] = seal_value(
                            vault.library.keyring, data, place="manifest", name=key.hex()
                        )
                    else:
                        vault.keep(draft, f"receipt/{key.hex()}", data)
                draft.tx.put_manifests(vault.vault_id, sealed)
                progress.save(vault, draft, "manifests", done)

    # --- trips ----------------------------------------------------------------------------------

    def trips(self) -> None:
        """Step 4: trips are what the observations say; the archive's give only their IRIs and
        revisions. What an earlier attempt wrote keeps the names it was given then."""
        for record in self.members.records("trips"):
            if isinstance(record, Trip):
                self.outline.name(_named(record))
        there = set[Iri]()
        if self.progress.done["trips"]:
            for trip in self._written():
                there.add(trip.id)
                self.outline.name(_named(trip))
        for part in self.outline.parts(SLICE):
            with put_off():
                for fresh in _slices(t for t in self._reconciled(part) if t.id not in there):
                    self._store(fresh)

    def _written(self) -> Iterator[Trip]:
        with self.vault.library.reading() as shelf:
            for month in shelf.months(Compartment.TRIPS):
                for _, payload in shelf.payloads(Compartment.TRIPS, month, kind=Kind.TRIP):
                    yield read_trip(payload)

    def _reconciled(self, part: Part) -> Iterator[Trip]:
        items = self._observed(part.observations)
        known = known_from(part.named)
        tracks = {item.iri: item.digest for item in items if item.has_track}
        found = reconcile(
            [*(item.received for item in items), *part.said],
            known=known.iris,
            aliases=known.aliases,
            mint=lambda _: mint_iri(),
            tracks=tracks.get,
        )
        revisions = {trip.id: trip.revision for trip in part.named}
        for trip in found.trips:
            yield replace(trip, revision=revisions.get(trip.id, 1))

    def _observed(self, names: Iterable[tuple[MonthName, Iri]]) -> list[Observed]:
        out: list[Observed] = []
        with self.vault.library.reading() as shelf:
            for month, part in groupby(sorted(names), key=lambda name: name[0]):
                listed = shelf.listed(Compartment.TRIPS, month).rows
                rows = []
                for _, iri in part:
                    row = listed.get(self.vault.library.row_id(Compartment.TRIPS, iri))
                    if row is None:
                        raise ArchiveInvalidError("changed since it was begun", where=OBSERVATIONS)
                    rows.append(row)
                for _, payload in shelf.opened(Compartment.TRIPS, month, rows):
                    out.append(Observed.read(payload))
        return out

    def _store(self, trips: Sequence[Trip]) -> None:
        with self.vault.library.writing() as draft:
            for trip in trips:
                self.vault.store_trip(draft, trip)
            done = self.progress.done["trips"] + len(trips)
            self.progress.save(self.vault, draft, "trips", done)

    # --- everything else ------------------------------------------------------------------------

    def records(self) -> None:
        """Steps 5 and 6: what is no trip."""
        vault, progress = self.vault, self.progress
        done = progress.done["records"]
        every = chain.from_iterable(
            self.members.records(folder)
            for kind, folder in FOLDERS.items()
            if kind is not Kind.TRIP
        )
        for part in _slices(islice(every, done, None)):
            done += len(part)
            with put_off(), vault.library.writing() as draft:
                for said in part:
                    kind, compartment, month, at = file_of(said)
                    record = _computed(said, self._left(draft, said.id, compartment))
                    draft.put(
                        kind,
                        compartment,
                        month,
                        Iri(record.id),
                        write_record(record),
                        revision=record.revision,
                        start=at,
                    )
                progress.save(vault, draft, "records", done)

    def _left(self, draft: Draft, record: Iri, compartment: Compartment) -> list[Received]:
        """What the observations behind a record say, as they were stored beside it."""
        out = []
        for iri in self._behind.get(record, ()):
            found = draft.find(iri, [compartment])
            if found is not None and found[2].kind == Kind.OBSERVATION:
                out.append(Observed.read(draft.payload(found)).received)
        return out

    def documents(self) -> None:
        """The files of documents, each the bytes its record names, one a commit."""
        vault, progress = self.vault, self.progress
        done = progress.done["documents"]
        for record in self.members.records("documents", past=done):
            done += 1
            if not isinstance(record, Document):
                continue
            name = file_of_document(record)
            spool = self.members.large(name)
            if spool is None:
                continue  # its file was gone already where it was exported
            if spool.digest != record.content or spool.size > MAX_DOCUMENT:
                raise ArchiveInvalidError("a document is not what its record says", where=name)
            sealed = seal_document(vault, record.id, spool.stream())
            written = vault.home.blobs.write_all(vault.vault_id, [sealed])
            with vault.library.writing() as draft:
                draft.tx.put_blob(vault.vault_id, *written)
                draft.journal("document-put", actor="home", count=1, bytes=record.size)
                progress.save(vault, draft, "documents", done)

    def evidence(self) -> None:
        for name, data in self.members.small("evidence").items():
            self.vault.put_setting(name.removesuffix(".json"), data)


@dataclass(frozen=True, slots=True)
class _Line:
    """One observation of the archive, its class computed."""

    received: Received
    raw: bytes
    lowered: bool
    forgotten: Digest | None
    """Digest of bytes whose track was forgotten: what the manifest named cannot be shown."""

    @classmethod
    def of(cls, line: Mapping[str, Any], provenance: Provenance) -> "_Line":
        left = line["trimmed"] if line["raw"] is None else None
        raw = encode(left) if left is not None else line["raw"].encode()
        said = None if line["manifest"] is None else parse_digest(line["manifest"])
        depositor, index = Did(line["depositor"]), int(line["index"])
        ceiling, received_at = provenance.class_of(raw, depositor, said, index)
        claimed_at = datetime.fromisoformat(line["receivedAt"])
        proven = received_at is not None
        received = Received(
            observation=parse_raw(raw),
            depositor=depositor,
            account=str(line["account"]),
            manifest=said if proven else None,
            index=index if proven else 0,
            received_at=received_at or claimed_at,
            ceiling=ceiling,
        )
        lowered = ceiling.rank < Evidence(line["evidenceCeiling"]).rank
        digest_left = None if left is None else parse_digest(line["digest"])
        return cls(received, raw, lowered, digest_left)

    def kept(self, vault: "OpenVault", blobs: list[SealedBlob]) -> Observed:
        """As the vault keeps it; a track that is too large for its row joins `blobs`."""
        observation, blob = self.received.observation, None
        cut = cut_track(self.raw, observation, limit=vault.home.settings.blobs_in_rows)
        if (
            cut is None
            and self.forgotten is None
            and isinstance(observation, TripObservation)
            and observation.track
        ):
            sealed = vault.seal_blob(blob_content(self.raw, observation))
            blobs.append(sealed)
            blob = sealed.blob_id
        kept = Observed.of(self.received, self.raw, blob=blob, cut=cut)
        if self.forgotten is None:
            return kept
        return replace(kept.forgotten(), known_digest=self.forgotten)


def _named(trip: Trip) -> Named:
    return Named(trip.id, trip.observations, trip.aliases, trip.revision)


def _computed(record: Record, behind: Sequence[Received]) -> Record:
    """Class and degree from the way in: the strongest of the deposited records that say the same,
    if their bytes are proven."""
    ceiling = Evidence.DECLARED
    for received in behind:
        deposited = received.observation
        if (
            isinstance(deposited, DocumentObservation)
            and received.ceiling.rank > ceiling.rank
            and _contents(deposited.record) == _contents(record)
        ):
            ceiling = received.ceiling
    match record:
        case Invoice() | Subscription():
            strong = ceiling.rank >= Evidence.OPERATOR.rank
            return replace(record, evidence=ceiling if strong else Evidence.DECLARED)
        case Attribute() if record.degree is not Degree.CLAIMED and ceiling is Evidence.DECLARED:
            return replace(record, degree=Degree.CLAIMED)
    return record


def _contents(record: Record) -> dict[str, Any]:
    """What a record says, without what the vault adds to it."""
    computed = {"revision", "evidence", "degree", "observations", "receivedAt"}
    return {k: v for k, v in to_jsonld(record).items() if k not in computed}
