"""The laws of background work, on threads and on Celery over RabbitMQ and Redis."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest
from pydantic import SecretStr

from federation.wire.dispatcher import ThreadDispatcher
from federation.wire.errors import OpenJobRefusedError
from federation.wire.jobs import Dispatcher, Job, JobClass, JobState
from federation.wire.tasks import RUN, CeleryDispatcher, QueueSettings, create_celery_app
from tests.conformance.job_story import LEASE, Base, Story

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@dataclass
class Rig:
    story: Story
    dispatcher: Dispatcher
    send_raw: Callable[[str, str], None] | None


def eventually(claim: Callable[[], bool], *, within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < until, "did not become true in time"
        time.sleep(0.05)


def state_of(rig: Rig, job: Job) -> JobState:
    return rig.story.outbox.get(job.id).state


@pytest.fixture(scope="module", params=["thread", "rabbitmq", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    """One dispatcher and its worker, on one database, for all the tests of this module."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('jobs') / 'jobs.db'}"
    else:
        url = str(request.getfixturevalue("postgresql_url"))
    story = Story(url)
    Base.metadata.drop_all(story.engine)
    Base.metadata.create_all(story.engine)
    try:
        if kind == "thread":
            runner = story.runner
            dispatcher = ThreadDispatcher(runner.run, due=runner.due, poll_s=0.3, threads=2)
            yield Rig(story, dispatcher, None)
            dispatcher.stop()
        else:
            yield from celery_rig(story, url, str(request.getfixturevalue(f"{kind}_url")))
    finally:
        story.engine.dispose()


def celery_rig(story: Story, url: str, broker: str) -> Iterator[Rig]:
    # A file, not a pipe: a worker's child that outlives it would hold a pipe open for ever.
    with tempfile.TemporaryFile() as spoken:
        yield from _celery_rig(story, url, broker, spoken)


def _celery_rig(story: Story, url: str, broker: str, spoken: IO[bytes]) -> Iterator[Rig]:
    queue = f"mobility-test-{uuid.uuid4().hex[:12]}"
    worker = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("job_story.py")), url, broker, queue],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        stderr=spoken,
        start_new_session=True,
    )
    app = create_celery_app(QueueSettings(broker_url=SecretStr(broker), queue=queue))

    def send_raw(store: str, job_id: str) -> None:
        app.send_task(RUN, args=[store, job_id], retry=False)

    waiting = story.outbox
    dispatcher = CeleryDispatcher(
        app, store="home", unfinished=lambda: bool(waiting.due(at=datetime.now(UTC)))
    )
    try:
        probe = story.enqueue("deliver")
        dispatcher.wake(probe)
        until = time.monotonic() + 60
        while waiting.get(probe.id).state is not JobState.DONE:
            if worker.poll() is not None or time.monotonic() > until:
                spoken.seek(0)
                pytest.fail(f"the worker does not work: {spoken.read().decode()[-2000:]}")
            time.sleep(0.1)
        yield Rig(story, dispatcher, send_raw)
    finally:
        worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)  # its session: whatever of it is left
        worker.wait(timeout=20)
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            channel.queue_delete(queue)
            if broker.startswith("redis"):
                # Kombu keeps its bindings; the name is ours alone.
                for key in channel.client.scan_iter(f"*{queue}*"):
                    channel.client.delete(key)
        dispatcher.stop()


def test_a_woken_job_is_done_once(rig: Rig) -> None:
    job = rig.story.enqueue("deliver")
    for _ in range(5):
        rig.dispatcher.wake(job)
    eventually(lambda: state_of(rig, job) is JobState.DONE)
    assert rig.dispatcher.idle()
    assert rig.story.effects(job) == 1


def test_forty_jobs_woken_at_once_are_each_done_once(rig: Rig) -> None:
    jobs = [rig.story.enqueue("deliver") for _ in range(40)]
    for job in jobs:
        rig.dispatcher.wake(job)
    eventually(lambda: all(state_of(rig, job) is JobState.DONE for job in jobs), within_s=60)
    assert [rig.story.effects(job) for job in jobs] == [1] * 40


