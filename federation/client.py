"""A hub over HTTP, behind the same port as `LocalHub`."""

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from federation.aids.reserved import MAX_RESERVED
from federation.errors import HubAnswerError, HubRefusedError, HubUnreachableError
from federation.hub.api.shapes import (
    check_from_json,
    pointer_from_json,
    receipt_from_json,
    view_from_json,
    witness_from_json,
)
from federation.openid4vp import REQUEST_TYPE
from federation.ports import (
    ApplicationView,
    CheckView,
    DocumentEnvelope,
    RequestPointer,
    ResponseReceipt,
    SignedCatalogue,
    WitnessView,
)
from federation.wire.errors import OutboundError
from federation.wire.http import Answer, BoundedClient
from schemas.errors import Retriable
from schemas.ids import Did, Iri

__all__ = ["HttpHub"]

_T = TypeVar("_T")
_PROBLEMS: Final = (400, 401, 403, 404, 409, 413, 422)
_MAX_CATALOGUE: Final = 4_000_000
_MAX_EVIDENCE: Final = 5_000_000


class HttpHub:
    """`Hub` at one origin. The client decides which addresses may be reached."""

    def __init__(self, origin: str, client: BoundedClient) -> None:
        """`origin` such as `https://hub.example`, without a path."""
        self._origin = origin.rstrip("/")
        self._client = client

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _ask(self, act: Callable[[], Answer], *, accepted: Collection[int] = (200, 201)) -> Answer:
        try:
            answer = act()
        except OutboundError as error:
            if isinstance(error, Retriable):
                raise HubUnreachableError(error.code, retry_after_s=error.retry_after_s) from error
            raise HubAnswerError(error.code) from error
        if answer.status in accepted:
            return answer
        problem = self._read(answer, dict)
        code = problem.get("code")
        if not isinstance(code, str):
            raise HubAnswerError("/code")
        if code == "package-refused":
            failed = problem.get("failed")
            if isinstance(failed, list) and failed:
                code = str(failed[0])
        members = {
            k: v
            for k, v in problem.items()
            if k not in ("type", "title", "status", "code", "detail")
        }
        raise HubRefusedError(
            code,
            status=answer.status,
            detail=str(problem.get("detail", "")),
            extensions=members,
        )

    @staticmethod
    def _read(answer: Answer, shape: Callable[[Any], _T]) -> _T:
        try:
            return shape(answer.json())
        except OutboundError as error:
            raise HubAnswerError("/") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HubAnswerError(str(error)[:80]) from error

    def _get(
        self,
        url: str,
        *,
        accept: Sequence[str] = ("application/json",),
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (200,),
        max_bytes: int | None = None,
    ) -> Answer:
        return self._ask(
            lambda: self._client.get(
                url,
                accept=(*accept, "application/problem+json"),
                headers=headers,
                statuses=(*accepted, *_PROBLEMS),
                max_bytes=max_bytes,
            ),
            accepted=accepted,
        )

    def _post(
        self, url: str, *, accept: Sequence[str] = ("application/json",), **content: Any
    ) -> Answer:
        return self._ask(
            lambda: self._client.post(
                url,
                accept=(*accept, "application/problem+json"),
                statuses=(200, 201, *_PROBLEMS),
                **content,
            )
        )

    def _own(self, url: str) -> str:
        """Refuse an address that is not this hub's."""
        if urlsplit(url)[:2] != urlsplit(self._origin)[:2]:
            raise HubAnswerError("address of another origin")
        return url

    def catalogue(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.catalogue`."""
        return self._versioned("catalogue", "application/jwt", if_version, _MAX_CATALOGUE)

    def reserved(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.reserved`."""
        return self._versioned("reserved", "application/json", if_version, MAX_RESERVED)

    def offers(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.offers`."""
        return self._versioned("offers", "application/json", if_version, _MAX_CATALOGUE)

    def _versioned(
        self, name: str, media_type: str, if_version: str | None, max_bytes: int
    ) -> SignedCatalogue | None:
        headers = {"If-None-Match": f'"{if_version}"'} if if_version else None
        answer = self._get(
            f"{self._origin}/v1/{name}",
            accept=(media_type,),
            headers=headers,
            accepted=(200, 304),
            max_bytes=max_bytes,
        )
        if answer.status == 304:
            return None
        return SignedCatalogue(answer.body, answer.headers.get("etag", "").strip('"'))

    def trust(self) -> bytes:
        """See `Hub.trust`."""
        return self._get(f"{self._origin}/v1/trust", accept=("application/jwt",)).body

    def publish_offer(self, card: str) -> Mapping[str, Any]:
        """Leave an operator's signed card (`federation.offers.sign_card`) at the hub: `id`,
        `version`, `state` and the moderator's `note`. The same card again tells where it stands.

        Raises:
            HubRefusedError: `offer-refused`. HubUnreachableError: later.
        """
        answer = self._post(
            f"{self._origin}/v1/offers", body=card.encode(), content_type="application/jwt"
        )
        return self._read(answer, dict)

    def services(self) -> tuple[str, ...]:
        """See `Hub.services`."""

        def read(body: Any) -> tuple[str, ...]:
            return tuple(str(token) for token in body["services"])

        return self._read(self._get(f"{self._origin}/v1/services"), read)

    def request(
        self,
        aid: Iri,
        application: Iri,
        *,
        period: tuple[date, date],
        holder: Did | None = None,  # noqa: ARG002 - the hub learns the holder from the answer
    ) -> RequestPointer:
        """See `Hub.request`."""
        slug = aid.rpartition("#aide-")[2]
        if not slug or slug == aid:
            raise HubRefusedError("unknown-aid", status=0)
        answer = self._post(
            f"{self._origin}/v1/aids/{quote(slug, safe='')}/requests",
            json={
                "application": application,
                "period_from": period[0].isoformat(),
                "period_until": period[1].isoformat(),
            },
        )
        return self._read(answer, pointer_from_json)

    def request_object(self, request_uri: str, *, wallet_nonce: str | None = None) -> str:
        """See `Hub.request_object`."""
        address, accept = self._own(request_uri), (REQUEST_TYPE,)
        if wallet_nonce is None:
            answer = self._get(address, accept=accept)
        else:
            answer = self._post(address, form={"wallet_nonce": wallet_nonce}, accept=accept)
        try:
            return answer.body.decode("ascii")
        except UnicodeDecodeError as error:
            raise HubAnswerError("request object") from error

    def respond(self, response_uri: str, form: Mapping[str, str]) -> ResponseReceipt:
        """See `Hub.respond`."""
        return self._read(self._post(self._own(response_uri), form=form), receipt_from_json)

    def _holder(self, application: Iri, what: str, proof_jwt: str, **more: Any) -> ApplicationView:
        answer = self._post(
            f"{self._origin}/v1/applications/{quote(application, safe=':')}/{what}",
            json={"proof_jwt": proof_jwt, **more},
        )
        return self._read(answer, view_from_json)

    def application(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.application`."""
        return self._holder(application, "status", proof_jwt)

    def steps(self, application: Iri, *, watch_jwt: str) -> int:
        """See `Hub.steps`."""
        answer = self._post(
            f"{self._origin}/v1/applications/{quote(application, safe=':')}/steps",
            json={"watch_jwt": watch_jwt},
            max_bytes=1_000,
        )
        return self._read(answer, lambda said: _count(said["steps"]))

    def evidence(self, application: Iri, *, proof_jwt: str) -> bytes:
        """See `Hub.evidence`."""
        return self._post(
            f"{self._origin}/v1/applications/{quote(application, safe=':')}/evidence",
            accept=("application/zip",),
            json={"proof_jwt": proof_jwt},
            max_bytes=_MAX_EVIDENCE,
        ).body

    def withdraw(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.withdraw`."""
        return self._holder(application, "withdrawal", proof_jwt)

    def end_sendings(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.end_sendings`."""
        return self._holder(application, "sendings-ended", proof_jwt)

    def answer(self, application: Iri, *, proof_jwt: str, text: str) -> ApplicationView:
        """See `Hub.answer`."""
        return self._holder(application, "answer", proof_jwt, text=text)

    def appeal(self, application: Iri, *, proof_jwt: str, reason: str) -> ApplicationView:
        """See `Hub.appeal`."""
        return self._holder(application, "appeal", proof_jwt, reason=reason)

    def document_key(self, funder: Did) -> str:
        """See `Hub.document_key`."""
        slug = quote(funder.rsplit(":", 1)[-1], safe="")
        answer = self._get(
            f"{self._origin}/v1/funders/{slug}/document-key", accept=("application/jwt",)
        )
        try:
            return answer.body.decode("ascii")
        except UnicodeDecodeError as error:
            raise HubAnswerError("document key") from error

    def attach(
        self, application: Iri, *, proof_jwt: str, document: DocumentEnvelope
    ) -> ApplicationView:
        """See `Hub.attach`."""
        return self._holder(
            application,
            "documents",
            proof_jwt,
            document={
                "name": document.name,
                "media_type": document.media_type,
                "key_id": document.key_id,
                "sealed": base64.b64encode(document.sealed).decode("ascii"),
            },
        )

    def declare(
        self, application: Iri, *, proof_jwt: str, answers: Mapping[str, str]
    ) -> ApplicationView:
        """See `Hub.declare`."""
        return self._holder(application, "declaration", proof_jwt, answers=dict(answers))

    def no_prior_aid_nonce(self) -> str:
        """See `Hub.no_prior_aid_nonce`."""
        answer = self._post(f"{self._origin}/v1/no-prior-aid/nonce", json={})
        return self._read(answer, lambda body: str(body["nonce"]))

    def no_prior_aid(
        self,
        family: str,
        version: int,
        *,
        period: tuple[date, date],
        nonce: str,
        presentation: Mapping[str, Any] | None = None,
        token: str | None = None,
        application: Iri | None = None,
    ) -> Mapping[str, Any]:
        """See `Hub.no_prior_aid`."""
        answer = self._post(
            f"{self._origin}/v1/no-prior-aid",
            json={
                "family": family,
                "version": version,
                "period_from": period[0].isoformat(),
                "period_until": period[1].isoformat(),
                "nonce": nonce,
                "presentation": None if presentation is None else dict(presentation),
                "token": token,
                "application": application,
            },
        )
        return self._read(answer, lambda body: dict(body["credential"]))

    def answer_audit(
        self, application: Iri, *, proof_jwt: str, answer: str | None
    ) -> ApplicationView:
        """See `Hub.answer_audit`."""
        posted = self._post(
            f"{self._origin}/v1/applications/{quote(application, safe=':')}/audit",
            json={"proof_jwt": proof_jwt, "answer": answer},
        )
        return self._read(posted, view_from_json)

    def verify_public(self, document: Mapping[str, Any]) -> tuple[CheckView, ...]:
        """See `Hub.verify_public`."""
        answer = self._post(f"{self._origin}/v1/verify", json={"document": dict(document)})
        return self._read(
            answer, lambda body: tuple(check_from_json(item) for item in body["checks"])
        )

    def witnessed(self, identifier: str) -> WitnessView | None:
        """See `Witness.witnessed`."""
        try:
            answer = self._get(f"{self._origin}/v1/witness/{quote(identifier, safe='')}")
        except HubRefusedError as error:
            if error.hub_code == "witness-unknown":
                return None
            raise
        return self._read(answer, witness_from_json)

    def bear_witness(
        self, secret: bytes, *, seq: int, commitment: bytes, restored: bool = False
    ) -> WitnessView:
        """See `Witness.bear_witness`."""
        identifier = hashlib.sha256(secret).hexdigest()
        body = {
            "secret": secret.hex(),
            "seq": seq,
            "commitment": commitment.hex(),
            "restored": restored,
        }
        answer = self._post(f"{self._origin}/v1/witness/{identifier}", json=body)
        return self._read(answer, witness_from_json)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("/steps")
    return value
