"""The HTTP side of a login: discovery, token, keys, userinfo. All bounded, none followed
elsewhere."""

from collections.abc import Callable, Mapping
from datetime import datetime

from connectors.http import as_source_error
from connectors.identity.login import (
    Begun,
    Identity,
    LoginRefusedError,
    Provider,
    UserinfoInvalidError,
    begin,
    code_of,
    keys_of,
    verify_login,
)
from federation.wire.errors import OutboundError
from federation.wire.http import BoundedClient

MAX_BYTES = 100_000


class IdentityClient:
    """One home as a client of one provider. `client_id` is the home's address."""

    def __init__(
        self,
        client: BoundedClient,
        *,
        issuer: str,
        client_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._issuer, self._clock = client, issuer.rstrip("/"), clock
        self._client_id = client_id

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

    def begin(self, *, redirect_uri: str, level: str = "eidas1") -> tuple[str, Begun]:
        """Where to send the browser, and what to keep."""
        return begin(
            self.provider(),
            client_id=self._client_id,
            redirect_uri=redirect_uri,
            level=level,
            at=self._clock(),
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
                    "client_id": self._client_id,
                    "code_verifier": begun.verifier,
                },
                statuses=(200, 400),
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
        return verify_login(  # 3, 4
            provider,
            begun,
            id_token=id_token,
            userinfo=told.body.decode("ascii", "replace"),
            keys=keys,
            client_id=self._client_id,
            at=self._clock(),
        )


__all__ = ["IdentityClient"]
