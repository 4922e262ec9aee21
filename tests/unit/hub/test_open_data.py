"""The open catalogue over HTTP: search, ETags, feed, files that others' schemas accept."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyoxigraph
import pytest
import rdflib
from fastapi.testclient import TestClient
from pyld import jsonld

from federation.aids.imports import import_document
from federation.aids.interchange import read_table
from federation.aids.model import AidStatus, Visibility
from federation.hub.app import create_hub_app
from tests.hub_world import World, build_world

SLUG = "fmd-agents-publics-agglo"
ORIGIN = "http://localhost:8401"
DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
HYDRA = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
CPSV = rdflib.Namespace("http://purl.org/vocab/cpsv#")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = build_world(tmp_path_factory.mktemp("hub"))
    publishing = made.context.publishing
    aid = publishing.aid("abonnement-agents-publics-agglo")
    publishing.add_aids(
        replace(aid, id=f"{aid.id}-2", slug="reservee-aux-agents", visibility=Visibility.AFFILIATED)  # type: ignore[arg-type]
    )
    publishing.move(aid.slug, AidStatus.SUSPENDED, actor="hub")
    return made


@pytest.fixture(scope="module")
def client(world: World) -> TestClient:
    return TestClient(create_hub_app(world.context), base_url=ORIGIN)


def graph(client: TestClient, path: str) -> rdflib.Graph:
    answer = client.get(path)
    assert answer.headers["content-type"].startswith("application/ld+json")
    lines = jsonld.normalize(
        answer.json(), {"algorithm": "URDNA2015", "format": "application/n-quads"}
    )
    return rdflib.Graph().parse(data=lines, format="nt")


def test_a_search_is_paged_counted_and_explained(client: TestClient) -> None:
    first = client.get("/v1/aids", params={"q": "vae", "limit": 5}).json()
    assert len(first["items"]) == 5 < first["total"]
    second = client.get("/v1/aids", params={"q": "vae", "limit": 5, "cursor": first["cursor"]})
    seen = {item["slug"] for item in first["items"]}
    assert seen.isdisjoint(item["slug"] for item in second.json()["items"])
    assert first["items"][0]["why"]["fields"]
    assert first["order"][0].startswith("words")
    assert first["facets"]["mode"]["velo"] <= first["total"]
    other = client.get("/v1/aids", params={"q": "train", "cursor": first["cursor"]})
    assert other.status_code == 400, "a cursor is of its own search"


def test_a_commune_orders_by_nearness_and_an_unknown_one_is_refused(client: TestClient) -> None:
    found = client.get("/v1/aids", params={"commune": "31555", "mode": "velo"}).json()
    assert found["items"][0]["why"]["near"] == "epci"
    assert client.get("/v1/aids", params={"commune": "99999"}).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/v1/aids?q=vae",
        "/v1/aids/changes",
        "/v1/open-data",
        "/v1/open-data/services?page=2",
        "/v1/open-data/aides.jsonld",
        "/v1/open-data/aides.nq",
        "/v1/open-data/aides.csv",
    ],
)
def test_who_has_the_newest_is_not_sent_it_again(client: TestClient, path: str) -> None:
    etag = client.get(path).headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    again = client.get(path, headers={"If-None-Match": f'"old", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"old"'}).status_code == 200


def test_a_new_version_has_another_etag(world: World, client: TestClient) -> None:
    path = "/v1/aids?q=forfait"
    before = client.get(path).headers["etag"]
    publishing = world.context.publishing
    publishing.verify(SLUG, on=date(2026, 11, 20), next_review=date(2027, 6, 1), actor="hub")
    assert client.get(path).headers["etag"] != before


def changes(client: TestClient, cursor: str | None = None) -> tuple[dict[str, Any], str]:
    """slug → item, following the cursor to the end."""
    found: dict[str, Any] = {}
    while True:
        params = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/aids/changes", params=params).json()
        found |= {item["slug"]: item for item in page["items"]}
        cursor = page["cursor"]
        if not page["more"]:
            return found, cursor  # type: ignore[return-value]


def test_who_follows_the_feed_holds_the_open_catalogue(world: World, client: TestClient) -> None:
    found, cursor = changes(client)
    held = {slug for slug, item in found.items() if not item["deleted"]}
    assert held == {aid.slug for aid in world.context.open_data.finder().aids}
    assert found["abonnement-agents-publics-agglo"]["deleted"] is True
    assert "aid" not in found["abonnement-agents-publics-agglo"]
    assert "reservee-aux-agents" not in found
    assert changes(client, cursor)[0] == {}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/aids?limit=200&q=abonnement",
        "/v1/aids/changes?limit=200",
        "/v1/open-data/aides.jsonld",
        "/v1/open-data/aides.nq",
        "/v1/open-data/aides.csv",
        "/v1/open-data/services?page=4",
    ],
)
def test_what_is_reserved_is_in_no_open_answer(client: TestClient, path: str) -> None:
    assert "reservee-aux-agents" not in client.get(path).text
    assert client.get("/v1/aids/reservee-aux-agents").status_code == 404
    assert client.get("/v1/aids/reservee-aux-agents/revisions").status_code == 404


def test_the_two_linked_files_say_the_same(client: TestClient, world: World) -> None:
    text = client.get("/v1/open-data/aides.nq").text
    theirs = jsonld.normalize(
        client.get("/v1/open-data/aides.jsonld").json(),
        {"algorithm": "URDNA2015", "format": "application/n-quads"},
    )
    assert text == "".join(sorted(theirs.splitlines(keepends=True)))
    quads = list(pyoxigraph.parse(text.encode(), format=pyoxigraph.RdfFormat.N_QUADS))
    assert len(quads) > 40 * len(world.context.open_data.finder().aids) / 2
    assert "vocab#Tombstone" in text


@pytest.mark.shared_data
def test_the_table_is_valid_against_fabmobs_schema(client: TestClient, shared: Path) -> None:
    folder = shared / "data" / "aids"
    schema = json.loads(
        (folder / "schema-referentiel-aides-mobilite.schema.json").read_text("utf-8")
    )
    text = client.get("/v1/open-data/aides.csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == [field["name"] for field in schema["fields"]]
    assert len({row[schema["primaryKey"]] for row in rows}) == len(rows) > 200
    for row in rows:
        for field in schema["fields"]:
            value, where = row[field["name"]], (row["id"], field["name"])
            if not value:
                assert not field.get("constraints", {}).get("required"), where
                continue
            match field["type"]:
                case "integer":
                    assert int(value) >= field["constraints"].get("minimum", 0), where
                case "date":
                    date.fromisoformat(value)
                case "array":
                    assert all(isinstance(item, str) for item in json.loads(value)), where
            if field.get("format") == "uri":
                assert re.fullmatch(r"https?://\S+", value), where


def test_our_table_is_imported_again_whole(client: TestClient, world: World) -> None:
    text = client.get("/v1/open-data/aides.csv").content.decode()
    document = read_table(text, source="nous", licence="Licence Ouverte 2.0")
    found = import_document(document, publisher=world.context.settings.did, at=date(2026, 11, 22))
    twice = [why for _, why in found.skipped]
    assert set(twice) <= {"twice in the document"}
    assert len(found.aids) + len(twice) == len(world.context.open_data.finder().aids)


def test_the_data_catalogue_has_what_dcat_ap_asks_for(client: TestClient) -> None:
    found = graph(client, "/v1/open-data")
    (catalogue,) = found.subjects(rdflib.RDF.type, DCAT.Catalog)
    for need in (
        DCT.title,
        DCT.description,
        DCT.publisher,
        DCAT.dataset,
        DCT.license,
        DCT.modified,
    ):
        assert list(found.objects(catalogue, need)), need
    (data,) = found.objects(catalogue, DCAT.dataset)
    for need in (DCT.title, DCT.description, DCAT.theme, DCT.publisher, DCT.identifier,
                 DCT.accrualPeriodicity, DCT.spatial, DCAT.landingPage):  # fmt: skip
        assert list(found.objects(data, need)), need
    files = list(found.objects(data, DCAT.distribution))
    assert len(files) == 3
    for file in files:
        address = str(next(found.objects(file, DCAT.downloadURL)))
        got = client.get(address.removeprefix(ORIGIN))
        assert got.status_code == 200
        (size,) = found.objects(file, DCAT.byteSize)
        assert int(size) == len(got.content)
        (media,) = found.objects(file, DCAT.mediaType)
        assert str(media).endswith(got.headers["content-type"].partition(";")[0])
    (service,) = found.objects(catalogue, DCAT.service)
    assert list(found.objects(service, DCAT.endpointURL)) == [rdflib.URIRef(f"{ORIGIN}/v1/aids")]


def test_a_harvester_walks_every_page_by_hydras_links(client: TestClient, world: World) -> None:
    path, services, stones, pages = "/v1/open-data/services", set(), set(), 0
    while path:
        found = graph(client, path)
        services |= set(found.subjects(rdflib.RDF.type, CPSV.PublicService))
        stones |= set(
            found.subjects(
                rdflib.RDF.type, rdflib.URIRef("https://w3id.org/mobility-vault/vocab#Tombstone")
            )
        )
        following = list(found.objects(None, HYDRA.next))
        path = str(following[0]).removeprefix(ORIGIN) if following else ""
        (total,) = {int(n) for n in found.objects(None, HYDRA.totalItems)}
        pages += 1
    assert pages == -(-total // 100) > 1
    assert len(services) == len(world.context.open_data.finder().aids)
    assert rdflib.URIRef(f"{ORIGIN}/aides/abonnement-agents-publics-agglo") in stones
    beyond = client.get("/v1/open-data/services", params={"page": 99_999}).json()
    assert beyond["@graph"][0].get("member") == []


def test_revisions_are_told_without_names(client: TestClient) -> None:
    found = client.get(f"/v1/aids/{SLUG}/revisions").json()["items"]
    assert [item["by"] for item in found] == ["hub"] * len(found)
    old = client.get(f"/v1/aids/{SLUG}/revisions/{found[-1]['number']}").json()
    assert old["slug"] == SLUG
    assert client.get(f"/v1/aids/{SLUG}/revisions/1").status_code == 404
    schema = client.get("/v1/schemas/aid.json")
    assert schema.headers["content-type"] == "application/schema+json"
    rdflib.Graph().parse(data=client.get("/v1/schemas/aid.ttl").text, format="turtle")
