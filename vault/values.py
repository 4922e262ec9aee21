"""Small sealed values of a vault that are no records: its label, manifests, quarantine notes,
disclosures that wait for a confirmation.

Layout: `epoch u32 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-256-GCM under HKDF-Expand(blob key of
the epoch, `mobility-vault/value/1`); AAD = label ‖ lp(vault) ‖ lp(place) ‖ lp(name), so a value
opens only where it was put.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing.entropy import token
from federation.sealing.layout import lp
from vault.crypto.errors import SealBrokenError
from vault.crypto.keyring import Keyring
from vault.crypto.secret import expand, zero

__all__ = ["open_value", "seal_value"]

_LABEL: Final = b"mobility-vault/value/1\x00"


def _cipher(keyring: Keyring, epoch: int) -> AESGCM:
    key = expand(keyring.blob_key(epoch=epoch).view, _LABEL)
    cipher = AESGCM(key)
    zero(key)
    return cipher


def _aad(keyring: Keyring, place: str, name: str) -> bytes:
    return _LABEL + lp(keyring.vault) + lp(place) + lp(name)


def seal_value(keyring: Keyring, data: bytes, *, place: str, name: str) -> bytes:
    epoch, nonce = keyring.blob_key().epoch, token(12)
    sealed = _cipher(keyring, epoch).encrypt(nonce, data, _aad(keyring, place, name))
    return epoch.to_bytes(4, "big") + nonce + sealed


def open_value(keyring: Keyring, sealed: bytes, *, place: str, name: str) -> bytes:
    """Raises SealBrokenError: altered, or put elsewhere."""
    cipher = _cipher(keyring, int.from_bytes(sealed[:4], "big"))
    try:
        return cipher.decrypt(sealed[4:16], sealed[16:], _aad(keyring, place, name))
    except InvalidTag:
        raise SealBrokenError("value") from None
