"""A document of `io.cozy.timeseries.geojson`: read into observations, and written from a trip.

Source: cozy/cozy-doctypes `docs/io.cozy.timeseries.md` (whose own example has latitude first:
refused here as swapped, CoachCO2's data are longitude first) and cozy/coachCO2 README. `series`
holds e-mission diary trips, so ids survive and the same trip from Tracemob merges.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from connectors.base import Rejected, identified
from connectors.emission import geojson
from connectors.emission.entries import Reading
from connectors.parsing import UnusableError, iso_instant, text
from schemas.ids import Iri
from schemas.modes import Mode
from schemas.observations import Observation, TripObservation
from schemas.records import Leg, Place, Trip, zone

SOURCE: Final = "cozy"
OURS: Final = "mobility-vault-"
"""Beginning of the ids of documents that a vault wrote; they are not read back."""
ORIGIN: Final = "coffre-de-mobilite"
"""`source` of the documents that a vault writes."""
_KNOWN_ORIGINS: Final = frozenset({"agremob.com", "cozy.io"})
"""`source` of real documents: Tracemob of La Rochelle, and Cozy's own OpenPATH."""


def read_document(
    where: str,
    document: Any,
    reading: Reading,
    records: list[Observation],
    rejected: list[Rejected],
) -> None:
    """One observation for each trip of the document's `series`; what cannot be is named."""
    if not isinstance(document, dict):
        rejected.append(Rejected(where=where, code="not-an-object"))
        return
    series = document.get("series")
    if not isinstance(series, list):
        rejected.append(Rejected(where=where, code="no-series"))
        return
    written_at = _written(document, reading.at)
    for index, trip in enumerate(series):
        place = f"{where}/series/{index}"
        if not geojson.is_trip(trip):
            rejected.append(Rejected(where=place, code="not-a-trip"))
            continue
        try:
            observation, bad = geojson.read_trip(trip, place, reading, written_at=written_at)
        except UnusableError as error:
            rejected.append(error.rejected())
            continue
        records.append(_with_origin(observation, document, alone=len(series) == 1))
        rejected.extend(bad)


def is_ours(document: Any) -> bool:
    """Whether a vault wrote it there."""
    identity = document.get("_id") if isinstance(document, dict) else None
    return isinstance(identity, str) and identity.startswith(OURS)


def _written(document: Mapping[str, Any], at: datetime) -> datetime | None:
    """When the Cozy last wrote it: of two versions, the later one speaks."""
    metadata = document.get("cozyMetadata")
    if not isinstance(metadata, dict):
        return None
    try:
        return iso_instant(metadata.get("updatedAt"), "", at=at)
    except UnusableError:
        return None


def _with_origin(
    observation: TripObservation, document: Mapping[str, Any], *, alone: bool
) -> TripObservation:
    extra: dict[str, Any] = dict(observation.extra)
    origin = document.get("source")
    if isinstance(origin, str) and origin in _KNOWN_ORIGINS:
        extra["cozy:source"] = origin
    purpose = observation.purpose
    aggregation = document.get("aggregation")
    if purpose is None and isinstance(aggregation, dict):
        said = aggregation.get("purpose")
        purpose = text(said, "") if isinstance(said, str) and said != "OTHER_PURPOSE" else None
    identity = document.get("_id")
    ids = observation.upstream_ids
    # The document's id names a trip only where it holds no other one.
    if alone and isinstance(identity, str) and 0 < len(identity) <= 64 and identity not in ids:
        ids = (*ids, identity)
    return identified(replace(observation, purpose=purpose, upstream_ids=ids, extra=extra))


# --- written ----------------------------------------------------------------------------------

_SENSED: Final[Mapping[Mode, str]] = {
    Mode.WALK: "WALKING",
    Mode.BICYCLE: "BICYCLING",
    Mode.EBIKE: "BICYCLING",
    Mode.BIKESHARE: "BICYCLING",
    Mode.BUS: "BUS",
    Mode.TRAIN: "TRAIN",
    Mode.METRO: "SUBWAY",
    Mode.TRAM: "TRAM",
    Mode.CAR: "CAR",
    Mode.CARPOOL: "CAR",
    Mode.CARSHARE: "CAR",
    Mode.TAXI: "CAR",
    Mode.PLANE: "AIR_OR_HSR",
    Mode.AIR_OR_HSR: "AIR_OR_HSR",
}
"""`PredictedModeTypes` of a mode; what has none is `UNKNOWN` there."""
_MANUAL: Final[Mapping[Mode, str]] = {
    Mode.WALK: "WALKING",
    Mode.BICYCLE: "BICYCLING",
    Mode.EBIKE: "BICYCLING_ELECTRIC",
    Mode.BIKESHARE: "BICYCLING",
    Mode.ESCOOTER: "SCOOTER_ELECTRIC",
    Mode.BUS: "BUS",
    Mode.TRAIN: "TRAIN",
    Mode.METRO: "SUBWAY",
    Mode.TRAM: "TRAMWAY",
    Mode.CAR: "CAR",
    Mode.CARPOOL: "CARPOOL",
    Mode.TAXI: "TAXI",
    Mode.MOPED: "MOTO_INF_250",
    Mode.MOTORCYCLE: "MOTO_SUP_250",
    Mode.PLANE: "PLANE",
}
"""CoachCO2's own words, which it prefers to what was sensed."""

