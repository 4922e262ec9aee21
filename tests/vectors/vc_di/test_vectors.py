"""W3C vectors of the Data Integrity cryptosuites: each step, each entry point."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyld import jsonld

from federation.keys import Ed25519Key, P256Key, P384Key, key_of_did_key
from federation.multibase import base58_decode, base58_encode
from federation.proofs import (
    ProofInvalidError,
    add_proof,
    cryptosuite,
    read_proof,
    verify_proof,
)
from federation.proofs.data_integrity import hash_data
from federation.proofs.jcs import canonical_json
from federation.proofs.rdfc import canonical_text
from federation.verification import failed_codes
from schemas.compiled import CompiledContexts
from schemas.documents import load
from schemas.rdf import canonize

EXAMPLES = {"@context": {"@vocab": "https://www.w3.org/ns/credentials/examples#"}}
Canonicalize = Callable[[Mapping[str, Any]], bytes]


class Vector(NamedTuple):
    suite: str
    folder: str
    suffix: str
    keys: str


ED, EC = "vc-di-eddsa", "vc-di-ecdsa"
VECTORS = {
    "eddsa": Vector("eddsa-rdfc-2022", f"{ED}/eddsa-rdfc-2022", "DataInt", f"{ED}/keyPair.json"),
    "eddsa-jcs": Vector("eddsa-jcs-2022", f"{ED}/eddsa-jcs-2022", "JCS", f"{ED}/keyPair.json"),
}
for curve in ("256", "384"):
    pair = f"{EC}/p{curve}KeyPair.json"
    VECTORS[f"ecdsa-{curve}"] = Vector(
        "ecdsa-rdfc-2019", f"{EC}/ecdsa-rdfc-2019-p{curve}", f"ECDSAP{curve}", pair
    )
    VECTORS[f"ecdsa-jcs-{curve}"] = Vector(
        "ecdsa-jcs-2019", f"{EC}/ecdsa-jcs-2019-p{curve}", f"JCSECDSAP{curve}", pair
    )
for rdfc in ("eddsa", "ecdsa-256", "ecdsa-384"):
    plain = VECTORS[rdfc]
    VECTORS[f"{rdfc}-employ"] = plain._replace(folder=f"{plain.folder}/employ")
RDFC = [name for name in VECTORS if "jcs" not in name]
JCS = [name for name in VECTORS if "jcs" in name]


@pytest.fixture(scope="module")
def contexts(shared: Path) -> Callable[[str], dict[str, Any]]:
    text = (shared / "vectors/contexts/citizenship-v4rc1.jsonld").read_text()
    extra = {
        "https://www.w3.org/ns/credentials/examples/v2": EXAMPLES,
        "https://w3id.org/citizenship/v4rc1": json.loads(text),
    }
    return lambda iri: extra[iri] if iri in extra else load(iri)


@pytest.fixture(scope="module")
def by_processor(contexts: Callable[[str], dict[str, Any]]) -> Canonicalize:
    def loader(url: str, _: object) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": contexts(url),
        }

    def canonicalize(document: Mapping[str, Any]) -> bytes:
        options = {
            "base": "https://relative.invalid/",
            "documentLoader": loader,
            "format": "application/n-quads",
        }
        text = canonize(jsonld.to_rdf(dict(document), options))
        assert text
        assert "relative.invalid" not in text
        return text.encode()

    return canonicalize


@pytest.fixture(scope="module")
def by_walk(contexts: Callable[[str], dict[str, Any]]) -> Canonicalize:
    compiled = CompiledContexts(contexts)
    return lambda document: canonical_text(compiled.quads(document)).encode()


def read(shared: Path, vector: Vector, name: str) -> str:
    path = shared / "vectors" / vector.folder / name.format(vector.suffix)
    return path.read_text(encoding="utf-8")


def signed(shared: Path, vector: Vector) -> dict[str, Any]:
    return json.loads(read(shared, vector, "signed{}.json"))


@pytest.mark.parametrize("name", VECTORS)
def test_every_intermediate_value_is_the_published_one(
    shared: Path, by_processor: Canonicalize, name: str
) -> None:
    vector = VECTORS[name]
    document = signed(shared, vector)
    unsecured = {k: v for k, v in document.items() if k != "proof"}
    options = dict(read_proof(document).options)
    suite = cryptosuite(vector.suite)
    algorithm = key_of_did_key(document["proof"]["verificationMethod"]).algorithm
    if suite.keeps_contexts:
        by_processor = suite.canonicalize
    size = hashlib.new(suite.digests[algorithm]).digest_size

    text = by_processor(unsecured).decode()
    if algorithm == "P-384" and not suite.keeps_contexts:  # labels by SHA-384 too
        text = canonize(text, algorithm="sha384")
    assert text == read(shared, vector, "canonDoc{}.txt")
    configuration = {**options, "@context": document["@context"]}
    assert configuration == json.loads(read(shared, vector, "proofConfig{}.json"))
    assert by_processor(configuration).decode() == read(shared, vector, "proofCanon{}.txt")
    hashed = hash_data(document, options, suite, by_processor, algorithm=algorithm)
    assert hashed[size:].hex() == read(shared, vector, "docHash{}.txt")
    assert hashed[:size].hex() == read(shared, vector, "proofHash{}.txt")
    assert hashed.hex() == read(shared, vector, "combinedHash{}.txt")
    assert read_proof(document).signature.hex() == read(shared, vector, "sigHex{}.txt")
    assert document["proof"]["proofValue"] == read(shared, vector, "sigBTC58{}.txt")


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_document_verifies(
    shared: Path, by_processor: Canonicalize, name: str
) -> None:
    document = signed(shared, VECTORS[name])
    key = key_of_did_key(document["proof"]["verificationMethod"])
    verify_proof(document, key=key, canonicalize=reader(name, by_processor))


def reader(name: str, by_processor: Canonicalize) -> Canonicalize | None:
    """The transformation with the vectors' extra contexts; JCS needs none."""
    return by_processor if name in RDFC else None


