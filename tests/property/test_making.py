"""Nodes made without their constructor are the nodes it makes; observations read from bytes the
quick way are what reading with care says, or are read with care."""

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import MobilityError
from schemas.jsonld import (
    _read_quickly,
    encode,
    observation_to_json,
    parse_json,
    parse_observation,
    read_observation,
)
from schemas.making import unchecked
from schemas.observations import DocumentObservation, Received
from schemas.records import Leg, Place, Trip
from tests.property import builders

laws = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
LIMIT = 1 << 20


def _said(data: bytes) -> Any:
    """What reading with care says of these bytes: an observation, or the name of the refusal."""
    try:
        return parse_observation(parse_json(data, max_bytes=LIMIT))
    except MobilityError as error:
        return error.code, getattr(error, "where", None), str(error)


def _read(data: bytes) -> Any:
    try:
        return read_observation(data, max_bytes=LIMIT)
    except MobilityError as error:
        return error.code, getattr(error, "where", None), str(error)


@given(builders.records)
@laws
def test_a_node_made_unchecked_is_the_one_its_class_makes(record: Any) -> None:
    given_ = {f.name: getattr(record, f.name) for f in fields(record)}
    made = unchecked(type(record))(**given_)
    assert type(made) is type(record)
    assert made == record
    assert repr(made) == repr(record)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == record
    with pytest.raises(FrozenInstanceError):
        made.id = "urn:uuid:another"


def test_what_is_left_out_has_the_default_of_the_class() -> None:
    one, other = unchecked(Place)(43.2, 2.3), unchecked(Place)(43.2, 2.3)
    assert one == Place(43.2, 2.3)
    assert one.extra == {}
    assert one.extra is not other.extra
    with pytest.raises(TypeError):
        unchecked(Leg)()  # type: ignore[call-arg]  # the law is that it is refused
    with pytest.raises(TypeError):
        unchecked(Trip)("urn:uuid:x")  # type: ignore[call-arg,misc,arg-type]  # keywords alone
    assert unchecked(Received) is not None


@given(builders.observations)
@laws
def test_reading_bytes_quickly_says_what_reading_with_care_says(seen: Any) -> None:
    for spaces in ((",", ":"), (", ", ": "), (",", " :")):
        data = json.dumps(observation_to_json(seen), ensure_ascii=False, separators=spaces).encode()
        assert read_observation(data, max_bytes=LIMIT) == _said(data)


def test_what_most_sources_write_is_read_quickly() -> None:
    """Else the drain is slow, and nothing else would say so."""
    from tests.bench.decade import trips

    for data in trips(3, points=5):
        assert _read_quickly(data) == _said(data)


@given(builders.observations, st.data())
@laws
def test_bytes_that_were_changed_are_read_or_refused_as_with_care(
    seen: Any, data: st.DataObject
) -> None:
    if isinstance(seen, DocumentObservation):
        return
    raw = encode(observation_to_json(seen))
    act = data.draw(st.sampled_from(["flip", "twice", "insert", "cut"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if act == "flip":
        raw = raw[:at] + bytes([data.draw(st.integers(0, 255))]) + raw[at + 1 :]
    elif act == "cut":
        raw = raw[:at]
    elif act == "insert":
        more = data.draw(st.sampled_from([b" ", b"\n", b'"', b":", b'":', b"\\", b"1e999", b"0"]))
        raw = raw[:at] + more + raw[at:]
    else:  # a name twice, in whichever object, written in whichever way
        places = [n for n in range(len(raw)) if raw[n : n + 2] == b'":']
        end = data.draw(st.sampled_from(places))
        start = raw.rindex(b'"', 0, end)
        name, space = raw[start : end + 1], data.draw(st.sampled_from([b"", b" ", b"\n", b"\t"]))
        raw = raw[:start] + name + space + b":1," + raw[start:]
    assert _read(raw) == _said(raw)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9007199254740993", "01"])
def test_a_number_that_readers_could_read_differently_is_refused_quickly_too(number: str) -> None:
    from tests.bench.decade import trips

    raw = next(trips(1, points=2)).decode()
    for before in ('"lat":', '"distance":', '"confidence":'):
        start = raw.index(before) + len(before)
        end = min(raw.find(c, start) for c in ",}" if raw.find(c, start) >= 0)
        data = (raw[:start] + number + raw[end:]).encode()
        assert _read_quickly(data) is None
        assert _read(data) == _said(data)
        assert isinstance(_said(data), tuple)
