"""The compiled walk and the full processor say the same, or the walk refuses."""

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from federation.keys import decode_multikey
from federation.proofs import ProofInvalidError, verify_proof
from federation.proofs.rdfc import canonical_strict, canonical_text
from federation.verification import failed_codes
from schemas.compiled import CompiledContexts, NotCompilableError, compiled_quads
from schemas.documents import load
from schemas.errors import DroppedPropertyError, MobilityError, PoisonGraphError, RelativeIriError
from schemas.rdf import to_quads_slow
from tests.unit.proofs.world import World

Json = dict[str, Any]


def corpus() -> dict[str, Json]:
    world = World()
    world.publish(1, 2, 131_071)
    usage, affiliation = world.usage(), world.affiliation(index=4711)
    package = world.present(usage, affiliation)
    return {
        "usage-proof": usage,
        "usage-proof-unsigned": {k: v for k, v in usage.items() if k != "proof"},
        "affiliation": affiliation,
        "presentation": package,
        "presentation-unsigned": {k: v for k, v in package.items() if k != "proof"},
        "proof-configuration": {
            **{k: v for k, v in usage["proof"].items() if k != "proofValue"},
            "@context": usage["@context"],
        },
        "status-list": dict(next(iter(world.lists.values()))),  # type: ignore[arg-type]
        "blank-nodes": {
            "@context": usage["@context"],
            "type": ["VerifiableCredential", "UsageProof"],
            "issuer": "did:web:a",
            "credentialSubject": {"daysByMode": [{"mode": "bus"}, {"mode": "tram", "days": 1}]},
        },
        "odd-text": {
            "@context": usage["@context"],
            "id": "urn:x:1",
            "employerName": 'a"b\\c\n\r\t\u0000\u007f é € 𝄞 \u2028',
        },
    }


CORPUS = corpus()


@pytest.mark.parametrize("name", CORPUS)
def test_the_walk_equals_the_processor(name: str) -> None:
    assert canonical_strict(CORPUS[name]).decode() == to_quads_slow(CORPUS[name])


def test_the_walk_is_repeatable_and_leaves_the_document_alone() -> None:
    document = copy.deepcopy(CORPUS["presentation"])
    first = compiled_quads(document)
    assert compiled_quads(document) == first
    assert document == CORPUS["presentation"]


