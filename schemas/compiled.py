"""JSON-LD to quads with contexts compiled once: what a processor would say, at the price of a walk.

Contexts come from the pinned loader only. Each context (and each scope inside it) is processed
once by PyLD, so its rules are PyLD's; afterwards a document is one recursive walk that looks terms
up. The subset is deliberately narrow: strings, integers, booleans, nodes and lists of these, `id`
and `type` by their aliases, contexts named by IRI. What lies outside it (floats, nulls, empty
lists, keywords, compact IRIs, language maps, inline contexts…) raises `NotCompilableError`, and
the caller decides between the slow path and a refusal. Inside it the result equals PyLD's, or an
error is raised: never another graph.
Source: JSON-LD 1.1 API §5 (expansion), §8 (to RDF); differential tests in
`tests/unit/proofs/test_compiled.py`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from schemas.errors import DroppedPropertyError, MobilityError, Refused, RelativeIriError
from schemas.rdf import Budget, canonize, literal

__all__ = [
    "BUDGET",
    "CompiledContexts",
    "Dataset",
    "Emitter",
    "NotCompilableError",
    "compiled_canonical",
    "compiled_quads",
    "default",
    "lines_text",
]

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_RDF_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]*")
_SIMPLE: Final = re.compile('[^\x00-\x1f"\\\\\x7f\ud800-\udfff]*')
"""Texts a literal holds as they are: nothing to escape, no half of a surrogate pair."""
_MAX_MEMBERS: Final = 256
"""Members and terms an emitter keeps: strangers choose the names in a proof."""
_MAX_DEPTH: Final = 32
_MAX_INTEGER: Final = 2**53
"""Above it JSON readers disagree on the number."""
BUDGET: Final = Budget(quads=20_000, blank_nodes=256, depth_work=5_000)
"""Work for blank nodes of a signed document: W3C's hardest honest graphs (tests 044 to 046) take
3 348 steps; what we issue has none. Less than `rdf.DEFAULT_BUDGET`: who verifies waits."""
_MAX_CONTEXT_LISTS: Final = 64
"""Context lists kept: strangers may permute the pinned ones, each permutation costs memory."""


class NotCompilableError(MobilityError, Refused):
    """The document leaves the compiled subset; a full processor might read it."""

    code: ClassVar[str] = "not-compilable"

    def __init__(self, reason: str, *, where: str = "") -> None:
        self.reason, self.where = reason, where
        super().__init__(f"{where or '/'}: {reason}")


class _Term:
    """One term of a scope, as the walk needs it."""

    __slots__ = ("graph", "iri", "keyword", "supported", "type")

    def __init__(self, definition: Mapping[str, Any]) -> None:
        identifier = definition.get("@id")
        self.keyword = identifier if isinstance(identifier, str) and identifier[:1] == "@" else ""
        self.iri = identifier if isinstance(identifier, str) else ""
        container = definition.get("@container") or []
        containers = [container] if isinstance(container, str) else list(container)
        self.graph = "@graph" in containers
        self.type: str | None = definition.get("@type")
        self.supported = (
            not definition.get("reverse")
            and not definition.get("@nest")
            and "@language" not in definition
            and "@direction" not in definition
            and set(containers) <= {"@set", "@graph"}
            and self.type not in ("@json", f"{_XSD}double", f"{_XSD}float")
            and (bool(self.keyword) or _ABSOLUTE.fullmatch(self.iri) is not None)
        )


class _Scope:
    """A processed context and the scopes reached from it, each found once."""

    __slots__ = ("_by_property", "_by_types", "_local", "_owner", "active", "prefixes", "terms")

    def __init__(self, owner: CompiledContexts, active: Any) -> None:
        self._owner = owner
        self.active = active
        if any(key in active for key in ("@vocab", "@language", "@direction")):
            raise NotCompilableError("a context sets a default vocabulary or language")
        self.terms = {
            name: _Term(definition)
            for name, definition in active["mappings"].items()
            if definition is not None
        }
        self.prefixes = frozenset(
            name
            for name, definition in active["mappings"].items()
            if definition and definition.get("_prefix")
        ) | {"_"}
        """What stands before the colon of a compact IRI, or of a blank node."""
        self._by_property: dict[tuple[str, bool], _Scope] = {}
        self._by_types: dict[tuple[str, ...], _Scope] = {}
        self._local: dict[tuple[str, ...], _Scope] = {}

    def local(self, contexts: tuple[str, ...]) -> _Scope:
        """Scope after a node's own `@context`."""
        scope = self._local.get(contexts)
        if scope is None:
            scope = self._owner.process(self, list(contexts))
            if len(self._local) >= _MAX_CONTEXT_LISTS:
                self._local.clear()
            self._local[contexts] = scope
        return scope

    def inside(self, name: str, *, reference: bool) -> _Scope:
        """Scope of a node that is the value of term `name`: type-scoped contexts end (unless the
        node is a mere reference), then the term's own scoped context applies."""
        scope = self._by_property.get((name, reference))
        if scope is None:
            active = self.active
            if not reference and active.get("previousContext"):
                active = active["previousContext"]
            definition = self.active["mappings"][name]
            scoped = definition.get("@context")
            scope = self if active is self.active else self._owner.wrap(active)
            if "@context" in definition and scoped is None:
                scope = self._owner.initial
            elif scoped is not None:
                scope = self._owner.process(scope, scoped, override_protected=True)
            self._by_property[(name, reference)] = scope
        return scope

    def typed(self, types: tuple[str, ...]) -> _Scope:
        """Scope after the type-scoped contexts of `types`, in lexicographic order; they do not
        propagate."""
        scope = self._by_types.get(types)
        if scope is None:
            scope = self
            for name in sorted(types):
                scoped = (self.active["mappings"].get(name) or {}).get("@context")
                if scoped is not None and scoped is not False:
                    scope = self._owner.process(scope, scoped, propagate=False)
            if len(self._by_types) < 1024:
                self._by_types[types] = scope
        return scope

    def expand(self, value: str, where: str) -> str:
        """Absolute IRI of an identifier; compact IRIs of declared prefixes are expanded as a
        processor does."""
        prefix, colon, suffix = value.partition(":")
        if prefix == "_":
            raise NotCompilableError("a blank node label", where=where)
        if colon and not suffix.startswith("//"):
            definition = self.active["mappings"].get(prefix)
            if definition and definition.get("_prefix"):
                value = definition["@id"] + suffix
        if _ABSOLUTE.fullmatch(value) is None:
            raise RelativeIriError(where)
        return value

    def expand_checked(self, value: str, where: str) -> str:
        """`expand` of a value the caller has found to be an absolute IRI."""
        if value.partition(":")[0] in self.prefixes:
            return self.expand(value, where)
        return value

    def expand_term(self, value: str, where: str) -> str:
        """Absolute IRI of a term, or of an identifier."""
        if value in self.active["mappings"]:
            term = self.terms.get(value)
            if term is None or term.keyword or _ABSOLUTE.fullmatch(term.iri) is None:
                raise NotCompilableError("not a term for this place", where=where)
            return term.iri
        if ":" not in value:
            raise DroppedPropertyError(where)
        return self.expand(value, where)


