"""Standing consents over HTTP: what may be repeated, agreed to, paused; each with its runs."""

from datetime import date
from typing import Annotated, Any, Self
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, parse_iri
from schemas.jsonld import to_jsonld
from schemas.records import Extent, Frequency
from schemas.units import Cents
from vault.api.deps import BodyDep, VaultDep, WriterDep, consent_of
from vault.api.negotiation import KeyDep
from vault.circles import catalogue_of
from vault.delivery import withdrawal_of
from vault.errors import ActRefusedError
from vault.open_vault import OpenVault
from vault.standing import (
    MAX_CEILING,
    Standing,
    aid_of,
    apply_for_me,
    give_standing,
    offer,
    pause,
    resume,
    standing,
)
from vault.standing_terms import Period

__all__ = ["Agreement", "router"]

router = APIRouter(prefix="/v1", responses={401: PROBLEM}, tags=["standing consents"])


class Agreement(BaseModel):
    """What the citizen agrees to: the same proof as a share, every period until a day. With
    `extent` and `ceiling` the home applies for the aid, where a period gives a right to it."""

    model_config = ConfigDict(extra="forbid")

    consent: str = Field(min_length=1, max_length=2_048)
    """The share that is repeated: same recipient, claims and purpose."""
    frequency: Frequency
    until: date
    """A day of the last period."""
    extent: Extent | None = None
    """`send`, or `prepare`: a draft waits for the citizen."""
    ceiling: int | None = Field(default=None, ge=1, le=MAX_CEILING)
    """Cents that the home asks for by itself, all periods together."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if (self.extent is None) != (self.ceiling is None):
            raise ValueError("extent and ceiling go together")
        return self


@router.get("/consents/{iri:path}/repetition", responses={403: PROBLEM, 404: PROBLEM})
def repetition(
    vault: VaultDep, iri: str, frequency: Annotated[Frequency, Query()] = Frequency.MONTH
) -> dict[str, Any]:
    """How a share may be repeated, before anything is agreed: the first period is the first of
    `periods`, the last is chosen among them."""
    offered = offer(vault, consent_of(vault, iri).id, frequency=frequency)
    given = offered.source
    return {
        "consent": given.id,
        "frequency": frequency.value,
        "recipient": given.recipient,
        "recipientName": given.recipient_name,
        "purpose": given.purpose,
        "claims": list(given.claims),
        "stays": list(given.kept_back),
        "periods": [_days(period) for period in offered.periods],
        "documents": [
            {"type": name, "validUntil": None if until is None else until.isoformat()}
            for name, until in offered.documents
        ],
    }


@router.get("/standing")
def list_standing(vault: VaultDep) -> dict[str, Any]:
    """Standing consents, newest first: what is sent, how often, until when, and what was."""
    return {"standing": [_shown(vault, item) for item in standing(vault)]}


@router.post(
    "/standing",
    status_code=201,
    responses={400: PROBLEM, 403: PROBLEM, 404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
)
def agree(
    vault: WriterDep, key: KeyDep, agreed: Agreement, body: BodyDep, response: Response
) -> dict[str, Any]:
    """Agree that the home sends this proof after every period, also while the vault is locked.
    Once for one `Idempotency-Key`."""
    source = Iri(parse_iri(agreed.consent, where="/consent"))
    known = {item.consent.id for item in standing(vault)}
    at, once = vault.home.clock(), (key, body)
    if agreed.extent is not None and agreed.ceiling is not None:
        made = apply_for_me(
            vault,
            source,
            catalogue_of(vault),
            frequency=agreed.frequency,
            last=agreed.until,
            ceiling=Cents(agreed.ceiling),
            extent=agreed.extent,
            confirmed_at=at,
            once=once,
        )
    else:
        made = give_standing(
            vault,
            source,
            aid_of(vault, source),
            frequency=agreed.frequency,
            last=agreed.until,
            confirmed_at=at,
            once=once,
        )
    if made.id in known:
        response.status_code = 200
    response.headers["Location"] = f"/v1/standing/{quote(made.id, safe=':/')}"
    return _one(vault, made.id)


@router.get("/standing/{iri:path}", responses={403: PROBLEM, 404: PROBLEM})
def one_standing(vault: VaultDep, iri: str) -> dict[str, Any]:
    """One standing consent."""
    consent = consent_of(vault, iri)
    if consent.frequency is None:
        raise ActRefusedError("not-a-standing-consent")
    return _one(vault, consent.id)


@router.post("/standing/{iri:path}/pause", responses={403: PROBLEM, 404: PROBLEM})
def pause_standing(vault: WriterDep, iri: str) -> dict[str, Any]:
    """Send nothing until it is resumed. Twice is once. To end it: `…/consents/{iri}/withdrawal`."""
    return to_jsonld(pause(vault, consent_of(vault, iri).id))


@router.post("/standing/{iri:path}/resumption", responses={403: PROBLEM, 404: PROBLEM})
def resume_standing(vault: WriterDep, iri: str) -> dict[str, Any]:
    """Send again, from the period that is running on."""
    return to_jsonld(resume(vault, consent_of(vault, iri).id))


def _one(vault: OpenVault, iri: Iri) -> dict[str, Any]:
    (item,) = standing(vault, iri)
    return _shown(vault, item)


def _shown(vault: OpenVault, item: Standing) -> dict[str, Any]:
    state = item.state
    waits = item.is_live and not item.is_paused and state is not None
    told = withdrawal_of(vault.home, vault.vault_id, item.consent.id)
    return {
        "consent": to_jsonld(item.consent),
        "live": item.is_live,
        "asked": item.asked,
        "paused": item.is_paused,
        "nextAt": state.next_at.isoformat() if waits and state and state.next_at else None,
        "recipientTold": None if told is None else told["state"] == "heard",
        "runs": [
            {
                **_days(shown.run.period),
                "at": shown.run.at.isoformat(),
                "outcome": shown.run.outcome,
                "code": shown.run.code,
                "application": shown.run.application,
                "leftOut": shown.run.left_out,
                "amount": shown.run.amount,
                "delivery": None if shown.delivery is None else shown.delivery.state,
            }
            for shown in item.runs
        ],
    }


def _days(period: Period) -> dict[str, str]:
    return {"from": period[0].isoformat(), "until": period[1].isoformat()}
