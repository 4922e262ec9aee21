"""The home's store and the session store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError

from federation.wire import database
from vault.store import tables as t
from vault.store.reader import Reader
from vault.store.rows import Attempt, Session
from vault.store.transactor import Transactor

__all__ = ["Reader", "SessionStore", "Store", "Transactor"]

HOME_MIGRATIONS: Final = "vault.store:migrations/home"
SESSION_MIGRATIONS: Final = "vault.store:migrations/sessions"
HOME_VERSIONS: Final = "vault_home_version"
SESSION_VERSIONS: Final = "vault_sessions_version"


class Store:
    """The home's database. `read` is a snapshot, `transact` a write transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> "Store":
        """Open and, unless told not to (workers), bring it to the newest version.

        Raises:
            SchemaVersionError: written by a newer version of this software, or, without
                `migrate`, by an older one.
        """
        engine = database.create(url)
        if migrate:
            database.migrate(engine, HOME_MIGRATIONS, version_table=HOME_VERSIONS)
        else:
            database.check_version(engine, HOME_MIGRATIONS, version_table=HOME_VERSIONS)
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with database.read(self.engine) as session:
            yield Reader(session)

    @contextmanager
    def transact(self) -> Iterator[Transactor]:
        with database.transact(self.engine) as session:
            yield Transactor(session)

    def fold(self) -> None:
        """Write SQLite's log back and cut it to nothing, so that it keeps no deleted page."""
        if self.engine.dialect.name == "sqlite":
            raw = self.engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.close()

    def close(self) -> None:
        self.engine.dispose()


