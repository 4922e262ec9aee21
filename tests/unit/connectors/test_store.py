"""The connectors' own database, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect

from connectors.accounts import Health, SourceAccount, StreamState
from connectors.errors import UnknownAccountError
from connectors.store import ConnectorStore
from connectors.store.store import LoginUnderWay, Pairing, Pending, PushToken
from connectors.store.tables import Base
from federation.wire import database

AT = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/c.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def kept(url: str) -> Iterator[ConnectorStore]:
    store = ConnectorStore.open(url, seal=None)
    store.forget_vault("v")
    yield store
    store.forget_vault("v")
    store.close()


def test_the_migration_makes_the_tables_of_the_code(url: str) -> None:
    ConnectorStore.open(url, seal=None).close()
    engine = database.create(url)
    found = inspect(engine)
    for table in Base.metadata.tables.values():
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}, table.name
    engine.dispose()


def test_accounts_and_streams_are_kept(kept: ConnectorStore) -> None:
    account = SourceAccount("v", "a", "tracemob", "https://x.test")
    kept.put_account(account)
    kept.put_account(replace(account, health=Health.OK, last_run_at=AT, last_report={"n": 1}))
    assert kept.account("v", "a").last_report == {"n": 1}
    state = StreamState(cursor={"writeTs": 1.5}, seen=frozenset({b"12345678", b"abcdefgh"}))
    kept.state("v", "a").save("trips", state)
    assert kept.state("v", "a").load("trips") == state
    assert kept.state("other", "a").load("trips") == StreamState()
    kept.forget_account("v", "a")
    with pytest.raises(UnknownAccountError):
        kept.account("v", "a")
    assert kept.state("v", "a").load("trips") == StreamState()


def test_a_seq_is_pending_once(kept: ConnectorStore) -> None:
    assert kept.add_pending("v", "d", "a", Pending(1, b"x"), at=AT)
    assert not kept.add_pending("v", "d", "a", Pending(1, b"y"), at=AT)
    assert kept.pending("v", "d", "a") == (Pending(1, b"x"),)
    kept.drop_pending("v", "d", "a", 1)
    assert kept.pending("v", "d", "a") == ()


def test_a_pairing_is_used_once(kept: ConnectorStore) -> None:
    kept.add_pairing(Pairing(b"code", "v", "app", ("Trip",), AT + timedelta(minutes=10)))
    token = PushToken(b"t1", "", "id1", "x", (), AT)
    made = kept.pair(b"code", token, at=AT)
    assert made is not None
    assert (made.vault_id, made.app, made.kinds) == ("v", "app", ("Trip",))
    assert kept.pair(b"code", replace(token, token_hash=b"t2"), at=AT) is None
    assert kept.token(b"t1") == made
    assert kept.revoke_token("v", "id1", at=AT)
    assert not kept.revoke_token("other", "id1", at=AT)


def test_a_shredded_vault_leaves_nothing(kept: ConnectorStore) -> None:
    kept.put_account(SourceAccount("v", "a", "tracemob", "https://x.test"))
    kept.add_token(PushToken(b"t3", "v", "id3", "x", ("Trip",), AT))
    kept.forget_vault("v")
    assert kept.accounts("v") == ()
    assert kept.token(b"t3") is None


class Turned:
    """Stands in for the home's seal: bytes turned, bound to purpose and place."""

    def seal(self, plaintext: bytes, *, purpose: str, aad: bytes) -> bytes:
        return purpose.encode() + b"|" + aad + b"|" + plaintext[::-1]

    def open(self, sealed: bytes, *, purpose: str, aad: bytes) -> bytes:
        head = purpose.encode() + b"|" + aad + b"|"
        assert sealed.startswith(head)
        return sealed[len(head) :][::-1]


def test_names_of_apps_and_logins_under_way_lie_sealed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sealed.db"
    login = LoginUnderWay(
        b"s" * 32, "v", b"b" * 32, {"nonce": "nonce-in-clear", "verifier": "x"}, AT + HOUR
    )
    plain = ConnectorStore.open(url, seal=None)
    plain.add_pairing(Pairing(b"0" * 32, "v", "earlier-app", ("Trip",), expires_at=AT + HOUR))
    plain.close()
    store = ConnectorStore.open(url, seal=Turned())
    store.add_pairing(Pairing(b"1" * 32, "v", "Velo-du-soir", ("Trip",), expires_at=AT + HOUR))
    store.add_login(login, at=AT)
    made = PushToken(b"t" * 32, "", "id-1", "", (), created_at=AT)
    paired = store.pair(b"1" * 32, made, at=AT)
    assert paired is not None
    assert paired.app == "Velo-du-soir"
    assert [token.app for token in store.tokens("v")] == ["Velo-du-soir"]
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Velo-du-soir" not in data
    assert b"nonce-in-clear" not in data
    earlier = store.pair(b"0" * 32, replace(made, token_hash=b"u" * 32, token_id="id-2"), at=AT)
    assert earlier is not None
    assert earlier.app == "earlier-app"  # stored before it was sealed
    assert store.take_login(b"s" * 32, vault_id="v", browser_hash=b"b" * 32) == login
    assert store.take_login(b"s" * 32, vault_id="v", browser_hash=b"b" * 32) is None
    store.close()
