"""For every scope a grant can have: it opens all records inside and none outside, on ciphertext."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.sealing import seal
from schemas.records import Compartment
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import RecordHeader, open_record, seal_record
from vault.crypto.errors import (
    CryptoError,
    GrantExpiredError,
    KeyringLockedError,
    KeyUnknownError,
    OutsideGrantError,
)
from vault.crypto.grant import GrantScope, OpenedGrant, SealedGrant, open_grant, seal_grant
from vault.crypto.head import MonthManifest
from vault.crypto.keyring import Keyring
from vault.crypto.month_key import MonthKey

AT = datetime(2026, 3, 2, tzinfo=UTC)
C = Compartment
MONTHS = ("2026-02", "2026-03", "2027-01", "undated")
DELEGATE = BoxPrivateKey.generate()
SCOPES = [
    GrantScope({}),
    GrantScope({C.TRIPS: ["2026-03"]}),
    GrantScope({C.TRIPS: ["2026-02", "2026-03"], C.INVOICES: ["2026-03"]}),
    GrantScope({C.TRIPS: ["2027-01"]}),
    GrantScope({C.AIDS: ["undated"]}, frozenset({C.AIDS})),
    GrantScope({}, frozenset({C.EXTENSIONS, C.TRIPS})),
    GrantScope({C.ATTRIBUTES: ["undated"]}, holder="did:web:f"),
    GrantScope({c: list(MONTHS) for c in C}, frozenset(C), "did:web:f"),
    GrantScope({C.TRIPS: ["2026-03"]}, earlier_epochs=False),
]
Place = tuple[Compartment, str, int]


def vault() -> tuple[Keyring, dict[Place, tuple[bytes, dict[str, Any]]]]:
    """Records in every compartment, month and epoch; the trips were rotated once."""
    ring, rows = Keyring.create("v", at=AT), {}
    ring.add_holder("did:web:f", at=AT)
    ring.add_holder("did:web:g", at=AT)

    def write() -> None:
        for number, (compartment, month) in enumerate(itertools.product(C, MONTHS)):
            key = ring.month_key(compartment, month)
            place: dict[str, Any] = {
                "vault": "v", "record_id": bytes([number]) * 16, "revision": 1, "kind": "Trip",
            }  # fmt: skip
            sealed = seal_record(b"{}", month_key=key, **place)
            rows[compartment, month, key.epoch] = (sealed, place)

    write()
    ring.rotate(C.TRIPS, at=AT)
    write()
    return ring, rows


def keys_of(grant: OpenedGrant) -> list[MonthKey]:
    return [grant.month_key(c, m, epoch=e) for c, m, e in grant.months()]


def opens(key: MonthKey, sealed: bytes, place: dict[str, Any]) -> bool:
    """Whether the raw key opens the row, as whatever month or compartment it poses."""
    header = RecordHeader.of(sealed)
    for compartment, month in itertools.product(C, MONTHS):
        tried = MonthKey(
            key.copy(), vault="v", compartment=compartment, month=month, epoch=header.epoch
        )
        try:
            open_record(sealed, month_key=tried, **place)
        except CryptoError:
            continue
        return True
    return False


@pytest.mark.parametrize("scope", SCOPES, ids=range(len(SCOPES)))
def test_a_grant_opens_all_records_in_scope_and_none_outside(scope: GrantScope) -> None:
    ring, rows = vault()
    sealed = seal_grant(ring, scope, to=DELEGATE.public, expires_at=AT + timedelta(days=1))
    grant = open_grant(sealed, key=DELEGATE, at=AT)
    keys = keys_of(grant)
    for (compartment, month, epoch), (row, place) in rows.items():
        is_inside = month in scope.months.get(compartment, ()) and (
            scope.earlier_epochs or epoch == ring.epoch(compartment)
        )
        assert any(opens(key, row, place) for key in keys) == is_inside
        if is_inside:
            key = grant.month_key(compartment, month, epoch=epoch)
            assert open_record(row, month_key=key, **place).payload == b"{}"
        else:
            with pytest.raises(OutsideGrantError):
                grant.month_key(compartment, month, epoch=epoch)
    for compartment in C:
        pair = ring.box(compartment)
        waiting = seal(b"x", to=pair.public, info=b"")
        if compartment in scope.boxes:
            assert grant.box_for(pair.key_id).open(waiting, info=b"") == b"x"
        else:
            with pytest.raises(OutsideGrantError):
                grant.box_for(pair.key_id)
    if scope.holder:
        assert grant.holder_secret("did:web:f") == ring.holder_secret("did:web:f")
    with pytest.raises(OutsideGrantError):
        grant.holder_secret("did:web:g")


@pytest.mark.parametrize("scope", SCOPES, ids=range(len(SCOPES)))
def test_a_grant_carries_no_key_but_those_of_its_scope(scope: GrantScope) -> None:
    """Its plaintext holds none of the ring's keys but index, box and holder keys in scope."""
    ring, _ = vault()
    sealed = SealedGrant.parse(
        seal_grant(ring, scope, to=DELEGATE.public, expires_at=AT + timedelta(days=1))
    )
    plain = DELEGATE.open(sealed.box, info=b"mobility-vault/grant/1\x00" + sealed.opening)
    found = {
        (key.purpose.name, key.compartment)
        for key in ring.lines()
        if bytes(key.secret.view) in plain
    }
    allowed = {("INDEX", c) for c in scope.months} | {("BOX", c) for c in scope.boxes}
    if scope.holder:
        allowed.add(("HOLDER", None))
    assert found == allowed


def test_after_revocation_nothing_written_later_opens() -> None:
    ring, _ = vault()
    scope = GrantScope({C.TRIPS: ["2026-03"]}, frozenset({C.TRIPS}))
    grant = open_grant(
        seal_grant(ring, scope, to=DELEGATE.public, expires_at=AT + timedelta(days=1)),
        key=DELEGATE,
        at=AT,
    )
    ring.rotate(C.TRIPS, at=AT)
    place: dict[str, Any] = {"vault": "v", "record_id": b"z" * 16, "revision": 1, "kind": "Trip"}
    month = ring.month_key(C.TRIPS, "2026-03")
    later = seal_record(b"{}", month_key=month, **place)
    manifest = MonthManifest(C.TRIPS, "2026-03").seal(month)
    assert not any(opens(key, later, place) for key in keys_of(grant))
    for key in keys_of(grant):
        with pytest.raises(CryptoError):
            MonthManifest.open(manifest, key)
    with pytest.raises(OutsideGrantError):
        grant.box_for(ring.box(C.TRIPS).key_id)
    with pytest.raises(OutsideGrantError):
        grant.index_key(C.TRIPS, epoch=month.epoch)


def test_a_grant_ends_on_its_day_and_locks() -> None:
    ring, _ = vault()
    sealed = seal_grant(ring, SCOPES[1], to=DELEGATE.public, expires_at=AT)
    with pytest.raises(GrantExpiredError):
        open_grant(sealed, key=DELEGATE, at=AT)
    with open_grant(sealed, key=DELEGATE, at=AT - timedelta(seconds=1)) as grant:
        keys = keys_of(grant)
        buffers = [key.view for key in keys]
    assert all(not any(buffer) for buffer in buffers)
    with pytest.raises(KeyringLockedError):
        _ = keys[0].wrap


def test_a_grant_for_a_verifier_without_holder_key_is_refused() -> None:
    ring, _ = vault()
    with pytest.raises(KeyUnknownError):
        seal_grant(ring, GrantScope({}, holder="did:web:new"), to=DELEGATE.public, expires_at=AT)
