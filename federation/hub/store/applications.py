"""Applications into the database: locked, changed, each step with its entry in the register.

These statements are the ones a decision waits for. They are made once and run on the connection
itself, without the ORM; what one statement can read or write is one statement.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from sqlalchemy import Row, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from federation.decision_log import Entry, record_of
from federation.hub.model import Application, Funder, Transition
from federation.hub.tables import (
    ApplicationRow,
    FunderRow,
    HubRow,
    LogEntryRow,
    StatusIndexRow,
    TransitionRow,
)
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = ["ApplicationWrites", "ForDecision", "application_of"]

_APPLICATIONS: Final = cast("Table", ApplicationRow.__table__)
_STEPS: Final = cast("Table", TransitionRow.__table__)
_ENTRIES: Final = cast("Table", LogEntryRow.__table__)
_FUNDERS: Final = cast("Table", FunderRow.__table__)
_HUB: Final = cast("Table", HubRow.__table__)

_LOCK: Final = (
    select(_APPLICATIONS).where(_APPLICATIONS.c.id == bindparam("application")).with_for_update()
)
_STEPS_OF: Final = (
    select(_STEPS).where(_STEPS.c.application == bindparam("application")).order_by(_STEPS.c.seq)
)
_FOR_DECISION: Final = (
    select(
        _STEPS,
        _HUB.c.catalogue_version,
        *(column.label(f"funder_{column.name}") for column in _FUNDERS.c),
    )
    .select_from(_STEPS)
    .outerjoin(_HUB, _HUB.c.id == 1)
    .outerjoin(_FUNDERS, _FUNDERS.c.did == bindparam("funder"))
    .where(_STEPS.c.application == bindparam("application"))
    .order_by(_STEPS.c.seq)
)
"""The steps; beside each the catalogue's version and the funder."""
_CHANGE: Final = update(_APPLICATIONS).where(_APPLICATIONS.c.id == bindparam("application"))
_ADD_STEP: Final = insert(_STEPS)
_ADD_ENTRY: Final = insert(_ENTRIES)


@dataclass(frozen=True, slots=True)
class ForDecision:
    """A locked application and what a decision on it reads."""

    application: Application
    funder: Funder | None
    catalogue: int
    """Version of the catalogue."""


