"""Google's location history in its four shapes, and its Records.

Android's `Timeline.json` (`semanticSegments`, `"48.8566°, 2.3522°"`), iPhone's
`location-history.json` (an array, `"geo:48.8566,2.3522"`, numbers as texts), the older Takeout's
semantic months (`timelineObjects`, E7 integers) and `Records.json` (`locations`). What Google calls
an activity becomes a trip with Google's own guess of the mode; raw positions are segmented. Shapes
after CarlosBergillos/LocationHistoryFormat (MIT).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from connectors.base import UNNAMED, Page, Rejected, identified
from connectors.files.streaming import json_items
from connectors.parsing import (
    UnusableError,
    coordinates,
    interval,
    metres,
    plausible,
    speed,
)
from connectors.points import Collector, pages, trips_of, zone_of
from schemas.modes import Mode
from schemas.observations import ClaimBy, ModeClaim, TripObservation
from schemas.records import Place
from schemas.tracks import MAX_POINTS, UNITS_PER_DEGREE, PackedTrack
from schemas.units import Metres

SOURCE: Final = "google-timeline"
MAX_REJECTED: Final = 1_000

MODES: Final[Mapping[str, Mode]] = {
    "WALKING": Mode.WALK,
    "RUNNING": Mode.WALK,
    "ON_FOOT": Mode.WALK,
    "HIKING": Mode.WALK,
    "CYCLING": Mode.BICYCLE,
    "ON_BICYCLE": Mode.BICYCLE,
    "IN_PASSENGER_VEHICLE": Mode.CAR,
    "DRIVING": Mode.CAR,
    "IN_CAR": Mode.CAR,
    "IN_TAXI": Mode.TAXI,
    "MOTORCYCLING": Mode.MOTORCYCLE,
    "IN_BUS": Mode.BUS,
    "IN_TRAM": Mode.TRAM,
    "IN_SUBWAY": Mode.METRO,
    "IN_TRAIN": Mode.TRAIN,
    "IN_FERRY": Mode.FERRY,
    "BOATING": Mode.FERRY,
    "FLYING": Mode.PLANE,
}
"""`IN_VEHICLE` and `UNKNOWN_ACTIVITY_TYPE` are no mode."""
_LEVELS: Final = {"HIGH": 0.9, "MEDIUM": 0.6, "LOW": 0.3}


@dataclass(frozen=True, slots=True)
class _Activity:
    """An activity before its track is known."""

    started: datetime
    ended: datetime
    origin: tuple[float, float]
    destination: tuple[float, float]
    distance: int
    mode: Mode
    confidence: float | None


class GoogleTimeline:
    """Google Timeline, by file."""

    name = SOURCE
    title = "Google Timeline / Historique des positions (JSON)"
    source = SOURCE

    def sniff(self, head: bytes) -> bool:
        """One of the four shapes."""
        return (
            b'"semanticSegments"' in head
            or b'"timelineObjects"' in head
            or b'"rawSignals"' in head
            or (b'"locations"' in head and (b'"latitudeE7"' in head or b'"timestampMs"' in head))
            or (b'"geo:' in head and b'"startTime"' in head)
        )

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips in the order of the file, positions as they segment."""
        reader = _Reader(account=account, at=at)
        for item in json_items(stream):
            if isinstance(item, Rejected):
                reader.reject(item)
            else:
                reader.item(*item)
        yield from reader.finish()


