"""Rows that hold their tracks: on SQLite in order of arrival again, because a row of more than a
quarter page would take an overflow page of its own; months are found by their tag alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_record_month", table_name="record")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE record RENAME TO record_0004")
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
        op.execute(
            "INSERT INTO record (vault_id, compartment, row_id, tag, sealed)"
            " SELECT vault_id, compartment, row_id, tag, sealed FROM record_0004"
        )
        op.execute("DROP TABLE record_0004")
    op.create_index("ix_record_tag", "record", ["tag"], unique=False)
