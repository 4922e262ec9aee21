"""Tables of `connectors.db`. Vaults share them: `vault_id` leads every key that a vault owns.

Nothing here is a record of mobility: sealed deposits on their way, hashes of tokens, times of runs.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from federation.wire.database import TYPES, metadata


class Base(DeclarativeBase):
    metadata = metadata()
    type_annotation_map = TYPES


class AccountRow(Base):
    __tablename__ = "connector_account"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    connector: Mapped[str]
    address: Mapped[str]
    health: Mapped[str]
    retry_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    last_report: Mapped[dict[str, Any]]


class StreamRow(Base):
    __tablename__ = "connector_stream"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[dict[str, Any] | None]
    seen: Mapped[bytes]
    """Marks of 8 bytes, one after the other."""


class PendingRow(Base):
    """A sealed deposit, stored before its first send and resent as it is until acknowledged."""

    __tablename__ = "connector_pending"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    depositor: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class PushTokenRow(Base):
    __tablename__ = "push_token"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    vault_id: Mapped[str]
    token_id: Mapped[str]
    """Public name, for the list and for revoking."""
    app: Mapped[str]
    kinds: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "vault_id"),)


class PairingRow(Base):
    __tablename__ = "push_pairing"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    vault_id: Mapped[str]
    app: Mapped[str]
    kinds: Mapped[list[str]]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PushRequestRow(Base):
    """One accepted batch: its receipt, and the answer to the same Idempotency-Key."""

    __tablename__ = "push_request"

    receipt_id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes]
    key_hash: Mapped[bytes | None]
    body_hash: Mapped[bytes]
    records: Mapped[int]
    deposits: Mapped[list[str]]
    """Digests of the sealed deposits, hexadecimal, in order; empty until acknowledged."""
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "token_hash", "key_hash", unique=True),)


class PointSegmentRow(Base):
    """A segment of a phone's points: its key is sealed to the vault (`federation/sealing`)."""

    __tablename__ = "point_segment"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    segment_id: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[str]
    header: Mapped[bytes]
    opened_at: Mapped[datetime]
    is_closed: Mapped[bool]

    __table_args__ = (Index(None, "vault_id", "token_id", "opened_at"),)


class PointFrameRow(Base):
    """One sealed frame of a segment, in the order they were taken."""

    __tablename__ = "point_frame"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    segment_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    frame: Mapped[bytes] = mapped_column(LargeBinary)
    points: Mapped[int]


class PhoneRow(Base):
    """Counts of a phone: how many points came, how many were left out, by rule."""

    __tablename__ = "phone"

    vault_id: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[str] = mapped_column(primary_key=True)
    received: Mapped[int]
    left_out: Mapped[dict[str, Any]]


class HookRow(Base):
    """An address at which an operator tells of news: the hash of its secret part, and the keys
    that the operator publishes."""

    __tablename__ = "source_hook"

    hook_hash: Mapped[bytes] = mapped_column(primary_key=True)
    vault_id: Mapped[str]
    account_id: Mapped[str]
    keys: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    last_news_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "vault_id", "account_id"),)


class LoginRow(Base):
    """A login at an identity provider under way. Nothing here serves without the code, which only
    the browser brings back."""

    __tablename__ = "identity_login"

    state_hash: Mapped[bytes] = mapped_column(primary_key=True)
    vault_id: Mapped[str]
    browser_hash: Mapped[bytes]
    begun: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "vault_id"),)


class RateRow(Base):
    """Requests in a window of one minute, by a hash of who asks."""

    __tablename__ = "push_rate"

    who: Mapped[bytes] = mapped_column(primary_key=True)
    window: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


__all__ = [
    "AccountRow",
    "Base",
    "HookRow",
    "LoginRow",
    "PairingRow",
    "PendingRow",
    "PhoneRow",
    "PointFrameRow",
    "PointSegmentRow",
    "PushRequestRow",
    "PushTokenRow",
    "RateRow",
    "StreamRow",
]
