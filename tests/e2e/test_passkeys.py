"""« Mes clés » in Chromium, with its virtual authenticator: a passkey with PRF opens a vault."""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from portal.app import create_home_app
from portal.settings import Settings
from schemas.ids import mint_iri
from schemas.records import Attribute, Kind
from vault import rotation
from vault.home import Home

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("MOBILITY_CHROMIUM", "/usr/bin/chromium")
PHRASE = "correct cheval batterie agrafe"


@dataclass(frozen=True)
class Served:
    """A home that is served by a thread of this process."""

    url: str
    home: Home


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A home alone, on a free port: no hub answers, and that stops nobody."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = tmp_path_factory.mktemp("home")
    app = create_home_app(Settings(state=state, home_port=port, hub_port=port + 1))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.05)
    yield Served(f"http://localhost:{port}", app.state.pages.home)
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def home(served: Served) -> str:
    return served.url


@pytest.fixture
def context(home: str) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = browser.new_context(locale="fr-FR", base_url=home)
        made.set_default_timeout(20_000)
        yield made
        browser.close()


def authenticator(page: Any, *, has_prf: bool) -> tuple[Any, str]:
    """A virtual authenticator of the browser, with or without PRF."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        "hasPrf": has_prf,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def create_vault(page: Any) -> str:
    page.goto("/creer")
    page.fill("#f-phrase", PHRASE)
    page.fill("#f-encore", PHRASE)
    page.check("#f-compris")
    page.get_by_role("button", name="Créer mon coffre").click()
    number = page.locator(".code").nth(1).inner_text()
    page.check("#f-note")
    page.get_by_role("button", name="Entrer dans mon coffre").click()
    return str(number)


def shoot(page: Any, name: str) -> None:
    """A picture at both widths, where MOBILITY_SCREENSHOTS says; and no page wider than it."""
    folder = os.environ.get("MOBILITY_SCREENSHOTS")
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} at {width} px is {overflow} px too wide"
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})


def lock(page: Any) -> None:
    page.get_by_role("button", name="Fermer", exact=True).click()


def add_passkey(page: Any, name: str = "téléphone") -> None:
    page.goto("/coffre/cles")
    page.fill("#f-nom", name)
    page.get_by_role("button", name="Ajouter une clé d'accès").click()
    page.wait_for_url(re.compile("ajout="))


def test_a_passkey_is_added_and_opens_the_vault(context: Any) -> None:
    page = context.new_page()
    session, device = authenticator(page, has_prf=True)
    create_vault(page)
    add_passkey(page)
    assert "elle ouvre votre coffre" in page.content()
    assert page.locator(".list .t").get_by_text("téléphone", exact=True).count() == 1
    shoot(page, "mes-cles")
    held = session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert [(c["rpId"], c["isResidentCredential"]) for c in held] == [("localhost", True)]
    lock(page)
    page.goto("/ouvrir?retour=/coffre/cles")
    shoot(page, "ouvrir")
    page.get_by_role("button", name="Ouvrir avec une clé d'accès").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/coffre/cles")
    assert page.get_by_role("heading", name="Mes clés").count() == 1
    names = {cookie["name"] for cookie in context.cookies()}
    assert {"__Host-coffre", "__Host-numero", "__Host-temoin"} <= names


def test_without_the_vaults_number_the_passkey_finds_it(context: Any) -> None:
    page = context.new_page()
    authenticator(page, has_prf=True)
    create_vault(page)
    add_passkey(page)
    lock(page)
    context.clear_cookies()
    page.goto("/ouvrir")
    assert page.input_value("#f-coffre") == ""
    page.get_by_role("button", name="Ouvrir avec une clé d'accès").click()
    page.wait_for_url(re.compile(r":\d+/$"))
    page.goto("/coffre/cles")
    assert page.get_by_role("heading", name="Mes clés").count() == 1


def test_a_passkey_without_prf_recognises_and_asks_for_the_passphrase(context: Any) -> None:
    page = context.new_page()
    authenticator(page, has_prf=False)
    number = create_vault(page)
    add_passkey(page)
    assert "ne peut pas l" in page.locator(".alert.warn").inner_text()
    lock(page)
    context.clear_cookies()
    page.goto("/ouvrir")
    page.get_by_role("button", name="Ouvrir avec une clé d'accès").click()
    page.wait_for_url(re.compile("reconnu="))
    assert page.input_value("#f-coffre") == number
    page.fill("#f-phrase", PHRASE)
    page.get_by_role("button", name="Ouvrir mon coffre").click()
    page.goto("/coffre/cles")
    assert page.get_by_role("heading", name="Mes clés").count() == 1


def test_shares_are_shown_once_and_two_of_three_open(context: Any) -> None:
    page = context.new_page()
    create_vault(page)
    page.goto("/coffre/cles")
    page.get_by_role("button", name="Créer des parts").click()
    shares = page.locator(".code").all_inner_texts()[:3]
    assert [len(share.split()) for share in shares] == [33, 33, 33]
    shoot(page, "parts")
    page.get_by_role("link", name="C'est recopié").click()
    lock(page)
    page.goto("/ouvrir?secours=parts")
    page.fill("#f-parts", shares[2])
    page.get_by_role("button", name="Ouvrir mon coffre").click()
    assert "Il manque des parts : 1 sur 2." in page.content()
    shoot(page, "parts-manquantes")
    page.fill("#f-parts", f"{shares[2]}\n{shares[0]}")
    page.get_by_role("button", name="Ouvrir mon coffre").click()
    page.wait_for_url(re.compile(r":\d+/$"))


def test_a_vault_without_passphrase_is_created_and_opened_with_a_passkey(context: Any) -> None:
    page = context.new_page()
    authenticator(page, has_prf=True)
    page.goto("/creer")
    shoot(page, "creer")
    page.get_by_role("button", name="Créer avec une clé d'accès").click()
    page.check("#f-note")
    page.get_by_role("button", name="Ajouter ma clé d'accès").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/coffre/cles")
    shoot(page, "une-seule-cle")
    add_passkey(page)
    lock(page)
    page.goto("/ouvrir")
    page.get_by_role("button", name="Ouvrir avec une clé d'accès").click()
    page.wait_for_url(re.compile(r":\d+/$"))


def test_renewing_the_keys_shows_how_far_it_is_and_every_way_in_goes_on_opening(
    context: Any, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = context.new_page()
    authenticator(page, has_prf=True)
    number = create_vault(page)
    add_passkey(page)
    cookie = next(c["value"] for c in context.cookies() if c["name"] == "__Host-coffre")
    vault = served.home.session(cookie)
    for n in range(12):
        at = served.home.clock()
        vault.put(Attribute(id=mint_iri(), name=f"n{n}", value=n, source="x", certified_at=at))
    before = {record.id for record in vault.all(Kind.ATTRIBUTE)}
    go_on, slices, one = threading.Event(), list[int](), rotation._slice

    def paced(*given: Any) -> int:
        """The first slice that finds rows runs, the next one waits until the page was looked at."""
        if any(slices):
            assert go_on.wait(60)
        slices.append(one(*given))
        return slices[-1]

    monkeypatch.setattr(rotation, "SLICE_RECORDS", 5)
    monkeypatch.setattr(rotation, "_slice", paced)
    page.goto("/coffre/cles")
    page.get_by_role("button", name="Renouveler les clés").click()
    page.wait_for_url(re.compile("#renouveler"))
    bar = page.locator("#avance")
    again = page.get_by_role("button", name="Actualiser")
    for _ in range(100):
        if int(bar.get_attribute("value")):
            break
        again.click()
    done, total = int(bar.get_attribute("value")), int(bar.get_attribute("max"))
    assert 0 < done < total
    assert f"{done} éléments chiffrés à nouveau, sur {total}" in page.content()
    assert page.get_by_role("button", name="Renouveler les clés").count() == 0
    shoot(page, "renouvellement")
    go_on.set()
    for _ in range(400):
        if not bar.count():
            break
        again.click()
    assert bar.count() == 0
    assert page.get_by_role("button", name="Renouveler les clés").count() == 1
    page.goto("/coffre/journal")
    assert "Clé principale" in page.content()
    lock(page)
    page.goto("/ouvrir")
    page.get_by_role("button", name="Ouvrir avec une clé d'accès").click()
    page.wait_for_url(re.compile(r":\d+/$"))
    lock(page)
    token = served.home.unlock(number, passphrase=PHRASE, client="192.0.2.7")
    opened = served.home.session(token.cookie_value)
    assert {record.id for record in opened.all(Kind.ATTRIBUTE)} == before
    assert served.home.fsck(number, opened).clean


def test_a_vault_older_than_this_browser_saw_is_not_opened_without_saying_so(
    context: Any, home: str
) -> None:
    page = context.new_page()
    number = create_vault(page)
    lock(page)
    cookie = next(c for c in context.cookies() if c["name"] == "__Host-temoin")
    from vault.browser_witness import remembered, to_cookie

    seen = remembered(cookie["value"], number)
    assert seen is not None
    later = to_cookie(number, seq=seen.seq + 7, head=seen.digest)
    context.add_cookies([{**cookie, "value": later}])
    page.goto("/ouvrir")
    page.fill("#f-phrase", PHRASE)
    page.get_by_role("button", name="Ouvrir mon coffre").click()
    assert page.get_by_role("heading", name="Ce coffre est plus ancien").count() == 1
    shoot(page, "plus-ancien")
    page.fill("#f-phrase", PHRASE)
    page.check("#f-restaure")
    page.get_by_role("button", name="Ouvrir mon coffre").click()
    page.goto("/coffre/journal")
    assert "Retour à une sauvegarde" in page.content()


def test_the_pages_of_keys_pass_the_accessibility_checks(context: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = context.new_page()
    create_vault(page)
    for path in ("/coffre/cles", "/ouvrir", "/ouvrir?secours=parts", "/creer"):
        page.goto(path)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()


def test_without_script_everything_but_passkeys_works(home: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="fr-FR", base_url=home, java_script_enabled=False)
        page = context.new_page()
        create_vault(page)
        page.goto("/coffre/cles")
        assert page.get_by_role("button", name="Ajouter une clé d'accès").count() == 0
        page.get_by_role("button", name="Créer un nouveau code").click()
        assert len(page.locator(".code").first.inner_text()) == 69
        browser.close()
