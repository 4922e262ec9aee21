"""A fictitious car-sharing service on the web that asks for the passport: sign in, open an account,
read again later, sign out, and be told the end. Its accounts live in memory.

As a member of the registry it registers itself at the home the first time. `defaut` makes it
misbehave: `pkce` (asks without), `adresse` (another way back), `code` (exchanges a code twice),
`jeton` (uses a refresh token twice).
"""

import html
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Cookie, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.requests import Request

from connectors.elsewhere.relying_party import Begun, ProviderRefusedError, RelyingParty
from connectors.http import source_client
from connectors.sandbox.parties import BANNER, BANNER_EN, Party
from federation.wire.http import BoundedClient
from federation.wire.signatures import new_nonce, sign
from schemas.errors import MobilityError

__all__ = ["create_service_router"]

NAME: Final = "Autopartage de démonstration"
PURPOSE: Final = "Ouvrir votre compte et vous louer une voiture."
SIGN_IN: Final = "openid identite"
OPEN: Final = (
    "openid urn:cms:identity:read urn:cms:personal-information:read urn:cms:driving-licence:read "
    "offline_access"
)
WAYS: Final[Mapping[str, str]] = {"connexion": SIGN_IN, "compte": OPEN}
COOKIE: Final = "autopartage"
MAX_HELD: Final = 500
MAX_ANSWER: Final = 500_000


@dataclass
class _Visit:
    """One browser's visit."""

    begun: Begun | None = None
    fault: str = ""
    subject: str = ""
    id_token: str = ""
    refresh_token: str = ""


