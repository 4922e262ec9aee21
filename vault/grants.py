"""Grants: chosen keys for a delegate, until a day. Revoking deletes the grant and renews the keys
of its compartments (`vault/rotation.py`): what is written later is closed to it at once, what was
written before as the records are sealed anew; it cannot un-read. Grants that stand are sealed anew
with the keys they need then, under their own number.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from federation.multibase import b64url, b64url_decode
from federation.sealing.box import BoxPublicKey
from schemas.ids import Did
from schemas.records import Compartment, Kind, Mandate
from vault.crypto.grant import GrantScope, SealedGrant, seal_grant
from vault.crypto.keyring import Keyring
from vault.errors import ActRefusedError
from vault.library import Draft, Shelf
from vault.model import GrantInfo
from vault.months import MonthName
from vault.values import open_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = [
    "MANDATE",
    "STANDING",
    "give",
    "grant",
    "grants",
    "reseal",
    "revoke",
    "revoke_mandate",
    "sealed_grant",
    "take_back",
]

MANDATE: Final = "mandate"
"""Somebody acts for the citizen."""
STANDING: Final = "standing"
"""The home runs a standing consent (`vault/standing.py`)."""


def grant(
    vault: "OpenVault",
    months: Mapping[Compartment, Sequence[MonthName]],
    *,
    delegate: BoxPublicKey,
    name: str,
    purpose: str,
    expires_at: datetime,
    holder: Did | None,
    boxes: frozenset[Compartment],
) -> GrantInfo:
    """Seal the keys of a scope to `delegate`. Nothing wider can be given."""
    with vault.library.writing() as draft:
        return give(
            vault,
            draft,
            GrantScope(months=months, boxes=boxes, holder=holder),
            to=delegate,
            name=name,
            purpose=purpose,
            expires_at=expires_at,
        )


def give(
    vault: "OpenVault",
    draft: Draft,
    scope: GrantScope,
    *,
    to: BoxPublicKey,
    name: str,
    purpose: str,
    expires_at: datetime,
    kind: str = MANDATE,
) -> GrantInfo:
    """As `grant`, in a commit that does more."""
    at, keyring = vault.home.clock(), vault.library.keyring
    if expires_at <= at:
        raise ActRefusedError("grant-expired")
    sealed = seal_grant(keyring, scope, to=to, expires_at=expires_at)
    grant_id = SealedGrant.parse(sealed).grant_id.hex()
    info = {
        "kind": kind,
        "delegate": name,
        "purpose": purpose,
        "compartments": sorted({c.value for c in scope.months} | {c.value for c in scope.boxes}),
        "since": at.date().isoformat(),
        "until": expires_at.isoformat(),
        "months": {c.value: sorted(set(names)) for c, names in scope.months.items()},
        "boxes": sorted(c.value for c in scope.boxes),
        "holder": scope.holder,
        "key": b64url(to.encode()),
    }
    draft.tx.put_grant(vault.vault_id, grant_id, sealed, expires_at=expires_at)
    vault.keep(draft, f"grant/{grant_id}", json.dumps(info).encode())
    if kind == MANDATE:
        draft.journal("grant-given", delegate=name, purpose=purpose, grant=grant_id)
    return _info(grant_id, info)


def grants(vault: "OpenVault", *, kind: str = MANDATE) -> list[GrantInfo]:
    """Grants of a kind that stand, expired ones included until they are revoked."""
    with vault.library.reading() as shelf:
        return [
            _info(grant_id, body)
            for grant_id, body in _bodies(vault, shelf).items()
            if body.get("kind", MANDATE) == kind
        ]


def _bodies(vault: "OpenVault", shelf: Shelf) -> dict[str, Mapping[str, Any]]:
    out: dict[str, Mapping[str, Any]] = {}
    for row in shelf.reader.grants(vault.vault_id):
        name = f"grant/{row.grant_id}"
        value = shelf.reader.setting(vault.vault_id, name)
        if value is not None:
            body = open_value(vault.library.keyring, value, place="setting", name=name)
            out[row.grant_id] = json.loads(body)
    return out


def sealed_grant(vault: "OpenVault", grant_id: str) -> bytes:
    """What the delegate receives. Raises ActRefusedError: no such grant."""
    with vault.library.reading() as shelf:
        for row in shelf.reader.grants(vault.vault_id):
            if row.grant_id == grant_id:
                return row.sealed
    raise ActRefusedError("grant-unknown")


def revoke(vault: "OpenVault", grant_id: str) -> None:
    """Delete and rotate. Raises ActRefusedError: no such grant."""
    with vault.library.writing() as draft:
        take_back(vault, draft, grant_id)
        draft.journal("grant-revoked", grant=grant_id)
    vault.tend()


def revoke_mandate(vault: "OpenVault", grant_id: str) -> None:
    """Revoke, and say so in the mandate that names the grant. Raises ActRefusedError: no mandate
    of this number (a standing consent is withdrawn by its own page)."""
    named = [
        record
        for record in vault.all(Kind.MANDATE)
        if isinstance(record, Mandate) and record.grant == grant_id and not record.revoked_at
    ]
    with vault.library.writing() as draft:
        body = _bodies(vault, draft).get(grant_id)
        if body is None or body.get("kind", MANDATE) != MANDATE:
            raise ActRefusedError("grant-unknown")
        for record in named:
            vault.store_record(draft, replace(record, revoked_at=vault.home.clock()))
        take_back(vault, draft, grant_id)
        draft.journal("grant-revoked", grant=grant_id)
    vault.tend()


def take_back(vault: "OpenVault", draft: Draft, grant_id: str) -> None:
    """As `revoke`, in a commit that does more; the caller calls `vault.tend()` after it. Raises
    ActRefusedError: no such grant."""
    from vault.rotation import open_epochs

    body = _bodies(vault, draft).get(grant_id)
    if body is None:
        raise ActRefusedError("grant-unknown")
    draft.tx.delete_grant(vault.vault_id, grant_id)
    draft.tx.delete_setting(vault.vault_id, f"grant/{grant_id}")
    open_epochs(vault, draft, [Compartment(value) for value in body["compartments"]])


def reseal(
    vault: "OpenVault", draft: Draft, ring: Keyring, compartments: Iterable[Compartment]
) -> None:
    """Seal every grant that stands in these compartments anew, with the keys of `ring`. One that
    has expired, or was given before grants remembered their scope, ends: the journal says so."""
    touched = {c.value for c in compartments}
    at = vault.home.clock()
    for row in draft.tx.grants(vault.vault_id):
        name = f"grant/{row.grant_id}"
        kept = draft.tx.setting(vault.vault_id, name)
        info: dict[str, Any] = (
            {} if kept is None else json.loads(open_value(ring, kept, place="setting", name=name))
        )
        if not touched & set(info.get("compartments", touched)):
            continue
        if row.expires_at <= at or "key" not in info:
            draft.tx.delete_grant(vault.vault_id, row.grant_id)
            draft.tx.delete_setting(vault.vault_id, name)
            draft.journal("grant-ended", actor="home", grant=row.grant_id)
            continue
        sealed = seal_grant(
            ring,
            GrantScope(
                months={Compartment(c): names for c, names in info["months"].items()},
                boxes=frozenset(map(Compartment, info["boxes"])),
                holder=info["holder"],
            ),
            to=BoxPublicKey.decode(b64url_decode(info["key"])),
            expires_at=row.expires_at,
            grant_id=bytes.fromhex(row.grant_id),
        )
        draft.tx.put_grant(vault.vault_id, row.grant_id, sealed, expires_at=row.expires_at)


def _info(grant_id: str, body: Mapping[str, object]) -> GrantInfo:
    compartments = body["compartments"]
    assert isinstance(compartments, list)  # noqa: S101  # written above
    return GrantInfo(
        grant_id,
        str(body["delegate"]),
        str(body["purpose"]),
        tuple(compartments),
        date.fromisoformat(str(body["since"])),
        datetime.fromisoformat(str(body["until"])),
    )
