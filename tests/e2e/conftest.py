"""One network for the whole session: starting it costs ten seconds, reading it nothing."""

from collections.abc import Iterator

import pytest

from tests.e2e.network import Network, network


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Home, hub and sandbox, with the story played."""
    with network(tmp_path_factory.mktemp("federation") / "state") as made:
        yield made
