"""Files verified without network: credential, presentation, attestation PDF."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from federation.credentials import HasCredential, OfflineResult, json_schema, verify_offline
from federation.credentials.types import CREDENTIAL_TYPES
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, HOME, LIST_URL, NOW, World


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
