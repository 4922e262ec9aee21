"""What the citizen changes of a record by hand, and takes back: a place, a vehicle, an invoice, a
preference.

An *amendment* is one commit: the records as they are now, and how they were before, sealed apart
(a setting `before/<last day>/<id>`), so that it can be undone for `UNDO_TERM`. Then, or when one of
the records is deleted, that is destroyed. What a source left stays as its observation says it: an
invoice that the citizen corrects is `declared` from then on, whatever register or operator left it
(a file that was edited restores as `declared` too), and says when (`extra.correctedAt`); undoing
reads the observation again, at any time. What the source leaves later of a corrected invoice is
kept as an observation and changes it no more.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.evidence import Evidence
from schemas.ids import Iri, digest, digest_text
from schemas.jsonld import encode, from_jsonld, to_jsonld
from schemas.observations import DocumentObservation
from schemas.records import (
    COMPARTMENT_OF,
    Invoice,
    Kind,
    NamedPlace,
    Preference,
    Record,
    Vehicle,
    kind_of,
)
from vault.errors import ActRefusedError, RecordConflictError, RecordUnknownError
from vault.library import random_id
from vault.observed import Observed
from vault.stored import read_record
from vault.values import open_value

if TYPE_CHECKING:
    from vault.library import Draft, Shelf
    from vault.open_vault import OpenVault

__all__ = [
    "AMENDABLE",
    "Amendment",
    "amend",
    "amendments",
    "corrected_at",
    "forget",
    "restate",
    "sweep",
    "undo",
]

AMENDABLE: Final = (NamedPlace, Vehicle, Invoice, Preference)
_PREFIX: Final = "before/"
_CORRECTED: Final = "correctedAt"


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change by hand that can be undone."""

    id: str
    at: datetime
    until: datetime
    records: tuple[Record, ...]
    """As they were before; empty when the change made new ones."""
    made: tuple[Iri, ...]
    """Records that were not there before."""


def corrected_at(record: Record) -> datetime | None:
    """When the citizen corrected what a source left; None when they did not."""
    said = record.extra.get(_CORRECTED) if isinstance(record, Invoice) else None
    return datetime.fromisoformat(said) if isinstance(said, str) else None


# --- changing ----------------------------------------------------------------------------------


def amend(
    vault: "OpenVault", put: Sequence[Record] = (), *, remove: Sequence[Iri] = ()
) -> str | None:
    """Write records as the citizen now says them, and take others out, in one commit that `undo`
    takes back. Returns the amendment's id; None when nothing changed.

    Raises:
        RecordConflictError: changed elsewhere since it was read. RecordUnknownError: to remove.
        ActRefusedError: a kind that is not changed by hand (`not-amendable`).
    """
    at = vault.home.clock()
    before: list[Record] = []
    left: dict[Iri, str] = {}
    made: list[Iri] = []
    with vault.library.writing() as draft:
        for record in put:
            if not isinstance(record, AMENDABLE):
                raise ActRefusedError("not-amendable")
            old = _held(draft, record)
            if old is not None and old.revision != record.revision:
                raise RecordConflictError(expected=record.revision, found=old.revision)
            if old == record:
                continue
            stored = vault.store_record(draft, _said_by_hand(record, old, at))
            left[stored.id] = _said(stored)
            if old is None:
                made.append(stored.id)
            else:
                before.append(old)
        for iri in remove:
            found = draft.find(iri)
            if found is None:
                raise RecordUnknownError(iri)
            record = read_record(draft.payload(found))
            if not isinstance(record, Preference):
                raise ActRefusedError("not-amendable")
            draft.remove(found[0], found[1], found[2].record_id)
            before.append(record)
        if not before and not made:
            return None
        until = at + _term()
        name = f"{_PREFIX}{until.date().isoformat()}/{random_id()}"
        body = {
            "at": at.isoformat(),
            "until": until.isoformat(),
            "records": [to_jsonld(record) for record in before],
            "made": made,
            "left": left,
        }
        vault.keep(draft, name, json.dumps(body).encode())
        kinds = {kind_of(record).value for record in (*put, *before)}
        draft.journal("amended", kinds=sorted(kinds), count=len(before) + len(made))
    return name.rpartition("/")[2]


def _term() -> Any:
    from vault.open_vault import UNDO_TERM

    return UNDO_TERM


def _said(record: Record) -> str:
    """A digest of what a record says, whichever revision says it."""
    return digest_text(digest(encode(to_jsonld(replace(record, revision=1)))))


def _held(shelf: "Shelf", record: Record) -> Record | None:
    found = shelf.find(record.id, [COMPARTMENT_OF[kind_of(record)]])
    return None if found is None else read_record(shelf.payload(found))


