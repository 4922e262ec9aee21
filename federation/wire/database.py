"""Engines, transactions and migrations, the same for SQLite and PostgreSQL.

A writer is a `transact(engine)` block, a reader is a `read(engine)` block; both yield a
`sqlalchemy.orm.Session`. On SQLite a writer begins with `BEGIN IMMEDIATE` (pysqlite's default
loses acknowledged read-modify-writes), a reader with `BEGIN` and cannot write. On PostgreSQL a
writer runs READ COMMITTED and locks its head row with `SELECT … FOR UPDATE`, a reader runs
REPEATABLE READ, READ ONLY: in both, a reader sees one snapshot.
"""

import contextlib
import hashlib
import importlib.util
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    StaticPool,
    String,
    column,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from federation.wire.errors import DatabaseBusyError, NaiveDatetimeError, SchemaVersionError

if TYPE_CHECKING:
    import alembic.config

__all__ = [
    "TYPES",
    "UtcDateTime",
    "check_version",
    "create",
    "head_version",
    "metadata",
    "migrate",
    "read",
    "run_migrations",
    "transact",
    "version",
]

BUSY_TIMEOUT_S: Final = 10.0
"""How long one statement waits for the writer lock before SQLite gives up."""
BUSY_ATTEMPTS: Final = 3
"""Times a begin is tried: SQLite's busy handler is not fair, a waiter can be passed over."""
MIGRATION_LOCK_S: Final = 120.0

NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_REVISION: Final = re.compile(r"""^(revision|down_revision)\b[^=\n]*= ["']([^"']+)["']""", re.M)
_ACCESS: Final = "mobility_access"
_memory_lock = threading.Lock()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, stored and returned in UTC; a naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None or value.utcoffset() is None:
            raise NaiveDatetimeError
        value = value.astimezone(UTC)
        # SQLite stores text: without an offset, text order is time order.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  # SQLAlchemy's signature
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


TYPES: Final[dict[Any, Any]] = {
    # For a store's base class: `type_annotation_map = TYPES`. SQLite's rowid wants INTEGER.
    datetime: UtcDateTime(),
    bytes: LargeBinary(),
    int: BigInteger().with_variant(Integer(), "sqlite"),
    dict[str, Any]: JSON(),
    list[str]: JSON(),
}


def metadata() -> MetaData:
    """A `MetaData` whose constraints have stable names, so that migrations can drop them."""
    return MetaData(naming_convention=NAMING_CONVENTION)


