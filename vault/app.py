"""The home's HTTP interface, for whoever composes the application."""

from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.utils import get_openapi

from federation.wire.problems import StatusTable
from schemas.errors import JsonRefusedError
from vault.api import (
    acts,
    data_requests,
    documents,
    drop_box,
    passport,
    records,
    session,
    slots,
    standing,
    wellknown,
)
from vault.api.deps import check_address
from vault.crypto.errors import (
    BusyError,
    CryptoError,
    RecoveryCodeError,
    RecoverySharesError,
    SlotBoundError,
    VaultForkedError,
    VaultRolledBackError,
    WrongSecretError,
)
from vault.errors import (
    AddressTooLongError,
    BlobMissingError,
    DepositKeyRetiredError,
    DepositOutOfSequenceError,
    DocumentRefusedError,
    DropBoxFullError,
    ExportOvertakenError,
    ExportRunningError,
    HeadMovedError,
    IdempotencyKeyMissingError,
    KeyStoreError,
    LastSlotError,
    MediaTypeRefusedError,
    PreconditionFailedError,
    PreconditionMissingError,
    QueryStoppedError,
    RecordConflictError,
    RepresentationError,
    RequestRefusedError,
    SessionEndedError,
    SlowDownError,
    VaultLockedError,
)
from vault.home import Home
from vault.passport.errors import AccessRefusedError, PassportRequestError, ServiceInvalidError

__all__ = ["BODY_LIMITS", "STATUS", "create_home_api"]

STATUS: Final[StatusTable] = {
    AccessRefusedError: 401,
    AddressTooLongError: 414,
    BlobMissingError: 500,
    BusyError: 503,
    CryptoError: 500,
    DepositKeyRetiredError: 409,
    DepositOutOfSequenceError: 409,
    DocumentRefusedError: 415,
    DropBoxFullError: 503,
    ExportOvertakenError: 503,
    ExportRunningError: 409,
    HeadMovedError: 503,
    IdempotencyKeyMissingError: 400,
    JsonRefusedError: 400,
    KeyStoreError: 500,
    LastSlotError: 409,
    MediaTypeRefusedError: 415,
    PassportRequestError: 400,
    PreconditionFailedError: 412,
    PreconditionMissingError: 428,
    QueryStoppedError: 403,
    RecordConflictError: 409,
    RecoveryCodeError: 422,
    RecoverySharesError: 422,
    RepresentationError: 406,
    RequestRefusedError: 400,
    ServiceInvalidError: 400,
    SessionEndedError: 401,
    SlotBoundError: 409,
    SlowDownError: 429,
    VaultForkedError: 409,
    VaultLockedError: 401,
    VaultRolledBackError: 409,
    WrongSecretError: 403,
}
"""Where each error of the vault ends; families decide for the others. A store that does not hold
what the vault wrote is the server's fault (500); an older copy (409) is for the citizen to judge.
"""

BODY_LIMITS: Final = {
    "/v1/drop-box/": 300_000,
    "/v1/session": 20_000,
    "/v1/documents": documents.MAX_DOCUMENT + 1_000,
}
"""For `BodyLimit(paths=…)`."""


def create_home_api(home: Home) -> APIRouter:
    """Every route of the home on one router; `problems.install(app, STATUS)` answers errors."""

    def bind(request: Request) -> None:
        request.scope["home"] = home

    router = APIRouter(dependencies=[Depends(bind), Depends(check_address)])
    for module in (
        wellknown,
        passport,
        drop_box,
        session,
        slots,
        documents,
        data_requests,
        acts,
        standing,
        records,
    ):
        router.include_router(module.router)

    @router.get("/v1/openapi.json", include_in_schema=False)
    def description() -> dict[str, Any]:
        """This interface, version 1, in OpenAPI 3.1, whatever else the application serves."""
        return get_openapi(
            title="Coffre de mobilité",
            version="1",
            summary="The citizen's own records, and what depositors leave.",
            routes=router.routes,
        )

    return router
