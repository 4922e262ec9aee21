"""« Demander mes données » as a citizen walks it: letter, month, reminder, answer, complaint."""

import io
import json
import zipfile
from datetime import date, timedelta

from tests.e2e.network import Network
from tests.e2e.test_records_pages import words
from tests.e2e.test_sources_pages import CHOSEN
from tests.unit.connectors.test_files import TABLE

ROOT = "/sources/demandes"


def day(ago: int) -> str:
    return (date.today() - timedelta(days=ago)).isoformat()  # the citizen's day


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(
                name.replace("__", "/").replace("_csv", ".csv").replace("_txt", ".txt"), data
            )
    return out.getvalue()


def test_a_company_is_asked_its_month_kept_and_its_answer_read(federation: Network) -> None:
    citizen = federation.new_citizen()
    directory = citizen.get(ROOT)
    assert "Geovelo" in directory.text
    form = citizen.get(f"{ROOT}/nouvelle?entreprise=geovelo")
    assert "37000 Tours" in form.text
    missing = citizen.submit(
        form, f"{ROOT}/nouvelle", {"entreprise": "La Compagnie des Mobilités"}, expect=422
    )
    assert missing.text.count('aria-invalid="true"') == 1
    asked = {
        "entreprise": "La Compagnie des Mobilités",
        "adresse": "1 impasse du Palais\n37000 Tours",
        "courriel": "vie-privee@geovelo.example",
        "nom": "Ana Durand",
        "reponse": "ana@example.org",
        "connu": "compte ana",
        "langue": "fr",
    }
    page = citizen.submit(form, f"{ROOT}/nouvelle", asked)
    address = page.address.removeprefix(federation.home)
    assert "articles 15 et 20" in words(page)
    assert 'href="mailto:vie-privee@geovelo.example' in page.text
    assert "articles 15 and 20" in words(citizen.get(f"{address}?langue=en"))
    for language in ("fr", "en"):
        pdf = citizen.get(f"{address}/lettre?langue={language}")
        assert (pdf.media_type, pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert "Mes données chez La Compagnie" in words(citizen.get("/")), "a reminder: not sent yet"

    citizen.get(f"{address}/plainte", expect=403)
    future = {"etape": "sent", "jour": day(-1)}
    assert "pas encore passée" in words(citizen.submit(page, f"{ROOT}/etape", future, expect=422))
    late = citizen.submit(page, f"{ROOT}/etape", {"etape": "sent", "jour": day(60)})
    assert "Délai dépassé" in words(late)
    assert "Délai dépassé" in words(citizen.get("/")), "the portal reminds"
    assert citizen.get(f"{address}/plainte").content[:5] == b"%PDF-"

    archive = zipped(lisez_moi_txt=b"bonjour", export__trajets_csv=TABLE.encode())
    chosen = citizen.submit(late, f"{ROOT}/reponse", files={"fichier": ("reponse.zip", archive)})
    assert "trajets.csv" in chosen.text
    number = chosen.find(r'value="(\d+)"[^>]*><label[^>]*>trajets\.csv')
    assistant = citizen.submit(chosen, f"{ROOT}/table", {"table": number})
    assert "À quoi correspond chaque colonne" in words(assistant)
    preview = citizen.submit(assistant, "/sources/modele", CHOSEN)
    assert "2 nouveaux trajets" in words(citizen.submit(preview, "/sources/importer/confirmer"))
    assert "Réponse reçue" in words(citizen.get(address))

    sources = citizen.get("/sources")
    given = citizen.get(sources.find(r'href="(/sources/modeles/[^"]+)"'))
    mapping = json.loads(given.content)
    assert mapping["fields"]["distance"] == {"from": ["Distance (km)"], "unit": "km"}
    assert "bicycle" in mapping["fields"]["mode"]["values"].values()
    again = federation.new_citizen()
    both = {"fichier": ("t.csv", TABLE.encode()), "modele": ("m.json", given.content)}
    assert (
        "Trottinette électrique" in again.submit("/sources", "/sources/importer", files=both).text
    )
    forgotten = citizen.submit(sources, "/sources/modeles/supprimer")
    assert "/sources/modeles/" not in forgotten.text


def test_any_company_may_be_named_and_what_it_refuses_goes_to_the_cnil(
    federation: Network,
) -> None:
    citizen = federation.new_citizen()
    values = {"entreprise": "Vélos Réunis", "nom": "Ana Durand", "langue": "en"}
    page = citizen.submit(f"{ROOT}/nouvelle", f"{ROOT}/nouvelle", values)
    assert "articles 15 and 20" in words(page)
    page = citizen.submit(page, f"{ROOT}/etape", {"etape": "sent", "jour": day(3)})
    assert "Réponse attendue au plus tard" in words(page)
    assert "Mes données chez" not in words(citizen.get("/")), "nothing to do while it has time"
    pdf = ("refus.pdf", b"%PDF-1.7 non")
    page = citizen.submit(page, f"{ROOT}/reponse", files={"fichier": pdf})
    assert "Gardé avec votre demande" in words(page)
    assert "refus.pdf" in page.text
    page = citizen.submit(page, f"{ROOT}/etape", {"etape": "refused", "jour": day(0)})
    assert "Refusée" in words(page)
    address = page.address.removeprefix(federation.home)
    assert citizen.get(f"{address}/plainte").content[:5] == b"%PDF-"
    page = citizen.submit(page, f"{ROOT}/etape", {"etape": "complained", "jour": day(0)})
    assert "Plainte déposée à la CNIL" in words(page)
    assert "Vélos Réunis" in words(
        citizen.submit("/chercher", "/chercher", {"mots": "velos reunis", "genre": ""})
    )
    gone = citizen.submit(page, "/coffre/effacer/enregistrement")
    assert "Vélos Réunis" not in words(gone)
    citizen.get(address, expect=404)
