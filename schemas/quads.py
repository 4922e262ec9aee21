"""Quads straight from typed records: no context processing, equal to what JSON-LD says.

Members a version does not know (`extra`) are kept in JSON and stated in no quad: a graph says only
what its shapes define. Every node has an IRI, so the sorted statements *are* the canonical form of
RDFC-1.0.
"""

from typing import Any, Final

from .ids import parse_iri
from .jsonld import child_iri, write_node
from .members import RECORD_SHAPES, Shape, json_literal
from .records import Record
from .terms import TERMS

_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"


def _emit(shape: Shape, node: Any, iri: str, lines: set[str]) -> None:
    subject = f"<{iri}>"
    lines.add(f"{subject} {_TYPE} <{TERMS[shape.type].iri}> .\n")
    for member in shape.members:
        value = getattr(node, member.attribute)
        if value is None:
            continue
        head = f"{subject} {member.predicate}"
        for index, item in enumerate(value if member.many else (value,)):
            if member.shape is None:
                assert member.codec is not None  # noqa: S101 (a member is a value or a node)
                lines.add(f"{head} {member.codec.state(item)} .\n")
                continue
            if member.shape.plain:
                lines.add(f"{head} {json_literal(write_node(member.shape, item, iri))} .\n")
                continue
            path = f"{member.term}/{index}" if member.many else member.term
            child = parse_iri(child_iri(item, iri, path))
            lines.add(f"{head} <{child}> .\n")
            _emit(member.shape, item, child, lines)


def quads(record: Record) -> list[str]:
    """The statements of `record`, one N-Quads line each with its newline, sorted, none twice.

    `"".join(quads(r))` is the canonical N-Quads document.

    Raises:
        RecordError: an identifier that is no IRI, or JSON that has no canonical form.
    """
    lines: set[str] = set()
    _emit(RECORD_SHAPES[type(record)], record, parse_iri(record.id), lines)
    return sorted(lines)


__all__ = ["quads"]
