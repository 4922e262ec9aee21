"""Checking a vault: what the store holds against what the vault wrote. Repairs nothing.

Locked: the journal's chain, sealed files against their rows, drop-box counters, the witness.
Open, also: every month's manifest and rows, every record opened and parsed, trips' observations,
the keyring against the head, manifests of deposits against their signatures' digests.
"""

from typing import TYPE_CHECKING

from federation.sealing.errors import SealingError
from federation.sealing.manifest import parse_manifest
from schemas.errors import MobilityError
from schemas.ids import Digest, digest
from schemas.records import Kind, Trip
from vault.crypto.errors import CryptoError, HeadError, JournalError, MonthError
from vault.crypto.head import Head, HeadWitness
from vault.crypto.journal_entry import EMPTY, JournalTip, walk
from vault.errors import BlobMissingError, VaultUnknownError
from vault.journal import rows_of
from vault.model import Finding, FsckReport
from vault.observed import Observed
from vault.store import Reader
from vault.stored import read_record
from vault.values import open_value

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["fsck"]


def fsck(home: "Home", vault_id: str, vault: "OpenVault | None") -> FsckReport:
    """Everything that is wrong, by name. Raises VaultUnknownError."""
    findings: list[Finding] = []
    checked: dict[str, int] = {}
    if not home.has_vault(vault_id):
        raise VaultUnknownError
    # Both before the snapshot: what others write meanwhile is then no fault.
    seen = home.key_store.witness(vault_id)
    head = None if vault is None else _head(vault, findings)
    with home.store.read() as reader:
        _witness(reader, vault_id, seen, findings)
        pinned = EMPTY if head is None else JournalTip(head.journal_count, head.journal_last)
        rows = rows_of(reader, vault_id)
        checked["journal"] = len(rows)
        try:
            walk(rows, vault=vault_id, pinned=pinned)
        except JournalError as error:
            findings.append(Finding(error.code, f"journal {error.seq}"))
        _blobs(home, reader, vault_id, findings, checked)
        _drop_box(reader, vault_id, findings, checked)
        try:
            home.key_store.pepper(vault_id)
        except MobilityError as error:
            findings.append(Finding(error.code, "pepper"))
    if vault is not None and head is not None:
        _months(vault, findings, checked)
        _manifests(vault, findings, checked)
    return FsckReport(vault_id, vault is not None, checked, tuple(findings))


def _witness(
    reader: Reader, vault_id: str, seen: tuple[int, bytes] | None, findings: list[Finding]
) -> None:
    row = reader.head(vault_id)
    if row is None:
        findings.append(Finding("head-missing", "head"))
    elif seen is not None:
        try:
            Head.require_not_older(row.sealed, HeadWitness(seen[0], Digest(seen[1])))
        except HeadError as error:
            findings.append(Finding(error.code, "head", str(error)))


def _head(vault: "OpenVault", findings: list[Finding]) -> Head | None:
    try:
        return vault.head()
    except CryptoError as error:
        findings.append(Finding(error.code, "head", str(error)))
        return None


def _blobs(
    home: "Home",
    reader: Reader,
    vault_id: str,
    findings: list[Finding],
    checked: dict[str, int],
) -> None:
    blobs = reader.blobs(vault_id)
    checked["files"] = len(blobs)
    for blob in blobs:
        try:
            home.blobs.read(vault_id, blob)
        except BlobMissingError as error:
            findings.append(Finding(error.code, f"file {blob.blob_id}", str(error)))
    checked["orphans"] = len(home.blobs.names(vault_id) - {blob.blob_id for blob in blobs})


def _drop_box(
    reader: Reader, vault_id: str, findings: list[Finding], checked: dict[str, int]
) -> None:
    deposits = reader.deposits(vault_id)
    checked["deposits"] = len(deposits)
    waiting = [d for d in deposits if d.state == "waiting"]
    said = reader.waiting(vault_id)
    if said.deposits != len(waiting) or said.bytes != sum(d.size for d in waiting):
        findings.append(Finding("drop-box-count", "drop-box"))
    for link in reader.links(vault_id):
        seqs = sorted(d.seq for d in deposits if d.link_id == link.link_id)
        if seqs != list(range(1, link.last_seq + 1)):
            findings.append(Finding("deposit-gap", f"link {link.link_id.hex()}"))
    findings.extend(
        Finding("deposit-bytes-missing", f"deposit {d.seq}") for d in waiting if d.sealed is None
    )


def _months(vault: "OpenVault", findings: list[Finding], checked: dict[str, int]) -> None:
    """Every month in one snapshot, whatever was checked before."""
    records = 0
    trips: list[Trip] = []
    observations: set[str] = set()
    with vault.library.reading() as shelf:
        known = set(shelf.head.manifests)
        named = {(c.value, tag) for c, m in known for tag in vault.library.tags(c, m)}
        findings.extend(
            Finding("manifest-extra", row.compartment)
            for row in shelf.reader.months(vault.vault_id)
            if (row.compartment, row.tag) not in named
        )
        for compartment, tag, row_id in shelf.reader.row_tags(vault.vault_id):
            if (compartment, tag) not in named:
                findings.append(Finding("row-extra", f"{compartment} {row_id.hex()}"))
        for compartment, month in sorted(known):
            try:
                manifest = shelf.listed(compartment, month)
                rows = vault.library.rows(shelf.reader, compartment, month)
                manifest.check([(row.row_id, row.sealed) for row in rows])
            except MonthError as error:
                findings.extend(
                    Finding(fault.code, f"{compartment.value} {month}", str(fault))
                    for fault in error.faults
                )
                continue
            except (CryptoError, SealingError) as error:
                findings.append(Finding(error.code, f"{compartment.value} {month}", str(error)))
                continue
            sealed = {row.row_id: row.sealed for row in rows}
            for listed in manifest.rows.values():
                records += 1
                try:
                    payload = vault.library.open_row(
                        compartment, month, listed, sealed[listed.record_id]
                    )
                    if listed.kind == Kind.OBSERVATION:
                        observations.add(Observed.read(payload).iri)
                    else:
                        record = read_record(payload)
                        if isinstance(record, Trip):
                            trips.append(record)
                except (MobilityError, ValueError, KeyError) as error:
                    findings.append(
                        Finding(
                            getattr(error, "code", "record-unreadable"),
                            f"{compartment.value} {month} {listed.record_id.hex()}",
                        )
                    )
    checked["records"] = records
    findings.extend(
        Finding("observation-missing", trip.id)
        for trip in trips
        if not set(trip.observations) <= observations
    )


def _manifests(vault: "OpenVault", findings: list[Finding], checked: dict[str, int]) -> None:
    count = 0
    with vault.library.reading() as shelf:
        rows = list(shelf.reader.manifests(vault.vault_id))
        drained = dict(shelf.head.drained)
    held = {name for name, _ in rows}
    for name, sealed in rows:
        count += 1
        try:
            data = open_value(
                vault.library.keyring, sealed, place="manifest", name=bytes(name).hex()
            )
            parse_manifest(data)
        except (CryptoError, SealingError) as error:
            findings.append(Finding(error.code, f"deposit manifest {bytes(name).hex()}"))
            continue
        if digest(data) != name:
            findings.append(Finding("deposit-manifest-altered", bytes(name).hex()))
    for (depositor, _), mark in drained.items():
        if mark.manifest not in held:
            findings.append(Finding("deposit-manifest-missing", f"{depositor} {mark.seq}"))
    checked["manifests"] = count
