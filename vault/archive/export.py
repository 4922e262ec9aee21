"""Writing the archive. Its members are described in `vault/README.md`, "Archive".

All of it is one snapshot: what is written meanwhile is not in it, and nothing is in it by half. A
sealed file that a deletion destroyed meanwhile cannot be read any more: then the archive is begun
again (`ExportOvertakenError`).
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from federation.multibase import b64url
from federation.sealing.age import AgeHeader, ScryptRecipient
from schemas.ids import digest, digest_text
from schemas.jsonld import encode, observation_to_json, to_jsonld
from schemas.records import (
    COMPARTMENT_OF,
    Compartment,
    Consent,
    Credential,
    Document,
    Kind,
    Record,
    Trip,
)
from vault.archive.spool import Spool
from vault.crypto.archive import ArchiveWriter
from vault.crypto.head import Head, HeadWitness
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.secret import zero
from vault.documents import EXTENSIONS, find_blob, read_file
from vault.drop_box import open_receipt
from vault.errors import BlobMissingError, ExportOvertakenError, VaultUnknownError
from vault.formats import TRIP_COLUMNS, feature_of, trip_row
from vault.journal import read_entry
from vault.key_store import sync_folder
from vault.library import Shelf
from vault.model import JournalEvent
from vault.observed import Observed
from vault.stored import read_record, read_trip
from vault.values import open_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["export", "export_file", "header_for"]

FOLDERS: Final[Mapping[Kind, str]] = {
    Kind.TRIP: "trips",
    Kind.INVOICE: "invoices",
    Kind.SUBSCRIPTION: "subscriptions",
    Kind.ATTRIBUTE: "attributes",
    Kind.PLACE: "places",
    Kind.CREDENTIAL: "credentials",
    Kind.DOCUMENT: "documents",
    Kind.APPLICATION: "applications",
    Kind.AWARD: "awards",
    Kind.CONSENT: "consents",
    Kind.EXTENSION: "extensions",
    Kind.VEHICLE: "vehicles",
    Kind.PREFERENCE: "preferences",
    Kind.GOAL: "goals",
    Kind.MANDATE: "mandates",
    Kind.DATA_REQUEST: "data-requests",
}
_ATTEMPTS: Final = 3
_TEST_LOG_N: Final = 10
"""scrypt work factor under `cheapest_kdf_for_tests`."""


Step = Callable[[int, int], None]
"""Hears how many of how many pieces are written; what it raises ends the export."""


def header_for(vault: "OpenVault", passphrase: str | bytearray) -> AgeHeader:
    """The archive's file key, wrapped for its passphrase: some 0.3 s and 128 MiB of scrypt, which
    the home's derivation threads spend. The caller wipes it.

    Raises:
        BusyError: too many derivations wait; later.
    """
    secret = passphrase_bytes(passphrase)
    recipient = (
        ScryptRecipient(secret, log_n=_TEST_LOG_N)
        if vault.home.settings.cheapest_kdf_for_tests
        else ScryptRecipient(secret)
    )
    try:
        return vault.home.pool.run(lambda: AgeHeader.of([recipient]))
    finally:
        zero(secret)


def export_file(
    vault: "OpenVault",
    path: Path,
    *,
    to: AgeHeader,
    progress: Callable[[str], None] | None = None,
    step: Step | None = None,
) -> Mapping[str, int]:
    """As `export`, into a file that appears whole and durable, or not at all; begun again when a
    deletion overtook it.

    Raises:
        FileExistsError: there is such a file. ExportOvertakenError: it was overtaken every time.
    """
    if path.exists():
        raise FileExistsError(path)
    part = path.with_name(f".{path.name}.part")
    try:
        for attempt in range(_ATTEMPTS):
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(handle, "wb") as out:
                    counts = export(vault, out, to=to, progress=progress, step=step)
                    out.flush()
                    os.fsync(out.fileno())
                break
            except ExportOvertakenError:
                if attempt == _ATTEMPTS - 1:
                    raise
        os.link(part, path)  # fails when another file came there meanwhile
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
    return counts


def export(
    vault: "OpenVault",
    out: IO[bytes],
    *,
    to: AgeHeader,
    progress: Callable[[str], None] | None = None,
    step: Step | None = None,
) -> Mapping[str, int]:
    """Write members one after the other, month by month, in bounded memory: a member's size stands
    before its contents, so a large one is set aside sealed (`Spool`) until it is known. All of one
    snapshot. Raises ExportOvertakenError.

    `progress` hears the name of each member once it is written, `step` each piece (a line, a
    track). Returns how many of each: records by folder, observations, manifests, tracks, journal.
    """
    counts: dict[str, int] = {}
    index: dict[str, str] = {}
    done, total = 0, 1

    def count() -> None:
        nonlocal done
        done = min(done + 1, total)
        if step is not None:
            step(done, total)

    def counted(parts: Iterable[bytes]) -> Iterator[bytes]:
        for part in parts:
            yield part
            count()

    with ArchiveWriter(cast(Any, out), to) as archive:

        def add(name: str, content: bytes | Iterable[bytes]) -> None:
            if isinstance(content, bytes):
                archive.add(name, content)
                index[name] = digest_text(digest(content))
                count()
            else:
                with Spool(counted(content)) as spool:
                    archive.add(name, spool.stream(), size=spool.size)
                    index[name] = digest_text(spool.digest)
            if progress is not None:
                progress(name)

        with vault.library.reading() as shelf:
            total = max(1, _pieces(shelf))
            head = _members(vault, shelf, add, counts)
        manifest = {
            "format": "mobility-vault-archive/1",
            "home": vault.home.did,
            "vault": vault.vault_id,
            "label": vault.label(),
            "exportedAt": vault.home.clock().isoformat(),
            "head": {"seq": head.seq, "digest": digest_text(head.digest)},
            "members": index,
        }
        body = encode(manifest)
        archive.add("manifest.json", body)
        signer = vault.home.signer()
        archive.add(
            "manifest.sig",
            json.dumps(
                {
                    "verificationMethod": signer.verification_method,
                    "signature": b64url(
                        signer.sign(b"mobility-vault/archive-manifest/1\x00" + body)
                    ),
                }
            ).encode(),
        )
    vault.note("exported", records=sum(counts[f] for f in FOLDERS.values()))
    return counts


def _pieces(shelf: Shelf) -> int:
    """About how many pieces there are to write: what manifests list, and each trip three times
    more (map, table, points)."""
    listed = dict.fromkeys((*FOLDERS, Kind.OBSERVATION), 0)
    for kind in FOLDERS:
        compartment = COMPARTMENT_OF[kind]
        for month in shelf.months(compartment):
            listed[kind] += len(shelf.ordered(compartment, month, kind))
    for compartment in Compartment:
        for month in shelf.months(compartment):
            listed[Kind.OBSERVATION] += len(shelf.ordered(compartment, month, Kind.OBSERVATION))
    own = sum(listed[kind] for kind in _WITH_FILES)
    return sum(listed.values()) + own + 3 * listed[Kind.TRIP]


def _members(vault: "OpenVault", shelf: Shelf, add: Any, counts: dict[str, int]) -> HeadWitness:
    """Everything but the archive's own manifest; returns the snapshot's head."""
    row = shelf.reader.head(vault.vault_id)
    if row is None:
        raise VaultUnknownError
    try:
        for kind, folder in FOLDERS.items():
            counts[folder] = sum(
                len(shelf.ordered(COMPARTMENT_OF[kind], month, kind))
                for month in shelf.months(COMPARTMENT_OF[kind])
            )
            if counts[folder]:
                add(f"records/{folder}.jsonl", _lines(to_jsonld(r) for r in _each(shelf, kind)))
            if kind in _WITH_FILES:
                for record in _each(shelf, kind):
                    _own_files(vault, shelf, record, add)
        _observations(vault, shelf, add, counts)
        add("trips/trips.geojson", _geojson(cast(Iterable[Trip], _each(shelf, Kind.TRIP))))
        add("trips/trips.csv", _csv(cast(Iterable[Trip], _each(shelf, Kind.TRIP))))
        _tracks(vault, shelf, add, counts)
        _journal(vault, shelf, add, counts)
        _evidence(vault, shelf, add)
    except BlobMissingError:
        if vault.head().seq != shelf.head.seq:
            raise ExportOvertakenError from None
        raise
    return Head.witness(row.sealed)


def _each(shelf: Shelf, kind: Kind) -> Iterator[Record]:
    """Every record of a kind, month after month, one month in memory."""
    compartment = COMPARTMENT_OF[kind]
    for month in shelf.months(compartment):
        for _, payload in shelf.payloads(compartment, month, kind=kind):
            yield read_record(payload)


def _lines(documents: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    return (encode(document) + b"\n" for document in documents)


_WITH_FILES: Final = (Kind.CREDENTIAL, Kind.CONSENT, Kind.DOCUMENT)


def file_of_document(record: Document) -> str:
    """The member that holds a document's bytes."""
    return f"documents/{_safe(record.id)}.{EXTENSIONS.get(record.media_type, 'bin')}"


