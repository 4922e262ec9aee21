"""Observations become trips: a pure function of a set, whatever the order it is given in.

Steps (design of the vault §5):

1.  One observation a time: of several copies under one id the strongest, then first, received.
2.  Versions: observations of one account that share an upstream id are one; the last written
    speaks (then the last received). If it is cancelled, or the citizen disputes one of them, there
    is no trip of it.
3.  Suppressions of accounts and intervals take out the observations they name; those of trips, at
    the end, the trips that lie in them, whatever observations they come back from.
4.  Matching. Same account: overlap of at least half the longer interval, or both ends within five
    minutes; across accounts also both ends within 500 m. Pairs are joined best first, and only
    while every pair inside a group matches; a pair left over is *ambiguous*: it stays two.
5.  The citizen's `merge` and `keep-apart` overrule 4, the last said of a pair wins.
6.  Labels go to the trip of their account they overlap best; the last written wins, the earlier
    ones stay among the trip's observations.
7.  Contents: shape from the best measured observation, modes from all claims, classes computed.
8.  `split` cuts, unless a later `merge` names the part behind; `mode` and `purpose` of the citizen
    apply last.
9.  IRIs: the oldest observation keeps the one it had; others become aliases; new ones are minted.

"Account" is depositor, linked account, source and account in the payload, all four: nobody can
speak for another's account. Cost is near-linear: a sweep over start times.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final, Protocol, TypeVar

from schemas.evidence import Evidence
from schemas.geo import metres_between
from schemas.ids import Digest, Iri, node_iri
from schemas.making import unchecked
from schemas.modes import Mode
from schemas.observations import (
    CitizenObservation,
    ClaimBy,
    LabelObservation,
    LegObservation,
    ModeClaim,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import Leg, Place, RegisterStatus, Trip, main_mode
from schemas.units import Metres

from .evidence import (
    PersonClaim,
    WeighedClaim,
    claim_class,
    confirmed_by_person,
    mode_evidence,
    stronger,
    took_place,
    weakest,
    weigh,
)

ENDS_WITHIN: Final = timedelta(minutes=5)
"""Re-run pipelines move the ends of a trip by less than this (notes on sources §2)."""
PLACES_WITHIN_M: Final = 500
MAX_COPIES: Final = 32
"""Earlier observations one may match: no life has more, and a source that repeats a trip a thousand
times costs the vault a thousand steps, not a million."""
WINDOW_MARGIN: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIVE_MINUTES_S: Final = ENDS_WITHIN.total_seconds()

Account = tuple[str, str, str, str]
_leg_of: Final = unchecked(Leg)
_trip_of: Final = unchecked(Trip)
"""What a checked observation says is checked."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a set of observations says."""

    trips: tuple[Trip, ...]
    """By start, then IRI."""
    ambiguous: tuple[tuple[Iri, Iri], ...]
    """Pairs of trips that may be one: the citizen is asked (`merge` or `keep-apart`)."""
    labels_unmatched: tuple[Iri, ...]
    """Labels that overlap no trip of their account; they wait."""
    shapes: Mapping[Iri, Iri]
    """Trip → the observation its ends, times and legs come from (and its track, if it has one)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier reconciliations gave: sticky IRIs by observation, aliases by trip."""

    iris: Mapping[Iri, Iri]
    aliases: Mapping[Iri, tuple[Iri, ...]]


class NamedTrip(Protocol):
    """What a trip that has a name already is asked for."""

    @property
    def id(self) -> Iri: ...
    @property
    def observations(self) -> tuple[Iri, ...]: ...
    @property
    def aliases(self) -> tuple[Iri, ...]: ...


def known_from(trips: Iterable[NamedTrip]) -> Known:
    """The `Known` of stored trips.

    An observation that was split is in two trips; it belongs to the first part, and the act that
    split them (the first observation of the second part) to the second.
    """
    iris: dict[Iri, Iri] = {}
    aliases: dict[Iri, tuple[Iri, ...]] = {}
    listed: dict[Iri, int] = {}
    kept = list(trips)
    for trip in kept:
        aliases[trip.id] = trip.aliases
        for name in trip.observations:
            listed[name] = listed.get(name, 0) + 1
    for trip in kept:
        if not trip.observations:
            continue
        anchor = trip.observations[0]
        whole = listed[anchor] > 1 or all(listed[name] == 1 for name in trip.observations)
        for name in trip.observations:
            if whole or listed[name] == 1:
                iris[name] = trip.id
        iris.setdefault(anchor, trip.id)
    return Known(iris, aliases)


def reconcile(
    received: Iterable[Received],
    *,
    known: Mapping[Iri, Iri] | None = None,
    aliases: Mapping[Iri, tuple[Iri, ...]] | None = None,
    mint: Callable[[Iri], Iri],
    tracks: Callable[[Iri], Digest | None] = lambda _: None,
) -> Reconciliation:
    """The trips a set of observations says, with sticky IRIs.

    `tracks`: observation id → digest of the bytes whose track it left. `known`: observation id →
    IRI of the trip it is in (`known_from`). `mint` is asked once a new trip, with the id of its
    oldest observation, and must never give an IRI twice: a random one is meant
    (`schemas.ids.mint_iri`).
    Revisions are 1: the store knows what it had.
    """
    return _Run(received, known or {}, aliases or {}, mint, tracks).run()


# --- parts of the work -------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Chain:
    """All versions of one upstream trip; `current` is the one that speaks."""

    key: Account
    versions: list[Received]
    current: Received
    trip: TripObservation
    start: float
    end: float
    near: set[int] = field(default_factory=set)
    number: int = -1
    labels: list[Received] = field(default_factory=list)

    @property
    def id(self) -> Iri:
        return self.trip.id


