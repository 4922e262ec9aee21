"""The made data of the sandbox: three months of a fictitious person, the same for the same seed.

Camille Fabre does not exist, nor does the agglomération she works for, nor the carpool operator.
Stations, roads and towns between Narbonne and Castelnaudary are real as coordinates only. About 8
km from home (Trèbes) to work (Carcassonne); 41 days by bicycle or carpool, so that the rule of the
*forfait mobilités durables* (30 days: 100 €, 60 days: 200 €) gives an amount and 19 days are
missing for the next step.
"""

import hashlib
import itertools
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.emission.client import Dialect
from connectors.emission.modes import PREDICTED
from connectors.zones import distance_m
from schemas.modes import Mode

SEED: Final = 11_2026
ZONE: Final = ZoneInfo("Europe/Paris")
FIRST_DAY: Final = date(2026, 8, 20)
LAST_DAY: Final = date(2026, 11, 19)
HOLIDAYS: Final = frozenset({date(2026, 11, 11)})
LEAVE: Final = (date(2026, 8, 24), date(2026, 8, 28))
BICYCLE_DAYS: Final = 29
CARPOOL_DAYS: Final = 12
BUS_DAYS: Final = 8
CAR_DAYS: Final = 5
TRAIN_DAYS: Final = 3
SECOND_APP_FROM: Final = date(2026, 10, 5)

Point = tuple[float, float]
"""(latitude, longitude), WGS 84."""

HOME: Final[Point] = (43.2109, 2.4420)
WORK: Final[Point] = (43.2128, 2.3536)
CARCASSONNE_STATION: Final[Point] = (43.2183, 2.3517)
NARBONNE_STATION: Final[Point] = (43.1903, 3.0058)

CANAL: Final[tuple[Point, ...]] = (
    HOME,
    (43.2136, 2.4290),
    (43.2187, 2.4150),
    (43.2232, 2.4040),
    (43.2262, 2.3905),
    (43.2247, 2.3770),
    (43.2211, 2.3640),
    (43.2172, 2.3560),
    WORK,
)
"""Towpath of the Canal du Midi, roughly."""
ROAD: Final[tuple[Point, ...]] = (
    HOME,
    (43.2130, 2.4300),
    (43.2140, 2.4140),
    (43.2135, 2.3960),
    (43.2128, 2.3780),
    (43.2125, 2.3650),
    WORK,
)
"""The road between Trèbes and Carcassonne."""
BUS_LINE: Final[tuple[Point, ...]] = (
    (43.2117, 2.4398),
    (43.2130, 2.4300),
    (43.2140, 2.4140),
    (43.2135, 2.3960),
    (43.2128, 2.3780),
    (43.2133, 2.3560),
)
TO_STATION: Final[tuple[Point, ...]] = (*ROAD[:-2], (43.2150, 2.3600), CARCASSONNE_STATION)
RAIL: Final[tuple[Point, ...]] = (
    CARCASSONNE_STATION,
    (43.2110, 2.4440),
    (43.1858, 2.5557),
    (43.1767, 2.6507),
    (43.2004, 2.7560),
    (43.1850, 2.8800),
    NARBONNE_STATION,
)
LEISURE: Final[tuple[Point, ...]] = (
    HOME,
    (43.2150, 2.4700),
    (43.2260, 2.5000),
    (43.2330, 2.5300),
    (43.2210, 2.5600),
)
SHOP: Final[tuple[Point, ...]] = (HOME, (43.2099, 2.4452), (43.2086, 2.4475))
CONCERT: Final[tuple[Point, ...]] = ((43.2060, 2.3640), (43.2128, 2.3780), (43.2140, 2.4140), HOME)

