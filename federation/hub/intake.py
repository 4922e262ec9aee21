"""Taking in a proof package, or keeping it until what it needs is reachable.

```
respond() → known bytes? nonce free? not late? → verify (no transaction open)
          → ONE transaction: nonce, package, nullifier, application, outbox
```
The rule may only accept; everything else goes to a person. Technical trouble is never a refusal.
"""

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from federation.aids.catalogue import Catalogue
from federation.aids.model import Aid
from federation.credentials import (
    UnverifiableError,
    VerifiedPresentation,
)
from federation.credentials.held import holder_of_sd_jwt
from federation.hub.days import day_in_words
from federation.hub.errors import (
    AidNotOpenError,
    AlreadyAwardedError,
    ChallengeExpiredError,
    ChallengeMismatchError,
    ChallengeUsedError,
    PackageRefusedError,
)
from federation.hub.facts import holds_of
from federation.hub.model import (
    CLOSED,
    DECIDABLE,
    Application,
    Funder,
    LedgerState,
    NoticeKind,
    Package,
    Request,
    Transition,
)
from federation.hub.packages import Packages, receipt_of
from federation.hub.posted import claims_of_own, read_package
from federation.hub.requesting import DECLINED
from federation.openid4vp import (
    DIRECT_POST_JWT,
    WALLET_ERRORS,
    ResponseMalformedError,
    read_posted,
)
from federation.ports import (
    DocumentEnvelope,
    ResponseReceipt,
)
from federation.wire.jobs import Job
from schemas.ids import Did
from schemas.records import ApplicationState

__all__ = ["Intake"]


