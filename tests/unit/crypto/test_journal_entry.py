"""The chain of the journal: appended while locked, walked without keys, each fault by name."""

from dataclasses import replace

import pytest

from schemas.ids import digest
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.errors import (
    CryptoError,
    JournalAlteredError,
    JournalForkedError,
    JournalGapError,
    JournalTruncatedError,
)
from vault.crypto.journal_entry import (
    EMPTY,
    JournalRow,
    JournalTip,
    append_entry,
    open_entry,
    tip_of,
    walk,
)

PAIR = BoxPrivateKey.generate()


def chain(count: int, *, start: JournalTip = EMPTY) -> list[JournalRow]:
    rows, tip = list[JournalRow](), start
    for n in range(count):
        rows.append(append_entry(b'{"n":%d}' % n, vault="v", tip=tip, to=PAIR.public))
        tip = tip_of(rows[-1])
    return rows


def test_entries_open_and_the_chain_walks_to_its_tip() -> None:
    rows = chain(4)
    assert walk(rows, vault="v", pinned=tip_of(rows[1])) == tip_of(rows[3])
    opened = open_entry(rows[2], vault="v", key=PAIR)
    assert opened is not None
    assert opened.payload == b'{"n":2}'
    assert walk([], vault="v") == EMPTY


def test_an_erased_body_leaves_the_chain_whole() -> None:
    rows = chain(3)
    rows[1] = replace(rows[1], sealed=None)
    assert walk(rows, vault="v", pinned=tip_of(rows[2])) == tip_of(rows[2])
    assert open_entry(rows[1], vault="v", key=PAIR) is None


def test_each_fault_of_a_chain_has_its_name() -> None:
    rows = chain(4)
    other = chain(4)
    pinned = tip_of(rows[3])
    for broken, expected, seq in (
        ([rows[0], rows[2], rows[3]], JournalGapError, 2),
        ([rows[1], rows[0]], JournalGapError, 1),
        (rows[:3], JournalTruncatedError, 4),
        (other, JournalForkedError, 4),
        ([rows[0], replace(rows[1], link=digest(b"x"))], JournalAlteredError, 2),
        ([rows[0], replace(rows[1], sealed=b"MVJ\x01x")], JournalAlteredError, 2),
        (
            [rows[0], replace(rows[1], sealed_digest=digest(b"x"), sealed=None)],
            JournalAlteredError,
            2,
        ),
    ):
        with pytest.raises(expected) as caught:
            walk(broken, vault="v", pinned=pinned)
        assert caught.value.seq == seq
    with pytest.raises(JournalAlteredError):
        walk(rows, vault="w")


def test_an_entry_moved_to_another_number_does_not_open() -> None:
    rows = chain(2)
    moved = replace(rows[1], seq=1)
    with pytest.raises(CryptoError):
        open_entry(moved, vault="v", key=PAIR)
