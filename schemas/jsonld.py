"""Records and observations to and from JSON-LD, and JSON from strangers.

`to_jsonld` writes one form only, so equal records are equal bytes. `from_jsonld` is strict about
what it knows and keeps what it does not know (`extra`), by value. What starts with `@` is refused
below the top: it could change what the rest means.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from pydantic_core import from_json

from .errors import JsonRefusedError, RecordError
from .ids import Iri, node_iri, parse_iri
from .members import (
    DEPOSITABLE,
    DOCUMENT_OBSERVATION_TYPE,
    MAX_INTEGER,
    OBSERVATION_SHAPES,
    RECORD_SHAPES,
    Shape,
    _instant,
    _text,
    instant_text,
)
from .modes import VOCAB
from .observations import DocumentObservation, Observation
from .readers import read_top
from .records import Record
from .terms import CONTEXT_IRI

MAX_DEPTH: Final = 32
_BY_TYPE: Final = {shape.type: shape for shape in RECORD_SHAPES.values()}
_OBSERVATION_BY_TYPE: Final = {shape.type: shape for shape in OBSERVATION_SHAPES.values()}


_ABSENT: Final = object()


# --- JSON from strangers -----------------------------------------------------------------------

_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 16
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STEP: Final = [1 if byte in b"[{" else -1 for byte in range(256)]
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))


def parse_json(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """Parse JSON nobody vouches for.

    Raises:
        JsonRefusedError: over `max_bytes`; not UTF-8; not JSON; nested deeper than `max_depth`;
            one name twice in an object; `NaN`, `Infinity`, or a number beyond I-JSON (RFC 7493);
            half a surrogate pair.
    """
    if len(data) > max_bytes:
        raise JsonRefusedError(f"more than {max_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefusedError("not UTF-8", where=f"byte {error.start}") from None
    _check_depth(data, text, max_depth)
    try:
        # Fifteen digits are always within I-JSON: only longer numbers are looked at one by one.
        value = (_CAREFUL if _has_long_number(data) else _QUICK).decode(text)
    except json.JSONDecodeError as error:
        raise JsonRefusedError("not JSON", where=f"byte {error.pos}") from None
    except RecursionError:
        raise JsonRefusedError("nested too deep") from None
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise JsonRefusedError("text with half a surrogate pair") from None
    return value


def _has_long_number(data: bytes) -> bool:
    """Whether sixteen digits stand side by side; thirty times faster than an expression."""
    return _LONG_NUMBER in data.translate(_DIGITS)


def _check_depth(data: bytes, text: str, limit: int) -> None:
    """Refuse before the parser recurses. Brackets inside strings are skipped.

    First the quick way, at most some 50 ms for a megabyte of brackets: only what may be too deep is
    walked, to say where.
    """
    if text.count("[") + text.count("{") <= limit:
        return
    left = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, left)), default=0) <= limit:
        return
    depth, position, end = 0, 0, len(text)
    while position < end:
        character = text[position]
        if character == '"':
            position += 1
            while position < end and text[position] != '"':
                position += 2 if text[position] == "\\" else 1
        elif character in "[{":
            depth += 1
            if depth > limit:
                raise JsonRefusedError(f"nested deeper than {limit}", where=f"byte {position}")
        elif character in "]}":
            depth -= 1
        position += 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefusedError("one name twice in an object")
    return found


def _constant(name: str) -> Any:
    raise JsonRefusedError(f"{name} is not JSON")


def _float(text: str) -> float:
    found = float(text)
    if found - found:  # infinity less itself is no number, and no zero
        raise JsonRefusedError("a number that is too large")
    return found


def _int(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise JsonRefusedError("an integer beyond 2^53")
    return int(text)


_QUICK: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
)
_CAREFUL: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode(document: Mapping[str, Any]) -> bytes:
    """The bytes a document is stored and deposited as: UTF-8 JSON, no spaces, members as they are.

    Raises:
        RecordError: NaN, infinities or half surrogate pairs somewhere inside.
    """
    try:
        return _ENCODER.encode(document).encode()
    except (ValueError, TypeError) as error:  # UnicodeEncodeError is a ValueError
        raise RecordError("not JSON that can be written") from error


# --- writing -----------------------------------------------------------------------------------


def write_node(shape: Shape, node: Any, iri: str) -> dict[str, Any]:
    document: dict[str, Any] = {} if shape.plain else {"id": iri, "type": shape.type}
    for member in shape.members:
        value = getattr(node, member.attribute)
        if value is None or (member.many and not value):
            continue
        document[member.term] = _write_member(member, value, iri)
    if shape.has_extra:
        for name, value in node.extra.items():
            document.setdefault(name, value)
    return document


def _write_member(member: Any, value: Any, iri: str) -> Any:
    if member.shape is None:
        if member.many:
            return [member.codec.write(item) for item in value]
        return member.codec.write(value)
    if member.many:
        return [
            write_node(member.shape, item, child_iri(item, iri, f"{member.term}/{index}"))
            for index, item in enumerate(value)
        ]
    return write_node(member.shape, value, child_iri(value, iri, member.term))


def child_iri(node: Any, parent: str, path: str) -> str:
    """The id of a nested node: its own, else derived from the parent's id and the path."""
    own = getattr(node, "id", None)
    return own if own is not None else node_iri(parent, path)


