"""e-mission entries, as MongoDB extended JSON, into observations. Pure: no network, no clock.

Two shapes of trip are read: `analysis/confirmed_trip` (sections and points come apart, if at all)
and `analysis/composite_trip` (sections and at most 100 points inside). Labels (`manual/*`) become
observations of their own: they are written later than the trip, for the interval of its draft. The
time zone comes from `data.*_local_dt` only: `metadata.time_zone` is always America/Los_Angeles on
what the server wrote.
Source: e-mission-server `emission/core/wrapper/*.py`; facts checked on real exports.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from connectors.base import UNNAMED, Rejected, identified
from connectors.emission.modes import (
    PREDICTED,
    is_not_a_trip,
    label_mode,
    motion_mode,
    predicted_mode,
    section_claim,
)
from connectors.parsing import (
    UnusableError,
    as_object,
    coordinates,
    geojson_point,
    instant,
    interval,
    metres,
    number,
    speed,
    text,
    zone_name,
)
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    LabelObservation,
    LegObservation,
    ModeClaim,
    TrackPoint,
    TripObservation,
)
from schemas.records import Place
from schemas.units import Metres

SOURCE: Final = "tracemob"
CONFIRMED: Final = "analysis/confirmed_trip"
COMPOSITE: Final = "analysis/composite_trip"
UNTRACKED: Final = frozenset({"analysis/confirmed_untracked", "analysis/cleaned_untracked"})
TRIP_KEYS: Final = frozenset({CONFIRMED, COMPOSITE})
SECTION_KEYS: Final = frozenset({"analysis/cleaned_section", "analysis/inferred_section"})
LABEL_KEYS: Final[Mapping[str, Literal["mode", "purpose", "replaced_mode"]]] = {
    "manual/mode_confirm": "mode",
    "manual/purpose_confirm": "purpose",
    "manual/replaced_mode": "replaced_mode",
}
SURVEY_KEY: Final = "manual/trip_user_input"
_SURVEY_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom and when entries are read."""

    account: str
    at: datetime
    """Now, by our clock: instants more than a day ahead of it are refused."""
    source: str = SOURCE


def oid(value: Any) -> str | None:
    """The identifier in `{"$oid": …}`, `{"$uuid": …}` or a bare string; None when there is none."""
    if isinstance(value, dict):
        for name in ("$oid", "$uuid", "$binary"):
            if isinstance(value.get(name), str):
                value = value[name]
                break
    if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable():
        return value
    return None


def key_of(entry: Any) -> str:
    """The entry's `metadata.key`, or an empty string."""
    metadata = entry.get("metadata") if isinstance(entry, dict) else None
    key = metadata.get("key") if isinstance(metadata, dict) else None
    return key if isinstance(key, str) else ""


def is_entry(value: Any) -> bool:
    """Whether `value` has the envelope of an e-mission entry."""
    return bool(key_of(value)) and isinstance(value.get("data"), dict)


def is_untracked(entry: Mapping[str, Any]) -> bool:
    """Whether this says that the phone did not record: never a trip (one was 4 025 654 m long)."""
    metadata = entry["metadata"]
    return metadata.get("key") in UNTRACKED or metadata.get("origin_key") in UNTRACKED


def written_at(entry: Mapping[str, Any], where: str, *, at: datetime) -> datetime:
    """When the server or phone wrote the entry (`metadata.write_ts`)."""
    return instant(entry["metadata"].get("write_ts"), where + "/metadata/write_ts", at=at)


def read_trip(
    entry: Mapping[str, Any],
    where: str,
    reading: Reading,
    *,
    sections: Sequence[Mapping[str, Any]] = (),
) -> tuple[TripObservation, tuple[Rejected, ...]]:
    """A confirmed or composite trip.

    `sections` are the section entries that came apart, of this trip (their `trip_id` is the
    *cleaned* trip's). Bad sections and points are rejected one by one; the trip stays.

    Raises:
        UnusableError: without its interval, zones, ends and distance there is no trip.
    """
    data = as_object(entry["data"], where + "/data")
    inside = where + "/data"
    started = instant(data.get("start_ts"), inside + "/start_ts", at=reading.at)
    ended = instant(data.get("end_ts"), inside + "/end_ts", at=reading.at)
    interval(started, ended, inside + "/end_ts")
    start_zone = local_zone(data.get("start_local_dt"), inside + "/start_local_dt")
    end_zone = local_zone(data.get("end_local_dt"), inside + "/end_local_dt")
    distance = metres(data.get("distance"), inside + "/distance")
    speed(distance, started, ended, inside + "/distance")
    origin = _end(data, "start", inside, start_zone)
    destination = _end(data, "end", inside, end_zone)

    rejected: list[Rejected] = []
    legs = []
    own = data.get("sections")
    embedded = own if isinstance(own, list) else []
    for index, section in enumerate([*embedded, *sections]):
        place = f"{inside}/sections/{index}"
        try:
            legs.append(_leg(section, place, reading, start_zone))
        except UnusableError as error:
            rejected.append(error.rejected())
    legs.sort(key=lambda leg: (leg.started_at, leg.ended_at))

    track, lost = _track(data.get("locations"), reading, start_zone)
    if lost:
        rejected.append(Rejected(where=inside + "/locations", code=f"points-unusable:{lost}"))

    labels = _Labels.of(data.get("user_input"))
    extra: dict[str, Any] = {}
    if isinstance(data.get("source"), str):
        extra["emission:source"] = text(data["source"], inside + "/source")
    extra.update(labels.extra)
    ids = (oid(entry.get("_id")), oid(data.get("cleaned_trip")), oid(data.get("confirmed_trip")))
    observation = TripObservation(
        id=UNNAMED,
        source=reading.source,
        account=reading.account,
        upstream_ids=tuple(dict.fromkeys(i for i in ids if i)),
        written_at=written_at(entry, where, at=reading.at),
        started_at=started,
        ended_at=ended,
        start_zone=start_zone,
        end_zone=end_zone,
        origin=origin,
        destination=destination,
        legs=tuple(legs),
        distance=Metres(distance),
        mode_claims=(*_trip_claims(data, has_legs=bool(legs)), *labels.claims),
        purpose=labels.purpose,
        replaced_mode=labels.replaced,
        cancelled=labels.not_a_trip,
        track=track or None,
        extra=extra,
    )
    return identified(observation), tuple(rejected)


