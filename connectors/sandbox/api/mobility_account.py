"""The sandbox's operator that serves the mobility account, as
`schemas/contracts/mobility-account.openapi.json` has it; `GET` of it says where everything is."""

import base64
import hashlib
import html
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Body, Form, Header, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from connectors.contract.oauth import CONTRACT, RESOURCES
from connectors.sandbox.misbehaviour import Manners, Misbehaviour, instead
from connectors.sandbox.mobility_account import (
    CODE_TERM,
    MAX_CLIENTS,
    PATH,
    TOKEN_TERM,
    Client,
    Code,
    MobilityAccount,
    Token,
    etag_of,
)
from connectors.sandbox.parties import BANNER, BANNER_EN
from connectors.sandbox.story import NETWORK_NAME, PERSON

__all__ = ["create_mobility_account_router"]

PAGE: Final = f"<!doctype html><title>{BANNER}</title><p>{BANNER}</p>"
MOST: Final = 500
"""Items of one answer."""

JsonBody = Annotated[dict[str, Any], Body()]


def create_mobility_account_router(  # one route after the other
    account: MobilityAccount, manners: Manners, *, base: str, clock: Callable[[], datetime]
) -> APIRouter:
    """Routes of one operator; `base` is its address."""
    router = APIRouter(prefix=f"/{PATH}", tags=["mobility-account"])

    def problem(status: int, code: str) -> Response:
        return JSONResponse(
            {"type": "about:blank", "status": status, "code": code},
            status_code=status,
            media_type="application/problem+json",
        )

    def oauth(code: str, status: int = 400) -> Response:
        return JSONResponse({"error": code}, status_code=status)

    def held(authorization: str, scope: str = "") -> Token | Response:
        scheme, _, secret = authorization.partition(" ")
        found = account.access.get(secret) if scheme == "Bearer" else None
        if found is None or found.client_id not in account.clients:
            return problem(401, "token-invalid")
        if clock() - found.at > TOKEN_TERM:
            return problem(401, "token-expired")
        if scope and scope not in found.scope.split():
            return problem(403, "insufficient-scope")
        return found

    def answered(good: dict[str, Any], *, known: str = "", page: bool = False) -> Response:
        """The good answer, or what was asked of `/_misbehave` for this one."""
        what = manners.next()
        if what is not None:
            other = instead(what, page=PAGE)
            if other is not None:
                return other
            if page:
                good = {**good, "items": _spoil(what, good["items"])}
        tag = etag_of(good)
        if page and known == tag:
            return Response(status_code=304, headers={"ETag": tag})
        # json.dumps lets NaN through: the connector has to cope.
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"} if page else {}
        return Response(json.dumps(good), media_type="application/json", headers=headers)

    @router.get("/.well-known/mobility-account")
    def description() -> Response:
        return JSONResponse(
            {
                "contract": CONTRACT,
                "name": NETWORK_NAME,
                "authorization_endpoint": f"{base}/oauth/authorize",
                "token_endpoint": f"{base}/oauth/token",
                "registration_endpoint": f"{base}/oauth/clients",
                "revocation_endpoint": f"{base}/oauth/revocation",
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": list(RESOURCES),
                "api": f"{base}/v1",
                "keys": [
                    {
                        "id": account.party.signer.verification_method,
                        "publicKeyMultibase": account.party.signer.public_multikey(),
                    }
                ],
            }
        )

    @router.post("/oauth/clients", status_code=201)
    def register(body: JsonBody) -> Response:
        uris = body.get("redirect_uris")
        if not isinstance(uris, list) or not uris or not body.get("client_name"):
            return oauth("invalid_client_metadata")
        with account.lock:
            while len(account.clients) >= MAX_CLIENTS:
                account.clients.pop(next(iter(account.clients)))
            made = Client(
                secrets.token_hex(16),
                secrets.token_urlsafe(24),
                secrets.token_urlsafe(24),
                str(body["client_name"])[:100],
                [str(uri) for uri in uris],
            )
            account.clients[made.id] = made
        return JSONResponse(
            {
                "client_id": made.id,
                "client_secret": made.secret,
                "client_secret_expires_at": 0,
                "registration_client_uri": f"{base}/oauth/clients/{made.id}",
                "registration_access_token": made.registration,
                "redirect_uris": made.redirect_uris,
                "client_name": made.name,
                "token_endpoint_auth_method": "client_secret_post",
            },
            status_code=201,
        )

    @router.delete("/oauth/clients/{client_id}")
    def unregister(client_id: str, authorization: Annotated[str, Header()] = "") -> Response:
        found = account.clients.get(client_id)
        if found is None or authorization != f"Bearer {found.registration}":
            return problem(401, "token-invalid")
        with account.lock:
            account.clients.pop(client_id, None)
            account.hooks.pop(client_id, None)
        return Response(status_code=204)

    @router.get("/oauth/authorize")
    def ask(
        *,
        client_id: Annotated[str, Query(max_length=100)],
        redirect_uri: Annotated[str, Query(max_length=1000)],
        state: Annotated[str, Query(min_length=1, max_length=500)],
        scope: Annotated[str, Query(max_length=500)],
        response_type: str = "",
        code_challenge: Annotated[str, Query(max_length=100)] = "",
        code_challenge_method: str = "",
    ) -> Response:
        """The page that asks the person."""
        found = account.clients.get(client_id)
        if found is None or redirect_uri not in found.redirect_uris:
            return oauth("invalid_request")
        if response_type != "code" or code_challenge_method != "S256" or len(code_challenge) != 43:
            return oauth("invalid_request")
        wanted = " ".join(name for name in RESOURCES if name in scope.split())
        code = secrets.token_urlsafe(24)
        with account.lock:
            account.codes[code] = Code(client_id, wanted, code_challenge, redirect_uri, clock())
        yes = _with(redirect_uri, {"state": state, "code": code})
        no = _with(redirect_uri, {"state": state, "error": "access_denied"})
        return HTMLResponse(_page(found.name, wanted, yes, no))

    @router.post("/oauth/token")
    def token(
        *,
        grant_type: Annotated[str, Form()],
        client_id: Annotated[str, Form(max_length=100)],
        client_secret: Annotated[str, Form(max_length=100)],
        code: Annotated[str, Form(max_length=100)] = "",
        code_verifier: Annotated[str, Form(max_length=128)] = "",
        redirect_uri: Annotated[str, Form(max_length=1000)] = "",
        refresh_token: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        client, now = account.clients.get(client_id), clock()
        if client is None or not secrets.compare_digest(client.secret, client_secret):
            return oauth("invalid_client", 401)
        if grant_type == "authorization_code":
            with account.lock:
                held = account.codes.pop(code, None)
            if held is None or held.client_id != client_id or now - held.at > CODE_TERM:
                return oauth("invalid_grant")
            if held.challenge != _challenge(code_verifier) or held.redirect_uri != redirect_uri:
                return oauth("invalid_grant")
            scope = held.scope
        elif grant_type == "refresh_token":
            with account.lock:
                known = account.refresh.get(refresh_token)
                if known is None or known.client_id != client_id:
                    return oauth("invalid_grant")
            scope = known.scope
        else:
            return oauth("unsupported_grant_type")
        used = refresh_token if grant_type == "refresh_token" else ""
        access, fresh = account.granted(client_id, scope, used=used)
        return answered(
            {
                "token_type": "Bearer",
                "access_token": access,
                "expires_in": int(TOKEN_TERM.total_seconds()),
                "refresh_token": fresh,
                "scope": scope,
            }
        )

    @router.post("/oauth/revocation")
    def revoke(
        token: Annotated[str, Form(max_length=200)],
        client_id: Annotated[str, Form(max_length=100)],
        client_secret: Annotated[str, Form(max_length=100)],
    ) -> Response:
        client = account.clients.get(client_id)
        if client is None or not secrets.compare_digest(client.secret, client_secret):
            return oauth("invalid_client", 401)
        with account.lock:
            account.refresh.pop(token, None)
            for name, found in list(account.access.items()):
                if found.client_id == client_id:
                    del account.access[name]
        return Response(status_code=200)

    @router.put("/v1/me/webhook")
    def subscribe(body: JsonBody, authorization: Annotated[str, Header()] = "") -> Response:
        found = held(authorization)
        if isinstance(found, Response):
            return found
        url, wanted = body.get("url"), body.get("resources")
        if not isinstance(url, str) or len(url) > 500 or not isinstance(wanted, list):
            return problem(422, "webhook-invalid")
        with account.lock:
            account.hooks[found.client_id] = (url, [str(name) for name in wanted])
        return Response(status_code=204)

    @router.delete("/v1/me/webhook")
    def unsubscribe(authorization: Annotated[str, Header()] = "") -> Response:
        found = held(authorization)
        if isinstance(found, Response):
            return found
        with account.lock:
            account.hooks.pop(found.client_id, None)
        return Response(status_code=204)

    @router.get("/v1/me/{resource}")
    def items(
        resource: str,
        *,
        since: Annotated[str, Query(max_length=40)] = "",
        cursor: Annotated[str, Query(max_length=100)] = "",
        limit: Annotated[int, Query(ge=1)] = 100,
        authorization: Annotated[str, Header()] = "",
        if_none_match: Annotated[str, Header(max_length=200)] = "",
    ) -> Response:
        if resource not in RESOURCES:
            return problem(404, "not-found")
        found = held(authorization, resource)
        if isinstance(found, Response):
            return found
        try:
            chosen, following = account.page(
                resource, since=since, cursor=cursor, limit=min(limit, MOST)
            )
        except ValueError:
            return problem(422, "since-invalid")
        except KeyError:
            return problem(410, "cursor-gone")
        return answered({"items": chosen, "next": following}, known=if_none_match, page=True)

    @router.post("/_change")
    def change(what: Annotated[str, Query(pattern="^(ride|cancelled|receipt)$")]) -> Response:
        """Something happens to the person, and the vaults that asked are told."""
        return JSONResponse({"told": account.change(what)})

    @router.post("/_retry")
    def retry() -> Response:
        """Tell again what was not taken and is due."""
        return JSONResponse({"told": account.retry(), "waiting": len(account.waiting)})

    return router


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _with(url: str, query: Mapping[str, str]) -> str:
    return url + ("&" if urlsplit(url).query else "?") + urlencode(query)


def _spoil(what: Misbehaviour, rows: list[Any]) -> list[Any]:
    """Good rows with one thing wrong in the first trip; the others stay good."""
    spoiled: list[Any] = json.loads(json.dumps(rows))
    if what is Misbehaviour.OUT_OF_ORDER:
        return spoiled[::-1]
    if what is Misbehaviour.TWICE:
        return [row for row in spoiled for _ in range(2)]
    if what is Misbehaviour.SKEW:
        for row in spoiled:
            row["updatedAt"] = _later(row["updatedAt"], timedelta(hours=1))
        return spoiled
    if not spoiled or "startedAt" not in spoiled[0]:
        return spoiled
    trip = spoiled[0]
    match what:
        case Misbehaviour.NAN:
            trip["distance"] = float("nan")
        case Misbehaviour.SWAPPED:
            for name in ("origin", "destination"):
                place = trip[name]
                place["lat"], place["lon"] = place["lon"], place["lat"]
        case Misbehaviour.EPOCH:
            trip["startedAt"], trip["endedAt"] = "1970-01-01T00:00:00Z", "1970-01-01T00:10:00Z"
        case Misbehaviour.FUTURE:
            for name in ("startedAt", "endedAt"):
                trip[name] = _later(trip[name], timedelta(days=3_650))
        case Misbehaviour.HOSTILE_NAMES:
            trip["timeZone"] = "../../etc/passwd"
            trip["id"] = "'; DROP TABLE trips; --" * 50
        case Misbehaviour.WRONG_TYPES:
            spoiled[0] = ["not", "an", "object"]
        case _:
            pass
    return spoiled


def _later(text: str, by: timedelta) -> str:
    moved = datetime.fromisoformat(text) + by
    return moved.isoformat(timespec="seconds").replace("+00:00", "Z")


def _page(client: str, scope: str, yes: str, no: str) -> str:
    name = html.escape(f"{PERSON.given_name} {PERSON.family_name}")
    words = {
        "trips": "trajets / trips",
        "passes": "abonnements / passes",
        "receipts": "factures / receipts",
    }
    rows = "".join(f"<li>{words[name]}</li>" for name in scope.split())
    return (
        '<!doctype html><html lang="fr"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(NETWORK_NAME)} — {BANNER}</title><main>"
        f'<p role=note><strong>{BANNER}</strong><br><span lang="en">{BANNER_EN}</span></p>'
        f"<h1>{html.escape(NETWORK_NAME)} : compte de {name}</h1>"
        f"<p>{html.escape(client)} demande à lire / asks to read :</p><ul>{rows}</ul>"
        f'<p><a href="{html.escape(yes, quote=True)}">Accepter / Accept</a></p>'
        f'<p><a href="{html.escape(no, quote=True)}">Refuser / Refuse</a></p></main></html>'
    )
