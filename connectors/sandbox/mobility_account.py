"""What the sandbox's operator of the mobility account knows: bus rides, passes and receipts of the
story's person, who may read them, and whom it tells of news.

Nothing is kept on a disk: a sandbox that starts again has forgotten its clients.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from connectors.http import source_client
from connectors.sandbox.parties import Party
from connectors.sandbox.story import (
    NETWORK_NAME,
    PERSON,
    ZONE,
    Story,
    StoryTrip,
    siret,
)
from federation.wire.errors import OutboundError
from federation.wire.signatures import new_nonce, sign
from schemas.modes import Mode

__all__ = [
    "CODE_TERM",
    "MAX_CLIENTS",
    "PATH",
    "TOKEN_TERM",
    "Client",
    "Code",
    "MobilityAccount",
    "Token",
    "Wait",
    "etag_of",
]

PATH: Final = "compte-mobilite"
NETWORK_SIRET: Final = siret("8999999990002")
TOKEN_TERM: Final = timedelta(hours=1)
CODE_TERM: Final = timedelta(minutes=5)
MAX_CLIENTS: Final = 1_000
PASS_CENTS: Final = 2_450
BUS_SPEED: Final = 25_000 / 3_600
WAITS: Final = tuple(timedelta(minutes=n) for n in (1, 10, 60, 360, 1_440))
"""When a word that was not taken is told again."""


@dataclass(slots=True)
class Client:
    """A vault, as a client."""

    id: str
    secret: str
    registration: str
    name: str
    redirect_uris: list[str]


@dataclass(frozen=True, slots=True)
class Code:
    """A code on its way through the browser."""

    client_id: str
    scope: str
    challenge: str
    redirect_uri: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """An access or refresh token."""

    client_id: str
    scope: str
    at: datetime
    before: str = ""
    """The refresh token that this one takes the place of, once it is used."""


@dataclass(slots=True)
class Wait:
    """A word that was not taken yet."""

    url: str
    client_id: str
    body: bytes
    tries: int
    due: datetime


@dataclass
class MobilityAccount:
    """The operator's whole memory."""

    party: Party
    clock: Callable[[], datetime]
    allow_loopback: bool
    items: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """By resource, then id."""
    clients: dict[str, Client] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)
    hooks: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """Address and resources, by client."""
    waiting: list[Wait] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def told(
        cls, story: Story, party: Party, *, clock: Callable[[], datetime], allow_loopback: bool
    ) -> "MobilityAccount":
        """The account of the story's person: rides by bus and train, monthly passes, and what they
        cost."""
        made = cls(party, clock, allow_loopback)
        rides = {}
        for trip in story.trips:
            if trip.mode in {Mode.BUS, Mode.TRAIN}:
                name = f"v-{trip.key}"
                rides[name] = _told(name, trip)
        months = sorted({(day.year, day.month) for day in story.workdays})
        made.items = {
            "trips": rides,
            "passes": {f"a-{y}-{m:02d}": _pass(y, m) for y, m in months},
            "receipts": {f"f-{y}-{m:02d}": _receipt(y, m) for y, m in months},
        }
        return made

    # what changes, and who is told

    def change(self, what: str) -> list[int | str]:
        """Something happens: a new `ride`, one `cancelled`, another `receipt`. Tells every vault
        that asked; what each answered."""
        now = self.clock()
        with self.lock:
            match what:
                case "ride":
                    start = now - timedelta(minutes=30)
                    name = f"v-{int(start.timestamp())}"
                    self.items["trips"][name] = _ride(name, start, updated=now)
                    resource = "trips"
                case "cancelled":
                    ride = next(reversed(self.items["trips"].values()))
                    ride["state"], ride["updatedAt"] = "cancelled", _wire(now)
                    resource = "trips"
                case _:
                    number = len(self.items["receipts"]) + 1
                    made = _receipt(now.year, now.month, number=number, updated=now)
                    self.items["receipts"][str(made["id"])] = made
                    resource = "receipts"
            told = list(self.hooks.items())
        event = {"id": secrets.token_hex(8), "at": _wire(now), "resources": [resource]}
        body = json.dumps(event).encode()
        return [
            self._tell(Wait(url, client, body, 0, now))
            for client, (url, wanted) in told
            if resource in wanted
        ]

    def retry(self) -> list[int | str]:
        """Tell again what was not taken and is due."""
        now = self.clock()
        with self.lock:
            due = [wait for wait in self.waiting if wait.due <= now]
            self.waiting = [wait for wait in self.waiting if wait.due > now]
        return [self._tell(wait) for wait in due]

    def _tell(self, wait: Wait) -> int | str:
        """Tell once; what was answered. Not taken: again later, five times in all. 410 ends it."""
        now = self.clock()
        headers = sign(
            method="POST",
            url=wait.url,
            body=wait.body,
            signer=self.party.signer,
            created=now,
            nonce=new_nonce(),
        )
        status: int | str
        try:
            with source_client(allow_loopback=self.allow_loopback, timeout_s=5) as client:
                status = client.post(
                    wait.url,
                    body=wait.body,
                    content_type="application/json",
                    headers=headers,
                    statuses=(200, 202, 204, 400, 401, 404, 410, 422),
                ).status
        except OutboundError as error:
            status = error.code
        with self.lock:
            if status == 410:
                self.hooks.pop(wait.client_id, None)
            elif wait.tries < len(WAITS) and not (isinstance(status, int) and status < 300):
                wait.due = now + WAITS[wait.tries]
                wait.tries += 1
                self.waiting.append(wait)
        return status

    def granted(self, client_id: str, scope: str, *, used: str = "") -> tuple[str, str]:
        """An access token and a refresh token. The one that was `used` stays good until the new
        one is used, so that an answer that was lost takes no access away (RFC 9700 §4.14)."""
        access, fresh, now = secrets.token_urlsafe(24), secrets.token_urlsafe(24), self.clock()
        with self.lock:
            if used:
                self.refresh.pop(self.refresh[used].before, None)
                for name, other in list(self.refresh.items()):
                    if other.before == used:
                        del self.refresh[name]
            self.access[access] = Token(client_id, scope, now)
            self.refresh[fresh] = Token(client_id, scope, now, before=used)
        return access, fresh

    def page(
        self, resource: str, *, since: str, cursor: str, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Items changed since, oldest change first, and the cursor of the next page.

        Raises:
            KeyError: no such cursor.
        """
        with self.lock:
            found = sorted(
                (str(item["updatedAt"]), name, json.dumps(item))
                for name, item in self.items[resource].items()
                if not since or _instant(str(item["updatedAt"])) >= _instant(since)
            )
        start = 0
        if cursor:
            marks = [_mark(updated, name) for updated, name, _ in found]
            if cursor not in marks:
                raise KeyError(cursor)
            start = marks.index(cursor) + 1
        chosen = found[start : start + limit]
        more = len(found) > start + limit
        following = _mark(chosen[-1][0], chosen[-1][1]) if more and chosen else None
        return [json.loads(text) for _, _, text in chosen], following


def _told(name: str, trip: StoryTrip) -> dict[str, Any]:
    """A ride of the story as validations tell it: a minute after getting on, and before getting
    off."""
    ends = (trip.legs[0].path[0], trip.legs[-1].path[-1])
    start, end = trip.start + timedelta(minutes=1), trip.end - timedelta(minutes=1)
    return {
        "id": name,
        "updatedAt": _wire(end + timedelta(hours=1)),
        "state": "completed",
        "startedAt": _wire(start),
        "endedAt": _wire(end),
        "timeZone": "Europe/Paris",
        "mode": trip.mode.value,
        "distance": round(trip.distance),
        "origin": {"lat": ends[0][0], "lon": ends[0][1]},
        "destination": {"lat": ends[1][0], "lon": ends[1][1]},
    }


def _ride(name: str, start: datetime, *, updated: datetime | None = None) -> dict[str, Any]:
    """A bus ride of six kilometres that is no part of the story."""
    metres = 6_200
    end = start + timedelta(seconds=round(metres / BUS_SPEED))
    return {
        "id": name,
        "updatedAt": _wire(updated or end + timedelta(hours=1)),
        "state": "completed",
        "startedAt": _wire(start),
        "endedAt": _wire(end),
        "timeZone": "Europe/Paris",
        "mode": "bus",
        "distance": metres,
        "origin": {"lat": 43.2128, "lon": 2.3536, "label": "Gare"},
        "destination": {"lat": 43.2150, "lon": 2.4155, "label": "Trèbes centre"},
        "price": {"amount": 100, "currency": "EUR"},
    }


def _month(year: int, month: int) -> tuple[date, date]:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1), following - timedelta(days=1)


def _pass(year: int, month: int) -> dict[str, Any]:
    first, last = _month(year, month)
    person = f"{PERSON.given_name} {PERSON.family_name}"
    return {
        "id": f"a-{year}-{month:02d}",
        "updatedAt": _wire(datetime.combine(first, time(9), ZONE)),
        "network": {"name": NETWORK_NAME, "siret": NETWORK_SIRET},
        "product": "Abonnement mensuel",
        "number": "0042-1138",
        "validFrom": first.isoformat(),
        "validUntil": last.isoformat(),
        "holder": person,
        "payer": person,
        "receiptNumber": f"F{year}-{month:02d}-1",
    }


def _receipt(
    year: int, month: int, *, number: int = 1, updated: datetime | None = None
) -> dict[str, Any]:
    first, _ = _month(year, month)
    return {
        "id": f"f-{year}-{month:02d}" if number == 1 else f"f-{year}-{month:02d}-{number}",
        "updatedAt": _wire(updated or datetime.combine(first, time(9), ZONE)),
        "issuer": {"name": NETWORK_NAME, "siret": NETWORK_SIRET},
        "number": f"F{year}-{month:02d}-{number}",
        "issuedOn": first.isoformat(),
        "total": PASS_CENTS,
        "currency": "EUR",
        "lines": [{"label": "Abonnement mensuel", "quantity": 1, "unitAmount": PASS_CENTS}],
        "payer": f"{PERSON.given_name} {PERSON.family_name}",
    }


def _mark(updated: str, name: str) -> str:
    return hashlib.sha256(f"{updated}\x00{name}".encode()).hexdigest()[:32]


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def etag_of(item: Mapping[str, Any]) -> str:
    """ETag of a page."""
    text = json.dumps(item, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
