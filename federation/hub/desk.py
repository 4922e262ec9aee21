"""The desk of a funder: queue, one application in words, decisions. Every call names its member."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.aids.model import Aid
from federation.hub.access import Action
from federation.hub.errors import ApplicationUnknownError, NotAllowedError
from federation.hub.members import Member
from federation.hub.model import Application, QueueFilter
from federation.hub.publishing import PublishingService
from federation.hub.service import ApplicationService
from federation.hub.store import HubStore
from federation.ports import ApplicationView, AuditView, DocumentEnvelope
from federation.wire.paging import CursorSigner, Page, clamp
from schemas.ids import Did
from schemas.records import ApplicationState

__all__ = ["DeskService", "DeskView", "ReasonTemplate", "reason_templates"]


@dataclass(frozen=True, slots=True)
class ReasonTemplate:
    """A reason ready to be chosen: what does not hold, and where it is written."""

    id: str
    words: Mapping[str, str]
    """Keyed `fr` and `en`; `fr` is what the decision says."""


@dataclass(frozen=True, slots=True)
class DeskView:
    """One application as an officer sees it."""

    application: Application
    aid: Aid
    view: ApplicationView
    """The same as the holder sees it: checks in words, reasons, explanation, history."""
    suggested_cents: int | None
    """What the rule would give; None when it gives nothing."""
    claims: Mapping[str, Any]
    consent_receipt: Mapping[str, Any]
    documents: tuple[tuple[str, str, int], ...]
    """(name, media type, sealed size) of what only the funder's key opens."""
    assignee: str
    """Name of the member who took it; empty: nobody."""
    templates: tuple[ReasonTemplate, ...]
    """Reasons a person may choose from, each naming the rule's line."""


_COMMON: Final = (
    ReasonTemplate(
        "document-missing",
        {
            "fr": "Une pièce demandée par la règle de l'aide n'a pas été fournie.",
            "en": "A document that the aid's rule asks for was not provided.",
        },
    ),
    ReasonTemplate(
        "not-covered",
        {
            "fr": "La situation présentée n'est pas dans le champ de l'aide.",
            "en": "The situation presented is outside the scope of the aid.",
        },
    ),
)


def reason_templates(application: Application, aid: Aid) -> tuple[ReasonTemplate, ...]:
    """What the rule found against the application, then two of every aid. Pure."""
    found: list[ReasonTemplate] = []
    for position, reason in enumerate(application.reasons):
        if not reason.get("fr"):
            continue
        where = reason.get("legal") or ""
        if not where and aid.legal_basis:
            where = aid.legal_basis[0].reference
        line = f"« {reason['rule']} »" if reason.get("rule") else ""
        source = ", ".join(part for part in (line, where) if part)
        words = {
            language: f"{reason[language]} ({source})" if source else str(reason[language])
            for language in ("fr", "en")
            if reason.get(language)
        }
        found.append(ReasonTemplate(f"rule-{position}", words))
    return (*found, *_COMMON)


