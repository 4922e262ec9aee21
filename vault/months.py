"""How records are filed: by compartment and month."""

from datetime import UTC, date, datetime
from typing import Final

from schemas.observations import (
    DocumentObservation,
    LabelObservation,
    Observation,
    TripObservation,
)
from schemas.records import COMPARTMENT_OF, Compartment, Kind, Record, kind_of, starts_at
from vault.crypto import month_key

__all__ = ["UNDATED", "MonthName", "file_of", "file_of_observation", "month_of"]

MonthName = str
"""`2026-11`, in UTC, or `undated`."""

UNDATED: Final[MonthName] = month_key.UNDATED
"""Where records without a date of their own are filed, and what the citizen decided."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def month_of(at: datetime | date | None) -> MonthName:
    """The month a moment is filed under."""
    if at is None:
        return UNDATED
    if isinstance(at, datetime):
        at = at.astimezone(UTC)
    return f"{at.year:04d}-{at.month:02d}"


def file_of(record: Record) -> tuple[Kind, Compartment, MonthName, datetime]:
    """Kind, compartment, month and start of a record. Applications stay where they are while their
    state moves, so they are filed undated."""
    kind = kind_of(record)
    start = None if kind is Kind.APPLICATION else starts_at(record)
    return kind, COMPARTMENT_OF[kind], month_of(start), start or EPOCH


def file_of_observation(
    observation: Observation, received_at: datetime
) -> tuple[Compartment, MonthName, datetime]:
    """Trips and labels by their start; a document beside its record, so that a grant on trips opens
    no invoice; what the citizen decided undated, because it may speak of any month."""
    match observation:
        case TripObservation() | LabelObservation():
            return Compartment.TRIPS, month_of(observation.started_at), observation.started_at
        case DocumentObservation():
            _, compartment, month, start = file_of(observation.record)
            return compartment, month, start
        case _:
            return Compartment.TRIPS, UNDATED, received_at
