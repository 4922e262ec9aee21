"""What is built: one file of each kind, summed per commune."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0016"
down_revision = "hub_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "infrastructure_sets",
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("elsewhere", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_infrastructure_sets")),
    )
    op.create_table(
        "infrastructure_counts",
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("commune", sa.String(length=12), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "commune", name=op.f("pk_infrastructure_counts")),
    )
