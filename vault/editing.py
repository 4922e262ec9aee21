"""What a citizen writes by themselves over the API: conditional, in one commit, never above
`declared`.

A record's tag is the digest of its sealed row: every write makes another one, also of equal
contents, so a tag seen once never comes back. A condition is looked at inside the write
transaction, under the vault's writer lock, so that of several writers in several processes one
wins and the others are told.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from schemas import extensions
from schemas.evidence import Evidence
from schemas.ids import Digest, Iri, mint_iri
from schemas.jsonld import from_jsonld, to_jsonld
from schemas.modes import Mode
from schemas.observations import ClaimBy, ModeClaim, TripObservation
from schemas.records import (
    Attribute,
    Compartment,
    Degree,
    ExtensionRecord,
    Goal,
    Invoice,
    Kind,
    NamedPlace,
    Place,
    Preference,
    Record,
    Subscription,
    Trip,
    Vehicle,
    kind_of,
)
from schemas.units import Metres
from vault.errors import (
    ActRefusedError,
    IdempotencyKeyReusedError,
    PreconditionFailedError,
    RecordInvalidError,
    RecordUnknownError,
)
from vault.library import Draft, Shelf
from vault.model import Deleted
from vault.stored import read_record
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = [
    "KEY_TERM",
    "WRITABLE",
    "Condition",
    "Held",
    "create",
    "declare_trip",
    "find_answer",
    "held",
    "patch",
    "put",
    "remember",
    "remove",
    "tag_of",
]

WRITABLE: Final = (
    NamedPlace,
    Vehicle,
    Preference,
    Goal,
    ExtensionRecord,
    Attribute,
    Invoice,
    Subscription,
)
"""Kinds a citizen writes by hand. Trips follow from observations; credentials come from issuers;
applications, awards, consents and mandates from what was done; documents with their bytes."""

KEY_TERM: Final = timedelta(days=7)
"""How long an idempotency key is remembered: a client may be offline for a week."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a record when it is written."""

    tags: frozenset[str] = frozenset()
    """Tags of which the record must have one (`If-Match`)."""
    exists: bool | None = None
    """True: it must be there, in whatever state (`If-Match: *`); False: it must not."""

    def require(self, tag: Digest | None) -> None:
        """Raises PreconditionFailedError."""
        if self.exists is False:
            holds = tag is None
        elif self.exists:
            holds = tag is not None
        else:
            holds = tag is not None and tag.hex() in self.tags
        if not holds:
            raise PreconditionFailedError


@dataclass(frozen=True, slots=True)
class Held:
    """A record and the tag of what is stored of it."""

    record: Record
    tag: Digest


def held(vault: "OpenVault", iri: Iri) -> Held:
    """One record with its tag. Raises RecordUnknownError."""
    with vault.library.reading() as shelf:
        found = shelf.find(iri)
        if found is not None and found[2].kind != Kind.OBSERVATION:
            return Held(read_record(shelf.payload(found)), found[2].digest)
        if found is None:
            alias = _by_alias(shelf, iri)
            if alias is not None:
                return alias
    raise RecordUnknownError(iri)


def _by_alias(shelf: Shelf, iri: Iri) -> Held | None:
    for month in shelf.months(Compartment.TRIPS):
        for row, payload in shelf.payloads(Compartment.TRIPS, month, kind=Kind.TRIP):
            record = shelf.library.value(row.digest, payload, read_record)
            if isinstance(record, Trip) and iri in record.aliases:
                return Held(record, row.digest)
    return None


def tag_of(shelf: Shelf, iri: Iri) -> Digest | None:
    """The tag of a record, None when there is none."""
    found = shelf.find(iri)
    return None if found is None or found[2].kind == Kind.OBSERVATION else found[2].digest


