"""Every write of the hub's store; exists only inside its transaction."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from federation.aids.infrastructure import CommuneCount
from federation.aids.model import aid_from_json
from federation.hub.model import (
    AcceptedAgreement,
    Audit,
    DocumentKey,
    Employee,
    Funder,
    Hold,
    InfrastructureSet,
    Invitation,
    LedgerState,
    MemberPasskey,
    Notice,
    NoticePreference,
    OfferVersion,
    Package,
    Payment,
    Report,
    Request,
    StatusChange,
    StoredMember,
    StoredSession,
)
from federation.hub.store.applications import ApplicationWrites
from federation.hub.store.drafts import DraftWrites
from federation.hub.store.reader import Reader
from federation.hub.tables import (
    AgreementRow,
    AidRevisionRow,
    AidRow,
    AuditRow,
    BudgetHeadRow,
    CatalogueRow,
    DocumentRow,
    EmployeeRow,
    FunderKeyRow,
    FunderRow,
    HubRow,
    InfrastructureCountRow,
    InfrastructureSetRow,
    InvitationRow,
    LedgerHeadRow,
    LedgerRow,
    LogCheckpointRow,
    LogEntryRow,
    LoginFailureRow,
    LogNodeRow,
    LogTimestampRow,
    MemberChallengeRow,
    MemberPasskeyRow,
    MemberRow,
    MemberSessionRow,
    ModelRow,
    NoticePreferenceRow,
    NoticeRow,
    OfferRow,
    PackageRow,
    PaymentRow,
    RefusalRow,
    ReportRow,
    RequestRow,
    ServiceRow,
    SnapshotRow,
    StatusChangeRow,
    StatusIndexRow,
    TrustEntryRow,
    UsedTokenRow,
    WitnessRow,
)
from federation.ports import DocumentEnvelope
from federation.wire.jobs import MAX_ATTEMPTS, Job, Outbox

__all__ = ["Transactor"]

_LEDGER: Final = cast("Table", LedgerRow.__table__)
_SETTLE: Final = update(_LEDGER).where(
    _LEDGER.c.application == bindparam("held_by"),
    _LEDGER.c.state != LedgerState.RELEASED.value,
)


class Transactor(Reader, ApplicationWrites, DraftWrites):
    """Reads and writes within one transaction."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        super().__init__(session)
        self._outbox = outbox
        self._steps = {}
        self._locked = {}

    def enqueue(
        self,
        kind: str,
        key: str,
        *,
        payload: bytes,
        at: datetime,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> Job:
        """An outbox row in this transaction."""
        return self._outbox.enqueue(
            self._session, kind, key=key, payload=payload, at=at, max_attempts=max_attempts
        )

    def again(self, job: Job, *, at: datetime) -> None:
        """Give a job that worked back, for another time."""
        self._outbox.save_progress(self._session, job, b"", at=at)

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

    def put_aid(
        self, document: Mapping[str, Any], *, at: datetime, actor: str = "hub", note: str = ""
    ) -> bool:
        """Add or change an aid, with a line in its history; False when it says that already.

        The caller holds the hub's row (`lock_hub`): numbers of revisions have no gap and no twin.
        """
        kept = self._session.get(AidRow, document["slug"])
        if kept is not None and kept.document == document:
            return False
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
        last = self._session.scalar(select(func.max(AidRevisionRow.number)))
        self._session.add(
            AidRevisionRow(
                number=(last or 0) + 1,
                slug=document["slug"],
                status=document["status"],
                is_public=aid_from_json(document).is_public,
                document=dict(document),
                actor=actor,
                note=note,
                at=at,
            )
        )
        self._session.flush()
        return True

    def put_report(self, report: Report) -> None:
        """Add or change a report."""
        self._session.merge(
            ReportRow(
                id=report.id,
                secret=report.secret,
                subject=report.subject.value,
                slug=report.slug,
                text=report.text,
                link=report.link,
                at=report.at,
                state=report.state.value,
                answer=report.answer,
                member=report.member,
                answered_at=report.answered_at,
            )
        )
        self._session.flush()

    def drop_reports(self, *, answered_before: datetime) -> None:
        """Forget answered reports."""
        self._session.execute(delete(ReportRow).where(ReportRow.answered_at < answered_before))

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

    def put_service(
        self, did: str, profile: str, *, version: int, token: str, is_ended: bool, at: datetime
    ) -> None:
        """Add or replace the announcement of one member's service."""
        self._session.merge(
            ServiceRow(
                did=did, profile=profile, version=version, token=token, is_ended=is_ended, at=at
            )
        )

    def put_offer(self, found: OfferVersion) -> None:
        """Add or change one version of an offer."""
        row = OfferRow(
            did=found.operator,
            offer=found.offer,
            version=found.version,
            token=found.token,
            state=found.state.value,
            at=found.at,
            decided_at=found.decided_at,
            decided_by=found.decided_by,
            note=found.note,
        )
        self._session.merge(row)
        self._session.flush()

    def drop_offer(self, found: OfferVersion) -> None:
        """Forget one version: nothing points at it any more."""
        row = self._session.get(OfferRow, (found.operator, found.offer, found.version))
        if row is not None:
            self._session.delete(row)
            self._session.flush()

    def put_infrastructure(self, found: InfrastructureSet, counts: Sequence[CommuneCount]) -> None:
        """Put the counts of a file in the place of those of its kind."""
        self.drop_infrastructure(found.kind)
        self._session.add(
            InfrastructureSetRow(
                kind=found.kind.value,
                source=found.source,
                licence=found.licence,
                day=found.day,
                at=found.at,
                items=found.items,
                elsewhere=found.elsewhere,
                left_out=found.left_out,
            )
        )
        self._session.flush()
        self._session.execute(
            insert(InfrastructureCountRow),
            [
                {
                    "kind": found.kind.value,
                    "commune": one.commune,
                    "count": one.count,
                    "amount": one.amount,
                }
                for one in counts
            ],
        )

    def drop_infrastructure(self, kind: str) -> None:
        """Forget the file of a kind."""
        for row in (InfrastructureCountRow, InfrastructureSetRow):
            self._session.execute(delete(row).where(row.kind == str(kind)))

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

    def add_document(self, package: str, document: DocumentEnvelope) -> None:
        """One more sealed document beside a package."""
        taken = self._session.scalars(
            select(DocumentRow.position).where(DocumentRow.package == package)
        ).all()
        self._session.execute(
            insert(DocumentRow).values(
                package=package,
                position=1 + max(taken, default=-1),
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

    # -- notices ----------------------------------------------------------------------------------

    def put_notice(self, notice: Notice) -> None:
        """Tell one person something."""
        self._session.execute(
            insert(NoticeRow).values(
                id=notice.id,
                member=notice.member,
                kind=notice.kind.value,
                application=notice.application,
                aid=notice.aid,
                at=notice.at,
                read_at=notice.read_at,
            )
        )

    def read_notices(self, member: str, *, application: str, at: datetime) -> None:
        """Mark a member's notices read: those of an application, or all."""
        row = NoticeRow
        query = update(row).where(row.member == member, row.read_at.is_(None))
        if application:
            query = query.where(row.application == application)
        self._session.execute(query.values(read_at=at).execution_options(synchronize_session=False))

    def put_notice_preference(self, preference: NoticePreference) -> None:
        """Keep what a member chose."""
        self._session.merge(
            NoticePreferenceRow(
                member=preference.member,
                mail=preference.mail.value,
                address=preference.address,
                language=preference.language,
            )
        )
        self._session.flush()

    # -- the register of decisions ----------------------------------------------------------------

    def put_log_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Full subtrees (level, index, hash) that came to be."""
        self._session.execute(
            insert(LogNodeRow),
            [{"level": lv, "position": index, "digest": value} for lv, index, value in nodes],
        )

    def place_log_entry(self, application: str, seq: int, position: int) -> None:
        """Give a waiting entry its leaf."""
        self._session.execute(
            update(LogEntryRow)
            .where(
                LogEntryRow.application == application,
                LogEntryRow.seq == seq,
                LogEntryRow.position.is_(None),
            )
            .values(position=position)
            .execution_options(synchronize_session=False)
        )

    def put_checkpoint(self, size: int, note: bytes, *, at: datetime) -> None:
        """Keep a signed head."""
        self._session.execute(insert(LogCheckpointRow).values(size=size, note=note, made_at=at))

    def put_timestamp(self, digest: bytes, reply: bytes, *, at: datetime) -> bool:
        """Keep an authority's answer; the first over a content stands."""
        return self._insert_or_ignore(
            LogTimestampRow, {"digest": digest.hex(), "reply": reply, "at": at}
        )

    def put_audit(self, audit: Audit) -> None:
        """Write the check by sample of an application."""
        self._session.merge(
            AuditRow(
                application=audit.application,
                funder=audit.funder,
                nonce=audit.nonce,
                leaves=audit.leaves,
                state=audit.state.value,
                asked_by=audit.asked_by,
                asked_at=audit.asked_at,
                answered_at=audit.answered_at,
                checks=list(audit.checks),
            )
        )
        self._session.flush()

    # -- exclusivity ------------------------------------------------------------------------------

    def reserve_all(
        self,
        holds: Sequence[Hold],
        *,
        application: str,
        state: LedgerState = LedgerState.RESERVED,
        at: datetime,
    ) -> Hold | None:
        """Hold everything for one application, or nothing: the first hold of which another
        application has an overlap is given back.

        The head row of each nullifier is locked first, in one order for all writers, so of any
        number of claims exactly one wins and no two wait for each other. The same application may
        reserve again: what it held before is replaced.
        """
        ordered = sorted(set(holds), key=lambda h: (h.family, h.version, h.nullifier, h.period))
        for hold in ordered:
            self._lock_ledger(hold)
            if self.is_held(hold, application):
                return hold
        if ordered:
            self.settle(application, LedgerState.RELEASED, at=at)
        for hold in ordered:
            self._session.execute(
                insert(LedgerRow).values(
                    id=str(uuid.uuid4()),
                    family=hold.family,
                    version=hold.version,
                    nullifier=hold.nullifier,
                    application=application,
                    period_from=hold.period[0],
                    period_until=hold.period[1],
                    state=state.value,
                    changed_at=at,
                )
            )
        return None

    def _lock_ledger(self, hold: Hold) -> None:
        """One claim on a nullifier at a time, until the transaction ends."""
        key = {"family": hold.family, "version": hold.version, "nullifier": hold.nullifier}
        self._insert_or_ignore(LedgerHeadRow, key)
        self._session.execute(
            select(LedgerHeadRow.nullifier)
            .where(
                LedgerHeadRow.family == hold.family,
                LedgerHeadRow.version == hold.version,
                LedgerHeadRow.nullifier == hold.nullifier,
            )
            .with_for_update()
        )

    def is_held(self, hold: Hold, application: str = "") -> bool:
        """Whether another application (without one, any) holds an overlap."""
        held = self._session.execute(
            select(LedgerRow.application).where(
                LedgerRow.family == hold.family,
                LedgerRow.version == hold.version,
                LedgerRow.nullifier == hold.nullifier,
                LedgerRow.state != LedgerState.RELEASED.value,
                LedgerRow.period_from <= hold.period[1],
                LedgerRow.period_until >= hold.period[0],
            )
        ).all()
        return any(row.application != application for row in held)

    def retake(self, application: str, *, was_refused: bool, at: datetime) -> Hold | None:
        """Consume what an application holds; what a refusal that was contested had released is
        claimed again first. The hold that another application took meanwhile, else None."""
        if self.settle(application, LedgerState.CONSUMED, at=at) or not was_refused:
            return None
        rows = self._session.execute(
            select(
                LedgerRow.family,
                LedgerRow.version,
                LedgerRow.nullifier,
                LedgerRow.period_from,
                LedgerRow.period_until,
                LedgerRow.changed_at,
            )
            .where(LedgerRow.application == application)
            .order_by(LedgerRow.changed_at.desc())
        ).all()
        # Of what earlier packages held, only what the last one released together.
        holds = [
            Hold(row.family, int(row.version), row.nullifier, (row.period_from, row.period_until))
            for row in rows
            if row.changed_at == rows[0].changed_at
        ]
        return self.reserve_all(holds, application=application, state=LedgerState.CONSUMED, at=at)

    # -- budgets and payments ----------------------------------------------------------------------

    def lock_budget(self, aid: str) -> None:
        """One commitment of an aid's envelope at a time, until the transaction ends."""
        self._insert_or_ignore(BudgetHeadRow, {"aid": aid})
        self._session.execute(
            select(BudgetHeadRow.aid).where(BudgetHeadRow.aid == aid).with_for_update()
        )

    def put_payment(self, payment: Payment) -> None:
        """A new payment file."""
        self._session.add(
            PaymentRow(
                id=payment.id,
                funder=payment.funder,
                number=payment.number,
                member=payment.member,
                made_at=payment.made_at,
                count=payment.count,
                total=payment.total,
            )
        )
        self._session.flush()

    def settle(self, application: str, state: LedgerState, *, at: datetime) -> int:
        """Consume or release what an application holds; how many rows changed."""
        done = self._session.connection().execute(
            _SETTLE, {"held_by": application, "state": state.value, "changed_at": at}
        )
        return int(getattr(done, "rowcount", 0))

    # -- status list ------------------------------------------------------------------------------

    def revoke_credential(self, credential: str, *, at: datetime) -> bool:
        """Set the revocation bit of a credential; False when we did not issue it, or when it is
        set."""
        done = self._session.execute(
            update(StatusIndexRow)
            .where(
                StatusIndexRow.credential == credential,
                StatusIndexRow.list_id.not_like("%/suspension"),
                StatusIndexRow.revoked_at.is_(None),
            )
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def suspend_credential(self, list_id: str, credential: str, *, at: datetime | None) -> bool:
        """Set the bit of a credential in a list of suspensions, or clear it (None); False when it
        stands so already, or has no place there."""
        bit = StatusIndexRow.revoked_at
        done = self._session.execute(
            update(StatusIndexRow)
            .where(
                StatusIndexRow.list_id == list_id,
                StatusIndexRow.credential == credential,
                bit.is_not(None) if at is None else bit.is_(None),
            )
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def put_status_change(self, change: StatusChange) -> None:
        """Append who changed the standing of a credential, when and why."""
        self._session.add(
            StatusChangeRow(
                id=change.id,
                credential=change.credential,
                funder=change.funder,
                act=change.act.value,
                reason=change.reason,
                actor=change.actor,
                at=change.at,
            )
        )

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

    def put_passkey(self, passkey: MemberPasskey) -> bool:
        """Add a passkey; False when its id is known."""
        return self._insert_or_ignore(
            MemberPasskeyRow,
            {
                "id": passkey.id,
                "member": passkey.member,
                "public_key": passkey.public_key,
                "sign_count": passkey.sign_count,
                "name": passkey.name,
                "created_at": passkey.created_at,
                "used_on": passkey.used_on,
            },
        )

    def count_signature(self, credential_id: str, *, count: int, on: date) -> bool:
        """Note a use; False when the counter did not go up: a copy exists.

        WebAuthn §6.1.1: authenticators without a counter always say 0.
        """
        row = MemberPasskeyRow
        query = update(row).where(row.id == credential_id)
        query = query.where(row.sign_count < count) if count else query.where(row.sign_count == 0)
        done = self._session.execute(
            query.values(sign_count=count, used_on=on).execution_options(synchronize_session=False)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def drop_passkey(self, member: str, credential_id: str) -> bool:
        """Remove one passkey of a member; False when it is not theirs."""
        done = self._session.execute(
            delete(MemberPasskeyRow).where(
                MemberPasskeyRow.member == member, MemberPasskeyRow.id == credential_id
            )
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def put_challenge(
        self, digest: str, *, purpose: str, member: str | None, expires_at: datetime
    ) -> None:
        """A challenge that waits for its answer."""
        self._session.execute(
            insert(MemberChallengeRow).values(
                id=digest, purpose=purpose, member=member, expires_at=expires_at
            )
        )

    def take_challenge(
        self, digest: str, *, purpose: str, member: str | None, at: datetime
    ) -> bool:
        """Use a challenge up; False when it is unknown, late, or another one's."""
        row = MemberChallengeRow
        self._session.execute(delete(row).where(row.expires_at <= at))
        query = delete(row).where(row.id == digest, row.purpose == purpose)
        query = query.where(row.member.is_(None) if member is None else row.member == member)
        done = self._session.execute(query)
        return bool(getattr(done, "rowcount", 0) == 1)

    def put_invitation(self, invitation: Invitation) -> None:
        """Add or change an invitation."""
        self._session.merge(
            InvitationRow(
                id=invitation.id,
                funder=invitation.funder,
                is_colleague=invitation.is_colleague,
                siret=invitation.siret,
                roles=list(invitation.roles),
                note=invitation.note,
                member=invitation.member,
                created_at=invitation.created_at,
                expires_at=invitation.expires_at,
                used_at=invitation.used_at,
            )
        )
        self._session.flush()

    def drop_invitation(self, identifier: str, *, funder: str) -> None:
        """Take back an invitation of a colleague."""
        self._session.execute(
            delete(InvitationRow).where(
                InvitationRow.id == identifier,
                InvitationRow.funder == funder,
                InvitationRow.is_colleague.is_(True),
            )
        )

    def lock_invitation(self, identifier: str) -> Invitation | None:
        """The invitation, locked until the transaction ends: it lets one person in."""
        self._session.execute(
            select(InvitationRow.id).where(InvitationRow.id == identifier).with_for_update()
        )
        self._session.expire_all()
        return self.invitation(identifier)

    # -- what a funder agreed to, and its keys ---------------------------------------------------

    def put_agreement(self, accepted: AcceptedAgreement) -> bool:
        """Keep an acceptance; the first of a version stands."""
        return self._insert_or_ignore(
            AgreementRow,
            {
                "funder": accepted.funder,
                "version": accepted.version,
                "digest": accepted.digest,
                "member": accepted.member,
                "member_name": accepted.member_name,
                "accepted_at": accepted.accepted_at,
            },
        )

    def put_document_key(self, key: DocumentKey) -> bool:
        """Keep a version of a document key; False when that version is taken."""
        return self._insert_or_ignore(
            FunderKeyRow,
            {
                "funder": key.funder,
                "version": key.version,
                "public": key.public,
                "member": key.member,
                "created_at": key.created_at,
                "not_after": key.not_after,
            },
        )

    # -- staff lists ------------------------------------------------------------------------------

    def put_employee(self, employee: Employee) -> None:
        """Add or change a line of a staff list."""
        self._session.merge(
            EmployeeRow(
                id=employee.id,
                funder=employee.funder,
                number=employee.number,
                key=employee.key,
                status=employee.status,
                mail=employee.mail,
                added_at=employee.added_at,
                code=employee.code,
                code_until=employee.code_until,
                code_holder=employee.code_holder,
                credential=employee.credential,
                affiliated_at=employee.affiliated_at,
                left_at=employee.left_at,
            )
        )
        self._session.flush()

    def lock_employee(self, employee_id: str) -> Employee | None:
        """One line, locked until the transaction ends: a code is used once."""
        self._session.execute(
            select(EmployeeRow.id).where(EmployeeRow.id == employee_id).with_for_update()
        )
        self._session.expire_all()
        return self.employee(employee_id)

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
