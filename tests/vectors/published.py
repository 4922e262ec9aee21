"""What each file of the published vectors should hold, by our own code: one function a kind of
file. A function takes the file's path and fails when our code says something else."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cbor2

from federation.keys import Ed25519Key, P256Key, P384Key, key_of_did_key
from federation.multibase import b64url, b64url_decode, base58_decode, base58_encode
from federation.proofs import Proof, add_base_proof, add_proof, append_proof, derive_proof
from federation.proofs.data_integrity import hash_data, read_one
from federation.proofs.ecdsa_sd_2023 import _group, _mandatory_hash, _proof_hash, select
from federation.proofs.rdfc import canonical_foreign
from schemas.documents import load
from schemas.errors import PoisonGraphError
from schemas.rdf import canonical_labels, canonize

Json = dict[str, Any]
Key = Ed25519Key | P256Key | P384Key
Check = Callable[[Path], None]
_KEY_OF: Final[Mapping[str, Callable[[bytes], Key]]] = {
    "ed25519": Ed25519Key.from_seed,
    "p256": P256Key.from_private_bytes,
    "p384": P384Key.from_private_bytes,
}


def read(path: Path) -> Any:
    """A file: parsed if it is JSON, else its text."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else text


def unsecured(document: Mapping[str, Any]) -> Json:
    """The document without its proofs."""
    return {name: value for name, value in document.items() if name != "proof"}


def proofs_of(document: Mapping[str, Any]) -> list[Json]:
    """Its proofs, as written."""
    value = document["proof"]
    return value if isinstance(value, list) else [value]


# --- keys -------------------------------------------------------------------------------------


def keys_in(path: Path) -> list[Key]:
    """The key pairs of a file, each half checked against the other."""
    found = read(path)
    pairs = [found] if "publicKeyMultibase" in found else [found[n] for n in found if "Pair" in n]
    kind = "p384" if "p384" in path.name else "p256" if "ecdsa" in str(path) else "ed25519"
    keys = []
    for pair in pairs:
        secret = pair.get("privateKeyMultibase") or pair["secretKeyMultibase"]
        key = _KEY_OF[kind](base58_decode(secret[1:])[2:])
        assert key.public.multikey() == pair["publicKeyMultibase"]
        keys.append(key)
    return keys


def is_key_file(path: Path) -> None:
    """Key pairs we can sign with."""
    assert keys_in(path)


def key_for(folder: Path, document: Mapping[str, Any]) -> Key | None:
    """The published private key a document was signed with, if it is published."""
    wanted = proofs_of(document)[0]["verificationMethod"].partition("#")[0]
    for path in sorted(folder.rglob("*[kK]ey*.json")):
        for key in keys_in(path):
            if wanted == f"did:key:{key.public.multikey()}":
                return key
    return None


# --- a suite of one signature: the document, each value on the way ---------------------------


def signed_in(folder: Path) -> Json:
    """The one signed document of a folder."""
    (path,) = folder.glob("signed*.json")
    found: Json = read(path)
    return found


@lru_cache(maxsize=32)
def on_the_way(folder: Path) -> Mapping[str, str]:
    """Beginning of a file's name → its text, for a folder with one signed document."""
    document = signed_in(folder)
    proof: Proof = read_one(document["proof"], document, former=True)
    suite, options = proof.suite, dict(proof.options)
    algorithm = key_of_did_key(proof.verification_method).algorithm
    configuration = {**options, "@context": document["@context"]}
    text = suite.canonicalize_foreign(unsecured(document)).decode()
    if suite.digests[algorithm] == "sha384" and not suite.keeps_contexts:
        text = canonize(text, algorithm="sha384")
    hashed = hash_data(document, options, suite, suite.canonicalize_foreign, algorithm=algorithm)
    size = hashlib.new(suite.digests[algorithm]).digest_size
    return {
        "canonDoc": text,
        "proofCanon": suite.canonicalize_foreign(configuration).decode(),
        "proofHash": hashed[:size].hex(),
        "docHash": hashed[size:].hex(),
        "combinedHash": hashed.hex(),
        "sigHex": proof.signature.hex(),
        "sigBTC58": "z" + base58_encode(proof.signature),
        "proofConfig": json.dumps(configuration, sort_keys=True),
    }


def is_on_the_way(path: Path) -> None:
    """Canonical form, proof configuration, hashes and signature, byte for byte."""
    found = read(path)
    ours = on_the_way(path.parent)
    (name,) = (name for name in ours if path.name.startswith(name))
    assert ours[name] == (found if isinstance(found, str) else json.dumps(found, sort_keys=True))


