"""One home for one test, on SQLite in a folder unless the test asks for both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vault.world import PASSPHRASE, Clock, registry, settings
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with Home.open(settings(tmp_path / "home"), clock=clock) as home:
        home.use_trust(registry())
        yield home


@pytest.fixture
def new(home: Home) -> NewVault:
    return home.create_vault(PASSPHRASE, label="Camille Pradelles")


@pytest.fixture
def cookie(home: Home, new: NewVault) -> str:
    return home.unlock(new.vault_id, passphrase=PASSPHRASE, client="198.51.100.7").cookie_value


@pytest.fixture
def vault(home: Home, cookie: str) -> OpenVault:
    return home.session(cookie)


@pytest.fixture
def home_url(database_url: str) -> str | None:
    """None: SQLite files in the home's folder; else a PostgreSQL database."""
    return None if database_url.startswith("sqlite") else database_url