_SPEED: Final[dict[Mode, float]] = {
    Mode.WALK: 1.25,
    Mode.BICYCLE: 4.6,
    Mode.BUS: 6.5,
    Mode.TRAIN: 27.0,
    Mode.CAR: 12.0,
    Mode.CARPOOL: 11.5,
}
"""Mean speeds, metres a second."""
_PREDICTED_OF: Final = {
    Mode.WALK: 1,
    Mode.BICYCLE: 2,
    Mode.BUS: 3,
    Mode.TRAIN: 4,
    Mode.CAR: 5,
    Mode.CARPOOL: 5,
}
_MOTION_OF: Final = {Mode.WALK: 7, Mode.BICYCLE: 1}
_LABEL_OF: Final = {
    Mode.BICYCLE: "bike",
    Mode.CARPOOL: "shared_ride",
    Mode.CAR: "drove_alone",
    Mode.BUS: "bus",
    Mode.TRAIN: "train",
    Mode.WALK: "walk",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A fictitious person, as an identity provider would tell it."""

    subject: str = "bac-a-sable-camille-fabre"
    given_name: str = "Camille Andrée"
    family_name: str = "FABRE"
    birthdate: str = "1988-04-12"
    gender: str = "female"
    birthplace: str = "11069"
    """INSEE code of the commune."""
    birthcountry: str = "99100"
    email: str = "camille.fabre@bac-a-sable.invalid"


@dataclass(frozen=True, slots=True)
class Employment:
    """What the fictitious employer signs."""

    employer_name: str = "Agglomération du Val-Minervois (fictive)"
    siret: str = "20099999900014"
    employee_number: str = "VM-20417"
    status: str = "agent-contractuel-public"
    since: date = date(2024, 9, 1)


def siret(base: str) -> str:
    """`base` (13 digits) with its Luhn check digit: well formed, and in no register."""
    total = 0
    for place, figure in enumerate(reversed(base)):
        value = int(figure) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return base + str(-total % 10)


PERSON: Final = Person()
EMPLOYMENT: Final = Employment(siret=siret("2009999990001"))
OPERATOR_NAME: Final = "Covoiturage des Corbières (fictif)"
OPERATOR_SIRET: Final = siret("8999999990001")
NETWORK_NAME: Final = "Réseau de bus du Val-Minervois (fictif)"
SECOND_APP: Final = "compteur-velo"


@dataclass(frozen=True, slots=True)
class StoryLeg:
    """One leg as it truly happened in the story."""

    mode: Mode
    path: tuple[Point, ...]
    start: datetime
    end: datetime

    @property
    def distance(self) -> float:
        return path_length(self.path)


@dataclass(frozen=True, slots=True)
class StoryTrip:
    """One trip as it truly happened in the story."""

    key: str
    purpose: str
    legs: tuple[StoryLeg, ...]
    label: str | None = None
    """What Camille answered in the trace app."""
    label_late: bool = False
    """Answered weeks later, for the draft trip's interval."""
    misread: bool = False
    """The server guessed a car."""
    traced: bool = True
    """Recorded by the trace app."""
    second_app: bool = False
    operator: bool = False
    commute: bool = False

    @property
    def start(self) -> datetime:
        return self.legs[0].start

    @property
    def end(self) -> datetime:
        return self.legs[-1].end

    @property
    def distance(self) -> float:
        return sum(leg.distance for leg in self.legs)

    @property
    def mode(self) -> Mode:
        return max(self.legs, key=lambda leg: leg.distance).mode


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out when everything was taken and reconciled."""

    trips: int
    legs: int
    eligible_days: int
    eligible_days_by_mode: dict[str, int]
    traced: int
    pushed: int
    journeys: int
    duplicates: int = field(default=0)
    """Observations that tell a trip another source tells too, or a reset told twice."""


def path_length(path: Sequence[Point]) -> float:
    """Metres along `path`."""
    return sum(distance_m(a, b) for a, b in itertools.pairwise(path))


def along(path: Sequence[Point], count: int) -> list[Point]:
    """`count` points at equal distances along `path`, ends included."""
    total = path_length(path)
    found: list[Point] = []
    done, segment = 0.0, 0
    lengths = [distance_m(a, b) for a, b in itertools.pairwise(path)]
    for index in range(count):
        goal = total * index / (count - 1)
        while segment < len(lengths) - 1 and done + lengths[segment] < goal:
            done += lengths[segment]
            segment += 1
        share = (goal - done) / lengths[segment] if lengths[segment] else 0.0
        (lat_a, lon_a), (lat_b, lon_b) = path[segment], path[segment + 1]
        found.append((lat_a + (lat_b - lat_a) * share, lon_a + (lon_b - lon_a) * share))
    found[-1] = path[-1]
    return found


class Story:
    """Everything the sandbox's parties know, from one seed; told from the day `since` on."""

    def __init__(self, seed: int = SEED, *, since: date = FIRST_DAY) -> None:
        self.seed = seed
        self.since = since

    @cached_property
    def trips(self) -> tuple[StoryTrip, ...]:
        """The trips, in order of time."""
        dice = random.Random(self.seed)  # noqa: S311  # made data, not secrets
        made = [*self._commutes(dice), *self._others(dice)]
        told = (trip for trip in made if trip.start.date() >= self.since)
        return tuple(sorted(told, key=lambda trip: trip.start))

    @cached_property
    def workdays(self) -> tuple[date, ...]:
        """Days worked: no week-ends, no public holidays, no leave."""
        span = (LAST_DAY - FIRST_DAY).days + 1
        days = (FIRST_DAY + timedelta(days=n) for n in range(span))
        return tuple(
            day
            for day in days
            if day.weekday() < 5 and day not in HOLIDAYS and not LEAVE[0] <= day <= LEAVE[1]
        )

    def _commutes(self, dice: random.Random) -> Iterator[StoryTrip]:
        plan = (
            [Mode.BICYCLE] * BICYCLE_DAYS
            + [Mode.CARPOOL] * CARPOOL_DAYS
            + [Mode.BUS] * BUS_DAYS
            + [Mode.CAR] * CAR_DAYS
            + [Mode.TRAIN] * TRAIN_DAYS
        )
        days = list(self.workdays)
        dice.shuffle(days)
        # What is left over is worked from home.
        by_day = dict(zip(days, plan, strict=False))
        bicycles = 0
        for day in sorted(by_day):
            mode = by_day[day]
            out = _at(day, time(7, 45), dice, 12)
            back = _at(day, time(17, 25), dice, 20)
            for side, start in (("aller", out), ("retour", back)):
                legs = _commute_legs(mode, start, back=side == "retour", dice=dice)
                label: str | None = None
                late = misread = False
                if mode is Mode.BICYCLE:
                    bicycles += 1
                    label = "bike" if bicycles % 3 == 0 else None
                    late = bicycles == 9
                    misread = bicycles == 12
                elif mode in {Mode.CARPOOL, Mode.TRAIN}:
                    label = _LABEL_OF[mode]
                    misread = mode is Mode.TRAIN
                yield StoryTrip(
                    key=f"{day.isoformat()}-{side}",
                    purpose="work" if side == "aller" else "home",
                    legs=legs,
                    label=label,
                    label_late=late,
                    misread=misread,
                    second_app=mode is Mode.BICYCLE and day >= SECOND_APP_FROM,
                    operator=mode is Mode.CARPOOL,
                    commute=True,
                )

    def _others(self, dice: random.Random) -> Iterator[StoryTrip]:
        span = (LAST_DAY - FIRST_DAY).days + 1
        for n in range(span):
            day = FIRST_DAY + timedelta(days=n)
            if day.weekday() != 5:
                continue
            start = _at(day, time(10, 5), dice, 30)
            there = _leg(Mode.WALK, SHOP, start)
            yield StoryTrip(f"{day}-courses", "shopping", (there,))
            home = _leg(Mode.WALK, SHOP[::-1], there.end + timedelta(minutes=25))
            yield StoryTrip(f"{day}-courses-retour", "home", (home,))
            if n % 3 == 0:
                ride = _leg(Mode.BICYCLE, LEISURE, _at(day, time(14, 30), dice, 40))
                only_second = day >= SECOND_APP_FROM
                yield StoryTrip(
                    f"{day}-balade",
                    "entertainment",
                    (ride,),
                    traced=not only_second,
                    second_app=only_second,
                )
        # Home from a concert after midnight, summer time: its UTC day is the day before.
        night = datetime(2026, 9, 13, 0, 40, tzinfo=ZONE)
        ride_home = _leg(Mode.CAR, CONCERT, night)
        yield StoryTrip("2026-09-13-concert", "home", (ride_home,), label="drove_alone")
        # The night the clocks go back: 02:10 to 02:55 exist twice, this is the second one.
        twice = datetime(2026, 10, 25, 2, 10, tzinfo=ZONE, fold=1)
        yield StoryTrip("2026-10-25-nuit", "home", (_leg(Mode.CAR, CONCERT, twice),))

    @cached_property
    def expected(self) -> Expected:
        """Counts that a full import, drained, must show."""
        by_mode: dict[str, set[date]] = {}
        for trip in self.trips:
            if trip.commute and trip.mode in {Mode.BICYCLE, Mode.CARPOOL}:
                day = trip.start.astimezone(ZONE).date()
                by_mode.setdefault(trip.mode.value, set()).add(day)
        traced = sum(trip.traced for trip in self.trips)
        pushed = sum(trip.second_app for trip in self.trips)
        journeys = sum(trip.operator for trip in self.trips)
        return Expected(
            trips=len(self.trips),
            legs=sum(len(trip.legs) for trip in self.trips),
            eligible_days=len(set().union(*by_mode.values())),
            eligible_days_by_mode={mode: len(days) for mode, days in sorted(by_mode.items())},
            traced=traced,
            pushed=pushed,
            journeys=journeys,
            duplicates=traced + 1 + pushed + journeys - len(self.trips),
        )

    def entries(self, dialect: Dialect = Dialect.UPSTREAM_2026) -> list[dict[str, Any]]:
        """What the trace app's server holds: trips with sections and points, labels, one gap, one
        reset."""
        found: list[dict[str, Any]] = []
        for number, trip in enumerate(t for t in self.trips if t.traced):
            found.extend(_trip_entries(trip, number, dialect))
        # A pipeline reset wrote one trip again: new id, ends moved by 40 s. It stays one trip.
        again = next(trip for trip in self.trips if trip.traced and trip.mode is Mode.BICYCLE)
        found.extend(_trip_entries(again, 9_000, dialect, shift=timedelta(seconds=40)))
        found.append(_untracked(dialect))
        return sorted(found, key=lambda entry: entry["metadata"]["write_ts"])

    def diary(self, local_day: date) -> list[dict[str, Any]]:
        """GeoJSON trips of a local day, as `/timeline/getTrips` answers."""
        return [
            _diary_trip(trip, number)
            for number, trip in enumerate(t for t in self.trips if t.traced)
            if trip.start.astimezone(ZONE).date() == local_day
        ]

    def pushed_trips(self) -> list[dict[str, Any]]:
        """Plain JSON trips of the second app: its clock is 40 s ahead, its wheel measures 2 %
        more."""
        return [
            {
                "id": f"{SECOND_APP}-{trip.key}",
                "startedAt": _wire(trip.start + timedelta(seconds=40)),
                "endedAt": _wire(trip.end + timedelta(seconds=40)),
                "timeZone": "Europe/Paris",
                "mode": trip.mode.value,
                "distance": round(trip.distance * 1.02),
                "origin": {"lat": trip.legs[0].path[0][0], "lon": trip.legs[0].path[0][1]},
                "destination": {"lat": trip.legs[-1].path[-1][0], "lon": trip.legs[-1].path[-1][1]},
            }
            for trip in self.trips
            if trip.second_app
        ]

    def journeys(self) -> list[dict[str, Any]]:
        """Carpool journeys the operator knows: pick-up and drop a few metres and seconds off."""
        return [
            {
                "journey": f"urn:uuid:{_uuid('journey', trip.key)}",
                "startedAt": _wire(trip.start + timedelta(seconds=75)),
                "endedAt": _wire(trip.end - timedelta(seconds=30)),
                "timeZone": "Europe/Paris",
                "distance": round(trip.distance),
                "role": "passenger",
                "origin": trip.legs[0].path[0],
                "destination": trip.legs[-1].path[-1],
                "registerClass": "C",
                "registerStatus": "ok",
            }
            for trip in self.trips
            if trip.operator
        ]


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.UUID("3c1f8f3e-0d3a-5c58-8a6e-5d9b7a2a1e11"), "/".join(parts)))


