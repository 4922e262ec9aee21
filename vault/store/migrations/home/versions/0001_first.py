"""First tables."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "home_setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_home_setting")),
    )
    op.create_table(
        "outbox",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("job_class", sa.String(length=8), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("progress", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("lease_token", sa.String(length=36), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("owner", "id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("owner", "kind", "key", name=op.f("uq_outbox_owner_kind_key")),
    )
    op.create_index("ix_outbox_id", "outbox", ["id"], unique=False)
    op.create_index("ix_outbox_state_due_at", "outbox", ["state", "due_at"], unique=False)
    op.create_table(
        "shredded",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", name=op.f("pk_shredded")),
    )
    op.create_table(
        "vault",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", name=op.f("pk_vault")),
    )
    op.create_table(
        "blob",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("blob_id", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_blob_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "blob_id", name=op.f("pk_blob")),
    )
    op.create_table(
        "deposit",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("arrival", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("taken", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_deposit_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "link_id", "seq", name=op.f("pk_deposit")),
    )
    op.create_index("ix_deposit_waiting", "deposit", ["vault_id", "state", "arrival"], unique=False)
    op.create_table(
        "drop_box",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column(
            "held_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "held_deposits", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("arrivals", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_drop_box_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", name=op.f("pk_drop_box")),
    )
    op.create_table(
        "grant_key",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_grant_key_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "grant_id", name=op.f("pk_grant_key")),
    )
    op.create_table(
        "head",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_head_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", name=op.f("pk_head")),
    )
    op.create_table(
        "journal",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("entry_digest", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_journal_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "number", name=op.f("pk_journal")),
    )
    op.create_table(
        "keyring",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_keyring_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", name=op.f("pk_keyring")),
    )
    op.create_table(
        "link",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_digest", sa.LargeBinary(), nullable=True),
        sa.Column(
            "held_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_link_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "link_id", name=op.f("pk_link")),
    )
    op.create_table(
        "manifest",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_manifest_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "digest", name=op.f("pk_manifest")),
    )
    op.create_table(
        "month",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("compartment", sa.String(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_month_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "compartment", "tag", name=op.f("pk_month")),
    )
    op.create_table(
        "public_key",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("encoded", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_public_key_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "purpose", "key_id", name=op.f("pk_public_key")),
    )
    op.create_table(
        "quarantine",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_quarantine_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "entry_id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "record",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("compartment", sa.String(), nullable=False),
        sa.Column("row_id", sa.LargeBinary(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_record_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "compartment", "row_id", name=op.f("pk_record")),
    )
    op.create_index("ix_record_month", "record", ["vault_id", "compartment", "tag"], unique=False)
    op.create_table(
        "setting",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_setting_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "name", name=op.f("pk_setting")),
    )
    op.create_table(
        "slot",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("slot_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_slot_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "slot_id", name=op.f("pk_slot")),
    )
    op.create_table(
        "source_token",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.LargeBinary(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.vault_id"], name=op.f("fk_source_token_vault_id_vault")
        ),
        sa.PrimaryKeyConstraint("vault_id", "token_id", name=op.f("pk_source_token")),
    )
