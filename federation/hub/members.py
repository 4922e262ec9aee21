"""People who work at the desk: sign-in, sessions, roles.

Passwords are kept as Argon2id (PHC string). One lane: two derivations of several lanes hang in
`cryptography` 50. At most 2 run and 8 wait, never in a queue without end.
"""

import dataclasses
import hashlib
import secrets
import threading
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from federation.hub.access import Action, Caller, is_allowed
from federation.hub.errors import (
    EntryRefusedError,
    LoginBusyError,
    NotAllowedError,
    NotSignedInError,
    TooManyAttemptsError,
    WrongPasswordError,
)
from federation.hub.model import StoredMember, StoredSession
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from schemas.ids import Did

__all__ = ["Member", "MemberService", "MemberSession", "normal_login"]

_log = structlog.get_logger(__name__)

MEMORY_KIB: Final = 64 * 1024
"""64 MiB, three passes, one lane: the interactive profile of this project."""
ITERATIONS: Final = 3
LANES: Final = 1
RUNNING: Final = 2
WAITING: Final = 8
MAX_FAILURES: Final = 5
WINDOW: Final = timedelta(minutes=15)
FUNDER_ROLES: Final = frozenset((Caller.OFFICER, Caller.SUPERVISOR, Caller.EDITOR))


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody signed in, or listed."""

    id: str
    login: str
    name: str
    roles: frozenset[Caller]
    funder: str | None
    """Slug of their funder; None at the hub."""
    funder_did: Did | None

    def require(self, action: Action) -> None:
        """Raises NotAllowedError when the matrix does not let this member do it."""
        if not is_allowed(action, self.roles):
            raise NotAllowedError


@dataclass(frozen=True, slots=True)
class MemberSession:
    """An open session. `cookie` is set once, when it is made; `csrf` goes into forms."""

    member: Member
    csrf: str
    cookie: str = ""


class _Limiter:
    """At most `RUNNING` at once and `WAITING` behind them; the next one is told to come back."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(RUNNING + WAITING)
        self._running = threading.BoundedSemaphore(RUNNING)

    @contextmanager
    def place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise LoginBusyError
        try:
            if not self._running.acquire(timeout=10):
                raise LoginBusyError
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._places.release()