def _own(record: Record) -> Record:
    """A record as its citizen may state it: what classes and degrees they cannot give it.

    Raises:
        RecordInvalidError: a kind that is not written by hand, or a class above `declared`.
        ExtensionUnknownError, RecordError: as `schemas.extensions.check`.
    """
    if not isinstance(record, WRITABLE):
        raise RecordInvalidError("this kind is not written by hand", where="/type")
    if isinstance(record, ExtensionRecord):
        extensions.check(record)
    if getattr(record, "observations", ()):
        raise RecordInvalidError("observations are what sources leave", where="/observations")
    if isinstance(record, Invoice | Subscription) and record.evidence is not Evidence.DECLARED:
        raise RecordInvalidError("what you write yourself is declared", where="/evidence")
    if isinstance(record, Attribute) and record.degree is not Degree.CLAIMED:
        raise RecordInvalidError("what you write yourself is claimed", where="/degree")
    return record


def put(vault: "OpenVault", record: Record, condition: Condition) -> tuple[Held, bool]:
    """Write a record under a condition. Returns it as stored, and whether it is new.

    The record's own `revision` is not asked: the condition says what was read.

    Raises:
        PreconditionFailedError: somebody else was first, or it is (not) there.
        RecordInvalidError: not for a citizen to write.
        ActRefusedError: a source left it (`from-a-source`): delete it, or write another one.
    """
    record = _own(record)

    def change(_: Record | None) -> Record:
        return record

    return _write(vault, record.id, condition, change)


def patch(
    vault: "OpenVault", iri: Iri, changes: Mapping[str, Any], condition: Condition
) -> tuple[Held, bool]:
    """Change members of a record (JSON Merge Patch, RFC 7396), atomically: patches of several
    writers under `If-Match: *` all take effect.

    Raises:
        RecordUnknownError: none. PreconditionFailedError, RecordError: as `put`.
    """
    for name in ("@context", "id", "type", "revision"):
        if name in changes:
            raise RecordInvalidError("this member is not yours to change", where=f"/{name}")

    def change(old: Record | None) -> Record:
        if old is None:
            raise RecordUnknownError(iri)
        merged = _merged(to_jsonld(old), changes)
        return _own(from_jsonld(merged))

    return _write(vault, iri, condition, change)


