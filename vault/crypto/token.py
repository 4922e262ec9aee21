"""Source tokens: what scheduled pulls need while the vault is locked, sealed per connector."""

from typing import Final

from cryptography.exceptions import InvalidTag

from federation.sealing import entropy
from federation.sealing.layout import Reader, head, lp
from federation.sealing.padding import bucket

from .errors import SealBrokenError
from .secret import AeadKey

_LABEL: Final = b"mobility-vault/source-token/1\x00"
_HEAD: Final = head(b"T")


def _aad(vault: str, account: str, connector: str) -> bytes:
    return b"".join((_LABEL, _HEAD, lp(vault), lp(account), lp(connector)))


def seal_token(
    token: bytes | bytearray, *, key: AeadKey, vault: str, account: str, connector: str
) -> bytes:
    """Seal a source's token under the connector's key of the home's key store.

    Layout: `"MVT" ‖ 1 ‖ key epoch u32 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-256-GCM, AAD = label
    ‖ `"MVT" ‖ 1` ‖ lp(vault) ‖ lp(account) ‖ lp(connector). Body: `schema_version u16 ‖ length u32
    ‖ token ‖ zero padding`.
    """
    size = bucket(6 + len(token))
    body = bytearray(size)
    body[:6] = b"\x00\x01" + len(token).to_bytes(4, "big")
    body[6 : 6 + len(token)] = token
    nonce = entropy.token(12)
    sealed = key.aead.encrypt(nonce, body, _aad(vault, account, connector))
    body[:] = bytes(size)
    return _HEAD + key.epoch.to_bytes(4, "big") + nonce + sealed


def open_token(
    sealed: bytes, *, key: AeadKey, vault: str, account: str, connector: str
) -> bytearray:
    """The token, which the caller zeroes.

    Raises:
        SealBrokenError: changed, or of another key, vault, account or connector.
        LayoutError: not a sealed token.
    """
    reader = Reader(sealed, "source-token")
    reader.head(b"T")
    epoch, nonce, packed = reader.uint(4), reader.take(12), reader.rest()
    if len(packed) < 16 + 6:
        raise reader.fail("truncated")
    if epoch != key.epoch:
        raise SealBrokenError("source-token")
    body = bytearray(len(packed) - 16)
    try:
        key.aead.decrypt_into(nonce, packed, _aad(vault, account, connector), body)
    except InvalidTag:
        raise SealBrokenError("source-token") from None
    inner = Reader(body, "source-token")
    if inner.uint(2) != 1:
        raise inner.fail("schema version is not known")
    token = inner.secret(inner.uint(4))
    body[:] = bytes(len(body))
    return token


__all__ = ["open_token", "seal_token"]
