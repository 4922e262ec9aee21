"""What an issuer answers: its DID document and status list, disputes, webhooks, and its operator's
own application (customers and offers, signed with the `manage` secret)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from connectors.issuer.api.authorization import Login
from connectors.issuer.api.issuance import create_issuance_router
from connectors.issuer.intake import is_signed
from connectors.issuer.service import IssuerService, WebhookRefusedError
from connectors.parsing import load_json
from federation.wire.problems import PROBLEM

__all__ = ["SIGNATURE", "create_issuer_router"]

SIGNATURE = "X-Mobility-Signature"
MAX_CUSTOMER = 10_000


class CustomerBody(BaseModel):
    """A customer of the operator's, and the three lines their vault's page gave."""

    model_config = ConfigDict(extra="forbid")
    customer: str = Field(min_length=1, max_length=200)
    home: str = Field(min_length=1, max_length=500)
    vault: str = Field(min_length=1, max_length=200)
    account: str = Field(min_length=1, max_length=200)


class OfferBody(BaseModel):
    """Whom to offer everything signed for them."""

    model_config = ConfigDict(extra="forbid")
    customer: str = Field(min_length=1, max_length=200)
    login: bool = False
    """Whether the customer agrees on the issuer's page first."""


async def _raw(request: Request) -> bytes:
    return await request.body()


BodyDep = Annotated[bytes, Depends(_raw)]
SignatureDep = Annotated[str, Header(alias=SIGNATURE, max_length=300)]


def create_issuer_router(service: IssuerService) -> APIRouter:
    """Every route of one issuer, below the path of its address."""
    settings = service.settings
    base = f"/{settings.path}" if settings.path else ""
    router = APIRouter(tags=["issuer"], responses={401: PROBLEM, 422: PROBLEM})

    @router.get(f"{base}/did.json" if base else "/.well-known/did.json")
    def did() -> dict[str, Any]:
        """The issuer's keys and services."""
        return service.document()

    @router.get(f"{base}/.well-known/mobility-accreditation")
    def accreditation() -> Response:
        """What a hub is asked to accredit, signed."""
        return Response(service.accreditation_request(), media_type="application/jwt")

    @router.get(f"{base}/status/1")
    def status() -> Response:
        """The Token Status List of everything issued."""
        return Response(service.status_list(), media_type="application/statuslist+jwt")

    @router.post(f"{base}/contestations", status_code=202)
    def dispute(request: Request, body: BodyDep) -> dict[str, str]:
        """A holder's home says that a record is disputed, or no more."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return {"id": service.dispute(headers, body)}

    @router.post(f"{base}/webhooks/{{source}}")
    def webhook(source: str, body: BodyDep, signature: SignatureDep = "") -> dict[str, Any]:
        """Rows of a source, one or a list. Rows that cannot be read are named; the others are
        kept."""
        taken = service.webhook(source, body, signature)
        return {
            "new": taken.new,
            "changed": taken.changed,
            "same": taken.same,
            "faults": [
                {"place": f.place, "column": f.column, "code": f.code} for f in taken.faults
            ],
        }

    def managed(body: BodyDep, signature: SignatureDep = "") -> Any:
        secret = service.keys.manage
        if not is_signed(signature, body, secret=secret, at=service.clock()):
            raise WebhookRefusedError
        return load_json(body, max_bytes=MAX_CUSTOMER)

    ManagedDep = Annotated[Any, Depends(managed)]  # noqa: N806  # a type

    @router.put(f"{base}/customers")
    def link(given: ManagedDep) -> dict[str, str]:
        """Say where a customer's records go."""
        body = CustomerBody.model_validate(given)
        found = service.link(body.customer, home=body.home, vault=body.vault, account=body.account)
        return {"customer": found.customer, "home": found.home}

    @router.post(f"{base}/customers/offers", status_code=201)
    def offer(given: ManagedDep) -> dict[str, Any]:
        """An offer of everything signed for a customer: show its link, or its QR."""
        body = OfferBody.model_validate(given)
        return service.offer(body.customer, by_login=body.login)

    router.include_router(
        create_issuance_router(
            settings.path,
            issuer=settings.address,
            display=({"name": settings.name, "locale": "fr"},),
            offerings=service.offerings(),
            clock=service.clock,
            kept=service.secrets,
            login=Login(settings.name),
            open_to_all=False,
            allow_loopback=settings.allow_loopback,
        )
    )
    return router
