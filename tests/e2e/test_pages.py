"""Pages over HTTP: every one answers, keeps its headers, and its forms do what they say."""

import re
import time

import httpx
import pytest

from portal.browser import Browser, PageError
from portal.pages.deps import VAULT_COOKIE
from tests.e2e.network import Network

CITIZEN = (
    "/", "/trajets", "/bilan", "/trajets/questions", "/aides", "/aides/reponses", "/territoire",
    "/territoire?niveau=region&profil=famille-velo-cargo",
    "/simuler", "/vehicule", "/arriver", "/partages", "/attestation",
    "/sources",
    "/coffre", "/coffre/lieux", "/coffre/commune?q=11800", "/coffre/documents", "/coffre/journal",
    "/coffre/quarantaine", "/coffre/emporter", "/coffre/detruire", "/documents/recevoir",
    "/chercher", "/coffre/effacer", "/coffre/oubli", "/coffre/vehicules", "/coffre/circuler",
    "/guichet-unique", "/guichet-unique/suivi",
    "/coffre/objectifs",
    "/coffre/livraison", "/coffre/extensions", "/extensions",
    "/bilan?par=day&mode=bicycle", "/bilan?par=source", "/bilan?par=purpose",
    "/coffre/cles", "/coffre/factures", "/coffre/2d-doc", "/coffre/mandats", "/coffre/preferences",
    "/aides/fmd-agents-publics-agglo-cabardes/pour-moi",
    "/coffre/avis",
    "/sources/demandes", "/sources/demandes/nouvelle", "/trajets/contestes", "/presenter",
    "/partages/services", "/coffre/donner",
    "/sources/cozy", "/sources/compte-operateur", "/sources/comptes", "/services",
    "/confidentialite", "/accessibilite", "/etat",
)  # fmt: skip
PUBLIC = (
    "/",
    "/territoires",
    "/territoires?q=occitanie",
    "/territoires/commune/31555?profil=velo-domicile-travail",
    "/territoires/region/76",
    "/annonces",
    "/donnees-ouvertes",
    "/proposer",
    "/developpeurs",
    "/verifier",
    "/membres",
    "/guichet/entrer",
    "/confidentialite",
    "/accessibilite",
    "/etat",
)
BANNER = {
    "fr": "Bac à sable : personnes, opérateurs et financeurs fictifs",
    "en": "Sandbox: fictitious people, operators and funders",
}


@pytest.mark.parametrize("path", CITIZEN)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_of_the_citizen_answers_in_both_languages(
    federation: Network, path: str, language: str
) -> None:
    citizen = federation.citizen()
    citizen.language = language
    page = citizen.get(path)
    assert BANNER[language] in page.text
    assert f'<html lang="{language}">' in page.text
    assert page.text.count("<h1") == 1
    assert ">None<" not in page.text, "a value that is absent is not a word"


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_page_of_the_hub_answers(federation: Network, path: str) -> None:
    page = Browser(federation.hub).get(path)
    assert BANNER["fr"] in page.text
    assert page.text.count("<h1") == 1
    assert ">None<" not in page.text


@pytest.mark.parametrize("path", ["/", "/ouvrir", "/nothing", "/healthz", "/v1/nothing"])
def test_every_answer_has_the_strict_headers(federation: Network, path: str) -> None:
    for base in (federation.home, federation.hub):
        answer = httpx.get(base + path, timeout=10, follow_redirects=False)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        with_passkeys = base == federation.home and path == "/ouvrir"
        assert ("script-src 'self';" in policy) is with_passkeys
        assert ("script-src" in policy) is with_passkeys
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_page_holds_a_script_or_an_inline_style(federation: Network) -> None:
    citizen = federation.citizen()
    for path in CITIZEN:
        text = citizen.get(path).text
        scripts = re.findall(r"<script[^>]*>[^<]*</script>", text)
        assert len(scripts) == text.count("<script") == (path == "/coffre/cles"), path
        assert all(
            re.fullmatch(r'<script type="module" src="/static/cles.js\?v=\w+"></script>', one)
            for one in scripts
        ), path
        assert not re.search(r"\sstyle=|\son[a-z]+=", text), path
        assert not re.search(
            r'(?:src|href)="https?://(?!localhost|www\.legifrance)', text
        ) or path in (
            "/aides",
            "/confidentialite",
        ), path


def test_an_api_error_is_a_problem_and_a_page_error_is_a_page(federation: Network) -> None:
    api = httpx.get(f"{federation.home}/v1/nothing", timeout=10)
    assert api.headers["content-type"].startswith("application/problem+json")
    page = Browser(federation.home).get("/nothing", expect=404)
    assert "Cette page n'existe pas" in page.text.replace("&#39;", "'")


