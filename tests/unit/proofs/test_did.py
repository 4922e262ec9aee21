"""DIDs: addresses of `did:web`, documents that are their own, `did:key` by computation."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from federation.did import (
    DidDocument,
    DidError,
    DidMalformedError,
    DidResolver,
    DidWebResolver,
    did_document,
    did_jwk,
    url_of,
)
from federation.keys import Ed25519Key, P256Key, P384Key
from federation.multibase import b64url
from federation.wire.errors import (
    AddressRefusedError,
    ContentTypeRefusedError,
    RedirectRefusedError,
    ResponseTooLargeError,
    ResponseUnreadableError,
    UnreachableError,
    UpstreamStatusError,
)
from federation.wire.http import AddressPolicy, BoundedClient

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
        # userinfo, ports, addresses in brackets
        "did:web:user%40host", "did:web:user@host", "did:web:a%3A", "did:web:a%3A0",
        "did:web:a%3A65536", "did:web:a%3A80%3A80", "did:web:a%253A80", "did:web:a%3A+80",
        "did:web:%5B::1%5D", "did:web:[::1]", "did:web:%5B%3A%3Affff%3A127.0.0.1%5D",
        # one DID, one spelling: nothing encoded that need not be
        "did:web:hub%2Eexample", "did:web:%68ub.example", "did:web:hub.example.",
        "did:web:.example", "did:web:hub..example", "did:web:HUB.example",
        "did:web:h\u00fcb.example", "did:web:hub\u3002example",
        # paths that climb, are empty, or hide a separator
        "did:web:a:%2e%2e:b", "did:web:a:..%2Fb", "did:web:a:%2E%2E%2Fb", "did:web:a:.",
        "did:web:a::b",
        "did:web:a:b\\c", "did:web:a:%5Cb", "did:web:a:b;c", "did:web:a:b%00", "did:web:a:b\nc",
        "did:web:a:" + "b" * 129,
    ],
)  # fmt: skip
def test_what_is_not_a_plain_did_web_is_refused(did: str) -> None:
    with pytest.raises(DidMalformedError):
        url_of(did)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1%3A8401", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
     "8.8.8.8", "93.184.216.34", "hub.example.1"],
)  # fmt: skip
def test_no_document_is_read_from_an_address_in_any_spelling(host: str) -> None:
    def fetch(_address: str) -> object:
        pytest.fail("nothing is asked")

    with pytest.raises(DidMalformedError):
        DidWebResolver(fetch).resolve(f"did:web:{host}")


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


@pytest.mark.parametrize(
    "key", [Ed25519Key.from_seed(b"1" * 32), P256Key.generate(), P384Key.generate()]
)
def test_a_did_jwk_is_its_key(key: Ed25519Key | P256Key | P384Key) -> None:
    did = did_jwk(key.public)
    document = DidResolver().resolve(did)
    assert document.key(f"{did}#0", "assertionMethod") == key.public
    with pytest.raises(DidError):
        document.key(f"{did}#1", "assertionMethod")


def test_the_method_specifications_example_reads_as_it_says() -> None:
    did = (
        "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6"
        "OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9"
    )
    (method,) = DidResolver().resolve(did).methods
    assert method.public().jwk() == {
        "kty": "EC",
        "crv": "P-256",
        "x": "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0",
        "y": "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE",
    }


def as_jwk(value: object) -> str:
    return f"did:jwk:{b64url(json.dumps(value).encode())}"


EC_JWK = P256Key.from_private_bytes(b"1" * 32).public.jwk()


@pytest.mark.parametrize(
    "did",
    [
        "did:jwk:",
        "did:jwk:!!",
        "did:jwk:e30",
        "did:jwk:" + "A" * 3_000,
        as_jwk([]),
        as_jwk({**EC_JWK, "d": "AQ"}),
        as_jwk({**EC_JWK, "crv": "secp256k1"}),
        as_jwk({**EC_JWK, "x": EC_JWK["y"]}),
        as_jwk(EC_JWK) + "#0",
        "did:jwk:" + b64url(b'{"kty":"EC","kty":"EC"}'),
    ],
)
def test_what_is_no_did_jwk_is_refused(did: str) -> None:
    with pytest.raises(DidMalformedError):
        DidResolver().resolve(did)


def test_a_key_for_encryption_verifies_nothing() -> None:
    did = as_jwk({**EC_JWK, "use": "enc"})
    with pytest.raises(DidError):
        DidResolver().resolve(did).key(f"{did}#0", "assertionMethod")


def test_a_document_may_hold_its_key_as_jwk() -> None:
    value = published()
    for method, key in zip(
        value["verificationMethod"], DidDocument.from_json(value, expected=DID).methods, strict=True
    ):
        method["type"] = "JsonWebKey"
        del method["publicKeyMultibase"]
        method["publicKeyJwk"] = key.public().jwk()
    document = DidDocument.from_json(value, expected=DID)
    assert document == DidDocument.from_json(published(), expected=DID)


@pytest.mark.parametrize("value", [None, [], 5, {"id": DID, "assertionMethod": 7}])
def test_what_is_no_document_is_malformed(value: Any) -> None:
    with pytest.raises(DidMalformedError):
        DidDocument.from_json(value, expected=DID)


# --- did:web over the guarded client ------------------------------------------------------


def test_a_document_is_kept_a_short_while_and_a_failure_never() -> None:
    now, fetched, fails = [0.0], [], [True]

    def fetch(address: str) -> dict[str, Any]:
        fetched.append(address)
        if fails[0]:
            raise UnreachableError("no answer", origin="x")
        return published()

    resolver = DidWebResolver(fetch, keep_s=300, clock=lambda: now[0])
    with pytest.raises(UnreachableError):
        resolver.resolve(DID)
    fails[0] = False
    first = resolver.resolve(DID)
    now[0] = 299.0
    assert resolver.resolve(DID) is first
    now[0] = 301.0
    assert resolver.resolve(DID) is not first
    assert len(fetched) == 3


class Web:
    """A server on loopback with one DID document, and a name server whose answers are told."""

    def __init__(self) -> None:
        self.hits = 0
        self.status, self.body, self.headers = 200, b"", {"Content-Type": "application/did+json"}
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.hits += 1
                self.send_response(web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(web.body)))
                self.end_headers()
                self.wfile.write(web.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.did = f"did:web:localhost%3A{self.server.server_port}"
        document = did_document(self.did, [Ed25519Key.generate().signer(f"{self.did}#k")])
        self.body = json.dumps(document).encode()
        threading.Thread(target=lambda: self.server.serve_forever(0.02), daemon=True).start()

    def resolver(
        self, *answers: str, allow: AddressPolicy = AddressPolicy.WITH_LOOPBACK, **options: Any
    ) -> DidWebResolver:
        left = list(answers)

        def resolve(_host: str, _port: int) -> list[str]:
            return [left.pop(0) if len(left) > 1 else left[0]]

        client = BoundedClient(timeout_s=1.0, max_bytes=10_000, allow=allow, resolve=resolve)
        return DidWebResolver(client.get_json, loopback_http=True, **options)


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_loopback_is_read_where_the_policy_allows_it(web: Web) -> None:
    assert web.resolver("127.0.0.1").resolve(web.did).id == web.did
    assert web.hits == 1


def test_a_name_that_leads_to_this_machine_is_refused_elsewhere(web: Web) -> None:
    addresses = (
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fe80::1%eth0",
        "fc00::1",
    )
    for address in addresses:
        with pytest.raises(AddressRefusedError):
            web.resolver(address, allow=AddressPolicy.PUBLIC).resolve("did:web:hub.example")
    assert web.hits == 0


def test_one_address_of_several_that_is_not_public_is_enough(web: Web) -> None:
    """A name server that mixes a good address with this machine's."""
    client = BoundedClient(
        timeout_s=1.0,
        allow=AddressPolicy.PUBLIC,
        resolve=lambda _host, _port: ["93.184.216.34", "::ffff:127.0.0.1"],
    )
    with pytest.raises(AddressRefusedError):
        DidWebResolver(client.get_json).resolve("did:web:hub.example")
    assert web.hits == 0


