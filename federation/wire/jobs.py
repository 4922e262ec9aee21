"""Background work as outbox rows: what is to be done is written in the transaction that decides it.

A job is *blind* (pull, deliver, status, harvest: needs no vault key; a thread or Celery runs it)
or *open* (drain, rotate, export…: only a process that holds the session runs it, in slices). The
row is the truth; a dispatcher only wakes somebody up, after the commit. Delivery is at least once:
a handler is idempotent, or completes its job in the very transaction of its effect
(`Outbox.complete`).

    waiting ──claim──► running ──complete──► done
       ▲                  │
       └────retry─────────┴──(attempts spent, or nothing to retry)──► dead ──revive──► waiting

A claim is a lease: when its worker dies, the job becomes claimable once `lease_until` has passed.
"""

import random
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import (
    Engine,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from federation.wire.database import UtcDateTime, read, transact
from federation.wire.errors import (
    JobNotClaimedError,
    JobNotFoundError,
    OpenJobRefusedError,
)
from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable

__all__ = [
    "MAX_ATTEMPTS",
    "Dispatcher",
    "Handler",
    "Job",
    "JobClass",
    "JobState",
    "Outbox",
    "OutboxTable",
    "Outcome",
    "Runner",
    "backoff",
]

_log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=120)
"""Longer than any outbound call of ours; a longer job renews its lease."""
FIRST_BACKOFF_S: Final = 2.0
LAST_BACKOFF_S: Final = 3600.0
MAX_ATTEMPTS: Final = 12
"""With the backoff above: about three hours of trying before a job is put aside as dead."""


class JobClass(StrEnum):
    """Who may run a job."""

    BLIND = "blind"
    OPEN = "open"


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class Outcome(StrEnum):
    """What became of one attempt."""

    DONE = "done"
    RETRY = "retry"
    DEAD = "dead"
    SKIPPED = "skipped"
    """Nothing to do: done already, not due yet, or another worker has it."""
    LOST = "lost"
    """The lease ran out while working; whoever has it now decides."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of background work, as claimed or as written."""

    id: str
    owner: str
    """Vault id, or empty for what belongs to the server itself."""
    kind: str
    job_class: JobClass
    key: str
    """Idempotency key within (owner, kind): a digest, as a rule."""
    payload: bytes
    """Ids and digests, or ciphertext; never content in clear."""
    progress: bytes
    """What a sliced job left for its next slice."""
    state: JobState
    attempts: int
    max_attempts: int
    due_at: datetime
    lease_token: str | None
    lease_until: datetime | None
    error_code: str | None
    created_at: datetime


class OutboxTable:
    """Columns of an outbox; a store's row class inherits it beside its own `Base`.

    class OutboxRow(OutboxTable, Base):
        __tablename__ = "outbox"
    """

    __tablename__: str

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    job_class: Mapped[str] = mapped_column(String(8))
    key: Mapped[str] = mapped_column(String(128))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    progress: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(8))
    attempts: Mapped[int] = mapped_column(Integer)
    max_attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(36))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error_code: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805  # SQLAlchemy's class-level attribute
        return (
            UniqueConstraint("owner", "kind", "key"),
            Index(f"ix_{cls.__tablename__}_state_due_at", "state", "due_at"),
            Index(f"ix_{cls.__tablename__}_id", "id"),
        )


class Dispatcher(Protocol):
    """Wakes whoever runs jobs. Waking is a hint: a lost one costs time, never a job."""

    def wake(self, job: Job | str) -> None:
        """Somebody should look at this job now. Call it after the commit; never raises for a
        broker that is away. Raises OpenJobRefusedError for a `Job` this dispatcher cannot run."""

    def stop(self) -> None:
        """Take nothing new and wait for what runs."""

    def idle(self, timeout_s: float = 30.0) -> bool:
        """Wait until nothing that this process woke is left; False when time ran out."""


Handler = Callable[[Job], None]
"""Does one job. Raise Retriable to come back later (its `retry_after_s` is kept)."""


def backoff(attempts: int, *, jitter: float = 0.5) -> timedelta:
    """Wait before the next attempt after `attempts` failed ones: 2 s doubling to an hour, ± 25 %.

    `jitter` between 0 and 1; 0.5 is the middle.
    """
    # 2**20 is far over the cap; a bound keeps the power small for jobs with many attempts.
    seconds = FIRST_BACKOFF_S * (1 << max(0, min(attempts - 1, 20)))
    return timedelta(seconds=min(LAST_BACKOFF_S, seconds) * (0.75 + 0.5 * jitter))


