"""Alembic's entry for `issuer.db`."""

from connectors.issuer.store.tables import Base
from federation.wire.database import run_migrations

run_migrations(Base.metadata)
