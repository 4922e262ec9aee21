"""What the home and an open vault answer with: frozen values, no rows, no keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from schemas.ids import Did, Digest, Iri
from schemas.observations import Received
from schemas.records import Kind, Record

__all__ = [
    "ClaimShown",
    "Deleted",
    "Disclosure",
    "DrainReport",
    "Finding",
    "FsckReport",
    "GrantInfo",
    "JournalEvent",
    "JournalPage",
    "LinkInfo",
    "NewVault",
    "Page",
    "QuarantineEntry",
    "ReceiptView",
    "RestoreReport",
    "SessionToken",
    "ShredReceipt",
    "SlotView",
    "SourceToken",
    "SparqlResult",
    "WaitingView",
]


@dataclass(frozen=True, slots=True)
class NewVault:
    """A vault just made. The recovery code is shown once and kept nowhere."""

    vault_id: str
    recovery_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SlotView:
    """One way in, as its owner reads it."""

    slot_id: str
    """Of the slot; of a login key: its credential id in base64url."""
    kind: str
    """`passphrase`, `passkey`, `recovery`, `shares`, or `login-key`, which opens nothing."""
    name: str
    """What the citizen called it; may be empty."""
    created_at: datetime
    last_used_on: date | None
    shares: tuple[int, int] | None = None
    """(k, n) of recovery shares."""
    costs: str = ""
    """Name of the Argon2id profile, of a passphrase; `custom` when it is none of ours."""
    can_open: bool = True
    may_become_slot: bool = False
    """A login key whose authenticator has PRF: adding it was not finished."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What the browser keeps. `cookie_value` is a secret: one half of the session."""

    cookie_value: str = field(repr=False)
    vault_id: str
    expires_at: datetime
    """Absolute expiry; an idle session ends earlier."""
    seq: int
    head: Digest
    """(seq, H(head)) for the browser to remember: the witness against an older copy."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first, and the cursor of the next page; None at the end."""

    records: tuple[Record, ...]
    cursor: str | None
    total: int
    """All records of the kind (and month, if asked), counted from manifests."""


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What one call of `drain` did."""

    deposits: int = 0
    records: int = 0
    """Observations stored, documents included."""
    trips_new: int = 0
    trips_changed: int = 0
    duplicates: int = 0
    """Records that said nothing new: seen before, or joined to a trip another source had left."""
    suppressed: int = 0
    """Trips that a deletion keeps away."""
    quarantined: int = 0
    waiting: int = 0
    """Deposits still to drain."""

    def plus(self, other: "DrainReport") -> "DrainReport":
        return DrainReport(
            self.deposits + other.deposits,
            self.records + other.records,
            self.trips_new + other.trips_new,
            self.trips_changed + other.trips_changed,
            self.duplicates + other.duplicates,
            self.suppressed + other.suppressed,
            self.quarantined + other.quarantined,
            other.waiting,
        )


@dataclass(frozen=True, slots=True)
class WaitingView:
    """What the drop-box holds."""

    deposits: int
    bytes: int


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """Something that could not be taken in, and why (a code)."""

    id: str
    at: datetime
    depositor: Did
    account: str
    seq: int
    index: int | None
    """Record in the deposit; None for the whole deposit."""
    reason: str
    where: str | None


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One act on this vault. Ids, purposes, parties and counts; never values."""

    number: int
    at: datetime
    event: str
    """`vault-created`, `drained`, `record-put`, `shared`, `exported`, …"""
    actor: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Journal entries, newest first."""

    events: tuple[JournalEvent, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """A depositor that may leave records."""

    depositor: Did
    account: str
    name: str
    scope: tuple[str, ...]
    key: str | None
    """Pinned public key (multikey) for depositors that are not in the registry."""
    last_seq: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """What became of a deposit, for its depositor: form only, never what else the vault holds."""

    state: str
    """`waiting`, `taken` or `rejected`."""
    faults: tuple[tuple[int, str, str | None], ...] = ()
    """(record index, code, where)."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion destroyed. Backups keep theirs until `backups_until`."""

    trips: int
    observations: int
    suppression: Iri
    backups_until: datetime


@dataclass(frozen=True, slots=True)
class ClaimShown:
    """One claim of a disclosure, as the consent page names it."""

    path: str
    value: Any
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What would leave if the citizen agrees. Nothing has left yet."""

    id: str
    recipient: Did
    recipient_name: str
    accredited_by: str | None
    purpose: str
    aid: Iri | None
    application: Iri | None
    leaves: tuple[ClaimShown, ...]
    stays: tuple[str, ...]
    """What the proof rests on and does not carry."""
    assurance: str
    legal: str | None
    retention: str | None
    expires_at: datetime
    presentation: Mapping[str, Any] = field(repr=False)
    """The signed presentation, ready to send."""
    request: Any = field(repr=False, default=None)
    """The verified request this answers."""
    evidence: bytes = field(repr=False, default=b"")
    """Sealed evidence tree, kept for an audit."""
    tokens: Mapping[str, tuple[str, ...]] = field(repr=False, default_factory=dict)
    """DCQL query id → presented SD-JWT VCs, ready to send."""
    methods: tuple[tuple[str, str | None, int], ...] = ()
    """Assurance methods, strongest first: (method, why it was not taken, signed trips found)."""


@dataclass(frozen=True, slots=True)
class GrantInfo:
    """Keys given to a delegate for a purpose, until a date."""

    id: str
    delegate: str
    purpose: str
    compartments: tuple[str, ...]
    since: date
    until: datetime


@dataclass(frozen=True, slots=True)
class SourceToken:
    """A source's token and whose it is; prints without it."""

    account: str
    token: bytes = field(repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `fsck` found, by name."""

    code: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was checked, and what is wrong; clean when `findings` is empty."""

    vault_id: str
    opened: bool
    """False: the vault was locked, only chain, files and counts could be checked."""
    checked: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True)
class ShredReceipt:
    """Proof that a vault was destroyed, signed by the home."""

    vault_id: str
    at: datetime
    backups_until: datetime
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A vault made from an archive."""

    vault_id: str
    recovery_code: str = field(repr=False)
    records: int = 0
    observations: int = 0
    lowered: int = 0
    """Observations whose bytes are not those their manifest names: now `declared`."""
    trips: int = 0
    documents: int = 0
    consents: int = 0


@dataclass(frozen=True, slots=True)
class SparqlResult:
    """Answer of a query: rows for SELECT, a truth for ASK, triples (N-Triples) for the rest."""

    form: str
    variables: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    truth: bool | None = None
    graph: str | None = None
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedView:
    """An observation with what is known of its way in."""

    received: Received
    kind: Kind = Kind.OBSERVATION