def read_label(
    entry: Mapping[str, Any], where: str, reading: Reading
) -> tuple[LabelObservation, ...]:
    """The labels of one `manual/*` entry: one, or mode and purpose of a survey.

    Raises:
        UnusableError: no interval, no label, or no time of writing.
    """
    data = as_object(entry["data"], where + "/data")
    inside = where + "/data"
    started = instant(data.get("start_ts"), inside + "/start_ts", at=reading.at)
    ended = instant(data.get("end_ts"), inside + "/end_ts", at=reading.at)
    interval(started, ended, inside + "/end_ts")
    written = written_at(entry, where, at=reading.at)
    identity = oid(entry.get("_id"))
    key = key_of(entry)
    answers: dict[Literal["mode", "purpose", "replaced_mode"], str] = {}
    if key in LABEL_KEYS:
        label = text(data.get("label"), inside + "/label")
        if not label:
            raise UnusableError("label-empty", inside + "/label")
        answers[LABEL_KEYS[key]] = label
    else:
        survey = _survey(data)
        if "mode" in survey:
            answers["mode"] = survey["mode"]
        if "purpose" in survey:
            answers["purpose"] = survey["purpose"]
        if not answers:
            raise UnusableError("survey-unknown", inside + "/jsonDocResponse")
    return tuple(
        identified(
            LabelObservation(
                id=UNNAMED,
                source=reading.source,
                account=reading.account,
                upstream_ids=(identity,) if identity else (),
                written_at=written,
                started_at=started,
                ended_at=ended,
                property=name,
                value=value,
                mode=label_mode(value) if name != "purpose" else None,
            )
        )
        for name, value in answers.items()
    )


def local_zone(local_dt: Any, where: str) -> str:
    """The IANA zone of a `*_local_dt`."""
    return zone_name(as_object(local_dt, where).get("timezone"), where + "/timezone")


def _end(data: Mapping[str, Any], side: str, where: str, zone: str) -> Place:
    lat, lon = geojson_point(data.get(f"{side}_loc"), f"{where}/{side}_loc", zone=zone)
    place = data.get(f"{side}_confirmed_place")
    inner = place.get("data") if isinstance(place, dict) else None
    name = inner.get("display_name") if isinstance(inner, dict) else None
    return Place(lat=lat, lon=lon, label=text(name, where) if isinstance(name, str) else None)


def _leg(section: Any, where: str, reading: Reading, zone: str) -> LegObservation:
    section = as_object(section, where)
    data = as_object(section.get("data"), where + "/data")
    inside = where + "/data"
    started = instant(data.get("start_ts"), inside + "/start_ts", at=reading.at)
    ended = instant(data.get("end_ts"), inside + "/end_ts", at=reading.at)
    interval(started, ended, inside + "/end_ts")
    distance = metres(data.get("distance"), inside + "/distance")
    speed(distance, started, ended, inside + "/distance")
    ends = {}
    for side in ("start", "end"):
        if data.get(f"{side}_loc") is not None:
            lat, lon = geojson_point(data[f"{side}_loc"], f"{inside}/{side}_loc", zone=zone)
            ends[side] = Place(lat=lat, lon=lon)
    return LegObservation(
        mode_claims=(section_claim(key_of(section), data.get("sensed_mode")),),
        distance=Metres(distance),
        started_at=started,
        ended_at=ended,
        origin=ends.get("start"),
        destination=ends.get("end"),
        upstream_id=oid(section.get("_id")),
    )


