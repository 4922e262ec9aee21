"""A fictitious mobility agency at which somebody has an account: an OpenID provider of the plain
kind, with clients that register themselves, secrets, bearer tokens and claims in clear, in the
words of the French mobility account standard. Its grants live in memory.

`refus=1` on its page is the person's no. What it says is the story's person, a child of theirs
whose pass they pay, and one telephone number that is none.
"""

# ruff: noqa: PLR0917 - a route's parameters are its query's or its form's

import base64
import hashlib
import html
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import unquote_plus, urlencode

from fastapi import APIRouter, Body, Form, Header, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from connectors.sandbox.parties import BANNER, BANNER_EN
from connectors.sandbox.story import NETWORK_NAME, PERSON
from federation.jose import sign_jws
from federation.keys import P256Key

__all__ = ["PATH", "create_agency_router"]

PATH: Final = "agence"
NAME: Final = "Agence de mobilité de démonstration"
SOURCE: Final = "agence.bac-a-sable.invalid"
SCOPES: Final = {
    "urn:cms:identity:read": "identity",
    "urn:cms:personal-information:read": "personalInformation",
    "urn:cms:favorites:read": "favorites",
    "urn:cms:fr-mesri-information:read": "frMesriInformation",
    "voyageurs": "travellers",
}
GRANTED: Final = frozenset({"openid", "offline_access", *SCOPES})
TERM: Final = timedelta(minutes=10)
MAX_HELD: Final = 1_000
_BASIC: Final = "client_secret_basic"


@dataclass(slots=True)
class _Client:
    id: str
    secret: str
    registration: str
    redirect_uris: list[str]


@dataclass(frozen=True, slots=True)
class _Grant:
    client: str
    scope: str
    redirect_uri: str
    nonce: str
    challenge: str
    at: datetime


@dataclass
class _Agency:
    clients: dict[str, _Client] = field(default_factory=dict)
    codes: dict[str, _Grant] = field(default_factory=dict)
    access: dict[str, _Grant] = field(default_factory=dict)
    refresh: dict[str, _Grant] = field(default_factory=dict)
    revoked: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, held: dict[str, Any], name: str, value: Any) -> None:
        with self.lock:
            while len(held) >= MAX_HELD:
                held.pop(next(iter(held)))
            held[name] = value


