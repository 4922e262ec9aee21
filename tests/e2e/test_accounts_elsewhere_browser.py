"""« Mes comptes ailleurs » in Chromium: every page at two widths and under axe."""

from typing import Any

import pytest

from tests.e2e.network import Network
from tests.e2e.test_passkeys import shoot
from tests.e2e.test_passport_browser import PHRASE, page

__all__ = ["page"]

pytestmark = pytest.mark.browser


def test_somebody_reads_an_account_they_hold_elsewhere(federation: Network, page: Any) -> None:
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
    page.goto(f"{federation.home}/sources/comptes")
    look("comptes-ailleurs-vide")
    page.check("[name=garder]")
    page.click('form[action="/sources/comptes"] button:not([name])')
    look("comptes-ailleurs-partir")
    page.click("text=Aller au service")
    page.click("text=Accepter")
    page.wait_for_url(f"{federation.home}/sources/comptes/lu?*")
    assert "Abonnement scolaire" in page.inner_text("main")
    look("comptes-ailleurs-lu")
    page.click("text=Garder ce qui est coché")
    page.wait_for_url(f"{federation.home}/sources/comptes*")
    assert "Gardé dans votre coffre" in page.inner_text("body")
    look("comptes-ailleurs-relie")
    page.click("text=Lire maintenant")
    assert "déjà dans votre coffre" in page.inner_text("main")
    look("comptes-ailleurs-relu")
