"""How an observation is kept: its bytes as deposited, and what the vault knows of its way in.

The sealed payload (version 3):

    0   1  3
    1   1  flags: 1 there is a manifest, 2 there is a packed track
    2   1  the class it may have at most, counted from `declared` = 0
    3   4  index in the manifest
    7   6  milliseconds since 1970 when it was received
    13  32 SHA-256 of the manifest, where flagged
    +0  2  where the track's text was cut out of the bytes, where flagged
    +2  2+n lp(the packed track), where flagged
    …   lp(depositor) ‖ lp(account) ‖ the bytes as deposited, without the text of a packed track

Everything before lp(depositor) is random or packed already, and is not compressed (`stored.py`).
Putting the track's text back gives the bytes as deposited, which the depositor's manifest names.

Version 2, where the track is too large for its row: one line of JSON, a line feed, and the bytes,
less the text of the track, which lies in a blob:

    {"schema_version": 2, "depositor": did, "account": …, "manifest": "sha256:…" | null,
     "index": n, "received_at": instant, "ceiling": class,
     "digest": "sha256:…", "blob": "<id>", "at": n, "ends": [[ms, lat, lon], [ms, lat, lon]]}

Version 1, still read and written for tracks left as lists, is one JSON object with `raw` (the
bytes, or null when the blob holds them, compressed) and `trimmed` (the observation with the track's
two ends). When a retention rule forgot the track, `raw` and `blob` are both null: the digest still
names what was signed, and nobody can show the bytes any more.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from struct import Struct
from typing import Any, Final, NamedTuple, cast

from pydantic_core import from_json

from federation.sealing.layout import from_ms, lp, to_ms
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, digest_text, parse_digest
from schemas.jsonld import observation_to_json, parse_observation, read_observation
from schemas.observations import Observation, Received, TripObservation
from schemas.tracks import PackedTrack, text_of
from vault.errors import BlobMissingError

__all__ = [
    "MAX_OBSERVATION",
    "Observed",
    "blob_content",
    "cut_track",
    "document_of",
    "parse_raw",
    "plain_of",
]

SCHEMA_VERSION: Final = 1
MAX_OBSERVATION: Final = 1 << 20
"""As the deposit's own limit for one record."""
_MAX_RAW: Final = 4 << 20


