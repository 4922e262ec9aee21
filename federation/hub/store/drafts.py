"""Drafts of aids, in and out of the database."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from federation.hub.draft import Draft, DraftState
from federation.hub.tables import AidDraftRow

__all__ = ["DraftReads", "DraftWrites"]


class DraftReads:
    """What a reader knows of drafts."""

    _session: Session

    def draft(self, draft_id: str) -> Draft | None:
        """One draft."""
        row = self._session.get(AidDraftRow, draft_id)
        return None if row is None else _draft(row)

    def drafts(self, funder: str, states: frozenset[DraftState]) -> tuple[Draft, ...]:
        """A funder's drafts in these states, the last changed first."""
        row = AidDraftRow
        found = self._session.scalars(
            select(row)
            .where(row.funder == funder, row.state.in_(sorted(states)))
            .order_by(row.updated_at.desc(), row.id)
            .limit(200)
        )
        return tuple(_draft(one) for one in found)

    def draft_of(self, slug: str, states: frozenset[DraftState]) -> Draft | None:
        """The newest draft of one aid in these states."""
        row = AidDraftRow
        found = self._session.scalars(
            select(row)
            .where(row.slug == slug, row.state.in_(sorted(states)))
            .order_by(row.updated_at.desc())
            .limit(1)
        ).one_or_none()
        return None if found is None else _draft(found)

    def published_drafts(self, slug: str) -> tuple[Draft, ...]:
        """The versions of one aid that were written in the editor, the newest first."""
        row = AidDraftRow
        found = self._session.scalars(
            select(row)
            .where(row.slug == slug, row.state == DraftState.PUBLISHED.value)
            .order_by(row.published_at.desc())
            .limit(100)
        )
        return tuple(_draft(one) for one in found)

    def announced_drafts(self) -> tuple[Draft, ...]:
        """What waits under a public notice, the oldest first."""
        row = AidDraftRow
        found = self._session.scalars(
            select(row)
            .where(row.state == DraftState.SUBMITTED.value, row.announced_at.is_not(None))
            .order_by(row.announced_at)
            .limit(200)
        )
        return tuple(_draft(one) for one in found)


class DraftWrites(DraftReads):
    """What a transactor does to drafts."""

    def put_draft(self, draft: Draft) -> None:
        """Add or change a draft."""
        self._session.merge(
            AidDraftRow(
                id=draft.id,
                funder=draft.funder,
                slug=draft.slug,
                rule=draft.rule,
                base=dict(draft.base),
                base_version=draft.base_version,
                sheet=dict(draft.sheet),
                tag=draft.tag,
                state=draft.state.value,
                editor=draft.editor,
                created_at=draft.created_at,
                updated_at=draft.updated_at,
                submitter=draft.submitter,
                submitted_at=draft.submitted_at,
                announced_at=draft.announced_at,
                note=draft.note,
                answer=draft.answer,
                reviewer=draft.reviewer,
                published_at=draft.published_at,
                version=draft.version,
                changes={"items": [dict(change) for change in draft.changes]},
            )
        )
        self._session.flush()

    def drop_drafts(self, *, discarded_before: datetime) -> None:
        """Forget discarded drafts."""
        row = AidDraftRow
        self._session.execute(
            delete(row).where(
                row.state == DraftState.DISCARDED.value, row.updated_at < discarded_before
            )
        )


def _draft(row: AidDraftRow) -> Draft:
    return Draft(
        id=row.id,
        funder=row.funder,
        slug=row.slug,
        rule=row.rule,
        base=row.base,
        base_version=row.base_version,
        sheet=row.sheet,
        tag=row.tag,
        state=DraftState(row.state),
        editor=row.editor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        submitter=row.submitter,
        submitted_at=row.submitted_at,
        announced_at=row.announced_at,
        note=row.note,
        answer=row.answer,
        reviewer=row.reviewer,
        published_at=row.published_at,
        version=row.version,
        changes=tuple(row.changes["items"]),
    )
