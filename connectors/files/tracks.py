"""Tracks of watches, loggers and phones: GPX, TCX, KML, FIT, GeoJSON, OwnTracks `.rec`.

Every one of them is points in time; points without a time are counted and left. What a file says of
the sport helps the guess of the mode, point by point.
"""

import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final

from connectors.base import Page, Rejected
from connectors.errors import HostileInputError
from connectors.files.streaming import XmlReader, json_items, lines
from connectors.points import Collector, pages, trips_of
from connectors.segmentation import Hint

SPORTS: Final[Mapping[str, Hint]] = {
    "cycling": Hint.BICYCLE,
    "biking": Hint.BICYCLE,
    "bike": Hint.BICYCLE,
    "ride": Hint.BICYCLE,
    "velo": Hint.BICYCLE,
    "vélo": Hint.BICYCLE,
    "1": Hint.BICYCLE,  # Strava's old code
    "walking": Hint.WALK,
    "walk": Hint.WALK,
    "hiking": Hint.WALK,
    "running": Hint.WALK,
    "run": Hint.WALK,
    "marche": Hint.WALK,
    "9": Hint.WALK,  # Strava's old code of a run
    "driving": Hint.VEHICLE,
    "motor": Hint.VEHICLE,
}


class _Points:
    """Points on their way from a file to pages, with what was left out."""

    def __init__(self, at: datetime) -> None:
        self.kept, self.skipped = Collector(at=at), Counter[str]()

    def add(
        self,
        when: float | None,
        lat: float | None,
        lon: float | None,
        accuracy: float | None = None,
        hint: Hint = Hint.NONE,
    ) -> None:
        if lat is None or lon is None:
            self.skipped["point: not-a-point"] += 1
        elif when is None:
            self.skipped["point: without-time"] += 1
        else:
            rule = self.kept.add(when, lat, lon, accuracy=accuracy, hint=hint)
            if rule is not None:
                self.skipped[f"point: {rule}"] += 1

    def finish(
        self, *, source: str, account: str, rejected: list[Rejected] | None = None
    ) -> Iterator[Page]:
        """Trips, a page at a time."""
        trips, _ = trips_of(self.kept.points(), source=source, account=account)
        yield from pages(trips, rejected or (), self.skipped)


def seconds(text: Any) -> float | None:
    """UNIX seconds of an ISO 8601 time; one without a zone is UTC, as GPX and KML say."""
    if not isinstance(text, str) or not 10 <= len(text) <= 40:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def number(text: Any) -> float | None:
    """A finite number written or given."""
    if isinstance(text, bool) or not isinstance(text, int | float | str) or len(str(text)) > 40:
        return None
    try:
        found = float(text)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e15 else None


class _Xml:
    """What the XML formats share: handlers around one reader."""

    name = ""
    source = ""

    def __init__(self) -> None:
        self.points: _Points

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        raise NotImplementedError

    def end(self, tag: str, text: str) -> None:
        raise NotImplementedError

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips of the whole file."""
        reading = type(self)()
        reading.points = _Points(at)
        pieces = XmlReader(start=reading.start, end=reading.end).read(stream)
        rejected = [Rejected(where="/", code="truncated") for whole in pieces if not whole]
        yield from reading.points.finish(source=self.source, account=account, rejected=rejected)


class Gpx(_Xml):
    """GPX 1.0 and 1.1: track points; way points and routes have no time."""

    name = source = "gpx"
    title = "GPX : traces GPS"

    def __init__(self) -> None:
        self._lat: float | None = None
        self._lon: float | None = None
        self._when: float | None = None
        self._inside = False
        self._hint = Hint.NONE

    def sniff(self, head: bytes) -> bool:
        """A `gpx` element near the beginning."""
        return b"<gpx" in head[:4096]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "trk":
            self._hint = Hint.NONE
        elif tag == "trkpt":
            self._inside, self._when = True, None
            self._lat, self._lon = number(attributes.get("lat")), number(attributes.get("lon"))

    def end(self, tag: str, text: str) -> None:
        if tag == "time" and self._inside:
            self._when = seconds(text)
        elif tag == "type" and not self._inside:
            self._hint = SPORTS.get(text.casefold(), Hint.NONE)
        elif tag == "trkpt":
            self._inside = False
            self.points.add(self._when, self._lat, self._lon, hint=self._hint)


class Tcx(_Xml):
    """Garmin's TCX: `Trackpoint` with `Time` and `Position`, under an `Activity` of a sport."""

    name = source = "tcx"
    title = "TCX : activités Garmin"

    def __init__(self) -> None:
        self._lat: float | None = None
        self._lon: float | None = None
        self._when: float | None = None
        self._inside = False
        self._hint = Hint.NONE

    def sniff(self, head: bytes) -> bool:
        """A `TrainingCenterDatabase`."""
        return b"<TrainingCenterDatabase" in head[:4096]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Activity":
            self._hint = SPORTS.get(attributes.get("Sport", "").casefold(), Hint.NONE)
        elif tag == "Trackpoint":
            self._inside, self._when, self._lat, self._lon = True, None, None, None

    def end(self, tag: str, text: str) -> None:
        if not self._inside:
            return
        if tag == "Time":
            self._when = seconds(text)
        elif tag == "LatitudeDegrees":
            self._lat = number(text)
        elif tag == "LongitudeDegrees":
            self._lon = number(text)
        elif tag == "Trackpoint":
            self._inside = False
            if self._lat is not None:  # heart rates indoors have no place
                self.points.add(self._when, self._lat, self._lon, hint=self._hint)


