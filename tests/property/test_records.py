"""Every record: JSON-LD and back, quads as PyLD says, whatever is inside."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import HealthCheck, given, settings

from schemas.jsonld import (
    encode,
    from_jsonld,
    observation_to_json,
    parse_json,
    parse_observation,
    to_jsonld,
    to_stored,
)
from schemas.quads import quads
from schemas.rdf import canonize, to_quads_slow
from tests.property import builders

slow = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


@given(builders.records)
@slow
def test_a_record_survives_its_json_and_is_the_same_bytes_again(record: Any) -> None:
    data = encode(to_jsonld(record))
    again = from_jsonld(parse_json(data, max_bytes=1_000_000))
    assert again == record
    assert encode(to_jsonld(again)) == data


@given(builders.records)
@slow
def test_a_record_survives_its_stored_form_which_is_never_longer(record: Any) -> None:
    stored = encode(to_stored(record))
    assert from_jsonld(json.loads(stored)) == record
    assert len(stored) <= len(encode(to_jsonld(record)))


@given(builders.records)
@slow
def test_quads_of_a_record_are_those_of_pyld(record: Any) -> None:
    document = json.loads(encode(to_jsonld(record)))
    emitted = "".join(quads(record))
    assert emitted == to_quads_slow(document, allow_dropped=True, blank_nodes=False)
    assert emitted == canonize(emitted)


def _bare(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_bare(item) for item in value)
    if not is_dataclass(value):
        return value
    changes = {f.name: _bare(getattr(value, f.name)) for f in fields(value)}
    if "extra" in changes:
        changes["extra"] = {}
    return replace(value, **changes)  # type: ignore[type-var]


@given(builders.records)
@slow
def test_no_member_of_our_own_is_without_a_term(record: Any) -> None:
    bare = _bare(record)
    assert "".join(quads(bare)) == to_quads_slow(to_jsonld(bare), blank_nodes=False)
    assert quads(bare) == quads(record)


@given(builders.observations)
@slow
def test_an_observation_survives_its_json_and_has_no_blank_node(observation: Any) -> None:
    data = encode(observation_to_json(observation))
    again = parse_observation(parse_json(data, max_bytes=1_000_000))
    assert again == observation
    assert encode(observation_to_json(again)) == data
    to_quads_slow(json.loads(data), allow_dropped=True, blank_nodes=False)