def create(url: str, *, pool_size: int = 8, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """The engine of a database URL, with the settings every store of ours relies on.

    `sqlite:///path` and `sqlite://` (in memory, one connection: for tests of one thread), or
    `postgresql+psycopg://…`. A SQLite file is created readable by its owner only; temporary
    tables stay in memory, deleted bytes are overwritten (`secure_delete`).
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, pool_size=pool_size, busy_timeout_s=busy_timeout_s)
    return create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            "options": (
                f"-c timezone=UTC -c lock_timeout={int(busy_timeout_s * 1000)}"
                " -c idle_in_transaction_session_timeout=60000"
            ),
        },
    )


def _sqlite(url: str, *, pool_size: int, busy_timeout_s: float) -> Engine:
    path = make_url(url).database
    in_memory = path in (None, "", ":memory:")
    arguments: dict[str, Any] = {"hide_parameters": True}
    if in_memory:
        arguments |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    else:
        file = Path(str(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        arguments |= {"pool_size": pool_size, "max_overflow": pool_size}
    engine = create_engine(url, **arguments)
    event.listen(engine, "connect", _on_connect(busy_timeout_s))
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(busy_timeout_s: float) -> Any:
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we send BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_size=8192")  # of a new file; rows of a kilobyte fill it better
        cursor.execute(f"PRAGMA busy_timeout={int(busy_timeout_s * 1000)}")
        _patiently(lambda: cursor.execute("PRAGMA journal_mode=WAL"), attempts=20)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "temp_store=MEMORY",
            "trusted_schema=OFF",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return prepare


def _patiently(act: Any, *, attempts: int) -> None:
    """Switching to WAL does not use the busy handler: two first openers may collide."""
    for attempt in range(attempts):
        try:
            act()
            return
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or attempt + 1 == attempts:
                raise
            time.sleep(0.02 + random.random() * 0.05)  # noqa: S311  # jitter, not a secret


def _is_locked(error: BaseException) -> bool:
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _on_begin(connection: Connection) -> None:
    reader = connection.get_execution_options().get(_ACCESS) == "read"
    began = time.monotonic()
    for attempt in range(BUSY_ATTEMPTS):
        try:
            connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reader else 'OFF'}")
            connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")
            return
        except OperationalError as error:
            if not _is_locked(error.orig or error):
                raise
            if attempt + 1 == BUSY_ATTEMPTS:
                raise DatabaseBusyError(waited_s=time.monotonic() - began) from error
            time.sleep(0.01 + random.random() * 0.05)  # noqa: S311  # jitter, not a secret


# 55P03 lock_not_available, 40P01 deadlock_detected, 40001 serialization_failure:
# PostgreSQL 15 manual, appendix A. All three mean "nothing was done, try again".
_RETRIABLE_SQLSTATES: Final = frozenset({"55P03", "40P01", "40001"})


@contextlib.contextmanager
def transact(engine: Engine) -> Iterator[Session]:
    """One write transaction: commits when the block ends, rolls back when it raises.

    Keep outbound calls out of the block. Rows stay readable after the commit.

    Raises:
        DatabaseBusyError: another writer held the lock too long; nothing was written.
    """
    began = time.monotonic()
    try:
        with (
            Session(
                engine.execution_options(**{_ACCESS: "write"}), expire_on_commit=False
            ) as session,
            session.begin(),
        ):
            yield session
    except DBAPIError as error:
        if _is_busy(error):
            raise DatabaseBusyError(waited_s=time.monotonic() - began) from error
        raise


@contextlib.contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """One snapshot to read from; writing in it fails."""
    options: dict[str, Any] = {_ACCESS: "read"}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with Session(engine.execution_options(**options), expire_on_commit=False) as session:
        try:
            yield session
        finally:
            session.rollback()


def _is_busy(error: DBAPIError) -> bool:
    cause = error.orig
    if cause is None:
        return False
    return _is_locked(cause) or getattr(cause, "sqlstate", None) in _RETRIABLE_SQLSTATES


# --- migrations -------------------------------------------------------------------------------


def migrate(
    engine: Engine,
    location: str | Path,
    *,
    version_table: str = "alembic_version",
    target: str | None = None,
) -> str | None:
    """Bring the database to the newest migration of `location`, or up to `target`; returns the
    version reached.

    `location` is a folder, or `package:folder/in/it`. Runs under a lock (a lock file beside a
    SQLite file, an advisory lock in PostgreSQL), in one transaction: several processes may open
    the store at once, one migrates. Stores that share a PostgreSQL database name their own
    `version_table`.

    Raises:
        SchemaVersionError: the database was written by a newer version of this software.
        DatabaseBusyError: somebody else migrates for more than two minutes.
    """
    wanted = target or head_version(location)
    if version(engine, version_table=version_table) == wanted:
        return wanted
    import alembic.command

    config = _config(location, version_table)
    with (
        _migration_lock(engine, version_table),
        engine.connect() as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = {int(MIGRATION_LOCK_S * 1000)}"))
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": _lock_key(version_table)}
            )
        found = _current(connection, version_table)
        if found is not None and not _knows(config, found):
            raise SchemaVersionError(found=found, expected=wanted)
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, target or "head")
    return wanted


def version(engine: Engine, *, version_table: str = "alembic_version") -> str | None:
    """The version the database is at; None when it is empty."""
    with read(engine) as session:
        return _current(session.connection(), version_table)


def head_version(location: str | Path) -> str | None:
    """The newest version that `location` can bring a database to: the one that no other follows.
    Read from the files' first lines: a start that migrates nothing does without Alembic, which
    would run them all."""
    folder = _folder(location) / "versions"
    known, followed = set[str](), set[str]()
    for path in sorted(folder.glob("*.py")):
        said = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in said:
            known.add(said["revision"])
            followed.add(said.get("down_revision", ""))
    ends = sorted(known - followed)
    assert len(ends) < 2, "one history, one end"  # noqa: S101  # our own files
    return ends[0] if ends else None


def check_version(
    engine: Engine, location: str | Path, *, version_table: str = "alembic_version"
) -> None:
    """For workers, which never migrate: raises SchemaVersionError unless the store is current."""
    found, expected = version(engine, version_table=version_table), head_version(location)
    if found != expected:
        raise SchemaVersionError(found=found, expected=expected)


def run_migrations(target: MetaData) -> None:
    """The whole `env.py` of a store: `run_migrations(Base.metadata)`.

    Called by Alembic while `migrate` holds the connection and the lock; there is no offline mode.
    """
    import alembic.context

    config = alembic.context.config
    connection: Connection = config.attributes["connection"]
    alembic.context.configure(
        connection=connection,
        target_metadata=target,
        version_table=config.attributes["version_table"],
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
        compare_type=True,
    )
    alembic.context.run_migrations()


def _folder(location: str | Path) -> Path:
    """`package:folder/in/it`, or a folder."""
    package, colon, inside = str(location).partition(":")
    if not colon or Path(location).exists():
        return Path(location)
    spec = importlib.util.find_spec(package)
    assert spec is not None  # noqa: S101  # our own package
    assert spec.submodule_search_locations  # noqa: S101
    return Path(spec.submodule_search_locations[0]) / inside


def _config(location: str | Path, version_table: str) -> "alembic.config.Config":
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = version_table
    return config


def _knows(config: "alembic.config.Config", revision: str) -> bool:
    import alembic.script
    from alembic.util.exc import CommandError

    try:
        return alembic.script.ScriptDirectory.from_config(config).get_revision(revision) is not None
    except CommandError:
        return False


def _current(connection: Connection, version_table: str) -> str | None:
    """What Alembic wrote there, read without it."""
    if not inspect(connection).has_table(version_table):
        return None
    found = connection.execute(
        select(column("version_num", String)).select_from(table(version_table))
    )
    return found.scalar_one_or_none()


def _lock_key(version_table: str) -> int:
    seed = hashlib.sha256(f"mobility-vault:migrate:{version_table}".encode()).digest()
    return int.from_bytes(seed[:8], "big", signed=True)


@contextlib.contextmanager
def _migration_lock(engine: Engine, version_table: str) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    path = engine.url.database
    if path in (None, "", ":memory:"):
        with _memory_lock:
            yield
        return
    with _file_lock(Path(f"{path}.{version_table}.lock")):
        yield


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    began = time.monotonic()
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - began
                if waited > MIGRATION_LOCK_S:
                    raise DatabaseBusyError(waited_s=waited) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)  # closing drops the lock
