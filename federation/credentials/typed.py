"""The typed path: statements written straight from a parsed credential or presentation, so that
verifying costs little more than the signature.

It may speak for a document D only because (1) D's contexts are exactly the pinned list, (2)
parsing is strict, and (3) what the parsed object writes back equals D (`Credential.document` *is*
that writing); downstream reads the parsed object, never D. The predicates, types and scopes come
from the same compiled contexts as the walk's; a differential test holds typed == walk == PyLD on
generated documents.
Source: design §6; VC Data Integrity 1.0 §4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from federation.credentials.model import Credential, Presentation
from federation.credentials.shape import CONTEXTS, Member, Node, Shape, Value
from federation.credentials.types import CREDENTIAL_TYPES
from federation.keys import PublicKey
from federation.proofs import Proof, check_signature, verify_proof
from schemas.compiled import Dataset, Emitter, NotCompilableError, default, lines_text

__all__ = [
    "canonical_credential",
    "canonical_presentation",
    "statements",
    "verify_typed",
    "verify_typed_presentation",
]

_VC: Final = "VerifiableCredential"
_SAMPLES: Final[Mapping[Value, str | int]] = {
    Value.COUNT: 7,
    Value.DATE: "2026-01-01",
    Value.INSTANT: "2026-01-01T00:00:00Z",
    Value.DIGEST: f"sha256:{'0' * 64}",
}
"""Kinds whose values need no escape in N-Quads."""


class _Field(NamedTuple):
    """How one member of a node is stated: ` <predicate> ` and its value."""

    write: Callable[[Any], str]
    nodes: _NodePlan | None


class _NodePlan(NamedTuple):
    """How a node of a shape is stated, members in the shape's order."""

    emitter: Emitter
    fields: tuple[_Field, ...]
    leaf: bool
    """Whether its members are plain values, none of which may be left out."""
    writers: tuple[Callable[[Any], str], ...]
    """What writes each member."""


class _Plan(NamedTuple):
    """How a credential of one type is stated."""

    root: Emitter
    subject: _NodePlan
    status: Emitter
    proof: Emitter
    proof_link: str
    issuer: Callable[[Any], str]
    valid_from: Callable[[Any], str]
    valid_until: Callable[[Any], str]
    about: str
    has_status: str


def _writer(emitter: Emitter, name: str, sample: str | int | None = None) -> Callable[[Any], str]:
    """Writes ` <predicate> value`. With `sample` values are of its kind and need no escape."""
    if sample is not None:
        before, after = emitter.plain(name, sample)
        return lambda value: f"{before}{value}{after}"
    predicate, write = emitter.member(name)
    return lambda value: predicate + write(value)


def _field(emitter: Emitter, name: str, member: Member) -> _Field:
    """Reading has found each value to be of the member's kind (`read_node`)."""
    if member.kind is Value.NODES:
        plan = _node_plan(emitter.inside(name), member.shape or Shape())
        predicate = emitter.member(name)[0]
        return _Field(lambda subject: predicate + subject, plan)
    if emitter.holds_iris(name) is not (member.kind is Value.IRI):
        raise NotCompilableError("shape and context differ on identifiers", where=f"/{name}")
    if member.one_of is not None:
        write = _writer(emitter, name)
        return _Field({value: write(value) for value in member.one_of}.__getitem__, None)
    return _Field(_writer(emitter, name, _SAMPLES.get(member.kind)), None)


def _node_plan(emitter: Emitter, shape: Shape) -> _NodePlan:
    fields = tuple(_field(emitter, name, member) for name, member in shape.members.items())
    return _NodePlan(emitter, fields, shape.is_leaf, tuple(one.write for one in fields))


@lru_cache(maxsize=64)
def _plan(credential_type: str) -> _Plan:
    # Parsing has found every id and IRI of the credential to be absolute (`read_iri`).
    root = default().emitter(CONTEXTS, (_VC, credential_type), checked=True)
    return _Plan(
        root=root,
        subject=_node_plan(root.inside("credentialSubject"), CREDENTIAL_TYPES[credential_type]),
        status=root.inside("credentialStatus", ("BitstringStatusListEntry",)),
        proof=default()
        .emitter(CONTEXTS, (_VC, credential_type))
        .inside("proof", ("DataIntegrityProof",)),
        proof_link=root.link("proof"),
        issuer=_writer(root, "issuer"),
        valid_from=_writer(root, "validFrom", _SAMPLES[Value.INSTANT]),
        valid_until=_writer(root, "validUntil", _SAMPLES[Value.INSTANT]),
        about=root.member("credentialSubject")[0],
        has_status=root.member("credentialStatus")[0],
    )


