"""Who asks: clients known by a certificate, clients that nobody vouches for, links and answers."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from federation.credentials import disclose, issue
from federation.jose import sign_jws
from federation.jwe import DecryptionKey
from federation.keys import Ed25519Key, P256Key, PublicKey
from federation.multibase import b64url
from federation.openid4vp import (
    NOT_KNOWN,
    VP_FORMATS,
    Anchors,
    CredentialQuery,
    DcqlQuery,
    Encryption,
    Invitation,
    PresentationRequest,
    RequestRefusedError,
    ResponseMalformedError,
    build_request,
    build_response,
    build_token,
    invitation_link,
    read_invitation,
    read_open_request,
    read_posted,
    sign_request,
    verify_request,
)
from federation.proofs import add_proof, cryptosuites
from federation.proofs.ecdsa_sd_2023 import ECDSA_SD_2023
from federation.trust import KeyNotTrustedError, PinnedKey
from schemas.errors import MobilityError
from schemas.ids import Did, mint_iri
from tests.unit.proofs.world import DAY, HOME, NOW, World

HOST = "verifieur.example"
QUERY = DcqlQuery((CredentialQuery("usage", "UsageProof"),))
KEY = DecryptionKey.derive(b"s" * 32, b"r")


@dataclass
class Authority:
    """A small PKI: a root, and what it signs."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def anchors(self) -> Anchors:
        return Anchors.from_pem(self.certificate.public_bytes(Encoding.PEM))


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: Authority | None,
    names: tuple[str, ...] = (),
    since: datetime = NOW - timedelta(days=1),
    until: datetime = NOW + timedelta(days=30),
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    issuer_key = by.key if by else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
        critical=False,
    )
    if by is None:
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def authority(name: str = "Autorité des vérifieurs") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, certificate(name, key, by=None))


ROOT = authority()
LEAF_KEY = P256Key.from_private_bytes(b"\x05" * 32)
LEAF_PRIVATE = ec.derive_private_key(int.from_bytes(b"\x05" * 32), ec.SECP256R1())
LEAF = certificate("Vérifieur", LEAF_PRIVATE, by=ROOT, names=(HOST, "autre.example"))


def x5c(*chain: x509.Certificate) -> list[str]:
    return [base64.b64encode(c.public_bytes(Encoding.DER)).decode() for c in chain]


def hash_of(leaf: x509.Certificate) -> str:
    return "x509_hash:" + b64url(sha256(leaf.public_bytes(Encoding.DER)).digest())


def signed(
    client_id: str, chain: Any, *, host: str = HOST, key: P256Key = LEAF_KEY, **changes: Any
) -> str:
    claims = {
        **build_request(
            verifier=Did("did:web:x"),
            response_uri=f"https://{host}/reponse",
            query=QUERY,
            nonce="n-0123456789abcdef",
            state="s",
            at=NOW,
            client_name="Vérifieur",
            encrypt_to=KEY.jwk(kid="k"),
        ),
        "client_id": client_id,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not ...}
    header = {} if chain is ... else {"x5c": chain}
    return sign_jws(claims, key.signer(), typ="oauth-authz-req+jwt", kid="", header=header)


def nobody(method: str) -> PublicKey:
    raise KeyNotTrustedError(method)


def verify(
    token: str, client_id: str, *, anchors: Anchors = ROOT.anchors, host: str = HOST, **more: Any
) -> PresentationRequest:
    return verify_request(
        token,
        nobody,
        at=more.pop("at", NOW),
        request_uri=f"https://{host}/demande",
        client_id=client_id,
        anchors=anchors,
        **more,
    )


def reason(token: str, client_id: str, **more: Any) -> str:
    with pytest.raises(RequestRefusedError) as caught:
        verify(token, client_id, **more)
    return caught.value.reason


@pytest.mark.parametrize(
    "client_id", [f"x509_san_dns:{HOST}", hash_of(LEAF)], ids=["x509_san_dns", "x509_hash"]
)
def test_a_client_known_by_its_certificate_is_vouched_for_by_its_authority(client_id: str) -> None:
    request = verify(signed(client_id, x5c(LEAF)), client_id)
    assert request.vouched_by == "Autorité des vérifieurs"
    assert request.client_name == "Vérifieur"
    digest = b64url(sha256(ROOT.certificate.public_bytes(Encoding.DER)).digest())
    assert request.verifier == f"did:x509:0:sha256:{digest}::san:dns:{HOST}"
    assert request.encryption == Encryption(KEY.jwk(kid="k"), "A256GCM")


