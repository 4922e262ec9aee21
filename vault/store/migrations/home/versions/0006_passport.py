"""Services of the passport, what vaults are connected to, codes and tokens."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _vault(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["vault_id"], ["vault.vault_id"], name=op.f(f"fk_{table}_vault_id_vault")
    )


def upgrade() -> None:
    op.create_table(
        "passport_service",
        sa.Column("service_id", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", name=op.f("pk_passport_service")),
    )
    op.create_table(
        "passport_connection",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("connection_id", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        _vault("passport_connection"),
        sa.PrimaryKeyConstraint("vault_id", "connection_id", name=op.f("pk_passport_connection")),
    )
    op.create_table(
        "passport_family",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("family_id", sa.LargeBinary(), nullable=False),
        sa.Column("connection_id", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        _vault("passport_family"),
        sa.PrimaryKeyConstraint("vault_id", "family_id", name=op.f("pk_passport_family")),
    )
    op.create_index("ix_passport_family_family_id", "passport_family", ["family_id"], unique=True)
    op.create_table(
        "passport_token",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("connection_id", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _vault("passport_token"),
        sa.PrimaryKeyConstraint("vault_id", "token", name=op.f("pk_passport_token")),
    )
    op.create_index("ix_passport_token_token", "passport_token", ["token"], unique=True)
