"""Records in the formats people and programs ask for: JSON-LD, Turtle, GeoJSON, CSV.

JSON-LD is the record itself; the others are views of it, except Turtle, which is also read: a graph
that says exactly one record, and nothing that record would not say again.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

import pyoxigraph

from schemas.errors import RecordError
from schemas.ids import Iri, node_iri
from schemas.jsonld import CONTEXT_IRI, encode, from_jsonld, to_jsonld
from schemas.members import MAX_INTEGER, RECORD_SHAPES, Member, Shape
from schemas.modes import VOCAB
from schemas.quads import quads
from schemas.records import Kind, NamedPlace, Place, Record, Trip
from schemas.terms import TERMS
from vault.errors import RequestRefusedError

__all__ = [
    "Format",
    "csv_of",
    "geojson_of",
    "jsonld_of",
    "offered",
    "read_turtle",
    "turtle_of",
]

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SHAPE_OF: Final = {TERMS[shape.type].iri: shape for shape in RECORD_SHAPES.values()}
_TERM_OF: Final = {term.iri: term.name for term in TERMS.values()}


class Format(StrEnum):
    """A representation, by its media type."""

    JSON_LD = "application/ld+json"
    JSON = "application/json"
    TURTLE = "text/turtle"
    GEOJSON = "application/geo+json"
    CSV = "text/csv"

    @property
    def short(self) -> str:
        """Its part of a strong ETag: two representations of one state have two tags."""
        return {"text/turtle": "ttl", "application/geo+json": "geo", "text/csv": "csv"}.get(
            self.value, "ld"
        )


def offered(kind: Kind) -> tuple[Format, ...]:
    """What a record of this kind can be had as."""
    all_have = (Format.JSON_LD, Format.JSON, Format.TURTLE, Format.CSV)
    return (*all_have, Format.GEOJSON) if kind in {Kind.TRIP, Kind.PLACE} else all_have


def jsonld_of(records: Iterable[Record]) -> dict[str, Any]:
    """Several records in one document."""
    return {"@context": [CONTEXT_IRI], "records": [to_jsonld(record) for record in records]}


def turtle_of(records: Iterable[Record]) -> bytes:
    """The statements of the records, as `schemas.quads` says them. `extra` is stated in none."""
    lines = "".join(line for record in records for line in quads(record)).encode()
    triples = [quad.triple for quad in pyoxigraph.parse(lines, format=pyoxigraph.RdfFormat.N_QUADS)]
    out = pyoxigraph.serialize(
        triples,
        format=pyoxigraph.RdfFormat.TURTLE,
        prefixes={"mob": VOCAB, "xsd": XSD, "rdf": _RDF, "schema": "https://schema.org/"},
    )
    assert out is not None  # noqa: S101  # no output was given, so the bytes come back
    return out


# --- GeoJSON (RFC 7946) --------------------------------------------------------------------------

Track = Sequence[tuple[Any, float, float]]


def feature_of(record: Record, track: Track = ()) -> dict[str, Any]:
    """A trip or a place as a feature; `track` draws the path instead of the two ends."""
    properties: dict[str, Any]
    geometry: dict[str, Any] | None = None
    if isinstance(record, NamedPlace):
        geometry = {"type": "Point", "coordinates": [record.lon, record.lat]}
        properties = {
            "role": record.role,
            "label": record.label,
            "radius": record.radius,
        }
    else:
        trip = cast(Trip, record)
        ends: list[Place] = [p for p in (trip.origin, trip.destination) if p is not None]
        path = [[lon, lat] for _, lat, lon in track] or [[p.lon, p.lat] for p in ends]
        if len(path) >= 2:
            geometry = {"type": "LineString", "coordinates": path}
        properties = {
            "startedAt": trip.started_at.isoformat(),
            "endedAt": trip.ended_at.isoformat(),
            "mode": trip.mode.value,
            "distance": trip.distance,
            "evidence": trip.evidence.value,
            "modeEvidence": trip.mode_evidence.value,
        }
    return {"type": "Feature", "id": record.id, "geometry": geometry, "properties": properties}


def geojson_of(records: Iterable[Record]) -> bytes:
    """A feature collection of trips or places."""
    return encode({"type": "FeatureCollection", "features": [feature_of(r) for r in records]})


# --- CSV (RFC 4180) ------------------------------------------------------------------------------

TRIP_COLUMNS: Final = (
    "id",
    "started_at",
    "ended_at",
    "zone",
    "mode",
    "distance_m",
    "purpose",
    "evidence",
    "mode_evidence",
)


def cell(value: object) -> object:
    """A text that begins like a formula is not one: spreadsheets run what starts with = + - @."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return value


def trip_row(trip: Trip) -> list[object]:
    """A trip under `TRIP_COLUMNS`."""
    return [
        trip.id,
        trip.started_at.isoformat(),
        trip.ended_at.isoformat(),
        trip.start_zone,
        trip.mode.value,
        trip.distance,
        cell(trip.purpose or ""),
        trip.evidence.value,
        trip.mode_evidence.value,
    ]


