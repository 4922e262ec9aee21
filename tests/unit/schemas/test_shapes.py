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
from schemas.ids import Did, Iri, digest
from schemas.jsonld import from_jsonld, to_jsonld
from schemas.modes import Mode
from schemas.rdf import to_quads_slow
from schemas.records import (
    Application,
    ApplicationState,
    Attribute,
    Award,
    Consent,
    Credential,
    DataRequest,
    Degree,
    Direction,
    Document,
    Energy,
    ExtensionRecord,
    Extent,
    Frequency,
    Goal,
    GoalMetric,
    GoalPeriod,
    Invoice,
    InvoiceLine,
    Kind,
    Leg,
    Mandate,
    MandateAct,
    NamedPlace,
    Place,
    PlaceRole,
    Preference,
    Record,
    Subscription,
    Tenure,
    Transition,
    Trip,
    Vehicle,
    VehicleType,
    kind_of,
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
    "place": NamedPlace(
        id=_iri("place"),
        role=PlaceRole.HOME,
        lat=43.2,
        lon=2.35,
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
        confirmed_at=NOON,
    ),
    "credential": Credential(
        id=_iri("credential"),
        type="AffiliationCredential",
        issuer="did:web:employeur.example",
        document={"a": [1]},
        received_at=NOON,
    ),
    "document": Document(
        id=_iri("document"),
        title="Facture",
        media_type="application/pdf",
        size=10,
        content=digest(b"x"),
        created_at=NOON,
        about=_iri("invoice"),
    ),
    "application": Application(
        id=_iri("application"),
        aid=_iri("aid"),
        funder="Agglo",
        state=ApplicationState.SUBMITTED,
        period_from=date(2026, 1, 1),
        period_until=date(2026, 12, 31),
        amount=Cents(10_000),
        submitted_at=NOON,
        hub="did:web:guichet.example",
        reasons=("trop tard",),
        history=(Transition(state=ApplicationState.DRAFT, at=NOON, actor="citizen", reason="x"),),
        presentation=digest(b"y"),
    ),
    "award": Award(
        id=_iri("award"),
        application=_iri("application"),
        aid=_iri("aid"),
        amount=Cents(10_000),
        period_from=date(2026, 1, 1),
        period_until=date(2026, 12, 31),
        credential=_iri("credential"),
        awarded_at=NOON,
    ),
    "consent": Consent(
        id=_iri("consent"),
        recipient=Did("did:web:financeur.example"),
        recipient_name="Agglo",
        purpose="FMD",
        claims=("days",),
        kept_back=("places",),
        legal="consentement",
        given_at=NOON,
        expires_at=ONE,
        withdrawn_at=ONE,
        application=_iri("application"),
        presentation=digest(b"z"),
        receipt={"type": "ConsentRecord"},
        frequency=Frequency.MONTH,
        period_from=date(2026, 12, 1),
        period_until=date(2027, 6, 30),
        aid=_iri("aid"),
        grant="ab" * 16,
        paused_at=ONE,
        extent=Extent.SEND,
        ceiling=Cents(30_000),
        standing=_iri("standing"),
    ),
    "extension": ExtensionRecord(
        id=_iri("extension"),
        extension="exemple",
        version=1,
        type="Thing",
        title="Une chose",
        summary="et ce qu'on en dit",
        dated=ONE,
        body={"colour": "vert", "count": 3},
        observations=(_iri("o"),),
    ),
    "vehicle": Vehicle(
        id=_iri("vehicle"),
        label="Vélo du travail",
        vehicle_type=VehicleType.EBIKE,
        energy=Energy.ASSISTED,
        tenure=Tenure.LEASED,
        make="Arcade",
        model="E-Vision",
        identification="BC12345678",
        crit_air="0",
        mass_kg=24,
        first_registered=date(2025, 1, 2),
        owned_from=date(2025, 1, 3),
        owned_until=date(2026, 1, 3),
        invoice=_iri("invoice"),
    ),
    "preference": Preference(
        id=_iri("preference"), name="retention.tracks", value=18, decided_at=NOON
    ),
    "goal": Goal(
        id=_iri("goal"),
        label="Aller au travail à vélo",
        metric=GoalMetric.DISTANCE,
        modes=(Mode.BICYCLE, Mode.EBIKE),
        direction=Direction.AT_LEAST,
        target=40_000,
        period=GoalPeriod.WEEK,
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 12, 31),
    ),
    "mandate": Mandate(
        id=_iri("mandate"),
        delegate=Did("did:web:conseil.example"),
        delegate_name="Maison de la mobilité",
        purpose="Demander une aide",
        acts=(MandateAct.READ, MandateAct.APPLY),
        kinds=(Kind.TRIP, Kind.INVOICE),
        period_from=date(2026, 1, 1),
        period_until=date(2026, 12, 31),
        given_at=NOON,
        expires_at=ONE,
        revoked_at=ONE,
        grant="g1",
        receipt=digest(b"m"),
    ),
    "data request": DataRequest(
        id=_iri("data-request"),
        company="Comuto SA",
        postal_address="84 avenue de la République\n75011 Paris",
        email="dpo@comuto.example",
        directory_entry="blablacar",
        requester="Ana Durand",
        reply_to="ana@example.org",
        known_as="client 12",
        language="en",
        written_at=NOON,
        sent_on=date(2026, 3, 11),
        extended_on=date(2026, 3, 20),
        answered_on=date(2026, 5, 1),
        refused_on=date(2026, 5, 2),
        complained_on=date(2026, 5, 3),
        closed_on=date(2026, 6, 1),
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
    ("place", ("role",), ABSENT),
    ("place", ("lat",), 91),
    ("place", ("radius",), -1),
    ("place", ("firstDay",), "2027-01-01"),
    ("place", ("confirmedAt",), "hier"),
    ("credential", ("document",), ABSENT),
    ("credential", ("issuedBy",), 3),
    ("credential", ("receivedAt",), ABSENT),
    ("document", ("title",), ABSENT),
    ("document", ("size",), -1),
    ("document", ("contentDigest",), "md5:00"),
    ("application", ("state",), "lost"),
    ("application", ("aid",), ABSENT),
    ("application", ("periodFrom",), "2027-01-01"),
    ("application", ("history", 0, "state"), "lost"),
    ("application", ("history", 0, "actor"), ABSENT),
    ("application", ("amount",), "100 €"),
    ("award", ("amount",), -1),
    ("award", ("application",), ABSENT),
    ("award", ("awardedAt",), "demain"),
    ("consent", ("recipient",), "https://financeur.example/"),
    ("consent", ("givenAt",), ABSENT),
    ("consent", ("presentationDigest",), ABSENT),
    ("consent", ("receipt",), ABSENT),
    ("extension", ("extension",), "Exemple"),
    ("extension", ("extensionVersion",), 0),
    ("extension", ("recordType",), "thing"),
    ("extension", ("title",), ABSENT),
    ("extension", ("title",), " "),
    ("extension", ("summary",), "x" * 501),
    ("extension", ("dated",), "demain"),
    ("extension", ("body",), ABSENT),
    ("vehicle", ("vehicleType",), "tank"),
    ("vehicle", ("energy",), ABSENT),
    ("vehicle", ("tenure",), "stolen"),
    ("vehicle", ("critAir",), "6"),
    ("vehicle", ("mass",), -1),
    ("vehicle", ("ownedUntil",), "2024-01-01"),
    ("preference", ("preferenceName",), "Retention Tracks"),
    ("preference", ("value",), ABSENT),
    ("preference", ("decidedAt",), ABSENT),
    ("goal", ("goalMetric",), "glory"),
    ("goal", ("countedModes", 0), "sensed"),
    ("goal", ("target",), -1),
    ("goal", ("direction",), "about"),
    ("goal", ("every",), "decade"),
    ("goal", ("lastDay",), "2025-01-01"),
    ("mandate", ("delegate",), "https://conseil.example/"),
    ("mandate", ("acts",), ABSENT),
    ("mandate", ("acts", 0), "sell"),
    ("mandate", ("kinds", 0), "Diary"),
    ("mandate", ("expiresAt",), "2026-03-10T11:00:00.000Z"),
    ("mandate", ("revokedAt",), "2026-03-10T11:00:00.000Z"),
    ("mandate", ("periodFrom",), "2027-01-01"),
    ("mandate", ("receiptDigest",), "sha256:1"),
    ("data request", ("company",), ABSENT),
    ("data request", ("company",), " "),
    ("data request", ("requester",), ""),
    ("data request", ("letterLanguage",), "de"),
    ("data request", ("writtenAt",), ABSENT),
    ("data request", ("sentOn",), "2026-06-01"),
    ("data request", ("answeredOn",), "2026-03-01"),
    ("data request", ("closedOn",), "demain"),
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


def test_every_kind_has_a_shape_an_example_and_a_fault() -> None:
    kinds = set(Kind) - {Kind.OBSERVATION}
    assert {kind_of(record) for record in RECORDS.values()} == kinds
    assert {name for name, _, _ in FAULTS} == set(RECORDS)