SUBJECT = "credentialSubject"
OUTSIDE: dict[str, tuple[Callable[[Json], object], type[MobilityError]]] = {
    "float": (lambda d: d[SUBJECT].update(days=1.5), NotCompilableError),
    "null": (lambda d: d[SUBJECT].update(days=None), NotCompilableError),
    "empty-list": (lambda d: d[SUBJECT].update(days=[]), NotCompilableError),
    "nested-list": (lambda d: d[SUBJECT].update(days=[[1]]), NotCompilableError),
    "huge-integer": (lambda d: d[SUBJECT].update(days=2**53), NotCompilableError),
    "value-object": (lambda d: d[SUBJECT].update(days={"@value": 1}), NotCompilableError),
    "keyword": (lambda d: d.update({"@id": "urn:x:2"}), NotCompilableError),
    "absolute-key": (lambda d: d.update({"urn:x:p": "v"}), NotCompilableError),
    "inline-context": (lambda d: d["@context"].append({"x": "urn:x:x"}), NotCompilableError),
    "no-context": (lambda d: d.pop("@context"), NotCompilableError),
    "empty-context": (lambda d: d.update({"@context": []}), NotCompilableError),
    "unknown-context": (lambda d: d.update({"@context": "https://x.example/"}), MobilityError),
    "blank-label": (lambda d: d.update(id="_:b7"), NotCompilableError),
    "two-types": (lambda d: d.update({"@type": "UsageProof"}), NotCompilableError),
    "type-of-node": (lambda d: d.update(type=[{"id": "urn:x:1"}]), NotCompilableError),
    "half-character": (lambda d: d[SUBJECT].update(metric="\ud800"), NotCompilableError),
    "list-as-id": (lambda d: d.update(id=["urn:x:1"]), NotCompilableError),
    "undefined-term": (lambda d: d[SUBJECT].update(unheardOf=1), DroppedPropertyError),
    "undefined-type": (lambda d: d.update(type="Unheard"), DroppedPropertyError),
    "undefined-mode": (lambda d: d[SUBJECT].update(mode="unheard"), DroppedPropertyError),
    "relative-id": (lambda d: d.update(id="a/b"), RelativeIriError),
    "relative-reference": (lambda d: d[SUBJECT].update(rule="../x"), RelativeIriError),
    "id-with-space": (lambda d: d.update(id="urn:x: y"), RelativeIriError),
    "id-with-bracket": (lambda d: d.update(id="urn:x:> <urn:y"), RelativeIriError),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_its_subset_the_walk_refuses(name: str) -> None:
    document = copy.deepcopy(CORPUS["usage-proof-unsigned"])
    change, error = OUTSIDE[name]
    change(document)
    with pytest.raises(error):
        compiled_quads(document)


def test_a_deep_document_is_refused() -> None:
    document: Json = {"id": "urn:x:0", "daysByMode": {"id": "urn:x:1", "days": 1}}
    for depth in range(60):
        document = {"id": f"urn:x:d{depth}", "daysByMode": document}
    with pytest.raises(NotCompilableError):
        compiled_quads({"@context": CORPUS["usage-proof"]["@context"], **document})


def test_a_context_that_sets_a_vocabulary_is_refused() -> None:
    contexts = {"urn:v": {"@context": {"@vocab": "urn:v:", "id": "@id"}}}
    compiled = CompiledContexts(lambda iri: contexts.get(iri) or load(iri))
    with pytest.raises(NotCompilableError):
        compiled.quads({"@context": "urn:v", "id": "urn:x:1", "a": "b"})


def test_type_scoped_contexts_end_at_nested_nodes() -> None:
    """The bug class of notes: terms of a type's own context vanish below it; the walk refuses
    instead."""
    contexts = {
        "urn:s": {
            "@context": {
                "id": "@id",
                "type": "@type",
                "child": {"@id": "urn:s:child", "@type": "@id"},
                "T": {"@id": "urn:s:T", "@context": {"inner": "urn:s:inner"}},
            }
        }
    }
    compiled = CompiledContexts(contexts.__getitem__)
    node: Json = {"@context": "urn:s", "id": "urn:x:1", "type": "T", "inner": "a"}
    text = canonical_text(compiled.quads(node))
    assert '<urn:x:1> <urn:s:inner> "a" .' in text
    with pytest.raises(DroppedPropertyError):
        compiled.quads({**node, "child": {"id": "urn:x:2", "inner": "b"}})


def poison(size: int) -> Json:
    """Two groups of anonymous days nobody can tell apart: what stripped trips look like."""
    group = {"daysByMode": [{"days": 1} for _ in range(size)]}
    context = CORPUS["usage-proof"]["@context"]
    return {"@context": context, "id": "urn:x:1", "daysByMode": [group, dict(group)]}


@pytest.mark.parametrize("size", [10, 40])
def test_poison_is_refused_in_a_moment_and_others_keep_running(size: int) -> None:
    ticks: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.005):
            ticks.append(time.perf_counter())

    other = threading.Thread(target=tick)
    other.start()
    began = time.perf_counter()
    try:
        with pytest.raises(PoisonGraphError):
            canonical_strict(poison(size))
    finally:
        took = time.perf_counter() - began
        stop.set()
        other.join()
    assert took < 2
    assert took < 0.1 or ticks
    document = {**poison(size), "proof": CORPUS["usage-proof"]["proof"]}
    key = World().home.public_multikey()
    for foreign in (False, True):
        with pytest.raises(ProofInvalidError) as caught:
            verify_proof(document, key=decode_multikey(key), foreign=foreign)
        assert failed_codes(caught.value.checks) == ("poison-graph",)
