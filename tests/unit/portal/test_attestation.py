"""The attestation PDF: accessible, with the proof inside, saying what it does not prove."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pikepdf
import pytest

from portal.attestation import MAX_PDF, NOT_PROVEN, Attestation, fingerprint, read_proof, render
from portal.errors import AttestationError, AttestationTooLargeError

PROOF: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2", "https://w3id.org/mobility-vault/v1"],
    "id": "urn:uuid:0b4e1d5e-0000-4000-8000-000000000000",
    "type": ["VerifiableCredential", "UsageProof"],
    "issuer": "did:web:home.example",
    "credentialSubject": {
        "id": "did:key:zDnaeTest",
        "metric": "eligible-days",
        "days": 66,
        "periodFrom": "2026-01-01",
        "periodUntil": "2026-11-21",
        "daysByMode": [{"mode": "bicycle", "days": 48}, {"mode": "carpool", "days": 18}],
        "weakestEvidence": "sensed",
        "assuranceMethod": "vault-attested",
        "rule": "https://w3id.org/mobility-vault/rule/fmd",
        "ruleVersion": "2022-12-13",
    },
    "proof": {"type": "DataIntegrityProof", "proofValue": "z" + "é" * 10},
}
ATTESTATION = Attestation(
    proof=PROOF,
    holder_name="Camille Vidal",
    employer="Agglomération fictive",
    issuer_name="Hébergeur de test",
    verify_url="https://hub.example/verifier",
    paper_url="https://home.example/p/abc",
    made_at=datetime(2026, 11, 21, 7, 0, tzinfo=UTC),
    sandbox=True,
)


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return render(ATTESTATION)


def test_the_pdf_is_tagged_titled_and_in_french(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        root = file.Root
        assert bool(root.MarkInfo.Marked)
        assert str(root.Lang) == "fr"
        assert "/StructTreeRoot" in root
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        with file.open_metadata() as meta:
            assert meta["dc:title"] == "Attestation de trajets domicile – travail"
            assert meta["pdfuaid:part"] == "1"


def test_the_signed_proof_inside_is_the_one_given_byte_for_byte(pdf: bytes) -> None:
    assert read_proof(pdf) == PROOF
    with pikepdf.open(io.BytesIO(pdf)) as file:
        attached = file.attachments["preuve-usage.json"].get_file().read_bytes()
    assert json.loads(attached) == PROOF


def test_the_proof_alone_is_read_too() -> None:
    assert read_proof(json.dumps(PROOF).encode()) == PROOF


def test_a_print_or_scan_carries_no_proof(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as file:
        del file.attachments["preuve-usage.json"]
        out = io.BytesIO()
        file.save(out)
    with pytest.raises(AttestationError):
        read_proof(out.getvalue())


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%PDF-1.7", b"[]", b'{"a":1,"a":2}', b"\xff" * 40]
)
def test_what_is_not_an_attestation_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(AttestationError):
        read_proof(data)


def test_a_file_over_the_limit_is_not_read() -> None:
    with pytest.raises(AttestationTooLargeError):
        read_proof(b"%PDF-" + b"0" * MAX_PDF)


@pytest.mark.parametrize(
    "claim", ["days", "daysByMode", "weakestEvidence", "assuranceMethod", "rule"]
)
def test_a_proof_without_a_claim_makes_no_paper(claim: str) -> None:
    subject = {k: v for k, v in PROOF["credentialSubject"].items() if k != claim}
    with pytest.raises(AttestationError):
        render(replace(ATTESTATION, proof={**PROOF, "credentialSubject": subject}))


def test_hostile_names_stay_text() -> None:
    name = '#panic("x") *bold* $x$ <script>'
    assert read_proof(render(replace(ATTESTATION, holder_name=name))) == PROOF


def test_the_fingerprint_changes_with_any_claim() -> None:
    other = {**PROOF, "credentialSubject": {**PROOF["credentialSubject"], "days": 67}}
    assert fingerprint(PROOF) != fingerprint(other)
    assert len(fingerprint(PROOF).replace(" ", "")) == 32


def test_what_is_not_proven_is_said() -> None:
    assert len(NOT_PROVEN) >= 4


def test_the_same_attestation_gives_the_same_bytes() -> None:
    assert render(ATTESTATION) == render(ATTESTATION)
