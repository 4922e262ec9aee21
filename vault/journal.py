"""The journal: one sealed entry per act. The home appends while the vault is locked; only an open
vault reads. Entries hold ids, purposes, parties and counts, never values."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from federation.sealing.box import BoxPublicKey
from schemas.ids import Digest
from vault.crypto.journal_entry import EMPTY, JournalRow, JournalTip, append_entry, open_entry
from vault.crypto.keyring import Keyring
from vault.model import JournalEvent
from vault.months import EPOCH
from vault.store import JournalEntry, Reader, Transactor

__all__ = ["append", "read_entry", "rows_of"]


def append(
    tx: Transactor,
    vault_id: str,
    *,
    to: BoxPublicKey,
    event: str,
    actor: str,
    detail: Mapping[str, Any],
    at: datetime,
) -> JournalTip:
    """Add one entry; returns where the chain ends now. The caller holds the vault's head lock."""
    last = tx.journal_last(vault_id)
    tip = EMPTY if last is None else JournalTip(last.number, Digest(last.chain))
    payload = json.dumps(
        {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": event,
            "actor": actor,
            "detail": dict(detail),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    row = append_entry(payload, vault=vault_id, tip=tip, to=to)
    assert row.sealed is not None  # noqa: S101  # just sealed
    tx.append_journal(
        vault_id,
        number=row.seq,
        sealed=row.sealed,
        entry_digest=row.sealed_digest,
        chain=row.link,
    )
    return JournalTip(row.seq, row.link)


def row_of(entry: JournalEntry) -> JournalRow:
    return JournalRow(entry.number, Digest(entry.entry_digest), Digest(entry.chain), entry.sealed)


def rows_of(reader: Reader, vault_id: str) -> list[JournalRow]:
    """The whole chain, oldest first."""
    return [row_of(entry) for entry in reversed(reader.journal(vault_id))]


def read_entry(entry: JournalEntry, *, vault_id: str, keyring: Keyring) -> JournalEvent:
    """One entry in clear; an erased body reads as event `erased`."""
    opened = open_entry(row_of(entry), vault=vault_id, key=keyring.journal())
    if opened is None:
        return JournalEvent(entry.number, EPOCH, "erased", "", {})
    body = json.loads(opened.payload)
    return JournalEvent(
        entry.number,
        datetime.fromisoformat(body["at"]),
        body["event"],
        body["actor"],
        body["detail"],
    )