@pytest.mark.parametrize("name", JCS)
def test_jcs_documents_verify_by_every_entry_point(shared: Path, name: str) -> None:
    document = signed(shared, VECTORS[name])
    key = key_of_did_key(document["proof"]["verificationMethod"])
    for foreign in (False, True):
        verify_proof(document, key=key, foreign=foreign)
    more = {**document, "@context": [*document["@context"], "https://more.example/"]}
    verify_proof(more, key=key)
    fewer = {**document, "@context": document["@context"][:1]}
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(fewer, key=key)
    assert failed_codes(caught.value.checks) == ("context-changed",)


@pytest.mark.parametrize("name", ["eddsa-employ", "ecdsa-256-employ", "ecdsa-384-employ"])
def test_the_compiled_walk_gives_the_published_canonical_form(
    shared: Path, by_walk: Canonicalize, name: str
) -> None:
    vector = VECTORS[name]
    document = signed(shared, vector)
    unsecured = {k: v for k, v in document.items() if k != "proof"}
    key = key_of_did_key(document["proof"]["verificationMethod"])
    text = by_walk(unsecured).decode()
    if key.algorithm == "P-384":
        text = canonize(text, algorithm="sha384")
    assert text == read(shared, vector, "canonDoc{}.txt")
    verify_proof(document, key=key, canonicalize=by_walk)


@pytest.mark.parametrize("name", [name for name in VECTORS if "employ" not in name])
def test_signing_gives_the_published_bytes(
    shared: Path, by_processor: Canonicalize, name: str
) -> None:
    vector = VECTORS[name]
    published = signed(shared, vector)
    pair = json.loads((shared / "vectors" / vector.keys).read_text())
    secret = pair.get("privateKeyMultibase") or pair["secretKeyMultibase"]
    raw = base58_decode(secret[1:])[2:]
    key: Ed25519Key | P256Key | P384Key
    if name.startswith("eddsa"):
        key = Ed25519Key.from_seed(raw)
    else:
        key = (P384Key if "384" in name else P256Key).from_private_bytes(raw)
    assert key.public.multikey() == pair["publicKeyMultibase"]
    proof = published.pop("proof")
    again = add_proof(
        published,
        key.signer(),
        cryptosuite=vector.suite,
        purpose=proof["proofPurpose"],
        created=datetime.fromisoformat(proof["created"]),
        canonicalize=reader(name, by_processor),
    )
    assert again["proof"] == proof


ALTERATIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "changed-value": (lambda d: d.update(name="Another name"), "proof-invalid"),
    "changed-date": (lambda d: d["proof"].update(created="2023-02-24T23:36:39Z"), "proof-invalid"),
    "changed-purpose": (
        lambda d: d["proof"].update(proofPurpose="authentication"),
        "proof-invalid",
    ),
    "added-challenge": (lambda d: d["proof"].update(challenge="x"), "proof-invalid"),
    "extra-member": (lambda d: d["proof"].update(foo="x"), "extra-member"),
    "unknown-suite": (lambda d: d["proof"].update(cryptosuite="none"), "cryptosuite-unknown"),
    "no-signature": (lambda d: d["proof"].pop("proofValue"), "proof-invalid"),
    "no-proof": (lambda d: d.pop("proof"), "proof-invalid"),
    "proof-set": (lambda d: d.update(proof=[d["proof"], d["proof"]]), "proof-invalid"),
    "own-context": (lambda d: d["proof"].update({"@context": ["urn:x"]}), "context-changed"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
@pytest.mark.parametrize("name", VECTORS)
def test_an_altered_document_is_refused(
    shared: Path, by_processor: Canonicalize, name: str, alteration: str
) -> None:
    document = signed(shared, VECTORS[name])
    key = key_of_did_key(document["proof"]["verificationMethod"])
    alter, code = ALTERATIONS[alteration]
    alter(document)
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=key, canonicalize=reader(name, by_processor))
    assert failed_codes(caught.value.checks) == (code,)


@pytest.mark.parametrize("name", VECTORS)
def test_any_flipped_bit_of_the_signature_is_refused(
    shared: Path, by_processor: Canonicalize, name: str
) -> None:
    document = signed(shared, VECTORS[name])
    key = key_of_did_key(document["proof"]["verificationMethod"])
    hashed: dict[int, bytes] = {}
    cached = partial(_memo, hashed, reader(name, by_processor) or canonical_json)
    good = base58_decode(document["proof"]["proofValue"][1:])
    for bit in range(0, len(good) * 8, 7):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << (bit % 8)
        document["proof"]["proofValue"] = "z" + base58_encode(bytes(flipped))
        with pytest.raises(ProofInvalidError):
            verify_proof(document, key=key, canonicalize=cached)


def _memo(kept: dict[int, bytes], canonicalize: Canonicalize, document: Mapping[str, Any]) -> bytes:
    return kept.setdefault("issuer" in document, canonicalize(document))


def test_a_suite_does_not_take_the_other_suites_key(
    shared: Path, by_processor: Canonicalize
) -> None:
    document = signed(shared, VECTORS["eddsa"])
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=P256Key.generate().public, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == ("algorithm-mismatch",)
    document["proof"]["cryptosuite"] = "ecdsa-rdfc-2019"
    key = key_of_did_key(document["proof"]["verificationMethod"])
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(document, key=key, canonicalize=by_processor)
    assert failed_codes(caught.value.checks) == ("algorithm-mismatch",)


def test_contexts_that_are_not_pinned_are_refused_by_name(shared: Path) -> None:
    document = signed(shared, VECTORS["eddsa"])
    key = key_of_did_key(document["proof"]["verificationMethod"])
    for foreign in (False, True):
        with pytest.raises(ProofInvalidError) as caught:
            verify_proof(document, key=key, foreign=foreign)
        assert failed_codes(caught.value.checks) == ("context-unknown",)
