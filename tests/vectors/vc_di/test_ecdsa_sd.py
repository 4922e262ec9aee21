"""W3C vectors of `ecdsa-sd-2023`: every published value, through every entry point."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import pytest
from pyld import jsonld

from federation.keys import P256Key, key_of_did_key
from federation.multibase import b64url_decode, base58_decode
from federation.proofs import (
    ProofInvalidError,
    add_base_proof,
    derive_proof,
    read_proof,
    verify_base_proof,
    verify_proof,
)
from federation.proofs.ecdsa_sd_2023 import _group, _proof_hash, _verifier_statements, select
from federation.verification import failed_codes
from schemas.documents import load
from schemas.rdf import canonize

FOLDERS = ("prc", "employ")
Canonicalize = Callable[[Mapping[str, Any]], bytes]


class Vector(NamedTuple):
    base: dict[str, Any]
    mandatory: list[str]
    selective: list[str]
    read: Callable[[str], Any]
    issuer: P256Key
    statements: P256Key
    hmac_key: bytes


@pytest.fixture(scope="module")
def canonicalize(shared: Path) -> Canonicalize:
    text = (shared / "vectors/contexts/citizenship-v4rc1.jsonld").read_text()
    citizenship = json.loads(text)

    def loader(url: str, _: object) -> dict[str, Any]:
        found = citizenship if url == "https://w3id.org/citizenship/v4rc1" else load(url)
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": found,
        }

    def canonical(document: Mapping[str, Any]) -> bytes:
        options = {
            "base": "https://relative.invalid/",
            "documentLoader": loader,
            "format": "application/n-quads",
        }
        return canonize(jsonld.to_rdf(dict(document), options)).encode()

    return canonical


@pytest.fixture(scope="module", params=FOLDERS)
def vector(shared: Path, request: pytest.FixtureRequest) -> Vector:
    folder = shared / "vectors/vc-di-ecdsa/ecdsa-sd-2023"
    keys = json.loads((folder / "SDKeyMaterial.json").read_text())

    def read(name: str) -> Any:
        text = (folder / request.param / name).read_text(encoding="utf-8")
        return json.loads(text) if name.endswith("json") else text

    def key(pair: Mapping[str, str]) -> P256Key:
        found = P256Key.from_private_bytes(base58_decode(pair["secretKeyMultibase"][1:])[2:])
        assert found.public.multikey() == pair["publicKeyMultibase"]
        return found

    prefix = "prCred" if request.param == "prc" else "employ"
    chosen = {
        group: json.loads((folder.parent / f"{prefix}{group}.json").read_text())
        for group in ("Mandatory", "Selective")
    }
    return Vector(
        read("addSignedSDBase.json"),
        chosen["Mandatory"],
        chosen["Selective"],
        read,
        key(keys["baseKeyPair"]),
        key(keys["proofKeyPair"]),
        bytes.fromhex(keys["hmacKeyString"]),
    )


def unsecured(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "proof"}


def published(groups: Mapping[str, Any]) -> list[str]:
    return [line for _, line in groups["value"]]


def test_the_base_proof_is_the_published_one(vector: Vector, canonicalize: Canonicalize) -> None:
    again = add_base_proof(
        unsecured(vector.base),
        vector.issuer.signer(),
        mandatory=vector.mandatory,
        purpose="assertionMethod",
        created=datetime.fromisoformat(vector.base["proof"]["created"]),
        canonicalize=canonicalize,
        statement_key=vector.statements,
        hmac_key=vector.hmac_key,
    )
    assert again == vector.base
    assert verify_base_proof(
        vector.base, key=vector.issuer.public, canonicalize=canonicalize
    ) == tuple(vector.mandatory)


def test_every_value_on_the_way_is_the_published_one(
    vector: Vector, canonicalize: Canonicalize
) -> None:
    document = unsecured(vector.base)
    assert canonicalize(document).decode() == "".join(vector.read("addBaseDocCanon.json"))
    grouped = _group(
        document,
        {
            "mandatory": vector.mandatory,
            "selective": vector.selective,
            "combined": [*vector.mandatory, *vector.selective],
        },
        vector.hmac_key,
        canonicalize,
    )
    assert list(grouped.statements) == vector.read("addBaseDocHMACCanon.json")
    transform = vector.read("addBaseTransform.json")
    assert transform["mandatoryPointers"] == vector.mandatory
    shown = grouped.selected["mandatory"]
    assert [grouped.statements[i] for i in sorted(shown)] == published(transform["mandatory"])
    others = [line for i, line in enumerate(grouped.statements) if i not in shown]
    assert others == published(transform["nonMandatory"])
    indexes = vector.read("derivedGroupIndexes.json")
    for name in ("mandatory", "selective", "combined"):
        assert sorted(grouped.selected[name]) == indexes[f"{name}Indexes"]

    options = dict(read_proof(vector.base).options)
    contexts = document["@context"]
    assert {**options, "@context": contexts} == vector.read("addProofConfig.json")
    hashes = vector.read("addHashData.json")
    assert _proof_hash(options, contexts, canonicalize).hex() == hashes["proofHash"]

    for entry in vector.read("addPointerValues.json"):
        selected = select(document, [entry["pointer"]])
        assert selected is not None
        assert selected[entry["pointer"][1:]] == entry["value"]


def test_what_is_derived_is_the_published_document(
    vector: Vector, canonicalize: Canonicalize
) -> None:
    derived = derive_proof(vector.base, selective=vector.selective, canonicalize=canonicalize)
    assert derived == vector.read("derivedRevealDocument.json")
    assert unsecured(derived) == vector.read("derivedUnsignedReveal.json")
    data = vector.read("derivedDisclosureData.json")
    _, _, signatures, labels, places = cbor2.loads(
        b64url_decode(derived["proof"]["proofValue"][1:])[3:]
    )
    assert [found.hex() for found in signatures] == data["signatures"]
    assert places == data["mandatoryIndexes"]
    assert [f"c14n{number}" for number in labels] == [k for k, _ in data["labelMap"]["value"]]


def test_the_published_derived_document_verifies(
    vector: Vector, canonicalize: Canonicalize
) -> None:
    document = vector.read("derivedRevealDocument.json")
    key = key_of_did_key(document["proof"]["verificationMethod"])
    assert key == vector.issuer.public
    verify_proof(document, key=key, canonicalize=canonicalize)
    data = vector.read("derivedDisclosureData.json")
    labels = {f"_:{k}": f"_:{v}" for k, v in data["labelMap"]["value"]}
    lines = _verifier_statements(canonicalize(unsecured(document)).decode(), labels)
    assert lines == vector.read("verifyNQuads.json")


def test_a_base_proof_convinces_no_verifier(vector: Vector, canonicalize: Canonicalize) -> None:
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(vector.base, key=vector.issuer.public, canonicalize=canonicalize)
    assert failed_codes(caught.value.checks) == ("base-proof",)


def test_contexts_that_are_not_pinned_are_refused_by_name(vector: Vector) -> None:
    document = vector.read("derivedRevealDocument.json")
    for foreign in (False, True):
        with pytest.raises(ProofInvalidError) as caught:
            verify_proof(document, key=vector.issuer.public, foreign=foreign)
        assert failed_codes(caught.value.checks) == ("context-unknown",)


def test_any_flipped_bit_of_the_proof_value_is_refused(
    vector: Vector, canonicalize: Canonicalize
) -> None:
    from federation.multibase import b64url

    document = vector.read("derivedRevealDocument.json")
    kept: dict[bool, bytes] = {}

    def cached(found: Mapping[str, Any]) -> bytes:
        return kept.setdefault("issuer" in found, canonicalize(found))

    good = b64url_decode(document["proof"]["proofValue"][1:])
    verify_proof(document, key=vector.issuer.public, canonicalize=cached)
    for bit in range(0, len(good) * 8, 23):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << (bit % 8)
        document["proof"]["proofValue"] = "u" + b64url(bytes(flipped))
        with pytest.raises(ProofInvalidError):
            verify_proof(document, key=vector.issuer.public, canonicalize=cached)
