"""The form of a pushed batch: plain JSON or JSON-LD into observations, or every place that is
wrong.

A batch is taken whole or refused whole: an app that sends ten trips with one bad date learns which
one, repairs it and sends the ten again under a new key. Evidence is never read from what is pushed.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from connectors.base import UNNAMED, identified
from connectors.errors import Fault, PushInvalidError, PushScopeError
from connectors.parsing import (
    UnusableError,
    as_object,
    coordinates,
    instant,
    interval,
    iso_instant,
    load_json,
    metres,
    number,
    plausible,
    pointer,
    speed,
    text,
    zone_name,
)
from schemas.errors import RecordError
from schemas.jsonld import from_jsonld
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    LegObservation,
    ModeClaim,
    Observation,
    TrackPoint,
    TripObservation,
)
from schemas.records import Invoice, Place, Subscription, Trip
from schemas.units import Metres

MAX_BODY: Final = 2_000_000
"""500 trips with 50 points each are about 1.5 MB."""
MAX_RECORDS: Final = 500
MAX_POINTS: Final = 5_000
MAX_LEGS: Final = 50
MAX_DEPTH: Final = 16
MAX_FAULTS: Final = 100
MAX_ID: Final = 128
JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"
TRIP_MEMBERS: Final = frozenset(
    {
        "id",
        "startedAt",
        "endedAt",
        "timeZone",
        "endTimeZone",
        "mode",
        "modeConfirmed",
        "distance",
        "origin",
        "destination",
        "legs",
        "track",
        "purpose",
    }
)


def read_batch(
    body: bytes, media_type: str, *, source: str, account: str, kinds: Iterable[str], at: datetime
) -> tuple[Observation, ...]:
    """The observations of a pushed body.

    Raises:
        HostileInputError: not JSON, too large or too deep.
        PushInvalidError: with every place that is wrong.
        PushScopeError: a kind this token may not leave.
    """
    document = load_json(body, max_bytes=MAX_BODY, max_depth=MAX_DEPTH)
    allowed = frozenset(kinds)
    if media_type == JSON_LD:
        return _linked(document, source=source, account=account, kinds=allowed, at=at)
    if "Trip" not in allowed:
        raise PushScopeError("Trip")
    trips = _list(document, "trips", "/trips")

    def read(item: Any, where: str) -> Observation:
        return _trip(item, where, source=source, account=account, at=at)

    return _each(trips, "/trips", read)


def _list(document: Any, name: str, where: str) -> list[Any]:
    items = document.get(name) if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise PushInvalidError([Fault(where, "missing", f"a list of 1 to {MAX_RECORDS}")])
    if not 1 <= len(items) <= MAX_RECORDS:
        raise PushInvalidError([Fault(where, "length", f"1 to {MAX_RECORDS}")])
    return items


def _each(
    items: list[Any], root: str, read: Callable[[Any, str], Observation]
) -> tuple[Observation, ...]:
    found: list[Observation] = []
    faults: list[Fault] = []
    for index, item in enumerate(items):
        where = root + pointer(index)
        try:
            found.append(read(item, where))
        except UnusableError as error:
            faults.append(Fault(error.where, error.code, DETAILS.get(error.code, error.code)))
        except RecordError as error:
            faults.append(Fault(where + (error.where or ""), error.code, error.reason))
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise PushInvalidError(faults)
    return tuple(found)


def _trip(item: Any, where: str, *, source: str, account: str, at: datetime) -> TripObservation:
    trip = as_object(item, where)
    for name in trip:
        if name not in TRIP_MEMBERS:
            raise UnusableError("member-unknown", where + pointer(name))
    started = iso_instant(trip.get("startedAt"), where + "/startedAt", at=at)
    ended = iso_instant(trip.get("endedAt"), where + "/endedAt", at=at)
    interval(started, ended, where + "/endedAt")
    zone = zone_name(trip.get("timeZone"), where + "/timeZone")
    end_zone = zone
    if "endTimeZone" in trip:
        end_zone = zone_name(trip["endTimeZone"], where + "/endTimeZone")
    distance = metres(trip.get("distance"), where + "/distance")
    speed(distance, started, ended, where + "/distance")
    # Cut, two identifiers could become one: a long one is refused, unlike a long label.
    identity = text(trip["id"], where + "/id", limit=MAX_ID + 1) if "id" in trip else ""
    if len(identity) > MAX_ID:
        raise UnusableError("id-too-long", where + "/id")
    by = ClaimBy.SENSOR
    if "modeConfirmed" in trip:
        if not isinstance(trip["modeConfirmed"], bool):
            raise UnusableError("not-a-boolean", where + "/modeConfirmed")
        by = ClaimBy.PERSON if trip["modeConfirmed"] else ClaimBy.SENSOR
    mode = _mode(trip.get("mode"), where + "/mode")
    legs = _legs(trip.get("legs"), where + "/legs", zone=zone, at=at)
    return identified(
        TripObservation(
            id=UNNAMED,
            source=source,
            account=account,
            upstream_ids=(identity,) if identity else (),
            started_at=started,
            ended_at=ended,
            start_zone=zone,
            end_zone=end_zone,
            origin=_place(trip.get("origin"), where + "/origin", zone=zone),
            destination=_place(trip.get("destination"), where + "/destination", zone=end_zone),
            legs=legs,
            distance=Metres(distance),
            mode_claims=(ModeClaim(mode=mode, by=by),),
            purpose=text(trip["purpose"], where + "/purpose") if "purpose" in trip else None,
            track=_track(trip.get("track"), where + "/track", zone=zone, at=at),
        )
    )


def _mode(value: Any, where: str) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        raise UnusableError("mode-unknown", where) from None


def _place(value: Any, where: str, *, zone: str) -> Place:
    place = as_object(value, where)
    lat, lon = coordinates(place.get("lat"), place.get("lon"), where, zone=zone)
    label = text(place["label"], where + "/label") if "label" in place else None
    return Place(lat=lat, lon=lon, label=label)


def _legs(value: Any, where: str, *, zone: str, at: datetime) -> tuple[LegObservation, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_LEGS:
        raise UnusableError("not-a-list", where)
    legs = []
    for index, item in enumerate(value):
        place = where + pointer(index)
        leg = as_object(item, place)
        started = iso_instant(leg.get("startedAt"), place + "/startedAt", at=at)
        ended = iso_instant(leg.get("endedAt"), place + "/endedAt", at=at)
        interval(started, ended, place + "/endedAt")
        ends = {
            side: _place(leg[side], place + "/" + side, zone=zone)
            for side in ("origin", "destination")
            if side in leg
        }
        legs.append(
            LegObservation(
                mode_claims=(
                    ModeClaim(mode=_mode(leg.get("mode"), place + "/mode"), by=ClaimBy.SENSOR),
                ),
                distance=Metres(metres(leg.get("distance"), place + "/distance")),
                started_at=started,
                ended_at=ended,
                origin=ends.get("origin"),
                destination=ends.get("destination"),
            )
        )
    return tuple(legs)


def _track(value: Any, where: str, *, zone: str, at: datetime) -> tuple[TrackPoint, ...] | None:
    """Points `[seconds or RFC 3339, lat, lon]`, in order of time."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_POINTS:
        raise UnusableError("not-a-list", where)
    points = []
    for index, item in enumerate(value):
        place = where + pointer(index)
        if not isinstance(item, list) or len(item) != 3:
            raise UnusableError("not-a-point", place)
        lat, lon = coordinates(item[1], item[2], place, zone=zone)
        points.append(TrackPoint(at=_moment(item[0], place + "/0", at=at), lat=lat, lon=lon))
    return tuple(sorted(points, key=lambda point: point.at)) or None


