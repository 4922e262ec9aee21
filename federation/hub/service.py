"""Applications: ask, answer, decide, know. The only way in for a proof package.

```
request()  → a signed OpenID4VP request, single nonce, ten minutes
respond()  → known bytes? nonce free? not late? → verify (no transaction open)
           → ONE transaction: nonce, package, nullifier, application, outbox
decide     → the rule may only accept; everything else goes to a person
application(), withdraw() → for the holder key that presented
```
"""

import dataclasses
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from federation.aids.access import access_of
from federation.aids.catalogue import Catalogue
from federation.aids.declaration import Declaration, declaration_of, read_declared, say_declared
from federation.aids.eligibility import Fact, Facts, FactSource, Reason
from federation.aids.eligibility import Outcome as Eligibility
from federation.aids.errors import DeclarationRefusedError
from federation.aids.model import Aid, CheckMode
from federation.aids.prior_aid import asks_no_prior_aid
from federation.credentials import (
    AllOf,
    Check,
    HasCredential,
    HasNullifier,
    Policy,
    UnverifiableError,
    VerificationError,
    VerifiedPresentation,
)
from federation.credentials import Outcome as CheckOutcome
from federation.credentials.held import holder_of_sd_jwt
from federation.hub.affiliations import OwnAffiliation
from federation.hub.asking import NULLIFIED_BY, query_of
from federation.hub.audits import AuditService
from federation.hub.awards import access_body, award_body, issue_award
from federation.hub.days import day_in_words
from federation.hub.declared import DECLARATION, Standing, documents_wanted, stand
from federation.hub.errors import (
    AidNotOpenError,
    AlreadyAwardedError,
    ApplicationClosedError,
    ApplicationMismatchError,
    ApplicationUnknownError,
    ChallengeExpiredError,
    ChallengeMismatchError,
    ChallengeUsedError,
    DecisionRefusedError,
    DocumentRefusedError,
    HolderProofError,
    PackageRefusedError,
    PeriodRefusedError,
    RequestUnknownError,
)
from federation.hub.evidence import DecisionLog
from federation.hub.facts import claims_of, employee_of, facts_of, held_period, holds_of, objections
from federation.hub.holder_proof import read_holder_proof, read_watch_proof
from federation.hub.keys import HubKeys
from federation.hub.model import (
    CLOSED,
    DECIDABLE,
    HOLDER,
    SENDINGS_ENDED,
    Application,
    Funder,
    Hold,
    LedgerState,
    NoticeKind,
    Package,
    Request,
    Transition,
)
from federation.hub.no_prior_aid import NoPriorAid
from federation.hub.notices import NoticeService
from federation.hub.posted import claims_of_own, read_package
from federation.hub.publishing import PublishingService
from federation.hub.register import RegisterChecks
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.status_lists import StatusLists
from federation.hub.store import HubStore, Transactor
from federation.hub.verifying import VerifyService, check_views
from federation.jwe import DecryptionKey
from federation.openid4vp import (
    DIRECT_POST_JWT,
    WALLET_ERRORS,
    DcqlQuery,
    Invitation,
    ResponseMalformedError,
    build_request,
    client_id_of,
    parse_response,
    read_posted,
    sign_request,
)
from federation.ports import (
    AcknowledgementView,
    ApplicationView,
    AuditView,
    DocumentEnvelope,
    HistoryView,
    RequestPointer,
    ResponseReceipt,
)
from federation.sealing import BoxPublicKey, SealedDocument
from federation.sealing.errors import SealingError
from federation.usage import TRIP, UsagePolicy, template_to_json
from federation.wire.jobs import Job
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = ["ApplicationService", "budget_of", "resumed_due", "view_of"]

MENTION: Final = {
    "fr": "Cette décision a été prise sur le fondement d'un traitement algorithmique "
    "(code des relations entre le public et l'administration, article L. 311-3-1). Vous pouvez "
    "demander à l'administration la communication des règles définissant ce traitement et des "
    "principales caractéristiques de sa mise en œuvre (article R. 311-3-1-2) ; elles sont jointes. "
    "Sans réponse sous un mois, vous pouvez saisir la CADA.",
    "en": "This decision was taken on the basis of an algorithmic process (French code of "
    "relations between the public and the administration, article L. 311-3-1). You may ask the "
    "administration for the rules of this process and the main features of its use "
    "(article R. 311-3-1-2); they are attached. Without an answer within a month, you may refer "
    "to the CADA.",
}
_DOCUMENTS_MISSING: Final = {
    "fr": "Les pièces demandées ne sont pas toutes jointes : elles peuvent encore l'être.",
    "en": "Not all documents asked for are joined: they still can be.",
}
MAX_PERIOD: Final = timedelta(days=366)