def parse_raw(raw: bytes) -> Observation:
    """An observation from the bytes a depositor left.

    Raises:
        JsonRefusedError, RecordError: `where` names the place.
    """
    return read_observation(raw, max_bytes=MAX_OBSERVATION)


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_HEAD: Final = Struct(">BBBIHI")
_LENGTH: Final = Struct(">H")
_HAS_MANIFEST: Final = 1
_HAS_TRACK: Final = 2
_CLASSES: Final = tuple(Evidence)
_SMALL: Final = 0xFFFF
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Cut = tuple[bytes, int, bytes]
"""Bytes without the text of their packed track, where it was, and what it says."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation as this vault keeps it."""

    received: Received
    raw: bytes | None
    """None when the bytes are in `blob`, or cut in two."""
    known_digest: Digest | None
    blob: str | None
    rest: tuple[bytes, int] | None = None
    """The bytes as deposited less the text of a packed track, and where that was."""
    track: bytes | None = None
    """What that text said, when it is not in `blob`."""

    @property
    def iri(self) -> Iri:
        return self.received.observation.id

    @property
    def digest(self) -> Digest:
        """SHA-256 of the bytes as deposited."""
        return digest(self._whole()) if self.known_digest is None else self.known_digest

    @classmethod
    def of(
        cls,
        received: Received,
        raw: bytes,
        *,
        blob: str | None = None,
        cut: _Cut | None = None,
        known_digest: Digest | None = None,
    ) -> "Observed":
        """`blob` names the sealed file that holds `raw`; then the points are not kept here. `cut`
        (`cut_track`): the track stays here, packed."""
        if cut is not None:
            return cls(received, None, known_digest, None, cut[:2], cut[2])
        if blob is None:
            return cls(received, raw, known_digest, None)
        observation = received.observation
        parts = _split(raw, observation)
        rest = None if parts is None else parts[:2]
        if isinstance(observation, TripObservation) and observation.track:
            # Both ends stay: that there is a track counts when evidence is computed.
            ends = (observation.track[0], observation.track[-1])
            received = replace(received, observation=replace(observation, track=ends))
        return cls(received, None, known_digest or digest(raw), blob, rest)

    @property
    def has_track(self) -> bool:
        """Whether there is a track that can be forgotten."""
        return self.blob is not None or self.track is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether the bytes as deposited were given up, and only what is left without the track is
        kept."""
        return self.raw is None and self.blob is None and self.track is None

    def forgotten(self) -> "Observed":
        """The same without its points."""
        received, observation = self.received, self.received.observation
        if isinstance(observation, TripObservation) and observation.track:
            ends = (observation.track[0], observation.track[-1])
            received = replace(received, observation=replace(observation, track=ends))
        return Observed(received, None, self.digest, None)

    def payload(self) -> bytes:
        """Bytes to seal."""
        found = self.received
        if self.blob is None and not self.is_forgotten:
            small = self._small()
            if small is not None:
                return small
        if self.track is not None:
            return self._line() + b"\n" + self._whole()
        if self.raw is not None or self.rest is not None:
            return self._line() + b"\n" + (self.raw or (self.rest or (b"", 0))[0])
        body: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "raw": None,
            "trimmed": observation_to_json(found.observation),
            "digest": digest_text(self.digest),
            "blob": self.blob,
            "depositor": found.depositor,
            "account": found.account,
            "manifest": None if found.manifest is None else digest_text(found.manifest),
            "index": found.index,
            "received_at": _instant(found.received_at),
            "ceiling": found.ceiling.value,
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _small(self) -> bytes | None:
        """Version 3; None for what its lengths do not hold."""
        found, at = self.received, self.received.received_at
        if at < _EPOCH or not 0 <= found.index < 1 << 32:
            return None
        raw, place = (self.raw or b"", 0) if self.rest is None else self.rest
        track, ms = self.track or b"", to_ms(at)
        flags, parts = 0, [b""]
        if found.manifest is not None:
            flags = _HAS_MANIFEST
            parts.append(found.manifest)
        if self.track is not None:
            flags |= _HAS_TRACK
            parts += (_LENGTH.pack(place), _LENGTH.pack(len(track)), track)
        ceiling = found.ceiling.rank
        parts[0] = _HEAD.pack(3, flags, ceiling, found.index, ms >> 32, ms & 0xFFFFFFFF)
        parts += (lp(found.depositor), lp(found.account), raw)
        return b"".join(parts)

    def _line(self) -> bytes:
        found = self.received
        head: dict[str, Any] = {
            "schema_version": 2,
            "depositor": found.depositor,
            "account": found.account,
            "manifest": None if found.manifest is None else digest_text(found.manifest),
            "index": found.index,
            "received_at": _instant(found.received_at),
            "ceiling": found.ceiling.value,
        }
        if self.blob is not None and self.rest is not None:
            track = getattr(found.observation, "track", None) or ()
            head["digest"], head["blob"] = digest_text(self.digest), self.blob
            head["at"] = self.rest[1]
            head["ends"] = [[round(p.at.timestamp() * 1000), p.lat, p.lon] for p in track]
        return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def read(cls, payload: bytes) -> "Observed":
        if payload[:1] == b"\x03":
            return cls._read_3(payload)
        line, found, raw = payload.partition(b"\n")
        if found:
            return cls._read(json.loads(line), raw)
        return cls._read_1(payload)

    @classmethod
    def _read_3(cls, payload: bytes) -> "Observed":
        kept = _Kept.of(payload)
        document = json.loads(kept.raw)
        if kept.track is not None:
            document["track"] = PackedTrack.kept(kept.track)
        received = Received(
            observation=parse_observation(document),
            depositor=kept.depositor,
            account=kept.account,
            manifest=kept.manifest,
            index=kept.number,
            received_at=kept.received_at,
            ceiling=kept.ceiling,
        )
        if kept.track is None:
            return cls(received, kept.raw, None, None)
        return cls(received, None, None, None, (kept.raw, kept.at), kept.track)

    @classmethod
    def _read(cls, head: Mapping[str, Any], raw: bytes) -> "Observed":
        document, blob = json.loads(raw), head.get("blob")
        if blob is not None:
            document["track"] = head["ends"]
        received = Received(
            observation=parse_observation(document),
            depositor=Did(head["depositor"]),
            account=head["account"],
            manifest=None if head["manifest"] is None else parse_digest(head["manifest"]),
            index=head["index"],
            received_at=datetime.fromisoformat(head["received_at"]),
            ceiling=Evidence(head["ceiling"]),
        )
        if blob is None:
            return cls(received, raw, digest(raw), None)
        return cls(received, None, parse_digest(head["digest"]), blob, (raw, head["at"]))

    @classmethod
    def _read_1(cls, payload: bytes) -> "Observed":
        body: Mapping[str, Any] = json.loads(payload)
        raw = None if body["raw"] is None else body["raw"].encode()
        document = body["trimmed"] if raw is None else json.loads(raw)
        return cls(
            Received(
                observation=parse_observation(document),
                depositor=Did(body["depositor"]),
                account=body["account"],
                manifest=None if body["manifest"] is None else parse_digest(body["manifest"]),
                index=body["index"],
                received_at=datetime.fromisoformat(body["received_at"]),
                ceiling=Evidence(body["ceiling"]),
            ),
            raw,
            parse_digest(body["digest"]),
            body["blob"],
        )

    def bytes_as_deposited(self, blob: Callable[[str], bytes]) -> bytes:
        """The depositor's bytes; `blob` opens a sealed file by its id."""
        if self.raw is not None or self.track is not None:
            return self._whole()
        if self.blob is None:
            raise BlobMissingError("the track was forgotten, and the deposited bytes with it")
        content = blob(self.blob)
        if self.rest is None:
            return unpack(content)
        rest, at = self.rest
        return rest[:at] + text_of(content).encode() + rest[at:]

    def _whole(self) -> bytes:
        """The depositor's bytes where they are here."""
        if self.track is None or self.rest is None:
            return self.raw or b""
        raw, at = self.rest
        return raw[:at] + text_of(self.track).encode() + raw[at:]


