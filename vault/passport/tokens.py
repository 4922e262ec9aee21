"""Codes and tokens: random, kept as hashes; refresh tokens numbered, so that a copy shows.

code, access token   43 characters: 32 random bytes, base64url; the row knows their SHA-256
refresh token        48 characters: family(16) ‖ number(4) ‖ tag(16), base64url; the tag is
                     HMAC under the home's key, so a stolen database makes none
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from federation.multibase import EncodingError, b64url, b64url_decode
from federation.sealing import entropy
from vault.key_store import HomeSeal

__all__ = [
    "ACCESS_TERM",
    "CODE_KEPT",
    "CODE_TERM",
    "RefreshToken",
    "new_family",
    "new_secret",
    "seal_under",
    "token_hash",
    "unseal_under",
]

CODE_TERM: Final = timedelta(seconds=60)
CODE_KEPT: Final = timedelta(minutes=10)
"""How long a used code is remembered, so that a second use ends what came of the first."""
ACCESS_TERM: Final = timedelta(minutes=10)
_FAMILY: Final = 16


def new_secret() -> str:
    """A code or an access token."""
    return b64url(entropy.token(32))


def new_family() -> bytes:
    """Name of a line of tokens that came of one agreement."""
    return entropy.token(_FAMILY)


def token_hash(secret: str) -> bytes:
    """What the row knows."""
    return hashlib.sha256(b"mobility-vault/passport-token/1\x00" + secret.encode()).digest()


def _seal_of(secret: str) -> HomeSeal:
    return HomeSeal(
        hashlib.sha256(b"mobility-vault/passport-snapshot/1\x00" + secret.encode()).digest()
    )


def seal_under(secret: str, plaintext: bytes) -> bytes:
    """Seal so that only who shows the token has it read."""
    return _seal_of(secret).seal(plaintext, purpose="passport/snapshot", aad=b"")


def unseal_under(secret: str, sealed: bytes) -> bytes:
    """Raises KeyStoreError: sealed under another token."""
    return _seal_of(secret).open(sealed, purpose="passport/snapshot", aad=b"")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One token of a line."""

    family: bytes
    number: int

    def text(self, seal: HomeSeal) -> str:
        """As the service keeps it."""
        return b64url(self.family + self.number.to_bytes(4) + self._tag(seal))

    def _tag(self, seal: HomeSeal) -> bytes:
        return seal.tag(self.family.hex(), str(self.number), purpose="passport/refresh")

    @classmethod
    def read(cls, text: str, seal: HomeSeal) -> "RefreshToken | None":
        """None: not a token that this home made."""
        try:
            raw = b64url_decode(text) if len(text) == 48 else b""
        except EncodingError:
            return None
        if len(raw) != 36:
            return None
        found = cls(raw[:_FAMILY], int.from_bytes(raw[_FAMILY:20]))
        return found if hmac.compare_digest(raw[20:], found._tag(seal)) else None
