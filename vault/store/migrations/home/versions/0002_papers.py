"""Printed attestations and the proofs behind their links."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("paper_id", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_paper_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "paper_id", name=op.f("pk_paper")),
    )
    op.create_index("ix_paper_id", "paper", ["paper_id"], unique=True)