class _Kept(NamedTuple):
    """A payload of version 3, taken apart."""

    received_at: datetime
    number: int
    ceiling: Evidence
    manifest: Digest | None
    depositor: Did
    account: str
    raw: bytes
    at: int
    track: bytes | None

    @classmethod
    def of(cls, payload: bytes) -> "_Kept":
        _, flags, ceiling, index, high, low = _HEAD.unpack_from(payload)
        position, manifest, place, track = _HEAD.size, None, 0, None
        if flags & _HAS_MANIFEST:
            manifest = Digest(payload[position : position + 32])
            position += 32
        if flags & _HAS_TRACK:
            (place,) = _LENGTH.unpack_from(payload, position)
            track, position = _sized(payload, position + 2)
        depositor, position = _sized(payload, position)
        account, position = _sized(payload, position)
        return cls(
            from_ms(high << 32 | low),
            index,
            _CLASSES[ceiling],
            manifest,
            Did(depositor.decode()),
            account.decode(),
            payload[position:],
            place,
            track,
        )


def _sized(payload: bytes, position: int) -> tuple[bytes, int]:
    """Length-prefixed bytes, and where they end."""
    start = position + 2
    end = start + _LENGTH.unpack_from(payload, position)[0]
    return payload[start:end], end


def plain_of(payload: bytes) -> int:
    """How many first bytes of a payload are not worth compressing: up to the depositor's name."""
    if payload[:1] != b"\x03":
        return 0
    flags, position = payload[1], _HEAD.size
    if flags & _HAS_MANIFEST:
        position += 32
    if flags & _HAS_TRACK:
        position += 4 + _LENGTH.unpack_from(payload, position + 2)[0]
    return position


def document_of(payload: bytes) -> Mapping[str, Any]:
    """The observation in a kept payload as JSON, without its track: for who needs one member."""
    if payload[:1] == b"\x03":
        position = plain_of(payload)
        for _ in ("depositor", "account"):
            position += 2 + _LENGTH.unpack_from(payload, position)[0]
        return cast(Mapping[str, Any], from_json(payload[position:], cache_strings="keys"))
    line, found, raw = payload.partition(b"\n")
    said = json.loads(line)
    if found:
        said = json.loads(raw)
    else:
        said = said["trimmed"] if said["raw"] is None else json.loads(said["raw"])
    return cast(Mapping[str, Any], said)


def cut_track(raw: bytes, observation: Observation, *, limit: int) -> _Cut | None:
    """What `Observed.of` takes as `cut`; None where the track is no packed one or takes over
    `limit` bytes."""
    track = getattr(observation, "track", None)
    if not isinstance(track, PackedTrack) or len(track.data) > min(limit, _SMALL):
        return None
    return _split(raw, observation)


def _split(raw: bytes, observation: Observation) -> _Cut | None:
    """The bytes without the text of their packed track, where it was, and what it says; None where
    it cannot be cut out for certain (an escape could spell it twice)."""
    track = getattr(observation, "track", None)
    if not isinstance(track, PackedTrack) or b"\\" in raw:
        return None
    text = track.text.encode()
    at = raw.find(text)
    if at < 0 or raw.find(text, at + 1) >= 0:
        return None
    if at > _SMALL:
        return None
    return raw[:at] + raw[at + len(text) :], at, track.data


def blob_content(raw: bytes, observation: Observation) -> bytes:
    """What the blob of an observation with a track holds."""
    parts = _split(raw, observation)
    return pack(raw) if parts is None else parts[2]


def pack(raw: bytes) -> bytes:
    """What a track's blob holds: the deposited bytes, compressed."""
    return zlib.compress(raw, 9)


def unpack(packed: bytes) -> bytes:
    """Inverse of `pack`, bounded."""
    reader = zlib.decompressobj()
    return reader.decompress(packed, _MAX_RAW)
