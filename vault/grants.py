"""Grants: chosen keys for a delegate, until a day. Revoking deletes the grant and opens an epoch in
its compartments, so that what is written later is closed to it; it cannot un-read."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from federation.sealing.box import BoxPublicKey
from schemas.ids import Did
from schemas.records import Compartment
from vault.crypto.grant import GrantScope, SealedGrant, seal_grant
from vault.errors import ActRefusedError
from vault.model import GrantInfo
from vault.months import MonthName
from vault.store import PublicKey
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["grant", "grants", "revoke", "sealed_grant"]


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
    at, keyring = vault.home.clock(), vault.library.keyring
    if expires_at <= at:
        raise ActRefusedError("grant-expired")
    sealed = seal_grant(
        keyring,
        GrantScope(months=months, boxes=boxes, holder=holder),
        to=delegate,
        expires_at=expires_at,
    )
    grant_id = SealedGrant.parse(sealed).grant_id.hex()
    info = {
        "delegate": name,
        "purpose": purpose,
        "compartments": sorted({c.value for c in months} | {c.value for c in boxes}),
        "since": at.date().isoformat(),
        "until": expires_at.isoformat(),
    }
    with vault.library.writing() as draft:
        draft.tx.put_grant(vault.vault_id, grant_id, sealed, expires_at=expires_at)
        draft.tx.put_setting(
            vault.vault_id,
            f"grant/{grant_id}",
            seal_value(
                keyring, json.dumps(info).encode(), place="setting", name=f"grant/{grant_id}"
            ),
        )
        draft.journal("grant-given", delegate=name, purpose=purpose, grant=grant_id)
    return _info(grant_id, info)


def grants(vault: "OpenVault") -> list[GrantInfo]:
    """Grants that stand, expired ones included until they are revoked."""
    with vault.library.reading() as shelf:
        rows = shelf.reader.grants(vault.vault_id)
        sealed = {
            row.grant_id: shelf.reader.setting(vault.vault_id, f"grant/{row.grant_id}")
            for row in rows
        }
    out = []
    for grant_id, value in sealed.items():
        if value is not None:
            body = open_value(
                vault.library.keyring, value, place="setting", name=f"grant/{grant_id}"
            )
            out.append(_info(grant_id, json.loads(body)))
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
    info = next((g for g in grants(vault) if g.id == grant_id), None)
    if info is None:
        raise ActRefusedError("grant-unknown")
    at = vault.home.clock()
    with vault.library.writing() as draft:
        keyring = (
            vault.library.keyring
        )  # as of this transaction: another worker may have changed it
        draft.tx.delete_grant(vault.vault_id, grant_id)
        draft.tx.delete_setting(vault.vault_id, f"grant/{grant_id}")
        for value in info.compartments:
            compartment = Compartment(value)
            keyring.rotate(compartment, at=at)
            box = keyring.box(compartment).public
            draft.tx.put_public_key(
                vault.vault_id, PublicKey(value, box.key_id, box.encode(), active=True)
            )
        draft.put_keyring(vault.root)
        draft.journal("grant-revoked", grant=grant_id)


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
