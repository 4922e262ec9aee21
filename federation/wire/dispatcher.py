"""The dispatcher of a home or hub that runs alone: threads of its own process."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from federation.wire.errors import OpenJobRefusedError
from federation.wire.jobs import Job, JobClass

__all__ = ["ThreadDispatcher"]

_log = structlog.get_logger(__name__)

POLL_S: Final = 2.0
"""How often due jobs are looked for: retries, and what a killed process left."""


class ThreadDispatcher:
    """Runs jobs on a few daemon threads.

    `run(job_id)` makes one attempt (`Runner.run`); `due()` lists what could run now (`Runner.due`)
    and is asked at the start and every `poll_s`. A failing `run` or `due` is logged and the thread
    goes on. With `classes` containing OPEN the process vouches that it holds the sessions.
    """

    def __init__(
        self,
        run: Callable[[str], object],
        *,
        due: Callable[[], Iterable[str]] | None = None,
        poll_s: float = POLL_S,
        threads: int = 1,
        classes: Iterable[JobClass] = (JobClass.BLIND,),
        name: str = "jobs",
    ) -> None:
        self._run = run
        self._due = due
        self._poll_s = poll_s
        self._classes = frozenset(classes)
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        if due is not None:
            self._threads.append(
                threading.Thread(target=self._look, name=f"{name}-due", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def wake(self, job: Job | str) -> None:
        """Run this job soon. A job already waiting for its turn is not queued twice."""
        if isinstance(job, Job) and job.job_class not in self._classes:
            raise OpenJobRefusedError(kind=job.kind)
        self._add(job.id if isinstance(job, Job) else job)

    def idle(self, timeout_s: float = 30.0) -> bool:
        """Wait until every job woken so far has had its attempt; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, timeout=timeout_s)

    def stop(self) -> None:
        """Finish the attempts that run, take no other. What is left is found at the next start."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=30)
        with self._changed:
            self._pending.clear()
            self._changed.notify_all()

    def _add(self, job_id: str) -> None:
        with self._changed:
            if self._stopping.is_set() or job_id in self._pending:
                return
            self._pending.add(job_id)
        self._queue.put(job_id)

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self._run(job_id)
            except Exception as error:
                _log.error(
                    "dispatcher.run_failed",
                    job_id=job_id,
                    error_code=getattr(error, "code", type(error).__qualname__),
                )
            finally:
                with self._changed:
                    self._pending.discard(job_id)
                    self._changed.notify_all()

    def _look(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                for job_id in self._due() if self._due is not None else ():
                    self._add(job_id)
            except Exception as error:
                _log.error(
                    "dispatcher.due_failed",
                    error_code=getattr(error, "code", type(error).__qualname__),
                )
            self._stopping.wait(max(0.0, self._poll_s - (time.monotonic() - began)))
