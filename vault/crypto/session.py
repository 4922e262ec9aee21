"""Session rows: the root key of an unlocked vault, sealed so that only cookie and home together
open it.

The cookie's secret is not in the database, the session key is not in the cookie: neither half opens
anything alone, and every worker of the home can serve every request.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.layout import Reader, head, lp, to_ms

from .errors import SealBrokenError
from .secret import KEY_SIZE, RootKey, Secret, derive, zero

_LABEL: Final = b"mobility-vault/session/1\x00"
_ID_LABEL: Final = b"mobility-vault/session-id/1\x00"
_HEAD: Final = head(b"C")


class CookieSecret(Secret):
    """256 random bits that live in the citizen's cookie."""

    __slots__ = ()


def new_cookie_secret() -> CookieSecret:
    """A fresh cookie secret, for each unlock."""
    return CookieSecret.random()


def session_id(cookie: Secret) -> bytes:
    """The row's key: SHA-256(label ‖ cookie secret), 32 bytes. Leads nowhere back."""
    hasher = sha256(_ID_LABEL)
    hasher.update(cookie.view)
    return hasher.digest()


def _cipher(cookie: Secret, session_key: bytes | bytearray, aad: bytes) -> AESGCM:
    joined = cookie.copy() + session_key
    key = derive(joined, salt=None, info=aad, size=KEY_SIZE)
    cipher = AESGCM(key)
    zero(joined, key)
    return cipher


def _aad(vault: str, expires_at: datetime) -> bytes:
    return b"".join((_LABEL, _HEAD, lp(vault), to_ms(expires_at).to_bytes(8, "big")))


def seal_session(
    root: RootKey,
    *,
    cookie: Secret,
    session_key: bytes | bytearray,
    vault: str,
    expires_at: datetime,
) -> bytes:
    """What the session row holds.

    Layout: `"MVC" ‖ 1 ‖ nonce(12) ‖ root(32) ‖ tag(16)`, 64 bytes. K_s = HKDF-SHA256(no salt, ikm =
    cookie secret(32) ‖ session key(32), info = AAD), AES-256-GCM, AAD = label ‖ `"MVC" ‖ 1` ‖
    lp(vault) ‖ absolute expiry u64: a row whose absolute expiry was moved does not open. Idle
    expiry is the store's.
    """
    aad = _aad(vault, expires_at)
    nonce = entropy.token(12)
    return _HEAD + nonce + _cipher(cookie, session_key, aad).encrypt(nonce, root.view, aad)


def open_session(
    sealed: bytes,
    *,
    cookie: Secret,
    session_key: bytes | bytearray,
    vault: str,
    expires_at: datetime,
) -> RootKey:
    """The root key of a session row.

    Raises:
        SealBrokenError: another cookie, home, vault or expiry.
        LayoutError: not a session row.
    """
    reader = Reader(sealed, "session")
    reader.head(b"C")
    nonce, wrapped = reader.take(12), reader.take(KEY_SIZE + 16)
    reader.end()
    aad = _aad(vault, expires_at)
    root = bytearray(KEY_SIZE)
    try:
        _cipher(cookie, session_key, aad).decrypt_into(nonce, wrapped, aad, root)
    except InvalidTag:
        raise SealBrokenError("session") from None
    return RootKey(root)


__all__ = ["CookieSecret", "new_cookie_secret", "open_session", "seal_session", "session_id"]
