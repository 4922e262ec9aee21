"""Taking in what waits in the drop-box, slice by slice.

Slices come read from `vault/arrivals.py` (steps 1 to 4), each while the one before it is written.
(5) Tracks that are too large for a row become sealed files, and one transaction writes
observations, trips around them, documents, quarantine, manifests, the deposits' progress and the
head. When two workers drain, the second finds the progress moved and starts again; when a process
dies, what it had written in files only is collected later as orphans.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import structlog

from schemas.evidence import Evidence
from schemas.ids import Did, Digest, Iri, digest
from schemas.observations import (
    DocumentObservation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import (
    Attribute,
    Credential,
    Degree,
    ExtensionRecord,
    Invoice,
    Kind,
    Subscription,
    Trip,
)
from vault.amending import corrected_at
from vault.arrivals import Arrivals, Fault, Prepared
from vault.collecting import put_off
from vault.deletion import is_suppressed, suppressions
from vault.drop_box import deposit_aad
from vault.library import Draft, random_id
from vault.model import DrainReport, QuarantineEntry
from vault.months import file_of, file_of_observation
from vault.observed import Observed
from vault.store import Deposit, Progress
from vault.stored import read_record, write_record
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["drain", "read_quarantine"]

_log = structlog.get_logger(__name__)


def drain(vault: "OpenVault", limit: int | None) -> DrainReport:
    """Slices until `limit` records were taken or nothing waits."""
    report = DrainReport(waiting=vault.waiting().deposits)
    began = time.monotonic()
    with Arrivals(vault) as arrivals:
        while limit is None or report.records + report.quarantined < limit:
            prepared = arrivals.next()
            if not prepared:
                break
            held = sum(len(part.items) + len(part.faults) for part in prepared)
            more = limit is None or report.records + report.quarantined + held < limit
            with put_off():
                done = _write(vault, prepared, arrivals if more else None)
            if done is not None:
                report = report.plus(done)
    if report.deposits or report.records:
        _log.info(
            "vault.drained",
            records=report.records,
            took_ms=int((time.monotonic() - began) * 1000),
        )
    return replace(report, waiting=vault.waiting().deposits)


def _write(
    vault: "OpenVault", prepared: Sequence[Prepared], arrivals: Arrivals | None
) -> DrainReport | None:
    """Step 5; None when another worker was faster. `arrivals` reads on while the rows are sent and
    committed: two threads that both have Python to run would only take turns, each turn paid."""
    home, vault_id = vault.home, vault.vault_id
    sealed = [blob for part in prepared for blob in part.blobs]
    blobs = {b.blob_id: b for b in home.blobs.write_all(vault_id, sealed)}
    unused = set(blobs)
    report: DrainReport | None = None
    try:
        with vault.library.writing() as draft:
            draft.tx.lock_drop_box(vault_id)
            before = {part.deposit.seq: part.deposit.taken for part in prepared}
            found = draft.tx.progress(vault_id, prepared[0].deposit.link_id, list(before))
            if {seq: taken for seq, (taken, _) in found.items()} != before:
                return None
            told = {seq: outcome for seq, (_, outcome) in found.items()}
            if prepared[0].refused is not None:
                report = _quarantine_deposit(vault, draft, prepared[0])
            else:
                report, used = _take(vault, draft, prepared, told)
                draft.tx.put_blob(vault_id, *(blobs[blob_id] for blob_id in used))
                unused -= used
            if arrivals is not None:
                arrivals.read_on(prepared)
    finally:
        # Nothing names these files (a duplicate, a lost race, a failed transaction): a crash here
        # leaves orphans, which are collected by age.
        for blob_id in unused if report is not None else blobs:
            home.blobs.remove(vault_id, blob_id)
    return report


def _quarantine_deposit(vault: "OpenVault", draft: Draft, prepared: Prepared) -> DrainReport:
    deposit = prepared.deposit
    assert prepared.refused is not None  # noqa: S101  # the caller looked
    _put_quarantine(vault, draft, prepared, (None, prepared.refused, None))
    outcome = _outcome(vault, deposit, [(-1, prepared.refused, None)])
    done = Progress(deposit, "quarantined", deposit.taken, outcome)
    draft.tx.settle_deposits(vault.vault_id, deposit.link_id, [done])
    draft.journal(
        "quarantined",
        actor=f"depositor:{prepared.depositor}",
        reason=prepared.refused,
        seq=deposit.seq,
    )
    return DrainReport(deposits=1, quarantined=1)


@dataclass(slots=True)
class _Taken:
    """What one slice has taken in so far."""

    fresh: list[Observed] = field(default_factory=list)
    seen: dict[Iri, Observed] = field(default_factory=dict)
    records: int = 0
    duplicates: int = 0
    deleted: int = 0
    quarantined: int = 0


def _take(
    vault: "OpenVault", draft: Draft, prepared: Sequence[Prepared], told: Mapping[int, bytes | None]
) -> tuple[DrainReport, set[str]]:
    """`told`: sealed faults of earlier slices, by the number of their deposit."""
    taken = _Taken()
    held = _deletions(draft, prepared)
    done = []
    for part in prepared:
        faults = _take_items(vault, draft, part, held, taken)
        done.append(_close(vault, draft, part, faults, told[part.deposit.seq]))
    _put_manifests(vault, draft, prepared)
    draft.tx.settle_deposits(vault.vault_id, prepared[0].deposit.link_id, done)
    for item in taken.fresh:
        if isinstance(item.received.observation, DocumentObservation):
            _store_document(vault, draft, item)
    settled = vault.resettle(draft, added=taken.fresh)
    new, changed = len(settled.new), settled.changed
    joined, suppressed = _count(taken.fresh, settled.placed, settled.new)
    total = DrainReport(
        deposits=sum(part.is_last for part in prepared),
        records=taken.records,
        trips_new=new,
        trips_changed=changed,
        duplicates=taken.duplicates + joined,
        suppressed=suppressed + taken.deleted,
        quarantined=taken.quarantined,
    )
    last = prepared[-1]
    draft.journal(
        "drained",
        actor=f"depositor:{last.depositor}",
        seq=last.deposit.seq,
        records=total.records,
        trips_new=new,
        trips_changed=changed,
        quarantined=taken.quarantined,
    )
    return total, {item.blob for item in taken.seen.values() if item.blob is not None}


def _take_items(
    vault: "OpenVault",
    draft: Draft,
    prepared: Prepared,
    held: tuple[Suppression, ...],
    taken: _Taken,
) -> list[Fault]:
    """The observations of one deposit; returns every fault of its records."""
    faults = list(prepared.faults)
    for index, item in prepared.items:
        if held and is_suppressed(item.received, held):
            taken.deleted += 1
            continue
        known = taken.seen.get(item.iri) or _known(draft, item)
        if known is not None and known.digest != item.digest:
            faults.append((index, "observation-id-reused", "/id"))
            continue
        if known is not None and known.received.ceiling.rank >= item.received.ceiling.rank:
            taken.duplicates += 1
            continue
        if known is not None:  # the same observation, from somebody who may attest more
            taken.duplicates += 1
            if known.blob is not None:
                vault.drop_blob(draft, known.blob)
        vault.store_observed(draft, item)
        taken.seen[item.iri] = item
        taken.fresh.append(item)
    taken.records += len(prepared.items) - (len(faults) - len(prepared.faults))
    taken.quarantined += len(faults)
    return faults


def _put_manifests(vault: "OpenVault", draft: Draft, prepared: Sequence[Prepared]) -> None:
    sealed: dict[bytes, bytes] = {}
    for part in prepared:
        assert part.manifest is not None  # noqa: S101  # opened deposits have one
        name = part.manifest.digest
        sealed[name] = seal_value(
            vault.library.keyring, part.manifest.data, place="manifest", name=name.hex()
        )
    draft.tx.put_manifests(vault.vault_id, sealed)


def _close(
    vault: "OpenVault", draft: Draft, prepared: Prepared, faults: list[Fault], before: bytes | None
) -> Progress:
    """Quarantine and progress of one deposit."""
    assert prepared.manifest is not None  # noqa: S101  # opened deposits have one
    deposit = prepared.deposit
    for fault in faults:
        _put_quarantine(vault, draft, prepared, fault)
    told = _told(vault, deposit, before) + faults
    outcome = _outcome(vault, deposit, told) if told else None
    if not prepared.is_last:
        return Progress(deposit, "waiting", prepared.after, outcome)
    draft.mark_drained(prepared.depositor, prepared.account, deposit.seq, prepared.manifest.digest)
    state = "taken" if len(told) < prepared.after or not told else "rejected"
    return Progress(deposit, state, prepared.after, outcome)


def _deletions(draft: Draft, prepared: Sequence[Prepared]) -> tuple[Suppression, ...]:
    """What the citizen deleted, asked only when a record that is no trip arrives."""
    items = (item.received.observation for part in prepared for _, item in part.items)
    return suppressions(draft) if any(isinstance(o, DocumentObservation) for o in items) else ()


def _known(draft: Draft, item: Observed) -> Observed | None:
    """The observation of this id that the vault has, where one of its kind is filed."""
    received = item.received
    compartment, _, _ = file_of_observation(received.observation, received.received_at)
    found = draft.find(item.iri, (compartment,))
    if found is None or found[2].kind != "Observation":
        return None
    return draft.value(found, Observed.read)


def _count(
    fresh: list[Observed], placed: Mapping[Iri, Trip], new: frozenset[Iri]
) -> tuple[int, int]:
    """(observations that joined a trip another one had already made, observations in no trip)."""
    joined = suppressed = 0
    by_trip: dict[Iri, int] = {}
    for item in fresh:
        if not isinstance(item.received.observation, TripObservation):
            continue
        trip = placed.get(item.iri)
        if trip is None:
            suppressed += 1
        else:
            by_trip[trip.id] = by_trip.get(trip.id, 0) + 1
    for trip_id, count in by_trip.items():
        joined += count - 1 if trip_id in new else count
    return joined, suppressed


def _store_document(vault: "OpenVault", draft: Draft, item: Observed) -> None:
    """A record that is no trip goes to its compartment, its evidence computed here."""
    observation = item.received.observation
    assert isinstance(observation, DocumentObservation)  # noqa: S101  # the caller looked
    record = certified(vault, item.received, observation)
    kind, compartment, month, start = file_of(record)
    found = draft.find(record.id, [compartment])
    revision = 1 if found is None else found[2].revision + 1
    if found is not None and kind is Kind.INVOICE:
        old = read_record(draft.payload(found))
        # The citizen's word stands until they take it back (`vault/amending.py`).
        if isinstance(old, Invoice) and corrected_at(old) is not None:
            known = dict.fromkeys((*old.observations, observation.id))
            record = replace(old, observations=tuple(known))
            kind, compartment, month, start = file_of(old)
    record = replace(record, revision=revision)
    draft.put(
        kind,
        compartment,
        month,
        record.id,
        write_record(record),
        revision=revision,
        start=start,
    )


def certified(
    vault: "OpenVault", received: Received, observation: DocumentObservation
) -> Invoice | Subscription | Attribute | Credential | ExtensionRecord:
    """The record with the class or degree its way in allows, whatever the payload says."""
    record = observation.record
    match record:
        case Invoice() | Subscription():
            return replace(
                record,
                evidence=_document_evidence(received.ceiling),
                observations=(observation.id,),
            )
        case Attribute():
            degree = Degree.CLAIMED
            if vault.home.may_relay(received.depositor, received.received_at):
                degree = Degree.RELAYED
            if record.degree is Degree.CLAIMED:
                degree = Degree.CLAIMED
            return replace(record, degree=degree, observations=(observation.id,))
        case Credential():
            return replace(record, received_at=received.received_at)
        case ExtensionRecord():
            return replace(record, observations=(observation.id,))


def _document_evidence(ceiling: Evidence) -> Evidence:
    """A sensor knows nothing of invoices: operator and register stand, all else is declared."""
    return ceiling if ceiling.rank >= Evidence.OPERATOR.rank else Evidence.DECLARED


def _put_quarantine(
    vault: "OpenVault", draft: Draft, prepared: Prepared, fault: tuple[int | None, str, str | None]
) -> None:
    index, reason, where = fault
    entry_id = random_id()
    body = {
        "depositor": prepared.depositor,
        "account": prepared.account,
        "seq": prepared.deposit.seq,
        "index": index,
        "reason": reason,
        "where": where,
    }
    draft.tx.put_quarantine(
        vault.vault_id,
        entry_id,
        seal_value(
            vault.library.keyring, json.dumps(body).encode(), place="quarantine", name=entry_id
        ),
        at=prepared.deposit.received_at,
    )


def _told(vault: "OpenVault", deposit: Deposit, outcome: bytes | None) -> list[Fault]:
    if outcome is None:
        return []
    aad = deposit_aad(vault.vault_id, deposit.link_id, deposit.seq)
    opened: list[Any] = json.loads(vault.home.seal.open(outcome, purpose="outcome", aad=aad))
    return [(index, code, where) for index, code, where in opened]


def _outcome(vault: "OpenVault", deposit: Deposit, faults: list[Fault]) -> bytes:
    """Form faults, sealed by the home: the depositor may ask while the vault is locked."""
    aad = deposit_aad(vault.vault_id, deposit.link_id, deposit.seq)
    return vault.home.seal.seal(json.dumps(faults).encode(), purpose="outcome", aad=aad)


def read_quarantine(vault: "OpenVault") -> list[QuarantineEntry]:
    """What was put aside, oldest first."""
    with vault.library.reading() as shelf:
        rows = shelf.reader.quarantine(vault.vault_id)
    out = []
    for entry_id, sealed, at in rows:
        body = json.loads(
            open_value(vault.library.keyring, sealed, place="quarantine", name=entry_id)
        )
        out.append(
            QuarantineEntry(
                entry_id,
                at,
                Did(body["depositor"]),
                body["account"],
                body["seq"],
                body["index"],
                body["reason"],
                body["where"],
            )
        )
    return out


def read_manifest(vault: "OpenVault", name: Digest) -> bytes | None:
    """A depositor's signed manifest, as kept; None when there is none of this digest."""
    with vault.library.reading() as shelf:
        sealed = shelf.reader.manifest(vault.vault_id, name)
    if sealed is None:
        return None
    data = open_value(vault.library.keyring, sealed, place="manifest", name=name.hex())
    return data if digest(data) == name else None
