"""Passkeys, logins that lead to a vault, and the day a slot was last used."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slot", sa.Column("last_used_on", UtcDateTime(), nullable=True))
    op.create_table(
        "passkey",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sign_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("transports", sa.String(), nullable=False),
        sa.Column("prf_input", sa.LargeBinary(), nullable=True),
        sa.Column("slot_id", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_on", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_passkey_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "credential_id", name=op.f("pk_passkey")),
    )
    op.create_index("ix_passkey_credential_id", "passkey", ["credential_id"], unique=False)
    op.create_table(
        "login_link",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("login", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_login_link_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "login", name=op.f("pk_login_link")),
    )
    op.create_index("ix_login_link_login", "login_link", ["login"], unique=False)
