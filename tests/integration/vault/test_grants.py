"""What a grant opens, checked on the stored ciphertext: all inside its scope, nothing outside."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from schemas.ids import Did
from schemas.records import Attribute, Compartment, Kind
from tests.integration.vault.world import (
    NOW,
    Clock,
    Source,
    iri,
    records_of_every_kind,
    trip,
)
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import RecordHeader, open_record
from vault.crypto.errors import CryptoError, GrantExpiredError, OutsideGrantError
from vault.crypto.grant import OpenedGrant, open_grant
from vault.crypto.head import MonthManifest
from vault.crypto.opening import open_deposit
from vault.grants import sealed_grant
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault

FUNDER = Did("did:web:agglo.example")
FILLED = {
    (compartment, month)
    for compartment, month in (
        (Compartment.TRIPS, "2026-03"),
        (Compartment.TRIPS, "2026-04"),
        (Compartment.TRIPS, "undated"),
        (Compartment.INVOICES, "2026-04"),
        (Compartment.INVOICES, "2026-05"),
        (Compartment.ATTRIBUTES, "2026-04"),
        (Compartment.ATTRIBUTES, "2026-05"),
        (Compartment.ATTRIBUTES, "undated"),
        (Compartment.DOCUMENTS, "2026-04"),
        (Compartment.DOCUMENTS, "2026-05"),
        (Compartment.AIDS, "2026-04"),
        (Compartment.AIDS, "2026-05"),
        (Compartment.AIDS, "undated"),
    )
}


@pytest.fixture
def filled(home: Home, new: NewVault, vault: OpenVault) -> OpenVault:
    source = Source(home, new.vault_id)
    source.deposit(*(trip(f"g{n}", n * 1440 * 10) for n in range(4)))
    vault.drain(None)
    first = vault.all(Kind.TRIP)[0]
    vault.correct(first.id, purpose="travail")
    vault.put(*records_of_every_kind("a", month=4), *records_of_every_kind("b", month=5))
    return vault


@pytest.fixture
def delegate() -> BoxPrivateKey:
    return BoxPrivateKey.generate()


def give(
    vault: OpenVault,
    delegate: BoxPrivateKey,
    months: dict[Compartment, list[str]],
    **rest: object,
) -> tuple[str, OpenedGrant]:
    info = vault.grant(
        months,
        delegate=delegate.public,
        name="Maison de la mobilité",
        purpose="accompagnement",
        expires_at=NOW + timedelta(days=30),
        **rest,  # type: ignore[arg-type]
    )
    return info.id, open_grant(sealed_grant(vault, info.id), key=delegate, at=NOW)


def where(vault: OpenVault) -> dict[bytes, tuple[Compartment, str]]:
    """Compartment and month of each row, as the open vault knows them."""
    with vault.library.reading() as shelf:
        return {
            row_id: place for place in shelf.head.manifests for row_id in shelf.listed(*place).rows
        }


def opened_by(vault: OpenVault, grant: OpenedGrant) -> set[bytes]:
    """Every stored row that any key of the grant opens, whatever it is said to be."""
    with vault.home.store.read() as reader:
        tags = reader.row_tags(vault.vault_id)
        rows = [
            row
            for compartment in Compartment
            for row in reader.rows_named(
                vault.vault_id,
                compartment.value,
                [row_id for c, _, row_id in tags if c == compartment.value],
            )
        ]
    found = set()
    for row, (compartment, month, epoch), kind in product(rows, grant.months(), Kind):
        header = RecordHeader.of(row.sealed)
        try:
            open_record(
                row.sealed,
                vault=vault.vault_id,
                record_id=header.record_id,
                revision=header.revision,
                kind=kind.value,
                month_key=grant.month_key(compartment, month, epoch=epoch),
            )
        except CryptoError:
            continue
        found.add(row.row_id)
    return found


def manifests_opened_by(vault: OpenVault, grant: OpenedGrant) -> set[tuple[Compartment, str]]:
    with vault.home.store.read() as reader:
        sealed = [month.sealed for month in reader.months(vault.vault_id)]
    found = set()
    for data, (compartment, month, epoch) in product(sealed, grant.months()):
        try:
            MonthManifest.open(data, grant.month_key(compartment, month, epoch=epoch))
        except CryptoError:
            continue
        found.add((compartment, month))
    return found


def test_every_compartment_and_month_that_a_grant_can_name_is_filled(filled: OpenVault) -> None:
    assert set(where(filled).values()) == FILLED


@pytest.mark.parametrize(
    "scope", [{place} for place in sorted(FILLED)] + [FILLED], ids=lambda s: str(len(s))
)
def test_a_grant_opens_all_records_inside_its_scope_and_none_outside(
    filled: OpenVault, delegate: BoxPrivateKey, scope: set[tuple[Compartment, str]]
) -> None:
    months: dict[Compartment, list[str]] = {}
    for compartment, month in scope:
        months.setdefault(compartment, []).append(month)
    _, grant = give(filled, delegate, months)
    inside = {row for row, place in where(filled).items() if place in scope}
    assert inside
    assert opened_by(filled, grant) == inside
    assert manifests_opened_by(filled, grant) == scope
    for compartment, month in FILLED - scope:
        with pytest.raises(OutsideGrantError):
            grant.month_key(compartment, month, epoch=1)


def test_a_grant_of_a_month_to_come_opens_what_is_written_there(
    filled: OpenVault, delegate: BoxPrivateKey
) -> None:
    _, grant = give(filled, delegate, {Compartment.ATTRIBUTES: ["2027-01"]})
    assert opened_by(filled, grant) == set()
    filled.put(attribute("plus tard", datetime(2027, 1, 5, tzinfo=UTC)))
    row = filled.library.row_id(Compartment.ATTRIBUTES, iri("plus tard"))
    assert opened_by(filled, grant) == {row}


def attribute(name: str, at: datetime) -> Attribute:
    return Attribute(id=iri(name), name=name, value="x", source="test", certified_at=at)


def test_a_grant_of_months_opens_no_drop_box_and_signs_for_nobody(
    home: Home, filled: OpenVault, delegate: BoxPrivateKey
) -> None:
    filled.holder_key(FUNDER)
    _, grant = give(filled, delegate, {Compartment.TRIPS: ["2026-03"]})
    sealed = Source(home, filled.vault_id).seal(trip("boîte", 90_000))
    with pytest.raises(CryptoError):
        open_deposit(sealed.data, box_for=grant.box_for, vault=filled.vault_id)
    with pytest.raises(OutsideGrantError):
        grant.holder_secret(FUNDER)
    with pytest.raises(OutsideGrantError):
        grant.index_key(Compartment.INVOICES, epoch=1)


@pytest.mark.parametrize("compartment", sorted(Compartment))
def test_after_revocation_nothing_written_later_opens(
    home: Home, filled: OpenVault, delegate: BoxPrivateKey, compartment: Compartment
) -> None:
    """Records, manifests and deposits; whatever the grant held in this compartment."""
    months = {c: ["2026-03", "2026-04", "2026-05", "undated"] for c in (compartment,)}
    grant_id, grant = give(filled, delegate, months, boxes=frozenset({compartment}))
    before = opened_by(filled, grant)
    source = Source(home, filled.vault_id, account="boîte", compartment=compartment)
    early = source.seal(trip("tôt", 2 * 1440))
    assert open_deposit(early.data, box_for=grant.box_for, vault=filled.vault_id)
    source.send(early)  # sealed to the old key, drained after the revocation

    filled.revoke(grant_id)

    assert filled.grants() == []
    late = source.seal(trip("tard", 3 * 1440))
    with pytest.raises(CryptoError):
        open_deposit(late.data, box_for=grant.box_for, vault=filled.vault_id)
    source.send(late)
    assert filled.drain(None).records == 2
    filled.put(*records_of_every_kind("c", month=4), *records_of_every_kind("d", month=5))
    assert opened_by(filled, grant) <= before
    touched = {place for place in where(filled).values() if place[0] is compartment}
    written = {(Compartment.TRIPS, "2026-03")} | {
        place for place in touched if place[1] in {"2026-04", "2026-05"} and place[0] != "trips"
    }
    assert not manifests_opened_by(filled, grant) & written
    assert home.fsck(filled.vault_id, filled).clean


def test_after_revocation_a_drop_box_that_was_given_alone_is_closed(
    home: Home, filled: OpenVault, delegate: BoxPrivateKey
) -> None:
    """Months of one compartment, the drop-box of another."""
    grant_id, grant = give(
        filled,
        delegate,
        {Compartment.TRIPS: ["2026-03"]},
        boxes=frozenset({Compartment.INVOICES}),
    )
    source = Source(home, filled.vault_id, account="b", compartment=Compartment.INVOICES)
    early = source.seal(trip("tôt", 2 * 1440))
    assert open_deposit(early.data, box_for=grant.box_for, vault=filled.vault_id)
    filled.revoke(grant_id)
    late = source.seal(trip("tôt", 2 * 1440))
    with pytest.raises(CryptoError):
        open_deposit(late.data, box_for=grant.box_for, vault=filled.vault_id)


def test_a_grant_serves_until_its_date_and_only_its_delegate(
    filled: OpenVault, delegate: BoxPrivateKey, clock: Clock
) -> None:
    grant_id, _ = give(filled, delegate, {Compartment.TRIPS: ["2026-03"]})
    sealed = sealed_grant(filled, grant_id)
    with pytest.raises(GrantExpiredError):
        open_grant(sealed, key=delegate, at=NOW + timedelta(days=30))
    with pytest.raises(CryptoError):
        open_grant(sealed, key=BoxPrivateKey.generate(), at=NOW)
