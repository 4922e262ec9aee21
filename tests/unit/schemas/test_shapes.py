"""SHACL shapes and typed reading agree on what is a record."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyshacl
import pytest
import rdflib

import schemas
from schemas.errors import RdfError, RecordError
from schemas.evidence import Evidence
from schemas.ids import Iri
from schemas.jsonld import from_jsonld, to_jsonld
from schemas.modes import Mode
from schemas.rdf import to_quads_slow
from schemas.records import (
    Attribute,
    Degree,
    Invoice,
    InvoiceLine,
    Leg,
    Place,
    PlaceRole,
    Record,
    Subscription,
    Trip,
)
from schemas.units import Cents, Metres

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ONE = NOON.replace(hour=13)
SHAPES = Path(schemas.__file__).parent / "shapes" / "mobility.ttl"


def _iri(name: str) -> Iri:
    return Iri(f"urn:example:{name}")


RECORDS: dict[str, Record] = {
    "trip": Trip(
        id=_iri("trip"),
        started_at=NOON,
        ended_at=ONE,
        start_zone="Europe/Paris",
        end_zone="Indian/Reunion",
        origin=Place(43.2, 2.35, "Gare", PlaceRole.HOME),
        destination=Place(-21.0, 55.5),
        legs=(
            Leg(
                id=_iri("leg"),
                mode=Mode.TRAIN,
                mode_evidence=Evidence.SENSED,
                distance=Metres(10),
                started_at=NOON,
                ended_at=ONE,
                origin=Place(1.5, 2.5),
            ),
        ),
        distance=Metres(10),
        mode=Mode.TRAIN,
        evidence=Evidence.OPERATOR,
        mode_evidence=Evidence.CONFIRMED,
        purpose="travail",
        replaced_mode=Mode.CAR,
        observations=(_iri("o"),),
        aliases=(_iri("alias"),),
    ),
    "invoice": Invoice(
        id=_iri("invoice"),
        issuer_name="Réseau",
        issuer_siret="12345678901234",
        number="F-1",
        issued_at=NOON,
        total=Cents(-500),
        lines=(InvoiceLine(label="Abonnement", quantity=1, unit_amount=Cents(3000)),),
        period_start=date(2026, 3, 1),
        period_end=date(2026, 3, 31),
        payer="A",
        holder="B",
    ),
    "subscription": Subscription(
        id=_iri("pass"),
        network="Réseau",
        product="Mensuel",
        valid_from=date(2026, 3, 1),
        valid_until=date(2026, 3, 31),
        invoice=_iri("invoice"),
    ),
    "attribute": Attribute(
        id=_iri("attribute"),
        name="identity.family_name",
        value="Durand",
        source="franceconnect",
        certified_at=NOON,
        degree=Degree.RELAYED,
        level="eidas1",
    ),
}

# record, path to the member, its new value (ABSENT removes it)
ABSENT = object()
FAULTS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("trip", ("startedAt",), ABSENT),
    ("trip", ("startedAt",), "2026-03-10T14:00:00.000Z"),
    ("trip", ("endedAt",), "midi"),
    ("trip", ("startZone",), ABSENT),
    ("trip", ("startZone",), "Europe/Paris/../x"),
    ("trip", ("distance",), -1),
    ("trip", ("distance",), "ten"),
    ("trip", ("distance",), ABSENT),
    ("trip", ("mode",), ABSENT),
    ("trip", ("mode",), "sensed"),
    ("trip", ("evidence",), "bus"),
    ("trip", ("modeEvidence",), ABSENT),
    ("trip", ("replacedMode",), "declared"),
    ("trip", ("trackDigest",), "sha256:12"),
    ("trip", ("revision",), "one"),
    ("trip", ("purpose",), 3),
    ("trip", ("origin", "lat"), 91),
    ("trip", ("origin", "lon"), ABSENT),
    ("trip", ("origin", "role"), "castle"),
    ("trip", ("origin", "label"), 5),
    ("trip", ("legs", 0, "mode"), "hover"),
    ("trip", ("legs", 0, "distance"), ABSENT),
    ("trip", ("legs", 0, "endedAt"), "2026-03-10T11:00:00.000Z"),
    ("trip", ("legs", 0, "origin", "lat"), -90.5),
    ("invoice", ("invoiceIssuer",), ABSENT),
    ("invoice", ("invoiceIssuerSiret",), "123"),
    ("invoice", ("issuedAt",), "2026-13-01T00:00:00Z"),
    ("invoice", ("total",), 10.5),
    ("invoice", ("currency",), "euro"),
    ("invoice", ("periodStart",), "2026-04-01"),
    ("invoice", ("evidence",), "certain"),
    ("invoice", ("lines", 0, "unitAmount"), ABSENT),
    ("invoice", ("lines", 0, "quantity"), "one"),
    ("subscription", ("network",), ABSENT),
    ("subscription", ("product",), 3),
    ("subscription", ("firstDay",), "2026-04-01"),
    ("subscription", ("lastDay",), "2026-02-31"),
    ("attribute", ("attributeName",), ABSENT),
    ("attribute", ("value",), ABSENT),
    ("attribute", ("source",), 3),
    ("attribute", ("certifiedAt",), ABSENT),
    ("attribute", ("degree",), "sure"),
]


@pytest.fixture(scope="module")
def shapes() -> Iterator[rdflib.Graph]:
    before, rdflib.NORMALIZE_LITERALS = rdflib.NORMALIZE_LITERALS, False
    yield rdflib.Graph().parse(SHAPES)
    rdflib.NORMALIZE_LITERALS = before


def _conforms(document: dict[str, Any], shapes: rdflib.Graph) -> bool:
    try:
        text = to_quads_slow(document)
    except RdfError:  # a word no term carries is as refused as one no shape allows
        return False
    graph = rdflib.Graph().parse(data=text, format="nt")
    try:
        conforms, _, _ = pyshacl.validate(graph, shacl_graph=shapes)
    except TypeError:  # pyshacl's way of saying that an ill-formed date cannot be compared
        return False
    return bool(conforms)


@pytest.mark.parametrize("name", RECORDS)
def test_what_we_write_conforms(name: str, shapes: rdflib.Graph) -> None:
    document = to_jsonld(RECORDS[name])
    assert from_jsonld(document) == RECORDS[name]
    assert _conforms(document, shapes)


@pytest.mark.filterwarnings("ignore")  # rdflib warns about the very literals under test
@pytest.mark.parametrize(("name", "path", "value"), FAULTS)
def test_shapes_and_types_refuse_the_same(
    name: str, path: tuple[Any, ...], value: Any, shapes: rdflib.Graph
) -> None:
    document = to_jsonld(RECORDS[name])
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    if value is ABSENT:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    with pytest.raises(RecordError):
        from_jsonld(document)
    assert not _conforms(document, shapes)
