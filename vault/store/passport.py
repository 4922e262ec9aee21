"""Rows of the passport: services, connections, codes and tokens; sealed bytes in and out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session as SqlSession

from vault.store import tables as t

__all__ = ["ConnectionRecord", "FamilyRecord", "PassportTable", "TokenRecord"]

MAX_TOKENS: Final = 200
"""Codes and access tokens of one connection that live at once; the oldest go first."""


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A service that a vault is connected to."""

    vault_id: str
    connection_id: bytes
    sealed: bytes
    snapshot: bytes | None
    since: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyRecord:
    """A line of refresh tokens."""

    vault_id: str
    family_id: bytes
    connection_id: bytes
    generation: int
    sealed: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A code or an access token."""

    vault_id: str
    token: bytes
    kind: str
    connection_id: bytes
    family_id: bytes
    sealed: bytes
    snapshot: bytes | None
    expires_at: datetime
    used_at: datetime | None = None


class PassportTable:
    """Reads, and inside a transaction writes."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    # --- services -----------------------------------------------------------------------------

    def put_service(self, service_id: str, body: bytes, *, at: datetime) -> None:
        row = self._session.get(t.PassportServiceRow, service_id)
        if row is None:
            self._session.add(
                t.PassportServiceRow(service_id=service_id, body=body, registered_at=at)
            )
        else:
            row.body = body
        self._session.flush()

    def service(self, service_id: str) -> bytes | None:
        row = self._session.get(t.PassportServiceRow, service_id)
        return None if row is None else row.body

    def services(self) -> list[tuple[str, bytes]]:
        query = select(t.PassportServiceRow).order_by("service_id")
        return [(row.service_id, row.body) for row in self._session.scalars(query)]

    def delete_service(self, service_id: str) -> bool:
        found = self._session.execute(
            delete(t.PassportServiceRow).where(t.PassportServiceRow.service_id == service_id)
        )
        return cast("CursorResult[object]", found).rowcount > 0

    # --- connections --------------------------------------------------------------------------

    def put_connection(self, given: ConnectionRecord) -> None:
        """Connect, or agree anew: the date of the first agreement stays."""
        row = self._session.get(t.PassportConnectionRow, (given.vault_id, given.connection_id))
        if row is None:
            self._session.add(
                t.PassportConnectionRow(
                    vault_id=given.vault_id,
                    connection_id=given.connection_id,
                    sealed=given.sealed,
                    snapshot=given.snapshot,
                    since=given.since,
                    expires_at=given.expires_at,
                )
            )
        else:
            row.sealed, row.snapshot = given.sealed, given.snapshot
            row.expires_at = given.expires_at
        self._session.flush()

    def note_reading(
        self, vault_id: str, connection_id: bytes, *, before: bytes, sealed: bytes
    ) -> None:
        """Put other words on a connection, unless somebody else did since they were read."""
        self._session.execute(
            update(t.PassportConnectionRow)
            .where(
                t.PassportConnectionRow.vault_id == vault_id,
                t.PassportConnectionRow.connection_id == connection_id,
                t.PassportConnectionRow.sealed == before,
            )
            .values(sealed=sealed)
        )

    def connection(self, vault_id: str, connection_id: bytes) -> ConnectionRecord | None:
        row = self._session.get(t.PassportConnectionRow, (vault_id, connection_id))
        return None if row is None else _connection(row)

    def connections(self, vault_id: str) -> list[ConnectionRecord]:
        query = select(t.PassportConnectionRow).where(t.PassportConnectionRow.vault_id == vault_id)
        return [_connection(row) for row in self._session.scalars(query.order_by("since"))]

    def delete_connection(self, vault_id: str, connection_id: bytes) -> bool:
        """With every token of it. False: there was none."""
        for table in (t.PassportTokenRow, t.PassportFamilyRow):
            self._session.execute(
                delete(table).where(
                    table.__table__.c.vault_id == vault_id,
                    table.__table__.c.connection_id == connection_id,
                )
            )
        found = self._session.execute(
            delete(t.PassportConnectionRow).where(
                t.PassportConnectionRow.vault_id == vault_id,
                t.PassportConnectionRow.connection_id == connection_id,
            )
        )
        return cast("CursorResult[object]", found).rowcount > 0

    # --- refresh tokens -----------------------------------------------------------------------

    def put_family(self, given: FamilyRecord) -> None:
        self._session.add(
            t.PassportFamilyRow(
                vault_id=given.vault_id,
                family_id=given.family_id,
                connection_id=given.connection_id,
                generation=given.generation,
                sealed=given.sealed,
                expires_at=given.expires_at,
            )
        )
        self._session.flush()

    def family(self, family_id: bytes) -> FamilyRecord | None:
        query = select(t.PassportFamilyRow).where(t.PassportFamilyRow.family_id == family_id)
        row = self._session.scalars(query).one_or_none()
        return (
            None
            if row is None
            else FamilyRecord(
                row.vault_id,
                row.family_id,
                row.connection_id,
                row.generation,
                row.sealed,
                row.expires_at,
            )
        )

    def has_family(self, vault_id: str, connection_id: bytes, *, at: datetime) -> bool:
        query = select(t.PassportFamilyRow.family_id).where(
            t.PassportFamilyRow.vault_id == vault_id,
            t.PassportFamilyRow.connection_id == connection_id,
            t.PassportFamilyRow.expires_at > at,
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def next_generation(self, vault_id: str, family_id: bytes, *, expected: int) -> bool:
        """Make the next token of the line the one that counts. False: somebody was first."""
        found = self._session.execute(
            update(t.PassportFamilyRow)
            .where(
                t.PassportFamilyRow.vault_id == vault_id,
                t.PassportFamilyRow.family_id == family_id,
                t.PassportFamilyRow.generation == expected,
            )
            .values(generation=expected + 1)
        )
        return cast("CursorResult[object]", found).rowcount == 1

    def delete_family(self, vault_id: str, family_id: bytes) -> bool:
        """End a line of refresh tokens, its code and every access token that came of it. False:
        there was nothing any more."""
        gone = 0
        for table in (t.PassportTokenRow, t.PassportFamilyRow):
            found = self._session.execute(
                delete(table).where(
                    table.__table__.c.vault_id == vault_id,
                    table.__table__.c.family_id == family_id,
                )
            )
            gone += cast("CursorResult[object]", found).rowcount
        return gone > 0

    # --- codes and access tokens --------------------------------------------------------------

    def put_token(self, given: TokenRecord) -> None:
        self._session.add(
            t.PassportTokenRow(
                vault_id=given.vault_id,
                token=given.token,
                kind=given.kind,
                connection_id=given.connection_id,
                family_id=given.family_id,
                sealed=given.sealed,
                snapshot=given.snapshot,
                expires_at=given.expires_at,
                used_at=None,
            )
        )
        self._session.flush()

    def token(self, token: bytes) -> TokenRecord | None:
        row = self._session.scalars(
            select(t.PassportTokenRow).where(t.PassportTokenRow.token == token)
        ).one_or_none()
        return (
            None
            if row is None
            else TokenRecord(
                row.vault_id,
                row.token,
                row.kind,
                row.connection_id,
                row.family_id,
                row.sealed,
                row.snapshot,
                row.expires_at,
                row.used_at,
            )
        )

    def use_token(self, vault_id: str, token: bytes, *, at: datetime) -> bool:
        """Use a code up. False: it was used already. What it carried goes with it."""
        found = self._session.execute(
            update(t.PassportTokenRow)
            .where(
                t.PassportTokenRow.vault_id == vault_id,
                t.PassportTokenRow.token == token,
                t.PassportTokenRow.used_at.is_(None),
            )
            .values(used_at=at, snapshot=None)
        )
        return cast("CursorResult[object]", found).rowcount == 1

    def delete_token(self, vault_id: str, token: bytes) -> None:
        self._session.execute(
            delete(t.PassportTokenRow).where(
                t.PassportTokenRow.vault_id == vault_id, t.PassportTokenRow.token == token
            )
        )

    def delete_access(self, vault_id: str, connection_id: bytes) -> None:
        """End the access tokens of a connection; lines of refresh tokens go on."""
        self._session.execute(
            delete(t.PassportTokenRow).where(
                t.PassportTokenRow.vault_id == vault_id,
                t.PassportTokenRow.connection_id == connection_id,
                t.PassportTokenRow.kind == "access",
            )
        )

    def sweep(self, vault_id: str, *, at: datetime) -> None:
        """Forget what is over in one vault: codes, tokens, lines and whole connections."""
        for table in (t.PassportTokenRow, t.PassportFamilyRow, t.PassportConnectionRow):
            self._session.execute(
                delete(table).where(
                    table.__table__.c.vault_id == vault_id, table.__table__.c.expires_at <= at
                )
            )

    def bound(self, vault_id: str, connection_id: bytes) -> None:
        """Let the oldest tokens of a connection go where it has more than `MAX_TOKENS`."""
        query = (
            select(t.PassportTokenRow.token)
            .where(
                t.PassportTokenRow.vault_id == vault_id,
                t.PassportTokenRow.connection_id == connection_id,
            )
            .order_by(t.PassportTokenRow.expires_at.desc())
            .offset(MAX_TOKENS)
        )
        for token in list(self._session.scalars(query)):
            self.delete_token(vault_id, token)


def _connection(row: t.PassportConnectionRow) -> ConnectionRecord:
    return ConnectionRecord(
        row.vault_id, row.connection_id, row.sealed, row.snapshot, row.since, row.expires_at
    )
