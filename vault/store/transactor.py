"""All writes of the home's store. A transactor exists only inside its transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import CursorResult, bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session as SqlSession

from vault.errors import HeadMovedError, VaultUnknownError
from vault.store import tables as t
from vault.store.reader import Reader, link_of
from vault.store.rows import (
    Blob,
    Deposit,
    HeadRecord,
    Link,
    Month,
    Passkey,
    Progress,
    PublicKey,
    SealedRow,
    Slot,
)

__all__ = ["Transactor"]


@cache
def _upserts(dialect: str, table: type[t.HomeBase]) -> sqlite.Insert | postgresql.Insert:
    query = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    key = [column.name for column in table.__table__.primary_key]
    rest = {c.name: query.excluded[c.name] for c in table.__table__.columns if c.name not in key}
    return query.on_conflict_do_update(index_elements=key, set_=rest)


_PUT_ROWS = text(
    "INSERT INTO record (vault_id, compartment, row_id, tag, sealed)"
    " SELECT :vault_id, new.compartment, new.row_id, new.tag, new.sealed"
    " FROM unnest(CAST(:compartments AS text[]), CAST(:row_ids AS bytea[]),"
    " CAST(:tags AS bytea[]), CAST(:sealed AS bytea[]))"
    " AS new(compartment, row_id, tag, sealed)"
    " ON CONFLICT (vault_id, compartment, row_id)"
    " DO UPDATE SET tag = excluded.tag, sealed = excluded.sealed"
)
"""PostgreSQL takes a slice's rows as four arrays in one statement: one round trip, one plan."""
_PUT_ROWS_SQLITE = (
    "INSERT INTO record (vault_id, compartment, row_id, tag, sealed) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (vault_id, compartment, row_id)"
    " DO UPDATE SET tag = excluded.tag, sealed = excluded.sealed"
)
"""A thousand rows a slice: given to SQLite as they are, which halves what their statement costs."""


def _upsert(session: SqlSession, table: type[t.HomeBase]) -> sqlite.Insert | postgresql.Insert:
    """INSERT that overwrites a row of the same key: one statement, many rows."""
    return _upserts(session.get_bind().dialect.name, table)


_PROGRESS = (
    update(t.DepositRow)
    .where(
        t.DepositRow.vault_id == bindparam("in_vault"),
        t.DepositRow.link_id == bindparam("of_link"),
        t.DepositRow.seq == bindparam("at_seq"),
    )
    .values(state=bindparam("new_state"), taken=bindparam("now_taken"), outcome=bindparam("told"))
)
_CLOSE = _PROGRESS.values(sealed=None)


OF_VAULT: tuple[type[t.HomeBase], ...] = (
    t.SlotRow,
    t.PasskeyRow,
    t.LoginLinkRow,
    t.KeyringRow,
    t.PublicKeyRow,
    t.HeadRow,
    t.MonthRow,
    t.SealedRecordRow,
    t.BlobRow,
    t.LinkRow,
    t.DropBoxRow,
    t.DepositRow,
    t.ManifestRow,
    t.QuarantineRow,
    t.JournalRow,
    t.SettingRow,
    t.GrantRow,
    t.PaperRow,
    t.PassportConnectionRow,
    t.PassportFamilyRow,
    t.PassportTokenRow,
    t.TokenRow,
)
"""Tables a shred empties, children first; the outbox goes apart, the vault's own row last."""