def _safe(iri: str) -> str:
    name = iri.rsplit(":", 1)[-1]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80]


def _own_files(vault: "OpenVault", shelf: Shelf, record: Record, add: Any) -> None:
    """Credentials, consent receipts and documents also as files of their own, as another tool
    wants them."""
    match record:
        case Consent():
            add(f"consents/{_safe(record.id)}.jsonld", encode(dict(record.receipt)))
        case Credential():
            add(f"credentials/{_safe(record.id)}.jsonld", encode(dict(record.document)))
        case Document():
            before = find_blob(vault, shelf, record.id)
            if before is None:  # a record that came without its file
                return
            try:
                parts = read_file(vault, shelf, record.id)
            except BlobMissingError:
                with vault.library.reading() as now:
                    if find_blob(vault, now, record.id) != before:
                        raise ExportOvertakenError from None
                return  # lost on the disk: `fsck` names it, and the rest may leave
            add(file_of_document(record), parts)


def _observations(vault: "OpenVault", shelf: Shelf, add: Any, counts: dict[str, int]) -> None:
    """Each observation with the bytes as deposited, and the depositors' signed manifests."""
    counts["observations"] = 0

    def lines() -> Iterator[bytes]:
        for item in _observed(shelf):
            counts["observations"] += 1
            received = item.received
            yield (
                encode(
                    {
                        "raw": None if item.is_forgotten else vault.deposited(item, shelf).decode(),
                        "trimmed": observation_to_json(received.observation)
                        if item.is_forgotten
                        else None,
                        "digest": digest_text(item.digest),
                        "depositor": received.depositor,
                        "account": received.account,
                        "manifest": None
                        if received.manifest is None
                        else digest_text(received.manifest),
                        "index": received.index,
                        "receivedAt": received.received_at.isoformat(),
                        "evidenceCeiling": received.ceiling.value,
                    }
                )
                + b"\n"
            )

    add("observations/observations.jsonl", lines())
    rows = list(shelf.reader.manifests(vault.vault_id))
    deposits = shelf.reader.deposits(vault.vault_id)
    counts["manifests"] = len(rows)
    for name, sealed in rows:
        data = open_value(vault.library.keyring, sealed, place="manifest", name=bytes(name).hex())
        add(f"manifests/{bytes(name).hex()}.manifest", data)
    for deposit in deposits:
        receipt = open_receipt(vault.home.seal, vault.vault_id, deposit)
        add(f"receipts/{deposit.digest.hex()}.receipt", receipt.data)


