"""Hypothesis: the compiled walk against the full processor; signatures against flipped bits."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.credentials import StatusList, VerificationError
from federation.keys import Ed25519Key, P256Key, SignatureMismatchError, decode_multikey
from federation.multibase import b64url, b64url_decode, base58_decode, base58_encode
from federation.proofs.rdfc import canonical_text
from schemas.compiled import NotCompilableError, compiled_quads
from schemas.errors import MobilityError
from schemas.rdf import to_quads_slow
from tests.unit.proofs.world import NOW, POLICY, World

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://w3id.org/mobility-vault/v1"]
WORLD = World()
PACKAGE = WORLD.present(WORLD.usage(), WORLD.affiliation())

iris = st.sampled_from(["urn:x:1", "urn:x:2", "https://a.example/b", "did:key:z1", "rel", "_:b"])
scalars = st.one_of(
    st.text(max_size=12),
    st.integers(-(2**54), 2**54),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    iris,
    st.sampled_from(["bicycle", "sensed", "2026-01-01", "assertionMethod"]),
)
names = st.sampled_from(
    [
        "id", "type", "issuer", "validFrom", "credentialSubject", "days", "daysByMode", "mode",
        "rule", "metric", "nullifiers", "proof", "proofPurpose", "verifiableCredential", "holder",
        "credentialStatus", "statusListIndex", "employerName", "status", "name", "unheardOf",
        "@id", "@type", "urn:p:q",
    ]
)  # fmt: skip
types = st.sampled_from(
    [
        "VerifiableCredential", "VerifiablePresentation", "UsageProof", "DataIntegrityProof",
        "BitstringStatusListEntry", "Unheard",
    ]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=4),
        st.fixed_dictionaries({"id": iris, "type": types}, optional={"days": inner}),
    ),
    max_leaves=8,
)
documents = st.builds(
    lambda members, kind: {"@context": CONTEXT, **members, **({"type": kind} if kind else {})},
    st.dictionaries(names, values, max_size=5),
    st.none() | types | st.lists(types, min_size=1, max_size=2, unique=True),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_the_walk_equals_the_processor_or_refuses(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    try:
        walked = canonical_text(compiled_quads(document))
    except MobilityError:
        return
    assert document == before
    assert walked == to_quads_slow(document)


def test_the_strategy_reaches_documents_the_walk_accepts() -> None:
    accepted = 0

    @settings(max_examples=300, deadline=None, database=None)
    @given(documents)
    def count(document: dict[str, Any]) -> None:
        nonlocal accepted
        try:
            compiled_quads(document)
        except (NotCompilableError, MobilityError):
            return
        accepted += 1

    count()
    assert accepted >= 10


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 511), st.booleans())
def test_any_flipped_bit_of_a_signature_is_refused(data: bytes, bit: int, edwards: bool) -> None:
    key = Ed25519Key.from_seed(b"k" * 32) if edwards else P256Key.from_private_bytes(b"k" * 32)
    signature = bytearray(key.sign(data))
    key.public.verify(data, bytes(signature))
    signature[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(SignatureMismatchError):
        key.public.verify(data, bytes(signature))


@given(st.binary(max_size=90))
def test_text_forms_of_bytes_go_both_ways(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data
    assert b64url_decode(b64url(data)) == data


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_multikeys_go_both_ways(seed: bytes) -> None:
    public = Ed25519Key.from_seed(seed).public
    assert decode_multikey(public.multikey()) == public


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 131_071), max_size=50))
def test_status_lists_go_both_ways(indexes: set[int]) -> None:
    bits = StatusList.empty()
    for index in indexes:
        bits.set(index)
    again = StatusList.decode(bits.encode())
    assert {i for i in indexes if again.is_set(i)} == indexes
    assert again.encode() == bits.encode()


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for k, v in value.items() for leaf in _leaves(v, (*path, k))]
    if isinstance(value, list):
        return [leaf for i, v in enumerate(value) for leaf in _leaves(v, (*path, i))]
    return [path]


LEAVES = _leaves(PACKAGE)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LEAVES), st.sampled_from(["drop", "text", "number", "null", "copy"]))
def test_no_leaf_of_a_package_can_be_changed(path: tuple[Any, ...], how: str) -> None:
    package = copy.deepcopy(PACKAGE)
    parent: Any = package
    for part in path[:-1]:
        parent = parent[part]
    old = parent[path[-1]]
    match how:
        case "drop":
            del parent[path[-1]]
        case "text":
            parent[path[-1]] = f"{old}x" if isinstance(old, str) else str(old)
        case "number":
            parent[path[-1]] = old + 1 if isinstance(old, int) else 7
        case "null":
            parent[path[-1]] = None
        case _:
            parent[path[-1]] = [old]
    with pytest.raises(VerificationError):
        WORLD.verify(package, POLICY, at=NOW + timedelta(seconds=1))
