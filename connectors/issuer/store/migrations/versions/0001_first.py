"""An issuer's records, customers, faults, credentials and disputes."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "issuer_record",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("iri", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("produces", sa.String(), nullable=False),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.Column("is_disputed", sa.Boolean(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("pushed", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "reference", name="pk_issuer_record"),
    )
    op.create_index("ix_issuer_record_iri", "issuer_record", ["iri"])
    op.create_index("ix_issuer_record_customer", "issuer_record", ["customer"])
    op.create_table(
        "issuer_customer",
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("home", sa.String(), nullable=False),
        sa.Column("vault", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("linked_at", UtcDateTime(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("customer", name="pk_issuer_customer"),
    )
    op.create_table(
        "issuer_fault",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("raw", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "place", name="pk_issuer_fault"),
    )
    op.create_table(
        "issuer_read",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("source", "place", name="pk_issuer_read"),
    )
    op.create_table(
        "issuer_credential",
        sa.Column("number", INTEGER, autoincrement=False, nullable=False),
        sa.Column("iri", sa.String(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("status", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_issuer_credential"),
    )
    op.create_index("ix_issuer_credential_iri", "issuer_credential", ["iri"])
    op.create_table(
        "issuer_dispute",
        sa.Column("dispute", sa.String(), nullable=False),
        sa.Column("home", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("dispute", name="pk_issuer_dispute"),
    )
    op.create_table(
        "issuer_secret",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_issuer_secret"),
    )
    op.create_index("ix_issuer_secret_until", "issuer_secret", ["until"])


def downgrade() -> None:
    raise NotImplementedError("stores go forward only; restore a backup instead")
