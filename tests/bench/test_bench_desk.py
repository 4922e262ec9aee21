"""The desk on PostgreSQL: decisions a second beside bare inserts of the same rows, and the queue of
a funder with a hundred thousand applications.
"""

import dataclasses
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text

from federation.hub.members import Member
from federation.hub.model import Application, QueueFilter
from federation.hub.tables import ApplicationRow, LogEntryRow, StatusIndexRow, TransitionRow
from schemas.ids import mint_iri
from schemas.records import ApplicationState
from tests.bench.conftest import Bench
from tests.hub_world import World, build_world, copies
from tests.unit.hub.test_decisions import apply, officer

pytestmark = [pytest.mark.bench, pytest.mark.postgresql]

DECISIONS = 300
QUEUE = 100_000
WORST_QUEUE_MS = 50.0


@pytest.fixture(scope="module")
def world(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = build_world(Path(tmp_path_factory.mktemp("desk")), database_url=postgresql_url)
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def who(world: World) -> Member:
    return officer(world)


@pytest.fixture(scope="module")
def model(world: World, who: Member) -> Application:
    """An application that waits for a person."""
    _, application = apply(world, 12)
    found = world.context.desk.open(who, application).application
    return dataclasses.replace(found, amount=100_00)


def _values(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def test_decisions_a_second_beside_bare_inserts(
    world: World, who: Member, model: Application, bench: Bench
) -> None:
    hub = world.context
    waiting = copies(world, model, DECISIONS)
    began = time.perf_counter()
    for identifier in waiting:
        hub.desk.decide(who, identifier, accept=True, reason="Conforme à la règle.")
    ours = DECISIONS / (time.perf_counter() - began)

    # The rows a decision leaves: the application, its step, its entry, its places in the lists.
    groups: list[list[tuple[Any, dict[str, Any]]]] = []
    with hub.store.read() as reader:
        session = reader._session
        for position, identifier in enumerate(waiting):
            fresh = str(mint_iri())
            application = _values(session.get(ApplicationRow, identifier)) | {"id": fresh}
            step = session.scalars(
                select(TransitionRow).where(
                    TransitionRow.application == identifier, TransitionRow.seq == 1
                )
            ).one()
            entry = session.get(LogEntryRow, (identifier, 1))
            bits = session.scalars(
                select(StatusIndexRow).where(StatusIndexRow.credential == identifier)
            ).all()
            assert bits, "an award has its places in the status lists"
            groups.append(
                [
                    (ApplicationRow, application),
                    (TransitionRow, _values(step) | {"application": fresh}),
                    (LogEntryRow, _values(entry) | {"application": fresh}),
                    *(
                        (
                            StatusIndexRow,
                            _values(bit) | {"list_id": "bare", "position": 10 * position + n},
                        )
                        for n, bit in enumerate(bits)
                    ),
                ]
            )
    began = time.perf_counter()
    for group in groups:
        with hub.store.engine.begin() as connection:
            for table, values in group:
                connection.execute(insert(table), values)
    bare = DECISIONS / (time.perf_counter() - began)
    bench.put("desk.decisions_per_s", ours, "1/s", reference=bare, n=DECISIONS)
    assert ours > 0


def test_the_queue_of_a_hundred_thousand(
    world: World, who: Member, model: Application, bench: Bench
) -> None:
    hub = world.context
    there = _fill(world, model)
    states = (ApplicationState.SUBMITTED, ApplicationState.ACCEPTED, ApplicationState.REFUSED)
    filters = [
        QueueFilter(),
        QueueFilter(to_review=True),
        *(QueueFilter(states=frozenset((state,))) for state in states),
        QueueFilter(aid=str(model.aid), states=frozenset(states[:1])),
        QueueFilter(search="00"),
        QueueFilter(search="A-099999"),
        QueueFilter(assignee=who.id),
        QueueFilter(late_at=hub.clock()),
    ]
    took: list[float] = []
    for wanted in filters:
        cursor: str | None = None
        for _ in range(12):
            began = time.perf_counter()
            page = hub.desk.queue(who, wanted, cursor=cursor, limit=30)
            took.append((time.perf_counter() - began) * 1_000)
            cursor = page.cursor
            if cursor is None:
                break
    began = time.perf_counter()
    counts = hub.desk.counts(who)
    bench.put("desk.counts_ms", (time.perf_counter() - began) * 1_000, "ms", n=1)
    assert sum(count for name, count in counts.items() if name != "to_review") == there
    p95 = statistics.quantiles(took, n=20)[-1]
    bench.put("desk.queue_p95_ms", p95, "ms", n=len(took))
    assert p95 <= WORST_QUEUE_MS, sorted(took)[-5:]


def _fill(world: World, model: Application) -> int:
    """Applications of a funder, one a minute, in five states; how many there are."""
    with world.context.store.engine.begin() as connection:
        connection.execute(delete(StatusIndexRow).where(StatusIndexRow.list_id == "bare"))
        source = connection.execute(
            select(ApplicationRow.__table__).where(ApplicationRow.id == model.id)
        ).mappings().one()  # fmt: skip
        columns = [name for name in source if name not in {
            "id", "holder", "employee", "state", "to_review", "submitted_at", "award",
        }]  # fmt: skip
        listed = ", ".join(columns)
        connection.execute(
            text(
                f"""
                INSERT INTO applications
                  (id, holder, employee, state, to_review, submitted_at, award, {listed})
                SELECT 'urn:uuid:' || gen_random_uuid(), 'did:key:z' || n,
                  'A-' || lpad(n::text, 6, '0'),
                  (ARRAY['accepted', 'accepted', 'accepted', 'refused', 'submitted',
                         'paid', 'paid', 'withdrawn'])[1 + n % 8],
                  n % 8 = 4, submitted_at + n * interval '1 minute', NULL, {listed}
                FROM applications, generate_series(1, :count) AS n
                WHERE applications.id = :model
                """
            ),
            {"count": QUEUE, "model": model.id},
        )
        connection.execute(text("ANALYZE applications"))
        return int(connection.scalar(select(func.count()).select_from(ApplicationRow)) or 0)
