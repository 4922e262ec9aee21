"""What every act on an application rests on: its collaborators, how it reads, how it is granted."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import Final

from federation.aids.access import access_of
from federation.aids.model import Aid
from federation.hub.audits import AuditService
from federation.hub.awards import access_body, award_body, issue_award
from federation.hub.declared import DECLARATION, Standing, documents_wanted, stand
from federation.hub.evidence import DecisionLog
from federation.hub.keys import HubKeys
from federation.hub.model import (
    CLOSED,
    Application,
    Funder,
    Transition,
)
from federation.hub.notices import NoticeService
from federation.hub.publishing import PublishingService
from federation.hub.register import RegisterChecks
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.status_lists import StatusLists
from federation.hub.store import HubStore, Transactor
from federation.hub.verifying import VerifyService, check_views
from federation.ports import (
    AcknowledgementView,
    ApplicationView,
    HistoryView,
)
from schemas.records import ApplicationState

__all__ = ["ApplicationBase", "budget_of", "resumed_due", "view_of"]

MENTION: Final = {
    "fr": "Cette décision a été prise sur le fondement d'un traitement algorithmique "
    "(code des relations entre le public et l'administration, article L. 311-3-1). Vous pouvez "
    "demander à l'administration la communication des règles définissant ce traitement et des "
    "principales caractéristiques de sa mise en œuvre (article R. 311-3-1-2) ; elles sont jointes. "
    "Sans réponse sous un mois, vous pouvez saisir la CADA.",
    "en": "This decision was taken on the basis of an algorithmic process (French code of "
    "relations between the public and the administration, article L. 311-3-1). You may ask the "
    "administration for the rules of this process and the main features of its use "
    "(article R. 311-3-1-2); they are attached. Without an answer within a month, you may refer "
    "to the CADA.",
}


class ApplicationBase:
    """Collaborators of the acts on applications; `ApplicationService` has all of them."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        *,
        keys: HubKeys,
        publishing: PublishingService,
        registry: RegistryService,
        verifying: VerifyService,
        status_lists: StatusLists,
        clock: Callable[[], datetime],
        wake: Callable[[str], None],
        audits: AuditService,
        log: DecisionLog,
        notices: NoticeService,
        register: RegisterChecks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._publishing = publishing
        self._registry = registry
        self._verifying = verifying
        self._status_lists = status_lists
        self._clock = clock
        self._wake = wake
        self._audits = audits
        self._log = log
        self._notices = notices
        self._register = register

    def view(self, application: Application) -> ApplicationView:
        """The application in words, for its holder or the desk."""
        aid = self._publishing.aid(application.aid)
        funder = self._publishing.funder(application.funder)
        limit = budget_of(aid)
        journey = self._register.journey_of(aid, application)
        with self._store.read() as reader:
            standing = Standing(
                documents=reader.document_count(application.id) if documents_wanted(aid) else 0,
                budget_left=None if limit is None else reader.budget(aid.id, limit).left,
                journey=journey,
            )
        shown = view_of(application, aid, funder)
        return dataclasses.replace(
            shown,
            audit=self._audits.view(application),
            register=self._log.standing(application),
            declared=stand(aid, application, standing),
        )

    @staticmethod
    def _has_budget(tx: Transactor, aid: Aid, amount: int) -> bool:
        """Whether the aid's envelope still holds `amount`; nobody else commits until the end of
        this transaction."""
        limit = budget_of(aid)
        if limit is None:
            return True
        tx.lock_budget(aid.id)
        return tx.budget(aid.id, limit).left >= amount

    def _grant(
        self,
        tx: Transactor,
        aid: Aid,
        funder: Funder,
        application: Application,
        amount: int,
        *,
        actor: str,
        at: datetime,
        reason: str = "",
    ) -> Application:
        """Accept: the amount, the award credential and its place in the status list."""
        access = access_of(aid)
        if access is None:
            body = award_body(
                aid,
                funder,
                application=application.id,
                holder=application.holder,
                amount=amount,
                period=application.period,
                at=at,
            )
        else:
            body = access_body(
                access,
                self._publishing.catalogue().engine(aid),
                application.claims.get(DECLARATION, {}),
                application=application.id,
                holder=application.holder,
                at=at,
            )
        entry = self._status_lists.take(tx, funder.slug, application.id)
        document = issue_award(
            body, signer=self._keys.signer(funder.slug, funder.did), status=entry, at=at
        )
        step = Transition(ApplicationState.ACCEPTED, at, actor, reason)
        return dataclasses.replace(
            application,
            state=ApplicationState.ACCEPTED,
            to_review=False,
            automatic=actor == "rule",
            amount=amount,
            award=document,
            decided_at=at,
            history=(*application.history, step),
        )


def budget_of(aid: Aid) -> int | None:
    """The aid's envelope in cents; None: no limit."""
    found = aid.extra.get("budgetCents")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def resumed_due(application: Application, at: datetime) -> datetime:
    """The time limit once an answer came: what was left when the clock stopped, from now on."""
    stopped = application.stopped_at
    return application.due_at if stopped is None else at + (application.due_at - stopped)


def view_of(application: Application, aid: Aid, funder: Funder | None) -> ApplicationView:
    """What a holder is told. Pure."""
    decided = application.state in (
        ApplicationState.ACCEPTED,
        ApplicationState.REFUSED,
        ApplicationState.AWARDED,
        ApplicationState.PAID,
    )
    return ApplicationView(
        id=application.id,
        aid=application.aid,
        funder=application.funder,
        funder_name="" if funder is None else funder.name,
        state=application.state.value,
        amount_cents=application.amount if application.state in CLOSED else None,
        reasons=tuple(dict(reason) for reason in application.reasons),
        checks=check_views(application.checks),
        explanation=application.explanation,
        history=tuple(
            HistoryView(step.state.value, step.at, step.actor, step.reason)
            for step in application.history
        ),
        remedies=dict(aid.remedies) if decided else {},
        mention=dict(MENTION) if application.automatic else {},
        message=application.message,
        award=application.award,
        receipt=None
        if application.automatic
        else AcknowledgementView(
            received_at=application.submitted_at,
            service=application.funder if funder is None else funder.service,
            contact="" if funder is None else funder.contact,
            due_at=application.due_at,
            stopped_at=application.stopped_at,
            silence=dict(aid.silence_means),
        ),
    )
