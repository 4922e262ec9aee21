"""Services that announce themselves, one row for each member and profile."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0014"
down_revision = "hub_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "services",
        sa.Column("did", sa.String(length=255), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("is_ended", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("did", "profile", name=op.f("pk_services")),
    )
