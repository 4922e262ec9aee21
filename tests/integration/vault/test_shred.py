"""After a shred nothing opens: not here, not in a copy that was taken before."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.records import Kind
from tests.integration.vault.test_tampering import copy, database
from tests.integration.vault.world import PASSPHRASE, Clock, Source, records_of_every_kind, settings
from tests.integration.vault.world import trip as observed
from vault.crypto.errors import WrongSecretError
from vault.crypto.recovery import RecoveryCode
from vault.crypto.slots import open_passphrase_slot, open_recovery_slot
from vault.errors import SessionEndedError, VaultUnknownError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault
from vault.store.transactor import OF_VAULT


@pytest.fixture
def filled(home: Home, new: NewVault, vault: OpenVault) -> OpenVault:
    Source(home, new.vault_id).deposit(*(observed(f"s{n}", n * 600, track=True) for n in range(3)))
    vault.drain(None)
    vault.put(*records_of_every_kind())
    Source(home, new.vault_id).deposit(observed("en attente", 9000))
    home.tokens.put(new.vault_id, "tracemob", "compte", b"jeton-tres-secret")
    return vault


def test_a_copy_taken_before_a_shred_opens_nothing(
    home: Home, new: NewVault, filled: OpenVault, cookie: str, clock: Clock, tmp_path: Path
) -> None:
    """The thief has database, sessions, files, the passphrase, the recovery code and a cookie."""
    folder = home.settings.folder
    copy(folder, tmp_path / "stolen")
    home.shred(new.vault_id)

    # In the home itself, the copy put back in place:
    home.close()
    for path in ("home.db", "sessions.db"):
        for leftover in folder.glob(f"{path}*"):
            leftover.unlink()
        shutil.copy(tmp_path / "stolen" / path, folder / path)
    with Home.open(settings(folder), clock=clock) as again:
        with pytest.raises(VaultUnknownError):
            again.unlock(new.vault_id, passphrase=PASSPHRASE, client="a")
        with pytest.raises(VaultUnknownError):
            again.unlock(new.vault_id, recovery_code=new.recovery_code, client="b")
        with pytest.raises((VaultUnknownError, SessionEndedError)):
            again.session(cookie)
        with again.store.read() as reader:
            slots = reader.slots(new.vault_id)
    # With any other pepper, the slots stay shut:
    code = RecoveryCode.parse(new.recovery_code)
    assert len(slots) == 2
    for slot in slots:
        for pepper in (bytes(32), b"\xff" * 32):
            with pytest.raises(WrongSecretError):
                if slot.kind == "passphrase":
                    open_passphrase_slot(slot.sealed, PASSPHRASE, pepper=pepper, vault=new.vault_id)
                else:
                    open_recovery_slot(slot.sealed, code, pepper=pepper, vault=new.vault_id)


def test_a_stolen_session_row_and_its_cookie_open_nothing_without_the_pepper(
    home: Home, new: NewVault, filled: OpenVault, cookie: str, clock: Clock, tmp_path: Path
) -> None:
    """Everything but the pepper, session key included: a session must not be a way around it."""
    folder = home.settings.folder
    copy(folder, tmp_path / "stolen", keys=True)
    home.shred(new.vault_id)
    (tmp_path / "stolen" / "keys" / "peppers" / new.vault_id).unlink()
    with (
        Home.open(settings(tmp_path / "stolen"), clock=clock) as thief,
        pytest.raises((VaultUnknownError, SessionEndedError)),
    ):
        thief.session(cookie)
    # and a pepper of their own making does not help
    thief_pepper = tmp_path / "stolen" / "keys" / "peppers" / new.vault_id
    thief_pepper.write_bytes(bytes(32))
    thief_pepper.chmod(0o600)
    with (
        Home.open(settings(tmp_path / "stolen"), clock=clock) as thief,
        pytest.raises(SessionEndedError),
    ):
        thief.session(cookie)


def test_a_shred_leaves_no_row_no_file_and_a_signed_receipt(
    home: Home, new: NewVault, filled: OpenVault
) -> None:
    folder = home.settings.folder
    with home.store.read() as reader:
        sealed = [slot.sealed for slot in reader.slots(new.vault_id)]
        ring = reader.keyring(new.vault_id)
    assert ring is not None
    receipt = home.shred(new.vault_id)
    assert receipt.backups_until - receipt.at == timedelta(days=30)
    assert home.shred(new.vault_id) == receipt
    assert home.vaults() == []
    with database(folder) as sql:
        for table in (*(t.__tablename__ for t in OF_VAULT), "vault", "outbox"):
            assert sql.execute(f"select count(*) from {table}").fetchone() == (0,), table
    assert not [p for p in (folder / "blobs").rglob("*") if p.is_file()]
    # The bytes themselves are gone from the files, log included.
    held = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    for piece in (*sealed, ring):
        assert piece[60:100] not in held


def test_a_shred_spares_the_other_vaults(home: Home, new: NewVault, filled: OpenVault) -> None:
    other = home.create_vault("une autre phrase")
    cookie = home.unlock(other.vault_id, passphrase="une autre phrase", client="a").cookie_value
    home.session(cookie).put(*records_of_every_kind())
    home.shred(new.vault_id)
    assert home.fsck(other.vault_id, home.session(cookie)).clean
    assert len(home.session(cookie).all(Kind.INVOICE)) == 1


def test_a_shred_that_died_after_the_pepper_is_finished_by_the_next_one(
    home: Home, new: NewVault, filled: OpenVault
) -> None:
    home.key_store.destroy_pepper(new.vault_id)  # step 1, then the power went
    with pytest.raises(VaultUnknownError):
        home.unlock(new.vault_id, passphrase=PASSPHRASE, client="a")
    home.shred(new.vault_id)
    assert not home.has_vault(new.vault_id)
