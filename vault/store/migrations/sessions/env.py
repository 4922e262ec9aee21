"""Run by Alembic through `federation.wire.database.migrate`."""

from federation.wire.database import run_migrations
from vault.store.tables import SessionsBase

run_migrations(SessionsBase.metadata)
