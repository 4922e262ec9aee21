"""open ∘ seal = id; any flipped bit is refused; swapped and old rows are refused by name."""

import io
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.keys import Ed25519Key
from federation.sealing import SealSuite, batches, build_deposit, seal, verify_manifest
from federation.sealing.age import encrypt
from schemas.errors import MobilityError
from schemas.records import Compartment
from vault.crypto.age import X25519Identity, decrypt
from vault.crypto.blob import open_blob, seal_blob
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import open_record, rewrap_record, row_digest, seal_record
from vault.crypto.errors import CryptoError, RowOldError, RowSwappedError, SealBrokenError
from vault.crypto.head import ManifestRow, MonthManifest
from vault.crypto.keyring import Keyring
from vault.crypto.opening import open_deposit
from vault.crypto.recovery import RecoveryCode
from vault.crypto.secret import AeadKey, RootKey
from vault.crypto.session import new_cookie_secret, open_session, seal_session
from vault.crypto.slots import SlotKind, open_slot, seal_slot
from vault.crypto.track import decode_track, encode_track

AT = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
RING = Keyring.create("v", at=AT)
MARCH = RING.month_key(Compartment.TRIPS, "2026-03")
SIGNER = Ed25519Key.generate()
PLACE: dict[str, Any] = {"vault": "v", "record_id": b"r" * 16, "revision": 1, "kind": "Trip"}
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flipped(data: bytes, bit: int) -> bytes:
    bit %= 8 * len(data)
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


@some
@given(st.binary(max_size=5000), st.integers(1, 65535), st.sampled_from(["Trip", "Invoice", "x"]))
def test_a_record_opens_to_what_was_sealed(payload: bytes, version: int, kind: str) -> None:
    place = {**PLACE, "kind": kind}
    sealed = seal_record(payload, month_key=MARCH, schema_version=version, **place)
    assert open_record(sealed, month_key=MARCH, **place) == (payload, version)


@settings(max_examples=400, deadline=None)
@given(st.integers(min_value=0))
def test_any_flipped_bit_of_a_record_is_refused(bit: int) -> None:
    sealed = seal_record(b'{"a":1}', month_key=MARCH, **PLACE)
    with pytest.raises(MobilityError):
        open_record(flipped(sealed, bit), month_key=MARCH, **PLACE)


@some
@given(st.integers(min_value=0), st.integers(0, 3))
def test_any_flipped_bit_of_slot_ring_manifest_and_head_is_refused(bit: int, which: int) -> None:
    root = RootKey.random()
    secret, pepper = bytearray(32), bytearray(32)
    slot = seal_slot(root, kind=SlotKind.RECOVERY, secret=secret, pepper=pepper, vault="v")
    cookie = new_cookie_secret()
    session = seal_session(root, cookie=cookie, session_key=b"k" * 32, vault="v", expires_at=AT)
    sealed = [
        slot,
        RING.seal(root),
        MonthManifest(MARCH.compartment, "2026-03").seal(MARCH),
        session,
    ]
    changed = flipped(sealed[which], bit)
    with pytest.raises(MobilityError):
        if which == 0:
            open_slot(changed, secret=secret, pepper=pepper, vault="v")
        elif which == 1:
            Keyring.open(changed, root=root, vault="v")
        elif which == 2:
            MonthManifest.open(changed, MARCH)
        else:
            open_session(changed, cookie=cookie, session_key=b"k" * 32, vault="v", expires_at=AT)


@some
@given(st.binary(max_size=3000), st.sampled_from(SealSuite), st.integers(min_value=0))
def test_a_box_opens_and_any_flipped_bit_is_refused(
    data: bytes, suite: SealSuite, bit: int
) -> None:
    pair = BoxPrivateKey.generate(suite)
    sealed = seal(data, to=pair.public, info=b"i")
    assert pair.open(sealed, info=b"i") == data
    with pytest.raises(MobilityError):
        pair.open(flipped(sealed, bit), info=b"i")


@some
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.integers(min_value=0))
def test_a_deposit_opens_and_any_flipped_bit_is_refused(records: list[bytes], bit: int) -> None:
    deposit = build_deposit(
        records, vault="v", depositor_signer=SIGNER.signer(), account="a", seq=1, previous=None,
        to=RING.box(Compartment.TRIPS).public, at=AT,
    )  # fmt: skip
    opened = open_deposit(deposit.data, box_for=RING.box_for, vault="v")
    assert list(opened.records) == records
    assert len(verify_manifest(opened.manifest, SIGNER.public).digests) == len(records)
    with pytest.raises(CryptoError):
        open_deposit(flipped(deposit.data, bit), box_for=RING.box_for, vault="v")


