"""Records of the vault: what a citizen has, after reconciliation, in types that cannot be wrong.

All are frozen, keyword-only dataclasses. Instants are aware UTC datetimes cut to the millisecond;
zones are IANA names; distances whole metres; amounts whole cents. `extra` keeps members this
version does not know, by value, so that reading and writing a record never changes its digest.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from .errors import RecordError
from .evidence import Evidence
from .ids import Did, Digest, Iri
from .modes import Mode
from .units import Cents, Metres, Seconds

DEFAULT_RADIUS: Final = Metres(300)
MAX_BODY: Final = 64_000
"""Bytes of the body of an extension's record, as compact JSON."""
Scalar = str | int | float | bool


class Kind(StrEnum):
    """Kinds of records; the value is the JSON-LD type."""

    TRIP = "Trip"
    INVOICE = "Invoice"
    SUBSCRIPTION = "Subscription"
    ATTRIBUTE = "Attribute"
    PLACE = "NamedPlace"
    CREDENTIAL = "Credential"
    OBSERVATION = "Observation"
    APPLICATION = "AidApplication"
    AWARD = "Award"
    CONSENT = "Consent"
    DOCUMENT = "Document"
    EXTENSION = "ExtensionRecord"
    VEHICLE = "Vehicle"
    PREFERENCE = "Preference"
    GOAL = "Goal"
    MANDATE = "Mandate"
    DATA_REQUEST = "DataRequest"


class Compartment(StrEnum):
    """Key compartments of the keyring (design of the vault §4)."""

    TRIPS = "trips"
    INVOICES = "invoices"
    ATTRIBUTES = "attributes"
    DOCUMENTS = "documents"
    EXTENSIONS = "delivery"
    """Named after its first tenant in keys and rows that are sealed for good."""
    AIDS = "aids"


COMPARTMENT_OF: Final[Mapping[Kind, Compartment]] = {
    Kind.TRIP: Compartment.TRIPS,
    Kind.OBSERVATION: Compartment.TRIPS,
    Kind.INVOICE: Compartment.INVOICES,
    Kind.SUBSCRIPTION: Compartment.INVOICES,
    Kind.ATTRIBUTE: Compartment.ATTRIBUTES,
    Kind.PLACE: Compartment.ATTRIBUTES,
    Kind.CREDENTIAL: Compartment.ATTRIBUTES,
    Kind.DOCUMENT: Compartment.DOCUMENTS,
    Kind.APPLICATION: Compartment.AIDS,
    Kind.AWARD: Compartment.AIDS,
    Kind.CONSENT: Compartment.AIDS,
    Kind.EXTENSION: Compartment.EXTENSIONS,
    Kind.VEHICLE: Compartment.ATTRIBUTES,
    Kind.PREFERENCE: Compartment.ATTRIBUTES,
    Kind.GOAL: Compartment.ATTRIBUTES,
    Kind.MANDATE: Compartment.AIDS,
    Kind.DATA_REQUEST: Compartment.AIDS,
}


class PlaceRole(StrEnum):
    """What a place is to the citizen."""

    HOME = "home"
    WORK = "work"
    OTHER = "other"


class Degree(StrEnum):
    """How an attribute is certified, strongest first (design of the vault §6)."""

    SIGNED = "signed"
    RELAYED = "relayed"
    CLAIMED = "claimed"


class VehicleType(StrEnum):
    """What a vehicle is, as aids and low-emission zones tell them apart."""

    BICYCLE = "bicycle"
    EBIKE = "ebike"
    CARGO_BIKE = "cargo-bike"
    FOLDING_BIKE = "folding-bike"
    ADAPTED_BIKE = "adapted-bike"
    ESCOOTER = "escooter"
    MOPED = "moped"
    MOTORCYCLE = "motorcycle"
    CAR = "car"
    VAN = "van"
    OTHER = "other"


class Energy(StrEnum):
    """What moves a vehicle."""

    HUMAN = "human"
    ASSISTED = "assisted"
    ELECTRIC = "electric"
    HYDROGEN = "hydrogen"
    PLUG_IN_HYBRID = "plug-in-hybrid"
    HYBRID = "hybrid"
    PETROL = "petrol"
    DIESEL = "diesel"
    GAS = "gas"


class Tenure(StrEnum):
    """By what right somebody uses a vehicle."""

    OWNED = "owned"
    LEASED = "leased"
    COMPANY = "company"
    LENT = "lent"


