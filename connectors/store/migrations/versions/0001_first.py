"""Accounts, streams, pending deposits, push tokens, pairings, requests, rates."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "connector_account",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("health", sa.String(), nullable=False),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("last_run_at", UtcDateTime(), nullable=True),
        sa.Column("last_report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "account_id", name="pk_connector_account"),
    )
    op.create_table(
        "connector_stream",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("cursor", sa.JSON(), nullable=True),
        sa.Column("seen", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "account_id", "stream", name="pk_connector_stream"),
    )
    op.create_table(
        "connector_pending",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("depositor", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("seq", _big, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "vault_id", "depositor", "account", "seq", name="pk_connector_pending"
        ),
    )
    op.create_table(
        "push_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name="pk_push_token"),
    )
    op.create_index("ix_push_token_vault_id", "push_token", ["vault_id"])
    op.create_table(
        "push_pairing",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("code_hash", name="pk_push_pairing"),
    )
    op.create_table(
        "push_request",
        sa.Column("receipt_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=True),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("records", _big, nullable=False),
        sa.Column("deposits", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("receipt_id", name="pk_push_request"),
    )
    op.create_index(
        "ix_push_request_token_hash_key_hash",
        "push_request",
        ["token_hash", "key_hash"],
        unique=True,
    )
    op.create_table(
        "push_rate",
        sa.Column("who", sa.LargeBinary(), nullable=False),
        sa.Column("window", _big, nullable=False),
        sa.Column("count", _big, nullable=False),
        sa.PrimaryKeyConstraint("who", "window", name="pk_push_rate"),
    )


def downgrade() -> None:
    raise NotImplementedError("stores go forward only; restore a backup instead")
