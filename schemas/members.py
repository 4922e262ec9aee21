"""Members of every record in JSON: attribute ↔ JSON-LD term, how a value is written, read, stated.

One `Shape` a class. `jsonld.py` reads and writes by it, `quads.py` emits by it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

import rfc8785

from .errors import RecordError
from .evidence import Evidence
from .ids import digest_text, parse_did, parse_digest, parse_iri
from .modes import VOCAB, Mode
from .observations import (
    CitizenObservation,
    ClaimBy,
    DocumentObservation,
    LabelObservation,
    LegObservation,
    ModeClaim,
    Suppression,
    Track,
    TrackPoint,
    TripObservation,
)
from .records import (
    Application,
    ApplicationState,
    Attribute,
    Award,
    Consent,
    Credential,
    DataRequest,
    Degree,
    Direction,
    Document,
    Energy,
    ExtensionRecord,
    Extent,
    Frequency,
    Goal,
    GoalMetric,
    GoalPeriod,
    Invoice,
    InvoiceLine,
    Kind,
    Leg,
    Mandate,
    MandateAct,
    NamedPlace,
    Place,
    PlaceRole,
    Preference,
    RegisterStatus,
    Subscription,
    Tenure,
    Transition,
    Trip,
    Vehicle,
    VehicleType,
)
from .terms import TERMS, XSD
from .tracks import PackedTrack

MAX_INTEGER: Final = 2**53 - 1
"""I-JSON (RFC 7493 §2.2): beyond it two readers may see two numbers."""
MAX_TEXT: Final = 20_000
"""Characters of one string member; our longest legitimate one is a decision's reason."""

