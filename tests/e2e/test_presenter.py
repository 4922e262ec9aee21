"""A code on the hub's page, answered from a vault on another device: real servers."""

import json
import re
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from federation.hub.affiliations import CODES_HEADS
from federation.hub.csv_files import read_csv
from federation.openid4vp import (
    CredentialQuery,
    DcqlQuery,
    invitation_link,
    read_invitation,
)
from federation.wire.http import tls_context
from portal.browser import Browser
from tests.e2e.network import Network
from tests.e2e.test_affiliation import employer

pytestmark = pytest.mark.slow


def test_a_code_shown_by_the_hub_is_answered_from_the_vault_and_the_page_says_so(
    federation: Network,
) -> None:
    desk, slug = employer(federation, name="Filature de l'Orbiel", mail="a@orbiel.example")
    desk.submit(
        "/guichet/agents", "/guichet/agents", {"liste": "matricule\n0099", "statut": "salarie"}
    )
    codes = read_csv(desk.submit("/guichet/agents", "/guichet/agents/codes").content, CODES_HEADS)
    code = next(row["code"] for row in codes if row["matricule"] == "0099")

    visitor = Browser(federation.hub)
    ask = f"/aides/{slug}/autre-appareil"
    assert "Demander depuis mon téléphone" in visitor.get(f"/aides/{slug}").text
    year = datetime.now(UTC).year
    late = visitor.submit(
        ask, ask, {"du": f"{year + 1}-01-01", "au": f"{year + 1}-02-01"}, expect=422
    )
    assert "Cette période ne convient pas" in late.text
    days = {"du": f"{year}-01-01", "au": datetime.now(UTC).date().isoformat()}
    shown = visitor.submit(ask, ask, days)
    here = urlsplit(shown.address).path
    assert "data:image/svg+xml;base64," in shown.text
    link = shown.find(r"<code>(.*?)</code>")
    assert link.startswith(f"{federation.home}/presenter?")
    assert parse_qs(urlsplit(link).query)["request_uri_method"] == ["post"]
    other = visitor.get(f"{here}?chez=autre")
    assert other.find(r"<code>(.*?)</code>").startswith("openid4vp://?client_id=")

    def state() -> str:
        answer = httpx.get(f"{federation.hub}{here}/etat", verify=tls_context())
        return str(answer.json()["state"])

    assert state() == "waiting"
    path = link.removeprefix(federation.home)
    citizen = federation.citizen()
    assert "Lire la demande" in citizen.get(path).text  # takes in the registry's newest member
    stranger = Browser(federation.home).get(path)
    assert "Filature de l'Orbiel" in stranger.text.replace("&#39;", "'")
    assert "Ouvrez votre coffre" in stranger.text
    back = stranger.find(r'href="(/ouvrir\?retour=[^"]+)"')
    assert parse_qs(urlsplit(back).query)["retour"] == [
        invitation_link("/presenter", read_invitation(link))
    ]

    lacking = citizen.submit(path, "/presenter")
    assert urlsplit(lacking.address).path == "/documents/recevoir"
    citizen.submit(
        lacking, "/documents/recevoir", {"aide": slug, "matricule": "0099", "code": code}
    )
    second = visitor.submit(ask, ask, days)
    told = citizen.submit(
        second.find(r"<code>(.*?)</code>").removeprefix(federation.home), "/presenter"
    )
    no = citizen.submit(told, "/presenter/refuser")
    assert "Rien n'a été envoyé" in no.text.replace("&#39;", "'")
    there = urlsplit(second.address).path
    until = time.monotonic() + 15
    while "choisi de ne rien envoyer" not in visitor.get(there).text:
        assert time.monotonic() < until
        time.sleep(0.2)
    over = citizen.submit(told, "/presenter/refuser")
    assert "Cette demande est close" in over.text

    consent = citizen.submit(path, "/presenter")
    assert "Ce qui part" in consent.text and "Ce qui reste" in consent.text
    assert state() == "waiting"
    sent = citizen.submit(consent, "/partager", {"accord": "1"})
    assert urlsplit(sent.address).path.startswith("/demandes/")
    assert re.search(r"Acceptée|acceptée", sent.text)
    assert state() == "answered"
    assert "Réponse reçue" in visitor.get(here).text

    again = citizen.submit(path, "/presenter")
    assert "déjà une demande en cours" in again.text or "Ce qui part" in again.text


UNSIGNED = urlencode(
    {
        "client_id": "redirect_uri:https://a.example/r",
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "nonce": "n-0123456789abcdef",
        "dcql_query": json.dumps(DcqlQuery((CredentialQuery("u", "UsageProof"),)).to_json()),
    }
)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("lien=bonjour", "Ce lien n'est pas une demande"),
        ("client_id=x&request_uri=https://a.example/r", "ne sait pas vérifier"),
        ("client_id=x509_san_dns:a&request_uri=file:///etc/passwd", "pas acceptable"),
        (UNSIGNED, "a.example : Cette demande n'est pas signée"),
    ],
)
def test_a_link_that_gets_no_answer_says_why(federation: Network, query: str, said: str) -> None:
    page = Browser(federation.home).get(f"/presenter?{query}", expect=422)
    assert said in page.text.replace("&#39;", "'")


def test_a_stranger_is_named_and_gets_no_answer(federation: Network) -> None:
    citizen = federation.citizen()
    path = "/presenter?client_id=x509_san_dns:localhost&request_uri=http://localhost:9/demande"
    shown = citizen.get(path)
    assert "pas au registre de confiance" in shown.text
    told = citizen.submit(shown, "/presenter", expect=422)
    assert "ne répond pas" in told.text
