"""Phones without HTTP: device tokens, sealing points as they come, trips when the vault opens.

Taking points is numbered: (1) the device token is known, in its term, not revoked, and one for
points; (2) within its rate; (3) the body is read, point by point; (4) there is room; (5) the points
are sealed under the segment's key, which is sealed to the vault and forgotten after 15 minutes or
1 000 points; (6) the frame is committed before the answer. The home keeps no point in clear and,
once the key is forgotten, can open none.

When the vault opens (`take_in`, at each drain): (1) this process's writers close; (2) closed
segments, and those whose home died, are opened with the vault's own key; (3) points become trips,
deposited like any; (4) what no stop has closed yet is sealed again, alone; (5) the segments go. A
crash between 3 and 5 gives the same trips again, which the vault knows.
"""

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import numpy as np
import structlog

from connectors.depositing import SealingDepositor
from connectors.errors import PushBusyError, PushTokenError, PushTokenMissingError
from connectors.home import ConnectorHome
from connectors.phones.form import App, Row, pack, read, unpack
from connectors.points import trips_of
from connectors.push.service import CONNECTOR, TOKEN_PREFIX, token_hash
from connectors.segmentation import Points
from connectors.store.store import ConnectorStore, PointSegment, PushToken
from federation.sealing.segment import MAX_AGE, SegmentWriter
from schemas.errors import MobilityError
from schemas.observations import TripObservation
from schemas.records import Compartment
from vault.crypto.errors import DepositRefusedError as SegmentRefusedError

_log = structlog.get_logger(__name__)

KIND: Final = "Point"
"""The only kind a device token may leave."""
POSTS_PER_MINUTE: Final = 600
"""By token. A phone that was offline for a day empties its queue one point a request."""
MAX_WAITING: Final = 40_000_000
"""Sealed bytes of points a vault may have waiting: a million points, years of a phone."""
FRAME_ROWS: Final = 1_000
GRACE: Final = timedelta(minutes=2)
"""A segment older than its term by this much has lost its home: no frame will follow."""
TAKEN_AT_ONCE: Final = 200_000
"""Points segmented in one go: 0.3 s; the rest waits for the next slice."""
SETTLED_AFTER: Final = timedelta(hours=2)
"""A phone that has said nothing for so long has arrived, whatever its last point says."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device token, shown once."""

    token: str = field(repr=False)
    token_id: str
    app: App


@dataclass(frozen=True, slots=True)
class PhoneView:
    """What the citizen reads about a phone."""

    token_id: str
    waiting: int
    """Points sealed and not yet made into trips."""
    received: int
    left_out: Mapping[str, int]
    """Points left out since the phone was set up, by rule."""


@dataclass(slots=True)
class _Open:
    """A segment being written in this process."""

    writer: SegmentWriter
    segment_id: str
    timer: threading.Timer | None = None


class OpenedPoints(Protocol):
    """A segment opened (`vault.crypto.opening.OpenedSegment`)."""

    @property
    def frames(self) -> tuple[bytes, ...]: ...


class OpenPoints(Protocol):
    """What taking in needs of an open vault."""

    @property
    def vault_id(self) -> str: ...

    def open_points(self, header: bytes, frames: bytes) -> OpenedPoints:
        """Raises the vault's DepositRefusedError: not for this vault, or broken."""
        ...


