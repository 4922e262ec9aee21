"""Destroying a vault for good.

Order: (1) the pepper: from here on no slot opens, not in any copy either, (2) sessions, so that no
process serves the vault, (3) one transaction: slots, keyring, rows, deposits, queues, tokens, and
the receipt, (4) sealed files and a prepared archive, (5) the database's log is folded away, so that
no page of it stays.
Every step may be repeated: after a crash, `shred` again finishes the work. What the vault had at
its sources is deleted there before, and what the connectors keep of it after
(`portal/destroying.py`).
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from federation.multibase import b64url
from vault.archive.prepared import remove_prepared
from vault.errors import VaultUnknownError
from vault.model import ShredReceipt

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["shred"]


def shred(home: "Home", vault_id: str, *, clients: tuple[int, int] = (0, 0)) -> ShredReceipt:
    """Steps 1 to 5. `clients`: of those the vault had at sources, how many were deleted there
    before, and how many were not. A vault that is gone already gives its receipt again.

    Raises:
        VaultUnknownError: never here.
    """
    with home.store.read() as reader:
        known, receipt = reader.has_vault(vault_id), reader.shredded(vault_id)
    if not known and receipt is None:
        raise VaultUnknownError
    home.key_store.destroy_pepper(vault_id)  # 1
    home.drop_sessions(vault_id)  # 2
    if known:
        at = home.clock()
        document = _receipt(home, vault_id, at, clients)
        receipt = json.dumps(document, sort_keys=True).encode()
        with home.store.transact() as tx:  # 3
            tx.lock_head(vault_id)
            home.outbox.forget(tx.session, owner=vault_id)
            tx.shred(vault_id, receipt=receipt, at=at)
    home.blobs.remove_vault(vault_id)  # 4
    remove_prepared(home, vault_id)
    home.store.fold()  # 5
    assert receipt is not None  # noqa: S101  # written above, or found
    found: dict[str, Any] = json.loads(receipt)
    return ShredReceipt(
        vault_id,
        datetime.fromisoformat(found["at"]),
        datetime.fromisoformat(found["backupsUntil"]),
        found,
    )


def _receipt(home: "Home", vault_id: str, at: datetime, clients: tuple[int, int]) -> dict[str, Any]:
    signer = home.signer()
    body = {
        "type": "ShredReceipt",
        "home": home.did,
        "vault": vault_id,
        "at": at.isoformat(),
        "backupsUntil": (at + home.settings.backups_kept).isoformat(),
        "destroyed": [
            "pepper",
            "slots",
            "keyring",
            "records",
            "files",
            "deposits",
            "queues",
            "sessions",
            "tokens",
        ],
        "clientsRemoved": clients[0],
        "clientsLeft": clients[1],
        "verificationMethod": signer.verification_method,
    }
    signed = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return {**body, "signature": b64url(signer.sign(b"mobility-vault/shred/1\x00" + signed))}
