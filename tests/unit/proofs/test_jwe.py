"""Encrypted answers: ECDH-ES as RFC 7518 computes it, read by another library and it by us."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.jwk import ECKey

from federation.jwe import (
    ENCRYPTIONS,
    DecryptionKey,
    JweError,
    JweMalformedError,
    _agree,
    _recipient,
    encrypt_jwe,
)
from federation.multibase import b64url, b64url_decode

KEY = DecryptionKey.derive(b"s" * 32, b"request-1")
TEXT = b'{"vp_token":{"usage":[{}]}}'
MAX = 100_000

# RFC 7518, appendix C.
ALICE = {
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
}
BOB = {
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
}


def test_the_key_agreed_is_the_one_of_rfc_7518() -> None:
    own = ec.derive_private_key(int.from_bytes(b64url_decode(ALICE["d"])), ec.SECP256R1())
    key = _agree(own, _recipient(BOB), "A128GCM", b"Alice", b"Bob")
    assert b64url(key) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.mark.parametrize("method", ENCRYPTIONS)
def test_what_is_encrypted_comes_back(method: str) -> None:
    token = encrypt_jwe(TEXT, to=KEY.jwk(kid="k"), encryption=method, apu=b"home", apv=b"nonce")
    assert KEY.decrypt(token, max_chars=MAX) == TEXT
    assert json.loads(b64url_decode(token.split(".")[0]))["kid"] == "k"


@pytest.mark.parametrize("method", ENCRYPTIONS)
def test_another_library_reads_ours_and_we_its(method: str) -> None:
    scalar = 1234567891011121314
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    theirs = ECKey.import_key(private)
    token = encrypt_jwe(TEXT, to=theirs.as_dict(private=False), encryption=method)
    assert jwe.decrypt_compact(token, theirs, algorithms=["ECDH-ES", method]).plaintext == TEXT
    header = {"alg": "ECDH-ES", "enc": method, "apu": b64url(b"a"), "apv": b64url(b"b")}
    public = ECKey.import_key(KEY.jwk(kid="k"))
    made = jwe.encrypt_compact(header, TEXT, public, algorithms=["ECDH-ES", method])
    assert KEY.decrypt(made, max_chars=MAX) == TEXT


def test_a_key_is_of_one_request() -> None:
    token = encrypt_jwe(TEXT, to=KEY.jwk(kid="k"))
    assert DecryptionKey.derive(b"s" * 32, b"request-1").jwk(kid="k") == KEY.jwk(kid="k")
    for other in (
        DecryptionKey.derive(b"s" * 32, b"request-2"),
        DecryptionKey.derive(b"t" * 32, b"request-1"),
        DecryptionKey.generate(),
    ):
        with pytest.raises(JweError):
            other.decrypt(token, max_chars=MAX)
    assert "***" in repr(KEY)


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_a_changed_bit_is_refused(part: int) -> None:
    parts = encrypt_jwe(TEXT, to=KEY.jwk(kid="k")).split(".")
    raw = bytearray(b64url_decode(parts[part]))
    if part == 0:
        raw = bytearray(bytes(raw).replace(b'"k"', b'"l"'))
    else:
        raw[0] ^= 1
    parts[part] = b64url(bytes(raw))
    with pytest.raises(JweError):
        KEY.decrypt(".".join(parts), max_chars=MAX)


HEADERS: dict[str, dict[str, Any]] = {
    "wrapped-key": {"alg": "ECDH-ES+A256KW"},
    "rsa": {"alg": "RSA-OAEP"},
    "password": {"alg": "PBES2-HS256+A128KW"},
    "none": {"alg": "none"},
    "cbc": {"enc": "A128CBC-HS256"},
    "enc-no-text": {"enc": ["A128GCM"]},
    "compressed": {"zip": "DEF"},
    "critical": {"crit": ["exp"], "exp": 1},
    "no-epk": {"epk": None},
    "off-curve": {"epk": {**BOB, "y": BOB["x"]}},
    "other-curve": {"epk": {"kty": "OKP", "crv": "X25519", "x": BOB["x"]}},
    "private-epk": {"epk": {**BOB, "d": ALICE["d"]}},
    "apu-no-text": {"apu": 1},
    "apv-no-base64": {"apv": "é"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_another_kind_of_message_is_refused_by_its_header(name: str) -> None:
    parts = encrypt_jwe(TEXT, to=KEY.jwk(kid="k")).split(".")
    header = {**json.loads(b64url_decode(parts[0])), **HEADERS[name]}
    parts[0] = b64url(json.dumps(header).encode())
    with pytest.raises(JweMalformedError):
        KEY.decrypt(".".join(parts), max_chars=MAX)


@pytest.mark.parametrize(
    "token", ["", "a.b.c", "a.b.c.d.e", "....", "e30....", "é....", "W10....", "e30.AA.AA.AA.AA"]
)
def test_what_is_no_message_is_refused(token: str) -> None:
    with pytest.raises(JweMalformedError):
        KEY.decrypt(token, max_chars=MAX)


def test_a_message_over_the_limit_is_not_opened() -> None:
    token = encrypt_jwe(b"x" * 1000, to=KEY.jwk(kid="k"))
    with pytest.raises(JweMalformedError):
        KEY.decrypt(token, max_chars=1000)


@pytest.mark.parametrize("key", [{}, {"kty": "RSA"}, {**BOB, "x": "AA"}, {**BOB, "d": "AA"}, None])
def test_nothing_is_encrypted_to_what_is_no_key(key: Any) -> None:
    with pytest.raises(JweMalformedError):
        encrypt_jwe(TEXT, to=key)
    with pytest.raises(JweMalformedError):
        encrypt_jwe(TEXT, to=BOB, encryption="A192GCM")


def test_the_tag_is_not_shortened() -> None:
    parts = encrypt_jwe(TEXT, to=KEY.jwk(kid="k")).split(".")
    parts[4] = b64url(base64.urlsafe_b64decode(parts[4] + "==")[:12])
    with pytest.raises(JweMalformedError):
        KEY.decrypt(".".join(parts), max_chars=MAX)