class _Reader:
    def __init__(self, *, account: str, at: datetime) -> None:
        self._account, self._at = account, at
        self._activities: list[_Activity] = []
        self._points = Collector(at=at)
        self._raw = Collector(at=at)
        self._rejected: list[Rejected] = []
        self._skipped: Counter[str] = Counter()

    def reject(self, rejected: Rejected) -> None:
        if len(self._rejected) < MAX_REJECTED:
            self._rejected.append(rejected)
        else:
            self._skipped["more-rejected"] += 1

    def item(self, where: str, value: Any) -> None:
        """One item of the file."""
        if not isinstance(value, dict):
            return
        if where.startswith("/locations/"):
            self._record(value)
            return
        family = where.split("/")[1] if where.startswith("/") else ""
        try:
            if family == "timelineObjects":
                self._old(where, value)
            elif family == "rawSignals":
                self._signal(value)
            elif family in {"semanticSegments"} or family.isdigit():
                self._segment(where, value)
            else:
                self._skipped[family[:40]] += 1
        except UnusableError as error:
            self.reject(error.rejected())

    def _segment(self, where: str, value: Mapping[str, Any]) -> None:
        if "activity" in value:
            activity = _object(value["activity"], where + "/activity")
            best = activity.get("topCandidate")
            best = best if isinstance(best, dict) else {}
            self._activity(
                where,
                value.get("startTime"),
                value.get("endTime"),
                activity.get("start"),
                activity.get("end"),
                activity.get("distanceMeters"),
                best.get("type"),
                best.get("probability"),
            )
        elif "timelinePath" in value:
            path = value["timelinePath"]
            began = None
            for point in path if isinstance(path, list) else []:
                if not isinstance(point, dict):
                    continue
                place = _latlng(point.get("point"))
                when = _time(point.get("time"))
                offset = point.get("durationMinutesOffsetFromStartTime")
                if when is None and offset is not None:
                    began = began if began is not None else _time(value.get("startTime"))
                    minutes = _number(offset)
                    if began is not None and minutes is not None:
                        when = began + 60 * minutes
                self._add(self._points, when, place)
        elif "visit" in value:
            self._skipped["visit"] += 1
        else:
            self._skipped["other-segment"] += 1

    def _old(self, where: str, value: Mapping[str, Any]) -> None:
        if "activitySegment" not in value:
            self._skipped["visit"] += 1
            return
        segment = _object(value["activitySegment"], where + "/activitySegment")
        duration = _object(segment.get("duration"), where + "/activitySegment/duration")
        kind = segment.get("activityType")
        level = _LEVELS.get(str(segment.get("confidence")))
        self._activity(
            where + "/activitySegment",
            duration.get("startTimestamp") or _ms(duration.get("startTimestampMs")),
            duration.get("endTimestamp") or _ms(duration.get("endTimestampMs")),
            segment.get("startLocation"),
            segment.get("endLocation"),
            segment.get("distance"),
            kind,
            level,
        )
        raw = segment.get("simplifiedRawPath")
        points = raw.get("points") if isinstance(raw, dict) else None
        for point in points if isinstance(points, list) else []:
            if isinstance(point, dict):
                when = _time(point.get("timestamp") or _ms(point.get("timestampMs")))
                self._add(self._points, when, _latlng(point))

    def _record(self, value: Mapping[str, Any]) -> None:
        try:  # as nearly all of a million are; whatever is odd goes the careful way below
            lat, lon, accuracy = value["latitudeE7"], value["longitudeE7"], value["accuracy"]
            if lat < 1_800_000_000 > lon and not isinstance(accuracy, str):
                t = datetime.fromisoformat(value["timestamp"]).timestamp()
                if value["timestamp"][-1] == "Z" and not self._raw.add(
                    t, lat / 1e7, lon / 1e7, accuracy=accuracy
                ):
                    return
        except (KeyError, TypeError, ValueError, OverflowError, IndexError):
            pass
        when = _time(value.get("timestamp") or _ms(value.get("timestampMs")))
        self._add(self._raw, when, _latlng(value), _number(value.get("accuracy")))

    def _signal(self, value: Mapping[str, Any]) -> None:
        position = value.get("position")
        if not isinstance(position, dict):
            self._skipped["signal"] += 1
            return
        place = _latlng(position.get("LatLng") or position.get("latLng"))
        accuracy = _number(position.get("accuracyMeters"))
        self._add(self._raw, _time(position.get("timestamp")), place, accuracy)

    def _add(
        self,
        points: Collector,
        when: float | None,
        place: tuple[float, float] | None,
        accuracy: float | None = None,
    ) -> None:
        rule = "not-a-point" if place is None else "not-a-time" if when is None else None
        if rule is None and place is not None and when is not None:
            rule = points.add(when, *place, accuracy=accuracy)
        if rule is not None:
            self._skipped[f"point: {rule}"] += 1

    def _activity(  # noqa: PLR0917  # the members of an activity, in Google's order
        self,
        where: str,
        start: Any,
        end: Any,
        origin: Any,
        destination: Any,
        distance: Any,
        kind: Any,
        confidence: Any,
    ) -> None:
        started = plausible(_instant(start, where + "/startTime"), where, at=self._at)
        ended = plausible(_instant(end, where + "/endTime"), where, at=self._at)
        interval(started, ended, where)
        first, last = _latlng(origin), _latlng(destination)
        if first is None or last is None:
            raise UnusableError("not-a-point", where)
        coordinates(*first, where, zone=None)
        coordinates(*last, where, zone=None)
        length = _number(distance)
        length_m = metres(length if length is not None else 0, where + "/distance")
        speed(length_m, started, ended, where + "/distance")
        sure = _number(confidence)
        self._activities.append(
            _Activity(
                started,
                ended,
                first,
                last,
                length_m,
                MODES.get(str(kind).upper().replace(" ", "_"), Mode.UNKNOWN),
                sure if sure is not None and 0 <= sure <= 1 else None,
            )
        )

    def finish(self) -> Iterator[Page]:
        """Every trip, with its track; then trips of positions that no activity covers."""
        path = self._points.points()
        times = array("d", path.t.tobytes())
        rejected, skipped = tuple(self._rejected), dict(sorted(self._skipped.items()))
        trips = []
        for activity in dict.fromkeys(self._activities):  # the same one comes up to three times
            first = bisect_left(times, activity.started.timestamp())
            last = bisect_right(times, activity.ended.timestamp())
            track = None
            if last - first > 1:
                step = max(1, (last - first) // MAX_POINTS + 1)
                here = slice(first, last, step)
                track = PackedTrack.of_columns(
                    path.t[here].round().astype(int).tolist(),
                    (path.lat[here] * UNITS_PER_DEGREE).round().astype(int).tolist(),
                    (path.lon[here] * UNITS_PER_DEGREE).round().astype(int).tolist(),
                )
            trips.append(self._trip(activity, track))
        # Raw positions tell again what activities tell: they are read where there is no activity.
        loose = self._raw if len(self._raw) else self._points
        if not trips and len(loose):
            found, _ = trips_of(loose.points(), source=SOURCE, account=self._account)
            trips += found
        elif len(self._raw):
            skipped["point: covered"] = len(self._raw)
        yield from pages(trips, rejected, skipped)

    def _trip(self, activity: _Activity, track: PackedTrack | None) -> TripObservation:
        claims: tuple[ModeClaim, ...] = ()
        if activity.mode != Mode.UNKNOWN:
            claims = (
                ModeClaim(mode=activity.mode, by=ClaimBy.INFERENCE, confidence=activity.confidence),
            )
        return identified(
            TripObservation(
                id=UNNAMED,
                source=SOURCE,
                account=self._account,
                started_at=activity.started,
                ended_at=activity.ended,
                start_zone=zone_of(*activity.origin),
                end_zone=zone_of(*activity.destination),
                origin=Place(lat=activity.origin[0], lon=activity.origin[1]),
                destination=Place(lat=activity.destination[0], lon=activity.destination[1]),
                distance=Metres(activity.distance),
                mode_claims=claims,
                track=track,
            )
        )


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnusableError("not-an-object", where)
    return value


def _number(value: Any) -> float | None:
    """A finite number, or the text of one: the iPhone writes numbers as texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value) if not isinstance(value, str) or len(value) <= 40 else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and abs(found) < 1e15 else None


def _ms(value: Any) -> str | None:
    milliseconds = _number(value)
    if milliseconds is None or not 0 <= milliseconds < 1e14:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _time(value: Any) -> float | None:
    """UNIX seconds of an RFC 3339 text."""
    if not isinstance(value, str) or not 16 <= len(value) <= 40:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.timestamp() if parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _instant(value: Any, where: str) -> datetime:
    seconds = _time(value)
    if seconds is None or not 0 <= seconds < 1e11:
        raise UnusableError("not-a-time", where)
    return datetime.fromtimestamp(seconds, UTC)


def _latlng(value: Any) -> tuple[float, float] | None:
    """(latitude, longitude) of any of Google's spellings; None when there is none."""
    if isinstance(value, dict):
        if "latLng" in value:
            return _latlng(value["latLng"])
        lat = value.get("latitudeE7", value.get("latE7"))
        lon = value.get("longitudeE7", value.get("lngE7"))
        if not isinstance(lat, int) or not isinstance(lon, int):
            return None
        return _e7(lat), _e7(lon)
    if not isinstance(value, str) or len(value) > 80:
        return None
    text = value.removeprefix("geo:").replace("°", "")
    lat_text, _, lon_text = text.partition(",")
    found = _number(lat_text.strip()), _number(lon_text.strip())
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def _e7(value: int) -> float:
    """Degrees; some exports wrote negative numbers as unsigned 32-bit ones."""
    if value > 1_800_000_000:
        value -= 1 << 32
    return value / 1e7


__all__ = ["MODES", "SOURCE", "GoogleTimeline"]