Points = Sequence[tuple[datetime, float, float]]


def document_id(trip: Iri) -> str:
    """The id of a trip's copy: the same at each copy, and not the trip's own name."""
    return OURS + hashlib.sha256(f"cozy copy\n{trip}".encode()).hexdigest()[:32]


def to_document(trip: Trip, points: Points, *, at: datetime) -> dict[str, Any]:
    """A trip as CoachCO2 keeps one. Classes of evidence, proofs and the vault's names stay here."""
    start_zone, end_zone = zone(trip.start_zone), zone(trip.end_zone)
    key = document_id(trip.id).removeprefix(OURS)
    started, ended = trip.started_at.astimezone(start_zone), trip.ended_at.astimezone(end_zone)
    properties: dict[str, Any] = {
        "feature_type": "trip",
        "source": ORIGIN,
        **_side("start", started, trip.start_zone, trip.origin),
        **_side("end", ended, trip.end_zone, trip.destination),
        "distance": trip.distance,
        "duration": trip.duration,
    }
    if trip.purpose is not None:
        properties["manual_purpose"] = trip.purpose
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "id": f"{key[:23]}{number}",
            "geometry": _point(place),
            "properties": {
                "feature_type": f"{side}_place",
                **({"display_name": place.label} if place.label else {}),
            },
        }
        for number, (side, place) in enumerate((("start", trip.origin), ("end", trip.destination)))
        if place is not None
    ]
    for number, leg in enumerate(trip.legs):
        inside = [p for p in points if leg.started_at <= p[0] <= leg.ended_at]
        features.append(_section(leg, number, key, inside, trip))
    return {
        "source": ORIGIN,
        "captureDevice": ORIGIN,
        "startDate": started.isoformat(timespec="milliseconds"),
        "endDate": ended.isoformat(timespec="milliseconds"),
        "series": [
            {
                "type": "FeatureCollection",
                "id": key[:24],
                "properties": properties,
                "features": features,
            }
        ],
        "cozyMetadata": {
            "doctypeVersion": 1,
            "metadataVersion": 1,
            "createdAt": at.isoformat(timespec="milliseconds"),
            "updatedAt": at.isoformat(timespec="milliseconds"),
            "createdByApp": ORIGIN,
        },
    }


def _section(leg: Leg, number: int, key: str, points: Points, trip: Trip) -> dict[str, Any]:
    sides = [place for place in (leg.origin, leg.destination) if place is not None]
    line: Iterable[tuple[datetime, float, float]] = points
    if not points and len(sides) == 2:
        line = [
            (leg.started_at, sides[0].lat, sides[0].lon),
            (leg.ended_at, sides[1].lat, sides[1].lon),
        ]
    drawn = list(line)
    start_zone = zone(trip.start_zone)
    section = {
        "type": "Feature",
        "id": f"{key[:20]}{number:04d}",
        "geometry": {"type": "LineString", "coordinates": [[lon, lat] for _, lat, lon in drawn]},
        "properties": {
            "feature_type": "section",
            **_side("start", leg.started_at.astimezone(start_zone), trip.start_zone, None),
            **_side("end", leg.ended_at.astimezone(start_zone), trip.start_zone, None),
            "sensed_mode": f"PredictedModeTypes.{_SENSED.get(leg.mode, 'UNKNOWN')}",
            "distance": leg.distance,
            "duration": leg.duration,
            "times": [moment.timestamp() for moment, _, _ in drawn],
            "timestamps": [round(moment.timestamp() * 1000) for moment, _, _ in drawn],
        },
    }
    if leg.mode in _MANUAL:
        section["properties"]["manual_mode"] = _MANUAL[leg.mode]  # type: ignore[index]  # a dict, two lines up
    return {"type": "FeatureCollection", "features": [section]}


def _side(side: str, at: datetime, name: str, place: Place | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        f"{side}_ts": at.timestamp(),
        f"{side}_fmt_time": at.isoformat(),
        f"{side}_local_dt": {
            "year": at.year,
            "month": at.month,
            "day": at.day,
            "hour": at.hour,
            "minute": at.minute,
            "second": at.second,
            "weekday": at.weekday(),
            "timezone": name,
        },
    }
    if place is not None:
        found[f"{side}_loc"] = _point(place)
    return found


def _point(place: Place) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [place.lon, place.lat]}


__all__ = ["OURS", "SOURCE", "document_id", "is_ours", "read_document", "to_document"]
