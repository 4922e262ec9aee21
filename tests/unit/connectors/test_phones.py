"""Phones: each app's own requests, sealed on arrival, trips when the vault opens."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    HostileInputError,
    PairingError,
    PushBusyError,
    PushScopeError,
    PushTokenError,
)
from connectors.phones.api import create_points_router
from connectors.phones.form import App, pack, read, unpack
from connectors.phones.service import MAX_AGE
from connectors.phones.setup import gpslogger_profile
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from schemas.observations import TripObservation
from tests.unit.connectors.conftest import Clock, MemoryHome
from vault.crypto.opening import OpenedSegment, open_segment

VAULT = "ab" * 16
START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
Rows = list[tuple[datetime, float, float]]


class Opened:
    """An open vault, as far as points are concerned."""

    def __init__(self, home: MemoryHome) -> None:
        self.vault_id = VAULT
        box = home.drop_box(VAULT)
        self._keys = {key.key_id: key for key in box.keys.values()}

    def open_points(self, header: bytes, frames: bytes) -> OpenedSegment:
        return open_segment(header, frames, box_for=self._keys.__getitem__, vault=VAULT)


def ride(start: datetime = START, minutes: int = 20) -> Rows:
    """Ten minutes at home, a ride at 5 m/s to the north, ten minutes there."""
    moving = range(0, minutes * 60, 30)
    rows = [(start + timedelta(seconds=30 * i), 48.85, 2.35) for i in range(20)]
    left = start + timedelta(seconds=600)
    rows += [(left + timedelta(seconds=s), 48.85 + 5 * s / 111_195, 2.35) for s in moving]
    arrived = left + timedelta(minutes=minutes)
    end = rows[-1][1]
    return rows + [(arrived + timedelta(seconds=30 * i), end, 2.35) for i in range(20)]


def owntracks(rows: Rows) -> bytes:
    return json.dumps(
        [
            {"_type": "location", "tst": int(at.timestamp()), "lat": lat, "lon": lon, "acc": 12}
            for at, lat, lon in rows
        ]
    ).encode()


def overland(rows: Rows) -> bytes:
    def feature(at: datetime, lat: float, lon: float) -> dict[str, Any]:
        return {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {
                "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "horizontal_accuracy": 10,
                "motion": ["cycling"],
            },
        }

    return json.dumps({"locations": [feature(*row) for row in rows]}).encode()


def traccar(rows: Rows, token: str) -> list[bytes]:
    return [
        json.dumps(
            {
                "location": {
                    "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    "coords": {"latitude": lat, "longitude": lon, "accuracy": 9},
                    "activity": {"type": "on_bicycle"},
                },
                "device_id": token,
            }
        ).encode()
        for at, lat, lon in rows
    ]


@pytest.fixture
def service(home: MemoryHome, store: ConnectorStore, clock: Clock) -> Iterator[ConnectorService]:
    def nowhere(_: str) -> Any:
        raise AssertionError("nothing is asked here")

    made = ConnectorService(home, store, clock=clock, transport=nowhere, address="https://h.test")
    yield made
    made.phones.close()


@pytest.fixture
def client(service: ConnectorService) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(create_points_router(service.phones, profile=service.phone_profile))
    with TestClient(app) as made:
        yield made


def token_of(service: ConnectorService, app: App) -> str:
    return service.phones.add(VAULT, app).token


def trips(home: MemoryHome) -> list[TripObservation]:
    return [o for o in home.drop_box(VAULT).opened() if isinstance(o, TripObservation)]


def test_each_app_s_own_requests_become_a_trip(
    client: TestClient, service: ConnectorService, home: MemoryHome, clock: Clock
) -> None:
    basic = base64.b64encode(f"coffre:{token_of(service, App.OWNTRACKS)}".encode()).decode()
    answer = client.post(
        "/v1/points/owntracks",
        content=owntracks(ride()),
        headers={"Authorization": f"Basic {basic}"},
    )
    assert (answer.status_code, answer.json()) == (200, [])

    later = START + timedelta(hours=1)
    answer = client.post(
        "/v1/points/overland",
        content=overland(ride(later)),
        headers={"Authorization": f"Bearer {token_of(service, App.OVERLAND)}"},
    )
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})

    token = token_of(service, App.TRACCAR)
    for body in traccar(ride(START + timedelta(hours=2)), token):
        assert client.post("/v1/points/traccar", content=body).status_code == 200

    token = token_of(service, App.TRACCAR)
    for at, lat, lon in ride(START + timedelta(hours=3)):
        query = {"id": token, "lat": lat, "lon": lon, "timestamp": int(at.timestamp())}
        assert client.get("/v1/points/traccar", params=query).status_code == 200

    token = token_of(service, App.GPSLOGGER)
    for at, lat, lon in ride(START + timedelta(hours=3, minutes=50)):
        form = {"lat": lat, "lon": lon, "acc": 8, "timestamp": int(at.timestamp())}
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post("/v1/points/gpslogger", data=form, headers=headers).status_code == 200

    clock.pass_(minutes=30)
    assert service.phones.take_in(Opened(home)) == 5
    found = trips(home)
    assert {t.source for t in found} == {
        "push:owntracks", "push:overland", "push:traccar", "push:gpslogger"
    }  # fmt: skip
    assert all(t.start_zone == "Europe/Paris" and t.track for t in found)
    assert {round(t.distance or 0, -3) for t in found} == {6000}


def test_nothing_lies_in_clear_between_the_phone_and_the_vault(
    service: ConnectorService, store: ConnectorStore, tmp_path: Path
) -> None:
    token = token_of(service, App.OWNTRACKS)
    service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=token)
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    lines = pack([(at.timestamp(), lat, lon, 12.0, 0) for at, lat, lon in ride()[:1]])
    assert lines[1:25] not in everything
    assert b"48.85" not in everything
    assert token.encode() not in everything
    assert everything


def test_the_key_of_a_segment_is_forgotten_after_its_term_and_after_its_points(
    service: ConnectorService, store: ConnectorStore, clock: Clock
) -> None:
    token = token_of(service, App.OVERLAND)
    phones = service.phones
    phones.take(App.OVERLAND, overland(ride()[:3]), secret=token)
    first = dict(phones._open)
    clock.pass_(seconds=MAX_AGE.total_seconds())
    phones.take(App.OVERLAND, overland(ride()[3:6]), secret=token)
    assert set(phones._open) == set(first)
    [old], [new] = first.values(), phones._open.values()
    assert old.segment_id != new.segment_id
    assert old.writer._key == bytearray(32), "zeroed"
    many = [(START + timedelta(seconds=i), 48.85, 2.35) for i in range(1_000)]
    phones.take(App.OVERLAND, overland(many), secret=token)
    phones.take(App.OVERLAND, overland(ride()[6:8]), secret=token)
    assert next(iter(phones._open.values())).segment_id != new.segment_id


def test_a_home_that_died_loses_no_acknowledged_point(
    service: ConnectorService, home: MemoryHome, clock: Clock
) -> None:
    token = token_of(service, App.OWNTRACKS)
    for row in ride():
        service.phones.take(App.OWNTRACKS, owntracks([row]), secret=token)
    service.phones._open.clear()  # the process is gone, keys and all
    assert service.phones.take_in(Opened(home)) == 0, "another process may still be writing"
    clock.pass_(minutes=20)
    assert service.phones.take_in(Opened(home)) == 1


def test_a_trip_under_way_waits_for_its_end(
    service: ConnectorService, home: MemoryHome, clock: Clock
) -> None:
    token = token_of(service, App.OWNTRACKS)
    rows = ride(datetime(2026, 11, 20, 11, 20, tzinfo=UTC))
    half = len(rows) // 2
    clock.now = rows[half][0]
    service.phones.take(App.OWNTRACKS, owntracks(rows[:half]), secret=token)
    assert service.phones.take_in(Opened(home)) == 0
    assert service.phones.waiting(VAULT) > 0
    clock.now = rows[-1][0]
    service.phones.take(App.OWNTRACKS, owntracks(rows[half:]), secret=token)
    assert service.phones.take_in(Opened(home)) == 1
    [trip] = trips(home)
    assert 5_500 < (trip.distance or 0) < 6_500


def test_a_phone_that_fell_silent_has_arrived(
    service: ConnectorService, home: MemoryHome, clock: Clock
) -> None:
    token = token_of(service, App.OWNTRACKS)
    rows = ride()[:50]
    service.phones.take(App.OWNTRACKS, owntracks(rows), secret=token)
    clock.pass_(hours=3)
    assert service.phones.take_in(Opened(home)) == 1
    assert service.phones.waiting(VAULT) == 0


def test_taking_in_twice_brings_the_same_trip(
    service: ConnectorService, home: MemoryHome, clock: Clock
) -> None:
    token = token_of(service, App.OWNTRACKS)
    for _ in range(2):
        service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=token)
        clock.pass_(hours=3)
        service.phones.take_in(Opened(home))
    assert len({trip.id for trip in trips(home)}) == 1


def test_a_revoked_phone_is_refused_and_what_it_left_is_kept(
    service: ConnectorService, home: MemoryHome
) -> None:
    device = service.phones.add(VAULT, App.OWNTRACKS)
    service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=device.token)
    service.revoke(VAULT, device.token_id)
    with pytest.raises(PushTokenError):
        service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=device.token)
    assert service.phones.take_in(Opened(home)) == 1


def test_a_device_token_opens_no_other_door(service: ConnectorService) -> None:
    token = token_of(service, App.OWNTRACKS)
    with pytest.raises(PushScopeError):
        service.push.push(token, b'{"trips":[]}', "application/json")


def test_a_push_token_leaves_no_points(service: ConnectorService) -> None:
    code = service.pair(VAULT, "appli").code
    paired = service.push.pair(code, app="x", client="c")
    with pytest.raises(PushTokenError):
        service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=paired.token)


def test_a_missing_token_is_told_from_a_wrong_one(client: TestClient) -> None:
    for app in App:
        answer = client.post(f"/v1/points/{app}", content=b"{}" if app != App.TRACCAR else b"")
        assert (answer.status_code, answer.json()["code"]) == (401, "push-token-missing")
        answer = client.post(
            f"/v1/points/{app}", content=b"{}", headers={"Authorization": "Bearer nope"}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "push-token-invalid")


def test_one_bad_point_costs_no_other_and_is_counted_by_its_rule(
    service: ConnectorService,
) -> None:
    device = service.phones.add(VAULT, App.OWNTRACKS)
    good = {"_type": "location", "tst": int(START.timestamp()), "lat": 48.8, "lon": 2.3}
    bad = [
        {**good, "lat": "x"},
        {**good, "lat": 91},
        {**good, "lat": 0, "lon": 0},
        {**good, "tst": 12},
        {**good, "tst": None},
        {**good, "tst": 4_000_000_000},
        {"_type": "transition"},
    ]
    body = json.dumps([*bad, good]).encode()
    assert service.phones.take(App.OWNTRACKS, body, secret=device.token) == 1
    assert service.phones.phones(VAULT)[device.token_id].left_out == {
        "not-a-number": 1,
        "coordinates-out-of-range": 1,
        "coordinates-null-island": 1,
        "time-implausible": 1,
        "not-a-time": 1,
        "time-in-future": 1,
    }


def test_what_is_encrypted_in_the_app_is_refused_with_the_reason(
    service: ConnectorService,
) -> None:
    token = token_of(service, App.OWNTRACKS)
    with pytest.raises(HostileInputError, match="secret key"):
        service.phones.take(App.OWNTRACKS, b'{"_type":"encrypted","data":"x"}', secret=token)


def test_no_more_points_wait_than_there_is_room_for(
    service: ConnectorService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.phones.service.MAX_WAITING", 1_000)
    token = token_of(service, App.OWNTRACKS)
    service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=token)
    with pytest.raises(PushBusyError) as error:
        service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=token)
    assert error.value.full


@pytest.mark.parametrize("app", list(App))
@settings(max_examples=80, deadline=None)
@given(body=st.binary(max_size=400), query=st.text(max_size=80))
def test_any_bytes_are_points_or_a_typed_error(app: App, body: bytes, query: str) -> None:
    try:
        found = read(app, body, query=query, at=START)
    except HostileInputError:
        return
    assert unpack(pack(found.rows)) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10) | st.integers(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["_type", "tst", "lat", "lon", "acc", "locations", "geometry", "coordinates",
             "properties", "timestamp", "motion", "location", "coords", "latitude", "longitude",
             "device_id", "activity", "type"]
        ),
        inner | st.just("location"),
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("app", list(App))
@settings(max_examples=120, deadline=None)
@given(document=JSON)
def test_any_json_is_points_or_a_typed_error(app: App, document: Any) -> None:
    body = json.dumps(document).encode()
    try:
        found = read(app, body, query="", at=START)
    except HostileInputError:
        return
    for _, lat, lon, _, _ in found.rows:
        assert -90 <= lat <= 90 and -180 <= lon <= 180


def test_deep_json_is_refused(service: ConnectorService) -> None:
    body = b'{"locations":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with pytest.raises(HostileInputError):
        read(App.OVERLAND, body, query="", at=START)


Links = Callable[[str], str]


def test_each_qr_code_holds_what_its_app_reads(service: ConnectorService, home: MemoryHome) -> None:
    owntracks_link = urlsplit(service.add_phone(VAULT, App.OWNTRACKS).link)
    inline = parse_qs(owntracks_link.query)["inline"][0]
    configuration = json.loads(base64.b64decode(inline))
    assert configuration["_type"] == "configuration"
    assert configuration["mode"] == 3
    token = configuration["password"]
    assert service.phones.take(App.OWNTRACKS, owntracks(ride()), secret=token) == len(ride())

    overland_link = urlsplit(service.add_phone(VAULT, App.OVERLAND).link)
    assert (overland_link.scheme, overland_link.netloc) == ("overland", "setup")
    given = parse_qs(overland_link.query)
    assert given["url"] == ["https://h.test/v1/points/overland"]
    assert service.phones.take(App.OVERLAND, overland(ride()), secret=given["token"][0])

    traccar_link = urlsplit(service.add_phone(VAULT, App.TRACCAR).link)
    token = parse_qs(traccar_link.query)["id"][0]
    assert traccar_link.path == "/v1/points/traccar"
    assert service.phones.take(App.TRACCAR, traccar(ride(), token)[0])


def test_gpslogger_fetches_its_profile_once(client: TestClient, service: ConnectorService) -> None:
    link = service.add_phone(VAULT, App.GPSLOGGER).link
    address = link.removeprefix("gpslogger://properties/")
    path = urlsplit(address).path
    profile = client.get(path).text
    match = re.search(r"Authorization\\: Bearer (mvp_\S+)", profile)
    assert match is not None
    form = b"lat=48.8&lon=2.3&acc=5&timestamp=1763600000"
    assert service.phones.take(App.GPSLOGGER, form, secret=match[1]) == 1
    assert client.get(path).status_code == 403
    with pytest.raises(PairingError):
        service.phone_profile("AAAAAAAA", "c")


def test_a_profile_escapes_what_java_reads_as_a_separator() -> None:
    profile = gpslogger_profile(address="https://h.test", token="mvp_x")
    assert "log_customurl_url=https\\://h.test/v1/points/gpslogger" in profile
    assert "log_customurl_body=lat\\=%LAT&lon\\=%LON" in profile
