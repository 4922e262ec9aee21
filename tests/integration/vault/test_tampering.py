"""An older copy, a removed row, an old row, a swapped row: each refused by its own name."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import Attribute, Compartment, Kind
from tests.integration.vault.world import PASSPHRASE, Clock, Source, iri, settings, trip
from vault.crypto.errors import (
    ManifestMissingError,
    ManifestReplacedError,
    MonthError,
    RowAlteredError,
    RowExtraError,
    RowMissingError,
    RowOldError,
    RowSwappedError,
    VaultForkedError,
    VaultRolledBackError,
)
from vault.crypto.head import HeadWitness
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault


def attribute(name: str, value: str = "v1", revision: int = 1) -> Attribute:
    from tests.integration.vault.world import NOW

    return Attribute(
        id=iri(name), name=name, value=value, source="test", certified_at=NOW, revision=revision
    )


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(folder / "home.db")
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def copy(folder: Path, to: Path, *, keys: bool = False) -> None:
    """A consistent copy of the databases (and blobs), as a thief or a backup has it."""
    to.mkdir(exist_ok=True)
    for name in ("home.db", "sessions.db"):
        source, target = sqlite3.connect(folder / name), sqlite3.connect(to / name)
        source.backup(target)
        source.close()
        target.close()
    if (folder / "blobs").exists():
        shutil.copytree(folder / "blobs", to / "blobs", dirs_exist_ok=True)
    if keys:
        shutil.copytree(folder / "keys", to / "keys", dirs_exist_ok=True)
        (to / "keys").chmod(0o700)


def put_back(kept: Path, folder: Path) -> None:
    """The older database in place of the newer one; log files of the newer go."""
    for leftover in folder.glob("home.db*"):
        leftover.unlink()
    shutil.copy(kept / "home.db", folder / "home.db")


@pytest.fixture
def folder(home: Home) -> Path:
    return home.settings.folder


def reopen(home: Home, folder: Path, clock: Clock) -> Home:
    """What a restarted server sees."""
    home.close()
    return Home.open(settings(folder), clock=clock)


def unlocked(home: Home, new: NewVault) -> OpenVault:
    token = home.unlock(new.vault_id, passphrase=PASSPHRASE, client="198.51.100.7")
    return home.session(token.cookie_value)


def test_an_older_copy_of_the_database_is_refused_by_name(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock, tmp_path: Path
) -> None:
    vault.put(attribute("un"))
    copy(folder, tmp_path / "older")
    vault.put(attribute("deux"))
    put_back(tmp_path / "older", folder)
    with reopen(home, folder, clock) as again:
        with pytest.raises(VaultRolledBackError) as refused:
            unlocked(again, new)
        assert refused.value.code == "vault-rolled-back"
        assert [f.code for f in again.fsck(new.vault_id).findings] == ["vault-rolled-back"]
        again.accept_rollback(new.vault_id)
        back = unlocked(again, new)
        assert [a.name for a in back.attributes()] == ["un"]
        assert back.journal().events[0].event == "restored-from-backup"
        assert again.fsck(new.vault_id, back).clean


def test_an_older_copy_is_refused_while_a_worker_holds_the_vault_open(
    home: Home, vault: OpenVault, cookie: str, folder: Path, tmp_path: Path
) -> None:
    vault.put(attribute("un"))
    with sqlite3.connect(folder / "home.db") as sql:
        (sealed, seq) = sql.execute("select sealed, seq from head").fetchone()
    vault.put(attribute("deux"))
    with database(folder) as sql:
        sql.execute("update head set sealed=?, seq=?", (sealed, seq))
    with pytest.raises(VaultRolledBackError):
        home.session(cookie).attributes()
    with pytest.raises(VaultRolledBackError):
        home.session(cookie).put(attribute("trois"))


def test_a_whole_older_copy_keys_included_is_caught_by_the_witness_in_the_browser(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock, tmp_path: Path
) -> None:
    vault.put(attribute("un"))
    copy(folder, tmp_path / "older", keys=True)
    vault.put(attribute("deux"))
    remembered = vault.witness()
    home.lock_all(new.vault_id)
    with Home.open(settings(tmp_path / "older"), clock=clock) as older:
        opened = unlocked(older, new)
        with pytest.raises(VaultRolledBackError):
            opened.require_witness(remembered)
        opened.put(attribute("autre"))
        with pytest.raises(VaultForkedError):
            opened.require_witness(HeadWitness(opened.witness().seq, remembered.digest))


def test_a_removed_row_is_refused_when_its_month_opens(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"), attribute("deux"))
    row = vault.library.row_id(Compartment.ATTRIBUTES, iri("un"))
    with database(folder) as sql:
        assert sql.execute("delete from record where row_id=?", (row,)).rowcount == 1
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(RowMissingError):
            opened.all(Kind.ATTRIBUTE)
        with pytest.raises(RowMissingError):
            opened.records(Kind.ATTRIBUTE)
        with pytest.raises(RowMissingError):
            opened.get(iri("un"))
        with pytest.raises(RowMissingError):
            opened.put(attribute("un"))
        found = again.fsck(new.vault_id, opened).findings
        assert [f.code for f in found] == ["row-missing"]


def test_a_row_moved_to_a_month_of_its_own_is_refused_where_it_was(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"), attribute("deux"))
    row = vault.library.row_id(Compartment.ATTRIBUTES, iri("un"))
    with database(folder) as sql:
        sql.execute("update record set tag=? where row_id=?", (b"?" * 16, row))
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(RowMissingError):
            opened.get(iri("un"))
        codes = {f.code for f in again.fsck(new.vault_id, opened).findings}
        assert codes == {"row-missing", "row-extra"}


def test_an_old_row_with_its_own_header_is_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"))
    row = vault.library.row_id(Compartment.ATTRIBUTES, iri("un"))
    with database(folder) as sql:
        (old,) = sql.execute("select sealed from record where row_id=?", (row,)).fetchone()
    vault.put(attribute("un", "v2"))
    with database(folder) as sql:
        sql.execute("update record set sealed=? where row_id=?", (old, row))
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(RowOldError):
            opened.get(iri("un"))
        assert [f.code for f in again.fsck(new.vault_id, opened).findings] == ["row-old"]


def test_two_rows_swapped_are_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"), attribute("deux"))
    one = vault.library.row_id(Compartment.ATTRIBUTES, iri("un"))
    two = vault.library.row_id(Compartment.ATTRIBUTES, iri("deux"))
    with database(folder) as sql:
        held = dict(sql.execute("select row_id, sealed from record").fetchall())
        sql.execute("update record set sealed=? where row_id=?", (held[two], one))
        sql.execute("update record set sealed=? where row_id=?", (held[one], two))
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(RowSwappedError):
            opened.get(iri("un"))
        with pytest.raises(RowSwappedError):
            opened.put(attribute("trois"), attribute("un", "v2"))


def test_a_row_with_one_bit_changed_is_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"))
    with database(folder) as sql:
        (sealed,) = sql.execute("select sealed from record").fetchone()
        changed = bytearray(sealed)
        changed[len(changed) // 2] ^= 1
        sql.execute("update record set sealed=?", (bytes(changed),))
    with reopen(home, folder, clock) as again, pytest.raises(RowAlteredError):
        unlocked(again, new).attributes()


def test_a_row_of_another_vault_is_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    other = home.create_vault(PASSPHRASE)
    stranger = unlocked(home, other)
    vault.put(attribute("un"))
    stranger.put(attribute("un", "étranger"))
    with database(folder) as sql:
        rows = sql.execute(
            "select vault_id, compartment, row_id, tag, sealed from record"
        ).fetchall()
        mine = next(r for r in rows if r[0] == new.vault_id)
        theirs = next(r for r in rows if r[0] == other.vault_id)
        sql.execute(
            "insert into record (vault_id, compartment, row_id, tag, sealed) values (?,?,?,?,?)",
            (new.vault_id, mine[1], theirs[2], mine[3], theirs[4]),
        )
    with reopen(home, folder, clock) as again, pytest.raises(RowExtraError):
        unlocked(again, new).attributes()


def test_an_old_manifest_with_its_old_rows_is_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"))
    with database(folder) as sql:
        (month,) = sql.execute("select sealed from month").fetchone()
        (row,) = sql.execute("select sealed from record").fetchone()
    vault.put(attribute("un", "v2"))
    with database(folder) as sql:
        sql.execute("update month set sealed=?", (month,))
        sql.execute("update record set sealed=?", (row,))
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(ManifestReplacedError):
            opened.attributes()
        with pytest.raises(ManifestReplacedError):
            opened.put(attribute("deux"))


def test_a_removed_month_is_refused(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"))
    with database(folder) as sql:
        sql.execute("delete from month")
        sql.execute("delete from record")
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        with pytest.raises(ManifestMissingError):
            opened.attributes()
        with pytest.raises(ManifestMissingError):
            opened.get(iri("un"))


@pytest.mark.parametrize("act", ["drain", "delete", "correct", "export"])
def test_no_act_writes_over_a_month_that_is_not_what_was_written(
    home: Home,
    new: NewVault,
    vault: OpenVault,
    folder: Path,
    clock: Clock,
    tmp_path: Path,
    act: str,
) -> None:
    source = Source(home, new.vault_id)
    source.deposit(trip("un", 0), trip("deux", 600))
    vault.drain(None)
    source.deposit(trip("trois", 1200))
    first, second = vault.all(Kind.TRIP)
    row = vault.library.row_id(Compartment.TRIPS, second.observations[0])  # type: ignore[union-attr]
    with database(folder) as sql:
        assert sql.execute("delete from record where row_id=?", (row,)).rowcount == 1
    with reopen(home, folder, clock) as again:
        opened = unlocked(again, new)
        seq = opened.head().seq
        with pytest.raises(MonthError):
            match act:
                case "drain":
                    opened.drain(None)
                case "delete":
                    opened.delete(first.id)
                case "correct":
                    opened.correct(first.id, purpose="travail")
                case _:
                    with (tmp_path / "out.age").open("wb") as out:
                        opened.export(out, passphrase="archive")
        assert opened.head().seq == seq
        assert opened.waiting().deposits == 1


def test_a_journal_cut_short_or_changed_is_found(
    home: Home, new: NewVault, vault: OpenVault, folder: Path, clock: Clock
) -> None:
    vault.put(attribute("un"))
    vault.put(replace(attribute("deux")))
    with database(folder) as sql:
        numbers = [n for (n,) in sql.execute("select number from journal order by number")]
        sql.execute("delete from journal where number=?", (numbers[-1],))
    assert "journal-truncated" in {f.code for f in home.fsck(new.vault_id, vault).findings}
    with database(folder) as sql:
        sql.execute("delete from journal where number=?", (numbers[0],))
    assert not home.fsck(new.vault_id).clean
