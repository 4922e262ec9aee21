"""Transactions and migrations, on SQLite and on PostgreSQL."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import alembic.config
import alembic.script
import pytest
from sqlalchemy import Column, Engine, Integer, String, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from federation.wire import database
from federation.wire.errors import DatabaseBusyError, NaiveDatetimeError, SchemaVersionError

META = database.metadata()
COUNTERS = Table(
    "counters",
    META,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("at", database.UtcDateTime()),
)
PARIS_SUMMER = timezone(timedelta(hours=2))


@pytest.fixture
def counters(engine: Engine) -> Engine:
    with engine.begin() as connection:
        META.create_all(connection)
        connection.execute(insert(COUNTERS).values(name="trips", value=0))
    return engine


def value_of(engine: Engine) -> int:
    with database.read(engine) as session:
        return session.execute(select(COUNTERS.c.value)).scalar_one()


def test_eight_read_modify_write_writers_lose_nothing(counters: Engine) -> None:
    def add_ten() -> None:
        for _ in range(10):
            with database.transact(counters) as session:
                value = session.execute(select(COUNTERS.c.value).with_for_update()).scalar_one()
                session.execute(update(COUNTERS).values(value=value + 1))

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(add_ten) for _ in range(8)]:
            future.result(timeout=60)
    assert value_of(counters) == 80


def test_a_block_that_raises_leaves_nothing_behind(counters: Engine) -> None:
    with pytest.raises(RuntimeError), database.transact(counters) as session:
        session.execute(update(COUNTERS).values(value=9))
        raise RuntimeError
    assert value_of(counters) == 0


def test_a_reader_cannot_write(counters: Engine) -> None:
    with pytest.raises(DBAPIError), database.read(counters) as session:
        session.execute(update(COUNTERS).values(value=9))
    with database.transact(counters) as session:
        session.execute(update(COUNTERS).values(value=1))
    assert value_of(counters) == 1


def test_a_reader_sees_one_snapshot(counters: Engine) -> None:
    with database.read(counters) as session:
        before = session.execute(select(COUNTERS.c.value)).scalar_one()
        with database.transact(counters) as writer:
            writer.execute(update(COUNTERS).values(value=5))
        assert session.execute(select(COUNTERS.c.value)).scalar_one() == before
    assert value_of(counters) == 5


def test_a_writer_that_waits_too_long_is_told_to_come_back(
    counters: Engine, database_url: str
) -> None:
    impatient = database.create(database_url, busy_timeout_s=0.05)
    with database.transact(counters) as session:
        session.execute(update(COUNTERS).values(value=2))
        with pytest.raises(DatabaseBusyError) as caught, database.transact(impatient) as second:
            second.execute(update(COUNTERS).values(value=3))
    impatient.dispose()
    assert caught.value.retry_after_s
    assert value_of(counters) == 2


def test_instants_are_stored_in_utc_and_come_back_aware(counters: Engine) -> None:
    at = datetime(2026, 7, 1, 8, 30, 0, 123000, tzinfo=PARIS_SUMMER)
    with database.transact(counters) as session:
        session.execute(update(COUNTERS).values(at=at))
    with database.read(counters) as session:
        found = session.execute(select(COUNTERS.c.at)).scalar_one()
        earlier = session.execute(
            select(COUNTERS.c.name).where(COUNTERS.c.at > datetime(2026, 7, 1, 6, 29, tzinfo=UTC))
        ).all()
    assert found == at
    assert found.tzinfo is UTC
    assert len(earlier) == 1


def test_a_naive_datetime_is_refused(counters: Engine) -> None:
    with pytest.raises(StatementError) as caught, database.transact(counters) as session:
        session.execute(update(COUNTERS).values(at=datetime(2026, 7, 1)))
    assert isinstance(caught.value.orig, NaiveDatetimeError)


def test_a_sqlite_file_is_private_and_durable(tmp_path: Path) -> None:
    engine = database.create(f"sqlite:///{tmp_path / 'private.db'}")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert oct((tmp_path / "private.db").stat().st_mode & 0o777) == oct(0o600)


def test_errors_do_not_quote_parameters(counters: Engine) -> None:
    with pytest.raises(DBAPIError) as caught, database.transact(counters) as session:
        session.execute(insert(COUNTERS).values(name="trips", value=48_113))
    assert "48113" not in str(caught.value)


# --- migrations ---

ENV = """
from federation.wire.database import metadata, run_migrations
run_migrations(metadata())
"""
REVISION = """
revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None
from alembic import op
import sqlalchemy as sa
def upgrade():
    {body}
