"""A service asks for the passport of a citizen, over HTTP, from the registration to the end."""

import html
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from connectors.elsewhere.relying_party import Begun, RelyingParty
from connectors.sandbox.story import PERSON
from portal.browser import Answer, Browser
from portal.cli import app
from tests.e2e.network import Network
from tests.e2e.test_identity import leave

REDIRECT = "http://localhost:9/retour"


def now() -> datetime:
    return datetime.now(UTC)


class Site:
    """A service's own server, as far as the passport sees it."""

    def __init__(
        self, federation: Network, folder: Path, *, client_id: str, scope: str, sealed: bool = True
    ) -> None:
        self.home = federation.home
        metadata = self.get(f"{self.home}/.well-known/openid-configuration")
        self.party = RelyingParty.make(
            client_id, REDIRECT, metadata, secret=client_id.encode().ljust(32), sealed=sealed
        )
        described = folder / f"{client_id}.json"
        described.write_text(
            json.dumps(
                self.party.description(
                    name="Autopartage de démonstration",
                    purpose="Ouvrir votre compte et vous louer une voiture.",
                    scope=scope,
                )
            )
        )
        state = str(federation.settings.state)
        done = CliRunner().invoke(
            app,
            ["passport", "register", str(described), "--id", client_id, "--state", state, "--json"],
            env={"MOBILITY_SANDBOX": "1", "MOBILITY_HOME_URL": self.home},
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["issuer"] == metadata["issuer"]
        self.jwks = self.get(metadata["jwks_uri"])

    def get(self, url: str) -> Any:
        return httpx.get(url, timeout=30).raise_for_status().json()

    def send(self, browser: Browser, scope: str, **more: str) -> tuple[Answer, Begun]:
        """The browser is sent to the home."""
        url, begun = self.party.begin(scope, **more)
        return browser.get(url), begun

    def token(self, form: dict[str, str]) -> httpx.Response:
        proof = self.party.proof("token_endpoint", method="POST", at=now())
        url = self.party.metadata["token_endpoint"]
        return httpx.post(url, data=form, headers={"dpop": proof}, timeout=30)

    def exchange(self, answer: Answer, begun: Begun) -> dict[str, Any]:
        """From the page that leads back to the tokens."""
        there = html.unescape(answer.find(r'<a class="btn" href="([^"]+)"'))
        assert there.startswith(REDIRECT)
        code = self.party.code_of(begun, dict(parse_qsl(urlsplit(there).query)))
        reply = self.token(self.party.code_form(code, begun, at=now()))
        assert reply.status_code == 200, reply.text
        tokens: dict[str, Any] = reply.json()
        return tokens

    def userinfo(self, access_token: str) -> httpx.Response:
        proof = self.party.proof(
            "userinfo_endpoint", method="GET", at=now(), access_token=access_token
        )
        return httpx.get(
            self.party.metadata["userinfo_endpoint"],
            headers={"authorization": f"DPoP {access_token}", "dpop": proof},
            timeout=30,
        )


def test_a_service_reads_what_the_citizen_agreed_to_and_ends_with_their_word(
    federation: Network, tmp_path: Path
) -> None:
    site = Site(federation, tmp_path, client_id="autopartage-e2e", scope="openid identite")
    browser = federation.new_citizen()
    browser.get(leave(browser))
    page, begun = site.send(browser, "openid identite")
    assert page.address == federation.home + "/passeport/demande"
    text = html.unescape(page.text)
    assert "Autopartage de démonstration demande votre passeport" in text
    assert PERSON.family_name in text
    assert "relu par l'hébergeur du coffre" in text
    done = browser.submit(
        page, "/passeport/demande", {"quoi": ["identite"], "duree": "30", "reponse": "oui"}
    )
    tokens = site.exchange(done, begun)
    identity = site.party.read_id_token(tokens["id_token"], site.jwks, nonce=begun.nonce, at=now())
    assert PERSON.family_name not in str(identity)
    answer = site.userinfo(tokens["access_token"])
    claims = site.party.read_claims(answer.content, site.jwks, subject=identity["sub"]).values
    assert claims["family_name"] == PERSON.family_name
    assert claims["identity_grounds"]["family_name"]["degree"] == "relayed"

    services = browser.get("/partages/services")
    assert "Autopartage de démonstration" in html.unescape(services.text)
    receipt = browser.get(services.find(r'href="(/partages/[0-9a-f-]{36})"'))
    assert "Ouvrir votre compte et vous louer une voiture." in html.unescape(receipt.text)
    ended = browser.submit(services, "/partages/services/retirer")
    assert "ne lit plus rien dans votre coffre" in html.unescape(ended.text)
    refused = site.userinfo(tokens["access_token"])
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_token"})
    journal = html.unescape(browser.get("/coffre/journal").text)
    for words in ("Service relié avec votre passeport", "Un service relié a lu", "terminée"):
        assert words in journal


def test_with_a_closed_vault_the_page_says_who_asks_and_reads_nothing(
    federation: Network, tmp_path: Path
) -> None:
    site = Site(federation, tmp_path, client_id="ferme-e2e", scope="openid identite")
    page, _ = site.send(Browser(federation.home), "openid identite")
    text = html.unescape(page.text)
    assert "Autopartage de démonstration demande votre passeport" in text
    assert "Rien n'a encore été lu." in text
    assert re.search(r'href="/ouvrir\?retour=/passeport/demande"', page.text)


def test_saying_no_goes_back_with_the_protocols_error(federation: Network, tmp_path: Path) -> None:
    site = Site(federation, tmp_path, client_id="refus-e2e", scope="openid identite")
    browser = federation.new_citizen()
    page, begun = site.send(browser, "openid identite")
    done = browser.submit(page, "/passeport/demande", {"reponse": "non"})
    there = dict(parse_qsl(urlsplit(done.find(r'<a class="btn" href="([^"]+)"')).query))
    assert there == {"error": "access_denied", "state": begun.state, "iss": federation.home}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "openid inconnu"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": "http://localhost:9/autre"}, ""),
        ({"client_id": "personne"}, ""),
        ({"redirect_uri": 'http://localhost:9/"é'}, ""),
    ],
)
def test_a_wrong_request_goes_back_only_to_an_address_that_is_the_services(
    federation: Network, tmp_path: Path, changed: dict[str, str], error: str
) -> None:
    site = Site(federation, tmp_path, client_id="faux-e2e", scope="openid identite")
    url, begun = site.party.begin("openid identite")
    query = {**dict(parse_qsl(urlsplit(url).query)), **changed}
    answer = httpx.get(f"{federation.home}/passeport", params=query, timeout=30)
    if not error:
        assert answer.status_code == 422
        assert "location" not in answer.headers
        return
    assert answer.status_code == 303
    back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert back == {"error": error, "state": begun.state, "iss": federation.home}


