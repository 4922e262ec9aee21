"""What the citizen brought in from a file that makes records of its own: kept at once, taken back
at once.

A trace file goes through the drop-box, as everything that a source observed. A file that says who
the citizen is and what they asked for, or an invoice they hold, does not: these are the citizen's
own words, which nobody may deposit. One commit writes the records and a sealed note of which they
are; undoing removes those that were not changed since, in one commit.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.ids import Iri
from schemas.records import Application, Attribute, Invoice, Kind, Record, Subscription
from vault.documents import attached, blobs_of, drop
from vault.errors import ActRefusedError, HeadMovedError
from vault.library import random_id
from vault.values import open_value

if TYPE_CHECKING:
    from vault.library import Shelf
    from vault.open_vault import OpenVault

__all__ = ["Brought", "bring", "brought", "fresh", "take_out"]

_PREFIX = "import/"


@dataclass(frozen=True, slots=True)
class Brought:
    """One import that can be taken back."""

    id: str
    source: str
    at: datetime
    records: tuple[Iri, ...]


def fresh(vault: "OpenVault", records: Sequence[Record]) -> tuple[Record, ...]:
    """Those the vault lacks: an attribute of a name it has stays as it is, whoever gave it; a row
    that was imported before is the same row; an invoice of the same issuer and number is the same
    invoice, whichever way it came, and its pass with it."""
    names = {attribute.name for attribute in vault.attributes()}
    rows = {
        record.extra.get("importedRow")
        for record in vault.all(Kind.APPLICATION)
        if isinstance(record, Application)
    }
    bills = {_bill(found) for found in vault.all(Kind.INVOICE) if isinstance(found, Invoice)}
    known = {r.id for r in records if isinstance(r, Invoice) and r.number and _bill(r) in bills}
    return tuple(
        record
        for record in records
        if record.id not in known
        and not (isinstance(record, Subscription) and record.invoice in known)
        and not (isinstance(record, Attribute) and record.name in names)
        and not (isinstance(record, Application) and record.extra.get("importedRow") in rows)
    )


def _bill(found: Invoice) -> tuple[str, str | None, int]:
    return (found.issuer_siret or found.issuer_name.casefold(), found.number, found.total)


def bring(
    vault: "OpenVault",
    records: Sequence[Record],
    *,
    source: str,
    files: Sequence[tuple[str, bytes, Iri]] = (),
) -> Brought | None:
    """Keep what the vault lacks; None when it has everything. `files`: (title, bytes, the record it
    proves), kept as documents in the same commit, with the records they prove.

    Raises:
        DocumentRefusedError: a file of no kind that is kept; nothing was.
        HeadMovedError: keys were renewed meanwhile; nothing was kept, try again.
    """
    at = vault.home.clock()
    proofs = [attached(vault, data, title=title, about=about) for title, data, about in files]
    written = vault.home.blobs.write_all(vault.vault_id, [sealed for _, sealed in proofs])
    with vault.library.writing() as draft:
        wanted = fresh(vault, records)
        if not wanted:
            for blob in written:
                vault.home.blobs.remove(vault.vault_id, blob.blob_id)
            return None
        for record in wanted:
            vault.store_record(draft, record)
        new = {record.id for record in wanted}
        for (document, _), blob in zip(proofs, written, strict=True):
            if blobs_of(vault, document.id)[0].hex() != blob.blob_id:
                # Another worker opened an epoch meanwhile: the file has its earlier name.
                raise HeadMovedError(expected=draft.head.seq, found=draft.head.seq)
            if document.about in new:
                draft.tx.put_blob(vault.vault_id, blob)
                vault.store_record(draft, document)
                wanted = (*wanted, document)
            else:
                vault.home.blobs.remove(vault.vault_id, blob.blob_id)
        made = Brought(random_id(), source, at, tuple(record.id for record in wanted))
        note = {"source": source, "at": at.isoformat(), "records": list(made.records)}
        vault.keep(draft, _PREFIX + made.id, json.dumps(note).encode())
        draft.journal("imported", source=source, records=len(wanted))
    return made


def brought(vault: "OpenVault") -> list[Brought]:
    """Imports that can be taken back, newest first."""
    with vault.library.reading() as shelf:
        found = _notes(vault, shelf)
    return sorted(found, key=lambda item: item.at, reverse=True)


def _notes(vault: "OpenVault", shelf: "Shelf") -> list[Brought]:
    out = []
    for name, sealed in shelf.reader.settings(vault.vault_id, prefix=_PREFIX).items():
        body = json.loads(open_value(vault.library.keyring, sealed, place="setting", name=name))
        out.append(
            Brought(
                name.removeprefix(_PREFIX),
                body["source"],
                datetime.fromisoformat(body["at"]),
                tuple(Iri(iri) for iri in body["records"]),
            )
        )
    return out


def take_out(vault: "OpenVault", import_id: str) -> tuple[int, int]:
    """Remove what an import brought: (removed, kept because it was changed since).

    Raises:
        ActRefusedError: `import-unknown`: no such import, or taken back already.
    """
    with vault.library.writing() as draft:
        note = next((item for item in _notes(vault, draft) if item.id == import_id), None)
        if note is None:
            raise ActRefusedError("import-unknown")
        removed = kept = 0
        for iri in note.records:
            found = draft.find(iri)
            if found is None:
                continue
            compartment, month, row = found
            if row.revision > 1:
                kept += 1
                continue
            if row.kind == Kind.DOCUMENT:
                drop(vault, draft, iri)
            draft.remove(compartment, month, row.record_id)
            removed += 1
        draft.tx.delete_setting(vault.vault_id, _PREFIX + import_id)
        draft.journal("import-undone", source=note.source, records=removed)
    return removed, kept
