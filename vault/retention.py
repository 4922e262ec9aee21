"""Forgetting by rule: "raw tracks after 18 months".

A rule is a preference `retention.<what>` = months. It works on whole months: on 21 November 2026,
18 months forget what started before 1 May 2025. `tracks` gives up the points and the deposited
bytes of a trip; places, distance, times, mode and evidence stay. `trips` and `invoices` delete as
the citizen would, and later imports do not bring them back; an invoice goes by the day it was
issued.

Steps: (1) `due` compares a fingerprint (rule, cutoff, digests of the months before it) with the
one that was finished, and leaves an *open* job in the outbox: nothing is decrypted when nothing
moved; (2) `step`, called by `OpenVault.drain`, claims it and takes one month, at most 500
observations or 200 ms a slice; (3) what a live proof rests on (`deletion.pinned`) is left; (4) one
transaction erases, settles the trips, saves the job's progress; (5) the last slice writes the
journal entry and the fingerprint. Locking stops it; the next unlock goes on.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import structlog

from federation.wire.jobs import Job, JobClass
from schemas.ids import Digest, Iri, digest, mint_iri
from schemas.observations import (
    DocumentObservation,
    LabelObservation,
    Suppression,
    TripObservation,
)
from schemas.records import Compartment, Invoice, Kind
from vault.deletion import behind, decided_about, pinned, take_away
from vault.errors import ActRefusedError
from vault.library import Draft, Shelf
from vault.months import UNDATED, MonthName
from vault.observed import Observed
from vault.preferences import preferences, set_preference
from vault.stored import read_record
from vault.values import open_value, seal_value
from vault.window import Interval

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["KINDS", "Preview", "Rule", "cutoff", "due", "preview", "rules", "set_rule", "step"]

_log = structlog.get_logger(__name__)

KINDS: Final = ("tracks", "trips", "invoices")
JOB: Final = "retention"
SLICE_RECORDS: Final = 500
SLICE_S: Final = 0.2
MAX_MONTHS: Final = 600
_PREFIX: Final = "retention."


@dataclass(frozen=True, slots=True)
class Rule:
    """Forget `what` of whole months that ended `months` ago."""

    what: str
    months: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would forget now; nothing has gone."""

    what: str
    before: date
    """What started before this day goes."""
    count: int
    """Tracks, trips as sources left them, or invoices."""
    pinned: int
    """Left, because a live proof rests on them."""
    oldest: date | None


def rules(vault: "OpenVault") -> list[Rule]:
    """The citizen's rules."""
    return [
        Rule(name.removeprefix(_PREFIX), found.value, found.decided_at)
        for name, found in sorted(preferences(vault, _PREFIX).items())
        if name.removeprefix(_PREFIX) in KINDS and type(found.value) is int and found.value > 0
    ]


def set_rule(vault: "OpenVault", what: str, months: int | None) -> None:
    """Set a rule, or take it back (None). What it forgot stays forgotten.

    Raises:
        ActRefusedError: no such rule (`no-such-rule`), or not 1 to 600 months (`months`).
    """
    if what not in KINDS:
        raise ActRefusedError("no-such-rule")
    if months is not None and not 1 <= months <= MAX_MONTHS:
        raise ActRefusedError("months")
    set_preference(vault, _PREFIX + what, months)