class CompiledContexts:
    """Compiles contexts found by `load` (IRI → context document, never the network) and walks
    documents with them."""

    def __init__(self, load: Callable[[str], Mapping[str, Any]]) -> None:
        self._load = load
        self._lock = threading.RLock()
        self._processor = jsonld.JsonLdProcessor()
        self._options = {
            "base": "https://relative.invalid/",
            "processingMode": "json-ld-1.1",
            "documentLoader": self._document,
            "contextResolver": ContextResolver({}, self._document),
            "isFrame": False,
            "keepFreeFloatingNodes": False,
        }
        self.initial = _Scope(self, self._processor._get_initial_context(self._options))
        self._roots: dict[tuple[str, ...], _Scope] = {}
        self._emitters: dict[tuple[tuple[str, ...], tuple[str, ...], bool], Emitter] = {}

    def _document(self, url: str, _options: Any = None) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": self._load(url),
        }

    def wrap(self, active: Any) -> _Scope:
        """Scope of a context PyLD has processed."""
        return _Scope(self, active)

    def process(
        self,
        scope: _Scope,
        local: Any,
        *,
        override_protected: bool = False,
        propagate: bool = True,
    ) -> _Scope:
        """Scope after PyLD's context processing.

        Raises:
            NotCompilableError: PyLD refuses the context.
            UnknownContextError: from the loader, when the context is not pinned.
        """
        with self._lock:
            try:
                active = self._processor._process_context(
                    scope.active,
                    local,
                    self._options,
                    override_protected=override_protected,
                    propagate=propagate,
                )
            except jsonld.JsonLdError as error:
                cause: BaseException | None = error
                while cause is not None:
                    if isinstance(cause, MobilityError):
                        raise cause from None
                    cause = cause.__cause__ or getattr(cause, "cause", None)
                raise NotCompilableError("the context is refused") from error
        return _Scope(self, active)

    def quads(self, document: Mapping[str, Any]) -> list[str]:
        """N-Quads statements of `document` in canonical syntax, each with its line feed, in no
        order that means anything, possibly with repetitions.

        Nodes without id become `_:b0`, `_:b1`…, graphs of `@graph` containers too.

        Raises:
            NotCompilableError: outside the subset. DroppedPropertyError: a member without a term,
            or a type without one. RelativeIriError: an identifier without scheme.
            UnknownContextError: a context that is not pinned.
        """
        return self._walk(document).quads()

    def canonical(self, document: Mapping[str, Any]) -> str:
        """Canonical N-Quads (RDFC-1.0, SHA-256) of `document`.

        Raises:
            As `quads`, and PoisonGraphError.
        """
        return self._walk(document).canonical()

    def _walk(self, document: Mapping[str, Any]) -> _Walk:
        context = document.get("@context")
        if not isinstance(context, str | list):
            raise NotCompilableError("no @context by IRI", where="/@context")
        if len(self._roots) >= _MAX_CONTEXT_LISTS:
            self._roots.clear()
        walk = _Walk()
        try:
            walk.node(document, self.initial, self._roots, walk.default, None, 0)
        except MobilityError:
            # Once more, this time noting the way, so that the error says where.
            _Walk().node(document, self.initial, self._roots, walk.default, "", 0)
            raise
        if not any(graph.lines or graph.links for graph in walk.graphs):
            raise NotCompilableError("the document yields no statement")
        return walk

    def emitter(
        self, contexts: Sequence[str], types: Sequence[str] = (), *, checked: bool = False
    ) -> Emitter:
        """Emitter of documents with exactly these contexts and types; kept. `checked` as there.

        Raises:
            NotCompilableError, UnknownContextError, DroppedPropertyError: as `quads`.
        """
        key = (tuple(contexts), tuple(types), checked)
        found = self._emitters.get(key)
        if found is None:
            scope = self.initial.local(_contexts(list(contexts), ""))
            found = Emitter(scope, key[1], checked=checked)
            if len(self._emitters) >= _MAX_CONTEXT_LISTS:
                self._emitters.clear()
            self._emitters[key] = found
        return found


