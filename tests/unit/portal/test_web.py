"""Forms, notices and return addresses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from portal.errors import FormExpiredError
from portal.web import FORM_AGE_S, FORM_COOKIE, Page, Site, load_form_key, safe_return

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
SITE = Site(name="Coffre de mobilité", sandbox=True, form_key=b"k" * 32)


def page(cookies: dict[str, str], *, at: datetime = NOW, fetch_site: str | None = None) -> Page:
    headers = [(b"cookie", "; ".join(f"{k}={v}" for k, v in cookies.items()).encode())]
    if fetch_site:
        headers.append((b"sec-fetch-site", fetch_site.encode()))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "query_string": b"",
        "headers": headers,
    }
    return Page(Request(scope), SITE, now=at)


def test_a_form_of_this_browser_is_taken() -> None:
    token = page({FORM_COOKIE: "seed"}).form_token()
    page({FORM_COOKIE: "seed"}, at=NOW + timedelta(hours=10)).check_form(token)


@pytest.mark.parametrize(
    ("cookie", "late_s", "fetch_site", "change"),
    [
        ("other", 0, None, ""),
        ("", 0, None, ""),
        ("seed", FORM_AGE_S + 1, None, ""),
        ("seed", 0, "cross-site", ""),
        ("seed", 0, "same-site", ""),
        ("seed", 0, None, "0"),
    ],
)
def test_a_foreign_old_or_altered_form_is_refused(
    cookie: str, late_s: int, fetch_site: str | None, change: str
) -> None:
    token = page({FORM_COOKIE: "seed"}).form_token()
    cookies = {FORM_COOKIE: cookie} if cookie else {}
    asked = page(cookies, at=NOW + timedelta(seconds=late_s), fetch_site=fetch_site)
    with pytest.raises(FormExpiredError):
        asked.check_form(token[:-1] + change if change else token)


@pytest.mark.parametrize("token", ["", ".", "abc", "1.", "9" * 400 + ".x", "-1.x"])
def test_a_malformed_form_token_is_refused(token: str) -> None:
    with pytest.raises(FormExpiredError):
        page({FORM_COOKIE: "seed"}).check_form(token)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/aides", "/aides"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\nset-cookie: x", "/"),
        ("", "/"),
    ],
)
def test_one_only_returns_to_this_site(path: str, expected: str) -> None:
    assert safe_return(path) == expected


def test_workers_share_one_form_key_that_others_cannot_read(tmp_path: Path) -> None:
    first, second = load_form_key(tmp_path / "keys"), load_form_key(tmp_path / "keys")
    assert first == second
    assert len(first) == 32
    assert (tmp_path / "keys" / "forms.key").stat().st_mode & 0o077 == 0
    assert list((tmp_path / "keys").iterdir()) == [tmp_path / "keys" / "forms.key"]


def test_a_notice_is_shown_once_and_a_forged_one_never() -> None:
    app = FastAPI()

    @app.get("/go")
    def go(request: Request) -> object:
        return Page(request, SITE, now=NOW).go("/show", notice="C'est noté.")

    @app.get("/show")
    def show(request: Request) -> object:
        shown = Page(request, SITE, now=NOW)
        return shown.show(
            "error.html", title="t", text="x", code="c", check_items=[], action="a", href="/"
        )

    client = TestClient(app, base_url="https://testserver")
    assert "C&#39;est noté." in client.get("/go").text
    assert "C&#39;est noté." not in client.get("/show").text
    client.cookies.set("__Host-message", b"0000|bad|<b>pwned</b>".hex())
    assert "pwned" not in client.get("/show").text


def test_the_sandbox_banner_is_on_the_page_and_text_is_escaped() -> None:
    app = FastAPI()

    @app.get("/")
    def show(request: Request) -> object:
        return Page(request, SITE, now=NOW).show(
            "error.html",
            title="<script>alert(1)</script>",
            text="x",
            code="c",
            check_items=[],
            action="a",
            href="/",
        )

    text = TestClient(app).get("/").text
    assert "Bac à sable : personnes, opérateurs et financeurs fictifs" in text
    assert "<script>" not in text
