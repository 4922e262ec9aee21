"""VC-API: proofs alone, for conformance suites, and only where the setting asks for it."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from federation.credentials.conformance import verify_presentation
from federation.did import DidResolver, did_document, did_jwk
from federation.hub.app import create_hub_app
from federation.hub.context import HubContext
from federation.hub.settings import HubSettings
from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key
from federation.proofs import add_proof, append_proof
from tests.hub_world import START, Clock

V1, V2 = "https://www.w3.org/2018/credentials/v1", "https://www.w3.org/ns/credentials/v2"
KEY = Ed25519Key.from_seed(b"c" * 32)
DID = KEY.signer().verification_method.partition("#")[0]
SUITES = (
    "eddsa-rdfc-2022",
    "eddsa-jcs-2022",
    "ecdsa-rdfc-2019",
    "ecdsa-jcs-2019",
    "ecdsa-sd-2023",
)


def credential(**changes: Any) -> dict[str, Any]:
    """A credential of somebody else's type, with a blank node."""
    return {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "issuer": "https://university.example/issuers/14",
        "validFrom": "2010-01-01T19:23:24Z",
        "credentialSubject": {"id": "did:example:ebfeb1f712ebc6f1c276e12ec21"},
        **changes,
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("hub")
    settings = HubSettings(folder=folder, allow_loopback=True, vc_api=True)
    context = HubContext.build(settings, clock=Clock())
    yield TestClient(create_hub_app(context), base_url="https://localhost:8401")
    context.store.close()


def issue(client: TestClient, document: dict[str, Any], **options: Any) -> Any:
    return client.post(
        "/vc-api/credentials/issue", json={"credential": document, "options": options}
    )


def verify(client: TestClient, document: Any) -> Any:
    return client.post("/vc-api/credentials/verify", json={"verifiableCredential": document})


def test_it_is_not_there_unless_asked_for(tmp_path: Path) -> None:
    context = HubContext.build(HubSettings(folder=tmp_path, allow_loopback=True), clock=Clock())
    app = create_hub_app(context)
    assert not [path for path in app.openapi()["paths"] if "vc-api" in path]
    answer = issue(TestClient(app, base_url="https://localhost:8401"), credential())
    assert answer.status_code == 404
    context.store.close()


@pytest.mark.parametrize("suite", SUITES[:-1])
def test_what_is_issued_comes_bare_and_verifies(client: TestClient, suite: str) -> None:
    answer = issue(client, credential(), cryptosuite=suite)
    assert answer.status_code == 201, answer.text
    signed = answer.json()
    assert signed["proof"]["cryptosuite"] == suite
    assert signed["issuer"] == "https://university.example/issuers/14"
    found = verify(client, signed)
    assert (found.status_code, found.json()["verified"]) == (200, True)
    changed = {**signed, "validFrom": "2011-01-01T19:23:24Z"}
    found = verify(client, changed)
    assert found.status_code == 400
    assert found.json()["errors"][0]["code"] == "proof-invalid"


def test_a_base_proof_is_derived_and_the_derived_verifies(client: TestClient) -> None:
    base = issue(
        client,
        credential(),
        cryptosuite="ecdsa-sd-2023",
        mandatoryPointers=["/issuer"],
    ).json()
    assert verify(client, base).json()["errors"][0]["code"] == "base-proof"
    answer = client.post(
        "/vc-api/credentials/derive",
        json={
            "verifiableCredential": base,
            "options": {"selectivePointers": ["/credentialSubject"]},
        },
    )
    assert answer.status_code == 201, answer.text
    assert "validFrom" not in answer.json()
    assert verify(client, answer.json()).status_code == 200


def test_the_first_data_model_gets_the_context_of_its_proof(client: TestClient) -> None:
    document = credential()
    del document["validFrom"]
    document["@context"] = [V1]
    signed = issue(client, document).json()
    assert signed["@context"] == [V1, "https://w3id.org/security/data-integrity/v2"]
    assert verify(client, signed).status_code == 200


REFUSED: dict[str, dict[str, Any]] = {
    "no-context": {"@context": []},
    "context-not-first": {"@context": ["https://www.w3.org/ns/did/v1", V2]},
    "context-no-list": {"@context": V2},
    "unknown-context": {"@context": [V2, "https://unknown.example/v1"]},
    "no-type": {"type": []},
    "type-without-meaning": {"type": ["VerifiableCredential", "NobodysType"]},
    "relative-type": {"type": ["VerifiableCredential", "a b"]},
    "undefined-term": {"nobody": "defines this"},
    "undefined-term-of-the-subject": {"credentialSubject": {"nobody": "defines this"}},
    "relative-id": {"id": "just-a-name"},
    "id-no-text": {"id": 5},
    "issuer-relative": {"issuer": "somebody"},
    "issuer-null": {"issuer": None},
    "no-subject": {"credentialSubject": {}},
    "empty-subject-among-others": {"credentialSubject": [{"id": "urn:x:1"}, {}]},
    "date-without-zone": {"validFrom": "2010-01-01T19:23:24"},
    "date-of-words": {"validUntil": "tomorrow"},
    "status-without-type": {"credentialStatus": {"id": "urn:x:1"}},
    "schema-without-id": {"credentialSchema": {"type": "JsonSchema"}},
    "resource-without-digest": {"relatedResource": [{"id": V2}]},
    "resource-of-another-digest": {"relatedResource": [{"id": V2, "digestSRI": "sha256-AAAA"}]},
    "signed-already": {"proof": {"type": "DataIntegrityProof"}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_data_model_forbids_is_not_issued(client: TestClient, name: str) -> None:
    answer = issue(client, credential(**REFUSED[name]))
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize("name", [n for n in REFUSED if n != "signed-already"])
def test_what_the_data_model_forbids_is_not_verified(client: TestClient, name: str) -> None:
    signed = issue(client, credential()).json()
    answer = verify(client, {**signed, **REFUSED[name]})
    assert answer.status_code == 400
    assert answer.json()["verified"] is False


def test_a_resource_with_the_right_digest_is_accepted(client: TestClient) -> None:
    from base64 import b64encode
    from hashlib import sha384

    from schemas.documents import load_text

    digest = b64encode(sha384(load_text(V2).encode()).digest()).decode()
    document = credential(relatedResource=[{"id": V2, "digestSRI": f"sha384-{digest}"}])
    answer = issue(client, document)
    assert answer.status_code == 201, answer.text
    assert verify(client, answer.json()).status_code == 200


@pytest.mark.parametrize("suite", ["none", "bbs-2023", "Ed25519Signature2020"])
def test_a_suite_we_do_not_speak_is_refused(client: TestClient, suite: str) -> None:
    assert issue(client, credential(), cryptosuite=suite).status_code == 400
    signed = issue(client, credential()).json()
    signed["proof"]["cryptosuite"] = suite
    assert verify(client, signed).json()["errors"][0]["code"] == "cryptosuite-unknown"


def presentation(challenge: str = "c-1", **changes: Any) -> dict[str, Any]:
    held = add_proof(
        credential(issuer=DID),
        KEY.signer(),
        cryptosuite="eddsa-rdfc-2022",
        purpose="assertionMethod",
        created=START,
        foreign=True,
    )
    return add_proof(
        {
            "@context": [V2],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": [held],
            **changes,
        },
        KEY.signer(),
        cryptosuite="eddsa-rdfc-2022",
        purpose="authentication",
        created=START,
        challenge=challenge,
        domain="d.example",
        foreign=True,
    )


def present(client: TestClient, document: Any, **options: Any) -> Any:
    return client.post(
        "/vc-api/presentations/verify",
        json={"verifiablePresentation": document, "options": options},
    )


def test_a_presentation_verifies_for_its_challenge_and_domain(client: TestClient) -> None:
    package = presentation()
    for options in ({}, {"challenge": "c-1"}, {"challenge": "c-1", "domain": "d.example"}):
        assert present(client, package, **options).status_code == 200
    for options, code in (
        ({"challenge": "c-2"}, "challenge-mismatch"),
        ({"domain": "e.example"}, "wrong-audience"),
    ):
        answer = present(client, package, **options)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


def test_a_changed_credential_inside_is_refused(client: TestClient) -> None:
    package = presentation()
    package["verifiableCredential"][0]["validFrom"] = "2011-01-01T00:00:00Z"
    assert present(client, package).status_code == 400
    resigned = {k: v for k, v in package.items() if k != "proof"}
    again = presentation(verifiableCredential=resigned["verifiableCredential"])
    assert present(client, again).json()["errors"][0]["code"] == "proof-invalid"


def test_a_proof_for_another_purpose_is_refused(client: TestClient) -> None:
    package = presentation()
    answer = verify(client, {**package, "type": ["VerifiableCredential"]})
    assert answer.status_code == 400
    package["proof"]["proofPurpose"] = "assertionMethod"
    assert present(client, package).json()["errors"][0]["code"] == "proof-purpose"


def test_an_expired_proof_is_refused(client: TestClient) -> None:
    signed = add_proof(
        credential(),
        KEY.signer(),
        cryptosuite="eddsa-rdfc-2022",
        purpose="assertionMethod",
        created=START.replace(year=2020),
        expires=START.replace(year=2021),
        foreign=True,
    )
    assert verify(client, signed).json()["errors"][0]["code"] == "proof-expired"


def test_every_proof_of_a_set_must_hold(client: TestClient) -> None:
    other = P256Key.generate()
    document = credential()
    signed = append_proof(
        append_proof(
            document,
            KEY.signer(),
            cryptosuite="eddsa-rdfc-2022",
            purpose="assertionMethod",
            created=START,
            foreign=True,
        ),
        other.signer(f"{did_jwk(other.public)}#0"),
        cryptosuite="ecdsa-rdfc-2019",
        purpose="assertionMethod",
        created=START,
        foreign=True,
    )
    assert verify(client, signed).status_code == 200
    spoiled = copy.deepcopy(signed)
    spoiled["proof"][1]["created"] = "2020-01-01T00:00:00Z"
    assert verify(client, spoiled).status_code == 400


def test_an_enveloped_credential_verifies(client: TestClient) -> None:
    token = sign_jws(credential(issuer=DID), KEY.signer(), typ="vc+jwt")
    envelope = {
        "@context": V2,
        "id": f"data:application/vc+jwt,{token}",
        "type": "EnvelopedVerifiableCredential",
    }
    assert verify(client, envelope).status_code == 200
    spoiled = {**envelope, "id": envelope["id"][:-4] + "AAAA"}
    assert verify(client, spoiled).status_code == 400


def test_a_key_that_cannot_be_found_is_refused_and_one_out_of_reach_is_not(
    client: TestClient,
) -> None:
    signed = issue(client, credential()).json()
    for method in ("did:example:x#1", "https://a.example/key", "did:key:zzz#zzz"):
        signed["proof"]["verificationMethod"] = method
        assert verify(client, signed).status_code == 400
    signed["proof"]["verificationMethod"] = "did:web:localhost%3A1#k"
    answer = verify(client, signed)
    assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")


def test_a_did_document_is_read_once_for_several_documents(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = "did:web:localhost%3A8499:university"
    signer = KEY.signer(f"{did}#key-1")
    signed = add_proof(
        credential(issuer=did),
        signer,
        cryptosuite="eddsa-rdfc-2022",
        purpose="assertionMethod",
        created=START,
        foreign=True,
    )
    asked: list[str] = []

    def get_json(address: str) -> dict[str, Any]:
        asked.append(address)
        return did_document(did, [signer])

    context = client.app.state.hub  # type: ignore[attr-defined]
    monkeypatch.setattr(context.outbound, "get_json", get_json)
    context.__dict__.pop("conformance_resolver", None)
    assert [verify(client, signed).status_code for _ in range(2)] == [200, 200]
    assert asked == ["http://localhost:8499/university/did.json"]
    context.__dict__.pop("conformance_resolver")


@pytest.mark.parametrize("body", [{}, {"verifiableCredential": 5}, {"verifiableCredential": []}])
def test_a_body_of_another_shape_is_refused(client: TestClient, body: Any) -> None:
    assert client.post("/vc-api/credentials/verify", json=body).status_code == 422


def test_a_deep_or_huge_document_is_refused(client: TestClient) -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = {"a": deep}
    assert verify(client, credential(credentialSubject=deep)).status_code == 400
    wide = credential(credentialSubject=[{"id": f"urn:x:{n}"} for n in range(20_001)])
    assert verify(client, wide).status_code in (400, 413)
    many = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [credential()] * 65,
    }
    assert present(client, many).status_code == 400


def test_nothing_it_signs_convinces_the_hub(client: TestClient) -> None:
    signed = issue(client, credential()).json()
    answer = client.post("/v1/verify", json={"document": signed})
    assert answer.json()["outcome"] == "fail"


def test_the_function_itself_verifies_without_a_challenge() -> None:
    package = presentation()
    assert verify_presentation(package, resolver=DidResolver(), at=START) == package
