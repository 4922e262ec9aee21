"""Files verified without network: credential, presentation, attestation PDF."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from federation.credentials import (
    HasCredential,
    OfflineResult,
    TokenStatus,
    TokenStatusList,
    UnsafeNoOpPolicy,
    disclose,
    issue,
    issue_sd_jwt_vc,
    issue_token_status_list,
    json_schema,
    verify_offline,
)
from federation.credentials import types as build
from federation.credentials.types import CREDENTIAL_TYPES
from federation.jose import sign_jws
from federation.keys import P256Key
from federation.proofs import present_sd_jwt
from federation.trust import PinnedKey
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, EMPLOYER, HOME, LIST_URL, NOW, World


@pytest.fixture
def world() -> World:
    return World()


def check(world: World, document: Any, **options: Any) -> OfflineResult:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    policy = options.pop("policy", HasCredential("UsageProof"))
    return verify_offline(
        data, trust=world.trust(), at=options.pop("at", NOW), policy=policy, **options
    )


def pdf(*bodies: bytes, compress: bool = True) -> bytes:
    """As much of a PDF as carries embedded files."""
    out = b"%PDF-1.7\n"
    for number, body in enumerate((b"BT (page) Tj ET", *bodies), start=1):
        data = zlib.compress(body) if compress else body
        out += b"%d 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (
            number,
            len(data),
            data,
        )
    return out + b"trailer\n%%EOF\n"


def test_a_credential_is_verified(world: World) -> None:
    usage = world.usage()
    result = check(world, usage)
    assert (result.outcome, result.kind) == ("verified", "credential")
    assert result.document == usage


def test_a_presentation_is_verified_and_shows_whom_it_was_for(world: World) -> None:
    result = check(world, world.present(world.usage()))
    assert (result.outcome, result.kind) == ("verified", "presentation")
    assert result.shown == {"challenge": CHALLENGE, "domain": AUDIENCE}


@pytest.mark.parametrize("compress", [True, False])
def test_an_attestation_is_verified_by_the_document_inside(world: World, compress: bool) -> None:
    body = json.dumps(world.usage(), indent=1).encode()
    assert check(world, pdf(body, compress=compress)).outcome == "verified"
    altered = body.replace(b'"days": 41', b'"days": 99')
    result = check(world, pdf(altered, compress=compress))
    assert (result.outcome, result.failed) == ("refused", ("proof-invalid",))


@pytest.mark.parametrize("standard", [None, "ua-1", "a-3b"])
def test_a_real_pdf_with_an_attached_document_is_verified(
    world: World, tmp_path: Path, standard: str | None
) -> None:
    import typst

    (tmp_path / "proof.json").write_text(json.dumps(world.usage()))
    (tmp_path / "page.typ").write_text(
        '#set document(title: "Attestation")\n'
        '#pdf.attach("proof.json", relationship: "data", mime-type: "application/ld+json", '
        'description: "preuve")\nBonjour\n'
    )
    options: dict[str, Any] = {"pdf_standards": [standard]} if standard else {}
    data = typst.compile(str(tmp_path / "page.typ"), root=str(tmp_path), **options)
    assert check(world, data).outcome == "verified"


def test_a_pdf_with_no_or_two_documents_is_refused(world: World) -> None:
    one, two = (json.dumps(world.usage()).encode() for _ in range(2))
    for data in (pdf(), pdf(one, two), b"%PDF-1.7\nstream", b"%PDF-1.7\n" + b"stream\n" * 5000):
        result = check(world, data)
        assert (result.outcome, result.failed) == ("refused", ("json-refused",))


def test_a_status_that_is_not_at_hand_is_cannot_tell(world: World) -> None:
    affiliation = world.affiliation(index=5)
    policy = HasCredential("AffiliationCredential")
    assert check(world, affiliation, policy=policy).outcome == "cannot-tell"
    world.publish()
    lists = {LIST_URL: world.lists[LIST_URL]}
    assert check(world, affiliation, policy=policy, status_lists=lists).outcome == "verified"
    world.publish(5)
    lists = {LIST_URL: world.lists[LIST_URL]}
    result = check(world, affiliation, policy=policy, status_lists=lists)
    assert (result.outcome, result.failed) == ("refused", ("status-revoked",))


def test_an_old_file_with_its_date_of_receipt_outlives_the_accreditation(world: World) -> None:
    usage = world.usage(valid_until=None)
    world.change(HOME, until=NOW + DAY)
    later = NOW + 20 * DAY
    assert check(world, usage, at=later).failed == ("issuer-not-accredited",)
    assert check(world, usage, at=later, received_at=NOW).outcome == "verified"
    package = world.present(usage)
    assert check(world, package, at=later, received_at=NOW).outcome == "verified"


@pytest.mark.parametrize("data", [b"", b"%PDF-", b"{}", b"\x00" * 50, b"hello", b"x" * 17_000_000])
def test_files_that_are_something_else_are_refused(world: World, data: bytes) -> None:
    assert check(world, data).outcome == "refused"


def test_nothing_is_required_by_default(world: World) -> None:
    data = json.dumps(world.affiliation()).encode()
    assert verify_offline(data, trust=world.trust(), at=NOW).outcome == "verified"


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_every_type_has_a_json_schema(name: str) -> None:
    schema = json_schema(name)
    subject = schema["properties"]["credentialSubject"]
    assert set(subject["required"]) <= set(subject["properties"])
    assert subject["additionalProperties"] is False


# --- tokens -------------------------------------------------------------------------------


def affiliation_token(world: World, **options: Any) -> str:
    body = build.affiliation(
        holder=world.holder_did,
        employer_name="Agglomération de la Clamoux",
        employer_id="20003588700013",
        employee_number="A-1042",
        status="agent-contractuel-public",
    )
    holder = P256Key.from_private_bytes(b"\x01" * 32).public
    return issue_sd_jwt_vc(
        body,
        signer=world.employer,
        holder=holder,
        at=NOW - DAY,
        valid_until=NOW + DAY,
        **options,
    )


ANY = UnsafeNoOpPolicy()


def test_an_sd_jwt_is_verified_as_it_lies_in_a_file(world: World) -> None:
    result = check(world, affiliation_token(world).encode() + b"\n", policy=ANY)
    assert (result.outcome, result.kind, result.shown) == ("verified", "sd-jwt", {})
    assert {found.step for found in result.checks} >= {1, 2, 3, 4, 5}


def test_a_presented_sd_jwt_shows_whom_it_was_for(world: World) -> None:
    shown = present_sd_jwt(
        affiliation_token(world),
        disclose=[("employerId",)],
        holder=world.holder,
        nonce=CHALLENGE,
        audience=AUDIENCE,
        at=NOW - 3 * DAY,
    )
    result = check(world, shown.encode(), policy=ANY)
    assert (result.outcome, result.kind) == ("verified", "sd-jwt")
    assert result.shown == {"challenge": CHALLENGE, "domain": AUDIENCE}
    token, _, binding = shown.rpartition("~")
    head, _, tail = binding.partition(".")
    for spoiled in (f"{token}~{head}.e30.{tail.partition('.')[2]}", f"{token}~a.b.c"):
        assert check(world, spoiled.encode(), policy=ANY).outcome == "refused"


def test_an_sd_jwt_of_a_stranger_or_changed_is_refused(world: World) -> None:
    token = affiliation_token(world)
    jwt, _, disclosures = token.partition("~")
    assert check(world, f"{jwt}A~{disclosures}".encode(), policy=ANY).outcome == "refused"
    assert check(world, f"{token}W10~".encode(), policy=ANY).failed == ("sd-jwt-malformed",)
    del world.entries[EMPLOYER]
    assert check(world, token.encode(), policy=ANY).failed == ("issuer-unknown",)


def vc_jwt(world: World, **changes: Any) -> str:
    credential = {k: v for k, v in world.usage().items() if k != "proof"}
    return sign_jws({**credential, **changes}, world.home, typ="vc+jwt")


@pytest.mark.parametrize("enveloped", [False, True])
def test_a_vc_jwt_is_verified_bare_or_enveloped(world: World, enveloped: bool) -> None:
    token = vc_jwt(world, iss=HOME)
    document: Any = token.encode()
    if enveloped:
        document = {
            "@context": "https://www.w3.org/ns/credentials/v2",
            "id": f"data:application/vc+jwt,{token}",
            "type": "EnvelopedVerifiableCredential",
        }
    result = check(world, document)
    assert (result.outcome, result.kind) == ("verified", "vc-jwt")
    assert {found.step for found in result.checks} == {1, 2, 3, 4, 5, 8}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": EMPLOYER}, "issuer-key-mismatch"),
        ({"extra": 1}, "dropped-term"),
        ({"validUntil": "2020-01-01T00:00:00Z"}, "expired"),
        ({"type": ["VerifiableCredential", "Nothing"]}, "type-unknown"),
        ({"credentialSubject": {"id": "urn:x:1"}}, "missing-member"),
    ],
)
def test_a_vc_jwt_is_held_to_the_same_steps(
    world: World, changes: dict[str, Any], code: str
) -> None:
    assert check(world, vc_jwt(world, **changes).encode()).failed == (code,)


def test_a_vc_jwt_of_a_type_its_issuer_is_not_accredited_for_is_refused(world: World) -> None:
    world.change(HOME, credential_types=frozenset())
    assert check(world, vc_jwt(world).encode()).failed == ("issuer-not-accredited",)


def test_a_derived_credential_is_verified(world: World) -> None:
    key = P256Key.generate()
    signer = key.signer(f"{HOME}#key-2")
    pinned = PinnedKey(signer.public_multikey(), signer.verification_method, NOW - 90 * DAY)
    world.change(HOME, keys=(*world.entries[HOME].keys, pinned))
    base = issue(world.usage_body(), signer=signer, at=NOW - DAY, selective=True)
    assert check(world, base).failed == ("base-proof",)
    part = disclose(base, [("credentialSubject", "days")])
    result = check(world, part)
    assert (result.outcome, result.kind) == ("verified", "credential")
    assert result.document is not None
    assert "daysByMode" not in result.document["credentialSubject"]


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_token_status_list_at_hand_is_read(world: World, status: int) -> None:
    url = "https://employer.example/status/1"
    entries = TokenStatusList.empty()
    entries[9] = status
    listed = issue_token_status_list(
        entries, uri=url, signer=world.employer, at=NOW - DAY, valid_until=NOW + DAY
    ).encode()
    token = affiliation_token(world, status=TokenStatus(url, 9)).encode()
    assert check(world, token, policy=ANY).outcome == "cannot-tell"
    result = check(world, token, policy=ANY, status_lists={url: listed})
    expected = [(), ("status-revoked",), ("status-suspended",)]
    assert result.failed == expected[status]
    assert (result.outcome == "verified") is (status == 0)
