"""OpenID4VP: what a wallet answers and what it does not; DCQL; what a verifier accepts back."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from federation.jwe import DecryptionKey
from federation.keys import Ed25519Key, P256Key, PublicKey, decode_multikey
from federation.openid4vp import (
    ClaimQuery,
    CredentialQuery,
    CredentialSetQuery,
    DcqlError,
    DcqlQuery,
    PresentationRequest,
    RequestRefusedError,
    ResponseMalformedError,
    build_request,
    build_response,
    build_token,
    client_id_of,
    match,
    parse_response,
    queries_to_answer,
    read_posted,
    sign_request,
    verify_request,
)
from federation.trust import KeyNotTrustedError
from schemas.ids import Did
from tests.unit.proofs.world import NOW, World

VERIFIER = Did("did:web:hub.example:financeurs:agglo")
METHOD = f"{VERIFIER}#key-1"
REQUEST_URI = "https://hub.example/openid4vp/requests/1"
SIGNER = Ed25519Key.from_seed(b"v" * 32).signer(METHOD)
QUERY = DcqlQuery(
    (
        CredentialQuery(
            "usage",
            "UsageProof",
            (
                ClaimQuery(("credentialSubject", "days")),
                ClaimQuery(("credentialSubject", "rule"), values=("urn:aide:fmd",)),
            ),
        ),
        CredentialQuery("affiliation", "AffiliationCredential"),
        CredentialQuery("pass", "PassCredential"),
    ),
    (
        CredentialSetQuery((("pass",),), required=False),
        CredentialSetQuery((("usage", "affiliation"),)),
    ),
)


def claims(**changes: Any) -> dict[str, Any]:
    made = build_request(
        verifier=VERIFIER,
        response_uri="https://hub.example/openid4vp/responses/1",
        query=QUERY,
        nonce="n-0123456789abcdef",
        state="application-1",
        at=NOW,
        client_name="Agglomération",
        purpose="Forfait mobilités durables",
    )
    return {k: v for k, v in {**made, **changes}.items() if v is not ...}


def resolve(method: str) -> PublicKey:
    if method != METHOD:
        raise KeyNotTrustedError("not pinned")
    return decode_multikey(SIGNER.public_multikey())


def verify(token: str, **changes: Any) -> PresentationRequest:
    options: dict[str, Any] = {
        "at": NOW,
        "request_uri": REQUEST_URI,
        "client_id": client_id_of(VERIFIER),
        **changes,
    }
    return verify_request(token, resolve, **options)


def test_a_signed_request_says_who_asks_for_what() -> None:
    request = verify(sign_request(claims(), SIGNER))
    assert request.verifier == VERIFIER
    assert request.query == QUERY
    assert request.client_name == "Agglomération"
    assert request.purpose == "Forfait mobilités durables"
    assert request.expires_at - request.issued_at == timedelta(minutes=10)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another-client": ({"client_id": client_id_of("did:web:x")}, "client-mismatch"),
    "no-client": ({"client_id": ...}, "client-mismatch"),
    "response-elsewhere": ({"response_uri": "https://evil.example/r"}, "response-uri"),
    "response-on-another-port": ({"response_uri": "https://hub.example:8443/r"}, "response-uri"),
    "response-without-tls": ({"response_uri": "http://hub.example/r"}, "response-uri"),
    "response-with-user": ({"response_uri": "https://hub.example@evil/r"}, "response-uri"),
    "response-with-fragment": ({"response_uri": "https://hub.example/r#x"}, "response-uri"),
    "response-script": ({"response_uri": "javascript:alert(1)"}, "response-uri"),
    "response-bad-port": ({"response_uri": "https://hub.example:x/r"}, "response-uri"),
    "no-response-uri": ({"response_uri": ...}, "response-uri"),
    "redirect-uri": ({"redirect_uri": "https://hub.example/r"}, "response-uri"),
    "fragment-mode": ({"response_mode": "fragment"}, "response-mode"),
    "code": ({"response_type": "code"}, "response-mode"),
    "expired": ({"exp": int(NOW.timestamp())}, "request-expired"),
    "too-old": ({"iat": int(NOW.timestamp()) - 1000}, "request-expired"),
    "from-the-future": ({"iat": int(NOW.timestamp()) + 120}, "request-not-yet-valid"),
    "no-dates": ({"iat": ...}, "request-malformed"),
    "float-date": ({"iat": 1.5}, "request-malformed"),
    "short-nonce": ({"nonce": "abc"}, "request-malformed"),
    "state-no-text": ({"state": 1}, "request-malformed"),
    "no-key-to-encrypt-to": ({"response_mode": "direct_post.jwt"}, "response-key"),
    "audience": ({"aud": "https://x"}, "request-audience"),
    "transaction": ({"transaction_data": ["x"]}, "transaction-data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_may_not_be_answered_is_refused_by_name(name: str) -> None:
    changes, reason = REFUSED[name]
    with pytest.raises(RequestRefusedError) as caught:
        verify(sign_request(claims(**changes), SIGNER))
    assert caught.value.reason == reason


def test_a_request_fetched_from_elsewhere_is_refused() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        verify(sign_request(claims(), SIGNER), request_uri="https://evil.example/requests/1")
    assert caught.value.reason == "request-uri"


def test_a_request_signed_by_another_key_is_refused() -> None:
    thief = P256Key.from_private_bytes(b"t" * 32)
    with pytest.raises(RequestRefusedError) as caught:
        verify(sign_request(claims(), thief.signer(METHOD)))
    assert caught.value.reason == "request-signature"
    with pytest.raises(RequestRefusedError) as caught:
        verify(sign_request(claims(), thief.signer("did:web:other#k")))
    assert caught.value.reason == "client-key"
    with pytest.raises(KeyNotTrustedError):
        verify(sign_request(claims(), thief.signer(f"{VERIFIER}#key-9")))


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        ("https://hub.example", "client-id-prefix"),
        ("hub", "client-id-prefix"),
        ("", "client-id-prefix"),
        ("openid_federation:https://hub.example", "client-id-prefix"),
        ("verifier_attestation:hub", "client-id-prefix"),
        ("decentralized_identifier:did:key:z6Mk", "client-id-prefix"),
        ("decentralized_identifier:did:web:a b", "client-id-prefix"),
        ("x509_san_dns:hub.example", "client-certificate"),
        ("x509_hash:abc", "client-certificate"),
        ("redirect_uri:https://hub.example/r", "request-signature"),
    ],
)
def test_other_client_ids_are_refused(client: str, reason: str) -> None:
    signer = Ed25519Key.from_seed(b"v" * 32).signer(f"{client.partition(':')[2]}#key-1")
    with pytest.raises(RequestRefusedError) as caught:
        verify(sign_request(claims(client_id=client), signer), client_id=client)
    assert caught.value.reason == reason


def test_an_unsigned_request_is_refused() -> None:
    for token in ("", "a.b.c", "e30.e30."):
        with pytest.raises(RequestRefusedError):
            verify(token)


def test_loopback_http_only_where_configured() -> None:
    verifier = Did("did:web:localhost%3A8401:financeurs:agglo")
    signer = Ed25519Key.from_seed(b"v" * 32).signer(f"{verifier}#key-1")
    made = build_request(
        verifier=verifier,
        response_uri="http://localhost:8401/openid4vp/responses/1",
        query=QUERY,
        nonce="n-0123456789abcdef",
        state="s",
        at=NOW,
    )
    token = sign_request(made, signer)
    options: dict[str, Any] = {
        "at": NOW,
        "request_uri": "http://localhost:8401/openid4vp/requests/1",
        "client_id": client_id_of(verifier),
    }
    key = decode_multikey(signer.public_multikey())
    verify_request(token, lambda _: key, **options, allow_loopback_http=True)
    with pytest.raises(RequestRefusedError):
        verify_request(token, lambda _: key, **options)


def test_dcql_survives_json() -> None:
    assert DcqlQuery.from_json(json.loads(json.dumps(QUERY.to_json()))) == QUERY


BAD_QUERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "none": lambda q: q.pop("credentials"),
    "empty": lambda q: q.update(credentials=[]),
    "same-id": lambda q: q["credentials"].append(q["credentials"][0]),
    "bad-id": lambda q: q["credentials"][0].update(id="a b"),
    "format": lambda q: q["credentials"][0].update(format="mso_mdoc"),
    "meta": lambda q: q["credentials"][0].update(meta={}),
    "alternatives": lambda q: q["credentials"][0]["meta"]["type_values"].append(["x"]),
    "path": lambda q: q["credentials"][0]["claims"][0].update(path=[]),
    "path-kind": lambda q: q["credentials"][0]["claims"][0].update(path=[1.5]),
    "path-negative": lambda q: q["credentials"][0]["claims"][0].update(path=[-1]),
    "values": lambda q: q["credentials"][0]["claims"][0].update(values=[1.5]),
    "claims": lambda q: q["credentials"][0].update(claims={}),
    "claim-set": lambda q: q["credentials"][0].update(claim_sets=[["zz"]]),
    "set": lambda q: q["credential_sets"][0].update(options=[["zz"]]),
    "set-empty": lambda q: q["credential_sets"][0].update(options=[]),
}


@pytest.mark.parametrize("name", BAD_QUERIES)
def test_a_bad_query_is_refused(name: str) -> None:
    query = json.loads(json.dumps(QUERY.to_json()))
    BAD_QUERIES[name](query)
    with pytest.raises(DcqlError):
        DcqlQuery.from_json(query)


def test_a_query_matches_what_the_wallet_holds() -> None:
    world = World()
    usage, other = world.usage(), world.usage(rule="urn:aide:other")
    found = match(QUERY, [other, usage, world.affiliation()])
    assert found.is_complete
    assert found.candidates["usage"] == (usage,)
    assert found.candidates["pass"] == ()
    assert found.optional == {"pass"}
    assert match(QUERY, [other]).missing == ("usage", "affiliation")


def test_values_are_compared_with_their_kind() -> None:
    def query(value: str | int | bool) -> DcqlQuery:
        claim = ClaimQuery(("credentialSubject", "days"), values=(value,))
        return DcqlQuery((CredentialQuery("u", "UsageProof", (claim,)),))

    world = World()
    assert match(query(41), [world.usage()]).is_complete
    assert not match(query("41"), [world.usage()]).is_complete
    assert not match(query(True), [world.usage(days=1)]).is_complete


def test_paths_walk_lists() -> None:
    def has(*path: str | int | None, values: tuple[str, ...] | None = None) -> bool:
        claim = ClaimQuery(path, values=values)
        query = DcqlQuery((CredentialQuery("u", "UsageProof", (claim,)),))
        return match(query, [World().usage()]).is_complete

    assert has("credentialSubject", "daysByMode", None, "mode", values=("bicycle",))
    assert not has("credentialSubject", "daysByMode", None, "mode", values=("bus",))
    assert has("credentialSubject", "daysByMode", 1, "mode")
    assert not has("credentialSubject", "daysByMode", 2, "mode")
    assert not has("credentialSubject", None)


def test_a_required_set_needs_one_of_its_options() -> None:
    query = DcqlQuery(
        (CredentialQuery("a", "PassCredential"), CredentialQuery("b", "UsageProof")),
        (CredentialSetQuery((("a",), ("b",))),),
    )
    world = World()
    assert match(query, [world.usage()]).is_complete
    assert not match(query, [world.affiliation()]).is_complete
    with pytest.raises(ResponseMalformedError):
        parse_response(vp_token="{}", state="s", query=query)


def test_with_sets_what_no_set_names_is_not_asked_for() -> None:
    query = DcqlQuery(
        (CredentialQuery("a", "PassCredential"), CredentialQuery("b", "UsageProof")),
        (CredentialSetQuery((("b",),)),),
    )
    world = World()
    assert match(query, [world.usage()]).is_complete
    assert queries_to_answer(query, frozenset({"a", "b"})) == (frozenset({"b"}), ())


def test_of_alternatives_the_first_possible_is_answered_and_no_other() -> None:
    query = DcqlQuery(
        tuple(CredentialQuery(name, "UsageProof") for name in "abc"),
        (CredentialSetQuery((("a", "b"), ("c",))),),
    )
    assert queries_to_answer(query, frozenset("abc"))[0] == frozenset("ab")
    assert queries_to_answer(query, frozenset("bc"))[0] == frozenset("c")
    assert queries_to_answer(query, frozenset("b")) == (frozenset(), ("a",))


def test_a_response_comes_back_whole() -> None:
    world = World()
    package = world.present(world.usage(), world.affiliation())
    form = build_response(build_token(package, ["usage", "affiliation"]), state="s")
    read = parse_response(vp_token=form["vp_token"], state=form["state"], query=QUERY)
    assert read.only() == package
    world.verify(read.only())


@pytest.mark.parametrize(
    "token",
    [
        "", "[]", "{}", "null", '{"usage": [{}]}', '{"usage": {}, "affiliation": [{}]}',
        '{"usage": [], "affiliation": [{}]}', '{"usage": [{}, {}], "affiliation": [{}]}',
        '{"usage": [{}], "affiliation": [{}], "other": [{}]}',
        '{"usage": [{}], "usage": [{}], "affiliation": [{}]}',
        '{"usage": ["x"], "affiliation": [{}]}', '{"usage": "' + "x" * 1_100_000 + '"}',
    ],
)  # fmt: skip
def test_a_malformed_response_is_refused(token: str) -> None:
    with pytest.raises(ResponseMalformedError):
        parse_response(vp_token=token, state="s", query=QUERY)


def test_different_presentations_are_not_one() -> None:
    token = '{"usage": [{"a": 1}], "affiliation": [{"b": 1}]}'
    with pytest.raises(ResponseMalformedError):
        parse_response(vp_token=token, state="s", query=QUERY).only()


def test_a_weak_nonce_or_long_life_is_not_built() -> None:
    for changes in ({"nonce": "short"}, {"lifetime": timedelta(hours=1)}):
        options: dict[str, Any] = {"nonce": "n-0123456789abcdef", **changes}
        with pytest.raises(ValueError, match="nonce"):
            build_request(
                verifier=VERIFIER, response_uri="https://hub.example/r", query=QUERY, state="s",
                at=NOW, **options,
            )  # fmt: skip


def test_a_wallet_that_sends_nothing_says_so_in_clear_whatever_was_asked() -> None:
    said = {"error": "access_denied", "state": "s"}
    for key in (DecryptionKey.generate(), None):
        assert read_posted(said, key=key, max_bytes=10_000) == said
    with pytest.raises(ResponseMalformedError):
        read_posted({**said, "vp_token": "{}"}, key=DecryptionKey.generate(), max_bytes=10_000)
