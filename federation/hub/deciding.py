"""What an officer does with an application: decide, ask for information, take it."""

import dataclasses

from federation.aids.access import access_of
from federation.hub.applications import ApplicationBase
from federation.hub.errors import (
    AlreadyAwardedError,
    ApplicationUnknownError,
    DecisionRefusedError,
)
from federation.hub.model import (
    DECIDABLE,
    Application,
    LedgerState,
    Transition,
)
from schemas.ids import Did
from schemas.records import ApplicationState

__all__ = ["Decisions"]


class Decisions(ApplicationBase):
    """A person's acts; whose they may be is checked by `desk.py` and here."""

    def decide(
        self,
        application_id: str,
        *,
        funder_did: Did,
        officer: str,
        accept: bool,
        reason: str,
        amount: int | None = None,
    ) -> Application:
        """A person's decision, with its reason.

        Raises:
            ApplicationUnknownError: none of this funder's.
            DecisionRefusedError: no reason, a state that cannot be decided, an amount that is not.
        """
        if not reason.strip() or len(reason) > 4_000:
            raise DecisionRefusedError("a reason is needed", where="reason")
        now = self._clock()
        with self._store.transact() as tx:
            locked = tx.lock_for_decision(application_id, funder=funder_did)
            found = _decidable(None if locked is None else locked.application, funder_did)
            if accept and locked is not None:
                aid = self._publishing.aid(found.aid, tx, version=locked.catalogue)
                funder = locked.funder
                final = found.amount if amount is None else amount
                if access_of(aid) is not None:  # a way in, no money
                    final, least = 0, 0
                else:
                    least = 1
                if funder is None or final is None or not least <= final <= 100_000_00:
                    raise DecisionRefusedError("an amount above zero is needed", where="amount")
                if not found.claims:
                    raise DecisionRefusedError("the package is not verified yet", where="checks")
                if not self._has_budget(tx, aid, final):
                    raise DecisionRefusedError("the budget does not hold it", where="budget")
                was_refused = any(step.state is ApplicationState.REFUSED for step in found.history)
                taken_by = tx.retake(found.id, was_refused=was_refused, at=now)
                if taken_by is not None:
                    raise AlreadyAwardedError(taken_by.family, taken_by.period)
                decided = self._grant(
                    tx, aid, funder, found, final, actor=officer, at=now, reason=reason
                )
            else:
                decided = dataclasses.replace(
                    found,
                    state=ApplicationState.REFUSED,
                    to_review=False,
                    automatic=False,
                    amount=None,
                    decided_at=now,
                    history=(
                        *found.history,
                        Transition(ApplicationState.REFUSED, now, officer, reason),
                    ),
                )
                tx.settle(found.id, LedgerState.RELEASED, at=now)
            tx.put_application(decided)
        return decided

    def request_information(
        self, application_id: str, *, funder_did: Did, officer: str, message: str
    ) -> Application:
        """Ask the holder for something; the clock stops until the answer.

        Raises:
            ApplicationUnknownError, DecisionRefusedError.
        """
        if not message.strip() or len(message) > 4_000:
            raise DecisionRefusedError("say what is missing", where="message")
        now = self._clock()
        with self._store.transact() as tx:
            found = _decidable(tx.lock_application(application_id), funder_did)
            if found.state is ApplicationState.NEEDS_INFORMATION:
                raise DecisionRefusedError("an answer is awaited already", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.NEEDS_INFORMATION,
                to_review=True,
                message=message,
                history=(
                    *found.history,
                    Transition(ApplicationState.NEEDS_INFORMATION, now, officer, message),
                ),
            )
            tx.put_application(changed)
        return changed

    def assign(self, application_id: str, *, funder_did: Did, member: str | None) -> Application:
        """Give an application to a member, or to nobody."""
        with self._store.transact() as tx:
            found = _decidable(tx.lock_application(application_id), funder_did)
            changed = dataclasses.replace(found, assignee=member)
            tx.put_application(changed)
        return changed


def _decidable(found: Application | None, funder_did: Did) -> Application:
    """The application, if it is this funder's and waits for a decision.

    Raises:
        ApplicationUnknownError, DecisionRefusedError.
    """
    if found is None or found.funder != funder_did:
        raise ApplicationUnknownError
    if found.state not in DECIDABLE:
        raise DecisionRefusedError("already decided or withdrawn", where="state")
    return found
