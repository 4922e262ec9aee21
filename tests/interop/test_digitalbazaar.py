"""Digital Bazaar's verifier accepts ours and we theirs; both refuse what was changed."""

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from federation.keys import Ed25519Key, P256Key, key_of_did_key
from federation.proofs import (
    ProofInvalidError,
    add_base_proof,
    add_proof,
    derive_proof,
    verify_base_proof,
    verify_proof,
)
from federation.trust import format_instant
from tests.interop.digitalbazaar import DigitalBazaar, secret_multikey
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, EMPLOYER, HOME, NOW, World

KEYS: dict[str, Ed25519Key | P256Key] = {
    "eddsa-rdfc-2022": Ed25519Key.from_seed(b"t" * 32),
    "eddsa-jcs-2022": Ed25519Key.from_seed(b"t" * 32),
    "ecdsa-rdfc-2019": P256Key.from_private_bytes(b"\x09" * 32),
    "ecdsa-jcs-2019": P256Key.from_private_bytes(b"\x09" * 32),
}
AT = format_instant(NOW)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def theirs(world: World) -> Iterator[DigitalBazaar]:
    with DigitalBazaar() as process:
        for signer in (world.home, world.employer, world.holder):
            process.know(signer.verification_method, signer.public_multikey())
        for key in KEYS.values():
            signer = key.signer()
            process.know(signer.verification_method, signer.public_multikey())
        yield process


def unsigned(world: World, suite: str) -> dict[str, Any]:
    """A credential of ours, to be signed by the key of `suite`."""
    document = world.usage()
    del document["proof"]
    return {**document, "issuer": KEYS[suite].signer().verification_method.partition("#")[0]}


def verdict(theirs: DigitalBazaar, document: Any, *suites: str, **more: str) -> bool:
    answer = theirs.ask("verify", document=document, cryptosuites=suites, at=AT, **more)
    assert "failure" not in answer, answer
    if not answer["verified"]:
        assert answer["errors"], "a refusal has its reason"
    return bool(answer["verified"])


def test_they_accept_a_credential_we_issue_and_refuse_it_changed(
    world: World, theirs: DigitalBazaar
) -> None:
    for document in (world.usage(), world.affiliation()):
        assert document["issuer"] in (HOME, EMPLOYER)
        assert verdict(theirs, document, "eddsa-rdfc-2022")
        changed = copy.deepcopy(document)
        changed["validFrom"] = "2026-11-19T12:00:00Z"
        assert not verdict(theirs, changed, "eddsa-rdfc-2022")


def test_they_accept_a_presentation_we_make_for_its_challenge_only(
    world: World, theirs: DigitalBazaar
) -> None:
    package = world.present(world.usage(), world.affiliation())
    suites = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019")
    asked = {"challenge": CHALLENGE, "domain": AUDIENCE}
    assert verdict(theirs, package, *suites, **asked)
    assert not verdict(theirs, package, *suites, **{**asked, "challenge": "another-challenge"})
    package["verifiableCredential"][0]["credentialSubject"]["days"] += 1
    assert not verdict(theirs, package, *suites, **asked)


@pytest.mark.parametrize("suite", KEYS)
def test_each_suite_of_ours_verifies_there(world: World, theirs: DigitalBazaar, suite: str) -> None:
    document = unsigned(world, suite)
    for proof_id in (None, "urn:uuid:7f1d6f4e-8c5e-4b6e-9d52-2f6c5c9f0a11"):
        signed = add_proof(
            document,
            KEYS[suite].signer(),
            cryptosuite=suite,
            purpose="assertionMethod",
            created=NOW,
            proof_id=proof_id,
        )
        assert verdict(theirs, signed, suite)
        signed["credentialSubject"] = {**signed["credentialSubject"], "days": 400}
        assert not verdict(theirs, signed, suite)


@pytest.mark.parametrize("suite", KEYS)
def test_each_suite_of_theirs_verifies_here(
    world: World, theirs: DigitalBazaar, suite: str
) -> None:
    answer = theirs.ask(
        "sign",
        document=unsigned(world, suite),
        cryptosuite=suite,
        key=secret_multikey(KEYS[suite]),
        at=AT,
    )
    assert "signed" in answer, answer
    signed = answer["signed"]
    key = key_of_did_key(signed["proof"]["verificationMethod"])
    for foreign in (False, True):
        verify_proof(signed, key=key, foreign=foreign)
    assert datetime.fromisoformat(signed["proof"]["created"]) == NOW
    signed["credentialSubject"]["days"] += 1
    with pytest.raises(ProofInvalidError):
        verify_proof(signed, key=key)


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_both_sign_the_same_bytes_where_signing_is_deterministic(
    world: World, theirs: DigitalBazaar, suite: str
) -> None:
    document = unsigned(world, suite)
    signed = theirs.ask(
        "sign", document=document, cryptosuite=suite, key=secret_multikey(KEYS[suite]), at=AT
    )["signed"]
    ours = add_proof(
        document,
        KEYS[suite].signer(),
        cryptosuite=suite,
        purpose=signed["proof"]["proofPurpose"],
        created=NOW,
    )
    assert ours["proof"]["proofValue"] == signed["proof"]["proofValue"]


