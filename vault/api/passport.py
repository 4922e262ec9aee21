"""The passport's addresses for services: discovery, keys, tokens, claims. OpenID Connect speaks its
own errors here (RFC 6749 §5.2, RFC 6750 §3), not problem documents."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response

from federation.wire.errors import SignatureRefusedError
from vault.api.deps import BodyDep, HomeDep
from vault.passport.errors import AccessRefusedError, ServiceInvalidError
from vault.passport.protocol import Reply
from vault.passport.registration import register_member

router = APIRouter(tags=["passport"])

FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _form(request: Request, body: bytes) -> list[tuple[str, str]]:
    """The members of a form, in order, twice if they are twice; none of another media type."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return []
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=60)
    except ValueError:
        return []


def _answer(reply: Reply) -> JSONResponse:
    headers = {
        name: value for name, value in reply.headers if name.lower() not in ("content-type",)
    }
    return JSONResponse(
        dict(reply.body), status_code=reply.status, headers={**headers, **_NO_STORE}
    )


@router.get("/.well-known/openid-configuration")
def discovery(home: HomeDep) -> dict[str, Any]:
    """What this provider speaks (OpenID Connect Discovery 1.0 §3)."""
    return home.passport.metadata()


@router.get("/v1/passport/keys")
def keys(home: HomeDep) -> dict[str, Any]:
    """The keys that verify what the passport signs (RFC 7517)."""
    return home.passport.jwks()


@router.post("/v1/passport/token")
def token(request: Request, body: BodyDep, home: HomeDep) -> Response:
    """A code, or a refresh token, for tokens."""
    dpop = request.headers.getlist("dpop")
    return _answer(home.passport.token(_form(request, body), dpop=dpop))


@router.post("/v1/passport/clients", status_code=201)
def register(request: Request, body: BodyDep, home: HomeDep) -> Response:
    """A member of the trust registry describes itself as a service (RFC 7591), its request signed
    by a key that the registry pins (RFC 9421)."""
    url = f"{home.origin}{request.url.path}"
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        service = register_member(home.passport, url=url, headers=headers, body=body)
    except SignatureRefusedError:
        return JSONResponse({"error": "access_denied"}, status_code=401, headers=_NO_STORE)
    except ServiceInvalidError as error:
        name = "redirect_uri" if error.where == "redirect_uris" else "client_metadata"
        said = {"error": f"invalid_{name}", "error_description": str(error)}
        return JSONResponse(said, status_code=400, headers=_NO_STORE)
    return JSONResponse(service.metadata(), status_code=201, headers=_NO_STORE)


@router.post("/v1/passport/revocation")
def revoke(request: Request, body: BodyDep, home: HomeDep) -> Response:
    """A service lets go of a token (RFC 7009)."""
    return _answer(home.passport.revoke(_form(request, body)))


@router.get("/v1/passport/userinfo")
@router.post("/v1/passport/userinfo", include_in_schema=False)
def userinfo(
    request: Request, home: HomeDep, authorization: Annotated[str, Header(max_length=2_000)] = ""
) -> Response:
    """The claims the citizen agreed to, as they were then, to the bearer of an access token."""
    try:
        media_type, body = home.passport.userinfo(
            authorization, dpop=request.headers.getlist("dpop"), method=request.method
        )
    except AccessRefusedError as error:
        scheme = "DPoP" if error.error == "invalid_dpop_proof" else "Bearer"
        said = f'{scheme} error="{error.error}"' if authorization else scheme
        return JSONResponse(
            {"error": error.error},
            status_code=401,
            headers={"WWW-Authenticate": said, **_NO_STORE},
        )
    return Response(body, media_type=media_type, headers=_NO_STORE)
