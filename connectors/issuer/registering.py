"""Journeys and the State's register: what it says of each is asked once it may be final.

An operator's row says the class of proof (A, B, C); only the register says whether it retains the
journey. A status is asked from two days after the journey's end, once a day while the register
still hesitates, and nothing but `ok` counts as registered. While the register is away, journeys
stay as they were: attested by the operator.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from connectors.issuer.rows import Row
from connectors.issuer.settings import Produces
from connectors.rpc.wire import SETTLED, JourneyStatus, Registered

__all__ = ["LOOK_BACK", "JourneyRegister", "as_registered", "due", "place_of", "stamp_of"]

LOOK_BACK: Final = timedelta(days=90)
"""The register lists no older journeys; a status that never came by then stays as it is."""
AGAIN: Final = timedelta(days=1)
_OPEN: Final = frozenset({JourneyStatus.PENDING.value, JourneyStatus.UNKNOWN.value})


class JourneyRegister(Protocol):
    """The register, as far as an issuer asks it."""

    def journey(self, reference: str) -> Registered:
        """What it says of a journey. Raises JourneyUnknownError; `Source…Error`s."""


def place_of(row: Row) -> str:
    """Where a row's status is kept beside what was read."""
    return f"{row.source}:{row.reference}"


def stamp_of(status: str, at: datetime) -> str:
    """A status and when it was told."""
    return f"{status} {at.isoformat()}"


def as_registered(row: Row, stamp: str | None) -> Row:
    """The row with the register's own status: whatever its source says of it does not count."""
    if row.produces is not Produces.JOURNEY or "registerClass" not in row.values:
        return row
    status = JourneyStatus.PENDING.value if stamp is None else stamp.partition(" ")[0]
    return replace(row, values={**row.values, "registerStatus": status})


def _is_due(row: Row, stamp: str | None, *, at: datetime) -> bool:
    """Whether to ask about a row now."""
    if row.is_cancelled or "registerClass" not in row.values:
        return False
    ended = datetime.fromisoformat(row.values["endedAt"])
    if not SETTLED <= at - ended <= LOOK_BACK:
        return False
    if stamp is None:
        return True
    status, _, told = stamp.partition(" ")
    return status in _OPEN and at - datetime.fromisoformat(told) >= AGAIN


def due(rows: Iterable[Row], stamps: Mapping[str, str], *, at: datetime) -> list[Row]:
    """The rows to ask about, in their order."""
    return [row for row in rows if _is_due(row, stamps.get(place_of(row)), at=at)]
