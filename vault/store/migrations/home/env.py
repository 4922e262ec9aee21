"""Run by Alembic through `federation.wire.database.migrate`."""

from federation.wire.database import run_migrations
from vault.store.tables import HomeBase

run_migrations(HomeBase.metadata)
