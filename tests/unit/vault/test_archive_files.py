"""The archive: documents move along, memory stays bounded, an archive of each version restores."""

import io
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.records import Document, Kind
from tests.unit.vault.builders import PASSPHRASE, Citizen
from vault.archive.spool import Spool
from vault.documents import add_document, read_document
from vault.errors import ArchiveInvalidError, BlobMissingError
from vault.home import Home

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
