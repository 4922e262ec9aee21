"""Who changed the standing of a credential, and why; places of a credential found by its id."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0012"
down_revision = "hub_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "status_changes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("credential", sa.String(length=64), nullable=False),
        sa.Column("funder", sa.String(length=63), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["funder"], ["funders.slug"], name=op.f("fk_status_changes_funder_funders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_changes")),
    )
    op.create_index("ix_status_changes_credential_at", "status_changes", ["credential", "at"])
    op.create_index("ix_status_indexes_credential", "status_indexes", ["credential"])
