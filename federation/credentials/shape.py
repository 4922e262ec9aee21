"""Closed shapes: which members a signed node may have, each with one way to write it.

RDF forgets order, repetition and the difference between `5` and `"5"`; a signature over quads
forgets them too. A shape leaves a document exactly one JSON form per set of quads, so what was
verified is what is read: every member known, of one kind, no empty or null value, lists sorted by
`id` without repetition, every node named once.

Nodes are read twice at most: quickly, by what their shape compiled for itself, which says yes or
nothing; and member by member where that said nothing, to name the fault. Each value is read once,
so what is kept is what was judged, whoever else holds the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple

from federation.trust import parse_instant
from schemas.documents import load
from schemas.errors import InvalidInput, MobilityError, Refused
from schemas.jsonld import CONTEXT_IRI

__all__ = [
    "CONTEXTS",
    "Member",
    "Node",
    "Shape",
    "ShapeError",
    "Value",
    "read_node",
    "read_scalar",
    "refuse_huge",
]

V2: Final = "https://www.w3.org/ns/credentials/v2"
CONTEXTS: Final = (V2, CONTEXT_IRI)
"""The only contexts of what we issue and of what product verification reads, in this order."""

MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 16
MAX_TEXT: Final = 20_000
"""Characters in one text; a status list of 131 072 entries with 2 000 set takes about 3 600."""

MAX_STRING: Final = 300_000
"""Characters in any one string of a document, before its shape is known."""

_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]{1,2000}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class ShapeError(MobilityError, Refused, InvalidInput):
    """The document is not what its type says. `code_of` is the stable reason, `where` a JSON
    pointer."""

    code: ClassVar[str] = "shape-invalid"

    def __init__(self, code: str, where: str, detail: str = "") -> None:
        self.code_of, self.where = code, where
        super().__init__(f"{where or '/'}: {detail or code}")


class Value(StrEnum):
    """Kinds of values, each with one written form."""

    TEXT = "text"
    IRI = "iri"
    DATE = "date"
    INSTANT = "instant"
    COUNT = "count"
    """Whole number, zero or more."""
    DIGEST = "digest"
    """`sha256:` and 64 lower-case hexadecimal digits."""
    NODES = "nodes"
    """List of nodes, sorted by id, each id once."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a node."""

    kind: Value
    required: bool = True
    one_of: frozenset[str] | None = None
    shape: Shape | None = None
    """Of each node when the kind is `NODES`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Members of a node beside its `id`."""

    members: Mapping[str, Member] = field(default_factory=dict)
    quick: tuple[_Quick, ...] = field(init=False, repr=False, compare=False)
    """The members, ready to be read."""
    is_leaf: bool = field(init=False, repr=False, compare=False)
    """Whether its members are plain values, none of which may be left out."""

    def __post_init__(self) -> None:
        quick = tuple(
            _Quick(
                name,
                _accepts(member),
                (member.shape or Shape()) if member.kind is Value.NODES else None,
                member.required,
            )
            for name, member in self.members.items()
        )
        object.__setattr__(self, "quick", quick)
        is_leaf = all(one.required and one.nodes is None for one in quick)
        object.__setattr__(self, "is_leaf", is_leaf)


class _Quick(NamedTuple):
    """One member, ready to be read."""

    name: str
    accepts: Callable[[Any], bool]
    nodes: Shape | None
    required: bool


def _accepts(member: Member) -> Callable[[Any], bool]:
    """Whether a plain value is what `read_scalar` lets pass."""
    if member.one_of is not None:
        allowed = member.one_of
        return lambda value: type(value) is str and value in allowed
    if member.kind is Value.COUNT:
        return lambda value: type(value) is int and 0 <= value < 2**53
    if member.kind is Value.TEXT:
        return lambda value: (
            type(value) is str and 0 < len(value) <= MAX_TEXT and _UNREADABLE.search(value) is None
        )

    if member.kind is Value.DATE:
        return _is_date
    if member.kind is Value.IRI:
        return _is_iri
    if member.kind is Value.DIGEST:
        return lambda value: type(value) is str and _DIGEST.fullmatch(value) is not None

    def accepts(value: Any) -> bool:
        try:
            _read_scalar(value, member, "", "")
        except ShapeError:
            return False
        return True

    return accepts


def _is_date(value: Any) -> bool:
    if type(value) is not str:
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_iri(value: Any) -> bool:
    return (
        type(value) is str
        and len(value) <= MAX_TEXT
        and _IRI.fullmatch(value) is not None
        and _UNREADABLE.search(value) is None
    )


class Node(NamedTuple):
    """A node as parsed: nothing in it that its shape does not know."""

    id: str
    shape: Shape
    values: list[str | int | list[Node] | None]
    """In the order of the shape's members; None where an optional one is absent."""
    written: dict[str, Any]
    """Its one written form, made of what was read."""


