"""A home, a citizen with an open vault, depositors that seal, and trips to deposit."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from federation.keys import Ed25519Key, Signer, did_key
from federation.sealing import build_deposit
from federation.sealing.deposit import SealedDeposit
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, mint_iri
from schemas.jsonld import encode, observation_to_json
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    ModeClaim,
    Observation,
    TrackPoint,
    TripObservation,
)
from schemas.records import Compartment, Invoice, NamedPlace, Place, PlaceRole
from schemas.units import Cents, Metres
from vault.home import Home
from vault.model import DrainReport
from vault.open_vault import OpenVault
from vault.settings import HomeSettings, Quotas

PASSPHRASE = "correct cheval batterie agrafe"
HOME_DID = "did:web:localhost%3A8400"
SOURCE = Did("did:web:tracemob.example")
START = datetime(2026, 11, 2, 7, 30, tzinfo=UTC)
CARCASSONNE = Place(43.2130, 2.3491)
TREBES = Place(43.2106, 2.4417)


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def make_home(folder: Path, clock: Clock, *, url: str | None = None, **settings: object) -> Home:
    settings.setdefault("tends_open_vaults", False)  # a test takes its slices itself
    settings.setdefault("blobs_in_rows", 0)  # so that a small track shows what files do
    return Home.open(
        HomeSettings(
            folder=folder,
            did=HOME_DID,
            database_url=url,
            sessions_url=url,
            cheapest_kdf_for_tests=True,
            allow_loopback=True,
            **settings,  # type: ignore[arg-type]  # a test names real settings
        ),
        clock=clock,
    )


SMALL = Quotas(depositor_bytes=30_000, vault_bytes=60_000, vault_deposits=5)


def trip(
    number: int = 0,
    *,
    start: datetime | None = None,
    mode: Mode = Mode.BICYCLE,
    account: str = "a1",
    source: str = "tracemob",
    points: int = 0,
    by: ClaimBy = ClaimBy.SENSOR,
    iri: Iri | None = None,
    minutes: int = 22,
) -> TripObservation:
    """One trip a day, Carcassonne to Trèbes."""
    begins = start or START + timedelta(days=number)
    return TripObservation(
        id=iri or mint_iri(),
        source=source,
        account=account,
        upstream_ids=(f"{source}-{account}-{begins.isoformat()}",),
        written_at=begins + timedelta(hours=3),
        started_at=begins,
        ended_at=begins + timedelta(minutes=minutes),
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=CARCASSONNE,
        destination=TREBES,
        distance=Metres(7_900),
        mode_claims=(ModeClaim(mode=mode, by=by),),
        track=tuple(
            TrackPoint(
                begins + timedelta(seconds=10 * n), 43.2130 - n / 100_000, 2.3491 + n / 9_000
            )
            for n in range(points)
        )
        or None,
    )


def invoice(number: str = "F-1") -> DocumentObservation:
    return DocumentObservation(
        id=mint_iri(),
        source="tracemob",
        account="a1",
        record=Invoice(
            id=mint_iri(),
            issuer_name="Régie des transports audois",
            number=number,
            issued_at=START,
            total=Cents(3_550),
            evidence=Evidence.REGISTRY,
        ),
    )


def raw(observation: Observation) -> bytes:
    return encode(observation_to_json(observation))


class Depositor:
    """Seals deposits to one vault and keeps its place in the chain."""

    def __init__(
        self,
        home: Home,
        vault_id: str,
        *,
        did: Did = SOURCE,
        account: str = "a1",
        linked: bool = True,
        key: Ed25519Key | None = None,
    ) -> None:
        self.home, self.vault_id, self.did, self.account = home, vault_id, did, account
        self.key = key or Ed25519Key.generate()
        self.signer: Signer = self.key.signer(f"{did}#key-1")
        self.seq, self.previous = 0, None
        if linked:
            home.link_depositor(
                vault_id, did, account, "Tracemob", key=self.signer.public_multikey()
            )

    def seal(
        self,
        records: Sequence[bytes],
        *,
        vault_id: str | None = None,
        seq: int | None = None,
        previous: Digest | None = None,
    ) -> SealedDeposit:
        first = seq is None
        return build_deposit(
            records,
            vault=vault_id or self.vault_id,
            depositor_signer=self.signer,
            account=self.account,
            seq=self.seq + 1 if first else seq,
            previous=self.previous if first else previous,
            to=self.home.drop_box(vault_id or self.vault_id).public_keys()[Compartment.TRIPS],
            at=self.home.clock(),
        )

    def leave(self, *observations: Observation) -> SealedDeposit:
        return self.leave_raw([raw(o) for o in observations])

    def leave_raw(self, records: Sequence[bytes]) -> SealedDeposit:
        sealed = self.seal(records)
        self.home.drop_box(self.vault_id).deposit(sealed.data)
        self.seq, self.previous = sealed.seq, sealed.manifest_digest
        return sealed

    def entry(self, evidence: Evidence | None, *, at: datetime) -> TrustEntry:
        return TrustEntry(
            did=self.did,
            name="Tracemob",
            roles=frozenset({Role.TRACE_APP}),
            keys=(
                PinnedKey(
                    multikey=self.signer.public_multikey(),
                    verification_method=self.signer.verification_method,
                    valid_from=at,
                ),
            ),
            evidence=evidence,
            since=at,
        )


def trust(*entries: TrustEntry, at: datetime, version: int = 1) -> TrustSnapshot:
    return TrustSnapshot(
        version=version,
        issuer=Did("did:web:hub.example"),
        issued_at=at,
        expires_at=at + timedelta(days=30),
        entries=entries,
    )


class Citizen:
    """A vault with its secrets, unlocked."""

    def __init__(self, home: Home, *, label: str = "Coffre de Camille") -> None:
        self.home = home
        made = home.create_vault(PASSPHRASE, label=label)
        self.vault_id, self.recovery_code = made.vault_id, made.recovery_code
        self.cookie = self.unlock()

    def unlock(self, client: str = "192.0.2.1") -> str:
        return self.home.unlock(self.vault_id, passphrase=PASSPHRASE, client=client).cookie_value

    @property
    def vault(self) -> OpenVault:
        return self.home.session(self.cookie)

    def depositor(self, **options: object) -> Depositor:
        return Depositor(self.home, self.vault_id, **options)  # type: ignore[arg-type]  # a test's

    def with_trips(self, count: int = 3, *, points: int = 0) -> DrainReport:
        self.depositor().leave(*(trip(n, points=points) for n in range(count)))
        return self.vault.drain(None)


def place(role: PlaceRole, at: Place) -> NamedPlace:
    return NamedPlace(id=mint_iri(), role=role, lat=at.lat, lon=at.lon)


def holder() -> tuple[Did, Signer]:
    signer = Ed25519Key.generate().signer()
    return did_key(signer.public_multikey()), signer
