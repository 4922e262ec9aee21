"""Writing aids at a desk: drafts kept as they are typed, tried at once, published by two people.

1. Who may publish opens a draft, new or of an aid that the form can say, and saves it section by
   section; who saves names the tag they saw, so nobody overwrites a colleague.
2. Everything typed is kept; faults and examples that do not come out keep it from being submitted.
3. Submitted with a public note, it is frozen. A second person of the funder publishes it or sends
   it back with words. Where there is no second person, everybody can read it for a day, then who
   wrote it publishes.
4. Publication computes every example again, in one commit with the draft's end.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from federation.aids.editor import RuleForm, compile_rule
from federation.aids.editor.aid_form import AidForm, answers_schema, faults_of_aid
from federation.aids.editor.rule_form import Fault
from federation.aids.editor.saying import Change, Statement, differences, say_aid
from federation.aids.errors import RuleImportError, UnknownAidError
from federation.aids.model import Aid, AidStatus, FunderLevel
from federation.aids.publicodes import Engine
from federation.aids.sheet import slug_of
from federation.aids.territories import gazetteer
from federation.aids.words import shared_words
from federation.hub.access import Action, Caller
from federation.hub.aid_forms import (
    RULE,
    STATEMENT,
    Tried,
    engine_of,
    form_of,
    frame_faults,
    make_aid,
    tried,
)
from federation.hub.aid_templates import TemplatedAid
from federation.hub.draft import OPEN, Draft, DraftState
from federation.hub.draft_sheet import DraftSheet, read_sheet, settle, sheet_of
from federation.hub.errors import (
    DraftChangedError,
    DraftRefusedError,
    DraftUnknownError,
    NotAllowedError,
    PublicNoticeError,
    SecondPersonError,
)
from federation.hub.funder_aids import FunderAids
from federation.hub.members import Member
from federation.hub.model import Funder
from federation.hub.publishing import PublishingService
from federation.hub.store import HubStore, Reader, Transactor

__all__ = ["KEPT", "MOST_OPEN", "NOTICE", "DraftService", "Look"]

NOTICE: Final = timedelta(hours=24)
"""How long everybody can read what a funder of one person is about to publish."""
KEPT: Final = timedelta(days=30)
"""How long a discarded draft can be taken up again."""
MOST_OPEN: Final = 50
_NOTE: Final = (10, 1_000)
_REVIEWERS: Final = frozenset((Caller.EDITOR.value, Caller.SUPERVISOR.value))


@dataclass(frozen=True, slots=True)
class Look:
    """What a draft says now."""

    form: AidForm | None
    """None while a cell cannot be read."""
    faults: tuple[Fault, ...]
    made: TemplatedAid | None
    """The aid it would be; None while something is wrong."""
    engine: Engine | None
    tried: tuple[Tried, ...]
    statements: tuple[Statement, ...]
    changes: tuple[Change, ...]
    """Against the version it changes; empty for a new aid."""
    schema: Mapping[str, Any] | None
    """JSON Schema of the answers."""

    @property
    def is_whole(self) -> bool:
        """True when it can be submitted: no fault, and every example comes out."""
        return self.made is not None and all(one.as_expected for one in self.tried)


class DraftService:
    """Keeps drafts, says what they say, and publishes them by two people."""

    def __init__(
        self,
        store: HubStore,
        publishing: PublishingService,
        aids: FunderAids,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._publishing, self._aids = store, publishing, aids
        self._clock = clock

    # -- reading ----------------------------------------------------------------------------------

    def of(self, member: Member) -> tuple[Draft, ...]:
        """Open drafts of the member's funder, the last changed first.

        Raises:
            NotAllowedError.
        """
        funder = self._funder(member, Action.REVIEW_AID)
        with self._store.read() as reader:
            return reader.drafts(funder.slug, OPEN)

    def find(self, member: Member, draft_id: str) -> Draft:
        """One draft of the member's funder, whatever its state.

        Raises:
            NotAllowedError, DraftUnknownError.
        """
        funder = self._funder(member, Action.REVIEW_AID)
        with self._store.read() as reader:
            return _theirs(reader, funder, draft_id)

    def look(self, draft: Draft) -> Look:
        """What a draft says, what is wrong with it, what its examples give, what it changes."""
        at = self._clock().date()
        funder = self._publishing.funder(draft.funder)
        if funder is None:
            raise DraftUnknownError
        base = self._base(draft)
        reading = read_sheet(DraftSheet.model_validate(draft.sheet), rule=draft.rule)
        form, faults = reading.form, reading.faults
        before = _form_of_sheet(draft.base, draft.rule)
        if form is None:
            return Look(None, faults, None, None, (), (), (), None)
        declared = base is None or "declaration" in base.extra
        faults = (*faults_of_aid(form, at=at, declared=declared), *frame_faults(form, base))
        said = say_aid(form)
        changes = () if before is None else differences(say_aid(before), said)
        if any(fault.where.partition(".")[0] in _RULE_SECTIONS for fault in faults):
            return Look(form, faults, None, None, (), said, changes, None)
        made = self._make(form, draft, base, funder, at)
        try:
            engine = engine_of(made)
        except RuleImportError as error:
            fault = Fault("lines.0", "rule", error.reason)
            return Look(form, (*faults, fault), None, None, (), said, changes, None)
        name = draft.slug or "nouvelle"
        schema = answers_schema(form.rule, address=f"urn:mobility:aide:{name}:reponses")
        return Look(
            form,
            faults,
            None if faults else made,
            engine,
            tried(made, engine, at),
            said,
            changes,
            schema,
        )

    def needs_second(self, draft: Draft) -> bool:
        """Whether somebody else of the funder could publish it, so the submitter does not."""
        with self._store.read() as reader:
            return _has_second(reader, draft)

    def versions(self, slug: str) -> tuple[Draft, ...]:
        """What was published from the editor of one aid that anybody may read, newest first.

        Raises:
            UnknownAidError: none by that name that anybody may read.
        """
        self._publishing.revisions(slug)
        with self._store.read() as reader:
            return reader.published_drafts(slug)

    def announced(self) -> tuple[tuple[Draft, Funder], ...]:
        """What funders of one person are about to publish, for anybody."""
        with self._store.read() as reader:
            found = reader.announced_drafts()
            funders = {f.slug: f for f in reader.funders()}
        return tuple((draft, funders[draft.funder]) for draft in found)

    def before(self, draft: Draft) -> tuple[RuleForm, Engine] | None:
        """The rule of the version a draft changes, compiled; None for a new aid."""
        form = _form_of_sheet(draft.base, draft.rule)
        if form is None:
            return None
        return form.rule, Engine(compile_rule(form.rule), words=shared_words())

    # -- writing ----------------------------------------------------------------------------------

    def open_new(self, member: Member) -> Draft:
        """An empty draft, its territory the funder's own where its number says which.

        Raises:
            NotAllowedError; DraftRefusedError: too many are open.
        """
        funder = self._funder(member, Action.PUBLISH_AID)
        sheet = DraftSheet(territories=_territory_of(funder), statement=STATEMENT)
        return self._begin(member, funder, slug="", rule=RULE, version="", sheet=sheet, base={})

    def open_for(self, member: Member, slug: str) -> Draft:
        """The open draft of an aid of this funder, or a new one that says what is published.

        Raises:
            NotAllowedError; UnknownAidError: none of this funder by that name.
            NotExpressibleError: the form cannot say its rule, with the place and the reason.
        """
        funder = self._funder(member, Action.PUBLISH_AID)
        aid = self.aid_of(funder, slug)
        with self._store.read() as reader:
            found = reader.draft_of(slug, OPEN)
        if found is not None:
            return found
        sheet = sheet_of(self.expressible(aid))
        base = sheet.model_dump(mode="json")
        return self._begin(
            member,
            funder,
            slug=slug,
            rule=aid.rule.rule,
            version=aid.version,
            sheet=sheet,
            base=base,
        )

    def aid_of(self, funder: Funder, slug: str) -> Aid:
        """An aid of this funder.

        Raises:
            UnknownAidError: none by that name, or another's: never told apart.
        """
        aid = self._publishing.aid(slug)
        if aid.funder != funder.did:
            raise UnknownAidError(slug)
        return aid

    def expressible(self, aid: Aid) -> AidForm:
        """The form of a published aid.

        Raises:
            NotExpressibleError: the form cannot say its rule, with the place and the reason.
        """
        return form_of(aid, self._publishing.rules(aid.rule.model))

    def save(self, member: Member, draft_id: str, sheet: DraftSheet, *, tag: int) -> Draft:
        """Keep what was typed. The same again changes nothing.

        Raises:
            NotAllowedError, DraftUnknownError; DraftRefusedError: it is not being written any more.
            DraftChangedError: somebody changed it since `tag`.
        """
        kept = settle(sheet).model_dump(mode="json")

        def change(draft: Draft) -> Draft:
            return draft if draft.sheet == kept else replace(draft, sheet=kept, editor=member.id)

        return self._change(member, draft_id, tag, (DraftState.WRITING,), change)

    def discard(self, member: Member, draft_id: str, *, tag: int) -> Draft:
        """Put a draft away; it can be taken up again for `KEPT`.

        Raises:
            As `save`.
        """
        return self._change(
            member, draft_id, tag, (DraftState.WRITING,),
            lambda draft: replace(draft, state=DraftState.DISCARDED, editor=member.id),
        )  # fmt: skip

    def restore(self, member: Member, draft_id: str) -> Draft:
        """Take up a discarded draft again.

        Raises:
            NotAllowedError, DraftUnknownError; DraftRefusedError: it is not discarded, or its aid
            has another draft by now.
        """
        found = self.find(member, draft_id)
        with self._store.read() as reader:
            other = reader.draft_of(found.slug, OPEN) if found.slug else None
        if other is not None:
            raise DraftRefusedError("draft", "another-is-open")
        return self._change(
            member, draft_id, found.tag, (DraftState.DISCARDED,),
            lambda draft: replace(draft, state=DraftState.WRITING, editor=member.id),
        )  # fmt: skip

    # -- publishing -------------------------------------------------------------------------------

    def submit(self, member: Member, draft_id: str, note: str, *, tag: int) -> Draft:
        """Freeze a draft for a second person; without one, announce it to everybody.

        Raises:
            NotAllowedError, DraftUnknownError, DraftChangedError.
            DraftRefusedError: a fault, an example that does not come out, no note, no change.
        """
        words = " ".join(note.split())
        if not _NOTE[0] <= len(words) <= _NOTE[1]:
            raise DraftRefusedError("note", "note")
        look = self.look(self.find(member, draft_id))
        self._must_be_whole(look)
        now = self._clock()

        def change(draft: Draft) -> Draft:
            if draft.base == draft.sheet:
                raise DraftRefusedError("draft", "no-change")
            return replace(
                draft,
                state=DraftState.SUBMITTED,
                submitter=member.id,
                submitted_at=now,
                note=words,
                answer="",
                reviewer=None,
                announced_at=None,
            )

        def announce(reader: Reader, draft: Draft) -> Draft:
            return draft if _has_second(reader, draft) else replace(draft, announced_at=now)

        return self._change(member, draft_id, tag, (DraftState.WRITING,), change, also=announce)

    def take_back(self, member: Member, draft_id: str, *, tag: int) -> Draft:
        """Go on writing what was submitted; its notice ends.

        Raises:
            As `save`.
        """
        return self._change(
            member, draft_id, tag, (DraftState.SUBMITTED,),
            lambda draft: replace(draft, state=DraftState.WRITING, announced_at=None),
        )  # fmt: skip

    def send_back(self, member: Member, draft_id: str, words: str, *, tag: int) -> Draft:
        """A second person asks for something else.

        Raises:
            As `save`; DraftRefusedError: no words.
        """
        said = " ".join(words.split())
        if not 3 <= len(said) <= _NOTE[1]:
            raise DraftRefusedError("words", "note")
        return self._change(
            member, draft_id, tag, (DraftState.SUBMITTED,),
            lambda draft: replace(
                draft, state=DraftState.WRITING, answer=said, reviewer=member.id, announced_at=None
            ),
            action=Action.REVIEW_AID,
        )  # fmt: skip

    def publish(self, member: Member, draft_id: str, *, tag: int) -> Aid:
        """Publish what was submitted, as it was seen at `tag`.

        Raises:
            NotAllowedError, DraftUnknownError; DraftRefusedError: not submitted, or not whole now.
            DraftChangedError: the draft or its aid changed since.
            SecondPersonError, PublicNoticeError; AgreementMissingError, LastWayInError.
        """
        funder = self._funder(member, Action.REVIEW_AID)
        draft = self.find(member, draft_id)
        look = self.look(draft)
        self._must_be_whole(look)
        assert look.form is not None  # noqa: S101 - whole
        now = self._clock()
        base = self._base(draft)
        slug = draft.slug or self._aids.slug(_slug(look.form.rule.title, funder))
        named = replace(draft, slug=slug)
        version = _version(now.date(), "" if base is None else base.version)
        made = self._make(look.form, named, base, funder, now.date(), version=version)

        def within(tx: Transactor) -> None:
            kept = _theirs(tx, funder, draft_id)
            if kept.tag != tag:
                raise DraftChangedError(kept.editor)
            if kept.state is not DraftState.SUBMITTED:
                raise DraftRefusedError("draft", kept.state.value)
            _may_publish(tx, kept, member, now)
            current = next((a["version"] for a in tx.aids() if a["slug"] == slug), "")
            if current != kept.base_version:
                raise DraftChangedError
            tx.put_draft(
                replace(
                    kept,
                    slug=slug,
                    state=DraftState.PUBLISHED,
                    tag=kept.tag + 1,
                    reviewer=member.id,
                    published_at=now,
                    updated_at=now,
                    version=version,
                    changes=tuple(
                        {"section": c.section, "before": c.before, "after": c.after}
                        for c in look.changes
                    ),
                )
            )

        self._aids.put(member, funder, made, note=draft.note, within=within)
        return made.aid

    # -- inside -----------------------------------------------------------------------------------

    def _funder(self, member: Member, action: Action) -> Funder:
        member.require(action)
        found = self._publishing.funder(member.funder) if member.funder else None
        if found is None:
            raise NotAllowedError
        return found

    def _base(self, draft: Draft) -> Aid | None:
        return self._publishing.aid(draft.slug) if draft.base_version else None

    @staticmethod
    def _must_be_whole(look: Look) -> None:
        if look.faults:
            raise DraftRefusedError(look.faults[0].where, look.faults[0].code)
        wrong = next((n for n, one in enumerate(look.tried) if not one.as_expected), None)
        if wrong is not None or look.made is None:
            raise DraftRefusedError(f"examples.{wrong or 0}", "example")

    @staticmethod
    def _make(
        form: AidForm,
        draft: Draft,
        base: Aid | None,
        funder: Funder,
        at: date,
        *,
        version: str = "brouillon",
    ) -> TemplatedAid:
        made = make_aid(
            form, base=base, funder=funder, slug=draft.slug or "nouvelle", version=version, at=at
        )
        if base is not None and base.status is AidStatus.SUSPENDED:  # a new version lifts nothing
            return replace(made, aid=replace(made.aid, status=AidStatus.SUSPENDED))
        return made

    def _begin(
        self,
        member: Member,
        funder: Funder,
        *,
        slug: str,
        rule: str,
        version: str,
        sheet: DraftSheet,
        base: Mapping[str, Any],
    ) -> Draft:
        now = self._clock()
        draft = Draft(
            id=str(uuid.uuid4()),
            funder=funder.slug,
            slug=slug,
            rule=rule,
            base=base,
            base_version=version,
            sheet=sheet.model_dump(mode="json"),
            tag=1,
            state=DraftState.WRITING,
            editor=member.id,
            created_at=now,
            updated_at=now,
        )
        with self._store.transact() as tx:
            tx.lock_hub()
            tx.drop_drafts(discarded_before=now - KEPT)
            if slug and (found := tx.draft_of(slug, OPEN)) is not None:  # pressed twice
                return found
            if len(tx.drafts(funder.slug, OPEN)) >= MOST_OPEN:
                raise DraftRefusedError("draft", "too-many")
            tx.put_draft(draft)
        return draft

    def _change(
        self,
        member: Member,
        draft_id: str,
        tag: int,
        states: tuple[DraftState, ...],
        change: Callable[[Draft], Draft],
        *,
        action: Action = Action.PUBLISH_AID,
        also: Callable[[Reader, Draft], Draft] = lambda _reader, draft: draft,
    ) -> Draft:
        funder = self._funder(member, action)
        with self._store.transact() as tx:
            tx.lock_hub()
            kept = _theirs(tx, funder, draft_id)
            if kept.tag != tag:
                raise DraftChangedError(kept.editor)
            if kept.state not in states:
                raise DraftRefusedError("draft", kept.state.value)
            made = also(tx, change(kept))
            if made == kept:
                return kept
            made = replace(made, tag=kept.tag + 1, updated_at=self._clock())
            tx.put_draft(made)
        return made


_RULE_SECTIONS: Final = frozenset(
    ("title", "rule", "questions", "conditions", "lines", "bonuses", "ceiling", "floor",
     "share_ceiling")
)  # fmt: skip


def _theirs(reader: Reader, funder: Funder, draft_id: str) -> Draft:
    found = reader.draft(draft_id)
    if found is None or found.funder != funder.slug:
        raise DraftUnknownError
    return found


def _has_second(reader: Reader, draft: Draft) -> bool:
    return any(
        row.id != draft.submitter and row.disabled_at is None and _REVIEWERS & set(row.roles)
        for row in reader.members(draft.funder)
    )


def _may_publish(reader: Reader, draft: Draft, member: Member, now: datetime) -> None:
    if member.id != draft.submitter:
        return
    if _has_second(reader, draft) or draft.announced_at is None:
        raise SecondPersonError
    left = draft.announced_at + NOTICE - now
    if left > timedelta(0):
        raise PublicNoticeError(max(1, round(left.total_seconds())))


def _form_of_sheet(sheet: Mapping[str, Any], rule: str) -> AidForm | None:
    return read_sheet(DraftSheet.model_validate(sheet), rule=rule).form if sheet else None


def _territory_of(funder: Funder) -> str:
    """The funder's own territory, when its number or its name says which."""
    level = FunderLevel(funder.level)
    if level is FunderLevel.EPCI and gazetteer().name("epci", funder.siret[:9]):
        return f"epci {funder.siret[:9]}"
    named = [code for kind, code in gazetteer().named(funder.name) if kind == level.value]
    return f"{level.value} {named[0]}" if len(named) == 1 else ""


def _slug(title: str, funder: Funder) -> str:
    """Short, so that the name of its rule model stays whole (63 characters)."""
    return f"{slug_of('aide', title)[:30].rstrip('-')}-{funder.slug[:20].rstrip('-')}"


def _version(day: date, before: str) -> str:
    """The day, and a number from the second version of that day on."""
    start = day.isoformat()
    if before != start and not before.startswith(f"{start}."):
        return start
    number = int(before.partition(".")[2] or 1)
    return f"{start}.{number + 1}"
