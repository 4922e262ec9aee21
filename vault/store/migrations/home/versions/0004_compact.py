"""Small blobs in their rows; on SQLite, records without a second copy of their key."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("blob", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ALTER TABLE record RENAME TO record_0001")
    op.execute("DROP INDEX ix_record_month")
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
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO record (vault_id, compartment, row_id, tag, sealed)"
        " SELECT vault_id, compartment, row_id, tag, sealed FROM record_0001"
    )
    op.execute("DROP TABLE record_0001")
    op.create_index("ix_record_month", "record", ["vault_id", "compartment", "tag"], unique=False)