class Kml(_Xml):
    """KML: `gx:Track` (times and coordinates side by side) and lines with a `TimeSpan`."""

    name = source = "kml"
    title = "KML : traces et trajets datés"
    _MAX: Final = 200_000

    def __init__(self) -> None:
        self._whens: list[float | None] = []
        self._coords: list[str] = []
        self._span: list[float | None] = [None, None]
        self._line = ""

    def sniff(self, head: bytes) -> bool:
        """A `kml` element near the beginning."""
        return b"<kml" in head[:4096]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        del attributes
        if tag == "Placemark":
            self._span, self._line = [None, None], ""
        if tag in {"Placemark", "Track"}:
            self._whens, self._coords = [], []

    def end(self, tag: str, text: str) -> None:
        if len(self._coords) > self._MAX or len(self._whens) > self._MAX:
            raise HostileInputError("a track too long")
        if tag == "when":
            self._whens.append(seconds(text))
        elif tag == "coord":
            self._coords.append(text)
        elif tag == "begin":
            self._span[0] = seconds(text)
        elif tag == "end":
            self._span[1] = seconds(text)
        elif tag == "coordinates":
            self._line = text
        elif tag == "Track":
            for when, coord in zip(self._whens, self._coords, strict=False):
                lon, lat, *_ = [*map(number, coord.split()), None, None]
                self.points.add(when, lat, lon)
            self._whens, self._coords = [], []
        elif tag == "Placemark":
            self._spread()

    def _spread(self) -> None:
        """A line between two times: points as if evenly travelled, which is all it says."""
        begin, end = self._span
        places = self._line.split()
        if begin is None or end is None or end <= begin or len(places) < 2:
            if len(places) > 1:
                self.points.skipped["point: without-time"] += len(places)
            return
        if end - begin > 86_400 or len(places) > self._MAX:
            self.points.skipped["line: too-long"] += 1
            return
        for index, place in enumerate(places):
            lon, lat, *_ = [*map(number, place.split(",")), None, None]
            self.points.add(begin + (end - begin) * index / (len(places) - 1), lat, lon)


class GeoJsonTrack:
    """GeoJSON: points with a time, lines with `coordTimes` or a fourth coordinate in seconds."""

    name = source = "geojson"
    title = "GeoJSON : points et lignes datés"
    _TIMES: Final = ("timestamp", "time", "datetime", "date", "tst")

    def sniff(self, head: bytes) -> bool:
        """A feature collection that is none of e-mission's or Cozy's."""
        return (
            b'"FeatureCollection"' in head
            and b'"series"' not in head
            and b'"feature_type"' not in head
        )

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips of all the features' points."""
        points, rejected = _Points(at), list[Rejected]()
        for item in json_items(stream):
            if isinstance(item, Rejected):
                rejected.append(item)
            elif item[0].startswith("/features/") and isinstance(item[1], dict):
                self._feature(item[1], points)
        yield from points.finish(source=self.source, account=account, rejected=rejected)

    def _feature(self, feature: Mapping[str, Any], points: _Points) -> None:
        geometry, properties = feature.get("geometry"), feature.get("properties")
        if not isinstance(geometry, dict):
            return
        said = properties if isinstance(properties, dict) else {}
        places = geometry.get("coordinates")
        if not isinstance(places, list):
            return
        if geometry.get("type") == "Point":
            raw = next((said[name] for name in self._TIMES if said.get(name)), None)
            self._point(places, _when(raw), points, said)
        elif geometry.get("type") == "LineString":
            times = said.get("coordTimes") or said.get("times") or said.get("timestamps")
            nested = said.get("coordinateProperties")
            if times is None and isinstance(nested, dict):
                times = nested.get("times")
            for index, place in enumerate(places):
                raw = None
                if isinstance(times, list) and index < len(times):
                    raw = times[index]
                elif isinstance(place, list) and len(place) > 3:
                    raw = place[3]
                self._point(place, _when(raw), points, said)
        else:
            points.skipped["feature"] += 1

    @staticmethod
    def _point(place: Any, when: float | None, points: _Points, said: Mapping[str, Any]) -> None:
        pair = place if isinstance(place, list) and len(place) >= 2 else [None, None]
        accuracy = number(said.get("accuracy", said.get("horizontal_accuracy")))
        points.add(when, number(pair[1]), number(pair[0]), accuracy)


