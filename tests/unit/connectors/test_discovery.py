"""GBFS, TOMP and GTFS as an operator's offer: versions, traps, limits."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.discovery.card import OfferCard
from connectors.discovery.fetching import discover
from connectors.discovery.gbfs import read_gbfs
from connectors.discovery.gtfs import Around, read_gtfs
from connectors.discovery.tomp import read_tomp
from connectors.errors import (
    AddressError,
    HostileInputError,
    SourceAnswerError,
    SourceUnreachableError,
)
from connectors.sandbox.parties import SandboxSettings
from schemas.modes import Mode

BASE = "https://velos.example"


class Web:
    """Documents by address; what is not there does not answer."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents, self.asked = documents, []  # type: list[str]

    def __call__(self, url: str) -> Any:
        self.asked.append(url)
        if url not in self.documents:
            raise SourceUnreachableError(where=url, reason="nothing there")
        return self.documents[url]


def gbfs(version: str = "2.3", **feeds: Any) -> Web:
    named = {"system_information": {"system_id": "s", "name": "Vélos"}, **feeds}
    listed = [{"name": name, "url": f"{BASE}/{name}"} for name in named]
    data: Any = {"feeds": listed} if version.startswith("3") else {"fr": {"feeds": listed}}
    documents: dict[str, Any] = {f"{BASE}/gbfs.json": {"version": version, "data": data}}
    for name, found in named.items():
        if found is not None:
            documents[f"{BASE}/{name}"] = {"last_updated": 1_763_640_000, "data": found}
    return Web(documents)


def read(web: Web) -> OfferCard:
    return read_gbfs(f"{BASE}/gbfs.json", web)


@pytest.mark.parametrize("version", ["2.3", "3.0"])
def test_both_versions_tell_the_same_offer(sandbox: SandboxSettings, version: str) -> None:
    card = discover(f"{sandbox.base_url}/velos/{version}/gbfs.json", allow_loopback=True)
    assert card.standard == f"gbfs-{version}"
    assert card.name == "Vélos des Corbières (fictif)"
    assert card.modes == (Mode.BIKESHARE, Mode.ESCOOTER)
    assert (card.stations, card.vehicles, card.available) == (3, 5, 9 + 3)
    assert card.bounds == (43.2110, 2.3517, 43.2183, 2.4410)
    [plan] = card.plans
    assert (plan.base, plan.per_minute, plan.minute_interval, plan.currency) == (100, 5, 1, "EUR")
    assert card.at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert card.left_out == ()
    assert json.loads(json.dumps(card.to_json()))["modes"] == ["bikeshare", "escooter"]


def test_tomp_tells_it_too(sandbox: SandboxSettings) -> None:
    card = discover(f"{sandbox.base_url}/tomp", allow_loopback=True)
    assert card.modes == (Mode.BIKESHARE, Mode.ESCOOTER)
    assert (card.stations, card.available) == (3, 12)
    [plan] = card.plans
    assert (plan.base, plan.per_minute, plan.minute_interval) == (100, 5, 1)


def test_nothing_is_counted_that_is_not_published() -> None:
    card = read(gbfs())
    assert (card.stations, card.vehicles, card.available, card.bounds) == (None,) * 4
    assert card.plans == ()
    assert card.modes == ()


def test_a_feed_that_is_not_there_is_told_and_the_others_are_read() -> None:
    card = read(gbfs(station_information=None, vehicle_status={"vehicles": []}))
    assert [(r.where, r.code) for r in card.left_out] == [
        ("/station_information", "source-unreachable")
    ]
    assert (card.stations, card.vehicles) == (None, 0)


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"station_information": {"stations": "many"}}, "not-a-list"),
    ({"station_information": {"stations": [7]}}, "not-an-object"),
    ({"station_information": {"stations": [{"lat": float("nan"), "lon": 2}]}}, "not-a-point"),
    ({"station_information": {"stations": [{"lat": 430, "lon": 2}]}}, "not-a-point"),
    ({"vehicle_types": {"vehicle_types": [{"form_factor": "dragon"}]}}, "mode-unknown"),
    ({"system_pricing_plans": {"plans": [{"price": -1, "currency": "EUR"}]}}, "price-unreadable"),
    (
        {"system_pricing_plans": {"plans": [{"price": 1e308, "currency": "EUR"}]}},
        "price-unreadable",
    ),
    ({"system_pricing_plans": {"plans": [{"price": 1}]}}, "price-unreadable"),
    ({"system_pricing_plans": {"plans": [{"price": 1, "currency": "EUR"}] * 60}}, "too-many"),
    ({"station_status": ["not an object"]}, "source-answer"),
]