def _moment(value: Any, where: str, *, at: datetime) -> datetime:
    if isinstance(value, str):
        return iso_instant(value, where, at=at)
    return instant(number(value, where), where, at=at)


def _linked(
    document: Any, *, source: str, account: str, kinds: frozenset[str], at: datetime
) -> tuple[Observation, ...]:
    """Records as JSON-LD with our context: one, or several in `@graph`."""
    if isinstance(document, dict) and "@graph" in document:
        nodes, root = _list(document, "@graph", "/@graph"), "/@graph"
        context = document.get("@context")
        items = [
            {"@context": context, **node} if isinstance(node, dict) else node for node in nodes
        ]
    else:
        items, root = [document], ""

    def read(item: Any, where: str) -> Observation:
        record = from_jsonld(as_object(item, where))
        if type(record).__name__ not in kinds:
            raise PushScopeError(type(record).__name__)
        if isinstance(record, Trip):
            return _of_trip(record, where, source=source, account=account, at=at)
        if isinstance(record, Invoice | Subscription):
            return identified(
                DocumentObservation(id=UNNAMED, source=source, account=account, record=record)
            )
        raise PushScopeError(type(record).__name__)

    if root:
        return _each(items, root, read)
    try:
        return (read(items[0], ""),)
    except UnusableError as error:
        fault = Fault(error.where, error.code, DETAILS.get(error.code, error.code))
        raise PushInvalidError([fault]) from None
    except RecordError as error:
        raise PushInvalidError([Fault(error.where or "", error.code, error.reason)]) from None


