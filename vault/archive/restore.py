"""Making a vault from an archive. Nothing in it is believed that a signature does not carry.

Steps: (1) every member is read and its digest compared with the archive's own manifest, (2) a new
vault, its own keys, (3) each observation is stored with the class computed *now*: its bytes must be
those that a depositor's manifest names at that index, the manifest signed by a key the registry
pinned when a home received it (its signed receipt says when), else it is `declared`, (4) trips are
reconciled from the observations, keeping their IRIs, (5) records that are no trips keep their
contents, their class computed like 3, (6) consents, applications, awards and credentials as they
were, (7) the report says how many observations were lowered.

Steps 3 to 6 are slices of 500, each one transaction that also says how far it came, sealed in the
new vault under the archive's digest. When the process is killed, the same archive and passphrases
again find the vault that was begun and go on there. One that nobody went on with for a week is
destroyed by the next restore of its home.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Final, cast

from federation.sealing.errors import ManifestSignatureError, ReceiptSignatureError, SealingError
from federation.sealing.manifest import SignedManifest, parse_manifest, verify_manifest
from federation.sealing.receipt import DepositReceipt
from federation.trust import TrustError
from schemas.errors import MobilityError, Retriable
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, mint_iri, parse_digest
from schemas.jsonld import encode, from_jsonld, to_jsonld
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
from vault.archive.spool import Spool
from vault.crypto.age import ScryptIdentity
from vault.crypto.archive import read_archive
from vault.crypto.errors import AgeError, ArchiveRefusedError
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.keyring import Keyring
from vault.crypto.secret import RootKey, zero
from vault.errors import ArchiveInvalidError
from vault.library import Draft
from vault.model import RestoreReport
from vault.months import file_of
from vault.observed import Observed, blob_content, cut_track, parse_raw
from vault.reconcile import known_from, reconcile
from vault.stored import write_record
from vault.unlocking import PassphraseWay, open_any
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["restore"]

SLICE: Final = 500
MAX_MEMBERS_BYTES: Final = 4 << 30


class _Members:
    """What an archive holds: small members as bytes, large ones set aside sealed. Members that
    restoring does not read (tracks, tables, journal) are known by name alone."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.small: dict[str, bytes] = {}
        self.large: dict[str, Spool] = {}

    def take(self, name: str, content: IO[bytes]) -> None:
        self.names.add(name)
        folder = name.partition("/")[0]
        if folder in _LARGE:
            self.large[name] = Spool(iter(lambda: content.read(1 << 16), b""))
        elif folder not in _UNREAD:
            self.small[name] = content.read()

    def close(self) -> None:
        for spool in self.large.values():
            spool.close()


_LARGE: Final = frozenset({"records", "observations", "documents"})
_UNREAD: Final = frozenset({"tracks", "trips", "journal", "credentials", "consents"})


def restore(
    home: "Home",
    source: IO[bytes],
    passphrase: str | bytearray,
    new_passphrase: str | bytearray,
    *,
    label: str,
) -> RestoreReport:
    """Steps 1 to 7.

    Raises:
        ArchiveInvalidError: another passphrase, altered, or not an archive of ours.
    """
    members = _read(source, passphrase)  # 1
    try:
        return _made(home, members, new_passphrase, label=label)
    finally:
        members.close()


def _made(
    home: "Home", members: _Members, new_passphrase: str | bytearray, *, label: str
) -> RestoreReport:
    manifest = _check(members)
    mark = digest(members.small["manifest.json"]).hex()
    begun = _begun(home, mark, new_passphrase)
    root = RootKey.random() if begun is None else begun[1]
    try:  # 2
        if begun is None:
            vault_id, code = home.create_from_archive(
                root,
                new_passphrase,
                label=label or str(manifest.get("label", "")),
                settings={RESTORING: _Progress(mark).encode()},
            )
        else:
            vault_id, code = begun[0], ""
        vault = home.opened(vault_id, root)
    finally:
        root.wipe()
    try:
        if begun is not None:  # the code of the first attempt was shown to nobody
            code = home.slots.new_recovery_code(vault, others_end=False)
        progress = _Progress.read(vault)
        _observations(vault, members, progress)  # 3
        _keep_manifests(vault, members, progress)
        _trips(vault, members, progress)  # 4
        _others(vault, members, progress)  # 5, 6
        _documents(vault, members)
        _evidence(vault, members)
        records = progress.done["trips"] + progress.done["records"]
        with vault.library.writing() as draft:
            draft.tx.delete_setting(vault_id, RESTORING)
            draft.journal("restored", from_home=str(manifest.get("home")), records=records)
    except BaseException as error:
        if not isinstance(error, Retriable):
            home.shred(vault_id)  # half a vault is none: the archive can be restored again
        raise
    finally:
        home.lock_all(vault_id)
    return RestoreReport(  # 7
        vault_id, code, records, progress.done["observations"], progress.lowered
    )


