"""Compact JWS: ours read by joserfc, joserfc's read by ours, and nothing the token decides."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import (
    Ed25519Key,
    MultikeyError,
    P256Key,
    PublicKey,
    decode_multikey,
    key_of_did_key,
)
from federation.multibase import b64url

KEYS = {"Ed25519": Ed25519Key.from_seed(b"a" * 32), "P-256": P256Key.from_private_bytes(b"a" * 32)}


def part(value: object) -> str:
    return b64url(json.dumps(value).encode())


@pytest.mark.parametrize("name", KEYS)
def test_an_independent_library_reads_ours(name: str) -> None:
    key = KEYS[name]
    token = sign_jws({"é": 1}, key.signer(), typ="x+jwt")
    jwk: dict[str, Any] = dict(key.public.jwk())
    if name == "P-256":
        read = jws.deserialize_compact(token, ECKey.import_key(jwk), algorithms=["ES256"])
    else:
        with pytest.warns(SecurityWarning):
            read = jws.deserialize_compact(token, OKPKey.import_key(jwk), algorithms=["EdDSA"])
    assert json.loads(read.payload) == {"é": 1}
    assert read.headers()["kid"] == key.signer().verification_method


def test_we_read_an_independent_librarys() -> None:
    theirs = ECKey.generate_key("P-256")
    raw = theirs.as_dict(private=False)
    from federation.multibase import b64url_decode

    x, y = b64url_decode(str(raw["x"])), b64url_decode(str(raw["y"]))
    public = PublicKey.from_raw("P-256", bytes([2 + (y[-1] & 1)]) + x)
    token = jws.serialize_compact({"alg": "ES256", "typ": "x+jwt"}, b'{"a":1}', theirs)
    assert verify_jws(token, lambda _: public, typ="x+jwt").claims == {"a": 1}


@pytest.mark.parametrize("name", KEYS)
def test_the_key_names_the_algorithm_never_the_token(name: str) -> None:
    key = KEYS[name]
    body = part({"a": 1})
    for alg in ("none", "HS256", "ES256" if name == "Ed25519" else "EdDSA", "RS256", None, "", 5):
        head = part({"alg": alg, "typ": "x+jwt"})
        signature = b64url(key.sign(f"{head}.{body}".encode()))
        for last in (signature, "", b64url(b"\0" * 64)):
            with pytest.raises(JwsError):
                verify_jws(f"{head}.{body}.{last}", lambda _: key.public, typ="x+jwt")


def test_typ_crit_and_b64_are_not_the_tokens_choice() -> None:
    key = KEYS["Ed25519"]
    headers: list[Mapping[str, Any]] = [
        {"typ": "y+jwt"}, {"crit": ["exp"]}, {"b64": False}
    ]  # fmt: skip
    for header in headers:
        token = sign_jws({}, key.signer(), typ="x+jwt", header=header)
        with pytest.raises(JwsError):
            verify_jws(token, lambda _: key.public, typ="x+jwt")


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.b.c.d", "é.b.c", "!!.b.c", "e30.e30.e30=", "W10.e30.AA", "bnVsbA.e30.AA"],
)
def test_what_is_not_a_jws_is_malformed(token: str) -> None:
    with pytest.raises((JwsMalformedError, JwsError)):
        verify_jws(token, lambda _: KEYS["Ed25519"].public, typ="x+jwt")


def test_duplicate_members_are_malformed() -> None:
    key = KEYS["Ed25519"]
    head = b64url(b'{"alg":"EdDSA","typ":"x+jwt"}')
    body = b64url(b'{"a":1,"a":2}')
    token = f"{head}.{body}." + b64url(key.sign(f"{head}.{body}".encode()))
    with pytest.raises(JwsMalformedError):
        verify_jws(token, lambda _: key.public, typ="x+jwt")


@pytest.mark.parametrize(
    "text",
    [
        "", "z", "u6Mk", "z0OIl", "z" + "1" * 300, "z6Mk", "zDn",
        "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",
    ],
)  # fmt: skip
def test_what_is_not_a_public_key_is_refused(text: str) -> None:
    with pytest.raises(MultikeyError):
        decode_multikey(text)


def test_a_did_key_names_one_key() -> None:
    mine, other = (Ed25519Key.from_seed(s * 32).signer().verification_method for s in (b"1", b"2"))
    assert key_of_did_key(mine).multikey() == mine.rpartition("#")[2]
    for bad in (mine.partition("#")[0] + "#" + other.rpartition("#")[2], "did:web:a", "x"):
        with pytest.raises(MultikeyError):
            key_of_did_key(bad)
    with pytest.raises(MultikeyError):
        Ed25519Key.from_seed(b"short")
    for scalar in (b"\0" * 32, b"\xff" * 32, b"1"):
        with pytest.raises(MultikeyError):
            P256Key.from_private_bytes(scalar)
