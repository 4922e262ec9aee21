"""Two server processes on one home agree on what is locked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vault.processes import Process
from tests.integration.vault.world import PASSPHRASE, settings
from vault.errors import SessionEndedError, VaultUnknownError
from vault.home import Home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def served(folder: Path, home_url: str | None) -> Iterator[tuple[Home, str]]:
    with Home.open(settings(folder, home_url)) as home:
        yield home, home.create_vault(PASSPHRASE).vault_id


def test_what_one_process_unlocks_another_reads_and_a_third_locks_for_all(
    served: tuple[Home, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id = served
    with Process(folder, home_url) as one, Process(folder, home_url) as two:
        cookie = one.ask("unlock", vault=vault_id)["cookie"]
        assert one.ask("put", cookie=cookie, name="un")["said"] == "done"
        assert two.ask("names", cookie=cookie)["names"] == ["un"]
        assert two.ask("put", cookie=cookie, name="deux")["said"] == "done"
        assert one.ask("names", cookie=cookie)["names"] == ["deux", "un"]
        assert {a.name for a in home.session(cookie).attributes()} == {"un", "deux"}

        assert two.ask("lock", cookie=cookie)["said"] == "done"

        for process in (one, two):
            assert process.ask("names", cookie=cookie)["code"] == "session-ended"
            assert process.ask("put", cookie=cookie, name="trois")["code"] == "session-ended"
        with pytest.raises(SessionEndedError):
            home.session(cookie)
        assert one.ask("holds-keys")["holds"] == []
        home.sweep()
        assert list(home._held()) == []


def test_a_changed_passphrase_ends_every_session_everywhere(
    served: tuple[Home, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id = served
    with Process(folder, home_url) as other:
        mine = home.unlock(vault_id, passphrase=PASSPHRASE, client="a").cookie_value
        theirs = other.ask("unlock", vault=vault_id)["cookie"]
        assert other.ask("names", cookie=mine)["names"] == []

        answer = other.ask("change-passphrase", cookie=theirs, new="une autre phrase")
        assert answer["said"] == "done"

        for cookie in (mine, theirs):
            assert other.ask("names", cookie=cookie)["code"] == "session-ended"
            with pytest.raises(SessionEndedError):
                home.session(cookie)
        assert other.ask("unlock", vault=vault_id)["code"] == "wrong-secret"
        assert other.ask("unlock", vault=vault_id, passphrase="une autre phrase")["cookie"]


def test_a_shred_in_one_process_ends_the_vault_in_the_other(
    served: tuple[Home, str], folder: Path, home_url: str | None
) -> None:
    home, vault_id = served
    with Process(folder, home_url) as other:
        cookie = other.ask("unlock", vault=vault_id)["cookie"]
        assert other.ask("put", cookie=cookie, name="un")["said"] == "done"
        home.shred(vault_id)
        assert other.ask("names", cookie=cookie)["code"] == "session-ended"
        assert other.ask("unlock", vault=vault_id)["code"] == "vault-unknown"
        assert other.ask("holds-keys")["holds"] == []
        with pytest.raises(VaultUnknownError):
            home.unlock(vault_id, passphrase=PASSPHRASE, client="a")
