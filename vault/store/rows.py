"""What the store hands out: plain values, sealed bytes inside."""

from dataclasses import dataclass
from datetime import datetime

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
    "SealedRow",
    "Session",
    "Slot",
    "Waiting",
]


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to open a vault."""

    slot_id: str
    kind: str
    sealed: bytes
    created_at: datetime | None = None
    last_used_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential of a vault; opens it when `slot_id` is there."""

    vault_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: str
    prf_input: bytes | None
    slot_id: str | None
    created_at: datetime
    last_used_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A published key of a vault: `purpose` is a compartment, or `journal`."""

    purpose: str
    key_id: bytes
    encoded: bytes
    active: bool


@dataclass(frozen=True, slots=True)
class HeadRecord:
    """The sealed head and the number it was written under."""

    seq: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Month:
    """A sealed month manifest and the blind tag its rows share."""

    compartment: str
    tag: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedRow:
    """The sealed current revision of one record."""

    compartment: str
    row_id: bytes
    tag: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Blob:
    """A sealed file, or a small one that lives in its row."""

    blob_id: str
    size: int
    digest: bytes
    sealed: bytes | None = None
    """None when a file holds it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A depositor's state at one vault."""

    link_id: bytes
    sealed: bytes
    last_seq: int
    last_digest: bytes | None
    held_bytes: int
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deposit:
    """An accepted deposit."""

    link_id: bytes
    seq: int
    arrival: int
    digest: bytes
    size: int
    state: str
    taken: int
    sealed: bytes | None
    receipt: bytes
    received_at: datetime
    outcome: bytes | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a deposit was drained. `waiting`: it keeps its bytes; any other state: they go."""

    deposit: Deposit
    state: str
    taken: int
    outcome: bytes | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a drop-box holds."""

    deposits: int
    bytes: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One link of the journal's chain. `sealed` is None once erased."""

    number: int
    sealed: bytes | None
    entry_digest: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """Keys sealed to a delegate."""

    grant_id: str
    sealed: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """The proof behind a printed attestation; `sealed` is None once withdrawn."""

    vault_id: str
    paper_id: bytes
    sealed: bytes | None
    at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A session row; `sealed_root` opens with the cookie and the key store together."""

    vault_id: str
    sealed_root: bytes
    idle_until: datetime
    until: datetime
    idle_s: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Failures of one client on one vault."""

    failures: int
    not_before: datetime
    hour: datetime
    failures_in_hour: int
