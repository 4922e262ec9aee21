"""How an observation is kept: its bytes as deposited, and what the vault knows of its way in.

The sealed payload is UTF-8 JSON:

    {"schema_version": 1, "raw": "<JSON as deposited>" | null, "trimmed": {…} | null,
     "digest": "sha256:…", "blob": "<id>" | null, "depositor": did, "account": …,
     "manifest": "sha256:…" | null, "index": n, "received_at": instant, "ceiling": class}

An observation with a track keeps its whole bytes in a sealed blob (`blob`) and here only what is
left with the track's two ends (`trimmed`). `digest` is over the bytes as deposited: what the
depositor's manifest names. When a retention rule forgot the track, `raw` and `blob` are both null:
the digest still names what was signed, and nobody can show the bytes any more.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest, digest_text, parse_digest
from schemas.jsonld import observation_to_json, parse_json, parse_observation
from schemas.observations import Observation, Received, TripObservation
from vault.errors import BlobMissingError

__all__ = ["MAX_OBSERVATION", "Observed", "parse_raw"]

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

    @property
    def iri(self) -> Iri:
        return self.received.observation.id

    @classmethod
    def of(cls, received: Received, raw: bytes, *, blob: str | None = None) -> "Observed":
        """`blob` names the sealed file that holds `raw`; then the points are not kept here."""
        observation = received.observation
        if blob is not None and isinstance(observation, TripObservation) and observation.track:
            # Both ends stay: that there is a track counts when evidence is computed.
            ends = (observation.track[0], observation.track[-1])
            received = replace(received, observation=replace(observation, track=ends))
        return cls(received, raw if blob is None else None, digest(raw), blob)

    @property
    def is_forgotten(self) -> bool:
        """Whether the bytes as deposited were given up, and only what is left without the track is
        kept."""
        return self.raw is None and self.blob is None

    def forgotten(self) -> "Observed":
        """The same without its sealed file."""
        return replace(self, raw=None, blob=None)

    def payload(self) -> bytes:
        """Bytes to seal."""
        found = self.received
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

    @classmethod
    def read(cls, payload: bytes) -> "Observed":
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
        return unpack(blob(self.blob))


def pack(raw: bytes) -> bytes:
    """What a track's blob holds: the deposited bytes, compressed."""
    return zlib.compress(raw, 9)


def unpack(packed: bytes) -> bytes:
    """Inverse of `pack`, bounded."""
    reader = zlib.decompressobj()
    return reader.decompress(packed, _MAX_RAW)
