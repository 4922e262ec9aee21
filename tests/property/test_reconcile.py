"""Laws of reconciliation: the set decides, not the order, not the batches."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.evidence import Evidence
from schemas.ids import Iri, digest, node_iri
from schemas.modes import Mode
from schemas.observations import ClaimBy, LegObservation, ModeClaim, Received, TripObservation
from schemas.records import Trip
from schemas.units import Metres
from tests.property.observations_story import (
    HOME,
    SHOP,
    WORK,
    act,
    at,
    label,
    mint,
    observed,
    received,
    suppression,
)
from vault.outline import Named, Outline
from vault.reconcile import Reconciliation, _Run, known_from, reconcile, touched_windows

laws = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=200)
SOURCES = ["tracemob", "push:velo", "carpool-operator", "fichier"]
_MODES = st.sampled_from([Mode.CAR, Mode.BICYCLE, Mode.CARPOOL, Mode.UNKNOWN])


@st.composite
def stories(draw: st.DrawFn) -> list[Received]:
    """Some days of trips, several times observed, with labels, acts and deletions."""
    items: list[Received] = []
    names: list[str] = []
    count = draw(st.integers(1, 9))
    for number in range(count):
        start = draw(st.sampled_from([0, 1440, 1460, 4320, 4340, 10_080])) + draw(
            st.integers(-20, 20)
        )
        end = start + draw(st.sampled_from([2, 3, 10, 25, 30, 33, 60]))
        source = draw(st.sampled_from(SOURCES))
        by = ClaimBy.OPERATOR if source == "carpool-operator" else ClaimBy.SENSOR
        trip = observed(
            f"{number}",
            start,
            end,
            source=source,
            by=by,
            mode=draw(_MODES),
            origin=draw(st.sampled_from([HOME, HOME, SHOP, None])),
            destination=draw(st.sampled_from([WORK, WORK, SHOP])),
            distance=draw(st.sampled_from([None, 5000, 8000])),
            written=draw(st.none() | st.integers(20_000, 20_010)),
            upstream_ids=tuple(draw(st.lists(st.sampled_from("uvwxyz"), max_size=1))),
            cancelled=draw(st.sampled_from([False] * 9 + [True])),
        )
        items.append(received(trip, draw(st.integers(20_000, 20_020))))
        names.append(trip.id)
    for number in range(draw(st.integers(0, 3))):
        start = draw(st.sampled_from([0, 1440, 4320])) + draw(st.integers(-20, 20))
        said = label(
            f"{number}",
            start,
            start + 25,
            draw(st.integers(20_000, 20_010)),
            mode=draw(_MODES),
            source=draw(st.sampled_from(SOURCES)),
        )
        items.append(received(said, draw(st.integers(20_000, 20_020))))
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["mode", "purpose", "merge", "split", "keep-apart"]))
        targets = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        items.append(
            received(
                act(
                    f"{number}",
                    draw(st.integers(20_000, 20_010)),
                    kind,
                    *targets,
                    mode=draw(_MODES),
                    purpose="travail",
                    split_at=at(draw(st.sampled_from([5, 15, 1450, 4335]))),
                ),
                draw(st.integers(20_000, 20_020)),
            )
        )
    for number in range(draw(st.integers(0, 2))):
        start = draw(st.sampled_from([0, 1440, 4320]))
        scope = draw(st.sampled_from(["trip", "interval", "trip", "interval", "account", "all"]))
        gone = suppression(
            f"{number}",
            draw(st.integers(5000, 20_000)),
            scope,
            started_at=at(start),
            ended_at=at(start + 30),
            account="account@tracemob",
        )
        items.append(received(gone, draw(st.integers(20_000, 20_020))))
    return items


def fresh() -> Callable[[Iri], Iri]:
    """A mint that never gives an IRI twice, as the random one does not."""
    count = itertools.count()
    return lambda _name: Iri(f"urn:trip:{next(count)}")


def shape(found: Reconciliation) -> Any:
    """Trips up to IRIs."""
    bare = [_bare(trip) for trip in found.trips]
    by_iri = {trip.id: trip.observations for trip in found.trips}
    pairs = sorted(tuple(sorted((by_iri[a], by_iri[b]))) for a, b in found.ambiguous)
    return sorted(bare, key=repr), pairs, found.labels_unmatched


def _bare(trip: Trip) -> Trip:
    legs = tuple(replace(leg, id=Iri(f"urn:leg:{n}")) for n, leg in enumerate(trip.legs))
    return replace(trip, id=Iri("urn:trip"), aliases=(), legs=legs)


@st.composite
def sensed(draw: st.DrawFn) -> list[Received]:
    """Trips with legs, some of them seen once by one sensor, as most are."""
    items = []
    for number in range(draw(st.integers(1, 6))):
        start = number * draw(st.sampled_from([10, 90, 400]))
        at_minute, legs = start, []
        for _ in range(draw(st.integers(0, 3))):
            begins = at_minute + draw(st.sampled_from([0, 0, 1, -1]))
            at_minute = begins + draw(st.sampled_from([0, 5, 12]))
            claims = tuple(
                ModeClaim(
                    mode=draw(_MODES),
                    by=draw(st.sampled_from([*ClaimBy, ClaimBy.SENSOR])),
                    confidence=draw(st.none() | st.sampled_from([0.2, 0.9])),
                )
                for _ in range(draw(st.integers(0, 2)))
            )
            metres = draw(st.sampled_from([None, 300, 5000]))
            legs.append(
                LegObservation(
                    mode_claims=claims,
                    distance=None if metres is None else Metres(metres),
                    started_at=at(begins),
                    ended_at=at(max(begins, at_minute)),
                    origin=draw(st.sampled_from([HOME, None])),
                    destination=draw(st.sampled_from([SHOP, None])),
                )
            )
            at_minute = max(begins, at_minute)
        seen = observed(
            f"{number}",
            start - 1,
            at_minute + 1,
            mode=draw(st.sampled_from([None, None, Mode.CAR])),
            distance=draw(st.sampled_from([None, 8000])),
            purpose=draw(st.sampled_from([None, "work"])),
            replaced_mode=draw(st.sampled_from([None, Mode.CAR])),
            source=draw(st.sampled_from(SOURCES)),
            legs=tuple(legs),
        )
        items.append(received(seen, number))
    return items


@given(sensed())
@laws
def test_a_trip_seen_once_is_what_the_long_way_says(story: list[Received]) -> None:
    tracks = {story[0].observation.id: digest(b"track")}.get
    quick = reconcile(story, mint=mint, tracks=tracks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Run, "_alone", lambda _run, _parts: None)
        assert reconcile(story, mint=mint, tracks=tracks) == quick


def test_most_trips_are_seen_once() -> None:
    """Else the property above would say nothing."""
    leg = LegObservation(
        mode_claims=(ModeClaim(mode=Mode.CAR, by=ClaimBy.SENSOR),),
        distance=Metres(800),
        started_at=at(0),
        ended_at=at(30),
    )
    item = received(observed("a", 0, 30, mode=None, legs=(leg,)))
    run = _Run([item], {}, {}, mint, lambda _: None)
    (chain,) = run._chains()
    assert run._alone([[chain]]) is not None


@given(stories(), st.randoms(use_true_random=False))
@laws
def test_any_order_gives_the_same_trips(story: list[Received], chance: random.Random) -> None:
    found = reconcile(story, mint=mint)
    shuffled = story[:]
    chance.shuffle(shuffled)
    assert reconcile(shuffled, mint=mint) == found


@given(stories(), st.randoms(use_true_random=False), st.integers(1, 4))
@laws
def test_any_batching_gives_the_same_trips_up_to_iris(
    story: list[Received], chance: random.Random, size: int
) -> None:
    whole = reconcile(story, mint=mint)
    chance.shuffle(story)
    seen: list[Received] = []
    trips: tuple[Trip, ...] = ()
    found = whole
    random_iri = fresh()
    for first in range(0, len(story), size):
        seen += story[first : first + size]
        known = known_from(trips)
        found = reconcile(seen, known=known.iris, aliases=known.aliases, mint=random_iri)
        trips = found.trips
        ids = [trip.id for trip in trips]
        assert len(set(ids)) == len(ids)
        for trip in trips:
            assert [leg.id for leg in trip.legs] == [
                node_iri(trip.id, f"legs/{n}") for n in range(len(trip.legs))
            ]
    assert shape(found) == shape(whole)


@given(stories(), st.randoms(use_true_random=False), st.integers(1, 4))
@laws
def test_windows_give_what_the_whole_gives(
    story: list[Received], chance: random.Random, size: int
) -> None:
    chance.shuffle(story)
    seen: list[Received] = []
    stored: dict[Iri, Trip] = {}
    random_iri = fresh()
    for first in range(0, len(story), size):
        new = story[first : first + size]
        seen += new
        known = known_from(stored.values())
        windows = touched_windows(new, seen, known=known.iris)
        held = [item for item in seen if windows.holds(item)]
        found = reconcile(held, known=known.iris, aliases=known.aliases, mint=random_iri)
        stored = {iri: trip for iri, trip in stored.items() if not windows.holds_trip(trip)}
        for trip in found.trips:
            assert trip.id not in stored
            stored[trip.id] = trip
    whole = reconcile(seen, mint=mint)
    assert sorted(map(repr, map(_bare, stored.values()))) == sorted(
        map(repr, map(_bare, whole.trips))
    )


@given(stories(), st.randoms(use_true_random=False), st.integers(0, 9), st.integers(1, 4))
@laws
def test_parts_give_what_the_whole_gives_iris_included(
    story: list[Received], chance: random.Random, before: int, most: int
) -> None:
    """Trips that were named from part of the story keep their names, each reconciled in its part of
    the whole, whatever order the story is told in."""
    chance.shuffle(story)
    named = reconcile(story[:before], mint=lambda name: Iri(f"{name}:first")).trips
    if named:
        target = chance.choice(named)
        story.append(received(act("late", 20_015, "mode", target.id, mode=Mode.BICYCLE), 20_030))
    known = known_from(named)
    whole = reconcile(
        story, known=known.iris, aliases=known.aliases, mint=lambda name: Iri(f"{name}:then")
    )
    outline = Outline()
    chance.shuffle(story)
    for item in story:
        outline.add(item)
    for trip in named:
        outline.name(Named(trip.id, trip.observations, trip.aliases, trip.revision))
    by_name = {item.observation.id: item for item in story}
    trips: list[Trip] = []
    unmatched: list[Iri] = []
    for part in outline.parts(most):
        known = known_from(part.named)
        found = reconcile(
            [*(by_name.pop(name) for _, name in part.observations), *part.said],
            known=known.iris,
            aliases=known.aliases,
            mint=lambda name: Iri(f"{name}:then"),
        )
        trips += found.trips
        unmatched += found.labels_unmatched
    assert sorted(trips, key=lambda trip: (trip.started_at, trip.id)) == list(whole.trips)
    assert sorted(unmatched) == list(whole.labels_unmatched)
    assert not any(isinstance(i.observation, TripObservation) for i in by_name.values())


def test_parts_are_small_where_nothing_ties_them() -> None:
    outline = Outline()
    for number in range(1_000):
        outline.add(received(observed(f"n{number}", number * 60.0, number * 60.0 + 20)))
    parts = list(outline.parts(100))
    assert [len(part.observations) for part in parts] == [100] * 10
    starts = [month for part in parts for month, _ in part.observations]
    assert starts == sorted(starts)


@given(stories())
@laws
def test_the_same_set_again_changes_nothing_not_even_an_iri(story: list[Received]) -> None:
    found = reconcile(story, mint=mint)
    known = known_from(found.trips)

    def refuse(name: Iri) -> Iri:
        raise AssertionError(name)

    again = reconcile(story, known=known.iris, aliases=known.aliases, mint=refuse)
    assert again.trips == found.trips


@given(stories())
@laws
def test_without_accreditation_everything_is_declared(story: list[Received]) -> None:
    bare = [replace(item, ceiling=Evidence.DECLARED) for item in story]
    for trip in reconcile(bare, mint=mint).trips:
        assert trip.evidence is Evidence.DECLARED
        assert trip.mode_evidence is Evidence.DECLARED


@given(stories(), st.integers(0, 8))
@laws
def test_a_payload_cannot_raise_its_class(story: list[Received], index: int) -> None:
    """Claiming `registry` in the payload never lifts a trip above its depositors' ceilings."""
    forged = [
        replace(
            item,
            observation=replace(
                item.observation,
                mode_claims=(ModeClaim(mode=Mode.BICYCLE, by=ClaimBy.REGISTRY),),
            ),
        )
        if n == index and hasattr(item.observation, "mode_claims")
        else item
        for n, item in enumerate(story)
    ]
    ceilings = {item.observation.id: item.ceiling for item in forged}
    for trip in reconcile(forged, mint=mint).trips:
        top = max(ceilings[name].rank for name in trip.observations if name in ceilings)
        allowed = max(top, Evidence.CONFIRMED.rank if top >= Evidence.SENSED.rank else 0)
        assert trip.evidence.rank <= allowed
        assert trip.mode_evidence.rank <= allowed
