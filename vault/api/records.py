"""The citizen's own records over HTTP, as JSON-LD."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from federation.wire.problems import PROBLEM
from schemas.ids import Iri, parse_iri
from schemas.jsonld import CONTEXT_IRI, to_jsonld
from schemas.records import Kind
from vault.api.deps import VaultDep

router = APIRouter(prefix="/v1", responses={401: PROBLEM})

JSON_LD = "application/ld+json"


@router.get("/records", responses={400: PROBLEM})
def records(
    vault: VaultDep,
    kind: Kind,
    month: Annotated[str | None, Query(pattern=r"^(\d{4}-\d{2}|undated)$")] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JSONResponse:
    """One page of a kind, newest first."""
    page = vault.records(kind, month=month, cursor=cursor, limit=limit)
    return _answer(
        {
            "@context": [CONTEXT_IRI],
            "total": page.total,
            "next": page.cursor,
            "records": [to_jsonld(record) for record in page.records],
        }
    )


@router.get("/records/{iri:path}", responses={404: PROBLEM})
def record(vault: VaultDep, iri: str) -> JSONResponse:
    """One record; its revision is its ETag."""
    found = vault.get(Iri(parse_iri(iri, where="/iri")))
    return _answer(to_jsonld(found), headers={"ETag": f'"{found.revision}"'})


@router.get("/trips")
def trips(vault: VaultDep, since: date, until: date) -> JSONResponse:
    """Trips of whole local days, both ends included."""
    found = vault.trips(since, until)
    return _answer({"@context": [CONTEXT_IRI], "records": [to_jsonld(trip) for trip in found]})


@router.get("/journal")
def journal(
    vault: VaultDep, cursor: Annotated[str | None, Query(max_length=20)] = None
) -> dict[str, Any]:
    """Who did what, newest first."""
    page = vault.journal(cursor)
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


@router.post("/drain")
def drain(vault: VaultDep) -> dict[str, int]:
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


class Question(BaseModel):
    """A SPARQL query."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=64_000)


@router.post("/query", responses={403: PROBLEM, 422: PROBLEM})
def query(vault: VaultDep, question: Question) -> dict[str, Any]:
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


def _answer(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        body, media_type=JSON_LD, headers={"Cache-Control": "no-store", **(headers or {})}
    )