@dataclass(slots=True)
class _LegDraft:
    started_at: datetime
    ended_at: datetime
    distance: int
    origin: Place | None
    destination: Place | None
    claims: list[WeighedClaim] = field(default_factory=list)
    said: "list[_Statement]" = field(default_factory=list)

    def settle(self, person: PersonClaim | None) -> tuple[Mode, Evidence]:
        return mode_evidence(self.claims, person or _person(self.said))


@dataclass(slots=True)
class _Statement:
    """Something a person said, with its place in the order of saying."""

    order: tuple[datetime, datetime, str]
    value: object
    in_vault: bool = False


@dataclass(slots=True)
class _Draft:
    """A trip on its way."""

    chains: list[_Chain]
    observations: list[tuple[datetime, Iri]]
    started_at: datetime
    ended_at: datetime
    start_zone: str
    end_zone: str
    origin: Place | None
    destination: Place | None
    legs: list[_LegDraft]
    evidence: Evidence
    register: RegisterStatus | None
    modes: list[_Statement]
    purposes: list[_Statement]
    replaced: list[_Statement]
    spoken: bool
    shape: Iri
    labels: list[Iri] = field(default_factory=list)
    total: int | None = None
    """Metres as the source gives them for the whole; None: the sum of the legs."""
    split_by: CitizenObservation | None = None
    is_alone: bool = False
    """Legs and words are read from the one observation when the trip is named."""

    def distance(self) -> int:
        return self.total if self.total is not None else sum(leg.distance for leg in self.legs)


def _order(received: Received, said: datetime | None) -> tuple[datetime, datetime, str]:
    observation = received.observation
    return (said or received.received_at, received.received_at, observation.id)


def _version_order(received: Received) -> tuple[datetime, datetime, str]:
    written = getattr(received.observation, "written_at", None)
    return (written or _EPOCH, received.received_at, received.observation.id)


def _arrival(received: Received) -> tuple[datetime, str, int]:
    return (received.received_at, received.depositor, received.index)


def account_of(received: Received) -> Account:
    """Who said it, as far as nobody else could have."""
    observation = received.observation
    if isinstance(observation, TripObservation):
        return received.depositor, received.account, observation.source, observation.account
    return (
        received.depositor,
        received.account,
        getattr(observation, "source", ""),
        getattr(observation, "account", ""),
    )


def overlap_share(start1: float, end1: float, start2: float, end2: float) -> float:
    """Overlap of two intervals as a share of the longer one, 0 to 1."""
    longer = max(end1 - start1, end2 - start2)
    if longer <= 0:
        return 1.0 if start1 == start2 else 0.0
    return max(0.0, min(end1, end2) - max(start1, start2)) / longer


def same_time(start1: float, end1: float, start2: float, end2: float) -> bool:
    """The time half of the match rule, in epoch seconds."""
    if abs(start1 - start2) <= _FIVE_MINUTES_S and abs(end1 - end2) <= _FIVE_MINUTES_S:
        return True
    return overlap_share(start1, end1, start2, end2) >= 0.5


