"""OAuth 2 at an operator that serves the mobility account; the vault is the client.

1. `describe`: the operator's own description, below the address that the person gave. Every address
   in it must begin with that address: no token ever goes elsewhere.
2. `register`: a client of its own for this vault (RFC 7591).
3. `authorize_url`: the operator's page on which the person accepts; state and PKCE S256 (RFC 7636).
4. `exchange`: the code for a refresh token, once.
5. `renew`: an access token from the refresh token at the start of each run. An operator may give
   another refresh token each time: the new one is kept, the old one forgotten.
6. `leave`: the webhook, the token (RFC 7009) and the client (RFC 7592) are deleted where they were
   made.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Protocol, Self
from urllib.parse import urlencode, urlsplit

from connectors.errors import (
    AddressError,
    ConnectorError,
    SourceAnswerError,
    SourceRefusedError,
)
from connectors.http import Fetched
from federation.keys import PublicKey, decode_multikey
from schemas.errors import MobilityError

__all__ = [
    "CONTRACT",
    "RESOURCES",
    "AccountTransport",
    "Credentials",
    "Description",
    "Granted",
    "Registration",
    "address_of",
    "authorize_url",
    "describe",
    "exchange",
    "leave",
    "register",
    "renew",
    "subscribe",
]

CONTRACT: Final = "mobility-account/1"
DESCRIPTION_PATH: Final = "/.well-known/mobility-account"
RESOURCES: Final = ("trips", "passes", "receipts")
"""Scopes, and the paths below `api`."""
CLIENT_NAME: Final = "Coffre de mobilité"
MAX_TEXT: Final = 4_000
MAX_NAME: Final = 120
MAX_KEYS: Final = 10
_REFUSALS: Final = frozenset({400, 401, 403})


class AccountTransport(Protocol):
    """How requests reach one operator (`connectors.http.HttpTransport`)."""

    def call(  # one request: what it says, and who says it
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        bearer: str | None = None,
        statuses: Collection[int] = (200,),
    ) -> tuple[int, Any]:
        """Status and JSON answer. Raises the `Source…Error`s."""
        ...

    def fetch(
        self,
        path: str,
        *,
        bearer: str | None = None,
        etag: str | None = None,
        statuses: Collection[int] = (200,),
    ) -> Fetched:
        """A JSON document. Raises the `Source…Error`s."""
        ...


@dataclass(frozen=True, slots=True)
class Description:
    """What an operator says of itself. Addresses are paths below the operator's address."""

    name: str
    authorize: str
    token: str
    registration: str
    revocation: str | None
    api: str
    resources: tuple[str, ...]
    keys: Mapping[str, str]
    """Multikeys that sign its news, by key id."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The vault as a client of one operator."""

    client_id: str
    client_secret: str
    registration_path: str
    """Where the client is deleted (RFC 7592); empty where the operator gives none."""
    registration_token: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


