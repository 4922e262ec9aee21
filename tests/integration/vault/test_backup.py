"""The drill: a home is copied while it is written to, lost, and put back elsewhere."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from connectors.emission.client import Dialect
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.hub.context import HubContext
from federation.hub.local import LocalHub
from portal.compose import beside_home
from portal.settings import Settings
from schemas.ids import mint_iri
from schemas.records import Application, ApplicationState, Attribute, Document, Kind
from tests.conftest import ROOT
from tests.hub_world import build_world, hub_settings
from tests.integration.vault.test_sharing import PERIOD, told
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
from tests.unit.connectors.test_in_a_vault import Server
from tests.unit.vault.builders import PASSPHRASE as BUILT_WITH
from tests.unit.vault.builders import make_home
from vault import backup as backing
from vault.backup import Lost, keys_of, lost_in, put_back
from vault.crypto.errors import VaultRolledBackError
from vault.deletion import remove
from vault.documents import add_document, read_document
from vault.errors import BackupInvalidError, VaultUnknownError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault

LETTER = b"%PDF-1.7\n" + b"une attestation " * 4_000


@pytest.fixture
def filled(home: Home, new: NewVault, vault: OpenVault) -> OpenVault:
    source = Source(home, new.vault_id)
    source.deposit(*(trip(f"x{n}", n * 1440 * 9, track=n % 2 == 0) for n in range(6)))
    vault.drain(None)
    vault.put(*records_of_every_kind())
    add_document(vault, LETTER, title="Attestation")
    return vault


def test_a_home_copied_while_it_is_written_to_comes_back_whole_and_says_so(
    home: Home, new: NewVault, filled: OpenVault, tmp_path: Path, clock: Clock
) -> None:
    to, done, faults = tmp_path / "copies" / "today", threading.Event(), list[BaseException]()
    before = {a.name for a in filled.attributes()}

    def write() -> None:
        number = 0
        try:
            while not done.is_set():
                number += 1
                name = f"écrit {number}"
                filled.put(
                    Attribute(id=iri(name), name=name, value=number, source="t", certified_at=NOW)
                )
                kept = add_document(filled, LETTER + name.encode(), title=name)
                remove(filled, kept.id)
        except BaseException as error:
            faults.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        home.backup(to)
    finally:
        done.set()
        writer.join(60)
    assert faults == []
    filled.put(Attribute(id=iri("après"), name="après", value=1, source="t", certified_at=NOW))
    # All is lost but the copy and the key folder of today, which is newer than the copy.
    keys = tmp_path / "keys-of-today"
    shutil.copytree(home.settings.keys, keys)
    elsewhere = tmp_path / "elsewhere"
    put_back(to, keys=keys, folder=elsewhere)

    with Home.open(settings(elsewhere), clock=clock) as back:
        back.use_trust(registry())
        with pytest.raises(VaultRolledBackError):
            back.unlock(new.vault_id, passphrase=PASSPHRASE, client="192.0.2.1")
        token = back.unlock(new.vault_id, passphrase=PASSPHRASE, client="192.0.2.1", restored=True)
        vault = back.session(token.cookie_value)
        events = [event.event for event in vault.journal().events]
        assert "restored-from-backup" in events
        names = {a.name for a in vault.attributes()}
        assert names >= before
        assert "après" not in names
        assert len(vault.all(Kind.TRIP)) == 6
        for document in vault.all(Kind.DOCUMENT):
            assert isinstance(document, Document)
            if document.title == "Attestation":
                assert b"".join(read_document(vault, document.id)) == LETTER
        report = back.fsck(new.vault_id, vault)
        assert report.clean, report.findings
        clock.forward(timedelta(days=1))
        back.unlock(new.vault_id, recovery_code=new.recovery_code, client="192.0.2.1")


def test_a_file_destroyed_during_the_copy_makes_it_begin_again(
    home: Home, filled: OpenVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = add_document(filled, LETTER + b"de trop", title="de trop")
    copy, passes = backing._copy_database, 0

    def then_delete(source: str, to: Path) -> None:
        nonlocal passes
        passes += 1
        copy(source, to)
        if passes == 1:
            remove(filled, doomed.id)

    monkeypatch.setattr(backing, "_copy_database", then_delete)
    home.backup(tmp_path / "copy")
    assert passes == 2


def test_a_home_that_lost_a_file_is_copied_without_it_and_says_so(
    home: Home, new: NewVault, filled: OpenVault, tmp_path: Path
) -> None:
    """A disk that ate one file is the day a backup is wanted most: all else is in it."""
    for number in range(2):
        add_document(filled, LETTER + b"%d" % number, title="Une autre")
    before = len(filled.all(Kind.DOCUMENT)) - 3
    with home.store.read() as reader:
        names = sorted(blob.blob_id for blob in reader.blobs(new.vault_id) if blob.sealed is None)
    files = {path.name: path for path in (home.settings.folder / "blobs").rglob("*")}
    gone, cut = sorted(names, key=lambda name: files[name].stat().st_size)[-2:]
    files[gone].unlink()
    files[cut].write_bytes(files[cut].read_bytes()[:-1])
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere"
    lost = tuple(sorted(Lost(new.vault_id, name) for name in (gone, cut)))
    assert home.backup(copy) == lost
    assert lost_in(copy) == lost
    filled.lock()
    put_back(copy, keys=keys_of(copy), folder=elsewhere)
    with Home.open(settings(elsewhere), clock=home.clock) as again:
        again.use_trust(registry())
        cookie = again.unlock(new.vault_id, passphrase=PASSPHRASE, client="a").cookie_value
        vault = again.session(cookie)
        assert len(vault.all(Kind.TRIP)) == 6
        missing = {f.subject for f in again.fsck(new.vault_id, vault).findings}
        assert missing == {f"file {gone}", f"file {cut}"}, missing
        assert len(vault.all(Kind.DOCUMENT)) == 3 + before
        assert again.backup(tmp_path / "next") == lost
    # Any other file that is not there was not lost when this was copied.
    left = next(p for p in (copy / "blobs").rglob("*") if p.is_file())
    left.unlink()
    with pytest.raises(BackupInvalidError):
        put_back(copy, keys=keys_of(copy), folder=tmp_path / "third")


def test_without_its_peppers_a_copy_opens_nothing(
    home: Home, new: NewVault, filled: OpenVault, tmp_path: Path, clock: Clock
) -> None:
    home.backup(tmp_path / "copy")
    keys = keys_of(tmp_path / "copy")
    for pepper in (keys / "peppers").iterdir():
        pepper.unlink()
    put_back(tmp_path / "copy", keys=keys, folder=tmp_path / "elsewhere")
    with (
        Home.open(settings(tmp_path / "elsewhere"), clock=clock) as back,
        pytest.raises(VaultUnknownError),
    ):
        back.unlock(new.vault_id, recovery_code=new.recovery_code, client="192.0.2.1")


def test_a_changed_copy_and_a_folder_in_use_are_refused(
    home: Home, filled: OpenVault, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    home.backup(copy)
    keys = keys_of(copy)
    assert copy.stat().st_mode & 0o077 == keys.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        home.backup(copy)
    with pytest.raises(BackupInvalidError):
        put_back(copy, keys=keys, folder=home.settings.folder)
    with pytest.raises(BackupInvalidError):
        put_back(keys, keys=keys, folder=tmp_path / "new")
    with pytest.raises(BackupInvalidError):
        put_back(copy, keys=copy, folder=tmp_path / "new")
    data = bytearray((copy / "home.db").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "home.db").write_bytes(data)
    with pytest.raises(BackupInvalidError):
        put_back(copy, keys=keys, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_that_fails_leaves_nothing_behind(
    home: Home, filled: OpenVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing, "_copy_files", lambda *_: None)
    with pytest.raises(BackupInvalidError):
        home.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert not keys_of(tmp_path / "copy").exists()


# --- a folder that is served whole: home, sources, hub -------------------------------------------


@contextmanager
def sources(home: Home, folder: Path, server: Server) -> Iterator[ConnectorService]:
    @contextmanager
    def transport(_address: str) -> Iterator[Server]:
        yield server

    store = ConnectorStore.open(f"sqlite:///{folder}/connectors.db", seal=home.seal)
    yield ConnectorService(
        home, store, clock=home.clock, transport=transport, address="http://localhost:8400"
    )
    store.close()


def test_a_served_folder_comes_back_with_its_sources_linked_and_its_hubs_applications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, to, server = tmp_path / "state", tmp_path / "copy", Server(Dialect.UPSTREAM_2026)
    world = build_world(state)
    with told(world, state) as story, sources(story.home, state, server) as connectors:
        (state / "trust-root.json").write_text("{}")
        vault, vault_id = story.citizen.vault, story.citizen.vault_id
        connectors.add_tracemob(vault_id, "https://traces.test", "jeton")
        (account,) = connectors.accounts(vault_id)
        copy, copied = backing._copy_database, list[str]()

        def and_pull_between(source: str, target: Path) -> None:
            """What a source gives between two copies is in the home's, under no cursor."""
            copy(source, target)
            copied.append(target.name)
            if len(copied) == 1:
                assert connectors.pull(vault_id, account.id).records > 0
                vault.drain(None)

        story.affiliate()
        disclosure = vault.prepare_application(story.aid, mint_iri(), period=PERIOD)
        consent = vault.share(disclosure, confirmed_at=story.home.clock())
        assert consent.application is not None
        story.home.runner().run_due()
        vault.refresh_application(consent.application)
        monkeypatch.setattr(backing, "_copy_database", and_pull_between)
        story.home.backup(to, beside=beside_home(Settings(state=state)))
        assert copied == ["connectors.db", "home.db", "hub.db"]
        before = sorted(t.id for t in vault.all(Kind.TRIP))
        signed_by = world.context.keys.multikey("hub")
        world.context.close()
    assert (to / "hub.db").stat().st_mode & 0o077 == 0
    assert not list(to.glob("*keys*"))

    new = tmp_path / "new"
    with pytest.raises(BackupInvalidError, match="hub-keys"):
        put_back(to, keys=keys_of(to), folder=new)
    put_back(to, keys=keys_of(to), folder=new, more_keys={"hub-keys": keys_of(to, "hub-keys")})
    assert (new / "trust-root.json").read_text() == "{}"
    hub = HubContext.build(hub_settings(new), clock=world.clock)
    with (
        make_home(new, world.clock) as home,  # type: ignore[arg-type]  # a clock
        sources(home, new, server) as connectors,
    ):
        assert hub.keys.multikey("hub") == signed_by
        home.use_hub(LocalHub(hub))
        cookie = home.unlock(vault_id, passphrase=BUILT_WITH, client="192.0.2.1").cookie_value
        back = home.session(cookie)
        assert sorted(t.id for t in back.all(Kind.TRIP)) == before
        application = back.refresh_application(consent.application)
        assert isinstance(application, Application)
        assert application.state is ApplicationState.ACCEPTED
        with hub.store.read() as reader:
            assert reader.application(consent.application) is not None
        (kept,) = connectors.accounts(vault_id)
        assert kept.id == account.id
        report = connectors.pull(vault_id, kept.id)  # the cursor is the older one: asked again
        assert (report.error, report.rejected_count) == (None, 0)
        back.drain(None)
        assert sorted(t.id for t in back.all(Kind.TRIP)) == before
        found = home.fsck(vault_id, back)
        assert found.clean, found.findings
    hub.close()


