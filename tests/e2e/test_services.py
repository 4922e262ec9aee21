"""« Services » over HTTP: each profile from the vault's page to the fictitious service and back."""

import html
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.sandbox.services import SERVICES, ZONE
from connectors.sandbox.story import NETWORK_NAME, PERSON
from federation.multibase import b64url, b64url_decode
from federation.wire.http import tls_context
from portal.browser import Answer, Browser
from tests.e2e.network import Network
from tests.e2e.test_identity import leave

pytestmark = pytest.mark.slow


def text_of(answer: Answer) -> str:
    return html.unescape(answer.text)


def outside(address: str, *, expect: int = 200) -> httpx.Response:
    """A page of a site that is not the vault's."""
    found = httpx.get(address, timeout=30, verify=tls_context())
    assert found.status_code == expect, found.text
    return found


def service_page(citizen: Browser, profile: str) -> str:
    listed = citizen.get("/services")
    return listed.find(rf'href="(/services/{profile}\?de=[^"]+)"')


def begin(citizen: Browser, page: Answer) -> str:
    """Go to the service, which sends the browser back with its request: the path of that page."""
    start = page.find(r'href="(http[^"]+/commencer\?coffre=[^"]+)"')
    there = outside(start, expect=303)
    back = there.headers["location"]
    assert back.startswith(f"{citizen.base}/presenter?")
    return str(back.removeprefix(citizen.base))


def consent(citizen: Browser, path: str) -> Answer:
    shown = citizen.submit(path, "/presenter")
    assert "Ce qui part" in shown.text, text_of(shown)
    return shown


def outcome(citizen: Browser, shown: Answer) -> str:
    """Agree, be handed over, and read what the service decided."""
    sent = citizen.submit(shown, "/partager", {"accord": "1"})
    assert "Réponse remise" in sent.text, text_of(sent)
    return html.unescape(outside(sent.find(r'href="(http[^"]+/resultats/[^"]+)"')).text)


def present(citizen: Browser, profile: str) -> tuple[str, str]:
    """(consent page, result page)."""
    shown = consent(citizen, begin(citizen, citizen.get(service_page(citizen, profile))))
    return text_of(shown), outcome(citizen, shown)


def test_every_profile_has_its_service_on_the_page(federation: Network) -> None:
    citizen = federation.new_citizen()
    page = text_of(citizen.get("/services"))
    for demo in SERVICES:
        assert demo.profile.title["fr"] in page
        assert demo.name in page
    citizen.language = "en"
    assert "Car sharing" in citizen.get("/services").text


def test_a_car_is_shared_on_documents_signed_for_this_service_and_an_age_without_a_birth_date(
    federation: Network,
) -> None:
    citizen = federation.new_citizen()
    where = service_page(citizen, "autopartage")
    page = citizen.get(where)
    assert "il manque votre date de naissance" in text_of(page)
    assert "commencer" not in page.text
    for party in ("identite/vc", "registres"):
        page = citizen.submit(page, "/services/recevoir", {"simulee": party})
        assert "Reçu et gardé dans votre coffre" in text_of(page)
    shown, result = present(citizen, "autopartage")
    for leaves in ("Âge atteint : 21", "Catégories", "12 quai du Canal", PERSON.family_name):
        assert leaves in shown
    assert "calculé dans votre coffre, attesté par son hébergeur" in shown
    for stays in (PERSON.birthdate, "BS1200304050", "11069"):
        assert stays not in shown
    assert "Votre date et votre lieu de naissance" in shown
    assert "Accepté." in result
    assert "21 ans ou plus." in result and "Permis B valide." in result


def test_a_licence_suspended_or_revoked_by_its_register_opens_no_car(federation: Network) -> None:
    citizen = federation.new_citizen()
    page = citizen.get(service_page(citizen, "autopartage"))
    for party in ("identite/vc", "registres"):
        page = citizen.submit(page, "/services/recevoir", {"simulee": party})

    def say(word: str) -> None:
        said = httpx.post(
            f"{federation.sandbox}/registres/_status/DrivingLicenceCredential/{word}", timeout=30
        )
        assert said.json()["credentials"] >= 1

    answer = httpx.get(f"{federation.sandbox}/registres/status/1", timeout=30)
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    try:
        for word, decided in (("suspended", "Refusé."), ("valid", "Accepté."),
                              ("revoked", "Refusé.")):  # fmt: skip
            say(word)
            assert decided in present(citizen, "autopartage")[1], word
    finally:
        say("valid")


