"""Writing the archive. Its members are described in `vault/README.md`, "Archive"."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final, cast

from federation.multibase import b64url
from federation.sealing.age import ScryptRecipient
from schemas.ids import digest, digest_text
from schemas.jsonld import encode, from_jsonld, observation_to_json, to_jsonld
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
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.secret import zero
from vault.documents import EXTENSIONS, read_document
from vault.drop_box import open_receipt
from vault.errors import BlobMissingError
from vault.formats import TRIP_COLUMNS, feature_of, trip_row
from vault.model import JournalEvent
from vault.observed import Observed
from vault.values import open_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["export"]

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
    Kind.DELIVERY_PROFILE: "delivery-profiles",
    Kind.VEHICLE: "vehicles",
    Kind.PREFERENCE: "preferences",
    Kind.GOAL: "goals",
    Kind.MANDATE: "mandates",
}
_TEST_LOG_N: Final = 10
"""scrypt work factor under `cheapest_kdf_for_tests`; 18 otherwise, as the age tool's."""


def export(
    vault: "OpenVault",
    out: IO[bytes],
    *,
    passphrase: str | bytearray,
    progress: Callable[[str], None] | None = None,
) -> Mapping[str, int]:
    """Write members one after the other, month by month, in bounded memory: a member's size stands
    before its contents, so a large one is set aside sealed (`Spool`) until it is known.

    `progress` hears the name of each member once it is written. Returns how many of each: records
    by folder, observations, manifests, tracks, journal.
    """
    counts: dict[str, int] = {}
    index: dict[str, str] = {}
    secret = passphrase_bytes(passphrase)
    recipient = (
        ScryptRecipient(secret, log_n=_TEST_LOG_N)
        if vault.home.settings.cheapest_kdf_for_tests
        else ScryptRecipient(secret)
    )
    try:
        with ArchiveWriter(cast(Any, out), [recipient]) as archive:

            def add(name: str, content: bytes | Iterable[bytes]) -> None:
                if isinstance(content, bytes):
                    archive.add(name, content)
                    index[name] = digest_text(digest(content))
                else:
                    with Spool(content) as spool:
                        archive.add(name, spool.stream(), size=spool.size)
                        index[name] = digest_text(spool.digest)
                if progress is not None:
                    progress(name)

            head = vault.witness()
            for kind, folder in FOLDERS.items():
                counts[folder] = vault.records(kind, limit=1).total
                if counts[folder]:
                    add(f"records/{folder}.jsonl", _lines(to_jsonld(r) for r in _each(vault, kind)))
                if kind in _WITH_FILES:
                    for record in _each(vault, kind):
                        _own_files(vault, record, add)
            _observations(vault, add, counts)
            add("trips/trips.geojson", _geojson(cast(Iterable[Trip], _each(vault, Kind.TRIP))))
            add("trips/trips.csv", _csv(cast(Iterable[Trip], _each(vault, Kind.TRIP))))
            trips = cast(Iterable[Trip], _each(vault, Kind.TRIP))
            _tracks(vault, trips, add, counts)
            _journal(vault, add, counts)
            _evidence(vault, add)
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
    finally:
        zero(secret)
    vault.note("exported", records=sum(counts[f] for f in FOLDERS.values()))
    return counts


def _each(vault: "OpenVault", kind: Kind) -> Iterator[Record]:
    """Every record of a kind, month after month, one month in memory."""
    compartment = COMPARTMENT_OF[kind]
    with vault.library.reading() as shelf:
        months = shelf.months(compartment)
    for month in months:
        with vault.library.reading() as shelf:
            found = shelf.payloads(compartment, month, kind=kind)
        for _, payload in found:
            yield from_jsonld(json.loads(payload))


def _lines(documents: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    return (encode(document) + b"\n" for document in documents)


_WITH_FILES: Final = (Kind.CREDENTIAL, Kind.CONSENT, Kind.DOCUMENT)


def file_of_document(record: Document) -> str:
    """The member that holds a document's bytes."""
    return f"documents/{_safe(record.id)}.{EXTENSIONS.get(record.media_type, 'bin')}"


def _safe(iri: str) -> str:
    name = iri.rsplit(":", 1)[-1]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80]