class Emitter:
    """Writes the statements of one kind of node whose members are known beforehand: each member's
    predicate, type and scope are looked up once, with the very rules of the walk."""

    __slots__ = ("_checked", "_members", "_scope", "_type_lines")

    def __init__(
        self, scope: _Scope, types: tuple[str, ...] = (), *, checked: bool = False
    ) -> None:
        """`scope` is the node's before its types; `types` its `type` values. `checked`: the caller
        has found every identifier it will give to be an absolute IRI.

        Raises:
            NotCompilableError, DroppedPropertyError: types no context defines.
        """
        self._checked = checked
        self._scope = scope.typed(types) if types else scope
        self._type_lines = tuple(
            f" {_RDF_TYPE} <{scope.expand_term(name, '/type')}>" for name in types
        )
        self._members: dict[str, tuple[str, Callable[[Any], str]]] = {}

    def subject(self, identifier: str) -> str:
        """Term of a node's id.

        Raises:
            RelativeIriError, NotCompilableError: no absolute IRI.
        """
        if self._checked and identifier.partition(":")[0] not in self._scope.prefixes:
            return f"<{identifier}>"
        return f"<{self._scope.expand(identifier, '/id')}>"

    def types(self, subject: str) -> list[str]:
        """Its type statements, without tail."""
        return [subject + line for line in self._type_lines]

    def member(self, name: str) -> tuple[str, Callable[[Any], str]]:
        """` <predicate> ` of a member, and what writes one value of it.

        Raises:
            DroppedPropertyError: no context defines it. NotCompilableError: not a plain member.
        """
        found = self._members.get(name)
        if found is None:
            term = self._term(name)
            found = (f" <{term.iri}> ", self._writer(name, term))
            if len(self._members) < _MAX_MEMBERS:
                self._members[name] = found
        return found

    def plain(self, name: str, sample: str | int) -> tuple[str, str]:
        """What stands before and after the value of a member in its statements: ` <predicate> "`
        and `"` or `"^^<datatype>`, for values of the kind of `sample` in which nothing is escaped.

        Raises:
            As `member`; NotCompilableError: its values are not literals.
        """
        predicate, write = self.member(name)
        before, found, after = write(sample).partition(str(sample))
        if before != '"' or not found:
            raise NotCompilableError("not a literal", where=f"/{name}")
        return predicate + before, after

    def inside(self, name: str, types: tuple[str, ...] = ()) -> Emitter:
        """Emitter of the nodes that are values of member `name`.

        Raises:
            As `member`.
        """
        self._term(name, graph=None)
        return Emitter(self._scope.inside(name, reference=False), types, checked=self._checked)

    def holds_iris(self, name: str) -> bool:
        """Whether texts of member `name` are identifiers.

        Raises:
            As `member`.
        """
        return self._term(name, graph=None).type == "@id"

    def link(self, name: str) -> str:
        """` <predicate>` of a member whose values are graphs."""
        return f" <{self._term(name, graph=True).iri}>"

    def _term(self, name: str, *, graph: bool | None = False) -> _Term:
        term = self._scope.terms.get(name)
        if term is None:
            raise DroppedPropertyError(f"/{name}")
        if term.keyword or not term.supported or (graph is not None and term.graph is not graph):
            raise NotCompilableError("not a member of this kind", where=f"/{name}")
        return term

    def _writer(self, name: str, term: _Term) -> Callable[[Any], str]:
        scope, where = self._scope, f"/{name}"
        if term.type == "@vocab":
            known: dict[str, str] = {}

            def write_term(value: Any) -> str:
                found = known.get(value) if isinstance(value, str) else None
                if found is None:
                    found = _scalar(value, term, name, scope, where)
                    if isinstance(value, str) and len(known) < _MAX_MEMBERS:
                        known[value] = found
                return found

            return write_term
        if term.type == "@id":
            inside = scope.inside(name, reference=True)
            expand = inside.expand_checked if self._checked else inside.expand

            def write_iri(value: Any) -> str:
                if isinstance(value, str):
                    return f"<{expand(value, where)}>"
                return _scalar(value, term, name, scope, where)

            return write_iri
        plain = term.type in (None, "@none", f"{_XSD}string")
        tail = '"' if plain else f'"^^<{term.type}>'
        number = f'"^^<{_datatype(term.type, "integer")}>'

        def write_literal(value: Any) -> str:
            if isinstance(value, str):
                if _SIMPLE.fullmatch(value):
                    return f'"{value}{tail}'
            elif type(value) is int and abs(value) < _MAX_INTEGER:
                return f'"{value}{number}'
            return _scalar(value, term, name, scope, where)

        return write_literal

    def flat(self, node: Mapping[str, Any], blank: str) -> list[str]:
        """Statements, without tail, of a node whose members are all plain. `id` and `type` are read
        by these names; without `id` the subject is `blank`.

        Raises:
            As `member`, and for values the walk refuses.
        """
        identifier = node.get("id")
        subject = blank if identifier is None else self.subject(identifier)
        lines = [subject + line for line in self._type_lines]
        members = self._members
        for name, value in node.items():
            found = members.get(name)
            if found is None:
                if name in {"id", "type", "@context"}:
                    continue
                found = self.member(name)
            lines.append(subject + found[0] + found[1](value))
        return lines


