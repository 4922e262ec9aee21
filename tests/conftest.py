"""Fixtures every test may use: shared data, engines on both databases, brokers on loopback.

A server that is not there is a skip on a developer's machine and a failure where `CI=true`.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, create_engine, text

from federation.wire import database

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

POSTGRESQL_URL = os.environ.get(
    "MOBILITY_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
REDIS_URL = os.environ.get("MOBILITY_TEST_REDIS", "redis://127.0.0.1:6379")
RABBITMQ_URL = os.environ.get("MOBILITY_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672")


def absent(reason: str) -> None:
    """Skip, unless this is CI: there, what a test needs has to be there."""
    if IN_CI:
        pytest.fail(f"CI=true and {reason}", pytrace=False)
    pytest.skip(reason)


def listening(url: str) -> bool:
    """Whether somebody accepts connections at the host and port of `url`."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the exports and vectors others publish (`../shared` or MOBILITY_SHARED)."""
    path = Path(os.environ.get("MOBILITY_SHARED", ROOT.parent / "shared"))
    if not (path / "data").is_dir():
        absent("../shared is not there (MOBILITY_SHARED)")
    return path


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """An empty database on a PostgreSQL server, dropped at the end; its URL."""
    name = f"mobility_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL database of this session's own, dropped at its end."""
    if not listening(POSTGRESQL_URL.replace("+psycopg", "")):
        absent("no PostgreSQL server listens on loopback")
    with new_database(POSTGRESQL_URL) as url:
        yield url


@pytest.fixture
def empty_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """An empty PostgreSQL database for one test."""
    with new_database(postgresql_url) as url:
        yield url


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: SQLite in a file, then PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


@pytest.fixture(scope="module", params=BOTH)
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As `database_url`, empty once for all tests of a module: each brings a vault of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'test.db'}"
        return
    with new_database(str(request.getfixturevalue("postgresql_url"))) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of ours on an empty database: SQLite in a file, then PostgreSQL."""
    made = database.create(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database number this suite may use."""
    if not listening(REDIS_URL):
        absent("no Redis server listens on loopback")
    return f"{REDIS_URL}/15"


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """The default virtual host of RabbitMQ on loopback."""
    if not listening(RABBITMQ_URL):
        absent("no RabbitMQ server listens on loopback")
    return f"{RABBITMQ_URL}//"
