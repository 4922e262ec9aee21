"""« Mon compte chez un opérateur » over real servers: connect, see, keep, be told, let go."""

import html
import re
import time
from urllib.parse import urlsplit

import httpx

from portal.browser import Answer, Browser
from tests.e2e.network import Network

HERE = "/sources/compte-operateur"


def at_the_operator(url: str, answer: str) -> str:
    """The address of ours that the operator's page sends back to."""
    page = httpx.get(html.unescape(url), timeout=10)
    found = re.search(rf'href="([^"]+)">{answer}', page.text)
    assert found is not None
    back = urlsplit(html.unescape(found[1]))
    return f"{back.path}?{back.query}"


def leave(federation: Network, citizen: Browser, **ticked: str) -> str:
    values = {"adresse": f"{federation.sandbox}/compte-mobilite", **ticked}
    return citizen.submit(HERE, HERE, values).find(r'href="(http[^"]+/oauth/authorize[^"]+)"')


ALL = {"trips": "1", "passes": "1", "receipts": "1"}


def previewed(federation: Network, citizen: Browser) -> Answer:
    return citizen.get(at_the_operator(leave(federation, citizen, **ALL), "Accepter"))


def test_an_account_is_seen_before_it_is_kept_told_of_news_and_let_go(
    federation: Network,
) -> None:
    citizen = federation.new_citizen()
    preview = previewed(federation, citizen)
    assert "Rien n'est encore gardé" in html.unescape(preview.text)
    assert "Abonnement mensuel" in preview.text
    assert "24,50" in preview.text
    assert "pas encore gardé" in citizen.get(HERE).text
    assert "nouveaux trajets" not in citizen.submit("/sources", "/releve").text
    kept = citizen.submit(preview, f"{HERE}/garder")
    assert "nouveaux trajets" in kept.text
    assert "Abonnement mensuel" in citizen.get("/coffre/documents").text
    assert "prévient votre coffre quand" in citizen.get(HERE).text
    # A ride at the operator: its signed word has the home ask by itself, the vault being locked
    # or not.
    told = httpx.post(f"{federation.sandbox}/compte-mobilite/_change?what=ride", timeout=30)
    assert 202 in told.json()["told"]
    until = time.monotonic() + 60
    while "1 nouveau trajet" not in citizen.submit("/sources", "/releve").text:
        assert time.monotonic() < until, "the word brought no run"
        time.sleep(0.5)
    assert "dernière nouvelle" in citizen.get(HERE).text
    account = citizen.get("/sources").find(r'name="source" value="(operator-account:[^"]+)"')
    report = citizen.get(f"/sources/compte?source={account}")
    assert "Prochain passage" in report.text
    gone = citizen.submit("/sources", "/sources/retirer", {"source": account})
    assert "Accès retiré" in gone.text
    assert "operator-account:" not in citizen.get("/sources").text
    assert "Abonnement mensuel" in citizen.get("/coffre/documents").text, "what was kept stays"


def test_nothing_is_kept_when_the_person_says_so(federation: Network) -> None:
    citizen = federation.new_citizen()
    preview = previewed(federation, citizen)
    gone = citizen.submit(preview, "/sources/retirer")
    assert "Accès retiré" in gone.text
    assert "Abonnement mensuel" not in citizen.get("/coffre/documents").text


def test_refusals_wrong_addresses_and_no_choice_are_said(federation: Network) -> None:
    citizen = federation.new_citizen()
    refused = citizen.get(at_the_operator(leave(federation, citizen, **ALL), "Refuser"))
    assert "accès n'a pas été donné" in html.unescape(refused.text)
    for values, said in (
        ({"adresse": "ftp://x", **ALL}, "pas celle d'un serveur"),
        ({"adresse": "http://localhost:9", **ALL}, "ne répond pas"),
        ({"adresse": f"{federation.sandbox}/nuage", **ALL}, "autre chose que ce qu'elle promet"),
        ({"adresse": f"{federation.sandbox}/compte-mobilite"}, "Choisissez au moins une chose"),
    ):
        answer = citizen.submit(HERE, HERE, {"trips": "", "passes": "", "receipts": "", **values},
                                expect=422)  # fmt: skip
        assert said in html.unescape(answer.text), values


def test_a_word_that_is_not_signed_or_for_nobody_is_refused(federation: Network) -> None:
    address = f"{federation.home}/v1/news/{'x' * 32}"
    answer = httpx.post(address, json={"id": "n", "resources": ["trips"]}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (410, "news-gone")
