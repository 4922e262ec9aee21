"""Reads and writes of `issuer.db`; hands out values, keeps rows to itself."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import delete, func, select, update

from connectors.issuer.rows import Row
from connectors.issuer.settings import Produces
from connectors.issuer.store.tables import (
    CredentialRow,
    CustomerRow,
    DisputeRow,
    FaultRow,
    ReadRow,
    RecordRow,
    SecretRow,
)
from federation.credentials.status import MIN_ENTRIES
from federation.credentials.token_status import INVALID, SUSPENDED, VALID, TokenStatusList
from federation.disputes import Dispute
from federation.wire import database
from schemas.ids import Did, Iri

__all__ = ["Customer", "Fault", "Ledger", "Taken"]

MIGRATIONS = "connectors:issuer/store/migrations"


@dataclass(frozen=True, slots=True)
class Customer:
    """Where a customer's records go: the three lines the citizen gave."""

    customer: str
    home: str
    vault: str
    account: str
    problem: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that could not be read."""

    source: str
    place: str
    column: str
    code: str
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of rows: new records, new versions of known ones, the same again, unreadable."""

    new: int = 0
    changed: int = 0
    same: int = 0
    faults: tuple[Fault, ...] = ()

    def plus(self, other: "Taken") -> "Taken":
        return Taken(
            self.new + other.new,
            self.changed + other.changed,
            self.same + other.same,
            (*self.faults, *other.faults),
        )


