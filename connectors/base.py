"""The connector contract: streams, pages, cursors, rejections, and the two ways to bring them.

A connector *pulls* pages from a server; a file importer *reads* pages from bytes the person has.
Both give immutable observations and, beside them, what could not be taken: by place and rule,
never by value. Delivery is at least once: cursors compare with `>=`, so the last object comes
again on purpose, and its observation has the same id (`identified`), by which runner and vault
know it.
"""

import hashlib
import json
import uuid
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, BinaryIO, Final, Protocol, TypeVar, runtime_checkable

from schemas.ids import Iri
from schemas.observations import (
    DocumentObservation,
    LabelObservation,
    Observation,
    TripObservation,
)
from schemas.tracks import PackedTrack


class Reality(StrEnum):
    """What a connector can honestly be said to be."""

    REAL = "réel"
    HABILITATION = "sur habilitation"
    SIMULATED = "simulé"
    IMPORTED = "importé"


@dataclass(frozen=True, slots=True)
class Stream:
    """One series of objects a source offers to one account."""

    name: str
    kinds: tuple[str, ...]
    """Record kinds it leads to, e.g. `("Trip",)`."""
    identity: tuple[str, ...]
    """Upstream members that name an object there (an alias here)."""
    cursor_field: str
    lookback: timedelta = timedelta(0)
    """How far before the cursor each pull starts again: late labels, clock skew, re-runs."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One upstream object that was not taken."""

    where: str
    """JSON pointer in the answer or file, or the route and window asked."""
    code: str
    retriable: bool = False
    """True when the same object may be had at the next pull (a day the source could not serve)."""


Cursor = Mapping[str, Any]
"""Opaque JSON of the connector; the runner saves it after the page was deposited."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one step of a pull or import brought."""

    records: tuple[Observation, ...]
    rejected: tuple[Rejected, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    """Where to resume once this page is deposited."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Objects that are not for the vault, counted by reason (`untracked`,
    `background/location`…)."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """What `check` learned about an account; shown to the citizen."""

    dialect: str
    complete_until: datetime | None
    """The source's own word on how far its data is final."""


class Connector(Protocol):
    """A source that is asked. Made for one account, with its address and token."""

    name: str
    """Stable source name, also the `source` of its observations."""

    def check(self) -> AccountView:
        """Prove that address and token work. Raises the `Source…Error`s."""
        ...

    def discover(self) -> tuple[Stream, ...]:
        """The streams this account has."""
        ...

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Pages after `since` (`None`: from the beginning), each with its cursor.

        Raises the `Source…Error`s; pages given before the error remain good.
        """
        ...


@runtime_checkable
class FileImporter(Protocol):
    """A format a person can have as a file. Editable files are declared evidence."""

    name: str
    title: str

    def sniff(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (at most 64 kB) is of this format."""
        ...

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Pages of the file. Raises `HostileInputError` when nothing in it can be read."""
        ...


class PushReceiver(Protocol):
    """A source that sends. Its requests become deposits before they are answered."""

    def take(self, body: bytes, *, token: str, media_type: str) -> int:
        """Take one request, whole or (points) without what cannot be; how many were taken.

        Raises the `Push…Error`s and HostileInputError; nothing of a refused request is kept.
        """
        ...


class ConnectorFactory(Protocol):
    """How a pulled connector is made for one account: what an entry point of
    `mobility_vault.connectors` names."""

    name: str
    title: str

    def __call__(
        self, transport: Any, *, token: str, account: str, clock: Callable[[], datetime]
    ) -> Connector:
        """The connector. `transport` speaks bounded HTTP to the account's address."""
        ...


Ob = TypeVar("Ob", TripObservation, LabelObservation, DocumentObservation)

UNNAMED = Iri("urn:uuid:00000000-0000-0000-0000-000000000000")
"""Placeholder id until `identified` gives the real one."""

_NAMESPACE = uuid.UUID("6a0c0f0e-5b7e-5b0e-9a53-6a2d1f6f0b11")


def identified(observation: Ob) -> Ob:
    """`observation` with its content-derived id: urn:uuid v5 over SHA-256 of its members without
    the id.

    The same upstream object read again is the same observation; any change in it (a label, a moved
    end) is another one. Trips do not inherit this id: theirs are random and sticky (design §5).
    """
    members = _plain(observation)
    del members["id"]
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), allow_nan=False)
    name = hashlib.sha256(text.encode()).hexdigest()
    return replace(observation, id=Iri(f"urn:uuid:{uuid.uuid5(_NAMESPACE, name)}"))


_ATOMS: Final = frozenset((str, int, float, bool, type(None)))


@cache
def _members(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _plain(value: Any) -> Any:
    """JSON of dataclasses by member name; members that are None or empty are left out, so that a
    member added by a later version changes no id of what does not use it."""
    if type(value) in _ATOMS:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        members = {name: _plain(getattr(value, name)) for name in _members(type(value))}
        members = {name: member for name, member in members.items() if member not in (None, [], {})}
        return {"": type(value).__name__, **members}
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, PackedTrack):
        # The columns, not the text: another DEFLATE may pack the same points another way.
        return [
            hashlib.sha256(array("q", column).tobytes()).hexdigest() for column in value.columns()
        ]
    if isinstance(value, tuple | list):
        return [_plain(member) for member in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value


def to_ms(at: datetime) -> datetime:
    """`at` in UTC, cut to the millisecond: the precision of the wire."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


__all__ = [
    "UNNAMED",
    "AccountView",
    "Connector",
    "ConnectorFactory",
    "Cursor",
    "FileImporter",
    "Page",
    "PushReceiver",
    "Reality",
    "Rejected",
    "Stream",
    "identified",
    "to_ms",
]
