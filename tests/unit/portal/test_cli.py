"""Each verb does its thing, speaks JSON, and ends with the exit code of the house."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.story import Story
from portal import cli

Run = Callable[..., "Result"]
PASSPHRASE = "cinq mots sans lien entre eux"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("MOBILITY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MOBILITY_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["mobility", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def export_file(tmp_path: Path) -> Path:
    path = tmp_path / "traces.json"
    path.write_text(json.dumps(Story().entries()), "utf-8")
    return path


def test_init_makes_a_vault_and_shows_the_recovery_code_once(run: Run) -> None:
    made = run("vault", "init", "--json")
    assert made.code == 0
    assert len(made.json["vault"]) == 32
    assert made.json["recovery_code"]
    assert PASSPHRASE not in made.out + made.err


def test_import_list_show_and_query_find_the_trips_of_a_file(run: Run, export_file: Path) -> None:
    run("vault", "init", "--json")
    imported = run("vault", "import", export_file, "--json").json
    assert imported["trips_new"] > 50
    again = run("vault", "import", export_file, "--json").json
    assert again["trips_new"] == 0
    listed = run("vault", "list", "--json").json
    assert len(listed) == imported["trips_new"]
    assert {row["evidence"] for row in listed} == {"declared"}
    shown = run("vault", "show", listed[0]["id"], "--json")
    assert shown.json["id"] == listed[0]["id"]
    query = "SELECT (COUNT(DISTINCT ?t) AS ?n) WHERE { ?t a <https://schema.org/Trip> }"
    answer = run("vault", "query", query, "--json")
    assert str(len(listed)) in json.dumps(answer.json)
    checked = run("vault", "fsck", "--json")
    assert checked.code == 0
    assert checked.json["clean"]
    assert checked.json["opened"]
    assert run("vault", "fsck", "--locked", "--json").json["opened"] is False


def test_a_query_that_reaches_out_is_refused(run: Run) -> None:
    run("vault", "init", "--json")
    query = "SELECT * WHERE { SERVICE <http://evil.example/> { ?s ?p ?o } }"
    result = run("vault", "query", query)
    assert result.code == 1
    assert "query-refused" in result.err


def test_export_then_restore_makes_the_same_vault_elsewhere(
    run: Run, export_file: Path, tmp_path: Path
) -> None:
    run("vault", "init", "--json")
    run("vault", "import", export_file, "--json")
    before = run("vault", "list", "--json").json
    archive = tmp_path / "coffre.tar.age"
    assert run("vault", "export", archive, "--json").json["bytes"] == archive.stat().st_size
    assert archive.read_bytes().startswith(b"age-encryption.org/v1")
    assert archive.stat().st_mode & 0o077 == 0
    other = tmp_path / "other"
    restored = run("vault", "restore", archive, "--state", other, "--json")
    assert restored.code == 0, restored.err
    after = run("vault", "list", "--state", other, "--json").json
    assert [row["id"] for row in after] == [row["id"] for row in before]


def test_a_folder_with_a_hub_is_backed_up_and_put_back_with_both_key_folders(
    run: Run, export_file: Path, tmp_path: Path
) -> None:
    run("vault", "init", "--json")
    run("vault", "import", export_file, "--json")
    run("hub", "migrate", "--json")
    before = run("vault", "list", "--json").json
    copy = tmp_path / "copy"
    made = run("home", "backup", copy, "--json").json
    assert made["databases"] == ["home.db", "connectors.db", "hub.db"]
    assert run("home", "backup", copy).code == 2
    new, keys = tmp_path / "new", ("--keys", made["keys"])
    refused = run("home", "restore", copy, *keys, "--state", new)
    assert (refused.code, refused.err.partition(":")[0]) == (1, "backup-invalid")
    assert not new.exists()
    put = run(
        "home", "restore", copy, *keys, "--hub-keys", made["hub_keys"], "--state", new, "--json"
    )
    assert put.json["files"] == made["databases"]
    assert run("vault", "list", "--state", new, "--json").json == before
    assert (new / "hub-keys").stat().st_mode & 0o077 == 0


def test_shred_leaves_nothing_to_open(run: Run) -> None:
    vault = run("vault", "init", "--json").json["vault"]
    assert run("vault", "shred", "--vault", vault).code == 2
    receipt = run("vault", "shred", "--vault", vault, "--yes", "--json")
    assert receipt.json["vault"] == vault
    assert run("vault", "list", "--vault", vault).code == 1


def test_a_wrong_passphrase_is_refused_and_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("vault", "init", "--json")
    monkeypatch.setenv("MOBILITY_PASSPHRASE", "une autre phrase entièrement")
    result = run("vault", "list")
    assert result.code == 1
    assert "wrong-secret" in result.err


def test_a_passphrase_file_gives_its_first_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("phrase du fichier secret\nrest", "utf-8")
    run("vault", "init", "--passphrase-file", file, "--json")
    assert run("vault", "list").code == 1
    assert run("vault", "list", "--passphrase-file", file).code == 0


def test_connect_list_says_there_is_no_source_yet(run: Run) -> None:
    run("vault", "init", "--json")
    assert run("connect", "list", "--json").json == []
    assert run("connect", "run", "--json").json == []
    assert run("connect", "run", "unknown", "--json").code == 1


def test_the_hub_lists_its_aids_and_members_and_takes_officers(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("hub", "migrate", "--json").json == {"hub": "up-to-date"}
    assert len(run("hub", "aids", "--json").json) > 300
    assert [m["roles"] for m in run("hub", "members", "--json").json] == [["hub"]]
    monkeypatch.setenv("MOBILITY_PASSWORD", "douze caractères au moins")
    refused = run("hub", "officer", "unknown-funder", "dominique")
    assert refused.code == 1
    unread = run("hub", "accredit", "did:web:localhost%3A1", "--name", "X", "--role", "home")
    assert unread.code == 3


def test_migrate_brings_every_database_up(run: Run, tmp_path: Path) -> None:
    assert set(run("migrate", "--json").json) == {"home", "sessions", "connectors", "hub"}
    assert (tmp_path / "state" / "home.db").exists()
    assert (tmp_path / "state" / "hub.db").exists()


def test_verify_without_any_trust_says_so(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}", "utf-8")
    result = run("verify", file)
    assert result.code == 1
    assert "attestation-unreadable" in result.err


def test_a_worker_needs_a_broker(run: Run) -> None:
    assert run("worker").code == 2


@pytest.mark.parametrize("arguments", [("vault", "nothing"), ("verify",), ("vault", "show")])
def test_a_usage_error_ends_with_two(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2


def test_an_invitation_is_a_link_and_a_siret_that_is_none_is_refused(run: Run) -> None:
    made = run("hub", "invite", "--siret", "732 829 320 00074", "--json")
    assert made.code == 0
    assert "/guichet/ouvrir?invitation=" in made.json["link"]
    assert run("hub", "invite", "--siret", "73282932000075").code == 1


def test_a_funder_opens_a_document_with_its_printed_code_and_overwrites_nothing(
    run: Run, tmp_path: Path
) -> None:
    from federation.sealing import FunderKey, SealSuite, seal_document
    from portal.funder_key import code_of
    from schemas.ids import Did, mint_iri
    from vault.crypto.box_key import BoxPrivateKey

    private = BoxPrivateKey.generate(SealSuite.P256)
    at = datetime.now(UTC)
    key = FunderKey(Did("did:web:hub.example"), 1, private.public, at + timedelta(days=1))
    sealed = tmp_path / "recu.bin"
    sealed.write_bytes(
        seal_document(
            b"%PDF-1.7 RIB",
            name="../../etc/rib.pdf",
            media_type="application/pdf",
            application=mint_iri(),
            to=key,
            at=at,
        )
    )
    code, wrong = tmp_path / "code.txt", tmp_path / "faux.txt"
    code.write_text(code_of(bytes(private.view)) + "\n")
    wrong.write_text("AAAA-BBBB\n")
    out = tmp_path / "ouverts"
    out.mkdir()
    assert run("desk", "open", sealed, "--code-file", wrong, "--out", out).code == 1
    opened = run("desk", "open", sealed, "--code-file", code, "--out", out, "--json")
    assert opened.code == 0, opened.err
    assert [path.name for path in out.iterdir()] == ["rib.pdf"]
    assert Path(opened.json["file"]).read_bytes() == b"%PDF-1.7 RIB"
    assert opened.json["scan"] == "none"
    assert run("desk", "open", sealed, "--code-file", code, "--out", out).code == 1


@pytest.mark.parametrize(
    ("content", "bad", "code", "scan"),
    [
        (b"%PDF-1.7 RIB", None, 0, "clean"),
        (b"%PDF-1.7 ANTIVIRUS-" + b"TEST-FILE", None, 1, "document-infected"),
        (b"%PDF-1.7 RIB", "error", 3, "document-unscanned"),
    ],
)
def test_a_document_is_written_when_the_antivirus_of_this_machine_found_nothing(
    run: Run, tmp_path: Path, content: bytes, bad: str | None, code: int, scan: str
) -> None:
    from connectors.sandbox.scanning import BadAnswer, ScanServer
    from federation.sealing import FunderKey, SealSuite, seal_document
    from portal.funder_key import code_of
    from schemas.ids import Did, mint_iri
    from vault.crypto.box_key import BoxPrivateKey

    private, at = BoxPrivateKey.generate(SealSuite.P256), datetime.now(UTC)
    key = FunderKey(Did("did:web:hub.example"), 1, private.public, at + timedelta(days=1))
    sealed, codes, out = tmp_path / "recu.bin", tmp_path / "code.txt", tmp_path / "ouverts"
    sealed.write_bytes(
        seal_document(
            content,
            name="rib.pdf",
            media_type="application/pdf",
            application=mint_iri(),
            to=key,
            at=at,
        )
    )
    codes.write_text(code_of(bytes(private.view)) + "\n")
    out.mkdir()
    with ScanServer() as server:
        server.misbehaves = BadAnswer(bad) if bad else None
        given = ("desk", "open", sealed, "--code-file", codes, "--out", out, "--json")
        opened = run(*given, "--antivirus", server.address)
    assert opened.code == code
    if code == 0:
        assert opened.json["scan"] == scan
        assert [path.name for path in out.iterdir()] == ["rib.pdf"]
    else:
        assert opened.err.startswith(scan)
        assert list(out.iterdir()) == [], "nothing was written"


def test_a_company_is_asked_and_its_silence_ends_in_a_draft(run: Run, tmp_path: Path) -> None:
    run("vault", "init", "--json")
    letter = tmp_path / "lettre.pdf"
    made = run(
        "vault", "ask", "geovelo", "--name", "Ana Durand", "--english", "--pdf", letter, "--json"
    )
    assert made.code == 0, made.err
    assert made.json["company"] == "La Compagnie des Mobilités"
    assert "articles 15 and 20" in made.json["letter"]
    assert letter.read_bytes().startswith(b"%PDF-")
    request = made.json["request"]
    late = run("vault", "asked", request, "sent", "--on", "2026-01-05", "--json")
    assert (late.json["state"], late.json["due"]) == ("overdue", "2026-02-05")
    assert "je n'ai reçu aucune réponse" in late.json["complaint"]
    listed = {row["request"]: row for row in run("vault", "ask", "--list", "--json").json}
    assert listed[request]["state"] == "overdue"
    assert "karos" in listed, "the directory, but for whom was asked"
    assert "geovelo" not in listed
    assert run("vault", "asked", request, "burnt").code == 2
    assert run("vault", "asked", request, "sent", "--on", "2999-01-01").code == 1
    assert run("vault", "ask", "Vélos Réunis").code == 1, "a letter has a name under it"


def test_a_folders_backup_is_not_put_beside_a_home_that_is_on_postgresql(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("vault", "init", "--json")
    assert run("home", "backup", tmp_path / "copy", "--json").code == 0
    for name in ("HOME", "SESSION"):
        monkeypatch.setenv(f"MOBILITY_{name}_DATABASE_URL", "postgresql+psycopg://localhost/home")
    new, keys = tmp_path / "new", tmp_path / "copy-keys"
    refused = run("home", "restore", tmp_path / "copy", "--keys", keys, "--state", new)
    assert refused.code == 2
    assert "PostgreSQL" in refused.err
    assert not new.exists()
