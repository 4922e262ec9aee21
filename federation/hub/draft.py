"""An aid that is being written: its cells, where it stands, who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["OPEN", "Draft", "DraftState"]


class DraftState(StrEnum):
    """writing ⇄ submitted → published; writing ⇄ discarded."""

    WRITING = "writing"
    SUBMITTED = "submitted"
    """Waits for a second person, or for the end of its public notice."""
    PUBLISHED = "published"
    DISCARDED = "discarded"
    """Kept for a month: it can be taken up again."""


OPEN = frozenset((DraftState.WRITING, DraftState.SUBMITTED))


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of one aid, before and after it is published."""

    id: str
    funder: str
    """Slug of the funder."""
    slug: str
    """Slug of the aid; empty until a new one is published."""
    rule: str
    """Name of the amount in its rule."""
    base: Mapping[str, Any]
    """Cells of the version it changes, or nothing."""
    base_version: str
    sheet: Mapping[str, Any]
    tag: int
    """Grows with every change: who saves names the one they saw."""
    state: DraftState
    editor: str
    """Id of who changed it last."""
    created_at: datetime
    updated_at: datetime
    submitter: str | None = None
    submitted_at: datetime | None = None
    announced_at: datetime | None = None
    """When a funder of one person made it known to everybody."""
    note: str = ""
    """What the version is for, in public words."""
    answer: str = ""
    """Why it was sent back."""
    reviewer: str | None = None
    """Id of who published it or sent it back."""
    published_at: datetime | None = None
    version: str = ""
    changes: tuple[Mapping[str, Any], ...] = ()
    """`{section, before, after}` against the version before, kept when it is published."""

    @property
    def etag(self) -> str:
        """The tag as HTTP writes it."""
        return f'"{self.id[:8]}-{self.tag}"'
