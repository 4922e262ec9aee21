"""The ways to open a vault over HTTP: passkeys at unlock, and slots for their owner."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from federation.wire.problems import PROBLEM
from vault.api.deps import (
    COOKIE,
    HomeDep,
    VaultDep,
    WriterDep,
    client_of,
    require_recent,
    require_same_site,
)
from vault.api.session import opened
from vault.browser_witness import WITNESS_COOKIE, remembered
from vault.model import SlotView

router = APIRouter(prefix="/v1")

_VAULT = Field(default=None, pattern=r"^[0-9a-f]{32}$")
_PRF = Field(default=None, max_length=64)
SameSite = Depends(require_same_site)
Recent = Depends(require_recent)
SlotId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,1400}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskPasskey(_Strict):
    """Which vault, when it is known."""

    vault: str | None = _VAULT


class Assertion(_Strict):
    """What `navigator.credentials.get()` gave, and the PRF's 32 bytes in base64url."""

    credential: dict[str, Any]
    prf: SecretStr | None = _PRF
    restored: bool = False


class Attestation(_Strict):
    """What `navigator.credentials.create()` gave."""

    credential: dict[str, Any]
    name: str = Field(default="", max_length=60)


class NewPassphrase(_Strict):
    """The passphrase to add, or to put in place of the one there is."""

    passphrase: SecretStr = Field(min_length=12, max_length=1024)


class NewShares(_Strict):
    """Any `threshold` of `count` shares open the vault."""

    threshold: int = Field(ge=2, le=16)
    count: int = Field(ge=2, le=16)


# --- unlocking ----------------------------------------------------------------------------------


@router.post("/session/passkey/options", dependencies=[SameSite], responses={403: PROBLEM})
def ask(asked: AskPasskey, home: HomeDep) -> dict[str, Any]:
    """Options for `get()`."""
    return {"options": home.passkeys.begin_unlock(asked.vault)}


@router.post(
    "/session/passkey",
    dependencies=[SameSite],
    responses={403: PROBLEM, 409: PROBLEM, 429: PROBLEM, 503: PROBLEM},
)
async def unlock(
    asked: Assertion, request: Request, response: Response, home: HomeDep
) -> dict[str, Any]:
    """Open a vault with a passkey; or say which vault it is of, and what to ask next."""
    prf = None if asked.prf is None else asked.prf.get_secret_value()
    found = await asyncio.to_thread(home.passkeys.finish_unlock, asked.credential, prf)
    from vault.passkeys import LoginOnly

    if isinstance(found, LoginOnly):
        return {"vault": found.vault_id, "then": found.then}
    future = await asyncio.to_thread(
        home.submit_unlock,
        found.vault_id,
        passkey=found,
        client=client_of(request),
        remembered=remembered(request.cookies.get(WITNESS_COOKIE), found.vault_id),
        restored=asked.restored,
    )
    return opened(response, await asyncio.wrap_future(future), home=home)


# --- keeping ------------------------------------------------------------------------------------


@router.get("/slots", responses={401: PROBLEM})
def slots(vault: VaultDep, home: HomeDep) -> dict[str, Any]:
    """The ways to open this vault."""
    return {"slots": [_shown(view) for view in home.slots.list(vault)]}


@router.delete("/slots/{slot}", status_code=204, dependencies=[Recent], responses={409: PROBLEM})
def remove(slot: SlotId, request: Request, vault: WriterDep, home: HomeDep) -> None:
    """Take a way to open away; other sessions end."""
    home.slots.remove(vault, slot, keep=request.cookies.get(COOKIE))


@router.post("/slots/passkey/options", dependencies=[Recent], responses={403: PROBLEM})
def begin(vault: WriterDep, home: HomeDep) -> dict[str, Any]:
    """Options for `create()`."""
    return {"options": home.passkeys.begin_registration(vault)}


@router.post("/slots/passkey", dependencies=[Recent], responses={403: PROBLEM})
def register(asked: Attestation, vault: WriterDep, home: HomeDep) -> dict[str, Any]:
    """Keep the passkey; `then` are the options that make it a slot, null for a login key."""
    made = home.passkeys.finish_registration(vault, asked.credential, name=asked.name)
    return {"id": made.credential_id, "then": made.then}


@router.post("/slots/passkey/{key}/options", dependencies=[Recent], responses={404: PROBLEM})
def resume(key: SlotId, vault: WriterDep, home: HomeDep) -> dict[str, Any]:
    """Options to finish a passkey that was left a login key."""
    return {"options": home.passkeys.begin_slot(vault, key)}


@router.post("/slots/passkey/secret", dependencies=[Recent], responses={403: PROBLEM})
def finish(asked: Assertion, vault: WriterDep, home: HomeDep) -> dict[str, Any]:
    """Seal a slot with the PRF's output."""
    prf = "" if asked.prf is None else asked.prf.get_secret_value()
    return {"slot": home.passkeys.finish_slot(vault, asked.credential, prf)}


@router.put("/slots/passphrase", status_code=204, dependencies=[Recent], responses={503: PROBLEM})
def set_passphrase(asked: NewPassphrase, request: Request, vault: WriterDep, home: HomeDep) -> None:
    """Add or replace the passphrase; other sessions end."""
    home.slots.set_passphrase(
        vault, asked.passphrase.get_secret_value(), keep=request.cookies.get(COOKIE)
    )


@router.put("/slots/recovery-code", dependencies=[Recent])
def new_code(request: Request, vault: WriterDep, home: HomeDep) -> dict[str, Any]:
    """A new recovery code, shown this once; the earlier one opens nothing any more."""
    return {"recoveryCode": home.slots.new_recovery_code(vault, keep=request.cookies.get(COOKIE))}


@router.put("/slots/shares", dependencies=[Recent], responses={422: PROBLEM})
def new_shares(
    asked: NewShares, request: Request, vault: WriterDep, home: HomeDep
) -> dict[str, Any]:
    """Recovery shares, shown this once; earlier ones open nothing any more."""
    made = home.slots.make_shares(
        vault, threshold=asked.threshold, count=asked.count, keep=request.cookies.get(COOKIE)
    )
    return {"shares": list(made)}


def _shown(view: SlotView) -> dict[str, Any]:
    return {
        "id": view.slot_id,
        "kind": view.kind,
        "name": view.name,
        "createdAt": view.created_at.isoformat(),
        "lastUsedOn": None if view.last_used_on is None else view.last_used_on.isoformat(),
        "canOpen": view.can_open,
        "shares": None if view.shares is None else list(view.shares),
        "profile": view.costs or None,
    }
