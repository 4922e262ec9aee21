"""Blind jobs of the home: deliver a proof package, tell a recipient of a withdrawal.

The payload of a job is sealed under the home's key: it must be readable while the vault is locked,
and says nothing in the database. What became of it is a row the open vault reads (`delivery_of`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.did.web import url_of
from federation.errors import HubClientError, HubRefusedError
from federation.openid4vp import RequestRefusedError, build_response, origin_of
from federation.trust import Role
from federation.wire.errors import OutboundError
from federation.wire.http import Answer
from federation.wire.jobs import Job, JobState
from schemas.errors import MobilityError, Refused, Retriable
from schemas.ids import Iri

if TYPE_CHECKING:
    from vault.home import Home
    from vault.library import Draft
    from vault.store import Transactor

__all__ = [
    "DELIVER",
    "HUB",
    "PROOF_LIFE",
    "VERIFIER",
    "WITHDRAW",
    "Delivery",
    "NoHubError",
    "delivery_of",
    "enqueue_withdrawal",
    "open_job",
    "register",
    "seal_job",
    "send_again",
    "to_of",
    "withdrawal_of",
]

DELIVER: Final = "deliver"
HUB: Final = "hub"
VERIFIER: Final = "verifier"
WITHDRAW: Final = "withdraw"


class NoHubError(MobilityError, Retriable):
    """This process knows no hub to deliver to; another one may."""

    code = "no-hub"
    retry_after_s = 60


class ProofTooOldError(MobilityError, Refused):
    """The proof that a blind job carried is too old; the open vault makes another one."""

    code = "proof-too-old"


PROOF_LIFE: Final = timedelta(minutes=4, seconds=30)
"""Of the five minutes a holder proof lives, what leaves room for the way and for clocks."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a proof package stands. `state` is `delivered`, `refused` (the recipient said no), or
    `delayed`: it could not be handed over yet, and is tried again; nobody refused anything."""

    state: str
    error_code: str | None
    redirect_uri: str | None
    response_code: str | None
    application_state: str | None
    checks: tuple[Mapping[str, Any], ...]


def seal_job(home: "Home", vault_id: str, kind: str, body: Mapping[str, Any]) -> bytes:
    return home.seal.seal(
        json.dumps(body, ensure_ascii=False).encode(),
        purpose=f"job/{kind}",
        aad=vault_id.encode(),
    )


def open_job(home: "Home", job: Job) -> dict[str, Any]:
    found = json.loads(
        home.seal.open(job.payload, purpose=f"job/{job.kind}", aad=job.owner.encode())
    )
    assert isinstance(found, dict)  # noqa: S101  # written by `seal_job`
    return found


def register(home: "Home") -> None:
    """Give the home its own handlers."""

    def deliver(job: Job) -> None:
        """Post one package. The hub answers the same bytes with the same receipt."""
        body = open_job(home, job)
        if body.get("to") == VERIFIER:
            _deliver_to_verifier(home, job, body)
            return
        if home.hub is None:
            raise NoHubError("no hub is known here")
        try:
            receipt = home.hub.respond(body["response_uri"], _form(body))
        except HubRefusedError as error:
            checks = getattr(error, "extensions", {}).get("checks", [])
            _keep(
                home,
                job,
                body["application"],
                {
                    "state": "refused",
                    "error_code": getattr(error, "hub_code", None) or error.code,
                    "checks": list(checks) if isinstance(checks, list) else [],
                },
            )
            raise
        except HubClientError as error:
            _delay(home, job, body["application"], error.code)
            raise
        _keep(
            home,
            job,
            body["application"],
            {
                "state": "delivered",
                "redirect_uri": receipt.redirect_uri,
                "response_code": receipt.response_code,
                "application_state": receipt.state,
                "checks": [
                    {
                        "step": check.step,
                        "code": check.code,
                        "outcome": check.outcome,
                        "detail": check.detail,
                        "words": dict(check.words),
                    }
                    for check in receipt.checks
                ],
            },
        )
        home.journal_locked(job.owner, "delivered", actor="home", application=body["application"])

    def withdraw(job: Job) -> None:
        """Tell the recipient that consent was withdrawn. The proof in the job lives minutes: when
        it is too old the open vault sends another one (`pending_withdrawal`), until an answer."""
        if home.hub is None:
            raise NoHubError("no hub is known here")
        body = open_job(home, job)
        if home.clock() - datetime.fromisoformat(body["proved_at"]) >= PROOF_LIFE:
            raise ProofTooOldError("the proof in this job is too old to be sent")
        answer, about = "withdrawn", Iri(body["application"])
        tell = home.hub.end_sendings if body.get("standing") else home.hub.withdraw
        try:
            tell(about, proof_jwt=body["proof_jwt"])
        except HubRefusedError as error:
            answer = getattr(error, "hub_code", None) or error.code
            if answer == "holder-proof-invalid":  # not heard: another proof is made
                raise
        with home.store.transact() as tx:
            tx.lock_head(job.owner)
            _mark(home, tx, job.owner, body["consent"], {"state": "heard", "answer": answer})
        home.journal_locked(
            job.owner, "withdrawal-heard", actor="home", consent=body["consent"], answer=answer
        )

    home.register_job(DELIVER, deliver)
    home.register_job(WITHDRAW, withdraw)


def _form(body: Mapping[str, Any]) -> dict[str, str]:
    """The form to post; of jobs sealed before answers were encrypted, in clear."""
    if "form" in body:
        return dict(body["form"])
    return build_response(
        body["vp_token"], state=body["state"], extra={"consent_receipt": body["consent_receipt"]}
    )


def _deliver_to_verifier(home: "Home", job: Job, body: Mapping[str, Any]) -> None:
    """Post an answer to a verifier that is not the hub (OpenID4VP 1.0 §8.2): 200 means taken, and
    may name the page where the person goes on."""
    about = body["application"]
    try:
        answer = home.http.post(
            body["response_uri"], form=body["form"], accept=("*/*",), statuses=(200,)
        )
    except OutboundError as error:
        if isinstance(error, Retriable):
            _delay(home, job, about, error.code)
        else:
            _keep(home, job, about, {"state": "refused", "error_code": error.code, "checks": []})
        raise
    _keep(
        home,
        job,
        about,
        {"state": "delivered", "redirect_uri": _redirect_uri(home, answer), "checks": []},
    )
    home.journal_locked(job.owner, "delivered", actor="home", consent=about)


def _redirect_uri(home: "Home", answer: Answer) -> str | None:
    """Where the verifier sends the person next; only https, and this machine where allowed."""
    try:
        body = answer.json()
    except OutboundError:
        return None
    found = body.get("redirect_uri") if isinstance(body, dict) else None
    if not isinstance(found, str) or len(found) > 2_000:
        return None
    try:
        scheme, host, _ = origin_of(found)
    except RequestRefusedError:
        return None
    is_here = home.settings.allow_loopback and host == "localhost"
    return found if scheme == "https" or is_here else None


def to_of(home: "Home", response_uri: str) -> str:
    """Who is at an address: this home's hub, or another verifier."""
    trust = home.trust
    for entry in () if trust is None else trust.with_role(Role.HUB, home.clock())[:1]:
        at_hub = url_of(entry.did, loopback_http=home.settings.allow_loopback)
        if origin_of(at_hub) == origin_of(response_uri):
            return HUB
    return VERIFIER