@dataclass(frozen=True, slots=True)
class Credentials(Registration):
    """What lets the vault in."""

    refresh_token: str
    scope: str
    """Resources that the person granted, joined by blanks."""

    __repr__ = Registration.__repr__

    @property
    def resources(self) -> tuple[str, ...]:
        """What was granted, in the order of `RESOURCES`."""
        granted = self.scope.split()
        return tuple(name for name in RESOURCES if name in granted)

    def to_json(self) -> str:
        """As the home's store of source tokens keeps it."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SourceRefusedError: not what `to_json` writes; the person connects again."""
        try:
            found = json.loads(text)
            return cls(**{f.name: str(found[f.name]) for f in fields(cls)})
        except (ValueError, KeyError, TypeError):
            raise SourceRefusedError(where="token", status=400) from None


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token for the next minutes, and the refresh token that stands from then on."""

    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return "Granted(***)"


def address_of(typed: str) -> str:
    """An operator's address, from what a person types or copies.

    Raises:
        AddressError.
    """
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise AddressError from None
    if parts.scheme not in {"https", "http"} or not host or parts.username is not None:
        raise AddressError
    if len(text) > 300 or parts.query or parts.fragment or ".." in parts.path:
        raise AddressError
    path = parts.path.rstrip("/").removesuffix(DESCRIPTION_PATH)
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"


def describe(transport: AccountTransport, address: str) -> Description:
    """The operator's description.

    Raises:
        SourceAnswerError: another contract, an address elsewhere, a key that is none; the
            `Source…Error`s.
    """
    found = transport.fetch(DESCRIPTION_PATH).value
    if not isinstance(found, dict) or found.get("contract") != CONTRACT:
        raise SourceAnswerError(where=DESCRIPTION_PATH, reason=f"not {CONTRACT}")

    def below(name: str) -> str:
        url = _text(found, name, DESCRIPTION_PATH)
        if not url.startswith(f"{address}/") or ".." in url or "#" in url:
            raise SourceAnswerError(
                where=f"{DESCRIPTION_PATH}#/{name}", reason="not below the operator's address"
            )
        return url[len(address) :].rstrip("/")

    methods = found.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise SourceAnswerError(where=DESCRIPTION_PATH, reason="no PKCE with S256")
    scopes = found.get("scopes_supported")
    given = scopes if isinstance(scopes, list) else []
    resources = tuple(name for name in RESOURCES if name in given)
    if not resources:
        raise SourceAnswerError(where=DESCRIPTION_PATH, reason="offers nothing that a vault reads")
    return Description(
        name=_name(_text(found, "name", DESCRIPTION_PATH)),
        authorize=below("authorization_endpoint"),
        token=below("token_endpoint"),
        registration=below("registration_endpoint"),
        revocation=below("revocation_endpoint") if "revocation_endpoint" in found else None,
        api=below("api"),
        resources=resources,
        keys=_keys(found.get("keys", [])),
    )


def _name(text: str) -> str:
    cleaned = " ".join("".join(c for c in text if c.isprintable()).split())[:MAX_NAME]
    if not cleaned:
        raise SourceAnswerError(where=f"{DESCRIPTION_PATH}#/name", reason="not a text")
    return cleaned


def _keys(found: Any) -> dict[str, str]:
    where = f"{DESCRIPTION_PATH}#/keys"
    if not isinstance(found, list) or len(found) > MAX_KEYS:
        raise SourceAnswerError(where=where, reason=f"not a list of at most {MAX_KEYS}")
    keys: dict[str, str] = {}
    for item in found:
        name, multikey = _text(item, "id", where), _text(item, "publicKeyMultibase", where)
        public_key(multikey)
        keys[name] = multikey
    return keys


def public_key(multikey: str) -> PublicKey:
    """An Ed25519 or P-256 key. Raises SourceAnswerError: it is none."""
    try:
        return decode_multikey(multikey)
    except MobilityError:
        raise SourceAnswerError(
            where=f"{DESCRIPTION_PATH}#/keys", reason="not an Ed25519 or P-256 multikey"
        ) from None


def register(
    transport: AccountTransport,
    described: Description,
    *,
    address: str,
    redirect_uri: str,
    client_uri: str,
) -> Registration:
    """Make the vault a client of this operator. Raises the `Source…Error`s."""
    where = described.registration
    _, found = transport.call(
        "POST",
        where,
        body={
            "redirect_uris": [redirect_uri],
            "client_name": CLIENT_NAME,
            "client_uri": client_uri,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": " ".join(described.resources),
        },
        statuses=(200, 201),
    )
    managed = found.get("registration_client_uri", "") if isinstance(found, dict) else ""
    if not isinstance(managed, str) or (managed and not managed.startswith(f"{address}/")):
        raise SourceAnswerError(where=where, reason="not below the operator's address")
    return Registration(
        client_id=_text(found, "client_id", where),
        client_secret=_text(found, "client_secret", where),
        registration_path=managed[len(address) :],
        registration_token=_text(found, "registration_access_token", where) if managed else "",
    )


def authorize_url(  # the parameters of RFC 6749 §4.1.1 and RFC 7636
    address: str,
    described: Description,
    registration: Registration,
    *,
    redirect_uri: str,
    state: str,
    scope: str,
    verifier: str,
) -> str:
    """The operator's page that asks the person."""
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "response_type": "code",
        "scope": scope,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{address}{described.authorize}?{urlencode(query)}"


