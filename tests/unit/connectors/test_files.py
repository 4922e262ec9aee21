"""Files people have: each shape of each format, cut short, spoiled, hostile, in bounded memory."""

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Page
from connectors.cozy.spreadsheet import CoachCo2Csv
from connectors.errors import HostileInputError, MappingError, UnknownFormatError
from connectors.files.archive import member_bytes, opened, tables
from connectors.files.streaming import json_items
from connectors.mapping import MappedFile, MappingFile, mappings, propose
from connectors.registry import importers
from connectors.runner import choose
from schemas.modes import Mode
from schemas.observations import TripObservation

AT = datetime(2026, 11, 22, tzinfo=UTC)
START = datetime(2026, 11, 10, 7, 0, tzinfo=UTC)


def read(data: bytes) -> tuple[str, list[TripObservation], list[Page]]:
    stream = io.BytesIO(data)
    importer = choose(stream, importers())
    pages = list(importer.read(stream, account="a", at=AT))
    trips = [o for page in pages for o in page.records if isinstance(o, TripObservation)]
    return importer.name, trips, pages


def ride() -> Iterator[tuple[datetime, float, float]]:
    """Home, a ride of 6 km north in 20 minutes, an hour there."""
    for i in range(20):
        yield START + timedelta(seconds=30 * i), 48.85, 2.35
    for i in range(120):
        yield START + timedelta(seconds=600 + 10 * i), 48.85 + 50 * i / 111_195, 2.35
    for i in range(40):
        yield START + timedelta(seconds=1800 + 30 * i), 48.85 + 5950 / 111_195, 2.35


def z(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


ROWS = list(ride())
ANDROID = {
    "semanticSegments": [
        {
            "startTime": z(START),
            "endTime": z(START + timedelta(hours=2)),
            "timelinePath": [{"point": f"{lat}°, {lon}°", "time": z(at)} for at, lat, lon in ROWS],
        },
        {
            "startTime": "2026-11-10T08:10:00.000+01:00",
            "endTime": "2026-11-10T08:30:00.000+01:00",
            "activity": {
                "start": {"latLng": "48.8500000°, 2.3500000°"},
                "end": {"latLng": "48.9035000°, 2.3500000°"},
                "distanceMeters": 5950.2,
                "topCandidate": {"type": "CYCLING", "probability": 0.93},
            },
        },
        {"startTime": z(START), "endTime": z(START), "visit": {"topCandidate": {}}},
    ],
    "rawSignals": [{"wifiScan": {}}],
    "userLocationProfile": {"frequentPlaces": []},
}
IPHONE = [
    {
        "startTime": "2026-11-10T08:10:00.000+01:00",
        "endTime": "2026-11-10T08:30:00.000+01:00",
        "activity": {
            "start": "geo:48.850000,2.350000",
            "end": "geo:48.903500,2.350000",
            "distanceMeters": "5950.2",
            "topCandidate": {"type": "in train", "probability": "0.41"},
        },
    },
    {
        "startTime": "2026-11-10T08:00:00.000+01:00",
        "endTime": "2026-11-10T10:00:00.000+01:00",
        "timelinePath": [
            {
                "point": f"geo:{lat},{lon}",
                "durationMinutesOffsetFromStartTime": str((at - START).total_seconds() / 60),
            }
            for at, lat, lon in ROWS
        ],
    },
]
TAKEOUT = {
    "timelineObjects": [
        {
            "activitySegment": {
                "startLocation": {"latitudeE7": 488500000, "longitudeE7": 23500000},
                "endLocation": {"latitudeE7": 489035000, "longitudeE7": 23500000},
                "duration": {
                    "startTimestamp": "2026-11-10T07:10:00Z",
                    "endTimestampMs": str(int((START.timestamp() + 1800) * 1000)),
                },
                "distance": 5950,
                "activityType": "IN_BUS",
                "confidence": "MEDIUM",
            }
        },
        {"activitySegment": {"startLocation": {}, "endLocation": {}, "duration": {
            "startTimestamp": "2026-11-10T07:10:00Z", "endTimestamp": "2026-11-10T07:20:00Z"}}},
        {"placeVisit": {}},
    ]
}  # fmt: skip
RECORDS = {
    "locations": [
        {
            "latitudeE7": round(lat * 1e7),
            "longitudeE7": round(lon * 1e7),
            "accuracy": 12,
            "timestamp": z(at),
        }
        for at, lat, lon in ROWS
    ]
}


def gpx(kind: str = "") -> bytes:
    points = "".join(
        f'<trkpt lat="{lat}" lon="{lon}"><ele>3</ele><time>{z(at)}</time></trkpt>'
        for at, lat, lon in ROWS
    )
    return (
        '<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1">'
        f'<wpt lat="1" lon="2"/><trk><type>{kind}</type><trkseg>{points}</trkseg></trk></gpx>'
    ).encode()


def tcx() -> bytes:
    points = "".join(
        f"<Trackpoint><Time>{z(at)}</Time><Position><LatitudeDegrees>{lat}</LatitudeDegrees>"
        f"<LongitudeDegrees>{lon}</LongitudeDegrees></Position></Trackpoint>"
        for at, lat, lon in ROWS
    )
    return (
        f'<TrainingCenterDatabase><Activities><Activity Sport="Biking"><Lap><Track>{points}'
        "</Track></Lap></Activity></Activities></TrainingCenterDatabase>"
    ).encode()


def kml() -> bytes:
    whens = "".join(f"<when>{z(at)}</when>" for at, _, _ in ROWS)
    coords = "".join(f"<gx:coord>{lon} {lat} 0</gx:coord>" for _, lat, lon in ROWS)
    return (
        '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2">'
        f"<Placemark><gx:Track>{whens}{coords}</gx:Track></Placemark></kml>"
    ).encode()


def fit() -> bytes:
    """An activity as a watch writes it: a session that names the sport, then records."""
    epoch = datetime(1989, 12, 31, tzinfo=UTC)

    def definition(local: int, message: int, fields: tuple[tuple[int, int, int], ...]) -> bytes:
        shapes = b"".join(bytes(field) for field in fields)
        return struct.pack("<BBBHB", 0x40 | local, 0, 0, message, len(fields)) + shapes

    body = definition(0, 18, ((253, 4, 0x86), (5, 1, 0x00)))  # session: timestamp, sport
    body += struct.pack("<BIB", 0, int((START - epoch).total_seconds()), 2)  # 2: cycling
    body += definition(1, 20, ((253, 4, 0x86), (0, 4, 0x85), (1, 4, 0x85)))  # record
    for at, lat, lon in ROWS:
        semicircles = [round(degrees * 2**31 / 180) for degrees in (lat, lon)]
        body += struct.pack("<BIii", 1, int((at - epoch).total_seconds()), *semicircles)
    header = struct.pack("<BBHI4s", 12, 0x20, 2140, len(body), b".FIT")
    return header + body + b"\x00\x00"


def geojson() -> bytes:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [lon, lat]},
                    "properties": {"timestamp": at.timestamp()},
                }
                for at, lat, lon in ROWS
            ],
        }
    ).encode()


