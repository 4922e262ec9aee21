"""What the hub's services work on: frozen, without database and without HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from federation.ports import DocumentEnvelope
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = [
    "CLOSED",
    "DECIDABLE",
    "Application",
    "Funder",
    "LedgerState",
    "Package",
    "QueueFilter",
    "Request",
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
    history: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a desk list shows. Empty means all."""

    states: frozenset[ApplicationState] = field(default_factory=frozenset)
    aid: str = ""
    to_review: bool | None = None
    search: str = ""
    """Part of an application id or of an employee number; compared as plain text."""


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