def exchange(
    transport: AccountTransport,
    described: Description,
    registration: Registration,
    *,
    code: str,
    verifier: str,
    redirect_uri: str,
    scope: str,
) -> Credentials:
    """The code that came back, for a refresh token. The scope kept is what the operator says was
    granted; one that says nothing granted what was asked (RFC 6749 §5.1).

    Raises:
        SourceRefusedError: the code is used, late or another client's; the `Source…Error`s.
    """
    found = _token(
        transport,
        described,
        registration,
        grant_type="authorization_code",
        code=code,
        code_verifier=verifier,
        redirect_uri=redirect_uri,
    )
    told = found.get("scope")
    granted = told if isinstance(told, str) and len(told) <= MAX_TEXT else scope
    asked = scope.split()
    return Credentials(
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        registration_path=registration.registration_path,
        registration_token=registration.registration_token,
        refresh_token=_text(found, "refresh_token", described.token),
        scope=" ".join(name for name in RESOURCES if name in granted.split() and name in asked),
    )


def renew(transport: AccountTransport, described: Description, credentials: Credentials) -> Granted:
    """A token for the next minutes.

    Raises:
        SourceRefusedError: the person took the access back at the operator; the `Source…Error`s.
    """
    found = _token(
        transport,
        described,
        credentials,
        grant_type="refresh_token",
        refresh_token=credentials.refresh_token,
    )
    other = found.get("refresh_token")
    return Granted(
        access_token=_text(found, "access_token", described.token),
        refresh_token=other
        if isinstance(other, str) and 0 < len(other) <= MAX_TEXT
        else credentials.refresh_token,
    )


def subscribe(
    transport: AccountTransport,
    described: Description,
    *,
    bearer: str,
    url: str,
    resources: Sequence[str],
) -> bool:
    """Ask to be told of news at `url`. False: this operator has no webhook, and is only asked.

    Raises the `Source…Error`s.
    """
    status, _ = transport.call(
        "PUT",
        f"{described.api}/me/webhook",
        body={"url": url, "resources": list(resources)},
        bearer=bearer,
        statuses=(200, 201, 204, 404, 405, 501),
    )
    return status < 300


def leave(
    transport: AccountTransport, described: Description, credentials: Credentials
) -> list[ConnectorError]:
    """Delete what the vault has there: webhook, token, client. Every step is tried; the errors of
    those that failed."""
    failed: list[ConnectorError] = []

    def tried(step: Any) -> None:
        try:
            step()
        except ConnectorError as error:
            failed.append(error)

    def webhook() -> None:
        bearer = renew(transport, described, credentials).access_token
        transport.call(
            "DELETE",
            f"{described.api}/me/webhook",
            bearer=bearer,
            statuses=(200, 204, 404, 405, 501),
        )

    tried(webhook)
    if described.revocation is not None:
        form = {
            "token": credentials.refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        path = described.revocation
        tried(lambda: transport.call("POST", path, form=form))
    tried(lambda: unregister(transport, credentials))
    return failed


def unregister(transport: AccountTransport, registration: Registration) -> None:
    """Delete the client where it was made; one that is gone already is no error."""
    if registration.registration_path:
        transport.call(
            "DELETE",
            registration.registration_path,
            bearer=registration.registration_token,
            statuses=(200, 204, 401, 404),
        )


def _token(
    transport: AccountTransport,
    described: Description,
    registration: Registration,
    **more: str,
) -> Mapping[str, Any]:
    form = {
        **more,
        "client_id": registration.client_id,
        "client_secret": registration.client_secret,
    }
    status, found = transport.call(
        "POST", described.token, form=form, statuses=(200, *sorted(_REFUSALS))
    )
    if status in _REFUSALS:
        raise SourceRefusedError(where=described.token, status=status)
    if not isinstance(found, dict):
        raise SourceAnswerError(where=described.token, reason="not an object")
    return found


def _text(found: Any, name: str, where: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise SourceAnswerError(where=f"{where}#/{name}", reason="not a text")
    return value