def rec() -> bytes:
    lines = [
        f"{z(at)}\t*                 \t"
        + json.dumps({"_type": "location", "tst": int(at.timestamp()), "lat": lat, "lon": lon})
        for at, lat, lon in ROWS
    ]
    lines.insert(3, f'{z(START)}\t*\t{{"_type":"transition"}}')
    lines.insert(5, f"{z(START)}\t*\tnot json")
    return "\n".join(lines).encode()


COACH = (
    "Trip_Id,Trip_Start_Display_Name,Trip_Arrival_Display_Name,Trip_Purpose,Trip_Start_Date,"
    "Trip_End_Date,Section_Start_Date,Section_End_Date,Section_Duration,Section_Distance,"
    "Section_Mode,Section_Coordinates,Section_Distances,Section_Timestamps,Section_Speeds\n"
    '"abc","Ici","Là","WORK",'
    '"Tue Nov 10 2026 08:10:00 GMT+0100 (heure normale d\'Europe centrale)",'
    '"Tue Nov 10 2026 08:30:00 GMT+0100 (CET)","Tue Nov 10 2026 08:10:00 GMT+0100 (CET)",'
    '"Tue Nov 10 2026 08:30:00 GMT+0100 (CET)","1200","5950","BICYCLING",'
    '"2.35,48.85,2.35,48.9035",",5950","1794294600000,1794295800000",""\n'
)


