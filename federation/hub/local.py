"""The hub in this process, behind the same port as over HTTP."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from federation.errors import HubRefusedError, HubUnreachableError
from federation.hub.context import HubContext
from federation.hub.errors import KeyUnknownError, PackageRefusedError, WitnessUnknownError
from federation.hub.no_prior_aid import Asked
from federation.ports import (
    ApplicationView,
    CheckView,
    DocumentEnvelope,
    RequestPointer,
    ResponseReceipt,
    SignedCatalogue,
    WitnessView,
)
from schemas.errors import MobilityError, Retriable
from schemas.ids import Did, Iri

__all__ = ["LocalHub"]

_T = TypeVar("_T")


class LocalHub:
    """`Hub` over a context of this process."""

    def __init__(self, context: HubContext) -> None:
        self._context = context

    def _call(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except (HubRefusedError, HubUnreachableError):
            raise
        except MobilityError as error:
            if isinstance(error, Retriable):
                raise HubUnreachableError(error.code, retry_after_s=error.retry_after_s) from error
            code = error.code
            if isinstance(error, PackageRefusedError) and error.failed:
                code = error.failed[0]
            extra = getattr(error, "problem_extensions", None)
            raise HubRefusedError(
                code,
                status=0,
                detail=str(error),
                extensions=extra() if callable(extra) else None,
            ) from error

    def catalogue(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.catalogue`."""
        return self._call(lambda: self._context.publishing.signed(if_version=if_version))

    def reserved(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.reserved`."""
        return self._call(lambda: self._context.reserved.file(if_version=if_version))

    def offers(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """See `Hub.offers`."""
        return self._call(lambda: self._context.offers.file(if_version=if_version))

    def trust(self) -> bytes:
        """See `Hub.trust`."""
        return self._call(self._context.registry.signed)

    def services(self) -> tuple[str, ...]:
        """See `Hub.services`."""
        return self._call(self._context.services.announcements)

    def request(
        self,
        aid: Iri,
        application: Iri,
        *,
        period: tuple[date, date],
        holder: Did | None = None,  # noqa: ARG002 - the hub learns the holder from the answer
    ) -> RequestPointer:
        """See `Hub.request`."""
        return self._call(
            lambda: self._context.applications.request(aid, application, period=period)
        )

    def request_object(self, request_uri: str, *, wallet_nonce: str | None = None) -> str:
        """See `Hub.request_object`."""
        identifier = request_uri.rsplit("/", 1)[-1]
        return self._call(
            lambda: self._context.applications.request_object(identifier, wallet_nonce=wallet_nonce)
        )

    def respond(self, response_uri: str, form: Mapping[str, str]) -> ResponseReceipt:
        """See `Hub.respond`."""
        identifier = response_uri.rsplit("/", 1)[-1]
        return self._call(lambda: self._context.applications.respond(identifier, form))

    def application(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.application`."""
        return self._call(
            lambda: self._context.applications.application(application, proof_jwt=proof_jwt)
        )

    def steps(self, application: Iri, *, watch_jwt: str) -> int:
        """See `Hub.steps`."""
        return self._call(
            lambda: self._context.applications.steps(application, watch_jwt=watch_jwt)
        )

    def evidence(self, application: Iri, *, proof_jwt: str) -> bytes:
        """See `Hub.evidence`."""
        return self._call(
            lambda: self._context.applications.evidence(application, proof_jwt=proof_jwt)
        )

    def withdraw(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.withdraw`."""
        return self._call(
            lambda: self._context.applications.withdraw(application, proof_jwt=proof_jwt)
        )

    def end_sendings(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """See `Hub.end_sendings`."""
        return self._call(
            lambda: self._context.applications.end_sendings(application, proof_jwt=proof_jwt)
        )

    def answer(self, application: Iri, *, proof_jwt: str, text: str) -> ApplicationView:
        """See `Hub.answer`."""
        return self._call(
            lambda: self._context.applications.answer(application, proof_jwt=proof_jwt, text=text)
        )

    def appeal(self, application: Iri, *, proof_jwt: str, reason: str) -> ApplicationView:
        """See `Hub.appeal`."""
        return self._call(
            lambda: self._context.applications.appeal(
                application, proof_jwt=proof_jwt, reason=reason
            )
        )

    def document_key(self, funder: Did) -> str:
        """See `Hub.document_key`."""

        def read() -> str:
            found = self._context.publishing.funder(funder)
            if found is None:
                raise KeyUnknownError
            return self._context.document_keys.signed(found)

        return self._call(read)

    def attach(
        self, application: Iri, *, proof_jwt: str, document: DocumentEnvelope
    ) -> ApplicationView:
        """See `Hub.attach`."""
        return self._call(
            lambda: self._context.applications.attach(
                application, proof_jwt=proof_jwt, document=document
            )
        )

    def declare(
        self, application: Iri, *, proof_jwt: str, answers: Mapping[str, str]
    ) -> ApplicationView:
        """See `Hub.declare`."""
        return self._call(
            lambda: self._context.applications.declare(
                application, proof_jwt=proof_jwt, answers=answers
            )
        )

    def no_prior_aid_nonce(self) -> str:
        """See `Hub.no_prior_aid_nonce`."""
        return self._call(self._context.no_prior_aid.nonce)

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
        asked = Asked(family, version, period, nonce, presentation, token, application)
        return self._call(lambda: self._context.no_prior_aid.issue(asked))

    def answer_audit(
        self, application: Iri, *, proof_jwt: str, answer: str | None
    ) -> ApplicationView:
        """See `Hub.answer_audit`."""
        return self._call(
            lambda: self._context.applications.answer_audit(
                application, proof_jwt=proof_jwt, answer=answer
            )
        )

    def verify_public(self, document: Mapping[str, Any]) -> tuple[CheckView, ...]:
        """See `Hub.verify_public`."""
        return self._call(lambda: self._context.verifying.public(document))

    def witnessed(self, identifier: str) -> WitnessView | None:
        """See `Witness.witnessed`."""
        try:
            return self._context.witness.read(identifier)
        except WitnessUnknownError:
            return None

    def bear_witness(
        self, secret: bytes, *, seq: int, commitment: bytes, restored: bool = False
    ) -> WitnessView:
        """See `Witness.bear_witness`."""
        return self._call(
            lambda: self._context.witness.append(
                secret, seq=seq, commitment=commitment, restored=restored
            )
        )
