"""Starts a Celery worker for the stores a composition root gives it."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from federation.wire.tasks import QueueSettings, StoreRunner, create_celery_app

__all__ = ["run_worker"]


def run_worker(
    settings: QueueSettings,
    stores: Mapping[str, Callable[[], StoreRunner]],
    *,
    sweep: bool = True,
    schedule_file: str | None = None,
) -> NoReturn:
    """Serve `stores` until the process is told to stop (SIGTERM lets running jobs finish).

    `sweep` also looks for due rows from this worker; one worker of a fleet is enough, several do
    no harm. `schedule_file` is where the sweep's clock is kept (a temporary file by default).
    """
    import tempfile

    app = create_celery_app(settings, stores)
    arguments = [
        "worker",
        "--loglevel=WARNING",
        f"--concurrency={settings.concurrency}",
        "--without-gossip",
        "--without-mingle",
        f"--queues={settings.queue}",
    ]
    if not sweep:
        app.worker_main(arguments)
        raise SystemExit(0)
    with tempfile.TemporaryDirectory(prefix="mobility-beat-") as folder:
        file = schedule_file or f"{folder}/schedule"
        app.worker_main([*arguments, "--beat", f"--schedule={file}"])
    raise SystemExit(0)
