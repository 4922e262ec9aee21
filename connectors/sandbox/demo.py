"""What a demonstration service is: its party, its profile, how it decides on a verified answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from federation.credentials import VerifiedPresentation
from federation.keys import Signer
from federation.profiles import Profile


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence of a decision."""

    is_met: bool
    fr: str
    en: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What a service decides on: the verified members by credential type, and the day."""

    members: Mapping[str, Mapping[str, Any]]
    today: date
    tariff_version: str = ""

    @classmethod
    def of(cls, found: VerifiedPresentation, *, today: date, tariff_version: str) -> "Ground":
        """Of a verified answer."""
        return cls({c.type: c.subject for c in found.credentials}, today, tariff_version)


@dataclass(frozen=True, slots=True)
class Handout:
    """A signed document for who was accepted: a receipt, a ticket."""

    fr: str
    en: str
    """Words of the link."""
    file_name: str
    make: Callable[[Ground, str, Signer, datetime], str]
    """(what was answered, the number of this visit, the party's signer, now) → the document."""


@dataclass(frozen=True, slots=True)
class DemoService:
    """One relying party and its profile."""

    path: str
    """Of its party."""
    name: str
    profile: Profile
    decide: Callable[[Ground], Sequence[Reason]]
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    """But the address of its tariff, which the router fills in."""
    words: tuple[tuple[str, str], ...] = ()
    """What its page says first, French and English: the order one is about to place."""
    handout: Handout | None = None
    """Given to a person it accepted."""


__all__ = ["DemoService", "Ground", "Handout", "Reason"]
