"""« Mon territoire » over real servers: one address, page and linked data, the citizen's own."""

import json
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from connectors.issuer.app import issuer_service
from federation.hub.access import Caller
from federation.trust import PinnedKey, Role, TrustEntry
from portal.browser import Answer, Browser
from portal.cli import app as cli
from portal.compose import hub_parts
from schemas.ids import Did
from tests.e2e.network import Network

TOULOUSE = "/territoires/commune/31555"


def words(page: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


@pytest.fixture
def reader(federation: Network) -> Browser:
    return Browser(federation.hub)


def test_a_territory_tells_what_there_is_how_much_and_what_adds_up(reader: Browser) -> None:
    page = words(reader.get(TOULOUSE))
    assert page.index("Rouler à vélo") < page.index("Passer le permis")
    assert "jusqu'à 500 €" in page, "the apprentices' licence is a fixed amount"
    assert "Ce qui s'ajoute, ce qui s'exclut" in page
    assert "Se cumule avec le forfait mobilités durables, dans un plafond commun" in page
    assert "Total :" not in page, "nobody was made up yet"


def test_the_reader_picks_a_made_up_person_and_the_engine_adds_up(reader: Browser) -> None:
    page = words(reader.get(f"{TOULOUSE}?profil=abonnement-et-velo"))
    assert "Le plafond commun des deux prises en charge s'applique." in page
    assert re.search(r"Total : 450\s€ et 450\s€ par an", page)
    unknown = words(reader.get(f"{TOULOUSE}?profil=%27%3B--"))
    assert "Total :" not in unknown


def test_from_a_region_one_goes_to_smaller_places_and_back(reader: Browser) -> None:
    region = reader.get("/territoires/region/76?profil=velo-domicile-travail")
    assert "Salariée, vélo électrique pour aller travailler · Toulouse" in words(region)
    inner = reader.get(region.find(r'href="(/territoires/epci/243100518)"'))
    assert "Mon territoire : Toulouse Métropole" in words(inner)
    assert "Occitanie" in words(reader.get(inner.find(r'href="(/territoires/region/76)"')))


def test_a_name_or_a_postcode_finds_the_territory(reader: Browser) -> None:
    assert "/territoires/region/76" in reader.get("/territoires?q=occitanie").text
    assert "/territoires/commune/31555" in reader.get("/territoires?q=31000").text
    assert "Aucun territoire trouvé" in words(reader.get("/territoires?q=zanzibar"))
    reader.get("/territoires?q=" + "x" * 81, expect=422)


@pytest.mark.parametrize(
    "path",
    ["commune/99999", "state/FR", "region/", "commune/a%20b", "epci/" + "9" * 30,
     "commune/%00", "departement/'"],
)  # fmt: skip
def test_what_is_no_territory_is_not_there(reader: Browser, path: str) -> None:
    answer = httpx.get(f"{reader.base}/territoires/{path}", timeout=20)
    assert answer.status_code in (404, 422), path
    machine = httpx.get(f"{reader.base}/v1/territories/{path}", timeout=20)
    assert machine.status_code in (404, 422), path


def test_an_arrondissement_is_read_as_its_commune(reader: Browser) -> None:
    page = reader.get("/territoires/commune/75101")
    assert page.address.endswith("/territoires/commune/75056")


def test_the_same_address_gives_linked_data_and_says_when_nothing_changed(
    federation: Network,
) -> None:
    address = federation.hub + TOULOUSE
    page = httpx.get(address, timeout=20)
    assert "set-cookie" not in page.headers
    linked = httpx.get(address, headers={"accept": "application/ld+json"}, timeout=20)
    assert linked.headers["content-type"].startswith("application/ld+json")
    document = linked.json()
    assert document["landingPage"].endswith(TOULOUSE)
    assert document["territoryCode"] == "31555"
    assert any(one["slug"] == "velo-toulouse" for one in document["aid"])
    machine = httpx.get(f"{federation.hub}/v1/territories/commune/31555", timeout=20)
    assert machine.json() == document
    for answer, headers in (
        (page, {}), (linked, {"accept": "application/ld+json"}),
    ):  # fmt: skip
        assert "Accept" in answer.headers["vary"]
        known = {**headers, "if-none-match": answer.headers["etag"]}
        assert httpx.get(address, headers=known, timeout=20).status_code == 304
        other = {**known, "if-none-match": '"another"'}
        assert httpx.get(address, headers=other, timeout=20).status_code == 200
    english = httpx.get(address, headers={"accept-language": "en"}, timeout=20)
    assert english.headers["etag"] != page.headers["etag"]
    assert "up to" in english.text


def test_an_aid_leads_to_its_territory(reader: Browser) -> None:
    page = reader.get("/aides/velo-toulouse")
    assert "Rouler à vélo" in reader.get(page.find(r'href="(/territoires/epci/\d+)"')).text


def test_the_citizen_sees_the_territory_of_their_own_commune(federation: Network) -> None:
    citizen = federation.citizen()
    citizen.get("/coffre/commune?q=31000")
    citizen.submit("/coffre/commune?q=31000", "/coffre/commune", {"code": "31555"})
    page = citizen.get("/territoire")
    assert "Mon territoire : Toulouse" in words(page)
    assert "Toulouse Métropole" in words(page)
    wider = citizen.get("/territoire?niveau=region&profil=velo-domicile-travail")
    assert "Mon territoire : Occitanie" in words(wider)
    assert "Total :" in words(wider)
    assert "/territoire" in citizen.get("/aides").text
    citizen.get("/territoire?niveau=region&code=zz", expect=404)


# --- offers ---------------------------------------------------------------------------------------


def test_the_sandboxs_operator_shows_its_offers_and_the_aids_that_pay_part(
    reader: Browser,
) -> None:
    page = words(reader.get("/territoires/departement/11"))
    assert "Covoiturage du quotidien (fictif)" in page
    assert "0,10 € par km pour le passager" in page
    assert "Une aide peut en payer une part :" in page
    elsewhere = words(reader.get("/territoires/departement/33"))
    assert "Aucune offre publiée ici." in elsewhere


def test_an_operator_publishes_by_command_a_moderator_reads_and_the_home_shows(
    federation: Network, tmp_path: Path
) -> None:
    folder, file = tmp_path / "emetteur", tmp_path / "offre.json"
    runner = CliRunner()

    def run(*arguments: str, code: int = 0) -> str:
        done = runner.invoke(cli, ["issuer", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    run(
        "init",
        str(folder),
        "--name",
        "Vélos de l'Aude (fictif)",
        "--address",
        "http://localhost:9/velos",
    )
    day = datetime.now(UTC).date()
    document = {
        **json.loads(
            resources.files("federation.offers").joinpath("offer.example.json").read_text("utf-8")
        ),
        "names": {"fr": "Vélos de l'Aude en partage (fictifs)"},
        "territories": [{"kind": "departement", "code": "11"}],
        "validFrom": day.isoformat(),
        "validUntil": (day + timedelta(days=60)).isoformat(),
    }
    del document["iss"]
    file.write_text(json.dumps(document), "utf-8")
    stranger = run("card", str(folder), str(file), "--hub", federation.hub, code=1)
    assert "offer-issuer" in stranger
    with issuer_service(folder) as service, hub_parts(federation.settings) as parts:
        signer, did = service.signer, service.settings.did
        at = datetime.now(UTC) - timedelta(minutes=1)
        pinned = PinnedKey(signer.public_multikey(), signer.verification_method, at)
        parts.hub.registry.accredit(
            TrustEntry(
                did=Did(did),
                name="Vélos de l'Aude (fictif)",
                roles=frozenset((Role.OPERATOR,)),
                keys=(pinned,),
                since=at,
            )
        )
        parts.hub.members.add(
            "offres@exemple.fr", "un mot de passe bien long", roles=frozenset((Caller.ADMIN,))
        )
    said = run("card", str(folder), str(file), "--hub", federation.hub, "--json")
    assert '"draft"' in said
    reader = Browser(federation.hub)
    assert "Vélos de l'Aude en partage" not in words(reader.get("/territoires/departement/11"))
    desk = Browser(federation.hub)
    desk.submit(
        "/guichet/entrer",
        "/guichet/entrer",
        {"identifiant": "offres@exemple.fr", "mot_de_passe": "un mot de passe bien long"},
    )
    values = {"operateur": did, "offre": "velos-en-partage-annuel", "version": "1"}
    silent = desk.submit("/guichet/offres", "/guichet/offres", {**values, "acte": "declined"})
    assert "Dites en quelques mots pourquoi" in words(silent)
    done = desk.submit("/guichet/offres", "/guichet/offres", {**values, "acte": "published"})
    assert "L'offre est publiée." in words(done)
    shown = words(reader.get("/territoires/departement/11"))
    assert "Vélos de l'Aude en partage (fictifs)" in shown
    assert "48 € par an" in shown
    again = run("card", str(folder), str(file), "--hub", federation.hub, "--json")
    assert '"published"' in again
    ended = desk.submit(
        "/guichet/offres",
        "/guichet/offres",
        {**values, "acte": "suspended", "mot": "Prix à revoir."},
    )
    assert "suspendue" in words(ended)
    assert "Vélos de l'Aude en partage" not in words(reader.get("/territoires/departement/11"))


def test_the_citizens_home_shows_the_offers_it_verified_itself(federation: Network) -> None:
    citizen = federation.citizen()
    page = words(citizen.get("/territoire?niveau=departement&code=11"))
    assert "Covoiturage du quotidien (fictif)" in page


# --- what is built --------------------------------------------------------------------------------


def test_what_was_not_loaded_says_no_data_and_a_loaded_file_is_counted_with_its_source(
    federation: Network, reader: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "lieux.csv"
    file.write_text("id_lieu,insee,ouvert,nbre_pl\na,31555,true,40\nb,31555,true,2\n", "utf-8")
    before = words(reader.get(TOULOUSE))
    assert before.count("aucune donnée") == 4
    runner, state = CliRunner(), ["--state", str(federation.settings.state)]
    said = ["--source", "Base fictive", "--licence", "Licence Ouverte 2.0", "--date", "2026-01-31"]
    verb = ["hub", "infrastructure"]
    wrong = runner.invoke(cli, [*verb, "load", "bike-parking", str(file), *said, *state])
    assert wrong.exit_code == 1
    assert "infrastructure-file" in wrong.output
    try:
        done = runner.invoke(cli, [*verb, "load", "carpool-place", str(file), *said, *state])
        assert done.exit_code == 0, done.output
        page = words(reader.get(TOULOUSE))
        assert page.count("aucune donnée") == 3
        assert "2 lieux, 42 stationnements" in page
        assert "Base fictive, Licence Ouverte 2.0, données du 31 janvier 2026" in page
        assert "aucun dans ce fichier" in words(reader.get("/territoires/departement/33"))
        listed = runner.invoke(cli, [*verb, "list", "--json", *state])
        assert "Base fictive" in listed.output
    finally:
        gone = runner.invoke(cli, [*verb, "remove", "carpool-place", *state])
    assert gone.exit_code == 0, gone.output
    assert words(reader.get(TOULOUSE)).count("aucune donnée") == 4
    own = words(federation.citizen().get("/territoire?niveau=commune&code=31555"))
    assert "Voir la page publique" in own
