"""OpenID4VCI: offer, token, nonce, key proof, credential; each message both ways."""

import json
from datetime import timedelta
from typing import Any

import pytest

from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key, did_key
from federation.openid4vci import (
    PRE_AUTHORIZED,
    PROOF_TYP,
    CredentialOffer,
    CredentialRequest,
    IssuanceError,
    TokenRequest,
    credential_response,
    issuer_metadata,
    nonce_response,
    proof_jwt,
    read_credential_response,
    token_response,
    verify_proof_jwt,
)
from tests.unit.proofs.world import NOW, World

ISSUER = "http://localhost:8402/employeur"
HOLDER = P256Key.from_private_bytes(b"\x01" * 32).signer()
OFFERED = frozenset({"affiliation"})


def error_of(act: Any) -> str:
    with pytest.raises(IssuanceError) as caught:
        act()
    return caught.value.to_json()["error"]


def test_the_whole_flow_binds_a_credential_to_the_wallets_key() -> None:
    world = World()
    offer = CredentialOffer(ISSUER, ("affiliation",), "code-1", needs_tx_code=True)
    read = CredentialOffer.from_uri(offer.to_uri())
    assert read == offer
    form = TokenRequest(read.pre_authorized_code, "123456").to_form()
    assert form["grant_type"] == PRE_AUTHORIZED
    assert TokenRequest.from_form(form) == TokenRequest("code-1", "123456")
    assert token_response("t", lifetime=timedelta(minutes=5))["expires_in"] == 300
    nonce = nonce_response("c-1")["c_nonce"]
    proof = proof_jwt(HOLDER, audience=ISSUER, nonce=nonce, at=NOW)
    body = json.dumps(CredentialRequest("affiliation", (proof,)).to_json()).encode()
    asked = CredentialRequest.from_json(body, offered=OFFERED)
    holder = verify_proof_jwt(asked.proofs[0], audience=ISSUER, nonce=nonce, at=NOW)
    answer = json.dumps(credential_response(world.affiliation(holder=holder))).encode()
    (credential,) = read_credential_response(answer)
    world.verify(world.present(world.usage(), credential))


def test_a_key_proof_is_for_one_issuer_one_nonce_and_now() -> None:
    token = proof_jwt(HOLDER, audience=ISSUER, nonce="c-1", at=NOW)

    def check(**changes: Any) -> Any:
        options: dict[str, Any] = {"audience": ISSUER, "nonce": "c-1", "at": NOW, **changes}
        return lambda: verify_proof_jwt(token, **options)

    assert check()().startswith("did:key:zDn")
    assert error_of(check(audience="https://other")) == "invalid_proof"
    assert error_of(check(nonce="c-2")) == "invalid_nonce"
    assert error_of(check(at=NOW + timedelta(minutes=6))) == "invalid_proof"
    assert error_of(check(at=NOW - timedelta(minutes=2))) == "invalid_proof"


def test_a_key_proof_may_carry_its_key_as_a_jwk_and_only_so() -> None:
    key = P256Key.from_private_bytes(b"j" * 32)
    claims = {"aud": ISSUER, "iat": int(NOW.timestamp()), "nonce": "c-1"}
    jwk = key.public.jwk()

    def proof(header: dict[str, Any], kid: str | None = "") -> str:
        return sign_jws(claims, key.signer(), typ=PROOF_TYP, kid=kid, header=header)

    def check(token: str) -> Any:
        return lambda: verify_proof_jwt(token, audience=ISSUER, nonce="c-1", at=NOW)

    assert check(proof({"jwk": jwk}))() == did_key(key.public)
    other = P256Key.generate().public.jwk()
    for token in (
        proof({"jwk": other}),  # signed by another key
        proof({"jwk": jwk}, kid=None),  # and a kid
        proof({"jwk": {**jwk, "d": "AA"}}),  # a secret
        proof({"jwk": {"kty": "oct", "k": "AA"}}),
        proof({"jwk": "texte"}),
        proof({}),
    ):
        assert error_of(check(token)) == "invalid_proof"


def test_a_key_proof_is_signed_by_the_key_it_names() -> None:
    thief = Ed25519Key.from_seed(b"t" * 32)
    stolen = thief.signer(Ed25519Key.from_seed(b"o" * 32).signer().verification_method)
    tokens = [
        proof_jwt(stolen, audience=ISSUER, nonce="c-1", at=NOW),
        proof_jwt(thief.signer("did:web:a#b"), audience=ISSUER, nonce="c-1", at=NOW),
        sign_jws({"aud": ISSUER, "nonce": "c-1", "iat": 1}, HOLDER, typ="JWT"),
        sign_jws({"aud": ISSUER, "nonce": "c-1"}, HOLDER, typ="openid4vci-proof+jwt"),
        sign_jws(
            {"aud": ISSUER, "nonce": "c-1", "iat": int(NOW.timestamp())},
            HOLDER,
            typ="openid4vci-proof+jwt",
            header={"jwk": thief.public.jwk()},
        ),
        "a.b.c",
        "",
    ]
    for token in tokens:
        found = error_of(lambda t=token: verify_proof_jwt(t, audience=ISSUER, nonce="c-1", at=NOW))
        assert found == "invalid_proof"


@pytest.mark.parametrize(
    "offer",
    [
        None, [], {}, {"credential_issuer": "x"},
        {"credential_issuer": "javascript:x", "credential_configuration_ids": ["a"]},
        {"credential_issuer": ISSUER, "credential_configuration_ids": []},
        {"credential_issuer": ISSUER, "credential_configuration_ids": ["a"], "grants": []},
        {"credential_issuer": ISSUER, "credential_configuration_ids": ["a"],
         "grants": {PRE_AUTHORIZED: {"pre-authorized_code": 5}}},
    ],
)  # fmt: skip
def test_a_bad_offer_is_refused(offer: Any) -> None:
    assert error_of(lambda: CredentialOffer.from_json(offer)) == "invalid_offer"


def test_an_offer_by_reference_is_not_followed() -> None:
    uri = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fx"
    assert error_of(lambda: CredentialOffer.from_uri(uri)) == "invalid_offer"


def test_bad_requests_are_answered_in_the_protocols_words() -> None:
    def request(body: bytes) -> Any:
        return lambda: CredentialRequest.from_json(body, offered=OFFERED)

    assert error_of(lambda: TokenRequest.from_form({})) == "unsupported_grant_type"
    assert error_of(lambda: TokenRequest.from_form({"grant_type": PRE_AUTHORIZED})) == (
        "invalid_request"
    )
    assert error_of(request(b"<html>")) == "invalid_credential_request"
    assert error_of(request(b"[]")) == "invalid_credential_request"
    other = b'{"credential_configuration_id": "x"}'
    assert error_of(request(other)) == "unknown_credential_configuration"
    for proofs in ("null", "{}", '{"jwt": []}', '{"jwt": [5]}', '{"jwt": ["a"], "x": []}'):
        body = f'{{"credential_configuration_id": "affiliation", "proofs": {proofs}}}'
        assert error_of(request(body.encode())) == "invalid_proof"
    for answer in (b"", b"[]", b"{}", b'{"credentials": [{"credential": 5}]}'):
        assert error_of(lambda a=answer: read_credential_response(a)) == "invalid_response"


def test_the_metadata_names_what_is_issued() -> None:
    metadata = issuer_metadata(ISSUER, {"affiliation": "AffiliationCredential"}, name="Agglo")
    listed = metadata["credential_configurations_supported"]["affiliation"]
    assert listed["format"] == "ldp_vc"
    assert listed["credential_definition"]["type"][1] == "AffiliationCredential"