def to_jsonld(record: Record) -> dict[str, Any]:
    """`record` as compact JSON-LD with our context; every node has an id."""
    shape = RECORD_SHAPES[type(record)]
    return {"@context": [CONTEXT_IRI], **write_node(shape, record, record.id)}


_OWN: Final = frozenset({"id", "type"})


def to_stored(record: Record) -> dict[str, Any]:
    """`to_jsonld` without what follows from the rest: ids of nested nodes that are derived from the
    record's, and their types. `from_jsonld` reads both the same; a trip is half as long."""
    shape = RECORD_SHAPES[type(record)]
    return {"@context": [CONTEXT_IRI], **_short(shape, record, record.id, top=True)}


def _short(shape: Shape, node: Any, iri: str, *, top: bool = False) -> dict[str, Any]:
    document: dict[str, Any] = {"id": iri, "type": shape.type} if top else {}
    for member in shape.members:
        value = getattr(node, member.attribute)
        if value is None or (member.many and not value):
            continue
        if member.shape is None:
            document[member.term] = _write_member(member, value, iri)
        elif member.many:
            document[member.term] = [
                _short_child(member.shape, item, iri, f"{member.term}/{index}")
                for index, item in enumerate(value)
            ]
        else:
            document[member.term] = _short_child(member.shape, value, iri, member.term)
    if shape.has_extra:
        for name, value in node.extra.items():
            if shape.plain or name not in _OWN:
                document.setdefault(name, value)
    return document


def _short_child(shape: Shape, node: Any, parent: str, path: str) -> dict[str, Any]:
    if shape.plain or not (shape.has_id or shape.nests):
        return _short(shape, node, "")
    derived = node_iri(parent, path)
    iri = node.id if shape.has_id else derived
    document = _short(shape, node, iri)
    return document if iri == derived else {"id": iri, **document}


# --- reading -----------------------------------------------------------------------------------


