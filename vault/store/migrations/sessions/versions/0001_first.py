"""First tables."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("client", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column(
            "failures_in_hour", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("vault_id", "client", name=op.f("pk_attempt")),
    )
    op.create_table(
        "nonce",
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nonce")),
    )
    op.create_table(
        "session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("sealed_root", sa.LargeBinary(), nullable=False),
        sa.Column("idle_until", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_session")),
    )
    op.create_index("ix_session_vault", "session", ["vault_id"], unique=False)
