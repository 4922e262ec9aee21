"""Canonical RDF: N-Quads, RDFC-1.0 with a work budget, and the slow road for foreign contexts.

Sources: RDF Dataset Canonicalization 1.0 (W3C Recommendation 2024-05-21) §4; N-Quads (RDF 1.1).
rdflib has no place here: it rewrites literals, which breaks signatures.
"""

import hashlib
import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from . import documents
from .errors import (
    BlankNodeError,
    ContextDigestError,
    DroppedPropertyError,
    EmptyGraphError,
    NQuadsError,
    PoisonGraphError,
    RdfError,
    RecordError,
    RelativeIriError,
    SlowPathError,
    UnknownContextError,
)
from .ids import parse_iri
from .members import escape, literal


class Quad(NamedTuple):
    """One statement; each part as N-Quads writes it, `graph` empty for the default graph."""

    subject: str
    predicate: str
    object: str
    graph: str = ""

    def line(self) -> str:
        """Its N-Quads line, newline included."""
        tail = f" {self.graph}" if self.graph else ""
        return f"{self.subject} {self.predicate} {self.object}{tail} .\n"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work one canonicalisation may cost.

    `depth_work`: steps of the N-degree algorithm (calls and permutations), the only part that can
    explode. None allows max(5 000, 3 n² + 500) for n blank nodes, at most 35 000 (some 100 ms):
    a ring or chain of n twins needs 3 n², W3C's hardest honest graphs (tests 044 to 046) 3 348;
    two hubs of seven twins, the smallest graph refused, 151 202.
    """

    quads: int = 100_000
    blank_nodes: int = 20_000
    depth_work: int | None = None

    def depth_limit(self, blank_nodes: int) -> int:
        """Steps allowed for a graph with this many blank nodes."""
        if self.depth_work is not None:
            return self.depth_work
        return min(max(5_000, 3 * blank_nodes**2 + 500), 35_000)


DEFAULT_BUDGET: Final = Budget()

# --- N-Quads -----------------------------------------------------------------------------------

_IRIREF = r"<(?:[^\x00-\x20<>\"{}|^`\\]|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})*>"
_BNODE = (
    r"_:[\w\u00b7](?:[\w.\u00b7\u0300-\u036f\u203f\u2040:-]*[\w\u00b7\u0300-\u036f\u203f\u2040:-])?"
)
_LITERAL = (
    r'"(?:[^\x22\x5C\x0A\x0D]|\\[tbnrf"\'\\]|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})*"'
    rf"(?:\^\^{_IRIREF}|@[a-zA-Z]+(?:-[a-zA-Z0-9]+)*)?"
)
_STATEMENT = re.compile(
    rf"[ \t]*({_IRIREF}|{_BNODE})[ \t]*({_IRIREF})[ \t]*({_IRIREF}|{_BNODE}|{_LITERAL})"
    rf"[ \t]*({_IRIREF}|{_BNODE})?[ \t]*\.[ \t]*(?:#.*)?"
)
_BLANK_LINE = re.compile(r"[ \t]*(?:#.*)?")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([tbnrf"\'\\]))')
_SHORT: Final = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}
_XSD_STRING: Final = "^^<http://www.w3.org/2001/XMLSchema#string>"


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16))
    return _SHORT.get(match[3], match[3])


def _term(text: str) -> str:
    """A term with its escapes resolved and written again in canonical form."""
    if text.startswith('"'):
        end = text.rindex('"')
        value, suffix = text[1:end], text[end + 1 :]
        if "\\" in value:
            value = _ESCAPE.sub(_unescape, value)
        if suffix == _XSD_STRING:
            suffix = ""
        elif "\\" in suffix:
            suffix = _ESCAPE.sub(_unescape, suffix)
        return f'"{escape(value)}"{suffix}'
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def parse_nquads(text: str) -> list[Quad]:
    """Read N-Quads.

    Raises:
        NQuadsError: with the number of the first line that is not a statement.
    """
    found = []
    for number, line in enumerate(re.split(r"[\r\n]+", text), start=1):
        match = _STATEMENT.fullmatch(line)
        if match is None:
            if _BLANK_LINE.fullmatch(line):
                continue
            raise NQuadsError(number)
        try:
            subject, predicate, object_, graph = (_term(part or "") for part in match.groups())
        except (ValueError, OverflowError):
            raise NQuadsError(number) from None
        found.append(Quad(subject, predicate, object_, graph))
    return found


def serialize(quads: Iterable[Quad]) -> str:
    """Sorted N-Quads without duplicates, in code point order (RDFC-1.0 §5)."""
    return "".join(sorted({quad.line() for quad in quads}))


# --- RDFC-1.0 ----------------------------------------------------------------------------------


class _Issuer:
    """Identifier issuer (§4.4): labels in order of first asking."""

    __slots__ = ("issued", "prefix")

    def __init__(self, prefix: str, issued: dict[str, str] | None = None) -> None:
        self.prefix = prefix
        self.issued: dict[str, str] = issued if issued is not None else {}

    def issue(self, node: str) -> str:
        label = self.issued.get(node)
        if label is None:
            label = self.issued[node] = f"_:{self.prefix}{len(self.issued)}"
        return label

    def copy(self) -> "_Issuer":
        return _Issuer(self.prefix, dict(self.issued))


class _Canonizer:
    """State of one run (§4.2)."""

    def __init__(self, quads: Sequence[Quad], algorithm: str, budget: Budget) -> None:
        self.quads = quads
        self.new_hash: Callable[[bytes], Any] = getattr(hashlib, algorithm)
        self.budget = budget
        self.work = self.limit = 0
        self.by_node: dict[str, list[Quad]] = {}
        self.first_degree: dict[str, str] = {}
        self.canonical = _Issuer("c14n")

    def digest(self, text: str) -> str:
        found: str = self.new_hash(text.encode()).hexdigest()
        return found

    def spend(self) -> None:
        self.work += 1
        if self.work > self.limit:
            raise PoisonGraphError("telling its blank nodes apart costs too much")

    def run(self) -> dict[str, str]:
        for quad in self.quads:
            for part in {quad.subject, quad.object, quad.graph}:
                if part.startswith("_:"):
                    self.by_node.setdefault(part, []).append(quad)
        if len(self.by_node) > self.budget.blank_nodes:
            raise PoisonGraphError("too many blank nodes")
        self.limit = self.budget.depth_limit(len(self.by_node))
        by_hash: dict[str, list[str]] = {}
        for node in self.by_node:
            found = self.first_degree[node] = self._hash_first_degree(node)
            by_hash.setdefault(found, []).append(node)
        shared = []
        for found in sorted(by_hash):
            nodes = by_hash[found]
            if len(nodes) == 1:
                self.canonical.issue(nodes[0])
            else:
                shared.append(nodes)
        for nodes in shared:
            self._label_shared(nodes)
        return self.canonical.issued

    def _label_shared(self, nodes: list[str]) -> None:
        paths = []
        for node in nodes:
            if node in self.canonical.issued:
                continue
            issuer = _Issuer("b")
            issuer.issue(node)
            paths.append(self._hash_n_degree(node, issuer))
        for _, issuer in sorted(paths, key=lambda pair: pair[0]):
            for node in issuer.issued:
                self.canonical.issue(node)

    def _hash_first_degree(self, node: str) -> str:
        lines = []
        for quad in self.by_node[node]:
            parts = (
                (("_:a" if part == node else "_:z") if part.startswith("_:") else part)
                for part in quad
            )
            lines.append(Quad(*parts).line())
        return self.digest("".join(sorted(lines)))

    def _hash_related(self, related: str, quad: Quad, issuer: _Issuer, position: str) -> str:
        text = position
        if position != "g":
            text += quad.predicate
        text += (
            self.canonical.issued.get(related)
            or issuer.issued.get(related)
            or self.first_degree[related]
        )
        return self.digest(text)

    def _hash_n_degree(self, node: str, issuer: _Issuer) -> tuple[str, _Issuer]:
        self.spend()
        related: dict[str, list[str]] = {}
        for quad in self.by_node[node]:
            for position, part in (("s", quad.subject), ("o", quad.object), ("g", quad.graph)):
                if part.startswith("_:") and part != node:
                    found = self._hash_related(part, quad, issuer, position)
                    related.setdefault(found, []).append(part)
        data = []
        for found in sorted(related):
            path, issuer = self._best_path(related[found], issuer)
            data.append(found + path)
        return self.digest("".join(data)), issuer

    def _best_path(self, nodes: list[str], issuer: _Issuer) -> tuple[str, _Issuer]:
        chosen_path = ""
        chosen: _Issuer = issuer
        for permutation in itertools.permutations(nodes):
            self.spend()
            trial = issuer.copy()
            outcome = self._walk(permutation, trial, chosen_path)
            if outcome is None:
                continue
            path, trial = outcome
            if not chosen_path or path < chosen_path:
                chosen_path, chosen = path, trial
        return chosen_path, chosen

    def _walk(
        self, permutation: tuple[str, ...], issuer: _Issuer, best: str
    ) -> tuple[str, _Issuer] | None:
        path, pending = "", []
        for node in permutation:
            known = self.canonical.issued.get(node)
            if known is not None:
                path += known
            else:
                if node not in issuer.issued:
                    pending.append(node)
                path += issuer.issue(node)
            if best and len(path) >= len(best) and path > best:
                return None
        for node in pending:
            found, issuer_after = self._hash_n_degree(node, issuer)
            path += f"{issuer.issue(node)}<{found}>"
            issuer = issuer_after
            if best and len(path) >= len(best) and path > best:
                return None
        return path, issuer


def canonical_labels(
    nquads: str | Sequence[Quad], *, algorithm: str = "sha256", budget: Budget = DEFAULT_BUDGET
) -> dict[str, str]:
    """Blank node of the input → canonical label, both with `_:` (the map of RDFC-1.0 §4.3)."""
    return _labels(_read(nquads, budget), algorithm, budget)


def canonize(
    nquads: str | Sequence[Quad], *, algorithm: str = "sha256", budget: Budget = DEFAULT_BUDGET
) -> str:
    """The canonical N-Quads document of a dataset. `algorithm`: `sha256` or `sha384`.

    Raises:
        NQuadsError: the text is not N-Quads.
        PoisonGraphError: the budget is spent; treat the document as hostile, do not retry.
    """
    quads = _read(nquads, budget)
    if not any(part.startswith("_:") for q in quads for part in (q.subject, q.object, q.graph)):
        return serialize(quads)
    labels = _labels(quads, algorithm, budget)
    return serialize(Quad(*(labels.get(part, part) for part in quad)) for quad in quads)


def _read(nquads: str | Sequence[Quad], budget: Budget) -> list[Quad]:
    quads = parse_nquads(nquads) if isinstance(nquads, str) else list(nquads)
    if len(quads) > budget.quads:
        raise PoisonGraphError("too many statements")
    return list(dict.fromkeys(quads))


def _labels(quads: list[Quad], algorithm: str, budget: Budget) -> dict[str, str]:
    if algorithm not in {"sha256", "sha384"}:
        raise ValueError("RDFC-1.0 here hashes with sha256 or sha384")
    try:
        return _Canonizer(quads, algorithm, budget).run()
    except RecursionError:
        raise PoisonGraphError("its blank nodes are chained too deep") from None


# --- the slow road -----------------------------------------------------------------------------

_BASE: Final = "https://relative.invalid/"


@cache
def _loader() -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    texts: dict[str, dict[str, Any]] = {}

    def load(url: str, _options: Mapping[str, Any]) -> dict[str, Any]:
        if url not in texts:
            texts[url] = documents.load(url)
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": texts[url],
        }

    return load


def _dropped(name: object) -> None:
    raise DroppedPropertyError(str(name)[:200])


def _ignored(_name: object) -> None:
    return


def _dataset_quads(dataset: Mapping[str, Any]) -> list[Quad]:
    quads: list[Quad] = []
    for graph, triples in dataset.items():
        name = "" if graph == "@default" else _node({"type": "IRI", "value": graph})
        for triple in triples:
            subject, predicate = _node(triple["subject"]), _node(triple["predicate"])
            quads.append(Quad(subject, predicate, _node(triple["object"]), name))
    return quads


def _node(part: Mapping[str, Any]) -> str:
    value = part["value"]
    if part["type"] == "literal":
        if part.get("language"):
            return f'"{escape(value)}"@{part["language"]}'
        datatype = part["datatype"]
        if f"^^<{datatype}>" == _XSD_STRING:
            return literal(value)
        return f'"{escape(value)}"^^{_iri(datatype)}'
    return value if value.startswith("_:") else _iri(value)


def _iri(value: str) -> str:
    if value.startswith(_BASE):
        raise RelativeIriError()
    try:
        return f"<{parse_iri(value)}>"
    except RecordError:
        raise RelativeIriError() from None


def _refuse_generalized(value: Any) -> None:
    """A property that is a blank node exists in JSON-LD and vanishes in RDF: refused."""
    if isinstance(value, list):
        for item in value:
            _refuse_generalized(item)
    elif isinstance(value, dict):
        if "@value" in value:
            return
        for name, item in value.items():
            if name.startswith("_:"):
                raise DroppedPropertyError("a property that is a blank node")
            _refuse_generalized(item)


def to_quads_slow(
    document: Mapping[str, Any], *, allow_dropped: bool = False, blank_nodes: bool = True
) -> str:
    """Canonical N-Quads of any JSON-LD document whose contexts are pinned, through PyLD.

    Closes PyLD's three traps: relative IRIs resolve against a base that is then refused, an empty
    result is refused, and so is every member no context defines (`allow_dropped` is for readers
    that sign nothing). Bound the size of `document` first; for documents of strangers use
    `to_quads_bounded`, which can be killed.

    Raises:
        UnknownContextError: a context that is not pinned.
        DroppedPropertyError, RelativeIriError, EmptyGraphError, PoisonGraphError: as named.
        BlankNodeError: a node without an id, unless `blank_nodes`.
        RdfError: JSON-LD that a processor refuses.
    """
    from pyld import jsonld
    from pyld.jsonld import JsonLdError, JsonLdProcessor

    options = {"base": _BASE, "documentLoader": _loader(), "processingMode": "json-ld-1.1"}
    processor = JsonLdProcessor(on_property_dropped=_ignored if allow_dropped else _dropped)
    try:
        expanded = processor.expand(dict(document), options)
        if not allow_dropped:
            _refuse_generalized(expanded)
        dataset = jsonld.to_rdf(expanded, options)
    except JsonLdError as error:
        raise _own(error) from error
    except (RecursionError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise RdfError("not JSON-LD") from error
    quads = _dataset_quads(dataset)
    if not quads:
        raise EmptyGraphError()
    if not blank_nodes and any(
        part.startswith("_:") for quad in quads for part in (quad.subject, quad.object, quad.graph)
    ):
        raise BlankNodeError()
    return canonize(quads)


def _own(error: BaseException) -> Exception:
    """Our error inside a chain of PyLD's, or a plain refusal."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (UnknownContextError, ContextDigestError, RdfError)):
            return cause
        nested = getattr(cause, "cause", None)
        cause = cause.__cause__ or (nested if isinstance(nested, BaseException) else None)
    return RdfError("not JSON-LD")


def to_quads_bounded(
    document: Mapping[str, Any], *, timeout_s: float = 10.0, memory_mb: int = 512
) -> str:
    """`to_quads_slow` in a process of its own that is killed after `timeout_s` seconds.

    Raises:
        SlowPathError: no answer in time. Everything `to_quads_slow` raises.
    """
    from . import slow  # its table of codes is shared by both ends

    try:
        done = subprocess.run(
            [sys.executable, "-m", slow.__name__, str(memory_mb)],
            input=slow.request(document),
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlowPathError() from None
    return slow.answer(done.stdout)


__all__ = [
    "DEFAULT_BUDGET",
    "Budget",
    "Quad",
    "canonical_labels",
    "canonize",
    "escape",
    "literal",
    "parse_nquads",
    "serialize",
    "to_quads_bounded",
    "to_quads_slow",
]
