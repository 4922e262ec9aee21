"""News of applications: what a hub did since the citizen last looked, without opening each.

While the vault is open (`ask`, in the thread of `tending.py`, at unlock and each ten minutes while
pages are asked for): each application that can still move is asked about, with a proof of its
holder key, and kept; `fresh` says which moved since the citizen saw them (`look`).

While it is locked (blind job `status`, some six hours apart): the open vault left, sealed under
the home's key, one watch proof an application (`federation/hub/holder_proof.py`) and the number of
steps it knew. With these the home learns that there is more, not what, writes it into the journal,
and calls `told`: a mail, where the citizen chose so (`notices.py`).
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from federation.errors import HubClientError, HubRefusedError
from federation.hub.holder_proof import WATCH_LIFE, sign_watch_proof
from federation.wire.jobs import Job
from schemas.ids import Did
from schemas.records import Application, ApplicationState, Kind, Transition
from vault.delivery import NoHubError, delivery_of, open_job, seal_job
from vault.sharing import SEEN, hub_did, refresh_application, seen_steps

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["JOB", "News", "ask", "fresh", "is_due", "look", "register", "watch"]

_log = structlog.get_logger(__name__)

JOB: Final = "status"
ASK_EVERY: Final = timedelta(minutes=10)
LOCKED_EVERY: Final = timedelta(hours=6)
AWAY: Final = timedelta(hours=1)
"""When the hub did not answer."""
LIVE: Final = frozenset(
    {
        ApplicationState.SUBMITTED,
        ApplicationState.NEEDS_INFORMATION,
        ApplicationState.COMPLETED,
        ApplicationState.APPEALED,
        ApplicationState.ACCEPTED,
        ApplicationState.AWARDED,
    }
)
"""States in which a hub may have more to say."""
OWN: Final = frozenset({"citizen", "holder"})
"""Actors of steps that are no news to the citizen."""


@dataclass(frozen=True, slots=True)
class News:
    """An application that moved since the citizen last looked."""

    application: Application
    step: Transition | None
    """The last step somebody else made; None: the funder asks for a check by sample."""


def is_due(vault: "OpenVault") -> bool:
    """Whether the hub was not asked for a while, in this process."""
    asked = vault.news_asked_at
    return vault.home.hub is not None and (asked is None or vault.home.clock() - asked >= ASK_EVERY)


def ask(vault: "OpenVault") -> int:
    """Ask about every application that can still move; returns how many did. A hub that is away
    stops nobody: what was known stays."""
    vault.news_asked_at = vault.home.clock()
    moved = 0
    for application in _live(vault):
        try:
            moved += refresh_application(vault, application.id) != application
        except HubRefusedError as error:
            _log.info("vault.news_refused", code=error.hub_code)
        except (HubClientError, NoHubError) as error:
            _log.info("vault.news_later", code=error.code)
            break
    watch(vault)
    return moved


def fresh(vault: "OpenVault") -> list[News]:
    """What moved since the citizen looked, the latest first."""
    found = []
    for application in _applications(vault):
        later = application.history[seen_steps(application) :]
        others = [step for step in later if step.actor not in OWN]
        if others:
            found.append(News(application, others[-1]))
        elif _audit_of(application).get("state") == "asked":
            found.append(News(application, None))
    return sorted(found, key=_when, reverse=True)


def _when(news: News) -> datetime:
    if news.step is not None:
        return news.step.at
    return datetime.fromisoformat(_audit_of(news.application)["asked_at"])


def look(vault: "OpenVault", application: Application) -> Application:
    """The citizen has it before their eyes."""
    shown = len(application.history)
    if seen_steps(application) == shown:
        return application

    def looked(now: Application) -> Application:
        return replace(now, extra={**now.extra, SEEN: shown})

    kept = vault.revise(application.id, looked, kind=Kind.APPLICATION)
    watch(vault)
    return kept


def watch(vault: "OpenVault") -> int:
    """Leave the home what it may ask with while the vault is locked; returns for how many. In place
    of what was left before."""
    home, at = vault.home, vault.home.clock()
    watched = [
        {
            "application": application.id,
            "proof": sign_watch_proof(
                application.id,
                holder=vault.holder_key(Did(application.funder)),
                audience=Did(application.hub or hub_did(vault)),
                at=at,
            ),
            "until": (at + WATCH_LIFE).isoformat(),
            "steps": len(application.history) + bool(_audit_of(application)),
        }
        for application in _live(vault)
        if _is_delivered(vault, application)
    ]
    if not watched and not home.outbox.of_owner(vault.vault_id, kind=JOB):
        return 0
    payload = seal_job(home, vault.vault_id, JOB, {"watched": watched}) if watched else b""
    with home.store.transact() as tx:
        tx.lock_head(vault.vault_id)
        home.outbox.forget(tx.session, owner=vault.vault_id, kind=JOB)
        if watched:
            home.outbox.enqueue(
                tx.session,
                JOB,
                at=at,
                key=secrets.token_hex(16),
                owner=vault.vault_id,
                payload=payload,
                due_at=at + _spread(LOCKED_EVERY),
            )
    return len(watched)


def _applications(vault: "OpenVault") -> list[Application]:
    return [
        found
        for found in vault.all(Kind.APPLICATION)
        if isinstance(found, Application) and found.submitted_at is not None
    ]


def _live(vault: "OpenVault") -> list[Application]:
    return [found for found in _applications(vault) if found.state in LIVE]


def _is_delivered(vault: "OpenVault", application: Application) -> bool:
    known = delivery_of(vault.home, vault.vault_id, application.id)
    return known is not None and known.state == "delivered"


def _audit_of(application: Application) -> Mapping[str, Any]:
    view = application.extra.get("hubView")
    found = view.get("audit") if isinstance(view, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _spread(every: timedelta) -> timedelta:
    """A quarter earlier or later, so that a home's vaults do not all ask at once."""
    return every * (0.75 + secrets.randbelow(1_000) / 2_000)


def register(home: "Home", told: Callable[[str], None]) -> None:
    """Give the home its handler; `told` is called with the id of a vault that has news."""

    def status(job: Job) -> None:
        """Ask how many steps there are; come back later."""
        hub, at = home.hub, home.clock()
        if hub is None:
            raise NoHubError("no hub is known here")
        watched = open_job(home, job)["watched"]
        known = _progress(home, job)
        left, news, is_away = False, 0, False
        for one in watched:
            name = str(one["application"])
            if at >= datetime.fromisoformat(one["until"]):
                continue
            left = True
            try:
                steps = hub.steps(one["application"], watch_jwt=one["proof"])
            except HubRefusedError as error:  # forgotten there, or by another key now
                _log.info("home.news_refused", code=error.hub_code)
                continue
            except HubClientError:
                is_away = True
                break
            if steps > known.get(name, int(one["steps"])):
                known[name] = steps
                news += 1
        if not left:
            return
        sealed = home.seal.seal(
            json.dumps(known).encode(), purpose="progress/status", aad=job.owner.encode()
        )
        with home.store.transact() as tx:
            tx.lock_head(job.owner)
            again = at + _spread(AWAY if is_away else LOCKED_EVERY)
            home.outbox.save_progress(tx.session, job, sealed, at=again)
        if news:
            home.journal_locked(job.owner, "news-waiting", actor="hub", count=news)
            told(job.owner)

    home.register_job(JOB, status)


def _progress(home: "Home", job: Job) -> dict[str, int]:
    """Steps the home heard of since the vault was locked."""
    if not job.progress:
        return {}
    found: dict[str, int] = json.loads(
        home.seal.open(job.progress, purpose="progress/status", aad=job.owner.encode())
    )
    return found
