"""Bitstring status lists: bits, bounds, herd."""

import gzip

import pytest

from federation.credentials import (
    BitstringError,
    StatusEntry,
    StatusList,
    StatusListFullError,
    UnverifiableError,
    VerificationError,
)
from federation.multibase import b64url
from tests.unit.proofs.world import LIST_URL, World


def encoded(data: bytes) -> str:
    return "u" + b64url(gzip.compress(data, mtime=0))


def test_the_first_index_is_the_left_most_bit() -> None:
    bits = StatusList.empty()
    bits.set(0)
    bits.set(9)
    raw = gzip.decompress(__import__("base64").urlsafe_b64decode(bits.encode()[1:] + "==="))
    assert raw[:2] == b"\x80\x40"
    bits.set(9, False)
    assert not bits.is_set(9)
    assert bits.is_set(0)


def test_an_empty_list_is_small_and_the_text_is_stable() -> None:
    assert len(StatusList.empty().encode()) < 100
    assert StatusList.empty().encode() == StatusList.empty().encode()


@pytest.mark.parametrize(
    "text",
    [
        None, 5, "", "u", "z", "uAAAA", encoded(b""), encoded(bytes(16_383)),
        encoded(bytes(1024 * 1024 + 1)), encoded(bytes(16_384))[:-9],
        "u" + b64url(gzip.compress(bytes(16_384), mtime=0) + b"more"),
        "x" + encoded(bytes(16_384))[1:],
        "u" + b64url(bytes(16_384)),
    ],
)  # fmt: skip
def test_what_is_not_a_bounded_bitstring_is_refused(text: object) -> None:
    with pytest.raises(BitstringError):
        StatusList.decode(text)


def test_a_decompression_bomb_stops_at_the_bound() -> None:
    bomb = encoded(bytes(20_000_000))
    with pytest.raises(BitstringError):
        StatusList.decode(bomb)


def test_indexes_outside_are_refused() -> None:
    bits = StatusList.empty()
    for index in (-1, len(bits)):
        with pytest.raises(BitstringError):
            bits.is_set(index)
        with pytest.raises(BitstringError):
            bits.set(index)
    with pytest.raises(BitstringError):
        StatusList.empty(131_073)


def test_indexes_are_drawn_at_random_among_the_free() -> None:
    bits = StatusList.empty()
    drawn = {bits.random_index(lambda i: i % 2 == 0) for _ in range(50)}
    assert len(drawn) > 40
    assert all(index % 2 for index in drawn)
    with pytest.raises(StatusListFullError):
        bits.random_index(lambda _: True)


def test_suspension_is_its_own_outcome() -> None:
    world = World()
    world.publish(12, purpose="suspension")
    from federation.credentials import issue
    from tests.unit.proofs.world import DAY, NOW, POLICY

    status = StatusEntry(LIST_URL, 12, "suspension")
    usage = issue(world.usage_body(), signer=world.home, at=NOW - DAY, status=status)
    with pytest.raises(UnverifiableError):  # another issuer's list says nothing
        world.verifier().verify_credential(usage, POLICY, at=NOW)
    world.publish(12, purpose="suspension", signer=world.home)
    with pytest.raises(VerificationError) as caught:
        world.verifier().verify_credential(usage, POLICY, at=NOW)
    assert caught.value.failed == ("status-suspended",)