DECLINED: Final = "declined"
"""State of a request to which somebody answered that nothing is sent; no application's."""


class ApplicationService:
    """Takes in proof packages and keeps applications. Technical trouble is never a refusal."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        *,
        keys: HubKeys,
        publishing: PublishingService,
        registry: RegistryService,
        verifying: VerifyService,
        status_lists: StatusLists,
        clock: Callable[[], datetime],
        wake: Callable[[str], None],
        audits: AuditService,
        log: DecisionLog,
        notices: NoticeService,
        register: RegisterChecks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._publishing = publishing
        self._registry = registry
        self._verifying = verifying
        self._status_lists = status_lists
        self._clock = clock
        self._wake = wake
        self._audits = audits
        self._log = log
        self._notices = notices
        self._register = register

    # -- asking -----------------------------------------------------------------------------------

    def request(
        self, aid_id: Iri, application: Iri, *, period: tuple[date, date]
    ) -> RequestPointer:
        """A new signed request for one application; its id was minted by the vault.

        Raises:
            UnknownAidError, AidNotOpenError, PeriodRefusedError, ApplicationMismatchError,
            ApplicationClosedError.
        """
        now = self._clock()
        aid = self._publishing.aid(aid_id)
        funder = self._publishing.funder(aid.funder)
        if funder is None or not aid.is_open(now.date()) or aid.check_mode is CheckMode.LINK_OUT:
            raise AidNotOpenError
        self._check_period(period, now)
        if not application.startswith("urn:uuid:") or len(application) > 64:
            raise ApplicationMismatchError
        with self._store.read() as reader:
            found = reader.application(application, history=False)
        if found is not None:
            if found.aid != aid.id:
                raise ApplicationMismatchError
            if found.state in CLOSED:
                raise ApplicationClosedError(found.state.value)
        request_id, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        state = secrets.token_urlsafe(32)
        expires_at = now + self._settings.request_lifetime
        claims = build_request(
            verifier=funder.did,
            response_uri=f"{self._settings.origin}/openid4vp/responses/{request_id}",
            query=self._query(aid),
            nonce=nonce,
            state=state,
            at=now,
            lifetime=self._settings.request_lifetime,
            encrypt_to=self._response_key(request_id).jwk(kid=_key_id(request_id)),
            client_name=funder.name,
            purpose=f"{aid.titles['fr']} — {funder.name}",
            extra={
                "aid": aid.id,
                "aid_version": aid.version,
                "application": application,
                "period": {"from": period[0].isoformat(), "until": period[1].isoformat()},
                "retention_days": self._settings.retention_days,
                "legal": "; ".join(text.reference for text in aid.legal_basis),
                "accredited_by": self._settings.did,
                **({"proof_template": template_to_json(aid.proof)} if aid.proof else {}),
            },
        )
        token = sign_request(claims, self._keys.signer(funder.slug, funder.did))
        with self._store.transact() as tx:
            tx.put_request(
                Request(
                    id=request_id,
                    nonce=nonce,
                    state=state,
                    aid=aid.id,
                    application=application,
                    period=period,
                    token=token,
                    issued_at=now,
                    expires_at=expires_at,
                )
            )
        return RequestPointer(
            client_id=client_id_of(funder.did),
            request_uri=f"{self._settings.origin}/openid4vp/requests/{request_id}",
            expires_at=expires_at,
        )

    @staticmethod
    def _check_period(period: tuple[date, date], now: datetime) -> None:
        since, until = period
        if since > until:
            raise PeriodRefusedError("it ends before it begins")
        if until - since > MAX_PERIOD:
            raise PeriodRefusedError("longer than a year")
        if since > now.date():
            raise PeriodRefusedError("it has not begun")
        if since.year < now.year - 4:
            raise PeriodRefusedError("prescribed: more than four years ago")

    @staticmethod
    def _query(aid: Aid) -> DcqlQuery:
        return query_of(aid)

    def request_object(self, request_id: str, *, wallet_nonce: str | None = None) -> str:
        """The signed request object, as long as it may be answered; signed again with the nonce
        that a wallet posted.

        Raises:
            RequestUnknownError, ChallengeExpiredError, ResponseMalformedError (a nonce that is
            none).
        """
        found = self._request(request_id)
        if self._clock() >= found.expires_at:
            raise ChallengeExpiredError
        if wallet_nonce is None:
            return found.token
        funder = self._publishing.funder(self._publishing.aid(found.aid).funder)
        if funder is None:
            raise AidNotOpenError
        signer = self._keys.signer(funder.slug, funder.did)
        try:
            return sign_request(claims_of_own(found.token), signer, wallet_nonce=wallet_nonce)
        except ValueError as error:
            raise ResponseMalformedError(str(error)) from None

    def is_answered(self, request_id: str) -> bool:
        """Whether an answer to this request was taken in.

        Raises:
            RequestUnknownError; ChallengeExpiredError: none, and it is too late.
        """
        found = self._request(request_id)
        if found.used_at is None and self._clock() >= found.expires_at:
            raise ChallengeExpiredError
        return found.used_at is not None

    def is_declined(self, request_id: str) -> bool:
        """Whether a wallet answered that nothing is sent.

        Raises:
            RequestUnknownError.
        """
        receipt = self._request(request_id).receipt
        return receipt is not None and receipt.get("state") == DECLINED

    def invitation(self, request_id: str) -> Invitation:
        """What a code says of a request that waits.

        Raises:
            RequestUnknownError.
        """
        claims = claims_of_own(self._request(request_id).token)
        address = f"{self._settings.origin}/openid4vp/requests/{request_id}"
        return Invitation(str(claims["client_id"]), address, "post")

    def expires_at(self, request_id: str) -> datetime:
        """Until when a request may be answered.

        Raises:
            RequestUnknownError.
        """
        return self._request(request_id).expires_at

    def _response_key(self, request_id: str) -> DecryptionKey:
        """The key that the answer to one request is encrypted to: derived, so that a row in the
        database holds no key and every worker has it."""
        return DecryptionKey.derive(self._keys.secret("responses"), request_id.encode())

    def _request(self, request_id: str) -> Request:
        with self._store.read() as reader:
            found = reader.request(request_id)
        if found is None:
            raise RequestUnknownError
        return found

    # -- answering --------------------------------------------------------------------------------

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
            return _receipt(request.receipt)
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
        return _receipt(receipt)

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
                return _receipt(request.receipt)
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

    def _check_documents(self, documents: Sequence[DocumentEnvelope]) -> None:
        if len(documents) > self._settings.documents:
            raise ResponseMalformedError("too many documents")
        if any(len(d.sealed) > self._settings.document_bytes for d in documents):
            raise ResponseMalformedError("a document is too large")

    @staticmethod
    def _policy(aid: Aid, request: Request) -> Policy:
        policies: list[Policy] = []
        if aid.proof is not None:
            policies.append(UsagePolicy(aid.proof, request.period))
        policies += [HasCredential(name) for name in aid.credentials_required]
        if "AffiliationCredential" in aid.credentials_required:
            policies.append(OwnAffiliation(aid.funder))
        if aid.family and aid.identity_level in NULLIFIED_BY:
            policies.append(
                HasNullifier(
                    NULLIFIED_BY[aid.identity_level],
                    aid.family,
                    str(aid.family_version),
                    aid.family_issuer,
                )
            )
        policies += [HasNullifier(name, family, "1") for name, family in aid.paper_families]
        if asks_no_prior_aid(aid) and aid.family:
            held = held_period(aid, request.period)
            policies.append(NoPriorAid(aid.family, str(aid.family_version), held))
        return AllOf(policies)

    def _verify(
        self,
        aid: Aid,
        funder: Funder,
        request: Request,
        vp_token: Mapping[str, Any],
        *,
        at: datetime,
        presented_at: datetime | None = None,
    ) -> VerifiedPresentation:
        text = json.dumps(vp_token, ensure_ascii=False, separators=(",", ":"))
        response = parse_response(vp_token=text, state=request.state, query=self._query(aid))
        try:
            verified = self._verifying.answer(
                response.only() if response.presentations else None,
                [token for items in response.tokens.values() for token in items],
                self._policy(aid, request),
                challenge=request.nonce,
                domain=client_id_of(funder.did),
                at=at,
                presented_at=presented_at or at,
            )
        except VerificationError as error:
            raise PackageRefusedError(error.checks) from error
        counts: dict[str, int] = {}
        for credential in verified.credentials:
            counts[credential.type] = counts.get(credential.type, 0) + 1
        wanted = {query.type for query in self._query(aid).credentials}
        for credential_type, count in counts.items():
            repeated = count > 1 and credential_type != TRIP
            if repeated or credential_type not in wanted:
                raise PackageRefusedError(
                    (
                        *verified.checks,
                        Check(
                            8,
                            "policy-unmet",
                            CheckOutcome.FAIL,
                            "one credential of each type asked for, and no other",
                            {"policy": "exactly-what-was-asked", "type": credential_type},
                        ),
                    )
                )
        return verified

    def _note_refusal(self, aid: Aid, codes: Iterable[str], at: datetime) -> None:
        with self._store.transact() as tx:
            tx.put_refusal(aid.id, aid.funder, list(codes), at=at)

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
        return _receipt(receipt)

    @staticmethod
    def _taken(tx: Transactor, request_id: str, digest: str) -> ResponseReceipt | None:
        """The stored answer, when these bytes came in between our check and our transaction."""
        found = tx.lock_request(request_id)
        if found is None or found.used_at is None:
            return None
        if found.answer_digest == digest and found.receipt is not None:
            return _receipt(found.receipt)
        raise ChallengeUsedError

    def _judge(
        self,
        catalogue: Catalogue,
        aid: Aid,
        funder: Funder,
        verified: VerifiedPresentation,
        period: tuple[date, date],
        *,
        documents: int,
    ) -> tuple[Eligibility, bool, list[dict[str, Any]]]:
        """The rule's outcome, whether a person has to look, and the reasons."""
        facts = facts_of(aid, verified, at=verified.verified_at.date(), period=period)
        outcome = catalogue.evaluate(aid, facts)
        doubts = list(objections(aid, funder, verified))
        if documents < len(documents_wanted(aid)):
            doubts.append(Reason("documents-missing", _DOCUMENTS_MISSING, aid.rule.rule))
        reasons = [
            {"code": reason.code, "rule": reason.rule, "legal": reason.legal, **reason.words}
            for reason in (*doubts, *outcome.reasons)
        ]
        automatic = aid.check_mode is CheckMode.AUTOMATIC
        return outcome, bool(doubts) or not automatic or not outcome.is_eligible, reasons

    def _open_application(
        self, tx: Transactor, aid: Aid, request: Request, holder: Did
    ) -> Application | None:
        before = tx.lock_application(request.application)
        if before is None:
            return None
        if before.aid != aid.id or before.holder != holder:
            raise ApplicationMismatchError
        if before.state in CLOSED:
            raise ApplicationClosedError(before.state.value)
        return before

    def _submitted(
        self,
        aid: Aid,
        funder: Funder,
        request: Request,
        package: Package,
        before: Application | None,
        *,
        holder: Did,
        checks: list[dict[str, Any]],
    ) -> Application:
        now = package.received_at
        answered = before is not None and before.state is ApplicationState.NEEDS_INFORMATION
        due_at = now + timedelta(days=aid.decision_time_days)
        if before is not None:
            due_at = resumed_due(before, now)
        state = ApplicationState.COMPLETED if answered else ApplicationState.SUBMITTED
        history = () if before is None else before.history
        return Application(
            id=request.application,
            aid=aid.id,
            aid_version=aid.version,
            funder=funder.did,
            holder=holder,
            state=state,
            to_review=True,
            period=request.period,
            amount=None,
            automatic=False,
            package=package.digest,
            checks=tuple(checks),
            reasons=(),
            explanation={},
            claims={},
            message="",
            award=None,
            submitted_at=now if before is None else before.submitted_at,
            due_at=due_at,
            decided_at=None,
            assignee=None if before is None else before.assignee,
            employee="" if before is None else before.employee,
            history=(*history, Transition(state, now, "holder", "")),
        )

    @staticmethod
    def _judged(
        application: Application,
        aid: Aid,
        verified: VerifiedPresentation,
        outcome: Eligibility,
        reasons: list[dict[str, Any]],
        *,
        to_review: bool,
    ) -> Application:
        return dataclasses.replace(
            application,
            to_review=to_review,
            amount=None if outcome.amount is None else int(outcome.amount),
            reasons=tuple(reasons),
            explanation=dict(outcome.explanation),
            claims=claims_of(aid, verified, application.period),
            employee=employee_of(verified),
        )

    @staticmethod
    def _has_budget(tx: Transactor, aid: Aid, amount: int) -> bool:
        """Whether the aid's envelope still holds `amount`; nobody else commits until the end of
        this transaction."""
        limit = budget_of(aid)
        if limit is None:
            return True
        tx.lock_budget(aid.id)
        return tx.budget(aid.id, limit).left >= amount

    def _grant(
        self,
        tx: Transactor,
        aid: Aid,
        funder: Funder,
        application: Application,
        amount: int,
        *,
        actor: str,
        at: datetime,
        reason: str = "",
    ) -> Application:
        """Accept: the amount, the award credential and its place in the status list."""
        access = access_of(aid)
        if access is None:
            body = award_body(
                aid,
                funder,
                application=application.id,
                holder=application.holder,
                amount=amount,
                period=application.period,
                at=at,
            )
        else:
            body = access_body(
                access,
                self._publishing.catalogue().engine(aid),
                application.claims.get(DECLARATION, {}),
                application=application.id,
                holder=application.holder,
                at=at,
            )
        entry = self._status_lists.take(tx, funder.slug, application.id)
        document = issue_award(
            body, signer=self._keys.signer(funder.slug, funder.did), status=entry, at=at
        )
        step = Transition(ApplicationState.ACCEPTED, at, actor, reason)
        return dataclasses.replace(
            application,
            state=ApplicationState.ACCEPTED,
            to_review=False,
            automatic=actor == "rule",
            amount=amount,
            award=document,
            decided_at=at,
            history=(*application.history, step),
        )

    def _new_receipt(self, request: Request, checks: Sequence[Check]) -> dict[str, Any]:
        code = secrets.token_urlsafe(32)
        return {
            "redirect_uri": f"{self._settings.origin}/demandes/recue?response_code={code}",
            "response_code": code,
            "application": request.application,
            "state": ApplicationState.SUBMITTED.value,
            "checks": [check.to_json() for check in checks],
        }

    # -- cannot tell yet --------------------------------------------------------------------------

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
        return _receipt(receipt)

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

    # -- deciding, for the desk -------------------------------------------------------------------

    def decide(
        self,
        application_id: str,
        *,
        funder_did: Did,
        officer: str,
        accept: bool,
        reason: str,
        amount: int | None = None,
    ) -> Application:
        """A person's decision, with its reason.

        Raises:
            ApplicationUnknownError: none of this funder's.
            DecisionRefusedError: no reason, a state that cannot be decided, an amount that is not.
        """
        if not reason.strip() or len(reason) > 4_000:
            raise DecisionRefusedError("a reason is needed", where="reason")
        now = self._clock()
        with self._store.transact() as tx:
            locked = tx.lock_for_decision(application_id, funder=funder_did)
            found = _decidable(None if locked is None else locked.application, funder_did)
            if accept and locked is not None:
                aid = self._publishing.aid(found.aid, tx, version=locked.catalogue)
                funder = locked.funder
                final = found.amount if amount is None else amount
                if access_of(aid) is not None:  # a way in, no money
                    final, least = 0, 0
                else:
                    least = 1
                if funder is None or final is None or not least <= final <= 100_000_00:
                    raise DecisionRefusedError("an amount above zero is needed", where="amount")
                if not found.claims:
                    raise DecisionRefusedError("the package is not verified yet", where="checks")
                if not self._has_budget(tx, aid, final):
                    raise DecisionRefusedError("the budget does not hold it", where="budget")
                was_refused = any(step.state is ApplicationState.REFUSED for step in found.history)
                taken_by = tx.retake(found.id, was_refused=was_refused, at=now)
                if taken_by is not None:
                    raise AlreadyAwardedError(taken_by.family, taken_by.period)
                decided = self._grant(
                    tx, aid, funder, found, final, actor=officer, at=now, reason=reason
                )
            else:
                decided = dataclasses.replace(
                    found,
                    state=ApplicationState.REFUSED,
                    to_review=False,
                    automatic=False,
                    amount=None,
                    decided_at=now,
                    history=(
                        *found.history,
                        Transition(ApplicationState.REFUSED, now, officer, reason),
                    ),
                )
                tx.settle(found.id, LedgerState.RELEASED, at=now)
            tx.put_application(decided)
        return decided

    def request_information(
        self, application_id: str, *, funder_did: Did, officer: str, message: str
    ) -> Application:
        """Ask the holder for something; the clock stops until the answer.

        Raises:
            ApplicationUnknownError, DecisionRefusedError.
        """
        if not message.strip() or len(message) > 4_000:
            raise DecisionRefusedError("say what is missing", where="message")
        now = self._clock()
        with self._store.transact() as tx:
            found = _decidable(tx.lock_application(application_id), funder_did)
            if found.state is ApplicationState.NEEDS_INFORMATION:
                raise DecisionRefusedError("an answer is awaited already", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.NEEDS_INFORMATION,
                to_review=True,
                message=message,
                history=(
                    *found.history,
                    Transition(ApplicationState.NEEDS_INFORMATION, now, officer, message),
                ),
            )
            tx.put_application(changed)
        return changed

    def assign(self, application_id: str, *, funder_did: Did, member: str | None) -> Application:
        """Give an application to a member, or to nobody."""
        with self._store.transact() as tx:
            found = _decidable(tx.lock_application(application_id), funder_did)
            changed = dataclasses.replace(found, assignee=member)
            tx.put_application(changed)
        return changed

    # -- for the holder ---------------------------------------------------------------------------

    def application(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """The application, for the holder key that presented.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        return self.view(found)

    def steps(self, application_id: str, *, watch_jwt: str) -> int:
        """How many steps an application has, for a watch proof of its holder's key.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        proof = read_watch_proof(watch_jwt, audience=self._settings.did, at=self._clock())
        if proof.application != application_id:
            raise HolderProofError("subject")
        with self._store.read() as reader:
            found = reader.application(application_id)
            audit = reader.audit(application_id)
        if found is None or found.holder != proof.holder:
            raise ApplicationUnknownError
        return len(found.history) + (audit is not None)

    def evidence(self, application_id: str, *, proof_jwt: str) -> bytes:
        """What shows the decision to a third party, as one ZIP (`federation/decision_log.py`).

        Raises:
            HolderProofError, ApplicationUnknownError, LogUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        return self._log.evidence(found).to_zip()

    def evidence_for_desk(self, application_id: str, *, funder_did: Did) -> bytes:
        """The same, for the funder.

        Raises:
            ApplicationUnknownError, LogUnknownError.
        """
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.funder != funder_did:
            raise ApplicationUnknownError
        return self._log.evidence(found).to_zip()

    def withdraw(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """Withdraw before a decision; what the ledger held is released.

        Raises:
            HolderProofError, ApplicationUnknownError, ApplicationClosedError.
        """
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE:
                raise ApplicationClosedError(found.state.value)
            changed = dataclasses.replace(
                found,
                state=ApplicationState.WITHDRAWN,
                to_review=False,
                history=(
                    *found.history,
                    Transition(ApplicationState.WITHDRAWN, now, "holder", ""),
                ),
            )
            tx.settle(found.id, LedgerState.RELEASED, at=now)
            tx.put_application(changed)
        return self.view(changed)

    def end_sendings(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """The holder withdrew the standing consent that this application belongs to: a step says
        so to the funder, decided or not; nothing else changes. Twice is once.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if not any(
                step.actor == HOLDER and step.reason == SENDINGS_ENDED for step in found.history
            ):
                step = Transition(found.state, now, HOLDER, SENDINGS_ENDED)
                found = dataclasses.replace(found, history=(*found.history, step))
                tx.put_application(found)
        return self.view(found)

    def answer(self, application_id: str, *, proof_jwt: str, text: str) -> ApplicationView:
        """Answer a request for information in words; the clock goes on.

        Raises:
            HolderProofError, ApplicationUnknownError, DecisionRefusedError: nothing was asked.
        """
        if not text.strip() or len(text) > 4_000:
            raise DecisionRefusedError("say something", where="text")
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state is not ApplicationState.NEEDS_INFORMATION:
                raise DecisionRefusedError("nothing was asked", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.COMPLETED,
                to_review=True,
                message="",
                due_at=resumed_due(found, now),
                history=(
                    *found.history,
                    Transition(ApplicationState.COMPLETED, now, "holder", text.strip()),
                ),
            )
            tx.put_application(changed)
            jobs = self._notices.tell(tx, changed, NoticeKind.ANSWERED, at=now)
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    def audit(
        self, application_id: str, *, funder_did: Did, officer: str, leaves: int
    ) -> AuditView:
        """Ask for a check by sample. See `AuditService.ask`."""
        return self._audits.ask(application_id, funder=funder_did, officer=officer, leaves=leaves)

    def can_audit(self, application: Application) -> bool:
        """Whether there is something to sample."""
        return self._audits.is_possible(application)

    def answer_audit(
        self, application_id: str, *, proof_jwt: str, answer: str | None
    ) -> ApplicationView:
        """Take the answer to the funder's check by sample; None declines.

        Raises:
            HolderProofError, ApplicationUnknownError, AuditRefusedError, AuditError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        self._audits.answer(found, answer)
        return self.view(found)

    def attach(
        self, application_id: str, *, proof_jwt: str, document: DocumentEnvelope
    ) -> ApplicationView:
        """Keep one more document, sealed to the funder's key: opaque here.

        Steps: (1) the holder, (2) an application that waits for a decision, (3) room, (4) the
        public header: this funder, this application, a version of its key that is not past its
        date. The same bytes again change nothing.

        Raises:
            HolderProofError, ApplicationUnknownError, DocumentRefusedError: `.reason` names the
            step.
        """
        holder = self._holder(application_id, proof_jwt)  # (1)
        now = self._clock()
        if len(document.sealed) > self._settings.document_bytes:
            raise DocumentRefusedError("too-large")
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE or found.package is None:  # (2)
                raise DocumentRefusedError("closed")
            held = tx.documents(found.id)
            if any(d.sealed == document.sealed for d in held):
                return self.view(found)
            if len(held) >= self._settings.documents:  # (3)
                raise DocumentRefusedError("too-many")
            self._check_sealed(tx, found, document, now)  # (4)
            tx.add_document(found.package, document)
            step = Transition(found.state, now, "holder", f"Document joint : {document.name}")
            changed = dataclasses.replace(found, history=(*found.history, step))
            tx.put_application(changed)
        return self.view(changed)

    def declare(
        self, application_id: str, *, proof_jwt: str, answers: Mapping[str, str]
    ) -> ApplicationView:
        """Keep what the holder declares on their honour, and what the rule proposes from it.

        Steps: (1) the holder, (2) an application that waits for a decision, (3) exactly the answers
        the aid asks for, (4) the rule. A person decides: a declaration accepts nothing. The same
        answers again change nothing; others take their place until the decision.

        Raises:
            HolderProofError, ApplicationUnknownError, ApplicationClosedError,
            DeclarationRefusedError: `where` is the answer.
        """
        holder = self._holder(application_id, proof_jwt)  # (1)
        now = self._clock()
        catalogue = self._publishing.catalogue()
        with self._store.read() as reader:
            known = reader.application(application_id, history=False)
        at_register = known is not None and self._register.applies(catalogue.aid(known.aid))
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE or found.package is None:  # (2)
                raise ApplicationClosedError(found.state.value)
            aid = catalogue.aid(found.aid)
            asked = declaration_of(aid)
            if asked is None:
                raise DeclarationRefusedError("declaration")
            engine = catalogue.engine(aid)
            values = read_declared(asked, engine, answers)  # (3)
            said = {title["fr"]: answer["fr"] for title, answer in say_declared(engine, values)} | {
                "statement": asked.statement["fr"]
            }
            held = found.claims.get(DECLARATION)
            before = dict(held) if isinstance(held, Mapping) else {}
            before.pop("declaredAt", None)
            if before == said:
                return self.view(found)
            outcome = catalogue.evaluate(  # (4)
                aid,
                Facts(
                    at=now.date(),
                    values={n: Fact(v, FactSource.ANSWER) for n, v in values.items()},
                ),
            )
            twice = self._is_declared_elsewhere(tx, found, asked, values, now)
            changed = dataclasses.replace(
                found,
                to_review=True,
                amount=None if outcome.amount is None else int(outcome.amount),
                reasons=(
                    *twice,
                    *(
                        {"code": r.code, "rule": r.rule, "legal": r.legal, **r.words}
                        for r in outcome.reasons
                    ),
                ),
                explanation=dict(outcome.explanation),
                claims={
                    **found.claims,
                    DECLARATION: {**said, "declaredAt": now.date().isoformat()},
                },
                history=(
                    *found.history,
                    Transition(found.state, now, "holder", "Déclaration sur l'honneur reçue."),
                ),
            )
            tx.put_application(changed)
            jobs = [self._register.enqueue(tx, changed, at=now)] if at_register else []
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    @staticmethod
    def _is_declared_elsewhere(
        tx: Transactor,
        application: Application,
        asked: Declaration,
        values: Mapping[str, bool | int | float | str],
        at: datetime,
    ) -> tuple[dict[str, Any], ...]:
        """A reason to look when the thing that is declared stands in another application of this
        funder; else it is held for this one until it is refused or withdrawn."""
        if not asked.unique:
            return ()
        name = re.sub(r"[^0-9A-Z]", "", str(values[asked.unique]).upper())
        family = f"declared-{hashlib.sha256(application.funder.encode()).hexdigest()[:16]}"
        nullifier = hashlib.sha256(f"{asked.unique}|{name}".encode()).hexdigest()
        hold = Hold(family, 1, nullifier, (date.min, date.max))
        if tx.reserve_all([hold], application=application.id, at=at) is None:
            return ()
        words = {
            "fr": "Ce numéro est déjà déclaré dans une autre demande.",
            "en": "This number is declared in another application already.",
        }
        return ({"code": "declared-twice", "rule": asked.unique, "legal": "", **words},)

    @staticmethod
    def _check_sealed(
        tx: Transactor, application: Application, document: DocumentEnvelope, at: datetime
    ) -> None:
        try:
            sealed = SealedDocument.parse(document.sealed)
        except SealingError as error:
            raise DocumentRefusedError("malformed") from error
        if sealed.funder != application.funder or sealed.application != application.id:
            raise DocumentRefusedError("not-for-this-application")
        funder = tx.funder(application.funder)
        keys = {} if funder is None else {k.version: k for k in tx.document_keys(funder.slug)}
        key = keys.get(sealed.key_version)
        if key is None or BoxPublicKey.decode(key.public).key_id != sealed.key_id:
            raise DocumentRefusedError("unknown-key")
        if at > key.not_after:
            raise DocumentRefusedError("expired-key")

    def appeal(self, application_id: str, *, proof_jwt: str, reason: str) -> ApplicationView:
        """Contest a refusal; a person decides it again.

        Raises:
            HolderProofError, ApplicationUnknownError, DecisionRefusedError.
        """
        if not reason.strip() or len(reason) > 4_000:
            raise DecisionRefusedError("say why", where="reason")
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state is not ApplicationState.REFUSED:
                raise DecisionRefusedError("only a refusal can be contested", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.APPEALED,
                to_review=True,
                decided_at=None,
                history=(
                    *found.history,
                    Transition(ApplicationState.APPEALED, now, "holder", reason),
                ),
            )
            tx.put_application(changed)
            jobs = self._notices.tell(tx, changed, NoticeKind.APPEALED, at=now)
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    def _holder(self, application_id: str, proof_jwt: str) -> Did:
        now = self._clock()
        proof = read_holder_proof(proof_jwt, audience=self._settings.did, at=now)
        if proof.application != application_id:
            raise HolderProofError("subject")
        with self._store.transact() as tx:
            tx.forget_tokens(before=now)
            if not tx.use_token("holder-proof", proof.jti, expires_at=proof.expires_at):
                raise HolderProofError("used")
        return proof.holder

    def view(self, application: Application) -> ApplicationView:
        """The application in words, for its holder or the desk."""
        aid = self._publishing.aid(application.aid)
        funder = self._publishing.funder(application.funder)
        limit = budget_of(aid)
        journey = self._register.journey_of(aid, application)
        with self._store.read() as reader:
            standing = Standing(
                documents=reader.document_count(application.id) if documents_wanted(aid) else 0,
                budget_left=None if limit is None else reader.budget(aid.id, limit).left,
                journey=journey,
            )
        shown = view_of(application, aid, funder)
        return dataclasses.replace(
            shown,
            audit=self._audits.view(application),
            register=self._log.standing(application),
            declared=stand(aid, application, standing),
        )


def budget_of(aid: Aid) -> int | None:
    """The aid's envelope in cents; None: no limit."""
    found = aid.extra.get("budgetCents")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def resumed_due(application: Application, at: datetime) -> datetime:
    """The time limit once an answer came: what was left when the clock stopped, from now on."""
    stopped = application.stopped_at
    return application.due_at if stopped is None else at + (application.due_at - stopped)


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


def view_of(application: Application, aid: Aid, funder: Funder | None) -> ApplicationView:
    """What a holder is told. Pure."""
    decided = application.state in (
        ApplicationState.ACCEPTED,
        ApplicationState.REFUSED,
        ApplicationState.AWARDED,
        ApplicationState.PAID,
    )
    return ApplicationView(
        id=application.id,
        aid=application.aid,
        funder=application.funder,
        funder_name="" if funder is None else funder.name,
        state=application.state.value,
        amount_cents=application.amount if application.state in CLOSED else None,
        reasons=tuple(dict(reason) for reason in application.reasons),
        checks=check_views(application.checks),
        explanation=application.explanation,
        history=tuple(
            HistoryView(step.state.value, step.at, step.actor, step.reason)
            for step in application.history
        ),
        remedies=dict(aid.remedies) if decided else {},
        mention=dict(MENTION) if application.automatic else {},
        message=application.message,
        award=application.award,
        receipt=None
        if application.automatic
        else AcknowledgementView(
            received_at=application.submitted_at,
            service=application.funder if funder is None else funder.service,
            contact="" if funder is None else funder.contact,
            due_at=application.due_at,
            stopped_at=application.stopped_at,
            silence=dict(aid.silence_means),
        ),
    )


def _key_id(request_id: str) -> str:
    """`kid` of a request's key: not the request's own name, which is a secret address."""
    return hashlib.sha256(request_id.encode()).hexdigest()[:16]


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


def _receipt(stored: Mapping[str, Any]) -> ResponseReceipt:
    return ResponseReceipt(
        redirect_uri=str(stored["redirect_uri"]),
        response_code=str(stored["response_code"]),
        application=Iri(str(stored["application"])),
        state=str(stored["state"]),
        checks=check_views(stored["checks"]),
    )


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


def _decidable(found: Application | None, funder_did: Did) -> Application:
    """The application, if it is this funder's and waits for a decision.

    Raises:
        ApplicationUnknownError, DecisionRefusedError.
    """
    if found is None or found.funder != funder_did:
        raise ApplicationUnknownError
    if found.state not in DECIDABLE:
        raise DecisionRefusedError("already decided or withdrawn", where="state")
    return found


def _own(tx: Transactor, application_id: str, holder: Did) -> Application:
    """The holder's application, locked.

    Raises:
        ApplicationUnknownError: none of that id, or another holder's.
    """
    found = tx.lock_application(application_id)
    if found is None or found.holder != holder:
        raise ApplicationUnknownError
    return found
