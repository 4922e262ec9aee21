"""Vaults of every released version open, and so do their databases on PostgreSQL's migrations."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from federation.wire import database
from schemas.jsonld import to_jsonld
from schemas.records import Kind
from tests.unit.vault.builders import Clock, make_home
from vault.store.store import (
    HOME_MIGRATIONS,
    HOME_VERSIONS,
    SESSION_MIGRATIONS,
    SESSION_VERSIONS,
)
from vault.store.tables import HomeBase, SessionsBase

VAULTS = Path(__file__).resolve().parents[2] / "vaults"


@pytest.mark.parametrize("version", sorted(p.name for p in VAULTS.glob("v*") if "-" not in p.name))
def test_a_vault_of_this_version_opens_with_all_it_held(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    shutil.copytree(VAULTS / version, folder)
    shutil.copytree(VAULTS / f"{version}-keys", folder / "keys", dirs_exist_ok=True)
    for path in (folder / "keys").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (folder / "keys").chmod(0o700)
    for name in ("peppers", "witness"):
        (folder / "keys" / name).mkdir(mode=0o700, exist_ok=True)
    expected = json.loads((folder / "expected.json").read_text())
    with make_home(folder, Clock()) as home:
        for secret in (
            {"passphrase": expected["passphrase"]},
            {"recovery_code": expected["recoveryCode"]},
        ):
            token = home.unlock(expected["vault"], client="x", **secret)
        vault = home.session(token.cookie_value)
        assert vault.label() == expected["label"]
        assert vault.waiting().deposits == expected["waiting"]
        found = [
            to_jsonld(record)
            for kind in Kind
            if kind is not Kind.OBSERVATION
            for record in vault.all(kind)
        ]
        assert found == expected["records"]
        journal = [event.event for event in vault.journal().events]
        newer, kept = journal[: -len(expected["journal"])], journal[-len(expected["journal"]) :]
        assert kept == expected["journal"]
        assert set(newer) == {"key-upgraded"}, "each slot opened took today's layout, once"
        assert len(newer) == 2
        assert home.fsck(expected["vault"], vault).clean
        assert vault.drain(None).trips_new == 1


@pytest.mark.parametrize(
    ("base", "location", "table"),
    [
        (HomeBase, HOME_MIGRATIONS, HOME_VERSIONS),
        (SessionsBase, SESSION_MIGRATIONS, SESSION_VERSIONS),
    ],
)
def test_migrations_make_the_tables_that_the_code_names(
    engine: Engine, base: type[HomeBase], location: str, table: str
) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database.migrate(engine, location, version_table=table)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": table}
        )
        changes = compare_metadata(context, base.metadata)
    assert changes == []


def test_a_month_is_found_by_its_tag_alone(tmp_path: Path) -> None:
    asked: list[str] = []
    with make_home(tmp_path / "home", Clock()) as home:
        event.listen(
            home.store.engine, "before_cursor_execute", lambda *given: asked.append(given[2])
        )
        with home.store.read() as reader:
            reader.rows("a" * 32, "trips", b"tag")
            reader.rows_tagged("a" * 32, "trips", [b"tag", b"other"], limit=5)
            looked = [sql for sql in asked if "FROM record" in sql]
            assert len(looked) == 2
            for sql in looked:
                plan = (
                    reader._session.connection()
                    .exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("x",) * sql.count("?"))
                    .all()
                )
                assert "ix_record_tag" in str(plan), plan
