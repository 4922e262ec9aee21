"""Keys: what locks, rotates, is destroyed, and what it shows of itself."""

import copy
import logging
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.sealing import BoxPublicKey, SealSuite, seal
from schemas.records import Compartment
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import destroy_data_key, open_record, row_digest, seal_record
from vault.crypto.errors import (
    DataKeyDestroyedError,
    KeyDestroyedError,
    KeyringLockedError,
    KeyUnknownError,
    SealBrokenError,
)
from vault.crypto.kdf import CHEAPEST_FOR_TESTS, SENSITIVE
from vault.crypto.keyring import Keyring, KeyState, Purpose
from vault.crypto.secret import RootKey, Secret
from vault.crypto.slots import (
    Slot,
    open_passphrase_slot,
    open_recovery_slot,
    seal_passphrase_slot,
    seal_recovery_slot,
)

AT = datetime(2026, 3, 2, tzinfo=UTC)
PLACE: dict[str, Any] = {"vault": "v", "record_id": b"r" * 16, "revision": 1, "kind": "Trip"}


def ring() -> Keyring:
    return Keyring.create("v", at=AT)


def test_no_two_keys_of_a_ring_are_the_same_or_derived_from_the_root() -> None:
    keys = list(ring().lines())
    assert len({bytes(key.secret.view) for key in keys}) == len(keys) == 3 * 6 + 3


def test_a_ring_reopens_with_every_key_and_counts_its_seals() -> None:
    root, first = RootKey.random(), ring()
    first.add_holder("did:web:f", at=AT)
    first.rotate(Compartment.AIDS, at=AT)
    sealed = first.seal(root)
    again = Keyring.open(sealed, root=root, vault="v")
    assert again.generation == 1
    assert [(k.key_id, k.state, bytes(k.secret.view)) for k in again.lines()] == [
        (k.key_id, k.state, bytes(k.secret.view)) for k in first.lines()
    ]
    again.seal(root)
    assert again.generation == 2
    with pytest.raises(SealBrokenError):
        Keyring.open(sealed, root=RootKey.random(), vault="v")


def test_locking_zeroes_every_key_in_place() -> None:
    opened = ring()
    month = opened.month_key(Compartment.TRIPS, "2026-03")
    pair, index, blob = (
        opened.box(Compartment.TRIPS),
        opened.index_key(Compartment.TRIPS),
        opened.blob_key(),
    )
    buffers = [key.secret.view for key in opened.lines()]
    buffers += [month.view, pair.view, index.view, blob.view]
    opened.lock()
    assert all(not any(buffer) for buffer in buffers)
    for use in (
        lambda: opened.month_key(Compartment.TRIPS, "2026-03"),
        lambda: opened.seal(RootKey.random()),
        lambda: opened.holder_secret("x"),
        lambda: opened.rotate(Compartment.TRIPS, at=AT),
        lambda: month.wrap,
        lambda: pair.open(seal(b"", to=pair.public, info=b""), info=b""),
        lambda: blob.aead,
        lambda: index.tag("month", "2026-03"),
    ):
        with pytest.raises(KeyringLockedError):
            use()
    opened.lock()


def test_secrets_show_stars_and_are_neither_pickled_nor_copied() -> None:
    opened, secret = ring(), Secret(bytearray(b"s" * 32))
    for thing in (secret, opened, opened.box(Compartment.TRIPS), RootKey.random()):
        assert "***" in repr(thing)
        assert "sss" not in repr(thing)
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            take(secret)


def test_a_rotated_compartment_writes_in_the_new_epoch_and_opens_the_old() -> None:
    opened = ring()
    old_box = opened.box(Compartment.TRIPS)
    old_tag = opened.index_key(Compartment.TRIPS).tag("month", "2026-03")
    waiting = seal(b"x", to=old_box.public, info=b"")
    assert opened.rotate(Compartment.TRIPS, at=AT) == 2
    assert opened.month_key(Compartment.TRIPS, "2026-03").epoch == 2
    assert opened.month_key(Compartment.TRIPS, "2026-03", epoch=1).epoch == 1
    assert opened.epochs(Compartment.TRIPS) == (1, 2)
    assert opened.epoch(Compartment.AIDS) == 1
    assert opened.index_key(Compartment.TRIPS).tag("month", "2026-03") != old_tag
    assert opened.box(Compartment.TRIPS).key_id != old_box.key_id
    assert opened.box_for(old_box.key_id).open(waiting, info=b"") == b"x"