@pytest.mark.parametrize(("feeds", "code"), HOSTILE)
def test_what_cannot_be_read_is_named(feeds: dict[str, Any], code: str) -> None:
    card = read(gbfs(**feeds))
    assert {r.code for r in card.left_out} == {code}
    assert all(r.where.startswith("/") for r in card.left_out)


@pytest.mark.parametrize(
    "root",
    [
        [],
        {"version": "1.1", "data": {}},
        {"version": "2.3"},
        {"version": "2.3", "data": {"fr": {"feeds": "x"}}},
        {"version": "3.0", "data": {"feeds": [{}] * 101}},
        {"version": "3.0", "data": {"feeds": [{"name": "vehicle_types", "url": "u"}]}},
    ],
)
def test_what_is_no_gbfs_is_refused(root: Any) -> None:
    with pytest.raises(SourceAnswerError):
        read(Web({f"{BASE}/gbfs.json": root}))


def test_addresses_shown_are_https_and_prices_may_be_texts() -> None:
    card = read(
        gbfs(
            system_information={
                "system_id": "s",
                "name": "x\u202e" * 500,
                "url": "javascript:alert(1)",
                "rental_apps": {"ios": {"store_uri": "http://x"}},
                "timezone": "../../etc",
            },
            system_pricing_plans={"plans": [{"price": "1.50", "currency": "EUR", "name": "P"}]},
        )
    )
    assert (card.link, card.apps, card.zone) == ("", {}, "")
    assert len(card.name) <= 300
    assert "\u202e" not in card.name
    assert card.plans[0].base == 150