class PhoneService:
    """Phones of the vaults of one home."""

    def __init__(
        self,
        home: ConnectorHome,
        store: ConnectorStore,
        *,
        clock: Callable[[], datetime],
        timers: bool = True,
    ) -> None:
        self._home, self._store, self._clock, self._timers = home, store, clock, timers
        self._guard = threading.Lock()
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._open: dict[tuple[str, str], _Open] = {}

    def close(self) -> None:
        """Forget every key; what was taken stays sealed."""
        for name in list(self._open):
            self._close(name)

    # tokens

    def add(self, vault_id: str, app: App) -> Device:
        """A device token for one phone: it may add points, nothing else, until revoked."""
        secret, token_id = TOKEN_PREFIX + secrets.token_urlsafe(32), secrets.token_hex(8)
        self._store.add_token(
            PushToken(
                token_hash=token_hash(secret),
                vault_id=vault_id,
                token_id=token_id,
                app=app.value,
                kinds=(KIND,),
                created_at=self._clock(),
            )
        )
        did, _ = self._home.connector_signer(CONNECTOR)
        self._home.link_depositor(
            vault_id, did, account_of(token_id), name=app.value, scope=("Trip",)
        )
        return Device(secret, token_id, app)

    def phones(self, vault_id: str) -> dict[str, PhoneView]:
        """What is known of each phone, by token id."""
        return {
            token_id: PhoneView(token_id, waiting, received, left_out)
            for token_id, waiting, received, left_out in self._store.phones(vault_id)
        }

    def waiting(self, vault_id: str) -> int:
        """Points waiting for the vault to be opened."""
        return sum(view.waiting for view in self.phones(vault_id).values())

    # points

    def take(self, app: App, body: bytes, *, query: str = "", secret: str | None = None) -> int:
        """Take what an app posted; how many points were sealed.

        Raises:
            PushTokenMissingError, PushTokenError; HostileInputError: no body of this app;
            PushBusyError: over the rate, or no room until the vault is opened.
        """
        now = self._clock()
        posted = None
        if secret is None and app == App.TRACCAR:  # its token lies in the payload
            posted = read(app, body, query=query, at=now)
            secret = posted.token
        if secret is None:
            raise PushTokenMissingError
        token = self._token(secret, now)  # 1
        window = int(now.timestamp()) // 60
        if self._store.count(token.token_hash, window) > POSTS_PER_MINUTE:  # 2
            wait = 60 - int(now.timestamp()) % 60
            raise PushBusyError(retry_after_s=wait, full=False)
        posted = posted or read(app, body, query=query, at=now)  # 3
        if posted.rows and self._store.point_bytes(token.vault_id) > MAX_WAITING:  # 4
            raise PushBusyError(retry_after_s=3600, full=True)
        for start in range(0, len(posted.rows), FRAME_ROWS):  # 5, 6
            self._append(token, posted.rows[start : start + FRAME_ROWS], now)
        self._store.used_token(token.token_hash, at=now)
        self._store.count_points(token.vault_id, token.token_id, len(posted.rows), posted.left_out)
        return len(posted.rows)

    def _token(self, secret: str, now: datetime) -> PushToken:
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > 128:
            raise PushTokenError
        token = self._store.token(token_hash(secret))
        if token is None or token.revoked_at is not None or KIND not in token.kinds:
            raise PushTokenError
        if token.expires_at is not None and token.expires_at <= now:
            raise PushTokenError
        return token

    def _append(self, token: PushToken, rows: Sequence[Row], now: datetime) -> None:
        name = (token.vault_id, token.token_id)
        with self._locks[name]:
            current = self._open.get(name)
            if current is not None and current.writer.is_due(now):
                self._finish(name)
                current = None
            if current is None:
                current = self._begin(name, now)
            frame = current.writer.append(pack(rows), points=len(rows))
            try:
                self._store.add_frame(name[0], current.segment_id, frame, len(rows))
            except BaseException:
                # The counter moved and the frame is not there: this segment takes no more.
                self._drop(name)
                raise

    def _begin(self, name: tuple[str, str], now: datetime) -> _Open:
        vault_id, token_id = name
        writer = self._writer(vault_id, token_id, now)
        made = _Open(writer, secrets.token_hex(16))
        self._store.add_segment(
            PointSegment(
                vault_id, made.segment_id, token_id, writer.header, b"", 0, now, is_closed=False
            )
        )
        if self._timers:
            made.timer = threading.Timer(MAX_AGE.total_seconds(), self._close, (name,))
            made.timer.daemon = True
            made.timer.start()
        self._open[name] = made
        return made

    def _close(self, name: tuple[str, str]) -> None:
        with self._locks[name]:
            self._finish(name)

    def _finish(self, name: tuple[str, str]) -> None:
        """End the segment under way and forget its key, whatever the database says."""
        current = self._drop(name)
        if current is None:
            return
        try:
            self._store.close_segment(name[0], current.segment_id, current.writer.close())
        except MobilityError as error:  # it is taken in as one whose home died
            _log.warning("phones.segment_not_closed", code=error.code)

    def _drop(self, name: tuple[str, str]) -> _Open | None:
        current = self._open.pop(name, None)
        if current is not None and current.timer is not None:
            current.timer.cancel()
        return current

    def revoke(self, vault_id: str, token_id: str) -> None:
        """Nothing more of this phone is taken; what it left before still becomes trips.

        Raises:
            PushTokenError: no such phone.
        """
        self._close((vault_id, token_id))
        if not self._store.revoke_token(vault_id, token_id, at=self._clock()):
            raise PushTokenError

    # when the vault is open

    def take_in(self, vault: OpenPoints) -> int:
        """Make the points that wait into trips, deposited for the drain; how many trips."""
        for name in [name for name in self._open if name[0] == vault.vault_id]:
            self._close(name)  # 1
        now, trips = self._clock(), 0
        for token_id in self._store.point_accounts(vault.vault_id):
            trips += self._take_in_phone(vault, token_id, now)
        return trips

    def _take_in_phone(self, vault: OpenPoints, token_id: str, now: datetime) -> int:
        vault_id = vault.vault_id
        segments = self._store.segments(
            vault_id, token_id, limit=TAKEN_AT_ONCE, dead=now - MAX_AGE - GRACE
        )
        if not segments:
            return 0
        rows, broken = self._opened(vault, segments)  # 2
        token = self._store.token_of(vault_id, token_id)
        account = account_of(token_id)
        trips: tuple[TripObservation, ...] = ()
        tail: list[Row] = []
        if rows:
            columns = np.asarray(rows, np.float64).T
            trips, open_since = trips_of(
                Points.of(*columns), source=f"push:{token.app if token else 'app'}", account=account
            )
            quiet = max(row[0] for row in rows) < (now - SETTLED_AFTER).timestamp()
            gone = token is None or token.revoked_at is not None
            if open_since is not None and not quiet and not gone:
                since = datetime.fromtimestamp(open_since, UTC)
                trips = tuple(trip for trip in trips if trip.ended_at <= since)
                tail = [row for row in rows if row[0] >= open_since]
        if trips:  # 3
            SealingDepositor(
                self._home.drop_box(vault_id),
                vault_id=vault_id,
                account=account,
                signer=self._home.connector_signer(CONNECTOR)[1],
                store=self._store,
                clock=self._clock,
            ).deposit(trips)
        kept = self._sealed(vault_id, token_id, tail, now) if tail else None  # 4
        self._store.replace_segments(vault_id, [s.segment_id for s in segments], kept)  # 5
        if broken:
            self._store.count_points(vault_id, token_id, 0, {"segment-broken": broken})
        return len(trips)

    def _opened(self, vault: OpenPoints, segments: Sequence[PointSegment]) -> tuple[list[Row], int]:
        """All rows of the segments, and how many points could not be opened: not now, not ever."""
        rows: list[Row] = []
        broken = 0
        for segment in segments:
            try:
                opened = vault.open_points(segment.header, segment.frames)
                rows += [row for frame in opened.frames for row in unpack(frame)]
            except (SegmentRefusedError, ValueError):
                broken += segment.points
        return rows, broken

    def _sealed(
        self, vault_id: str, token_id: str, rows: Sequence[Row], now: datetime
    ) -> PointSegment:
        """A closed segment of rows that wait for what follows them."""
        writer = self._writer(vault_id, token_id, now)
        frames = b"".join(
            writer.append(pack(rows[start : start + FRAME_ROWS]), points=FRAME_ROWS)
            for start in range(0, len(rows), FRAME_ROWS)
        )
        frames += writer.close()
        name = secrets.token_hex(16)
        return PointSegment(
            vault_id, name, token_id, writer.header, frames, len(rows), now, is_closed=True
        )

    def _writer(self, vault_id: str, token_id: str, now: datetime) -> SegmentWriter:
        did, _ = self._home.connector_signer(CONNECTOR)
        return SegmentWriter(
            vault=vault_id,
            depositor=did,
            account=account_of(token_id),
            to=self._home.drop_box(vault_id).public_keys()[Compartment.TRIPS],
            at=now,
        )


class PhoneReceiver:
    """One app's requests, as a `base.PushReceiver`."""

    def __init__(self, service: PhoneService, app: App) -> None:
        self._service, self._app = service, app

    def take(self, body: bytes, *, token: str, media_type: str) -> int:
        """As `PhoneService.take`; these apps' bodies tell what they are themselves."""
        del media_type
        return self._service.take(self._app, body, secret=token)


def account_of(token_id: str) -> str:
    """The depositor's account of a phone."""
    return f"push:{token_id}"


__all__ = [
    "KIND",
    "Device",
    "OpenPoints",
    "PhoneReceiver",
    "PhoneService",
    "PhoneView",
    "account_of",
]
