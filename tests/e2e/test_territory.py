"""« Mon territoire » over real servers: one address, page and linked data, the citizen's own."""

import re

import httpx
import pytest

from portal.browser import Answer, Browser
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
