"""The hub's store: readers, and transactors that exist only inside their transaction."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from federation.hub.store.reader import Reader
from federation.hub.store.transactor import Transactor
from federation.hub.tables import OutboxRow
from federation.wire import database
from federation.wire.jobs import Outbox

__all__ = ["HubStore", "Reader", "Transactor"]

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"
VERSION_TABLE: Final = "hub_alembic_version"


class HubStore:
    """The database of one hub."""

    def __init__(self, url: str, *, migrate: bool = True) -> None:
        """Open, and bring to the newest migration unless told otherwise (workers only check).

        Raises:
            SchemaVersionError: written by a newer version, or not migrated.
        """
        self.engine: Engine = database.create(url)
        try:
            if migrate:
                database.migrate(self.engine, MIGRATIONS, version_table=VERSION_TABLE)
            else:
                database.check_version(self.engine, MIGRATIONS, version_table=VERSION_TABLE)
        except BaseException:
            self.engine.dispose()
            raise
        self.outbox = Outbox(self.engine, OutboxRow)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Reader]:
        """One snapshot to read from."""
        with database.read(self.engine) as session:
            yield Reader(session)

    @contextlib.contextmanager
    def transact(self) -> Iterator[Transactor]:
        """One transaction: commits at the end of the block, rolls back when it raises."""
        with database.transact(self.engine) as session:
            yield Transactor(session, self.outbox)
