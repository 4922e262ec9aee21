"""Reserved aids on the pages: the desk decides, hands a link over, and a vault opens it."""

import html
import re

import httpx

from federation.hub.access import Caller
from portal.browser import Browser
from portal.compose import SANDBOX_FUNDER, hub_parts
from tests.e2e.network import Network
from tests.e2e.test_entitled import words

SLUG = f"abonnement-agents-publics-{SANDBOX_FUNDER}"
DESK = "/guichet/aides/reservees"
PAGE = "/aides/reservees"


def editor(federation: Network) -> Browser:
    """Somebody who publishes the funder's aids, signed in."""
    login, secret = "redaction@cabardes.example", "un mot de passe bien long"
    with hub_parts(federation.settings) as parts:
        parts.hub.members.add(
            login, secret, name="R.", roles=frozenset((Caller.EDITOR,)), funder=SANDBOX_FUNDER
        )
    browser = Browser(federation.hub)
    values = {"identifiant": login, "mot_de_passe": secret}
    browser.submit("/guichet/entrer", "/guichet/entrer", values)
    return browser


def test_an_aid_for_the_staff_leaves_the_open_catalogue_and_opens_with_the_link(
    federation: Network,
) -> None:
    officer, citizen = editor(federation), federation.new_citizen()
    anyone = Browser(federation.hub)
    assert anyone.get(f"/aides/{SLUG}")
    empty = words(citizen.get(PAGE))
    assert "Aucun lien gardé" in empty
    try:
        shown = officer.submit(DESK, DESK, {"aide": SLUG, "visible": "affiliated"})
        assert "n'est plus au catalogue ouvert" in words(shown)
        handed = re.search(r'value="([^"]+/reserve#[^"]+)"', shown.text)
        assert handed is not None
        link = html.unescape(handed[1])
        anyone.get(f"/aides/{SLUG}", expect=404)
        anyone.get(f"/aides/{SLUG}/autre-appareil", expect=404)
        ours = officer.get("/guichet/aides")
        assert f'href="/aides/{SLUG}"' not in ours.text, "no way to a page that is not there"
        assert f'href="{DESK}#aide-{SLUG}"' in ours.text
        assert f'id="aide-{SLUG}"' in officer.get(DESK).text
        assert "réservée : Le personnel affilié" in words(ours)
        for path in ("/v1/aids?q=abonnement", "/v1/open-data/aides.csv", "/widget", "/"):
            assert SLUG not in httpx.get(federation.hub + path, timeout=20).text, path
        wrong = citizen.submit(PAGE, PAGE, {"lien": "https://ailleurs.example/#rien"}, expect=422)
        assert "Ce n'est pas un lien d'aides réservées" in words(wrong)
        page = citizen.submit(wrong, PAGE, {"lien": link})
        assert f"/aides/{SLUG}" in page.text
        assert citizen.get(f"/aides/{SLUG}").text.count("<h1") == 1
        landing = anyone.get("/reserve")
        assert "votre navigateur ne l'a envoyée à personne" in words(landing)
        renewed = officer.submit(officer.get(DESK), f"{DESK}/lien", {"visible": "affiliated"})
        assert link not in html.unescape(renewed.text)
        after = citizen.submit(citizen.get(PAGE), f"{PAGE}/oublier")
        assert "Aucun lien gardé" in words(after)
    finally:
        officer.submit(DESK, DESK, {"aide": SLUG, "visible": "public"})
    assert anyone.get(f"/aides/{SLUG}")
