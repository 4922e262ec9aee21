"""What a home does with ten years of one citizen, in a process of its own, so that its memory is
its own: `python -m tests.bench.decade_run TRIPS INVOICES FOLDER DATABASE_URL|-`.

Prints one JSON object: figures by name. TRIPS and INVOICES are files of observations, one a line.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, text

from schemas.records import Compartment, Kind
from tests.bench.decade import PASSPHRASE, Depositor, open_home
from tests.bench.memory import peak_kib
from vault.crypto.kdf import INTERACTIVE, stretch
from vault.home import Home
from vault.open_vault import OpenVault

WAITING: Final = 500
SINCE, UNTIL = date(2010, 1, 1), date(2030, 1, 1)
QUERY: Final = """
PREFIX mv: <https://w3id.org/mobility-vault/vocab#>
SELECT ?mode (COUNT(?leg) AS ?legs) (SUM(?metres) AS ?total) WHERE {
  ?leg a mv:Leg ; mv:mode ?mode ; mv:distance ?metres
} GROUP BY ?mode"""


class Run:
    """Figures of one database."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder, self.url = folder, url
        self.found: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str, *, per: float | None = None, unit: float = 1.0) -> Iterator[None]:
        """Seconds × `unit`, or `per` a second; `<name>.cpu` the same by this process's clock."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.found[name] = per / wall if per is not None else wall * unit
        self.found[f"{name}.cpu"] = per / cpu if per is not None else cpu * unit

    def peak(self, name: str) -> None:
        """The peak of this process alone, in MiB."""
        self.found[name] = peak_kib() / 1024

    def bytes_held(self) -> float:
        """Bytes of the home's store in use, blobs included, indexes included."""
        files = sum(p.stat().st_size for p in (self.folder / "blobs").rglob("*") if p.is_file())
        if self.url is None:
            engine = create_engine(f"sqlite:///{self.folder / 'home.db'}")
            with engine.connect() as connection:
                pages, free, size = (
                    int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                    for name in ("page_count", "freelist_count", "page_size")
                )
            engine.dispose()
            return files + (pages - free) * size
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM FULL"))
            held = connection.execute(
                text(
                    "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
                    " JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = 'public' AND c.relkind = 'r'"
                )
            ).scalar_one()
        engine.dispose()
        return files + float(held)


def unlock(home: Home, vault: str) -> OpenVault:
    token = home.unlock(vault, passphrase=PASSPHRASE, client="127.0.0.1")
    return home.session(token.cookie_value)


def median_ms(act: Callable[[], Any], n: int = 7) -> float:
    rounds = []
    for _ in range(n):
        began = time.perf_counter()
        act()
        rounds.append(time.perf_counter() - began)
    return statistics.median(rounds) * 1000


def measure(run: Run, trips: list[bytes], invoices: list[bytes]) -> None:
    folder, url = run.folder, run.url
    home = open_home(folder, database_url=url)
    vault = home.create_vault(PASSPHRASE, label="dix ans").vault_id
    empty = run.bytes_held()
    depositor = Depositor(home, vault)
    began = time.perf_counter()
    count = depositor.leave(trips)
    run.found["vault.deposits_per_s"] = count / (time.perf_counter() - began)
    run.found["deposits"] = count
    opened = unlock(home, vault)
    with run.timed("vault.drain_records_per_s", per=len(trips)):
        report = opened.drain(None)
    run.found["trips"] = report.trips_new
    run.found["vault.bytes_per_trip"] = (run.bytes_held() - empty) / len(trips)
    depositor.leave(invoices, Compartment.INVOICES)
    run.found["invoices"] = opened.drain(None).records
    fresh = [json.dumps(json.loads(raw) | {"id": f"urn:uuid:waiting-{n}"}).encode()
             for n, raw in enumerate(trips[-WAITING:])]  # fmt: skip
    box = home.drop_box(vault)
    for raw in fresh:
        box.deposit(depositor.sealed([raw], Compartment.TRIPS).data)
    home.close()

    stretched = bytearray(PASSPHRASE.encode())
    run.found["vault.kdf_ms"] = median_ms(
        lambda: stretch(stretched, salt=bytes(16), profile=INTERACTIVE)
    )
    rounds = []
    for _ in range(3):  # a process that has never seen the vault: nothing is kept
        home = open_home(folder, database_url=url)
        began = time.perf_counter()
        opened = unlock(home, vault)
        page = opened.records(Kind.TRIP, limit=50)
        rounds.append((time.perf_counter() - began) * 1000)
        assert len(page.records) == 50
        assert opened.waiting().deposits == len(fresh)
        run.found["vault.page_ms"] = median_ms(lambda: opened.records(Kind.TRIP, limit=50))  # noqa: B023
        home.close()
    run.found["vault.unlock_first_page_ms"] = statistics.median(rounds)

    home = open_home(folder, database_url=url)
    opened = unlock(home, vault)
    with run.timed("vault.statistics_cold_s"):
        rows = opened.statistics(by="month", since=SINCE, until=UNTIL)
    assert sum(row.trips for row in rows) >= len(trips)
    run.found["vault.statistics_warm_ms"] = median_ms(
        lambda: opened.statistics(by="month", since=SINCE, until=UNTIL)
    )
    run.peak("vault.peak_memory_opened_mb")
    archive = folder / "archive.age"
    with run.timed("vault.export_s"), archive.open("wb") as out:
        opened.export(out, passphrase=PASSPHRASE)
    run.found["archive_mb"] = archive.stat().st_size / 1e6
    run.peak("vault.peak_memory_export_mb")
    with run.timed("vault.restore_s"), archive.open("rb") as source:
        report = home.restore(source, passphrase=PASSPHRASE, new_passphrase=PASSPHRASE)
    assert (report.observations, report.lowered) == (len(trips) + len(invoices), 0)
    run.peak("vault.peak_memory_mb")  # the vault that was exported is still open, and warm
    with run.timed("vault.sparql_build_s"):
        first = opened.query("ASK {}")
    assert first is not None
    run.found["vault.sparql_query_ms"] = median_ms(lambda: opened.query(QUERY), n=3)
    child = opened._sparql.pid
    assert child is not None
    run.found["vault.peak_memory_sparql_child_mb"] = peak_kib(child) / 1024
    opened.lock()
    home.close()


def main() -> None:
    trips, invoices, folder, url = sys.argv[1:5]
    run = Run(Path(folder), None if url == "-" else url)
    try:
        measure(
            run, Path(trips).read_bytes().splitlines(), Path(invoices).read_bytes().splitlines()
        )
    finally:  # what was measured before something stopped it is worth an hour
        print(json.dumps(run.found))


if __name__ == "__main__":
    main()
