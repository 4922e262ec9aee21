"""`mobility doctor --public`: a home that is well, and each way a proxy spoils it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from connectors.errors import PushTokenError, PushTokenMissingError
from connectors.phones.api import create_points_router
from connectors.phones.form import App, read
from portal.doctor import ADVICE, examine

NOW = datetime.now(UTC)


class Phones:
    """What the routes need: tokens are asked for, none is right."""

    def take(self, app: App, body: bytes, *, query: str = "", secret: str | None = None) -> int:
        if secret is None and app == App.TRACCAR:
            secret = read(app, body, query=query, at=NOW).token
        if secret is None:
            raise PushTokenMissingError
        raise PushTokenError


@contextmanager
def home(spoil: Callable[[Request], Response | None] | None = None) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(create_points_router(Phones()))  # type: ignore[arg-type]  # as far as asked

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.middleware("http")
    async def proxy(request: Request, call_next: Any) -> Response:
        answer = spoil(request) if spoil else None
        return answer if answer is not None else await call_next(request)

    with TestClient(app, base_url="https://h.test") as client:
        yield client


def bad(client: TestClient) -> list[tuple[str, str]]:
    return [(f.name, f.advice) for f in examine("https://h.test", client, at=NOW) if not f.is_good]


def test_a_home_that_is_well_has_nothing_to_mend() -> None:
    with home() as client:
        found = examine("https://h.test", client, at=NOW)
    assert len(found) == 14
    assert all(f.is_good for f in found)


def test_a_proxy_that_drops_the_authorization_is_named() -> None:
    def drop(request: Request) -> None:
        kept = [(k, v) for k, v in request.scope["headers"] if k != b"authorization"]
        request.scope["headers"] = kept

    with home(drop) as client:
        names = {name for name, _ in bad(client)}
    assert {"OwnTracks", "Overland", "GPSLogger"} <= names
    assert "Traccar Client (JSON)" not in names


def test_a_proxy_that_drops_the_query_is_named() -> None:
    def drop(request: Request) -> None:
        request.scope["query_string"] = b""

    with home(drop) as client:
        name = "Traccar Client (adresse)"
        assert bad(client) == [(name, ADVICE[name])]


def test_a_proxy_with_a_small_body_is_told_its_line() -> None:
    def small(request: Request) -> Response | None:
        large = int(request.headers.get("content-length", "0")) > 100_000
        return PlainTextResponse("too large", status_code=413) if large else None

    with home(small) as client:
        [(name, advice)] = bad(client)
    assert "client_max_body_size" in advice
    assert "900" in name


def test_a_page_in_place_of_the_route_is_no_answer() -> None:
    def page(request: Request) -> Response | None:
        return PlainTextResponse("<html>") if "points" in request.url.path else None

    with home(page) as client:
        assert len(bad(client)) == 11


def test_plain_http_and_a_wrong_clock_are_named() -> None:
    with home() as client:
        found = examine("http://h.test", client, at=NOW.replace(year=2001))
    assert [f.is_good for f in found[:1]] == [False]


@pytest.mark.parametrize("advice", ADVICE.values())
def test_every_advice_is_a_sentence(advice: str) -> None:
    assert advice.endswith(".")
