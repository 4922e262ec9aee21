"""Ten years of one citizen, made from a seed: 15 000 trips with tracks of 300 points, 40 000 legs,
1 500 invoices; and the vault they fill.

Tracks are what a phone leaves after smoothing: one point every few seconds, times to the second,
places to 10⁻⁵ degree (1.1 m), with the noise of a receiver. Observations come as sources deposit
them, in order of time, in batches of at most 500 records and 200 000 bytes.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, hypot, radians
from pathlib import Path
from typing import Final
from uuid import UUID

from federation.keys import Ed25519Key
from federation.sealing import build_deposit
from federation.sealing.deposit import SealedDeposit, batches
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri
from schemas.jsonld import observation_to_json
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    LegObservation,
    ModeClaim,
    TrackPoint,
    TripObservation,
)
from schemas.records import Compartment, Invoice, InvoiceLine, Place
from schemas.tracks import PackedTrack
from schemas.units import Cents, Metres
from vault.home import Home
from vault.settings import HomeSettings, Quotas

TRIPS: Final = 15_000
LEGS: Final = 40_000
INVOICES: Final = 1_500
POINTS: Final = 300
SEED: Final = 2026
START: Final = datetime(2016, 11, 1, 5, 0, tzinfo=UTC)
DAYS: Final = 3650
PASSPHRASE: Final = "la garonne coule aussi en hiver"
ACCOUNT: Final = "decade"
_METRES_PER_DEGREE: Final = 111_320
_SPEED: Final = {
    Mode.WALK: 1.4,
    Mode.BICYCLE: 4.6,
    Mode.BUS: 6.0,
    Mode.TRAIN: 22.0,
    Mode.CAR: 11.0,
    Mode.CARPOOL: 12.0,
}
"""Metres a second, stops included."""


def _iri(source: random.Random) -> Iri:
    return Iri(f"urn:uuid:{UUID(int=source.getrandbits(128), version=4)}")


def trips(count: int = TRIPS, *, points: int = POINTS, seed: int = SEED) -> Iterator[bytes]:
    """Trip observations as deposited, oldest first: 8 legs in every 3 trips."""
    source = random.Random(seed)  # a story, not a secret
    step = timedelta(days=DAYS) / TRIPS
    for number in range(count):
        began = START + step * number + timedelta(seconds=source.randrange(3600))
        yield _bytes(_trip(source, number, began.replace(microsecond=0), points))


def _trip(source: random.Random, number: int, began: datetime, points: int) -> TripObservation:
    count = 2 if number % 3 == 0 else 3
    modes = [Mode.WALK, source.choice(list(_SPEED)[1:]), Mode.WALK][:count]
    lat, lon = 43.21 + source.uniform(-0.02, 0.02), 2.35 + source.uniform(-0.03, 0.03)
    at, track = began, list[TrackPoint]()
    legs = list[LegObservation]()
    per_leg = [points // count] * (count - 1)
    per_leg.append(points - sum(per_leg))
    bearing = complex(1, 0)
    for place, (mode, wanted) in enumerate(zip(modes, per_leg, strict=True)):
        left, walked, start, origin = wanted, 0.0, at, (lat, lon)
        while left:
            seconds = source.choice((2, 3, 3, 3, 4, 5))
            bearing *= complex(1, source.gauss(0, 0.12))
            bearing /= abs(bearing)
            move = bearing * _SPEED[mode] * seconds * source.uniform(0.7, 1.2)
            lat += (move.real + source.gauss(0, 1.5)) / _METRES_PER_DEGREE
            lon += (move.imag + source.gauss(0, 1.5)) / (_METRES_PER_DEGREE * cos(radians(lat)))
            walked += hypot(move.real, move.imag)
            at += timedelta(seconds=seconds)
            track.append(TrackPoint(at, round(lat, 5), round(lon, 5)))
            left -= 1
        claim = ModeClaim(mode=mode, by=ClaimBy.SENSOR, confidence=round(source.random(), 2))
        legs.append(
            LegObservation(
                mode_claims=(claim,),
                distance=Metres(round(walked)),
                started_at=start,
                ended_at=at,
                origin=Place(round(origin[0], 5), round(origin[1], 5), None, None),
                destination=Place(round(lat, 5), round(lon, 5), None, None),
                upstream_id=f"{number:x}-{place}",
            )
        )
    return TripObservation(
        id=_iri(source),
        source="tracemob",
        account=ACCOUNT,
        upstream_ids=(f"{source.getrandbits(96):024x}",),
        written_at=at + timedelta(hours=1),
        started_at=began,
        ended_at=at,
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=legs[0].origin,
        destination=legs[-1].destination,
        distance=Metres(sum(leg.distance or 0 for leg in legs)),
        legs=tuple(legs),
        track=PackedTrack.of((p.at, p.lat, p.lon) for p in track),
    )


def invoices(count: int = INVOICES, *, seed: int = SEED) -> Iterator[bytes]:
    """Invoices as deposited, oldest first."""
    source = random.Random(seed + 1)  # a story, not a secret
    for number in range(count):
        at = START + timedelta(days=DAYS) / INVOICES * number
        at = at.replace(microsecond=0)
        invoice = Invoice(
            id=_iri(source),
            revision=1,
            issuer_name="Régie des transports",
            number=f"F{at.year}-{number:05}",
            issued_at=at,
            total=Cents(4200),
            currency="EUR",
            lines=(InvoiceLine(label="Abonnement mensuel", quantity=1, unit_amount=Cents(4200)),),
            evidence=Evidence.DECLARED,
        )
        yield _bytes(
            DocumentObservation(
                id=_iri(source), source="operateur", account=ACCOUNT, record=invoice
            )
        )


def _bytes(observation: TripObservation | DocumentObservation) -> bytes:
    """As the connectors write them (`connectors/depositing.py`)."""
    document = observation_to_json(observation)
    return json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


@dataclass
class Depositor:
    """Seals and leaves batches for one vault, in one chain."""

    home: Home
    vault: str

    def __post_init__(self) -> None:
        self.signer = Ed25519Key.generate().signer()
        self.did = Did(self.signer.verification_method.partition("#")[0])
        self.home.link_depositor(
            self.vault, self.did, ACCOUNT, "Dix ans", key=self.signer.public_multikey()
        )
        self.keys = self.home.drop_box(self.vault).public_keys()
        self.seq = 0
        self.previous: Digest | None = None

    def sealed(self, records: Sequence[bytes], compartment: Compartment) -> SealedDeposit:
        """The next deposit of the chain."""
        self.seq += 1
        made = build_deposit(
            records,
            vault=self.vault,
            depositor_signer=self.signer,
            account=ACCOUNT,
            seq=self.seq,
            previous=self.previous,
            to=self.keys[compartment],
            at=datetime.now(UTC),
        )
        self.previous = made.manifest_digest
        return made

    def leave(self, records: Sequence[bytes], compartment: Compartment = Compartment.TRIPS) -> int:
        """Seal and deposit in batches; how many deposits that took."""
        box, count = self.home.drop_box(self.vault), 0
        for batch in batches(records):
            box.deposit(self.sealed(batch, compartment).data)
            count += 1
        return count


def open_home(folder: Path, *, database_url: str | None = None) -> Home:
    """A home with room for ten years waiting."""
    return Home.open(
        HomeSettings(
            folder=folder,
            database_url=database_url,
            sessions_url=database_url,
            quotas=Quotas(depositor_bytes=1 << 30, vault_bytes=1 << 30),
            cheapest_kdf_for_tests=True,  # what a derivation costs is measured apart
        )
    )