class _Run:
    """One reconciliation."""

    def __init__(
        self,
        received: Iterable[Received],
        known: Mapping[Iri, Iri],
        aliases: Mapping[Iri, tuple[Iri, ...]],
        mint: Callable[[Iri], Iri],
        tracks: Callable[[Iri], Digest | None],
    ) -> None:
        self.known, self.aliases, self.mint = known, aliases, mint
        self.tracks = tracks
        self.received = _once(received)
        self.acts: list[CitizenObservation] = []
        self.suppressions: list[Suppression] = []
        self.labels: list[Received] = []
        trips: list[Received] = []
        for item in self.received:
            match item.observation:
                case TripObservation():
                    trips.append(item)
                case LabelObservation():
                    self.labels.append(item)
                case CitizenObservation():
                    self.acts.append(item.observation)
                case Suppression():
                    self.suppressions.append(item.observation)
                case _:
                    pass
        self.acts.sort(key=lambda act: (act.at, act.id))
        self.acts_by_target: dict[Iri, list[CitizenObservation]] = {}
        for act in self.acts:
            for target in dict.fromkeys(act.targets):
                self.acts_by_target.setdefault(target, []).append(act)
        self.trips = trips

    def run(self) -> Reconciliation:
        chains = self._chains()
        self._match(chains)
        verdicts = self._verdicts(chains)
        groups, open_pairs = self._groups(chains, verdicts)
        unmatched = self._hang_labels(chains)
        merged = self._merge(groups, verdicts)
        drafts: list[_Draft] = []
        for parts in merged:
            alone = self._alone(parts)
            if alone is not None:
                drafts.append(alone)
                continue
            drafts.extend(
                part for part in self._split(self._draft_whole(parts)) if not self._suppressed(part)
            )
        trips, by_chain, shapes = self._name(drafts)
        ambiguous = {
            (min(one, two), max(one, two))
            for a, b in open_pairs
            for one in by_chain.get(a, ())
            for two in by_chain.get(b, ())
            if one != two
        }
        trips.sort(key=lambda trip: (trip.started_at, trip.id))
        return Reconciliation(
            tuple(trips), tuple(sorted(ambiguous)), tuple(sorted(unmatched)), shapes
        )

    # 2 and 3: versions, suppressions

    def _chains(self) -> list[_Chain]:
        parent: dict[int, int] = {}

        def root(number: int) -> int:
            while parent[number] != number:
                parent[number] = parent[parent[number]]
                number = parent[number]
            return number

        first_with: dict[tuple[Account, str], int] = {}
        for number, item in enumerate(self.trips):
            parent[number] = number
            assert isinstance(item.observation, TripObservation)  # noqa: S101 (sorted so above)
            account = account_of(item)
            for upstream in item.observation.upstream_ids:
                key = (account, upstream)
                if key in first_with:
                    parent[root(number)] = root(first_with[key])
                else:
                    first_with[key] = number
        versions: dict[int, list[Received]] = {}
        for number, item in enumerate(self.trips):
            versions.setdefault(root(number), []).append(item)
        holding = self._holding_suppressions()
        self.deleted = [
            (act.started_at.timestamp(), act.ended_at.timestamp())
            for act in holding
            if act.scope == "trip" and act.started_at and act.ended_at
        ]
        disputed = {target for act in self.acts if act.act == "dispute" for target in act.targets}
        chains = []
        for items in versions.values():
            if disputed and any(item.observation.id in disputed for item in items):
                continue
            current = items[0] if len(items) == 1 else max(items, key=_version_order)
            trip = current.observation
            assert isinstance(trip, TripObservation)  # noqa: S101
            if trip.cancelled or any(_suppresses(s, trip, current) for s in holding):
                continue
            items.sort(key=lambda item: (item.received_at, item.observation.id))
            chains.append(
                _Chain(
                    account_of(current),
                    items,
                    current,
                    trip,
                    trip.started_at.timestamp(),
                    trip.ended_at.timestamp(),
                )
            )
        chains.sort(key=lambda chain: (chain.start, chain.end, chain.id))
        for number, chain in enumerate(chains):
            chain.number = number
        return chains

    def _holding_suppressions(self) -> list[Suppression]:
        undone: dict[Iri, datetime] = {}
        for act in self.suppressions:
            if act.undoes is not None:
                undone[act.undoes] = max(act.at, undone.get(act.undoes, act.at))
        holding = []
        for act in self.suppressions:
            if act.undoes is not None:
                continue
            undo = undone.get(act.id)
            if undo is not None and (act.until is None or undo <= act.until):
                continue
            holding.append(act)
        return holding

    # 4: matching

    def _match(self, chains: list[_Chain]) -> None:
        """Fill `near`: numbers of the chains each one matches. A sweep over start times."""
        self.doubtful: list[tuple[int, int]] = []
        active: list[_Chain] = []
        for chain in chains:
            active = [other for other in active if other.end + _FIVE_MINUTES_S >= chain.start]
            for other in reversed(active):
                if len(chain.near) >= MAX_COPIES:
                    break
                if not same_time(other.start, other.end, chain.start, chain.end):
                    continue
                if other.key != chain.key:
                    near = _places_agree(other.trip, chain.trip)
                    if near is None:
                        self.doubtful.append((other.number, chain.number))
                    if not near:
                        continue
                other.near.add(chain.number)
                chain.near.add(other.number)
            active.append(chain)

    def _targets(self, chains: list[_Chain]) -> dict[Iri, list[int]]:
        """What an act may name → chains: an observation, or the IRI or alias of a trip."""
        found: dict[Iri, list[int]] = {}
        for chain in chains:
            for version in chain.versions:
                name = version.observation.id
                found.setdefault(name, []).append(chain.number)
                iri = self.known.get(name)
                if iri is not None:
                    for alias in (iri, *self.aliases.get(iri, ())):
                        numbers = found.setdefault(alias, [])
                        if chain.number not in numbers:
                            numbers.append(chain.number)
        return found

    def _verdicts(self, chains: list[_Chain]) -> dict[tuple[int, int], str]:
        """Pairs of chains the citizen decided about; the last act wins."""
        if not self.acts:
            return {}
        by_target = self._targets(chains)
        verdicts: dict[tuple[int, int], str] = {}
        for act in self.acts:
            if act.act not in {"merge", "keep-apart"}:
                continue
            named = [by_target.get(target, []) for target in act.targets]
            for one, two in combinations(named, 2):
                for a in one:
                    for b in two:
                        if a != b:
                            verdicts[min(a, b), max(a, b)] = act.act
        return verdicts

    def _groups(
        self, chains: list[_Chain], verdicts: Mapping[tuple[int, int], str]
    ) -> tuple[list[list[_Chain]], list[tuple[int, int]]]:
        """Join matching pairs, best first, while all pairs of a group match."""
        for (a, b), verdict in verdicts.items():
            if verdict == "keep-apart":
                chains[a].near.discard(b)
                chains[b].near.discard(a)
        edges = sorted(
            ((chains[a], chains[b]) for a in range(len(chains)) for b in chains[a].near if a < b),
            key=_edge_order,
        )
        group_of = list(range(len(chains)))
        members: dict[int, list[int]] = {n: [n] for n in range(len(chains))}
        left_over: list[tuple[int, int]] = []
        for one, two in edges:
            a, b = group_of[one.number], group_of[two.number]
            if a == b:
                continue
            if all(y in chains[x].near for x in members[a] for y in members[b]):
                if len(members[a]) < len(members[b]):
                    a, b = b, a
                for number in members[b]:
                    group_of[number] = a
                members[a].extend(members.pop(b))
            else:
                left_over.append((one.number, two.number))
        asked = [
            (a, b)
            for a, b in (*left_over, *self.doubtful)
            if group_of[a] != group_of[b] and (min(a, b), max(a, b)) not in verdicts
        ]
        groups = [[chains[n] for n in sorted(group)] for group in members.values()]
        return groups, asked

    # 5: the citizen's merges

    def _merge(
        self, groups: list[list[_Chain]], verdicts: Mapping[tuple[int, int], str]
    ) -> list[list[list[_Chain]]]:
        """Trips as lists of parts; a part is one ride seen once or several times."""
        if "merge" not in verdicts.values():
            return [[group] for group in groups]
        home = {chain.number: n for n, group in enumerate(groups) for chain in group}
        parent = list(range(len(groups)))

        def root(number: int) -> int:
            while parent[number] != number:
                number = parent[number]
            return number

        for (a, b), verdict in sorted(verdicts.items()):
            if verdict == "merge":
                one, two = root(home[a]), root(home[b])
                parent[max(one, two)] = min(one, two)
        trips: dict[int, list[list[_Chain]]] = {}
        for number, group in enumerate(groups):
            trips.setdefault(root(number), []).append(group)
        return [_pool(parts) for parts in trips.values()]

    # 6: labels

    def _hang_labels(self, chains: list[_Chain]) -> list[Iri]:
        if not self.labels:
            return []
        by_account: dict[Account, list[_Chain]] = {}
        for chain in chains:
            by_account.setdefault(chain.key, []).append(chain)
        starts = {key: [c.start for c in listed] for key, listed in by_account.items()}
        longest = {key: max(c.end - c.start for c in listed) for key, listed in by_account.items()}
        unmatched: list[Iri] = []
        for item in self.labels:
            label = item.observation
            assert isinstance(label, LabelObservation)  # noqa: S101
            key = account_of(item)
            start, end = label.started_at.timestamp(), label.ended_at.timestamp()
            best: tuple[float, float, str] | None = None
            chosen: _Chain | None = None
            listed = by_account.get(key, [])
            first = bisect_right(starts[key], start - longest[key] - 1) if listed else 0
            for chain in listed[first:]:
                if chain.start > end:
                    break
                shared = min(end, chain.end) - max(start, chain.start)
                if shared <= 0:
                    continue
                drift = abs(chain.start - start) + abs(chain.end - end)
                score = (-shared, drift, chain.id)
                if best is None or score < best:
                    best, chosen = score, chain
            if chosen is None:
                unmatched.append(label.id)
            else:
                chosen.labels.append(item)
        return unmatched

    # 7: contents

    def _alone(self, parts: list[list[_Chain]]) -> _Draft | None:
        """The draft of a trip that one sensor saw once and nobody said anything about: most of a
        life. `_trip_alone` says what `_draft`, `_split` and `_trip` would; None for any other."""
        if self.acts_by_target or self.deleted or len(parts) > 1 or len(parts[0]) > 1:
            return None
        (chain,) = parts[0]
        trip = chain.trip
        if len(chain.versions) > 1 or chain.labels or trip.mode_claims or not trip.legs:
            return None
        end = trip.legs[0].started_at
        for leg in trip.legs:
            if leg.distance is None or not end <= leg.started_at < leg.ended_at:
                return None
            for claim in leg.mode_claims:
                if claim.by is ClaimBy.PERSON:
                    return None
            end = leg.ended_at
        return _Draft(
            chains=parts[0],
            observations=[(chain.current.received_at, trip.id)],
            started_at=trip.started_at,
            ended_at=trip.ended_at,
            start_zone=trip.start_zone,
            end_zone=trip.end_zone,
            origin=trip.origin,
            destination=trip.destination,
            legs=[],
            evidence=took_place(chain.current),
            register=None,
            modes=[],
            purposes=[],
            replaced=[],
            spoken=False,
            shape=trip.id,
            is_alone=True,
        )

    def _draft_whole(self, parts: list[list[_Chain]]) -> _Draft:
        drafts = sorted(
            (self._draft(part) for part in parts),
            key=lambda draft: (draft.started_at, draft.ended_at, draft.chains[0].id),
        )
        first, last = drafts[0], max(drafts, key=lambda draft: draft.ended_at)
        if len(drafts) == 1:
            return first
        return replace(
            first,
            chains=[chain for draft in drafts for chain in draft.chains],
            observations=[name for draft in drafts for name in draft.observations],
            ended_at=last.ended_at,
            end_zone=last.end_zone,
            destination=last.destination,
            legs=sorted(
                (leg for draft in drafts for leg in draft.legs),
                key=lambda leg: (leg.started_at, leg.ended_at),
            ),
            evidence=weakest([draft.evidence for draft in drafts]),
            register=first.register,
            modes=[said for draft in drafts for said in draft.modes],
            total=sum(draft.distance() for draft in drafts),
            labels=[label for draft in drafts for label in draft.labels],
            purposes=[said for draft in drafts for said in draft.purposes],
            replaced=[said for draft in drafts for said in draft.replaced],
            spoken=all(draft.spoken for draft in drafts),
        )

    def _draft(self, chains: list[_Chain]) -> _Draft:
        ranked = sorted(_speaking(chains), key=_shape_order)
        shape = ranked[0]
        trip = shape.trip
        evidence = Evidence.DECLARED
        for chain in ranked:
            evidence = stronger(evidence, took_place(chain.current))
        draft = _Draft(
            chains=chains,
            observations=[],
            started_at=trip.started_at,
            ended_at=trip.ended_at,
            start_zone=trip.start_zone,
            end_zone=trip.end_zone,
            origin=trip.origin or _first(c.trip.origin for c in ranked),
            destination=trip.destination or _first(c.trip.destination for c in ranked),
            legs=[],
            evidence=evidence,
            register=_first(
                c.trip.register for c in ranked if took_place(c.current) is Evidence.REGISTRY
            ),
            modes=[],
            purposes=[],
            replaced=[],
            spoken=False,
            shape=trip.id,
        )
        draft.total = _whole_distance(ranked, draft)
        draft.legs = _legs(trip, draft)
        for rank, chain in enumerate(ranked):
            _add_claims(draft, chain, rank)
        for chain in chains:
            for version in chain.versions:
                draft.observations.append((version.received_at, version.observation.id))
            _add_words(draft, chain)
        return draft

    # 8: the citizen's own words, and cuts

    def _acts_on(self, names: Iterable[Iri]) -> list[CitizenObservation]:
        found = {act.id: act for name in names for act in self.acts_by_target.get(name, ())}
        return sorted(found.values(), key=lambda act: (act.at, act.id))

    def _names(self, own: Iterable[Iri]) -> set[Iri]:
        """Everything an act may call a trip by: its observations, its IRI, its aliases."""
        names = set(own)
        for name in list(names):
            iri = self.known.get(name)
            if iri is not None:
                names.update((iri, *self.aliases.get(iri, ())))
        return names

    def _split(self, draft: _Draft) -> list[_Draft]:
        draft.observations.sort()
        if not self.acts_by_target:
            return [draft]
        names = self._names(name for _, name in draft.observations)
        acts = self._acts_on(names)
        parts, rest = [], draft
        cuts = [
            (act.split_at, act)
            for act in acts
            if act.act == "split"
            and act.split_at
            and not self._taken_back(act)
            # One act cuts one trip, that of its first target: its id names one part behind.
            and act.targets[0] in names
        ]
        for split_at, act in sorted(cuts, key=lambda cut: (cut[0], cut[1].at, cut[1].id)):
            if rest.started_at < split_at < rest.ended_at:
                before, rest = _cut(rest, split_at, act)
                parts.append(before)
        parts.append(rest)
        behind = [self._names([part.split_by.id]) for part in parts if part.split_by is not None]
        cut_names = set().union(*behind)
        acts = self._acts_on(names | cut_names)
        first_cut = min((p.split_by.at for p in parts if p.split_by is not None), default=None)
        for act in acts:
            if act.act not in {"mode", "purpose"}:
                continue
            for part in parts:
                if first_cut is not None and act.at < first_cut:
                    meant = True
                elif part.split_by is None:
                    meant = cut_names.isdisjoint(act.targets)
                else:
                    meant = not self._names([part.split_by.id]).isdisjoint(act.targets)
                if meant:
                    _say(part, act)
        return parts

    def _taken_back(self, cut: CitizenObservation) -> bool:
        """Whether the citizen merged the parts again since."""
        return any(
            act.act == "merge" and (act.at, act.id) > (cut.at, cut.id)
            for name in self._names([cut.id])
            for act in self.acts_by_target.get(name, ())
        )

    def _suppressed(self, part: _Draft) -> bool:
        """Whether the citizen deleted this trip, under whatever observations it comes back."""
        start, end = part.started_at.timestamp(), part.ended_at.timestamp()
        return any(_lies_in(start, end, low, high) for low, high in self.deleted)

    # 9: names

    def _name(
        self, drafts: list[_Draft]
    ) -> tuple[list[Trip], dict[int, list[Iri]], dict[Iri, Iri]]:
        drafts.sort(key=lambda draft: (_anchor(draft), draft.started_at))
        owner: dict[Iri, tuple[tuple[datetime, Iri], int]] = {}
        for number, draft in enumerate(drafts):
            for received_at, name in _own_names(draft):
                iri = self.known.get(name)
                if iri is None:
                    continue
                claim = ((received_at, name), number)
                if iri not in owner or claim < owner[iri]:
                    owner[iri] = claim
        owned: dict[int, list[tuple[tuple[datetime, Iri], Iri]]] = {}
        for iri, (claim_key, number) in owner.items():
            owned.setdefault(number, []).append((claim_key, iri))
        trips: list[Trip] = []
        by_chain: dict[int, list[Iri]] = {}
        shapes: dict[Iri, Iri] = {}
        for number, draft in enumerate(drafts):
            kept = [iri for _, iri in sorted(owned.get(number, []))]
            iri = kept[0] if kept else self.mint(_own_names(draft)[0][1])
            former = {*kept[1:]}
            for name in kept:
                former.update(self.aliases.get(name, ()))
            former.discard(iri)
            trip = (_trip_alone if draft.is_alone else _trip)(
                draft, iri, tuple(sorted(former)), self.tracks
            )
            trips.append(trip)
            shapes[iri] = draft.shape
            for chain in draft.chains:
                by_chain.setdefault(chain.number, []).append(iri)
        return trips, by_chain, shapes