def _state(node: Node, plan: _NodePlan, subject: str, lines: list[str]) -> None:
    add = lines.append
    for (write, nodes), value in zip(plan.fields, node.values, strict=True):
        if value is None:
            continue
        if nodes is None:
            lines.append(subject + write(value))
        elif type(value) is list:
            if nodes.leaf:
                # What most nodes are: plain values only, none left out.
                about, writers = nodes.emitter.subject, nodes.writers
                for identifier, _, values, _ in value:
                    name = about(identifier)
                    add(subject + write(name))
                    for state, item in zip(writers, values, strict=True):
                        add(name + state(item))
                continue
            for child in value:
                name = nodes.emitter.subject(child.id)
                lines.append(subject + write(name))
                _state(child, nodes, name, lines)


def statements(credential: Credential) -> list[str]:
    """N-Quads statements of `credential` without its proof, each without tail (` .`).

    Raises:
        RdfError, NotCompilableError: what the walk refuses, this refuses.
    """
    plan = _plan(credential.type)
    name = plan.root.subject(credential.id)
    lines = plan.root.types(name)
    lines.append(name + plan.issuer(credential.issuer))
    dates = credential.written_dates
    lines.append(name + plan.valid_from(dates[0]))
    if dates[1] is not None:
        lines.append(name + plan.valid_until(dates[1]))
    subject = plan.subject.emitter.subject(credential.holder)
    lines.append(f"{name}{plan.about}{subject}")
    _state(credential.node, plan.subject, subject, lines)
    for status in credential.statuses:
        entry = status.to_json()
        lines.append(f"{name}{plan.has_status}{plan.status.subject(entry['id'])}")
        lines.extend(plan.status.flat(entry, ""))
    return lines


def canonical_credential(lines: Sequence[str]) -> bytes:
    """Canonical N-Quads of a credential's statements: it has no blank node."""
    return lines_text(lines).encode()


def canonical_presentation(presentation: Presentation, stated: Sequence[Sequence[str]]) -> bytes:
    """Canonical N-Quads of a presentation without its proof; `stated` are its credentials'
    statements, in order.

    Raises:
        As `statements`, and PoisonGraphError.
    """
    emitter = default().emitter(CONTEXTS, ("VerifiablePresentation",))
    dataset = Dataset()
    name = emitter.subject(presentation.id)
    predicate, write = emitter.member("holder")
    dataset.default.lines.extend(emitter.types(name))
    dataset.default.lines.append(f"{name}{predicate}{write(presentation.holder)}")
    link = name + emitter.link("verifiableCredential")
    for credential, lines in zip(presentation.credentials, stated, strict=True):
        plan = _plan(credential.type)
        graph = dataset.graph(dataset.default, link)
        graph.lines.extend(lines)
        proof = dataset.graph(graph, plan.root.subject(credential.id) + plan.proof_link)
        proof.lines.extend(plan.proof.flat(credential.document["proof"], ""))
    return dataset.canonical().encode()


def verify_typed(credential: Credential, key: PublicKey, lines: Sequence[str]) -> None:
    """Check the proof of a parsed credential with `key`; `lines` are its `statements`.

    Raises:
        ProofInvalidError: as `federation.proofs.verify_proof`.
    """
    if not _is_rdfc(credential.proof):
        verify_proof(credential.document, key=key, foreign=False)
        return
    check_signature(credential.proof, key, CONTEXTS, lambda: canonical_credential(lines))


def verify_typed_presentation(
    presentation: Presentation, key: PublicKey, stated: Sequence[Sequence[str]]
) -> None:
    """Check the proof of a parsed presentation with `key`; `stated` are its credentials'
    statements.

    Raises:
        ProofInvalidError: as `federation.proofs.verify_proof`.
    """
    if not _is_rdfc(presentation.proof):
        verify_proof(presentation.document, key=key, foreign=False)
        return
    check_signature(
        presentation.proof, key, CONTEXTS, lambda: canonical_presentation(presentation, stated)
    )


def _is_rdfc(proof: Proof) -> bool:
    return proof.suite.configuration is not None
