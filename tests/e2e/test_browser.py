# ruff: noqa: E501 - a line of JavaScript stands whole
"""Chromium walks the pages: nothing blocked, no accessibility violation, nothing wider than the screen.

Screenshots go to `test-artifacts/` (not committed) for a person to look at.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.network import Network
from tests.e2e.test_pages import CITIZEN, PUBLIC

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (360, 1440)
SHOTS = Path(__file__).resolve().parents[2] / "test-artifacts"


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def look(page: object, name: str, width: int) -> list[str]:
    """Screenshot, accessibility and width of the page as it stands."""
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)  # type: ignore[attr-defined]
    wrong = [f"{name}: {v['id']}" for v in Axe().run(page).response["violations"]]  # type: ignore[arg-type]
    found = page.evaluate("document.documentElement.scrollWidth")  # type: ignore[attr-defined]
    if found > width:
        wrong.append(f"{name}: {found} px wide")
    small = page.evaluate(SMALL_TARGETS)  # type: ignore[attr-defined]
    return wrong + [f"{name}: small target {text}" for text in small]


SMALL_TARGETS = """() => [...document.querySelectorAll('button,nav a,a.btn,summary,select,input:not([type=hidden])')]
  .filter(e => e.offsetParent && !['checkbox','radio'].includes(e.type) && e.getBoundingClientRect().height < 43.5)
  .map(e => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_citizen_walks_every_page(
    federation: Network, chromium: object, width: int, scheme: str
) -> None:
    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale="fr-FR"
    )
    page = context.new_page()
    blocked: list[str] = []
    page.on("console", lambda m: blocked.append(m.text) if m.type == "error" else None)
    wrong: list[str] = []
    page.goto(federation.home + "/ouvrir")
    wrong += look(page, f"ouvrir-{scheme}", width)
    page.fill("#f-coffre", federation.memory["vault"])
    page.fill("#f-phrase", federation.memory["passphrase"])
    page.keyboard.press("Enter")
    page.wait_for_url(federation.home + "/")
    for path in CITIZEN:
        page.goto(federation.home + path)
        name = path.split("?")[0].strip("/").replace("/", "-") or "aujourdhui"
        wrong += look(page, f"{name}-{scheme}", width)
    page.goto(federation.home + "/trajets")
    day = page.eval_on_selector(".daybar a", "e => e.href")
    trip = page.eval_on_selector("a.row", "e => e.href")
    for name, address in (("jour", day), ("trajet", trip)):
        page.goto(address)
        wrong += look(page, f"{name}-{scheme}", width)
    page.goto(federation.home + "/partages")
    for link in page.eval_on_selector_all("a.row", "es => es.map(e => e.href)")[:3]:
        page.goto(link)
        wrong += look(page, f"partage-{scheme}", width)
    context.close()
    assert wrong == []
    assert blocked == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_public_and_the_officer_walk_the_hub(
    federation: Network, chromium: object, width: int
) -> None:
    from portal.compose import SANDBOX_OFFICER, desk_password_file

    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800}, locale="fr-FR"
    )
    page = context.new_page()
    wrong: list[str] = []
    for path in PUBLIC:
        page.goto(federation.hub + path)
        wrong += look(page, "hub-" + (path.strip("/").replace("/", "-") or "aides"), width)
    page.goto(federation.hub + "/verifier")
    page.set_input_files("#f-fichier", federation.settings.state / "attestation.pdf")
    page.click("main button")
    page.wait_for_selector(".alert.ok")
    wrong += look(page, "hub-verifie", width)
    page.goto(federation.hub + "/guichet")
    page.fill("#f-identifiant", SANDBOX_OFFICER)
    page.fill("#f-mot_de_passe", desk_password_file(federation.settings).read_text().strip())
    page.press("#f-mot_de_passe", "Enter")
    page.wait_for_selector("tbody a")
    wrong += look(page, "guichet", width)
    page.click("tbody a")
    page.wait_for_selector(".checks")
    wrong += look(page, "guichet-demande", width)
    context.close()
    assert wrong == []


def test_at_400_per_cent_nothing_overflows(federation: Network, chromium: object) -> None:
    # 1280 px wide at 400 % is 320 px (WCAG 1.4.10).
    page = chromium.new_page(viewport={"width": 320, "height": 256})  # type: ignore[attr-defined]
    for base, path in ((federation.home, "/"), (federation.home, "/creer"), (federation.hub, "/")):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    page.close()


def test_the_first_tab_stop_skips_to_the_content(federation: Network, chromium: object) -> None:
    page = chromium.new_page()  # type: ignore[attr-defined]
    page.goto(federation.home + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenu"
    page.close()
