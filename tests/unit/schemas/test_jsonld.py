"""Strict reading, unknown members kept, hostile JSON refused with its place."""

import copy
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.errors import JsonRefusedError, RecordError
from schemas.evidence import Evidence
from schemas.ids import Digest, Iri, digest, digest_text, mint_iri, parse_digest, parse_iri
from schemas.jsonld import (
    CONTEXT_IRI,
    encode,
    from_jsonld,
    observation_to_json,
    parse_json,
    parse_observation,
    to_jsonld,
)
from schemas.modes import Mode
from schemas.observations import (
    CitizenObservation,
    DocumentObservation,
    ModeClaim,
    Suppression,
    TrackPoint,
)
from schemas.quads import quads
from schemas.records import (
    Attribute,
    Invoice,
    InvoiceLine,
    Leg,
    NamedPlace,
    Place,
    PlaceRole,
    Subscription,
    Trip,
    kind_of,
    main_mode,
    starts_at,
    utc,
)
from schemas.units import Cents, GramsCO2e, Metres, format_amount, format_distance, format_emission

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TRIP = Trip(
    id=Iri("urn:uuid:9b2f7f0e-4a3e-4f0e-8a51-0f3f3a6a2b11"),
    started_at=NOON,
    ended_at=NOON.replace(hour=13),
    start_zone="Europe/Paris",
    end_zone="Europe/Paris",
    origin=Place(43.2, 2.35, "Gare"),
    destination=None,
    legs=(
        Leg(
            id=Iri("urn:uuid:9b2f7f0e-4a3e-4f0e-8a51-0f3f3a6a2b12"),
            mode=Mode.BICYCLE,
            mode_evidence=Evidence.SENSED,
            distance=Metres(4000),
            started_at=NOON,
            ended_at=NOON.replace(hour=13),
        ),
    ),
    distance=Metres(4000),
    mode=Mode.BICYCLE,
    evidence=Evidence.SENSED,
    mode_evidence=Evidence.SENSED,
)


def test_the_form_of_a_trip_is_frozen() -> None:
    assert encode(to_jsonld(TRIP)).decode() == (
        '{"@context":["https://w3id.org/mobility-vault/v1"],'
        '"id":"urn:uuid:9b2f7f0e-4a3e-4f0e-8a51-0f3f3a6a2b11","type":"Trip","revision":1,'
        '"startedAt":"2026-03-10T12:00:00.000Z","endedAt":"2026-03-10T13:00:00.000Z",'
        '"startZone":"Europe/Paris","endZone":"Europe/Paris",'
        '"origin":{"id":"urn:uuid:5e135a1e-76cf-5744-bb8b-7be504beea7c","type":"Place",'
        '"lat":43.2,"lon":2.35,"label":"Gare"},'
        '"legs":[{"id":"urn:uuid:9b2f7f0e-4a3e-4f0e-8a51-0f3f3a6a2b12","type":"Leg",'
        '"mode":"bicycle","modeEvidence":"sensed","distance":4000,'
        '"startedAt":"2026-03-10T12:00:00.000Z","endedAt":"2026-03-10T13:00:00.000Z"}],'
        '"distance":4000,"mode":"bicycle","evidence":"sensed","modeEvidence":"sensed"}'
    )


def test_unknown_members_are_kept_where_they_stood() -> None:
    document = to_jsonld(TRIP)
    document["weather"] = {"rain": [1, None, "très"], "@id": "kept as it is"}
    document["legs"][0]["lane"] = False
    document["origin"]["floor"] = 3
    record = from_jsonld(document)
    assert isinstance(record, Trip)
    assert to_jsonld(record) == document
    assert record.legs[0].extra == {"lane": False}
    assert quads(record) == quads(TRIP)


BROKEN: list[tuple[str, Any, str]] = [
    ("/@context", ["https://example.org"], "/@context"),
    ("/@context", CONTEXT_IRI, "/@context"),
    ("/type", "Voyage", "/type"),
    ("/type", None, "/type"),
    ("/id", "relative", "/id"),
    ("/id", 3, "/id"),
    ("/id", "urn:a b", "/id"),
    ("/startedAt", "2026-03-10T12:00:00", "/startedAt"),
    ("/startedAt", "2026-02-30T12:00:00Z", "/startedAt"),
    ("/startedAt", 1773144000, "/startedAt"),
    ("/startedAt", "0001-01-01T00:00:00+14:00", "/startedAt"),
    ("/endedAt", "2026-03-10T11:00:00Z", "/endedAt"),
    ("/startZone", "../etc/passwd", "/startZone"),
    ("/startZone", "Europe/Nowhere", "/startZone"),
    ("/distance", 4000.0, "/distance"),
    ("/distance", -1, "/distance"),
    ("/distance", True, "/distance"),
    ("/distance", 2**60, "/distance"),
    ("/mode", "hoverboard", "/mode"),
    ("/evidence", "certain", "/evidence"),
    ("/purpose", None, "/purpose"),
    ("/purpose", "\ud800", "/purpose"),
    ("/purpose", "x" * 20_001, "/purpose"),
    ("/origin/lat", 91, "/origin/lat"),
    ("/origin/lat", float("nan"), "/origin/lat"),
    ("/origin/lon", "2.35", "/origin/lon"),
    ("/origin/role", "castle", "/origin/role"),
    ("/origin/id", "urn:uuid:another", "/origin/id"),
    ("/origin/type", "Trip", "/origin/type"),
    ("/origin/@graph", [], "/origin/@graph"),
    ("/legs", {}, "/legs"),
    ("/legs/0/mode", "", "/legs/0/mode"),
    ("/legs/0", 7, "/legs/0"),
    ("/observations", ["urn:o:1", "nonsense"], "/observations/1"),
    ("/trackDigest", "sha256:ABC", "/trackDigest"),
    ("/@reverse", {}, "/@reverse"),
]


