"""HTTP Message Signatures: RFC 9421's own vector, ours, and every way to break one."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from federation.keys import Ed25519Key, P256Key, PublicKey, Signer
from federation.wire import signatures
from federation.wire.errors import SignatureRefusedError

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URL = "https://hub.example/v1/drop-box/3?x=1"
BODY = b'{"hello": "world"}'


def test_rfc_9421_appendix_b_2_6_ed25519() -> None:
    """Key of B.1.4, request of B.2, signature of B.2.6, byte for byte."""
    private = base64.b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")
    public = base64.b64decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    components = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    parameters = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    base = signatures.signature_base(
        components,
        parameters,
        method="POST",
        url="https://example.com/foo?param=Value&Pet=dog",
        headers={
            "date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type": "application/json",
            "content-length": "18",
        },
    )
    assert base.decode() == (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@method": POST\n'
        '"@path": /foo\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n'
        '"content-length": 18\n'
        f'"@signature-params": {parameters}'
    )
    expected = base64.b64decode(
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    key = Ed25519Key.from_seed(private[-32:])
    assert key.public.raw == public[-32:]
    assert key.sign(base) == expected
    PublicKey.from_raw("Ed25519", public[-32:]).verify(base, expected)


def test_the_content_digest_is_rfc_9530s() -> None:
    """RFC 9530 §B.1, `{"hello": "world"}` and a line feed."""
    assert (
        signatures.content_digest(BODY + b"\n")
        == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    )


@dataclass
class Node:
    """A receiving node: the keys it knows and the nonces it has seen."""

    keys: dict[str, PublicKey]
    seen: set[tuple[str, str]] = field(default_factory=set)

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        fresh = (keyid, nonce) not in self.seen
        self.seen.add((keyid, nonce))
        return fresh

    def verify(
        self,
        headers: dict[str, str],
        *,
        method: str = "POST",
        url: str = URL,
        body: bytes = BODY,
        at: datetime = AT,
    ) -> signatures.VerifiedSignature:
        return signatures.verify(
            {name.lower(): value for name, value in headers.items()},
            method=method,
            url=url,
            body=body,
            key_of=self.keys.get,
            is_fresh=self.is_fresh,
            at=at,
        )


@pytest.fixture(params=[Ed25519Key.generate, P256Key.generate], ids=["Ed25519", "P-256"])
def key(request: pytest.FixtureRequest) -> Ed25519Key | P256Key:
    made: Ed25519Key | P256Key = request.param()
    return made


@pytest.fixture
def signer(key: Ed25519Key | P256Key) -> Signer:
    return key.signer()


@pytest.fixture
def node(key: Ed25519Key | P256Key, signer: Signer) -> Node:
    return Node({signer.verification_method: key.public})


def signed(signer: Signer, **given: object) -> dict[str, str]:
    values: dict[str, object] = {
        "method": "POST",
        "url": URL,
        "body": BODY,
        "created": AT,
        "nonce": "0123456789abcdef",
        **given,
    }
    return signatures.sign(signer=signer, **values)  # type: ignore[arg-type]  # keywords of sign


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(SignatureRefusedError) as caught:
        act()
    return caught.value.reason


def test_a_signed_request_is_accepted_once(node: Node, signer: Signer) -> None:
    headers = signed(signer)
    found = node.verify(headers)
    assert found.keyid == signer.verification_method
    assert found.created == AT
    assert reason(lambda: node.verify(headers)) == "replayed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"method": "PUT"}, "false"),
        ({"url": URL + "2"}, "false"),
        ({"url": URL.replace("https", "http")}, "false"),
        ({"body": BODY + b" "}, "digest-mismatch"),
        ({"at": AT + timedelta(minutes=3)}, "expired"),
        ({"at": AT - timedelta(minutes=3)}, "future"),
    ],
)
def test_any_difference_is_refused_by_name(
    node: Node, signer: Signer, change: dict[str, object], why: str
) -> None:
    assert reason(lambda: node.verify(signed(signer), **change)) == why  # type: ignore[arg-type]  # keywords of verify
    assert not node.seen, "a refused request uses no nonce"


def test_another_key_under_the_same_name_is_refused(node: Node, signer: Signer) -> None:
    node.keys[signer.verification_method] = Ed25519Key.generate().public
    assert reason(lambda: node.verify(signed(signer))) == "false"
    node.keys.clear()
    assert reason(lambda: node.verify(signed(signer))) == "unknown-key"


def test_a_long_life_is_refused(node: Node, signer: Signer) -> None:
    assert reason(lambda: node.verify(signed(signer, lifetime_s=3600))) == "too-old"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Signature", "", "missing"),
        ("Signature-Input", "", "missing"),
        ("Signature", "mv1=:not base64:", "malformed"),
        ("Signature", "other=:AAAA:", "malformed"),
        ("Signature", "mv1=:AAAA:", "false"),
        ("Signature-Input", "mv1=()", "components"),
        ("Signature-Input", 'mv1=("@method");created=1', "components"),
        ("Signature-Input", 'mv1=("@method" "@method" x)', "malformed"),
        ("Signature-Input", "mv1=(" * 2000, "malformed"),
        (
            "Signature-Input",
            'mv1=("@method" "@target-uri" "content-digest");created=a',
            "malformed",
        ),
        ("Content-Digest", "", "malformed"),
        ("Content-Digest", "md5=:AAAA:", "digest-mismatch"),
    ],
)
def test_every_malformed_field_has_a_reason(
    node: Node, signer: Signer, name: str, value: str, why: str
) -> None:
    assert reason(lambda: node.verify({**signed(signer), name: value})) == why


def test_a_parameter_changed_after_signing_is_refused(node: Node, signer: Signer) -> None:
    headers = signed(signer)
    later = int(AT.timestamp()) + 61
    changed = headers["Signature-Input"].replace(f"expires={later - 1}", f"expires={later}")
    assert changed != headers["Signature-Input"]
    assert reason(lambda: node.verify({**headers, "Signature-Input": changed})) == "false"
    added = headers["Signature-Input"] + ';alg="ed25519"'
    assert reason(lambda: node.verify({**headers, "Signature-Input": added})) in (
        "false",
        "unknown-key",
    )
