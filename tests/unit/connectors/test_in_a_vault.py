"""From sources into a real vault: every trip once, from three sources, in both dialects, and from
real files."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.accounts import Health
from connectors.depositing import SealingDepositor
from connectors.emission.client import Dialect
from connectors.errors import SourceRedirectError, SourceRefusedError, UnknownAccountError
from connectors.jobs import plan_pull, register_pulls
from connectors.sandbox.operator import journeys, pass_documents
from connectors.sandbox.story import HOME, WORK, Story
from connectors.service import EVERY, ConnectorService
from connectors.store import ConnectorStore
from federation.aids.national import FMD_MODES, FMD_RULE
from federation.keys import Ed25519Key
from schemas.eligible_day import DayRule, eligible_days
from schemas.ids import Did, mint_iri
from schemas.modes import Mode
from schemas.records import Kind, NamedPlace, PlaceRole, Trip
from vault.home import Home
from vault.open_vault import OpenVault
from vault.settings import HomeSettings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "une phrase de passe pour les essais"
STORY = Story()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Server:
    """A trace app's server in memory."""

    def __init__(self, dialect: Dialect) -> None:
        self.upstream = dialect is Dialect.UPSTREAM_2026
        self.entries = json.loads(json.dumps(STORY.entries(dialect)))
        self.refuse = False

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        if self.refuse or body["user"] != "jeton":
            raise SourceRefusedError(where=path, status=403)
        if path == "/datastreams/find_entries/timestamp":
            by_data = self.upstream and body.get("key_time") == "data.start_ts"
            return {
                "phone_data": [
                    e
                    for e in self.entries
                    if e["metadata"]["key"] in body["key_list"]
                    and body["start_time"]
                    <= (e["data"]["start_ts"] if by_data else e["metadata"]["write_ts"])
                    <= body["end_time"]
                ]
            }
        if path == "/pipeline/get_complete_ts":
            return {"complete_ts": None}
        if path == "/pipeline/get_range_ts" and self.upstream:
            return {"start_ts": 1_787_000_000.0, "end_ts": 1_795_100_000.0}
        if path.startswith("/timeline/getTrips/"):
            return {"timeline": STORY.diary(date.fromisoformat(path[-10:]))}
        raise SourceRedirectError(where=path, reason="answered 301")


class Place:
    """A home, a vault open in it, and its connectors."""

    def __init__(self, folder: Path, server: Server) -> None:
        settings = HomeSettings(folder=folder / "home", cheapest_kdf_for_tests=True)
        self.home = Home.open(settings, clock=lambda: NOW)
        self.vault_id = self.home.create_vault(SECRET, label="essai").vault_id
        token = self.home.unlock(self.vault_id, passphrase=SECRET, client="test")
        self.vault: OpenVault = self.home.session(token.cookie_value)
        self.store = ConnectorStore.open(f"sqlite:///{folder}/connectors.db", seal=self.home.seal)

        @contextlib.contextmanager
        def transport(_address: str) -> Iterator[Server]:
            yield server

        self.service = ConnectorService(
            self.home,
            self.store,
            clock=lambda: NOW,
            transport=transport,
            address="http://localhost:8400",
        )

    def drain(self) -> None:
        while self.vault.waiting().deposits:
            self.vault.drain()

    def trips(self) -> list[Trip]:
        return [trip for trip in self.vault.all(Kind.TRIP) if isinstance(trip, Trip)]

    def close(self) -> None:
        self.store.close()
        self.home.close()


@pytest.fixture(params=list(Dialect), ids=lambda dialect: dialect.value)
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.param)


@pytest.fixture
def place(tmp_path: Path, server: Server) -> Iterator[Place]:
    made = Place(tmp_path, server)
    yield made
    made.close()


@pytest.fixture
def file_place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, Server(Dialect.UPSTREAM_2026))
    yield made
    made.close()


def test_three_sources_are_one_life(place: Place) -> None:
    expected = STORY.expected
    place.service.add_tracemob(place.vault_id, "https://traces.test", "jeton")
    [account] = place.service.accounts(place.vault_id)
    report = place.service.pull(place.vault_id, account.id)
    assert (report.error, report.rejected_count) == (None, 0)
    assert place.service.pull(place.vault_id, account.id).records == 0

    code = place.service.pair(place.vault_id, "compteur-velo").code
    paired = place.service.push.pair(code, app="x", client="a")
    body = json.dumps({"trips": STORY.pushed_trips()}).encode()
    receipt = place.service.push.push(paired.token, body, "application/json")

    did = Did("did:web:operateur.test")
    signer = Ed25519Key.generate().signer(f"{did}#1")
    place.home.link_depositor(
        place.vault_id, did, "covoit", "operateur", (), signer.public_multikey()
    )
    SealingDepositor(
        place.home.drop_box(place.vault_id),
        vault_id=place.vault_id,
        account="covoit",
        signer=signer,
        store=place.store,
        clock=lambda: NOW,
    ).deposit([*journeys(STORY, account="covoit"), *pass_documents(account="covoit")])

    place.drain()
    assert place.vault.quarantine() == []
    assert place.vault.ambiguous() == []
    trips = place.trips()
    assert len(trips) == expected.trips
    assert len(place.vault.all(Kind.INVOICE)) == 3
    assert len(place.vault.all(Kind.SUBSCRIPTION)) == 3
    # Every trip is the one of the story, mode included: labels contradict what was misread.
    for told in STORY.trips:
        near = [t for t in trips if abs((t.started_at - told.start).total_seconds()) < 200]
        assert [t.mode for t in near] == [told.mode], told.key
    places = [
        NamedPlace(id=mint_iri(), role=role, lat=lat, lon=lon, confirmed_at=NOW)
        for role, (lat, lon) in ((PlaceRole.HOME, HOME), (PlaceRole.WORK, WORK))
    ]
    days = eligible_days(
        trips,
        places,
        DayRule(iri=FMD_RULE, modes=FMD_MODES),
        since=date(2026, 1, 1),
        until=date(2026, 12, 31),
    )
    assert Counter(day.mode for day in days) == {Mode.BICYCLE: 29, Mode.CARPOOL: 12}
    assert place.service.push.outcome(paired.token, receipt.receipt).state == "taken"