def normal_login(login: str) -> str:
    """A login as it is compared: NFKC, no space around, no capitals."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


class MemberService:
    """Adds members, signs them in, and finds them again by cookie."""

    def __init__(
        self, settings: HubSettings, store: HubStore, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._limiter = _Limiter()
        self._decoy: str | None = None

    # -- members ----------------------------------------------------------------------------------

    def add(
        self,
        login: str,
        password: str,
        *,
        name: str = "",
        roles: frozenset[Caller] = frozenset((Caller.OFFICER,)),
        funder: str | None = None,
    ) -> Member:
        """Add a member, or give an existing one a new password, name and roles.

        Raises:
            EntryRefusedError: an unknown funder, a role without its funder, a short password.
        """
        key = normal_login(login)
        if not key or len(key) > 127:
            raise EntryRefusedError("not a login", where="login")
        if not 12 <= len(password) <= 1024:
            raise EntryRefusedError("12 characters or more", where="password")
        at_funder = bool(roles & FUNDER_ROLES)
        if at_funder != (funder is not None) or (at_funder and Caller.ADMIN in roles):
            raise EntryRefusedError("a funder's roles need a funder, the hub's none", where="roles")
        if not roles <= FUNDER_ROLES | {Caller.ADMIN} or not roles:
            raise EntryRefusedError("not a member's role", where="roles")
        hashed = self._hash(password)
        now = self._clock()
        with self._store.transact() as tx:
            if funder is not None and tx.funder(funder) is None:
                raise EntryRefusedError("no such funder here", where="funder")
            before = tx.member(login=key)
            identifier = before.id if before is not None else str(uuid.uuid4())
            tx.put_member(
                StoredMember(
                    id=identifier,
                    login=key,
                    name=name or login,
                    password=hashed,
                    roles=tuple(sorted(role.value for role in roles)),
                    funder=funder,
                    created_at=before.created_at if before is not None else now,
                    disabled_at=None,
                )
            )
            tx.drop_session(member=identifier)
            row = tx.member(member=identifier)
            assert row is not None  # noqa: S101 - written above
            return self._member(row)

    def disable(self, member_id: str) -> None:
        """Sign a member out everywhere and let them in no more."""
        with self._store.transact() as tx:
            row = tx.member(member=member_id)
            if row is not None:
                tx.put_member(dataclasses.replace(row, disabled_at=self._clock()))
                tx.drop_session(member=member_id)

    def members(self, funder: str | None = None) -> tuple[Member, ...]:
        """Members of a funder, or all of them; who was sent away is not one."""
        with self._store.read() as reader:
            return tuple(
                self._member(row) for row in reader.members(funder) if row.disabled_at is None
            )

    def _member(self, row: StoredMember) -> Member:
        return Member(
            id=row.id,
            login=row.login,
            name=row.name,
            roles=frozenset(Caller(role) for role in row.roles),
            funder=row.funder,
            funder_did=None if row.funder is None else self._settings.funder_did(row.funder),
        )

    def _hash(self, password: str) -> str:
        cheapest = self._settings.cheapest_kdf_for_tests
        if cheapest:
            _log.warning("members.cheapest_kdf_for_tests")
        derive = Argon2id(
            salt=secrets.token_bytes(16),
            length=32,
            iterations=1 if cheapest else ITERATIONS,
            lanes=LANES,
            memory_cost=8 if cheapest else MEMORY_KIB,
        )
        with self._limiter.place():
            return derive.derive_phc_encoded(unicodedata.normalize("NFC", password).encode())

    def _matches(self, password: str, hashed: str) -> bool:
        with self._limiter.place():
            try:
                Argon2id.verify_phc_encoded(unicodedata.normalize("NFC", password).encode(), hashed)
            except InvalidKey:
                return False
            return True

    # -- sessions ---------------------------------------------------------------------------------

    def sign_in(self, login: str, password: str, *, address: str = "") -> MemberSession:
        """Check a password and open a session.

        The slow-down counts failures of one address for one login: nobody can lock another out.

        Raises:
            WrongPasswordError, TooManyAttemptsError, LoginBusyError.
        """
        key = normal_login(login)[:64]
        place = hashlib.sha256(address.encode()).hexdigest()
        now = self._clock()
        with self._store.read() as reader:
            failures = reader.login_failures(place, key, now - WINDOW)
            row = reader.member(login=normal_login(login)) if key else None
        if failures >= MAX_FAILURES:
            raise TooManyAttemptsError(int(WINDOW.total_seconds()))
        if self._decoy is None:
            self._decoy = self._hash(secrets.token_urlsafe(16))
        # A login that does not exist, or that has passkeys only, costs the same.
        hashed = row.password if row is not None and row.password else self._decoy
        good = len(password) <= 1024 and self._matches(password, hashed)
        if row is None or not good or row.disabled_at is not None:
            with self._store.transact() as tx:
                tx.forget_login_failures(before=now - WINDOW)
                tx.put_login_failure(place, key, at=now)
            raise WrongPasswordError
        return self.open_session(row.id)

    def open_session(self, member_id: str) -> MemberSession:
        """A session for somebody whose right to come in was just checked by the caller.

        Raises:
            NotSignedInError: nobody by that id, or sent away.
        """
        now = self._clock()
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._store.transact() as tx:
            row = tx.member(member=member_id)
            if row is None or row.disabled_at is not None:
                raise NotSignedInError
            tx.put_session(
                StoredSession(
                    id=_digest(cookie), member=row.id, csrf=csrf, created_at=now, seen_at=now
                )
            )
        return MemberSession(self._member(row), csrf, cookie)

    def set_password(self, member: Member, password: str) -> None:
        """Give oneself a password, or another one.

        Raises:
            EntryRefusedError: a short password. LoginBusyError.
        """
        if not 12 <= len(password) <= 1024:
            raise EntryRefusedError("12 characters or more", where="password")
        hashed = self._hash(password)
        with self._store.transact() as tx:
            row = tx.member(member=member.id)
            if row is None or row.disabled_at is not None:
                raise NotSignedInError
            tx.put_member(dataclasses.replace(row, password=hashed))

    def has_password(self, member: Member) -> bool:
        """Whether a member can come in with a password."""
        with self._store.read() as reader:
            row = reader.member(member=member.id)
        return bool(row is not None and row.password)

    def session(self, cookie: str) -> MemberSession:
        """The session of a cookie.

        Raises:
            NotSignedInError: none, idle for too long, too old, or the member was disabled.
        """
        identifier = _digest(cookie)
        now = self._clock()
        with self._store.read() as reader:
            found = reader.member_session(identifier)
            row = None if found is None else reader.member(member=found.member)
        if found is None or row is None or row.disabled_at is not None:
            raise NotSignedInError
        idle = timedelta(seconds=self._settings.session_idle_s)
        absolute = timedelta(seconds=self._settings.session_absolute_s)
        if now - found.seen_at >= idle or now - found.created_at >= absolute:
            self.sign_out(cookie)
            raise NotSignedInError
        if now - found.seen_at >= timedelta(minutes=1):
            with self._store.transact() as tx:
                tx.touch_session(identifier, at=now)
        return MemberSession(self._member(row), found.csrf)

    def sign_out(self, cookie: str) -> None:
        """Close a session."""
        with self._store.transact() as tx:
            tx.drop_session(session_id=_digest(cookie))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
