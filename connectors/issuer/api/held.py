"""Secrets an issuer hands out: codes, tokens, nonces, each of a kind, with a term and a subject."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

__all__ = ["TOKEN_TERM", "Held", "InMemory", "Secrets"]

OFFER_TERM: Final = timedelta(hours=24)
PUSHED_TERM: Final = timedelta(seconds=90)
LOGIN_TERM: Final = timedelta(minutes=1)
TOKEN_TERM: Final = timedelta(minutes=10)
NONCE_TERM: Final = timedelta(minutes=5)
DEFERRED_TERM: Final = timedelta(days=30)
MAX_HELD: Final = 10_000


class Held(Protocol):
    """Secrets of one kind, each with a term and with what it is about."""

    def make(self, *about: str) -> str:
        """A new one."""
        ...

    def holds(self, name: str) -> tuple[str, ...] | None:
        """What it is about, within its term."""
        ...

    def take(self, name: str) -> tuple[str, ...] | None:
        """As `holds`, and never again."""
        ...


class InMemory:
    """`Held` of one process: gone when it stops."""

    def __init__(self, term: timedelta, clock: Callable[[], datetime]) -> None:
        self._term, self._clock = term, clock
        self._made: dict[str, tuple[datetime, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def make(self, *about: str) -> str:
        name = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._made) >= MAX_HELD:
                self._made.pop(next(iter(self._made)))
            self._made[name] = (self._clock(), about)
        return name

    def holds(self, name: str) -> tuple[str, ...] | None:
        with self._lock:
            made = self._made.get(name)
        return None if made is None or self._clock() - made[0] > self._term else made[1]

    def take(self, name: str) -> tuple[str, ...] | None:
        with self._lock:
            made = self._made.pop(name, None)
        return None if made is None or self._clock() - made[0] > self._term else made[1]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an issuer hands out and takes back."""

    codes: Held
    """Pre-authorised. About: subject, then configurations."""
    states: Held
    """`issuer_state` of offers that need a login. About: as codes."""
    pushed: Held
    """Authorisation requests (RFC 9126)."""
    consents: Held
    """Requests a person is looking at. About: subject, then the request."""
    logins: Held
    """Authorisation codes. About: subject, client, redirect, challenge, then configurations."""
    tokens: Held
    nonces: Held
    notifications: Held
    transactions: Held
    """Deferred credentials. About: subject, configuration, data set, then holders' keys."""

    @classmethod
    def of(cls, make: Callable[[str, timedelta], Held]) -> "Secrets":
        """Each kind with its term, by name."""
        return cls(
            codes=make("code", OFFER_TERM),
            states=make("state", OFFER_TERM),
            pushed=make("pushed", PUSHED_TERM),
            consents=make("consent", TOKEN_TERM),
            logins=make("login", LOGIN_TERM),
            tokens=make("token", TOKEN_TERM),
            nonces=make("nonce", NONCE_TERM),
            notifications=make("notification", OFFER_TERM),
            transactions=make("transaction", DEFERRED_TERM),
        )
