"""The home's key for tokens that a provider encrypts: published, named at the habilitation."""

from typing import Any, Final, Protocol

from federation.jwe import DecryptionKey

__all__ = ["JWKS_PATH", "identity_key", "published"]

JWKS_PATH: Final = "/identite/cles.json"
KID: Final = "identite-1"


class Secrets(Protocol):
    """The home's key store, as far as needed here."""

    def secret(self, name: str) -> bytes:
        """32 bytes, made at first use."""


def identity_key(store: Secrets) -> DecryptionKey:
    """P-256, derived from a secret of the home's key store: the same after a restart."""
    return DecryptionKey.derive(store.secret("identity"), b"identity")


def published(store: Secrets) -> dict[str, Any]:
    """The JWK set to give the provider (ECDH-ES with A256GCM)."""
    return {"keys": [identity_key(store).jwk(kid=KID)]}
