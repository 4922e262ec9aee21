"""Every read of the hub's store. Rows in, dataclasses out."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from federation.aids.infrastructure import InfrastructureKind
from federation.aids.lifecycle import AidRevision, changes
from federation.aids.model import aid_from_json
from federation.decision_log import Entry
from federation.hub.model import (
    DECIDABLE,
    AcceptedAgreement,
    Application,
    Audit,
    AuditState,
    Budget,
    DocumentKey,
    Employee,
    Funder,
    InfrastructureSet,
    Invitation,
    LoggedStep,
    MailChoice,
    MemberPasskey,
    Notice,
    NoticeKind,
    NoticePreference,
    OfferState,
    OfferVersion,
    Package,
    Payment,
    QueueFilter,
    Report,
    ReportState,
    ReportSubject,
    Request,
    StatusAct,
    StatusChange,
    StoredMember,
    StoredSession,
    Transition,
)
from federation.hub.store.applications import application_of
from federation.hub.store.drafts import DraftReads
from federation.hub.tables import (
    AgreementRow,
    AidRevisionRow,
    AidRow,
    ApplicationRow,
    AuditRow,
    CatalogueRow,
    DocumentRow,
    EmployeeRow,
    FunderKeyRow,
    FunderRow,
    HubRow,
    InfrastructureCountRow,
    InfrastructureSetRow,
    InvitationRow,
    LogCheckpointRow,
    LogEntryRow,
    LoginFailureRow,
    LogNodeRow,
    LogTimestampRow,
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
    TransitionRow,
    TrustEntryRow,
    WitnessRow,
)
from federation.ports import DocumentEnvelope
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = ["Reader"]

NEEDS_INFORMATION = ApplicationState.NEEDS_INFORMATION


_IN: Final = 500
"""Values in one SQL list: SQLite takes 999 by its oldest limit."""


class Reader(DraftReads):
    """Reads within one snapshot."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- catalogue and members -------------------------------------------------------------------

    def versions(self) -> tuple[int, int]:
        """Current versions of (trust snapshot, catalogue); 0 before the first."""
        row = self._session.get(HubRow, 1)
        return (0, 0) if row is None else (row.trust_version, row.catalogue_version)

    def funders(self) -> tuple[Funder, ...]:
        """Hosted funders by name."""
        rows = self._session.scalars(select(FunderRow).order_by(FunderRow.name))
        return tuple(_funder(row) for row in rows)

    def funder(self, slug_or_did: str) -> Funder | None:
        """One hosted funder."""
        row = self._session.scalars(
            select(FunderRow).where(
                or_(FunderRow.slug == slug_or_did, FunderRow.did == slug_or_did)
            )
        ).one_or_none()
        return None if row is None else _funder(row)

    def aids(self) -> tuple[Mapping[str, Any], ...]:
        """Aid documents in catalogue order: hosted funders' first, then by slug."""
        rows = self._session.scalars(select(AidRow).order_by(AidRow.model.desc(), AidRow.slug))
        return tuple(row.document for row in rows)

    def revisions(self, slug: str) -> tuple[AidRevision, ...]:
        """Every state one aid was in, the oldest first."""
        rows = self._session.scalars(
            select(AidRevisionRow)
            .where(AidRevisionRow.slug == slug)
            .order_by(AidRevisionRow.number)
        ).all()
        before: Mapping[str, Any] = {}
        found = []
        for row in rows:
            found.append(_revision(row, before))
            before = row.document
        return tuple(found)

    def newest_revision(self) -> int:
        """Number of the newest revision; 0 before the first."""
        return self._session.scalar(select(func.max(AidRevisionRow.number))) or 0

    def first_revisions(self) -> Mapping[str, int]:
        """Slug → number of its first revision."""
        row = AidRevisionRow
        found = self._session.execute(select(row.slug, func.min(row.number)).group_by(row.slug))
        return {slug: number for slug, number in found.all()}  # noqa: C416 - rows

    def newest_revisions(
        self, *, after: int, limit: int
    ) -> tuple[tuple[tuple[AidRevision, int | None], ...], int]:
        """The newest state of each aid whose number is above `after`, in order: (revision, number
        of the first state that was public, or None); and the last number looked at."""
        row, other = AidRevisionRow, aliased(AidRevisionRow)
        newest = select(func.max(other.number)).where(other.slug == row.slug).scalar_subquery()
        rows = self._session.scalars(
            select(row)
            .where(row.number > after, row.number == newest)
            .order_by(row.number)
            .limit(limit)
        ).all()
        published = self._session.execute(
            select(row.slug, func.min(row.number))
            .where(
                row.slug.in_([found.slug for found in rows]),
                row.is_public,
                row.status == "published",
            )
            .group_by(row.slug)
        ).all()
        first: dict[str, int] = {slug: number for slug, number in published}  # noqa: C416 - rows
        last = rows[-1].number if rows else after
        return tuple((_revision(found, {}), first.get(found.slug)) for found in rows), last

    def report(self, *, report_id: str = "", secret: str = "") -> Report | None:
        """One report, by its id or by the digest of its link's secret."""
        row = ReportRow
        wanted = row.id == report_id if report_id else row.secret == secret
        found = self._session.scalars(select(row).where(wanted)).one_or_none()
        return None if found is None else _report(found)

    def reports(self, limit: int = 200) -> tuple[Report, ...]:
        """Reports that wait, the oldest first; then the newest answers."""
        row = ReportRow
        waiting = self._session.scalars(
            select(row).where(row.state == ReportState.WAITING).order_by(row.at).limit(limit)
        )
        answered = self._session.scalars(
            select(row)
            .where(row.state != ReportState.WAITING)
            .order_by(row.answered_at.desc())
            .limit(limit)
        )
        return tuple(_report(found) for found in (*waiting, *answered))

    def waiting_reports(self) -> int:
        """How many nobody answered yet."""
        row = ReportRow
        return (
            self._session.scalar(
                select(func.count()).select_from(row).where(row.state == ReportState.WAITING)
            )
            or 0
        )

    def models(self) -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
        """(name, version, rules) of every rule model."""
        rows = self._session.scalars(select(ModelRow).order_by(ModelRow.name))
        return tuple((row.name, row.version, row.rules) for row in rows)

    def catalogue(self) -> tuple[int, str, bytes] | None:
        """(version, digest, content) of the newest signed catalogue."""
        row = self._session.scalars(
            select(CatalogueRow).order_by(CatalogueRow.version.desc()).limit(1)
        ).one_or_none()
        return None if row is None else (row.version, row.digest, row.content)

    def service(self, did: str, profile: str) -> tuple[int, str] | None:
        """(version, announcement) of one member's service."""
        row = self._session.get(ServiceRow, (did, profile))
        return None if row is None else (row.version, row.token)

    def services(self) -> tuple[tuple[str, str], ...]:
        """(DID, announcement) of every service that is not ended."""
        row = ServiceRow
        found = self._session.scalars(
            select(row).where(row.is_ended.is_(False)).order_by(row.profile, row.did)
        )
        return tuple((one.did, one.token) for one in found)

    def offer(self, did: str, offer: str) -> tuple[OfferVersion, ...]:
        """The versions of one offer that are kept, the newest first."""
        row = OfferRow
        found = self._session.scalars(
            select(row).where(row.did == did, row.offer == offer).order_by(row.version.desc())
        )
        return tuple(_offer(one) for one in found)

    def offers(self, *states: str, limit: int = 5_000) -> tuple[OfferVersion, ...]:
        """Versions of offers in one of these states, by operator and offer."""
        row = OfferRow
        found = self._session.scalars(
            select(row)
            .where(row.state.in_(states))
            .order_by(row.did, row.offer, row.version.desc())
            .limit(limit)
        )
        return tuple(_offer(one) for one in found)

    def count_offers(self, did: str) -> int:
        """How many offers of one operator are known, whatever their state."""
        found = self._session.scalar(
            select(func.count(func.distinct(OfferRow.offer))).where(OfferRow.did == did)
        )
        return int(found or 0)

    def infrastructure_sets(self) -> tuple[InfrastructureSet, ...]:
        """The files of what is built that are loaded, by kind."""
        rows = self._session.scalars(
            select(InfrastructureSetRow).order_by(InfrastructureSetRow.kind)
        )
        return tuple(
            InfrastructureSet(
                InfrastructureKind(row.kind), row.source, row.licence, row.day, row.at,
                row.items, row.elsewhere, row.left_out,
            )
            for row in rows
        )  # fmt: skip

    def infrastructure_sum(self, kind: str, communes: Collection[str]) -> tuple[int, int]:
        """(count, amount) of a kind over these communes."""
        row = InfrastructureCountRow
        count = amount = 0
        codes = sorted(communes)
        for start in range(0, len(codes), _IN):
            found = self._session.execute(
                select(func.sum(row.count), func.sum(row.amount)).where(
                    row.kind == kind, row.commune.in_(codes[start : start + _IN])
                )
            ).one()
            count += int(found[0] or 0)
            amount += int(found[1] or 0)
        return count, amount

    def trust_entries(self) -> tuple[Mapping[str, Any], ...]:
        """Accredited entries as snapshot JSON, by DID."""
        rows = self._session.scalars(select(TrustEntryRow).order_by(TrustEntryRow.did))
        return tuple(row.document for row in rows)

    def snapshot(self) -> tuple[int, str, bytes, datetime] | None:
        """(version, digest, content, expiry) of the newest snapshot."""
        row = self._session.scalars(
            select(SnapshotRow).order_by(SnapshotRow.version.desc()).limit(1)
        ).one_or_none()
        return None if row is None else (row.version, row.digest, row.content, row.expires_at)

    # -- requests and applications ----------------------------------------------------------------

    def request(self, request_id: str) -> Request | None:
        """One presentation request."""
        row = self._session.get(RequestRow, request_id)
        return None if row is None else _request(row)

    def is_known_nonce(self, nonce: str) -> bool:
        """Was this nonce ever given out?"""
        found = self._session.scalar(select(RequestRow.id).where(RequestRow.nonce == nonce))
        return found is not None

    def witnessed(self, identifier: str) -> WitnessRow | None:
        """The last witnessed head of one line."""
        return self._session.scalars(
            select(WitnessRow)
            .where(WitnessRow.id == identifier)
            .order_by(WitnessRow.number.desc())
            .limit(1)
        ).one_or_none()

    def witnessed_since(self, identifier: str, since: datetime) -> int:
        """How many heads a line got after a moment."""
        return int(
            self._session.scalar(
                select(func.count())
                .select_from(WitnessRow)
                .where(WitnessRow.id == identifier, WitnessRow.at > since)
            )
            or 0
        )

    def application(self, application: str, *, history: bool = True) -> Application | None:
        """One application, with its history."""
        row = self._session.get(ApplicationRow, application)
        if row is None:
            return None
        steps: tuple[Transition, ...] = ()
        if history:
            rows = self._session.scalars(
                select(TransitionRow)
                .where(TransitionRow.application == application)
                .order_by(TransitionRow.seq)
            )
            steps = tuple(
                Transition(ApplicationState(r.state), r.at, r.actor, r.reason) for r in rows
            )
        return application_of(row, steps)

    # -- notices ----------------------------------------------------------------------------------

    def notice(self, identifier: str) -> Notice | None:
        """One notice."""
        row = self._session.get(NoticeRow, identifier)
        return None if row is None else _notice(row)

    def notices(self, member: str, *, limit: int) -> tuple[Notice, ...]:
        """A member's notices: unread ones first, then the newest."""
        row = NoticeRow
        rows = self._session.scalars(
            select(row)
            .where(row.member == member)
            .order_by(row.read_at.is_not(None), row.at.desc(), row.id)
            .limit(limit)
        )
        return tuple(map(_notice, rows))

    def unread_notices(self, member: str) -> int:
        """How many of a member's notices are unread."""
        row = NoticeRow
        query = select(func.count()).where(row.member == member, row.read_at.is_(None))
        return int(self._session.scalar(query.select_from(row)) or 0)

    def notice_preference(self, member: str) -> NoticePreference | None:
        """What a member chose."""
        row = self._session.get(NoticePreferenceRow, member)
        if row is None:
            return None
        return NoticePreference(row.member, MailChoice(row.mail), row.address, row.language)

    def members_with_digest(self) -> tuple[str, ...]:
        """Members with something unread who did not choose another way than the digest."""
        notice, choice = NoticeRow, NoticePreferenceRow
        return tuple(
            self._session.scalars(
                select(notice.member)
                .outerjoin(choice, choice.member == notice.member)
                .where(
                    notice.read_at.is_(None),
                    or_(choice.mail.is_(None), choice.mail == MailChoice.DAILY.value),
                )
                .distinct()
            )
        )

    # -- the register of decisions ----------------------------------------------------------------

    def log_size(self) -> int:
        """Leaves of the tree."""
        found = self._session.scalar(
            select(func.max(LogNodeRow.position)).where(LogNodeRow.level == 0)
        )
        return 0 if found is None else int(found) + 1

    def log_node(self, level: int, index: int) -> bytes:
        """A full subtree. Raises KeyError: the tree has none there."""
        row = self._session.get(LogNodeRow, (level, index))
        if row is None:
            raise KeyError((level, index))
        return row.digest

    def log_leaves(self, start: int, limit: int) -> tuple[bytes, ...]:
        """Leaf hashes in order."""
        return tuple(
            self._session.scalars(
                select(LogNodeRow.digest)
                .where(LogNodeRow.level == 0, LogNodeRow.position >= start)
                .order_by(LogNodeRow.position)
                .limit(limit)
            )
        )

    def log_position(self, leaf: bytes) -> int | None:
        """Where a leaf stands."""
        return self._session.scalar(
            select(LogNodeRow.position).where(LogNodeRow.digest == leaf, LogNodeRow.level == 0)
        )

    def log_waiting(self, limit: int) -> tuple[LoggedStep, ...]:
        """Entries without a leaf, oldest first."""
        row = LogEntryRow
        found = self._session.scalars(
            select(row)
            .where(row.position.is_(None))
            .order_by(row.at, row.application, row.seq)
            .limit(limit)
        )
        return tuple(_logged(entry) for entry in found)

    def log_waiting_count(self) -> int:
        """How many entries have no leaf yet."""
        return int(
            self._session.scalar(
                select(func.count()).select_from(LogEntryRow).where(LogEntryRow.position.is_(None))
            )
            or 0
        )

    def log_entries(self, application: str) -> tuple[LoggedStep, ...]:
        """What the register holds of one application, in order."""
        row = LogEntryRow
        found = self._session.scalars(
            select(row).where(row.application == application).order_by(row.seq)
        )
        return tuple(_logged(entry) for entry in found)

    def log_entries_from(self, position: int, limit: int) -> tuple[LoggedStep, ...]:
        """Entries that are still there, by leaf."""
        row = LogEntryRow
        found = self._session.scalars(
            select(row).where(row.position >= position).order_by(row.position).limit(limit)
        )
        return tuple(_logged(entry) for entry in found)

    def log_changed(self, limit: int) -> tuple[str, ...]:
        """Applications of which a step has no entry though a later one has: it was slipped in."""
        step, entry = TransitionRow, LogEntryRow
        found = self._session.scalars(
            select(step.application)
            .outerjoin(entry, and_(entry.application == step.application, entry.seq == step.seq))
            .where(
                entry.seq.is_(None),
                step.seq
                > select(func.min(entry.seq))
                .where(entry.application == step.application)
                .correlate(step)
                .scalar_subquery(),
            )
            .distinct()
            .limit(limit)
        )
        return tuple(found)

    def steps_of(self, application: str) -> dict[int, Transition]:
        """Steps of an application by number."""
        rows = self._session.scalars(
            select(TransitionRow).where(TransitionRow.application == application)
        )
        return {r.seq: Transition(ApplicationState(r.state), r.at, r.actor, r.reason) for r in rows}

    def checkpoint(self, size: int | None = None) -> tuple[int, bytes] | None:
        """(size, signed note) of the newest head, or of one."""
        query = select(LogCheckpointRow)
        query = (
            query.order_by(LogCheckpointRow.size.desc()).limit(1)
            if size is None
            else query.where(LogCheckpointRow.size == size)
        )
        row = self._session.scalars(query).one_or_none()
        return None if row is None else (row.size, row.note)

    def checkpoints(self) -> tuple[tuple[int, bytes], ...]:
        """Every signed head, by size."""
        rows = self._session.scalars(select(LogCheckpointRow).order_by(LogCheckpointRow.size))
        return tuple((row.size, row.note) for row in rows)

    def timestamp(self, digest: bytes) -> bytes | None:
        """The authority's answer over a content."""
        row = self._session.get(LogTimestampRow, digest.hex())
        return None if row is None else row.reply

    def audit(self, application: str) -> Audit | None:
        """The check by sample of an application, if one was asked for."""
        row = self._session.get(AuditRow, application)
        if row is None:
            return None
        return Audit(
            application=Iri(row.application),
            funder=Did(row.funder),
            nonce=row.nonce,
            leaves=row.leaves,
            state=AuditState(row.state),
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            answered_at=row.answered_at,
            checks=tuple(row.checks),
        )

    def package(self, digest: str) -> Package | None:
        """One proof package with its sealed documents."""
        row = self._session.get(PackageRow, digest)
        if row is None:
            return None
        documents = self._session.scalars(
            select(DocumentRow).where(DocumentRow.package == digest).order_by(DocumentRow.position)
        )
        return Package(
            digest=row.digest,
            application=Iri(row.application),
            request=row.request,
            vp_token=row.vp_token,
            consent_receipt=row.consent_receipt,
            documents=tuple(
                DocumentEnvelope(d.name, d.media_type, d.key_id, d.sealed) for d in documents
            ),
            received_at=row.received_at,
        )

    def documents(self, application: str) -> tuple[DocumentEnvelope, ...]:
        """Every sealed document of an application, in order of arrival."""
        rows = self._session.scalars(
            select(DocumentRow)
            .join(PackageRow, PackageRow.digest == DocumentRow.package)
            .where(PackageRow.application == application)
            .order_by(PackageRow.received_at, PackageRow.digest, DocumentRow.position)
        )
        return tuple(DocumentEnvelope(d.name, d.media_type, d.key_id, d.sealed) for d in rows)

    def document_count(self, application: str) -> int:
        """How many sealed documents were joined."""
        return int(
            self._session.scalar(
                select(func.count())
                .select_from(DocumentRow)
                .join(PackageRow, PackageRow.digest == DocumentRow.package)
                .where(PackageRow.application == application)
            )
            or 0
        )

    def queue(
        self,
        funder: str,
        wanted: QueueFilter,
        *,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> tuple[Application, ...]:
        """Applications of one funder, oldest first. `after` is the last (submitted_at, id) seen."""
        row = ApplicationRow
        query = self._filtered(select(row), funder, wanted)
        if after is not None:
            at, identifier = after
            query = query.where(
                or_(row.submitted_at > at, and_(row.submitted_at == at, row.id > identifier))
            )
        rows = self._session.scalars(query.order_by(row.submitted_at, row.id).limit(limit))
        return tuple(application_of(found, ()) for found in rows)

    def counts(self, funder: str) -> tuple[dict[ApplicationState, int], int]:
        """How many applications of a funder are in each state, and how many wait for a person."""
        row = ApplicationRow
        by_state = {
            ApplicationState(state): int(found)
            for state, found in self._session.execute(
                select(row.state, func.count()).where(row.funder == funder).group_by(row.state)
            )
        }
        waiting = select(func.count()).where(row.funder == funder, row.to_review.is_(True))
        return by_state, int(self._session.scalar(waiting.select_from(row)) or 0)

    def _filtered(self, query: Select[Any], funder: str, wanted: QueueFilter) -> Select[Any]:
        row = ApplicationRow
        query = query.where(row.funder == funder)
        if wanted.states:
            query = query.where(row.state.in_(sorted(state.value for state in wanted.states)))
        if wanted.aid:
            query = query.where(row.aid == wanted.aid)
        if wanted.to_review is not None:
            query = query.where(row.to_review.is_(wanted.to_review))
        if wanted.assignee is not None:
            mine = row.assignee == wanted.assignee
            query = query.where(mine if wanted.assignee else row.assignee.is_(None))
        if wanted.late_at is not None:
            waiting = sorted(state.value for state in DECIDABLE - {NEEDS_INFORMATION})
            query = query.where(row.state.in_(waiting), row.due_at < wanted.late_at)
        if wanted.search:
            # autoescape: the text is text, never a pattern
            reference = "urn:uuid:" + wanted.search.strip().lower().removeprefix("urn:uuid:")
            query = query.where(
                or_(
                    row.id.startswith(reference, autoescape=True),
                    row.employee == wanted.search,
                )
            )
        return query

    def budget(self, aid: str, limit: int) -> Budget:
        """What an aid's envelope holds."""
        row = ApplicationRow
        sums = {
            state: int(total or 0)
            for state, total in self._session.execute(
                select(row.state, func.coalesce(func.sum(row.amount), 0))
                .where(row.aid == aid, row.state.in_(("accepted", "awarded", "paid")))
                .group_by(row.state)
            )
        }
        paid = sums.pop("paid", 0)
        return Budget(limit, sum(sums.values()), paid)

    def to_pay(self, funder: str) -> tuple[Application, ...]:
        """Accepted applications of one funder that no payment file holds, by employee number;
        a derogation pays nothing and is in none."""
        row = ApplicationRow
        rows = self._session.scalars(
            select(row)
            .where(
                row.funder == funder,
                row.state == "accepted",
                row.payment.is_(None),
                row.amount > 0,
            )
            .order_by(row.employee, row.id)
        )
        return tuple(application_of(found, ()) for found in rows)

    def paid_with(self, payment: str) -> tuple[Application, ...]:
        """Applications of one payment file, by employee number."""
        row = ApplicationRow
        rows = self._session.scalars(
            select(row).where(row.payment == payment).order_by(row.employee, row.id)
        )
        return tuple(application_of(found, ()) for found in rows)

    def payments(self, funder: str) -> tuple[Payment, ...]:
        """Payment files of one funder (by slug), the newest first."""
        rows = self._session.scalars(
            select(PaymentRow).where(PaymentRow.funder == funder).order_by(PaymentRow.number.desc())
        )
        return tuple(
            Payment(r.id, r.funder, r.number, r.member, r.made_at, r.count, r.total) for r in rows
        )

    def decided(self, funder: str, *, since: datetime, until: datetime) -> tuple[Application, ...]:
        """Applications decided in [since, until), with their history, oldest first."""
        row = ApplicationRow
        rows = self._session.scalars(
            select(row)
            .where(row.funder == funder, row.decided_at >= since, row.decided_at < until)
            .order_by(row.decided_at, row.id)
        ).all()
        steps: dict[str, list[Transition]] = {}
        for start in range(0, len(rows), 500):
            some = [found.id for found in rows[start : start + 500]]
            for r in self._session.scalars(
                select(TransitionRow)
                .where(TransitionRow.application.in_(some))
                .order_by(TransitionRow.application, TransitionRow.seq)
            ):
                steps.setdefault(r.application, []).append(
                    Transition(ApplicationState(r.state), r.at, r.actor, r.reason)
                )
        return tuple(application_of(found, tuple(steps.get(found.id, ()))) for found in rows)

    def refusals(
        self, funder: str, *, limit: int = 50
    ) -> tuple[tuple[str, list[str], datetime], ...]:
        """(aid, codes, instant) of packages refused at intake, newest first."""
        rows = self._session.scalars(
            select(RefusalRow)
            .where(RefusalRow.funder == funder)
            .order_by(RefusalRow.at.desc(), RefusalRow.id)
            .limit(limit)
        )
        return tuple((row.aid, row.codes, row.at) for row in rows)

    # -- status list ------------------------------------------------------------------------------

    def revoked(self, list_id: str) -> tuple[int, ...]:
        """Positions whose bit is set."""
        rows = self._session.scalars(
            select(StatusIndexRow.position)
            .where(StatusIndexRow.list_id == list_id, StatusIndexRow.revoked_at.is_not(None))
            .order_by(StatusIndexRow.position)
        )
        return tuple(rows)

    def bits_of(self, credential: str) -> dict[str, datetime | None]:
        """List → since when the bit of a credential is set; None: it is not."""
        rows = self._session.scalars(
            select(StatusIndexRow).where(StatusIndexRow.credential == credential)
        )
        return {row.list_id: row.revoked_at for row in rows}

    def status_changes(self, credential: str) -> tuple[StatusChange, ...]:
        """Who changed the standing of a credential, oldest first."""
        rows = self._session.scalars(
            select(StatusChangeRow)
            .where(StatusChangeRow.credential == credential)
            .order_by(StatusChangeRow.at, StatusChangeRow.id)
        )
        return tuple(
            StatusChange(
                row.id,
                Iri(row.credential),
                row.funder,
                StatusAct(row.act),
                row.reason,
                row.actor,
                row.at,
            )
            for row in rows
        )

    # -- staff lists ------------------------------------------------------------------------------

    def employee(self, employee_id: str) -> Employee | None:
        """One line of a staff list."""
        row = self._session.get(EmployeeRow, employee_id)
        return None if row is None else _employee(row)

    def employee_of_key(self, funder: str, key: str) -> Employee | None:
        """The line of an employee number, in its canonical form."""
        row = self._session.scalars(
            select(EmployeeRow).where(EmployeeRow.funder == funder, EmployeeRow.key == key)
        ).one_or_none()
        return None if row is None else _employee(row)

    def employees(
        self, funder: str, *, search: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Employee, ...]:
        """A funder's staff list by number; `search` is part of a number, as plain text."""
        query = select(EmployeeRow).where(EmployeeRow.funder == funder, EmployeeRow.key > after)
        if search:
            query = query.where(EmployeeRow.key.contains(search, autoescape=True))
        rows = self._session.scalars(query.order_by(EmployeeRow.key).limit(limit))
        return tuple(_employee(row) for row in rows)

    # -- members ----------------------------------------------------------------------------------

    def member(self, *, login: str = "", member: str = "") -> StoredMember | None:
        """A member by login or by id."""
        query = select(MemberRow)
        query = (
            query.where(MemberRow.login == login) if login else query.where(MemberRow.id == member)
        )
        row = self._session.scalars(query).one_or_none()
        return None if row is None else _member(row)

    def members(self, funder: str | None) -> tuple[StoredMember, ...]:
        """Members of one funder, or of everything when `funder` is None."""
        query = select(MemberRow).order_by(MemberRow.login)
        if funder is not None:
            query = query.where(MemberRow.funder == funder)
        return tuple(_member(row) for row in self._session.scalars(query))

    def member_session(self, session_id: str) -> StoredSession | None:
        """A session by the digest of its cookie."""
        row = self._session.get(MemberSessionRow, session_id)
        if row is None:
            return None
        return StoredSession(row.id, row.member, row.csrf, row.created_at, row.seen_at)

    def login_failures(self, address: str, login: str, since: datetime) -> int:
        """Failed sign-ins of one address for one login since an instant."""
        query = select(func.count(LoginFailureRow.id)).where(
            LoginFailureRow.address == address,
            LoginFailureRow.login == login,
            LoginFailureRow.at >= since,
        )
        return int(self._session.scalar(query) or 0)

    def passkeys(self, member: str) -> tuple[MemberPasskey, ...]:
        """A member's passkeys, the oldest first."""
        rows = self._session.scalars(
            select(MemberPasskeyRow)
            .where(MemberPasskeyRow.member == member)
            .order_by(MemberPasskeyRow.created_at, MemberPasskeyRow.id)
        )
        return tuple(_passkey(row) for row in rows)

    def passkey(self, credential_id: str) -> MemberPasskey | None:
        """One passkey by its credential id."""
        row = self._session.get(MemberPasskeyRow, credential_id)
        return None if row is None else _passkey(row)

    def invitation(self, identifier: str) -> Invitation | None:
        """An invitation by the digest of its secret."""
        row = self._session.get(InvitationRow, identifier)
        return None if row is None else _invitation(row)

    def invitations(self, funder: str) -> tuple[Invitation, ...]:
        """Invitations of colleagues of one funder that wait for somebody."""
        rows = self._session.scalars(
            select(InvitationRow)
            .where(
                InvitationRow.funder == funder,
                InvitationRow.is_colleague.is_(True),
                InvitationRow.used_at.is_(None),
            )
            .order_by(InvitationRow.created_at.desc(), InvitationRow.id)
        )
        return tuple(_invitation(row) for row in rows)

    # -- what a funder agreed to, and its keys ---------------------------------------------------

    def funders_of_siret(self, siret: str) -> tuple[Funder, ...]:
        """Hosted funders of one establishment."""
        rows = self._session.scalars(select(FunderRow).where(FunderRow.siret == siret))
        return tuple(_funder(row) for row in rows)

    def agreements(self, funder: str) -> tuple[AcceptedAgreement, ...]:
        """Accepted versions, the latest first."""
        rows = self._session.scalars(
            select(AgreementRow)
            .where(AgreementRow.funder == funder)
            .order_by(AgreementRow.accepted_at.desc())
        )
        return tuple(
            AcceptedAgreement(
                row.funder, row.version, row.digest, row.member, row.member_name, row.accepted_at
            )
            for row in rows
        )

    def document_keys(self, funder: str) -> tuple[DocumentKey, ...]:
        """Versions of a funder's document key, the newest first."""
        rows = self._session.scalars(
            select(FunderKeyRow)
            .where(FunderKeyRow.funder == funder)
            .order_by(FunderKeyRow.version.desc())
        )
        return tuple(
            DocumentKey(
                row.funder, row.version, row.public, row.member, row.created_at, row.not_after
            )
            for row in rows
        )


def _passkey(row: MemberPasskeyRow) -> MemberPasskey:
    return MemberPasskey(
        row.id,
        row.member,
        row.public_key,
        row.sign_count,
        row.name,
        row.created_at,
        row.used_on,
    )


def _invitation(row: InvitationRow) -> Invitation:
    return Invitation(
        row.id,
        row.funder,
        row.is_colleague,
        row.siret,
        tuple(row.roles),
        row.note,
        row.member,
        row.created_at,
        row.expires_at,
        row.used_at,
    )


def _report(row: ReportRow) -> Report:
    return Report(
        row.id,
        row.secret,
        ReportSubject(row.subject),
        row.slug,
        row.text,
        row.link,
        row.at,
        ReportState(row.state),
        row.answer,
        row.member,
        row.answered_at,
    )


def _revision(row: AidRevisionRow, before: Mapping[str, Any]) -> AidRevision:
    return AidRevision(
        row.number,
        aid_from_json(row.document),
        row.actor,
        row.note,
        row.at,
        changes(before, row.document) if before else (),
    )


def _funder(row: FunderRow) -> Funder:
    return Funder(row.slug, Did(row.did), row.name, row.siret, row.level, row.service, row.contact)


def _member(row: MemberRow) -> StoredMember:
    return StoredMember(
        row.id,
        row.login,
        row.name,
        row.password,
        tuple(row.roles),
        row.funder,
        row.created_at,
        row.disabled_at,
    )


def _request(row: RequestRow) -> Request:
    return Request(
        id=row.id,
        nonce=row.nonce,
        state=row.state,
        aid=Iri(row.aid),
        application=Iri(row.application),
        period=(row.period_from, row.period_until),
        token=row.token,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        answer_digest=row.answer_digest,
        receipt=row.receipt,
    )


def _notice(row: NoticeRow) -> Notice:
    return Notice(
        row.id,
        row.member,
        NoticeKind(row.kind),
        row.application,
        row.aid,
        row.at,
        row.read_at,
    )


def _logged(row: LogEntryRow) -> LoggedStep:
    return LoggedStep(row.application, row.seq, Entry(row.salt, row.record), row.position)


def _employee(row: EmployeeRow) -> Employee:
    return Employee(
        id=row.id,
        funder=row.funder,
        number=row.number,
        key=row.key,
        status=row.status,
        mail=row.mail,
        added_at=row.added_at,
        code=row.code,
        code_until=row.code_until,
        code_holder=None if row.code_holder is None else Did(row.code_holder),
        credential=row.credential,
        affiliated_at=row.affiliated_at,
        left_at=row.left_at,
    )


def _offer(row: OfferRow) -> OfferVersion:
    return OfferVersion(
        Did(row.did), row.offer, row.version, row.token, OfferState(row.state), row.at, row.note,
        row.decided_at, row.decided_by,
    )  # fmt: skip
