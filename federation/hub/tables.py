"""Tables of the hub. Rows stay in `store/`; dataclasses of `model.py` come out."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from federation.wire import database
from federation.wire.jobs import OutboxTable

__all__ = ["Base"]


class Base(DeclarativeBase):
    """Declarative base of the hub's store."""

    metadata = database.metadata()
    type_annotation_map = database.TYPES


class HubRow(Base):
    """One row: counters that only go up, and the lock of their writers."""

    __tablename__ = "hub"

    id: Mapped[int] = mapped_column(primary_key=True)
    trust_version: Mapped[int]
    catalogue_version: Mapped[int]


class FunderRow(Base):
    """A funder hosted by this hub."""

    __tablename__ = "funders"

    slug: Mapped[str] = mapped_column(String(63), primary_key=True)
    did: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    siret: Mapped[str] = mapped_column(String(14))
    level: Mapped[str] = mapped_column(String(16))
    service: Mapped[str] = mapped_column(String(255))
    contact: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]


class AidRow(Base):
    """An aid in its current version, as catalogue JSON."""

    __tablename__ = "aids"

    slug: Mapped[str] = mapped_column(String(160), primary_key=True)
    id: Mapped[str] = mapped_column(String(255), unique=True)
    funder: Mapped[str] = mapped_column(String(255))
    model: Mapped[str] = mapped_column(String(63))
    status: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class AidRevisionRow(Base):
    """Every state an aid was in. `number` grows over the whole catalogue: the feed's order."""

    __tablename__ = "aid_revisions"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    slug: Mapped[str] = mapped_column(String(160))
    status: Mapped[str] = mapped_column(String(16))
    is_public: Mapped[bool]
    """Anybody could read it in that state."""
    document: Mapped[dict[str, Any]]
    actor: Mapped[str] = mapped_column(String(36))
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]

    __table_args__ = (Index("ix_aid_revisions_slug_number", "slug", "number"),)


class AidDraftRow(Base):
    """An aid that is being written at a desk; published ones are its versions."""

    __tablename__ = "aid_drafts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    funder: Mapped[str] = mapped_column(ForeignKey("funders.slug"))
    slug: Mapped[str] = mapped_column(String(160))
    rule: Mapped[str] = mapped_column(String(160))
    base: Mapped[dict[str, Any]]
    base_version: Mapped[str] = mapped_column(String(63))
    sheet: Mapped[dict[str, Any]]
    tag: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    editor: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    submitter: Mapped[str | None] = mapped_column(String(36))
    submitted_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    reviewer: Mapped[str | None] = mapped_column(String(36))
    published_at: Mapped[datetime | None]
    version: Mapped[str] = mapped_column(String(63))
    changes: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("ix_aid_drafts_funder_state", "funder", "state"),
        Index("ix_aid_drafts_slug_state", "slug", "state"),
    )


class ServiceRow(Base):
    """The last announcement of one member for one service profile, as it signed it."""

    __tablename__ = "services"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    profile: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    token: Mapped[str] = mapped_column(Text)
    is_ended: Mapped[bool]
    at: Mapped[datetime]


class OfferRow(Base):
    """One version of an operator's offer, as the operator signed it, and what was decided of it."""

    __tablename__ = "offers"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    offer: Mapped[str] = mapped_column(String(60), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12), index=True)
    """`draft`, `published`, `suspended`, `declined`, `replaced` or `ended`."""
    at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(Text)


class InfrastructureSetRow(Base):
    """The file of one kind of infrastructure that is loaded: where it came from, of which day."""

    __tablename__ = "infrastructure_sets"

    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    source: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(200))
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime]
    items: Mapped[int]
    elsewhere: Mapped[int]
    left_out: Mapped[int]


class InfrastructureCountRow(Base):
    """What the file of a kind says of one commune."""

    __tablename__ = "infrastructure_counts"

    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    commune: Mapped[str] = mapped_column(String(12), primary_key=True)
    count: Mapped[int]
    amount: Mapped[int] = mapped_column(BigInteger)