def csv_of(kind: Kind, records: Sequence[Record]) -> bytes:
    """One line a record: trips as the archive writes them; other kinds by their members, nested
    ones as JSON."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if kind is Kind.TRIP:
        writer.writerow(TRIP_COLUMNS)
        for record in records:
            writer.writerow(trip_row(cast(Trip, record)))
        return out.getvalue().encode()
    shape = next(s for s in RECORD_SHAPES.values() if s.type == kind.value)
    columns = ["id", *(member.term for member in shape.members)]
    writer.writerow(columns)
    for record in records:
        said = to_jsonld(record)
        writer.writerow([cell(_flat(said.get(name, ""))) for name in columns])
    return out.getvalue().encode()


def _flat(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


# --- reading Turtle ------------------------------------------------------------------------------


def read_turtle(data: bytes, iri: Iri | None) -> Record:
    """The record a Turtle document states, under `iri` if that is known.

    Steps: (1) parse, with no base and no way out, (2) the node, its type one of our kinds, (3) its
    members by their predicates, nested nodes under the ids they derive, (4) the typed record must
    state exactly what the document states.

    Raises:
        RequestRefusedError: not Turtle.
        RecordError: not one record of ours, or it says more than the record.
    """
    try:  # 1
        stated = [
            pyoxigraph.Triple(quad.subject, quad.predicate, quad.object)
            for quad in pyoxigraph.parse(data, format=pyoxigraph.RdfFormat.TURTLE)
        ]
    except (SyntaxError, ValueError) as error:
        raise RequestRefusedError("not Turtle", where="body") from error
    graph: dict[tuple[str, str], list[Any]] = {}
    for triple in stated:
        if not isinstance(triple.subject, pyoxigraph.NamedNode):
            raise RecordError("a node without a name")
        graph.setdefault((triple.subject.value, triple.predicate.value), []).append(triple.object)
    roots = [  # 2
        (subject, shape)
        for (subject, predicate), objects in graph.items()
        if predicate == _RDF + "type"
        for shape in [_SHAPE_OF.get(getattr(objects[0], "value", ""))]
        if shape is not None and len(objects) == 1 and iri in (None, subject)
    ]
    if len(roots) != 1:
        raise RecordError("not one record of ours", where="/type")
    root, shape = roots[0]
    document = {"@context": [CONTEXT_IRI], **_node(graph, shape, root)}  # 3
    record = from_jsonld(document)
    own = {
        quad.triple
        for line in quads(record)
        for quad in pyoxigraph.parse(line.encode(), format=pyoxigraph.RdfFormat.N_QUADS)
    }
    if own != set(stated):  # 4
        raise RecordError("states what this kind of record does not, or in another form")
    return record


def _node(graph: Mapping[tuple[str, str], list[Any]], shape: Shape, iri: str) -> dict[str, Any]:
    out: dict[str, Any] = {"id": iri, "type": shape.type}
    for member in shape.members:
        found = graph.get((iri, member.predicate[1:-1]), [])
        if not found:
            continue
        if member.shape is not None and not member.shape.plain:
            names = {getattr(value, "value", "") for value in found}
            out[member.term] = _children(graph, member, member.shape, iri, names)
            continue
        values = sorted((_json(value) for value in found), key=str)
        out[member.term] = values if member.many else values[0]
    return out


def _children(
    graph: Mapping[tuple[str, str], list[Any]],
    member: Member,
    shape: Shape,
    parent: str,
    names: set[str],
) -> Any:
    if not member.many:
        return _node(graph, shape, next(iter(names)))
    ordered: list[str] = [
        name
        for index in range(len(names))
        if (name := node_iri(parent, f"{member.term}/{index}")) in names
    ]
    ordered += sorted(names - set(ordered))  # nodes with an id of their own
    return [_node(graph, shape, name) for name in ordered]


def _number(text: str) -> int | float:
    """RFC 8785 writes a large double without a point: beyond I-JSON's integers it is one."""
    found = int(text[:400])
    return found if abs(found) <= MAX_INTEGER else float(text)


def _json(value: Any) -> Any:
    """A literal or a name as our JSON writes it; step 4 sees to it that nothing is lost."""
    if isinstance(value, pyoxigraph.NamedNode):
        concept = _TERM_OF.get(value.value)
        return concept if concept is not None else value.value
    if not isinstance(value, pyoxigraph.Literal):
        raise RecordError("a node without a name")
    text, datatype = value.value, value.datatype.value
    try:
        if datatype == XSD + "integer":
            return int(text[:20])
        if datatype == XSD + "double":
            return float(text)
        if datatype == XSD + "boolean":
            return text == "true"
        if datatype == _RDF + "JSON":
            return json.loads(text, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise RecordError("not a value of its type") from error
    return text