def create_agency_router(*, issuer: str, secret: bytes, clock: Callable[[], datetime]) -> APIRouter:
    """Routes of one agency, below `issuer`."""
    router = APIRouter(prefix=f"/{PATH}", tags=["agency"])
    agency = _Agency()
    key = P256Key.from_private_bytes(hashlib.sha256(b"agence\x00" + secret).digest())
    subject = hashlib.sha256(b"agence/personne\x00" + secret).hexdigest()[:24]

    def refused(error: str, status: int = 400) -> Response:
        return JSONResponse({"error": error}, status_code=status)

    def client_of(authorization: str) -> _Client | None:
        try:
            scheme, _, coded = authorization.partition(" ")
            id_, _, given = base64.b64decode(coded).decode().partition(":")
        except ValueError:
            return None
        found = agency.clients.get(unquote_plus(id_))
        if scheme != "Basic" or found is None:
            return None
        return found if secrets.compare_digest(unquote_plus(given), found.secret) else None

    @router.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/autoriser",
            "token_endpoint": f"{issuer}/jeton",
            "userinfo_endpoint": f"{issuer}/moi",
            "jwks_uri": f"{issuer}/cles",
            "registration_endpoint": f"{issuer}/clients",
            "revocation_endpoint": f"{issuer}/revoquer",
            "scopes_supported": ["openid", *SCOPES, "offline_access"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": [_BASIC],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    @router.get("/cles")
    def keys() -> dict[str, Any]:
        return {"keys": [{**key.public.jwk(), "kid": "1", "use": "sig", "alg": "ES256"}]}

    @router.post("/clients", status_code=201)
    def register(asked: Annotated[dict[str, Any], Body()]) -> Response:
        """RFC 7591: anybody."""
        redirects = asked.get("redirect_uris")
        if not isinstance(redirects, list) or not redirects:
            return refused("invalid_redirect_uri")
        made = _Client(
            secrets.token_urlsafe(12),
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(24),
            [str(uri) for uri in redirects],
        )
        agency.put(agency.clients, made.id, made)
        return JSONResponse(
            {
                **asked,
                "client_id": made.id,
                "client_secret": made.secret,
                "client_secret_expires_at": 0,
                "token_endpoint_auth_method": _BASIC,
                "registration_client_uri": f"{issuer}/clients/{made.id}",
                "registration_access_token": made.registration,
            },
            status_code=201,
        )

    @router.delete("/clients/{client_id}", status_code=204)
    def unregister(client_id: str, authorization: Annotated[str, Header()] = "") -> Response:
        """RFC 7592 §2.3."""
        with agency.lock:
            found = agency.clients.get(client_id)
            if found is None or authorization != f"Bearer {found.registration}":
                return refused("invalid_token", 401)
            del agency.clients[client_id]
        return Response(status_code=204)

    @router.get("/autoriser")
    def authorize(
        client_id: Annotated[str, Query(max_length=200)],
        redirect_uri: Annotated[str, Query(max_length=1_000)],
        scope: Annotated[str, Query(max_length=1_000)],
        state: Annotated[str, Query(max_length=500)],
        code_challenge: Annotated[str, Query(max_length=200)],
        nonce: Annotated[str, Query(max_length=500)] = "",
        code_challenge_method: Annotated[str, Query(max_length=10)] = "",
        oui: Annotated[str, Query(max_length=1)] = "",
        refus: Annotated[str, Query(max_length=1)] = "",
    ) -> Response:
        """Its page, signed in as the story's person; then back with a code."""
        client = agency.clients.get(client_id)
        if (
            client is None
            or redirect_uri not in client.redirect_uris
            or code_challenge_method != "S256"
        ):
            return HTMLResponse(_html("<p>Demande inconnue · Unknown request</p>"), status_code=400)

        def back(**members: str) -> Response:
            query = urlencode({**members, "state": state, "iss": issuer})
            return RedirectResponse(f"{redirect_uri}?{query}", status_code=303)

        if refus:
            return back(error="access_denied")
        if oui:
            code = secrets.token_urlsafe(24)
            granted = " ".join(
                s for s in scope.split() if s in {"openid", "offline_access", *SCOPES}
            )
            grant = _Grant(client_id, granted, redirect_uri, nonce, code_challenge, clock())
            agency.put(agency.codes, code, grant)
            return back(code=code)
        query = urlencode(
            {
                "client_id": client_id,
                "redirect_uri": redirect_uri,
                "scope": scope,
                "state": state,
                "nonce": nonce,
                "code_challenge": code_challenge,
                "code_challenge_method": "S256",
            }
        )
        return HTMLResponse(_page(html.escape(query), scope))

    def tokens(grant: _Grant, *, nonce: str = "") -> Response:
        at = clock()
        access = secrets.token_urlsafe(24)
        grant = replace(grant, at=at)
        agency.put(agency.access, access, grant)
        now = int(at.timestamp())
        claims = {
            "iss": issuer,
            "sub": subject,
            "aud": grant.client,
            "iat": now,
            "exp": now + 300,
            **({"nonce": nonce} if nonce else {}),
        }
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(TERM.total_seconds()),
            "scope": grant.scope,
            "id_token": sign_jws(claims, key.signer(), typ="JWT", kid="1"),
        }
        if "offline_access" in grant.scope.split():
            answer["refresh_token"] = secrets.token_urlsafe(24)
            agency.put(agency.refresh, answer["refresh_token"], grant)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    @router.post("/jeton")
    def token(
        grant_type: Annotated[str, Form(max_length=50)],
        code: Annotated[str, Form(max_length=200)] = "",
        redirect_uri: Annotated[str, Form(max_length=1_000)] = "",
        code_verifier: Annotated[str, Form(max_length=200)] = "",
        refresh_token: Annotated[str, Form(max_length=200)] = "",
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        """A code, once, with its verifier; a refresh token, once, for the next."""
        client = client_of(authorization)
        if client is None:
            return refused("invalid_client", 401)
        with agency.lock:
            held = agency.codes if grant_type == "authorization_code" else agency.refresh
            grant = held.pop(code or refresh_token, None)
        if grant is None or grant.client != client.id:
            return refused("invalid_grant")
        if grant_type == "refresh_token":
            return tokens(grant)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            challenge != grant.challenge
            or redirect_uri != grant.redirect_uri
            or clock() - grant.at > TERM
        ):
            return refused("invalid_grant")
        return tokens(grant, nonce=grant.nonce)

    @router.post("/revoquer")
    def revoke(
        token: Annotated[str, Form(max_length=200)],
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        """RFC 7009."""
        client = client_of(authorization)
        if client is None:
            return refused("invalid_client", 401)
        with agency.lock:
            for held in (agency.access, agency.refresh):
                if (found := held.get(token)) is not None and found.client == client.id:
                    del held[token]
                    agency.revoked += 1
            mine = [name for name, g in agency.access.items() if g.client == client.id]
            for name in mine:
                del agency.access[name]
        return Response(status_code=200)

    @router.get("/moi")
    def userinfo(authorization: Annotated[str, Header()] = "") -> Response:
        """What the agency knows, of what was granted."""
        grant = agency.access.get(authorization.removeprefix("Bearer "))
        if grant is None or clock() - grant.at > TERM:
            return refused("invalid_token", 401)
        known = _claims(clock())
        claims = {
            name: known[name]
            for scope, name in SCOPES.items()
            if scope in grant.scope.split() and name in known
        }
        return JSONResponse({"sub": subject, **claims})

    @router.get("/_etat")
    def state() -> dict[str, int]:
        """For the walk: what is still held here."""
        with agency.lock:
            return {
                "clients": len(agency.clients),
                "access": len(agency.access),
                "refresh": len(agency.refresh),
                "revoked": agency.revoked,
            }

    return router


def _claims(at: datetime) -> dict[str, Any]:
    """The story's person, as an agency that asked them wrote it down."""

    def said(value: Any, **more: Any) -> dict[str, Any]:
        return {"value": value, "source": SOURCE, **more}

    first = at.date().replace(day=1)
    person = f"{PERSON.given_name} {PERSON.family_name}"
    return {
        "identity": {
            "lastName": said(PERSON.family_name),
            "firstName": said(PERSON.given_name),
            "birthDate": said(PERSON.birthdate),
        },
        "personalInformation": {
            "email": said("camille@courriel.invalid"),
            "primaryPhoneNumber": said("pas un numéro"),
            "primaryPostalAddress": said(
                {"line1": person[:38], "line4": "12 QUAI DU CANAL", "line6": "11800 TREBES"}
            ),
        },
        "favorites": {"transportationModes": ["bicycle", "bus", "funicular"]},
        "frMesriInformation": {"student": said(False)},
        "travellers": [
            {
                "network": NETWORK_NAME,
                "product": "Abonnement scolaire",
                "validFrom": first.isoformat(),
                "validUntil": (first + timedelta(days=300)).isoformat(),
                "holder": f"Lou {PERSON.family_name}",
                "payer": person,
            }
        ],
    }


def _html(body: str) -> str:
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{NAME}</title></head><body><main><h1>{NAME}</h1><p role=note><strong>{BANNER}"
        f'</strong><br><span lang="en">{BANNER_EN}</span></p>{body}</main></body></html>'
    )


def _page(query: str, scope: str) -> str:
    asked = "".join(f"<li><code>{html.escape(s)}</code></li>" for s in scope.split())
    return _html(
        f"<p>« Coffre de mobilité » veut lire votre compte · <span lang=en>wants to read your "
        f"account</span></p><ul>{asked}</ul>"
        f'<p><a href="?{query}&amp;oui=1">Accepter · <span lang=en>Accept</span></a></p>'
        f'<p><a href="?{query}&amp;refus=1">Refuser · <span lang=en>Refuse</span></a></p>'
    )
