"""Observations: what sources and the citizen leave in the vault. Immutable; trips follow from them.

An observation says what its source claims; the class of evidence is not among its members, because
it is computed (`vault/evidence.py`) from who deposited it. Design of the vault §5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from .errors import RecordError
from .evidence import Evidence
from .ids import Did, Digest, Iri
from .modes import Mode
from .records import (
    Attribute,
    Credential,
    ExtensionRecord,
    Invoice,
    Place,
    RegisterStatus,
    Subscription,
    _coordinates,
    _instants,
    _not_before,
    _not_negative,
    _zones,
    utc,
)
from .tracks import PackedTrack
from .units import Metres


class ClaimBy(StrEnum):
    """Who says which mode it was."""

    SENSOR = "sensor"
    INFERENCE = "inference"
    PERSON = "person"
    OPERATOR = "operator"
    REGISTRY = "registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeClaim:
    """One statement about the mode of a trip or a leg."""

    mode: Mode
    by: ClaimBy
    confidence: float | None = None
    """0 to 1 as the source gives it."""

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise RecordError("not between 0 and 1", where="/confidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegObservation:
    """One leg as its source saw it."""

    mode_claims: tuple[ModeClaim, ...] = ()
    distance: Metres | None = None
    started_at: datetime
    ended_at: datetime
    origin: Place | None = None
    destination: Place | None = None
    upstream_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "started_at", "ended_at")
        _not_before(self, "started_at", "ended_at")
        _not_negative(self, "distance")


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """One point of a track, WGS 84."""

    at: datetime
    lat: float
    lon: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", utc(self.at))
        _coordinates(self.lat, self.lon)


Track = tuple[TrackPoint, ...] | PackedTrack
"""Points in order of time; packed when the source left them so (`schemas/tracks.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TripObservation:
    """One trip as one source saw it."""

    id: Iri
    source: str
    """`tracemob`, `cozy`, `push:<app>`, `carpool-operator`, `citizen`…"""
    account: str
    """Which account at the source; pseudonymous, chosen by the connector."""
    upstream_ids: tuple[str, ...] = ()
    written_at: datetime | None = None
    """By the upstream's clock."""
    started_at: datetime
    ended_at: datetime
    start_zone: str
    end_zone: str
    origin: Place | None = None
    destination: Place | None = None
    legs: tuple[LegObservation, ...] = ()
    distance: Metres | None = None
    mode_claims: tuple[ModeClaim, ...] = ()
    """About the trip as a whole, e.g. a person's label."""
    purpose: str | None = None
    replaced_mode: Mode | None = None
    register: RegisterStatus | None = None
    cancelled: bool = False
    """The source withdrew the trip, e.g. a cancelled booking."""
    track: Track | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "written_at", "started_at", "ended_at")
        _not_before(self, "started_at", "ended_at")
        _not_negative(self, "distance")
        _zones(self, "start_zone", "end_zone")


LabelProperty = Literal["mode", "purpose", "replaced_mode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelObservation:
    """A person's answer in the app, for an interval (e-mission `manual/*`).

    Belongs to the trip of its account that it overlaps best; the last written wins.
    """

    id: Iri
    source: str
    account: str
    upstream_ids: tuple[str, ...] = ()
    written_at: datetime
    started_at: datetime
    ended_at: datetime
    property: LabelProperty
    value: str
    """The label as written upstream, free text included."""
    mode: Mode | None = None
    """What `value` means, when `property` is a mode and the connector knows the word."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "written_at", "started_at", "ended_at")
        _not_before(self, "started_at", "ended_at")


CitizenAct = Literal["mode", "purpose", "merge", "split", "keep-apart", "dispute"]
DisputeReason = Literal["not-mine", "did-not-happen", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenObservation:
    """What the citizen decided in the vault about observations of trips.

    `targets` are IRIs of trip *observations* (all those of the trip it was said about), so that the
    act survives any later reconciliation. `merge` and `keep-apart` name those of both trips.
    `dispute` names what one or more sources signed (observations, and held credentials): while it
    stands, no trip rests on it.
    """

    id: Iri
    at: datetime
    act: CitizenAct
    targets: tuple[Iri, ...]
    mode: Mode | None = None
    purpose: str | None = None
    split_at: datetime | None = None
    reason: DisputeReason | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "at", "split_at")
        needed: tuple[str, object] | None = {
            "mode": ("mode", self.mode),
            "purpose": ("purpose", self.purpose),
            "split": ("split_at", self.split_at),
            "dispute": ("reason", self.reason),
        }.get(self.act)
        if needed is not None and needed[1] is None:
            raise RecordError("missing for this act", where=f"/{needed[0]}")
        if not self.targets:
            raise RecordError("names no observation", where="/targets")


SuppressionScope = Literal["trip", "interval", "account", "record", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """What a deletion leaves behind so that later imports do not bring it back.

    `trip`: trips with half their time in the deleted one's interval, whatever the source.
    `interval`: observations that start in it. `account`, `all`: those of one account, or of every
    one, that start before `at`; what is lived afterwards is welcome. `record`: the deposited record
    `about`, and no trip. `source` and `account` narrow `interval`, `account` and `all`.
    """

    id: Iri
    at: datetime
    scope: SuppressionScope
    source: str | None = None
    account: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    until: datetime | None = None
    """Undo is possible until then; the suppression itself holds for good."""
    undoes: Iri | None = None
    """The suppression this one takes back."""
    about: Iri | None = None
    """The record that was deleted."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "at", "started_at", "ended_at", "until")
        _not_before(self, "started_at", "ended_at")
        if self.undoes is None and self.scope in {"trip", "interval"}:
            for name in ("started_at", "ended_at"):
                if getattr(self, name) is None:
                    raise RecordError("missing for this scope", where=f"/{name}")
        if self.undoes is None and self.scope == "account" and self.account is None:
            raise RecordError("missing for this scope", where="/account")
        if self.undoes is None and self.scope == "record" and self.about is None:
            raise RecordError("missing for this scope", where="/about")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentObservation:
    """A record that is no trip, as deposited: an invoice, a pass, an attribute, a credential, a
    record of an extension."""

    id: Iri
    source: str
    account: str
    written_at: datetime | None = None
    record: Invoice | Subscription | Attribute | Credential | ExtensionRecord
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "written_at")


Observation = (
    TripObservation | LabelObservation | CitizenObservation | Suppression | DocumentObservation
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An observation with what the vault knows about how it came.

    `ceiling` is the strongest class the registry let this depositor attest at `received_at`;
    `DECLARED` when no valid manifest covers the record (files, archives). `account` is the one the
    home linked, not the one the payload says.
    """

    observation: Observation
    depositor: Did
    account: str
    manifest: Digest | None = None
    index: int = 0
    received_at: datetime
    ceiling: Evidence = Evidence.DECLARED

    def __post_init__(self) -> None:
        _instants(self, "received_at")


__all__ = [
    "CitizenAct",
    "CitizenObservation",
    "ClaimBy",
    "DisputeReason",
    "DocumentObservation",
    "LabelObservation",
    "LabelProperty",
    "LegObservation",
    "ModeClaim",
    "Observation",
    "Received",
    "Suppression",
    "SuppressionScope",
    "Track",
    "TrackPoint",
    "TripObservation",
]
