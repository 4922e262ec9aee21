"""What the catalogue said of each aid, and since when. Aids that are there begin their history."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0007"
down_revision = "hub_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aid_revisions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=36), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_aid_revisions")),
    )
    op.create_index("ix_aid_revisions_slug_number", "aid_revisions", ["slug", "number"])
    op.execute(
        """
        INSERT INTO aid_revisions (number, slug, status, is_public, document, actor, note, at)
        SELECT ROW_NUMBER() OVER (ORDER BY updated_at, slug), slug, status, status <> 'draft',
               document, 'hub', '', updated_at
        FROM aids
        """
    )
