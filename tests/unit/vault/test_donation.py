"""A trace given away: what is cut, blurred and left out, and what a reader can still not learn."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import cos, hypot, radians

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.evidence import Evidence
from schemas.ids import Iri, mint_iri
from schemas.modes import Mode
from schemas.records import NamedPlace, Place, PlaceRole, Trip
from schemas.units import Metres
from vault.donation import RADII, Coarseness, Donation, Licence, Terms, new_pseudonym, prepare

HOME, WORK = (43.2109, 2.4420), (43.2128, 2.3536)
SECRET = bytes(range(32))
START = datetime(2026, 11, 18, 6, 47, 13, tzinfo=UTC)
Track = list[tuple[datetime, float, float]]


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (other[1] - one[1]) * cos(radians(one[0]))
    return hypot(other[0] - one[0], east) * 111_195


def straight(
    start: tuple[float, float] = HOME, end: tuple[float, float] = WORK, *, at: datetime = START
) -> Track:
    return [
        (
            at + timedelta(seconds=5 * n),
            start[0] + (end[0] - start[0]) * n / 300,
            start[1] + (end[1] - start[1]) * n / 300,
        )
        for n in range(301)
    ]


def trip(track: Track, mode: Mode = Mode.BICYCLE) -> Trip:
    return Trip(
        id=mint_iri(),
        started_at=track[0][0],
        ended_at=track[-1][0],
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=Place(lat=track[0][1], lon=track[0][2], label="Chez Camille"),
        distance=Metres(8_000),
        mode=mode,
        evidence=Evidence.SENSED,
        mode_evidence=Evidence.SENSED,
        purpose="work",
    )


def places(*roles: PlaceRole) -> list[NamedPlace]:
    where = {PlaceRole.HOME: HOME, PlaceRole.WORK: WORK}
    return [
        NamedPlace(
            id=Iri(f"urn:uuid:00000000-0000-4000-8000-00000000000{n}"),
            role=role,
            lat=where[role][0],
            lon=where[role][1],
        )
        for n, role in enumerate(roles)
    ]


BOTH = places(PlaceRole.HOME, PlaceRole.WORK)


def terms(**changes: object) -> Terms:
    values = {"since": date(2026, 11, 1), "until": date(2026, 11, 30), "pseudonym": "bacodi-07"}
    return Terms(**{**values, **changes})  # type: ignore[arg-type]  # a test's choices


def gift(
    tracks: Sequence[Track], own: Sequence[NamedPlace] = tuple(BOTH), **changes: object
) -> Donation:
    trips = [trip(track) for track in tracks]
    held = dict(zip((t.id for t in trips), tracks, strict=True))
    return prepare(trips, lambda t: held[t.id], own, terms(**changes), secret=SECRET)


@pytest.mark.parametrize("radius", RADII)
def test_nothing_is_told_within_half_the_radius_of_home_or_work(radius: int) -> None:
    made = gift([straight(), straight(WORK, HOME)], radius=radius, every_end=False)
    assert len(made.traces) == 2
    told = [(lat, lon) for trace in made.traces for piece in trace.pieces for _, lat, lon in piece]
    for place in (HOME, WORK):
        assert min(metres(place, point) for point in told) > radius / 2
    assert made.hidden > 0


def test_a_track_that_passes_by_home_is_cut_there_too() -> None:
    beyond = (HOME[0] + (HOME[0] - WORK[0]) * 0.5, HOME[1] + (HOME[1] - WORK[1]) * 0.5)
    track = straight(WORK, HOME) + straight(HOME, beyond, at=START + timedelta(seconds=1505))
    [trace] = gift([track], every_end=False).traces
    assert len(trace.pieces) == 2
    told = [(lat, lon) for piece in trace.pieces for _, lat, lon in piece]
    assert min(metres(HOME, point) for point in told) > 150


def test_a_circle_is_not_centred_on_its_place_and_is_the_same_at_each_gift() -> None:
    around = [
        straight(HOME, (HOME[0] + 0.03 * a, HOME[1] + 0.04 * b))
        for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
    ]
    made = gift(around, places(PlaceRole.HOME), every_end=False, radius=500)
    rims = [trace.pieces[0][0][1:] for trace in made.traces]
    centre = (sum(lat for lat, _ in rims) / 8, sum(lon for _, lon in rims) / 8)
    assert metres(centre, HOME) > 20, "the rims give the home away"
    again = gift(around, places(PlaceRole.HOME), every_end=False, radius=500)
    assert again.geojson() == made.geojson()
    other = prepare([], lambda _: [], places(PlaceRole.HOME), terms(radius=500), secret=b"x" * 32)
    assert other.traces == ()


def test_a_vault_that_knows_no_place_cuts_every_end() -> None:
    [trace] = gift([straight()], (), every_end=False).traces
    told = [(lat, lon) for piece in trace.pieces for _, lat, lon in piece]
    for end in (HOME, WORK):
        assert min(metres(end, point) for point in told) > 150


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (Coarseness.HOUR, "2026-11-18T07"),
        (Coarseness.DAY, "2026-11-18"),
        (Coarseness.WEEK, "2026-W47"),
    ],
)
def test_times_are_as_coarse_as_chosen(times: Coarseness, told: str) -> None:
    made = gift([straight()], times=times)
    [trace] = made.traces
    assert trace.started == told
    assert trace.pieces[0][0][0] == 0
    text = made.geojson().decode()
    for exact in ("06:47", "07:47", str(int(START.timestamp()))[:7]):
        assert exact not in text


def test_the_file_says_nothing_of_the_person_but_the_road() -> None:
    made = gift([straight(), straight(WORK, HOME)], licence=Licence.CC0)
    document = json.loads(made.geojson())
    assert document["licence"] == "CC0-1.0"
    assert document["contributor"] == "bacodi-07"
    text = made.geojson().decode()
    for hidden in ("urn:uuid", "Camille", "work", "sensed", "tracemob", "Europe/Paris"):
        assert hidden not in text
    assert [set(f["properties"]) for f in document["features"]] == [
        {"started", "mode", "distance", "seconds"}
    ] * 2


def test_what_is_left_out_is_counted() -> None:
    door = (HOME[0] + 0.002, HOME[1])
    made = gift([straight(), straight(HOME, door)])
    assert (made.trips, len(made.traces), made.too_short, made.without_track) == (2, 1, 1, 0)
    bare = prepare([trip(straight())], lambda _: [], BOTH, terms(), secret=SECRET)
    assert (bare.without_track, bare.traces) == (1, ())


def test_the_receipt_names_the_file_by_its_digest() -> None:
    made = gift([straight()])
    receipt = made.receipt(at=START)
    assert receipt["traces"] == 1
    assert receipt["licence"] == "ODbL-1.0"
    assert receipt == made.receipt(at=START)
    assert receipt["sha256"] != gift([straight()], radius=500).receipt(at=START)["sha256"]


def test_only_the_radii_offered_are_taken() -> None:
    with pytest.raises(ValueError, match="radius"):
        terms(radius=250)


def test_pseudonyms_say_nothing_and_differ() -> None:
    dice = random.Random(1)
    names = {new_pseudonym(dice) for _ in range(50)}
    assert len(names) > 45


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03)), min_size=0, max_size=40),
    st.sampled_from(RADII),
    st.booleans(),
    st.binary(min_size=32, max_size=32),
)
def test_no_walk_whatever_tells_a_point_near_home(
    steps: list[tuple[float, float]], radius: int, every_end: bool, secret: bytes
) -> None:
    track = [
        (START + timedelta(seconds=10 * n), HOME[0] + lat, HOME[1] + lon)
        for n, (lat, lon) in enumerate(steps)
    ]
    made = prepare(
        [trip(track)] if track else [],
        lambda _: track,
        places(PlaceRole.HOME),
        terms(radius=radius, every_end=every_end),
        secret=secret,
    )
    for trace in made.traces:
        assert all(len(piece) > 1 for piece in trace.pieces)
        for piece in trace.pieces:
            for _, lat, lon in piece:
                assert metres(HOME, (lat, lon)) > radius / 2 - 2
