"""The OAuth 2.0 rules of the passport, as Authlib's server states them, over rows of ours.

Authlib decides what a request must look like, in which order it is checked and how a refusal reads
(RFC 6749, RFC 7636, RFC 7523); what is stored, signed and sealed is ours, behind `Granting`.
Stricter than its defaults: PKCE always and with S256 only, an exact redirect address always, keys
instead of secrets, the clock and the fresh numbers of the home instead of the machine's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Payload,
    OAuth2Request,
    scope_to_list,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import MultikeyError, PublicKey
from federation.multibase import EncodingError, b64url_decode
from vault.passport.profiles import details_of
from vault.passport.scopes import OFFLINE, OPENID
from vault.passport.services import PRIVATE_KEY_JWT, PUBLIC, Service

__all__ = ["Code", "Granting", "Line", "Reply", "Server", "read_parameters"]

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_TYPES: Final = (None, "JWT", "client-authentication+jwt")
_ASSERTION_TERM: Final = timedelta(minutes=10)
_SKEW: Final = timedelta(seconds=30)
_MAX_VALUE: Final = 4_000
_MAX_MEMBERS: Final = 50


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for whoever speaks HTTP."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """An authorisation code that may be exchanged, as Authlib asks about it."""

    secret: str
    service: str
    vault_id: str
    connection: bytes
    family: bytes
    scope: str
    redirect_uri: str
    nonce: str
    code_challenge: str
    auth_time: int
    subject: str
    snapshot: bytes | None
    keep_until: datetime | None
    """Until when the citizen lets the service keep access; None: this once."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the service filled in for the profiles that were agreed to."""
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass(frozen=True, slots=True)
class Line:
    """A line of refresh tokens whose last one was shown."""

    vault_id: str
    connection: bytes
    family: bytes
    number: int
    service: str
    scope: str
    auth_time: int
    subject: str
    thumbprint: str | None
    until: datetime
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check_client(self, client: "_Client") -> bool:
        return client.service.id == self.service

    def get_scope(self) -> str:
        return self.scope


class Granting(Protocol):
    """What the rules need from the home."""

    audiences: tuple[str, ...]
    """Names by which a service may address this server when it proves itself."""

    def now(self) -> datetime:
        """The home's clock."""

    def service(self, id_: str) -> Service | None:
        """A service that may ask now."""

    def is_fresh(self, party: str, number: str, until: datetime) -> bool:
        """Whether a number of this party is new; asking uses it up."""

    def find_code(self, secret: str, service: Service) -> Code | None:
        """A code of this service, unused and in time. A used one ends what came of it."""

    def find_line(self, text: str) -> Line | None:
        """The line of a refresh token, if it is the line's last. An earlier one ends the line."""

    def exchange(self, code: Code, token: dict[str, Any], thumbprint: str | None) -> bool:
        """Keep the tokens of a code, in one commit with its use. False: it was used meanwhile."""

    def continue_line(self, line: Line, token: dict[str, Any]) -> bool:
        """Keep the next tokens of a line, in one commit. False: another one was first."""

    def new_tokens(self, *, with_refresh: bool) -> dict[str, Any]:
        """`access_token`, `expires_in`; `refresh_token` is filled in when it is kept."""

    def id_token(
        self, service: Service, subject: str, *, auth_time: int, nonce: str, access_token: str
    ) -> str:
        """A signed ID token."""


class _Payload(OAuth2Payload):
    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._data = dict(reversed(pairs))
        self._datalist: dict[str, list[str]] = {}
        for name, value in pairs:
            self._datalist.setdefault(name, []).append(value)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> dict[str, list[str]]:
        return self._datalist


class _Request(OAuth2Request):
    """A request whose transport was checked by whoever serves it: Authlib would look into the
    environment to know whether plain http is allowed on this machine."""

    def __init__(
        self, method: str, uri: str, pairs: Sequence[tuple[str, str]], thumbprint: str | None
    ) -> None:
        headers: dict[str, str] = {}
        self.method, self.uri, self.headers = method, uri, headers
        self.payload = _Payload(pairs)
        self.client = self.auth_method = self.user = self.credential = None
        self.authorization_code = self.refresh_token = None
        self._scope = self._body = None
        self.thumbprint = thumbprint

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


