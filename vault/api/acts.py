"""What a citizen does with trips and sees of their vault: corrections, deletions with undo, the
journal, receipts of consent, the drain, questions."""

import json
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, parse_iri
from schemas.jsonld import observation_to_json, to_jsonld
from schemas.modes import Mode
from schemas.observations import DisputeReason
from schemas.records import Place
from schemas.units import Metres
from vault import disputes, editing
from vault.api.deps import BodyDep, VaultDep, WriterDep, consent_of
from vault.api.negotiation import ConditionDep, KeyDep, etag
from vault.api.records import deleted
from vault.editing import Condition
from vault.errors import ActRefusedError, RecordInvalidError
from vault.formats import Format
from vault.library import Draft
from vault.open_vault import OpenVault

router = APIRouter(prefix="/v1", responses={401: PROBLEM}, tags=["acts"])

Text = Annotated[str, Field(min_length=1, max_length=2_048)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Spot(_Model):
    """A point on the map."""

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    label: str | None = Field(default=None, max_length=200)


class NewTrip(_Model):
    """A trip the citizen remembers."""

    startedAt: AwareDatetime  # noqa: N815  # the JSON name
    endedAt: AwareDatetime  # noqa: N815  # the JSON name
    zone: str = Field(default="Europe/Paris", max_length=64)
    mode: Mode
    distance: int | None = Field(default=None, ge=0, le=40_000_000)
    origin: Spot | None = None
    destination: Spot | None = None
    purpose: str | None = Field(default=None, max_length=200)


class Correction(_Model):
    """What a trip was, or how two trips belong together."""

    act: Literal["mode", "purpose", "merge", "keep-apart", "split"]
    trip: Text
    other: Text | None = None
    mode: Mode | None = None
    purpose: str | None = Field(default=None, max_length=200)
    at: AwareDatetime | None = None


class Disputing(_Model):
    """A trip, or a credential that says one was made, and why it is disputed."""

    record: Text
    reason: DisputeReason


class Deletion(_Model):
    """A day, a range of days (both ends included), or everything of one source's account."""

    since: date | None = None
    until: date | None = None
    source: str | None = Field(default=None, max_length=500)
    account: str | None = Field(default=None, max_length=500)


class Question(_Model):
    """A SPARQL query."""

    query: str = Field(min_length=1, max_length=64_000)


@router.post("/trips", status_code=201, responses={400: PROBLEM, 403: PROBLEM, 422: PROBLEM})
def add_trip(
    vault: WriterDep, key: KeyDep, trip: NewTrip, body: BodyDep, response: Response
) -> dict[str, Any]:
    """Add a trip that no source left: `declared`, once for one `Idempotency-Key`."""
    made, is_new = editing.declare_trip(
        vault,
        started_at=trip.startedAt,
        ended_at=trip.endedAt,
        zone=trip.zone,
        mode=trip.mode,
        distance=None if trip.distance is None else Metres(trip.distance),
        origin=_place(trip.origin),
        destination=_place(trip.destination),
        purpose=trip.purpose,
        key=key,
        request=body,
    )
    if not is_new:
        response.status_code = 200
    return _shown(vault, made, response)


@router.post(
    "/corrections",
    responses={403: PROBLEM, 404: PROBLEM, 412: PROBLEM, 422: PROBLEM, 428: PROBLEM},
)
def correct(
    vault: WriterDep, said: Correction, condition: ConditionDep, response: Response
) -> dict[str, Any]:
    """Say what a trip was. Kept as evidence beside what sources say; `decisions` takes it back."""
    trip = Iri(parse_iri(said.trip, where="/trip"))
    with _under(vault, trip, condition):
        match said.act:
            case "mode" | "purpose":
                vault.correct(trip, mode=said.mode, purpose=said.purpose)
            case "split":
                if said.at is None:
                    raise RecordInvalidError("missing", where="/at")
                vault.split(trip, said.at)
            case "merge":
                vault.merge(trip, Iri(parse_iri(said.other, where="/other")))
            case "keep-apart":
                vault.keep_apart(trip, Iri(parse_iri(said.other, where="/other")))
    return _shown(vault, trip, response)


def _under(vault: OpenVault, trip: Iri, condition: Condition) -> Any:
    def check(draft: Draft) -> None:
        condition.require(editing.tag_of(draft, trip))

    return vault.library.first(check)


def _shown(vault: OpenVault, iri: Iri, response: Response) -> dict[str, Any]:
    found = editing.held(vault, iri)
    response.headers["ETag"] = etag(found.tag, Format.JSON_LD)
    response.headers["Location"] = f"/v1/records/{iri}"
    response.headers["Cache-Control"] = "no-store"
    return to_jsonld(found.record)


def _place(spot: Spot | None) -> Place | None:
    return None if spot is None else Place(spot.lat, spot.lon, spot.label)


@router.post("/deletions", responses={403: PROBLEM, 422: PROBLEM})
def delete(vault: WriterDep, asked: Deletion) -> dict[str, Any]:
    """Delete the trips of whole days, or everything of an account. Doing it twice deletes nothing
    more."""
    if asked.source is not None and asked.account is not None and asked.since is None:
        return deleted(vault.delete(account=(asked.source, asked.account)))
    if asked.since is None or asked.source is not None or asked.account is not None:
        raise ActRefusedError("name-days-or-an-account")
    from vault.deletion import days

    return deleted(vault.delete(interval=days(vault, asked.since, asked.until or asked.since)))


@router.post("/disputes", status_code=201, responses={403: PROBLEM, 404: PROBLEM, 422: PROBLEM})
def dispute(vault: WriterDep, said: Disputing) -> dict[str, Any]:
    """Dispute what an operator or a register signed: it counts no more, its issuer is told.
    `DELETE /v1/decisions/{id}` takes it back."""
    iri = Iri(parse_iri(said.record, where="/record"))
    return _disputed(disputes.dispute(vault, iri, reason=said.reason))


@router.get("/disputes")
def disputed(vault: VaultDep) -> dict[str, Any]:
    """Disputes that stand, newest first, and what their issuers know."""
    return {"disputes": [_disputed(found) for found in disputes.disputes(vault)]}


def _disputed(found: disputes.Disputed) -> dict[str, Any]:
    return {
        "id": found.id,
        "at": found.at.isoformat(),
        "reason": found.reason,
        "observations": [observation.id for observation in found.observations],
        "credentials": [held.id for held in found.credentials],
        "told": [
            {"issuer": told.issuer, "state": told.state, "code": told.code} for told in found.told
        ],
    }


@router.get("/decisions")
def decisions(vault: VaultDep) -> dict[str, Any]:
    """What the citizen decided, newest first: corrections, merges, deletions."""
    return {"decisions": [observation_to_json(act) for act in vault.decisions()]}


@router.delete("/decisions/{iri:path}", status_code=204, responses={403: PROBLEM, 404: PROBLEM})
def undo(vault: WriterDep, iri: str) -> None:
    """Take a decision back; a deletion for 30 days, at the next import."""
    vault.undo(Iri(parse_iri(iri, where="/iri")))


# --- journal and consents ----------------------------------------------------------------------


@router.get("/journal")
def journal(
    vault: VaultDep,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Who received or read what, when, why; newest first."""
    page = vault.journal(cursor, limit=limit)
    return {
        "next": page.cursor,
        "events": [
            {
                "number": e.number,
                "at": e.at.isoformat(),
                "event": e.event,
                "actor": e.actor,
                "detail": dict(e.detail),
            }
            for e in page.events
        ],
    }


@router.get(
    "/consents/{iri:path}/receipt",
    responses={404: PROBLEM, 200: {"content": {"application/ld+json": {}}}},
    response_class=Response,
)
def receipt(vault: VaultDep, iri: str) -> Response:
    """The receipt of a consent, to keep or show: a `dpv:ConsentRecord` with the fields of ISO/IEC
    TS 27560. It names kinds of data, never values."""
    consent = consent_of(vault, iri)
    name = consent.id.rsplit(":", 1)[-1][:60]
    safe = "".join(c if c.isalnum() or c == "-" else "-" for c in name)
    return Response(
        json.dumps(dict(consent.receipt), ensure_ascii=False, indent=2).encode(),
        media_type="application/ld+json",
        headers={
            "Content-Disposition": f'attachment; filename="recu-{safe}.jsonld"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/consents/{iri:path}/withdrawal", responses={403: PROBLEM, 404: PROBLEM})
def withdraw(vault: WriterDep, iri: str) -> dict[str, Any]:
    """Withdraw a consent: the next share stops, the recipient is told until they have heard it.
    Doing it twice changes nothing."""
    return to_jsonld(vault.withdraw_consent(consent_of(vault, iri).id))


# --- drain, questions --------------------------------------------------------------------------


@router.post("/drain")
def drain(vault: WriterDep) -> dict[str, int]:
    """Take in what waits in the drop-box, about 500 records a call."""
    report = vault.drain()
    return {
        "deposits": report.deposits,
        "records": report.records,
        "tripsNew": report.trips_new,
        "tripsChanged": report.trips_changed,
        "duplicates": report.duplicates,
        "suppressed": report.suppressed,
        "quarantined": report.quarantined,
        "waiting": report.waiting,
    }


@router.post("/query", responses={403: PROBLEM, 422: PROBLEM})
def query(vault: WriterDep, question: Question) -> dict[str, Any]:
    """Ask the open vault. Nothing of it reaches another machine."""
    found = vault.query(question.query)
    return {
        "form": found.form,
        "variables": list(found.variables),
        "rows": [list(row) for row in found.rows],
        "truth": found.truth,
        "graph": found.graph,
        "tookMs": found.took_ms,
    }