class DeskService:
    """What officers do. Ownership is checked here, whatever the route did."""

    def __init__(
        self,
        store: HubStore,
        applications: ApplicationService,
        publishing: PublishingService,
        cursors: CursorSigner,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._applications = applications
        self._publishing = publishing
        self._cursors = cursors
        self._clock = clock

    @staticmethod
    def _funder(member: Member, action: Action) -> Did:
        member.require(action)
        if member.funder_did is None:
            raise NotAllowedError
        return member.funder_did

    def queue(
        self,
        member: Member,
        wanted: QueueFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Application]:
        """Applications of the member's funder, oldest first.

        Raises:
            NotAllowedError, CursorRefusedError.
        """
        funder = self._funder(member, Action.READ_QUEUE)
        wanted = wanted or QueueFilter()
        name = f"queue:{funder}"
        after: tuple[datetime, str] | None = None
        if cursor:
            at, identifier = self._cursors.read(cursor, of=name)
            after = (datetime.fromisoformat(str(at)), str(identifier))
        size = clamp(limit)
        with self._store.read() as reader:
            rows = reader.queue(funder, wanted, after=after, limit=size + 1)
        items = rows[:size]
        following = None
        if len(rows) > size:
            last = items[-1]
            following = self._cursors.sign([last.submitted_at.isoformat(), last.id], of=name)
        return Page(items, following)

    def counts(self, member: Member) -> dict[str, int]:
        """How many applications of the member's funder are in each state; `to-review` apart."""
        funder = self._funder(member, Action.READ_COUNTS)
        with self._store.read() as reader:
            found, review = reader.counts(funder)
        return {state.value: found[state] for state in ApplicationState if state in found} | {
            "to_review": review
        }

    def refusals(self, member: Member) -> tuple[tuple[str, list[str], datetime], ...]:
        """Packages refused at intake: aid, failed checks, instant."""
        funder = self._funder(member, Action.READ_COUNTS)
        with self._store.read() as reader:
            return reader.refusals(funder)

    def open(self, member: Member, application_id: str) -> DeskView:
        """One application of the member's funder.

        Raises:
            NotAllowedError, ApplicationUnknownError.
        """
        funder = self._funder(member, Action.READ_APPLICATION)
        with self._store.read() as reader:
            found = reader.application(application_id)
            package = (
                reader.package(found.package)
                if found is not None and found.package is not None
                else None
            )
            documents = reader.documents(application_id)
            taker = (
                reader.member(member=found.assignee)
                if found is not None and found.assignee
                else None
            )
        if found is None or found.funder != funder:
            raise ApplicationUnknownError
        assignee = "" if taker is None else taker.name
        aid = self._publishing.aid(found.aid)
        return DeskView(
            application=found,
            aid=aid,
            view=self._applications.view(found),
            suggested_cents=found.amount,
            claims=found.claims,
            consent_receipt={} if package is None else package.consent_receipt,
            documents=tuple((d.name, d.media_type, len(d.sealed)) for d in documents),
            assignee=assignee,
            templates=reason_templates(found, aid),
        )

    def document(self, member: Member, application_id: str, position: int) -> DocumentEnvelope:
        """A sealed document, for the funder's own key to open.

        Raises:
            NotAllowedError, ApplicationUnknownError.
        """
        funder = self._funder(member, Action.READ_DOCUMENT)
        with self._store.read() as reader:
            found = reader.application(application_id, history=False)
            if found is None or found.funder != funder:
                raise ApplicationUnknownError
            documents = reader.documents(application_id)
        if not 0 <= position < len(documents):
            raise ApplicationUnknownError
        return documents[position]

    def evidence(self, member: Member, application_id: str) -> bytes:
        """What shows a decision to a third party, as one ZIP.

        Raises:
            NotAllowedError, ApplicationUnknownError, LogUnknownError.
        """
        funder = self._funder(member, Action.READ_APPLICATION)
        return self._applications.evidence_for_desk(application_id, funder_did=funder)

    def decide(
        self,
        member: Member,
        application_id: str,
        *,
        accept: bool,
        reason: str,
        amount_cents: int | None = None,
    ) -> Application:
        """Accept or refuse, with a reason.

        Raises:
            NotAllowedError, ApplicationUnknownError, DecisionRefusedError.
        """
        funder = self._funder(member, Action.DECIDE)
        return self._applications.decide(
            application_id,
            funder_did=funder,
            officer=member.name,
            accept=accept,
            reason=reason,
            amount=amount_cents,
        )

    def audit(self, member: Member, application_id: str, *, leaves: int) -> AuditView:
        """Ask for a check by sample of the evidence behind an application.

        Raises:
            NotAllowedError, ApplicationUnknownError, AuditRefusedError.
        """
        funder = self._funder(member, Action.REQUEST_INFORMATION)
        return self._applications.audit(
            application_id, funder_did=funder, officer=member.name, leaves=leaves
        )

    def request_information(
        self, member: Member, application_id: str, *, message: str
    ) -> Application:
        """Ask the holder for something.

        Raises:
            NotAllowedError, ApplicationUnknownError, DecisionRefusedError.
        """
        funder = self._funder(member, Action.REQUEST_INFORMATION)
        return self._applications.request_information(
            application_id, funder_did=funder, officer=member.name, message=message
        )

    def assign(self, member: Member, application_id: str, *, to_self: bool) -> Application:
        """Take an application, or give it back.

        Raises:
            NotAllowedError, ApplicationUnknownError, DecisionRefusedError.
        """
        funder = self._funder(member, Action.ASSIGN)
        return self._applications.assign(
            application_id, funder_did=funder, member=member.id if to_self else None
        )
