"""Verification links: a signed usage proof that a paper's QR opens, and nothing at rest does.

The citizen prints an attestation; its QR carries a random secret. The home keeps the proof sealed
under a key that only the secret gives, filed under a name that only the secret gives: a stolen
database shows how many papers stand and until when. Made for links that live in print, so the
secret is 32 random bytes and the proof holds predicates only (no place, no hour, no trip).
"""

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federation.sealing import entropy
from federation.sealing.layout import Reader, head, lp
from federation.sealing.padding import bucket

from .errors import SealBrokenError

__all__ = ["LINK_SECRET_SIZE", "link_id", "open_link", "seal_link"]

LINK_SECRET_SIZE: Final = 32
_ID_LABEL: Final = b"mobility-vault/verify-link-id/1\x00"
_KEY_LABEL: Final = b"mobility-vault/verify-link-key/1\x00"
_AAD_LABEL: Final = b"mobility-vault/verify-link/1\x00"
_HEAD: Final = head(b"V")


def link_id(secret: bytes) -> bytes:
    """The 16 bytes a link is filed under: start of SHA-256(label ‖ secret)."""
    return sha256(_ID_LABEL + secret).digest()[:16]


def seal_link(proof: bytes, *, secret: bytes, vault: str) -> bytes:
    """Seal a signed proof under a link's secret.

    Layout: `"MVV" ‖ 1 ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-256-GCM, key = HKDF-SHA-256(secret,
    info = label), AAD = label ‖ `"MVV" ‖ 1` ‖ lp(vault) ‖ link id. Body: `schema_version u16 ‖
    length u32 ‖ proof ‖ zero padding` to a bucket.
    """
    body = bytearray(bucket(6 + len(proof)))
    body[:6] = b"\x00\x01" + len(proof).to_bytes(4, "big")
    body[6 : 6 + len(proof)] = proof
    nonce = entropy.token(12)
    return _HEAD + nonce + _aead(secret).encrypt(nonce, bytes(body), _aad(vault, secret))


def open_link(sealed: bytes, *, secret: bytes, vault: str) -> bytes:
    """The signed proof.

    Raises:
        SealBrokenError: changed, or of another secret or vault.
        LayoutError: not a sealed link.
    """
    reader = Reader(sealed, "verify-link")
    reader.head(b"V")
    nonce, packed = reader.take(12), reader.rest()
    try:
        body = _aead(secret).decrypt(nonce, packed, _aad(vault, secret))
    except InvalidTag:
        raise SealBrokenError("verify-link") from None
    length = int.from_bytes(body[2:6], "big")
    if body[:2] != b"\x00\x01" or length > len(body) - 6:
        raise reader.fail("length or version")
    return body[6 : 6 + length]


def _aead(secret: bytes) -> AESGCM:
    if len(secret) != LINK_SECRET_SIZE:
        raise SealBrokenError("verify-link")
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_LABEL).derive(secret))


def _aad(vault: str, secret: bytes) -> bytes:
    return b"".join((_AAD_LABEL, _HEAD, lp(vault), link_id(secret)))