class SessionStore:
    """Sessions and unlock attempts: a database of its own, never in a backup."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> "SessionStore":
        engine = database.create(url)
        if migrate:
            database.migrate(engine, SESSION_MIGRATIONS, version_table=SESSION_VERSIONS)
        else:
            database.check_version(engine, SESSION_MIGRATIONS, version_table=SESSION_VERSIONS)
        return cls(engine)

    def put(self, id_hash: bytes, session: Session) -> None:
        with database.transact(self.engine) as sql:
            sql.merge(
                t.SessionRow(
                    id_hash=id_hash,
                    vault_id=session.vault_id,
                    sealed_root=session.sealed_root,
                    idle_until=session.idle_until,
                    until=session.until,
                    idle_s=session.idle_s,
                )
            )

    def get(self, id_hash: bytes) -> Session | None:
        with database.read(self.engine) as sql:
            row = sql.get(t.SessionRow, id_hash)
            if row is None:
                return None
            return Session(row.vault_id, row.sealed_root, row.idle_until, row.until, row.idle_s)

    def touch(self, id_hash: bytes, *, idle_until: datetime) -> None:
        """Move the idle expiry; a session deleted meanwhile stays deleted."""
        with database.transact(self.engine) as sql:
            row = sql.get(t.SessionRow, id_hash)
            if row is not None:
                row.idle_until = idle_until

    def drop(self, id_hash: bytes) -> None:
        with database.transact(self.engine) as sql:
            sql.execute(delete(t.SessionRow).where(t.SessionRow.id_hash == id_hash))

    def drop_vault(self, vault_id: str) -> None:
        with database.transact(self.engine) as sql:
            sql.execute(delete(t.SessionRow).where(t.SessionRow.vault_id == vault_id))
            sql.execute(delete(t.AttemptRow).where(t.AttemptRow.vault_id == vault_id))

    def drop_sessions(self, vault_id: str, *, keep: bytes | None = None) -> None:
        """End every session of a vault, but the one named by `keep`."""
        gone = delete(t.SessionRow).where(t.SessionRow.vault_id == vault_id)
        if keep is not None:
            gone = gone.where(t.SessionRow.id_hash != keep)
        with database.transact(self.engine) as sql:
            sql.execute(gone)

    def put_challenge(
        self, challenge_hash: bytes, *, purpose: str, vault_id: str | None, expires_at: datetime
    ) -> None:
        """Remember a challenge that was given out."""
        with database.transact(self.engine) as sql:
            sql.add(
                t.ChallengeRow(
                    challenge_hash=challenge_hash,
                    purpose=purpose,
                    vault_id=vault_id,
                    expires_at=expires_at,
                )
            )

    def take_challenge(
        self, challenge_hash: bytes, *, purpose: str, vault_id: str, at: datetime
    ) -> bool:
        """Use up a challenge: true once, in time, for the purpose it was made for, and for the
        vault it was made for (one made for no vault in particular serves any).
        """
        row = t.ChallengeRow
        with database.transact(self.engine) as sql:
            done = sql.execute(
                delete(row).where(
                    row.challenge_hash == challenge_hash,
                    row.purpose == purpose,
                    row.vault_id.is_(None) | (row.vault_id == vault_id),
                    row.expires_at > at,
                )
            )
            return bool(getattr(done, "rowcount", 0) == 1)

    def drop_expired(self, *, at: datetime) -> None:
        with database.transact(self.engine) as sql:
            sql.execute(
                delete(t.SessionRow).where(
                    (t.SessionRow.idle_until < at) | (t.SessionRow.until < at)
                )
            )
            sql.execute(
                delete(t.AttemptRow).where(t.AttemptRow.not_before < at - timedelta(days=1))
            )
            sql.execute(delete(t.ChallengeRow).where(t.ChallengeRow.expires_at < at))

    def of_vault(self, vault_id: str) -> int:
        """How many sessions a vault has."""
        with database.read(self.engine) as sql:
            return len(
                list(
                    sql.scalars(
                        select(t.SessionRow.id_hash).where(t.SessionRow.vault_id == vault_id)
                    )
                )
            )

    def is_fresh(self, name: bytes, *, until: datetime, at: datetime) -> bool:
        """Note a nonce that a signed request used; False when it was used before."""
        try:
            with database.transact(self.engine) as sql:
                sql.execute(delete(t.NonceRow).where(t.NonceRow.until < at))
                if sql.get(t.NonceRow, name, with_for_update=True) is not None:
                    return False
                sql.add(t.NonceRow(name=name, until=until))
                sql.flush()
        except IntegrityError:  # used at this very moment in another worker
            return False
        return True

    def attempt(self, vault_id: str, client: bytes) -> Attempt | None:
        with database.read(self.engine) as sql:
            row = sql.get(t.AttemptRow, (vault_id, client))
            if row is None:
                return None
            return Attempt(row.failures, row.not_before, row.hour, row.failures_in_hour)

    def failed(self, vault_id: str, client: bytes, *, at: datetime) -> Attempt:
        """Count one wrong secret. Wait 0 for the first three, then 1, 2, 4 … s, at most 300."""
        try:
            return self._failed(vault_id, client, at=at)
        except IntegrityError:  # another worker counted this client's first one: the row is there
            return self._failed(vault_id, client, at=at)

    def _failed(self, vault_id: str, client: bytes, *, at: datetime) -> Attempt:
        with database.transact(self.engine) as sql:
            row = sql.get(t.AttemptRow, (vault_id, client), with_for_update=True)
            hour = at.replace(minute=0, second=0, microsecond=0)
            if row is None:
                row = t.AttemptRow(
                    vault_id=vault_id,
                    client=client,
                    failures=0,
                    not_before=at,
                    hour=hour,
                    failures_in_hour=0,
                )
                sql.add(row)
            row.failures += 1
            row.failures_in_hour = row.failures_in_hour + 1 if row.hour == hour else 1
            row.hour = hour
            wait = 0 if row.failures < 3 else min(300, 2 ** (row.failures - 3))
            row.not_before = at + timedelta(seconds=wait)
            sql.flush()
            return Attempt(row.failures, row.not_before, row.hour, row.failures_in_hour)

    def succeeded(self, vault_id: str, client: bytes) -> None:
        with database.transact(self.engine) as sql:
            sql.execute(
                delete(t.AttemptRow).where(
                    t.AttemptRow.vault_id == vault_id, t.AttemptRow.client == client
                )
            )

    def close(self) -> None:
        self.engine.dispose()
