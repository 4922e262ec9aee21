"""The home's two databases: rows in, dataclasses out."""

from vault.store.rows import (
    Attempt,
    Blob,
    Deposit,
    Grant,
    HeadRecord,
    JournalEntry,
    Link,
    Month,
    Passkey,
    Progress,
    PublicKey,
    SealedRow,
    Session,
    Slot,
    Waiting,
)
from vault.store.store import Reader, SessionStore, Store, Transactor

__all__ = [
    "Attempt",
    "Blob",
    "Deposit",
    "Grant",
    "HeadRecord",
    "JournalEntry",
    "Link",
    "Month",
    "Passkey",
    "Progress",
    "PublicKey",
    "Reader",
    "SealedRow",
    "Session",
    "SessionStore",
    "Slot",
    "Store",
    "Transactor",
    "Waiting",
]