RESTORING: Final = "restoring"
"""The setting of a vault that is being made from an archive: how far it came."""
ABANDONED: Final = timedelta(days=7)
_TRIED: Final = 4
"""Vaults begun and not finished that the passphrase is tried on, newest first: each costs a
derivation."""


_PARTS: Final = ("observations", "manifests", "trips", "records")


@dataclass
class _Progress:
    """How much of each part was written, and of which archive."""

    mark: str
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_PARTS, 0))
    lowered: int = 0

    def encode(self) -> bytes:
        return json.dumps([self.mark, self.done, self.lowered]).encode()

    @classmethod
    def read(cls, vault: "OpenVault") -> "_Progress":
        kept = vault.setting(RESTORING)
        if kept is None:
            raise ArchiveInvalidError("restored already", where="manifest.json")
        mark, done, lowered = json.loads(kept)
        return cls(mark, done, lowered)

    def save(self, vault: "OpenVault", draft: Draft, part: str, count: int) -> None:
        """In the commit of the slice: `count` of `part` are there now."""
        self.done[part] = count
        vault.keep(draft, RESTORING, self.encode())


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


def _read(source: IO[bytes], passphrase: str | bytearray) -> _Members:
    secret = passphrase_bytes(passphrase)
    members = _Members()
    try:
        for name, content in read_archive(cast(Any, source), [ScryptIdentity(secret)]):
            members.take(name, content)
    except (AgeError, ArchiveRefusedError, SealingError) as error:
        members.close()
        raise ArchiveInvalidError(str(error), where=error.code) from error
    except BaseException:
        members.close()
        raise
    finally:
        zero(secret)
    return members


def _check(members: _Members) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads(members.small["manifest.json"])
        listed = manifest["members"]
        if not isinstance(listed, dict):
            raise ArchiveInvalidError("no list of members", where="manifest.json")
        if manifest["format"] != "mobility-vault-archive/1":
            raise ArchiveInvalidError("an archive of another version", where="manifest.json")
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveInvalidError("no manifest", where="manifest.json") from error
    # Edited members import; what they claim is computed anew, record by record.
    for name in listed:
        if name not in members.names:
            raise ArchiveInvalidError("a member is missing", where=name)
    return manifest


def _jsonl(members: _Members, name: str) -> Iterator[dict[str, Any]]:
    spool = members.large.get(name)
    for number, line in enumerate(() if spool is None else spool.lines(), start=1):
        try:
            found = json.loads(line)
        except ValueError as error:
            raise ArchiveInvalidError("not JSON", where=f"{name}:{number}") from error
        if not isinstance(found, dict):
            raise ArchiveInvalidError("not an object", where=f"{name}:{number}")
        yield found


