"""The HTTP side of an account elsewhere: discovery, registration, tokens, claims, revocation. All
bounded, none followed elsewhere."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from connectors.elsewhere.relying_party import (
    MAX_CLAIMS,
    PRIVATE_KEY,
    SECRET_BASIC,
    SECRET_POST,
    Begun,
    Claims,
    ProviderRefusedError,
    RelyingParty,
)
from connectors.elsewhere.topics import OFFLINE, OPENID, Topic, offered
from connectors.errors import ConnectorError, SourceAnswerError, SourceRefusedError
from connectors.http import as_source_error
from connectors.identity.login import LoginRefusedError, Provider
from federation.keys import Signer
from federation.wire.errors import OutboundError
from federation.wire.http import Answer, BoundedClient
from federation.wire.signatures import new_nonce, sign
from schemas.errors import Refused

__all__ = [
    "AccountClient",
    "ClientIdentity",
    "Credentials",
    "RegistrationRefusedError",
]

MAX_ANSWER: Final = 100_000
MAX_TEXT: Final = 8_000
"""Characters of one token: signed ones of other servers reach some thousand."""
NAME: Final = "Coffre de mobilité"
PURPOSE: Final = "Reprendre dans votre coffre ce que ce compte sait de vous, à votre demande."
_EARLY: Final = timedelta(seconds=30)
_DEFAULT_TERM_S: Final = 300
_MAX_TERM_S: Final = 86_400


class RegistrationRefusedError(ConnectorError, Refused):
    """The service takes no client that registers itself: its operator and the home's agree on a
    registration first."""

    code = "registration-refused"

    def __init__(self) -> None:
        super().__init__("the service registers no client by itself")


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """This home as a client of services."""

    redirect_uri: str
    secret: bytes = field(repr=False)
    """32 bytes of the home's key store: its keys towards services come from it."""
    signer: Signer = field(repr=False)
    """Signs registrations, so that a member of the trust registry is known by its key (RFC 9421).
    """
    registered: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """Issuer → (client id, secret) agreed beforehand; the secret is empty where the home proves
    itself with its key."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is kept, sealed, of one account."""

    issuer: str
    client_id: str
    client_secret: str
    registration_uri: str
    registration_token: str
    subject: str
    scope: str
    access_token: str
    expires_at: str
    """ISO 8601."""
    refresh_token: str
    """Empty: the account is read until `expires_at`, and then connected again."""

    def __repr__(self) -> str:
        return "Credentials(***)"

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