class _Client(ClientMixin):
    """A service, as Authlib asks about it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def get_client_id(self) -> str:
        return self.service.id

    def get_default_redirect_uri(self) -> None:
        return None  # OpenID Connect Core §3.1.2.1: it is always there

    def get_allowed_scope(self, scope: str | None) -> str | None:
        asked = scope_to_list(scope) or []
        if OPENID not in asked or not set(asked) <= set(self.service.scopes):
            return None
        return " ".join(dict.fromkeys(asked))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.service.redirect_uris

    def check_client_secret(self, _secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.service.auth

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        if grant_type == "refresh_token":
            return (
                self.service.auth == PRIVATE_KEY_JWT
                and self.service.encryption_key is not None
                and OFFLINE in self.service.scopes
            )
        return grant_type == "authorization_code"


class _S256(CodeChallenge):
    """PKCE with S256, for everybody."""

    SUPPORTED_CODE_CHALLENGE_METHOD: Final = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required")
        super().validate_code_challenge(grant, redirect_uri)


def _check_bound(request: Any) -> None:
    """A service that binds its tokens shows a proof of its key with every one it asks for."""
    if request.thumbprint is None and not request.client.service.bearer:
        raise _DpopMissingError()


class _DpopMissingError(OAuth2Error):
    error = "invalid_dpop_proof"
    description = "A DPoP proof is required"


def _add_details(token: dict[str, Any], details: Mapping[str, Mapping[str, Any]]) -> None:
    """What was granted, beside the scope (RFC 9396 §7)."""
    if details:
        token["authorization_details"] = details_of(details)


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: Final = [PRIVATE_KEY_JWT, PUBLIC]

    @property
    def _granting(self) -> Granting:
        found: Granting = self.server.granting
        return found

    def query_authorization_code(self, code: str, client: _Client) -> Code | None:
        return self._granting.find_code(code, client.service)

    def authenticate_user(self, authorization_code: Code) -> Code:
        return authorization_code

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Used up in the commit that keeps the tokens."""

    def validate_token_request(self) -> None:
        super().validate_token_request()
        _check_bound(self.request)

    def save_token(self, token: dict[str, Any]) -> None:
        if not self._granting.exchange(self.request.user, token, self.request.thumbprint):
            raise InvalidGrantError("The code was used before")

    def create_token_response(self) -> Any:
        status, token, headers = super().create_token_response()
        code: Code = self.request.user
        service = self.request.client.service
        token["token_type"] = "Bearer" if self.request.thumbprint is None else "DPoP"
        token["id_token"] = self._granting.id_token(
            service,
            code.subject,
            auth_time=code.auth_time,
            nonce=code.nonce,
            access_token=token["access_token"],
        )
        _add_details(token, code.details)
        return status, token, headers


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: Final = [PRIVATE_KEY_JWT]
    INCLUDE_NEW_REFRESH_TOKEN: Final = True

    @property
    def _granting(self) -> Granting:
        found: Granting = self.server.granting
        return found

    def authenticate_refresh_token(self, refresh_token: str) -> Line | None:
        return self._granting.find_line(refresh_token)

    def authenticate_user(self, refresh_token: Line) -> Line:
        return refresh_token

    def revoke_old_credential(self, refresh_token: Line) -> None:
        """Its number counts no more, in the commit that keeps the next."""

    def validate_token_request(self) -> None:
        super().validate_token_request()
        _check_bound(self.request)
        line: Line = self.request.refresh_token
        if line.thumbprint is not None and line.thumbprint != self.request.thumbprint:
            raise InvalidGrantError("The token is bound to another key")

    def save_token(self, token: dict[str, Any]) -> None:
        if not self._granting.continue_line(self.request.refresh_token, token):
            raise InvalidGrantError("The refresh token was used before")

    def create_token_response(self) -> Any:
        status, token, headers = super().create_token_response()
        line: Line = self.request.refresh_token
        token["token_type"] = "Bearer" if self.request.thumbprint is None else "DPoP"
        token["id_token"] = self._granting.id_token(
            self.request.client.service,
            line.subject,
            auth_time=line.auth_time,
            nonce="",
            access_token=token["access_token"],
        )
        _add_details(token, line.details)
        return status, token, headers