class GoalMetric(StrEnum):
    """What a goal counts."""

    DISTANCE = "distance"
    DAYS = "days"
    TRIPS = "trips"
    EMISSION = "emission"


class GoalPeriod(StrEnum):
    """Over how long a goal counts before it starts again."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Frequency(StrEnum):
    """How often a standing consent is used: once for each civil period, after it is over."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Extent(StrEnum):
    """How far a home goes alone when it applies for an aid in the citizen's place."""

    SEND = "send"
    """Computes and sends."""
    PREPARE = "prepare"
    """Computes; the citizen reads it and sends."""


class Direction(StrEnum):
    """Which side of its target a goal wants to be."""

    AT_LEAST = "at-least"
    AT_MOST = "at-most"


class MandateAct(StrEnum):
    """What a mandate lets its delegate do, each named to the citizen."""

    READ = "read"
    DEPOSIT = "deposit"
    APPLY = "apply"


class ApplicationState(StrEnum):
    """States of an application for an aid (design of the vault §8)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    NEEDS_INFORMATION = "needs-information"
    COMPLETED = "completed"
    TO_REVIEW = "to-review"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    APPEALED = "appealed"
    AWARDED = "awarded"
    PAID = "paid"
    GUARANTEED = "guaranteed"
    CONSUMED = "consumed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    NOT_ELIGIBLE = "not-eligible"


def utc(moment: datetime) -> datetime:
    """`moment` in UTC, cut (not rounded) to the millisecond the wire carries.

    Raises:
        RecordError: naive, because a naive time is a guess about somebody else's clock.
    """
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise RecordError("a time without zone")
        moment = moment.astimezone(UTC)
    rest = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - rest) if rest else moment


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone `name`.

    Raises:
        RecordError: no such zone in the bundled tz database.
    """
    # A name, never a path: ZoneInfo joins it to a folder.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+){0,2}", name):
        raise RecordError("not an IANA time zone")
    try:
        return ZoneInfo(name)
    except Exception as error:  # ZoneInfo raises five unrelated types for bad names
        raise RecordError("not an IANA time zone") from error


