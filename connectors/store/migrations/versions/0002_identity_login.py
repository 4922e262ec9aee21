"""Logins at an identity provider under way."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_login",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("begun", sa.JSON(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_identity_login"),
    )
    op.create_index("ix_identity_login_vault_id", "identity_login", ["vault_id"])


def downgrade() -> None:
    raise NotImplementedError("stores go forward only; restore a backup instead")
