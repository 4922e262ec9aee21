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


KEYS, LINK, SEEK = "/coffre/cles", "/coffre/cles/compte", "/ouvrir/compte"


def through(browser: Browser, way: str) -> str:
    """Follow a link of ours to the provider; the address its page sends the person back to."""
    left = browser.get(way, expect=303)
    login = httpx.get(left.location, timeout=30).raise_for_status()
    link = re.search(r'<a href="([^"]+)"', login.text)
    assert link is not None
    return html.unescape(link[1])


def test_a_linked_account_finds_the_vault_on_a_new_device_and_never_opens_it(
    federation: Network,
) -> None:
    owner = federation.new_citizen()
    number = owner.cookies["__Host-numero"]
    page = owner.get(KEYS)
    assert f'href="{LINK}"' in page.text
    linked = owner.get(through(owner, LINK))
    assert linked.address.startswith(federation.home + KEYS)
    assert "Compte relié" in html.unescape(linked.text)

    device = Browser(federation.home)
    assert f'href="{SEEK}"' in device.get("/ouvrir").text
    back = through(device, SEEK)
    stranger = Browser(federation.home).get(back)
    assert "ce retour n'appartient pas" in html.unescape(stranger.text)
    assert number not in stranger.text
    found = device.get(back)
    assert f'value="{number}"' in found.text
    assert "Votre compte a retrouvé ce coffre" in html.unescape(found.text)
    assert "__Host-coffre" not in device.cookies
    assert device.get("/trajets").address.startswith(federation.home + "/ouvrir")
    again = device.get(back)
    assert "ce retour n'appartient pas" in html.unescape(again.text)

    gone = owner.submit(KEYS, "/coffre/cles/compte/delier")
    assert 'name="lien"' not in gone.text
    nowhere = device.get(through(device, SEEK))
    assert "ne mène à aucun coffre d'ici" in html.unescape(nowhere.text)
    assert number not in nowhere.text
    events = owner.get("/coffre/journal").text
    assert "reliée" in events
    assert "déliée" in events


def test_a_login_serves_the_purpose_it_was_begun_for(federation: Network) -> None:
    browser = federation.new_citizen()
    to_link = through(browser, LINK)
    refused(browser.get(to_link.replace(LINK + "/retour", "/identite/retour")), "ce retour")
    identity = through(browser, "/identite/connexion")
    other = browser.get(identity.replace("/identite/retour", LINK + "/retour"))
    assert "Rien n'a changé : ce retour" in html.unescape(other.text)
    assert 'name="lien"' not in browser.get(KEYS).text


def test_another_site_neither_links_nor_looks_for_a_vault(federation: Network) -> None:
    browser = federation.new_citizen()
    cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    for way, to in ((LINK, KEYS), (SEEK, "/ouvrir")):
        answer = httpx.get(
            f"{federation.home}{way}",
            headers={"cookie": cookies, "sec-fetch-site": "cross-site"},
            timeout=30,
        )
        assert (answer.status_code, answer.headers["location"]) == (303, to)
