"""An archive is of one moment; a restore that stopped goes on, and makes one vault."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pyrage
import pytest

from federation.wire.errors import DatabaseBusyError
from schemas.jsonld import to_jsonld
from schemas.records import Attribute, Kind, Record
from tests.integration.vault.world import (
    NOW,
    PASSPHRASE,
    Clock,
    Source,
    iri,
    records_of_every_kind,
    registry,
    settings,
    trip,
)
from vault.archive.prepared import prepared
from vault.crypto.errors import KeyringLockedError
from vault.documents import add_document
from vault.errors import ExportOvertakenError, ExportRunningError
from vault.home import Home
from vault.library import Draft
from vault.model import NewVault
from vault.open_vault import OpenVault

exporting = import_module("vault.archive.export")
restoring = import_module("vault.archive.restore")
waiting = import_module("vault.archive.prepared")
SECRET = "mot de passe de l'archive"
MOVED = "phrase du nouvel hébergeur"
LETTER = b"%PDF-1.7\n" + b"une attestation " * 4_000


@pytest.fixture
def filled(home: Home, new: NewVault, vault: OpenVault) -> OpenVault:
    source = Source(home, new.vault_id)
    source.deposit(*(trip(f"x{n}", n * 1440 * 9, track=n % 2 == 0) for n in range(9)))
    vault.drain(None)
    vault.put(*records_of_every_kind("a"), *records_of_every_kind("b", month=7))
    add_document(vault, LETTER, title="Attestation")
    return vault


@pytest.fixture
def other(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with Home.open(settings(tmp_path / "other"), clock=clock) as home:
        home.use_trust(registry())
        yield home


def contents(vault: OpenVault) -> dict[str, Any]:
    out: dict[str, Any] = {}
    found: list[Record] = []
    for kind in Kind:
        if kind is not Kind.OBSERVATION:
            found += vault.all(kind)
    for record in found:
        out[record.id] = {k: v for k, v in to_jsonld(record).items() if k != "evidence"}
    for item in vault.all_observed():
        out[item.iri] = vault.deposited(item)
    return out


def archive_of(vault: OpenVault) -> bytes:
    out = io.BytesIO()
    vault.export(out, passphrase=SECRET)
    return out.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    plain = pyrage.passphrase.decrypt(archive, SECRET)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {
            member.name: found.read()
            for member in tar
            if (found := tar.extractfile(member)) is not None
        }


def test_what_is_written_during_an_export_is_not_in_it_and_nothing_is_in_it_by_half(
    filled: OpenVault,
) -> None:
    before = filled.witness()
    written = 0

    def write(_: str) -> None:
        nonlocal written
        written += 1
        name = f"meanwhile {written}"
        filled.put(Attribute(id=iri(name), name=name, value=1, source="test", certified_at=NOW))
        trips = filled.all(Kind.TRIP)
        if written == 3:
            filled.delete(trips[0].id)

    count = len(filled.all(Kind.TRIP))
    out = io.BytesIO()
    filled.export(out, passphrase=SECRET, progress=write)
    found = members(out.getvalue())
    assert written > 10
    assert b"meanwhile" not in b"".join(found.values())
    assert len(found["records/trips.jsonl"].splitlines()) == count
    assert found["trips/trips.csv"].count(b"\r\n") == count + 1
    head = json.loads(found["manifest.json"])["head"]
    assert head["seq"] == before.seq
    assert len(filled.all(Kind.TRIP)) == count - 1


def test_an_export_that_a_deletion_overtook_is_begun_again(
    filled: OpenVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = add_document(filled, LETTER, title="À détruire")
    passes = 0

    def destroy(name: str) -> None:
        nonlocal passes
        if name == "records/trips.jsonl":
            passes += 1
        if passes == 1 and name == "records/trips.jsonl":
            from vault.deletion import remove

            remove(filled, doomed.id)

    to = tmp_path / "archive.age"
    filled.export_file(to, passphrase=SECRET, progress=destroy)
    assert passes == 2
    assert doomed.id.encode() not in members(to.read_bytes())["records/documents.jsonl"]
    assert sorted(p.name for p in tmp_path.glob("*archive*")) == ["archive.age"]

    def always(*_: Any, **__: Any) -> None:
        raise ExportOvertakenError

    monkeypatch.setattr(exporting, "export", always)
    with pytest.raises(ExportOvertakenError):
        filled.export_file(tmp_path / "never.age", passphrase=SECRET)
    assert not list(tmp_path.glob("*never*"))


@pytest.mark.parametrize("stops", range(1, 12, 2))
def test_a_restore_stopped_anywhere_goes_on_and_makes_one_vault(
    home: Home, filled: OpenVault, monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    archive, expected = archive_of(filled), contents(filled)
    monkeypatch.setattr(restoring, "SLICE", 3)
    finish, left = Draft.finish, stops

    def stopping(draft: Draft) -> bytes | None:
        nonlocal left
        left -= 1
        if left == 0:
            raise DatabaseBusyError(waited_s=1)
        return finish(draft)

    with monkeypatch.context() as patched:
        patched.setattr(Draft, "finish", stopping)
        with pytest.raises(DatabaseBusyError):
            home.restore(io.BytesIO(archive), SECRET, MOVED)
    half = [name for name in home.vaults() if name != filled.vault_id]
    assert len(half) == 1
    report = home.restore(io.BytesIO(archive), SECRET, MOVED)
    assert home.vaults() == [filled.vault_id, *half]
    assert half == [report.vault_id]
    cookie = home.unlock(report.vault_id, passphrase=MOVED, client="192.0.2.1").cookie_value
    vault = home.session(cookie)
    restored = contents(vault)
    assert restored.keys() == expected.keys()
    for name, said in expected.items():
        assert restored[name] == said
    assert home.fsck(report.vault_id, vault).clean
    assert (report.observations, report.lowered) == (9, 0)
    assert vault.setting(restoring.RESTORING) is None
    home.unlock(report.vault_id, recovery_code=report.recovery_code, client="192.0.2.1")


def test_a_restore_begun_with_another_passphrase_or_archive_is_not_taken_for_ours(
    filled: OpenVault, other: Home, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    archive = archive_of(filled)

    def stop(*_: Any, **__: Any) -> None:
        raise DatabaseBusyError(waited_s=1)

    with monkeypatch.context() as patched:
        patched.setattr(restoring._Work, "records", stop)
        with pytest.raises(DatabaseBusyError):
            other.restore(io.BytesIO(archive), SECRET, MOVED)
    (half,) = other.vaults()
    theirs = other.restore(io.BytesIO(archive), SECRET, "une phrase de quelqu'un d'autre")
    assert theirs.vault_id != half
    again = other.restore(io.BytesIO(archive_of(filled)), SECRET, MOVED)
    assert again.vault_id != half
    assert len(other.vaults()) == 3
    clock.forward(restoring.ABANDONED * 2)
    other.restore(io.BytesIO(archive), SECRET, MOVED)
    assert half not in other.vaults()


def prepare(vault: OpenVault) -> waiting.Prepared:
    """An archive asked for, and made at once."""
    waiting.begin(vault, passphrase=SECRET)
    assert waiting.step(vault)
    assert waiting.making(vault) is None
    ready = prepared(vault.home, vault.vault_id)
    assert ready is not None
    return ready


def test_the_archive_that_waits_is_one_and_goes_after_a_day_or_with_the_vault(
    home: Home, filled: OpenVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault_id = filled.vault_id
    assert prepared(home, vault_id) is None
    first, second = prepare(filled), prepare(filled)
    assert not first.path.exists()
    assert prepared(home, vault_id) == second
    assert second.path.stat().st_mode & 0o077 == 0
    assert "manifest.json" in members(second.path.read_bytes())
    monkeypatch.setattr(waiting, "KEPT", waiting.KEPT * -400)
    assert prepared(home, vault_id) is None
    assert not second.path.exists()
    monkeypatch.undo()
    third = prepare(filled)
    home.shred(vault_id)
    assert not third.path.exists()


def test_an_archive_in_the_making_says_how_far_it_is_and_the_one_before_waits_on(
    home: Home, filled: OpenVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SAY_EVERY_S", 0)
    before = prepare(filled)
    waiting.begin(filled, passphrase=SECRET)
    with pytest.raises(ExportRunningError):
        waiting.begin(filled, passphrase="une tout autre phrase")
    heard: list[tuple[int, int]] = []

    def look() -> bool:
        making = waiting.making(filled)
        assert making is not None
        assert making.failed is None
        heard.append((making.done, making.total))
        assert prepared(home, filled.vault_id) == before
        return False

    assert waiting.step(filled, stopped=look)
    assert heard == sorted(heard)
    assert heard[-1][1] // 2 < heard[-1][0] <= heard[-1][1]
    after = prepared(home, filled.vault_id)
    assert after is not None
    assert after != before
    assert not before.path.exists()
    assert not waiting.step(filled)
    assert not home.outbox.of_owner(filled.vault_id, kind=waiting.JOB)


def test_an_archive_called_off_leaves_no_file_and_no_key(home: Home, filled: OpenVault) -> None:
    waiting.begin(filled, passphrase=SECRET)
    count = 0

    def call_off() -> bool:
        nonlocal count
        count += 1
        if count == 3:
            waiting.call_off(filled)
        return False

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "SAY_EVERY_S", 0)
        assert waiting.step(filled, stopped=call_off)
    assert count == 3
    assert waiting.making(filled) is None
    assert prepared(home, filled.vault_id) is None
    assert not list((home.settings.folder / "exports").glob("*/*"))
    prepare(filled)


def test_an_archive_stopped_by_the_lock_is_begun_again_under_the_same_passphrase(
    home: Home, new: NewVault, filled: OpenVault
) -> None:
    waiting.begin(filled, passphrase=SECRET)
    filled.lock()
    assert SECRET.encode() not in b"".join(
        job.payload for job in home.outbox.of_owner(new.vault_id, kind=waiting.JOB)
    )
    with pytest.raises(KeyringLockedError):
        waiting.making(filled)
    cookie = home.unlock(new.vault_id, passphrase=PASSPHRASE, client="192.0.2.1").cookie_value
    vault = home.session(cookie)
    asked = iter([False, False, True])
    assert waiting.step(vault, stopped=lambda: next(asked))  # stopped again, on the way
    assert not list((home.settings.folder / "exports").glob("*/*"))
    assert waiting.is_due(vault)
    assert waiting.step(vault)
    ready = prepared(home, new.vault_id)
    assert ready is not None
    assert members(ready.path.read_bytes()).keys() >= {"manifest.json", "records/trips.jsonl"}


def test_an_archive_that_cannot_be_written_says_why_and_another_may_be_begun(
    home: Home, filled: OpenVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    waiting.begin(filled, passphrase=SECRET)
    with monkeypatch.context() as patched:
        patched.setattr(waiting, "export_file", full)
        assert waiting.step(filled)
    failed = waiting.making(filled)
    assert failed is not None
    assert failed.failed == waiting.NOT_WRITTEN
    assert not waiting.is_due(filled)
    assert not waiting.step(filled)
    prepare(filled)


def test_a_home_that_tends_its_open_vaults_makes_the_archive_by_itself(
    tmp_path: Path, clock: Clock
) -> None:
    with Home.open(settings(tmp_path / "tended", tends_open_vaults=True), clock=clock) as home:
        made = home.create_vault(PASSPHRASE)
        cookie = home.unlock(made.vault_id, passphrase=PASSPHRASE, client="192.0.2.1").cookie_value
        vault = home.session(cookie)
        waiting.begin(vault, passphrase=SECRET)
        until = time.monotonic() + 60
        while waiting.making(vault) is not None:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert prepared(home, made.vault_id) is not None


def test_the_passphrase_of_the_vault_is_not_asked_for(filled: OpenVault, other: Home) -> None:
    """A restore needs the archive's passphrase; the vault's own stays where it was."""
    report = other.restore(io.BytesIO(archive_of(filled)), SECRET, MOVED)
    assert PASSPHRASE not in (SECRET, MOVED)
    other.unlock(report.vault_id, passphrase=MOVED, client="192.0.2.1")