_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)
_OURS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
"""As `instant_text` writes them, and the standard library reads them."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ESCAPES: Final = {
    **{code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F)},
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}
_PLAIN = re.compile(r'[^\x00-\x1f\x7f"\\]*')


def escape(text: str) -> str:
    """`text` inside an N-Quads literal, canonical form (RDFC-1.0 §5.2 of N-Quads canonical)."""
    return text if _PLAIN.fullmatch(text) else text.translate(_ESCAPES)


def literal(text: str, datatype: str | None = None) -> str:
    """An N-Quads literal; `datatype` None means `xsd:string`."""
    if datatype is None:
        return f'"{escape(text)}"'
    return f'"{escape(text)}"^^<{datatype}>'


def double_text(value: float) -> str:
    """Canonical lexical form of an xsd:double as JSON-LD 1.1 API §8.6 wants it (`4.885E1`)."""
    mantissa, exponent = f"{value:1.15E}".split("E")
    mantissa = mantissa.rstrip("0")
    if mantissa.endswith("."):
        mantissa += "0"
    return f"{mantissa}E{int(exponent)}"


def instant_text(moment: datetime) -> str:
    """`2026-03-29T01:00:00.000Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise RecordError("not a string")
    if len(value) > MAX_TEXT:
        raise RecordError("text too long")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RecordError("text with half a surrogate pair") from None
    return value


def _integer(value: object) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise RecordError("not an integer")
    return value


def _double(value: object) -> float:
    if type(value) is int and abs(value) <= MAX_INTEGER:
        return float(value)
    if type(value) is not float:
        raise RecordError("not a number")
    return value


def _boolean(value: object) -> bool:
    if type(value) is not bool:
        raise RecordError("not true or false")
    return value


def _instant(value: object) -> datetime:
    if isinstance(value, str) and _OURS.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise RecordError("no such instant") from None
    match = _INSTANT.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        raise RecordError("not an RFC 3339 instant")
    fraction = (match[3] or ".")[1:7].ljust(6, "0")
    offset = "+00:00" if match[4] in "Zz" else match[4]
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}.{fraction}{offset}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RecordError("no such instant") from None


def _date(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise RecordError("not a date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise RecordError("no such date") from None


def _scalar(value: object) -> str | int | float | bool:
    match value:
        case bool():
            return value
        case str():
            return _text(value)
        case int():
            return _integer(value)
        case float():
            return value
    raise RecordError("not a string, number or boolean")


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RecordError("not an object")
    return value


def _scalar_literal(value: Any) -> str:
    match value:
        case bool():
            return literal("true" if value else "false", XSD + "boolean")
        case int():
            return literal(str(value), XSD + "integer")
        case float():
            return literal(double_text(value), XSD + "double")
        case _:
            return literal(value)


def json_literal(value: Any) -> str:
    """An `rdf:JSON` literal, the value in RFC 8785 form (JSON-LD 1.1 §10.2).

    Raises:
        RecordError: a number or string RFC 8785 has no form for.
    """
    try:
        text = rfc8785.dumps(value).decode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise RecordError("not JSON that can be canonicalised") from error
    return literal(text, "http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON")


@dataclass(frozen=True, slots=True)
class Codec:
    """How one kind of value is written to JSON, read from it, and stated as an N-Quads object."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    state: Callable[[Any], str]


def _same(value: Any) -> Any:
    return value


def _choice(enum: type[StrEnum]) -> Codec:
    values = {member.value: member for member in enum}

    def read(value: object) -> StrEnum:
        found = values.get(value) if isinstance(value, str) else None
        if found is None:
            raise RecordError("not one of " + ", ".join(values))
        return found

    return Codec(str, read, lambda value: literal(value.value))


def _concept(enum: type[StrEnum], prefix: str) -> Codec:
    base = _choice(enum)
    stated = {member: f"<{VOCAB}{prefix}{member.value}>" for member in enum}
    return Codec(str, base.read, stated.__getitem__)


def _words(*values: str) -> Codec:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in values:
            raise RecordError("not one of " + ", ".join(values))
        return value

    return Codec(_same, read, literal)


def _iri_state(value: str) -> str:
    return f"<{parse_iri(value)}>"


TEXT = Codec(_same, _text, literal)
INTEGER = Codec(_same, _integer, lambda value: literal(str(value), XSD + "integer"))
DOUBLE = Codec(_same, _double, lambda value: literal(double_text(value), XSD + "double"))
BOOLEAN = Codec(
    _same, _boolean, lambda value: literal("true" if value else "false", XSD + "boolean")
)
INSTANT = Codec(
    instant_text, _instant, lambda value: literal(instant_text(value), XSD + "dateTime")
)
DATE = Codec(date.isoformat, _date, lambda value: literal(value.isoformat(), XSD + "date"))
IRI = Codec(_same, parse_iri, _iri_state)
DID = Codec(_same, parse_did, _iri_state)
DIGEST = Codec(digest_text, parse_digest, lambda value: literal(digest_text(value)))
SCALAR = Codec(_same, _scalar, _scalar_literal)
JSON = Codec(dict, _object, json_literal)
MODE = _concept(Mode, "mode-")
EVIDENCE = _concept(Evidence, "evidence-")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: a value (`codec`) or nested nodes (`shape`), one or many."""

    attribute: str
    term: str
    codec: Codec | None = None
    shape: "Shape | None" = None
    many: bool = False
    required: bool = False

    @property
    def predicate(self) -> str:
        """The property as N-Quads writes it."""
        return f"<{TERMS[self.term].iri}>"


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of a class. `plain` shapes live inside `@json` members: no id, no type."""

    cls: type
    type: str
    members: tuple[Member, ...]
    has_id: bool = True
    """The dataclass carries its own `id`; else it is derived from the parent and the path."""
    has_extra: bool = True
    plain: bool = False
    terms: frozenset[str] = field(init=False)
    """Member names this shape understands."""
    terms_at_top: frozenset[str] = field(init=False)
    """The same with the context, which a document has and a nested node has not."""
    nests: bool = field(init=False)
    """Whether there are nodes inside, whose ids come from this one's."""

    def __post_init__(self) -> None:
        own = () if self.plain else ("id", "type")
        terms = frozenset({*own, *(member.term for member in self.members)})
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "nests", any(m.shape is not None for m in self.members))
        object.__setattr__(self, "terms_at_top", terms | {"@context"})


def _shape(
    cls: type,
    type_: str,
    entries: Mapping[str, tuple[str, Codec | Shape] | tuple[str, Codec | Shape, str]],
    *,
    plain: bool = False,
) -> Shape:
    defaults = {f.name: f for f in fields(cls)}
    members = []
    for attribute, entry in entries.items():
        term, how = entry[0], entry[1]
        many = len(entry) == 3
        field = defaults[attribute]
        required = field.default is MISSING and field.default_factory is MISSING
        codec, shape = (how, None) if isinstance(how, Codec) else (None, how)
        members.append(Member(attribute, term, codec, shape, many, required))
    covered = set(entries) | {"id", "extra"}
    missing = set(defaults) - covered
    if missing:  # pragma: no cover
        raise AssertionError(f"{cls.__name__}: no member for {missing}")
    return Shape(
        cls,
        type_,
        tuple(members),
        has_id="id" in defaults,
        has_extra="extra" in defaults,
        plain=plain,
    )


MANY: Final = "many"

PLACE = _shape(
    Place,
    "Place",
    {
        "lat": ("lat", DOUBLE),
        "lon": ("lon", DOUBLE),
        "label": ("label", TEXT),
        "role": ("role", _choice(PlaceRole)),
    },
)
NAMED_PLACE = _shape(
    NamedPlace,
    "NamedPlace",
    {
        "revision": ("revision", INTEGER),
        "role": ("role", _choice(PlaceRole)),
        "label": ("label", TEXT),
        "lat": ("lat", DOUBLE),
        "lon": ("lon", DOUBLE),
        "radius": ("radius", INTEGER),
        "valid_from": ("firstDay", DATE),
        "valid_until": ("lastDay", DATE),
        "confirmed_at": ("confirmedAt", INSTANT),
    },
)
LEG = _shape(
    Leg,
    "Leg",
    {
        "mode": ("mode", MODE),
        "mode_evidence": ("modeEvidence", EVIDENCE),
        "distance": ("distance", INTEGER),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "origin": ("origin", PLACE),
        "destination": ("destination", PLACE),
    },
)
_REGISTER = _shape(
    RegisterStatus, "", {"class_": ("class", TEXT), "status": ("status", TEXT)}, plain=True
)


TRIP = _shape(
    Trip,
    "Trip",
    {
        "revision": ("revision", INTEGER),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "start_zone": ("startZone", TEXT),
        "end_zone": ("endZone", TEXT),
        "origin": ("origin", PLACE),
        "destination": ("destination", PLACE),
        "legs": ("legs", LEG, MANY),
        "distance": ("distance", INTEGER),
        "mode": ("mode", MODE),
        "evidence": ("evidence", EVIDENCE),
        "mode_evidence": ("modeEvidence", EVIDENCE),
        "purpose": ("purpose", TEXT),
        "replaced_mode": ("replacedMode", MODE),
        "register": ("register", _REGISTER),
        "observations": ("observations", IRI, MANY),
        "aliases": ("aliases", IRI, MANY),
        "track": ("trackDigest", DIGEST),
    },
)
INVOICE_LINE = _shape(
    InvoiceLine,
    "InvoiceLine",
    {
        "label": ("label", TEXT),
        "quantity": ("quantity", INTEGER),
        "unit_amount": ("unitAmount", INTEGER),
    },
)
INVOICE = _shape(
    Invoice,
    "Invoice",
    {
        "revision": ("revision", INTEGER),
        "issuer_name": ("invoiceIssuer", TEXT),
        "issuer_siret": ("invoiceIssuerSiret", TEXT),
        "number": ("number", TEXT),
        "issued_at": ("issuedAt", INSTANT),
        "total": ("total", INTEGER),
        "currency": ("currency", TEXT),
        "lines": ("lines", INVOICE_LINE, MANY),
        "period_start": ("periodStart", DATE),
        "period_end": ("periodEnd", DATE),
        "payer": ("payer", TEXT),
        "holder": ("holderName", TEXT),
        "evidence": ("evidence", EVIDENCE),
        "observations": ("observations", IRI, MANY),
    },
)
SUBSCRIPTION = _shape(
    Subscription,
    "Subscription",
    {
        "revision": ("revision", INTEGER),
        "network": ("network", TEXT),
        "product": ("product", TEXT),
        "holder": ("holderName", TEXT),
        "payer": ("payer", TEXT),
        "valid_from": ("firstDay", DATE),
        "valid_until": ("lastDay", DATE),
        "number": ("number", TEXT),
        "evidence": ("evidence", EVIDENCE),
        "invoice": ("invoice", IRI),
        "observations": ("observations", IRI, MANY),
    },
)
ATTRIBUTE = _shape(
    Attribute,
    "Attribute",
    {
        "revision": ("revision", INTEGER),
        "name": ("attributeName", TEXT),
        "value": ("value", SCALAR),
        "source": ("source", TEXT),
        "certified_at": ("certifiedAt", INSTANT),
        "degree": ("degree", _choice(Degree)),
        "level": ("identityLevel", TEXT),
        "observations": ("observations", IRI, MANY),
    },
)
CREDENTIAL = _shape(
    Credential,
    "Credential",
    {
        "revision": ("revision", INTEGER),
        "type": ("credentialType", TEXT),
        "issuer": ("issuedBy", TEXT),
        "document": ("document", JSON),
        "received_at": ("receivedAt", INSTANT),
    },
)
DOCUMENT = _shape(
    Document,
    "Document",
    {
        "revision": ("revision", INTEGER),
        "title": ("title", TEXT),
        "media_type": ("fileType", TEXT),
        "size": ("size", INTEGER),
        "content": ("contentDigest", DIGEST),
        "created_at": ("createdAt", INSTANT),
        "about": ("about", IRI),
    },
)
TRANSITION = _shape(
    Transition,
    "Transition",
    {
        "state": ("state", _choice(ApplicationState)),
        "at": ("at", INSTANT),
        "actor": ("actor", TEXT),
        "reason": ("reason", TEXT),
    },
)
APPLICATION = _shape(
    Application,
    "AidApplication",
    {
        "revision": ("revision", INTEGER),
        "aid": ("aid", IRI),
        "funder": ("funder", TEXT),
        "state": ("state", _choice(ApplicationState)),
        "period_from": ("periodFrom", DATE),
        "period_until": ("periodUntil", DATE),
        "amount": ("amount", INTEGER),
        "submitted_at": ("submittedAt", INSTANT),
        "hub": ("hub", TEXT),
        "reasons": ("reasons", TEXT, MANY),
        "history": ("history", TRANSITION, MANY),
        "presentation": ("presentationDigest", DIGEST),
    },
)
AWARD = _shape(
    Award,
    "Award",
    {
        "revision": ("revision", INTEGER),
        "application": ("application", IRI),
        "aid": ("aid", IRI),
        "amount": ("amount", INTEGER),
        "period_from": ("periodFrom", DATE),
        "period_until": ("periodUntil", DATE),
        "credential": ("awardCredential", IRI),
        "awarded_at": ("awardedAt", INSTANT),
    },
)
CONSENT = _shape(
    Consent,
    "Consent",
    {
        "revision": ("revision", INTEGER),
        "recipient": ("recipient", DID),
        "recipient_name": ("recipientName", TEXT),
        "purpose": ("purpose", TEXT),
        "claims": ("claims", TEXT, MANY),
        "kept_back": ("keptBack", TEXT, MANY),
        "legal": ("legalBasis", TEXT),
        "given_at": ("givenAt", INSTANT),
        "expires_at": ("expiresAt", INSTANT),
        "withdrawn_at": ("withdrawnAt", INSTANT),
        "application": ("application", IRI),
        "presentation": ("presentationDigest", DIGEST),
        "receipt": ("receipt", JSON),
        "frequency": ("every", _choice(Frequency)),
        "period_from": ("periodFrom", DATE),
        "period_until": ("periodUntil", DATE),
        "aid": ("aid", IRI),
        "grant": ("grant", TEXT),
        "paused_at": ("pausedAt", INSTANT),
        "extent": ("extent", _choice(Extent)),
        "ceiling": ("ceiling", INTEGER),
        "standing": ("standingConsent", IRI),
    },
)
EXTENSION_RECORD = _shape(
    ExtensionRecord,
    "ExtensionRecord",
    {
        "revision": ("revision", INTEGER),
        "extension": ("extension", TEXT),
        "version": ("extensionVersion", INTEGER),
        "type": ("recordType", TEXT),
        "title": ("title", TEXT),
        "summary": ("summary", TEXT),
        "dated": ("dated", INSTANT),
        "body": ("body", JSON),
        "observations": ("observations", IRI, MANY),
    },
)
VEHICLE = _shape(
    Vehicle,
    "Vehicle",
    {
        "revision": ("revision", INTEGER),
        "label": ("label", TEXT),
        "vehicle_type": ("vehicleType", _choice(VehicleType)),
        "energy": ("energy", _choice(Energy)),
        "tenure": ("tenure", _choice(Tenure)),
        "make": ("make", TEXT),
        "model": ("model", TEXT),
        "identification": ("identification", TEXT),
        "crit_air": ("critAir", TEXT),
        "mass_kg": ("mass", INTEGER),
        "first_registered": ("firstRegistered", DATE),
        "owned_from": ("ownedFrom", DATE),
        "owned_until": ("ownedUntil", DATE),
        "invoice": ("invoice", IRI),
    },
)
PREFERENCE = _shape(
    Preference,
    "Preference",
    {
        "revision": ("revision", INTEGER),
        "name": ("preferenceName", TEXT),
        "value": ("value", SCALAR),
        "decided_at": ("decidedAt", INSTANT),
    },
)
GOAL = _shape(
    Goal,
    "Goal",
    {
        "revision": ("revision", INTEGER),
        "label": ("label", TEXT),
        "metric": ("goalMetric", _choice(GoalMetric)),
        "modes": ("countedModes", MODE, MANY),
        "direction": ("direction", _choice(Direction)),
        "target": ("target", INTEGER),
        "period": ("every", _choice(GoalPeriod)),
        "starts_on": ("firstDay", DATE),
        "ends_on": ("lastDay", DATE),
    },
)
DATA_REQUEST = _shape(
    DataRequest,
    "DataRequest",
    {
        "revision": ("revision", INTEGER),
        "company": ("company", TEXT),
        "postal_address": ("contactAddress", TEXT),
        "email": ("contactEmail", TEXT),
        "directory_entry": ("directoryEntry", TEXT),
        "requester": ("requester", TEXT),
        "reply_to": ("replyTo", TEXT),
        "known_as": ("knownAs", TEXT),
        "language": ("letterLanguage", TEXT),
        "written_at": ("writtenAt", INSTANT),
        "sent_on": ("sentOn", DATE),
        "extended_on": ("extendedOn", DATE),
        "answered_on": ("answeredOn", DATE),
        "refused_on": ("refusedOn", DATE),
        "complained_on": ("complainedOn", DATE),
        "closed_on": ("closedOn", DATE),
    },
)
MANDATE = _shape(
    Mandate,
    "Mandate",
    {
        "revision": ("revision", INTEGER),
        "delegate": ("delegate", DID),
        "delegate_name": ("delegateName", TEXT),
        "purpose": ("purpose", TEXT),
        "acts": ("acts", _choice(MandateAct), MANY),
        "kinds": ("kinds", _choice(Kind), MANY),
        "period_from": ("periodFrom", DATE),
        "period_until": ("periodUntil", DATE),
        "given_at": ("givenAt", INSTANT),
        "expires_at": ("expiresAt", INSTANT),
        "revoked_at": ("revokedAt", INSTANT),
        "grant": ("grant", TEXT),
        "receipt": ("receiptDigest", DIGEST),
    },
)

# Inside `@json` members of observations: plain objects, the same names where the meaning is one.
_SEEN_PLACE = _shape(
    Place,
    "",
    {
        "lat": ("lat", DOUBLE),
        "lon": ("lon", DOUBLE),
        "label": ("label", TEXT),
        "role": ("role", _choice(PlaceRole)),
    },
    plain=True,
)
_CLAIM = _shape(
    ModeClaim,
    "",
    {
        "mode": ("mode", _choice(Mode)),
        "by": ("by", _choice(ClaimBy)),
        "confidence": ("confidence", DOUBLE),
    },
    plain=True,
)
_SEEN_LEG = _shape(
    LegObservation,
    "",
    {
        "mode_claims": ("modeClaims", _CLAIM, MANY),
        "distance": ("distance", INTEGER),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "origin": ("origin", _SEEN_PLACE),
        "destination": ("destination", _SEEN_PLACE),
        "upstream_id": ("upstreamId", TEXT),
    },
    plain=True,
)


def _track_write(track: Track) -> list[list[float]] | str:
    if isinstance(track, PackedTrack):
        return track.text
    return [[round(p.at.timestamp() * 1000), p.lat, p.lon] for p in track]


def _track_read(value: object) -> Track:
    if isinstance(value, str):
        return PackedTrack(value)
    if isinstance(value, PackedTrack):  # read from a row of the vault, where it is packed
        return value
    if not isinstance(value, list):
        raise RecordError("not a list")
    points = []
    for index, item in enumerate(value):
        try:
            if not isinstance(item, list) or len(item) != 3:
                raise RecordError("not [milliseconds, latitude, longitude]")
            moment = datetime.fromtimestamp(_integer(item[0]) / 1000, UTC)
            points.append(TrackPoint(moment, _double(item[1]), _double(item[2])))
        except (ValueError, OverflowError, OSError):
            raise RecordError("no such instant", where=f"/{index}/0") from None
        except RecordError as error:
            raise error.under(f"/{index}") from None
    return tuple(points)


TRACK = Codec(_track_write, _track_read, lambda value: json_literal(_track_write(value)))

TRIP_OBSERVATION = _shape(
    TripObservation,
    "TripObservation",
    {
        "source": ("source", TEXT),
        "account": ("account", TEXT),
        "upstream_ids": ("upstreamIds", TEXT, MANY),
        "written_at": ("writtenAt", INSTANT),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "start_zone": ("startZone", TEXT),
        "end_zone": ("endZone", TEXT),
        "origin": ("seenOrigin", _SEEN_PLACE),
        "destination": ("seenDestination", _SEEN_PLACE),
        "legs": ("seenLegs", _SEEN_LEG, MANY),
        "distance": ("distance", INTEGER),
        "mode_claims": ("modeClaims", _CLAIM, MANY),
        "purpose": ("purpose", TEXT),
        "replaced_mode": ("replacedMode", MODE),
        "register": ("register", _REGISTER),
        "cancelled": ("cancelled", BOOLEAN),
        "track": ("track", TRACK),
    },
)
LABEL_OBSERVATION = _shape(
    LabelObservation,
    "LabelObservation",
    {
        "source": ("source", TEXT),
        "account": ("account", TEXT),
        "upstream_ids": ("upstreamIds", TEXT, MANY),
        "written_at": ("writtenAt", INSTANT),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "property": ("labelProperty", _words("mode", "purpose", "replaced_mode")),
        "value": ("labelValue", TEXT),
        "mode": ("mode", MODE),
    },
)
CITIZEN_OBSERVATION = _shape(
    CitizenObservation,
    "CitizenObservation",
    {
        "at": ("at", INSTANT),
        "act": ("act", _words("mode", "purpose", "merge", "split", "keep-apart", "dispute")),
        "targets": ("targets", IRI, MANY),
        "mode": ("mode", MODE),
        "purpose": ("purpose", TEXT),
        "split_at": ("splitAt", INSTANT),
        "reason": ("reason", _words("not-mine", "did-not-happen", "wrong")),
    },
)
SUPPRESSION = _shape(
    Suppression,
    "Suppression",
    {
        "at": ("at", INSTANT),
        "scope": ("scope", _words("trip", "interval", "account", "record", "all")),
        "source": ("source", TEXT),
        "account": ("account", TEXT),
        "started_at": ("startedAt", INSTANT),
        "ended_at": ("endedAt", INSTANT),
        "until": ("undoUntil", INSTANT),
        "undoes": ("undoes", IRI),
        "about": ("about", IRI),
    },
)

RECORD_SHAPES: Final[Mapping[type, Shape]] = {
    shape.cls: shape
    for shape in (
        TRIP,
        INVOICE,
        SUBSCRIPTION,
        ATTRIBUTE,
        NAMED_PLACE,
        CREDENTIAL,
        DOCUMENT,
        APPLICATION,
        AWARD,
        CONSENT,
        EXTENSION_RECORD,
        VEHICLE,
        PREFERENCE,
        GOAL,
        MANDATE,
        DATA_REQUEST,
    )
}
OBSERVATION_SHAPES: Final[Mapping[type, Shape]] = {
    shape.cls: shape
    for shape in (TRIP_OBSERVATION, LABEL_OBSERVATION, CITIZEN_OBSERVATION, SUPPRESSION)
}
DEPOSITABLE: Final = (Invoice, Subscription, Attribute, Credential, ExtensionRecord)
DOCUMENT_OBSERVATION_TYPE: Final = DocumentObservation.__name__

__all__ = [
    "DEPOSITABLE",
    "OBSERVATION_SHAPES",
    "RECORD_SHAPES",
    "Codec",
    "Member",
    "Shape",
    "double_text",
    "escape",
    "instant_text",
    "json_literal",
    "literal",
]
