"""« Mon identité certifiée » over HTTP: to the fictitious provider and back; what is refused."""

import html
import re

import httpx

from connectors.sandbox.story import PERSON
from portal.browser import Answer, Browser
from tests.e2e.network import Network

CARD = "/coffre/documents"


def leave(browser: Browser) -> str:
    """Press the card's button; the address the provider's own page sends the person back to."""
    page = browser.get(CARD)
    assert "Identité de démonstration" in page.text
    left = browser.get(page.find(r'href="(/identite/connexion)"'), expect=303)
    login = httpx.get(left.location, timeout=30).raise_for_status()
    link = re.search(r'<a href="([^"]+)"', login.text)
    assert link is not None
    return html.unescape(link[1])


def refused(answer: Answer, why: str) -> None:
    assert answer.address.endswith(CARD)
    assert "Votre identité n'est pas arrivée" in html.unescape(answer.text)
    assert why in html.unescape(answer.text)
    assert PERSON.family_name not in answer.text


def test_the_button_leads_to_the_provider_and_back_with_the_identity(
    federation: Network,
) -> None:
    browser = federation.new_citizen()
    assert PERSON.family_name not in browser.get(CARD).text
    back = leave(browser)
    assert back.startswith(federation.home + "/identite/retour?")
    page = browser.get(back)
    assert page.address == federation.home + CARD
    assert "Votre identité est arrivée, relayée (niveau faible)." in html.unescape(page.text)
    card = html.unescape(page.find(r"Mon identité certifiée</h2>(.*?)</section>"))
    assert f"{PERSON.given_name} {PERSON.family_name}" in card
    assert "relayé" in card
    assert "faible" in card
    assert re.search(r"Lue le</dt><dd>[^<]*\d{4}", card)
    assert PERSON.family_name in browser.get("/attestation").find(
        r'name="nom"[^>]* value="([^"]+)"'
    )
    refused_again = browser.get(back)
    assert "ce retour n'appartient pas" in html.unescape(refused_again.text)
    browser.language = "en"
    assert "My certified identity" in browser.get(CARD).text


def test_a_refused_login_and_a_wrong_state_say_so_and_bring_nothing(federation: Network) -> None:
    browser = federation.new_citizen()
    back = leave(browser)
    state = httpx.URL(back).params["state"]
    wrong = browser.get(back.replace(state, "x" * len(state)))
    refused(wrong, "ce retour n'appartient pas")
    cancelled = browser.get(f"/identite/retour?state={state}&error=access_denied")
    refused(cancelled, "la connexion a été refusée")


def test_the_return_counts_only_in_the_browser_that_left(federation: Network) -> None:
    one, other = federation.new_citizen(), federation.new_citizen()
    back = leave(one)
    refused(other.get(back), "ce retour n'appartient pas")
    assert "/ouvrir" in Browser(federation.home).get(back).address
    assert PERSON.family_name in one.get(back).text


def test_another_site_does_not_begin_a_login(federation: Network) -> None:
    browser = federation.new_citizen()
    cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    answer = httpx.get(
        f"{federation.home}/identite/connexion",
        headers={"cookie": cookies, "sec-fetch-site": "cross-site"},
        timeout=30,
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == CARD
