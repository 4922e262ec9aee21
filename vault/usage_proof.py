"""Usage proofs: a template evaluated in the open vault, at the strongest assurance there is.

Steps: (1) the trips of the period, and for eligible days the citizen's own places, (2) what counts
under the template, (3) the figure, the weakest evidence in it, and where one stands towards the
threshold, (4) the assurance methods, strongest first, each taken or left with its reason:
`source-trips` (the fewest trips signed by their source that answer it), `source-aggregate` (a total
the source signed), `vault-attested` (the home signs the figure and the root of an evidence tree
over every observation it rests on), `self-declared` (the holder signs), (5) the least disclosure of
that method. No place, no time of day and no single trip is in a usage proof; the tree's salts stay
sealed in the vault for an audit (`vault/audit.py`).
"""

import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from federation.credentials.held import LDP_VC, Held
from federation.credentials.issue import issue
from federation.credentials.types import usage_proof as usage_proof_body
from federation.merkle import Leaf, root_of
from federation.usage import (
    TRIP,
    USAGE,
    Breakdown,
    Metric,
    ProofTemplate,
    choose_trips,
    disclosed,
    standing,
    tally,
    value_of,
)
from schemas import co2
from schemas.eligible_day import DayRule, eligible_days, trip_evidence
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Digest, Iri, digest_text, parse_digest
from schemas.modes import Mode
from schemas.records import NamedPlace, Trip
from vault.errors import ShareRefusedError
from vault.evidence import weakest

if TYPE_CHECKING:
    from federation.keys import Signer
    from vault.home import Home
    from vault.observed import Observed

__all__ = [
    "SOFTWARE",
    "EvidenceTree",
    "Ground",
    "MethodTried",
    "UsageCount",
    "UsageProof",
    "count_usage",
    "methods",
    "signed_total",
    "signed_trips",
    "usage_proof",
]

SOFTWARE: Final = "mobility-vault/0.1.0"


class Ground(Protocol):
    """What a proof rests on: an open vault, or the months that a standing consent opens."""

    home: "Home"

    def trips(self, since: date, until: date) -> Sequence[Trip]:
        """Trips of these local days, both included."""
        ...

    def places(self) -> Sequence[NamedPlace]:
        """The citizen's own places."""
        ...

    def observed(self, iri: Iri) -> "Observed":
        """One observation. Raises RecordUnknownError."""
        ...

    def observed_of(self, trip: Iri) -> "Sequence[Observed]":
        """The observations behind a trip."""
        ...


@dataclass(frozen=True, slots=True)
class UsageCount:
    """What a template comes to over a period."""

    metric: Metric
    value: int
    """Days, trips, metres or grams, by the metric."""
    by_mode: Mapping[Mode, int]
    by_evidence: Mapping[Evidence, int]
    weakest: Evidence
    trips: tuple[Iri, ...]
    """The trips that count."""
    alone: int = 0
    """Of emissions: grams of the same distance alone in a thermal car."""

    @property
    def days(self) -> int:
        """The figure, of a count of days; 0 of any other."""
        return self.value if self.metric is Metric.ELIGIBLE_DAYS else 0


@dataclass(frozen=True, slots=True)
class MethodTried:
    """One assurance method: taken, or why not."""

    method: AssuranceMethod
    why_not: str | None
    """`not-asked` (a stronger one was taken), `needs-places`, `needs-all-trips`, `no-trip-family`,
    `no-signed-trips`, `too-few-signed-trips`, `no-signed-total`, `home-not-accredited`, `too-weak`,
    `threshold-not-reached`; None: this one."""
    found: int = 0
    """Signed trips that count, of `too-few-signed-trips`."""


