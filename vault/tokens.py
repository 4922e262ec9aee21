"""Tokens for scheduled pulls. They must work while the vault is locked, so the home seals them, one
key per connector, bound to vault, account and connector (`crypto/README.md`, source token); the
account is sealed beside it, to be listed. Every use is a journal entry."""

import json
from collections.abc import Callable
from datetime import datetime

from vault.crypto.secret import AeadKey, zero
from vault.crypto.token import open_token, seal_token
from vault.key_store import HomeSeal
from vault.model import SourceToken
from vault.store import Store

__all__ = ["SourceTokens"]


class SourceTokens:
    """Source tokens of all vaults of one home."""

    def __init__(
        self,
        store: Store,
        seal: HomeSeal,
        *,
        clock: Callable[[], datetime],
        used: Callable[[str, str, str], None],
    ) -> None:
        self._store, self._seal, self._clock, self._used = store, seal, clock, used

    def _id(self, vault_id: str, connector: str, account: str) -> bytes:
        return self._seal.tag(vault_id, connector, account, purpose="source-token")

    def put(
        self, vault_id: str, connector: str, account: str, token: bytes, *, scope: str = ""
    ) -> None:
        """Keep a token, in place of an earlier one."""
        with AeadKey(self._seal.key(f"token-key/{connector}")) as key:
            inner = seal_token(token, key=key, vault=vault_id, account=account, connector=connector)
        body = json.dumps({"account": account, "token": inner.hex(), "scope": scope}).encode()
        sealed = self._seal.seal(
            body, purpose=f"token/{connector}", aad=f"{vault_id}\x00{connector}".encode()
        )
        with self._store.transact() as tx:
            tx.lock_drop_box(vault_id)
            tx.put_token(
                vault_id,
                self._id(vault_id, connector, account),
                connector=connector,
                sealed=sealed,
                at=self._clock(),
            )

    def get(self, vault_id: str, connector: str, account: str) -> SourceToken | None:
        """The token, and a journal entry that it was used; None when there is none."""
        with self._store.read() as reader:
            sealed = reader.token(vault_id, self._id(vault_id, connector, account))
        if sealed is None:
            return None
        found = self._open(vault_id, connector, sealed)
        if found.account != account:
            return None
        self._used(vault_id, connector, account)
        return found

    def accounts(self, vault_id: str, connector: str) -> list[str]:
        """Accounts that have a token here."""
        with self._store.read() as reader:
            rows = reader.tokens(vault_id, connector)
        return sorted(self._open(vault_id, connector, sealed).account for sealed in rows)

    def remove(self, vault_id: str, connector: str, account: str) -> None:
        with self._store.transact() as tx:
            tx.delete_token(vault_id, self._id(vault_id, connector, account))

    def _open(self, vault_id: str, connector: str, sealed: bytes) -> SourceToken:
        body = json.loads(
            self._seal.open(
                sealed, purpose=f"token/{connector}", aad=f"{vault_id}\x00{connector}".encode()
            )
        )
        account = body["account"]
        with AeadKey(self._seal.key(f"token-key/{connector}")) as key:
            token = open_token(
                bytes.fromhex(body["token"]),
                key=key,
                vault=vault_id,
                account=account,
                connector=connector,
            )
        try:
            return SourceToken(account, bytes(token), body["scope"])
        finally:
            zero(token)