class AccountClient:
    """One home as a client of one service."""

    def __init__(
        self,
        http: BoundedClient,
        *,
        issuer: str,
        identity: ClientIdentity,
        clock: Callable[[], datetime],
    ) -> None:
        self._http, self._issuer, self._clock = http, issuer, clock
        self._identity = identity

    def metadata(self) -> dict[str, Any]:
        """The service's discovery document: of this issuer, every endpoint on its origin.

        Raises:
            LoginRefusedError: it names another issuer, or an endpoint elsewhere. `Source…Error`s.
        """
        url = f"{self._issuer}/.well-known/openid-configuration"
        try:
            found = self._http.get_json(url, max_bytes=MAX_ANSWER)
        except OutboundError as error:
            raise as_source_error(error, "discovery") from error
        if not isinstance(found, dict):
            raise SourceAnswerError(where="discovery", reason="not an object")
        Provider.of(found, issuer=self._issuer)
        for name in ("registration_endpoint", "revocation_endpoint"):
            if not _is_below(found.get(name), self._issuer):
                found.pop(name, None)
        methods = found.get("code_challenge_methods_supported", ["S256"])
        if not isinstance(methods, list) or "S256" not in methods:
            raise LoginRefusedError("the service does not speak PKCE with S256")
        return found

    # --- registration ---------------------------------------------------------------------------

    def register(self, metadata: Mapping[str, Any]) -> tuple[RelyingParty, str, str]:
        """The client, as agreed beforehand or registered now (RFC 7591), with the address and the
        token by which it is deleted again (RFC 7592; empty where there are none).

        Raises:
            RegistrationRefusedError; `Source…Error`s.
        """
        agreed = self._identity.registered.get(self._issuer)
        if agreed is not None:
            return self.party(metadata, client_id=agreed[0], secret=agreed[1]), "", ""
        party = self.party(metadata, client_id="")
        endpoint = metadata.get("registration_endpoint")
        if not isinstance(endpoint, str):
            raise RegistrationRefusedError
        scopes = [OPENID, *(t.value for t in offered(metadata, list(Topic)))]
        if OFFLINE in metadata.get("scopes_supported", ()):
            scopes.append(OFFLINE)
        body = json.dumps(
            party.description(name=NAME, purpose=PURPOSE, scope=" ".join(scopes))
        ).encode()
        headers = sign(
            method="POST",
            url=endpoint,
            body=body,
            signer=self._identity.signer,
            created=self._clock(),
            nonce=new_nonce(),
        )
        answer = self._post(
            endpoint, "registration", body=body, headers=headers, statuses=_REGISTERED
        )
        if answer.status not in (200, 201):
            raise RegistrationRefusedError
        found = _object(answer, "registration")
        uri = found.get("registration_client_uri")
        token = found.get("registration_access_token")
        needs_secret = party.auth in (SECRET_POST, SECRET_BASIC)
        is_deletable = _is_below(uri, self._issuer) and isinstance(token, str)
        party = replace(
            party,
            client_id=_text(found, "client_id", "registration"),
            secret=_text(found, "client_secret", "registration") if needs_secret else "",
        )
        return party, str(uri) if is_deletable else "", str(token) if is_deletable else ""

    def party(
        self, metadata: Mapping[str, Any], *, client_id: str, secret: str = ""
    ) -> RelyingParty:
        """The client of this id; with a secret it proves itself by that, and not by its key."""
        party = RelyingParty.suited(
            self._identity.redirect_uri,
            metadata,
            secret=self._identity.secret,
            client_id=client_id,
        )
        if secret and party.auth == PRIVATE_KEY:
            methods = metadata.get("token_endpoint_auth_methods_supported", ())
            party = replace(party, auth=SECRET_POST if SECRET_POST in methods else SECRET_BASIC)
        return replace(party, secret=secret)

    # --- tokens ---------------------------------------------------------------------------------

    def exchange(
        self,
        metadata: Mapping[str, Any],
        party: RelyingParty,
        begun: Begun,
        query: Mapping[str, str],
    ) -> Credentials:
        """The answer that came back, for tokens whose ID token was verified.

        Raises:
            ProviderRefusedError; `Source…Error`s.
        """
        code = party.code_of(begun, query)
        at = self._clock()
        found = self._tokens(metadata, party, party.code_form(code, begun, at=at))
        identity = party.read_id_token(
            _text(found, "id_token", "token"), self._keys(metadata), nonce=begun.nonce, at=at
        )
        return _kept(
            found,
            Credentials(
                issuer=self._issuer,
                client_id=party.client_id,
                client_secret=party.secret,
                registration_uri="",
                registration_token="",
                subject=str(identity["sub"]),
                scope=begun.scope,
                access_token="",
                expires_at="",
                refresh_token="",
            ),
            at=at,
        )

    def refresh(self, metadata: Mapping[str, Any], kept: Credentials) -> Credentials:
        """The next tokens.

        Raises:
            SourceRefusedError: the access was taken back there, or is over: connect again.
            `Source…Error`s.
        """
        if not kept.refresh_token:
            raise SourceRefusedError(where="token", status=401)
        party = self._known(metadata, kept)
        try:
            found = self._tokens(
                metadata, party, party.refresh_form(kept.refresh_token, at=self._clock())
            )
        except ProviderRefusedError as error:
            raise SourceRefusedError(where="token", status=400) from error
        return _kept(found, kept, at=self._clock())

    def is_stale(self, kept: Credentials) -> bool:
        """Whether the access token is over, or nearly."""
        return self._clock() + _EARLY >= datetime.fromisoformat(kept.expires_at)

    def read(self, metadata: Mapping[str, Any], kept: Credentials) -> Claims:
        """What the account says.

        Raises:
            SourceRefusedError: the token opens nothing any more. ProviderRefusedError: claims that
            do not verify. `Source…Error`s.
        """
        party, at = self._known(metadata, kept), self._clock()
        try:
            answer = self._http.get(
                str(metadata["userinfo_endpoint"]),
                headers=party.access_headers(kept.access_token, at=at),
                accept=("application/jwt", "application/json"),
                max_bytes=MAX_CLAIMS,
            )
        except OutboundError as error:
            raise as_source_error(error, "userinfo") from error
        is_json = answer.media_type != "application/jwt"
        jwks = {} if is_json else self._keys(metadata)
        return party.read_claims(answer.body, jwks, subject=kept.subject, is_json=is_json)

    # --- the end --------------------------------------------------------------------------------

    def revoke(self, metadata: Mapping[str, Any], kept: Credentials) -> None:
        """Give the tokens back (RFC 7009). Raises the `Source…Error`s."""
        endpoint = metadata.get("revocation_endpoint")
        token = kept.refresh_token or kept.access_token
        if not isinstance(endpoint, str) or not token:
            return
        party, at = self._known(metadata, kept), self._clock()
        self._post(
            endpoint,
            "revocation",
            form={"token": token, **party.proven(at=at)},
            headers=party.headers("revocation_endpoint", at=at),
            statuses=(200, 204),
            accept=("*/*",),
        )

    def unregister(self, uri: str, token: str) -> None:
        """Delete the client where it was made (RFC 7592 §2.3). Raises the `Source…Error`s."""
        if not uri:
            return
        try:
            self._http.request(
                "DELETE",
                uri,
                headers={"Authorization": f"Bearer {token}"},
                accept=("*/*",),
                statuses=(200, 204, 401, 404),
            )
        except OutboundError as error:
            raise as_source_error(error, "registration") from error

    # --- inside ---------------------------------------------------------------------------------

    def _known(self, metadata: Mapping[str, Any], kept: Credentials) -> RelyingParty:
        return self.party(metadata, client_id=kept.client_id, secret=kept.client_secret)

    def _keys(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found = self._http.get_json(str(metadata["jwks_uri"]), max_bytes=MAX_ANSWER)
        except OutboundError as error:
            raise as_source_error(error, "keys") from error
        return found if isinstance(found, dict) else {}

    def _tokens(
        self, metadata: Mapping[str, Any], party: RelyingParty, form: dict[str, str]
    ) -> Mapping[str, Any]:
        answer = self._post(
            str(metadata["token_endpoint"]),
            "token",
            form=form,
            headers=party.headers("token_endpoint", at=self._clock()),
            statuses=(200, 400, 401),
        )
        found = _object(answer, "token")
        if answer.status != 200:
            raise ProviderRefusedError(str(found.get("error", answer.status))[:100])
        return found

    def _post(
        self,
        url: str,
        where: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        statuses: tuple[int, ...] = (200,),
        accept: tuple[str, ...] = ("application/json",),
    ) -> Answer:
        try:
            return self._http.post(
                url,
                form=form,
                body=body,
                content_type="application/json" if body is not None else None,
                headers=headers,
                statuses=statuses,
                accept=accept,
                max_bytes=MAX_ANSWER,
            )
        except OutboundError as error:
            raise as_source_error(error, where) from error


_REGISTERED: Final = (200, 201, 400, 401, 403)


def _kept(found: Mapping[str, Any], before: Credentials, *, at: datetime) -> Credentials:
    """Credentials with the tokens of an answer; without a new refresh token the earlier stays
    (RFC 6749 §6), and without a scope what was asked (§5.1)."""
    term = found.get("expires_in")
    seconds = term if type(term) is int and term > 0 else _DEFAULT_TERM_S
    refresh, scope = found.get("refresh_token"), found.get("scope")
    return replace(
        before,
        access_token=_text(found, "access_token", "token"),
        expires_at=(at + timedelta(seconds=min(seconds, _MAX_TERM_S))).isoformat(),
        refresh_token=_text(found, "refresh_token", "token") if refresh else before.refresh_token,
        scope=scope if isinstance(scope, str) and len(scope) <= MAX_TEXT else before.scope,
    )


def _is_below(url: object, issuer: str) -> bool:
    """Whether an address lies on the issuer's origin."""
    origin = "/".join(issuer.split("/", 3)[:3])
    return isinstance(url, str) and (url == origin or url.startswith(f"{origin}/"))


def _object(answer: Answer, where: str) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except OutboundError as error:
        raise as_source_error(error, where) from error
    if not isinstance(found, dict):
        raise SourceAnswerError(where=where, reason="not an object")
    return found


def _text(found: Mapping[str, Any], name: str, where: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise SourceAnswerError(where=f"{where}#/{name}", reason="not a text")
    return value