def _of_trip(trip: Trip, where: str, *, source: str, account: str, at: datetime) -> TripObservation:
    """What a typed trip claims; its evidence classes are not read."""
    started = plausible(trip.started_at, where + "/startedAt", at=at)
    ended = plausible(trip.ended_at, where + "/endedAt", at=at)
    interval(started, ended, where + "/endedAt")
    speed(trip.distance, started, ended, where + "/distance")
    for name, place, zone in (
        ("/origin", trip.origin, trip.start_zone),
        ("/destination", trip.destination, trip.end_zone),
    ):
        if place is not None:
            coordinates(place.lat, place.lon, where + name, zone=zone)
    return identified(
        TripObservation(
            id=UNNAMED,
            source=source,
            account=account,
            upstream_ids=(trip.id,),
            started_at=started,
            ended_at=ended,
            start_zone=trip.start_zone,
            end_zone=trip.end_zone,
            origin=trip.origin,
            destination=trip.destination,
            legs=tuple(
                LegObservation(
                    mode_claims=(ModeClaim(mode=leg.mode, by=ClaimBy.SENSOR),),
                    distance=leg.distance,
                    started_at=leg.started_at,
                    ended_at=leg.ended_at,
                    origin=leg.origin,
                    destination=leg.destination,
                )
                for leg in trip.legs
            ),
            distance=trip.distance,
            mode_claims=(ModeClaim(mode=trip.mode, by=ClaimBy.SENSOR),),
            purpose=trip.purpose,
            replaced_mode=trip.replaced_mode,
        )
    )


DETAILS: Final[Mapping[str, str]] = {
    "member-unknown": "no such member; see connectors/README.md",
    "id-too-long": f"at most {MAX_ID} characters",
    "not-a-time": "an RFC 3339 date-time such as 2026-11-20T07:45:00+01:00",
    "time-without-offset": "give the offset, such as Z or +01:00",
    "time-implausible": "before 2000",
    "time-in-future": "more than a day ahead of our clock",
    "ends-before-start": "ends before it starts",
    "too-long": "lasts more than seven days",
    "zone-unknown": "an IANA time zone such as Europe/Paris",
    "not-a-number": "a finite number",
    "distance-implausible": "metres, 0 to 45 000 000",
    "speed-implausible": "no vehicle is so fast: check distance (metres) and times",
    "mode-unknown": "one of " + ", ".join(Mode),
    "not-a-point": "[time, latitude, longitude]",
    "coordinates-out-of-range": "latitude -90 to 90, longitude -180 to 180",
    "coordinates-swapped": "latitude and longitude look swapped for this time zone",
    "coordinates-null-island": "0, 0 is no place on a trip",
    "not-an-object": "an object",
    "not-a-list": "a list within its limit",
    "not-a-text": "a text",
    "not-a-boolean": "true or false",
}
"""What each rule wants, in words an app's developer can act on. Never the value that came."""

__all__ = ["JSON", "JSON_LD", "MAX_BODY", "MAX_RECORDS", "read_batch"]
