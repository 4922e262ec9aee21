"""Alembic's entry for `connectors.db`."""

from connectors.store.tables import Base
from federation.wire.database import run_migrations

run_migrations(Base.metadata)
