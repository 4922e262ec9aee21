"""The RDFC-1.0 transformation of the `-rdfc-` suites: JSON-LD document → canonical N-Quads, or a
refusal.

The compiled walk does our own documents; the slow path (a full processor with the pinned loader,
refusing whatever it would drop or invent) does the rest. Both refuse what a signature would not
cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.compiled import NotCompilableError, compiled_canonical, default, lines_text
from schemas.rdf import canonize, to_quads_bounded

__all__ = ["canonical_configuration", "canonical_foreign", "canonical_strict", "canonical_text"]


def canonical_text(quads: list[str]) -> str:
    """Canonical N-Quads of statements; without blank nodes that is sorting (RDFC-1.0 §4.4.3 step
    7)."""
    if any("_:" in quad for quad in quads):
        return canonize("".join(quads))
    return "".join(sorted(set(quads)))


def canonical_strict(document: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a document inside the compiled subset.

    Raises:
        NotCompilableError, RdfError, UnknownContextError: see `schemas.compiled`.
    """
    return compiled_canonical(document).encode()


def canonical_foreign(document: Mapping[str, Any]) -> bytes:
    """Canonical bytes of any document whose contexts are pinned in this build.

    Raises:
        RdfError, UnknownContextError: see `schemas.rdf`.
    """
    try:
        return canonical_strict(document)
    except NotCompilableError:
        return to_quads_bounded(document).encode()


def canonical_configuration(options: Mapping[str, Any], contexts: object) -> bytes:
    """Canonical bytes of a proof configuration under the document's contexts, from a template kept
    for those contexts: what `canonical_strict` gives, in a third of the time.

    Raises:
        As `canonical_strict`.
    """
    kind = options.get("type")
    if (
        isinstance(contexts, list | tuple)
        and isinstance(kind, str)
        and {str}.issuperset(map(type, contexts))
        and {str}.issuperset(map(type, options.values()))
    ):
        # One node at most is blank: its canonical label needs no search.
        return lines_text(default().emitter(contexts, (kind,)).flat(options, "_:c14n0")).encode()
    return canonical_strict({**options, "@context": contexts})