def _delay(home: "Home", job: Job, application: str, code: str) -> None:
    """Say that it is on its way still, and since when; once for all attempts that fail alike."""
    known = delivery_of(home, job.owner, Iri(application))
    if known is not None and known.state == "delayed" and known.error_code == code:
        return
    _keep(home, job, application, {"state": "delayed", "error_code": code})


def send_again(home: "Home", vault_id: str) -> int:
    """Give each package another start that a technical failure kept back for hours (a dead job);
    one the recipient refused stays refused. Returns how many."""
    again = 0
    for job in home.outbox.of_owner(vault_id, kind=DELIVER, state=JobState.DEAD):
        known = delivery_of(home, vault_id, Iri(open_job(home, job)["application"]))
        if known is None or known.state == "delayed":
            home.wake(home.outbox.revive(job.id, at=home.clock()))
            again += 1
    return again


def _keep(home: "Home", job: Job, application: str, body: Mapping[str, Any]) -> None:
    name = _name(home, job.owner, application)
    sealed = home.seal.seal(
        json.dumps(body).encode(), purpose="delivery", aad=f"{job.owner}\x00{name}".encode()
    )
    with home.store.transact() as tx:
        tx.lock_head(job.owner)
        tx.put_setting(job.owner, name, sealed)


def _mark(
    home: "Home", tx: "Transactor", vault_id: str, consent: str, body: Mapping[str, Any]
) -> None:
    name = "withdrawal/" + home.seal.tag(vault_id, consent, purpose="withdrawal").hex()
    sealed = home.seal.seal(
        json.dumps(dict(body)).encode(), purpose="withdrawal", aad=f"{vault_id}\x00{name}".encode()
    )
    tx.put_setting(vault_id, name, sealed)


def enqueue_withdrawal(
    home: "Home",
    draft: "Draft",
    consent: Iri,
    *,
    application: Iri,
    proof_jwt: str,
    standing: bool = False,
) -> Job:
    """The job that tells a recipient, with a proof made now; marked as not heard yet. `standing`:
    that no more follows after this application, which itself is not withdrawn."""
    at = home.clock()
    _mark(home, draft.tx, draft.vault_id, consent, {"state": "sent", "at": at.isoformat()})
    return draft.enqueue(
        WITHDRAW,
        key=f"{consent} {at.isoformat()}"[-128:],
        payload=seal_job(
            home,
            draft.vault_id,
            WITHDRAW,
            {
                "consent": consent,
                "application": application,
                "proof_jwt": proof_jwt,
                "proved_at": at.isoformat(),
                "standing": standing,
            },
        ),
    )


def withdrawal_of(home: "Home", vault_id: str, consent: Iri) -> Mapping[str, Any] | None:
    """Whether the recipient of a withdrawn consent heard of it: `{"state": "sent", "at": …}` or
    `{"state": "heard", "answer": …}`; None when there was nobody to tell."""
    name = "withdrawal/" + home.seal.tag(vault_id, consent, purpose="withdrawal").hex()
    with home.store.read() as reader:
        sealed = reader.setting(vault_id, name)
    if sealed is None:
        return None
    found: Mapping[str, Any] = json.loads(
        home.seal.open(sealed, purpose="withdrawal", aad=f"{vault_id}\x00{name}".encode())
    )
    return found


def _name(home: "Home", vault_id: str, application: str) -> str:
    return "delivery/" + home.seal.tag(vault_id, application, purpose="delivery").hex()


def delivery_of(home: "Home", vault_id: str, application: Iri) -> Delivery | None:
    """What became of the last package of an application; None before the first attempt."""
    name = _name(home, vault_id, application)
    with home.store.read() as reader:
        sealed = reader.setting(vault_id, name)
    if sealed is None:
        return None
    body = json.loads(
        home.seal.open(sealed, purpose="delivery", aad=f"{vault_id}\x00{name}".encode())
    )
    return Delivery(
        body["state"],
        body.get("error_code"),
        body.get("redirect_uri"),
        body.get("response_code"),
        body.get("application_state"),
        tuple(body.get("checks", ())),
    )
