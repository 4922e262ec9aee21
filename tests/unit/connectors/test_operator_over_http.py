"""The sandbox's operator leaves its journeys in a vault of a real home, both over HTTP."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from connectors.sandbox.app import create_sandbox_app
from connectors.sandbox.parties import SandboxSettings
from federation.keys import P256Key, decode_multikey, did_key
from federation.wire.problems import install
from schemas.records import Kind
from vault.app import STATUS, create_home_api
from vault.home import Home
from vault.settings import HomeSettings

SECRET = "une phrase de passe pour les essais"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve(app: FastAPI, port: int) -> tuple[uvicorn.Server, threading.Thread]:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            return server, thread
        time.sleep(0.02)
    raise AssertionError("the server did not start")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[tuple[Home, str, str, Any]]:
    home_port, sandbox_port = free_port(), free_port()
    home = Home.open(
        HomeSettings(
            folder=tmp_path / "home",
            did=f"did:web:localhost%3A{home_port}",
            cheapest_kdf_for_tests=True,
            allow_loopback=True,
        )
    )
    home_app = FastAPI()
    install(home_app, STATUS)
    home_app.include_router(create_home_api(home))
    sandbox_app = create_sandbox_app(
        SandboxSettings(
            base_url=f"http://localhost:{sandbox_port}", state=tmp_path / "sandbox.json"
        )
    )
    running = [serve(home_app, home_port), serve(sandbox_app, sandbox_port)]
    addresses = (f"http://localhost:{home_port}", f"http://localhost:{sandbox_port}")
    yield home, *addresses, sandbox_app.state.parties
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
    sandbox_app.state.store.close()
    home.close()


def deposit(home_url: str, sandbox_url: str, vault_id: str, **more: Any) -> httpx.Response:
    body = {"home_url": home_url, "vault_id": vault_id, "account": "covoit", **more}
    return httpx.post(f"{sandbox_url}/operateur/depots", json=body, timeout=60)


def test_an_operator_deposits_over_http(network: tuple[Home, str, str, Any]) -> None:
    home, home_url, sandbox_url, parties = network
    vault_id = home.create_vault(SECRET, label="essai").vault_id
    operator = parties.operator
    multikey = operator.signer.public_multikey()

    # Nobody linked it: refused, nothing kept.
    refused = deposit(home_url, sandbox_url, vault_id)
    assert refused.status_code == 403, refused.text
    assert home.drop_box(vault_id).waiting().deposits == 0

    home.link_depositor(vault_id, operator.did, "covoit", "opérateur", (), multikey)
    holder = did_key(decode_multikey(P256Key.generate().signer().public_multikey()))
    answer = deposit(home_url, sandbox_url, vault_id, holder=holder)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"journeys": 24, "credentials": 24, "documents": 6, "deposits": 3}

    token = home.unlock(vault_id, passphrase=SECRET, client="test")
    vault = home.session(token.cookie_value)
    while vault.waiting().deposits:
        vault.drain()
    assert vault.quarantine() == []
    assert len(vault.all(Kind.TRIP)) == 24
    assert len(vault.all(Kind.CREDENTIAL)) == 24

    # Told twice, kept once.
    assert deposit(home_url, sandbox_url, vault_id).status_code == 201
    while vault.waiting().deposits:
        vault.drain()
    assert len(vault.all(Kind.TRIP)) == 24