class Transactor(Reader):
    """One write transaction of the home."""

    def __init__(self, session: SqlSession) -> None:
        super().__init__(session)
        self._session = session

    def create_vault(self, vault_id: str, *, head: bytes, at: datetime) -> None:
        self._session.add(t.VaultRow(vault_id=vault_id, created_at=at))
        self._session.flush()
        self._session.add(t.HeadRow(vault_id=vault_id, seq=1, sealed=head))
        self._session.add(
            t.DropBoxRow(vault_id=vault_id, held_bytes=0, held_deposits=0, arrivals=0)
        )
        self._session.flush()

    # --- keys ---------------------------------------------------------------------------------

    def put_slot(self, vault_id: str, slot: Slot, *, at: datetime) -> None:
        self._session.merge(
            t.SlotRow(
                vault_id=vault_id,
                slot_id=slot.slot_id,
                kind=slot.kind,
                sealed=slot.sealed,
                created_at=at,
                last_used_on=slot.last_used_on,
            )
        )

    def slot_used(self, vault_id: str, slot_id: str, *, on: datetime) -> None:
        """Note the day a slot opened the vault; a slot removed meanwhile stays removed."""
        self._session.execute(
            update(t.SlotRow)
            .where(t.SlotRow.vault_id == vault_id, t.SlotRow.slot_id == slot_id)
            .values(last_used_on=on)
        )

    def put_passkey(self, passkey: Passkey) -> None:
        """Add a passkey, or change what is known of it."""
        self._session.merge(
            t.PasskeyRow(
                vault_id=passkey.vault_id,
                credential_id=passkey.credential_id,
                public_key=passkey.public_key,
                sign_count=passkey.sign_count,
                transports=passkey.transports,
                prf_input=passkey.prf_input,
                slot_id=passkey.slot_id,
                created_at=passkey.created_at,
                last_used_on=passkey.last_used_on,
            )
        )

    def count_signature(
        self, vault_id: str, credential_id: bytes, *, sign_count: int, on: datetime
    ) -> bool:
        """Move a passkey's counter. False: it did not go up (an authenticator that counts and was
        copied), or the passkey is gone. Counters that stay 0 count nothing.
        """
        row = t.PasskeyRow
        done = self._session.execute(
            update(row)
            .where(
                row.vault_id == vault_id,
                row.credential_id == credential_id,
                (row.sign_count < sign_count) | ((row.sign_count == 0) & (sign_count == 0)),
            )
            .values(sign_count=sign_count, last_used_on=on)
        )
        return bool(getattr(done, "rowcount", 0) == 1)

    def delete_passkey(self, vault_id: str, credential_id: bytes) -> None:
        row = t.PasskeyRow
        self._session.execute(
            delete(row).where(row.vault_id == vault_id, row.credential_id == credential_id)
        )

    def put_login_link(self, vault_id: str, login: bytes, *, at: datetime) -> None:
        self._session.merge(t.LoginLinkRow(vault_id=vault_id, login=login, created_at=at))

    def delete_login_link(self, vault_id: str, login: bytes) -> None:
        row = t.LoginLinkRow
        self._session.execute(delete(row).where(row.vault_id == vault_id, row.login == login))

    def delete_slot(self, vault_id: str, slot_id: str) -> None:
        self._session.execute(
            delete(t.SlotRow).where(t.SlotRow.vault_id == vault_id, t.SlotRow.slot_id == slot_id)
        )

    def put_keyring(self, vault_id: str, sealed: bytes) -> None:
        self._session.merge(t.KeyringRow(vault_id=vault_id, sealed=sealed))

    def put_public_key(self, vault_id: str, key: PublicKey) -> None:
        """Publish a key; an earlier active one of the same purpose is no longer given out."""
        if key.active:
            self._session.execute(
                update(t.PublicKeyRow)
                .where(t.PublicKeyRow.vault_id == vault_id, t.PublicKeyRow.purpose == key.purpose)
                .values(active=False)
            )
        self._session.merge(
            t.PublicKeyRow(
                vault_id=vault_id,
                purpose=key.purpose,
                key_id=key.key_id,
                encoded=key.encoded,
                active=key.active,
            )
        )

    def delete_public_key(self, vault_id: str, key_id: bytes) -> None:
        """Take nothing more that is sealed to this key."""
        row = t.PublicKeyRow
        self._session.execute(delete(row).where(row.vault_id == vault_id, row.key_id == key_id))

    # --- head and records ---------------------------------------------------------------------

    def lock_head(self, vault_id: str) -> HeadRecord:
        """Take the vault's writer lock (PostgreSQL: the head's row; SQLite: BEGIN IMMEDIATE).

        Raises:
            VaultUnknownError: shredded, or never here.
        """
        row = self._session.scalar(
            select(t.HeadRow).where(t.HeadRow.vault_id == vault_id).with_for_update()
        )
        if row is None:
            raise VaultUnknownError
        return HeadRecord(row.seq, row.sealed)

    def swap_head(self, vault_id: str, *, expected: int, seq: int, sealed: bytes) -> None:
        """Compare-and-set on `seq`.

        Raises:
            HeadMovedError: somebody else wrote since `expected` was read.
        """
        result = self._session.execute(
            update(t.HeadRow)
            .where(t.HeadRow.vault_id == vault_id, t.HeadRow.seq == expected)
            .values(seq=seq, sealed=sealed)
        )
        assert isinstance(result, CursorResult)  # noqa: S101  # what SQLAlchemy gives an UPDATE
        if result.rowcount != 1:
            raise HeadMovedError(expected=expected, found=self.seq(vault_id) or 0)

    def put_months(self, vault_id: str, months: Sequence[Month]) -> None:
        """Write manifests; an earlier one of the same month is overwritten."""
        if months:
            self._session.connection().execute(
                _upsert(self._session, t.MonthRow),
                [
                    {
                        "vault_id": vault_id,
                        "compartment": month.compartment,
                        "tag": month.tag,
                        "sealed": month.sealed,
                    }
                    for month in months
                ],
            )

    def delete_month(self, vault_id: str, compartment: str, tag: bytes) -> None:
        self._session.execute(
            delete(t.MonthRow).where(
                t.MonthRow.vault_id == vault_id,
                t.MonthRow.compartment == compartment,
                t.MonthRow.tag == tag,
            )
        )

    def put_rows(self, vault_id: str, rows: list[SealedRow]) -> None:
        """Write revisions; an earlier one of the same record is overwritten."""
        if not rows:
            return
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.connection().execute(
                _PUT_ROWS,
                {
                    "vault_id": vault_id,
                    "compartments": [row.compartment for row in rows],
                    "row_ids": [row.row_id for row in rows],
                    "tags": [row.tag for row in rows],
                    "sealed": [row.sealed for row in rows],
                },
            )
            return
        self._session.connection().exec_driver_sql(
            _PUT_ROWS_SQLITE,
            [(vault_id, row.compartment, row.row_id, row.tag, row.sealed) for row in rows],
        )

    def delete_rows(self, vault_id: str, compartment: str, row_ids: list[bytes]) -> None:
        """Remove records; the wrap of each data key goes with its row (`secure_delete`)."""
        for start in range(0, len(row_ids), 400):
            self._session.execute(
                delete(t.SealedRecordRow).where(
                    t.SealedRecordRow.vault_id == vault_id,
                    t.SealedRecordRow.compartment == compartment,
                    t.SealedRecordRow.row_id.in_(row_ids[start : start + 400]),
                )
            )

    def put_blob(self, vault_id: str, *blobs: Blob) -> None:
        """Name sealed files that are durable already, and write those that live in their rows."""
        if not blobs:
            return
        self._session.connection().execute(
            _upsert(self._session, t.BlobRow),
            [
                {
                    "vault_id": vault_id,
                    "blob_id": blob.blob_id,
                    "size": blob.size,
                    "digest": blob.digest,
                    "sealed": blob.sealed,
                }
                for blob in blobs
            ],
        )

    def delete_blob(self, vault_id: str, blob_id: str) -> None:
        self._session.execute(
            delete(t.BlobRow).where(t.BlobRow.vault_id == vault_id, t.BlobRow.blob_id == blob_id)
        )

    def put_setting(self, vault_id: str, name: str, sealed: bytes) -> None:
        self._session.merge(t.SettingRow(vault_id=vault_id, name=name, sealed=sealed))

    def delete_setting(self, vault_id: str, *names: str) -> None:
        for start in range(0, len(names), 400):
            self._session.execute(
                delete(t.SettingRow).where(
                    t.SettingRow.vault_id == vault_id,
                    t.SettingRow.name.in_(names[start : start + 400]),
                )
            )

    # --- drop-box -----------------------------------------------------------------------------

    def lock_drop_box(self, vault_id: str) -> tuple[int, int, int]:
        """Take the drop-box's lock; returns (bytes held, deposits held, arrivals so far).

        Raises:
            VaultUnknownError: shredded, or never here.
        """
        row = self._session.scalar(
            select(t.DropBoxRow).where(t.DropBoxRow.vault_id == vault_id).with_for_update()
        )
        if row is None:
            raise VaultUnknownError
        return row.held_bytes, row.held_deposits, row.arrivals

    def put_link(
        self, vault_id: str, link_id: bytes, *, sealed: bytes, at: datetime, revoked: bool = False
    ) -> None:
        """Create a link, or give it a new scope; its sequence is kept."""
        row = self._session.get(t.LinkRow, (vault_id, link_id))
        if row is None:
            self._session.add(
                t.LinkRow(
                    vault_id=vault_id,
                    link_id=link_id,
                    sealed=sealed,
                    last_seq=0,
                    last_digest=None,
                    held_bytes=0,
                    created_at=at,
                    revoked_at=at if revoked else None,
                )
            )
            self._session.flush()
            return
        row.sealed = sealed
        row.revoked_at = at if revoked else None

    def accept_deposit(self, vault_id: str, deposit: Deposit, *, manifest: bytes) -> Link:
        """Write a deposit, reserve its bytes and move the link on; the caller holds the lock."""
        assert deposit.sealed is not None  # noqa: S101  # an accepted deposit has its bytes
        self._session.add(
            t.DepositRow(
                vault_id=vault_id,
                link_id=deposit.link_id,
                seq=deposit.seq,
                arrival=deposit.arrival,
                digest=deposit.digest,
                size=deposit.size,
                state=deposit.state,
                taken=deposit.taken,
                sealed=deposit.sealed,
                receipt=deposit.receipt,
                received_at=deposit.received_at,
                outcome=None,
            )
        )
        box = self._session.get_one(t.DropBoxRow, vault_id)
        box.held_bytes += deposit.size
        box.held_deposits += 1
        box.arrivals = deposit.arrival
        link = self._session.get_one(t.LinkRow, (vault_id, deposit.link_id))
        link.last_seq = deposit.seq
        link.last_digest = manifest
        link.held_bytes += deposit.size
        self._session.flush()
        return link_of(link)

    def settle_deposits(self, vault_id: str, link_id: bytes, done: Sequence[Progress]) -> None:
        """Note how far deposits of one link came, each of which was waiting. What is taken or
        quarantined gives up its sealed bytes, and its room is free again.

        The caller holds the drop-box lock.
        """
        closed = [found for found in done if found.state != "waiting"]
        freed = sum(found.deposit.size for found in closed)
        connection, box, link = self._session.connection(), t.DropBoxRow, t.LinkRow
        for statement, some in (
            (_CLOSE, closed),
            (_PROGRESS, [found for found in done if found.state == "waiting"]),
        ):
            if some:
                connection.execute(
                    statement,
                    [
                        {
                            "in_vault": vault_id,
                            "of_link": link_id,
                            "at_seq": found.deposit.seq,
                            "new_state": found.state,
                            "now_taken": found.taken,
                            "told": found.outcome,
                        }
                        for found in some
                    ],
                )
        if not closed:
            return
        connection.execute(
            update(box)
            .where(box.vault_id == vault_id)
            .values(
                held_bytes=box.held_bytes - freed, held_deposits=box.held_deposits - len(closed)
            )
        )
        connection.execute(
            update(link)
            .where(link.vault_id == vault_id, link.link_id == link_id)
            .values(held_bytes=link.held_bytes - freed)
        )

    def put_manifests(self, vault_id: str, sealed: Mapping[bytes, bytes]) -> None:
        """Depositors' manifests by their digest."""
        if sealed:
            self._session.connection().execute(
                _upsert(self._session, t.ManifestRow),
                [{"vault_id": vault_id, "digest": d, "sealed": s} for d, s in sealed.items()],
            )

    def put_quarantine(self, vault_id: str, entry_id: str, sealed: bytes, *, at: datetime) -> None:
        self._session.merge(
            t.QuarantineRow(vault_id=vault_id, entry_id=entry_id, sealed=sealed, at=at)
        )

    # --- journal ------------------------------------------------------------------------------

    def append_journal(
        self, vault_id: str, *, number: int, sealed: bytes, entry_digest: bytes, chain: bytes
    ) -> None:
        """The caller holds the vault's head lock, so numbers have no holes."""
        self._session.connection().execute(
            insert(t.JournalRow),
            {
                "vault_id": vault_id,
                "number": number,
                "sealed": sealed,
                "entry_digest": entry_digest,
                "chain": chain,
            },
        )

    # --- grants, tokens, home -----------------------------------------------------------------

    def put_grant(
        self, vault_id: str, grant_id: str, sealed: bytes, *, expires_at: datetime
    ) -> None:
        self._session.merge(
            t.GrantRow(vault_id=vault_id, grant_id=grant_id, sealed=sealed, expires_at=expires_at)
        )

    def delete_grant(self, vault_id: str, grant_id: str) -> None:
        self._session.execute(
            delete(t.GrantRow).where(
                t.GrantRow.vault_id == vault_id, t.GrantRow.grant_id == grant_id
            )
        )

    def put_paper(
        self, vault_id: str, paper_id: bytes, *, sealed: bytes, at: datetime, expires_at: datetime
    ) -> None:
        self._session.add(
            t.PaperRow(
                vault_id=vault_id,
                paper_id=paper_id,
                sealed=sealed,
                at=at,
                expires_at=expires_at,
                withdrawn_at=None,
            )
        )
        self._session.flush()

    def withdraw_paper(self, vault_id: str, paper_id: bytes, *, at: datetime) -> bool:
        """Erase the proof, keep the row for its page's answer. False: no such paper."""
        row = self._session.get(t.PaperRow, (vault_id, paper_id))
        if row is None:
            return False
        if row.withdrawn_at is None:
            row.sealed, row.withdrawn_at = None, at
            self._session.flush()
        return True

    def put_token(
        self, vault_id: str, token_id: bytes, *, connector: str, sealed: bytes, at: datetime
    ) -> None:
        self._session.merge(
            t.TokenRow(
                vault_id=vault_id,
                token_id=token_id,
                connector=connector,
                sealed=sealed,
                updated_at=at,
            )
        )

    def delete_token(self, vault_id: str, token_id: bytes) -> None:
        self._session.execute(
            delete(t.TokenRow).where(
                t.TokenRow.vault_id == vault_id, t.TokenRow.token_id == token_id
            )
        )

    def put_home_setting(self, name: str, value: bytes) -> None:
        self._session.merge(t.HomeSettingRow(name=name, value=value))

    def shred(self, vault_id: str, *, receipt: bytes, at: datetime) -> None:
        """Delete every row of the vault (its jobs: `Outbox.forget`), and leave the receipt."""
        for table in OF_VAULT:
            self._session.execute(delete(table).where(table.__table__.c.vault_id == vault_id))
        self._session.execute(delete(t.VaultRow).where(t.VaultRow.vault_id == vault_id))
        self._session.merge(t.ShredRow(vault_id=vault_id, at=at, receipt=receipt))
