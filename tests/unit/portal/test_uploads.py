"""Uploads are a citizen's plaintext: they stay in memory."""

import tempfile
from pathlib import Path

import pytest
from fastapi import FastAPI, UploadFile
from fastapi.testclient import TestClient

from portal.app import UPLOADS, _limits
from portal.settings import Settings


def test_an_upload_never_touches_a_temporary_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def on_disk(self: object) -> None:
        raise AssertionError("rolled over into a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", on_disk)
    app = FastAPI()

    @app.post("/sources/importer")
    def take(fichier: UploadFile) -> int:
        return len(fichier.file.read())

    _limits(app, Settings(state=tmp_path))
    size = UPLOADS["/sources/importer"] - 10_000
    with TestClient(app) as client:
        answer = client.post("/sources/importer", files={"fichier": ("t.json", b"x" * size)})
    assert answer.json() == size
