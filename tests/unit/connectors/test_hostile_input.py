"""Whatever comes, parsers answer with observations, rejections that name a place, or a typed
error."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cozy.files import CozyTimeseries
from connectors.depositing import encode
from connectors.emission.files import EmissionEntries
from connectors.errors import HostileInputError, PushInvalidError, PushScopeError
from connectors.push.form import JSON, JSON_LD, read_batch
from connectors.sandbox.story import Story
from connectors.zones import is_swapped
from schemas.errors import MobilityError
from schemas.jsonld import parse_json, parse_observation
from schemas.observations import TripObservation

AT = datetime(2026, 11, 20, tzinfo=UTC)
ENTRY = Story().entries()[0]
ENTRY["data"]["confidence_threshold"] = 0.55
ENTRY["data"]["inferred_labels"] = [{"labels": {"mode_confirm": "bike"}, "p": 0.9}]
ENTRY["data"]["user_input"] = {"mode_confirm": "karate", "replaced_mode": "hoverboard"}
PUSHED = Story().pushed_trips()[0]
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([1e308, 10**400, "Europe/Paris", "2026-11-18T07:45:00+01:00"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in items:
        if isinstance(member, dict | list):
            found += paths(member, (*at, name))
        else:
            found.append((*at, name))
    return found


ENTRY_PATHS, PUSHED_PATHS = paths(ENTRY), paths(PUSHED)


def changed(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    copy = json.loads(json.dumps(value))
    place = copy
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = by
    return copy


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ENTRY_PATHS), JSON_VALUES)
def test_any_member_of_an_entry_may_be_anything(path: tuple[Any, ...], by: Any) -> None:
    data = json.dumps([changed(ENTRY, path, by), ENTRY]).encode()
    pages = list(EmissionEntries().read(io.BytesIO(data), account="a", at=AT))
    records = [record for page in pages for record in page.records]
    rejected = [r for page in pages for r in page.rejected]
    skipped = sum(sum(page.skipped.values()) for page in pages)
    good = EmissionEntries().read(io.BytesIO(json.dumps([ENTRY]).encode()), account="a", at=AT)
    [expected] = next(good).records
    if path[0] == "user_id":
        # Whose entries these are is decided by the first one.
        assert records
    else:
        assert expected in records
    assert len(records) + len(rejected) + skipped >= 2
    assert all(r.where.startswith("/") for r in rejected)
    for record in records:
        assert parse_observation(parse_json(encode(record), max_bytes=1 << 20)) == record


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_read_or_refused_by_type(data: bytes) -> None:
    for importer in (EmissionEntries(), CozyTimeseries()):
        try:
            for page in importer.read(io.BytesIO(data), account="a", at=AT):
                assert page.records == ()
        except HostileInputError as error:
            assert error.reason


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PUSHED_PATHS), JSON_VALUES)
def test_a_pushed_trip_with_anything_inside_is_taken_or_its_place_is_told(
    path: tuple[Any, ...], by: Any
) -> None:
    body = json.dumps({"trips": [changed(PUSHED, path, by)]}).encode()
    try:
        found = read_batch(body, JSON, source="s", account="a", kinds=("Trip",), at=AT)
    except PushInvalidError as error:
        assert all(fault.pointer.startswith("/trips/0") for fault in error.faults)
    except HostileInputError:
        pass
    else:
        assert isinstance(found[0], TripObservation)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_pushed_body_is_a_typed_refusal(body: bytes) -> None:
    for media_type in (JSON, JSON_LD):
        try:
            read_batch(body, media_type, source="s", account="a", kinds=("Trip",), at=AT)
        except (PushInvalidError, HostileInputError, PushScopeError) as error:
            assert isinstance(error, MobilityError)


def test_swapped_is_said_only_where_it_is_certain() -> None:
    assert is_swapped(2.44, 43.21, "Europe/Paris")
    assert not is_swapped(43.21, 2.44, "Europe/Paris")
    assert not is_swapped(48.85, 2.35, "Europe/Paris")
    # Far from the zone's city, but the mirror is no better: a real trip in western China.
    assert not is_swapped(39.47, 75.99, "Asia/Shanghai")
    assert not is_swapped(2.44, 43.21, "Etc/UTC")
    # Réunion, Martinique: their own zones.
    assert not is_swapped(-20.88, 55.45, "Indian/Reunion")
    assert is_swapped(55.45, -20.88, "Indian/Reunion")
