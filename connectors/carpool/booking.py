"""One booking event of the carpool standard, as an observation.

Traps, each met in the standard or in a published example: a *driver* booking is the booking told
with its driver, so the vault's owner is the *passenger*, and the other way round; the pick-up time
is seconds, UTC, and there is no arrival: it is pick-up and duration; latitude and longitude come
swapped; names come in a wrong encoding; a booking is told again and again, in any order.

An event bears no time of its own, so the *state* orders what is known of a booking: `written_at` is
the end of the ride plus one second for each step. Whatever order events come in, the last step
speaks; a withdrawal is stronger than every other.

Source: fabmob/standard-covoiturage (Apache-2.0), `CarpoolBookingEvent`,
`doc/booking-deeplink-specification.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.base import UNNAMED, identified
from connectors.errors import Fault, PushInvalidError
from connectors.parsing import UnusableError, coordinates, instant, interval, metres, speed, text
from connectors.points import zone_of
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, TripObservation
from schemas.records import Place
from schemas.units import Metres

__all__ = ["STANDARD", "Booking", "Step", "is_deep_link", "read_event"]

STANDARD: Final = "carpool-booking"
"""`source` of what this brings."""
_HERE: Final = "Europe/Paris"
"""Zone in which swapped coordinates show: the standard is spoken in France; a place overseas lies
as far, and its mirror is nowhere near."""
MAX_LABEL: Final = 250
MAX_URL: Final = 500


class Step(IntEnum):
    """States of a booking, in the order in which a later one stands."""

    WAITING_CONFIRMATION = 0
    CONFIRMED = 1
    COMPLETED_PENDING_VALIDATION = 2
    VALIDATED = 3
    CANCELLED = 4

    @property
    def tells_a_trip(self) -> bool:
        """Whether the vault keeps it: a ride that both agree took place, or one withdrawn."""
        return self >= Step.VALIDATED


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as its operator tells it."""

    event: str
    id_token: str
    id: str
    step: Step
    observation: TripObservation | None
    """None: nothing took place yet."""

    def __repr__(self) -> str:
        return f"Booking(step={self.step.name})"


def read_event(document: Any, *, account: str, at: datetime) -> Booking:
    """The booking of a `CarpoolBookingEvent`.

    Raises:
        PushInvalidError: every place that is wrong.
    """
    faults: list[Fault] = []

    def take(where: str, found: Any, kind: type, what: str) -> Any:
        if not isinstance(found, kind) or isinstance(found, bool) or found in ("", {}):
            faults.append(Fault(where, "type", what))
            return None
        return found

    event: Mapping[str, Any] = document if isinstance(document, dict) else {}
    inside = event.get("data")
    data: Mapping[str, Any] = inside if isinstance(inside, dict) else {}
    name = take("/id", event.get("id"), str, "the event's id")
    token = take("/idToken", event.get("idToken"), str, "the person's ID token")
    identity = take("/data/id", data.get("id"), str, "the booking's id")
    for where, value in (("/id", name), ("/data/id", identity)):
        if value is not None and len(value) > 64:
            faults.append(Fault(where, "length", "at most 64 characters"))
    state = str(data.get("status"))
    if state not in Step.__members__:
        faults.append(Fault("/data/status", "value", ", ".join(Step.__members__)))
    sides = [side for side in ("driver", "passenger") if isinstance(data.get(side), dict)]
    if len(sides) != 1:
        faults.append(Fault("/data", "role", "either a driver or a passenger"))
    if faults:
        raise PushInvalidError(faults)
    step = Step[state]
    if not step.tells_a_trip:
        return Booking(name, token, identity, step, None)
    try:
        observation = _observed(data, step, sides[0], account=account, at=at)
    except UnusableError as error:
        found = error.rejected()
        raise PushInvalidError([Fault(found.where, found.code, found.code)]) from None
    return Booking(name, token, identity, step, observation)


def _observed(
    data: Mapping[str, Any], step: Step, other: str, *, account: str, at: datetime
) -> TripObservation:
    origin = _place(data, "Pickup")
    destination = _place(data, "Drop")
    started = instant(
        data.get("passengerPickupDate"),
        "/data/passengerPickupDate",
        # A ride that was withdrawn may have been booked for next month.
        at=at if step is Step.VALIDATED else at + timedelta(days=366),
    )
    lasted = metres(data.get("duration", 0), "/data/duration")  # whole seconds, not negative
    ended = started + timedelta(seconds=lasted)
    interval(started, ended, "/data/duration")
    told = data.get("distance")
    distance = None if told is None else Metres(metres(told, "/data/distance"))
    if distance is not None and lasted:
        speed(distance, started, ended, "/data/distance")
    if step is Step.VALIDATED and (distance is None or not lasted):
        raise UnusableError("distance-missing", "/data/distance")
    claim = ModeClaim(mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
    person = data[other]
    operator = person.get("operator")
    price = data.get("price")
    extra: dict[str, Any] = {"role": "passenger" if other == "driver" else "driver"}
    if isinstance(operator, str) and 0 < len(operator) <= 253:
        extra["operator"] = operator
    if isinstance(price, dict) and isinstance(price.get("amount"), int | float):
        extra["priceCents"] = round(price["amount"] * 100)
        extra["currency"] = str(price.get("currency", "EUR"))[:3]
    link = data.get("webUrl")
    if isinstance(link, str):
        # The standard's own example leaves the scheme out.
        link = link if "://" in link else f"https://{link}"
        if is_deep_link(link):
            extra["webUrl"] = link
    zones = [zone_of(place.lat, place.lon) for place in (origin, destination)]
    return identified(
        TripObservation(
            id=UNNAMED,
            source=STANDARD,
            account=account,
            upstream_ids=(str(data["id"]),),
            written_at=ended + timedelta(seconds=int(step)),
            started_at=started,
            ended_at=ended,
            start_zone=zones[0],
            end_zone=zones[1],
            origin=origin,
            destination=destination,
            legs=(
                LegObservation(
                    mode_claims=(claim,),
                    distance=distance,
                    started_at=started,
                    ended_at=ended,
                    origin=origin,
                    destination=destination,
                    upstream_id=str(data["id"]),
                ),
            ),
            distance=distance,
            mode_claims=(claim,),
            cancelled=step is Step.CANCELLED,
            extra=extra,
        )
    )


def is_deep_link(url: str) -> bool:
    """Whether `webUrl` leads to a page that may be shown: https, a host, no user info, no control
    character. Anything else is left out: it is a convenience, no evidence."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and parts.username is None


def _place(data: Mapping[str, Any], side: str) -> Place:
    where = f"/data/passenger{side}"
    lat, lon = coordinates(
        data.get(f"passenger{side}Lat"), data.get(f"passenger{side}Lng"), f"{where}Lat", zone=_HERE
    )
    address = data.get(f"passenger{side}Address")
    label = None
    if isinstance(address, str) and address.strip():
        label = text(_readable(address), f"{where}Address", limit=MAX_LABEL)
    return Place(lat=lat, lon=lon, label=label)


def _readable(name: str) -> str:
    """`IÃ©na` is `Iéna` whose UTF-8 was read as Latin-1: a name, not evidence, so it is mended."""
    if "Ã" not in name and "Â" not in name:
        return name
    try:
        return name.encode("cp1252").decode()
    except UnicodeError:
        return name
