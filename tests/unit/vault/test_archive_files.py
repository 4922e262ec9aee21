"""The archive: documents move along, memory stays bounded, an archive of each version restores."""

import gc
import io
import resource
import sys
import tracemalloc
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from federation.sealing.age import ScryptRecipient
from schemas.records import Document, Kind
from tests.unit.vault.builders import PASSPHRASE, Citizen, trip
from vault.archive.members import MAX_LINE
from vault.archive.spool import Spool
from vault.crypto.archive import ArchiveWriter
from vault.documents import add_document, read_document
from vault.errors import ArchiveInvalidError, BlobMissingError
from vault.home import Home

restoring = import_module("vault.archive.restore")
ARCHIVES = Path(__file__).resolve().parents[2] / "archives"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 1_000
WORDS = "trois petits mots"


def test_documents_are_exported_and_restored_with_their_bytes(home: Home, citizen: Citizen) -> None:
    citizen.with_trips(3, points=20)
    kept = add_document(citizen.vault, PDF, title="Contrat")
    out, heard = io.BytesIO(), list[str]()
    counts = citizen.vault.export(out, passphrase=WORDS, progress=heard.append)
    assert counts["documents"] == 1
    assert "observations/observations.jsonl" in heard
    assert sum(name.startswith("documents/") for name in heard) == 1
    out.seek(0)
    report = home.restore(out, WORDS, PASSPHRASE)
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    vault = home.session(cookie)
    (found,) = vault.all(Kind.DOCUMENT)
    assert isinstance(found, Document)
    assert found.content == kept.content
    assert b"".join(read_document(vault, found.id)) == PDF
    assert home.fsck(report.vault_id, vault).clean
    assert {t.id for t in vault.all(Kind.TRIP)} == {t.id for t in citizen.vault.all(Kind.TRIP)}


def test_a_document_that_is_not_what_its_record_says_leaves_no_vault(
    home: Home, citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_document(citizen.vault, PDF, title="Contrat")

    def other(*_: object) -> Iterator[bytes]:
        return iter([PDF + b"more"])

    monkeypatch.setattr(sys.modules["vault.archive.export"], "read_file", other)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase=WORDS)
    out.seek(0)
    before = home.vaults()
    with pytest.raises(ArchiveInvalidError, match="not what its record says"):
        home.restore(out, WORDS, PASSPHRASE)
    assert home.vaults() == before


def test_a_document_without_its_file_is_missing_by_name(home: Home, citizen: Citizen) -> None:
    kept = add_document(citizen.vault, PDF, title="Contrat")
    for name in home.blobs.names(citizen.vault_id):
        home.blobs.remove(citizen.vault_id, name)
    with pytest.raises(BlobMissingError):
        read_document(citizen.vault, kept.id)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase=WORDS)  # what is left can leave


def test_what_is_set_aside_is_sealed_and_takes_no_memory() -> None:
    part = bytes(range(256)) * 256
    tracemalloc.start()
    with Spool(part for _ in range(400)) as spool:
        assert spool.size == 400 * len(part)
        read = 0
        for piece in spool.parts():
            assert part[:64] in piece
            read += len(piece)
        spool._file.seek(0)
        assert part[:64] not in spool._file.read(1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == spool.size
    assert peak < 3_000_000, peak


@pytest.mark.parametrize("version", sorted(p.name for p in ARCHIVES.glob("v*")) or ["none"])
def test_an_archive_of_each_version_restores(home: Home, version: str) -> None:
    with (ARCHIVES / version / "archive.age").open("rb") as archive:
        report = home.restore(archive, WORDS, PASSPHRASE)
    assert report.observations == 6
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    vault = home.session(cookie)
    assert len(vault.all(Kind.TRIP)) == 5
    assert len(vault.all(Kind.INVOICE)) == 1
    assert len(vault.all(Kind.PLACE)) == 1
    (document,) = vault.all(Kind.DOCUMENT)
    assert b"".join(read_document(vault, document.id)).startswith(b"%PDF-")
    assert home.fsck(report.vault_id, vault).clean


def filled(home: Home, count: int) -> tuple[str, io.BytesIO]:
    """A vault of `count` trips, and its archive."""
    citizen = Citizen(home)
    source = citizen.depositor()
    for first in range(0, count, 100):
        source.leave(*(trip(n) for n in range(first, first + 100)))
    citizen.vault.drain(None)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase=WORDS)
    citizen.vault.lock()
    out.seek(0)
    return citizen.vault_id, out


def test_what_a_restore_holds_hardly_grows_with_the_vault(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "SLICE", 50)
    peaks = []
    for count in (200, 1_000):
        _, archive = filled(home, count)
        gc.collect()
        tracemalloc.start()
        report = home.restore(archive, WORDS, PASSPHRASE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.observations == count
        assert report.records == count
    assert peaks[0] < 4_000_000, peaks
    assert (peaks[1] - peaks[0]) / 800 < 4_000, peaks  # with all observations in memory: 10_600


def test_a_restore_is_nobodys_session(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker zeroes what it holds open without a session: not a vault that is being made, however
    many others are opened meanwhile, and no request finds that one."""
    kept, archive = filled(home, 100)
    seen: list[str] = []
    take = restoring._Work.manifests

    def sweeping(work: Any) -> None:
        seen.append(work.vault.vault_id)
        home.sweep()
        assert work.vault.vault_id not in home._open
        take(work)

    monkeypatch.setattr(restoring._Work, "manifests", sweeping)
    report = home.restore(archive, WORDS, PASSPHRASE)
    assert seen == [report.vault_id]
    assert report.vault_id != kept


def test_more_documents_are_restored_than_files_may_be_open(home: Home, citizen: Citizen) -> None:
    for number in range(60):
        add_document(citizen.vault, b"une facture %d" % number, title=f"Facture {number}")
    out = io.BytesIO()
    citizen.vault.export(out, passphrase=WORDS)
    out.seek(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 30, hard))
    try:
        report = home.restore(out, WORDS, PASSPHRASE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    cookie = home.unlock(report.vault_id, passphrase=PASSPHRASE, client="x").cookie_value
    vault = home.session(cookie)
    texts = {b"".join(read_document(vault, found.id)) for found in vault.all(Kind.DOCUMENT)}
    assert texts == {b"une facture %d" % number for number in range(60)}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("manifests/00.manifest", (1 << 20) + 1),
        ("receipts/00.receipt", (1 << 16) + 1),
        ("evidence/0.json", (8 << 20) + 1),
        ("records/goals.jsonl", MAX_LINE + 1),
    ],
)
def test_a_member_that_would_fill_memory_is_refused_by_name(
    home: Home, name: str, size: int
) -> None:
    out = io.BytesIO()
    with ArchiveWriter(out, [ScryptRecipient(WORDS.encode(), log_n=10)]) as archive:
        archive.add(name, io.BytesIO(b" " * size), size=size)
        archive.add("unheard-of/large", io.BytesIO(b" " * size), size=size)  # read by nobody
        archive.add("manifest.json", b'{"format": "mobility-vault-archive/1", "members": {}}')
    out.seek(0)
    before = home.vaults()
    with pytest.raises(ArchiveInvalidError) as refused:
        home.restore(out, WORDS, PASSPHRASE)
    assert refused.value.where is not None
    assert refused.value.where.startswith(name)
    assert home.vaults() == before
