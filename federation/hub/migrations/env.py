"""Alembic environment of the hub's store; `federation.wire.database.migrate` runs it."""

from federation.hub.tables import Base
from federation.wire.database import run_migrations

run_migrations(Base.metadata)
