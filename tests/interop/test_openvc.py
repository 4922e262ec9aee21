"""`openvc-core` (another author's Python) reads ours and we read its; both refuse what changed."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from openvc.did.did_jwk import DidJwkResolver
from openvc.did.did_key import DidKeyResolver
from openvc.errors import OpenvcError
from openvc.keys import Ed25519SigningKey, P256SigningKey, P384SigningKey
from openvc.proof.data_integrity import DataIntegrityProofSuite
from openvc.proof.di_ecdsa_rdfc import EcdsaRdfcProofSuite
from openvc.proof.di_jcs import EcdsaJcsProofSuite, EddsaJcsProofSuite
from openvc.proof.ecdsa_sd import EcdsaSdProofSuite
from openvc.status.bitstring import decode_bitstring, encode_bitstring, get_status_bit
from openvc.status.token_status_list import decode_status_list, encode_status_list, get_status

from federation.credentials import StatusList, TokenStatusList
from federation.did import DidResolver, did_jwk
from federation.keys import Ed25519Key, P256Key, P384Key, did_key
from federation.multibase import b64url
from federation.proofs import (
    ProofInvalidError,
    add_base_proof,
    add_proof,
    derive_proof,
    verify_base_proof,
    verify_proof,
)
from schemas.documents import load
from schemas.jsonld import CONTEXT_IRI
from tests.unit.proofs.world import NOW, World

Json = dict[str, Any]
Key = Ed25519Key | P256Key | P384Key
CONTEXTS = {str(CONTEXT_IRI): load(CONTEXT_IRI)}
P256, P384 = P256Key.from_private_bytes(b"\x09" * 32), P384Key.from_private_bytes(b"\x09" * 48)
ED = Ed25519Key.from_seed(b"t" * 32)
CASES: dict[str, tuple[str, Key, Callable[[], Any], Json]] = {
    "eddsa-rdfc": ("eddsa-rdfc-2022", ED, DataIntegrityProofSuite, {"extra_contexts": CONTEXTS}),
    "ecdsa-rdfc-256": (
        "ecdsa-rdfc-2019",
        P256,
        EcdsaRdfcProofSuite,
        {"extra_contexts": CONTEXTS},
    ),
    "ecdsa-rdfc-384": (
        "ecdsa-rdfc-2019",
        P384,
        EcdsaRdfcProofSuite,
        {"extra_contexts": CONTEXTS},
    ),
    "eddsa-jcs": ("eddsa-jcs-2022", ED, EddsaJcsProofSuite, {}),
    "ecdsa-jcs-256": ("ecdsa-jcs-2019", P256, EcdsaJcsProofSuite, {}),
    "ecdsa-jcs-384": ("ecdsa-jcs-2019", P384, EcdsaJcsProofSuite, {}),
}


def theirs(key: Key) -> Any:
    """The same key as they hold it; made up for tests only."""
    jwk = {**key.public.jwk(), "d": b64url(bytes(key.private_bytes()))}
    maker = {"Ed25519": Ed25519SigningKey, "P-256": P256SigningKey, "P-384": P384SigningKey}
    return maker[key.public.algorithm].from_jwk(jwk, "k")  # type: ignore[attr-defined]


def unsigned(key: Key) -> Json:
    document = World().usage()
    del document["proof"]
    return {**document, "issuer": did_key(key.public)}


@pytest.mark.parametrize("name", CASES)
def test_they_verify_each_suite_of_ours_and_refuse_it_changed(name: str) -> None:
    suite, key, maker, options = CASES[name]
    signed = add_proof(
        unsigned(key), key.signer(), cryptosuite=suite, purpose="assertionMethod", created=NOW
    )
    found = maker().verify(signed, now=NOW, **options)
    assert found.issuer == did_key(key.public)
    signed["credentialSubject"] = {**signed["credentialSubject"], "days": 400}
    with pytest.raises(OpenvcError):
        maker().verify(signed, now=NOW, **options)


@pytest.mark.parametrize("name", CASES)
def test_we_verify_each_suite_of_theirs_and_refuse_it_changed(name: str) -> None:
    suite, key, maker, options = CASES[name]
    signed = maker().add_proof(
        unsigned(key),
        signing_key=theirs(key),
        verification_method=key.signer().verification_method,
        created=NOW,
        **options,
    )
    assert signed["proof"]["cryptosuite"] == suite
    if "jcs" in suite:
        # They hash the contexts with the configuration and leave them out of the proof, where
        # vc-di-eddsa §3.3.1 step 2 puts them (as Digital Bazaar's library does): put back.
        with pytest.raises(ProofInvalidError):
            verify_proof(signed, key=key.public)
        signed["proof"]["@context"] = signed["@context"]
    for foreign in (False, True):
        verify_proof(signed, key=key.public, foreign=foreign)
    changed = copy.deepcopy(signed)
    changed["credentialSubject"]["days"] += 1
    with pytest.raises(ProofInvalidError):
        verify_proof(changed, key=key.public, foreign=False)
    if key is ED:  # deterministic: the same bytes
        again = add_proof(
            unsigned_of(signed),
            key.signer(),
            cryptosuite=suite,
            purpose="assertionMethod",
            created=NOW,
        )
        assert again["proof"]["proofValue"] == signed["proof"]["proofValue"]


def unsigned_of(document: Json) -> Json:
    return {name: value for name, value in document.items() if name != "proof"}


MANDATORY = ["/issuer", "/validFrom", "/validUntil", "/credentialSubject/id"]
CHOICES = [["/credentialSubject/days"], ["/credentialSubject/daysByMode"], []]


@pytest.mark.parametrize("choice", CHOICES)
def test_selective_disclosure_goes_both_ways(choice: list[str]) -> None:
    signer = P256.signer()
    suite = EcdsaSdProofSuite()
    ours = add_base_proof(
        unsigned(P256), signer, mandatory=MANDATORY, purpose="assertionMethod", created=NOW
    )
    base = suite.add_base_proof(
        unsigned(P256),
        signing_key=theirs(P256),
        verification_method=signer.verification_method,
        mandatory_pointers=MANDATORY,
        created=NOW,
        extra_contexts=CONTEXTS,
    )
    assert verify_base_proof(base, key=P256.public) == tuple(MANDATORY)
    derived = [
        derive_proof(ours, selective=choice),
        derive_proof(base, selective=choice),
        suite.derive_proof(ours, selective_pointers=choice, extra_contexts=CONTEXTS),
        suite.derive_proof(base, selective_pointers=choice, extra_contexts=CONTEXTS),
    ]
    assert derived[0] == derived[2]
    assert derived[1] == derived[3]
    for document in derived:
        verify_proof(document, key=P256.public, foreign=False)
        suite.verify(document, now=NOW, extra_contexts=CONTEXTS)
        changed = copy.deepcopy(document)
        changed["validUntil"] = "2031-01-01T00:00:00Z"
        with pytest.raises(ProofInvalidError):
            verify_proof(changed, key=P256.public, foreign=False)
        with pytest.raises(OpenvcError):
            suite.verify(changed, now=NOW, extra_contexts=CONTEXTS)


@pytest.mark.parametrize("index", [0, 7, 8, 1_000, 131_071])
def test_status_lists_are_the_same_bits(index: int) -> None:
    mine = StatusList.empty()
    mine.set(index)
    bits = decode_bitstring(mine.encode())
    assert [n for n in (0, 7, 8, 1_000, 131_071) if get_status_bit(bits, n)] == [index]
    assert StatusList.decode(encode_bitstring(bits)).is_set(index)

    tokens = TokenStatusList.empty()
    tokens[index] = 2
    claim = tokens.to_json()
    data = decode_status_list(claim["lst"])
    assert get_status(data, index, bits=claim["bits"]) == 2
    again = TokenStatusList.from_json({"bits": 2, "lst": encode_status_list(data)})
    assert again[index] == 2


@pytest.mark.parametrize("key", [ED, P256, P384])
def test_dids_name_the_same_key(key: Key) -> None:
    for did, resolver in (
        (did_jwk(key.public), DidJwkResolver()),
        (did_key(key.public), DidKeyResolver()),
    ):
        (method,) = DidResolver().resolve(did).methods
        found = resolver.resolve(did)
        assert [m.id for m in found.verification_methods] == [method.id]
        jwk = dict(found.verification_methods[0].public_key_jwk)
        assert {n: jwk[n] for n in key.public.jwk()} == method.public().jwk()


def test_a_credential_that_is_over_is_refused_by_both() -> None:
    signed = World().usage(valid_until=NOW + timedelta(hours=1))
    key = Ed25519Key.from_seed(b"h" * 32).public
    options: Json = {"public_key_jwk": key.jwk(), "extra_contexts": CONTEXTS}
    DataIntegrityProofSuite().verify(signed, now=NOW, **options)
    with pytest.raises(OpenvcError):
        DataIntegrityProofSuite().verify(signed, now=NOW + timedelta(hours=3), **options)
