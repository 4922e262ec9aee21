"""The one table of odd cases of the eligible day."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.eligible_day import DayRule, eligible_days
from schemas.evidence import Evidence
from schemas.ids import Iri
from schemas.modes import Mode
from schemas.records import NamedPlace, Place, PlaceRole, Trip
from schemas.units import Metres

HOME, WORK = (43.2130, 2.3510), (43.2240, 2.4400)
CRECHE, OTHER_WORK = (43.2200, 2.3900), (43.1800, 3.0000)


def _place(role: PlaceRole, at: tuple[float, float], name: str = "a", **rest: object) -> NamedPlace:
    values = {"radius": Metres(300), **rest}
    return NamedPlace(
        id=Iri(f"urn:place:{role}:{name}"),
        role=role,
        lat=at[0],
        lon=at[1],
        **values,  # type: ignore[arg-type]
    )


PLACES = (_place(PlaceRole.HOME, HOME), _place(PlaceRole.WORK, WORK))
RULE = DayRule(
    Iri("urn:rule:fmd"),
    frozenset({Mode.BICYCLE, Mode.EBIKE, Mode.CARPOOL}),
    Evidence.SENSED,
)
COUNT = iter(range(10**6))


def trip(
    start: str,
    end: str,
    *,
    origin: tuple[float, float] | None = HOME,
    destination: tuple[float, float] | None = WORK,
    mode: Mode = Mode.BICYCLE,
    zone: str = "Europe/Paris",
    evidence: Evidence = Evidence.SENSED,
    mode_evidence: Evidence = Evidence.SENSED,
    distance: int = 8000,
    name: str = "",
) -> Trip:
    """Times are local civil times, `fold` 0 unless they carry an offset."""

    def instant(text: str) -> datetime:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))

    return Trip(
        id=Iri(f"urn:trip:{name or next(COUNT)}"),
        started_at=instant(start).astimezone(UTC),
        ended_at=instant(end).astimezone(UTC),
        start_zone=zone,
        end_zone=zone,
        origin=Place(*origin) if origin else None,
        destination=Place(*destination) if destination else None,
        distance=Metres(distance),
        mode=mode,
        evidence=evidence,
        mode_evidence=mode_evidence,
    )


@dataclass(frozen=True)
class Case:
    trips: tuple[Trip, ...]
    days: tuple[str, ...]
    places: tuple[NamedPlace, ...] = PLACES
    rule: DayRule = RULE


OUT = trip("2026-03-10T08:00", "2026-03-10T08:30")
BACK = trip("2026-03-10T18:00", "2026-03-10T18:30", origin=WORK, destination=HOME)

CASES = {
    "there and back is one day": Case((OUT, BACK), ("2026-03-10",)),
    "back alone is enough": Case((BACK,), ("2026-03-10",)),
    "out alone is enough": Case((OUT,), ("2026-03-10",)),
    "no trip, no day": Case((), ()),
    "the same trip twice is one": Case((OUT, OUT), ("2026-03-10",)),
    "night shift: out on one day, back on the next, two days": Case(
        (
            trip("2026-03-10T21:30", "2026-03-10T22:00"),
            trip("2026-03-11T06:10", "2026-03-11T06:40", origin=WORK, destination=HOME),
        ),
        ("2026-03-10", "2026-03-11"),
    ),
    "a trip across midnight counts for the day it started": Case(
        (trip("2026-03-10T23:50", "2026-03-11T00:20"),), ("2026-03-10",)
    ),
    "half past midnight in summer is still yesterday in UTC, and today here": Case(
        (trip("2026-07-10T00:30", "2026-07-10T01:00"),), ("2026-07-10",)
    ),
    "two workplaces": Case(
        (
            OUT,
            trip("2026-03-11T08:00", "2026-03-11T09:00", destination=OTHER_WORK),
            trip("2026-03-12T12:00", "2026-03-12T13:00", origin=WORK, destination=OTHER_WORK),
        ),
        ("2026-03-10", "2026-03-11"),
        (*PLACES, _place(PlaceRole.WORK, OTHER_WORK, "b")),
    ),
    "split trip: home to crèche to work are two trips and neither counts": Case(
        (
            trip("2026-03-10T08:00", "2026-03-10T08:12", destination=CRECHE),
            trip("2026-03-10T08:20", "2026-03-10T08:40", origin=CRECHE),
        ),
        (),
    ),
    "a public holiday is a day like another": Case(
        (trip("2026-05-01T08:00", "2026-05-01T08:30"),), ("2026-05-01",)
    ),
    "a Sunday too": Case((trip("2026-03-15T08:00", "2026-03-15T08:30"),), ("2026-03-15",)),
    "clocks go forward: 01:50 to 03:20 on 29 March": Case(
        (trip("2026-03-29T01:50", "2026-03-29T03:20"),), ("2026-03-29",)
    ),
    "clocks go back: the hour that comes twice on 25 October": Case(
        (trip("2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00"),), ("2026-10-25",)
    ),
    "23:30 of 24 October summer time is not the 25th": Case(
        (trip("2026-10-24T23:30", "2026-10-25T00:05"),), ("2026-10-24",)
    ),
    "Guadeloupe: 21:00 there is tomorrow in UTC": Case(
        (trip("2026-03-10T21:00", "2026-03-10T21:30", zone="America/Guadeloupe"),),
        ("2026-03-10",),
    ),
    "La Réunion: 02:00 there is yesterday in UTC": Case(
        (trip("2026-03-10T02:00", "2026-03-10T02:30", zone="Indian/Reunion"),), ("2026-03-10",)
    ),
    "place not yet valid": Case(
        (OUT,), (), (PLACES[0], replace(PLACES[1], valid_from=date(2026, 3, 11)))
    ),
    "place valid from that very day": Case(
        (OUT,), ("2026-03-10",), (PLACES[0], replace(PLACES[1], valid_from=date(2026, 3, 10)))
    ),
    "place valid until that very day": Case(
        (OUT,), ("2026-03-10",), (PLACES[0], replace(PLACES[1], valid_until=date(2026, 3, 10)))
    ),
    "place no longer valid": Case(
        (OUT,), (), (PLACES[0], replace(PLACES[1], valid_until=date(2026, 3, 9)))
    ),
    "moved house: the old home until the day, the new one after": Case(
        (
            trip("2026-03-10T08:00", "2026-03-10T08:30"),
            trip("2026-03-11T08:00", "2026-03-11T08:30", origin=CRECHE),
            trip("2026-03-12T08:00", "2026-03-12T08:30"),
        ),
        ("2026-03-10", "2026-03-11"),
        (
            _place(PlaceRole.HOME, HOME, valid_until=date(2026, 3, 10)),
            _place(PlaceRole.HOME, CRECHE, "new", valid_from=date(2026, 3, 11)),
            PLACES[1],
        ),
    ),
    "250 m from the centre lies in a radius of 300 m": Case(
        (trip("2026-03-10T08:00", "2026-03-10T08:30", origin=(HOME[0] + 0.00225, HOME[1])),),
        ("2026-03-10",),
    ),
    "350 m from the centre does not": Case(
        (trip("2026-03-10T08:00", "2026-03-10T08:30", origin=(HOME[0] + 0.00315, HOME[1])),), ()
    ),
    "an unknown end is nowhere": Case(
        (trip("2026-03-10T08:00", "2026-03-10T08:30", destination=None),), ()
    ),
    "from home to home is no commute": Case(
        (trip("2026-03-10T08:00", "2026-03-10T08:30", destination=HOME),), ()
    ),
    "working at home: a walk round the block is no commute": Case(
        (trip("2026-03-10T08:00", "2026-03-10T08:30", destination=HOME),),
        (),
        (PLACES[0], _place(PlaceRole.WORK, HOME)),
    ),
    "other places are not work": Case((OUT,), (), (PLACES[0], _place(PlaceRole.OTHER, WORK))),
    "a mode that does not count": Case((replace(OUT, mode=Mode.CAR),), ()),
    "mode sensed, trip only declared": Case((replace(OUT, evidence=Evidence.DECLARED),), ()),
    "trip sensed, mode corrected by the person": Case(
        (replace(OUT, mode_evidence=Evidence.CORRECTED),), ()
    ),
    "corrected is enough where the rule says so": Case(
        (replace(OUT, mode_evidence=Evidence.CORRECTED),),
        ("2026-03-10",),
        rule=replace(RULE, minimum_evidence=Evidence.CORRECTED),
    ),
    "before the period": Case((trip("2026-01-31T23:59", "2026-02-01T00:20"),), ()),
    "first day of the period": Case(
        (trip("2026-02-01T00:00", "2026-02-01T00:20"),), ("2026-02-01",)
    ),
    "last day of the period": Case(
        (trip("2026-11-30T23:59", "2026-12-01T00:20"),), ("2026-11-30",)
    ),
    "after the period": Case((trip("2026-12-01T00:00", "2026-12-01T00:20"),), ()),
    "a rule that caps at none": Case((OUT,), (), rule=replace(RULE, cap_per_day=0)),
}


@pytest.mark.parametrize("name", CASES)
def test_eligible_days(name: str) -> None:
    case = CASES[name]
    for trips in (case.trips, case.trips[::-1]):
        found = eligible_days(
            trips, case.places, case.rule, since=date(2026, 2, 1), until=date(2026, 11, 30)
        )
        assert tuple(day.date.isoformat() for day in found) == case.days


def _days(*trips: Trip, rule: DayRule = RULE) -> object:
    (day,) = eligible_days(trips, PLACES, rule, since=date(2026, 3, 10), until=date(2026, 3, 10))
    return day


def test_the_best_evidenced_trip_of_a_day_counts_first() -> None:
    better = replace(
        BACK, mode=Mode.CARPOOL, evidence=Evidence.OPERATOR, mode_evidence=Evidence.OPERATOR
    )
    for trips in ((OUT, better), (better, OUT)):
        day = _days(*trips)
        assert (day.mode, day.evidence, day.trips) == (  # type: ignore[attr-defined]
            Mode.CARPOOL,
            Evidence.OPERATOR,
            (better.id,),
        )


def test_of_equal_trips_the_longer_then_the_earlier_counts() -> None:
    longer = replace(BACK, distance=Metres(9000), mode=Mode.EBIKE)
    assert _days(OUT, longer).mode is Mode.EBIKE  # type: ignore[attr-defined]
    equal = replace(BACK, mode=Mode.EBIKE)
    assert _days(equal, OUT).mode is Mode.BICYCLE  # type: ignore[attr-defined]


def test_a_cap_of_two_takes_two_trips_and_the_weaker_class() -> None:
    better = replace(BACK, evidence=Evidence.OPERATOR, mode_evidence=Evidence.OPERATOR)
    day = _days(OUT, better, rule=replace(RULE, cap_per_day=2))
    assert day.trips == (better.id, OUT.id)  # type: ignore[attr-defined]
    assert day.evidence is Evidence.SENSED  # type: ignore[attr-defined]