def test_a_refused_address_is_asked_again_and_never_kept(web: Web) -> None:
    resolver = web.resolver("127.0.0.1", allow=AddressPolicy.PUBLIC)
    for _ in range(2):
        with pytest.raises(AddressRefusedError):
            resolver.resolve("did:web:hub.example")
    assert web.hits == 0


def test_a_name_that_changes_its_answer_is_checked_at_each_connection(web: Web) -> None:
    """DNS rebinding: the address that was checked is the one connected to; a later answer is
    checked anew."""
    client = BoundedClient(
        timeout_s=1.0,
        allow=AddressPolicy.WITH_LOOPBACK,
        resolve=lambda _host, _port, left=["127.0.0.1", "10.0.0.1"]: [left.pop(0)],  # type: ignore[misc]
    )
    web.headers["Connection"] = "close"
    resolver = DidWebResolver(client.get_json, loopback_http=True, keep_s=0.0)
    assert resolver.resolve(web.did).id == web.did
    with pytest.raises(AddressRefusedError):
        resolver.resolve(web.did)
    assert web.hits == 1


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, b"", RedirectRefusedError),
        (200, {"Content-Type": "text/html"}, b"<html>", ContentTypeRefusedError),
        (200, {"Content-Type": "application/json"}, b" " * 20_000, ResponseTooLargeError),
        (200, {"Content-Type": "application/json"}, b'{"id":1,"id":2}', ResponseUnreadableError),
        (200, {"Content-Type": "application/json"}, b"[]", DidMalformedError),
        (404, {"Content-Type": "application/json"}, b"{}", UpstreamStatusError),
    ],
)
def test_an_answer_outside_the_bounds_is_refused_by_name(
    web: Web, status: int, headers: dict[str, str], body: bytes, error: type[Exception]
) -> None:
    web.status, web.headers, web.body = status, headers, body
    with pytest.raises(error):
        web.resolver("127.0.0.1").resolve(web.did)
    assert web.hits == 1
