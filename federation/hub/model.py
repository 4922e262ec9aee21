"""What the hub's services work on: frozen, without database and without HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from federation.aids.infrastructure import InfrastructureKind
from federation.decision_log import Entry
from federation.ports import DocumentEnvelope
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = [
    "CLOSED",
    "DECIDABLE",
    "HOLDER",
    "SENDINGS_ENDED",
    "AcceptedAgreement",
    "Application",
    "Audit",
    "AuditState",
    "Budget",
    "DocumentKey",
    "Employee",
    "EmployeeState",
    "Funder",
    "Hold",
    "Invitation",
    "LedgerState",
    "LoggedStep",
    "MailChoice",
    "MemberPasskey",
    "Notice",
    "NoticeKind",
    "NoticePreference",
    "Package",
    "Payment",
    "QueueFilter",
    "Report",
    "ReportState",
    "ReportSubject",
    "Request",
    "StatusAct",
    "StatusChange",
    "StoredMember",
    "StoredSession",
    "Transition",
]

DECIDABLE = frozenset(
    (
        ApplicationState.SUBMITTED,
        ApplicationState.TO_REVIEW,
        ApplicationState.NEEDS_INFORMATION,
        ApplicationState.COMPLETED,
        ApplicationState.APPEALED,
    )
)
"""States a person may decide from, and the holder may withdraw from."""

CLOSED = frozenset(
    (
        ApplicationState.ACCEPTED,
        ApplicationState.REFUSED,
        ApplicationState.AWARDED,
        ApplicationState.PAID,
        ApplicationState.GUARANTEED,
        ApplicationState.CONSUMED,
        ApplicationState.EXPIRED,
        ApplicationState.WITHDRAWN,
    )
)
"""States in which no package is taken any more."""


class LedgerState(StrEnum):
    """A period of a nullifier: reserved at intake, consumed by an acceptance, else released."""

    RESERVED = "reserved"
    CONSUMED = "consumed"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Hold:
    """What the ledger keeps from being funded twice: one nullifier for a period."""

    family: str
    version: int
    nullifier: str
    period: tuple[date, date]


@dataclass(frozen=True, slots=True)
class Funder:
    """A funder this hub hosts."""

    slug: str
    did: Did
    name: str
    siret: str
    level: str
    service: str
    """Service in charge, as named in the acknowledgement."""
    contact: str


@dataclass(frozen=True, slots=True)
class Request:
    """A presentation request."""

    id: str
    nonce: str
    state: str
    aid: Iri
    application: Iri
    period: tuple[date, date]
    token: str
    """The signed request object, as served."""
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    answer_digest: str | None = None
    receipt: Mapping[str, Any] | None = None


class StatusAct(StrEnum):
    """What an issuer does to the standing of a credential it signed."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One such act, with its reason."""

    id: str
    credential: Iri
    funder: str
    act: StatusAct
    reason: str
    actor: str
    """Name of the member."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """A proof package as it arrived. `digest` is over everything in it."""

    digest: str
    application: Iri
    request: str
    vp_token: Mapping[str, Any]
    consent_receipt: Mapping[str, Any]
    documents: Sequence[DocumentEnvelope]
    received_at: datetime


HOLDER: Final = "holder"
"""The actor of what the person did; a decision is never theirs."""
SENDINGS_ENDED: Final = (
    "Envoi régulier retiré : aucune preuve ne sera plus envoyée pour les périodes suivantes."
)
"""Reason of the step that tells a funder of a withdrawn standing consent; the state stays."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in the life of an application."""

    state: ApplicationState
    at: datetime
    actor: str
    """`holder`, `rule`, `hub`, or the member's name."""
    reason: str


