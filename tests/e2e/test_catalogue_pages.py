"""The public catalogue as people read it: search, commune, history, reports, and the widget."""

import base64
import json
import re

import httpx
import pytest

from federation.hub.access import Caller
from portal.browser import Answer, Browser
from portal.compose import hub_parts
from tests.e2e.network import Network

SLUG = "fmd-agents-publics-agglo-cabardes"


def words(page: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


@pytest.fixture
def reader(federation: Network) -> Browser:
    return Browser(federation.hub)


def titles(page: Answer) -> list[str]:
    return re.findall(r'<h2><a href="/aides/([^"]+)"', page.text)


def test_words_and_a_place_find_aids_and_the_page_says_why(reader: Browser) -> None:
    page = reader.get("/?q=vae&lieu=31000")
    assert {"velo-toulouse", "velo-occitanie"} <= set(titles(page))
    said = words(page)
    assert "vos mots sont dans" in said
    assert "territoire : Intercommunalité" in said
    assert "Pourquoi cet ordre ?" in said


def test_a_postcode_of_several_communes_lets_the_person_choose(reader: Browser) -> None:
    page = reader.get("/?lieu=11600")
    assert "Quelle commune ?" in words(page)
    address = page.find(r'href="(/\?commune=[^"]+)"')
    assert "Partout" in words(reader.get(address))


def test_filters_keep_the_words_and_count(reader: Browser) -> None:
    page = reader.get("/?q=permis&profil=apprenti")
    found = titles(page)
    assert "permis-apprenti" in found
    assert re.search(r'<option value="apprenti" selected>[^<]*\(\d+\)', page.text)
    assert set(found) <= set(titles(reader.get("/?q=permis")))


def test_words_that_no_aid_has_together_are_said_so(reader: Browser) -> None:
    assert "presque tous" in words(reader.get("/?q=permis+apprenti+zanzibar"))
    assert "Commune inconnue" in words(reader.get("/?lieu=Zanzibar"))
    assert "Aucune aide trouvée" in words(reader.get("/?q=zanzibar"))


def test_every_commune_has_its_page_under_one_address(reader: Browser) -> None:
    page = reader.get("/communes/31555")  # the older address
    assert page.address == f"{reader.base}/territoires/commune/31555"
    assert "Mon territoire : Toulouse" in words(page)
    reader.get("/communes/99999", expect=404)


def test_an_aid_shows_its_history_and_its_linked_data(reader: Browser, federation: Network) -> None:
    page = reader.get(f"/aides/{SLUG}")
    assert "dernier changement" in words(page)
    assert "première publication" in words(reader.get(f"/aides/{SLUG}/historique"))
    node = httpx.get(f"{federation.hub}/v1/aids/{SLUG}/linked").json()
    assert node["type"] == ["FinancialIncentive", "PublicService"]
    reader.get("/aides/inconnue/historique", expect=404)


def test_a_report_gets_its_answer_under_its_link(reader: Browser, federation: Network) -> None:
    refused = reader.submit(
        f"/aides/{SLUG}/signaler", f"/aides/{SLUG}/signaler", {"objet": "amount"}, expect=422
    )
    assert "Écrivez entre 10 et 2 000 caractères" in words(refused)
    values = {"objet": "amount", "texte": "Le deuxième palier n'est pas à jour."}
    taken = reader.submit(f"/aides/{SLUG}/signaler", f"/aides/{SLUG}/signaler", values)
    assert "en attente de lecture" in words(taken)
    link = taken.address.removeprefix(federation.hub)
    with hub_parts(federation.settings) as parts:
        parts.hub.members.add(
            "relecture@exemple.fr", "un mot de passe bien long",
            roles=frozenset((Caller.ADMIN,)),
        )  # fmt: skip
    desk = Browser(federation.hub)
    shown = desk.submit(
        "/guichet/entrer",
        "/guichet/entrer",
        {"identifiant": "relecture@exemple.fr", "mot_de_passe": "un mot de passe bien long"},
    )
    assert shown.address.endswith("/guichet/signalements")
    assert "deuxième palier" in words(shown)
    done = desk.submit(
        shown,
        "/guichet/signalements",
        {"suite": "accepted", "reponse": "Merci, le palier est corrigé."},
    )
    assert "Réponse publiée" in words(done)
    answered = words(reader.get(link))
    assert "Merci, le palier est corrigé." in answered
    assert "corrigé" in answered
    reader.get("/signalements/" + "x" * 43, expect=404)


def test_a_proposal_is_taken_without_a_name(reader: Browser) -> None:
    values = {"texte": "Ma ville aide à réparer les vélos.", "lien": "https://exemple.fr/aide"}
    assert "Une aide manque au catalogue" in words(reader.submit("/proposer", "/proposer", values))


def test_the_widget_alone_may_stand_in_a_page_of_others(federation: Network) -> None:
    widget = httpx.get(f"{federation.hub}/widget?commune=31555&mode=velo")
    assert "frame-ancestors *" in widget.headers["content-security-policy"]
    assert "set-cookie" not in widget.headers
    assert "<script" not in widget.text
    assert "<form" not in widget.text
    assert f"{federation.hub}/aides/velo-toulouse" in widget.text
    other = httpx.get(f"{federation.hub}/territoires/commune/31555", timeout=20)
    assert other.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in other.headers["content-security-policy"]


def test_the_open_data_page_leads_to_files_that_are_there(
    reader: Browser, federation: Network
) -> None:
    page = reader.get("/donnees-ouvertes")
    links = re.findall(r'href="(/v1/[^"]+)"', page.text)
    assert len(links) >= 5
    for link in links:
        assert httpx.get(federation.hub + link).status_code == 200, link


def test_a_commune_has_a_feed_of_its_new_aids_that_is_not_sent_twice(reader: Browser) -> None:
    link = reader.get("/territoires/commune/31555").find(
        r'href="(/communes/31555/nouvelles\.atom)"'
    )
    first = httpx.get(reader.base + link, timeout=20)
    assert first.headers["content-type"].startswith("application/atom+xml")
    assert "/aides/velo-toulouse" in first.text
    assert "/aides/velo-bordeaux" not in first.text
    known = {"If-None-Match": first.headers["etag"]}
    again = httpx.get(reader.base + link, headers=known, timeout=20)
    assert again.status_code == 304
    reader.get("/communes/99999/nouvelles.atom", expect=404)


def test_a_fresh_hub_has_hundreds_of_real_aids_each_with_source_licence_and_date(
    reader: Browser, federation: Network
) -> None:
    """What the demo publishes comes from the packages alone, without any file of others."""
    signed = httpx.get(f"{federation.hub}/v1/catalogue").raise_for_status().text
    body = signed.split(".")[1]
    aids = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["aids"]
    real = [aid for aid in aids if "did:web:localhost" not in str(aid["source"])]
    assert len({aid["id"] for aid in real}) >= 340
    assert all(aid["source"] and aid["sourceLicence"] for aid in real)
    never = next(aid for aid in real if aid.get("lastVerified") is None)
    assert "jamais depuis l'import" in words(reader.get(f"/aides/{never['slug']}"))
