"""Aids that are being written at a desk, and the versions that were published from them."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0013"
down_revision = "hub_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aid_drafts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("funder", sa.String(length=63), nullable=False),
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("rule", sa.String(length=160), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("base_version", sa.String(length=63), nullable=False),
        sa.Column("sheet", sa.JSON(), nullable=False),
        sa.Column("tag", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("editor", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("submitter", sa.String(length=36), nullable=True),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.Column("announced_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.String(length=36), nullable=True),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.String(length=63), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["funder"], ["funders.slug"], name=op.f("fk_aid_drafts_funder_funders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aid_drafts")),
    )
    op.create_index("ix_aid_drafts_funder_state", "aid_drafts", ["funder", "state"])
    op.create_index("ix_aid_drafts_slug_state", "aid_drafts", ["slug", "state"])