def test_a_renewed_certificate_is_still_the_same_verifier() -> None:
    renewed = certificate("Vérifieur", LEAF_PRIVATE, by=ROOT, names=(HOST,))
    first = verify(signed(hash_of(LEAF), x5c(LEAF)), hash_of(LEAF))
    later = verify(signed(hash_of(renewed), x5c(renewed)), hash_of(renewed))
    assert first.client_id != later.client_id
    assert first.verifier == later.verifier


def test_certificates_that_prove_nothing_are_refused() -> None:
    client, other = f"x509_san_dns:{HOST}", authority("Une autre")
    expired = certificate(
        "v", LEAF_PRIVATE, by=ROOT, names=(HOST,), until=NOW - timedelta(minutes=1)
    )
    early = certificate("v", LEAF_PRIVATE, by=ROOT, names=(HOST,), since=NOW + timedelta(hours=1))
    alone = certificate("v", LEAF_PRIVATE, by=None, names=(HOST,))
    nameless = certificate("v", LEAF_PRIVATE, by=ROOT)
    elsewhere = certificate("v", LEAF_PRIVATE, by=ROOT, names=("autre.example",))
    chains: dict[str, Any] = {
        "none": ...,
        "empty": [],
        "text": "x",
        "numbers": [1],
        "not-base64": ["é"],
        "not-der": [base64.b64encode(b"no").decode()],
        "too-many": x5c(*[LEAF] * 7),
        "expired": x5c(expired),
        "early": x5c(early),
        "self-signed": x5c(alone),
        "no-name": x5c(nameless),
        "another-name": x5c(elsewhere),
        "with-anchor": x5c(LEAF, ROOT.certificate),
    }
    for name, chain in chains.items():
        assert reason(signed(client, chain), client) == "client-certificate", name
    good = signed(client, x5c(LEAF))
    assert reason(good, client, anchors=other.anchors) == "client-certificate"
    assert reason(good, client, anchors=Anchors()) == "client-certificate"
    wrong = "x509_hash:" + b64url(b"\x00" * 32)
    assert reason(signed(wrong, x5c(LEAF)), wrong) == "client-certificate"


def test_the_certificate_signs_the_request_and_its_host_takes_the_answer() -> None:
    client = f"x509_san_dns:{HOST}"
    thief = P256Key.from_private_bytes(b"\x06" * 32)
    assert reason(signed(client, x5c(LEAF), key=thief), client) == "request-signature"
    for address in ("https://autre.example/r", "http://verifieur.example/r"):
        token = signed(client, x5c(LEAF), response_uri=address)
        assert reason(token, client) == "response-uri"
    token = signed(client, x5c(LEAF))
    assert reason(token, client, host="autre.example") == "request-uri"
    hashed = hash_of(LEAF)  # its certificate names two hosts: either, but one for both addresses
    token = signed(hashed, x5c(LEAF), host="autre.example")
    assert verify(token, hashed, host="autre.example").verifier.endswith(HOST)
    assert reason(token, hashed) == "request-uri"


def test_the_audience_is_this_wallet_or_any() -> None:
    client = f"x509_san_dns:{HOST}"
    token = signed(client, x5c(LEAF), aud="https://coffre.example")
    assert reason(token, client) == "request-audience"
    verify(token, client, wallet_issuer="https://coffre.example")


def test_dates_and_state_may_be_left_to_the_wallet() -> None:
    client = f"x509_san_dns:{HOST}"
    request = verify(signed(client, x5c(LEAF), exp=..., state=...), client)
    assert request.state == ""
    assert request.expires_at - request.issued_at == timedelta(minutes=15)
    late = signed(client, x5c(LEAF), exp=...)
    assert reason(late, client, at=NOW + timedelta(minutes=16)) == "request-expired"


METADATA: dict[str, Any] = {
    "no-keys": {},
    "rsa": {"jwks": {"keys": [{"kty": "RSA", "alg": "ECDH-ES"}]}},
    "private": {"jwks": {"keys": [{**KEY.jwk(kid="k"), "d": "AA"}]}},
    "signing": {"jwks": {"keys": [{**KEY.jwk(kid="k"), "use": "sig"}]}},
    "wrapping": {"jwks": {"keys": [{**KEY.jwk(kid="k"), "alg": "ECDH-ES+A256KW"}]}},
    "cbc": {
        "jwks": {"keys": [KEY.jwk(kid="k")]},
        "encrypted_response_enc_values_supported": ["A128CBC-HS256"],
    },
    "text": "x",
}


