"""How records lie in their rows: a payload and the record it says, both ways.

Most records are the JSON-LD of `schemas.jsonld.to_stored`. A trip that has nothing unusual is
packed (version 2), a fifth as long and without compression:

    0   1  2
    1   1  flags: 1 wide, 2 another zone at the end, 4 origin, 8 destination, 16 digest of a track,
           32 purpose, 64 replaced mode
    2   16 id, of `urn:uuid:`
    18  …  revision ‖ start u48 ms ‖ duration ‖ distance u32 ‖ mode(1) ‖ classes(1) ‖ legs(1) ‖
           observations(1) ‖ aliases(1)
    …      lp1(zone at the start) [‖ lp1(zone at the end)] [‖ origin] [‖ destination] [‖ digest(32)]
           [‖ lp1(purpose)] [‖ replaced mode(1)] ‖ legs ‖ ids of observations(16 each) ‖ aliases

Narrow: revision u16, durations u16 whole seconds; wide: u32 and u32 milliseconds. `classes` is
evidence · 16 + evidence of the mode. Modes and classes are numbers of `_MODES` and `_CLASSES`,
which only grow. A zone of one zero byte is Europe/Paris. A place is latitude and longitude as i32
in 10⁻⁷ degree. A leg is `mode(1) ‖ bits(1) ‖ duration ‖ distance u32 [‖ start after the trip's, as
durations] [‖ origin] [‖ destination]`; bits 0–2 its class, 3 it starts when the one before ends
(the first: with the trip), 4–5 its origin (0 none, 1 here, 2 where the one before ends, the first:
the trip's), 6–7 its destination (0 none, 1 here, 2 the trip's).
"""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from struct import error as _StructError  # noqa: N812  # the module's own name
from typing import Final

from schemas.errors import RecordError
from schemas.evidence import Evidence
from schemas.ids import Digest, Iri, node_iri
from schemas.jsonld import encode, from_jsonld, to_stored
from schemas.making import unchecked
from schemas.modes import Mode
from schemas.records import Kind, Leg, Place, Record, Trip
from schemas.units import Metres
from vault import observed

__all__ = ["iri_of", "plain_of", "read_record", "read_trip", "write_record"]