class Ledger:
    """The issuer's database."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Self:
        """Open and migrate (under a lock)."""
        engine = database.create(url)
        database.migrate(engine, MIGRATIONS, version_table="issuer_version")
        return cls(engine)

    def close(self) -> None:
        self._engine.dispose()

    # --- what was read --------------------------------------------------------------------------

    def take(
        self,
        rows: Iterable[tuple[str, Row]],
        faults: Iterable[Fault],
        *,
        iri: Callable[[Row], Iri],
        at: datetime,
    ) -> Taken:
        """Keep rows, each with its place, and what could not be read, in one commit. A record that
        says something else than before, or is cancelled, has its credentials revoked."""
        new = changed = same = 0
        found = tuple(faults)
        with database.transact(self._engine) as tx:
            for place, row in rows:
                tx.execute(
                    delete(FaultRow).where(FaultRow.source == row.source, FaultRow.place == place)
                )
                kept = tx.get(RecordRow, (row.source, row.reference))
                if kept is not None and kept.digest == row.digest:
                    same += 1
                    continue
                if kept is None:
                    new += 1
                    kept = RecordRow(
                        source=row.source, reference=row.reference, iri=iri(row),
                        is_disputed=False, pushed=None,
                    )  # fmt: skip
                    tx.add(kept)
                else:
                    changed += 1
                    tx.execute(
                        update(CredentialRow)
                        .where(CredentialRow.iri == kept.iri)
                        .values(status=INVALID)
                    )
                kept.customer, kept.produces = row.customer, row.produces.value
                kept.is_cancelled, kept.values = row.is_cancelled, dict(row.values)
                kept.digest, kept.taken_at = row.digest, at
            for fault in found:
                tx.merge(
                    FaultRow(
                        source=fault.source,
                        place=fault.place,
                        column=fault.column,
                        code=fault.code,
                        raw=dict(fault.raw),
                        at=at,
                    )
                )
        return Taken(new, changed, same, found)

    def faults(self) -> list[Fault]:
        """What is still unreadable, by place."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(select(FaultRow).order_by(FaultRow.source, FaultRow.place))
            return [Fault(r.source, r.place, r.column, r.code, r.raw) for r in rows]

    def forget_faults(self, source: str, prefix: str) -> None:
        """A file is read anew: what it says now counts."""
        with database.transact(self._engine) as tx:
            tx.execute(
                delete(FaultRow).where(
                    FaultRow.source == source, FaultRow.place.startswith(prefix, autoescape=True)
                )
            )

    def stamp(self, source: str, place: str) -> str | None:
        with database.read(self._engine) as reader:
            row = reader.get(ReadRow, (source, place))
            return None if row is None else row.stamp

    def put_stamp(self, source: str, place: str, stamp: str) -> None:
        self.put_stamps(source, {place: stamp})

    def put_stamps(self, source: str, stamps: Mapping[str, str]) -> None:
        """Several, in one commit."""
        with database.transact(self._engine) as tx:
            for place, stamp in stamps.items():
                tx.merge(ReadRow(source=source, place=place, stamp=stamp))

    def stamps(self, source: str) -> dict[str, str]:
        """Every stamp of a source, by place."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(select(ReadRow).where(ReadRow.source == source))
            return {row.place: row.stamp for row in rows}

    def journeys(self, *, since: datetime) -> list[Row]:
        """Journeys read since then, oldest first."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(RecordRow)
                .where(
                    RecordRow.produces == Produces.JOURNEY.value,
                    RecordRow.is_cancelled.is_(False),
                    RecordRow.taken_at >= since,
                )
                .order_by(RecordRow.taken_at, RecordRow.source, RecordRow.reference)
            )
            return [_row(row) for row in rows]

    # --- customers and what they have -----------------------------------------------------------

    def link(self, customer: Customer, *, at: datetime) -> None:
        """Say where a customer's records go; another vault than before gets all of them."""
        with database.transact(self._engine) as tx:
            tx.merge(
                CustomerRow(
                    customer=customer.customer,
                    home=customer.home,
                    vault=customer.vault,
                    account=customer.account,
                    linked_at=at,
                    problem=None,
                    retry_at=None,
                )
            )

    def unlink(self, customer: str) -> bool:
        with database.transact(self._engine) as tx:
            gone = tx.execute(delete(CustomerRow).where(CustomerRow.customer == customer))
            return bool(getattr(gone, "rowcount", 0))

    def customers(self) -> list[Customer]:
        with database.read(self._engine) as reader:
            rows = reader.scalars(select(CustomerRow).order_by(CustomerRow.customer))
            return [
                Customer(r.customer, r.home, r.vault, r.account, r.problem, r.retry_at)
                for r in rows
            ]

    def held_up(self, customer: str, problem: str | None, retry_at: datetime | None) -> None:
        with database.transact(self._engine) as tx:
            tx.execute(
                update(CustomerRow)
                .where(CustomerRow.customer == customer)
                .values(problem=problem, retry_at=retry_at)
            )

    def to_push(self, customer: Customer, *, limit: int) -> list[Row]:
        """Records of a customer that their vault does not have as they are now."""
        mark = f"{customer.vault} {customer.account} "
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(RecordRow)
                .where(
                    RecordRow.customer == customer.customer,
                    (RecordRow.pushed.is_(None)) | (RecordRow.pushed != mark + RecordRow.digest),
                )
                .order_by(RecordRow.taken_at, RecordRow.source, RecordRow.reference)
                .limit(limit)
            )
            return [_row(row) for row in rows]

    def pushed(self, customer: Customer, rows: Sequence[Row]) -> None:
        mark = f"{customer.vault} {customer.account} "
        with database.transact(self._engine) as tx:
            for row in rows:
                tx.execute(
                    update(RecordRow)
                    .where(RecordRow.source == row.source, RecordRow.reference == row.reference)
                    .values(pushed=mark + row.digest)
                )

    def offered(self, customer: str, produces: Produces) -> list[str]:
        """IRIs of what this customer may have signed, newest first."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(RecordRow.iri)
                .where(
                    RecordRow.customer == customer,
                    RecordRow.produces == produces.value,
                    RecordRow.is_cancelled.is_(False),
                    RecordRow.is_disputed.is_(False),
                )
                .order_by(RecordRow.taken_at.desc(), RecordRow.iri)
            )
            return list(rows)

    def record(self, iri: str) -> Row | None:
        with database.read(self._engine) as reader:
            row = reader.scalar(select(RecordRow).where(RecordRow.iri == iri))
            return None if row is None else _row(row)

    # --- credentials and their status -----------------------------------------------------------

    def new_credential(self, iri: str, *, at: datetime) -> int:
        """A free index of the status list, drawn at random and kept with the record."""
        with database.transact(self._engine) as tx:
            while True:
                number = secrets.randbelow(MIN_ENTRIES)
                if tx.get(CredentialRow, number) is None:
                    break
            tx.add(CredentialRow(number=number, iri=iri, issued_at=at, status=VALID))
        return number

    def statuses(self) -> TokenStatusList:
        entries = TokenStatusList.empty()
        with database.read(self._engine) as reader:
            for row in reader.scalars(select(CredentialRow).where(CredentialRow.status != VALID)):
                entries[row.number] = row.status
        return entries

    def revoke(self, iri: str) -> int:
        """Revoke every credential of a record; how many there are."""
        with database.transact(self._engine) as tx:
            done = tx.execute(
                update(CredentialRow).where(CredentialRow.iri == iri).values(status=INVALID)
            )
            return int(getattr(done, "rowcount", 0))

    # --- disputes -------------------------------------------------------------------------------

    def dispute(self, home: Did, origin: str, said: Dispute) -> bool:
        """Keep the last word of a dispute: its records are offered no more and what was signed of
        them is suspended, until it is taken back. False: nothing that we left at this home (its
        `origin`), or another home's dispute."""
        with database.transact(self._engine) as tx:
            kept = tx.get(DisputeRow, said.id)
            if kept is not None and kept.home != home:
                return False
            rows = list(
                tx.scalars(
                    select(RecordRow)
                    .join(CustomerRow, CustomerRow.customer == RecordRow.customer)
                    .where(RecordRow.iri.in_(said.journeys), CustomerRow.home == origin)
                )
            )
            if not rows:
                return False
            if kept is not None and kept.at > said.at:
                return True
            tx.merge(
                DisputeRow(
                    dispute=said.id,
                    home=home,
                    at=said.at,
                    message={
                        "state": "withdrawn" if said.withdrawn else "disputed",
                        "reason": said.reason,
                        "references": [f"{row.source}/{row.reference}" for row in rows],
                    },
                )
            )
            before, after = (SUSPENDED, VALID) if said.withdrawn else (VALID, SUSPENDED)
            for row in rows:
                row.is_disputed = not said.withdrawn
                tx.execute(
                    update(CredentialRow)
                    .where(CredentialRow.iri == row.iri, CredentialRow.status == before)
                    .values(status=after)
                )
            return True

    def disputes(self) -> list[dict[str, Any]]:
        with database.read(self._engine) as reader:
            rows = reader.scalars(select(DisputeRow).order_by(DisputeRow.at.desc()))
            return [{"dispute": r.dispute, "home": r.home, "at": r.at, **r.message} for r in rows]

    def counts(self) -> dict[str, int]:
        """Records, those nobody has yet, faults, customers, credentials, disputes that stand."""
        with database.read(self._engine) as reader:

            def many(table: type[Any], *which: Any) -> int:
                query = select(func.count()).select_from(table).where(*which)
                return int(reader.scalar(query) or 0)

            return {
                "records": many(RecordRow),
                "waiting": many(RecordRow, RecordRow.pushed.is_(None)),
                "faults": many(FaultRow),
                "customers": many(CustomerRow),
                "credentials": many(CredentialRow),
                "disputed": many(RecordRow, RecordRow.is_disputed.is_(True)),
            }

    # --- secrets handed out ---------------------------------------------------------------------

    def secrets(self, kind: str, term: timedelta, clock: Callable[[], datetime]) -> "StoredSecrets":
        return StoredSecrets(self._engine, kind, term, clock)

    def is_fresh(self, name: str, until: datetime, *, at: datetime) -> bool:
        """Record a nonce; False when it was used before."""
        with database.transact(self._engine) as tx:
            tx.execute(delete(SecretRow).where(SecretRow.until < at))
            digest = _digest("nonce-used", name)
            if tx.get(SecretRow, digest) is not None:
                return False
            tx.add(SecretRow(digest=digest, kind="nonce-used", about=[], until=until))
            return True