@pytest.mark.parametrize(("pointer", "value", "where"), BROKEN)
def test_a_fault_is_refused_and_named(pointer: str, value: Any, where: str) -> None:
    document = copy.deepcopy(to_jsonld(TRIP))
    node: Any = document
    *path, last = pointer[1:].split("/")
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    with pytest.raises(RecordError) as caught:
        from_jsonld(document)
    assert caught.value.where == where
    assert caught.value.code == "record-invalid"


@pytest.mark.parametrize("name", ["id", "type", "startedAt", "distance", "mode", "evidence"])
def test_a_missing_member_is_named(name: str) -> None:
    document = to_jsonld(TRIP)
    del document[name]
    with pytest.raises(RecordError) as caught:
        from_jsonld(document)
    assert caught.value.where == f"/{name}"


@pytest.mark.parametrize("document", [None, [], "Trip", 3])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(RecordError):
        from_jsonld(document)
    with pytest.raises(RecordError):
        parse_observation(document)


def test_instants_are_read_by_value_and_written_in_one_way() -> None:
    document = to_jsonld(TRIP) | {"startedAt": "2026-03-10t13:00:00.0009999+01:00"}
    record = from_jsonld(document)
    assert to_jsonld(record)["startedAt"] == "2026-03-10T12:00:00.000Z"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":[-1E+999]}',
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"\xff",
        b"",
        b"{",
        b"<html></html>",
        b'{"a":12345678901234567890}',
        b'"\\ud800"',
        b"x" * 2_000_001,
    ],
)
def test_hostile_json_is_refused(data: bytes) -> None:
    with pytest.raises(JsonRefusedError) as caught:
        parse_json(data, max_bytes=2_000_000)
    assert caught.value.code == "json-refused"


def test_honest_json_passes() -> None:
    text = '{"a":["]]]]","\\"[[[", {"b": [1, -2.5, null, true, "\\ud83d\\ude00"]}]}'
    assert parse_json(text.encode(), max_bytes=1000, max_depth=4) == json.loads(text)
    wide = json.dumps([[1]] * 1000).encode()
    assert len(parse_json(wide, max_bytes=10_000, max_depth=2)) == 1000
    with pytest.raises(JsonRefusedError):
        parse_json(wide, max_bytes=10_000, max_depth=1)


def test_what_cannot_be_written_is_refused() -> None:
    for value in (float("nan"), "\ud800", object()):
        with pytest.raises(RecordError):
            encode({"a": value})


@pytest.mark.parametrize(
    ("member", "value", "where"),
    [
        ("modeClaims", [{"mode": "bus"}], "/modeClaims/0/by"),
        ("modeClaims", [{"mode": "bus", "by": "me"}], "/modeClaims/0/by"),
        (
            "modeClaims",
            [{"mode": "bus", "by": "person", "confidence": 2}],
            "/modeClaims/0/confidence",
        ),
        ("modeClaims", [{"mode": "bus", "by": "person", "more": 1}], "/modeClaims/0/more"),
        ("seenLegs", [{"startedAt": "2026-03-10T12:00:00Z"}], "/seenLegs/0/endedAt"),
        ("track", [[0, 1]], "/track/0"),
        ("track", [[10**15, 1.0, 1.0]], "/track/0/0"),
        ("track", [[0, 95, 1]], "/track/0/lat"),
        ("cancelled", "no", "/cancelled"),
        ("seenOrigin", {"lat": 1}, "/seenOrigin/lon"),
        ("register", {"class": "C"}, "/register/status"),
    ],
)
def test_a_fault_in_an_observation_is_named(member: str, value: Any, where: str) -> None:
    document = {
        "@context": [CONTEXT_IRI],
        "id": "urn:o:1",
        "type": "TripObservation",
        "source": "push:x",
        "account": "a",
        "startedAt": "2026-03-10T12:00:00Z",
        "endedAt": "2026-03-10T12:30:00Z",
        "startZone": "Europe/Paris",
        "endZone": "Europe/Paris",
        "upstreamIds": ["1"],
        "distance": 3,
        "modeClaims": [],
    }
    parse_observation(document)
    with pytest.raises(RecordError) as caught:
        parse_observation(document | {member: value})
    assert caught.value.where == where


