"""Every file of `../shared/vectors`, and every signed document among them through every entry
point. A new file without a line in `HOLDS` fails; so does an entry point whose answer changes.

What an entry point cannot take is refused by name, and `CANNOT` says why it cannot.
"""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import ROOT
from tests.vectors.entry_points import VERIFIED, EntryPoints, entry_points
from tests.vectors.published import (
    Check,
    is_context,
    is_key_file,
    is_licence,
    is_manifest,
    is_on_the_way,
    is_part_of_chain,
    is_pointers,
    is_rdfc_input,
    is_rdfc_result,
    is_selective,
    is_signed_document,
    is_unsigned_document,
    proofs_of,
    read,
    unsecured,
)

VECTORS: Final = (
    Path(os.environ.get("MOBILITY_SHARED", ROOT.parent / "shared")).resolve() / "vectors"
)

HOLDS: Final[Mapping[str, Check]] = {
    "contexts/*.jsonld": is_context,
    "rdf-canon/LICENCE.md": is_licence,
    "rdf-canon/manifest.jsonld": is_manifest,
    "rdf-canon/rdfc10/*-in.nq": is_rdfc_input,
    "rdf-canon/rdfc10/*-rdfc10.nq": is_rdfc_result,
    "rdf-canon/rdfc10/*-rdfc10map.json": is_rdfc_result,
    "vc-di-eddsa/keyPair.json": is_key_file,
    "vc-di-eddsa/*/multiKeyPairs.json": is_key_file,
    "vc-di-ecdsa/p*KeyPair.json": is_key_file,
    "vc-di-ecdsa/*/SDKeyMaterial.json": is_key_file,
    "vc-di-*/*nsigned.json": is_unsigned_document,
    "vc-di-*/employmentAuth.json": is_unsigned_document,
    "vc-di-ecdsa/*Mandatory.json": is_pointers,
    "vc-di-ecdsa/*Selective.json": is_pointers,
    "vc-di-*/signed*.json": is_signed_document,
    "vc-di-eddsa/proof-set-chain/proof*.json": is_part_of_chain,
    "vc-di-ecdsa/ecdsa-sd-2023/*/add*": is_selective,
    "vc-di-ecdsa/ecdsa-sd-2023/*/derived*": is_selective,
    "vc-di-ecdsa/ecdsa-sd-2023/*/verify*": is_selective,
    **{
        f"vc-di-*/{name}*": is_on_the_way
        for name in (
            "canonDoc",
            "proofCanon",
            "docHash",
            "proofHash",
            "combinedHash",
            "sigHex",
            "sigBTC58",
            "proofConfig",
        )
    },
}
"""Pattern → what its files should hold, by our own code."""

FILES: Final = sorted(
    str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.is_file()
)
SIGNED: Final = [
    name
    for name in FILES
    if Path(name).name.startswith("signed")
    or Path(name).name in ("addSignedSDBase.json", "derivedRevealDocument.json")
]

OURS_ONLY: Final = (
    "reads credentials of our own types, under our own contexts, in their closed shape"
)
CANNOT: Final[Mapping[str, str]] = {
    "typed": OURS_ONLY,
    "verifier": OURS_ONLY,
    "command": OURS_ONLY,
    "public_api": OURS_ONLY,
    "public_page": OURS_ONLY,
    "package": OURS_ONLY,
}
"""Entry points that can take no document of somebody else's type, and why: refused in step 1, by
what the document first shows that ours do not."""
SHAPES: Final = frozenset({"extra-member", "missing-member", "context-changed", "type-unknown"})
ENTRIES: Final = (
    "compiled",
    "general",
    "processor",
    "vc_api",
    "vc_api_presentation",
    *CANNOT,
)


def pattern_of(name: str) -> str:
    """The one line of `HOLDS` for a file; the longest where one is inside another."""
    found = [pattern for pattern in HOLDS if fnmatchcase(name, pattern)]
    assert found, f"{name}: a vector nobody has said what to do with"
    return max(found, key=len)


def expected(name: str, document: Mapping[str, Any], entry: str) -> frozenset[str]:
    """What an entry point says of a published document."""
    if entry in CANNOT:
        return SHAPES
    if Path(name).name == "addSignedSDBase.json":
        return frozenset({"base-proof"})  # for its holder alone: `is_selective` checks it
    suites = {str(proof.get("cryptosuite", proof["type"])) for proof in proofs_of(document)}
    if entry == "processor" and any("-jcs-" in suite for suite in suites):
        return frozenset({"proof-invalid"})  # this suite's canonical form is no N-Quads
    # A vocabulary for all terms (`@vocab`) is outside the compiled subset.
    vocab = "https://www.w3.org/ns/credentials/examples/v2" in document["@context"]
    if entry == "compiled" and vocab and not any("-jcs-" in suite for suite in suites):
        return frozenset({"not-compilable"})
    return frozenset({VERIFIED})


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[EntryPoints]:
    with entry_points(tmp_path_factory.mktemp("vectors"), shared / "vectors") as made:
        yield made


def test_the_vectors_are_there(shared: Path) -> None:
    assert shared.resolve() / "vectors" == VECTORS
    assert len(SIGNED) == 18
    assert {Path(name).parts[0] for name in FILES} == {
        "contexts",
        "rdf-canon",
        "vc-di-ecdsa",
        "vc-di-eddsa",
    }


def test_every_line_of_the_table_has_files(shared: Path) -> None:
    assert shared.is_dir()
    assert {pattern_of(name) for name in FILES} == set(HOLDS)


@pytest.mark.parametrize("name", FILES)
def test_every_file_holds_what_our_code_says(name: str) -> None:
    HOLDS[pattern_of(name)](VECTORS / name)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", SIGNED)
def test_every_signed_document_through_every_entry_point(
    entries: EntryPoints, name: str, entry: str
) -> None:
    document = read(VECTORS / name)
    assert getattr(entries, entry)(document) in expected(name, document, entry)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry not in CANNOT])
@pytest.mark.parametrize("name", SIGNED)
def test_one_changed_value_is_refused_at_every_entry_point(
    entries: EntryPoints, name: str, entry: str
) -> None:
    document = read(VECTORS / name)
    (subject,) = (
        found if isinstance(found, list) else [found] for found in [document["credentialSubject"]]
    )
    subject[0]["id"] = "did:example:somebody-else"
    assert getattr(entries, entry)(document) != VERIFIED


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in SIGNED
        if "employ" not in name
        and "p384" not in name
        and "Ed25519Signature2020" not in name
        and "sd-2023" not in name
        and "proof-set-chain" not in name
    ],
)
def test_what_vc_api_issues_is_the_published_document_byte_for_byte(
    entries: EntryPoints, name: str
) -> None:
    """With the published key, at the published date; left out are keys that were not published or
    are of another kind than VC-API signs with, a proof type we only read, sets and chains (the
    endpoint signs once), and base proofs, which hold numbers drawn at random."""
    published = read(VECTORS / name)
    (proof,) = proofs_of(published)
    made = entries.issue(
        unsecured(published),
        cryptosuite=proof["cryptosuite"],
        created=datetime.fromisoformat(proof["created"]),
    )
    assert json.dumps(made, sort_keys=True) == json.dumps(published, sort_keys=True)