def _wire(at: datetime) -> str:
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _at(day: date, clock: time, dice: random.Random, spread_min: int) -> datetime:
    local = datetime.combine(day, clock, tzinfo=ZONE)
    return local + timedelta(minutes=dice.randrange(spread_min), seconds=dice.randrange(60))


def _leg(mode: Mode, path: Sequence[Point], start: datetime) -> StoryLeg:
    start = start.astimezone(UTC)
    seconds = round(path_length(path) / _SPEED[mode])
    return StoryLeg(mode, tuple(path), start, start + timedelta(seconds=seconds))


def _commute_legs(
    mode: Mode, start: datetime, *, back: bool, dice: random.Random
) -> tuple[StoryLeg, ...]:
    if mode is Mode.BICYCLE:
        rides: list[tuple[Mode, Sequence[Point]]] = [(mode, CANAL)]
    elif mode is Mode.BUS:
        rides = [
            (Mode.WALK, (HOME, BUS_LINE[0])),
            (mode, BUS_LINE),
            (Mode.WALK, (BUS_LINE[-1], WORK)),
        ]
    elif mode is Mode.TRAIN:
        rides = [(Mode.BUS, TO_STATION), (mode, RAIL)]
    else:
        rides = [(mode, ROAD)]
    if back:
        rides = [(kind, tuple(path)[::-1]) for kind, path in reversed(rides)]
    legs: list[StoryLeg] = []
    moment = start
    for kind, path in rides:
        leg = _leg(kind, path, moment)
        legs.append(leg)
        moment = leg.end + timedelta(seconds=60 + dice.randrange(120))
    return tuple(legs)


