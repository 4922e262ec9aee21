"""Making a vault from an archive. Nothing in it is believed that a signature does not carry.

Steps: (1) every member is read and its digest compared with the archive's own manifest, (2) a new
vault, its own keys, (3) each observation is stored with the class computed *now*: its bytes must be
those that a depositor's manifest names at that index, the manifest signed by a key the registry
pinned when a home received it (its signed receipt says when), else it is `declared`, (4) trips are
reconciled from the observations, keeping their IRIs, (5) records that are no trips keep their
contents, their class computed like 3, (6) consents, applications, awards and credentials as they
were, (7) the report says how many observations were lowered.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, cast

from federation.sealing.errors import ManifestSignatureError, ReceiptSignatureError, SealingError
from federation.sealing.manifest import SignedManifest, parse_manifest, verify_manifest
from federation.sealing.receipt import DepositReceipt
from federation.trust import TrustError
from schemas.errors import MobilityError
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, mint_iri, parse_digest
from schemas.jsonld import encode, from_jsonld, to_jsonld, to_stored
from schemas.observations import DocumentObservation, Received, TripObservation
from schemas.records import Attribute, Degree, Document, Invoice, Kind, Record, Subscription, Trip
from vault.archive.spool import Spool
from vault.crypto.age import ScryptIdentity
from vault.crypto.archive import read_archive
from vault.crypto.errors import AgeError, ArchiveRefusedError
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.secret import RootKey, zero
from vault.errors import ArchiveInvalidError
from vault.model import RestoreReport
from vault.months import file_of, month_of
from vault.observed import Observed, blob_content, parse_raw
from vault.reconcile import known_from, reconcile
from vault.values import seal_value

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
    root = RootKey.random()
    try:  # 2
        vault_id, code = home.create_from_archive(
            root, new_passphrase, label=label or str(manifest.get("label", ""))
        )
        vault = home.opened(vault_id, root)
    finally:
        root.wipe()
    try:
        observations, lowered = _observations(vault, members)  # 3
        _keep_manifests(vault, members)
        records = _trips(vault, members)  # 4
        records += _others(vault, members)  # 5, 6
        _documents(vault, members)
        _evidence(vault, members)
        vault.note("restored", from_home=str(manifest.get("home")), records=records)
    except BaseException:
        home.shred(vault_id)  # half a vault is none: the archive can be restored again
        raise
    finally:
        home.lock_all(vault_id)
    return RestoreReport(vault_id, code, records, observations, lowered)  # 7


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
        self._home = vault.home
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

        signer, trust = self._home.signer(), self._home.trust
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
        at, trust = self._received.get(manifest), self._home.trust
        if at is None or trust is None:
            return Evidence.DECLARED, None
        try:
            verify_manifest(signed, trust.key(signed.verification_method, at))
        except (TrustError, ManifestSignatureError):
            return Evidence.DECLARED, None
        return trust.evidence_of(depositor, at), at


def _observations(vault: "OpenVault", members: _Members) -> tuple[int, int]:
    provenance = _Provenance(vault, members)
    name = "observations/observations.jsonl"
    count = lowered = 0
    batch: list[Observed] = []
    blobs = []
    for line in _jsonl(members, name):
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
            lowered += 1
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
        if left is None and isinstance(observation, TripObservation) and observation.track:
            sealed = vault.seal_blob(blob_content(raw, observation))
            blobs.append(sealed)
            blob = sealed.blob_id
        kept = Observed.of(received, raw, blob=blob)
        if left is not None:  # the track was forgotten: what the manifest named cannot be shown
            kept = replace(kept.forgotten(), digest=parse_digest(line["digest"]))
        batch.append(kept)
        count += 1
        if len(batch) >= SLICE:
            _flush(vault, batch, blobs)
            batch, blobs = [], []
    _flush(vault, batch, blobs)
    return count, lowered


def _flush(vault: "OpenVault", batch: Sequence[Observed], blobs: Sequence[Any]) -> None:
    if not batch:
        return
    written = vault.home.blobs.write_all(vault.vault_id, blobs)
    with vault.library.writing() as draft:
        for blob in written:
            draft.tx.put_blob(vault.vault_id, blob)
        for item in batch:
            vault.store_observed(draft, item)


def _keep_manifests(vault: "OpenVault", members: _Members) -> None:
    with vault.library.writing() as draft:
        for name, data in members.small.items():
            if name.startswith("manifests/"):
                key = digest(data)
                draft.tx.put_manifest(
                    vault.vault_id,
                    key,
                    seal_value(vault.library.keyring, data, place="manifest", name=key.hex()),
                )
            elif name.startswith("receipts/"):
                # Says when a home received what a manifest lists: the next move needs it again.
                vault.keep(draft, f"receipt/{digest(data).hex()}", data)


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


def _trips(vault: "OpenVault", members: _Members) -> int:
    """Trips are what the observations say; the archive's give only their IRIs and revisions."""
    archived = [t for t in _records(members, "trips") if isinstance(t, Trip)]
    items = vault.all_observed()
    known = known_from(archived)
    found = reconcile(
        [o.received for o in items],
        known=known.iris,
        aliases=known.aliases,
        mint=lambda _: mint_iri(),
    )
    tracks = {o.iri: o.digest for o in items if o.blob is not None}
    revisions = {trip.id: trip.revision for trip in archived}
    trips = []
    for said in found.trips:
        shape = found.shapes.get(said.id)
        names = ((shape,) if shape else ()) + said.observations
        track = next((tracks[o] for o in names if o in tracks), None)
        trips.append(replace(said, track=track, revision=revisions.get(said.id, 1)))
    for start in range(0, len(trips), SLICE):
        with vault.library.writing() as draft:
            for trip in trips[start : start + SLICE]:
                draft.put(
                    Kind.TRIP,
                    vault_compartment(Kind.TRIP),
                    month_of(trip.started_at),
                    trip.id,
                    encode(to_stored(trip)),
                    revision=trip.revision,
                    start=trip.started_at,
                )
    return len(trips)


def vault_compartment(kind: Kind) -> Any:
    from schemas.records import COMPARTMENT_OF

    return COMPARTMENT_OF[kind]


def _others(vault: "OpenVault", members: _Members) -> int:
    from vault.archive.export import FOLDERS

    items = vault.all_observed()
    behind = {
        o.received.observation.record.id: o.received
        for o in items
        if isinstance(o.received.observation, DocumentObservation)
    }
    records: list[Record] = []
    for kind, folder in FOLDERS.items():
        if kind is not Kind.TRIP:
            records += [_computed(r, behind.get(r.id)) for r in _records(members, folder)]
    for start in range(0, len(records), SLICE):
        with vault.library.writing() as draft:
            for record in records[start : start + SLICE]:
                kind, compartment, month, at = file_of(record)
                draft.put(
                    kind,
                    compartment,
                    month,
                    Iri(record.id),
                    encode(to_stored(record)),
                    revision=record.revision,
                    start=at,
                )
    return len(records)


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
