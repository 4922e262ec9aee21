"""What each app posts, read into points. One bad point never costs the others.

An app that is refused keeps its batch and sends it again for ever, in front of all that follows: so
only what is no body of this app at all is refused; a point that cannot be is left out and counted
by its rule.

Sources: OwnTracks booklet, « HTTP » and « JSON »; Overland README, « API »; traccar.org/osmand
(form and, since Traccar Client 9, JSON); GPSLogger, custom URL.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

from connectors.errors import HostileInputError
from connectors.parsing import EARLIEST, SKEW, load_json
from connectors.segmentation import Hint

MAX_BODY: Final = 1_000_000
"""Overland sends up to 1 000 points of about 600 bytes."""
MAX_POINTS: Final = 2_000
MAX_DEPTH: Final = 8
MAX_FIELDS: Final = 64


class App(StrEnum):
    """The apps there are routes for."""

    OWNTRACKS = "owntracks"
    OVERLAND = "overland"
    TRACCAR = "traccar"
    GPSLOGGER = "gpslogger"


Row = tuple[float, float, float, float, int]
"""UNIX seconds, latitude, longitude, accuracy in metres (NaN: unknown), hint."""

_ROW: Final = struct.Struct(">dddfB")
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Posted:
    """The points of one request, and the rules that points left out broke."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    token: str | None = None
    """The device token, where the app can only put it into its payload."""


def read(app: App, body: bytes, *, query: str, at: datetime) -> Posted:
    """The points of a request.

    Raises:
        HostileInputError: no body of this app; too large, too deep, or encrypted end to end.
    """
    match app:
        case App.OWNTRACKS:
            return _posted(_owntracks(body), at)
        case App.OVERLAND:
            return _posted(_overland(body), at)
        case App.TRACCAR:
            return _traccar(body, query, at)
        case App.GPSLOGGER:
            return _posted([_plain(_object_or_form(body))], at)


Claim = tuple[Any, Any, Any, Any, Hint]
"""Time, latitude, longitude, accuracy as they came, and the hint."""


def _json(body: bytes) -> Any:
    return load_json(body, max_bytes=MAX_BODY, max_depth=MAX_DEPTH)


def _owntracks(body: bytes) -> Iterator[Claim]:
    if not body:  # the booklet: a friend was deleted; ignore
        return
    document = _json(body)
    for item in document if isinstance(document, list) else [document]:
        kind = item.get("_type") if isinstance(item, dict) else None
        if not isinstance(kind, str):
            raise HostileInputError("no OwnTracks message", where="/_type")
        if kind == "encrypted":
            raise HostileInputError("encrypted in the app: empty its secret key", where="/_type")
        if kind == "location":
            yield (
                item.get("tst"),
                item.get("lat"),
                item.get("lon"),
                item.get("acc"),
                _hint(item.get("motionactivities")),
            )


def _overland(body: bytes) -> Iterator[Claim]:
    document = _json(body)
    locations = document.get("locations") if isinstance(document, dict) else None
    if not isinstance(locations, list):
        raise HostileInputError("no Overland batch", where="/locations")
    for item in locations:
        geometry = item.get("geometry") if isinstance(item, dict) else None
        properties = item.get("properties") if isinstance(item, dict) else None
        pair = geometry.get("coordinates") if isinstance(geometry, dict) else None
        if not isinstance(properties, dict) or not isinstance(pair, list) or len(pair) < 2:
            continue  # visits and trip records have no place
        yield (
            properties.get("timestamp"),
            pair[1],
            pair[0],
            properties.get("horizontal_accuracy"),
            _hint(properties.get("motion")),
        )


def _traccar(body: bytes, query: str, at: datetime) -> Posted:
    """JSON since version 9 of the client; before it, query or form."""
    if body[:1] in {b"{", b"["}:
        document = _json(body)
        items = document if isinstance(document, list) else [document]
        claims, token = [], None
        for item in items:
            if not isinstance(item, dict):
                raise HostileInputError("no Traccar message")
            token = _text(item.get("device_id")) or token
            location = item.get("location", {})
            for place in location if isinstance(location, list) else [location]:
                coords = place.get("coords") if isinstance(place, dict) else None
                if not isinstance(coords, dict):
                    continue
                activity = place.get("activity")
                kind = activity.get("type") if isinstance(activity, dict) else None
                claims.append(
                    (
                        place.get("timestamp"),
                        coords.get("latitude"),
                        coords.get("longitude"),
                        coords.get("accuracy"),
                        _hint([kind]),
                    )
                )
        found = _posted(claims, at)
        return Posted(found.rows, found.left_out, token)
    fields = _form(query.encode() if query else body)
    token = _text(fields.get("id") or fields.get("deviceid"))
    if "lat" not in fields and "location" not in fields:
        return Posted((), {}, token)  # a status message
    found = _posted([_plain(fields)], at)
    return Posted(found.rows, found.left_out, token)


