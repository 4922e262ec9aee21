"""A funder of one person: passkeys, invitations, the agreement, document keys."""

import sqlalchemy as sa
from alembic import op

from federation.wire.database import UtcDateTime

revision = "hub_0003"
down_revision = "hub_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "member_passkeys",
        sa.Column("id", sa.String(length=1400), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", big, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member"], ["members.id"], name=op.f("fk_member_passkeys_member_members")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_passkeys")),
    )
    op.create_index("ix_member_passkeys_member", "member_passkeys", ["member"])
    op.create_table(
        "member_challenges",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_challenges")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("funder", sa.String(length=63), nullable=True),
        sa.Column("is_colleague", sa.Boolean(), nullable=False),
        sa.Column("siret", sa.String(length=14), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
    )
    op.create_index("ix_invitations_funder", "invitations", ["funder"])
    op.create_table(
        "agreements",
        sa.Column("funder", sa.String(length=63), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("member_name", sa.String(length=255), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["funder"], ["funders.slug"], name=op.f("fk_agreements_funder_funders")
        ),
        sa.PrimaryKeyConstraint("funder", "version", name=op.f("pk_agreements")),
    )
    op.create_table(
        "funder_keys",
        sa.Column("funder", sa.String(length=63), nullable=False),
        sa.Column("version", big, autoincrement=False, nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["funder"], ["funders.slug"], name=op.f("fk_funder_keys_funder_funders")
        ),
        sa.PrimaryKeyConstraint("funder", "version", name=op.f("pk_funder_keys")),
    )