# --- the sandbox's service -----------------------------------------------------------------------

ALL = [
    "urn:cms:identity:read",
    "urn:cms:personal-information:read",
    "urn:cms:driving-licence:read",
    "offline_access",
]


def through(federation: Network, browser: Browser, site: Browser, way: str) -> Answer:
    """From the service to the home and back with the citizen's word; the service's page."""
    page = browser.get(site.get(f"/service/aller?{way}", expect=303).location)
    done = browser.submit(
        page, "/passeport/demande", {"quoi": ["identite", *ALL], "duree": "30", "reponse": "oui"}
    )
    there = done.find(r'<a class="btn" href="([^"]+)"')
    assert there.startswith(f"{federation.sandbox}/service/retour?")
    return site._send("GET", there)


def state_of(federation: Network) -> dict[str, list[str]]:
    found: dict[str, list[str]] = httpx.get(f"{federation.sandbox}/service/_etat").json()
    return found


def test_a_member_opens_an_account_reads_while_the_vault_is_closed_and_is_told_the_end(
    federation: Network,
) -> None:
    browser, site = federation.new_citizen(), Browser(federation.sandbox)
    browser.get(leave(browser))
    account = through(federation, browser, site, "pour=compte")
    assert "Compte ouvert" in account.text
    claims = json.loads(html.unescape(account.find(r"<pre>(.*?)</pre>")))
    assert (
        claims["identity"]["lastName"]["value"] == PERSON.family_name.upper()
        or claims["identity"]["lastName"]["value"] == PERSON.family_name
    )
    assert claims["identityDegree"]["lastName"]["degree"] == "relayed"
    subject = claims["sub"]

    services = browser.get("/partages/services")
    assert "Peut lire" in html.unescape(services.text)
    browser.submit("/", "/verrouiller")
    assert "/ouvrir" in browser.get("/partages/services").address
    again = site.submit(account, "/service/relire")
    assert "Compte ouvert" in again.text

    values = {
        "coffre": browser.cookies["__Host-numero"],
        "phrase": "une phrase secrète de test",
        "retour": "/partages/services",
    }
    services = browser.submit("/ouvrir", "/ouvrir", values)
    browser.submit(services, "/partages/services/retirer")
    until = time.monotonic() + 20
    while subject not in state_of(federation)["ended"]:
        assert time.monotonic() < until, "the service was not told"
        time.sleep(0.2)
    assert subject not in state_of(federation)["accounts"]
    assert "Continuer avec mon coffre" in site.get("/service").text
    assert "Service prévenu de la fin" in html.unescape(browser.get("/coffre/journal").text)


