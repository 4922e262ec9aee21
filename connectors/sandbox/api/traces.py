"""A trace app's server in e-mission's wire shape, both dialects. POST only, token in the body.

`/traces` speaks the 2026 dialect, `/traces-2021` the one of 2021: no `get_range_ts`, no
`key_time`, no composite trips. Unknown routes answer 301 to a web page, as the real one does.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from fastapi.responses import JSONResponse, RedirectResponse

from connectors.emission.client import Dialect
from connectors.sandbox.misbehaviour import Manners, instead, spoil
from connectors.sandbox.parties import BANNER
from connectors.sandbox.story import Story

JsonBody = Annotated[dict[str, Any], Body()]
PAGE = f"<!doctype html><title>{BANNER}</title><p>{BANNER}</p>"


def create_traces_router(story: Story, token: str, manners: Manners, dialect: Dialect) -> APIRouter:
    """Routes of one dialect."""
    upstream = dialect is Dialect.UPSTREAM_2026
    router = APIRouter(prefix="/traces" if upstream else "/traces-2021", tags=["traces"])
    entries = story.entries(dialect)

    def refused(body: Mapping[str, Any]) -> Response | None:
        if "user" not in body:
            return JSONResponse({"error": "no user"}, status_code=401)
        if body["user"] != token:
            return JSONResponse({"error": "unknown token"}, status_code=403)
        return None

    def answered(body: Mapping[str, Any], good: Any) -> Response:
        """The good answer, or what was asked of `/_misbehave` for this one."""
        refusal = refused(body)
        if refusal is not None:
            return refusal
        what = manners.next()
        if what is not None:
            other = instead(what, page=PAGE)
            if other is not None:
                return other
            if "phone_data" in good:
                good = {"phone_data": spoil(what, good["phone_data"])}
        # json.dumps lets NaN through, as Python servers do.
        return Response(json.dumps(good), media_type="application/json")

    @router.post("/datastreams/find_entries/timestamp")
    def find_entries(body: JsonBody) -> Response:
        keys = set(body.get("key_list", []))
        start, end = float(body["start_time"]), float(body["end_time"])
        by_data = upstream and body.get("key_time") == "data.start_ts"

        def moment(entry: Mapping[str, Any]) -> float:
            found = entry["data"]["start_ts"] if by_data else entry["metadata"]["write_ts"]
            return float(found)

        chosen = [e for e in entries if e["metadata"]["key"] in keys and start <= moment(e) <= end]
        return answered(body, {"phone_data": sorted(chosen, key=moment)})

    @router.post("/pipeline/get_complete_ts")
    def complete(body: JsonBody) -> Response:
        last = max(e["data"]["end_ts"] for e in entries if "end_ts" in e["data"])
        return answered(body, {"complete_ts": last + 5})

    if upstream:

        @router.post("/pipeline/get_range_ts")
        def span(body: JsonBody) -> Response:
            trips = [e["data"] for e in entries if e["metadata"]["key"].startswith("analysis/")]
            first = min(data["start_ts"] for data in trips)
            return answered(
                body, {"start_ts": first, "end_ts": max(data["end_ts"] for data in trips)}
            )

    @router.post("/timeline/getTrips/{day}")
    def trips_of(day: date, body: JsonBody) -> Response:
        return answered(body, {"timeline": story.diary(day)})

    @router.post("/usercache/get")
    def cache(body: JsonBody) -> Response:
        return answered(body, {"server_to_phone": []})

    @router.post("/{path:path}")
    def elsewhere() -> Response:
        """Any other route: a redirect to a web page, as the real server does."""
        return RedirectResponse("/", status_code=301)

    return router


__all__ = ["create_traces_router"]
