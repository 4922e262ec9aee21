"""OAuth 2 at a person's own Cozy: the vault registers itself there, the person accepts, a refresh
token stays.

1. `register`: a client of its own for this vault (RFC 7591 as cozy-stack answers it).
2. `authorize_url`: the page of the Cozy on which the person accepts, with state and PKCE.
3. `exchange`: the code for a refresh token, once.
4. `access_token`: from the refresh token, at the start of each run; it is not kept.
5. `unregister`: the client is deleted where it was made, so that nothing is left that serves.

Source: cozy/cozy-stack `docs/auth.md`. PKCE is sent to every stack; an older one ignores it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Protocol, Self
from urllib.parse import quote, urlencode, urlsplit

from connectors.errors import AddressError, SourceAnswerError, SourceRefusedError

DOCTYPE: Final = "io.cozy.timeseries.geojson"
READ: Final = f"{DOCTYPE}:GET"
READ_AND_WRITE: Final = f"{DOCTYPE}:GET,POST,PUT,DELETE"
CLIENT_NAME: Final = "Coffre de mobilité"
SOFTWARE_ID: Final = "coffre-de-mobilite"
TOKEN_PATH: Final = "/auth/access_token"  # noqa: S105  # a route
REGISTER_PATH: Final = "/auth/register"
MAX_TEXT: Final = 4_000
"""Characters of one credential: the longest seen are signed tokens of some hundred."""
_REFUSALS: Final = frozenset({400, 401, 403})
_FLAT: Final = re.compile(r"^([a-z0-9]+)-[a-z0-9-]+(\.(?:mycozy|twake)\.[a-z]+)$")
"""Hosts on which an app of `alice.mycozy.cloud` is `alice-drive.mycozy.cloud`."""


class CozyTransport(Protocol):
    """How requests reach one Cozy (`connectors.http.HttpTransport`)."""

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


@dataclass(frozen=True, slots=True)
class Registration:
    """The vault as a client of one Cozy."""

    client_id: str
    client_secret: str
    registration_token: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


@dataclass(frozen=True, slots=True)
class Credentials(Registration):
    """What is kept, sealed, to read (and where the person wished it, to write) one Cozy."""

    refresh_token: str
    scope: str

    __repr__ = Registration.__repr__

    @property
    def may_write(self) -> bool:
        """Whether the person let the vault copy trips there."""
        return "POST" in self.scope

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
            raise SourceRefusedError(where=TOKEN_PATH, status=400) from None


def address_of(typed: str) -> str:
    """The Cozy's own address, from what a person types or copies: an app's page, no scheme.

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
    flat = _FLAT.match(host)
    if flat is not None:
        host = flat[1] + flat[2]
    path = parts.path.rstrip("/") if host in {"localhost", "127.0.0.1"} else ""
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"


def register(transport: CozyTransport, *, redirect_uri: str, client_uri: str) -> Registration:
    """Make the vault a client of this Cozy.

    Raises:
        the `Source…Error`s.
    """
    _, found = transport.call(
        "POST",
        REGISTER_PATH,
        body={
            "redirect_uris": [redirect_uri],
            "client_name": CLIENT_NAME,
            "client_kind": "web",
            "client_uri": client_uri,
            "software_id": SOFTWARE_ID,
        },
        statuses=(200, 201),
    )
    return Registration(
        client_id=_text(found, "client_id", REGISTER_PATH),
        client_secret=_text(found, "client_secret", REGISTER_PATH),
        registration_token=_text(found, "registration_access_token", REGISTER_PATH),
    )


def authorize_url(  # the parameters of RFC 6749 §4.1.1 and RFC 7636
    address: str,
    registration: Registration,
    *,
    redirect_uri: str,
    state: str,
    scope: str,
    verifier: str,
) -> str:
    """The page of the Cozy that asks the person."""
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
    return f"{address}/auth/authorize?{urlencode(query)}"


def exchange(
    transport: CozyTransport, registration: Registration, *, code: str, verifier: str, scope: str
) -> Credentials:
    """The code that came back, for a refresh token.

    The scope kept is what the Cozy says was granted; a Cozy that says nothing granted what was
    asked (RFC 6749 §5.1).

    Raises:
        SourceRefusedError: the code is used, late or another client's; the `Source…Error`s.
    """
    found = _token(
        transport,
        registration,
        grant_type="authorization_code",
        code=code,
        code_verifier=verifier,
    )
    granted = found.get("scope")
    return Credentials(
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        registration_token=registration.registration_token,
        refresh_token=_text(found, "refresh_token", TOKEN_PATH),
        scope=granted if isinstance(granted, str) and len(granted) <= MAX_TEXT else scope,
    )


def access_token(transport: CozyTransport, credentials: Credentials) -> str:
    """A token for the next minutes.

    Raises:
        SourceRefusedError: the person took the access back, in the Cozy; the `Source…Error`s.
    """
    found = _token(
        transport,
        credentials,
        grant_type="refresh_token",
        refresh_token=credentials.refresh_token,
    )
    return _text(found, "access_token", TOKEN_PATH)


def unregister(transport: CozyTransport, registration: Registration) -> None:
    """Delete the client where it was made. One that is gone already is no error.

    Raises:
        the `Source…Error`s.
    """
    transport.call(
        "DELETE",
        f"{REGISTER_PATH}/{quote(registration.client_id, safe='')}",
        bearer=registration.registration_token,
        statuses=(200, 204, 404),
    )


def _token(transport: CozyTransport, registration: Registration, **more: str) -> Mapping[str, Any]:
    form = {
        **more,
        "client_id": registration.client_id,
        "client_secret": registration.client_secret,
    }
    status, found = transport.call(
        "POST", TOKEN_PATH, form=form, statuses=(200, *sorted(_REFUSALS))
    )
    if status in _REFUSALS:
        raise SourceRefusedError(where=TOKEN_PATH, status=status)
    if not isinstance(found, dict):
        raise SourceAnswerError(where=TOKEN_PATH, reason="not an object")
    return found


def _text(found: Any, name: str, where: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise SourceAnswerError(where=f"{where}#/{name}", reason="not a text")
    return value


__all__ = [
    "DOCTYPE",
    "READ",
    "READ_AND_WRITE",
    "CozyTransport",
    "Credentials",
    "Registration",
    "access_token",
    "address_of",
    "authorize_url",
    "exchange",
    "register",
    "unregister",
]
