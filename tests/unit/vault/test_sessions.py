"""Unlocking: slots, slow-down, sessions that end, several at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.ids import Did
from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock, make_home
from vault.crypto.errors import BusyError, WrongSecretError
from vault.errors import SessionEndedError, SettingsError, SlowDownError, VaultUnknownError
from vault.home import Home
from vault.settings import HomeSettings


def test_passphrase_and_recovery_code_open_and_others_do_not(home: Home, citizen: Citizen) -> None:
    token = home.unlock(citizen.vault_id, recovery_code=citizen.recovery_code, client="a")
    assert home.session(token.cookie_value).label() == "Coffre de Camille"
    with pytest.raises(WrongSecretError):
        home.unlock(citizen.vault_id, passphrase="autre", client="a")
    with pytest.raises(VaultUnknownError):
        home.unlock("f" * 32, passphrase=PASSPHRASE, client="a")


def test_the_secrets_are_not_shown(home: Home, citizen: Citizen) -> None:
    made = home.create_vault(PASSPHRASE)
    token = home.unlock(made.vault_id, passphrase=PASSPHRASE, client="a")
    shown = f"{made!r} {token!r} {home!r} {citizen.vault!r} {home.key_store!r} {home.seal!r}"
    assert made.recovery_code not in shown
    assert token.cookie_value not in shown


def test_wrong_secrets_slow_their_own_address_and_nobody_else(
    home: Home, citizen: Citizen, clock: Clock
) -> None:
    for _ in range(4):
        with pytest.raises((WrongSecretError, SlowDownError)):
            home.unlock(citizen.vault_id, passphrase="non", client="203.0.113.9")
    with pytest.raises(SlowDownError) as slowed:
        home.unlock(citizen.vault_id, passphrase=PASSPHRASE, client="203.0.113.9")
    assert slowed.value.retry_after_s >= 1
    home.unlock(citizen.vault_id, passphrase=PASSPHRASE, client="192.0.2.7")
    clock.forward(minutes=6)
    home.unlock(citizen.vault_id, passphrase=PASSPHRASE, client="203.0.113.9")
    events = [e for e in citizen.vault.journal().events if e.event == "unlock-failed"]
    assert [e.detail["count"] for e in events] == [2, 1]


def test_lock_ends_the_session_and_zeroes_the_keys(home: Home, citizen: Citizen) -> None:
    vault = citizen.vault
    home.lock(citizen.cookie)
    with pytest.raises(SessionEndedError):
        home.session(citizen.cookie)
    assert vault.is_locked
    assert vault.root.is_wiped
    home.lock(citizen.cookie)  # twice is no error


def test_one_of_two_sessions_ends_and_the_other_goes_on(home: Home, citizen: Citizen) -> None:
    other = citizen.unlock()
    home.lock(citizen.cookie)
    assert home.session(other).label()


def test_idle_and_absolute_expiry_end_a_session(home: Home, citizen: Citizen, clock: Clock) -> None:
    for _ in range(5):
        clock.forward(minutes=20)
        home.session(citizen.cookie)
    clock.forward(minutes=31)
    with pytest.raises(SessionEndedError):
        home.session(citizen.cookie)
    cookie = citizen.unlock()
    for _ in range(12 * 3):
        clock.forward(minutes=20)
        try:
            home.session(cookie)
        except SessionEndedError:
            break
    with pytest.raises(SessionEndedError):
        home.session(cookie)


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "é" * 43, "A" * 4000])
def test_made_up_cookies_open_nothing(home: Home, cookie: str) -> None:
    with pytest.raises(SessionEndedError):
        home.session(cookie)


def test_a_session_row_opens_nothing_without_the_key_store(tmp_path: Path, clock: Clock) -> None:
    with make_home(tmp_path / "home", clock) as home:
        citizen = Citizen(home)
    (tmp_path / "home" / "keys" / "session").write_bytes(bytes(32))
    with make_home(tmp_path / "home", clock) as home, pytest.raises(SessionEndedError):
        home.session(citizen.cookie)


def test_a_new_passphrase_replaces_the_old_and_ends_every_session(
    home: Home, citizen: Citizen
) -> None:
    home.change_passphrase(citizen.vault, "une phrase neuve")
    with pytest.raises(SessionEndedError):
        home.session(citizen.cookie)
    with pytest.raises(WrongSecretError):
        home.unlock(citizen.vault_id, passphrase=PASSPHRASE, client="b")
    home.unlock(citizen.vault_id, passphrase="une phrase neuve", client="b")
    home.unlock(citizen.vault_id, recovery_code=citizen.recovery_code, client="b")


def test_eight_logins_at_once_neither_hang_nor_fail(home: Home, citizen: Citizen) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda n: citizen.unlock(f"client-{n}"), range(8)))
    assert len(set(tokens)) == 8


def test_the_eleventh_login_in_line_is_told_to_come_back(home: Home, citizen: Citizen) -> None:
    gate = threading.Event()
    running = [home.pool.submit(gate.wait) for _ in range(10)]
    with pytest.raises(BusyError) as busy:
        home.unlock(citizen.vault_id, passphrase=PASSPHRASE, client="c")
    assert busy.value.retry_after_s is not None
    gate.set()
    for future in running:
        future.result(5)
    assert citizen.unlock()


def test_the_least_recently_used_vault_leaves_memory_and_its_session_stays(
    tmp_path: Path, clock: Clock
) -> None:
    with make_home(tmp_path / "home", clock, open_vaults=1) as home:
        first, second = Citizen(home), Citizen(home)
        held = first.vault
        assert second.vault.label()
        assert held.is_locked
        assert first.vault.label() == "Coffre de Camille"


def test_a_holder_key_is_one_per_verifier_and_stays(home: Home, citizen: Citizen) -> None:
    one, two = Did("did:web:a.example"), Did("did:web:b.example")
    first = citizen.vault.holder_did(one)
    assert citizen.vault.holder_did(two) != first
    home.lock_all(citizen.vault_id)
    citizen.cookie = citizen.unlock()
    assert citizen.vault.holder_did(one) == first


def test_contradicting_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        HomeSettings(folder=tmp_path, idle=timedelta(hours=2), absolute=timedelta(hours=1))
    with pytest.raises(SettingsError):
        HomeSettings(folder=tmp_path, database_url="sqlite://")
