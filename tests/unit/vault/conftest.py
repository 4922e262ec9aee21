"""Builders: a home in a folder, a vault, a depositor, trips."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.vault.builders import Citizen, Clock, make_home
from vault.home import Home


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with make_home(tmp_path / "home", clock) as found:
        yield found


@pytest.fixture
def citizen(home: Home) -> Citizen:
    """A vault, unlocked, with one linked depositor."""
    return Citizen(home)
