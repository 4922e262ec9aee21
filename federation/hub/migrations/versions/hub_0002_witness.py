"""Witnessed heads."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0002"
down_revision = "hub_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "witness",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", big, autoincrement=False, nullable=False),
        sa.Column("seq", big, nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("restored", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", "number", name=op.f("pk_witness")),
    )
