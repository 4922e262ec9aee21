"""Sealing, against the bare cipher on the same bytes."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing.box import seal
from tests.bench.conftest import Bench
from vault.crypto.box_key import BoxPrivateKey

pytestmark = pytest.mark.bench

RECORD = os.urandom(1400) + b'{"@context":"https://w3id.org/mobility-vault/v1"}' * 12
"""About the size of a trip with three legs."""


def test_sealing_to_a_drop_box(bench: Bench) -> None:
    private = BoxPrivateKey.generate()
    public = private.public
    cipher, nonce = AESGCM(AESGCM.generate_key(256)), bytes(12)
    bench.compare(
        "seal (2 kB to the drop-box) / AES-256-GCM",
        lambda: seal(RECORD, to=public, info=b"bench"),
        lambda: cipher.encrypt(nonce, RECORD, b"bench"),
        inner=20,
        reference_inner=500,
    )
    sealed = seal(RECORD, to=public, info=b"bench")
    encrypted = cipher.encrypt(nonce, RECORD, b"bench")
    bench.compare(
        "open (2 kB from the drop-box) / AES-256-GCM",
        lambda: private.open(sealed, info=b"bench"),
        lambda: cipher.decrypt(nonce, encrypted, b"bench"),
        inner=20,
        reference_inner=500,
    )
    bench.put(
        "seal overhead", len(sealed) - len(RECORD), "bytes", reference=len(encrypted) - len(RECORD)
    )