@pytest.mark.parametrize(
    ("data", "name", "modes"),
    [
        (json.dumps(ANDROID).encode(), "google-timeline", [Mode.BICYCLE]),
        (
            json.dumps(ANDROID, ensure_ascii=False).encode("utf-8-sig"),
            "google-timeline",
            [Mode.BICYCLE],
        ),
        (json.dumps(IPHONE).encode(), "google-timeline", [Mode.TRAIN]),
        (json.dumps(TAKEOUT).encode(), "google-timeline", [Mode.BUS]),
        (json.dumps(RECORDS).encode(), "google-timeline", [Mode.BICYCLE]),
        (gpx(), "gpx", [Mode.BICYCLE]),
        (gpx("cycling"), "gpx", [Mode.BICYCLE]),
        (tcx(), "tcx", [Mode.BICYCLE]),
        (kml(), "kml", [Mode.BICYCLE]),
        (geojson(), "geojson", [Mode.BICYCLE]),
        (fit(), "fit", [Mode.BICYCLE]),
        (rec(), "owntracks-rec", [Mode.BICYCLE]),
        (COACH.encode(), "coachco2-csv", [Mode.BICYCLE]),
    ],
)  # fmt: skip
def test_each_shape_gives_its_trip(data: bytes, name: str, modes: list[Mode]) -> None:
    found, trips, _ = read(data)
    assert found == name
    assert [(trip.mode_claims or trip.legs[0].mode_claims)[0].mode for trip in trips] == modes
    [trip] = trips
    assert abs((trip.started_at - START).total_seconds() - 600) < 120
    assert abs((trip.distance or 0) - 5950) < 250
    assert trip.start_zone == "Europe/Paris"
    again = read(data)[1]
    assert [t.id for t in again] == [t.id for t in trips]


def test_google_s_activity_carries_the_path_that_runs_through_it() -> None:
    for document in (ANDROID, IPHONE):
        [trip] = read(json.dumps(document).encode())[1]
        assert trip.track is not None and len(trip.track) > 100


def test_google_says_the_same_thing_three_times_and_it_is_one_trip() -> None:
    tripled = {**ANDROID, "semanticSegments": ANDROID["semanticSegments"] * 3}
    assert len(read(json.dumps(tripled).encode())[1]) == 1


def test_old_exports_wrote_negative_numbers_as_large_ones() -> None:
    west = {
        "locations": [
            {**row, "longitudeE7": round(-61.5 * 1e7) + (1 << 32), "latitudeE7": row["latitudeE7"]}
            for row in RECORDS["locations"]
        ]
    }
    [trip] = read(json.dumps(west).encode())[1]
    assert trip.origin is not None and trip.origin.lon == pytest.approx(-61.5)


