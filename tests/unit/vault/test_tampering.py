"""What a store that was changed behind the vault's back gets: a refusal by name."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from schemas.records import Compartment, Kind
from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock, make_home, trip
from vault.crypto.errors import (
    ManifestMissingError,
    ManifestReplacedError,
    RowAlteredError,
    RowExtraError,
    RowMissingError,
    RowOldError,
    RowSwappedError,
    VaultRolledBackError,
    WrongSecretError,
)
from vault.errors import BlobMissingError, VaultUnknownError
from vault.home import Home

TRIP_ROWS = "vault_id = :v AND compartment = 'trips'"


def sql(home: Home, statement: str, **values: object) -> list[tuple[object, ...]]:
    """Change the database as somebody with its file would."""
    engine = create_engine(str(home.store.engine.url))
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def reopened(citizen: Citizen) -> None:
    """A fresh process: nothing is cached."""
    citizen.home.lock_all(citizen.vault_id)
    citizen.cookie = citizen.unlock()


def codes(citizen: Citizen) -> set[str]:
    report = citizen.home.fsck(citizen.vault_id, citizen.vault)
    return {finding.code for finding in report.findings}


@pytest.fixture
def filled(citizen: Citizen) -> Citizen:
    citizen.with_trips(4)
    assert codes(citizen) == set()
    reopened(citizen)
    return citizen


def test_a_removed_row_is_refused_when_its_month_opens(filled: Citizen) -> None:
    ((row_id,), *_) = sql(
        filled.home, f"SELECT row_id FROM record WHERE {TRIP_ROWS}", v=filled.vault_id
    )
    sql(filled.home, "DELETE FROM record WHERE row_id = :r", r=row_id)
    with pytest.raises(RowMissingError):
        filled.vault.records(Kind.TRIP)
    assert codes(filled) >= {"row-missing"}


def test_a_row_too_many_is_refused(filled: Citizen) -> None:
    sql(
        filled.home,
        "INSERT INTO record SELECT vault_id, compartment, randomblob(16), tag, sealed "
        f"FROM record WHERE {TRIP_ROWS} LIMIT 1",
        v=filled.vault_id,
    )
    with pytest.raises(RowExtraError):
        filled.vault.records(Kind.TRIP)
    assert codes(filled) >= {"row-extra"}


def test_swapped_rows_are_refused(filled: Citizen) -> None:
    (one, two, *_) = sql(
        filled.home, f"SELECT row_id, sealed FROM record WHERE {TRIP_ROWS}", v=filled.vault_id
    )
    sql(filled.home, "UPDATE record SET sealed = :s WHERE row_id = :r", s=two[1], r=one[0])
    sql(filled.home, "UPDATE record SET sealed = :s WHERE row_id = :r", s=one[1], r=two[0])
    with pytest.raises(RowSwappedError):
        filled.vault.records(Kind.TRIP)
    assert codes(filled) >= {"row-swapped"}


def test_an_old_row_with_its_own_header_is_refused(filled: Citizen) -> None:
    found = filled.vault.records(Kind.TRIP).records[0]
    row_id = filled.vault.library.row_id(Compartment.TRIPS, found.id)
    ((old,),) = sql(filled.home, "SELECT sealed FROM record WHERE row_id = :r", r=row_id)
    filled.vault.correct(found.id, purpose="travail")
    sql(filled.home, "UPDATE record SET sealed = :s WHERE row_id = :r", s=old, r=row_id)
    reopened(filled)
    with pytest.raises(RowOldError):
        filled.vault.records(Kind.TRIP)
    assert codes(filled) >= {"row-old"}


def test_a_flipped_bit_is_refused(filled: Citizen) -> None:
    ((row_id, sealed), *_) = sql(
        filled.home, f"SELECT row_id, sealed FROM record WHERE {TRIP_ROWS}", v=filled.vault_id
    )
    assert isinstance(sealed, bytes)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    sql(filled.home, "UPDATE record SET sealed = :s WHERE row_id = :r", s=changed, r=row_id)
    with pytest.raises(RowAlteredError):
        filled.vault.records(Kind.TRIP)


def test_an_older_manifest_and_a_removed_one_are_refused(filled: Citizen) -> None:
    old = sql(filled.home, f"SELECT tag, sealed FROM month WHERE {TRIP_ROWS}", v=filled.vault_id)
    filled.vault.correct(filled.vault.records(Kind.TRIP).records[0].id, purpose="x")
    reopened(filled)
    for tag, sealed in old:
        sql(filled.home, "UPDATE month SET sealed = :s WHERE tag = :t", s=sealed, t=tag)
    with pytest.raises(ManifestReplacedError):
        filled.vault.records(Kind.TRIP)
    assert codes(filled) >= {"manifest-replaced"}
    for tag, _ in old:
        sql(filled.home, "DELETE FROM month WHERE tag = :t", t=tag)
    reopened(filled)
    with pytest.raises(ManifestMissingError):
        filled.vault.records(Kind.TRIP)


def test_an_older_copy_of_the_database_is_refused_at_unlock(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "home"
    with make_home(folder, clock) as home:
        citizen = Citizen(home)
        citizen.with_trips(2)
        home.backup(tmp_path / "copy")
        citizen.vault.correct(citizen.vault.records(Kind.TRIP).records[0].id, purpose="x")
    for name in ("home.db", "home.db-wal", "home.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy" / "home.db", folder / "home.db")
    with make_home(folder, clock) as home:
        citizen.home = home
        with pytest.raises(VaultRolledBackError):
            citizen.unlock()
        assert {f.code for f in home.fsck(citizen.vault_id).findings} == {"vault-rolled-back"}
        home.accept_rollback(citizen.vault_id)
        citizen.cookie = citizen.unlock()
        assert citizen.vault.journal().events[0].event == "restored-from-backup"
        assert len(citizen.vault.all(Kind.TRIP)) == 2


def test_a_copy_taken_before_a_shred_opens_nothing(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "home"
    with make_home(folder, clock) as home:
        citizen = Citizen(home)
        citizen.with_trips(2, points=40)
        home.tokens.put(citizen.vault_id, "tracemob", "a1", b"secret-token")
        home.backup(tmp_path / "copy")
        receipt = home.shred(citizen.vault_id)
        assert receipt.vault_id == citizen.vault_id
        assert home.shred(citizen.vault_id).document == receipt.document
        with pytest.raises(VaultUnknownError):
            citizen.unlock()
        assert home.blobs.names(citizen.vault_id) == set()
        tables = sql(home, "SELECT name FROM sqlite_master WHERE type = 'table'")
        left = {
            str(name)
            for (name,) in tables
            if any(column[1] == "vault_id" for column in sql(home, f"PRAGMA table_info({name})"))
            and sql(home, f"SELECT 1 FROM {name} WHERE vault_id = :v", v=citizen.vault_id)
        }
        assert left == {"shredded"}
    # The copy, put back with its slots, right passphrase and recovery code, in the same home.
    for name in ("home.db", "home.db-wal", "home.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy" / "home.db", folder / "home.db")
    with make_home(folder, clock) as home:
        for secret in ({"passphrase": PASSPHRASE}, {"recovery_code": citizen.recovery_code}):
            with pytest.raises(VaultUnknownError):
                home.unlock(citizen.vault_id, client="x", **secret)
        # Nor under another pepper.
        home.key_store.make_pepper(citizen.vault_id)
        for secret in ({"passphrase": PASSPHRASE}, {"recovery_code": citizen.recovery_code}):
            with pytest.raises(WrongSecretError):
                home.unlock(citizen.vault_id, client="x", **secret)


def test_a_sealed_file_that_is_gone_or_cut_is_named(home: Home, citizen: Citizen) -> None:
    citizen.with_trips(1, points=60)
    (file,) = (home.settings.blobs / citizen.vault_id).glob("*/*")
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    (found,) = citizen.vault.all(Kind.TRIP)
    with pytest.raises(BlobMissingError):
        citizen.vault.track(found.id)
    assert codes(citizen) == {"blob-missing"}
    file.unlink()
    assert codes(citizen) == {"blob-missing"}


def test_a_truncated_or_changed_journal_is_named(filled: Citizen) -> None:
    sql(
        filled.home,
        "UPDATE journal SET chain = randomblob(32) WHERE vault_id = :v AND number = 2",
        v=filled.vault_id,
    )
    assert codes(filled) == {"journal-altered"}


def test_a_plaintext_search_of_database_and_log_finds_nothing(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "home"
    with make_home(folder, clock) as home:
        citizen = Citizen(home, label="Coffre de Camille Vidal")
        citizen.depositor(account="camille.vidal@example.org").leave(
            *(trip(n, points=30) for n in range(3))
        )
        home.tokens.put(citizen.vault_id, "tracemob", "camille.vidal@example.org", b"jeton-secret")
        during = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
        citizen.vault.drain(None)
        found = citizen.vault.records(Kind.TRIP).records[0]
        citizen.vault.correct(found.id, purpose="rendez-vous médical")
        after = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    logged = "".join(capsys.readouterr()).encode()
    for needle in (
        b"43.21",
        b"2.3491",
        b"Camille",
        b"Vidal",
        b"camille.vidal",
        b"dical",
        b"bicycle",
        b"tracemob.example",
        b"jeton-secret",
        PASSPHRASE.encode(),
        citizen.recovery_code.encode(),
        b"urn:uuid:",
    ):
        for name, hay in (("waiting", during), ("drained", after), ("log", logged)):
            assert needle not in hay, (needle, name)
