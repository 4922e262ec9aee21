"""Source tokens: usable while locked, sealed apart, every use in the journal."""

import pytest

from tests.unit.vault.builders import Citizen
from vault.errors import VaultUnknownError
from vault.home import Home


def test_a_token_works_while_locked_and_its_use_is_journalled(home: Home, citizen: Citizen) -> None:
    home.tokens.put(citizen.vault_id, "tracemob", "a1", b"jeton", scope="trips")
    home.lock_all(citizen.vault_id)
    found = home.tokens.get(citizen.vault_id, "tracemob", "a1")
    assert found is not None
    assert (found.token, found.scope) == (b"jeton", "trips")
    assert "jeton" not in repr(found)
    citizen.cookie = citizen.unlock()
    assert citizen.vault.journal().events[0].event == "source-token-used"


def test_a_token_is_of_one_vault_connector_and_account(home: Home, citizen: Citizen) -> None:
    other = Citizen(home)
    home.tokens.put(citizen.vault_id, "tracemob", "a1", b"jeton")
    assert home.tokens.get(citizen.vault_id, "tracemob", "a2") is None
    assert home.tokens.get(citizen.vault_id, "cozy", "a1") is None
    assert home.tokens.get(other.vault_id, "tracemob", "a1") is None
    assert home.tokens.accounts(citizen.vault_id, "tracemob") == ["a1"]


def test_a_removed_token_is_gone_and_a_new_one_takes_its_place(
    home: Home, citizen: Citizen
) -> None:
    home.tokens.put(citizen.vault_id, "tracemob", "a1", b"one")
    home.tokens.put(citizen.vault_id, "tracemob", "a1", b"two")
    found = home.tokens.get(citizen.vault_id, "tracemob", "a1")
    assert found is not None
    assert found.token == b"two"
    home.tokens.remove(citizen.vault_id, "tracemob", "a1")
    assert home.tokens.get(citizen.vault_id, "tracemob", "a1") is None
    with pytest.raises(VaultUnknownError):
        home.tokens.put("0" * 32, "tracemob", "a1", b"x")
