"""A citizen receives a document that its issuer gives only after a login on its own page."""

import re
from urllib.parse import urlsplit

import httpx

from portal.browser import Browser
from tests.e2e.network import Network


def test_a_document_that_needs_a_login_at_its_issuer_arrives(federation: Network) -> None:
    citizen = federation.new_citizen()
    asked = {"grant": "authorization_code", "configuration": "IdentityCredential"}
    offers = f"{federation.sandbox}/identite/vc/offers"
    link = httpx.post(offers, params=asked).json()["link"]
    form = citizen.get("/documents/recevoir")
    aid = form.find(r'<option value="(fmd-agents-publics-agglo-cabardes)"')
    sent = citizen.submit(form, "/documents/recevoir", {"aide": aid, "offre": link})
    assert "Continuer chez l" in sent.text
    address = sent.find(rf'href="({re.escape(federation.sandbox)}/identite/vc/authorize[^"]+)"')

    issuer = Browser(federation.sandbox)
    page = issuer.get(address.removeprefix(federation.sandbox))
    assert urlsplit(federation.home).netloc in page.text
    name = page.form("/identite/vc/authorize")["demande"]
    back = httpx.post(
        f"{federation.sandbox}/identite/vc/authorize", data={"demande": name, "reponse": "oui"}
    )
    home = urlsplit(back.headers["location"])
    assert f"{home.scheme}://{home.netloc}" == federation.home
    arrived = citizen.get(f"{home.path}?{home.query}")
    assert "Reçu et gardé dans votre coffre : Identité" in arrived.text
    again = citizen.get(f"{home.path}?{home.query}")
    assert "Vous pouvez recommencer" in again.text, "what came back serves once"

    answer = {"aide": aid, "offre": link}
    refused = citizen.submit(form, "/documents/recevoir", answer, expect=422)
    assert "pu être acceptée" in refused.text, "an offer serves once"