def _observed(shelf: Shelf) -> Iterator[Observed]:
    """Every observation, month after month."""
    for compartment in Compartment:
        for month in shelf.months(compartment):
            for _, payload in shelf.payloads(compartment, month, kind=Kind.OBSERVATION):
                yield Observed.read(payload)


def _geojson(trips: Iterable[Trip]) -> Iterator[bytes]:
    yield b'{"type":"FeatureCollection","features":['
    for number, trip in enumerate(trips):
        yield (b"," if number else b"") + encode(feature_of(trip))
    yield b"]}"


def _csv(trips: Iterable[Trip]) -> Iterator[bytes]:
    for row in chain([list[object](TRIP_COLUMNS)], map(trip_row, trips)):
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerow(row)
        yield out.getvalue().encode()


def _tracks(vault: "OpenVault", shelf: Shelf, add: Any, counts: dict[str, int]) -> None:
    """The points of each trip, a month of trips in memory."""
    counts["tracks"] = 0
    for month in shelf.months(Compartment.TRIPS):
        for _, payload in shelf.payloads(Compartment.TRIPS, month, kind=Kind.TRIP):
            trip = read_trip(payload)
            points = vault.track_in(shelf, trip) if trip.track is not None else []
            if points:
                counts["tracks"] += 1
                add(f"tracks/{trip.id.rsplit(':', 1)[-1]}.gpx", _gpx(points))


def _gpx(points: Sequence[tuple[datetime, float, float]]) -> bytes:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<gpx version="1.1" creator="mobility-vault" xmlns="http://www.topografix.com/GPX/1/1">',
        "<trk><trkseg>",
        *[
            f'<trkpt lat="{lat:.7f}" lon="{lon:.7f}"><time>{at.isoformat()}</time></trkpt>'
            for at, lat, lon in points
        ],
        "</trkseg></trk></gpx>",
    ]
    return "\n".join(lines).encode()


def _journal(vault: "OpenVault", shelf: Shelf, add: Any, counts: dict[str, int]) -> None:
    events: list[JournalEvent] = []
    before: int | None = None
    while entries := shelf.reader.journal(vault.vault_id, before=before, limit=500):
        events.extend(
            read_entry(entry, vault_id=vault.vault_id, keyring=vault.library.keyring)
            for entry in entries
        )
        before = entries[-1].number
    counts["journal"] = len(events)
    add(
        "journal/journal.jsonl",
        _lines(
            {
                "number": event.number,
                "at": event.at.isoformat(),
                "event": event.event,
                "actor": event.actor,
                "detail": dict(event.detail),
            }
            for event in reversed(events)
        ),
    )


def _evidence(vault: "OpenVault", shelf: Shelf, add: Any) -> None:
    """Evidence trees of proofs that were given: an audit may still ask. Receipts that came with an
    earlier move: they say when another home received what the manifests list."""
    kept = shelf.reader.settings(vault.vault_id)
    for name in sorted(kept):
        folder, _, rest = name.partition("/")
        if folder not in {"evidence", "receipt"}:
            continue
        value = open_value(vault.library.keyring, kept[name], place="setting", name=name)
        add(f"{name}.json" if folder == "evidence" else f"receipts/{rest}.receipt", value)