@pytest.mark.parametrize("name", METADATA)
def test_without_a_key_in_common_nothing_is_answered(name: str) -> None:
    client = f"x509_san_dns:{HOST}"
    token = signed(client, x5c(LEAF), client_metadata=METADATA[name])
    assert reason(token, client) == "response-key"


def test_the_strongest_encryption_in_common_is_taken_and_a128gcm_by_default() -> None:
    client, jwks = f"x509_san_dns:{HOST}", {"keys": [{"kty": "OKP"}, KEY.jwk(kid="k")]}
    both = {"jwks": jwks, "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"]}
    for metadata, expected in ((both, "A256GCM"), ({"jwks": jwks}, "A128GCM")):
        request = verify(signed(client, x5c(LEAF), client_metadata=metadata), client)
        assert request.encryption is not None
        assert request.encryption.method == expected


# --- nobody vouches -----------------------------------------------------------------------------

OPEN = {
    "client_id": f"redirect_uri:https://{HOST}/reponse",
    "response_type": "vp_token",
    "response_mode": "direct_post",
    "nonce": "n-0123456789abcdef",
    "dcql_query": json.dumps(QUERY.to_json()),
    "client_metadata": json.dumps({"client_name": "Qui que ce soit"}),
}


def test_a_redirect_uri_client_is_known_by_its_address_only() -> None:
    request = read_open_request(OPEN, at=NOW)
    assert request.verifier == NOT_KNOWN
    assert request.vouched_by is None
    assert request.response_uri == f"https://{HOST}/reponse"
    assert request.query == QUERY
    named = {**OPEN, "response_uri": f"https://{HOST}/reponse"}
    assert read_open_request(named, at=NOW) == read_open_request(named, at=NOW)


OPEN_REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "elsewhere": ({"response_uri": "https://evil.example/r"}, "response-uri"),
    "redirect": ({"redirect_uri": f"https://{HOST}/reponse"}, "response-uri"),
    "by-reference": ({"request_uri": f"https://{HOST}/demande"}, "client-id-prefix"),
    "signed": ({"request": "a.b.c"}, "client-id-prefix"),
    "another-kind": ({"client_id": f"x509_san_dns:{HOST}"}, "client-id-prefix"),
    "no-client": ({"client_id": ""}, "client-id-prefix"),
    "in-clear": ({"client_id": "redirect_uri:http://a.example/r"}, "response-uri"),
    "no-json": ({"dcql_query": "{"}, "request-malformed"),
    "mode": ({"response_mode": "fragment"}, "response-mode"),
    "short-nonce": ({"nonce": "abc"}, "request-malformed"),
    "transaction": ({"transaction_data": "[]"}, "transaction-data"),
}


