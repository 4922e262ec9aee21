"""An OpenID provider with fictitious people: code flow with PKCE, userinfo as a signed JWT
(ES256), eIDAS level. With `registrations` it admits only clients on file, asks their secret,
signs RS256, encrypts userinfo to their key and sends the browser back after a logout.

The shape is that of national identity federations (userinfo as `application/jwt`, `acr` eidas1 to
eidas3, pivot claims); no name is borrowed. Without registrations, client ids are the https (or
loopback) address of a home; only its own addresses are accepted as redirect_uri.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Header, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from connectors.sandbox.api.registrations import RegistrationRequest, Registrations
from connectors.sandbox.parties import BANNER, BANNER_EN, Party
from connectors.sandbox.story import PERSON, Person
from federation.jose import sign_jws
from federation.multibase import EncodingError, b64url_decode

CODE_TERM: Final = timedelta(seconds=60)
TOKEN_TERM: Final = timedelta(minutes=5)
LEVELS: Final = ("eidas1", "eidas2", "eidas3")
MAX_HELD: Final = 1_000
CLAIMS: Final = (
    "given_name",
    "family_name",
    "birthdate",
    "gender",
    "birthplace",
    "birthcountry",
    "email",
)


@dataclass(frozen=True, slots=True)
class _Login:
    client_id: str
    redirect_uri: str
    nonce: str
    challenge: str
    level: str
    at: datetime
    scopes: frozenset[str] = frozenset()


class _Held:
    """Codes and access tokens, once each, forgotten in time."""

    def __init__(self) -> None:
        self._held: dict[str, _Login] = {}
        self._lock = threading.Lock()

    def put(self, login: _Login) -> str:
        name = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._held) >= MAX_HELD:
                self._held.pop(next(iter(self._held)))
            self._held[name] = login
        return name

    def take(self, name: str) -> _Login | None:
        with self._lock:
            return self._held.pop(name, None)

    def look(self, name: str) -> _Login | None:
        with self._lock:
            return self._held.get(name)


def pairwise(client_id: str, person: Person) -> str:
    """`sub`: another one for each client, as pivot federations do."""
    return hashlib.sha256(f"{client_id}\n{person.subject}".encode()).hexdigest()


def create_identity_router(
    party: Party,
    *,
    issuer: str,
    clock: Callable[[], datetime],
    person: Person = PERSON,
    registrations: Registrations | None = None,
) -> APIRouter:
    """Routes of the provider below `issuer`."""
    router = APIRouter(prefix="/" + issuer.rsplit("/", 1)[-1], tags=["identity"])
    codes, tokens = _Held(), _Held()
    algorithm = "ES256" if registrations is None else "RS256"

    def signed(client_id: str, claims: dict[str, Any], *, encrypted: bool = False) -> str:
        if registrations is not None:
            return registrations.token(client_id, claims, encrypted=encrypted)
        return sign_jws(claims, party.signer, typ="JWT", kid="1")

    def admits(client_id: str, redirect_uri: str) -> bool:
        if registrations is None:
            return _is_own(client_id, redirect_uri)
        client = registrations.get(client_id)
        return client is not None and redirect_uri in client.redirect_uris

    if registrations is not None:

        @router.post("/clients", status_code=201)
        def register(asked: RegistrationRequest) -> dict[str, str]:
            client_id, secret = registrations.add(asked)
            return {"client_id": client_id, "client_secret": secret}

    def error(code: str, status: int = 400) -> Response:
        return JSONResponse({"error": code}, status_code=status)

    @router.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/session/end",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": [algorithm],
            "userinfo_signing_alg_values_supported": [algorithm],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [
                "none" if registrations is None else "client_secret_post"
            ],
            "acr_values_supported": list(LEVELS),
            "scopes_supported": ["openid", "identite_pivot", "email"],
            "claims_supported": ["sub", *CLAIMS],
        }

    @router.get("/jwks")
    def jwks() -> dict[str, Any]:
        key = {**party.public.jwk(), "kid": "1", "use": "sig", "alg": "ES256"}
        return {"keys": [key if registrations is None else registrations.signer.jwk()]}

    @router.get("/authorize")
    def authorize(
        *,
        client_id: Annotated[str, Query(max_length=500)],
        redirect_uri: Annotated[str, Query(max_length=1000)],
        state: Annotated[str, Query(max_length=500)],
        nonce: Annotated[str, Query(max_length=500)],
        code_challenge: Annotated[str, Query(min_length=43, max_length=43)],
        response_type: str = "code",
        code_challenge_method: str = "",
        scope: str = "openid",
        acr_values: str = "eidas1",
        prompt: str = "",
    ) -> Response:
        """The login page. `prompt=none` logs the one fictitious person in at once."""
        if not admits(client_id, redirect_uri):
            return error("invalid_redirect_uri")
        level = acr_values.split(" ", 1)[0]
        wrong = (
            response_type != "code"
            or code_challenge_method != "S256"
            or "openid" not in scope.split()
            or level not in LEVELS
        )
        if wrong:
            answer = {"error": "invalid_request", "state": state, "iss": issuer}
            return RedirectResponse(_with(redirect_uri, answer), status_code=302)
        login = _Login(
            client_id, redirect_uri, nonce, code_challenge, level, clock(), frozenset(scope.split())
        )
        target = _with(redirect_uri, {"code": codes.put(login), "state": state, "iss": issuer})
        if prompt == "none":
            return RedirectResponse(target, status_code=302)
        return HTMLResponse(_login_page(person, target, level))

    @router.post("/token")
    def token(
        *,
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form(max_length=200)],
        redirect_uri: Annotated[str, Form(max_length=1000)],
        client_id: Annotated[str, Form(max_length=500)],
        code_verifier: Annotated[str, Form(min_length=43, max_length=128)],
        client_secret: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        now = clock()
        if registrations is not None:
            client = registrations.get(client_id)
            if client is None or not secrets.compare_digest(client.secret, client_secret):
                return error("invalid_client", 401)
        login = codes.take(code)
        if grant_type != "authorization_code":
            return error("unsupported_grant_type")
        if (
            login is None
            or now - login.at > CODE_TERM
            or (login.client_id, login.redirect_uri) != (client_id, redirect_uri)
            or not secrets.compare_digest(_challenge(code_verifier), login.challenge)
        ):
            return error("invalid_grant")
        access = tokens.put(replace(login, challenge="", at=now))
        claims = {
            "iss": issuer,
            "sub": pairwise(client_id, person),
            "aud": client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_TERM).timestamp()),
            "auth_time": int(login.at.timestamp()),
            "nonce": login.nonce,
            "acr": login.level,
        }
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": int(TOKEN_TERM.total_seconds()),
                "id_token": signed(client_id, claims),
            },
            headers={"Cache-Control": "no-store"},
        )

    def bearer(authorization: str, now: datetime) -> _Login | None:
        scheme, _, access = authorization.partition(" ")
        login = tokens.look(access) if scheme.lower() == "bearer" else None
        return None if login is None or now - login.at > TOKEN_TERM else login

    if registrations is not None:

        @router.get("/v3/{service}/{right}/france_connect")
        def entitlement(
            service: str,
            right: str,
            recipient: Annotated[str, Query(pattern=r"^[0-9]{14}$")],  # noqa: ARG001  # asked for
            authorization: Annotated[str, Header()] = "",
        ) -> Response:
            """A right of the fictitious person, in the shape of the State's interface."""
            now = clock()
            login = bearer(authorization, now)
            scope, data = RIGHTS.get(f"{service}/{right}", ("", lambda _today: None))
            if login is None:
                return problem("00101", "Jeton invalide", 401)
            if scope not in login.scopes:
                return problem("00100", "Privilèges insuffisants", 403)
            found = data(now.date())
            if found is None:
                return problem("25003", "Entité non trouvée", 404)
            return JSONResponse({"data": found, "links": {}, "meta": {}})

    @router.get("/userinfo")
    def userinfo(authorization: Annotated[str, Header()] = "") -> Response:
        now = clock()
        login = bearer(authorization, now)
        if login is None:
            return error("invalid_token", 401)
        claims = {
            "iss": issuer,
            "aud": login.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_TERM).timestamp()),
            "sub": pairwise(login.client_id, person),
            "acr": login.level,
            **{name: getattr(person, name) for name in CLAIMS},
        }
        text = signed(login.client_id, claims, encrypted=True)
        return Response(text, media_type="application/jwt")

    @router.get("/session/end")
    def logout(
        post_logout_redirect_uri: str = "", state: str = "", id_token_hint: str = ""
    ) -> Response:
        """Nothing is kept here: say so, and offer the way back. To an address on file the browser
        goes by itself."""
        back = ""
        if registrations is not None:
            client = registrations.get(_audience(id_token_hint))
            if client is None or post_logout_redirect_uri not in client.post_logout:
                return error("invalid_request")
            to = _with(post_logout_redirect_uri, {"state": state})
            return RedirectResponse(to, status_code=302)
        if _is_address(post_logout_redirect_uri):
            href = html.escape(_with(post_logout_redirect_uri, {"state": state}), quote=True)
            back = f'<p><a href="{href}">Continuer / Continue</a></p>'
        return HTMLResponse(f"<!doctype html><title>{BANNER}</title><p>{BANNER}</p>{back}")

    return router


