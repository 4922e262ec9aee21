"""The standing of what a hosted funder signed: suspended, reinstated, revoked, with its reason.

Steps of a change: (1) the member may do this to that kind of credential, and it is their funder's;
(2) the change makes sense from where it stands; (3) in one transaction the bit, and who, when, why.
A verifier sees the bit at its next reading of the list (its cache lives five minutes). A revoked
affiliation leaves its line of the staff list without one: a new code gives another.
"""

import dataclasses
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from federation.hub.access import Action
from federation.hub.errors import (
    ApplicationUnknownError,
    ColleagueUnknownError,
    DecisionRefusedError,
    NotAllowedError,
)
from federation.hub.members import Member
from federation.hub.model import StatusAct, StatusChange
from federation.hub.publishing import PublishingService
from federation.hub.staff_list import canonical_number
from federation.hub.status_lists import suspensions_of
from federation.hub.store import HubStore
from schemas.ids import Iri

__all__ = ["MAX_REASON", "Signed", "SignedKind", "StandingService", "Stands"]

MAX_REASON: Final = 500


class SignedKind(StrEnum):
    """What a funder signs here."""

    AFFILIATION = "affiliation"
    AWARD = "award"


class Stands(StrEnum):
    """How a credential stands."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Signed:
    """One credential that a funder signed, as its desk sees it."""

    credential: Iri
    """Under which its places in the lists are kept: its id, or for an award its application's."""
    kind: SignedKind
    about: str
    """The employee number, or the application's id."""
    stands: Stands
    acts: tuple[StatusAct, ...]
    """What may be done now; nothing after a revocation. A credential from before there was a list
    of suspensions can only be revoked."""
    history: tuple[StatusChange, ...]


class StandingService:
    """Reads and changes the standing of a funder's credentials."""

    def __init__(
        self, store: HubStore, publishing: PublishingService, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._publishing, self._clock = store, publishing, clock

    def of_employee(self, member: Member, employee_id: str) -> Signed:
        """The affiliation of a line of the staff list.

        Raises:
            NotAllowedError; ColleagueUnknownError: nobody of this list, or no affiliation.
        """
        slug = self._slug(member, Action.MANAGE_STAFF)
        with self._store.read() as reader:
            found = reader.employee(employee_id)
        if found is None or found.funder != slug or found.credential is None:
            raise ColleagueUnknownError
        return self._signed(slug, Iri(found.credential), SignedKind.AFFILIATION, found.number)

    def of_application(self, member: Member, application_id: str) -> Signed:
        """The award of an application.

        Raises:
            NotAllowedError; ApplicationUnknownError: none of this funder's, or no award.
        """
        slug = self._slug(member, Action.DECIDE)
        with self._store.read() as reader:
            found = reader.application(Iri(application_id), history=False)
        if found is None or found.funder != member.funder_did or found.award is None:
            raise ApplicationUnknownError
        return self._signed(slug, found.id, SignedKind.AWARD, str(found.id))

    def change(self, member: Member, signed: Signed, act: StatusAct, reason: str) -> None:
        """Carry out `act` on what `of_employee` or `of_application` gave.

        Raises:
            NotAllowedError; DecisionRefusedError: `reason` (missing or too long), `state` (it does
            not stand so that this could be done).
        """
        is_affiliation = signed.kind is SignedKind.AFFILIATION
        slug = self._slug(member, Action.MANAGE_STAFF if is_affiliation else Action.DECIDE)  # 1
        reason, now = reason.strip(), self._clock()
        if not reason or len(reason) > MAX_REASON:
            raise DecisionRefusedError("a reason is needed", where="reason")
        if act not in signed.acts:  # 2
            raise DecisionRefusedError("it does not stand so", where="state")
        with self._store.transact() as tx:  # 3
            if slug not in tx.bits_of(signed.credential):
                raise NotAllowedError
            if act is StatusAct.REVOKE:
                done = tx.revoke_credential(signed.credential, at=now)
            else:
                done = tx.suspend_credential(
                    suspensions_of(slug),
                    signed.credential,
                    at=now if act is StatusAct.SUSPEND else None,
                )
            if not done:
                raise DecisionRefusedError("somebody was first", where="state")
            if act is StatusAct.REVOKE and is_affiliation:
                line = tx.employee_of_key(slug, canonical_number(signed.about))
                if line is not None and line.credential == signed.credential:
                    tx.put_employee(
                        dataclasses.replace(
                            line,
                            code=None,
                            code_until=None,
                            code_holder=None,
                            credential=None,
                            affiliated_at=None,
                        )
                    )
            tx.put_status_change(
                StatusChange(
                    id=str(uuid.uuid4()),
                    credential=signed.credential,
                    funder=slug,
                    act=act,
                    reason=reason,
                    actor=member.name[:120],
                    at=now,
                )
            )

    def _slug(self, member: Member, action: Action) -> str:
        member.require(action)
        if member.funder is None:
            raise NotAllowedError
        return member.funder

    def _signed(self, slug: str, credential: Iri, kind: SignedKind, about: str) -> Signed:
        with self._store.read() as reader:
            bits = reader.bits_of(credential)
            history = reader.status_changes(credential)
        can_pause = suspensions_of(slug) in bits
        stands = Stands.VALID
        acts: tuple[StatusAct, ...] = (StatusAct.SUSPEND, StatusAct.REVOKE)
        if bits.get(slug) is not None:
            stands, acts = Stands.REVOKED, ()
        elif bits.get(suspensions_of(slug)) is not None:
            stands, acts = Stands.SUSPENDED, (StatusAct.REINSTATE, StatusAct.REVOKE)
        elif not can_pause:
            acts = (StatusAct.REVOKE,)
        return Signed(credential, kind, about, stands, acts, history)
