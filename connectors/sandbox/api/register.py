"""A register of carpool journeys with fictitious journeys: keys, tokens of five minutes, statuses,
CEE applications. It bears no name but the sandbox's, and misbehaves when asked.

`PUT /registre/_journeys/{reference}` says what the register knows of a journey.
"""

import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, Response
from fastapi.responses import JSONResponse

ACCESS_KEY: Final = "bac-a-sable"
SECRET_KEY: Final = "bac-a-sable-secret"  # noqa: S105  # fictitious, for the sandbox alone
TOKEN_TERM: Final = timedelta(minutes=5)
MAX_HELD: Final = 10_000


@dataclass
class Register:
    """What it holds."""

    journeys: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, datetime] = field(default_factory=dict)
    applications: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    busy: int = 0
    """Answers still to be 429."""
    lock: threading.Lock = field(default_factory=threading.Lock)


def create_register_router(
    *, clock: Callable[[], datetime], register: Register | None = None
) -> APIRouter:
    """Routes below `/registre`."""
    held = register or Register()
    router = APIRouter(prefix="/registre", tags=["register"])

    def refused(authorization: str) -> Response | None:
        with held.lock:
            if held.busy:
                held.busy -= 1
                headers = {"Retry-After": "7"}
                return JSONResponse({"error": {"code": 429}}, status_code=429, headers=headers)
            until = held.tokens.get(authorization.removeprefix("Bearer "))
        if until is None or until <= clock():
            return JSONResponse({"code": 401, "error": "Unauthorized"}, status_code=401)
        return None

    @router.put("/_journeys/{reference}", status_code=204)
    def tell(reference: str, said: Annotated[dict[str, Any], Body()]) -> Response:
        with held.lock:
            held.journeys[reference] = said
        return Response(status_code=204)

    @router.post("/_busy/{times}", status_code=204)
    def be_busy(times: int) -> Response:
        held.busy = times
        return Response(status_code=204)

    @router.post("/_forget", status_code=204)
    def forget_tokens() -> Response:
        """All tokens end now."""
        held.tokens.clear()
        return Response(status_code=204)

    @router.post("/v3.3/auth/access_token")
    def access_token(asked: Annotated[dict[str, str], Body()]) -> Response:
        if (asked.get("access_key"), asked.get("secret_key")) != (ACCESS_KEY, SECRET_KEY):
            return JSONResponse({"code": 401, "error": "Unauthorized"}, status_code=401)
        token = secrets.token_urlsafe(24)
        with held.lock:
            while len(held.tokens) >= MAX_HELD:
                held.tokens.pop(next(iter(held.tokens)))
            held.tokens[token] = clock() + TOKEN_TERM
        return JSONResponse({"access_token": token}, status_code=201)

    @router.get("/v3.3/journeys/{reference}")
    def journey(reference: str, authorization: Annotated[str, Header()] = "") -> Response:
        """200 whatever became of it: the status says."""
        if (no := refused(authorization)) is not None:
            return no
        found = held.journeys.get(reference)
        if found is None:
            return JSONResponse({"code": 404, "error": "Not found"}, status_code=404)
        return JSONResponse(
            {
                "operator_journey_id": reference,
                "journey_id": str(uuid.uuid5(uuid.NAMESPACE_URL, reference)),
                "created_at": clock().isoformat(),
                "fraud_error_labels": [],
                "anomaly_error_details": [],
                "terms_violation_details": [],
                **found,
            }
        )

    @router.post("/v3.3/policies/cee/simulate")
    def simulate(
        asked: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        if (no := refused(authorization)) is not None:
            return no
        if not {"last_name_trunc", "phone_trunc", "journey_type"} <= set(asked):
            return JSONResponse({"code": 400, "error": "Bad request"}, status_code=400)
        before = held.applications.get((asked.get("identity_key", ""), asked["journey_type"]))
        if before is not None:
            return JSONResponse({"datetime": before["datetime"]}, status_code=409)
        return JSONResponse({})

    @router.post("/v3.3/policies/cee")
    def apply(
        asked: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        if (no := refused(authorization)) is not None:
            return no
        key = (asked.get("identity_key", ""), asked.get("journey_type", ""))
        before = held.applications.get(key)
        if before is not None:
            same = {"datetime": before["datetime"], "uuid": before["uuid"]}
            return JSONResponse(same, status_code=409)
        journey_id = None
        if key[1] == "short":
            found = held.journeys.get(asked.get("operator_journey_id", ""))
            if found is None or found.get("status") != "ok":
                return JSONResponse({"code": 404, "error": "Not found"}, status_code=404)
            journey_id = str(uuid.uuid5(uuid.NAMESPACE_URL, asked["operator_journey_id"]))
        made = {
            "uuid": str(uuid.uuid4()),
            "datetime": clock().isoformat(),
            "token": secrets.token_hex(64),
            "journey_id": journey_id,
        }
        with held.lock:
            held.applications[key] = made
        return JSONResponse(made, status_code=201)

    return router


__all__ = ["ACCESS_KEY", "SECRET_KEY", "Register", "create_register_router"]