class ReportRow(Base):
    """What somebody reported about an aid. Only the digest of its link's secret is kept."""

    __tablename__ = "reports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64), unique=True)
    subject: Mapped[str] = mapped_column(String(16))
    slug: Mapped[str] = mapped_column(String(160))
    text: Mapped[str] = mapped_column(Text)
    link: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    answer: Mapped[str] = mapped_column(Text)
    member: Mapped[str | None] = mapped_column(String(36))
    answered_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_reports_state_at", "state", "at"),)


class ModelRow(Base):
    """A rule model in its current version."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(63))
    rules: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class CatalogueRow(Base):
    """Every signed catalogue: the newest is served."""

    __tablename__ = "catalogues"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]


class TrustEntryRow(Base):
    """An accredited member."""

    __tablename__ = "trust_entries"

    did: Mapped[str] = mapped_column(String(255), primary_key=True)
    document: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class SnapshotRow(Base):
    """Every signed snapshot of the registry."""

    __tablename__ = "snapshots"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class RequestRow(Base):
    """A presentation request: its nonce is used by at most one package."""

    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(64))
    aid: Mapped[str] = mapped_column(String(255))
    application: Mapped[str] = mapped_column(String(64))
    period_from: Mapped[date] = mapped_column(Date)
    period_until: Mapped[date] = mapped_column(Date)
    token: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    answer_digest: Mapped[str | None] = mapped_column(String(71))
    receipt: Mapped[dict[str, Any] | None]

    __table_args__ = (Index("ix_requests_application", "application"),)


class ApplicationRow(Base):
    """An application (« demande »)."""

    __tablename__ = "applications"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    aid: Mapped[str] = mapped_column(String(255))
    aid_version: Mapped[str] = mapped_column(String(63))
    funder: Mapped[str] = mapped_column(String(255))
    holder: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(20))
    to_review: Mapped[bool]
    period_from: Mapped[date] = mapped_column(Date)
    period_until: Mapped[date] = mapped_column(Date)
    amount: Mapped[int | None]
    assignee: Mapped[str | None] = mapped_column(String(36))
    employee: Mapped[str] = mapped_column(String(64), server_default="")
    """Employee number of a proven affiliation, for the desk's search and for payroll."""
    payment: Mapped[str | None] = mapped_column(String(36))
    """The payment file it was paid with."""
    automatic: Mapped[bool]
    package: Mapped[str | None] = mapped_column(String(71))
    checks: Mapped[list[Any]] = mapped_column(JSON)
    reasons: Mapped[list[Any]] = mapped_column(JSON)
    explanation: Mapped[dict[str, Any]]
    claims: Mapped[dict[str, Any]]
    message: Mapped[str] = mapped_column(Text)
    award: Mapped[dict[str, Any] | None]
    submitted_at: Mapped[datetime]
    due_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_applications_funder_state_submitted_at_id", "funder", "state", "submitted_at", "id"
        ),
        Index("ix_applications_funder_submitted_at_id", "funder", "submitted_at", "id"),
        Index("ix_applications_funder_employee", "funder", "employee"),
        Index("ix_applications_aid_state", "aid", "state"),
        Index("ix_applications_payment", "payment"),
        Index("ix_applications_assignee", "assignee"),
        Index("ix_applications_funder_state_due_at", "funder", "state", "due_at"),
        Index("ix_applications_funder_to_review", "funder", "to_review"),
        # A locale's order does not serve a beginning; this one does.
        Index("ix_applications_id_begins", "id", postgresql_ops={"id": "text_pattern_ops"}),
    )


class TransitionRow(Base):
    """One step in the life of an application: who, why, when."""

    __tablename__ = "transitions"

    application: Mapped[str] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)


class PackageRow(Base):
    """A proof package as it arrived."""

    __tablename__ = "packages"

    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
    application: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(ForeignKey("requests.id"))
    vp_token: Mapped[dict[str, Any]]
    consent_receipt: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]

    __table_args__ = (Index("ix_packages_application", "application"),)


