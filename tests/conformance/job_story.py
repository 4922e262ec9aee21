"""A small store with jobs, its handlers, and (as a program) a Celery worker that serves it."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr
from sqlalchemy import Engine, String, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from federation.wire import database
from federation.wire.jobs import Job, Outbox, OutboxTable, Runner
from federation.wire.tasks import QueueSettings
from schemas.errors import InvalidInput, MobilityError, Retriable

LEASE = timedelta(seconds=3)


class Base(DeclarativeBase):
    metadata = database.metadata()
    type_annotation_map: ClassVar = database.TYPES


class OutboxRow(OutboxTable, Base):
    __tablename__ = "outbox"


class EffectRow(Base):
    """What the handlers leave; no key, so that doing a thing twice shows."""

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(String(36))
    process: Mapped[int]


class BusyError(MobilityError, Retriable):
    code = "funder-busy"
    retry_after_s = 1


class MalformedError(MobilityError, InvalidInput):
    code = "malformed"


class Story:
    """The store as one process sees it."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = database.create(url)
        self.outbox = Outbox(self.engine, OutboxRow, lease=LEASE, jitter=lambda: 0.0)
        self.handlers: dict[str, Callable[[Job], None]] = {
            "deliver": self.deliver,
            "deliver-when-free": self.deliver_when_free,
            "malformed": self.malformed,
            "crash": self.crash,
        }
        self.runner = Runner(self.outbox, self.handlers, clock=lambda: datetime.now(UTC))

    def enqueue(self, kind: str, **given: object) -> Job:
        with database.transact(self.engine) as session:
            return self.outbox.enqueue(session, kind, at=datetime.now(UTC), **given)  # type: ignore[arg-type]  # keywords are the outbox's own

    def effects(self, job: Job) -> int:
        with database.read(self.engine) as session:
            query = select(func.count()).select_from(EffectRow).where(EffectRow.job_id == job.id)
            return int(session.execute(query).scalar_one())

    def deliver(self, job: Job) -> None:
        """The effect and the end of the job are one commit: exactly once."""
        with database.transact(self.engine) as session:
            session.execute(insert(EffectRow).values(job_id=job.id, process=os.getpid()))
            self.outbox.complete(session, job, at=datetime.now(UTC))

    def deliver_when_free(self, job: Job) -> None:
        if job.attempts == 1:
            raise BusyError
        self.deliver(job)

    def malformed(self, job: Job) -> None:
        raise MalformedError

    def crash(self, job: Job) -> None:
        raise ZeroDivisionError("a citizen's data could be in here")


def main() -> None:
    from federation.wire.worker import run_worker

    url, broker, queue = sys.argv[1:]
    run_worker(
        QueueSettings(broker_url=SecretStr(broker), queue=queue, sweep_s=0.5, concurrency=2),
        {"home": lambda: Story(url).runner},
    )


if __name__ == "__main__":
    main()
