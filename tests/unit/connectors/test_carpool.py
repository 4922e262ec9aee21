"""Booking events of the carpool standard: whose they are, what they tell, and in which order."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.carpool.booking import read_event
from connectors.carpool.bookings import CarpoolBookings
from connectors.conformance import survives_hostile_bodies
from connectors.errors import IdempotencyError, PushBusyError, PushInvalidError, PushTokenError
from connectors.store import ConnectorStore
from federation.jose import sign_jws
from federation.keys import P256Key
from schemas.modes import Mode
from schemas.records import Kind, Trip
from tests.unit.vault.builders import Citizen, Clock, make_home
from tests.unit.vault.passport_login import Door

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORDERS = list(itertools.permutations(("CONFIRMED", "VALIDATED", "CANCELLED")))
PICKUP = datetime(2026, 11, 18, 6, 45, tzinfo=UTC)


def data(status: str = "VALIDATED", **changes: Any) -> dict[str, Any]:
    return {
        "id": "booking-1",
        "passengerPickupDate": int(PICKUP.timestamp()),
        "passengerPickupLat": 43.2109,
        "passengerPickupLng": 2.4420,
        "passengerDropLat": 43.2128,
        "passengerDropLng": 2.3536,
        "passengerPickupAddress": "TrÃ¨bes",
        "status": status,
        "distance": 8350,
        "duration": 840,
        "webUrl": "covoiturage.exemple.fr/booking-1",
        "driver": {"id": "u1", "operator": "covoiturage.exemple.fr", "alias": "Dom"},
        "price": {"type": "PAYING", "amount": 1.5, "currency": "EUR"},
        **changes,
    }


def event(number: int = 1, token: str = "t", **changes: Any) -> dict[str, Any]:
    return {"id": f"event-{number}", "idToken": token, "data": data(**changes)}


class World:
    """A home, a citizen who logged in at an operator, and the operator's ID token."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.clock.now = NOW
        self.home = make_home(folder / "home", self.clock)
        self.citizen = Citizen(self.home)
        self.store = ConnectorStore.open(f"sqlite:///{folder}/connectors.db", seal=self.home.seal)
        self.door = Door(
            self.home,
            scope="openid",
            client_id="covoiturage",
            redirect="https://covoiturage.exemple.fr/retour",
        )
        self.subject = self.home.passport.subject(self.citizen.vault_id, self.door.service)
        self.bookings = CarpoolBookings(
            self.home, self.store, provider=lambda: self.home.passport, clock=self.clock
        )

    def token(self) -> str:
        return self.home.passport.granting.id_token(
            self.door.service, self.subject, auth_time=0, nonce="", access_token="a"
        )

    def allow(self) -> None:
        self.bookings.allow(
            self.citizen.vault_id, service="covoiturage", subject=self.subject, name="Covoit"
        )

    def send(self, number: int = 1, **changes: Any) -> int:
        body = json.dumps(event(number, self.token(), **changes)).encode()
        return self.bookings.take(body)

    def trips(self) -> list[Trip]:
        while self.citizen.vault.waiting().deposits:
            self.citizen.vault.drain()
        return [t for t in self.citizen.vault.all(Kind.TRIP) if isinstance(t, Trip)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()
    made.home.close()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_ride_counts_when_both_agree_and_the_owner_is_the_other_one(world: World) -> None:
    world.allow()
    assert [
        world.send(n, status=s) for n, s in enumerate(("WAITING_CONFIRMATION", "CONFIRMED"))
    ] == [0, 0]
    assert world.trips() == []
    assert world.send(3) == 1
    assert world.send(3) == 1, "the same event again is answered again"
    [trip] = world.trips()
    assert (trip.mode, trip.distance) == (Mode.CARPOOL, 8_350)
    assert (trip.started_at, trip.ended_at) == (PICKUP, PICKUP + timedelta(seconds=840))
    assert trip.origin is not None
    assert trip.origin.label == "Trèbes"
    [seen] = world.citizen.vault.observations_of(trip.id)
    assert seen.observation.extra == {
        "role": "passenger",
        "operator": "covoiturage.exemple.fr",
        "priceCents": 150,
        "currency": "EUR",
        "webUrl": "https://covoiturage.exemple.fr/booking-1",
    }
    with pytest.raises(IdempotencyError):
        world.send(3, distance=9_000)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("order", ORDERS)
def test_a_withdrawal_stands_whatever_the_order(world: World, order: tuple[str, ...]) -> None:
    world.allow()
    for number, status in enumerate(order):
        world.send(number, status=status)
    assert world.trips() == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_only_this_homes_living_token_for_an_allowed_operator_opens(world: World) -> None:
    with pytest.raises(PushTokenError):
        world.send()  # not allowed yet
    world.allow()
    good = world.token()
    stranger = P256Key.generate().signer("did:web:autre#passport-1")
    claims = {"iss": world.home.origin, "sub": world.subject, "aud": "covoiturage", "exp": 2**33}
    [kid] = world.home.passport.keys.published()
    forged = sign_jws(claims, stranger, typ="JWT", kid=kid)
    foreign = sign_jws(claims, stranger, typ="JWT", kid="autre")
    for token in (
        forged,
        foreign,
        good[:-4] + "AAAA",
        good + ".",
        "",
        "x",
        "é" * 50,
        7,
        None,
        ["a"],
    ):
        body = json.dumps({**event(), "idToken": token}).encode()
        with pytest.raises((PushTokenError, PushInvalidError)):
            world.bookings.take(body)
    for wrong in ({"aud": "autre"}, {"iss": "https://autre.test"}, {"sub": "x"}, {"exp": 1}):
        signed = world.home.passport.sign({**claims, **wrong})
        with pytest.raises(PushTokenError):
            world.bookings.take(json.dumps(event(token=signed)).encode())
    world.clock.now += timedelta(days=1)
    with pytest.raises(PushTokenError):  # an hour old: the operator asks for a fresh one
        world.bookings.take(json.dumps(event(token=good)).encode())
    assert world.send() == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_right_taken_back_is_taken_back_and_may_be_given_again(world: World) -> None:
    world.allow()
    world.allow()
    [right] = world.store.tokens(world.citizen.vault_id)
    world.bookings.revoke(world.citizen.vault_id, right.token_id)
    with pytest.raises(PushTokenError):
        world.send()
    world.allow()
    assert world.send(2) == 1
    world.home.passport.services.remove("covoiturage")
    with pytest.raises(PushTokenError):
        world.send(3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hostile_events_are_refused_and_floods_slowed(world: World) -> None:
    world.allow()
    survives_hostile_bodies(world.bookings, token=world.token())
    with pytest.raises(PushBusyError):
        for number in range(200):
            world.send(number, status="CONFIRMED")


def read(**changes: Any) -> Any:
    return read_event(event(**changes), account="a", at=NOW)


def test_the_owner_of_a_passenger_booking_is_the_driver() -> None:
    found = event()
    found["data"]["passenger"] = found["data"].pop("driver")
    booking = read_event(found, account="a", at=NOW)
    assert booking.observation is not None
    assert booking.observation.extra["role"] == "driver"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"status": "DONE"}, "/data/status"),
        ({"status": None}, "/data/status"),
        ({"driver": None}, "/data"),
        ({"passenger": {"id": "u"}}, "/data"),
        ({"id": ""}, "/data/id"),
        ({"id": "x" * 65}, "/data/id"),
        ({"passengerPickupLat": 2.4420, "passengerPickupLng": 43.2109}, "/data/passengerPickupLat"),
        ({"passengerDropLat": None}, "/data/passengerDropLat"),
        ({"passengerPickupDate": PICKUP.timestamp() * 1000}, "/data/passengerPickupDate"),
        (
            {"passengerPickupDate": (NOW + timedelta(days=9)).timestamp()},
            "/data/passengerPickupDate",
        ),
        ({"duration": -1}, "/data/duration"),
        ({"duration": 10**9}, "/data/duration"),
        ({"duration": 0}, "/data/distance"),
        ({"distance": None}, "/data/distance"),
        ({"distance": 10**9}, "/data/distance"),
    ],
)
def test_each_wrong_place_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(PushInvalidError) as raised:
        read(**changes)
    assert raised.value.where == where