class _Provenance:
    """What the archive's manifests and receipts prove about its observations."""

    def __init__(self, vault: "OpenVault", members: _Members) -> None:
        self._home, self._trust = vault.home, vault.home.trust
        self._proven: dict[Digest, Evidence | None] = {}
        self._manifests: dict[Digest, SignedManifest] = {}
        self._received: dict[Digest, datetime] = {}
        for name, data in members.small.items():
            try:
                if name.startswith("manifests/"):
                    self._manifests[digest(data)] = parse_manifest(data)
                elif name.startswith("receipts/"):
                    self._receipt(DepositReceipt.parse(data))
            except SealingError:
                continue

    def _receipt(self, receipt: DepositReceipt) -> None:
        """A receipt counts when a home that we know signed it: ours, or one the registry pins."""
        from federation.keys import decode_multikey

        signer, trust = self._home.signer(), self._trust
        try:
            if receipt.verification_method == signer.verification_method:
                receipt.verify(decode_multikey(signer.public_multikey()))
            elif trust is not None:
                receipt.verify(trust.key(receipt.verification_method, receipt.received_at))
            else:
                return
        except (TrustError, ReceiptSignatureError):
            return
        self._received[receipt.manifest_digest] = receipt.received_at

    def class_of(
        self, raw: bytes, depositor: Did, manifest: Digest | None, index: int
    ) -> tuple[Evidence, datetime | None]:
        """The ceiling this observation's way in still proves, and when it was received."""
        signed = None if manifest is None else self._manifests.get(manifest)
        if signed is None or manifest is None:
            return Evidence.DECLARED, None
        said = signed.manifest
        if said.depositor != depositor or not 0 <= index < len(said.digests):
            return Evidence.DECLARED, None
        if said.digests[index] != digest(raw):
            return Evidence.DECLARED, None
        at, trust = self._received.get(manifest), self._trust
        if at is None or trust is None:
            return Evidence.DECLARED, None
        if manifest not in self._proven:  # of up to 500 records, its signature is looked at once
            try:
                verify_manifest(signed, trust.key(signed.verification_method, at))
            except (TrustError, ManifestSignatureError):
                self._proven[manifest] = None
            else:
                self._proven[manifest] = trust.evidence_of(depositor, at)
        ceiling = self._proven[manifest]
        return (Evidence.DECLARED, None) if ceiling is None else (ceiling, at)