def _track(locations: Any, reading: Reading, zone: str) -> tuple[tuple[TrackPoint, ...], int]:
    """Usable points in order of time, and how many were not (`ts: 0` and jumps exist in real
    data)."""
    points, lost = {}, 0
    for location in locations if isinstance(locations, list) else ():
        data = location.get("data") if isinstance(location, dict) else None
        if not isinstance(data, dict):
            lost += 1
            continue
        try:
            moment = instant(data.get("ts"), "", at=reading.at)
            lat, lon = coordinates(data.get("latitude"), data.get("longitude"), "", zone=zone)
        except UnusableError:
            lost += 1
            continue
        points[moment] = TrackPoint(at=moment, lat=lat, lon=lon)
    return tuple(points[moment] for moment in sorted(points)), lost


def _trip_claims(data: Mapping[str, Any], *, has_legs: bool) -> tuple[ModeClaim, ...]:
    """What source says of the trip as a whole: summaries only where no section says it better."""
    claims: list[ModeClaim] = []
    if not has_legs:
        for name, by, meaning in (
            ("cleaned_section_summary", ClaimBy.SENSOR, motion_mode),
            ("inferred_section_summary", ClaimBy.INFERENCE, predicted_mode),
        ):
            main = _main_of_summary(data.get(name))
            if main is not None:
                claims.append(ModeClaim(mode=meaning(main), by=by, confidence=None))
        primary = data.get("inferred_primary_mode")
        if isinstance(primary, int) and not isinstance(primary, bool) and primary in PREDICTED:
            mode = predicted_mode(PREDICTED[primary])
            claims.append(ModeClaim(mode=mode, by=ClaimBy.INFERENCE, confidence=None))
    inferred = data.get("inferred_labels")
    for guess in inferred if isinstance(inferred, list) else ():
        labels = guess.get("labels") if isinstance(guess, dict) else None
        label = labels.get("mode_confirm") if isinstance(labels, dict) else None
        mode_meant = label_mode(label) if isinstance(label, str) else None
        if mode_meant is None:
            continue
        try:
            confidence = number(guess.get("p"), "")
        except UnusableError:
            continue
        if 0.0 <= confidence <= 1.0:
            claims.append(ModeClaim(mode=mode_meant, by=ClaimBy.INFERENCE, confidence=confidence))
    return tuple(claims)


def _main_of_summary(summary: Any) -> str | None:
    distances = summary.get("distance") if isinstance(summary, dict) else None
    if not isinstance(distances, dict) or not distances:
        return None
    usable = {
        name: float(value)
        for name, value in distances.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return max(usable, key=lambda name: (usable[name], name)) if usable else None


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the person answered, as embedded in the trip (`user_input`)."""

    claims: tuple[ModeClaim, ...]
    purpose: str | None
    replaced: Mode | None
    not_a_trip: bool
    extra: Mapping[str, Any]

    @classmethod
    def of(cls, user_input: Any) -> "_Labels":
        given = user_input if isinstance(user_input, dict) else {}
        answers: dict[str, str] = {}
        nested = given.get("trip_user_input")
        if isinstance(nested, dict) and isinstance(nested.get("data"), dict):
            answers.update(_survey(nested["data"]))
        for name, ours in (
            ("mode_confirm", "mode"),
            ("purpose_confirm", "purpose"),
            ("replaced_mode", "replaced_mode"),
        ):
            if isinstance(given.get(name), str):
                answers[ours] = text(given[name], "")
        extra: dict[str, Any] = {}
        mode = label_mode(answers["mode"]) if "mode" in answers else None
        if "mode" in answers and mode is None:
            extra["emission:modeLabel"] = answers["mode"]
        replaced = label_mode(answers["replaced_mode"]) if "replaced_mode" in answers else None
        if "replaced_mode" in answers and replaced is None:
            extra["emission:replacedModeLabel"] = answers["replaced_mode"]
        return cls(
            claims=(ModeClaim(mode=mode, by=ClaimBy.PERSON, confidence=None),) if mode else (),
            purpose=answers.get("purpose") or None,
            replaced=replaced,
            not_a_trip=is_not_a_trip(answers.get("mode", "")),
            extra=extra,
        )


def _survey(data: Mapping[str, Any]) -> dict[str, str]:
    """Mode and purpose in an Enketo survey answer, by the names surveys use; its form decides the
    depth."""
    found: dict[str, str] = {}
    level: list[Any] = [data.get("jsonDocResponse")]
    for _ in range(_SURVEY_DEPTH):
        below: list[Any] = []
        for node in level:
            if not isinstance(node, dict):
                continue
            for name, value in node.items():
                if isinstance(value, dict):
                    below.append(value)
                elif isinstance(value, str) and value:
                    if name in {"travel_mode", "mode"}:
                        found.setdefault("mode", text(value, ""))
                    elif name in {"destination_purpose", "purpose"}:
                        found.setdefault("purpose", text(value, ""))
        level = below
    return found


__all__ = [
    "COMPOSITE",
    "CONFIRMED",
    "LABEL_KEYS",
    "SECTION_KEYS",
    "SOURCE",
    "SURVEY_KEY",
    "TRIP_KEYS",
    "Reading",
    "is_entry",
    "is_untracked",
    "key_of",
    "local_zone",
    "oid",
    "read_label",
    "read_trip",
    "written_at",
]