def _said_by_hand(record: Record, old: Record | None, at: datetime) -> Record:
    if isinstance(record, Invoice):
        extra = dict(record.extra)
        if record.observations:
            extra[_CORRECTED] = at.isoformat()
        observations = old.observations if isinstance(old, Invoice) else ()
        return replace(record, evidence=Evidence.DECLARED, observations=observations, extra=extra)
    if isinstance(record, NamedPlace):
        return replace(record, confirmed_at=at)
    if isinstance(record, Preference):
        return replace(record, decided_at=at)
    return record


# --- taking back -------------------------------------------------------------------------------


def amendments(vault: "OpenVault") -> list[Amendment]:
    """What can still be undone, newest first."""
    at = vault.home.clock()
    with vault.library.reading() as shelf:
        found = [_read(name, body) for name, body in _kept(vault, shelf)]
    live = [amendment for amendment in found if amendment.until >= at]
    return sorted(live, key=lambda amendment: (amendment.at, amendment.id), reverse=True)


def _kept(vault: "OpenVault", shelf: "Shelf") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, sealed in shelf.reader.settings(vault.vault_id, prefix=_PREFIX).items():
        yield (
            name,
            json.loads(open_value(vault.library.keyring, sealed, place="setting", name=name)),
        )


def _read(name: str, body: dict[str, Any]) -> Amendment:
    return Amendment(
        name.rpartition("/")[2],
        datetime.fromisoformat(body["at"]),
        datetime.fromisoformat(body["until"]),
        tuple(from_jsonld(record) for record in body["records"]),
        tuple(Iri(iri) for iri in body["made"]),
    )


def undo(vault: "OpenVault", amendment: str) -> Amendment:
    """Put every record back as it was before an amendment, in one commit.

    Raises:
        ActRefusedError: `too-late` (undone, over, or one of them was deleted since),
            `changed-since`: one of them was changed again; undo that first.
    """
    at = vault.home.clock()
    with vault.library.writing() as draft:
        kept = next(
            ((n, b) for n, b in _kept(vault, draft) if n.rpartition("/")[2] == amendment), None
        )
        if kept is None or (found := _read(*kept)).until < at:
            raise ActRefusedError("too-late")
        name, left = kept[0], kept[1]["left"]
        for record in found.records:
            now = _held(draft, record)
            if (None if now is None else _said(now)) != left.get(record.id):
                raise ActRefusedError("changed-since")
            vault.store_record(
                draft, record if now is None else replace(record, revision=now.revision)
            )
        for iri in found.made:
            place = draft.find(iri)
            if place is None or _said(read_record(draft.payload(place))) != left[iri]:
                raise ActRefusedError("changed-since")
            draft.remove(place[0], place[1], place[2].record_id)
        draft.tx.delete_setting(vault.vault_id, name)
        draft.journal("undone", act="amended")
    return found


def restate(vault: "OpenVault", iri: Iri) -> Record:
    """Take the citizen's correction of an invoice back: what its source says of it, with the class
    that gives. At any time: the observation is the memory.

    Raises:
        ActRefusedError: `not-corrected`. RecordUnknownError: no such record.
    """
    from vault.drain import certified

    record = vault.get(iri)
    if corrected_at(record) is None or not isinstance(record, Invoice):
        raise ActRefusedError("not-corrected")
    with vault.library.writing() as draft:
        now = _held(draft, record)
        if now != record:
            raise RecordConflictError(expected=record.revision, found=getattr(now, "revision", 0))
        left = [
            Observed.read(draft.payload(place)).received
            for name in record.observations
            if (place := draft.find(name, [COMPARTMENT_OF[Kind.INVOICE]])) is not None
        ]
        last = left[-1] if left else None
        if last is None or not isinstance(last.observation, DocumentObservation):
            raise ActRefusedError("not-corrected")
        source = certified(vault, last, last.observation)
        assert isinstance(source, Invoice)  # noqa: S101  # an observation keeps its record's kind
        stored = vault.store_record(
            draft, replace(source, revision=record.revision, observations=record.observations)
        )
        _destroy(vault, draft, {iri})
        draft.journal("undone", act="amended")
    return stored


# --- what was before goes ------------------------------------------------------------------------


def forget(vault: "OpenVault", draft: "Draft", iri: Iri) -> None:
    """In the commit that deletes a record: what it was before goes with it."""
    _destroy(vault, draft, {iri})


def _destroy(vault: "OpenVault", draft: "Draft", iris: set[Iri]) -> None:
    for name, body in list(_kept(vault, draft)):
        about = {*(record["id"] for record in body["records"]), *body["made"]}
        if about & iris:
            draft.tx.delete_setting(vault.vault_id, name)


def sweep(vault: "OpenVault") -> int:
    """Destroy what can be undone no more; returns how many amendments."""
    today = f"{_PREFIX}{vault.home.clock().date().isoformat()}/"
    with vault.library.store.read() as reader:
        over = [name for name in reader.setting_names(vault.vault_id, _PREFIX) if name < today]
    if over:
        with vault.library.store.transact() as tx:
            tx.lock_head(vault.vault_id)
            for name in over:
                tx.delete_setting(vault.vault_id, name)
    return len(over)
