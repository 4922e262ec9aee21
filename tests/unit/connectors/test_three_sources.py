"""The same trip from Tracemob, from Cozy and from the operator: one current trip, three evidences,
counted once. Real trips, replayed through two connectors with shifted times and other ids."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import UNNAMED, identified
from connectors.cozy.oauth import Credentials
from connectors.depositing import SealingDepositor
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.keys import Ed25519Key
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from schemas.evidence import Evidence
from schemas.ids import Did
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TripObservation
from schemas.records import Kind, Place, Trip
from schemas.units import Metres
from vault.evidence import took_place
from vault.home import Home
from vault.settings import HomeSettings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "une phrase de passe pour les essais"
SHIFT_S = 95.0
"""A re-run pipeline moves the ends of a trip by less than five minutes."""
NAMES = ("ach_01.json", "ach_02.json", "ach_03.json")


class Sources:
    """A Tracemob server and a Cozy, with the same real trips."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        self.diary = [self._again(document["series"][0]) for document in documents]

    @staticmethod
    def _again(trip: dict[str, Any]) -> dict[str, Any]:
        """The trip as another run of the pipeline wrote it: other ids, later by `SHIFT_S`."""
        text = json.dumps(trip)
        moved: dict[str, Any] = json.loads(text.replace('"60dc', '"71ed').replace('"61', '"72'))
        moved["id"] = "f" * 8 + moved["id"][8:]
        for part in (moved, *(s for f in moved["features"] for s in f.get("features", ()))):
            for name in ("start_ts", "end_ts"):
                part["properties"][name] += SHIFT_S
            times = part["properties"].get("times", [])
            part["properties"]["times"] = [moment + SHIFT_S for moment in times]
        return moved

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        if path == "/pipeline/get_complete_ts":
            return {"complete_ts": None}
        if path == "/pipeline/get_range_ts":
            return {"start_ts": 1.6e9, "end_ts": NOW.timestamp() - 86_400}
        if path.startswith("/timeline/getTrips/"):
            day = date.fromisoformat(path[-10:])
            return {"timeline": [t for t in self.diary if self._day(t) == day]}
        entries = [
            {
                "_id": {"$oid": f"{number:024x}"},
                "user_id": {"$uuid": "0" * 32},
                "metadata": {"key": "analysis/confirmed_trip", "write_ts": NOW.timestamp() - 60},
                "data": {**trip["properties"], "cleaned_trip": {"$oid": trip["id"]}},
            }
            for number, trip in enumerate(self.diary)
        ]
        low, high = body["start_time"], body["end_time"]
        wanted = [
            e
            for e in entries
            if "analysis/confirmed_trip" in body["key_list"]
            and low <= e["metadata"]["write_ts"] <= high
        ]
        return {"phone_data": wanted}

    @staticmethod
    def _day(trip: dict[str, Any]) -> date:
        local = trip["properties"]["start_local_dt"]
        return date(local["year"], local["month"], local["day"])

    def call(self, _method: str, path: str, **_: Any) -> tuple[int, Any]:
        if path == "/auth/access_token":
            return 200, {"access_token": "a", "refresh_token": "r"}
        if path.endswith("/_find"):
            return 200, {"docs": self.documents, "next": False}
        return 200, {"last_seq": "3-x", "results": []}