class Dataset:
    """Graphs of a document put together by hand, for its canonical form."""

    __slots__ = ("_walk",)

    def __init__(self) -> None:
        self._walk = _Walk()

    @property
    def default(self) -> _Graph:
        """The default graph."""
        return self._walk.default

    def graph(self, parent: _Graph, link: str) -> _Graph:
        """A graph of its own that `link` (`subject <predicate>`) in `parent` points to."""
        return self._walk.graph(parent, link)

    def canonical(self) -> str:
        """Canonical N-Quads.

        Raises:
            PoisonGraphError.
        """
        return self._walk.canonical()


class _Graph:
    """Statements of one graph: `subject predicate object` without tail, and the graphs its nodes
    contain."""

    __slots__ = ("lines", "link", "links", "number", "parent")

    def __init__(self, number: int = -1, parent: _Graph | None = None, link: str = "") -> None:
        self.number = number
        self.parent = parent
        self.link = link
        self.lines: list[str] = []
        self.links: list[_Graph] = []


class _Walk:
    """One document's walk: its graphs, and its blank node counter."""

    __slots__ = ("_blank", "anonymous", "default", "graphs")

    def __init__(self) -> None:
        self.default = _Graph()
        self.graphs = [self.default]
        self.anonymous = False
        self._blank = 0

    def blank(self) -> str:
        """The next blank node label."""
        return f"_:b{self._number()}"

    def graph(self, parent: _Graph, link: str) -> _Graph:
        """A graph inside a node of `parent`."""
        child = _Graph(self._number(), parent, link)
        self.graphs.append(child)
        parent.links.append(child)
        return child

    def _number(self) -> int:
        number = self._blank
        self._blank += 1
        return number

    def quads(self) -> list[str]:
        """All statements, blank nodes labelled in order of meeting."""
        return self._labelled([f"_:b{graph.number}" for graph in self.graphs])

    def _labelled(self, labels: list[str]) -> list[str]:
        names = dict(zip(map(id, self.graphs), labels, strict=True))
        out: list[str] = []
        for graph in self.graphs:
            tail = " .\n" if graph is self.default else f" {names[id(graph)]} .\n"
            out.extend([line + tail for line in graph.lines])
            out.extend([f"{child.link} {names[id(child)]}{tail}" for child in graph.links])
        return out

    def canonical(self) -> str:
        """Canonical N-Quads. Where the only blank nodes are names of graphs that differ in content,
        their first-degree hashes (RDFC-1.0 §4.6) order them and nothing else is needed."""
        if self.anonymous:
            return canonize("".join(self.quads()), budget=BUDGET)
        if len(self.graphs) == 1:
            return lines_text(self.default.lines)
        named = self.graphs[1:]
        hashes = [self._first_degree(graph) for graph in named]
        if len(set(hashes)) < len(hashes):
            return canonize("".join(self.quads()), budget=BUDGET)
        rank = {found: f"_:c14n{index}" for index, found in enumerate(sorted(hashes))}
        return "".join(sorted(set(self._labelled(["", *(rank[found] for found in hashes)]))))

    def _first_degree(self, graph: _Graph) -> str:
        lines = {line + " _:a .\n" for line in graph.lines}
        lines |= {f"{child.link} _:z _:a .\n" for child in graph.links}
        lines.add(f"{graph.link} _:a{' .' if graph.parent is self.default else ' _:z .'}\n")
        return sha256("".join(sorted(lines)).encode()).hexdigest()

    def node(  # noqa: PLR0917 - the walk's state, passed down as it is
        self,
        element: Mapping[str, Any],
        scope: _Scope,
        roots: dict[tuple[str, ...], _Scope] | None,
        graph: _Graph,
        where: str | None,
        depth: int,
    ) -> str:
        """State one node; returns its term. `where` None: errors need not say where."""
        if depth > _MAX_DEPTH:
            raise NotCompilableError("too deep", where=where or "")
        if "@context" in element:
            contexts = _contexts(element["@context"], where or "")
            if roots is None:
                scope = scope.local(contexts)
            else:
                root = roots.get(contexts)
                if root is None:
                    root = roots[contexts] = scope.local(contexts)
                scope = root
        type_scope = scope
        types: tuple[str, ...] = ()
        identifier: str | None = None
        for key, value in element.items():
            term = scope.terms.get(key)
            if term is None or not term.keyword:
                continue
            if term.keyword == "@type":
                if types:
                    raise NotCompilableError("two types", where=f"{where}/{key}")
                types = _types(value, f"{where}/{key}")
                scope = type_scope.typed(types)
            elif term.keyword == "@id":
                if identifier is not None or not isinstance(value, str):
                    raise NotCompilableError("not one id", where=f"{where}/{key}")
                identifier = value
            else:
                raise NotCompilableError("keyword", where=f"{where}/{key}")
        if identifier is None:
            self.anonymous = True
            subject = self.blank()
        else:
            subject = f"<{scope.expand(identifier, f'{where}/id')}>"
        if len(element) == ("@context" in element) and identifier is None:
            raise NotCompilableError("an empty node", where=where or "")
        lines = graph.lines
        for name in types:
            iri = type_scope.expand_term(name, f"{where}/type")
            lines.append(f"{subject} {_RDF_TYPE} <{iri}>")
        for key, value in element.items():
            if key == "@context":
                continue
            term = scope.terms.get(key)
            if term is None:
                if key[:1] == "@" or ":" in key or key in scope.active["mappings"]:
                    raise NotCompilableError("not a term", where=f"{where}/{key}")
                raise DroppedPropertyError(f"{where}/{key}")
            if term.keyword:
                if (
                    type_scope.terms.get(key) is None
                    or type_scope.terms[key].keyword != term.keyword
                ):
                    raise NotCompilableError("a keyword alias by type", where=f"{where}/{key}")
                continue
            if not term.supported:
                raise NotCompilableError("a term of a kind not compiled", where=f"{where}/{key}")
            here = None if where is None else f"{where}/{key}"
            if isinstance(value, list):
                if not value:
                    raise NotCompilableError("an empty list", where=here or "")
                for index, item in enumerate(value):
                    place = None if here is None else f"{here}/{index}"
                    self._value(item, subject, term, key, scope, graph, place, depth)
            else:
                self._value(value, subject, term, key, scope, graph, here, depth)
        return subject

    def _value(  # noqa: PLR0917 - as above
        self,
        value: Any,
        subject: str,
        term: _Term,
        name: str,
        scope: _Scope,
        graph: _Graph,
        where: str | None,
        depth: int,
    ) -> None:
        if isinstance(value, dict):
            only_id = len(value) == 1 and "@context" not in value
            if only_id:
                (key,) = value
                alias = scope.terms.get(key)
                only_id = alias is not None and alias.keyword == "@id"
            inner = scope.inside(name, reference=only_id)
            if term.graph:
                if only_id:
                    raise NotCompilableError("a reference where a graph belongs", where=where or "")
                child = self.graph(graph, f"{subject} <{term.iri}>")
                self.node(value, inner, None, child, where, depth + 1)
                return
            target = self.node(value, inner, None, graph, where, depth + 1)
        elif term.graph:
            raise NotCompilableError("a value where a graph belongs", where=where or "")
        else:
            target = _scalar(value, term, name, scope, where or "")
        graph.lines.append(f"{subject} <{term.iri}> {target}")