"""


def history(folder: Path, *bodies: str) -> Path:
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text(ENV)
    down = None
    for number, body in enumerate(bodies, 1):
        revision = f"{number:04d}"
        file = folder / "versions" / f"{revision}_step.py"
        file.write_text(REVISION.format(revision=revision, down=down, body=body))
        down = revision
    return folder


CREATE = "op.create_table('a', sa.Column('id', sa.Integer, primary_key=True))"
WIDEN = "op.add_column('a', sa.Column('label', sa.String))"


def test_migrating_brings_an_empty_and_an_old_store_to_the_newest(
    engine: Engine, tmp_path: Path
) -> None:
    place = history(tmp_path / "h", CREATE)
    assert database.migrate(engine, place) == "0001"
    history(place, CREATE, WIDEN)
    with pytest.raises(SchemaVersionError):
        database.check_version(engine, place)
    assert database.migrate(engine, place) == "0002"
    assert database.migrate(engine, place) == "0002"
    database.check_version(engine, place)
    with database.transact(engine) as session:
        session.execute(text("INSERT INTO a (id, label) VALUES (1, 'x')"))


def test_a_migration_that_fails_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    place = history(tmp_path / "h", CREATE, f"{WIDEN}; raise RuntimeError('broken')")
    with pytest.raises(RuntimeError, match="broken"):
        database.migrate(engine, place)
    assert database.version(engine) is None
    with pytest.raises(DBAPIError), database.read(engine) as session:
        session.execute(text("SELECT id FROM a"))


def test_a_store_of_a_newer_version_is_refused(engine: Engine, tmp_path: Path) -> None:
    database.migrate(engine, history(tmp_path / "new", CREATE, WIDEN))
    with pytest.raises(SchemaVersionError) as caught:
        database.migrate(engine, history(tmp_path / "old", CREATE))
    assert caught.value.found == "0002"


def test_many_openers_migrate_once(database_url: str, tmp_path: Path) -> None:
    place = history(tmp_path / "h", CREATE, WIDEN)
    start = threading.Barrier(6)
    engines = [database.create(database_url) for _ in range(6)]

    def open_store(engine: Engine) -> str | None:
        start.wait(timeout=20)
        return database.migrate(engine, place)

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(open_store, engines)) == {"0002"}
    for engine in engines:
        engine.dispose()


def test_two_stores_share_a_database_under_two_version_tables(
    engine: Engine, tmp_path: Path
) -> None:
    database.migrate(engine, history(tmp_path / "one", CREATE), version_table="one_version")
    other = history(tmp_path / "two", CREATE.replace("'a'", "'b'"), WIDEN.replace("'a'", "'b'"))
    database.migrate(engine, other, version_table="two_version")
    assert database.version(engine, version_table="one_version") == "0001"
    assert database.version(engine, version_table="two_version") == "0002"


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        database.create(f"sqlite:///{tmp_path / 'b.db'}").dispose()
    finally:
        os.umask(previous)
    assert (tmp_path / "b.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "location",
    [
        "vault.store:migrations/home",
        "vault.store:migrations/sessions",
        "federation.hub:migrations",
        "connectors.store:migrations",
    ],
)
def test_the_newest_version_is_the_one_alembic_knows(location: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", location)
    script = alembic.script.ScriptDirectory.from_config(config)
    assert database.head_version(location) == script.get_current_head() is not None


def test_a_store_that_is_current_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'home.db'}"
    code = f"""
import sys
from vault.store import Store
Store.open({url!r}).close()
print("alembic.command" in sys.modules)
"""
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout.split()[-1] for run in said] == ["True", "False"]
