"""Builders for tests of the whole vault: homes, sources that deposit, made trips and records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from federation.keys import Ed25519Key, Signer
from federation.sealing.deposit import SealedDeposit, build_deposit
from federation.sealing.receipt import DepositReceipt
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest
from schemas.jsonld import encode, observation_to_json
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    LabelObservation,
    ModeClaim,
    Observation,
    TrackPoint,
    TripObservation,
)
from schemas.records import (
    Application,
    ApplicationState,
    Attribute,
    Award,
    Compartment,
    Consent,
    DataRequest,
    Degree,
    Document,
    Invoice,
    InvoiceLine,
    NamedPlace,
    Place,
    PlaceRole,
    Record,
    Subscription,
    Trip,
)
from schemas.units import Cents, Metres
from vault.home import Home
from vault.settings import HomeSettings

T0 = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PASSPHRASE = "le vélo sous la pluie 2026"
HOME, WORK, SHOP = (
    Place(43.213071, 2.351437, "12 rue Trivalle, Carcassonne", PlaceRole.HOME),
    Place(43.224019, 2.440263, "Gare de Trèbes", PlaceRole.WORK),
    Place(43.318293, 1.954611, "Halle de Castelnaudary"),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRACEMOB = "did:web:tracemob.example"
OPERATOR = "did:web:operateur.example"
STRANGER = "did:web:inconnu.example"


def iri(name: str) -> Iri:
    """The same name, the same IRI."""
    return Iri(f"urn:uuid:{uuid5(NAMESPACE_URL, name)}")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


class Clock:
    """A clock that tests move; it also ticks a millisecond at each look."""

    def __init__(self, start: datetime = NOW) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


def trip(
    name: str,
    start: float,
    end: float | None = None,
    *,
    source: str = "tracemob",
    account: str = "telephone",
    mode: Mode = Mode.BICYCLE,
    by: ClaimBy = ClaimBy.SENSOR,
    distance: int = 8200,
    origin: Place | None = HOME,
    destination: Place | None = WORK,
    written: float | None = None,
    track: bool = False,
    **rest: Any,
) -> TripObservation:
    """A trip as a source saw it; minutes count from T0."""
    end = start + 25 if end is None else end
    points = (
        TrackPoint(at(start), 43.213071, 2.351437),
        TrackPoint(at((start + end) / 2), 43.219834, 2.401172),
        TrackPoint(at(end), 43.224019, 2.440263),
    )
    return TripObservation(
        id=iri(f"observation {name}"),
        source=source,
        account=account,
        upstream_ids=(f"amont-{name}",),
        written_at=None if written is None else at(written),
        started_at=at(start),
        ended_at=at(end),
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=origin,
        destination=destination,
        distance=Metres(distance),
        mode_claims=(ModeClaim(mode=mode, by=by),),
        track=points if track else None,
        **rest,
    )


def label(
    name: str, start: float, end: float, written: float, *, mode: Mode = Mode.CARPOOL
) -> LabelObservation:
    return LabelObservation(
        id=iri(f"label {name}"),
        source="tracemob",
        account="telephone",
        upstream_ids=(f"amont-{name}",),
        written_at=at(written),
        started_at=at(start),
        ended_at=at(end),
        property="mode",
        value=mode.value,
        mode=mode,
    )


def raw(observation: Observation) -> bytes:
    """As a depositor writes it."""
    return encode(observation_to_json(observation))


def settings(folder: Path, database_url: str | None = None, **rest: Any) -> HomeSettings:
    rest.setdefault("cheapest_kdf_for_tests", True)
    rest.setdefault("tends_open_vaults", False)  # a test takes its slices itself
    return HomeSettings(folder=folder, database_url=database_url, sessions_url=database_url, **rest)


def key_of(did: str) -> Ed25519Key:
    """The same key for the same party, in every test and process."""
    return Ed25519Key.from_seed(digest(did.encode()))


def signer_of(did: str) -> Signer:
    return key_of(did).signer(f"{did}#key-1")


def entry(did: str, *, evidence: Evidence | None, roles: frozenset[Role]) -> TrustEntry:
    return TrustEntry(
        did=Did(did),
        name=did.rpartition(":")[2],
        roles=roles,
        keys=(PinnedKey(signer_of(did).public_multikey(), f"{did}#key-1", EPOCH),),
        evidence=evidence,
    )


def registry(*more: TrustEntry, version: int = 1) -> TrustSnapshot:
    return TrustSnapshot(
        version=version,
        issuer=Did("did:web:hub.example"),
        issued_at=EPOCH,
        expires_at=datetime(2036, 1, 1, tzinfo=UTC),
        entries=(
            entry(TRACEMOB, evidence=Evidence.SENSED, roles=frozenset({Role.TRACE_APP})),
            entry(OPERATOR, evidence=Evidence.OPERATOR, roles=frozenset({Role.OPERATOR})),
            *more,
        ),
    )


@dataclass
class Source:
    """A depositor with its place in the chain. Linked to the vault when made."""

    home: Home
    vault_id: str
    did: str = TRACEMOB
    account: str = "telephone"
    seq: int = 0
    previous: Digest | None = None
    compartment: Compartment = Compartment.TRIPS
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        self.signer = signer_of(self.did)
        self.home.link_depositor(self.vault_id, Did(self.did), self.account, self.account)
        self.seq, self.previous = self.home.drop_box(self.vault_id).last(
            Did(self.did), self.account
        )

    def seal(self, *records: Observation | bytes, vault_id: str | None = None) -> SealedDeposit:
        """The next deposit of this chain, not sent."""
        box = self.home.drop_box(self.vault_id)
        return build_deposit(
            [r if isinstance(r, bytes) else raw(r) for r in records],
            vault=vault_id or self.vault_id,
            depositor_signer=self.signer,
            account=self.account,
            seq=self.seq + 1,
            previous=self.previous,
            to=box.public_keys()[self.compartment],
            at=self.home.clock(),
        )

    def send(self, sealed: SealedDeposit) -> DepositReceipt:
        receipt = self.home.drop_box(self.vault_id).deposit(sealed.data)
        self.seq, self.previous = sealed.seq, sealed.manifest_digest
        return receipt

    def deposit(self, *records: Observation | bytes) -> DepositReceipt:
        return self.send(self.seal(*records))


def said(trips: Sequence[Trip]) -> list[tuple[Any, ...]]:
    """Trips up to the IRIs that were minted for them."""
    return sorted(
        (
            t.started_at,
            t.ended_at,
            t.origin,
            t.destination,
            t.distance,
            t.mode.value,
            t.evidence.value,
            t.mode_evidence.value,
            t.purpose,
            tuple(sorted(t.observations)),
            t.track,
            tuple((leg.mode.value, leg.distance, leg.started_at, leg.ended_at) for leg in t.legs),
        )
        for t in trips
    )


def records_of_every_kind(name: str = "a", *, month: int = 4) -> list[Record]:
    """One record of each kind that is put (trips come from deposits)."""
    day = datetime(2026, month, 3, 10, 0, tzinfo=UTC)
    first, last = date(2026, month, 1), date(2026, month, 28)
    application = iri(f"application {name}")
    return [
        Invoice(
            id=iri(f"invoice {name}"),
            issuer_name="Régie des bus d'Aude",
            number=f"F-{name}",
            issued_at=day,
            total=Cents(4210),
            lines=(InvoiceLine(label="Abonnement Tréville", unit_amount=Cents(4210)),),
            holder="Camille Pradelles",
        ),
        DataRequest(
            id=iri(f"data request {name}"),
            company="Vélos Réunis SAS",
            requester="Camille Pradelles",
            postal_address="1 place de la Gare\n11000 Carcassonne",
            known_as=f"client {name}",
            written_at=day,
            sent_on=last,
        ),
        Subscription(
            id=iri(f"subscription {name}"),
            network="Tréville",
            product="Mensuel",
            holder="Camille Pradelles",
            valid_from=first,
            valid_until=last,
        ),
        Attribute(
            id=iri(f"attribute {name}"),
            name="identity.family_name",
            value="Pradelles",
            source="https://idp.example",
            certified_at=day,
            degree=Degree.CLAIMED,
        ),
        NamedPlace(
            id=iri(f"place {name}"),
            role=PlaceRole.HOME,
            label="12 rue Trivalle, Carcassonne",
            lat=HOME.lat,
            lon=HOME.lon,
            confirmed_at=day,
        ),
        Document(
            id=iri(f"document {name}"),
            title="Justificatif Tréville",
            media_type="application/pdf",
            size=3,
            content=digest(b"pdf"),
            created_at=day,
        ),
        Application(
            id=application,
            aid=Iri("https://aides.example/fmd"),
            funder="did:web:agglo.example",
            state=ApplicationState.SUBMITTED,
            period_from=first,
            period_until=last,
            submitted_at=day,
        ),
        Award(
            id=iri(f"award {name}"),
            application=application,
            aid=Iri("https://aides.example/fmd"),
            amount=Cents(20000),
            period_from=first,
            period_until=last,
            awarded_at=day,
        ),
        Consent(
            id=iri(f"consent {name}"),
            recipient=Did("did:web:agglo.example"),
            recipient_name="Agglomération de Tréville",
            purpose="forfait mobilités durables",
            claims=("days",),
            kept_back=("places",),
            given_at=day,
            application=application,
            presentation=digest(b"presentation"),
            receipt={"@type": "ConsentRecord", "note": f"reçu {name}"},
        ),
    ]