def test_a_pass_is_shown_without_its_number_and_its_price(federation: Network) -> None:
    citizen = federation.new_citizen()
    page = citizen.get(service_page(citizen, "titre"))
    page = citizen.submit(page, "/services/recevoir", {"simulee": "reseau"})
    shown, result = present(citizen, "titre")
    assert NETWORK_NAME in shown and "Abonnement mensuel" in shown
    assert "BS-20" not in shown
    assert "Accepté." in result


def test_routes_follow_preferences_that_were_chosen_and_nothing_that_was_left_empty(
    federation: Network,
) -> None:
    citizen = federation.new_citizen()
    page = citizen.get(service_page(citizen, "itineraire"))
    assert "vos préférences sont vides" in text_of(page)
    chosen = {"prefere": ["bicycle", "train"], "evite": "taxi", "marche": "15", "fauteuil": "1"}
    wrong = citizen.submit(
        "/coffre/preferences",
        "/coffre/preferences",
        {**chosen, "travail": "Nulle-Part"},
        expect=422,
    )
    assert "Écrivez le nom d'une commune" in text_of(wrong)
    citizen.submit(
        "/coffre/preferences", "/coffre/preferences", {**chosen, "travail": "Carcassonne"}
    )
    assert "Carcassonne (11069)" in text_of(citizen.get("/coffre/preferences"))
    shown, result = present(citizen, "itineraire")
    assert "Commune du travail" in shown and "Commune du domicile" not in shown
    assert "Accepté." in result and "longestWalk" in result and "homeCommune" not in result


def test_a_zone_lets_in_a_certified_class_and_not_a_declared_one(federation: Network) -> None:
    citizen = federation.new_citizen()
    assert "il manque un véhicule ou une dérogation" in text_of(
        citizen.get(service_page(citizen, "acces-zone"))
    )
    car = {"genre": "car", "energie": "petrol", "titre": "owned", "critair": "1"}
    citizen.submit("/coffre/vehicules", "/coffre/vehicules", {**car, "numero": "AB-123-CD"})
    shown, result = present(citizen, "acces-zone")
    assert "Crit'Air : 1" in shown and "AB-123-CD" not in shown
    assert "Refusé." in result and "seulement déclaré" in result
    page = citizen.get(service_page(citizen, "autopartage"))  # the registers sign the class too
    citizen.submit(page, "/services/recevoir", {"simulee": "registres"})
    assert "Accepté." in present(citizen, "acces-zone")[1]
    assert ZONE not in shown


def test_a_reduced_fare_says_a_status_and_no_figure(federation: Network) -> None:
    citizen = federation.new_citizen()
    path = begin(citizen, citizen.get(service_page(citizen, "tarif-reduit")))
    lacking = citizen.submit(path, "/presenter", expect=422)
    said = text_of(lacking)
    assert "Il manque à votre coffre de quoi calculer ce tarif" in said and "âge" in said
    citizen.get(leave(citizen))  # the provider relays the date of birth
    lacking = citizen.submit(path, "/presenter", expect=422)
    assert "calculer ce tarif : parts, revenu" in text_of(lacking)


def test_parcels_come_as_wished_and_the_street_stays(federation: Network) -> None:
    citizen = federation.new_citizen()
    assert "il manque une adresse de livraison" in text_of(
        citizen.get(service_page(citizen, "livraison"))
    )
    address = {
        "remise": "relay", "destinataire": "Camille", "rue": "12 quai du Canal",
        "code": "11800", "commune": "Trèbes", "acces": "code 4321", "choix": "low-carbon",
        "relais": "Tabac du port",
    }  # fmt: skip
    citizen.submit("/coffre/livraison", "/coffre/livraison", address)
    shown, result = present(citizen, "livraison")
    assert "Trèbes" in shown and "quai du Canal" not in shown and "4321" not in shown
    assert "Accepté." in result


