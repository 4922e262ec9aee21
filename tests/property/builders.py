"""Hypothesis strategies for every kind of record and observation."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri
from schemas.modes import Mode
from schemas.observations import (
    CitizenObservation,
    ClaimBy,
    DocumentObservation,
    LabelObservation,
    LegObservation,
    ModeClaim,
    Suppression,
    TrackPoint,
    TripObservation,
)
from schemas.records import (
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
from schemas.terms import TERMS
from schemas.tracks import PackedTrack
from schemas.units import Cents, Metres

iris = st.uuids().map(lambda u: Iri(f"urn:uuid:{u}"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
dates = st.dates(date(1990, 1, 1), date(2100, 1, 1))
digests = st.binary(min_size=32, max_size=32).map(Digest)
numbers = st.integers(0, 10**9)
zones = st.sampled_from(["Europe/Paris", "America/Guadeloupe", "Indian/Reunion", "UTC"])
lats = st.floats(-90, 90)
lons = st.floats(-180, 180)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=8,
)
_names = texts.filter(
    lambda name: (
        name not in TERMS
        and not name.startswith("@")
        and ":" not in name
        and name not in {"id", "type", "upstreamId", "by", "confidence", "class"}
    )
)
extras = st.dictionaries(_names, json_values, max_size=2)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def many(strategy: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=size).map(tuple)


@st.composite
def intervals(draw: st.DrawFn) -> dict[str, datetime]:
    start = draw(instants)
    return {"started_at": start, "ended_at": start + timedelta(seconds=draw(numbers) % 10**6)}


@st.composite
def day_ranges(draw: st.DrawFn, first: str, last: str) -> dict[str, date]:
    start = draw(dates)
    return {first: start, last: start + timedelta(days=draw(st.integers(0, 400)))}


places = st.builds(
    Place,
    lat=lats,
    lon=lons,
    label=maybe(texts),
    role=maybe(st.sampled_from(PlaceRole)),
    extra=extras,
)
modes = st.sampled_from(Mode)
evidences = st.sampled_from(Evidence)


def _with(span: st.SearchStrategy[dict[str, Any]], cls: type, **rest: Any) -> Any:
    return st.builds(lambda values, **others: cls(**values, **others), span, **rest)


legs = _with(
    intervals(),
    Leg,
    id=iris,
    mode=modes,
    mode_evidence=evidences,
    distance=numbers.map(Metres),
    origin=maybe(places),
    destination=maybe(places),
    extra=extras,
)
trips = _with(
    intervals(),
    Trip,
    id=iris,
    revision=st.integers(1, 99),
    start_zone=zones,
    end_zone=zones,
    origin=maybe(places),
    destination=maybe(places),
    legs=many(legs),
    distance=numbers.map(Metres),
    mode=modes,
    evidence=evidences,
    mode_evidence=evidences,
    purpose=maybe(texts),
    replaced_mode=maybe(modes),
    register=maybe(st.builds(RegisterStatus, class_=texts, status=texts)),
    observations=many(iris),
    aliases=many(iris),
    track=maybe(digests),
    extra=extras,
)
invoices = _with(
    day_ranges("period_start", "period_end"),
    Invoice,
    id=iris,
    issuer_name=texts,
    issuer_siret=maybe(st.integers(0, 10**14 - 1).map(lambda n: f"{n:014}")),
    number=maybe(texts),
    issued_at=instants,
    total=st.integers(-(10**9), 10**9).map(Cents),
    lines=many(
        st.builds(
            InvoiceLine, label=texts, quantity=numbers, unit_amount=numbers.map(Cents), extra=extras
        )
    ),
    payer=maybe(texts),
    holder=maybe(texts),
    evidence=evidences,
    observations=many(iris),
    extra=extras,
)
subscriptions = _with(
    day_ranges("valid_from", "valid_until"),
    Subscription,
    id=iris,
    network=texts,
    product=texts,
    holder=maybe(texts),
    payer=maybe(texts),
    number=maybe(texts),
    evidence=evidences,
    invoice=maybe(iris),
    observations=many(iris),
    extra=extras,
)
attributes = st.builds(
    Attribute,
    id=iris,
    name=texts,
    value=texts | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15),
    source=texts,
    certified_at=instants,
    degree=st.sampled_from(Degree),
    level=maybe(texts),
    observations=many(iris),
    extra=extras,
)
named_places = _with(
    day_ranges("valid_from", "valid_until"),
    NamedPlace,
    id=iris,
    role=st.sampled_from(PlaceRole),
    label=maybe(texts),
    lat=lats,
    lon=lons,
    radius=numbers.map(Metres),
    confirmed_at=maybe(instants),
    extra=extras,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)
credentials = st.builds(
    Credential,
    id=iris,
    type=texts,
    issuer=texts,
    document=json_objects,
    received_at=instants,
    extra=extras,
)
documents = st.builds(
    Document,
    id=iris,
    title=texts,
    media_type=texts,
    size=numbers,
    content=digests,
    created_at=instants,
    about=maybe(iris),
    extra=extras,
)
applications = _with(
    day_ranges("period_from", "period_until"),
    Application,
    id=iris,
    aid=iris,
    funder=texts,
    state=st.sampled_from(ApplicationState),
    amount=maybe(numbers.map(Cents)),
    submitted_at=maybe(instants),
    hub=maybe(texts),
    reasons=many(texts),
    history=many(
        st.builds(
            Transition,
            state=st.sampled_from(ApplicationState),
            at=instants,
            actor=texts,
            reason=maybe(texts),
            extra=extras,
        )
    ),
    presentation=maybe(digests),
    extra=extras,
)
awards = _with(
    day_ranges("period_from", "period_until"),
    Award,
    id=iris,
    application=iris,
    aid=iris,
    amount=numbers.map(Cents),
    credential=maybe(iris),
    awarded_at=instants,
    extra=extras,
)
consents = st.builds(
    Consent,
    id=iris,
    recipient=st.just(Did("did:web:financeur.example")),
    recipient_name=texts,
    purpose=texts,
    claims=many(texts),
    kept_back=many(texts),
    legal=maybe(texts),
    given_at=instants,
    expires_at=maybe(instants),
    withdrawn_at=maybe(instants),
    application=maybe(iris),
    presentation=digests,
    receipt=json_objects,
    frequency=maybe(st.sampled_from(Frequency)),
    period_from=maybe(st.dates(max_value=date(2026, 6, 1))),
    period_until=maybe(st.dates(min_value=date(2026, 6, 1))),
    aid=maybe(iris),
    grant=maybe(texts),
    paused_at=maybe(instants),
    extent=maybe(st.sampled_from(Extent)),
    ceiling=maybe(st.integers(1, 10**7).map(Cents)),
    standing=maybe(iris),
    extra=extras,
)
extension_records = st.builds(
    ExtensionRecord,
    id=iris,
    revision=st.integers(1, 99),
    extension=st.sampled_from(["exemple", "a-b"]),
    version=st.integers(1, 9),
    type=st.sampled_from(["Thing", "Other2"]),
    title=texts.filter(lambda text: bool(text.strip()) and len(text) <= 200),
    summary=texts.filter(lambda text: len(text) <= 500),
    dated=maybe(instants),
    body=json_objects,
    observations=many(iris),
    extra=extras,
)
vehicles = _with(
    day_ranges("owned_from", "owned_until"),
    Vehicle,
    id=iris,
    revision=st.integers(1, 99),
    label=maybe(texts),
    vehicle_type=st.sampled_from(VehicleType),
    energy=st.sampled_from(Energy),
    tenure=st.sampled_from(Tenure),
    make=maybe(texts),
    model=maybe(texts),
    identification=maybe(texts),
    crit_air=maybe(st.sampled_from("012345")),
    mass_kg=maybe(numbers),
    first_registered=maybe(dates),
    invoice=maybe(iris),
    extra=extras,
)
preferences = st.builds(
    Preference,
    id=iris,
    revision=st.integers(1, 99),
    name=st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z][a-z0-9-]{0,9}){0,2}", fullmatch=True),
    value=texts | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15),
    decided_at=instants,
    extra=extras,
)
goals = _with(
    day_ranges("starts_on", "ends_on"),
    Goal,
    id=iris,
    revision=st.integers(1, 99),
    label=maybe(texts),
    metric=st.sampled_from(GoalMetric),
    modes=st.lists(modes, max_size=3, unique=True).map(tuple),
    direction=st.sampled_from(Direction),
    target=numbers,
    period=st.sampled_from(GoalPeriod),
    extra=extras,
)


@st.composite
def mandates(draw: st.DrawFn) -> Mandate:
    given = draw(instants)
    return Mandate(
        id=draw(iris),
        revision=draw(st.integers(1, 99)),
        delegate=Did("did:web:conseil.example"),
        delegate_name=draw(texts),
        purpose=draw(texts),
        acts=tuple(draw(st.lists(st.sampled_from(MandateAct), min_size=1, unique=True))),
        kinds=tuple(draw(st.lists(st.sampled_from(Kind), min_size=1, max_size=3, unique=True))),
        **draw(st.just({}) | day_ranges("period_from", "period_until")),
        given_at=given,
        expires_at=given + timedelta(days=draw(st.integers(0, 400))),
        revoked_at=draw(st.none() | st.just(given + timedelta(days=1))),
        grant=draw(maybe(texts)),
        receipt=draw(maybe(digests)),
        extra=draw(extras),
    )


@st.composite
def data_requests(draw: st.DrawFn) -> DataRequest:
    sent = draw(maybe(dates))

    def later() -> date | None:
        days = draw(maybe(st.integers(0, 90)))
        return None if sent is None or days is None else sent + timedelta(days=days)

    return DataRequest(
        id=draw(iris),
        revision=draw(st.integers(1, 99)),
        company=draw(texts.filter(str.strip)),
        postal_address=draw(maybe(texts)),
        email=draw(maybe(texts)),
        directory_entry=draw(maybe(texts)),
        requester=draw(texts.filter(str.strip)),
        reply_to=draw(maybe(texts)),
        known_as=draw(maybe(texts)),
        language=draw(st.sampled_from(["fr", "en"])),
        written_at=draw(instants),
        sent_on=sent,
        extended_on=later(),
        answered_on=later(),
        refused_on=later(),
        complained_on=later(),
        closed_on=draw(maybe(dates)),
        extra=draw(extras),
    )


records = st.one_of(
    trips,
    invoices,
    subscriptions,
    attributes,
    named_places,
    credentials,
    documents,
    applications,
    awards,
    consents,
    extension_records,
    vehicles,
    preferences,
    goals,
    mandates(),
    data_requests(),
)

claims = st.builds(
    ModeClaim, mode=modes, by=st.sampled_from(ClaimBy), confidence=maybe(st.floats(0, 1))
)
seen_legs = _with(
    intervals(),
    LegObservation,
    mode_claims=many(claims),
    distance=maybe(numbers.map(Metres)),
    origin=maybe(places),
    destination=maybe(places),
    upstream_id=maybe(texts),
    extra=extras,
)
packed_tracks = (
    st.lists(st.tuples(instants, lats, lons), min_size=1, max_size=5)
    .map(PackedTrack.of)
    .filter(lambda track: track is not None)
)
trip_observations = _with(
    intervals(),
    TripObservation,
    id=iris,
    source=texts,
    account=texts,
    upstream_ids=many(texts),
    written_at=maybe(instants),
    start_zone=zones,
    end_zone=zones,
    origin=maybe(places),
    destination=maybe(places),
    legs=many(seen_legs),
    distance=maybe(numbers.map(Metres)),
    mode_claims=many(claims),
    purpose=maybe(texts),
    replaced_mode=maybe(modes),
    register=maybe(st.builds(RegisterStatus, class_=texts, status=texts)),
    cancelled=st.booleans(),
    track=maybe(
        st.lists(
            st.builds(TrackPoint, at=instants, lat=lats, lon=lons), min_size=1, max_size=3
        ).map(tuple)
        | packed_tracks
    ),
    extra=extras,
)
label_observations = _with(
    intervals(),
    LabelObservation,
    id=iris,
    source=texts,
    account=texts,
    upstream_ids=many(texts),
    written_at=instants,
    property=st.sampled_from(["mode", "purpose", "replaced_mode"]),
    value=texts,
    mode=maybe(modes),
    extra=extras,
)
citizen_observations = st.builds(
    CitizenObservation,
    id=iris,
    at=instants,
    act=st.sampled_from(["mode", "purpose", "merge", "split", "keep-apart"]),
    targets=st.lists(iris, min_size=1, max_size=3).map(tuple),
    mode=modes,
    purpose=texts,
    split_at=instants,
    extra=extras,
)
suppressions = _with(
    intervals(),
    Suppression,
    id=iris,
    at=instants,
    scope=st.sampled_from(["trip", "interval", "account", "record", "all"]),
    about=iris,
    source=maybe(texts),
    account=texts,
    until=maybe(instants),
    undoes=maybe(iris),
    extra=extras,
)
document_observations = st.builds(
    DocumentObservation,
    id=iris,
    source=texts,
    account=texts,
    written_at=maybe(instants),
    record=st.one_of(invoices, subscriptions, attributes, credentials, extension_records),
    extra=extras,
)
observations = st.one_of(
    trip_observations,
    label_observations,
    citizen_observations,
    suppressions,
    document_observations,
)
