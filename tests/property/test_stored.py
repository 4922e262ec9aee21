"""Payloads of rows: what is written reads as what it was, whichever form it took."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import RecordError
from schemas.evidence import Evidence
from schemas.ids import Digest, Iri, node_iri
from schemas.jsonld import (
    _read,
    encode,
    observation_to_json,
    parse_json,
    parse_observation,
    to_jsonld,
    to_stored,
)
from schemas.members import OBSERVATION_SHAPES, RECORD_SHAPES
from schemas.modes import Mode
from schemas.readers import read_top
from schemas.records import Kind, Leg, Place, Trip, kind_of
from schemas.units import Metres
from tests.property import builders
from vault.crypto.frame import frame, unframe
from vault.stored import iri_of, plain_of, read_record, read_trip, write_record

laws = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
START = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
UUIDS = st.uuids(version=4).map(lambda found: Iri(f"urn:uuid:{found}"))
PLACES = st.none() | st.builds(
    lambda lat, lon: Place(lat / 1e5, lon / 1e5),
    st.integers(-9_000_000, 9_000_000),
    st.integers(-18_000_000, 18_000_000),
)


@st.composite
def trips(draw: st.DrawFn) -> Trip:
    """Trips as reconciliation says them: legs that follow each other or not."""
    iri, unit = draw(UUIDS), draw(st.sampled_from([1, 1000]))
    start = START + timedelta(milliseconds=draw(st.integers(0, 10**11)))
    at, place, legs = start, draw(PLACES), list[Leg]()
    first = place
    for index in range(draw(st.integers(0, 4))):
        begins = at + timedelta(milliseconds=unit * draw(st.sampled_from([0, 0, 60])))
        at = begins + timedelta(milliseconds=unit * draw(st.integers(0, 5000)))
        origin, place = (
            place if draw(st.booleans()) else draw(PLACES),
            draw(PLACES),
        )
        legs.append(
            Leg(
                id=node_iri(iri, f"legs/{index}"),
                mode=draw(st.sampled_from(Mode)),
                mode_evidence=draw(st.sampled_from(Evidence)),
                distance=Metres(draw(st.integers(0, 2**32 - 1))),
                started_at=begins,
                ended_at=at,
                origin=origin,
                destination=place,
            )
        )
    zone = draw(st.sampled_from(["Europe/Paris", "Indian/Reunion"]))
    return Trip(
        id=iri,
        revision=draw(st.sampled_from([1, 2, 70_000])),
        started_at=start,
        ended_at=at,
        start_zone=zone,
        end_zone=draw(st.sampled_from([zone, "Europe/London"])),
        origin=first,
        destination=draw(st.sampled_from([place, None])),
        legs=tuple(legs),
        distance=Metres(draw(st.integers(0, 2**32 - 1))),
        mode=draw(st.sampled_from(Mode)),
        evidence=draw(st.sampled_from(Evidence)),
        mode_evidence=draw(st.sampled_from(Evidence)),
        purpose=draw(st.none() | st.sampled_from(["", "work", "école"])),
        replaced_mode=draw(st.none() | st.sampled_from(Mode)),
        observations=tuple(draw(st.lists(UUIDS, max_size=3))),
        aliases=tuple(draw(st.lists(UUIDS, max_size=2))),
        track=draw(st.none() | st.binary(min_size=32, max_size=32).map(Digest)),
    )


@given(trips())
@laws
def test_a_trip_is_packed_and_reads_as_it_was(trip: Trip) -> None:
    payload = write_record(trip)
    assert payload[0] == 2, "nothing here is unusual"
    assert plain_of(Kind.TRIP, payload) == len(payload)
    assert read_record(payload) == trip == read_trip(encode(to_stored(trip)))
    assert iri_of(Kind.TRIP, payload) == trip.id


@given(trips(), st.data())
@laws
def test_a_packed_trip_that_is_cut_is_refused(trip: Trip, data: st.DataObject) -> None:
    payload = write_record(trip)
    cut = payload[: data.draw(st.integers(1, len(payload) - 1))]
    with pytest.raises(RecordError):
        read_trip(cut)
    with pytest.raises(RecordError):
        read_trip(payload + b"\x00")


@given(builders.records)
@laws
def test_any_record_reads_as_it_was(record: Any) -> None:
    payload = write_record(record)
    assert read_record(payload) == record
    assert iri_of(kind_of(record), payload) == record.id
    assert plain_of(kind_of(record), payload) in (0, len(payload))


@given(st.binary(max_size=3000), st.data())
@laws
def test_a_parted_frame_opens_to_its_payload(payload: bytes, data: st.DataObject) -> None:
    plain = data.draw(st.integers(0, len(payload)))
    sealed = frame(payload, schema_version=3, kind="Observation", plain=plain)
    assert unframe(sealed, layout="record") == (payload, 3)


@given(builders.records)
@laws
def test_a_compiled_reader_reads_what_walking_reads(record: Any) -> None:
    shape = RECORD_SHAPES[type(record)]
    for write in (to_jsonld, to_stored):
        document = parse_json(encode(write(record)), max_bytes=1 << 20)
        try:
            quick = read_top(shape, document)
        except Exception:
            quick = None  # it has something unusual, and is walked
        assert quick in (None, _read(shape, document, "", "", top=True))


@given(builders.observations, st.data())
@laws
def test_a_compiled_reader_refuses_what_walking_refuses(seen: Any, data: st.DataObject) -> None:
    shape = OBSERVATION_SHAPES.get(type(seen))
    if shape is None:
        return
    document = json.loads(encode(observation_to_json(seen)))
    _spoil(document, data)
    try:
        quick = read_top(shape, document)
    except Exception:
        return
    assert quick == _read(shape, document, "", "", top=True)


def _spoil(document: Any, data: st.DataObject) -> None:
    """Change one member somewhere, or take it away, or add one."""
    while True:
        names = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        inside = document[name]
        if isinstance(inside, dict | list) and inside and data.draw(st.booleans()):
            document = inside
            continue
        act = data.draw(st.sampled_from(["none", "drop", "extra", None, 7, -1, 1e99, "x", [], {}]))
        if act == "drop":
            del document[name]
        elif act == "extra" and isinstance(document, dict):
            document["unheard-of"] = 1
        elif act != "none":
            document[name] = act
        return


def test_a_plain_observation_takes_the_quick_way() -> None:
    """Else the property above would say nothing."""
    document = {
        "@context": ["https://w3id.org/mobility-vault/v1"],
        "account": "a",
        "cancelled": False,
        "distance": 704,
        "endZone": "Europe/Paris",
        "endedAt": "2026-03-10T07:16:47.000Z",
        "id": "urn:uuid:dd91e178-0536-445a-b97a-332173025d79",
        "seenLegs": [
            {
                "distance": 704,
                "startedAt": "2026-03-10T07:08:07.000Z",
                "endedAt": "2026-03-10T07:16:47.000Z",
                "modeClaims": [{"by": "sensor", "confidence": 0.15, "mode": "walk"}],
                "origin": {"lat": 43.2, "lon": 2.3},
            }
        ],
        "source": "tracemob",
        "startZone": "Europe/Paris",
        "startedAt": "2026-03-10T07:08:07.000Z",
        "type": "TripObservation",
    }
    shape = OBSERVATION_SHAPES[type(parse_observation(document))]
    assert read_top(shape, document) == _read(shape, document, "", "", top=True)
