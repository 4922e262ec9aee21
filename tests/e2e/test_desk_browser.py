# ruff: noqa: E501 - a line of JavaScript stands whole
"""The funder's five minutes in Chromium: passkey, document key made in the browser, an aid; and a
document sealed in Python opens in JavaScript, with the key kept there.
"""

import io
import os
import re
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from federation.multibase import b64url_decode
from federation.sealing import BoxPublicKey, FunderKey, SealSuite, seal_document
from portal.app import create_hub_app
from portal.funder_key import open_sealed
from portal.settings import Settings
from schemas.ids import Did, mint_iri
from tests.e2e.test_passkeys import authenticator, shoot
from vault.documents import EXTENSIONS, sniff
from vault.errors import DocumentRefusedError

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("MOBILITY_CHROMIUM", "/usr/bin/chromium")
RIB = b"%PDF-1.7\nIBAN FR76 3000 1007 9412 3456 7890 185\n%%EOF\n"


def _zip(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.text")
    return made.getvalue()


KINDS: dict[bytes, tuple[str, bool]] = {
    RIB: ("pdf", False),
    b"%PDF-1.7\n<</S /JavaScript /JS (app.alert(1))>>": ("pdf", True),
    b"\x89PNG\r\n\x1a\n": ("png", False),
    b"\xff\xd8\xff\xe0": ("jpg", False),
    b"RIFF\0\0\0\0WEBPVP8 ": ("webp", False),
    b"\0\0\0\x18ftypheic": ("heic", False),
    _zip("word/document.xml"): ("docx", False),
    _zip("xl/workbook.xml", "xl/vbaProject.bin"): ("xlsx", True),
    _zip("mimetype"): ("odt", False),
    _zip("run.exe"): ("kind", False),
    b"MZ\x90\0\x03": ("kind", False),
    b"<script>alert(1)</script>": ("kind", False),
    "IBAN donné à part".encode(): ("txt", False),
    b'{"iban": 1}': ("json", False),
    b"text\x00": ("kind", False),
}
"""Files, what the browser calls each, and whether it names code or another file inside."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = tmp_path_factory.mktemp("hub")
    app = create_hub_app(Settings(state=state, hub_port=port, home_port=port + 1, sandbox=True))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.05)
    yield f"http://localhost:{port}", app.state.hub
    server.should_exit = True
    thread.join(timeout=10)
    app.state.hub.close()


def test_five_minutes_from_nothing_to_an_open_desk(served: tuple[str, Any], tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    base, hub = served
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="fr-FR", base_url=base)
        context.set_default_timeout(20_000)
        page = context.new_page()
        blocked: list[str] = []
        page.on("pageerror", lambda error: blocked.append(str(error)))
        authenticator(page, has_prf=False)
        page.goto("/guichet/ouvrir")
        shoot(page, "guichet-ouvrir")
        for name, value in (
            ("organisme", "Mairie de Trèbes"),
            ("siret", "732 829 320 00074"),
            ("service", "Ressources humaines"),
            ("contact", "rh@trebes.example"),
            ("nom", "Camille Roux"),
            ("courriel", "camille@trebes.example"),
        ):
            page.fill(f"#f-{name}", value)
        page.check("#f-convention")
        page.get_by_role("button", name="Ouvrir le guichet").click()
        page.wait_for_url(re.compile("/guichet/acces"))
        shoot(page, "guichet-acces")
        page.get_by_role("button", name="Ajouter une clé d'accès").click()
        page.wait_for_url(re.compile("ajout=1"))
        page.goto("/guichet/cle")
        page.get_by_role("button", name="Faire la clé").click()
        page.wait_for_selector("[data-code]:not(:empty)")
        code = page.inner_text("[data-code]")
        shoot(page, "guichet-cle")
        page.get_by_role("button", name="Publier la clé").click()
        assert "Cochez d'abord" in page.locator("[role=status]").first.inner_text()
        assert hub.document_keys.current("mairie-de-trebes") is None
        page.check("#f-note")
        page.get_by_role("button", name="Publier la clé").click()
        page.wait_for_url(re.compile("faite=1"))
        page.goto("/guichet/aides/nouvelle?modele=fmd-prive")
        page.fill("#f-par_jour", "2,50")
        page.fill("#f-plafond", "600")
        page.get_by_role("button", name="Publier l'aide").click()
        page.wait_for_url(re.compile("/guichet/aides$"))
        shoot(page, "guichet-aides")
        page.goto("/guichet/reglages")
        assert page.get_by_text("Le guichet est prêt").count() == 1
        shoot(page, "guichet-reglages")
        page.get_by_role("button", name="Quitter le guichet").click()
        page.goto("/guichet/entrer")
        page.get_by_role("button", name="Entrer avec une clé d'accès").click()
        page.wait_for_url(re.compile("/guichet$"))

        # Sealed in Python, opened by the page's own module with the key IndexedDB keeps.
        key = hub.document_keys.current("mairie-de-trebes")
        public = BoxPublicKey.decode(key.public)
        assert public.suite is SealSuite.P256
        application = mint_iri()
        funder = Did(hub.settings.funder_did("mairie-de-trebes"))
        data = seal_document(
            RIB, name="rib.pdf", media_type="application/pdf", application=application,
            to=FunderKey(funder, key.version, public, key.not_after), at=hub.clock(),
        )  # fmt: skip
        assert open_sealed(data, code)[0].content == RIB, "the printed code opens it too"
        page.goto("/guichet/cle")
        point = page.get_attribute("[data-point]", "data-point")
        assert b64url_decode(point or "") == public.raw
        opened = page.evaluate(
            """async ([data, point, application]) => {
              const { kept, openDocument } = await import("/static/boite.js");
              const bytes = (t) => Uint8Array.from(atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
              const key = await kept(bytes(point));
              let exported = false;
              try { await crypto.subtle.exportKey("pkcs8", key); exported = true; } catch {}
              const found = await openDocument(new Uint8Array(data), { key, point: bytes(point), application });
              let moved = false;
              try { await openDocument(new Uint8Array(data), { key, point: bytes(point), application: "urn:uuid:x" }); moved = true; } catch {}
              const bent = new Uint8Array(data); bent[bent.length - 1] ^= 1;
              let changed = false;
              try { await openDocument(bent, { key, point: bytes(point), application }); changed = true; } catch {}
              return { name: found.name, content: [...found.content], exported, moved, changed };
            }""",
            [list(data), point, application],
        )
        assert bytes(opened["content"]) == RIB and opened["name"] == "rib.pdf"
        assert not opened["exported"], "the key kept in the browser cannot be taken out of it"
        assert not opened["moved"] and not opened["changed"]
        kinds = page.evaluate(
            """async (files) => {
              const { endingOf, isActive } = await import("/static/boite.js");
              return files.map((data) => {
                const content = new Uint8Array(data);
                try { const ending = endingOf(content); return [ending, isActive(content, ending)]; } catch (error) { return [error.message, false]; }
              });
            }""",
            [list(content) for content in KINDS],
        )
        assert [tuple(kind) for kind in kinds] == list(KINDS.values())
        for content, (ending, _) in KINDS.items():  # the desk and the vault keep the same kinds
            if ending == "kind":
                with pytest.raises(DocumentRefusedError):
                    sniff(content)
            else:
                assert EXTENSIONS[sniff(content)] == ending
        assert blocked == []
        browser.close()
