"""The GeoJSON diary of e-mission: one FeatureCollection a trip, each section a collection of its
own.

What `/timeline/getTrips/<day>` answers, what `diary/trips-*` documents hold, and what Cozy keeps
in `series`.
Source: e-mission-server `emission/net/usercache/formatters`/`gfc.trip_to_geojson`; cozy/coachCO2
README.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.base import UNNAMED, Rejected, identified
from connectors.emission.entries import Reading, local_zone, oid
from connectors.emission.modes import is_not_a_trip, label_mode, section_claim
from connectors.parsing import (
    UnusableError,
    as_object,
    coordinates,
    geojson_point,
    instant,
    interval,
    metres,
    speed,
    text,
)
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TrackPoint, TripObservation
from schemas.records import Place
from schemas.units import Metres


def is_trip(value: Any) -> bool:
    """Whether `value` is a trip of a diary."""
    properties = value.get("properties") if isinstance(value, dict) else None
    return (
        isinstance(properties, dict)
        and value.get("type") == "FeatureCollection"
        and properties.get("feature_type") == "trip"
        and isinstance(value.get("features"), list)
    )


def sections_of(trip: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The section features of a diary trip."""
    return [
        feature
        for collection in trip["features"]
        if isinstance(collection, dict) and isinstance(collection.get("features"), list)
        for feature in collection["features"]
        if isinstance(feature, dict)
    ]


def read_trip(
    trip: Mapping[str, Any], where: str, reading: Reading, *, written_at: datetime | None = None
) -> tuple[TripObservation, tuple[Rejected, ...]]:
    """A diary trip with its legs and track.

    Raises:
        UnusableError: without its interval, zones, ends and distance there is no trip.
    """
    inside = where + "/properties"
    data = as_object(trip.get("properties"), inside)
    started = instant(data.get("start_ts"), inside + "/start_ts", at=reading.at)
    ended = instant(data.get("end_ts"), inside + "/end_ts", at=reading.at)
    interval(started, ended, inside + "/end_ts")
    start_zone = local_zone(data.get("start_local_dt"), inside + "/start_local_dt")
    end_zone = local_zone(data.get("end_local_dt"), inside + "/end_local_dt")
    distance = metres(data.get("distance"), inside + "/distance")
    speed(distance, started, ended, inside + "/distance")
    names = _place_names(trip)
    ends = {}
    for side, zone in (("start", start_zone), ("end", end_zone)):
        lat, lon = geojson_point(data.get(f"{side}_loc"), f"{inside}/{side}_loc", zone=zone)
        ends[side] = Place(lat=lat, lon=lon, label=names.get(f"{side}_place"))

    legs: list[LegObservation] = []
    points: dict[datetime, TrackPoint] = {}
    rejected: list[Rejected] = []
    lost = 0
    for index, section in enumerate(sections_of(trip)):
        place = f"{where}/features/{index}"
        try:
            leg, track, bad = read_section(section, place, reading, start_zone)
        except UnusableError as error:
            rejected.append(error.rejected())
            continue
        legs.append(leg)
        lost += bad
        points.update((point.at, point) for point in track)
    if lost:
        rejected.append(Rejected(where=where + "/features", code=f"points-unusable:{lost}"))
    legs.sort(key=lambda leg: (leg.started_at, leg.ended_at))

    said = data.get("manual_purpose") or data.get("automatic_purpose")
    purpose = text(said, inside) if isinstance(said, str) else None
    manual = data.get("manual_mode")
    observation = TripObservation(
        id=UNNAMED,
        source=reading.source,
        account=reading.account,
        upstream_ids=tuple(
            dict.fromkeys(i for i in (oid(trip.get("id")), oid(data.get("confirmed_trip"))) if i)
        ),
        written_at=written_at,
        started_at=started,
        ended_at=ended,
        start_zone=start_zone,
        end_zone=end_zone,
        origin=ends["start"],
        destination=ends["end"],
        legs=tuple(legs),
        distance=Metres(distance),
        mode_claims=_person(manual),
        purpose=purpose,
        cancelled=isinstance(manual, str) and is_not_a_trip(manual),
        track=tuple(points[moment] for moment in sorted(points)) or None,
    )
    return identified(observation), tuple(rejected)


def read_section(
    section: Mapping[str, Any], where: str, reading: Reading, zone: str
) -> tuple[LegObservation, tuple[TrackPoint, ...], int]:
    """A section as (leg, track, unusable points)."""
    inside = where + "/properties"
    data = as_object(section.get("properties"), inside)
    started = instant(data.get("start_ts"), inside + "/start_ts", at=reading.at)
    ended = instant(data.get("end_ts"), inside + "/end_ts", at=reading.at)
    interval(started, ended, inside + "/end_ts")
    distance = metres(data.get("distance"), inside + "/distance")
    speed(distance, started, ended, inside + "/distance")
    geometry = section.get("geometry")
    shape = geometry.get("coordinates") if isinstance(geometry, dict) else None
    times = data.get("times")
    track: list[TrackPoint] = []
    lost = 0
    if isinstance(shape, list) and isinstance(times, list):
        lost = abs(len(shape) - len(times))
        for pair, moment in zip(shape, times, strict=False):
            try:
                if not isinstance(pair, list) or len(pair) < 2:
                    raise UnusableError("not-a-point", where)
                lat, lon = coordinates(pair[1], pair[0], where, zone=zone)
                track.append(TrackPoint(at=instant(moment, where, at=reading.at), lat=lat, lon=lon))
            except UnusableError:
                lost += 1
    manual = data.get("manual_mode")
    leg = LegObservation(
        mode_claims=(section_claim(None, data.get("sensed_mode")), *_person(manual)),
        distance=Metres(distance),
        started_at=started,
        ended_at=ended,
        origin=Place(lat=track[0].lat, lon=track[0].lon) if track else None,
        destination=Place(lat=track[-1].lat, lon=track[-1].lon) if track else None,
        upstream_id=oid(section.get("id")),
    )
    return leg, tuple(track), lost


COZY_MODES = {
    "BICYCLING_ELECTRIC": "ebike",
    "BUS_ELECTRIC": "bus",
    "TRAMWAY": "tram",
    "CAR_ELECTRIC": "car",
    "CARPOOL_ELECTRIC": "carpool",
    "SCOOTER_ELECTRIC": "e-scooter",
    "MOTO_INF_250": "moped",
    "MOTO_SUP_250": "motorcycle",
    "BICYCLING": "bike",
    "WALKING": "walk",
    "ON_FOOT": "walk",
    "RUNNING": "run",
    "SUBWAY": "subway",
    "PLANE": "plane",
}
"""CoachCO2's manual modes to label words; the others are words already."""


def _person(manual: Any) -> tuple[ModeClaim, ...]:
    if not isinstance(manual, str):
        return ()
    word = manual.rpartition(".")[2]
    mode = label_mode(COZY_MODES.get(word, word))
    return (ModeClaim(mode=mode, by=ClaimBy.PERSON, confidence=None),) if mode else ()


def _place_names(trip: Mapping[str, Any]) -> dict[str, str]:
    names = {}
    for feature in trip["features"]:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if isinstance(properties, dict) and isinstance(properties.get("display_name"), str):
            kind = properties.get("feature_type")
            if kind in {"start_place", "end_place"}:
                names[kind] = text(properties["display_name"], "")
    return names


__all__ = ["is_trip", "read_section", "read_trip", "sections_of"]