# --- small rules -------------------------------------------------------------------------------


def _once(received: Iterable[Received]) -> list[Received]:
    """Step 1: one `Received` per observation id."""
    best: dict[Iri, tuple[tuple[int, tuple[datetime, str, int]], Received]] = {}
    for item in received:
        key = (-item.ceiling.rank, _arrival(item))
        name = item.observation.id
        if name not in best or key < best[name][0]:
            best[name] = (key, item)
    return [item for _, item in sorted(best.values(), key=lambda pair: pair[1].observation.id)]


def _suppresses(act: Suppression, trip: TripObservation, received: Received) -> bool:
    if act.source is not None and act.source != trip.source:
        return False
    if act.account is not None and act.account not in {trip.account, received.account}:
        return False
    if act.scope in {"all", "account"}:
        return trip.started_at <= act.at
    if act.scope != "interval" or act.started_at is None or act.ended_at is None:
        return False
    return act.started_at <= trip.started_at <= act.ended_at


def _lies_in(start: float, end: float, low: float, high: float) -> bool:
    """At least half of a trip's own time lies in a deleted trip, or the ends agree.

    Half of its *own* time: a deleted journey that was merged from two rides comes back as two, each
    shorter than what was deleted.
    """
    if same_time(start, end, low, high):
        return True
    if end <= start:
        return low <= start <= high
    return (min(end, high) - max(start, low)) / (end - start) >= 0.5


