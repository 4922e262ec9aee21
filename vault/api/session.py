"""Unlocking and locking over HTTP."""

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from federation.wire.problems import PROBLEM
from vault.api.deps import (
    COOKIE,
    HomeDep,
    SecretDep,
    VaultDep,
    client_of,
    csrf_of,
    require_same_site,
    secret_of,
)
from vault.browser_witness import WITNESS_AGE_S, WITNESS_COOKIE, remembered, to_cookie
from vault.errors import SessionEndedError
from vault.home import Home
from vault.model import SessionToken

router = APIRouter(prefix="/v1/session")


class Unlock(BaseModel):
    """One secret, and which vault it opens."""

    model_config = ConfigDict(extra="forbid")

    vault: str = Field(pattern=r"^[0-9a-f]{32}$")
    passphrase: SecretStr | None = Field(default=None, max_length=1024)
    recovery_code: SecretStr | None = Field(default=None, alias="recoveryCode", max_length=200)
    shares: list[SecretStr] | None = Field(default=None, max_length=16)
    restored: bool = False
    """An older copy was put back on purpose: go on, and let the journal say so."""
    bearer: bool = False
    """For programs: the session's secret comes in the answer, and no cookie is set."""

    @model_validator(mode="after")
    def _one(self) -> "Unlock":
        given = (self.passphrase, self.recovery_code, self.shares)
        if sum(secret is not None for secret in given) != 1:
            raise ValueError("give passphrase, recoveryCode or shares")
        return self


@router.post(
    "",
    dependencies=[Depends(require_same_site)],
    responses={403: PROBLEM, 404: PROBLEM, 429: PROBLEM, 503: PROBLEM},
)
async def unlock(
    asked: Unlock, request: Request, response: Response, home: HomeDep
) -> dict[str, Any]:
    """Open a vault. The derivation runs on its own threads: no request thread waits for it."""
    passphrase = None if asked.passphrase is None else asked.passphrase.get_secret_value()
    code = None if asked.recovery_code is None else asked.recovery_code.get_secret_value()
    future = await asyncio.to_thread(
        home.submit_unlock,
        asked.vault,
        passphrase=passphrase,
        recovery_code=code,
        shares=None if asked.shares is None else [s.get_secret_value() for s in asked.shares],
        client=client_of(request),
        remembered=remembered(request.cookies.get(WITNESS_COOKIE), asked.vault),
        restored=asked.restored,
    )
    return opened(response, await asyncio.wrap_future(future), home=home, bearer=asked.bearer)


def opened(
    response: Response, token: SessionToken, *, home: Home, bearer: bool = False
) -> dict[str, Any]:
    """What a new session is; its cookies, or for a program its secret in the answer."""
    response.headers["Cache-Control"] = "no-store"
    if bearer:
        way = {"token": token.cookie_value}
    else:
        way = {"csrf": csrf_of(home, token.cookie_value)}
        response.set_cookie(
            COOKIE, token.cookie_value, secure=True, httponly=True, samesite="lax", path="/"
        )
        response.set_cookie(
            WITNESS_COOKIE,
            to_cookie(token.vault_id, seq=token.seq, head=token.head),
            max_age=WITNESS_AGE_S,
            secure=True,
            httponly=True,
            samesite="lax",
            path="/",
        )
    return {
        **way,
        "vault": token.vault_id,
        "expiresAt": token.expires_at.isoformat(),
        "head": {"seq": token.seq, "digest": token.head.hex()},
    }


@router.get("", responses={401: PROBLEM})
def show(vault: VaultDep, secret: SecretDep, home: HomeDep) -> dict[str, Any]:
    """The vault of this session, its head to remember, and the token that writes with a cookie."""
    witness = vault.witness()
    return {
        "vault": vault.vault_id,
        "head": {"seq": witness.seq, "digest": witness.digest.hex()},
        "waiting": vault.waiting().deposits,
        **({"csrf": csrf_of(home, secret.value)} if secret.by_cookie else {}),
    }


@router.delete("", status_code=204)
def lock(request: Request, response: Response, home: HomeDep) -> None:
    """End this session in every process. A session that has ended already is no error."""
    with contextlib.suppress(SessionEndedError):
        home.lock(secret_of(request).value)
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax", path="/")