def test_what_stands_before_a_cut_is_kept() -> None:
    data = json.dumps(RECORDS).encode()
    _, trips, pages = read(data[: len(data) * 2 // 3])
    assert trips
    assert [r.code for page in pages for r in page.rejected] == ["truncated"]
    whole = gpx()
    _, trips, pages = read(whole[: len(whole) * 2 // 3])
    assert trips
    assert [r.code for page in pages for r in page.rejected] == ["truncated"]


def test_points_without_a_time_are_counted_not_guessed() -> None:
    data = gpx().replace(b"<time>", b"<nottime>").replace(b"</time>", b"</nottime>")
    _, trips, pages = read(data)
    assert trips == []
    assert pages[0].skipped == {"point: without-time": len(ROWS)}


def test_a_document_type_in_xml_is_refused() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        b"<gpx>&b;</gpx>"
    )
    with pytest.raises(HostileInputError, match="document type"):
        read(bomb)


@pytest.mark.parametrize(
    "data",
    [
        b"<gpx>" + b"<a>" * 100_000,
        b'{"semanticSegments":' + b"[" * 100_000,
        b'{"locations":[{"latitudeE7":' + b"9" * 6_000_000 + b"}]}",
        b"<gpx><name>" + b"x" * 6_000_000,
    ],
)
def test_made_to_harm_is_refused_or_cut(data: bytes) -> None:
    try:
        _, trips, _ = read(data)
    except (HostileInputError, UnknownFormatError):
        return
    assert trips == []


def test_a_large_history_stays_small_in_memory() -> None:
    item = json.dumps(RECORDS["locations"][0]).encode()

    class Endless(io.RawIOBase):
        left = 120_000

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            if self.left == 120_000:
                self.left -= 1
                return b'{"locations":[' + item
            if self.left <= 0:
                return b""
            count = min(self.left, 5_000)
            self.left -= count
            return (b"," + item) * count + (b"]}" if self.left <= 0 else b"")

    tracemalloc.start()
    seen = sum(1 for _ in json_items(Endless()))  # type: ignore[arg-type]  # a stream that reads
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 120_000
    assert peak < 30_000_000


def test_a_zip_is_read_through_and_a_bomb_is_not() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Takeout/lisez-moi.html", "<html></html>")
        archive.writestr("Takeout/Records.json", json.dumps(RECORDS))
        archive.writestr("Takeout/Semantic/2026_NOVEMBER.json", json.dumps(TAKEOUT))
    names = [name for name, _ in opened(io.BytesIO(made.getvalue()))]
    assert names == ["Takeout/Records.json", "Takeout/Semantic/2026_NOVEMBER.json"]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b'{"locations":[' + b" " * 300_000_000 + b"]}")
    with pytest.raises(HostileInputError, match="ratio"):
        for _, stream in opened(io.BytesIO(bomb.getvalue())):
            while stream.read(1 << 20):
                pass


TABLE = (
    "Date départ;Date arrivée;Mode de transport;Distance (km);Motif\r\n"
    "10/11/2026 08:10;10/11/2026 08:30;Vélo;5,95;travail\r\n"
    "10/11/2026 18:00;10/11/2026 18:25;Trottinette volante;6,1;\r\n"
    "hier;10/11/2026 18:25;Vélo;6,1;\r\n"
)


def test_an_unknown_table_is_proposed_a_mapping() -> None:
    found = propose(TABLE.encode("cp1252"))
    assert found.mapping is not None
    assert found.mapping.encoding == "cp1252"
    fields = found.mapping.fields
    assert fields["startedAt"].format == "%d/%m/%Y %H:%M" or fields["startedAt"].source
    assert fields["distance"].unit == "km"
    assert found.modes == ("Vélo", "Trottinette volante")


def test_a_mapping_reads_units_words_and_the_zone() -> None:
    document = propose(TABLE.replace("hier", "10/11/2026 18:00").encode()).draft
    fields = {
        **document["fields"],
        "mode": {"from": ["Mode de transport"], "values": {"Trottinette volante": "escooter"}},
    }
    mapping = MappingFile.parse({**document, "fields": fields})
    assert MappingFile.parse(mapping.to_json()) == mapping
    pages = list(MappedFile(mapping).read(io.BytesIO(TABLE.encode()), account="a", at=AT))
    trips = [o for p in pages for o in p.records if isinstance(o, TripObservation)]
    assert [t.mode_claims[0].mode for t in trips] == [Mode.BICYCLE, Mode.ESCOOTER]
    assert trips[0].distance == 5950
    assert trips[0].started_at == datetime(2026, 11, 10, 7, 10, tzinfo=UTC)
    assert [(r.where, r.code) for p in pages for r in p.rejected] == [
        ("/4/startedAt", "not-a-time")
    ]


def test_json_of_an_operator_is_mapped_by_pointers() -> None:
    data = json.dumps(
        {
            "meta": {"n": 1},
            "trajets": [
                {
                    "ref": "r1",
                    "debut": {"date": 1794294600, "lieu": {"lat": 48.85, "lon": 2.35}},
                    "duree": 20,
                    "distance": 5.95,
                    "mode": "velo",
                }
            ],
        }
    ).encode()
    mapping = MappingFile.parse(
        {
            "mapping": 1,
            "name": "operateur-x",
            "title": "Opérateur X",
            "kind": "trips",
            "rows": {"type": "json", "items": "/trajets"},
            "timeZone": "Europe/Paris",
            "detect": ["trajets", "debut"],
            "fields": {
                "startedAt": {"from": "/debut/date", "format": "epoch"},
                "duration": {"from": "duree", "unit": "min"},
                "distance": {"from": "distance", "unit": "km"},
                "mode": {"from": "mode"},
                "originLat": {"from": "/debut/lieu/lat"},
                "originLon": {"from": "/debut/lieu/lon"},
                "id": {"from": "ref"},
            },
        }
    )
    importer = MappedFile(mapping)
    assert importer.sniff(data)
    [page] = importer.read(io.BytesIO(data), account="a", at=AT)
    [trip] = page.records
    assert isinstance(trip, TripObservation)
    assert (trip.distance, trip.upstream_ids) == (5950, ("r1",))
    assert trip.ended_at - trip.started_at == timedelta(minutes=20)
    assert propose(data).draft["rows"]["items"] == "/trajets"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"mapping": 2}, "/mapping"),
        ({"name": "../x"}, "/name"),
        ({"kind": "secrets"}, "/kind"),
        ({"timeZone": "Mars/Olympus"}, "/timeZone"),
        ({"rows": {"type": "xls"}}, "/rows/type"),
        ({"rows": {"type": "csv", "delimiter": "abc"}}, "/rows/delimiter"),
        ({"fields": {}}, "/fields/startedAt"),
        ({"fields": {"password": {"from": "x"}}}, "/fields/password"),
        ({"fields": {"distance": {"from": "x", "unit": "leagues"}}}, "/fields/distance/unit"),
        ({"fields": {"mode": {"from": "x", "values": {"a": "rocket"}}}}, "/fields/mode/values"),
    ],
)
def test_a_mapping_that_is_wrong_names_its_place(change: dict[str, Any], where: str) -> None:
    good = propose(TABLE.replace("hier", "10/11/2026 18:00").encode()).draft
    with pytest.raises(MappingError) as error:
        MappingFile.parse({**good, **change})
    assert error.value.where == where