def cutoff(today: date, months: int) -> date:
    """The first day that is kept: the first of the month `months` ago."""
    index = today.year * 12 + today.month - 1 - months
    return date(max(index // 12, 1), index % 12 + 1, 1)


def preview(vault: "OpenVault", what: str, months: int) -> Preview:
    """Count what a rule would forget if it were set now. Raises ActRefusedError as `set_rule`."""
    if what not in KINDS:
        raise ActRefusedError("no-such-rule")
    if not 1 <= months <= MAX_MONTHS:
        raise ActRefusedError("months")
    before = cutoff(vault.home.clock().date(), months)
    keep = pinned(vault)
    with vault.library.reading() as shelf:
        aged = _aged(shelf, what, before)
        if what == "invoices":
            bills = [bill for month in aged for bill in _bills(shelf, month)]
            starts = [bill.issued_on for bill in bills if not bill.names & keep]
            held = len(bills) - len(starts)
        else:
            trips = [
                item
                for month in aged
                for item in _observed(shelf, month)
                if _goes(item, what) and isinstance(item.received.observation, TripObservation)
            ]
            starts = [_start(item).date() for item in trips if item.iri not in keep]
            held = len(trips) - len(starts)
    return Preview(what, before, len(starts), held, min(starts, default=None))


# --- 1: is there anything to do? ---------------------------------------------------------------


def due(vault: "OpenVault") -> list[Job]:
    """Leave an open job for each rule whose months moved since it last finished."""
    wanted = rules(vault)
    if not wanted:
        return []
    today = vault.home.clock().date()
    made = []
    for rule in wanted:
        before = cutoff(today, rule.months)
        with vault.library.reading() as shelf:
            mark = _fingerprint(shelf, rule, before)
            empty = not _aged(shelf, rule.what, before)
        done = vault.setting(_done(rule.what))
        if empty or done == mark:
            continue
        # The server may know that a job waits, not what it is about.
        key = mark.hex()
        body = json.dumps(
            {
                "what": rule.what,
                "decided": rule.decided_at.isoformat(),
                "before": before.isoformat(),
            }
        )
        with vault.library.store.transact() as tx:
            tx.lock_head(vault.vault_id)
            made.append(
                vault.library.outbox.enqueue(
                    tx.session,
                    JOB,
                    at=vault.home.clock(),
                    key=key,
                    owner=vault.vault_id,
                    payload=_seal(vault, body.encode(), f"payload/{key}"),
                    job_class=JobClass.OPEN,
                )
            )
    return made


def _fingerprint(shelf: Shelf, rule: Rule, before: date) -> Digest:
    """Of the rule and of every month it covers, as the head names them."""
    aged = set(_aged(shelf, rule.what, before))
    months = sorted(
        f"{month}:{found.hex()}"
        for (compartment, month), found in shelf.head.manifests.items()
        if compartment is _place(rule.what) and month in aged
    )
    said = [shelf.vault_id, rule.what, rule.decided_at.isoformat(), before.isoformat()]
    text = "\n".join([*said, *months])
    return digest(text.encode())


def _done(what: str) -> str:
    return f"retention/{what}"


def _seal(vault: "OpenVault", body: bytes, name: str) -> bytes:
    return seal_value(vault.library.keyring, body, place="job", name=name)


def _open(vault: "OpenVault", sealed: bytes, name: str) -> bytes:
    return open_value(vault.library.keyring, sealed, place="job", name=name)


# --- 2 to 5 ------------------------------------------------------------------------------------


def step(vault: "OpenVault", *, budget_s: float | None = SLICE_S, slices: int | None = None) -> int:
    """Slices until `budget_s` is spent or `slices` are done (None: until nothing is due).

    Returns how many observations gave something up.
    """
    deadline = None if budget_s is None else time.monotonic() + budget_s
    count, asked = 0, False
    done = 0
    while (deadline is None or time.monotonic() < deadline) and done != slices:
        job = vault.library.outbox.claim(
            at=vault.home.clock(), classes={JobClass.OPEN}, kinds={JOB}, owner=vault.vault_id
        )
        if job is not None:
            count += _slice(vault, job)
            done += 1
        elif asked:
            break
        else:  # unfinished work first: each slice moves the months a new job would be about
            due(vault)
            asked = True
    return count


def _slice(vault: "OpenVault", job: Job) -> int:
    body = json.loads(_open(vault, job.payload, f"payload/{job.key}"))
    what, before = body["what"], date.fromisoformat(body["before"])
    said = json.loads(_open(vault, job.progress, f"progress/{job.key}")) if job.progress else {}
    after, total = said.get("month", ""), said.get("count", 0)
    live = next(
        (r for r in rules(vault) if (r.what, r.decided_at.isoformat()) == (what, body["decided"])),
        None,
    )
    keep = pinned(vault)  # 3
    with vault.library.writing() as draft:
        months = [m for m in _aged(draft, what, before) if m >= after] if live is not None else []
        month = months[0] if months else None
        moved, counted, is_whole = 0, 0, True
        if month is not None:
            moved, counted, is_whole = _month(vault, draft, what, month, keep)
        total += counted
        is_last = month is None or (is_whole and len(months) == 1)
        following = month if not is_whole else (months[1] if len(months) > 1 else month)
        progress = json.dumps({"month": following or after, "count": total}).encode()
        vault.library.outbox.save_progress(  # 4
            draft.tx.session,
            job,
            _seal(vault, progress, f"progress/{job.key}"),
            at=vault.home.clock(),
            finished=is_last,
        )
        if is_last and total:
            draft.journal(
                "forgotten", actor="retention", what=what, count=total, before=before.isoformat()
            )
    if is_last and live is not None:  # 5
        if what == "invoices":
            _forget_left_behind(vault, before, keep)
        with vault.library.reading() as shelf:
            mark = _fingerprint(shelf, live, before)
        vault.put_setting(_done(what), mark)
        if total:
            _log.info("vault.forgotten", what=what, records=total)
    return moved


def _month(
    vault: "OpenVault", draft: Draft, what: str, month: MonthName, keep: frozenset[Iri]
) -> tuple[int, int, bool]:
    """One slice of a month: how much went, how much of it counts, and whether the month is done."""
    if what == "invoices":
        bills = [bill for bill in _bills(draft, month) if not bill.names & keep]
        _forget_invoices(vault, draft, month, bills[:SLICE_RECORDS])
        moved = min(len(bills), SLICE_RECORDS)
        return moved, moved, moved == len(bills)
    found = [o for o in _observed(draft, month) if _goes(o, what)]
    free = [o for o in found if o.iri not in keep]
    doomed = free[:SLICE_RECORDS]
    if what == "tracks":
        _forget_tracks(vault, draft, doomed)
    else:
        _forget_trips(vault, draft, doomed, found)
    counted = sum(isinstance(o.received.observation, TripObservation) for o in doomed)
    return len(doomed), counted, len(doomed) == len(free)


@dataclass(frozen=True, slots=True)
class _Bill:
    """An invoice, with what sources left of it."""

    record_id: bytes
    iri: Iri
    issued_on: date
    left: tuple[Observed, ...]

    @property
    def names(self) -> frozenset[Iri]:
        """What a proof may rest on."""
        return frozenset((self.iri, *(item.iri for item in self.left)))


def _bills(shelf: Shelf, month: MonthName) -> list[_Bill]:
    """The invoices issued in a month, oldest first."""
    left = behind(shelf, Compartment.INVOICES, month)
    out = []
    for row, payload in shelf.payloads(Compartment.INVOICES, month, kind=Kind.INVOICE):
        bill = read_record(payload)
        assert isinstance(bill, Invoice)  # noqa: S101  # the manifest says so
        out.append(_Bill(row.record_id, bill.id, bill.issued_at.date(), left.get(bill.id, ())))
    return sorted(out, key=lambda bill: (bill.issued_on, bill.iri))


def _forget_invoices(
    vault: "OpenVault", draft: Draft, month: MonthName, doomed: Sequence[_Bill]
) -> None:
    """As a deletion by the citizen, one by one: an invoice has no interval."""
    at = vault.home.clock()
    for bill in doomed:
        mark = Suppression(id=mint_iri(), at=at, scope="record", about=bill.iri)
        place = (Compartment.INVOICES, month)
        take_away(vault, draft, place, bill.record_id, bill.left, mark=mark)


def _forget_left_behind(vault: "OpenVault", before: date, keep: frozenset[Iri]) -> None:
    """What a source left of an invoice whose date the citizen corrected lies in the month it was
    left for: it goes once the invoice went."""
    with vault.library.writing() as draft:
        for month in _aged(draft, "invoices", before):
            for iri, left in behind(draft, Compartment.INVOICES, month).items():
                records = [
                    item.received.observation.record
                    for item in left
                    if isinstance(item.received.observation, DocumentObservation)
                ]
                if (
                    not all(isinstance(record, Invoice) for record in records)
                    or {item.iri for item in left} & keep
                    or draft.find(iri) is not None
                ):
                    continue
                for item in left:
                    vault.erase(draft, item)
                at = vault.home.clock()
                mark = Suppression(id=mint_iri(), at=at, scope="record", about=iri)
                vault.store_observed(draft, vault.own(mark))


def _forget_tracks(vault: "OpenVault", draft: Draft, doomed: Sequence[Observed]) -> None:
    """The sealed file goes, with its data key; so does the row that named it."""
    left = [item.forgotten() for item in doomed]
    for before, after in zip(doomed, left, strict=True):
        if before.blob is not None:
            vault.drop_blob(draft, before.blob)
        vault.store_observed(draft, after)
    vault.resettle(draft, added=left)


def _forget_trips(
    vault: "OpenVault", draft: Draft, doomed: Sequence[Observed], month: Sequence[Observed]
) -> None:
    """As a deletion by the citizen: runs between what is kept leave one suppression each."""
    if not doomed:
        return
    at = vault.home.clock()
    names = {item.iri for item in doomed}
    marks = [
        vault.own(
            Suppression(id=mint_iri(), at=at, scope="interval", started_at=first, ended_at=last)
        )
        for first, last in _runs(month, names)
    ]
    trips = vault.trips_in(draft, draft.months(Compartment.TRIPS))
    words = decided_about(
        _observed(draft, UNDATED),
        names,
        [trip.id for trip in trips if set(trip.observations) <= names],
    )
    for item in (*doomed, *words):
        vault.erase(draft, item)
    for mark in marks:
        vault.store_observed(draft, mark)
    vault.resettle(draft, added=marks, removed=[*doomed, *words])


def _runs(month: Sequence[Observed], names: Iterable[Iri]) -> list[Interval]:
    """Intervals that hold the starts of what goes, and of nothing that stays."""
    gone = set(names)
    stays = {_start(item) for item in month if item.iri not in gone}
    out: list[Interval] = []
    run: list[datetime] = []
    for start in sorted({_start(item) for item in month}):
        if start not in stays:
            run.append(start)
        elif run:
            out.append((run[0], run[-1]))
            run = []
    if run:
        out.append((run[0], run[-1]))
    return out


def _place(what: str) -> Compartment:
    return Compartment.INVOICES if what == "invoices" else Compartment.TRIPS


def _aged(shelf: Shelf, what: str, before: date) -> list[MonthName]:
    limit = f"{before.year:04d}-{before.month:02d}"
    return [m for m in shelf.months(_place(what)) if m != UNDATED and m < limit]


def _observed(shelf: Shelf, month: MonthName) -> list[Observed]:
    if month not in shelf.months(Compartment.TRIPS):
        return []
    found = [
        Observed.read(payload)
        for _, payload in shelf.payloads(Compartment.TRIPS, month, kind=Kind.OBSERVATION)
    ]
    return sorted(found, key=lambda item: (_start(item), item.iri))


def _start(item: Observed) -> datetime:
    observation = item.received.observation
    if isinstance(observation, TripObservation | LabelObservation):
        return observation.started_at
    return item.received.received_at


def _goes(item: Observed, what: str) -> bool:
    if what == "tracks":
        return item.has_track
    return isinstance(item.received.observation, TripObservation | LabelObservation)
