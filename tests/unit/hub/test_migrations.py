"""The migrations make the tables the code expects, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from federation.hub.store import MIGRATIONS, VERSION_TABLE, HubStore
from federation.hub.tables import Base
from federation.wire import database
from federation.wire.errors import SchemaVersionError


def test_the_newest_migration_and_the_tables_agree(database_url: str) -> None:
    store = HubStore(database_url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": False,
                "include_object": lambda _o, name, kind, _r, _c: (
                    kind != "index" or name != "uq_ledger_held"
                ),
            },
        )
        differences = compare_metadata(context, Base.metadata)
    assert differences == []
    store.close()


def test_opening_twice_changes_nothing_and_a_worker_only_checks(database_url: str) -> None:
    with pytest.raises(SchemaVersionError):
        HubStore(database_url, migrate=False)
    HubStore(database_url).close()
    HubStore(database_url).close()
    HubStore(database_url, migrate=False).close()


def test_the_ledger_index_stands_in_the_database(engine: Engine) -> None:
    from sqlalchemy import inspect

    database.migrate(engine, MIGRATIONS, version_table=VERSION_TABLE)
    indexes = {index["name"]: index for index in inspect(engine).get_indexes("ledger")}
    assert indexes["uq_ledger_held"]["unique"]
