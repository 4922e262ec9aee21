"""A vault that is destroyed leaves nothing: not at its sources, as far as they answer, not here."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.accounts import SourceAccount
from connectors.cozy.linking import COZY
from connectors.cozy.oauth import Credentials
from connectors.errors import SourceUnreachableError
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from connectors.store.tables import Base
from portal.destroying import destroy
from tests.unit.vault.builders import Citizen, Clock, make_home
from vault.home import Home

AWAY = "https://ailleurs.example"


class Cloud:
    """Two personal clouds; one does not answer."""

    def __init__(self) -> None:
        self.clients = {"un", "deux"}
        self.asked: list[tuple[str, str]] = []

    def call(self, method: str, path: str, *, bearer: str = "", **_: Any) -> tuple[int, Any]:
        self.asked.append((method, path))
        assert (method, bearer) == ("DELETE", "reg")
        self.clients.remove(path.rsplit("/", 1)[-1])
        return 204, None


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with make_home(tmp_path / "home", Clock()) as made:
        yield made


@pytest.fixture
def service(home: Home, tmp_path: Path, cloud: Cloud) -> Iterator[ConnectorService]:
    @contextlib.contextmanager
    def transport(address: str) -> Iterator[Cloud]:
        if address == AWAY:
            raise SourceUnreachableError(where="/", reason="no answer")
        yield cloud

    store = ConnectorStore.open(f"sqlite:///{tmp_path}/connectors.db", seal=home.seal)
    yield ConnectorService(
        home,
        store,
        clock=home.clock,
        transport=transport,  # type: ignore[arg-type]  # only what leaving asks
        address="http://localhost:8400",
    )
    store.close()


def connected(home: Home, service: ConnectorService, vault_id: str, *addresses: str) -> None:
    for address, client in zip(addresses, ("un", "deux"), strict=False):
        account = f"cozy:{client}"
        credentials = Credentials(client, "secret", "reg", "refresh", "io.cozy.files")
        service._store.put_account(SourceAccount(vault_id, account, COZY, address))
        home.tokens.put(vault_id, COZY, account, credentials.to_json().encode(), scope="read")
    service.pair(vault_id, "Mon téléphone")


def rows_of(tmp_path: Path, vault_id: str) -> dict[str, int]:
    found = {}
    with contextlib.closing(sqlite3.connect(tmp_path / "connectors.db")) as sql:
        for name, table in Base.metadata.tables.items():
            if "vault_id" in table.columns:
                query = f"SELECT count(*) FROM {name} WHERE vault_id = ?"
                if count := sql.execute(query, (vault_id,)).fetchone()[0]:
                    found[name] = count
    return found


def test_a_destroyed_vault_leaves_its_sources_and_the_connectors(
    home: Home, service: ConnectorService, cloud: Cloud, tmp_path: Path
) -> None:
    citizen, other = Citizen(home), Citizen(home)
    connected(home, service, citizen.vault_id, "https://nuage.example", AWAY)
    connected(home, service, other.vault_id, AWAY)
    assert rows_of(tmp_path, citizen.vault_id)["connector_account"] == 2
    receipt, left = destroy(home, service, citizen.vault_id)
    assert cloud.clients == {"deux"}
    assert left == (AWAY,)
    assert (receipt.document["clientsRemoved"], receipt.document["clientsLeft"]) == (1, 1)
    assert AWAY not in str(receipt.document)  # kept in clear: whose cloud it was is in no receipt
    assert rows_of(tmp_path, citizen.vault_id) == {}
    assert rows_of(tmp_path, other.vault_id)["connector_account"] == 1
    assert home.vaults() == [other.vault_id]
    # Again, as after a crash: the same receipt, nobody is asked anything.
    asked = len(cloud.asked)
    assert destroy(home, service, citizen.vault_id) == (receipt, ())
    assert len(cloud.asked) == asked


def test_what_a_crash_left_of_a_destroyed_vault_goes_at_the_next_start(
    home: Home, service: ConnectorService, tmp_path: Path
) -> None:
    citizen, other = Citizen(home), Citizen(home)
    connected(home, service, citizen.vault_id, AWAY)
    connected(home, service, other.vault_id, AWAY)
    elsewhere = SourceAccount("of-another-database", "cozy:x", COZY, AWAY)
    service._store.put_account(elsewhere)
    home.shred(citizen.vault_id)
    assert rows_of(tmp_path, citizen.vault_id)
    assert service.forget_destroyed(home.is_destroyed) == 1
    assert rows_of(tmp_path, citizen.vault_id) == {}
    assert rows_of(tmp_path, other.vault_id)
    assert rows_of(tmp_path, elsewhere.vault_id)
    assert service.forget_destroyed(home.is_destroyed) == 0


def test_a_vault_that_is_destroyed_does_not_wait_for_ever(
    home: Home, service: ConnectorService, cloud: Cloud
) -> None:
    citizen = Citizen(home)
    connected(home, service, citizen.vault_id, "https://nuage.example", "https://autre.example")
    found = service.leave_all(citizen.vault_id, budget_s=0)
    assert found.removed == 0
    assert len(found.left) == 2
    assert cloud.clients == {"un", "deux"}
