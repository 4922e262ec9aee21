"""What observations of a whole life tie together, in little memory: parts that reconcile alone.

`add` each observation once, `name` each trip whose IRI is to be kept; then `parts` gives them back
by name, a few hundred at a time, so that `reconcile` of a part's observations (with its acts and
every suppression) gives the trips that `reconcile` of everything would, IRIs included. Tied are:
what lies within five minutes either side of one another; versions of one upstream trip; what an act
of the citizen names; what one trip was made of. A track stays with nobody.

A part is never smaller than what is tied: a source whose one trip spans a year makes that year one
part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Final

from schemas.ids import Iri
from schemas.observations import (
    CitizenObservation,
    LabelObservation,
    Received,
    Suppression,
    TripObservation,
)
from vault.months import MonthName, month_of
from vault.reconcile import ENDS_WITHIN, account_of

__all__ = ["Named", "Outline", "Part"]

_MARGIN_S: Final = 2 * ENDS_WITHIN.total_seconds()
"""Both reach out by five minutes, as windows do (`reconcile.touched_windows`)."""


@dataclass(frozen=True, slots=True)
class Named:
    """A trip that was given a name before: what `known_from` needs of it."""

    id: Iri
    observations: tuple[Iri, ...]
    aliases: tuple[Iri, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Part:
    """Observations that nothing outside touches."""

    observations: tuple[tuple[MonthName, Iri], ...]
    """Trips and labels, by start, with the month each is filed under."""
    said: tuple[Received, ...]
    """The citizen's acts about them, and every suppression."""
    named: tuple[Named, ...]


class Outline:
    """Grows with `add` and `name`; then `parts`."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._parent: list[int] = []
        self._timed: dict[Iri, tuple[float, float, MonthName]] = {}
        self._acts: dict[Iri, Received] = {}
        self._suppressions: dict[Iri, Received] = {}
        self._named: dict[Iri, Named] = {}
        self._accounts: dict[object, int] = {}

    def add(self, received: Received) -> None:
        """One observation; its track is not kept. Another one of its id takes its place."""
        observation = received.observation
        match observation:
            case TripObservation() | LabelObservation():
                self._timed[observation.id] = (
                    observation.started_at.timestamp(),
                    observation.ended_at.timestamp(),
                    intern(month_of(observation.started_at)),
                )
                self._tie([observation.id, *self._upstream(received)])
            case CitizenObservation():
                self._acts[observation.id] = received
                self._tie([observation.id, *observation.targets])
            case Suppression():
                self._suppressions[observation.id] = received
            case _:
                pass

    def _upstream(self, received: Received) -> Iterator[object]:
        observation = received.observation
        if isinstance(observation, TripObservation):
            account = self._accounts.setdefault(account_of(received), len(self._accounts))
            for upstream in observation.upstream_ids:
                yield account, upstream

    def name(self, trip: Named) -> None:
        """A trip that keeps its IRI; the first of an IRI counts."""
        if trip.id not in self._named:
            self._named[trip.id] = trip
            self._tie([trip.id, *trip.observations, *trip.aliases])

    def parts(self, most: int) -> Iterator[Part]:
        """Oldest first, of about `most` observations: more only where that many are tied."""
        timed = sorted(self._timed.items(), key=lambda item: (item[1], item[0]))
        reach, last = 0.0, -1
        for name, (start, end, _) in timed:
            here = self._number(name)
            if last >= 0 and start <= reach + _MARGIN_S:
                self._join(last, here)
                reach = max(reach, end)
            else:
                reach = end
            last = here
        tied: dict[int, list[tuple[MonthName, Iri]]] = {}
        for name, (_, _, month) in timed:
            tied.setdefault(self._root(self._number(name)), []).append((month, name))
        acts: dict[int, list[Received]] = {}
        for act_id, received in self._acts.items():
            acts.setdefault(self._root(self._number(act_id)), []).append(received)
        named: dict[int, list[Named]] = {}
        for trip in self._named.values():
            named.setdefault(self._root(self._number(trip.id)), []).append(trip)
        roots: list[int] = []
        count = 0
        for root, names in tied.items():
            if roots and count + len(names) > most:
                yield self._part(roots, tied, acts, named)
                roots, count = [], 0
            roots.append(root)
            count += len(names)
        if roots:
            yield self._part(roots, tied, acts, named)

    def _part(
        self,
        roots: Sequence[int],
        tied: dict[int, list[tuple[MonthName, Iri]]],
        acts: dict[int, list[Received]],
        named: dict[int, list[Named]],
    ) -> Part:
        return Part(
            tuple(name for root in roots for name in tied[root]),
            (
                *(act for root in roots for act in acts.get(root, ())),
                *self._suppressions.values(),
            ),
            tuple(trip for root in roots for trip in named.get(root, ())),
        )

    def _tie(self, names: Iterable[object]) -> None:
        first, *rest = map(self._number, names)
        for other in rest:
            self._join(first, other)

    def _number(self, name: object) -> int:
        number = self._numbers.setdefault(name, len(self._parent))
        if number == len(self._parent):
            self._parent.append(number)
        return number

    def _root(self, number: int) -> int:
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        self._parent[max(one, other)] = min(one, other)