class ApplicationWrites:
    """Locks and changes applications within one transaction."""

    _session: Session
    _steps: dict[str, int]
    """How many steps there are of each application that this transaction locked."""
    _locked: dict[str, Mapping[str, Any]]
    """What each says, column by column."""

    def _insert_or_ignore(self, table: type[Any], values: Mapping[str, Any]) -> bool:
        """Insert unless the primary key is there; True when this call inserted."""
        return bool(self._inserted(table, [values]))

    def _inserted(self, table: type[Any], rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
        """Insert the rows whose primary keys are not there; the keys of those inserted."""
        dialect = self._session.get_bind().dialect.name
        maker: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        keys = list(table.__table__.primary_key.columns)
        # The row itself says whether it was inserted: drivers do not agree on a row count here.
        statement = maker(table.__table__).values([dict(row) for row in rows])
        found = self._session.connection().execute(
            statement.on_conflict_do_nothing().returning(*keys)
        )
        return list(found.all())

    def lock_application(self, application: str) -> Application | None:
        """The application, locked until the transaction ends."""
        found = self._lock(application)
        if found is None:
            return None
        rows = self._session.connection().execute(_STEPS_OF, {"application": application})
        return self._remember(replace(found, history=tuple(map(_step, rows))))

    def lock_for_decision(self, application: str, *, funder: Did) -> ForDecision | None:
        """The same, with its funder and the catalogue's version, in one statement more than the
        lock. They are read after it: what another decision committed meanwhile is seen."""
        found = self._lock(application)
        if found is None:
            return None
        rows = (
            self._session.connection()
            .execute(_FOR_DECISION, {"application": application, "funder": funder})
            .all()
        )
        told = self._remember(replace(found, history=tuple(map(_step, rows))))
        first = rows[0] if rows else None
        who = None
        if first is not None and first.funder_did is not None:
            who = Funder(
                first.funder_slug,
                Did(first.funder_did),
                first.funder_name,
                first.funder_siret,
                first.funder_level,
                first.funder_service,
                first.funder_contact,
            )
        return ForDecision(told, who, 0 if first is None else first.catalogue_version or 0)

    def _lock(self, application: str) -> Application | None:
        self._session.expire_all()
        row = self._session.connection().execute(_LOCK, {"application": application}).first()
        return None if row is None else application_of(row, ())

    def _remember(self, application: Application) -> Application:
        self._steps[application.id] = len(application.history)
        self._locked[application.id] = _columns(application)
        return application

    def put_application(self, application: Application) -> None:
        """Write an application and the steps of its history that are not there yet."""
        values = _columns(application)
        # Most writes are of one that this transaction locked: what it says already stays untouched.
        before = self._locked.get(application.id)
        if before is not None:
            changed = {name: value for name, value in values.items() if before[name] != value}
            if changed:
                self._change_application(application.id, changed)
        elif not self._insert_or_ignore(ApplicationRow, {"id": application.id, **values}):
            self._change_application(application.id, values)
        self._locked[application.id] = values
        known = self._steps.get(application.id)
        if known is None:  # nobody locked it: it is new, or its steps are counted
            steps = select(TransitionRow.seq).where(TransitionRow.application == application.id)
            known = len(self._session.scalars(steps).all())
        for seq, step in enumerate(application.history):
            if seq >= known:
                self._put_transition(application, seq, step)
        self._steps[application.id] = max(known, len(application.history))

    def _change_application(self, identifier: str, values: Mapping[str, Any]) -> None:
        self._session.connection().execute(_CHANGE, {"application": identifier, **values})

    def _put_transition(self, application: Application, seq: int, step: Transition) -> None:
        """A step, and what the register of decisions commits to of it."""
        connection = self._session.connection()
        place = {"application": application.id, "seq": seq}
        connection.execute(
            _ADD_STEP,
            {
                **place,
                "state": step.state.value,
                "at": step.at,
                "actor": step.actor,
                "reason": step.reason,
            },
        )
        entry = Entry.of(
            record_of(
                application=application.id,
                seq=seq,
                aid=application.aid,
                aid_version=application.aid_version,
                funder=application.funder,
                period=application.period,
                state=step.state.value,
                at=step.at,
                actor=step.actor,
                reason=step.reason,
                amount=application.amount,
                automatic=application.automatic,
                package=application.package,
                award=application.award,
            ),
            salt=secrets.token_bytes(32),
        )
        said = {"salt": entry.salt, "record": entry.record, "position": None, "at": step.at}
        connection.execute(_ADD_ENTRY, {**place, **said})

    # -- status lists -----------------------------------------------------------------------------

    def take_indexes(self, drawn: Mapping[str, int], credential: str) -> frozenset[str]:
        """Give positions to a credential, one in each list; the lists whose position was free."""
        rows = [
            {
                "list_id": list_id,
                "position": position,
                "credential": credential,
                "revoked_at": None,
            }
            for list_id, position in drawn.items()
        ]
        return frozenset(str(row.list_id) for row in self._inserted(StatusIndexRow, rows))


def _step(row: Row[Any]) -> Transition:
    return Transition(ApplicationState(row.state), row.at, row.actor, row.reason)


def application_of(row: Any, history: tuple[Transition, ...]) -> Application:
    """An application from its row."""
    return Application(
        id=Iri(row.id),
        aid=Iri(row.aid),
        aid_version=row.aid_version,
        funder=Did(row.funder),
        holder=Did(row.holder),
        state=ApplicationState(row.state),
        to_review=row.to_review,
        period=(row.period_from, row.period_until),
        amount=row.amount,
        automatic=row.automatic,
        package=row.package,
        checks=tuple(row.checks),
        reasons=tuple(row.reasons),
        explanation=row.explanation,
        claims=row.claims,
        message=row.message,
        award=row.award,
        submitted_at=row.submitted_at,
        due_at=row.due_at,
        decided_at=row.decided_at,
        assignee=row.assignee,
        employee=row.employee,
        payment=row.payment,
        history=history,
    )


def _columns(application: Application) -> dict[str, Any]:
    """An application's row, without its id."""
    return {
        "aid": application.aid,
        "aid_version": application.aid_version,
        "funder": application.funder,
        "holder": application.holder,
        "state": application.state.value,
        "to_review": application.to_review,
        "period_from": application.period[0],
        "period_until": application.period[1],
        "amount": application.amount,
        "assignee": application.assignee,
        "employee": application.employee,
        "payment": application.payment,
        "automatic": application.automatic,
        "package": application.package,
        "checks": list(application.checks),
        "reasons": list(application.reasons),
        "explanation": dict(application.explanation),
        "claims": dict(application.claims),
        "message": application.message,
        "award": None if application.award is None else dict(application.award),
        "submitted_at": application.submitted_at,
        "due_at": application.due_at,
        "decided_at": application.decided_at,
    }