def _merged(target: Any, changes: Any) -> Any:
    """RFC 7396 §2."""
    if not isinstance(changes, Mapping):
        return changes
    out = dict(target) if isinstance(target, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _merged(out.get(name), value)
    return out


def _write(
    vault: "OpenVault",
    iri: Iri,
    condition: Condition,
    change: Callable[[Record | None], Record],
) -> tuple[Held, bool]:
    with vault.library.writing() as draft:
        found = draft.find(iri)
        if found is not None and found[2].kind == Kind.OBSERVATION:
            raise RecordInvalidError("the id of an observation", where="/id")
        old = None if found is None else read_record(draft.payload(found))
        if old is None and condition.exists is not False:
            change(None)  # a patch of nothing is not found rather than a failed condition
        condition.require(None if found is None else found[2].digest)
        if getattr(old, "observations", ()):
            raise ActRefusedError("from-a-source")
        record = change(old)
        if old is not None and kind_of(old) is not kind_of(record):
            raise RecordInvalidError("the kind of a record does not change", where="/type")
        if isinstance(record, NamedPlace) and record.confirmed_at is None:
            record = replace(record, confirmed_at=vault.home.clock())
        record = replace(record, revision=1 if old is None else old.revision)
        stored = vault.store_record(draft, record)
        if stored is not old:
            draft.journal("record-put", kinds=[kind_of(record).value], count=1)
        tag = draft.tag_of_put(stored.id) or (None if found is None else found[2].digest)
    assert tag is not None  # noqa: S101  # it was found, or it was put
    return Held(stored, tag), old is None


def remove(vault: "OpenVault", iri: Iri, condition: Condition) -> Deleted:
    """Delete a record under a condition: a trip with what it rests on, or another record.

    Raises:
        RecordUnknownError, PreconditionFailedError; ActRefusedError: as `vault.deletion.remove`.
    """
    found = held(vault, iri)

    def check(draft: Draft) -> None:
        condition.require(tag_of(draft, found.record.id))

    with vault.library.first(check):
        if isinstance(found.record, Trip):
            return vault.delete(found.record.id)
        from vault.deletion import remove as remove_record

        return remove_record(vault, found.record.id)


# --- created once --------------------------------------------------------------------------------


def _key_name(vault: "OpenVault", key: str, at: datetime) -> tuple[str, str]:
    """(prefix, tag): a row's name is `idempotency/<day>/<tag>`; the server learns the day."""
    tag = vault.home.seal.tag(f"{vault.vault_id}\x00{key}", purpose="idempotency").hex()
    return f"idempotency/{at.date().isoformat()}/", tag


def find_answer(vault: "OpenVault", shelf: Shelf, key: str, request: bytes) -> Iri | None:
    """What the first request with this key made; None when it is the first.

    Raises:
        IdempotencyKeyReusedError: the first one said something else.
    """
    at = vault.home.clock()
    for age in range(KEY_TERM.days + 1):
        name = "".join(_key_name(vault, key, at - timedelta(days=age)))
        sealed = shelf.reader.setting(vault.vault_id, name)
        if sealed is not None:
            kept = json.loads(open_value(vault.library.keyring, sealed, place="setting", name=name))
            if kept["request"] != sha256(request).hexdigest():
                raise IdempotencyKeyReusedError
            return Iri(kept["made"])
    return None


def remember(vault: "OpenVault", draft: Draft, key: str, request: bytes, made: Iri) -> None:
    """Keep, in this commit, what a key made; keys past their term go."""
    at = vault.home.clock()
    prefix, tag = _key_name(vault, key, at)
    oldest = f"idempotency/{(at - KEY_TERM).date().isoformat()}/"
    for name in draft.reader.settings(vault.vault_id):
        if name.startswith("idempotency/") and name < oldest:
            draft.tx.delete_setting(vault.vault_id, name)
    body = json.dumps({"request": sha256(request).hexdigest(), "made": made}).encode()
    name = prefix + tag
    draft.tx.put_setting(
        vault.vault_id,
        name,
        seal_value(vault.library.keyring, body, place="setting", name=name),
    )


def create(vault: "OpenVault", record: Record, *, key: str, request: bytes) -> tuple[Iri, bool]:
    """Write a new record once for one idempotency key. Returns its IRI, and whether it is new.

    Raises:
        PreconditionFailedError: the IRI is taken. IdempotencyKeyReusedError, RecordInvalidError.
    """
    record = replace(_own(record), revision=1)
    with vault.library.writing() as draft:
        made = find_answer(vault, draft, key, request)
        if made is not None:
            return made, False
        if draft.find(record.id) is not None:
            raise PreconditionFailedError
        if isinstance(record, NamedPlace) and record.confirmed_at is None:
            record = replace(record, confirmed_at=vault.home.clock())
        vault.store_record(draft, record)
        remember(vault, draft, key, request, record.id)
        draft.journal("record-put", kinds=[kind_of(record).value], count=1)
    return record.id, True


def declare_trip(
    vault: "OpenVault",
    *,
    started_at: datetime,
    ended_at: datetime,
    zone: str,
    mode: Mode,
    distance: Metres | None,
    origin: Place | None,
    destination: Place | None,
    purpose: str | None,
    key: str,
    request: bytes,
) -> tuple[Iri, bool]:
    """Add a trip that no source left. It is `declared`; a source that saw it too joins it.

    Returns the trip's IRI, and whether it was made now.
    """
    observation = TripObservation(
        id=mint_iri(),
        source="citizen",
        account="citizen",
        upstream_ids=(),
        written_at=vault.home.clock(),
        started_at=started_at,
        ended_at=ended_at,
        start_zone=zone,
        end_zone=zone,
        origin=origin,
        destination=destination,
        distance=distance,
        mode_claims=(ModeClaim(mode=mode, by=ClaimBy.PERSON),),
        purpose=purpose,
    )
    with vault.library.writing() as draft:
        made = find_answer(vault, draft, key, request)
        if made is not None:
            return made, False
        item = vault.own(observation)
        vault.store_observed(draft, item)
        settled = vault.resettle(draft, added=[item])
        trip = settled.placed.get(observation.id)
        if trip is None:  # a deletion keeps trips of this time away
            raise ActRefusedError("deleted-before")
        remember(vault, draft, key, request, trip.id)
        draft.journal("record-put", kinds=[Kind.TRIP.value], count=1)
    return trip.id, True
