"""The life of an aid: draft → review → published ⇄ suspended → expired.

```
draft ⇄ review → published ⇄ suspended
  │       │          └────┬─────┘
  └───────┴───────→ expired → review      (what ended may be taken up again, and is read again)
```
An aid of ours is published with examples that come out as they say (`catalogue.check_examples`).
Imports follow their source and may put an aid into any state but « draft ».
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from federation.aids.errors import TransitionRefusedError
from federation.aids.model import Aid, AidStatus

__all__ = ["TRANSITIONS", "AidRevision", "changes", "ended", "moved", "verified"]

TRANSITIONS: Final[Mapping[AidStatus, frozenset[AidStatus]]] = {
    AidStatus.DRAFT: frozenset((AidStatus.REVIEW, AidStatus.EXPIRED)),
    AidStatus.REVIEW: frozenset((AidStatus.DRAFT, AidStatus.PUBLISHED, AidStatus.EXPIRED)),
    AidStatus.PUBLISHED: frozenset((AidStatus.SUSPENDED, AidStatus.EXPIRED)),
    AidStatus.SUSPENDED: frozenset((AidStatus.PUBLISHED, AidStatus.EXPIRED)),
    AidStatus.EXPIRED: frozenset((AidStatus.REVIEW,)),
}
"""What a person may make of an aid."""


@dataclass(frozen=True, slots=True)
class AidRevision:
    """One state an aid was in: what the catalogue said of it from `at` on."""

    number: int
    """Grows over the whole catalogue; never given twice."""
    aid: Aid
    actor: str
    """`hub`, `import`, `calendar`, or the id of a member."""
    note: str
    at: datetime
    changed: tuple[str, ...] = ()
    """Members of the aid's JSON that differ from the revision before; empty for the first."""

    @property
    def was_public(self) -> bool:
        """True when anybody could read this revision as an aid in force."""
        return self.aid.is_public and self.aid.status in (
            AidStatus.PUBLISHED,
            AidStatus.SUSPENDED,
            AidStatus.EXPIRED,
        )


def moved(aid: Aid, to: AidStatus, *, at: date) -> Aid:
    """`aid` in another state.

    Raises:
        TransitionRefusedError: no step leads there, or the aid's end has passed.
    """
    if to not in TRANSITIONS[aid.status]:
        raise TransitionRefusedError(aid.slug, aid.status, to)
    if to is AidStatus.PUBLISHED and aid.ends_on is not None and aid.ends_on < at:
        raise TransitionRefusedError(aid.slug, aid.status, to, f"ended on {aid.ends_on}")
    return replace(aid, status=to)


def verified(aid: Aid, *, on: date, next_review: date) -> Aid:
    """`aid`, read again by a person against its source on that day.

    Raises:
        TransitionRefusedError: the next review would not be after it.
    """
    if next_review <= on:
        raise TransitionRefusedError(aid.slug, aid.status, aid.status, "review before verification")
    return replace(aid, last_verified=on, next_review=next_review)


def ended(aids: Iterable[Aid], at: date) -> tuple[Aid, ...]:
    """The aids whose last day has passed, as expired."""
    return tuple(
        replace(aid, status=AidStatus.EXPIRED)
        for aid in aids
        if aid.ends_on is not None
        and aid.ends_on < at
        and aid.status in (AidStatus.PUBLISHED, AidStatus.SUSPENDED)
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the members of two aid documents that differ."""
    return tuple(sorted(k for k in {*before, *after} if before.get(k) != after.get(k)))