def test_a_job_nobody_was_told_of_is_found(rig: Rig) -> None:
    job = rig.story.enqueue("deliver")
    eventually(lambda: state_of(rig, job) is JobState.DONE)


def test_a_job_of_a_worker_that_died_is_done_by_another(rig: Rig) -> None:
    now = datetime.now(UTC)
    job = rig.story.enqueue("deliver", owner="dead-worker", due_at=now + LEASE * 100)
    # Claimed in its own future, so that no sweep comes first; its lease is over by "now".
    with_lease = rig.story.outbox.claim_one(job.id, at=now + LEASE * 100)
    assert with_lease is not None
    shorten_lease(rig, job, now)
    rig.dispatcher.wake(job)
    eventually(lambda: state_of(rig, job) is JobState.DONE)
    assert rig.story.effects(job) == 1
    assert rig.story.outbox.get(job.id).attempts == 2


def shorten_lease(rig: Rig, job: Job, now: datetime) -> None:
    from sqlalchemy import update

    from federation.wire.database import transact
    from tests.conformance.job_story import OutboxRow

    with transact(rig.story.engine) as session:
        session.execute(
            update(OutboxRow).where(OutboxRow.id == job.id).values(lease_until=now - LEASE)
        )


def test_a_busy_peer_is_tried_again_later(rig: Rig) -> None:
    job = rig.story.enqueue("deliver-when-free")
    rig.dispatcher.wake(job)
    eventually(lambda: state_of(rig, job) is JobState.DONE)
    done = rig.story.outbox.get(job.id)
    assert (done.attempts, rig.story.effects(job)) == (2, 1)


def test_what_cannot_succeed_is_put_aside_at_once(rig: Rig) -> None:
    job = rig.story.enqueue("malformed")
    rig.dispatcher.wake(job)
    eventually(lambda: state_of(rig, job) is JobState.DEAD)
    dead = rig.story.outbox.get(job.id)
    assert (dead.attempts, dead.error_code) == (1, "malformed")


def test_a_handler_that_keeps_crashing_ends_dead_and_can_be_revived(rig: Rig) -> None:
    job = rig.story.enqueue("crash", max_attempts=2)
    rig.dispatcher.wake(job)
    eventually(lambda: state_of(rig, job) is JobState.DEAD)
    dead = rig.story.outbox.get(job.id)
    assert (dead.attempts, dead.error_code) == (2, "internal-error")
    revived = rig.story.outbox.revive(job.id, at=datetime.now(UTC))
    assert (revived.state, revived.attempts) == (JobState.WAITING, 0)


def test_an_open_job_is_refused_and_left_alone(rig: Rig) -> None:
    job = rig.story.enqueue("deliver", job_class=JobClass.OPEN)
    with pytest.raises(OpenJobRefusedError):
        rig.dispatcher.wake(job)
    # By its id alone a dispatcher cannot know: then the runner refuses.
    rig.dispatcher.wake(job.id)
    marker = rig.story.enqueue("deliver")
    rig.dispatcher.wake(marker)
    eventually(lambda: state_of(rig, marker) is JobState.DONE)
    rig.dispatcher.idle()
    left = rig.story.outbox.get(job.id)
    assert (left.state, left.attempts, rig.story.effects(job)) == (JobState.WAITING, 0, 0)


def test_a_message_that_names_no_job_of_ours_harms_nothing(rig: Rig) -> None:
    if rig.send_raw is None:
        rig.dispatcher.wake(str(uuid.uuid4()))
    else:
        rig.send_raw("home", str(uuid.uuid4()))
        rig.send_raw("elsewhere", str(uuid.uuid4()))
        rig.send_raw("home", "../../etc/passwd")
    marker = rig.story.enqueue("deliver")
    rig.dispatcher.wake(marker)
    eventually(lambda: state_of(rig, marker) is JobState.DONE)