def test_the_page_of_services_leads_to_one_where_an_account_can_be_opened(
    federation: Network,
) -> None:
    browser, site = federation.new_citizen(), Browser(federation.sandbox)
    site.get("/service/aller", expect=303)  # it registers itself
    link = browser.get("/partages/services").find(r'href="([^"]+/service/ouvrir[?][^"]+)"')
    back = site.get(link, expect=303)
    assert "pour=compte" not in back.location
    assert back.location.startswith(f"{federation.home}/passeport?")
    other = site._send("GET", f"{federation.sandbox}/service/ouvrir?iss=https://ailleurs.example")
    assert other.status == 400


def test_a_service_that_misbehaves_gets_nothing(federation: Network) -> None:
    browser, site = federation.new_citizen(), Browser(federation.sandbox)
    refused = httpx.get(site.get("/service/aller?defaut=pkce", expect=303).location)
    assert "error=invalid_request" in refused.headers["location"]
    refused = httpx.get(site.get("/service/aller?defaut=adresse", expect=303).location)
    assert refused.status_code == 422
    twice = through(federation, browser, site, "pour=connexion&defaut=code")
    assert "invalid_grant" in twice.text or "outbound" in twice.text
    assert "Accès d'un service coupé" in html.unescape(browser.get("/coffre/journal").text)
    copied = through(federation, browser, site, "pour=compte")
    assert "Compte ouvert" in copied.text
    site.submit(copied, "/service/relire", {"defaut": "jeton"}, expect=400)
    assert "Peut lire jusqu'au" not in html.unescape(browser.get("/partages/services").text)


def test_signing_out_there_asks_whether_to_close_the_vault(federation: Network) -> None:
    browser, site = federation.new_citizen(), Browser(federation.sandbox)
    account = through(federation, browser, site, "pour=connexion")
    answer = site.submit(account, "/service/quitter", expect=303)
    page = browser.get(answer.location)
    assert "Voulez-vous le fermer aussi" in html.unescape(page.text)
    assert "Autopartage de démonstration" in html.unescape(page.text)
    left = browser.submit(page, "/passeport/fin/reponse", {"reponse": "fermer"})
    there = left.find(r'<a class="btn" href="([^"]+)"')
    assert there == f"{federation.sandbox}/service/sorti"
    assert "/ouvrir" in browser.get("/partages/services").address
    wrong = httpx.get(
        f"{federation.home}/passeport/fin",
        params={"post_logout_redirect_uri": "https://ailleurs.example/"},
    )
    assert wrong.status_code == 422


def test_nobody_but_a_member_registers_itself(federation: Network) -> None:
    url = httpx.get(f"{federation.home}/.well-known/openid-configuration").json()[
        "registration_endpoint"
    ]
    answer = httpx.post(url, json={"client_name": "x"})
    assert (answer.status_code, answer.json()) == (401, {"error": "access_denied"})
