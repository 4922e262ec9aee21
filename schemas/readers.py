"""Readers compiled per shape: what `jsonld.py` reads by walking, four times as fast.

A compiled reader is an optimist: it takes a document that says nothing unusual (no unknown member,
no id where one follows from the record's) and raises anything at all for every other one, which is
then walked, and refused by name or read. So a fault has one wording, and a reader that is too
strict is slow, never wrong; that both read the same is a property test.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, Final

from .ids import node_iri, parse_iri
from .making import open_class
from .members import (
    BOOLEAN,
    DOUBLE,
    INSTANT,
    INTEGER,
    MAX_INTEGER,
    MAX_TEXT,
    TEXT,
    Codec,
    Member,
    Shape,
    _instant,
    _text,
)
from .observations import LegObservation, ModeClaim, TripObservation
from .records import Place, utc, zone

Reader = Callable[[Any, str, int, list[int]], Any]
"""(document, IRI of the node, members it has besides its shape's, how many members the objects had
that were read so far) → the typed node."""
_MAX_INSTANTS: Final = 4096


class _UnusualError(Exception):
    """Walk it."""


class _Instants(dict[str, datetime]):
    """Instants by their text: a leg ends when the next one starts."""

    def __missing__(self, text: str) -> datetime:
        found = utc(_instant(text))
        if len(self) >= _MAX_INSTANTS:
            self.clear()
        self[text] = found
        return found


_INSTANTS: Final = _Instants()

_CHECKS: Final[dict[type, tuple[str, ...]]] = {
    Place: ("if not (-90.0 <= o.lat <= 90.0 and -180.0 <= o.lon <= 180.0 and o.lat and o.lon):",),
    ModeClaim: ("if o.confidence is not None and not 0.0 <= o.confidence <= 1.0:",),
    LegObservation: (
        "if o.ended_at < o.started_at:",
        "if o.distance is not None and o.distance < 0:",
    ),
    TripObservation: (
        "if o.ended_at < o.started_at:",
        "if o.distance is not None and o.distance < 0:",
        "if not (zone(o.start_zone) and zone(o.end_zone)):",
    ),
}
"""Where a node is unusual, by class: no less strict than the class itself, whose own look is then
left out. Instants are read in UTC and whole milliseconds."""

_READERS: Final[dict[int, Reader]] = {}
"""By the shape's identity: shapes are constants, and comparing one looks at all it holds."""


def reader_of(shape: Shape) -> Reader:
    """The compiled reader of a shape."""
    found = _READERS.get(id(shape))
    if found is None:
        found = _READERS[id(shape)] = _compile(shape)
    return found


def _compile(shape: Shape) -> Reader:
    names: dict[str, Any] = {
        "MAX_INTEGER": MAX_INTEGER,
        "MAX_TEXT": MAX_TEXT,
        "Unusual": _UnusualError,
        "cls": shape.cls,
        "instants": _INSTANTS,
        "node_iri": node_iri,
        "parse_iri": parse_iri,
        "text": _text,
        "open": open_class(shape.cls),
        "zone": zone,
    }
    defaults = {f.name: f for f in fields(shape.cls)}
    lines = ["def read(d, iri, n, seen):"]
    values = {"id": "iri"} if shape.has_id else {}
    required = 0
    for number, member in enumerate(shape.members):
        name = f"v{number}"
        values[member.attribute] = name
        steps = _steps(member, name, names, number)
        if member.required:
            required += 1
            lines.append(f"  {name} = d[{member.term!r}]")
            lines += [f"  {step}" for step in steps]
            continue
        field = defaults[member.attribute]
        default = None if field.default is MISSING else field.default
        names[f"default{number}"] = default
        lines.append(f"  {name} = d.get({member.term!r})")
        lines.append(f"  if {name} is None: {name} = default{number}")
        lines.append("  else:")
        lines.append("    n += 1")
        lines += [f"    {step}" for step in steps]
    lines.append(f"  n += {required}")
    lines.append("  if len(d) != n: raise Unusual")
    lines.append("  seen.append(n)")
    lines += _making(shape, values)
    exec("\n".join(lines), names)  # noqa: S102  # source made of our own shapes alone
    made: Reader = names["read"]
    return made


def _making(shape: Shape, values: dict[str, str]) -> list[str]:
    """Lines that make and give back the node of these values, by attribute."""
    if shape.cls not in _CHECKS:
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        return [f"  return cls({given})"]
    if shape.has_extra:
        values["extra"] = "{}"
    lines = ["  o = open()", *(f"  o.{name} = {value}" for name, value in values.items())]
    for unusual in _CHECKS[shape.cls]:
        lines += [f"  {unusual}", "    raise Unusual"]
    return [*lines, "  o.__class__ = cls", "  return o"]


def _steps(member: Member, name: str, names: dict[str, Any], number: int) -> list[str]:
    """Lines that turn JSON in `name` into its value."""
    is_list = f"if {name}.__class__ is not list: raise Unusual"
    if member.codec is not None:
        names[f"read{number}"] = member.codec.read
        if member.many:
            return [is_list, f"{name} = tuple([read{number}(item) for item in {name}])"]
        return _value(member.codec, name, number)
    shape = member.shape
    assert shape is not None  # noqa: S101  # a member has a codec or a shape
    names[f"read{number}"] = reader_of(shape)
    if shape.plain or not (shape.has_id or shape.nests):
        one = "read{0}({1}, '', 0, seen)"
    elif member.many:
        one = "read{0}({1}, node_iri(iri, f'{2}/{{i}}'), 0, seen)"
    else:
        one = "read{0}({1}, node_iri(iri, {2!r}), 0, seen)"
    if member.many:
        each = one.format(number, "item", member.term)
        return [is_list, f"{name} = tuple([{each} for i, item in enumerate({name})])"]
    return [f"{name} = {one.format(number, name, member.term)}"]


def _value(codec: Codec, name: str, number: int) -> list[str]:
    if codec is TEXT:
        return [
            f"if {name}.__class__ is not str or len({name}) > MAX_TEXT or not {name}.isascii():",
            f"  {name} = text({name})",
        ]
    if codec is INTEGER:
        return [
            f"if {name}.__class__ is not int or not -MAX_INTEGER <= {name} <= MAX_INTEGER:",
            "  raise Unusual",
        ]
    if codec is DOUBLE:
        return [f"if {name}.__class__ is not float: {name} = read{number}({name})"]
    if codec is BOOLEAN:
        return [f"if {name}.__class__ is not bool: raise Unusual"]
    if codec is INSTANT:
        return [f"{name} = instants[{name}]"]
    return [f"{name} = read{number}({name})"]


def read_top(shape: Shape, document: dict[str, Any], seen: list[int] | None = None) -> Any:
    """The record or observation a whole document of this shape says. `seen` takes how many members
    each of its objects has.

    Raises:
        Exception: of any type: the document has to be walked.
    """
    if document.get("type") != shape.type or "@context" not in document:
        raise _UnusualError
    return reader_of(shape)(document, parse_iri(document["id"]), 3, [] if seen is None else seen)


__all__ = ["read_top"]
