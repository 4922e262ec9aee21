"""Defects of the platform before, as tests that they are not here: B-14 (files under one key and
IV, no authentication, SHA-1), B-19 and W-12 (deletion leaves names behind; the export is a
spreadsheet without files, consents, moments or log)."""

import io
import json
import re
import tarfile
from itertools import pairwise
from pathlib import Path

import pyrage
import pytest

from schemas.ids import mint_iri
from schemas.records import Attribute, Consent, Degree, Kind
from tests.integration.vault.world import NOW, Source, records_of_every_kind, trip
from vault.crypto.errors import CryptoError
from vault.documents import add_document, read_document
from vault.errors import BlobMissingError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault

ROOT = Path(__file__).resolve().parents[3]
PDF = b"%PDF-1.7\n" + b"un justificatif de domicile " * 400
NAME = "Pradelles-Vézelay"


def blobs(home: Home) -> list[Path]:
    return sorted(path for path in home.settings.blobs.rglob("*") if path.is_file())


def test_b14_each_file_has_its_own_key_and_equal_files_look_unrelated(
    home: Home, vault: OpenVault
) -> None:
    for title in ("a.pdf", "b.pdf", "c.pdf"):
        add_document(vault, PDF + title.encode(), title=title)
    sealed = [path.read_bytes() for path in blobs(home)]
    assert len(sealed) == 3
    assert len({blob[8:68] for blob in sealed}) == 3  # nonce and wrapped key
    blocks = [blob[i : i + 16] for blob in sealed for i in range(88, len(blob) - 16, 16)]
    assert len(set(blocks)) == len(blocks)  # one key and IV would repeat whole blocks


@pytest.mark.parametrize("at", [4, 20, 70, 88, 5_000, -1])
def test_b14_a_changed_byte_of_a_file_is_refused(home: Home, vault: OpenVault, at: int) -> None:
    document = add_document(vault, PDF, title="a.pdf")
    (file,) = blobs(home)
    sealed = bytearray(file.read_bytes())
    sealed[at] ^= 1
    file.chmod(0o600)
    file.write_bytes(bytes(sealed))
    with pytest.raises((CryptoError, BlobMissingError)):
        b"".join(read_document(vault, document.id))


def test_b14_no_mode_without_authentication_and_no_sha1_is_used() -> None:
    forbidden = re.compile(
        r"\bmodes\.(CBC|ECB|CTR|OFB|CFB)\b|\bSHA1\(|hashlib\.(sha1|md5)\(|OAEP\("
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for package in ("schemas", "federation", "vault", "connectors", "portal")
        for path in (ROOT / package).rglob("*.py")
        for match in forbidden.finditer(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.fixture
def lived_in(home: Home, new: NewVault, vault: OpenVault) -> OpenVault:
    source = Source(home, new.vault_id)
    source.deposit(*(trip(f"m{n}", n * 1440) for n in range(3)))
    vault.drain(None)
    vault.put(*records_of_every_kind("m", month=4))
    vault.put(
        Attribute(
            id=mint_iri(),
            name="identity.family_name",
            value=NAME,
            source="citizen",
            certified_at=NOW,
            degree=Degree.CLAIMED,
        )
    )
    add_document(vault, PDF, title=f"{NAME}.pdf")
    return vault


def test_b19_destroying_a_vault_leaves_no_row_and_no_file_that_holds_it(
    home: Home, lived_in: OpenVault, tmp_path: Path
) -> None:
    vault_id = lived_in.vault_id
    receipt = home.shred(vault_id)
    assert receipt.document["type"] == "ShredReceipt"
    with home.store.read() as reader:
        assert reader.count_rows(vault_id) == 0
        assert reader.blobs(vault_id) == []
        assert reader.journal(vault_id) == []
        assert reader.settings(vault_id) == {}
    assert blobs(home) == []
    data = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert NAME.encode() not in data


def test_w12_the_export_has_files_consents_moments_and_the_log(lived_in: OpenVault) -> None:
    out = io.BytesIO()
    lived_in.export(out, passphrase="une phrase de reprise")
    opened = io.BytesIO(pyrage.passphrase.decrypt(out.getvalue(), "une phrase de reprise"))
    members: dict[str, bytes] = {}
    with tarfile.open(fileobj=opened) as pack:
        for member in pack:
            file = pack.extractfile(member)
            members[member.name] = b"" if file is None else file.read()
    assert PDF in members.values()
    consents = [record for record in lived_in.all(Kind.CONSENT) if isinstance(record, Consent)]
    assert consents
    given = [name for name in members if name.startswith("consents/")]
    assert len(given) == len(consents)
    journal = [json.loads(line) for line in members["journal/journal.jsonl"].splitlines()]
    assert {"at", "event", "actor"} <= set(journal[0])
    moments = [entry["at"] for entry in journal]
    assert all(a <= b for a, b in pairwise(moments)) or all(a >= b for a, b in pairwise(moments))
    attributes = members["records/attributes.jsonl"].decode()
    assert NAME in attributes
    assert '"certifiedAt"' in attributes
