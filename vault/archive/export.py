"""Writing the archive. Its members are described in `vault/README.md`, "Archive"."""

import csv
import io
import json
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, Final, cast

from federation.multibase import b64url
from federation.sealing.age import ScryptRecipient
from schemas.ids import digest, digest_text
from schemas.jsonld import encode, observation_to_json, to_jsonld
from schemas.records import Consent, Kind, Record, Trip
from vault.crypto.archive import ArchiveWriter
from vault.crypto.kdf import passphrase_bytes
from vault.crypto.secret import zero
from vault.drop_box import open_receipt
from vault.model import JournalEvent
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


def export(vault: "OpenVault", out: IO[bytes], *, passphrase: str | bytearray) -> Mapping[str, int]:
    """Write members one after the other; a large file leaves memory member by member.

    Returns how many of each: records by folder, observations, manifests, tracks, journal.
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

            def add(name: str, content: bytes) -> None:
                archive.add(name, content)
                index[name] = digest_text(digest(content))

            head = vault.witness()
            trips: list[Trip] = []
            for kind, folder in FOLDERS.items():
                records = vault.all(kind)
                counts[folder] = len(records)
                if records:
                    add(f"records/{folder}.jsonl", _lines(to_jsonld(r) for r in records))
                if kind is Kind.TRIP:
                    trips = [cast(Trip, record) for record in records]
                for record in records:
                    _own_files(record, add)
            _observations(vault, add, counts)
            add("trips/trips.geojson", _geojson(trips))
            add("trips/trips.csv", _csv(trips))
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


def _lines(documents: Any) -> bytes:
    return b"".join(encode(document) + b"\n" for document in documents)


def _own_files(record: Record, add: Any) -> None:
    """Credentials and consent receipts also as files of their own, as another tool wants them."""
    name = record.id.rsplit(":", 1)[-1]
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80]
    if isinstance(record, Consent):
        add(f"consents/{safe}.jsonld", encode(dict(record.receipt)))
    document = getattr(record, "document", None)
    if document is not None:
        add(f"credentials/{safe}.jsonld", encode(dict(document)))


def _observations(vault: "OpenVault", add: Any, counts: dict[str, int]) -> None:
    """Each observation with the bytes as deposited, and the depositors' signed manifests."""
    found = vault.all_observed()
    counts["observations"] = len(found)
    out = io.BytesIO()
    wanted = set()
    for item in sorted(found, key=lambda o: (o.received.received_at, o.iri)):
        received = item.received
        out.write(
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
        if received.manifest is not None:
            wanted.add(received.manifest)
    add("observations/observations.jsonl", out.getvalue())
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


def _geojson(trips: list[Trip]) -> bytes:
    features = []
    for trip in trips:
        ends = [p for p in (trip.origin, trip.destination) if p is not None]
        geometry = (
            {"type": "LineString", "coordinates": [[p.lon, p.lat] for p in ends]}
            if len(ends) == 2
            else None
        )
        features.append(
            {
                "type": "Feature",
                "id": trip.id,
                "geometry": geometry,
                "properties": {
                    "startedAt": trip.started_at.isoformat(),
                    "endedAt": trip.ended_at.isoformat(),
                    "mode": trip.mode.value,
                    "distance": trip.distance,
                    "evidence": trip.evidence.value,
                    "modeEvidence": trip.mode_evidence.value,
                },
            }
        )
    return encode({"type": "FeatureCollection", "features": features})


def _csv(trips: list[Trip]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        [
            "id",
            "started_at",
            "ended_at",
            "zone",
            "mode",
            "distance_m",
            "purpose",
            "evidence",
            "mode_evidence",
        ]
    )
    for trip in trips:
        # A text that begins like a formula is not one: spreadsheets run what starts with = + - @.
        purpose = trip.purpose or ""
        writer.writerow(
            [
                trip.id,
                trip.started_at.isoformat(),
                trip.ended_at.isoformat(),
                trip.start_zone,
                trip.mode.value,
                trip.distance,
                "'" + purpose if purpose[:1] in {"=", "+", "-", "@", "\t", "\r"} else purpose,
                trip.evidence.value,
                trip.mode_evidence.value,
            ]
        )
    return out.getvalue().encode()


def _tracks(vault: "OpenVault", trips: list[Trip], add: Any, counts: dict[str, int]) -> None:
    counts["tracks"] = 0
    for trip in trips:
        if trip.track is None:
            continue
        points = vault.track(trip.id)
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
