"""A value of the vault with what makes it believable: source, certification date, degree.

Of several values under one name the stronger degree wins, then the later date: a document signed
by its source before an attribute relayed at a login, before what the citizen typed or imported.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation.credentials.held import Held, read_held
from federation.credentials.shape import ShapeError
from federation.trust import format_instant, parse_instant
from schemas.records import Attribute, Degree

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Stated", "attributes", "documents", "strongest"]

_RANK: Final[Mapping[Degree, int]] = {Degree.SIGNED: 2, Degree.RELAYED: 1, Degree.CLAIMED: 0}


@dataclass(frozen=True, slots=True)
class Stated:
    """One value and how far it can be believed."""

    value: Any
    source: str
    """Who says it: host, DID, or the name of the source."""
    certified_at: datetime | None
    """None: nobody certified it."""
    degree: Degree
    level: str | None = None
    """Identity assurance level, of an identity."""

    def claim(self, member: str = "value") -> dict[str, Any]:
        """As a claim of the mobility account standard: the value under `member`, its source,
        `certificationDate` where somebody certified it, and our `degree`."""
        certified = self.degree is not Degree.CLAIMED and self.certified_at is not None
        return {
            member: self.value,
            "source": self.source,
            **(
                {"certificationDate": format_instant(self.certified_at)}
                if certified and self.certified_at is not None
                else {}
            ),
            "degree": self.degree.value,
            **({"level": self.level} if self.level is not None else {}),
        }

    def of(self, value: Any) -> "Stated":
        """Another value with the same grounds."""
        return Stated(value, self.source, self.certified_at, self.degree, self.level)

    def rank(self) -> tuple[int, float]:
        """Greater is more believable."""
        when = self.certified_at
        return _RANK[self.degree], 0.0 if when is None else when.timestamp()


def strongest(found: Iterable[Stated]) -> Stated | None:
    """The most believable of several; None of none."""
    return max(found, key=Stated.rank, default=None)


def attributes(vault: "OpenVault") -> dict[str, Stated]:
    """Every attribute of the vault by its dotted name, the most believable of each."""
    kept: dict[str, list[Stated]] = {}
    for attribute in vault.attributes():
        kept.setdefault(attribute.name, []).append(_of_attribute(attribute))
    return {name: max(found, key=Stated.rank) for name, found in kept.items()}


def _of_attribute(attribute: Attribute) -> Stated:
    return Stated(
        attribute.value,
        attribute.source,
        attribute.certified_at,
        attribute.degree,
        attribute.level,
    )


def documents(vault: "OpenVault", type_: str, *, at: datetime) -> Iterator[tuple[Held, Stated]]:
    """Documents of one type that are within their dates and not contested, newest first, each with
    the grounds of everything in it (its `value` is the whole subject).

    A document whose subject says `relayed` or `claimed` is no stronger for its issuer's signature:
    the issuer only repeats what it was told.
    """
    for record in reversed(vault.credentials(type_)):
        if "disputedAt" in record.extra:
            continue
        try:
            held = read_held(record.document)
        except ShapeError:
            continue
        if not held.valid_from <= at or (held.valid_until is not None and at >= held.valid_until):
            continue
        yield held, _of_document(held)


def _of_document(held: Held) -> Stated:
    subject = held.subject
    degree = Degree.SIGNED
    if subject.get("degree") in set(Degree):
        degree = Degree(subject["degree"])
    certified_at = held.valid_from
    if isinstance(subject.get("certifiedAt"), str):
        with suppress(ValueError):
            certified_at = parse_instant(subject["certifiedAt"])
    source = subject.get("source")
    level = subject.get("identityLevel")
    return Stated(
        subject,
        source if isinstance(source, str) else str(held.issuer),
        certified_at,
        degree,
        level if isinstance(level, str) else None,
    )