def test_a_form_without_its_token_changes_nothing(federation: Network) -> None:
    citizen = federation.citizen()
    cookies = "; ".join(f"{k}={v}" for k, v in citizen.cookies.items())
    for path in ("/releve", "/verrouiller", "/coffre/detruire", "/trajets/supprimer"):
        answer = httpx.post(
            federation.home + path, headers={"cookie": cookies}, data={"trajet": "x"}, timeout=10
        )
        assert answer.status_code == 403, path
    citizen.get("/trajets")


def test_a_wrong_passphrase_says_so_and_opens_nothing(federation: Network) -> None:
    browser = Browser(federation.home)
    values = {"coffre": federation.memory["vault"], "phrase": "pas la bonne du tout"}
    page = browser.submit("/ouvrir", "/ouvrir", values, expect=422)
    assert "ne vont pas ensemble" in page.text
    assert VAULT_COOKIE not in browser.cookies


def test_locking_closes_at_once_and_everywhere_when_asked(federation: Network) -> None:
    first, second = federation.citizen(), federation.citizen()
    first.submit("/", "/verrouiller")
    assert "/ouvrir" in first.get("/trajets").address
    second.submit("/coffre", "/verrouiller?partout=1")
    assert "/ouvrir" in second.get("/trajets").address


def test_the_passphrase_must_be_long_and_typed_twice(federation: Network) -> None:
    browser = Browser(federation.home)
    short = {"phrase": "court", "encore": "court", "compris": "1"}
    assert "au moins 12" in browser.submit("/creer", "/creer", short, expect=422).text
    twice = {"phrase": "une phrase bien longue", "encore": "une autre phrase", "compris": "1"}
    assert "identiques" in browser.submit("/creer", "/creer", twice, expect=422).text


def one_trip(browser: Browser) -> str:
    page = browser.get("/trajets")
    return page.find(r'class="row" href="/trajets/([0-9a-f-]{36})"')


def test_correcting_the_mode_lowers_its_evidence_and_confirming_raises_it(
    federation: Network,
) -> None:
    citizen = federation.citizen()
    trip = one_trip(citizen)
    page = citizen.get(f"/trajets/{trip}")
    sensed = page.find(r'<option value="([a-z_]+)" selected>')
    page = citizen.submit(page, "/trajets/corriger", {"mode": "tram"})
    assert "Preuve du mode : corrigé par vous" in page.text
    page = citizen.submit(page, "/trajets/corriger", {"mode": sensed})
    assert "vous confirmez le mode mesuré" in page.text
    page = citizen.submit(page, "/trajets/corriger", {"motif": "shopping"})
    assert 'value="shopping" selected' in page.text


def test_a_deleted_trip_is_gone_and_undo_is_offered(federation: Network) -> None:
    citizen = federation.citizen()
    trip = one_trip(citizen)
    after = citizen.submit(f"/trajets/{trip}", "/trajets/supprimer")
    assert "Annuler la suppression" in after.text
    with pytest.raises(PageError):
        citizen.get(f"/trajets/{trip}")
    back = citizen.submit(after, "/trajets/annuler/")
    assert "annulée" in back.text


def test_a_hostile_upload_is_refused_in_words(federation: Network) -> None:
    citizen = federation.citizen()
    for data in (b"", b"<html>", b'{"a":' * 5000, b"\x00" * 100, b"[]"):
        page = citizen.submit("/sources", "/sources/importer", files={"fichier": ("x.json", data)})
        assert "n&#39;a pas pu être lu" in page.text or "Choisir un autre fichier" in page.text


def test_places_are_checked_field_by_field(federation: Network) -> None:
    citizen = federation.citizen()
    values = {"role": "home", "lat": "143", "lon": "deux", "rayon": "5", "nom": ""}
    page = citizen.submit("/coffre/lieux", "/coffre/lieux", values, expect=422)
    assert page.text.count('aria-invalid="true"') == 3


def test_the_export_is_an_age_file(federation: Network) -> None:
    citizen = federation.citizen()
    values = {"phrase": "une phrase pour l'archive"}
    asked_for = citizen.submit("/coffre/emporter", "/coffre/emporter", values)
    assert "Votre archive est" in asked_for.text
    until = time.monotonic() + 60
    while "Votre archive est prête" not in (ready := citizen.get("/coffre/emporter")).text:
        assert "Votre archive est en préparation" in ready.text
        assert time.monotonic() < until
        time.sleep(0.05)
    kept = {"cookie": "; ".join(f"{k}={v}" for k, v in citizen.cookies.items())}

    def asked(**headers: str) -> httpx.Response:
        wanted = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"{citizen.base}/coffre/emporter/archive"
        return httpx.get(address, headers={**kept, **wanted}, timeout=60)

    whole = asked()
    assert whole.content.startswith(b"age-encryption.org/v1")
    rest = asked(range="bytes=1000-", if_range=whole.headers["etag"])
    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    other = asked(range="bytes=1000-", if_range='"autre"')
    assert (other.status_code, other.content) == (200, whole.content)


