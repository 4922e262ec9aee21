"""Logins: many at once, wrong ones, and nobody locked out by somebody else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.vault.processes import Process
from tests.integration.vault.world import PASSPHRASE, Clock, settings
from vault.crypto.errors import BusyError, WrongSecretError
from vault.errors import SlowDownError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault


def test_eight_logins_at_once_neither_hang_nor_exhaust_memory(tmp_path: Path) -> None:
    """At full cost (64 MiB each): two run, six wait; memory stays at two, not eight."""
    folder = tmp_path / "home"
    with Home.open(settings(folder, cheapest_kdf_for_tests=False)) as home:
        vault_id = home.create_vault(PASSPHRASE).vault_id
        began = time.monotonic()
        with Process(folder, interactive=True) as server:
            answer = server.ask("logins", vault=vault_id, times=8)
            assert len(set(answer["cookies"])) == 8
            assert answer["grown_mib"] < 64 * 2 + 48
        assert time.monotonic() - began < 60
        for cookie in answer["cookies"]:
            assert home.session(cookie).vault_id == vault_id


def test_more_logins_than_the_line_holds_are_refused_for_now(home: Home, new: NewVault) -> None:
    gate = threading.Event()
    for _ in range(home.pool.running + home.pool.waiting):
        home.pool.submit(gate.wait)
    try:
        with pytest.raises(BusyError) as refused:
            home.unlock(new.vault_id, passphrase=PASSPHRASE, client="a")
        assert refused.value.retry_after_s is not None
        assert refused.value.retry_after_s >= 1
    finally:
        gate.set()


def test_wrong_secrets_slow_down_one_address_and_nobody_else(
    home: Home, new: NewVault, clock: Clock
) -> None:
    for _ in range(4):
        with pytest.raises(WrongSecretError):
            home.unlock(new.vault_id, passphrase="fausse", client="192.0.2.66")
        clock.forward(timedelta(seconds=3))
    with pytest.raises(WrongSecretError):
        home.unlock(new.vault_id, passphrase="fausse", client="192.0.2.66")
    with pytest.raises(SlowDownError) as refused:  # even with the right one
        home.unlock(new.vault_id, passphrase=PASSPHRASE, client="192.0.2.66")
    assert refused.value.retry_after_s is not None
    assert 1 <= refused.value.retry_after_s <= 300
    assert home.unlock(new.vault_id, passphrase=PASSPHRASE, client="198.51.100.7")
    other = home.create_vault(PASSPHRASE)
    assert home.unlock(other.vault_id, passphrase=PASSPHRASE, client="192.0.2.66")
    clock.forward(timedelta(seconds=refused.value.retry_after_s + 1))
    token = home.unlock(new.vault_id, passphrase=PASSPHRASE, client="192.0.2.66")
    events = [e.event for e in home.session(token.cookie_value).journal().events]
    assert events.count("unlock-failed") == 3  # the first, the second, the fourth of five


def test_wrong_logins_at_once_are_each_told_so(tmp_path: Path, home_url: str | None) -> None:
    with Home.open(settings(tmp_path / "home", home_url)) as home:
        vault_id = home.create_vault(PASSPHRASE).vault_id
        start = threading.Barrier(8)

        def guess(number: int) -> str:
            start.wait()
            try:
                home.unlock(vault_id, passphrase=f"faux {number}", client="192.0.2.66")
            except (WrongSecretError, SlowDownError) as error:
                return error.code
            return "opened"

        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(guess, range(8)))
        assert set(said) <= {"wrong-secret", "slow-down"}
        token = home.unlock(vault_id, passphrase=PASSPHRASE, client="198.51.100.7")
        assert home.fsck(vault_id, home.session(token.cookie_value)).clean


def test_the_recovery_code_opens_what_the_passphrase_opens(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    token = home.unlock(new.vault_id, recovery_code=new.recovery_code, client="b")
    assert home.session(token.cookie_value).label() == vault.label() == "Camille Pradelles"