@dataclass(frozen=True, slots=True)
class Application:
    """An application as the desk and its holder see it."""

    id: Iri
    aid: Iri
    aid_version: str
    funder: Did
    holder: Did
    state: ApplicationState
    to_review: bool
    """A person has to look: the rule did not accept, or could not tell."""
    period: tuple[date, date]
    amount: int | None
    """Cents."""
    automatic: bool
    """The decision was taken by the rule alone (always an acceptance)."""
    package: str | None
    checks: tuple[Mapping[str, Any], ...]
    reasons: tuple[Mapping[str, Any], ...]
    explanation: Mapping[str, Any]
    claims: Mapping[str, Any]
    """What the desk may read of the presentation: predicates, never a trip."""
    message: str
    award: Mapping[str, Any] | None
    submitted_at: datetime
    due_at: datetime
    decided_at: datetime | None
    assignee: str | None = None
    employee: str = ""
    """Employee number of the proven affiliation; empty without one."""
    payment: str | None = None
    """Id of the payment file it was paid with."""
    history: tuple[Transition, ...] = ()

    @property
    def stopped_at(self) -> datetime | None:
        """Since when the clock stands, while information is asked for."""
        if self.state is not ApplicationState.NEEDS_INFORMATION:
            return None
        return next(
            (
                step.at
                for step in reversed(self.history)
                if step.state is ApplicationState.NEEDS_INFORMATION and step.actor != HOLDER
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """One step as the register of decisions holds it."""

    application: str
    seq: int
    entry: Entry
    position: int | None
    """Leaf of the tree; None until the next checkpoint."""


class AuditState(StrEnum):
    """Where a check by sample stands."""

    ASKED = "asked"
    VERIFIED = "verified"
    WITHDRAWN = "withdrawn"
    """Some evidence is gone: that is the person's right, and no fraud."""
    DECLINED = "declined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Audit:
    """A check by sample of the evidence behind one application."""

    application: Iri
    funder: Did
    nonce: str
    leaves: int
    state: AuditState
    asked_by: str
    asked_at: datetime
    answered_at: datetime | None = None
    checks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a desk list shows. Empty means all."""

    states: frozenset[ApplicationState] = field(default_factory=frozenset)
    aid: str = ""
    to_review: bool | None = None
    assignee: str | None = None
    """A member's id; empty text: nobody's; None: anybody's."""
    late_at: datetime | None = None
    """Only what waits for a decision past its time limit at this instant."""
    search: str = ""
    """Beginning of an application's reference, or an employee number; plain text, no pattern."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An aid's envelope, in cents."""

    limit: int
    committed: int
    """Accepted and not paid yet."""
    paid: int

    @property
    def left(self) -> int:
        """What may still be accepted."""
        return self.limit - self.committed - self.paid


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment file: what payroll was told to pay, and when."""

    id: str
    funder: str
    number: int
    """1, 2, 3… of one funder."""
    member: str
    made_at: datetime
    count: int
    total: int
    """Cents."""


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A member as kept; `password` is an Argon2id PHC string."""

    id: str
    login: str
    name: str
    password: str = field(repr=False)
    roles: tuple[str, ...]
    funder: str | None
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A sign-in as kept. `id` is the digest of its cookie."""

    id: str = field(repr=False)
    member: str
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class MemberPasskey:
    """A member's passkey as kept: nothing secret."""

    id: str
    """Credential id, base64url."""
    member: str
    public_key: bytes
    sign_count: int
    name: str
    created_at: datetime
    used_on: date | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that lets one person in."""

    id: str
    """SHA-256 of the link's secret, hex."""
    funder: str | None
    is_colleague: bool
    siret: str
    roles: tuple[str, ...]
    note: str
    member: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class AcceptedAgreement:
    """Who accepted which text for a funder, and when."""

    funder: str
    version: str
    digest: str
    member: str
    member_name: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """One version of the public key that documents for a funder are sealed to."""

    funder: str
    version: int
    public: bytes
    """`BoxPublicKey.encode()`: 70 bytes for P-256."""
    member: str
    created_at: datetime
    not_after: datetime


class NoticeKind(StrEnum):
    """What people of a desk are told."""

    NEW = "new"
    """An application waits for a person."""
    ANSWERED = "answered"
    """What was asked for has arrived."""
    APPEALED = "appealed"


class MailChoice(StrEnum):
    """When a mail goes out."""

    EACH = "each"
    DAILY = "daily"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person of a desk is told."""

    id: str
    member: str
    kind: NoticeKind
    application: str
    aid: str
    at: datetime
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticePreference:
    """How a person of a desk wants to be told."""

    member: str
    mail: MailChoice
    address: str
    """Empty: nowhere to write to."""
    language: str


class EmployeeState(StrEnum):
    """Where a line of a funder's staff list stands."""

    LISTED = "listed"
    """No code is out."""
    INVITED = "invited"
    """A code that nobody used is out."""
    AFFILIATED = "affiliated"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Employee:
    """One line of a funder's staff list."""

    id: str
    funder: str
    """Slug."""
    number: str
    """Employee number as payroll writes it."""
    key: str
    """The number in NFC capitals without spaces: what makes two lines one person."""
    status: str
    """Of the employment, as the aids' rules read it: `agent-titulaire-public`, `salarie`…"""
    mail: str
    """Work address a link may be sent to; empty: codes are handed over on paper."""
    added_at: datetime
    code: str | None = field(default=None, repr=False)
    """MAC of the one-time code that is out."""
    code_until: datetime | None = None
    code_holder: Did | None = None
    """The key that used the code."""
    credential: str | None = None
    """Id of the affiliation that was signed last."""
    affiliated_at: datetime | None = None
    left_at: datetime | None = None

    def state(self, at: datetime) -> EmployeeState:
        """Where the line stands at `at`."""
        if self.left_at is not None:
            return EmployeeState.LEFT
        if self.affiliated_at is not None:
            return EmployeeState.AFFILIATED
        is_out = self.code is not None and self.code_until is not None and at < self.code_until
        return EmployeeState.INVITED if is_out else EmployeeState.LISTED


class ReportSubject(StrEnum):
    """What somebody found wrong with an aid, or that one is missing."""

    AMOUNT = "amount"
    CONDITIONS = "conditions"
    ENDED = "ended"
    LINK = "link"
    OTHER = "other"
    MISSING = "missing"


class ReportState(StrEnum):
    """Whether somebody read a report, and what came of it."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody reported about an aid, or proposed. Nobody is named."""

    id: str
    secret: str = field(repr=False)
    """SHA-256 of the secret in the link to the answer."""
    subject: ReportSubject
    slug: str
    """The aid; empty for a proposal."""
    text: str
    link: str
    at: datetime
    state: ReportState
    answer: str = ""
    member: str | None = None
    """Who answered."""
    answered_at: datetime | None = None


class OfferState(StrEnum):
    """What was decided of one version of an offer. What its dates say comes on top."""

    DRAFT = "draft"
    PUBLISHED = "published"
    SUSPENDED = "suspended"
    DECLINED = "declined"
    REPLACED = "replaced"
    """A newer version was published."""
    ENDED = "ended"
    """Its operator took the offer back."""


@dataclass(frozen=True, slots=True)
class OfferVersion:
    """One version of an operator's offer."""

    operator: Did
    offer: str
    version: int
    token: str
    """The card as the operator signed it."""
    state: OfferState
    at: datetime
    """When the hub received it."""
    note: str = ""
    """Why it was suspended or declined; the operator reads it."""
    decided_at: datetime | None = None
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class InfrastructureSet:
    """A file of what is built that the hub's operator loaded."""

    kind: InfrastructureKind
    source: str
    licence: str
    day: date
    """Of the data, as the operator says."""
    at: datetime
    """When it was loaded."""
    items: int
    elsewhere: int
    """Lines whose commune is not known."""
    left_out: int