def _places_agree(one: TripObservation, two: TripObservation) -> bool | None:
    """Both ends within 500 m; None when an end is unknown on either side."""
    ends = ((one.origin, two.origin), (one.destination, two.destination))
    unknown = False
    for a, b in ends:
        if a is None or b is None:
            unknown = True
        elif metres_between(a, b) > PLACES_WITHIN_M:
            return False
    return None if unknown else True


def _edge_order(edge: tuple[_Chain, _Chain]) -> tuple[float, float, str, str]:
    one, two = edge
    share = overlap_share(one.start, one.end, two.start, two.end)
    drift = abs(one.start - two.start) + abs(one.end - two.end)
    low, high = sorted((one.id, two.id))
    return (-share, drift, low, high)


def _pool(parts: list[list[_Chain]]) -> list[list[_Chain]]:
    """Merged groups over the same time are one part; those that follow each other, several."""
    parts = sorted(parts, key=lambda part: (part[0].start, part[0].end, part[0].id))
    pooled: list[list[_Chain]] = []
    for part in parts:
        for other in pooled:
            if any(same_time(a.start, a.end, b.start, b.end) for a in other for b in part):
                other.extend(part)
                break
        else:
            pooled.append(list(part))
    return pooled


def _speaking(chains: Iterable[_Chain]) -> list[_Chain]:
    """One chain an account: the last written. A reset pipeline speaks once, not twice."""
    last: dict[Account, _Chain] = {}
    for chain in chains:
        other = last.get(chain.key)
        if other is None or _version_order(chain.current) > _version_order(other.current):
            last[chain.key] = chain
    return list(last.values())


