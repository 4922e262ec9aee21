"""A relying party of OpenID Connect: its keys, what it sends, what it checks. Pure steps.

(1) the discovery document; (2) what it registers; (3) the address to send the browser to, with
PKCE, `state` and `nonce`; (4) the answer, with its issuer (RFC 9207); (5) tokens for the code,
proven by a key of its own, by the secret the provider gave it, or by nothing (a public client),
and bound to another key where the provider can (RFC 7523, 9449); (6) the ID token; (7) claims: in
clear, signed, or signed and sealed to its encryption key. HTTP is its caller's.
Source: OpenID Connect Core 1.0, RFC 6749, 7523, 7591, 7636, 9207, 9449.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode

from connectors.errors import ConnectorError
from connectors.identity.keys import keys_of
from connectors.parsing import load_json
from federation.dpop import prove
from federation.jose import JwsError, JwsMalformedError, VerificationKey, sign_jws, verify_jws
from federation.jwe import DecryptionKey, JweError, JweMalformedError
from federation.keys import P256Key
from schemas.errors import Refused

__all__ = ["Begun", "Claims", "ProviderRefusedError", "RelyingParty"]

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PRIVATE_KEY: Final = "private_key_jwt"
SECRET_POST: Final = "client_secret_post"  # noqa: S105  # a method's name
SECRET_BASIC: Final = "client_secret_basic"  # noqa: S105  # a method's name
PUBLIC: Final = "none"
MAX_CLAIMS: Final = 400_000
_SKEW_S: Final = 60


class ProviderRefusedError(ConnectorError, Refused):
    """What came back is not what was asked for, or the provider says no; its message is the
    provider's error code, or what is wrong."""

    code = "provider-refused"


