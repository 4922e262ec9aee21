"""Saying no to a verifier: the protocol's own word, so that its page does not wait.

What was prepared is forgotten, the journal has a line, and a blind job posts `access_denied` with
the verifier's own `state`: nothing of the vault. A hub is told so too: the page of its code waits,
and the person may still apply by another request.
Source: OpenID4VP 1.0 §8.5 (error response), §8.2 (`direct_post`).
"""

from typing import TYPE_CHECKING, Final

from federation.wire.jobs import Job
from vault.delivery import HUB, NoHubError, open_job, seal_job, to_of
from vault.errors import ShareRefusedError
from vault.sharing import read_disclosure

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["DECLINE", "decline", "register"]

DECLINE: Final = "decline"


def decline(vault: "OpenVault", disclosure_id: str) -> bool:
    """Forget a prepared answer and tell its verifier; False: it was over. Twice is once."""
    home, name = vault.home, f"disclosure/{disclosure_id}"
    try:
        found = read_disclosure(vault, disclosure_id)
    except ShareRefusedError:  # answered, declined or over already
        return False
    state = found.request["state"]
    form = {"error": "access_denied", **({"state": state} if state else {})}
    uri = found.request["response_uri"]
    body = {"to": to_of(home, uri), "response_uri": uri, "form": form}
    with vault.library.writing() as draft:
        if not draft.tx.setting(vault.vault_id, name):
            return False
        draft.tx.delete_setting(vault.vault_id, name)
        draft.journal("declined", recipient=found.recipient, purpose=found.purpose)
        payload = seal_job(home, vault.vault_id, DECLINE, body)
        job = draft.enqueue(DECLINE, key=f"decline {found.id}", payload=payload)
        draft.after_commit.append(lambda: home.wake(job))
    return True


def register(home: "Home") -> None:
    """Give the home the job that tells a verifier."""

    def tell(job: Job) -> None:
        body = open_job(home, job)
        if body.get("to") == HUB:
            if home.hub is None:
                raise NoHubError("no hub is known here")
            home.hub.respond(body["response_uri"], body["form"])
            return
        home.http.post(
            body["response_uri"], form=body["form"], accept=("*/*",), statuses=(200, 204)
        )

    home.register_job(DECLINE, tell)