def _oid(*parts: str) -> dict[str, str]:
    return {"$oid": hashlib.sha256("/".join(parts).encode()).hexdigest()[:24]}


USER_ID: Final = {"$uuid": hashlib.sha256(b"sandbox/user").hexdigest()[:32]}


def _local_dt(at: datetime) -> dict[str, Any]:
    local = at.astimezone(ZONE)
    return {
        "year": local.year,
        "month": local.month,
        "day": local.day,
        "hour": local.hour,
        "minute": local.minute,
        "second": local.second,
        "weekday": local.weekday(),
        "timezone": "Europe/Paris",
    }


def _metadata(key: str, write_ts: float, **more: Any) -> dict[str, Any]:
    """The envelope's metadata, with the zone that real servers always write."""
    pacific = datetime.fromtimestamp(write_ts, ZoneInfo("America/Los_Angeles"))
    return {
        "key": key,
        "platform": "server",
        "write_ts": write_ts,
        "time_zone": "America/Los_Angeles",
        "write_fmt_time": pacific.isoformat(),
        **more,
    }


def _span(start: datetime, end: datetime, path: Sequence[Point]) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for side, at, point in (("start", start, path[0]), ("end", end, path[-1])):
        sides[f"{side}_ts"] = at.timestamp()
        sides[f"{side}_fmt_time"] = at.astimezone(ZONE).isoformat()
        sides[f"{side}_local_dt"] = _local_dt(at)
        sides[f"{side}_loc"] = {"type": "Point", "coordinates": [point[1], point[0]]}
    return sides


