"""How an observation is kept: its bytes as deposited, and what the vault knows of its way in.

The sealed payload is one line of JSON, a line feed, and the bytes as deposited:

    {"schema_version": 2, "depositor": did, "account": …, "manifest": "sha256:…" | null,
     "index": n, "received_at": instant, "ceiling": class,
     "digest": "sha256:…", "blob": "<id>", "at": n, "ends": [[ms, lat, lon], [ms, lat, lon]]}

The last four are there when there is a packed track: then its text is cut out of the bytes at
`at`, the sealed blob holds what the text says (`schemas/tracks.py`), and both ends stay. `digest`
is over the bytes as deposited: what the depositor's manifest names; where they are whole it is
theirs. Version 1, still read and written for tracks left as lists, is one JSON object with `raw`
(the bytes, or null when the blob holds them, compressed) and `trimmed` (the observation with the
track's two ends). When a retention rule forgot the track, `raw` and `blob` are both null: the
digest still names what was signed, and nobody can show the bytes any more.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, digest_text, parse_digest
from schemas.jsonld import observation_to_json, parse_json, parse_observation
from schemas.observations import Observation, Received, TripObservation
from schemas.tracks import PackedTrack, packed_bytes, text_of
from vault.errors import BlobMissingError

__all__ = ["MAX_OBSERVATION", "Observed", "blob_content", "document_of", "parse_raw"]

SCHEMA_VERSION: Final = 1
MAX_OBSERVATION: Final = 1 << 20
"""As the deposit's own limit for one record."""
_MAX_RAW: Final = 4 << 20


def parse_raw(raw: bytes) -> Observation:
    """An observation from the bytes a depositor left.

    Raises:
        JsonRefusedError, RecordError: `where` names the place.
    """
    return parse_observation(parse_json(raw, max_bytes=MAX_OBSERVATION))


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation as this vault keeps it."""

    received: Received
    raw: bytes | None
    """None when the bytes are in `blob`."""
    digest: Digest
    blob: str | None
    rest: tuple[bytes, int] | None = None
    """The bytes as deposited less the text of a packed track, and where that was."""

    @property
    def iri(self) -> Iri:
        return self.received.observation.id

    @classmethod
    def of(cls, received: Received, raw: bytes, *, blob: str | None = None) -> "Observed":
        """`blob` names the sealed file that holds `raw`; then the points are not kept here."""
        observation, rest = received.observation, None
        if blob is not None:
            parts = _split(raw, observation)
            rest = None if parts is None else parts[:2]
        if blob is not None and isinstance(observation, TripObservation) and observation.track:
            # Both ends stay: that there is a track counts when evidence is computed.
            ends = (observation.track[0], observation.track[-1])
            received = replace(received, observation=replace(observation, track=ends))
        return cls(received, raw if blob is None else None, digest(raw), blob, rest)

    @property
    def is_forgotten(self) -> bool:
        """Whether the bytes as deposited were given up, and only what is left without the track is
        kept."""
        return self.raw is None and self.blob is None

    def forgotten(self) -> "Observed":
        """The same without its sealed file."""
        return replace(self, raw=None, blob=None, rest=None)

    def payload(self) -> bytes:
        """Bytes to seal."""
        found = self.received
        if self.raw is not None or self.rest is not None:
            return self._line() + b"\n" + (self.raw or (self.rest or (b"", 0))[0])
        body: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "raw": None if self.raw is None else self.raw.decode(),
            "trimmed": None if self.raw is not None else observation_to_json(found.observation),
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
        if self.rest is not None:
            track = getattr(found.observation, "track", None) or ()
            head["digest"], head["blob"] = digest_text(self.digest), self.blob
            head["at"] = self.rest[1]
            head["ends"] = [[round(p.at.timestamp() * 1000), p.lat, p.lon] for p in track]
        return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def read(cls, payload: bytes) -> "Observed":
        line, found, raw = payload.partition(b"\n")
        if found:
            return cls._read(json.loads(line), raw)
        return cls._read_1(payload)

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
        if self.raw is not None:
            return self.raw
        if self.blob is None:
            raise BlobMissingError("the track was forgotten, and the deposited bytes with it")
        content = blob(self.blob)
        if self.rest is None:
            return unpack(content)
        rest, at = self.rest
        return rest[:at] + text_of(content).encode() + rest[at:]


def document_of(payload: bytes) -> Mapping[str, Any]:
    """The observation in a kept payload as JSON, without its track: for who needs one member."""
    line, found, raw = payload.partition(b"\n")
    said = json.loads(line)
    if found:
        said = json.loads(raw)
    else:
        said = said["trimmed"] if said["raw"] is None else json.loads(said["raw"])
    return cast(Mapping[str, Any], said)


def _split(raw: bytes, observation: Observation) -> tuple[bytes, int, bytes] | None:
    """The bytes without the text of their packed track, where it was, and what it says; None where
    it cannot be cut out for certain (an escape could spell it twice)."""
    track = getattr(observation, "track", None)
    if not isinstance(track, PackedTrack) or b"\\" in raw:
        return None
    text = track.text.encode()
    if raw.count(text) != 1:
        return None
    at = raw.index(text)
    return raw[:at] + raw[at + len(text) :], at, packed_bytes(track.text)


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
