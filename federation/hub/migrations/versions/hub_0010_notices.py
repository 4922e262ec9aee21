"""Notices for the people of a desk, and how each wants them."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0010"
down_revision = "hub_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("aid", sa.String(length=255), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name=op.f("fk_notices_member_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_member_read_at_at", "notices", ["member", "read_at", "at"])
    op.create_table(
        "notice_preferences",
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("mail", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"], ["members.id"], name=op.f("fk_notice_preferences_member_members")
        ),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_notice_preferences")),
    )
