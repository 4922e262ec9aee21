"""Addresses at which operators tell of news: reads and writes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from connectors.store.store import ConnectorStore
from connectors.store.tables import HookRow
from federation.wire import database

__all__ = ["Hook", "Hooks"]


@dataclass(frozen=True, slots=True)
class Hook:
    """One address, known by the hash of its secret part."""

    hook_hash: bytes
    vault_id: str
    account_id: str
    keys: dict[str, str]
    """Multikeys that the operator publishes, by key id."""
    created_at: datetime
    last_news_at: datetime | None


class Hooks:
    """The addresses in one store."""

    def __init__(self, store: ConnectorStore) -> None:
        self._engine = store.engine

    def put(self, hook: Hook) -> None:
        """Keep an address; an earlier one of the same account is forgotten."""
        with database.transact(self._engine) as tx:
            tx.execute(
                delete(HookRow).where(
                    HookRow.vault_id == hook.vault_id, HookRow.account_id == hook.account_id
                )
            )
            tx.add(
                HookRow(
                    hook_hash=hook.hook_hash,
                    vault_id=hook.vault_id,
                    account_id=hook.account_id,
                    keys=hook.keys,
                    created_at=hook.created_at,
                    last_news_at=hook.last_news_at,
                )
            )

    def get(self, hook_hash: bytes) -> Hook | None:
        with database.read(self._engine) as reader:
            row = reader.get(HookRow, hook_hash)
            return None if row is None else _hook(row)

    def of(self, vault_id: str, account_id: str) -> Hook | None:
        """The address of an account."""
        with database.read(self._engine) as reader:
            row = reader.scalar(
                select(HookRow).where(
                    HookRow.vault_id == vault_id, HookRow.account_id == account_id
                )
            )
            return None if row is None else _hook(row)

    def told(self, hook_hash: bytes, *, at: datetime) -> None:
        """A word came."""
        with database.transact(self._engine) as tx:
            row = tx.get(HookRow, hook_hash)
            if row is not None:
                row.last_news_at = at

    def rekey(self, vault_id: str, account_id: str, keys: dict[str, str]) -> None:
        """Other keys from now on; written only when they changed."""
        found = self.of(vault_id, account_id)
        if found is None or found.keys == keys:
            return
        with database.transact(self._engine) as tx:
            row = tx.get(HookRow, found.hook_hash)
            if row is not None:
                row.keys = keys

    def forget(self, vault_id: str, account_id: str) -> None:
        """The address holds no more."""
        with database.transact(self._engine) as tx:
            tx.execute(
                delete(HookRow).where(
                    HookRow.vault_id == vault_id, HookRow.account_id == account_id
                )
            )


def _hook(row: HookRow) -> Hook:
    return Hook(
        row.hook_hash,
        row.vault_id,
        row.account_id,
        dict(row.keys),
        row.created_at,
        row.last_news_at,
    )
