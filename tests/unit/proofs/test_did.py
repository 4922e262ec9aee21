"""DIDs: addresses of `did:web`, documents that are their own, `did:key` by computation."""

from typing import Any

import pytest

from federation.did import (
    DidDocument,
    DidError,
    DidMalformedError,
    DidResolver,
    DidWebResolver,
    did_document,
    url_of,
)
from federation.keys import Ed25519Key, P256Key

DID = "did:web:hub.example:financeurs:agglo"


@pytest.mark.parametrize(
    ("did", "address"),
    [
        ("did:web:hub.example", "https://hub.example/.well-known/did.json"),
        ("did:web:hub.example%3A8443", "https://hub.example:8443/.well-known/did.json"),
        (DID, "https://hub.example/financeurs/agglo/did.json"),
        ("did:web:localhost%3A8401:x", "http://localhost:8401/x/did.json"),
    ],
)
def test_a_did_web_has_one_address(did: str, address: str) -> None:
    assert url_of(did, loopback_http=True) == address


def test_loopback_is_read_over_http_only_where_configured() -> None:
    assert url_of("did:web:localhost%3A8401").startswith("https://")
    assert url_of("did:web:hub.example", loopback_http=True).startswith("https://")
    assert url_of("did:web:localhost.evil.example", loopback_http=True).startswith("https://")


@pytest.mark.parametrize(
    "did",
    [
        "", "did:web:", "did:key:z6Mk", "xdid:web:a", "did:web:a/b", "did:web:a%2Fb",
        "did:web:a%40b", "did:web:user%3Apass%40host", "did:web:a:..", "did:web:a:b%2Fc",
        "did:web:a:", "did:web:A b",
        "did:web:a?x", "did:web:a#x", "did:web:a%3A99999999", "did:web:-a", "did:web:" + "a" * 600,
        "did:web:a:b?c", "did:web:a%00",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_did_web_is_refused(did: str) -> None:
    with pytest.raises(DidMalformedError):
        url_of(did)


def published() -> dict[str, Any]:
    signers = [
        Ed25519Key.from_seed(b"1" * 32).signer(f"{DID}#key-1"),
        P256Key.from_private_bytes(b"1" * 32).signer(f"{DID}#key-2"),
    ]
    return did_document(DID, signers)


def test_what_a_member_publishes_is_read_back() -> None:
    fetched: list[str] = []

    def fetch(address: str) -> dict[str, Any]:
        fetched.append(address)
        return published()

    document = DidResolver(web=DidWebResolver(fetch)).resolve(DID)
    assert fetched == ["https://hub.example/financeurs/agglo/did.json"]
    assert [m.id for m in document.methods] == [f"{DID}#key-1", f"{DID}#key-2"]
    assert document.key(f"{DID}#key-2", "authentication").algorithm == "P-256"
    with pytest.raises(DidError):
        document.key(f"{DID}#key-3", "authentication")
    with pytest.raises(DidError):
        document.key(f"{DID}#key-1", "keyAgreement")


def test_a_document_of_another_did_is_refused() -> None:
    with pytest.raises(DidMalformedError):
        DidDocument.from_json(published(), expected="did:web:other.example")


def test_methods_of_others_are_left_out() -> None:
    value = published()
    value["verificationMethod"][0]["controller"] = "did:web:other.example"
    value["verificationMethod"][1]["id"] = "did:web:other.example#key-2"
    assert DidDocument.from_json(value, expected=DID).methods == ()


@pytest.mark.parametrize("listed", ["x", [5], [{}], [{"id": 5}], [{}] * 100])
def test_a_malformed_document_is_refused(listed: Any) -> None:
    value = {**published(), "verificationMethod": listed}
    with pytest.raises(DidMalformedError):
        DidDocument.from_json(value, expected=DID)


def test_a_did_key_is_its_key() -> None:
    signer = P256Key.from_private_bytes(b"1" * 32).signer()
    did = signer.verification_method.partition("#")[0]
    document = DidResolver().resolve(did)
    key = document.key(signer.verification_method, "authentication")
    assert key.multikey() == signer.public_multikey()
    for bad in (f"{did}#x", "did:key:zzz", signer.verification_method):
        with pytest.raises(DidError):
            DidResolver().resolve(bad)


@pytest.mark.parametrize("did", ["did:web:hub.example", "did:ion:x", "x"])
def test_methods_not_read_here_are_refused(did: str) -> None:
    with pytest.raises(DidError):
        DidResolver().resolve(did)