def _written(trip: StoryTrip, number: int) -> float:
    """The pipeline runs each night at 01:30 UTC; entries follow each other by hundredths of a
    second."""
    night = datetime.combine(trip.end.date() + timedelta(days=1), time(1, 30), tzinfo=UTC)
    return night.timestamp() + number * 0.01


def _trip_entries(
    trip: StoryTrip, number: int, dialect: Dialect, *, shift: timedelta = timedelta(0)
) -> Iterator[dict[str, Any]]:
    run = f"{trip.key}/{number}"
    written = _written(trip, number)
    path = [point for leg in trip.legs for point in leg.path]
    start, end = trip.start + shift, trip.end + shift
    data: dict[str, Any] = {
        "source": "DwellSegmentationTimeFilter",
        **_span(start, end, (path[0], path[-1])),
        "duration": (end - start).total_seconds(),
        "distance": trip.distance,
        "cleaned_trip": _oid(run, "cleaned"),
        "raw_trip": _oid(run, "raw"),
        "user_input": {},
        "inferred_labels": [],
        "additions": [],
    }
    if trip.label and not trip.label_late:
        data["user_input"] = {"mode_confirm": trip.label, "purpose_confirm": trip.purpose}
        yield from _labels(trip, run, written=end.timestamp() + 3_600)
    if trip.label_late:
        # Twenty days later, for the draft's interval: the trip itself is not rewritten.
        yield from _labels(trip, run, written=end.timestamp() + 20 * 86_400)
    sections = [
        _section(trip, index, run, written=written, shift=shift) for index in range(len(trip.legs))
    ]
    if dialect is Dialect.UPSTREAM_2026:
        data["sections"] = sections
        data["locations"] = _locations(trip, run, written, shift)
        data["confirmed_trip"] = _oid(run, "confirmed")
        yield _entry(
            _oid(run, "composite"),
            _metadata("analysis/composite_trip", written, origin_key="analysis/confirmed_trip"),
            data,
        )
        return
    data["primary_section"] = _oid(run, "section", "0")
    data["inferred_primary_mode"] = 5 if trip.misread else _PREDICTED_OF[trip.mode]
    yield _entry(_oid(run, "confirmed"), _metadata("analysis/confirmed_trip", written), data)
    yield from sections