def journey(trip: Mapping[str, Any], number: int) -> TripObservation:
    """What an operator knows of the same ride: pick-up and drop some seconds and metres off."""
    data = trip["properties"]
    started = datetime.fromtimestamp(data["start_ts"] - 40, UTC)
    ended = datetime.fromtimestamp(data["end_ts"] + 70, UTC)
    sides = [data["start_loc"]["coordinates"], data["end_loc"]["coordinates"]]
    origin, destination = (Place(lat=lat + 0.0005, lon=lon) for lon, lat in sides)
    claim = ModeClaim(mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
    distance = Metres(round(data["distance"]))
    return identified(
        TripObservation(
            id=UNNAMED,
            source="carpool-operator",
            account="covoit",
            upstream_ids=(f"journey-{number}",),
            started_at=started,
            ended_at=ended,
            start_zone="Europe/Paris",
            end_zone="Europe/Paris",
            origin=origin,
            destination=destination,
            legs=(
                LegObservation(
                    mode_claims=(claim,),
                    distance=distance,
                    started_at=started,
                    ended_at=ended,
                    origin=origin,
                    destination=destination,
                ),
            ),
            distance=distance,
            mode_claims=(claim,),
        )
    )


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("order", [("tracemob", "cozy"), ("cozy", "tracemob")])
def test_one_trip_three_evidences_counted_once(
    tmp_path: Path, shared: Path, order: tuple[str, str]
) -> None:
    documents = [json.loads((shared / "data/cozy" / name).read_bytes()) for name in NAMES]
    sources = Sources(documents)
    settings = HomeSettings(folder=tmp_path / "home", cheapest_kdf_for_tests=True)
    home = Home.open(settings, clock=lambda: NOW)
    vault_id = home.create_vault(SECRET, label="essai").vault_id
    vault = home.session(home.unlock(vault_id, passphrase=SECRET, client="test").cookie_value)
    store = ConnectorStore.open(f"sqlite:///{tmp_path}/connectors.db", seal=home.seal)

    @contextlib.contextmanager
    def transport(_address: str) -> Iterator[Sources]:
        yield sources

    service = ConnectorService(
        home, store, clock=lambda: NOW, transport=transport, address="http://localhost:8400"
    )
    did = Did("did:web:operateur.test")
    operator = Ed25519Key.generate().signer(f"{did}#1")
    traces, tracer = home.connector_signer("tracemob")
    since = NOW - timedelta(days=4_000)
    home.use_trust(
        TrustSnapshot(
            version=1,
            issuer=Did("did:web:hub.test"),
            issued_at=NOW,
            expires_at=NOW + timedelta(days=30),
            entries=tuple(
                TrustEntry(
                    did=who,
                    name=who,
                    roles=frozenset({role}),
                    keys=(
                        PinnedKey(
                            multikey=signer.public_multikey(),
                            verification_method=signer.verification_method,
                            valid_from=since,
                        ),
                    ),
                    evidence=evidence,
                    since=since,
                )
                for who, role, signer, evidence in (
                    (did, Role.OPERATOR, operator, Evidence.OPERATOR),
                    (traces, Role.TRACE_APP, tracer, Evidence.SENSED),
                )
            ),
        )
    )
    tokens = {
        "tracemob": "jeton",
        "cozy": Credentials("c", "s", "t", "r", "io.cozy.timeseries.geojson:GET").to_json(),
    }
    for name in order:
        service.add_source(vault_id, name, f"https://{name}.test", tokens[name])
    reports = service.pull_all(vault_id)
    assert [(r.error, r.records, r.rejected_count) for r in reports.values()] == [(None, 3, 0)] * 2
    home.link_depositor(vault_id, did, "covoit", "operateur", (), operator.public_multikey())
    SealingDepositor(
        home.drop_box(vault_id),
        vault_id=vault_id,
        account="covoit",
        signer=operator,
        store=store,
        clock=lambda: NOW,
    ).deposit([journey(d["series"][0], n) for n, d in enumerate(documents)])
    while vault.waiting().deposits:
        vault.drain()

    trips = [trip for trip in vault.all(Kind.TRIP) if isinstance(trip, Trip)]
    assert (len(trips), vault.ambiguous(), vault.quarantine()) == (3, [], [])
    for trip, document in zip(
        sorted(trips, key=lambda trip: trip.started_at),
        sorted(documents, key=lambda d: str(d["startDate"])),
        strict=True,
    ):
        seen = vault.observations_of(trip.id)
        classes = {
            received.observation.source: took_place(received)
            for received in seen
            if isinstance(received.observation, TripObservation)
        }
        assert classes == {
            "tracemob": Evidence.SENSED,
            "cozy": Evidence.DECLARED,
            "carpool-operator": Evidence.OPERATOR,
        }
        assert trip.evidence is Evidence.OPERATOR
        real = document["series"][0]["properties"]
        assert abs(trip.started_at.timestamp() - real["start_ts"]) < 300
        assert abs(trip.distance - real["distance"]) < 0.25 * real["distance"] + 1
    days = {trip.local_date for trip in trips}
    counted = vault.statistics(since=min(days), until=max(days))
    assert sum(row.trips for row in counted) == 3
    whole = sum(document["series"][0]["properties"]["distance"] for document in documents)
    assert abs(sum(row.distance for row in counted) - whole) < 0.25 * whole
    store.close()
    home.close()