def _observations(vault: "OpenVault", members: _Members, progress: _Progress) -> None:
    provenance = _Provenance(vault, members)
    name = "observations/observations.jsonl"
    count, before = 0, progress.done["observations"]
    batch: list[Observed] = []
    blobs = []
    for line in _jsonl(members, name):
        if count < before:
            count += 1
            continue
        try:
            left = line.get("trimmed") if line["raw"] is None else None
            raw = encode(left) if left is not None else line["raw"].encode()
            observation = parse_raw(raw)
            said = None if line["manifest"] is None else parse_digest(line["manifest"])
            depositor, index = Did(line["depositor"]), int(line["index"])
            ceiling, received_at = provenance.class_of(raw, depositor, said, index)
            was = Evidence(line["evidenceCeiling"])
            claimed_at = datetime.fromisoformat(line["receivedAt"])
        except (MobilityError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise ArchiveInvalidError("an observation cannot be read", where=name) from error
        if ceiling.rank < was.rank:
            progress.lowered += 1
        proven = received_at is not None
        received = Received(
            observation=observation,
            depositor=depositor,
            account=str(line["account"]),
            manifest=said if proven else None,
            index=index if proven else 0,
            received_at=received_at or claimed_at,
            ceiling=ceiling,
        )
        blob = None
        cut = cut_track(raw, observation, limit=vault.home.settings.blobs_in_rows)
        if (
            cut is None
            and left is None
            and isinstance(observation, TripObservation)
            and observation.track
        ):
            sealed = vault.seal_blob(blob_content(raw, observation))
            blobs.append(sealed)
            blob = sealed.blob_id
        kept = Observed.of(received, raw, blob=blob, cut=cut)
        if left is not None:  # the track was forgotten: what the manifest named cannot be shown
            kept = replace(kept.forgotten(), known_digest=parse_digest(line["digest"]))
        batch.append(kept)
        count += 1
        if len(batch) >= SLICE:
            _flush(vault, batch, blobs, progress, count)
            batch, blobs = [], []
    if batch:
        _flush(vault, batch, blobs, progress, count)


def _flush(
    vault: "OpenVault",
    batch: Sequence[Observed],
    blobs: Sequence[Any],
    progress: _Progress,
    count: int,
) -> None:
    written = vault.home.blobs.write_all(vault.vault_id, blobs)
    with vault.library.writing() as draft:
        for blob in written:
            draft.tx.put_blob(vault.vault_id, blob)
        for item in batch:
            vault.store_observed(draft, item)
        progress.save(vault, draft, "observations", count)


def _keep_manifests(vault: "OpenVault", members: _Members, progress: _Progress) -> None:
    if progress.done["manifests"]:
        return
    with vault.library.writing() as draft:
        sealed: dict[bytes, bytes] = {}
        for name, data in members.small.items():
            if name.startswith("manifests/"):
                key = digest(data)
                sealed[key] = seal_value(
                    vault.library.keyring, data, place="manifest", name=key.hex()
                )
            elif name.startswith("receipts/"):
                # Says when a home received what a manifest lists: the next move needs it again.
                vault.keep(draft, f"receipt/{digest(data).hex()}", data)
        draft.tx.put_manifests(vault.vault_id, sealed)
        progress.save(vault, draft, "manifests", 1)


def _records(members: _Members, folder: str) -> list[Record]:
    name = f"records/{folder}.jsonl"
    out = []
    for line in _jsonl(members, name):
        try:
            out.append(from_jsonld(line))
        except MobilityError as error:
            raise ArchiveInvalidError(
                "a record cannot be read", where=f"{name} {getattr(error, 'where', '')}"
            ) from error
    return out


def _trips(vault: "OpenVault", members: _Members, progress: _Progress) -> None:
    """Trips are what the observations say; the archive's give only their IRIs and revisions."""
    archived = [t for t in _records(members, "trips") if isinstance(t, Trip)]
    # What an attempt before this one wrote keeps the names it was given then.
    written = [t for t in vault.all(Kind.TRIP) if isinstance(t, Trip)]
    there = {trip.id for trip in written}
    items = vault.all_observed()
    known = known_from([*archived, *(t for t in written if t.id not in {a.id for a in archived})])
    tracks = {o.iri: o.digest for o in items if o.has_track}
    found = reconcile(
        [o.received for o in items],
        known=known.iris,
        aliases=known.aliases,
        mint=lambda _: mint_iri(),
        tracks=tracks.get,
    )
    revisions = {trip.id: trip.revision for trip in archived}
    trips = [
        replace(said, revision=revisions.get(said.id, 1))
        for said in found.trips
        if said.id not in there
    ]
    for start in range(0, len(trips), SLICE):
        with vault.library.writing() as draft:
            part = trips[start : start + SLICE]
            for trip in part:
                vault.store_trip(draft, trip)
            progress.save(vault, draft, "trips", len(there) + start + len(part))


def _others(vault: "OpenVault", members: _Members, progress: _Progress) -> None:
    from vault.archive.export import FOLDERS

    items = vault.all_observed([c for c in Compartment if c is not Compartment.TRIPS])
    behind = {
        o.received.observation.record.id: o.received
        for o in items
        if isinstance(o.received.observation, DocumentObservation)
    }
    records: list[Record] = []
    for kind, folder in FOLDERS.items():
        if kind is not Kind.TRIP:
            records += [_computed(r, behind.get(r.id)) for r in _records(members, folder)]
    for start in range(progress.done["records"], len(records), SLICE):
        with vault.library.writing() as draft:
            part = records[start : start + SLICE]
            for record in part:
                kind, compartment, month, at = file_of(record)
                draft.put(
                    kind,
                    compartment,
                    month,
                    Iri(record.id),
                    write_record(record),
                    revision=record.revision,
                    start=at,
                )
            progress.save(vault, draft, "records", start + len(part))


def _documents(vault: "OpenVault", members: _Members) -> None:
    """The files of documents, each the bytes its record names."""
    from vault.archive.export import file_of_document
    from vault.documents import seal_document

    for record in _records(members, "documents"):
        if not isinstance(record, Document):
            continue
        name = file_of_document(record)
        spool = members.large.get(name)
        if spool is None:
            continue  # its file was gone already where it was exported
        if spool.digest != record.content:
            raise ArchiveInvalidError("a document is not what its record says", where=name)
        sealed = seal_document(vault, record.id, spool.stream())
        written = vault.home.blobs.write_all(vault.vault_id, [sealed])
        with vault.library.writing() as draft:
            for blob in written:
                draft.tx.put_blob(vault.vault_id, blob)
            draft.journal("document-put", actor="home", count=1, bytes=record.size)


def _computed(record: Record, received: Received | None) -> Record:
    """Class and degree from the way in: the deposited record itself, if its bytes are proven."""
    ceiling = Evidence.DECLARED if received is None else received.ceiling
    deposited = None if received is None else received.observation
    if isinstance(deposited, DocumentObservation) and _contents(deposited.record) != _contents(
        record
    ):
        ceiling = Evidence.DECLARED
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


def _evidence(vault: "OpenVault", members: _Members) -> None:
    for name, data in members.small.items():
        if name.startswith("evidence/"):
            vault.put_setting(name.removesuffix(".json"), data)
