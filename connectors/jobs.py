"""Scheduled pulls as blind jobs of the home's outbox: they run while the vault is locked.

One job a run; each run, whoever asked for it, writes the next one for the time the source asked
for, else for six hours later. A job whose account was asked meanwhile does nothing: the later one
is planned. An account whose token is refused is not planned again until the citizen connects it.
"""

from typing import Any, Final, Protocol

from connectors.accounts import Health
from connectors.errors import UnknownAccountError
from connectors.service import ConnectorService
from federation.wire import database
from federation.wire.jobs import Handler, Job, Outbox
from schemas.errors import MobilityError

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
    """Let the home's runner run pulls, and have each run plan the next. Call once, when the home
    opens."""

    def run(job: Job) -> None:
        account_id = job.payload.decode()
        try:
            account = service.account(job.owner, account_id)
            if account.health is Health.RECONNECT:
                return
            if account.retry_at is not None and account.retry_at > home.clock():
                return
            service.pull(job.owner, account_id)
        except UnknownAccountError:
            return  # disconnected meanwhile
        except MobilityError as error:
            service.put_off(job.owner, account_id, error)

    home.register_job(PULL, run)
    service.planner = lambda vault_id, account_id: plan_pull(home, service, vault_id, account_id)


def plan_known(home: JobHome, service: ConnectorService) -> int:
    """Plan every account that has a next run; how many. A run that is planned already is planned
    once (its key), so any process may call this when it starts."""
    accounts = service.planned()
    for account in accounts:
        plan_pull(home, service, account.vault_id, account.account_id)
    return len(accounts)


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
            key=f"{account_id}/{due.isoformat()}",
            owner=vault_id,
            payload=account_id.encode(),
            due_at=due,
        )
    home.wake(job)
    return job


__all__ = ["PULL", "plan_known", "plan_pull", "register_pulls"]
