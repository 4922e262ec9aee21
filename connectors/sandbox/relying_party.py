"""A fictitious service that asks for the passport: its keys, what it sends, what it checks.

Pure steps, as an engineer would write them from OpenID Connect Core 1.0: (1) discovery; (2) the
address to send the browser to, with PKCE, `state` and `nonce`; (3) the answer, with its issuer (RFC
9207); (4) tokens for the code, proven by a key of its own and bound to another (RFC 7523, 9449);
(5) the ID token; (6) claims, opened with its encryption key and verified. HTTP is its caller's.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode

from federation.dpop import prove
from federation.jose import sign_jws, verify_jws
from federation.jwe import DecryptionKey
from federation.keys import P256Key, PublicKey, key_of_jwk
from schemas.errors import MobilityError, Refused

__all__ = ["Begun", "ProviderRefusedError", "RelyingParty"]

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_CLAIMS: Final = 400_000


class ProviderRefusedError(MobilityError, Refused):
    """What came back is not what was asked for."""

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
class RelyingParty:
    """One service towards one provider."""

    client_id: str
    redirect_uri: str
    metadata: Mapping[str, Any]
    """The provider's discovery document."""
    key: P256Key = field(repr=False)
    """Proves the service."""
    bound: P256Key = field(repr=False)
    """Its tokens are bound to this one."""
    opening: DecryptionKey | None = field(default=None, repr=False)
    """Claims are sealed to this one; None: they come in clear to whoever holds the token."""

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

    def description(self, *, name: str, purpose: str, scope: str, **more: Any) -> dict[str, Any]:
        """What it registers (RFC 7591)."""
        keys: list[dict[str, Any]] = [
            {**self.key.public.jwk(), "use": "sig", "alg": "ES256", "kid": "1"}
        ]
        if self.opening is not None:
            keys.append(dict(self.opening.jwk(kid="2")))
        return {
            "client_name": name,
            "purpose": purpose,
            "redirect_uris": [self.redirect_uri],
            "token_endpoint_auth_method": "private_key_jwt",
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
        """Step 2: the address, and what to keep until the browser is back."""
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
        """Step 3.

        Raises:
            ProviderRefusedError: an error, another login, another provider.
        """
        if query.get("state") != begun.state or query.get("iss") != self.metadata["issuer"]:
            raise ProviderRefusedError("the answer belongs to another login or provider")
        if "error" in query:
            raise ProviderRefusedError(query["error"])
        return query.get("code", "")

    def code_form(self, code: str, begun: Begun, *, at: datetime) -> dict[str, str]:
        """Step 4: the form for the token endpoint."""
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
        """Members that prove the service (RFC 7523)."""
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
        """Step 5 (OpenID Connect Core §3.1.3.7). Raises JwsError, ProviderRefusedError."""
        claims = verify_jws(token, _keys(jwks), typ="JWT").claims
        wrong = (
            claims.get("iss") != self.metadata["issuer"]
            or claims.get("aud") != self.client_id
            or claims.get("nonce") != nonce
            or not int(claims["exp"]) > at.timestamp() - 60
        )
        if wrong:
            raise ProviderRefusedError("the ID token is not for this login")
        return claims

    def read_claims(
        self, body: bytes, jwks: Mapping[str, Any], *, subject: str
    ) -> Mapping[str, Any]:
        """Step 6. Raises JweError, JwsError, ProviderRefusedError."""
        if self.opening is None:
            claims: Mapping[str, Any] = json.loads(body)
        else:
            signed = self.opening.decrypt(body.decode(), max_chars=_MAX_CLAIMS).decode()
            claims = verify_jws(signed, _keys(jwks), typ="JWT").claims
            if claims.get("iss") != self.metadata["issuer"] or claims.get("aud") != self.client_id:
                raise ProviderRefusedError("the claims are for somebody else")
        if claims.get("sub") != subject:
            raise ProviderRefusedError("the claims are about somebody else")
        return claims

    def read_logout(
        self, token: str, jwks: Mapping[str, Any], *, at: datetime
    ) -> Mapping[str, Any]:
        """A back-channel logout token (Back-Channel Logout 1.0 §2.6). Raises as `read_id_token`."""
        claims = verify_jws(token, _keys(jwks), typ="logout+jwt").claims
        fresh = timedelta(minutes=2).total_seconds() + 30
        wrong = (
            claims.get("iss") != self.metadata["issuer"]
            or claims.get("aud") != self.client_id
            or "nonce" in claims
            or "http://schemas.openid.net/event/backchannel-logout" not in claims.get("events", {})
            or not abs(int(claims["iat"]) - at.timestamp()) <= fresh
        )
        if wrong:
            raise ProviderRefusedError("not a logout token for this service")
        return claims


def _key(secret: bytes, label: bytes) -> P256Key:
    digest = hashlib.sha256(b"mobility-vault/sandbox/relying-party\x00" + label + secret).digest()
    return P256Key.from_private_bytes(digest)


def _keys(jwks: Mapping[str, Any]) -> Any:
    known = {str(jwk.get("kid", "")): key_of_jwk(jwk) for jwk in jwks["keys"]}

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        found = known.get(str(header.get("kid", "")))
        if found is None:
            raise ProviderRefusedError("signed by another key")
        return found

    return key_of


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
