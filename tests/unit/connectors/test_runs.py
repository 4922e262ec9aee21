"""What the citizen reads of imports and runs: accounts, reports, breaker, undo; and extensions."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from connectors import mapping, registry
from connectors.accounts import Health
from connectors.base import AccountView, Page, Stream
from connectors.conformance import InterruptedRunError
from connectors.depositing import SealingDepositor
from connectors.errors import (
    HostileInputError,
    SourceUnreachableError,
    UnknownAccountError,
    UnknownConnectorError,
)
from connectors.runner import FIRST_PAUSE, LONGEST_PAUSE, RunReport, next_run
from connectors.service import EVERY, ConnectorService
from connectors.store import ConnectorStore
from schemas.observations import TripObservation
from tests.unit.connectors.conftest import Clock, MemoryHome
from tests.unit.connectors.test_files import ANDROID, RECORDS, START, gpx

VAULT = "cd" * 16
DAY = START.date().isoformat().encode()


class Source:
    """A source of a third party, that can be made to fail."""

    name = "tiers"
    title = "Un tiers"
    broken = False

    def __call__(self, transport: Any, *, token: str, account: str, clock: Any) -> "Source":
        return self

    def check(self) -> AccountView:
        return AccountView("v1", None)

    def discover(self) -> tuple[Stream, ...]:
        return (Stream("trips", ("Trip",), ("id",), "at"),)

    def pull(self, stream: Stream, since: Any) -> Iterator[Page]:
        if Source.broken:
            raise SourceUnreachableError(where="/trips", reason="away")
        yield Page(records=(), cursor={"at": 1})


def entry(group: str, value: str) -> EntryPoint:
    return EntryPoint(name="essai", group=group, value=value)


@pytest.fixture
def service(
    home: MemoryHome, store: ConnectorStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> ConnectorService:
    @contextmanager
    def transport(_: str) -> Iterator[Any]:
        yield object()

    def installed(*, group: str) -> list[EntryPoint]:
        if group == registry.CONNECTORS:
            broken = entry(group, "tests.unit.connectors.test_runs:nothing_here")
            return [broken, entry(group, "tests.unit.connectors.test_runs:Source")]
        return []

    monkeypatch.setattr(registry, "entry_points", installed)
    Source.broken = False
    return ConnectorService(home, store, clock=clock, transport=transport, address="https://h.test")


def test_an_installed_connector_is_run_like_ours_and_a_broken_one_is_left_out(
    service: ConnectorService,
) -> None:
    service.add_source(VAULT, "tiers", "https://tiers.test", "secret")
    [account] = service.accounts(VAULT)
    assert service.pull(VAULT, account.id).health is Health.OK
    with pytest.raises(UnknownConnectorError):
        service.add_source(VAULT, "inconnu", "https://x.test", "t")


def test_failures_in_a_row_space_the_runs_out_and_one_success_closes_the_breaker(
    service: ConnectorService, clock: Clock
) -> None:
    service.add_source(VAULT, "tiers", "https://tiers.test", "secret")
    [account] = service.accounts(VAULT)
    Source.broken = True
    pauses = []
    for _ in range(10):
        service.pull(VAULT, account.id)
        [seen] = service.accounts(VAULT)
        assert seen.next_run_at is not None
        pauses.append(seen.next_run_at - clock())
    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_PAUSE
    assert pauses[-1] == LONGEST_PAUSE
    assert seen.report["failures"] == 10
    assert [line["error"] for line in seen.report["history"]] == ["source-unreachable"] * 10
    Source.broken = False
    service.pull(VAULT, account.id)
    [seen] = service.accounts(VAULT)
    assert seen.report["failures"] == 0
    assert seen.next_run_at == clock() + EVERY
    assert "running" not in seen.report


def test_a_source_that_asks_for_longer_than_the_breaker_is_heard(clock: Clock) -> None:
    report = RunReport(health=Health.WAITING, retry_after_s=7200)
    assert next_run(report, at=clock(), every=EVERY, failures=1) == clock() + timedelta(hours=2)


def test_each_import_is_an_account_that_can_be_undone_alone(
    service: ConnectorService, home: MemoryHome
) -> None:
    service.import_file(VAULT, gpx(), "a.gpx")
    service.import_file(VAULT, json.dumps(ANDROID).encode(), "b.json")
    imported = [a for a in service.accounts(VAULT) if a.is_file]
    assert {a.source for a in imported} == {"gpx", "google-timeline"}
    trips = [o for o in home.drop_box(VAULT).opened() if isinstance(o, TripObservation)]
    assert {(t.source, t.account) for t in trips} == {(a.source, a.account) for a in imported}
    assert all(a.report["records"] == 1 and not a.can_pull for a in imported)
    assert service.pull_all(VAULT) == {}
    with pytest.raises(UnknownAccountError):
        service.pull(VAULT, imported[0].id)


def zipped(*files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, data in enumerate(files):
            archive.writestr(f"{number}.gpx", data)
    return packed.getvalue()


def test_an_import_killed_in_the_middle_goes_on_with_the_same_file_and_is_undone_as_one(
    service: ConnectorService, home: MemoryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [gpx().replace(DAY, f"2026-11-{day:02d}".encode()) for day in (9, 10, 11, 12)]
    data, whole = zipped(*days), SealingDepositor.deposit
    taken = 0

    def killed(self: SealingDepositor, observations: Any) -> int:
        nonlocal taken
        taken += 1
        if taken == 3:
            raise InterruptedRunError
        return whole(self, observations)

    monkeypatch.setattr(SealingDepositor, "deposit", killed)
    with pytest.raises(InterruptedRunError):
        service.import_file(VAULT, data, "a.zip")
    [cut] = service.accounts(VAULT)
    assert (cut.health, len(home.drop_box(VAULT).opened())) == ("cut", 2)
    monkeypatch.setattr(SealingDepositor, "deposit", whole)
    report = service.import_file(VAULT, data, "renamed.zip")
    assert (report.records, report.known) == (2, 2)
    [done] = service.accounts(VAULT)
    assert (done.id, done.health) == (cut.id, "ok")
    assert "running" not in done.report
    trips = home.drop_box(VAULT).opened()
    assert len({o.id for o in trips}) == len(trips) == 4
    assert {o.account for o in trips if isinstance(o, TripObservation)} == {cut.id}
    # Over, it is over: the same file again is another import (one that was undone may come back).
    service.import_file(VAULT, data, "a.zip")
    assert len(service.accounts(VAULT)) == 2


def test_a_file_of_which_nothing_could_be_read_leaves_no_account(
    service: ConnectorService,
) -> None:
    with pytest.raises(HostileInputError):
        service.import_file(VAULT, b"\x0e\x10\x00\x00\xff\xff\xff\xff.FIT" + b"\xff" * 99, "a.fit")
    assert service.accounts(VAULT) == ()


def test_a_preview_shows_trips_and_deposits_nothing(
    service: ConnectorService, home: MemoryHome
) -> None:
    found = service.preview(json.dumps(RECORDS).encode())
    assert (found.format, found.trips, len(found.samples)) == ("google-timeline", 1, 1)
    assert home.drop_box(VAULT).taken == []


def test_an_installed_mapping_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(*, group: str) -> list[EntryPoint]:
        return [entry(group, "tests.unit.connectors.test_runs:documents")]

    monkeypatch.setattr(mapping, "entry_points", installed)
    assert "modele-tiers" in {importer.name for importer in mapping.mappings()}


def documents() -> list[dict[str, Any]]:
    return [
        {
            "mapping": 1,
            "name": "tiers",
            "title": "Tiers",
            "kind": "points",
            "rows": {"type": "csv"},
            "detect": ["t", "la", "lo"],
            "fields": {"time": {"from": "t"}, "lat": {"from": "la"}, "lon": {"from": "lo"}},
        }
    ]