class DocumentRow(Base):
    """A document sealed to the funder. The hub cannot open it."""

    __tablename__ = "documents"

    package: Mapped[str] = mapped_column(ForeignKey("packages.digest"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(127))
    key_id: Mapped[str] = mapped_column(String(127))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerHeadRow(Base):
    """One row a nullifier: whoever wants a period locks it first."""

    __tablename__ = "ledger_heads"

    family: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    nullifier: Mapped[str] = mapped_column(String(128), primary_key=True)


class LedgerRow(Base):
    """A period of a nullifier, held by one application."""

    __tablename__ = "ledger"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    family: Mapped[str] = mapped_column(String(63))
    version: Mapped[int]
    nullifier: Mapped[str] = mapped_column(String(128))
    application: Mapped[str] = mapped_column(String(64))
    period_from: Mapped[date] = mapped_column(Date)
    period_until: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(10))
    changed_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_ledger_application", "application"),
        Index(
            "uq_ledger_held",
            "family",
            "version",
            "nullifier",
            "period_from",
            unique=True,
            sqlite_where=sql("state <> 'released'"),
            postgresql_where=sql("state <> 'released'"),
        ),
    )


class RefusalRow(Base):
    """A package refused at intake: codes and time, never its content."""

    __tablename__ = "refusals"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    aid: Mapped[str] = mapped_column(String(255))
    funder: Mapped[str] = mapped_column(String(255))
    codes: Mapped[list[str]]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_refusals_funder_at", "funder", "at"),)


class UsedTokenRow(Base):
    """`jti`s already seen, until they expire."""

    __tablename__ = "used_tokens"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(128), primary_key=True)
    expires_at: Mapped[datetime]


class StatusIndexRow(Base):
    """An index of the hub's status list, given to one credential."""

    __tablename__ = "status_indexes"

    list_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    credential: Mapped[str] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_status_indexes_credential", "credential"),)


class StatusChangeRow(Base):
    """Who changed the standing of a credential that a hosted funder signed, and why."""

    __tablename__ = "status_changes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    credential: Mapped[str] = mapped_column(String(64))
    funder: Mapped[str] = mapped_column(ForeignKey("funders.slug"))
    act: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]

    __table_args__ = (Index("ix_status_changes_credential_at", "credential", "at"),)


class MemberRow(Base):
    """A person who works at the hub or for a funder."""

    __tablename__ = "members"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    login: Mapped[str] = mapped_column(String(127), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    password: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]]
    funder: Mapped[str | None] = mapped_column(String(63))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class MemberSessionRow(Base):
    """A signed-in member. Only the digest of the cookie is kept."""

    __tablename__ = "member_sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("members.id"))
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class LoginFailureRow(Base):
    """A failed sign-in, by address, for the slow-down."""

    __tablename__ = "login_failures"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    address: Mapped[str] = mapped_column(String(64))
    login: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]

    __table_args__ = (Index("ix_login_failures_address_at", "address", "at"),)


class MemberPasskeyRow(Base):
    """A member's passkey. Public things only."""

    __tablename__ = "member_passkeys"

    id: Mapped[str] = mapped_column(String(1400), primary_key=True)
    """Credential id, base64url."""
    member: Mapped[str] = mapped_column(ForeignKey("members.id"))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    used_on: Mapped[date | None] = mapped_column(Date)

    __table_args__ = (Index("ix_member_passkeys_member", "member"),)


class MemberChallengeRow(Base):
    """A WebAuthn challenge that waits for its answer; used once."""

    __tablename__ = "member_challenges"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the challenge, hex."""
    purpose: Mapped[str] = mapped_column(String(16))
    member: Mapped[str | None] = mapped_column(String(36))
    expires_at: Mapped[datetime]


class InvitationRow(Base):
    """A link that lets one person in: a new funder, or a colleague. Only its digest is kept."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    funder: Mapped[str | None] = mapped_column(String(63))
    """Slug: of the funder a colleague joins, or of the one that was made with it."""
    is_colleague: Mapped[bool]
    siret: Mapped[str] = mapped_column(String(14))
    roles: Mapped[list[str]]
    note: Mapped[str] = mapped_column(String(255))
    member: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_invitations_funder", "funder"),)


class AgreementRow(Base):
    """A version of the agreement, accepted for a funder by one of its people."""

    __tablename__ = "agreements"

    funder: Mapped[str] = mapped_column(ForeignKey("funders.slug"), primary_key=True)
    version: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))
    member: Mapped[str] = mapped_column(String(36))
    member_name: Mapped[str] = mapped_column(String(255))
    accepted_at: Mapped[datetime]


