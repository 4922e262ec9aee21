"""The HTTP side of a login: discovery, token, keys, userinfo. All bounded, none followed
elsewhere."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from connectors.errors import ConnectorError, SourceAnswerError
from connectors.http import as_source_error
from connectors.identity.entitlements import (
    ENTITLEMENTS,
    Entitlement,
    EntitlementApi,
    EntitlementUnknownError,
)
from connectors.identity.keys import keys_of
from connectors.identity.login import (
    Begun,
    Identity,
    LoginRefusedError,
    Provider,
    UserinfoInvalidError,
    begin,
    code_of,
    verify_login,
)
from federation.jwe import DecryptionKey
from federation.wire.errors import OutboundError
from federation.wire.http import BoundedClient
from schemas.records import Scalar

MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Registration:
    """What a provider knows of this home."""

    client_id: str
    secret: str = field(default="", repr=False)
    """Given by the provider at registration (`client_secret_post`); empty: a public client."""
    decryption: DecryptionKey | None = None
    """What the provider may encrypt tokens to."""
    logged_out: str = ""
    """The home's address after a logout; empty: no logout is asked."""
    level: str = "eidas1"
    """The weakest level accepted."""
    entitlements: EntitlementApi | None = None
    """Where rights are read beside the identity; None: this home may not."""


class IdentityClient:
    """One home as a client of one provider."""

    def __init__(
        self,
        client: BoundedClient,
        *,
        issuer: str,
        registration: Registration,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._issuer, self._clock = client, issuer.rstrip("/"), clock
        self._as = registration

    def provider(self) -> Provider:
        """The provider's metadata."""
        url = f"{self._issuer}/.well-known/openid-configuration"
        try:
            document = self._client.get_json(url, max_bytes=MAX_BYTES)
        except OutboundError as error:
            raise as_source_error(error, "discovery") from error
        if not isinstance(document, dict):
            raise LoginRefusedError("the discovery document is not an object")
        return Provider.of(document, issuer=self._issuer)

    def begin(
        self,
        *,
        redirect_uri: str,
        level: str | None = None,
        also: tuple[Entitlement, ...] = (),
    ) -> tuple[str, Begun]:
        """Where to send the browser, and what to keep."""
        if also and self._as.entitlements is None:
            raise LoginRefusedError("this home may not read rights")
        return begin(
            self.provider(),
            client_id=self._as.client_id,
            redirect_uri=redirect_uri,
            level=level or self._as.level,
            at=self._clock(),
            also=also,
        )

    def finish(self, begun: Begun, query: Mapping[str, str]) -> Identity:
        """The verified identity of the login that came back.

        Raises LoginRefusedError, UserinfoInvalidError, or the `Source…Error`s.
        """
        provider = self.provider()
        code = code_of(provider, begun, query, at=self._clock())  # 1
        try:
            answer = self._client.post(  # 2
                provider.token_endpoint,
                form={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": begun.redirect_uri,
                    "client_id": self._as.client_id,
                    "code_verifier": begun.verifier,
                    **({"client_secret": self._as.secret} if self._as.secret else {}),
                },
                statuses=(200, 400, 401),
                max_bytes=MAX_BYTES,
            )
            if answer.status != 200:
                raise LoginRefusedError("the provider does not accept the code")
            tokens = answer.json()
            access = tokens.get("access_token") if isinstance(tokens, dict) else None
            id_token = tokens.get("id_token") if isinstance(tokens, dict) else None
            if not isinstance(access, str) or not isinstance(id_token, str):
                raise UserinfoInvalidError("tokens")
            keys = keys_of(self._client.get_json(provider.jwks_uri, max_bytes=MAX_BYTES))
            told = self._client.get(
                provider.userinfo_endpoint,
                headers={"Authorization": f"Bearer {access}"},
                accept=("application/jwt",),
                max_bytes=MAX_BYTES,
            )
        except OutboundError as error:
            raise as_source_error(error, "login") from error
        identity = verify_login(  # 3, 4
            provider,
            begun,
            id_token=id_token,
            userinfo=told.body.decode("ascii", "replace"),
            keys=keys,
            client_id=self._as.client_id,
            at=self._clock(),
            decryption=self._as.decryption,
        )
        identity = self._with_rights(identity, begun.also, access)
        if not self._as.logged_out:
            return identity
        state = secrets.token_urlsafe(24)
        leave = provider.logout(id_token, to=self._as.logged_out, state=state)
        return replace(identity, logout=leave)

    def _with_rights(
        self, identity: Identity, also: tuple[Entitlement, ...], access: str
    ) -> Identity:
        """The identity with what was told of the rights asked for. One that is not told takes
        nothing from the identity: it is named, with the reason."""
        api = self._as.entitlements
        if not also or api is None:
            return identity
        told: dict[str, Scalar] = {}
        untold: list[tuple[Entitlement, str]] = []
        for right in also:
            try:
                told |= self._right(api, right, access)
            except ConnectorError as error:
                untold.append((right, error.code))
        host = urlsplit(api.base).hostname or api.base
        return replace(identity, told=told, told_by=host, untold=tuple(untold))

    def _right(self, api: EntitlementApi, right: Entitlement, access: str) -> dict[str, Scalar]:
        statement = ENTITLEMENTS[right]
        url = f"{api.base}{statement.path}?{urlencode({'recipient': api.recipient})}"
        try:
            answer = self._client.get(
                url,
                headers={"Authorization": f"Bearer {access}"},
                statuses=(200, 404),
                max_bytes=MAX_BYTES,
            )
        except OutboundError as error:
            raise as_source_error(error, statement.path) from error
        if answer.status == 404:
            raise EntitlementUnknownError
        document = answer.json()
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise SourceAnswerError(where="/data", reason="an object expected")
        return statement.read(data, self._clock().date())


__all__ = ["IdentityClient", "Registration"]