@pytest.mark.parametrize("address", ["ftp://x/gbfs.json", "https://a@b/gbfs.json", "gbfs.json", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        discover(address)


def test_a_private_network_is_not_asked(sandbox: SandboxSettings) -> None:
    for address in (
        f"{sandbox.base_url}/velos/2.3/gbfs.json",
        "https://192.168.1.1/gbfs.json",
        "https://169.254.169.254/gbfs.json",
    ):
        with pytest.raises(SourceAnswerError):
            discover(address)


def test_tomp_lists_that_are_none_are_told() -> None:
    base = "https://op.example/tomp/operator"
    card = read_tomp(
        "https://op.example/tomp/",
        Web(
            {
                f"{base}/information": {"systemId": "s", "name": "Op"},
                f"{base}/stations": {"not": "a list"},
                f"{base}/available-assets": [{"assetClass": "DRAGON", "nrAvailable": -4}, 7],
            }
        ),
    )
    assert (card.stations, card.available, card.modes) == (None, None, ())
    assert {r.code for r in card.left_out} == {"not-a-list", "mode-unknown", "source-unreachable"}
    with pytest.raises(SourceAnswerError):
        read_tomp("https://op.example", Web({"https://op.example/operator/information": []}))


# --- GTFS ---------------------------------------------------------------------------------------

FILES = {
    "agency.txt": "\ufeffagency_id,agency_name,agency_url,agency_timezone\n"
    "A,Réseau A,https://a.example,Europe/Paris\nB,Réseau B,http://b.example,Europe/Paris\n",
    "feed_info.txt": "feed_publisher_name,feed_publisher_url,feed_lang,feed_version\n"
    "Syndicat,https://s.example,fr,2026-11\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_long_name,route_type\n"
    "r1,A,1,Gare – Trèbes,3\nr2,B,T,Tram,0\nr3,A,9,Nuit,700\nr4,A,X,Étrange,42\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type\n"
    's1,"Gare, nord",43.2183,2.3517,0\ns2,Trèbes,43.2110,2.4410,\ns3,Entrée,43.2183,2.3517,2\n'
    "s4,Nulle part,abc,2,0\n",
    "trips.txt": "route_id,service_id,trip_id\nr1,w,t1\nr2,w,t2\nr3,w,t3\nr9,w,t9\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,08:00:00,08:00:00,s1,1\nt1,08:20:00,08:20:00,s2,2\nt2,25:00:00,25:00:00,s2,1\n"
    "t3,08:00:00,08:00:00,s9,1\n",
    "calendar.txt": "service_id,monday,start_date,end_date\nw,1,20260901,20261231\n",
    "calendar_dates.txt": "service_id,date,exception_type\nw,20270101,1\nw,20280101,2\nw,x,1\n",
}


def packed(folder: str = "", **changes: Any) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**FILES, **{f"{k}.txt": v for k, v in changes.items()}}.items():
            if text is not None:
                archive.writestr(folder + name, text)
    made.seek(0)
    return made


@pytest.mark.parametrize("folder", ["", "reseau/"])
def test_a_timetable_says_who_runs_what_and_until_when(folder: str) -> None:
    found = read_gtfs(packed(folder))
    assert [(n.name, n.link) for n in found.networks] == [
        ("Réseau A", "https://a.example"),
        ("Réseau B", ""),
    ]
    assert [(line.name, line.mode) for line in found.lines] == [
        ("1", Mode.BUS),
        ("9", Mode.BUS),
        ("X", Mode.UNKNOWN),
        ("T", Mode.TRAM),
    ]
    assert (found.publisher, found.version, found.stops) == ("Syndicat", "2026-11", 3)
    assert (found.since, found.until) == (date(2026, 9, 1), date(2027, 1, 1))
    assert found.left_out == {"calendar_dates.txt: not-a-day": 1, "routes.txt: mode-unknown": 1}


def test_only_lines_that_stop_near_the_place_are_told() -> None:
    found = read_gtfs(packed(), around=Around(43.2110, 2.4410, 500))
    assert [line.id for line in found.lines] == ["r1", "r2"]
    assert found.stops == 1
    assert found.left_out["trips.txt: route-unknown"] == 1
    assert found.left_out["stops.txt: not-a-point"] == 1
    gare = read_gtfs(packed(), around=Around(43.2183, 2.3517, 500))
    assert [line.id for line in gare.lines] == ["r1"]
    assert [network.id for network in gare.networks] == ["A"]
    nowhere = read_gtfs(packed(), around=Around(48.0, 2.0))
    assert (nowhere.lines, nowhere.stops, nowhere.networks) == ((), 0, ())


def bomb() -> io.BytesIO:
    return packed(stops="stop_id\n" + "0" * 30_000_000)


def encrypted() -> io.BytesIO:
    data = bytearray(packed().getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    return io.BytesIO(bytes(data))


def crowd() -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(61):
            archive.writestr(f"{number}.txt", "")
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda: io.BytesIO(b""),
        lambda: io.BytesIO(b"PK\x03\x04" + b"\xff" * 200),
        lambda: io.BytesIO(packed().getvalue()[:-200]),
        bomb,
        encrypted,
        crowd,
        lambda: packed(agency=None),
        lambda: packed(stops=b"stop_id\n\xff\xfe\n"),
        lambda: packed(routes="route_id\n" + "x" * 1_100_000 + "\n"),
        lambda: packed(feed_info="a\n" * 200),
    ],
)
def test_files_made_to_harm_are_refused(make: Callable[[], io.BytesIO]) -> None:
    with pytest.raises(HostileInputError):
        read_gtfs(make())


def test_lines_near_a_place_need_the_stop_times() -> None:
    with pytest.raises(HostileInputError):
        read_gtfs(packed(stop_times=None), around=Around(43.2110, 2.4410))
    with pytest.raises(HostileInputError):
        read_gtfs(packed(stop_times="trip_id\nt1\n"), around=Around(43.2110, 2.4410))
    assert read_gtfs(packed(stop_times=None)).stops == 3


def test_a_member_altered_after_it_was_packed_is_refused() -> None:
    data = bytearray(packed().getvalue())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        offset = archive.getinfo("routes.txt").header_offset
    data[offset + 30 + len("routes.txt") + 5] ^= 0xFF
    with pytest.raises(HostileInputError):
        read_gtfs(io.BytesIO(bytes(data)))
