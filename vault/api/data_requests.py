"""Requests for one's own data over HTTP: the directory, the letters, the clock."""

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, parse_iri
from schemas.jsonld import to_jsonld
from schemas.records import DataRequest, zone
from vault.api.deps import VaultDep, WriterDep
from vault.data_requests import acts
from vault.data_requests.clock import Standing, standing
from vault.data_requests.directory import directory
from vault.data_requests.letters import complaint_letter, request_letter
from vault.errors import ActRefusedError
from vault.open_vault import OpenVault

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/data-requests", responses={401: PROBLEM, 403: PROBLEM}, tags=["data-requests"]
)

Line = Annotated[str, Field(max_length=300)]
Lines = Annotated[str, Field(max_length=2_000)]
CITIZEN_ZONE = "Europe/Paris"
"""Terms are counted in the citizen's civil days; the supervisory authority is the CNIL."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewRequest(_Model):
    """To a company of the directory, by `entry`, or to any, by its name."""

    entry: Annotated[str, Field(max_length=60)] | None = None
    company: Line | None = None
    postalAddress: Lines | None = None  # noqa: N815  # the JSON name
    email: Line | None = None
    requester: Annotated[str, Field(min_length=1, max_length=300)]
    replyTo: Lines | None = None  # noqa: N815  # the JSON name
    knownAs: Line | None = None  # noqa: N815  # the JSON name
    language: Literal["fr", "en"] = "fr"


class NewStep(_Model):
    """What happened, and on which civil day."""

    step: acts.Step
    on: date


def _today(vault: OpenVault) -> date:
    return vault.home.clock().astimezone(zone(CITIZEN_ZONE)).date()


def _shown(request: DataRequest, at: Standing) -> dict[str, Any]:
    return {
        "request": to_jsonld(request),
        "state": at.state.value,
        "dueOn": at.due_on.isoformat() if at.due_on else None,
        "daysLeft": at.days_left,
        "mayComplain": at.may_complain,
        "extended": at.is_extended,
    }


@router.get("/directory")
def companies(vault: VaultDep) -> dict[str, Any]:
    """Companies whose address is known, with the page it is from and when it was read."""
    del vault
    return {
        "companies": [
            {
                "entry": found.id,
                "name": found.name,
                "controller": found.controller,
                "postalAddress": found.postal_address,
                "email": found.email,
                "holds": found.holds,
                "source": found.source,
                "pageDated": found.page_dated,
                "readOn": found.read_on.isoformat(),
            }
            for found in directory()
        ]
    }


@router.get("")
def requests(vault: VaultDep) -> dict[str, Any]:
    """Every request with its state and its last day to be answered, newest first."""
    today = _today(vault)
    return {
        "requests": [_shown(found, standing(found, today)) for found in acts.data_requests(vault)]
    }


@router.post("", status_code=201, responses={422: PROBLEM})
def write(vault: WriterDep, given: NewRequest, response: Response) -> dict[str, Any]:
    """Write a request. Nothing is sent: the citizen sends the letter."""
    made = acts.write_request(
        vault,
        entry=given.entry,
        company_name=given.company,
        postal_address=given.postalAddress,
        email=given.email,
        requester=given.requester,
        reply_to=given.replyTo,
        known_as=given.knownAs,
        language=given.language,
    )
    response.headers["Location"] = f"/v1/records/{quote(made.id, safe=':/')}"
    return _shown(made, standing(made, _today(vault)))


@router.post("/{iri:path}/steps", responses={404: PROBLEM, 409: PROBLEM, 422: PROBLEM})
def step(vault: WriterDep, iri: str, given: NewStep) -> dict[str, Any]:
    """Say what happened: sent, extended, answered, refused, complained, closed, reopened."""
    kept, at = acts.take_step(
        vault, Iri(parse_iri(iri, where="/iri")), given.step, on=given.on, today=_today(vault)
    )
    return _shown(kept, at)


@router.get("/{iri:path}/letter", responses={404: PROBLEM}, response_class=PlainTextResponse)
def letter(
    vault: VaultDep, iri: str, language: Annotated[Literal["fr", "en"] | None, Query()] = None
) -> PlainTextResponse:
    """The letter as text, in the language asked or the request's own."""
    found = acts.data_request(vault, Iri(parse_iri(iri, where="/iri")))
    return _text(request_letter(found, language=language).text)


@router.get("/{iri:path}/complaint", responses={404: PROBLEM}, response_class=PlainTextResponse)
def complaint(vault: VaultDep, iri: str) -> PlainTextResponse:
    """The draft of a complaint to the CNIL; 403 while the company still has time."""
    found = acts.data_request(vault, Iri(parse_iri(iri, where="/iri")))
    at = standing(found, _today(vault))
    if found.sent_on is None or not (at.may_complain or found.answered_on is not None):
        raise ActRefusedError("step-not-now")
    return _text(complaint_letter(found, at, on=_today(vault)).text)


def _text(text: str) -> PlainTextResponse:
    return PlainTextResponse(text, headers={"Cache-Control": "no-store"})