@dataclass
class _Site:
    """What the service remembers."""

    party: RelyingParty | None = None
    visits: dict[str, _Visit] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Pseudonym → claims as last read."""
    ended: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, name: str) -> tuple[str, _Visit]:
        with self.lock:
            if name not in self.visits:
                name = secrets.token_urlsafe(24)
                while len(self.visits) >= MAX_HELD:
                    self.visits.pop(next(iter(self.visits)))
                self.visits[name] = _Visit()
            return name, self.visits[name]


def create_service_router(
    party: Party,
    *,
    base: str,
    home: str,
    secret: bytes,
    clock: Callable[[], datetime],
    allow_loopback: bool,
) -> APIRouter:
    """Routes below `base`'s path, towards the passport of `home`."""
    path = urlsplit(base).path
    router = APIRouter(prefix=path, tags=["service"])
    site = _Site()
    redirect_uri = f"{base}/retour"

    def client() -> BoundedClient:
        return source_client(allow_loopback=allow_loopback)

    def known(http: BoundedClient) -> RelyingParty:
        """The service, registered at the home."""
        with site.lock:
            if site.party is not None:
                return site.party
        metadata = http.get_json(f"{home}/.well-known/openid-configuration")
        made = RelyingParty.make(str(party.did), redirect_uri, metadata, secret=secret)
        body = json.dumps(
            made.description(
                name=NAME,
                purpose=PURPOSE,
                scope=" ".join(dict.fromkeys(f"{SIGN_IN} {OPEN}".split())),
                post_logout_redirect_uris=[f"{base}/sorti"],
                backchannel_logout_uri=f"{base}/fin",
                initiate_login_uri=f"{base}/ouvrir",
            )
        ).encode()
        url = str(metadata["registration_endpoint"])
        headers = sign(
            method="POST",
            url=url,
            body=body,
            signer=party.signer,
            created=clock(),
            nonce=new_nonce(),
        )
        http.post(url, body=body, content_type="application/json", headers=headers, statuses=(201,))
        with site.lock:
            site.party = made
        return made

    def keys(http: BoundedClient, service: RelyingParty) -> Mapping[str, Any]:
        found: Mapping[str, Any] = http.get_json(str(service.metadata["jwks_uri"]))
        return found

    def token(
        http: BoundedClient, service: RelyingParty, form: dict[str, str]
    ) -> Mapping[str, Any]:
        proof = service.proof("token_endpoint", method="POST", at=clock())
        answer = http.post(
            str(service.metadata["token_endpoint"]),
            form=form,
            headers={"DPoP": proof},
            statuses=(200, 400, 401),
        )
        found: Mapping[str, Any] = answer.json()
        if answer.status != 200:
            raise ProviderRefusedError(str(found.get("error")))
        return found

    def read(http: BoundedClient, service: RelyingParty, access: str, subject: str) -> None:
        proof = service.proof("userinfo_endpoint", method="GET", at=clock(), access_token=access)
        answer = http.get(
            str(service.metadata["userinfo_endpoint"]),
            headers={"Authorization": f"DPoP {access}", "DPoP": proof},
            accept=("application/jwt",),
            max_bytes=MAX_ANSWER,
        )
        claims = service.read_claims(answer.body, keys(http, service), subject=subject).values
        with site.lock:
            while len(site.accounts) >= MAX_HELD:
                site.accounts.pop(next(iter(site.accounts)))
            site.accounts[subject] = dict(claims)

    def answer(page: Response, name: str) -> Response:
        page.set_cookie(COOKIE, name, httponly=True, samesite="lax", path=path)
        page.headers["Cache-Control"] = "no-store"
        return page

    @router.get("")
    def home_page(visite: Annotated[str, Cookie(alias=COOKIE)] = "") -> Response:
        """Who is signed in, and what can be done."""
        name, visit = site.visit(visite)
        claims = site.accounts.get(visit.subject)
        return answer(HTMLResponse(_page(path, visit, claims)), name)

    @router.get("/aller")
    def leave(
        pour: Annotated[str, Query(max_length=20)] = "connexion",
        defaut: Annotated[str, Query(max_length=20)] = "",
        visite: Annotated[str, Cookie(alias=COOKIE)] = "",
    ) -> Response:
        """To the home."""
        name, visit = site.visit(visite)
        try:
            with client() as http:
                service = known(http)
        except MobilityError as error:
            return answer(HTMLResponse(_failed(path, error.code), status_code=502), name)
        url, visit.begun = service.begin(WAYS.get(pour, SIGN_IN))
        visit.fault = defaut
        return answer(RedirectResponse(_spoiled(url, defaut), status_code=303), name)

    @router.get("/ouvrir")
    def initiated(
        iss: Annotated[str, Query(max_length=500)],
        target_link_uri: Annotated[str, Query(max_length=500)] = "",  # noqa: ARG001 - one page
    ) -> Response:
        """The home sends somebody who wants an account (OpenID Connect Core §4)."""
        if iss != home:
            return HTMLResponse(_failed(path, "unknown-provider"), status_code=400)
        return RedirectResponse(f"{base}/aller?pour=compte", status_code=303)

    @router.get("/retour")
    def back(request: Request, visite: Annotated[str, Cookie(alias=COOKIE)] = "") -> Response:
        """The browser is back: exchange, verify, read."""
        name, visit = site.visit(visite)
        begun, visit.begun = visit.begun, None
        if begun is None:
            return answer(HTMLResponse(_failed(path, "login-unknown"), status_code=400), name)
        try:
            with client() as http:
                service = known(http)
                code = service.code_of(begun, dict(request.query_params))
                tokens = token(http, service, service.code_form(code, begun, at=clock()))
                identity = service.read_id_token(
                    str(tokens["id_token"]), keys(http, service), nonce=begun.nonce, at=clock()
                )
                if visit.fault == "code":
                    token(http, service, service.code_form(code, begun, at=clock()))
                visit.subject, visit.id_token = str(identity["sub"]), str(tokens["id_token"])
                visit.refresh_token = str(tokens.get("refresh_token", ""))
                read(http, service, str(tokens["access_token"]), visit.subject)
        except (MobilityError, KeyError) as error:
            return answer(HTMLResponse(_failed(path, _code(error)), status_code=400), name)
        return answer(RedirectResponse(base, status_code=303), name)

    @router.post("/relire")
    def again(
        defaut: Annotated[str, Form(max_length=20)] = "",
        visite: Annotated[str, Cookie(alias=COOKIE)] = "",
    ) -> Response:
        """Read again, with what was kept."""
        name, visit = site.visit(visite)
        try:
            with client() as http:
                service, used = known(http), visit.refresh_token
                tokens = token(http, service, service.refresh_form(used, at=clock()))
                visit.refresh_token = str(tokens["refresh_token"])
                if defaut == "jeton":
                    token(http, service, service.refresh_form(used, at=clock()))
                read(http, service, str(tokens["access_token"]), visit.subject)
        except (MobilityError, KeyError) as error:
            return answer(HTMLResponse(_failed(path, _code(error)), status_code=400), name)
        return answer(RedirectResponse(base, status_code=303), name)

    @router.post("/quitter")
    def sign_out(visite: Annotated[str, Cookie(alias=COOKIE)] = "") -> Response:
        """Sign out here, and tell the home (RP-Initiated Logout)."""
        name, visit = site.visit(visite)
        hint, visit.subject, visit.id_token = visit.id_token, "", ""
        service = site.party
        if service is None or not hint:
            return answer(RedirectResponse(base, status_code=303), name)
        query = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": f"{base}/sorti"})
        url = f"{service.metadata['end_session_endpoint']}?{query}"
        return answer(RedirectResponse(url, status_code=303), name)

    @router.get("/sorti")
    def out() -> Response:
        return HTMLResponse(_html("<h1>Au revoir · <span lang=en>Good bye</span></h1>"))

    @router.post("/fin")
    def told(logout_token: Annotated[str, Form(max_length=8_000)]) -> Response:
        """The home says that somebody ended the connection (Back-Channel Logout)."""
        try:
            with client() as http:
                service = known(http)
                claims = service.read_logout(logout_token, keys(http, service), at=clock())
        except (MobilityError, KeyError, ValueError):
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        subject = str(claims.get("sub"))
        with site.lock:
            site.accounts.pop(subject, None)
            site.ended = [*site.ended[-MAX_HELD:], subject]
            for visit in site.visits.values():
                if visit.subject == subject:
                    visit.subject = visit.id_token = visit.refresh_token = ""
        return Response(status_code=200, headers={"Cache-Control": "no-store"})

    @router.get("/_etat")
    def state() -> dict[str, Any]:
        """For the walk: the pseudonyms it knows, and those that ended."""
        with site.lock:
            return {"accounts": sorted(site.accounts), "ended": list(site.ended)}

    return router