@lru_cache(maxsize=1)
def _terms() -> frozenset[str]:
    terms: set[str] = set()
    for iri in CONTEXTS:
        context = load(iri)["@context"]
        terms |= set(context)
        for definition in context.values():
            if isinstance(definition, Mapping) and isinstance(definition.get("@context"), Mapping):
                terms |= set(definition["@context"])
    return frozenset(terms)


def refuse_unknown(node: Mapping[str, Any], known: frozenset[str] | set[str], where: str) -> None:
    """Refuse members outside `known`, each kind under its own name.

    Raises:
        ShapeError: `keyword-alias` (`@id` for `id`), `dropped-term` (no context defines it: a
        signature would not cover it),
            `extra-member` (defined, but not part of this type).
    """
    for name in node:
        if name in known:
            continue
        if name.startswith("@"):
            raise ShapeError(
                "keyword-alias", f"{where}/{name}", "a keyword where its alias belongs"
            )
        if name not in _terms():
            raise ShapeError("dropped-term", f"{where}/{name}", "no context defines this member")
        raise ShapeError("extra-member", f"{where}/{name}", "not a member of this type")


def read_iri(value: object, where: str) -> str:
    """An absolute IRI.

    Raises:
        ShapeError: `relative-iri`, or `shape-invalid` when not a text.
    """
    if not isinstance(value, str):
        raise ShapeError("shape-invalid", where, "an identifier is a text")
    if _IRI.fullmatch(value) is None or value.startswith("_:"):
        raise ShapeError("relative-iri", where, "not an absolute identifier")
    return value


def read_node(node: object, shape: Shape, where: str, ids: set[str]) -> Node:
    """Parse one node by its shape; `ids` collects the ids named so far in the document.

    Raises:
        ShapeError: see the module, with the pointer of the first fault.
    """
    named: list[str] = []
    found = _read_quickly(node, shape, named)
    if found is not None and len(named) == len(set(named)) and ids.isdisjoint(named):
        ids.update(named)
        return found
    return _read_slowly(node, shape, where, ids)


def _read_quickly(node: object, shape: Shape, named: list[str]) -> Node | None:
    """The node, if nothing is wrong with it but perhaps its ids, which `named` collects."""
    if type(node) is not dict:
        return None
    identifier = node.get("id")
    if type(identifier) is not str or _IRI.fullmatch(identifier) is None:
        return None
    named.append(identifier)
    values: list[str | int | list[Node] | None] = []
    written: dict[str, Any] = {"id": identifier}
    add = values.append
    left = len(node) - 1
    for name, accepts, nodes, required in shape.quick:
        value = node.get(name)
        if value is None:
            if required:
                return None
            add(None)
            continue
        left -= 1
        if nodes is None:
            if not accepts(value):
                return None
            add(value)
            written[name] = value
            continue
        if type(value) is not list or not 0 < len(value) <= MAX_NODES - len(named):
            return None
        children = []
        last = ""
        read = _read_leaf if nodes.is_leaf else _read_quickly
        for item in value:
            child = read(item, nodes, named)
            if child is None or child.id < last:
                return None
            children.append(child)
            last = child.id
        add(children)
        written[name] = [child.written for child in children]
    return None if left else Node(identifier, shape, values, written)


def _read_leaf(node: object, shape: Shape, named: list[str]) -> Node | None:
    """`_read_quickly` of what most nodes are: plain values only, none left out."""
    if type(node) is not dict or len(node) != len(shape.quick) + 1:
        return None
    identifier = node.get("id")
    if type(identifier) is not str or _IRI.fullmatch(identifier) is None:
        return None
    named.append(identifier)
    written: dict[str, Any] = {"id": identifier}
    for name, accepts, _, _ in shape.quick:
        value = node.get(name)
        if not accepts(value):
            return None
        written[name] = value
    return Node(identifier, shape, list(written.values())[1:], written)


def _read_slowly(node: object, shape: Shape, where: str, ids: set[str]) -> Node:
    if not isinstance(node, Mapping):
        raise ShapeError("shape-invalid", where, "a node expected")
    identifier = name_node(node, where, ids)
    members = shape.members
    for name in node:
        if name not in members and name != "id":
            refuse_unknown(node, {"id", *members}, where)
    values: list[str | int | list[Node] | None] = []
    written: dict[str, Any] = {"id": identifier}
    for name, member in members.items():
        value = node.get(name)
        if value is None:
            if member.required or name in node:
                code = "shape-invalid" if name in node else "missing-member"
                raise ShapeError(code, f"{where}/{name}", "missing")
            values.append(None)
        elif member.kind is Value.NODES:
            nodes = _read_nodes(value, member.shape or Shape(), f"{where}/{name}", ids)
            values.append(nodes)
            written[name] = [found.written for found in nodes]
        else:
            read_scalar(value, member, where, name)
            values.append(value)
            written[name] = value
    return Node(identifier, shape, values, written)


