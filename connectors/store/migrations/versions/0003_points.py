"""Points of phones, sealed, and what is counted of each phone."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "point_segment",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("segment_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "segment_id", name="pk_point_segment"),
    )
    op.create_index(
        "ix_point_segment_vault_id_token_id_opened_at",
        "point_segment",
        ["vault_id", "token_id", "opened_at"],
    )
    op.create_table(
        "point_frame",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("segment_id", sa.String(), nullable=False),
        sa.Column("number", INTEGER, nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.Column("points", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "segment_id", "number", name="pk_point_frame"),
    )
    op.create_table(
        "phone",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("received", INTEGER, nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "token_id", name="pk_phone"),
    )


def downgrade() -> None:
    raise NotImplementedError("stores go forward only; restore a backup instead")