def test_a_deposited_document_names_faults_inside() -> None:
    pass_ = Subscription(
        id=Iri("urn:s:1"),
        network="Aude",
        product="mensuel",
        holder="A",
        payer="B",
        valid_from=date(2026, 3, 1),
        valid_until=date(2026, 3, 31),
    )
    observation = DocumentObservation(id=Iri("urn:o:1"), source="push:x", account="a", record=pass_)
    document = observation_to_json(observation)
    assert parse_observation(document) == observation
    document["deposited"]["lastDay"] = "2026-02-31"
    with pytest.raises(RecordError) as caught:
        parse_observation(document)
    assert caught.value.where == "/deposited/lastDay"
    with pytest.raises(RecordError):
        parse_observation(document | {"deposited": to_jsonld(TRIP)})


def test_dataclasses_refuse_what_cannot_be() -> None:
    with pytest.raises(RecordError):
        utc(datetime(2026, 1, 1))
    for build in (
        lambda: Place(91, 0),
        lambda: Place(0, float("inf")),
        lambda: ModeClaim(mode=Mode.BUS, by="sensor", confidence=1.5),  # type: ignore[arg-type]
        lambda: TrackPoint(NOON, 0, 200),
        lambda: CitizenObservation(id=Iri("urn:a"), at=NOON, act="split", targets=(Iri("urn:b"),)),
        lambda: CitizenObservation(id=Iri("urn:a"), at=NOON, act="merge", targets=()),
        lambda: Suppression(id=Iri("urn:a"), at=NOON, scope="trip"),
        lambda: Suppression(id=Iri("urn:a"), at=NOON, scope="account"),
        lambda: NamedPlace(id=Iri("urn:p"), role=PlaceRole.HOME, lat=0, lon=0, radius=Metres(-1)),
        lambda: Attribute(
            id=Iri("urn:a"), name="n", value=float("nan"), source="s", certified_at=NOON
        ),
        lambda: Invoice(
            id=Iri("urn:i"), issuer_name="x", issued_at=NOON, total=Cents(1), currency="euro"
        ),
        lambda: Invoice(
            id=Iri("urn:i"), issuer_name="x", issued_at=NOON, total=Cents(1), issuer_siret="12"
        ),
    ):
        with pytest.raises(RecordError):
            build()


def test_a_record_knows_its_kind_month_and_day() -> None:
    assert kind_of(TRIP) == "Trip"
    assert starts_at(TRIP) == NOON
    assert TRIP.local_date == date(2026, 3, 10)
    assert TRIP.duration == 3600
    late = Invoice(
        id=mint_iri(),
        issuer_name="x",
        issued_at=NOON,
        total=Cents(1),
        lines=(InvoiceLine(label="a", unit_amount=Cents(1)),),
    )
    assert starts_at(late) == NOON


def test_the_main_mode_is_by_distance_and_ties_are_total() -> None:
    leg = TRIP.legs[0]
    from dataclasses import replace

    train = replace(leg, mode=Mode.TRAIN, distance=Metres(4001))
    assert main_mode([leg, train]) is Mode.TRAIN
    same = replace(leg, mode=Mode.BUS)
    assert main_mode([leg, same]) is main_mode([same, leg]) is Mode.BICYCLE
    assert main_mode([]) is Mode.UNKNOWN


def test_digests_and_iris_have_one_spelling() -> None:
    value = digest(b"x")
    assert (
        parse_digest(digest_text(value)) == value == Digest(bytes.fromhex(digest_text(value)[7:]))
    )
    for text in ("sha256:" + "A" * 64, "sha256:12", None, "sha384:" + "a" * 64):
        with pytest.raises(RecordError):
            parse_digest(text)
    assert mint_iri() != mint_iri()
    for text in ("", "a", "urn:", "urn:a b", "urn:<", "http://x\n", 3):
        with pytest.raises(RecordError):
            parse_iri(text)


def test_units_read_well_in_both_languages() -> None:
    assert format_distance(Metres(950)) == "950\u00a0m"
    assert format_distance(Metres(12_350)) == "12,4\u00a0km"
    assert format_distance(Metres(1_234_500), "en") == "1,234.5\u00a0km"
    assert format_amount(Cents(123_450)) == "1\u202f234,50\u00a0€"
    assert format_amount(Cents(-5), "en") == "-€0.05"
    assert format_amount(Cents(100), "en", "CHF") == "CHF\u00a01.00"
    assert format_emission(GramsCO2e(687)) == "687\u00a0g\u00a0CO₂e"
    assert format_emission(GramsCO2e(12_340), "en") == "12.3\u00a0kg\u00a0CO₂e"


def test_evidence_is_ordered_by_strength_not_by_letters() -> None:
    ordered = [
        Evidence.DECLARED,
        Evidence.CORRECTED,
        Evidence.SENSED,
        Evidence.CONFIRMED,
        Evidence.OPERATOR,
        Evidence.REGISTRY,
    ]
    assert sorted(Evidence) == ordered
    assert Evidence.CONFIRMED > Evidence.SENSED >= Evidence.CORRECTED
    assert all(evidence.label("fr") and evidence.label("en") for evidence in Evidence)
