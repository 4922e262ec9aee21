"""What another account said, kept in the open vault: one commit, with its journal entry; and taken
out again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from federation.trust import Role
from schemas.ids import Did
from schemas.records import Attribute, Degree, Kind, Preference, Record
from vault.errors import RecordUnknownError
from vault.passport.received import READ_FROM, OtherAccount, Received
from vault.preferences import preferences
from vault.stored import read_record

if TYPE_CHECKING:
    from datetime import datetime

    from vault.home import Home
    from vault.library import Draft
    from vault.open_vault import OpenVault

__all__ = ["Standing", "Weighed", "keep", "take_out", "vouches", "weigh"]

_KINDS = (Kind.ATTRIBUTE, Kind.SUBSCRIPTION)


class Standing(StrEnum):
    """What a value is to the vault."""

    NEW = "new"
    CHANGED = "changed"
    """This account said something else before, or the citizen chose otherwise."""
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A value beside what the vault has."""

    received: Received
    standing: Standing


def vouches(home: "Home", issuer: str, *, at: "datetime") -> bool:
    """Whether what this issuer signs counts as relayed: a home or an identity partner that is a
    member of the trust registry now, under the name its address gives it (`did:web`)."""
    trust, parts = home.trust, urlsplit(issuer)
    if trust is None or parts.path:
        return False
    entry = trust.entry(Did(f"did:web:{parts.netloc.replace(':', '%3A')}"))
    return (
        entry is not None
        and entry.is_active(at)
        and not {Role.HOME, Role.IDENTITY}.isdisjoint(entry.roles)
    )


def weigh(vault: "OpenVault", received: Sequence[Received]) -> list[Weighed]:
    """Each value beside what the vault has now."""
    return [Weighed(item, _standing(vault, item)) for item in received]


def _standing(vault: "OpenVault", item: Received) -> Standing:
    record = item.record
    if isinstance(record, Preference):
        chosen = preferences(vault, record.name).get(record.name)
        if chosen is None:
            return Standing.NEW
        return Standing.SAME if chosen.value == record.value else Standing.CHANGED
    try:
        old = vault.get(record.id)
    except RecordUnknownError:
        return Standing.NEW
    return Standing.SAME if _is_same(old, record) else Standing.CHANGED


def _is_same(old: Record, new: Record) -> bool:
    """Whether only the moment of reading differs, where it certifies nothing."""
    new = replace(new, revision=old.revision)
    if isinstance(old, Attribute) and isinstance(new, Attribute) and new.degree is Degree.CLAIMED:
        new = replace(new, certified_at=old.certified_at)
    return old == new


def keep(vault: "OpenVault", account: OtherAccount, received: Sequence[Received]) -> int:
    """Keep these values: how many records were written. What was kept of this account before is
    written over; a choice of the citizen's becomes the account's, because they ticked it."""
    with vault.library.writing() as draft:
        written = sum(_written(vault, draft, item.record) for item in received)
        draft.journal("account-read", source=account.host, records=written)
    return written


def _written(vault: "OpenVault", draft: "Draft", record: Record) -> bool:
    if isinstance(record, Preference):
        chosen = preferences(vault, record.name).get(record.name)
        if chosen is not None:
            record = replace(record, id=chosen.id)
    found = draft.find(record.id)
    if found is not None:
        old = read_record(draft.payload(found))
        if _is_same(old, record):
            return False
        record = replace(record, revision=old.revision)
    vault.store_record(draft, record)
    return True


def take_out(vault: "OpenVault", account_id: str) -> int:
    """Remove what an account brought, but for choices, which are the citizen's by now; how many."""
    doomed = [
        record.id for kind in _KINDS for record in vault.all(kind) if _from(record) == account_id
    ]
    if not doomed:
        return 0
    with vault.library.writing() as draft:
        removed = 0
        for iri in doomed:
            found = draft.find(iri)
            if found is not None:
                compartment, month, row = found
                draft.remove(compartment, month, row.record_id)
                removed += 1
        draft.journal("import-undone", source="compte", records=removed)
    return removed


def _from(record: Any) -> str | None:
    said = record.extra.get(READ_FROM)
    found = said.get("account") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None
