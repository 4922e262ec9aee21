"""The login half of OpenID4VCI 1.0 at an issuer: authorisation code with PKCE, pushed or not.

Steps: (1) the request is read whole, pushed (`/par`) or in the address; its redirect is on the
client's own origin, so a code only goes where the page says; (2) whose data: the customer that the
offer's `issuer_state` names (the operator's own application logged them in when it made the
offer), or the sandbox's one person; (3) the person reads to whom what goes, and agrees; (4) the
browser returns with a code for one use, one minute, that only the `code_verifier` exchanges.
Source: OpenID4VCI 1.0 Final §5; RFC 6749 §4.1, RFC 7636, RFC 9126, RFC 9207 (`iss`).
"""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.requests import Request

from connectors.issuer.api.held import Secrets

__all__ = ["Login", "create_authorization_router"]

PAR_TERM_S: Final = 90
_REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
_MEMBERS: Final = (
    "response_type", "client_id", "redirect_uri", "state", "code_challenge",
    "code_challenge_method", "authorization_details", "scope", "issuer_state",
)  # fmt: skip
_MAX: Final = 4_000
_NO_STORE: Final = {"Cache-Control": "no-store"}
_STYLE: Final = (
    "body{font:1.1rem/1.5 sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.4rem}button{font:inherit;padding:.6rem 1.2rem;border-radius:2rem;margin:.3rem;"
    "border:2px solid #0b5c56;background:#fff;color:#0b5c56}"
    "button[value=oui]{background:#0b5c56;color:#fff}"
)
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS: Final = {
    **_NO_STORE,
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Login:
    """Who is asked to agree, on the page."""

    name: str
    """Of the issuer."""
    person: str = ""
    """The sandbox's one person; empty: only the customer of an offer may come."""


@dataclass(frozen=True, slots=True)
class _Asked:
    client_id: str
    redirect_uri: str
    state: str
    challenge: str
    ids: tuple[str, ...]
    issuer_state: str

    def back(self, **members: str) -> str:
        """The client's address with these members and its own state."""
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        found = {**members, **({"state": self.state} if self.state else {})}
        return f"{self.redirect_uri}{joint}{urlencode(found)}"

    def about(self) -> tuple[str, ...]:
        return (self.client_id, self.redirect_uri, self.state, self.challenge, self.issuer_state,
                *self.ids)  # fmt: skip

    @classmethod
    def of(cls, about: Sequence[str]) -> "_Asked":
        client, redirect, state, challenge, issuer_state, *ids = about
        return cls(client, redirect, state, challenge, tuple(ids), issuer_state)


async def _form(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value for name in _MEMBERS if isinstance(value := form.get(name), str)}


FormDep = Annotated[Mapping[str, str], Depends(_form)]


def create_authorization_router(
    base: str,
    *,
    issuer: str,
    kept: Secrets,
    titles: Mapping[str, str],
    login: Login,
    allow_loopback: bool,
) -> APIRouter:
    """`/par` and `/authorize` of one issuer; `titles`: configuration → its name on the page."""
    router = APIRouter(tags=["issuance"])

    def read(members: Mapping[str, str]) -> _Asked | str:
        return _read(members, known=frozenset(titles), allow_loopback=allow_loopback)

    @router.post(f"{base}/par", status_code=201)
    def push(form: FormDep) -> Response:
        """Push a request (RFC 9126): the browser then carries a name of it only."""
        asked = read(form)
        if isinstance(asked, str):
            return JSONResponse({"error": asked}, status_code=400)
        name = kept.pushed.make(*asked.about())
        return JSONResponse(
            {"request_uri": _REQUEST_URI + name, "expires_in": PAR_TERM_S},
            status_code=201,
            headers=_NO_STORE,
        )

    @router.get(f"{base}/authorize")
    def ask(request: Request) -> Response:
        """The page on which the person agrees."""
        members = dict(request.query_params)
        pushed = members.get("request_uri", "")
        if pushed:
            about = kept.pushed.take(pushed.removeprefix(_REQUEST_URI))
            asked: _Asked | str = "invalid_request_uri" if about is None else _Asked.of(about)
            if isinstance(asked, _Asked) and asked.client_id != members.get("client_id"):
                asked = "invalid_client"
        else:
            asked = read(members)
        if isinstance(asked, str):
            return _told(login, asked)  # never a redirect to an address that was not checked
        subject = _subject(asked)
        if subject is None:
            return RedirectResponse(asked.back(error="access_denied", iss=issuer), 303)
        name = kept.consents.make(subject, *asked.about())
        return HTMLResponse(
            _page(login, asked, [titles[i] for i in asked.ids], f"{base}/authorize", name),
            headers=_PAGE_HEADERS,
        )

    def _subject(asked: _Asked) -> str | None:
        if asked.issuer_state:
            found = kept.states.holds(asked.issuer_state)
            return found[0] if found is not None and set(asked.ids) <= set(found[1:]) else None
        return "" if login.person else None

    @router.post(f"{base}/authorize")
    def agree(
        demande: Annotated[str, Form(max_length=100)],
        reponse: Annotated[str, Form(max_length=10)] = "",
    ) -> Response:
        """What the person said; once."""
        about = kept.consents.take(demande)
        if about is None:
            return _told(login, "invalid_request")
        subject, asked = about[0], _Asked.of(about[1:])
        if reponse != "oui":
            return RedirectResponse(asked.back(error="access_denied", iss=issuer), 303)
        if asked.issuer_state and kept.states.take(asked.issuer_state) is None:
            return RedirectResponse(asked.back(error="access_denied", iss=issuer), 303)
        code = kept.logins.make(
            subject, asked.client_id, asked.redirect_uri, asked.challenge, *asked.ids
        )
        return RedirectResponse(asked.back(code=code, iss=issuer), 303)

    return router


def _read(
    members: Mapping[str, str], *, known: frozenset[str], allow_loopback: bool
) -> _Asked | str:
    """The request, or the error's code."""
    if any(len(value) > _MAX for value in members.values()):
        return "invalid_request"
    if members.get("response_type") != "code":
        return "unsupported_response_type"
    challenge = members.get("code_challenge", "")
    if members.get("code_challenge_method") != "S256" or len(challenge) != 43:  # 32 bytes
        return "invalid_request"
    client, redirect = members.get("client_id", ""), members.get("redirect_uri", "")
    if not _is_address(redirect, allow_loopback) or not _is_address(client, allow_loopback):
        return "invalid_request"
    if urlsplit(client)[:2] != urlsplit(redirect)[:2]:
        return "invalid_client"
    ids = _configurations(members)
    if not ids or not set(ids) <= known:
        return "invalid_scope"
    return _Asked(
        client, redirect, members.get("state", ""), challenge, ids, members.get("issuer_state", "")
    )


def _configurations(members: Mapping[str, str]) -> tuple[str, ...]:
    """What is asked for, by `authorization_details` or by `scope` (a configuration each)."""
    if "authorization_details" not in members:
        return tuple(dict.fromkeys(members.get("scope", "").split()))
    try:
        listed: Any = json.loads(members["authorization_details"])
    except (ValueError, RecursionError):
        return ()
    if not isinstance(listed, list) or not 0 < len(listed) <= 20:  # a short list
        return ()
    names = [
        str(item["credential_configuration_id"])
        for item in listed
        if isinstance(item, dict)
        and item.get("type") == "openid_credential"
        and isinstance(item.get("credential_configuration_id"), str)
    ]
    return tuple(dict.fromkeys(names)) if len(names) == len(listed) else ()


def _is_address(text: str, allow_loopback: bool) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and host == "localhost" and allow_loopback
    )


