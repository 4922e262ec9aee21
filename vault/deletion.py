"""Deleting: what would go, what a live proof rests on, and what meets a deposited record later.

Trips are deleted through their observations (`OpenVault.delete`); this module adds the question
before (`preview`), civil days as an interval, and records that are no trips. A deposited record
that was deleted is met by a sealed suppression as trips are: by its IRI (`record`), or by its
account. What only the citizen wrote (a vehicle, a goal) is simply removed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from schemas.ids import Iri, mint_iri
from schemas.observations import (
    CitizenObservation,
    DocumentObservation,
    LabelObservation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import Compartment, Consent, Kind, Trip, zone
from vault.amending import forget
from vault.errors import ActRefusedError, RecordUnknownError
from vault.model import Deleted
from vault.months import UNDATED, MonthName
from vault.observed import Observed
from vault.window import Interval

if TYPE_CHECKING:
    from vault.library import Draft, Shelf
    from vault.open_vault import OpenVault

__all__ = [
    "AUDIT_TERM",
    "DeletionPreview",
    "LiveProof",
    "accounts",
    "behind",
    "days",
    "holding",
    "is_suppressed",
    "live_proofs",
    "pinned",
    "preview",
    "remove",
    "suppressions",
    "take_away",
]

AUDIT_TERM: Final = timedelta(days=4 * 365 + 1)
"""How long evidence behind a proof is kept from retention rules when its consent names no end: a
public body may claim an aid back for four years (loi n° 68-1250 du 31 décembre 1968, art. 1er)."""
_HOME_ZONE: Final = "Europe/Paris"
_KEPT: Final = frozenset({Kind.CONSENT, Kind.APPLICATION, Kind.AWARD, Kind.MANDATE})
"""Kinds that say what left the vault: withdraw or revoke them, they stay to be read."""


@dataclass(frozen=True, slots=True)
class LiveProof:
    """A proof that may still be audited, and what it rests on."""

    observations: frozenset[Iri]
    consent: Consent | None
    """What was agreed when it was shared; None for an attestation on paper."""
    given_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """What a deletion would destroy, counted; nothing has gone."""

    trips: int
    observations: int
    tracks: int
    documents: int
    """Deposited invoices, passes, attributes."""
    pinned: int
    """Observations among them that a live proof rests on: an audit would answer "withdrawn"."""
    proofs: tuple[LiveProof, ...]
    """Those proofs, newest first."""


def days(vault: "OpenVault", since: date, until: date) -> Interval:
    """From the first moment of `since` to the last of `until`, both included, in the zone where
    the trips of those days started (most of them)."""
    zones = Counter(trip.start_zone for trip in vault.trips(since, until))
    there = zone(max(zones, key=lambda name: (zones[name], name)) if zones else _HOME_ZONE)
    return (
        datetime.combine(since, time(), there),
        datetime.combine(until + timedelta(days=1), time(), there) - timedelta(milliseconds=1),
    )


def preview(
    vault: "OpenVault",
    *,
    interval: Interval | None = None,
    account: tuple[str, str] | None = None,
) -> DeletionPreview:
    """Count what `OpenVault.delete` with the same arguments would destroy."""
    doomed = vault.doomed(interval=interval, account=account)
    names = {item.iri for item in doomed}
    seen = [item.received.observation for item in doomed]
    months = vault.months(Kind.TRIP)
    with vault.library.reading() as shelf:
        trips = vault.trips_in(shelf, [m for m in shelf.months(Compartment.TRIPS) if m in months])
    proofs = live_proofs(vault, names)
    return DeletionPreview(
        trips=sum(bool(trip.observations) and names >= _sources(trip) for trip in trips),
        observations=len(doomed),
        tracks=sum(item.has_track for item in doomed),
        documents=sum(isinstance(o, DocumentObservation) for o in seen),
        pinned=len(names & frozenset[Iri]().union(*(proof.observations for proof in proofs))),
        proofs=tuple(proofs),
    )


def _sources(trip: Trip) -> set[Iri]:
    return set(trip.observations)


def accounts(vault: "OpenVault") -> list[tuple[str, str, int]]:
    """(source, account, observations) of everything deposited, most first."""
    found: Counter[tuple[str, str]] = Counter()
    for item in vault.all_observed():
        observation = item.received.observation
        if isinstance(observation, TripObservation | LabelObservation | DocumentObservation):
            found[(observation.source, item.received.account)] += 1
    return [(source, account, n) for (source, account), n in found.most_common()]


def pinned(vault: "OpenVault") -> frozenset[Iri]:
    """Observations that a live proof rests on."""
    return frozenset[Iri]().union(*(proof.observations for proof in live_proofs(vault)))


def live_proofs(vault: "OpenVault", among: Iterable[Iri] | None = None) -> list[LiveProof]:
    """Proofs that can still be audited, newest first; of those only what rests on `among`.

    A proof that was shared is live until its consent expires, or for `AUDIT_TERM` after it was
    given; one on paper for `AUDIT_TERM` after its newest trip was received. Withdrawing a consent
    stops the next share; what was sent can still be audited.
    """
    at = vault.home.clock()
    with vault.library.reading() as shelf:
        names = sorted(shelf.reader.setting_names(vault.vault_id, "evidence/"))
    if not names:
        return []
    wanted = None if among is None else frozenset(among)
    given = {
        record.presentation.hex(): record
        for record in vault.all(Kind.CONSENT)
        if isinstance(record, Consent)
    }
    out: list[LiveProof] = []
    for name in names:
        leaves = frozenset(Iri(leaf["iri"]) for leaf in json.loads(vault.setting(name) or b"[]"))
        if wanted is not None and not leaves & wanted:
            continue
        consent = given.get(name.removeprefix("evidence/"))
        if consent is not None:
            since = consent.given_at
            until = consent.expires_at or since + AUDIT_TERM
        else:
            since = max(_received(vault, leaves), default=at)
            until = since + AUDIT_TERM
        if at < until:
            out.append(LiveProof(leaves, consent, since, until))
    return sorted(out, key=lambda proof: (proof.given_at, proof.until), reverse=True)


def _received(vault: "OpenVault", names: Iterable[Iri]) -> list[datetime]:
    found = []
    for name in names:
        try:
            found.append(vault.observed(name).received.received_at)
        except RecordUnknownError:  # deleted by its owner: the audit answers "withdrawn"
            continue
    return found


# --- records that are no trips -----------------------------------------------------------------


def remove(vault: "OpenVault", iri: Iri) -> Deleted:
    """Delete one record that is no trip. If a source left it, the next import does not bring it
    back; `OpenVault.undo` of the suppression lets it.

    Raises:
        ActRefusedError: a trip (`a-trip`: use `delete`), or a kind that says what left the vault
            (`kept-for-the-record`).
        RecordUnknownError: none.
    """
    from vault.open_vault import UNDO_TERM

    at = vault.home.clock()
    with vault.library.writing() as draft:
        found = draft.find(iri)
        if found is None or found[2].kind == Kind.OBSERVATION:
            raise RecordUnknownError(iri)
        compartment, month, row = found
        kind = Kind(row.kind)
        if kind is Kind.TRIP:
            raise ActRefusedError("a-trip")
        if kind in _KEPT:
            raise ActRefusedError("kept-for-the-record")
        left = behind(draft, compartment, month).get(iri, ())
        mark = Suppression(id=mint_iri(), at=at, scope="record", about=iri, until=at + UNDO_TERM)
        take_away(vault, draft, (compartment, month), row.record_id, left, mark=mark)
        if kind is Kind.DOCUMENT:
            from vault.documents import drop

            drop(vault, draft, iri)
        draft.journal("deleted", scope="record", kind=kind.value, observations=len(left))
    return Deleted(0, len(left), mark.id, at + vault.home.settings.backups_kept)


def behind(
    shelf: "Shelf", compartment: Compartment, month: MonthName
) -> dict[Iri, tuple[Observed, ...]]:
    """What sources left of a month's records that are no trips, by the record's IRI."""
    out: dict[Iri, tuple[Observed, ...]] = {}
    for _, payload in shelf.payloads(compartment, month, kind=Kind.OBSERVATION):
        item = Observed.read(payload)
        observation = item.received.observation
        if isinstance(observation, DocumentObservation):
            name = observation.record.id
            out[name] = (*out.get(name, ()), item)
    return out


def take_away(
    vault: "OpenVault",
    draft: "Draft",
    place: tuple[Compartment, MonthName],
    record_id: bytes,
    left: Sequence[Observed],
    *,
    mark: Suppression,
) -> None:
    """A record's row goes, with what the citizen wrote about it and what sources left of it; `mark`
    stays where a source could bring it back."""
    assert mark.about is not None  # noqa: S101  # a mark of scope `record` names it
    draft.remove(*place, record_id)
    forget(vault, draft, mark.about)
    for item in left:
        vault.erase(draft, item)
    if left:
        vault.store_observed(draft, vault.own(mark))


# --- what later imports meet -------------------------------------------------------------------


def suppressions(shelf: "Shelf") -> tuple[Suppression, ...]:
    """Every deletion that holds, and no deletion that was taken back in time."""
    if UNDATED not in shelf.months(Compartment.TRIPS):
        return ()
    return holding(
        observation
        for _, payload in shelf.payloads(Compartment.TRIPS, UNDATED, kind=Kind.OBSERVATION)
        if isinstance(observation := Observed.read(payload).received.observation, Suppression)
    )


def holding(acts: Iterable[Suppression]) -> tuple[Suppression, ...]:
    """Those not taken back within their term."""
    every = list(acts)
    undone: dict[Iri, datetime] = {}
    for act in every:
        if act.undoes is not None:
            undone[act.undoes] = min(act.at, undone.get(act.undoes, act.at))
    return tuple(
        act
        for act in every
        if act.undoes is None
        and not (act.id in undone and (act.until is None or undone[act.id] <= act.until))
    )


def is_suppressed(received: Received, acts: Iterable[Suppression]) -> bool:
    """Whether a deposited record was deleted by the citizen, itself or with its account."""
    observation = received.observation
    if not isinstance(observation, DocumentObservation):
        return False
    for act in acts:
        if act.scope == "record" and act.about == observation.record.id:
            return True
        if (
            act.scope == "account"
            and act.account in {observation.account, received.account}
            and act.source in {None, observation.source}
            and _written(observation, received) <= act.at
        ):
            return True
    return False


def _written(observation: DocumentObservation, received: Received) -> datetime:
    """When the record came to be: what comes to be after a deletion is welcome."""
    from schemas.records import starts_at

    return observation.written_at or starts_at(observation.record) or received.received_at


def decided_about(
    items: Iterable[Observed], doomed: set[Iri], trips: Iterable[Iri]
) -> list[Observed]:
    """The citizen's own words about nothing but what goes: a purpose is content too."""
    gone = doomed | set(trips)
    return [
        item
        for item in items
        if isinstance(item.received.observation, CitizenObservation)
        and set(item.received.observation.targets) <= gone
    ]