def problem(code: str, title: str, status: int) -> Response:
    """An error as the State's interface writes it."""
    found: dict[str, Any] = {
        "code": code,
        "title": title,
        "detail": title,
        "source": None,
        "meta": {},
    }
    return JSONResponse({"errors": [found]}, status_code=status)


def _enrolment(today: date) -> dict[str, Any]:
    return {
        "admissions": [
            {
                "date_debut": f"{today.year - 1}-09-01",
                "date_fin": f"{today.year + 1}-08-31",
                "est_inscrit": True,
                "regime_formation": {"libelle": "formation continue", "code": "RF2"},
                "code_cog_insee_commune": "11069",
                "etablissement_etudes": {"uai": "0119999Z", "nom": "École fictive"},
            }
        ]
    }


def _family(today: date) -> dict[str, Any]:
    return {
        "allocataires": [],
        "enfants": [],
        "quotient_familial": {
            "fournisseur": "CNAF",
            "valeur": 847,
            "annee": today.year,
            "mois": today.month,
            "annee_calcul": today.year,
            "mois_calcul": today.month,
        },
    }


RIGHTS: Final[Mapping[str, tuple[str, Callable[[date], dict[str, Any] | None]]]] = {
    "mesri/statut_etudiant": ("mesri_admissions", _enrolment),
    "dss/quotient_familial": ("cnaf_quotient_familial", _family),
}


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _audience(id_token: str) -> str:
    """Whom a token of ours was made for; a hint, so its signature counts for nothing."""
    try:
        claims = json.loads(b64url_decode(id_token.split(".")[1]))
        return str(claims["aud"])
    except (EncodingError, IndexError, KeyError, TypeError, ValueError):
        return ""


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and loopback)
    )


def _is_own(client_id: str, redirect_uri: str) -> bool:
    """Whether `redirect_uri` lies on the origin that `client_id` names."""
    one, other = urlsplit(client_id), urlsplit(redirect_uri)
    return (
        _is_address(client_id)
        and _is_address(redirect_uri)
        and (one.scheme, one.netloc) == (other.scheme, other.netloc)
        and not other.fragment
    )


def _with(url: str, query: dict[str, str]) -> str:
    return url + ("&" if "?" in url else "?") + urlencode(query)


def _login_page(person: Person, target: str, level: str) -> str:
    name = html.escape(f"{person.given_name} {person.family_name}")
    href = html.escape(target, quote=True)
    return (
        '<!doctype html><html lang="fr"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Connexion — {BANNER}</title><main><p role=note><strong>{BANNER}</strong><br>"
        f'<span lang="en">{BANNER_EN}</span></p><h1>Se connecter / Sign in</h1>'
        f"<p>Niveau / level : {html.escape(level)}</p>"
        f'<p><a href="{href}">Continuer comme / continue as {name}</a></p></main></html>'
    )


__all__ = ["create_identity_router", "pairwise"]