def _object_or_form(body: bytes) -> Mapping[str, Any]:
    if body[:1] == b"{":
        document = _json(body)
        return document if isinstance(document, dict) else {}
    return _form(body)


def _form(body: bytes) -> Mapping[str, Any]:
    if len(body) > 16_384:
        raise HostileInputError("form over 16384 bytes")
    try:
        pairs = parse_qsl(body.decode("utf-8"), max_num_fields=MAX_FIELDS, keep_blank_values=True)
    except (ValueError, UnicodeDecodeError):
        raise HostileInputError("not a form") from None
    return dict(pairs)


def _plain(fields: Mapping[str, Any]) -> Claim:
    lat, lon = fields.get("lat"), fields.get("lon")
    if lat is None and isinstance(fields.get("location"), str):
        lat, _, lon = fields["location"].partition(",")
    when = next((fields[n] for n in ("timestamp", "tst", "time") if fields.get(n)), None)
    accuracy = fields.get("accuracy", fields.get("acc"))
    return when, lat, lon, accuracy, _hint([fields.get("activity", fields.get("act"))])


def _posted(claims: Iterator[Claim] | Sequence[Claim], at: datetime) -> Posted:
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    for count, claim in enumerate(claims):
        if count >= MAX_POINTS:
            raise HostileInputError(f"over {MAX_POINTS} points at once")
        row = _row(claim, at)
        if isinstance(row, str):
            left_out[row] += 1
        else:
            rows.append(row)
    return Posted(tuple(rows), dict(left_out))


def _row(claim: Claim, at: datetime) -> Row | str:
    when, lat, lon, accuracy, hint = claim
    seconds = _seconds(when)
    latitude, longitude = _number(lat), _number(lon)
    if seconds is None:
        return "not-a-time"
    if latitude is None or longitude is None:
        return "not-a-number"
    if seconds < EARLIEST.timestamp():
        return "time-implausible"
    if seconds > (at + SKEW).timestamp():
        return "time-in-future"
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return "coordinates-out-of-range"
    if latitude == 0 and longitude == 0:
        return "coordinates-null-island"
    radius = _number(accuracy)
    known = radius is not None and 0 <= radius < 1e7
    return seconds, latitude, longitude, radius if known and radius is not None else _NAN, hint


def _number(value: Any) -> float | None:
    """A finite number, or a short text that is one (forms have only texts)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not 0 < len(value) <= 40:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e15 else None  # NaN and infinities too


def _seconds(value: Any) -> float | None:
    """UNIX seconds or milliseconds, or ISO 8601 with an offset."""
    number = _number(value)
    if number is not None:
        return number / 1000 if number > 1e11 else number
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)  # GPSLogger's %TIME is UTC
    try:
        return parsed.timestamp()
    except (OverflowError, ValueError):
        return None


_HINTS: Final[Mapping[str, Hint]] = {
    "stationary": Hint.STILL,
    "still": Hint.STILL,
    "walking": Hint.WALK,
    "running": Hint.WALK,
    "on_foot": Hint.WALK,
    "cycling": Hint.BICYCLE,
    "on_bicycle": Hint.BICYCLE,
    "driving": Hint.VEHICLE,
    "automotive": Hint.VEHICLE,
    "in_vehicle": Hint.VEHICLE,
}


def _hint(said: Any) -> Hint:
    """The strongest of what the phone said: driving and stationary together is a car at a light."""
    if not isinstance(said, list):
        return Hint.NONE
    found = {_HINTS[word] for word in said[:8] if isinstance(word, str) and word in _HINTS}
    return max(found, default=Hint.NONE)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 128 else None


def pack(rows: Sequence[Row]) -> bytes:
    """Rows as a segment's frame: `version(1) = 1 ‖ t f64 ‖ lat f64 ‖ lon f64 ‖ accuracy f32 ‖
    hint u8` for each, big-endian: 29 bytes a point."""
    return b"\x01" + b"".join(_ROW.pack(*row) for row in rows)


def unpack(data: bytes) -> list[Row]:
    """The rows of a frame; raises ValueError when it is none."""
    if data[:1] != b"\x01" or (len(data) - 1) % _ROW.size:
        raise ValueError("not a frame of points")
    return [
        (t, lat, lon, accuracy, hint) for t, lat, lon, accuracy, hint in _ROW.iter_unpack(data[1:])
    ]


__all__ = ["MAX_BODY", "App", "Posted", "Row", "pack", "read", "unpack"]