def test_only_a_retired_epoch_is_destroyed_and_then_opens_nothing() -> None:
    opened = ring()
    month = opened.month_key(Compartment.TRIPS, "2026-03")
    key_id = opened.box(Compartment.TRIPS).key_id
    with pytest.raises(KeyUnknownError):
        opened.destroy(Compartment.TRIPS, 1)
    opened.rotate(Compartment.TRIPS, at=AT)
    opened.destroy(Compartment.TRIPS, 1)
    assert month.is_wiped
    with pytest.raises(KeyDestroyedError):
        opened.month_key(Compartment.TRIPS, "2026-03", epoch=1)
    with pytest.raises(KeyUnknownError):
        opened.box_for(key_id)
    root = RootKey.random()
    again = Keyring.open(opened.seal(root), root=root, vault="v")
    states = {k.state for k in again.lines() if k.compartment is Compartment.TRIPS and k.epoch == 1}
    assert states == {KeyState.DESTROYED}


@pytest.mark.parametrize("purpose", [Purpose.JOURNAL, Purpose.BLOB, Purpose.HEAD])
def test_keys_apart_rotate_and_keep_the_old_one_for_opening(purpose: Purpose) -> None:
    opened = ring()
    assert opened.rotate_apart(purpose, at=AT) == 2
    use = {
        Purpose.JOURNAL: opened.journal,
        Purpose.BLOB: opened.blob_key,
        Purpose.HEAD: opened.head_key,
    }[purpose]
    assert use().epoch == 2
    assert use(epoch=1).epoch == 1
    with pytest.raises(KeyUnknownError):
        opened.rotate_apart(Purpose.RECORD, at=AT)


def test_a_verifier_gets_one_holder_key_and_another_verifier_another() -> None:
    opened = ring()
    assert opened.holder_secret("did:web:f") is None
    one = opened.add_holder("did:web:f", at=AT)
    assert opened.add_holder("did:web:f", at=AT) == one == opened.holder_secret("did:web:f")
    assert opened.add_holder("did:web:g", at=AT) != one
    assert opened.holders() == ("did:web:f", "did:web:g")


def test_a_shredded_revision_opens_nothing_and_keeps_its_digest() -> None:
    month = ring().month_key(Compartment.TRIPS, "2026-03")
    sealed = seal_record(b"{}", month_key=month, **PLACE)
    shredded = destroy_data_key(sealed)
    assert row_digest(shredded) == row_digest(sealed)
    with pytest.raises(DataKeyDestroyedError):
        open_record(shredded, month_key=month, **PLACE)


def test_sizes_fall_into_few_buckets() -> None:
    import os

    month = ring().month_key(Compartment.TRIPS, "2026-03")
    sizes = {
        len(seal_record(os.urandom(n), month_key=month, **PLACE)) - 105 for n in range(1, 1000)
    }
    assert sizes == {256, 320, 384, 448, 512, 640, 768, 896, 1024}


def test_the_hybrid_key_is_x_wing() -> None:
    """First vector of draft-connolly-cfrg-xwing-kem: seed and the start of its public key."""
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    pair = BoxPrivateKey(bytearray.fromhex(seed), suite=SealSuite.MLKEM768_X25519)
    assert pair.public.raw.hex().startswith("e2236b35a8c24b39b10aa1323a96a919")
    assert BoxPublicKey.decode(pair.public.encode()) == pair.public


def test_slots_open_each_their_own_way_to_one_root_and_pepper_is_needed() -> None:
    root, pepper = RootKey.random(), bytearray(b"p" * 32)
    slot = seal_passphrase_slot(
        root, "Cle\u0301 🚲", pepper=pepper, vault="v", profile=CHEAPEST_FOR_TESTS
    )
    opened = open_passphrase_slot(slot, "Cl\u00e9 🚲".encode(), pepper=pepper, vault="v")
    assert opened.is_same(root)
    other, code = seal_recovery_slot(root, pepper=pepper, vault="v")
    assert open_recovery_slot(other, code, pepper=pepper, vault="v").is_same(root)
    assert Slot.parse(slot).is_weaker_than(SENSITIVE)
    assert not Slot.parse(other).is_weaker_than(SENSITIVE)


def test_the_test_profile_warns_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    with structlog.testing.capture_logs() as logs:
        seal_passphrase_slot(
            RootKey.random(), "x", pepper=bytes(32), vault="v", profile=CHEAPEST_FOR_TESTS
        )
    assert [entry["log_level"] for entry in logs] == [logging.getLevelName(30).lower()]