def _read(shape: Shape, document: object, parent: str, path: str, top: bool) -> Any:
    if not isinstance(document, dict):
        raise RecordError("not an object")
    values: dict[str, Any] = {}
    iri = ""
    if not shape.plain:
        if "type" in document or top:
            _check_type(shape, document.get("type"))
        iri = _read_id(shape, document, parent, path, top)
        if shape.has_id:
            values["id"] = iri
    for member in shape.members:
        value = document.get(member.term, _ABSENT)
        if value is _ABSENT:
            if member.required:
                raise RecordError("missing", where=_pointer(member.term))
            continue
        try:
            if member.codec is not None and not member.many:
                values[member.attribute] = member.codec.read(value)
            else:
                values[member.attribute] = _read_member(member, value, iri)
        except RecordError as error:
            raise error.under(_pointer(member.term)) from None
    if not document.keys() <= (shape.terms_at_top if top else shape.terms):
        extra = {name: value for name, value in document.items() if name not in shape.terms}
        if top:
            extra.pop("@context", None)
        for name in extra:
            if name.startswith("@"):
                raise RecordError("not allowed here", where=_pointer(name))
            if not shape.has_extra:
                raise RecordError("unknown member", where=_pointer(name))
        if shape.has_extra:
            values["extra"] = extra
    try:
        return shape.cls(**values)
    except RecordError as error:
        raise RecordError(error.reason, where=_in_terms(shape, error.where or "")) from None


def _read_top(shape: Shape, document: dict[str, Any]) -> Any:
    """The quick way first; what it does not take is walked, so that a fault is named."""
    try:
        return read_top(shape, document)
    except Exception:  # a compiled reader says no in any way it likes
        return _read(shape, document, "", "", top=True)


def _in_terms(shape: Shape, where: str) -> str:
    """A fault the dataclass found, with the JSON name of the attribute it names."""
    for member in shape.members:
        if where == f"/{member.attribute}":
            return _pointer(member.term)
    return where


def _check_type(shape: Shape, value: object) -> None:
    if value != shape.type:
        raise RecordError(f"not {shape.type}", where="/type")


def _read_id(shape: Shape, document: dict[str, Any], parent: str, path: str, top: bool) -> str:
    if not (top or shape.has_id or shape.nests or "id" in document):
        return ""  # nobody asks
    derived = "" if top else node_iri(parent, path)
    if "id" not in document:
        if top:
            raise RecordError("missing", where="/id")
        return derived
    iri = parse_iri(document["id"], where="/id")
    if not shape.has_id and iri != derived:
        raise RecordError("not the id this node has in its record", where="/id")
    return iri


def _read_member(member: Any, value: Any, iri: str) -> Any:
    if not member.many:
        if member.shape is None:
            return member.codec.read(value)
        return _read(member.shape, value, iri, member.term, top=False)
    if not isinstance(value, list):
        raise RecordError("not a list")
    items = []
    for index, item in enumerate(value):
        try:
            if member.shape is None:
                items.append(member.codec.read(item))
            else:
                items.append(_read(member.shape, item, iri, f"{member.term}/{index}", top=False))
        except RecordError as error:
            raise error.under(f"/{index}") from None
    return tuple(items)


def _pointer(name: str) -> str:
    """One step of a JSON pointer (RFC 6901); names of strangers are cut, never echoed at length."""
    return "/" + name.replace("~", "~0").replace("/", "~1")[:64]


def _envelope(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise RecordError("not an object")
    if document.get("@context") != [CONTEXT_IRI]:
        raise RecordError(f'not ["{CONTEXT_IRI}"]', where="/@context")
    return document


def from_jsonld(document: Mapping[str, Any]) -> Record:
    """The record `document` says.

    Raises:
        RecordError: with the JSON pointer of the first fault in `where`.
    """
    found = _envelope(document)
    type_ = found.get("type")
    shape = _BY_TYPE.get(type_) if isinstance(type_, str) else None
    if shape is None:
        raise RecordError("no kind of record", where="/type")
    record: Record = _read_top(shape, found)
    return record


# --- observations ------------------------------------------------------------------------------


def observation_to_json(observation: Observation) -> dict[str, Any]:
    """`observation` as JSON-LD with our context; nested parts are `rdf:JSON` values."""
    if isinstance(observation, DocumentObservation):
        document: dict[str, Any] = {
            "@context": [CONTEXT_IRI],
            "id": observation.id,
            "type": DOCUMENT_OBSERVATION_TYPE,
            "source": observation.source,
            "account": observation.account,
        }
        if observation.written_at is not None:
            document["writtenAt"] = instant_text(observation.written_at)
        document["deposited"] = to_jsonld(observation.record)
        return document | {k: v for k, v in observation.extra.items() if k not in document}
    shape = OBSERVATION_SHAPES[type(observation)]
    return {"@context": [CONTEXT_IRI], **write_node(shape, observation, observation.id)}


_DOCUMENT_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "source", "account", "writtenAt", "deposited"}
)


