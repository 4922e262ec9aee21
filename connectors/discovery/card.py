"""An offer as an operator's public data tells it: one shape, whatever the standard."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors.base import Rejected
from schemas.modes import Mode

__all__ = ["MAX_PLANS", "MAX_WORDS", "OfferCard", "Plan", "words"]

MAX_PLANS: Final = 50
MAX_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """One price as the operator publishes it."""

    name: str
    description: str
    currency: str
    base: int | None
    """Cents to begin with; None: not published."""
    per_minute: int | None = None
    """Cents of the first rate by time, for `minute_interval` minutes."""
    minute_interval: int | None = None
    per_km: int | None = None
    """Cents of the first rate by distance, for `km_interval` kilometres."""
    km_interval: int | None = None


@dataclass(frozen=True, slots=True)
class OfferCard:
    """One operator's system, as of `at`."""

    standard: str
    """`gbfs-2.3`, `gbfs-3.0`, `tomp-1.3`…"""
    address: str
    system: str
    name: str
    operator: str
    modes: tuple[Mode, ...]
    zone: str
    at: datetime | None
    """When the operator last changed what was read."""
    plans: tuple[Plan, ...] = ()
    stations: int | None = None
    """None: not published; 0: none."""
    vehicles: int | None = None
    available: int | None = None
    """Vehicles that could be taken now."""
    bounds: tuple[float, float, float, float] | None = None
    """South, west, north, east of the stations."""
    link: str = ""
    licence: str = ""
    apps: Mapping[str, str] = field(default_factory=dict)
    """Addresses by `web`, `android`, `ios`."""
    left_out: tuple[Rejected, ...] = ()
    """Feeds and items that could not be read, by place and rule: what is counted lacks them."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        found = asdict(self)
        found["modes"] = [mode.value for mode in self.modes]
        found["at"] = None if self.at is None else self.at.isoformat()
        return found


def words(value: Any, language: str = "fr") -> str:
    """A text, or the one in `language` among those of GBFS 3 (`[{"text", "language"}]`), else the
    first; empty when there is none."""
    if isinstance(value, list):
        texts = [item for item in value[:50] if isinstance(item, dict)]
        chosen = next((x for x in texts if str(x.get("language", ""))[:2] == language), None)
        value = (chosen or (texts[0] if texts else {})).get("text")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())[:MAX_WORDS]