class Server(AuthorizationServer):
    """Authlib's server over a home."""

    def __init__(self, granting: Granting, token_url: str) -> None:
        super().__init__()
        self.granting, self._url = granting, token_url
        self.register_client_auth_method(PRIVATE_KEY_JWT, self._by_assertion)
        self.register_grant(_CodeGrant, [_S256(required=True)])
        self.register_grant(_RefreshGrant)
        self.register_token_generator("default", self._tokens)

    # --- what Authlib asks --------------------------------------------------------------------

    def query_client(self, client_id: str) -> _Client | None:
        found = self.granting.service(client_id)
        return None if found is None else _Client(found)

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Each grant keeps its own."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Reply:
        return Reply(status, body if isinstance(body, dict) else dict(body), tuple(headers))

    def _tokens(self, *, scope: str, include_refresh_token: bool, **_: Any) -> dict[str, Any]:
        keeps = include_refresh_token and OFFLINE in scope.split()
        return {**self.granting.new_tokens(with_refresh=keeps), "scope": scope}

    def _by_assertion(self, query_client: Any, request: _Request) -> _Client | None:
        """`private_key_jwt` (OpenID Connect Core §9, RFC 7523 §3).

        Steps: (1) the assertion names its service in `iss` and `sub`, read before it is verified;
        (2) signed by one of that service's keys, with that key's algorithm; (3) for this server
        and nobody else; (4) in time; (5) its number was not used.
        """
        form = request.form
        token = form.get("client_assertion")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not token:
            return None
        typ, claimed = _peek(token)  # 1
        subject = claimed.get("sub")
        if not isinstance(subject, str) or form.get("client_id", subject) != subject:
            raise InvalidClientError("The assertion names no service, or another one")
        client: _Client | None = query_client(subject)
        if client is None:
            raise InvalidClientError("The client does not exist on this server.")
        keys = client.service.keys()

        def key_of(header: Mapping[str, Any]) -> PublicKey:
            found = keys.get(str(header.get("kid", "")))
            if found is None and "kid" not in header and len(keys) == 1:
                found = next(iter(keys.values()))
            if found is None:
                raise JwsError("unknown key")
            return found

        try:  # 2
            claims = verify_jws(token, key_of, typ=typ, max_chars=_MAX_VALUE).claims
        except (JwsError, JwsMalformedError, MultikeyError):
            raise InvalidClientError("The assertion is not signed by this client") from None
        if claims.get("iss") != subject or claims.get("sub") != subject:
            raise InvalidClientError("The assertion was made by another party")
        audience = claims.get("aud")  # 3
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        if not isinstance(audience, str) or audience not in self.granting.audiences:
            raise InvalidClientError("The assertion is for another server")
        until = _instant(claims.get("exp"))  # 4
        at = self.granting.now()
        if until is None or not at - _SKEW < until <= at + _ASSERTION_TERM + _SKEW:
            raise InvalidClientError("The assertion is too old, or lives too long")
        number = claims.get("jti")  # 5
        if not isinstance(number, str) or not 0 < len(number) <= 200:
            raise InvalidClientError("The assertion has no number")
        if not self.granting.is_fresh(f"assertion:{subject}", number, until + _SKEW):
            raise InvalidClientError("The assertion was used before")
        return client

    # --- what the passport asks ---------------------------------------------------------------

    def check_request(self, pairs: Sequence[tuple[str, str]]) -> tuple[Service, str, str]:
        """The service, the redirect address and the scope of an authorisation request.

        Raises:
            OAuth2Error: with `redirect_uri` where the address is known to be the service's.
        """
        request = _Request("GET", self._url, pairs, None)
        grant = self.get_consent_grant(request)
        return grant.request.client.service, grant.redirect_uri, grant.request.scope

    def answer_token(self, pairs: Sequence[tuple[str, str]], thumbprint: str | None) -> Reply:
        """What the token endpoint says."""
        request = _Request("POST", self._url, pairs, thumbprint)
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):  # RFC 6749 §3.2
            refused: Reply = self.handle_error_response(
                request, InvalidRequestError("A parameter is there twice")
            )
            return refused
        found: Reply = self.create_token_response(request)
        return found

    def authenticate(self, pairs: Sequence[tuple[str, str]]) -> Service:
        """The service that proves itself in a form.

        Raises:
            OAuth2Error: it does not.
        """
        request = _Request("POST", self._url, pairs, None)
        client: _Client = self.authenticate_client(request, [PRIVATE_KEY_JWT, PUBLIC])
        return client.service


def read_parameters(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Parameters without empty ones (RFC 6749 §3.1), or an error of their form.

    Raises:
        OAuth2Error: too many, too long, or characters that have no place in one.
    """
    if len(pairs) > _MAX_MEMBERS or any(len(value) > _MAX_VALUE for _, value in pairs):
        raise InvalidRequestError("Too much in one request")
    for name, value in pairs:
        # Authlib puts these two into the words of its errors, where such characters are refused.
        if name in ("redirect_uri", "response_type", "grant_type") and any(
            not " " <= c <= "~" or c in '"\\' for c in value
        ):
            raise InvalidRequestError("A character that has no place there")
    return tuple((name, value) for name, value in pairs if value)


def _peek(token: str) -> tuple[str | None, Mapping[str, Any]]:
    """Type and claims of an assertion, unverified."""
    try:
        header, claims = (
            json.loads(b64url_decode(part)) for part in token[:_MAX_VALUE].split(".")[:2]
        )
    except (EncodingError, ValueError, RecursionError):
        raise InvalidClientError("Not an assertion") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidClientError("Not an assertion")
    if header.get("typ") not in _ASSERTION_TYPES:
        raise InvalidClientError("Not an assertion")
    return header.get("typ"), claims


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        return None
    return datetime.fromtimestamp(value, UTC)