@some
@given(st.lists(st.integers(0, 150_000), max_size=40))
def test_batches_keep_order_and_each_fits_a_deposit(sizes: list[int]) -> None:
    import random

    records = [random.Random(i).randbytes(size) for i, size in enumerate(sizes)]
    cut = list(batches(records))
    assert [record for batch in cut for record in batch] == records
    for batch in cut[:3]:
        build_deposit(
            batch, vault="v", depositor_signer=SIGNER.signer(), account="a", seq=1, previous=None,
            to=RING.box(Compartment.TRIPS).public, at=AT,
        )  # fmt: skip


@some
@given(st.integers(0, 200_000), st.integers(min_value=0))
def test_a_blob_opens_and_any_flipped_bit_or_cut_is_refused(size: int, place: int) -> None:
    key, out = AeadKey.random(), io.BytesIO()
    content = bytes(size)
    where: dict[str, Any] = {"vault": "v", "blob_id": b"b" * 16, "kind": "track", "key": key}
    seal_blob(io.BytesIO(content), out, **where)
    data = out.getvalue()
    assert b"".join(open_blob(io.BytesIO(data), **where)) == content
    for broken in (flipped(data, place), data[: place % len(data)], data + b"\x00"):
        with pytest.raises(MobilityError):
            b"".join(open_blob(io.BytesIO(broken), **where))


@some
@given(st.integers(0, 140_000), st.integers(min_value=0))
def test_an_age_file_opens_and_any_flipped_payload_bit_or_cut_is_refused(
    size: int, place: int
) -> None:
    identity, out = X25519Identity.generate(), io.BytesIO()
    with encrypt(out, [identity.recipient]) as stream:
        stream.write(bytes(size))
    data = out.getvalue()
    assert decrypt(io.BytesIO(data), [identity]).read() == bytes(size)
    for broken in (flipped(data, place), data[: place % len(data)], data + b"\x00"):
        with pytest.raises(CryptoError):
            decrypt(io.BytesIO(broken), [identity]).read()


@some
@given(st.binary(min_size=32, max_size=32), st.integers(0, 55), st.integers(1, 31))
def test_a_recovery_code_reads_back_and_one_wrong_character_is_told(
    secret: bytes, index: int, by: int
) -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    text = RecoveryCode(bytearray(secret)).reveal().decode()
    assert bytes(RecoveryCode.parse(text).view) == secret
    digits = list(text.replace("-", ""))
    digits[index] = alphabet[(alphabet.index(digits[index]) + by) % 32]
    with pytest.raises(CryptoError):
        RecoveryCode.parse("".join(digits))


points = st.tuples(
    st.integers(0, 4_000_000_000),
    st.integers(-9_000_000, 9_000_000),
    st.integers(-18_000_000, 18_000_000),
)


@some
@given(st.lists(points, max_size=60))
def test_a_track_reads_back_at_its_precision(raw: list[tuple[int, int, int]]) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    track = [(start + timedelta(seconds=s), lat / 1e5, lon / 1e5) for s, lat, lon in raw]
    assert decode_track(encode_track(track)) == track


@some
@given(st.binary(max_size=400))
def test_bytes_that_are_no_track_are_refused_or_read_and_nothing_else(data: bytes) -> None:
    with suppress(CryptoError):
        decode_track(b"\x01" + data)


@some
@given(st.integers(2, 9))
def test_swapped_and_old_rows_are_refused_by_name(revision: int) -> None:
    def row(record_id: bytes, revision: int) -> bytes:
        place = {**PLACE, "record_id": record_id, "revision": revision}
        return seal_record(b"{}", month_key=MARCH, **place)

    one, two = b"1" * 16, b"2" * 16
    now = {one: row(one, revision), two: row(two, revision)}
    manifest = MonthManifest(Compartment.TRIPS, "2026-03").with_changes(
        put=[ManifestRow(i, "Trip", revision, AT, row_digest(e)) for i, e in now.items()]
    )
    manifest.check(now.items())
    with pytest.raises(RowSwappedError):
        manifest.check([(one, now[two]), (two, now[one])])
    with pytest.raises(RowOldError):
        manifest.check([(one, row(one, revision - 1)), (two, now[two])])


@some
@given(st.binary(max_size=600))
def test_rewrapping_moves_a_record_to_the_new_epoch_only(payload: bytes) -> None:
    ring = Keyring.create("v", at=AT)
    old = ring.month_key(Compartment.TRIPS, "2026-03")
    sealed = seal_record(payload, month_key=old, **PLACE)
    ring.rotate(Compartment.TRIPS, at=AT)
    new = ring.month_key(Compartment.TRIPS, "2026-03")
    moved = rewrap_record(sealed, vault="v", old=old, new=new)
    assert open_record(moved, month_key=new, **PLACE).payload == payload
    assert row_digest(moved) == row_digest(sealed)
    with pytest.raises(CryptoError):
        open_record(moved, month_key=old, **PLACE)


def test_a_record_of_one_vault_is_refused_in_another() -> None:
    sealed = seal_record(b"{}", month_key=MARCH, **PLACE)
    with pytest.raises(SealBrokenError):
        open_record(sealed, month_key=MARCH, **{**PLACE, "vault": "w"})
