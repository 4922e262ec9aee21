"""Reads and writes of `connectors.db`; hands out dataclasses, keeps rows to itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from connectors.accounts import Health, SourceAccount, StreamState
from connectors.errors import UnknownAccountError
from connectors.store.tables import (
    AccountRow,
    HookRow,
    LoginRow,
    PairingRow,
    PendingRow,
    PhoneRow,
    PointFrameRow,
    PointSegmentRow,
    PushRequestRow,
    PushTokenRow,
    RateRow,
    StreamRow,
)
from federation.multibase import b64url, b64url_decode
from federation.wire import database

MIGRATIONS = "connectors:store/migrations"


@dataclass(frozen=True, slots=True)
class PushToken:
    """What a push token may do. The token itself is never stored, only its SHA-256."""

    token_hash: bytes
    vault_id: str
    token_id: str
    app: str
    kinds: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """A code a person reads to an app."""

    code_hash: bytes
    vault_id: str
    app: str
    kinds: tuple[str, ...]
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoginUnderWay:
    """A login at an identity provider that has not come back yet."""

    state_hash: bytes
    vault_id: str
    browser_hash: bytes
    begun: Mapping[str, Any] = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A batch taken from an app."""

    receipt_id: str
    token_hash: bytes
    key_hash: bytes | None
    body_hash: bytes
    records: int
    deposits: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A sealed deposit not yet acknowledged."""

    seq: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class PointSegment:
    """A segment of a phone's points, sealed, with its frames one after the other."""

    vault_id: str
    segment_id: str
    token_id: str
    header: bytes
    frames: bytes = field(repr=False)
    points: int
    opened_at: datetime
    is_closed: bool


class Seal(Protocol):
    """The home's own seal (`vault.key_store.HomeSeal`)."""

    def seal(self, plaintext: bytes, *, purpose: str, aad: bytes) -> bytes:
        """Hide, bound to a purpose and a place."""
        ...

    def open(self, sealed: bytes, *, purpose: str, aad: bytes) -> bytes:
        """Inverse of `seal`."""
        ...


