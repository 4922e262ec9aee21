"""The drop-box: sealed deposits from other nodes, each request signed (RFC 9421)."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from federation.sealing.deposit import SealedDeposit
from federation.sealing.errors import SealingError
from federation.wire.problems import PROBLEM
from schemas.ids import Did, Digest
from vault.api.deps import HomeDep, SenderDep
from vault.errors import DepositInvalidError, DepositorUnknownError

router = APIRouter(prefix="/v1/drop-box/{vault_id}")

HexDigest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.post(
    "",
    status_code=202,
    response_class=Response,
    responses={
        401: PROBLEM,
        403: PROBLEM,
        404: PROBLEM,
        409: PROBLEM,
        413: PROBLEM,
        422: PROBLEM,
        503: PROBLEM,
    },
)
def deposit(vault_id: str, sender: SenderDep, home: HomeDep) -> Response:
    """Take a sealed deposit, locked or not. The same bytes again get the same signed receipt."""
    try:
        named = SealedDeposit.parse(sender.body).depositor
    except SealingError as error:
        raise DepositInvalidError(str(error), where="body") from error
    if named != sender.did:
        raise DepositorUnknownError
    receipt = home.drop_box(vault_id).deposit(sender.body)
    return Response(
        receipt.data,
        202,
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store"},
    )


@router.get("/last", responses={401: PROBLEM, 403: PROBLEM})
def last(
    vault_id: str,
    sender: SenderDep,
    home: HomeDep,
    account: Annotated[str, Query(max_length=500)],
    depositor: Annotated[str, Query(max_length=500)],
) -> dict[str, Any]:
    """Where the chain of (depositor, account) stands."""
    if depositor != sender.did:
        raise DepositorUnknownError
    seq, previous = home.drop_box(vault_id).last(Did(depositor), account)
    return {"seq": seq, "previous": None if previous is None else previous.hex()}


@router.get("/keys", responses={404: PROBLEM})
def keys(vault_id: str, home: HomeDep) -> dict[str, Any]:
    """Public keys to seal to, by compartment."""
    found = home.drop_box(vault_id).public_keys()
    return {"keys": {c.value: base64.b64encode(k.encode()).decode() for c, k in found.items()}}


@router.get("/receipts/{deposit_digest}", responses={401: PROBLEM, 404: PROBLEM})
def receipt(
    vault_id: str, deposit_digest: HexDigest, sender: SenderDep, home: HomeDep
) -> dict[str, Any]:
    """What became of a deposit: form faults only, never what else the vault holds."""
    found = home.drop_box(vault_id).receipt(
        Digest(bytes.fromhex(deposit_digest)), depositor=sender.did
    )
    if found is None:
        raise DepositorUnknownError
    return {
        "state": found.state,
        "faults": [{"index": i, "code": c, "where": w} for i, c, w in found.faults],
    }
