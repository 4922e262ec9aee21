"""The home's HTTP interface, for whoever composes the application."""

from typing import Final

from fastapi import APIRouter, Depends, Request

from federation.wire.problems import StatusTable
from vault.api import drop_box, records, session, slots, wellknown
from vault.crypto.errors import (
    BusyError,
    CryptoError,
    RecoveryCodeError,
    RecoverySharesError,
    VaultForkedError,
    VaultRolledBackError,
    WrongSecretError,
)
from vault.errors import (
    BlobMissingError,
    DepositOutOfSequenceError,
    DropBoxFullError,
    HeadMovedError,
    KeyStoreError,
    LastSlotError,
    QueryStoppedError,
    RecordConflictError,
    SessionEndedError,
    SlowDownError,
    VaultLockedError,
)
from vault.home import Home

__all__ = ["BODY_LIMITS", "STATUS", "create_home_api"]

STATUS: Final[StatusTable] = {
    BlobMissingError: 500,
    BusyError: 503,
    CryptoError: 500,
    DepositOutOfSequenceError: 409,
    DropBoxFullError: 503,
    HeadMovedError: 503,
    KeyStoreError: 500,
    LastSlotError: 409,
    QueryStoppedError: 403,
    RecordConflictError: 409,
    RecoveryCodeError: 422,
    RecoverySharesError: 422,
    SessionEndedError: 401,
    SlowDownError: 429,
    VaultForkedError: 409,
    VaultLockedError: 401,
    VaultRolledBackError: 409,
    WrongSecretError: 403,
}
"""Where each error of the vault ends; families decide for the others. A store that does not hold
what the vault wrote is the server's fault (500); an older copy (409) is for the citizen to judge.
"""

BODY_LIMITS: Final = {"/v1/drop-box/": 300_000, "/v1/session": 20_000}
"""For `BodyLimit(paths=…)`."""


def create_home_api(home: Home) -> APIRouter:
    """Every route of the home on one router; `problems.install(app, STATUS)` answers errors."""

    def bind(request: Request) -> None:
        request.scope["home"] = home

    router = APIRouter(dependencies=[Depends(bind)])
    for module in (wellknown, drop_box, session, slots, records):
        router.include_router(module.router)
    return router