def test_a_copy_of_the_first_form_is_put_back(
    home: Home, filled: OpenVault, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    home.backup(copy)
    mark = json.loads((copy / "BACKUP").read_text())
    first = {
        "format": "mobility-home-backup/1",
        "home": mark["home"],
        "at": mark["at"],
        "database": mark["files"]["home.db"],
    }
    (copy / "BACKUP").write_text(json.dumps(first))
    assert put_back(copy, keys=keys_of(copy), folder=tmp_path / "new") == ("home.db",)
    for wrong in ({**mark, "files": {"../home.db": ""}}, {**mark, "format": "x"}, [], {}):
        (copy / "BACKUP").write_text(json.dumps(wrong))
        with pytest.raises(BackupInvalidError):
            put_back(copy, keys=keys_of(copy), folder=tmp_path / "other")


def test_a_copy_made_by_the_first_version_is_put_back(tmp_path: Path) -> None:
    first = ROOT / "tests" / "vaults" / "v1"
    shutil.copytree(first, tmp_path / "copy")
    digest = sha256((first / "home.db").read_bytes()).hexdigest()
    mark = {"format": "mobility-home-backup/1", "database": f"sha256:{digest}"}
    (tmp_path / "copy" / "BACKUP").write_text(json.dumps(mark))
    put_back(tmp_path / "copy", keys=first.with_name("v1-keys"), folder=tmp_path / "new")
    files = {p.relative_to(first) for p in first.glob("blobs/*/*/*")}
    assert files
    assert {
        p.relative_to(tmp_path / "new") for p in (tmp_path / "new").glob("blobs/*/*/*")
    } == files