def is_signed_document(path: Path) -> None:
    """Signing again gives the published bytes, where the private key is published too."""
    published = read(path)
    if isinstance(published["proof"], list) or path.parent.name == "proof-set-chain":
        return is_set_or_chain(path)
    proof = published["proof"]
    key = key_for(path.parent.parent, published)
    if path.parent.name == "employ":
        assert key is None, "the keys of these documents were not published: verified only"
        return None
    assert key is not None
    read_as = read_one(proof, published, former=True)
    if proof["type"] != "DataIntegrityProof":  # a proof type we read and do not write
        data = bytes.fromhex(on_the_way(path.parent)["combinedHash"])
        assert key.sign(data) == read_as.signature
        return None
    again = add_proof(
        unsecured(published),
        key.signer(),
        cryptosuite=proof["cryptosuite"],
        purpose=proof["proofPurpose"],
        created=datetime.fromisoformat(proof["created"]),
        foreign=True,
    )
    assert again == published
    return None


def is_unsigned_document(path: Path) -> None:
    """The document that the signed ones of its folder are made of."""
    found, folder = read(path), path.parent
    if path.name == "prCredUnsigned.json":
        # Published with another description than the document that was signed: nothing else.
        base = unsecured(read(folder / "ecdsa-sd-2023/prc/addSignedSDBase.json"))
        assert found.pop("description") != base.pop("description")
        assert found == base
        return
    made = [p for p in folder.rglob("signed*.json") if is_made_of(p, path)]
    assert made
    for signed in made:
        document = unsecured(read(signed))
        contexts, wanted = document.pop("@context"), {**found}
        assert contexts[: len(wanted["@context"])] == wanted.pop("@context")
        assert document == wanted, signed


def is_made_of(signed: Path, unsigned: Path) -> bool:
    """Whether a signed document is of this unsigned one: two are published a folder."""
    return ("employ" in signed.parts) is (unsigned.name == "employmentAuth.json")


# --- proof sets and chains --------------------------------------------------------------------


def is_set_or_chain(path: Path) -> None:
    """Each proof signed again, in order, over those it names."""
    folder, published = path.parent, read(path)
    keys = {f"did:key:{key.public.multikey()}": key for key in keys_in(folder / MULTI)}
    document = read(folder / "unsigned.json")
    for proof in proofs_of(published):
        previous = proof.get("previousProof", [])
        document = append_proof(
            document,
            keys[proof["verificationMethod"].partition("#")[0]].signer(),
            cryptosuite=proof["cryptosuite"],
            purpose=proof["proofPurpose"],
            created=datetime.fromisoformat(proof["created"]),
            proof_id=proof.get("id"),
            previous=[previous] if isinstance(previous, str) else previous,
            foreign=True,
        )
    assert document["proof"] == proofs_of(published)
    assert unsecured(published) == unsecured(document)


MULTI: Final = "multiKeyPairs.json"


def is_part_of_chain(path: Path) -> None:
    """A configuration, a proof, or the document as one proof of the chain signs it."""
    folder, found = path.parent, read(path)
    proofs = proofs_of(read(folder / "signedProofChain2.json"))
    kind, number = re.fullmatch(r"(\D+)([12])", path.stem).groups()  # type: ignore[union-attr]
    place = int(number) - 1 + (2 if kind.startswith("proofChain") else 0)
    if kind == "proofChainTempDoc":
        named = proofs[place]["previousProof"]
        before = [
            p for p in proofs if p.get("id") in ([named] if isinstance(named, str) else named)
        ]
        plain = read(folder / "unsigned.json")
        assert found == {**plain, "proof": before}
        # What the next proof of the chain is over, by our own canonical form.
        value = read_one(proofs[place], plain)
        suite = value.suite
        hashed = hash_data(
            plain,
            value.options,
            suite,
            suite.canonicalize_foreign,
            algorithm="Ed25519",
            previous=before,
        )
        key_of_did_key(value.verification_method).verify(hashed, value.signature)
    elif kind.endswith("ConfigSigned"):
        assert found == proofs[place]
    else:
        plain = read(folder / "unsigned.json")
        found.pop("@context", None)
        assert found == dict(read_one(proofs[place], plain).options)


# --- ecdsa-sd-2023 ----------------------------------------------------------------------------


def _map(lines: Iterable[tuple[int, str]]) -> Json:
    return {"dataType": "Map", "value": [[index, line] for index, line in lines]}


def _hex(items: Iterable[bytes]) -> list[str]:
    return [item.hex() for item in items]


def _canonical(lines: Iterable[str]) -> str:
    """Statements whose blank nodes were named at random, under their canonical labels."""
    return canonize("".join(lines))


