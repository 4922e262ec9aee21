"""A person's browser in a few lines: cookies, forms and their tokens over HTTP, no script.

`http.cookiejar` does not send `Secure` cookies to a loopback address as browsers do; this one does, on loopback only.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import httpx

from federation.wire.http import tls_context

_FORM: Final = re.compile(r"<form\b(?P<head>[^>]*)>(?P<body>.*?)</form>", re.S)
_INPUT: Final = re.compile(r"<(?:input|button)\b[^>]*>", re.S)
_ATTRIBUTE: Final = re.compile(r'([a-z-]+)="([^"]*)"')
MAX_REDIRECTS: Final = 5
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1"})


class PageError(AssertionError):
    """A page did not hold what was looked for; carries address and status, never its contents."""

    def __init__(self, what: str, *, address: str, status: int) -> None:
        self.what, self.address, self.status = what, address, status
        super().__init__(f"{what}: {address} answered {status}")


@dataclass
class Answer:
    """A page as it came back."""

    address: str
    status: int
    text: str
    content: bytes
    media_type: str
    location: str = ""
    """Where a redirect to another site points; it was not followed."""

    def form(self, action: str) -> dict[str, str]:
        """Hidden fields of the posted form `action` (see `_posted`).

        Raises:
            PageError: there is none.
        """
        found = {}
        for tag in _INPUT.findall(self._posted(action)[1]):
            attributes = dict(_ATTRIBUTE.findall(tag))
            if attributes.get("type") == "hidden" and "name" in attributes:
                found[attributes["name"]] = html.unescape(attributes.get("value", ""))
        return found

    def action(self, start: str) -> str:
        """Full action of that form.

        Raises:
            PageError: there is none.
        """
        return self._posted(start)[0]

    def _posted(self, start: str) -> tuple[str, str]:
        """Action and body of the first posted form with just this action, else of the first whose
        action starts with it: a page may also hold a form below the same address."""
        forms = []
        for match in _FORM.finditer(self.text):
            head = dict(_ATTRIBUTE.findall(match["head"]))
            action = html.unescape(head.get("action", ""))
            if head.get("method") == "post" and action.startswith(start):
                forms.append((action, match["body"]))
        if not forms:
            raise PageError(f"no form {start}", address=self.address, status=self.status)
        return next((form for form in forms if form[0] == start), forms[0])

    def find(self, pattern: str) -> str:
        """First group of a pattern in the page, entities resolved.

        Raises:
            PageError: not there.
        """
        match = re.search(pattern, self.text, re.S)
        if match is None:
            raise PageError(f"no {pattern}", address=self.address, status=self.status)
        return html.unescape(match[1]).strip()


@dataclass
class Browser:
    """One browser on one site."""

    base: str
    language: str = "fr"
    cookies: dict[str, str] = field(default_factory=dict)
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # No connection is kept: a browser that is dropped leaves none open.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(
            timeout=60, follow_redirects=False, limits=limits, verify=tls_context()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, *, expect: int = 200) -> Answer:
        """Read a page, following redirects on this site."""
        return self._expect(self._send("GET", path), expect)

    def submit(
        self,
        page: str | Answer,
        action: str,
        values: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        expect: int = 200,
    ) -> Answer:
        """Fill the form `action` found on `page` and send it."""
        shown = self.get(page) if isinstance(page, str) else page
        data = {**shown.form(action), **(values or {})}
        answer = self._send("POST", shown.action(action), data=data, files=files)
        return self._expect(answer, expect)

    def _expect(self, answer: Answer, status: int) -> Answer:
        if answer.status != status:
            raise PageError(f"expected {status}", address=answer.address, status=answer.status)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> Answer:
        address = urljoin(self.base + "/", path)
        moved = False
        for _ in range(MAX_REDIRECTS):
            headers = {"accept-language": self.language, "accept": "text/html"}
            if self.cookies and urlsplit(address).hostname in LOOPBACK:
                headers["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
            answer = self._client.request(method, address, data=data, files=files, headers=headers)
            for name, value in answer.cookies.items():
                self.cookies[name] = value
            for line in answer.headers.get_list("set-cookie"):
                if "max-age=0" in line.lower():
                    self.cookies.pop(line.split("=", 1)[0], None)
            moved = answer.status_code in (302, 303, 307, 308)
            if not moved:
                break
            target = urljoin(address, answer.headers["location"])
            if urlsplit(target).netloc != urlsplit(self.base).netloc:
                break
            address, method, data, files = target, "GET", None, None
        return Answer(
            address=address,
            status=answer.status_code,
            text=answer.text if "text/" in answer.headers.get("content-type", "") else "",
            content=answer.content,
            media_type=answer.headers.get("content-type", "").split(";")[0],
            location=urljoin(address, answer.headers.get("location", "")) if moved else "",
        )
