"""« Développeurs »: every call the page shows works as it is written, in both languages."""

import html
import json
import re
import shlex
from typing import Any

import httpx
import pytest

from federation.wire.http import tls_context
from portal.browser import Browser
from tests.e2e.network import Network


def calls(page: str) -> list[str]:
    blocks = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    return [line for block in blocks for line in html.unescape(block).splitlines() if line]


def run(line: str, known: dict[str, str]) -> httpx.Response:
    for name, value in known.items():
        line = line.replace(f"${name}", value)
    words = shlex.split(line)
    assert words.pop(0) == "curl"
    given: dict[str, Any] = {"method": "GET", "headers": {}}
    while words:
        word = words.pop(0)
        match word:
            case "-X":
                given["method"] = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                given["headers"][name] = value
            case "-d":
                given["content"] = words.pop(0).encode()
            case _:
                given["url"] = word
    return httpx.request(**given, timeout=30, verify=tls_context())


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_call_of_the_page_works_as_written(federation: Network, language: str) -> None:
    page = Browser(federation.hub, language=language).get("/developpeurs").text
    lines = calls(page)
    assert len(lines) >= 11
    assert "src=" not in page.split("<main", 1)[1], "nothing is loaded from elsewhere"
    citizen = federation.new_citizen()
    shown = citizen.submit("/sources", "/sources/appairer", {"nom": "mon app"})
    aids = httpx.get(f"{federation.hub}/v1/aids?limit=200", verify=tls_context()).json()["items"]
    known = {
        "CODE": shown.find(r">\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*<"),
        "AIDE": next(aid["slug"] for aid in aids if aid["checkMode"] != "link-out"),
    }
    expected = {"/v1/pairings": 201, "/v1/push": 202, "/requests": 201}
    outcomes = {}
    for line in lines:
        answer = run(line, known)
        path = answer.request.url.path
        wanted = next((code for end, code in expected.items() if path.endswith(end)), 200)
        assert answer.status_code == wanted, (line, answer.text[:300])
        if path == "/v1/pairings":
            known["JETON"] = answer.json()["token"]
        if path == "/v1/push":
            known["RECU"] = answer.json()["receipt"]
        outcomes[path] = answer.text
    assert json.loads(outcomes["/v1/verify"])["outcome"] == "fail", "an empty document is no proof"
    assert "1 nouveau trajet" in citizen.submit("/sources", "/releve").text