def _page(login: Login, asked: _Asked, titles: Sequence[str], action: str, name: str) -> str:
    who = html.escape(urlsplit(asked.redirect_uri).netloc)
    items = "".join(f"<li>{html.escape(title)}</li>" for title in titles)
    person = f"<p>{html.escape(login.person)}</p>" if login.person else ""
    return _html(
        login,
        f"{person}<p>Remettre à <strong>{who}</strong>, pour votre coffre :<br>"
        f'<span lang="en">Hand over to <strong>{who}</strong>, for your vault:</span></p>'
        f"<ul>{items}</ul>"
        f'<form method="post" action="{html.escape(action, quote=True)}">'
        f'<input type="hidden" name="demande" value="{name}">'
        '<p><button name="reponse" value="oui">Remettre · <span lang="en">Hand over</span>'
        "</button> "
        '<button name="reponse" value="non">Ne rien remettre · <span lang="en">Hand nothing over'
        "</span></button></p></form>",
    )


def _told(login: Login, code: str) -> Response:
    text = _html(
        login,
        f"<p>Cette demande n'est pas valable ({html.escape(code)}). Recommencez depuis votre "
        'coffre.</p><p lang="en">This request is not valid. Start again from your vault.</p>',
    )
    return HTMLResponse(text, status_code=400, headers=_PAGE_HEADERS)


def _html(login: Login, body: str) -> str:
    name = html.escape(login.name)
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{name}</h1>{body}</main></body></html>"
    )