class ConnectorStore:
    """The connectors' own database: one file when embedded, PostgreSQL at a provider."""

    def __init__(self, engine: Any, seal: Seal | None) -> None:
        self._engine, self._seal = engine, seal

    @classmethod
    def open(cls, url: str, *, seal: Seal | None) -> Self:
        """Open and migrate (under a lock) the database at `url`. `seal` hides what a paired app is
        called and the state of a login under way; None only where there is neither (migrating, the
        sandbox's simulated sources)."""
        engine = database.create(url)
        database.migrate(engine, MIGRATIONS, version_table="connectors_version")
        return cls(engine, seal)

    def _hide(self, text: str, *, vault_id: str, purpose: str) -> str:
        """`s1.` and the sealed text in base64url; what was stored before this is read as it is."""
        if self._seal is None:
            return text
        sealed = self._seal.seal(text.encode(), purpose=purpose, aad=vault_id.encode())
        return f"{_SEALED}{b64url(sealed)}"

    def _show(self, text: str, *, vault_id: str, purpose: str) -> str:
        if self._seal is None or not text.startswith(_SEALED):
            return text
        sealed = b64url_decode(text.removeprefix(_SEALED))
        return self._seal.open(sealed, purpose=purpose, aad=vault_id.encode()).decode()

    def _token(self, row: PushTokenRow) -> PushToken:
        app = self._show(row.app, vault_id=row.vault_id, purpose=_APP)
        return replace(_token(row), app=app)

    def _add_token(self, tx: Session, token: PushToken) -> None:
        app = self._hide(token.app, vault_id=token.vault_id, purpose=_APP)
        _add_token(tx, replace(token, app=app))

    @property
    def engine(self) -> Any:
        """The database, for what else is kept in it (`hooks.py`)."""
        return self._engine

    def close(self) -> None:
        self._engine.dispose()

    # accounts and streams

    def put_account(self, account: SourceAccount) -> None:
        with database.transact(self._engine) as tx:
            row = tx.get(AccountRow, (account.vault_id, account.account_id))
            if row is None:
                row = AccountRow(vault_id=account.vault_id, account_id=account.account_id)
                tx.add(row)
            row.connector, row.address = account.connector, account.address
            row.health, row.retry_at = account.health.value, account.retry_at
            row.last_run_at = account.last_run_at
            row.last_report = dict(account.last_report)

    def account(self, vault_id: str, account_id: str) -> SourceAccount:
        """Raises UnknownAccountError."""
        with database.read(self._engine) as reader:
            row = reader.get(AccountRow, (vault_id, account_id))
            if row is None:
                raise UnknownAccountError("no such source account")
            return _account(row)

    def planned(self) -> tuple[SourceAccount, ...]:
        """Accounts of every vault that ran at least once and have a next run."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(AccountRow).where(
                    AccountRow.last_run_at.is_not(None), AccountRow.retry_at.is_not(None)
                )
            )
            return tuple(_account(row) for row in rows)

    def accounts(self, vault_id: str) -> tuple[SourceAccount, ...]:
        """The accounts of a vault, by name."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(AccountRow)
                .where(AccountRow.vault_id == vault_id)
                .order_by(AccountRow.account_id)
            )
            return tuple(_account(row) for row in rows)

    def forget_account(self, vault_id: str, account_id: str) -> None:
        """Remove an account and its cursors. What it brought stays in the vault."""
        with database.transact(self._engine) as tx:
            for table in (AccountRow, StreamRow):
                tx.execute(
                    delete(table).where(table.vault_id == vault_id, table.account_id == account_id)
                )

    def state(self, vault_id: str, account_id: str) -> "StoredState":
        """The account's `AccountState`."""
        return StoredState(self, vault_id, account_id)

    def load_stream(self, vault_id: str, account_id: str, stream: str) -> StreamState:
        with database.read(self._engine) as reader:
            row = reader.get(StreamRow, (vault_id, account_id, stream))
            if row is None:
                return StreamState()
            marks = frozenset(row.seen[at : at + 8] for at in range(0, len(row.seen), 8))
            return StreamState(cursor=row.cursor, seen=marks)

    def save_stream(self, vault_id: str, account_id: str, stream: str, state: StreamState) -> None:
        with database.transact(self._engine) as tx:
            row = tx.get(StreamRow, (vault_id, account_id, stream))
            if row is None:
                row = StreamRow(vault_id=vault_id, account_id=account_id, stream=stream)
                tx.add(row)
            row.cursor = None if state.cursor is None else dict(state.cursor)
            row.seen = b"".join(sorted(state.seen))

    # deposits on their way

    def pending(self, vault_id: str, depositor: str, account: str) -> tuple[Pending, ...]:
        """Sealed deposits not yet acknowledged, in order."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(PendingRow)
                .where(
                    PendingRow.vault_id == vault_id,
                    PendingRow.depositor == depositor,
                    PendingRow.account == account,
                )
                .order_by(PendingRow.seq)
            )
            return tuple(Pending(row.seq, row.sealed) for row in rows)

    def add_pending(
        self, vault_id: str, depositor: str, account: str, pending: Pending, *, at: datetime
    ) -> bool:
        """Keep a sealed deposit before its first send; False when another worker took this seq."""
        try:
            with database.transact(self._engine) as tx:
                tx.add(
                    PendingRow(
                        vault_id=vault_id,
                        depositor=depositor,
                        account=account,
                        seq=pending.seq,
                        sealed=pending.sealed,
                        created_at=at,
                    )
                )
        except IntegrityError:
            return False
        return True

    def drop_pending(self, vault_id: str, depositor: str, account: str, seq: int) -> None:
        """Forget a deposit: acknowledged, or refused for good."""
        with database.transact(self._engine) as tx:
            tx.execute(
                delete(PendingRow).where(
                    PendingRow.vault_id == vault_id,
                    PendingRow.depositor == depositor,
                    PendingRow.account == account,
                    PendingRow.seq == seq,
                )
            )

    # push

    def add_token(self, token: PushToken) -> None:
        with database.transact(self._engine) as tx:
            self._add_token(tx, token)

    def token(self, token_hash: bytes) -> PushToken | None:
        with database.read(self._engine) as reader:
            row = reader.get(PushTokenRow, token_hash)
            return None if row is None else self._token(row)

    def tokens(self, vault_id: str) -> tuple[PushToken, ...]:
        """Push tokens of a vault, newest first, the revoked ones too."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(PushTokenRow)
                .where(PushTokenRow.vault_id == vault_id)
                .order_by(PushTokenRow.created_at.desc(), PushTokenRow.token_id)
            )
            return tuple(self._token(row) for row in rows)

    def used_token(self, token_hash: bytes, *, at: datetime) -> None:
        with database.transact(self._engine) as tx:
            row = tx.get(PushTokenRow, token_hash)
            if row is not None:
                row.last_used_at = at

    def revoke_token(self, vault_id: str, token_id: str, *, at: datetime) -> bool:
        """Revoke at once; False when there is no such token."""
        with database.transact(self._engine) as tx:
            row = tx.scalar(
                select(PushTokenRow).where(
                    PushTokenRow.vault_id == vault_id, PushTokenRow.token_id == token_id
                )
            )
            if row is None:
                return False
            row.revoked_at = row.revoked_at or at
            return True

    def forget_token(self, token_hash: bytes) -> None:
        """As if it had never been given. What it brought stays."""
        with database.transact(self._engine) as tx:
            tx.execute(delete(PushTokenRow).where(PushTokenRow.token_hash == token_hash))

    def token_of(self, vault_id: str, token_id: str) -> PushToken | None:
        """A token by its public name."""
        with database.read(self._engine) as reader:
            row = reader.scalar(
                select(PushTokenRow).where(
                    PushTokenRow.vault_id == vault_id, PushTokenRow.token_id == token_id
                )
            )
            return None if row is None else self._token(row)

    # points of phones

    def add_segment(self, segment: PointSegment) -> None:
        """Begin a segment; `frames`, when there are any, are its only ones."""
        with database.transact(self._engine) as tx:
            _add_segment(tx, segment)

    def add_frame(self, vault_id: str, segment_id: str, frame: bytes, points: int) -> None:
        """Append a frame; durable when this returns."""
        with database.transact(self._engine) as tx:
            number = tx.scalar(
                select(func.count()).where(
                    PointFrameRow.vault_id == vault_id, PointFrameRow.segment_id == segment_id
                )
            )
            tx.add(
                PointFrameRow(
                    vault_id=vault_id,
                    segment_id=segment_id,
                    number=number or 0,
                    frame=frame,
                    points=points,
                )
            )

    def close_segment(self, vault_id: str, segment_id: str, frame: bytes) -> None:
        """Append the last frame and mark the segment whole."""
        self.add_frame(vault_id, segment_id, frame, 0)
        with database.transact(self._engine) as tx:
            row = tx.get(PointSegmentRow, (vault_id, segment_id))
            if row is not None:
                row.is_closed = True

    def point_accounts(self, vault_id: str) -> tuple[str, ...]:
        """Phones with points that wait, by token id."""
        with database.read(self._engine) as reader:
            found = reader.scalars(
                select(PointSegmentRow.token_id)
                .where(PointSegmentRow.vault_id == vault_id)
                .distinct()
            )
            return tuple(sorted(found))

    def segments(
        self, vault_id: str, token_id: str, *, limit: int, dead: datetime
    ) -> tuple[PointSegment, ...]:
        """Segments no frame will follow (closed, or begun before `dead`), oldest first, until they
        hold `limit` points."""
        with database.read(self._engine) as reader:
            rows = reader.scalars(
                select(PointSegmentRow)
                .where(
                    PointSegmentRow.vault_id == vault_id,
                    PointSegmentRow.token_id == token_id,
                    PointSegmentRow.is_closed | (PointSegmentRow.opened_at < dead),
                )
                .order_by(PointSegmentRow.opened_at, PointSegmentRow.segment_id)
            ).all()
            found: list[PointSegment] = []
            held = 0
            for row in rows:
                if held >= limit:
                    break
                frames = reader.scalars(
                    select(PointFrameRow)
                    .where(
                        PointFrameRow.vault_id == vault_id,
                        PointFrameRow.segment_id == row.segment_id,
                    )
                    .order_by(PointFrameRow.number)
                ).all()
                points = sum(frame.points for frame in frames)
                held += points
                found.append(
                    PointSegment(
                        vault_id,
                        row.segment_id,
                        token_id,
                        row.header,
                        b"".join(frame.frame for frame in frames),
                        points,
                        row.opened_at,
                        row.is_closed,
                    )
                )
            return tuple(found)

    def replace_segments(
        self, vault_id: str, gone: Sequence[str], kept: PointSegment | None
    ) -> None:
        """Forget segments that became trips; what is still open goes on in `kept`."""
        with database.transact(self._engine) as tx:
            for table in (PointFrameRow, PointSegmentRow):
                tx.execute(
                    delete(table).where(
                        table.vault_id == vault_id, table.segment_id.in_(list(gone))
                    )
                )
            if kept is not None:
                _add_segment(tx, kept)

    def point_bytes(self, vault_id: str) -> int:
        """Sealed bytes of points that wait."""
        with database.read(self._engine) as reader:
            held = reader.scalar(
                select(func.sum(func.length(PointFrameRow.frame))).where(
                    PointFrameRow.vault_id == vault_id
                )
            )
            return int(held or 0)

    def count_points(
        self, vault_id: str, token_id: str, received: int, left_out: Mapping[str, int]
    ) -> None:
        """Add to a phone's counts."""
        with database.transact(self._engine) as tx:
            row = tx.get(PhoneRow, (vault_id, token_id), with_for_update=True)
            if row is None:
                row = PhoneRow(vault_id=vault_id, token_id=token_id, received=0, left_out={})
                tx.add(row)
            row.received += received
            if left_out:
                counts = dict(row.left_out)
                for rule, number in left_out.items():
                    counts[rule] = counts.get(rule, 0) + number
                row.left_out = counts

    def phones(self, vault_id: str) -> tuple[tuple[str, int, int, dict[str, int]], ...]:
        """(token id, points that wait, points received, left out by rule) of each phone."""
        with database.read(self._engine) as reader:
            waiting: dict[str, int] = {
                token_id: int(points)
                for token_id, points in reader.execute(
                    select(PointSegmentRow.token_id, func.sum(PointFrameRow.points))
                    .join(
                        PointFrameRow,
                        (PointFrameRow.vault_id == PointSegmentRow.vault_id)
                        & (PointFrameRow.segment_id == PointSegmentRow.segment_id),
                    )
                    .where(PointSegmentRow.vault_id == vault_id)
                    .group_by(PointSegmentRow.token_id)
                )
            }
            rows = reader.scalars(select(PhoneRow).where(PhoneRow.vault_id == vault_id)).all()
            return tuple(
                (row.token_id, waiting.get(row.token_id, 0), row.received, dict(row.left_out))
                for row in rows
            )

    def add_pairing(self, pairing: Pairing) -> None:
        with database.transact(self._engine) as tx:
            tx.execute(delete(PairingRow).where(PairingRow.expires_at < pairing.expires_at - _DAY))
            tx.add(
                PairingRow(
                    code_hash=pairing.code_hash,
                    vault_id=pairing.vault_id,
                    app=self._hide(pairing.app, vault_id=pairing.vault_id, purpose=_APP),
                    kinds=list(pairing.kinds),
                    expires_at=pairing.expires_at,
                    used_at=None,
                )
            )

    def pair(self, code_hash: bytes, token: PushToken, *, at: datetime) -> PushToken | None:
        """Use a code once: the token gets the pairing's vault, app and kinds. None: wrong, used,
        expired."""
        with database.transact(self._engine) as tx:
            row = tx.get(PairingRow, code_hash, with_for_update=True)
            if row is None or row.used_at is not None or row.expires_at <= at:
                return None
            row.used_at = at
            named = self._show(row.app, vault_id=row.vault_id, purpose=_APP)
            made = replace(
                token, vault_id=row.vault_id, app=named or token.app, kinds=tuple(row.kinds)
            )
            self._add_token(tx, made)
            return made

    def add_login(self, login: LoginUnderWay, *, at: datetime) -> None:
        """Keep a login under way; the vault's earlier one and all that expired are forgotten."""
        begun = json.dumps(dict(login.begun))
        with database.transact(self._engine) as tx:
            tx.execute(
                delete(LoginRow).where(
                    (LoginRow.vault_id == login.vault_id) | (LoginRow.expires_at <= at - _DAY)
                )
            )
            tx.add(
                LoginRow(
                    state_hash=login.state_hash,
                    vault_id=login.vault_id,
                    browser_hash=login.browser_hash,
                    begun={"sealed": self._hide(begun, vault_id=login.vault_id, purpose=_LOGIN)},
                    expires_at=login.expires_at,
                )
            )

    def take_login(
        self, state_hash: bytes, *, vault_id: str, browser_hash: bytes
    ) -> LoginUnderWay | None:
        """Use a login once. None: unknown, used, or of another vault or browser (then it stays)."""
        with database.transact(self._engine) as tx:
            row = tx.get(LoginRow, state_hash, with_for_update=True)
            if row is None or (row.vault_id, row.browser_hash) != (vault_id, browser_hash):
                return None
            tx.delete(row)
            if "sealed" not in row.begun:  # begun before it was sealed: too late by now
                return None
            begun = self._show(row.begun["sealed"], vault_id=row.vault_id, purpose=_LOGIN)
            return LoginUnderWay(
                row.state_hash, row.vault_id, row.browser_hash, json.loads(begun), row.expires_at
            )

    def request_of_key(self, token_hash: bytes, key_hash: bytes) -> PushRequest | None:
        with database.read(self._engine) as reader:
            row = reader.scalar(
                select(PushRequestRow).where(
                    PushRequestRow.token_hash == token_hash, PushRequestRow.key_hash == key_hash
                )
            )
            return None if row is None else _request(row)

    def request(self, receipt_id: str) -> PushRequest | None:
        with database.read(self._engine) as reader:
            row = reader.get(PushRequestRow, receipt_id)
            return None if row is None else _request(row)

    def add_request(self, request: PushRequest) -> bool:
        """Keep an accepted batch; False when another request took the same key meanwhile."""
        try:
            with database.transact(self._engine) as tx:
                tx.add(
                    PushRequestRow(
                        receipt_id=request.receipt_id,
                        token_hash=request.token_hash,
                        key_hash=request.key_hash,
                        body_hash=request.body_hash,
                        records=request.records,
                        deposits=list(request.deposits),
                        created_at=request.created_at,
                    )
                )
        except IntegrityError:
            return False
        return True

    def count(self, who: bytes, window: int) -> int:
        """Count one request of `who` in the minute `window`, and say how many there are now."""
        with database.transact(self._engine) as tx:
            tx.execute(delete(RateRow).where(RateRow.window < window - 60))
            row = tx.get(RateRow, (who, window), with_for_update=True)
            if row is None:
                row = RateRow(who=who, window=window, count=0)
                tx.add(row)
            row.count += 1
            return row.count

    def vaults(self) -> set[str]:
        """Every vault that anything here concerns."""
        with database.read(self._engine) as reader:
            return {
                vault_id
                for table in _OF_VAULT
                for vault_id in reader.scalars(select(table.vault_id).distinct())
            }

    def forget_vault(self, vault_id: str) -> None:
        """Remove everything of a shredded vault."""
        with database.transact(self._engine) as tx:
            tokens: Sequence[bytes] = tx.scalars(
                select(PushTokenRow.token_hash).where(PushTokenRow.vault_id == vault_id)
            ).all()
            tx.execute(delete(PushRequestRow).where(PushRequestRow.token_hash.in_(tokens)))
            for table in _OF_VAULT:
                tx.execute(delete(table).where(table.vault_id == vault_id))


