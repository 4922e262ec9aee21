"""Addresses at which operators tell of news."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_hook",
        sa.Column("hook_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_news_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("hook_hash", name="pk_source_hook"),
    )
    op.create_index("ix_source_hook_vault_id_account_id", "source_hook", ["vault_id", "account_id"])


def downgrade() -> None:
    raise NotImplementedError("stores go forward only; restore a backup instead")
