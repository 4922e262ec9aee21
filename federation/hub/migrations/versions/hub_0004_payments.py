"""Employee numbers and payments on applications, budgets, payment files."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0004"
down_revision = "hub_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column(
        "applications",
        sa.Column("employee", sa.String(length=64), nullable=False, server_default=""),
    )
    op.add_column("applications", sa.Column("payment", sa.String(length=36), nullable=True))
    op.create_index("ix_applications_funder_employee", "applications", ["funder", "employee"])
    op.create_index("ix_applications_aid_state", "applications", ["aid", "state"])
    op.create_index("ix_applications_payment", "applications", ["payment"])
    op.create_table(
        "budget_heads",
        sa.Column("aid", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("aid", name=op.f("pk_budget_heads")),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("funder", sa.String(length=63), nullable=False),
        sa.Column("number", big, nullable=False),
        sa.Column("member", sa.String(length=255), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("count", big, nullable=False),
        sa.Column("total", big, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    op.create_index("uq_payments_funder_number", "payments", ["funder", "number"], unique=True)
    # Employee numbers of what is there already: read from the claims the desk shows.
    applications = sa.table(
        "applications", sa.column("id"), sa.column("claims", sa.JSON()), sa.column("employee")
    )
    bind = op.get_bind()
    for row in bind.execute(sa.select(applications.c.id, applications.c.claims)).all():
        shown = (row.claims or {}).get("AffiliationCredential") or {}
        number = str(shown.get("employeeNumber", ""))[:64]
        if number:
            bind.execute(
                applications.update().where(applications.c.id == row.id).values(employee=number)
            )
