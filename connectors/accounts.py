"""Accounts at sources, as the home keeps them between runs: cursor, health, what the last run did.

Tokens are not here: they lie sealed in the home's store of source tokens. Nothing here says where
or when a person went; cursors are times at which a *server wrote*.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from connectors.base import Cursor


class Health(StrEnum):
    """What the citizen reads about an account."""

    NEVER_RUN = "never-run"
    OK = "ok"
    WAITING = "waiting"
    """The source asked to come back later, or did not answer."""
    RECONNECT = "reconnect"
    """The source refuses the token: the citizen connects again."""
    BROKEN = "broken"
    """The source's answers are not what it promises."""


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """One account of a citizen at one source."""

    vault_id: str
    account_id: str
    connector: str
    address: str
    health: Health = Health.NEVER_RUN
    retry_at: datetime | None = None
    last_run_at: datetime | None = None
    last_report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. `seen` are 8-byte marks of observations already deposited."""

    cursor: Cursor | None = None
    seen: frozenset[bytes] = frozenset()


class AccountState(Protocol):
    """What the runner needs to remember of one account."""

    def load(self, stream: str) -> StreamState:
        """The stream's state; empty before the first run."""
        ...

    def save(self, stream: str, state: StreamState) -> None:
        """Durable when this returns. Called after the page was deposited, never before."""
        ...


class MemoryState:
    """`AccountState` for an import and for tests: forgotten with the process."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamState] = {}

    def load(self, stream: str) -> StreamState:
        return self.streams.get(stream, StreamState())

    def save(self, stream: str, state: StreamState) -> None:
        self.streams[stream] = state


__all__ = ["AccountState", "Health", "MemoryState", "SourceAccount", "StreamState"]