def _when(raw: Any) -> float | None:
    found = number(raw)
    if found is not None:
        return found / 1000 if found > 1e11 else found
    return seconds(raw)


class OwnTracksRec:
    """OwnTracks Recorder's `.rec`: `time TAB what TAB JSON` a line; other kinds are counted."""

    name = source = "owntracks-rec"
    title = "OwnTracks : journal du Recorder (.rec)"

    def sniff(self, head: bytes) -> bool:
        """A tab-separated line that ends in an OwnTracks message."""
        first = head.split(b"\n", 1)[0]
        return first.count(b"\t") >= 2 and b'"_type"' in first

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips of the whole file."""
        points, rejected = _Points(at), list[Rejected]()
        for count, line in enumerate(lines(stream, limit=65_536)):
            if not line.strip():
                continue
            _, _, tail = line.partition("\t")
            _, _, text = tail.partition("\t")
            try:
                message = json.loads(text.strip())
            except (ValueError, RecursionError):
                if len(rejected) < 1_000:
                    rejected.append(Rejected(where=f"/{count}", code="not-an-object"))
                continue
            if not isinstance(message, dict) or message.get("_type") != "location":
                points.skipped["other-message"] += 1
                continue
            points.add(
                number(message.get("tst")),
                number(message.get("lat")),
                number(message.get("lon")),
                number(message.get("acc")),
            )
        yield from points.finish(source=self.source, account=account, rejected=rejected)


_FIT_EPOCH: Final = datetime(1989, 12, 31, tzinfo=UTC)
_SEMICIRCLE: Final = 180 / 2**31
MAX_FIT: Final = 64_000_000


_BROKEN_FIT: Final = (
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    EOFError,
)
"""What fitdecode lets through of a header that promises more than there is, or fields that are
not of the type they declare: found by flipping bytes of a good file."""


class Fit:
    """Garmin's FIT: `record` messages, semicircles, seconds since 1989-12-31."""

    name = source = "fit"
    title = "FIT : activités de montre ou de compteur"

    def sniff(self, head: bytes) -> bool:
        """`.FIT` in the header."""
        return len(head) > 12 and head[8:12] == b".FIT"

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Trips of the whole file."""
        import fitdecode

        points, rejected, hint = _Points(at), list[Rejected](), Hint.NONE
        read = 0
        try:
            with fitdecode.FitReader(
                stream,
                check_crc=fitdecode.CrcCheck.DISABLED,
                error_handling=fitdecode.ErrorHandling.IGNORE,  # `_record` looks itself
            ) as frames:
                for frame in frames:
                    read += 1
                    if read > 5_000_000:
                        raise HostileInputError("too many messages")
                    if not isinstance(frame, fitdecode.FitDataMessage):
                        continue
                    if frame.name in {"sport", "session"}:
                        said = frame.get_value("sport", fallback=None)
                        hint = SPORTS.get(str(said).casefold(), hint)
                    elif frame.name == "record":
                        self._record(frame, points, hint)
        except HostileInputError:
            raise
        except (fitdecode.FitError, *_BROKEN_FIT):
            if not len(points.kept):
                raise HostileInputError("not a FIT file") from None
            rejected.append(Rejected(where="/", code="truncated"))
        yield from points.finish(source=self.source, account=account, rejected=rejected)

    @staticmethod
    def _record(frame: Any, points: _Points, hint: Hint) -> None:
        lat = number(frame.get_value("position_lat", fallback=None))
        lon = number(frame.get_value("position_long", fallback=None))
        when = frame.get_value("timestamp", fallback=None)
        if lat is None or lon is None:
            return
        if isinstance(when, datetime):
            moment = when if when.tzinfo else when.replace(tzinfo=UTC)
        elif isinstance(when, int):
            moment = _FIT_EPOCH + timedelta(seconds=when)
        else:
            points.add(None, lat, lon)
            return
        points.add(moment.timestamp(), lat * _SEMICIRCLE, lon * _SEMICIRCLE, hint=hint)


__all__ = ["Fit", "GeoJsonTrack", "Gpx", "Kml", "OwnTracksRec", "Tcx"]
