"""The dispatcher of a provider: Celery over RabbitMQ or Redis.

A message holds the name of a store and the id of a job, nothing else: no pickles, no payloads. A
worker acknowledges after the attempt, so that a killed worker's message comes back; the lease on
the row decides whether it is run again. Open jobs are refused: a worker holds no session. A sweep
every few seconds finds what no message told (retries, a broker that was away).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from federation.wire.errors import (
    JobNotFoundError,
    OpenJobRefusedError,
    SettingsRefusedError,
    UnknownStoreError,
)
from federation.wire.jobs import Job, JobClass, Outcome

__all__ = ["CeleryDispatcher", "QueueSettings", "StoreRunner", "create_celery_app"]

_log = structlog.get_logger(__name__)

RUN: Final = "mobility.run"
SWEEP: Final = "mobility.sweep"

_STORE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SCHEMES = ("amqp://", "amqps://", "redis://", "rediss://")


class QueueSettings(BaseModel):
    """How to reach the broker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    broker_url: SecretStr
    """`amqp://…`, `amqps://…`, `redis://…` or `rediss://…`."""
    result_backend: SecretStr | None = None
    """None as a rule: the outbox row is the result."""
    queue: str = Field(default="mobility", pattern=r"^[a-z][a-z0-9_.-]{0,63}$")
    sweep_s: float = Field(default=10.0, gt=0, le=3600)
    concurrency: int = Field(default=2, ge=1, le=64)

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(_SCHEMES):
            raise SettingsRefusedError(setting="broker_url", why="RabbitMQ or Redis only")
        return value


class StoreRunner(Protocol):
    """What a worker needs of a store: `federation.wire.jobs.Runner` is one."""

    def due(self) -> tuple[str, ...]:
        """Ids that could run now."""

    def run(self, job_id: str) -> Outcome:
        """One attempt."""


def create_celery_app(
    settings: QueueSettings, stores: Mapping[str, Callable[[], StoreRunner]] | None = None
) -> Celery:
    """The Celery application of a server (which only sends) or of a worker (which has stores).

    `stores` maps a store's name to a factory; a store is opened by the first task that names it,
    in the process that runs it (connections do not survive a fork).
    """
    app = Celery("mobility", set_as_current=False)
    app.conf.update(
        broker_url=settings.broker_url.get_secret_value(),
        result_backend=(
            settings.result_backend.get_secret_value() if settings.result_backend else None
        ),
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=settings.queue,
        task_create_missing_queues=True,
        task_default_delivery_mode="persistent",
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.concurrency,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        task_publish_retry=False,
        # Redis hands a message out again after this long without an acknowledgement.
        broker_transport_options=(
            {"visibility_timeout": 600, "socket_timeout": 10, "socket_connect_timeout": 5}
            if settings.broker_url.get_secret_value().startswith("redis")
            else {"confirm_publish": True}
        ),
        beat_schedule={
            f"sweep-{store}": {
                "task": SWEEP,
                "schedule": settings.sweep_s,
                "args": [store],
                "options": {"expires": settings.sweep_s * 2},
            }
            for store in stores or {}
        },
        timezone="UTC",
        enable_utc=True,
    )
    factories = dict(stores or {})
    opened: dict[str, StoreRunner] = {}

    def runner(store: str) -> StoreRunner:
        if store not in factories:
            raise UnknownStoreError("this worker does not serve the store a task names")
        if store not in opened:
            opened[store] = factories[store]()
        return opened[store]

    @app.task(name=RUN)  # type: ignore[untyped-decorator]  # Celery has no types
    def run(store: str, job_id: str) -> str:
        _check(store, job_id)
        try:
            return runner(store).run(job_id).value
        except (JobNotFoundError, OpenJobRefusedError) as error:
            # Nothing to try again: the row is gone, or belongs to an open session.
            _log.warning("worker.refused", store=store, job_id=job_id, error_code=error.code)
            return error.code

    @app.task(name=SWEEP)  # type: ignore[untyped-decorator]  # Celery has no types
    def sweep(store: str) -> int:
        _check(store, None)
        due = runner(store).due()
        for job_id in due:
            app.send_task(RUN, args=[store, job_id], retry=False)
        return len(due)

    return app


class CeleryDispatcher:
    """Tells Celery's workers of a job, by store name and job id."""

    def __init__(
        self, app: Celery, *, store: str, unfinished: Callable[[], bool] | None = None
    ) -> None:
        if not _STORE.fullmatch(store):
            raise SettingsRefusedError(setting="store", why="lower case letters, digits, hyphens")
        self._app = app
        self._store = store
        self._unfinished = unfinished
        self._stopped = False

    def wake(self, job: Job | str) -> None:
        """Send a message. A broker that is away is logged: the sweep finds the row later."""
        if isinstance(job, Job) and job.job_class is not JobClass.BLIND:
            raise OpenJobRefusedError(kind=job.kind)
        job_id = job.id if isinstance(job, Job) else job
        _check(self._store, job_id)
        if self._stopped:
            return
        try:
            self._app.send_task(RUN, args=[self._store, job_id], retry=False)
        except (OperationalError, OSError) as error:
            _log.warning(
                "dispatcher.broker_away", job_id=job_id, error_type=type(error).__qualname__
            )

    def stop(self) -> None:
        """Send nothing more and close the connections to the broker."""
        if not self._stopped:
            self._stopped = True
            self._app.close()

    def idle(self, timeout_s: float = 30.0) -> bool:
        """Wait until `unfinished()` says no (the rows know; a sender does not)."""
        import time

        if self._unfinished is None:
            return True
        until = time.monotonic() + timeout_s
        while self._unfinished():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True


def _check(store: Any, job_id: Any) -> None:
    if not isinstance(store, str) or not _STORE.fullmatch(store):
        raise UnknownStoreError("a task names no store")
    if job_id is not None and not (isinstance(job_id, str) and _JOB_ID.fullmatch(job_id)):
        raise JobNotFoundError("a task names no job")