def test_a_new_vault_says_what_to_do_first_and_can_be_destroyed(federation: Network) -> None:
    browser = federation.new_citizen()
    assert "Commencez par une source" in browser.get("/").text
    assert "Aucun trajet ici" in browser.get("/trajets").text
    assert "Pas encore de bilan" in browser.get("/bilan").text
    vault = browser.get("/coffre").find(r'class="meta mono">([0-9a-f]{32})<')
    wrong = browser.submit("/coffre/detruire", "/coffre/detruire", {"confirme": "x"}, expect=422)
    assert "pas celui de ce coffre" in wrong.text
    done = browser.submit("/coffre/detruire", "/coffre/detruire", {"confirme": vault})
    assert "Coffre détruit" in done.text
    assert "/ouvrir" in browser.get("/trajets").address


def test_the_desk_shows_claims_and_checks_but_no_trip(federation: Network) -> None:
    officer = federation.officer()
    queue = officer.get("/guichet")
    link = queue.find(r'href="(/guichet/demandes/[0-9a-f-]{36})"')
    page = officer.get(link)
    assert "Nombre de jours éligibles" in page.text
    assert "Signature" in page.text
    for hidden in ("Domicile", "07:", "lat", "trajet_"):
        assert f">{hidden}" not in page.text


def test_the_desk_needs_a_login(federation: Network) -> None:
    stranger = Browser(federation.hub)
    assert "/guichet/entrer" in stranger.get("/guichet").address
    values = {"identifiant": "guichet", "mot_de_passe": "pas le bon du tout"}
    page = stranger.submit("/guichet/entrer", "/guichet/entrer", values, expect=422)
    assert "inexact" in page.text


def test_the_attestation_verifies_in_public_and_an_altered_one_does_not(
    federation: Network,
) -> None:
    pdf = (federation.settings.state / "attestation.pdf").read_bytes()
    anyone = Browser(federation.hub)
    good = anyone.submit("/verifier", "/verifier", {"texte": ""}, files={"fichier": ("a.pdf", pdf)})
    assert "Document authentique" in good.text
    from portal.attestation import read_proof
    from portal.pages.verify import compact

    proof = read_proof(pdf)
    proof["credentialSubject"]["days"] += 1
    bad = anyone.submit("/verifier", "/verifier", {"texte": compact(proof)})
    assert "pas valable" in bad.text
    assert "La signature ne correspond pas" in bad.text or "modifié" in bad.text
    empty = anyone.submit("/verifier", "/verifier", {"texte": ""}, expect=422)
    assert "collez une preuve" in empty.text


def test_consent_withdrawn_shows_in_the_receipt(federation: Network) -> None:
    citizen = federation.citizen()
    link = citizen.get("/partages").find(r'href="(/partages/[0-9a-f-]{36})"')
    page = citizen.get(link)
    assert "Ce qui est parti" in page.text
    assert "Ce qui est resté" in page.text
    assert "dpv:ConsentRecord" in page.text


def test_the_journal_names_acts_and_never_codes(federation: Network) -> None:
    citizen = federation.citizen()
    page = citizen.get("/coffre/journal")
    assert "Preuve partagée" in page.text or "Relève de la boîte de dépôt" in page.text
    acts = re.findall(r'<span class="t">(.*?)</span>', page.text)
    assert acts
    assert [act for act in acts if re.fullmatch(r"[a-z]+(-[a-z]+)*", act)] == []


def test_a_file_is_kept_downloaded_and_destroyed(federation: Network) -> None:
    citizen = federation.new_citizen()
    data = b"%PDF-1.7\nle contrat\n"
    form = citizen.get("/coffre/documents")
    page = citizen.submit(form, "/coffre/documents", files={"fichier": ("../contrat.pdf", data)})
    assert ">contrat.pdf<" in page.text
    link = page.find(r'href="(/v1/documents/[^"]+)"')
    assert citizen.get(link).content == data
    refused = citizen.submit(
        form, "/coffre/documents", files={"fichier": ("x.html", b"<html>")}, expect=415
    )
    assert "Fichier refusé" in refused.text
    after = citizen.submit(page, "/coffre/documents/supprimer")
    assert "contrat.pdf" not in after.text
    citizen.get(link, expect=404)