def test_a_presentation_they_make_verifies_here(world: World, theirs: DigitalBazaar) -> None:
    suite = "ecdsa-rdfc-2019"
    holder = KEYS[suite].signer().verification_method.partition("#")[0]
    package = {
        "@context": world.usage()["@context"],
        "id": "urn:uuid:0b8ad4e5-2a43-4b7b-9a31-4df8a2f4b5d1",
        "type": ["VerifiablePresentation"],
        "holder": holder,
        "verifiableCredential": [world.usage()],
    }
    answer = theirs.ask(
        "sign",
        document=package,
        cryptosuite=suite,
        key=secret_multikey(KEYS[suite]),
        challenge=CHALLENGE,
        domain=AUDIENCE,
        at=AT,
    )
    assert "signed" in answer, answer
    verify_proof(answer["signed"], key=key_of_did_key(holder))


SELECTIVE = P256Key.from_private_bytes(b"\x0b" * 32)
CHOICES = {
    "one-member": ["/credentialSubject/days"],
    "one-of-a-list": ["/credentialSubject/daysByMode/1"],
    "part-of-one-of-a-list": ["/credentialSubject/daysByMode/0/mode"],
    "a-whole-list": ["/credentialSubject/daysByEvidence", "/credentialSubject/weakestEvidence"],
}
MANDATORY = ["/issuer", "/validFrom", "/credentialSubject/id"]


def base_of_ours(world: World, proof_id: str | None = None) -> dict[str, Any]:
    signer = SELECTIVE.signer()
    document = {
        **unsigned(world, "ecdsa-rdfc-2019"),
        "issuer": signer.verification_method.partition("#")[0],
    }
    return add_base_proof(
        document,
        signer,
        mandatory=MANDATORY,
        purpose="assertionMethod",
        created=NOW,
        proof_id=proof_id,
    )


@pytest.fixture(scope="module")
def selective(theirs: DigitalBazaar) -> DigitalBazaar:
    signer = SELECTIVE.signer()
    theirs.know(signer.verification_method, signer.public_multikey())
    return theirs


@pytest.mark.parametrize("choice", CHOICES)
def test_what_we_derive_verifies_there(world: World, selective: DigitalBazaar, choice: str) -> None:
    base = base_of_ours(world, "urn:uuid:7f1d6f4e-8c5e-4b6e-9d52-2f6c5c9f0a12")
    derived = derive_proof(base, selective=CHOICES[choice])
    assert verdict(selective, derived, "ecdsa-sd-2023")
    derived["credentialSubject"]["treeSize"] = 121
    assert not verdict(selective, derived, "ecdsa-sd-2023")


@pytest.mark.parametrize("choice", CHOICES)
def test_what_they_derive_from_our_base_is_what_we_derive(
    world: World, selective: DigitalBazaar, choice: str
) -> None:
    base = base_of_ours(world)
    answer = selective.ask("derive", document=base, selective=CHOICES[choice])
    assert "derived" in answer, answer
    assert answer["derived"] == derive_proof(base, selective=CHOICES[choice])
    verify_proof(answer["derived"], key=SELECTIVE.public, foreign=False)


@pytest.mark.parametrize("choice", CHOICES)
def test_from_a_base_of_theirs_we_derive_what_both_verify(
    world: World, selective: DigitalBazaar, choice: str
) -> None:
    plain = {name: item for name, item in base_of_ours(world).items() if name != "proof"}
    answer = selective.ask(
        "sign",
        document=plain,
        cryptosuite="ecdsa-sd-2023",
        key=secret_multikey(SELECTIVE),
        mandatory=MANDATORY,
        at=AT,
    )
    assert "signed" in answer, answer
    base = answer["signed"]
    assert verify_base_proof(base, key=SELECTIVE.public) == tuple(MANDATORY)
    derived = derive_proof(base, selective=CHOICES[choice])
    verify_proof(derived, key=SELECTIVE.public, foreign=False)
    assert verdict(selective, derived, "ecdsa-sd-2023")
    with pytest.raises(ProofInvalidError):
        verify_proof(base, key=SELECTIVE.public)
    assert not verdict(selective, base, "ecdsa-sd-2023")