class Outbox:
    """The jobs of one store."""

    def __init__(
        self,
        engine: Engine,
        table: type[OutboxTable],
        *,
        lease: timedelta = LEASE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._row = table
        self._lease = lease
        self._jitter = jitter

    # --- writing, in the caller's transaction ---

    def enqueue(
        self,
        session: Session,
        kind: str,
        *,
        at: datetime,
        key: str | None = None,
        owner: str = "",
        payload: bytes = b"",
        job_class: JobClass = JobClass.BLIND,
        due_at: datetime | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> Job:
        """Write a job. The same (owner, kind, key) again is the job already there, as it stands."""
        row = self._row
        key = key if key is not None else str(uuid.uuid4())
        found = session.execute(
            select(row).where(row.owner == owner, row.kind == kind, row.key == key)
        ).scalar_one_or_none()
        if found is not None:
            return _job(found)
        values: dict[str, Any] = {
            "owner": owner,
            "id": str(uuid.uuid4()),
            "kind": kind,
            "job_class": job_class.value,
            "key": key,
            "payload": payload,
            "progress": b"",
            "state": JobState.WAITING.value,
            "attempts": 0,
            "max_attempts": max_attempts,
            "due_at": due_at or at,
            "created_at": at,
        }
        session.execute(insert(row).values(**values))
        return _job(session.execute(select(row).where(row.id == values["id"])).scalar_one())

    def complete(self, session: Session, job: Job, *, at: datetime) -> None:
        """Mark the job done in the transaction of its effect.

        Raises:
            JobNotClaimedError: the lease was lost; let the transaction roll back.
        """
        self._settle(session, job, state=JobState.DONE, finished_at=at, error_code=None)

    def save_progress(
        self, session: Session, job: Job, progress: bytes, *, at: datetime, finished: bool = False
    ) -> None:
        """Record one slice of an open job in the slice's own transaction, and give the job back.

        A slice that worked is not a failed attempt: the count starts again.
        """
        if finished:
            self._settle(
                session,
                job,
                state=JobState.DONE,
                finished_at=at,
                error_code=None,
                progress=progress,
            )
        else:
            self._settle(
                session, job, state=JobState.WAITING, due_at=at, attempts=0, progress=progress
            )

    def forget(self, session: Session, *, owner: str, kind: str | None = None) -> int:
        """Remove every job of an owner (shred), or those of one kind (called off); returns how
        many. Whoever runs one has lost it: `renew` and `complete` say so."""
        row = self._row
        which = [row.owner == owner, *([] if kind is None else [row.kind == kind])]
        gone = session.execute(delete(row).where(*which))
        return int(getattr(gone, "rowcount", 0))

    # --- claiming ---

    def claim(
        self,
        *,
        at: datetime,
        classes: Collection[JobClass] = (JobClass.BLIND,),
        kinds: Collection[str] | None = None,
        owner: str | None = None,
    ) -> Job | None:
        """Take the job that has been due for longest, under a lease; None when nothing is due."""
        return self._claim(at=at, classes=classes, kinds=kinds, owner=owner, job_id=None)

    def claim_one(
        self, job_id: str, *, at: datetime, classes: Collection[JobClass] = (JobClass.BLIND,)
    ) -> Job | None:
        """Take this job if it is due and free.

        Raises:
            JobNotFoundError: there is no such job.
            OpenJobRefusedError: its class is not among `classes`; the job is left untouched.
        """
        job = self.get(job_id)
        if job.job_class not in classes:
            raise OpenJobRefusedError(kind=job.kind)
        return self._claim(at=at, classes=classes, kinds=None, owner=None, job_id=job_id)

    def _claim(
        self,
        *,
        at: datetime,
        classes: Collection[JobClass],
        kinds: Collection[str] | None,
        owner: str | None,
        job_id: str | None,
    ) -> Job | None:
        row = self._row
        free = self._free(at)
        free = and_(free, row.job_class.in_([job_class.value for job_class in classes]))
        if kinds is not None:
            free = and_(free, row.kind.in_(list(kinds)))
        if owner is not None:
            free = and_(free, row.owner == owner)
        if job_id is not None:
            free = and_(free, row.id == job_id)
        with transact(self._engine) as session:
            # A job whose workers keep dying spends its attempts too.
            session.execute(
                update(row)
                .where(free, row.attempts >= row.max_attempts)
                .values(
                    state=JobState.DEAD.value,
                    error_code="lease-expired",
                    finished_at=at,
                    lease_token=None,
                    lease_until=None,
                )
                .execution_options(synchronize_session=False)
            )
            # PostgreSQL passes over rows another worker is claiming; SQLite has one writer and
            # ignores FOR UPDATE: in both the UPDATE of one chosen row is the claim.
            chosen = (
                select(row.id)
                .where(free, row.attempts < row.max_attempts)
                .order_by(row.due_at, row.created_at, row.id)
                .limit(1)
                .with_for_update(skip_locked=True)
                .scalar_subquery()
            )
            claimed = session.execute(
                update(row)
                .where(row.id == chosen)
                .values(
                    state=JobState.RUNNING.value,
                    attempts=row.attempts + 1,
                    lease_token=str(uuid.uuid4()),
                    lease_until=at + self._lease,
                )
                .returning(row)
                .execution_options(synchronize_session=False)
            ).scalar_one_or_none()
            return None if claimed is None else _job(claimed)

    def _free(self, at: datetime) -> Any:
        row = self._row
        return or_(
            and_(row.state == JobState.WAITING.value, row.due_at <= at),
            and_(row.state == JobState.RUNNING.value, row.lease_until < at),
        )

    def renew(self, job: Job, *, at: datetime, progress: bytes | None = None) -> None:
        """Keep the lease for another term, and say how far the work is. Raises JobNotClaimedError
        when it is lost."""
        said = {} if progress is None else {"progress": progress}
        with transact(self._engine) as session:
            self._change(session, job, lease_until=at + self._lease, **said)

    # --- ending an attempt ---

    def done(self, job: Job, *, at: datetime) -> None:
        """Mark the job done, in a transaction of its own."""
        with transact(self._engine) as session:
            self.complete(session, job, at=at)

    def retry(
        self, job: Job, *, at: datetime, error_code: str, retry_after_s: float | None = None
    ) -> JobState:
        """Give the job back for later, or put it aside when its attempts are spent.

        Waits the longer of our backoff and what the other side asked for (Retry-After, at most a
        day). Returns the new state.
        """
        if job.attempts >= job.max_attempts:
            self.bury(job, at=at, error_code=error_code)
            return JobState.DEAD
        wait = backoff(job.attempts, jitter=self._jitter())
        if retry_after_s is not None:
            wait = max(wait, timedelta(seconds=min(max(retry_after_s, 0), 86_400)))
        with transact(self._engine) as session:
            self._settle(
                session, job, state=JobState.WAITING, due_at=at + wait, error_code=error_code
            )
        return JobState.WAITING

    def release(self, job: Job, *, at: datetime) -> None:
        """Give the job back untouched: another writer was first, or the vault was locked. No
        attempt is counted. Does nothing when the lease was lost."""
        row = self._row
        with transact(self._engine) as session:
            session.execute(
                update(row)
                .where(
                    row.id == job.id,
                    row.state == JobState.RUNNING.value,
                    row.lease_token == job.lease_token,
                )
                .values(
                    state=JobState.WAITING.value,
                    attempts=row.attempts - 1,
                    due_at=at,
                    lease_token=None,
                    lease_until=None,
                )
                .execution_options(synchronize_session=False)
            )

    def bury(self, job: Job, *, at: datetime, error_code: str) -> None:
        """Put the job aside: a person has to look."""
        with transact(self._engine) as session:
            self._settle(session, job, state=JobState.DEAD, finished_at=at, error_code=error_code)

    def revive(self, job_id: str, *, at: datetime) -> Job:
        """Try a dead job again, from its first attempt. Raises JobNotFoundError."""
        row = self._row
        with transact(self._engine) as session:
            revived = session.execute(
                update(row)
                .where(row.id == job_id, row.state == JobState.DEAD.value)
                .values(state=JobState.WAITING.value, attempts=0, due_at=at, finished_at=None)
                .returning(row)
                .execution_options(synchronize_session=False)
            ).scalar_one_or_none()
            if revived is None:
                raise JobNotFoundError("no dead job has this id")
            return _job(revived)

    def _settle(self, session: Session, job: Job, *, state: JobState, **values: Any) -> None:
        self._change(session, job, state=state.value, lease_token=None, lease_until=None, **values)

    def _change(self, session: Session, job: Job, **values: Any) -> None:
        row = self._row
        changed = session.execute(
            update(row)
            .where(
                row.id == job.id,
                row.state == JobState.RUNNING.value,
                row.lease_token == job.lease_token,
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        if getattr(changed, "rowcount", 0) != 1:
            raise JobNotClaimedError("another worker has this job, or it is over")

    # --- reading ---

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobNotFoundError."""
        with read(self._engine) as session:
            found = session.execute(
                select(self._row).where(self._row.id == job_id)
            ).scalar_one_or_none()
            if found is None:
                raise JobNotFoundError("no job has this id")
            return _job(found)

    def of_owner(self, owner: str, *, kind: str, state: JobState | None = None) -> tuple[Job, ...]:
        """Every job of a kind that an owner has, oldest first, finished ones too; or those in one
        state."""
        row = self._row
        which = [] if state is None else [row.state == state.value]
        query = (
            select(row).where(row.owner == owner, row.kind == kind, *which).order_by(row.created_at)
        )
        with read(self._engine) as session:
            return tuple(_job(found) for found in session.execute(query).scalars())

    def due(
        self,
        *,
        at: datetime,
        classes: Collection[JobClass] = (JobClass.BLIND,),
        owner: str | None = None,
        limit: int = 100,
    ) -> tuple[str, ...]:
        """Ids of the jobs that could be claimed now, longest due first."""
        row = self._row
        query = select(row.id).where(
            self._free(at), row.job_class.in_([job_class.value for job_class in classes])
        )
        if owner is not None:
            query = query.where(row.owner == owner)
        with read(self._engine) as session:
            return tuple(session.execute(query.order_by(row.due_at).limit(limit)).scalars())

    def dead(self, *, limit: int = 100) -> tuple[Job, ...]:
        """The jobs put aside, oldest first."""
        row = self._row
        query = (
            select(row)
            .where(row.state == JobState.DEAD.value)
            .order_by(row.created_at)
            .limit(limit)
        )
        with read(self._engine) as session:
            return tuple(_job(found) for found in session.execute(query).scalars())

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        row = self._row
        with read(self._engine) as session:
            found = session.execute(select(row.state, func.count()).group_by(row.state)).all()
        return dict.fromkeys(JobState, 0) | {JobState(state): int(count) for state, count in found}

    def sweep(self, *, before: datetime) -> int:
        """Remove done jobs that finished before an instant; their keys may then be used again."""
        row = self._row
        with transact(self._engine) as session:
            gone = session.execute(
                delete(row).where(row.state == JobState.DONE.value, row.finished_at < before)
            )
            return int(getattr(gone, "rowcount", 0))


class Runner:
    """Runs the jobs of one outbox with the handlers of one process."""

    def __init__(
        self,
        outbox: Outbox,
        handlers: Mapping[str, Handler],
        *,
        clock: Callable[[], datetime],
        classes: Sequence[JobClass] = (JobClass.BLIND,),
    ) -> None:
        self._outbox = outbox
        self._handlers = dict(handlers)
        self._clock = clock
        self._classes = frozenset(classes)

    def due(self) -> tuple[str, ...]:
        """Ids this runner could run now."""
        return self._outbox.due(at=self._clock(), classes=self._classes)

    def run(self, job_id: str) -> Outcome:
        """One attempt at one job. Raises what `Outbox.claim_one` raises, nothing else."""
        job = self._outbox.claim_one(job_id, at=self._clock(), classes=self._classes)
        return Outcome.SKIPPED if job is None else self._attempt(job)

    def run_due(self, *, limit: int = 100) -> int:
        """Attempt what is due, one after the other; returns how many attempts were made."""
        for made in range(limit):
            job = self._outbox.claim(at=self._clock(), classes=self._classes)
            if job is None:
                return made
            self._attempt(job)
        return limit

    def _attempt(self, job: Job) -> Outcome:
        with structlog.contextvars.bound_contextvars(job_id=job.id, job_kind=job.kind):
            try:
                outcome = self._handle(job)
            except JobNotClaimedError:
                outcome = Outcome.LOST
            _log.info("job.attempted", outcome=outcome.value, attempt=job.attempts)
            return outcome

    def _handle(self, job: Job) -> Outcome:
        handler = self._handlers.get(job.kind)
        if handler is None:
            self._outbox.bury(job, at=self._clock(), error_code="unknown-kind")
            return Outcome.DEAD
        try:
            handler(job)
        except JobNotClaimedError:
            raise
        except MobilityError as error:
            return self._failed(job, error)
        except Exception as error:
            # A defect of ours, or a library's surprise: the job is kept and tried again.
            _log.error("job.crashed", error_type=type(error).__qualname__, exc_info=True)
            state = self._outbox.retry(job, at=self._clock(), error_code="internal-error")
            return Outcome.DEAD if state is JobState.DEAD else Outcome.RETRY
        current = self._outbox.get(job.id)
        if current.state is JobState.RUNNING and current.lease_token == job.lease_token:
            self._outbox.done(job, at=self._clock())
        return Outcome.DONE

    def _failed(self, job: Job, error: MobilityError) -> Outcome:
        final = not isinstance(error, Retriable) and isinstance(
            error, InvalidInput | NotFound | Refused
        )
        if final:
            self._outbox.bury(job, at=self._clock(), error_code=error.code)
            return Outcome.DEAD
        state = self._outbox.retry(
            job,
            at=self._clock(),
            error_code=error.code,
            retry_after_s=getattr(error, "retry_after_s", None),
        )
        return Outcome.DEAD if state is JobState.DEAD else Outcome.RETRY


def _job(row: OutboxTable) -> Job:
    return Job(
        id=row.id,
        owner=row.owner,
        kind=row.kind,
        job_class=JobClass(row.job_class),
        key=row.key,
        payload=bytes(row.payload),
        progress=bytes(row.progress),
        state=JobState(row.state),
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        due_at=row.due_at,
        lease_token=row.lease_token,
        lease_until=row.lease_until,
        error_code=row.error_code,
        created_at=row.created_at,
    )
