"""Signing and verifying, against raw Ed25519 and against PyLD's pipeline."""

import hashlib
from datetime import UTC, date, datetime
from typing import Any

import pytest

from federation.credentials.issue import issue
from federation.credentials.types import usage_proof
from federation.keys import Ed25519Key
from federation.multibase import base58_decode, base58_encode
from federation.proofs.data_integrity import verify_proof
from schemas import documents
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode
from tests.bench.conftest import Bench

pytestmark = pytest.mark.bench

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def body() -> dict[str, Any]:
    return usage_proof(
        holder=Did("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
        period=(date(2026, 1, 1), date(2026, 12, 31)),
        rule=Iri("https://w3id.org/mobility-vault/rules/fmd"),
        rule_version="2022-12-13",
        days=41,
        weakest_evidence=Evidence.SENSED,
        assurance=AssuranceMethod.VAULT_ATTESTED,
        days_by_mode={Mode.BICYCLE: 30, Mode.CARPOOL: 11},
        days_by_evidence={Evidence.SENSED: 30, Evidence.OPERATOR: 11},
    )


class PyldPipeline:
    """eddsa-rdfc-2022 as a straightforward implementation does it: PyLD for both documents."""

    def __init__(self, key: Ed25519Key) -> None:
        self.key = key
        self.texts: dict[str, dict[str, Any]] = {}

    def load(self, url: str, _options: object) -> dict[str, Any]:
        if url not in self.texts:
            self.texts[url] = documents.load(url)
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": self.texts[url],
        }

    def digest(self, document: dict[str, Any]) -> bytes:
        from pyld import jsonld

        text = jsonld.normalize(
            document,
            {
                "algorithm": "URDNA2015",
                "format": "application/n-quads",
                "documentLoader": self.load,
            },
        )
        return hashlib.sha256(text.encode()).digest()

    def hash_data(self, document: dict[str, Any]) -> bytes:
        options = {k: v for k, v in document["proof"].items() if k != "proofValue"}
        unsecured = {k: v for k, v in document.items() if k != "proof"}
        return self.digest({**options, "@context": document["@context"]}) + self.digest(unsecured)

    def sign(self, document: dict[str, Any]) -> str:
        return "z" + base58_encode(self.key.sign(self.hash_data(document)))

    def verify(self, document: dict[str, Any]) -> None:
        signature = base58_decode(document["proof"]["proofValue"][1:])
        self.key.public.verify(self.hash_data(document), signature)


def test_signing_and_verifying_a_credential(bench: Bench) -> None:
    key = Ed25519Key.generate()
    signer = key.signer()
    signed = issue(body(), signer=signer, at=AT)
    pyld = PyldPipeline(key)
    assert pyld.sign(signed) == signed["proof"]["proofValue"], "both sign the same bytes"
    pyld.verify(signed)

    data = bytes(64)
    signature = key.sign(data)
    bench.compare(
        "proof.sign / raw Ed25519",
        lambda: issue(body(), signer=signer, at=AT),
        lambda: key.sign(data),
        inner=20,
        reference_inner=200,
    )
    bench.compare(
        "proof.verify / raw Ed25519",
        lambda: verify_proof(signed, key=key.public),
        lambda: key.public.verify(data, signature),
        inner=20,
        reference_inner=200,
    )
    sign = bench.compare(
        "proof.sign / PyLD pipeline",
        lambda: issue(body(), signer=signer, at=AT),
        lambda: pyld.sign(signed),
        n=7,
        inner=5,
    )
    verify = bench.compare(
        "proof.verify / PyLD pipeline",
        lambda: verify_proof(signed, key=key.public),
        lambda: pyld.verify(signed),
        n=7,
        inner=5,
    )
    assert sign < 0.5, "the compiled path is there to be faster than PyLD"
    assert verify < 0.5
