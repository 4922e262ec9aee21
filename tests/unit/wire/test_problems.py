"""Problems, limits and headers as a browser or a client meets them."""

import json
from typing import ClassVar

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from federation.wire import limits, problems
from federation.wire.errors import DatabaseBusyError, WireError
from schemas.errors import InvalidInput, NotFound, Refused


class Aid(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    amount: int


class NoSuchAidError(WireError, NotFound):
    """This aid is not in the catalogue."""

    code: ClassVar[str] = "unknown-aid"


class TakenError(WireError, Refused):
    """Somebody was first."""

    code: ClassVar[str] = "taken"

    def problem_extensions(self) -> dict[str, object]:
        return {"last": 7, "status": 200}


class CrookedError(WireError, InvalidInput):
    """The track is not a track."""

    code: ClassVar[str] = "crooked"
    where = "/legs/0"


def app() -> FastAPI:
    made = FastAPI()
    problems.install(made, {TakenError: 409})

    @made.post("/aids")
    def add(aid: Aid) -> str:
        return aid.name

    @made.get("/raise/{what}")
    def fail(what: str) -> None:
        errors: dict[str, Exception] = {
            "unknown": NoSuchAidError("no such aid"),
            "taken": TakenError("taken"),
            "crooked": CrookedError("at the first leg"),
            "busy": DatabaseBusyError(waited_s=1.0, retry_after_s=9),
            "bug": ValueError("Rue de la République, Carcassonne"),
        }
        raise errors[what]

    @made.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    made.add_middleware(limits.BodyLimit, limit=1000, paths={"/echo/large": 5000})
    made.add_middleware(limits.SecurityHeaders)
    return made


@pytest.fixture
def client() -> TestClient:
    return TestClient(app(), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("unknown", 404, "unknown-aid"),
        ("taken", 409, "taken"),
        ("crooked", 422, "crooked"),
        ("busy", 503, "database-busy"),
        ("bug", 500, "internal-error"),
    ],
)
def test_an_error_becomes_a_problem(client: TestClient, what: str, status: int, code: str) -> None:
    answer = client.get(f"/raise/{what}")
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"].endswith(f"#{code}")
    assert "Carcassonne" not in answer.text


def test_a_problem_carries_what_helps_the_caller(client: TestClient) -> None:
    assert client.get("/raise/busy").headers["retry-after"] == "9"
    assert client.get("/raise/crooked").json()["where"] == "/legs/0"
    taken = client.get("/raise/taken").json()
    assert (taken["last"], taken["status"]) == (7, 409), "extensions do not override members"


def test_a_validation_problem_never_echoes_the_input(client: TestClient) -> None:
    answer = client.post("/aids", json={"name": "x", "amount": "12 rue Barbès", "secret": 1})
    assert answer.status_code == 422
    assert "Barbès" not in answer.text
    assert {error["where"] for error in answer.json()["errors"]} == {"/body/amount", "/body/secret"}


def test_routing_errors_are_problems_too(client: TestClient) -> None:
    assert client.get("/nowhere").json()["code"] == "not-found"
    assert client.get("/aids").json()["code"] == "wrong-method"


def test_a_declared_length_over_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post("/echo", content=b"x" * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert client.post("/echo", content=b"x" * 1000).json() == 1000


def test_a_chunked_body_over_the_limit_is_refused(client: TestClient) -> None:
    def chunks(count: int):  # type: ignore[no-untyped-def]  # a generator of bytes
        for _ in range(count):
            yield b"x" * 100

    answer = client.post("/echo", content=chunks(11))
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert client.post("/echo", content=chunks(10)).json() == 1000


def test_a_chunked_json_body_over_the_limit_is_refused(client: TestClient) -> None:
    body = json.dumps({"name": "x" * 2000, "amount": 1}).encode()
    answer = client.post(
        "/aids",
        content=iter([body[:900], body[900:]]),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413


def test_every_answer_has_strict_headers(client: TestClient) -> None:
    for path in ("/raise/bug", "/nowhere"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "script" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in headers