def _code(error: Exception) -> str:
    if isinstance(error, ProviderRefusedError):
        return str(error)
    return getattr(error, "code", "incomplete")


def _spoiled(url: str, fault: str) -> str:
    """The address, wrong in one way."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if fault == "pkce":
        query = {k: v for k, v in query.items() if not k.startswith("code_challenge")}
    elif fault == "adresse":
        query["redirect_uri"] += "/ailleurs"
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def _html(body: str) -> str:
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{NAME}</title></head><body><main><p role=note><strong>{BANNER}</strong><br>"
        f'<span lang="en">{BANNER_EN}</span></p>{body}</main></body></html>'
    )


def _failed(path: str, code: str) -> str:
    return _html(
        f"<h1>{NAME}</h1><p>Rien n'a été ouvert · <span lang=en>Nothing was opened</span> "
        f'(<code>{html.escape(code)}</code>)</p><p><a href="{path}">Retour · '
        "<span lang=en>Back</span></a></p>"
    )


def _page(path: str, visit: _Visit, claims: Mapping[str, Any] | None) -> str:
    if claims is None:
        return _html(
            f"<h1>{NAME}</h1><ul>"
            f'<li><a href="{path}/aller?pour=connexion">Continuer avec mon coffre de mobilité · '
            "<span lang=en>Continue with my mobility vault</span></a></li>"
            f'<li><a href="{path}/aller?pour=compte">Ouvrir un compte avec mon coffre · '
            "<span lang=en>Open an account with my vault</span></a></li></ul>"
        )
    shown = html.escape(json.dumps(claims, ensure_ascii=False, indent=1))
    more = (
        f'<form method="post" action="{path}/relire"><button>Relire · <span lang=en>Read again'
        "</span></button></form>"
        if visit.refresh_token
        else ""
    )
    return _html(
        f"<h1>{NAME}</h1><p>Compte ouvert · <span lang=en>Account open</span></p>"
        f"<pre>{shown}</pre>{more}"
        f'<form method="post" action="{path}/quitter"><button>Se déconnecter · <span lang=en>'
        "Sign out</span></button></form>"
    )