def lines_text(lines: Sequence[str]) -> str:
    """Canonical N-Quads of statements of the default graph without tail, none of whose blank nodes
    needs a search. What may follow a term (space, `^`, `@`) sorts as the tail would."""
    return " .\n".join([*sorted(set(lines)), ""])


def _scalar(value: Any, term: _Term, name: str, scope: _Scope, where: str) -> str:
    kind = term.type
    if isinstance(value, str):
        if kind == "@id":
            return f"<{scope.inside(name, reference=True).expand(value, where)}>"
        if kind == "@vocab":
            return f"<{scope.inside(name, reference=True).expand_term(value, where)}>"
        text = _quote(value, where)
        datatype = None if kind in (None, "@none") else kind
    elif isinstance(value, bool):
        text = '"true"' if value else '"false"'
        datatype = _datatype(kind, "boolean")
    elif isinstance(value, int):
        if abs(value) >= _MAX_INTEGER:
            raise NotCompilableError("an integer out of range", where=where)
        text = f'"{value}"'
        datatype = _datatype(kind, "integer")
    else:
        raise NotCompilableError("a value of a kind not compiled", where=where)
    if datatype is None or datatype == f"{_XSD}string":
        return text
    return f"{text}^^<{datatype}>"


def _datatype(kind: str | None, default: str) -> str:
    return _XSD + default if kind in (None, "@none", "@id", "@vocab") else str(kind)