class FunderKeyRow(Base):
    """One version of the key documents are sealed to; the private half never comes here."""

    __tablename__ = "funder_keys"

    funder: Mapped[str] = mapped_column(ForeignKey("funders.slug"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    member: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[datetime]
    not_after: Mapped[datetime]


class AuditRow(Base):
    """A check by sample of one application's evidence: at most one an application."""

    __tablename__ = "audits"

    application: Mapped[str] = mapped_column(String(64), primary_key=True)
    funder: Mapped[str] = mapped_column(String(255))
    nonce: Mapped[str] = mapped_column(String(64))
    leaves: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str] = mapped_column(String(255))
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    checks: Mapped[list[Any]] = mapped_column(JSON)


class BudgetHeadRow(Base):
    """One row an aid with a budget: whoever commits a part of it locks it first."""

    __tablename__ = "budget_heads"

    aid: Mapped[str] = mapped_column(String(255), primary_key=True)


class PaymentRow(Base):
    """A payment file of one funder: which accepted applications payroll was told to pay."""

    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    funder: Mapped[str] = mapped_column(String(63))
    number: Mapped[int]
    member: Mapped[str] = mapped_column(String(255))
    """Name of who made it."""
    made_at: Mapped[datetime]
    count: Mapped[int]
    total: Mapped[int]

    __table_args__ = (Index("uq_payments_funder_number", "funder", "number", unique=True),)


class EmployeeRow(Base):
    """A line of a funder's staff list: who may be given an affiliation, and with which code."""

    __tablename__ = "employees"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    funder: Mapped[str] = mapped_column(ForeignKey("funders.slug"))
    number: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(40))
    mail: Mapped[str] = mapped_column(String(255))
    added_at: Mapped[datetime]
    code: Mapped[str | None] = mapped_column(String(64))
    """HMAC of the code under a key of the hub, hex: a stolen database guesses none."""
    code_until: Mapped[datetime | None]
    code_holder: Mapped[str | None] = mapped_column(String(255))
    credential: Mapped[str | None] = mapped_column(String(64))
    affiliated_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_employees_funder_key", "funder", "key", unique=True),)


class NoticeRow(Base):
    """Something a person of a desk is told."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[str] = mapped_column(String(16))
    application: Mapped[str] = mapped_column(String(64))
    aid: Mapped[str] = mapped_column(String(255))
    at: Mapped[datetime]
    read_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_notices_member_read_at_at", "member", "read_at", "at"),)


class NoticePreferenceRow(Base):
    """How a person of a desk wants to be told."""

    __tablename__ = "notice_preferences"

    member: Mapped[str] = mapped_column(ForeignKey("members.id"), primary_key=True)
    mail: Mapped[str] = mapped_column(String(8))
    address: Mapped[str] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(2))


class LogEntryRow(Base):
    """What the register of decisions commits to for one step; gone with its application."""

    __tablename__ = "log_entries"

    application: Mapped[str] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    record: Mapped[bytes] = mapped_column(LargeBinary)
    """Canonical JSON."""
    position: Mapped[int | None] = mapped_column(BigInteger)
    """Leaf of the tree; None until the next checkpoint."""
    at: Mapped[datetime]

    __table_args__ = (
        Index("uq_log_entries_position", "position", unique=True),
        Index(
            "ix_log_entries_waiting",
            "at",
            "application",
            "seq",
            sqlite_where=sql("position IS NULL"),
            postgresql_where=sql("position IS NULL"),
        ),
    )


class LogNodeRow(Base):
    """A full subtree of the register; level 0 are the leaves. Added, never changed or removed."""

    __tablename__ = "log_nodes"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_log_nodes_digest", "digest"),)


class LogCheckpointRow(Base):
    """A signed head of the register."""

    __tablename__ = "log_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    note: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


class LogTimestampRow(Base):
    """An authority's answer over a checkpoint or a leaf."""

    __tablename__ = "log_timestamps"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what was stamped, hex."""
    reply: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class OutboxRow(OutboxTable, Base):
    """Background work of the hub."""

    __tablename__ = "outbox"


class WitnessRow(Base):
    """One witnessed head: a number and a salted hash. Rows are added, never changed or removed."""

    __tablename__ = "witness"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the writer's secret, hex. Which vault or home it is, the hub does not learn."""
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    restored: Mapped[bool]
    at: Mapped[datetime]
