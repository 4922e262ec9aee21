"""Chromium walks the one form: the questions without an account, the vehicle, the form, what each
funder would read, the right to drive, and a desk's two new templates, on a phone and a screen.
"""

from typing import Any

import pytest

from portal.browser import Browser
from portal.pages.deps import VAULT_COOKIE
from tests.e2e.network import Network
from tests.e2e.test_browser import WIDTHS, chromium, look
from tests.e2e.test_one_form import (
    CONVERSION,
    DEROGATION,
    PASSWORD,
    REGIONAL,
    driver,
    metro,
    region,
    vehicle_of,
)

pytestmark = pytest.mark.browser
__all__ = ["chromium", "driver", "metro", "region"]


def fill(page: Any) -> None:
    """Answer what the vault does not know, choose files, tick the statements."""
    for field in page.query_selector_all("input[name=reponse]"):
        if not field.input_value():
            field.fill("20000")
    for choice in page.query_selector_all("select[name=reponse], select[name=piece]"):
        if not choice.input_value():
            choice.select_option(index=1)
    for tick in page.query_selector_all("input[name=honneur]"):
        tick.check()


def granted(page: Any, metro: Browser) -> list[str]:
    """Send everything, have the derogation granted, look at what it left."""
    wrong = []
    for tick in page.query_selector_all("input[name=accord]"):
        tick.check()
    page.click("text=Envoyer mes demandes")
    page.wait_for_url("**/guichet-unique/suivi*", timeout=60_000)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wrong += look(page, "guichet-unique-suivi", width)
    links = page.eval_on_selector_all("a.row", "es => es.map(e => [e.innerText, e.href])")
    address = next(href for text, href in links if "Dérogation" in text)
    name = address.rsplit("/", 1)[-1]
    metro.submit(
        f"/guichet/demandes/{name}", "/guichet/decider",
        {"demande": name, "decision": "accept", "motif": "Petit rouleur."},
    )  # fmt: skip
    page.goto(address)
    page.click("text=Mon droit de circuler")
    page.wait_for_selector("img.qr")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wrong += look(page, "droit-de-circuler", width)
    return wrong


@pytest.mark.parametrize("width", WIDTHS)
def test_the_whole_form_is_walked(
    federation: Network, driver: Browser, metro: Browser, chromium: object, width: int
) -> None:
    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800}, locale="fr-FR"
    )
    page = context.new_page()
    blocked: list[str] = []
    page.on("console", lambda m: blocked.append(m.text) if m.type == "error" else None)
    wrong: list[str] = []

    # Without an account: one question at a time.
    page.goto(federation.home + "/vehicule")
    wrong += look(page, "vehicule-1", width)
    page.check("#f-genre-car")
    page.click("main button")
    page.check("#f-energie-diesel")
    wrong += look(page, "vehicule-2", width)
    page.click("main button")
    page.click("main button")
    page.wait_for_selector(".error")
    wrong += look(page, "vehicule-3", width)
    page.fill("#f-depuis", "1999-05-04")
    page.click("main button")
    page.fill("#f-q", "31000")
    page.click("main button")
    wrong += look(page, "vehicule-4", width)
    page.click("main li button")
    page.wait_for_selector(".alert.warn")
    wrong += look(page, "vehicule-resultat", width)

    # With the vault.
    context.add_cookies(
        [
            {
                "name": VAULT_COOKIE,
                "value": driver.cookies[VAULT_COOKIE],
                "url": federation.home.replace("http:", "https:"),
                "secure": True,
            }
        ]
    )
    page.goto(f"{federation.home}/guichet-unique")
    wrong += look(page, "guichet-unique-choix", width)
    vehicle = vehicle_of(driver)
    page.goto(f"{federation.home}/coffre/vehicules/{vehicle}")
    wrong += look(page, "vehicule-coffre", width)
    if page.query_selector("#f-depuis"):
        page.fill("#f-depuis", "1999-05-04")
        page.click("main button")
        page.wait_for_selector(".alert.warn")
        wrong += look(page, "vehicule-coffre-zone", width)
    for slug in (CONVERSION, REGIONAL, DEROGATION):
        page.check(f"input[value={slug}]")
    page.click("text=Remplir le formulaire")
    wrong += look(page, "guichet-unique", width)
    fill(page)
    page.click("text=Voir ce qui partirait")
    page.wait_for_selector("input[name=accord]")
    wrong += look(page, "guichet-unique-accord", width)
    if width == WIDTHS[-1]:
        wrong += granted(page, metro)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(federation.home + "/coffre/circuler")
    wrong += look(page, "circuler", width)
    context.close()
    assert wrong == []
    assert [text for text in blocked if "422" not in text] == [], "a form that was wrong"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_desk_writes_both_templates(
    federation: Network, metro: Browser, chromium: object, width: int
) -> None:
    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800}, locale="fr-FR"
    )
    page = context.new_page()
    page.goto(federation.hub + "/guichet")
    page.fill("#f-identifiant", "air@metropole.example")
    page.fill("#f-mot_de_passe", PASSWORD)
    page.press("#f-mot_de_passe", "Enter")
    page.wait_for_selector("h1")
    wrong = []
    for template in ("conversion", "derogation"):
        page.goto(f"{federation.hub}/guichet/aides/nouvelle?modele={template}")
        wrong += look(page, f"guichet-modele-{template}", width)
    context.close()
    assert wrong == []
