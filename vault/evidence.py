"""Evidence classes, computed. Nothing here reads a class from a payload, a file or an archive.

A source can claim (a sensor saw it, an operator carried it, a register holds it); the registry says
what its depositor may attest, the `ceiling`. The class is the weaker of the two. A person's word
is `declared`; with the sensor it is `confirmed`, against it `corrected`. Design of the vault §5.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.evidence import Evidence
from schemas.modes import Mode
from schemas.observations import ClaimBy, Received, TripObservation

RETAINED: Final = "ok"
"""The register's word for a journey it keeps (RPC API 3.3)."""
_CLAIMED: Final = {
    ClaimBy.SENSOR: Evidence.SENSED,
    ClaimBy.INFERENCE: Evidence.SENSED,
    ClaimBy.PERSON: Evidence.DECLARED,
    ClaimBy.OPERATOR: Evidence.OPERATOR,
    ClaimBy.REGISTRY: Evidence.REGISTRY,
}
_REFINES: Final = {
    Mode.BICYCLE: frozenset({Mode.EBIKE, Mode.BIKESHARE}),
    Mode.AIR_OR_HSR: frozenset({Mode.PLANE, Mode.TRAIN}),
}
"""Sensor's word → words a person may make of it without contradicting it.

A car is not among them: a phone cannot see who else sat in it, so « covoiturage » against a sensed
car is a correction, never a confirmation.
"""


def weaker(one: Evidence, other: Evidence) -> Evidence:
    """The weaker of two classes."""
    return one if one.rank <= other.rank else other


def stronger(one: Evidence, other: Evidence) -> Evidence:
    """The stronger of two classes."""
    return one if one.rank >= other.rank else other


def claim_class(by: ClaimBy, ceiling: Evidence) -> Evidence:
    """The class of one claim about a mode: what is claimed, at most what may be attested."""
    return weaker(_CLAIMED[by], ceiling)


def took_place(received: Received) -> Evidence:
    """That the trip of one observation took place.

    A register entry that the register retains claims `registry` (sent, refused or not yet decided
    it claims nothing); an operator's or register's word about the mode claims the
    same of the trip; a track or a sensor's word claims `sensed`; anything else is `declared`.
    Observations that are no trips are `declared`.
    """
    observation = received.observation
    if not isinstance(observation, TripObservation):
        return Evidence.DECLARED
    claimed = Evidence.DECLARED
    if observation.register is not None and observation.register.status == RETAINED:
        claimed = Evidence.REGISTRY
    elif observation.track:
        claimed = Evidence.SENSED
    for said in (observation.mode_claims, *(leg.mode_claims for leg in observation.legs)):
        for claim in said:
            claimed = stronger(claimed, _CLAIMED[claim.by])
    return weaker(claimed, received.ceiling)


def confirmed_by_person(sensed: Evidence) -> Evidence:
    """`sensed` with the person's agreement; stronger and weaker classes stay what they are."""
    return Evidence.CONFIRMED if sensed is Evidence.SENSED else sensed


@dataclass(frozen=True, slots=True, order=True)
class WeighedClaim:
    """One claim about a mode with its computed class. Orders by strength, for total tie-breaks."""

    rank: int
    """Of the class."""
    confidence: float
    """-1 where the source gives none."""
    preference: int
    """Higher for the observation the trip takes its shape from."""
    mode: Mode
    evidence: Evidence


def weigh(
    mode: Mode, by: ClaimBy, confidence: float | None, *, ceiling: Evidence, preference: int
) -> WeighedClaim:
    """`WeighedClaim` of a source's claim."""
    evidence = claim_class(by, ceiling)
    known = confidence if confidence is not None else -1.0
    return WeighedClaim(evidence.rank, known, preference, mode, evidence)


@dataclass(frozen=True, slots=True)
class PersonClaim:
    """What the person says the mode was; `in_vault`: decided here, not read from an app."""

    mode: Mode
    in_vault: bool


def mode_evidence(
    claims: Iterable[WeighedClaim], person: PersonClaim | None = None
) -> tuple[Mode, Evidence]:
    """The mode of a ride and its class, from the sources' claims and the person's word.

    1. A claim of `UNKNOWN` says nothing and is left out.
    2. Without the person, the strongest claim wins (class, confidence, preference, mode).
    3. A person who agrees with it: `confirmed` if it was sensed, else its class.
    4. A person in the vault who disagrees is right about their own life: `corrected`.
    5. A label from an app that disagrees corrects a sensor, not an operator or a register.
    6. Nobody but the person: `declared`.
    """
    best = max((claim for claim in claims if claim.mode is not Mode.UNKNOWN), default=None)
    if person is None or person.mode is Mode.UNKNOWN:
        return (best.mode, best.evidence) if best else (Mode.UNKNOWN, Evidence.DECLARED)
    if best is None:
        return person.mode, Evidence.DECLARED
    if person.mode is best.mode or person.mode in _REFINES.get(best.mode, ()):
        return person.mode, confirmed_by_person(best.evidence)
    if best.evidence >= Evidence.OPERATOR and not person.in_vault:
        return best.mode, best.evidence
    if best.evidence is Evidence.DECLARED:
        return person.mode, Evidence.DECLARED
    return person.mode, Evidence.CORRECTED


def weakest(classes: Sequence[Evidence]) -> Evidence:
    """The weakest of some classes; `declared` of none."""
    return min(classes, key=lambda evidence: evidence.rank, default=Evidence.DECLARED)


__all__ = [
    "PersonClaim",
    "WeighedClaim",
    "claim_class",
    "confirmed_by_person",
    "mode_evidence",
    "stronger",
    "took_place",
    "weaker",
    "weakest",
    "weigh",
]
