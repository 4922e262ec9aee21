"""« Mes comptes ailleurs » as a citizen meets it: connect, see, keep a part, give back."""

import html
import re
from urllib.parse import urlsplit

import httpx

from portal.browser import Answer, Browser
from tests.e2e.network import Network

HERE = "/sources/comptes"
ALL = {
    "quoi": ["urn:cms:identity:read", "urn:cms:personal-information:read",
             "urn:cms:fr-dgfip-information:read", "voyageurs"]
}  # fmt: skip


def at_the_agency(url: str, answer: str = "Accepter") -> str:
    """The address of ours that the agency's page sends back to."""
    page = httpx.get(html.unescape(url), timeout=10)
    found = re.search(rf'href="([^"]+)">{answer}', page.text)
    assert found is not None
    there = html.unescape(url).partition("?")[0] + html.unescape(found[1])
    back = urlsplit(httpx.get(there, timeout=10).headers["location"])
    return f"{back.path}?{back.query}"


def left(federation: Network, citizen: Browser, **more: str) -> Answer:
    return citizen.submit(HERE, HERE, {"adresse": f"{federation.sandbox}/agence", **ALL, **more})


def connected(federation: Network, citizen: Browser, **more: str) -> Answer:
    url = left(federation, citizen, **more).find(r'href="(http[^"]+/agence/autoriser[^"]+)"')
    return citizen.get(at_the_agency(url))


def test_an_account_is_read_a_part_is_kept_and_the_access_given_back(federation: Network) -> None:
    citizen = federation.new_citizen()
    leave = left(federation, citizen, garder="1")
    assert "Il ne propose pas" in leave.text
    url = leave.find(r'href="(http[^"]+/agence/autoriser[^"]+)"')
    said = citizen.get(at_the_agency(url))
    text = html.unescape(said.text)
    assert "Rien n'est encore gardé" in text
    assert "dit par ce compte, sans preuve" in text
    assert "Abonnement scolaire" in text
    assert "Ce qui n'a pas été compris" in text  # the telephone number that is none
    assert "12 QUAI DU CANAL" not in html.unescape(citizen.get("/coffre/documents").text)

    boxes = re.findall(r'name="quoi" value="(urn:uuid:[^"]+)"', said.text)
    kept = citizen.submit(said, f"{HERE}/garder", {"quoi": boxes[:2]})
    assert "Gardé dans votre coffre : 2 enregistrements." in html.unescape(kept.text)
    account = kept.find(r'name="compte" value="(compte:[^"]+)"')
    again = citizen.get(f"{HERE}/lu?compte={account}")
    assert again.text.count("déjà dans votre coffre") == 2
    nothing = citizen.submit(again, f"{HERE}/garder", {"quoi": []})
    assert "Cochez ce que vous voulez garder" in html.unescape(nothing.text)
    stale = citizen.submit(again, f"{HERE}/garder", {"quoi": boxes[2:], "vu": "0" * 64})
    assert "relisez avant de garder" in html.unescape(stale.text)
    assert "Compte ailleurs" in html.unescape(citizen.get("/sources").text)

    gone = citizen.submit(HERE, f"{HERE}/deconnecter", {"compte": account, "retirer": "1"})
    assert "2 enregistrements retirés." in html.unescape(gone.text)
    assert "Comptes reliés" not in html.unescape(gone.text)
    journal = html.unescape(citizen.get("/coffre/journal").text)
    for act in ("Compte ailleurs relié", "valeurs gardées", "Accès à un compte ailleurs rendu"):
        assert act in journal


def test_a_refusal_a_wrong_address_and_an_empty_wish_are_said(federation: Network) -> None:
    citizen = federation.new_citizen()
    url = left(federation, citizen).find(r'href="(http[^"]+/agence/autoriser[^"]+)"')
    back = citizen.get(at_the_agency(url, "Refuser"))
    assert "Rien n'a été lu : vous avez refusé." in html.unescape(back.text)
    for adresse in ("ftp://x", "http://169.254.169.254/", f"{federation.sandbox}/nulle-part"):
        page = citizen.submit(HERE, HERE, {**ALL, "adresse": adresse}, expect=422)
        assert 'aria-invalid="true"' in page.text
    empty = {"adresse": f"{federation.sandbox}/agence", "quoi": []}
    page = citizen.submit(HERE, HERE, empty, expect=422)
    assert "Choisissez au moins une chose" in html.unescape(page.text)
    nothing = {
        "adresse": f"{federation.sandbox}/agence",
        "quoi": ["urn:cms:fr-dgfip-information:read"],
    }
    page = citizen.submit(HERE, HERE, nothing, expect=422)
    assert "rien de ce que vous avez coché" in html.unescape(page.text)


def test_an_answer_of_another_browser_is_not_taken(federation: Network) -> None:
    citizen, other = federation.new_citizen(), federation.new_citizen()
    url = left(federation, citizen).find(r'href="(http[^"]+/agence/autoriser[^"]+)"')
    back = other.get(at_the_agency(url))
    assert "n'appartient pas à une connexion en cours" in html.unescape(back.text)
    assert "Comptes reliés" not in html.unescape(other.get(HERE).text)


def test_without_leave_to_read_again_the_access_ends_by_itself(federation: Network) -> None:
    citizen = federation.new_citizen()
    connected(federation, citizen)
    page = citizen.get(HERE)
    assert "Lire maintenant" in page.text
    account = page.find(r'name="compte" value="(compte:[^"]+)"')
    gone = citizen.submit("/sources", "/sources/retirer", {"source": account})
    assert "Accès retiré" in gone.text
