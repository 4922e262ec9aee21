"""VC-JWT: a foreign issuer's credential in a JWT is read only as what was signed."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from federation.credentials.shape import ShapeError
from federation.credentials.vc_jwt import token_of_envelope, verify_vc_jwt
from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key, P384Key, PublicKey, Signer
from federation.multibase import b64url
from federation.verification import VerificationError
from tests.unit.proofs.world import DAY, NOW

V2 = "https://www.w3.org/ns/credentials/v2"
ISSUER = "did:web:university.example"
KEY = P256Key.from_private_bytes(b"\x03" * 32)
SIGNER = KEY.signer(f"{ISSUER}#key-1")
SECONDS = int(NOW.timestamp())
Json = dict[str, Any]


def credential(**changes: Any) -> Json:
    found = {
        "@context": [V2, "https://www.w3.org/ns/credentials/examples/v2"],
        "id": "http://university.example/credentials/3732",
        "type": ["VerifiableCredential", "ExampleDegreeCredential"],
        "issuer": ISSUER,
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:s", "degree": {"type": "ExampleBachelorDegree"}},
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def token(signer: Signer = SIGNER, typ: str = "vc+jwt", **changes: Any) -> str:
    return sign_jws(credential(**changes), signer, typ=typ)


def verify(text: str, key: PublicKey = KEY.public) -> Json:
    return verify_vc_jwt(text, lambda _: key, at=NOW)


def test_what_was_signed_is_what_is_read() -> None:
    assert verify(token()) == credential()


@pytest.mark.parametrize("key", [Ed25519Key.from_seed(b"x" * 32), P384Key.generate()])
def test_other_keys_sign_by_their_own_algorithm(key: Ed25519Key | P384Key) -> None:
    assert verify(token(key.signer(f"{ISSUER}#k")), key.public) == credential()


def test_one_made_by_another_library_is_read() -> None:
    private = ECKey.import_key({**KEY.public.jwk(), "d": b64url(bytes(KEY.private_bytes()))})
    import json

    text = jws.serialize_compact(
        {"alg": "ES256", "typ": "vc+jwt", "kid": f"{ISSUER}#key-1"},
        json.dumps(credential(iss=ISSUER, exp=SECONDS + 60)).encode(),
        private,
    )
    assert verify(text)["id"] == credential()["id"]


def test_the_issuer_may_be_an_object() -> None:
    assert verify(token(issuer={"id": ISSUER, "name": "U"}))


FAULTS: dict[str, tuple[Callable[[], str], str]] = {
    "another-key": (lambda: token(P256Key.generate().signer(f"{ISSUER}#key-1")), "proof-invalid"),
    "another-type": (lambda: token(typ="JWT"), "proof-invalid"),
    "not-a-jws": (lambda: "a.b", "json-refused"),
    "none": (
        lambda: b64url(b'{"alg":"none","typ":"vc+jwt"}') + "." + b64url(b"{}") + ".",
        "proof-invalid",
    ),
    "another-issuer": (lambda: token(issuer="did:web:other.example"), "issuer-key-mismatch"),
    "another-iss": (lambda: token(iss="did:web:other.example"), "issuer-key-mismatch"),
    "no-issuer": (lambda: token(issuer=None), "issuer-key-mismatch"),
    "no-kid": (
        lambda: sign_jws(credential(), SIGNER, typ="vc+jwt", kid=""),
        "issuer-key-mismatch",
    ),
    "another-jti": (lambda: token(jti="urn:x:1"), "shape-invalid"),
    "another-sub": (lambda: token(sub="urn:x:1"), "shape-invalid"),
    "old-wrapping": (lambda: token(vc={}), "extra-member"),
    "other-context": (lambda: token(**{"@context": ["urn:x:1"]}), "context-changed"),
    "not-a-credential": (lambda: token(type=["Thing"]), "type-unknown"),
    "expired": (lambda: token(validUntil="2026-11-21T11:59:59Z"), "expired"),
    "exp": (lambda: token(exp=SECONDS), "expired"),
    "not-yet-valid": (lambda: token(validFrom="2026-11-22T00:00:00Z"), "not-yet-valid"),
    "nbf": (lambda: token(nbf=SECONDS + 3600), "not-yet-valid"),
    "date-of-another-kind": (lambda: token(exp="tomorrow"), "shape-invalid"),
    "date-that-is-true": (lambda: token(nbf=True), "shape-invalid"),
    "date-without-zone": (lambda: token(validFrom="2026-01-01T00:00:00"), "shape-invalid"),
    "deep": (lambda: token(credentialSubject=deep(30)), "too-deep"),
}


def deep(levels: int) -> Json:
    return {"id": "urn:x:1"} if levels == 0 else {"a": deep(levels - 1)}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_refused_by_its_name(name: str) -> None:
    make, code = FAULTS[name]
    with pytest.raises(VerificationError) as refused:
        verify(make())
    assert refused.value.failed == (code,)


def test_the_caller_chooses_the_key_by_header_and_may_refuse() -> None:
    class UnknownKeyError(Exception):
        pass

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        assert header["kid"] == f"{ISSUER}#key-1"
        raise UnknownKeyError

    with pytest.raises(UnknownKeyError):
        verify_vc_jwt(token(), key_of, at=NOW)
    assert verify_vc_jwt(token(), lambda _: KEY.public, at=NOW + DAY)


def envelope(**changes: Any) -> Json:
    return {
        "@context": V2,
        "id": "data:application/vc+jwt," + token(),
        "type": "EnvelopedVerifiableCredential",
        **changes,
    }


def test_an_envelope_is_opened() -> None:
    assert verify(token_of_envelope(envelope())) == credential()


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        envelope(type="VerifiableCredential"),
        envelope(id="data:application/vc+sd-jwt,x"),
        envelope(id="https://x.example"),
        envelope(issuer="x"),
        envelope(**{"@context": "urn:x:1"}),
    ],
)
def test_what_is_no_envelope_is_refused(value: Any) -> None:
    with pytest.raises(ShapeError):
        token_of_envelope(value)