def _shape_order(chain: _Chain) -> tuple[bool, bool, bool, int, float, int, str]:
    """Which observation a trip takes ends, times and legs from; the smallest wins.

    Something attested before something declared, so that an editable file never shapes a trip a
    sensor saw; then both ends known, a track, more legs, the longer, the stronger class, the id.
    """
    trip, evidence = chain.trip, took_place(chain.current)
    return (
        evidence < Evidence.SENSED,
        trip.origin is None or trip.destination is None,
        not trip.track,
        -len(trip.legs),
        chain.start - chain.end,
        -evidence.rank,
        trip.id,
    )


_T = TypeVar("_T")


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _metres(origin: Place | None, destination: Place | None) -> int | None:
    if origin is None or destination is None:
        return None
    return round(metres_between(origin, destination))


def _whole_distance(ranked: Sequence[_Chain], draft: _Draft) -> int | None:
    """The whole as a source gives it; None when its legs will tell."""
    shape = ranked[0].trip
    if shape.distance is not None:
        return shape.distance
    if shape.legs and all(leg.distance is not None for leg in shape.legs):
        return None
    others = _first(chain.trip.distance for chain in ranked)
    return others if others is not None else _metres(draft.origin, draft.destination)


def _legs(trip: TripObservation, draft: _Draft) -> list[_LegDraft]:
    """Legs of the shape; a trip without legs is one leg. Unknown lengths: as the crow flies where
    both ends are known, else their share by time of what the others leave of the whole."""
    if not trip.legs:
        return [
            _LegDraft(
                draft.started_at, draft.ended_at, draft.total or 0, draft.origin, draft.destination
            )
        ]
    known = [
        leg.distance if leg.distance is not None else _metres(leg.origin, leg.destination)
        for leg in trip.legs
    ]
    rest = max(0, (draft.total or 0) - sum(distance or 0 for distance in known))
    times = [(leg.ended_at - leg.started_at).total_seconds() for leg in trip.legs]
    blank = sum(time for time, distance in zip(times, known, strict=True) if distance is None)
    legs = [
        _LegDraft(
            leg.started_at,
            leg.ended_at,
            distance if distance is not None else round(rest * time / blank) if blank else 0,
            leg.origin,
            leg.destination,
        )
        for leg, distance, time in zip(trip.legs, known, times, strict=True)
    ]
    legs.sort(key=lambda leg: (leg.started_at, leg.ended_at))
    return legs


def _main_leg(draft: _Draft) -> _LegDraft:
    return min(
        draft.legs,
        key=lambda leg: (-leg.distance, leg.started_at - leg.ended_at, leg.started_at),
    )


def _leg_like(draft: _Draft, seen: LegObservation) -> _LegDraft | None:
    """The leg another source saw too: at least half of the longer in common."""
    start, end = seen.started_at.timestamp(), seen.ended_at.timestamp()
    best = max(
        draft.legs,
        key=lambda leg: overlap_share(
            leg.started_at.timestamp(), leg.ended_at.timestamp(), start, end
        ),
    )
    share = overlap_share(best.started_at.timestamp(), best.ended_at.timestamp(), start, end)
    return best if share >= 0.5 else None


def _add_claims(draft: _Draft, chain: _Chain, rank: int) -> None:
    """Hang every claim of one observation on the leg it is about."""
    ceiling = chain.current.ceiling
    order = _order(chain.current, chain.trip.written_at)

    def hang(leg: _LegDraft, claims: Iterable[ModeClaim]) -> None:
        for claim in claims:
            if claim.by is ClaimBy.PERSON:
                leg.said.append(_Statement(order, claim.mode))
                draft.spoken = True
            else:
                leg.claims.append(
                    weigh(
                        claim.mode,
                        claim.by,
                        claim.confidence,
                        ceiling=ceiling,
                        preference=-rank,
                    )
                )

    for seen in chain.trip.legs:
        leg = _leg_like(draft, seen)
        if leg is not None:
            hang(leg, seen.mode_claims)
    whole = [claim for claim in chain.trip.mode_claims if claim.by is not ClaimBy.PERSON]
    if whole:
        hang(_main_leg(draft), whole)
    for claim in chain.trip.mode_claims:
        if claim.by is ClaimBy.PERSON:
            draft.modes.append(_Statement(order, claim.mode))
            draft.spoken = True


def _add_words(draft: _Draft, chain: _Chain) -> None:
    """Purpose and labels of one observation."""
    order = _order(chain.current, chain.trip.written_at)
    if chain.trip.purpose is not None:
        draft.purposes.append(_Statement(order, chain.trip.purpose))
    if chain.trip.replaced_mode is not None:
        draft.replaced.append(_Statement(order, chain.trip.replaced_mode))
    for item in chain.labels:
        label = item.observation
        assert isinstance(label, LabelObservation)  # noqa: S101 (only labels are hung)
        said = _order(item, label.written_at)
        draft.labels.append(label.id)
        draft.spoken = True
        match label.property:
            case "mode":
                if label.mode is not None:
                    draft.modes.append(_Statement(said, label.mode))
            case "purpose":
                draft.purposes.append(_Statement(said, label.value))
            case "replaced_mode":
                if label.mode is not None:
                    draft.replaced.append(_Statement(said, label.mode))