def _own_files(vault: "OpenVault", record: Record, add: Any) -> None:
    """Credentials, consent receipts and documents also as files of their own, as another tool
    wants them."""
    match record:
        case Consent():
            add(f"consents/{_safe(record.id)}.jsonld", encode(dict(record.receipt)))
        case Credential():
            add(f"credentials/{_safe(record.id)}.jsonld", encode(dict(record.document)))
        case Document():
            try:
                parts = read_document(vault, record.id)
            except BlobMissingError:  # a record that came without its file
                return
            add(file_of_document(record), parts)


def _observations(vault: "OpenVault", add: Any, counts: dict[str, int]) -> None:
    """Each observation with the bytes as deposited, and the depositors' signed manifests."""
    counts["observations"] = 0

    def lines() -> Iterator[bytes]:
        for item in _observed(vault):
            counts["observations"] += 1
            received = item.received
            yield (
                encode(
                    {
                        "raw": None if item.is_forgotten else vault.deposited(item).decode(),
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
    with vault.library.reading() as shelf:
        rows = list(shelf.reader.manifests(vault.vault_id))
        deposits = shelf.reader.deposits(vault.vault_id)
    counts["manifests"] = len(rows)
    for name, sealed in rows:
        data = open_value(vault.library.keyring, sealed, place="manifest", name=bytes(name).hex())
        add(f"manifests/{bytes(name).hex()}.manifest", data)
    for deposit in deposits:
        receipt = open_receipt(vault.home.seal, vault.vault_id, deposit)
        add(f"receipts/{deposit.digest.hex()}.receipt", receipt.data)


def _observed(vault: "OpenVault") -> Iterator[Observed]:
    """Every observation, month after month."""
    for compartment in Compartment:
        with vault.library.reading() as shelf:
            months = shelf.months(compartment)
        for month in months:
            with vault.library.reading() as shelf:
                found = shelf.payloads(compartment, month, kind=Kind.OBSERVATION)
            for _, payload in found:
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


def _tracks(vault: "OpenVault", trips: Iterable[Trip], add: Any, counts: dict[str, int]) -> None:
    counts["tracks"] = 0
    for trip in trips:
        if trip.track is None:
            continue
        with vault.library.reading() as shelf:
            points = vault.track_in(shelf, trip)
        if not points:
            continue
        counts["tracks"] += 1
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<gpx version="1.1" creator="mobility-vault" xmlns="http://www.topografix.com/GPX/1/1">',
            "<trk><trkseg>",
            *(
                f'<trkpt lat="{lat:.7f}" lon="{lon:.7f}"><time>{at.isoformat()}</time></trkpt>'
                for at, lat, lon in points
            ),
            "</trkseg></trk></gpx>",
        ]
        name = trip.id.rsplit(":", 1)[-1]
        add(f"tracks/{name}.gpx", "\n".join(lines).encode())


def _journal(vault: "OpenVault", add: Any, counts: dict[str, int]) -> None:
    events: list[JournalEvent] = []
    cursor: str | None = None
    while True:
        page = vault.journal(cursor, limit=500)
        events.extend(page.events)
        cursor = page.cursor
        if cursor is None:
            break
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


def _evidence(vault: "OpenVault", add: Any) -> None:
    """Evidence trees of proofs that were given: an audit may still ask. Receipts that came with an
    earlier move: they say when another home received what the manifests list."""
    with vault.library.reading() as shelf:
        names = sorted(shelf.reader.settings(vault.vault_id))
    for name in names:
        folder, _, rest = name.partition("/")
        value = vault.setting(name) if folder in {"evidence", "receipt"} else None
        if value is None:
            continue
        add(f"{name}.json" if folder == "evidence" else f"receipts/{rest}.receipt", value)