def test_an_account_that_is_refused_asks_to_be_connected_again(
    place: Place, server: Server
) -> None:
    place.service.add_tracemob(place.vault_id, "https://traces.test", "jeton")
    [account] = place.service.accounts(place.vault_id)
    server.refuse = True
    report = place.service.pull(place.vault_id, account.id)
    assert (report.error, report.records) == ("source-token-refused", 0)
    [told] = place.service.accounts(place.vault_id)
    assert (told.health, told.can_pull) == ("revoked", False)
    assert place.service.pull_all(place.vault_id) == {}


def test_a_wrong_token_is_not_kept(place: Place) -> None:
    with pytest.raises(SourceRefusedError):
        place.service.add_tracemob(place.vault_id, "https://traces.test", "faux")
    assert place.service.accounts(place.vault_id) == ()


def test_a_disconnected_account_is_gone_and_its_trips_stay(place: Place) -> None:
    place.service.add_tracemob(place.vault_id, "https://traces.test", "jeton")
    [account] = place.service.accounts(place.vault_id)
    place.service.pull(place.vault_id, account.id)
    place.drain()
    place.service.revoke(place.vault_id, account.id)
    with pytest.raises(UnknownAccountError):
        place.service.pull(place.vault_id, account.id)
    assert len(place.trips()) == STORY.expected.traced


@pytest.mark.shared_data
def test_real_files_twice_are_once_and_labels_come_later(file_place: Place, shared: Path) -> None:
    place, folder = file_place, shared / "data"
    confirmed = folder / "emission/shankari_2016-06-20.expected_confirmed_trips"
    bare = json.loads(confirmed.read_bytes())
    for entry in bare:
        entry["data"]["user_input"] = {}
    files = [
        json.dumps(bare).encode(),
        *(p.read_bytes() for p in sorted(folder.glob("emission/*.expected_composite_trips"))),
        *(p.read_bytes() for p in sorted(folder.glob("cozy/*.json"))),
    ]
    for expected in (17, 17):
        records = [place.service.import_file(place.vault_id, data).records for data in files]
        place.drain()
        assert len(place.trips()) == expected
    assert sum(records) == 0

    before = {trip.id: trip for trip in place.trips()}
    labels = (folder / "emission/shankari_2016-06-20.user_inputs").read_bytes()
    assert place.service.import_file(place.vault_id, labels).records == 17
    place.drain()
    after = sorted(place.trips(), key=lambda trip: trip.started_at)
    assert {trip.id for trip in after} == set(before)
    day = [trip for trip in after if trip.started_at.year == 2016]
    # The last label written wins, on the trip it overlaps best (its interval is the draft's).
    assert [(trip.mode, trip.purpose) for trip in day] == [
        (Mode.WALK, "library"),
        (Mode.WALK, None),
        (day[2].mode, None),
        (Mode.WALK, "home"),
        (Mode.CARPOOL, "karate"),
        (Mode.CARPOOL, "home"),
    ]
    assert {trip.evidence.value for trip in after} == {"declared"}


def test_a_scheduled_pull_runs_while_the_vault_is_locked_and_plans_the_next(place: Place) -> None:
    register_pulls(place.home, place.service)
    place.service.add_tracemob(place.vault_id, "https://traces.test", "jeton")
    [account] = place.service.accounts(place.vault_id)
    place.home.lock_all(place.vault_id)
    job = plan_pull(place.home, place.service, place.vault_id, account.id)
    assert job is not None
    place.home.run_blind(job.id)
    kept = place.service.account(place.vault_id, account.id)
    assert (kept.health, kept.last_run_at) == (Health.OK, NOW)
    assert place.home.drop_box(place.vault_id).waiting().deposits > 0
    again = plan_pull(place.home, place.service, place.vault_id, account.id)
    assert again is not None
    assert (again.id != job.id, again.due_at) == (True, NOW + EVERY)


@pytest.mark.shared_data
def test_a_preview_keeps_nothing(file_place: Place, shared: Path) -> None:
    data = (shared / "data/cozy/ach_01.json").read_bytes()
    preview = file_place.service.preview(data)
    assert (preview.format, preview.trips, preview.labels) == ("cozy-timeseries", 1, 0)
    assert file_place.vault.waiting().deposits == 0
