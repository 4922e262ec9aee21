"""What a citizen waits for: depositing, draining, unlocking, and a second start."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from federation.keys import Ed25519Key
from federation.sealing import build_deposit
from federation.sealing.box import seal
from federation.wire import database
from schemas.ids import Did, mint_iri
from schemas.jsonld import encode, observation_to_json
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TripObservation
from schemas.records import Invoice, Place
from schemas.units import Cents, Metres
from tests.bench.conftest import ROOT, Bench, median_s
from vault.app import create_home_api
from vault.crypto.kdf import INTERACTIVE, stretch
from vault.home import Home
from vault.settings import HomeSettings

pytestmark = pytest.mark.bench

PASSPHRASE = "la garonne coule aussi en hiver"
START = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
BATCH = 250
MANY = 100_000


def observation(number: int) -> bytes:
    began = START + timedelta(hours=6 * number)
    ended = began + timedelta(minutes=24)
    home = Place(43.2130 + number * 1e-6, 2.3491, None, None)
    work = Place(43.1840, 2.3990 + number * 1e-6, None, None)
    claims = (ModeClaim(mode=Mode.BICYCLE, by=ClaimBy.SENSOR, confidence=0.9),)
    return encode(
        observation_to_json(
            TripObservation(
                id=mint_iri(),
                source="tracemob",
                account="bench",
                upstream_ids=(f"trip-{number}",),
                started_at=began,
                ended_at=ended,
                start_zone="Europe/Paris",
                end_zone="Europe/Paris",
                origin=home,
                destination=work,
                distance=Metres(6200),
                legs=(
                    LegObservation(
                        mode_claims=claims,
                        distance=Metres(6200),
                        started_at=began,
                        ended_at=ended,
                        origin=home,
                        destination=work,
                    ),
                ),
            )
        )
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home.open(HomeSettings(folder=tmp_path / "home"))
    yield made
    made.close()


def in_clear(folder: Path, batches: list[list[bytes]]) -> float:
    """Seconds to put the records unsealed into a database of the same settings, one transaction a
    batch: what any store would pay."""
    engine = database.create(f"sqlite:///{folder / 'clear.db'}")
    with database.transact(engine) as session:
        session.execute(text("CREATE TABLE clear (id INTEGER PRIMARY KEY, body BLOB)"))
    began = time.perf_counter()
    for records in batches:
        with database.transact(engine) as session:
            session.execute(
                text("INSERT INTO clear (body) VALUES (:body)"), [{"body": r} for r in records]
            )
    spent = time.perf_counter() - began
    engine.dispose()
    return spent


def test_deposit_and_drain(bench: Bench, home: Home, tmp_path: Path) -> None:
    vault = home.create_vault(PASSPHRASE, label="bench").vault_id
    key = Ed25519Key.generate()
    signer = key.signer()
    depositor = Did(signer.verification_method.partition("#")[0])
    home.link_depositor(vault, depositor, "bench", "Banc d'essai", key=signer.public_multikey())
    drop_box = home.drop_box(vault)
    to = next(iter(drop_box.public_keys().values()))
    previous = None
    took, bare = [], []
    batches = []
    for seq in range(1, 5):
        records = [observation(BATCH * seq + number) for number in range(BATCH)]
        batches.append(records)
        began = time.perf_counter()
        seal(b"".join(records), to=to, info=b"bench")
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        sealed = build_deposit(
            records,
            vault=vault,
            depositor_signer=signer,
            account="bench",
            seq=seq,
            previous=previous,
            to=to,
            at=datetime.now(UTC),
        )
        drop_box.deposit(sealed.data)
        took.append(time.perf_counter() - began)
        previous = sealed.manifest_digest
    bench.put(
        "deposit (manifest, seal, accept), per trip / HPKE alone",
        min(took) / BATCH,
        "s",
        reference=min(bare) / BATCH,
        n=len(took) * BATCH,
    )

    token = home.unlock(vault, passphrase=PASSPHRASE, client="127.0.0.1")
    opened = home.session(token.cookie_value)
    began = time.perf_counter()
    trips = 0
    for _ in range(20):
        report = opened.drain()
        trips += report.trips_new
        if report.deposits == 0:
            break
    spent = time.perf_counter() - began
    assert trips == 4 * BATCH
    bench.put(
        "drain, per trip / the same bytes in clear into SQLite",
        spent / trips,
        "s",
        reference=in_clear(tmp_path, batches) / trips,
        n=trips,
    )


def test_unlock(bench: Bench, home: Home) -> None:
    vault = home.create_vault(PASSPHRASE, label="bench").vault_id
    salt = os.urandom(16)

    def unlock() -> None:
        token = home.unlock(vault, passphrase=PASSPHRASE, client="127.0.0.1")
        home.lock(token.cookie_value)

    def derive() -> None:
        stretch(bytearray(PASSPHRASE.encode()), salt=salt, profile=INTERACTIVE)

    ratio = bench.compare("unlock / Argon2id alone", unlock, derive, n=7)
    assert ratio < 3, "what unlock adds to its key derivation"
    token = home.unlock(vault, passphrase=PASSPHRASE, client="127.0.0.1")
    per_request = median_s(lambda: home.session(token.cookie_value), n=15, inner=20)
    bench.put("request on an open session", per_request, "s", n=300)


def test_the_demonstrations_second_start(bench: Bench, tmp_path: Path) -> None:
    def start() -> float:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "portal.cli", "demo", "--headless", "--json",
             "--home", str(tmp_path / "demo")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )  # fmt: skip
        spent = time.perf_counter() - began
        assert json.loads(done.stdout)["imported"]["trips"] > 0
        return spent

    first = start()
    second = start()
    bench.put("second start of the demonstration / first", second, "s", reference=first, n=1)
    assert second < first


def test_the_first_page_of_a_hundred_thousand_records(bench: Bench, home: Home) -> None:
    """Over HTTP, as JSON-LD: when the process has never seen the vault, and again. What a page
    costs is the months it touches."""
    vault = home.create_vault(PASSPHRASE, label="bench").vault_id
    opened = home.session(home.unlock(vault, passphrase=PASSPHRASE, client="bench").cookie_value)
    step = timedelta(days=3650) / MANY
    for first in range(0, MANY, 1000):
        opened.put(*(bill(n, START - step * (MANY - n)) for n in range(first, first + 1000)))
    opened.lock()
    app = FastAPI()
    app.include_router(create_home_api(home))
    with TestClient(app, base_url="http://localhost:8400") as client:
        asked = {"vault": vault, "passphrase": PASSPHRASE, "bearer": True}
        token = client.post("/v1/session", json=asked).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"

        def page() -> None:
            answer = client.get("/v1/records?kind=Invoice")
            assert len(answer.json()["records"]) == 50
            assert 'rel="next"' in answer.headers["link"]

        began = time.perf_counter()
        page()
        cold = time.perf_counter() - began
        warm = median_s(page, n=15)
    bench.put("vault.first_page_of_100000_cold_ms", cold * 1000, "ms", n=1)
    bench.put("vault.first_page_of_100000_ms", warm * 1000, "ms", reference=10, n=15)


def bill(number: int, at: datetime) -> Invoice:
    return Invoice(
        id=mint_iri(),
        issuer_name="Régie des transports",
        number=f"F-{number:06}",
        issued_at=at,
        total=Cents(190),
        lines=(),
    )