def test_the_package_s_own_mappings_are_whole_and_detected() -> None:
    found = mappings()
    assert found
    data = (
        "Départ;Arrivée;Mode;Distance (km);Motif\n"
        "10/11/2026 08:10;10/11/2026 08:30;Vélo;5,95;travail\n"
    ).encode("utf-8-sig")
    name, [trip], _ = read(data)
    assert name == "modele-tableur"
    assert trip.purpose == "travail"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([json.dumps(ANDROID).encode(), json.dumps(IPHONE).encode(), gpx(), tcx(),
                        kml(), rec(), COACH.encode(), geojson(), fit(), TABLE.encode(),
                        json.dumps(TAKEOUT).encode()]),
       st.data())  # fmt: skip
def test_flipped_and_cut_files_give_trips_or_a_typed_error(
    data: bytes, more: st.DataObject
) -> None:
    cut = data[: more.draw(st.integers(0, min(len(data), 3_000)))]
    changed = bytearray(cut)
    for _ in range(more.draw(st.integers(0, 4))):
        if changed:
            place = more.draw(st.integers(0, len(changed) - 1))
            changed[place] = more.draw(st.integers(0, 255))
    try:
        _, trips, pages = read(bytes(changed))
    except (HostileInputError, UnknownFormatError):
        return
    assert all(trip.started_at <= trip.ended_at for trip in trips)
    assert all(r.code for page in pages for r in page.rejected)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_proposal_or_a_typed_error(data: bytes) -> None:
    try:
        propose(data)
    except HostileInputError:
        return


@pytest.mark.parametrize("importer", [i.name for i in importers()])
def test_every_importer_survives_the_hostile_source(importer: str) -> None:
    from connectors.conformance import survives_hostile_files

    [found] = [i for i in importers() if i.name == importer]
    survives_hostile_files(found, at=AT)


assert CoachCo2Csv().name == "coachco2-csv"


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_the_tables_of_an_answer_are_listed_and_one_is_read_within_bounds() -> None:
    data = packed(
        {
            "a/Trajets.CSV": b"x;y\n1;2\n",
            "../../etc/passwd.json": b"[]",
            "photo.jpg": b"\xff\xd8",
            "__MACOSX/._Trajets.csv": b"",
            "vide/": b"",
        }
    )
    found = tables(data)
    assert [(m.number, m.name, m.size) for m in found] == [
        (0, "Trajets.CSV", 8),
        (1, "passwd.json", 2),
    ]
    assert member_bytes(data, 0, limit=100) == ("Trajets.CSV", b"x;y\n1;2\n")
    assert [m.name for m in tables(b"a;b\n1;2\n")] == [""], "a file that is no ZIP is itself"
    assert tables(b"%PDF-1.7") == []
    assert tables(b"\x00\x01\x02\x03") == []


@pytest.mark.parametrize(
    ("data", "number", "limit"),
    [
        (packed({"a.csv": b"x" * 200}), 0, 100),
        (packed({"a.csv": b"0" * 5_000_000}), 0, 10_000_000),  # packed a thousand times
        (packed({"a.csv": b"x"}), 7, 100),
        (packed({"a.csv": b"x" * 99})[:-30], 0, 100),
    ],
    ids=["large", "bomb", "no-member", "broken"],
)
def test_a_member_that_cannot_be_is_refused(data: bytes, number: int, limit: int) -> None:
    with pytest.raises(HostileInputError):
        member_bytes(data, number, limit=limit)


def test_a_carriage_return_inside_the_header_is_no_table() -> None:
    with pytest.raises(UnknownFormatError):
        read(TABLE.encode().split(b"\n", 1)[0] + b"\x00")
