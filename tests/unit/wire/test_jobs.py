"""The outbox's own rules, with a clock the test holds."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from federation.wire import database
from federation.wire.errors import JobNotClaimedError, JobNotFoundError, OpenJobRefusedError
from federation.wire.jobs import JobClass, JobState, Outbox, Outcome, Runner, backoff
from schemas.errors import MobilityError, Retriable
from tests.conformance.job_story import Base, OutboxRow

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    Base.metadata.create_all(engine)
    return Outbox(engine, OutboxRow, lease=LEASE, jitter=lambda: 0.5)


def enqueue(outbox: Outbox, engine: Engine, **given: object):  # type: ignore[no-untyped-def]  # a Job
    with database.transact(engine) as session:
        return outbox.enqueue(session, "deliver", **{"at": AT, **given})  # type: ignore[arg-type]  # keywords of enqueue


def test_a_job_of_a_transaction_that_fails_was_never_there(outbox: Outbox, engine: Engine) -> None:
    with pytest.raises(RuntimeError), database.transact(engine) as session:
        outbox.enqueue(session, "deliver", at=AT)
        raise RuntimeError
    assert outbox.claim(at=AT) is None


def test_the_same_key_is_the_same_job(outbox: Outbox, engine: Engine) -> None:
    first = enqueue(outbox, engine, key="sha256:00", owner="v1")
    again = enqueue(outbox, engine, key="sha256:00", owner="v1", payload=b"other")
    other = enqueue(outbox, engine, key="sha256:00", owner="v2")
    assert first.id == again.id != other.id
    assert again.payload == b""


def test_a_claimed_job_is_nobody_elses_until_its_lease_is_over(
    outbox: Outbox, engine: Engine
) -> None:
    job = enqueue(outbox, engine)
    assert outbox.claim(at=AT - timedelta(seconds=1)) is None, "not due yet"
    first = outbox.claim(at=AT)
    assert first is not None
    assert outbox.claim(at=AT + LEASE) is None
    outbox.renew(first, at=AT + LEASE)
    assert outbox.claim(at=AT + LEASE + timedelta(seconds=1)) is None
    second = outbox.claim(at=AT + LEASE * 3)
    assert second is not None
    assert (second.id, second.attempts) == (job.id, 2)
    with pytest.raises(JobNotClaimedError):
        outbox.done(first, at=AT + LEASE * 3)
    outbox.done(second, at=AT + LEASE * 3)
    assert outbox.get(job.id).state is JobState.DONE


def test_a_worker_that_lost_its_lease_leaves_no_effect(outbox: Outbox, engine: Engine) -> None:
    job = enqueue(outbox, engine)
    first = outbox.claim(at=AT)
    second = outbox.claim(at=AT + LEASE * 2)
    assert first is not None
    assert second is not None
    with pytest.raises(JobNotClaimedError), database.transact(engine) as session:
        outbox.enqueue(session, "effect", at=AT, key="of-the-loser")
        outbox.complete(session, first, at=AT + LEASE * 2)
    assert outbox.counts()[JobState.WAITING] == 0
    assert outbox.get(job.id).state is JobState.RUNNING


def test_waits_double_up_to_an_hour_and_obey_retry_after(outbox: Outbox, engine: Engine) -> None:
    assert [backoff(n).total_seconds() for n in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert backoff(40).total_seconds() == 3600
    assert backoff(1, jitter=0).total_seconds() == 1.5
    assert backoff(1, jitter=1).total_seconds() == 2.5
    enqueue(outbox, engine)
    job = outbox.claim(at=AT)
    assert job is not None
    outbox.retry(job, at=AT, error_code="busy", retry_after_s=90)
    assert outbox.get(job.id).due_at == AT + timedelta(seconds=90)
    job = outbox.claim(at=AT + timedelta(seconds=90))
    assert job is not None
    outbox.retry(job, at=AT, error_code="busy", retry_after_s=10**9)
    assert outbox.get(job.id).due_at == AT + timedelta(days=1)


def test_a_job_whose_workers_keep_dying_is_put_aside(outbox: Outbox, engine: Engine) -> None:
    job = enqueue(outbox, engine, max_attempts=2)
    at = AT
    for _ in range(2):
        assert outbox.claim(at=at) is not None
        at += LEASE * 2
    assert outbox.claim(at=at) is None
    dead = outbox.get(job.id)
    assert (dead.state, dead.error_code) == (JobState.DEAD, "lease-expired")
    assert [found.id for found in outbox.dead()] == [job.id]
    with pytest.raises(JobNotFoundError):
        outbox.revive("00000000-0000-0000-0000-000000000000", at=at)
    assert outbox.revive(job.id, at=at).state is JobState.WAITING
    assert outbox.claim(at=at) is not None


def test_open_jobs_are_only_for_who_asks_for_them(outbox: Outbox, engine: Engine) -> None:
    job = enqueue(outbox, engine, job_class=JobClass.OPEN, owner="v1")
    assert outbox.claim(at=AT) is None
    assert outbox.due(at=AT) == ()
    with pytest.raises(OpenJobRefusedError):
        outbox.claim_one(job.id, at=AT)
    assert outbox.claim(at=AT, classes={JobClass.OPEN}, owner="v2") is None
    held = outbox.claim(at=AT, classes={JobClass.OPEN}, owner="v1")
    assert held is not None


def test_a_sliced_job_keeps_its_place(outbox: Outbox, engine: Engine) -> None:
    enqueue(outbox, engine, job_class=JobClass.OPEN, owner="v1", max_attempts=2)
    for number in range(5):
        job = outbox.claim(at=AT, classes={JobClass.OPEN}, owner="v1")
        assert job is not None
        assert job.progress == (b"" if number == 0 else str(number - 1).encode())
        with database.transact(engine) as session:
            outbox.save_progress(session, job, str(number).encode(), at=AT, finished=number == 4)
    assert outbox.counts()[JobState.DONE] == 1
    assert outbox.sweep(before=AT + timedelta(days=1)) == 1


def test_shredding_an_owner_removes_its_jobs(outbox: Outbox, engine: Engine) -> None:
    enqueue(outbox, engine, owner="v1")
    kept = enqueue(outbox, engine, owner="v2")
    with database.transact(engine) as session:
        assert outbox.forget(session, owner="v1") == 1
    assert outbox.due(at=AT) == (kept.id,)


class LaterError(MobilityError, Retriable):
    code = "later"
    retry_after_s = 30


def test_a_runner_says_what_became_of_an_attempt(outbox: Outbox, engine: Engine) -> None:
    now = AT
    seen: list[str] = []

    def handle(job: object) -> None:
        seen.append("x")
        if len(seen) == 1:
            raise LaterError

    runner = Runner(outbox, {"deliver": handle}, clock=lambda: now)
    job = enqueue(outbox, engine)
    assert runner.run(job.id) is Outcome.RETRY
    assert runner.run(job.id) is Outcome.SKIPPED
    now = AT + timedelta(seconds=31)
    assert runner.run_due() == 1
    assert runner.run(job.id) is Outcome.SKIPPED
    assert len(seen) == 2
    with database.transact(engine) as session:
        odd = outbox.enqueue(session, "nobody-knows", at=now)
    assert runner.run(odd.id) is Outcome.DEAD
    assert outbox.get(odd.id).error_code == "unknown-kind"