@dataclass(frozen=True, slots=True)
class Begun:
    """A login under way; kept with the browser's session."""

    state: str
    nonce: str
    verifier: str
    scope: str

    def __repr__(self) -> str:
        return "Begun(***)"


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of somebody."""

    values: Mapping[str, Any] = field(repr=False)
    is_signed: bool
    """By a key of the provider, for this client; False: only its TLS speaks for them."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One client towards one provider."""

    client_id: str
    redirect_uri: str
    metadata: Mapping[str, Any] = field(repr=False)
    """The provider's discovery document."""
    key: P256Key = field(repr=False)
    """Proves the client."""
    bound: P256Key = field(repr=False)
    """Its tokens are bound to this one."""
    opening: DecryptionKey | None = field(default=None, repr=False)
    """Claims are sealed to this one; None: they come in clear to whoever holds the token."""
    auth: str = PRIVATE_KEY
    secret: str = field(default="", repr=False)
    """Given by the provider at registration; empty with `private_key_jwt` and for a public client.
    """
    binds: bool = True
    """Its tokens are bound to a key (DPoP)."""

    @classmethod
    def make(
        cls,
        client_id: str,
        redirect_uri: str,
        metadata: Mapping[str, Any],
        *,
        secret: bytes,
        sealed: bool = True,
    ) -> Self:
        """With keys derived from one 32-byte secret: the same after a restart."""
        return cls(
            client_id,
            redirect_uri,
            metadata,
            key=_key(secret, b"proves"),
            bound=_key(secret, b"bound"),
            opening=DecryptionKey.derive(secret, b"relying-party") if sealed else None,
        )

    @classmethod
    def suited(
        cls, redirect_uri: str, metadata: Mapping[str, Any], *, secret: bytes, client_id: str = ""
    ) -> Self:
        """The strongest that this provider can: its own keys before a secret before nothing, DPoP
        and sealed claims where it offers them."""
        can = _listed(metadata, "token_endpoint_auth_methods_supported", (SECRET_BASIC,))
        order = (PRIVATE_KEY, SECRET_POST, SECRET_BASIC, PUBLIC)
        auth = next((method for method in order if method in can), SECRET_BASIC)
        if auth == PRIVATE_KEY and "ES256" not in _listed(
            metadata, "token_endpoint_auth_signing_alg_values_supported", ("ES256",)
        ):
            auth = next((method for method in order[1:] if method in can), SECRET_BASIC)
        seals = "ECDH-ES" in _listed(metadata, "userinfo_encryption_alg_values_supported", ()) and (
            "A256GCM" in _listed(metadata, "userinfo_encryption_enc_values_supported", ())
        )
        return cls(
            client_id,
            redirect_uri,
            metadata,
            key=_key(secret, b"proves"),
            bound=_key(secret, b"bound"),
            opening=DecryptionKey.derive(secret, b"relying-party") if seals else None,
            auth=auth,
            binds="ES256" in _listed(metadata, "dpop_signing_alg_values_supported", ()),
        )

    def description(self, *, name: str, purpose: str, scope: str, **more: Any) -> dict[str, Any]:
        """Step 2 (RFC 7591)."""
        keys: list[dict[str, Any]] = [
            {**self.key.public.jwk(), "use": "sig", "alg": "ES256", "kid": "1"}
        ]
        if self.opening is not None:
            keys.append(dict(self.opening.jwk(kid="2")))
        return {
            "client_name": name,
            "purpose": purpose,
            "redirect_uris": [self.redirect_uri],
            "token_endpoint_auth_method": self.auth,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "jwks": {"keys": keys},
            "scope": scope,
            **(
                {
                    "userinfo_signed_response_alg": "ES256",
                    "userinfo_encrypted_response_alg": "ECDH-ES",
                    "userinfo_encrypted_response_enc": "A256GCM",
                }
                if self.opening is not None
                else {}
            ),
            **more,
        }

    def begin(self, scope: str, **more: str) -> tuple[str, Begun]:
        """Step 3: the address, and what to keep until the browser is back."""
        begun = Begun(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            scope=scope,
        )
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _b64(hashlib.sha256(begun.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.metadata['authorization_endpoint']}?{urlencode(query)}", begun

    def code_of(self, begun: Begun, query: Mapping[str, str]) -> str:
        """Step 4.

        Raises:
            ProviderRefusedError: an error, another login, another provider.
        """
        names_itself = self.metadata.get("authorization_response_iss_parameter_supported") is True
        issuer = query.get("iss", None if names_itself else self.metadata["issuer"])
        if query.get("state") != begun.state or issuer != self.metadata["issuer"]:
            raise ProviderRefusedError("the answer belongs to another login or provider")
        if "error" in query:
            raise ProviderRefusedError(query["error"][:100])
        if not query.get("code"):
            raise ProviderRefusedError("the answer has no code")
        return query["code"]

    def code_form(self, code: str, begun: Begun, *, at: datetime) -> dict[str, str]:
        """Step 5: the form for the token endpoint."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": begun.verifier,
            **self.proven(at=at),
        }

    def refresh_form(self, refresh_token: str, *, at: datetime) -> dict[str, str]:
        """The form for the next tokens."""
        return {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            **self.proven(at=at),
        }

    def proven(self, *, at: datetime) -> dict[str, str]:
        """Members of a form that prove the client (RFC 7523); with `client_secret_basic` they are
        in the header (`headers`)."""
        if self.auth == SECRET_BASIC:
            return {}
        if self.auth != PRIVATE_KEY:
            return {
                "client_id": self.client_id,
                **({"client_secret": self.secret} if self.auth == SECRET_POST else {}),
            }
        now = int(at.timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.metadata["issuer"],
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": sign_jws(claims, self.key.signer(), typ="JWT", kid="1"),
        }

    def headers(self, endpoint: str, *, at: datetime) -> dict[str, str]:
        """Header fields of a form posted to one of the provider's endpoints."""
        found = {}
        if self.auth == SECRET_BASIC:  # RFC 6749 §2.3.1: each part form-encoded first
            pair = ":".join(
                urlencode({"": part})[1:] for part in (self.client_id, self.secret)
            ).encode()
            found["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if self.binds and endpoint == "token_endpoint":
            found["DPoP"] = self.proof(endpoint, method="POST", at=at)
        return found

    def access_headers(self, access_token: str, *, at: datetime) -> dict[str, str]:
        """Header fields that open the userinfo endpoint."""
        if not self.binds:
            return {"Authorization": f"Bearer {access_token}"}
        proof = self.proof("userinfo_endpoint", method="GET", at=at, access_token=access_token)
        return {"Authorization": f"DPoP {access_token}", "DPoP": proof}

    def proof(
        self, endpoint: str, *, method: str, at: datetime, access_token: str | None = None
    ) -> str:
        """The DPoP header for a call to one of the provider's endpoints."""
        return prove(
            self.bound.signer(),
            method=method,
            url=str(self.metadata[endpoint]),
            at=at,
            number=secrets.token_urlsafe(16),
            access_token=access_token,
        )

    def read_id_token(
        self, token: str, jwks: Mapping[str, Any], *, nonce: str | None, at: datetime
    ) -> Mapping[str, Any]:
        """Step 6 (OpenID Connect Core §3.1.3.7).

        Raises:
            ProviderRefusedError: not signed by the provider, or not for this login.
        """
        claims = self._signed(token, jwks)
        until = claims.get("exp")
        if (
            claims.get("nonce") != nonce
            or type(until) is not int
            or not until > at.timestamp() - _SKEW_S
            or not isinstance(claims.get("sub"), str)
        ):
            raise ProviderRefusedError("the ID token is not for this login")
        return claims

    def read_claims(
        self, body: bytes, jwks: Mapping[str, Any], *, subject: str, is_json: bool = False
    ) -> Claims:
        """Step 7. `is_json`: they came in clear, as JSON.

        Raises:
            ProviderRefusedError: not signed by the provider, not for this client, or about somebody
                else; or in clear, where they were to be sealed.
        """
        if self.opening is None and is_json:
            try:
                found = load_json(body, max_bytes=MAX_CLAIMS)
            except ConnectorError:
                raise ProviderRefusedError("the claims are unreadable") from None
            claims: Mapping[str, Any] = found if isinstance(found, dict) else {}
        else:
            claims = self._signed(self._opened(body.decode("ascii", "replace")), jwks)
        if claims.get("sub") != subject:
            raise ProviderRefusedError("the claims are about somebody else")
        return Claims(claims, is_signed=not (self.opening is None and is_json))

    def read_logout(
        self, token: str, jwks: Mapping[str, Any], *, at: datetime
    ) -> Mapping[str, Any]:
        """A back-channel logout token (Back-Channel Logout 1.0 §2.6). Raises as `read_id_token`."""
        claims = self._signed(token, jwks, typ="logout+jwt")
        fresh = timedelta(minutes=2).total_seconds() + 30
        made = claims.get("iat")
        if (
            "nonce" in claims
            or "http://schemas.openid.net/event/backchannel-logout" not in claims.get("events", {})
            or type(made) is not int
            or not abs(made - at.timestamp()) <= fresh
        ):
            raise ProviderRefusedError("not a logout token for this service")
        return claims

    def _opened(self, token: str) -> str:
        if self.opening is None:
            return token
        try:
            return self.opening.decrypt(token, max_chars=MAX_CLAIMS).decode("ascii", "replace")
        except (JweError, JweMalformedError):
            raise ProviderRefusedError("the claims are not sealed to this client") from None

    def _signed(
        self, token: str, jwks: Mapping[str, Any], *, typ: str | None = None
    ) -> Mapping[str, Any]:
        keys = keys_of(jwks)

        def key_of(header: Mapping[str, Any]) -> VerificationKey:
            found = keys.get(str(header.get("kid", "")))
            if found is None:
                raise ProviderRefusedError("signed by another key")
            return found

        try:
            claims = verify_jws(
                token, key_of, typ=typ or "JWT", typ_required=typ is not None, max_chars=MAX_CLAIMS
            ).claims
        except (JwsError, JwsMalformedError):
            raise ProviderRefusedError("not signed by the provider") from None
        audience = claims.get("aud")
        if claims.get("iss") != self.metadata["issuer"] or audience not in (
            self.client_id,
            [self.client_id],
        ):
            raise ProviderRefusedError("signed for somebody else")
        return claims


def _listed(metadata: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = metadata.get(name)
    return tuple(map(str, found)) if isinstance(found, list) else default


def _key(secret: bytes, label: bytes) -> P256Key:
    digest = hashlib.sha256(b"mobility-vault/relying-party\x00" + label + secret).digest()
    return P256Key.from_private_bytes(digest)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
