"""Background work of the hub: a thread beside the server, or a Celery worker elsewhere."""

from federation.hub.context import HubContext
from federation.hub.settings import HubSettings
from federation.wire.dispatcher import ThreadDispatcher
from federation.wire.jobs import Runner

__all__ = ["STORE", "open_runner", "start_thread"]

STORE = "hub"
"""Name of the hub's store in a worker's tasks."""


def start_thread(context: HubContext) -> ThreadDispatcher:
    """Run the hub's jobs on a thread of this process, and wake it after each commit."""
    runner = context.runner()
    dispatcher = ThreadDispatcher(runner.run, due=runner.due, name="hub-jobs")
    context.use_dispatcher(dispatcher)
    return dispatcher


def open_runner(settings: HubSettings) -> Runner:
    """For a Celery worker: open the store (which must be migrated) and give its runner."""
    return HubContext.build(settings, migrate=False).runner()