def name_node(node: Mapping[str, Any], where: str, ids: set[str]) -> str:
    """The node's id, which no other node of the document has.

    Raises:
        ShapeError: `blank-node`, `relative-iri` or `duplicate-node`.
    """
    if "id" not in node:
        raise ShapeError("blank-node", where, "a node without id")
    identifier = read_iri(node["id"], f"{where}/id")
    if identifier in ids:
        raise ShapeError("duplicate-node", f"{where}/id", "two nodes of one id")
    ids.add(identifier)
    return identifier


def _read_nodes(value: object, shape: Shape, where: str, ids: set[str]) -> list[Node]:
    if not isinstance(value, list) or not value:
        raise ShapeError("shape-invalid", where, "a list of nodes expected")
    if len(value) > MAX_NODES - len(ids):
        raise ShapeError("too-large", where, "too large")
    nodes = [_read_slowly(item, shape, f"{where}/{index}", ids) for index, item in enumerate(value)]
    names = [node.id for node in nodes]
    if names != sorted(names):
        raise ShapeError("unordered-list", where, "nodes are listed by id")
    return nodes


def read_scalar(value: object, member: Member, parent: str, name: str) -> None:
    """Check one plain value of the node at `parent`.

    Raises:
        ShapeError: `shape-invalid`, `relative-iri`.
    """
    if member.one_of is None or type(value) is not str or value not in member.one_of:
        _read_scalar(value, member, parent, name)


def _read_scalar(value: object, member: Member, parent: str, name: str) -> None:
    kind = member.kind
    if kind is Value.COUNT:
        if type(value) is not int or not 0 <= value < 2**53:
            raise ShapeError("shape-invalid", f"{parent}/{name}", "a whole number expected")
        return
    if type(value) is not str or not value or len(value) > MAX_TEXT:
        raise ShapeError("shape-invalid", f"{parent}/{name}", "a text expected")
    if _UNREADABLE.search(value):
        raise ShapeError("shape-invalid", f"{parent}/{name}", "an unreadable character")
    if member.one_of is not None:
        raise ShapeError("shape-invalid", f"{parent}/{name}", "not one of the allowed values")
    if kind is Value.TEXT:
        return
    where = f"{parent}/{name}"
    match kind:
        case Value.IRI:
            read_iri(value, where)
        case Value.DATE:
            read_date(value, where)
        case Value.INSTANT:
            read_instant(value, where)
        case Value.DIGEST:
            if _DIGEST.fullmatch(value) is None:
                raise ShapeError("shape-invalid", where, "not a digest")


def read_date(value: str, where: str) -> date:
    """A civil day, `YYYY-MM-DD`.

    Raises:
        ShapeError: `shape-invalid`.
    """
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ShapeError("shape-invalid", where, "not a date") from None
    if day.isoformat() != value:
        raise ShapeError("shape-invalid", where, "not a date")
    return day


def read_instant(value: object, where: str) -> Any:
    """A UTC instant written with `Z`.

    Raises:
        ShapeError: `shape-invalid`.
    """
    try:
        at = parse_instant(value)
    except ValueError:
        raise ShapeError("shape-invalid", where, "not an instant") from None
    if not str(value).endswith("Z"):
        raise ShapeError("shape-invalid", where, "instants are written in UTC, with Z")
    return at


def refuse_huge(value: Any) -> None:
    """Bound the work a document can ask for, without recursion.

    Raises:
        ShapeError: `too-deep` or `too-large`.
    """
    stack: list[tuple[Any, int]] = [(value, 0)]
    seen = 0
    while stack:
        item, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise ShapeError("too-deep", "", "nested too deep")
        if seen > MAX_NODES or (isinstance(item, str) and len(item) > MAX_STRING):
            raise ShapeError("too-large", "", "too large")
        if isinstance(item, Mapping):
            stack.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)


def copy_bounded(value: Any) -> Any:
    """A copy of JSON an object at a time, within the bounds of `refuse_huge`.

    Raises:
        ShapeError: `too-deep`, `too-large`, or `json-refused` for what is not JSON.
    """
    return _copy(value, 0, [MAX_NODES])


def _copy(value: Any, depth: int, left: list[int]) -> Any:
    kind = type(value)
    if kind is str:
        if len(value) > MAX_STRING:
            raise ShapeError("too-large", "", "too large")
        return value
    if kind is int or kind is bool or kind is float or value is None:
        return value
    if depth > MAX_DEPTH:
        raise ShapeError("too-deep", "", "nested too deep")
    if kind is not dict and kind is not list and not isinstance(value, Mapping):
        raise ShapeError("json-refused", "", "a value that is not JSON")
    left[0] -= len(value) + 1
    if left[0] < 0:
        raise ShapeError("too-large", "", "too large")
    if kind is list:
        return [_copy(item, depth + 1, left) for item in value]
    return {str(name): _copy(item, depth + 1, left) for name, item in value.items()}