def _say(part: _Draft, act: CitizenObservation) -> None:
    order = (act.at, act.at, act.id)
    if act.mode is not None and act.act == "mode":
        part.modes.append(_Statement(order, act.mode, in_vault=True))
    if act.purpose is not None and act.act == "purpose":
        part.purposes.append(_Statement(order, act.purpose, in_vault=True))
    part.spoken = True


def _last(said: Sequence[_Statement]) -> _Statement | None:
    return max(said, key=lambda statement: statement.order, default=None)


def _person(said: Sequence[_Statement]) -> PersonClaim | None:
    last = _last([statement for statement in said if statement.value is not Mode.UNKNOWN])
    return PersonClaim(Mode(str(last.value)), last.in_vault) if last else None


def _cut(draft: _Draft, at: datetime, act: CitizenObservation) -> tuple[_Draft, _Draft]:
    """Two trips of one. A leg across the cut is shared by time; the place of the cut is unknown
    unless a leg ends or starts there."""
    before: list[_LegDraft] = []
    behind: list[_LegDraft] = []
    for leg in draft.legs:
        if leg.ended_at <= at:
            before.append(leg)
        elif leg.started_at >= at:
            behind.append(leg)
        else:
            share = (at - leg.started_at) / (leg.ended_at - leg.started_at)
            metres = round(leg.distance * share)
            before.append(replace(leg, ended_at=at, destination=None, distance=metres))
            behind.append(replace(leg, started_at=at, origin=None, distance=leg.distance - metres))
    share = (at - draft.started_at) / (draft.ended_at - draft.started_at)
    total = draft.distance()
    first = replace(
        draft,
        ended_at=at,
        end_zone=draft.start_zone,
        destination=before[-1].destination if before else None,
        legs=before,
        total=None if before else round(total * share),
        modes=list(draft.modes),
        purposes=list(draft.purposes),
    )
    second = replace(
        draft,
        started_at=at,
        start_zone=draft.end_zone,
        origin=behind[0].origin if behind else None,
        legs=behind,
        total=None if behind else total - round(total * share),
        modes=list(draft.modes),
        purposes=list(draft.purposes),
        split_by=act,
    )
    return first, second


def _own_names(draft: _Draft) -> list[tuple[datetime, Iri]]:
    """What a trip's IRI sticks to, oldest first: its observations, or the act that cut it off."""
    if draft.split_by is not None:
        return [(draft.split_by.at, draft.split_by.id)]
    return draft.observations


def _anchor(draft: _Draft) -> tuple[datetime, Iri]:
    return _own_names(draft)[0]


def _trip_alone(
    draft: _Draft, iri: Iri, aliases: tuple[Iri, ...], tracks: Callable[[Iri], Digest | None]
) -> Trip:
    """`_trip` of a draft that `_alone` made."""
    (chain,) = draft.chains
    seen, ceiling = chain.trip, chain.current.ceiling
    legs = []
    for index, leg in enumerate(seen.legs):
        if len(leg.mode_claims) == 1 and leg.mode_claims[0].mode is not Mode.UNKNOWN:
            (claim,) = leg.mode_claims
            mode, evidence = claim.mode, claim_class(claim.by, ceiling)
        else:
            mode, evidence = mode_evidence(
                weigh(claim.mode, claim.by, claim.confidence, ceiling=ceiling, preference=0)
                for claim in leg.mode_claims
            )
        assert leg.distance is not None  # noqa: S101  # `_alone` looked
        legs.append(
            _leg_of(
                id=node_iri(iri, f"legs/{index}"),
                mode=mode,
                mode_evidence=evidence,
                distance=leg.distance,
                started_at=leg.started_at,
                ended_at=leg.ended_at,
                origin=leg.origin,
                destination=leg.destination,
            )
        )
    main = legs[0].mode if len(legs) == 1 else main_mode(legs)
    distance = seen.distance
    return _trip_of(
        id=iri,
        started_at=seen.started_at,
        ended_at=seen.ended_at,
        start_zone=seen.start_zone,
        end_zone=seen.end_zone,
        origin=seen.origin,
        destination=seen.destination,
        legs=tuple(legs),
        distance=Metres(sum(leg.distance for leg in legs)) if distance is None else distance,
        mode=main,
        evidence=draft.evidence,
        mode_evidence=weakest([leg.mode_evidence for leg in legs if leg.mode is main]),
        purpose=seen.purpose,
        replaced_mode=seen.replaced_mode,
        register=seen.register if draft.evidence is Evidence.REGISTRY else None,
        observations=(seen.id,),
        aliases=aliases,
        track=tracks(seen.id),
    )


def _trip(
    draft: _Draft, iri: Iri, aliases: tuple[Iri, ...], tracks: Callable[[Iri], Digest | None]
) -> Trip:
    """The finished trip: modes settled, classes computed."""
    alone = [leg.settle(None) for leg in draft.legs]
    person = _person(draft.modes)
    if person is not None and draft.legs:
        main = main_mode(
            _leg(leg, said, iri, 0) for leg, said in zip(draft.legs, alone, strict=True)
        )
        alone = [
            leg.settle(person) if said[0] is main else said
            for leg, said in zip(draft.legs, alone, strict=True)
        ]
    legs = tuple(
        _leg(leg, said, iri, index)
        for index, (leg, said) in enumerate(zip(draft.legs, alone, strict=True))
    )
    mode = main_mode(legs)
    evidence = confirmed_by_person(draft.evidence) if draft.spoken else draft.evidence
    purpose, replaced = _last(draft.purposes), _last(draft.replaced)
    cut = (draft.split_by.id,) if draft.split_by is not None else ()
    said = (*cut, *(name for _, name in draft.observations), *sorted(draft.labels))
    return Trip(
        id=iri,
        started_at=draft.started_at,
        ended_at=draft.ended_at,
        start_zone=draft.start_zone,
        end_zone=draft.end_zone,
        origin=draft.origin,
        destination=draft.destination,
        legs=legs,
        distance=Metres(draft.distance()),
        mode=mode,
        evidence=evidence,
        mode_evidence=weakest([leg.mode_evidence for leg in legs if leg.mode is mode]),
        purpose=str(purpose.value) if purpose else None,
        replaced_mode=Mode(str(replaced.value)) if replaced else None,
        register=draft.register,
        observations=said,
        aliases=aliases,
        track=_first(map(tracks, (draft.shape, *said))),
    )