@pytest.mark.parametrize("name", OPEN_REFUSED)
def test_an_unsigned_request_is_refused_by_name(name: str) -> None:
    changes, expected = OPEN_REFUSED[name]
    with pytest.raises(RequestRefusedError) as caught:
        read_open_request({**OPEN, **changes}, at=NOW)
    assert caught.value.reason == expected


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["openid4vp://", "https://coffre.example/presenter"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_invitation_survives_its_link(endpoint: str, method: str) -> None:
    made = Invitation(f"x509_san_dns:{HOST}", f"https://{HOST}/demande?a=1&b=é", method)
    assert read_invitation(invitation_link(endpoint, made)) == made


LINKS = {
    "": "link-malformed",
    "bonjour": "link-malformed",
    "https://[": "link-malformed",
    "openid4vp://?client_id=x509_san_dns:a": "link-malformed",
    "openid4vp://?request_uri=https://a.example/r": "link-malformed",
    "openid4vp://?client_id=x&client_id=y&request_uri=https://a/r": "link-malformed",
    "openid4vp://?client_id=x509_san_dns:a&request_uri=https://a/r&request_uri_method=put": "link-malformed",  # noqa: E501
    "openid4vp://?client_id=x&request_uri=https://a.example/r": "client-id-prefix",
    "openid4vp://?client_id=x509_san_dns:a&request_uri=file:///etc/passwd": "request-uri",
    "openid4vp://?client_id=x509_san_dns:a&request_uri=https://u@a/r": "request-uri",
    "openid4vp://?client_id=redirect_uri:https://a/r&dcql_query={}": "request-by-value",
    "openid4vp://?client_id=x509_san_dns:a&request=a.b.c": "request-by-value",
    "https://a/?client_id=x509_san_dns:a&request_uri=" + "x" * 9_000: "link-malformed",
}


@pytest.mark.parametrize("link", LINKS, ids=range(len(LINKS)))
def test_a_link_that_is_no_request_by_reference_is_refused(link: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read_invitation(link)
    assert caught.value.reason == LINKS[link]


# --- answers ------------------------------------------------------------------------------------


def test_an_encrypted_answer_is_one_field_that_only_its_request_reads() -> None:
    token = build_token({"type": "VerifiablePresentation"}, ["usage"], tokens={"t": ["a~"]})
    form = build_response(
        token, state="s", encryption=Encryption(KEY.jwk(kid="k"), "A128GCM"), extra={"more": [1]}
    )
    assert set(form) == {"response"}
    said = read_posted(form, key=KEY, max_bytes=10_000)
    assert said == {"vp_token": token, "state": "s", "more": [1]}
    with pytest.raises(ResponseMalformedError):
        read_posted(form, key=DecryptionKey.generate(), max_bytes=10_000)
    with pytest.raises(ResponseMalformedError):
        read_posted(form, key=KEY, max_bytes=20)


def test_an_answer_in_clear_is_taken_only_where_it_was_asked_so() -> None:
    form = build_response(build_token({"a": 1}, ["usage"]), state="")
    assert read_posted(form, key=None, max_bytes=1_000) == {"vp_token": {"usage": [{"a": 1}]}}
    for posted, key in (
        (form, KEY),
        ({**form, "response": "x"}, KEY),
        ({"response": "x"}, None),
        ({"vp_token": "{"}, None),
        ({"vp_token": '{"a":1,"a":2}'}, None),
        ({}, KEY),
    ):
        with pytest.raises(ResponseMalformedError):
            read_posted(posted, key=key, max_bytes=1_000)


def test_an_encrypted_answer_that_is_no_object_is_refused() -> None:
    from federation.jwe import encrypt_jwe

    for text in (b"[]", b"{", b'{"a":1,"a":2}', b"\xff"):
        form = {"response": encrypt_jwe(text, to=KEY.jwk(kid="k"))}
        with pytest.raises(ResponseMalformedError):
            read_posted(form, key=KEY, max_bytes=1_000)


def in_suite(world: World, suite: str) -> dict[str, Any]:
    """A usage proof that the home signed in `suite`."""
    signer = world.home
    if suite.startswith("ecdsa"):
        signer = P256Key.from_private_bytes(b"\x07" * 32).signer(f"{HOME}#key-2")
        pinned = PinnedKey(signer.public_multikey(), signer.verification_method, NOW - 90 * DAY)
        world.change(HOME, keys=(*world.entries[HOME].keys, pinned))
    if suite == ECDSA_SD_2023.name:
        base = issue(world.usage_body(), signer=signer, at=NOW - DAY, selective=True)
        return disclose(base, [("credentialSubject", name) for name in base["credentialSubject"]])
    body = world.usage()
    del body["proof"]
    return add_proof(
        body,
        signer,
        cryptosuite=suite,
        purpose="assertionMethod",
        created=NOW - DAY,
        proof_id=mint_iri(),
    )


@pytest.mark.parametrize("suite", cryptosuites())
def test_metadata_names_the_suites_that_are_verified_and_no_other(suite: str) -> None:
    world = World()
    signed = in_suite(world, suite)
    assert signed["proof"]["cryptosuite"] == suite
    if suite in VP_FORMATS["ldp_vc"]["cryptosuite_values"]:
        assert world.verify(world.present(signed)).credentials[0].type == "UsageProof"
    else:
        with pytest.raises(MobilityError):
            world.verify(world.present(signed))


def test_a_wallet_nonce_is_said_back_and_nothing_else_is_signed() -> None:
    signer = Ed25519Key.from_seed(b"v" * 32).signer("did:web:x#k")
    for nonce in ("", "x" * 513, "a b", "é"):
        with pytest.raises(ValueError, match="nonce"):
            sign_request({}, signer, wallet_nonce=nonce)
