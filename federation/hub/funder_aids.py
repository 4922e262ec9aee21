"""The aids of one funder, published from templates by its own people."""

from collections.abc import Callable
from datetime import datetime

from federation.aids.model import Aid, AidStatus
from federation.hub.access import Action
from federation.hub.affiliations import AffiliationService
from federation.hub.aid_templates import (
    AidTemplate,
    Choices,
    TemplatedAid,
    build_aid,
    may_accept,
    templates_for,
)
from federation.hub.enrolment import EnrolmentService
from federation.hub.errors import (
    AgreementMissingError,
    ApplicationUnknownError,
    LastWayInError,
    NotAllowedError,
)
from federation.hub.members import Member
from federation.hub.model import Funder
from federation.hub.publishing import PublishingService
from federation.hub.store import Transactor

__all__ = ["FunderAids"]


class FunderAids:
    """Publishes, suspends and lists a funder's aids."""

    def __init__(
        self,
        publishing: PublishingService,
        enrolment: EnrolmentService,
        affiliations: AffiliationService,
        clock: Callable[[], datetime],
    ) -> None:
        self._publishing = publishing
        self._enrolment = enrolment
        self._affiliations = affiliations
        self._clock = clock

    def _funder(self, member: Member, action: Action) -> Funder:
        member.require(action)
        found = self._publishing.funder(member.funder) if member.funder else None
        if found is None:
            raise NotAllowedError
        return found

    def of(self, member: Member) -> tuple[Aid, ...]:
        """Aids of the member's funder, whatever their status."""
        funder = self._funder(member, Action.READ_SETTINGS)
        return tuple(aid for aid in self._publishing.catalogue().aids if aid.funder == funder.did)

    def templates(self, member: Member) -> tuple[AidTemplate, ...]:
        """What the member's funder can start from."""
        return templates_for(self._funder(member, Action.READ_SETTINGS))

    def may_accept(self, member: Member, template: AidTemplate) -> bool:
        """Whether the rule of such an aid may accept by itself; else a person decides each."""
        return may_accept(template, self._funder(member, Action.READ_SETTINGS))

    def publish(self, member: Member, template: AidTemplate, choices: Choices) -> Aid:
        """Publish an aid. The first one accredits the funder: from then on vaults may answer it.

        Raises:
            NotAllowedError, EntryRefusedError, AgreementMissingError, LastWayInError: nobody here
            could come back tomorrow; RuleImportError: an example that does not come out.
        """
        funder = self._funder(member, Action.PUBLISH_AID)
        at = self._clock()
        slug = self.slug(f"{template.value}-{funder.slug}")
        made = build_aid(
            template,
            choices,
            funder=funder,
            slug=slug,
            version=at.date().isoformat(),
            at=at.date(),
        )
        self.put(member, funder, made)
        return made.aid

    def put(
        self,
        member: Member,
        funder: Funder,
        made: TemplatedAid,
        *,
        note: str = "",
        within: Callable[[Transactor], None] | None = None,
    ) -> None:
        """Publish what a member of the funder made, once the funder may publish at all.

        Raises:
            AgreementMissingError, LastWayInError; RuleImportError: an example that does not come
            out; and what `within` raises: nothing changed.
        """
        if not self._enrolment.has_accepted(funder):
            raise AgreementMissingError
        if not self._enrolment.has_way_in(member):
            raise LastWayInError
        self._publishing.accredit_funder(funder)
        self._publishing.add_aids(
            made.aid, models=made.models, actor=member.id, note=note, within=within
        )
        self._affiliations.accredit(member)

    def suspend(self, member: Member, slug: str, *, suspended: bool) -> Aid:
        """Take no new application for now, or take them again. What was submitted goes on.

        Raises:
            NotAllowedError, ApplicationUnknownError: no such aid of this funder;
            TransitionRefusedError: it is neither published nor suspended.
        """
        funder = self._funder(member, Action.PUBLISH_AID)
        found = next(
            (
                aid
                for aid in self._publishing.catalogue().aids
                if aid.slug == slug and aid.funder == funder.did
            ),
            None,
        )
        if found is None:
            raise ApplicationUnknownError
        status = AidStatus.SUSPENDED if suspended else AidStatus.PUBLISHED
        if found.status is status:  # pressed twice
            return found
        return self._publishing.move(slug, status, actor=member.id)

    def slug(self, start: str) -> str:
        """`start`, or the first free name made of it."""
        known = {aid.slug for aid in self._publishing.catalogue().aids}
        candidates = (start if n == 1 else f"{start}-{n}" for n in range(1, 1_000))
        return next(slug for slug in candidates if slug not in known)
