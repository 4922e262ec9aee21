"""Omission and going back: each refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.ids import Did, digest
from schemas.records import Compartment
from vault.crypto.envelope import destroy_data_key, row_digest, seal_record
from vault.crypto.errors import (
    HeadError,
    ManifestExtraError,
    ManifestMissingError,
    ManifestReplacedError,
    MonthError,
    RowAlteredError,
    RowExtraError,
    RowMissingError,
    RowOldError,
    RowRevivedError,
    RowShreddedError,
    RowSwappedError,
    VaultForkedError,
    VaultRolledBackError,
)
from vault.crypto.head import (
    DrainMark,
    Head,
    HeadWitness,
    ManifestRow,
    MonthManifest,
    head_seq,
)
from vault.crypto.keyring import Keyring

AT = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
RING = Keyring.create("v", at=AT)
KEY = RING.month_key(Compartment.TRIPS, "2026-03")
ONE, TWO = b"1" * 16, b"2" * 16


def row(record_id: bytes, revision: int = 2) -> bytes:
    place: dict[str, Any] = {"vault": "v", "record_id": record_id, "revision": revision}
    return seal_record(b"{}", kind="Trip", month_key=KEY, **place)


NOW = {ONE: row(ONE), TWO: row(TWO)}
MANIFEST = MonthManifest(Compartment.TRIPS, "2026-03").with_changes(
    put=[ManifestRow(i, "Trip", 2, AT, row_digest(e)) for i, e in NOW.items()]
)
CASES = {
    "removed": ([(ONE, NOW[ONE])], RowMissingError),
    "added": ([*NOW.items(), (b"3" * 16, row(b"3" * 16))], RowExtraError),
    "twice": ([*NOW.items(), (ONE, NOW[ONE])], RowExtraError),
    "swapped": ([(ONE, NOW[TWO]), (TWO, NOW[ONE])], RowSwappedError),
    "old, with its own header": ([(ONE, row(ONE, 1)), (TWO, NOW[TWO])], RowOldError),
    "newer": ([(ONE, row(ONE, 3)), (TWO, NOW[TWO])], RowAlteredError),
    "sealed again": ([(ONE, row(ONE)), (TWO, NOW[TWO])], RowAlteredError),
    "shredded": ([(ONE, destroy_data_key(NOW[ONE])), (TWO, NOW[TWO])], RowShreddedError),
}


@pytest.mark.parametrize("case", CASES)
def test_a_month_that_was_tampered_with_is_refused_by_name(case: str) -> None:
    rows, expected = CASES[case]
    MANIFEST.check(NOW.items())
    with pytest.raises(expected) as caught:
        MANIFEST.check(rows)
    assert caught.value.faults[0] is caught.value


def test_every_fault_of_a_month_is_listed() -> None:
    faults = MANIFEST.compare([(ONE, NOW[TWO]), (b"9" * 16, NOW[ONE])])
    assert {type(f) for f in faults} == {RowSwappedError, RowExtraError, RowMissingError}
    assert all(isinstance(f, MonthError) for f in faults)


def test_a_shredded_row_that_comes_back_is_refused() -> None:
    shredded = MANIFEST.with_changes(
        put=[ManifestRow(ONE, "Trip", 2, AT, row_digest(NOW[ONE]), is_destroyed=True)]
    )
    shredded.check([(ONE, destroy_data_key(NOW[ONE])), (TWO, NOW[TWO])])
    with pytest.raises(RowRevivedError):
        shredded.check(NOW.items())


def test_a_manifest_reopens_and_changes_only_what_is_asked() -> None:
    assert MonthManifest.open(MANIFEST.seal(KEY), KEY) == MANIFEST
    assert set(MANIFEST.with_changes(remove=[ONE, b"x" * 16]).rows) == {TWO}


def test_the_head_names_a_month_that_is_missing_added_or_replaced() -> None:
    sealed = MANIFEST.seal(KEY)
    place = (Compartment.TRIPS, "2026-03")
    head = Head("v", 0, 1).next(manifests={place: digest(sealed)})
    head.check_manifest(*place, sealed)
    head.check_manifest(Compartment.AIDS, "2026-03", None)
    for month, found, expected in (
        ("2026-03", None, ManifestMissingError),
        ("2026-03", MANIFEST.seal(KEY), ManifestReplacedError),
        ("2026-04", sealed, ManifestExtraError),
    ):
        with pytest.raises(expected):
            head.check_manifest(Compartment.TRIPS, month, found)
    gone = head.next(manifests={place: None})
    assert not gone.manifests
    assert gone.seq == 2


def test_a_head_reopens_as_it_was() -> None:
    head = Head("v", 6, 3).next(
        manifests={(Compartment.AIDS, "undated"): digest(b"m")},
        drained={(Did("did:web:o"), "a"): DrainMark(4, digest(b"d"))},
        journal=(9, digest(b"j")),
        keyring_generation=4,
    )
    sealed = head.seal(RING.head_key())
    assert Head.open(sealed, key=RING.head_key(), vault="v") == head
    assert head_seq(sealed) == 7


def test_a_vault_below_or_beside_its_witness_is_refused_by_name() -> None:
    key = RING.head_key()
    first = Head("v", 4, 1)
    old, new, beside = first.seal(key), first.next().seal(key), first.next().seal(key)
    witness = HeadWitness.decode(Head.witness(new).encode())
    Head.require_not_older(new, witness)
    Head.require_not_older(first.next().next().seal(key), witness)
    with pytest.raises(VaultRolledBackError) as caught:
        Head.require_not_older(old, witness)
    assert (caught.value.seq, caught.value.remembered) == (4, 5)
    with pytest.raises(VaultForkedError):
        Head.require_not_older(beside, witness)
    assert issubclass(VaultForkedError, HeadError)


def test_a_commitment_needs_its_salt() -> None:
    witness = HeadWitness(1, digest(b"h"))
    one, two = (witness.commitment(vault="v", salt=bytes([n]) * 32) for n in (1, 2))
    assert one != two
    assert one == witness.commitment(vault="v", salt=b"\x01" * 32)