def keep(citizen: Browser, receipt: bytes, *, expect: int = 200) -> Answer:
    files = {"fichier": ("recu.jwt", receipt)}
    return citizen.submit("/coffre/livraison", "/coffre/colis", files=files, expect=expect)


def test_a_shop_gets_the_address_of_its_parcel_and_its_receipt_is_kept(
    federation: Network,
) -> None:
    citizen = federation.new_citizen()
    home = {
        "remise": "hand", "destinataire": "Camille Fabre", "rue": "12 quai du Canal",
        "code": "11800", "commune": "Trèbes", "acces": "code 4321", "choix": "low-carbon",
        "creneaux": "samedi 9h-12h", "appeler": "1",
    }  # fmt: skip
    citizen.submit("/coffre/livraison", "/coffre/livraison", home)
    shown = consent(
        citizen, begin(citizen, citizen.get(service_page(citizen, "livraison-adresse")))
    )
    said = text_of(shown)
    for leaves in (
        "Destinataire : Camille Fabre", "Numéro et voie : 12 quai du Canal",
        "Consignes d'accès : code 4321", "Contraintes : Appeler avant de venir",
        "Créneaux de présence : samedi 09:00-12:00",
        "Choix de livraison : La plus sobre, même plus lente",
    ):  # fmt: skip
        assert leaves in said
    sent = citizen.submit(shown, "/partager", {"accord": "1"})
    address = sent.find(r'href="(http[^"]+/resultats/[^"]+)"')
    result = outside(address).text
    assert "Accepté." in html.unescape(result) and "À remettre : 12 quai du Canal" in result
    receipt = outside(f"{address}/document")
    assert receipt.headers["content-type"] == "application/jwt"

    kept = keep(citizen, receipt.content)
    assert "Reçu signé par le marchand" in text_of(kept) and "CMD-" in text_of(kept)
    again = keep(citizen, receipt.content)
    assert "déjà dans votre coffre" in text_of(again)
    head, payload, signature = receipt.text.split(".")
    other = b64url(b64url_decode(payload).replace(b"Une sacoche", b"Deux vaches"))
    forged = f"{head}.{other}.{signature}".encode()
    refused = keep(citizen, forged, expect=422)
    assert "n'est pas celle d'un marchand reconnu" in text_of(refused)

    page = citizen.get("/coffre/livraison")
    assert "Boutique du Cabardès (fictive)" in text_of(page)
    assert "Destinataire, " in text_of(page) and "Accord du" in text_of(page)


def test_at_a_pick_up_point_a_shop_learns_no_street(federation: Network) -> None:
    citizen = federation.new_citizen()
    point = {
        "remise": "relay", "destinataire": "Camille Fabre", "rue": "12 quai du Canal",
        "code": "11800", "commune": "Trèbes", "acces": "code 4321", "relais": "Tabac du port",
    }  # fmt: skip
    citizen.submit("/coffre/livraison", "/coffre/livraison", point)
    shown, result = present(citizen, "livraison-adresse")
    assert "Point relais : Tabac du port" in shown
    assert "quai du Canal" not in shown + result and "4321" not in shown
    assert "À remettre : Tabac du port" in result


def test_a_service_sends_nobody_to_a_home_that_the_registry_does_not_list(
    federation: Network,
) -> None:
    start = f"{federation.sandbox}/livreur/livraison/commencer"
    for other in (federation.hub, "https://ailleurs.example", f"{federation.home}/x", "nichts"):
        page = outside(f"{start}?coffre={other}", expect=422)
        assert "pas au registre de confiance" in page.text
    assert "Adresse de votre hébergeur" in outside(start).text


def test_a_service_that_is_not_announced_is_not_shown(federation: Network) -> None:
    citizen = federation.new_citizen()
    citizen.get("/services/titre?de=did:web:ailleurs.example", expect=404)
    known = citizen.get(service_page(citizen, "titre"))
    gone = citizen.submit(
        known, "/services/recevoir", {"de": "did:web:ailleurs.example", "simulee": "reseau"}
    )
    assert urlsplit(gone.address).path == "/services"
    assert "plus annoncé" in text_of(gone)