_MODES: Final = (
    "air_or_hsr", "bicycle", "bikeshare", "bus", "car", "carpool", "carshare", "ebike", "escooter",
    "ferry", "metro", "moped", "motorcycle", "plane", "taxi", "train", "tram", "unknown", "walk",
)  # fmt: skip
_CLASSES: Final = ("declared", "corrected", "sensed", "confirmed", "operator", "registry")
_MODE_NUMBER: Final[Mapping[str, int]] = {name: n for n, name in enumerate(_MODES)}
_CLASS_NUMBER: Final[Mapping[str, int]] = {name: n for n, name in enumerate(_CLASSES)}
_MODE_OF: Final = tuple(Mode(name) for name in _MODES)
_CLASS_OF: Final = tuple(Evidence(name) for name in _CLASSES)
_WIDE, _ZONES, _ORIGIN, _DESTINATION, _TRACK, _PURPOSE, _REPLACED = 1, 2, 4, 8, 16, 32, 64
_PARIS: Final = "Europe/Paris"
_UNITS: Final = 10_000_000
"""Of a degree: what 32 bits hold."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)
_FIXED: Final = {False: Struct(">HHIHIBBBBB"), True: Struct(">IHIIIBBBBB")}
_LEG: Final = {False: Struct(">BBHI"), True: Struct(">BBII")}
_AFTER: Final = {False: Struct(">H"), True: Struct(">I")}
_PLACE: Final = Struct(">ii")
_URN: Final = "urn:uuid:"


_leg_of: Final = unchecked(Leg)
_place_of: Final = unchecked(Place)
_trip_of: Final = unchecked(Trip)
"""What was packed had been checked, and its row is sealed."""


class _UnusualError(Exception):
    """JSON says it."""


def write_record(record: Record) -> bytes:
    """The payload of a record."""
    if type(record) is Trip:
        with contextlib.suppress(_UnusualError, _StructError, KeyError, ValueError, OverflowError):
            return _pack(record)
    return encode(to_stored(record))


def read_record(payload: bytes) -> Record:
    """Inverse of `write_record`."""
    if payload[:1] == b"\x02":
        return read_trip(payload)
    return from_jsonld(json.loads(payload))


def plain_of(kind: str, payload: bytes) -> int:
    """How many first bytes of a stored payload are not worth compressing."""
    if payload[:1] == b"\x02":
        return len(payload)
    return observed.plain_of(payload) if kind == Kind.OBSERVATION else 0


def iri_of(kind: str, payload: bytes) -> Iri:
    """The IRI a stored payload is filed under."""
    if payload[:1] == b"\x02":
        return _iri(payload[2:18])
    said = observed.document_of(payload) if kind == Kind.OBSERVATION else json.loads(payload)
    return Iri(said["id"])


def _id(iri: str) -> bytes:
    raw = bytes.fromhex(iri[9:].replace("-", ""))
    if len(raw) != 16 or _iri(raw) != iri:
        raise _UnusualError
    return raw


def _iri(raw: bytes) -> Iri:
    text = raw.hex()
    return Iri(f"{_URN}{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def _place(place: Place) -> bytes:
    lat, lon = round(place.lat * _UNITS), round(place.lon * _UNITS)
    if (
        lat / _UNITS != place.lat
        or lon / _UNITS != place.lon
        or place.label is not None
        or place.role is not None
        or place.extra
    ):
        raise _UnusualError
    return _PLACE.pack(lat, lon)


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _zone(name: str) -> bytes:
    return b"\x00" if name == _PARIS else _text(name)


def _pack(trip: Trip) -> bytes:
    if trip.extra or trip.register is not None:
        raise _UnusualError
    start, end = trip.started_at, trip.ended_at
    wide = trip.revision > 0xFFFF or end - start >= timedelta(seconds=1 << 16)
    if not wide:
        second = start.microsecond
        wide = end.microsecond != second or any(
            leg.started_at.microsecond != second or leg.ended_at.microsecond != second
            for leg in trip.legs
        )
    unit = _MS if wide else _SECOND
    flags = wide * _WIDE
    parts = [b"", b"", b"", _zone(trip.start_zone)]
    if trip.end_zone != trip.start_zone:
        flags |= _ZONES
        parts.append(_zone(trip.end_zone))
    origin = destination = None
    if trip.origin is not None:
        flags |= _ORIGIN
        origin = _place(trip.origin)
        parts.append(origin)
    if trip.destination is not None:
        flags |= _DESTINATION
        destination = _place(trip.destination)
        parts.append(destination)
    if trip.track is not None:
        flags |= _TRACK
        parts.append(trip.track)
    if trip.purpose is not None:
        flags |= _PURPOSE
        parts.append(_text(trip.purpose))
    if trip.replaced_mode is not None:
        flags |= _REPLACED
        parts.append(bytes((_MODE_NUMBER[trip.replaced_mode._value_],)))
    _pack_legs(trip, parts, wide=wide, unit=unit, ends=(origin, destination))
    parts += [_id(name) for name in (*trip.observations, *trip.aliases)]
    ms = (start - _EPOCH) // _MS
    parts[0] = bytes((2, flags))
    parts[1] = _id(trip.id)
    parts[2] = _FIXED[wide].pack(
        trip.revision,
        ms >> 32,
        ms & 0xFFFFFFFF,
        (end - start) // unit,
        trip.distance,
        _MODE_NUMBER[trip.mode._value_],
        _CLASS_NUMBER[trip.evidence._value_] << 4 | _CLASS_NUMBER[trip.mode_evidence._value_],
        len(trip.legs),
        len(trip.observations),
        len(trip.aliases),
    )
    return b"".join(parts)


def _pack_legs(
    trip: Trip,
    parts: list[bytes],
    *,
    wide: bool,
    unit: timedelta,
    ends: tuple[bytes | None, bytes | None],
) -> None:
    at, here = trip.started_at, ends[0]
    pack = _LEG[wide].pack
    for index, leg in enumerate(trip.legs):
        if leg.extra or leg.id != node_iri(trip.id, f"legs/{index}"):
            raise _UnusualError
        bits, more = _CLASS_NUMBER[leg.mode_evidence._value_], []
        if leg.started_at == at:
            bits |= 8
        else:
            more.append(_AFTER[wide].pack((leg.started_at - trip.started_at) // unit))
        if leg.origin is not None:
            place = _place(leg.origin)
            if place == here:
                bits |= 2 << 4
            else:
                bits |= 1 << 4
                more.append(place)
        here = None
        if leg.destination is not None:
            here = _place(leg.destination)
            if here == ends[1]:
                bits |= 2 << 6
            else:
                bits |= 1 << 6
                more.append(here)
        at = leg.ended_at
        duration = (at - leg.started_at) // unit
        parts.append(pack(_MODE_NUMBER[leg.mode._value_], bits, duration, leg.distance))
        parts += more


def read_trip(payload: bytes) -> Trip:
    """A trip in either form.

    Raises:
        RecordError: what a vault never wrote.
    """
    if payload[:1] != b"\x02":
        record = from_jsonld(json.loads(payload))
        if not isinstance(record, Trip):
            raise RecordError("not Trip", where="/type")
        return record
    try:
        return _unpack(payload)
    except (_StructError, IndexError, UnicodeDecodeError) as error:
        raise RecordError("not a packed trip") from error


def _unpack(payload: bytes) -> Trip:
    flags = payload[1]
    wide = bool(flags & _WIDE)
    fixed, unit = _FIXED[wide], _MS if wide else _SECOND
    revision, high, low, duration, distance, mode, classes, legs, named, known = fixed.unpack_from(
        payload, 18
    )
    position = 18 + fixed.size
    start = _EPOCH + (high << 32 | low) * _MS
    zones, position = _read_zone(payload, position)
    end_zone = zones
    if flags & _ZONES:
        end_zone, position = _read_zone(payload, position)
    origin = destination = track = purpose = replaced = None
    if flags & _ORIGIN:
        origin, position = _read_place(payload, position)
    if flags & _DESTINATION:
        destination, position = _read_place(payload, position)
    if flags & _TRACK:
        track, position = Digest(payload[position : position + 32]), position + 32
    if flags & _PURPOSE:
        purpose, position = _read_text(payload, position)
    if flags & _REPLACED:
        replaced, position = _MODE_OF[payload[position]], position + 1
    iri = _iri(payload[2:18])
    rides, position = _read_legs(
        payload, position, legs, iri, start=start, wide=wide, ends=(origin, destination)
    )
    ids = [_iri(payload[at : at + 16]) for at in range(position, len(payload), 16)]
    if len(ids) != named + known or position + 16 * len(ids) != len(payload):
        raise RecordError("not a packed trip")
    return _trip_of(
        id=iri,
        revision=revision,
        started_at=start,
        ended_at=start + duration * unit,
        start_zone=zones,
        end_zone=end_zone,
        origin=origin,
        destination=destination,
        legs=rides,
        distance=Metres(distance),
        mode=_MODE_OF[mode],
        evidence=_CLASS_OF[classes >> 4],
        mode_evidence=_CLASS_OF[classes & 15],
        purpose=purpose,
        replaced_mode=replaced,
        observations=tuple(ids[:named]),
        aliases=tuple(ids[named:]),
        track=track,
    )


def _read_text(payload: bytes, position: int) -> tuple[str, int]:
    end = position + 1 + payload[position]
    return payload[position + 1 : end].decode(), end


def _read_zone(payload: bytes, position: int) -> tuple[str, int]:
    name, position = _read_text(payload, position)
    return name or _PARIS, position


def _read_place(payload: bytes, position: int) -> tuple[Place, int]:
    lat, lon = _PLACE.unpack_from(payload, position)
    return _place_of(lat / _UNITS, lon / _UNITS), position + 8


def _read_legs(
    payload: bytes,
    position: int,
    count: int,
    iri: Iri,
    *,
    start: datetime,
    wide: bool,
    ends: tuple[Place | None, Place | None],
) -> tuple[tuple[Leg, ...], int]:
    layout, after, unit = _LEG[wide], _AFTER[wide], _MS if wide else _SECOND
    legs, at, here = list[Leg](), start, ends[0]
    for index in range(count):
        mode, bits, duration, distance = layout.unpack_from(payload, position)
        position += layout.size
        if not bits & 8:
            at = start + after.unpack_from(payload, position)[0] * unit
            position += after.size
        origin = here if bits >> 4 & 3 == 2 else None
        if bits >> 4 & 3 == 1:
            origin, position = _read_place(payload, position)
        here = ends[1] if bits >> 6 == 2 else None
        if bits >> 6 == 1:
            here, position = _read_place(payload, position)
        ended = at + duration * unit
        legs.append(
            _leg_of(
                id=node_iri(iri, f"legs/{index}"),
                mode=_MODE_OF[mode],
                mode_evidence=_CLASS_OF[bits & 7],
                distance=Metres(distance),
                started_at=at,
                ended_at=ended,
                origin=origin,
                destination=here,
            )
        )
        at = ended
    return tuple(legs), position
