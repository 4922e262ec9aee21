"""Scheduled pulls as blind jobs of the home's outbox: they run while the vault is locked.

One job a run; when it ends, the next one is written for the time the source asked for, else for
six hours later. An account whose token is refused is not planned again until the citizen connects
it.
"""

from typing import Any, Final, Protocol

from connectors.errors import UnknownAccountError
from connectors.service import ConnectorService
from federation.wire import database
from federation.wire.jobs import Handler, Job, Outbox

PULL: Final = "connector-pull"


class JobHome(Protocol):
    """What scheduling needs of a home."""

    outbox: Outbox
    store: Any
    """Has the `engine` of the home's database."""

    def clock(self) -> Any: ...

    def register_job(self, kind: str, handler: Handler) -> None: ...

    def wake(self, job: Job) -> None: ...


def register_pulls(home: JobHome, service: ConnectorService) -> None:
    """Let the home's runner run pulls. Call once, when the home opens."""

    def run(job: Job) -> None:
        account_id = job.payload.decode()
        try:
            service.pull(job.owner, account_id)
        except UnknownAccountError:
            return  # disconnected meanwhile
        plan_pull(home, service, job.owner, account_id)

    home.register_job(PULL, run)


def plan_pull(
    home: JobHome, service: ConnectorService, vault_id: str, account_id: str
) -> Job | None:
    """Write the account's next run to the outbox; None when it must be connected again first."""
    account = service.account(vault_id, account_id)
    if account.last_run_at is not None and account.retry_at is None:
        return None
    now = home.clock()
    due = account.retry_at or now
    with database.transact(home.store.engine) as session:
        job = home.outbox.enqueue(
            session,
            PULL,
            at=now,
            key=f"{account_id}/{int(due.timestamp())}",
            owner=vault_id,
            payload=account_id.encode(),
            due_at=due,
        )
    home.wake(job)
    return job


__all__ = ["PULL", "plan_pull", "register_pulls"]
