"""An electric bicycle bought: answers on one's honour, documents from the vault, a bracket instead
of an income, one consent, the rule's proposal at the desk, a person's decision.
"""

import json
import re
from datetime import UTC, datetime

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federation.hub.agreement import current_agreement
from federation.wire.http import tls_context
from portal.browser import Answer, Browser
from portal.compose import hub_parts
from schemas.ids import mint_iri
from schemas.jsonld import to_jsonld
from schemas.records import Invoice, InvoiceLine
from schemas.units import Cents
from tests.e2e.network import Network, siret_of
from tests.e2e.servers import session_headers, wait_until

pytestmark = pytest.mark.slow

PASSWORD = "un mot de passe bien long"
MAIL = "velo@interco.example"
SLUG = "achat-velo-pays-du-cabardes"
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
LOW, HIGH = "15 400 € par part ou moins", "plus de 15 400 € par part"
NUMBER = "BC1234567890"
FILES = ("Facture vélo", "Quittance de loyer octobre", "RIB courant")


def words(page: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


@pytest.fixture(scope="module")
def desk(federation: Network) -> Browser:
    """A group of communes that enrolled just now, with its document key and the purchase aid."""
    browser = Browser(federation.hub)
    browser.submit(
        "/guichet/ouvrir", "/guichet/ouvrir",
        {
            "organisme": "Pays du Cabardès", "siret": siret_of("Cabardès"), "niveau": "epci",
            "service": "Mobilités", "contact": MAIL, "nom": "Camille Roux", "courriel": MAIL,
            "convention": current_agreement().digest,
        },
    )  # fmt: skip
    browser.submit(
        "/guichet/acces", "/guichet/acces/mot-de-passe",
        {"mot_de_passe": PASSWORD, "encore": PASSWORD},
    )  # fmt: skip
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        hub.document_keys.publish(hub.members.sign_in(MAIL, PASSWORD).member, raw)
    figures = {
        "modele": "achat-velo", "part": "30", "plafond": "200", "plafond_modeste": "400",
        "revenu": "15400", "delai": "60",
    }  # fmt: skip
    form = "/guichet/aides/nouvelle?modele=achat-velo"
    wrong = browser.submit(form, "/guichet/aides/nouvelle", {**figures, "revenu": ""}, expect=422)
    assert "Un revenu par part" in words(wrong)
    assert "publiée" in words(browser.submit(form, "/guichet/aides/nouvelle", figures))
    return browser


def buyer(federation: Network) -> Browser:
    """A vault with an identity for this funder, an invoice, and three files."""
    browser = federation.new_citizen()
    kept = browser.submit(
        f"/documents/recevoir?aide={SLUG}", "/documents/recevoir",
        {"aide": SLUG, "simulee": "identite/vc"},
    )  # fmt: skip
    assert "Identité" in words(kept)
    invoice = Invoice(
        id=mint_iri(),
        issuer_name="Cycles du Canal",
        number="F-2026-118",
        issued_at=datetime(2026, 11, 3, 10, tzinfo=UTC),
        total=Cents(1_800_00),
        lines=(InvoiceLine(label="Vélo à assistance électrique", unit_amount=Cents(1_800_00)),),
    )
    made = httpx.put(
        f"{federation.home}/v1/records/{invoice.id}",
        content=json.dumps(to_jsonld(invoice)),
        headers={**session_headers(browser), "content-type": "application/ld+json",
                 "if-none-match": "*"},
        verify=tls_context(),
    )  # fmt: skip
    assert made.status_code == 201, made.text
    for title in FILES:
        browser.submit(
            "/coffre/documents", "/coffre/documents", {"titre": title},
            files={"fichier": (f"{title}.pdf", PDF + title.encode())},
        )  # fmt: skip
    return browser


def chosen(page: Answer) -> list[str]:
    """Titles of the files that the form proposes."""
    return re.findall(r'<option value="[0-9a-f-]{36}" selected>([^<]+)<', page.text)


def test_from_the_invoice_in_the_vault_to_the_decision(federation: Network, desk: Browser) -> None:
    citizen = buyer(federation)
    assert "Préparer mon dossier" in words(citizen.get(f"/aides/{SLUG}"))
    form = citizen.get(f"/aides/{SLUG}/dossier")
    assert re.search(r'name="reponse" value="1800"', form.text), "the invoice's total is proposed"
    assert "D'après votre facture Cycles du Canal" in words(form)
    assert chosen(form) == [f"{title}.pdf" for title in FILES]
    pieces = re.findall(r'<option value="([0-9a-f-]{36})" selected>', form.text)

    # Nothing is sent with an answer, a file or the statement missing.
    address = f"/aides/{SLUG}/dossier"
    wrong = citizen.submit(
        form, address, {"reponse": ["1800", "", LOW], "piece": [pieces[0], "", pieces[2]]},
        expect=422,
    )  # fmt: skip
    said = words(wrong)
    assert "Répondez à cette question" in said
    assert "Choisissez le fichier : Justificatif de domicile" in said
    assert "Cochez la déclaration" in said
    assert 'value="1800"' in wrong.text

    # One consent names everything: who, what is declared, which documents.
    given = {"reponse": ["1 800,00", NUMBER, LOW], "piece": pieces, "honneur": "1"}
    consent = citizen.submit(form, address, given)
    shown = words(consent)
    for part in (
        "Prix payé",
        NUMBER,
        LOW,
        "Je déclare sur l'honneur",
        "pièce jointe : RIB courant",
    ):
        assert part in shown
    sent = citizen.submit(consent, "/partager", {"accord": "1"})
    name = sent.address.rsplit("/", 1)[-1]
    at_desk = f"/guichet/demandes/{name}"

    def arrived() -> bool:
        page = citizen.get(f"/demandes/{name}")
        if "Envoyer le reste" in page.text:
            citizen.submit(page, "/demandes/dossier")
        return "pas arrivé en entier" not in citizen.get(f"/demandes/{name}").text

    wait_until(arrived, "the whole file arrived")

    # The desk reads the bracket and never the income, the rule's proposal, three sealed documents.
    page = desk.get(at_desk)
    read = words(page)
    assert LOW in read and NUMBER in read
    assert re.search(r'name="montant"[^>]*value="400', page.text), "30 % of 1,800 is over 400"
    assert read.count("Quittance") == 0, "a file's own name is sealed"
    for piece in ("Facture acquittée", "Justificatif de domicile", "RIB"):
        assert piece in read
    assert "3 pièce(s) jointe(s) sur 3" in read

    # Who declares the same bicycle again is not refused; the desk is told.
    other = buyer(federation)
    again = other.get(address)
    files = re.findall(r'<option value="([0-9a-f-]{36})" selected>', again.text)
    second = {**given, "reponse": ["1800", NUMBER.lower(), HIGH], "piece": files}
    twice = other.submit(other.submit(again, address, second), "/partager", {"accord": "1"})
    second_name = twice.address.rsplit("/", 1)[-1]

    def told() -> bool:
        page = other.get(f"/demandes/{second_name}")
        if "Envoyer le reste" in page.text:
            other.submit(page, "/demandes/dossier")
        seen = words(desk.get(f"/guichet/demandes/{second_name}"))
        return "déjà déclaré dans une autre demande" in seen

    wait_until(told, "the desk was told of the second application")
    assert re.search(
        r'name="montant"[^>]*value="200', desk.get(f"/guichet/demandes/{second_name}").text
    )

    # A person decides; the citizen reads the amount and the computation.
    desk.submit(
        page, "/guichet/decider",
        {"demande": name, "decision": "accept", "motif": "Pièces conformes.", "montant": "400"},
    )  # fmt: skip
    view = words(citizen.get(f"/demandes/{name}"))
    assert "acceptée" in view
    assert re.search(r"\b400\s€", view)
    receipt = words(citizen.get("/partages"))
    assert "Pays du Cabardès" in receipt
