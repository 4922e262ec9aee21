"""Every write of the hub's store; exists only inside its transaction."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from federation.hub.model import (
    Application,
    Funder,
    LedgerState,
    Package,
    Request,
    StoredMember,
    StoredSession,
    Transition,
)
from federation.hub.store.reader import Reader
from federation.hub.tables import (
    AidRow,
    ApplicationRow,
    CatalogueRow,
    DocumentRow,
    FunderRow,
    HubRow,
    LedgerHeadRow,
    LedgerRow,
    LoginFailureRow,
    MemberRow,
    MemberSessionRow,
    ModelRow,
    PackageRow,
    RefusalRow,
    RequestRow,
    SnapshotRow,
    StatusIndexRow,
    TransitionRow,
    TrustEntryRow,
    UsedTokenRow,
    WitnessRow,
)
from federation.wire.jobs import Job, Outbox

__all__ = ["Transactor"]


class Transactor(Reader):
    """Reads and writes within one transaction."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        super().__init__(session)
        self._outbox = outbox

    def _insert_or_ignore(self, table: type[Any], values: Mapping[str, Any]) -> bool:
        """Insert unless the primary key is there; True when this call inserted."""
        dialect = self._session.get_bind().dialect.name
        maker: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        keys = list(table.__table__.primary_key.columns)
        # The row itself says whether it was inserted: drivers do not agree on a row count here.
        statement = maker(table).values(**values).on_conflict_do_nothing().returning(*keys)
        return self._session.execute(statement).first() is not None

    def enqueue(self, kind: str, key: str, *, payload: bytes, at: datetime) -> Job:
        """An outbox row in this transaction."""
        return self._outbox.enqueue(self._session, kind, key=key, payload=payload, at=at)

    def complete(self, job: Job, *, at: datetime) -> None:
        """Mark a job done in the transaction of its effect."""
        self._outbox.complete(self._session, job, at=at)

    # -- the head row -----------------------------------------------------------------------------

    def lock_hub(self) -> HubRow:
        """The counters, locked until the transaction ends."""
        self._insert_or_ignore(HubRow, {"id": 1, "trust_version": 0, "catalogue_version": 0})
        return self._session.scalars(select(HubRow).where(HubRow.id == 1).with_for_update()).one()

    def put_funder(self, funder: Funder, *, at: datetime) -> None:
        """Add or change a hosted funder."""
        self._session.merge(
            FunderRow(
                slug=funder.slug,
                did=funder.did,
                name=funder.name,
                siret=funder.siret,
                level=funder.level,
                service=funder.service,
                contact=funder.contact,
                created_at=at,
            )
        )
        self._session.flush()

    def put_aid(self, document: Mapping[str, Any], *, at: datetime) -> None:
        """Add or change an aid."""
        self._session.merge(
            AidRow(
                slug=document["slug"],
                id=document["id"],
                funder=document["funder"],
                model=document["rule"]["model"],
                status=document["status"],
                document=dict(document),
                updated_at=at,
            )
        )
        self._session.flush()

    def put_model(self, name: str, version: str, rules: Mapping[str, Any], *, at: datetime) -> None:
        """Add or change a rule model."""
        self._session.merge(ModelRow(name=name, version=version, rules=dict(rules), updated_at=at))
        self._session.flush()

    def put_catalogue(self, version: int, digest: str, content: bytes, *, at: datetime) -> None:
        """Keep a signed catalogue under its version."""
        self._session.add(
            CatalogueRow(version=version, digest=digest, content=content, issued_at=at)
        )
        self._session.flush()

    def put_trust_entry(self, document: Mapping[str, Any], *, at: datetime) -> None:
        """Add or change an accredited entry."""
        self._session.merge(
            TrustEntryRow(did=document["did"], document=dict(document), updated_at=at)
        )
        self._session.flush()

    def put_snapshot(
        self, version: int, digest: str, content: bytes, *, at: datetime, expires_at: datetime
    ) -> None:
        """Keep a signed snapshot under its version."""
        self._session.add(
            SnapshotRow(
                version=version, digest=digest, content=content, issued_at=at, expires_at=expires_at
            )
        )
        self._session.flush()

    # -- requests and packages --------------------------------------------------------------------

    def put_request(self, request: Request) -> None:
        """A new request; its nonce is unique."""
        self._session.execute(
            insert(RequestRow).values(
                id=request.id,
                nonce=request.nonce,
                state=request.state,
                aid=request.aid,
                application=request.application,
                period_from=request.period[0],
                period_until=request.period[1],
                token=request.token,
                issued_at=request.issued_at,
                expires_at=request.expires_at,
            )
        )

    def lock_request(self, request_id: str) -> Request | None:
        """The request, locked until the transaction ends: one answer at a time."""
        self._session.execute(
            select(RequestRow.id).where(RequestRow.id == request_id).with_for_update()
        )
        self._session.expire_all()
        return self.request(request_id)

    def use_nonce(
        self, request_id: str, *, digest: str, receipt: Mapping[str, Any], at: datetime
    ) -> bool:
        """Use the request's nonce for one package; False when another already did."""
        done = self._session.execute(
            update(RequestRow)
            .where(RequestRow.id == request_id, RequestRow.used_at.is_(None))
            .values(used_at=at, answer_digest=digest, receipt=dict(receipt))
            .execution_options(synchronize_session=False)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def put_package(self, package: Package) -> None:
        """A proof package and its sealed documents."""
        self._session.execute(
            insert(PackageRow).values(
                digest=package.digest,
                application=package.application,
                request=package.request,
                vp_token=dict(package.vp_token),
                consent_receipt=dict(package.consent_receipt),
                received_at=package.received_at,
            )
        )
        for position, document in enumerate(package.documents):
            self._session.execute(
                insert(DocumentRow).values(
                    package=package.digest,
                    position=position,
                    name=document.name,
                    media_type=document.media_type,
                    key_id=document.key_id,
                    sealed=document.sealed,
                )
            )

    def put_refusal(self, aid: str, funder: str, codes: Sequence[str], *, at: datetime) -> None:
        """Note a package refused at intake."""
        self._session.execute(
            insert(RefusalRow).values(
                id=str(uuid.uuid4()), aid=aid, funder=funder, codes=list(codes), at=at
            )
        )

    def use_token(self, kind: str, value: str, *, expires_at: datetime) -> bool:
        """Note a single-use value; False when it was seen before."""
        return self._insert_or_ignore(
            UsedTokenRow, {"kind": kind, "value": value, "expires_at": expires_at}
        )

    def forget_tokens(self, *, before: datetime) -> None:
        """Drop single-use values past their expiry."""
        self._session.execute(delete(UsedTokenRow).where(UsedTokenRow.expires_at < before))

    # -- applications -----------------------------------------------------------------------------

    def lock_application(self, application: str) -> Application | None:
        """The application, locked until the transaction ends."""
        self._session.execute(
            select(ApplicationRow.id).where(ApplicationRow.id == application).with_for_update()
        )
        self._session.expire_all()
        return self.application(application)

    def put_application(self, application: Application) -> None:
        """Write an application and the steps of its history that are not there yet."""
        values: dict[str, Any] = {
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
        inserted = self._insert_or_ignore(ApplicationRow, {"id": application.id, **values})
        if not inserted:
            self._session.execute(
                update(ApplicationRow)
                .where(ApplicationRow.id == application.id)
                .values(**values)
                .execution_options(synchronize_session=False)
            )
        known = len(
            self._session.scalars(
                select(TransitionRow.seq).where(TransitionRow.application == application.id)
            ).all()
        )
        for seq, step in enumerate(application.history):
            if seq >= known:
                self._put_transition(application.id, seq, step)

    def _put_transition(self, application: str, seq: int, step: Transition) -> None:
        self._session.execute(
            insert(TransitionRow).values(
                application=application,
                seq=seq,
                state=step.state.value,
                at=step.at,
                actor=step.actor,
                reason=step.reason,
            )
        )

    # -- exclusivity ------------------------------------------------------------------------------

    def reserve(
        self,
        family: str,
        version: int,
        nullifier: str,
        *,
        application: str,
        period: tuple[date, date],
        state: LedgerState = LedgerState.RESERVED,
        at: datetime,
    ) -> bool:
        """Hold a period of a nullifier for one application; False when another holds an overlap.

        The head row of the nullifier is locked first, so of any number of claims exactly one wins.
        The same application may reserve again: its earlier period is replaced.
        """
        key = {"family": family, "version": version, "nullifier": nullifier}
        self._insert_or_ignore(LedgerHeadRow, key)
        self._session.execute(
            select(LedgerHeadRow.nullifier)
            .where(
                LedgerHeadRow.family == family,
                LedgerHeadRow.version == version,
                LedgerHeadRow.nullifier == nullifier,
            )
            .with_for_update()
        )
        held = self._session.execute(
            select(LedgerRow.id, LedgerRow.application, LedgerRow.state).where(
                LedgerRow.family == family,
                LedgerRow.version == version,
                LedgerRow.nullifier == nullifier,
                LedgerRow.state != LedgerState.RELEASED.value,
                LedgerRow.period_from <= period[1],
                LedgerRow.period_until >= period[0],
            )
        ).all()
        if any(row.application != application for row in held):
            return False
        self.settle(application, LedgerState.RELEASED, at=at)
        self._session.execute(
            insert(LedgerRow).values(
                id=str(uuid.uuid4()),
                **key,
                application=application,
                period_from=period[0],
                period_until=period[1],
                state=state.value,
                changed_at=at,
            )
        )
        return True

    def settle(self, application: str, state: LedgerState, *, at: datetime) -> int:
        """Consume or release what an application holds; how many rows changed."""
        done = self._session.execute(
            update(LedgerRow)
            .where(
                LedgerRow.application == application,
                LedgerRow.state != LedgerState.RELEASED.value,
            )
            .values(state=state.value, changed_at=at)
            .execution_options(synchronize_session=False)
        )
        return int(getattr(done, "rowcount", 0))

    # -- status list ------------------------------------------------------------------------------

    def take_index(self, list_id: str, position: int, credential: str) -> bool:
        """Give a position of the status list to a credential; False when it is taken."""
        return self._insert_or_ignore(
            StatusIndexRow,
            {
                "list_id": list_id,
                "position": position,
                "credential": credential,
                "revoked_at": None,
            },
        )

    def revoke_credential(self, credential: str, *, at: datetime) -> bool:
        """Set the bit of a credential; False when we did not issue it."""
        done = self._session.execute(
            update(StatusIndexRow)
            .where(StatusIndexRow.credential == credential, StatusIndexRow.revoked_at.is_(None))
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    # -- members ----------------------------------------------------------------------------------

    def put_member(self, member: StoredMember) -> None:
        """Add or change a member."""
        self._session.merge(
            MemberRow(
                id=member.id,
                login=member.login,
                name=member.name,
                password=member.password,
                roles=list(member.roles),
                funder=member.funder,
                created_at=member.created_at,
                disabled_at=member.disabled_at,
            )
        )
        self._session.flush()

    def put_session(self, session: StoredSession) -> None:
        """A new sign-in."""
        self._session.add(
            MemberSessionRow(
                id=session.id,
                member=session.member,
                csrf=session.csrf,
                created_at=session.created_at,
                seen_at=session.seen_at,
            )
        )
        self._session.flush()

    def touch_session(self, session_id: str, *, at: datetime) -> None:
        """Note that a session was used."""
        self._session.execute(
            update(MemberSessionRow)
            .where(MemberSessionRow.id == session_id)
            .values(seen_at=at)
            .execution_options(synchronize_session=False)
        )

    def drop_session(self, *, session_id: str = "", member: str = "") -> None:
        """Sign out one session, or every session of a member."""
        query = delete(MemberSessionRow)
        query = (
            query.where(MemberSessionRow.id == session_id)
            if session_id
            else query.where(MemberSessionRow.member == member)
        )
        self._session.execute(query.execution_options(synchronize_session=False))

    def put_login_failure(self, address: str, login: str, *, at: datetime) -> None:
        """Count a failed sign-in."""
        self._session.execute(
            insert(LoginFailureRow).values(
                id=str(uuid.uuid4()), address=address, login=login, at=at
            )
        )

    def forget_login_failures(self, *, before: datetime) -> None:
        """Drop old failures."""
        self._session.execute(delete(LoginFailureRow).where(LoginFailureRow.at < before))

    # -- witnessed heads --------------------------------------------------------------------------

    def append_witness(
        self,
        identifier: str,
        *,
        number: int,
        seq: int,
        commitment: bytes,
        restored: bool,
        at: datetime,
    ) -> bool:
        """Add one row; False when another writer took this number first."""
        return self._insert_or_ignore(
            WitnessRow,
            {
                "id": identifier,
                "number": number,
                "seq": seq,
                "commitment": commitment,
                "restored": restored,
                "at": at,
            },
        )
