"""A grant opens all inside its scope and nothing outside, checked on the ciphertext."""

from datetime import timedelta

import pytest

from schemas.records import Compartment, Kind, PlaceRole
from tests.unit.vault.builders import CARCASSONNE, START, Citizen, Clock, place, trip
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import RecordHeader, open_record
from vault.crypto.errors import GrantExpiredError, OutsideGrantError
from vault.crypto.grant import OpenedGrant, open_grant
from vault.crypto.head import MonthManifest
from vault.errors import ActRefusedError
from vault.grants import sealed_grant
from vault.rotation import step


@pytest.fixture
def filled(citizen: Citizen) -> Citizen:
    citizen.depositor().leave(
        trip(start=START),
        trip(start=START + timedelta(days=1)),
        trip(start=START + timedelta(days=40)),
    )
    citizen.vault.drain(None)
    citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    return citizen


def readable(citizen: Citizen, grant: OpenedGrant) -> tuple[int, int]:
    """(rows the grant opens, rows it does not), tried on everything the store holds."""
    inside = 0
    with citizen.home.store.read() as reader:
        for month in reader.months(citizen.vault_id):
            compartment = Compartment(month.compartment)
            epoch = int.from_bytes(month.sealed[4:8], "big")
            manifest = None
            for granted, name, granted_epoch in grant.months():
                if (granted, granted_epoch) != (compartment, epoch):
                    continue
                key = grant.month_key(granted, name, epoch=epoch)
                index = grant.index_key(granted, epoch=1)
                if index.tag("month", name) == month.tag:
                    manifest = MonthManifest.open(month.sealed, key)
            rows = reader.rows(citizen.vault_id, month.compartment, month.tag)
            if manifest is None:
                continue
            for row in rows:
                listed = manifest.rows[row.row_id]
                header = RecordHeader.of(row.sealed)
                try:
                    key = grant.month_key(compartment, manifest.month, epoch=header.epoch)
                except OutsideGrantError:
                    continue
                open_record(
                    row.sealed,
                    vault=citizen.vault_id,
                    record_id=row.row_id,
                    revision=listed.revision,
                    kind=listed.kind,
                    month_key=key,
                )
                inside += 1
        return inside, reader.count_rows(citizen.vault_id) - inside


@pytest.mark.parametrize(
    ("months", "inside"),
    [
        ({Compartment.TRIPS: ["2026-11"]}, 4),
        ({Compartment.TRIPS: ["2026-12"]}, 2),
        ({Compartment.TRIPS: ["2026-11", "2026-12"]}, 6),
        ({Compartment.ATTRIBUTES: ["undated"]}, 1),
        ({Compartment.INVOICES: ["2026-11"]}, 0),
    ],
)
def test_for_every_scope_all_inside_opens_and_none_outside(
    filled: Citizen, clock: Clock, months: dict[Compartment, list[str]], inside: int
) -> None:
    delegate = BoxPrivateKey.generate()
    info = filled.vault.grant(
        months,
        delegate=delegate.public,
        name="Conseil mobilité de l'Aude",
        purpose="accompagnement",
        expires_at=clock() + timedelta(days=30),
    )
    sealed = sealed_grant(filled.vault, info.id)
    with open_grant(sealed, key=delegate, at=clock()) as grant:
        assert readable(filled, grant) == (inside, 7 - inside)
    with pytest.raises(GrantExpiredError):
        open_grant(sealed, key=delegate, at=clock() + timedelta(days=31))


def test_after_revocation_nothing_written_later_opens(filled: Citizen, clock: Clock) -> None:
    delegate = BoxPrivateKey.generate()
    info = filled.vault.grant(
        {Compartment.TRIPS: ["2026-11", "2026-12", "undated"]},
        delegate=delegate.public,
        name="Conseil mobilité de l'Aude",
        purpose="accompagnement",
        expires_at=clock() + timedelta(days=30),
    )
    sealed = sealed_grant(filled.vault, info.id)
    filled.vault.revoke(info.id)
    assert filled.vault.grants() == []
    with pytest.raises(ActRefusedError):
        filled.vault.revoke(info.id)
    depositor = filled.depositor()
    box = filled.home.drop_box(filled.vault_id)
    depositor.seq, depositor.previous = box.last(depositor.did, "a1")
    depositor.leave(trip(start=START + timedelta(days=3)))
    filled.vault.drain(None)
    with open_grant(sealed, key=delegate, at=clock()) as grant:
        inside, outside = readable(filled, grant)
    # The rewritten November manifest is of the new epoch: the grant cannot even list it.
    assert inside == 2
    assert outside == 7
    assert len(filled.vault.all(Kind.TRIP)) == 4
    step(filled.vault, budget_s=None)
    with open_grant(sealed, key=delegate, at=clock()) as grant:
        assert readable(filled, grant) == (0, 9)  # what was sealed before is sealed anew
    assert len(filled.vault.all(Kind.TRIP)) == 4
    assert filled.home.fsck(filled.vault_id, filled.vault).clean
    events = [e.event for e in filled.vault.journal().events]
    assert events[:3] == ["keys-destroyed", "drained", "grant-revoked"]
