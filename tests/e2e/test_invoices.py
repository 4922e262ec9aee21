"""« Factures et abonnements » as a citizen walks it: read, asked, kept, taken back; and refused."""

from tests.e2e.network import Network
from tests.e2e.test_records_pages import words
from tests.unit.connectors.receipts import receipt
from tests.unit.connectors.test_invoices import cii
from tests.unit.connectors.test_twoddoc import DOMICILE

PAGE = "/coffre/factures"


def test_a_receipt_is_read_kept_with_its_pass_and_taken_back(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("recu.pdf", receipt("network"))}
    shown = citizen.submit(PAGE, PAGE, files=upload)
    assert 'name="payer-0" type="text" value="Marc Lefèvre"' in shown.text
    assert 'name="total-0" type="text" value="38,40"' in shown.text
    fields = {
        "issuer-0": "Réseau Bleu Mobilités", "siret-0": "732 829 320 00074",
        "number-0": "RB-2026-004512", "day-0": "2026-09-28", "total-0": "38,40 €",
        "payer-0": "Marc Lefèvre", "holder-0": "Zoé Lefèvre", "product-0": "Mensuel Jeune",
        "valid_from-0": "2026-10-01", "valid_until-0": "2026-10-31",
    }  # fmt: skip
    wrong = citizen.submit(shown, f"{PAGE}/garder", {**fields, "total-0": "beaucoup"}, expect=422)
    assert wrong.text.count('aria-invalid="true"') == 1
    kept = citizen.submit(wrong, f"{PAGE}/garder", fields)
    assert "Gardé dans votre coffre : 3 enregistrements" in words(kept)
    documents = words(citizen.get("/coffre/documents"))
    assert "Mensuel Jeune" in documents
    assert "38,40 €" in documents
    assert "recu.pdf" in documents
    again = citizen.submit(PAGE, PAGE, files=upload)
    assert "Tout était déjà" in words(citizen.submit(again, f"{PAGE}/garder", fields))
    gone = citizen.submit(PAGE, f"{PAGE}/annuler")
    assert "3 enregistrements retirés" in words(gone)
    assert "Mensuel Jeune" not in words(citizen.get("/coffre/documents"))


def test_what_is_not_sure_is_asked_and_a_changed_invoice_is_refused(federation: Network) -> None:
    citizen = federation.new_citizen()
    shown = citizen.submit(PAGE, PAGE, files={"fichier": ("v.pdf", receipt("bare"))})
    assert "Lu : 14,00. Ce n'est pas sûr" in words(shown)
    assert 'name="total-0" type="text" required' in shown.text, "empty until it is typed"
    changed = cii().replace(b">38.50<", b">338.50<")
    refused = citizen.submit(PAGE, PAGE, files={"fichier": ("f.xml", changed)}, expect=422)
    assert "Les calculs de cette facture sont faux" in words(refused)
    assert "le total toutes taxes" in words(refused)
    fine = citizen.submit(PAGE, PAGE, files={"fichier": ("f.xml", cii())})
    assert "calculs vérifiés" in words(fine)
    unknown = citizen.submit(PAGE, PAGE, files={"fichier": ("x.txt", b"bonjour")}, expect=422)
    assert "format inconnu" in words(unknown)


def test_a_2d_doc_is_read_and_kept_as_what_it_is(federation: Network) -> None:
    citizen = federation.new_citizen()
    page = "/coffre/2d-doc"
    damaged = citizen.submit(page, page, {"code": "DC04 bonjour"}, expect=422)
    assert "ou il est abîmé" in words(damaged)
    checked = citizen.submit(page, page, {"code": DOMICILE})
    assert "Signataire inconnu" in words(checked)
    assert "57000" in checked.text
    kept = citizen.submit(checked, f"{page}/garder")
    assert "3 enregistrements" in words(kept)
    documents = words(citizen.get("/coffre/documents"))
    assert "Adresse du domicile" in documents
    assert "déclaré par vous" in documents
    assert "3 enregistrements retirés" in words(citizen.submit(page, f"{page}/annuler"))