class StoredSecrets:
    """Codes, tokens or nonces, as digests; they outlive a restart."""

    def __init__(
        self, engine: Any, kind: str, term: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._engine, self._kind, self._term, self._clock = engine, kind, term, clock

    def make(self, *about: str) -> str:
        name, now = secrets.token_urlsafe(24), self._clock()
        with database.transact(self._engine) as tx:
            tx.execute(delete(SecretRow).where(SecretRow.until < now))
            tx.add(
                SecretRow(
                    digest=_digest(self._kind, name),
                    kind=self._kind,
                    about=list(about),
                    until=now + self._term,
                )
            )
        return name

    def holds(self, name: str) -> tuple[str, ...] | None:
        with database.read(self._engine) as reader:
            row = reader.get(SecretRow, _digest(self._kind, name))
            return None if row is None or row.until < self._clock() else tuple(row.about)

    def take(self, name: str) -> tuple[str, ...] | None:
        with database.transact(self._engine) as tx:
            row = tx.get(SecretRow, _digest(self._kind, name))
            if row is None:
                return None
            about, until = tuple(row.about), row.until
            tx.delete(row)
        return None if until < self._clock() else about


def _digest(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind}\n{name}".encode()).digest()


def _row(row: RecordRow) -> Row:
    return Row(
        source=row.source,
        reference=row.reference,
        customer=row.customer,
        produces=Produces(row.produces),
        is_cancelled=row.is_cancelled,
        values=row.values,
        taken_at=row.taken_at,
    )