def _leg(leg: _LegDraft, said: tuple[Mode, Evidence], iri: Iri, index: int) -> Leg:
    return Leg(
        id=node_iri(iri, f"legs/{index}"),
        mode=said[0],
        mode_evidence=said[1],
        distance=Metres(leg.distance),
        started_at=leg.started_at,
        ended_at=leg.ended_at,
        origin=leg.origin,
        destination=leg.destination,
    )


# --- windows -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Windows:
    """The part of time a set of new observations can change."""

    spans: tuple[tuple[float, float], ...]
    """Disjoint, in order, epoch seconds; nothing outside touches anything inside."""
    whole: bool
    """Everything has to run: an account or all was suppressed."""
    targets: frozenset[Iri]
    """Observations inside, which acts may name."""

    def holds(self, received: Received) -> bool:
        """Whether the observation takes part in the re-run."""
        if self.whole:
            return True
        observation = received.observation
        match observation:
            case TripObservation() | LabelObservation():
                return observation.id in self.targets
            case CitizenObservation():
                return True
            case Suppression():
                return True
            case _:
                return False

    def holds_trip(self, trip: Trip) -> bool:
        """Whether a stored trip is replaced by what the re-run gives."""
        return self.whole or not self.targets.isdisjoint(trip.observations)


def touched_windows(
    new: Iterable[Received],
    everything: Iterable[Received],
    *,
    known: Mapping[Iri, Iri] | None = None,
) -> Windows:
    """What has to run again when `new` joins `everything` (which may hold `new` already).

    Each new observation opens its interval and one day either side. A window then grows until no
    observation reaches over its edge, no upstream id and no act of the citizen ties it to one
    outside: so `reconcile` of what it holds gives the trips that `reconcile` of everything would.
    """
    fresh = list(new)
    every = {item.observation.id: item for item in (*everything, *fresh)}
    items = list(every.values())
    for item in fresh:
        act = item.observation
        if isinstance(act, Suppression) and (
            act.undoes is not None or act.scope in {"account", "all"}
        ):
            return Windows((), True, frozenset(every))
    spans = _Spans()
    wanted: set[Iri] = set()
    for item in fresh:
        observation = item.observation
        match observation:
            case TripObservation() | LabelObservation():
                spans.add(
                    observation.started_at - WINDOW_MARGIN, observation.ended_at + WINDOW_MARGIN
                )
            case Suppression() if observation.started_at and observation.ended_at:
                spans.add(
                    observation.started_at - WINDOW_MARGIN, observation.ended_at + WINDOW_MARGIN
                )
            case CitizenObservation():
                wanted.update(observation.targets)
            case _:
                pass
    ties = _ties(items, known or {})
    for name in list(wanted):
        wanted.update(ties.get(name, ()))
    timed = [
        (o.started_at.timestamp(), o.ended_at.timestamp(), o.id)
        for o in (item.observation for item in items)
        if isinstance(o, TripObservation | LabelObservation)
    ]
    inside: set[Iri] = set()
    while True:
        grown = False
        for start, end, name in timed:
            if name in inside:
                continue
            if name in wanted or spans.touch(start - _FIVE_MINUTES_S, end + _FIVE_MINUTES_S):
                inside.add(name)
                wanted.update(ties.get(name, ()))
                spans.add_seconds(start - _FIVE_MINUTES_S, end + _FIVE_MINUTES_S)
                grown = True
        if not grown:
            return Windows(spans.spans(), False, frozenset(inside))


def _ties(items: Sequence[Received], known: Mapping[Iri, Iri]) -> dict[Iri, set[Iri]]:
    """Observation → others that must run with it: versions of one upstream trip, acts' targets."""
    groups: dict[object, set[Iri]] = {}
    for item in items:
        observation = item.observation
        match observation:
            case TripObservation():
                if observation.id in known:  # acts may name the trip by its IRI
                    iri = known[observation.id]
                    groups.setdefault(iri, {iri}).add(observation.id)
                for upstream in observation.upstream_ids:
                    groups.setdefault((account_of(item), upstream), set()).add(observation.id)
            case CitizenObservation():
                groups[observation.id] = set(observation.targets)
            case _:
                pass
    ties: dict[Iri, set[Iri]] = {}
    for names in groups.values():
        if len(names) > 1:
            for name in names:
                ties.setdefault(name, set()).update(names)
    return ties


class _Spans:
    """A growing set of disjoint intervals."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []

    def add(self, start: datetime, end: datetime) -> None:
        self.add_seconds(start.timestamp(), end.timestamp())

    def add_seconds(self, start: float, end: float) -> None:
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def touch(self, start: float, end: float) -> bool:
        return bisect_left(self._ends, start) < bisect_right(self._starts, end)

    def spans(self) -> tuple[tuple[float, float], ...]:
        return tuple(zip(self._starts, self._ends, strict=True))


__all__ = [
    "Known",
    "NamedTrip",
    "Reconciliation",
    "Windows",
    "account_of",
    "known_from",
    "overlap_share",
    "reconcile",
    "same_time",
    "touched_windows",
]
