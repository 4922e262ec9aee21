"""A witness hub does not let one line, or one address, fill it."""

from pathlib import Path

import pytest

from federation.hub.errors import WitnessBusyError
from federation.hub.witness import MOST_A_LINE, MOST_AN_ADDRESS, identifier_of
from tests.hub_world import build_world


def test_a_line_that_grows_too_fast_waits_and_keeps_its_last_head(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    witness, secret = world.context.witness, b"s" * 32
    for seq in range(1, MOST_A_LINE + 1):
        witness.append(secret, seq=seq, commitment=bytes([seq % 256]) * 32)
    with pytest.raises(WitnessBusyError) as found:
        witness.append(secret, seq=MOST_A_LINE + 1, commitment=b"x" * 32)
    assert found.value.retry_after_s > 0
    assert witness.read(identifier_of(secret)).seq == MOST_A_LINE
    again = bytes([MOST_A_LINE % 256]) * 32
    assert witness.append(secret, seq=MOST_A_LINE, commitment=again).seq == MOST_A_LINE
    witness.append(b"o" * 32, seq=1, commitment=b"o" * 32)  # nobody else waits
    world.clock.advance(hours=1, seconds=1)
    assert witness.append(secret, seq=MOST_A_LINE + 1, commitment=b"x" * 32).seq == MOST_A_LINE + 1


def test_an_address_that_asks_too_often_waits_and_no_other(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    witness = world.context.witness
    for _ in range(MOST_AN_ADDRESS):
        witness.admit("198.51.100.7")
    with pytest.raises(WitnessBusyError):
        witness.admit("198.51.100.7")
    witness.admit("203.0.113.9")
    world.clock.advance(minutes=1)
    witness.admit("198.51.100.7")