def parse_observation(document: Mapping[str, Any]) -> Observation:
    """The observation `document` says.

    Raises:
        RecordError: with the JSON pointer of the first fault in `where`.
    """
    found = _envelope(document)
    type_ = found.get("type")
    if type_ == DOCUMENT_OBSERVATION_TYPE:
        return _parse_document_observation(found)
    shape = _OBSERVATION_BY_TYPE.get(type_) if isinstance(type_, str) else None
    if shape is None:
        raise RecordError("no kind of observation", where="/type")
    observation: Observation = _read_top(shape, found)
    return observation


def read_observation(data: bytes, *, max_bytes: int) -> Observation:
    """The observation these bytes say; as `parse_json` and `parse_observation`, three times faster
    where a source writes as most do.

    Raises:
        JsonRefusedError, RecordError: as those.
    """
    found = _read_quickly(data) if len(data) <= max_bytes else None
    return parse_observation(parse_json(data, max_bytes=max_bytes)) if found is None else found


def _read_quickly(data: bytes) -> Observation | None:
    """None: to be read with care.

    A compiled reader takes no member it does not know, no number beyond its bounds and nothing
    nested deeper than its shape. What is left to see is a name that stands twice in an object: then
    there are more names in the text than members in the objects. A name is what stands before `":`,
    and nothing else does, where no quote is escaped and none is followed by white space.
    """
    if b"\\" in data or b"\n" in data or b"\r" in data or b"\t" in data:
        return None
    if b" " in data and b'" ' in data:
        return None
    try:
        document = from_json(data, allow_inf_nan=False, cache_strings="keys")
        if document["@context"] != [CONTEXT_IRI]:
            return None
        seen: list[int] = []
        found: Observation = read_top(_OBSERVATION_BY_TYPE[document["type"]], document, seen)
    except Exception:  # a compiled reader says no in any way it likes
        return None
    return found if sum(seen) == data.count(b'":') else None


def _parse_document_observation(found: dict[str, Any]) -> DocumentObservation:
    extra = {name: value for name, value in found.items() if name not in _DOCUMENT_MEMBERS}
    for name in extra:
        if name.startswith("@"):
            raise RecordError("not allowed here", where=_pointer(name))
    for name in ("id", "source", "account", "deposited"):
        if name not in found:
            raise RecordError("missing", where=_pointer(name))
    values: dict[str, Any] = {}
    for name in ("source", "account", "writtenAt", "deposited"):
        if name not in found:
            continue
        try:
            if name == "deposited":
                record = from_jsonld(found[name])
                if not isinstance(record, DEPOSITABLE):
                    raise RecordError("not a kind sources deposit", where="/type")
                values["record"] = record
            elif name == "writtenAt":
                values["written_at"] = _instant(found[name])
            else:
                values[name] = _text(found[name])
        except RecordError as error:
            raise error.under(_pointer(name)) from None
    return DocumentObservation(id=parse_iri(found["id"], where="/id"), extra=extra, **values)


def with_id(record: Record, iri: Iri) -> Record:
    """The same record under another IRI (nested ids follow on writing)."""
    return replace(record, id=iri)


def is_type(document: Mapping[str, Any], name: str) -> bool:
    """Whether a JSON-LD document says it is a `name`."""
    types = document.get("type")
    return name == types or (isinstance(types, Sequence) and name in types)


__all__ = [
    "CONTEXT_IRI",
    "MAX_DEPTH",
    "VOCAB",
    "encode",
    "from_jsonld",
    "is_type",
    "observation_to_json",
    "parse_json",
    "parse_observation",
    "read_observation",
    "to_jsonld",
    "to_stored",
    "with_id",
]
