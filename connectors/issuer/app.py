"""An issuer as one process: its server, and a thread that reads and pushes."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from fastapi import FastAPI

from connectors.depositing import DropBox
from connectors.http import HttpDropBox, source_client
from connectors.issuer.api.router import create_issuer_router
from connectors.issuer.intake import MAX_BODY
from connectors.issuer.keys import IssuerKeys
from connectors.issuer.service import IssuerService, WebhookRefusedError
from connectors.issuer.settings import IssuerSettings, IssuerSettingsError, Kind, Register
from connectors.issuer.store import Customer, Ledger
from connectors.rpc.client import RegisterClient
from connectors.store import ConnectorStore
from federation.did import DidResolver, DidWebResolver
from federation.wire.http import BoundedClient
from federation.wire.limits import BodyLimit
from federation.wire.problems import STATUS, install

__all__ = ["create_issuer_app", "issuer_service"]

_log = structlog.get_logger(__name__)


def system_clock() -> datetime:
    """Now, by this machine."""
    return datetime.now(UTC)


def register_of(
    account: Register, client: BoundedClient, *, clock: Callable[[], datetime]
) -> RegisterClient:
    """The operator's account at the register.

    Raises:
        IssuerSettingsError: an environment variable is not set.
    """
    keys = [os.environ.get(name, "") for name in (account.access_key, account.secret_key)]
    for name, key in zip((account.access_key, account.secret_key), keys, strict=True):
        if not key:
            raise IssuerSettingsError("register", f"{name} is not set")
    return RegisterClient(
        client, base=account.url, access_key=keys[0], secret_key=keys[1], clock=clock
    )


@contextmanager
def issuer_service(
    folder: Path, *, clock: Callable[[], datetime] = system_clock
) -> Iterator[IssuerService]:
    """The issuer of a folder: `issuer.toml`, `keys.json` (made at the first start), `issuer.db`.

    Raises:
        IssuerSettingsError: the settings contradict themselves.
    """
    settings = IssuerSettings.read(folder)
    webhooks = [source.name for source in settings.sources if source.kind is Kind.WEBHOOK]
    keys = IssuerKeys.load(folder, webhooks)
    url = f"sqlite:///{(folder / 'issuer.db').resolve()}"
    ledger, deposits = Ledger.open(url), ConnectorStore.open(url, seal=None)
    client = source_client(allow_loopback=settings.allow_loopback, timeout_s=20)
    signer = keys.signer(settings.did)

    def drop_box_of(customer: Customer) -> DropBox:
        return HttpDropBox(
            client,
            home_url=customer.home,
            vault_id=customer.vault,
            signer=signer,
            clock=clock,
        )

    web = DidWebResolver(client.get_json, loopback_http=settings.allow_loopback)
    try:
        yield IssuerService(
            settings,
            ledger=ledger,
            deposits=deposits,
            keys=keys,
            drop_box_of=drop_box_of,
            resolver=DidResolver(web=web),
            clock=clock,
            register=None
            if settings.register is None
            else register_of(settings.register, client, clock=clock),
        )
    finally:
        client.close()
        deposits.close()
        ledger.close()


def create_issuer_app(service: IssuerService, *, works: bool = True) -> FastAPI:
    """The application; `works`: also read sources and push, every `every_s` seconds."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                service.step()
            except Exception:
                _log.exception("issuer.step_failed")
            stop.wait(service.settings.every_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI):  # type: ignore[no-untyped-def]  # Starlette's
        thread = threading.Thread(target=work, name="issuer", daemon=True)
        if works:
            thread.start()
        yield
        stop.set()
        if works:
            thread.join(30)

    app = FastAPI(title=service.settings.name, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(BodyLimit, limit=MAX_BODY)
    install(app, {WebhookRefusedError: 401, **STATUS})

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.include_router(create_issuer_router(service))
    return app