def _entry(oid: dict[str, str], metadata: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {"_id": oid, "user_id": USER_ID, "metadata": metadata, "data": data}


def _section(
    trip: StoryTrip, index: int, run: str, *, written: float, shift: timedelta
) -> dict[str, Any]:
    leg = trip.legs[index]
    mode = 5 if trip.misread and leg.mode is trip.mode else _PREDICTED_OF[leg.mode]
    return _entry(
        _oid(run, "section", str(index)),
        _metadata("analysis/inferred_section", written - 0.004),
        {
            "source": "SmoothedHighConfidenceMotion",
            "trip_id": _oid(run, "cleaned"),
            **_span(leg.start + shift, leg.end + shift, leg.path),
            "duration": (leg.end - leg.start).total_seconds(),
            "distance": leg.distance,
            "sensed_mode": mode,
            "sensed_mode_str": PREDICTED[mode],
        },
    )


def _locations(trip: StoryTrip, run: str, written: float, shift: timedelta) -> list[dict[str, Any]]:
    """At most 100 points, as the server embeds them."""
    each = min(40, 100 // len(trip.legs))
    found = []
    for index, leg in enumerate(trip.legs):
        step = (leg.end - leg.start) / (each - 1)
        for number, (lat, lon) in enumerate(along(leg.path, each)):
            at = leg.start + step * number + shift
            found.append(
                _entry(
                    _oid(run, "location", str(index), str(number)),
                    _metadata("analysis/recreated_location", written - 0.003),
                    {
                        "latitude": round(lat, 6),
                        "longitude": round(lon, 6),
                        "ts": at.timestamp(),
                        "fmt_time": at.astimezone(ZONE).isoformat(),
                        "idx": number,
                        "mode": _MOTION_OF.get(leg.mode, 0),
                        "section": _oid(run, "section", str(index)),
                    },
                )
            )
    return found


def _labels(trip: StoryTrip, run: str, *, written: float) -> Iterator[dict[str, Any]]:
    """Answers in the app. Their interval is the draft trip's: 80 s later at both ends."""
    draft = timedelta(seconds=80)
    span = _span(trip.start + draft, trip.end + draft, ((0.0, 0.0), (0.0, 0.0)))
    interval = {name: value for name, value in span.items() if not name.endswith("_loc")}
    for order, (key, label) in enumerate(
        (("mode_confirm", trip.label), ("purpose_confirm", trip.purpose))
    ):
        metadata = _metadata(f"manual/{key}", written + order, type="message", read_ts=0)
        metadata["platform"] = "android"
        yield _entry(_oid(run, key), metadata, {"label": label, **interval})


def _untracked(dialect: Dialect) -> dict[str, Any]:
    """A gap of the phone: 4 000 km between two fixes. Never a trip."""
    start = datetime(2026, 8, 26, 6, 0, tzinfo=UTC)
    end = start + timedelta(hours=5)
    written = datetime(2026, 8, 27, 1, 31, tzinfo=UTC).timestamp()
    data = {
        **_span(start, end, (HOME, (28.1272, -15.4314))),
        "duration": 18_000.0,
        "distance": 2_316_000.0,
        "user_input": {},
    }
    if dialect is Dialect.UPSTREAM_2026:
        metadata = _metadata(
            "analysis/composite_trip", written, origin_key="analysis/confirmed_untracked"
        )
    else:
        metadata = _metadata("analysis/confirmed_untracked", written)
    return _entry(_oid("untracked"), metadata, data)


def _diary_trip(trip: StoryTrip, number: int) -> dict[str, Any]:
    run = f"{trip.key}/{number}"
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "id": _oid(run, side)["$oid"],
            "geometry": {"type": "Point", "coordinates": [point[1], point[0]]},
            "properties": {"feature_type": f"{side}_place", "display_name": "Aude"},
        }
        for side, point in (("start", trip.legs[0].path[0]), ("end", trip.legs[-1].path[-1]))
    ]
    for index, leg in enumerate(trip.legs):
        points = along(leg.path, 40)
        step = (leg.end - leg.start) / (len(points) - 1)
        times = [(leg.start + step * n).timestamp() for n in range(len(points))]
        guess = 5 if trip.misread and leg.mode is trip.mode else _PREDICTED_OF[leg.mode]
        span = _span(leg.start, leg.end, leg.path)
        section = {
            "type": "Feature",
            "id": _oid(run, "section", str(index))["$oid"],
            "geometry": {
                "type": "LineString",
                "coordinates": [[round(lon, 6), round(lat, 6)] for lat, lon in points],
            },
            "properties": {
                **{name: value for name, value in span.items() if not name.endswith("_loc")},
                "feature_type": "section",
                "sensed_mode": f"PredictedModeTypes.{PREDICTED[guess]}",
                "distance": leg.distance,
                "duration": (leg.end - leg.start).total_seconds(),
                "times": times,
                "timestamps": [round(moment * 1000) for moment in times],
                "trip_id": _oid(run, "cleaned"),
            },
        }
        features.append({"type": "FeatureCollection", "features": [section]})
    path = (trip.legs[0].path[0], trip.legs[-1].path[-1])
    return {
        "type": "FeatureCollection",
        "id": _oid(run, "cleaned")["$oid"],
        "properties": {
            "feature_type": "trip",
            "source": "DwellSegmentationTimeFilter",
            **_span(trip.start, trip.end, path),
            "distance": trip.distance,
            "duration": (trip.end - trip.start).total_seconds(),
        },
        "features": features,
    }


__all__ = [
    "EMPLOYMENT",
    "HOME",
    "NETWORK_NAME",
    "OPERATOR_NAME",
    "OPERATOR_SIRET",
    "PERSON",
    "SECOND_APP",
    "WORK",
    "Employment",
    "Expected",
    "Person",
    "Story",
    "StoryLeg",
    "StoryTrip",
    "along",
    "path_length",
]
