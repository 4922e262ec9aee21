"""A home habilitated at a federation: registered by its key, in by its secret, and out again."""

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi.testclient import TestClient
from pydantic import SecretStr

from connectors.sandbox.story import PERSON
from portal.app import create_home_app
from portal.settings import Settings
from tests.e2e.network import Network

PHRASE = "une phrase secrète de test"


def home_of(federation: Network, folder: Path, client_id: str, secret: str) -> TestClient:
    told = federation.settings
    settings = Settings(
        state=folder,
        home_port=told.sandbox_port + 1,
        hub_port=told.hub_port,
        sandbox_port=told.sandbox_port,
        identity_issuer=f"{federation.sandbox}/identite-federee",
        identity_name="Fédération d'essai",
        identity_client_id=client_id,
        identity_client_secret=SecretStr(secret),
        entitlements_url=f"{federation.sandbox}/identite-federee",
        entitlements_siret="20099999900036",
    )
    return TestClient(create_home_app(settings), base_url=f"https://localhost:{settings.home_port}")


def registered(federation: Network, folder: Path) -> tuple[str, str]:
    """As an operator does: publish the home's key, name its addresses, be given id and secret."""
    with home_of(federation, folder, "pas encore", "pas encore") as home:
        jwks: Any = home.get("/identite/cles.json").json()
        own = str(home.base_url).replace("https://", "http://").rstrip("/")
    assert [key["use"] for key in jwks["keys"]] == ["enc"]
    assert "d" not in jwks["keys"][0]
    asked = {
        "redirect_uris": [f"{own}/identite/retour"],
        "post_logout_redirect_uris": [f"{own}/identite/deconnecte"],
        "jwks": jwks,
    }
    answer = httpx.post(f"{federation.sandbox}/identite-federee/clients", json=asked, timeout=30)
    given = answer.raise_for_status().json()
    return given["client_id"], given["client_secret"]


def posted(home: TestClient, path: str, **values: str) -> httpx.Response:
    found = re.search(r'name="jeton" value="([^"]+)"', home.get(path).text)
    assert found is not None, path
    return home.post(path, data={"jeton": found[1], **values})


def test_a_habilitated_home_relays_an_identity_and_leaves_no_login_behind(
    federation: Network, tmp_path: Path
) -> None:
    with home_of(federation, tmp_path, *registered(federation, tmp_path)) as home:
        posted(home, "/creer", phrase=PHRASE, encore=PHRASE, nom="", compris="1")
        card = home.get("/coffre/documents").text
        assert "Se connecter avec Fédération d'essai" in html.unescape(card)
        assert "Bac à sable" not in html.unescape(card)
        assert '/identite/connexion?avec=quotient"' in card
        wish = "/identite/connexion?avec=quotient&avec=etudiant"
        left = home.get(wish, follow_redirects=False)
        login = httpx.get(left.headers["location"], timeout=30).raise_for_status()
        link = re.search(r'<a href="([^"]+)"', login.text)
        assert link is not None
        back = urlsplit(html.unescape(link[1]))
        arrived = home.get(f"{back.path}?{back.query}", follow_redirects=False)
        leaving = arrived.headers["location"]
        assert leaving.startswith(f"{federation.sandbox}/identite-federee/session/end?")
        assert PERSON.family_name not in leaving

        ended = httpx.get(leaving, timeout=30, follow_redirects=False).headers["location"]
        on = home.get(f"{urlsplit(ended).path}?{urlsplit(ended).query}", follow_redirects=False)
        assert on.headers["location"] == "/coffre/documents"
        shown = html.unescape(home.get("/coffre/documents").text)
        assert "Votre identité est arrivée, relayée (niveau faible)." in shown
        assert PERSON.family_name in shown
        assert "800-1000" in shown
        assert "847" not in re.sub(r"<[^>]*>", "", shown)
        home.cookies.set("__Host-suite", "https://evil.example/", domain="localhost.local")
        stray = home.get("/identite/deconnecte", follow_redirects=False)
        assert stray.headers["location"] == "/"