class Intake(Packages):
    """Takes in proof packages."""

    def respond(self, request_id: str, form: Mapping[str, str]) -> ResponseReceipt:
        """Take in what a wallet posted: encrypted where the request asked it so.

        Raises:
            As `_take_in`.
        """
        request = self._request(request_id)
        limit = self._settings.package_bytes + 200_000
        limit += self._settings.documents * (self._settings.document_bytes * 4 // 3 + 1_000)
        is_encrypted = claims_of_own(request.token)["response_mode"] == DIRECT_POST_JWT
        said = read_posted(
            form,
            key=self._response_key(request_id) if is_encrypted else None,
            max_bytes=limit,
        )
        if "error" in said:
            return self._take_refusal(request, said)
        return self._take_in(request, **read_package(said, max_bytes=self._settings.package_bytes))

    def _take_refusal(self, request: Request, said: Mapping[str, Any]) -> ResponseReceipt:
        """A wallet's word that nothing is sent (OpenID4VP 1.0 §8.5): the request is over, and that
        is all that is kept. The same word again gets the same answer.

        Raises:
            ChallengeUsedError, ChallengeMismatchError, ChallengeExpiredError,
            ResponseMalformedError.
        """
        now, state, error = self._clock(), said.get("state"), said.get("error")
        if error not in WALLET_ERRORS or not isinstance(state, str):
            raise ResponseMalformedError("not an error of a wallet")
        if not secrets.compare_digest(state.encode(), request.state.encode()):
            raise ChallengeMismatchError
        if request.receipt is not None and request.receipt.get("state") == DECLINED:
            return receipt_of(request.receipt)
        if request.used_at is not None:
            raise ChallengeUsedError
        if now >= request.expires_at:
            raise ChallengeExpiredError
        receipt: dict[str, Any] = {
            "redirect_uri": self._settings.origin + "/",
            "response_code": secrets.token_urlsafe(24),
            "application": request.application,
            "state": DECLINED,
            "checks": [],
        }
        said_digest = hashlib.sha256(f"{request.id} {error}".encode()).hexdigest()
        with self._store.transact() as tx:
            if not tx.use_nonce(request.id, digest=said_digest, receipt=receipt, at=now):
                raise ChallengeUsedError
        return receipt_of(receipt)

    def _take_in(
        self,
        request: Request,
        *,
        vp_token: Mapping[str, Any],
        state: str,
        consent_receipt: Mapping[str, Any],
        documents: Sequence[DocumentEnvelope] = (),
    ) -> ResponseReceipt:
        """Take in a proof package.

        Steps: (1) the request exists: by the caller; (2) the same bytes again get the stored
        answer; (3) the nonce is free; (4) the answer names this request; (5) it is not late; (6)
        verification, with no transaction open; (7) the rule; (8) one transaction. A package refused
        in 3 to 6, or in 8 because the period is taken, changes nothing; the nonce stays free for
        the true one.

        Raises:
            RequestUnknownError, ChallengeUsedError, ChallengeMismatchError, ChallengeExpiredError,
            PackageRefusedError, AlreadyAwardedError, ApplicationMismatchError,
            ApplicationClosedError, ResponseMalformedError.
        """
        now = self._clock()
        digest = _package_digest(request.id, vp_token, state, consent_receipt, documents)
        if request.used_at is not None:
            if request.answer_digest == digest and request.receipt is not None:  # (2)
                return receipt_of(request.receipt)
            raise ChallengeUsedError  # (3)
        if not secrets.compare_digest(state.encode(), request.state.encode()):  # (4)
            raise ChallengeMismatchError
        if now >= request.expires_at:  # (5)
            raise ChallengeExpiredError
        self._check_documents(documents)
        catalogue = self._publishing.catalogue()
        aid = catalogue.aid(request.aid)
        funder = self._publishing.funder(aid.funder)
        if funder is None:
            raise AidNotOpenError
        package = Package(
            digest=digest,
            application=request.application,
            request=request.id,
            vp_token=vp_token,
            consent_receipt=consent_receipt,
            documents=tuple(documents),
            received_at=now,
        )
        try:
            verified = self._verify(aid, funder, request, vp_token, at=now)  # (6)
        except UnverifiableError as error:
            return self._hold(aid, funder, request, package, error)
        except PackageRefusedError as error:
            self._note_refusal(aid, error.failed, now)
            raise
        return self._accept_package(
            catalogue, aid, funder, request, package=package, verified=verified
        )  # (7) (8)

    def _accept_package(
        self,
        catalogue: Catalogue,
        aid: Aid,
        funder: Funder,
        request: Request,
        *,
        package: Package,
        verified: VerifiedPresentation,
    ) -> ResponseReceipt:
        with self._store.read() as reader:
            joined = reader.document_count(request.application) + len(package.documents)
        outcome, to_review, reasons = self._judge(
            catalogue, aid, funder, verified, request.period, documents=joined
        )
        now = package.received_at
        receipt = self._new_receipt(request, verified.checks)
        with self._store.transact() as tx:
            taken = self._taken(tx, request.id, package.digest)
            if taken is not None:
                return taken
            before = self._open_application(tx, aid, request, verified.holder)
            application = self._submitted(
                aid,
                funder,
                request,
                package,
                before,
                holder=verified.holder,
                checks=[check.to_json() for check in verified.checks],
            )
            application = self._judged(
                application, aid, verified, outcome, reasons, to_review=to_review
            )
            automatic = not to_review and outcome.is_eligible
            if automatic and not self._has_budget(tx, aid, int(outcome.amount or 0)):
                automatic, to_review = False, True
                application = _without_budget(application)
            if automatic:
                application = self._grant(
                    tx, aid, funder, application, int(outcome.amount or 0), actor="rule", at=now
                )
            receipt["state"] = application.state.value
            if not tx.use_nonce(request.id, digest=package.digest, receipt=receipt, at=now):
                raise ChallengeUsedError
            taken_by = tx.reserve_all(
                holds_of(aid, verified, request.period),
                application=application.id,
                state=LedgerState.CONSUMED if automatic else LedgerState.RESERVED,
                at=now,
            )
            if taken_by is not None:
                raise AlreadyAwardedError(taken_by.family, taken_by.period)
            tx.put_package(package)
            tx.put_application(application)
            jobs = []
            if to_review:
                told = NoticeKind.NEW if before is None else NoticeKind.ANSWERED
                jobs = self._notices.tell(tx, application, told, at=now)
                jobs.append(tx.enqueue("hub.acknowledge", package.digest, payload=b"", at=now).id)
        for job in jobs:
            self._wake(job)
        return receipt_of(receipt)

    def _hold(
        self,
        aid: Aid,
        funder: Funder,
        request: Request,
        package: Package,
        error: UnverifiableError,
    ) -> ResponseReceipt:
        """Something needed for the answer is out of reach: keep the package, try again later.

        The holder's signature over nonce and audience did verify (a failed check would have
        refused), so the holder named in it is the one who sent it.
        """
        now = package.received_at
        holder = _holder_of(package)
        receipt = self._new_receipt(request, error.checks)
        with self._store.transact() as tx:
            taken = self._taken(tx, request.id, package.digest)
            if taken is not None:
                return taken
            before = self._open_application(tx, aid, request, holder)
            application = self._submitted(
                aid,
                funder,
                request,
                package,
                before,
                holder=holder,
                checks=[check.to_json() for check in error.checks],
            )
            if not tx.use_nonce(request.id, digest=package.digest, receipt=receipt, at=now):
                raise ChallengeUsedError
            tx.put_package(package)
            tx.put_application(dataclasses.replace(application, to_review=False))
            job = tx.enqueue("hub.verify", package.digest, payload=b"", at=now)
        self._wake(job.id)
        return receipt_of(receipt)

    def run_verification(self, job: Job) -> None:
        """Job `hub.verify`: verify a held package again and go on as at intake.

        Raises:
            UnverifiableError: still not known; the job comes back later.
        """
        with self._store.read() as reader:
            package = reader.package(job.key)
            request = None if package is None else reader.request(package.request)
        if package is None or request is None:
            return
        now = self._clock()
        catalogue = self._publishing.catalogue()
        aid = catalogue.aid(request.aid)
        funder = self._publishing.funder(aid.funder)
        if funder is None:
            return
        codes: tuple[str, ...] = ()
        checks: list[dict[str, Any]] = []
        verified: VerifiedPresentation | None = None
        try:
            verified = self._verify(
                aid,
                funder,
                request,
                package.vp_token,
                at=now,
                presented_at=package.received_at,
            )
        except PackageRefusedError as error:
            codes, checks = error.failed, [check.to_json() for check in error.checks]
        with self._store.transact() as tx:
            before = tx.lock_application(package.application)
            if before is None or before.state in CLOSED or before.package != package.digest:
                tx.complete(job, at=now)
                return
            if verified is None:
                tx.put_application(_refused_late(before, codes, checks, now))
                tx.put_refusal(aid.id, aid.funder, list(codes), at=now)
                tx.complete(job, at=now)
                return
            outcome, to_review, reasons = self._judge(
                catalogue,
                aid,
                funder,
                verified,
                request.period,
                documents=tx.document_count(before.id),
            )
            application = self._judged(
                dataclasses.replace(
                    before, checks=tuple(check.to_json() for check in verified.checks)
                ),
                aid,
                verified,
                outcome,
                reasons,
                to_review=to_review,
            )
            automatic = not to_review and outcome.is_eligible
            if automatic and not self._has_budget(tx, aid, int(outcome.amount or 0)):
                automatic = False
                application = _without_budget(application)
            taken_by = tx.reserve_all(
                holds_of(aid, verified, application.period),
                application=application.id,
                state=LedgerState.CONSUMED if automatic else LedgerState.RESERVED,
                at=now,
            )
            if taken_by is not None:
                application = _refused_late(application, (AlreadyAwardedError.code,), [], now)
                tx.put_refusal(aid.id, aid.funder, [AlreadyAwardedError.code], at=now)
            elif automatic:
                application = self._grant(
                    tx, aid, funder, application, int(outcome.amount or 0), actor="rule", at=now
                )
            tx.put_application(application)
            jobs = []
            if application.to_review:
                jobs = self._notices.tell(tx, application, NoticeKind.NEW, at=now)
            tx.complete(job, at=now)
        for identifier in jobs:
            self._wake(identifier)

    def run_acknowledgement(self, job: Job) -> None:
        """Job `hub.acknowledge`: write the acknowledgement of receipt that the law asks for.

        Service in charge, time limit, and what silence means (CRPA, R. 112-5 and L. 231-1).
        """
        with self._store.read() as reader:
            package = reader.package(job.key)
        if package is None:
            return
        now = self._clock()
        with self._store.transact() as tx:
            found = tx.lock_application(package.application)
            if found is not None and found.package == package.digest and found.state in DECIDABLE:
                aid, funder = self._publishing.aid(found.aid, tx), tx.funder(found.funder)
                service = found.funder if funder is None else funder.service
                text = (
                    f"Accusé de réception. Service chargé du dossier : {service}. "
                    f"Réponse attendue avant le {day_in_words(found.due_at, 'fr')}. "
                    f"{aid.silence_means['fr']}"
                )
                step = Transition(found.state, now, "hub", text)
                tx.put_application(dataclasses.replace(found, history=(*found.history, step)))
            tx.complete(job, at=now)


def _without_budget(application: Application) -> Application:
    """What the rule accepts and the envelope no longer holds goes to a person, and says so."""
    reason = {
        "code": "budget-exhausted",
        "rule": "",
        "legal": "",
        "fr": "La règle accorde l'aide, mais l'enveloppe du financeur est épuisée.",
        "en": "The rule grants the aid, but the funder's budget is used up.",
    }
    return dataclasses.replace(application, to_review=True, reasons=(reason, *application.reasons))


def _package_digest(
    request_id: str,
    vp_token: Mapping[str, Any],
    state: str,
    consent_receipt: Mapping[str, Any],
    documents: Sequence[DocumentEnvelope],
) -> str:
    """`sha256:` over everything in a package, in one canonical form."""
    body = {
        "request": request_id,
        "vp_token": vp_token,
        "state": state,
        "consent_receipt": consent_receipt,
        "documents": [
            [d.name, d.media_type, d.key_id, hashlib.sha256(d.sealed).hexdigest()]
            for d in documents
        ],
    }
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _holder_of(package: Package) -> Did:
    for presentations in package.vp_token.values():
        for presentation in presentations:
            if isinstance(presentation, str):
                return holder_of_sd_jwt(presentation)
            return Did(str(presentation["holder"]))
    raise ResponseMalformedError("no presentation")


def _refused_late(
    application: Application, codes: Sequence[str], checks: list[dict[str, Any]], at: datetime
) -> Application:
    """A held package that turned out bad: refused as it would have been at intake."""
    step = Transition(ApplicationState.REFUSED, at, "hub", ", ".join(codes))
    return dataclasses.replace(
        application,
        state=ApplicationState.REFUSED,
        to_review=False,
        decided_at=at,
        checks=tuple(checks) or application.checks,
        reasons=tuple(
            {
                "code": code,
                "rule": "",
                "legal": "",
                "fr": f"Dossier refusé à la vérification : {code}.",
                "en": f"Package refused by verification: {code}.",
            }
            for code in codes
        ),
        history=(*application.history, step),
    )
