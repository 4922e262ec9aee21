"""What a desk looks for in a long queue: its own, the late ones, a reference."""

from alembic import op

revision = "hub_0011"
down_revision = "hub_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_applications_assignee", "applications", ["assignee"])
    op.create_index(
        "ix_applications_funder_state_due_at", "applications", ["funder", "state", "due_at"]
    )
    op.create_index("ix_applications_funder_to_review", "applications", ["funder", "to_review"])
    op.create_index(
        "ix_applications_id_begins",
        "applications",
        ["id"],
        postgresql_ops={"id": "text_pattern_ops"},
    )