def _quote(value: str, where: str) -> str:
    if _SIMPLE.fullmatch(value):
        return f'"{value}"'
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise NotCompilableError("half a character", where=where)
    return literal(value)


def _contexts(value: Any, where: str) -> tuple[str, ...]:
    items: Sequence[Any] = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or len(items) > 16:
        raise NotCompilableError("contexts by IRI only", where=f"{where}/@context")
    for item in items:
        if not isinstance(item, str) or _ABSOLUTE.fullmatch(item) is None:
            raise NotCompilableError("contexts by IRI only", where=f"{where}/@context")
    return tuple(items)


def _types(value: Any, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(i, str) for i in items):
        raise NotCompilableError("types are texts", where=where)
    return tuple(items)


_default: CompiledContexts | None = None


def default() -> CompiledContexts:
    """The pinned contexts of this build, compiled once a process, on first use."""
    global _default  # noqa: PLW0603 - on first use: import does no work
    if _default is None:
        from schemas.documents import load

        _default = CompiledContexts(load)
    return _default


def compiled_quads(document: Mapping[str, Any]) -> list[str]:
    """`CompiledContexts.quads` with the pinned contexts of this build."""
    return default().quads(document)


def compiled_canonical(document: Mapping[str, Any]) -> str:
    """`CompiledContexts.canonical` with the pinned contexts of this build."""
    return default().canonical(document)