def _instants(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if value is None or (value.tzinfo is UTC and not value.microsecond % 1000):
            continue
        try:
            object.__setattr__(record, name, utc(value))
        except RecordError as error:
            raise error.under(f"/{name}") from None


def _zones(record: object, *names: str) -> None:
    for name in names:
        try:
            zone(getattr(record, name))
        except RecordError as error:
            raise error.under(f"/{name}") from None


def _not_before(record: object, first: str, last: str) -> None:
    start, end = getattr(record, first), getattr(record, last)
    if start is not None and end is not None and end < start:
        raise RecordError(f"{last} is before {first}", where=f"/{last}")


def _not_negative(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if value is not None and (isinstance(value, bool) or value < 0):
            raise RecordError("may not be negative", where=f"/{name}")


def _coordinates(lat: float, lon: float) -> None:
    if type(lat) is float is type(lon) and -90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0:
        return
    for name, value, bound in (("lat", lat, 90.0), ("lon", lon, 180.0)):
        if isinstance(value, bool) or not math.isfinite(value) or abs(value) > bound:
            raise RecordError("not a coordinate in degrees", where=f"/{name}")


@dataclass(frozen=True, slots=True)
class Place:
    """An end of a trip: WGS 84 degrees, with the citizen's word for it if any."""

    lat: float
    lon: float
    label: str | None = None
    role: PlaceRole | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _coordinates(self.lat, self.lon)
        if type(self.lat) is float is type(self.lon) and self.lat and self.lon:
            return
        # One spelling per value: 3 and 3.0, 0 and -0 are the same place, and must be the same quad.
        object.__setattr__(self, "lat", float(self.lat) + 0.0)
        object.__setattr__(self, "lon", float(self.lon) + 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPlace:
    """A place of the citizen, such as « domicile » or « travail », with its dates of validity."""

    id: Iri
    revision: int = 1
    role: PlaceRole
    label: str | None = None
    lat: float
    lon: float
    radius: Metres = DEFAULT_RADIUS
    """A trip end within this distance of the centre lies in the place."""
    valid_from: date | None = None
    valid_until: date | None = None
    """Last day included."""
    confirmed_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _coordinates(self.lat, self.lon)
        object.__setattr__(self, "lat", float(self.lat) + 0.0)
        object.__setattr__(self, "lon", float(self.lon) + 0.0)
        _instants(self, "confirmed_at")
        _not_before(self, "valid_from", "valid_until")
        _not_negative(self, "radius")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One uninterrupted ride on one mode."""

    id: Iri
    mode: Mode
    mode_evidence: Evidence
    distance: Metres
    """Along the path travelled, not as the crow flies."""
    started_at: datetime
    ended_at: datetime
    origin: Place | None = None
    destination: Place | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "started_at", "ended_at")
        _not_before(self, "started_at", "ended_at")
        _not_negative(self, "distance")

    @property
    def duration(self) -> Seconds:
        """Whole seconds."""
        return Seconds(int((self.ended_at - self.started_at).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStatus:
    """What a public register says, in its own words (RPC: class A, B or C and a status)."""

    class_: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A journey of the citizen from one place to another, in one or more legs."""

    id: Iri
    revision: int = 1
    started_at: datetime
    ended_at: datetime
    start_zone: str
    end_zone: str
    origin: Place | None = None
    destination: Place | None = None
    legs: tuple[Leg, ...] = ()
    distance: Metres
    mode: Mode
    """The main mode: the one with the greatest distance."""
    evidence: Evidence
    """That the trip took place."""
    mode_evidence: Evidence
    purpose: str | None = None
    replaced_mode: Mode | None = None
    register: RegisterStatus | None = None
    """What a public register says of it, in the register's own class and status."""
    observations: tuple[Iri, ...] = ()
    aliases: tuple[Iri, ...] = ()
    """IRIs this trip was known by before observations joined; they still name it."""
    track: Digest | None = None
    """Digest of the sealed blob that holds the points."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "started_at", "ended_at")
        _not_before(self, "started_at", "ended_at")
        _not_negative(self, "distance")
        _zones(self, "start_zone", "end_zone")

    @property
    def local_date(self) -> date:
        """The civil day of the start, where the trip started."""
        return self.started_at.astimezone(zone(self.start_zone)).date()

    @property
    def duration(self) -> Seconds:
        """Whole seconds."""
        return Seconds(int((self.ended_at - self.started_at).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line of an invoice."""

    label: str
    quantity: int = 1
    unit_amount: Cents
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A bill for mobility. `total` is what was asked, taxes included; a refund is negative."""

    id: Iri
    revision: int = 1
    issuer_name: str
    issuer_siret: str | None = None
    number: str | None = None
    issued_at: datetime
    total: Cents
    currency: str = "EUR"
    """ISO 4217."""
    lines: tuple[InvoiceLine, ...] = ()
    period_start: date | None = None
    period_end: date | None = None
    payer: str | None = None
    holder: str | None = None
    evidence: Evidence = Evidence.DECLARED
    """That the issuer issued it."""
    observations: tuple[Iri, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "issued_at")
        _not_before(self, "period_start", "period_end")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise RecordError("not an ISO 4217 code", where="/currency")
        if self.issuer_siret is not None and not re.fullmatch(r"[0-9]{14}", self.issuer_siret):
            raise RecordError("not 14 digits", where="/issuer_siret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A transport pass. Who travels and who pays are kept apart."""

    id: Iri
    revision: int = 1
    network: str
    product: str
    holder: str | None = None
    payer: str | None = None
    valid_from: date
    valid_until: date
    """Last day included."""
    number: str | None = None
    evidence: Evidence = Evidence.DECLARED
    invoice: Iri | None = None
    observations: tuple[Iri, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _not_before(self, "valid_from", "valid_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One certified attribute of the citizen, e.g. `identity.family_name`."""

    id: Iri
    revision: int = 1
    name: str
    value: Scalar
    source: str
    certified_at: datetime
    degree: Degree = Degree.CLAIMED
    level: str | None = None
    """Identity assurance level as the source names it, e.g. `eidas1`."""
    observations: tuple[Iri, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "certified_at")
        if isinstance(self.value, float):
            if not math.isfinite(self.value):
                raise RecordError("not a finite number", where="/value")
            if self.value.is_integer():  # JSON has one spelling for 3 and 3.0
                object.__setattr__(self, "value", int(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A verifiable credential the citizen holds; `document` is the signed JSON-LD, untouched."""

    id: Iri
    revision: int = 1
    type: str
    """The most specific type, e.g. `AffiliationCredential`."""
    issuer: str
    document: Mapping[str, Any]
    received_at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "received_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file the citizen keeps or joins to an application; its bytes are a sealed blob."""

    id: Iri
    revision: int = 1
    title: str
    media_type: str
    size: int
    """Bytes of the file."""
    content: Digest
    created_at: datetime
    about: Iri | None = None
    """The record it proves, e.g. an invoice."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "created_at")
        _not_negative(self, "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of an application: what it became, when, by whom, why."""

    state: ApplicationState
    at: datetime
    actor: str
    reason: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Asking a funder for an aid."""

    id: Iri
    revision: int = 1
    aid: Iri
    funder: str
    state: ApplicationState
    period_from: date
    period_until: date
    amount: Cents | None = None
    submitted_at: datetime | None = None
    hub: str | None = None
    """Base address or DID of the hub that received it."""
    reasons: tuple[str, ...] = ()
    history: tuple[Transition, ...] = ()
    presentation: Digest | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "submitted_at")
        _not_before(self, "period_from", "period_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Award:
    """An aid that was granted."""

    id: Iri
    revision: int = 1
    application: Iri
    aid: Iri
    amount: Cents
    period_from: date
    period_until: date
    credential: Iri | None = None
    awarded_at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "awarded_at")
        _not_before(self, "period_from", "period_until")
        _not_negative(self, "amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent given once, with what left and what stayed, and its receipt.

    `receipt` is the DPV `ConsentRecord` (ISO/IEC TS 27560 fields), kept untouched.
    """

    id: Iri
    revision: int = 1
    recipient: Did
    recipient_name: str
    purpose: str
    claims: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()
    legal: str | None = None
    """Legal basis as shown at the time."""
    given_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    application: Iri | None = None
    presentation: Digest
    """Digest of what was sent; of a standing consent, of the terms that were agreed."""
    receipt: Mapping[str, Any]
    frequency: Frequency | None = None
    """Set for a standing consent: one proof for each such period from `period_from` to
    `period_until`, both days included."""
    period_from: date | None = None
    period_until: date | None = None
    aid: Iri | None = None
    """What the proofs of a standing consent are for."""
    grant: str | None = None
    """The keys its home may use while the vault is locked; None: it sends no more."""
    paused_at: datetime | None = None
    extent: Extent | None = None
    """Set where the home applies for the aid as soon as a period gives a right to it."""
    ceiling: Cents | None = None
    """The most that it asks for by itself under this consent, all periods together."""
    standing: Iri | None = None
    """The standing consent under which this share was sent."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "given_at", "expires_at", "withdrawn_at", "paused_at")
        _not_before(self, "period_from", "period_until")


def _size_of(body: object) -> int:
    """Bytes of a JSON object; RecordError where it is none."""
    if not isinstance(body, Mapping):
        raise RecordError("not an object", where="/body")
    try:
        return len(json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise RecordError("not JSON", where="/body") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRecord:
    """A record of an extension: this says whose it is and holds it, and looks no further.

    What is inside follows the schema of its type (`schemas.extensions.check`, on writing).
    """

    id: Iri
    revision: int = 1
    extension: str
    """Name of the extension."""
    version: int
    """Of its schemas when this was written."""
    type: str
    """Its type of record within the extension."""
    title: str
    """What lists and searches show, also where the extension is not installed."""
    summary: str = ""
    """A second line of the same kind."""
    dated: datetime | None = None
    """The instant it is filed under; None: it changes while it is kept."""
    body: Mapping[str, Any]
    """JSON under the extension's context; at most `MAX_BODY` bytes."""
    observations: tuple[Iri, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "dated")
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,39}", self.extension):
            raise RecordError("not the name of an extension", where="/extension")
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,59}", self.type):
            raise RecordError("not a type of record", where="/type")
        if self.version < 1:
            raise RecordError("not a version", where="/version")
        if not self.title.strip() or len(self.title) > 200 or len(self.summary) > 500:
            raise RecordError("a title of 1 to 200 characters, 500 below it", where="/title")
        if _size_of(self.body) > MAX_BODY:
            raise RecordError("too large", where="/body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle of the citizen: what an aid, a low-emission zone or an insurer asks about."""

    id: Iri
    revision: int = 1
    label: str | None = None
    vehicle_type: VehicleType
    energy: Energy
    tenure: Tenure = Tenure.OWNED
    make: str | None = None
    model: str | None = None
    identification: str | None = None
    """Number plate, or a bicycle's number in the national register (décret n° 2020-1439)."""
    crit_air: str | None = None
    """French air quality certificate: `0` (electric, hydrogen) to `5`."""
    mass_kg: int | None = None
    """Unladen, kilograms: the bonus for light electric cars asks it."""
    first_registered: date | None = None
    owned_from: date | None = None
    owned_until: date | None = None
    """Last day included."""
    invoice: Iri | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _not_before(self, "owned_from", "owned_until")
        _not_negative(self, "mass_kg")
        if self.crit_air is not None and not re.fullmatch(r"[0-5]", self.crit_air):
            raise RecordError("not a class 0 to 5", where="/crit_air")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One choice of the citizen, by a dotted name, e.g. `retention.tracks` = 18 (months)."""

    id: Iri
    revision: int = 1
    name: str
    """Lower-case words with dots, e.g. `notify.new-aids`."""
    value: Scalar
    decided_at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "decided_at")
        if not re.fullmatch(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*", self.name):
            raise RecordError("not a dotted name", where="/name")
        if isinstance(self.value, float):
            if not math.isfinite(self.value):
                raise RecordError("not a finite number", where="/value")
            if self.value.is_integer():  # JSON has one spelling for 3 and 3.0
                object.__setattr__(self, "value", int(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the citizen wants to reach, e.g. at least 40 km by bicycle a week."""

    id: Iri
    revision: int = 1
    label: str | None = None
    metric: GoalMetric
    modes: tuple[Mode, ...] = ()
    """Modes that count; empty means all."""
    direction: Direction = Direction.AT_LEAST
    target: int
    """In the unit of the metric: metres, days, trips, grams of CO2e."""
    period: GoalPeriod
    starts_on: date
    ends_on: date | None = None
    """Last day included."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _not_before(self, "starts_on", "ends_on")
        _not_negative(self, "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Somebody acts for the citizen, within named kinds and dates, until it is revoked.

    The keys that make it work are a grant (design of the vault §4), named by `grant`; this record
    is what the citizen reads.
    """

    id: Iri
    revision: int = 1
    delegate: Did
    delegate_name: str
    purpose: str
    acts: tuple[MandateAct, ...]
    kinds: tuple[Kind, ...]
    """Kinds of records it opens."""
    period_from: date | None = None
    period_until: date | None = None
    """Months it opens, last day included; None: no bound on that side."""
    given_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    grant: str | None = None
    receipt: Digest | None = None
    """Digest of the document that was signed or shown."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "given_at", "expires_at", "revoked_at")
        _not_before(self, "given_at", "expires_at")
        _not_before(self, "given_at", "revoked_at")
        _not_before(self, "period_from", "period_until")
        for name in ("acts", "kinds"):
            if not getattr(self, name):
                raise RecordError("names nothing", where=f"/{name}")

    def is_live(self, at: datetime) -> bool:
        """Neither revoked nor expired at `at`."""
        return self.revoked_at is None and self.given_at <= at < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Asking a company for one's own data (GDPR articles 15 and 20), and what became of it.

    Each step has its civil day, at the citizen's; what is not reached yet has none.
    """

    id: Iri
    revision: int = 1
    company: str
    postal_address: str | None = None
    """Where the letter goes, lines separated by a line feed."""
    email: str | None = None
    directory_entry: str | None = None
    """The entry of the directory it was taken from; None: a company the citizen named."""
    requester: str
    """Name and first name, as the company knows them."""
    reply_to: str | None = None
    """Where the answer goes: an email or postal address of the citizen."""
    known_as: str | None = None
    """How the company knows the citizen: customer number, account, telephone."""
    language: str = "fr"
    """Of the letter: `fr` or `en`."""
    written_at: datetime
    sent_on: date | None = None
    """The day the company received it, as far as the citizen knows."""
    extended_on: date | None = None
    """The day the company said that it needs two more months."""
    answered_on: date | None = None
    refused_on: date | None = None
    complained_on: date | None = None
    """The day the complaint went to the supervisory authority."""
    closed_on: date | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _instants(self, "written_at")
        for name in ("extended_on", "answered_on", "refused_on", "complained_on"):
            if getattr(self, name) is not None and self.sent_on is None:
                raise RecordError("before it was sent", where=f"/{name}")
            _not_before(self, "sent_on", name)
        if self.language not in {"fr", "en"}:
            raise RecordError("not a language of the letter", where="/language")
        for name in ("company", "requester"):
            if not getattr(self, name).strip():
                raise RecordError("empty", where=f"/{name}")


Record = (
    Trip
    | Invoice
    | Subscription
    | Attribute
    | NamedPlace
    | Credential
    | Document
    | Application
    | Award
    | Consent
    | ExtensionRecord
    | Vehicle
    | Preference
    | Goal
    | Mandate
    | DataRequest
)

_KINDS: Final[Mapping[type, Kind]] = {
    Trip: Kind.TRIP,
    Invoice: Kind.INVOICE,
    Subscription: Kind.SUBSCRIPTION,
    Attribute: Kind.ATTRIBUTE,
    NamedPlace: Kind.PLACE,
    Credential: Kind.CREDENTIAL,
    Document: Kind.DOCUMENT,
    Application: Kind.APPLICATION,
    Award: Kind.AWARD,
    Consent: Kind.CONSENT,
    ExtensionRecord: Kind.EXTENSION,
    Vehicle: Kind.VEHICLE,
    Preference: Kind.PREFERENCE,
    Goal: Kind.GOAL,
    Mandate: Kind.MANDATE,
    DataRequest: Kind.DATA_REQUEST,
}
RECORD_TYPES: Final[Mapping[Kind, type]] = {kind: cls for cls, kind in _KINDS.items()}


def kind_of(record: Record) -> Kind:
    """The kind of `record`."""
    return _KINDS[type(record)]


def starts_at(record: Record) -> datetime | None:
    """The instant a record is filed under (its month), or None for what has no date of its own."""
    match record:
        case Trip():
            return record.started_at
        case Invoice():
            return record.issued_at
        case Attribute():
            return record.certified_at
        case Credential():
            return record.received_at
        case Document():
            return record.created_at
        case Award():
            return record.awarded_at
        case Consent() | Mandate():
            return record.given_at
        case DataRequest():
            return record.written_at
        case ExtensionRecord():
            return record.dated
        case Subscription():
            return datetime(
                record.valid_from.year, record.valid_from.month, record.valid_from.day, tzinfo=UTC
            )
        case Application():
            return record.submitted_at
        case NamedPlace() | Vehicle() | Preference() | Goal():
            return None  # they change while they are kept; no month is theirs


def main_mode(legs: Iterable[Leg]) -> Mode:
    """The mode with the greatest total distance.

    Ties go to the longer time, then to the mode of the earlier leg, then to the code: total, so the
    answer never depends on the order of the legs.
    """
    weights: dict[Mode, tuple[int, timedelta, datetime]] = {}
    for leg in legs:
        metres, time, first = weights.get(leg.mode, (0, timedelta(), leg.started_at))
        weights[leg.mode] = (
            metres + leg.distance,
            time + (leg.ended_at - leg.started_at),
            min(first, leg.started_at),
        )
    if not weights:
        return Mode.UNKNOWN
    return min(
        weights.items(),
        key=lambda item: (-item[1][0], -item[1][1], item[1][2], item[0].value),
    )[0]


__all__ = [
    "COMPARTMENT_OF",
    "DEFAULT_RADIUS",
    "MAX_BODY",
    "RECORD_TYPES",
    "Application",
    "ApplicationState",
    "Attribute",
    "Award",
    "Compartment",
    "Consent",
    "Credential",
    "DataRequest",
    "Degree",
    "Direction",
    "Document",
    "Energy",
    "ExtensionRecord",
    "Extent",
    "Frequency",
    "Goal",
    "GoalMetric",
    "GoalPeriod",
    "Invoice",
    "InvoiceLine",
    "Kind",
    "Leg",
    "Mandate",
    "MandateAct",
    "NamedPlace",
    "Place",
    "PlaceRole",
    "Preference",
    "Record",
    "RegisterStatus",
    "Scalar",
    "Subscription",
    "Tenure",
    "Transition",
    "Trip",
    "Vehicle",
    "VehicleType",
    "kind_of",
    "main_mode",
    "starts_at",
    "utc",
    "zone",
]
