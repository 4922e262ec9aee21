"""One code, one refresh token, many at once, on both databases: one of them counts."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.vault.builders import Citizen, Clock, make_home
from tests.unit.vault.passport_login import MONTH, Door, give_identity
from vault.home import Home
from vault.passport.protocol import Reply

OFFLINE = "openid identite offline_access"


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> Iterator[Home]:
    with make_home(tmp_path / "home", Clock(), url=database_url) as found:
        yield found


def at_once(act: Callable[[], Reply]) -> list[Reply]:
    with ThreadPoolExecutor(8) as pool:
        return [done.result() for done in [pool.submit(act) for _ in range(8)]]


def test_of_eight_uses_at_once_of_a_code_or_a_refresh_token_one_counts(home: Home) -> None:
    citizen = Citizen(home)
    give_identity(citizen)
    door = Door(home, scope=OFFLINE)
    asked, begun = door.ask(OFFLINE)
    code = door.agree(citizen, asked, keep_for=MONTH)["code"]
    replies = at_once(lambda: door.exchange(code, begun))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 7
    assert {r.body["error"] for r in replies if r.status == 400} == {"invalid_grant"}

    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    replies = at_once(lambda: door.refresh(tokens["refresh_token"]))
    (next_,) = [reply.body for reply in replies if reply.status == 200]
    # The others showed a copy: the line is over, for the one that was first too.
    assert door.refresh(next_["refresh_token"]).body["error"] == "invalid_grant"
    told = [event.event for event in citizen.vault.journal().events]
    assert told.count("service-token-reused") == 2  # once for the code, once for the line
    home.shred(citizen.vault_id)
