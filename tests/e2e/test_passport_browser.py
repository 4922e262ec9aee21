"""The passport in Chromium, with a service of the sandbox: who asks, what leaves, what stays, the
end; every page at two widths and under axe."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.network import Network
from tests.e2e.test_passkeys import CHROMIUM, shoot

pytestmark = pytest.mark.browser
PHRASE = "une phrase secrète de test"


@pytest.fixture
def page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(locale="fr-FR")
        browser.close()


def test_somebody_opens_an_account_reads_again_and_ends_it(federation: Network, page: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    def look(name: str) -> None:
        shoot(page, name)
        found = Axe().run(page).response["violations"]
        assert found == [], f"{name}: {[one['id'] for one in found]}"

    page.goto(f"{federation.home}/creer")
    page.fill("[name=phrase]", PHRASE)
    page.fill("[name=encore]", PHRASE)
    page.check("[name=compris]")
    page.click('form[action="/creer"] button:not([name])')
    page.goto(f"{federation.home}/identite/connexion")
    page.click("a")
    page.wait_for_url(f"{federation.home}/coffre/documents")
    page.goto(f"{federation.home}/partages/services")
    look("passeport-aucun-service")

    page.goto(f"{federation.sandbox}/service/aller?pour=compte")
    page.wait_for_url(f"{federation.home}/passeport/demande")
    assert "féminin" in page.inner_text("main")
    look("passeport-demande")
    page.check('[value="offline_access"]')
    page.click('button[value="oui"]')
    page.wait_for_url(f"{federation.sandbox}/service")
    assert "Compte ouvert" in page.inner_text("main")

    page.goto(f"{federation.home}/partages/services")
    look("passeport-services")
    page.click("text=Voir le reçu")
    assert "Nom de naissance" in page.inner_text("main")
    look("passeport-recu")
    page.goto(f"{federation.sandbox}/service")
    page.click('form[action$="/relire"] button')
    page.click('form[action$="/quitter"] button')
    page.wait_for_url(f"{federation.home}/passeport/fin?*")
    look("passeport-sortie")
    page.click('button[value="fermer"]')
    page.wait_for_url(f"{federation.sandbox}/service/sorti")
    page.goto(f"{federation.sandbox}/service/aller?pour=connexion")
    page.wait_for_url(f"{federation.home}/passeport/demande")
    assert "Rien n'a encore été lu" in page.inner_text("main")
    look("passeport-coffre-ferme")