def _compared(value: Any) -> Any:
    """The published groups, what was named at random put into canonical form."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: _canonical(item) if name == "deskolemizedNQuads" else _compared(item)
        for name, item in value.items()
    }


@lru_cache(maxsize=4)
def selective(folder: Path) -> Mapping[str, Any]:
    """File → what it should hold, for a folder of `ecdsa-sd-2023`."""
    base: Json = read(folder / "addSignedSDBase.json")
    prefix = "prCred" if folder.name == "prc" else "employ"
    pointers = {
        group: read(folder.parent.parent / f"{prefix}{group.title()}.json")
        for group in ("mandatory", "selective")
    }
    pointers["combined"] = [*pointers["mandatory"], *pointers["selective"]]
    material = read(folder.parent / "SDKeyMaterial.json")
    issuer, statements = keys_in(folder.parent / "SDKeyMaterial.json")
    assert isinstance(statements, P256Key)
    hmac_key = bytes.fromhex(material["hmacKeyString"])
    plain, contexts = unsecured(base), base["@context"]
    options = dict(read_one(base["proof"], base).options)

    again = add_base_proof(
        plain,
        issuer.signer(),
        mandatory=pointers["mandatory"],
        purpose="assertionMethod",
        created=datetime.fromisoformat(base["proof"]["created"]),
        foreign=True,
        statement_key=statements,
        hmac_key=hmac_key,
    )
    derived = derive_proof(again, selective=pointers["selective"], foreign=True)
    grouped = _group(plain, pointers, hmac_key, canonical_foreign)
    lines = list(enumerate(grouped.statements))
    chosen = {name: sorted(found) for name, found in grouped.selected.items()}
    mandatory = [line for index, line in lines if index in grouped.selected["mandatory"]]
    others = [index for index, _ in lines if index not in grouped.selected["mandatory"]]

    sign, public, mac, signatures, named = _parts(again)
    shown_sign, shown_public, shown, labels, places = _parts(derived)
    assert (mac, named) == (hmac_key, pointers["mandatory"])
    assert (shown_sign, shown_public) == (sign, public)
    label_map = [[f"c14n{n}", "u" + b64url(value)] for n, value in labels.items()]
    multikey = "z" + base58_encode(public)
    data = {"baseSignature": sign.hex(), "publicKey": multikey}
    proof_hash = _proof_hash(options, contexts, canonical_foreign).hex()
    mandatory_hash = _mandatory_hash(mandatory).hex()
    groups = {
        name: {
            "matching": _map((i, line) for i, line in lines if i in grouped.selected[name]),
            "nonMatching": _map((i, line) for i, line in lines if i not in grouped.selected[name]),
            "deskolemizedNQuads": canonize(list(grouped.quads[name])),
        }
        for name in pointers
    }
    return {
        "addBaseDocCanon.json": canonical_foreign(plain).decode().splitlines(keepends=True),
        "addBaseDocHMACCanon.json": list(grouped.statements),
        "addBaseTransform.json": {
            "mandatoryPointers": pointers["mandatory"],
            "mandatory": _map((i, line) for i, line in lines if i not in others),
            "nonMandatory": _map((i, line) for i, line in lines if i in others),
            "hmacKeyString": material["hmacKeyString"],
        },
        "addHashData.json": {"proofHash": proof_hash, "mandatoryHash": mandatory_hash},
        "addPointerValues.json": [
            {"pointer": pointer, "value": (select(plain, [pointer]) or {})[pointer[1:]]}
            for pointer in pointers["mandatory"]
        ],
        "addProofConfig.json": {**options, "@context": contexts},
        "addProofConfigCanon.txt": canonical_foreign({**options, "@context": contexts}).decode(),
        "addRawBaseSignatureInfo.json": {
            **data,
            "signatures": _hex(signatures),
            "mandatoryPointers": pointers["mandatory"],
        },
        "addSignedSDBase.json": again,
        "derivedAdjMandatoryIndexes.json": {"adjMandatoryIndexes": places},
        "derivedAdjSignatures.json": {
            "adjSignatureIndexes": [
                others.index(index) for index in chosen["selective"] if index in others
            ],
            "filteredSignatures": _hex(shown),
        },
        "derivedAllGroupData.json": {
            "groups": groups,
            "deskolemizedNQuads": canonical_foreign(plain).decode(),
            "nquads": list(grouped.statements),
        },
        "derivedDisclosureData.json": {
            **data,
            "signatures": _hex(shown),
            "labelMap": {"dataType": "Map", "value": label_map},
            "mandatoryIndexes": places,
        },
        "derivedGroupIndexes.json": {
            **{f"{name}Indexes": found for name, found in chosen.items()},
            "nonMandatoryIndexes": others,
        },
        "derivedRecoveredBaseData.json": {
            "baseSignature": sign.hex(),
            "proofPublicKey": multikey,
            "hmacKey": mac.hex(),
            "signatures": _hex(signatures),
            "mandatoryPointers": named,
        },
        "derivedRevealDocument.json": derived,
        "derivedUnsignedReveal.json": unsecured(derived),
        "verifyCreateVerifyData.json": {
            **data,
            "proofHash": proof_hash,
            "signatures": _hex(shown),
            "nonMandatory": [grouped.statements[i] for i in chosen["combined"] if i in others],
            "mandatoryHash": mandatory_hash,
        },
        "verifyDerivedProofValue.json": {
            **data,
            "signatures": _hex(shown),
            "labelMap": label_map,
            "mandatoryIndexes": places,
        },
        "verifyNQuads.json": [grouped.statements[index] for index in chosen["combined"]],
    }


def _parts(document: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = cbor2.loads(b64url_decode(document["proof"]["proofValue"][1:])[3:])
    return found


def is_selective(path: Path) -> None:
    """Every value of deriving and verifying, byte for byte; names drawn at random by their
    canonical labels."""
    found, ours = read(path), selective(path.parent)[path.name]
    if path.name == "derivedAllGroupData.json":
        compact = found.pop("skolemized")["compact"]
        lines = canonical_foreign(compact).decode()
        blank = re.sub(r"<urn:bnid:([^>]*)>", r"_:\1", lines)
        assert canonize(blank) == ours["deskolemizedNQuads"]
        assert _labels_fit(found.pop("labelMap")["value"], ours["nquads"])
        found = _compared(found)
    assert found == ours


def _labels_fit(pairs: list[list[str]], statements: list[str]) -> bool:
    named = {label for _, label in pairs}
    return named == {found[2:] for line in statements for found in re.findall(r"_:[\w-]+", line)}


def is_pointers(path: Path) -> None:
    """Pointers that lead somewhere in the base document; used by `selective`."""
    folder = path.parent / "ecdsa-sd-2023" / ("prc" if "prCred" in path.name else "employ")
    assert select(unsecured(read(folder / "addSignedSDBase.json")), read(path))


# --- RDFC-1.0 and contexts --------------------------------------------------------------------


@lru_cache(maxsize=1)
def manifest(folder: Path) -> list[Json]:
    """The tests of the W3C suite."""
    entries: list[Json] = json.loads((folder / "manifest.jsonld").read_text())["entries"]
    return entries


def is_manifest(path: Path) -> None:
    """86 tests, each with its files."""
    entries = manifest(path.parent)
    assert len(entries) == 86
    assert {entry["type"].partition(":")[2] for entry in entries} == {
        "RDFC10EvalTest",
        "RDFC10MapTest",
        "RDFC10NegativeEvalTest",
    }


def is_rdfc_input(path: Path) -> None:
    """Every test of the suite that begins with this file."""
    root = path.parent.parent
    name = str(path.relative_to(root))
    entries = [entry for entry in manifest(root) if entry["action"] == name]
    assert entries, "the manifest does not name this file"
    text = path.read_text(encoding="utf-8")
    for entry in entries:
        algorithm = entry.get("hashAlgorithm", "SHA256").lower()
        if entry["type"] == "rdfc:RDFC10NegativeEvalTest":
            try:
                canonize(text, algorithm=algorithm)
            except PoisonGraphError:
                continue
            raise AssertionError("a graph nobody can canonicalize in time was")
        result = (root / entry["result"]).read_text(encoding="utf-8")
        if entry["type"] == "rdfc:RDFC10EvalTest":
            assert canonize(text, algorithm=algorithm) == result
        else:
            labels = canonical_labels(text, algorithm=algorithm)
            assert {a[2:]: b[2:] for a, b in labels.items()} == json.loads(result)


def is_rdfc_result(path: Path) -> None:
    """A result that a test of the manifest asks for (its input compares it); a canonical form is
    its own canonical form."""
    root = path.parent.parent
    name = str(path.relative_to(root))
    entries = [entry for entry in manifest(root) if entry.get("result") == name]
    assert entries, "the manifest does not name this file"
    if path.suffix == ".nq":
        algorithm = entries[0].get("hashAlgorithm", "SHA256").lower()
        text = path.read_text(encoding="utf-8")
        assert canonize(text, algorithm=algorithm) == text


def is_context(path: Path) -> None:
    """A context the build pins from its own package: the same, whatever the white space."""
    iri = f"https://w3id.org/{path.stem.replace('-', '/')}"
    assert load(iri) == json.loads(path.read_text(encoding="utf-8"))


def is_licence(path: Path) -> None:
    """Words for people."""
    assert "License" in path.read_text(encoding="utf-8")
