"""Tables of an issuer's own database, `issuer.db`: the operator's records and what became of them.

It lies on the operator's machine and holds what the operator holds already; sealed deposits on
their way lie beside (`connectors/store`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from federation.wire.database import TYPES, metadata


class Base(DeclarativeBase):
    metadata = metadata()
    type_annotation_map = TYPES


class RecordRow(Base):
    __tablename__ = "issuer_record"

    source: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(primary_key=True)
    iri: Mapped[str]
    customer: Mapped[str]
    produces: Mapped[str]
    is_cancelled: Mapped[bool]
    is_disputed: Mapped[bool]
    values: Mapped[dict[str, Any]]
    digest: Mapped[str]
    taken_at: Mapped[datetime]
    pushed: Mapped[str | None]
    """`vault account digest` of the version the customer's vault has."""

    __table_args__ = (Index(None, "iri"), Index(None, "customer"))


class CustomerRow(Base):
    __tablename__ = "issuer_customer"

    customer: Mapped[str] = mapped_column(primary_key=True)
    home: Mapped[str]
    vault: Mapped[str]
    account: Mapped[str]
    linked_at: Mapped[datetime]
    problem: Mapped[str | None]
    """Code of what stopped the last push."""
    retry_at: Mapped[datetime | None]


class FaultRow(Base):
    """A row that could not be read, as it came, until it can."""

    __tablename__ = "issuer_fault"

    source: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    """File and line, or number in an answer."""
    column: Mapped[str]
    code: Mapped[str]
    raw: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class ReadRow(Base):
    """How far a source was read: a file by its stamp, a database by its time."""

    __tablename__ = "issuer_read"

    source: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    stamp: Mapped[str]


class CredentialRow(Base):
    __tablename__ = "issuer_credential"

    number: Mapped[int] = mapped_column(primary_key=True)
    """Index in the status list, drawn at random."""
    iri: Mapped[str]
    issued_at: Mapped[datetime]
    status: Mapped[int]
    """0 valid, 1 revoked, 2 suspended."""

    __table_args__ = (Index(None, "iri"),)


class DisputeRow(Base):
    __tablename__ = "issuer_dispute"

    dispute: Mapped[str] = mapped_column(primary_key=True)
    home: Mapped[str]
    at: Mapped[datetime]
    message: Mapped[dict[str, Any]]


class SecretRow(Base):
    """A code, token or nonce handed out; only its SHA-256."""

    __tablename__ = "issuer_secret"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str]
    about: Mapped[list[str]]
    until: Mapped[datetime]

    __table_args__ = (Index(None, "until"),)
