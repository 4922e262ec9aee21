"""The clock of the composition."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Now, in UTC; everything below takes the time as an argument."""
    return datetime.now(UTC)