@dataclass(frozen=True, slots=True)
class EvidenceTree:
    """The leaves behind a proof, kept sealed: an audit opens some of them."""

    leaves: tuple[Leaf, ...]
    observations: tuple[Iri, ...]
    """IRI of the observation behind each leaf."""

    @property
    def root(self) -> Digest:
        return root_of(self.leaves)

    def to_bytes(self) -> bytes:
        return json.dumps(
            [
                {
                    "salt": leaf.salt.hex(),
                    "observation": digest_text(leaf.observation),
                    "manifest": None if leaf.manifest is None else digest_text(leaf.manifest),
                    "index": leaf.index,
                    "iri": iri,
                }
                for leaf, iri in zip(self.leaves, self.observations, strict=True)
            ],
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "EvidenceTree":
        found = json.loads(data)
        return cls(
            tuple(
                Leaf(
                    bytes.fromhex(item["salt"]),
                    parse_digest(item["observation"]),
                    None if item["manifest"] is None else parse_digest(item["manifest"]),
                    item["index"],
                )
                for item in found
            ),
            tuple(Iri(item["iri"]) for item in found),
        )


@dataclass(frozen=True, slots=True)
class UsageProof:
    """A signed usage proof and what it rests on."""

    credential: Mapping[str, Any]
    tree: EvidenceTree
    count: UsageCount


def count_usage(vault: Ground, template: ProofTemplate, *, period: tuple[date, date]) -> UsageCount:
    """Steps 1 to 3: what the vault can prove for this template. Nothing leaves."""
    since, until = period
    if template.metric != Metric.ELIGIBLE_DAYS:
        return _count_trips(vault, template, since, until)
    rule = DayRule(
        iri=template.rule,
        modes=template.modes,
        minimum_evidence=template.minimum_evidence,
        cap_per_day=template.cap_per_day,
    )
    days = eligible_days(  # 2
        vault.trips(since, until), vault.places(), rule, since=since, until=until
    )
    classes = [day.evidence for day in days]
    return UsageCount(  # 3
        metric=Metric.ELIGIBLE_DAYS,
        value=len(days),
        by_mode=dict(sorted(Counter(day.mode for day in days).items())),
        by_evidence=dict(sorted(Counter(classes).items())),
        weakest=weakest(classes),
        trips=tuple(trip for day in days for trip in day.trips),
    )


def _count_trips(vault: Ground, template: ProofTemplate, since: date, until: date) -> UsageCount:
    found = [
        trip
        for trip in vault.trips(since, until)
        if since <= trip.local_date <= until
        and trip.mode in template.modes
        and trip_evidence(trip) >= template.minimum_evidence
        and trip.distance >= template.minimum_distance
        and (
            not template.register_classes
            or (trip.register is not None and trip.register.class_ in template.register_classes)
        )
    ]
    classes = [trip_evidence(trip) for trip in found]
    metric = Metric(template.metric)
    value, alone = 0, 0
    match metric:
        case Metric.DISTANCE:
            value = sum(trip.distance for trip in found)
        case Metric.EMISSION:
            value = sum(_emitted(trip) for trip in found)
            alone = sum(co2.counterfactual(trip.distance).grams for trip in found)
        case _:
            value = len(found)
    return UsageCount(
        metric=metric,
        value=value,
        alone=alone,
        by_mode=dict(sorted(Counter(trip.mode for trip in found).items())),
        by_evidence=dict(sorted(Counter(classes).items())),
        weakest=weakest(classes),
        trips=tuple(trip.id for trip in found),
    )


def _emitted(trip: Trip) -> int:
    """Grams by the factor of each leg's mode; a leg without one takes that of the trip's main mode
    (a template of emissions names only modes that have one), so that no distance is left out."""
    grams = 0
    for leg in trip.legs or (trip,):
        found = co2.emission(leg.mode, leg.distance) or co2.emission(trip.mode, leg.distance)
        grams += 0 if found is None else found.grams
    return grams


def signed_trips(
    template: ProofTemplate, held: Sequence[Held], *, period: tuple[date, date]
) -> tuple[Held, ...]:
    """The fewest signed trips that answer the template; empty when they do not reach it."""
    if not template.takes_signed_trips:
        return ()
    trips = [item for item in held if item.type == TRIP and isinstance(item.wire, str)]
    places = choose_trips(template, [item.subject for item in trips], period=period)
    return tuple(trips[place] for place in places)


def signed_total(
    template: ProofTemplate, held: Sequence[Held], *, period: tuple[date, date]
) -> Held | None:
    """A usage proof of this rule and period that a source signed, if the vault holds one that
    answers the template."""
    since, until = (day.isoformat() for day in period)
    for item in held:
        subject = item.subject
        if (
            item.type == USAGE
            and item.format == LDP_VC
            and subject.get("assuranceMethod") == AssuranceMethod.SOURCE_AGGREGATE.value
            and (subject["metric"], subject["rule"], subject["ruleVersion"])
            == (template.metric, template.rule, template.rule_version)
            and (subject["periodFrom"], subject["periodUntil"]) == (since, until)
            and disclosed(template, value_of(subject) or 0) is not None
        ):
            return item
    return None


def methods(
    vault: Ground,
    template: ProofTemplate,
    held: Sequence[Held],
    *,
    period: tuple[date, date],
    count: UsageCount,
) -> tuple[MethodTried, ...]:
    """Step 4: every method, strongest first. `held` are the credentials bound to the key of the
    verifier that asks. At most one has no `why_not`."""
    trust, at = vault.home.trust, vault.home.clock()
    why: dict[AssuranceMethod, tuple[str | None, int]] = {}
    chosen = signed_trips(template, held, period=period)
    if chosen:
        why[AssuranceMethod.SOURCE_TRIPS] = (None, len(chosen))
    elif template.metric == Metric.ELIGIBLE_DAYS:
        why[AssuranceMethod.SOURCE_TRIPS] = ("needs-places", 0)
    elif template.metric == Metric.EMISSION:
        why[AssuranceMethod.SOURCE_TRIPS] = ("needs-all-trips", 0)
    elif not template.trip_family:
        why[AssuranceMethod.SOURCE_TRIPS] = ("no-trip-family", 0)
    else:
        subjects = [item.subject for item in held if item.type == TRIP]
        known = tally(template, subjects, period=period).value
        why[AssuranceMethod.SOURCE_TRIPS] = (
            "too-few-signed-trips" if subjects else "no-signed-trips",
            known,
        )
    has_total = signed_total(template, held, period=period) is not None
    why[AssuranceMethod.SOURCE_AGGREGATE] = (None if has_total else "no-signed-total", 0)
    reached = disclosed(template, count.value) is not None
    accredited = trust is not None and trust.may_issue(vault.home.did, USAGE, at)
    computed = None if reached else "threshold-not-reached"
    why[AssuranceMethod.VAULT_ATTESTED] = (
        computed if accredited else "home-not-accredited",
        0,
    )
    why[AssuranceMethod.SELF_DECLARED] = (computed, 0)
    tried: list[MethodTried] = []
    taken = False
    for method in sorted(AssuranceMethod, key=lambda m: -m.strength):
        reason, found = why[method]
        if reason is None and taken:
            reason = "not-asked"
        elif reason is None and method.strength < template.minimum_assurance.strength:
            reason = "too-weak"
        taken = taken or reason is None
        tried.append(MethodTried(method, reason, found))
    return tuple(tried)


def usage_proof(
    vault: Ground,
    template: ProofTemplate,
    *,
    period: tuple[date, date],
    holder: Did,
    attester: "Signer",
    at: datetime,
    assurance: AssuranceMethod = AssuranceMethod.VAULT_ATTESTED,
    valid_until: datetime | None = None,
    count: UsageCount | None = None,
) -> UsageProof:
    """Compute and sign. For `SELF_DECLARED` give the holder's own signer as `attester`.

    Raises:
        ShareRefusedError: `threshold-not-reached:<what is missing>`.
    """
    count = count or count_usage(vault, template, period=period)
    figures = disclosed(template, count.value)
    if figures is None:
        missing = standing(template, count.value).missing
        raise ShareRefusedError(f"threshold-not-reached:{missing}")
    tree = _tree(vault, count)
    attested = assurance is not AssuranceMethod.SELF_DECLARED
    if count.metric is Metric.EMISSION and template.is_exact:
        figures = {**figures, "co2eAlone": count.alone}
    in_days = template.is_exact and count.metric is Metric.ELIGIBLE_DAYS
    body = usage_proof_body(
        holder=holder,
        period=period,
        rule=template.rule,
        rule_version=template.rule_version,
        metric=template.metric,
        figures=figures,
        weakest_evidence=count.weakest,
        assurance=assurance,
        days_by_mode=count.by_mode if in_days and Breakdown.MODE in template.breakdown else None,
        days_by_evidence=count.by_evidence
        if in_days and Breakdown.EVIDENCE in template.breakdown
        else None,
        evidence_root=tree.root if attested else None,
        tree_size=len(tree.leaves) if attested else None,
        attester_software=SOFTWARE if attested else None,
        co2_factor=co2.version() if count.metric is Metric.EMISSION else None,
        valid_until=valid_until,
    )
    return UsageProof(issue(body, signer=attester, at=at), tree, count)  # 5


def _tree(vault: Ground, count: UsageCount) -> EvidenceTree:
    wanted: dict[Iri, None] = {}
    for trip in count.trips:
        for observation in vault.observed_of(trip):
            wanted.setdefault(observation.iri)
    found = [vault.observed(iri) for iri in sorted(wanted)]
    leaves = tuple(
        Leaf(secrets.token_bytes(32), item.digest, item.received.manifest, item.received.index)
        for item in found
    )
    return EvidenceTree(leaves, tuple(item.iri for item in found))
