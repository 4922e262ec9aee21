"""Asking for a proof package: a signed OpenID4VP request, one nonce, ten minutes."""

import hashlib
import secrets
from datetime import date, datetime, timedelta
from typing import Final

from federation.aids.model import Aid, CheckMode
from federation.hub.applications import ApplicationBase
from federation.hub.asking import query_of
from federation.hub.errors import (
    AidNotOpenError,
    ApplicationClosedError,
    ApplicationMismatchError,
    ChallengeExpiredError,
    PeriodRefusedError,
    RequestUnknownError,
)
from federation.hub.model import (
    CLOSED,
    Request,
)
from federation.hub.posted import claims_of_own
from federation.jwe import DecryptionKey
from federation.openid4vp import (
    DcqlQuery,
    Invitation,
    ResponseMalformedError,
    build_request,
    client_id_of,
    sign_request,
)
from federation.ports import (
    RequestPointer,
)
from federation.usage import template_to_json
from schemas.ids import Iri

__all__ = ["DECLINED", "Requests"]

MAX_PERIOD: Final = timedelta(days=366)
DECLINED: Final = "declined"
"""State of a request to which somebody answered that nothing is sent; no application's."""


class Requests(ApplicationBase):
    """Makes requests, and says where each stands."""

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


def _key_id(request_id: str) -> str:
    """`kid` of a request's key: not the request's own name, which is a secret address."""
    return hashlib.sha256(request_id.encode()).hexdigest()[:16]
