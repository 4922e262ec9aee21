"""Clients that a provider of the sandbox admits by name: the counter of a federation that takes
none unknown.

The fields are RFC 7591's; the answer is the client's id and secret. Tokens are signed RS256 and,
for a client that registered a key, encrypted to it.
"""

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import BaseModel, ConfigDict, Field

from federation.jwe import encrypt_jwe
from federation.multibase import b64url

__all__ = ["RegistrationRequest", "Registrations", "RsaSigner"]

KID: Final = "rs-1"
MAX_CLIENTS: Final = 1_000


class RegistrationRequest(BaseModel):
    """What a home tells at the counter."""

    model_config = ConfigDict(extra="forbid")

    redirect_uris: list[str] = Field(min_length=1, max_length=10)
    post_logout_redirect_uris: list[str] = Field(default=[], max_length=10)
    jwks: dict[str, Any] | None = None
    """Its key for encrypted tokens: one P-256 key of use `enc`."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A client on file."""

    secret: str
    redirect_uris: tuple[str, ...]
    post_logout: tuple[str, ...]
    encrypt_to: Mapping[str, Any] | None


class RsaSigner:
    """Signs tokens RS256; the key lives with the process."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        """The public half."""
        numbers = self._key.public_key().public_numbers()
        n, e = (
            b64url(value.to_bytes((value.bit_length() + 7) // 8))
            for value in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "n": n, "e": e, "kid": KID, "use": "sig", "alg": "RS256"}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWS without `typ`, as OpenID Connect allows."""
        head = b64url(json.dumps({"alg": "RS256", "kid": KID}).encode())
        text = f"{head}.{b64url(json.dumps(claims).encode())}"
        return f"{text}.{b64url(self._key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


class Registrations:
    """Clients by id, and how tokens reach each."""

    def __init__(self) -> None:
        self.signer = RsaSigner()
        self._clients: dict[str, Registered] = {}
        self._lock = threading.Lock()

    def add(self, asked: RegistrationRequest) -> tuple[str, str]:
        """Its id and its secret."""
        client_id, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
        keys = (asked.jwks or {}).get("keys", [])
        found = Registered(
            secret,
            tuple(asked.redirect_uris),
            tuple(asked.post_logout_redirect_uris),
            keys[0] if keys else None,
        )
        with self._lock:
            while len(self._clients) >= MAX_CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            self._clients[client_id] = found
        return client_id, secret

    def get(self, client_id: str) -> Registered | None:
        """The client of that id."""
        with self._lock:
            return self._clients.get(client_id)

    def token(self, client_id: str, claims: Mapping[str, Any], *, encrypted: bool) -> str:
        """A signed token; around it, where the client has a key, an encrypted one."""
        signed = self.signer.sign(claims)
        client = self.get(client_id)
        if not encrypted or client is None or client.encrypt_to is None:
            return signed
        return encrypt_jwe(signed.encode(), to=client.encrypt_to)
