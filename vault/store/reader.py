"""All reads of the home's store."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, func, select
from sqlalchemy.orm import Session as SqlSession
from sqlalchemy.sql.operators import custom_op

from vault.store import tables as t
from vault.store.rows import (
    Blob,
    Deposit,
    Grant,
    HeadRecord,
    JournalEntry,
    Link,
    Month,
    PaperRecord,
    Passkey,
    PublicKey,
    SealedRow,
    Slot,
    Waiting,
)

__all__ = ["Reader"]

_BATCH = 400
"""Names in one IN (…) list: far below the 999 variables of an old SQLite."""


_PLUS = custom_op[Any]("+")

_DEPOSIT = (
    t.DepositRow.link_id,
    t.DepositRow.seq,
    t.DepositRow.arrival,
    t.DepositRow.digest,
    t.DepositRow.size,
    t.DepositRow.state,
    t.DepositRow.taken,
    t.DepositRow.sealed,
    t.DepositRow.receipt,
    t.DepositRow.received_at,
    t.DepositRow.outcome,
)


def deposit_of(row: t.DepositRow) -> Deposit:
    return Deposit(
        row.link_id,
        row.seq,
        row.arrival,
        row.digest,
        row.size,
        row.state,
        row.taken,
        row.sealed,
        row.receipt,
        row.received_at,
        row.outcome,
    )


def passkey_of(row: t.PasskeyRow) -> Passkey:
    return Passkey(
        row.vault_id,
        row.credential_id,
        row.public_key,
        row.sign_count,
        row.transports,
        row.prf_input,
        row.slot_id,
        row.created_at,
        row.last_used_on,
    )


def link_of(row: t.LinkRow) -> Link:
    return Link(
        row.link_id, row.sealed, row.last_seq, row.last_digest, row.held_bytes, row.revoked_at
    )


def _paper(row: t.PaperRow) -> PaperRecord:
    return PaperRecord(
        row.vault_id, row.paper_id, row.sealed, row.at, row.expires_at, row.withdrawn_at
    )


class Reader:
    """One snapshot of one home. Every method but the first two takes the vault's id."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    @property
    def session(self) -> SqlSession:
        """For what keeps its own rows in this same transaction: the outbox, the passport."""
        return self._session

    def vaults(self) -> list[str]:
        return list(self._session.scalars(select(t.VaultRow.vault_id).order_by("created_at")))

    def home_setting(self, name: str) -> bytes | None:
        row = self._session.get(t.HomeSettingRow, name)
        return None if row is None else row.value

    def has_vault(self, vault_id: str) -> bool:
        return self._session.get(t.VaultRow, vault_id) is not None

    def slots(self, vault_id: str) -> list[Slot]:
        rows = self._session.scalars(select(t.SlotRow).where(t.SlotRow.vault_id == vault_id))
        return [
            Slot(row.slot_id, row.kind, row.sealed, row.created_at, row.last_used_on)
            for row in rows
        ]

    def passkeys(self, vault_id: str) -> list[Passkey]:
        """Passkeys of a vault, oldest first."""
        rows = self._session.scalars(
            select(t.PasskeyRow)
            .where(t.PasskeyRow.vault_id == vault_id)
            .order_by(t.PasskeyRow.created_at, t.PasskeyRow.credential_id)
        )
        return [passkey_of(row) for row in rows]

    def passkeys_named(self, credential_id: bytes) -> list[Passkey]:
        """Whose passkey this is: no vault, or one (two homes' copies apart)."""
        rows = self._session.scalars(
            select(t.PasskeyRow).where(t.PasskeyRow.credential_id == credential_id)
        )
        return [passkey_of(row) for row in rows]

    def vaults_of_login(self, login: bytes) -> list[str]:
        """Vaults that an identity provider's login was linked to, oldest first."""
        return list(
            self._session.scalars(
                select(t.LoginLinkRow.vault_id)
                .where(t.LoginLinkRow.login == login)
                .order_by(t.LoginLinkRow.created_at)
            )
        )

    def login_links(self, vault_id: str) -> list[tuple[bytes, datetime]]:
        """The logins that lead to a vault, oldest first: blind tag, and since when."""
        row = t.LoginLinkRow
        found = self._session.execute(
            select(row.login, row.created_at)
            .where(row.vault_id == vault_id)
            .order_by(row.created_at, row.login)
        )
        return [(login, created_at) for login, created_at in found]

    def keyring(self, vault_id: str) -> bytes | None:
        row = self._session.get(t.KeyringRow, vault_id)
        return None if row is None else row.sealed

    def public_keys(self, vault_id: str, *, active: bool = True) -> list[PublicKey]:
        query = select(t.PublicKeyRow).where(t.PublicKeyRow.vault_id == vault_id)
        if active:
            query = query.where(t.PublicKeyRow.active)
        rows = self._session.scalars(query.order_by(t.PublicKeyRow.purpose, t.PublicKeyRow.key_id))
        return [PublicKey(row.purpose, row.key_id, row.encoded, row.active) for row in rows]

    def has_public_key(self, vault_id: str, key_id: bytes) -> bool:
        """Whether what is sealed to this key can still be opened: published, or not drained yet."""
        row = t.PublicKeyRow
        found = self._session.scalar(
            select(row.key_id).where(row.vault_id == vault_id, row.key_id == key_id).limit(1)
        )
        return found is not None

    def seq(self, vault_id: str) -> int | None:
        return self._session.scalar(select(t.HeadRow.seq).where(t.HeadRow.vault_id == vault_id))

    def head(self, vault_id: str) -> HeadRecord | None:
        row = self._session.get(t.HeadRow, vault_id)
        return None if row is None else HeadRecord(row.seq, row.sealed)

    def month(self, vault_id: str, compartment: str, tag: bytes) -> Month | None:
        row = self._session.get(t.MonthRow, (vault_id, compartment, tag))
        return None if row is None else Month(row.compartment, row.tag, row.sealed)

    def months(self, vault_id: str) -> list[Month]:
        rows = self._session.scalars(select(t.MonthRow).where(t.MonthRow.vault_id == vault_id))
        return [Month(row.compartment, row.tag, row.sealed) for row in rows]

    def months_of(self, vault_id: str, compartment: str) -> dict[bytes, bytes]:
        """Sealed manifests of one compartment by their tag."""
        row = t.MonthRow
        found = self._session.execute(
            select(row.tag, row.sealed).where(
                row.vault_id == vault_id, row.compartment == compartment
            )
        )
        return {row[0]: row[1] for row in found}

    def row(self, vault_id: str, compartment: str, row_id: bytes) -> SealedRow | None:
        row = self._session.get(t.SealedRecordRow, (vault_id, compartment, row_id))
        return None if row is None else SealedRow(compartment, row_id, row.tag, row.sealed)

    def _filed(self, vault_id: str, compartment: str) -> tuple[ColumnElement[bool], ...]:
        """Vault and compartment of a row that is looked for by its month's tag. SQLite, which keeps
        no statistics, would take them for the key's first columns and walk over every row of the
        compartment: a plus sign tells it not to."""
        row = t.SealedRecordRow
        if self._session.get_bind().dialect.name != "sqlite":
            return row.vault_id == vault_id, row.compartment == compartment
        plain = [
            UnaryExpression(column, operator=_PLUS, type_=column.type)
            for column in (row.__table__.c.vault_id, row.__table__.c.compartment)
        ]
        return plain[0] == vault_id, plain[1] == compartment

    def rows(self, vault_id: str, compartment: str, tag: bytes) -> list[SealedRow]:
        """All rows that carry one month's tag."""
        row = t.SealedRecordRow
        found = self._session.execute(
            select(row.row_id, row.sealed).where(
                *self._filed(vault_id, compartment), row.tag == tag
            )
        )
        return [SealedRow(compartment, row_id, tag, sealed) for row_id, sealed in found]

    def rows_named(
        self, vault_id: str, compartment: str, row_ids: Sequence[bytes]
    ) -> list[SealedRow]:
        out: list[SealedRow] = []
        row = t.SealedRecordRow
        for start in range(0, len(row_ids), _BATCH):
            found = self._session.execute(
                select(row.row_id, row.tag, row.sealed).where(
                    row.vault_id == vault_id,
                    row.compartment == compartment,
                    row.row_id.in_(row_ids[start : start + _BATCH]),
                )
            )
            out.extend(SealedRow(compartment, r, tag, sealed) for r, tag, sealed in found)
        return out

    def rows_tagged(
        self, vault_id: str, compartment: str, tags: Sequence[bytes], *, limit: int
    ) -> list[SealedRow]:
        """Up to `limit` rows that carry one of these tags."""
        out: list[SealedRow] = []
        row = t.SealedRecordRow
        for start in range(0, len(tags), _BATCH):
            if len(out) >= limit:
                break
            found = self._session.execute(
                select(row.row_id, row.tag, row.sealed)
                .where(
                    *self._filed(vault_id, compartment),
                    row.tag.in_(tags[start : start + _BATCH]),
                )
                .limit(limit - len(out))
            )
            out.extend(SealedRow(compartment, r, tag, sealed) for r, tag, sealed in found)
        return out

    def tag_of(self, vault_id: str, compartment: str, row_id: bytes) -> bytes | None:
        row = t.SealedRecordRow
        return self._session.scalar(
            select(row.tag).where(
                row.vault_id == vault_id, row.compartment == compartment, row.row_id == row_id
            )
        )

    def row_tags(self, vault_id: str) -> list[tuple[str, bytes, bytes]]:
        """(compartment, tag, row id) of every row: for `fsck`."""
        row = t.SealedRecordRow
        found = self._session.execute(
            select(row.compartment, row.tag, row.row_id).where(row.vault_id == vault_id)
        )
        return [(c, tag, r) for c, tag, r in found]

    def blob(self, vault_id: str, blob_id: str) -> Blob | None:
        row = self._session.get(t.BlobRow, (vault_id, blob_id))
        return None if row is None else Blob(row.blob_id, row.size, row.digest, row.sealed)

    def blobs(self, vault_id: str) -> list[Blob]:
        rows = self._session.scalars(select(t.BlobRow).where(t.BlobRow.vault_id == vault_id))
        return [Blob(row.blob_id, row.size, row.digest, row.sealed) for row in rows]

    def link(self, vault_id: str, link_id: bytes) -> Link | None:
        row = self._session.get(t.LinkRow, (vault_id, link_id))
        return None if row is None else link_of(row)

    def links(self, vault_id: str) -> list[Link]:
        rows = self._session.scalars(
            select(t.LinkRow).where(t.LinkRow.vault_id == vault_id).order_by(t.LinkRow.created_at)
        )
        return [link_of(row) for row in rows]

    def waiting(self, vault_id: str) -> Waiting:
        row = self._session.get(t.DropBoxRow, vault_id)
        return Waiting(0, 0) if row is None else Waiting(row.held_deposits, row.held_bytes)

    def deposit(self, vault_id: str, link_id: bytes, seq: int) -> Deposit | None:
        row = self._session.get(t.DepositRow, (vault_id, link_id, seq))
        return None if row is None else deposit_of(row)

    def deposit_by_digest(self, vault_id: str, digest: bytes) -> Deposit | None:
        row = self._session.scalar(
            select(t.DepositRow).where(
                t.DepositRow.vault_id == vault_id, t.DepositRow.digest == digest
            )
        )
        return None if row is None else deposit_of(row)

    def next_deposits(
        self, vault_id: str, *, limit: int, most_bytes: int, since: int = 0
    ) -> list[Deposit]:
        """The oldest deposits that are not fully drained, of one link, in order of arrival (from
        number `since` on): at least one, and no more than hold `most_bytes` together."""
        row = t.DepositRow
        waiting = (row.vault_id == vault_id, row.state == "waiting", row.arrival >= since)
        chosen = list[int]()
        first: bytes | None = None
        for link_id, seq, size in self._session.execute(
            select(row.link_id, row.seq, row.size)
            .where(*waiting)
            .order_by(row.arrival)
            .limit(limit)
        ):
            first, most_bytes = first or link_id, most_bytes - size
            if link_id != first or (chosen and most_bytes < 0):
                break
            chosen.append(seq)
        if not chosen:
            return []
        found = self._session.execute(
            select(*_DEPOSIT)
            .where(*waiting, row.link_id == first, row.seq.between(chosen[0], chosen[-1]))
            .order_by(row.arrival)
        )
        return [Deposit(*fields) for fields in found]

    def progress(
        self, vault_id: str, link_id: bytes, seqs: Sequence[int]
    ) -> dict[int, tuple[int, bytes | None]]:
        """Of those of these deposits that still wait: records taken so far, and their outcome."""
        row = t.DepositRow
        found = self._session.execute(
            select(row.seq, row.taken, row.outcome).where(
                row.vault_id == vault_id,
                row.link_id == link_id,
                row.seq.between(min(seqs), max(seqs)),
                row.state == "waiting",
            )
        )
        return {row[0]: (row[1], row[2]) for row in found}

    def deposits(self, vault_id: str) -> list[Deposit]:
        rows = self._session.scalars(
            select(t.DepositRow)
            .where(t.DepositRow.vault_id == vault_id)
            .order_by(t.DepositRow.arrival)
        )
        return [deposit_of(row) for row in rows]

    def manifest(self, vault_id: str, digest: bytes) -> bytes | None:
        row = self._session.get(t.ManifestRow, (vault_id, digest))
        return None if row is None else row.sealed

    def manifests(self, vault_id: str) -> Iterator[tuple[bytes, bytes]]:
        row = t.ManifestRow
        found = self._session.execute(
            select(row.digest, row.sealed).where(row.vault_id == vault_id).order_by(row.digest)
        )
        yield from ((digest, sealed) for digest, sealed in found)

    def quarantine(self, vault_id: str) -> list[tuple[str, bytes, datetime]]:
        row = t.QuarantineRow
        found = self._session.execute(
            select(row.entry_id, row.sealed, row.at)
            .where(row.vault_id == vault_id)
            .order_by(row.at, row.entry_id)
        )
        return [(entry, sealed, at) for entry, sealed, at in found]

    def journal_last(self, vault_id: str) -> JournalEntry | None:
        row = self._session.scalar(
            select(t.JournalRow)
            .where(t.JournalRow.vault_id == vault_id)
            .order_by(t.JournalRow.number.desc())
            .limit(1)
        )
        return _journal(row) if row is not None else None

    def journal(
        self, vault_id: str, *, before: int | None = None, limit: int | None = None
    ) -> list[JournalEntry]:
        """Newest first, below number `before`."""
        query = select(t.JournalRow).where(t.JournalRow.vault_id == vault_id)
        if before is not None:
            query = query.where(t.JournalRow.number < before)
        query = query.order_by(t.JournalRow.number.desc())
        if limit is not None:
            query = query.limit(limit)
        return [_journal(row) for row in self._session.scalars(query)]

    def setting(self, vault_id: str, name: str) -> bytes | None:
        row = self._session.get(t.SettingRow, (vault_id, name))
        return None if row is None else row.sealed

    def vaults_with_setting(self, name: str) -> list[tuple[str, datetime]]:
        """(vault, when it was made) of the vaults that have a setting, newest first."""
        found = self._session.execute(
            select(t.VaultRow.vault_id, t.VaultRow.created_at)
            .join(t.SettingRow, t.SettingRow.vault_id == t.VaultRow.vault_id)
            .where(t.SettingRow.name == name)
            .order_by(t.VaultRow.created_at.desc())
        )
        return [(vault_id, at) for vault_id, at in found]

    def settings(self, vault_id: str, *, prefix: str = "") -> dict[str, bytes]:
        query = select(t.SettingRow).where(t.SettingRow.vault_id == vault_id)
        if prefix:
            query = query.where(t.SettingRow.name.startswith(prefix, autoescape=True))
        return {row.name: row.sealed for row in self._session.scalars(query)}

    def grant(self, vault_id: str, grant_id: str) -> Grant | None:
        row = self._session.get(t.GrantRow, (vault_id, grant_id))
        return None if row is None else Grant(row.grant_id, row.sealed, row.expires_at)

    def setting_names(self, vault_id: str, start: str) -> set[str]:
        """Names of values that begin so."""
        row = t.SettingRow
        query = select(row.name).where(
            row.vault_id == vault_id, row.name.startswith(start, autoescape=True)
        )
        return set(self._session.scalars(query))

    def grants(self, vault_id: str) -> list[Grant]:
        rows = self._session.scalars(select(t.GrantRow).where(t.GrantRow.vault_id == vault_id))
        return [Grant(row.grant_id, row.sealed, row.expires_at) for row in rows]

    def papers(self, vault_id: str) -> list[PaperRecord]:
        """Newest first."""
        rows = self._session.scalars(
            select(t.PaperRow).where(t.PaperRow.vault_id == vault_id).order_by(t.PaperRow.at.desc())
        )
        return [_paper(row) for row in rows]

    def paper(self, paper_id: bytes) -> PaperRecord | None:
        """By its name alone: the link does not say whose it is."""
        row = self._session.scalars(
            select(t.PaperRow).where(t.PaperRow.paper_id == paper_id)
        ).one_or_none()
        return None if row is None else _paper(row)

    def token(self, vault_id: str, token_id: bytes) -> bytes | None:
        row = self._session.get(t.TokenRow, (vault_id, token_id))
        return None if row is None else row.sealed

    def tokens(self, vault_id: str, connector: str) -> list[bytes]:
        return list(
            self._session.scalars(
                select(t.TokenRow.sealed).where(
                    t.TokenRow.vault_id == vault_id, t.TokenRow.connector == connector
                )
            )
        )

    def shredded(self, vault_id: str) -> bytes | None:
        row = self._session.get(t.ShredRow, vault_id)
        return None if row is None else row.receipt

    def count_rows(self, vault_id: str, compartment: str | None = None) -> int:
        row = t.SealedRecordRow
        query = select(func.count()).select_from(row).where(row.vault_id == vault_id)
        if compartment is not None:
            query = query.where(row.compartment == compartment)
        return self._session.scalar(query) or 0


def _journal(row: t.JournalRow) -> JournalEntry:
    return JournalEntry(row.number, row.sealed, row.entry_digest, row.chain)
