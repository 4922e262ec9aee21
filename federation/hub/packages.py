"""What a proof package comes to: verified, judged by the rule, written as an application."""

import dataclasses
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from federation.aids.catalogue import Catalogue
from federation.aids.eligibility import Outcome as Eligibility
from federation.aids.eligibility import Reason
from federation.aids.model import Aid, CheckMode
from federation.aids.prior_aid import asks_no_prior_aid
from federation.credentials import (
    AllOf,
    Check,
    HasCredential,
    HasNullifier,
    Policy,
    VerificationError,
    VerifiedPresentation,
)
from federation.credentials import Outcome as CheckOutcome
from federation.hub.affiliations import OwnAffiliation
from federation.hub.applications import resumed_due
from federation.hub.asking import NULLIFIED_BY
from federation.hub.declared import DECLARATION, documents_wanted
from federation.hub.errors import (
    ApplicationClosedError,
    ApplicationMismatchError,
    ChallengeUsedError,
    PackageRefusedError,
)
from federation.hub.facts import claims_of, employee_of, facts_of, held_period, objections
from federation.hub.model import (
    CLOSED,
    Application,
    Funder,
    Package,
    Request,
    Transition,
)
from federation.hub.no_prior_aid import NoPriorAid
from federation.hub.register import REGISTER
from federation.hub.requesting import Requests
from federation.hub.store import Transactor
from federation.hub.verifying import check_views
from federation.openid4vp import (
    ResponseMalformedError,
    client_id_of,
    parse_response,
)
from federation.ports import (
    DocumentEnvelope,
    ResponseReceipt,
)
from federation.usage import TRIP, UsagePolicy
from schemas.ids import Did, Iri
from schemas.records import ApplicationState

__all__ = ["Packages", "receipt_of"]

_DOCUMENTS_MISSING: Final = {
    "fr": "Les pièces demandées ne sont pas toutes jointes : elles peuvent encore l'être.",
    "en": "Not all documents asked for are joined: they still can be.",
}


class Packages(Requests):
    """Verifies packages and says what follows from them."""

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

    @staticmethod
    def _taken(tx: Transactor, request_id: str, digest: str) -> ResponseReceipt | None:
        """The stored answer, when these bytes came in between our check and our transaction."""
        found = tx.lock_request(request_id)
        if found is None or found.used_at is None:
            return None
        if found.answer_digest == digest and found.receipt is not None:
            return receipt_of(found.receipt)
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
        said = before if before is not None and DECLARATION in before.claims else None
        return Application(
            id=request.application,
            aid=aid.id,
            aid_version=aid.version,
            funder=funder.did,
            holder=holder,
            state=state,
            to_review=True,
            period=request.period,
            amount=None if said is None else said.amount,
            automatic=False,
            package=package.digest,
            checks=tuple(checks),
            reasons=() if said is None else said.reasons,
            explanation={} if said is None else said.explanation,
            claims={} if said is None else _declared(said),
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
        read = claims_of(aid, verified, application.period)
        if outcome.amount is None and DECLARATION in application.claims:
            # What was declared on one's honour, and what the rule made of it, is not sent again
            # with a better proof: it stands until it is declared anew.
            return dataclasses.replace(
                application,
                to_review=True,
                claims={**read, **_declared(application)},
                employee=employee_of(verified),
            )
        return dataclasses.replace(
            application,
            to_review=to_review,
            amount=None if outcome.amount is None else int(outcome.amount),
            reasons=tuple(reasons),
            explanation=dict(outcome.explanation),
            claims={**read, **_declared(application)},
            employee=employee_of(verified),
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


def _declared(application: Application) -> dict[str, Any]:
    """What the holder declared, and what the register said of it."""
    return {
        name: application.claims[name]
        for name in (DECLARATION, REGISTER)
        if name in application.claims
    }


def receipt_of(stored: Mapping[str, Any]) -> ResponseReceipt:
    return ResponseReceipt(
        redirect_uri=str(stored["redirect_uri"]),
        response_code=str(stored["response_code"]),
        application=Iri(str(stored["application"])),
        state=str(stored["state"]),
        checks=check_views(stored["checks"]),
    )