@pytest.mark.shared_data
def test_the_published_example_has_its_coordinates_swapped(shared: Path) -> None:
    found = json.loads((shared / "data/operators/mcm_postBookingEvent.json").read_bytes())
    assert read_event(found, account="a", at=NOW).observation is None  # nothing took place yet
    found["data"]["status"] = "VALIDATED"
    with pytest.raises(PushInvalidError) as raised:
        read_event(found, account="a", at=NOW)
    assert raised.value.faults[0].code == "coordinates-swapped"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("covoiturage.exemple.fr/booking-1", "https://covoiturage.exemple.fr/booking-1"),
        ("https://covoiturage.exemple.fr/b?id=1", "https://covoiturage.exemple.fr/b?id=1"),
        ("http://covoiturage.exemple.fr/b", None),
        ("javascript://x/%0aalert(1)", None),
        ("https://quelqu-un@ailleurs.exemple/b", None),
        ("https://exemple.fr/\u202eb", None),
        ("https://exemple.fr/" + "b" * 600, None),
        ("https://[::1", None),
        ("", None),
        (12, None),
    ],
)
def test_only_a_page_that_may_be_shown_is_kept_of_the_deep_link(given: Any, kept: Any) -> None:
    observation = read(webUrl=given).observation
    assert observation is not None
    assert observation.extra.get("webUrl") == kept
