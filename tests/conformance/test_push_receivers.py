"""Every push receiver against the hostile bodies: `connectors/conformance.py`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import PushReceiver
from connectors.conformance import survives_hostile_bodies
from connectors.phones.form import App
from connectors.phones.service import PhoneReceiver
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from tests.unit.connectors.conftest import Clock, MemoryHome

VAULT = "ef" * 16
Made = Callable[[ConnectorService], tuple[PushReceiver, str]]


def phone(app: App) -> Made:
    def made(service: ConnectorService) -> tuple[PushReceiver, str]:
        return PhoneReceiver(service.phones, app), service.phones.add(VAULT, app).token

    return made


def trips(service: ConnectorService) -> tuple[PushReceiver, str]:
    paired = service.push.pair(service.pair(VAULT, "appli").code, app="x", client="c")
    return service.push, paired.token


RECEIVERS: dict[str, Made] = {"push": trips, **{app.value: phone(app) for app in App}}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ConnectorService]:
    def nowhere(_: str) -> Any:
        raise AssertionError("nothing is asked here")

    clock = Clock()
    store = ConnectorStore.open(f"sqlite:///{tmp_path}/connectors.db", seal=None)
    made = ConnectorService(
        MemoryHome(clock), store, clock=clock, transport=nowhere, address="https://h.test"
    )
    yield made
    made.close()


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_push_receiver_survives_hostile_bodies(name: str, service: ConnectorService) -> None:
    receiver, token = RECEIVERS[name](service)
    survives_hostile_bodies(receiver, token=token)
    assert service.phones.waiting(VAULT) == 0