_OF_VAULT: Final = (
    AccountRow,
    StreamRow,
    PendingRow,
    PushTokenRow,
    PairingRow,
    LoginRow,
    HookRow,
    PointFrameRow,
    PointSegmentRow,
    PhoneRow,
)


class StoredState:
    """`AccountState` kept in the store."""

    def __init__(self, store: ConnectorStore, vault_id: str, account_id: str) -> None:
        self._store, self._vault_id, self._account_id = store, vault_id, account_id

    def load(self, stream: str) -> StreamState:
        return self._store.load_stream(self._vault_id, self._account_id, stream)

    def save(self, stream: str, state: StreamState) -> None:
        self._store.save_stream(self._vault_id, self._account_id, stream, state)


_DAY = timedelta(days=1)
_SEALED: Final = "s1."
_APP: Final = "connectors/app"
_LOGIN: Final = "connectors/login"


def _add_token(tx: Session, token: PushToken) -> None:
    tx.add(
        PushTokenRow(
            token_hash=token.token_hash,
            vault_id=token.vault_id,
            token_id=token.token_id,
            app=token.app,
            kinds=list(token.kinds),
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=None,
            last_used_at=None,
        )
    )


def _add_segment(tx: Session, segment: PointSegment) -> None:
    tx.add(
        PointSegmentRow(
            vault_id=segment.vault_id,
            segment_id=segment.segment_id,
            token_id=segment.token_id,
            header=segment.header,
            opened_at=segment.opened_at,
            is_closed=segment.is_closed,
        )
    )
    if segment.frames:
        tx.add(
            PointFrameRow(
                vault_id=segment.vault_id,
                segment_id=segment.segment_id,
                number=0,
                frame=segment.frames,
                points=segment.points,
            )
        )


def _account(row: AccountRow) -> SourceAccount:
    return SourceAccount(
        vault_id=row.vault_id,
        account_id=row.account_id,
        connector=row.connector,
        address=row.address,
        health=Health(row.health),
        retry_at=row.retry_at,
        last_run_at=row.last_run_at,
        last_report=row.last_report,
    )


def _token(row: PushTokenRow) -> PushToken:
    return PushToken(
        token_hash=row.token_hash,
        vault_id=row.vault_id,
        token_id=row.token_id,
        app=row.app,
        kinds=tuple(row.kinds),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _request(row: PushRequestRow) -> PushRequest:
    return PushRequest(
        receipt_id=row.receipt_id,
        token_hash=row.token_hash,
        key_hash=row.key_hash,
        body_hash=row.body_hash,
        records=row.records,
        deposits=tuple(row.deposits),
        created_at=row.created_at,
    )


__all__ = [
    "ConnectorStore",
    "LoginUnderWay",
    "Pairing",
    "Pending",
    "PointSegment",
    "PushRequest",
    "PushToken",
    "StoredState",
]
