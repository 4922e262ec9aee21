"""An old diesel, two funders, one form: each gets its own part, both decide, and the derogation is
checked with no network by the code that a person shows.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from federation.aids.model import Visibility
from federation.credentials.qr import read_code
from federation.hub.agreement import current_agreement
from federation.hub.aid_templates import AidTemplate, Choices, build_aid
from federation.wire.http import tls_context
from portal.app import create_home_app
from portal.attestation import read_proof
from portal.browser import Answer, Browser
from portal.cli import app as cli
from portal.compose import hub_parts
from portal.pages.sources import qr_image
from tests.e2e.network import Network, siret_of
from tests.e2e.servers import wait_until
from tests.e2e.test_entitled import Wire, wire

pytestmark = pytest.mark.slow
__all__ = ["wire"]

PASSWORD = "un mot de passe bien long"
METRO, REGION = "Métropole du Lauragais", "Région des Corbières"
PLATE = "AB-123-CD"
BRACKET = "15 400 € par part ou moins"
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
FILES = (
    "Certificat d'immatriculation",
    "Certificat de destruction",
    "Facture du véhicule",
    "RIB courant",
    "Quittance de loyer octobre",
    "Avis d'imposition",
)
CONVERSION, DEROGATION = "conversion-metropole-du-lauragais", "derogation-metropole-du-lauragais"
REGIONAL = "conversion-region-des-corbieres"


def words(page: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


def enrolled(federation: Network, name: str, level: str, mail: str) -> Browser:
    """A desk that opened just now, with its document key."""
    browser = Browser(federation.hub)
    browser.submit(
        "/guichet/ouvrir", "/guichet/ouvrir",
        {
            "organisme": name, "siret": siret_of(name), "niveau": level, "service": "Air",
            "contact": mail, "nom": "Camille Roux", "courriel": mail,
            "convention": current_agreement().digest,
        },
    )  # fmt: skip
    browser.submit(
        "/guichet/acces", "/guichet/acces/mot-de-passe",
        {"mot_de_passe": PASSWORD, "encore": PASSWORD},
    )  # fmt: skip
    with hub_parts(federation.settings) as parts:
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        parts.hub.document_keys.publish(parts.hub.members.sign_in(mail, PASSWORD).member, raw)
    return browser


@pytest.fixture(scope="module")
def metro(federation: Network) -> Browser:
    """A group of communes: a conversion aid by income, and a derogation in a zone."""
    desk = enrolled(federation, METRO, "epci", "air@metropole.example")
    form = "/guichet/aides/nouvelle?modele=conversion"
    figures = {
        "modele": "conversion", "part": "30", "plafond": "3000", "plafond_modeste": "5000",
        "revenu": "15400", "delai": "60",
        "documents": "\n".join((*FILES[:2], "Avis d'imposition", "RIB")),
    }  # fmt: skip
    wrong = desk.submit(form, "/guichet/aides/nouvelle", {**figures, "revenu": ""}, expect=422)
    assert "Un revenu par part" in words(wrong)
    assert "publiée" in words(desk.submit(form, "/guichet/aides/nouvelle", figures))
    form = "/guichet/aides/nouvelle?modele=derogation"
    right = {
        "modele": "derogation", "zone_nom": "Toulouse", "zone": "243100518", "mois": "12",
        "delai": "30",
    }  # fmt: skip
    wrong = desk.submit(form, "/guichet/aides/nouvelle", {**right, "mois": "48"}, expect=422)
    assert "de 1 à 36" in words(wrong)
    wrong = desk.submit(form, "/guichet/aides/nouvelle", {**right, "zone": "ici"}, expect=422)
    assert "Le SIREN du groupement" in words(wrong)
    assert "publiée" in words(desk.submit(form, "/guichet/aides/nouvelle", right))
    return desk


@pytest.fixture(scope="module")
def region(federation: Network) -> Browser:
    """A region: the same for all, on other documents."""
    desk = enrolled(federation, REGION, "region", "air@region.example")
    figures = {
        "modele": "conversion", "part": "10", "plafond": "1000", "delai": "60",
        "documents": f"{FILES[0]}\nFacture\nRIB",
    }  # fmt: skip
    form = "/guichet/aides/nouvelle?modele=conversion"
    assert "publiée" in words(desk.submit(form, "/guichet/aides/nouvelle", figures))
    return desk


@pytest.fixture(scope="module")
def driver(federation: Network, metro: Browser, region: Browser) -> Browser:
    """A vault with an old diesel in Toulouse, six files, and an identity for each funder."""
    return driver_of(federation, CONVERSION, REGIONAL)


def identify(citizen: Browser, slug: str) -> None:
    """Receive the identity that the funder of this aid asks for."""
    citizen.submit(
        f"/documents/recevoir?aide={slug}", "/documents/recevoir",
        {"aide": slug, "simulee": "identite/vc"},
    )  # fmt: skip


def driver_of(federation: Network, *known_for: str) -> Browser:
    """Such a vault, with an identity for the funders of these aids only."""
    citizen = federation.new_citizen()
    citizen.submit("/coffre/commune?q=31000", "/coffre/commune", {"code": "31555"})
    for slug in known_for:
        identify(citizen, slug)
    for title in FILES:
        citizen.submit(
            "/coffre/documents", "/coffre/documents", {"titre": title},
            files={"fichier": (f"{title}.pdf", PDF + title.encode())},
        )  # fmt: skip
    citizen.submit(
        "/coffre/vehicules", "/coffre/vehicules",
        {
            "genre": "car", "energie": "diesel", "titre": "owned", "nom": "La vieille",
            "numero": PLATE,
        },
    )  # fmt: skip
    return citizen


def vehicle_of(citizen: Browser) -> str:
    found = re.search(r"/coffre/vehicules/([0-9a-f-]{36})", citizen.get("/coffre/vehicules").text)
    assert found is not None
    return found[1]


def part_of(page: Answer, funder: str, title: str) -> str:
    """What the consent says leaves to one funder for one aid, in words."""
    for section in re.findall(r'<section class="card leaves".*?</section>', page.text, re.S):
        text = words(Answer("", 200, section, b"", ""))
        if funder in text and title in text:
            return text
    raise AssertionError(f"no part for {funder}")


def test_the_vehicle_is_asked_once_and_the_zone_answered(driver: Browser) -> None:
    vehicle = vehicle_of(driver)
    address = f"/coffre/vehicules/{vehicle}"
    asked = driver.get(address)
    assert "Quel âge a-t-il" in words(asked)
    wrong = driver.submit(asked, address, {"depuis": "2099-01-01"}, expect=422)
    assert "n'est pas possible" in words(wrong)
    page = words(driver.submit(asked, address, {"depuis": "1999-05-04"}))
    assert "Crit'Air 5" in page and "première mise en circulation" in page
    assert "ne peut pas circuler dans la zone de Toulouse Métropole" in page
    assert "Situation juridique au" in page and "a été reporté sans date" in page
    assert "31 décembre 2023" in page, "how old the facts are is said"
    # It is kept: the next visit does not ask. Another place has no zone, and says so.
    assert "Crit'Air 5" in words(driver.get(address))
    elsewhere = words(driver.submit(driver.get(address), address, {"code": "11069", "jour": ""}))
    assert "Aucune zone à faibles émissions connue à Carcassonne" in elsewhere


def test_one_form_two_funders_each_its_part_and_a_right_checked_offline(
    federation: Network, metro: Browser, region: Browser, driver: Browser, tmp_path: Path
) -> None:
    vehicle = vehicle_of(driver)
    if "Quel âge" in words(driver.get(f"/coffre/vehicules/{vehicle}")):
        address = f"/coffre/vehicules/{vehicle}"
        driver.submit(address, address, {"depuis": "1999-05-04"})
    slugs = [CONVERSION, REGIONAL, DEROGATION]
    at = "/guichet-unique?" + "&".join((f"vehicule={vehicle}", *(f"aide={s}" for s in slugs)))
    form = driver.get(at)
    read = words(form)
    assert read.count("Quelle est l'immatriculation du véhicule") == 1, "three aids ask, once"
    assert read.count("Quelle est la classe Crit'Air") == 1
    assert re.search(rf'name="reponse" value="{PLATE}"', form.text), "the vault's record answers"
    assert '<option value="classe 5" selected>' in form.text
    labels = re.findall(r'<label for="f-q\d+">([^<]+?)(?: <span|<)', form.text)
    answers = {
        "immatriculation": PLATE, "Crit": "classe 5", "coûte": "20000", "tranche": BRACKET,
        "raison": "petit rouleur",
    }  # fmt: skip
    given = [next(v for k, v in answers.items() if k in label) for label in labels]
    assert len(given) == 5
    chosen = re.findall(r'<option value="([0-9a-f-]{36})" selected>([^<]+)<', form.text)
    papers = re.findall(r'<label for="f-p\d+">([^<]+)</label>', form.text)
    assert len(papers) == len(set(papers)) == 6
    kept = {
        title.replace("&#39;", "'").removesuffix(".pdf"): name
        for name, title in re.findall(r'<option value="([0-9a-f-]{36})"[^>]*>([^<]+)<', form.text)
    }
    wanted = {
        FILES[0]: FILES[0], FILES[1]: FILES[1], "Avis d'imposition": FILES[5], "RIB": FILES[3],
        "Facture": FILES[2], "Justificatif de domicile": FILES[4],
    }  # fmt: skip
    pieces = [kept[wanted[label.replace("&#39;", "'")]] for label in papers]
    assert chosen, "files are proposed by their title"

    # Nothing leaves while something is missing; what was typed stays.
    short = {"aide": slugs, "reponse": ["", *given[1:]], "piece": pieces, "honneur": slugs[:1]}
    wrong = driver.submit(form, "/guichet-unique", short, expect=422)
    assert "Répondez à cette question" in words(wrong)
    assert f"Cochez la déclaration sur l'honneur pour {REGION}" in words(wrong)

    full = {**short, "reponse": given, "honneur": slugs}
    consent = driver.submit(form, "/guichet-unique", full)
    city = part_of(consent, METRO, "conversion")
    county = part_of(consent, REGION, "conversion")
    right = part_of(consent, METRO, "Dérogation")
    assert BRACKET in city and "pièce jointe : Avis" in city
    assert BRACKET not in county and "Avis d'imposition" not in county
    assert "pièce jointe : Facture" in county and "pièce jointe : Facture" not in city
    assert "20 000" in county.replace("\u202f", " ").replace("\xa0", " ")
    assert "petit rouleur" in right and "petit rouleur" not in city + county
    assert "RIB" not in right and "Quittance" in right

    agreed = re.findall(r'name="accord" value="([0-9a-f-]{36})"', consent.text)
    assert len(agreed) == 3
    sent = driver.submit(consent, "/guichet-unique/envoyer", {"accord": agreed})
    assert "3 demandes sont parties" in words(sent)
    names = re.findall(r"/demandes/([0-9a-f-]{36})", sent.text)
    assert len(names) == 3

    def arrived() -> bool:
        for name in names:
            page = driver.get(f"/demandes/{name}")
            if "Envoyer le reste" in page.text:
                driver.submit(page, "/demandes/dossier")
        return all(
            "pas arrivé en entier" not in driver.get(f"/demandes/{name}").text for name in names
        )

    wait_until(arrived, "every part arrived")

    # Each desk sees its own part and nothing of the other.
    conversion, regional, derogation = names
    seen = words(metro.get(f"/guichet/demandes/{conversion}"))
    assert BRACKET in seen and PLATE in seen and "4 pièce(s) jointe(s) sur 4" in seen
    assert 'value="5000' in metro.get(f"/guichet/demandes/{conversion}").text
    other = region.get(f"/guichet/demandes/{regional}")
    assert BRACKET not in words(other) and PLATE in words(other)
    assert "3 pièce(s) jointe(s) sur 3" in words(other)
    assert 'value="1000' in other.text
    region.get(f"/guichet/demandes/{conversion}", expect=404)

    # Two decisions and a derogation, which has no amount and goes to no payroll.
    for desk, name, euros in ((metro, conversion, "5000"), (region, regional, "1000")):
        desk.submit(
            f"/guichet/demandes/{name}", "/guichet/decider",
            {"demande": name, "decision": "accept", "motif": "Pièces conformes.", "montant": euros},
        )  # fmt: skip
    page = metro.get(f"/guichet/demandes/{derogation}")
    assert 'name="montant"' not in page.text and "12 mois" in words(page)
    metro.submit(
        page, "/guichet/decider",
        {"demande": derogation, "decision": "accept", "motif": "Petit rouleur."},
    )  # fmt: skip
    followed = driver.get("/guichet-unique/suivi?" + "&".join(f"d={name}" for name in names))
    said = words(followed).replace("\u202f", " ").replace("\xa0", " ")
    assert "5 000 €" in said and "1 000 €" in said and said.count("acceptée") >= 3

    # The right is in the vault, with its code; the code alone is what a checker has.
    link = re.search(r"/coffre/circuler/[0-9a-f-]{36}", driver.get(f"/demandes/{derogation}").text)
    assert link is not None
    shown = driver.get(link[0])
    code = re.search(r"<code>(MV1:[^<]+)</code>", shown.text)
    assert code is not None
    assert qr_image(code[1], error="l") in shown.text, "the image holds this very text"
    document = json.loads(read_code(code[1]))
    subject = document["credentialSubject"]
    assert (subject["zone"], subject["critAir"], subject["identification"]) == (
        "243100518", "5", PLATE,
    )  # fmt: skip
    assert subject["lastDay"] > subject["firstDay"]
    assert document["validUntil"][:10] in (subject["lastDay"],)
    paper = driver.get(f"{link[0]}/papier")
    assert read_proof(paper.content) == document, "the paper carries the same document"

    check_offline(federation, metro, document, code[1], derogation, tmp_path)


def test_who_is_not_agreed_to_gets_nothing_and_a_missing_paper_is_asked_for_by_name(
    federation: Network, metro: Browser, region: Browser
) -> None:
    citizen = driver_of(federation, CONVERSION)
    slugs = [CONVERSION, REGIONAL]
    choice = citizen.get("/guichet-unique")
    assert all(f'value="{slug}"' in choice.text for slug in (*slugs, DEROGATION))
    assert "Quelle est" not in words(choice)
    too_many = "&".join(["aide=inconnue", *(f"aide={slug}" for slug in slugs)])
    refused = citizen.get(f"/guichet-unique?{too_many}", expect=422)
    assert "Choisissez de une à 6 aides ouvertes" in words(refused)
    form = citizen.get("/guichet-unique?" + "&".join(f"aide={slug}" for slug in slugs))
    labels = re.findall(r'<label for="f-q\d+">([^<]+?)(?: <span|<)', form.text)
    answers = {
        "immatriculation": "EF-456-GH",
        "Crit": "classe 4",
        "coûte": "9000",
        "tranche": BRACKET,
    }
    given = [next(v for k, v in answers.items() if k in label) for label in labels]
    file = re.findall(r'<option value="([0-9a-f-]{36})"', form.text)[0]
    pieces = [file] * len(re.findall(r'<label for="f-p\d+">', form.text))
    full = {"aide": slugs, "reponse": given, "piece": pieces, "honneur": slugs}
    wrong = citizen.submit(form, "/guichet-unique", full, expect=422)
    assert f"Il manque un document signé pour {REGION}" in words(wrong)
    assert f"/documents/recevoir?aide={REGIONAL}" in wrong.text
    assert "9000" in wrong.text, "what was answered stays"

    identify(citizen, REGIONAL)
    before = len(re.findall(r"/guichet/demandes/", metro.get("/guichet").text))
    consent = citizen.submit(form, "/guichet-unique", full)
    sections = re.findall(r'<section class="card leaves".*?</section>', consent.text, re.S)
    only = next(part for part in sections if REGION in part)
    agreed = re.findall(r'name="accord" value="([0-9a-f-]{36})"', only)
    nothing = citizen.submit(consent, "/guichet-unique/envoyer", {"accord": []})
    assert "Rien n'a été envoyé" in words(nothing)
    sent = citizen.submit(consent, "/guichet-unique/envoyer", {"accord": agreed})
    assert "1 demande est partie" in words(sent)
    again = citizen.submit(consent, "/guichet-unique/envoyer", {"accord": agreed})
    assert "Rien n'a été envoyé" in words(again), "the same button twice sends once"
    assert "EF-456-GH" in words(
        region.get("/guichet/demandes/" + re.findall(r"/demandes/([0-9a-f-]{36})", sent.text)[0])
    )
    assert len(re.findall(r"/guichet/demandes/", metro.get("/guichet").text)) == before


@pytest.fixture
def reserved(federation: Network, region: Browser) -> Iterator[tuple[str, str]]:
    """An aid of the region that never was in the open catalogue, and the link that opens it."""
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        member = hub.members.sign_in("air@region.example", PASSWORD).member
        funder = hub.publishing.funder(member.funder or "")
        assert funder is not None
        day = hub.clock().date()
        made = build_aid(
            AidTemplate.CONVERSION,
            Choices(title="Prime du personnel", share=20, ceiling=500_00, documents=("RIB",)),
            funder=funder,
            slug=hub.aids.slug("personnel-region-des-corbieres"),
            version=day.isoformat(),
            at=day,
        )
        told = replace(made, aid=replace(made.aid, visibility=Visibility.COMMUNITY))
        hub.aids.put(member, funder, told)
        link = hub.reserved.link(funder, Visibility.COMMUNITY)
    yield told.aid.slug, link
    region.submit("/guichet/aides", "/guichet/aides/suspendre", {"aide": told.aid.slug})


def test_an_aid_reserved_to_the_citizen_is_asked_for_with_the_others(
    federation: Network, metro: Browser, region: Browser, reserved: tuple[str, str]
) -> None:
    """It is in no open catalogue: the vault that was handed its link gathers it."""
    slug, link = reserved
    citizen, stranger = driver_of(federation), federation.new_citizen()
    assert f'value="{slug}"' not in stranger.get("/guichet-unique").text
    stranger.get(f"/guichet-unique?aide={slug}", expect=422)
    citizen.submit("/aides/reservees", "/aides/reservees", {"lien": link})
    slugs = [CONVERSION, slug]
    for name in slugs:
        identify(citizen, name)
    assert f'value="{slug}"' in citizen.get("/guichet-unique").text
    form = citizen.get("/guichet-unique?" + "&".join(f"aide={name}" for name in slugs))
    assert METRO in words(form) and REGION in words(form)
    labels = re.findall(r'<label for="f-q\d+">([^<]+?)(?: <span|<)', form.text)
    answers = {
        "immatriculation": "RS-777-TU",
        "Crit": "classe 4",
        "coûte": "9000",
        "tranche": BRACKET,
    }
    given = [next(v for k, v in answers.items() if k in label) for label in labels]
    file = re.findall(r'<option value="([0-9a-f-]{36})"', form.text)[0]
    pieces = [file] * len(re.findall(r'<label for="f-p\d+">', form.text))
    full = {"aide": slugs, "reponse": given, "piece": pieces, "honneur": slugs}
    consent = citizen.submit(form, "/guichet-unique", full)
    agreed = re.findall(r'name="accord" value="([0-9a-f-]{36})"', consent.text)
    sent = citizen.submit(consent, "/guichet-unique/envoyer", {"accord": agreed})
    assert "2 demandes sont parties" in words(sent)
    queue = region.get("/guichet").text
    (theirs,) = {
        name for name in re.findall(r"/demandes/([0-9a-f-]{36})", sent.text) if name in queue
    }
    assert "RS-777-TU" in words(region.get(f"/guichet/demandes/{theirs}"))


def test_looking_at_a_vehicle_its_zone_and_the_form_tells_nobody(
    federation: Network, metro: Browser, region: Browser, wire: Wire
) -> None:
    """The home runs here, over the same state; what it says to anybody goes through `wire`."""
    app = create_home_app(federation.settings)
    phrase = "une phrase secrète de test"
    with TestClient(app, base_url=federation.home.replace("http://", "https://")) as home:

        def post(path: str, form: str = "", **values: str) -> str:
            found = re.search(r'name="jeton" value="([^"]+)"', home.get(form or path).text)
            assert found is not None, path
            return home.post(path, data={"jeton": found[1], **values}).text

        post("/creer", phrase=phrase, encore=phrase, nom="", compris="1")
        post("/coffre/commune", form="/coffre/commune?q=31000", code="31555")
        post(
            "/coffre/vehicules", genre="car", energie="diesel", titre="owned", nom="Secrète",
            numero="ZZ-987-YX", mise="1998-07-14",
        )  # fmt: skip
        found = re.search(r"/coffre/vehicules/([0-9a-f-]{36})", home.get("/coffre/vehicules").text)
        assert found is not None
        shown = home.get(f"/coffre/vehicules/{found[1]}").text
        assert "Crit'Air 5" in shown.replace("&#39;", "'") and CONVERSION in shown
        form = home.get(f"/guichet-unique?vehicule={found[1]}&aide={CONVERSION}&aide={REGIONAL}")
        assert "ZZ-987-YX" in form.text
        post("/vehicule", genre="car", energie="diesel", depuis="1998-07-14", code="31555")
    said = b"\n".join(wire.sent)
    assert b"GET /v1/catalogue" in said, "the home did ask the hub for its catalogue"
    for secret in ("ZZ-987-YX", "1998-07-14", "31555", "Secr", "diesel", CONVERSION, found[1]):
        assert secret.encode() not in said, secret


def check_offline(
    federation: Network,
    metro: Browser,
    document: dict[str, object],
    code: str,
    derogation: str,
    folder: Path,
) -> None:
    """A checker's machine: the registry and the status lists of this morning, and no server."""
    checker = folder / "checker"
    checker.mkdir()
    shutil.copy(federation.settings.state / "trust-root.json", checker / "trust-root.json")
    trust = folder / "trust.jwt"
    trust.write_bytes(httpx.get(f"{federation.hub}/v1/trust", verify=tls_context()).content)

    def lists(name: str) -> list[Path]:
        found = document["credentialStatus"]
        entries = found if isinstance(found, list) else [found]
        kept = []
        for number, url in enumerate(sorted({str(e["statusListCredential"]) for e in entries})):
            file = folder / f"{name}-{number}.json"
            file.write_bytes(httpx.get(url, verify=tls_context()).content)
            kept.append(file)
        return kept

    def verify(text: str, status: list[Path]) -> tuple[int, dict[str, object]]:
        file = folder / "code.txt"
        file.write_text(text, "utf-8")
        given = ["verify", str(file), "--trust", str(trust), "--json"]
        for one in status:
            given += ["--status-list", str(one)]
        done = CliRunner().invoke(cli, given, env={"MOBILITY_STATE": str(checker)})
        return done.exit_code, json.loads(done.stdout)

    morning = lists("morning")
    assert verify(code, morning)[0] == 0
    assert verify(code, [])[0] == 3, "without the lists: cannot tell, which is no refusal"
    damaged = code[:60] + ("A" if code[60] != "A" else "B") + code[61:]
    assert verify(damaged, morning)[0] == 1
    # The public page takes the same text.
    page = Browser(federation.hub)
    answer = page.submit("/verifier", "/verifier", {"texte": code})
    assert "Document authentique" in words(answer) and PLATE in words(answer)
    # Revoked at the desk: the lists of the evening refuse it.
    validity = f"/guichet/demandes/{derogation}/validite"
    metro.submit(validity, validity, {"acte": "revoke", "motif": "Véhicule vendu."})
    status, said = verify(code, lists("evening"))
    assert (status, said["failed"]) == (1, ["status-revoked"])
    assert verify(code, morning)[0] == 0, "this morning's lists did not know it"
